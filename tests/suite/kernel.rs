//! The kernel: against PyTorch, against its oracle, and against what any kernel must obey.

use super::{gram::pooled, sized};
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::math::{Gram, rng, spectrum::eigenvalues};
use kernelscope::model::Network;
use kernelscope::ntk::{Kernel, PartKind, Reduction, Request, jacobian, layerwise};
use kernelscope::spec::{Activation, Init, Loss, NetworkSpec, Parametrisation, Spec};
use kernelscope::train::{NetworkTrainer, StepOptions, score};
use rand::RngExt as _;

/// Largest relative Frobenius difference allowed between two implementations in f32 products.
const TOLERANCE: f64 = 1e-5;
const IMAGE: [usize; 3] = [1, 28, 28];

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

fn measure(network: &Network, images: &Tensor<2>, request: &Request) -> Kernel {
    layerwise::measure(network, images, None, request, &never).unwrap()
}

fn trace(network: &Network, images: &Tensor<2>) -> Vec<f64> {
    measure(network, images, &Request::of(Reduction::Trace)).values
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

/// A tensor's part, or two zeros: a bias on keys moves every attention logit of a row alike, so its part is exactly 0, and
/// rounding is all that is left of it.
fn assert_part_close(what: &str, found: &[f64], expected: &[f64], whole: f64) {
    if norm(expected) > 1e-7 * whole {
        assert_close(what, found, expected);
    } else {
        assert!(norm(found) <= 1e-7 * whole, "{what}: {:e} where nothing was expected", norm(found));
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// An MLP for 12 inputs and 5 logits.
fn small(activation: Activation, depth: usize, parametrisation: Parametrisation, seed: u64) -> Network {
    let spec = NetworkSpec {
        width: 24.into(),
        activation,
        parametrisation,
        init: Init::HeUniform,
        ..sized("mlp", &[("depth", depth as i64)])
    };
    Network::new(&spec, seed, [1, 3, 4], 5, &Device::flex())
}

pub fn noise(rows: usize, columns: usize, seed: u64) -> Tensor<2> {
    let mut generator = rng::rng(seed, rng::Stream::Order, 0, 0);
    let values: Vec<f32> = (0..rows * columns).map(|_| generator.random_range(-1.5..1.5)).collect();
    Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
}

/// One network of every kind that has a way of its own through the engine, for images 2×8×8 and 4 logits.
pub fn zoo(parametrisation: Parametrisation, seed: u64) -> Vec<(String, Network)> {
    let base = NetworkSpec { width: 8.into(), parametrisation, activation: Activation::Gelu, ..NetworkSpec::default() };
    let other = |program: &str| NetworkSpec { program: program.to_owned(), ..base.clone() };
    let cnn = NetworkSpec { width: 3.into(), activation: Activation::Relu, ..other("cnn") };
    let resmlp = other("resmlp").with("blocks", 2);
    let transformer = other("transformer").with("patch", 4).with("heads", 2);
    let specs = [
        ("mlp", base.clone().with("depth", 3)),
        ("cnn max", cnn.clone()),
        ("cnn avg", NetworkSpec { activation: Activation::Tanh, ..cnn.clone() }.with("pool", "avg")),
        ("cnn mean head", cnn.clone().with("head", "mean")),
        ("cnn 4", cnn.clone().with("depth", 4)),
        ("cnn without pooling", NetworkSpec { activation: Activation::Erf, ..cnn }.with("pool", "none")),
        ("mlp with LayerNorm", base.clone().with("norm", "layer")),
        ("resmlp", resmlp.clone()),
        ("resmlp without LayerNorm", resmlp.with("norm", "none")),
        ("rnn", NetworkSpec { activation: Activation::Tanh, ..other("rnn") }),
        // Its pairs of times are cheaper than its gradients.
        ("wide rnn", NetworkSpec { width: 40.into(), ..other("rnn") }),
        ("transformer", transformer.clone()),
        // Few tokens and wide layers: pairs of places are cheaper than gradients here.
        ("wide transformer", NetworkSpec { width: 48.into(), ..transformer }),
    ];
    let build = |(name, spec): (&str, NetworkSpec)| {
        (format!("{name}, {parametrisation:?}"), Network::new(&spec, seed, [2, 8, 8], 4, &Device::flex()))
    };
    specs.map(build).into()
}

#[test]
fn kernels_equal_those_of_pytorch() {
    let arch = |kind, activation, pool| pooled(NetworkSpec { activation, ..NetworkSpec::of(kind) }, pool);
    let networks = [
        ("mlp_relu", "mlp_relu", arch("mlp", Activation::Relu, "max")),
        ("mlp_gelu", "mlp_gelu", arch("mlp", Activation::Gelu, "max")),
        ("cnn_avgpool", "cnn_avgpool", arch("cnn", Activation::Relu, "avg")),
        ("cnn_maxpool", "cnn_avgpool", arch("cnn", Activation::Relu, "max")),
        ("resmlp_preln", "resmlp_preln", arch("resmlp", Activation::Relu, "max")),
        ("transformer_preln", "transformer_preln", arch("transformer", Activation::Gelu, "max")),
    ];
    for (name, weights, arch) in networks {
        let bytes = fixture(&format!("{weights}.safetensors"));
        let parts = [bytes.clone()];
        let (network, notes) = Network::load(&arch, &parts, IMAGE, &Device::flex()).unwrap();
        assert!(notes.is_empty(), "{name}: {notes:?}");
        let logits: Vec<f64> = network.forward(inputs()).into_data().iter::<f64>().collect();
        assert_close(&format!("{name} logits"), &logits, &doubles(&format!("{name}_logits.npy")));
        let expected = doubles(&format!("{name}_trace.npy"));
        assert_close(&format!("{name} trace"), &trace(&network, &inputs()), &expected);

        let sum = measure(&network, &inputs(), &Request::of(Reduction::SumLogits)).values;
        assert_close(&format!("{name} sum of logits"), &sum, &doubles(&format!("{name}_sum.npy")));

        let full = measure(&network, &inputs().narrow(0, 0, 8), &Request::of(Reduction::Full)).values;
        assert_close(&format!("{name} full"), &full, &doubles(&format!("{name}_full.npy")));

        let request = Request { apart: PartKind::Tensors, ..Request::of(Reduction::Trace) };
        let kernel = measure(&network, &inputs().narrow(0, 0, 12), &request);
        let (whole, mut parts) = (norm(&kernel.values), kernel.parts);
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = doubles(&format!("{name}_parts.npy"));
        assert_eq!(expected.len(), parts.len() * 144, "{name}: as many tensors as PyTorch has");
        for ((tensor, part), expected) in parts.iter().zip(expected.chunks_exact(144)) {
            assert_part_close(&format!("{name} {tensor}"), part, expected, whole);
        }

        // And back: names, shapes and values as they came.
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let named = network.named();
        assert_eq!(named.len(), file.len(), "{name}");
        for tensor in named {
            let stored = file.tensor(&tensor.name).unwrap();
            assert_eq!(stored.shape(), tensor.shape, "{name} {}", tensor.name);
            let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(stored.data(), bytes, "{name} {}", tensor.name);
        }
    }
}

#[test]
fn the_fast_path_equals_the_oracle() {
    let images = noise(7, 12, 3);
    let request = Request::of(Reduction::Trace);
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Erf] {
        for depth in 1..=4 {
            for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
                let network = small(activation, depth, parametrisation, 5);
                let oracle = jacobian::measure(&network, &images, None, &request, &never).unwrap();
                let what = format!("{activation:?}, depth {depth}, {parametrisation:?}");
                assert_close(&what, &trace(&network, &images), &oracle.values);
            }
        }
    }
}

/// Every network × reduction × {one set, two sets} × {unblocked, blocked}, with its parts.
#[test]
fn every_network_equals_the_oracle_under_every_reduction() {
    let (images, others) = (noise(6, 128, 3), noise(5, 128, 4));
    for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
        for (name, network) in zoo(parametrisation, 7) {
            for reduction in [Reduction::Trace, Reduction::Full, Reduction::SumLogits] {
                for second in [None, Some(&others)] {
                    let request = Request { apart: PartKind::Tensors, ..Request::of(reduction) };
                    let oracle = jacobian::measure(&network, &images, second, &request, &never).unwrap();
                    let sets = if second.is_some() { "two sets" } else { "one set" };
                    for memory in [request.memory, 40_000, 1] {
                        let what = format!("{name}, {reduction:?}, {sets}, {memory} B");
                        let whole = Request { memory, ..Request::of(reduction) };
                        let found = layerwise::measure(&network, &images, second, &whole, &never).unwrap();
                        assert_close(&what, &found.values, &oracle.values);
                        let apart = Request { memory, ..request.clone() };
                        let found = layerwise::measure(&network, &images, second, &apart, &never).unwrap();
                        assert_close(&what, &found.values, &oracle.values);
                        assert_eq!(found.parts.len(), oracle.parts.len(), "{what}");
                        for (tensor, part) in &oracle.parts {
                            let own = found.parts.iter().find(|(name, _)| name == tensor);
                            let whole = norm(&oracle.values);
                            assert_part_close(&format!("{what}, {tensor}"), &own.unwrap().1, part, whole);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_subset_of_layers_is_the_sum_of_its_tensors() {
    let images = noise(6, 128, 5);
    for (name, network) in zoo(Parametrisation::Standard, 7) {
        let all = measure(&network, &images, &Request { apart: PartKind::Tensors, ..Request::of(Reduction::Trace) });
        let layers: Vec<String> = all.parts.iter().map(|(tensor, _)| tensor.clone()).collect();
        let (first, last) = (layers[0].clone(), layers[layers.len() - 2].trim_end_matches(".weight").to_owned());
        let only = Some(vec![first.clone(), last.clone()]);
        let found = measure(&network, &images, &Request { only, ..Request::of(Reduction::Trace) });
        let mut expected = vec![0.0; 36];
        for (tensor, part) in &all.parts {
            if *tensor == first || tensor.starts_with(&format!("{last}.")) {
                expected.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
        }
        assert_close(&format!("{name}: {first} and {last}"), &found.values, &expected);
    }
}

#[test]
fn many_logits_in_groups_give_the_same_kernel_as_one_by_one() {
    let spec = NetworkSpec { width: 16.into(), ..sized("mlp", &[("depth", 1)]) };
    let network = Network::new(&spec, 1, [1, 3, 4], 100, &Device::flex());
    let images = noise(60, 12, 4);
    let tight = Request { memory: 200_000, ..Request::of(Reduction::Trace) };
    let (_, plan, _) = layerwise::explain(&network, &images, None, &tight);
    assert!(plan.block.0 == 60 && plan.block.1 < 100, "the logits are taken in groups: {:?}", plan.block);
    let oracle = jacobian::measure(&network, &images, None, &tight, &never).unwrap();
    assert_close("100 logits", &measure(&network, &images, &tight).values, &oracle.values);
}

#[test]
fn the_full_kernel_agrees_with_its_trace_and_its_alignment() {
    let network = small(Activation::Gelu, 2, Parametrisation::Ntk, 8);
    let images = noise(6, 12, 9);
    let kernel = measure(&network, &images, &Request::of(Reduction::Full));
    assert_close("trace of full", &kernel.trace(), &trace(&network, &images));
    let full = kernelscope::ntk::FullKernel::from(kernel);
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
    let (gram, asymmetry) = Gram::symmetrised(20, trace(&network, &images)).unwrap();
    assert!(asymmetry < 1e-6, "asymmetry {asymmetry:e}");
    let spectrum = eigenvalues(&gram).unwrap();
    assert!(spectrum[0] > -1e-6 * spectrum[19], "λ_min {:e} against λ_max {:e}", spectrum[0], spectrum[19]);

    let reversed: Vec<i32> = (0..20).rev().collect();
    let order = Tensor::from_data(TensorData::new(reversed, [20]), &Device::flex());
    let turned = trace(&network, &images.select(0, order));
    let expected: Vec<f64> = (0..400).map(|at| gram.at(19 - at / 20, 19 - at % 20)).collect();
    assert_close("reversed images", &turned, &expected);
}

#[test]
fn the_kernel_predicts_what_a_small_step_does() {
    // Holds the conventions of training and kernel together: f(w − η∇L) − f ≈ −η Θ (f − y)/(N C) for MSE and
    // −η Θ (p − y)/N for cross-entropy; and the loss of a step is the loss of the evaluation.
    for loss in [Loss::Mse, Loss::CrossEntropy] {
        let network = NetworkSpec { width: 32.into(), activation: Activation::Gelu, ..NetworkSpec::default() };
        let mut spec = Spec { network, ..Spec::default() };
        spec.training.loss = loss;
        let (n, classes, rate) = (6, 5, 1e-3);
        let images = noise(n, 12, 11);
        let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
        let labels = [0, 1, 2, 3, 4, 0];
        let mut learner = NetworkTrainer::new(&spec, [1, 3, 4], classes, &Device::flex());
        let full = learner.kernel(&images, true, &never).unwrap().full.unwrap();
        let before = learner.outputs(&images, &never).unwrap();
        let evaluated = score(&before, &labels, &[], loss).loss;
        let stepped = learner.step(&pixels, &labels, &StepOptions::at(rate), false).loss;
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
fn initial_weights_have_the_variance_their_name_says() {
    let spread = |parametrisation: Parametrisation, init: Init| {
        let spec = NetworkSpec { width: 256.into(), parametrisation, init, ..sized("mlp", &[("depth", 1)]) };
        let tensors = Network::new(&spec, 3, IMAGE, 10, &Device::flex()).named();
        let values = &tensors[0].values;
        let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64;
        (variance, values.iter().fold(0.0f32, |top, v| top.max(v.abs())))
    };
    // A uniform distribution in ±b has variance b²/3.
    let (torch, torch_top) = spread(Parametrisation::Standard, Init::Torch);
    let (he, he_top) = spread(Parametrisation::Standard, Init::HeUniform);
    let (normal, _) = spread(Parametrisation::Ntk, Init::Torch);
    let (xavier, xavier_top) = spread(Parametrisation::Standard, Init::Xavier);
    assert!((xavier * (784.0 + 256.0) / 2.0 - 1.0).abs() < 0.02 && f64::from(xavier_top) <= (6.0f64 / 1040.0).sqrt());
    assert!((torch * 784.0 * 3.0 - 1.0).abs() < 0.02 && torch_top <= 1.0 / 28.0);
    assert!((he * 784.0 / 2.0 - 1.0).abs() < 0.02 && f64::from(he_top) <= (6.0f64 / 784.0).sqrt());
    assert!((normal - 1.0).abs() < 0.02);
}
