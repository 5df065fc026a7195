//! One sample's side of ⟨∂f_c(x)/∂w, ∂f_d(x′)/∂w⟩, layer by layer, in the form in which its products are cheapest.

use burn::tensor::{Tensor, TensorData};
use faer::MatRef;

use super::rows::Rows;
use crate::model::{Cotangent, Tap, Values, View, multiply};
use crate::spec::Contraction;

/// What a layer's parameters contribute, for the samples and directions of one block.
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time; a box would only be one more step to follow")]
pub(super) enum Side {
    /// ⟨δ, δ′⟩ · (c_w² ⟨a, a′⟩ + c_b²), which is exact where the layer acts at one place: no gradient is formed.
    Products { activations: Rows, cotangents: Cotangents, gains: Gains },
    /// ⟨g, g′⟩ with the gradients themselves: [n · C, entries of the tensor], sample-major, one for each tensor.
    Gradients(Vec<Option<Rows>>),
    /// Σ_{p,p′} ⟨δ_p, δ′_p′⟩ · (c_w² ⟨a_p, a′_p′⟩ + c_b²): all pairs of places, for layers too wide for their gradients.
    Places(Places, Gains),
}

/// A layer that acts at several places of each sample.
pub(super) struct Places {
    /// Places of a sample.
    pub count: usize,
    /// [n · places, fan_in].
    pub activations: Rows,
    /// Of each direction: [n · places, fan_out].
    pub cotangents: Vec<Rows>,
}

/// c_w² and c_b².
#[derive(Clone, Copy, Debug)]
pub(super) struct Gains {
    pub weight: f64,
    pub bias: f64,
}

/// The cotangents of a block in the form that the network left them in.
pub(super) enum Cotangents {
    /// Rows [C, f]: the cotangent is the same for all samples.
    Shared(Rows),
    /// Rows [n, f] whose products are already those of all directions together.
    Summed(Rows),
    /// Rows [n · C, f], sample-major.
    Apart(Rows),
}

impl Side {
    /// The side of one tap. `apart`: products of pairs of directions are wanted, not only their sum over equal ones.
    /// `wanted`: which of the tap's tensors.
    pub fn new(
        tap: &Tap,
        cotangent: Cotangent,
        n: usize,
        contraction: Contraction,
        apart: bool,
        wanted: &[bool],
    ) -> Self {
        match &tap.view {
            View::Affine { input, channels_first, weight_gain, bias_gain, .. } => {
                let gains = Gains { weight: weight_gain.powi(2), bias: bias_gain.powi(2) };
                let input = input.clone();
                match contraction {
                    Contraction::Products => {
                        let [_, a, b] = input.dims();
                        let cotangents = Cotangents::new(cotangent, n, apart);
                        Self::Products { activations: Rows::new(input.reshape([n, a * b])), cotangents, gains }
                    }
                    Contraction::Gradients => {
                        let (weight, bias) = (wanted[0].then_some(*weight_gain), wanted[1].then_some(*bias_gain));
                        gradients(input, cotangent, *channels_first, weight, bias)
                    }
                    Contraction::Places => Self::Places(at_places(input, cotangent, *channels_first), gains),
                }
            }
            View::Norm { normalised } => {
                let [_, places, features] = normalised.dims();
                let dense = cotangent.dense(n);
                let [_, directions, _] = dense.dims();
                let dense = dense.reshape([n, directions, places, features]);
                let sum = |each: Tensor<4>| Some(Rows::new(each.sum_dim(2).reshape([n * directions, features])));
                let along = || dense.clone() * normalised.clone().unsqueeze_dim::<4>(1);
                let weight = wanted[0].then(along).and_then(sum);
                Self::Gradients(vec![weight, wanted[1].then(|| dense.clone()).and_then(sum)])
            }
            View::Offset { gain, .. } => {
                let dense = cotangent.dense(n);
                let [n, directions, f] = dense.dims();
                let dense = dense.reshape([n * directions, f]);
                Self::Gradients(vec![Some(Rows::new(if *gain == 1.0 { dense } else { dense * *gain }))])
            }
        }
    }
}

impl Cotangents {
    fn new(cotangent: Cotangent, n: usize, apart: bool) -> Self {
        match cotangent {
            Cotangent::Shared(direction) => Self::Shared(Rows::new(direction)),
            // Σ_c ⟨s ∘ v_c, s′ ∘ v_c⟩ = ⟨s ∘ r, s′ ∘ r⟩ with r = √Σ_c v_c²: one product instead of C.
            Cotangent::Factored { sample, direction } if !apart => {
                let together = direction.powi_scalar(2).sum_dim(0).sqrt();
                Self::Summed(Rows::new(sample * together))
            }
            other => {
                let dense = other.dense(n);
                let [n, directions, f] = dense.dims();
                if apart {
                    Self::Apart(Rows::new(dense.reshape([n * directions, f])))
                } else {
                    Self::Summed(Rows::new(dense.reshape([n, directions * f])))
                }
            }
        }
    }
}

