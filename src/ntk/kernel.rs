//! Defines kernel measurements: the request and the result.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use faer::MatRef;

use super::Preconditioner;
use super::contract::Tile;
use crate::math::Gram;
use crate::spec::{self, KERNEL_MEMORY, MOST_FULL_ROWS, belongs, layer_of};

/// The reduction of the C logits to one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// (1/C) Σ_c ⟨∇f_c(x), ∇f_c(x′)⟩.
    Trace,
    /// ⟨∇f_c(x), ∇f_d(x′)⟩, index n·C + c.
    Full,
    /// (1/C) Σ_{c,d} ⟨∇f_c(x), ∇f_d(x′)⟩: the kernel of the sum of logits over √C (Mohamadi et al. 2023).
    SumLogits,
}

impl From<spec::Reduction> for Reduction {
    fn from(reduction: spec::Reduction) -> Self {
        match reduction {
            spec::Reduction::Trace => Self::Trace,
            spec::Reduction::SumLogits => Self::SumLogits,
        }
    }
}

/// The parts of a kernel that are stored separately. They sum to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    No,
    /// Weight and bias of a layer together.
    Layers,
    Tensors,
}

impl PartKind {
    /// Returns the name of the part to which a tensor belongs.
    pub fn part_of(self, tensor: &str) -> String {
        match self {
            Self::No => String::new(),
            Self::Layers => layer_of(tensor),
            Self::Tensors => tensor.to_owned(),
        }
    }
}

/// A request for a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub reduction: Reduction,
    pub apart: PartKind,
    /// Sets of logits whose parts of the trace are stored separately, too, with each logit in one of them; empty for one
    /// set.
    pub logits: Vec<Vec<usize>>,
    /// Layers or tensors to include (`fc1`, `blocks.0.ln.bias`); all if `None`.
    pub only: Option<Vec<String>>,
    /// Largest number of bytes of activations, cotangents and gradients at any time.
    pub memory: u64,
    /// P, to compute J P Jᵀ; never with [`Reduction::Full`].
    pub preconditioner: Option<Arc<Preconditioner>>,
}

impl Request {
    /// Returns the request for the whole kernel under this reduction, with the default memory limit.
    pub fn of(reduction: Reduction) -> Self {
        Self {
            reduction,
            apart: PartKind::No,
            logits: Vec::new(),
            only: None,
            memory: KERNEL_MEMORY,
            preconditioner: None,
        }
    }

    /// Returns whether a tensor is included.
    pub fn includes(&self, tensor: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|layer| belongs(tensor, layer)))
    }

    /// Returns the sets of directions of logit space whose parts are stored separately.
    pub(super) fn sets(&self, classes: usize) -> Vec<Vec<usize>> {
        match self.reduction {
            Reduction::SumLogits => vec![vec![0]],
            Reduction::Trace if !self.logits.is_empty() => self.logits.clone(),
            Reduction::Trace | Reduction::Full => vec![(0..classes).collect()],
        }
    }
}

impl Reduction {
    /// Returns the name of the array that holds such a kernel.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Full => "full",
            Self::SumLogits => "sum-logits",
        }
    }

    /// Returns these directions of logit space, [directions, C], scaled such that the sum over equal ones is C times the
    /// reduced kernel (for the sum of logits: the reduced kernel).
    pub(super) fn directions(self, classes: usize, logits: &[usize], device: &Device) -> Tensor<2> {
        let values = match self {
            Self::SumLogits => vec![1.0 / (classes as f32).sqrt(); classes],
            Self::Trace | Self::Full => {
                logits.iter().flat_map(|&c| (0..classes).map(move |d| if c == d { 1.0 } else { 0.0 })).collect()
            }
        };
        Tensor::from_data(TensorData::new(values, [logits.len(), classes]), device)
    }
}

/// A measured kernel, before symmetrisation.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub reduction: Reduction,
    /// Samples of the rows and of the columns.
    pub samples: (usize, usize),
    pub classes: usize,
    /// Row-major; rows and columns are samples, or samples and logits (n·C + c) in the full kernel.
    pub values: Vec<f64>,
    /// The part of each tensor or layer, if requested, in the order of the forward pass; for several sets of logits, one
    /// set after the other.
    pub parts: Vec<(String, Vec<f64>)>,
}

impl Kernel {
    /// Returns a kernel without tiles; `kept` names the parts that are stored separately, or is one empty name.
    pub(super) fn unfilled(reduction: Reduction, samples: (usize, usize), classes: usize, kept: Vec<String>) -> Self {
        let mut kernel = Self { reduction, samples, classes, values: Vec::new(), parts: Vec::new() };
        if kept != [""] {
            kernel.parts = kept.into_iter().map(|name| (name, Vec::new())).collect();
        }
        kernel
    }

