//! The kernels of infinite width against random networks: what has no reference of its own is checked by averaging.
//!
//! The mean M_n of the exact kernels of S random networks of width n is off by O(1/n), so that 2 M_2n − M_n is off by O(1/n²)
//! only, with a standard error that the networks themselves tell. The criterion: ‖2 M_2n − M_n − Θ̊‖ is at most three times the
//! norm of that standard error, which is at most 5 % of ‖Θ̊‖; the limit of another network must not pass.

use burn::tensor::{Device, Tensor};
use kernelscope::model::Network;
use kernelscope::ntk::{Reduction, Request, layerwise};
use kernelscope::spec::{Activation, NetworkSpec, Parametrisation};
use kernelscope::theory::Infinite;

use super::kernel::noise;

const IMAGE: [usize; 3] = [2, 4, 4];
const SAMPLES: usize = 4;
const LOGITS: usize = 4;

/// Mean and squared standard error of each entry of the kernel over random networks.
fn mean(spec: &NetworkSpec, images: &Tensor<2>, networks: usize) -> (Vec<f64>, Vec<f64>) {
    let size = SAMPLES * SAMPLES;
    let (mut sum, mut squares) = (vec![0.0; size], vec![0.0; size]);
    for seed in 0..networks {
        let network = Network::new(spec, 1000 + seed as u64, IMAGE, LOGITS, &Device::flex());
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

fn limit(spec: &NetworkSpec, images: &Tensor<2>) -> Vec<f64> {
    let limit = Infinite::of(spec, IMAGE).unwrap();
    let images: Vec<f64> = images.clone().into_data().iter::<f64>().collect();
    limit.own(&limit.points(&images), &|| false).unwrap().ntk
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// How far the extrapolated mean is from a limit, in standard errors; and the standard error relative to the limit.
fn deviation(spec: &NetworkSpec, networks: usize, limits: &[&NetworkSpec]) -> (Vec<f64>, f64) {
    let images = noise(SAMPLES, IMAGE.iter().product(), 7);
    let wide = NetworkSpec { width: 2 * spec.width, ..spec.clone() };
    let ((narrow, narrow_error), (wide, wide_error)) = (mean(spec, &images, networks), mean(&wide, &images, networks));
    let error = wide_error.iter().zip(&narrow_error).map(|(wide, narrow)| 4.0 * wide + narrow).sum::<f64>().sqrt();
    let far = |limit: &[f64]| {
        let both = wide.iter().zip(&narrow).zip(limit);
        norm(both.map(|((wide, narrow), limit)| 2.0 * wide - narrow - limit)) / error
    };
    let kernels: Vec<Vec<f64>> = limits.iter().map(|spec| limit(spec, &images)).collect();
    (kernels.iter().map(|kernel| far(kernel)).collect(), error / norm(kernels[0].iter().copied()))
}

#[test]
fn random_networks_agree_with_their_limit_within_their_own_error() {
    let base = NetworkSpec {
        parametrisation: Parametrisation::Ntk,
        width: 128,
        sigma_w: 1.3,
        sigma_b: 0.3,
        ..NetworkSpec::default()
    };
    let mlp = |activation| NetworkSpec { activation, ..base.clone() };
    let other = |program: &str| NetworkSpec { program: program.to_owned(), ..base.clone() };
    let cnn = |head: &str, activation| {
        NetworkSpec { width: 32, activation, ..other("cnn") }.with("pool", "none").with("head", head)
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
        let other = NetworkSpec { sigma_w: 1.1 * spec.sigma_w, ..spec.clone() };
        let (far, error) = deviation(&spec, 100, &[&spec, &other]);
        println!("{name}: {:.2} standard errors of {error:.4}; another network's limit {:.1}", far[0], far[1]);
        assert!(error <= 0.05, "{name}: a standard error of {error} says nothing");
        assert!(far[0] <= 3.0, "{name}: {} standard errors of {error}", far[0]);
        assert!(far[1] > 3.0, "{name}: the limit of another network is only {} standard errors away", far[1]);
    }
}
