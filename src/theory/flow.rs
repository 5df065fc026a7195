//! Integrates gradient flow on the cross-entropy with a fixed kernel: ḟ = −Θ (p − y)/N, which has no closed form.
//!
//! It is integrated as ȧ = −(p − y)/N with f = f₀ + Θ a, so that images outside the training set cost nothing during
//! integration, by the embedded Runge–Kutta pair of Dormand and Prince (1980), whose error estimate sets the step.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::descent::TrainingProblem;
use crate::math::Gram;
use crate::math::deterministic_product::product;

/// Largest error of a step, relative to the outputs and absolute.
const RELATIVE: f64 = 1e-9;
const ABSOLUTE: f64 = 1e-11;

/// The Runge–Kutta tableau, row by row; its last row is the solution of fifth order.
const TABLEAU: [&[f64]; 6] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// The fifth-order minus the fourth-order weights.
const ERROR: [f64; 7] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339200.0, 22.0 / 525.0, -1.0 / 40.0];

/// The solution: a at each of the times, with f(x) = f₀(x) + Θ(x, X) a.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Row-major [n, C] for each time.
    weights: Vec<Vec<f64>>,
    classes: usize,
}

impl Flow {
    /// Returns f on some images at each time, row-major [T, m, C], given Θ(x, X), row-major [m, n], and f₀ on them, [m, C].
    pub fn outputs(&self, rectangle: &[f64], start: &[f64]) -> Vec<f64> {
        let m = start.len() / self.classes.max(1);
        self.weights.iter().flat_map(|weights| moved(rectangle, weights, start, (m, self.classes))).collect()
    }
}

/// Computes f₀ + Θ a.
fn moved(rectangle: &[f64], weights: &[f64], start: &[f64], (m, classes): (usize, usize)) -> Vec<f64> {
    let n = weights.len() / classes.max(1);
    let mut outputs = start.to_vec();
    let into = MatMut::from_row_major_slice_mut(&mut outputs, m, classes);
    let (theta, weights) =
        (MatRef::from_row_major_slice(rectangle, m, n), MatRef::from_row_major_slice(weights, n, classes));
    matmul(into, Accum::Add, theta, weights, 1.0, Par::Seq);
    outputs
}

/// Integrates to each of some ascending times; targets are probabilities [n, C]. Returns `None` if `cancelled` returns
/// true.
pub fn cross_entropy_flow(
    kernel: &Gram,
    problem: TrainingProblem<'_>,
    times: &[f64],
    cancelled: &dyn Fn() -> bool,
) -> Option<Flow> {
    let n = kernel.len();
    let classes = problem.targets.len() / n.max(1);
    let theta = MatRef::from_row_major_slice(kernel.values(), n, n);
    let slope =
        |weights: &[f64]| pull(&moved(kernel.values(), weights, problem.start, (n, classes)), problem.targets, classes);
    let mut now = vec![0.0; n * classes];
    let mut clock = 0.0f64;
    let mut stages = vec![slope(&now)];
    // Safe for any state of the loss, whose curvature is at most ½ for each class.
    let mut step = n as f64 / kernel.trace().max(f64::MIN_POSITIVE);
    let mut solutions = Vec::with_capacity(times.len());
    for &time in times {
        while clock < time {
            if cancelled() {
                return None;
            }
            let taken = step.min(time - clock);
            let mut next = now.clone();
            for row in TABLEAU {
                next.clone_from(&now);
                for (weight, stage) in row.iter().zip(&stages) {
                    next.iter_mut().zip(stage).for_each(|(value, slope)| *value += taken * weight * slope);
                }
                stages.push(slope(&next));
            }
            let combined = |at: usize| ERROR.iter().zip(&stages).map(|(weight, stage)| weight * stage[at]).sum::<f64>();
            let missed: Vec<f64> = (0..now.len()).map(|at| taken * combined(at)).collect();
            // The error of f is decisive.
            let (error, size) = (span(theta, &missed, n, classes), span(theta, &next, n, classes));
            let share = error / (ABSOLUTE + RELATIVE * size);
            if share <= 1.0 {
                (now, clock) = (next, if taken < step { time } else { clock + taken });
                let last = stages.pop().expect("seven stages");
                stages = vec![last];
            } else {
                stages.truncate(1);
            }
            let factor = (0.9 * share.max(1e-10).powf(-0.2)).clamp(0.2, 5.0);
            // A step shortened to end at an output time gives no information about the step size.
            step = if taken < step && share <= 1.0 { step } else { taken * factor };
        }
        solutions.push(now.clone());
    }
    Some(Flow { weights: solutions, classes })
}

/// Computes max |Θ a|.
fn span(theta: MatRef<'_, f64>, weights: &[f64], n: usize, classes: usize) -> f64 {
    product(theta, MatRef::from_row_major_slice(weights, n, classes)).norm_max()
}

/// Computes −(p − y)/N.
fn pull(outputs: &[f64], targets: &[f64], classes: usize) -> Vec<f64> {
    let n = outputs.len() / classes.max(1);
    let row = |(row, wanted): (&[f64], &[f64])| -> Vec<f64> {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = row.iter().map(|value| (value - top).exp()).sum();
        row.iter().zip(wanted).map(|(value, wanted)| (wanted - (value - top).exp() / total) / n as f64).collect()
    };
    outputs.chunks_exact(classes).zip(targets.chunks_exact(classes)).flat_map(row).collect()
}
