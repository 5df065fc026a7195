//! Texts for which a rule would give a plausible wrong number: each is refused at its line, or has the right value.

use std::sync::Arc;

use kernelscope::spec::{NetworkSpec, Parametrisation, Width};
use kernelscope::theory::{InfiniteNetwork, NoLimit, NoRule};

fn network(lines: &str) -> NetworkSpec {
    let text = format!("//! t\nlet width = setting(\"width\", 64, 8..8192);\n{lines}");
    NetworkSpec { parametrisation: Parametrisation::Ntk, ..NetworkSpec::from_text("t", Some(Arc::from(text))) }
}

/// The line of the text at which it is refused, from 1 behind the width, and why.
fn refused(lines: &str, image: [usize; 3]) -> (usize, NoRule) {
    let of = |width: Width| match InfiniteNetwork::of(&NetworkSpec { width, ..network(lines) }, image, 4).unwrap_err() {
        NoLimit::Line { at, why } => (at.written.unwrap() - 2, why),
        other => panic!("{lines}: {other}"),
    };
    let finite = of(64.into());
    assert_eq!(of(Width::Infinite), finite, "{lines}");
    finite
}

const FLAT: [usize; 3] = [1, 2, 3];

#[test]
fn a_function_behind_a_layer_scale_is_refused() {
    let at = |lines| assert_eq!(refused(lines, FLAT), (2, NoRule::Uneven), "{lines}");
    at("let h = layer_scale(\"s\", dense(\"a\", x, width), 1.0);\nlet h = tanh(h);\ndense(\"o\", h, classes)");
    at("let h = rms_norm(\"n\", layer_scale(\"s\", dense(\"a\", x, width), 1.0) + dense(\"b\", x, width));\n\
        let h = square(h);\ndense(\"o\", h, classes)");
    let linear = network("dense(\"o\", layer_scale(\"s\", dense(\"a\", x, width), 1.0), classes)");
    assert!(InfiniteNetwork::of(&linear, FLAT, 4).is_ok());
}

#[test]
fn slots_in_different_orders_do_not_meet() {
    let two = "let f = flatten(conv(\"c\", x, width, #{kernel: 1}));\
               let g = flatten(dense(\"t\", transpose(reshape(x, [2, 12]), [1, 0]), width));";
    for sign in ["+", "*"] {
        let lines = format!("{two}\nlet h = f {sign} g;\ndense(\"o\", h, classes)");
        assert_eq!(refused(&lines, [2, 4, 3]), (2, NoRule::Unordered));
    }
    let same = network(
        "let f = flatten(conv(\"c\", x, width));\nlet g = flatten(conv(\"d\", x, width));\n\
                        dense(\"o\", relu(f + g), classes)",
    );
    assert!(InfiniteNetwork::of(&same, [2, 4, 3], 4).is_ok());
}

#[test]
fn what_does_not_grow_has_no_limit() {
    let vector = |lines, why| assert_eq!(refused(lines, FLAT), (2, why), "{lines}");
    vector("let h = relu(dense(\"a\", x, 3));\ndense(\"o\", h, classes)", NoRule::Fixed);
    vector("let h = slice(dense(\"a\", x, width), 0, 0, 3);\ndense(\"o\", h, classes)", NoRule::Fixed);
    vector(
        "let a = relu(dense(\"a\", x, width)); let b = cos(dense(\"b\", x, 512));\nlet h = concat(a, b);\n\
         dense(\"o\", h, classes)",
        NoRule::Proportions,
    );
    vector("let h = dense(\"a\", x, width);\nlet h = h * width;\ndense(\"o\", h, classes)", NoRule::Otherwise);
    let tokens = "let q = dense(\"q\", rows(x), width); let k = dense(\"k\", rows(x), width); \
                  let v = dense(\"v\", rows(x), width);";
    vector(&format!("{tokens}\nlet h = attention(q, k, v, width);\ndense(\"o\", mean(h), classes)"), NoRule::Fixed);
    let image = |lines, why| assert_eq!(refused(lines, [1, 4, 4]), (2, why), "{lines}");
    image(
        "let h = conv(\"a\", x, width);\nlet h = group_norm(\"n\", h, width / 2);\ndense(\"o\", mean(h), classes)",
        NoRule::Fixed,
    );
    image(
        "let h = conv(\"a\", x, width);\nlet h = conv(\"b\", h, width, #{groups: width / 2});\ndense(\"o\", mean(relu(h)), classes)",
        NoRule::Fixed,
    );
}

