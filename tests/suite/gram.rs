//! `kernelscope gram`: every network against the oracle, what the archive holds, and files that lie.

use super::{fitting, sized};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Parser as _;
use kernelscope::cli::{Cli, RefusedRequest, execute};
use kernelscope::math::rng;
use kernelscope::model::Network;
use kernelscope::spec::{Activation, NetworkSpec, Setting};
use kernelscope::worker::gram::Inputs;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::cli::{kernelscope, text};

/// Images of 2×8×8, 4 logits.
const IMAGE: [usize; 3] = [2, 8, 8];
const CLASSES: usize = 4;

pub const ARCHS: [(&str, &str, Activation, &str); 10] = [
    ("mlp_relu", "mlp", Activation::Relu, "max"),
    ("mlp_tanh", "mlp", Activation::Tanh, "max"),
    ("mlp_gelu", "mlp", Activation::Gelu, "max"),
    ("mlp_erf", "mlp", Activation::Erf, "max"),
    ("cnn_maxpool", "cnn", Activation::Relu, "max"),
    ("cnn_avgpool", "cnn", Activation::Relu, "avg"),
    ("cnn_nopool", "cnn", Activation::Relu, "none"),
    ("resmlp_preln", "resmlp", Activation::Relu, "max"),
    ("rnn_tanh", "rnn", Activation::Tanh, "max"),
    ("transformer_preln", "transformer", Activation::Gelu, "max"),
];

pub struct Bench {
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Does what the command line says; `{}` stands for the folder.
    pub fn gram(&self, line: &str) -> anyhow::Result<()> {
        let line = line.replace("{}", self.folder.path().to_str().unwrap());
        let words = format!("kernelscope gram --device cpu {line}");
        execute(&Cli::try_parse_from(words.split_whitespace())?.command.unwrap())
    }

    /// The archive that it writes.
    pub fn kernels(&self, line: &str) -> BTreeMap<String, (Vec<u64>, Vec<f64>)> {
        self.gram(&format!("{line} --out {{}}/k.npz --overwrite")).unwrap_or_else(|err| panic!("{line}: {err:#}"));
        arrays(&self.path("k.npz"))
    }

    /// The sentence with which it refuses; nothing is left behind.
    pub fn refusal(&self, line: &str) -> String {
        let err = self.gram(&format!("{line} --out {{}}/refused.npz")).expect_err(line);
        let said = err.to_string();
        assert!(err.is::<RefusedRequest>(), "{line}: {said}");
        assert_eq!(said.lines().count(), 1, "{line}: {said}");
        assert!(!self.path("refused.npz").exists());
        said
    }
}

pub fn arrays(path: &Path) -> BTreeMap<String, (Vec<u64>, Vec<f64>)> {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let count = archive.len();
    let read = |at: usize| {
        let mut entry = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let array = npyz::NpyFile::new(&bytes[..]).unwrap();
        let name = entry.name().unwrap().strip_suffix(".npy").unwrap().to_owned();
        (name, (array.shape().to_vec(), array.into_vec().unwrap()))
    };
    (0..count).map(read).collect()
}

/// This network with a pooling, where its text has one.
pub fn pooled(network: NetworkSpec, pool: &str) -> NetworkSpec {
    if network.declares("pool") { network.with("pool", pool) } else { network }
}

/// A small network of each architecture, as a file.
pub fn weights(kind: &str, activation: Activation, pool: &str) -> Vec<u8> {
    let width = if kind == "cnn" { 3 } else { 8 };
    let sizes = sized(kind, &[("depth", 2), ("blocks", 2), ("heads", 2), ("patch", 4)]);
    let spec = pooled(NetworkSpec { activation, width: width.into(), ..sizes }, pool);
    let named = Network::new(&spec, 7, IMAGE, CLASSES, &Device::flex()).named();
    safetensors(named.into_iter().map(|tensor| (tensor.name, tensor.shape, tensor.values)))
}

