//! Runs: the same twice, still where nothing moves, and honest where training breaks.

use std::time::Duration;

use kernelscope::lab::{Cadence, lag_steps};
use kernelscope::run::{BlockMetrics, Ending, Event, Row};
use kernelscope::spec::{Init, Loss, Optimiser, PRESETS, Source, Spec};
use kernelscope::worker::{Command, DeviceChoice, Job, Worker};

use super::{ending, read_all, read_until, start, tiny};

/// All rows without their times, which are the machine's.
pub fn rows(spec: Spec) -> Vec<Row> {
    timeless(read_all(&start(spec)))
}

/// The same run as a window has it: kept to its pace, paused, stepped, and read in fits and starts.
fn rows_as_in_the_window(spec: Spec) -> Vec<Row> {
    let worker = Worker::start(Job { spec, device: DeviceChoice::Auto, paced: true }, Box::new(|| {}));
    let mut events = read_until(&worker, |event| matches!(event, Event::Snapshot(snapshot) if snapshot.row.step > 3));
    worker.send(Command::Pause);
    events.extend(read_until(&worker, |event| matches!(event, Event::Paused { .. })));
    worker.send(Command::Step(2));
    std::thread::sleep(Duration::from_millis(100));
    worker.send(Command::Resume);
    worker.send(Command::SetPace(5.0));
    events.extend(read_all(&worker));
    timeless(events)
}

pub fn timeless(events: Vec<Event>) -> Vec<Row> {
    let timeless = |event: Event| match event {
        Event::Snapshot(snapshot) => {
            let mut row = snapshot.row.clone();
            row.cost = Default::default();
            Some(row)
        }
        _ => None,
    };
    events.into_iter().filter_map(timeless).collect()
}

