//! Defines the properties of a line's limit that do not depend on numbers: whether it depends on the image alone, and how
//! its features, whose number grows, are distributed.

/// The limit of a line that has a rule.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A function of the image alone: its numbers are computed for each sample.
    Given,
    /// Random, identically distributed features, described by a covariance.
    Random(RandomFeatures),
}

/// A value whose features are random.
#[derive(Clone, Debug)]
pub(super) struct RandomFeatures {
    pub shape: Vec<usize>,
    /// The axis of the features; all other axes are places.
    pub feature: usize,
    /// The shares of the features by slot: those of concatenated branches, or of the places of a flattened image. Within a
    /// slot all features are identically distributed.
    pub slots: Vec<f64>,
    /// The slot of each feature.
    pub order: Order,
    /// The value as a weighted sum of these lines, which are pairwise uncorrelated; for a line that is no sum, itself.
    pub terms: Vec<(usize, f64)>,
    /// The layers on whose random weights each feature depends.
    pub roots: Vec<Root>,
    /// True if its features are Gaussian, jointly over places and samples.
    pub gaussian: bool,
    /// True if the mean is 0.
    pub centred: bool,
    /// True if Θ is the same for every feature. A learned factor for each feature makes it depend on that feature; what is
    /// linear needs the mean over features alone, a function does not.
    pub even: bool,
}

/// The order of the features of several slots along their axis. Two values with the same order have the same slot at each
/// feature.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    /// There is one slot.
    One,
    /// Places have become slots: each feature of `of` stands `after` times in a row, and all of this `before` times.
    Flat { of: Box<Order>, before: usize, after: usize },
    /// Values are joined one after the other, each with its number of features.
    Beside(Vec<(Order, usize)>),
}

/// The features `start..end` of a layer with random weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Root {
    pub line: usize,
    pub start: usize,
    pub end: usize,
}

impl Root {
    pub fn whole(line: usize) -> Self {
        Self { line, start: 0, end: usize::MAX }
    }

    fn meets(&self, other: &Self) -> bool {
        self.line == other.line && self.start < other.end && other.start < self.end
    }
}

impl RandomFeatures {
    /// Returns the output of a layer with its own weights.
    pub fn fresh(line: usize, shape: &[usize], feature: usize) -> Self {
        Self {
            shape: shape.to_vec(),
            feature,
            slots: vec![1.0],
            order: Order::One,
            terms: vec![(line, 1.0)],
            roots: vec![Root::whole(line)],
            gaussian: true,
            centred: true,
            even: true,
        }
    }

    /// Returns the value of a line that acts on it feature by feature.
    pub fn becomes(&self, line: usize, shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), terms: vec![(line, 1.0)], ..self.clone() }
    }

    /// Returns its shape with one feature: the axes of its places.
    pub fn grid(&self) -> Vec<usize> {
        let mut grid = self.shape.clone();
        grid[self.feature] = 1;
        grid
    }

    pub fn places(&self) -> usize {
        self.grid().iter().product()
    }

    /// Returns the share of each slot.
    pub fn shares(&self) -> Vec<f64> {
        let all: f64 = self.slots.iter().sum();
        self.slots.iter().map(|width| width / all).collect()
    }

    /// Returns whether feature by feature both have the same slot.
    pub fn is_ordered_as(&self, other: &Self) -> bool {
        self.order == other.order && self.slots.len() == other.slots.len()
    }

    /// Returns whether no random weight enters both.
    pub fn independent(&self, other: &Self) -> bool {
        !self.roots.iter().any(|root| other.roots.iter().any(|other| root.meets(other)))
    }

    /// Returns whether their product has mean 0, feature by feature, at any two places.
    pub fn uncorrelated(&self, other: &Self) -> bool {
        self.independent(other) && (self.centred || other.centred)
    }
}

/// Returns the union of the roots of two values.
pub(super) fn union(a: &[Root], b: &[Root]) -> Vec<Root> {
    let mut roots = a.to_vec();
    roots.extend(b.iter().filter(|root| !a.contains(root)));
    roots
}
