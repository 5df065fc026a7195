//! The infinite-width kernels of programs of every shape: against `neural_tangents` where it can do them, against themselves written
//! another way where it cannot, and refused where there are none.

use std::path::Path;

use kernelscope::spec::ops::{
    Arithmetic, Attention, ClassToken, Concat, Conv, Dense, Dropout, Embedding, Function, LayerScale, Norm, NormKind,
    Op, Patches, Pool, PoolKind, Positions, Rearrange, Recurrence, Reduce, Reduction, Scale, Softmax,
};
use kernelscope::spec::{Activation, NetworkSpec, Parametrisation, Program, Value, Width};
use kernelscope::storage::Arrays;
use kernelscope::theory::{
    GiaViolation, InfiniteNetwork, Kernels, LimitKernelError, NoLimit, NoRule, dual, limits, mean,
};

use super::tensor_program::{Text, dense};

const WIDE: usize = 60;
const LOGITS: usize = 3;

fn network() -> NetworkSpec {
    NetworkSpec { parametrisation: Parametrisation::Ntk, sigma_w: 1.3, sigma_b: 0.2, ..NetworkSpec::default() }
}

/// Layers as wide as all of them are here.
impl Text {
    fn dense(&mut self, v: Value) -> Value {
        self.affine(WIDE, true, v)
    }

    fn bare(&mut self, v: Value) -> Value {
        self.affine(WIDE, false, v)
    }

    fn logits(&mut self, v: Value) -> Value {
        self.affine(LOGITS, true, v)
    }

    fn conv(&mut self, v: Value) -> Value {
        self.line(conv(WIDE, [3; 2], [1; 2], [1; 2]), &[v])
    }

    fn attend(&mut self, v: Value, masked: bool) -> Value {
        let [q, k, v] = [v; 3].map(|v| self.bare(v));
        let attended = self.line(Op::Attention(Attention { heads: 2, masked }), &[q, k, v]);
        self.bare(attended)
    }
}

