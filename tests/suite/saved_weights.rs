//! Weights as people save them: a table of files, each with the network it must be read as or the sentence that refuses it.
//!
//! What a file must be read as is known without the reader: it is the plain file, renamed, converted or with something beside
//! it. Values have eight bits, so that every type of float holds them exactly.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;
use kernelscope::model::{Network, TensorOrigin};
use kernelscope::spec::{Activation, NetworkSpec};
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::cli::{kernelscope, text};
use super::gram::{Bench, inputs, weights};
use super::sized;

const IMAGE: [usize; 3] = [2, 8, 8];
const CLASSES: usize = 4;

/// A network with names of its own, one of them normalised by batches.
const TEXT: &str = "//! Mine.\nlet width = setting(\"width\", 8, 1..64);\n\
                    let h = act(batch_norm(\"encoder.bn\", dense(\"encoder.fc1\", x, width)));\n\
                    dense(\"head\", h, classes)\n";

/// The type, shape and bytes of a tensor.
#[derive(Clone)]
struct Saved(Dtype, Vec<usize>, Vec<u8>);

type Tensors = BTreeMap<String, Saved>;

impl Saved {
    fn of(shape: &[usize], values: &[f32]) -> Self {
        Self(Dtype::F32, shape.to_vec(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn values(&self) -> Vec<f32> {
        self.2.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    }

    /// The same values as another type of float.
    fn to(&self, dtype: Dtype) -> Self {
        let write = |value: f32| match dtype {
            Dtype::F64 => f64::from(value).to_le_bytes().to_vec(),
            Dtype::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
            Dtype::BF16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        };
        Self(dtype, self.1.clone(), self.values().into_iter().flat_map(write).collect())
    }

    /// Zeros of this shape as a type of so many bytes.
    fn zeros(dtype: Dtype, shape: &[usize], bytes: usize) -> Self {
        Self(dtype, shape.to_vec(), vec![0; shape.iter().product::<usize>() * bytes])
    }
}

fn file(tensors: &Tensors) -> Vec<u8> {
    let views =
        tensors.iter().map(|(name, Saved(dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes)));
    serialize(views.map(|(name, view)| (name.clone(), view.unwrap())), None).unwrap()
}

fn named(tensors: &Tensors, name: impl Fn(&str) -> String) -> Tensors {
    tensors.iter().map(|(own, tensor)| (name(own), tensor.clone())).collect()
}

fn with(tensors: &Tensors, others: impl IntoIterator<Item = (String, Saved)>) -> Tensors {
    tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).chain(others).collect()
}

/// A network of the table: the option that names it, its spec, its tensors, and its first weight and last bias.
struct Subject {
    arch: &'static str,
    spec: NetworkSpec,
    plain: Tensors,
    first: String,
    last: String,
}

fn subjects() -> Vec<Subject> {
    let tensors = |bytes: &[u8]| -> Tensors {
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let rounded = |bytes: &[u8]| -> Vec<f32> {
            let values = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four));
            values.map(|value| (value * 128.0).round() / 128.0).collect()
        };
        let each = file.iter().map(|(name, view)| (name.to_owned(), Saved::of(view.shape(), &rounded(view.data()))));
        each.collect()
    };
    let own = NetworkSpec {
        program: "mine".to_owned(),
        text: Some(TEXT.into()),
        activation: Activation::Relu,
        width: 8.into(),
        ..NetworkSpec::default()
    };
    let drawn = Network::new(&own, 3, IMAGE, CLASSES, &Device::flex()).named();
    let of_text = drawn.into_iter().map(|tensor| {
        let shift = if tensor.name.ends_with("running_var") { 0.5 } else { 0.125 };
        let values: Vec<f32> = tensor.values.iter().map(|value| (value * 128.0).round() / 128.0 + shift).collect();
        (tensor.name, Saved::of(&tensor.shape, &values))
    });
    let family = |kind: &str| NetworkSpec { activation: Activation::Relu, ..NetworkSpec::of(kind) };
    let subject = |arch, spec, plain, first: &str, last: &str| Subject {
        arch,
        spec,
        plain,
        first: first.to_owned(),
        last: last.to_owned(),
    };
    vec![
        subject("mlp_relu", family("mlp"), tensors(&weights("mlp", Activation::Relu, "max")), "fc1.weight", "fc3.bias"),
        subject(
            "cnn_maxpool --activation relu",
            family("cnn").with("pool", "max"),
            tensors(&weights("cnn", Activation::Relu, "max")),
            "conv1.weight",
            "fc.bias",
        ),
        subject("{}/mine.rhai --activation relu", own, of_text.collect(), "encoder.fc1.weight", "head.bias"),
    ]
}

