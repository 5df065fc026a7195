//! Defines the limit of a line, and what the rule of its operation reads to find it.

use crate::spec::ops::feature_axis;
use crate::spec::{Line, NetworkSpec, Program};
use crate::theory::image_functions::{Layout, Source};
use crate::theory::limits::{NoLimit, NoRule};
use crate::theory::steps::{Join, Step};
use crate::theory::value::{RandomFeatures, Value};

/// The limit of a line.
pub enum Law {
    /// A function of the image alone.
    Given,
    /// A layer applied to a function of the image alone.
    Layer { value: RandomFeatures, source: Source, steps: Vec<Step> },
    /// A function of these lines, whose states are joined and then transformed by steps.
    Made { value: RandomFeatures, reads: Vec<usize>, join: Join, steps: Vec<Step> },
}

impl Law {
    /// Returns the random value of the line; `None` for a function of the image alone.
    pub fn value(&self) -> Option<&RandomFeatures> {
        match self {
            Self::Given => None,
            Self::Layer { value, .. } | Self::Made { value, .. } => Some(value),
        }
    }
}

/// The limit of a line, or the reason why there is none.
pub type Rule = Result<Law, NoRule>;

/// A line with the limits of the lines that it reads.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub program: &'a Program,
    /// The first line that uses each tensor.
    pub firsts: &'a [usize],
    pub network: &'a NetworkSpec,
    pub at: usize,
    pub values: &'a [Result<Value, NoLimit>],
}

impl<'a> Reading<'a> {
    pub fn line(&self) -> &'a Line {
        &self.program.lines[self.at]
    }

    /// Returns the limit of one of the lines that it reads.
    pub fn value(&self, read: usize) -> Option<&'a Value> {
        self.line().reads.get(read).and_then(|&line| self.values[line].as_ref().ok())
    }

    /// Returns whether all its inputs are functions of the image alone.
    pub fn is_given(&self) -> bool {
        (0..self.line().reads.len()).all(|read| matches!(self.value(read), Some(Value::Given)))
    }

    pub fn random(&self, read: usize) -> Result<&'a RandomFeatures, NoRule> {
        match self.value(read) {
            Some(Value::Random(value)) => Ok(value),
            Some(Value::Given) | None => Err(NoRule::Image),
        }
    }

    /// Returns an input whose features are on the axis where an operation on images, tokens and vectors expects them.
    pub fn featured(&self, read: usize) -> Result<&'a RandomFeatures, NoRule> {
        let value = self.random(read)?;
        if value.feature == feature_axis(&value.shape) { Ok(value) } else { Err(NoRule::Places) }
    }

    /// Returns the law of steps applied to its only input; the feature axis stays.
    pub fn made(&self, value: RandomFeatures, steps: Vec<Step>) -> Law {
        Law::Made { value, reads: self.line().reads[..1].to_vec(), join: Join::One, steps }
    }

    pub fn layer(&self, layout: Layout, value: RandomFeatures, steps: Vec<Step>) -> Law {
        Law::Layer { value, source: Source { line: self.line().reads[0], layout }, steps }
    }
}

/// Returns the average that a layer takes over the slots of its input, where there are several.
pub fn average(value: &RandomFeatures) -> impl Iterator<Item = Step> {
    (value.slots.len() > 1).then(|| Step::Average(value.shares())).into_iter()
}
