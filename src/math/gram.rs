//! A square kernel matrix in f64, as it comes from the sums over layers: everything after the kernel product happens here.
//!
//! Guarantees: symmetric to the last bit (the asymmetry that was there is reported, not lost) and finite (anything else is
//! an error with a name, not a NaN picture). Nothing is clamped.

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
        rows.flat_map(row).map(|value| value * value).sum::<f64>().sqrt()
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
        self.dot(self).sqrt()
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
