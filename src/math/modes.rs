//! Computes the eigenvectors of a kernel, and the energies along them: the modes of kernel gradient descent, and the
//! principal components of the features.
//!
//! Guarantees: largest eigenvalue first; the sign of a vector is fixed (its entry of largest size is positive), so that the
//! same kernel gives the same chart; the same numbers for any number of threads.

use faer::MatRef;

use super::Gram;
use super::deterministic_product::product;
use super::spectrum::eigenpairs;

/// All eigenpairs of a kernel of n images.
#[derive(Clone, Debug)]
pub struct Modes {
    /// Descending, unclamped.
    values: Vec<f64>,
    /// Row-major [n, n]: a vector of unit length in each row.
    vectors: Vec<f64>,
}

impl Modes {
    /// Computes all eigenpairs of the kernel.
    ///
    /// # Errors
    /// Fails if the solver does not converge.
    pub fn of(gram: &Gram) -> Result<Self, String> {
        let n = gram.len();
        let (values, vectors) = eigenpairs(gram)?;
        let mut rows = Vec::with_capacity(n * n);
        for column in (0..n).rev() {
            let vector = vectors.col(column);
            let largest =
                vector.iter().copied().fold(0.0f64, |most, value| if value.abs() > most.abs() { value } else { most });
            let sign = if largest < 0.0 { -1.0 } else { 1.0 };
            rows.extend(vector.iter().map(|value| sign * value));
        }
        Ok(Self { values: values.into_iter().rev().collect(), vectors: rows })
    }

    /// Returns λ₁ ≥ λ₂ ≥ …
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Returns the unit vector of this rank, from 0.
    pub fn vector(&self, rank: usize) -> &[f64] {
        let n = self.values.len();
        &self.vectors[rank * n..(rank + 1) * n]
    }

    /// Returns ‖vᵢᵀ R‖² for each mode i, of a row-major [n, columns] matrix R; they sum to ‖R‖².
    pub fn energies(&self, residual: &[f64], columns: usize) -> Vec<f64> {
        let n = self.values.len();
        assert_eq!(residual.len(), n * columns, "a residual has a row for each image");
        let vectors = MatRef::from_row_major_slice(&self.vectors, n, n);
        let along = product(vectors, MatRef::from_row_major_slice(residual, n, columns));
        (0..n).map(|mode| (0..columns).map(|column| along[(mode, column)].powi(2)).sum()).collect()
    }
}

/// Returns the fraction of the energy ‖vᵢᵀ r‖² of a mode that remains after `steps` steps of full-batch gradient descent on
/// the mean squared error ½ mean (f − y)² over `entries` = N·C entries, if the kernel is constant: (1 − ηλᵢ/(N C))^{2t}, as
/// r_{t+1} = (1 − η Θ/(N C)) r_t. Above 1 where η λ/(N C) > 2: that mode diverges.
pub fn remaining_energy(rate: f64, eigenvalue: f64, entries: usize, steps: f64) -> f64 {
    (1.0 - rate * eigenvalue / entries as f64).abs().powf(2.0 * steps)
}
