//! Networks as text: the files that come with the program, the language, and what no text may do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernelscope::spec::ops::{Role, shown};
use kernelscope::spec::text::{
    Choices, Declared, Described, EvaluationInputs, FUNCTIONS, MOST_BYTES, NETWORKS, Setting, TextError, builtin,
    declared, describe, usual_activation,
};
use kernelscope::spec::{Activation, Op, Program};
use proptest::prelude::*;

/// What a text is with these settings.
fn with(text: &str, image: [usize; 3], settings: &[(&str, Setting)]) -> Result<Arc<Described>, TextError> {
    let settings = settings.iter().map(|(name, setting)| ((*name).to_owned(), setting.clone())).collect();
    describe(text, &EvaluationInputs { image, classes: 10, activation: Activation::Relu, settings: &settings })
}

/// Why a text is no network for a colour image.
fn refused(text: &str) -> String {
    match with(text, [3, 32, 32], &[]) {
        Ok(described) => panic!("this is a network: {text}\n{:#?}", described.program),
        Err(error) => error.to_string(),
    }
}

fn text_of(name: &str) -> &'static str {
    builtin(name).unwrap().text
}

/// Networks that were fixed before they were texts have the settings and the activations that they had.
#[test]
fn the_first_five_kinds_have_their_usual_settings() {
    for (name, usual, widths, settings) in [
        ("mlp", None, 16..=8192, "width = 256, depth = 2, norm = \"none\""),
        ("cnn", None, 4..=1024, "width = 16, depth = 2, pool = \"max\", head = \"flatten\""),
        ("resmlp", None, 16..=8192, "width = 128, blocks = 3, norm = \"layer\""),
        ("transformer", Some(Activation::Gelu), 16..=8192, "width = 64, blocks = 2, heads = 4, patch = 7"),
        ("rnn", Some(Activation::Tanh), 16..=8192, "width = 128"),
    ] {
        let found = declared(text_of(name)).unwrap();
        let said: Vec<String> = found.iter().map(|setting| format!("{} = {}", setting.name, setting.default)).collect();
        assert_eq!(said.join(", "), settings, "{name}");
        assert_eq!(found[0].choices, Choices::Whole(widths), "{name}");
        assert_eq!(usual_activation(text_of(name)).unwrap(), usual, "{name}");
    }
}

fn parameters(program: &Program) -> f64 {
    program.tensors.iter().filter(|tensor| tensor.role != Role::Buffer).map(|tensor| tensor.entries()).sum()
}

#[test]
fn every_file_of_the_library_is_a_network_at_every_width() {
    for network in NETWORKS {
        let summary = network.summary();
        assert!(summary.ends_with('.') && summary.len() > 20, "{}: {summary}", network.name);
        let settings = declared(network.text).unwrap();
        let width = settings.iter().find(|setting| setting.name == "width").expect(network.name);
        let (Setting::Whole(usual), Choices::Whole(range)) = (&width.default, &width.choices) else {
            panic!("{}: {width:?}", network.name);
        };
        assert!(settings.iter().all(|setting| !setting.hover.is_empty()), "{}", network.name);
        for image in [[1, 28, 28], [3, 32, 32]] {
            // 7 does not divide 32.
            let patch = (network.name == "transformer" && image[1] == 32).then_some(("patch", Setting::Whole(8)));
            let mut last = 0.0;
            for width in [usual / 2, *usual, 2 * usual, 840].map(|width| width.clamp(*range.start(), *range.end())) {
                let settings = [Some(("width", Setting::Whole(width))), patch.clone()];
                let settings: Vec<_> = settings.into_iter().flatten().collect();
                let described = with(network.text, image, &settings)
                    .unwrap_or_else(|error| panic!("{} at {width} for {image:?}: {error}", network.name));
                let grown = parameters(&described.program);
                assert!(grown >= last && grown > 0.0, "{} at {width}", network.name);
                last = grown;
            }
        }
    }
}

