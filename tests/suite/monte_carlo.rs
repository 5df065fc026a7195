//! The kernels of infinite width against random networks: what has no reference of its own is checked by averaging.
//!
//! The mean M_n of the exact kernels of S random networks of width n is off by O(1/n), so that 2 M_2n − M_n is off by O(1/n²)
//! only, with a standard error that the networks themselves tell. The criterion: ‖2 M_2n − M_n − Θ̊‖ is at most three times the
//! norm of that standard error, which is at most 5 % of ‖Θ̊‖; the limit of another network must not pass.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use kernelscope::model::Network;
use kernelscope::ntk::{Reduction, Request, layerwise};
use kernelscope::spec::ops::{
    Attention, ClassToken, Concat, Conv, LayerScale, NormKind, Op, Patches, Positions, Scale,
};
use kernelscope::spec::{Activation, NetworkSpec, Parametrisation, Program, Value};
use kernelscope::theory::InfiniteNetwork;

use super::kernel::noise;
use super::tensor_program::Text;

const IMAGE: [usize; 3] = [2, 4, 4];
const SAMPLES: usize = 4;
const LOGITS: usize = 4;

/// A network at a width: its program and how it is parametrised.
type At<'a> = &'a dyn Fn(usize) -> (Arc<Program>, NetworkSpec);

/// Mean and squared standard error of each entry of the kernel over random networks.
fn mean((program, spec): (Arc<Program>, NetworkSpec), images: &Tensor<2>, networks: usize) -> (Vec<f64>, Vec<f64>) {
    let size = SAMPLES * SAMPLES;
    let (mut sum, mut squares) = (vec![0.0; size], vec![0.0; size]);
    for seed in 0..networks {
        let network = Network::of(Arc::clone(&program), &spec, 1000 + seed as u64, &Device::flex());
        let request = Request::of(Reduction::Trace);
        let kernel = layerwise::measure(&network, images, None, &request, &|| false).unwrap().values;
        for (at, value) in kernel.into_iter().enumerate() {
            sum[at] += value;
            squares[at] += value * value;
        }
    }
    let s = networks as f64;
    let mean: Vec<f64> = sum.iter().map(|sum| sum / s).collect();
    let variance = |(square, mean): (&f64, &f64)| (square / s - mean * mean) / (s - 1.0);
    let errors = squares.iter().zip(&mean).map(variance).collect();
    (mean, errors)
}

