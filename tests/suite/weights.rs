//! Weights files: a run's is the whole network, those of others are read for what they are, and nothing else is.

use super::{FIVE, fitting, gram::pooled};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use clap::Parser as _;
use kernelscope::cli::{Cli, execute};
use kernelscope::data::prepare;
use kernelscope::math::rng;
use kernelscope::model::Network;
use kernelscope::run::printable;
use kernelscope::spec::{Activation, DataShape, Loss, NetworkSpec, Parametrisation, Reduction, Spec};
use kernelscope::storage::WeightsFile;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::cli::{kernelscope, text};
use super::gram::{ARCHS, Bench, arrays, assert_close, header, inputs, noise, safetensors, weights};

/// A name, a shape and values.
type Named = (String, Vec<usize>, Vec<f32>);
type Tensors = Vec<Named>;
/// Another name for each name.
type Rename = Box<dyn Fn(&str) -> String>;
/// The bytes of a value.
type Write<'a> = &'a dyn Fn(f32) -> Vec<u8>;

/// What is in a file of f32.
fn tensors(bytes: &[u8]) -> Tensors {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let values = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    file.iter().map(|(name, view)| (name.to_owned(), view.shape().to_vec(), values(view.data()))).collect()
}

/// Trains two steps of each of two tasks as the command line does, and holds the kernel of the weights that were saved, on the
/// run's own probes, against the last one that the run stored.
fn check_a_run(bench: &Bench, spec: &Spec) {
    train(bench, spec).unwrap();
    check_last_kernel(bench, spec);
}

fn train(bench: &Bench, spec: &Spec) -> anyhow::Result<()> {
    bench.file("spec.toml", spec.to_toml().as_bytes());
    let run = bench.path("run");
    let _ = fs::remove_dir_all(&run);
    let config = bench.path("spec.toml");
    let line = ["kernelscope", "run", "--device", "cpu", "--config", config.to_str().unwrap(), "--out"];
    execute(&Cli::try_parse_from(line.into_iter().chain(run.to_str())).unwrap().command.unwrap())
}

fn check_last_kernel(bench: &Bench, spec: &Spec) {
    let run = bench.path("run");
    let probes = prepare(spec).unwrap().probes;
    let shape = [&[probes.len()][..], &probes.shape].concat();
    bench.file("x.safetensors", &safetensors([("x".to_owned(), shape, probes.pixels)]));
    let reduction = if spec.kernel.reduction == Reduction::Trace { "trace" } else { "sum-logits" };
    let line = "--weights {}/run/model.safetensors --inputs {}/x.safetensors --reduction";
    let found = bench.kernels(&format!("{line} {reduction}"));
    let last = &last_gram(&run.join("kernels.npz"));
    assert_close(&format!("{:?}", spec.network), &found[reduction].1, last, last);
}

/// The last Gram of a run's archive.
fn last_gram(path: &Path) -> Vec<f64> {
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let gram = npyz::NpyFile::new(archive.by_name("gram.npy").unwrap()).unwrap();
    let size = (gram.shape()[1] * gram.shape()[2]) as usize;
    let grams: Vec<f64> = gram.into_vec().unwrap();
    grams[grams.len() - size..].to_vec()
}

fn any_network() -> impl Strategy<Value = NetworkSpec> {
    let kind = prop::sample::select(FIVE.to_vec());
    let activation = prop::sample::select(vec![Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Erf]);
    let norm = prop::sample::select(vec![None, Some("layer"), Some("none")]);
    let pool = prop::sample::select(vec!["max", "avg", "none"]);
    let head = prop::sample::select(vec!["flatten", "mean"]);
    let sizes = (16..20usize, 4..6usize, 1..4usize, prop::sample::select(vec![1usize, 2, 4, 8]));
    let patch = prop::sample::select(vec![1usize, 2, 4, 7, 14]);
    let alpha = (prop::sample::select(vec![None, Some(0.5), Some(3.0)]), prop::option::of(8..64usize));
    let sigma = (any::<bool>(), 0.5..2.0f64, 0.0..0.5f64);
    (kind, (activation, norm, pool, head), sizes, patch, alpha, sigma).prop_map(
        |(kind, (activation, norm, pool, head), (wide, narrow, depth, heads), patch, (alpha, alpha_width), sigma)| {
            let (is_ntk, sigma_w, sigma_b) = sigma;
            let is_cnn = kind == "cnn";
            let layers = if is_cnn { 2 * depth.min(2) } else { depth };
            let sizes = [("depth", layers), ("blocks", depth), ("heads", heads), ("patch", patch)];
            let sizes = sizes.map(|(name, size)| (name, size as i64));
            let mut network = fitting(NetworkSpec::of(kind), &sizes);
            for (name, word) in [("norm", norm), ("pool", Some(pool)), ("head", Some(head))] {
                if let Some(word) = word.filter(|_| network.declares(name)) {
                    network.set(name, word.into());
                }
            }
            NetworkSpec {
                activation,
                width: if is_cnn { narrow } else { wide / heads * heads }.into(),
                alpha,
                alpha_width,
                parametrisation: if is_ntk { Parametrisation::Ntk } else { Parametrisation::Standard },
                sigma_w,
                sigma_b,
                ..network
            }
        },
    )
}

