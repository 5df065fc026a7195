//! Estimates the cost of a run before it starts: parameters, floating-point operations, bytes and, with a measured rate,
//! time.
//!
//! The formulas count what the code does; a test compares the parameter count with a real network. Validation refuses a run
//! whose estimate does not fit in memory, because a failed allocation would end the program.
//!
//! The methods of [`Spec`] here count images for the estimate, and are used by validation, too.

use std::collections::BTreeSet;

use super::{
    Change, Clamp, DataShape, Effect, KERNEL_MEMORY, KernelShape, KernelSpec, Layer, MAJOR_SHARE, MOST_LAGGED, Method,
    Plan, ProbeChoice, Reduction, Spec, TaskKind, VelocityLag,
};

/// The estimated cost of a run.
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
    /// Floating-point operations of the first snapshot, which includes the full kernel and the linear probes and is taken
    /// before the first step.
    pub first_flop: f64,
    /// Floating-point operations of one optimiser kernel; `None` unless it is enabled.
    pub optimiser_flop: f64,
    /// Bytes that training, the kernel and the images hold at their peak, and the whole program with the record.
    pub training_bytes: u64,
    pub kernel_bytes: u64,
    pub image_bytes: u64,
    pub peak_bytes: u64,
}

impl Cost {
    /// Estimates the cost of this spec.
    pub fn of(spec: &Spec, shape: &DataShape) -> Self {
        // All in f64: a run too large for any machine must be counted without overflow, so that it can be refused.
        let layers = spec.network.layers(shape.image, shape.outputs);
        let parameters = spec.network.parameters(shape.image, shape.outputs);
        let products: f64 = layers.iter().map(Layer::products).sum();
        let outputs: f64 = layers.iter().map(Layer::outputs).sum();
        let probes = spec.probe_count(shape);
        let (n, inputs) = (probes as f64, shape.inputs() as f64);

        let (mut steps, mut images, mut snapshots, mut full, mut largest) = (0u64, 0.0, 0u64, 0.0, 1usize);
        // The steps near a switch at which the sharpness is measured.
        let mut sharp = 0.0;
        let last = spec.tasks.sequence().len().saturating_sub(1);
        // The images of all tasks so far, from which joint training draws.
        let mut seen = 0;
        // The steps of an epoch of the smallest task.
        let mut shortest = u64::MAX;
        let mut longest_epoch = 1;
        for (place, &task) in spec.tasks.sequence().iter().enumerate() {
            let trained = spec.train_count(task, shape);
            // A batch never exceeds the training set.
            let of_batch = spec.training.batch.min(trained.max(1));
            seen += trained;
            // Averaged batches have no image twice.
            let pool = if spec.continual.strategy.is_joint() { seen } else { trained };
            let of_batch = of_batch.saturating_mul(spec.training.average.max(1)).min(pool.max(1));
            largest = largest.max(of_batch);
            let per_epoch = spec.steps_per_epoch(task, shape);
            shortest = shortest.min(per_epoch);
            longest_epoch = longest_epoch.max(per_epoch);
            let of_task = spec.tasks.steps_at(place, per_epoch);
            steps = steps.saturating_add(of_task);
            let replayed = if place > 0 && spec.training.replay > 0 { 2.0 } else { 1.0 };
            images += of_task as f64 * of_batch as f64 * replayed;
            let epochs = of_task as f64 / per_epoch as f64;
            let dense = if place > 0 { 2.0 * epochs.min(1.0) } else { 0.0 };
            let taken = ((epochs + dense) * spec.kernel.per_epoch as f64).min(of_task as f64).ceil();
            snapshots = snapshots.saturating_add(taken as u64).saturating_add(1);
            // The full kernel is measured at the beginning, at the end of each epoch and at a switch.
            full += epochs.ceil() + 1.0;
            let near = spec.kernel.sharpness_steps.min(of_task) as f64;
            sharp += if place > 0 { near } else { 0.0 } + if place < last { near + 1.0_f64.min(near) } else { 0.0 };
        }

        let centred = if spec.network.laziness().is_some() { 4.0 / 3.0 } else { 1.0 };
        // Two linearised networks; each of their steps takes two forward passes, one backward pass and one more for each
        // logit.
        let predicted = if spec.kernel.predict { 2.0 } else { 0.0 };
        let linearised = predicted * (8.0 + 2.0 * shape.outputs as f64) * products;
        let training_flop =
            images * (6.0 * products * centred * spec.continual.passes(spec.training.batch) + linearised);
        let evaluated = spec.evaluated(shape);
        let kernel = KernelCost::of(&spec.kernel, &layers, probes, shape.outputs);
        let preconditioned = spec.kernel.optimiser && spec.training.optimiser.is_preconditioned();
        let (optimiser_flop, optimiser_bytes) = if preconditioned {
            KernelCost::preconditioned(&spec.kernel, &layers, probes, shape.outputs)
        } else {
            (0.0, 0.0)
        };
        let full = f64::min(full, snapshots as f64);
        // Each full kernel comes with the reduced one and with a forward pass of the linear probes' images.
        let lessons = (spec.classes_of_tasks(shape) * LINEAR_PROBE_IMAGES.min(shape.train_per_class)) as f64;
        let beside = kernel.trace_flop + 2.0 * lessons * products;
        let dearer = if kernel.full_flop > kernel.trace_flop { kernel.full_flop } else { 0.0 } + beside;
        let each = optimiser_flop + 2.0 * (evaluated + n) * products + evaluated * linearised + 20.0 * n.powi(3);
        let kernel_flop =
            (full + sharp) * dearer + (snapshots as f64 - full) * kernel.trace_flop + snapshots as f64 * each;
        let first_flop = dearer + each;

        let state = (spec.training.optimiser.copies(spec.training.momentum)
            + spec.continual.copies(spec.tasks.sequence().len())) as f64;
        // Weights, gradients and state; the weights of the last lag are kept, to measure how far they moved.
        let dense = 3.0 * spec.kernel.per_epoch as f64;
        let lagged = match spec.kernel.velocity_lag() {
            VelocityLag::Epochs(epochs) => (epochs * dense).ceil().max(0.0),
            // Kernels are measured at most once a step, and each both as a snapshot and where a lag begins.
            VelocityLag::Steps(lag) => (lag.min(steps) as f64).min((lag as f64 / shortest as f64 * 2.0 * dense).ceil()),
            VelocityLag::Path(_) => MOST_LAGGED as f64,
        } + 2.0;
        // A clamp of the displacement keeps those of each step of a lag besides.
        let is_held = |change: &Change| change.effect == Effect::Clamped(Clamp::Displacement);
        let held = match spec.kernel.velocity_lag() {
            _ if !spec.changes.iter().any(is_held) => 0.0,
            VelocityLag::Epochs(epochs) => (epochs * longest_epoch as f64).ceil(),
            VelocityLag::Steps(lag) => lag as f64,
            VelocityLag::Path(_) => MOST_LAGGED as f64,
        };
        let batch = if spec.training.replay > 0 { 2.0 } else { 1.0 } * largest as f64 * (outputs * 4.0 + inputs);
        // At a switch the weights are sent as an event and written to disk: up to four copies at once.
        let initial = if spec.network.laziness().is_some() { 1.0 } else { 0.0 };
        let beside = predicted * (3.0 + state) * parameters + predicted * batch * shape.outputs as f64;
        let training_bytes = 4.0 * (parameters * (2.0 + state + initial + lagged + held + 4.0) + batch + beside);
        let tasks = spec.tasks.len() as f64;
        let apart = layers.iter().filter(|layer| layer.tensors() > 0).count();
        let tensors: usize = layers.iter().map(Layer::tensors).sum();
        let sets = spec.logit_sets(shape.outputs).len().max(1);
        // Tensor kernels bring the layer kernels, which are their sums.
        let parts = match PartGranularity::fitting(probes, &layers, sets) {
            PartGranularity::None => 0,
            PartGranularity::Layers => apart * sets,
            PartGranularity::Tensors => tensors * sets + tensors + apart,
        };
        // Parts being measured and read, and the blocks of every kernel of the last lag.
        let part_bytes = 8.0 * n * n * (3.0 * parts as f64 + lagged * parts as f64 / tasks.max(1.0));
        // Θ(X, X) of a regression with a thousand images at most, while it is solved, and Θ(x, X) on the test images; or the
        // full one of up to 5,000 rows, with those of a group of test images.
        let images = predicted * 500.0;
        let of_task = spec.classes_of_tasks(shape).div_ceil(spec.tasks.len().max(1));
        let learnt = of_task.saturating_mul(shape.train_per_class.min(100)).min(1000);
        let rows = Some(learnt.saturating_mul(shape.outputs)).filter(|rows| *rows <= 5000).unwrap_or(0) as f64;
        let settled = f64::max(8.0 * images * (5.0 * images + evaluated), 16.0 * predicted * rows * rows);
        // The optimiser's kernels of the last lag.
        let beside = if spec.kernel.optimiser { lagged } else { 0.0 };
        let held = f64::max(kernel.bytes, optimiser_bytes);
        let kernel_bytes = 8.0 * n * n * (lagged + beside + 8.0) + held + part_bytes + settled;
        // As f32 and, while they are loaded, as bytes; each task keeps its transformed test images.
        let stored = shape.classes as f64 * (shape.train_per_class as f64 + shape.test_per_class as f64);
        let image_bytes = inputs * (5.0 * stored + 4.0 * (evaluated + lessons));
        let row_bytes = tasks * (400.0 + 80.0 * apart as f64 + 48.0 * tensors as f64 + 32.0 * tasks);
        let of_tensors = if tensor_grams_fit(probes, tensors) { packed_bytes(probes, tensors) as f64 } else { 0.0 };
        let record_bytes = (snapshots as f64 * (8.0 * n * n + of_tensors)).min(RECORD_BYTES as f64)
            + (snapshots as f64 * row_bytes).min(ROW_BYTES as f64);
        Self {
            parameters: parameters as u64,
            probes,
            steps,
            snapshots,
            training_flop,
            kernel_flop,
            first_flop,
            optimiser_flop,
            training_bytes: training_bytes as u64,
            kernel_bytes: kernel_bytes as u64,
            image_bytes: image_bytes as u64,
            peak_bytes: (training_bytes + kernel_bytes + image_bytes + record_bytes) as u64,
        }
    }

