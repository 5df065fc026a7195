//! Executes training steps, and the evaluations and measurements between steps. Depends on no thread, clock or file.

mod clipping;
mod continual;
mod device_transfer;
mod evaluate;
mod image_index;
mod infinite_width_model;
mod learner;
mod linear_probe;
mod linearised;
mod loss;
mod norms;
mod optimiser;
mod past_weights;
mod preconditioner;
mod step_options;

pub use crate::train::continual::method::EndedTask;
pub use crate::train::device_transfer::LearnerState;
pub use crate::train::image_index::ImageIndex;
pub use crate::train::infinite_width_model::{InfiniteWidthModel, InfiniteWidthModelError, InfiniteWidthModelState};
pub use crate::train::step_options::StepOptions;
pub use evaluate::{Score, score, slopes};
pub use learner::{NetworkTrainer, StepOutcome};
pub use linear_probe::{FeatureKernels, RIDGE};
pub use linearised::{Linearised, LinearisedState};
pub use norms::displacement;
pub use past_weights::HeldDisplacement;