fn parts(spec: &Spec) -> Vec<String> {
    let shape = DataShape::expected(spec);
    spec.network.parts(shape.image, shape.outputs)
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let shrink = prop::sample::select(vec![2usize, 4, 7]);
    let kernel = (any::<bool>(), any::<bool>(), any::<bool>());
    (any_network(), shrink, kernel, any::<bool>(), 1..100u64).prop_filter_map(
        "not a valid spec",
        |(network, shrink, (sums, mse, frozen), standardise, seed)| {
            let mut spec = Spec { network, seed, ..Spec::default() };
            (spec.data.per_class, spec.data.test_per_class) = (4, 2);
            (spec.data.shrink, spec.data.standardise) = (shrink, standardise);
            (spec.tasks.steps, spec.training.batch) = (vec![2, 2], 4);
            (spec.kernel.probes_per_class, spec.kernel.per_epoch) = (1, 1);
            spec.training.loss = if mse { Loss::Mse } else { Loss::CrossEntropy };
            spec.kernel.reduction = if sums { Reduction::SumLogits } else { Reduction::Trace };
            if frozen {
                spec.training.frozen = parts(&spec).into_iter().take(1).collect();
            }
            spec.problems(&DataShape::expected(&spec)).is_empty().then_some(spec)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_global_rejects: 100_000,
        ..ProptestConfig::with_cases(24)
    })]

    /// A file is the whole network: nothing but what it says is needed for the run's own last kernel.
    #[test]
    fn the_weights_of_any_run_give_its_last_kernel(spec in any_spec()) {
        let bench = Bench::new();
        // A rate at which the training of this network diverges gives no last kernel; any other failure is one.
        let ended = train(&bench, &spec);
        let diverged = ended.as_ref().is_err_and(|err| format!("{err:#}").contains("start again with a smaller rate"));
        prop_assume!(!diverged);
        ended.unwrap();
        check_last_kernel(&bench, &spec);
    }
}

#[test]
fn the_same_run_saves_the_same_bytes() {
    let bench = Bench::new();
    let mut spec = super::tiny();
    (spec.data.per_class, spec.data.shrink, spec.tasks.steps) = (6, 7, vec![1, 1]);
    let saved = || {
        check_a_run(&bench, &spec);
        fs::read(bench.path("run/model.safetensors")).unwrap()
    };
    let first = saved();
    // The library's order of a handful of words is another one nearly every time.
    assert!((0..2).all(|_| saved() == first));
}