    /// Returns the seconds needed at `rate` floating-point operations per second.
    pub fn seconds(&self, flops: f64) -> f64 {
        (self.training_flop + self.kernel_flop) / flops
    }
}

/// The cost of the kernels of a run, by the plan of the processor: which device takes a run is known when it begins, and the
/// operations are the same.
struct KernelCost {
    /// Floating-point operations of a trace-reduced kernel, and of a full one.
    trace_flop: f64,
    full_flop: f64,
    /// Bytes of the larger of the two while it is measured.
    bytes: f64,
}

impl KernelCost {
    fn of(kernel: &KernelSpec, layers: &[Layer], n: usize, classes: usize) -> Self {
        let rows = n as f64 * classes as f64;
        let directions = match kernel.reduction {
            Reduction::Trace => classes.max(1),
            Reduction::SumLogits => 1,
        };
        match kernel.method {
            Method::Jacobian => {
                let products: f64 = layers.iter().map(Layer::products).sum();
                let parameters: f64 = layers.iter().map(Layer::parameters).sum();
                // One logit after the other, or their sum; never the full kernel. In f64; a growing vector may reserve
                // twice its length.
                let flop = (n * directions) as f64 * (6.0 * products + 2.0 * n as f64 * parameters);
                Self { trace_flop: flop, full_flop: flop, bytes: 16.0 * n as f64 * (parameters + n as f64) }
            }
            Method::Layerwise => {
                let cost = |apart| {
                    let directions = if apart { classes.max(1) } else { directions };
                    let samples = (n, n);
                    let work = KernelShape {
                        samples,
                        same: true,
                        directions,
                        apart,
                        preconditioned: false,
                        memory: KERNEL_MEMORY,
                        on_card: false,
                    };
                    let plan = Plan::of(layers, &vec![true; layers.len()], &work);
                    (plan.flop(&work), plan.bytes())
                };
                let trace = cost(false);
                let full = if rows <= MOST_FULL_ROWS as f64 { cost(true) } else { trace };
                Self { trace_flop: trace.0, full_flop: full.0, bytes: trace.1.max(full.1) }
            }
        }
    }
}

