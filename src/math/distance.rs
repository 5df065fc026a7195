//! Computes distances between kernels: S = 1 − CKA, its angle, and the decomposition of a change into scale, rotation and
//! drift.
//!
//! S is computed as ½‖K̂ − K̂′‖² of the normalised kernels, not as 1 minus a cosine: it is exactly 0 for equal kernels,
//! never negative, and retains its digits at 10⁻¹² (1 − cos would leave four of them).

use super::Gram;

/// The choice of whether the mean feature is subtracted first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Centring {
    #[default]
    /// HKH: the CKA of Kornblith et al. 2019.
    Centred,
    /// K U-centred, with which CKA is made of HSIC₁ (Song et al. 2012): with few probes the diagonals, which hardly turn, make
    /// the distance of centred kernels too small.
    Debiased,
    /// K itself; for the full [NC, NC] kernel, the S of Fort et al. 2020.
    Uncentred,
}

/// With fewer probes the debiased distances and alignments are those that are shown unless others are chosen.
pub const FEW_PROBES: usize = 40;

impl Centring {
    /// Returns the choice that is shown by default of kernels on so many probes; of fewer than four there is no debiased one.
    pub fn usual(probes: usize) -> Self {
        if (4..FEW_PROBES).contains(&probes) { Self::Debiased } else { Self::Centred }
    }

    /// Returns its name.
    pub fn words(self) -> &'static str {
        match self {
            Self::Centred => "centred",
            Self::Debiased => "debiased",
            Self::Uncentred => "uncentred",
        }
    }
}

/// Returns S(K, K′) = 1 − CKA(K, K′), in 0 … 2 (0 … 1 for kernels, unless debiased). NaN where one of them has no direction: a
/// matrix of zeros or, centred, one that is constant up to rounding ([`Gram::centred_unless_constant`]).
pub fn distance(a: &Gram, b: &Gram, centring: Centring) -> f64 {
    distance_if_defined(a, b, centring).unwrap_or(f64::NAN)
}

/// Returns [`distance`], with `None` in place of NaN.
pub fn distance_if_defined(a: &Gram, b: &Gram, centring: Centring) -> Option<f64> {
    let (a, b) = (a.over(a.scale()), b.over(b.scale()));
    match centring {
        Centring::Centred => Some(half_gap(&a.centred_unless_constant()?, &b.centred_unless_constant()?)),
        Centring::Debiased => Some(half_gap(&a.debiased_unless_constant()?, &b.debiased_unless_constant()?)),
        Centring::Uncentred => (a.frobenius() > 0.0 && b.frobenius() > 0.0).then(|| half_gap(&a, &b)),
    }
}

/// A kernel divided by its norm, [n, n]: computed once for comparisons with many others.
#[derive(Clone, Debug)]
pub struct Normalised(Vec<f64>);

impl Normalised {
    pub fn of(gram: &Gram, centring: Centring) -> Self {
        let gram = gram.over(gram.scale());
        let turned = match centring {
            Centring::Centred => gram.centred_unless_constant(),
            Centring::Debiased => gram.debiased_unless_constant(),
            Centring::Uncentred => Some(gram.as_ref().clone()).filter(|gram| gram.frobenius() > 0.0),
        };
        let over = |gram: &Gram, scale: f64| Self(gram.values().iter().map(|value| value * scale).collect());
        turned.map_or_else(|| over(&gram, f64::NAN), |gram| over(&gram, 1.0 / gram.frobenius()))
    }

    /// Returns S to another kernel of the same size; NaN as for [`distance`].
    pub fn distance(&self, other: &Self) -> f64 {
        0.5 * self.0.iter().zip(&other.0).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
    }
}

/// Returns S between all pairs of kernels of one size, row-major [T, T]: symmetric, 0 on the diagonal.
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

/// Returns the angle arccos(1 − S) in radians, as 2 arcsin √(S/2), which retains its digits at small S.
pub fn angle(distance: f64) -> f64 {
    2.0 * (0.5 * distance).sqrt().min(1.0).asin()
}

/// Computes ½ ‖A/‖A‖ − B/‖B‖‖²_F.
fn half_gap(a: &Gram, b: &Gram) -> f64 {
    let (scale_a, scale_b) = (1.0 / a.frobenius(), 1.0 / b.frobenius());
    0.5 * a.values().iter().zip(b.values().iter()).map(|(a, b)| (a * scale_a - b * scale_b).powi(2)).sum::<f64>()
}

/// The change from a reference K₀ to K, with D² = S² − 2 S (1 − R) + 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// S = ‖K‖/‖K₀‖.
    pub scale: f64,
    /// R = 1 − cos(K, K₀), uncentred.
    pub rotation: f64,
    /// D = ‖K − K₀‖/‖K₀‖.
    pub drift: f64,
}

/// Returns scale, rotation and drift of `kernel` relative to a reference; NaN if that is 0.
pub fn change(kernel: &Gram, reference: &Gram) -> Change {
    let norm = reference.frobenius();
    let common = kernel.scale().max(reference.scale());
    let (over, from) = (kernel.over(common), reference.over(common));
    let gap: f64 = over.values().iter().zip(from.values().iter()).map(|(a, b)| (a - b).powi(2)).sum();
    Change {
        scale: kernel.frobenius() / norm,
        rotation: distance(kernel, reference, Centring::Uncentred),
        drift: gap.sqrt() * common / norm,
    }
}