    /// Returns the number of rows of the matrix.
    pub fn height(&self) -> usize {
        self.samples.0 * self.logits()
    }

    /// Returns the number of columns of the matrix.
    pub fn width(&self) -> usize {
        self.samples.1 * self.logits()
    }

    /// Returns the trace-reduced kernel [n, m] of a full kernel; of any other, the kernel itself.
    pub fn trace(&self) -> Vec<f64> {
        self.trace_of(&self.values)
    }

    /// Returns the trace-reduced kernel of each part.
    pub fn traces(&self) -> impl Iterator<Item = (&str, Vec<f64>)> {
        self.parts.iter().map(|(part, values)| (part.as_str(), self.trace_of(values)))
    }

    fn trace_of(&self, values: &[f64]) -> Vec<f64> {
        if self.reduction != Reduction::Full {
            return values.to_vec();
        }
        let (classes, width) = (self.classes, self.width());
        let entry = |(i, j): (usize, usize)| {
            (0..classes).map(|c| values[(i * classes + c) * width + j * classes + c]).sum::<f64>() / classes as f64
        };
        (0..self.samples.0).flat_map(|i| (0..self.samples.1).map(move |j| (i, j))).map(entry).collect()
    }

    /// Returns the number of rows and columns per sample.
    fn logits(&self) -> usize {
        if self.reduction == Reduction::Full { self.classes } else { 1 }
    }

    fn sums(&mut self) -> impl Iterator<Item = &mut Vec<f64>> {
        let whole = self.parts.is_empty().then_some(&mut self.values);
        whole.into_iter().chain(self.parts.iter_mut().map(|(_, values)| values))
    }

    /// Writes a finished tile at the position of these samples.
    pub(super) fn place(&mut self, tile: Tile, rows: Range<usize>, columns: Range<usize>) {
        let (logits, width, size) = (self.logits(), self.width(), self.height() * self.width());
        let (across, whole) = (columns.len() * logits, (rows.len(), columns.len()) == self.samples);
        for (part, mut sums) in self.sums().zip(tile.sums) {
            if whole {
                std::mem::swap(part, &mut sums);
                continue;
            }
            part.resize(size, 0.0);
            for (row, sums) in sums.chunks_exact(across).enumerate() {
                let start = (rows.start * logits + row) * width + columns.start * logits;
                part[start..start + across].copy_from_slice(sums);
            }
        }
    }

    /// Completes the half above the diagonal, divides by C where the reduction requires it, and sums the parts.
    pub(super) fn finish(&mut self, same: bool) {
        let (height, width) = (self.height(), self.width());
        let divisor = if self.reduction == Reduction::Trace { self.classes as f64 } else { 1.0 };
        for part in self.sums() {
            if divisor != 1.0 {
                part.iter_mut().for_each(|value| *value /= divisor);
            }
            if same {
                mirror(part, width);
            }
        }
        if !self.parts.is_empty() {
            self.values = vec![0.0; height * width];
            for (_, part) in &self.parts {
                for (sum, value) in self.values.iter_mut().zip(part) {
                    *sum += value;
                }
            }
        }
    }
}

/// Copies the half below the diagonal of a square matrix to the half above it, square by square: traversing a whole column
/// would load a cache line for each entry.
fn mirror(values: &mut [f64], width: usize) {
    const SIDE: usize = 32;
    for first in (0..width).step_by(SIDE) {
        for low in (first..width).step_by(SIDE) {
            for row in first..(first + SIDE).min(width) {
                for column in low.max(row + 1)..(low + SIDE).min(width) {
                    values[row * width + column] = values[column * width + row];
                }
            }
        }
    }
}

/// The kernels of a snapshot, before symmetrisation. All but the full one are row-major [n, n].
#[derive(Clone, Debug)]
pub struct MeasuredKernels {
    /// The kernel under the run's reduction.
    pub trace: Vec<f64>,
    /// The kind of the parts.
    pub apart: PartKind,
    /// The part of each tensor (or layer, according to `apart`), in the order of the forward pass; empty if parts were not
    /// stored separately. They sum to `trace`.
    pub parts: Vec<(Arc<str>, Vec<f64>)>,
    /// (1/|set|) Σ_{c in set} Θ_cc for each set of logits; empty if they were not stored separately. `trace` is their mean,
    /// each weighted with its share of the logits.
    pub logits: Vec<Vec<f64>>,
    /// The full kernel, if requested and not too large.
    pub full: Option<FullKernel>,
    /// J P Jᵀ with the P of the optimiser, if requested and defined.
    pub optimiser: Option<Vec<f64>>,
}

