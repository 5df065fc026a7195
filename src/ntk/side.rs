//! Computes one side of ⟨∂f_c(x)/∂w, ∂f_d(x′)/∂w⟩, layer by layer, in the form with the cheapest products.

use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};
use faer::MatRef;

use super::Preconditioner;
use super::affine::{Gains, turned};
use super::rows::Rows;
use super::weighted::{Weighted, WeightedTensors};
use crate::model::{Cotangent, LayerRecord, ParameterUse, Values, multiply};
use crate::spec::Contraction;

/// The contribution of a layer's parameters, for the samples and directions of one block.
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time; a box would only be one more step to follow")]
pub(super) enum LayerSide {
    /// ⟨δ, δ′⟩ · (c_w² ⟨a, a′⟩ + c_b²), which is exact where the layer acts at one place: no gradient is formed.
    Products { activations: Rows, cotangents: Cotangents, gains: Gains },
    /// ⟨g, g′⟩ with the gradients themselves: [n · C, entries of the tensor], sample-major, one for each tensor.
    Gradients(Vec<Option<Rows>>),
    /// Σ_{p,p′} ⟨δ_p, δ′_p′⟩ · (c_w² ⟨a_p, a′_p′⟩ + c_b²): all pairs of places, for layers too wide for their gradients.
    Places(PlaceData, Gains),
    /// Σ_i ⟨δ_i, δ′_i⟩ · (c_w² Σ_j P_ij a_j a′_j + c_b² p_i): with a preconditioner, where the layer acts at one place.
    Weighted(Weighted),
    /// The same before it is read from its device.
    WeightedOnDevice(Rc<WeightedTensors>),
}

/// The data of a layer that acts at several places of each sample.
pub(super) struct PlaceData {
    /// Number of places of a sample.
    pub count: usize,
    /// [n · places, fan_in].
    pub activations: Rows,
    /// For each direction: [n · places, fan_out].
    pub cotangents: Vec<Rows>,
}

/// The cotangents of a block in the structure that the backward pass gave them.
pub(super) enum Cotangents {
    /// Rows [C, f]: the cotangent is the same for all samples.
    Shared(Rows),
    /// Rows [n, f] whose products are already those of all directions together.
    Summed(Rows),
    /// Rows [n · C, f], sample-major.
    Apart(Rows),
}

