//! Tensors as values, products of matrices, constants and what is repeated: their kernels in both parametrisations, their
//! gradients, and texts that declare no width.

use burn::tensor::Device;
use kernelscope::model::Network;
use kernelscope::ntk::tangent::outputs_and_change;
use kernelscope::ntk::{PartKind, Reduction, Request, jacobian, layerwise};
use kernelscope::spec::ops::{Fill, Role};
use kernelscope::spec::{DataShape, NetworkSpec, Parametrisation, Spec, Width};
use kernelscope::theory::{InfiniteNetwork, NoLimit, NoRule};

use super::kernel::noise;
use super::linearised::by_autodiff;
use super::run::rows;
use super::tiny;

const STRUCTURAL: &str = include_str!("../fixtures/networks/structural.rhai");
const SHARED: &str = include_str!("../fixtures/networks/shared_tensors.rhai");
const IMAGE: [usize; 3] = [1, 8, 8];

fn own(text: &str) -> NetworkSpec {
    NetworkSpec::from_text("mine", Some(text.into()))
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    assert_eq!(found.len(), expected.len());
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied())
}

/// The layerwise kernel is that of all gradients, tensor by tensor, where tensors are shared between layers and values, too.
#[test]
fn their_kernels_are_those_of_the_oracle() {
    for text in [STRUCTURAL, SHARED] {
        for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
            let spec = NetworkSpec { parametrisation, sigma_b: 0.7, ..own(text) };
            let network = Network::new(&spec, 4, IMAGE, 4, &Device::flex());
            let (images, others) = (noise(3, 64, 1), noise(2, 64, 2));
            for reduction in [Reduction::Trace, Reduction::Full, Reduction::SumLogits] {
                let request = Request { apart: PartKind::Tensors, ..Request::of(reduction) };
                for others in [None, Some(&others)] {
                    let found = layerwise::measure(&network, &images, others, &request, &|| false).unwrap();
                    let expected = jacobian::measure(&network, &images, others, &request, &|| false).unwrap();
                    let what = format!("{reduction:?}, {parametrisation:?}: {}", text.lines().next().unwrap());
                    let gap = relative(&found.values, &expected.values);
                    assert!(gap < 1e-5, "{gap:.1e}: {what}");
                    let size = expected.values.iter().map(|value| value * value).sum::<f64>().sqrt();
                    assert_eq!(found.parts.len(), expected.parts.len(), "{what}");
                    for (name, part) in &expected.parts {
                        let (_, own) = found.parts.iter().find(|(own, _)| own == name).unwrap();
                        let gap: f64 = part.iter().zip(own).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                        assert!(gap < 1e-5 * size, "{name}, {:.1e}: {what}", gap / size);
                    }
                }
            }
        }
    }
}

