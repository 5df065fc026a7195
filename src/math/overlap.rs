//! Overlaps of the leading eigenvectors of two kernels, pairwise and as subspaces.
//!
//! Single overlaps are those of the eigenvectors from the solver: for equal eigenvalues the choice of eigenvectors is
//! arbitrary, and so are their overlaps. Angles between leading subspaces do not depend on that choice, as long as no group
//! of equal eigenvalues is split.

use super::Gram;
use super::modes::Modes;
use super::spectrum::eigenvalues;

/// Returns ⟨uᵢ, wⱼ⟩² of the first `count` eigenvectors u of `a` and w of `b`, row-major [count, count]: a row for each u.
/// Rows and columns sum to at most 1, and to 1 if all eigenvectors are included.
pub fn overlaps(a: &Modes, b: &Modes, count: usize) -> Vec<f64> {
    let mut products = products(a, b, count);
    products.iter_mut().for_each(|product| *product *= *product);
    products
}

/// Returns the principal angles between the spans of the first `count` eigenvectors of each, ascending, in radians.
/// Computed from both cosines and sines, because each loses its digits at one end.
///
/// # Errors
/// Fails if the solver does not converge.
pub fn angles(a: &Modes, b: &Modes, count: usize) -> Result<Vec<f64>, String> {
    let products = products(a, b, count);
    // The component of each w outside the span of the u.
    let outside: Vec<Vec<f64>> = (0..count)
        .map(|column| {
            let mut rest = b.vector(column).to_vec();
            for row in 0..count {
                let along = products[row * count + column];
                rest.iter_mut().zip(a.vector(row)).for_each(|(rest, u)| *rest -= along * u);
            }
            rest
        })
        .collect();
    let cosines = squares(count, |i, j| {
        (0..count).map(|row| products[row * count + i] * products[row * count + j]).sum::<f64>()
    })?;
    let sines = squares(count, |i, j| dot(&outside[i], &outside[j]))?;
    // Ascending sines belong to ascending angles, and so do descending cosines.
    let root = |value: f64| value.max(0.0).sqrt();
    Ok(sines.into_iter().zip(cosines.into_iter().rev()).map(|(sine, cosine)| root(sine).atan2(root(cosine))).collect())
}

/// Computes ⟨uᵢ, wⱼ⟩, row-major [count, count].
fn products(a: &Modes, b: &Modes, count: usize) -> Vec<f64> {
    (0..count * count).map(|at| dot(a.vector(at / count), b.vector(at % count))).collect()
}

/// Returns the squared singular values, ascending, of a matrix whose columns have these inner products.
fn squares(count: usize, product: impl Fn(usize, usize) -> f64) -> Result<Vec<f64>, String> {
    let values = (0..count * count).map(|at| product(at / count, at % count)).collect();
    let (gram, _) = Gram::symmetrised(count, values).map_err(|err| err.to_string())?;
    eigenvalues(&gram)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