/// Tensors that are values, and constants, are in a run's file, which is read with them; training moves the former only.
#[test]
fn tensors_as_values_are_in_a_runs_file() {
    let text = r#"
        let h = tanh(dense("fc", x, 12));
        let gain = learned("gain", [3, 1], #{start: 1.0}) * learned("kept", [3, 1], #{trained: false, start: 0.5});
        let h = matmul(reshape(h, [3, 4]) * expand(gain, [3, 4]), learned("mix", [4, 4], #{start: 0.25}));
        dense("head", concat(flatten(h), constant([1], 1.0)), classes)
    "#;
    let bench = Bench::new();
    let spec = Spec { network: NetworkSpec::from_text("mine", Some(text.into())), ..super::tiny() };
    check_a_run(&bench, &spec);
    let saved = tensors(&fs::read(bench.path("run/model.safetensors")).unwrap());
    let of = |name: &str| &saved.iter().find(|(own, ..)| own == name).unwrap().2;
    assert_eq!(of("kept")[..], [0.5; 3]);
    assert!(of("gain").iter().all(|value| *value != 1.0) && of("mix").iter().all(|value| *value != 0.25));
}

#[test]
fn what_contradicts_a_runs_weights_is_refused() {
    let bench = Bench::new();
    let mut spec = super::tiny();
    (spec.data.per_class, spec.data.shrink, spec.tasks.steps) = (6, 7, vec![1, 1]);
    spec.network = NetworkSpec {
        activation: Activation::Tanh,
        parametrisation: Parametrisation::Ntk,
        alpha: Some(2.0),
        width: 16.into(),
        ..NetworkSpec::of("transformer").with("patch", 2).with("heads", 2)
    };
    check_a_run(&bench, &spec);
    let line = "--weights {}/run/model.safetensors --inputs {}/x.safetensors";
    for (option, part) in [
        ("--arch mlp_tanh", "network.program = transformer, and the command line mlp"),
        ("--activation relu", "network.activation = tanh, and the command line relu"),
        ("--heads 4", "network.heads = 2, and the command line 4"),
        ("--parametrisation standard", "network.parametrisation = ntk"),
        ("--sigma-b 0.5", "network.sigma_b = 0.1, and the command line 0.5"),
        ("--arch mlp_tanh --activation relu", "--arch gives activation = tanh and --activation is relu"),
    ] {
        let said = bench.refusal(&format!("{line} {option}"));
        assert!(said.contains(part), "{option}: {said}");
    }
    // What is said twice alike is no contradiction.
    let whole = bench.kernels(line);
    let twice =
        bench.kernels(&format!("{line} --arch transformer_preln --heads 2 --activation tanh --parametrisation ntk"));
    assert_eq!(whole, twice);

    // Images of another shape than those of the run are not what its network reads.
    bench.file("y.safetensors", &safetensors([("x".to_owned(), vec![2, 1, 2, 8], noise(32, 1))]));
    let said = bench.refusal("--weights {}/run/model.safetensors --inputs {}/y.safetensors");
    assert!(said.contains("[1, 2, 8]") && said.contains("[1, 4, 4]"), "{said}");

    // An older version said only the step: the run beside the file says the rest, and elsewhere nothing is guessed.
    let bytes = fs::read(bench.path("run/model.safetensors")).unwrap();
    let (step, named) = (BTreeMap::from([("step".to_owned(), "2".to_owned())]), tensors(&bytes));
    let old = with_metadata(&named, step);
    fs::write(bench.path("run/model.safetensors"), &old).unwrap();
    assert_eq!(bench.kernels(line), whole);
    bench.file("moved.safetensors", &old);
    let moved = "--weights {}/moved.safetensors --inputs {}/x.safetensors --arch transformer_preln --heads 2";
    let said = bench.refusal(moved);
    assert!(said.contains("older version") && said.contains("--parametrisation"), "{said}");
    let said = bench.refusal(&format!("{moved} --parametrisation ntk --sigma-w 1.4"));
    assert!(said.contains("--sigma-b"), "{said}");
    let sigma = spec.network.sigma_w;
    let options = format!("--activation tanh --parametrisation ntk --sigma-w {sigma} --sigma-b 0.1");
    assert_eq!(bench.kernels(&format!("{moved} {options}")), whole);

    // A word that this version does not know may change the function.
    let newer = |key: &str, value: &str| with_metadata(&named, BTreeMap::from([(key.to_owned(), value.to_owned())]));
    for (key, value) in [("network.kind", "perceiver"), ("network.residual", "0.5"), ("network.heads", "two\u{1b}[2J")]
    {
        bench.file("newer.safetensors", &newer(key, value));
        let said = bench.refusal("--weights {}/newer.safetensors --inputs {}/x.safetensors --arch mlp_relu");
        assert!(said.contains(key) && said.contains("does not know") && !said.contains('\u{1b}'), "{said}");
    }
    // And what the tensors themselves contradict.
    let wrong = with_metadata(&named, BTreeMap::from([("network.patch".to_owned(), "4".to_owned())]));
    bench.file("wrong.safetensors", &wrong);
    let line = "--weights {}/wrong.safetensors --inputs {}/x.safetensors --arch transformer_preln --heads 2";
    let said = bench.refusal(line);
    assert!(said.contains("network.patch is given as 4") && said.contains("its tensors have 2"), "{said}");
}

fn with_metadata(tensors: &Tensors, metadata: BTreeMap<String, String>) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(.., values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    serialize(views, Some(metadata.into_iter().collect())).unwrap()
}

/// Renames tensors.
fn renamed(tensors: &Tensors, name: impl Fn(&str) -> String) -> Vec<u8> {
    safetensors(tensors.iter().map(|(own, shape, values)| (name(own), shape.clone(), values.clone())))
}

#[test]
fn names_of_other_programs_are_taken_for_what_they_are() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(4, 1));
    let line = |arch: &str| format!("--arch {arch} --heads 2 --weights {{}}/w.safetensors --inputs {{}}/x.safetensors");
    for (arch, kind, activation, pool) in ARCHS {
        let named = tensors(&weights(kind, activation, pool));
        bench.file("w.safetensors", &renamed(&named, str::to_owned));
        let plain = bench.kernels(&line(arch));
        let mut names: Vec<Rename> = Vec::new();
        for prefix in ["module.", "_orig_mod.", "_orig_mod.module.", "net.", "state_dict.model.", "0."] {
            names.push(Box::new(move |name| format!("{prefix}{name}")));
        }
        let swapped = |from: &'static [(&str, &str)]| -> Rename {
            Box::new(move |name| {
                from.iter().fold(name.to_owned(), |name, (ours, theirs)| name.replacen(ours, theirs, 1))
            })
        };
        match kind {
            "mlp" => {
                names.push(swapped(&[("fc1", "0"), ("fc2", "2"), ("fc3", "4")]));
                names.push(swapped(&[("fc1", "net.1"), ("fc2", "net.4"), ("fc3", "net.10")]));
                names.push(swapped(&[("fc1", "layers.0"), ("fc2", "layers.1"), ("fc3", "layers.2")]));
                names.push(swapped(&[("fc1", "m.layers.0.linear"), ("fc2", "m.layers.1.linear"), ("fc3", "m.out")]));
                names.push(swapped(&[("fc1", "linear1"), ("fc2", "linear2"), ("fc3", "linear3")]));
                names.push(swapped(&[("fc3", "head")]));
            }
            "cnn" => {
                names.push(swapped(&[("conv1", "0"), ("conv2", "3"), ("fc", "7")]));
                names.push(swapped(&[("conv1", "features.0"), ("conv2", "features.3"), ("fc", "classifier.1")]));
            }
            "rnn" => {
                let rnn: &[(&str, &str)] =
                    &[("weight_ih", "weight_ih_l0"), ("bias_ih", "bias_ih_l0"), ("weight_hh", "weight_hh_l0")];
                names.push(swapped(rnn));
                names.push(swapped(&[("rnn.", "cell."), ("head", "out")]));
            }
            _ => {}
        }
        for (place, name) in names.iter().enumerate() {
            bench.file("w.safetensors", &renamed(&named, name));
            assert_eq!(bench.kernels(&line(arch)), plain, "{arch}, {place}");
        }
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(2, 1));
    let dense = |name: &str, out: usize, fan_in: usize| {
        [
            (format!("{name}.weight"), vec![out, fan_in], noise(out * fan_in, 3)),
            (format!("{name}.bias"), vec![out], noise(out, 4)),
        ]
    };
    let norm = |name: &str, n: usize| {
        [(format!("{name}.weight"), vec![n], noise(n, 3)), (format!("{name}.bias"), vec![n], noise(n, 4))]
    };
    let file = |layers: Vec<[Named; 2]>| safetensors(layers.into_iter().flatten());
    let conv = |name: &str| {
        [(format!("{name}.weight"), vec![2, 2, 3, 3], noise(36, 3)), (format!("{name}.bias"), vec![2], noise(2, 4))]
    };
    let gates = |times: usize| {
        safetensors([
            ("lstm.weight_ih_l0".to_owned(), vec![times * 8, 16], noise(times * 128, 1)),
            ("lstm.weight_hh_l0".to_owned(), vec![times * 8, 8], noise(times * 64, 1)),
            ("fc.weight".to_owned(), vec![4, 8], noise(32, 1)),
        ])
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        // Two layers and then one: nobody knows where the activations are.
        ("mlp_relu", file(vec![dense("0", 8, 128), dense("1", 8, 8), dense("3", 4, 8)]), "no room for an activation"),
        (
            "mlp_relu",
            file(vec![dense("a.0", 8, 128), dense("a.2", 8, 8), dense("b.0", 8, 8), dense("b.2", 4, 8)]),
            "more than one numbered list",
        ),
        ("mlp_relu", file(vec![dense("up", 128, 128), dense("down", 128, 128)]), "more than one order"),
        // Normalised behind the activation, which is another network.
        ("mlp_relu", file(vec![dense("0", 8, 128), norm("2", 8), dense("3", 4, 8)]), "LayerNorms"),
        ("mlp_relu", file(vec![dense("0", 8, 128), norm("1", 8), dense("2", 4, 8)]), "LayerNorms"),
        ("mlp_relu", file(vec![dense("fc1", 8, 128), dense("fc2", 4, 8), norm("bn1", 8)]), "BatchNorm"),
        ("cnn_maxpool", file(vec![conv("0"), conv("3"), dense("7", 4, 8), dense("9", 4, 4)]), "no tensor conv1.weight"),
        ("rnn_tanh", gates(4), "an LSTM"),
        ("rnn_tanh", gates(3), "a GRU"),
        ("mlp_relu", file(vec![dense("fc1", 8, 128), dense("ema.fc1", 8, 128)]), "ema.fc1"),
    ];
    for (arch, bytes, part) in cases {
        bench.file("w.safetensors", &bytes);
        let said = bench.refusal(&format!("--arch {arch} --weights {{}}/w.safetensors --inputs {{}}/x.safetensors"));
        assert!(said.contains(part), "{part}: {said}");
    }
    let mut batch = file(vec![dense("fc1", 8, 128), norm("bn1", 8), dense("fc2", 4, 8)]);
    let mut named = tensors(&batch);
    named.push(("bn1.running_mean".to_owned(), vec![8], vec![0.0; 8]));
    batch = safetensors(named);
    bench.file("w.safetensors", &batch);
    let said = bench.refusal("--arch mlp_relu --weights {}/w.safetensors --inputs {}/x.safetensors");
    assert!(said.contains("bn1.running_mean is that of a BatchNorm"), "{said}");
    // The names that are there are told.
    bench.file(
        "w.safetensors",
        &file(vec![dense("encoder\u{1b}]0;x\u{7}", 8, 128), dense("decoder", 4, 8), norm("scale", 2)]),
    );
    let said = bench.refusal("--arch cnn_maxpool --weights {}/w.safetensors --inputs {}/x.safetensors");
    assert!(
        said.contains("no tensor conv1.weight") && said.contains("decoder.bias, decoder.weight, encoder\\u{1b}"),
        "{said}"
    );
    assert!(!said.contains(char::is_control), "{said:?}");
}

