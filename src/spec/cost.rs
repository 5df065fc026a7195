//! What a run will take, before it is tried: parameters, floating-point operations, bytes and, with a measured rate, time.
//!
//! The formulas count what the code does; a test holds the parameter count against a real network. An estimate that
//! does not fit in memory is refused by validation, because the allocation itself would end the program.

use super::{Optimiser, Source, Spec, TaskKind};

/// The shape of a data set, as far as a cost depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataShape {
    /// Values per image.
    pub inputs: usize,
    pub classes: usize,
    /// Training images per class, after `data.per_class`.
    pub train_per_class: usize,
    /// Test images per class, after `data.test_per_class`.
    pub test_per_class: usize,
}

impl DataShape {
    /// What the source promises, for an estimate before its files are read.
    pub fn expected(spec: &Spec) -> Self {
        let (inputs, classes, train, test) = match spec.data.source {
            Source::FashionMnistSmall => (784, 10, 600, 200),
            Source::Idx => (784, 10, 6000, 1000),
            Source::Cifar10 => (3072, 10, 5000, 1000),
            Source::Cifar100 => (3072, 100, 500, 100),
        };
        let kept = |all: usize, limit: usize| if limit == 0 { all } else { all.min(limit) };
        Self {
            inputs,
            classes,
            train_per_class: kept(train, spec.data.per_class),
            test_per_class: kept(test, spec.data.test_per_class),
        }
    }
}

/// An estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub parameters: u64,
    /// Probe images, all tasks together.
    pub probes: usize,
    pub steps: u64,
    pub snapshots: u64,
    /// Floating-point operations of all training steps, of all kernels and evaluations.
    pub training_flop: f64,
    pub kernel_flop: f64,
    /// Bytes that training and the kernel hold at their peak, and the whole program with the images and the record.
    pub training_bytes: u64,
    pub kernel_bytes: u64,
    pub peak_bytes: u64,
}

impl Cost {
    /// Counts what this spec will do.
    pub fn of(spec: &Spec, shape: &DataShape) -> Self {
        let layers = spec.layers(shape);
        let weights: u64 = layers.iter().map(|&(fan_in, fan_out)| (fan_in * fan_out) as u64).sum();
        let parameters = weights + layers.iter().map(|&(_, fan_out)| fan_out as u64).sum::<u64>();
        let probes = spec.probe_count(shape);
        let hidden = (spec.network.width * spec.network.depth) as u64;

        let (mut steps, mut snapshots) = (0u64, 0u64);
        for (place, &task) in spec.tasks.sequence().iter().enumerate() {
            let per_epoch = (spec.train_count(task, shape) as u64).div_ceil(spec.training.batch.max(1) as u64).max(1);
            let of_task = spec.tasks.steps_at(place, per_epoch);
            steps += of_task;
            let epochs = of_task as f64 / per_epoch as f64;
            let dense = if place > 0 { 2.0 * epochs.min(1.0) } else { 0.0 };
            let most = of_task as f64;
            snapshots += ((epochs + dense) * spec.kernel.per_epoch as f64).min(most).ceil() as u64 + 1;
        }

        let (n, c) = (probes as f64, shape.classes as f64);
        let centred = if spec.network.alpha.is_some() { 4.0 / 3.0 } else { 1.0 };
        let training_flop = steps as f64 * spec.training.batch as f64 * 6.0 * weights as f64 * centred;
        // One forward and backward of C copies of the probes, then one Gram of gradients per layer and logit.
        let gram: f64 =
            layers.iter().map(|&(fan_in, fan_out)| 2.0 * n * n * (fan_in as f64 + c * fan_out as f64)).sum();
        let evaluated = (spec.tasks.len() * spec.test_count(shape)) as f64;
        let snapshot = 4.0 * n * c * weights as f64 + gram + 2.0 * (evaluated + n) * weights as f64 + 20.0 * n.powi(3);
        let kernel_flop = snapshots as f64 * snapshot;

        let state = match spec.training.optimiser {
            Optimiser::Adam => 3,
            Optimiser::Sgd if spec.training.momentum > 0.0 => 2,
            Optimiser::Sgd => 1,
        };
        // Weights, gradients and state; the weights of the last lag are kept, to measure how far they moved.
        let lagged = (spec.kernel.lag * 3.0 * spec.kernel.per_epoch as f64).ceil() as u64 + 2;
        let batch = spec.training.batch as u64 * (hidden * 4 + shape.inputs as u64);
        let training_bytes = 4 * (parameters * (2 + state + lagged) + batch);
        let copies = probes as u64 * shape.classes as u64;
        let kernel_bytes = 4 * (copies * (shape.inputs as u64 + 4 * hidden))
            + 8 * (probes as u64).pow(2) * (lagged + 8)
            + 4 * (probes as u64).pow(2) * shape.classes as u64;
        let images = 4 * (shape.inputs * shape.classes * (shape.train_per_class + shape.test_per_class)) as u64;
        let transformed = if matches!(spec.tasks.kind, TaskKind::Permuted | TaskKind::Rotated) {
            1 + spec.tasks.len() as u64
        } else {
            1
        };
        let record = (snapshots * 8 * (probes as u64).pow(2)).min(RECORD_BYTES);
        Self {
            parameters,
            probes,
            steps,
            snapshots,
            training_flop,
            kernel_flop,
            training_bytes,
            kernel_bytes,
            peak_bytes: training_bytes + kernel_bytes + images * transformed + record,
        }
    }

    /// Seconds at this many floating-point operations per second.
    pub fn seconds(&self, flops: f64) -> f64 {
        (self.training_flop + self.kernel_flop) / flops
    }
}

/// Bytes of snapshots that the window keeps at most.
pub const RECORD_BYTES: u64 = 256 << 20;

impl Spec {
    /// (fan_in, fan_out) of each layer.
    pub fn layers(&self, shape: &DataShape) -> Vec<(usize, usize)> {
        let mut sizes = vec![shape.inputs];
        sizes.extend(std::iter::repeat_n(self.network.width, self.network.depth));
        sizes.push(shape.classes);
        sizes.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// Probe images of all tasks together.
    pub fn probe_count(&self, shape: &DataShape) -> usize {
        let classes: usize = match self.tasks.kind {
            TaskKind::Split => self.tasks.split_classes().iter().map(Vec::len).sum(),
            TaskKind::Permuted | TaskKind::Rotated => shape.classes * self.tasks.count,
            TaskKind::Frequency => 2 * self.tasks.classes.iter().map(Vec::len).sum::<usize>(),
        };
        classes.saturating_mul(self.kernel.probes_per_class)
    }

    /// Training images of a task (by number), probes taken off.
    fn train_count(&self, task: usize, shape: &DataShape) -> usize {
        let classes = match self.tasks.kind {
            TaskKind::Split => self.tasks.split_classes().get(task - 1).map_or(0, Vec::len),
            TaskKind::Permuted | TaskKind::Rotated => shape.classes,
            TaskKind::Frequency => self.tasks.classes.iter().map(Vec::len).sum::<usize>() / 2,
        };
        classes * shape.train_per_class
    }

    fn test_count(&self, shape: &DataShape) -> usize {
        shape.classes * shape.test_per_class
            / if self.tasks.kind == TaskKind::Split { self.tasks.len().max(1) } else { 1 }
    }
}

/// Bytes that can still be allocated on this machine.
pub fn memory_available() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = system.available_memory();
    system.cgroup_limits().map_or(free, |limits| free.min(limits.free_memory))
}
