//! Defines the settings of a run: typed, with defaults, one struct per section of the run file.
//!
//! The methods of [`Spec`] that need the settings alone are here. The others stand with their subject, so that this file
//! does not depend on it: TOML (`file`, `program_defaults`, `command_line`), cost, validation (`validate`, `image_supply`,
//! `learning`) and the runs of a study (`study_runs`).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::variants::variants;
use super::{Change, ContinualSpec, NetworkSpec, RateCurve, Schedule, Source, Spacing, StudySpec, Target};

/// Version of the run file that this program writes. It reads this version and all earlier ones.
pub const VERSION: u32 = 1;

/// Everything that defines one run. The same spec gives the same numbers on the same CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Version of the file format, [`VERSION`].
    pub version: u32,
    /// Seed of the initial weights, batch order and pixel permutations; each uses its own random stream.
    pub seed: u64,
    pub data: DataSpec,
    pub tasks: TasksSpec,
    pub network: NetworkSpec,
    pub training: TrainingSpec,
    #[serde(skip_serializing_if = "ContinualSpec::is_usual")]
    pub continual: ContinualSpec,
    pub kernel: KernelSpec,
    pub window: WindowSpec,
    /// Changes that the user made during the run, in the order of their steps; a run with this list repeats them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The study, if this file describes many runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study: Option<StudySpec>,
}

/// The source of the images and their preparation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSpec {
    pub source: Source,
    /// Folder of the files, for the sources that are not embedded.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "path_as_text")]
    pub path: Option<PathBuf>,
    /// Training images kept per class, the first ones; 0 keeps all. `circle`, `disk`: points per class beside the probes; 0 is
    /// 32 or 128.
    pub per_class: usize,
    /// Test images kept per class, the first ones; 0 keeps all (of a `circle` or `disk`: 200).
    pub test_per_class: usize,
    /// Subtract the mean and divide by the standard deviation of all training images, per channel, so that a task sees the
    /// statistics of later ones too. (Points stay as they are.)
    pub standardise: bool,
    /// Take these statistics from the training images of the first task's classes only, so that no task sees those of later ones.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub standardise_first: bool,
    /// `image-folder`: side in pixels to which pictures are resized, by their shorter side, and cut around their centre.
    #[serde(skip_serializing_if = "is_usual_side")]
    pub side: usize,
    /// Side in pixels of the squares that are replaced by their mean, so that 28 × 28 with 4 is 7 × 7; 1 keeps images as
    /// they are. With small images, wide convolutional and recurrent networks are measured in minutes.
    pub shrink: usize,
    /// Number of training samples, chosen anew for each seed; 0 keeps all (of synthetic problems: 1024). One task only.
    pub samples: usize,
    /// Images: one output is −1 for the lower half of the classes and 1 for the upper one, in place of one output per
    /// class.
    pub binary: bool,
    /// `sphere-polynomial`: inputs D; the sphere has the radius √D.
    pub dimension: usize,
    /// `sphere-polynomial`: the target function.
    pub target: Target,
    /// `fourier`: the exponent of the spectrum; the power of frequency k falls as k^−exponent.
    pub exponent: f64,
    /// `fourier`: the spacing of the training samples.
    pub spacing: Spacing,
}

/// The task stream: which distributions the network sees, in which order, for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TasksSpec {
    pub kind: TaskKind,
    /// `split`: the classes of each task. `frequency`: two groups of classes whose proportions change. Else unused.
    pub classes: Vec<Vec<usize>>,
    /// Tasks in the order they are trained, by number from 1; empty means 1, 2, 3, …
    pub order: Vec<usize>,
    /// `split`: number of classes of every later task that are replaced by the last ones of task 1.
    pub overlap: usize,
    /// `frequency`: the shift, D_α = (1−α) D₀ + α D₁, where D₀ and D₁ hold the two groups 9:1 and 1:9.
    pub alpha: f64,
    /// `permuted`, `rotated`: number of tasks.
    pub count: usize,
    /// `rotated`: task i is turned by (i−1)·angle, in degrees.
    pub angle: f64,
    /// Epochs of each task, by its place in the stream; the last entry applies to all tasks that follow.
    pub epochs: Vec<f64>,
    /// Steps of each task; when given, it is used instead of `epochs`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<u64>,
}

/// The way in which tasks differ from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Class-incremental: each task has classes of its own.
    Split,
    /// All classes; the pixels are permuted anew in each task but the first.
    Permuted,
    /// All classes; the images are turned.
    Rotated,
    /// All classes in both tasks; only their proportions change.
    Frequency,
}