#[test]
fn norms_have_the_networks_own_epsilon() {
    // One layer: K of the norm is q/(q + ε), with q = 9e-6 (2 |x|²/d + 0.01), and Θ as well.
    let network = network("dense(\"o\", layer_norm(\"n\", 0.003 * dense(\"a\", x, width)), classes)");
    let limit = InfiniteNetwork::of(&network, FLAT, 4).unwrap();
    let x = [0.3, -1.1, 0.7, 0.2, 0.9, -0.4];
    let found = limit.own(&limit.points(&x), &|| false).unwrap();
    let q = 9e-6 * (2.0 * x.iter().map(|x| x * x).sum::<f64>() / 6.0 + 0.01);
    let nngp = 2.0 * q / (q + 1e-5) + 0.01;
    assert!((found.nngp[0] / nngp - 1.0).abs() < 1e-12, "{} {nngp}", found.nngp[0]);
    let ntk = nngp + 2.0 * q / (q + 1e-5);
    assert!((found.ntk[0] / ntk - 1.0).abs() < 1e-12, "{} {ntk}", found.ntk[0]);
}

#[test]
fn logits_are_those_of_the_data() {
    assert_eq!(
        refused("let h = relu(dense(\"a\", x, width));\ndense(\"o\", h, classes) + 1", FLAT).1,
        NoRule::LogitsShifted
    );
    let ntk = |lines: &str, classes| {
        let limit = InfiniteNetwork::of(&network(lines), FLAT, classes).unwrap();
        limit.own(&limit.points(&[0.3, -1.1, 0.7, 0.2, 0.9, -0.4]), &|| false).unwrap().ntk[0]
    };
    let plain = ntk("dense(\"o\", relu(dense(\"a\", x, width)), classes)", 2);
    let over = ntk("dense(\"o\", relu(dense(\"a\", x, width)), classes) / classes", 2);
    assert!((plain / over / 4.0 - 1.0).abs() < 1e-12, "{plain} {over}");
    assert!(ntk("dense(\"o\", relu(dense(\"a\", x, width)), 2)", 2) > 0.0);
}

#[test]
fn a_tensor_of_another_kind_is_shared() {
    let at = |lines, name: &str| assert_eq!(refused(lines, FLAT), (2, NoRule::Shared(name.to_owned())), "{lines}");
    at(
        "let h = rms_norm(\"n\", dense(\"a\", x, width));\nlet h = layer_scale(\"n.weight\", h, 3.0);\ndense(\"o\", h, classes)",
        "n.weight",
    );
    let lines = "let h = batch_norm(\"n\", dense(\"a\", x, width));\n\
                 let h = layer_scale(\"n.running_mean\", h, 3.0);\ndense(\"o\", h, classes)";
    let why = InfiniteNetwork::of(&network(lines), FLAT, 4).unwrap_err();
    assert_eq!(why.why(), Some(&NoRule::Shared("n.running_mean".to_owned())));
}

#[test]
fn batch_statistics_of_the_image_are_refused_at_infinite_width() {
    let network = network("let h = batch_norm(\"n\", x);\ndense(\"o\", relu(dense(\"a\", h, width)), classes)");
    assert!(InfiniteNetwork::of(&network, FLAT, 4).is_ok());
    let why = InfiniteNetwork::of(&NetworkSpec { width: Width::Infinite, ..network }, FLAT, 4).unwrap_err();
    assert_eq!(why.why(), Some(&NoRule::Batch));
}

#[test]
fn huge_windows_are_refused_and_not_listed() {
    for line in [
        "conv(\"c\", x, width, #{kernel: 20001, padding: 10000})",
        "avg_pool(x, 16777216, #{padding: 8388608})",
        "max_pool(x, 20000, #{padding: 10000})",
    ] {
        let network = network(&format!("let h = {line};\ndense(\"o\", flatten(h), classes)"));
        let why = network.program([1, 4, 4], 4).unwrap_err();
        assert!(why.contains("entries") && why.contains("line 3"), "{why}");
    }
    let large =
        "let h = 1;\nlet h = conv(\"c\", x, width, #{kernel: 2001, padding: 1000});\ndense(\"o\", flatten(h), classes)";
    assert_eq!(refused(large, [1, 4, 4]), (2, NoRule::Windows));
}
