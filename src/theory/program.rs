//! A network as the list of steps that its kernel goes through: what the description of a network yields, layer by layer.
//!
//! The steps follow the forward pass of `model`, so each one's rule is said once and any composition of them has a kernel.
//! Where a network has no closed form in the limit, the reason is one sentence with the way out.

use thiserror::Error;

use crate::spec::{Activation, Init, NetworkSpec, Parametrisation, Setting};

/// What happens to the covariance K = E h h′ and to the kernel Θ of each pair of places of each pair of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// z = W h + b: K ← w K + b, Θ ← g_w K + g_b + w Θ.
    Affine(Gains),
    /// h = φ(z): K ← κ, Θ ← κ′ Θ.
    Activation(Activation),
    /// K and Θ over √((q₁ + ε)(q₂ + ε)).
    Norm,
    /// Mean over the 3 × 3 patches around two places, zeros outside.
    Patches,
    /// Mean over squares of 2 × 2 places.
    Pool,
    /// Mean over equal places: what a dense layer on the flattened image sees.
    Flatten,
    /// Mean over all pairs of places.
    Mean,
    /// The same, at every place again: attention whose scores vanish.
    Attend,
    /// What is added to each place, by itself: so much to K and so much to Θ.
    Offset(f64, f64),
    /// Keeps K and Θ for the residual connection that ends at the next [`Step::Add`].
    Keep,
    /// Adds what was kept: branches are independent.
    Add,
    /// hₜ = φ(W hₜ₋₁ + aₜ), place after place; the last one is left.
    Recur(Gains, Activation),
}

/// Of an affine layer: variances of weights (times the fan-in) and biases, and their squared gains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gains {
    pub weight: f64,
    pub bias: f64,
    pub weight_kernel: f64,
    pub bias_kernel: f64,
}

/// How the numbers of an image are laid out as places with features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// One, with everything.
    Whole,
    /// Pixels, with channels.
    Pixels,
    /// Square patches of this side.
    Tokens(usize),
    /// Rows from top to bottom.
    Rows,
}

/// Why a network has no kernel in the limit that could be written down; each prints as one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoLimit {
    #[error(
        "the maximum over pixels has no closed form in the infinite-width limit: take network.pool = \"none\" or \"avg\""
    )]
    MaxPool,
    #[error(
        "in the standard parametrisation attention stays random at infinite width: take network.parametrisation = \"ntk\""
    )]
    Attention,
    #[error(
        "in the standard parametrisation the kernel grows with the width without end: take network.parametrisation = \
         \"ntk\", or a finite width"
    )]
    Standard,
    #[error(
        "with network.alpha_width the laziness falls with the width: at infinite width features are learnt, and no kernel \
         says how"
    )]
    MeanField,
}

/// The layout of the inputs and the steps of a network for images [channels, height, width].
pub(super) fn program(network: &NetworkSpec, image: [usize; 3]) -> Result<(Places, Vec<Step>), NoLimit> {
    if !network.parametrisation.is_ntk() && network.is_infinite() {
        return Err(NoLimit::Standard);
    }
    let act = Step::Activation(network.activation);
    let affine = |fan_in| Step::Affine(gains(network, fan_in));
    let (width, inputs) = (network.width, image.iter().product());
    let twice = width.saturating_mul(2);
    let count = |name| count(network, name);
    Ok(match network.program.as_str() {
        "mlp" => {
            let mut steps = vec![affine(inputs)];
            for _ in 0..count("depth") {
                steps.extend(is(network, "norm", "layer").then_some(Step::Norm));
                steps.extend([act, affine(width)]);
            }
            (Places::Whole, steps)
        }
        "resmlp" if is(network, "norm", "none") => {
            let mut steps = vec![affine(inputs)];
            (0..count("blocks")).for_each(|_| steps.extend([Step::Keep, act, affine(width), Step::Add]));
            steps.extend([act, affine(width)]);
            (Places::Whole, steps)
        }
        "resmlp" => {
            let mut steps = vec![affine(inputs)];
            (0..count("blocks")).for_each(|_| steps.extend(think(act, affine(width), affine(twice))));
            steps.extend([Step::Norm, affine(width)]);
            (Places::Whole, steps)
        }
        "cnn" => (Places::Pixels, convolutions(network, image)?),
        "transformer" => {
            if !network.parametrisation.is_ntk() {
                return Err(NoLimit::Attention);
            }
            let (variance, gain) = offset(network);
            let mut steps = vec![affine(image[0] * count("patch") * count("patch")), Step::Offset(variance, gain)];
            for _ in 0..count("blocks") {
                // Scores q·k/d_head of independent weights vanish, so every token attends to all alike, and the gradients
                // of q and k vanish with them.
                steps.extend([Step::Keep, Step::Norm, affine(width), Step::Attend, affine(width), Step::Add]);
                steps.extend(think(act, affine(width), affine(twice)));
            }
            steps.extend([Step::Norm, Step::Mean, affine(width)]);
            (Places::Tokens(count("patch")), steps)
        }
        _ => {
            let recurrent = Gains { bias: 0.0, bias_kernel: 0.0, ..gains(network, width) };
            let steps = vec![affine(image[0] * image[2]), Step::Recur(recurrent, network.activation), affine(width)];
            (Places::Rows, steps)
        }
    })
}

