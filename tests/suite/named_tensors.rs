//! Options of operations beside the references of PyTorch: derivatives at corners, filters of signals, and tensors with names
//! of their own in files, layers and parts.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::math::rng;
use kernelscope::model::{Network, WeightsError};
use kernelscope::ntk::{PartKind, Reduction, Request, jacobian, layerwise};
use kernelscope::run::NamedTensor;
use kernelscope::spec::{Names, NetworkSpec, Parametrisation, belongs, layer_of};

use super::gram::{noise, safetensors};

fn own(text: &str) -> NetworkSpec {
    let text = Some(format!("let width = setting(\"width\", 16, 1..8192);\n{text}").into());
    let parametrisation = Parametrisation::Standard;
    NetworkSpec { program: "t".to_owned(), text, width: 16.into(), parametrisation, ..NetworkSpec::default() }
}

type File<'a> = &'a [(&'a str, &'a [usize])];

/// A file of tensors of these names and shapes.
fn file(tensors: File<'_>) -> Vec<u8> {
    let tensor = |(at, (name, shape)): (usize, &(&str, &[usize]))| {
        let values = (0..shape.iter().product()).map(|value| (1.7 * (value + 3 * at) as f32).sin()).collect();
        ((*name).to_owned(), shape.to_vec(), values)
    };
    safetensors(tensors.iter().enumerate().map(tensor))
}

fn load(text: &str, tensors: File<'_>, image: [usize; 3]) -> Result<(Network, Vec<String>), WeightsError> {
    Network::load(&own(text), &[file(tensors)], image, &Device::flex())
}

/// The numbers of a network that gives φ(x) of one number x.
fn ones() -> Vec<u8> {
    let tensors = [("fc.weight", vec![1, 1], 1.0), ("fc.bias", vec![1], 0.0)];
    let head = [("head.weight", vec![1, 1], 1.0), ("head.bias", vec![1], 0.0)];
    let all = tensors.into_iter().chain(head);
    safetensors(all.map(|(name, shape, value)| (name.to_owned(), shape, vec![value])))
}

/// At a corner the derivative is that of PyTorch 2.15, which `torch.func.grad` gave for these functions and numbers. The part
/// of fc.bias in the kernel is φ′(x) φ′(x′).
#[test]
fn derivatives_at_corners_are_those_of_pytorch() {
    let cases: &[(&str, &[(f32, f64)])] = &[
        ("relu(h)", &[(1.0, 1.0), (0.0, 0.0), (-1.0, 0.0)]),
        ("abs(h)", &[(1.0, 1.0), (0.0, 0.0), (-1.0, -1.0)]),
        ("hardtanh(h, -0.5, 2)", &[(0.0, 1.0), (-0.5, 0.0), (2.0, 0.0), (1.99, 1.0), (-9.0, 0.0), (9.0, 0.0)]),
        ("relu6(h)", &[(3.0, 1.0), (0.0, 0.0), (6.0, 0.0)]),
        (
            "hardswish(h)",
            &[(0.0, 0.5), (-3.0, 0.0), (3.0, 1.0), (-2.0, -1.0 / 6.0), (2.0, 7.0 / 6.0), (1e20, 1.0), (-1e20, 0.0)],
        ),
        ("hardsigmoid(h)", &[(0.0, 1.0 / 6.0), (-3.0, 0.0), (3.0, 0.0), (1e20, 0.0)]),
        ("elu(h, 0.7)", &[(1.0, 1.0), (0.0, 0.7), (-1.0, 0.257_515_6), (200.0, 1.0), (-200.0, 0.0)]),
        ("mish(h)", &[(0.0, 0.6), (100.0, 1.0), (-100.0, 0.0), (1.0, 1.049_036_2)]),
        ("log(h)", &[(0.5, 2.0), (4.0, 0.25)]),
        ("sqrt(h)", &[(0.25, 1.0), (4.0, 0.25)]),
        ("reciprocal(h)", &[(0.5, -4.0), (-2.0, -0.25)]),
    ];
    for (call, points) in cases {
        let spec = own(&format!("let h = dense(\"fc\", x, width);\ndense(\"head\", {call}, 1)"));
        let (network, _) = Network::load(&spec, &[ones()], [1, 1, 1], &Device::flex()).unwrap();
        let values: Vec<f32> = points.iter().map(|point| point.0).collect();
        let images = Tensor::<2>::from_data(TensorData::new(values, [points.len(), 1]), &Device::flex());
        let request = Request { only: Some(vec!["fc.bias".to_owned()]), ..Request::of(Reduction::Trace) };
        let measured = [
            layerwise::measure(&network, &images, None, &request, &|| false).unwrap(),
            jacobian::measure(&network, &images, None, &request, &|| false).unwrap(),
        ];
        for kernel in measured {
            for (found, point) in kernel.values.iter().zip(*points) {
                let expected = points[0].1 * point.1;
                assert!((found - expected).abs() < 1e-6, "{call} at {}: {found} {expected}", point.0);
            }
        }
    }
}

