//! The linearised network: J Δw against the oracle's Jacobian, and its training against the closed form of its own kernel.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use kernelscope::math::regression::Regression;
use kernelscope::model::Network;
use kernelscope::ntk::tangent::outputs_and_change;
use kernelscope::ntk::{Reduction, Request, jacobian};
use kernelscope::run::{Accuracy, Event, Predictor, RegressionKernel, Row};
use kernelscope::spec::{Activation, KernelSpec, Loss, NetworkSpec, Optimiser, Parametrisation, Spec};
use kernelscope::train::{NetworkTrainer, StepOptions, score};

use super::kernel::{noise, zoo};
use super::run::rows as run_rows;
use super::tiny;

fn values(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().iter::<f32>().map(f64::from).collect()
}

/// Σ over parameters of ∂f_c(x)/∂w · Δw by burn's autodiff, one image and logit at a time.
pub fn by_autodiff(network: &Network, images: &Tensor<2>, moved: &[(String, Tensor<1>)]) -> Vec<f64> {
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
            let moved = other.displacement_from(&network);
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
    for (kind, alpha) in [("mlp", None), ("mlp", Some(3.0)), ("cnn", None)] {
        let width = if kind == "cnn" { 4 } else { 24 };
        let network = NetworkSpec { width: width.into(), activation: Activation::Tanh, alpha, ..NetworkSpec::of(kind) };
        let mut spec = Spec { network, ..Spec::default() };
        spec.training.loss = Loss::Mse;
        let (n, classes, steps) = (6, 4, 12);
        let images = noise(n, 64, 11);
        let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
        let labels = [0, 1, 2, 3, 0, 1];
        let mut learner = NetworkTrainer::new(&spec, [1, 8, 8], classes, &Device::flex());
        // Away from initialisation, where f is 0 or small: some steps first.
        let (scale, rate) = (alpha.unwrap_or(1.0), 0.02 / alpha.unwrap_or(1.0f64).powi(2));
        (0..3).for_each(|_| _ = learner.step(&pixels, &labels, &StepOptions::at(rate), false));
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
            linearised.step(&images, &labels, None, &StepOptions::at(rate));
        }
        let found = values(linearised.apply(&images));
        let moved = f.iter().zip(&start).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let gap = f.iter().zip(&found).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() / moved;
        assert!(moved > 0.05 && gap < 1e-4, "{kind:?}, α {alpha:?}: {gap:e} of a way of {moved:e}");
        // The network itself has gone elsewhere, or this test would see nothing.
        (0..steps).for_each(|_| _ = learner.step(&pixels, &labels, &StepOptions::at(rate), false));
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
            (spec.network.width, spec.network.alpha) = (32.into(), Some(alpha));
            spec.network.activation = Activation::Tanh;
            (spec.training.optimiser, spec.training.momentum) = (optimiser, momentum);
            let images = noise(8, 12, 3);
            let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
            let labels = [0, 1, 2, 3, 4, 0, 1, 2];
            let mut learner = NetworkTrainer::new(&spec, [1, 3, 4], 5, &Device::flex());
            let mut linearised = learner.linearised();
            let rate = if optimiser == Optimiser::Adam { 0.01 / alpha } else { 0.05 / (alpha * alpha) };
            let mut other = None;
            for step in 0..10 {
                learner.step(&pixels, &labels, &StepOptions::at(rate), false);
                linearised.step(&images, &labels, None, &StepOptions::at(rate));
                if step == 4 {
                    let mut fresh = NetworkTrainer::new(&spec, [1, 3, 4], 5, &Device::flex()).linearised();
                    fresh.restore(&linearised.state());
                    other = Some(fresh);
                } else if let Some(other) = &mut other {
                    other.step(&images, &labels, None, &StepOptions::at(rate));
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

#[test]
fn a_run_predicts_what_a_static_kernel_would_do() {
    let mut spec = tiny();
    spec.tasks.epochs = vec![3.0, 2.0];
    spec.kernel.predict = true;
    spec.training.rate = 0.01;
    let rows = run_rows(spec.clone());
    let of = |row: &Row, by: Predictor, task: usize| {
        row.predictions.iter().find(|found| found.by == by && found.on.task == task).copied()
    };
    // Where it is linearised it is the network; then the kernel moves, and they part.
    let first = of(&rows[0], Predictor::LinearisedStart, 1).unwrap();
    assert_eq!((first.gap, first.on), (Some(0.0), Accuracy { probe: None, ..rows[0].accuracy[0] }));
    let switch = rows.iter().position(|row| row.at_switch).unwrap();
    let gap = |row: &Row, by| of(row, by, 1).and_then(|found| found.gap);
    assert!(rows[..=switch].iter().all(|row| gap(row, Predictor::LinearisedSwitch).is_none()));
    let [before, after, last] = [switch, switch + 1, rows.len() - 1].map(|place| &rows[place]);
    assert!(gap(before, Predictor::LinearisedStart).unwrap() > 0.0);
    let [near, far] = [after, last].map(|row| gap(row, Predictor::LinearisedSwitch).unwrap());
    assert!(near < far, "{near:e}, then {far:e}");
    assert!(near < 0.1 * gap(after, Predictor::LinearisedStart).unwrap(), "a step from where it was linearised");
    // The regressions stand still, and say on what ground.
    for by in [Predictor::RegressionStart, Predictor::RegressionSwitch] {
        let [one, two] = [after, last].map(|row| of(row, by, 2).unwrap());
        assert_eq!(one.on, two.on);
        let masked = one.on.masked.unwrap();
        assert!(masked > 0.4, "{by:?}: {masked}");
        let solved = one.solved.unwrap();
        assert!(solved.condition > 1.0 && solved.jitter >= 0.0);
        // The 1,900 rows of the full kernel of so narrow a network are not independent.
        assert_eq!(solved.kernel, RegressionKernel::Trace);
    }
    // Training is not touched by being predicted.
    let plain = run_rows(Spec { kernel: KernelSpec { predict: false, ..spec.kernel.clone() }, ..spec });
    let bare: Vec<Row> = rows.into_iter().map(|row| Row { predictions: Vec::new(), ..row }).collect();
    assert_eq!(bare, plain);
}

/// The regression at a switch is kernel regression with the oracle's full kernel, of all pairs of images and logits.
#[test]
fn the_prediction_at_infinity_is_kernel_regression_from_the_network_at_the_switch() {
    let mut spec = tiny();
    spec.tasks.epochs = vec![1.0, 1.0];
    // Wide enough for 500 rows to be independent; without the warning that they are not.
    (spec.kernel.predict, spec.network.width, spec.data.per_class) = (true, 64.into(), 12);
    // All training images are taken: at most 100 a class.
    let events = super::read_all(&super::start(spec.clone()));
    let told = |event: &Event| matches!(event, Event::Warning { message, .. } if message.contains("trace kernel"));
    assert!(!events.iter().any(told));
    let weights =
        events.iter().find_map(|event| if let Event::Weights(weights) = event { Some(weights) } else { None });
    let data = kernelscope::data::prepare(&spec).unwrap();
    let device = Device::flex();
    let mut learner = NetworkTrainer::new(&spec, [1, 28, 28], 10, &device);
    // The same steps by hand, and the same weights.
    for done in 0..data.stream.task(1).info().steps_per_epoch {
        let task = data.stream.task(1);
        let order = kernelscope::data::batch_order(spec.seed, 1, 0, task.train_len());
        let range = kernelscope::data::batch_range(done, spec.training.batch, task.train_len());
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        task.batch(&order[range], &mut pixels, &mut labels);
        learner.step(&pixels, &labels, &StepOptions::at(spec.training.rate), false);
    }
    assert_eq!(learner.network().named(), weights.unwrap().tensors);
    let task = data.stream.task(2);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    task.batch(&(0..task.train_len()).collect::<Vec<_>>(), &mut pixels, &mut labels);
    let images = learner.upload(&pixels, labels.len());
    let test = data.stream.task(1).test();
    let others = learner.upload(&test.pixels, test.len());
    let request = Request::of(Reduction::Full);
    let network = learner.network().clone().valid();
    let square = jacobian::measure(&network, &images, None, &request, &|| false).unwrap().values;
    let rectangle = jacobian::measure(&network, &others, Some(&images), &request, &|| false).unwrap().values;
    let now = |images| -> Vec<f64> { learner.outputs(images, &|| false).unwrap().into_iter().map(f64::from).collect() };
    let targets: Vec<f64> = (0..labels.len() * 10).map(|at| f64::from(u8::from(labels[at / 10] == at % 10))).collect();
    // A column of targets: a row of the kernel is an image and a logit.
    let (gram, _) = kernelscope::math::Gram::symmetrised(10 * labels.len(), square).unwrap();
    let solved = Regression::solve(&gram, &targets, Some(&now(&images)), 0.0).unwrap();
    let outputs: Vec<f32> =
        solved.predict(&rectangle, Some(&now(&others))).unwrap().into_iter().map(|value| value as f32).collect();
    let expected = score(&outputs, &test.labels, &[0, 1, 2, 3, 4], spec.training.loss);
    let rows = super::run::timeless(events);
    let found = rows.last().unwrap().predictions.iter();
    let found = found.clone().find(|found| found.by == Predictor::RegressionSwitch && found.on.task == 1).unwrap();
    let [loss, accuracy] = [found.on.loss, found.on.accuracy].map(Option::unwrap);
    assert!((loss / expected.loss - 1.0).abs() < 1e-3, "{loss} and {}", expected.loss);
    assert!((accuracy - expected.accuracy).abs() < 0.03);
    assert_eq!(found.solved.unwrap().kernel, RegressionKernel::Full);
    let condition = found.solved.unwrap().condition;
    assert!((condition / solved.condition - 1.0).abs() < 0.01, "{condition} and {}", solved.condition);
}
