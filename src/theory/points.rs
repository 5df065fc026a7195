//! Inputs of the infinite-width kernels, laid out by place for the layers that read them, with the results of each sample's
//! kernel with itself.

use faer::MatRef;

use super::dual::Moments;
use super::image_functions::Layout;

/// Prepared inputs: laid out for the layers that read them, with each sample's kernel with itself.
#[derive(Clone, Debug)]
pub struct PreparedInputs {
    pub(super) n: usize,
    /// The inputs of each source of the plan.
    pub(super) sources: Vec<SourceInputs>,
    /// The moments for each step that needs them.
    pub(super) moments: Vec<Moments>,
    /// K and Θ of each sample with itself.
    pub(super) own: Vec<(f64, f64)>,
}

/// The input of a layer, [n, places, features].
#[derive(Clone, Debug)]
pub(super) struct SourceInputs {
    pub values: Vec<f64>,
    pub places: usize,
    pub features: usize,
    pub layout: Layout,
    /// The norm of each sample.
    pub norms: Vec<f64>,
}

impl PreparedInputs {
    /// Returns some of the samples.
    pub fn part(&self, samples: std::ops::Range<usize>) -> Self {
        Self {
            n: samples.len(),
            sources: self.sources.iter().map(|laid| laid.part(samples.clone())).collect(),
            moments: self.moments.iter().map(|moments| moments.part(samples.clone())).collect(),
            own: self.own[samples].to_vec(),
        }
    }

    /// Returns whether the kernels of all samples with themselves are finite.
    pub fn is_finite(&self) -> bool {
        self.own.iter().all(|(covariance, kernel)| covariance.is_finite() && kernel.is_finite())
            && self.moments.iter().all(Moments::is_finite)
    }

    /// Returns whether every token is within the vocabulary of its embedding.
    pub(super) fn are_tokens(&self) -> bool {
        self.sources.iter().all(|laid| match laid.layout {
            Layout::Last | Layout::First => true,
            Layout::Tokens(count) => laid.values.iter().all(|&value| is_token(value, count)),
        })
    }

    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        self.n
    }

    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Returns whether a sample equals a sample of other points.
    pub(super) fn is_equal(&self, sample: usize, others: &Self, other: usize) -> bool {
        self.sources.iter().zip(&others.sources).all(|(one, two)| one.sample(sample) == two.sample(other))
    }
}

impl SourceInputs {
    pub fn new((places, features, layout): (usize, usize, Layout), count: usize) -> Self {
        Self { values: Vec::with_capacity(count), places, features, layout, norms: Vec::new() }
    }

    fn size(&self) -> usize {
        self.places * self.features
    }

    fn part(&self, samples: std::ops::Range<usize>) -> Self {
        Self {
            values: self.values[samples.start * self.size()..samples.end * self.size()].to_vec(),
            norms: self.norms[samples].to_vec(),
            ..*self
        }
    }

    pub fn feature(&self, sample: usize, place: usize) -> &[f64] {
        &self.values[(sample * self.places + place) * self.features..][..self.features]
    }

    /// Returns the features of some samples at one place, [count, features].
    pub fn matrix(&self, first: usize, count: usize, place: usize) -> MatRef<'_, f64> {
        let stride = self.size();
        let from = &self.values[first * stride + place * self.features..];
        let rows = &from[..(count - 1) * stride + self.features];
        MatRef::from_row_major_slice_with_stride(rows, count, self.features, stride)
    }

    pub fn sample(&self, sample: usize) -> &[f64] {
        &self.values[sample * self.size()..][..self.size()]
    }

    /// Returns the inner product of the features of two places; for tokens, 1 if they are equal.
    pub fn product(&self, a: &[f64], b: &[f64]) -> f64 {
        match self.layout {
            Layout::Last | Layout::First => a.iter().zip(b).map(|(a, b)| a * b).sum(),
            Layout::Tokens(count) if !a.iter().chain(b).all(|&value| is_token(value, count)) => f64::NAN,
            Layout::Tokens(_) => f64::from(u8::from(a == b)),
        }
    }

    /// Returns whether the rounding errors of the products are computed: with one place, and features rather than tokens.
    pub fn is_exact(&self) -> bool {
        match self.layout {
            Layout::Last | Layout::First => self.places == 1,
            Layout::Tokens(_) => false,
        }
    }

    /// Returns whether the inputs are tokens, compared pair by pair rather than by matrix products.
    pub fn are_tokens(&self) -> bool {
        match self.layout {
            Layout::Last | Layout::First => false,
            Layout::Tokens(_) => true,
        }
    }
}

/// Returns whether a number is a token of a vocabulary of this size.
fn is_token(value: f64, count: usize) -> bool {
    value >= 0.0 && value < count as f64 && value.fract() == 0.0
}