const LINE: &str = "--weights {}/w.safetensors --inputs {}/x.safetensors --arch";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.file("x.safetensors", &inputs(4, 1));
    bench.file("mine.rhai", TEXT.as_bytes());
    bench
}

/// What is read as the plain file, and parts of the notes on it.
fn alike(subject: &Subject) -> Vec<(&'static str, Tensors, Vec<&'static str>)> {
    let Subject { plain, first, .. } = subject;
    let prefixed = |prefix: &str| named(plain, |name| format!("{prefix}{name}"));
    let all = |dtype| plain.iter().map(|(name, tensor)| (name.clone(), tensor.to(dtype))).collect::<Tensors>();
    let layer = first.strip_suffix("weight").unwrap();
    let mask = || ("attn.mask".to_owned(), Saved::zeros(Dtype::BOOL, &[4, 4], 1));
    let count = |name: &str| (name.to_owned(), Saved::zeros(Dtype::I64, &[], 8));
    let mut table = vec![
        ("plain", plain.clone(), vec![]),
        ("data parallel", prefixed("module."), vec!["took “module.” off all names"]),
        ("compiled", prefixed("_orig_mod."), vec!["took “_orig_mod.” out of the names"]),
        ("a field", prefixed("model."), vec!["took “model.” off all names"]),
        ("another field", prefixed("net."), vec!["took “net.” off all names"]),
        ("compiled and parallel", prefixed("_orig_mod.module."), vec!["“_orig_mod.”", "“module.”"]),
        ("parallel and compiled", prefixed("module._orig_mod."), vec!["“_orig_mod.”", "“module.”"]),
        ("nested", prefixed("state_dict.model."), vec!["“state_dict.model.”"]),
        ("sharded and compiled", prefixed("_fsdp_wrapped_module._orig_mod."), vec!["“_fsdp_wrapped_module.”"]),
        ("an average alone", prefixed("ema."), vec!["took “ema.” off all names"]),
        (
            "a compiled layer",
            named(plain, |name| name.replace(layer, &format!("{layer}_orig_mod."))),
            vec!["took “_orig_mod.” out of the names"],
        ),
        ("f64", all(Dtype::F64), vec!["read 64-bit floats as 32-bit floats"]),
        ("f16", all(Dtype::F16), vec!["read 16-bit floats as 32-bit floats"]),
        ("bf16", all(Dtype::BF16), vec!["read bfloat16 as 32-bit floats"]),
        (
            "one of each",
            with(plain, [(first.clone(), plain[first].to(Dtype::BF16))]),
            vec!["read bfloat16 as 32-bit floats"],
        ),
        ("a mask", with(plain, [mask()]), vec!["left out attn.mask: whole numbers"]),
        (
            "positions and a bias of truth values",
            with(
                plain,
                [
                    ("position_ids".to_owned(), Saved::zeros(Dtype::I64, &[1, 9], 8)),
                    ("h.0.attn.bias".to_owned(), Saved::zeros(Dtype::U8, &[1, 1, 4, 4], 1)),
                ],
            ),
            vec!["left out h.0.attn.bias, position_ids: whole numbers"],
        ),
        (
            "averaged by PyTorch",
            with(&prefixed("module."), [count("n_averaged")]),
            vec!["took “module.” off all names", "left out n_averaged"],
        ),
        (
            "a prefix and a mask",
            named(&with(plain, [mask()]), |name| format!("module.{name}")),
            vec!["took “module.” off all names", "left out module.attn.mask"],
        ),
    ];
    if subject.spec.text.is_some() {
        let counted = with(&prefixed("module."), [count("module.encoder.bn.num_batches_tracked")]);
        table.push(("a count of batches", counted, vec!["left out module.encoder.bn.num_batches_tracked"]));
    }
    if first == "fc1.weight" {
        let numbers = [("fc1", "0"), ("fc2", "2"), ("fc3", "4")];
        let numbered = move |name: &str| {
            let (layer, tensor) = name.split_once('.').unwrap();
            let (_, number) = numbers.into_iter().find(|(own, _)| *own == layer).unwrap();
            format!("{number}.{tensor}")
        };
        table.push(("numbers", named(plain, numbered), vec!["took 0, 2, 4 for fc1, fc2, fc3"]));
        let nested = named(plain, |name| format!("_orig_mod.module.net.{}", numbered(name)));
        table.push(("numbers of a compiled field", nested, vec!["“module.net.”", "took 0, 2, 4 for fc1, fc2, fc3"]));
    }
    table
}

