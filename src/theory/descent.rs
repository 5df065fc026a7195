//! Computes gradient descent on the mean squared error with a fixed kernel, in closed form (Lee et al. 2019, eq. 8 to
//! 11).
//!
//! ```text
//! f(x) = f₀(x) + Θ(x, X) V A(Λ) Vᵀ (y − f₀(X))        Θ(X, X) = V Λ Vᵀ
//! ```
//!
//! with A(λ) = (1 − e^{−λt/NC})/λ for gradient flow until t, (1 − (1 − ηλ/NC)ᵏ)/λ for k steps, and the same recursion mode by
//! mode with momentum. The loss is ½ · mean over the N·C entries, so each of the C outputs moves with Θ/(NC).
//!
//! Guarantees: a kernel of equal or nearly equal inputs gives numbers and not NaN, and the limit t → ∞ is regression with
//! the pseudo-inverse. Eigenvalues that are pure rounding error ([`crate::math::decomposed`]) have no effect, because along
//! them the kernel with other images is 0, too, and its rounding error would grow with t; the threshold below which they
//! count as 0 is then added to all eigenvalues and reported as the jitter. The result is the same to the last digit for any
//! number of threads.

use faer::{Mat, MatRef};

use crate::math::Gram;
use crate::math::decomposed::{EigenDecomposition, Rounding};
use crate::math::deterministic_product::product;

/// The duration of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TrainingLength {
    /// Gradient flow until this time, at rate 1.
    Flow(f64),
    /// `count` steps of full-batch gradient descent with heavy-ball momentum (0 for none).
    Steps { rate: f64, momentum: f64, count: u64 },
}

/// The outputs at the start of training and the targets, row-major [n, C] each.
#[derive(Clone, Copy, Debug)]
pub struct TrainingProblem<'a> {
    pub start: &'a [f64],
    pub targets: &'a [f64],
}

/// The eigendecomposition of a kernel [n, n].
#[derive(Clone, Debug)]
pub struct KernelGradientDescent {
    /// Ascending, with the jitter.
    values: Vec<f64>,
    kernel: EigenDecomposition,
    /// Number of eigenvalues above rounding error.
    pub rank: usize,
    /// The constant added to every eigenvalue where the kernel is singular.
    pub jitter: f64,
}

impl KernelGradientDescent {
    /// Decomposes the kernel of the training images.
    ///
    /// # Errors
    /// Fails if the eigen-solver does not converge.
    pub fn of(kernel: &Gram) -> Result<Self, String> {
        let kernel = EigenDecomposition::of(kernel, Rounding::Double)?;
        // For a kernel that is far from positive, the least eigenvalue is raised to 0.
        let least = kernel.values().first().copied().unwrap_or(0.0);
        let (rank, jitter) = (kernel.rank(), kernel.jitter(0.0).max(-least));
        let values = kernel.values().iter().map(|value| value + jitter).collect();
        Ok(Self { values, kernel, rank, jitter })
    }

    /// Returns the eigenvalues, ascending, with the jitter.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.values
    }

    /// Returns λ_max/λ_min; infinite for a kernel that is 0 or whose least eigenvalue was raised to 0.
    pub fn condition(&self) -> f64 {
        let (least, most) = (self.values.first().copied().unwrap_or(1.0), self.values.last().copied().unwrap_or(1.0));
        if least > 0.0 { most / least } else { f64::INFINITY }
    }

    /// Returns the largest rate at which no mode grows, for C outputs: 2 (1 + μ) N C/λ_max; above it the fastest mode
    /// grows.
    pub fn largest_rate(&self, outputs: usize, momentum: f64) -> f64 {
        let lambda_max = self.values.last().copied().unwrap_or(0.0);
        2.0 * (1.0 + momentum) * (self.values.len() * outputs) as f64 / lambda_max
    }

    /// Returns a such that f(x) = f₀(x) + Θ(x, X) a: row-major [n, T·C], one group of C columns for each length.
    fn weights(&self, problem: TrainingProblem<'_>, lengths: &[TrainingLength], scaled: bool) -> Mat<f64> {
        let n = self.values.len();
        let outputs = problem.targets.len() / n.max(1);
        let wanted = Mat::from_fn(n, outputs, |row, column| {
            problem.targets[row * outputs + column] - problem.start[row * outputs + column]
        });
        let modes = product(self.kernel.vectors().transpose(), wanted.as_ref());
        let entries = (n * outputs) as f64;
        let mut pulled = Mat::zeros(n, outputs * lengths.len());
        for (place, length) in lengths.iter().enumerate() {
            let first = self.values.len() - self.rank;
            for (mode, &value) in self.values.iter().enumerate().skip(first) {
                let pull = length.pull(value, entries) * if scaled { value } else { 1.0 };
                (0..outputs).for_each(|c| pulled[(mode, place * outputs + c)] = pull * modes[(mode, c)]);
            }
        }
        product(self.kernel.vectors(), pulled.as_ref())
    }

    /// Returns f on the training images, row-major [T, n, C].
    pub fn train(&self, problem: TrainingProblem<'_>, lengths: &[TrainingLength]) -> Vec<f64> {
        let change = self.weights(problem, lengths, true);
        gather(change.as_ref(), problem.start, lengths.len())
    }

    /// Returns f on other images, row-major [T, m, C], given Θ(x, X), row-major [m, n], and f₀ on them, [m, C].
    pub fn test(
        &self,
        problem: TrainingProblem<'_>,
        rectangle: &[f64],
        start: &[f64],
        lengths: &[TrainingLength],
    ) -> Vec<f64> {
        let n = self.values.len();
        let m = rectangle.len() / n.max(1);
        let weights = self.weights(problem, lengths, false);
        let change = product(MatRef::from_row_major_slice(rectangle, m, n), weights.as_ref());
        gather(change.as_ref(), start, lengths.len())
    }
}

/// Returns f₀ + change, rearranged from columns grouped by time to [T, rows, C].
fn gather(change: MatRef<'_, f64>, start: &[f64], times: usize) -> Vec<f64> {
    let rows = change.nrows();
    let outputs = change.ncols() / times.max(1);
    let at = |time: usize, row: usize, c: usize| start[row * outputs + c] + change[(row, time * outputs + c)];
    (0..times * rows * outputs)
        .map(|index| at(index / (rows * outputs), index / outputs % rows, index % outputs))
        .collect()
}

impl TrainingLength {
    /// Returns A(λ), for N·C entries.
    fn pull(self, value: f64, entries: f64) -> f64 {
        let speed = value / entries;
        match self {
            Self::Flow(time) if speed * time < TINY => time / entries,
            Self::Flow(time) => -(-speed * time).exp_m1() / value,
            Self::Steps { rate, momentum, count } if momentum > 0.0 => {
                // For an error that starts at 1 and equals 1 − λA: u accumulates it, and A moves along u.
                let (mut velocity, mut pull) = (0.0, 0.0);
                for _ in 0..count {
                    velocity = momentum * velocity + (1.0 - value * pull) / entries;
                    pull += rate * velocity;
                }
                pull
            }
            Self::Steps { rate, count, .. } if rate * speed * (count as f64) < TINY => rate * count as f64 / entries,
            Self::Steps { rate, count, .. } if rate * speed < 1.0 => {
                -(count as f64 * (-rate * speed).ln_1p()).exp_m1() / value
            }
            Self::Steps { rate, count, .. } => (1.0 - (1.0 - rate * speed).powf(count as f64)) / value,
        }
    }
}

/// Below this, A(λ) equals its limit for λ → 0 to all digits.
const TINY: f64 = 1e-17;
