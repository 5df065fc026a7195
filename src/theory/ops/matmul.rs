//! The product of two values as matrices, which has no rule: both sides are random, or one of them does not grow.

use super::super::limits::NoRule;
use super::law::{Law, Reading, Rule};

pub(super) fn rule(reading: &Reading<'_>) -> Rule {
    if reading.is_given() { Ok(Law::Given) } else { Err(NoRule::MatMul) }
}
