//! Rule of the mean or the sum over all places: it is linear, so K and Θ are the means or sums over all pairs of places.

use super::super::steps::Step;
use super::super::value::RandomFeatures;
use super::law::{Law, Reading, Rule};
use crate::spec::ops::{Reduce, Reduction};

pub(super) fn rule(op: &Reduce, reading: &Reading<'_>) -> Rule {
    if reading.is_given() {
        return Ok(Law::Given);
    }
    let value = reading.featured(0)?;
    let places = value.places();
    let by = match op.reduction {
        Reduction::Mean => 1.0 / places as f64,
        Reduction::Sum => 1.0,
    };
    let reduced = RandomFeatures { feature: 0, ..value.becomes(reading.at, &reading.line().shape) };
    Ok(reading.made(reduced, vec![Step::Sums(vec![(0..places).collect()], by)]))
}
