//! Kernel regression: what a kernel alone predicts from labelled images.
//!
//! ```text
//! f(x) = f₀(x) + K(x, X) a      with      (K(X, X) + (λ + ε) I) a = Y − f₀(X)
//! ```
//!
//! λ is the ridge that is asked for; with λ = 0 and f₀ the network at initialisation this is where training ends when the
//! kernel stands still (Jacot et al. 2018). ε is the jitter: 0, unless the Cholesky decomposition fails, as it does on a
//! kernel whose f32 products left it with eigenvalues below 0; then the smallest power of ten that helps. All in f64.
//!
//! Guarantees: the jitter, the condition and what they cost in accuracy are part of the result, because a prediction from an
//! ill-conditioned kernel looks like any other. Nothing that is not a number goes in or comes out unnamed.
//!
//! The trace-reduced kernel [n, n] serves all C outputs at once; the full kernel is the same regression with one output: an
//! image and logit is then a row, and Y a column of n·C values.

use faer::linalg::solvers::{Llt, Solve as _};
use faer::{Mat, MatRef, Side};
use rand::{RngExt as _, SeedableRng as _};
use thiserror::Error;

use super::Gram;

/// Why there is no regression; each prints as one sentence.
#[derive(Debug, Error, PartialEq)]
pub enum RegressionError {
    #[error("there is nothing to learn from: the kernel has no row, or the targets no column")]
    Empty,
    #[error("the ridge must be a number from 0 on, not {0}")]
    Ridge(f64),
    #[error("{what} must have {rows} rows of the same length, and {values} values are none: give one row per image")]
    Shape { what: &'static str, rows: usize, values: usize },
    #[error("{values} values are given for {what} where {rows} × {columns} are needed")]
    Size { what: &'static str, values: usize, rows: usize, columns: usize },
    #[error("row {row}, column {column} of {what} is not a number")]
    NotFinite { what: &'static str, row: usize, column: usize },
    #[error(
        "the kernel is far from positive: even with {jitter:.1e} added to its diagonal it has no Cholesky decomposition; \
         add a ridge"
    )]
    NotPositive { jitter: f64 },
}

/// A solved regression.
#[derive(Clone, Debug)]
pub struct Regression {
    /// a, [n, C].
    weights: Mat<f64>,
    /// ε: what was added to the diagonal beside the ridge.
    pub jitter: f64,
    /// λ_max/λ_min of K + (λ + ε) I, from [`ROUNDS`] rounds of power and inverse iteration: never above the true one, and
    /// seldom far below. Predictions keep about 16 − log₁₀ of it digits.
    pub condition: f64,
    /// ‖(K + λ I) a − (Y − f₀)‖/‖Y − f₀‖: of the system that was asked for, so it shows what jitter and rounding cost.
    pub residual: f64,
}

/// Rounds of the iterations that estimate the condition.
pub const ROUNDS: usize = 32;
/// The jitter that is tried, in units of the mean of the kernel's diagonal: 0, then 1e-12 to 1e-3.
pub const JITTERS: std::ops::RangeInclusive<i32> = -12..=-3;

impl Regression {
    /// Solves for the targets Y, row-major [n, C], on the kernel of the same images [n, n].
    ///
    /// `start` is f₀ on these images, row-major [n, C]; without it, 0.
    ///
    /// # Errors
    /// When a size does not fit, a number is none, or no jitter up to a thousandth makes the kernel positive.
    pub fn solve(kernel: &Gram, targets: &[f64], start: Option<&[f64]>, ridge: f64) -> Result<Self, RegressionError> {
        Self::solved(kernel, targets, start, ridge, true)
    }

    /// The same without the condition, which takes longer than the rest and is not a number here: for choosing a ridge.
    ///
    /// # Errors
    /// As [`Regression::solve`].
    pub fn fit(kernel: &Gram, targets: &[f64], start: Option<&[f64]>, ridge: f64) -> Result<Self, RegressionError> {
        Self::solved(kernel, targets, start, ridge, false)
    }

