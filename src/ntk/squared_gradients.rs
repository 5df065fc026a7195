//! Sums the squares of the gradients of single samples, without forming the Jacobian of the whole network: the diagonal of
//! Σ_n Jₙᵀ Vₙᵀ Vₙ Jₙ for directions V of logit space that may differ between samples. With V the square root of the loss's
//! second derivative it is the diagonal of the Fisher information, which is that of the Gauss–Newton matrix.
//!
//! An affine layer that acts once on a sample has the gradient δ ⊗ a, whose squares summed over samples and directions are one
//! product: Σ_n a_n² ⊗ Σ_c δ_nc². All others form the gradients of each sample.

use burn::tensor::Tensor;

use super::layerwise::Gathered;
use super::rows::Rows;
use super::side::LayerSide;
use crate::model::{Cotangent, LayerRecord, Network, ParameterUse};
use crate::spec::Contraction;

/// The largest number of gradient entries that are formed at once, and of samples in one pass.
const MOST_ENTRIES: usize = 1 << 24;
const MOST_SAMPLES: usize = 128;

/// Returns the number of samples of images [n, inputs] that one call of [`sum`] should get, in so many directions.
pub fn samples_at_once(network: &Network, images: &Tensor<2>, directions: usize) -> usize {
    let outline = network.outline(images);
    let formed = outline.taps.iter().filter(|tap| !tap.layer.acts_once());
    let most = formed.map(|tap| tap.layer.parameters() as usize).max().unwrap_or(0);
    (MOST_ENTRIES / (most * directions).max(1)).clamp(1, MOST_SAMPLES)
}

/// Computes, for each tensor that is trained, the sum over samples and directions of the squared derivatives of v·f, flat as
/// the network stores it, by name. `directions` is [n, directions, C]; the network is without autodiff. `None` if `cancelled`
/// returns true; it is called before each layer.
pub fn sum(
    network: &Network,
    images: &Tensor<2>,
    directions: Tensor<3>,
    cancelled: &dyn Fn() -> bool,
) -> Option<Vec<(String, Tensor<1>)>> {
    let [n, _] = images.dims();
    let outline = network.outline(images);
    let included: Vec<Vec<bool>> = outline.taps.iter().map(|tap| tap.moves.clone()).collect();
    let wanted: Vec<bool> = included.iter().map(|tensors| tensors.contains(&true)).collect();
    let tape = network.record(images.clone());
    let mut gathered = Gathered::new(&outline.shared);
    let mut found = Vec::new();
    for (place, tap, cotangent) in tape.pull_from(Cotangent::Dense(directions), &wanted) {
        if cancelled() {
            return None;
        }
        let included = &included[place];
        if outline.taps[place].layer.acts_once() {
            product(tap, cotangent, n, included, &mut found);
            continue;
        }
        let mut side = LayerSide::new(tap, cotangent, n, (Contraction::Gradients, false), included, None);
        let sums = gathered.take(tap, &mut side);
        [Some(side), sums].into_iter().flatten().for_each(|side| squares(tap, side, &mut found));
    }
    Some(found)
}

/// Adds the squares of an affine layer that acts once on a sample.
fn product(tap: &LayerRecord, cotangent: Cotangent, n: usize, included: &[bool], found: &mut Vec<(String, Tensor<1>)>) {
    let ParameterUse::Affine { input, channels_first, transposed, weight_gain, bias_gain, .. } = &tap.view else {
        unreachable!("only an affine layer is a product");
    };
    let [_, _, fan_in] = input.dims();
    let dense = cotangent.dense(n);
    let [_, _, fan_out] = dense.dims();
    let cotangents = dense.powi_scalar(2).sum_dim(1).reshape([n, fan_out]);
    if included[0] {
        let inputs = input.rows().reshape([n, fan_in]).powi_scalar(2);
        let weight = inputs.transpose().matmul(cotangents.clone()) * weight_gain.powi(2);
        let weight = if *channels_first || *transposed { weight.transpose() } else { weight };
        found.push((tap.tensors[0].clone(), weight.reshape([fan_in * fan_out])));
    }
    if included.get(1) == Some(&true) {
        let bias = cotangents.sum_dim(0).reshape([fan_out]) * bias_gain.powi(2);
        found.push((tap.tensors[1].clone(), bias));
    }
}

/// Adds the squares of gradients that are formed.
fn squares(tap: &LayerRecord, side: LayerSide, found: &mut Vec<(String, Tensor<1>)>) {
    let LayerSide::Gradients(rows) = side else { unreachable!("the gradients are asked for") };
    for (place, rows) in rows.into_iter().enumerate() {
        let Some(squares) = rows.as_ref().map(Rows::squares) else { continue };
        let squares = match &tap.view {
            ParameterUse::Affine { input, fan_out, transposed, channels_first, .. } if place == 0 => {
                let [_, _, all] = input.dims();
                let fan_in = all / input.groups();
                // Gradients are [fan_out, fan_in], and turned where another line reads the transpose; the weights of an affine
                // layer are stored as [fan_in, fan_out], those of a convolution as their gradients.
                match (transposed, channels_first) {
                    (true, _) => squares.reshape([fan_in, *fan_out]).transpose().reshape([fan_in * fan_out]),
                    (false, false) => squares.reshape([*fan_out, fan_in]).transpose().reshape([fan_in * fan_out]),
                    (false, true) => squares,
                }
            }
            _ => squares,
        };
        found.push((tap.tensors[place].clone(), squares));
    }
}
