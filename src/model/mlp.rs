//! The fully connected network: `fc1` … `fcL`, an activation between them, none after the last.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};

use super::init::Draw;
use super::{Affine, Taps};
use crate::spec::{Activation, NetworkSpec};

/// A multi-layer perceptron.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Affine>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// The network of this spec for images of `inputs` values and `classes` logits, with the initial weights of this seed.
    pub fn new(network: &NetworkSpec, seed: u64, inputs: usize, classes: usize, device: &Device) -> Self {
        let mut draw = Draw::new(network, seed);
        let mut sizes = vec![inputs];
        sizes.extend(std::iter::repeat_n(network.width, network.depth));
        sizes.push(classes);
        let layers = sizes.windows(2).map(|pair| Affine::draw(pair[0], pair[1], &mut draw, device)).collect();
        Self { layers, activation: network.activation }
    }

    /// A network of given layers, in order.
    pub fn from_layers(layers: Vec<Affine>, activation: Activation) -> Self {
        Self { layers, activation }
    }

    /// [rows, inputs] → logits [rows, classes].
    pub fn forward(&self, images: Tensor<2>, taps: &mut Taps) -> Tensor<2> {
        let mut rows = images;
        for (place, layer) in self.layers.iter().enumerate() {
            if place > 0 {
                rows = activate(self.activation, rows);
            }
            rows = taps.affine(&format!("fc{}", place + 1), layer, rows);
        }
        rows
    }

    /// How many parameters.
    pub fn parameters(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| layer.weight.lazy_shape().num_elements() + layer.bias.lazy_shape().num_elements())
            .sum()
    }

    /// The layers with their names, in the order of the forward pass.
    pub fn layers(&self) -> impl Iterator<Item = (String, &Affine)> {
        self.layers.iter().enumerate().map(|(place, layer)| (format!("fc{}", place + 1), layer))
    }
}

fn activate(kind: Activation, rows: Tensor<2>) -> Tensor<2> {
    match kind {
        Activation::Relu => activation::relu(rows),
        Activation::Tanh => activation::tanh(rows),
        // The exact one, with erf, as PyTorch's default; the tanh approximation is another network.
        Activation::Gelu => activation::gelu(rows),
        Activation::Erf => rows.erf(),
    }
}
