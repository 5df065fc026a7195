//! The part of a layer in J P Jᵀ where it acts at one place of a sample, without forming a gradient:
//!
//! ```text
//! Σ_i ⟨δ_i(x), δ_i(x′)⟩ · (c_w² Σ_j P_ij a_j(x) a_j(x′) + c_b² p_i)        δ_i over directions, P of the weights, p of the biases
//! ```
//!
//! For each output i an activation Gram of its own, which all directions share: C times less than with the gradients. In the
//! program's own memory, since one after the other these products are small.

use burn::tensor::Tensor;

use super::rows::on_host;
use super::side::{Gains, turned};
use crate::model::{Cotangent, Values, inner};

/// One side of such a layer.
pub(super) struct Weighted {
    n: usize,
    directions: usize,
    fan_in: usize,
    /// [n, fan_in].
    activations: Values,
    /// [fan_out, n, directions].
    cotangents: Vec<f32>,
    /// √P of the weights, [fan_out, fan_in], and of the biases, `[fan_out]`; of those that are wanted.
    weight: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
    gains: Gains,
}

impl Weighted {
    /// `input` is [n, fan_in]; the roots are laid out as the network holds its tensors, [fan_in, fan_out] and `[fan_out]`.
    pub fn new(input: Tensor<2>, cotangent: Cotangent, [weight, bias]: [Option<&[f32]>; 2], gains: Gains) -> Self {
        let [n, fan_in] = input.dims();
        let dense = on_host(cotangent.dense(n));
        let [_, directions, fan_out] = dense.dims();
        let dense = Values::of(dense);
        let at = |at: usize| dense.slice()[at % (n * directions) * fan_out + at / (n * directions)];
        Self {
            n,
            directions,
            fan_in,
            activations: Values::of(on_host(input)),
            cotangents: (0..n * directions * fan_out).map(at).collect(),
            weight: weight.map(|root| turned(root, fan_in, fan_out)),
            bias: bias.map(<[f32]>::to_vec),
            gains,
        }
    }

    /// Adds what the layer contributes with another side: its weights to the sum at the first place, its biases to that at the
    /// second. Where `same`, the other side is this one, and entries above the diagonal are left as they are or wrong.
    pub fn add(&self, other: &Self, same: bool, sums: &mut [Vec<f64>], into: [Option<usize>; 2]) {
        let (rows, columns) = (self.n, other.n);
        let mut along = vec![0.0f32; rows * columns];
        let mut weighted = vec![0.0f32; rows * columns];
        let fan_out = self.cotangents.len() / (rows * self.directions);
        for output in 0..fan_out {
            // Without a triangle: of these few columns it would save nothing.
            inner(self.delta(output), other.delta(output), self.directions, false, &mut along);
            if let (Some(root), Some(into)) = (&self.weight, into[0]) {
                let root = &root[output * self.fan_in..][..self.fan_in];
                let left = self.scaled(root);
                let right = if same { None } else { Some(other.scaled(root)) };
                inner(&left, right.as_ref().unwrap_or(&left), self.fan_in, same, &mut weighted);
                for ((sum, along), weighted) in sums[into].iter_mut().zip(&along).zip(&weighted) {
                    *sum += f64::from(*along) * self.gains.weight * f64::from(*weighted);
                }
            }
            if let (Some(root), Some(into)) = (&self.bias, into[1]) {
                let weight = self.gains.bias * f64::from(root[output]).powi(2);
                sums[into].iter_mut().zip(&along).for_each(|(sum, along)| *sum += weight * f64::from(*along));
            }
        }
    }

    /// The cotangents of one output, [n, directions].
    fn delta(&self, output: usize) -> &[f32] {
        let length = self.n * self.directions;
        &self.cotangents[output * length..][..length]
    }

    /// The activations, each times its root: [n, fan_in].
    fn scaled(&self, root: &[f32]) -> Vec<f32> {
        let rows = self.activations.slice().chunks_exact(self.fan_in);
        rows.flat_map(|row| row.iter().zip(root).map(|(a, root)| a * root)).collect()
    }
}