pub fn safetensors(tensors: impl IntoIterator<Item = (String, Vec<usize>, Vec<f32>)>) -> Vec<u8> {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, values)| (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

pub fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut generator = rng::rng(seed, rng::Stream::Order, 0, 0);
    (0..count).map(|_| generator.random_range(-1.5..1.5)).collect()
}

/// So many inputs as a safetensors file, with an array beside them that nobody needs.
pub fn inputs(count: usize, seed: u64) -> Vec<u8> {
    let x = ("x".to_owned(), vec![count, 2, 8, 8], noise(count * 128, seed));
    safetensors([x, ("y".to_owned(), vec![3], vec![0.0; 3])])
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

pub fn assert_close(what: &str, found: &[f64], expected: &[f64], whole: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let gap: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    // A part that is zero in exact arithmetic (a key's bias) is as small as rounding of the whole.
    let difference = norm(&gap) / norm(expected).max(1e-3 * norm(whole));
    assert!(difference <= 1e-5, "{what}: relative Frobenius difference {difference:e}");
}

#[test]
fn every_architecture_is_what_the_oracle_says() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(5, 1));
    let values: Vec<u8> = noise(3 * 128, 2).iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect();
    bench.file("y.npy", &npy("<f8", "(3, 2, 8, 8)", &values));
    for (arch, kind, activation, pool) in ARCHS {
        bench.file("w.safetensors", &weights(kind, activation, pool));
        for (reduction, logits) in [("trace", 1), ("full", CLASSES), ("sum-logits", 1)] {
            for (second, columns) in [("", 5), ("--inputs2 {}/y.npy", 3)] {
                let line = format!(
                    "--arch {arch} --heads 2 --weights {{}}/w.safetensors --inputs {{}}/x.safetensors {second} \
                     --reduction {reduction} --per-tensor"
                );
                let oracle = bench.kernels(&format!("{line} --method jacobian"));
                let (shape, whole) = &oracle[reduction];
                assert_eq!(shape, &[5 * logits as u64, columns * logits as u64]);
                for memory in ["1GiB", "20kB"] {
                    let found = bench.kernels(&format!("{line} --memory {memory}"));
                    assert_eq!(found.len(), oracle.len(), "{line}");
                    for (name, (shape, values)) in &found {
                        let (expected_shape, expected) = &oracle[name];
                        assert_eq!(shape, expected_shape, "{line}: {name}");
                        assert_close(&format!("{line} --memory {memory}: {name}"), values, expected, whole);
                    }
                    let mut sum = vec![0.0; whole.len()];
                    let parts = format!("{reduction}_by_param/");
                    for (_, (_, values)) in found.iter().filter(|(name, _)| name.starts_with(&parts)) {
                        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                    }
                    assert_close(&format!("{line}: parts"), &sum, whole, whole);
                }
            }
        }
    }
}

#[test]
fn layers_may_be_chosen() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(4, 1));
    bench.file("w.safetensors", &weights("transformer", Activation::Gelu, "max"));
    let line =
        "--arch transformer_preln --heads 2 --weights {}/w.safetensors --inputs {}/x.safetensors --per-tensor --layers";
    let all = bench.kernels(line.trim_end_matches("--layers"));
    for method in ["layerwise", "jacobian"] {
        let some = bench.kernels(&format!("{line} pos,blocks.1,head.bias --method {method}"));
        let chosen = |name: &str| name == "pos" || name.starts_with("blocks.1.") || name == "head.bias";
        let names: Vec<&String> = all.keys().filter(|name| chosen(name.rsplit('/').next().unwrap())).collect();
        assert_eq!(names.len(), 18);
        assert_eq!(some.keys().filter(|name| name.contains('/')).collect::<Vec<_>>(), names);
        let mut sum = vec![0.0; 16];
        for name in names {
            sum.iter_mut().zip(&all[name].1).for_each(|(sum, value)| *sum += value);
        }
        assert_close(method, &some["trace"].1, &sum, &sum);
    }
    let said = bench.refusal(&format!("{line} pos,blocks.2"));
    assert!(
        said.contains("no layer blocks.2 ") && said.contains("blocks.1.attn.k, ") && said.contains(", pos"),
        "{said}"
    );
}

