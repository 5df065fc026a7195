//! Defines the steps that transform K and Θ from line to line.

use super::gains::Gains;
use crate::spec::ops::Function;

/// The way in which the states that a line reads are joined to one.
#[derive(Clone, Debug)]
pub(super) enum Join {
    /// K of the source with this index; Θ = 0.
    Source(usize),
    /// The only state that is read.
    One,
    /// The sum of K and Θ with these weights.
    Sum(Vec<f64>),
    /// K₁K₂, and Θ₁K₂ + K₁Θ₂: a product of independent branches.
    Product,
    /// The places of all states, as (state, place); places of different states are uncorrelated.
    Places(Vec<(usize, usize)>),
    /// The slots of all states, concatenated.
    Slots,
}

/// A transformation of the covariance K = E h h′ and the kernel Θ for each pair of places of each pair of samples.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The mean over slots with these shares, which is what a layer reads.
    Average(Vec<f64>),
    /// The mean over windows around two places, at equal positions of both windows; for each new place the old ones that
    /// its window covers, `None` for padding.
    Windows(Vec<Vec<Option<usize>>>),
    /// z = W h + b: K ← w K + b, Θ ← g_w K + g_b + w Θ.
    Affine(Gains),
    /// h = φ(z): K ← κ, Θ ← κ′ Θ.
    Function(Function),
    /// Divides K and Θ by √((q₁ + ε)(q₂ + ε)), with q the mean of K over slots with these shares, at a place, and this ε.
    Norm(Vec<f64>, f64),
    /// As `Norm`, with the mean over all places.
    NormAll(Vec<f64>, f64),
    /// Each new place is the sum of these old ones, times a number.
    Sums(Vec<Vec<usize>>, f64),
    /// Each new place is the mean of these old ones.
    Means(Vec<Vec<usize>>),
    /// The mean over all places, for this many places: attention whose scores vanish.
    Attend(usize),
    /// Old places become slots: the old place of each new slot and place.
    Flatten(Vec<Vec<usize>>),
    /// An independent offset at each place, with this contribution to K and to Θ.
    Offset(f64, f64),
    /// A further place before the others, uncorrelated with them, with this K and Θ.
    Before(f64, f64),
    /// A learned factor for each feature, initially γ: K ← γ² K, Θ ← γ² Θ + K.
    LayerScale(f64),
    /// K and Θ times a number.
    Scale(f64),
    /// K plus a number.
    Shift(f64),
    /// hₜ = φ(W hₜ₋₁ + aₜ), place after place; the last one remains.
    Recur(Gains, Function),
}

impl Step {
    /// Returns whether it needs K and Θ at unequal places of its input, given whether those of its output are needed.
    pub fn needs_all(&self, after: bool) -> bool {
        match self {
            Self::Sums(from, _) | Self::Means(from) => after || from.iter().any(|places| places.len() > 1),
            Self::Attend(_) => true,
            Self::Recur(..) => false,
            Self::Average(_)
            | Self::Windows(_)
            | Self::Affine(_)
            | Self::Function(_)
            | Self::Norm(..)
            | Self::NormAll(..)
            | Self::Flatten(_)
            | Self::Offset(..)
            | Self::Before(..)
            | Self::LayerScale(_)
            | Self::Scale(_)
            | Self::Shift(_) => after,
        }
    }

    /// Returns places and slots after the step.
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
            | Self::Norm(..)
            | Self::NormAll(..)
            | Self::Offset(..)
            | Self::LayerScale(_)
            | Self::Scale(_)
            | Self::Shift(_) => (places, slots),
        }
    }
}
