//! What happens to K and Θ on the way from line to line.

use super::gains::Gains;
use crate::spec::ops::Function;

/// How the states that a line reads become the one that its steps start from.
#[derive(Clone, Debug)]
pub(super) enum Join {
    /// K of what the image gives, by its place among the sources; Θ = 0.
    Source(usize),
    /// The one that is read.
    One,
    /// So many times each K and Θ.
    Sum(Vec<f64>),
    /// K₁K₂, and Θ₁K₂ + K₁Θ₂: a product of independent branches.
    Product,
    /// The places of all, each of one of those that are read; places of different ones are uncorrelated.
    Places(Vec<(usize, usize)>),
    /// Slot after slot.
    Slots,
}

/// What happens to the covariance K = E h h′ and to the kernel Θ of each pair of places of each pair of samples.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The mean over slots, with these shares: what a layer reads.
    Average(Vec<f64>),
    /// The mean over windows around two places, the same place of both windows; of each new place, the old ones that its window
    /// covers, none where there are zeros.
    Windows(Vec<Vec<Option<usize>>>),
    /// z = W h + b: K ← w K + b, Θ ← g_w K + g_b + w Θ.
    Affine(Gains),
    /// h = φ(z): K ← κ, Θ ← κ′ Θ.
    Function(Function),
    /// K and Θ over √((q₁ + ε)(q₂ + ε)), with q the mean of K over slots, of these shares, at a place.
    Norm(Vec<f64>),
    /// The same with the mean over all places.
    NormAll(Vec<f64>),
    /// Each new place is the sum of these old ones, times a number.
    Sums(Vec<Vec<usize>>, f64),
    /// Each new place is the mean of these old ones.
    Means(Vec<Vec<usize>>),
    /// The mean over all places, at so many places: attention whose scores vanish.
    Attend(usize),
    /// The old places become slots: of each new slot and place the old place.
    Flatten(Vec<Vec<usize>>),
    /// What is added to each place, by itself: so much to K and so much to Θ.
    Offset(f64, f64),
    /// One more place before the others, uncorrelated with them: K and Θ of it.
    Before(f64, f64),
    /// A learned factor for each feature, γ at the beginning: K ← γ² K, Θ ← γ² Θ + K.
    LayerScale(f64),
    /// K and Θ times a number.
    Scale(f64),
    /// K plus a number.
    Shift(f64),
    /// hₜ = φ(W hₜ₋₁ + aₜ), place after place; the last one is left.
    Recur(Gains, Function),
}

impl Step {
    /// Whether it needs K and Θ of unequal places of what it is given, where those of what it gives are needed or not.
    pub fn needs_all(&self, after: bool) -> bool {
        match self {
            Self::Sums(from, _) | Self::Means(from) => after || from.iter().any(|places| places.len() > 1),
            Self::Attend(_) => true,
            Self::Recur(..) => false,
            Self::Average(_)
            | Self::Windows(_)
            | Self::Affine(_)
            | Self::Function(_)
            | Self::Norm(_)
            | Self::NormAll(_)
            | Self::Flatten(_)
            | Self::Offset(..)
            | Self::Before(..)
            | Self::LayerScale(_)
            | Self::Scale(_)
            | Self::Shift(_) => after,
        }
    }

    /// Places and slots after it.
    pub fn size(&self, (places, slots): (usize, usize)) -> (usize, usize) {
        match self {
            Self::Average(_) => (places, 1),
            Self::Windows(from) => (from.len(), slots),
            Self::Sums(from, _) | Self::Means(from) => (from.len(), slots),
            Self::Attend(count) => (*count, slots),
            Self::Flatten(from) => (from.first().map_or(0, Vec::len), slots * from.len()),
            Self::Before(..) => (places + 1, slots),
            Self::Recur(..) => (1, slots),
            Self::Affine(_)
            | Self::Function(_)
            | Self::Norm(_)
            | Self::NormAll(_)
            | Self::Offset(..)
            | Self::LayerScale(_)
            | Self::Scale(_)
            | Self::Shift(_) => (places, slots),
        }
    }
}
