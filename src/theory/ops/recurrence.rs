//! Rule of h_t = φ(W h_{t−1} + u_t): W is one matrix at all times, but gradients at unequal distances from the end are
//! uncorrelated, so only pairs of equal times contribute.

use super::super::gains::Gains;
use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::{RandomFeatures, Root};
use super::function;
use super::law::{Reading, Rule};
use crate::spec::ops::Recurrence;

pub(super) fn rule(op: &Recurrence, reading: &Reading<'_>) -> Rule {
    let value = reading.featured(0)?;
    if !(value.gaussian && value.centred) {
        return Err(NoRule::NotGaussian);
    }
    if !value.even {
        return Err(NoRule::Uneven);
    }
    if value.slots.len() > 1 {
        return Err(NoRule::Unlike);
    }
    function::check(&op.function)?;
    let width = value.shape[value.feature];
    let gains = Gains::of(reading.network, width, 2 * width, op.bias);
    let mut made = value.becomes(reading.at, &reading.line().shape);
    made.roots.push(Root::whole(reading.at));
    let made = RandomFeatures { feature: 0, gaussian: false, centred: op.function.is_odd(), even: false, ..made };
    Ok(reading.made(made, vec![Step::Recur(gains, op.function.clone())]))
}
