//! z = W ⋆ h + b: a dense layer on the mean over windows around two pixels (Arora et al. 2019; Novak et al. 2019), whatever
//! their size, stride, zeros and holes. In groups, each averages over its own channels, which are alike.

use super::super::gains::Gains;
use super::super::given::{Layout, windows};
use super::super::limits::Why;
use super::super::steps::Step;
use super::super::value::{Random, Value};
use super::{Reading, Rule, average};
use crate::spec::ops::Conv;

pub(super) fn rule(op: &Conv, reading: &Reading<'_>) -> Rule {
    let line = reading.line();
    let &[channels, height, width] = reading.program.lines[line.reads[0]].shape.as_slice() else {
        return Err(Why::Places);
    };
    let [down, across] = op.kernel;
    let fan_in = (channels / op.groups.max(1)).saturating_mul(down).saturating_mul(across);
    let windows = windows([height, width], op.kernel, op.stride, op.padding, op.dilation);
    let last = [Step::Windows(windows), Step::Affine(Gains::of(reading.network, fan_in, op.bias))];
    let fresh = Random::fresh(reading.at, &line.shape, 0);
    match reading.value(0) {
        Some(Value::Given) if op.groups > 1 => Err(Why::ImageGroups),
        Some(Value::Given) => Ok(reading.layer(Layout::First, fresh, last.into())),
        _ => {
            let value = reading.featured(0)?;
            if op.groups > 1 && op.groups == channels {
                return Err(Why::Alone);
            }
            if op.groups > 1 && value.slots.len() > 1 {
                return Err(Why::Unlike);
            }
            Ok(reading.made(fresh, average(value).chain(last).collect()))
        }
    }
}