/// The loss, the optimiser and the training settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingSpec {
    pub loss: Loss,
    pub optimiser: Optimiser,
    /// Learning rate η.
    pub rate: f64,
    /// When given, η = rate · rate_width / width: the lazy regime of *Reactivation* in SP, according to a summary of the paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_width: Option<usize>,
    /// How the rate changes on the way.
    #[serde(skip_serializing_if = "Schedule::is_constant")]
    pub schedule: Schedule,
    /// Epochs in which the rate rises in a straight line to its full value, before the schedule begins.
    #[serde(skip_serializing_if = "is_zero")]
    pub warmup: f64,
    /// Whether warm-up and schedule begin anew with each task; else they span the run once.
    #[serde(skip_serializing_if = "is_true")]
    pub restart: bool,
    /// `linear`, `cosine`: what is left of the rate at the end, as a share.
    #[serde(skip_serializing_if = "is_zero")]
    pub final_share: f64,
    /// `step`: epochs between two falls of the rate; 10 if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_epochs: Option<f64>,
    /// `step`: the factor of each fall; 0.1 if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_factor: Option<f64>,
    /// SGD and RMSprop only.
    pub momentum: f64,
    /// Of AdamW and Lion decoupled from the gradient; of the others ½ λ ‖w‖² in the loss.
    pub weight_decay: f64,
    /// Largest norm of a gradient, over all parameters; longer ones are shortened to it. 0 clips none.
    #[serde(skip_serializing_if = "is_zero")]
    pub clip: f64,
    /// Label smoothing ε of the cross-entropy: a target is 1 − ε at its class, and ε is spread over all classes.
    #[serde(skip_serializing_if = "is_zero")]
    pub smoothing: f64,
    pub batch: usize,
    /// Number of batches whose gradients are averaged before each step: as many steps, with less noise. No image comes twice:
    /// as many batches as an epoch has steps are the full batch.
    #[serde(skip_serializing_if = "is_one")]
    pub average: usize,
    /// Early stopping: a task ends when the loss on its probes has not fallen for so many epochs. 0 is off.
    #[serde(skip_serializing_if = "is_zero")]
    pub patience: f64,
    /// Experience replay: number of images of each earlier task that are stored; each batch is joined by as many of them as
    /// it has images of its own. 0 turns replay off.
    pub replay: usize,
    /// Layers or tensors that are not trained (`fc1`, `blocks.0`), by their names in weights files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<String>,
    /// Restricts the loss to the logits of classes that can be in the batch: those of the task being trained and, with
    /// replay, of the earlier tasks. What looks like forgetting is often only these logits being pushed down.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
}

/// The training loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Mean over samples of −log p(y): ḟ = −Θ (p − y)/N.
    CrossEntropy,
    /// ½ · mean over N·C entries of (f − y)², y one-hot: ḟ = −Θ (f − y)/(N C).
    Mse,
}

/// The optimiser of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantArray)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    Sgd,
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    AdamW,
    /// The gradient over the root of its running mean square.
    RmsProp,
    /// The sign of a running mean of gradients, with decoupled weight decay (Chen et al. 2023).
    Lion,
}

impl Optimiser {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);
}

