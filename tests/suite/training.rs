//! Schedules of the rate and what else becomes of a gradient, against PyTorch (`tests/fixtures/make_training.py`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::Device;
use kernelscope::data::Targets;
use kernelscope::model::Network;
use kernelscope::run::{Event, Row};
use kernelscope::spec::{
    Activation, Change, Clamp, DataShape, Effect, Loss, NetworkSpec, Optimiser, RateCurve, Schedule, Spec,
};
use kernelscope::storage::Arrays;
use kernelscope::train::{NetworkTrainer, StepOptions, slopes};

use super::run::rows;
use super::{read_all, sized, start, tiny};

fn fixture() -> Arrays {
    Arrays::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/training.npz")).unwrap()
}

#[test]
fn rates_are_those_of_pytorch() {
    let mut fixture = fixture();
    let usual =
        RateCurve { schedule: Schedule::Constant, warmup: 0, total: 20, final_share: 0.0, every: 6, factor: 0.5 };
    let linear = RateCurve { schedule: Schedule::Linear, final_share: 0.1, ..usual };
    let cosine = RateCurve { schedule: Schedule::Cosine, final_share: 0.2, ..usual };
    let falls = RateCurve { schedule: Schedule::Step, ..usual };
    let cases = [
        ("linear", linear),
        ("cosine", cosine),
        ("step", falls),
        ("one_cycle", RateCurve { schedule: Schedule::OneCycle, ..usual }),
        ("warm_constant", RateCurve { warmup: 5, ..usual }),
        ("warm_linear", RateCurve { warmup: 4, ..linear }),
        ("warm_cosine", RateCurve { warmup: 4, ..cosine }),
        ("warm_step", RateCurve { warmup: 3, ..falls }),
    ];
    for (name, curve) in cases {
        let expected = fixture.floats(&format!("rates_{name}")).unwrap().unwrap().1;
        for (step, expected) in expected.into_iter().enumerate() {
            let found = curve.at(step as u64);
            assert!((found - expected).abs() < 1e-12, "{name}, step {step}: {found} and {expected}");
        }
        // Behind the end, and of no steps at all, it is still a rate.
        for curve in [curve, RateCurve { total: 0, ..curve }, RateCurve { total: 1, ..curve }] {
            assert!((0.0..=1.0).contains(&curve.at(1_000_000)) && (0.0..=1.0).contains(&curve.at(0)), "{name}");
        }
    }
}

/// The run of the suites, with a snapshot after each step.
fn dense() -> Spec {
    let mut spec = tiny();
    (spec.kernel.per_epoch, spec.kernel.lag) = (1000, 0.1);
    spec
}

/// What a row holds is the rate of the step behind it, so that of the first step of a task stands nowhere but at the start.
fn rates(rows: &[Row], task: usize) -> Vec<f64> {
    rows.iter().filter(|row| row.task == task && !row.at_switch).map(|row| row.rate.unwrap()).collect()
}

#[test]
fn a_run_takes_its_steps_at_the_rates_of_its_schedule() {
    let plain = rows(dense());
    let counted = |task: usize| plain.iter().filter(|row| row.task == task).count();
    // A row before the first step, and one behind each.
    let steps = (counted(1) - 1, counted(2));
    let with = |settings: &[&str]| {
        let mut spec = dense();
        settings.iter().for_each(|setting| spec.set(setting).unwrap());
        let rate = spec.training.rate;
        let share = |rate_found: f64| rate_found / rate;
        let rows = rows(spec);
        [1, 2].map(|task| rates(&rows, task).into_iter().map(share).collect::<Vec<_>>())
    };
    let close = |found: &[f64], expected: &dyn Fn(usize) -> f64| {
        assert!(!found.is_empty());
        for (step, found) in found.iter().enumerate() {
            assert!((found - expected(step)).abs() < 1e-12, "{step}: {found} and {}", expected(step));
        }
    };
    let curve = |schedule, warmup: u64, total: usize| RateCurve {
        schedule,
        warmup,
        total: total as u64,
        final_share: 0.25,
        every: 1,
        factor: 0.1,
    };
    // Anew with each task. The row behind k steps has the rate of step k; the second task's rows begin behind its first step.
    let settings = ["training.schedule=cosine", "training.final_share=0.25"];
    let [first, second] = with(&settings);
    close(&first, &|row| curve(Schedule::Cosine, 0, steps.0).at(row as u64));
    close(&second, &|row| curve(Schedule::Cosine, 0, steps.1).at(row as u64 + 1));
    // Once over the run.
    let [first, second] = with(&[&settings[..], &["training.restart=false"]].concat());
    let whole = curve(Schedule::Cosine, 0, steps.0 + steps.1);
    close(&first, &|row| whole.at(row as u64));
    close(&second, &|row| whole.at((steps.0 + row) as u64 + 1));
    // A warm-up at the switch alone, by a change, and in epochs.
    let epoch = steps.1;
    let [first, second] = with(&["changes=[{place=2, warmup=1.0}]"]);
    close(&first, &|_| 1.0);
    close(&second, &|row| ((row as f64 + 2.0) / epoch as f64).min(1.0));
    // The weights follow the rate: with a warm-up as long as the task the first steps are shorter.
    let moved = |settings: &[&str]| {
        let mut spec = dense();
        settings.iter().for_each(|setting| spec.set(setting).unwrap());
        rows_of_task(&spec, 2)[0].blocks[0].step_norm.unwrap()
    };
    let shares = moved(&["changes=[{place=2, warmup=1.0}]"]) / moved(&[]);
    assert!((shares * epoch as f64 - 1.0).abs() < 1e-3, "{shares}");
}