fn conv(channels: usize, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Op {
    Op::Conv(Conv { channels, kernel, stride, padding, dilation: [1; 2], groups: 1, bias: true })
}

fn pool(size: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Op {
    Op::Pool(Pool { kind: PoolKind::Avg, size, stride, padding, count_padding: true })
}

fn concat(axis: usize) -> Op {
    Op::Concat(Concat { axis })
}

const ONE: [usize; 2] = [1; 2];
const TWO: [usize; 2] = [2; 2];
const NONE: [usize; 2] = [0; 2];

type Write = fn(&mut Text, Value) -> Value;

/// The networks of `tests/fixtures/make_infinite.py`, behind the layer before their logits.
const NETWORKS: &[(&str, Write)] = &[
    ("strided", |t, x| {
        let h = t.line(conv(WIDE, [3; 2], TWO, ONE), &[x]);
        let h = t.relu(h);
        let h = t.line(conv(WIDE, TWO, TWO, NONE), &[h]);
        let h = t.erf(h);
        t.flat(h)
    }),
    ("valid", |t, x| {
        let h = t.line(conv(WIDE, [2, 3], [1, 2], NONE), &[x]);
        let h = t.relu(h);
        let h = t.line(conv(WIDE, [3, 1], [2, 1], NONE), &[h]);
        let h = t.relu(h);
        t.mean(h)
    }),
    ("avg_pool", |t, x| {
        let h = t.conv(x);
        let h = t.relu(h);
        let h = t.line(pool([3; 2], TWO, ONE), &[h]);
        let h = t.conv(h);
        let h = t.relu(h);
        t.flat(h)
    }),
    ("avg_pool_first", |t, x| {
        let h = t.line(pool([2, 3], [1, 2], NONE), &[x]);
        let h = t.conv(h);
        let h = t.relu(h);
        t.mean(h)
    }),
    ("total", |t, x| {
        let h = t.conv(x);
        let h = t.erf(h);
        t.line(Op::Reduce(Reduce { reduction: Reduction::Sum }), &[h])
    }),
    ("concat", |t, x| {
        let h = t.line(conv(20, [3; 2], ONE, ONE), &[x]);
        let h = t.relu(h);
        let more = t.line(conv(30, [3; 2], ONE, ONE), &[h]);
        let more = t.erf(more);
        let h = t.line(concat(0), &[h, more]);
        let h = t.conv(h);
        let h = t.relu(h);
        t.mean(h)
    }),
    ("concat_flat", |t, x| {
        let a = t.line(conv(10, [3; 2], ONE, ONE), &[x]);
        let a = t.relu(a);
        let b = t.line(conv(40, ONE, ONE, NONE), &[x]);
        let b = t.erf(b);
        let h = t.line(concat(0), &[a, b]);
        t.flat(h)
    }),
    ("residual", |t, x| {
        let h = t.conv(x);
        let f = t.norm(NormKind::Layer, h);
        let f = t.relu(f);
        let f = t.conv(f);
        let f = t.relu(f);
        let f = t.conv(f);
        let h = t.add(h, f);
        let short = t.line(conv(WIDE, ONE, TWO, NONE), &[h]);
        let f = t.relu(h);
        let f = t.line(conv(WIDE, [3; 2], TWO, ONE), &[f]);
        let h = t.add(short, f);
        let h = t.relu(h);
        t.mean(h)
    }),
    ("layer_norm", |t, x| {
        let h = t.conv(x);
        let h = t.norm(NormKind::Layer, h);
        let h = t.relu(h);
        let h = t.conv(h);
        let h = t.norm(NormKind::Rms, h);
        let h = t.erf(h);
        t.flat(h)
    }),
    ("group_norm", |t, x| {
        let h = t.conv(x);
        let h = t.norm(NormKind::Group { groups: 4 }, h);
        let h = t.relu(h);
        let h = t.conv(h);
        let h = t.norm(NormKind::Group { groups: 1 }, h);
        let h = t.relu(h);
        t.mean(h)
    }),
    ("dropout", |t, x| {
        let h = t.conv(x);
        let h = t.line(Op::Dropout(Dropout { rate: 0.3 }), &[h]);
        let h = t.relu(h);
        t.flat(h)
    }),
    ("gated_images", |t, x| {
        let a = t.conv(x);
        let a = t.erf(a);
        let b = t.line(conv(WIDE, ONE, ONE, NONE), &[x]);
        let b = t.relu(b);
        let h = t.times(a, b);
        let h = t.conv(h);
        let h = t.relu(h);
        t.mean(h)
    }),
    ("gate", |t, x| {
        let x = t.flat(x);
        let h = t.dense(x);
        let h = t.relu(h);
        // Both from one layer, cut in two: its halves are independent.
        let both = t.line(dense(2 * WIDE, true), &[h]);
        let a = t.moved(Rearrange::Slice { axis: 0, start: 0, end: WIDE }, both);
        let b = t.moved(Rearrange::Slice { axis: 0, start: WIDE, end: 2 * WIDE }, both);
        let b = t.erf(b);
        t.times(a, b)
    }),
    ("gated_residual", |t, x| {
        let x = t.flat(x);
        let h = t.dense(x);
        let a = t.bare(h);
        let b = t.dense(h);
        let b = t.relu(b);
        let f = t.times(a, b);
        let f = t.dense(f);
        let h = t.add(h, f);
        t.erf(h)
    }),
    ("three_branches", |t, x| {
        let x = t.flat(x);
        let h = t.dense(x);
        let h = t.relu(h);
        let a = t.dense(h);
        let b = t.dense(h);
        let b = t.relu(b);
        let b = t.bare(b);
        let c = t.bare(h);
        let c = t.erf(c);
        let c = t.dense(c);
        let b = t.line(Op::Arithmetic(Arithmetic::Subtract), &[b, c]);
        let h = t.add(a, b);
        t.relu(h)
    }),
    ("attention", |t, x| {
        let x = t.rows(x);
        let h = t.dense(x);
        let f = t.norm(NormKind::Layer, h);
        let f = t.attend(f, false);
        let h = t.add(h, f);
        let h = t.norm(NormKind::Layer, h);
        t.mean(h)
    }),
    ("tokens", |t, x| {
        let x = t.rows(x);
        let h = t.dense(x);
        let h = t.relu(h);
        let h = t.dense(h);
        let h = t.norm(NormKind::Layer, h);
        let h = t.erf(h);
        t.flat(h)
    }),
];

/// ε of the norms of `neural_tangents`.
const EPSILON: f64 = 1e-12;

fn kernels(program: &Program, inputs: &[f64]) -> Kernels {
    let limit = InfiniteNetwork::of_program(program, &network()).unwrap().with_epsilon(EPSILON);
    limit.own(&limit.points(inputs), &|| false).unwrap()
}

fn same(name: &str, found: &Kernels, expected: &Kernels, n: usize, tolerance: f64) {
    for (kind, found, expected) in [("nngp", &found.nngp, &expected.nngp), ("ntk", &found.ntk, &expected.ntk)] {
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            // On the diagonal the references are off themselves, as in `theory.rs`.
            let tolerance = if at / n == at % n { tolerance.max(2e-8) } else { tolerance };
            assert!((found / expected - 1.0).abs() <= tolerance, "{name} {kind} at {at}: {found} {expected}");
        }
    }
}

fn references() -> (Arrays, Vec<f64>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/infinite/compositions.npz");
    let mut archive = Arrays::open(&path).unwrap();
    let x = archive.floats("x").unwrap().unwrap().1;
    (archive, x)
}

fn reference(archive: &mut Arrays, name: &str) -> Kernels {
    let mut of = |kind: &str| archive.floats(&format!("{name}__{kind}")).unwrap().unwrap().1;
    Kernels { nngp: of("nngp"), ntk: of("ntk") }
}

#[test]
fn compositions_are_those_of_neural_tangents() {
    let (mut archive, x) = references();
    for (name, write) in NETWORKS {
        let program = Text::of([2, 7, 7], LOGITS, |t, x| {
            let h = write(t, x);
            t.logits(h)
        });
        let expected = reference(&mut archive, name);
        same(name, &kernels(&program, &x), &expected, 5, 1e-10);
        // A rectangle of the kernel is the kernel's rectangle.
        let limit = InfiniteNetwork::of_program(&program, &network()).unwrap().with_epsilon(EPSILON);
        let [few, all] = [&x[..2 * 98], &x[..]].map(|inputs| limit.points(inputs));
        let cut = Kernels { nngp: expected.nngp[..10].to_vec(), ntk: expected.ntk[..10].to_vec() };
        same(name, &limit.between(&few, &all, &|| false).unwrap(), &cut, 5, 1e-10);
        assert!(limits(&program, None, &network()).iter().all(Option::is_none), "{name}");
    }
}

#[test]
fn functions_in_layers_are_those_of_neural_tangents() {
    let (mut archive, x) = references();
    let named = |activation| Function::Activation(activation);
    let networks = [
        ("leaky_relu", vec![Function::LeakyRelu(0.2), named(Activation::LeakyRelu)]),
        ("abs", vec![named(Activation::Abs); 2]),
        ("sin", vec![named(Activation::Sin); 2]),
        ("cos", vec![named(Activation::Cos); 2]),
        ("exp", vec![named(Activation::Exp)]),
        ("square", vec![named(Activation::Square)]),
        ("polynomial", vec![Function::Polynomial(vec![0.3, -0.5, 0.2, 0.1]), named(Activation::Relu)]),
        ("gelu", vec![named(Activation::Gelu); 2]),
    ];
    for (name, functions) in networks {
        let program = Text::of([2, 7, 7], LOGITS, |t, x| {
            let mut h = t.flat(x);
            for function in functions {
                h = t.dense(h);
                h = t.line(Op::Function(function), &[h]);
            }
            t.logits(h)
        });
        same(name, &kernels(&program, &x), &reference(&mut archive, name), 5, 1e-9);
    }
}

/// Two ways to write one network, of images [1, 4, 4].
fn equal(name: &str, one: Write, other: Write) {
    let x: Vec<f64> = (0..4 * 16).map(|at| (1.3 * f64::from(at)).sin() + 0.2 * f64::from(at % 7)).collect();
    let [one, other] = [one, other].map(|write| kernels(&Text::of([1, 4, 4], LOGITS, write), &x));
    same(name, &one, &other, 4, 1e-12);
}

#[test]
fn the_same_network_written_otherwise_has_the_same_kernel() {
    equal(
        "three times a value is the sum of three",
        |t, x| {
            let h = t.conv(x);
            let f = t.relu(h);
            let f = t.conv(f);
            let h = t.add(h, f);
            let twice = t.add(h, h);
            let h = t.add(twice, h);
            let h = t.relu(h);
            let h = t.mean(h);
            t.logits(h)
        },
        |t, x| {
            let h = t.conv(x);
            let f = t.relu(h);
            let f = t.conv(f);
            let h = t.add(h, f);
            let h = t.line(Op::Scale(Scale { by: -3.0, plus: 0.0 }), &[h]);
            let h = t.relu(h);
            let h = t.mean(h);
            t.logits(h)
        },
    );
    equal(
        "what is taken off again was never there",
        |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let g = t.erf(h);
            let f = t.dense(g);
            let sum = t.add(h, f);
            let f = t.line(Op::Arithmetic(Arithmetic::Subtract), &[sum, h]);
            let f = t.relu(f);
            t.logits(f)
        },
        |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.erf(h);
            let f = t.dense(h);
            let f = t.relu(f);
            t.logits(f)
        },
    );
    equal(
        "a convolution on patches is a dense layer on them, and tokens may be turned about",
        |t, x| {
            let h = t.line(conv(WIDE, TWO, TWO, NONE), &[x]);
            let h = t.moved(Rearrange::Reshape(vec![WIDE, 4]), h);
            let h = t.moved(Rearrange::Transpose(vec![1, 0]), h);
            let f = t.attend(h, true);
            let h = t.add(h, f);
            let h = t.norm(NormKind::Layer, h);
            let h = t.moved(Rearrange::Select { axis: 0, at: 2 }, h);
            t.logits(h)
        },
        |t, x| {
            let x = t.line(Op::Patches(Patches { side: 2 }), &[x]);
            let h = t.dense(x);
            // The third token sees the mean of the first three.
            let seen = t.moved(Rearrange::Slice { axis: 0, start: 0, end: 3 }, h);
            let v = t.bare(seen);
            let f = t.mean(v);
            let f = t.bare(f);
            let own = t.moved(Rearrange::Select { axis: 0, at: 2 }, h);
            let h = t.add(own, f);
            let h = t.norm(NormKind::Layer, h);
            t.logits(h)
        },
    );
    equal(
        "windows with holes see what is left without the rest",
        |t, x| {
            let mut op = conv(WIDE, TWO, ONE, NONE);
            if let Op::Conv(conv) = &mut op {
                conv.dilation = [2; 2];
            }
            let h = t.line(op, &[x]);
            let h = t.moved(Rearrange::Slice { axis: 1, start: 0, end: 1 }, h);
            let h = t.moved(Rearrange::Slice { axis: 2, start: 0, end: 1 }, h);
            let h = t.relu(h);
            let h = t.flat(h);
            t.logits(h)
        },
        |t, x| {
            let x = t.moved(Rearrange::Reshape(vec![2, 2, 2, 2]), x);
            let x = t.moved(Rearrange::Select { axis: 3, at: 0 }, x);
            let x = t.moved(Rearrange::Select { axis: 1, at: 0 }, x);
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.relu(h);
            t.logits(h)
        },
    );
    equal(
        "features beside each other are cut apart by nothing but their norm",
        |t, x| {
            let x = t.flat(x);
            let a = t.dense(x);
            let b = t.dense(x);
            let h = t.line(concat(0), &[a, b]);
            let h = t.norm(NormKind::Rms, h);
            let h = t.relu(h);
            t.logits(h)
        },
        |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.norm(NormKind::Layer, h);
            let h = t.relu(h);
            t.logits(h)
        },
    );
    equal(
        "a recurrence over one time is its function, and a mean over groups of channels one over all",
        |t, x| {
            let x = t.moved(Rearrange::Reshape(vec![1, 16]), x);
            let h = t.dense(x);
            let recurrence = Recurrence { function: Function::Activation(Activation::Erf), bias: true };
            let h = t.line(Op::Recurrence(recurrence), &[h]);
            t.logits(h)
        },
        |t, x| {
            let mut op = conv(WIDE, ONE, ONE, NONE);
            let x = t.moved(Rearrange::Reshape(vec![16, 1, 1]), x);
            let h = t.line(op.clone(), &[x]);
            // Its second bias is what a position adds.
            let h = t.line(Op::Positions(Positions), &[h]);
            let h = t.erf(h);
            if let Op::Conv(conv) = &mut op {
                (conv.channels, conv.groups) = (3, 3);
            }
            let h = t.line(op, &[h]);
            t.flat(h)
        },
    );
}

