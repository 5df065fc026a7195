//! Defines the additional outputs of a forward pass: the tape for the kernel, the input of the last layer, overflow of
//! 32-bit floats, or the changes that training makes.

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;

use super::device_read::read;
use super::tape::{Node, Tape};

/// The mode of a forward pass and its additional outputs: closed (evaluation), training, recording (kernel), watching (the
/// input of the last dense layer, or the responses of all units), or checking (overflow of 32-bit floats).
#[derive(Default)]
pub struct ForwardMode {
    pub(super) recorded: Option<Vec<Node>>,
    pub(super) training: Option<Training>,
    pub(super) watching: bool,
    pub(super) checking: bool,
    /// The mean of |h| over places of the units after each nonlinearity, [n, units].
    pub(super) responses: Option<Vec<Tensor<2>>>,
    /// The first line whose values are not finite.
    pub(super) overflow: Option<String>,
    /// The input of the last dense layer, [n, values].
    pub(super) seen: Option<Tensor<2>>,
}

/// The state of a forward pass in training.
pub struct Training {
    /// Generator of the dropout masks.
    pub(super) generator: ChaCha8Rng,
    /// Running statistics after this pass, by the index of their tensor.
    pub(super) statistics: Vec<(usize, Tensor<1>)>,
}

impl Training {
    /// Updates a running statistic of a tensor with that of a batch, times `factor`.
    pub(super) fn keep(&mut self, tensor: usize, kept: &Tensor<1>, batch: Tensor<1>, momentum: f64, factor: f64) {
        let batch = batch.without_autodiff();
        let moved = kept.clone().without_autodiff() * (1.0 - momentum) + batch * (momentum * factor);
        self.statistics.push((tensor, moved));
    }
}

impl ForwardMode {
    /// Returns the mode of evaluation.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Returns the mode of training; dropout masks are sampled from this generator.
    pub fn training(generator: ChaCha8Rng) -> Self {
        Self { training: Some(Training { generator, statistics: Vec::new() }), ..Self::default() }
    }

    /// Returns the mode that also records the lines. The network's parameters must be without autodiff.
    pub fn recording() -> Self {
        Self { recorded: Some(Vec::new()), ..Self::default() }
    }

    /// Returns the mode that stores the input of the last dense layer.
    pub fn with_features() -> Self {
        Self { watching: true, ..Self::default() }
    }

    /// Returns the mode that stores the responses of the units after each nonlinearity.
    pub fn with_responses() -> Self {
        Self { responses: Some(Vec::new()), ..Self::default() }
    }

    /// Returns the mode that checks each output for overflow.
    pub fn checking() -> Self {
        Self { checking: true, ..Self::default() }
    }

    /// Checks a line's values for overflow, in that mode.
    pub(super) fn check(&mut self, name: impl FnOnce() -> String, values: &Tensor<2>) {
        if self.checking && self.overflow.is_none() {
            let finite = read(values.clone()).into_iter().all(f32::is_finite);
            self.overflow = (!finite).then(name);
        }
    }

    /// Returns the tape of a forward pass that ended in these logits; empty if nothing was recorded.
    pub fn into_tape(self, logits: Tensor<2>) -> Tape {
        Tape { nodes: self.recorded.unwrap_or_default(), logits }
    }
}
