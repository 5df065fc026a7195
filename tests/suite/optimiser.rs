//! The optimiser's kernel: against the Jacobian with the diagonal written out, and Adam's diagonal against its own definition.

use super::sized;
use std::collections::HashMap;
use std::sync::Arc;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::ntk::{PartKind, Preconditioner, Reduction, Request, jacobian, layerwise};
use kernelscope::run::Block;
use kernelscope::spec::{Activation, Loss, NetworkSpec, Optimiser, Parametrisation, Spec};
use kernelscope::train::{NetworkTrainer, StepOptions};

use super::kernel::{noise, zoo};
use super::run::rows;
use super::tiny;

fn never() -> bool {
    false
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let gap: f64 = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    (gap / expected.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

/// Every kind of network × {one set, two sets} × {unblocked, blocked} × {all tensors, some}: the oracle multiplies each entry of
/// the Jacobian by its own √p.
#[test]
fn a_preconditioned_kernel_is_that_of_the_weighted_jacobian() {
    let (images, others) = (noise(6, 128, 3), noise(5, 128, 4));
    for (name, network) in zoo(Parametrisation::Ntk, 7) {
        let diagonal =
            network.ids().into_iter().zip(network.flatten()).enumerate().map(|(place, ((name, _), tensor))| {
                let count = tensor.shape().num_elements();
                let weights = noise(1, count, 100 + place as u64).into_data().iter::<f32>().collect::<Vec<f32>>();
                // Of several sizes, and some are 0.
                (name, weights.into_iter().map(|weight| (5.0 * weight).max(0.0).powi(2)).collect())
            });
        let preconditioner = Some(Arc::new(Preconditioner::new(diagonal)));
        for reduction in [Reduction::Trace, Reduction::SumLogits] {
            let request =
                Request { apart: PartKind::Tensors, preconditioner: preconditioner.clone(), ..Request::of(reduction) };
            for second in [None, Some(&others)] {
                let oracle = jacobian::measure(&network, &images, second, &request, &never).unwrap();
                for memory in [request.memory, 1] {
                    let whole = Request { memory, apart: PartKind::No, ..request.clone() };
                    let found = layerwise::measure(&network, &images, second, &whole, &never).unwrap();
                    let gap = relative(&found.values, &oracle.values);
                    assert!(gap < 1e-5, "{name}, {reduction:?}, {memory} B: {gap:e}");
                }
                let found = layerwise::measure(&network, &images, second, &request, &never).unwrap();
                let whole = oracle.values.iter().map(|value| value * value).sum::<f64>().sqrt();
                for (tensor, part) in &oracle.parts {
                    let (_, own) = found.parts.iter().find(|(name, _)| name == tensor).unwrap();
                    let gap = own.iter().zip(part).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                    assert!(gap < 1e-5 * whole, "{name}, {tensor}: {gap:e} of {whole:e}");
                }
            }
        }
    }
}

fn learner(optimiser: Optimiser, momentum: f64) -> NetworkTrainer {
    let network = NetworkSpec { width: 24.into(), activation: Activation::Gelu, ..sized("mlp", &[("depth", 2)]) };
    let mut spec = Spec { network, ..Spec::default() };
    (spec.training.loss, spec.training.optimiser, spec.training.momentum) = (Loss::Mse, optimiser, momentum);
    NetworkTrainer::new(&spec, [1, 3, 4], 5, &Device::flex())
}

/// ½ · mean of (f − y)² over entries, differentiated by burn: the gradient of the batch, by tensor.
fn gradient(learner: &NetworkTrainer, images: &Tensor<2>, labels: &[usize]) -> HashMap<String, Vec<f64>> {
    let network = learner.without_autodiff().train();
    let y: Vec<f32> = labels.iter().flat_map(|&label| (0..5).map(move |c| f32::from(c == label))).collect();
    let y = Tensor::<2>::from_data(TensorData::new(y, [labels.len(), 5]), &images.device()).autodiff();
    let loss = (network.forward(images.clone()) - y).powi_scalar(2).mean() * 0.5;
    let gradients = network.trained_gradients(&mut loss.backward(), &[]);
    let doubles = |tensor: Tensor<1>| tensor.into_data().iter::<f32>().map(f64::from).collect();
    network.gradients(&gradients).into_iter().map(|(name, tensor)| (name, doubles(tensor))).collect()
}

/// v is summed from the gradients of each step as Kingma & Ba write it, and the kernel is the oracle's.
#[test]
fn adams_kernel_is_the_jacobian_between_one_over_the_root_of_v() {
    for optimiser in [Optimiser::Adam, Optimiser::AdamW, Optimiser::RmsProp] {
        check_preconditioner(optimiser);
    }
}

fn check_preconditioner(optimiser: Optimiser) {
    let (n, labels) = (6, [0, 1, 2, 3, 4, 0]);
    let images = noise(n, 12, 11);
    let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
    let decay = if optimiser == Optimiser::RmsProp { 0.99 } else { 0.999 };
    let mut learner = learner(optimiser, 0.0);
    let kernel = |learner: &NetworkTrainer| learner.kernel(&images, false, &never).unwrap().trace;
    assert_eq!(
        learner.optimiser_kernel(&images, &kernel(&learner), &[], &never),
        Some(None),
        "there is no v before the first step"
    );
    let mut moments: HashMap<String, Vec<f64>> = HashMap::new();
    for step in 1..=5 {
        for (name, gradient) in gradient(&learner, &images, &labels) {
            let moment = moments.entry(name).or_insert_with(|| vec![0.0; gradient.len()]);
            moment.iter_mut().zip(gradient).for_each(|(v, g)| *v = decay * *v + (1.0 - decay) * g * g);
        }
        learner.step(&pixels, &labels, &StepOptions::at(1e-3), false);
        let found = learner.optimiser_kernel(&images, &kernel(&learner), &[], &never).unwrap().unwrap();
        let diagonal = moments.iter().map(|(name, v)| {
            let seen = if optimiser == Optimiser::RmsProp { 1.0 } else { 1.0 - 0.999f64.powi(step) };
            (name.clone(), v.iter().map(|v| (1.0 / ((v / seen).sqrt() + 1e-8)) as f32).collect())
        });
        let preconditioner = Some(Arc::new(Preconditioner::new(diagonal)));
        let request = Request { preconditioner, ..Request::of(Reduction::Trace) };
        let expected = jacobian::measure(&learner.without_autodiff(), &images, None, &request, &never).unwrap();
        let gap = relative(&found, &expected.values);
        assert!(gap < 1e-3, "{optimiser:?}, step {step}: {gap:e}");

        // With a layer frozen, only the others have a part.
        let frozen = ["fc1".to_owned()];
        let found = learner.optimiser_kernel(&images, &kernel(&learner), &frozen, &never).unwrap().unwrap();
        let request = Request { only: Some(vec!["fc2".to_owned(), "fc3".to_owned()]), ..request };
        let expected = jacobian::measure(&learner.without_autodiff(), &images, None, &request, &never).unwrap();
        let gap = relative(&found, &expected.values);
        assert!(gap < 1e-3, "step {step}, frozen: {gap:e}");
    }
}

/// To first order a step of Adam whose momentum has nothing to remember moves the outputs by −η J P Jᵀ ∂L/∂f: with the first
/// step v̂ = g², so each weight moves by η g/(|g| + ε), whatever its gradient.
#[test]
fn the_weights_of_the_kernel_are_those_of_the_step() {
    let (n, labels, rate) = (6, [0, 1, 2, 3, 4, 0], 1e-6);
    let images = noise(n, 12, 11);
    let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
    let mut learner = learner(Optimiser::Adam, 0.0);
    let (base, gradient) = (learner.without_autodiff(), gradient(&learner, &images, &labels));
    learner.step(&pixels, &labels, &StepOptions::at(rate), false);
    for (name, moved) in learner.without_autodiff().displacement_from(&base) {
        let found: Vec<f64> = moved.into_data().iter::<f32>().map(f64::from).collect();
        for (found, g) in found.iter().zip(&gradient[&name]) {
            // 32-bit weights of size 1 move in pieces of 6e-8.
            assert!((found + rate * g / (g.abs() + 1e-8)).abs() < 0.2 * rate, "{name}: {found} with gradient {g}");
        }
    }
}

/// With SGD it is the kernel itself, with momentum a multiple of it; a frozen layer has no part.
#[test]
fn with_sgd_it_is_the_kernel_but_for_a_factor() {
    let images = noise(6, 12, 11);
    for (momentum, factor) in [(0.0, 1.0), (0.9, 10.0)] {
        let learner = learner(Optimiser::Sgd, momentum);
        let kernel = learner.kernel(&images, false, &never).unwrap().trace;
        let found = learner.optimiser_kernel(&images, &kernel, &[], &never).unwrap().unwrap();
        assert!(found.iter().zip(&kernel).all(|(a, b)| (a - factor * b).abs() <= 1e-12 * a.abs()));
        let frozen = learner.optimiser_kernel(&images, &kernel, &["fc1".to_owned()], &never).unwrap().unwrap();
        let only = Some(vec!["fc2".to_owned(), "fc3".to_owned()]);
        let request = Request { only, ..Request::of(Reduction::Trace) };
        let expected = jacobian::measure(&learner.without_autodiff(), &images, None, &request, &never).unwrap().values;
        let expected: Vec<f64> = expected.iter().map(|value| factor * value).collect();
        assert!(relative(&frozen, &expected) < 1e-5);
    }
}

#[test]
fn rows_tell_of_the_optimisers_kernel_where_it_is_asked_for() {
    let mut spec = tiny();
    spec.kernel.optimiser = true;
    for row in rows(spec.clone()) {
        assert_eq!(row.optimiser.len(), row.blocks.len());
        for (own, theta) in row.optimiser.iter().zip(&row.blocks) {
            assert_eq!((own.block, own.velocity, own.alignment), (theta.block, theta.velocity, theta.alignment));
            assert_eq!((own.apart, own.trace), (Some(0.0), theta.trace), "plain SGD: the same kernel");
            assert!((own.lambda_max.unwrap() / theta.lambda_max.unwrap() - 1.0).abs() < 1e-4);
        }
    }
    spec.training.optimiser = Optimiser::Adam;
    spec.training.rate = 0.001;
    let adam = rows(spec.clone());
    assert!(adam[0].optimiser.is_empty(), "none before the first step");
    for row in &adam[1..] {
        assert_eq!(row.optimiser[0].block, Block::All);
        for (own, theta) in row.optimiser.iter().zip(&row.blocks) {
            let apart = own.apart.unwrap();
            assert!((0.0..=1.0).contains(&apart) && apart > 1e-3 && own.trace > theta.trace, "{own:?}");
        }
    }
    assert!(adam.iter().any(|row| row.optimiser.iter().any(|own| own.velocity.is_some_and(|v| v > 0.0))));
    spec.kernel.optimiser = false;
    for (plain, adam) in rows(spec).iter().zip(&adam) {
        assert!(plain.optimiser.is_empty() && plain.blocks == adam.blocks, "it only looks");
    }
}