impl LayerSide {
    /// Returns the side of one tap. `apart`: products of pairs of directions are needed, not only their sum over equal
    /// ones. `wanted`: the tensors of the tap to include. `preconditioner`: the weights of their entries, if any.
    pub fn new(
        tap: &LayerRecord,
        cotangent: Cotangent,
        n: usize,
        (contraction, apart): (Contraction, bool),
        included: &[bool],
        preconditioner: Option<&Preconditioner>,
    ) -> Self {
        let root = |place: usize| preconditioner.filter(|_| included[place]).map(|p| p.root(&tap.tensors[place]));
        let plain = match &tap.view {
            ParameterUse::Affine { input, channels_first, transposed, weight_gain, bias_gain, .. } => {
                let gains = Gains { weight: weight_gain.powi(2), bias: bias_gain.powi(2) };
                let groups = input.groups();
                let input = input.rows();
                match contraction {
                    Contraction::Products => {
                        let [_, a, b] = input.dims();
                        let cotangents = Cotangents::new(cotangent, n, apart);
                        Self::Products { activations: Rows::new(input.reshape([n, a * b])), cotangents, gains }
                    }
                    Contraction::Gradients => {
                        let has_bias = included.get(1).is_some_and(|wanted| *wanted);
                        let (weight, bias) = (included[0].then_some(*weight_gain), has_bias.then_some(*bias_gain));
                        gradients((input, groups), cotangent, *channels_first, *transposed, weight, bias)
                    }
                    Contraction::Places => Self::Places(at_places(input, cotangent, *channels_first), gains),
                    Contraction::Weighted => {
                        let [_, a, b] = input.dims();
                        let roots = [root(0), if included.len() > 1 { root(1) } else { None }];
                        let on_host = cotangent.is_host();
                        let side = WeightedTensors::new(input.reshape([n, a * b]), cotangent, roots, gains);
                        let on_device = |side| Self::WeightedOnDevice(Rc::new(side));
                        return if on_host { Self::Weighted(side.on_host()) } else { on_device(side) };
                    }
                }
            }
            ParameterUse::Gain { values, channels_first, frozen } => {
                let [_, first, second] = values.dims();
                let dense = cotangent.dense(n);
                let [_, directions, _] = dense.dims();
                let dense = dense.reshape([n, directions, first, second]);
                let (features, over) = if *channels_first { (first, 3) } else { (second, 2) };
                let sum = |each: Tensor<4>| Some(Rows::new(each.sum_dim(over).reshape([n * directions, features])));
                let along = || dense.clone() * values.clone().unsqueeze_dim::<4>(1);
                let weight = included[0].then(along);
                let bias = |place: usize| included.get(place).is_some_and(|wanted| *wanted).then(|| dense.clone());
                let each = if *frozen { vec![bias(0)] } else { vec![weight, bias(1)] };
                Self::Gradients(each.into_iter().map(|each| each.and_then(sum)).collect())
            }
            ParameterUse::Offset { entries, gain } => {
                let dense = cotangent.dense(n).narrow(2, entries.start, entries.len());
                let [n, directions, f] = dense.dims();
                let dense = dense.reshape([n * directions, f]);
                Self::Gradients(vec![Some(Rows::new(if *gain == 1.0 { dense } else { dense * *gain }))])
            }
        };
        match plain {
            Self::Gradients(rows) if preconditioner.is_some() => {
                let turn = |place: usize| match &tap.view {
                    // Their gradients are stored as [fan_out, fan_in], the weights of an affine layer as [fan_in, fan_out].
                    ParameterUse::Affine { input, fan_out, channels_first: false, transposed: false, .. }
                        if place == 0 =>
                    {
                        let ([_, _, fan_in], fan_out) = (input.dims(), *fan_out);
                        root(0).map(|root| turned(root, fan_in, fan_out))
                    }
                    // Likewise if another line reads the transpose.
                    ParameterUse::Affine { input, fan_out, transposed: true, .. } if place == 0 => {
                        let ([_, _, fan_in], fan_out) = (input.dims(), *fan_out);
                        root(0).map(|root| turned(root, fan_out, fan_in))
                    }
                    _ => root(place).map(<[f32]>::to_vec),
                };
                let scaled = |(place, rows): (usize, Option<Rows>)| Some(rows?.scaled(&turn(place)?));
                Self::Gradients(rows.into_iter().enumerate().map(scaled).collect())
            }
            plain => plain,
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

/// Computes Σ_p δ_p ⊗ a_p and Σ_p δ_p, times the gains of those that are included; the first as [fan_out, fan_in], or if
/// `transposed` as [fan_in, fan_out].
fn gradients(
    (input, groups): (Tensor<3>, usize),
    cotangent: Cotangent,
    channels_first: bool,
    transposed: bool,
    weight: Option<f64>,
    bias: Option<f64>,
) -> LayerSide {
    let [n, places, all] = input.dims();
    // Number of inputs of one output.
    let fan_in = all / groups;
    let (directions, f) = cotangent.dims();
    let fan_out = f / places;
    let (weights, biases) = ([n * directions, fan_out * fan_in], [n * directions, fan_out]);
    let scaled = |rows: Tensor<2>, gain: f64| Rows::new(if gain == 1.0 { rows } else { rows * gain });
    let turn = |rows: Tensor<2>| {
        if !transposed {
            return rows;
        }
        rows.reshape([n * directions, fan_out, fan_in]).swap_dims(1, 2).reshape([n * directions, fan_in * fan_out])
    };
    if cotangent.is_host() {
        let device = input.device();
        let rows = |made: Vec<f32>, shape| Tensor::<2>::from_data(TensorData::new(made, shape), &device);
        let input = Values::of(input);
        let on_host = OnHost { n, places, fan_in, groups, fan_out, directions, channels_first, input: input.slice() };
        let bias = bias.map(|gain| scaled(rows(on_host.sums(cotangent.clone()), biases), gain));
        let weight = weight.map(|gain| scaled(turn(rows(on_host.products(cotangent), weights)), gain));
        return LayerSide::Gradients(vec![weight, bias]);
    }
    let dense = cotangent.dense(n);
    let (products, sums) = if channels_first {
        let outputs = fan_out / groups;
        let rows = dense.reshape([n, directions, groups, outputs, places]);
        let products = |gain: f64| {
            let of = |group: usize| {
                let rows = rows.clone().narrow(2, group, 1).reshape([n, directions * outputs, places]);
                let inputs = input.clone().narrow(2, group * fan_in, fan_in);
                rows.matmul(inputs).reshape([n, directions, 1, outputs * fan_in])
            };
            (Tensor::cat((0..groups).map(of).collect(), 2).reshape(weights), gain)
        };
        (weight.map(products), rows.clone().sum_dim(4).reshape(biases))
    } else {
        let rows = dense.reshape([n, directions, places, fan_out]);
        let across = || rows.clone().swap_dims(2, 3).matmul(input.clone().unsqueeze_dim::<4>(1));
        (weight.map(|gain| (turn(across().reshape(weights)), gain)), rows.clone().sum_dim(2).reshape(biases))
    };
    let bias = bias.map(|gain| scaled(sums, gain));
    LayerSide::Gradients(vec![products.map(|(products, gain)| scaled(products, gain)), bias])
}

/// Gradients in host memory, computed sample by sample and on all threads.
struct OnHost<'a> {
    n: usize,
    places: usize,
    /// Number of inputs of one output, which reads only one group.
    fan_in: usize,
    groups: usize,
    fan_out: usize,
    directions: usize,
    channels_first: bool,
    /// [n, places, groups · fan_in].
    input: &'a [f32],
}

impl OnHost<'_> {
    /// Computes Σ_p δ_p ⊗ a_p: [n, directions, fan_out, fan_in].
    fn products(&self, cotangent: Cotangent) -> Vec<f32> {
        let Self { places, fan_in, groups, fan_out, directions, .. } = *self;
        let length = fan_out * fan_in;
        let input = |sample: usize| &self.input[sample * places * groups * fan_in..][..places * groups * fan_in];
        match cotangent {
            dense if groups > 1 => {
                let outputs = fan_out / groups;
                dense.map_samples(
                    self.n,
                    directions * length,
                    || (),
                    |(), sample, dense, out| {
                        let input = MatRef::from_row_major_slice(input(sample), places, groups * fan_in);
                        let pieces = dense.chunks_exact(outputs * places).zip(out.chunks_exact_mut(outputs * fan_in));
                        for (piece, (dense, out)) in pieces.enumerate() {
                            let dense = MatRef::from_row_major_slice(dense, outputs, places);
                            let inputs = input.subcols(piece % groups * fan_in, fan_in);
                            multiply((out, fan_in, 0), dense, inputs, false);
                        }
                    },
                )
            }
            Cotangent::Sparse { at, values } if self.channels_first => {
                // Behind max pooling, a channel's places are the same for all directions: its gradients are the product of
                // the few values there and the few activations there.
                let kept = at.index.len() / (self.n * fan_out);
                let gather = || Vec::with_capacity(kept * fan_in);
                values.map_samples(self.n, directions * length, gather, |gathered, sample, values, out| {
                    let input = input(sample);
                    let values = MatRef::from_row_major_slice(values, directions, fan_out * kept);
                    let index = at.index[sample * fan_out * kept..].chunks_exact(kept).take(fan_out);
                    for (channel, index) in index.enumerate() {
                        gathered.clear();
                        for &place in index {
                            let place = place as usize - channel * places;
                            gathered.extend_from_slice(&input[place * fan_in..][..fan_in]);
                        }
                        let gathered = MatRef::from_row_major_slice(gathered, kept, fan_in);
                        let values = values.subcols(channel * kept, kept);
                        multiply((&mut *out, length, channel * fan_in), values, gathered, false);
                    }
                })
            }
            dense => dense.map_samples(
                self.n,
                directions * length,
                || (),
                |(), sample, dense, out| {
                    let input = MatRef::from_row_major_slice(input(sample), places, fan_in);
                    if self.channels_first {
                        let dense = MatRef::from_row_major_slice(dense, directions * fan_out, places);
                        multiply((out, fan_in, 0), dense, input, false);
                    } else {
                        for (dense, out) in dense.chunks_exact(places * fan_out).zip(out.chunks_exact_mut(length)) {
                            let dense = MatRef::from_row_major_slice(dense, places, fan_out);
                            multiply((out, fan_in, 0), dense.transpose(), input, false);
                        }
                    }
                },
            ),
        }
    }

    /// Computes Σ_p δ_p: [n, directions, fan_out].
    fn sums(&self, cotangent: Cotangent) -> Vec<f32> {
        let Self { places, fan_out, directions, .. } = *self;
        let length = directions * fan_out;
        // The sum over a channel of a sparse cotangent is the sum of its values, whatever their places.
        let (values, places) = match cotangent {
            Cotangent::Sparse { at, values } if self.channels_first => (*values, at.index.len() / (self.n * fan_out)),
            dense => (dense, places),
        };
        let ones = vec![1.0f32; places];
        values.map_samples(
            self.n,
            length,
            || (),
            |(), _, values, out| {
                if self.channels_first {
                    let values = MatRef::from_row_major_slice(values, length, places);
                    multiply((out, 1, 0), values, MatRef::from_row_major_slice(&ones, places, 1), false);
                } else {
                    for (values, out) in values.chunks_exact(places * fan_out).zip(out.chunks_exact_mut(fan_out)) {
                        let values = MatRef::from_row_major_slice(values, places, fan_out);
                        multiply((out, fan_out, 0), MatRef::from_row_major_slice(&ones, 1, places), values, false);
                    }
                }
            },
        )
    }
}

/// Returns activations and cotangents as rows, place by place.
fn at_places(input: Tensor<3>, cotangent: Cotangent, channels_first: bool) -> PlaceData {
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
    PlaceData { count: places, activations: Rows::new(input.reshape([n * places, fan_in])), cotangents }
}
