//! Rule of attention in NTP: scores q·k/d_head of independent layers vanish as d_head grows, so every token attends equally
//! to all, or to all up to itself, and the gradients of q and k vanish with the scores (Yang 2019).

use super::super::limits::NoRule;
use super::super::steps::{Join, Step};
use super::law::{Law, Reading, Rule};
use crate::spec::ops::Attention;

pub(super) fn rule(op: &Attention, reading: &Reading<'_>) -> Rule {
    if !reading.network.parametrisation.is_ntk() {
        return Err(NoRule::Attention);
    }
    let line = reading.line();
    let (q, k, v) = (reading.featured(0)?, reading.featured(1)?, reading.featured(2)?);
    if !q.uncorrelated(k) {
        return Err(NoRule::Scores);
    }
    let (queries, values) = (q.places(), v.places());
    let step = if op.masked {
        // The mean over the visible tokens, whose number differs between tokens.
        let places = (0..queries).map(|last| (0..=last.min(values - 1)).collect()).collect();
        Step::Means(places)
    } else {
        Step::Attend(queries)
    };
    let made = v.becomes(reading.at, &line.shape);
    Ok(Law::Made { value: made, reads: vec![line.reads[2]], join: Join::One, steps: vec![step] })
}
