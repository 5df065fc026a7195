//! The theory of wide networks: against `neural_tangents`, brute force, closed forms, and itself taken another way.

use super::sized;
use std::path::{Path, PathBuf};

use kernelscope::math::Gram;
use kernelscope::spec::{Activation, Init, NetworkSpec, Parametrisation, Width};
use kernelscope::storage::{Arrays, Floats};
use kernelscope::theory::{
    InfiniteNetwork, KernelGradientDescent, KernelSgd, Kernels, NoLimit, NoRule, TrainingLength, TrainingProblem,
    cross_entropy_flow,
};

use super::cli::{kernelscope, text};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/infinite").join(name)
}

fn array(archive: &mut Arrays, name: &str) -> Floats {
    archive.floats(name).unwrap().unwrap_or_else(|| panic!("there is no {name}"))
}

fn ntk(activation: Activation, depth: usize, sigma_w: f64, sigma_b: f64) -> NetworkSpec {
    let parametrisation = Parametrisation::Ntk;
    NetworkSpec { parametrisation, activation, sigma_w, sigma_b, ..NetworkSpec::default() }.with("depth", depth)
}

/// Every configuration of the references.
fn references() -> Vec<(&'static str, NetworkSpec)> {
    let root = std::f64::consts::SQRT_2;
    let resmlp =
        ntk(Activation::Relu, 2, 1.0, 0.1).with_other_program("resmlp", None).with("norm", "none").with("blocks", 2);
    let cnn = ntk(Activation::Relu, 2, root, 0.1).with_other_program("cnn", None).with("pool", "none");
    vec![
        ("mlp_relu_d1_W1.4142_b0", ntk(Activation::Relu, 1, root, 0.0)),
        ("mlp_relu_d2_W1.5000_b0.1", ntk(Activation::Relu, 2, 1.5, 0.1)),
        ("mlp_relu_d3_W1.4142_b0", ntk(Activation::Relu, 3, root, 0.0)),
        ("mlp_erf_d2_W1.5000_b0", ntk(Activation::Erf, 2, 1.5, 0.0)),
        ("mlp_gelu_d1_W1.5000_b0.1", ntk(Activation::Gelu, 1, 1.5, 0.1)),
        ("mlp_relu_layernorm_d1", ntk(Activation::Relu, 1, 1.5, 0.1).with("norm", "layer")),
        ("resmlp_relu_2blocks", resmlp),
        ("cnn_relu_flatten", cnn),
    ]
}

fn among(network: &NetworkSpec, image: [usize; 3], inputs: &[f64]) -> Kernels {
    let limit = InfiniteNetwork::of(network, image, 10).unwrap();
    limit.own(&limit.points(inputs), &|| false).unwrap()
}

