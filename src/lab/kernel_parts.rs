//! Computes the parts of a kernel: its layers and tensors, its sets of logits and the blocks between tasks, with the
//! metrics of each.
//!
//! Of layers, tensors and sets of logits only the blocks of the tasks are stored, since the metrics need nothing else.
//! Velocities are over the same lag as those of the whole.

use std::ops::Range;
use std::sync::Arc;

use crate::math::alignment::{alignment, alignment_centred, alignment_debiased};
use crate::math::distance::{Centring, distance_if_defined};
use crate::math::lanczos::largest;
use crate::math::{Gram, NotFinite};
use crate::ntk::{MeasuredKernels, PartKind};
use crate::run::{LayerMetrics, LogitMetrics, Logits, TensorGram, TensorMetrics, finite};
use crate::spec::tensor_grams_fit;

/// The blocks of one part, in order of task number.
type Blocks = Vec<Gram>;

/// The parts of one measured kernel.
#[derive(Clone, Debug, Default)]
pub struct KernelParts {
    layers: Vec<(Arc<str>, Blocks)>,
    tensors: Vec<(Arc<str>, Blocks)>,
    logits: Vec<Blocks>,
}

impl KernelParts {
    /// Cuts the parts of a kernel of `n` images into the blocks of the tasks, and symmetrises them.
    pub fn cut(measured: &MeasuredKernels, n: usize, tasks: &[Range<usize>]) -> Result<Self, NotFinite> {
        let block = |values: &[f64], rows: &Range<usize>| {
            let entries = rows.clone().flat_map(|row| &values[row * n..][rows.clone()]).copied().collect();
            Ok(Gram::symmetrised(rows.len(), entries)?.0)
        };
        let cut = |values: &[f64]| tasks.iter().map(|rows| block(values, rows)).collect::<Result<Blocks, _>>();
        let named = |(name, values): &(Arc<str>, Vec<f64>)| Ok((Arc::clone(name), cut(values)?));
        let parts: Vec<(Arc<str>, Blocks)> = measured.parts.iter().map(named).collect::<Result<_, _>>()?;
        let logits = measured.logits.iter().map(|values| cut(values)).collect::<Result<_, _>>()?;
        let (layers, tensors) = match measured.apart {
            PartKind::Tensors => (by_layer(&parts), parts),
            PartKind::Layers | PartKind::No => (parts, Vec::new()),
        };
        Ok(Self { layers, tensors, logits })
    }

    /// Computes the metrics of each layer. `before` are the parts one lag ago and that lag in epochs, `wholes` the blocks of all
    /// layers together.
    pub fn layers(&self, before: Option<(&Self, f64)>, wholes: &[Gram], labels: &[&[usize]]) -> Arc<[LayerMetrics]> {
        let one = |task: usize, place: usize| {
            let (name, blocks) = &self.layers[place];
            let gram = &blocks[task];
            let velocity = |centring| {
                let (before, lag) = before?;
                velocity(gram, &before.layers.get(place)?.1[task], lag, centring)
            };
            LayerMetrics {
                task: task + 1,
                layer: Arc::clone(name),
                velocity: velocity(Centring::Centred),
                velocity_debiased: velocity(Centring::Debiased),
                alignment: finite(alignment(gram, labels[task])),
                alignment_centred: alignment_centred(gram, labels[task]).and_then(finite),
                alignment_debiased: alignment_debiased(gram, labels[task]).and_then(finite),
                share: finite(gram.trace() / wholes[task].trace()),
            }
        };
        (0..wholes.len()).flat_map(|task| (0..self.layers.len()).map(move |place| one(task, place))).collect()
    }

    /// Computes the metrics of each tensor in the same way.
    pub fn tensors(&self, before: Option<(&Self, f64)>, wholes: &[Gram]) -> Arc<[TensorMetrics]> {
        let one = |task: usize, place: usize| {
            let (name, blocks) = &self.tensors[place];
            let gram = &blocks[task];
            let velocity = |centring| {
                let (before, lag) = before?;
                velocity(gram, &before.tensors.get(place)?.1[task], lag, centring)
            };
            TensorMetrics {
                task: task + 1,
                tensor: Arc::clone(name),
                velocity: velocity(Centring::Centred),
                velocity_debiased: velocity(Centring::Debiased),
                share: finite(gram.trace() / wholes[task].trace()),
            }
        };
        (0..wholes.len()).flat_map(|task| (0..self.tensors.len()).map(move |place| one(task, place))).collect()
    }

    /// Computes the metrics of each set of logits.
    pub fn logits(&self, before: Option<(&Self, f64)>) -> Arc<[LogitMetrics]> {
        let one = |task: usize, place: usize| {
            let gram = &self.logits[place][task];
            let velocity = |centring| {
                let (before, lag) = before?;
                velocity(gram, &before.logits.get(place)?[task], lag, centring)
            };
            LogitMetrics {
                task: task + 1,
                logits: [Logits::Old, Logits::New][place],
                velocity: velocity(Centring::Centred),
                velocity_debiased: velocity(Centring::Debiased),
                lambda_max: largest(gram.len(), |vector, product| gram.multiply(vector, product)).and_then(finite),
                trace: finite(gram.trace()),
            }
        };
        let tasks = self.logits.first().map_or(0, Vec::len);
        (0..tasks).flat_map(|task| (0..self.logits.len()).map(move |place| one(task, place))).collect()
    }
}

/// Returns the sum of the tensors of each layer, which are adjacent in the list.
fn by_layer(tensors: &[(Arc<str>, Blocks)]) -> Vec<(Arc<str>, Blocks)> {
    let of_one = |group: &[(Arc<str>, Blocks)]| {
        let name = PartKind::Layers.part_of(&group[0].0).into();
        let block = |task: usize| group[1..].iter().fold(group[0].1[task].clone(), |sum, part| sum.plus(&part.1[task]));
        (name, (0..group[0].1.len()).map(block).collect())
    };
    let same = |a: &(Arc<str>, Blocks), b: &(Arc<str>, Blocks)| {
        PartKind::Layers.part_of(&a.0) == PartKind::Layers.part_of(&b.0)
    };
    tensors.chunk_by(same).map(of_one).collect()
}

/// Returns the Grams of all tensors of a measured kernel of `n` images, as a snapshot carries them; an empty list where
/// they are too large.
pub fn tensor_grams(measured: &MeasuredKernels, n: usize) -> Arc<[TensorGram]> {
    if measured.apart != PartKind::Tensors || !tensor_grams_fit(n, measured.parts.len()) {
        return Arc::default();
    }
    measured.parts.iter().map(|(name, values)| TensorGram::pack(Arc::clone(name), n, values)).collect()
}

fn velocity(gram: &Gram, before: &Gram, lag_epochs: f64, centring: Centring) -> Option<f64> {
    distance_if_defined(gram, before, centring).and_then(|gap| finite(gap / lag_epochs))
}