impl KernelCost {
    /// Returns the floating-point operations and bytes of J P Jᵀ with a diagonal P.
    fn preconditioned(kernel: &KernelSpec, layers: &[Layer], n: usize, classes: usize) -> (f64, f64) {
        let directions = if kernel.reduction == Reduction::Trace { classes.max(1) } else { 1 };
        let work = KernelShape {
            samples: (n, n),
            same: true,
            directions,
            apart: false,
            preconditioned: true,
            memory: KERNEL_MEMORY,
            on_card: false,
        };
        let plan = Plan::of(layers, &vec![true; layers.len()], &work);
        (plan.flop(&work), plan.bytes())
    }
}

/// Largest number of floating-point operations allowed for one optimiser kernel: about half a minute.
pub(super) const MOST_OPTIMISER_FLOP: f64 = 2e12;
/// Largest number of rows (images · logits) of a full kernel: 2,560 rows take 52 MB; larger ones cannot be measured live.
pub const MOST_FULL_ROWS: usize = 2560;
/// Largest number of training images per class that a task's linear probe learns from.
pub const LINEAR_PROBE_IMAGES: usize = 50;
/// Largest number of entries of all parts of one kernel together (64 MiB). Above it, kernels of tensors are not stored
/// separately, and then those of layers and sets of logits neither.
const MOST_PART_ENTRIES: usize = 1 << 23;

