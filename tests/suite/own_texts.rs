//! Weights of one's own text: the kernel is that of the network that the file and the text are together, or none.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::model::Network;
use kernelscope::ntk::{Reduction, Request, jacobian};
use kernelscope::run::NamedTensor;
use kernelscope::spec::{NetworkSpec, Parametrisation, preset};

use super::gram::{Bench, assert_close, noise, safetensors};

/// The start of each text, with a width that no file here has.
const HEAD: &str = "//! Mine.\nlet width = setting(\"width\", 16, 8..8192);\n";
const LINE: &str = "--arch {}/t.rhai --activation relu --weights {}/w.safetensors --inputs {}/x.safetensors";

fn own(text: &str, width: usize) -> NetworkSpec {
    let text = Some(format!("{HEAD}{text}").into());
    NetworkSpec { program: "t".to_owned(), text, width: width.into(), ..NetworkSpec::default() }
}

fn file(network: &Network) -> Vec<u8> {
    let named = network.named().into_iter();
    safetensors(named.map(|NamedTensor { name, shape, values }| (name, shape, values)))
}

/// Writes the text, the weights of this network and three inputs of this shape, and returns the oracle's kernel.
fn laid_out(bench: &Bench, text: &str, network: &Network, image: &[usize]) -> Vec<f64> {
    bench.file("t.rhai", format!("{HEAD}{text}").as_bytes());
    bench.file("w.safetensors", &file(network));
    let size: usize = image.iter().product();
    let values = noise(3 * size, 4);
    let images = Tensor::from_data(TensorData::new(values.clone(), [3, size]), &Device::flex());
    bench.file("x.safetensors", &safetensors([("x".to_owned(), [&[3][..], image].concat(), values)]));
    let request = Request::of(Reduction::Trace);
    jacobian::measure(network, &images, None, &request, &|| false).unwrap().values
}

fn trained(spec: &NetworkSpec, image: [usize; 3], classes: usize) -> Network {
    Network::new(spec, 5, image, classes, &Device::flex())
}

