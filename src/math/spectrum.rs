//! Eigenvalues of a Gram and what they say. Nothing is clamped: a negative λ_min is shown as it is.

use faer::{MatRef, Side};

use super::Gram;

/// Eigenvalues, ascending. Sequential (faer is built without rayon), because results must not depend on the number of threads.
///
/// # Errors
/// When the solver does not converge, in words.
pub fn eigenvalues(gram: &Gram) -> Result<Vec<f64>, String> {
    if gram.is_empty() {
        return Ok(Vec::new());
    }
    let matrix = MatRef::from_row_major_slice(gram.values(), gram.len(), gram.len());
    matrix
        .self_adjoint_eigenvalues(Side::Lower)
        .map_err(|err| format!("the eigen-solver did not converge on a {0}×{0} kernel: {err:?}", gram.len()))
}

/// exp(−Σ pᵢ ln pᵢ) with pᵢ = λᵢ/Σλ (Baratin et al. 2021): how many directions carry the kernel. Eigenvalues ≤ 0 carry none.
pub fn effective_rank(eigenvalues: &[f64]) -> f64 {
    let total: f64 = eigenvalues.iter().filter(|value| **value > 0.0).sum();
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
