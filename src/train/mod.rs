//! One training step and what is asked of the network between steps. Knows of no thread, no clock and no file.

mod copy;
mod evaluate;
mod field;
mod geometry;
mod learner;
mod linear_probe;
mod linearised;
mod loss;
mod optimiser;
mod places;
mod terms;

pub use copy::LearnerState;
pub use evaluate::{Score, score};
pub use field::{Field, FieldState, NoField};
pub use learner::{Learner, StepOutcome, displacement};
pub use linear_probe::{FeatureKernels, RIDGE};
pub use linearised::{Linearised, LinearisedState};
pub use places::Places;
pub use terms::Terms;