/// The granularity at which the kernel of a run is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartGranularity {
    None,
    /// Weight and bias of a layer together.
    Layers,
    Tensors,
}

impl PartGranularity {
    /// Returns the finest granularity, in each of `sets` sets of logits, at which a kernel of this many images fits in
    /// memory.
    pub fn fitting(images: usize, layers: &[Layer], sets: usize) -> Self {
        let fit = |parts: usize| images.saturating_mul(images).saturating_mul(parts * sets.max(1)) <= MOST_PART_ENTRIES;
        if fit(layers.iter().map(Layer::tensors).sum()) {
            Self::Tensors
        } else if fit(layers.iter().filter(|layer| layer.tensors() > 0).count()) {
            Self::Layers
        } else {
            Self::None
        }
    }
}

/// Largest size in bytes of the Grams of all tensors in one snapshot; above it, a snapshot has their metrics without the
/// Grams.
const MOST_TENSOR_BYTES: usize = 1 << 20;

/// Returns the bytes of these Grams as a snapshot stores them: half of each symmetric matrix, in f32.
fn packed_bytes(images: usize, tensors: usize) -> usize {
    4usize.saturating_mul(tensors).saturating_mul(images.saturating_mul(images + 1) / 2)
}

/// Returns whether a snapshot includes the Grams of its tensors.
pub fn tensor_grams_fit(images: usize, tensors: usize) -> bool {
    packed_bytes(images, tensors) <= MOST_TENSOR_BYTES
}

