//! Computes the largest eigenvalues of a large symmetric matrix from products with vectors alone (Lanczos 1950).
//!
//! Guarantees: the result of [`largest`] is a Rayleigh quotient, so up to rounding never above the true value, and its residual ‖Av − θv‖
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

use std::convert::Infallible;

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

/// Relative residual at which [`leading`] ends, and the largest number of its steps for each eigenvalue.
const FINE_TOLERANCE: f64 = 1e-10;
const FINE_STEPS: usize = 400;

/// Returns the largest eigenvalue of a symmetric positive semi-definite [n, n] matrix; `apply` writes A v into its second
/// argument.
pub fn largest(n: usize, mut apply: impl FnMut(&[f64], &mut [f64])) -> Option<f64> {
    let products = |vector: &[f64], product: &mut [f64]| {
        apply(vector, product);
        Ok::<(), Infallible>(())
    };
    match largest_of(n, products) {
        Ok(found) => found,
    }
}

/// Returns the same with products that may fail.
///
/// # Errors
/// Those of `apply`.
pub fn largest_of<E>(n: usize, apply: impl FnMut(&[f64], &mut [f64]) -> Result<(), E>) -> Result<Option<f64>, E> {
    let mut small_since = None;
    let check = |state: &State<'_>| {
        if state.exhausted || state.step.is_multiple_of(STRIDE) {
            let Some((value, last)) = top(state.diagonal, state.beside) else { return Some(None) };
            let small = state.norm * last.abs() <= TOLERANCE * value;
            small_since = if small { small_since.or(Some(state.step)) } else { None };
            if state.exhausted || small_since.is_some_and(|since| state.step >= confirmed_at(since)) {
                return Some(Some(value).filter(|value| value.is_finite()));
            }
        }
        (state.step >= MOST_STEPS && small_since.is_none()).then_some(None)
    };
    Ok(iterate(n, apply, check)?.flatten())
}

/// Returns the nodes and weights of the Gauss quadrature of a symmetric tridiagonal matrix: its eigenvalues, and the squares of
/// the first entries of its eigenvectors. `None` if the solver does not converge.
pub fn quadrature(diagonal: &[f64], beside: &[f64]) -> Option<Vec<(f64, f64)>> {
    let (mut diagonal, mut beside) = (diagonal.to_vec(), beside.to_vec());
    // Upside down, first entries are last ones.
    diagonal.reverse();
    beside.reverse();
    let (nodes, last) = ritz(&diagonal, &beside)?;
    Some(nodes.into_iter().zip(last.into_iter().map(|entry| entry * entry)).collect())
}

/// An eigenvalue as the iteration finds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RitzValue {
    pub value: f64,
    /// ‖Av − θv‖ with ‖v‖ = 1: an eigenvalue lies at most so far from θ, up to the rounding of the products.
    pub residual: f64,
}

/// Returns the `count` largest eigenvalues of a symmetric [n, n] matrix, in descending order, each with its residual;
/// `apply` writes A v into its second argument. The iteration ends when all residuals are below 1e-10 of the largest
/// eigenvalue, or at a limit of steps, where the residuals say how far it has come. Of an eigenvalue that is there several
/// times one is found.
///
/// # Errors
/// Those of `apply`, and `None` if the matrix is not finite.
pub fn leading<E>(
    n: usize,
    count: usize,
    apply: impl FnMut(&[f64], &mut [f64]) -> Result<(), E>,
) -> Result<Option<Vec<RitzValue>>, E> {
    let count = count.min(n);
    let most = FINE_STEPS.saturating_add(4 * count);
    let mut small_since = None;
    let check = |state: &State<'_>| {
        let is_last = state.exhausted || state.step >= most;
        // Ritz values cost the cube of the steps, so later ones are looked at less often.
        let stride = STRIDE.max(state.step / 8).next_power_of_two();
        if !is_last && (state.step < count || !state.step.is_multiple_of(stride)) {
            return None;
        }
        let Some((values, last)) = ritz(state.diagonal, state.beside) else { return Some(None) };
        let found = values.iter().zip(&last).rev().take(count);
        let found: Vec<RitzValue> =
            found.map(|(&value, last)| RitzValue { value, residual: state.norm * last.abs() }).collect();
        if found.iter().any(|found| !found.value.is_finite()) {
            return Some(None);
        }
        let scale = found[0].value.abs();
        let small = found.len() == count && found.iter().all(|found| found.residual <= FINE_TOLERANCE * scale);
        small_since = if small { small_since.or(Some(state.step)) } else { None };
        (is_last || small_since.is_some_and(|since| state.step >= confirmed_at(since))).then_some(Some(found))
    };
    Ok(iterate(n, apply, check)?.flatten())
}

/// How far an iteration has come.
struct State<'a> {
    step: usize,
    /// The tridiagonal matrix.
    diagonal: &'a [f64],
    beside: &'a [f64],
    /// The length of the part of the last product that is outside the space so far.
    norm: f64,
    /// Whether there is no such part, so that the eigenvalues are exact.
    exhausted: bool,
}

/// Iterates until `check` returns a result; `None` without rows.
fn iterate<T, E>(
    n: usize,
    mut apply: impl FnMut(&[f64], &mut [f64]) -> Result<(), E>,
    mut check: impl FnMut(&State<'_>) -> Option<T>,
) -> Result<Option<T>, E> {
    let mut generator = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let mut next: Vec<f64> = (0..n).map(|_| generator.random_range(-1.0..1.0)).collect();
    let (mut basis, mut diagonal, mut beside): (Vec<Vec<f64>>, Vec<f64>, Vec<f64>) = Default::default();
    let mut norm = dot(&next, &next).sqrt();
    let mut scale = 0.0f64;
    for step in 1..=n {
        next.iter_mut().for_each(|value| *value /= norm);
        basis.push(next.clone());
        apply(&basis[step - 1], &mut next)?;
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
        let state = State { step, diagonal: &diagonal, beside: &beside, norm, exhausted };
        if let Some(found) = check(&state) {
            return Ok(Some(found));
        }
        beside.push(norm);
    }
    Ok(None)
}

/// Returns the largest eigenvalue of a symmetric tridiagonal matrix and the last entry of its eigenvector.
fn top(diagonal: &[f64], beside: &[f64]) -> Option<(f64, f64)> {
    let (values, last) = ritz(diagonal, beside)?;
    values.last().copied().zip(last.last().copied())
}

/// Returns the eigenvalues of a symmetric tridiagonal matrix, ascending, and the last entry of each eigenvector.
fn ritz(diagonal: &[f64], beside: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
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
    let values: Vec<f64> = values.column_vector().iter().copied().collect();
    Some((values, (0..m).map(|column| vectors[(m - 1, column)]).collect()))
}

/// Computes an inner product in four parallel sums, which the compiler can vectorise.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
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
