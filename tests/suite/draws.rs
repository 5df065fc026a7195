//! Fresh draws of modules of PyTorch: against many that PyTorch made (`tests/fixtures/draws/make.py`).

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use burn::tensor::Device;
use kernelscope::model::Network;
use kernelscope::spec::ops::Draw;
use kernelscope::spec::{Init, NetworkSpec, Parametrisation, Spec};
use kernelscope::storage::{Arrays, Graph};

use super::cli::text;
use super::{Missing, python, skipped, tiny};

/// The modules of the fixture whose draws are all known.
const KNOWN: [&str; 4] = ["image", "attends", "reads", "encodes"];
/// Networks that are drawn for the moments of each tensor.
const DRAWN: u64 = 60;

/// The graph of a module, and for each of its parameters the moments of PyTorch's draws (mean, deviation, least, largest) and
/// how many numbers they are of.
fn fixture(name: &str) -> (Graph, serde_json::Value, Vec<Vec<f64>>, Vec<f64>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/draws").join(format!("{name}.npz"));
    let mut arrays = Arrays::open(&path).unwrap();
    let mut array = |name: &str| arrays.floats(name).unwrap().unwrap().1;
    let bytes: Vec<u8> = array("graph").into_iter().map(|byte| byte as u8).collect();
    let moments = array("moments").chunks_exact(4).map(<[f64]>::to_vec).collect();
    let graph = Graph::parse(&bytes, Path::new(name)).unwrap();
    (graph, serde_json::from_slice(&bytes).unwrap(), moments, array("counts"))
}

fn parameters(file: &serde_json::Value) -> Vec<String> {
    let lines = file["lines"].as_array().unwrap().iter().filter(|line| line["op"] == "parameter");
    lines.map(|line| line["target"].as_str().unwrap().to_owned()).collect()
}

fn of(graph: &Graph) -> NetworkSpec {
    NetworkSpec { init: Init::Torch, parametrisation: Parametrisation::Standard, ..graph.network("module") }
}

fn moments(values: &[f64]) -> [f64; 4] {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    [mean, deviation, values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(f64::MIN, f64::max)]
}

/// All numbers of each tensor, of this many networks that are drawn.
fn drawn(graph: &Graph, spec: &NetworkSpec, many: u64) -> Vec<(String, Vec<f64>)> {
    let program = graph.program().unwrap();
    let mut all: Vec<(String, Vec<f64>)> = Vec::new();
    for seed in 1..=many {
        for (place, tensor) in
            Network::of(Arc::clone(&program), spec, seed, &Device::flex()).named().into_iter().enumerate()
        {
            if all.len() == place {
                all.push((tensor.name, Vec::new()));
            }
            all[place].1.extend(tensor.values.iter().map(|value| f64::from(*value)));
        }
    }
    all
}

