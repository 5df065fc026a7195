//! Networks on burn: what they compute, how they start, which device they live on, and the taps through which the kernel
//! looks into them.
//!
//! Adding a network is one file here that states its steps through [`Taps`], and its line in [`Network`]; `ntk` needs no
//! change.

mod cnn;
mod cotangent;
mod device;
mod draw;
mod kind;
mod layers;
mod memory;
mod mlp;
mod names;
mod network;
mod parameters;
mod product;
mod resmlp;
mod rnn;
mod source;
mod steps;
mod stored;
mod tape;
mod taps;
mod transformer;

pub use cotangent::Cotangent;
pub use device::{AdapterInfo, Chosen, DeviceChoice, adapters, answers, choose, gpu};
pub use memory::{give_back, keep_what_is_given_back};
pub use network::Network;
pub use parameters::{belongs, layer_of};
pub use product::{Values, inner, inner_here, is_host, multiply};
pub use source::WeightsError;
pub use stored::Stored;
pub use tape::{Pull, Tap, Tape, View};
pub use taps::{Signal, Taps};

use burn::tensor::{Tensor, activation};

use crate::spec::{Activation, LEAK};

fn activate<const D: usize>(kind: Activation, z: Tensor<D>) -> Tensor<D> {
    match kind {
        Activation::Relu => activation::relu(z),
        Activation::LeakyRelu => activation::leaky_relu(z, LEAK),
        Activation::Tanh => activation::tanh(z),
        // The exact one, with erf, as PyTorch's default; the tanh approximation is another network. burn's own has the exact
        // derivative on the processor only, and elsewhere that of the approximation, which is 1e-3 off.
        Activation::Gelu if is_host(&z.device()) => activation::gelu(z),
        Activation::Gelu => z.clone() * ((z * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5,
        Activation::GeluTanh => {
            let inner = (z.clone().powi_scalar(3) * 0.044_715 + z.clone()) * (2.0 / std::f64::consts::PI).sqrt();
            z * (inner.tanh() + 1.0) * 0.5
        }
        Activation::Silu => z.clone() * activation::sigmoid(z),
        Activation::Sigmoid => activation::sigmoid(z),
        Activation::Erf => z.erf(),
        Activation::Sin => z.sin(),
        Activation::Cos => z.cos(),
        Activation::Abs => z.abs(),
        Activation::Exp => z.exp(),
        Activation::Softplus => activation::softplus(z, 1.0),
        Activation::Square => z.clone() * z,
        Activation::Identity => z,
    }
}
