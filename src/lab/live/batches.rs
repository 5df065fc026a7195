//! Draws the batches of a run: the images of a step follow from its address alone.

use crate::data::{Batch, Prepared, ReplayMemory, batch_order, batch_range, further_images, steps_per_epoch};
use crate::spec::Spec;
use crate::train::StepOptions;

/// The address of a step within a run.
#[derive(Clone, Copy)]
pub(super) struct StepAddress {
    /// The index of the task in the order of training.
    pub place: usize,
    /// The number of the task.
    pub task: usize,
    /// The number of its steps done before.
    pub done: u64,
    /// The step of the run at which it began.
    pub begun: u64,
}

/// The plan of a training step: everything that determines it, so that it can be repeated.
#[derive(Clone)]
pub(super) struct StepPlan {
    pub at: StepAddress,
    /// The number of images of each earlier task that are replayed.
    pub replay: usize,
    pub terms: StepOptions,
}

/// The batches of a run, in random access, with a cache for the next one.
#[derive(Default)]
pub(super) struct Batches {
    /// The task and epoch of this order.
    of: Option<(usize, u64)>,
    order: Vec<usize>,
    /// The index in the order of training of the task that this memory is for, and the number of images of each earlier
    /// task in it.
    remembers: Option<(usize, usize)>,
    memory: ReplayMemory,
}

impl Batches {
    /// Returns the images of a step, with the replayed images of earlier tasks; `trained` are the tasks begun before, by
    /// number. Batches that are averaged come as one, whose gradient is the mean over their images.
    pub fn get(
        &mut self,
        spec: &Spec,
        data: &Prepared,
        trained: &[usize],
        &StepPlan { at: StepAddress { place, task, done, .. }, replay, .. }: &StepPlan,
    ) -> Batch {
        if spec.continual.strategy.is_joint() {
            return self.joint(spec, data, &trained[..place], (task, done));
        }
        let stream = data.stream.task(task);
        let (epoch, within) = (done / stream.info().steps_per_epoch, done % stream.info().steps_per_epoch);
        self.shuffle(spec, (task, epoch), stream.train_len());
        let images = self.images(spec, (task, done), within);
        let mut batch = Batch::default();
        stream.append(&images, &mut batch.pixels, &mut batch.labels);
        batch.values.extend(stream.values(&images));
        batch.images.extend(images.iter().map(|&image| (task, image)));
        if self.remembers != Some((place, replay)) {
            self.memory = ReplayMemory::of(spec.seed, &data.stream, &earlier(&trained[..place], task), replay);
            self.remembers = Some((place, replay));
        }
        self.memory.append_samples((spec.seed, task, done), batch.labels.len(), &data.stream, &mut batch);
        batch
    }

    /// Returns the images of a step of joint training: passes through the images of all these tasks and the current one, each
    /// image once in a pass. While there is one task the passes are its epochs.
    fn joint(&mut self, spec: &Spec, data: &Prepared, trained: &[usize], (task, done): (usize, u64)) -> Batch {
        let mut tasks = earlier(trained, task);
        tasks.push(task);
        let lengths: Vec<usize> = tasks.iter().map(|&task| data.stream.task(task).train_len()).collect();
        let count = lengths.iter().sum();
        let steps = steps_per_epoch(count, spec.training.batch);
        let (pass, within) = (done / steps, done % steps);
        self.shuffle(spec, (task, pass), count);
        let mut batch = Batch::default();
        for mut image in self.images(spec, (task, done), within) {
            // The images of all tasks are numbered one task after the other.
            let mut place = 0;
            while image >= lengths[place] {
                image -= lengths[place];
                place += 1;
            }
            batch.append(data.stream.task(tasks[place]), image);
        }
        batch
    }

    /// Makes the order that of this epoch of a task, of so many images.
    fn shuffle(&mut self, spec: &Spec, (task, epoch): (usize, u64), count: usize) {
        if self.of != Some((task, epoch)) {
            self.order = batch_order(spec.seed, task, epoch, count);
            self.of = Some((task, epoch));
        }
    }

    /// Returns the images of a step of a task, at this step of the epoch, with those of the batches that are averaged with it.
    fn images(&self, spec: &Spec, at: (usize, u64), within: u64) -> Vec<usize> {
        let (batch, count) = (spec.training.batch, self.order.len());
        let mut images = self.order[batch_range(within, batch, count)].to_vec();
        if spec.training.average > 1 {
            let more = batch.saturating_mul(spec.training.average).saturating_sub(images.len());
            let further = further_images(spec.seed, at, &images, (more, count));
            images.extend(further);
        }
        images
    }
}

/// Returns these tasks without the current one, each once, by number.
pub(super) fn earlier(trained: &[usize], task: usize) -> Vec<usize> {
    let mut earlier: Vec<usize> = trained.iter().copied().filter(|&other| other != task).collect();
    earlier.sort_unstable();
    earlier.dedup();
    earlier
}
