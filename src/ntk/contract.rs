//! Contracts the two sides of a layer to its part of the kernel: products in f32, every sum over places, directions and
//! layers in f64.
//!
//! In host memory each product is summed at once. Those of a graphics card wait there, and the sums take place when
//! [`Tile::settle`] reads all of them together: the card computes the next layers meanwhile, and is waited for once.

use std::collections::HashMap;
use std::rc::Rc;

use burn::tensor::Tensor;

use super::affine::Gains;
use super::rows::{InnerProducts, Rows};
use super::side::{Cotangents, LayerSide, PlaceData};
use super::weighted::{Weighted, WeightedTensors};
use crate::model::read_all;
use crate::spec::MOST_WAITING;

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
    /// ⟨a, a′⟩ of each layer that acts at one place per sample, by the index of its tap, where several groups of logits use
    /// it.
    activations: Option<HashMap<usize, Products>>,
    waiting: Waiting,
}

/// Products of a layer: numbers, or the index of a matrix that waits on a device.
#[derive(Clone)]
enum Products {
    Numbers(Rc<Vec<f32>>),
    Waiting(usize),
}

/// The matrices that wait on a device, and the terms of the sums in which they are.
#[derive(Default)]
struct Waiting {
    matrices: Vec<Tensor<2>>,
    bytes: u64,
    terms: Vec<Term>,
}

/// A term of the sums that waits for matrices from a device, which it has by their indices.
enum Term {
    /// The products of activations and cotangents, in the directions of their group.
    Products {
        activations: Products,
        cotangents: usize,
        shared: bool,
        directions: (usize, usize),
        into: Vec<(usize, Gains)>,
    },
    /// Entries of the sum as they are.
    Sum { entries: usize, into: usize },
    /// Entries of the sum from these samples on, [high, wide], of a pair of directions.
    Block { entries: usize, first: (usize, usize), wide: usize, pair: (usize, usize), into: usize },
    /// Both sides of a weighted layer, each with the index of the first of its two matrices.
    Weighted { sides: [(Rc<WeightedTensors>, usize); 2], into: [Option<usize>; 2] },
}

/// Largest number of rows of a product over pairs of places: bounds its memory to 16 MiB, and to 64 MiB on a graphics card.
const MOST_PLACES: usize = 2048;
const MOST_PLACES_ON_CARD: usize = 4096;

