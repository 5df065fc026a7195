//! Continual-learning strategies: each against its published formula written out in f64, its state, and its refusals.

use std::collections::HashMap;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::data::Images;
use kernelscope::model::Network;
use kernelscope::ntk::squared_gradients;
use kernelscope::run::Row;
use kernelscope::spec::{Activation, DataShape, Fisher, Init, Loss, NetworkSpec, Parametrisation, Spec, Strategy};
use kernelscope::train::{EndedTask, NetworkTrainer, StepOptions};

use super::fork::{go_on, kept};
use super::kernel::{noise, zoo};
use super::replay::forgetful;
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
            let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
            let whole = expected.values().map(|values| norm(values)).fold(0.0, f64::max);
            for (tensor, values) in found {
                let expected = &expected[&tensor];
                let gap: Vec<f64> = doubles(values).iter().zip(expected).map(|(a, b)| a - b).collect();
                // A bias on keys moves every attention logit of a row alike: of its gradient rounding is all that is left.
                let most = 2e-5 * norm(expected) + 1e-10 * whole;
                assert!(norm(&gap) < most, "{name}, {tensor}: {:e} of {:e}", norm(&gap), norm(expected));
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
/// (1/N) Σ_n Σ_c (∂f_c/∂w)²/C. The other kinds square the gradient of the loss of an image, weighted by p_y or not, or of a
/// batch.
fn fisher(network: &Network, images: &Images, setting: &Setting, kind: Fisher) -> Named {
    let mut sums = Named::new();
    if kind != Fisher::Expected {
        let size = if kind == Fisher::Batches { BATCH } else { 1 };
        let batches = images.labels.len().div_ceil(size) as f64;
        for (labels, pixels) in images.labels.chunks(size).zip(images.pixels.chunks(size * 12)) {
            let batch = Images { shape: IMAGE, labels: labels.to_vec(), values: vec![], pixels: pixels.to_vec() };
            let loss = || doubles(batch_loss(&network.clone().train(), &batch, setting))[0];
            let weight = if kind == Fisher::WeightedLabels { (-loss()).exp() } else { 1.0 };
            for (name, values) in gradient(network, |network| batch_loss(network, &batch, setting)) {
                let sums = sums.entry(name).or_insert_with(|| vec![0.0; values.len()]);
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value * value / batches);
            }
        }
        return sums;
    }
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

/// The size of a batch: of seven images there are two whole ones and a smaller one.
const BATCH: usize = 3;

/// After two tasks the gradient of a step is that of the loss and λ Σ_k F_k (w − w*_k), with a Fisher information that is
/// computed from every image and label by itself; online with γ F₁ + F₂ around the second task's weights alone.
#[test]
fn the_gradient_of_ewc_is_the_closed_form_of_its_penalty() {
    let rate = 0.05;
    for (settings, present) in SETTINGS {
        let kinds = Fisher::ALL.map(|kind| (None, kind)).into_iter().chain([(Some(0.5), Fisher::Expected)]);
        for (decay, kind) in kinds {
            let loss = if settings.contains(&"training.loss=mse") { Loss::Mse } else { Loss::CrossEntropy };
            if kind.needs_probabilities() && loss == Loss::Mse {
                continue;
            }
            // Gradients of true labels are small once these are learnt; laziness makes them α times as large, and α² the information.
            let lazy = settings.iter().any(|setting| setting.contains("alpha"));
            let lambda = if kind == Fisher::Expected || lazy { 7.0 } else { 70.0 };
            let mut all = vec!["continual.strategy=ewc".to_owned(), format!("continual.ewc_lambda={lambda:?}")];
            all.push(format!("training.batch={BATCH}"));
            all.push(format!("continual.ewc_fisher={}", kind.key()));
            all.extend(decay.map(|decay| format!("continual.ewc_decay={decay:?}")));
            all.extend(settings.iter().map(|&setting| setting.to_owned()));
            let mut learner = learner(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let alpha = settings.iter().any(|setting| setting.contains("alpha")).then_some(3.0);
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
                let own = fisher(&learner.without_autodiff(), &seen, &setting, kind);
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
                assert!(gap < 2e-4, "{settings:?}, {present:?}, {decay:?}, {kind:?}, {name}: {gap:e}");
                let share = relative(&expected, &own);
                // More than the gap that is allowed.
                assert!(share > 3e-4, "{settings:?}, {kind:?}, {name}: the penalty is seen, {share:e}");
            }
        }
    }
}

/// The gradients of SI's steps: those of the loss along the path make ω and Ω, which are summed here in f64 from autodiff and the
/// weights between the steps; in the next task the penalty's gradient 2c Σ Ω (w − w*) joins.
#[test]
fn the_importance_of_si_is_the_path_integral_of_the_gradient() {
    let (rate, c, xi) = (0.1, 0.3, 0.01);
    let setting = Setting { loss: Loss::CrossEntropy, present: vec![0, 1, 2, 3], lazy: None };
    let mut learner = learner(&["continual.strategy=si", "continual.si_c=0.3", "continual.si_xi=0.01"]);
    let mut importance = Named::new();
    let mut from = weights(&learner);
    for task in 0..3 {
        let mut path = Named::new();
        for seed in 0..5 {
            let batch = images(10 * task + seed, &[0, 1, 2, 3, 1]);
            let (before, network) = (weights(&learner), learner.without_autodiff());
            learner.step(&batch.pixels, &batch.labels, &StepOptions::at(rate), false);
            let after = weights(&learner);
            for (name, own) in gradient(&network, |network| batch_loss(network, &batch, &setting)) {
                let omega = importance.get(&name);
                let pull = |at: usize| omega.map_or(0.0, |o| 2.0 * c * o[at] * (before[&name][at] - from[&name][at]));
                let expected: Vec<f64> = own.iter().enumerate().map(|(at, own)| own + pull(at)).collect();
                let found: Vec<f64> =
                    before[&name].iter().zip(&after[&name]).map(|(before, after)| (before - after) / rate).collect();
                let gap = relative(&found, &expected);
                assert!(gap < 3e-4, "task {task}, step {seed}, {name}: {gap:e}");
                if task > 0 && seed == 4 {
                    assert!(relative(&expected, &own) > 1e-3, "{name}: the penalty is seen");
                }
                let shares = path.entry(name.clone()).or_insert_with(|| vec![0.0; own.len()]);
                let moved = before[&name].iter().zip(&after[&name]).map(|(before, after)| after - before);
                shares.iter_mut().zip(own.iter().zip(moved)).for_each(|(share, (g, moved))| *share -= g * moved);
            }
        }
        let here = weights(&learner);
        for (name, shares) in path {
            let far = here[&name].iter().zip(&from[&name]).map(|(here, from)| (here - from).powi(2));
            let sums = importance.entry(name).or_insert_with(|| vec![0.0; shares.len()]);
            sums.iter_mut().zip(shares.iter().zip(far)).for_each(|(sum, (share, far))| *sum += share / (far + xi));
        }
        let ended = EndedTask { images: images(0, &[0]), classes: vec![0, 1, 2, 3], present: None };
        learner.end_task(&ended, &never).unwrap();
        from = here;
    }
}

fn dot(a: &Named, b: &Named) -> f64 {
    a.iter().map(|(name, a)| a.iter().zip(&b[name]).map(|(a, b)| a * b).sum::<f64>()).sum()
}

/// With a memory of no more images than are drawn every draw is all of it. A step is along g where g·g_ref ≥ 0, and else along what
/// of g is orthogonal to g_ref; with logits masked, each image of the memory has those of its own task.
#[test]
fn a_step_of_a_gem_never_goes_against_the_memory() {
    let rate = 0.3;
    let mut met = [0, 0];
    for (masked, drawn) in [(false, "training.batch=6"), (true, "continual.memory_batch=6")] {
        let mut learner = learner(&["continual.strategy=a-gem", "training.batch=2", drawn]);
        let present = |task: usize| if masked { vec![2 * task, 2 * task + 1] } else { vec![0, 1, 2, 3] };
        let setting = |task: usize| Setting { loss: Loss::CrossEntropy, present: present(task), lazy: None };
        let terms = |task: usize| StepOptions { present: masked.then(|| present(task)), ..StepOptions::at(rate) };
        let memory = images(77, &[0, 1, 1, 0]);
        let before = weights(&learner);
        let batch = images(3, &[0, 1, 0, 1]);
        learner.step(&batch.pixels, &batch.labels, &terms(0), false);
        assert_ne!(before, weights(&learner));
        let ended = EndedTask { images: memory.clone(), classes: vec![0, 1], present: masked.then(|| present(0)) };
        learner.end_task(&ended, &never).unwrap();
        // Images of earlier classes among the new ones: then the gradients agree.
        for seed in 0..12 {
            let labels = if seed % 3 == 0 { [0, 1, 1, 0] } else { [2, 3, 3, 2] };
            let task = usize::from(seed % 3 != 0);
            let batch = images(if seed % 3 == 0 { 77 } else { seed }, &labels);
            let (before, network) = (weights(&learner), learner.without_autodiff());
            let own = gradient(&network, |network| batch_loss(network, &batch, &setting(task)));
            let reference = gradient(&network, |network| batch_loss(network, &memory, &setting(0)));
            learner.step(&batch.pixels, &batch.labels, &terms(task), false);
            let after = weights(&learner);
            let taken: Named = own
                .iter()
                .map(|(name, own)| {
                    let step = before[name].iter().zip(&after[name]).map(|(before, after)| (before - after) / rate);
                    assert_eq!(step.len(), own.len());
                    (name.clone(), step.collect())
                })
                .collect();
            let along = dot(&own, &reference);
            let share = along.min(0.0) / dot(&reference, &reference);
            for (name, own) in &own {
                let expected: Vec<f64> = own.iter().zip(&reference[name]).map(|(g, r)| g - share * r).collect();
                let gap = relative(&taken[name], &expected);
                assert!(gap < 3e-4, "masked {masked}, step {seed}, {name}: {gap:e}");
            }
            let size = (dot(&taken, &taken) * dot(&reference, &reference)).sqrt();
            assert!(dot(&taken, &reference) > -1e-4 * size, "{}", dot(&taken, &reference) / size);
            met[usize::from(along < 0.0)] += 1;
        }
    }
    assert!(met[0] > 2 && met[1] > 2, "both kinds of steps were taken: {met:?}");
}

/// The loss of a step is the mean over a batch and as many images of the memory, which holds the batch before.
#[test]
fn experience_replay_is_the_mean_over_the_batch_and_the_memory() {
    let setting = Setting { loss: Loss::CrossEntropy, present: vec![0, 1, 2, 3], lazy: None };
    for selection in ["reservoir", "balanced"] {
        let selection = format!("continual.selection={selection}");
        let settings = ["continual.strategy=experience-replay", "continual.memory=3", selection.as_str()];
        let mut learner = learner(&settings);
        let (first, second) = (images(1, &[0, 1, 1]), images(2, &[2, 3, 2, 3, 2]));
        learner.step(&first.pixels, &first.labels, &StepOptions::at(0.1), false);
        let network = learner.without_autodiff().train();
        let of = |batch: &Images| doubles(batch_loss(&network, batch, &setting))[0];
        let expected = (3.0 * of(&first) + 5.0 * of(&second)) / 8.0;
        let found = learner.step(&second.pixels, &second.labels, &StepOptions::at(0.1), false).loss;
        assert!((found - expected).abs() < 1e-5 * expected, "{selection}: {found} against {expected}");
    }
    // Two images are drawn of the three.
    let settings = ["continual.strategy=experience-replay", "continual.memory=3", "continual.memory_batch=2"];
    let mut learner = learner(&settings);
    let (first, second) = (images(1, &[0, 1, 1]), images(2, &[2, 3, 2, 3, 2]));
    learner.step(&first.pixels, &first.labels, &StepOptions::at(0.1), false);
    let network = learner.without_autodiff().train();
    let of = |batch: &Images| doubles(batch_loss(&network, batch, &setting))[0];
    let without = |left: usize| {
        let kept = (0..3).filter(|&at| at != left);
        let pixels = kept.clone().flat_map(|at| first.image(at).to_vec()).collect();
        let labels = kept.map(|at| first.labels[at]).collect();
        let drawn = Images { shape: IMAGE, labels, values: vec![], pixels };
        (2.0 * of(&drawn) + 5.0 * of(&second)) / 7.0
    };
    let found = learner.step(&second.pixels, &second.labels, &StepOptions::at(0.1), false).loss;
    let fits = (0..3).filter(|&left| (found / without(left) - 1.0).abs() < 1e-5).count();
    assert_eq!(fits, 1, "{found} against {:?}", [0, 1, 2].map(without));
}

/// What LwF and DER++ do to a small network step by step, in PyTorch and float64 (`tests/fixtures/make_continual.py`).
#[test]
fn lwf_and_der_take_the_steps_of_pytorch() {
    let made: serde_json::Value = serde_json::from_slice(include_bytes!("../fixtures/continual.json")).unwrap();
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let image = |task: usize| numbers(&made["images"][task]).iter().map(|&v| v as f32).collect::<Vec<f32>>();
    let labels = |task: usize| numbers(&made["labels"][task]).iter().map(|&v| v as usize).collect::<Vec<usize>>();
    let start = |settings: &[&str]| {
        let network = NetworkSpec { activation: Activation::Tanh, ..NetworkSpec::of("mlp") };
        let bytes = include_bytes!("../fixtures/continual.safetensors").to_vec();
        let (start, _) = Network::load(&network, &[bytes], IMAGE, &Device::flex()).unwrap();
        let mut spec = Spec { network, ..Spec::default() };
        spec.set_all(settings.iter().copied()).unwrap();
        NetworkTrainer::starting_from(&start, &spec, (IMAGE, 6), &Device::flex())
    };
    let compare = |what: &str, learner: &NetworkTrainer, losses: Vec<f64>| {
        let gap = relative(&losses, &numbers(&made[what]["losses"]));
        assert!(gap < 1e-6, "{what}: {losses:?} against {}", made[what]["losses"]);
        let images = learner.upload(&image(0), 5);
        let outputs: Vec<f64> = learner.outputs(&images, &never).unwrap().into_iter().map(f64::from).collect();
        let gap = relative(&outputs, &numbers(&made[what]["outputs"]));
        assert!(gap < 1e-5, "{what}: outputs {gap:e}");
    };
    for (what, masked) in [("lwf", false), ("lwf_heads", true)] {
        let mut learner = start(&["continual.strategy=lwf", "continual.lwf_alpha=0.7"]);
        let mut losses = Vec::new();
        for task in 0..3 {
            let classes = vec![2 * task, 2 * task + 1];
            let present = masked.then(|| classes.clone());
            let terms = StepOptions { present: present.clone(), ..StepOptions::at(0.1) };
            losses.extend((0..3).map(|_| learner.step(&image(task), &labels(task), &terms, false).loss));
            learner.end_task(&EndedTask { images: images(0, &[0]), classes, present }, &never).unwrap();
        }
        compare(what, &learner, losses);
    }
    let settings =
        ["continual.strategy=der++", "continual.der_alpha=0.3", "continual.der_beta=0.6", "continual.memory=5"];
    let mut learner = start(&settings);
    let losses = (0..2).map(|task| learner.step(&image(task), &labels(task), &StepOptions::at(0.1), false).loss);
    let losses = losses.collect();
    compare("der", &learner, losses);
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

const STRATEGIES: [&str; 9] = [
    "continual.strategy=joint",
    "continual.strategy=ewc",
    "continual.strategy=ewc continual.ewc_decay=0.9 continual.ewc_fisher=batches training.masked=true",
    "continual.strategy=si training.momentum=0.5",
    "continual.strategy=lwf",
    "continual.strategy=experience-replay continual.memory=20",
    "continual.strategy=experience-replay continual.memory=20 continual.selection=balanced training.optimiser=adam",
    "continual.strategy=a-gem continual.memory=60 continual.memory_batch=7",
    "continual.strategy=der++ continual.memory=20 continual.memory_batch=90",
];

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
        (&["continual.si_xi=0.0"], "continual.si_xi: ξ"),
        (&["continual.lwf_temperature=0.0"], "continual.lwf_temperature: the temperature"),
        (&["continual.memory=0"], "continual.memory: there can be 1"),
        (&["continual.memory_batch=70000"], "continual.memory_batch: a step can draw at most"),
        (
            &["continual.ewc_fisher=weighted-labels", "training.loss=mse"],
            "continual.ewc_fisher: the squared error has no probabilities",
        ),
    ] {
        let all: Vec<&str> = settings.iter().copied().chain(["continual.strategy=ewc"]).collect();
        let found = refused(&all);
        assert!(found.iter().any(|message| message.starts_with(word)), "{settings:?}: {found:?}");
    }
    for (settings, word) in [
        (["continual.strategy=der++", "training.replay=10"], "training.replay: DER++ brings back images"),
        (["continual.strategy=a-gem", "changes=[{place=2, replay=10}]"], "training.replay: A-GEM brings back images"),
        (["continual.strategy=joint", "training.replay=10"], "training.replay: joint training brings back images"),
        (["continual.strategy=lwf", "training.loss=mse"], "continual.strategy: LwF compares probabilities"),
    ] {
        let found = refused(&settings);
        assert!(found.iter().any(|message| message.starts_with(word)), "{settings:?}: {found:?}");
    }
    assert!(refused(&["continual.strategy=joint", "kernel.predict=true"]).is_empty(), "only its batches differ");
}

