//! The kernel of every operation, and of every network that comes with the program, against PyTorch in float64
//! (`tests/fixtures/networks/make.py`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::model::Network;
use kernelscope::ntk::{PartKind, Reduction, Request, jacobian, layerwise};
use kernelscope::spec::{Activation, NetworkSpec, Parametrisation, Setting};
use kernelscope::storage::Arrays;

/// Largest relative Frobenius difference.
const TOLERANCE: f64 = 1e-5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/networks")
}

/// A network and what PyTorch says of it.
struct Case {
    name: String,
    spec: NetworkSpec,
    image: [usize; 3],
    weights: Vec<u8>,
    tensors: Vec<String>,
    arrays: Arrays,
}

impl Case {
    fn of(row: &serde_json::Value) -> Self {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        let name = text("name");
        let activation: Activation = serde_json::from_value(row["activation"].clone()).unwrap();
        let parametrisation = Parametrisation::Standard;
        let base = NetworkSpec { activation, parametrisation, ..NetworkSpec::default() };
        let mut spec = match row["library"].as_str() {
            Some(library) => NetworkSpec { program: library.to_owned(), ..base },
            None => {
                let text: Arc<str> = std::fs::read_to_string(folder().join(text("program"))).unwrap().into();
                NetworkSpec { program: name.clone(), text: Some(text), ..base }
            }
        };
        // A text may declare no width.
        let width = spec.declared().into_iter().find(|declared| declared.name == "width");
        width.into_iter().for_each(|width| spec.set("width", width.default));
        for (key, value) in row["settings"].as_object().unwrap() {
            spec.set(key, serde_json::from_value::<Setting>(value.clone()).unwrap());
        }
        let list = |key: &str| row[key].as_array().unwrap().iter();
        let image: Vec<usize> = list("image").map(|side| side.as_u64().unwrap() as usize).collect();
        Self {
            spec,
            image: image.try_into().unwrap(),
            weights: std::fs::read(folder().join(text("weights"))).unwrap(),
            tensors: list("tensors").map(|tensor| tensor.as_str().unwrap().to_owned()).collect(),
            arrays: Arrays::open(&folder().join(format!("{name}.npz"))).unwrap(),
            name,
        }
    }

    fn array(&mut self, name: &str) -> (Vec<usize>, Vec<f64>) {
        self.arrays.floats(name).unwrap().unwrap_or_else(|| panic!("{}: there is no {name}", self.name))
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    relative_to(norm(expected), found, expected)
}

fn relative_to(size: f64, found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let gap: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&gap) / size
}

/// What differs by how much.
fn differences(case: &mut Case) -> Result<Vec<(String, f64)>, String> {
    let device = Device::flex();
    let loaded = Network::load(&case.spec, std::slice::from_ref(&case.weights), case.image, &device);
    let (network, _) = loaded.map_err(|err| err.to_string())?;
    let (shape, pixels) = case.array("x");
    let (n, inputs) = (shape[0], pixels.len() / shape[0]);
    let pixels: Vec<f32> = pixels.into_iter().map(|pixel| pixel as f32).collect();
    let images = Tensor::<2>::from_data(TensorData::new(pixels, [n, inputs]), &device);
    let never = || false;
    let logits: Vec<f64> = network.forward(images.clone()).into_data().iter::<f32>().map(f64::from).collect();
    let mut found = vec![("logits".to_owned(), relative(&logits, &case.array("logits").1))];
    let each = Request { apart: PartKind::Tensors, ..Request::of(Reduction::Trace) };
    let trace = layerwise::measure(&network, &images, None, &each, &never).unwrap();
    let (_, expected) = case.array("trace");
    found.push(("trace".to_owned(), relative(&trace.values, &expected)));
    let (_, parts) = case.array("parts");
    for (tensor, part) in case.tensors.iter().zip(parts.chunks_exact(n * n)) {
        let own = trace.parts.iter().find(|(name, _)| name == tensor);
        let (_, own) = own.unwrap_or_else(|| panic!("{}: no part of {tensor}", case.name));
        // Some are 0 but for rounding: softmax does not see the keys' bias.
        let size = norm(part).max(1e-3 * norm(&expected));
        found.push((tensor.clone(), relative_to(size, own, part)));
    }
    assert_eq!(trace.parts.len(), case.tensors.len(), "{}", case.name);
    let whole = layerwise::measure(&network, &images, None, &Request::of(Reduction::Full), &never).unwrap();
    // Of some, the first images alone are kept.
    let (shape, full) = case.array("full");
    let (rows, width) = (shape[0], whole.width());
    let kept: Vec<f64> = (0..rows).flat_map(|row| whole.values[row * width..row * width + rows].to_vec()).collect();
    found.push(("full".to_owned(), relative(&kept, &full)));
    let sum = layerwise::measure(&network, &images, None, &Request::of(Reduction::SumLogits), &never).unwrap();
    found.push(("sum of logits".to_owned(), relative(&sum.values, &case.array("sum").1)));
    // In blocks of few samples and directions, and between two sets of images.
    let tight = Request { memory: 1, ..Request::of(Reduction::Trace) };
    let blocks = layerwise::measure(&network, &images, None, &tight, &never).unwrap();
    found.push(("in blocks".to_owned(), relative(&blocks.values, &case.array("trace").1)));
    let two = images.clone().narrow(0, 0, 2);
    let cross = layerwise::measure(&network, &two, Some(&images), &Request::of(Reduction::Trace), &never).unwrap();
    found.push(("between two sets".to_owned(), relative(&cross.values, &case.array("trace").1[..2 * n])));
    let oracle = jacobian::measure(&network, &two, None, &each, &never).unwrap();
    let corner: Vec<f64> = (0..2).flat_map(|row| trace.values[row * n..row * n + 2].to_vec()).collect();
    found.push(("oracle".to_owned(), relative(&oracle.values, &corner)));
    Ok(found)
}

fn check(is_ours: impl Fn(&serde_json::Value) -> bool) {
    let index = std::fs::read_to_string(folder().join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let (mut checked, mut wrong) = (0, Vec::new());
    for row in index.as_array().unwrap().iter().filter(|row| is_ours(row)) {
        let mut case = Case::of(row);
        checked += 1;
        let found = match differences(&mut case) {
            Ok(found) => found,
            Err(why) => {
                wrong.push(format!("{}: {why}", case.name));
                continue;
            }
        };
        let worst = found.iter().map(|(_, difference)| *difference).fold(0.0, f64::max);
        eprintln!("{}: {worst:.1e}", case.name);
        let bad = found.into_iter().filter(|(_, difference)| *difference > TOLERANCE || difference.is_nan());
        wrong.extend(bad.map(|(what, difference)| format!("{} {what}: {difference:.1e}", case.name)));
    }
    assert!(checked > 10, "the list of references is there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
pub fn every_operation_has_the_kernel_of_pytorch() {
    check(|row| row["library"].is_null());
}

#[test]
pub fn every_network_of_the_library_has_the_kernel_of_pytorch() {
    check(|row| !row["library"].is_null());
}
