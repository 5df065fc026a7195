//! Layer normalisation over the last axis: z = γ ∘ (x − mean)/√(variance + ε) + β, biased variance, ε = 1e-5 as in PyTorch.
//!
//! In the NTK parametrisation γ = 1 and β = 0 are frozen and no part of the kernel, as in the infinite-width theory.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::Cotangent;
use crate::model::source::{Fill, Source, WeightsError};
use crate::model::tape::{Backward, Tap, View};

const EPSILON: f64 = 1e-5;

/// One normalisation.
#[derive(Module, Debug)]
pub struct Norm {
    /// Shape `[features]`.
    pub weight: Param<Tensor<1>>,
    /// Shape `[features]`; none in some files.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    frozen: bool,
}

impl Norm {
    /// The layer `name` with the values that `source` has for it.
    pub fn build(name: &str, features: usize, source: &mut dyn Source, device: &Device) -> Result<Self, WeightsError> {
        let weight = source.tensor(&format!("{name}.weight"), &[features], Fill::Constant(1))?;
        let bias = source.optional(&format!("{name}.bias"), &[features], Fill::Constant(0))?;
        let param = |values| Param::from_tensor(Tensor::<1>::from_data(TensorData::new(values, [features]), device));
        let (weight, bias) = (param(weight), bias.map(param));
        let frozen = source.is_ntk();
        let norm = Self { weight, bias, frozen };
        Ok(if frozen { norm.freeze() } else { norm })
    }

    /// […, features] → […, features].
    pub fn apply<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let (normalised, _) = normalise(input);
        let scaled = normalised * self.weight.val().unsqueeze::<D>();
        match &self.bias {
            Some(bias) => scaled + bias.val().unsqueeze::<D>(),
            None => scaled,
        }
    }

    /// 1/√(variance + ε) of each place, […, 1]: 0 where the squares of a place overflow.
    pub fn inverse<const D: usize>(input: Tensor<D>) -> Tensor<D> {
        normalise(input).1
    }

    pub(in crate::model) fn on_tape<const D: usize>(
        &self,
        name: &str,
        input: Tensor<D>,
    ) -> (Box<dyn Backward>, Option<Tap>) {
        let shape = input.dims();
        let (n, features) = (shape[0], shape[D - 1]);
        let positions = shape[1..D - 1].iter().product();
        let (normalised, inverse) = normalise(input.reshape([n, positions, features]));
        let way_back = NormBackward { normalised: normalised.clone(), inverse, weight: self.weight.val() };
        let tap = (!self.frozen).then(|| Tap::usual(name, self.bias.is_some(), View::Norm { normalised }));
        (Box::new(way_back), tap)
    }
}

/// x̂ and 1/√(variance + ε).
fn normalise<const D: usize>(input: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let centred = input.clone() - input.mean_dim(D - 1);
    let variance = centred.clone().powi_scalar(2).mean_dim(D - 1);
    let inverse = (variance + EPSILON).sqrt().recip();
    (centred * inverse.clone(), inverse)
}

/// With g = γ ∘ δ: δ ↦ (g − mean g − x̂ mean(g ∘ x̂)) / √(variance + ε).
struct NormBackward {
    /// [n, positions, features].
    normalised: Tensor<3>,
    /// [n, positions, 1].
    inverse: Tensor<3>,
    weight: Tensor<1>,
}

impl Backward for NormBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let [_, positions, features] = self.normalised.dims();
        let dense = cotangent.dense(n);
        let [_, directions, _] = dense.dims();
        let scaled = dense.reshape([n, directions, positions, features]) * self.weight.clone().unsqueeze::<4>();
        let normalised = self.normalised.clone().unsqueeze_dim::<4>(1);
        let along = (scaled.clone() * normalised.clone()).mean_dim(3) * normalised;
        let pulled = (scaled.clone() - scaled.mean_dim(3) - along) * self.inverse.clone().unsqueeze_dim::<4>(1);
        vec![Cotangent::Dense(pulled.reshape([n, directions, positions * features]))]
    }
}