#[test]
fn a_repeated_measurement_is_one_line_of_json() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(4, 1));
    bench.file("w.safetensors", &weights("mlp", Activation::Relu, "max"));
    let line = "gram --arch mlp_relu --weights w.safetensors --inputs x.safetensors --device cpu";
    let run =
        |more: &str| kernelscope(bench.folder.path(), &format!("{line} {more}").split_whitespace().collect::<Vec<_>>());
    let done = run("--repeat 3 --threads 1 --explain --out k.npz");
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said: BTreeMap<String, f64> = serde_json::from_slice(&done.stdout).unwrap();
    let fields: Vec<&str> = said.keys().map(String::as_str).collect();
    assert_eq!(fields, ["cpu_med", "cpu_min", "gflop", "peak_bytes", "threads", "wall_med", "wall_min"]);
    assert_eq!(said["threads"], 1.0);
    assert!(said["wall_min"] > 0.0 && said["wall_min"] <= said["wall_med"] && said["cpu_min"] <= said["cpu_med"]);
    assert!(said["peak_bytes"] > 1e6 && said["peak_bytes"] < 1e9, "{said:?}");
    // 2 · 4 inputs · (128·8 + 8·8 + 8·4) forwards, and something less than four times as much on the way back.
    assert!(said["gflop"] > 9e-6 && said["gflop"] < 5e-5, "{said:?}");
    assert!(text(&done.stderr).contains("4×4 trace over 1140 parameters, λ_max"), "{}", text(&done.stderr));

    // What is there stays, and only the plan is asked for.
    let kept = fs::read(bench.path("k.npz")).unwrap();
    let refused = run("--out k.npz");
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(text(&refused.stderr), "k.npz exists: choose another name or give --overwrite");
    assert_eq!(fs::read(bench.path("k.npz")).unwrap(), kept);
    let plan = text(&run("--explain --memory 4kB").stdout);
    assert!(["fc1", "fc2", "fc3", "in all", "blocks of inputs"].iter().all(|word| plan.contains(word)), "{plan}");
    // Only the time is asked for; of one layer it is less work, on the way back too.
    let gflop = |more: &str| {
        let done = run(&format!("--repeat 1 --threads 1 {more}"));
        assert!(done.status.success(), "{}", text(&done.stderr));
        serde_json::from_slice::<BTreeMap<String, f64>>(&done.stdout).unwrap()["gflop"]
    };
    // Left out of the last layer's kernel: the ways back through two layers, 2 · 4 inputs · 4 logits · (8·8 + 8·4), and what
    // the first two contribute.
    let (whole, last) = (gflop(""), gflop("--layers fc3"));
    assert!(whole - last > 2e-9 * 16.0 * 96.0 && last > 9e-6, "{last} of {whole}");
    assert_eq!(fs::read_dir(bench.folder.path()).unwrap().count(), 3);
}

#[test]
fn a_kernel_that_is_not_finite_is_no_file() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(2, 1));
    let layer = |name: &str, fan_in: usize, fan_out: usize| {
        let weight = (format!("{name}.weight"), vec![fan_out, fan_in], vec![1e30; fan_in * fan_out]);
        [weight, (format!("{name}.bias"), vec![fan_out], vec![1e30; fan_out])]
    };
    bench.file("w.safetensors", &safetensors([layer("fc1", 128, 4), layer("fc2", 4, 4)].into_iter().flatten()));
    let line = "--arch mlp_relu --weights {}/w.safetensors --inputs {}/x.safetensors --out {}/k.npz";
    let err = bench.gram(line).unwrap_err();
    assert!(!err.is::<RefusedRequest>() && err.to_string().contains("not finite at row 0, column 0"), "{err}");
    assert!(!bench.path("k.npz").exists());
}

