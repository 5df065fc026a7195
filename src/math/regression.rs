//! Solves kernel regressions: predictions of a kernel from labelled images.
//!
//! ```text
//! f(x) = f₀(x) + K(x, X) a      with      (K(X, X) + (λ + ε) I) a = Y − f₀(X)
//! ```
//!
//! λ is the given ridge; with λ = 0 and f₀ the network at initialisation this is the end of training with a constant kernel
//! (Jacot et al. 2018). ε is the jitter: 0, unless the kernel is singular; then it is the threshold below which its
//! eigenvalues count as 0, the size of their rounding error, and the result is the limit of a vanishing ridge: directions
//! without a larger eigenvalue are omitted ([`super::decomposed`]). All in f64.
//!
//! Guarantees: rank, jitter, condition and residual are part of the result, because a prediction from an ill-conditioned
//! kernel looks like any other. The same digits for any number of threads. Values that are not finite are errors, as input
//! and as output.
//!
//! The trace-reduced kernel [n, n] serves all C outputs at once; the full kernel is the same regression with one output: a
//! row is then a pair of image and logit, and Y a column of n·C values.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Mat, MatMut, MatRef, Par};

use super::Gram;
use super::decomposed::{EigenDecomposition, Rounding};
use super::deterministic_product::product;
use super::lanczos::largest;
pub use super::regression_error::RegressionError;

/// Holds the solution of a kernel regression, and how accurate it is.
#[derive(Clone, Debug)]
pub struct Regression {
    /// a, [n, C].
    weights: Mat<f64>,
    /// Number of eigenvalues of K above rounding error.
    pub rank: usize,
    /// ε, the constant added to the diagonal beside the ridge.
    pub jitter: f64,
    /// λ_max/λ_min of K + (λ + ε) I. If no direction is omitted, predictions have about 16 − log₁₀ of it digits.
    pub condition: f64,
    /// ‖(K + λ I) a − (Y − f₀)‖/‖Y − f₀‖, for the system without jitter, so it shows the effect of jitter and rounding.
    pub residual: f64,
}

/// The jitters that [`factorised`] tries, in units of the mean of the diagonal: 0, then 1e-12 to 1e-3.
const JITTERS: std::ops::RangeInclusive<i32> = -12..=-3;

impl Regression {
    /// Solves for the targets Y, row-major [n, C], with the kernel of the same images [n, n], whose products are in f64.
    ///
    /// `start` is f₀ on these images, row-major [n, C]; without it, 0.
    ///
    /// # Errors
    /// Fails if a size does not fit, a number is not finite, or the kernel is 0 or has eigenvalues below 0 that exceed
    /// rounding error.
    pub fn solve(kernel: &Gram, targets: &[f64], start: Option<&[f64]>, ridge: f64) -> Result<Self, RegressionError> {
        if kernel.is_empty() {
            return Err(RegressionError::Empty);
        }
        let decomposed = EigenDecomposition::of(kernel, Rounding::Double).map_err(RegressionError::Solver)?;
        Self::of(&decomposed, kernel, targets, start, ridge)
    }

    /// Solves with a decomposed kernel: for several ridges or targets, and for products in f32.
    ///
    /// # Errors
    /// As [`Regression::solve`].
    pub fn of(
        decomposed: &EigenDecomposition,
        kernel: &Gram,
        targets: &[f64],
        start: Option<&[f64]>,
        ridge: f64,
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
        let wanted = missing_at_start(targets, start, n)?;
        let mut system = MatRef::from_row_major_slice(kernel.values(), n, n).to_owned();
        shift(&mut system, ridge);
        let (rank, jitter) = (decomposed.rank(), decomposed.jitter(ridge));
        let mut weights = decomposed.solve(wanted.as_ref(), ridge)?;
        let missing = |weights: &Mat<f64>| &wanted - product(system.as_ref(), weights.as_ref());
        if jitter == 0.0 {
            // One step of iterative refinement against rounding.
            weights += decomposed.solve(missing(&weights).as_ref(), ridge)?;
        }
        let (target_norm, missed) = (wanted.norm_l2(), missing(&weights).norm_l2());
        if !missed.is_finite() {
            return Err(RegressionError::TooLarge);
        }
        // Targets of 0 have no residual.
        let residual = if target_norm > 0.0 { missed / target_norm } else { 0.0 };
        Ok(Self { weights, rank, jitter, condition: decomposed.condition(ridge), residual })
    }

