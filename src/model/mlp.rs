//! The fully connected network: `fc1` … `fcL`, an activation between them, none after the last; where it is normalised,
//! LayerNorm before each activation: `ln1` …

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::layers::{Affine, Norm};
use super::source::{Source, WeightsError};
use super::{Signal, Stored, Taps, activate};
use crate::spec::Activation;

/// A multi-layer perceptron.
#[derive(Module, Debug)]
pub struct Mlp {
    /// One for each hidden layer, or none.
    norms: Vec<Norm>,
    layers: Vec<Affine>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// A network of these sizes: inputs, the hidden layers, logits; its hidden layers `normed` or not.
    pub fn build(
        sizes: &[usize],
        normed: bool,
        activation: Activation,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let layer = |(place, pair): (usize, &[usize])| {
            Affine::build(&format!("fc{}", place + 1), [pair[0], pair[1]], source, device)
        };
        let layers = sizes.windows(2).enumerate().map(layer).collect::<Result<_, _>>()?;
        let hidden = if normed { &sizes[1..sizes.len() - 1] } else { &[] };
        let norm = |(place, width): (usize, &usize)| Norm::build(&format!("ln{}", place + 1), *width, source, device);
        let norms = hidden.iter().enumerate().map(norm).collect::<Result<_, _>>()?;
        Ok(Self { norms, layers, activation })
    }

    /// The network in a weights file, for so many inputs; depth, widths and whether it is normalised are read from the
    /// tensors.
    pub fn load(
        inputs: usize,
        activation: Activation,
        stored: &mut Stored<'_>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let [first, _] = stored.reading("fc1.weight", inputs)?;
        let mut sizes = vec![inputs, first];
        while stored.has(&format!("fc{}.weight", sizes.len())) {
            let [fan_out, _] = stored.shape(&format!("fc{}.weight", sizes.len()))?;
            sizes.push(fan_out);
        }
        Self::build(&sizes, stored.has("ln1.weight"), activation, stored, device)
    }

    pub(super) fn is_normed(&self) -> bool {
        !self.norms.is_empty()
    }

    pub(super) fn forward(&self, images: Tensor<2>, taps: &mut Taps) -> Signal<2> {
        let mut rows = taps.input(images);
        for (place, layer) in self.layers.iter().enumerate() {
            if let Some(hidden) = place.checked_sub(1) {
                if let Some(norm) = self.norms.get(hidden) {
                    rows = taps.norm(&format!("ln{place}"), norm, rows);
                }
                rows = taps.pointwise(rows, |z| activate(self.activation, z));
            }
            rows = taps.affine(&format!("fc{}", place + 1), layer, rows);
        }
        rows
    }
}
