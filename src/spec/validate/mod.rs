//! Validates a spec before a run starts: one sentence per invalid field.
//!
//! The window shows each sentence beside its field, the command line prints the first one; both use this list.
//!
//! Its files add methods of [`Spec`] by subject, one for each list of problems.

mod continual;
pub(crate) mod finite;
pub(crate) mod infinite;
pub(crate) mod plane;
pub(crate) mod synthetic;

use std::ops::RangeInclusive;

use super::change::not_one;
use super::cost::MOST_OPTIMISER_FLOP;
use super::network_problems::NO_WIDTH;
use super::ops::Draw;
use super::problem::problem;
use super::{
    Change, Cost, DataShape, DataSpec, Effect, Init, MOST_FULL_ROWS, MOST_PICTURE_SIDE, MOST_TASKS, Method, Op,
    Parameter, Problem, Program, Spec, TaskKind, memory_available,
};

/// Largest number of images of a task that replay can store: the size of the largest supported data set.
const MOST_REPLAYED: usize = 60_000;

impl Spec {
    /// Returns the problems that forbid this run on images of this shape; empty when it can start.
    pub fn problems(&self, shape: &DataShape) -> Vec<Problem> {
        let mut found = self.finite_problems();
        if !found.is_empty() {
            return found;
        }
        self.data_problems(&mut found);
        self.task_problems(shape, &mut found);
        if let Some(plane) = self.data.source.plane() {
            self.plane_problems(plane, &mut found);
        }
        self.number_problems(&mut found);
        // If points cannot use this network at all, the requirements on images are not reported as well.
        if found.iter().all(|problem| problem.field != "network.program") {
            self.network.problems(shape, &mut found);
        }
        let program = self.network.program(shape.image, shape.outputs).ok();
        let program = program.as_deref();
        self.weights_problems(program, &mut found);
        self.training_problems(program, &mut found);
        self.continual_problems(&mut found);
        self.kernel_problems(shape, &mut found);
        self.infinite_problems(program, &mut found);
        if found.iter().all(|problem| !problem.field.starts_with("tasks.")) {
            self.probe_problems(shape, &mut found);
        }
        self.change_problems(program, &mut found);
        if program.is_some_and(Program::differs_in_training) {
            self.evaluated_problems(&mut found);
        }
        // TOML has no larger integer: the run could be written and never read again.
        if i64::try_from(self.seed).is_err() {
            found.push(problem("seed", format!("the seed must be at most {}", i64::MAX)));
        }
        if !(0.0..=1e6).contains(&self.window.pace) {
            found.push(problem(
                "window.pace",
                "the pace must be 0 (as fast as possible) or a number of epochs per second",
            ));
        }
        if found.is_empty() {
            let cost = Cost::of(self, shape);
            if cost.optimiser_flop > MOST_OPTIMISER_FLOP {
                let message = format!(
                    "the optimiser's kernel would take about {:.0} Tflop each time, and {:.0} are the most: take fewer probes or \
                     a smaller network",
                    cost.optimiser_flop / 1e12,
                    MOST_OPTIMISER_FLOP / 1e12
                );
                found.push(problem("kernel.optimiser", message));
            }
            let free = memory_available();
            if cost.peak_bytes > free {
                let size = if self.network.has_width() { "network.width" } else { "network.program" };
                let parts = [
                    (cost.training_bytes, size, "a smaller width, depth, batch or lag"),
                    (cost.kernel_bytes, "kernel.probes_per_class", "fewer probes, a smaller width or lag"),
                    (cost.image_bytes, "data.per_class", "fewer images per class or fewer tasks"),
                ];
                let (_, field, way_out) = parts.into_iter().max_by_key(|part| part.0).unwrap_or(parts[0]);
                let [needed, free] = [cost.peak_bytes, free].map(|bytes| bytes as f64 / GIB);
                let message =
                    format!("this run needs about {needed:.1} GiB and {free:.1} GiB are free: take {way_out}");
                found.push(problem(field, message));
            }
        }
        found
    }