#[test]
fn learned_numbers_add_what_they_are_worth() {
    let x: Vec<f64> = (0..3 * 4).map(|at| (1.7 * f64::from(at)).cos()).collect();
    let (w, b) = (1.3f64 * 1.3, 0.2f64 * 0.2);
    let dot = |i: usize, j: usize| (0..4).map(|k| x[i * 4 + k] * x[j * 4 + k]).sum::<f64>() / 4.0;
    let check = |name: &str, write: Write, expected: &dyn Fn(f64, bool) -> (f64, f64)| {
        let found = kernels(&Text::of([1, 2, 2], LOGITS, write), &x);
        for at in 0..9 {
            let (nngp, ntk) = expected(dot(at / 3, at % 3), at / 3 == at % 3);
            assert!((found.nngp[at] / nngp - 1.0).abs() < 1e-12, "{name} at {at}: {} {nngp}", found.nngp[at]);
            assert!((found.ntk[at] / ntk - 1.0).abs() < 1e-12, "{name} at {at}: {} {ntk}", found.ntk[at]);
        }
    };
    let layer = |k: f64, theta: f64| (w * k + b, w * k + b + w * theta);
    check(
        "layer scale",
        |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.line(Op::LayerScale(LayerScale { start: 0.5 }), &[h]);
            t.logits(h)
        },
        &|dot, _| {
            let (k, theta) = layer(dot, 0.0);
            layer(0.25 * k, 0.25 * theta + k)
        },
    );
    check(
        "a number more",
        |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.line(Op::Scale(Scale { by: 2.0, plus: 3.0 }), &[h]);
            t.logits(h)
        },
        &|dot, _| {
            let (k, theta) = layer(dot, 0.0);
            layer(4.0 * k + 9.0, 4.0 * theta)
        },
    );
    check(
        "positions and a class token",
        |t, x| {
            let x = t.line(Op::Patches(Patches { side: 2 }), &[x]);
            let h = t.dense(x);
            let h = t.line(Op::ClassToken(ClassToken), &[h]);
            let h = t.line(Op::Positions(Positions), &[h]);
            let h = t.mean(h);
            t.logits(h)
        },
        // Two tokens, the class and the image: K of their mean is a quarter of the sum of theirs.
        &|dot, _| {
            let (k, theta) = layer(dot, 0.0);
            layer((k + 3.0 * b) / 4.0, (theta + 3.0 * b) / 4.0)
        },
    );
    check(
        "batch statistics at the beginning",
        |t, x| {
            let h = t.line(conv(WIDE, TWO, ONE, NONE), &[x]);
            let h = t.norm(NormKind::Batch, h);
            let h = t.flat(h);
            t.logits(h)
        },
        &|dot, _| {
            let (k, theta) = layer(dot, 0.0);
            let by = 1.0 / (1.0 + 1e-5);
            layer(by * k, by * theta)
        },
    );
    let tokens = [0.0, 1.0, 1.0, 2.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0];
    let program = Text::of([1, 2, 2], LOGITS, |t, x| {
        let x = t.flat(x);
        let h = t.line(Op::Embedding(Embedding { tokens: 3, width: WIDE, normal: false }), &[x]);
        let h = t.flat(h);
        t.logits(h)
    });
    let found = kernels(&program, &tokens);
    for at in 0..9 {
        let equal = (0..4).filter(|k| tokens[at / 3 * 4 + k] == tokens[at % 3 * 4 + k]).count() as f64 / 4.0;
        let (nngp, ntk) = layer(w * equal, w * equal);
        assert!((found.nngp[at] - nngp).abs() < 1e-12 && (found.ntk[at] - ntk).abs() < 1e-12, "tokens at {at}");
    }
    let limit = InfiniteNetwork::of_program(&program, &network()).unwrap();
    let points = limit.points(&[0.5, 1.0, 1.0, 2.0]);
    assert_eq!(limit.own(&points, &|| false), Err(LimitKernelError::Tokens));
}

