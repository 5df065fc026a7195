//! The live run: a network goes through its tasks, and its kernel is measured on the way.
//!
//! Everything that happens is an event, in order; commands act between two steps; what changes a result is itself an event
//! and repeats when fed back. Nothing here knows of a window, nor of the thread it runs on; what needs no tensor is left to
//! a thread beside it, through which all events go ([`EventQueue`](super::EventQueue)) and whose pace changes none.

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

use self::fork::KeptRun;
pub use self::trainer::Open;
use self::trainer::{PreparedRun, RunStart, Trainer};
use super::Control;
use super::device::for_run;
use crate::data::Prepared;
use crate::model::DeviceChoice;
use crate::run::{Checkpoint, Ending, Event, Sink};
use crate::spec::Spec;

/// Trains and measures one run to its end, and says why it ended.
///
/// `paced` lets `window.pace` slow it down; headless runs are never paced.
pub fn run(spec: &Spec, device: DeviceChoice, paced: bool, control: &mut dyn Control, sink: Box<dyn Sink + Send>) {
    let open = |data: &Prepared, cancelled: &dyn Fn() -> bool| for_run(device, spec, data, cancelled);
    run_on(spec, &open, paced, control, sink);
}

/// Goes on from a run that was kept, in the future that this spec says ([`Checkpoint::future`]). What happened before is not
/// told again.
pub fn go_on(
    (spec, from): (&Spec, &Checkpoint),
    device: DeviceChoice,
    paced: bool,
    control: &mut dyn Control,
    sink: Box<dyn Sink + Send>,
) {
    let kept: &KeptRun = from.state.downcast_ref().expect("only this laboratory makes checkpoints");
    let device = if kept.is_on_host() { DeviceChoice::Cpu } else { device };
    let open = |data: &Prepared, cancelled: &dyn Fn() -> bool| for_run(device, spec, data, cancelled);
    begin(&RunStart { spec, kept: Some(kept), open: &open, paced }, control, sink);
}

/// Trains and measures one run as [`run`] does, on a device that the caller opens.
pub fn run_on(spec: &Spec, open: Open<'_>, paced: bool, control: &mut dyn Control, sink: Box<dyn Sink + Send>) {
    begin(&RunStart { spec, kept: None, open, paced }, control, sink);
}

fn begin(beginning: &RunStart<'_>, control: &mut dyn Control, mut sink: Box<dyn Sink + Send>) {
    let opened = match PreparedRun::new(beginning, control) {
        Ok(opened) => opened,
        Err(message) => {
            // Nobody left to tell is a way to end, too.
            let _ = sink.emit(Event::Ended(Ending::Failed { step: 0, message }));
            return;
        }
    };
    let mut trainer = Trainer::new(beginning, opened, control, sink);
    match catch_unwind(AssertUnwindSafe(|| trainer.train())) {
        Ok(outcome) => trainer.end(outcome),
        Err(panic) => {
            // What happened before it broke is told first.
            trainer.let_go();
            resume_unwind(panic)
        }
    }
}