/// Joint training is fine-tuning until the second task begins, for the infinitely wide network too, and learns both from there.
#[test]
fn joint_training_begins_as_fine_tuning_and_keeps_the_first_task() {
    let spec = forgetful();
    let mut wide = tiny();
    wide.data.per_class = 10;
    wide.set_all(["network.width=inf", "network.parametrisation=ntk", "training.rate=1.0"]).unwrap();
    for (plain, keeps) in [(spec, true), (wide, false)] {
        let mut joint = plain.clone();
        joint.set("continual.strategy=joint").unwrap();
        let (plain, joint) = (rows(plain), rows(joint));
        let switch = plain.iter().position(|row| row.at_switch).unwrap();
        assert_eq!(plain[..=switch], joint[..=switch]);
        assert_ne!(plain.last(), joint.last());
        let kept = |rows: &[Row]| rows.last().unwrap().accuracy[0].accuracy.unwrap();
        assert!(!keeps || kept(&joint) > kept(&plain) + 0.3, "{} with, {} without", kept(&joint), kept(&plain));
    }
}

#[test]
fn every_strategy_is_declared_once() {
    for strategy in Strategy::ALL {
        let mut spec = tiny();
        spec.set(&format!("continual.strategy={}", strategy.key())).unwrap();
        assert_eq!(spec.continual.strategy, strategy);
        assert_eq!(spec.continual.label().is_empty(), !strategy.is_any());
        assert!(!strategy.words().is_empty() && !strategy.help().ends_with('.'));
        assert!(spec.problems(&DataShape::expected(&spec)).is_empty(), "{strategy:?}");
    }
}