/// Names and shapes as torchvision and timm have them (`tests/fixtures/library/names.py`), and counts as papers have them.
#[test]
fn networks_of_others_have_their_names_and_numbers() {
    let of = |name: &str, image| with(text_of(name), image, &[]).unwrap();
    for (name, known) in [
        ("resnet18", include_str!("../fixtures/library/resnet18.txt")),
        ("vit_tiny", include_str!("../fixtures/library/vit_tiny.txt")),
        ("mixer", include_str!("../fixtures/library/mixer.txt")),
    ] {
        let described = of(name, [3, 32, 32]);
        let tensors = described.program.tensors.iter();
        let mut tensors: Vec<String> =
            tensors.map(|tensor| format!("{} {}", tensor.name, shown(&tensor.shape))).collect();
        tensors.sort();
        assert_eq!(tensors, known.lines().collect::<Vec<_>>(), "{name}");
    }
    // ResNet-18 for CIFAR-10, WideResNet-16-4 and LeNet-5 are of a size that is well known.
    assert_eq!(parameters(&of("resnet18", [3, 32, 32]).program), 11_173_962.0);
    assert_eq!(parameters(&of("wideresnet16", [3, 32, 32]).program), 2_748_890.0);
    assert_eq!(parameters(&of("lenet5", [1, 28, 28]).program), 61_706.0);
    // With GroupNorm there is nothing that training does not move.
    let grouped = with(text_of("resnet18"), [3, 32, 32], &[("norm", Setting::Word("group".to_owned()))]).unwrap();
    assert_eq!(parameters(&grouped.program), 11_173_962.0);
    assert!(grouped.program.tensors.iter().all(|tensor| tensor.role != Role::Buffer));
}

/// Every function of the language, every option and operator at least once; the shapes are written beside them.
const ALL: &str = r#"
usual_activation("silu");
let width = setting("width", 8, 4..16);
let rate = setting("rate", 0.5, [0, 0.9], "how much is left out");
let flag = setting("flag", true, "whether");
let word = setting("word", "b", ["a", "b"]);
fn both(a, b) { concat(a, b) + 1 }

