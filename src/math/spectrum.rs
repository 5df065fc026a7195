//! Computes the eigenvalues of a Gram and the effective rank. Nothing is clamped: a negative λ_min is shown as it is.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatMut, MatRef, Par};

use super::Gram;

/// Returns the eigenvalues, ascending. Sequential, because results must not depend on the number of threads: so faer's
/// solver is called here rather than its method on matrices, which uses a global setting.
///
/// # Errors
/// Fails if the solver does not converge.
pub fn eigenvalues(gram: &Gram) -> Result<Vec<f64>, String> {
    solve(gram, None)
}

/// Returns the eigenvalues, ascending, and the eigenvectors as columns of [n, n], of unit length; their signs are the
/// solver's.
///
/// # Errors
/// As [`eigenvalues`].
pub fn eigenpairs(gram: &Gram) -> Result<(Vec<f64>, Mat<f64>), String> {
    let mut vectors = Mat::zeros(gram.len(), gram.len());
    Ok((solve(gram, Some(vectors.as_mut()))?, vectors))
}

fn solve(gram: &Gram, vectors: Option<MatMut<'_, f64>>) -> Result<Vec<f64>, String> {
    let n = gram.len();
    let scale = gram.scale();
    let scaled = gram.over(scale);
    let matrix = MatRef::from_row_major_slice(scaled.values(), n, n);
    let mut values = Diag::zeros(n);
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let scratch = self_adjoint_evd_scratch::<f64>(n, wanted, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    self_adjoint_evd(matrix, values.as_mut(), vectors, Par::Seq, MemStack::new(&mut memory), Default::default())
        .map_err(|err| format!("the eigen-solver did not converge on a {n}×{n} kernel: {err:?}"))?;
    Ok(values.column_vector().iter().map(|value| value * scale).collect())
}

/// Returns exp(−Σ pᵢ ln pᵢ) with pᵢ = λᵢ/Σλ (Roy & Vetterli 2007; of the tangent kernel Baratin et al. 2021): the effective
/// number of directions of the kernel. Eigenvalues ≤ 0 do not count; NaN if all others are rounding error (n² ε max|λ|).
pub fn effective_rank(eigenvalues: &[f64]) -> f64 {
    let total: f64 = eigenvalues.iter().filter(|value| **value > 0.0).sum();
    let largest = eigenvalues.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    if total <= (eigenvalues.len() as f64).powi(2) * f64::EPSILON * largest {
        return f64::NAN;
    }
    let entropy: f64 = eigenvalues
        .iter()
        .filter(|value| **value > 0.0)
        .map(|value| {
            let share = value / total;
            -share * share.ln()
        })
        .sum();
    entropy.exp()
}
