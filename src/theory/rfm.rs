//! Implements the recursive feature machine: a kernel that learns features without a network (Radhakrishnan, Beaglehole,
//! Pandit and Belkin 2024, *Mechanism for feature learning in neural networks and backpropagation-free machine learning
//! models*, algorithm 1).
//!
//! ```text
//! K_M(x, z) = exp(−‖x − z‖_M/L)      ‖v‖²_M = vᵀ M v      f(x) = K_M(x, X) a      (K_M(X, X) + δ I) a = Y
//! M ← Σᵢ Σ_c ∇f_c(xᵢ) ∇f_c(xᵢ)ᵀ/n      starting at I
//! ```
//!
//! M, the mean outer product of the predictor's gradients, stretches the inputs along the directions on which the predictor
//! depends and shrinks them along the others. At x = xⱼ the kernel has a kink; its gradient is taken to be 0 there.
//!
//! M is scaled to the trace d of I, because the size of the gradients reflects the scale of the targets and not the
//! relevance of directions. L is the mean distance ‖xᵢ − xⱼ‖_M of two training inputs, computed anew for each M, so that
//! the kernel's width follows the data in the current metric. Compared with the fixed L of M = I (five rounds, d = 10,
//! products and quadratics of few coordinates): on inputs of equal variance the fixed L leaves errors up to 15 % smaller,
//! but where variances differ M stretches the narrow directions, distances grow under the same trace, and with the fixed L
//! errors are 15 to 55 % larger or no M improves on I at all. On Fashion-MNIST they are equal.
//!
//! Guarantees: all in f64; all work of order n² d is matrix products; no randomness, and the same bits for any number of
//! threads. Each ridge has its own sequence of M, so its result does not depend on the other ridges that were tried.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, Mat, MatRef, Par};

use crate::math::Gram;
use crate::math::decomposed::{EigenDecomposition, Rounding};
use crate::math::regression::{RegressionError, factorised};

/// The best predictor of all rounds and ridges.
#[derive(Clone, Debug)]
pub struct Rfm {
    /// Number of updates of M: 0 is the Laplace kernel itself.
    pub round: usize,
    /// δ.
    pub ridge: f64,
    /// ε, the constant added to the diagonal beside the ridge, as in [`Regression`](crate::math::regression::Regression).
    pub jitter: f64,
    /// Mean squared error over the entries of the validation targets.
    pub error: f64,
    kernel: Laplace,
    /// a, [n, C].
    weights: Mat<f64>,
}

/// Validated inputs and targets: [n, d] and [n, C].
struct LabelledData<'a> {
    inputs: MatRef<'a, f64>,
    targets: MatRef<'a, f64>,
}

