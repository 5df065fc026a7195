//! A run made up for the tests: every field set, numbers that are hard to write down exactly, a spike and a dip at each switch.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use kernelscope::run::{
    Accuracy, Block, BlockMetrics, CrossMetrics, Ending, Event, LayerMetrics, LogitMetrics, Logits, NamedTensor,
    OptimiserMetrics, Origin, Outputs, Prediction, Predictor, Probe, Progress, RegressionKernel, Row, RunInfo,
    Snapshot, SnapshotCost, Solved, StepSharpness, TaskInfo, TaskStart, TensorMetrics, Weights,
};
use kernelscope::spec::{KnownSettings, NetworkSpec, Spec};

/// Epochs of each task, and snapshots in an epoch.
pub const PER_EPOCH: usize = 4;
const STEPS_PER_EPOCH: u64 = 8;

/// Tasks of two classes each, two probes per class.
pub fn spec(tasks: usize, epochs: f64) -> Spec {
    let mut spec = Spec::default();
    spec.tasks.classes = (0..tasks).map(|task| vec![2 * task % 10, (2 * task + 1) % 10]).collect();
    spec.tasks.epochs = vec![epochs];
    spec.kernel.probes_per_class = 2;
    spec.kernel.predict = true;
    spec
}

pub fn info(spec: &Spec) -> RunInfo {
    let classes = &spec.tasks.classes;
    let task = |(place, classes): (usize, &Vec<usize>)| TaskInfo {
        number: place + 1,
        name: format!("classes {classes:?}, \"quoted\""),
        classes: classes.clone(),
        train_images: 1200,
        steps_per_epoch: STEPS_PER_EPOCH,
    };
    let probes = classes.iter().enumerate().flat_map(|(place, classes)| {
        classes.iter().flat_map(move |&label| [Probe { task: place + 1, label, index: None }; 2])
    });
    let probes: Vec<Probe> = probes.collect();
    let thumbnails: Vec<u8> = (0..probes.len() * 6).map(|value| value as u8).collect();
    RunInfo {
        spec: spec.clone(),
        tasks: classes.iter().enumerate().map(task).collect(),
        class_names: (0..10).map(|class| format!("class {class}")).collect(),
        probes,
        probe_values: Arc::default(),
        image: [1, 2, 3],
        thumbnails: thumbnails.into(),
        parameters: 12_345,
        origin: Origin::Trained { device: "CPU".to_owned() },
        planned_steps: (spec.tasks.epochs[0] * STEPS_PER_EPOCH as f64) as u64 * classes.len() as u64,
    }
}

/// A number that depends on its place in no simple way, in (0, 1).
pub fn noise(seed: u64) -> f64 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

/// All events of the run.
pub fn events(spec: &Spec, ending: impl Fn(u64) -> Ending) -> Vec<Event> {
    let info = Arc::new(info(spec));
    let (n, tasks) = (info.probes.len(), info.tasks.len());
    let steps_of_task = (spec.tasks.epochs[0] * STEPS_PER_EPOCH as f64) as u64;
    let mut events = vec![Event::Started(Arc::clone(&info))];
    let (mut step, mut from) = (0, None);
    for task in spec.tasks.sequence() {
        let begun = step;
        let epoch = |step: u64| step as f64 / STEPS_PER_EPOCH as f64;
        events.push(Event::Task(TaskStart { task, from, step, epoch: epoch(step) }));
        let stride = STEPS_PER_EPOCH / PER_EPOCH as u64;
        let first = if from.is_none() { begun } else { begun + stride };
        for at in (first..=begun + steps_of_task).step_by(stride as usize) {
            let since = epoch(at - begun);
            let row = row(at, epoch(at), task, tasks, since, from.is_some(), at == begun + steps_of_task);
            let gram: Vec<f64> = (0..n * n).map(|place| noise(at * 7 + (place % n * n + place / n) as u64)).collect();
            let eigenvalues: Vec<f64> = (0..n).map(|place| noise(at + place as u64) * (place + 1) as f64).collect();
            let block_eigenvalues = eigenvalues.chunks(n / tasks).map(<[f64]>::to_vec).collect();
            let progress = Progress {
                step: at,
                epoch: epoch(at),
                losses: vec![(epoch(at), 1.0)],
                planned_steps: info.planned_steps,
                ..Progress::default()
            };
            events.push(Event::Progress(progress));
            let said = |salt: u64| (0..2 * n as u64).map(|i| noise(at + i + salt) as f32).collect::<Vec<_>>().into();
            // Nobody predicts before the first switch.
            let predicted = if from.is_some() {
                vec![(Predictor::Infinite, said(1)), (Predictor::Piecewise, said(2))]
            } else {
                Vec::new()
            };
            let outputs = Some(Arc::new(Outputs { network: said(0), predicted }));
            if at == 0 {
                events.push(Event::Limit(gram.iter().map(|value| 2.0 * value).collect()));
            }
            let (gram, tensors) = (gram.into(), Arc::default());
            let snapshot = Snapshot { row, gram, tensors, eigenvalues, block_eigenvalues, outputs };
            events.push(Event::Snapshot(Arc::new(snapshot)));
        }
        step = begun + steps_of_task;
        from = Some(task);
        let message = "one\nline, \"with\" all that hurts".to_owned();
        events.push(Event::Warning { step, epoch: epoch(step), message });
        let values = vec![0.1, -1.5e-30, 3.0, f32::MIN_POSITIVE, 0.0, 7.0];
        let tensors = vec![
            NamedTensor { name: "fc1.bias".to_owned(), shape: vec![2], values: vec![1.0, 2.0] },
            NamedTensor { name: "fc1.weight".to_owned(), shape: vec![2, 3], values },
        ];
        events.push(Event::Weights(Arc::new(Weights {
            step,
            network: KnownSettings::of(&NetworkSpec::default()),
            tensors,
        })));
    }
    events.push(Event::Ended(ending(step)));
    events
}