#[test]
fn fresh_draws_of_modules_have_the_moments_and_bounds_of_pytorchs() {
    let mut wrong = Vec::new();
    for name in KNOWN {
        let (graph, file, expected, counts) = fixture(name);
        let tensors = drawn(&graph, &of(&graph), DRAWN);
        for ((parameter, expected), count) in parameters(&file).iter().zip(&expected).zip(counts) {
            let (_, values) = tensors.iter().find(|(name, _)| name == parameter).unwrap();
            let found = moments(values);
            let [_, deviation, ..] = expected[..] else { unreachable!("four moments") };
            assert_eq!(values.len() as f64, count, "{parameter}");
            // A copy has as many different numbers as what it is a copy of, and so has PyTorch's.
            let chance = 6.0 * deviation / count.sqrt();
            let bounds = if parameter.starts_with("embedding") { deviation } else { 0.1 * deviation + 1.5 * chance };
            let allowed = [chance, chance, bounds, bounds];
            for ((found, expected), allowed) in found.iter().zip(expected).zip(allowed) {
                // A constant is met exactly.
                if (found - expected).abs() > allowed {
                    wrong.push(format!("{name} {parameter}: {found} and not {expected} (± {allowed})"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_layer_of_an_encoder_begins_as_a_copy_of_the_first_and_the_next_draw_is_another() {
    let (graph, ..) = fixture("encodes");
    let program = graph.program().unwrap();
    let draw = |seed: u64| Network::of(Arc::clone(&program), &of(&graph), seed, &Device::flex()).named();
    let (one, other) = (draw(1), draw(2));
    let mut copies = 0;
    for (tensor, later) in one.iter().zip(&other) {
        let Some(rest) = tensor.name.strip_prefix("encoder.layers.1.") else { continue };
        let first = one.iter().find(|first| first.name == format!("encoder.layers.0.{rest}")).unwrap();
        assert_eq!(first.values, tensor.values, "{}", tensor.name);
        copies += usize::from(tensor.values != later.values);
    }
    assert!(copies >= 4, "matrices and biases that are drawn: {copies}");
}

#[test]
fn what_no_graph_tells_of_a_draw_is_said_and_all_else_is_pytorchs() {
    let (graph, file, expected, _) = fixture("strange");
    let unknown: Vec<(String, Draw)> = graph
        .program()
        .unwrap()
        .tensors
        .iter()
        .filter_map(|tensor| match &tensor.draw {
            Some(draw @ Draw::Unknown(_)) => Some((tensor.name.clone(), draw.clone())),
            _ => None,
        })
        .collect();
    let of_class = |name: &str, class: &str| (name.to_owned(), Draw::Unknown(class.to_owned()));
    let mut said = unknown.clone();
    said.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        said,
        [
            of_class("block.inner.bias", "Block"),
            of_class("block.inner.weight", "Block"),
            of_class("drawn.bias", "Drawn"),
            of_class("drawn.weight", "Drawn"),
            of_class("gain", "Strange"),
        ]
    );
    let tensors = drawn(&graph, &of(&graph), DRAWN);
    for (parameter, expected) in parameters(&file).iter().zip(&expected) {
        let (_, values) = tensors.iter().find(|(name, _)| name == parameter).unwrap();
        let is_unknown = unknown.iter().any(|(name, _)| name == parameter);
        let gap = (moments(values)[1] - expected[1]).abs() / expected[1].max(1e-3);
        assert!(is_unknown || gap < 0.2, "{parameter}: {gap}");
    }

    // One sentence where it is drawn, and none where weights are given or another draw is asked for.
    let spec = Spec { network: of(&graph), ..tiny() };
    let told = |spec: &Spec| -> Vec<String> {
        let said = spec.warnings().into_iter().filter(|problem| problem.field == "network.weights");
        said.map(|problem| problem.message).collect()
    };
    let said = told(&spec);
    assert!(said.len() == 1 && said[0].contains("and 4 other tensors begin here as their operations do"), "{said:?}");
    let mut weighted = spec.clone();
    weighted.network.begin_from(Some("weights.safetensors".into()));
    let he = Spec { network: NetworkSpec { init: Init::HeUniform, ..spec.network.clone() }, ..spec.clone() };
    assert_eq!((told(&weighted), told(&he)), (Vec::new(), Vec::new()));
    // He's draw is that of the operations, whatever the text says of PyTorch's.
    let tensors = drawn(&graph, &he.network, 20);
    let (_, values) = tensors.iter().find(|(name, _)| name == "first.weight").unwrap();
    assert!((moments(values)[1] / (2.0f64 / 784.0).sqrt() - 1.0).abs() < 0.1);
}

/// Graphs of before say nothing of draws, and are those of their operations.
#[test]
fn a_graph_without_laws_begins_as_its_operations_do() {
    for name in KNOWN {
        let (graph, mut file, ..) = fixture(name);
        let lines = file["lines"].as_array_mut().unwrap();
        lines.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("draw")));
        let old = Graph::parse(file.to_string().as_bytes(), Path::new(name)).unwrap();
        assert!(!old.text.contains("draw("), "{}", old.text);
        let without: Vec<&str> = graph.text.lines().filter(|line| !line.starts_with("draw(")).collect();
        assert_eq!(without, old.text.lines().collect::<Vec<_>>());
        // What begins as its operation does has no line.
        let draws: Vec<&str> = graph.text.lines().filter(|line| line.starts_with("draw(")).collect();
        match name {
            "image" => assert_eq!(draws, ["draw([\"2.weight\"], \"constant\", 0.25);"]),
            _ => assert!(!draws.is_empty(), "{name}"),
        }
    }
}

#[test]
fn a_text_gives_its_tensors_their_draws() {
    let network = |draws: &str| {
        let text = format!(
            "{draws}\nlet h = relu(dense(\"fc1\", x, 400));\ndense(\"fc3\", relu(dense(\"fc2\", h, 400)), classes)"
        );
        NetworkSpec { init: Init::Torch, ..NetworkSpec::from_text("own", Some(Arc::from(text.as_str()))) }
    };
    let values = |draws: &str, name: &str| -> Vec<f64> {
        let all = Network::new(&network(draws), 5, [1, 20, 20], 3, &Device::flex()).named();
        all.into_iter().find(|tensor| tensor.name == name).unwrap().values.into_iter().map(f64::from).collect()
    };
    let [mean, deviation, ..] = moments(&values("draw(\"fc1.weight\", \"normal\", 0.5);", "fc1.weight"));
    assert!(mean.abs() < 0.01 && (deviation - 0.5).abs() < 0.01, "{mean} {deviation}");
    let [_, deviation, least, most] = moments(&values("draw([\"fc1\"], \"uniform\", 2);", "fc1.weight"));
    assert!(least >= -2.0 && most <= 2.0 && (deviation - 2.0 / 3.0f64.sqrt()).abs() < 0.02);
    assert!(values("draw(\"fc2\", \"constant\", -1.5);", "fc2.bias").iter().all(|value| *value == -1.5));
    assert!(values("draw(\"fc2\", \"uniform\", 0);", "fc2.bias").iter().all(|value| *value == 0.0));
    let like = "draw(\"fc2.weight\", \"like\", \"fc1.weight\");";
    assert_eq!(values(like, "fc2.weight"), values(like, "fc1.weight"));
    for (draws, why) in [
        ("draw(\"fc4\", \"constant\", 0);", "it draws fc4, and there is no layer or tensor of that name"),
        ("draw(\"fc1\", \"normal\", -1);", "the number is 0 or more, not -1"),
        ("draw(\"fc1\", \"cauchy\", 1);", "there is no law cauchy"),
        ("draw(\"fc1.weight\", \"like\", \"fc2.weight\");", "which is no earlier tensor of its shape"),
        ("draw(\"fc3.weight\", \"like\", \"fc2.weight\");", "which is no earlier tensor of its shape"),
    ] {
        let said = network(draws).program([1, 20, 20], 3).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn where_pytorch_is_the_draws_are_made_anew() {
    let Some(python) = python("to draw PyTorch's modules") else { return };
    let has_torch = Command::new(&python).args(["-c", "import torch"]).output();
    if !has_torch.is_ok_and(|done| done.status.success()) {
        return skipped(Missing::Torch, "torch is not here to draw its modules anew");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(python)
        .arg(root.join("tests/fixtures/draws/make.py"))
        .arg("--check")
        .env("PYTHONPATH", root.join("assets/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
}
