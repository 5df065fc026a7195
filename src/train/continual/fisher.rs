//! Computes the diagonal of the Fisher information of a network on images of a task.
//!
//! It is that of the distribution which the loss assumes. As it is defined ([`Fisher::Expected`]) it is in expectation over the
//! labels that the *network* would give: F_i = (1/N) Σ_n Σ_c (v_nc · ∂f_n/∂w_i)² with V Vᵀ the second derivative of the loss of
//! a sample. For cross-entropy that is diag p − p pᵀ and v_c = √p_c (e_c − p); for the squared error, ½ · mean over C logits,
//! v_c = e_c/√C. So F is the diagonal of the Gauss–Newton matrix of exactly the loss that is trained.
//!
//! Published codes compute something else under this name: the square of the loss's gradient, v = p − e_y or (f − y)/C, alone or
//! weighted by p_y, or that of a whole batch.

use std::collections::HashMap;

use burn::module::Module as _;
use burn::tensor::{Tensor, TensorData};

use super::method::{Learner, PerParameter};
use crate::data::{Images, Targets};
use crate::model::{Network, read};
use crate::ntk::squared_gradients;
use crate::spec::Fisher;
use crate::train::loss::{batch_loss, wanted};

/// The squares of gradients, summed by tensor.
type Sums = HashMap<String, Tensor<1>>;

/// Computes the diagonal on these images, where the loss includes these logits, all if `None`; of a tensor that is not trained
/// it is 0. `None` if `cancelled` returns true.
pub(super) fn fisher(
    learner: &dyn Learner,
    kind: Fisher,
    images: &Images,
    present: Option<&[usize]>,
    cancelled: &dyn Fn() -> bool,
) -> Option<PerParameter> {
    let network = learner.network().valid();
    let all: Vec<usize> = (0..learner.readout().0).collect();
    let shown = present.unwrap_or(&all);
    let of_labels = |pixels: &Tensor<2>, first: usize, weighted: bool| {
        of_labels(learner, &network, pixels, (images.targets(), first), shown, weighted)
    };
    let samples = |directions: &dyn Fn(&Tensor<2>, usize) -> Tensor<3>| {
        Some((of_samples(learner, &network, images, directions, cancelled)?, images.len()))
    };
    let (mut sums, count) = match kind {
        Fisher::Expected => samples(&|pixels, _| expected(learner, &network, pixels, shown))?,
        Fisher::Labels => samples(&|pixels, first| of_labels(pixels, first, false))?,
        Fisher::WeightedLabels => samples(&|pixels, first| of_labels(pixels, first, true))?,
        Fisher::Batches => of_batches(learner, images, present, cancelled)?,
    };
    let of = |((name, _), weights): ((String, _), Tensor<1>)| match sums.remove(&name) {
        Some(sum) => sum * (1.0 / count as f64),
        None => weights.zeros_like(),
    };
    Some(network.ids().into_iter().zip(network.flatten()).map(of).collect())
}

fn add(sums: &mut Sums, name: String, squares: Tensor<1>) {
    let sum = match sums.remove(&name) {
        Some(sum) => sum + squares,
        None => squares,
    };
    sums.insert(name, sum);
}

/// Sums the squares over samples, in the directions that some of the images have, of which the first is given by its place.
fn of_samples(
    learner: &dyn Learner,
    network: &Network,
    images: &Images,
    directions: &dyn Fn(&Tensor<2>, usize) -> Tensor<3>,
    cancelled: &dyn Fn() -> bool,
) -> Option<Sums> {
    let (n, inputs) = (images.len(), images.dim());
    let mut sums = Sums::new();
    let mut first = 0;
    let mut group = 1;
    while first < n {
        let count = group.min(n - first);
        let pixels = learner.upload(&images.pixels[first * inputs..][..count * inputs], count);
        let directions = directions(&pixels, first);
        if first == 0 {
            group = squared_gradients::samples_at_once(network, &pixels, directions.dims()[1]);
        }
        for (name, squares) in squared_gradients::sum(network, &pixels, directions, cancelled)? {
            add(&mut sums, name, squares);
        }
        first += count;
    }
    Some(sums)
}