fn row(step: u64, epoch: f64, task: usize, tasks: usize, since: f64, switched: bool, at_end: bool) -> Row {
    // A spike ten times the background a quarter epoch after each switch, and a dip that recovers.
    let spike = switched && (since - 0.25).abs() < 1e-9;
    let block = |block: Block, seed: u64| BlockMetrics {
        loss: Some(noise(step + seed)),
        lag_steps: (since > 0.0).then_some(2),
        velocity: (since > 0.0).then_some(if spike { 0.1 } else { 0.01 }),
        velocity_uncentred: (since > 0.0).then(|| noise(step + 3) * 1e-7),
        velocity_angle: (since > 0.0).then(|| noise(step + 4)),
        velocity_step: (since > 0.0).then(|| noise(step + 42)),
        velocity_path: (since > 0.0).then_some(if spike { 0.03 } else { 0.01 }),
        step_norm: (since > 0.0).then(|| noise(step + 5)),
        path_lag: (since > 0.0).then(|| 1.0 + noise(step + 43)),
        straightness: (since > 0.0).then(|| noise(step + 44)),
        susceptibility: (since > 0.0).then(|| noise(step + 6) * 1e12),
        distance: Some(noise(step + 7) / 3.0),
        distance_switch: switched.then(|| noise(step + 8)),
        scale: Some(1.0 + noise(step + 9)),
        rotation: Some(noise(step + 10)),
        drift: Some(noise(step + 11)),
        lambda_max: Some(if switched && since < 1.0 { 8.0 } else { 10.0 }),
        lambda_min: Some(-noise(step + 12) * 1e-18),
        trace: Some(1e300 * noise(step + 13)),
        frobenius: Some(noise(step + 14)),
        effective_rank: Some(1.0 + noise(step + 15)),
        asymmetry: Some(noise(step + 16) * 1e-8),
        alignment: Some(noise(step + 17)),
        alignment_centred: (seed != 2).then(|| noise(step + 18)),
        alignment_full: at_end.then(|| noise(step + 19)),
        sharpness: at_end.then(|| noise(step + 31)),
        sharpness_loss: at_end.then(|| noise(step + 32)),
        infinite_error: (seed != 1).then(|| noise(step + 33)),
        ..BlockMetrics::bare(block)
    };
    let blocks = std::iter::once(Block::All).chain((1..=tasks).map(Block::Task));
    let accuracy = |number: usize| Accuracy {
        task: number,
        accuracy: Some(noise(step + number as u64)),
        masked: Some(noise(step + 30 + number as u64)),
        loss: Some(noise(step + 60 + number as u64)),
        probe: at_end.then(|| noise(step + 90 + number as u64)),
    };
    let layer = |task: usize, name: &str| LayerMetrics {
        task,
        layer: name.into(),
        velocity: (since > 0.0).then(|| noise(step + task as u64 + name.len() as u64)),
        velocity_debiased: (since > 0.0).then(|| noise(step + 51 + task as u64)),
        alignment_debiased: (task != 2).then(|| noise(step + 52)),
        alignment: Some(noise(step + 40 + task as u64)),
        alignment_centred: (task != 2).then(|| noise(step + 41)),
        share: Some(noise(step + 42 + name.len() as u64)),
    };
    let pair = |other: usize| CrossMetrics {
        task: 1,
        other,
        frobenius: Some(1e-300 * noise(step + 43)),
        coupling: (other != 3).then(|| noise(step + 44)),
    };
    let logit = |task: usize, logits: Logits| LogitMetrics {
        task,
        logits,
        velocity: (since > 0.0).then(|| noise(step + 45)),
        velocity_debiased: (since > 0.0).then(|| noise(step + 54)),
        lambda_max: (logits == Logits::Old).then(|| noise(step + 46)),
        trace: Some(noise(step + 47)),
    };
    let tensor = |of: usize, name: &str| TensorMetrics {
        task: of,
        tensor: name.into(),
        velocity: (since > 0.0 && name == "fc1.weight").then(|| noise(step + 48)),
        velocity_debiased: (since > 0.0 && name == "fc1.weight").then(|| noise(step + 55)),
        share: Some(noise(step + 49)),
    };
    let geometry = |place: usize| OptimiserMetrics {
        block: if place == 0 { Block::All } else { Block::Task(place) },
        velocity: (since > 0.0).then(|| noise(step + 48)),
        velocity_debiased: (since > 0.0).then(|| noise(step + 56)),
        apart: Some(noise(step + 49)),
        apart_debiased: (place != 2).then(|| noise(step + 57)),
        alignment: Some(noise(step + 50)),
        alignment_centred: (place != 1).then(|| noise(step + 51)),
        alignment_debiased: (place != 1).then(|| noise(step + 58)),
        lambda_max: (place != 2).then(|| 1e9 * noise(step + 52)),
        trace: Some(noise(step + 53)),
    };
    let predictions = |by: Predictor| {
        let seed = step + 200 * by as u64;
        let solved = matches!(by, Predictor::RegressionStart | Predictor::RegressionSwitch).then(|| Solved {
            kernel: if step.is_multiple_of(2) { RegressionKernel::Full } else { RegressionKernel::Trace },
            condition: 1e6 * noise(seed),
            jitter: noise(seed + 1),
        });
        (1..=tasks).map(move |number| Prediction {
            by,
            on: Accuracy { probe: None, ..accuracy(number) },
            gap: Some(noise(seed + 2)),
            on_probes: solved.is_none().then(|| (noise(seed + 3), noise(seed + 4))),
            solved,
        })
    };
    let sharp = |task: usize| StepSharpness {
        at_step: step,
        at_epoch: Some(epoch),
        task,
        sharpness: Some(noise(step + 54)),
        sharpness_loss: (task != 1).then(|| noise(step + 55)),
    };
    Row {
        step,
        epoch,
        task,
        at_switch: at_end,
        blocks: blocks.enumerate().map(|(seed, name)| block(name, seed as u64)).collect(),
        accuracy: (1..=tasks).map(accuracy).collect(),
        predictions: Predictor::ALL.into_iter().flat_map(predictions).collect(),
        layers: (1..=tasks).flat_map(|task| ["fc1", "a, \"layer\""].map(|name| layer(task, name))).collect(),
        tensors: (1..=tasks).flat_map(|task| ["fc1.weight", "fc1.bias"].map(|name| tensor(task, name))).collect(),
        cross: (2..=tasks).map(pair).collect(),
        logits: (1..=tasks).flat_map(|task| [Logits::Old, Logits::New].map(|logits| logit(task, logits))).collect(),
        // None before Adam's first step.
        optimiser: if step > 0 { (0..=tasks).map(geometry).collect() } else { Arc::default() },
        sharpness: if at_end { (1..=tasks).map(sharp).collect() } else { Arc::default() },
        train_loss: (step > 0).then(|| noise(step + 20)),
        rate: Some(0.01),
        grad_norm: (step > 0).then(|| noise(step + 21)),
        path: Some(step as f64 * noise(step + 41)),
        cost: SnapshotCost {
            kernel_seconds: Some(noise(step + 22)),
            eigen_seconds: Some(noise(step + 23)),
            metrics_seconds: Some(noise(step + 24)),
            evaluation_seconds: Some(noise(step + 25)),
            waiting_seconds: Some(noise(step + 26)),
        },
    }
}

/// The rows of the events, with what only a reader can know: a task's last row is marked where another task follows.
pub fn rows(events: &[Event]) -> Vec<Row> {
    let mut rows: Vec<Row> = events
        .iter()
        .filter_map(|event| match event {
            Event::Snapshot(snapshot) => Some(snapshot.row.clone()),
            _ => None,
        })
        .collect();
    let switches: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Task(start) => start.from.map(|_| start.step),
            _ => None,
        })
        .collect();
    for row in &mut rows {
        row.at_switch = switches.contains(&row.step);
    }
    rows
}

/// Copies a folder as a kill would leave it: whoever writes the original need not be gone.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