#[test]
fn what_is_one_network_is_read_as_one() {
    let bench = bench();
    for subject in subjects() {
        bench.file("w.safetensors", &file(&subject.plain));
        let kernel = bench.kernels(&format!("{LINE} {}", subject.arch));
        let plain: BTreeMap<String, Vec<f32>> =
            subject.plain.iter().map(|(name, tensor)| (name.clone(), tensor.values())).collect();
        for (what, tensors, notes) in alike(&subject) {
            let bytes = file(&tensors);
            bench.file("w.safetensors", &bytes);
            assert_eq!(bench.kernels(&format!("{LINE} {}", subject.arch)), kernel, "{}: {what}", subject.arch);
            let (network, said) = Network::load(&subject.spec, &[bytes], IMAGE, &Device::flex()).unwrap();
            let said = said.join("; ");
            assert_eq!(said.is_empty(), notes.is_empty(), "{}: {what}: {said}", subject.arch);
            assert!(notes.iter().all(|note| said.contains(note)), "{}: {what}: {said}", subject.arch);
            let read: BTreeMap<String, Vec<f32>> =
                network.named().into_iter().map(|tensor| (tensor.name, tensor.values)).collect();
            assert_eq!(read, plain, "{}: {what}", subject.arch);
            // Every tensor of the file is in the table, and every one of the network's, once.
            let origins = network.origins();
            let ours: Vec<&String> =
                origins.iter().map(|origin| &origin.ours).filter(|name| !name.is_empty()).collect();
            assert_eq!(ours.len(), plain.len(), "{}: {what}", subject.arch);
            assert!(ours.iter().all(|name| plain.contains_key(*name)), "{}: {what}", subject.arch);
            let theirs: BTreeSet<&String> = origins.iter().map(|origin| &origin.theirs).collect();
            assert_eq!(theirs, tensors.keys().collect(), "{}: {what}", subject.arch);
            for TensorOrigin { theirs, ours, shape, dtype, treatment } in origins {
                let Saved(own, own_shape, _) = &tensors[theirs];
                assert_eq!((shape, dtype), (own_shape, &format!("{own:?}")), "{what}: {theirs}");
                let expected = match own {
                    Dtype::F64 => "rounded to 32 bits",
                    Dtype::F16 | Dtype::BF16 => "widened to 32 bits",
                    Dtype::F32 => "",
                    _ => "left out: no weights",
                };
                assert_eq!(ours.is_empty(), expected.starts_with("left out"), "{what}: {theirs}");
                let fixed = if ours.contains("running") { "not trained, so no part of the kernel" } else { "" };
                let both = [expected, fixed].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
                assert_eq!(*treatment, both, "{what}: {theirs}");
            }
        }
    }
}