/// h += W₂ φ(W₁ LayerNorm(h)).
fn think(act: Step, first: Step, second: Step) -> [Step; 6] {
    [Step::Keep, Step::Norm, first, act, second, Step::Add]
}

fn convolutions(network: &NetworkSpec, image: [usize; 3]) -> Result<Vec<Step>, NoLimit> {
    let act = Step::Activation(network.activation);
    let mut channels = image[0];
    let mut steps = Vec::new();
    let (width, twice) = (network.width, network.width.saturating_mul(2));
    let behind: &[usize] = if count(network, "depth") == 2 { &[width, twice] } else { &[width, width, twice, twice] };
    let mut places = image[1] * image[2];
    for (place, &out) in behind.iter().enumerate() {
        steps.extend([Step::Patches, Step::Affine(gains(network, channels.saturating_mul(9))), act]);
        channels = out;
        if (place + 1) % (behind.len() / 2) == 0 {
            if is(network, "pool", "max") {
                return Err(NoLimit::MaxPool);
            }
            if is(network, "pool", "avg") {
                steps.push(Step::Pool);
                places /= 4;
            }
        }
    }
    let mean = is(network, "head", "mean");
    let (read, fan_in) = if mean { (Step::Mean, channels) } else { (Step::Flatten, channels.saturating_mul(places)) };
    steps.extend([read, Step::Affine(gains(network, fan_in))]);
    Ok(steps)
}

/// NTP: W and b are N(0,1) behind the gains σ_w/√fan_in and σ_b. SP: as `network.init` draws them, with no gain, so that the
/// kernel counts the fan-in (Sohl-Dickstein et al. 2020, eq. 8).
fn gains(network: &NetworkSpec, fan_in: usize) -> Gains {
    match network.parametrisation {
        Parametrisation::Ntk => {
            let (weight, bias) = (network.sigma_w.powi(2), network.sigma_b.powi(2));
            Gains { weight, bias, weight_kernel: weight, bias_kernel: bias }
        }
        Parametrisation::Standard => {
            let fan_in = fan_in as f64;
            let weight = match network.init {
                Init::Torch => 1.0 / 3.0,
                Init::HeUniform => 2.0,
            };
            Gains { weight, bias: 1.0 / (3.0 * fan_in), weight_kernel: fan_in, bias_kernel: 1.0 }
        }
    }
}

fn count(network: &NetworkSpec, name: &str) -> usize {
    match network.setting(name) {
        Some(Setting::Whole(number)) => usize::try_from(number).unwrap_or(0),
        _ => 0,
    }
}

fn is(network: &NetworkSpec, name: &str, word: &str) -> bool {
    network.setting(name) == Some(Setting::Word(word.to_owned()))
}

/// Variance and squared gain of a learned position.
fn offset(network: &NetworkSpec) -> (f64, f64) {
    let gain = network.sigma_b.powi(2);
    (gain, gain)
}
