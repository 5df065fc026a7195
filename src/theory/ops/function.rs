//! Rule of z ↦ φ(z): K ← κ, Θ ← κ′ Θ, the dual activation of Gaussian features with mean 0.

use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::RandomFeatures;
use super::law::{Law, Reading, Rule};
use crate::spec::ops::{Function, Operation, Softmax};
use crate::theory::dual::has_dual;

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
    check(op)?;
    let made = value.becomes(reading.at, &reading.line().shape);
    Ok(reading.made(
        RandomFeatures { gaussian: false, centred: op.is_odd(), even: false, ..made },
        vec![Step::Function(op.clone())],
    ))
}

/// Checks that a function has a dual.
pub(super) fn check(op: &Function) -> Result<(), NoRule> {
    match () {
        () if !op.is_of_gaussians() => Err(NoRule::OfGaussians(op.sign())),
        () if !has_dual(op) => Err(NoRule::Dual(op.sign())),
        () => Ok(()),
    }
}

/// Returns the rule of softmax and of its logarithm: over infinitely many features neither has a limit, and for a value that
/// depends on the image alone they are computed.
pub(super) fn softmax(op: &Softmax, reading: &Reading<'_>) -> Rule {
    match op.log {
        _ if reading.is_given() => Ok(Law::Given),
        true => Err(NoRule::LogSoftmax),
        false => Err(NoRule::Softmax),
    }
}
