//! Rules of normalisations with gains of 1 and biases of 0: K and Θ are divided by the roots of second moments, which are
//! constants in the limit.

use super::super::limits::NoRule;
use super::super::steps::Step;
use super::super::value::RandomFeatures;
use super::law::{Law, Reading, Rule};
use crate::spec::ops::{Norm, NormKind};

pub(super) fn rule(op: &Norm, reading: &Reading<'_>) -> Rule {
    if op.kind.is_of_batches() && reading.network.is_infinite() {
        return Err(NoRule::Batch);
    }
    if reading.is_given() {
        return Ok(Law::Given);
    }
    let value = reading.featured(0)?;
    let normed = value.becomes(reading.at, &reading.line().shape);
    let step = match op.kind {
        NormKind::Rms => Step::Norm(value.shares(), op.epsilon),
        NormKind::Layer if value.centred => Step::Norm(value.shares(), op.epsilon),
        NormKind::Layer => return Err(NoRule::NotCentred),
        NormKind::Group { groups } if groups > 1 && groups == value.shape[value.feature] => return Err(NoRule::Alone),
        NormKind::Group { groups } if groups > 1 && value.slots.len() > 1 => return Err(NoRule::Unlike),
        NormKind::Group { .. } if value.centred => Step::NormAll(value.shares(), op.epsilon),
        NormKind::Group { .. } => return Err(NoRule::NotCentred),
        // The evaluated network at initialisation: running mean 0 and running variance 1.
        NormKind::Batch => {
            let by = 1.0 / (1.0 + op.epsilon).sqrt();
            let terms = value.terms.iter().map(|(line, times)| (*line, times * by)).collect();
            return Ok(reading.made(RandomFeatures { terms, ..normed }, vec![Step::Scale(by * by)]));
        }
    };
    Ok(reading.made(normed, vec![step]))
}
