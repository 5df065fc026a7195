//! Every network that comes with the program, at several widths and in both parametrisations: counted, trained and measured as
//! it is described; and runs whose training is other than their evaluation repeat bit for bit.

use std::sync::Arc;

use burn::tensor::Device;
use kernelscope::model::Network;
use kernelscope::ntk::{PartKind, Reduction, Request, jacobian, layerwise};
use kernelscope::spec::text::NETWORKS;
use kernelscope::spec::{Cost, DataShape, NetworkSpec, PRESETS, Parametrisation, STUDIES, Spec, Width};
use kernelscope::train::{LearnerState, NetworkTrainer, StepOptions};

use super::fitting;
use super::fork::{go_on, kept};
use super::kernel::noise;
use super::run::{rows, timeless};
use super::tiny;

const BOTH: [Parametrisation; 2] = [Parametrisation::Standard, Parametrisation::Ntk];
/// The largest relative Frobenius difference between two implementations in f32 products.
const TOLERANCE: f64 = 1e-5;

/// Every file of the library with its usual activation.
fn library() -> impl Iterator<Item = NetworkSpec> {
    NETWORKS.iter().map(|network| NetworkSpec::of(network.name))
}

#[test]
fn each_is_trained_by_a_preset_or_a_study() {
    let runs = PRESETS.iter().map(|preset| preset.spec().network.program);
    let studied = STUDIES.iter().flat_map(|study| study.spec().runs().unwrap()).map(|run| run.spec.network.program);
    let trained: Vec<String> = runs.chain(studied).collect();
    for network in NETWORKS {
        assert!(trained.iter().any(|program| program == network.name), "{}", network.name);
    }
}

/// At the least width and the usual one, on grey images.
#[test]
fn counts_and_names_are_those_of_the_real_network() {
    let image = [1, 28, 28];
    for network in library() {
        for width in [Width::from(*network.widths().start()), network.width] {
            for parametrisation in BOTH {
                let network = NetworkSpec { width, parametrisation, ..network.clone() };
                let what = format!("{}, width {width}, {parametrisation:?}", network.program);
                let program = network.program(image, 10).unwrap_or_else(|why| panic!("{what}: {why}"));
                let named = Network::new(&network, 1, image, 10, &Device::flex()).named();
                let held: Vec<_> = named.iter().map(|tensor| (&tensor.name, &tensor.shape)).collect();
                let said: Vec<_> = program.tensors.iter().map(|tensor| (&tensor.name, &tensor.shape)).collect();
                assert_eq!(held, said, "{what}");
                assert!(
                    named.iter().all(|tensor| tensor.values.len() == tensor.shape.iter().product::<usize>()),
                    "{what}"
                );
                let stored = named.iter().zip(&program.tensors).filter(|(_, tensor)| !tensor.is_statistic());
                let stored: usize = stored.map(|(tensor, _)| tensor.values.len()).sum();
                let spec = Spec { network, ..Spec::default() };
                let cost = Cost::of(&spec, &DataShape::expected(&spec));
                assert_eq!(cost.parameters, stored as u64, "{what}");
            }
        }
    }
}

