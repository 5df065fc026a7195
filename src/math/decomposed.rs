//! A kernel taken apart into its eigenvectors, and which of them are more than rounding: what regression and descent with a kernel
//! that may be singular are made of.
//!
//! Eigenvalues up to the *noise* count as 0. It is the largest of
//!
//! * max(n, 8) ε λ_max with ε = 2⁻⁵², which is what the eigen-solver leaves of a 0;
//! * 2 √n ε₃₂ max Kᵢᵢ with ε₃₂ = 2⁻²³, for a kernel whose products were rounded to f32 ([`Rounding::Single`]);
//! * twice the size of the least eigenvalue where that is below 0, because only rounding can have put it there. Where it is
//!   beyond a thousandth of the mean of the diagonal it is no rounding, and only a ridge that lifts it makes a regression.
//!
//! Along directions that count as 0 the kernel with any other image is 0 as well, so a ridge that goes to 0 leaves nothing of
//! them in a prediction: they are left out. That is the pseudo-inverse. Whether a Cholesky decomposition succeeds says nothing
//! of all this: of an exactly singular matrix rounding may leave a pivot that is positive.

use faer::{Mat, MatRef};

use super::Gram;
use super::product::product;
use super::regression::RegressionError;
use super::spectrum::eigenpairs;

/// In which numbers the products of a kernel were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// f64, as in theory.
    Double,
    /// f32, as in networks.
    Single,
}

/// A kernel [n, n] as V Λ Vᵀ.
#[derive(Clone, Debug)]
pub struct Decomposed {
    /// Ascending, as they are.
    values: Vec<f64>,
    vectors: Mat<f64>,
    noise: f64,
    /// Mean of the diagonal.
    unit: f64,
}

impl Decomposed {
    /// # Errors
    /// When the eigen-solver does not converge, in words.
    pub fn of(kernel: &Gram, rounding: Rounding) -> Result<Self, String> {
        let (values, vectors) = eigenpairs(kernel)?;
        let n = kernel.len();
        let largest = values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        let mut noise = n.max(8) as f64 * f64::EPSILON * largest;
        if rounding == Rounding::Single {
            let diagonal = (0..n).map(|i| kernel.at(i, i).abs()).fold(0.0, f64::max);
            noise = noise.max(2.0 * (n as f64).sqrt() * f64::from(f32::EPSILON) * diagonal);
        }
        let unit = kernel.trace() / n.max(1) as f64;
        let below = -values.first().copied().unwrap_or(0.0);
        if below <= FAR * unit {
            noise = noise.max(2.0 * below);
        }
        Ok(Self { values, vectors, noise, unit })
    }

    /// Eigenvalues as they are, ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Eigenvectors, in columns.
    pub fn vectors(&self) -> MatRef<'_, f64> {
        self.vectors.as_ref()
    }

    /// How many eigenvalues are above the noise.
    pub fn rank(&self) -> usize {
        self.values.iter().filter(|value| **value > self.noise).count()
    }

    /// What counts as 0 at most.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// What is added to the eigenvalues beside this ridge: the noise, where it leaves any direction out, and else 0.
    pub fn jitter(&self, ridge: f64) -> f64 {
        let all = self.values.iter().all(|value| self.keeps(*value, ridge));
        if all { 0.0 } else { (self.noise - ridge).max(0.0) }
    }

    /// λ_max/λ_min of K + (λ + ε) I with ridge and jitter.
    pub fn condition(&self, ridge: f64) -> f64 {
        let more = ridge + self.jitter(ridge);
        let [least, most] = [self.values.first(), self.values.last()].map(|value| value.copied().unwrap_or(0.0));
        (most + more) / (if self.is_far() { least } else { least.max(0.0) } + more)
    }

    /// a of (K + (λ + ε) I) a = y in the directions that are not left out, for columns y, [n, C].
    ///
    /// # Errors
    /// When the kernel has eigenvalues below 0 that are no rounding and the ridge does not lift, or is 0 and so is the ridge.
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

    /// Whether a direction takes part: it is more than noise, or the ridge is so much more that noise in the kernel of other
    /// images cannot show.
    fn keeps(&self, value: f64, ridge: f64) -> bool {
        value > self.noise || self.is_far() || ridge > ABOVE * self.noise
    }

    /// Whether the least eigenvalue is below 0 by more than rounding.
    fn is_far(&self) -> bool {
        -self.values.first().copied().unwrap_or(0.0) > FAR * self.unit.max(0.0)
    }
}

/// What rounding may put an eigenvalue below 0 by, in units of the mean of the diagonal.
const FAR: f64 = 1e-3;
/// How far above the noise a ridge must be for directions that count as 0 to take part.
const ABOVE: f64 = 1e6;
