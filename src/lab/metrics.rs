//! Computes the metrics of a measured kernel: a [`Meter`] turns kernels into rows, and stores the few Grams that
//! velocities and distances need. It uses plain f64, no tensor.
//!
//! Velocities are taken here, from every measured kernel, so snapshots that the window skips do not change a curve. No
//! lag straddles a switch: the kernels of a task are dropped when it ends, except the one at the exact step of the
//! switch, which is the start of the next task.

use std::ops::Range;
use std::sync::Arc;

use super::kernel_parts::KernelParts;
use super::lag::{Lag, Lagged};
use crate::analysis::{Moved, ReferenceKernels};
use crate::data::Targets;
use crate::math::alignment::{alignment, alignment_centred, alignment_debiased};
use crate::math::distance::{Centring, change, distance, distance_if_defined};
use crate::math::dormancy::{Dormancy, UnitResponses};
use crate::math::lanczos::largest;
use crate::math::spectrum::eigenvalues;
use crate::math::{Gram, NotFinite};
use crate::ntk::{FullKernel, MeasuredKernels};
use crate::run::{Block, BlockMetrics, CrossMetrics, OptimiserMetrics, Row, StepSharpness, finite};
use crate::spec::Loss;
use crate::train::score;

/// One measured kernel, cut into its blocks.
#[derive(Clone, Debug)]
pub struct MeasuredBlocks {
    /// The whole first, then each task's block.
    grams: Vec<Gram>,
    /// Whether a snapshot holds it.
    has_snapshot: bool,
    /// The same blocks of the optimiser's kernel, where there is one.
    optimiser: Option<Vec<Gram>>,
    parts: KernelParts,
    full: Option<FullKernel>,
}

/// The spectra of a reading: the whole first, then each task's block; ascending.
#[derive(Clone, Debug)]
pub struct Spectra(Vec<Vec<f64>>);

/// The meter of a run: the references of its metrics.
#[derive(Clone)]
pub struct Meter {
    labels: Vec<usize>,
    /// The targets of the one output, in regression.
    values: Vec<f32>,
    loss: Loss,
    /// α² of the laziness: the loss is taken of α f, and the kernel is that of f.
    gain: f64,
    blocks: Vec<(Block, Range<usize>)>,
    first: Option<Vec<Gram>>,
    at_switch: Option<Vec<Gram>>,
    recent: Lagged<MeasuredBlocks>,
    /// The sharpness after steps near a switch, since the last snapshot.
    sharp: Vec<StepSharpness>,
    /// Θ̊, cut into its blocks, where there is one.
    limit: Option<Vec<Gram>>,
}

impl Meter {
    /// Returns a meter for probes with these labels; `tasks` are the rows of each task's block, and `loss` is the
    /// training loss, of α f where there is an `alpha`.
    pub fn new(labels: Vec<usize>, tasks: &[Range<usize>], loss: Loss, alpha: Option<f64>) -> Self {
        let whole = (Block::All, 0..labels.len());
        let own = tasks.iter().enumerate().map(|(place, rows)| (Block::Task(place + 1), rows.clone()));
        let blocks = std::iter::once(whole).chain(own).collect();
        let gain = alpha.map_or(1.0, |alpha| alpha * alpha);
        Self {
            labels,
            values: Vec::new(),
            loss,
            gain,
            blocks,
            first: None,
            at_switch: None,
            recent: Lagged::default(),
            sharp: Vec::new(),
            limit: None,
        }
    }

    /// Makes it the meter of a regression with these targets.
    pub fn of_values(self, values: Vec<f32>) -> Self {
        Self { values, ..self }
    }

