//! K and Θ on their way through the steps of a network.
//!
//! A state holds, for each pair of places, a plane of pairs of samples. Where no step mixes places, only equal places are
//! kept: then a convolution costs the pixels and not their square. Each sample is first walked by itself, and its variances
//! before each nonlinearity are written down; the pairs of samples read them.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, Par};

use super::dual::{Moment, Moments, NEAR, apply};
use super::points::{Grid, Points};
use super::program::{Gains, Step};
use crate::spec::{Activation, ops::Function};

/// ε of LayerNorm: that of the references, for inputs that are nothing but zeros. (The networks have 1e-5, which shows in the
/// sixth digit.)
const EPSILON: f64 = 1e-12;

/// K and Θ, [pairs of places][rows × columns].
#[derive(Clone)]
struct State {
    places: Grid,
    /// Whether unequal places are kept.
    all: bool,
    rows: usize,
    columns: usize,
    covariance: Vec<f64>,
    kernel: Vec<f64>,
    /// What rounding left out of the covariances of nearly equal and nearly opposite inputs, up to the first nonlinearity of a
    /// network whose inputs have one place; elsewhere nobody knows, and it is empty. There a kernel with large variances hangs
    /// on more digits than a number has.
    low: Vec<f64>,
}

/// Whether a network needs the covariance of unequal places.
pub(super) fn mixes(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Pool | Step::Mean | Step::Attend))
}

/// Pairs of places that are kept.
pub(super) fn planes(places: Grid, all: bool) -> usize {
    if all { places.len() * places.len() } else { places.len() }
}

/// K and Θ of each sample with itself, and its moments.
pub(super) fn alone(points: &Points, steps: &[Step]) -> (Vec<(f64, f64)>, Vec<Moments>) {
    let mut state = State::own(points, mixes(steps));
    let mut book = Book::Writing { written: Vec::new() };
    state.walk(steps, &mut book);
    let own = state.covariance.into_iter().zip(state.kernel).collect();
    match book {
        Book::Writing { written } => (own, written),
        Book::Reading { .. } => (own, Vec::new()),
    }
}

/// K and Θ of the outputs, row-major [rows, columns], of some samples with some others.
pub(super) fn tile(
    steps: &[Step],
    (rows, first_row, row_count): (&Points, usize, usize),
    (columns, first_column, column_count): (&Points, usize, usize),
) -> (Vec<f64>, Vec<f64>) {
    let mut state = State::cross((rows, first_row, row_count), (columns, first_column, column_count), mixes(steps));
    state.walk(steps, &mut Book::Reading { rows: (rows, first_row), columns: (columns, first_column), next: 0 });
    // Equal inputs have the kernel of a sample with itself, to the last bit: an inner product that is rounded otherwise would
    // be an angle of 1e-8 between them.
    for (at, (covariance, kernel)) in state.covariance.iter_mut().zip(&mut state.kernel).enumerate() {
        let (row, column) = (first_row + at / column_count, first_column + at % column_count);
        let (own, other) = (rows.own[row], columns.own[column]);
        if own == other && rows.sample(row) == columns.sample(column) {
            (*covariance, *kernel) = own;
        }
    }
    (state.covariance, state.kernel)
}

impl State {
    fn own(points: &Points, all: bool) -> Self {
        let places = points.places.len();
        let pair = |p, q| (0..points.n).map(move |sample| dot(points.feature(sample, p), points.feature(sample, q)));
        let (products, low) = if places == 1 {
            (0..points.n).map(|sample| exact_dot(points.sample(sample), points.sample(sample))).unzip()
        } else if all {
            ((0..places).flat_map(|p| (0..places).flat_map(move |q| pair(p, q))).collect(), Vec::new())
        } else {
            ((0..places).flat_map(|p| pair(p, p)).collect(), Vec::new())
        };
        Self::start(points, products, low, all, (points.n, 1))
    }

