//! The kernel: against PyTorch, against its oracle, and against what any kernel must obey.

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::math::{Gram, rng, spectrum::eigenvalues};
use kernelscope::model::{Mlp, Taps, load_mlp, named};
use kernelscope::ntk::{jacobian, layerwise};
use kernelscope::spec::{Activation, Init, Loss, NetworkSpec, Parametrisation, Spec};
use kernelscope::train::{Learner, score};
use rand::RngExt as _;

/// Largest relative Frobenius difference allowed between two implementations in f32 products.
const TOLERANCE: f64 = 1e-5;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

fn doubles(name: &str) -> Vec<f64> {
    npyz::NpyFile::new(&fixture(name)[..]).unwrap().into_vec().unwrap()
}

fn inputs() -> Tensor<2> {
    let values: Vec<f32> = npyz::NpyFile::new(&fixture("inputs.npy")[..]).unwrap().into_vec().unwrap();
    Tensor::from_data(TensorData::new(values, [64, 784]), &Device::flex())
}

fn never() -> bool {
    false
}

fn trace(network: &Mlp, images: &Tensor<2>, classes: usize) -> Vec<f64> {
    layerwise::measure(network, images, classes, false, &never).unwrap().trace
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let gap: f64 = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    (gap / expected.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    let difference = relative(found, expected);
    eprintln!("{what}: relative Frobenius difference {difference:.1e}");
    assert!(
        difference <= TOLERANCE,
        "{what}: {difference:e} > {TOLERANCE:e}; {:?} against {:?}",
        &found[..3],
        &expected[..3]
    );
}

fn small(activation: Activation, depth: usize, parametrisation: Parametrisation, seed: u64) -> Mlp {
    let spec =
        NetworkSpec { width: 24, depth, activation, parametrisation, init: Init::HeUniform, ..NetworkSpec::default() };
    Mlp::new(&spec, seed, 12, 5, &Device::flex())
}

fn noise(rows: usize, columns: usize, seed: u64) -> Tensor<2> {
    let mut generator = rng::rng(seed, rng::Stream::Order, 0, 0);
    let values: Vec<f32> = (0..rows * columns).map(|_| generator.random_range(-1.5..1.5)).collect();
    Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
}

#[test]
fn kernels_equal_those_of_pytorch() {
    for (name, activation) in [("mlp_relu", Activation::Relu), ("mlp_gelu", Activation::Gelu)] {
        let network = load_mlp(&fixture(&format!("{name}.safetensors")), activation, &Device::flex()).unwrap();
        let logits: Vec<f64> = network.forward(inputs(), &mut Taps::closed()).into_data().iter::<f64>().collect();
        assert_close(&format!("{name} logits"), &logits, &doubles(&format!("{name}_logits.npy")));
        assert_close(&format!("{name} trace"), &trace(&network, &inputs(), 10), &doubles(&format!("{name}_trace.npy")));

        let first = inputs().narrow(0, 0, 8);
        let full = layerwise::measure(&network, &first, 10, true, &never).unwrap().full.expect("80 rows fit");
        let sample_major: Vec<f64> = (0..80)
            .flat_map(|a| (0..80).map(move |b| (a, b)))
            .map(|(a, b)| full.at((a / 10, a % 10), (b / 10, b % 10)))
            .collect();
        assert_close(&format!("{name} full"), &sample_major, &doubles(&format!("{name}_full.npy")));
    }
}

#[test]
fn the_fast_path_equals_the_oracle() {
    let images = noise(7, 12, 3);
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Erf] {
        for depth in 1..=4 {
            for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
                let network = small(activation, depth, parametrisation, 5);
                let oracle = jacobian::trace(&network, &images, 5, &never).unwrap();
                let what = format!("{activation:?}, depth {depth}, {parametrisation:?}");
                assert_close(&what, &trace(&network, &images, 5), &oracle);
            }
        }
    }
}

#[test]
fn many_logits_in_groups_give_the_same_kernel_as_one_by_one() {
    // 60 images of 100 logits are 6,000 rows: more than one backward pass takes.
    let spec = NetworkSpec { width: 16, depth: 1, ..NetworkSpec::default() };
    let network = Mlp::new(&spec, 1, 12, 100, &Device::flex());
    let images = noise(60, 12, 4);
    let oracle = jacobian::trace(&network, &images, 100, &never).unwrap();
    assert_close("100 logits", &trace(&network, &images, 100), &oracle);
}

#[test]
fn the_full_kernel_agrees_with_the_jacobian_and_with_its_trace() {
    let (network, images) = (small(Activation::Gelu, 2, Parametrisation::Ntk, 8), noise(6, 12, 9));
    let measured = layerwise::measure(&network, &images, 5, true, &never).unwrap();
    let full = measured.full.unwrap();
    let rows: Vec<Vec<f64>> =
        (0..5).map(|c| jacobian::logit_jacobian(&network, &images, c, 5, &never).unwrap()).collect();
    let parameters = rows[0].len() / 6;
    let gradient = |i: usize, c: usize| &rows[c][i * parameters..(i + 1) * parameters];
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    for (i, c, j, d) in (0..900).map(|at| (at / 150, at / 30 % 5, at / 5 % 6, at % 5)) {
        found.push(full.at((i, c), (j, d)));
        expected.push(gradient(i, c).iter().zip(gradient(j, d)).map(|(a, b)| a * b).sum());
    }
    assert_close("full", &found, &expected);
    let mean: Vec<f64> =
        (0..36).map(|at| (0..5).map(|c| full.at((at / 6, c), (at % 6, c))).sum::<f64>() / 5.0).collect();
    assert_close("trace of full", &mean, &measured.trace);

    // yᵀΘy/(‖Θ‖‖y‖²) on images 1 to 4, written out.
    let labels = [0, 3, 1, 4, 0, 2];
    let (mut along, mut square) = (0.0, 0.0);
    for (i, c, j, d) in (0..900).map(|at| (at / 150, at / 30 % 5, at / 5 % 6, at % 5)) {
        if (1..5).contains(&i) && (1..5).contains(&j) {
            let value = full.at((i, c), (j, d));
            square += value * value;
            along += if labels[i] == c && labels[j] == d { value } else { 0.0 };
        }
    }
    let expected = along / (square.sqrt() * 4.0);
    assert!((full.alignment(1..5, &labels) - expected).abs() < 1e-12);
}

