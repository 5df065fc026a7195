//! Computes K and Θ through the states of a network.
//!
//! Each sample is first paired with itself, and its variances before each nonlinearity are recorded; the pairs of samples
//! read them. Points are made here, because each of them carries its own K and Θ.
//!
//! Constructors and steps that need this recursion stand here, and not beside [`PreparedInputs`] and [`State`], which do
//! not depend on it.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, Par};

use super::dual::{Moment, Moments, NEAR, apply};
use super::gains::Gains;
use super::plan::{Plan, StatePlan};
use super::points::{PreparedInputs, SourceInputs};
use super::state::State;
use super::steps::{Join, Step};
use crate::spec::ops::Function;

/// A range of samples: the points, the first index and the count.
pub(super) type Part<'a> = (&'a PreparedInputs, usize, usize);

impl PreparedInputs {
    /// Lays out images, row-major [n, channels·height·width], and computes the kernel of each with itself.
    pub(super) fn new(inputs: &[f64], dim: usize, plan: &Plan) -> Self {
        let sizes = plan.given.sizes();
        let mut sources: Vec<SourceInputs> =
            sizes.into_iter().map(|size| SourceInputs::new(size, inputs.len())).collect();
        for image in inputs.chunks_exact(dim.max(1)) {
            for (laid, values) in sources.iter_mut().zip(plan.given.of(image)) {
                laid.norms.push(values.iter().map(|value| value * value).sum::<f64>().sqrt());
                laid.values.extend(values);
            }
        }
        let mut points = Self { n: inputs.len() / dim.max(1), sources, moments: Vec::new(), own: Vec::new() };
        (points.own, points.moments) = alone(&points, &plan.states);
        points
    }
}

/// Computes K and Θ of each sample with itself, and its moments.
fn alone(points: &PreparedInputs, states: &[StatePlan]) -> (Vec<(f64, f64)>, Vec<Moments>) {
    let mut log = MomentLog::Writing { points, written: Vec::new() };
    let last = walk(states, &mut log);
    let own = last.covariance.into_iter().zip(last.kernel).collect();
    match log {
        MomentLog::Writing { written, .. } => (own, written),
        MomentLog::Reading { .. } => (own, Vec::new()),
    }
}

/// Computes K and Θ of the outputs, row-major [rows, columns], between two ranges of samples.
pub(super) fn tile(states: &[StatePlan], rows: Part<'_>, columns: Part<'_>) -> (Vec<f64>, Vec<f64>) {
    let mut last = walk(states, &mut MomentLog::Reading { rows, columns, next: 0 });
    // Equal inputs get the kernel of a sample with itself, to the last bit: an inner product with another rounding would
    // act as an angle of 1e-8 between them.
    let ((rows, first_row, _), (columns, first_column, column_count)) = (rows, columns);
    for (at, (covariance, kernel)) in last.covariance.iter_mut().zip(&mut last.kernel).enumerate() {
        let (row, column) = (first_row + at / column_count, first_column + at % column_count);
        let (own, other) = (rows.own[row], columns.own[column]);
        if own == other && rows.is_equal(row, columns, column) {
            (*covariance, *kernel) = own;
        }
    }
    (last.covariance, last.kernel)
}

fn walk(states: &[StatePlan], log: &mut MomentLog<'_>) -> State {
    let mut kept: Vec<Option<State>> = Vec::with_capacity(states.len());
    for made in states {
        let mut joined: Vec<State> = Vec::with_capacity(made.reads.len());
        for &(read, is_last) in &made.reads {
            let state = if is_last { kept[read].take() } else { kept[read].clone() };
            joined.push(state.expect("a state is kept until its last reader").narrowed(made.all));
        }
        let slots = joined.iter().map(|state| state.slots).max().unwrap_or(1);
        let mut state = match &made.join {
            Join::Source(source) => log.source(*source, made.all),
            Join::One => joined.swap_remove(0),
            Join::Sum(weights) => State::sum(joined, weights, slots),
            Join::Product => State::product(&joined, slots),
            Join::Places(from) => State::places(&joined, from, made.all),
            Join::Slots => State::beside(joined),
        };
        for (step, all) in &made.steps {
            state = state.step(step, *all, log);
        }
        kept.push(Some(state));
    }
    kept.pop().flatten().expect("a network has logits")
}

impl State {
    fn step(mut self, step: &Step, all: bool, log: &mut MomentLog<'_>) -> Self {
        match step {
            Step::Affine(gains) => {
                self.affine(*gains);
                return self;
            }
            Step::Average(shares) => return self.average(shares),
            Step::Function(function) => self.nonlinear(function, log),
            _ => {}
        }
        self.low.clear();
        match step {
            Step::Affine(_) | Step::Average(_) | Step::Function(_) => {}
            Step::Windows(windows) => return self.windows(windows),
            Step::Norm(shares, epsilon) => self.norm(shares, *epsilon, false, log),
            Step::NormAll(shares, epsilon) => self.norm(shares, *epsilon, true, log),
            Step::Sums(from, by) => return self.sums(from, |_| *by, all),
            Step::Means(from) => return self.sums(from, |place| 1.0 / from[place].len() as f64, all),
            Step::Attend(count) => return self.attend(*count, all),
            Step::Flatten(from) => return self.flatten(from),
            Step::Offset(covariance, kernel) => self.offset(*covariance, *kernel),
            Step::Before(covariance, kernel) => return self.before(*covariance, *kernel, all),
            Step::LayerScale(square) => self.layer_scale(*square),
            Step::Scale(by) => self.scale(*by),
            Step::Shift(by) => self.covariance.iter_mut().for_each(|value| *value += by),
            Step::Recur(gains, function) => return self.recur(*gains, function, log),
        }
        self
    }

