//! Defines the options of a training step besides its batch, which may change during a run.

use super::past_weights::HeldDisplacement;

/// The options of a training step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepOptions {
    /// The learning rate of the optimiser.
    pub rate: f64,
    /// Classes whose logits the loss includes; all if `None`.
    pub present: Option<Vec<usize>>,
    /// Layers or tensors that are not trained, as weights files name them.
    pub frozen: Vec<String>,
    /// Prescribed ‖Δw‖ of the step, whatever the rate: plain SGD only.
    pub length: Option<f64>,
    /// Largest ‖Δw‖ over a lag, for which the rate is lowered: plain SGD only.
    pub displacement: Option<HeldDisplacement>,
}

impl StepOptions {
    /// Returns whether the rate depends on the gradient.
    pub(super) fn is_clamped(&self) -> bool {
        self.length.is_some() || self.displacement.is_some()
    }

    /// Returns the options of a step at this rate, with everything else at its default.
    pub fn at(rate: f64) -> Self {
        Self { rate, ..Self::default() }
    }
}
