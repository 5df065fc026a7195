//! Defines the interface between an experiment and its caller: progress reports, cancellation, and storage of kernel
//! blocks.

use crate::run::{InstantCurve, Point};
use crate::theory::LimitKernelError;

/// The progress of an experiment.
#[derive(Clone, Debug)]
pub enum Progress {
    /// The share of the work done, from 0 to 1.
    Share(f64),
    Point(Box<Point>),
    /// The predicted curve of a kernel, before anything was fitted.
    Instant(InstantCurve),
}

/// A shelf stores blocks of kernels over an interruption.
pub trait Shelf {
    /// Returns the values stored under this name.
    fn get(&self, name: &str) -> Option<Vec<f64>>;
    /// Stores values; a failure only costs time later.
    fn put(&mut self, name: &str, values: &[f64]);
}

/// The reason why an experiment ended early.
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

/// The caller of an experiment, which receives its progress, can cancel it, and has a shelf.
pub struct Observer<'a> {
    /// Receives progress; cancels the experiment by returning false.
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
