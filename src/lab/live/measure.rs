//! A kernel, and where a snapshot is due, everything that the network is asked for it. The rest is the analyst's.

use std::time::{Duration, Instant};

use super::analyst::{Asked, Work};
use super::bench::Bench;
use super::outbox::Waiting;
use super::{Current, Live, Stop};
use crate::lab::lag::Lag;
use crate::math::all_finite;
use crate::run::{Row, SnapshotCost};

impl Live<'_> {
    /// Measures the kernel; where a snapshot is due (or the task ends here), also everything that is told of it.
    pub(super) fn measure(&mut self, current: &mut Current, at_switch: bool) -> Result<(), Stop> {
        let began = Instant::now();
        let snapshot = at_switch || current.done == 0 || current.cadence.snapshot_due(current.done);
        let want_full = snapshot && (at_switch || current.done == 0 || current.cadence.epoch_ends(current.done));
        let epoch = self.epoch(current);
        let asked = self.spec.kernel.optimiser.then(|| self.at.regime.frozen.clone());
        let kernel = |bench: &mut Bench, cancelled: &dyn Fn() -> bool| {
            let mut measured = bench.kernel(want_full, cancelled)?;
            if let Some(frozen) = &asked {
                measured.optimiser = bench.optimiser_kernel(&measured.trace, frozen, cancelled)?;
            }
            Some(measured)
        };
        let measured = self.on_device(epoch, kernel)?.ok_or(Stop::Cancelled)?;
        // Here and not by the analyst: training must not go on from weights that are no numbers.
        let both = [Some(&measured.trace), measured.optimiser.as_ref()];
        both.into_iter().flatten().try_for_each(|values| all_finite(self.data.probes.len(), values)).map_err(
            |err| Stop::Diverged(format!("{err} at step {}: start again with a smaller rate", self.at.step)),
        )?;
        let kernel_seconds = began.elapsed().as_secs_f64();
        let lag = Lag { done: current.done, steps: current.cadence.lag(), epoch_steps: current.epoch_steps };
        let asked = if snapshot { Some(self.ask(current, lag, (at_switch, want_full), kernel_seconds)?) } else { None };
        self.on_device(epoch, |bench, _| bench.hold(lag))?;
        if snapshot {
            self.keep_spare(epoch)?;
        }
        let waited = self.hand_over(Work::Kernel { measured: Box::new(measured), lag, asked: asked.map(Box::new) })?;
        // What training loses; the analyst's own time is beside it. Before telling of it: waiting for a reader is no measuring.
        self.pulse.measured(began.elapsed());
        self.waited += waited;
        if snapshot {
            current.measured = true;
            current.losses = (0.0, 0);
            let share = self.pulse.take_share();
            if self.spec.kernel.budget > 0.0 {
                current.cadence.keep_to(self.spec.kernel.budget, share);
            }
            let waiting_seconds = std::mem::take(&mut self.waited).as_secs_f64();
            self.outbox.push_back(Waiting::Snapshot { waiting_seconds, step: self.at.step });
            self.deliver(Duration::ZERO)?;
        }
        Ok(())
    }

    /// What only the trainer knows of a snapshot: rows of numbers, and outputs of the network.
    /// At a switch, and at the end of an epoch, where the dearer numbers are wanted.
    fn ask(
        &mut self,
        current: &Current,
        lag: Lag,
        (at_switch, dearer): (bool, bool),
        kernel_seconds: f64,
    ) -> Result<Asked, Stop> {
        let began = Instant::now();
        let tasks = self.data.stream.tasks().len();
        let answer = |bench: &mut Bench, cancelled: &dyn Fn() -> bool| bench.answers(lag, (dearer, tasks), cancelled);
        let answers = self.on_device(self.epoch(current), answer)?.ok_or(Stop::Cancelled)?;
        let evaluation_seconds = began.elapsed().as_secs_f64();
        let (sum, count) = current.losses;
        let row = Row {
            at_switch,
            train_loss: (count > 0).then(|| sum / count as f64),
            rate: self.rate(),
            grad_norm: self.pulse.take_grad_norm(),
            cost: SnapshotCost { kernel_seconds, evaluation_seconds, ..SnapshotCost::default() },
            ..Row::bare(self.at.step, self.epoch(current), current.number)
        };
        Ok(Asked { row, answers })
    }
}
