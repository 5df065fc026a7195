//! Rule of embeddings: a dense layer on one-hot tokens with a fan-in of one, so K is the variance where two tokens are
//! equal.

use super::super::gains::Gains;
use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::RandomFeatures;
use super::law::{Reading, Rule};
use crate::spec::ops::Embedding;
use crate::theory::image_functions::Layout;

pub(super) fn rule(op: &Embedding, reading: &Reading<'_>) -> Rule {
    if !reading.is_given() {
        return Err(NoRule::Embedded);
    }
    let mut gains = Gains::of(reading.network, 1, op.tokens + op.width, false);
    if op.normal && !reading.network.parametrisation.is_ntk() {
        gains.weight = 1.0;
    }
    let affine = Step::Affine(gains);
    Ok(reading.layer(
        Layout::Tokens(op.tokens),
        RandomFeatures::fresh(reading.at, &reading.line().shape, 1),
        vec![affine],
    ))
}
