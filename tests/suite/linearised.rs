//! The linearised network: J Δw against the oracle's Jacobian, and its training against the closed form of its own kernel.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use kernelscope::model::Network;
use kernelscope::ntk::tangent::outputs_and_change;
use kernelscope::spec::{Activation, Loss, NetworkKind, NetworkSpec, Optimiser, Parametrisation, Spec};
use kernelscope::train::{Learner, Terms};

use super::kernel::{noise, zoo};
use burn::module::Module as _;

fn values(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().iter::<f32>().map(f64::from).collect()
}

/// Σ over parameters of ∂f_c(x)/∂w · Δw by burn's autodiff, one image and logit at a time.
fn by_autodiff(network: &Network, images: &Tensor<2>, moved: &[(String, Tensor<1>)]) -> Vec<f64> {
    let trained = network.clone().train();
    let [n, _] = images.dims();
    let mut found = Vec::new();
    for image in 0..n {
        let [_, classes] = trained.forward(images.clone().narrow(0, image, 1)).dims();
        for class in 0..classes {
            let outputs = trained.forward(images.clone().narrow(0, image, 1));
            let mut gradients = outputs.narrow(1, class, 1).sum().backward();
            let gradients = trained.gradients(&GradientsParams::from_module(&mut gradients, &trained));
            let dot = |(name, gradient): &(String, Tensor<1>)| -> f64 {
                let (_, moved) = moved.iter().find(|(other, _)| other == name).expect("every tensor has moved");
                let pairs = gradient.clone().into_data().iter::<f32>().collect::<Vec<_>>();
                let other = moved.clone().into_data().iter::<f32>().collect::<Vec<_>>();
                pairs.iter().zip(&other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            found.push(gradients.iter().map(dot).sum());
        }
    }
    found
}

#[test]
fn the_change_of_outputs_is_the_jacobian_times_the_change_of_weights() {
    for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
        for ((name, network), (_, other)) in zoo(parametrisation, 7).into_iter().zip(zoo(parametrisation, 8)) {
            let images = noise(3, 128, 5);
            let moved = other.moved_from(&network);
            let (start, change) = outputs_and_change(&network, images.clone(), &moved.iter().cloned().collect());
            assert_eq!(values(start), values(network.forward(images.clone())), "{name}");
            let (found, expected) = (values(change), by_autodiff(&network, &images, &moved));
            let largest = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
            let gap = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest;
            assert!(largest > 1e-3 && gap < 1e-5, "{name}: {gap:e} of {largest:e}");
        }
    }
}

/// Full batches: f_lin after t steps of gradient descent on MSE is y + (I − η Θ/(N C))^t (f₀ − y) with the full kernel at w*
/// (Lee et al. 2019), which is computed from the kernel alone.
#[test]
fn its_training_is_gradient_descent_in_function_space_with_a_kernel_that_stands_still() {
    for (kind, alpha) in [(NetworkKind::Mlp, None), (NetworkKind::Mlp, Some(3.0)), (NetworkKind::Cnn, None)] {
        let width = if kind == NetworkKind::Cnn { 4 } else { 24 };
        let network = NetworkSpec { kind, width, activation: Activation::Tanh, alpha, ..NetworkSpec::of(kind) };
        let mut spec = Spec { network, ..Spec::default() };
        spec.training.loss = Loss::Mse;
        let (n, classes, steps) = (6, 4, 12);
        let images = noise(n, 64, 11);
        let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
        let labels = [0, 1, 2, 3, 0, 1];
        let mut learner = Learner::new(&spec, [1, 8, 8], classes, &Device::flex());
        // Away from initialisation, where f is 0 or small: some steps first.
        let (scale, rate) = (alpha.unwrap_or(1.0), 0.02 / alpha.unwrap_or(1.0f64).powi(2));
        (0..3).for_each(|_| _ = learner.step(&pixels, &labels, &Terms::at(rate), false));
        let full = learner.kernel(&images, true, &|| false).unwrap().full.unwrap();
        let mut linearised = learner.linearised();
        let size = n * classes;
        let mut f: Vec<f64> = values(linearised.apply(&images));
        let start = f.clone();
        assert_eq!(
            learner.outputs(&images, &|| false).unwrap().iter().map(|v| f64::from(*v)).collect::<Vec<_>>(),
            start,
            "where it was linearised it is the network"
        );
        for _ in 0..steps {
            let error: Vec<f64> =
                (0..size).map(|at| f[at] - f64::from(u8::from(labels[at / classes] == at % classes))).collect();
            let push = |a: usize| -> f64 {
                let at = |a: usize| (a / classes, a % classes);
                (0..size).map(|b| full.at(at(a), at(b)) * error[b]).sum()
            };
            let pushes: Vec<f64> = (0..size).map(push).collect();
            // With F = α (f − f₀) the kernel of F is α² Θ.
            f.iter_mut().zip(pushes).for_each(|(f, push)| *f -= rate * scale * scale * push / size as f64);
            linearised.step(&images, &labels, &Terms::at(rate));
        }
        let found = values(linearised.apply(&images));
        let moved = f.iter().zip(&start).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let gap = f.iter().zip(&found).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() / moved;
        assert!(moved > 0.05 && gap < 1e-4, "{kind:?}, α {alpha:?}: {gap:e} of a way of {moved:e}");
        // The network itself has gone elsewhere, or this test would see nothing.
        (0..steps).for_each(|_| _ = learner.step(&pixels, &labels, &Terms::at(rate), false));
        let real = learner.outputs(&images, &|| false).unwrap();
        let apart = real.iter().zip(&f).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>().sqrt() / moved;
        assert!(apart > 10.0 * gap, "{kind:?}: {apart:e}");
    }
}

/// In the lazy limit the network is its own linearisation (Chizat et al. 2019), whatever the loss and the optimiser; and a
/// state that was kept goes on as if nothing had happened.
#[test]
fn a_lazy_network_follows_its_linearisation_and_a_state_is_kept() {
    for (optimiser, momentum) in [(Optimiser::Sgd, 0.0), (Optimiser::Sgd, 0.9), (Optimiser::Adam, 0.0)] {
        let gap = |alpha: f64| {
            let mut spec = Spec::default();
            (spec.network.width, spec.network.alpha) = (32, Some(alpha));
            spec.network.activation = Activation::Tanh;
            (spec.training.optimiser, spec.training.momentum) = (optimiser, momentum);
            let images = noise(8, 12, 3);
            let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
            let labels = [0, 1, 2, 3, 4, 0, 1, 2];
            let mut learner = Learner::new(&spec, [1, 3, 4], 5, &Device::flex());
            let mut linearised = learner.linearised();
            let rate = if optimiser == Optimiser::Adam { 0.01 / alpha } else { 0.05 / (alpha * alpha) };
            let mut other = None;
            for step in 0..10 {
                learner.step(&pixels, &labels, &Terms::at(rate), false);
                linearised.step(&images, &labels, &Terms::at(rate));
                if step == 4 {
                    let mut fresh = Learner::new(&spec, [1, 3, 4], 5, &Device::flex()).linearised();
                    fresh.restore(&linearised.state());
                    other = Some(fresh);
                } else if let Some(other) = &mut other {
                    other.step(&images, &labels, &Terms::at(rate));
                }
            }
            let kept = other.map(|other| values(other.apply(&images)));
            assert_eq!(kept.as_deref(), Some(values(linearised.apply(&images)).as_slice()));
            let real = learner.outputs(&images, &|| false).unwrap();
            let found = values(linearised.apply(&images));
            let apart: f64 = real.iter().zip(&found).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
            (apart / real.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>()).sqrt()
        };
        let (near, far) = (gap(4.0), gap(64.0));
        assert!(far < 0.2 * near && far < 0.01, "{optimiser:?}, {momentum}: {near:e} at α = 4, {far:e} at 64");
    }
}
