//! Continual-learning strategies: each against its published formula written out in f64, its state, and its refusals.

use std::collections::HashMap;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::data::Images;
use kernelscope::model::Network;
use kernelscope::ntk::squared_gradients;
use kernelscope::run::Row;
use kernelscope::spec::{Activation, DataShape, Loss, NetworkSpec, Parametrisation, Spec};
use kernelscope::train::{EndedTask, NetworkTrainer, StepOptions};

use super::fork::{go_on, kept};
use super::kernel::{noise, zoo};
use super::run::{rows, timeless};
use super::{sized, tiny};

fn never() -> bool {
    false
}

/// Numbers by tensor.
type Named = HashMap<String, Vec<f64>>;

fn doubles<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f32>().map(f64::from).collect()
}

/// The gradient of a number that a network computes, by burn's autodiff.
fn gradient(network: &Network, of: impl Fn(&Network) -> Tensor<1>) -> Named {
    let network = network.clone().train();
    let gradients = network.trained_gradients(&mut of(&network).backward(), &[]);
    network.gradients(&gradients).into_iter().map(|(name, tensor)| (name, doubles(tensor))).collect()
}

fn weights(learner: &NetworkTrainer) -> Named {
    let network = learner.without_autodiff();
    network.ids().into_iter().zip(network.flatten()).map(|((name, _), tensor)| (name, doubles(tensor))).collect()
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let gap: f64 = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    (gap / expected.iter().map(|b| b * b).sum::<f64>().max(1e-300)).sqrt()
}

/// Every kind of network in both parametrisations: the squares of the gradients of single samples, one backward pass for each
/// sample and direction.
#[test]
fn squared_gradients_are_those_of_single_samples() {
    let (n, classes) = (3, 4);
    let images = noise(n, 128, 3);
    for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
        for (name, network) in zoo(parametrisation, 7) {
            let directions = noise(n * 2, classes, 9).reshape([n, 2, classes]);
            let found = squared_gradients::sum(&network, &images, directions.clone(), &never).unwrap();
            let mut expected = Named::new();
            for sample in 0..n {
                for direction in 0..2 {
                    let image = images.clone().narrow(0, sample, 1);
                    let along = directions.clone().narrow(0, sample, 1).narrow(1, direction, 1).reshape([1, classes]);
                    let along = |network: &Network| (network.forward(image.clone()) * along.clone()).sum();
                    for (tensor, values) in gradient(&network, along) {
                        let sums = expected.entry(tensor).or_insert_with(|| vec![0.0; values.len()]);
                        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * value);
                    }
                }
            }
            assert_eq!(found.len(), expected.len(), "{name}: each tensor once");
            for (tensor, values) in found {
                let gap = relative(&doubles(values), &expected[&tensor]);
                assert!(gap < 2e-5, "{name}, {tensor}: {gap:e}");
            }
        }
    }
}

const IMAGE: [usize; 3] = [1, 3, 4];
const CLASSES: usize = 4;

/// A small network whose optimiser is plain SGD, so that a step tells the gradient.
fn learner(settings: &[&str]) -> NetworkTrainer {
    let network = NetworkSpec { width: 6.into(), activation: Activation::Gelu, ..sized("mlp", &[("depth", 2)]) };
    let mut spec = Spec { network, ..Spec::default() };
    spec.set_all(settings.iter().copied()).unwrap();
    NetworkTrainer::new(&spec, IMAGE, CLASSES, &Device::flex())
}

/// A few images of some classes.
fn images(seed: u64, labels: &[usize]) -> Images {
    let pixels = noise(labels.len(), 12, seed).into_data().iter::<f32>().collect();
    Images { shape: IMAGE, pixels, labels: labels.to_vec(), values: Vec::new() }
}

fn tensor(images: &Images) -> Tensor<2> {
    Tensor::from_data(TensorData::new(images.pixels.clone(), [images.len(), 12]), &Device::flex())
}

/// The loss of a batch as the page of definitions has it, with the logits that it includes, on α (f − f₀).
fn batch_loss(network: &Network, batch: &Images, setting: &Setting) -> Tensor<1> {
    let outputs = setting.outputs(network, &tensor(batch));
    let [n, _] = outputs.dims();
    let hot: Vec<f32> = batch.labels.iter().flat_map(|&y| (0..CLASSES).map(move |c| f32::from(c == y))).collect();
    let hot = Tensor::<2>::from_data(TensorData::new(hot, [n, CLASSES]), &Device::flex()).autodiff();
    let row = |here: f32, absent: f32| {
        let row = (0..CLASSES).map(|c| if setting.present.contains(&c) { here } else { absent }).collect::<Vec<_>>();
        Tensor::<2>::from_data(TensorData::new(row, [1, CLASSES]), &Device::flex()).autodiff()
    };
    match setting.loss {
        Loss::CrossEntropy => {
            let outputs = outputs + row(0.0, -1e30);
            -(burn::tensor::activation::log_softmax(outputs, 1) * hot).sum() / n as f64
        }
        Loss::Mse => ((outputs - hot) * row(1.0, 0.0)).powi_scalar(2).sum() * (0.5 / (n * CLASSES) as f64),
    }
}