let h = conv("c1", x, width, #{kernel: [3, 5], stride: [2, 1], padding: [1, 2], dilation: 1, groups: 1, bias: flag}); // [8, 16, 32]
h = act(conv("c2", h, width, #{padding: "same", dilation: 2, groups: 4}));
h = avg_pool(max_pool(h, [1, 2]), 3, #{stride: 1, padding: 1, count_padding: false}); // [8, 16, 16]
h = group_norm("g", batch_norm("b", layer_scale("s", h, 0.5), #{epsilon: 1e-3}), 2, #{affine: false});
h = positions("p1", h);
let v = mean(h) - sum(h) * 0.5; // [8]
v = relu(v) + leaky_relu(v) + leaky_relu(v, 0.2) + tanh(v) + gelu(v) + gelu_tanh(v) + silu(v) + sigmoid(v) + erf(v);
v = sin(v) * cos(v) - abs(v) + exp(-v) + softplus(v) + square(v) + identity(v) + polynomial(v, [1, 0.5, 2]) / 2;
v += hardtanh(v, -1, 1) + relu6(v) + hardswish(v) + hardsigmoid(v) + elu(v) + elu(v, 0.5) + mish(v);
v = log(square(v) + 1) + sqrt(exp(v)) + reciprocal(square(v) + 1) + log_softmax(v);
v = scale(softmax(v), 3) + 2 * v + (1 - v);
let t = class_token("cls", dense("e", patches(x, 8), width, #{bias: false})); // [17, 8]
t = rms_norm("rms", layer_norm(["ln.g"], positions("p2", t), #{bias: false}));
t += attention(t, t, t, 2, #{masked: true});
let r = rnn("rnn", rows(x), width) + recurrence("rec", t, "erf"); // [8]
let m = embedding("emb", flatten(slice(select(x, 0, 1), 0, 0, 1)), 5, width, #{normal: true}); // [32, 8]
freeze(["c2.bias"]);
draw("emb.weight", "normal", 1.0);
m = mean(transpose(reshape(m, [8, 32]), [1, 0]));
let k = expand(learned("k", [8, 1], #{trained: true, start: 0.5}), [2, 8, width]) * constant([2, 8, width], 0.5); // [2, 8, 8]
let k = mean(matmul(transpose(k, [0, 2, 1]), k)); // [2]
m += flatten(expand(reshape(k, [1, 2]), [4, 2]));
let w = dense("t", dense("t", m, 3, #{bias: false}), width, #{bias: false, transposed: true});
let all = dropout(both(concat([v, r, m], 0), w), rate); // [32]
dense("head", if word == "b" && all.shape[0] == 4 * width { all } else { x }, classes)
"#;

#[test]
fn every_function_writes_its_line() {
    for function in FUNCTIONS {
        assert!(ALL.contains(&format!("{}(", function.name)), "{} is not asked for", function.name);
        assert!(function.call.starts_with(&format!("{}(", function.name)) && !function.about.is_empty());
        // The page that explains the language has it as the program does.
        let row = format!("| `{}` | {} |\n", function.call, function.about.replace('|', "\\|"));
        assert!(include_str!("../../assets/networks/README.md").contains(&row), "the page lacks {row}");
        for option in function.options {
            assert!(function.call.contains(&format!("{option}: ")) && ALL.contains(&format!("{option}: ")), "{option}");
        }
    }
    let described = with(ALL, [3, 32, 32], &[("rate", Setting::Whole(0))]).unwrap();
    let program = &described.program;
    // Shapes stand where the text says they do.
    for (at, line) in ALL.lines().enumerate().filter_map(|(at, line)| Some((at + 1, line.split_once("// ")?.1))) {
        let last = program.lines.iter().rfind(|written| written.written == Some(at)).unwrap();
        assert_eq!(shown(&last.shape), line, "line {at}");
    }
    let kinds: std::collections::BTreeSet<String> = program
        .lines
        .iter()
        .map(|line| format!("{:?}", line.op).split(['(', ' ']).next().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.len(), 23, "an operation is not written: {kinds:?}");
    assert_eq!(described.activation, Some(Activation::Silu));
    assert!(program.tensors.iter().any(|tensor| tensor.name == "rec.weight_hh"));
    let shared = program.tensors.iter().position(|tensor| tensor.name == "t.weight").unwrap();
    assert_eq!(program.uses()[shared], 2);
    // A whole number serves where a real one is asked, and the text is given it as a real one.
    let dropped = program.lines.iter().find_map(|line| match &line.op {
        Op::Dropout(dropout) => Some(dropout.rate),
        _ => None,
    });
    assert_eq!(dropped, Some(0.0));
    let names: Vec<&str> = described.settings.iter().map(|setting| setting.name.as_str()).collect();
    assert_eq!(names, ["width", "rate", "flag", "word"]);
    let rate = Declared {
        name: "rate".to_owned(),
        default: Setting::Real(0.5),
        choices: Choices::Real([0.0, 0.9]),
        hover: "how much is left out".to_owned(),
    };
    assert_eq!(described.settings[1], rate);
    // The same question is answered from memory; another one anew.
    assert!(Arc::ptr_eq(&described, &with(ALL, [3, 32, 32], &[("rate", Setting::Whole(0))]).unwrap()));
    assert!(!Arc::ptr_eq(&described, &with(ALL, [3, 32, 32], &[]).unwrap()));
}

#[test]
fn settings_are_what_the_text_declares() {
    let text = text_of("cnn");
    let why = |settings: &[(&str, Setting)]| with(text, [1, 28, 28], settings).unwrap_err().to_string();
    assert_eq!(why(&[("depth", Setting::Whole(7))]), "line 3, column 13: depth is a whole number from 2 to 4, not 7");
    // How wide a network may be is held against its choices where it is to be trained; any positive width is a network.
    assert_eq!(
        why(&[("width", Setting::Whole(0))]),
        "line 2, column 13: width is a whole number from 4 to 1024, not 0"
    );
    assert!(with(text, [1, 28, 28], &[("width", Setting::Whole(3))]).is_ok());
    assert_eq!(
        why(&[("pool", Setting::Word("mean".to_owned()))]),
        r#"line 4, column 12: pool is "max", "avg" or "none", not "mean""#
    );
    assert_eq!(
        why(&[("width", Setting::Real(8.0))]),
        "line 2, column 13: width is a whole number from 4 to 1024, not 8.0"
    );
    assert_eq!(
        why(&[("heads", Setting::Whole(3))]),
        "this network has no setting heads: its settings are width, depth, pool and head"
    );
    let narrow = r#"dense("a", x, classes)"#;
    assert_eq!(with(narrow, [1, 28, 28], &[("width", Setting::Whole(8))]).unwrap().settings, []);
    // A text that is no network for this image has its settings all the same.
    assert!(with(text_of("transformer"), [3, 32, 32], &[]).is_err());
    assert_eq!(declared(text_of("transformer")).unwrap().len(), 4);
    assert!(declared("let width = setting(\"width\", 1, 16..8)").is_err());
    assert!(declared("let width =").is_err());
    // As a run file has them.
    for (setting, written) in [
        (Setting::Whole(3), "3"),
        (Setting::Real(1.0), "1.0"),
        (Setting::Flag(true), "true"),
        (Setting::Word("a \"b\"".to_owned()), "'a \"b\"'"),
    ] {
        assert_eq!(setting.to_string(), written);
        let table: BTreeMap<String, Setting> = toml::from_str(&format!("a = {written}")).unwrap();
        assert_eq!(table["a"], setting);
    }
}

/// What is wrong with a text, in one sentence that says where.
#[test]
fn errors_say_where_and_what() {
    for (text, why) in [
        (
            "let a = 1;\nlet h = dens(\"a\", x, 3);",
            "line 2, column 9: there is no function dens that takes a text, a value and a whole number; did you mean dense?",
        ),
        (
            "nn.Linear(3)",
            "line 1, column 1: there is no variable nn: write let nn = … before it; a function sees only its arguments",
        ),
        (
            "linear(\"a\", x, 3)",
            "line 1, column 1: there is no function linear that takes a text, a value and a whole number; did you mean dense?",
        ),
        (
            "dense(\"a\", x)",
            "line 1, column 1: dense is called as dense(name, v, outputs, #{bias: true, transposed: false}), not with a text and a value",
        ),
        (
            "dense(\"a\", x, 1.5)",
            "line 1, column 1: dense of [3, 32, 32]: outputs is a whole number from 1 to 16777216, not 1.5",
        ),
        (
            "dense(\"a\", y, 10)",
            "line 1, column 12: there is no variable y: write let y = … before it; a function sees only its arguments",
        ),
        ("dense(\"a\", relu, 10)", "line 1, column 12: relu is a function: write relu(…)"),
        (
            "let h = dense(\"a\", x, 10);\nh + dense(\"b\", x, 12)",
            "line 2, column 3: [10] and [12] cannot be added: their shapes must be equal",
        ),
        ("dense(\"a\", x, 10) + [1]", "line 1, column 19: + does not apply to a value and a list"),
        (
            "conv(\"c\", x, 8, #{kernel: 99, padding: 0})",
            "line 1, column 1: conv c of [3, 32, 32]: filters of 99 × 99 do not fit an image of 32 × 32",
        ),
        (
            "conv(\"c\", x, 8, #{kernal: 3})",
            "line 1, column 1: conv of [3, 32, 32]: there is no option kernal, there is kernel, stride, padding, dilation, groups and bias",
        ),
        (
            "let h = dense(\"a\", x, 10);\ndense(\"a\", h, 10)",
            "line 2, column 1: dense: a.weight is there with shape [10, 3072] and cannot be shared as [10, 10]",
        ),
        (
            "dense([\"w\"], x, 10)",
            "line 1, column 1: dense of [3, 32, 32]: w: its tensors are weight and bias, and 1 name is given",
        ),
        (
            "dense([\"a.w\", \"a.b\"], x, 10, #{bias: false})",
            "line 1, column 1: dense of [3, 32, 32]: a: it has one tensor, and 2 names are given",
        ),
        (
            "conv([\"w\", \"a b\"], x, 10)",
            "line 1, column 1: conv of [3, 32, 32]: w: “a b” is no name of a tensor: letters, digits and _ between dots, like attn.in_proj_weight",
        ),
        (
            "layer_norm([\"g\", \"g\"], x)",
            "line 1, column 1: layer_norm of [3, 32, 32]: g: g is named twice: each of its tensors has a name of its own",
        ),
        (
            "layer_norm([\"g\", 3], x)",
            "line 1, column 1: layer_norm of [3, 32, 32]: the names of its tensors are texts in quotes, not 3",
        ),
        (
            "layer_norm([\"g\"], x, #{affine: false})",
            "line 1, column 1: layer_norm of [3, 32, 32]: g: it has no tensors, and 1 name is given",
        ),
        (
            "rnn([\"a\", \"b\"], rows(x), 4)",
            "line 1, column 1: rnn of [32, 96]: its tensors are weight_ih, bias_ih and weight_hh, or these and bias_hh, and 2 names are given",
        ),
        (
            "batch_norm(\"bn\", x, #{epsilon: 0})",
            "line 1, column 1: batch_norm of [3, 32, 32]: epsilon is a number above 0, not 0",
        ),
        (
            "hardtanh(x, 1, -1)",
            "line 1, column 1: hardtanh of [3, 32, 32]: low is less than high, and 1.0 is not less than -1.0",
        ),
        (
            "max_pool(x, 2, #{count_padding: false})",
            "line 1, column 1: max_pool of [3, 32, 32]: there is no option count_padding, there is stride and padding",
        ),
        (
            "fn f(h) {\n  h + x\n}\nf(flatten(x))",
            "line 2, column 5: [3072] and [3, 32, 32] cannot be added: their shapes must be equal, in f(…) of line 4",
        ),
        (
            "attention(flatten(x), x, x, 2)",
            "line 1, column 1: attention: attention reads tokens that fit each other, not queries [3072], keys [3, 32, 32] and values [3, 32, 32]",
        ),
        (
            "rnn(\"r\", x, 4)",
            "line 1, column 1: rnn r: a dense layer reads a vector or tokens, not [3, 32, 32]: flatten it",
        ),
        (
            "matmul(rows(x), x)",
            "line 1, column 1: matmul: [32, 96] and [3, 32, 32] cannot be multiplied as matrices: [..., m, k] and [..., k, n] can, with at most 3 equal sides before them",
        ),
        (
            "matmul(x, transpose(x, [1, 0, 2]))",
            "line 1, column 1: matmul: [3, 32, 32] and [32, 3, 32] cannot be multiplied as matrices: [..., m, k] and [..., k, n] can, with at most 3 equal sides before them",
        ),
        (
            "expand(x, [3, 32])",
            "line 1, column 1: expand: [3, 32, 32] cannot be repeated to [3, 32]: from the last on, each side must be equal or 1",
        ),
        (
            "expand(x, [3, 64, 32])",
            "line 1, column 1: expand: [3, 32, 32] cannot be repeated to [3, 64, 32]: from the last on, each side must be equal or 1",
        ),
        (
            "learned(\"w\", [3, 0])",
            "line 1, column 1: learned w: [3, 0] is no shape: a value has one to 6 sides, each of which is at least 1",
        ),
        (
            "constant([], 1.0)",
            "line 1, column 1: constant: [] is no shape: a value has one to 6 sides, each of which is at least 1",
        ),
        (
            "learned(\"w\", [16777216, 16777216])",
            "line 1, column 1: learned w: [16777216, 16777216] is no shape that a value can have",
        ),
        (
            "learned(\"w\", [3]) + learned(\"w\", [3], #{trained: false})",
            "line 1, column 21: learned w: w is trained in one line and not in another: give one of them another name, or say the same in both",
        ),
        (
            "let h = dense(\"a\", x, 10);\nh * sum(learned(\"a.weight\", [10, 3072]))",
            "line 2, column 9: learned a.weight: a.weight is the matrix of a layer in one line and a value in another, and these cannot share it: give one of them another name, or read it by learned and matmul in all",
        ),
        ("flatten(learned(\"w\", [10]))", "line 1: the logits do not depend on the image x"),
        ("x = 3", "line 1, column 1: x is given and cannot be changed: write let h = x"),
        (
            "x.foo",
            "line 1, column 3: a value has .shape, image has .channels, .height and .width, and none of them can be changed",
        ),
        ("x.shape[7]", "line 1, column 9: the index 7 is out of range: there are 3 values, counted from 0"),
        (
            "image.height = 3",
            "line 1, column 7: a value has .shape, image has .channels, .height and .width, and none of them can be changed",
        ),
        (
            "image.depth",
            "line 1, column 7: a value has .shape, image has .channels, .height and .width, and none of them can be changed",
        ),
        ("x * (0.0 / 0.0)", "line 1, column 3: a value can be joined with a finite number, not with NaN"),
        ("1 / 0", "line 1, column 3: this number cannot be computed: it is too large, or divided by 0"),
        (
            "9223372036854775807 + 1",
            "line 1, column 21: this number cannot be computed: it is too large, or divided by 0",
        ),
        ("throw \"only for small images\"", "line 1, column 1: only for small images"),
        ("eval(\"x\")", "line 1, column 1: a network's text has no eval: it only computes the logits from x"),
        ("import \"os\"", "line 1, column 1: a network's text has no import: it only computes the logits from x"),
        ("try { x } catch { x }", "line 1, column 1: a network's text has no try: it only computes the logits from x"),
        ("let h = \"abc", "line 1, column 9: a text in quotes is not closed"),
        ("dense(\"a\", x, 10", "line 1, column 17: ) is missing here"),
        ("if x { 1 }", "line 1, column 4: true or false is needed here, not a value"),
        ("for i in 3 { }", "line 1, column 10: for needs a range like 0..blocks or a list"),
        (
            "setting(\"depth\", 2, 6..1)",
            "line 1, column 1: a range is from low to high, and that of depth is from 6 to 1",
        ),
        ("setting(\"depth\", 9, 1..6)", "line 1, column 1: depth is a whole number from 1 to 6; its default 9 is not"),
        (
            "setting(\"width\", 1.5, [1.0, 2.0])",
            "line 1, column 1: width is a whole number: setting(\"width\", 128, 16..8192)",
        ),
        (
            "setting(\"width\", \"wide\", [\"wide\", \"narrow\"])",
            "line 1, column 1: width is a whole number: setting(\"width\", 128, 16..8192)",
        ),
        (
            "setting(\"activation\", 9, 1..6)",
            "line 1, column 1: every network has activation: a setting needs another name",
        ),
        // No logits.
        ("dense(\"a\", x, 12)", "line 1: a network ends in 10 logits, [10], and this one in [12]"),
        ("x", "line 1: a network ends in 10 logits, [10], and this one in [3, 32, 32]"),
        ("// nothing\n42\n\n// more", "line 2: a text ends in its logits, not in 42"),
        (
            "",
            "a text ends in its logits, not in nothing: the last line is an expression like dense(\"head\", h, classes)",
        ),
    ] {
        assert_eq!(refused(text), why, "{text}");
    }
    let long = format!("//{}", "a".repeat(MOST_BYTES));
    assert_eq!(refused(&long), "a network's text has at most 256 KiB, and this one has more");
}

/// Does something with a text within a second; on a machine that is busy with other tests, in one of a few tries. Each try is of
/// another text, because answers are kept.
fn quickly(text: &str, does: impl Fn(&str)) {
    let times = (0..5).map(|space| {
        let begun = Instant::now();
        does(&format!("{}{text}", " ".repeat(space)));
        begun.elapsed()
    });
    let mut slow = Vec::new();
    for time in times {
        if time < Duration::from_secs(1) {
            return;
        }
        slow.push(time);
    }
    panic!("{slow:?}: {}", text.chars().take(60).collect::<String>());
}

/// Texts that loop, recurse and allocate without end are refused within a second.
#[test]
fn no_text_hangs() {
    let array = "let a = []; a.pad(4000, 0);";
    let too_long = "the text takes too long here: does a loop end?";
    let too_large = "this list, map or text grows too large";
    let too_deep = "this is nested too deeply: give parts of it names with let";
    let too_many = "too many variables at once";
    let endless = "functions call each other too deeply: does a recursion end?";
    for (text, why) in [
        ("while true {}".to_owned(), too_long),
        ("for a in 0..1000000 { for b in 0..1000000 {} }".to_owned(), too_long),
        ("fn f(n) { if n > 0 { f(n - 1); f(n - 1) } } f(30)".to_owned(), too_long),
        (format!("{array} loop {{ let b = a; }}"), too_long),
        (format!("{array} loop {{ a.to_string(); }}"), too_long),
        (format!("{array} loop {{ a.sort(); a.reverse(); }}"), too_long),
        ("let a = []; loop { a.push(1) }".to_owned(), too_large),
        ("let a = [1]; loop { a += a }".to_owned(), too_large),
        ("let s = \"abc\"; loop { s += s }".to_owned(), too_large),
        ("let a = []; a.pad(1000000000, 0)".to_owned(), too_large),
        ("fn f(n) { f(n + 1) } f(0)".to_owned(), endless),
        ("fn a() { b() } fn b() { a() } a()".to_owned(), endless),
        ("let h = x; for i in 0..100000 { h = relu(h) } h".to_owned(), "at most 4096 operations"),
        ("for i in 0..100000 { dense(`b.${i}`, x, 10) }".to_owned(), "at most 4096 operations"),
        (format!("1{}", "+1".repeat(30_000)), too_deep),
        ("(".repeat(60_000), too_deep),
        ("[".repeat(60_000), too_deep),
        ("{".repeat(60_000), too_deep),
        ("if true {".repeat(5_000), too_deep),
        (format!("x{}", ".relu()".repeat(8_000)), too_deep),
        ((0..5_000).map(|at| format!("let a{at} = 1;\n")).collect(), too_many),
        ((0..4_000).map(|at| format!("let a{at} = y;")).collect(), too_many),
        (
            format!("{}{}", (0..900).map(|at| format!("let a{at} = 1;")).collect::<String>(), "y;".repeat(110_000)),
            too_many,
        ),
        (
            format!("{}{}", (0..900).map(|at| format!("let a{at} = `\"`;")).collect::<String>(), "y;".repeat(110_000)),
            too_many,
        ),
        (format!("let y = 1; {}", "y;".repeat(120_000)), "a text ends in its logits"),
        ((0..3_000).map(|at| format!("fn a{at}() {{}}")).collect(), "at most 256 functions"),
    ] {
        quickly(&text, |text| {
            let said = refused(text);
            assert!(said.contains(why), "{}: {said}", text.chars().take(60).collect::<String>());
        });
    }
    // The longest programs that may be are written as quickly.
    for text in [
        "let h = dense(\"b.0.c\", x, 10); for i in 0..4090 { h = relu(h) } h",
        "let h = dense(\"a\", x, 10); for i in 0..4090 { h = dense(`b.${i}.c`, h, 10) } h",
        "let h = dense(\"a\", x, 10); let a = []; for i in 0..60 { a.push(h) } for i in 0..2000 { h = slice(concat(a), 0, 0, 10) } h",
    ] {
        quickly(text, |text| assert!(with(text, [3, 32, 32], &[]).is_ok()));
    }
    // As are texts that a program writes, with a variable for each line, up to the largest.
    let line = |at: usize| match at {
        0 => "let a0 = dense(\"blocks.0.attention.out_projection\", flatten(x), classes);\n".to_owned(),
        at => format!("let a{at} = relu(a{}); // [10]\n", at - 1),
    };
    for lines in [1_500, 2_000] {
        let text: String = (0..lines).map(line).chain([format!("a{}", lines - 1)]).collect();
        quickly(&text, |text| assert_eq!(with(text, [3, 32, 32], &[]).unwrap().program.lines.len(), lines + 2));
    }
    // Names that are given again are no new variables.
    let again = |at: usize| {
        format!("let h{} = relu(h{}) * sigmoid(dense(\"blocks.{at}.mlp\", h{}, 10));\n", at % 40, at % 7, at % 3)
    };
    let first: String = (0..40).map(|at| format!("let h{at} = dense(\"stem.{at}\", x, 10);\n")).collect();
    let text: String = first.chars().chain((0..1_000).flat_map(|at| again(at).into_bytes()).map(char::from)).collect();
    quickly(&format!("{text}h1"), |text| assert!(with(text, [3, 8, 8], &[]).is_ok()));
    let long = format!("{}\ndense(\"a\", x, classes)", "// as long as a text may be\n".repeat(9_000));
    quickly(&long, |text| assert!(text.len() > MOST_BYTES - (10 << 10) && with(text, [3, 32, 32], &[]).is_ok()));
}

/// Words of the language, from which texts are thrown together.
fn any_text() -> impl Strategy<Value = String> {
    let functions = FUNCTIONS.iter().map(|function| format!("{}(", function.name));
    let words = r#"x classes image h let h = h ; , ) ( [ ] { } #{ kernel: stride: bias: transposed: masked: "a" "b.0.c" `n${i}` 0 1 2 3 10
        32 -1 0.5 1e300 9223372036854775807 .shape .height [0] + - * / % ** += == < if else for while loop in 0..3 i fn f(h) return throw
        break true false | switch => && ! .. ..= "é" // act Fn( .call( .push( .pad( .map( this const [3,32,32] [1,0]"#;
    let words: Vec<String> = functions.chain(words.split_whitespace().map(str::to_owned)).collect();
    let statement = prop::sample::select(vec![
        "let h = x;",
        "h = act(h);",
        "h = dense(\"a\", h, 10);",
        "h += h;",
        "let w = setting(\"width\", 8, 4..16);",
        "\n",
    ]);
    let word = prop_oneof![4 => prop::sample::select(words), 1 => statement.prop_map(str::to_owned), 1 => ".{0,3}"];
    prop::collection::vec(word, 0..30).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_a_network_or_one_sentence(text in any_text(), image in prop::sample::select(vec![[3, 32, 32], [1, 1, 1], [0, 0, 0]])) {
        let begun = Instant::now();
        match with(&text, image, &[]) {
            Ok(described) => prop_assert_eq!(&described.program.lines.last().unwrap().shape, &[10]),
            Err(error) => {
                let said = error.to_string();
                prop_assert!(!said.is_empty() && !said.chars().any(char::is_control), "{}: {}", text, said);
                for odd in ["i64", "f64", "ImmutableString", "Dynamic", "alloc::", "rhai", "could not be evaluated"] {
                    prop_assert!(!said.contains(odd), "{}: {}", text, said);
                }
            }
        }
        let _ = declared(&text);
        super::at_once(&text, begun);
    }
}
