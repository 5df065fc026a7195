//! One training step and what is asked of the network between steps. Knows of no thread, no clock and no file.

mod copy;
mod evaluate;
mod geometry;
mod learner;
mod linear_probe;
mod linearised;
mod loss;
mod optimiser;
mod terms;

pub use copy::LearnerState;
pub use evaluate::{Score, score};
pub use learner::{Learner, StepOutcome, displacement};
pub use linear_probe::{FeatureKernels, RIDGE};
pub use linearised::{Linearised, LinearisedState};
pub use terms::Terms;
