//! Provides the fallback of a run to the CPU when its device fails.
//!
//! A GPU can be lost or run out of memory in any operation; burn then panics, on this thread, where a value is read.
//! While a run is on one, a copy of the learner is kept on the CPU with the steps taken since. When an operation fails,
//! the copy repeats those steps silently, and the operation is done again on the CPU: every reported event stays true,
//! and none is reported twice.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::batches::StepPlan;
use super::finite::{Finite, FiniteState};
use super::subject::SubjectState;
use crate::data::Prepared;
use crate::model::{ChosenDevice, Network, is_host, responds};
use crate::spec::Spec;
use crate::train::NetworkTrainer;

/// The largest share of the time since the last copy that a new copy may take.
const COPYING: f64 = 0.05;

/// A copy of the learner on the CPU, and the steps that were taken since.
pub(super) struct CpuFallback {
    pub learner: NetworkTrainer,
    pub since: Vec<StepPlan>,
    copied_at: Instant,
    took: Duration,
}

impl CpuFallback {
    /// Stores a copy whose making began at this time.
    pub fn new(learner: NetworkTrainer, began: Instant) -> Self {
        Self { learner, since: Vec::new(), copied_at: Instant::now(), took: began.elapsed() }
    }

    /// Returns whether it is time for a new copy.
    pub fn is_due(&self) -> bool {
        self.copied_at.elapsed().mul_f64(COPYING) >= self.took
    }
}

/// Opens the network of a run on the chosen device, from its start (the initial network, or a draw) or from a stored state,
/// with a fallback where that device can fail, and on the CPU if it fails at once. Returns a description of the device, too.
pub(super) fn open(
    spec: &Spec,
    data: &Prepared,
    chosen: ChosenDevice,
    (initial, from): (Option<&Network>, Option<&SubjectState>),
) -> (Finite, Option<CpuFallback>, String) {
    let shape = data.set.shape();
    let kept = from.and_then(|state| state.downcast_ref::<FiniteState>());
    let start = |device: &Device| {
        let mut learner = match initial {
            Some(network) => NetworkTrainer::starting_from(network, spec, (shape.image, data.set.outputs()), device),
            None => NetworkTrainer::new(spec, shape.image, data.set.outputs(), device),
        };
        kept.into_iter().for_each(|kept| learner.restore(kept.learner()));
        learner
    };
    let on_cpu = start(&Device::flex());
    let (mut finite, fallback, words) = if is_host(&chosen.device) {
        (Finite::new(on_cpu, data), None, chosen.description)
    } else {
        match catch_unwind(AssertUnwindSafe(|| Finite::new(start(&chosen.device), data))) {
            Ok(finite) => (finite, Some(CpuFallback::new(on_cpu, Instant::now())), chosen.description),
            Err(panic) => {
                let words = ChosenDevice::cpu(Some(&failure(panic.as_ref(), Some(&chosen.device)))).description;
                (Finite::new(on_cpu, data), None, words)
            }
        }
    };
    kept.into_iter().for_each(|kept| finite.restore(kept, (spec, data)));
    (finite, fallback, words)
}

/// Returns the reason why the device failed, as a part of a sentence; burn's own message has many lines, which differ
/// each time.
pub(super) fn failure(panic: &(dyn Any + Send), device: Option<&Device>) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let message = message.unwrap_or_default();
    if device.is_some_and(|device| !responds(device)) {
        "the GPU was lost".to_owned()
    } else if ["out of memory", "out-of-memory", "out of device memory", "toobig", "too big"]
        .iter()
        .any(|words| message.to_lowercase().contains(words))
    {
        "the GPU ran out of memory".to_owned()
    } else {
        format!(
            "the GPU failed ({})",
            message.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given")
        )
    }
}