/// A number that a function has no value for is no number of a kernel.
#[test]
fn what_has_no_value_is_not_a_number() {
    for call in ["log(h)", "sqrt(h)", "reciprocal(h) - reciprocal(h)"] {
        let spec = own(&format!("let h = dense(\"fc\", x, width);\ndense(\"head\", {call}, 1)"));
        let (network, _) = Network::load(&spec, &[ones()], [1, 1, 1], &Device::flex()).unwrap();
        let value = if call.contains("reciprocal") { 0.0 } else { -1.0f32 };
        let images = Tensor::<2>::from_data(TensorData::new(vec![value], [1, 1]), &Device::flex());
        assert!(network.overflow(images).is_some(), "{call}");
    }
}

/// A filter of signals is one of images of one row, and a layer adopts the number of its channels.
#[test]
fn filters_of_signals_are_read_and_said() {
    let text = r#"dense("head", conv("conv", reshape(x, [4, 1, 8]), width, #{kernel: [1, 3], padding: [0, 1]}), 2)"#;
    let tensors = |filters: &'static [usize], head: &'static [usize]| {
        [("conv.weight", filters), ("conv.bias", &[6]), ("head.weight", head), ("head.bias", &[2])]
    };
    let (signals, notes) = load(text, &tensors(&[6, 4, 3], &[2, 48]), [1, 4, 8]).unwrap();
    let (images, quiet) = load(text, &tensors(&[6, 4, 1, 3], &[2, 48]), [1, 4, 8]).unwrap();
    assert_eq!(signals.program().tensors[0].shape, [6, 4, 1, 3]);
    assert_eq!(signals.named(), images.named());
    assert!(notes.contains(&"took conv.weight with axes of length 1 put in or left out".to_owned()), "{notes:?}");
    assert!(quiet.is_empty(), "{quiet:?}");
    // Axes of other lengths and in another order are other tensors.
    for filters in [&[6, 3, 4][..], &[6, 4, 3, 1], &[4, 1, 6, 3]] {
        let tensors = [("conv.weight", filters), ("conv.bias", &[6]), ("head.weight", &[2, 48]), ("head.bias", &[2])];
        assert!(load(text, &tensors, [1, 4, 8]).is_err(), "{filters:?}");
    }
    assert!(load(text, &[("conv.weight", &[6, 4, 3])], [1, 4, 8]).is_err());
}

/// A norm of batches without gain and bias trains as one with gains of 1 and biases of 0, and keeps the same statistics.
#[test]
fn batch_norm_without_gain_and_bias_trains_as_the_one_at_its_beginning() {
    let images = Tensor::<2>::from_data(TensorData::new(noise(6 * 32, 3), [6, 32]), &Device::flex());
    let trained = |options: &str| {
        let spec = own(&format!(
            "let h = batch_norm(\"bn\", conv(\"conv\", x, width), #{{{options}}});\ndense(\"head\", tanh(h), 3)"
        ));
        let network = Network::new(&spec, 3, [2, 4, 4], 3, &Device::flex());
        let generator = rng::rng(1, rng::Stream::Order, 0, 0);
        let (logits, statistics) = network.forward_in_training(images.clone(), generator);
        let named = network.with_statistics(statistics).named();
        let running = named.into_iter().filter(|tensor| tensor.name.contains("running")).collect::<Vec<_>>();
        (logits.into_data().iter::<f32>().collect::<Vec<_>>(), running)
    };
    let (whole, bare) = (trained("epsilon: 0.2"), trained("epsilon: 0.2, affine: false"));
    assert_eq!(whole, bare);
    assert_eq!(bare.1.len(), 2);
    assert!(bare.1[0].values.iter().any(|mean| *mean != 0.0) && trained("affine: false").0 != bare.0);
}

const NAMED: &str = r#"
let u = dense(["attn.in_proj_weight", "attn.in_proj_bias"], x, width);
let u = layer_norm(["0.gain", "0.shift"], u);
let u = relu(dense(["fc.w", "fc.b"], u, width));
dense(["v", "c"], dense("blocks.0.fc", u, width), 2)"#;

