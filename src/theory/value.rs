//! What is known of a line of a program in the limit before any number is: whether it is of the image alone, and what its
//! features, whose number grows, are like.

/// A line that has a rule.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Made of the image alone: its numbers are computed, sample by sample.
    Given,
    /// Its features are random and alike, and a covariance says all of them.
    Random(Random),
}

/// A value whose features are random.
#[derive(Clone, Debug)]
pub(super) struct Random {
    pub shape: Vec<usize>,
    /// The axis of the features; all other axes are places.
    pub feature: usize,
    /// The features are so many of one kind after so many of another: those of branches beside each other, of the places of a
    /// flattened image. Within a slot all are alike.
    pub slots: Vec<f64>,
    /// It is the sum of so many times these lines, which are pairwise uncorrelated; of a line that is no sum, itself.
    pub terms: Vec<(usize, f64)>,
    /// The layers whose draws it is made of, feature by feature.
    pub roots: Vec<Root>,
    /// Whether its features are Gaussian, jointly over places and samples.
    pub gaussian: bool,
    /// Whether their mean is 0.
    pub centred: bool,
}

/// The features `start` to before `end` of what a line has drawn.
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

impl Random {
    /// What a layer with weights of its own gives.
    pub fn fresh(line: usize, shape: &[usize], feature: usize) -> Self {
        Self {
            shape: shape.to_vec(),
            feature,
            slots: vec![1.0],
            terms: vec![(line, 1.0)],
            roots: vec![Root::whole(line)],
            gaussian: true,
            centred: true,
        }
    }

    /// What another line makes of it feature by feature.
    pub fn becomes(&self, line: usize, shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), terms: vec![(line, 1.0)], ..self.clone() }
    }

    /// Its shape with one feature: the axes of its places.
    pub fn grid(&self) -> Vec<usize> {
        let mut grid = self.shape.clone();
        grid[self.feature] = 1;
        grid
    }

    pub fn places(&self) -> usize {
        self.grid().iter().product()
    }

    /// The share of each slot.
    pub fn shares(&self) -> Vec<f64> {
        let all: f64 = self.slots.iter().sum();
        self.slots.iter().map(|width| width / all).collect()
    }

    /// Whether no draw enters both.
    pub fn independent(&self, other: &Self) -> bool {
        !self.roots.iter().any(|root| other.roots.iter().any(|other| root.meets(other)))
    }

    /// Whether their product has mean 0, feature by feature, at any two places.
    pub fn uncorrelated(&self, other: &Self) -> bool {
        self.independent(other) && (self.centred || other.centred)
    }
}

/// The roots of two values together.
pub(super) fn union(a: &[Root], b: &[Root]) -> Vec<Root> {
    let mut roots = a.to_vec();
    roots.extend(b.iter().filter(|root| !a.contains(root)));
    roots
}