#[test]
fn a_kernel_is_symmetric_positive_and_follows_its_images() {
    let (network, images) = (small(Activation::Relu, 3, Parametrisation::Standard, 2), noise(20, 12, 6));
    let (gram, asymmetry) = Gram::symmetrised(20, trace(&network, &images, 5)).unwrap();
    assert!(asymmetry < 1e-6, "asymmetry {asymmetry:e}");
    let spectrum = eigenvalues(&gram).unwrap();
    assert!(spectrum[0] > -1e-6 * spectrum[19], "λ_min {:e} against λ_max {:e}", spectrum[0], spectrum[19]);

    let reversed: Vec<i32> = (0..20).rev().collect();
    let order = Tensor::from_data(TensorData::new(reversed, [20]), &Device::flex());
    let turned = trace(&network, &images.select(0, order), 5);
    let expected: Vec<f64> = (0..400).map(|at| gram.at(19 - at / 20, 19 - at % 20)).collect();
    assert_close("reversed images", &turned, &expected);
}

#[test]
fn the_kernel_predicts_what_a_small_step_does() {
    // Holds the conventions of training and kernel together: f(w − η∇L) − f ≈ −η Θ (f − y)/(N C) for MSE and
    // −η Θ (p − y)/N for cross-entropy; and the loss of a step is the loss of the evaluation.
    for loss in [Loss::Mse, Loss::CrossEntropy] {
        let network = NetworkSpec { width: 32, depth: 2, activation: Activation::Gelu, ..NetworkSpec::default() };
        let mut spec = Spec { network, ..Spec::default() };
        spec.training.loss = loss;
        let (n, classes, rate) = (6, 5, 1e-3);
        let images = noise(n, 12, 11);
        let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
        let labels = [0, 1, 2, 3, 4, 0];
        let mut learner = Learner::new(&spec, 12, classes, &Device::flex());
        let full = learner.kernel(&images, true, &never).unwrap().full.unwrap();
        let before = learner.outputs(&images, &never).unwrap();
        let evaluated = score(&before, &labels, &[], loss).loss;
        let stepped = learner.step(&pixels, &labels, rate, false).loss;
        assert!((evaluated / stepped - 1.0).abs() < 1e-5, "{loss:?}: {evaluated} and {stepped}");
        let after = learner.outputs(&images, &never).unwrap();
        let residual = |j: usize, d: usize| {
            let row = &before[j * classes..(j + 1) * classes];
            let y = f64::from(u8::from(labels[j] == d));
            match loss {
                Loss::Mse => (f64::from(row[d]) - y) / (n * classes) as f64,
                Loss::CrossEntropy => {
                    let sum: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
                    (f64::from(row[d]).exp() / sum - y) / n as f64
                }
            }
        };
        let pairs = || (0..n * classes).map(|at| (at / classes, at % classes));
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        for (i, c) in pairs() {
            found.push(f64::from(after[i * classes + c] - before[i * classes + c]));
            let sum: f64 = pairs().map(|(j, d)| full.at((i, c), (j, d)) * residual(j, d)).sum();
            expected.push(-rate * sum);
        }
        let difference = relative(&found, &expected);
        eprintln!("{loss:?}: first-order prediction off by {difference:.1e}");
        assert!(difference < 1e-2, "{loss:?}: first-order prediction off by {difference:e}");
    }
}

#[test]
fn parameters_keep_pytorchs_names_and_layout() {
    let bytes = fixture("mlp_relu.safetensors");
    let network = load_mlp(&bytes, Activation::Relu, &Device::flex()).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = named(&network);
    assert_eq!(tensors.len(), 6);
    for tensor in &tensors {
        let stored = file.tensor(&tensor.name).unwrap();
        assert_eq!(stored.shape(), tensor.shape, "{}", tensor.name);
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(stored.data(), bytes, "{}", tensor.name);
    }
    assert_eq!(network.parameters(), 669_706);
    assert_eq!(network.num_params(), 669_706);
}

#[test]
fn initial_weights_have_the_variance_their_name_says() {
    let spread = |parametrisation: Parametrisation, init: Init| {
        let spec = NetworkSpec { width: 256, depth: 1, parametrisation, init, ..NetworkSpec::default() };
        let tensors = named(&Mlp::new(&spec, 3, 784, 10, &Device::flex()));
        let values = &tensors[0].values;
        let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64;
        (variance, values.iter().fold(0.0f32, |top, v| top.max(v.abs())))
    };
    // A uniform distribution in ±b has variance b²/3.
    let (torch, torch_top) = spread(Parametrisation::Standard, Init::Torch);
    let (he, he_top) = spread(Parametrisation::Standard, Init::HeUniform);
    let (normal, _) = spread(Parametrisation::Ntk, Init::Torch);
    assert!((torch * 784.0 * 3.0 - 1.0).abs() < 0.02 && torch_top <= 1.0 / 28.0);
    assert!((he * 784.0 / 2.0 - 1.0).abs() < 0.02 && f64::from(he_top) <= (6.0f64 / 784.0).sqrt());
    assert!((normal - 1.0).abs() < 0.02);
}