    fn nonlinear(&mut self, function: &Function, log: &mut MomentLog<'_>) {
        let step = log.turn(|| {
            let [variances, lows] = self.variances();
            Moments::of(function, &variances, &lows, self.rows)
        });
        let places = self.places;
        self.each(
            log,
            step,
            |slot, place| slot * places + place,
            |left, rights, lows, covariances, kernels| {
                apply(function, left, rights, lows, covariances, kernels);
            },
        );
        self.low.clear();
    }

    /// Divides by the root of ε plus the mean of K over slots, at each place or over all.
    fn norm(&mut self, shares: &[f64], epsilon: f64, over_all: bool, log: &mut MomentLog<'_>) {
        let step = log.turn(|| {
            let [variances, _] = self.variances();
            let (places, samples) = (self.places, self.rows);
            let of = |place: usize, sample: usize| -> f64 {
                let slot = |slot: usize| variances[(slot * places + place) * samples + sample];
                shares.iter().enumerate().map(|(at, share)| share * slot(at)).sum()
            };
            let own = |place: usize| (0..samples).map(move |sample| of(place, sample));
            let means: Vec<f64> = if over_all {
                let mean = |sample| (0..places).map(|place| of(place, sample)).sum::<f64>() / places as f64;
                (0..samples).map(mean).collect()
            } else {
                (0..places).flat_map(own).collect()
            };
            Moments::plain(&means, samples)
        });
        let place = |_, place: usize| if over_all { 0 } else { place };
        self.each(log, step, place, |left, rights, _, covariances, kernels| {
            for ((covariance, kernel), right) in covariances.iter_mut().zip(kernels).zip(rights) {
                let scale = (left.variance() + epsilon).sqrt() * (right.variance() + epsilon).sqrt();
                (*covariance, *kernel) = (*covariance / scale, *kernel / scale);
            }
        });
    }

    /// Applies a function to every row of K and Θ of each slot at each pair of places, with the moments of its sample and
    /// of the others and the rounding errors of K, where known. `place` gives the index of the moments of a slot and a
    /// place.
    fn each(
        &mut self,
        log: &MomentLog<'_>,
        step: usize,
        place: impl Fn(usize, usize) -> usize,
        act: impl Fn(Moment<'_>, &[Moment<'_>], &[f64], &mut [f64], &mut [f64]),
    ) {
        let (rows, columns, pairs) = (self.rows, self.columns, self.pairs());
        for plane in 0..self.planes() {
            let (slot, (p, q)) = (plane / pairs, self.pair(plane % pairs));
            let (p, q) = (place(slot, p), place(slot, q));
            // Looked up once for all rows, unless each row is paired with itself.
            let shared = log.rights(step, q);
            for row in 0..rows {
                let left = log.left(step, p, row);
                let own = [log.left(step, q, row)];
                let rights = shared.as_deref().unwrap_or(&own);
                let entries = (plane * rows + row) * columns..(plane * rows + row + 1) * columns;
                let low = self.low.get(entries.clone()).unwrap_or_default();
                act(left, rights, low, &mut self.covariance[entries.clone()], &mut self.kernel[entries]);
            }
        }
    }

    /// Gradients at unequal distances from the end are uncorrelated, so only pairs of equal times contribute.
    fn recur(self, gains: Gains, function: &Function, log: &mut MomentLog<'_>) -> Self {
        let input = self.narrowed(false);
        let mut state = input.blank(1, 1, false);
        for time in 0..input.places {
            state.affine(gains);
            state = Self::sum(vec![state, input.place(time)], &[1.0, 1.0], 1);
            state.nonlinear(function, log);
        }
        state
    }

    /// Returns one place of a state of equal places.
    fn place(&self, place: usize) -> Self {
        let entries = place * self.size()..(place + 1) * self.size();
        let of = |values: &[f64]| values[entries.clone()].to_vec();
        let (covariance, kernel) = (of(&self.covariance), of(&self.kernel));
        Self { places: 1, slots: 1, all: false, covariance, kernel, low: Vec::new(), ..*self }
    }
}

/// The moments of the samples, in the order in which the steps need them.
enum MomentLog<'a> {
    /// Each sample is paired with itself: the moments are recorded.
    Writing { points: &'a PreparedInputs, written: Vec<Moments> },
    /// Two ranges of samples are paired: the moments are read.
    Reading { rows: Part<'a>, columns: Part<'a>, next: usize },
}