fn rows_of_task(spec: &Spec, task: usize) -> Vec<Row> {
    rows(spec.clone()).into_iter().filter(|row| row.task == task).collect()
}

#[test]
fn schedules_are_refused_where_they_mean_nothing_and_left_out_of_files_where_they_are_usual() {
    let text = Spec::default().to_toml();
    for key in ["schedule", "warmup", "restart", "final_share", "step_epochs", "step_factor"] {
        assert!(!text.contains(key), "{key} is in\n{text}");
    }
    for (settings, field) in [
        (&["training.warmup=-1.0"][..], "training.warmup"),
        (&["training.schedule=one-cycle", "training.warmup=1.0"], "training.warmup"),
        (&["training.final_share=1.5"], "training.final_share"),
        (&["training.step_epochs=0.0"], "training.step_epochs"),
        (&["training.step_factor=0.0"], "training.step_factor"),
        (&["changes=[{step=1, warmup=-2.0}]"], "changes"),
    ] {
        let mut spec = tiny();
        settings.iter().for_each(|setting| spec.set(setting).unwrap());
        let found = spec.problems(&DataShape::expected(&spec));
        assert!(found.iter().any(|problem| problem.field == field), "{settings:?}: {found:?}");
    }
    let mut spec = tiny();
    spec.changes = vec![Effect::Schedule(Schedule::OneCycle).into(), Change::from(Effect::Warmup(0.5))];
    assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec);
    let told = read_all(&start(Spec { changes: vec![Effect::Schedule(Schedule::OneCycle).into()], ..tiny() }));
    assert!(told.iter().any(|event| matches!(event, Event::Changed { .. })));
}

/// The network of the fixture, of 12 inputs and 5 classes.
fn trainer(change: impl Fn(&mut Spec)) -> NetworkTrainer {
    let network = NetworkSpec { width: 7.into(), activation: Activation::Tanh, ..sized("mlp", &[("depth", 2)]) };
    let mut spec = Spec { network, ..Spec::default() };
    change(&mut spec);
    let bytes =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/training.safetensors")).unwrap();
    let (image, device) = ([1, 3, 4], Device::flex());
    let program = spec.network.program(image, 5).unwrap();
    let (known, tied) = (BTreeSet::new(), BTreeMap::new());
    let read = Network::of_tensors(program, &spec.network, &[bytes], &known, &tied, &device).unwrap();
    NetworkTrainer::starting_from(&read.0, &spec, (image, 5), &device)
}

