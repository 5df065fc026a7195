//! Rules of learned tensors that are the same for every sample: positions and a class token add their variance and their
//! gain where two places are equal, the scale of a branch is a trained factor.

use super::super::gains::offset;
use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::{RandomFeatures, Root, Value};
use super::law::{Law, Reading, Rule};
use crate::spec::ops::LayerScale;

/// Returns the value with random features whose feature-wise parameters are learned.
fn random_input<'a>(reading: &Reading<'a>) -> Result<&'a RandomFeatures, NoRule> {
    match reading.value(0) {
        Some(Value::Given) => Err(NoRule::ImageLearnt),
        _ => reading.featured(0),
    }
}

fn added(reading: &Reading<'_>, step: impl FnOnce(f64, f64) -> Step) -> Result<Law, NoRule> {
    let mut value = random_input(reading)?.becomes(reading.at, &reading.line().shape);
    value.roots.push(Root::whole(reading.at));
    let (variance, gain) = offset(reading.network);
    Ok(reading.made(value, vec![step(variance, gain)]))
}

pub(super) fn positions(reading: &Reading<'_>) -> Rule {
    added(reading, Step::Offset)
}

pub(super) fn class_token(reading: &Reading<'_>) -> Rule {
    added(reading, Step::Before)
}

/// Returns the rule of a trained factor with initial value γ: K ← γ² K, and the mean of Θ over features ← γ² Θ + K. Θ of a
/// single feature gets the square of that feature instead of K, so that no function may follow before the next layer.
pub(super) fn layer_scale(op: &LayerScale, reading: &Reading<'_>) -> Rule {
    let value = random_input(reading)?.becomes(reading.at, &reading.line().shape);
    Ok(reading.made(RandomFeatures { even: false, ..value }, vec![Step::LayerScale(op.start * op.start)]))
}