/// The line that a program without a limit is refused at, counted from its last, and why.
fn refused(write: Write) -> (usize, NoLimit) {
    let program = Text::of([2, 4, 4], LOGITS, write);
    let why = InfiniteNetwork::of_program(&program, &network()).unwrap_err();
    let line = why.line().unwrap();
    let said = limits(&program, None, &network());
    assert_eq!(said[line].as_ref(), Some(&why), "the lines say what the whole does");
    assert!(said[..line].iter().all(Option::is_none), "{said:?}");
    let sentence = why.to_string();
    assert!(!sentence.contains('\n') && sentence.len() < 300, "{sentence}");
    (program.lines.len() - 1 - line, why)
}

#[test]
fn what_has_no_rule_is_refused_at_its_line() {
    let cases: &[(usize, NoRule, Write)] = &[
        (2, NoRule::MaxPool, |t, x| {
            let h = t.conv(x);
            let h = t.line(
                Op::Pool(Pool { kind: PoolKind::Max, size: TWO, stride: TWO, padding: NONE, count_padding: true }),
                &[h],
            );
            let h = t.flat(h);
            t.logits(h)
        }),
        (1, NoRule::NotGaussian, |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.relu(h);
            let h = t.erf(h);
            t.logits(h)
        }),
        (1, NoRule::NotCentred, |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.relu(h);
            let h = t.norm(NormKind::Layer, h);
            t.logits(h)
        }),
        (1, NoRule::Dependent, |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let g = t.erf(h);
            let h = t.add(h, g);
            t.logits(h)
        }),
        (1, NoRule::Dependent, |t, x| {
            let x = t.flat(x);
            let a = t.dense(x);
            let a = t.relu(a);
            let b = t.dense(x);
            let b = t.relu(b);
            let h = t.add(a, b);
            t.logits(h)
        }),
        (1, NoRule::Factors, |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let g = t.relu(h);
            let h = t.times(h, g);
            t.logits(h)
        }),
        (2, NoRule::Scores, |t, x| {
            let x = t.rows(x);
            let h = t.dense(x);
            let h = t.line(Op::Attention(Attention { heads: 1, masked: false }), &[h, h, h]);
            let h = t.flat(h);
            t.logits(h)
        }),
        (1, NoRule::Softmax, |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.line(Op::Softmax(Softmax { log: false }), &[h]);
            t.logits(h)
        }),
        (3, NoRule::Places, |t, x| {
            let x = t.rows(x);
            let h = t.dense(x);
            let h = t.moved(Rearrange::Transpose(vec![1, 0]), h);
            let h = t.dense(h);
            let h = t.relu(h);
            let h = t.mean(h);
            t.logits(h)
        }),
        (3, NoRule::Features, |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.moved(Rearrange::Reshape(vec![WIDE / 4, 2, 2]), h);
            let h = t.conv(h);
            let h = t.flat(h);
            t.logits(h)
        }),
        (2, NoRule::Alone, |t, x| {
            let h = t.conv(x);
            let h = t.norm(NormKind::Group { groups: WIDE }, h);
            let h = t.flat(h);
            t.logits(h)
        }),
        // A filter for each channel: its sum of products is not Gaussian.
        (2, NoRule::NotGaussian, |t, x| {
            let h = t.conv(x);
            let mut op = conv(WIDE, [3; 2], ONE, ONE);
            if let Op::Conv(conv) = &mut op {
                conv.groups = WIDE;
            }
            let h = t.line(op, &[h]);
            let h = t.relu(h);
            let h = t.flat(h);
            t.logits(h)
        }),
        (1, NoRule::Shared("cell.weight".to_owned()), |t, x| {
            let x = t.flat(x);
            let h = t.dense(x);
            let h = t.relu(h);
            let h = t.named(dense(WIDE, true), "cell", &[h]);
            let h = t.named(dense(WIDE, true), "cell", &[h]);
            t.logits(h)
        }),
        (1, NoRule::ImageFunction, |t, x| {
            let x = t.flat(x);
            let h = t.relu(x);
            t.logits(h)
        }),
        (1, NoRule::Image, |t, x| {
            let x = t.flat(x);
            let h = t.line(dense(32, true), &[x]);
            let h = t.add(x, h);
            t.logits(h)
        }),
        (2, NoRule::ImageLearnt, |t, x| {
            let h = t.line(Op::Positions(Positions), &[x]);
            let h = t.flat(h);
            t.logits(h)
        }),
    ];
    for (behind, why, write) in cases {
        let (line, found) = refused(*write);
        assert_eq!((line, found.why()), (*behind, Some(why)), "{found}");
    }
    // Batch statistics move the kernel of a network that trains with them.
    let program = Text::of([1, 2, 2], LOGITS, |t, x| {
        let h = t.conv(x);
        let h = t.norm(NormKind::Batch, h);
        let h = t.flat(h);
        t.logits(h)
    });
    let infinite = NetworkSpec { width: Width::Infinite, ..network() };
    let refused = InfiniteNetwork::of_program(&program, &infinite).unwrap_err();
    assert_eq!(refused.why(), Some(&NoRule::Batch));
}

