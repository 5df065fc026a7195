//! Weights of any network: what a run writes is the whole network, and what PyTorch writes is read by the names that it has.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::math::rng;
use kernelscope::model::Network;
use kernelscope::run::NamedTensor;
use kernelscope::spec::text::NETWORKS;
use kernelscope::spec::{Activation, KnownSettings, NetworkSpec, Parametrisation};
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::fitting;
use super::gram::{Bench, assert_close, noise, safetensors};

const IMAGE: [usize; 3] = [3, 32, 32];
const CLASSES: usize = 5;

/// A network that comes with the program, small.
fn small(name: &str) -> NetworkSpec {
    let usual = fitting(NetworkSpec::of(name), &[("blocks", 2)]);
    let usual = if name == "transformer" { usual.with("patch", 8) } else { usual };
    NetworkSpec { width: (*usual.widths().start()).max(12).into(), ..usual }
}

fn images(count: usize, image: [usize; 3]) -> Tensor<2> {
    let size = image.iter().product();
    Tensor::from_data(TensorData::new(noise(count * size, 3), [count, size]), &Device::flex())
}

/// The initial weights, with running statistics of a batch where there are any.
fn network(spec: &NetworkSpec) -> Network {
    let network = Network::new(spec, 5, IMAGE, CLASSES, &Device::flex());
    let (_, statistics) = network.forward_in_training(images(3, IMAGE), rng::rng(1, rng::Stream::Order, 0, 0));
    network.with_statistics(statistics)
}

/// A file of these tensors, with PyTorch's count of batches, which is a whole number, under these names.
fn file(named: &[NamedTensor], counts: &[&str], metadata: Option<HashMap<String, String>>) -> Vec<u8> {
    let bytes = |tensor: &NamedTensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let bytes: Vec<Vec<u8>> = named.iter().map(bytes).collect();
    let count = 7i64.to_le_bytes();
    let floats = named.iter().zip(&bytes).map(|(tensor, bytes)| {
        (tensor.name.clone(), TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).unwrap())
    });
    let counts =
        counts.iter().map(|name| ((*name).to_owned(), TensorView::new(Dtype::I64, Vec::new(), &count).unwrap()));
    serialize(floats.chain(counts), metadata).unwrap()
}

fn values(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().iter().collect()
}

fn by_name(named: Vec<NamedTensor>) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    named.into_iter().map(|tensor| (tensor.name, (tensor.shape, tensor.values))).collect()
}

/// What the metadata says is all that has to be known: the same tensors, the same function, nothing assumed.
#[test]
fn what_a_run_writes_is_the_network_whatever_its_text() {
    let mut specs: Vec<NetworkSpec> = NETWORKS.iter().map(|network| small(network.name)).collect();
    specs.push(small("resnet18").with("norm", "group"));
    specs.push(NetworkSpec { activation: Activation::Silu, ..small("lenet5") });
    // One whose text is a user's.
    let text = "//! Mine.\nlet width = setting(\"width\", 8, 1..64);\nlet twice = setting(\"twice\", true);\n\
                let h = square(dense(\"a\", x, width));\nif twice { h = dense(\"b\", h, width); }\ndense(\"b\", h, classes)";
    let own =
        NetworkSpec { program: "mine".to_owned(), text: Some(text.into()), width: 6.into(), ..NetworkSpec::default() };
    specs.push(own.with("twice", false));
    for spec in specs {
        for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
            let spec = NetworkSpec { parametrisation, sigma_b: 0.3, ..spec.clone() };
            let drawn = network(&spec);
            let pairs = KnownSettings { image: Some(IMAGE), ..KnownSettings::of(&spec) }.pairs();
            let bytes = file(&drawn.named(), &[], Some(pairs.clone().into_iter().collect()));
            let said =
                KnownSettings::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))).unwrap();
            let (found, assumed) = said.network().unwrap();
            assert!(assumed.is_empty(), "{}: {assumed:?}", spec.program);
            let loaded = Network::load(&found, &[bytes], IMAGE, &Device::flex());
            let (loaded, notes) = loaded.unwrap_or_else(|why| panic!("{}: {why}", spec.program));
            assert!(notes.is_empty(), "{}: {notes:?}", spec.program);
            assert_eq!(said.contradiction(&loaded.determined_settings()), None, "{}", spec.program);
            assert_eq!(by_name(loaded.named()), by_name(drawn.named()), "{}", spec.program);
            assert_eq!(loaded.sizes(), drawn.sizes(), "{}", spec.program);
            let [one, other] = [loaded, drawn].map(|network| values(network.forward(images(2, IMAGE))));
            assert_eq!(one, other, "{}", spec.program);
        }
    }
}

