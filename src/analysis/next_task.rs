//! Describes how a network meets its next task: the kernel on that task's probes at the switch, before any training on it, and how
//! fast the task is then learnt.

use crate::run::{Accuracy, Block, BlockMetrics, Ending, History, Metric, Row, RunState};

/// The kernel at the switch on the probes of the task that begins there, and the learning of that task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NextTask {
    /// Effective rank.
    pub rank: Option<f64>,
    /// λ_max/λ_min, where the kernel has no eigenvalue at or below 0.
    pub condition: Option<f64>,
    /// λ_max over the trace: 1 where the spectrum has collapsed onto one eigenvalue.
    pub top_share: Option<f64>,
    /// Shares of τ-dormant and of dead units.
    pub dormant: Option<f64>,
    pub dead: Option<f64>,
    /// The alignment with the labels, centred or debiased.
    pub alignment: Option<f64>,
    pub leave_one_out: Option<f64>,
    /// The mean test accuracy while the task is trained, among its own classes: the area under its curve over the steps.
    pub area: Option<f64>,
    /// Steps until that accuracy has first come halfway from chance to 1, interpolated between snapshots; `None` where it never
    /// does.
    pub steps: Option<f64>,
}

impl NextTask {
    /// Returns them in the order of [`SWITCH_FIGURES`](super::SWITCH_FIGURES).
    pub fn figures(&self) -> [Option<f64>; 9] {
        [
            self.rank,
            self.condition,
            self.top_share,
            self.dormant,
            self.dead,
            self.alignment,
            self.leave_one_out,
            self.area,
            self.steps,
        ]
    }
}

impl History {
    /// Returns how the network meets the task that begins at the switch of this index, from 0.
    pub fn next_task(&self, place: usize) -> NextTask {
        let Some(begun) = self.tasks().get(place + 1) else { return NextTask::default() };
        let at_switch = self.rows().iter().find(|row| row.step == begun.step);
        let block = at_switch.and_then(|row| row.blocks.iter().find(|found| found.block == Block::Task(begun.task)));
        let of = |metric: Metric| metric.of(at_switch?, block?);
        let curve = self.accuracy_curve(place + 1);
        NextTask {
            rank: of(Metric::EffectiveRank),
            condition: block.and_then(condition),
            top_share: of(Metric::LambdaMax).zip(of(Metric::Trace)).map(|(top, trace)| top / trace),
            dormant: of(Metric::Dormant),
            dead: of(Metric::Dead),
            alignment: of(self.usual(Metric::AlignmentCentred)),
            leave_one_out: of(Metric::LeaveOneOut),
            area: curve.as_deref().and_then(area),
            steps: curve.as_deref().and_then(|curve| first_at(curve, self.halfway(begun.task)?)),
        }
    }

    /// Returns the test accuracy of a task among its own classes against the steps since it began, from the switch to its end; `None`
    /// while it has not ended.
    fn accuracy_curve(&self, place: usize) -> Option<Vec<(f64, f64)>> {
        let begun = self.tasks().get(place)?;
        let end = match self.tasks().get(place + 1) {
            Some(next) => next.step,
            None if matches!(self.state(), RunState::Ended(Ending::Finished { .. })) => self.rows().last()?.step,
            None => return None,
        };
        let within = self.rows().iter().filter(|row| (begun.step..=end).contains(&row.step));
        let of_task = |accuracy: &&Accuracy| accuracy.task == begun.task;
        let point = |row: &Row| {
            let accuracy = row.accuracy.iter().find(of_task)?;
            Some(((row.step - begun.step) as f64, accuracy.masked?))
        };
        within.map(point).collect()
    }

    /// Returns the accuracy halfway between chance and 1 in a task.
    fn halfway(&self, task: usize) -> Option<f64> {
        let classes = self.info()?.tasks.get(task.checked_sub(1)?)?.classes.len();
        Some((1.0 + 1.0 / classes.max(1) as f64) / 2.0)
    }
}

fn condition(block: &BlockMetrics) -> Option<f64> {
    let least = block.lambda_min.filter(|least| *least > 0.0)?;
    Some(block.lambda_max? / least).filter(|ratio| ratio.is_finite())
}

/// Returns the mean of a curve of straight pieces.
fn area(curve: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (curve.first()?.0, curve.last()?.0);
    let pieces = curve.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0);
    (last > first).then(|| pieces.sum::<f64>() / (last - first))
}

/// Returns where a curve of straight pieces first reaches a value.
fn first_at(curve: &[(f64, f64)], value: f64) -> Option<f64> {
    let place = curve.iter().position(|point| point.1 >= value)?;
    let (at, reached) = curve[place];
    let Some(&(before, below)) = place.checked_sub(1).and_then(|before| curve.get(before)) else { return Some(at) };
    Some(before + (at - before) * (value - below) / (reached - below))
}
