//! K and Θ of a line, and what the steps that are linear or work pair by pair make of them.
//!
//! A state holds, for each slot of its features and each pair of places, a plane of pairs of samples. Where no later step mixes
//! places, only equal places are kept: then a convolution costs the pixels and not their square.

use super::gains::Gains;

/// K and Θ, [slots × pairs of places][rows × columns].
#[derive(Clone, Debug)]
pub(super) struct State {
    pub places: usize,
    pub slots: usize,
    /// Whether unequal places are kept.
    pub all: bool,
    pub rows: usize,
    pub columns: usize,
    pub covariance: Vec<f64>,
    pub kernel: Vec<f64>,
    /// What rounding left out of the covariances of nearly equal and nearly opposite inputs, up to the first nonlinearity behind
    /// inputs of one place; elsewhere nobody knows, and it is empty. There a kernel with large variances hangs on more digits
    /// than a number has.
    pub low: Vec<f64>,
}

impl State {
    /// Pairs of samples.
    pub fn size(&self) -> usize {
        self.rows * self.columns
    }

    /// Pairs of places.
    pub fn pairs(&self) -> usize {
        pairs(self.places, self.all)
    }

    pub fn planes(&self) -> usize {
        self.slots * self.pairs()
    }

    /// The places of a pair.
    pub fn pair(&self, pair: usize) -> (usize, usize) {
        if self.all { (pair / self.places, pair % self.places) } else { (pair, pair) }
    }

    /// The plane of a slot and two places.
    fn plane(&self, slot: usize, p: usize, q: usize) -> usize {
        slot * self.pairs() + if self.all { p * self.places + q } else { p }
    }

    fn entries(&self, plane: usize) -> std::ops::Range<usize> {
        plane * self.size()..(plane + 1) * self.size()
    }

    /// The planes of equal places, by slot, then place.
    fn equal(&self) -> Vec<usize> {
        grid(self.slots, self.places).map(|(slot, place)| self.plane(slot, place, place)).collect()
    }

    /// Without unequal places, where they are not needed.
    pub fn narrowed(self, all: bool) -> Self {
        if all || !self.all {
            return self;
        }
        let planes = self.equal();
        let take = |of: &[f64]| planes.iter().flat_map(|&plane| &of[self.entries(plane)]).copied().collect();
        let (covariance, kernel) = (take(&self.covariance), take(&self.kernel));
        Self { all: false, covariance, kernel, low: Vec::new(), ..self }
    }

    /// Of equal places of a state of own pairs, by slot, place, then sample: K, and what rounding left out of it if that is known.
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

    /// Adds to K and Θ where two places are one.
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

    /// With a learned factor, whose square this is.
    pub fn layer_scale(&mut self, square: f64) {
        for (covariance, kernel) in self.covariance.iter_mut().zip(&mut self.kernel) {
            *kernel = square * *kernel + *covariance;
            *covariance *= square;
        }
    }

    /// The mean over slots of these shares.
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

    /// The mean over what the windows of two places cover, where both cover something.
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

    /// Each new place is the sum of some old ones, times a number of its own.
    pub fn sums(self, from: &[Vec<usize>], by: impl Fn(usize) -> f64, all: bool) -> Self {
        let mut made = self.blank(from.len(), self.slots, all);
        for slot in 0..self.slots {
            if all {
                // First over the one place, then over the other: so many planes, not their square.
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

    /// The mean over all places, at so many.
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

    /// Old places become slots: of each new slot and place the old place.
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

    /// One more place before the others.
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

    /// Sums of states, so many times each; one without slots is the same in all.
    pub fn sum(mut states: Vec<Self>, weights: &[f64], slots: usize) -> Self {
        // Added to one of them where that can be, which is no copy.
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

    /// Of the product of two independent branches.
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

    /// The places of several states, each of one of them.
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

    /// Slots after slots.
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

    /// Zeros for the same samples.
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

/// Pairs of so many places that are kept.
fn pairs(places: usize, all: bool) -> usize {
    if all { places * places } else { places }
}

/// Both counters, the second faster.
fn grid(outer: usize, inner: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..outer).flat_map(move |at| (0..inner).map(move |within| (at, within)))
}
