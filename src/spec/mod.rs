//! What a run *is*: typed settings with defaults, one struct per section of the TOML file.
//!
//! Guarantees: every field has a default, an unknown key is an error, a file written today is read for ever (it carries
//! a version), and nothing here trains or reads data. What the fields mean for the mathematics is written beside them, with
//! the paper it comes from where there is one.
//!
//! The network of a run is a [`Program`], a list of operations ([`ops`]) that a short text writes ([`text`]); all else that is
//! known of it is read off that.
//!
//! A spec says nothing of the machine: device, output folder and window size are the caller's affair.

mod activation;
mod change;
mod command_line;
mod cost;
mod facts;
mod file;
mod layers;
mod learning;
mod lesson;
mod memory;
mod network;
mod network_problems;
pub mod ops;
mod path;
mod plan;
mod presets;
mod program;
mod readout;
mod said;
mod section;
mod source;
mod stock;
mod study;
mod tasks;
pub mod text;
mod usual;
mod validate;
mod wording;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crate::spec::lesson::{Awaited, MOST_WORDS, TOUR_FILES, Tour, TourError, TourStep, tours};
pub use crate::spec::validate::plane::PLANE_CLASSES;
pub use crate::spec::validate::synthetic::{MOST_SAMPLES, SIGNS, Spacing, Target};
pub use activation::Activation;
pub use change::{Change, Effect};
pub use cost::{Cost, DataShape, MOST_FULL_ROWS, PROBE_IMAGES, Parts, RECORD_BYTES, ROW_BYTES, tensor_grams_fit};
pub use file::{SpecError, VERSION};
pub use layers::Layer;
pub use learning::{Learner, Lesson, OutputKernel, Protocol, Ridge};
pub use memory::{address_space, memory_available};
pub use network::{INFINITE, Init, NetworkSpec, Parametrisation};
pub use ops::{Op, Parameter};
pub use path::{absolute, expanded};
pub use plan::{Contraction, KERNEL_MEMORY, KernelWork, Part, Plan};
pub use presets::{LABS, Lab, PRESETS, Preset, STUDIES, lab_before, preset, preset_of, study};
pub use program::{Builder, Line, MOST_LINES, Program, Shapes, Value};
pub use readout::{Readout, half};
pub use said::{SAID, Said, SaidError};
pub use source::Source;
pub use study::{SAMPLES, StudyRun, StudySpec, Variant, values_text};
pub use tasks::{MAJOR_SHARE, first_share, frequency_totals, jaccard};
pub use text::{Choices, Declared, Setting};
pub use validate::{MOST_TASKS, PER_EPOCH, Problem, RATES};

/// Everything that defines one run. The same spec gives the same numbers on the same CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Version of the file format, [`VERSION`].
    pub version: u32,
    /// Seeds initial weights, batch order and pixel permutations; each draws from a stream of its own.
    pub seed: u64,
    pub data: DataSpec,
    pub tasks: TasksSpec,
    pub network: NetworkSpec,
    pub training: TrainingSpec,
    pub kernel: KernelSpec,
    pub window: WindowSpec,
    /// What the user changed while the run went on, in the order of their steps; fed back, it happens again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Where this is not one run but many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study: Option<StudySpec>,
}

/// Where the images come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSpec {
    pub source: Source,
    /// Folder of the files, for the sources that are not embedded.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "file::path_as_text")]
    pub path: Option<PathBuf>,
    /// Training images kept per class, the first ones; 0 keeps all. `circle`, `disk`: points per class beside the probes; 0 is 32 or
    /// 128.
    pub per_class: usize,
    /// Test images kept per class, the first ones; 0 keeps all (of a `circle` or `disk`: 200).
    pub test_per_class: usize,
    /// Subtract the mean and divide by the standard deviation of all training images, per channel, so that a task sees the
    /// statistics of later ones too. (Points stay as they are.)
    pub standardise: bool,
    /// Squares of so many pixels a side become their mean, so that 28 × 28 with 4 is 7 × 7; 1 keeps images as they are. Wide
    /// convolutional and recurrent networks are then measured in minutes.
    pub shrink: usize,
    /// So many training samples, drawn anew by each seed; 0 keeps all (of drawn problems: 1024). One task only.
    pub samples: usize,
    /// Images: one output says −1 for the lower half of the classes and 1 for the upper one, in place of one output a class.
    pub binary: bool,
    /// `sphere-polynomial`: inputs D; the sphere has the radius √D.
    pub dimension: usize,
    /// `sphere-polynomial`: what is to be learnt.
    pub target: Target,
    /// `fourier`: the power of frequency k falls as k^−exponent.
    pub exponent: f64,
    /// `fourier`: how the training samples lie.
    pub spacing: Spacing,
}

