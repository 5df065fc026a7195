//! Numbers of a run against `tests/fixtures/recompute.py`, which computes them from its kernels with numpy and from their
//! definitions; and the intervals over the choice of probes.

use std::path::Path;
use std::process::Command;

use kernelscope::analysis::{PROBE_FIGURES, SwitchKernels, SwitchProbes};
use kernelscope::cli::summary;
use kernelscope::math::Gram;
use kernelscope::math::alignment::{alignment, alignment_centred};
use kernelscope::math::distance::{Centring, distance};
use kernelscope::math::half_samples::{HALVES, HalfSamples};
use kernelscope::math::spectrum::eigenvalues;
use kernelscope::math::spike::{dip, spike};
use kernelscope::run::{Block, BlockMetrics, History, Metric, Row};
use kernelscope::storage::load;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::cli::{kernelscope, text};
use super::python;

/// A figure of these probes of a kernel.
type Figure<'a> = &'a dyn Fn(&Gram, &[usize]) -> Option<f64>;

/// A run with a kernel at every step, and a first task that is long enough for fake dips. Its labels have 113,400 orders.
const SETTINGS: [&str; 6] = [
    "data.per_class=40",
    "data.test_per_class=10",
    "tasks.epochs=[15,4]",
    "kernel.per_epoch=3",
    "kernel.probes_per_class=2",
    "network.width=32",
];

fn run(place: &Path, settings: &[&str]) -> History {
    let mut args = vec!["run", "--device", "cpu", "--out", "run"];
    settings.iter().for_each(|setting| args.extend(["--set", *setting]));
    let done = kernelscope(place, &args);
    assert!(done.status.success(), "{}", text(&done.stderr));
    load(&place.join("run")).unwrap().history
}

fn block(row: &Row) -> &BlockMetrics {
    row.blocks.iter().find(|block| block.block == Block::Task(1)).unwrap()
}

#[track_caller]
fn same(here: f64, there: f64, what: &str) {
    assert!((here - there).abs() <= 1e-9 * there.abs().max(1e-3), "{what}: {here} here, {there} in numpy");
}

#[test]
fn numpy_finds_the_same_from_the_kernels() {
    let Some(python) = python("to compute numbers of a run anew") else { return };
    let place = tempfile::tempdir().unwrap();
    let history = run(place.path(), &SETTINGS);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recompute.py");
    let done = Command::new(python).arg(script).arg(place.path().join("run")).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    let numbers = |value: &Value| value.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect::<Vec<_>>();
    let lists = |name: &str| found[name].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>();

    let velocities = lists("velocity_debiased");
    let known: Vec<(f64, f64)> =
        history.rows().iter().filter_map(|row| Some((row.step as f64, block(row).velocity_debiased?))).collect();
    assert!(known.len() > 40 && known.len() == velocities.len(), "{} and {}", known.len(), velocities.len());
    for ((step, here), there) in known.into_iter().zip(velocities) {
        assert_eq!(step, there[0]);
        same(here, there[1], &format!("debiased velocity at step {step}"));
    }

    let ratios = SwitchKernels::of(&history, 0).unwrap().ratios(&(0..10));
    let lags = lists("lags");
    assert!(!ratios.is_empty());
    for of in ratios {
        let there = lags.iter().find(|lag| lag[0] == of.steps as f64).unwrap();
        same(of.height, there[1], &format!("S after the switch over {} steps", of.steps));
        same(of.background, there[2], &format!("S before it over {} steps", of.steps));
        same(of.ratio, there[1] / there[2], &format!("ratio over {} steps", of.steps));
    }

    let dip = history.dips(Block::Task(1))[0].unwrap();
    same(dip.depth, found["dip"].as_f64().unwrap(), "dip");
    same(dip.fake.unwrap(), found["fake_dip"].as_f64().unwrap(), "fake dips");

    let last = block(history.rows().last().unwrap());
    let ends = [
        (last.alignment_permuted_low, last.alignment_permuted_high, "permuted"),
        (last.alignment_centred_permuted_low, last.alignment_centred_permuted_high, "permuted_centred"),
        (last.alignment_debiased_permuted_low, last.alignment_debiased_permuted_high, "permuted_debiased"),
    ];
    for (low, high, name) in ends {
        let there = numbers(&found[name]);
        same(low.unwrap(), there[0], name);
        same(high.unwrap(), there[1], name);
    }
    for (here, name) in [
        (last.alignment_debiased, "alignment_debiased"),
        (last.leave_one_out, "leave_one_out"),
        (last.distance_debiased, "distance_debiased"),
        (last.distance_switch_debiased, "distance_switch_debiased"),
    ] {
        same(here.unwrap(), found[name].as_f64().unwrap(), name);
    }
    // Two probes of each of five classes are few: what is shown is debiased, and says so.
    let switch = history.outcome(0).unwrap();
    let [centred, debiased] = switch.ratios.map(Option::unwrap);
    assert_eq!((switch.centring, switch.spike.unwrap().ratio), (Centring::Debiased, debiased));
    assert!((centred / debiased - 1.0).abs() > 1e-3, "the two differ: {centred} {debiased}");
    assert!(summary(&history).contains("debiased velocity ×"), "{}", summary(&history));
}

