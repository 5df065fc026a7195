//! How far one kernel is from another: the distance S = 1 − CKA, its angle, and the split into scale, rotation and drift.
//!
//! S is computed as ½‖K̂ − K̂′‖² of the normalised kernels, not as 1 minus a cosine: it is exactly 0 when nothing moves,
//! never negative, and keeps its digits when it is 10⁻¹² (1 − cos would leave four of them).

use super::Gram;

/// Whether the mean feature is taken off first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Centring {
    /// HKH: the CKA of Kornblith et al. 2019.
    Centred,
    /// K as it is: of the full [NC, NC] kernel the S of Fort et al. 2020.
    Uncentred,
}

/// S(K, K′) = 1 − CKA(K, K′), in 0 … 2 (0 … 1 for kernels). Two zero matrices are 0 apart; a zero and another, ½.
pub fn distance(a: &Gram, b: &Gram, centring: Centring) -> f64 {
    match centring {
        Centring::Centred => half_gap(&a.centred(), &b.centred()),
        Centring::Uncentred => half_gap(a, b),
    }
}

/// A kernel over its norm, [n, n]: prepared once where it is held against many.
#[derive(Clone, Debug)]
pub struct Normalised(Vec<f64>);

impl Normalised {
    pub fn of(gram: &Gram, centring: Centring) -> Self {
        let centred = (centring == Centring::Centred).then(|| gram.centred());
        let gram = centred.as_ref().unwrap_or(gram);
        let scale = inverse_norm(gram);
        Self(gram.values().iter().map(|value| value * scale).collect())
    }

    /// S to another kernel of the same size.
    pub fn distance(&self, other: &Self) -> f64 {
        0.5 * self.0.iter().zip(&other.0).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
    }
}

/// S between all pairs of kernels of one size, row-major [T, T]: symmetric, 0 on the diagonal.
pub fn distances(kernels: &[Gram], centring: Centring) -> Vec<f64> {
    let prepared: Vec<Normalised> = kernels.iter().map(|gram| Normalised::of(gram, centring)).collect();
    let count = prepared.len();
    let mut all = vec![0.0; count * count];
    for row in 0..count {
        for column in 0..row {
            let found = prepared[row].distance(&prepared[column]);
            all[row * count + column] = found;
            all[column * count + row] = found;
        }
    }
    all
}

/// The angle arccos(1 − S) in radians. As 2 arcsin √(S/2), which keeps its digits at small S.
pub fn angle(distance: f64) -> f64 {
    2.0 * (0.5 * distance).sqrt().min(1.0).asin()
}

/// ½ ‖A/‖A‖ − B/‖B‖‖²_F.
fn half_gap(a: &Gram, b: &Gram) -> f64 {
    let (scale_a, scale_b) = (inverse_norm(a), inverse_norm(b));
    0.5 * a.values().iter().zip(b.values().iter()).map(|(a, b)| (a * scale_a - b * scale_b).powi(2)).sum::<f64>()
}

/// 1/‖K‖, or 0 of nothing.
fn inverse_norm(gram: &Gram) -> f64 {
    Some(gram.frobenius()).filter(|norm| *norm > 0.0).map_or(0.0, |norm| 1.0 / norm)
}

/// The change from a reference K₀ to K, split: D² = S² − 2 S (1 − R) + 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// S = ‖K‖/‖K₀‖.
    pub scale: f64,
    /// R = 1 − cos(K, K₀), uncentred.
    pub rotation: f64,
    /// D = ‖K − K₀‖/‖K₀‖.
    pub drift: f64,
}

/// Scale, rotation and drift of `kernel` against a reference that is not zero.
pub fn change(kernel: &Gram, reference: &Gram) -> Change {
    let norm = reference.frobenius();
    let gap: f64 = kernel.values().iter().zip(reference.values().iter()).map(|(a, b)| (a - b).powi(2)).sum();
    Change {
        scale: kernel.frobenius() / norm,
        rotation: distance(kernel, reference, Centring::Uncentred),
        drift: gap.sqrt() / norm,
    }
}