/// What is refused, and parts of the sentence.
fn refused(subject: &Subject) -> Vec<(&'static str, Tensors, Vec<String>)> {
    let Subject { plain, first, last, spec, .. } = subject;
    let is_own = spec.text.is_some();
    let some = |prefix: &str, has: &dyn Fn(&str) -> bool| {
        named(plain, |name| if has(name) { format!("{prefix}{name}") } else { name.to_owned() })
    };
    let all = |prefix: &str| some(prefix, &|_| true);
    let both = |one: &Tensors, other: &Tensors| with(one, other.clone());
    let instead = |name: &String, tensor: Saved| with(plain, [(name.clone(), tensor)]);
    let without = |name: &String| {
        let mut left = plain.clone();
        left.remove(name);
        left
    };
    let altered = |name: &String, place: usize, value: f32| {
        let mut values = plain[name].values();
        values[place] = value;
        instead(name, Saved::of(&plain[name].1, &values))
    };
    let of = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let shape = |name: &String| plain[name].1.clone();
    let index = |mut place: usize| {
        let mut index = Vec::new();
        for side in shape(first).iter().rev() {
            index.insert(0, place % side);
            place /= side;
        }
        format!("at {index:?}")
    };
    let extra = |name: &str| with(plain, [(name.to_owned(), Saved::of(&[1], &[1.0]))]);
    let steps = named(plain, |name| format!("optimizer.state.{}.exp_avg", name.replace('.', "_")));
    let outputs = shape(last)[0];
    let twice = [plain[last].values(), plain[last].values()].concat();
    let large: Vec<u8> = plain[first].values().iter().flat_map(|_| 1e300f64.to_le_bytes()).collect();
    let foreign = named(plain, |name| format!("other_{name}"));
    let mut table = vec![
        ("a prefix but once", some("module.", &|name| name != last), of(&["“module.” is before", "not before", last])),
        (
            "a prefix but first",
            some("module.", &|name| name != first),
            of(&["“module.” is before", "not before", first]),
        ),
        ("a prefix once", some("module.", &|name| name == last), of(&["“module.” is before", last])),
        ("compiled but once", some("_orig_mod.", &|name| name != last), of(&["“_orig_mod.” is before", last])),
        (
            "a prefix but a layer",
            some("module.", &|name| name != last && *name != last.replace("bias", "weight")),
            of(&["“module.” is before"]),
        ),
        (
            "a loss beside it",
            with(&all("model."), [("criterion.weight".to_owned(), Saved::of(&[4], &[1.0; 4]))]),
            of(&["“model.” is before", "not before criterion.weight"]),
        ),
        (
            "8-bit integers",
            instead(first, Saved::zeros(Dtype::I8, &shape(first), 1)),
            of(&[first, "I8", "whole numbers"]),
        ),
        ("integers", instead(last, Saved::zeros(Dtype::I64, &shape(last), 8)), of(&[last, "I64", "whole numbers"])),
        (
            "8-bit floats",
            instead(first, Saved::zeros(Dtype::F8_E4M3, &shape(first), 1)),
            of(&[first, "F8_E4M3", "a scale"]),
        ),
        ("complex", instead(first, Saved::zeros(Dtype::C64, &shape(first), 8)), of(&[first, "C64", "complex numbers"])),
        (
            "quantised",
            with(plain, [("q.qweight".to_owned(), Saved::zeros(Dtype::I32, &[2, 2], 4))]),
            of(&["q.qweight", "I32"]),
        ),
        ("an average beside it", both(plain, &all("ema.")), of(&["ema.", "two networks"])),
        ("model and average", both(&all("model."), &all("model_ema.")), of(&["model.", "model_ema.", "two networks"])),
        (
            "student and teacher",
            both(&all("student."), &all("teacher.")),
            of(&["student.", "teacher.", "two networks"]),
        ),
        ("an average's rate", extra("ema.decay"), of(&["ema.decay", "an average of the weights"])),
        ("an optimiser beside it", both(&all("model."), &steps), of(&["optimizer.state.", "an optimiser"])),
        ("moments", both(plain, &all("exp_avg.")), of(&["exp_avg.", "an optimiser"])),
        (
            "momentum",
            both(plain, &named(plain, |name| format!("{name}.momentum_buffer"))),
            of(&[".momentum_buffer", "an optimiser"]),
        ),
        ("something else", extra("temperature"), of(&["a tensor temperature", "does not know"])),
        ("a weight too few", without(first), of(&["no tensor", first])),
        (
            "a longer bias",
            instead(last, Saved::of(&[2 * outputs], &twice)),
            vec![last.clone(), format!("[{}]", 2 * outputs), format!("[{outputs}]"), "--weights".to_owned()],
        ),
        ("not a number", altered(first, 3, f32::NAN), vec![first.clone(), index(3), "an earlier step".to_owned()]),
        ("infinite", altered(last, 1, f32::INFINITY), of(&[last, "at [1]"])),
        ("too large", instead(first, Saved(Dtype::F64, shape(first), large)), vec![first.clone(), index(0)]),
        ("nothing", Tensors::new(), of(&["no tensor", "none at all"])),
    ];
    if is_own {
        let shape = format!("{:?}", shape(first));
        table.push(("a weight too few, with its shape", without(first), of(&[first, &shape, "--weights"])));
        table.push(("a bias too few", without(last), of(&["no tensor", last, "bias: false"])));
        table.push((
            "another network",
            foreign,
            of(&["no tensor", first, &shape, "nor any other of this network", "--arch"]),
        ));
    } else {
        let counted = with(plain, [("bn1.num_batches_tracked".to_owned(), Saved::zeros(Dtype::I64, &[], 8))]);
        table.push(("a count of batches", counted, of(&["bn1.num_batches_tracked", "BatchNorm"])));
    }
    table
}

