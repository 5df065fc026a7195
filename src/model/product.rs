//! Multiplies matrices without autodiff, in f32: faer on the processor, burn elsewhere.
//!
//! burn's CPU backend is a tenth slower than faer here and cannot compute only one triangle of a symmetric product, which
//! halves the work of a Gram. Memory is shared without a copy where a tensor is the only owner of its values.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::reborrow::ReborrowMut as _;
use faer::{Accum, MatMut, MatRef, Par};

use super::device::is_host;
use super::device_read::on_host;

/// Number of multiplications below which a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 192 * 192 * 192;

/// Largest number of values of a row that are summed in 32 bits.
pub const LONGEST: usize = 1 << 18;

/// Width in columns of the panels in which one triangle of a product of few rows is computed, each from the diagonal down:
/// faer's own triangular product splits both sides recursively and takes a sixth longer (256 rows of 5,120, one thread).
const PANEL: usize = 32;
const FEW_ROWS: usize = 1024;

/// Computes alpha · A B, or alpha · A Bᵀ where `transposed`: A [rows, k], B [k, columns] or [columns, k].
pub fn times(a: Tensor<2>, b: Tensor<2>, transposed: bool, alpha: f64) -> Tensor<2> {
    let device = a.device();
    if !is_host(&device) {
        let product = a.matmul(if transposed { b.transpose() } else { b });
        return if alpha == 1.0 { product } else { product * alpha };
    }
    let ([rows, inner], [b_rows, b_columns]) = (a.dims(), b.dims());
    let columns = if transposed { b_rows } else { b_columns };
    let (a, b) = (Values::of(a), Values::of(b));
    let right = MatRef::from_row_major_slice(b.slice(), b_rows, b_columns);
    let right = if transposed { right.transpose() } else { right };
    let mut product = vec![0.0f32; rows * columns];
    matmul(
        MatMut::from_row_major_slice_mut(&mut product, rows, columns),
        Accum::Replace,
        MatRef::from_row_major_slice(a.slice(), rows, inner),
        right,
        alpha as f32,
        parallelism(rows * columns * inner),
    );
    Tensor::from_data(TensorData::new(product, [rows, columns]), &device)
}

/// Computes the inner products of rows: A Bᵀ for row-major A [rows, k] and B [columns, k], into `product` [rows, columns].
/// If `lower`, A and B are the same rows and only entries on and below the diagonal are computed; the others are unchanged.
pub fn inner(a: &[f32], b: &[f32], inner: usize, lower: bool, product: &mut [f32]) {
    let entries = product.len();
    inner_by(parallelism(entries * inner), a, b, inner, lower, product);
}

/// Computes [`inner`] on this thread alone, for callers that distribute the work themselves.
pub fn inner_here(a: &[f32], b: &[f32], inner: usize, lower: bool, product: &mut [f32]) {
    inner_by(Par::Seq, a, b, inner, lower, product);
}

/// Computes [`inner`] for rows so long that a sum in 32 bits would lose digits: in pieces, summed in 64 bits.
pub fn inner_of_long(a: &[f32], b: &[f32], inner: usize, lower: bool, product: &mut [f64]) {
    let (rows, columns) = (a.len() / inner.max(1), b.len() / inner.max(1));
    let mut part = vec![0.0f32; product.len()];
    for first in (0..inner).step_by(LONGEST) {
        let length = LONGEST.min(inner - first);
        let left = MatRef::from_row_major_slice(a, rows, inner).subcols(first, length);
        let right = MatRef::from_row_major_slice(b, columns, inner).subcols(first, length);
        inner_of(parallelism(product.len() * length), left, right, lower, &mut part);
        product.iter_mut().zip(&part).for_each(|(sum, part)| *sum += f64::from(*part));
    }
}

fn inner_by(par: Par, a: &[f32], b: &[f32], inner: usize, lower: bool, product: &mut [f32]) {
    let (rows, columns) = (a.len() / inner.max(1), b.len() / inner.max(1));
    let left = MatRef::from_row_major_slice(a, rows, inner);
    inner_of(par, left, MatRef::from_row_major_slice(b, columns, inner), lower, product);
}

fn inner_of(par: Par, left: MatRef<'_, f32>, right: MatRef<'_, f32>, lower: bool, product: &mut [f32]) {
    let (rows, columns, right) = (left.nrows(), right.nrows(), right.transpose());
    let mut into = MatMut::from_row_major_slice_mut(product, rows, columns);
    match par {
        par if !lower => matmul(into, Accum::Replace, left, right, 1.0, par),
        Par::Seq if rows <= FEW_ROWS => {
            for first in (0..columns).step_by(PANEL) {
                let (below, wide) = (rows - first, PANEL.min(columns - first));
                let into = into.rb_mut().submatrix_mut(first, first, below, wide);
                matmul(into, Accum::Replace, left.subrows(first, below), right.subcols(first, wide), 1.0, Par::Seq);
            }
        }
        par => {
            let whole = BlockStructure::Rectangular;
            let lower = BlockStructure::TriangularLower;
            triangular::matmul(into, lower, Accum::Replace, left, whole, right, whole, 1.0, par);
        }
    }
}

/// Adds A B to, or writes it into, the columns from `first` on of the row-major `product` [rows, columns], on this thread:
/// A [rows, k] and B [k, any], with any strides.
pub fn multiply(
    (product, columns, first): (&mut [f32], usize, usize),
    a: MatRef<'_, f32>,
    b: MatRef<'_, f32>,
    add: bool,
) {
    let whole = MatMut::from_row_major_slice_mut(product, a.nrows(), columns);
    let into = whole.subcols_mut(first, b.ncols());
    matmul(into, if add { Accum::Add } else { Accum::Replace }, a, b, 1.0, Par::Seq);
}

/// The values of a tensor on the host, row-major; not copied where they are contiguous.
#[derive(Clone, Debug)]
pub struct Values {
    flex: FlexTensor,
    range: Range<usize>,
}

impl Values {
    /// Returns a view of the values; a tensor on another device is copied to the host.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        let tensor = on_host(tensor);
        let range = 0..tensor.shape().num_elements();
        let flex = tensor.try_into_primitive::<Flex>().expect("what lies on the host is a tensor of its backend");
        Self { flex: flex.to_contiguous(), range }
    }

    /// Returns the values.
    pub fn slice(&self) -> &[f32] {
        let whole =
            self.flex.as_slice().expect("made contiguous above; all tensors of this program are of 32-bit floats");
        &whole[self.range.clone()]
    }

    /// Returns a part of the values, which shares their memory.
    pub fn part(&self, first: usize, count: usize) -> Self {
        let first = self.range.start + first;
        Self { flex: self.flex.clone(), range: first..first + count }
    }
}

/// Changes the values of a tensor on the host, in place if it is the only owner.
pub fn change<const D: usize>(tensor: Tensor<D>, change: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let Values { mut flex, .. } = Values::of(tensor);
    change(flex.storage_mut());
    Tensor::from_primitive::<Flex>(flex)
}

fn parallelism(multiplications: usize) -> Par {
    if multiplications >= WORTH_A_THREAD && rayon::current_num_threads() > 1 { Par::rayon(0) } else { Par::Seq }
}
