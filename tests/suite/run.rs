//! Runs: the same twice, still where nothing moves, and honest where training breaks.

use kernelscope::record::{BlockMetrics, Ending, Event, Row};
use kernelscope::spec::{Init, Loss, Optimiser, PRESETS, Spec};

use super::{ending, read_all, start, tiny};

/// All rows without their times, which are the machine's.
fn rows(spec: Spec) -> Vec<Row> {
    let timeless = |event: Event| match event {
        Event::Snapshot(snapshot) => {
            let mut row = snapshot.row.clone();
            row.cost = Default::default();
            Some(row)
        }
        _ => None,
    };
    read_all(&start(spec)).into_iter().filter_map(timeless).collect()
}

fn first_block(row: &Row) -> &BlockMetrics {
    &row.blocks[1]
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_does_not() {
    let spec = Spec { seed: 5, ..tiny() };
    let once = rows(spec.clone());
    assert_eq!(once, rows(spec.clone()));
    // A pace, as in the window, changes no number.
    let mut paced = spec.clone();
    paced.window.pace = 2.0;
    assert_eq!(once, rows(paced));
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
                for metric in kernelscope::record::Metric::ALL {
                    assert!(metric.of(row, block).is_none_or(f64::is_finite), "{metric:?} of {block:?} in {spec:?}");
                }
                assert!(block.lambda_max > 0.0 && block.lambda_min > -1e-5 * block.lambda_max);
                assert!(block.asymmetry < 1e-5);
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

#[test]
fn every_preset_loads_and_runs() {
    for preset in PRESETS {
        let mut spec = preset.spec();
        // The preset as it is, but on fewer images and for fewer steps.
        spec.data.per_class = 60;
        spec.data.test_per_class = 10;
        spec.tasks.steps = vec![6, 4];
        let tasks = spec.tasks.sequence().len() as u64;
        let events = read_all(&start(spec));
        assert_eq!(ending(&events), &Ending::Finished { step: 6 + 4 * (tasks - 1) }, "{}", preset.name);
    }
}
