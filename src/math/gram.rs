//! A square kernel matrix in f64, as it comes from the sums over layers: everything after the kernel product happens here.
//!
//! Guarantees: symmetric to the last bit (the asymmetry that was there is reported, not lost) and finite (anything else is
//! an error with a name, not a NaN picture). Nothing is clamped. Norms and what is made of them hold for entries of any size,
//! whose squares may overflow or vanish.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use faer::linalg::matmul::matmul;
use faer::{Accum, ColMut, ColRef, MatRef, Par};
use thiserror::Error;

/// A symmetric, finite matrix [n, n].
#[derive(Clone, Debug, PartialEq)]
pub struct Gram {
    n: usize,
    values: Arc<[f64]>,
}

/// The kernel holds a value that is no number: training has diverged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the kernel is no longer a number at row {row}, column {column}: training has diverged")]
pub struct NotFinite {
    pub row: usize,
    pub column: usize,
}

/// Whether a row-major [n, n] matrix holds only numbers.
pub fn all_finite(n: usize, values: &[f64]) -> Result<(), NotFinite> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(NotFinite { row: at / n, column: at % n }),
        None => Ok(()),
    }
}

impl Gram {
    /// Symmetrises ½(K + Kᵀ) a row-major [n, n] matrix. Also returns max|K − Kᵀ| / max|K| as it was before.
    pub fn symmetrised(n: usize, mut values: Vec<f64>) -> Result<(Self, f64), NotFinite> {
        assert_eq!(values.len(), n * n, "a Gram is square");
        all_finite(n, &values)?;
        let (mut difference, mut largest) = (0.0f64, 0.0f64);
        for row in 0..n {
            for column in 0..=row {
                let (below, above) = (values[row * n + column], values[column * n + row]);
                difference = difference.max((below - above).abs());
                largest = largest.max(below.abs()).max(above.abs());
                let mean = 0.5 * (below + above);
                values[row * n + column] = mean;
                values[column * n + row] = mean;
            }
        }
        let asymmetry = if largest > 0.0 { difference / largest } else { 0.0 };
        Ok((Self { n, values: values.into() }, asymmetry))
    }

    /// Rows, which are the columns.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Row-major values [n, n], shared.
    pub fn values(&self) -> &Arc<[f64]> {
        &self.values
    }

    /// The entry of a pair.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.n + column]
    }

    /// The diagonal block of a range of rows; the whole matrix shares its memory.
    pub fn block(&self, rows: Range<usize>) -> Self {
        if rows == (0..self.n) {
            return self.clone();
        }
        let values = rows.clone().flat_map(|row| self.values[row * self.n..][rows.clone()].iter().copied()).collect();
        Self { n: rows.len(), values }
    }

    /// ‖K_{ij}‖_F of the block of these rows and columns.
    pub fn frobenius_of(&self, rows: Range<usize>, columns: Range<usize>) -> f64 {
        let row = |row: usize| &self.values[row * self.n..][columns.clone()];
        let scale = self.scale();
        rows.flat_map(row).map(|value| (value / scale).powi(2)).sum::<f64>().sqrt() * scale
    }

    /// K v, into `product`.
    pub fn multiply(&self, vector: &[f64], product: &mut [f64]) {
        let matrix = MatRef::from_row_major_slice(&self.values, self.n, self.n);
        let (vector, product) = (ColRef::from_slice(vector), ColMut::from_slice_mut(product));
        matmul(product, Accum::Replace, matrix, vector, 1.0, Par::Seq);
    }

    /// K + L of two matrices of the same size.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        assert_eq!(self.n, other.n, "only matrices of the same size have a sum");
        Self { n: self.n, values: self.values.iter().zip(other.values.iter()).map(|(a, b)| a + b).collect() }
    }

    /// Σ Kᵢᵢ.
    pub fn trace(&self) -> f64 {
        (0..self.n).map(|i| self.at(i, i)).sum()
    }

    /// ‖K‖_F.
    pub fn frobenius(&self) -> f64 {
        let scale = self.scale();
        if scale == 1.0 { self.dot(self).sqrt() } else { self.over(scale).frobenius() * scale }
    }

    /// 1, or where squares of entries would overflow or vanish the power of two next to the largest entry.
    pub fn scale(&self) -> f64 {
        let largest = self.values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        if largest == 0.0 || (SMALL..LARGE).contains(&largest) { 1.0 } else { power_of_two(largest) }
    }

    /// K over a power of two.
    pub fn over(&self, scale: f64) -> Cow<'_, Self> {
        if scale == 1.0 {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self { n: self.n, values: self.values.iter().map(|value| value / scale).collect() })
    }

    /// HKH, if there is anything of the kernel beside its mean feature: if ‖HKH‖ is more than [`ROUNDING`] of ‖K‖. The kernel of
    /// a dead network, or of a last layer's bias, is the same for all pairs of images, and what rounding leaves of it when it is
    /// centred has a direction that means nothing.
    pub fn turned(&self) -> Option<Self> {
        let centred = self.centred();
        (centred.frobenius() > ROUNDING * self.frobenius()).then_some(centred)
    }

    /// ⟨K, L⟩_F of two matrices of the same size.
    pub fn dot(&self, other: &Self) -> f64 {
        assert_eq!(self.n, other.n, "only matrices of the same size have an inner product");
        self.values.iter().zip(other.values.iter()).map(|(a, b)| a * b).sum()
    }

    /// HKH with H = I − 11ᵀ/n: what is left when the mean feature is taken off.
    pub fn centred(&self) -> Self {
        let n = self.n;
        let means: Vec<f64> = (0..n).map(|i| self.values[i * n..(i + 1) * n].iter().sum::<f64>() / n as f64).collect();
        let mean = means.iter().sum::<f64>() / n as f64;
        let entry = |at: usize| self.values[at] - means[at / n] - means[at % n] + mean;
        Self { n, values: (0..n * n).map(entry).collect() }
    }
}

/// The share of ‖K‖ up to which ‖HKH‖ is rounding: about what products of f32 leave (2⁻²⁴ each, and their sums). It is the same
/// for kernels in f64, because nobody knows what they were computed in before they were stored.
pub const ROUNDING: f64 = 1e-6;

/// Entries whose squares, and sums of squares, are numbers.
const SMALL: f64 = 1e-140;
const LARGE: f64 = 1e140;

/// The power of two at or below a positive number.
fn power_of_two(value: f64) -> f64 {
    f64::from_bits(value.max(f64::MIN_POSITIVE).to_bits() & 0x7ff0_0000_0000_0000)
}