/// Σ_p δ_p ⊗ a_p and Σ_p δ_p, times the gains of those that are wanted.
fn gradients(
    input: Tensor<3>,
    cotangent: Cotangent,
    channels_first: bool,
    weight: Option<f64>,
    bias: Option<f64>,
) -> Side {
    let [n, places, fan_in] = input.dims();
    let (directions, f) = cotangent.dims();
    let fan_out = f / places;
    let (weights, biases) = ([n * directions, fan_out * fan_in], [n * directions, fan_out]);
    let scaled = |rows: Tensor<2>, gain: f64| Rows::new(if gain == 1.0 { rows } else { rows * gain });
    if cotangent.is_host() {
        let device = input.device();
        let rows = |made: Vec<f32>, shape| Tensor::<2>::from_data(TensorData::new(made, shape), &device);
        let bias = bias.map(|gain| {
            let sum =
                |_: usize, dense: &[f32], out: &mut [f32]| add_places(dense, [places, fan_out], channels_first, out);
            scaled(rows(cotangent.clone().map_samples(n, directions * fan_out, sum), biases), gain)
        });
        let weight = weight.map(|gain| {
            let input = Values::of(input);
            let make = |sample: usize, dense: &[f32], out: &mut [f32]| {
                let input = &input.slice()[sample * places * fan_in..][..places * fan_in];
                let input = MatRef::from_row_major_slice(input, places, fan_in);
                if channels_first {
                    let dense = MatRef::from_row_major_slice(dense, directions * fan_out, places);
                    multiply(out, fan_in, dense, input, false);
                } else {
                    for (dense, out) in dense.chunks_exact(f).zip(out.chunks_exact_mut(fan_out * fan_in)) {
                        let dense = MatRef::from_row_major_slice(dense, places, fan_out);
                        multiply(out, fan_in, dense.transpose(), input, false);
                    }
                }
            };
            scaled(rows(cotangent.map_samples(n, directions * fan_out * fan_in, make), weights), gain)
        });
        return Side::Gradients(vec![weight, bias]);
    }
    let dense = cotangent.dense(n);
    let (products, sums) = if channels_first {
        let rows = dense.reshape([n, directions * fan_out, places]);
        (weight.map(|gain| (rows.clone().matmul(input).reshape(weights), gain)), rows.sum_dim(2).reshape(biases))
    } else {
        let rows = dense.reshape([n, directions, places, fan_out]);
        let across = || rows.clone().swap_dims(2, 3).matmul(input.unsqueeze_dim::<4>(1));
        (weight.map(|gain| (across().reshape(weights), gain)), rows.clone().sum_dim(2).reshape(biases))
    };
    let bias = bias.map(|gain| scaled(sums, gain));
    Side::Gradients(vec![products.map(|(products, gain)| scaled(products, gain)), bias])
}

/// Sums one sample's rows [directions, fan_out, places], or [directions, places, fan_out], over places.
fn add_places(dense: &[f32], [places, fan_out]: [usize; 2], channels_first: bool, out: &mut [f32]) {
    if channels_first {
        for (sum, row) in out.iter_mut().zip(dense.chunks_exact(places)) {
            *sum = row.iter().sum();
        }
    } else {
        for (sums, rows) in out.chunks_exact_mut(fan_out).zip(dense.chunks_exact(places * fan_out)) {
            sums.fill(0.0);
            for row in rows.chunks_exact(fan_out) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

/// Activations and cotangents as rows, place by place.
fn at_places(input: Tensor<3>, cotangent: Cotangent, channels_first: bool) -> Places {
    let [n, places, fan_in] = input.dims();
    let dense = cotangent.dense(n);
    let [_, directions, f] = dense.dims();
    let fan_out = f / places;
    let dense = if channels_first {
        dense.reshape([n, directions, fan_out, places]).swap_dims(2, 3)
    } else {
        dense.reshape([n, directions, places, fan_out])
    };
    let of = |direction| Rows::new(dense.clone().narrow(1, direction, 1).reshape([n * places, fan_out]));
    let cotangents = (0..directions).map(of).collect();
    Places { count: places, activations: Rows::new(input.reshape([n * places, fan_in])), cotangents }
}