/// What the loss acts on.
struct Setting {
    loss: Loss,
    present: Vec<usize>,
    /// α and the initial network.
    lazy: Option<(f64, Network)>,
}

impl Setting {
    fn outputs(&self, network: &Network, images: &Tensor<2>) -> Tensor<2> {
        let outputs = network.forward(images.clone());
        match &self.lazy {
            Some((alpha, initial)) => (outputs - initial.forward(images.clone())) * *alpha,
            None => outputs,
        }
    }
}

/// (1/N) Σ_n Σ_c p_c (∂ log p_c/∂w)² from one backward pass for each image and label, in f64; for the squared error
/// (1/N) Σ_n Σ_c (∂f_c/∂w)²/C.
fn fisher(network: &Network, images: &Images, setting: &Setting) -> Named {
    let mut sums = Named::new();
    for at in 0..images.len() {
        let image = tensor(images).narrow(0, at, 1);
        let outputs = doubles(setting.outputs(network, &image));
        let top: f64 = setting.present.iter().map(|&c| outputs[c].exp()).sum();
        for &c in &setting.present {
            let one = Images { shape: IMAGE, labels: vec![c], values: vec![], pixels: images.image(at).to_vec() };
            let logit = |network: &Network| setting.outputs(network, &image).narrow(1, c, 1).sum();
            let (share, found) = match setting.loss {
                Loss::CrossEntropy => {
                    (outputs[c].exp() / top, gradient(network, |network| batch_loss(network, &one, setting)))
                }
                Loss::Mse => (1.0 / CLASSES as f64, gradient(network, logit)),
            };
            for (name, values) in found {
                let sums = sums.entry(name).or_insert_with(|| vec![0.0; values.len()]);
                let shares = values.into_iter().map(|value| share * value * value / images.len() as f64);
                sums.iter_mut().zip(shares).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    sums
}

/// The settings in which the Fisher information and the penalty are compared: both losses, masked logits, laziness.
const SETTINGS: [(&[&str], &[usize]); 4] = [
    (&[], &[0, 1, 2, 3]),
    (&[], &[0, 1]),
    (&["training.loss=mse"], &[0, 1, 2, 3]),
    (&["network.alpha=3.0"], &[0, 1, 2, 3]),
];

/// After two tasks the gradient of a step is that of the loss and λ Σ_k F_k (w − w*_k), with a Fisher information that is
/// computed from every image and label by itself; online with γ F₁ + F₂ around the second task's weights alone.
#[test]
fn the_gradient_of_ewc_is_the_closed_form_of_its_penalty() {
    let (rate, lambda) = (0.05, 7.0);
    for (settings, present) in SETTINGS {
        for decay in [None, Some(0.5)] {
            let mut all = vec!["continual.strategy=ewc".to_owned(), format!("continual.ewc_lambda={lambda:?}")];
            all.extend(decay.map(|decay| format!("continual.ewc_decay={decay:?}")));
            all.extend(settings.iter().map(|&setting| setting.to_owned()));
            let mut learner = learner(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let alpha = settings.iter().any(|setting| setting.contains("alpha")).then_some(3.0);
            let loss = if settings.contains(&"training.loss=mse") { Loss::Mse } else { Loss::CrossEntropy };
            let lazy = alpha.map(|alpha| (alpha, learner.without_autodiff()));
            let setting = Setting { loss, present: present.to_vec(), lazy };
            let terms = StepOptions { present: Some(present.to_vec()), ..StepOptions::at(rate) };
            let step = |learner: &mut NetworkTrainer, seed| {
                let batch = images(seed, &[0, 1, 1, 0, 1]);
                learner.step(&batch.pixels, &batch.labels, &terms, false);
                batch
            };
            let mut anchors: Vec<(Named, Named)> = Vec::new();
            for task in 0..2 {
                for seed in 0..4 {
                    step(&mut learner, 10 * task + seed);
                }
                let seen = images(100 + task, &[0, 1, 0, 0, 1, 1, 0]);
                let own = fisher(&learner.without_autodiff(), &seen, &setting);
                let ended = EndedTask { images: seen, classes: present.to_vec(), present: Some(present.to_vec()) };
                learner.end_task(&ended, &never).unwrap();
                let fisher = match (decay, anchors.pop_if(|_| decay.is_some())) {
                    (Some(decay), Some((before, _))) => {
                        let sum = |name: &String| before[name].iter().zip(&own[name]).map(|(a, b)| decay * a + b);
                        own.keys().map(|name| (name.clone(), sum(name).collect())).collect()
                    }
                    _ => own,
                };
                anchors.push((fisher, weights(&learner)));
            }
            assert_eq!(anchors.len(), if decay.is_some() { 1 } else { 2 });
            step(&mut learner, 40);
            step(&mut learner, 41);
            let (before, network) = (weights(&learner), learner.without_autodiff());
            let batch = step(&mut learner, 42);
            let after = weights(&learner);
            for (name, own) in gradient(&network, |network| batch_loss(network, &batch, &setting)) {
                let pull = |at: usize| -> f64 {
                    let each =
                        |(fisher, anchor): &(Named, Named)| fisher[&name][at] * (before[&name][at] - anchor[&name][at]);
                    lambda * anchors.iter().map(each).sum::<f64>()
                };
                let taken = |at: usize| (before[&name][at] - after[&name][at]) / rate;
                let expected: Vec<f64> = own.iter().enumerate().map(|(at, own)| own + pull(at)).collect();
                let found: Vec<f64> = (0..own.len()).map(taken).collect();
                // A weight is stored in 32 bits: that much of a step is lost.
                let gap = relative(&found, &expected);
                assert!(gap < 2e-4, "{settings:?}, {present:?}, {decay:?}, {name}: {gap:e}");
                let share = relative(&expected, &own);
                assert!(share > 1e-3, "{name}: the penalty is seen, {share:e}");
            }
        }
    }
}

/// A stream of three tasks, cut where a task begins and in the midst of one.
fn long(setting: &str) -> Spec {
    let mut spec = tiny();
    spec.tasks.epochs = vec![3.0, 2.0, 1.0];
    spec.tasks.classes = vec![vec![0, 1], vec![2, 3], vec![4, 5]];
    spec.training.rate = 0.02;
    spec.set_all(setting.split(' ')).unwrap();
    spec
}

const STRATEGIES: [&str; 2] = ["continual.strategy=ewc", "continual.strategy=ewc continual.ewc_decay=0.9"];

#[test]
fn a_run_that_goes_on_from_a_state_is_the_uninterrupted_one() {
    let plain = rows(long("continual.strategy=none"));
    for setting in STRATEGIES {
        let spec = long(setting);
        assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec, "{setting}: it can be written down");
        for at_switch in [true, false] {
            let (from, parent) = kept(spec.clone(), at_switch);
            let rest: Vec<Row> = parent.iter().filter(|row| row.step > from.step).cloned().collect();
            assert!(!rest.is_empty() && from.step > 0);
            assert_eq!(timeless(go_on(&from, from.future([]))), rest, "{setting}");
            let last = |rows: &[Row]| rows.last().unwrap().blocks[0].loss;
            assert_ne!(last(&parent), last(&plain), "{setting} changes something");
        }
    }
}

#[test]
fn a_spec_without_a_strategy_has_no_such_section() {
    assert!(!Spec::default().to_toml().contains("continual"));
    let mut spec = Spec::default();
    spec.set("continual.strategy=ewc").unwrap();
    assert!(spec.to_toml().contains("[continual]"));
}

#[test]
fn what_a_strategy_cannot_go_with_is_refused_in_one_sentence() {
    let refused = |settings: &[&str]| -> Vec<String> {
        let mut spec = tiny();
        spec.set_all(settings.iter().copied()).unwrap();
        let problems = spec.problems(&DataShape::expected(&spec));
        problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
    };
    assert!(refused(&["continual.strategy=ewc"]).is_empty());
    for (settings, word) in [
        (&["kernel.predict=true"] as &[&str], "kernel.predict: a network with a constant kernel"),
        (&["network.width=inf", "network.parametrisation=ntk"], "continual.strategy: at infinite width"),
        (&["changes=[{place=2, clamped=true}]"], "changes: steps can only be clamped"),
        (&["continual.ewc_lambda=-1.0"], "continual.ewc_lambda: the weight"),
        (&["continual.ewc_decay=2.0"], "continual.ewc_decay: γ"),
    ] {
        let all: Vec<&str> = settings.iter().copied().chain(["continual.strategy=ewc"]).collect();
        let found = refused(&all);
        assert!(found.iter().any(|message| message.starts_with(word)), "{settings:?}: {found:?}");
    }
}