    fn cross(
        (rows, first_row, row_count): (&Points, usize, usize),
        (columns, first_column, column_count): (&Points, usize, usize),
        all: bool,
    ) -> Self {
        let places = rows.places.len();
        let mut products = vec![0.0; planes(rows.places, all) * row_count * column_count];
        for (plane, into) in products.chunks_exact_mut(row_count * column_count).enumerate() {
            let (p, q) = if all { (plane / places, plane % places) } else { (plane, plane) };
            let (left, right) = (rows.matrix(first_row, row_count, p), columns.matrix(first_column, column_count, q));
            let into = MatMut::from_row_major_slice_mut(into, row_count, column_count);
            matmul(into, Accum::Replace, left, right.transpose(), 1.0, Par::Seq);
        }
        let mut low = vec![0.0; if places == 1 { products.len() } else { 0 }];
        for (at, (product, low)) in products.iter().zip(&mut low).enumerate() {
            let (row, column) = (first_row + at / column_count, first_column + at % column_count);
            if product.abs() >= (1.0 - NEAR) * (rows.norms[row] * columns.norms[column]) {
                let (high, rest) = exact_dot(rows.sample(row), columns.sample(column));
                *low = (high - product) + rest;
            }
        }
        Self::start(rows, products, low, all, (row_count, column_count))
    }

    fn start(
        points: &Points,
        mut products: Vec<f64>,
        mut low: Vec<f64>,
        all: bool,
        (rows, columns): (usize, usize),
    ) -> Self {
        let features = points.features as f64;
        for (at, value) in products.iter_mut().enumerate() {
            let mean = *value / features;
            if let Some(low) = low.get_mut(at) {
                *low = ((-mean).mul_add(features, *value) + *low) / features;
            }
            *value = mean;
        }
        let kernel = vec![0.0; products.len()];
        Self { places: points.places, all, rows, columns, covariance: products, kernel, low }
    }

    fn walk(&mut self, steps: &[Step], book: &mut Book<'_>) {
        let mut kept = Vec::new();
        for step in steps {
            if !matches!(step, Step::Affine(_) | Step::Activation(_) | Step::Keep) {
                self.low.clear();
            }
            match *step {
                Step::Affine(gains) => self.affine(gains),
                Step::Activation(activation) => self.nonlinear(activation, book),
                Step::Norm => self.norm(book),
                Step::Patches => self.patches(),
                Step::Pool => self.pool(),
                Step::Flatten => self.flatten(),
                Step::Mean => self.mean(),
                Step::Attend => self.attend(),
                Step::Offset(covariance, kernel) => self.offset(covariance, kernel),
                Step::Keep => kept.push((self.covariance.clone(), self.kernel.clone())),
                Step::Add => {
                    let (covariance, kernel) = kept.pop().expect("what is added was kept");
                    add(&mut self.covariance, &covariance);
                    add(&mut self.kernel, &kernel);
                }
                Step::Recur(gains, activation) => self.recur(gains, activation, book),
            }
        }
    }

    fn affine(&mut self, gains: Gains) {
        for (low, covariance) in self.low.iter_mut().zip(&self.covariance) {
            let product = gains.weight * covariance;
            let sum = product + gains.bias;
            let part = sum - product;
            let rest = (product - (sum - part)) + (gains.bias - part);
            *low = gains.weight.mul_add(*low, gains.weight.mul_add(*covariance, -product) + rest);
        }
        for (covariance, kernel) in self.covariance.iter_mut().zip(&mut self.kernel) {
            *kernel = gains.weight_kernel * *covariance + gains.bias_kernel + gains.weight * *kernel;
            *covariance = gains.weight * *covariance + gains.bias;
        }
    }

    fn nonlinear(&mut self, activation: Activation, book: &mut Book<'_>) {
        let function = Function::Activation(activation);
        let step = book.turn(self, |variances, lows, samples| Moments::of(&function, variances, lows, samples));
        self.each(book, step, |left, rights, lows, covariances, kernels| {
            apply(&function, left, rights, lows, covariances, kernels);
        });
        self.low.clear();
    }

