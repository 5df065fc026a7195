//! Rule of average pooling: it is linear, so K and Θ are means over all pairs of pixels of two windows. Max pooling has no
//! closed form.

use super::super::limits::NoRule;
use super::super::steps::Step;
use super::law::{Law, Reading, Rule};
use crate::spec::ops::{Pool, PoolKind};
use crate::theory::image_functions::windows;

pub(super) fn rule(op: &Pool, reading: &Reading<'_>) -> Rule {
    if reading.is_given() {
        return Ok(Law::Given);
    }
    let value = reading.featured(0)?;
    match op.kind {
        PoolKind::Max => return Err(NoRule::MaxPool),
        PoolKind::Avg => {}
    }
    let &[_, height, width] = value.shape.as_slice() else { return Err(NoRule::Places) };
    let windows = windows([height, width], op.size, op.stride, op.padding, [1; 2]);
    let sums = windows.into_iter().map(|window| window.into_iter().flatten().collect()).collect();
    let by = 1.0 / (op.size[0] * op.size[1]) as f64;
    let step = if op.count_padding { Step::Sums(sums, by) } else { Step::Means(sums) };
    Ok(reading.made(value.becomes(reading.at, &reading.line().shape), vec![step]))
}