/// The task stream: which distributions the network sees, in which order, for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TasksSpec {
    pub kind: TaskKind,
    /// `split`: the classes of each task. `frequency`: two groups of classes whose proportions move. Else unused.
    pub classes: Vec<Vec<usize>>,
    /// Tasks in the order they are trained, by number from 1; empty means 1, 2, 3, …
    pub order: Vec<usize>,
    /// `split`: so many classes of every later task are replaced by the last ones of task 1.
    pub overlap: usize,
    /// `frequency`: the shift, D_α = (1−α) D₀ + α D₁, where D₀ and D₁ hold the two groups 9:1 and 1:9.
    pub alpha: f64,
    /// `permuted`, `rotated`: how many tasks.
    pub count: usize,
    /// `rotated`: task i is turned by (i−1)·angle, in degrees.
    pub angle: f64,
    /// Epochs of each task, by its place in the stream; the last one stands for all that follow.
    pub epochs: Vec<f64>,
    /// Steps of each task; when given, it is used instead of `epochs`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<u64>,
}

/// How one task differs from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Class-incremental: each task has classes of its own.
    Split,
    /// All classes; the pixels are permuted anew in each task but the first.
    Permuted,
    /// All classes; the images are turned.
    Rotated,
    /// All classes in both tasks; only their proportions move.
    Frequency,
}

/// How the network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingSpec {
    pub loss: Loss,
    pub optimiser: Optimiser,
    /// Learning rate η.
    pub rate: f64,
    /// When given, η = rate · rate_width / width: the lazy regime of *Reactivation* in SP, as a summary of it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_width: Option<usize>,
    /// SGD only.
    pub momentum: f64,
    pub weight_decay: f64,
    pub batch: usize,
    /// Experience replay: so many images of each earlier task are kept, and each batch is accompanied by as many of them as it
    /// has images of its own. 0 is off.
    pub replay: usize,
    /// Layers or tensors that do not move (`fc1`, `blocks.0`), as they are named in weights files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<String>,
    /// The loss sees only the logits of classes that can be in the batch: those of the task being trained and, with replay, of
    /// the tasks before. What looks like forgetting is often only these logits being pushed down.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Mean over samples of −log p(y): ḟ = −Θ (p − y)/N.
    CrossEntropy,
    /// ½ · mean over N·C entries of (f − y)², y one-hot: ḟ = −Θ (f − y)/(N C).
    Mse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    Sgd,
    Adam,
}

/// How and when the kernel is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelSpec {
    pub reduction: Reduction,
    pub method: Method,
    /// Probe images of each class of each task, the first ones of its training images.
    pub probes_per_class: usize,
    /// Whether the network may also train on the probe images.
    pub train_on_probes: bool,
    /// Snapshots per epoch; three times as many in the first epoch after a switch.
    pub per_epoch: usize,
    /// Lag of the velocity in epochs of the task being trained, rounded to whole snapshots and steps.
    pub lag: f64,
    /// When above 0: the share of its time that training may stand still for kernels (the analysis beside it does not count); the
    /// cadence adapts, and is no longer repeatable.
    pub budget: f64,
    /// Also train the network linearised at initialisation and at each switch: what it would do if its kernel stood still.
    /// On the CPU; several times the work of training alone.
    pub predict: bool,
    /// With `predict`: also linearise the network anew every so many epochs, so that its kernel moves in steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub piecewise: Option<f64>,
    /// Also measure the optimiser's kernel J P Jᵀ: P is Adam's 1/(√v̂ + ε) at that moment; with SGD 1, or 1/(1 − μ).
    pub optimiser: bool,
}