impl MomentLog<'_> {
    /// Advances to the next step that needs moments and returns its index.
    fn turn(&mut self, make: impl FnOnce() -> Moments) -> usize {
        match self {
            Self::Writing { written, .. } => {
                written.push(make());
                written.len() - 1
            }
            Self::Reading { next, .. } => {
                *next += 1;
                *next - 1
            }
        }
    }

    fn left(&self, step: usize, place: usize, row: usize) -> Moment<'_> {
        match self {
            Self::Writing { written, .. } => written[step].at(place, row),
            Self::Reading { rows: (points, first, _), .. } => points.moments[step].at(place, first + row),
        }
    }

    /// Returns the moments of all columns; `None` where each sample is paired with itself.
    fn rights(&self, step: usize, place: usize) -> Option<Vec<Moment<'_>>> {
        match self {
            Self::Writing { .. } => None,
            Self::Reading { columns: (points, first, count), .. } => {
                Some((0..*count).map(|column| points.moments[step].at(place, first + column)).collect())
            }
        }
    }

    /// Computes K of a source; its Θ is 0.
    fn source(&self, source: usize, all: bool) -> State {
        match *self {
            Self::Writing { points, .. } => own(&points.sources[source], points.n, all),
            Self::Reading {
                rows: (rows, first_row, row_count),
                columns: (columns, first_column, column_count),
                ..
            } => cross(
                (&rows.sources[source], first_row, row_count),
                (&columns.sources[source], first_column, column_count),
                all,
            ),
        }
    }
}

fn own(laid: &SourceInputs, n: usize, all: bool) -> State {
    let places = laid.places;
    let pair = |p, q| (0..n).map(move |sample| laid.product(laid.feature(sample, p), laid.feature(sample, q)));
    let (products, low) = if laid.is_exact() {
        (0..n).map(|sample| exact_dot(laid.sample(sample), laid.sample(sample))).unzip()
    } else if all {
        ((0..places).flat_map(|p| (0..places).flat_map(move |q| pair(p, q))).collect(), Vec::new())
    } else {
        ((0..places).flat_map(|p| pair(p, p)).collect(), Vec::new())
    };
    start(laid, products, low, all, (n, 1))
}

fn cross(
    (rows, first_row, row_count): (&SourceInputs, usize, usize),
    (columns, first_column, column_count): (&SourceInputs, usize, usize),
    all: bool,
) -> State {
    let places = rows.places;
    let count = if all { places * places } else { places };
    let mut products = vec![0.0; count * row_count * column_count];
    for (plane, into) in products.chunks_exact_mut(row_count * column_count).enumerate() {
        let (p, q) = if all { (plane / places, plane % places) } else { (plane, plane) };
        if rows.are_tokens() {
            for (at, into) in into.iter_mut().enumerate() {
                let (row, column) = (first_row + at / column_count, first_column + at % column_count);
                *into = rows.product(rows.feature(row, p), columns.feature(column, q));
            }
            continue;
        }
        let (left, right) = (rows.matrix(first_row, row_count, p), columns.matrix(first_column, column_count, q));
        let into = MatMut::from_row_major_slice_mut(into, row_count, column_count);
        matmul(into, Accum::Replace, left, right.transpose(), 1.0, Par::Seq);
    }
    let mut low = vec![0.0; if rows.is_exact() { products.len() } else { 0 }];
    for (at, (product, low)) in products.iter().zip(&mut low).enumerate() {
        let (row, column) = (first_row + at / column_count, first_column + at % column_count);
        if product.abs() >= (1.0 - NEAR) * (rows.norms[row] * columns.norms[column]) {
            let (high, rest) = exact_dot(rows.sample(row), columns.sample(column));
            *low = (high - product) + rest;
        }
    }
    start(rows, products, low, all, (row_count, column_count))
}

/// Builds a state from products, as means over features.
fn start(
    laid: &SourceInputs,
    mut products: Vec<f64>,
    mut low: Vec<f64>,
    all: bool,
    (rows, columns): (usize, usize),
) -> State {
    let features = laid.features as f64;
    for (at, value) in products.iter_mut().enumerate() {
        let mean = *value / features;
        if let Some(low) = low.get_mut(at) {
            *low = ((-mean).mul_add(features, *value) + *low) / features;
        }
        *value = mean;
    }
    let kernel = vec![0.0; products.len()];
    State { places: laid.places, slots: 1, all, rows, columns, covariance: products, kernel, low }
}

/// Computes the inner product and its rounding error (Ogita, Rump & Oishi 2005, algorithm 5.3).
fn exact_dot(a: &[f64], b: &[f64]) -> (f64, f64) {
    let (mut sum, mut rest) = (0.0f64, 0.0f64);
    for (a, b) in a.iter().zip(b) {
        let product = a * b;
        let total = sum + product;
        let part = total - sum;
        rest += a.mul_add(*b, -product) + ((sum - (total - part)) + (product - part));
        sum = total;
    }
    (sum, rest)
}