#[test]
fn three_steps_of_every_optimiser_are_those_of_pytorch() {
    let mut fixture = fixture();
    let mut array = |name: &str| fixture.floats(name).unwrap().unwrap().1;
    let pixels: Vec<f32> = array("x").into_iter().map(|value| value as f32).collect();
    let labels: Vec<usize> = array("y").into_iter().map(|value| value as usize).collect();
    let of = |optimiser, momentum, weight_decay| {
        move |spec: &mut Spec| {
            (spec.training.optimiser, spec.training.momentum, spec.training.weight_decay) =
                (optimiser, momentum, weight_decay);
        }
    };
    type Change = Box<dyn Fn(&mut Spec)>;
    let clipped = |change: Change| -> Change {
        Box::new(move |spec| {
            change(spec);
            spec.training.clip = 0.3;
        })
    };
    let cases: Vec<(&str, f64, Change)> = vec![
        ("sgd", 0.1, Box::new(of(Optimiser::Sgd, 0.0, 0.0))),
        ("sgd_momentum", 0.1, Box::new(of(Optimiser::Sgd, 0.9, 0.01))),
        ("adam", 0.01, Box::new(of(Optimiser::Adam, 0.0, 0.01))),
        ("adamw", 0.01, Box::new(of(Optimiser::AdamW, 0.0, 0.1))),
        ("rmsprop", 0.01, Box::new(of(Optimiser::RmsProp, 0.0, 0.0))),
        ("rmsprop_momentum", 0.01, Box::new(of(Optimiser::RmsProp, 0.9, 0.01))),
        ("lion", 0.01, Box::new(of(Optimiser::Lion, 0.0, 0.1))),
        ("clipped", 0.1, clipped(Box::new(of(Optimiser::Sgd, 0.0, 0.0)))),
        ("adamw_clipped", 0.01, clipped(Box::new(of(Optimiser::AdamW, 0.0, 0.1)))),
        ("smoothed", 0.1, Box::new(|spec| spec.training.smoothing = 0.1)),
        ("averaged", 0.1, Box::new(|_| {})),
    ];
    for (name, rate, change) in cases {
        let mut learner = trainer(change);
        let expected = array(name);
        let count = expected.len() / 3;
        for (step, expected) in expected.chunks_exact(count).enumerate() {
            // The mean of the gradients of equally large batches is the gradient of them as one.
            let batches = if name == "averaged" { 0..24 } else { 8 * step..8 * (step + 1) };
            let images = &pixels[12 * batches.start..12 * batches.end];
            let norm = learner.step(images, &labels[batches], &StepOptions::at(rate), true).grad_norm.unwrap();
            if name == "clipped" {
                assert!(norm > 0.3, "the norm that is told is that before clipping, and there is something to clip");
            }
            // PyTorch holds weights as [outputs, inputs], and so does a weights file.
            let named = learner.network().named();
            let flat: Vec<f64> = named.iter().flat_map(|tensor| &tensor.values).map(|&v| f64::from(v)).collect();
            assert_eq!(flat.len(), count);
            for (place, (found, expected)) in flat.iter().zip(expected).enumerate() {
                assert!((found - expected).abs() < 3e-6, "{name}, step {step}, {place}: {found} and {expected}");
            }
        }
    }
}

