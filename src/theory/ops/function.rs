//! Rule of z ↦ φ(z): K ← κ, Θ ← κ′ Θ, the dual activation of Gaussian features with mean 0.

use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::RandomFeatures;
use super::law::{Law, Reading, Rule};
use crate::spec::ops::Function;

pub(super) fn rule(op: &Function, reading: &Reading<'_>) -> Rule {
    if reading.is_given() {
        return Err(NoRule::ImageFunction);
    }
    let value = reading.random(0)?;
    if !(value.gaussian && value.centred) {
        return Err(NoRule::NotGaussian);
    }
    if !value.even {
        return Err(NoRule::Uneven);
    }
    let made = value.becomes(reading.at, &reading.line().shape);
    Ok(reading.made(
        RandomFeatures { gaussian: false, centred: op.is_odd(), even: false, ..made },
        vec![Step::Function(op.clone())],
    ))
}

/// Returns the rule of softmax: over infinitely many features it vanishes, and for a value that depends on the image alone
/// it is computed.
pub(super) fn softmax(reading: &Reading<'_>) -> Rule {
    if reading.is_given() { Ok(Law::Given) } else { Err(NoRule::Softmax) }
}