#[test]
fn what_is_not_known_to_be_one_network_is_refused() {
    let bench = bench();
    for subject in subjects() {
        for (what, tensors, parts) in refused(&subject) {
            bench.file("w.safetensors", &file(&tensors));
            let said = bench.refusal(&format!("{LINE} {}", subject.arch));
            let lacks: Vec<&String> = parts.iter().filter(|part| !said.contains(part.as_str())).collect();
            assert!(lacks.is_empty(), "{}: {what}: no {lacks:?} in {said}", subject.arch);
            assert!(said.contains("w.safetensors: "), "{said}");
        }
    }
}

#[test]
fn shards_of_any_network_are_one_file() {
    let bench = bench();
    for subject in subjects() {
        bench.file("w.safetensors", &file(&subject.plain));
        let kernel = bench.kernels(&format!("{LINE} {}", subject.arch));
        let saved = named(&subject.plain, |name| format!("module.{name}"));
        let mut map = BTreeMap::new();
        for part in 0..3 {
            let name = format!("model-{:05}-of-00003.safetensors", part + 1);
            let own: Tensors =
                saved.clone().into_iter().enumerate().filter(|(at, _)| at % 3 == part).map(|(_, own)| own).collect();
            map.extend(own.keys().map(|tensor| (tensor.clone(), name.clone())));
            let own =
                own.into_iter().map(|(name, tensor)| (name, if part == 0 { tensor.to(Dtype::BF16) } else { tensor }));
            bench.file(&name, &file(&own.collect()));
        }
        let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
        bench.file("model.safetensors.index.json", index.to_string().as_bytes());
        let line = LINE.replace("w.safetensors", "model.safetensors.index.json");
        assert_eq!(bench.kernels(&format!("{line} {}", subject.arch)), kernel, "{}", subject.arch);
    }
}

/// Rows of the table that `--explain` prints, cell by cell.
fn explained(bench: &Bench, arch: &str) -> Vec<Vec<String>> {
    let line = format!("gram --device cpu --explain --weights w.safetensors --inputs x.safetensors --arch {arch}");
    let done = kernelscope(bench.folder.path(), &line.split_whitespace().collect::<Vec<_>>());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let printed = text(&done.stdout).to_owned();
    let (table, plan) = printed.split_once("\n\n").unwrap();
    assert!(plan.contains("contraction") && plan.contains("in all"), "{plan}");
    let cells =
        |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
    table.lines().map(cells).collect()
}