/// torchvision's names, with the counts of its BatchNorms, and nothing said but the name of the network.
#[test]
fn the_state_of_a_resnet_of_torchvision_needs_no_metadata() {
    let bench = Bench::new();
    bench.file("x.safetensors", &safetensors([("x".to_owned(), vec![2, 3, 32, 32], noise(2 * 3072, 4))]));
    let line = "--inputs {}/x.safetensors --weights {}/w.safetensors";
    for norm in ["batch", "group"] {
        let spec = NetworkSpec { width: 4.into(), ..small("resnet18") }.with("norm", norm);
        let named = network(&spec).named();
        bench.file("w.safetensors", &file(&named, &[], Some(KnownSettings::of(&spec).pairs().into_iter().collect())));
        let whole = bench.kernels(line);
        let mut foreign = named.clone();
        foreign.iter_mut().for_each(|tensor| tensor.name.insert_str(0, "module."));
        let counts: &[&str] = if norm == "batch" {
            &["module.bn1.num_batches_tracked", "module.layer1.0.bn1.num_batches_tracked"]
        } else {
            &[]
        };
        bench.file("w.safetensors", &file(&foreign, counts, None));
        assert_eq!(bench.kernels(&format!("{line} --arch resnet18")), whole, "{norm}");
        assert_eq!(bench.kernels(&format!("{line} --arch resnet18 --set norm={norm}")), whole, "{norm}");
        let text = NETWORKS.iter().find(|network| network.name == "resnet18").unwrap().text;
        bench.file("mine.rhai", text.replace("ResNet-18", "My ResNet").as_bytes());
        assert_eq!(bench.kernels(&format!("{line} --arch {{}}/mine.rhai --activation relu")), whole, "{norm}");
        // One that has no such layer says which has.
        let said = bench.refusal(&format!("{line} --arch cnn_maxpool"));
        let part = if norm == "batch" { "--arch resnet18" } else { "BatchNorm" };
        assert!(said.contains(part), "{said}");
    }
    for (options, part) in [
        ("--arch resnet19", "there is no resnet19, there are mlp, cnn"),
        ("--arch {}/gone.rhai", "gone.rhai cannot be read"),
        ("--arch resnet18 --set norm=layer", "norm is \"batch\" or \"group\", not \"layer\""),
        ("--arch resnet18 --set blocky=2", "resnet18 has no setting blocky"),
        ("--arch resnet18 --set norm", "write NAME=VALUE"),
        (
            "--arch resnet18 --set norm=group --set norm=batch --activation cos --set activation=sin",
            "--activation is cos",
        ),
    ] {
        let said = bench.refusal(&format!("{line} {options}"));
        assert!(said.contains(part), "{options}: {said}");
    }
}