/// The settings of the kernel measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelSpec {
    pub reduction: Reduction,
    pub method: Method,
    /// Which training images are the probes of a task.
    #[serde(skip_serializing_if = "ProbeChoice::is_usual")]
    pub probes: ProbeChoice,
    /// Probe images of each class of each task; with `random` as many in all, with `list` unused.
    pub probes_per_class: usize,
    /// `stratified`, `random`: the seed of the draw. If `None`, that of the run, so that each seed of a study has its own probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_seed: Option<u64>,
    /// `list`: the probes of each task, as indices from 0 of the training images that `data.per_class` keeps; one list alone
    /// serves all tasks, and each takes those of its classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probe_list: Vec<Vec<usize>>,
    /// If true, the network may also train on the probe images.
    pub train_on_probes: bool,
    /// Snapshots per epoch; three times as many in the first epoch after a switch.
    pub per_epoch: usize,
    /// Lag of the velocity in epochs of the task being trained, rounded to whole snapshots and steps.
    pub lag: f64,
    /// When given, the lag in steps, used instead of `lag`: the same before and after a switch, for tasks of any length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_steps: Option<u64>,
    /// When given, the lag in path length Σ ‖Δw‖, used instead of `lag`: each velocity is taken from the snapshot whose
    /// distance on the path is nearest to it, if it is within a quarter of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_path: Option<f64>,
    /// When above 0: the largest share of time for which training may pause for kernels (the analysis thread does not
    /// count); the cadence adapts, and the run is no longer repeatable.
    pub budget: f64,
    /// Also trains the network linearised at initialisation and at each switch: the training that would follow if the
    /// kernel were fixed. On the CPU; several times the work of training alone.
    pub predict: bool,
    /// With `predict`: the interval in epochs at which a further linearised network is linearised anew, so that its kernel
    /// is piecewise constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub piecewise: Option<f64>,
    /// Number of steps before and after each switch after each of which the sharpness is measured, too; 0 is off.
    #[serde(skip_serializing_if = "is_no_step")]
    pub sharpness_steps: u64,
    /// Also measure the optimiser's kernel J P Jᵀ: P is Adam's 1/(√v̂ + ε) at that moment; with SGD 1, or 1/(1 − μ).
    pub optimiser: bool,
}

/// Which training images are the probes of a task. In no case is one image a probe twice unless a list says so, and the network
/// trains on none of them unless `train_on_probes` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantArray)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeChoice {
    /// The first ones of each class that no earlier task has: the same for all seeds.
    First,
    /// As many of each class, drawn.
    Stratified,
    /// As many in all, drawn from all images of the task's classes.
    Random,
    /// Those of a list.
    List,
}

impl ProbeChoice {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns whether a seed decides.
    pub fn is_drawn(self) -> bool {
        matches!(self, Self::Stratified | Self::Random)
    }

    /// Returns whether the probes are those of a list.
    pub fn is_listed(self) -> bool {
        self == Self::List
    }

    /// Returns whether each class has as many.
    pub fn is_stratified(self) -> bool {
        matches!(self, Self::First | Self::Stratified)
    }

    /// Returns it in a few words for users.
    pub fn words(self) -> &'static str {
        match self {
            Self::First => "the first of each class",
            Self::Stratified => "drawn from each class",
            Self::Random => "drawn from all",
            Self::List => "a list",
        }
    }

    /// Returns whether it is that of a run that says nothing of it.
    pub fn is_usual(&self) -> bool {
        *self == Self::First
    }
}

/// The reduction of the C logits to one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// (1/C) Σ_c ⟨∇f_c(x), ∇f_c(x′)⟩.
    Trace,
    /// (1/C) Σ_{c,d} ⟨∇f_c(x), ∇f_d(x′)⟩, the kernel of the sum of all logits: what the Reactivation paper's precursor measured.
    SumLogits,
}

/// The method by which the kernel is computed.
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
    /// Epochs per second in the window; 0 is unlimited. Headless runs are never paced.
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
            continual: ContinualSpec::default(),
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
            standardise_first: false,
            side: PICTURE_SIDE,
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
            schedule: Schedule::Constant,
            warmup: 0.0,
            restart: true,
            final_share: 0.0,
            step_epochs: None,
            step_factor: None,
            momentum: 0.0,
            weight_decay: 0.0,
            clip: 0.0,
            smoothing: 0.0,
            batch: 64,
            average: 1,
            patience: 0.0,
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
            probes: ProbeChoice::First,
            probes_per_class: 16,
            probe_seed: None,
            probe_list: Vec::new(),
            train_on_probes: false,
            per_epoch: 4,
            lag: 0.25,
            lag_steps: None,
            sharpness_steps: 0,
            lag_path: None,
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

/// The stretch of training over which velocities are taken, by the clock that it is given in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum VelocityLag {
    /// Epochs of the task being trained.
    Epochs(f64),
    Steps(u64),
    /// Path length Σ ‖Δw‖.
    Path(f64),
}

/// The share of a lag in path length by which the measured kernels that it lies between may miss it.
pub const LAG_TOLERANCE: f64 = 0.25;
/// The most kernels that are held for a lag in path length, which reaches back no further than these.
pub const MOST_LAGGED: usize = 64;

impl KernelSpec {
    /// Returns the lag of the velocity.
    pub fn velocity_lag(&self) -> VelocityLag {
        match (self.lag_path, self.lag_steps) {
            (Some(path), _) => VelocityLag::Path(path),
            (None, Some(steps)) => VelocityLag::Steps(steps),
            (None, None) => VelocityLag::Epochs(self.lag),
        }
    }
}