/// Shapes and values by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A safetensors file with this header and so many bytes of zeros.
pub fn header(json: &str, data: usize) -> Vec<u8> {
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(2, 1));
    let good: BTreeMap<&str, Vec<u8>> =
        ARCHS.iter().map(|&(arch, kind, activation, pool)| (arch, weights(kind, activation, pool))).collect();
    let altered = |arch: &str, alter: &dyn Fn(&mut Tensors)| {
        let file = safetensors::SafeTensors::deserialize(&good[arch]).unwrap();
        let values = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        let mut tensors =
            file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), values(view.data())))).collect();
        alter(&mut tensors);
        safetensors(tensors.into_iter().map(|(name, (shape, values))| (name, shape, values)))
    };
    let truncated = good["mlp_relu"][..good["mlp_relu"].len() - 5].to_vec();
    let mut huge = (1u64 << 60).to_le_bytes().to_vec();
    huge.extend(b"{}");
    let free = r#"{"fc1.weight":{"dtype":"F32","shape":[0,1152921504606846976],"data_offsets":[0,0]}}"#;
    let claim = r#"{"fc1.weight":{"dtype":"F32","shape":[1073741824,128],"data_offsets":[0,549755813888]}}"#;
    let wraps = r#"{"fc1.weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#;
    let whole = r#"{"fc1.weight":{"dtype":"I16","shape":[1,128],"data_offsets":[0,256]},"fc1.bias":{"dtype":"F32","shape":[1],"data_offsets":[256,260]}}"#;
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("mlp_relu", altered("mlp_relu", &|w| w.get_mut("fc2.weight").unwrap().1[3] = f32::NAN), "fc2.weight"),
        ("mlp_relu", altered("mlp_relu", &|w| w.get_mut("fc3.bias").unwrap().1[0] = f32::INFINITY), "fc3.bias"),
        ("mlp_relu", altered("mlp_relu", &|w| drop(w.remove("fc2.bias"))), "no tensor fc2.bias"),
        ("mlp_relu", altered("mlp_relu", &|w| drop(w.remove("fc2.weight"))), "fc2.bias"),
        ("mlp_relu", altered("mlp_relu", &|w| drop(w.insert("extra".into(), (vec![1], vec![0.0])))), "extra"),
        ("mlp_relu", altered("mlp_relu", &|w| w.get_mut("fc2.weight").unwrap().0 = vec![4, 16]), "[4, 16]"),
        ("mlp_relu", altered("mlp_relu", &|w| w.get_mut("fc1.weight").unwrap().0 = vec![16, 64]), "128 values"),
        ("mlp_relu", altered("mlp_relu", &|w| w.get_mut("fc1.weight").unwrap().0 = vec![1024]), "[8, 128]"),
        ("mlp_relu", truncated, "no safetensors"),
        ("mlp_relu", huge, "no safetensors"),
        ("mlp_relu", b"PK\x03\x04 an archive of another kind".to_vec(), "no safetensors"),
        ("mlp_relu", Vec::new(), "no safetensors"),
        ("mlp_relu", header(free, 0), "[0, 1152921504606846976]"),
        ("mlp_relu", header(claim, 64), "no safetensors"),
        ("mlp_relu", header(wraps, 0), "no safetensors"),
        ("mlp_relu", header(whole, 260), "I16"),
        ("mlp_relu", good["cnn_maxpool"].clone(), "fc1.weight"),
        ("cnn_maxpool", good["mlp_relu"].clone(), "conv1.weight"),
        ("cnn_maxpool", altered("cnn_maxpool", &|w| w.get_mut("conv1.weight").unwrap().0 = vec![6, 1, 3, 3]), "2×8×8"),
        ("cnn_maxpool", altered("cnn_maxpool", &|w| w.get_mut("fc.weight").unwrap().0 = vec![8, 12]), "fc.weight"),
        (
            "cnn_maxpool",
            altered("cnn_maxpool", &|w| drop(w.insert("conv3.weight".into(), (vec![6, 6, 3, 3], vec![0.0; 324])))),
            "conv3.weight",
        ),
        ("resmlp_preln", good["transformer_preln"].clone(), "embed.weight"),
        ("resmlp_preln", altered("resmlp_preln", &|w| drop(w.remove("blocks.1.ln.weight"))), "blocks.1.fc1.bias"),
        (
            "transformer_preln",
            altered("transformer_preln", &|w| w.get_mut("pos").unwrap().0 = vec![2, 16]),
            "where [4, 8]",
        ),
        (
            "transformer_preln",
            altered("transformer_preln", &|w| w.get_mut("embed.weight").unwrap().0 = vec![32, 8]),
            "embed.weight",
        ),
        (
            "transformer_preln",
            altered("transformer_preln", &|w| w.get_mut("pos").unwrap().0 = vec![32]),
            "where [4, 8]",
        ),
    ];
    for (arch, bytes, part) in cases {
        bench.file("w.safetensors", bytes);
        let line = format!("--arch {arch} --heads 2 --weights {{}}/w.safetensors --inputs {{}}/x.safetensors");
        let said = bench.refusal(&line);
        assert!(said.contains(part) && said.contains("w.safetensors"), "{part}: {said}");
    }
    bench.file("w.safetensors", &good["transformer_preln"]);
    let said = bench.refusal("--arch transformer_preln --heads 3 --weights {}/w.safetensors --inputs {}/x.safetensors");
    assert!(said.contains("3 attention heads"), "{said}");
    // No network has sides of its own: an image that cannot be pooled twice is refused, too.
    let cnn = NetworkSpec::of("cnn");
    let transformer = NetworkSpec::of("transformer").with("heads", 2);
    let loads = |spec: &NetworkSpec, arch: &str, image| {
        Network::load(spec, std::slice::from_ref(&good[arch]), image, &Device::flex()).is_ok()
    };
    for image in [[2, 6, 8], [2, 0, 8], [0, 8, 8]] {
        assert!(!loads(&cnn, "cnn_maxpool", image), "{image:?}");
        assert!(!loads(&transformer, "transformer_preln", image), "{image:?}");
    }
    // Unpooled it fits such an image, which its tensors tell and whoever asks for pooling is told.
    assert!(!loads(&transformer, "transformer_preln", [2, 2, 2]));
    let (unpooled, _) =
        Network::load(&cnn, std::slice::from_ref(&good["cnn_maxpool"]), [2, 2, 2], &Device::flex()).unwrap();
    assert_eq!(unpooled.determined_settings().settings.get("pool"), Some(&Setting::Word("none".to_owned())));
}

