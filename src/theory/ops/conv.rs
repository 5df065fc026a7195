//! Rule of z = W ⋆ h + b: a dense layer on the mean over windows around two pixels (Arora et al. 2019; Novak et al. 2019),
//! for any size, stride, padding and dilation. With groups, each averages over its own channels, which are identically
//! distributed.
//!
//! A depthwise filter does not average over channels, so its output is a product of two random variables and not Gaussian;
//! but the covariance over all channels, the only quantity that the next layer depends on, is the same.

use super::super::gains::Gains;
use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::{RandomFeatures, Root, Value, union};
use super::law::{Reading, Rule, average};
use crate::spec::ops::Conv;
use crate::theory::image_functions::{Layout, windows};

pub(super) fn rule(op: &Conv, reading: &Reading<'_>) -> Rule {
    let line = reading.line();
    let &[channels, height, width] = reading.program.lines[line.reads[0]].shape.as_slice() else {
        return Err(NoRule::Places);
    };
    let windows = windows([height, width], op.kernel, op.stride, op.padding, op.dilation);
    let fan_in = op.fan_in(channels);
    let fans = fan_in + op.channels * op.kernel[0] * op.kernel[1];
    let last = [Step::Windows(windows), Step::Affine(Gains::of(reading.network, fan_in, fans, op.bias))];
    let fresh = RandomFeatures::fresh(reading.at, &line.shape, 0);
    match reading.value(0) {
        Some(Value::Given) if op.groups > 1 => Err(NoRule::ImageGroups),
        Some(Value::Given) => Ok(reading.layer(Layout::First, fresh, last.into())),
        _ => {
            let value = reading.featured(0)?;
            if op.groups > 1 && value.slots.len() > 1 {
                return Err(NoRule::Unlike);
            }
            let steps = average(value).chain(last).collect();
            if op.groups > 1 && op.groups == channels {
                let below: Vec<Root> = value.roots.iter().map(|root| Root::whole(root.line)).collect();
                let roots = union(&fresh.roots, &below);
                return Ok(reading.made(RandomFeatures { roots, gaussian: false, even: false, ..fresh }, steps));
            }
            Ok(reading.made(fresh, steps))
        }
    }
}