/// Which distances are shown is decided by the number of probes of a task: 39 are few, 40 are not. Files have both.
#[test]
fn below_forty_probes_the_debiased_is_shown() {
    for (classes, per_class, centring) in
        [("[[0,1,2],[3,4,5]]", 13, Centring::Debiased), ("[[0,1,2,3],[4,5,6,7]]", 10, Centring::Centred)]
    {
        assert_eq!(Centring::usual(if centring == Centring::Debiased { 39 } else { 40 }), centring);
        let place = tempfile::tempdir().unwrap();
        let classes = format!("tasks.classes={classes}");
        let probes = format!("kernel.probes_per_class={per_class}");
        let history = run(
            place.path(),
            &[
                &classes,
                &probes,
                "data.per_class=40",
                "data.test_per_class=10",
                "tasks.epochs=[3,2]",
                "network.width=16",
            ],
        );
        assert_eq!(history.centring(), centring);
        let shown = match centring {
            Centring::Debiased => [Metric::VelocityDebiased, Metric::DistanceDebiased, Metric::AlignmentDebiased],
            _ => [Metric::Velocity, Metric::Distance, Metric::AlignmentCentred],
        };
        let quantities = [Metric::Velocity, Metric::Distance, Metric::AlignmentCentred];
        assert_eq!(quantities.map(|quantity| history.usual(quantity)), shown);
        for metric in quantities.into_iter().flat_map(|metric| [metric, metric.debiased()]) {
            assert!(history.series(Block::Task(1), metric).len() > 5, "{}", metric.column());
        }
        let switch = history.outcome(0).unwrap();
        let ratio = history.spikes(Block::Task(1), shown[0])[0].unwrap().ratio;
        assert_eq!((switch.centring, switch.spike.unwrap().ratio), (centring, ratio));
        let is_said = centring == Centring::Debiased;
        assert_eq!(summary(&history).contains("debiased velocity"), is_said, "{}", summary(&history));
        let drawn = kernelscope(place.path(), &["figures", "run", "--format", "svg"]);
        assert!(drawn.status.success(), "{}", text(&drawn.stderr));
        for figure in ["velocity", "alignment", "distances"] {
            let svg = std::fs::read_to_string(place.path().join(format!("run/figures/{figure}.svg"))).unwrap();
            assert_eq!(svg.contains("debiased"), is_said, "{figure}");
        }
    }
    assert_eq!([0, 3, 4].map(Centring::usual), [Centring::Centred, Centring::Centred, Centring::Debiased]);
}

