//! Computes the figures of a run that a summary prints and a study compares. Definitions: [`crate::math`].
//!
//! [`History`] is declared in `run`, which must not depend on this analysis.

use super::next_task::NextTask;
use crate::math::distance::Centring;
use crate::math::forgetting::{average_accuracy, backward_transfer};
use crate::math::spike::{Dip, SPIKE_EPOCHS, Spike, is_background, quantile};
use crate::run::{Block, Ending, History, Metric, Origin, Predictor, Row, RunState};
use crate::spec::{VelocityLag, jaccard};

/// The effect of one switch on the probes of the task that ended.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// Numbers of the task that ended and of the one that began.
    pub tasks: (usize, usize),
    pub epoch: f64,
    /// The spike of the velocity, centred or debiased.
    pub spike: Option<Spike>,
    /// Whether spikes are those of centred or of debiased velocities, the usual choice for the number of probes.
    pub centring: Centring,
    /// The ratios of the spike of the centred velocity and of the debiased one.
    pub ratios: [Option<f64>; 2],
    /// The spike of the velocity as an angle.
    pub angle: Option<Spike>,
    /// The spikes of the velocity per step and per path length.
    pub by_step: Option<Spike>,
    pub by_path: Option<Spike>,
    /// Net over path of the weights over the lag: the median over the background, and at the spike.
    pub straightness: (Option<f64>, Option<f64>),
    /// The dip of λ_max.
    pub dip: Option<Dip>,
    /// Accuracy over all logits on the task that ended: at the switch, and at the end of the next task (`None` if that
    /// was cut short).
    pub accuracy: (Option<f64>, Option<f64>),
    /// The accuracy at the end of the next task, among the task's own classes.
    pub masked: Option<f64>,
    /// Similarity of the task that began to the one trained first: |D₀ ∩ D_i| / |D₀ ∪ D_i| over their classes (Jaccard),
    /// by a summary of *Reactivation*; `None` where the classes are not known.
    pub jaccard: Option<f64>,
    /// How the network meets the task that begins.
    pub next: NextTask,
}

/// Names of the figures of a switch, in the order of [`Switch::figures`].
pub const SWITCH_FIGURES: [&str; 31] = [
    "spike",
    "background",
    "ratio",
    "fake_ratio",
    "delay_epochs",
    "angle_ratio",
    "dip",
    "fake_dip",
    "dip_epochs",
    "recovery",
    "recovery_epochs",
    "accuracy_before",
    "accuracy_after",
    "accuracy_after_masked",
    "jaccard",
    "ratio_step",
    "ratio_path",
    "fake_ratio_path",
    "straightness_before",
    "straightness",
    "ratio_centred",
    "ratio_debiased",
    "next_rank",
    "next_condition",
    "next_top_share",
    "next_dormant",
    "next_dead",
    "next_alignment",
    "next_leave_one_out",
    "next_area",
    "next_steps",
];

/// Names of the figures of a whole run, in the order of [`History::run_figures`].
pub const RUN_FIGURES: [&str; 10] = [
    "average_accuracy",
    "average_accuracy_masked",
    "backward_transfer",
    "steps",
    "epochs",
    "kernel_error",
    "kernel_drift",
    "gap_linearised",
    "gap_infinite",
    "gap_piecewise",
];

impl Switch {
    /// Returns the figures by the names of [`SWITCH_FIGURES`]; `None` where one is undefined.
    pub fn figures(&self) -> [Option<f64>; SWITCH_FIGURES.len()] {
        let (spike, dip) = (self.spike, self.dip);
        let [rank, condition, top_share, dormant, dead, alignment, leave_one_out, area, steps] = self.next.figures();
        [
            spike.map(|spike| spike.height),
            spike.map(|spike| spike.background),
            spike.map(|spike| spike.ratio),
            spike.and_then(Spike::fake_ratio),
            spike.map(|spike| spike.delay),
            self.angle.map(|spike| spike.ratio),
            dip.map(|dip| dip.depth),
            dip.and_then(|dip| dip.fake),
            dip.map(|dip| dip.epoch - self.epoch),
            dip.map(|dip| dip.recovery),
            dip.and_then(|dip| dip.recovery_epochs),
            self.accuracy.0,
            self.accuracy.1,
            self.masked,
            self.jaccard,
            self.by_step.map(|spike| spike.ratio),
            self.by_path.map(|spike| spike.ratio),
            self.by_path.and_then(Spike::fake_ratio),
            self.straightness.0,
            self.straightness.1,
            self.ratios[0],
            self.ratios[1],
            rank,
            condition,
            top_share,
            dormant,
            dead,
            alignment,
            leave_one_out,
            area,
            steps,
        ]
    }
}