    /// Returns the problems that do not forbid the run but degrade its results.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let optimiser = self.training.optimiser;
        if !optimiser.follows_gradient() {
            found.push(problem(
                "training.optimiser",
                format!(
                    "With {} the kernel moves several times more than with SGD before anything has shifted: with few probes or one \
                     snapshot an epoch the spike can drown",
                    optimiser.words()
                ),
            ));
        }
        if self.training.momentum != 0.0 && !optimiser.uses_momentum() {
            let message = format!("{} has its own momentum; this value is not used", optimiser.words());
            found.push(problem("training.momentum", message));
        }
        if self.data.is_number()
            && (self.training.masked || self.changes.iter().any(|change| change.effect == Effect::Masked(true)))
        {
            found.push(problem(
                "training.masked",
                "With one output there are no logits of other classes to leave out; this value is not used",
            ));
        }
        if self.network.program_for(&DataShape::expected(self)).is_some_and(|program| program.differs_in_training()) {
            let message = if self.network.is_infinite() {
                "At infinite width dropout has no effect"
            } else {
                "While training, this network uses the statistics of its batch or leaves numbers out; the kernel and all outputs \
                 are those of the evaluated network, with its running statistics"
            };
            found.push(problem("network.program", message));
        }
        found.extend(self.unknown_draws().map(|message| problem("network.weights", message)));
        if self.kernel.budget > 0.0 {
            found.push(problem(
                "kernel.budget",
                "With a budget the times of the snapshots depend on the machine: the run no longer repeats bit for bit",
            ));
        }
        found
    }

    /// Returns a sentence on the tensors of a fresh draw whose initial values in PyTorch are not known, if there are any.
    fn unknown_draws(&self) -> Option<String> {
        let network = &self.network;
        if network.weights.is_some() || network.parametrisation.is_ntk() || network.init != Init::Torch {
            return None;
        }
        let program = network.program_for(&DataShape::expected(self))?;
        let unknown = program.tensors.iter().filter_map(|tensor| match &tensor.draw {
            Some(Draw::Unknown(module)) => Some((tensor.name.as_str(), module.as_str())),
            Some(Draw::Uniform(_) | Draw::Normal(_) | Draw::Constant(_) | Draw::Like(_)) | None => None,
        });
        let unknown: Vec<(&str, &str)> = unknown.collect();
        let [(first, module), others @ ..] = unknown.as_slice() else { return None };
        let names = match others {
            [] => format!("{first} begins here as its operation does"),
            [(other, _)] => format!("{first} and {other} begin here as their operations do"),
            others => format!("{first} and {} other tensors begin here as their operations do", others.len()),
        };
        Some(format!(
            "{names}, and not as in PyTorch, because the graph does not tell how {module} draws: give the exported weights (network.weights) to begin from its own draw"
        ))
    }

    fn data_problems(&self, found: &mut Vec<Problem>) {
        let whole = Self { data: DataSpec { shrink: 1, ..self.data.clone() }, ..self.clone() };
        let side = DataShape::expected(&whole).image[1];
        // The contents of some files are unknown until they are read.
        let known = !self.data.source.has_unknown_shape()
            && self.data.source.plane().is_none()
            && !self.data.source.is_synthetic();
        if self.data.shrink == 0 || self.data.shrink > 28 || (known && !side.is_multiple_of(self.data.shrink)) {
            let message =
                format!("squares of {} pixels a side do not tile an image of {side} × {side}", self.data.shrink);
            found.push(problem("data.shrink", message));
        }
        if !(1..=MOST_PICTURE_SIDE).contains(&self.data.side) {
            found.push(problem("data.side", format!("pictures have a side from 1 to {MOST_PICTURE_SIDE} pixels")));
        }
        match (self.data.source, &self.data.path) {
            (source, _) if !source.needs_folder() => {}
            (_, None) => found.push(problem("data.path", "choose the folder with the files of this data set")),
            (_, Some(path)) if path.as_os_str().is_empty() => {
                found.push(problem("data.path", "choose the folder with the files of this data set"));
            }
            (_, Some(path)) if path.to_str().is_none() => {
                found.push(problem("data.path", "the name of this folder is not text a run file can hold: rename it"));
            }
            _ => {}
        }
    }

    fn task_problems(&self, shape: &DataShape, found: &mut Vec<Problem>) {
        let tasks = &self.tasks;
        let count = tasks.len();
        if count == 0 {
            let field = if tasks.kind == TaskKind::Split { "tasks.classes" } else { "tasks.count" };
            found.push(problem(field, "there must be at least one task"));
            return;
        }
        if count > MOST_TASKS {
            let field = if tasks.kind == TaskKind::Split { "tasks.classes" } else { "tasks.count" };
            found.push(problem(field, format!("more than {MOST_TASKS} tasks cannot be shown")));
            return;
        }
        if matches!(tasks.kind, TaskKind::Split | TaskKind::Frequency) {
            if let Some(empty) = tasks.classes.iter().position(Vec::is_empty) {
                found.push(problem("tasks.classes", format!("task {} has no class", empty + 1)));
            }
            if let Some(class) = tasks.classes.iter().flatten().find(|&&class| class >= shape.classes) {
                let last = shape.classes.saturating_sub(1);
                found
                    .push(problem("tasks.classes", format!("there is no class {class}: the data set has 0 to {last}")));
            }
            for (task, classes) in tasks.classes.iter().enumerate() {
                let mut seen = classes.clone();
                seen.sort_unstable();
                if seen.windows(2).any(|pair| pair[0] == pair[1]) {
                    found.push(problem("tasks.classes", format!("task {} names a class twice", task + 1)));
                }
            }
        }
        if tasks.kind == TaskKind::Split {
            let most = tasks.classes.iter().map(Vec::len).min().unwrap_or(0);
            if tasks.overlap > most {
                found.push(problem(
                    "tasks.overlap",
                    format!("at most {most} classes can be shared: a task has no more"),
                ));
            }
            for (task, classes) in tasks.split_classes().iter().enumerate() {
                let mut seen = classes.clone();
                seen.sort_unstable();
                if tasks.overlap > 0 && seen.windows(2).any(|pair| pair[0] == pair[1]) {
                    let message = format!("sharing {} classes gives task {} a class twice", tasks.overlap, task + 1);
                    found.push(problem("tasks.overlap", message));
                }
            }
        }
        if tasks.kind == TaskKind::Frequency {
            if tasks.classes.len() != 2 {
                found.push(problem(
                    "tasks.classes",
                    "a frequency shift moves weight between exactly two groups of classes",
                ));
            }
            if let [first, second] = tasks.classes.as_slice()
                && let Some(class) = first.iter().find(|class| second.contains(class))
            {
                found.push(problem(
                    "tasks.classes",
                    format!("class {class} is in both groups: its share would not move"),
                ));
            }
            if !(0.0..=1.0).contains(&tasks.alpha) {
                found.push(problem("tasks.alpha", "the shift α must be from 0 (none) to 1 (9:1 becomes 1:9)"));
            }
        }
        if tasks.kind == TaskKind::Rotated && !tasks.angle.is_finite() {
            found.push(problem("tasks.angle", "the angle must be a number of degrees"));
        }
        let sequence = tasks.sequence();
        let mut sorted = sequence.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sequence.is_empty() || sorted.len() != sequence.len() || sorted.iter().any(|&task| task == 0 || task > count)
        {
            found.push(problem(
                "tasks.order",
                format!("the order names each task at most once, by numbers from 1 to {count}"),
            ));
        }
        if tasks.steps.is_empty() {
            let bad = |epochs: &f64| !(epochs.is_finite() && *epochs > 0.0 && *epochs <= 1e6);
            if tasks.epochs.is_empty() || tasks.epochs.iter().any(bad) {
                found.push(problem(
                    "tasks.epochs",
                    "each task needs a number of epochs above 0 (and at most a million)",
                ));
            }
        } else if tasks.steps.iter().any(|&steps| steps == 0 || steps > 1_000_000_000) {
            found.push(problem("tasks.steps", "each task needs at least one step (and at most 10⁹)"));
        }
    }

    /// Adds the problems of initial weights from a file, and of a network that cannot begin without.
    fn weights_problems(&self, program: Option<&Program>, found: &mut Vec<Problem>) {
        let network = &self.network;
        let mut refuse = |message: String| found.push(problem("network.weights", message));
        if let Some(path) = &network.weights {
            if path.to_str().is_none() {
                refuse("the name of this file is not text a run file can hold: rename it".to_owned());
            }
            if network.is_infinite() {
                refuse(
                    "a network of infinite width has no weights to begin with: leave them out, or take a finite width"
                        .to_owned(),
                );
            } else if network.parametrisation.is_ntk() {
                refuse(
                    "weights of a file are taken as they are, in the standard parametrisation: take parametrisation = \
                     \"standard\", or leave them out"
                        .to_owned(),
                );
            }
            return;
        }
        let Some(program) = program else { return };
        let constant = program.lines.iter().find(|line| match &line.op {
            Op::Learned(learned) => !learned.trained && learned.start.is_none(),
            _ => false,
        });
        if let Some(line) = constant {
            refuse(format!(
                "the numbers of the constant {} are in no text but in a weights file: give that",
                line.name
            ));
        }
        let is_still = |tensor: &Parameter| tensor.is_frozen(network.parametrisation);
        if program.tensors.iter().any(Parameter::is_held) && program.tensors.iter().all(is_still) {
            found.push(problem("network.program", "all its tensors are frozen, so there is nothing to train"));
        }
    }

    fn training_problems(&self, program: Option<&Program>, found: &mut Vec<Problem>) {
        let training = &self.training;
        if !RATES.contains(&training.rate) {
            found.push(problem("training.rate", "the learning rate must be a number from 0 up"));
        }
        if training.rate_width.is_some() && !self.network.has_width() {
            let message = format!("{NO_WIDTH}, so that no rate depends on it: leave rate_width out");
            found.push(problem("training.rate_width", message));
        }
        if training.rate_width == Some(0) {
            found.push(problem("training.rate_width", "the width at which the rate is given must be above 0"));
        }
        self.schedule_problems(found);
        if !(0.0..1.0).contains(&training.momentum) {
            found.push(problem("training.momentum", "momentum must lie in 0 to 1, 1 excluded"));
        }
        if let Some((name, parts)) = program.and_then(|program| unknown_part(program, &training.frozen)) {
            let message = format!("this network has no layer {name}: it has {parts}");
            found.push(problem("training.frozen", message));
        }
        if training.replay > MOST_REPLAYED {
            found.push(problem("training.replay", format!("at most {MOST_REPLAYED} images of a task can be kept")));
        }
        if !(0.0..=1e3).contains(&training.weight_decay) {
            found.push(problem("training.weight_decay", "weight decay must be a number from 0 up"));
        }
        if !(0.0..=1e12).contains(&training.clip) {
            found.push(problem(
                "training.clip",
                "the largest norm of a gradient must be a number from 0 (no clipping) up",
            ));
        }
        if !(0.0..1.0).contains(&training.smoothing) {
            found.push(problem("training.smoothing", "label smoothing must lie in 0 to 1, 1 excluded"));
        } else if training.smoothing > 0.0 && training.loss.is_squared() {
            let message = "smoothed labels belong to the cross-entropy: set the smoothing to 0, or take that loss";
            found.push(problem("training.smoothing", message));
        }
        if !(1..=1000).contains(&training.average) {
            found.push(problem("training.average", "the gradients of 1 to 1000 batches can be averaged"));
        } else if training.average > 1 && program.is_some_and(Program::normalises_batches) {
            let message =
                "with BatchNorm the mean of gradients is not the gradient of one larger batch: take a larger batch";
            found.push(problem("training.average", message));
        }
        if !(0.0..=1e6).contains(&training.patience) {
            found.push(problem("training.patience", "the patience must be a number of epochs from 0 (off) up"));
        } else if training.patience > 0.0 && self.kernel.train_on_probes {
            let message =
                "a task ends by the loss on its probes, on which this run trains: set kernel.train_on_probes = false";
            found.push(problem("training.patience", message));
        }
        if !(1..=100_000).contains(&training.batch) {
            found.push(problem("training.batch", "the batch size must lie between 1 and 100,000"));
        }
    }

    fn schedule_problems(&self, found: &mut Vec<Problem>) {
        let training = &self.training;
        if !WARMUPS.contains(&training.warmup) {
            found.push(problem("training.warmup", "the warm-up must be a number of epochs from 0 up"));
        }
        let warms_up = |change: &Change| matches!(change.effect, Effect::Warmup(epochs) if epochs > 0.0);
        let rises = |change: &Change| matches!(change.effect, Effect::Schedule(schedule) if schedule.rises());
        let rising = training.schedule.rises() || self.changes.iter().any(rises);
        if rising && (training.warmup > 0.0 || self.changes.iter().any(warms_up)) {
            found.push(problem("training.warmup", "one-cycle has a warm-up of its own: set the warm-up to 0"));
        }
        if !(0.0..=1.0).contains(&training.final_share) {
            found.push(problem("training.final_share", "the share that is left at the end must be from 0 to 1"));
        }
        if training.step_epochs.is_some_and(|epochs| !(epochs > 0.0 && epochs <= 1e6)) {
            found.push(problem("training.step_epochs", "the rate falls every so many epochs, above 0"));
        }
        if training.step_factor.is_some_and(|factor| !(factor > 0.0 && factor <= 1.0)) {
            found.push(problem("training.step_factor", "the factor of each fall must be above 0 and at most 1"));
        }
    }

    /// Adds the problems of settings that require training and evaluation to compute the same function.
    fn evaluated_problems(&self, found: &mut Vec<Problem>) {
        const WHY: &str = "with BatchNorm or dropout the network in training differs from the evaluated one";
        if self.network.laziness().is_some() {
            let message = format!("{WHY}, so F = α (f − f₀) does not begin at 0: leave alpha and alpha_width out");
            found.push(problem("network.alpha", message));
        }
        if self.kernel.predict {
            let message = format!("{WHY}, whose linearisation it would not follow: turn predictions off");
            found.push(problem("kernel.predict", message));
        }
    }

    fn kernel_problems(&self, shape: &DataShape, found: &mut Vec<Problem>) {
        let kernel = &self.kernel;
        if !PER_EPOCH.contains(&kernel.per_epoch) {
            found.push(problem("kernel.per_epoch", "there can be 1 to 1000 snapshots an epoch"));
        }
        if !(kernel.lag > 0.0 && kernel.lag <= 100.0) {
            found.push(problem("kernel.lag", "the lag of the velocity must be above 0 epochs"));
        }
        if let Some(lag) = kernel.lag_steps {
            let longest = self.longest_task(shape);
            if lag == 0 || lag > MOST_LAG_STEPS {
                found.push(problem(
                    "kernel.lag_steps",
                    "the lag of the velocity must be at least one step (and at most 10⁹)",
                ));
            } else if kernel.lag_path.is_some() {
                found.push(problem(
                    "kernel.lag_steps",
                    "the lag is given in steps and in path length: leave one of them out",
                ));
            } else if let Some(steps) = longest.filter(|steps| lag > *steps) {
                let message = format!(
                    "no lag goes back over a switch, and the longest task has {steps} steps: a lag of {lag} steps would give                      no velocity"
                );
                found.push(problem("kernel.lag_steps", message));
            }
        }
        if let Some(path) = kernel.lag_path {
            if !(path > 0.0 && path <= 1e9) {
                found.push(problem("kernel.lag_path", "the lag of the velocity must be a path length above 0"));
            } else if self.network.is_infinite() {
                let message =
                    "a network of infinite width has no weights, and so no path: give the lag in epochs or steps";
                found.push(problem("kernel.lag_path", message));
            }
        }
        if kernel.piecewise.is_some_and(|epochs| !(epochs > 0.0 && epochs <= 1e4)) {
            found.push(problem("kernel.piecewise", "the network is linearised anew every so many epochs, above 0"));
        }
        if kernel.optimiser && !self.training.optimiser.is_linear() {
            let message = format!(
                "a step of {} is the sign of a mean gradient, which no kernel J P Jᵀ describes: turn the optimiser's kernel off",
                self.training.optimiser.words()
            );
            found.push(problem("kernel.optimiser", message));
        }
        let rows = self.probe_count(shape).saturating_mul(shape.outputs);
        if kernel.sharpness_steps > MOST_SHARPNESS_STEPS {
            let message = format!(
                "the sharpness can be measured at up to {MOST_SHARPNESS_STEPS} steps before and after a switch"
            );
            found.push(problem("kernel.sharpness_steps", message));
        } else if kernel.sharpness_steps > 0 && kernel.method != Method::Layerwise {
            let message = "the sharpness needs the full kernel, which only the layer-wise method measures";
            found.push(problem("kernel.sharpness_steps", message));
        } else if kernel.sharpness_steps > 0 && rows > MOST_FULL_ROWS {
            let message = format!(
                "the sharpness needs the full kernel of all probes and logits, {rows} rows of at most {MOST_FULL_ROWS}: take \
                 fewer probes per class"
            );
            found.push(problem("kernel.sharpness_steps", message));
        }
        if !(0.0..1.0).contains(&kernel.budget) {
            found.push(problem("kernel.budget", "the kernel's share of the time must be from 0 (fixed cadence) to 1"));
        }
    }

    fn change_problems(&self, program: Option<&Program>, found: &mut Vec<Problem>) {
        for change in &self.changes {
            let sound = match &change.effect {
                Effect::Rate(rate) => RATES.contains(rate),
                Effect::Warmup(epochs) => WARMUPS.contains(epochs),
                Effect::PerEpoch(count) => PER_EPOCH.contains(count),
                Effect::Order(order) => order.iter().all(|task| (1..=self.tasks.len()).contains(task)),
                Effect::Replay(kept) => *kept <= MOST_REPLAYED,
                Effect::Schedule(_) | Effect::Switch | Effect::Frozen(_) | Effect::Masked(_) | Effect::Clamped(_) => {
                    true
                }
            };
            let when = change.when();
            if !sound {
                found.push(problem("changes", not_one(&when)));
            }
            if change.place.is_some_and(|place| !(1..=self.tasks.len()).contains(&place) || change.step > 0) {
                let message = format!("the change {when} names no place of the order, or a step besides");
                found.push(problem("changes", message));
            }
            if let (Some(program), Effect::Frozen(frozen)) = (program, &change.effect)
                && let Some((name, parts)) = unknown_part(program, frozen)
            {
                let message = format!("the change {when} freezes {name}, and this network has {parts}");
                found.push(problem("changes", message));
            }
            if matches!(change.effect, Effect::Clamped(_)) && !self.continual.strategy.follows_batch() {
                let message = format!(
                    "steps can only be clamped where they follow the gradient of their batch, and {} changes it: take the \
                     change or continual.strategy out",
                    self.continual.strategy.words()
                );
                found.push(problem("changes", message));
            }
            if matches!(change.effect, Effect::Clamped(_)) && !self.training.is_plain() {
                let message =
                    "motion can only be clamped for plain SGD: take sgd, and momentum, weight decay and clipping off";
                found.push(problem("changes", message));
            }
        }
        let timed = self.changes.iter().filter(|change| change.place.is_none());
        if !timed.is_sorted_by_key(|change| change.step) {
            found.push(problem("changes", "changes must be in the order of their steps"));
        }
    }
}

/// Returns the first of these names that is not a layer or tensor of the network, and the existing layers, in words.
fn unknown_part<'a>(program: &Program, names: &'a [String]) -> Option<(&'a str, String)> {
    let within = |tensor: &str, name: &str| {
        tensor.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let parts = program.parts();
    let known =
        |name: &&String| parts.contains(name) || program.tensors.iter().any(|tensor| within(&tensor.name, name));
    let unknown = names.iter().find(|name| !known(name))?;
    Some((unknown, parts.join(", ")))
}

/// Accepted learning rates.
pub const RATES: RangeInclusive<f64> = 0.0..=1e6;
/// Largest lag of the velocity in steps.
const MOST_LAG_STEPS: u64 = 1_000_000_000;
/// Accepted warm-ups, in epochs.
pub const WARMUPS: RangeInclusive<f64> = 0.0..=1e6;
/// Accepted numbers of snapshots per epoch.
pub const PER_EPOCH: RangeInclusive<usize> = 1..=1000;
/// The largest number of steps before and after a switch at which the sharpness is measured.
pub const MOST_SHARPNESS_STEPS: u64 = 1000;
const GIB: f64 = (1u64 << 30) as f64;
