//! The layer z = c_w x W + c_b b, with which every parametrisation is written.
//!
//! Standard parametrisation: c_w = c_b = 1. NTK parametrisation: c_w = σ_w/√fan_in, c_b = σ_b (Jacot et al. 2018).
//! The kernel is with respect to W and b as stored, so the gains enter it squared.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::Cotangent;
use crate::model::product::times;
use crate::model::source::{Fill, Source, WeightsError};
use crate::model::tape::{Backward, Tap, View};

/// One affine layer, on the last axis of its input.
#[derive(Module, Debug)]
pub struct Affine {
    /// [fan_in, fan_out]; files hold its transpose, as PyTorch does.
    pub weight: Param<Tensor<2>>,
    /// Shape `[fan_out]`; none in some files.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    weight_gain: f64,
    #[module(skip)]
    bias_gain: f64,
}

impl Affine {
    /// The layer `name` with the values that `source` has for it.
    pub fn build(
        name: &str,
        [fan_in, fan_out]: [usize; 2],
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        Self::named([&format!("{name}.weight"), &format!("{name}.bias")], [fan_in, fan_out], source, device)
    }

    /// The layer whose weight and bias have these names.
    pub fn named(
        [weight, bias]: [&str; 2],
        [fan_in, fan_out]: [usize; 2],
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let weight = source.matrix(weight, fan_in, fan_out)?;
        let bias = source.optional(bias, &[fan_out], Fill::Bias { fan_in })?;
        let weight = Tensor::from_data(TensorData::new(weight, [fan_in, fan_out]), device);
        let bias = bias.map(|bias| Param::from_tensor(Tensor::from_data(TensorData::new(bias, [fan_out]), device)));
        let (weight_gain, bias_gain) = source.gains(fan_in);
        Ok(Self { weight: Param::from_tensor(weight), bias, weight_gain, bias_gain })
    }

    /// z = c_w x W + c_b b, […, fan_in] → […, fan_out].
    pub fn apply<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let mut shape = input.dims();
        let fan_in = shape[D - 1];
        let weight = self.weight.val();
        let rows = shape[..D - 1].iter().product();
        shape[D - 1] = weight.dims()[1];
        // The gain goes onto the smaller side: the rows' output, not the weights.
        let input = input.reshape([rows, fan_in]);
        let product = scaled(input, weight, self.weight_gain);
        let Some(bias) = &self.bias else { return product.reshape(shape) };
        let bias = bias.val().unsqueeze::<2>();
        let output = product + if self.bias_gain == 1.0 { bias } else { bias * self.bias_gain };
        output.reshape(shape)
    }

    pub(in crate::model) fn on_tape<const D: usize>(
        &self,
        name: &str,
        input: Tensor<D>,
    ) -> (Box<dyn Backward>, Option<Tap>) {
        let shape = input.dims();
        let (n, fan_in) = (shape[0], shape[D - 1]);
        let positions = shape[1..D - 1].iter().product();
        let input = input.reshape([n, positions, fan_in]);
        let (weight_gain, bias_gain) = (self.weight_gain, self.bias_gain);
        let view =
            View::Affine { input, fan_out: self.weight.val().dims()[1], channels_first: false, weight_gain, bias_gain };
        let way_back = AffineBackward { weight: self.weight.val(), weight_gain, positions };
        (Box::new(way_back), Some(Tap::usual(name, self.bias.is_some(), view)))
    }
}

/// gain · x W, with autodiff where one of them has it.
pub(super) fn scaled(input: Tensor<2>, weight: Tensor<2>, gain: f64) -> Tensor<2> {
    if !input.is_autodiff() && !weight.is_autodiff() {
        return times(input, weight, false, gain);
    }
    let product = input.matmul(weight);
    if gain == 1.0 { product } else { product * gain }
}

/// δ ↦ c_w δ Wᵀ.
struct AffineBackward {
    weight: Tensor<2>,
    weight_gain: f64,
    positions: usize,
}

impl AffineBackward {
    /// Of rows that are [positions, fan_out] each.
    fn rows(&self, cotangent: Tensor<2>) -> Tensor<2> {
        let [fan_in, fan_out] = self.weight.dims();
        let [rows, _] = cotangent.dims();
        let flat = cotangent.reshape([rows * self.positions, fan_out]);
        times(flat, self.weight.clone(), true, self.weight_gain).reshape([rows, self.positions * fan_in])
    }
}

impl Backward for AffineBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![match cotangent {
            Cotangent::Shared(direction) => Cotangent::Shared(self.rows(direction)),
            other => {
                let dense = other.dense(n);
                let [_, directions, f] = dense.dims();
                let pulled = self.rows(dense.reshape([n * directions, f]));
                let [_, f] = pulled.dims();
                Cotangent::Dense(pulled.reshape([n, directions, f]))
            }
        }]
    }
}
