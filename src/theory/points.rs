//! Inputs of the infinite-width kernels, laid out by place, with what a walk of each by itself has shown.

use faer::MatRef;

use super::dual::Moments;
use super::program::{Places, Step};
use super::walk::alone;

/// Inputs laid out by place, [n, places, features], and what a walk by themselves has shown of them.
#[derive(Clone, Debug)]
pub struct Points {
    pub(super) n: usize,
    pub(super) values: Vec<f64>,
    pub(super) places: Grid,
    pub(super) features: usize,
    /// Of each step that needs them.
    pub(super) moments: Vec<Moments>,
    /// K and Θ of each with itself.
    pub(super) own: Vec<(f64, f64)>,
    /// Length of each.
    pub(super) norms: Vec<f64>,
}

/// Places of an image, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub height: usize,
    pub width: usize,
}

impl Grid {
    pub const ONE: Self = Self { height: 1, width: 1 };

    pub fn len(self) -> usize {
        self.height * self.width
    }
}

impl Points {
    /// Lays out images, row-major [n, channels·height·width], and walks each by itself.
    pub(super) fn new(inputs: &[f64], image: [usize; 3], layout: Places, steps: &[Step]) -> Self {
        let [channels, height, width] = image;
        let dim = channels * height * width;
        let n = inputs.len() / dim.max(1);
        let (places, features) = match layout {
            Places::Whole => (Grid::ONE, dim),
            Places::Pixels => (Grid { height, width }, channels),
            Places::Tokens(side) => (Grid { height: height / side, width: width / side }, channels * side * side),
            Places::Rows => (Grid { height, width: 1 }, channels * width),
        };
        let (down, across) = (height / places.height, width / places.width);
        let mut values = Vec::with_capacity(inputs.len());
        for sample in inputs.chunks_exact(dim.max(1)) {
            for place in 0..places.len() {
                let (top, left) = ((place / places.width) * down, (place % places.width) * across);
                for channel in 0..channels {
                    for row in top..top + down {
                        values.extend_from_slice(&sample[(channel * height + row) * width + left..][..across]);
                    }
                }
            }
        }
        let length = |sample: &[f64]| sample.iter().map(|value| value * value).sum::<f64>().sqrt();
        let norms = values.chunks_exact(dim.max(1)).map(length).collect();
        let mut points = Self { n, values, places, features, moments: Vec::new(), own: Vec::new(), norms };
        (points.own, points.moments) = alone(&points, steps);
        points
    }

    /// Some of them.
    pub fn part(&self, samples: std::ops::Range<usize>) -> Self {
        let size = self.places.len() * self.features;
        Self {
            n: samples.len(),
            values: self.values[samples.start * size..samples.end * size].to_vec(),
            moments: self.moments.iter().map(|moments| moments.part(samples.clone())).collect(),
            own: self.own[samples.clone()].to_vec(),
            norms: self.norms[samples].to_vec(),
            ..*self
        }
    }

    /// Whether all that the walk by themselves has shown is a number.
    pub fn is_finite(&self) -> bool {
        self.own.iter().all(|(covariance, kernel)| covariance.is_finite() && kernel.is_finite())
            && self.moments.iter().all(Moments::is_finite)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.n
    }

    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    pub(super) fn feature(&self, sample: usize, place: usize) -> &[f64] {
        &self.values[(sample * self.places.len() + place) * self.features..][..self.features]
    }

    /// The features of some samples at one place, [count, features].
    pub(super) fn matrix(&self, first: usize, count: usize, place: usize) -> MatRef<'_, f64> {
        let stride = self.places.len() * self.features;
        let from = &self.values[first * stride + place * self.features..];
        MatRef::from_row_major_slice_with_stride(
            &from[..(count - 1) * stride + self.features],
            count,
            self.features,
            stride,
        )
    }

    pub(super) fn sample(&self, sample: usize) -> &[f64] {
        let size = self.places.len() * self.features;
        &self.values[sample * size..][..size]
    }
}
