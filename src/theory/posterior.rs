//! Computes the limit of infinite training time: mean and covariance over random initialisations, of Bayesian inference
//! with the NNGP (only the last layer is trained) and of gradient descent with the NTK (Lee et al. 2019, eq. 13 to 16).

use super::kernel::Kernels;
use crate::math::Gram;
use crate::math::decomposed::{EigenDecomposition, Rounding};
use crate::math::regression::{Regression, RegressionError};

/// A Gaussian over the outputs on m images; the C outputs are independent and share the covariance.
#[derive(Clone, Debug)]
pub struct Posterior {
    /// Row-major [m, C].
    pub mean: Vec<f64>,
    /// Row-major [m, m].
    pub covariance: Vec<f64>,
    /// Number of eigenvalues of the kernel above rounding error; then λ_max/λ_min of the inverted matrix, and the constant
    /// added to its diagonal beside the ridge.
    pub rank: usize,
    pub condition: f64,
    pub jitter: f64,
}

impl Posterior {
    fn of((mean, solved): (Vec<f64>, Regression), covariance: Vec<f64>) -> Self {
        Self { mean, covariance, rank: solved.rank, condition: solved.condition, jitter: solved.jitter }
    }
}

/// The kernels of n training and m other images.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    pub train: &'a Kernels,
    /// Between the others and the training images, [m, n].
    pub across: &'a Kernels,
    pub test: &'a Kernels,
}

/// Computes Bayesian inference with the NNGP and a prior mean of 0; the ridge is the noise variance.
pub fn nngp(blocks: Blocks<'_>, targets: &[f64], ridge: f64) -> Result<Posterior, RegressionError> {
    let (n, m) = sizes(blocks);
    let solver = Solver::of(&blocks.train.nngp, n, &blocks.across.nngp, ridge)?;
    let learnt = solver.apply(targets)?;
    let known = solver.apply(&transposed(&blocks.across.nngp, m, n))?.0;
    let covariance = blocks.test.nngp.iter().zip(&known).map(|(prior, known)| prior - known).collect();
    Ok(Posterior::of(learnt, covariance))
}

/// Computes gradient flow with the NTK until t = ∞, with initial functions from the NNGP.
pub fn ntk(blocks: Blocks<'_>, targets: &[f64], ridge: f64) -> Result<Posterior, RegressionError> {
    let (n, m) = sizes(blocks);
    let solver = Solver::of(&blocks.train.ntk, n, &blocks.across.ntk, ridge)?;
    let learnt = solver.apply(targets)?;
    // With A = Θ(x, X) (Θ + r)⁻¹: K − A K(X, x) − (A K(X, x))′ + A K(X, X) A′.
    let once = solver.apply(&transposed(&blocks.across.nngp, m, n))?.0;
    let half = solver.apply(&blocks.train.nngp)?.0;
    let twice = solver.apply(&transposed(&half, m, n))?.0;
    let entry = |at: usize| {
        let (row, column) = (at / m, at % m);
        blocks.test.nngp[at] - once[at] - once[column * m + row] + twice[at]
    };
    let covariance = (0..m * m).map(entry).collect();
    Ok(Posterior::of(learnt, covariance))
}

/// Computes B ↦ k(x, X) (k(X, X) + r)⁻¹ B.
struct Solver<'a> {
    kernel: Gram,
    decomposed: EigenDecomposition,
    across: &'a [f64],
    ridge: f64,
}

impl<'a> Solver<'a> {
    fn of(kernel: &[f64], n: usize, across: &'a [f64], ridge: f64) -> Result<Self, RegressionError> {
        let kernel = Gram::symmetrised(n, kernel.to_vec()).expect("kernels are numbers").0;
        let decomposed = EigenDecomposition::of(&kernel, Rounding::Double).map_err(RegressionError::Solver)?;
        Ok(Self { kernel, decomposed, across, ridge })
    }

    fn apply(&self, columns: &[f64]) -> Result<(Vec<f64>, Regression), RegressionError> {
        let solved = Regression::of(&self.decomposed, &self.kernel, columns, None, self.ridge)?;
        Ok((solved.predict(self.across, None)?, solved))
    }
}

fn sizes(blocks: Blocks<'_>) -> (usize, usize) {
    (blocks.train.ntk.len().isqrt(), blocks.test.ntk.len().isqrt())
}

fn transposed(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..rows * columns).map(|at| values[at % rows * columns + at / rows]).collect()
}