    fn norm(&mut self, book: &mut Book<'_>) {
        let step = book.turn(self, |variances, _, samples| Moments::plain(variances, samples));
        self.each(book, step, |left, rights, _, covariances, kernels| {
            for ((covariance, kernel), right) in covariances.iter_mut().zip(kernels).zip(rights) {
                let scale = (left.variance() + EPSILON).sqrt() * (right.variance() + EPSILON).sqrt();
                (*covariance, *kernel) = (*covariance / scale, *kernel / scale);
            }
        });
    }

    /// Does something with every row of K and Θ at each pair of places, which sees the moments of its sample and of the others and
    /// what rounding left out of K, where that is known.
    fn each(
        &mut self,
        book: &Book<'_>,
        step: usize,
        act: impl Fn(Moment<'_>, &[Moment<'_>], &[f64], &mut [f64], &mut [f64]),
    ) {
        let (rows, columns) = (self.rows, self.columns);
        for plane in 0..self.planes() {
            let (p, q) = self.pair(plane);
            // Looked up once for all rows, unless each row is paired with itself.
            let shared = book.rights(step, q, columns);
            for row in 0..rows {
                let left = book.left(step, p, row);
                let own = [book.left(step, q, row)];
                let rights = shared.as_deref().unwrap_or(&own);
                let entries = (plane * rows + row) * columns..(plane * rows + row + 1) * columns;
                let low = self.low.get(entries.clone()).unwrap_or_default();
                act(left, rights, low, &mut self.covariance[entries.clone()], &mut self.kernel[entries]);
            }
        }
    }

    fn recur(&mut self, gains: Gains, activation: Activation, book: &mut Book<'_>) {
        let size = self.rows * self.columns;
        let input = std::mem::replace(
            self,
            Self {
                places: Grid::ONE,
                all: false,
                covariance: Vec::new(),
                kernel: Vec::new(),
                low: Vec::new(),
                ..*self
            },
        );
        for place in 0..input.places.len() {
            // Gradients at unequal distances from the end are uncorrelated, so only equal places meet.
            let plane = place * size..(place + 1) * size;
            if place == 0 {
                (self.covariance, self.kernel) =
                    (input.covariance[plane.clone()].to_vec(), input.kernel[plane].to_vec());
            } else {
                self.affine(gains);
                add(&mut self.covariance, &input.covariance[plane.clone()]);
                add(&mut self.kernel, &input.kernel[plane]);
            }
            self.nonlinear(activation, book);
        }
    }

    fn offset(&mut self, covariance: f64, kernel: f64) {
        let size = self.rows * self.columns;
        for plane in self.equal() {
            let entries = plane * size..(plane + 1) * size;
            self.covariance[entries.clone()].iter_mut().for_each(|value| *value += covariance);
            self.kernel[entries].iter_mut().for_each(|value| *value += kernel);
        }
    }

    fn patches(&mut self) {
        let Grid { height, width } = self.places;
        let moved = |place: usize, (down, across): (isize, isize)| {
            let row = (place / width).checked_add_signed(down).filter(|row| *row < height)?;
            let column = (place % width).checked_add_signed(across).filter(|column| *column < width)?;
            Some(row * width + column)
        };
        let offsets = (-1..=1).flat_map(|down| (-1..=1).map(move |across| (down, across)));
        let places = self.places;
        self.gather(places, |(p, q)| offsets.clone().filter_map(move |by| moved(p, by).zip(moved(q, by))).collect(), 9);
    }

    fn pool(&mut self) {
        let (width, halved) =
            (self.places.width, Grid { height: self.places.height / 2, width: self.places.width / 2 });
        let square = move |place: usize| {
            let (top, left) = (2 * (place / halved.width), 2 * (place % halved.width));
            [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(down, across)| (top + down) * width + left + across)
        };
        self.gather(halved, |(p, q)| square(p).into_iter().flat_map(|a| square(q).map(|b| (a, b))).collect(), 16);
    }

    fn flatten(&mut self) {
        let places = self.places.len();
        self.gather(Grid::ONE, |_| (0..places).map(|place| (place, place)).collect(), places);
    }

    fn mean(&mut self) {
        let places = self.places.len();
        let pairs = |_| (0..places).flat_map(|p| (0..places).map(move |q| (p, q))).collect();
        self.gather(Grid::ONE, pairs, places * places);
    }

    fn attend(&mut self) {
        let (places, planes) = (self.places, self.planes());
        self.mean();
        self.places = places;
        self.covariance = self.covariance.repeat(planes);
        self.kernel = self.kernel.repeat(planes);
    }

    /// Each new plane is the sum of some old ones, over a number.
    fn gather(&mut self, places: Grid, from: impl Fn((usize, usize)) -> Vec<(usize, usize)>, over: usize) {
        let size = self.rows * self.columns;
        let planes = if self.all { places.len() * places.len() } else { places.len() };
        let (mut covariance, mut kernel) = (vec![0.0; planes * size], vec![0.0; planes * size]);
        let old = self.places.len();
        for plane in 0..planes {
            let pair = if self.all { (plane / places.len(), plane % places.len()) } else { (plane, plane) };
            let entries = plane * size..(plane + 1) * size;
            for (p, q) in from(pair) {
                let source = if self.all { p * old + q } else { p };
                let source = source * size..(source + 1) * size;
                add(&mut covariance[entries.clone()], &self.covariance[source.clone()]);
                add(&mut kernel[entries.clone()], &self.kernel[source]);
            }
        }
        covariance.iter_mut().chain(&mut kernel).for_each(|value| *value /= over as f64);
        (self.places, self.covariance, self.kernel) = (places, covariance, kernel);
    }

    fn planes(&self) -> usize {
        planes(self.places, self.all)
    }

    /// The places of a plane.
    fn pair(&self, plane: usize) -> (usize, usize) {
        let places = self.places.len();
        if self.all { (plane / places, plane % places) } else { (plane, plane) }
    }

    /// The planes of equal places.
    fn equal(&self) -> Vec<usize> {
        (0..self.planes()).filter(|&plane| self.pair(plane).0 == self.pair(plane).1).collect()
    }

    /// Of equal places of a state of own pairs, by place, then sample: K, and what rounding left out of it if that is known.
    fn variances(&self) -> [Vec<f64>; 2] {
        let size = self.rows * self.columns;
        let plane = |of: &Vec<f64>, plane: usize| of.get(plane * size..(plane + 1) * size).unwrap_or_default().to_vec();
        [&self.covariance, &self.low].map(|of| self.equal().into_iter().flat_map(|at| plane(of, at)).collect())
    }
}