#[test]
fn kernels_are_those_of_neural_tangents() {
    let (mut inputs, mut kernels) =
        (Arrays::open(&fixture("inputs.npz")).unwrap(), Arrays::open(&fixture("kernels.npz")).unwrap());
    let (train, test) = (array(&mut inputs, "x_train").1, array(&mut inputs, "x_test").1);
    for (name, network) in references() {
        let image = if network.program == "cnn" { [1, 8, 8] } else { [1, 1, 64] };
        // ε of the norms of `neural_tangents`.
        let limit = InfiniteNetwork::of(&network, image, 10).unwrap().with_epsilon(1e-12);
        let (a, b) = (limit.points(&train), limit.points(&test));
        let own = |points| limit.own(points, &|| false).unwrap();
        let found = [
            ("train_train", own(&a)),
            ("test_train", limit.between(&b, &a, &|| false).unwrap()),
            ("test_test", own(&b)),
        ];
        for (of, found) in found {
            for (kind, found) in [("nngp", found.nngp), ("ntk", found.ntk)] {
                let ([rows, columns], expected) = (
                    <[usize; 2]>::try_from(array(&mut kernels, &format!("{name}__{kind}_{of}")).0).unwrap(),
                    array(&mut kernels, &format!("{name}__{kind}_{of}")).1,
                );
                for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    // On the diagonal the references themselves are off by up to 1e-8 where rounding has put an angle of
                    // 1e-8 between an input and itself (`the_kernel_of_an_input_with_itself_is_exact`).
                    let diagonal = rows == columns && at / columns == at % columns;
                    let tolerance = if diagonal { 2e-8 } else { 1e-12 };
                    assert!(
                        (found / expected - 1.0).abs() <= tolerance,
                        "{name} {kind} {of} at {at}: {found} {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_kernel_of_an_input_with_itself_is_exact() {
    // With σ_w² = 2 and no bias a ReLU keeps q = 2 |x|²/d, and Θ(x, x) = (L + 1) q after L hidden layers.
    let (_, inputs) = array(&mut Arrays::open(&fixture("inputs.npz")).unwrap(), "x_train");
    for depth in [1, 2, 3, 6] {
        let found = among(&ntk(Activation::Relu, depth, std::f64::consts::SQRT_2, 0.0), [1, 1, 64], &inputs);
        for (row, x) in inputs.chunks_exact(64).enumerate() {
            let q = 2.0 * x.iter().map(|value| value * value).sum::<f64>() / 64.0;
            let at = row * (inputs.len() / 64) + row;
            assert!((found.nngp[at] / q - 1.0).abs() < 1e-14);
            assert!((found.ntk[at] / ((depth + 1) as f64 * q) - 1.0).abs() < 1e-14);
        }
    }
}

/// E g(u, v) of Gaussians with these variances and covariance, by the trapezoidal rule in two dimensions.
fn expectation(q1: f64, q2: f64, q: f64, g: impl Fn(f64, f64) -> f64) -> f64 {
    let step = 0.04;
    let nodes = || (-250..=250).map(|at| f64::from(at) * step);
    let (along, across) = (q / q1.sqrt(), (q2 - q * q / q1).max(0.0).sqrt());
    let density = |z: f64| (-0.5 * z * z).exp() * step / std::f64::consts::TAU.sqrt();
    nodes()
        .map(|a| density(a) * nodes().map(|b| density(b) * g(q1.sqrt() * a, along * a + across * b)).sum::<f64>())
        .sum()
}

#[test]
fn tanh_is_its_integral() {
    // One hidden layer of width-1 inputs: Σ¹ = σ_w² x x′, so that variances and covariances can be chosen.
    let inputs = [0.3, -0.9, 2.0, 0.31];
    for (sigma_w, sigma_b) in [(1.0, 0.0), (1.5, 0.3), (3.0, 1.0)] {
        let network = ntk(Activation::Tanh, 1, sigma_w, sigma_b);
        let found = among(&network, [1, 1, 1], &inputs);
        let (w, b) = (sigma_w * sigma_w, sigma_b * sigma_b);
        for (at, (nngp, ntk)) in found.nngp.iter().zip(&found.ntk).enumerate() {
            let (x, y) = (inputs[at / 4], inputs[at % 4]);
            let [q1, q2, q] = [x * x, y * y, x * y].map(|product| w * product + b);
            let kappa = expectation(q1, q2, q, |u, v| u.tanh() * v.tanh());
            let slope = expectation(q1, q2, q, |u, v| (1.0 - u.tanh().powi(2)) * (1.0 - v.tanh().powi(2)));
            assert!((nngp - (w * kappa + b)).abs() < 1e-9, "σ_w {sigma_w}, {x} and {y}: {nngp} {}", w * kappa + b);
            let expected = w * kappa + b + w * slope * q;
            assert!((ntk / expected - 1.0).abs() < 1e-8, "σ_w {sigma_w}, {x} and {y}: {ntk} {expected}");
        }
        // Nor does it matter in whose company an input is.
        let limit = InfiniteNetwork::of(&network, [1, 1, 1], 10).unwrap();
        let [few, all] = [&inputs[..1], &inputs[..]].map(|inputs| limit.points(inputs));
        let row = limit.between(&few, &all, &|| false).unwrap();
        for (at, (nngp, ntk)) in row.nngp.iter().zip(&row.ntk).enumerate() {
            assert!(
                (nngp - found.nngp[at]).abs() < 1e-12 && (ntk - found.ntk[at]).abs() < 1e-11,
                "{nngp} {ntk} at {at}"
            );
        }
    }
}

#[test]
fn the_standard_parametrisation_counts_its_fan_in() {
    // Gradients by W without a gain: Θ = n κ + 1 + σ_w² κ′ (d x·x′/d + 1) for one hidden layer of n units.
    let inputs = [0.4, -1.0, 0.7, 1.1, 0.2, -0.3];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (x, y) = inputs.split_at(3);
    // Variances of the first layer's weights, times 3, of its biases, and of the last layer's weights, times 300.
    for (init, first, bias, last) in
        [(Init::HeUniform, 2.0, 1.0 / 9.0, 2.0), (Init::Xavier, 6.0 / 303.0, 0.0, 600.0 / 310.0)]
    {
        let network = NetworkSpec { width: 300.into(), init, ..sized("mlp", &[("depth", 1)]) };
        let found = among(&network, [1, 1, 3], &inputs).ntk[1];
        let [q1, q2, q] = [dot(x, x), dot(y, y), dot(x, y)].map(|product| first * product / 3.0 + bias);
        let kappa = expectation(q1, q2, q, |u, v| u.max(0.0) * v.max(0.0));
        let slope = expectation(q1, q2, q, |u, v| f64::from(u8::from(u > 0.0 && v > 0.0)));
        let expected = 300.0 * kappa + 1.0 + last * slope * (dot(x, y) + 1.0);
        assert!((found / expected - 1.0).abs() < 0.01, "{init:?}: {found} {expected}");
    }
}

#[test]
fn what_has_no_limit_says_so() {
    let refused = |network: NetworkSpec| InfiniteNetwork::of(&network, [1, 8, 8], 10).unwrap_err();
    let cnn = ntk(Activation::Relu, 2, 1.0, 0.0).with_other_program("cnn", None).with("pool", "max");
    assert_eq!(refused(cnn).why(), Some(&NoRule::MaxPool));
    assert_eq!(refused(NetworkSpec { width: Width::Infinite, ..NetworkSpec::default() }), NoLimit::Standard);
    let transformer = NetworkSpec::of("transformer").with("patch", 4);
    assert_eq!(refused(transformer).why(), Some(&NoRule::Attention));
}

#[test]
fn equal_and_nearly_equal_inputs_are_numbers() {
    let mut inputs: Vec<f64> = (0..12).map(|at| f64::from(at).sin()).collect();
    inputs.extend_from_within(..4);
    inputs.extend((0..4).map(|at| f64::from(at).sin() * (1.0 + 1e-13)));
    inputs.extend([0.0; 4]);
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Erf] {
        for norm in ["none", "layer"] {
            let network = ntk(activation, 3, 1.5, 0.0).with("norm", norm);
            let found = among(&network, [1, 1, 4], &inputs);
            assert!(found.nngp.iter().chain(&found.ntk).all(|value| value.is_finite()), "{activation:?} {norm:?}");
            let n = 6;
            assert_eq!((found.ntk[3], found.ntk[3 * n + 3]), (found.ntk[0], found.ntk[0]), "the same input twice");
            let gram = Gram::symmetrised(n, found.ntk).unwrap().0;
            let descent = KernelGradientDescent::of(&gram).unwrap();
            let targets: Vec<f64> = (0..n).map(|at| at as f64).collect();
            let lesson = TrainingProblem { start: &[0.0; 6], targets: &targets };
            let told = descent.train(lesson, &[TrainingLength::Flow(10.0), TrainingLength::Flow(1e9)]);
            assert!(told.iter().all(|value| value.is_finite()), "{told:?}, jitter {}", descent.jitter);
            assert!(descent.condition() > 1e12, "of two equal rows: {}", descent.condition());
        }
    }
}

fn toy(n: usize) -> (Gram, Vec<f64>, Vec<f64>, Vec<f64>) {
    let inputs: Vec<f64> = (0..n * 3).map(|at| (1.7 * at as f64).sin()).collect();
    let kernel = among(&ntk(Activation::Erf, 2, 1.5, 0.1), [1, 1, 3], &inputs).ntk;
    let start: Vec<f64> = (0..n * 2).map(|at| (0.9 * at as f64).cos()).collect();
    let targets: Vec<f64> = (0..n * 2).map(|at| f64::from(u8::from((at / 2 + at) % 2 == 0))).collect();
    (Gram::symmetrised(n, kernel.clone()).unwrap().0, kernel, start, targets)
}

#[test]
fn steps_of_descent_are_those_of_the_recursion() {
    let n = 7;
    let (gram, kernel, start, targets) = toy(n);
    let descent = KernelGradientDescent::of(&gram).unwrap();
    for momentum in [0.0, 0.9] {
        // Half of the largest rate, and a little more than it.
        for share in [0.5, 1.02] {
            let rate = share * descent.largest_rate(2, momentum);
            let mut recursion = KernelSgd::new(start.clone(), 2);
            for _ in 0..60 {
                let slopes: Vec<f64> =
                    recursion.outputs().iter().zip(&targets).map(|(f, y)| (f - y) / (2 * n) as f64).collect();
                recursion.step(&kernel, &slopes, rate, momentum);
            }
            let lesson = TrainingProblem { start: &start, targets: &targets };
            let length = TrainingLength::Steps { rate, momentum, count: 60 };
            let told = descent.train(lesson, &[length]);
            let apart = told.iter().zip(recursion.outputs()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let size = told.iter().map(|value| value.abs()).fold(0.0, f64::max);
            assert!(apart < 1e-9 * size, "{apart} of {size}, momentum {momentum}");
            assert_eq!(
                told,
                descent
                    .test(lesson, &kernel, &start, &[length])
                    .iter()
                    .zip(&told)
                    .map(|(test, told)| {
                        assert!((test - told).abs() < 1e-9 * size, "a training image is predicted as it is trained");
                        *told
                    })
                    .collect::<Vec<_>>()
            );
            // Beyond the largest rate the fastest mode grows, below it the error falls.
            let error = |values: &[f64]| values.iter().zip(&targets).map(|(f, y)| (f - y).powi(2)).sum::<f64>();
            let later = descent.train(lesson, &[TrainingLength::Steps { rate, momentum, count: 600 }]);
            assert_eq!(error(&later) > error(&start), share > 1.0, "{} {}", error(&later), error(&start));
        }
    }
}

#[test]
fn cross_entropy_flow_is_the_limit_of_small_steps() {
    let n = 5;
    let (gram, kernel, start, targets) = toy(n);
    let one_hot: Vec<f64> = targets.chunks_exact(2).flat_map(|_| [1.0, 0.0]).collect();
    let flow =
        cross_entropy_flow(&gram, TrainingProblem { start: &start, targets: &one_hot }, &[0.0, 3.0, 6.0], &|| false)
            .unwrap();
    let told = flow.outputs(&kernel, &start);
    assert_eq!(told[..2 * n], start[..]);
    // Steps of one size and of half of it, and what they tend to.
    let small = |count: u32| {
        let mut recursion = KernelSgd::new(start.clone(), 2);
        for _ in 0..count {
            let slopes: Vec<f64> = recursion
                .outputs()
                .chunks_exact(2)
                .zip(one_hot.chunks_exact(2))
                .flat_map(|(f, y)| {
                    let total: f64 = f.iter().map(|value| value.exp()).sum();
                    [0, 1].map(|c| (f[c].exp() / total - y[c]) / n as f64)
                })
                .collect();
            recursion.step(&kernel, &slopes, 6.0 / f64::from(count), 0.0);
        }
        recursion.outputs().to_vec()
    };
    let (coarse, fine) = (small(4000), small(8000));
    for ((coarse, fine), told) in coarse.iter().zip(&fine).zip(&told[4 * n..]) {
        let limit = 2.0 * fine - coarse;
        assert!((limit - told).abs() < 1e-6, "{limit} {told}");
    }
}

#[test]
fn the_command_answers_what_neural_tangents_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = Arrays::open(&fixture("inputs.npz")).unwrap();
    let mut expected = Arrays::open(&fixture("predictions.npz")).unwrap();
    let name = "mlp_relu_d2_W1.4142_b0";
    for start in ["zero", "rand"] {
        let given: Vec<(String, Floats)> = ["x_train", "x_test", "y_train"]
            .into_iter()
            .map(|of| (of.to_owned(), array(&mut inputs, of)))
            .chain(["f0_train", "f0_test"].map(|of| {
                let (shape, values) = array(&mut expected, &format!("{name}__rand__{of}"));
                let zero = start == "zero";
                (of.to_owned(), (shape, if zero { vec![0.0; values.len()] } else { values }))
            }))
            .chain([("t".to_owned(), array(&mut expected, "t"))])
            .collect();
        let arrays = given.iter().map(|(name, (shape, values))| (name.clone(), shape.clone(), &values[..]));
        let (x, k) = (folder.path().join("x.npz"), folder.path().join(format!("{start}.npz")));
        kernelscope::storage::write_arrays(&x, arrays).unwrap();
        let (x, k) = (x.to_str().unwrap(), k.to_str().unwrap());
        let settings = ["network.depth=2", "network.sigma_w=1.4142135623730951", "network.sigma_b=0"];
        let mut args = vec!["theory", "--inputs", x, "--out", k, "--ridge", "1e-4"];
        settings.iter().for_each(|setting| args.extend(["--set", setting]));
        let done = kernelscope(folder.path(), &args);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let said = text(&done.stderr);
        assert!(said.contains("condition") && said.contains("jitter"), "{said}");
        let mut found = Arrays::open(Path::new(k)).unwrap();
        let mut compare = |ours: &str, theirs: &str| {
            let ((shape, values), (other, expected)) = (array(&mut found, ours), array(&mut expected, theirs));
            assert_eq!(shape, other, "{ours}");
            let size = expected.iter().map(|value| value.abs()).fold(0.0, f64::max);
            let apart = values.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(apart <= 1e-8 * size, "{start} {ours}: {apart} of {size}");
        };
        compare("f_train", &format!("{name}__{start}__train"));
        compare("f_test", &format!("{name}__{start}__test"));
        for of in ["nngp__mean_test", "nngp__cov_test", "ntk__mean_test", "ntk__cov_test"] {
            compare(&format!("gp_inference_{of}"), &format!("{name}__gp_inference_{of}"));
        }
    }
}

#[test]
fn equal_inputs_with_different_labels_are_learnt_as_their_mean() {
    // Without a ridge and without a bias in the kernel: copies, scaled copies and opposite inputs make it singular.
    let folder = tempfile::tempdir().unwrap();
    let (x, k) = (folder.path().join("x.npz"), folder.path().join("k.npz"));
    for seed in 0..6 {
        let noise = |at: usize| (1.3 * at as f64 + 7.1 * f64::from(seed)).sin() + (0.37 * at as f64).cos();
        let mut inputs: Vec<f64> = (0..8 * 6).map(noise).collect();
        let by = [1.0, 3.0][seed as usize % 2];
        inputs.copy_within(0..6, 6);
        inputs[6..12].iter_mut().for_each(|value| *value *= by);
        let others: Vec<f64> = (0..3 * 6).map(|at| noise(at + 100)).collect();
        let targets: Vec<f64> = (0..8).flat_map(|at| if at % 2 == 0 { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
        let given = [("x_train", [8, 6], &inputs), ("x_test", [3, 6], &others), ("y_train", [8, 2], &targets)];
        let named = given.iter().map(|(name, shape, values)| ((*name).to_owned(), shape.to_vec(), &values[..]));
        let later = [("t".to_owned(), vec![1], &[1e15][..])];
        kernelscope::storage::write_arrays(&x, named.chain(later)).unwrap();
        let mut args = vec!["theory", "--inputs", x.to_str().unwrap(), "--out", k.to_str().unwrap(), "--overwrite"];
        let depth = format!("network.depth={}", 1 + seed / 2);
        args.extend(["--ridge", "0", "--set", "network.sigma_b=0", "--set", &depth]);
        let done = kernelscope(folder.path(), &args);
        let said = text(&done.stderr);
        assert!(done.status.success() && said.matches("rank 7 of 8").count() == 3, "{said}");
        assert!(!said.contains("condition inf") && !said.contains("condition -"), "{said}");
        let mut found = Arrays::open(&k).unwrap();
        for kind in ["nngp", "ntk"] {
            assert_eq!(array(&mut found, &format!("{kind}_rank")).1, [7.0]);
            let kernel = array(&mut found, &format!("{kind}_train_train")).1;
            let across = array(&mut found, &format!("{kind}_test_train")).1;
            // Seven inputs, and of the two that are one the mean of the labels in the units of the first.
            let kept = [0, 2, 3, 4, 5, 6, 7];
            let system = faer::Mat::from_fn(7, 7, |i, j| kernel[kept[i] * 8 + kept[j]]);
            let label = |at: usize, c: usize| targets[at * 2 + c];
            let wanted = faer::Mat::from_fn(7, 2, |i, c| match i {
                0 => (label(0, c) + by * label(1, c)) / (1.0 + by * by),
                _ => label(kept[i], c),
            });
            let weights = faer::linalg::solvers::Solve::solve(&system.partial_piv_lu(), wanted);
            let rectangle = faer::Mat::from_fn(3, 7, |i, j| across[i * 8 + kept[j]]);
            let expected = rectangle * weights;
            let mut means = vec![array(&mut found, &format!("gp_inference_{kind}__mean_test")).1];
            if kind == "ntk" {
                means.push(array(&mut found, "f_test").1);
            }
            for mean in means {
                for (at, value) in mean.iter().enumerate() {
                    let (value, expected) = (*value, expected[(at / 2, at % 2)]);
                    assert!((value - expected).abs() < 1e-7, "{kind} of seed {seed}: {value} {expected}");
                }
            }
        }
    }
}

#[test]
fn what_theory_cannot_use_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let x = folder.path().join("x.npz");
    let out = folder.path().join("k.npz");
    let refused = |arrays: &[(&str, Vec<usize>, Vec<f64>)], more: &[&str], words: &str| {
        let named = arrays.iter().map(|(name, shape, values)| ((*name).to_owned(), shape.clone(), &values[..]));
        kernelscope::storage::write_arrays(&x, named).unwrap();
        let mut args = vec!["theory", "--inputs", x.to_str().unwrap(), "--out", out.to_str().unwrap()];
        args.extend(more);
        let done = kernelscope(folder.path(), &args);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.trim_end().lines().count() == 1 && said.contains(words), "{said}");
        assert!(!out.exists());
    };
    let inputs = ("x_train", vec![2, 4], vec![1.0; 8]);
    refused(&[("x", vec![2, 4], vec![1.0; 8])], &[], "x_train");
    refused(&[("x_train", vec![2, 4], vec![f64::NAN; 8])], &[], "not a number");
    refused(&[inputs.clone(), ("x_test", vec![2, 3], vec![1.0; 6])], &[], "x_test");
    refused(&[inputs.clone(), ("y_train", vec![3, 1], vec![1.0; 3])], &[], "y_train");
    // Shapes that are none of those asked for: scalars, nothing, too many axes.
    refused(&[inputs.clone(), ("x_test", vec![], vec![1.0])], &[], "[m, 4]");
    refused(&[inputs.clone(), ("x_test", vec![0, 4], vec![])], &[], "x_test");
    refused(&[inputs.clone(), ("x_test", vec![4], vec![1.0; 4])], &[], "x_test");
    for shape in [vec![], vec![8], vec![0, 4], vec![2, 0], vec![1, 2, 2, 1, 2]] {
        let values = vec![1.0; shape.iter().product()];
        refused(&[("x_train", shape, values)], &[], "x_train: the inputs have shape");
    }
    for shape in [vec![], vec![1, 2, 1], vec![0, 2], vec![2, 0]] {
        let values = vec![1.0; shape.iter().product()];
        refused(&[inputs.clone(), ("y_train", shape, values)], &[], "y_train has shape");
    }
    let targets = ("y_train", vec![2, 1], vec![1.0; 2]);
    for (name, shape) in [("f0_train", vec![]), ("f0_train", vec![1, 2]), ("f0_test", vec![1]), ("t", vec![1, 2])] {
        let values = vec![1.0; shape.iter().product()];
        refused(&[inputs.clone(), targets.clone(), (name, shape, values)], &[], name);
    }
    // What is larger than any number, at once or on the way.
    refused(&[("x_train", vec![2, 4], vec![1e160; 8])], &[], "larger than any number");
    let large = ("y_train", vec![2, 1], vec![1e308, -1e308]);
    let far = [("x_train", vec![2, 2], vec![1e-30, 0.0, 0.0, 1e-30]), ("x_test", vec![1, 2], vec![1e80, 1e80]), large];
    refused(&far, &["--ridge=0", "--set", "network.sigma_b=0"], "the regression overflows");
    refused(std::slice::from_ref(&inputs), &["--set", "network.kind=cnn", "--set", "network.pool=max"], "pool");
    refused(std::slice::from_ref(&inputs), &["--set", "network.depth=0"], "depth is a whole number from 1 to 6, not 0");
    let half = ("y_train", vec![2, 2], vec![0.7, 0.7, 0.5, 0.5]);
    refused(&[inputs.clone(), half], &["--set", "training.loss=cross-entropy"], "probabilities");
    refused(std::slice::from_ref(&inputs), &["--ridge=-1"], "--ridge");
    refused(&[inputs.clone(), ("x_test", vec![1, 4], vec![1.0; 4])], &["--ridge=0.1"], "has no y_train");
}
