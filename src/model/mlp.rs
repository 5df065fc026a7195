//! The fully connected network: `fc1` … `fcL`, an activation between them, none after the last.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::layers::Affine;
use super::source::{Source, WeightsError};
use super::{Signal, Stored, Taps, activate};
use crate::spec::Activation;

/// A multi-layer perceptron.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Affine>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// A network of these sizes: inputs, the hidden layers, logits.
    pub fn build(
        sizes: &[usize],
        activation: Activation,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let layer = |(place, pair): (usize, &[usize])| {
            Affine::build(&format!("fc{}", place + 1), [pair[0], pair[1]], source, device)
        };
        let layers = sizes.windows(2).enumerate().map(layer).collect::<Result<_, _>>()?;
        Ok(Self { layers, activation })
    }

    /// The network in a weights file, for so many inputs; depth and widths are read from the shapes.
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
        Self::build(&sizes, activation, stored, device)
    }

    pub(super) fn forward(&self, images: Tensor<2>, taps: &mut Taps) -> Signal<2> {
        let mut rows = taps.input(images);
        for (place, layer) in self.layers.iter().enumerate() {
            if place > 0 {
                rows = taps.pointwise(rows, |z| activate(self.activation, z));
            }
            rows = taps.affine(&format!("fc{}", place + 1), layer, rows);
        }
        rows
    }
}