#[test]
fn inputs_that_do_not_fit_are_named() {
    let bench = Bench::new();
    bench.file("mlp.safetensors", &weights("mlp", Activation::Relu, "max"));
    bench.file("cnn.safetensors", &weights("cnn", Activation::Relu, "max"));
    bench.file("good.safetensors", &inputs(2, 1));
    let x = |shape: &[usize], values: Vec<f32>| safetensors([("x".to_owned(), shape.to_vec(), values)]);
    let mut wild = noise(256, 1);
    wild[200] = f32::NAN;
    let claim = r#"{"x":{"dtype":"F32","shape":[1152921504606846976,128],"data_offsets":[0,1024]}}"#;
    let complex = r#"{"x":{"dtype":"C64","shape":[1,128],"data_offsets":[0,1024]}}"#;
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("mlp", safetensors([("images".to_owned(), vec![1, 128], noise(128, 1))]), "no array x among [images]"),
        ("mlp", x(&[2, 128], wild), "input 1 "),
        ("mlp", x(&[0, 128], Vec::new()), "[0, 128]"),
        ("mlp", x(&[128], noise(128, 1)), "[128]"),
        ("mlp", x(&[1, 1, 2, 8, 8], noise(128, 1)), "[1, 1, 2, 8, 8]"),
        ("mlp", x(&[2, 100], noise(200, 1)), "100 values"),
        ("cnn", x(&[2, 128], noise(256, 1)), "rows of 128 values"),
        ("cnn", x(&[1, 1, 8, 8], noise(64, 1)), "1×8×8"),
        ("cnn", x(&[1, 2, 6, 8], noise(96, 1)), "6×8"),
        ("cnn", x(&[1, 784], noise(784, 1)), "1×28×28"),
        ("mlp", header(claim, 1024), "no safetensors"),
        ("mlp", header(complex, 1024), "C64"),
        ("mlp", npy("<f4", "(10000000000000, 128)", &[0; 64]), "promises"),
        ("mlp", npy("<f4", "(4294967296, 4294967296)", &[0; 64]), "cannot be read"),
        ("mlp", npy("<f4", "(2, 128)", &[0; 1000]), "promises"),
        ("mlp", npy("<c8", "(2, 128)", &[0; 2048]), "float64"),
        ("mlp", npy("<f4", "((((((((((2, 128", &[0; 64]), "cannot be read"),
        ("mlp", npy("<f8", "(1, 128)", &[0x7f; 1024]), "input 0 "),
        ("mlp", npy("<f4", "(2, 128)", &[0; 1028]), "4 bytes behind its values"),
        ("mlp", b"\x93NUMPY".to_vec(), "cannot be read"),
    ];
    for (network, bytes, part) in cases {
        bench.file("x", bytes);
        let arch = if *network == "mlp" { "mlp_relu" } else { "cnn_maxpool" };
        let said = bench.refusal(&format!("--arch {arch} --weights {{}}/{network}.safetensors --inputs {{}}/x"));
        assert!(said.contains(part), "{part}: {said}");
    }
    bench.file("x", &x(&[2, 100], noise(200, 1)));
    let line = "--arch mlp_relu --weights {}/mlp.safetensors --inputs {}/good.safetensors";
    let said = bench.refusal(&format!("{line} --inputs2 {{}}/x"));
    assert!(said.contains("100") && said.contains("128"), "{said}");
    assert!(bench.refusal(&format!("{line} --inputs2 {{}}/nowhere")).contains("nowhere"));
    assert!(bench.refusal(&line.replace("mlp.safe", "nowhere.safe")).contains("nowhere.safetensors"));
    let mut file = File::create(bench.path("busy")).unwrap();
    file.write_all(b"mine").unwrap();
    let err = bench.gram(&format!("{line} --out {{}}/busy/k.npz")).unwrap_err();
    assert!(err.is::<RefusedRequest>() && err.to_string().contains("busy/k.npz"), "{err}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Whatever happens to a file, it is read or refused: no panic, no allocation that its bytes do not back.
    #[test]
    fn damaged_files_are_read_or_refused(
        which in 0..ARCHS.len(),
        place in 0.0..1.0f64,
        byte in any::<u8>(),
        digit in 0..10u8,
        in_header in any::<bool>(),
        cut in 0.0..1.5f64,
    ) {
        let (_, kind, activation, pool) = ARCHS[which];
        let damage = |mut bytes: Vec<u8>, header: usize| {
            let most = if in_header { header.min(bytes.len()) } else { bytes.len() };
            let at = ((most as f64 * place) as usize).min(most - 1);
            // Digits become other digits: that is where shapes are.
            bytes[at] = if bytes[at].is_ascii_digit() { b'0' + digit } else { byte };
            bytes.truncate((bytes.len() as f64 * cut) as usize);
            bytes
        };
        let spec = pooled(NetworkSpec { activation, ..fitting(NetworkSpec::of(kind), &[("heads", 2)]) }, pool);
        let bytes = weights(kind, activation, pool);
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let _ = Network::load(&spec, &[damage(bytes, length + 8)], IMAGE, &Device::flex());
        let _ = Inputs::parse(&damage(inputs(2, 1), 80), true);
        let _ = Inputs::parse(&damage(npy("<f4", "(2, 2, 8, 8)", &[0; 1024]), 80), false);
    }
}

