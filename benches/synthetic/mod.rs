//! A synthetic run for benches, with the sizes of the default preset.

use std::sync::Arc;

use kernelscope::run::{Accuracy, Block, BlockMetrics, Origin, Probe, Row, RunInfo, Snapshot, TaskInfo};
use kernelscope::spec::Spec;

pub const PROBES: usize = 160;
/// The epoch at which the task changes.
pub const SWITCH: f64 = 15.0;

/// Describes two tasks of five classes, switched at epoch 15 of 25.
pub fn info(spec: Spec, steps_per_epoch: u64) -> RunInfo {
    let task = |number: usize, classes: Vec<usize>| TaskInfo {
        number,
        name: "shirt, trouser, pullover, dress, coat".to_owned(),
        classes,
        train_images: 3000,
        steps_per_epoch,
    };
    RunInfo {
        spec,
        tasks: vec![task(1, (0..5).collect()), task(2, (5..10).collect())],
        class_names: (0..10).map(|class| format!("class {class}")).collect(),
        probes: (0..PROBES).map(|probe| Probe { task: 1 + probe / 80, label: probe / 16, index: None }).collect(),
        probe_values: Arc::default(),
        image: [1, 28, 28],
        thumbnails: vec![128; PROBES * 784].into(),
        parameters: 269_322,
        origin: Origin::Trained { device: "CPU".to_owned() },
        planned_steps: 25 * steps_per_epoch,
    }
}

/// Returns plausible measurements of a run of the default preset at this step.
pub fn snapshot(step: u64, epoch: f64, gram: &Arc<[f64]>) -> Snapshot {
    let noise = |salt: f64| ((step as f64 * 12.9898 + salt).sin() * 43_758.547).fract().abs();
    let block = |block: Block, salt: f64| BlockMetrics {
        loss: Some(0.1 + noise(salt)),
        lag_steps: Some(200),
        velocity: Some(1e-3 * (0.5 + noise(salt + 1.0))),
        velocity_uncentred: Some(1e-3 * (0.5 + noise(salt + 2.0))),
        velocity_angle: Some(1e-2 * (0.5 + noise(salt + 3.0))),
        step_norm: Some(0.1 + noise(salt + 4.0)),
        susceptibility: Some(1e-2 * (0.5 + noise(salt + 5.0))),
        distance: Some(0.1 * epoch),
        distance_switch: (epoch > SWITCH).then_some(0.1 * (epoch - SWITCH)),
        scale: Some(1.0 + 0.1 * epoch),
        rotation: Some(0.1),
        drift: Some(0.1),
        lambda_max: Some(1e4 * (1.0 + 0.1 * noise(salt + 6.0))),
        lambda_min: Some(1.0),
        trace: Some(2e4),
        frobenius: Some(1e4),
        effective_rank: Some(5.0),
        alignment: Some(0.5 + 0.1 * noise(salt + 7.0)),
        alignment_centred: Some(0.4),
        ..BlockMetrics::bare(block)
    };
    let accuracy = |task: usize| Accuracy {
        task,
        accuracy: Some(0.8 + 0.1 * noise(task as f64)),
        masked: Some(0.9),
        loss: Some(0.5),
        probe: None,
    };
    let eigenvalues: Vec<f64> = (1..=PROBES).map(|index| 1e4 / ((PROBES + 1 - index) as f64).powi(2)).collect();
    Snapshot {
        row: Row {
            at_switch: epoch == SWITCH,
            blocks: vec![block(Block::All, 0.0), block(Block::Task(1), 10.0), block(Block::Task(2), 20.0)],
            accuracy: vec![accuracy(1), accuracy(2)],
            train_loss: Some(0.5),
            rate: Some(0.01),
            grad_norm: Some(1.0 + noise(30.0)),
            ..Row::bare(step, epoch, if epoch > SWITCH { 2 } else { 1 })
        },
        gram: Arc::clone(gram),
        tensors: Arc::default(),
        block_eigenvalues: vec![eigenvalues[..80].to_vec(), eigenvalues[80..].to_vec()],
        eigenvalues,
        outputs: None,
    }
}