impl History {
    /// Returns the effect of each switch so far.
    pub fn outcomes(&self) -> Vec<Switch> {
        (0..).map_while(|place| self.outcome(place)).collect()
    }

    /// Returns the effect of the switch of this number, from 0, if it has happened.
    pub fn outcome(&self, place: usize) -> Option<Switch> {
        let (before, begun) = (self.tasks().get(place)?, self.tasks().get(place + 1)?);
        let (from, to) = (before.task, begun.task);
        let block = Block::Task(from);
        let exactly = |metric| self.spikes(block, metric).get(place).copied().flatten();
        let of = |metric| exactly(self.usual(metric));
        let spike = of(Metric::Velocity);
        let ratios = [Metric::Velocity, Metric::VelocityDebiased].map(|of| exactly(of).map(|spike| spike.ratio));
        let straightness = self.series(block, Metric::Straightness);
        let &(start, switch, _) = self.switches().get(place)?;
        let quiet = straightness.iter().filter(|point| is_background(point.0, start, switch)).map(|point| point.1);
        let at = |epoch: f64| straightness.iter().find(|point| point.0 == epoch).map(|point| point.1);
        let accuracy = |row: Option<&Row>| row?.accuracy.iter().find(|found| found.task == from).copied();
        let (before, after) = (accuracy(self.end_of(place)), accuracy(self.end_of(place + 1)));
        Some(Switch {
            tasks: (from, to),
            epoch: begun.epoch,
            spike,
            centring: self.centring(),
            ratios,
            angle: of(Metric::VelocityAngle),
            by_step: of(Metric::VelocityStep),
            by_path: of(Metric::VelocityPath),
            straightness: (quantile(quiet, 0.5), spike.and_then(|spike| at(spike.epoch))),
            dip: self.dips(block).get(place).copied().flatten(),
            accuracy: (before.and_then(|found| found.accuracy), after.and_then(|found| found.accuracy)),
            masked: after.and_then(|found| found.masked),
            next: self.next_task(place),
            jaccard: self.tasks().first().and_then(|first| self.jaccard(first.task, to)),
        })
    }

    /// Returns why a switch (by its number, from 0) has no velocity in its background or none after it, as a clause; `None` while
    /// one may still come, and where there are both.
    pub fn missing_velocity(&self, place: usize) -> Option<String> {
        let (&(start, switch, end), from) = (self.switches().get(place)?, self.tasks().get(place)?.task);
        let window = (switch + SPIKE_EPOCHS * self.epoch_after(switch, end)?).min(end);
        let is_over = matches!(self.state(), RunState::Ended(_));
        if !is_over && self.rows().last().is_none_or(|row| row.epoch < window - 1e-9) {
            return None;
        }
        let lags = self.series(Block::Task(from), Metric::LagSteps);
        let is_before = lags.iter().any(|point| is_background(point.0, start, switch));
        let is_after = lags.iter().any(|point| point.0 > switch && point.0 <= window);
        let stretch = match (is_before, is_after) {
            (true, true) => return None,
            (false, _) => "the last third of the task before",
            (true, false) => "the epoch after the switch",
        };
        let info = self.info()?;
        let (apart, way_out) = match (&info.origin, info.spec.kernel.velocity_lag()) {
            (Origin::Imported | Origin::Watched, _) => {
                ("one lag".to_owned(), "write them more often, or with a shorter lag")
            }
            (Origin::Trained { .. }, VelocityLag::Epochs(epochs)) => {
                (format!("the lag of {epochs} epochs"), "take a shorter kernel.lag")
            }
            (Origin::Trained { .. }, VelocityLag::Steps(steps)) => {
                (format!("the lag of {steps} steps"), "take a shorter kernel.lag_steps")
            }
            (Origin::Trained { .. }, VelocityLag::Path(path)) => {
                (format!("a path of about {path}"), "take a higher kernel.per_epoch, or another kernel.lag_path")
            }
        };
        Some(format!("no two kernels in {stretch} are {apart} apart: {way_out}"))
    }