/// The slopes that theory trains with are the derivatives of its own loss, which is the one of the definition.
#[test]
fn smoothed_slopes_are_derivatives_of_the_smoothed_loss() {
    let outputs: [f64; 8] = [0.3, -1.2, 0.7, 0.1, 2.0, -0.4, 0.5, 1.5];
    let (labels, smoothing) = ([2usize, 1], 0.2);
    for present in [None, Some(&[1usize, 2][..])] {
        let loss =
            |outputs: &[f64]| slopes((Loss::CrossEntropy, smoothing), outputs, Targets::of(&labels, &[]), present);
        let by_hand: f64 = (0..2)
            .map(|sample| {
                let there = present.map_or((0..4).collect::<Vec<_>>(), <[usize]>::to_vec);
                let row: &[f64] = &outputs[4 * sample..][..4];
                let sum: f64 = there.iter().map(|&class| row[class].exp()).sum();
                let target = |class: usize| {
                    (1.0 - smoothing) * f64::from(class == labels[sample]) + smoothing / there.len() as f64
                };
                -there.iter().map(|&class| target(class) * (row[class].exp() / sum).ln()).sum::<f64>() / 2.0
            })
            .sum();
        let (value, found) = loss(&outputs);
        assert!((value - by_hand).abs() < 1e-12, "{value} and {by_hand}");
        for (place, found) in found.iter().enumerate() {
            let moved = |by: f64| {
                let mut outputs: [f64; 8] = outputs;
                outputs[place] += by;
                loss(&outputs).0
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((found - expected).abs() < 1e-9, "{present:?}, {place}: {found} and {expected}");
        }
    }
}

#[test]
fn averaging_takes_as_many_steps_with_less_noise() {
    let with = |settings: &[&str]| {
        let mut spec = tiny();
        settings.iter().for_each(|setting| spec.set(setting).unwrap());
        rows(spec)
    };
    let (plain, averaged) = (with(&[]), with(&["training.average=8"]));
    let steps = |rows: &[Row]| rows.iter().map(|row| (row.step, row.epoch)).collect::<Vec<_>>();
    assert_eq!(steps(&plain), steps(&averaged));
    // As many batches as an epoch has steps are the full batch, image by image: the losses are those of a run with one batch.
    let losses = |rows: Vec<Row>| rows.iter().filter_map(|row| row.blocks[0].loss).collect::<Vec<_>>();
    let usual = ["kernel.per_epoch=12", "training.rate=0.05", "tasks.epochs=[3.0,2.0]", "training.average=12"];
    let whole = ["training.batch=100000", "tasks.steps=[36,24]", "training.rate=0.05"];
    let (averaged, whole) = (losses(with(&usual)), losses(with(&whole)));
    assert!(averaged.len() == whole.len() && averaged.len() >= 60, "{} and {}", averaged.len(), whole.len());
    for (averaged, whole) in averaged.iter().zip(&whole) {
        assert!((averaged - whole).abs() < 1e-5, "{averaged} and {whole}");
    }
    // With the rate at 0 the weights stay. The mean square norm of the gradient of m of n images drawn without repetition is
    // ‖∇L‖² + v (1/m − 1/n), with the same v for every m.
    let norm = |average: &str| {
        let rows = with(&["training.rate=0.0", average, "tasks.epochs=[40.0,0.1]", "kernel.per_epoch=12"]);
        let of_first = rows.iter().filter(|row| row.task == 1);
        let norms: Vec<f64> = of_first.filter_map(|row| row.grad_norm).map(|norm| norm * norm).collect();
        norms.iter().sum::<f64>() / norms.len() as f64
    };
    let [one, four, all] = ["1", "4", "12"].map(|count| norm(&format!("training.average={count}")));
    // 16 images a batch, of 190: the last of an epoch's twelve has 14.
    let (few, more) = (1.0 / 16.0 - 1.0 / 190.0, 1.0 / 64.0 - 1.0 / 190.0);
    let expected = all + (one - all) * more / few;
    assert!(one > 1.5 * all && (four / expected - 1.0).abs() < 0.1, "{one}, {four} of {expected}, {all}");
}

#[test]
fn a_task_ends_when_the_loss_on_its_probes_no_longer_falls() {
    let mut spec = tiny();
    spec.tasks.epochs = vec![6.0, 6.0];
    // Nothing is learnt: the least loss is that of the first epoch, and it is waited for as long as the patience.
    (spec.training.rate, spec.training.patience) = (0.0, 2.0);
    let told = read_all(&start(spec.clone()));
    let ended: Vec<u64> = told
        .iter()
        .filter_map(|event| match event {
            Event::Snapshot(snapshot) if snapshot.row.at_switch => Some(snapshot.row.step),
            _ => None,
        })
        .collect();
    let warned =
        told.iter().filter(|event| matches!(event, Event::Warning { message, .. } if message.contains("ends early")));
    assert_eq!((ended.first(), warned.count()), (Some(&(3 * 12)), 2));
    // What still falls goes on.
    spec.training.rate = 0.01;
    assert!(rows(spec).iter().any(|row| row.step == 12 * 12));
}

#[test]
fn what_a_setting_does_not_fit_is_refused_in_a_sentence() {
    for (settings, field) in [
        (&["training.smoothing=1.0"][..], "training.smoothing"),
        (&["training.smoothing=0.1", "training.loss=mse"], "training.smoothing"),
        (&["training.clip=-1.0"], "training.clip"),
        (&["training.average=0"], "training.average"),
        (&["training.patience=-1.0"], "training.patience"),
        (&["training.patience=1.0", "kernel.train_on_probes=true"], "training.patience"),
        (&["training.optimiser=lion", "kernel.optimiser=true"], "kernel.optimiser"),
        (&["training.clip=1.0", "changes=[{place=2, clamped=true}]"], "changes"),
    ] {
        let mut spec = tiny();
        settings.iter().for_each(|setting| spec.set(setting).unwrap());
        let found = spec.problems(&DataShape::expected(&spec));
        assert!(found.iter().any(|problem| problem.field == field), "{settings:?}: {found:?}");
    }
    let text = Spec::default().to_toml();
    for key in ["clip", "smoothing", "average", "patience"] {
        assert!(!text.contains(key), "{key} is in\n{text}");
    }
    // Theory follows no optimiser but SGD, whatever its name.
    for optimiser in Optimiser::ALL {
        let mut spec = tiny();
        spec.set("network.parametrisation=ntk").unwrap();
        spec.set("network.width=inf").unwrap();
        spec.training.optimiser = optimiser;
        let refused =
            spec.problems(&DataShape::expected(&spec)).iter().any(|found| found.field == "training.optimiser");
        assert_eq!(refused, !optimiser.follows_gradient(), "{optimiser:?}");
    }
}

#[test]
fn a_clamped_displacement_stays_within_that_before_the_switch() {
    let with = |changes: Vec<Change>| {
        let mut spec = tiny();
        // A lag of six steps, and a snapshot after each.
        (spec.kernel.per_epoch, spec.kernel.lag, spec.tasks.epochs) = (12, 0.5, vec![6.0, 4.0]);
        spec.training.rate = 0.02;
        spec.changes = changes;
        let moved = |row: &Row| row.blocks[0].step_norm;
        let rows = rows(spec);
        let before = rows.iter().filter(|row| row.task == 1).filter_map(moved).next_back().unwrap();
        (before, rows.iter().filter(|row| row.task == 2).filter_map(moved).collect::<Vec<f64>>())
    };
    let largest = |moved: &[f64]| moved.iter().copied().fold(0.0, f64::max);
    let (before, plain) = with(Vec::new());
    assert!(largest(&plain) > 2.0 * before, "there is something to clamp: {} after {before}", largest(&plain));
    let (held, clamped) = with(vec![Change { place: Some(2), ..Effect::Clamped(Clamp::Displacement).into() }]);
    assert_eq!(held, before);
    assert!(largest(&clamped) < before * (1.0 + 1e-3), "{} after {before}: {clamped:?}", largest(&clamped));
    // The first lags are as long as they may be: without the clamp they would be longer.
    assert!(clamped[..6].iter().all(|moved| *moved > 0.95 * before), "{clamped:?} after {before}");
    // With steps clamped it is still longer than it was.
    let (_, steps) = with(vec![Change { place: Some(2), ..Effect::Clamped(Clamp::Step).into() }]);
    assert!(largest(&steps) > 1.2 * before, "{} after {before}", largest(&steps));
    // The path over a lag is that of the last lag before, but for how far the weights moved in it: six steps of a run whose lag
    // is one step, and the steps of the clamped run, whose lag is six.
    let with = |lag: f64, changes: Vec<Change>| {
        let mut spec = tiny();
        (spec.kernel.per_epoch, spec.kernel.lag, spec.tasks.epochs) = (12, lag, vec![6.0, 4.0]);
        // The reference is taken at the weights of the switch: at a large rate those of the lag before had other gradients.
        (spec.training.rate, spec.changes) = (0.003, changes);
        rows(spec)
    };
    let single = with(1.0 / 12.0, Vec::new());
    let single: Vec<f64> =
        single.iter().filter(|row| row.task == 1).filter_map(|row| row.blocks[0].step_norm).collect();
    let walked: f64 = single[single.len() - 6..].iter().sum();
    let clamped = with(0.5, vec![Change { place: Some(2), ..Effect::Clamped(Clamp::Path).into() }]);
    let of_step = |row: &Row| Some(row.rate? * row.grad_norm?);
    let lengths: Vec<f64> = clamped.iter().filter(|row| row.task == 2).filter_map(of_step).collect();
    assert!(lengths.len() > 6, "{lengths:?}");
    for length in lengths {
        assert!((6.0 * length / walked - 1.0).abs() < 0.02, "{length} six times, and {walked}");
    }
    // Every value of the key is read and written, and a word that is none is refused.
    let words = ["\"step\"", "\"path\"", "\"displacement\""].into_iter().zip(Clamp::ALL);
    for (value, clamp) in words.chain([("true", Clamp::Step)]) {
        let mut spec = tiny();
        spec.set(&format!("changes=[{{place=2, clamped={value}}}]")).unwrap();
        assert_eq!(spec.changes[0].effect, Effect::Clamped(clamp));
        assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec);
    }
    assert!(tiny().set("changes=[{place=2, clamped=\"sideways\"}]").is_err());
    // Before anything was measured there is nothing to hold: a sentence says so, and the run goes on as it was.
    let mut spec = tiny();
    spec.changes = vec![Change { place: Some(1), ..Effect::Clamped(Clamp::Displacement).into() }];
    let told = read_all(&start(spec));
    let said = |event: &Event| matches!(event, Event::Warning { message, .. } if message.contains("not clamped"));
    assert!(told.iter().any(said) && !told.iter().any(|event| matches!(event, Event::Changed { .. })));
}