/// On all probes the figures are those of the run, and on some of them those of kernels of these probes alone.
#[test]
fn figures_on_some_probes_are_those_of_their_kernels() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = SETTINGS;
    settings[4] = "kernel.probes_per_class=4";
    let history = run(place.path(), &settings);
    let probes = SwitchProbes::of(&history, 0).unwrap();
    let all: Vec<usize> = (0..20).collect();
    let at_switch = history.rows().iter().rfind(|row| row.at_switch).unwrap();
    let of_run = (
        history.spikes(Block::Task(1), Metric::VelocityDebiased)[0].unwrap(),
        history.dips(Block::Task(1))[0].unwrap(),
    );
    let expected = [
        of_run.0.height,
        of_run.0.background,
        of_run.0.ratio,
        of_run.1.depth,
        block(at_switch).alignment.unwrap(),
        block(at_switch).alignment_centred.unwrap(),
    ];
    for ((name, here), there) in PROBE_FIGURES.iter().zip(probes.figures_on(&all)).zip(expected) {
        same(here.unwrap(), there, name);
    }

    let some = [0, 3, 4, 5, 9, 11, 12, 15, 16, 18];
    let kernel = |place: usize| {
        let gram = &history.snapshots()[place].gram;
        let n = history.info().unwrap().probes.len();
        let values = some.iter().flat_map(|&row| some.map(|column| gram[row * n + column])).collect();
        Gram::symmetrised(some.len(), values).unwrap().0
    };
    let rows: Vec<&Row> = history.snapshots().iter().map(|snapshot| &snapshot.row).collect();
    let (start, switch, end) = history.switches()[0];
    let velocity = |place: usize| {
        let before = rows[place].step.checked_sub(block(rows[place]).lag_steps?)?;
        let earlier = rows.iter().position(|row| row.step == before)?;
        // By the number of all probes, which are few.
        let gap = distance(&kernel(earlier), &kernel(place), Centring::Debiased);
        Some((rows[place].epoch, gap / (rows[place].epoch - rows[earlier].epoch)))
    };
    let velocities: Vec<(f64, f64)> = (0..rows.len()).filter_map(velocity).collect();
    let tops: Vec<(f64, f64)> = (0..rows.len())
        .map(|place| (rows[place].epoch, *eigenvalues(&kernel(place)).unwrap().last().unwrap()))
        .collect();
    let spike = spike(&velocities, start, switch, end).unwrap();
    let last = kernel(rows.iter().rposition(|row| row.epoch <= switch).unwrap());
    let labels = some.map(|probe| history.info().unwrap().probes[probe].label);
    let expected = [
        spike.height,
        spike.background,
        spike.ratio,
        dip(&tops, start, switch, end).unwrap().depth,
        alignment(&last, &labels),
        alignment_centred(&last, &labels).unwrap(),
    ];
    for ((name, here), there) in PROBE_FIGURES.iter().zip(probes.figures_on(&some)).zip(expected) {
        same(here.unwrap(), there, name);
    }

    // The command prints them with their intervals.
    let printed = kernelscope(place.path(), &["metrics", "run", "--probes"]);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let table = text(&printed.stdout);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["switch", "task", "probes", "figure", "value", "low", "high"]);
    assert_eq!(lines.len(), 1 + PROBE_FIGURES.len(), "{table}");
    for line in &lines[1..] {
        let [value, low, high] = [4, 5, 6].map(|column| line[column].parse::<f64>().unwrap());
        assert!(line[2] == "20" && low <= value && value <= high, "{line:?}");
    }
    assert!(!kernelscope(place.path(), &["metrics", "run"]).status.success(), "without --probes a run has its table");
}

/// Of sets of probes from one population, about 95 of 100 have an interval that holds the mean of all sets.
#[test]
fn intervals_over_probes_hold_what_they_say() {
    let classes: Vec<usize> = (0..40).map(|probe| probe / 8).collect();
    let halves = HalfSamples::of(&classes).unwrap();
    assert_eq!((halves.halves().len(), halves.halves()[0].len()), (HALVES, 20));
    for half in halves.halves() {
        let of_class = |class: usize| half.iter().filter(|&&probe| classes[probe] == class).count();
        assert!((0..5).all(|class| of_class(class) == 4) && half.windows(2).all(|pair| pair[0] < pair[1]));
    }
    assert!(HalfSamples::of(&[0, 0, 1]).is_none(), "half of one probe is none");

    let mut generator = ChaCha8Rng::seed_from_u64(3);
    let centres: Vec<Vec<f64>> = (0..5).map(|_| (0..12).map(|_| generator.random_range(-1.0..1.0)).collect()).collect();
    let mut set = || {
        let features: Vec<Vec<f64>> = (classes.iter())
            .map(|&class| centres[class].iter().map(|centre| centre + generator.random_range(-1.5..1.5)).collect())
            .collect();
        let entry = |at: usize| features[at / 40].iter().zip(&features[at % 40]).map(|(a, b)| a * b).sum();
        Gram::symmetrised(40, (0..1600).map(entry).collect()).unwrap().0
    };
    let sets: Vec<Gram> = (0..300).map(|_| set()).collect();
    let top =
        |gram: &Gram, probes: &[usize]| eigenvalues(&gram.among(probes)).ok()?.pop().map(|top| top / gram.trace());
    let aligned = |gram: &Gram, probes: &[usize]| {
        let labels: Vec<usize> = probes.iter().map(|&probe| classes[probe]).collect();
        alignment_centred(&gram.among(probes), &labels)
    };
    let all: Vec<usize> = (0..40).collect();
    let figures: [(&str, Figure<'_>); 2] = [("λ_max", &top), ("alignment", &aligned)];
    for (name, figure) in figures {
        let truth = sets.iter().map(|set| figure(set, &all).unwrap()).sum::<f64>() / sets.len() as f64;
        let holds = |set: &&Gram| {
            // λ_max of half of the probes is half as large.
            let on_halves: Vec<Option<f64>> = halves.halves().iter().map(|half| figure(set, half)).collect();
            let scale = if name == "λ_max" { 2.0 } else { 1.0 };
            let on_halves: Vec<Option<f64>> = on_halves.into_iter().map(|value| Some(scale * value?)).collect();
            let (low, high) = halves.interval(figure(set, &all).unwrap(), &on_halves).unwrap();
            (low..=high).contains(&truth)
        };
        let share = sets.iter().filter(holds).count() as f64 / sets.len() as f64;
        assert!((0.87..=0.995).contains(&share), "{name}: {share}");
    }
}
