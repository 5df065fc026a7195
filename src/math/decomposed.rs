//! Decomposes a kernel into eigenvalues and eigenvectors, and finds the eigenvalues that exceed rounding error: the basis
//! of regression and gradient descent with a kernel that may be singular.
//!
//! Eigenvalues up to the *noise* count as 0. The noise is the largest of
//!
//! * max(n, 8) ε λ_max with ε = 2⁻⁵², the eigen-solver's error for an eigenvalue of 0;
//! * 2 √n ε₃₂ max Kᵢᵢ with ε₃₂ = 2⁻²³, for a kernel whose products were rounded to f32 ([`Rounding::Single`]);
//! * twice the absolute value of the least eigenvalue if that is negative, because only rounding can have made it so. If it
//!   exceeds a thousandth of the mean of the diagonal it is no rounding error, and only a ridge that lifts it permits a
//!   regression.
//!
//! Along directions that count as 0 the kernel with any other image is 0 as well, so in the limit of a vanishing ridge they
//! do not contribute to a prediction: they are omitted. That is the pseudo-inverse. The success of a Cholesky decomposition
//! is no criterion: rounding may leave a positive pivot in an exactly singular matrix.

use faer::{Mat, MatRef};

use super::Gram;
use super::deterministic_product::product;
use super::regression_error::RegressionError;
use super::spectrum::eigenpairs;

/// The precision in which the products of a kernel were computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// f64, as in theory.
    Double,
    /// f32, as in networks.
    Single,
}

impl Rounding {
    /// Returns the size of the rounding error in the eigenvalues of a kernel, whose largest one is given.
    pub(super) fn noise(self, kernel: &Gram, largest: f64) -> f64 {
        let n = kernel.len();
        let of_solver = n.max(8) as f64 * f64::EPSILON * largest;
        match self {
            Self::Double => of_solver,
            Self::Single => {
                let diagonal = (0..n).map(|i| kernel.at(i, i).abs()).fold(0.0, f64::max);
                of_solver.max(2.0 * (n as f64).sqrt() * f64::from(f32::EPSILON) * diagonal)
            }
        }
    }
}

/// The decomposition K = V Λ Vᵀ of a kernel [n, n].
#[derive(Clone, Debug)]
pub struct EigenDecomposition {
    /// Ascending, unmodified.
    values: Vec<f64>,
    vectors: Mat<f64>,
    noise: f64,
    /// Mean of the diagonal.
    unit: f64,
}

impl EigenDecomposition {
    /// Decomposes the kernel.
    ///
    /// # Errors
    /// Fails if the eigen-solver does not converge.
    pub fn of(kernel: &Gram, rounding: Rounding) -> Result<Self, String> {
        let (values, vectors) = eigenpairs(kernel)?;
        let n = kernel.len();
        let largest = values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        let mut noise = rounding.noise(kernel, largest);
        let unit = kernel.trace() / n.max(1) as f64;
        let below = -values.first().copied().unwrap_or(0.0);
        if below <= FAR * unit {
            noise = noise.max(2.0 * below);
        }
        Ok(Self { values, vectors, noise, unit })
    }

    /// Returns the unmodified eigenvalues, ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Returns the eigenvectors as columns.
    pub fn vectors(&self) -> MatRef<'_, f64> {
        self.vectors.as_ref()
    }

    /// Returns the number of eigenvalues above the noise.
    pub fn rank(&self) -> usize {
        self.values.iter().filter(|value| **value > self.noise).count()
    }

    /// Returns the noise, the threshold up to which eigenvalues count as 0.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// Returns the constant added to the eigenvalues beside this ridge: the noise if any direction is omitted, else 0.
    pub fn jitter(&self, ridge: f64) -> f64 {
        let all = self.values.iter().all(|value| self.keeps(*value, ridge));
        if all { 0.0 } else { (self.noise - ridge).max(0.0) }
    }

    /// Returns λ_max/λ_min of K + (λ + ε) I with ridge and jitter.
    pub fn condition(&self, ridge: f64) -> f64 {
        let more = ridge + self.jitter(ridge);
        let [least, most] = [self.values.first(), self.values.last()].map(|value| value.copied().unwrap_or(0.0));
        (most + more) / (if self.is_far() { least } else { least.max(0.0) } + more)
    }

    /// Solves (K + (λ + ε) I) a = y in the directions that are kept, for columns y, [n, C].
    ///
    /// # Errors
    /// Fails if the kernel has eigenvalues below 0 that exceed rounding error and the ridge, or if both kernel and ridge
    /// are 0.
    pub fn solve(&self, wanted: MatRef<'_, f64>, ridge: f64) -> Result<Mat<f64>, RegressionError> {
        if self.is_far() && self.values[0] + ridge <= self.noise {
            return Err(RegressionError::NotPositive { jitter: FAR * self.unit.max(0.0) });
        }
        if ridge == 0.0 && self.rank() == 0 {
            return Err(RegressionError::Zero);
        }
        let jitter = self.jitter(ridge);
        let mut modes = product(self.vectors.transpose(), wanted);
        for (mode, &value) in self.values.iter().enumerate() {
            let pull = if self.keeps(value, ridge) { 1.0 / (value + ridge + jitter) } else { 0.0 };
            (0..modes.ncols()).for_each(|column| modes[(mode, column)] *= pull);
        }
        Ok(product(self.vectors.as_ref(), modes.as_ref()))
    }

    /// Returns whether a direction is kept: its eigenvalue exceeds the noise, or the ridge exceeds the noise so far that
    /// noise in the kernel of other images is negligible.
    fn keeps(&self, value: f64, ridge: f64) -> bool {
        value > self.noise || self.is_far() || ridge > ABOVE * self.noise
    }

    /// Returns whether the least eigenvalue is below 0 by more than rounding error.
    fn is_far(&self) -> bool {
        -self.values.first().copied().unwrap_or(0.0) > FAR * self.unit.max(0.0)
    }
}

/// Largest negative eigenvalue that rounding may cause, in units of the mean of the diagonal.
const FAR: f64 = 1e-3;
/// Ratio of ridge to noise above which directions that count as 0 are kept.
const ABOVE: f64 = 1e6;
