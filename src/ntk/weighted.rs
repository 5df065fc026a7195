//! Computes the part of a layer in J P Jᵀ where it acts at one place of a sample, without forming a gradient:
//!
//! ```text
//! Σ_i ⟨δ_i(x), δ_i(x′)⟩ · (c_w² Σ_j P_ij a_j(x) a_j(x′) + c_b² p_i)
//! ```
//!
//! δ_i runs over the directions; P belongs to the weights and p to the biases. Each output i has its own activation Gram, which
//! all directions share: C times less work than with the gradients. It runs in host memory, since each of these products is
//! small; what is on a graphics card is read first.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::affine::{Gains, turned};
use crate::model::{Cotangent, Values, inner_here};

/// Largest number of pieces of a layer's outputs that are summed in parallel, and of entries of their sums together (64
/// MiB).
const MOST_PIECES: usize = 16;
const MOST_ENTRIES: usize = 1 << 23;

/// One side of such a layer, as tensors of its device.
pub(super) struct WeightedTensors {
    /// [n, fan_in].
    input: Tensor<2>,
    /// [n, directions, fan_out].
    cotangents: Tensor<3>,
    /// √P of the weights, [fan_out, fan_in], and of the biases, `[fan_out]`, if included.
    weight: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    gains: Gains,
}

impl WeightedTensors {
    /// Creates a side. `input` is [n, fan_in]; the roots are laid out as the network stores its tensors, [fan_in, fan_out]
    /// and `[fan_out]`.
    pub fn new(input: Tensor<2>, cotangent: Cotangent, [weight, bias]: [Option<&[f32]>; 2], gains: Gains) -> Self {
        let [n, fan_in] = input.dims();
        let cotangents = cotangent.dense(n);
        let [_, _, fan_out] = cotangents.dims();
        let weight = weight.map(|root| turned(root, fan_in, fan_out));
        Self { input, cotangents, weight, bias: bias.map(<[f32]>::to_vec), gains }
    }

    /// Returns its values as matrices: input and cotangents.
    pub fn matrices(&self) -> [Tensor<2>; 2] {
        let [n, directions, fan_out] = self.cotangents.dims();
        [self.input.clone(), self.cotangents.clone().reshape([n * directions, fan_out])]
    }

    /// Returns the side with the numbers of [`Self::matrices`], which were read.
    pub fn with(&self, input: &[f32], cotangents: &[f32]) -> Weighted {
        let input = TensorData::new(input.to_vec(), self.input.dims());
        Weighted::new(self, Values::of(Tensor::<2>::from_data(input, &Device::flex())), cotangents)
    }

    /// Returns the side in host memory, of tensors that are there.
    pub fn on_host(&self) -> Weighted {
        let cotangents = Values::of(self.cotangents.clone());
        Weighted::new(self, Values::of(self.input.clone()), cotangents.slice())
    }
}

/// One side of such a layer in host memory.
pub(super) struct Weighted {
    n: usize,
    directions: usize,
    fan_in: usize,
    /// [n, fan_in].
    activations: Values,
    /// [fan_out, directions, n].
    cotangents: Vec<f32>,
    /// As those of [`WeightedTensors`].
    weight: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    gains: Gains,
}

impl Weighted {
    /// Creates a side from the numbers of its activations, and of its cotangents in the order of the tensor.
    fn new(of: &WeightedTensors, activations: Values, dense: &[f32]) -> Self {
        let ([n, directions, fan_out], [_, fan_in]) = (of.cotangents.dims(), of.input.dims());
        let at = |at: usize| {
            let (output, direction, sample) = (at / (n * directions), at / n % directions, at % n);
            dense[(sample * directions + direction) * fan_out + output]
        };
        Self {
            n,
            directions,
            fan_in,
            activations,
            cotangents: (0..n * directions * fan_out).map(at).collect(),
            weight: of.weight.clone(),
            bias: of.bias.clone(),
            gains: of.gains,
        }
    }

