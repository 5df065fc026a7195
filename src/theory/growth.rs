//! Checks which sizes of a network grow with its width: a description at one width does not tell a number of features that
//! grows from one that is fixed, and only the former have a limit.
//!
//! The text is evaluated at an odd multiple of the width, too, because texts that look for divisors then find the same
//! powers of two. Both programs must be the same line by line except for sizes; places, tokens and all other numbers must
//! stay, and whatever is averaged over must grow.

use std::sync::Arc;

use super::limits::{NoLimit, NoRule};
use super::ops::{Law, Reading};
use super::value::{RandomFeatures, Value};
use crate::spec::ops::{Conv, Dense, Norm, NormKind, Op, Rearrange};
use crate::spec::{NetworkSpec, Program, Width};

/// Evaluates the text of a network at a larger width, for [`super::limits()`] and [`super::InfiniteNetwork::of_growing`].
///
/// # Errors
/// If the text declares no width, or gives no network at several larger ones, repeats the reason.
pub fn wider(network: &NetworkSpec, image: [usize; 3], classes: usize) -> Result<Arc<Program>, NoLimit> {
    if !network.has_width() {
        return Err(NoLimit::NoWidth);
    }
    let mut reason = None;
    for times in [3, 5, 7] {
        let width = Width::Finite(network.nominal().saturating_mul(times));
        match (NetworkSpec { width, ..network.clone() }).program(image, classes) {
            Ok(program) => return Ok(program),
            Err(why) => reason = reason.or(Some(why)),
        }
    }
    Err(NoLimit::Wider(reason.unwrap_or_default()))
}

/// Checks a line against the same line of the wider program, given its law in both.
pub(super) fn check(line: (&Reading<'_>, &Law), wider: (&Reading<'_>, &Law)) -> Result<(), NoRule> {
    let ((reading, law), (wide, wide_law)) = (line, wider);
    let (line, wider) = (reading.line(), wide.line());
    let is_same = line.name == wider.name
        && line.reads == wider.reads
        && line.tensors == wider.tensors
        && line.shape.len() == wider.shape.len();
    if !is_same {
        return Err(NoRule::Otherwise);
    }
    let stays = |axis: &usize| line.shape[*axis] == wider.shape[*axis];
    let feature = match (law.value(), wide_law.value()) {
        (None, None) => None,
        (Some(value), Some(wide)) if value.feature == wide.feature => {
            if !is_in_proportion(value, wide, reading.network.is_infinite()) {
                return Err(NoRule::Proportions);
            }
            Some(value.feature)
        }
        _ => return Err(NoRule::Otherwise),
    };
    if !(0..line.shape.len()).filter(|axis| Some(*axis) != feature).all(|axis| stays(&axis)) {
        return Err(NoRule::PlacesGrow);
    }
    if !is_same_operation(&line.op, &wider.op, feature) {
        return Err(NoRule::Otherwise);
    }
    let both = |read: usize| reading.value(read).zip(wide.value(read));
    // Of one input, features for each of so many heads or groups.
    let grows_by = |read: usize, [few, many]: [usize; 2]| match both(read) {
        Some((Value::Random(value), Value::Random(wide))) => {
            value.shape[value.feature] / few.max(1) < wide.shape[wide.feature] / many.max(1)
        }
        _ => true,
    };
    let grows = |read: usize| grows_by(read, [1; 2]);
    let does_grow = match (&line.op, &wider.op) {
        (Op::Dense(_) | Op::Recurrence(_), _) => grows(0),
        (Op::Conv(conv), Op::Conv(other)) => {
            let channels = |reading: &Reading<'_>| reading.program.lines[line.reads[0]].shape[0];
            let is_depthwise = |conv: &Conv, channels: usize| conv.groups > 1 && conv.groups == channels;
            match (is_depthwise(conv, channels(reading)), is_depthwise(other, channels(wide))) {
                (true, true) => true,
                (false, false) => grows_by(0, [conv.groups, other.groups]),
                (true, false) | (false, true) => false,
            }
        }
        (Op::Norm(norm), Op::Norm(other)) => match (norm.kind, other.kind) {
            (NormKind::Group { groups: few }, NormKind::Group { groups: many }) => grows_by(0, [few, many]),
            (NormKind::Layer | NormKind::Rms, _) => grows(0),
            (NormKind::Group { .. } | NormKind::Batch, _) => true,
        },
        (Op::Attention(few), Op::Attention(many)) => grows_by(0, [few.heads, many.heads]),
        (Op::Concat(concat), _) if Some(concat.axis) == feature => {
            let count = line.reads.len();
            (0..count).all(grows) || !(0..count).any(grows)
        }
        _ => true,
    };
    if does_grow { Ok(()) } else { Err(NoRule::Fixed) }
}

/// Returns whether the slots have the same shares of the features at both widths. Halves and thirds of a finite width are
/// rounded to whole features.
fn is_in_proportion(value: &RandomFeatures, wide: &RandomFeatures, is_infinite: bool) -> bool {
    let rounding = if is_infinite { 0.0 } else { 1.0 / value.shape[value.feature].max(1) as f64 };
    let (shares, wide) = (value.shares(), wide.shares());
    shares.len() == wide.len() && shares.iter().zip(&wide).all(|(a, b)| (a - b).abs() <= rounding + 1e-12)
}

/// Returns whether two operations are the same except for their numbers of features.
fn is_same_operation(op: &Op, wide: &Op, feature: Option<usize>) -> bool {
    match (op, wide) {
        (Op::Dense(op), Op::Dense(wide)) => Dense { outputs: wide.outputs, ..*op } == *wide,
        (Op::Conv(op), Op::Conv(wide)) => Conv { channels: wide.channels, groups: wide.groups, ..op.clone() } == *wide,
        (Op::Embedding(op), Op::Embedding(wide)) => op.tokens == wide.tokens,
        (Op::Attention(op), Op::Attention(wide)) => op.masked == wide.masked,
        (Op::Norm(op), Op::Norm(wide)) => match (op.kind, wide.kind) {
            (NormKind::Group { .. }, NormKind::Group { .. }) => Norm { kind: wide.kind, ..op.clone() } == *wide,
            _ => op == wide,
        },
        // Their shapes have been compared.
        (Op::Rearrange(Rearrange::Reshape(_)), Op::Rearrange(Rearrange::Reshape(_))) => true,
        (Op::Rearrange(Rearrange::Slice { axis, .. }), Op::Rearrange(Rearrange::Slice { axis: other, .. }))
            if Some(*axis) == feature =>
        {
            axis == other
        }
        _ => op == wide,
    }
}