/// The study of the page on continual learning: every run of it is one that starts, and its steps are those of Mammoth's settings.
#[test]
fn the_study_of_split_mnist_is_that_of_the_page() {
    let mut study = Spec::from_toml(include_str!("../../docs/science/split-mnist.toml")).unwrap();
    // The files of MNIST are not here.
    study.data.source = Spec::default().data.source;
    assert_eq!(study.study_problems(), []);
    let runs = study.runs().unwrap();
    let of = |name: &str| {
        let found: Vec<&Spec> = runs.iter().filter(|run| run.value == name).map(|run| &run.spec).collect();
        assert_eq!(found.len(), 10, "{name}: {:?}", runs.iter().map(|run| &run.value).collect::<Vec<_>>());
        found[0]
    };
    let drawn = |name: &str| of(name).continual.drawn(of(name).training.batch);
    assert_eq!(["A-GEM, 200", "replay, 500", "DER++, 500"].map(drawn), [128, 10, 10]);
    assert_eq!((of("A-GEM, 200").continual.images_at_end(5), of("EWC").continual.images_at_end(5)), (40, usize::MAX));
    assert_eq!(of("DER++, 200").continual.passes(10), 1.0 + 2.0 * 12.8);
    assert_eq!((of("fine-tuning").network.init, of("fine-tuning").training.rate), (Init::Xavier, 0.03));
}
