//! The claims this program makes on its first screen, each with its control, on the embedded images and the real presets.
//!
//! These are measurements, not regressions of pictures: thresholds are those the claims state, not what the code gives.

use kernelscope::math::fit::power_law;
use kernelscope::math::spike::quantile;
use kernelscope::run::{Block, Event, History, Metric};
use kernelscope::spec::{Spec, preset};

use super::{read_until, start};

fn run(spec: Spec) -> History {
    let worker = start(spec);
    let mut history = History::default();
    loop {
        let mut ended = false;
        for event in read_until(&worker, |_| true) {
            ended |= matches!(event, Event::Ended(_));
            history.push(event);
        }
        if ended {
            return history;
        }
    }
}

fn seeded(name: &str, seed: u64) -> Spec {
    Spec { seed, ..preset(name).unwrap().spec() }
}

const FIRST: Block = Block::Task(1);

#[test]
fn the_kernel_of_the_first_task_wakes_up_at_the_switch() {
    for seed in 1..=3 {
        let history = run(seeded("reactivation", seed));
        let spike = history.spikes(FIRST, Metric::Velocity)[0].unwrap();
        let angle = history.spikes(FIRST, Metric::VelocityAngle)[0].unwrap();
        let dip = history.dips(FIRST)[0].unwrap();
        let accuracy = history.accuracy(1);
        let switch = history.tasks()[1].epoch;
        let (_, learnt, _) = *accuracy.iter().rfind(|(epoch, ..)| *epoch <= switch).unwrap();
        let (_, kept, masked) = *accuracy.last().unwrap();
        eprintln!(
            "seed {seed}: {spike:?} angle ×{:.2} {dip:?} accuracy {learnt:.3} → {kept:.3} (masked {masked:.3})",
            angle.ratio
        );
        assert!(learnt >= 0.8, "task 1 is learnt before the switch: {learnt}");
        assert!(spike.delay <= 0.3, "the spike comes {} epochs after the switch", spike.delay);
        assert!(spike.ratio >= 10.0, "ratio {}", spike.ratio);
        assert!(angle.ratio >= 3.0, "ratio of the angles {}", angle.ratio);
        let fake = spike.fake.expect("ten epochs of background hold fake switches");
        assert!(spike.height > fake, "fake switches give {fake}, the real one {}", spike.height);
        assert!(dip.depth <= 0.95 && dip.recovery >= 1.02, "{dip:?}");
        let fake = dip.fake.expect("ten epochs hold fake switches with three epochs behind them");
        assert!(dip.depth < fake - 0.05, "fake switches give {fake}, the real one {}", dip.depth);
        assert!(learnt - kept >= 0.4, "accuracy {learnt} → {kept}");
        assert!(masked - kept >= 0.3, "among its own classes it keeps {masked}, of all {kept}");
        assert!(dip.depth * dip.recovery >= 0.98, "λ_max ends at {} of what it was", dip.depth * dip.recovery);
        // The weights go further, and S/‖Δw‖² falls: the spike is no evidence of anything beyond that.
        let further = history.spikes(FIRST, Metric::StepNorm)[0].unwrap().ratio;
        let rows = |metric| history.series(FIRST, metric).into_iter();
        let at = |metric, epoch: f64| rows(metric).find(|point| point.0 == epoch).unwrap().1;
        let quiet = rows(Metric::Susceptibility).filter(|point| point.0 > 20.0 && point.0 <= switch);
        let usual = quantile(quiet.map(|point| point.1), 0.5).unwrap();
        let left = at(Metric::Susceptibility, spike.epoch) / usual;
        eprintln!("seed {seed}: the weights go ×{further:.1} as far, S/‖Δw‖² ×{left:.3}");
        assert!(further >= 10.0 && left <= 0.2, "‖Δw‖ ×{further}, S/‖Δw‖² ×{left}");
    }
}

#[test]
fn without_a_shift_nothing_wakes() {
    for seed in 1..=3 {
        let history = run(seeded("no-shift", seed));
        let spike = history.spikes(FIRST, Metric::Velocity)[0].unwrap();
        let dip = history.dips(FIRST)[0].unwrap();
        let switch = history.tasks()[1].epoch;
        let after = history.series(FIRST, Metric::LambdaMax).into_iter().filter(|(epoch, _)| *epoch > switch);
        let lowest = after.map(|(_, value)| value / dip.before).fold(f64::INFINITY, f64::min);
        eprintln!("seed {seed}: {spike:?} {dip:?} lowest λ_max {lowest:.3}");
        assert!(spike.ratio <= 2.0, "ratio {}", spike.ratio);
        assert!(lowest >= 0.97, "λ_max falls to {lowest}");
    }
}

/// The default run in small: a quarter of the images, half the probes.
fn small(seed: u64, epochs: [f64; 2]) -> Spec {
    let mut spec = seeded("reactivation", seed);
    spec.data.per_class = 150;
    spec.data.test_per_class = 20;
    spec.kernel.probes_per_class = 8;
    spec.kernel.per_epoch = 4;
    spec.tasks.epochs = epochs.to_vec();
    spec
}

