//! Measures how well a kernel could tell labels apart before any training on it: the leave-one-out error of a ridge regression.
//!
//! ```text
//! e_i = y_i − f_{−i}(x_i) = α_i / G_ii      with      G = (K + λ I)⁻¹,  α = G Y
//! ```
//!
//! Y is one-hot with its mean over all images subtracted, and λ is [`RIDGE`] times the mean of the diagonal. The error is
//! Σ‖e_i‖²/Σ‖y_i‖²: 1 where the kernel says no more than the mean, which the labels themselves are compared with.

use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, Par};

use super::Gram;
use super::regression::factorised;

/// The ridge λ in units of the mean of the kernel's diagonal, which makes the regression of a kernel of low rank regular.
pub const RIDGE: f64 = 1e-3;

/// Returns the error; `None` for fewer than three images, a single class, or a kernel without a positive trace.
pub fn leave_one_out_error(gram: &Gram, labels: &[usize]) -> Option<f64> {
    let n = gram.len();
    let mut classes = labels.to_vec();
    classes.sort_unstable();
    classes.dedup();
    let unit = gram.trace() / n as f64;
    if n < 3 || classes.len() < 2 || !(unit.is_finite() && unit > 0.0) {
        return None;
    }
    let ridge = |row: usize, column: usize| if row == column { RIDGE } else { 0.0 };
    let system = Mat::from_fn(n, n, |row, column| gram.at(row, column) / unit + ridge(row, column));
    let (factor, _) = factorised(&system, 1.0).ok()?;
    // G = L⁻ᵀ L⁻¹, so that G Y = L⁻ᵀ (L⁻¹ Y) and G_ii is the square of column i of L⁻¹.
    let mut inverse = Mat::<f64>::identity(n, n);
    solve_lower_triangular_in_place(factor.as_ref(), inverse.as_mut(), Par::Seq);
    let mean = |class: usize| labels.iter().filter(|label| **label == class).count() as f64 / n as f64;
    let means: Vec<f64> = classes.iter().map(|&class| mean(class)).collect();
    let target = |row: usize, column: usize| f64::from(u8::from(labels[row] == classes[column])) - means[column];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let columns: Vec<Vec<f64>> = (0..n).map(|j| (0..n).map(|i| inverse[(i, j)]).collect()).collect();
    let (mut missed, mut all) = (0.0, 0.0);
    for class in 0..classes.len() {
        let y: Vec<f64> = (0..n).map(|row| target(row, class)).collect();
        let mut halfway = vec![0.0; n];
        for (column, value) in columns.iter().zip(&y) {
            halfway.iter_mut().zip(column).for_each(|(sum, entry)| *sum += entry * value);
        }
        missed += columns.iter().map(|column| (dot(column, &halfway) / dot(column, column)).powi(2)).sum::<f64>();
        all += dot(&y, &y);
    }
    Some(missed / all).filter(|error| error.is_finite())
}
