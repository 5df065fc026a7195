//! What an experiment shares with whoever started it: it reports progress, can be cancelled, and keeps blocks of kernels.

use crate::run::{InstantCurve, Point};
use crate::theory::LimitKernelError;

/// The progress of an experiment.
#[derive(Clone, Debug)]
pub enum Progress {
    /// So much of the work is done, from 0 to 1.
    Share(f64),
    Point(Box<Point>),
    /// What a kernel is predicted to do, before anything was fitted.
    Instant(InstantCurve),
}

/// A shelf keeps blocks of kernels over an interruption.
pub trait Shelf {
    /// Returns what was put there under this name.
    fn get(&self, name: &str) -> Option<Vec<f64>>;
    /// Keeps it; that it cannot be kept only costs time later.
    fn put(&mut self, name: &str, values: &[f64]);
}

/// Why an experiment ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    Cancelled,
    Failed(String),
}

impl From<LimitKernelError> for Stop {
    fn from(why: LimitKernelError) -> Self {
        if why == LimitKernelError::Cancelled { Self::Cancelled } else { Self::Failed(why.to_string()) }
    }
}

/// The observer of an experiment: hears of its progress, can cancel it, and has a shelf.
pub struct Observer<'a> {
    /// Takes progress; ends the experiment by returning false.
    pub report: &'a mut dyn FnMut(Progress) -> bool,
    pub cancelled: &'a dyn Fn() -> bool,
    pub shelf: &'a mut dyn Shelf,
}

impl Observer<'_> {
    /// Reports progress.
    ///
    /// # Errors
    /// When the experiment is cancelled.
    pub(super) fn report(&mut self, progress: Progress) -> Result<(), Stop> {
        if (self.report)(progress) && !(self.cancelled)() { Ok(()) } else { Err(Stop::Cancelled) }
    }
}