/// Numbers that every type below has, as somebody may have saved them: the kernel is the same, and what was done is said.
#[test]
fn inputs_of_every_kind_give_one_kernel() {
    let bench = Bench::new();
    bench.file("w.safetensors", &weights("cnn", Activation::Relu, "max"));
    let whole: Vec<u8> = (0..2 * 128u32).map(|at| (at * 37 % 11) as u8).collect();
    let bytes = |of: &dyn Fn(u8) -> Vec<u8>| whole.iter().flat_map(|&value| of(value)).collect::<Vec<u8>>();
    let single = |value: u8| f32::from(value).to_le_bytes().to_vec();
    let x = |dtype: Dtype, data: &[u8]| {
        serialize([("x", TensorView::new(dtype, vec![2, 2, 8, 8], data).unwrap())], None).unwrap()
    };
    let zip = |members: &[(&str, &[u8])]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let plain = npy("<f4", "(2, 2, 8, 8)", &bytes(&single));
    let turned = {
        // The first index runs fastest.
        let order = (0..256).map(|at| (at % 2 * 2 + at / 2 % 2) * 64 + at / 4 % 8 * 8 + at / 32);
        let data: Vec<u8> = order.flat_map(|at| single(whole[at])).collect();
        let text = npy("<f4", "(2, 2, 8, 8)", &[]);
        let text = String::from_utf8_lossy(&text[10..]).replace("False", "True");
        [&b"\x93NUMPY\x01\0"[..], &(text.len() as u16).to_le_bytes(), text.as_bytes(), &data].concat()
    };
    let bf16 = |value: u8| f32::from(value).to_le_bytes()[2..].to_vec();
    let said = |file: &[u8]| Inputs::parse(file, true).unwrap().words;
    let mut expected = None;
    for (file, words) in [
        (plain.clone(), "2 inputs of 2 channels, 8 × 8"),
        (turned, "Fortran order"),
        (npy(">i2", "(2L, 2L, 8L, 8L)", &bytes(&|value| vec![0, value])), "int16 (big-endian) read as floats"),
        (npy("|u1", "(2, 2, 8, 8)", &whole), "uint8 read as floats, as they are"),
        (zip(&[("images.npy", &plain)]), "the array is images"),
        (zip(&[("y.npy", &npy("<f4", "(1,)", &[0; 4])), ("x.npy", &plain)]), "2 inputs"),
        (x(Dtype::U8, &whole), "U8 read as floats"),
        (x(Dtype::BF16, &bytes(&bf16)), "BF16 read as floats"),
        (x(Dtype::I64, &bytes(&|value| u64::from(value).to_le_bytes().to_vec())), "I64 read as floats"),
        (x(Dtype::F64, &bytes(&|value| f64::from(value).to_le_bytes().to_vec())), "2 inputs of 2 channels"),
    ] {
        assert!(said(&file).contains(words), "{words}: {}", said(&file));
        bench.file("x", &file);
        let found = bench.kernels("--arch cnn_maxpool --weights {}/w.safetensors --inputs {}/x");
        assert_eq!(&found, expected.get_or_insert_with(|| found.clone()), "{words}");
    }
    bench.file("x", &npy("<f4", "(2, 8, 8, 2)", &bytes(&single)));
    let said = bench.refusal("--arch cnn_maxpool --weights {}/w.safetensors --inputs {}/x");
    assert!(said.contains("[2, 8, 8, 2]") && said.contains("(0, 3, 1, 2)"), "{said}");
    bench.file("x", &zip(&[("a.npy", &plain), ("b.npy", &plain)]));
    let said = bench.refusal("--arch cnn_maxpool --weights {}/w.safetensors --inputs {}/x");
    assert!(said.contains("no array x among [a, b]"), "{said}");
}