    /// Returns the targets of the outputs on some probes.
    pub fn targets(&self, rows: Range<usize>) -> Targets<'_> {
        Targets::of(&self.labels[rows.clone()], self.values.get(rows).unwrap_or_default())
    }

    /// Adds the distance of each kernel from the infinite-width one to the metrics.
    pub fn against(self, limit: Option<Gram>) -> Self {
        let cut = |limit: Gram| self.blocks.iter().map(|(_, rows)| limit.block(rows.clone())).collect();
        Self { limit: limit.map(cut), ..self }
    }

    /// Returns the infinite-width kernel.
    pub fn limit(&self) -> Option<&Gram> {
        self.limit.as_ref()?.first()
    }

    /// Returns the number of probe images.
    pub fn probes(&self) -> usize {
        self.labels.len()
    }

    /// Symmetrises and cuts a measured kernel.
    pub fn read(&self, measured: MeasuredKernels) -> Result<MeasuredBlocks, NotFinite> {
        let parts = KernelParts::cut(&measured, self.labels.len(), &self.tasks())?;
        let (whole, _) = Gram::symmetrised(self.labels.len(), measured.trace)?;
        let cut = |whole: &Gram| self.blocks.iter().map(|(_, rows)| whole.block(rows.clone())).collect();
        let optimiser = measured.optimiser.map(|values| Gram::symmetrised(self.labels.len(), values)).transpose()?;
        let optimiser = optimiser.map(|(whole, _)| cut(&whole));
        Ok(MeasuredBlocks { grams: cut(&whole), has_snapshot: false, optimiser, parts, full: measured.full })
    }

    /// Returns the class of each probe.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Returns the rows of each task's block.
    pub fn tasks(&self) -> Vec<Range<usize>> {
        self.blocks[1..].iter().map(|(_, rows)| rows.clone()).collect()
    }

    /// Returns the Gram at the beginning of this lag, if no snapshot holds it.
    pub fn partner(&self, lag: Lag) -> Option<&Gram> {
        self.recent.before(lag).filter(|before| !before.has_snapshot).map(MeasuredBlocks::whole)
    }

    /// Stores the reading at the end of this lag for later velocities; `has_snapshot` where a snapshot holds it.
    pub fn store(&mut self, lag: Lag, reading: MeasuredBlocks, has_snapshot: bool) {
        // No later velocity needs the full kernel, which is C² times the size.
        let reading = MeasuredBlocks { full: None, has_snapshot, ..reading };
        if self.first.is_none() {
            self.first = Some(reading.grams.clone());
        }
        self.recent.store(lag, reading);
    }

    /// Ends a task: its last reading is the reference of the next one, and the start of its first lag.
    pub fn switch(&mut self) {
        if let Some(last) = self.recent.switch() {
            self.at_switch = Some(last.grams.clone());
        }
    }

    /// Returns the spectra of a reading.
    ///
    /// # Errors
    /// When the eigen-solver fails; the error is one sentence.
    pub fn spectra(&self, reading: &MeasuredBlocks) -> Result<Spectra, String> {
        Ok(Spectra(reading.grams.iter().map(eigenvalues).collect::<Result<_, _>>()?))
    }

    /// Measures the sharpness on each task's probes after this step, for the next row.
    pub fn sharpen(&mut self, (step, epoch): (u64, f64), full: &FullKernel, outputs: &[f32], rate: Option<f64>) {
        for (place, rows) in self.tasks().into_iter().enumerate() {
            let (sharpness, sharpness_loss) = self.sharpness(full, rows, outputs, rate);
            let (at_step, at_epoch, task) = (step, finite(epoch), place + 1);
            self.sharp.push(StepSharpness { at_step, at_epoch, task, sharpness, sharpness_loss });
        }
    }

    /// Returns η λ_max on these probes, of the squared error and of the training loss, with the rate that reaches the optimiser.
    fn sharpness(
        &self,
        full: &FullKernel,
        rows: Range<usize>,
        outputs: &[f32],
        rate: Option<f64>,
    ) -> (Option<f64>, Option<f64>) {
        let squared = full.sharpness(rows.clone());
        let of_loss = match self.loss {
            Loss::Mse => squared,
            Loss::CrossEntropy => full.sharpness_of_cross_entropy(rows, outputs),
        };
        let in_steps = |value: Option<f64>| finite(rate? * self.gain * value?);
        (in_steps(squared), in_steps(of_loss))
    }

    /// Fills the row with the metrics of every block, layer, tensor, pair of tasks and set of logits. `outputs` are those of the
    /// probes, [n, C]; `moved` is how far the weights went over the lag.
    pub fn fill(
        &mut self,
        row: &mut Row,
        reading: &MeasuredBlocks,
        spectra: &Spectra,
        outputs: &[f32],
        moved: Moved,
        lag: Lag,
    ) {
        row.blocks = self.metrics(reading, spectra, outputs, moved, lag, row.rate);
        row.sharpness = std::mem::take(&mut self.sharp).into();
        let tasks = self.tasks();
        let labels: Vec<&[usize]> = tasks.iter().map(|rows| &self.labels[rows.clone()]).collect();
        let before = self.recent.before(lag).map(|before| &before.parts).zip(lag.epochs());
        row.layers = reading.parts.layers(before, &reading.grams[1..], &labels);
        row.tensors = reading.parts.tensors(before, &reading.grams[1..]);
        row.logits = reading.parts.logits(before);
        row.cross = CrossMetrics::between(reading.whole(), &tasks);
        row.optimiser = self.geometry(reading, lag);
    }

    /// Counts the dormant units on the probes of each block.
    pub fn count_dormant(&self, row: &mut Row, layers: &[UnitResponses]) {
        for (metrics, (_, rows)) in row.blocks.iter_mut().zip(&self.blocks) {
            let found = Dormancy::of(layers, rows.clone());
            (metrics.dormant, metrics.dead) = (found.map(|found| found.dormant), found.map(|found| found.dead));
        }
    }

    /// Computes the metrics of the optimiser's kernel, block by block.
    fn geometry(&self, reading: &MeasuredBlocks, lag: Lag) -> Arc<[OptimiserMetrics]> {
        let Some(grams) = &reading.optimiser else { return Arc::default() };
        let before = self.recent.before(lag).and_then(|before| before.optimiser.as_ref()).zip(lag.epochs());
        let one = |(place, (block, rows)): (usize, &(Block, Range<usize>))| {
            let (gram, labels) = (&grams[place], &self.labels[rows.clone()]);
            let velocity = |centring| {
                let (before, lag) = before?;
                finite(distance_if_defined(gram, &before[place], centring)? / lag)
            };
            OptimiserMetrics {
                block: *block,
                velocity: velocity(Centring::Centred),
                velocity_debiased: velocity(Centring::Debiased),
                apart: finite(distance(gram, &reading.grams[place], Centring::Centred)),
                apart_debiased: distance_if_defined(gram, &reading.grams[place], Centring::Debiased).and_then(finite),
                alignment: finite(alignment(gram, labels)),
                alignment_centred: alignment_centred(gram, labels).and_then(finite),
                alignment_debiased: alignment_debiased(gram, labels).and_then(finite),
                lambda_max: largest(gram.len(), |vector, product| gram.multiply(vector, product)).and_then(finite),
                trace: finite(gram.trace()),
            }
        };
        self.blocks.iter().enumerate().map(one).collect()
    }

    fn metrics(
        &self,
        reading: &MeasuredBlocks,
        spectra: &Spectra,
        outputs: &[f32],
        moved: Moved,
        lag: Lag,
        rate: Option<f64>,
    ) -> Vec<BlockMetrics> {
        let before = self.recent.before(lag).zip(lag.steps).zip(lag.epochs());
        let classes = outputs.len() / self.labels.len().max(1);
        let one = |(place, (block, rows)): (usize, &(Block, Range<usize>))| {
            let gram = &reading.grams[place];
            let labels = &self.labels[rows.clone()];
            let own = &outputs[rows.start * classes..rows.end * classes];
            let spectrum = &spectra.0[place];
            let first = self.first.as_ref().map_or(gram, |grams| &grams[place]);
            let of_task = reading.full.as_ref().filter(|_| *block != Block::All);
            let sharp = of_task.map(|full| self.sharpness(full, rows.clone(), outputs, rate));
            let (sharpness, sharpness_loss) = sharp.unwrap_or_default();
            let against = ReferenceKernels {
                start: first,
                switch: self.at_switch.as_ref().map(|grams| &grams[place]),
                lagged: before.map(|((before, steps), epochs)| (&before.grams[place], steps, epochs)),
                moved,
                labels: Some(labels),
            };
            BlockMetrics {
                loss: finite(score(own, self.targets(rows.clone()), &[], self.loss).loss),
                alignment_full: reading
                    .full
                    .as_ref()
                    .filter(|_| self.values.is_empty())
                    .and_then(|full| finite(full.alignment(rows.clone(), &self.labels))),
                sharpness,
                sharpness_loss,
                infinite_error: self.limit.as_ref().and_then(|limit| finite(change(gram, &limit[place]).drift)),
                ..BlockMetrics::of_kernel(*block, gram, spectrum, &against)
            }
        };
        self.blocks.iter().enumerate().map(one).collect()
    }
}

impl MeasuredBlocks {
    /// Returns the whole Gram.
    pub fn whole(&self) -> &Gram {
        &self.grams[0]
    }
}

impl Spectra {
    /// Returns the eigenvalues of the whole, and those of each task's block.
    pub fn into_parts(mut self) -> (Vec<f64>, Vec<Vec<f64>>) {
        let blocks = self.0.split_off(1);
        (self.0.pop().unwrap_or_default(), blocks)
    }
}