#[test]
fn sixteen_and_sixty_four_bits_are_read_exactly() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(4, 1));
    // Values of eight bits of mantissa and small exponents, which every kind of float holds.
    let mut named = tensors(&weights("mlp", Activation::Gelu, "max"));
    for (.., values) in &mut named {
        values.iter_mut().for_each(|value| *value = (*value * 128.0).round() / 128.0);
    }
    bench.file("w.safetensors", &safetensors(named.clone()));
    let line = "--arch mlp_gelu --weights {}/w.safetensors --inputs {}/x.safetensors";
    let plain = bench.kernels(line);
    let f16 = |value: f32| {
        // Normal numbers and zero only.
        let bits = value.to_bits();
        let half = if value == 0.0 { 0 } else { ((bits & 0x7fff_ffff) >> 13) as i32 - (112 << 10) };
        ((half as u16) | ((bits >> 16) as u16 & 0x8000)).to_le_bytes().to_vec()
    };
    let kinds: [(Dtype, Write<'_>); 3] = [
        (Dtype::F64, &|value| f64::from(value).to_le_bytes().to_vec()),
        (Dtype::BF16, &|value| ((value.to_bits() >> 16) as u16).to_le_bytes().to_vec()),
        (Dtype::F16, &f16),
    ];
    for (dtype, write) in kinds {
        let bytes: Vec<Vec<u8>> =
            named.iter().map(|(.., values)| values.iter().flat_map(|value| write(*value)).collect()).collect();
        let views = named
            .iter()
            .zip(&bytes)
            .map(|((name, shape, _), bytes)| (name.clone(), TensorView::new(dtype, shape.clone(), bytes).unwrap()));
        bench.file("w.safetensors", &serialize(views, None).unwrap());
        assert_eq!(bench.kernels(line), plain, "{dtype:?}");
    }
    let words: Vec<&str> =
        "gram --device cpu --arch mlp_gelu --weights w.safetensors --inputs x.safetensors --out k2.npz"
            .split(' ')
            .collect();
    let done = kernelscope(bench.folder.path(), &words);
    let said = text(&done.stderr);
    assert!(
        said.contains("read 16-bit floats as 32-bit floats") && said.contains("the standard parametrisation"),
        "{said}"
    );
}

