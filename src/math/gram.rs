//! Defines a square kernel matrix in f64, summed over layers: the input of all analysis after the kernel product.
//!
//! Guarantees: symmetric to the last bit (the original asymmetry is reported) and finite (anything else is a named error,
//! not an image of NaN). Nothing is clamped. Norms and quantities derived from them are correct for entries of any size,
//! whose squares may overflow or underflow.

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

/// The error of a kernel that holds a value that is not finite: training has diverged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the kernel is no longer a number at row {row}, column {column}: training has diverged")]
pub struct NotFinite {
    pub row: usize,
    pub column: usize,
}

/// Checks that a row-major [n, n] matrix is finite.
pub fn all_finite(n: usize, values: &[f64]) -> Result<(), NotFinite> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(NotFinite { row: at / n, column: at % n }),
        None => Ok(()),
    }
}

impl Gram {
    /// Symmetrises a row-major [n, n] matrix to ½(K + Kᵀ). Also returns max|K − Kᵀ| / max|K| before that.
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

    /// Returns the number of rows and of columns.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Returns whether the matrix is empty.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Returns the row-major values [n, n], shared.
    pub fn values(&self) -> &Arc<[f64]> {
        &self.values
    }

    /// Returns the entry of a pair.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.n + column]
    }

    /// Returns the diagonal block of a range of rows; the whole matrix shares its memory.
    pub fn block(&self, rows: Range<usize>) -> Self {
        if rows == (0..self.n) {
            return self.clone();
        }
        let values = rows.clone().flat_map(|row| self.values[row * self.n..][rows.clone()].iter().copied()).collect();
        Self { n: rows.len(), values }
    }

    /// Returns the matrix of these rows and the same columns, in this order.
    pub fn among(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|&row| rows.iter().map(move |&column| self.at(row, column))).collect();
        Self { n: rows.len(), values }
    }

    /// Returns ‖K_{ij}‖_F of the block of these rows and columns.
    pub fn frobenius_of(&self, rows: Range<usize>, columns: Range<usize>) -> f64 {
        let row = |row: usize| &self.values[row * self.n..][columns.clone()];
        let scale = self.scale();
        rows.flat_map(row).map(|value| (value / scale).powi(2)).sum::<f64>().sqrt() * scale
    }

    /// Computes K v, into `product`.
    pub fn multiply(&self, vector: &[f64], product: &mut [f64]) {
        let matrix = MatRef::from_row_major_slice(&self.values, self.n, self.n);
        let (vector, product) = (ColRef::from_slice(vector), ColMut::from_slice_mut(product));
        matmul(product, Accum::Replace, matrix, vector, 1.0, Par::Seq);
    }

    /// Computes K + L for two matrices of the same size.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        assert_eq!(self.n, other.n, "only matrices of the same size have a sum");
        Self { n: self.n, values: self.values.iter().zip(other.values.iter()).map(|(a, b)| a + b).collect() }
    }

    /// Returns Σ Kᵢᵢ.
    pub fn trace(&self) -> f64 {
        (0..self.n).map(|i| self.at(i, i)).sum()
    }

    /// Returns ‖K‖_F.
    pub fn frobenius(&self) -> f64 {
        let scale = self.scale();
        if scale == 1.0 { self.dot(self).sqrt() } else { self.over(scale).frobenius() * scale }
    }

    /// Returns 1 or, if squares of entries would overflow or underflow, the power of two next to the largest entry.
    pub fn scale(&self) -> f64 {
        let largest = self.values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        if largest == 0.0 || (SMALL..LARGE).contains(&largest) { 1.0 } else { power_of_two(largest) }
    }

    /// Divides K by a power of two.
    pub fn over(&self, scale: f64) -> Cow<'_, Self> {
        if scale == 1.0 {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self { n: self.n, values: self.values.iter().map(|value| value / scale).collect() })
    }

    /// Returns HKH if the kernel has more than its mean feature: if ‖HKH‖ exceeds [`ROUNDING`] times ‖K‖. The kernel of a
    /// dead network, or of a last layer's bias, is the same for all pairs of images, and after centring only rounding error
    /// remains, whose direction is meaningless.
    pub fn centred_unless_constant(&self) -> Option<Self> {
        let centred = self.centred();
        (centred.frobenius() > ROUNDING * self.frobenius()).then_some(centred)
    }

    /// Returns the U-centred matrix if the kernel has more than its mean feature off the diagonal, as for
    /// [`Gram::centred_unless_constant`].
    pub fn debiased_unless_constant(&self) -> Option<Self> {
        let debiased = self.debiased()?;
        (debiased.frobenius() > ROUNDING * self.frobenius()).then_some(debiased)
    }

    /// Computes the U-centred matrix (Székely & Rizzo 2014): 0 on the diagonal and, off it, with row sums 0. The inner product of
    /// two of them is n(n−3) times HSIC₁, the unbiased estimate of Song et al. 2012. `None` for fewer than four rows.
    fn debiased(&self) -> Option<Self> {
        let n = self.n;
        if n < 4 {
            return None;
        }
        let count = n as f64;
        let sum = |i: usize| self.values[i * n..(i + 1) * n].iter().sum::<f64>() - self.at(i, i);
        let sums: Vec<f64> = (0..n).map(sum).collect();
        let all = sums.iter().sum::<f64>() / ((count - 1.0) * (count - 2.0));
        let entry = |at: usize| match (at / n, at % n) {
            (row, column) if row == column => 0.0,
            (row, column) => self.values[at] - (sums[row] + sums[column]) / (count - 2.0) + all,
        };
        Some(Self { n, values: (0..n * n).map(entry).collect() })
    }

    /// Returns ⟨K, L⟩_F of two matrices of the same size.
    pub fn dot(&self, other: &Self) -> f64 {
        assert_eq!(self.n, other.n, "only matrices of the same size have an inner product");
        self.values.iter().zip(other.values.iter()).map(|(a, b)| a * b).sum()
    }

    /// Computes HKH with H = I − 11ᵀ/n, which subtracts the mean feature.
    pub fn centred(&self) -> Self {
        let n = self.n;
        let means: Vec<f64> = (0..n).map(|i| self.values[i * n..(i + 1) * n].iter().sum::<f64>() / n as f64).collect();
        let mean = means.iter().sum::<f64>() / n as f64;
        let entry = |at: usize| self.values[at] - means[at / n] - means[at % n] + mean;
        Self { n, values: (0..n * n).map(entry).collect() }
    }
}

/// The ratio of ‖HKH‖ to ‖K‖ up to which HKH is rounding error: about that of products in f32 (2⁻²⁴ each, and their sums).
/// It also applies to kernels in f64, because the precision of a stored kernel's computation is unknown.
pub const ROUNDING: f64 = 1e-6;

/// Range of entries whose squares, and sums of squares, neither underflow nor overflow.
const SMALL: f64 = 1e-140;
const LARGE: f64 = 1e140;

/// Returns the power of two at or below a positive number.
fn power_of_two(value: f64) -> f64 {
    f64::from_bits(value.max(f64::MIN_POSITIVE).to_bits() & 0x7ff0_0000_0000_0000)
}
