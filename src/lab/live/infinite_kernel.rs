//! Computes the infinite-width kernel on the probes, where the network of a run has one, for the distance of Θ from it in
//! each snapshot.

use super::subject::Subject;
use crate::data::Prepared;
use crate::math::Gram;
use crate::spec::Spec;
use crate::theory::InfiniteNetwork;

/// The largest number of intermediate values for all pairs of probes: a second or two of work.
const MOST_WORK: usize = 300_000_000;

/// Returns Θ̊ on the probes; `None` where the network begins from a file, has no limit in closed form or no kernel of these
/// images, where it would take long, or when cancelled.
pub(super) fn of(subject: &dyn Subject, spec: &Spec, data: &Prepared, cancelled: &dyn Fn() -> bool) -> Option<Gram> {
    // Weights of a file are no draw, of which this is the limit.
    if !spec.kernel.reduction.is_trace() || spec.network.weights.is_some() {
        return None;
    }
    if let Some(kernel) = subject.infinite_kernel() {
        return Some(kernel.clone());
    }
    let limit = InfiniteNetwork::of(&spec.network, data.set.train.shape, data.set.outputs()).ok()?;
    let inputs: Vec<f64> = data.probes.pixels.iter().map(|&value| f64::from(value)).collect();
    let n = data.probes.len();
    if limit.per_pair().saturating_mul(n * n / 2) > MOST_WORK {
        return None;
    }
    let kernel = limit.own(&limit.points(&inputs), cancelled).ok()?.ntk;
    Gram::symmetrised(n, kernel).ok().map(|(gram, _)| gram)
}