fn first_block(row: &Row) -> &BlockMetrics {
    &row.blocks[1]
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_does_not() {
    let spec = Spec { seed: 5, ..tiny() };
    let once = rows(spec.clone());
    assert_eq!(once, rows(spec.clone()));
    // Paced, paused, stepped and read late, as in the window, changes no number.
    let mut paced = spec.clone();
    paced.window.pace = 2.0;
    assert_eq!(once, rows_as_in_the_window(paced));
    assert_ne!(once, rows(Spec { seed: 6, ..spec }));
}

#[test]
fn an_untrained_step_moves_nothing() {
    let mut spec = tiny();
    spec.training.rate = 0.0;
    for row in rows(spec).iter().skip(1) {
        let block = first_block(row);
        assert_eq!((block.distance, block.rotation, block.drift, block.scale), (0.0, 0.0, 0.0, 1.0));
        assert!(block.velocity.is_none_or(|v| v == 0.0) && block.step_norm.is_none_or(|v| v == 0.0));
        assert_eq!(block.susceptibility, None, "nothing over nothing is no number");
    }
}

#[test]
fn every_setting_trains_and_every_number_is_finite() {
    let mut specs = vec![tiny()];
    for change in [
        "network.activation=tanh",
        "network.activation=gelu",
        "network.activation=erf",
        "network.depth=6",
        "network.init=he-uniform",
        "network.alpha=3.0",
        "kernel.optimiser=true",
        "network.norm=layer",
        "network.kind=rnn",
        "training.loss=mse",
        "training.optimiser=adam",
        "training.momentum=0.9",
        "training.weight_decay=0.01",
        "training.rate_width=64",
        "tasks.kind=rotated",
        "tasks.kind=permuted",
        "tasks.kind=frequency",
        "tasks.overlap=2",
        "tasks.order=[2,1]",
        "tasks.steps=[7,5]",
        "kernel.method=jacobian",
        "kernel.train_on_probes=true",
        "kernel.budget=0.3",
        "kernel.lag=0.01",
    ] {
        let mut spec = tiny();
        spec.set(change).unwrap();
        specs.push(spec);
    }
    let mut ntk = tiny();
    ntk.set("network.parametrisation=ntk").unwrap();
    ntk.training.rate = 0.5;
    specs.push(ntk);
    for spec in specs {
        let rows = rows(spec.clone());
        let loss = |row: &Row| row.train_loss.unwrap_or(0.0);
        assert!(rows.len() > 4, "{spec:?}");
        for row in &rows {
            assert!(loss(row).is_finite());
            for block in &row.blocks {
                for metric in kernelscope::run::Metric::ALL {
                    assert!(metric.of(row, block).is_none_or(f64::is_finite), "{metric:?} of {block:?} in {spec:?}");
                }
                assert!(block.lambda_max > 0.0 && block.lambda_min > -1e-5 * block.lambda_max);
                assert_eq!(block.asymmetry, None, "one half is the mirror of the other: there is nothing to measure");
            }
        }
    }
}

#[test]
fn momentum_and_gradient_norm_are_what_the_books_say() {
    // Full batch and a tiny rate: the gradient hardly changes, so ‖Δw‖ of n steps is η ‖∇L‖ Σᵢ (1 − μⁱ)/(1 − μ).
    for momentum in [0.0, 0.5] {
        let mut spec = tiny();
        spec.training.batch = 1000;
        spec.training.rate = 1e-5;
        spec.training.momentum = momentum;
        spec.tasks.steps = vec![3, 1];
        spec.kernel.per_epoch = 1;
        spec.kernel.lag = 3.0;
        let rows = rows(spec);
        let row = rows.iter().find(|row| row.step == 3).unwrap();
        let sum: f64 = (1..=3).map(|i| (1.0 - f64::powi(momentum, i)) / (1.0 - momentum)).sum();
        let expected = 1e-5 * row.grad_norm.unwrap() * sum;
        let found = first_block(row).step_norm.unwrap();
        assert!((found / expected - 1.0).abs() < 0.02, "momentum {momentum}: {found:e} against {expected:e}");
    }
}

#[test]
fn in_the_lazy_limit_the_kernel_moves_as_one_over_alpha() {
    // Chizat et al. 2019: with F = α (f − f₀) and the rate over α², the function learns the same while Θ moves ∝ 1/α.
    let last = |alpha: f64| {
        let mut spec = tiny();
        spec.training.loss = Loss::Mse;
        spec.training.rate = 0.5;
        spec.network.init = Init::Torch; // whose λ_max keeps this rate below 2NC/λ_max
        spec.network.alpha = Some(alpha);
        let rows = rows(spec);
        let row = rows.last().unwrap();
        (first_block(row).drift, row.train_loss.unwrap())
    };
    let ((near, near_loss), (far, far_loss)) = (last(30.0), last(120.0));
    assert!((2.5..6.0).contains(&(near / far)), "drift {near} at α = 30, {far} at α = 120");
    assert!(near_loss < 0.05 && (near_loss / far_loss - 1.0).abs() < 0.1, "loss {near_loss} and {far_loss}");
}

#[test]
fn a_rate_that_diverges_names_its_step() {
    let mut spec = tiny();
    spec.training.rate = 1e5;
    spec.training.loss = Loss::Mse;
    let events = read_all(&start(spec));
    let Ending::Diverged { step, message } = ending(&events) else { panic!("{:?}", events.last()) };
    assert!(message.contains(&step.to_string()) && message.contains("smaller rate"), "{message}");
    let rows: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::Snapshot(_))).collect();
    assert!(!rows.is_empty(), "what came before can be looked at");
}

#[test]
fn adam_says_that_it_hides_the_effect() {
    let mut spec = tiny();
    spec.training.optimiser = Optimiser::Adam;
    let events = read_all(&start(spec));
    assert!(events.iter().any(|event| matches!(event, Event::Warning { message, .. } if message.contains("Adam"))));
}

