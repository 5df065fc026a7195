//! Draws the batches of a run: the images of a step follow from its address alone.

use crate::data::{Batch, Prepared, ReplayMemory, batch_order, batch_range, further_order, steps_per_epoch};
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
    /// The task and epoch of these orders: the batches of the second and later ones are averaged with those of the first.
    of: Option<(usize, u64)>,
    orders: Vec<Vec<usize>>,
    /// The index in the order of training of the task that this memory is for, and the number of images of each earlier
    /// task in it.
    remembers: Option<(usize, usize)>,
    memory: ReplayMemory,
}

impl Batches {
    /// Returns the images of a step, with the replayed images of earlier tasks; `trained` are the tasks begun before, by
    /// number. Batches that are averaged come as one: they are equally large, so its gradient is the mean of theirs.
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
        let range = batch_range(within, spec.training.batch, stream.train_len());
        let mut batch = Batch::default();
        for order in &self.orders {
            let images = &order[range.clone()];
            stream.append(images, &mut batch.pixels, &mut batch.labels);
            batch.values.extend(stream.values(images));
            batch.images.extend(images.iter().map(|&image| (task, image)));
        }
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
        let range = batch_range(within, spec.training.batch, count);
        let mut batch = Batch::default();
        for &image in self.orders.iter().flat_map(|order| &order[range.clone()]) {
            // The images of all tasks are numbered one task after the other.
            let (mut place, mut image) = (0, image);
            while image >= lengths[place] {
                image -= lengths[place];
                place += 1;
            }
            batch.append(data.stream.task(tasks[place]), image);
        }
        batch
    }

    /// Makes the orders those of this epoch of a task, of so many images.
    fn shuffle(&mut self, spec: &Spec, (task, epoch): (usize, u64), count: usize) {
        if self.of == Some((task, epoch)) {
            return;
        }
        self.orders.clear();
        self.orders.push(batch_order(spec.seed, task, epoch, count));
        let further = |number| further_order(spec.seed, task, epoch, (number, count));
        self.orders.extend((1..spec.training.average).map(further));
        self.of = Some((task, epoch));
    }
}

/// Returns these tasks without the current one, each once, by number.
pub(super) fn earlier(trained: &[usize], task: usize) -> Vec<usize> {
    let mut earlier: Vec<usize> = trained.iter().copied().filter(|&other| other != task).collect();
    earlier.sort_unstable();
    earlier.dedup();
    earlier
}