/// A few steps at the least width and at twice it, on coloured images; behind them the kernel, with what BatchNorm has seen by
/// then, is that of the oracle.
#[test]
fn each_learns_and_its_kernel_is_the_oracles() {
    let (image, classes) = ([2, 12, 12], 4);
    let small = [("patch", 4), ("blocks", 2), ("k", 1)];
    let images = noise(3, image.iter().product(), 3);
    let batch: Vec<f32> = noise(6, image.iter().product(), 4).into_data().iter().collect();
    for network in library() {
        let least = *network.widths().start();
        for (width, parametrisation) in [(least, BOTH[0]), (least, BOTH[1]), (2 * least, BOTH[0]), (2 * least, BOTH[1])]
        {
            let what = format!("{}, width {width}, {parametrisation:?}", network.program);
            let network = fitting(NetworkSpec { width: width.into(), parametrisation, ..network.clone() }, &small);
            let spec = Spec { network, ..Spec::default() };
            let mut learner = NetworkTrainer::new(&spec, image, classes, &Device::flex());
            let before = learner.without_autodiff().named();
            for _ in 0..2 {
                let outcome = learner.step(&batch, &[0, 1, 2, 3, 0, 1], &StepOptions::at(1e-3), true);
                let norm = outcome.grad_norm.expect("it was asked for");
                assert!(outcome.loss.is_finite() && norm.is_finite() && norm > 0.0, "{what}: {outcome:?}");
            }
            let trained = learner.without_autodiff();
            let request = Request { apart: PartKind::Tensors, ..Request::of(Reduction::Trace) };
            let found = layerwise::measure(&trained, &images, None, &request, &|| false).unwrap();
            let expected = jacobian::measure(&trained, &images, None, &request, &|| false).unwrap();
            let whole = norm(&expected.values);
            let gap = |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / whole;
            assert!(whole > 0.0 && gap(&found.values, &expected.values) < TOLERANCE, "{what}");
            assert_eq!(found.parts.len(), expected.parts.len(), "{what}");
            for (tensor, part) in &expected.parts {
                let own = &found.parts.iter().find(|(name, _)| name == tensor).expect("a part of the oracle").1;
                assert!(gap(own, part) < TOLERANCE, "{what}: {tensor}");
            }
            for (tensor, (old, new)) in trained.program().tensors.iter().zip(before.iter().zip(trained.named())) {
                let (name, moved) = (tensor.name.as_str(), old.values != new.values);
                let part = expected.parts.iter().find(|(part, _)| **part == *name).map_or(0.0, |(_, part)| norm(part));
                // Softmax does not see the keys' bias: such a tensor moves by rounding, if at all.
                let counts = tensor.is_statistic() || part > 1e-6 * whole;
                let stays = tensor.is_frozen(parametrisation) && !tensor.is_statistic();
                assert!(new.values.iter().all(|value| value.is_finite()), "{what}: {name}");
                assert!(!counts || moved, "{what}: {name} has not moved");
                assert!(!stays || !moved, "{what}: {name} has moved");
            }
        }
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Two layers with BatchNorm, and with something left out by chance.
const OTHER_IN_TRAINING: [&str; 2] = [
    "//! BatchNorm.\nlet width = setting(\"width\", 16, 8..64, \"units\");\n\
     dense(\"out\", act(batch_norm(\"bn\", dense(\"in\", x, width))), classes)\n",
    "//! Dropout.\nlet width = setting(\"width\", 16, 8..64, \"units\");\n\
     dense(\"out\", dropout(act(dense(\"in\", x, width)), 0.3), classes)\n",
];

fn other_in_training(text: &str) -> Spec {
    let mut spec = tiny();
    spec.network = NetworkSpec { program: "own".to_owned(), text: Some(Arc::from(text)), ..spec.network };
    spec.training.momentum = 0.5;
    spec
}

fn values(learner: &NetworkTrainer) -> Vec<(String, Vec<f32>)> {
    learner.without_autodiff().named().into_iter().map(|tensor| (tensor.name, tensor.values)).collect()
}

/// Batch by batch: a learner from another's state takes its steps to the last bit, on the same device or another, and one that
/// has forgotten how many steps it took leaves out other units.
#[test]
fn learners_go_on_with_statistics_and_chance() {
    let image = [1, 4, 4];
    for text in OTHER_IN_TRAINING {
        let spec = other_in_training(text);
        let batch = |seed: u64| noise(8, 16, seed).into_data().iter::<f32>().collect::<Vec<f32>>();
        let step = |learner: &mut NetworkTrainer, seed: u64| {
            learner.step(&batch(seed), &[0, 1, 2, 3, 0, 1, 2, 3], &StepOptions::at(0.05), false).loss
        };
        let fresh = || NetworkTrainer::new(&spec, image, 4, &Device::flex());
        let (mut one, mut twin) = (fresh(), fresh());
        for seed in 0..5 {
            assert_eq!(step(&mut one, seed).to_bits(), step(&mut twin, seed).to_bits());
        }
        assert_eq!(values(&one), values(&twin));
        let state: LearnerState = one.state();
        let mut restored = fresh();
        restored.restore(&state);
        let mut copied = one.copy_to(&Device::flex());
        assert_eq!(values(&restored), values(&one));
        let mut late = fresh();
        late.set_weights(&one.without_autodiff());
        let outputs = |learner: &NetworkTrainer| learner.outputs(&noise(3, 16, 9), &|| false).unwrap();
        assert_eq!(outputs(&restored), outputs(&one));
        for seed in 5..9 {
            let loss = step(&mut one, seed);
            assert_eq!([&mut restored, &mut copied].map(|learner| step(learner, seed).to_bits()), [loss.to_bits(); 2]);
            if text.contains("dropout") {
                assert_ne!(step(&mut late, seed).to_bits(), loss.to_bits(), "other units are left out");
            }
        }
        assert_eq!(values(&restored), values(&one));
        assert_eq!(values(&copied), values(&one));
    }
}

/// The running statistics follow the batches as PyTorch's do, and the evaluated network is computed with them.
#[test]
fn running_statistics_are_those_of_the_batches() {
    let spec = other_in_training(OTHER_IN_TRAINING[0]);
    let mut learner = NetworkTrainer::new(&spec, [1, 4, 4], 4, &Device::flex());
    let images = noise(8, 16, 5);
    let pixels: Vec<f32> = images.clone().into_data().iter().collect();
    let of = |learner: &NetworkTrainer, name: &str| -> Vec<f64> {
        let named = learner.without_autodiff().named().into_iter().find(|tensor| tensor.name == name).unwrap();
        named.values.into_iter().map(f64::from).collect()
    };
    let (weight, bias) = (of(&learner, "in.weight"), of(&learner, "in.bias"));
    learner.step(&pixels, &[0, 1, 2, 3, 0, 1, 2, 3], &StepOptions::at(0.0), false);
    let (mean, variance) = (of(&learner, "bn.running_mean"), of(&learner, "bn.running_var"));
    let row = |unit: usize, image: &[f32]| -> f64 {
        let dot = weight[16 * unit..][..16].iter().zip(image).map(|(w, x)| w * f64::from(*x)).sum::<f64>();
        dot + bias[unit]
    };
    for unit in 0..16 {
        let seen: Vec<f64> = pixels.chunks_exact(16).map(|image| row(unit, image)).collect();
        let batch_mean = seen.iter().sum::<f64>() / 8.0;
        let batch_variance = seen.iter().map(|z| (z - batch_mean).powi(2)).sum::<f64>() / 7.0;
        assert!((mean[unit] - 0.1 * batch_mean).abs() < 1e-5, "{} {batch_mean}", mean[unit]);
        assert!((variance[unit] - 0.9 - 0.1 * batch_variance).abs() < 1e-5, "{} {batch_variance}", variance[unit]);
    }
    // The logits, by hand.
    let (out, offset) = (of(&learner, "out.weight"), of(&learner, "out.bias"));
    let found = learner.outputs(&images, &|| false).unwrap();
    for (image, found) in pixels.chunks_exact(16).zip(found.chunks_exact(4)) {
        let hidden = |unit: usize| ((row(unit, image) - mean[unit]) / (variance[unit] + 1e-5).sqrt()).max(0.0);
        for (class, found) in found.iter().enumerate() {
            let logit = offset[class] + (0..16).map(|unit| out[16 * class + unit] * hidden(unit)).sum::<f64>();
            assert!((logit - f64::from(*found)).abs() < 1e-4, "{logit} {found}");
        }
    }
}

/// Whole runs: from the same seed, and from the state that a run kept at its switch or in the middle of a task.
#[test]
fn runs_and_their_futures_repeat_with_statistics_and_chance() {
    for text in OTHER_IN_TRAINING {
        let mut spec = other_in_training(text);
        // So long that a fork is asked for before the switch.
        spec.tasks.epochs = vec![40.0, 2.0];
        assert_eq!(rows(spec.clone()), rows(spec.clone()), "the same seed, the same run");
        let (from, parent) = kept(spec, true);
        let rest: Vec<_> = parent.into_iter().filter(|row| row.step > from.step).collect();
        assert!(from.step > 0 && !rest.is_empty());
        assert_eq!(timeless(go_on(&from, from.future([]))), rest, "{text}");
    }
}