impl MeasuredKernels {
    /// Combines a reduced kernel, its request, and the full kernel of the same images.
    pub fn new(reduced: Kernel, request: &Request, full: Option<Kernel>) -> Self {
        let Kernel { values, mut parts, classes, .. } = reduced;
        let sets = request.sets(classes);
        let per_set = parts.len() / sets.len();
        let full = full.map(FullKernel::from);
        let (trace, logits, optimiser) = (values, Vec::new(), None);
        let mut measured = Self { trace, apart: request.apart, parts: Vec::new(), logits, full, optimiser };
        if sets.len() > 1 {
            let kernel = |(place, set): (usize, &Vec<usize>)| {
                let mut own = parts[place * per_set..][..per_set].iter().map(|part| &part.1);
                let mut kernel = own.next().cloned().unwrap_or_default();
                own.for_each(|part| add(&mut kernel, part));
                let share = classes as f64 / set.len() as f64;
                kernel.iter_mut().for_each(|value| *value *= share);
                kernel
            };
            measured.logits = sets.iter().enumerate().map(kernel).collect();
        }
        if request.apart != PartKind::No {
            // In place: training waits for this, and new memory costs more than the sums.
            let others = parts.split_off(per_set);
            for (place, (_, part)) in others.iter().enumerate() {
                add(&mut parts[place % per_set].1, part);
            }
            measured.parts = parts.into_iter().map(|(name, part)| (name.into(), part)).collect();
        }
        measured
    }

    /// Returns the full kernel Θ ⊗ I of independent logits that share a kernel; `None` if it would be too large.
    pub fn full_of(gram: &Gram, classes: usize) -> Option<FullKernel> {
        let (n, size) = (gram.len(), gram.len() * classes);
        if size > MOST_FULL_ROWS {
            return None;
        }
        let mut values = vec![0.0; size * size];
        for (row, column, class) in (0..n * n * classes).map(|at| (at / classes / n, at / classes % n, at % classes)) {
            values[(row * classes + class) * size + column * classes + class] = gram.at(row, column);
        }
        let (reduction, samples) = (Reduction::Full, (n, n));
        Some(FullKernel(Kernel { reduction, samples, classes, values, parts: Vec::new() }))
    }
}

fn add(sum: &mut [f64], part: &[f64]) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
}

/// The full kernel ⟨∇f_c(x_i), ∇f_d(x_j)⟩ for all pairs of images and logits.
#[derive(Clone, Debug)]
pub struct FullKernel(Kernel);

impl From<Kernel> for FullKernel {
    fn from(kernel: Kernel) -> Self {
        Self(kernel)
    }
}

impl FullKernel {
    /// Returns C.
    pub(super) fn classes(&self) -> usize {
        self.0.classes
    }

    /// Returns the block of these images, [N·C, N·C].
    pub(super) fn block(&self, images: Range<usize>) -> MatRef<'_, f64> {
        let Self(kernel) = self;
        let (first, size) = (images.start * kernel.classes, images.len() * kernel.classes);
        MatRef::from_row_major_slice(&kernel.values, kernel.height(), kernel.width())
            .submatrix(first, first, size, size)
    }

    /// Returns yᵀ Θ y/(‖Θ‖_F ‖y‖²) on the images of a range, with y one-hot: the share of the kernel along the labels.
    /// Baratin et al. 2021 centre features and labels first; without centring the maximum is far below 1.
    pub fn alignment(&self, images: Range<usize>, labels: &[usize]) -> f64 {
        let Self(kernel) = self;
        let (classes, width) = (kernel.classes, kernel.width());
        let (mut along, mut square) = (0.0, 0.0);
        for i in images.clone() {
            for c in 0..classes {
                let row = &kernel.values[(i * classes + c) * width..][..width];
                square +=
                    row[images.start * classes..images.end * classes].iter().map(|value| value * value).sum::<f64>();
                if labels[i] == c {
                    along += images.clone().map(|j| row[j * classes + labels[j]]).sum::<f64>();
                }
            }
        }
        along / (square.sqrt() * images.len() as f64)
    }

    /// Returns the entry of images i, j and logits c, d.
    pub fn at(&self, (i, c): (usize, usize), (j, d): (usize, usize)) -> f64 {
        let Self(kernel) = self;
        kernel.values[(i * kernel.classes + c) * kernel.width() + j * kernel.classes + d]
    }
}
