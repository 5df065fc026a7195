//! Contracts the two sides of a layer to its part of the kernel: products in f32, every sum over places, directions and
//! layers in f64.

use std::collections::HashMap;

use super::affine::Gains;
use super::rows::Rows;
use super::side::{Cotangents, LayerSide, PlaceData};

/// A rectangle of the kernel under construction.
pub(super) struct Tile {
    /// Samples of its rows and of its columns.
    pub samples: (usize, usize),
    /// Directions of its rows and of its columns; rows and columns are sample-major.
    pub directions: (usize, usize),
    /// True if pairs of directions are stored separately, else only the sum over equal ones.
    pub apart: bool,
    /// True if rows and columns are the same: entries above the diagonal are then meaningless.
    pub same: bool,
    /// Row-major sums: one for each part that is stored separately, or one for all.
    pub sums: Vec<Vec<f64>>,
    /// ⟨a, a′⟩ of each layer that acts at one place per sample, by the index of its tap, where several sets of logits use
    /// it.
    pub activations: Option<HashMap<usize, Vec<f32>>>,
}

/// Largest number of rows of a product over pairs of places: bounds its memory to 16 MiB.
const MOST_PLACES: usize = 2048;

impl Tile {
    /// Returns a tile of zeros.
    pub fn new(samples: (usize, usize), directions: (usize, usize), apart: bool, same: bool, count: usize) -> Self {
        let entries = |samples: usize, directions: usize| if apart { samples * directions } else { samples };
        let size = entries(samples.0, directions.0) * entries(samples.1, directions.1);
        Self { samples, directions, apart, same, sums: vec![vec![0.0; size]; count], activations: None }
    }

    /// Adds the contribution of the layer with tap index `place`; `into` gives the sum of each of its tensors, if any.
    pub fn add(&mut self, place: usize, a: &LayerSide, b: &LayerSide, into: &[Option<usize>]) {
        match (a, b) {
            (LayerSide::Gradients(a), LayerSide::Gradients(b)) => {
                for ((a, b), into) in a.iter().zip(b).zip(into) {
                    if let (Some(a), Some(b), Some(into)) = (a, b, into) {
                        self.add_gradients(a, b, *into);
                    }
                }
            }
            (
                LayerSide::Products { activations: a, cotangents: delta, gains },
                LayerSide::Products { activations: b, cotangents: other, .. },
            ) => {
                let known = self.activations.as_mut().and_then(|known| known.remove(&place));
                let activations = known.unwrap_or_else(|| a.inner(b, self.same));
                self.add_products(&activations, delta, other, &split(*gains, into));
                if let Some(known) = &mut self.activations {
                    known.insert(place, activations);
                }
            }
            (LayerSide::Places(a, gains), LayerSide::Places(b, _)) => self.add_places(a, b, &split(*gains, into)),
            (LayerSide::Weighted(a), LayerSide::Weighted(b)) => {
                a.add(b, self.same, &mut self.sums, [into[0], into.get(1).copied().flatten()]);
            }
            _ => unreachable!("both sides of a layer are prepared for the same contraction"),
        }
    }

    fn add_gradients(&mut self, a: &Rows, b: &Rows, into: usize) {
        let sums = &mut self.sums[into];
        if self.apart {
            return a.add_inner(b, self.same, sums);
        }
        // All directions of a sample in one row, so the product includes the sum over them.
        a.joined(self.directions.0).add_inner(&b.joined(self.directions.1), self.same, sums);
    }

    /// Adds the products of a layer; those of the cotangents are the same for weight and bias, and are computed once.
    fn add_products(&mut self, activations: &[f32], a: &Cotangents, b: &Cotangents, into: &[(usize, Gains)]) {
        let (shared, products) = match (a, b) {
            (Cotangents::Shared(a), Cotangents::Shared(b)) => (true, a.inner(b, false)),
            (Cotangents::Apart(a), Cotangents::Apart(b)) | (Cotangents::Summed(a), Cotangents::Summed(b)) => {
                (false, a.inner(b, self.same))
            }
            _ => unreachable!("both sides of a layer are left by the network in the same form"),
        };
        for &(into, gains) in into {
            self.spread(activations, shared, &products, gains, into);
        }
    }