/// Sums the squares of the gradients of batches, as large as those of training and in the order of the images; returns also
/// their number.
fn of_batches(
    learner: &dyn Learner,
    images: &Images,
    present: Option<&[usize]>,
    cancelled: &dyn Fn() -> bool,
) -> Option<(Sums, usize)> {
    let (network, inputs) = (learner.network(), images.dim());
    let (classes, training, _) = learner.readout();
    let mut sums = Sums::new();
    let mut batches = 0;
    let of_batch = |first: usize, count: usize| {
        let pixels = learner.upload(&images.pixels[first * inputs..][..count * inputs], count);
        let values = images.values.get(first..first + count).unwrap_or_default();
        let targets = Targets::of(&images.labels[first..first + count], values);
        let outputs = learner.lazy(network.forward(pixels.clone()), &pixels);
        let loss = batch_loss(training, outputs, wanted(targets, classes, learner.device()), present);
        network.gradients(&network.trained_gradients(&mut loss.backward(), &[]))
    };
    for first in (0..images.len()).step_by(learner.batch()) {
        if cancelled() {
            return None;
        }
        for (name, gradient) in of_batch(first, learner.batch().min(images.len() - first)) {
            add(&mut sums, name, gradient.powi_scalar(2));
        }
        batches += 1;
    }
    Some((sums, batches))
}

/// Returns the directions v_nc of these images, [n, present, C], times α, because the loss acts on α (f − f₀).
fn expected(learner: &dyn Learner, network: &Network, images: &Tensor<2>, present: &[usize]) -> Tensor<3> {
    let ([n, _], (classes, training, alpha)) = (images.dims(), learner.readout());
    let mut directions = vec![0.0; n * present.len() * classes];
    if training.loss.is_squared() {
        let length = alpha / (classes as f64).sqrt();
        for (row, direction) in directions.chunks_exact_mut(classes).enumerate() {
            direction[present[row % present.len()]] = length as f32;
        }
    } else {
        let outputs = read(learner.lazy(network.forward(images.clone()), images));
        for (outputs, directions) in
            outputs.chunks_exact(classes).zip(directions.chunks_exact_mut(present.len() * classes))
        {
            let shares = shares(outputs, present);
            for (own, direction) in directions.chunks_exact_mut(classes).enumerate() {
                for (other, (&logit, share)) in present.iter().zip(&shares).enumerate() {
                    let along = f64::from(u8::from(other == own)) - share;
                    direction[logit] = (alpha * shares[own].sqrt() * along) as f32;
                }
            }
        }
    }
    Tensor::from_data(TensorData::new(directions, [n, present.len(), classes]), learner.device())
}

/// Returns the derivatives of the loss of each of these images by its outputs, [n, 1, C], times α, where `targets` of all images
/// begin with theirs at `first`; `weighted` multiplies them by √p_y.
fn of_labels(
    learner: &dyn Learner,
    network: &Network,
    images: &Tensor<2>,
    (targets, first): (Targets<'_>, usize),
    present: &[usize],
    weighted: bool,
) -> Tensor<3> {
    let ([n, _], (classes, training, alpha)) = (images.dims(), learner.readout());
    let outputs = read(learner.lazy(network.forward(images.clone()), images));
    let mut directions = vec![0.0; n * classes];
    let rows = outputs.chunks_exact(classes).zip(directions.chunks_exact_mut(classes)).enumerate();
    for (row, (outputs, direction)) in rows {
        let wanted = |logit| f64::from(targets.at(first + row, logit));
        if training.loss.is_squared() {
            for &logit in present {
                direction[logit] = (alpha * (f64::from(outputs[logit]) - wanted(logit)) / classes as f64) as f32;
            }
            continue;
        }
        let shares = shares(outputs, present);
        let own = present.iter().zip(&shares).map(|(&logit, share)| wanted(logit) * share).sum::<f64>();
        let weight = alpha * if weighted { own.sqrt() } else { 1.0 };
        for (&logit, share) in present.iter().zip(&shares) {
            direction[logit] = (weight * (share - wanted(logit))) as f32;
        }
    }
    Tensor::from_data(TensorData::new(directions, [n, 1, classes]), learner.device())
}

/// Computes the softmax over the logits that are present.
fn shares(outputs: &[f32], present: &[usize]) -> Vec<f64> {
    let top = present.iter().map(|&logit| outputs[logit]).fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f64> = present.iter().map(|&logit| f64::from(outputs[logit] - top).exp()).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|part| part / sum).collect()
}