/// Of these functions no dual is computed, or none is finite.
#[test]
fn functions_without_a_dual_are_refused_by_their_names() {
    let plain = [
        (Function::HardTanh { low: -1.0, high: 1.0 }, NoRule::Dual("hardtanh")),
        (Function::HardTanh { low: 0.0, high: 6.0 }, NoRule::Dual("relu6")),
        (Function::HardSwish, NoRule::Dual("hardswish")),
        (Function::HardSigmoid, NoRule::Dual("hardsigmoid")),
        (Function::Elu(1.0), NoRule::Dual("elu")),
        (Function::Mish, NoRule::Dual("mish")),
        (Function::Log, NoRule::OfGaussians("log")),
        (Function::Sqrt, NoRule::OfGaussians("sqrt")),
        (Function::Reciprocal, NoRule::OfGaussians("reciprocal")),
    ];
    for (function, why) in plain {
        let made = |op: &dyn Fn() -> Op| {
            Text::of([2, 4, 4], LOGITS, |t, x| {
                let x = t.rows(x);
                let h = t.dense(x);
                let h = t.line(op(), &[h]);
                let h = t.flat(h);
                t.logits(h)
            })
        };
        let program = made(&|| Op::Function(function.clone()));
        let found = InfiniteNetwork::of_program(&program, &network()).unwrap_err();
        assert_eq!((found.line(), found.why()), (Some(program.lines.len() - 3), Some(&why)), "{function:?}");
        assert!(dual(&function, [1.0, 1.0], 0.5).0.is_nan() && mean(&function, 1.0).is_nan(), "{function:?}");
        // In a recurrence likewise, whose value is a vector.
        let recurrent = Text::of([2, 4, 4], LOGITS, |t, x| {
            let x = t.rows(x);
            let h = t.dense(x);
            let h = t.line(Op::Recurrence(Recurrence { function: function.clone(), bias: false }), &[h]);
            t.logits(h)
        });
        let found = InfiniteNetwork::of_program(&recurrent, &network()).unwrap_err();
        assert_eq!(found.why(), Some(&why), "{function:?}");
        // ELU without what is below zero is ReLU.
        let program = made(&|| Op::Function(Function::Elu(0.0)));
        assert!(InfiniteNetwork::of_program(&program, &network()).is_ok());
    }
    let program = Text::of([2, 4, 4], LOGITS, |t, x| {
        let x = t.flat(x);
        let h = t.dense(x);
        let h = t.line(Op::Softmax(Softmax { log: true }), &[h]);
        t.logits(h)
    });
    let found = InfiniteNetwork::of_program(&program, &network()).unwrap_err();
    assert_eq!(found.why(), Some(&NoRule::LogSoftmax));
}

