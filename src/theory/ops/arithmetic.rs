//! Rules of sums, products, scaling and concatenation. Sums of uncorrelated branches add K and Θ, sums of multiples of one
//! branch multiply them; products of independent branches have K₁K₂ and Θ₁K₂ + K₁Θ₂; concatenated branches share the
//! features, or the places.

use super::super::limits::NoRule;
use super::super::steps::{Join, Step};
use super::super::value::{Order, RandomFeatures, Root, Value, union};
use super::law::{Law, Reading, Rule};
use crate::spec::ops::{Arithmetic, Scale};
use crate::theory::image_functions::beside;

pub(super) fn rule(op: Arithmetic, reading: &Reading<'_>) -> Rule {
    if reading.is_given() {
        return Ok(Law::Given);
    }
    let (a, b) = (reading.random(0)?, reading.random(1)?);
    if a.feature != b.feature {
        return Err(NoRule::Places);
    }
    let slotted = match (a.slots.len(), b.slots.len()) {
        (_, 1) => a,
        (1, _) => b,
        _ if a.is_ordered_as(b) => a,
        _ => return Err(NoRule::Unordered),
    };
    let (slots, order, roots) = (slotted.slots.clone(), slotted.order.clone(), union(&a.roots, &b.roots));
    let made = RandomFeatures { slots, order, roots, ..a.becomes(reading.at, &reading.line().shape) };
    match op {
        Arithmetic::Add => sum(a, b, 1.0, made, reading),
        Arithmetic::Subtract => sum(a, b, -1.0, made, reading),
        Arithmetic::Multiply if !a.independent(b) => Err(NoRule::Factors),
        Arithmetic::Multiply => Ok(Law::Made {
            value: RandomFeatures { gaussian: false, centred: a.centred || b.centred, even: false, ..made },
            reads: reading.line().reads.clone(),
            join: Join::Product,
            steps: Vec::new(),
        }),
    }
}

/// Computes a + `by` b. Where the two have lines in common, the sum is expressed in those lines.
fn sum(a: &RandomFeatures, b: &RandomFeatures, by: f64, made: RandomFeatures, reading: &Reading<'_>) -> Rule {
    let mut terms = a.terms.clone();
    let mut common = false;
    for &(line, times) in &b.terms {
        match terms.iter_mut().find(|(other, _)| *other == line) {
            Some((_, sum)) => {
                *sum += by * times;
                common = true;
            }
            None => terms.push((line, by * times)),
        }
    }
    let of = |line: usize| match &reading.values[line] {
        Ok(Value::Random(value)) => Ok(value),
        _ => Err(NoRule::Dependent),
    };
    for (line, _) in &a.terms {
        for (other, _) in b.terms.iter().filter(|(other, _)| other != line) {
            if !of(*line)?.uncorrelated(of(*other)?) {
                return Err(NoRule::Dependent);
            }
        }
    }
    let (reads, weights) = if common {
        terms.iter().map(|(line, times)| (*line, times * times)).unzip()
    } else {
        (reading.line().reads.clone(), vec![1.0, by * by])
    };
    let (gaussian, centred) = (a.gaussian && b.gaussian, a.centred && b.centred);
    let value = RandomFeatures { gaussian, centred, even: a.even && b.even, terms, ..made };
    Ok(Law::Made { value, reads, join: Join::Sum(weights), steps: Vec::new() })
}

pub(super) fn scale(op: &Scale, reading: &Reading<'_>) -> Rule {
    if reading.is_given() {
        return Ok(Law::Given);
    }
    let value = reading.random(0)?;
    let made = value.becomes(reading.at, &reading.line().shape);
    let mut steps = vec![Step::Scale(op.by * op.by)];
    if op.plus == 0.0 {
        let terms = value.terms.iter().map(|(line, times)| (*line, times * op.by)).collect();
        return Ok(reading.made(RandomFeatures { terms, ..made }, steps));
    }
    if !value.centred {
        return Err(NoRule::Shifted);
    }
    steps.push(Step::Shift(op.plus * op.plus));
    Ok(reading.made(RandomFeatures { centred: false, ..made }, steps))
}

pub(super) fn concat(axis: usize, reading: &Reading<'_>) -> Rule {
    if reading.is_given() {
        return Ok(Law::Given);
    }
    let reads = &reading.line().reads;
    let values: Vec<&RandomFeatures> = (0..reads.len()).map(|read| reading.random(read)).collect::<Result<_, _>>()?;
    let Some((&first, others)) = values.split_first() else { return Err(NoRule::Features) };
    if others.iter().any(|other| other.feature != first.feature) {
        return Err(NoRule::Places);
    }
    let mut made = first.becomes(reading.at, &reading.line().shape);
    for other in others {
        made.roots = union(&made.roots, &other.roots);
        made.gaussian &= other.gaussian;
        made.centred &= other.centred;
        made.even &= other.even;
    }
    let join = if axis == first.feature {
        let widths = |value: &&RandomFeatures| {
            let width = value.shape[axis] as f64;
            value.shares().into_iter().map(move |share| share * width).collect::<Vec<_>>()
        };
        made.slots = values.iter().flat_map(widths).collect();
        made.order = Order::Beside(values.iter().map(|value| (value.order.clone(), value.shape[axis])).collect());
        made.roots.iter_mut().for_each(|root| *root = Root::whole(root.line));
        Join::Slots
    } else {
        if others.iter().any(|other| !other.is_ordered_as(first)) {
            return Err(NoRule::Unordered);
        }
        let pairs = (0..values.len()).flat_map(|at| (0..at).map(move |other| (at, other)));
        if pairs.into_iter().any(|(at, other)| !values[at].uncorrelated(values[other])) {
            return Err(NoRule::Beside);
        }
        let grids: Vec<Vec<usize>> = values.iter().map(|value| value.grid()).collect();
        Join::Places(beside(&grids, axis))
    };
    Ok(Law::Made { value: made, reads: reads.clone(), join, steps: Vec::new() })
}

/// Returns the identity: the kernel is that of the evaluated network, without dropout.
pub(super) fn dropout(reading: &Reading<'_>) -> Rule {
    if reading.is_given() {
        return Ok(Law::Given);
    }
    let value = reading.random(0)?;
    Ok(reading.made(RandomFeatures { ..value.clone() }, Vec::new()))
}
