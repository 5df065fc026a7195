//! The linear probe: the features are what the last layer sees, and the regression is the one of the books.

use super::sized;
use burn::tensor::{Device, Tensor, TensorData};
use faer::Mat;
use faer::linalg::solvers::Solve as _;
use kernelscope::math::rng;
use kernelscope::model::Network;
use kernelscope::spec::NetworkSpec;
use kernelscope::train::{FeatureKernels, RIDGE};
use rand::RngExt as _;

fn noise(n: usize, inputs: usize, seed: u64) -> Vec<f32> {
    let mut generator = rng::rng(seed, rng::Stream::Init, 78, 0);
    (0..n * inputs).map(|_| generator.random_range(-1.0..1.0)).collect()
}

fn rows(values: Vec<f32>, width: usize) -> Tensor<2> {
    let n = values.len() / width;
    Tensor::from_data(TensorData::new(values, [n, width]), &Device::flex())
}

/// Features times the last layer's weights are the logits.
#[test]
fn features_are_what_the_last_layer_sees() {
    let settings = [("depth", 2), ("blocks", 1), ("heads", 2), ("patch", 4)];
    for (kind, last) in [("mlp", "fc3"), ("cnn", "fc"), ("resmlp", "head"), ("transformer", "head"), ("rnn", "head")] {
        let spec = NetworkSpec { width: 8.into(), ..sized(kind, &settings) };
        let network = Network::new(&spec, 7, [2, 8, 8], 4, &Device::flex());
        let images = rows(noise(6, 128, 3), 128);
        let (seen_logits, features) = network.forward_with_features(images.clone());
        let [_, width] = features.dims();
        let named = network.named();
        let tensor = |end: &str| &named.iter().find(|tensor| tensor.name == format!("{last}.{end}")).unwrap().values;
        let (weight, bias) = (tensor("weight"), tensor("bias"));
        let logits = features.matmul(rows(weight.clone(), width).transpose()) + rows(bias.clone(), 4);
        let (found, expected): (Vec<f32>, Vec<f32>) =
            (logits.into_data().iter().collect(), network.forward(images).into_data().iter().collect());
        assert_eq!(seen_logits.into_data().iter::<f32>().collect::<Vec<_>>(), expected, "{kind:?}: the same pass");
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{kind:?}: {found:?}, {expected:?}");
    }
}

/// Ridge regression in the features themselves, with an intercept, finds the same classes as the one by kernels.
#[test]
fn the_probe_is_ridge_regression_with_an_intercept() {
    let (n, m, width, classes) = (40, 300, 6, [2, 5, 7]);
    let centre = |label: usize, at: usize| [0.6, -0.3, 0.2][(label + at) % 3];
    let draw = |count: usize, seed: u64| {
        let labels: Vec<usize> = (0..count).map(|place| classes[place * place % 3]).collect();
        let mut values = noise(count, width, seed);
        // Far from 0, so that a regression without an intercept would be another one.
        values.iter_mut().enumerate().for_each(|(at, value)| *value += 5.0 + centre(labels[at / width], at % width));
        (values, labels)
    };
    let ((train, train_labels), (test, test_labels)) = (draw(n, 1), draw(m, 2));
    let found = FeatureKernels::of(rows(train.clone(), width), rows(test.clone(), width))
        .accuracy(&train_labels, &test_labels)
        .unwrap();

    let mean: Vec<f64> =
        (0..width).map(|at| train[at..].iter().step_by(width).map(|v| f64::from(*v)).sum::<f64>() / n as f64).collect();
    let centred = |values: &[f32], count: usize| {
        Mat::from_fn(count, width, |row, at| f64::from(values[row * width + at]) - mean[at])
    };
    let (x, t) = (centred(&train, n), centred(&test, m));
    let share = |class: usize| train_labels.iter().filter(|&&label| label == class).count() as f64 / n as f64;
    let y = Mat::from_fn(n, 3, |row, place| {
        f64::from(u8::from(train_labels[row] == classes[place])) - share(classes[place])
    });
    let mut system = x.transpose() * &x;
    let ridge = RIDGE * (0..width).map(|at| system[(at, at)]).sum::<f64>() / n as f64;
    (0..width).for_each(|at| system[(at, at)] += ridge);
    let weights = system.partial_piv_lu().solve(x.transpose() * &y);
    let scores = t * weights;
    let best = |row: usize| {
        (0..3)
            .max_by(|&a, &b| (scores[(row, a)] + share(classes[a])).total_cmp(&(scores[(row, b)] + share(classes[b]))))
            .unwrap()
    };
    let expected = (0..m).filter(|&row| classes[best(row)] == test_labels[row]).count() as f64 / m as f64;
    assert!((found - expected).abs() < 1e-12, "{found} against {expected}");
    assert!((0.5..0.99).contains(&expected), "neither chance nor child's play: {expected}");

    let dead = FeatureKernels::of(rows(vec![1.0; n * width], width), rows(test, width));
    assert_eq!(dead.accuracy(&train_labels, &test_labels), None, "features that are all alike tell nothing");
}
