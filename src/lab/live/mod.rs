//! Executes the live run: a network trains on its tasks, and its kernel is measured on the way.
//!
//! Everything that happens is an event, in order; commands are carried out between two steps; a command that changes a
//! result is recorded as an event and repeats when the run is repeated. This code depends on no window and no thread;
//! computations without tensors run on a thread beside it, through which all events go
//! ([`EventQueue`](super::EventQueue)) and whose speed changes none.

mod analysis_thread;
mod batches;
mod cpu_fallback;
mod finite;
mod fork;
mod infinite;
mod infinite_kernel;
mod initial_weights;
mod ledger;
mod piecewise;
mod position;
mod predictors;
mod subject;
mod trainer;
mod training_conditions;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::fork::StoredRun;
pub use self::trainer::Open;
use self::trainer::{PreparedRun, RunStart, Trainer};
use super::Control;
use super::device::for_run;
use crate::data::Prepared;
use crate::model::DeviceChoice;
use crate::run::{Checkpoint, Ending, Event, Sink};
use crate::spec::Spec;

/// Trains and measures one run to its end, which is reported with its reason.
///
/// `paced` lets `window.pace` slow it down; headless runs are never paced.
pub fn run(spec: &Spec, device: DeviceChoice, paced: bool, control: &mut dyn Control, sink: Box<dyn Sink + Send>) {
    let open = |data: &Prepared, cancelled: &dyn Fn() -> bool| for_run(device, spec, data, cancelled);
    run_on(spec, &open, paced, control, sink);
}

/// Continues a stored run as a fork with this spec ([`Checkpoint::future`]). Earlier events are not reported again.
pub fn continue_run(
    (spec, from): (&Spec, &Checkpoint),
    device: DeviceChoice,
    paced: bool,
    control: &mut dyn Control,
    sink: Box<dyn Sink + Send>,
) {
    let kept: &StoredRun = from.state.downcast_ref().expect("only this laboratory makes checkpoints");
    let device = if kept.is_on_host() { DeviceChoice::Cpu } else { device };
    let open = |data: &Prepared, cancelled: &dyn Fn() -> bool| for_run(device, spec, data, cancelled);
    begin(&RunStart { spec, stored: Some(kept), open: &open, paced }, control, sink);
}

/// Trains and measures one run like [`run`], on a device that the caller opens.
pub fn run_on(spec: &Spec, open: Open<'_>, paced: bool, control: &mut dyn Control, sink: Box<dyn Sink + Send>) {
    begin(&RunStart { spec, stored: None, open, paced }, control, sink);
}

fn begin(beginning: &RunStart<'_>, control: &mut dyn Control, mut sink: Box<dyn Sink + Send>) {
    let opened = match PreparedRun::new(beginning, control) {
        Ok(opened) => opened,
        Err(message) => {
            // If the sink is closed too, nobody needs to know the ending.
            let _ = sink.emit(Event::Ended(Ending::Failed { step: 0, message }));
            return;
        }
    };
    let mut trainer = Trainer::new(beginning, opened, control, sink);
    match catch_unwind(AssertUnwindSafe(|| trainer.train())) {
        Ok(outcome) => trainer.end(outcome),
        Err(panic) => {
            // Events from before the panic are passed on first.
            trainer.report_before_panic();
            resume_unwind(panic)
        }
    }
}
