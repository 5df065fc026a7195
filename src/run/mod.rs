//! Declares what a run reports: its events, their bounded history, and the columns of its tables.

mod accuracy;
mod block;
mod checkpoint;
pub(crate) mod csv_number;
mod event;
mod history;
mod learning_point;
mod ledger;
mod metric;
mod parts;
mod plane;
mod prediction;
mod printable;
mod tensor_gram;

pub use accuracy::Accuracy;
pub use block::Block;
pub use checkpoint::Checkpoint;
pub use csv_number::finite;
pub use event::{
    Closed, Ending, Event, NamedTensor, Origin, Partner, Probe, Progress, RunInfo, SavedStep, Sink, Snapshot, TaskInfo,
    TaskStart, Weights,
};
pub use history::{History, MAX_ROWS, Note, RunState, describe, describe_in_short};
pub use learning_point::{InstantCurve, Point, Reduced};
pub use ledger::{Ledger, OldImage};
pub use metric::{BlockMetrics, Metric, Row, SnapshotCost};
pub use parts::{CrossMetrics, LayerMetrics, LogitMetrics, Logits, OptimiserMetrics, StepSharpness, TensorMetrics};
pub use plane::{angle_between, cell, circle, grid, origin, profile};
pub use prediction::{Outputs, Prediction, Predictor, RegressionKernel, Solved};
pub use printable::{harmless, printable, printable_list};
pub use tensor_gram::TensorGram;
