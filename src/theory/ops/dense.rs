//! Rule of z = W h + b: K ← σ_w² K + σ_b², Θ ← K + σ_w² Θ in NTP (Jacot et al. 2018). For a flattened image, K is the mean
//! over equal pixels.

use super::super::gains::Gains;
use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::{RandomFeatures, Value};
use super::law::{Reading, Rule, average};
use crate::spec::ops::Dense;
use crate::theory::image_functions::Layout;

pub(super) fn rule(op: &Dense, reading: &Reading<'_>) -> Rule {
    let line = reading.line();
    let inputs = &reading.program.lines[line.reads[0]].shape;
    let fan_in = inputs.last().copied().unwrap_or(1);
    let affine = Step::Affine(Gains::of(reading.network, fan_in, fan_in + op.outputs, op.bias));
    let fresh = RandomFeatures::fresh(reading.at, &line.shape, line.shape.len().saturating_sub(1));
    match reading.value(0) {
        Some(Value::Given) => Ok(reading.layer(Layout::Last, fresh, vec![affine])),
        _ => {
            let value = reading.random(0)?;
            if value.feature + 1 != value.shape.len() {
                return Err(NoRule::Places);
            }
            Ok(reading.made(fresh, average(value).chain([affine]).collect()))
        }
    }
}