fn limit(program: &Program, spec: &NetworkSpec, images: &Tensor<2>) -> Vec<f64> {
    let limit = InfiniteNetwork::of_program(program, spec).unwrap();
    let images: Vec<f64> = images.clone().into_data().iter::<f64>().collect();
    limit.own(&limit.points(&images), &|| false).unwrap().ntk
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// The mean of random networks of a width and of twice it must agree with their limit, and not with that of another network.
fn agrees(name: &str, width: usize, network: At<'_>) {
    const NETWORKS: usize = 100;
    let images = noise(SAMPLES, IMAGE.iter().product(), 7);
    let [(narrow, narrow_error), (wide, wide_error)] =
        [width, 2 * width].map(|width| mean(network(width), &images, NETWORKS));
    let error = wide_error.iter().zip(&narrow_error).map(|(wide, narrow)| 4.0 * wide + narrow).sum::<f64>().sqrt();
    let far = |limit: &[f64]| {
        let both = wide.iter().zip(&narrow).zip(limit);
        norm(both.map(|((wide, narrow), limit)| 2.0 * wide - narrow - limit)) / error
    };
    let (program, spec) = network(width);
    let other = NetworkSpec { sigma_w: 1.1 * spec.sigma_w, ..spec.clone() };
    let [own, others] = [spec, other].map(|spec| limit(&program, &spec, &images));
    let (far, others, error) = (far(&own), far(&others), error / norm(own.iter().copied()));
    println!("{name}: {far:.2} standard errors of {error:.4}; another network's limit {others:.1}");
    assert!(error <= 0.05, "{name}: a standard error of {error} says nothing");
    assert!(far <= 3.0, "{name}: {far} standard errors of {error}");
    assert!(others > 3.0, "{name}: the limit of another network is only {others} standard errors away");
}

#[test]
fn random_networks_agree_with_their_limit_within_their_own_error() {
    let base = NetworkSpec {
        parametrisation: Parametrisation::Ntk,
        width: 128.into(),
        sigma_w: 1.3,
        sigma_b: 0.3,
        ..NetworkSpec::default()
    };
    let mlp = |activation| NetworkSpec { activation, ..base.clone() };
    let other = |program: &str| NetworkSpec { program: program.to_owned(), ..base.clone() };
    let cnn = |head: &str, activation| {
        NetworkSpec { width: 32.into(), activation, ..other("cnn") }.with("pool", "none").with("head", head)
    };
    let resmlp = |norm: &str| other("resmlp").with("blocks", 2).with("norm", norm);
    let transformer = NetworkSpec { activation: Activation::Gelu, ..other("transformer") };
    let transformer = transformer.with("blocks", 1).with("heads", 1).with("patch", 2);
    let rnn = |activation| NetworkSpec { activation, ..other("rnn") };
    let networks = [
        ("mlp relu", mlp(Activation::Relu)),
        ("mlp erf", mlp(Activation::Erf)),
        ("mlp gelu", mlp(Activation::Gelu)),
        ("mlp tanh", mlp(Activation::Tanh)),
        ("mlp layernorm", mlp(Activation::Relu).with("norm", "layer")),
        ("resmlp layernorm", resmlp("layer")),
        ("resmlp", resmlp("none")),
        ("cnn flatten", cnn("flatten", Activation::Relu)),
        ("cnn mean", cnn("mean", Activation::Erf)),
        ("cnn avg", cnn("flatten", Activation::Relu).with("pool", "avg")),
        ("rnn relu", rnn(Activation::Relu)),
        ("rnn tanh", rnn(Activation::Tanh)),
        ("transformer", transformer),
    ];
    for (name, spec) in networks {
        agrees(name, spec.nominal(), &|width| of(&NetworkSpec { width: width.into(), ..spec.clone() }));
    }
}

fn of(spec: &NetworkSpec) -> (Arc<Program>, NetworkSpec) {
    (spec.program(IMAGE, LOGITS).unwrap(), spec.clone())
}

#[test]
fn so_do_networks_of_the_library() {
    let text = |program: &str| NetworkSpec {
        parametrisation: Parametrisation::Ntk,
        sigma_w: 1.3,
        sigma_b: 0.3,
        ..NetworkSpec::of(program)
    };
    let networks = [
        ("layer_scale", 128, text("layer_scale").with("start", 0.7)),
        ("gated_mlp", 128, text("gated_mlp").with("blocks", 1)),
        ("vit_tiny", 64, text("vit_tiny").with("blocks", 1).with("heads", 1).with("patch", 2)),
        ("convnext", 48, text("convnext").with("blocks", 1).with("patch", 2).with("start", 0.8)),
    ];
    for (name, width, spec) in networks {
        agrees(name, width, &|width| of(&NetworkSpec { width: width.into(), ..spec.clone() }));
    }
}

#[test]
fn so_do_programs_of_what_has_no_other_reference() {
    let spec =
        NetworkSpec { parametrisation: Parametrisation::Ntk, sigma_w: 1.3, sigma_b: 0.3, ..NetworkSpec::default() };
    let program = |width: usize, write: fn(&mut Text, Value, usize) -> Value| {
        let program = Text::of(IMAGE, LOGITS, |text, x| {
            let h = write(text, x, width);
            text.affine(LOGITS, true, h)
        });
        (Arc::new(program), spec.clone())
    };
    // Holes, strides, groups, statistics of batches at their beginning, branches beside each other before a function.
    agrees("convolutions", 24, &|width| {
        program(width, |t, x, width| {
            let conv = |channels, dilation, groups| {
                let (kernel, stride, padding) = ([2, 3], [1, 2], [1, 2]);
                Op::Conv(Conv { channels, kernel, stride, padding, dilation: [dilation; 2], groups, bias: true })
            };
            let a = t.line(conv(width, 1, 1), &[x]);
            let a = t.norm(NormKind::Batch, a);
            let b = t.act(Activation::Relu, a);
            let b = t.line(conv(2 * width, 1, 2), &[b]);
            let c = t.line(conv(width, 1, 1), &[a]);
            let h = t.line(Op::Concat(Concat { axis: 0 }), &[b, c]);
            let h = t.norm(NormKind::Group { groups: 1 }, h);
            let h = t.act(Activation::Erf, h);
            let h = t.line(conv(width, 2, 1), &[h]);
            t.mean(h)
        })
    });
    agrees("masked tokens", 64, &|width| {
        program(width, |t, x, width| {
            let tokens = t.line(Op::Patches(Patches { side: 2 }), &[x]);
            let h = t.affine(width, true, tokens);
            let h = t.line(Op::ClassToken(ClassToken), &[h]);
            let h = t.line(Op::Positions(Positions), &[h]);
            let [q, k, v] = [h; 3].map(|h| t.affine(width, true, h));
            let f = t.line(Op::Attention(Attention { heads: 1, masked: true }), &[q, k, v]);
            let f = t.line(Op::LayerScale(LayerScale { start: 0.6 }), &[f]);
            // A function right behind a layer scale has no limit: a layer is between.
            let f = t.affine(width, true, f);
            let h = t.add(h, f);
            let h = t.act(Activation::Tanh, h);
            t.mean(h)
        })
    });
    // 1 + tanh as a gate, and three times a branch.
    agrees("gates", 128, &|width| {
        program(width, |t, x, width| {
            let x = t.flat(x);
            let h = t.affine(width, true, x);
            let gate = t.affine(width, true, x);
            let gate = t.act(Activation::Tanh, gate);
            let gate = t.line(Op::Scale(Scale { by: 0.5, plus: 1.0 }), &[gate]);
            let f = t.times(h, gate);
            let f = t.affine(width, true, f);
            let twice = t.add(f, f);
            let h = t.add(h, twice);
            let h = t.act(Activation::Silu, h);
            let h = t.affine(width, true, h);
            t.add(h, f)
        })
    });
}