impl Rfm {
    /// Fits `inputs`, row-major [n, d], to `targets`, row-major [n, C]: for each ridge a Laplace kernel, then `rounds`
    /// updates of M. Returns the predictor with the least squared error on `validation` (inputs [m, d], targets [m, C]),
    /// the first in case of a tie. `cancelled` is called before each regression; `None` if it returns true.
    ///
    /// # Errors
    /// Fails if a size does not fit, a number is not finite, there is no ridge or one below 0, or a kernel is far from
    /// positive.
    pub fn fit(
        inputs: &[f64],
        d: usize,
        targets: &[f64],
        ridges: &[f64],
        validation: (&[f64], &[f64]),
        rounds: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, RegressionError> {
        if d == 0 || inputs.is_empty() || targets.is_empty() || validation.0.is_empty() || ridges.is_empty() {
            return Err(RegressionError::Empty);
        }
        if let Some(&ridge) = ridges.iter().find(|ridge| !(ridge.is_finite() && **ridge >= 0.0)) {
            return Err(RegressionError::Ridge(ridge));
        }
        let train = LabelledData::of(["the inputs", "the targets"], inputs, d, targets, None)?;
        let outputs = Some(train.targets.ncols());
        let names = ["the validation inputs", "the validation targets"];
        let validation = LabelledData::of(names, validation.0, d, validation.1, outputs)?;

        let mut best: Option<Self> = None;
        for &ridge in ridges {
            let mut metric: Vec<f64> = (0..d * d).map(|at| if at / d == at % d { 1.0 } else { 0.0 }).collect();
            for round in 0..=rounds {
                if cancelled() {
                    return Ok(None);
                }
                let (machine, distances) = Self::solve(&train, metric, ridge, round, &validation)?;
                let next = if round < rounds { machine.relearnt(&distances) } else { None };
                if best.as_ref().is_none_or(|best| machine.error < best.error) {
                    best = Some(machine);
                }
                // A predictor without slope gives no directions.
                let Some(next) = next else { break };
                metric = next;
            }
        }
        Ok(best)
    }

    /// Solves one regression; also returns the distances [n, n] of its inputs.
    fn solve(
        train: &LabelledData<'_>,
        metric: Vec<f64>,
        ridge: f64,
        round: usize,
        validation: &LabelledData<'_>,
    ) -> Result<(Self, Mat<f64>), RegressionError> {
        let (kernel, distances) = Laplace::of(train.inputs, metric);
        let mut system = kernel.of_distances(&distances);
        (0..system.nrows()).for_each(|i| system[(i, i)] += ridge);
        let (weights, jitter) = solved(system, train.targets, ridge)?;
        let mut machine = Self { round, ridge, jitter, error: 0.0, kernel, weights };
        let missed = machine.values(validation.inputs) - validation.targets;
        machine.error = missed.squared_norm_l2() / (missed.nrows() * missed.ncols()) as f64;
        Ok((machine, distances))
    }

    /// Computes f on inputs, row-major [m, d] to [m, C].
    pub fn predict(&self, inputs: &[f64]) -> Vec<f64> {
        row_major(&self.values(self.rows(inputs)))
    }

    /// Computes ∇f_c at inputs, row-major [m, d] to [m, d], for the output c.
    pub fn gradient(&self, inputs: &[f64], output: usize) -> Vec<f64> {
        let inputs = self.rows(inputs);
        let steepness = self.kernel.steepness(&self.kernel.distances(inputs));
        let along = product(self.pull(inputs, &steepness, output).as_ref(), self.kernel.metric());
        row_major(&(along * faer::Scale(-1.0 / self.kernel.bandwidth)))
    }

    /// Returns M, row-major [d, d], of trace d.
    pub fn metric(&self) -> &[f64] {
        &self.kernel.metric
    }

    /// Returns L.
    pub fn bandwidth(&self) -> f64 {
        self.kernel.bandwidth
    }

    fn rows<'a>(&self, inputs: &'a [f64]) -> MatRef<'a, f64> {
        let d = self.kernel.centres.ncols();
        assert!(inputs.len().is_multiple_of(d), "an input has {d} values");
        MatRef::from_row_major_slice(inputs, inputs.len() / d, d)
    }

    fn values(&self, inputs: MatRef<'_, f64>) -> Mat<f64> {
        product(self.kernel.of_distances(&self.kernel.distances(inputs)).as_ref(), self.weights.as_ref())
    }

    /// Computes Σⱼ Wᵢⱼ (xᵢ − xⱼ) with Wᵢⱼ = Kᵢⱼ a_jc/‖xᵢ − xⱼ‖_M, [m, d]: the gradient is −M/L times it.
    fn pull(&self, inputs: MatRef<'_, f64>, steepness: &Mat<f64>, output: usize) -> Mat<f64> {
        let (centres, weights) = (&self.kernel.centres, self.weights.col(output));
        let total = product(steepness.as_ref(), weights.as_mat());
        let weighted = Mat::from_fn(centres.nrows(), centres.ncols(), |j, k| weights[j] * centres[(j, k)]);
        let pulled = product(steepness.as_ref(), weighted.as_ref());
        Mat::from_fn(inputs.nrows(), inputs.ncols(), |i, k| total[(i, 0)] * inputs[(i, k)] - pulled[(i, k)])
    }

    /// Computes the next M from the distances of the training inputs; `None` if all gradients are 0.
    fn relearnt(&self, distances: &Mat<f64>) -> Option<Vec<f64>> {
        let d = self.kernel.centres.ncols();
        let steepness = self.kernel.steepness(distances);
        let mut sum = Mat::zeros(d, d);
        for output in 0..self.weights.ncols() {
            let pull = self.pull(self.kernel.centres.as_ref(), &steepness, output);
            let (lower, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
            let (rows, columns) = (pull.transpose(), pull.as_ref());
            triangular(sum.as_mut(), lower, Accum::Add, rows, whole, columns, whole, 1.0, Par::rayon(0));
        }
        let sum = Mat::from_fn(d, d, |i, j| sum[(i.max(j), i.min(j))]);
        let metric = product(product(self.kernel.metric(), sum.as_ref()).as_ref(), self.kernel.metric());
        // The scaling to trace d removes L and n.
        let trace: f64 = (0..d).map(|k| metric[(k, k)]).sum();
        let scale = 0.5 * d as f64 / trace;
        let entry = |at: usize| (metric[(at / d, at % d)] + metric[(at % d, at / d)]) * scale;
        (trace > 0.0 && scale.is_finite()).then(|| (0..d * d).map(entry).collect())
    }
}

impl<'a> LabelledData<'a> {
    fn of(
        names: [&'static str; 2],
        inputs: &'a [f64],
        d: usize,
        targets: &'a [f64],
        outputs: Option<usize>,
    ) -> Result<Self, RegressionError> {
        let rows = inputs.len() / d;
        let columns = outputs.unwrap_or(targets.len() / rows.max(1));
        for (what, values, columns) in [(names[0], inputs, d), (names[1], targets, columns)] {
            if columns == 0 || values.len() != rows * columns {
                return Err(RegressionError::Size { what, values: values.len(), rows, columns });
            }
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return Err(RegressionError::NotFinite { what, row: at / columns, column: at % columns });
            }
        }
        let targets = MatRef::from_row_major_slice(targets, rows, columns);
        Ok(Self { inputs: MatRef::from_row_major_slice(inputs, rows, d), targets })
    }
}

