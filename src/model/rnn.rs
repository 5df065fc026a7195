//! The vanilla recurrent network over the rows of an image, from the top: h_t = φ(W_h h_{t−1} + W_x x_t + b), h_0 = 0, and the
//! logits are `head` of the last state. x_t is row t of every channel, [channels · width].

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::layers::{Affine, Recurrence};
use super::source::{Source, WeightsError};
use super::{Signal, Stored, Taps};
use crate::spec::Activation;

/// A recurrent network.
#[derive(Module, Debug)]
pub struct Rnn {
    rnn: Cell,
    head: Affine,
    #[module(skip)]
    activation: Activation,
    /// Channels, height, width.
    #[module(skip)]
    image: [usize; 3],
}

/// `rnn.weight_ih`, `rnn.bias_ih` and `rnn.weight_hh`: one bias, where PyTorch has two that are only ever added; `rnn.bias_hh` too
/// where a file has it, because the kernel sums over both.
#[derive(Module, Debug)]
struct Cell {
    ih: Affine,
    hh: Recurrence,
}

impl Rnn {
    /// A network of so many units, for images of this shape.
    pub fn build(
        image: [usize; 3],
        [width, classes]: [usize; 2],
        activation: Activation,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let inputs = image[0] * image[2];
        let ih = Affine::named(["rnn.weight_ih", "rnn.bias_ih"], [inputs, width], source, device)?;
        let hh = Recurrence::named(["rnn.weight_hh", "rnn.bias_hh"], width, source, device)?;
        let head = Affine::build("head", [width, classes], source, device)?;
        Ok(Self { rnn: Cell { ih, hh }, head, activation, image })
    }

    /// The network in a weights file, for images of this shape; the sizes are read from the shapes.
    pub fn load(
        image: [usize; 3],
        activation: Activation,
        stored: &mut Stored<'_>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let found @ [width, inputs] = stored.shape("rnn.weight_ih")?;
        if image[1] == 0 || image[0].checked_mul(image[2]) != Some(inputs) {
            let inputs = format!("{}×{}×{}, row by row", image[0], image[1], image[2]);
            return Err(WeightsError::Inputs { name: stored.name_of("rnn.weight_ih"), found: found.to_vec(), inputs });
        }
        let [classes, _] = stored.shape("head.weight")?;
        Self::build(image, [width, classes], activation, stored, device)
    }

    pub(super) fn forward(&self, images: Tensor<2>, taps: &mut Taps) -> Signal<2> {
        let [n, _] = images.dims();
        let [channels, height, width] = self.image;
        let images = images.reshape([n, channels, height, width]);
        let rows = taps.input(images.swap_dims(1, 2).reshape([n, height, channels * width]));
        let rows = taps.into_recurrence("rnn", &self.rnn.ih, rows);
        let last = taps.recurrence("rnn", &self.rnn.hh, rows, self.activation);
        taps.affine("head", &self.head, last)
    }
}