impl Tile {
    /// Returns a tile of zeros with so many sums; `again` if several groups of logits are added to it.
    pub fn new(
        samples: (usize, usize),
        directions: (usize, usize),
        (apart, same, again): (bool, bool, bool),
        count: usize,
    ) -> Self {
        let entries = |samples: usize, directions: usize| if apart { samples * directions } else { samples };
        let size = entries(samples.0, directions.0) * entries(samples.1, directions.1);
        let sums = vec![vec![0.0; size]; count];
        Self {
            samples,
            directions,
            apart,
            same,
            sums,
            activations: again.then(HashMap::new),
            waiting: Waiting::default(),
        }
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
                let known = self.activations.as_ref().and_then(|known| known.get(&place).cloned());
                let activations = known.unwrap_or_else(|| self.waiting.take(a.inner(b, self.same)));
                if let Some(known) = &mut self.activations {
                    known.insert(place, activations.clone());
                }
                self.add_products(activations, delta, other, split(*gains, into));
            }
            (LayerSide::Places(a, gains), LayerSide::Places(b, _)) => {
                let into = split(*gains, into);
                match (a.activations.on_device(), b.activations.on_device()) {
                    (Some(of_a), Some(of_b)) => self.add_places_on_device((a, of_a), (b, of_b), &into),
                    _ => self.add_places(a, b, &into),
                }
            }
            (LayerSide::Weighted(a), LayerSide::Weighted(b)) => {
                a.add(b, self.same, &mut self.sums, [into[0], into.get(1).copied().flatten()]);
            }
            (LayerSide::WeightedOnDevice(a), LayerSide::WeightedOnDevice(b)) => {
                let first = self.waiting.push_all(a.matrices());
                let second = if Rc::ptr_eq(a, b) { first } else { self.waiting.push_all(b.matrices()) };
                let sides = [(Rc::clone(a), first), (Rc::clone(b), second)];
                let into = [into[0], into.get(1).copied().flatten()];
                self.waiting.terms.push(Term::Weighted { sides, into });
            }
            _ => unreachable!("both sides of a layer are prepared for the same contraction"),
        }
        if self.waiting.bytes > MOST_WAITING {
            self.settle();
        }
    }

    /// Reads what waits on a device, and adds it to the sums.
    pub fn settle(&mut self) {
        let Waiting { matrices, terms, .. } = std::mem::take(&mut self.waiting);
        let read: Vec<Rc<Vec<f32>>> = read_all(matrices).into_iter().map(Rc::new).collect();
        // Groups of logits that come later have the numbers.
        for known in self.activations.iter_mut().flat_map(HashMap::values_mut) {
            if let Products::Waiting(index) = *known {
                *known = Products::Numbers(Rc::clone(&read[index]));
            }
        }
        for term in terms {
            match term {
                Term::Products { activations, cotangents, shared, directions, into } => {
                    let activations = match &activations {
                        Products::Numbers(numbers) => numbers,
                        Products::Waiting(index) => &read[*index],
                    };
                    for (into, gains) in into {
                        self.spread(activations, (shared, directions), &read[cotangents], gains, into);
                    }
                }
                Term::Sum { entries, into } => {
                    let sums = self.sums[into].iter_mut();
                    sums.zip(&*read[entries]).for_each(|(sum, entry)| *sum += f64::from(*entry));
                }
                Term::Block { entries, first, wide, pair, into } => {
                    for (at, entry) in read[entries].iter().enumerate() {
                        let at = self.place((first.0 + at / wide, pair.0), (first.1 + at % wide, pair.1));
                        self.sums[into][at] += f64::from(*entry);
                    }
                }
                Term::Weighted { sides: [(a, first), (b, second)], into } => {
                    let side = |side: &WeightedTensors, at: usize| side.with(&read[at], &read[at + 1]);
                    let a = side(&a, first);
                    let other: Option<Weighted> = (second != first).then(|| side(&b, second));
                    a.add(other.as_ref().unwrap_or(&a), self.same, &mut self.sums, into);
                }
            }
        }
    }

    fn add_gradients(&mut self, a: &Rows, b: &Rows, into: usize) {
        let sums = &mut self.sums[into];
        let waiting = if self.apart {
            a.add_inner(b, self.same, sums)
        } else {
            // All directions of a sample in one row, so the product includes the sum over them.
            a.joined(self.directions.0).add_inner(&b.joined(self.directions.1), self.same, sums)
        };
        if let Some(entries) = waiting {
            let entries = self.waiting.push(entries);
            self.waiting.terms.push(Term::Sum { entries, into });
        }
    }

    /// Adds the products of a layer; those of the cotangents are the same for weight and bias, and are computed once.
    fn add_products(&mut self, activations: Products, a: &Cotangents, b: &Cotangents, into: Vec<(usize, Gains)>) {
        let (shared, cotangents) = match (a, b) {
            (Cotangents::Shared(a), Cotangents::Shared(b)) => (true, a.inner(b, false)),
            (Cotangents::Apart(a), Cotangents::Apart(b)) | (Cotangents::Summed(a), Cotangents::Summed(b)) => {
                (false, a.inner(b, self.same))
            }
            _ => unreachable!("both sides of a layer are left by the network in the same form"),
        };
        let directions = self.directions;
        match (self.waiting.take(cotangents), activations) {
            (Products::Numbers(cotangents), Products::Numbers(activations)) => {
                for (into, gains) in into {
                    self.spread(&activations, (shared, directions), &cotangents, gains, into);
                }
            }
            (Products::Waiting(cotangents), activations) => {
                self.waiting.terms.push(Term::Products { activations, cotangents, shared, directions, into });
            }
            (Products::Numbers(_), Products::Waiting(_)) => unreachable!("both products of a layer are on one device"),
        }
    }

    fn spread(
        &mut self,
        activations: &[f32],
        (shared, (rows, width)): (bool, (usize, usize)),
        products: &[f32],
        gains: Gains,
        into: usize,
    ) {
        let of = |activation: f32| gains.weight * f64::from(activation) + gains.bias;
        let sums = &mut self.sums[into];
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
                let activations = numbers(&cut(&a.activations, i, high), &cut(&b.activations, j, wide));
                for (c, delta) in a.cotangents.iter().enumerate() {
                    for (d, other) in b.cotangents.iter().enumerate() {
                        if !self.apart && c != d {
                            continue;
                        }
                        let products = numbers(&cut(delta, i, high), &cut(other, j, wide));
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

    /// As [`Self::add_places`], on a device: the sum over pairs of places (and over directions, unless they are stored
    /// separately) is one inner product of gradients and in f32, as where the gradients are formed.
    fn add_places_on_device(
        &mut self,
        (a, of_a): (&PlaceData, &Tensor<2>),
        (b, of_b): (&PlaceData, &Tensor<2>),
        into: &[(usize, Gains)],
    ) {
        let places = a.count;
        let group = (MOST_PLACES_ON_CARD / places).max(1);
        let (rows, columns) = self.samples;
        let cut = |rows: &Tensor<2>, first: usize, count: usize| rows.clone().narrow(0, first * places, count * places);
        let directions =
            |sides: &[Rows]| -> Vec<Tensor<2>> { sides.iter().filter_map(|rows| rows.on_device().cloned()).collect() };
        let (left, right) = (directions(&a.cotangents), directions(&b.cotangents));
        for (i, j) in (0..rows).step_by(group).flat_map(|i| (0..columns).step_by(group).map(move |j| (i, j))) {
            if self.same && j > i {
                continue;
            }
            let (high, wide) = (group.min(rows - i), group.min(columns - j));
            let activations = cut(of_a, i, high).matmul(cut(of_b, j, wide).transpose());
            let along = |gains: &Gains| activations.clone() * gains.weight + gains.bias;
            let along: Vec<Tensor<2>> = into.iter().map(|(_, gains)| along(gains)).collect();
            let mut sums: Vec<Option<Tensor<2>>> = into.iter().map(|_| None).collect();
            for (c, delta) in left.iter().enumerate() {
                for (d, other) in right.iter().enumerate() {
                    if !self.apart && c != d {
                        continue;
                    }
                    let products = cut(delta, i, high).matmul(cut(other, j, wide).transpose());
                    for ((along, sum), &(into, _)) in along.iter().zip(&mut sums).zip(into) {
                        let pairs = (products.clone() * along.clone()).reshape([high, places, wide, places]);
                        let here = pairs.sum_dim(3).sum_dim(1).reshape([high, wide]);
                        if self.apart {
                            self.waiting.push_block(here, (i, j), (c, d), into);
                        } else {
                            *sum = Some(match sum.take() {
                                Some(sum) => sum + here,
                                None => here,
                            });
                        }
                    }
                }
            }
            for (sum, &(into, _)) in sums.into_iter().zip(into) {
                sum.into_iter().for_each(|sum| self.waiting.push_block(sum, (i, j), (0, 0), into));
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

impl Waiting {
    /// Adds a matrix and returns its index.
    fn push(&mut self, matrix: Tensor<2>) -> usize {
        self.bytes += 4 * matrix.shape().num_elements() as u64;
        self.matrices.push(matrix);
        self.matrices.len() - 1
    }

    /// Adds matrices and returns the index of the first.
    fn push_all<const N: usize>(&mut self, matrices: [Tensor<2>; N]) -> usize {
        let first = self.matrices.len();
        matrices.into_iter().for_each(|matrix| {
            self.push(matrix);
        });
        first
    }

    fn push_block(&mut self, block: Tensor<2>, first: (usize, usize), pair: (usize, usize), into: usize) {
        let [_, wide] = block.dims();
        let entries = self.push(block);
        self.terms.push(Term::Block { entries, first, wide, pair, into });
    }

    /// Takes inner products as they are: numbers, or a matrix that waits.
    fn take(&mut self, products: InnerProducts) -> Products {
        match products {
            InnerProducts::Host(numbers) => Products::Numbers(Rc::new(numbers)),
            InnerProducts::Device(matrix) => Products::Waiting(self.push(matrix)),
        }
    }
}

/// Computes the inner products of rows in host memory.
fn numbers(a: &Rows, b: &Rows) -> Vec<f32> {
    match a.inner(b, false) {
        InnerProducts::Host(numbers) => numbers,
        InnerProducts::Device(_) => unreachable!("pairs of places of a device are summed there"),
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