#[test]
fn the_table_says_which_tensor_went_where() {
    let bench = bench();
    let subject = subjects().pop().unwrap();
    let mut saved = named(&subject.plain, |name| format!("module.{name}"));
    saved.insert("module.encoder.bn.num_batches_tracked".to_owned(), Saved::zeros(Dtype::I64, &[], 8));
    let half = saved["module.head.weight"].to(Dtype::F16);
    saved.insert("module.head.weight".to_owned(), half);
    bench.file("w.safetensors", &file(&saved));
    let table = explained(&bench, "mine.rhai --activation relu");
    let row = |theirs: &str, ours: &str, shape: &str, dtype: &str, treatment: &str| {
        [theirs, ours, shape, dtype, treatment].map(str::to_owned).to_vec()
    };
    let fixed = "not trained, so no part of the kernel";
    let expected = vec![
        row("in the file", "in the network", "shape", "type", "treatment"),
        row("module.encoder.fc1.weight", "encoder.fc1.weight", "[8, 128]", "F32", "read as it is"),
        row("module.encoder.fc1.bias", "encoder.fc1.bias", "[8]", "F32", "read as it is"),
        row("module.encoder.bn.weight", "encoder.bn.weight", "[8]", "F32", "read as it is"),
        row("module.encoder.bn.bias", "encoder.bn.bias", "[8]", "F32", "read as it is"),
        row("module.encoder.bn.running_mean", "encoder.bn.running_mean", "[8]", "F32", fixed),
        row("module.encoder.bn.running_var", "encoder.bn.running_var", "[8]", "F32", fixed),
        row("module.head.weight", "head.weight", "[4, 8]", "F16", "widened to 32 bits"),
        row("module.head.bias", "head.bias", "[4]", "F32", "read as it is"),
        row("module.encoder.bn.num_batches_tracked", "-", "[]", "I64", "left out: no weights"),
    ];
    assert_eq!(table, expected);

    // Three matrices in one, an axis of a batch, and biases that are not there.
    let spec = NetworkSpec { width: 8.into(), ..sized("transformer", &[("blocks", 1), ("heads", 2), ("patch", 4)]) };
    let mut saved = Tensors::new();
    let mut joint = Vec::new();
    for tensor in Network::new(&spec, 7, IMAGE, CLASSES, &Device::flex()).named() {
        let (name, mut shape) = (tensor.name, tensor.shape);
        if ["q", "k", "v"].iter().any(|map| name.contains(&format!("attn.{map}."))) {
            if name.ends_with("weight") {
                joint.push(tensor.values);
            }
            continue;
        }
        if name == "pos" {
            shape.insert(0, 1);
        }
        if name != "blocks.0.attn.o.bias" {
            saved.insert(name, Saved::of(&shape, &tensor.values));
        }
    }
    saved.insert("blocks.0.attn.in_proj_weight".to_owned(), Saved::of(&[24, 8], &joint.concat()));
    bench.file("w.safetensors", &file(&saved));
    let table = explained(&bench, "transformer_preln --heads 2");
    let joint = "blocks.0.attn.in_proj_weight";
    for expected in [
        row("pos", "pos", "[1, 4, 8]", "F32", "taken as [4, 8]"),
        row(joint, "blocks.0.attn.q.weight", "[24, 8]", "F32", "its first third"),
        row(joint, "blocks.0.attn.k.weight", "[24, 8]", "F32", "its second third"),
        row(joint, "blocks.0.attn.v.weight", "[24, 8]", "F32", "its last third"),
        row("-", "blocks.0.attn.q.bias", "-", "-", "not in the file, and no part of the kernel"),
        row("-", "blocks.0.attn.o.bias", "-", "-", "not in the file, and no part of the kernel"),
    ] {
        assert!(table.contains(&expected), "no {expected:?} in {table:#?}");
    }
}