/// Without biases a kernel is that of biases of zero, less their part.
#[test]
fn layers_without_a_bias_leave_its_part_out() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(4, 1));
    for (arch, kind, activation, pool) in ARCHS {
        let mut named = tensors(&weights(kind, activation, pool));
        let is_bias = |name: &str| name.contains("bias");
        for (name, _, values) in &mut named {
            if is_bias(name) {
                values.fill(0.0);
            }
        }
        for reduction in ["trace", "full"] {
            let line = format!("--arch {arch} --heads 2 --inputs {{}}/x.safetensors --reduction {reduction}");
            bench.file("w.safetensors", &safetensors(named.clone()));
            let others: Vec<&str> =
                named.iter().map(|(name, ..)| name.as_str()).filter(|name| !is_bias(name)).collect();
            let expected = bench.kernels(&format!("{line} --weights {{}}/w.safetensors --layers {}", others.join(",")));
            bench.file("n.safetensors", &safetensors(named.iter().filter(|(name, ..)| !is_bias(name)).cloned()));
            for method in ["layerwise --per-tensor", "layerwise --memory 20kB", "jacobian"] {
                let found = bench.kernels(&format!("{line} --weights {{}}/n.safetensors --method {method}"));
                let (found, expected) = (&found[reduction].1, &expected[reduction].1);
                assert_close(&format!("{arch} {reduction} {method}"), found, expected, expected);
            }
        }
        // One layer's bias alone is a hole and no choice, where layers like it have theirs.
        if kind == "transformer" {
            let holed = named.iter().filter(|(name, ..)| name != "blocks.1.attn.v.bias").cloned();
            bench.file("w.safetensors", &safetensors(holed));
            let line = format!("--arch {arch} --heads 2 --weights {{}}/w.safetensors --inputs {{}}/x.safetensors");
            let said = bench.refusal(&line);
            assert!(said.contains("no tensor blocks.1.attn.v.bias"), "{said}");
            // Without those of queries, keys and values, and without those of norms, it is one.
            let some = |name: &str| {
                !(is_bias(name) && (name.contains("attn.") || name.contains("ln")) && !name.contains("attn.o"))
            };
            bench.file("w.safetensors", &safetensors(named.iter().filter(|(name, ..)| some(name)).cloned()));
            let left = bench.kernels(&format!("{line} --method jacobian"));
            assert_close("without qkv", &bench.kernels(&line)["trace"].1, &left["trace"].1, &left["trace"].1);
        }
    }
}