    /// Solves without eigenvectors, by the Cholesky decomposition of the kernel as it is, in a fiftieth of the time: for kernels
    /// of thousands of rows that are far from singular.
    ///
    /// # Errors
    /// As [`Regression::solve`], and if an eigenvalue does not exceed the rounding error.
    pub fn without_eigenvectors(
        kernel: &Gram,
        rounding: Rounding,
        targets: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Self, RegressionError> {
        let n = kernel.len();
        if n == 0 || targets.is_empty() {
            return Err(RegressionError::Empty);
        }
        if !targets.len().is_multiple_of(n) {
            return Err(RegressionError::Shape { what: "the targets", rows: n, values: targets.len() });
        }
        let wanted = missing_at_start(targets, start, n)?;
        let system = MatRef::from_row_major_slice(kernel.values(), n, n);
        let mut factor = system.to_owned();
        let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
        let stack = MemStack::new(&mut memory);
        if cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, Default::default()).is_err() {
            return Err(RegressionError::Singular);
        }
        let solve = |mut values: MatMut<'_, f64>| {
            solve_lower_triangular_in_place(factor.as_ref(), values.as_mut(), Par::Seq);
            solve_upper_triangular_in_place(factor.transpose(), values, Par::Seq);
        };
        // The largest eigenvalues of K and of its inverse.
        let most = largest(n, |vector, product| kernel.multiply(vector, product));
        let least = largest(n, |vector, product| {
            product.copy_from_slice(vector);
            solve(MatMut::from_column_major_slice_mut(product, n, 1));
        });
        let (Some(most), Some(least)) = (most, least.map(f64::recip)) else {
            let why = "the smallest or largest eigenvalue of the kernel was not found".to_owned();
            return Err(RegressionError::Solver(why));
        };
        if least <= rounding.noise(kernel, most) {
            return Err(RegressionError::Singular);
        }
        let mut weights = wanted.clone();
        solve(weights.as_mut());
        let missing = |weights: &Mat<f64>| &wanted - product(system, weights.as_ref());
        // One step of iterative refinement against rounding.
        let mut more = missing(&weights);
        solve(more.as_mut());
        weights += more;
        let (target_norm, missed) = (wanted.norm_l2(), missing(&weights).norm_l2());
        if !missed.is_finite() {
            return Err(RegressionError::TooLarge);
        }
        let residual = if target_norm > 0.0 { missed / target_norm } else { 0.0 };
        Ok(Self { weights, rank: n, jitter: 0.0, condition: most / least, residual })
    }

    /// Returns f on other images, row-major [m, C], given the rectangle K(x, X), row-major [m, n], and f₀ on them, [m, C].
    /// With the kernel itself as the rectangle: f on the training images.
    ///
    /// # Errors
    /// Fails if a size does not fit or a number is not finite.
    pub fn predict(&self, rectangle: &[f64], start: Option<&[f64]>) -> Result<Vec<f64>, RegressionError> {
        let (n, outputs) = (self.weights.nrows(), self.weights.ncols());
        let m = rectangle.len() / n;
        let mut values = product(matrix("the kernel of other images", rectangle, m, n)?, self.weights.as_ref());
        if let Some(start) = start {
            values += matrix("the outputs at the start", start, m, outputs)?;
        }
        Ok((0..m * outputs).map(|at| values[(at / outputs, at % outputs)]).collect())
    }

    /// Returns a for an image and output.
    pub fn weight(&self, image: usize, output: usize) -> f64 {
        self.weights[(image, output)]
    }
}

/// Returns Y − f₀ of n images.
fn missing_at_start(targets: &[f64], start: Option<&[f64]>, n: usize) -> Result<Mat<f64>, RegressionError> {
    let outputs = targets.len() / n;
    let mut wanted = matrix("the targets", targets, n, outputs)?.to_owned();
    if let Some(start) = start {
        wanted -= matrix("the outputs at the start", start, n, outputs)?;
    }
    Ok(wanted)
}

/// Checks size and finiteness of a row-major matrix.
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

/// Returns L of the Cholesky decomposition L Lᵀ of a symmetric system with the least jitter for which it exists, and that
/// jitter; `unit` is the mean of its diagonal. For systems that a ridge makes regular, and for samples with this
/// covariance: a successful decomposition does not imply that the system is regular.
///
/// # Errors
/// Fails if no jitter up to a thousandth makes it positive.
pub fn factorised(system: &Mat<f64>, unit: f64) -> Result<(Mat<f64>, f64), RegressionError> {
    let n = system.nrows();
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
    let mut jitter = 0.0;
    for exponent in std::iter::once(None).chain(JITTERS.map(Some)) {
        jitter = exponent.map_or(0.0, |exponent| unit * 10f64.powi(exponent));
        let mut factor = system.clone();
        shift(&mut factor, jitter);
        let stack = MemStack::new(&mut memory);
        if cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, Default::default()).is_ok() {
            for column in 1..n {
                factor.col_mut(column).subrows_mut(0, column).fill(0.0);
            }
            return Ok((factor, jitter));
        }
    }
    Err(RegressionError::NotPositive { jitter })
}