/// Holds the kernel K_M(·, X).
#[derive(Clone, Debug)]
struct Laplace {
    /// X, [n, d].
    centres: Mat<f64>,
    /// M, row-major [d, d] and symmetric to the last bit.
    metric: Vec<f64>,
    /// X M.
    stretched: Mat<f64>,
    /// ‖xⱼ‖²_M.
    squares: Vec<f64>,
    /// L.
    bandwidth: f64,
}

impl Laplace {
    /// Builds the kernel; also returns the distances [n, n] of the centres.
    fn of(centres: MatRef<'_, f64>, metric: Vec<f64>) -> (Self, Mat<f64>) {
        let stretched = product(centres, MatRef::from_row_major_slice(&metric, centres.ncols(), centres.ncols()));
        let squares = inner(stretched.as_ref(), centres);
        let mut kernel = Self { centres: centres.to_owned(), metric, stretched, squares, bandwidth: 1.0 };
        let distances = kernel.distances(centres);
        let n = distances.nrows();
        let total: f64 = distances.col_iter().map(|column| column.iter().sum::<f64>()).sum();
        // With a single or repeated input, any L will do.
        if total > 0.0 {
            kernel.bandwidth = total / (n * (n - 1)) as f64;
        }
        (kernel, distances)
    }

    fn metric(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.metric, self.centres.ncols(), self.centres.ncols())
    }

    /// Computes ‖x − xⱼ‖_M for inputs [m, d], [m, n]: exactly 0 where the difference is pure rounding error.
    fn distances(&self, inputs: MatRef<'_, f64>) -> Mat<f64> {
        let own = inner(product(inputs, self.metric()).as_ref(), inputs);
        let mut distances = product(inputs, self.stretched.transpose());
        for (j, column) in distances.col_iter_mut().enumerate() {
            for (i, value) in column.iter_mut().enumerate() {
                let sum = own[i] + self.squares[j];
                let square = sum - 2.0 * *value;
                *value = if square > SAME * sum { square.sqrt() } else { 0.0 };
            }
        }
        distances
    }

    /// Computes exp(−D/L).
    fn of_distances(&self, distances: &Mat<f64>) -> Mat<f64> {
        Mat::from_fn(distances.nrows(), distances.ncols(), |i, j| (-distances[(i, j)] / self.bandwidth).exp())
    }

    /// Computes exp(−D/L)/D, with 0 where D is 0.
    fn steepness(&self, distances: &Mat<f64>) -> Mat<f64> {
        Mat::from_fn(distances.nrows(), distances.ncols(), |i, j| match distances[(i, j)] {
            distance if distance > 0.0 => (-distance / self.bandwidth).exp() / distance,
            _ => 0.0,
        })
    }
}

/// Solves (K + δ I) a = Y for a and the jitter. The system is the kernel with the ridge on its diagonal.
fn solved(mut system: Mat<f64>, targets: MatRef<'_, f64>, ridge: f64) -> Result<(Mat<f64>, f64), RegressionError> {
    let n = system.nrows();
    // No eigenvalue of a kernel with ones on its diagonal exceeds n, so such a ridge makes it regular.
    if ridge >= REGULAR * n as f64 {
        let (factor, jitter) = factorised(&system, 1.0)?;
        let mut weights = targets.to_owned();
        solve_lower_triangular_in_place(factor.as_ref(), weights.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(factor.transpose(), weights.as_mut(), Par::Seq);
        return Ok((weights, jitter));
    }
    (0..n).for_each(|i| system[(i, i)] -= ridge);
    let kernel = Gram::symmetrised(n, row_major(&system)).expect("the kernel of finite inputs is finite").0;
    let decomposed = EigenDecomposition::of(&kernel, Rounding::Double).map_err(RegressionError::Solver)?;
    Ok((decomposed.solve(targets, ridge)?, decomposed.jitter(ridge)))
}

/// Multiplies two matrices. A product with a vector uses one thread: faer would split its sums by the number of threads,
/// which would change the last digit.
fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let mut product = Mat::zeros(left.nrows(), right.ncols());
    let threads = if left.nrows() == 1 || right.ncols() == 1 { Par::Seq } else { Par::rayon(0) };
    matmul(product.as_mut(), Accum::Replace, left, right, 1.0, threads);
    product
}

/// Computes the inner product of each pair of corresponding rows.
fn inner(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Vec<f64> {
    left.row_iter().zip(right.row_iter()).map(|(left, right)| left * right.transpose()).collect()
}

fn row_major(matrix: &Mat<f64>) -> Vec<f64> {
    matrix.row_iter().flat_map(|row| row.iter().copied()).collect()
}

/// The ratio of ridge to n above which the system is regular enough for Cholesky's decomposition.
const REGULAR: f64 = 1e-8;
/// The ratio of ‖x − z‖² to ‖x‖² + ‖z‖² below which it counts as 0: the difference of sums has lost all but four digits
/// there.
const SAME: f64 = 1e-12;