/// PyTorch's RNN adds two biases, and its kernel sums over both; its attention keeps three matrices in one.
#[test]
fn modules_of_pytorch_are_read_by_their_names() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(4, 1));
    let line = |arch: &str| {
        format!("--arch {arch} --heads 2 --per-tensor --weights {{}}/w.safetensors --inputs {{}}/x.safetensors")
    };
    let named = tensors(&weights("rnn", Activation::Tanh, "max"));
    bench.file("w.safetensors", &safetensors(named.clone()));
    let one = bench.kernels(&line("rnn_tanh"));
    let mut two: Tensors = Vec::new();
    for (name, shape, values) in &named {
        let theirs = if name.starts_with("rnn") { format!("{name}_l0") } else { name.replace("head", "fc") };
        if name == "rnn.bias_ih" {
            // The same sum, in two parts.
            let other: Vec<f32> = values.iter().map(|value| value / 4.0).collect();
            two.push((theirs.clone(), shape.clone(), values.iter().zip(&other).map(|(sum, own)| sum - own).collect()));
            two.push((theirs.replace("ih", "hh"), shape.clone(), other));
        } else {
            two.push((theirs, shape.clone(), values.clone()));
        }
    }
    for (cell, prefix) in [("_l0", "rnn."), ("", "cell.")] {
        let named = two.iter().map(|(name, shape, values)| {
            (name.replace("_l0", cell).replace("rnn.", prefix), shape.clone(), values.clone())
        });
        bench.file("w.safetensors", &safetensors(named));
        let bias = &one["trace_by_param/rnn.bias_ih"].1;
        let expected: Vec<f64> = one["trace"].1.iter().zip(bias).map(|(whole, bias)| whole + bias).collect();
        for method in ["layerwise", "jacobian"] {
            let found = bench.kernels(&format!("{} --method {method}", line("rnn_tanh")));
            assert_close(&format!("two biases, {method}"), &found["trace"].1, &expected, &expected);
            assert_close("the second", &found["trace_by_param/rnn.bias_hh"].1, bias, bias);
        }
    }

    let named = tensors(&weights("transformer", Activation::Gelu, "max"));
    bench.file("w.safetensors", &safetensors(named.clone()));
    let apart = bench.kernels(&line("transformer_preln"));
    let joint = |weight: &str, bias: &str, out: &str| {
        let mut joined: Tensors = Vec::new();
        for (name, shape, values) in &named {
            let theirs = name.replace("attn.q.weight", weight).replace("attn.q.bias", bias).replace("attn.o.", out);
            if name.contains("attn.q.") {
                let of = |map: &str| {
                    let other = name.replace("attn.q.", map);
                    named.iter().find(|(name, ..)| *name == other).unwrap().2.clone()
                };
                let all = [values.clone(), of("attn.k."), of("attn.v.")].concat();
                let mut shape = shape.clone();
                shape[0] *= 3;
                joined.push((theirs, shape, all));
            } else if !name.contains("attn.k.") && !name.contains("attn.v.") {
                joined.push((theirs, shape.clone(), values.clone()));
            }
        }
        safetensors(joined)
    };
    for (weight, bias, out) in [
        ("attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj."),
        ("attn.qkv.weight", "attn.qkv.bias", "attn.proj."),
    ] {
        bench.file("w.safetensors", &joint(weight, bias, out));
        assert_eq!(bench.kernels(&line("transformer_preln")), apart, "{weight}");
    }
}

#[test]
fn shards_are_one_file() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(4, 1));
    let named = tensors(&weights("mlp", Activation::Tanh, "max"));
    bench.file("w.safetensors", &safetensors(named.clone()));
    let line = "--arch mlp_tanh --inputs {}/x.safetensors --weights {}";
    let whole = bench.kernels(&format!("{line}/w.safetensors"));
    let shard = |place: usize| format!("model-{:05}-of-00002.safetensors", place + 1);
    let of = |name: &str| usize::from(name.starts_with("fc3"));
    for place in 0..2 {
        bench.file(&shard(place), &safetensors(named.iter().filter(|(name, ..)| of(name) == place).cloned()));
    }
    let index = |shard_of: &dyn Fn(&str) -> String| {
        let map: BTreeMap<&str, String> = named.iter().map(|(name, ..)| (name.as_str(), shard_of(name))).collect();
        let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
        bench.file("model.safetensors.index.json", index.to_string().as_bytes());
    };
    let at_index = format!("{line}/model.safetensors.index.json");
    // A part alone would be another network, without a word of what it lacks.
    assert!(bench.refusal(&format!("{line}/{}", shard(0))).contains("one shard of several"));
    index(&|name| shard(of(name)));
    assert_eq!(bench.kernels(&at_index), whole);
    index(&|_| shard(0));
    assert!(bench.refusal(&at_index).contains("no tensor fc3.bias, which the index promises"));
    index(&|name| if of(name) == 0 { shard(0) } else { "../w.safetensors".to_owned() });
    assert!(bench.refusal(&at_index).contains("names ../w.safetensors, which is not beside it"));
    index(&|name| if of(name) == 0 { shard(0) } else { "gone.safetensors".to_owned() });
    assert!(bench.refusal(&at_index).contains("the shard gone.safetensors: "));
    // Two networks in two shards.
    bench.file("model-00002-of-00002.safetensors", &safetensors(named.clone()));
    index(&|name| shard(of(name)));
    assert!(bench.refusal(&at_index).contains("two tensors fc1"));
    bench.file("model.safetensors.index.json", b"{\"weight_map\": {\"fc1.weight\": 3}}");
    assert!(bench.refusal(&at_index).contains("does not say the shard of each tensor"));
}

