//! What is asked of a forward pass beside its logits: the way back for the kernel, what the last layer saw, whether 32-bit floats
//! hold it all, or what training changes on the way.

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;

use super::tape::{Node, Tape};

/// Closed (evaluation), training, recording (kernel), watching what the last dense layer sees (features), or checking that 32-bit
/// floats hold what lines give.
#[derive(Default)]
pub struct Taps {
    pub(super) recorded: Option<Vec<Node>>,
    pub(super) training: Option<Training>,
    pub(super) watching: bool,
    pub(super) checking: bool,
    /// The first line whose values are not finite.
    pub(super) overflow: Option<String>,
    /// What the last dense layer saw, [n, values].
    pub(super) seen: Option<Tensor<2>>,
}

/// What only a forward pass of training does.
pub struct Training {
    /// Draws what is left out.
    pub(super) generator: ChaCha8Rng,
    /// Running statistics as they are behind this pass, by the place of their tensor.
    pub(super) statistics: Vec<(usize, Tensor<1>)>,
}

impl Training {
    /// Moves a running statistic of a tensor a part of the way to what a batch had, that times `factor`.
    pub(super) fn keep(&mut self, tensor: usize, kept: &Tensor<1>, batch: Tensor<1>, momentum: f64, factor: f64) {
        let batch = batch.without_autodiff();
        let moved = kept.clone().without_autodiff() * (1.0 - momentum) + batch * (momentum * factor);
        self.statistics.push((tensor, moved));
    }
}

impl Taps {
    /// Lines only compute.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Lines do what they do while training; what is left out by chance is drawn from this generator.
    pub fn training(generator: ChaCha8Rng) -> Self {
        Self { training: Some(Training { generator, statistics: Vec::new() }), ..Self::default() }
    }

    /// Lines are recorded, too. The network's parameters must be without autodiff.
    pub fn recording() -> Self {
        Self { recorded: Some(Vec::new()), ..Self::default() }
    }

    /// Lines only compute; what the last dense layer sees is kept.
    pub fn watching() -> Self {
        Self { watching: true, ..Self::default() }
    }

    /// Lines only compute; what each gives is looked at.
    pub fn checking() -> Self {
        Self { checking: true, ..Self::default() }
    }

    /// Looks at a line's values, where that was asked for.
    pub(super) fn check(&mut self, name: impl FnOnce() -> String, values: &Tensor<2>) {
        if self.checking && self.overflow.is_none() {
            let finite = values.clone().into_data().iter::<f32>().all(f32::is_finite);
            self.overflow = (!finite).then(name);
        }
    }

    /// The recording of a forward pass that ended in these logits; empty where nothing was recorded.
    pub fn into_tape(self, logits: Tensor<2>) -> Tape {
        Tape { nodes: self.recorded.unwrap_or_default(), logits }
    }
}
