//! Defines the state of a limit kernel at a line: K and Θ, and the steps that are linear or act pair by pair.
//!
//! A state holds, for each slot of its features and each pair of places, a plane of pairs of samples. Where no later step
//! mixes places, only pairs of equal places are stored: then the cost of a convolution grows with the number of pixels and
//! not with its square.

use super::gains::Gains;

/// Holds K and Θ at a line, [slots × pairs of places][rows × columns].
#[derive(Clone, Debug)]
pub(super) struct State {
    pub places: usize,
    pub slots: usize,
    /// True if pairs of unequal places are stored.
    pub all: bool,
    pub rows: usize,
    pub columns: usize,
    pub covariance: Vec<f64>,
    pub kernel: Vec<f64>,
    /// The rounding errors of the covariances of nearly equal and nearly opposite inputs, up to the first nonlinearity
    /// behind inputs with one place; empty elsewhere, where they are unknown. With large variances a kernel depends on more
    /// digits of the covariance than f64 has.
    pub low: Vec<f64>,
}

impl State {
    /// Returns the number of pairs of samples.
    pub fn size(&self) -> usize {
        self.rows * self.columns
    }

    /// Returns the number of pairs of places.
    pub fn pairs(&self) -> usize {
        pairs(self.places, self.all)
    }

    pub fn planes(&self) -> usize {
        self.slots * self.pairs()
    }

    /// Returns the two places of a pair.
    pub fn pair(&self, pair: usize) -> (usize, usize) {
        if self.all { (pair / self.places, pair % self.places) } else { (pair, pair) }
    }

    /// Returns the index of the plane of a slot and two places.
    fn plane(&self, slot: usize, p: usize, q: usize) -> usize {
        slot * self.pairs() + if self.all { p * self.places + q } else { p }
    }

    fn entries(&self, plane: usize) -> std::ops::Range<usize> {
        plane * self.size()..(plane + 1) * self.size()
    }

    /// Returns the indices of the planes of equal places, by slot, then place.
    fn equal(&self) -> Vec<usize> {
        grid(self.slots, self.places).map(|(slot, place)| self.plane(slot, place, place)).collect()
    }

    /// Drops pairs of unequal places, unless they are needed.
    pub fn narrowed(self, all: bool) -> Self {
        if all || !self.all {
            return self;
        }
        let planes = self.equal();
        let take = |of: &[f64]| planes.iter().flat_map(|&plane| &of[self.entries(plane)]).copied().collect();
        let (covariance, kernel) = (take(&self.covariance), take(&self.kernel));
        Self { all: false, covariance, kernel, low: Vec::new(), ..self }
    }

    /// Returns K at equal places for samples paired with themselves, by slot, place, then sample, and its rounding errors
    /// if known.
    pub fn variances(&self) -> [Vec<f64>; 2] {
        let planes = self.equal();
        [&self.covariance, &self.low].map(|of| {
            planes.iter().flat_map(|&plane| of.get(self.entries(plane)).unwrap_or_default()).copied().collect()
        })
    }