    /// Adds the layer's contribution with another side: that of its weights to the first sum in `into`, that of its biases
    /// to the second. If `same`, the other side is this one, and entries above the diagonal are unspecified.
    pub fn add(&self, other: &Self, same: bool, sums: &mut [Vec<f64>], into: [Option<usize>; 2]) {
        let entries = self.n * other.n;
        let fan_out = self.cotangents.len() / (self.n * self.directions);
        // The number of pieces must not depend on the number of threads, because the sums depend on it.
        let pieces = (MOST_ENTRIES / entries.max(1)).clamp(1, MOST_PIECES).min(fan_out.max(1));
        let size = fan_out.div_ceil(pieces);
        let piece = |piece: usize| {
            let mut own = [into[0], into[1]].map(|into| into.map(|_| vec![0.0; entries]));
            let mut buffers = Buffers::default();
            for output in piece * size..((piece + 1) * size).min(fan_out) {
                self.add_output(other, same, output, &mut buffers, &mut own);
            }
            own
        };
        let parts: Vec<[Option<Vec<f64>>; 2]> = (0..pieces).into_par_iter().map(piece).collect();
        for (part, into) in parts.iter().flat_map(|parts| parts.iter().zip(into)) {
            if let (Some(part), Some(into)) = (part, into) {
                sums[into].iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
        }
    }

    /// Adds the contribution of one output: that of its weights, and that of its bias.
    fn add_output(
        &self,
        other: &Self,
        same: bool,
        output: usize,
        buffers: &mut Buffers,
        [weights, biases]: &mut [Option<Vec<f64>>; 2],
    ) {
        let (delta, others) = (self.delta(output), other.delta(output));
        let Buffers { left, right, grams, along } = buffers;
        let root = self.weight.as_ref().map(|root| &root[output * self.fan_in..][..self.fan_in]);
        if let Some(root) = root {
            self.scale(root, left);
            if !same {
                other.scale(root, right);
            }
            grams.resize(self.n * other.n, 0.0);
            inner_here(left, if same { left } else { right }, self.fan_in, same, grams);
        }
        let of_bias = self.bias.as_ref().map_or(0.0, |root| self.gains.bias * f64::from(root[output]).powi(2));
        for row in 0..self.n {
            let columns = if same { row + 1 } else { other.n };
            // Σ δ_i(x) δ_i(x′) over directions.
            along.clear();
            along.resize(columns, 0.0);
            for (delta, others) in delta.chunks_exact(self.n).zip(others.chunks_exact(other.n)) {
                along.iter_mut().zip(others).for_each(|(sum, value)| *sum += delta[row] * value);
            }
            if let (Some(_), Some(sums)) = (root, &mut *weights) {
                let grams = &grams[row * other.n..][..columns];
                for ((sum, along), gram) in sums[row * other.n..].iter_mut().zip(&*along).zip(grams) {
                    *sum += f64::from(*along) * self.gains.weight * f64::from(*gram);
                }
            }
            if let Some(sums) = biases {
                let sums = sums[row * other.n..].iter_mut();
                sums.zip(&*along).for_each(|(sum, along)| *sum += of_bias * f64::from(*along));
            }
        }
    }

    /// Returns the cotangents of one output, [directions, n].
    fn delta(&self, output: usize) -> &[f32] {
        let length = self.n * self.directions;
        &self.cotangents[output * length..][..length]
    }

    /// Multiplies each activation by its root: [n, fan_in].
    fn scale(&self, root: &[f32], scaled: &mut Vec<f32>) {
        scaled.clear();
        scaled.extend_from_slice(self.activations.slice());
        for row in scaled.chunks_exact_mut(self.fan_in) {
            row.iter_mut().zip(root).for_each(|(value, root)| *value *= root);
        }
    }
}

/// The buffers of one thread: scaled activations of both sides, their Gram, and one row of the cotangents' Gram.
#[derive(Default)]
struct Buffers {
    left: Vec<f32>,
    right: Vec<f32>,
    grams: Vec<f32>,
    along: Vec<f32>,
}
