//! Computes J(x) Δw, the first-order change of a network's outputs under a displacement of its weights.
//!
//! No forward-mode differentiation is needed: the kernel's backward pass gives the cotangent of every layer's output from
//! every logit, and at a layer z = c_w W a + c_b b the change is ⟨δ, c_w ΔW a + c_b Δb⟩ (Lee et al. 2019, eq. 5:
//! f_lin = f + J Δw). The same code therefore serves every network that records its taps.

use std::collections::HashMap;

use burn::tensor::Tensor;

use crate::model::{Cotangent, LayerRecord, Network, ParameterUse};

/// The displacement of each tensor, flat and by name, laid out as the network stores it.
pub type Displacements = HashMap<String, Tensor<1>>;

/// Returns the logits of `network` (without autodiff) on images [n, inputs], and J Δw on them; both [n, C].
pub fn outputs_and_change(network: &Network, images: Tensor<2>, moved: &Displacements) -> (Tensor<2>, Tensor<2>) {
    let (logits, mut changes) = outputs_and_changes(network, images, 1, &|_, tensor| moved.get(tensor).cloned());
    (logits, changes.remove(0))
}

/// Returns the logits, and J Δw for each of `count` displacements, which `moved` gives by number and tensor; all [n, C].
pub fn outputs_and_changes(
    network: &Network,
    images: Tensor<2>,
    count: usize,
    moved: &dyn Fn(usize, &str) -> Option<Tensor<1>>,
) -> (Tensor<2>, Vec<Tensor<2>>) {
    let tape = network.record(images);
    let [n, classes] = tape.logits.dims();
    let every = vec![true; tape.taps().count()];
    let directions = Tensor::<2>::eye(classes, &tape.logits.device());
    let mut changes = vec![tape.logits.zeros_like(); count];
    for (_, tap, cotangent) in tape.pull(directions, &every) {
        // What several displacements need is made once.
        let cotangent = match cotangent {
            sparse @ Cotangent::Sparse { .. } if count > 1 => Cotangent::Dense(sparse.dense(n)),
            other => other,
        };
        for (place, change) in changes.iter_mut().enumerate() {
            if let Some(here) = change_of(tap, &|tensor| moved(place, tensor), n) {
                let ([_, changed], (_, f)) = (here.dims(), cotangent.dims());
                // The tokens after a class token do not change with it.
                let rest = Tensor::zeros([n, f - changed], &here.device());
                let here = if changed < f { Tensor::cat(vec![here, rest], 1) } else { here };
                *change = change.clone() + product(cotangent.clone(), here, n);
            }
        }
    }
    (tape.logits, changes)
}

/// Returns the change of the output of a layer, [n, f] in the order of its cotangents.
fn change_of(tap: &LayerRecord, moved: &dyn Fn(&str) -> Option<Tensor<1>>, n: usize) -> Option<Tensor<2>> {
    let found = |place: usize| tap.tensors.get(place).and_then(|tensor| moved(tensor));
    match &tap.view {
        ParameterUse::Affine { input, fan_out, channels_first, transposed, weight_gain, bias_gain } => {
            let [_, positions, all] = input.dims();
            let groups = input.groups();
            let (fan_in, outputs) = (all / groups, fan_out / groups);
            let rows = input.rows().reshape([n * positions, all]);
            // A convolution's weights are stored as [fan_out, fan_in], a dense layer's as [fan_in, fan_out] or as its
            // transpose.
            let weight = found(0).map(|weight| {
                let of = |group: usize| {
                    let weight = if *channels_first || *transposed {
                        let weight = weight.clone().reshape([*fan_out, fan_in]);
                        weight.narrow(0, group * outputs, outputs).transpose()
                    } else {
                        weight.clone().reshape([fan_in, *fan_out])
                    };
                    rows.clone().narrow(1, group * fan_in, fan_in).matmul(weight)
                };
                Tensor::cat((0..groups).map(of).collect(), 1) * *weight_gain
            });
            let bias = found(1).map(|bias| (bias * *bias_gain).reshape([1, *fan_out]));
            let change = match (weight, bias) {
                (Some(weight), Some(bias)) => weight + bias,
                (Some(change), None) => change,
                (None, Some(bias)) => bias.expand([n * positions, *fan_out]),
                (None, None) => return None,
            };
            let change = change.reshape([n, positions, *fan_out]);
            let change = if *channels_first { change.swap_dims(1, 2) } else { change };
            Some(change.reshape([n, positions * fan_out]))
        }
        ParameterUse::Gain { values, channels_first, frozen } => {
            let [_, first, second] = values.dims();
            let sides = if *channels_first { [1, first, 1] } else { [1, 1, second] };
            let gain = found(0).filter(|_| !frozen).map(|gain| values.clone() * gain.reshape(sides));
            let bias = found(usize::from(!frozen)).map(|bias| bias.reshape(sides).expand([n, first, second]));
            let change = gain.into_iter().chain(bias).reduce(|a, b| a + b)?;
            Some(change.reshape([n, first * second]))
        }
        ParameterUse::Offset { entries, gain } => {
            let change = found(0)? * *gain;
            let change = change.reshape([1, entries.len()]).expand([n, entries.len()]);
            Some(change)
        }
    }
}

/// Computes ⟨δ_c(x), change(x)⟩ for all samples and logits, [n, C].
fn product(cotangent: Cotangent, change: Tensor<2>, n: usize) -> Tensor<2> {
    match cotangent {
        Cotangent::Shared(direction) => change.matmul(direction.transpose()),
        Cotangent::Factored { sample, direction } => (change * sample).matmul(direction.transpose()),
        other => other.dense(n).matmul(change.unsqueeze_dim::<3>(2)).squeeze_dim::<2>(2),
    }
}