    pub fn affine(&mut self, gains: Gains) {
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

    /// Adds to K and Θ where the two places are equal.
    pub fn offset(&mut self, covariance: f64, kernel: f64) {
        for plane in self.equal() {
            let entries = self.entries(plane);
            self.covariance[entries.clone()].iter_mut().for_each(|value| *value += covariance);
            self.kernel[entries].iter_mut().for_each(|value| *value += kernel);
        }
    }

    pub fn scale(&mut self, by: f64) {
        self.covariance.iter_mut().chain(&mut self.kernel).for_each(|value| *value *= by);
    }

    /// Applies a learned factor with this initial square.
    pub fn layer_scale(&mut self, square: f64) {
        for (covariance, kernel) in self.covariance.iter_mut().zip(&mut self.kernel) {
            *kernel = square * *kernel + *covariance;
            *covariance *= square;
        }
    }

    /// Averages over slots with these shares.
    pub fn average(self, shares: &[f64]) -> Self {
        if self.slots == 1 {
            return self;
        }
        let equal = shares.iter().all(|share| share == &shares[0]);
        let mut made = self.blank(self.places, 1, self.all);
        let pairs = self.pairs();
        for (slot, pair) in grid(self.slots, pairs) {
            made.add(&self, slot * pairs + pair, pair, if equal { 1.0 } else { shares[slot] });
        }
        if equal {
            made.divide(self.slots as f64);
        }
        made
    }

    /// Averages over the windows of two places, at entries where both cover a pixel.
    pub fn windows(self, windows: &[Vec<Option<usize>>]) -> Self {
        let mut made = self.blank(windows.len(), self.slots, self.all);
        for (slot, pair) in grid(self.slots, made.pairs()) {
            let (p, q) = made.pair(pair);
            let covered = windows[p].iter().zip(&windows[q]).filter_map(|(a, b)| a.zip(*b));
            let into = slot * made.pairs() + pair;
            covered.for_each(|(a, b)| made.add(&self, self.plane(slot, a, b), into, 1.0));
        }
        made.divide(windows.first().map_or(1, Vec::len) as f64);
        made
    }

    /// Sums old places into new ones, each times its own factor.
    pub fn sums(self, from: &[Vec<usize>], by: impl Fn(usize) -> f64, all: bool) -> Self {
        let mut made = self.blank(from.len(), self.slots, all);
        for slot in 0..self.slots {
            if all {
                // First over one place, then over the other: linear in the number of places, not quadratic.
                for (p, left) in from.iter().enumerate() {
                    let mut row = self.blank(self.places, 1, false);
                    for (a, q) in left.iter().flat_map(|&a| (0..self.places).map(move |q| (a, q))) {
                        row.add(&self, self.plane(slot, a, q), q, 1.0);
                    }
                    for (q, right) in from.iter().enumerate() {
                        let into = made.plane(slot, p, q);
                        right.iter().for_each(|&b| made.add(&row, b, into, by(p) * by(q)));
                    }
                }
            } else {
                for (p, places) in from.iter().enumerate() {
                    let into = made.plane(slot, p, p);
                    for (&a, &b) in places.iter().flat_map(|a| places.iter().map(move |b| (a, b))) {
                        made.add(&self, self.plane(slot, a, b), into, 1.0);
                    }
                    let entries = made.entries(into);
                    let by = by(p) * by(p);
                    made.covariance[entries.clone()].iter_mut().for_each(|value| *value *= by);
                    made.kernel[entries].iter_mut().for_each(|value| *value *= by);
                }
            }
        }
        made
    }

    /// Averages over all places, for `count` new places.
    pub fn attend(self, count: usize, all: bool) -> Self {
        let everywhere = vec![(0..self.places).collect()];
        let by = 1.0 / self.places as f64;
        let mean = self.sums(&everywhere, |_| by, false);
        let mut made = mean.blank(count, mean.slots, all);
        for (slot, pair) in grid(mean.slots, made.pairs()) {
            made.add(&mean, slot, slot * made.pairs() + pair, 1.0);
        }
        made
    }

    /// Turns old places into slots: `from` gives the old place of each new slot and place.
    pub fn flatten(self, from: &[Vec<usize>]) -> Self {
        let places = from.first().map_or(0, Vec::len);
        let mut made = self.blank(places, self.slots * from.len(), self.all && places > 1);
        for (slot, (part, old)) in (0..self.slots).flat_map(|slot| from.iter().enumerate().map(move |old| (slot, old)))
        {
            for pair in 0..made.pairs() {
                let (p, q) = made.pair(pair);
                let into = (slot * from.len() + part) * made.pairs() + pair;
                made.add(&self, self.plane(slot, old[p], old[q]), into, 1.0);
            }
        }
        made
    }

    /// Inserts one place before the others.
    pub fn before(self, covariance: f64, kernel: f64, all: bool) -> Self {
        let mut made = self.blank(self.places + 1, self.slots, all);
        for (slot, pair) in grid(made.slots, made.pairs()) {
            let into = slot * made.pairs() + pair;
            match made.pair(pair) {
                (0, 0) => {
                    let entries = made.entries(into);
                    made.covariance[entries.clone()].fill(covariance);
                    made.kernel[entries].fill(kernel);
                }
                (0, _) | (_, 0) => {}
                (p, q) => made.add(&self, self.plane(slot, p - 1, q - 1), into, 1.0),
            }
        }
        made
    }

    /// Sums states with weights; a state with one slot applies to all slots.
    pub fn sum(mut states: Vec<Self>, weights: &[f64], slots: usize) -> Self {
        // Adds into one of the states where possible, which avoids a copy.
        let first = states.iter().zip(weights).position(|(state, weight)| state.slots == slots && *weight == 1.0);
        let mut made = match first {
            Some(at) => {
                let nothing = states[at].blank(0, 0, false);
                std::mem::replace(&mut states[at], nothing)
            }
            None => states[0].blank(states[0].places, slots, states[0].all),
        };
        made.low.clear();
        for (at, (state, &weight)) in states.iter().zip(weights).enumerate() {
            for plane in (0..made.planes()).filter(|_| Some(at) != first) {
                made.add(state, plane % state.planes(), plane, weight);
            }
        }
        made
    }

    /// Multiplies two independent branches.
    pub fn product(states: &[Self], slots: usize) -> Self {
        let [a, b] = states else { unreachable!("a product has two factors") };
        let mut made = a.blank(a.places, slots, a.all);
        for plane in 0..made.planes() {
            let (into, a_at, b_at) =
                (made.entries(plane), a.entries(plane % a.planes()), b.entries(plane % b.planes()));
            let of = |state: &'_ Self, at: std::ops::Range<usize>| -> (Vec<f64>, Vec<f64>) {
                (state.covariance[at.clone()].to_vec(), state.kernel[at].to_vec())
            };
            let ((a_k, a_t), (b_k, b_t)) = (of(a, a_at), of(b, b_at));
            for (at, entry) in into.enumerate() {
                made.covariance[entry] = a_k[at] * b_k[at];
                made.kernel[entry] = a_t[at] * b_k[at] + a_k[at] * b_t[at];
            }
        }
        made
    }