#[test]
fn what_is_no_weights_file_is_recognised() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(2, 1));
    let zip = |name: &str| {
        [
            b"PK\x03\x04\x14\0\0\0\0\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice(),
            &[name.len() as u8, 0, 0, 0],
            name.as_bytes(),
        ]
        .concat()
    };
    let short = weights("mlp", Activation::Relu, "max");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (zip("archive/data.pkl"), "a file of torch.save: in Python"),
        (zip("fc1.weight.npy"), "an archive of NumPy"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(), "a pickle of Python"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n".to_vec(), "git lfs pull"),
        (b"<!DOCTYPE html><html><head><title>404</title>".to_vec(), "a web page"),
        (b"{\"a\": 1}".to_vec(), "JSON text"),
        (b"1.0,2.0\n3.0,4.0\n".to_vec(), "a text"),
        (b"\x93NUMPY\x01\x00v\x00".to_vec(), "an array of NumPy"),
        (b"\x89HDF\r\n\x1a\n\0\0".to_vec(), "an HDF5 file"),
        (b"GGUF\x03\0\0\0".to_vec(), "a GGUF file"),
        (Vec::new(), "empty"),
        (short[..short.len() - 3].to_vec(), "its length does not fit its tensors"),
        (short[..40].to_vec(), "its length does not fit its tensors"),
        (vec![0xee; 64], "of no kind that is known"),
    ];
    for (bytes, part) in cases {
        bench.file("w.safetensors", &bytes);
        let said = bench.refusal("--arch mlp_relu --weights {}/w.safetensors --inputs {}/x.safetensors");
        assert!(said.contains(part) && said.contains("no safetensors file"), "{part}: {said}");
        assert!(!said.to_lowercase().contains("header too large"), "{said}");
    }
    let said = bench.refusal("--arch mlp_relu --weights {} --inputs {}/x.safetensors");
    assert!(said.contains("it is a folder"), "{said}");
    #[cfg(unix)]
    {
        let said = bench.refusal("--arch mlp_relu --weights /dev/zero --inputs {}/x.safetensors");
        assert!(said.contains("a pipe or a device"), "{said}");
        let fifo = bench.path("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().is_ok_and(|done| done.success()));
        let said = bench.refusal("--arch mlp_relu --weights {}/fifo --inputs {}/x.safetensors");
        assert!(said.contains("a pipe or a device"), "{said}");
    }
    // A file of holes claims more than any memory.
    let file = fs::File::create(bench.path("holes")).unwrap();
    if file.set_len(1 << 43).is_ok() {
        let said = bench.refusal("--arch mlp_relu --weights {}/holes --inputs {}/x.safetensors");
        assert!(said.contains("8192.0 GiB"), "{said}");
    }
}

#[test]
fn what_nothing_says_is_assumed_aloud_or_refused() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(2, 1));
    bench.file("mlp.safetensors", &weights("mlp", Activation::Relu, "max"));
    bench.file("cnn.safetensors", &weights("cnn", Activation::Tanh, "max"));
    bench.file("tf.safetensors", &weights("transformer", Activation::Relu, "max"));
    let said = bench.refusal("--weights {}/mlp.safetensors --inputs {}/x.safetensors");
    assert!(said.contains("does not determine the network (--arch)"), "{said}");
    let said = bench.refusal("--arch mlp_relu --sigma-w 2 --weights {}/mlp.safetensors --inputs {}/x.safetensors");
    assert!(said.contains("--parametrisation ntk"), "{said}");
    let said = bench.refusal("--arch mlp_relu --pool avg --weights {}/mlp.safetensors --inputs {}/x.safetensors");
    assert!(said.contains("mlp has no setting pool: leave --pool out"), "{said}");
    let said = bench.refusal("--arch cnn_maxpool --pool avg --weights {}/cnn.safetensors --inputs {}/x.safetensors");
    assert!(said.contains("--arch gives pool = max and --pool is avg"), "{said}");
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let done = kernelscope(bench.folder.path(), &words);
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stderr).to_owned()
    };
    let said = run("gram --device cpu --arch cnn_maxpool --weights cnn.safetensors --inputs x.safetensors --out a.npz");
    assert!(said.contains("assumes relu (--activation), the standard parametrisation (--parametrisation)"), "{said}");
    let said =
        run("gram --device cpu --arch transformer_preln --weights tf.safetensors --inputs x.safetensors --out b.npz");
    assert!(said.contains("gelu (--activation), 4 attention heads (--heads)"), "{said}");
    let all = "--activation tanh --parametrisation standard --arch cnn_maxpool";
    let said = run(&format!("gram --device cpu {all} --weights cnn.safetensors --inputs x.safetensors --out c.npz"));
    assert!(!said.contains("assumes"), "{said}");
    // Half of a kernel is computed, and the other half is no measurement.
    assert!(!said.contains("asymmetry"), "{said}");
    assert_ne!(arrays(&bench.path("a.npz")), arrays(&bench.path("c.npz")));
}

