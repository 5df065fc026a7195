//! The networks compute what their descriptions say: written out in f64, row by row, from the tensors of their weights files.

use std::collections::HashMap;

use burn::tensor::Device;
use kernelscope::model::Network;
use kernelscope::spec::{Activation, NetworkSpec, Parametrisation, Spec};

use super::kernel::noise;
use super::run::rows;
use super::tiny;

/// Channels, height, width.
const IMAGE: [usize; 3] = [2, 4, 3];

/// The tensors of a network by name, and how an affine layer of so many inputs scales its weight and bias.
struct Weights {
    tensors: HashMap<String, Vec<f64>>,
    gains: Box<dyn Fn(usize) -> (f64, f64)>,
}

impl Weights {
    fn of(spec: &NetworkSpec, network: &Network) -> Self {
        let named = network.named().into_iter();
        let tensors = named.map(|tensor| (tensor.name, tensor.values.into_iter().map(f64::from).collect())).collect();
        let (ntk, sigmas) = (spec.parametrisation == Parametrisation::Ntk, (spec.sigma_w, spec.sigma_b));
        let gains = move |fan_in: usize| if ntk { (sigmas.0 / (fan_in as f64).sqrt(), sigmas.1) } else { (1.0, 1.0) };
        Self { tensors, gains: Box::new(gains) }
    }

    /// c_w W x + c_b b, with a weight as files hold it, [out, in].
    fn affine(&self, weight: &str, bias: Option<&str>, x: &[f64]) -> Vec<f64> {
        let (of_weight, of_bias) = (self.gains)(x.len());
        let rows = self.tensors[weight].chunks_exact(x.len());
        let bias = |at: usize| bias.map_or(0.0, |bias| of_bias * self.tensors[bias][at]);
        let dot = |row: &[f64]| row.iter().zip(x).map(|(a, b)| a * b).sum::<f64>();
        rows.enumerate().map(|(at, row)| of_weight * dot(row) + bias(at)).collect()
    }

    fn layer(&self, name: &str, x: &[f64]) -> Vec<f64> {
        self.affine(&format!("{name}.weight"), Some(&format!("{name}.bias")), x)
    }
}

/// (x − mean)/√(variance + ε), with gains 1 and biases 0, as they begin.
fn layer_norm(x: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    x.iter().map(|value| (value - mean) / (variance + 1e-5).sqrt()).collect()
}

fn plus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn relu(x: &[f64]) -> Vec<f64> {
    x.iter().map(|value| value.max(0.0)).collect()
}

#[test]
fn networks_compute_what_their_descriptions_say() {
    let narrow = |program| NetworkSpec { width: 16.into(), ..NetworkSpec::named(program) };
    let normed = narrow("mlp").with("depth", 2).with("norm", "layer");
    let residual = narrow("resmlp").with("blocks", 2).with("norm", "none");
    let recurrent = NetworkSpec { activation: Activation::Tanh, ..narrow("rnn") };
    type By = fn(&Weights, &[f64]) -> Vec<f64>;
    let networks: [(NetworkSpec, By); 3] = [
        (normed, |net, image| {
            let hidden = relu(&layer_norm(&net.layer("fc1", image)));
            net.layer("fc3", &relu(&layer_norm(&net.layer("fc2", &hidden))))
        }),
        (residual, |net, image| {
            let embedded = net.layer("embed", image);
            let first = plus(&embedded, &net.layer("blocks.0.fc", &relu(&embedded)));
            let second = plus(&first, &net.layer("blocks.1.fc", &relu(&first)));
            net.layer("head", &relu(&second))
        }),
        (recurrent, |net, image| {
            let [channels, height, width] = IMAGE;
            let mut state = vec![0.0; 16];
            for row in 0..height {
                let of = |channel: usize| &image[(channel * height + row) * width..][..width];
                let read = (0..channels).flat_map(of).copied().collect::<Vec<f64>>();
                let fresh = net.affine("rnn.weight_ih", Some("rnn.bias_ih"), &read);
                let sum = plus(&fresh, &net.affine("rnn.weight_hh", None, &state));
                state = sum.iter().map(|value| value.tanh()).collect();
            }
            net.layer("head", &state)
        }),
    ];
    for (spec, by_hand) in networks {
        for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
            let spec = NetworkSpec { parametrisation, ..spec.clone() };
            let network = Network::new(&spec, 3, IMAGE, 4, &Device::flex());
            let weights = Weights::of(&spec, &network);
            let images = noise(3, IMAGE.iter().product(), 5);
            let found: Vec<f64> = network.forward(images.clone()).into_data().iter().collect();
            let pixels: Vec<f64> = images.into_data().iter().collect();
            let expected: Vec<f64> = pixels.chunks_exact(24).flat_map(|image| by_hand(&weights, image)).collect();
            let most = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
            let gap = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(most > 0.05 && gap < 3e-6 * most.max(1.0), "{:?}, {parametrisation:?}: {gap:e}", spec.program);
        }
    }
}

/// α √(alpha_width/width) is the laziness wherever α was: the run is that of this α, bit for bit.
#[test]
fn the_laziness_of_a_width_is_a_laziness() {
    let run = |change: &[&str]| {
        let mut spec: Spec = tiny();
        change.iter().for_each(|change| spec.set(change).unwrap());
        rows(spec)
    };
    // Width 16: α = √(64/16) = 2, and 3 √(64/16) = 6.
    assert_eq!(run(&["network.alpha_width=64"]), run(&["network.alpha=2.0"]));
    assert_eq!(run(&["network.alpha_width=64", "network.alpha=3.0"]), run(&["network.alpha=6.0"]));
}
