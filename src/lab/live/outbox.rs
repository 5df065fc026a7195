//! What a run tells, in the order in which it happened: while a snapshot is still being analysed, what came after it waits.
//!
//! What waits is bounded: the trainer gets at most a few snapshots ahead of the analyst ([`crate::lab::Stage`]), and reports come no more
//! often than the screen is drawn. Were the order left to chance, two runs of one spec would not be the same, and a folder
//! could say that a task began before the kernel at its start was seen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::analyst::{Answer, Work};
use super::fork::Now;
use super::{Live, Stop};
use crate::run::{Block, Event, Row};

/// How often a run that waits for the analyst looks whether it is to end.
const TICK: Duration = Duration::from_millis(20);
/// How long a run that was stopped waits for snapshots in the making.
const PATIENCE: Duration = Duration::from_millis(300);

/// Something that is told of once everything before it has been.
pub(super) enum Waiting {
    Told(Event),
    /// The analyst's next answer. The trainer had to wait so many seconds before it could hand this one over.
    Snapshot {
        waiting_seconds: f64,
        step: u64,
    },
    /// The analyst's next answer, which completes what was kept here.
    Fork(Box<Now>),
}

impl Waiting {
    /// The event, with the analyst's answer where one was waited for; and one that is told before it, if any.
    fn told(self, answer: Option<Answer>) -> (Option<Event>, Event) {
        match (self, answer) {
            (Self::Told(event), None) => (None, event),
            (Self::Snapshot { waiting_seconds, .. }, Some(Answer::Snapshot(mut snapshot, partner))) => {
                snapshot.row.cost.waiting_seconds = waiting_seconds;
                (partner.map(Event::Partner), Event::Snapshot(Arc::from(snapshot)))
            }
            (Self::Fork(now), Some(Answer::Meter(meter))) => (None, Event::Forked(Arc::new(now.complete(*meter)))),
            _ => unreachable!("answers come in the order of the work"),
        }
    }
}

impl Live<'_> {
    /// Tells of this, after all that came before.
    pub(super) fn emit(&mut self, event: Event) -> Result<(), Stop> {
        self.outbox.push_back(Waiting::Told(event));
        self.deliver(Duration::ZERO).map(|_| ())
    }

    /// Hands work to the analyst; says how long that had to wait.
    pub(super) fn hand_over(&mut self, work: Work) -> Result<Duration, Stop> {
        let cancelled = || self.control.cancelled();
        self.analyst.give(work, &cancelled).ok_or(Stop::Cancelled)
    }

    /// Tells of everything that is ready, waiting for a snapshot at most this long. False when something still waits.
    pub(super) fn deliver(&mut self, at_most: Duration) -> Result<bool, Stop> {
        // A snapshot leaves the queue only with its answer: if the analyst breaks instead, nothing behind it is told.
        while let Some(next) = self.outbox.front() {
            let step = match next {
                Waiting::Told(_) => None,
                Waiting::Snapshot { step, .. } => Some(*step),
                Waiting::Fork(now) => Some(now.step()),
            };
            let answer = match step.map(|step| (step, self.analyst.answer(at_most))) {
                None => None,
                Some((_, Ok(Some(answer)))) => Some(answer),
                Some((_, Ok(None))) => return Ok(false),
                Some((step, Err(message))) => {
                    // As if it had been seen at once: what came later did not happen.
                    self.outbox.clear();
                    return Err(Stop::Failed { step, message });
                }
            };
            let Some(next) = self.outbox.pop_front() else { break };
            let (before, event) = next.told(answer);
            let warning = if let Event::Snapshot(snapshot) = &event { self.unstable(&snapshot.row) } else { None };
            before.into_iter().try_for_each(|before| self.sink.emit(before))?;
            self.sink.emit(event)?;
            warning.into_iter().try_for_each(|warning| self.sink.emit(warning))?;
        }
        Ok(true)
    }

    /// Says at the start of a run when its rate is beyond the largest stable one: 2 (1 + μ) over the curvature of the loss, of
    /// which the first kernel tells. An optimiser that does not follow the gradient has no such rate.
    fn unstable(&self, row: &Row) -> Option<Event> {
        let training = &self.spec.training;
        if row.step > 0 || !training.optimiser.follows_gradient() {
            return None;
        }
        let block = row.blocks.iter().find(|block| block.block == Block::Task(row.task))?;
        let rows = self.data.probes.blocks[row.task - 1].len() as f64;
        let gain = self.spec.network.laziness().map_or(1.0, |alpha| alpha * alpha);
        let entries = rows * self.data.set.outputs() as f64;
        let squared = training.loss.is_squared().then(|| row.rate * gain * block.lambda_max / entries);
        let sharpness = block.sharpness_loss.or(squared)?;
        let most = 2.0 * (1.0 + training.momentum);
        let message = format!(
            "The rate {} is about {:.1} times the largest stable one, 2 (1 + momentum)/curvature of the loss on the probes: \
             the fastest mode grows at first; a rate below {:.2e} is stable",
            training.rate,
            sharpness / most,
            training.rate * most / sharpness
        );
        (sharpness > most).then_some(Event::Warning { step: row.step, epoch: row.epoch, message })
    }

    /// Waits until everything is told.
    pub(super) fn settle(&mut self) -> Result<(), Stop> {
        while !self.deliver(TICK)? {
            self.check_cancelled()?;
        }
        Ok(())
    }

    /// Tells of what is there, of snapshots in the making only if they come soon.
    pub(super) fn settle_soon(&mut self) -> Result<(), Stop> {
        let until = Instant::now() + PATIENCE;
        while !self.deliver(TICK)? {
            if Instant::now() >= until {
                self.outbox.retain(|waiting| matches!(waiting, Waiting::Told(_)));
            }
        }
        Ok(())
    }
}