/// How the C logits become one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// (1/C) Σ_c ⟨∇f_c(x), ∇f_c(x′)⟩.
    Trace,
    /// (1/C) Σ_{c,d} ⟨∇f_c(x), ∇f_d(x′)⟩, the kernel of the sum of all logits: what the Reactivation paper's precursor measured.
    SumLogits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Sum over layers of (activation Gram) ∘ (gradient Gram): exact, no Jacobian is formed.
    Layerwise,
    /// The oracle: one backward pass per sample and logit. Exact and slow.
    Jacobian,
}

/// The only section that never changes a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowSpec {
    /// Epochs per second in the window; 0 is as fast as it goes. Headless runs are never paced.
    pub pace: f64,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            version: VERSION,
            seed: 1,
            data: DataSpec::default(),
            tasks: TasksSpec::default(),
            network: NetworkSpec::default(),
            training: TrainingSpec::default(),
            kernel: KernelSpec::default(),
            window: WindowSpec::default(),
            changes: Vec::new(),
            study: None,
        }
    }
}

impl Default for DataSpec {
    fn default() -> Self {
        Self {
            source: Source::FashionMnistSmall,
            path: None,
            per_class: 0,
            test_per_class: 200,
            standardise: true,
            shrink: 1,
            samples: 0,
            binary: false,
            dimension: 10,
            target: Target::He3,
            exponent: 2.0,
            spacing: Spacing::Random,
        }
    }
}

impl Default for TasksSpec {
    fn default() -> Self {
        Self {
            kind: TaskKind::Split,
            classes: vec![(0..5).collect(), (5..10).collect()],
            order: Vec::new(),
            overlap: 0,
            alpha: 1.0,
            count: 3,
            angle: 45.0,
            epochs: vec![30.0, 10.0],
            steps: Vec::new(),
        }
    }
}

impl Default for TrainingSpec {
    fn default() -> Self {
        Self {
            loss: Loss::CrossEntropy,
            optimiser: Optimiser::Sgd,
            rate: 0.003,
            rate_width: None,
            momentum: 0.0,
            weight_decay: 0.0,
            batch: 64,
            replay: 0,
            frozen: Vec::new(),
            masked: false,
        }
    }
}

impl Default for KernelSpec {
    fn default() -> Self {
        Self {
            reduction: Reduction::Trace,
            method: Method::Layerwise,
            probes_per_class: 16,
            train_on_probes: false,
            per_epoch: 4,
            lag: 0.25,
            budget: 0.0,
            predict: false,
            piecewise: None,
            optimiser: false,
        }
    }
}

impl Default for WindowSpec {
    fn default() -> Self {
        Self { pace: 1.25 }
    }
}

impl TrainingSpec {
    /// Whether a step is −η ∇L and nothing else, so that its length is known before it is taken.
    pub fn is_plain(&self) -> bool {
        self.optimiser.copies(self.momentum) == 1 && self.weight_decay == 0.0
    }
}

impl Spec {
    /// The learning rate that reaches the optimiser for a given `training.rate`: rate · rate_width/width / α².
    pub fn effective_rate(&self, rate: f64) -> f64 {
        let width = self.training.rate_width.map_or(1.0, |base| base as f64 / self.network.width as f64);
        let alpha = self.network.laziness().unwrap_or(1.0);
        rate * width / (alpha * alpha)
    }

    /// The sets of logits whose kernels are kept apart: the classes of the first task that is trained, and all others. None
    /// where a set would be empty, or where the kernel is not a mean over logits.
    pub fn logit_sets(&self, classes: usize) -> Vec<Vec<usize>> {
        let split = self.tasks.kind == TaskKind::Split && self.kernel.reduction == Reduction::Trace;
        let first =
            self.tasks.sequence().first().and_then(|&task| self.tasks.split_classes().into_iter().nth(task - 1));
        let Some(first) = first.filter(|_| split) else { return Vec::new() };
        let (old, new): (Vec<usize>, Vec<usize>) = (0..classes).partition(|class| first.contains(class));
        if old.is_empty() || new.is_empty() { Vec::new() } else { vec![old, new] }
    }

    /// Whether two specs are the same run: everything but the pace, which changes no result.
    pub fn same_run(&self, other: &Self) -> bool {
        let this = Self { window: other.window.clone(), ..self.clone() };
        // A file that an earlier version wrote may hold NaN, which is equal to nothing: then what is written decides.
        let holds_nan = this.clone() != this;
        this == *other || (holds_nan && this.to_toml() == other.to_toml())
    }
}