/// Each norm divides by the root of a variance and its own ε; with or without gain and bias, which are frozen.
#[test]
fn a_limit_has_the_epsilon_that_is_given() {
    const GIVEN: f64 = 0.3;
    let x: Vec<f64> = (0..4 * 16).map(|at| (1.3 * f64::from(at)).sin() + 0.2 * f64::from(at % 7)).collect();
    let measured = |limit: InfiniteNetwork| limit.own(&limit.points(&x), &|| false).unwrap();
    let limit = |norm: &Norm| {
        let program = Text::of([1, 4, 4], LOGITS, |t, x| {
            let h = t.conv(x);
            let h = t.line(Op::Norm(norm.clone()), &[h]);
            let h = t.relu(h);
            let h = t.flat(h);
            t.logits(h)
        });
        InfiniteNetwork::of_program(&program, &network()).unwrap()
    };
    for kind in [NormKind::Layer, NormKind::Rms, NormKind::Group { groups: 4 }] {
        let own = Norm { epsilon: GIVEN, ..Norm::of(kind) };
        let bare = Norm { gain: false, bias: false, ..own.clone() };
        let expected = measured(limit(&Norm::of(kind)).with_epsilon(GIVEN));
        assert_ne!(expected, measured(limit(&Norm::of(kind))), "{kind:?}");
        same("its own ε", &measured(limit(&own)), &expected, 4, 1e-14);
        same("without gain and bias", &measured(limit(&bare)), &expected, 4, 1e-14);
    }
    // Running mean 0 and running variance 1.
    let batch = Norm { epsilon: GIVEN, ..Norm::of(NormKind::Batch) };
    let by = 1.0 / (1.0 + GIVEN).sqrt();
    let scaled = Text::of([1, 4, 4], LOGITS, |t, x| {
        let h = t.conv(x);
        let h = t.line(Op::Scale(Scale { by, plus: 0.0 }), &[h]);
        let h = t.relu(h);
        let h = t.flat(h);
        t.logits(h)
    });
    let expected = measured(InfiniteNetwork::of_program(&scaled, &network()).unwrap());
    same("statistics", &measured(limit(&batch)), &expected, 4, 1e-14);
    // Of the image itself: a plain LayerNorm of one channel would be 0.
    let of_image = |epsilon: f64| {
        let program = Text::of([1, 4, 4], LOGITS, |t, x| {
            let h = t.flat(x);
            let h = t.line(Op::Norm(Norm { epsilon, ..Norm::of(NormKind::Layer) }), &[h]);
            t.logits(h)
        });
        measured(InfiniteNetwork::of_program(&program, &network()).unwrap())
    };
    let normed: Vec<f64> = x
        .chunks_exact(16)
        .flat_map(|image| {
            let mean = image.iter().sum::<f64>() / 16.0;
            let variance = image.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 16.0;
            image.iter().map(move |value| (value - mean) / (variance + GIVEN).sqrt()).collect::<Vec<_>>()
        })
        .collect();
    let plain = Text::of([1, 4, 4], LOGITS, |t, x| {
        let h = t.flat(x);
        t.logits(h)
    });
    let plain = InfiniteNetwork::of_program(&plain, &network()).unwrap();
    let expected = plain.own(&plain.points(&normed), &|| false).unwrap();
    same("of the image", &of_image(GIVEN), &expected, 4, 1e-12);
}