/// A data set of the form of CIFAR-100: twenty training images and two test images of each class, each class of one grey.
fn cifar100(folder: &std::path::Path) {
    let records = |each: usize| -> Vec<u8> {
        let classes = (0..100u8).cycle().take(100 * each);
        classes.flat_map(|class| [vec![class / 5, class], vec![2 * class; 3072]].concat()).collect()
    };
    std::fs::write(folder.join("train.bin"), records(20)).unwrap();
    std::fs::write(folder.join("test.bin"), records(2)).unwrap();
}

#[test]
fn every_preset_loads_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    cifar100(folder.path());
    for preset in PRESETS {
        let mut spec = preset.spec();
        if spec.data.source == Source::Cifar100 {
            spec.data.path = Some(folder.path().to_owned());
        }
        // The preset as it is, but on fewer images and for fewer steps.
        spec.data.per_class = 60;
        spec.data.test_per_class = 10;
        spec.tasks.steps = vec![6, 4];
        let tasks = spec.tasks.sequence().len() as u64;
        let events = read_all(&start(spec));
        assert_eq!(ending(&events), &Ending::Finished { step: 6 + 4 * (tasks - 1) }, "{}", preset.name);
    }
}

#[test]
fn the_grid_of_snapshots_keeps_its_promises_for_every_epoch() {
    for steps_per_epoch in 1..500u64 {
        for per_epoch in [1, 2, 4, 8, 50] {
            let mut kernel = Spec::default().kernel;
            kernel.per_epoch = per_epoch;
            let lag = lag_steps(&kernel, steps_per_epoch);
            let total = 3 * steps_per_epoch + 1;
            let what = format!("{steps_per_epoch} steps, {per_epoch} snapshots an epoch");
            let grid = Cadence::new(per_epoch, lag, steps_per_epoch, true, total);
            let counted = |from: u64, to: u64| (from + 1..=to).filter(|done| grid.snapshot_due(*done)).count() as f64;
            let dense = counted(0, steps_per_epoch);
            let sparse = counted(steps_per_epoch, 3 * steps_per_epoch) / 2.0;
            let wanted = (per_epoch as f64).min(steps_per_epoch as f64);
            assert!(sparse <= 2.0 * wanted && sparse >= 0.5 * wanted - 1.0, "{what}: {sparse} of {wanted}");
            assert!(dense <= 3.0 * sparse + 3.0, "{what}: {dense} in the dense epoch, {sparse} else");
            if steps_per_epoch >= 4 * per_epoch as u64 {
                assert!(dense >= 2.0 * sparse - 1.0, "{what}: {dense} in the dense epoch, {sparse} else");
            }
            // Where a lag holds a snapshot spacing, no kernel is measured for the lag alone.
            if lag > 1 && (kernel.lag * per_epoch as f64) >= 1.0 {
                let extra = (steps_per_epoch + lag..3 * steps_per_epoch - lag)
                    .filter(|done| grid.kernel_due(*done) && !grid.snapshot_due(*done));
                assert_eq!(extra.count(), 0, "{what}, lag {lag}");
            }
            assert!(grid.snapshot_due(total) && grid.epoch_ends(total));
            // Each epoch has at most one last snapshot; the epochs after the dense one, as many as there are snapshots for.
            for epoch in 0..3 {
                let ends = (epoch * steps_per_epoch + 1..=(epoch + 1) * steps_per_epoch)
                    .filter(|done| *done < total && grid.snapshot_due(*done) && grid.epoch_ends(*done));
                assert!(ends.count() <= 1, "{what}: epoch {epoch}");
            }
        }
    }
}

#[test]
fn a_budget_thins_the_snapshots_and_never_beyond_one_an_epoch() {
    let mut spec = tiny();
    spec.kernel.budget = 0.01;
    spec.kernel.per_epoch = 12;
    spec.tasks.epochs = vec![12.0, 1.0];
    let first: Vec<u64> = rows(spec).iter().filter(|row| row.task == 1).map(|row| row.step).collect();
    assert!(first.len() < 12 * 12 / 2, "{} snapshots of at most 144", first.len());
    assert!(first.windows(2).all(|pair| pair[1] - pair[0] <= 12), "{first:?}");
}