/// tanh and LayerNorm make finite numbers of what 32 bits cannot hold.
#[test]
fn a_finite_kernel_of_what_overflowed_is_no_file() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(2, 1));
    for (arch, kind, first) in [
        ("mlp_tanh", "mlp", "fc1.weight"),
        ("mlp_erf", "mlp", "fc1.weight"),
        ("resmlp_preln", "resmlp", "embed.weight"),
        ("rnn_tanh", "rnn", "rnn.weight_ih"),
    ] {
        let mut named = tensors(&weights(kind, Activation::Tanh, "max"));
        let huge = named.iter_mut().find(|(name, ..)| name == first).unwrap();
        let factor = if kind == "resmlp" { 1e25 } else { 3e38 };
        huge.2.iter_mut().for_each(|value| *value = value.signum() * factor);
        bench.file("w.safetensors", &safetensors(named));
        let line = format!("--arch {arch} --weights {{}}/w.safetensors --inputs {{}}/x.safetensors --out {{}}/k.npz");
        let said = bench.gram(&line).unwrap_err().to_string();
        assert!(said.contains("32-bit floats"), "{arch}: {said}");
        assert!(!bench.path("k.npz").exists());
    }
}

#[test]
fn foreign_names_are_made_printable() {
    assert_eq!(printable("fc1.weight é ∞"), "fc1.weight é ∞");
    assert_eq!(
        printable("\u{1b}]0;pwned\u{7}\r\n\u{202e}x\u{9b}"),
        "\\u{1b}]0;pwned\\u{7}\\u{d}\\u{a}\\u{202e}x\\u{9b}"
    );
    let long = printable(&"ab".repeat(5000));
    assert!(long.chars().count() == 101 && long.starts_with("ab") && long.contains('…'), "{long}");
}

/// Ten thousand damaged files: each is read or refused, in little time.
#[test]
fn damaged_weights_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let mut generator = rng::rng(1, rng::Stream::Order, 0, 0);
    let seeds: Vec<(NetworkSpec, Vec<u8>)> = ARCHS
        .iter()
        .map(|&(_, kind, activation, pool)| {
            let spec = pooled(NetworkSpec { activation, ..fitting(NetworkSpec::of(kind), &[("heads", 2)]) }, pool);
            let metadata = BTreeMap::from([("network.kind".to_owned(), "mlp".to_owned())]);
            (spec, with_metadata(&tensors(&weights(kind, activation, pool)), metadata))
        })
        .collect();
    let index =
        br#"{"metadata": {}, "weight_map": {"fc1.weight": "w.safetensors", "fc1.bias": "x.safetensors"}}"#.to_vec();
    let lists = [header(r#"{"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#, 4), index];
    let mut slowest = 0.0f64;
    for case in 0..10_000 {
        let (spec, good) = &seeds[case % seeds.len()];
        let mut bytes = if case % 20 == 0 { lists[case / 20 % 2].clone() } else { good.clone() };
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()).min(bytes.len() as u64 - 8) as usize + 8;
        for _ in 0..generator.random_range(1..4) {
            // Mostly in the header: that is where shapes, names and places are.
            let most = if generator.random_range(0..4) > 0 { length } else { bytes.len() };
            let at = generator.random_range(0..most.min(bytes.len()));
            match generator.random_range(0..5) {
                0 => bytes[at] = generator.random_range(0..=255u8),
                1 => bytes[at] ^= 1 << generator.random_range(0..8),
                2 if bytes[at].is_ascii_digit() => bytes[at] = b'0' + generator.random_range(0..10u8),
                3 => bytes.truncate(at.max(9)),
                _ => {
                    let piece = bytes[at..(at + 12).min(bytes.len())].to_vec();
                    let to = generator.random_range(0..bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        let began = Instant::now();
        // Every tenth by way of the disk, as the program reads it.
        let parts = if case % 10 == 0 {
            fs::write(&path, &bytes).unwrap();
            WeightsFile::read(&path).map_or_else(|_| Vec::new(), |file| file.parts)
        } else {
            vec![bytes]
        };
        let _ = Network::load(spec, &parts, [2, 8, 8], &Device::flex());
        slowest = slowest.max(began.elapsed().as_secs_f64());
    }
    eprintln!("the slowest of 10,000 damaged files took {slowest:.3} s");
    assert!(Path::new(&path).exists());
}