/// What inputs cannot mend is not blamed on them.
#[test]
fn a_kernel_of_another_size_is_another_network() {
    let spec = small("resnet18");
    let mut named = network(&spec).named();
    let conv = named.iter_mut().find(|tensor| tensor.name == "conv1.weight").unwrap();
    let load = |named: &[NamedTensor]| {
        Network::load(&spec, &[file(named, &[], None)], IMAGE, &Device::flex()).unwrap_err().to_string()
    };
    (conv.shape, conv.values) = (vec![12, 3, 7, 7], vec![0.0; 12 * 3 * 49]);
    let other = load(&named);
    assert!(other.contains("conv1.weight has shape [12, 3, 7, 7] where [12, 3, 3, 3]"), "{other}");
    let conv = named.iter_mut().find(|tensor| tensor.name == "conv1.weight").unwrap();
    (conv.shape, conv.values) = (vec![12, 2, 3, 3], vec![0.0; 12 * 2 * 9]);
    let inputs = load(&named);
    assert!(inputs.contains("conv1.weight has shape [12, 2, 3, 3], which does not fit inputs of 3×32×32"), "{inputs}");
}

/// A batch's axis before what is added to each of its samples is no part of it.
#[test]
fn axes_of_length_one_are_taken_off_and_said() {
    for (name, known) in [("vit_tiny", ["cls_token", "pos_embed"].as_slice()), ("transformer", &["pos"])] {
        let spec = small(name);
        let drawn = network(&spec);
        let mut named = drawn.named();
        for tensor in named.iter_mut().filter(|tensor| known.contains(&tensor.name.as_str())) {
            while tensor.shape.len() < 3 {
                tensor.shape.insert(0, 1);
            }
        }
        let (loaded, notes) = Network::load(&spec, &[file(&named, &[], None)], IMAGE, &Device::flex()).unwrap();
        assert_eq!(by_name(loaded.named()), by_name(drawn.named()), "{name}");
        let said = notes.join("; ");
        assert!(said.contains("leading axes of length 1") && known.iter().all(|name| said.contains(name)), "{said}");
        // Any other length is another tensor.
        let place = named.iter().position(|tensor| tensor.name == known[0]).unwrap();
        named[place].shape[0] = 2;
        named[place].values = named[place].values.repeat(2);
        assert!(Network::load(&spec, &[file(&named, &[], None)], IMAGE, &Device::flex()).is_err(), "{name}");
    }
}

/// The text of an MLP has one width; a file has as many as it has layers.
#[test]
fn hidden_layers_may_have_widths_of_their_own() {
    let sides = [48usize, 12, 7, 19, CLASSES];
    let mut named = Vec::new();
    for (place, pair) in sides.windows(2).enumerate() {
        let (fan_in, outputs) = (pair[0], pair[1]);
        for (part, shape) in [("weight", vec![outputs, fan_in]), ("bias", vec![outputs])] {
            let size = shape.iter().product();
            let values = noise(size, place as u64 + 7).iter().map(|value| value / (fan_in as f32).sqrt()).collect();
            named.push(NamedTensor { name: format!("fc{}.{part}", place + 1), shape, values });
        }
    }
    let spec = NetworkSpec { activation: Activation::Tanh, ..NetworkSpec::of("mlp") };
    let (loaded, _) = Network::load(&spec, &[file(&named, &[], None)], [3, 4, 4], &Device::flex()).unwrap();
    let mut expected = Vec::new();
    for image in noise(2 * 48, 3).chunks_exact(48) {
        let mut h: Vec<f64> = image.iter().map(|value| f64::from(*value)).collect();
        for (place, layer) in named.chunks_exact(2).enumerate() {
            let of = |row: &[f32]| row.iter().zip(&h).map(|(weight, value)| f64::from(*weight) * value).sum::<f64>();
            let sums = layer[0].values.chunks_exact(h.len()).zip(&layer[1].values);
            let sums: Vec<f64> = sums.map(|(row, bias)| of(row) + f64::from(*bias)).collect();
            h = if place + 2 == sides.len() { sums } else { sums.into_iter().map(f64::tanh).collect() };
        }
        expected.extend(h);
    }
    let found: Vec<f64> = values(loaded.forward(images(2, [3, 4, 4]))).into_iter().map(f64::from).collect();
    assert_close("an mlp of four widths", &found, &expected, &expected);
}