/// What names tensors names layers, too: in kernels, in what is frozen and in the list of parts.
#[test]
fn tensors_with_names_of_their_own_have_sensible_layers() {
    let spec = own(NAMED);
    let program = spec.program([1, 1, 5], 2).unwrap();
    let names: Vec<&str> = program.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let expected = [
        "attn.in_proj_weight",
        "attn.in_proj_bias",
        "0.gain",
        "0.shift",
        "fc.w",
        "fc.b",
        "blocks.0.fc.weight",
        "blocks.0.fc.bias",
        "v",
        "c",
    ];
    assert_eq!(names, expected);
    let lines: Vec<&str> = program.lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(lines, ["", "", "attn.in_proj", "0", "fc", "", "blocks.0.fc", "v"]);
    let parts = program.parts();
    assert_eq!(parts, ["attn.in_proj", "0", "fc.w", "fc.b", "blocks.0", "v", "c"]);
    for name in &names {
        assert_eq!(parts.iter().filter(|part| belongs(name, part)).count(), 1, "{name}");
    }
    let network = Network::new(&spec, 3, [1, 1, 5], 2, &Device::flex());
    assert_eq!(network.trained_names(&["attn.in_proj".to_owned(), "c".to_owned()]), expected[2..9]);
    // The parts of layers are the sums of those of their tensors.
    let images = Tensor::<2>::from_data(TensorData::new(vec![0.3f32, -1.0, 0.7, 0.2, 1.0], [1, 5]), &Device::flex());
    let apart = |apart| Request { apart, ..Request::of(Reduction::Trace) };
    let measured = |kind| layerwise::measure(&network, &images, None, &apart(kind), &|| false).unwrap().parts;
    let (layers, tensors) = (measured(PartKind::Layers), measured(PartKind::Tensors));
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (name, values) in tensors {
        *sums.entry(layer_of(&name)).or_default() += values[0];
    }
    assert_eq!(layers.len(), sums.len());
    for (layer, values) in layers {
        assert!((values[0] - sums[&layer]).abs() <= 1e-5 * sums[&layer], "{layer}");
    }
}

#[test]
fn a_layer_is_called_by_what_its_names_have_in_common() {
    let of = |names: &[&str]| Names::Each(names.iter().map(|name| (*name).to_owned()).collect()).layer();
    assert_eq!(of(&["a.attn.in_proj_weight", "a.attn.in_proj_bias"]), "a.attn.in_proj");
    assert_eq!(of(&["rnn.weight_hh_l0", "rnn.bias_hh_l0"]), "rnn.hh_l0");
    assert_eq!(of(&["a.b.w", "a.b.v", "a.c"]), "a");
    assert_eq!(of(&["a.bc", "a.bd"]), "a");
    assert_eq!(of(&["w", "b"]), "w");
    assert_eq!(of(&["fc.weight"]), "fc");
    assert_eq!(of(&[]), "");
    assert_eq!(layer_of("in_proj_weight"), "in_proj");
    assert_eq!(layer_of("rel_bias"), "rel_bias");
}

/// Sizes are read off the tensors that are named, and what is named is there.
#[test]
fn files_are_read_by_the_names_that_a_text_gives() {
    let whole: [(&str, &[usize]); 10] = [
        ("attn.in_proj_weight", &[7, 5]),
        ("attn.in_proj_bias", &[7]),
        ("0.gain", &[7]),
        ("0.shift", &[7]),
        ("fc.w", &[9, 7]),
        ("fc.b", &[9]),
        ("blocks.0.fc.weight", &[4, 9]),
        ("blocks.0.fc.bias", &[4]),
        ("v", &[2, 4]),
        ("c", &[2]),
    ];
    let (network, _) = load(NAMED, &whole, [1, 1, 5]).unwrap();
    let shapes: Vec<(String, Vec<usize>)> =
        network.named().into_iter().map(|NamedTensor { name, shape, .. }| (name, shape)).collect();
    let expected: Vec<(String, Vec<usize>)> =
        whole.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect();
    assert_eq!(shapes, expected);
    for missing in ["fc.b", "c", "0.shift", "attn.in_proj_weight"] {
        let rest: Vec<(&str, &[usize])> = whole.iter().copied().filter(|(name, _)| *name != missing).collect();
        let error = load(NAMED, &rest, [1, 1, 5]).unwrap_err();
        assert!(error.to_string().contains(missing), "{missing}: {error}");
    }
    // So is the bias of a layer that is named as a whole, where other layers have theirs.
    let rest: Vec<(&str, &[usize])> = whole.iter().copied().filter(|(name, _)| *name != "blocks.0.fc.bias").collect();
    let error = load(NAMED, &rest, [1, 1, 5]).unwrap_err();
    assert!(error.to_string().contains("no tensor blocks.0.fc.bias"), "{error}");
}