impl TrainingSpec {
    /// Returns whether a step is exactly −η ∇L, so that its length is known before it is taken.
    pub fn is_plain(&self) -> bool {
        self.optimiser.copies(self.momentum) == 1 && self.weight_decay == 0.0 && self.clip == 0.0
    }

    /// Returns `step_epochs`, or the usual one.
    pub fn epochs_between_falls(&self) -> f64 {
        self.step_epochs.unwrap_or(10.0)
    }

    /// Returns `step_factor`, or PyTorch's default.
    pub fn factor_of_falls(&self) -> f64 {
        self.step_factor.unwrap_or(0.1)
    }

    /// Returns whether every step has the set rate.
    pub fn has_constant_rate(&self) -> bool {
        self.schedule.is_constant() && self.warmup == 0.0
    }

    /// Returns the course of the rate over `total` steps.
    pub fn rate_curve(&self, epoch_steps: u64, total: u64) -> RateCurve {
        let steps = |epochs: f64| (epochs * epoch_steps as f64).round() as u64;
        RateCurve {
            schedule: self.schedule,
            warmup: steps(self.warmup),
            total,
            final_share: self.final_share,
            every: steps(self.epochs_between_falls()).max(1),
            factor: self.factor_of_falls(),
        }
    }
}

impl Spec {
    /// Returns whether a step is exactly −η ∇L of its batch, which then explains it.
    pub fn has_plain_steps(&self) -> bool {
        self.training.is_plain() && self.continual.strategy.follows_batch()
    }

    /// Returns the learning rate of the optimiser for a given `training.rate`: rate · rate_width/width / α².
    pub fn effective_rate(&self, rate: f64) -> f64 {
        let width = self.training.rate_width.map_or(1.0, |base| base as f64 / self.network.width.as_f64());
        let alpha = self.network.laziness().unwrap_or(1.0);
        rate * width / (alpha * alpha)
    }

    /// Returns the sets of logits whose kernels are measured separately: the classes of the first trained task, and all
    /// others. Empty where a set would be empty, or where the kernel is not a mean over logits.
    pub fn logit_sets(&self, classes: usize) -> Vec<Vec<usize>> {
        let split = self.tasks.kind == TaskKind::Split && self.kernel.reduction == Reduction::Trace;
        let first =
            self.tasks.sequence().first().and_then(|&task| self.tasks.split_classes().into_iter().nth(task - 1));
        let Some(first) = first.filter(|_| split) else { return Vec::new() };
        let (old, new): (Vec<usize>, Vec<usize>) = (0..classes).partition(|class| first.contains(class));
        if old.is_empty() || new.is_empty() { Vec::new() } else { vec![old, new] }
    }

    /// Returns whether two specs are the same run: everything but the pace and the place of a copy, which change no result.
    pub fn same_run(&self, other: &Self) -> bool {
        let mut this = Self { window: other.window.clone(), ..self.clone() };
        let (own, theirs) = (&mut this.network.weights_hash, &other.network.weights_hash);
        // A run that has not begun yet does not know the tensors of its file.
        if own.is_none() || theirs.is_none() {
            own.clone_from(theirs);
        }
        this.network.weights_copy.clone_from(&other.network.weights_copy);
        // A file of an earlier version may hold NaN, which equals nothing: then the written form is compared.
        let holds_nan = this.clone() != this;
        this == *other || (holds_nan && this.to_toml() == other.to_toml())
    }
}

/// Returns whether a number is 0, and is left out of files.
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// Returns whether a number of steps is 0, and is left out of files.
fn is_no_step(steps: &u64) -> bool {
    *steps == 0
}

/// Returns whether a number is 1, and is left out of files.
fn is_one(number: &usize) -> bool {
    *number == 1
}

/// Returns whether a switch is on, as it is at first, and is left out of files.
fn is_true(switch: &bool) -> bool {
    *switch
}

/// The usual side of a picture of `image-folder`: that of CIFAR.
const PICTURE_SIDE: usize = 32;
/// The largest side of a picture of `image-folder`.
pub const MOST_PICTURE_SIDE: usize = 512;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_usual_side(side: &usize) -> bool {
    *side == PICTURE_SIDE
}

/// Serialises a path. Validation refuses one that is not valid UTF-8; it must not keep the file from being written.
fn path_as_text<S: serde::Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(to)
}
