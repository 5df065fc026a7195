//! How a step is taken, beside its batch: what may change while a run goes on.

/// Terms of a step of training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// The rate that reaches the optimiser.
    pub rate: f64,
    /// Classes whose logits the loss sees; all where none are given.
    pub present: Option<Vec<usize>>,
    /// Layers or tensors that do not move, as weights files name them.
    pub frozen: Vec<String>,
    /// ‖Δw‖ of the step, whatever the rate: plain SGD only.
    pub length: Option<f64>,
}

impl Terms {
    /// A step at this rate, with nothing else asked of it.
    pub fn at(rate: f64) -> Self {
        Self { rate, ..Self::default() }
    }
}