/// Checks what `docs/science/reactivation.md` says of ratios and dips, each beside the default run it is compared with.
#[test]
fn a_ratio_depends_on_the_lag_and_a_dip_on_the_network() {
    for seed in 1..=3 {
        let with = |setting: Option<&str>| {
            let mut spec = small(seed, [15.0, 3.0]);
            setting.into_iter().for_each(|setting| spec.set(setting).unwrap());
            let history = run(spec);
            let ratio = |metric| history.spikes(FIRST, metric)[0].unwrap().ratio;
            (ratio(Metric::Velocity), ratio(Metric::StepNorm), history.dips(FIRST)[0].unwrap().depth)
        };
        let (ratio, further, dip) = with(None);
        let step = with(Some("kernel.lag=0.1"));
        let clamped = with(Some("changes=[{place=2, clamped=true}]"));
        let normed = with(Some("network.norm=layer"));
        eprintln!(
            "seed {seed}: {:?}; lag of a step {step:?}; clamped {clamped:?}; LayerNorm {normed:?}",
            (ratio, further, dip)
        );
        assert!(step.0 < 0.95 * ratio, "over the lag of one step the ratio is {}, over three {ratio}", step.0);
        assert_eq!(step.2, dip, "λ_max knows of no lag");
        assert!(clamped.0 < 0.5 * ratio, "with steps of equal length {}", clamped.0);
        assert!(clamped.1 > 1.2, "and these still lead further: ×{}", clamped.1);
        assert!((clamped.2 - dip).abs() < 0.05 && clamped.2 < 0.97, "λ_max falls to {} as to {dip}", clamped.2);
        assert!(normed.0 > 0.5 * ratio, "with LayerNorm the spike stays: {}", normed.0);
        assert!(normed.2 > 0.98 && normed.2 > dip + 0.03, "and the dip does not: {}", normed.2);
    }
}

/// What `docs/science/continual-learning.md` says of strategies: with logits masked each keeps more of the first task among its own
/// classes than fine-tuning does; over all logits bringing images back does, and holding weights famously does not.
#[test]
fn what_holds_weights_helps_where_logits_are_masked_and_what_brings_images_back_helps_everywhere() {
    // Accuracies of task 1 at the end, over all logits and among its own classes, means over seeds.
    let kept = |masked: bool, settings: &[&str]| {
        let mut sums = (0.0, 0.0);
        for seed in [1, 2] {
            let mut spec = small(seed, [15.0, 15.0]);
            spec.data.test_per_class = 200;
            (spec.kernel.per_epoch, spec.kernel.lag) = (1, 1.0);
            (spec.training.rate, spec.training.masked) = (0.01, masked);
            spec.set_all(settings.iter().copied()).unwrap();
            let accuracy = run(spec).accuracy(1);
            let (_, all, own) = *accuracy.last().unwrap();
            sums = (sums.0 + 0.5 * all, sums.1 + 0.5 * own);
        }
        eprintln!("masked {masked}, {settings:?}: {sums:?}");
        sums
    };
    let (_, plain) = kept(true, &[]);
    for settings in [
        &["continual.strategy=ewc", "continual.ewc_lambda=1000.0"] as &[&str],
        &["continual.strategy=si", "continual.si_c=10.0", "continual.si_xi=0.001"],
        &["continual.strategy=lwf"],
        &["continual.strategy=a-gem"],
        &["continual.strategy=der++"],
    ] {
        let (_, own) = kept(true, settings);
        assert!(own > plain + 0.03, "{settings:?}: {own}, fine-tuning {plain}");
    }
    let (plain, _) = kept(false, &[]);
    for strategy in ["experience-replay", "der++", "joint"] {
        let (all, _) = kept(false, &[&format!("continual.strategy={strategy}")]);
        assert!(all > plain + 0.4, "{strategy}: {all}, fine-tuning {plain}");
    }
    for strategy in ["ewc", "lwf"] {
        let (all, _) = kept(false, &[&format!("continual.strategy={strategy}")]);
        assert!(all < plain + 0.15, "{strategy} hardly helps over all logits: {all}, fine-tuning {plain}");
    }
}

#[test]
fn the_spike_falls_with_width() {
    // A small version of the measurement in docs/science/surprises.md.
    let mut heights = Vec::new();
    for width in [64, 128, 256, 512, 1024] {
        for seed in 1..=5 {
            let mut spec = small(seed, [9.0, 1.0]);
            spec.network.width = width.into();
            let spike = run(spec).spikes(FIRST, Metric::Velocity)[0].unwrap();
            heights.push((width as f64, spike.height));
        }
    }
    let law = power_law(&heights).unwrap();
    eprintln!("spike height ∝ width^({:.2} ± {:.2})", law.slope, law.half_width);
    assert!(law.slope + law.half_width < 0.0, "slope {} ± {}", law.slope, law.half_width);
}
