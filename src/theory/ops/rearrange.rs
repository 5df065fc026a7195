//! Rules of operations that reorder, reshape or select places; the feature axis stays whole, or absorbs the places beside
//! it, as in a flattened image.

use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::{Order, RandomFeatures, Root};
use super::law::{Law, Reading, Rule};
use crate::spec::ops::Rearrange;

pub(super) fn rule(op: &Rearrange, reading: &Reading<'_>) -> Rule {
    if reading.is_given() {
        return Ok(Law::Given);
    }
    let value = reading.random(0)?;
    let shape = &reading.line().shape;
    let feature = match op {
        Rearrange::Flatten => return reshape(value, shape, reading),
        Rearrange::Reshape(_) => return reshape(value, shape, reading),
        Rearrange::Transpose(axes) => axes.iter().position(|&axis| axis == value.feature).unwrap_or(0),
        Rearrange::Slice { axis, start, end } if *axis == value.feature => {
            return features(value, (*start, *end), reading);
        }
        Rearrange::Select { axis, .. } if *axis == value.feature => return Err(NoRule::Features),
        Rearrange::Expand(_) => return Err(NoRule::Repeated),
        Rearrange::Slice { .. } => value.feature,
        Rearrange::Select { axis, .. } => value.feature - usize::from(*axis < value.feature),
    };
    let places = op.order(&value.grid()).into_iter().map(|place| vec![place]).collect();
    let moved = RandomFeatures { feature, ..value.becomes(reading.at, shape) };
    Ok(reading.made(moved, vec![Step::Sums(places, 1.0)]))
}

/// Selects some of the features, which are identically distributed.
fn features(value: &RandomFeatures, (start, end): (usize, usize), reading: &Reading<'_>) -> Rule {
    if value.slots.len() > 1 {
        return Err(NoRule::Unlike);
    }
    let part = |root: &Root| {
        let from = root.start.saturating_add(start);
        Root { line: root.line, start: from, end: root.end.min(root.start.saturating_add(end)).max(from) }
    };
    let mut cut = value.becomes(reading.at, &reading.line().shape);
    cut.roots.iter_mut().for_each(|root| *root = part(root));
    Ok(reading.made(cut, Vec::new()))
}

/// Reshapes row-major: the feature axis may keep its size, or merge with axes beside it.
fn reshape(value: &RandomFeatures, shape: &[usize], reading: &Reading<'_>) -> Rule {
    let before = |sides: &[usize], axis: usize| sides[..axis].iter().product::<usize>();
    let old = &value.shape;
    // The axes that merge with the features: they begin at the axis before which both shapes have equally many places.
    let found = (0..shape.len()).find_map(|axis| {
        let first = (0..=value.feature).rev().find(|&first| before(old, first) == before(shape, axis))?;
        let last =
            (value.feature..old.len()).find(|&last| old[first..=last].iter().product::<usize>() == shape[axis])?;
        Some((axis, first, last))
    });
    let Some((axis, first, last)) = found else { return Err(NoRule::Features) };
    let grid = value.grid();
    let merged: usize = grid[first..=last].iter().product();
    let made = RandomFeatures { feature: axis, ..value.becomes(reading.at, shape) };
    if merged == 1 {
        return Ok(reading.made(made, Vec::new()));
    }
    let (outer, inner) = (before(&grid, first), grid[last + 1..].iter().product::<usize>());
    let place = |slot: usize, outer: usize, rest: usize| (outer * merged + slot) * inner + rest;
    let places =
        |slot: usize| (0..outer).flat_map(move |at| (0..inner).map(move |rest| place(slot, at, rest))).collect();
    let from: Vec<Vec<usize>> = (0..merged).map(places).collect();
    let slots = value.slots.iter().flat_map(|&width| std::iter::repeat_n(width, merged)).collect();
    let [before, after] = [&grid[first..value.feature], &grid[value.feature..=last]].map(|axes| axes.iter().product());
    let order = Order::Flat { of: Box::new(value.order.clone()), before, after };
    let roots = value.roots.iter().map(|root| Root::whole(root.line)).collect();
    Ok(reading.made(RandomFeatures { slots, order, roots, ..made }, vec![Step::Flatten(from)]))
}

/// Returns the rule of patches, which has no limit on random features.
pub(super) fn patches(reading: &Reading<'_>) -> Rule {
    if reading.is_given() { Ok(Law::Given) } else { Err(NoRule::Features) }
}