/// What begins at a number does so, what is not trained is stored with the weights, and neither stands behind a gain.
#[test]
fn tensors_begin_as_the_text_says() {
    let text = r#"
        let a = learned("drawn", [300]);
        let b = learned("begun", [300], #{start: 1.5});
        let c = learned("kept", [300], #{trained: false, start: -2.0});
        let d = learned("absent", [300], #{trained: false});
        dense("head", expand(dense("fc", x, 1), [300]) * (a + b + c + d), classes)
    "#;
    for (parametrisation, deviation) in [(Parametrisation::Standard, Fill::OFFSET), (Parametrisation::Ntk, 1.0)] {
        let spec = NetworkSpec { parametrisation, sigma_b: 0.5, ..own(text) };
        let program = spec.program(IMAGE, 3).unwrap();
        let role = |name: &str| program.tensors.iter().find(|tensor| tensor.name == name).unwrap().role;
        assert_eq!([role("drawn"), role("begun"), role("kept")], [Role::Weight, Role::Weight, Role::Buffer]);
        let network = Network::new(&spec, 1, IMAGE, 3, &Device::flex());
        let named = network.named();
        let values = |name: &str| &named.iter().find(|tensor| tensor.name == name).unwrap().values;
        let drawn = (values("drawn").iter().map(|value| f64::from(value * value)).sum::<f64>() / 300.0).sqrt();
        assert!((drawn / deviation - 1.0).abs() < 0.15, "{drawn}");
        for (name, value) in [("begun", 1.5), ("kept", -2.0), ("absent", 0.0)] {
            assert!(values(name).iter().all(|found| *found == value), "{name}");
        }
        assert_eq!(program.parameters(), 64.0 + 1.0 + 600.0 + 900.0 + 3.0);
        let moving: Vec<String> = network.sizes().into_iter().map(|(name, _)| name).collect();
        assert_eq!(moving, ["drawn", "begun", "fc.weight", "fc.bias", "head.weight", "head.bias"]);
    }
}

/// A run trains such tensors, leaves those that are constants, and its file says the network without a width.
#[test]
fn a_text_without_a_width_is_trained_and_repeats() {
    let text = r#"//! Hidden units in three groups, each with a factor of its own.
        let h = tanh(dense("fc", x, 12));
        let gain = learned("gain", [3, 1], #{start: 1.0}) * learned("kept", [3, 1], #{trained: false, start: 0.5});
        let h = matmul(reshape(h, [3, 4]) * expand(gain, [3, 4]), learned("mix", [4, 4], #{start: 0.25}));
        dense("head", concat(flatten(h), constant([1], 1.0)), classes)
    "#;
    let mut spec = Spec { network: own(text), ..tiny() };
    assert!(!spec.network.has_width() && spec.network.setting("width").is_none());
    assert_eq!(spec.problems(&DataShape::expected(&spec)), []);
    assert_eq!(spec.network.words(), "mine; ReLU, standard parametrisation");
    let written = spec.to_toml();
    assert!(!written.contains("\nwidth = "), "{written}");
    assert_eq!(Spec::from_toml(&written).unwrap(), spec);
    let first = rows(spec.clone());
    assert_eq!(first, rows(Spec::from_toml(&written).unwrap()));
    // Another width is no other network, and is refused wherever it is given.
    let why = spec.clone().set("network.width=64").unwrap_err().to_string();
    assert!(why.contains("declares no width"), "{why}");
    let with = written.replace("[network]\n", "[network]\nwidth = 256\n");
    assert!(Spec::from_toml(&with).unwrap_err().to_string().contains("declares no width"));
    for (change, field) in [
        (Width::Infinite, "network.width"),
        (Width::Finite(64), "network.width"),
        (spec.network.width, "network.alpha_width"),
    ] {
        let mut other = spec.clone();
        other.network.width = change;
        other.network.alpha_width = (field == "network.alpha_width").then_some(64);
        let found = other.problems(&DataShape::expected(&other));
        assert!(
            found.iter().any(|problem| problem.field == field && problem.message.contains("no width")),
            "{found:?}"
        );
    }
    let mut lazy = spec.clone();
    lazy.training.rate_width = Some(64);
    let found = lazy.problems(&DataShape::expected(&lazy));
    assert!(found.iter().any(|problem| problem.field == "training.rate_width"), "{found:?}");
    spec.study = Some(kernelscope::spec::StudySpec {
        axis: "network.width".to_owned(),
        values: vec![64.into()],
        seeds: vec![1],
        ..Default::default()
    });
    let found = spec.study_problems();
    assert!(found.iter().any(|problem| problem.message.contains("declares no width")), "{found:?}");
    // A network with a width that becomes one without has none, and the other way round the usual one.
    let wide = NetworkSpec { width: 1024.into(), ..NetworkSpec::of("mlp") };
    let turned = wide.with_other_program("mine", Some(text.into()));
    assert_eq!(turned.width, own(text).width);
    assert_eq!(turned.with_other_program("cnn", None).width, 16);
    // What a rule forbids is said first.
    let refused = |text: &str| InfiniteNetwork::of(&own(text), [1, 28, 28], 10).err();
    assert_eq!(refused("dense(\"a\", relu(dense(\"b\", x, 64)), classes)"), Some(NoLimit::NoWidth));
    assert_eq!(refused(text).and_then(|refused| refused.why().cloned()), Some(NoRule::Learned));
}

/// A text that is no network for the usual image may say its width behind the error.
#[test]
fn a_width_behind_an_error_is_one() {
    let behind = "if image.channels != 1 { throw \"grey images only\" } let w = setting(\"width\", 8, 4..16);\n";
    let spec = own(&format!("{behind}dense(\"a\", relu(dense(\"b\", x, w)), classes)"));
    assert!(spec.has_width());
    let narrow = NetworkSpec { width: 5.into(), ..spec };
    assert_eq!(narrow.program(IMAGE, 3).unwrap().tensors[0].shape, [5, 64]);
    let without = own("let h = reshape(x, [2, 32]); dense(\"a\", flatten(h), classes)");
    assert!(!without.has_width() && without.program(IMAGE, 3).is_ok());
}

/// What depends on the image alone is computed before the first layer, where constants, products of matrices and repetition
/// have their values; elsewhere each is refused with its reason.
#[test]
fn what_is_made_of_the_image_has_a_limit() {
    let head = "let width = setting(\"width\", 64, 8..512);\n";
    let plain = "dense(\"o\", relu(dense(\"a\", v, width)), classes)";
    let limit = |text: &str| {
        let spec = NetworkSpec { parametrisation: Parametrisation::Ntk, ..own(&format!("{head}{text}")) };
        InfiniteNetwork::of(&spec, [1, 4, 6], 3)
    };
    let images: Vec<f64> = noise(3, 24, 7).into_data().iter::<f32>().map(f64::from).collect();
    // x xᵀ of its rows over a constant, with the same matrix twice, by hand.
    let given = "let r = rows(x); let p = matmul(r, transpose(r, [1, 0])) + expand(constant([1, 4], 0.5), [4, 4]);";
    let found = limit(&format!("{given} let v = flatten(expand(p, [2, 4, 4])); {plain}")).unwrap();
    let found = found.own(&found.points(&images), &|| false).unwrap();
    let by_hand: Vec<f64> = images
        .chunks_exact(24)
        .flat_map(|image| {
            let row = |at: usize| &image[6 * at..6 * at + 6];
            let dot = |i: usize, j: usize| 0.5 + row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum::<f64>();
            let once: Vec<f64> = (0..16).map(|at| dot(at / 4, at % 4)).collect();
            once.repeat(2)
        })
        .collect();
    let spec = NetworkSpec { parametrisation: Parametrisation::Ntk, ..own(&format!("{head}let v = x; {plain}")) };
    let network = InfiniteNetwork::of(&spec, [1, 1, 32], 3).unwrap();
    let expected = network.own(&network.points(&by_hand), &|| false).unwrap();
    assert!(relative(&found.ntk, &expected.ntk) < 1e-12 && relative(&found.nngp, &expected.nngp) < 1e-12);
    for (text, why) in [
        ("let h = dense(\"e\", rows(x), width); let v = mean(matmul(h, transpose(h, [1, 0])));", NoRule::MatMul),
        ("let v = dense(\"e\", x, width) + learned(\"p\", [width]);", NoRule::Learned),
        ("let v = mean(expand(dense(\"e\", x, width), [2, width]));", NoRule::Repeated),
        ("let v = dense(\"e\", x, width) + constant([width], 1.0);", NoRule::Image),
    ] {
        let found = limit(&format!("{text} {plain}")).err();
        assert_eq!(found.as_ref().and_then(NoLimit::why), Some(&why), "{text}");
    }
}

/// The change of the outputs along a displacement counts a tensor in each line that reads it.
#[test]
fn outputs_change_by_all_uses_of_a_tensor() {
    for (text, parametrisation) in [(SHARED, Parametrisation::Standard), (STRUCTURAL, Parametrisation::Ntk)] {
        let spec = NetworkSpec { parametrisation, ..own(text) };
        let [network, other] = [9, 10].map(|seed| Network::new(&spec, seed, IMAGE, 4, &Device::flex()));
        let (images, moved) = (noise(3, 64, 3), other.displacement_from(&network));
        let (_, change) = outputs_and_change(&network, images.clone(), &moved.iter().cloned().collect());
        let change: Vec<f64> = change.into_data().iter::<f32>().map(f64::from).collect();
        let gap = relative(&change, &by_autodiff(&network, &images, &moved));
        assert!(gap < 1e-5, "{gap:.1e}");
    }
}
