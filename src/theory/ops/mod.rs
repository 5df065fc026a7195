//! Rules of the infinite-width limit: one file for each family of operations, as in `spec::ops`, or the reason why there is
//! none.

mod arithmetic;
mod attention;
mod conv;
mod dense;
mod embedding;
mod function;
mod learned;
mod norm;
mod pool;
mod rearrange;
mod recurrence;
mod reduce;

use super::given::{Layout, Source};
use super::limits::{NoLimit, Why};
use super::steps::{Join, Step};
use super::value::{Random, Value};
use crate::spec::ops::{Op, Parameter, Role, feature_axis, window_entries as windows_of};
use crate::spec::{Line, NetworkSpec, Program};

/// The limit of a line.
pub(super) enum Law {
    /// A function of the image alone.
    Given,
    /// A layer applied to a function of the image alone.
    Layer { value: Random, source: Source, steps: Vec<Step> },
    /// A function of these lines, whose states are joined and then transformed by steps.
    Made { value: Random, reads: Vec<usize>, join: Join, steps: Vec<Step> },
}

impl Law {
    /// Returns the random value of the line; `None` for a function of the image alone.
    pub fn value(&self) -> Option<&Random> {
        match self {
            Self::Given => None,
            Self::Layer { value, .. } | Self::Made { value, .. } => Some(value),
        }
    }
}

pub(super) type Rule = Result<Law, Why>;

/// A line with the limits of the lines that it reads.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub program: &'a Program,
    /// The first line that uses each tensor.
    pub firsts: &'a [usize],
    pub network: &'a NetworkSpec,
    pub at: usize,
    pub values: &'a [Result<Value, NoLimit>],
}

impl<'a> Reading<'a> {
    pub(super) fn line(&self) -> &'a Line {
        &self.program.lines[self.at]
    }

    /// Returns the limit of one of the lines that it reads.
    pub(super) fn value(&self, read: usize) -> Option<&'a Value> {
        self.line().reads.get(read).and_then(|&line| self.values[line].as_ref().ok())
    }

    /// Returns whether all its inputs are functions of the image alone.
    fn is_given(&self) -> bool {
        (0..self.line().reads.len()).all(|read| matches!(self.value(read), Some(Value::Given)))
    }

    fn random(&self, read: usize) -> Result<&'a Random, Why> {
        match self.value(read) {
            Some(Value::Random(value)) => Ok(value),
            Some(Value::Given) | None => Err(Why::Image),
        }
    }

    /// Returns an input whose features are on the axis where an operation on images, tokens and vectors expects them.
    fn featured(&self, read: usize) -> Result<&'a Random, Why> {
        let value = self.random(read)?;
        if value.feature == feature_axis(&value.shape) { Ok(value) } else { Err(Why::Places) }
    }

    /// Returns the law of steps applied to its only input; the feature axis stays.
    fn made(&self, value: Random, steps: Vec<Step>) -> Law {
        Law::Made { value, reads: self.line().reads[..1].to_vec(), join: Join::One, steps }
    }

    fn layer(&self, layout: Layout, value: Random, steps: Vec<Step>) -> Law {
        Law::Layer { value, source: Source { line: self.line().reads[0], layout }, steps }
    }
}

/// Returns the rule of a line whose inputs all have one.
pub(super) fn rule(reading: &Reading<'_>) -> Rule {
    let line = reading.line();
    if window_entries(&reading.program.lines[..=reading.at]) > MOST_ENTRIES {
        return Err(Why::Windows);
    }
    // Frozen tensors may be shared freely; of a trained one, only the first line may use it.
    let is_shared = |tensor: &usize| match reading.program.tensors[*tensor].role {
        Role::Weight => reading.firsts[*tensor] != reading.at,
        Role::Norm | Role::Buffer => false,
    };
    if let Some(&shared) = line.tensors.iter().find(|tensor| is_shared(tensor)) {
        return Err(Why::Shared(reading.program.tensors[shared].name.clone()));
    }
    // Nor may a line take a tensor that another made, with other first values, for its own: what it is then is not its rule's.
    let own =
        line.op.operation().map(|op| op.tensors(&line.name, &reading.program.inputs_of(line))).unwrap_or_default();
    let is_another = |(made, own): &(&Parameter, &Parameter)| (made.fill, made.role) != (own.fill, own.role);
    if let Some((made, _)) = reading.program.tensors_of(line).zip(&own).find(is_another) {
        return Err(Why::Shared(made.name.clone()));
    }
    match &line.op {
        Op::Input => Ok(Law::Given),
        Op::Dense(op) => dense::rule(op, reading),
        Op::Conv(op) => conv::rule(op, reading),
        Op::Pool(op) => pool::rule(op, reading),
        Op::Reduce(op) => reduce::rule(op, reading),
        Op::Rearrange(op) => rearrange::rule(op, reading),
        Op::Patches(_) => rearrange::patches(reading),
        Op::Norm(op) => norm::rule(op, reading),
        Op::Function(op) => function::rule(op, reading),
        Op::Softmax(_) => function::softmax(reading),
        Op::Arithmetic(op) => arithmetic::rule(*op, reading),
        Op::Scale(op) => arithmetic::scale(op, reading),
        Op::Concat(op) => arithmetic::concat(op.axis, reading),
        Op::LayerScale(op) => learned::layer_scale(op, reading),
        Op::Positions(_) => learned::positions(reading),
        Op::ClassToken(_) => learned::class_token(reading),
        Op::Attention(op) => attention::rule(op, reading),
        Op::Recurrence(op) => recurrence::rule(op, reading),
        Op::Embedding(op) => embedding::rule(op, reading),
        Op::Dropout(_) => arithmetic::dropout(reading),
    }
}

/// Largest number of entries of all windows of a program, each of which is listed.
const MOST_ENTRIES: usize = 1 << 23;

/// Returns the number of entries of the windows of these lines; of a last line without windows, 0.
fn window_entries(lines: &[Line]) -> usize {
    let entries = |line: &Line| {
        let size = match &line.op {
            Op::Conv(conv) => conv.kernel,
            Op::Pool(pool) => pool.size,
            _ => return 0,
        };
        let &[_, height, width] = line.shape.as_slice() else { return 0 };
        windows_of([height, width], size).unwrap_or(usize::MAX)
    };
    match lines.last() {
        Some(line) if entries(line) > 0 => lines.iter().map(entries).fold(0, usize::saturating_add),
        _ => 0,
    }
}

/// Returns the average that a layer takes over the slots of its input, where there are several.
fn average(value: &Random) -> impl Iterator<Item = Step> {
    (value.slots.len() > 1).then(|| Step::Average(value.shares())).into_iter()
}