    /// Summarises the effect of the first switch in half a line; without a switch, the change of the kernel.
    pub fn headline(&self) -> String {
        if let RunState::Ended(Ending::Diverged { step, .. }) = self.state() {
            return format!("diverged at step {step}");
        }
        let Some(first) = self.outcome(0) else {
            let found = self.run_figures();
            let figure = |name: &str| found[RUN_FIGURES.iter().position(|known| *known == name)?];
            let drift =
                figure("kernel_drift").filter(|drift| *drift > 0.0).map(|drift| format!("drift {}", short(drift)));
            let error = || figure("kernel_error").map(|error| format!("{} from the limit", short(error)));
            return drift.or_else(error).unwrap_or_else(|| "ended".to_owned());
        };
        let debiased = if first.centring == Centring::Debiased { " (debiased)" } else { "" };
        let ratio =
            first.spike.map_or("no velocity".to_owned(), |spike| format!("velocity ×{:.1}{debiased}", spike.ratio));
        let depth = first.dip.map_or("no λ_max".to_owned(), |dip| format!("λ_max ×{:.3}", dip.depth));
        format!("{ratio}, {depth}")
    }

    fn jaccard(&self, first: usize, other: usize) -> Option<f64> {
        let tasks = &self.info()?.tasks;
        let classes = |number: usize| tasks.get(number.checked_sub(1)?).map(|task| task.classes.as_slice());
        jaccard(classes(first)?, classes(other)?)
    }

    /// Returns the figures by the names of [`RUN_FIGURES`].
    pub fn run_figures(&self) -> [Option<f64>; RUN_FIGURES.len()] {
        let matrix = self.accuracy_matrix();
        let last = self.rows().last();
        [
            matrix.as_deref().and_then(average_accuracy),
            self.average_masked(),
            matrix.as_deref().and_then(backward_transfer),
            last.map(|row| row.step as f64),
            last.map(|row| row.epoch),
            self.rows().first().and_then(|row| row.blocks.first()?.infinite_error),
            self.series(Block::All, Metric::Drift).into_iter().map(|point| point.1).reduce(f64::max),
            self.largest_gap(Predictor::LinearisedStart),
            self.largest_gap(Predictor::Infinite),
            self.largest_gap(Predictor::Piecewise),
        ]
    }

    /// Returns the largest gap between the network and this prediction, over tasks and time.
    fn largest_gap(&self, by: Predictor) -> Option<f64> {
        let predictions = self.rows().iter().flat_map(|row| &row.predictions);
        predictions.filter(|prediction| prediction.by == by).filter_map(|prediction| prediction.gap).reduce(f64::max)
    }

    /// Returns the accuracy over all logits on each task, in order of training, at the end of each; `None` where a task's
    /// end was not measured.
    pub fn accuracy_matrix(&self) -> Option<Vec<Vec<f64>>> {
        let accuracies = |row: &Row| -> Option<Vec<f64>> {
            let of = |task: usize| row.accuracy.iter().find(|found| found.task == task)?.accuracy;
            self.tasks().iter().map(|start| of(start.task)).collect()
        };
        (0..self.tasks().len()).map(|place| accuracies(self.end_of(place)?)).collect()
    }

    /// Returns the mean over all tasks of the accuracy among each task's own classes, at the end of the last one.
    fn average_masked(&self) -> Option<f64> {
        let last = self.end_of(self.tasks().len().checked_sub(1)?)?;
        let of = |task: usize| last.accuracy.iter().find(|found| found.task == task)?.masked;
        let sum: Option<f64> = self.tasks().iter().map(|start| of(start.task)).sum();
        Some(sum? / self.tasks().len() as f64)
    }

    /// Returns the row at the end of a task, by its index in the order of training.
    fn end_of(&self, place: usize) -> Option<&Row> {
        let task = self.tasks().get(place)?.task;
        match self.tasks().get(place + 1) {
            Some(next) => self.rows().iter().find(|row| row.step == next.step && row.task == task),
            // A task that was cut short has no end.
            None if matches!(self.state(), RunState::Ended(ending) if !matches!(ending, Ending::Finished { .. })) => {
                None
            }
            None => self.rows().last(),
        }
    }
}

/// Formats a number with two significant digits.
fn short(value: f64) -> String {
    if value >= 0.01 { format!("{value:.3}") } else { format!("{value:.1e}").replace('-', "−") }
}
