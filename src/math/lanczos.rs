//! Computes the largest eigenvalue of a large symmetric matrix from products with vectors alone (Lanczos 1950).
//!
//! Guarantees: the result is a Rayleigh quotient, so up to rounding never above the true value, and its residual ‖Av − θv‖
//! is at most the tolerance times θ: an eigenvalue lies that near, and the error is of second order in it. `None` if the
//! step limit is reached first. The start vector is fixed: a result must not depend on earlier calls.
//!
//! A small residual does not say that the eigenvalue is the *largest*: if the start vector has hardly any part along the first
//! eigenvector, the iteration first settles on the second (about one random matrix of 24 × 24 in a thousand). The missing part
//! grows with each step, so the iteration goes on for half as many steps again. What remains is a chance and no bound: with the
//! part along the first eigenvector shrunk by up to 10⁵, three of 8,000 random matrices still end at the second eigenvalue,
//! instead of 1,344; with none shrunk 0 of 24,000, instead of 27.
//!
//! Every vector is made orthogonal to all earlier ones: otherwise rounding creates copies of eigenvalues and hides the
//! residual.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use rand::{RngExt as _, SeedableRng as _};

/// Relative residual at which the iteration ends.
pub const TOLERANCE: f64 = 1e-4;
/// Largest number of steps until the residual is small.
pub const MOST_STEPS: usize = 160;
/// Returns the step up to which the iteration goes on after its residual was first small at `step`.
const fn confirmed_at(step: usize) -> usize {
    step + step / 2 + STRIDE
}
/// Steps between two checks of convergence.
const STRIDE: usize = 4;

/// Returns the largest eigenvalue of a symmetric positive semi-definite [n, n] matrix; `apply` writes A v into its second
/// argument.
pub fn largest(n: usize, mut apply: impl FnMut(&[f64], &mut [f64])) -> Option<f64> {
    let mut generator = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let mut next: Vec<f64> = (0..n).map(|_| generator.random_range(-1.0..1.0)).collect();
    let (mut basis, mut diagonal, mut beside): (Vec<Vec<f64>>, Vec<f64>, Vec<f64>) = Default::default();
    let mut norm = dot(&next, &next).sqrt();
    let mut scale = 0.0f64;
    let mut small_since = None;
    for step in 1..=n {
        next.iter_mut().for_each(|value| *value /= norm);
        basis.push(next.clone());
        apply(&basis[step - 1], &mut next);
        diagonal.push(dot(&basis[step - 1], &next));
        // Two passes suffice (Parlett 1980).
        for _ in 0..2 {
            for vector in &basis {
                let along = dot(vector, &next);
                next.iter_mut().zip(vector).for_each(|(value, part)| *value -= along * part);
            }
        }
        norm = dot(&next, &next).sqrt();
        scale = scale.max(diagonal[step - 1].abs()).max(norm);
        let exhausted = step == n || norm <= f64::EPSILON * scale * n as f64;
        if exhausted || step.is_multiple_of(STRIDE) {
            let (value, last) = top(&diagonal, &beside)?;
            let small = norm * last.abs() <= TOLERANCE * value;
            small_since = if small { small_since.or(Some(step)) } else { None };
            if exhausted || small_since.is_some_and(|since| step >= confirmed_at(since)) {
                return Some(value).filter(|value| value.is_finite());
            }
        }
        if step >= MOST_STEPS && small_since.is_none() {
            return None;
        }
        beside.push(norm);
    }
    None
}

/// Returns the largest eigenvalue of a symmetric tridiagonal matrix and the last entry of its eigenvector.
fn top(diagonal: &[f64], beside: &[f64]) -> Option<(f64, f64)> {
    let m = diagonal.len();
    let entry = |row: usize, column: usize| match row.abs_diff(column) {
        0 => diagonal[row],
        1 => beside[row.min(column)],
        _ => 0.0,
    };
    let matrix = Mat::from_fn(m, m, entry);
    let (mut values, mut vectors) = (Diag::zeros(m), Mat::zeros(m, m));
    let scratch = self_adjoint_evd_scratch::<f64>(m, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    let vectors_out = Some(vectors.as_mut());
    self_adjoint_evd(matrix.as_ref(), values.as_mut(), vectors_out, Par::Seq, stack, Default::default()).ok()?;
    Some((values.column_vector()[m - 1], vectors[(m - 1, m - 1)]))
}

/// Computes an inner product in four parallel sums, which the compiler can vectorise.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_parts, b_parts) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 4];
    for (a, b) in a_parts.zip(b_parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}