/// Largest size in bytes of the rows in the window, mostly their layers, pairs of tasks and sets of logits.
pub const ROW_BYTES: u64 = 64 << 20;
/// Largest size in bytes of the snapshots in the window.
pub const RECORD_BYTES: u64 = 128 << 20;

impl Spec {
    /// Returns the number of probe images of all tasks together.
    pub fn probe_count(&self, shape: &DataShape) -> usize {
        let lists = &self.kernel.probe_list;
        match (self.kernel.probes, lists.as_slice()) {
            (ProbeChoice::List, [shared]) if self.tasks.len() > 1 => {
                // At most so many: those of classes that no task has are left out.
                shared.len().saturating_mul(self.most_shared_class(shape).1.max(1))
            }
            (ProbeChoice::List, lists) => lists.iter().map(Vec::len).sum(),
            _ => self.classes_of_tasks(shape).saturating_mul(self.kernel.probes_per_class),
        }
    }

    /// Returns the number of test images of all tasks together.
    fn evaluated(&self, shape: &DataShape) -> f64 {
        self.classes_of_tasks(shape) as f64 * shape.test_per_class as f64
    }

    /// Returns the number of classes of the tasks, summed over tasks.
    fn classes_of_tasks(&self, shape: &DataShape) -> usize {
        match self.tasks.kind {
            TaskKind::Split => self.tasks.split_classes().iter().map(Vec::len).sum(),
            TaskKind::Permuted | TaskKind::Rotated => shape.classes.saturating_mul(self.tasks.count),
            TaskKind::Frequency => 2 * self.tasks.classes.iter().map(Vec::len).sum::<usize>(),
        }
    }

    /// Returns the number of training images of a task (by number), excluding the probes of all tasks.
    fn train_count(&self, task: usize, shape: &DataShape) -> usize {
        let all = self.trainable(task, shape);
        if self.data.samples > 0 { all.min(self.data.samples) } else { all }
    }

    /// Returns the steps of the longest task on images of this shape; `None` without a task.
    pub(super) fn longest_task(&self, shape: &DataShape) -> Option<u64> {
        let steps = |(place, &task): (usize, &usize)| self.tasks.steps_at(place, self.steps_per_epoch(task, shape));
        self.tasks.sequence().iter().enumerate().map(steps).max()
    }

    /// Returns the steps of an epoch of a task, expected before its data are read.
    pub(super) fn steps_per_epoch(&self, task: usize, shape: &DataShape) -> u64 {
        (self.train_count(task, shape) as u64).div_ceil(self.training.batch.max(1) as u64).max(1)
    }

    /// Returns the number of training images of a task before `data.samples` limits it.
    pub(super) fn trainable(&self, task: usize, shape: &DataShape) -> usize {
        let left = |sharing: usize| {
            let probes = match self.kernel.probes {
                _ if self.kernel.train_on_probes => 0,
                // The classes of a list are not known before the data are read.
                ProbeChoice::List => {
                    let listed: BTreeSet<usize> = self.kernel.probe_list.iter().flatten().copied().collect();
                    listed.len() / shape.classes.max(1)
                }
                _ => self.kernel.probes_per_class.saturating_mul(sharing),
            };
            shape.train_per_class.saturating_sub(probes)
        };
        match self.tasks.kind {
            TaskKind::Split => {
                let plan = self.tasks.split_classes();
                let sharing = |class: &usize| plan.iter().filter(|classes| classes.contains(class)).count();
                let own = task.checked_sub(1).and_then(|place| plan.get(place));
                own.map_or(0, |classes| classes.iter().map(|class| left(sharing(class))).sum())
            }
            TaskKind::Permuted | TaskKind::Rotated => shape.classes.saturating_mul(left(self.tasks.count)),
            TaskKind::Frequency => {
                let smaller = self.tasks.classes.iter().map(Vec::len).min().unwrap_or(0);
                ((smaller * left(2)) as f64 / MAJOR_SHARE).floor() as usize
            }
        }
    }
}