/// Where the moments of the samples stand, in the order in which the steps need them.
enum Book<'a> {
    /// Each sample with itself: they are written down on the way.
    Writing { written: Vec<Moments> },
    /// Some samples with some others, from these on.
    Reading { rows: (&'a Points, usize), columns: (&'a Points, usize), next: usize },
}

impl Book<'_> {
    /// The next step that needs moments begins: its number.
    fn turn(&mut self, state: &State, make: impl FnOnce(&[f64], &[f64], usize) -> Moments) -> usize {
        match self {
            Self::Writing { written } => {
                let [variances, lows] = state.variances();
                written.push(make(&variances, &lows, state.rows));
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
            Self::Writing { written } => written[step].at(place, row),
            Self::Reading { rows: (points, first), .. } => points.moments[step].at(place, first + row),
        }
    }

    /// Of all columns; none where each sample is paired with itself.
    fn rights(&self, step: usize, place: usize, columns: usize) -> Option<Vec<Moment<'_>>> {
        match self {
            Self::Writing { .. } => None,
            Self::Reading { columns: (points, first), .. } => {
                Some((0..columns).map(|column| points.moments[step].at(place, first + column)).collect())
            }
        }
    }
}

fn add(into: &mut [f64], from: &[f64]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The inner product and what its rounding leaves out (Ogita, Rump & Oishi 2005, algorithm 5.3).
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