    fn solved(
        kernel: &Gram,
        targets: &[f64],
        start: Option<&[f64]>,
        ridge: f64,
        with_condition: bool,
    ) -> Result<Self, RegressionError> {
        let n = kernel.len();
        if n == 0 || targets.is_empty() {
            return Err(RegressionError::Empty);
        }
        if !(ridge.is_finite() && ridge >= 0.0) {
            return Err(RegressionError::Ridge(ridge));
        }
        if !targets.len().is_multiple_of(n) {
            return Err(RegressionError::Shape { what: "the targets", rows: n, values: targets.len() });
        }
        let outputs = targets.len() / n;
        let mut wanted = matrix("the targets", targets, n, outputs)?.to_owned();
        if let Some(start) = start {
            wanted -= matrix("the outputs at the start", start, n, outputs)?;
        }

        let mut system = MatRef::from_row_major_slice(kernel.values(), n, n).to_owned();
        shift(&mut system, ridge);
        let (factor, jitter) = factorised(&system, kernel.trace() / n as f64)?;
        let weights = factor.solve(&wanted);
        let missing = &system * &weights - &wanted;
        let asked = wanted.norm_l2();
        // Nothing to fit is fitted.
        let residual = if asked > 0.0 { missing.norm_l2() / asked } else { 0.0 };
        shift(&mut system, jitter);
        let condition = if with_condition { condition(&system, &factor) } else { f64::NAN };
        Ok(Self { condition, weights, jitter, residual })
    }

    /// f on other images, row-major [m, C], from the rectangle K(x, X), row-major [m, n], and f₀ on them, [m, C]. With the
    /// kernel itself as the rectangle: f on the training images.
    ///
    /// # Errors
    /// When a size does not fit or a number is none.
    pub fn predict(&self, rectangle: &[f64], start: Option<&[f64]>) -> Result<Vec<f64>, RegressionError> {
        let (n, outputs) = (self.weights.nrows(), self.weights.ncols());
        let m = rectangle.len() / n;
        let mut values = matrix("the kernel of other images", rectangle, m, n)? * &self.weights;
        if let Some(start) = start {
            values += matrix("the outputs at the start", start, m, outputs)?;
        }
        Ok((0..m * outputs).map(|at| values[(at / outputs, at % outputs)]).collect())
    }

    /// a of an image and output.
    pub fn weight(&self, image: usize, output: usize) -> f64 {
        self.weights[(image, output)]
    }
}

/// A finite row-major matrix of this size.
fn matrix<'a>(
    what: &'static str,
    values: &'a [f64],
    rows: usize,
    columns: usize,
) -> Result<MatRef<'a, f64>, RegressionError> {
    if values.len() != rows * columns {
        return Err(RegressionError::Size { what, values: values.len(), rows, columns });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(RegressionError::NotFinite { what, row: at / columns, column: at % columns }),
        None => Ok(MatRef::from_row_major_slice(values, rows, columns)),
    }
}

fn shift(matrix: &mut Mat<f64>, by: f64) {
    for i in 0..matrix.nrows() {
        matrix[(i, i)] += by;
    }
}

/// The Cholesky decomposition of a symmetric system with the least jitter with which there is one, and that jitter; `unit` is the
/// mean of its diagonal.
///
/// # Errors
/// When no jitter up to a thousandth makes it positive.
pub fn factorised(system: &Mat<f64>, unit: f64) -> Result<(Llt<f64>, f64), RegressionError> {
    let mut jitter = 0.0;
    for exponent in std::iter::once(None).chain(JITTERS.map(Some)) {
        jitter = exponent.map_or(0.0, |exponent| unit * 10f64.powi(exponent));
        let mut shifted = system.clone();
        shift(&mut shifted, jitter);
        if let Ok(factor) = shifted.llt(Side::Lower) {
            return Ok((factor, jitter));
        }
    }
    Err(RegressionError::NotPositive { jitter })
}

/// λ_max/λ_min from Rayleigh quotients, each from inside the spectrum.
fn condition(system: &Mat<f64>, factor: &Llt<f64>) -> f64 {
    // The same vector each time: a result must not depend on who asked before.
    let mut generator = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let first = Mat::from_fn(system.nrows(), 1, |_, _| generator.random_range(-1.0..1.0));
    let quotient = |step: &dyn Fn(&Mat<f64>) -> Mat<f64>| {
        let mut vector = first.clone();
        for _ in 0..ROUNDS {
            let next = step(&vector);
            vector = &next * faer::Scale(1.0 / next.norm_l2());
        }
        (vector.transpose() * system * &vector)[(0, 0)]
    };
    quotient(&|vector| system * vector) / quotient(&|vector| factor.solve(vector))
}