/// A mean of the pixels of an image alone: windows that all cover every pixel give the mean over all.
#[test]
fn zeros_around_an_image_need_not_count() {
    let pool = |count_padding| {
        Op::Pool(Pool { kind: PoolKind::Avg, size: [7; 2], stride: ONE, padding: [3; 2], count_padding })
    };
    let x: Vec<f64> = (0..4 * 16).map(|at| (1.3 * f64::from(at)).sin() + 0.2 * f64::from(at % 7)).collect();
    let whole = |count_padding| {
        let program = Text::of([1, 4, 4], LOGITS, |t, x| {
            let h = t.conv(x);
            let h = t.relu(h);
            let h = t.line(pool(count_padding), &[h]);
            let h = t.mean(h);
            t.logits(h)
        });
        kernels(&program, &x)
    };
    let mean = Text::of([1, 4, 4], LOGITS, |t, x| {
        let h = t.conv(x);
        let h = t.relu(h);
        let h = t.mean(h);
        t.logits(h)
    });
    let expected = kernels(&mean, &x);
    same("means of pixels", &whole(false), &expected, 4, 1e-12);
    assert_ne!(whole(true), expected);
    // Of the image itself, too.
    let of_image = |count_padding| {
        let program = Text::of([1, 4, 4], LOGITS, |t, x| {
            let h = t.line(pool(count_padding), &[x]);
            let h = t.mean(h);
            t.logits(h)
        });
        kernels(&program, &x)
    };
    let mean = Text::of([1, 4, 4], LOGITS, |t, x| {
        let h = t.mean(x);
        t.logits(h)
    });
    same("means of an image's pixels", &of_image(false), &kernels(&mean, &x), 4, 1e-12);
}