    /// Collects places from several states.
    pub fn places(states: &[Self], from: &[(usize, usize)], all: bool) -> Self {
        let mut made = states[0].blank(from.len(), states[0].slots, all);
        for (slot, pair) in grid(made.slots, made.pairs()) {
            let (p, q) = made.pair(pair);
            let ((of, a), (other, b)) = (from[p], from[q]);
            if of == other {
                let into = slot * made.pairs() + pair;
                made.add(&states[of], states[of].plane(slot, a, b), into, 1.0);
            }
        }
        made
    }

    /// Concatenates slots.
    pub fn beside(states: Vec<Self>) -> Self {
        let mut states = states.into_iter();
        let Some(mut made) = states.next() else { unreachable!("something stands beside something") };
        made.low.clear();
        for state in states {
            made.slots += state.slots;
            made.covariance.extend(state.covariance);
            made.kernel.extend(state.kernel);
        }
        made
    }

    /// Returns a state of zeros for the same samples.
    pub fn blank(&self, places: usize, slots: usize, all: bool) -> Self {
        let zeros = vec![0.0; slots * pairs(places, all) * self.size()];
        Self { places, slots, all, covariance: zeros.clone(), kernel: zeros, low: Vec::new(), ..*self }
    }

    fn add(&mut self, from: &Self, plane: usize, into: usize, times: f64) {
        let (from_entries, into) = (from.entries(plane), self.entries(into));
        let add = |into: &mut [f64], from: &[f64]| {
            if times == 1.0 {
                into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
            } else {
                into.iter_mut().zip(from).for_each(|(into, from)| *into += times * from);
            }
        };
        add(&mut self.covariance[into.clone()], &from.covariance[from_entries.clone()]);
        add(&mut self.kernel[into], &from.kernel[from_entries]);
    }

    fn divide(&mut self, by: f64) {
        self.covariance.iter_mut().chain(&mut self.kernel).for_each(|value| *value /= by);
    }
}

/// Returns the number of stored pairs of places.
fn pairs(places: usize, all: bool) -> usize {
    if all { places * places } else { places }
}

/// Iterates over both counters, the second one faster.
fn grid(outer: usize, inner: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..outer).flat_map(move |at| (0..inner).map(move |within| (at, within)))
}
