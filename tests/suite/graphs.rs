//! Modules of PyTorch that `kernelscope.export` wrote: outputs and kernels against PyTorch in float64
//! (`tests/fixtures/graphs/make.py`), and graphs that are refused.

use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::model::Network;
use kernelscope::ntk::{Kernel, PartKind, Reduction, Request, layerwise};
use kernelscope::storage::{Arrays, GRAPH, Graph, GraphTensor, WEIGHTS, write_arrays};
use kernelscope::worker::gram::load_graph;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

use super::cli::{kernelscope, text};
use super::{Missing, python, skipped};

/// Largest relative Frobenius difference.
const TOLERANCE: f64 = 1e-5;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/graphs").join(format!("{name}.npz"))
}

/// The numbers of a tensor by the formula of `make.py`.
fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let seed = name
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    let count: usize = shape.iter().product();
    let fan_in = shape.iter().skip(1).product::<usize>() as f64;
    let number = |at: u64| {
        let mut z = seed.wrapping_add((at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let u = (z >> 40) as f64 / f64::from(1 << 24);
        let v = 2.0 * u - 1.0;
        let value = match shape.len() {
            _ if name.ends_with("running_var") => 0.5 + u,
            0 | 1 if name.ends_with("weight") => 1.0 + 0.2 * v,
            0 | 1 => 0.1 * v,
            _ => v * (6.0 / fan_in).sqrt(),
        };
        value as f32
    };
    (0..count as u64).map(number).collect()
}

/// The weights of a graph as a file, the tensors under these names; `spread` are the factors of its batch norms, if it has any.
fn weights_file(graph: &Graph, spread: &[f64], name: impl Fn(&str) -> String) -> Vec<u8> {
    let mut norms: Vec<&str> =
        graph.tensors.iter().filter_map(|tensor| tensor.name.strip_suffix(".running_var")).collect();
    norms.sort_unstable();
    let factor = |name: &str| {
        let of = |norm: &str| norms.binary_search(&norm).ok().and_then(|at| spread.get(at));
        let mean = name.strip_suffix(".running_mean").and_then(of);
        let variance = name.strip_suffix(".running_var").and_then(of).map(|spread| spread * spread);
        mean.copied().or(variance).unwrap_or(1.0) as f32
    };
    let bytes = |tensor: &GraphTensor| -> Vec<u8> {
        let count = tensor.shape.iter().product::<usize>();
        let factor = factor(&tensor.name);
        match tensor.is_float {
            true => {
                values(&tensor.name, &tensor.shape).iter().flat_map(|value| (value * factor).to_le_bytes()).collect()
            }
            false => vec![0; 8 * count],
        }
    };
    let dtype = |tensor: &GraphTensor| if tensor.is_float { Dtype::F32 } else { Dtype::I64 };
    let tensors: Vec<_> =
        graph.tensors.iter().map(|tensor| (name(&tensor.name), &tensor.shape, dtype(tensor), bytes(tensor))).collect();
    let views = tensors.iter().map(|tensor| {
        let (name, shape, dtype, bytes) = tensor;
        (name.clone(), TensorView::new(*dtype, (*shape).clone(), bytes.as_slice()).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// A module and the results of PyTorch.
pub struct Case {
    graph: Graph,
    network: Network,
    inputs: Tensor<2>,
    arrays: Arrays,
}

impl Case {
    fn open(name: &str) -> Result<Self, String> {
        let path = fixture(name);
        let mut arrays = Arrays::open(&path).unwrap();
        let (_, bytes) = arrays.floats("graph").unwrap().unwrap();
        let bytes: Vec<u8> = bytes.into_iter().map(|byte| byte as u8).collect();
        let graph = Graph::parse(&bytes, Path::new(name)).map_err(|err| err.to_string())?;
        let spread = arrays.floats("spread").unwrap().map_or_else(Vec::new, |(_, spread)| spread);
        let file = weights_file(&graph, &spread, str::to_owned);
        let (network, _) = load_graph(&graph, &[file], &Device::flex()).map_err(|err| format!("{name}: {err}"))?;
        let (shape, x) = arrays.floats("x").unwrap().unwrap();
        let x: Vec<f32> = x.into_iter().map(|value| value as f32).collect();
        let inputs = TensorData::new(x, [shape[0], shape[1..].iter().product()]);
        Ok(Self { graph, network, inputs: Tensor::from_data(inputs, &Device::flex()), arrays })
    }

    fn array(&mut self, name: &str) -> Vec<f64> {
        self.arrays.floats(name).unwrap().unwrap().1
    }

    fn measure(&self, reduction: Reduction, apart: PartKind, memory: u64) -> Kernel {
        let only = Some(self.graph.trained().map(str::to_owned).collect());
        let request = Request { reduction, apart, logits: Vec::new(), only, memory, preconditioner: None };
        layerwise::measure(&self.network, &self.inputs, None, &request, &|| false).unwrap()
    }

    /// Returns what differs from PyTorch by how much, relative to the Frobenius norm.
    fn differences(&mut self) -> Vec<(String, f64)> {
        let outputs: Vec<f64> =
            self.network.forward(self.inputs.clone()).into_data().iter::<f32>().map(f64::from).collect();
        let expected = self.array("outputs");
        let mut found = vec![("outputs".to_owned(), relative(norm(&expected), &outputs, &expected))];
        let whole = self.array("trace");
        let trace = self.measure(Reduction::Trace, PartKind::Tensors, 1 << 30);
        found.push(("trace".to_owned(), relative(norm(&whole), &trace.values, &whole)));
        let blocks = self.measure(Reduction::Trace, PartKind::No, 1);
        found.push(("in blocks".to_owned(), relative(norm(&whole), &blocks.values, &whole)));
        for (name, reduction) in [("full", Reduction::Full), ("sum-logits", Reduction::SumLogits)] {
            let expected = self.array(name);
            let values = self.measure(reduction, PartKind::No, 1 << 30).values;
            found.push((name.to_owned(), relative(norm(&expected), &values, &expected)));
        }
        let mut names: Vec<&str> =
            self.graph.tensors.iter().filter(|tensor| tensor.trained).map(|tensor| tensor.name.as_str()).collect();
        names.sort_unstable();
        let (size, traces) = (trace.values.len(), self.arrays.floats("traces").unwrap().unwrap().1);
        assert_eq!(traces.len(), size * names.len(), "one kernel for each trained parameter");
        for (name, expected) in names.iter().zip(traces.chunks_exact(size)) {
            // A parameter that does not lead to the output has no part; some parts are 0 but for rounding.
            let absent = vec![0.0; size];
            let values = trace.parts.iter().find(|(part, _)| part == name).map_or(&absent, |(_, values)| values);
            found.push(((*name).to_owned(), relative(norm(expected).max(1e-3 * norm(&whole)), values, expected)));
        }
        found
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn relative(size: f64, found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let gap: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&gap) / size
}

#[test]
pub fn modules_of_pytorch_have_its_outputs_and_its_kernels() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/graphs");
    let names = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        path.extension().is_some_and(|end| end == "npz").then(|| path.file_stem().unwrap().to_str().unwrap().to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    let only = std::env::var("KERNELSCOPE_GRAPHS").ok();
    let mut wrong = Vec::new();
    for name in &names {
        if only.as_ref().is_some_and(|only| !only.split(',').any(|one| one == name)) {
            continue;
        }
        let mut case = match Case::open(name) {
            Ok(case) => case,
            Err(why) => {
                wrong.push(why);
                continue;
            }
        };
        let found = case.differences();
        let worst = found.iter().map(|(_, difference)| *difference).fold(0.0, f64::max);
        eprintln!("{name}: {worst:.1e}, {} lines of text", case.graph.text.lines().count());
        let bad = found.into_iter().filter(|(_, difference)| *difference > TOLERANCE || difference.is_nan());
        wrong.extend(bad.map(|(what, difference)| format!("{name} {what}: {difference:.1e}")));
    }
    assert!(names.len() > 20, "the references are there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A graph of a dense layer of 4 numbers and what follows it.
fn graph_with(rest: &serde_json::Value) -> serde_json::Value {
    let mut lines = json!([
        {"name": "p_w", "op": "parameter", "target": "fc.weight", "shape": [3, 4], "dtype": "float32", "trained": true},
        {"name": "p_b", "op": "parameter", "target": "fc.bias", "shape": [3], "dtype": "float32", "trained": true},
        {"name": "x", "op": "input", "shape": [1, 4], "dtype": "float32"},
        {"name": "linear", "op": "aten::linear", "shape": [1, 3], "dtype": "float32",
         "args": {"input": {"node": "x"}, "weight": {"node": "p_w"}, "bias": {"node": "p_b"}}},
    ]);
    lines.as_array_mut().unwrap().extend(rest.as_array().unwrap().iter().cloned());
    json!({"format": 1, "torch": "2.15.0", "module": "Small", "lines": lines})
}

fn parse(graph: &serde_json::Value) -> Result<Graph, String> {
    Graph::parse(graph.to_string().as_bytes(), Path::new("graph.json")).map_err(|err| err.to_string())
}

fn output(node: &str) -> serde_json::Value {
    json!({"name": "output", "op": "output", "shape": [1, 3], "dtype": "float32", "args": {"input": {"node": node}}})
}

fn unary(name: &str, op: &str, of: &str) -> serde_json::Value {
    json!({"name": name, "op": op, "shape": [1, 3], "dtype": "float32", "args": {"self": {"node": of}}})
}

#[test]
pub fn what_has_no_exact_kernel_is_refused_with_its_line() {
    let refused = |rest: serde_json::Value, line: &str, why: &str| {
        let said = parse(&graph_with(&rest)).unwrap_err();
        assert!(said.contains(line) && said.contains(why), "{said}");
        assert!(!said.contains('\n'), "one sentence: {said}");
    };
    let plain = graph_with(&json!([output("linear")]));
    assert!(parse(&plain).is_ok());
    refused(
        json!([unary("odd", "aten::bernoulli", "linear"), output("odd")]),
        "line odd (aten::bernoulli)",
        "no such operation",
    );
    refused(json!([unary("stop", "aten::detach", "linear"), output("stop")]), "line stop", "stops gradients");
    refused(json!([unary("most", "aten::amax", "linear"), output("most")]), "line most", "no such statistic");
    refused(
        json!([
            {"name": "drop", "op": "aten::dropout", "shape": [1, 3], "dtype": "float32",
             "args": {"input": {"node": "linear"}, "p": 0.5, "train": true}},
            output("drop"),
        ]),
        "line drop",
        "in evaluation",
    );
    refused(
        json!([
            {"name": "half", "op": "aten::to.dtype", "shape": [1, 3], "dtype": "float16", "args": {"self": {"node": "linear"}}},
            output("half"),
        ]),
        "line half",
        "rounds to float16",
    );
    // A part of a value that is changed in place, when the value is read again.
    let slice = json!({"name": "part", "op": "aten::slice.Tensor", "shape": [1, 2], "dtype": "float32",
        "args": {"self": {"node": "linear"}, "dim": 1, "start": 0, "end": 2, "step": 1}});
    let change = json!({"name": "relu_", "op": "aten::relu_", "shape": [1, 2], "dtype": "float32", "args": {"self": {"node": "part"}}});
    refused(json!([slice, change, output("linear")]), "output", "changed in place by relu_");
    let write = json!({"name": "add_", "op": "aten::add_.Tensor", "shape": [3], "dtype": "float32",
        "args": {"self": {"node": "p_b"}, "other": 1.0, "alpha": 1}});
    refused(json!([write, unary("relu", "aten::relu", "linear"), output("add_")]), "line add_", "writes into fc.bias");
    // Shapes that contradict each other, however the graph tells them.
    let mut wrong = plain.clone();
    wrong["lines"][3]["shape"] = json!([1, 5]);
    let said = parse(&wrong).unwrap_err();
    assert!(said.contains("line linear") && said.contains("[1, 5]"), "{said}");
    let mut wrong = plain;
    wrong["lines"][0]["shape"] = json!([3, 5]);
    let said = parse(&wrong).unwrap_err();
    assert!(said.contains("does not fit the input [1, 4]"), "{said}");
}

#[test]
pub fn a_value_changed_in_place_has_its_new_numbers_under_its_old_name() {
    let relu = json!({"name": "relu_", "op": "aten::relu_", "shape": [1, 3], "dtype": "float32", "args": {"self": {"node": "linear"}}});
    let graph = parse(&graph_with(&json!([relu, output("linear")]))).unwrap();
    assert!(graph.text.contains("relu(linear)") && graph.text.trim_end().ends_with("relu_"), "{}", graph.text);
}

#[test]
pub fn a_hostile_graph_is_refused_in_one_sentence() {
    let said = |bytes: &[u8]| Graph::parse(bytes, Path::new("graph.json")).unwrap_err().to_string();
    for bytes in [
        b"".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        vec![0xff; 64],
        b"{\"format\": 1}".to_vec(),
        b"{\"format\": 1, \"lines\": []}".to_vec(),
        [b"{\"format\": 1, \"lines\": ".to_vec(), b"[".repeat(100_000)].concat(),
        [b"{\"format\": 1, \"lines\": [{\"name\": \"a\", \"op\": \"input\", \"shape\": ".to_vec(), b"[".repeat(5000)]
            .concat(),
    ] {
        let said = said(&bytes);
        assert!(said.contains("no graph of a module") && !said.contains('\n'), "{said}");
    }
    let of = |lines: serde_json::Value| said(json!({"format": 1, "lines": lines}).to_string().as_bytes());
    let huge = u64::MAX / 2;
    for shape in [
        json!([1, huge, huge]),
        json!([1, 0]),
        json!([-1, 4]),
        json!("wide"),
        json!(vec![1; 100]),
        json!([1, 1_u64 << 41]),
    ] {
        let said = of(json!([{"name": "x", "op": "input", "shape": shape}, output("x")]));
        assert!(said.contains("the shape of its input is none"), "{said}");
    }
    assert!(said(b"{\"format\": 7, \"lines\": []}").contains("format 7"));
    assert!(of(json!([output("y")])).contains("no earlier line"));
    let many: Vec<_> = (0..40_000).map(|at| json!({"name": format!("n{at}"), "op": "input"})).collect();
    assert!(of(json!(many)).contains("at most 32768"));
    // More lines than a network has operations.
    let mut chain = vec![json!({"name": "x", "op": "input", "shape": [1, 4], "dtype": "float32"})];
    chain.extend((0..6000).map(|at| {
        let of = if at == 0 { "x".to_owned() } else { format!("n{}", at - 1) };
        json!({"name": format!("n{at}"), "op": "aten::relu", "shape": [1, 4], "dtype": "float32", "args": {"self": {"node": of}}})
    }));
    chain.push(json!({"name": "output", "op": "output", "shape": [1, 4], "args": {"input": {"node": "n5999"}}}));
    let said = of(json!(chain));
    assert!(!said.contains('\n'), "{said}");
}

#[test]
pub fn weights_of_a_graph_are_its_own() {
    let graph = parse(&graph_with(&json!([output("linear")]))).unwrap();
    let load = |file: Vec<u8>| load_graph(&graph, &[file], &Device::flex()).map(|_| ()).map_err(|err| err.to_string());
    load(weights_file(&graph, &[], str::to_owned)).unwrap();
    for prefix in ["module.", "_orig_mod.", "_orig_mod.module."] {
        load(weights_file(&graph, &[], |name| format!("{prefix}{name}"))).unwrap();
    }
    let tensor = |name: &str, shape: Vec<usize>, value: f32| {
        let count = shape.iter().product::<usize>();
        (name.to_owned(), shape, vec![value; count].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
    };
    let file = |tensors: Vec<(String, Vec<usize>, Vec<u8>)>| {
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes.as_slice()).unwrap())
        });
        safetensors::serialize(views, None).unwrap()
    };
    // Of a tensor that the module has twice, a file may have both, which are equal.
    let mut tied = graph_with(&json!([output("linear")]));
    tied["aliases"] = json!({"head.weight": "fc.weight"});
    let tied = parse(&tied).unwrap();
    let load_tied = |value: f32| {
        let tensors = [("fc.weight", 0.5), ("head.weight", value)].map(|(name, value)| tensor(name, vec![3, 4], value));
        let bytes = file(tensors.into_iter().chain([tensor("fc.bias", vec![3], 0.5)]).collect());
        load_graph(&tied, &[bytes], &Device::flex()).map(|_| ()).map_err(|err| err.to_string())
    };
    load_tied(0.5).unwrap();
    assert!(load_tied(0.25).unwrap_err().contains("fc.weight and head.weight"));
    let (weight, bias) = (|| tensor("fc.weight", vec![3, 4], 0.5), || tensor("fc.bias", vec![3], 0.5));
    for (tensors, why) in [
        (vec![weight()], "fc.bias"),
        (vec![weight(), tensor("fc.bias", vec![4], 0.5)], "fc.bias"),
        (vec![weight(), tensor("fc.bias", vec![3], f32::NAN)], "not a number"),
        (vec![weight(), bias(), tensor("other.weight", vec![2], 0.5)], "other.weight"),
        (vec![tensor("a.weight", vec![3, 4], 0.5), tensor("b.weight", vec![3], 0.5)], "fc.weight"),
    ] {
        let said = load(file(tensors)).unwrap_err();
        assert!(said.contains(why) && !said.contains('\n'), "{said}");
    }
}

/// Writes a module as `kernelscope.export` does, its weights with the prefix of `DataParallel`, and its inputs as an archive;
/// returns what is known of it, and the inputs.
pub fn write_module(name: &str, folder: &Path, inputs: &Path) -> (Case, Vec<usize>, Vec<f64>) {
    let mut case = Case::open(name).unwrap();
    std::fs::create_dir(folder).unwrap();
    let graph: Vec<u8> = case.array("graph").into_iter().map(|byte| byte as u8).collect();
    std::fs::write(folder.join(GRAPH), graph).unwrap();
    std::fs::write(folder.join(WEIGHTS), weights_file(&case.graph, &[], |name| format!("module.{name}"))).unwrap();
    let (shape, x) = case.arrays.floats("x").unwrap().unwrap();
    write_arrays(inputs, [("x".to_owned(), shape.clone(), &x[..])]).unwrap();
    (case, shape, x)
}

#[test]
pub fn the_command_line_measures_a_module() {
    let place = tempfile::tempdir().unwrap();
    for name in ["tokens", "signal"] {
        let folder = place.path().join(name);
        let inputs = place.path().join(format!("{name}.npz"));
        let (mut case, shape, x) = write_module(name, &folder, &inputs);
        let out = place.path().join(format!("{name}-kernel.npz"));
        let [graph, inputs, file] = [&folder, &inputs, &out].map(|path| path.to_str().unwrap());
        let done = kernelscope(
            place.path(),
            &["gram", "--graph", graph, "--inputs", inputs, "--per-tensor", "--explain", "--out", file],
        );
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert!(text(&done.stdout).contains("module."), "the table of tensors: {}", text(&done.stdout));
        let (_, found) = Arrays::open(&out).unwrap().floats("trace").unwrap().unwrap();
        let expected = case.array("trace");
        assert!(relative(norm(&expected), &found, &expected) < TOLERANCE, "{name}");
        // Samples of another shape.
        let half = shape.iter().skip(1).product::<usize>() / shape[1];
        let other = [&[shape[0], shape[1] - 1], &shape[2..]].concat();
        let fewer: Vec<f64> = x.iter().copied().take(shape[0] * (shape[1] - 1) * half).collect();
        let wrong = place.path().join(format!("{name}-wrong.npz"));
        write_arrays(&wrong, [("x".to_owned(), other, &fewer[..])]).unwrap();
        let done = kernelscope(
            place.path(),
            &["gram", "--graph", graph, "--inputs", wrong.to_str().unwrap(), "--out", "k.npz"],
        );
        let said = text(&done.stderr);
        assert!(!done.status.success() && said.contains("exported for samples of"), "{said}");
    }
}

#[test]
pub fn where_pytorch_is_the_references_are_made_anew() {
    let Some(python) = python("to make the references of PyTorch's modules") else { return };
    let has_torch = Command::new(&python).args(["-c", "import torch, torchvision, timm"]).output();
    if !has_torch.is_ok_and(|done| done.status.success()) {
        return skipped(
            Missing::Torch,
            "torch, torchvision and timm are not here to make graphs and their kernels anew",
        );
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(python)
        .arg(root.join("tests/fixtures/graphs/make.py"))
        .args(["--check", "plain", "strange", "lstm_both", "language", "tv_vit", "mobilenet_v2"])
        .env("PYTHONPATH", root.join("assets/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
}

/// A graph of tokens or images of these lines.
fn graph_of(shape: &[usize], dtype: &str, rest: &serde_json::Value) -> serde_json::Value {
    let mut lines = json!([
        {"name": "p", "op": "parameter", "target": "w", "shape": [3, 4], "dtype": "float32", "trained": true},
        {"name": "b", "op": "buffer", "target": "r", "shape": [3, 4], "dtype": "float32"},
        {"name": "x", "op": "input", "shape": shape, "dtype": dtype},
    ]);
    lines.as_array_mut().unwrap().extend(rest.as_array().unwrap().iter().cloned());
    json!({"format": 1, "torch": "2.15.0", "module": "Small", "lines": lines})
}

#[test]
pub fn what_a_reader_would_take_for_something_else_is_not() {
    let node = |name: &str| json!({"node": name});
    let line = |name: &str, op: &str, shape: serde_json::Value, dtype: &str, args: serde_json::Value| json!({"name": name, "op": op, "shape": shape, "dtype": dtype, "args": args});
    let linear = |of: &str, weight: &str| {
        line(
            "linear",
            "aten::linear",
            json!([1, 3]),
            "float32",
            json!({"input": node(of), "weight": node(weight), "bias": null}),
        )
    };
    // A buffer that is used as a matrix is no parameter of the kernel.
    let graph = parse(&graph_of(&[1, 4], "float32", &json!([linear("x", "b"), linear("x", "p"), output("linear")])));
    assert!(graph.unwrap_err().contains("two lines"), "one name, one line");
    let rest = json!([
        linear("x", "b"),
        line(
            "again",
            "aten::linear",
            json!([1, 3]),
            "float32",
            json!({"input": node("x"), "weight": node("p"), "bias": null})
        ),
        line(
            "add",
            "aten::add.Tensor",
            json!([1, 3]),
            "float32",
            json!({"self": node("linear"), "other": node("again"), "alpha": 1})
        ),
        output("add"),
    ]);
    let graph = parse(&graph_of(&[1, 4], "float32", &rest)).unwrap();
    let (network, _) = load_graph(&graph, &[weights_file(&graph, &[], str::to_owned)], &Device::flex()).unwrap();
    assert_eq!(network.sizes(), [("w".to_owned(), 12)]);
    let refused = |shape: &[usize], dtype: &str, rest: serde_json::Value, why: &str| {
        let said = parse(&graph_of(shape, dtype, &rest)).unwrap_err();
        assert!(said.contains(why) && !said.contains('\n'), "{why}: {said}");
    };
    // What may be a copy and is changed in place.
    refused(
        &[1, 4],
        "float32",
        json!([
            linear("x", "p"),
            line(
                "copy",
                "aten::contiguous",
                json!([1, 3]),
                "float32",
                json!({"self": node("linear"), "memory_format": 0})
            ),
            line(
                "add_",
                "aten::add_.Tensor",
                json!([1, 3]),
                "float32",
                json!({"self": node("copy"), "other": 1.0, "alpha": 1})
            ),
            line(
                "mul",
                "aten::mul.Tensor",
                json!([1, 3]),
                "float32",
                json!({"self": node("linear"), "other": node("add_")})
            ),
            output("mul"),
        ]),
        "changed in place by add_",
    );
    // Whole numbers are not computed with as if they were real ones.
    let minus =
        line("sub", "aten::sub.Tensor", json!([1, 4]), "uint8", json!({"self": node("x"), "other": 128, "alpha": 1}));
    refused(&[1, 4], "uint8", json!([minus, linear("sub", "p"), output("linear")]), "computes with uint8");
    let cut = line(
        "cut",
        "aten::to.dtype",
        json!([1, 4]),
        "int64",
        json!({"self": node("x"), "dtype": {"other": "torch.int64"}}),
    );
    refused(&[1, 4], "float32", json!([cut, linear("cut", "p"), output("linear")]), "rounds to int64");
    let bits = line(
        "bits",
        "aten::view.dtype",
        json!([1, 4]),
        "float32",
        json!({"self": node("x"), "dtype": {"other": "torch.int32"}}),
    );
    refused(&[1, 4], "float32", json!([bits, linear("bits", "p"), output("linear")]), "bits");
    let half = line(
        "soft",
        "aten::softmax.int",
        json!([1, 3]),
        "float16",
        json!({"self": node("linear"), "dim": -1, "dtype": {"other": "torch.float16"}}),
    );
    refused(&[1, 4], "float32", json!([linear("x", "p"), half, output("soft")]), "computes in float16");
    // Constant numbers that differ are no one number.
    let range = |name: &str, shape: serde_json::Value, of: &str| {
        line(name, "aten::view", shape, "int64", json!({"self": node(of)}))
    };
    refused(
        &[1, 4],
        "float32",
        json!([
            line("a", "aten::arange", json!([3]), "int64", json!({"end": 3})),
            range("row", json!([1, 3]), "a"),
            range("column", json!([3, 1]), "a"),
            line(
                "sum",
                "aten::add.Tensor",
                json!([3, 3]),
                "int64",
                json!({"self": node("row"), "other": node("column"), "alpha": 1})
            ),
            line(
                "float",
                "aten::to.dtype",
                json!([3, 3]),
                "float32",
                json!({"self": node("sum"), "dtype": {"other": "torch.float32"}})
            ),
            linear("x", "p"),
            line(
                "mul",
                "aten::matmul",
                json!([1, 3]),
                "float32",
                json!({"self": node("linear"), "other": node("float")})
            ),
            output("mul"),
        ]),
        "whole numbers",
    );
    // Writes whose names do not say so.
    let mut out = unary("out", "aten::mul.out", "linear");
    out["args"]["out"] = node("linear");
    refused(&[1, 4], "float32", json!([linear("x", "p"), out, output("linear")]), "writes into tensors");
    let mut own = unary("own", "mylib::scale", "linear");
    own["writes"] = json!(["self"]);
    refused(&[1, 4], "float32", json!([linear("x", "p"), own, output("linear")]), "writes into tensors");
    let shape = line("t_", "aten::t_", json!([1, 3]), "float32", json!({"self": node("linear")}));
    refused(&[1, 4], "float32", json!([linear("x", "p"), shape, output("linear")]), "changes a shape in place");
    // A matrix of one row, transposed and multiplied, is no panic.
    let rest = json!([
        {"name": "q", "op": "parameter", "target": "q", "shape": [1, 4], "dtype": "float32", "trained": true},
        line("t", "aten::t", json!([4, 1]), "float32", json!({"self": node("q")})),
        line("mul", "aten::mul.Tensor", json!([4, 4]), "float32", json!({"self": node("t"), "other": node("x")})),
        line("mean", "aten::mean.dim", json!([1, 4]), "float32", json!({"self": node("mul"), "dim": [0], "keepdim": true, "dtype": null})),
        output("mean"),
    ]);
    parse(&graph_of(&[1, 4], "float32", &rest)).unwrap();
}