#[test]
fn the_gia_check_names_the_line_that_breaks_it() {
    let broken = |write: Write| match refused(write) {
        (line, NoLimit::Gia(breach)) => (line, breach.why),
        (line, other) => panic!("{line}: {other}"),
    };
    // The worked counter-example of Tensor Programs II: the mean of hidden units with fixed weights.
    let (line, why) = broken(|t, x| {
        let x = t.flat(x);
        let h = t.dense(x);
        let h = t.relu(h);
        let h = t.line(dense(WIDE, true), &[h]);
        let h = t.relu(h);
        let h = t.moved(Rearrange::Reshape(vec![WIDE / 3, 3]), h);
        t.mean(h)
    });
    assert_eq!((line, why), (1, GiaViolation::FixedReadOut("shape".to_owned())));
    let (line, why) = broken(|t, x| {
        let x = t.flat(x);
        let h = t.dense(x);
        let h = t.relu(h);
        let f = t.named(dense(WIDE, false), "twin", &[h]);
        let f = t.relu(f);
        let back = Dense { outputs: WIDE, bias: false, transposed: true, into_recurrence: false };
        let h = t.named(Op::Dense(back), "twin", &[f]);
        t.logits(h)
    });
    assert_eq!((line, why), (1, GiaViolation::Transpose("twin.weight".to_owned())));
    let (line, why) = broken(|t, x| {
        let x = t.flat(x);
        let h = t.named(dense(32, false), "tied", &[x]);
        let h = t.relu(h);
        let h = t.named(dense(32, false), "tied", &[h]);
        t.moved(Rearrange::Slice { axis: 0, start: 0, end: 3 }, h)
    });
    assert_eq!((line, why), (3, GiaViolation::ReadOutShared("tied.weight".to_owned())));
    let (line, why) = broken(|t, x| {
        let x = t.flat(x);
        let h = t.dense(x);
        let h = t.relu(h);
        let out = t.logits(h);
        let f = t.relu(out);
        let f = t.logits(f);
        t.add(out, f)
    });
    assert_eq!((line, why), (2, GiaViolation::ReadOutInside("layer4".to_owned())));
}