/// Images keep their shape, whatever sizes, channels and classes the text is for: it is asked for those at hand.
#[test]
fn images_are_images_for_every_text_that_reads_them() {
    for (text, image) in [
        (r#"dense("fc", mean(relu(conv("a", x, width))), 3)"#, [1, 6, 6]),
        (r#"dense("fc", mean(relu(conv("a", x, width))), 3)"#, [2, 6, 6]),
        (r#"dense("fc", mean(relu(conv("a", x, width))), classes)"#, [2, 6, 6]),
        (r#"dense("fc", mean(relu(dense("a", reshape(flatten(rows(x)), [4, 12]), width))), classes)"#, [2, 4, 6]),
        (
            "if image.height > 6 { throw \"small images only\"; }\ndense(\"o\", relu(dense(\"a\", softmax(x), width)), classes)",
            [2, 4, 6],
        ),
        (r#"dense("o", relu(dense("a", x, width)), 3)"#, [2, 4, 6]),
    ] {
        let bench = Bench::new();
        let network = trained(&own(text, 16), image, 3);
        let expected = laid_out(&bench, text, &network, &image);
        for method in ["layerwise", "jacobian"] {
            let found = bench.kernels(&format!("{LINE} --method {method}"));
            assert_close(&format!("{text} on {image:?}, {method}"), &found["trace"].1, &expected, &expected);
        }
    }
    // Rows of numbers are squares to a text that reads images, and vectors to another.
    for (text, image) in [
        (r#"dense("fc", mean(relu(conv("a", x, width))), 3)"#, [1, 6, 6]),
        (r#"dense("o", relu(dense("a", x, width)), 3)"#, [1, 1, 36]),
    ] {
        let bench = Bench::new();
        let network = trained(&own(text, 16), image, 3);
        let expected = laid_out(&bench, text, &network, &[36]);
        assert_close(text, &bench.kernels(LINE)["trace"].1, &expected, &expected);
    }
}

/// What a text computes with its width is computed with that of the file, and nothing else may be said.
#[test]
fn the_width_of_a_text_is_that_of_its_file() {
    for text in [
        r#"dense("o", relu(dense("a", x, width)) * sqrt(width.to_float()), classes)"#,
        r#"dense("o", relu(dense("a", x, width)) / width, classes)"#,
        r#"dense("o", slice(relu(dense("a", x, width)), 0, width / 2, width / 2 + 16), classes)"#,
        r#"dense("o", relu(group_norm("g", conv("a", x, width), width / 2)), classes)"#,
        r#"let h = relu(dense("a", x, 2 * width)); dense("o", concat(slice(h, 0, 0, width), slice(h, 0, 0, width)), classes)"#,
        r#"dense("o", relu(dense("a", x, width)), classes) / classes"#,
    ] {
        let bench = Bench::new();
        let network = trained(&own(text, 32), [2, 4, 6], 3);
        let expected = laid_out(&bench, text, &network, &[2, 4, 6]);
        for set in ["", " --set width=32"] {
            let found = bench.kernels(&format!("{LINE}{set}"));
            assert_close(&format!("{text}{set}"), &found["trace"].1, &expected, &expected);
        }
        let said = bench.refusal(&format!("{LINE} --set width=64"));
        assert!(said.contains("network.width is given as 64, but its tensors have 32: give that"), "{text}: {said}");
    }
    // The side of a tensor is the product of the width and the number of classes.
    let bench = Bench::new();
    let text =
        r#"mean(reshape(tanh(dense("b", relu(dense("a", x, width)), width * classes)), [width, classes])) * width"#;
    let network = trained(&own(text, 32), [2, 4, 6], 3);
    let expected = laid_out(&bench, text, &network, &[2, 4, 6]);
    assert_close(text, &bench.kernels(LINE)["trace"].1, &expected, &expected);
    // A text that has its sizes at no width, and computes with the width, is no network of this file.
    let bench = Bench::new();
    let text = r#"dense("o", relu(dense("b", relu(dense("a", x, 12)), 20)), classes)"#;
    laid_out(&bench, text, &trained(&own(text, 16), [2, 4, 6], 3), &[2, 4, 6]);
    let uneven = r#"dense("o", relu(dense("b", relu(dense("a", x, width)), width)), classes) * width"#;
    bench.file("t.rhai", format!("{HEAD}{uneven}").as_bytes());
    let said = bench.refusal(LINE);
    assert!(said.contains("with no single width"), "{said}");
    // Without that, each layer has the width of its tensors.
    bench.file("t.rhai", format!("{HEAD}{}", uneven.trim_end_matches(" * width")).as_bytes());
    bench.kernels(LINE);
}

/// A setting that no tensor tells is taken as it is given, and said to be assumed where it is not.
#[test]
fn settings_that_nothing_tells_are_assumed_aloud() {
    let text = "let k = setting(\"k\", 2, 1..9);\ndense(\"o\", relu(dense(\"a\", x, width)) * k, classes)";
    let bench = Bench::new();
    let network = trained(&own(text, 32).with("k", 7), [2, 4, 6], 3);
    let expected = laid_out(&bench, text, &network, &[2, 4, 6]);
    let found = bench.kernels(&format!("{LINE} --set k=7"));
    assert_close("k = 7", &found["trace"].1, &expected, &expected);
    let (loaded, _) = Network::load(&own(text, 16), &[file(&network)], [2, 4, 6], &Device::flex()).unwrap();
    let names = |said: kernelscope::spec::KnownSettings| said.settings.into_keys().collect::<Vec<_>>();
    assert_eq!(names(loaded.assumed()), ["k"]);
    assert_eq!(names(loaded.determined_settings()), ["width"]);
}

/// The search for settings ends, whatever a text takes.
#[test]
fn the_search_for_settings_has_a_clock() {
    let many: String = (0..12).map(|at| format!("let s{at} = setting(\"s{at}\", 1, 1..500);\n")).collect();
    let text = format!("{many}for i in 0..60000 {{}}\ndense(\"o\", relu(dense(\"a\", x, width)), classes)");
    let bench = Bench::new();
    laid_out(&bench, &text, &trained(&own(&text, 32), [1, 6, 6], 3), &[1, 6, 6]);
    let odd = safetensors([("a.weight".to_owned(), vec![7, 36], noise(252, 1))]);
    bench.file("w.safetensors", &odd);
    let begun = Instant::now();
    bench.refusal(LINE);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

/// An embedding that shares the matrix of a dense layer has its own fan-in, in whichever order they stand.
#[test]
fn a_shared_matrix_has_the_fan_in_of_each_reader() {
    let dense = "let h = tanh(dense(\"i\", x, 8)); h = tanh(dense(\"e\", h, 5, #{bias: false}));\n";
    let embedding = "let e = flatten(tanh(embedding(\"e\", flatten(x), 5, 8)));\n";
    let last = "dense(\"o\", concat(h, e), classes)";
    let kernels = [format!("{dense}{embedding}{last}"), format!("{embedding}{dense}{last}")].map(|text| {
        let spec = NetworkSpec { parametrisation: Parametrisation::Ntk, ..own(&text, 16) };
        let bench = Bench::new();
        // The same weights for both: those of the first order of lines, by name.
        let first =
            NetworkSpec { parametrisation: Parametrisation::Ntk, ..own(&format!("{dense}{embedding}{last}"), 16) };
        bench.file("w.safetensors", &file(&trained(&first, [1, 1, 6], 3)));
        bench.file("t.rhai", spec.source_text().as_bytes());
        let tokens = (0..18).map(|at| (at * 7 % 5) as f32).collect();
        bench.file("x.safetensors", &safetensors([("x".to_owned(), vec![3, 6], tokens)]));
        let line = format!("{LINE} --parametrisation ntk --sigma-w 1.4 --sigma-b 0.1");
        let [one, other] = ["layerwise", "jacobian"]
            .map(|method| bench.kernels(&format!("{line} --method {method}"))["trace"].1.clone());
        assert_close("layerwise", &one, &other, &other);
        // A number that is no token is said to be one.
        let mut odd = vec![1.0; 18];
        odd[4] = 7.0;
        bench.file("x.safetensors", &safetensors([("x".to_owned(), vec![3, 6], odd)]));
        let said = bench.gram(&format!("{line} --out {{}}/n.npz")).unwrap_err().to_string();
        assert!(said.contains("the embedding e has a vector for each whole number from 0 to 4"), "{said}");
        one
    });
    assert_close("the other order", &kernels[0], &kernels[1], &kernels[1]);
}

/// In the NTK parametrisation the gain of a norm stands still, and its bias moves where an earlier line has it.
#[test]
fn a_norm_whose_bias_moves_alone_is_what_the_oracle_says() {
    let text = r#"dense("o", tanh(layer_norm("n", positions("n.bias", dense("a", x, width)))), classes)"#;
    let spec = NetworkSpec { parametrisation: Parametrisation::Ntk, sigma_w: 1.4, ..own(text, 16) };
    let bench = Bench::new();
    let expected = laid_out(&bench, text, &trained(&spec, [1, 1, 6], 3), &[6]);
    let found = bench.kernels(&format!("{LINE} --parametrisation ntk --sigma-w 1.4 --sigma-b 0.1"));
    assert_close("layerwise", &found["trace"].1, &expected, &expected);
}

/// A matrix is stored turned over and a table of positions is not, so they cannot be one tensor.
#[test]
fn a_table_of_positions_shares_no_matrix() {
    let t = "let t = dense(\"a\", reshape(x, [4, 6]), 4);\n";
    for text in [
        format!(
            "{t}let z = tanh(dense(\"b\", t, 4)); mean(dense(\"o\", tanh(positions(\"b.weight\", t)) + z, classes))"
        ),
        format!(
            "{t}let z = tanh(positions(\"b.weight\", t)); mean(dense(\"o\", tanh(dense(\"b\", t, 4)) + z, classes))"
        ),
    ] {
        let why = own(&text, 16).program([1, 4, 6], 3).unwrap_err();
        assert!(why.starts_with("line 4") && why.contains("b.weight is the matrix of a layer"), "{why}");
    }
}

/// Whether training computes otherwise than evaluation is asked for the classes of the run.
#[test]
fn a_warning_is_for_the_very_run() {
    let mut spec = preset("circle").unwrap().spec();
    spec.tasks.classes = vec![vec![0], vec![1]];
    spec.network = own(r#"dense("o", relu(batch_norm("n", dense("a", x, width))), 2)"#, 16);
    assert!(spec.warnings().iter().any(|warning| warning.field == "network.program"));
}