    fn spread(&mut self, activations: &[f32], shared: bool, products: &[f32], gains: Gains, into: usize) {
        let of = |activation: f32| gains.weight * f64::from(activation) + gains.bias;
        let sums = &mut self.sums[into];
        let (rows, width) = self.directions;
        match (self.apart, shared) {
            (false, true) => {
                let trace: f64 = (0..rows).map(|c| f64::from(products[c * width + c])).sum();
                for (sum, activation) in sums.iter_mut().zip(activations) {
                    *sum += trace * of(*activation);
                }
            }
            (false, false) => {
                for ((sum, product), activation) in sums.iter_mut().zip(products).zip(activations) {
                    *sum += f64::from(*product) * of(*activation);
                }
            }
            (true, _) => {
                let columns = self.samples.1;
                for (row, sums) in sums.chunks_exact_mut(columns * width).enumerate() {
                    let activations = &activations[row / rows * columns..][..columns];
                    let below = if self.same { row / rows + 1 } else { columns };
                    for (sample, (sums, activation)) in
                        sums.chunks_exact_mut(width).zip(activations).enumerate().take(below)
                    {
                        // One block for all samples, or one for each pair.
                        let at = if shared { row % rows } else { row * columns + sample } * width;
                        let activation = of(*activation);
                        for (sum, product) in sums.iter_mut().zip(&products[at..][..width]) {
                            *sum += f64::from(*product) * activation;
                        }
                    }
                }
            }
        }
    }

    fn add_places(&mut self, a: &PlaceData, b: &PlaceData, into: &[(usize, Gains)]) {
        let places = a.count;
        let group = (MOST_PLACES / places).max(1);
        let (rows, columns) = self.samples;
        for i in (0..rows).step_by(group) {
            for j in (0..columns).step_by(group) {
                if self.same && j > i {
                    continue;
                }
                let (high, wide) = (group.min(rows - i), group.min(columns - j));
                let cut = |rows: &Rows, first: usize, count: usize| rows.part(first * places, count * places);
                let activations = cut(&a.activations, i, high).inner(&cut(&b.activations, j, wide), false);
                for (c, delta) in a.cotangents.iter().enumerate() {
                    for (d, other) in b.cotangents.iter().enumerate() {
                        if !self.apart && c != d {
                            continue;
                        }
                        let products = cut(delta, i, high).inner(&cut(other, j, wide), false);
                        for x in 0..high {
                            for y in 0..wide {
                                let at = self.place((i + x, c), (j + y, d));
                                for &(into, gains) in into {
                                    let mut sum = 0.0;
                                    for p in 0..places {
                                        let first = ((x * places + p) * wide + y) * places;
                                        let pairs = products[first..][..places].iter().zip(&activations[first..]);
                                        for (product, activation) in pairs {
                                            let along = gains.weight * f64::from(*activation) + gains.bias;
                                            sum += f64::from(*product) * along;
                                        }
                                    }
                                    self.sums[into][at] += sum;
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Returns the index of the entry of these samples and directions.
    fn place(&self, (row, c): (usize, usize), (column, d): (usize, usize)) -> usize {
        if self.apart {
            (row * self.directions.0 + c) * self.samples.1 * self.directions.1 + column * self.directions.1 + d
        } else {
            row * self.samples.1 + column
        }
    }
}

/// Combines weight and bias where they go into the same sum, else returns both.
fn split(gains: Gains, into: &[Option<usize>]) -> Vec<(usize, Gains)> {
    // A layer may have no bias.
    let (weight_into, bias_into) = (into[0], into.get(1).copied().flatten());
    let weight = weight_into.map(|into| (into, Gains { bias: 0.0, ..gains }));
    let bias = bias_into.map(|into| (into, Gains { weight: 0.0, ..gains }));
    match (weight_into, bias_into) {
        (Some(a), Some(b)) if a == b => vec![(a, gains)],
        _ => weight.into_iter().chain(bias).collect(),
    }
}
