//! The network of a run: its kind, its sizes, how it is parametrised, and what forbids it.
//!
//! One set of fields serves all kinds; each says whose it is. A kind's other fields are not looked at, so that a change of kind
//! never trips over a field that is not on the screen.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::Activation;
use super::validate::{Problem, problem};
use super::{DataShape, Spec};

/// The network and how it is parametrised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSpec {
    pub kind: NetworkKind,
    /// `mlp`: units of each hidden layer. `cnn`: channels before the first pooling, twice as many after it. `resmlp`,
    /// `transformer`: units of the residual stream; the layer inside a block has twice as many. `rnn`: units of the state.
    #[serde(with = "width")]
    pub width: usize,
    /// `mlp`: hidden layers. `cnn`: convolutions, 2 or 4. Else unused.
    pub depth: usize,
    /// `resmlp`, `transformer`: residual blocks.
    pub blocks: usize,
    /// `transformer`: attention heads, which share the width.
    pub heads: usize,
    /// `transformer`: side of the square patches that become tokens, in pixels.
    pub patch: usize,
    /// `cnn`: what a 2 × 2 square of pixels becomes, if anything.
    pub pool: Pool,
    /// `cnn`: what the last layer reads. (A transformer's reads the mean over tokens.)
    pub head: Head,
    pub activation: Activation,
    /// `mlp`, `resmlp`: LayerNorm or none; absent: what the kind usually has. Ask [`NetworkSpec::norm`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm: Option<Norm>,
    pub parametrisation: Parametrisation,
    /// Initial weights in the standard parametrisation; the NTK parametrisation draws N(0,1).
    pub init: Init,
    /// NTK parametrisation: z = σ_w/√fan_in · W x + σ_b b.
    pub sigma_w: f64,
    pub sigma_b: f64,
    /// Laziness: when given, F = α (f − f₀) is trained at the rate η/α² (Chizat et al. 2019). Large α is lazy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// When given, the laziness is α √(alpha_width/width), α = 1 where none is given: the mean-field scaling, and µP for SGD
    /// (Yang & Hu 2021; Chizat et al. 2019). Features then move at every width. Ask [`NetworkSpec::laziness`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha_width: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKind {
    /// Dense layers with an activation between them.
    Mlp,
    /// 3 × 3 convolutions with zero padding, pooled twice or never; without normalisation.
    Cnn,
    /// A residual stream to which each block adds W₂ φ(W₁ LayerNorm(h)); without LayerNorm, W φ(h).
    ResMlp,
    /// Patches as tokens; each block adds multi-head attention without a mask, then what a `resmlp` block adds.
    Transformer,
    /// The rows of the image, one after the other: h_t = φ(W_h h_{t−1} + W_x x_t + b), read out behind the last.
    Rnn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// LayerNorm, per sample: before each activation of an `mlp`, before each block and the head of a residual network.
    Layer,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// Its largest value.
    Max,
    /// Its mean.
    Avg,
    /// Nothing: the image keeps its size.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Every channel at every pixel.
    Flatten,
    /// Every channel's mean over pixels.
    Mean,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parametrisation {
    /// SP: z = W x + b, weights drawn by `init`.
    Standard,
    /// NTP: z = σ_w/√fan_in · W x + σ_b b, everything drawn N(0,1) (Jacot et al. 2018).
    Ntk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// PyTorch's default for `Linear`: weights and biases uniform in ±1/√fan_in.
    Torch,
    /// Weights uniform in ±√(6/fan_in), biases uniform in ±1/√fan_in.
    HeUniform,
}

impl Default for NetworkSpec {
    fn default() -> Self {
        Self {
            kind: NetworkKind::Mlp,
            width: 256,
            depth: 2,
            blocks: 2,
            heads: 4,
            patch: 7,
            pool: Pool::Max,
            head: Head::Flatten,
            activation: Activation::Relu,
            norm: None,
            parametrisation: Parametrisation::Standard,
            init: Init::HeUniform,
            sigma_w: std::f64::consts::SQRT_2,
            sigma_b: 0.1,
            alpha: None,
            alpha_width: None,
        }
    }
}

impl NetworkSpec {
    /// A network of this kind with its usual sizes (for 28 × 28 images), which are those of the published fixtures.
    pub fn of(kind: NetworkKind) -> Self {
        let base = Self { kind, ..Self::default() };
        match kind {
            NetworkKind::Mlp => base,
            NetworkKind::Cnn => Self { width: 16, ..base },
            NetworkKind::ResMlp => Self { width: 128, blocks: 3, ..base },
            NetworkKind::Transformer => Self { width: 64, activation: Activation::Gelu, ..base },
            NetworkKind::Rnn => Self { width: 128, activation: Activation::Tanh, ..base },
        }
    }

    /// Its normalisation, given or usual.
    pub fn norm(&self) -> Norm {
        self.norm.unwrap_or(match self.kind {
            NetworkKind::ResMlp | NetworkKind::Transformer => Norm::Layer,
            NetworkKind::Mlp | NetworkKind::Cnn | NetworkKind::Rnn => Norm::None,
        })
    }

    /// The laziness α at this width; none where f itself is trained.
    pub fn laziness(&self) -> Option<f64> {
        let Some(base) = self.alpha_width else { return self.alpha };
        Some(self.alpha.unwrap_or(1.0) * (base as f64 / self.width as f64).sqrt())
    }

    /// (c_w, c_b) of z = c_w W x + c_b b in a layer of this fan-in.
    pub fn gains(&self, fan_in: usize) -> (f64, f64) {
        match self.parametrisation {
            Parametrisation::Standard => (1.0, 1.0),
            Parametrisation::Ntk => (self.sigma_w / (fan_in as f64).sqrt(), self.sigma_b),
        }
    }

    /// The width that stands for this one in a description: itself, or where it is infinite one that most numbers of heads and
    /// groups divide.
    pub fn nominal(&self) -> usize {
        const DIVISIBLE: usize = 840;
        if self.is_infinite() { DIVISIBLE } else { self.width.min(*self.widths().end()) }
    }

    /// Its layers from the images to the logits, as weights files name them; a block counts as one. The last one is the head.
    pub fn parts(&self) -> Vec<String> {
        let numbered = |name: &str, count: usize| (1..=count).map(|place| format!("{name}{place}")).collect::<Vec<_>>();
        let blocks = (0..self.blocks).map(|place| format!("blocks.{place}"));
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        match (self.kind, self.norm()) {
            (NetworkKind::Mlp, Norm::None) => numbered("fc", self.depth + 1),
            (NetworkKind::Mlp, Norm::Layer) => {
                let hidden = (1..=self.depth).flat_map(|place| [format!("fc{place}"), format!("ln{place}")]);
                hidden.chain([format!("fc{}", self.depth + 1)]).collect()
            }
            (NetworkKind::Cnn, _) => [numbered("conv", self.depth), named(&["fc"])].concat(),
            (NetworkKind::ResMlp, Norm::None) => [named(&["embed"]), blocks.collect(), named(&["head"])].concat(),
            (NetworkKind::ResMlp, Norm::Layer) => {
                [named(&["embed"]), blocks.collect(), named(&["ln_f", "head"])].concat()
            }
            (NetworkKind::Transformer, _) => {
                [named(&["embed", "pos"]), blocks.collect(), named(&["ln_f", "head"])].concat()
            }
            (NetworkKind::Rnn, _) => named(&["rnn", "head"]),
        }
    }

    /// Whether this is the infinite-width limit.
    pub fn is_infinite(&self) -> bool {
        self.width == INFINITE
    }

    /// What forbids this network on images [channels, height, width].
    pub fn check(&self, image: [usize; 3]) -> Vec<Problem> {
        let mut found = Vec::new();
        self.problems(&DataShape { image, ..DataShape::expected(&Spec::default()) }, &mut found);
        found
    }

    /// Widths that a network of this kind can have, beside the infinite one.
    pub fn widths(&self) -> RangeInclusive<usize> {
        match self.kind {
            NetworkKind::Cnn => 4..=1024,
            NetworkKind::Mlp | NetworkKind::ResMlp | NetworkKind::Transformer | NetworkKind::Rnn => 16..=8192,
        }
    }

    /// What forbids this network on images of this shape. Fields that its kind does not use are not looked at.
    pub(super) fn problems(&self, shape: &DataShape, found: &mut Vec<Problem>) {
        let (low, high) = self.widths().into_inner();
        if !self.widths().contains(&self.width) && !self.is_infinite() {
            let message = format!("the width must lie between {low} and {high}, or be inf, not {}", self.width);
            found.push(problem("network.width", message));
        }
        match self.kind {
            NetworkKind::Mlp => {
                if !DEPTHS.contains(&self.depth) {
                    let (low, high) = DEPTHS.into_inner();
                    let message = format!("there can be {low} to {high} hidden layers, not {}", self.depth);
                    found.push(problem("network.depth", message));
                }
            }
            NetworkKind::Cnn => self.convolution_problems(shape, found),
            NetworkKind::ResMlp => self.block_problems(found),
            NetworkKind::Transformer => {
                self.block_problems(found);
                self.token_problems(shape, found);
            }
            NetworkKind::Rnn => {}
        }
        self.norm_problems(found);
        for (field, sigma, low) in
            [("network.sigma_w", self.sigma_w, LEAST_SIGMA), ("network.sigma_b", self.sigma_b, 0.0)]
        {
            if !(low..=100.0).contains(&sigma) {
                found.push(problem(field, format!("the scale must be a number between {low} and 100")));
            }
        }
        if self.alpha.is_some_and(|alpha| !(1e-3..=1e3).contains(&alpha)) {
            found.push(problem("network.alpha", "the laziness α must lie between 0.001 and 1000"));
        }
        if self.alpha_width.is_some_and(|width| !(1..=1_000_000).contains(&width)) {
            found
                .push(problem("network.alpha_width", "the width at which α is given must lie between 1 and a million"));
        }
    }

    fn norm_problems(&self, found: &mut Vec<Problem>) {
        let message = match (self.kind, self.norm) {
            (NetworkKind::Cnn | NetworkKind::Rnn, Some(Norm::Layer)) => {
                "this kind of network has no normalisation: set norm to none, or take an mlp or a resmlp"
            }
            (NetworkKind::Transformer, Some(Norm::None)) => {
                "a transformer is always normalised: set norm to layer, or take a resmlp"
            }
            _ => return,
        };
        found.push(problem("network.norm", message));
    }

    fn convolution_problems(&self, shape: &DataShape, found: &mut Vec<Problem>) {
        if ![2, 4].contains(&self.depth) {
            let message = format!("a cnn has 2 or 4 convolutions, not {}", self.depth);
            found.push(problem("network.depth", message));
        }
        let [_, height, width] = shape.image;
        if self.pool != Pool::None && (height % 4 != 0 || width % 4 != 0) {
            let message = format!(
                "a cnn halves its images twice, and {height} × {width} does not divide by 4: take pool = \"none\" or another kind"
            );
            found.push(problem("network.kind", message));
        }
    }

    fn block_problems(&self, found: &mut Vec<Problem>) {
        if !BLOCKS.contains(&self.blocks) {
            let (low, high) = BLOCKS.into_inner();
            let message = format!("there can be {low} to {high} blocks, not {}", self.blocks);
            found.push(problem("network.blocks", message));
        }
    }

    fn token_problems(&self, shape: &DataShape, found: &mut Vec<Problem>) {
        if self.heads == 0 || !(self.is_infinite() || self.width.is_multiple_of(self.heads)) {
            let message = format!("the heads share the width, and {} does not divide {}", self.heads, self.width);
            found.push(problem("network.heads", message));
        }
        let [_, height, width] = shape.image;
        if self.patch == 0 || height % self.patch != 0 || width % self.patch != 0 {
            let message = format!("patches must tile the image, and {} does not divide {height} × {width}", self.patch);
            found.push(problem("network.patch", message));
        } else if self.tokens(shape.image) > MOST_TOKENS {
            let message = format!(
                "patches of side {} are {} tokens and at most {MOST_TOKENS} can attend to each other: take larger patches",
                self.patch,
                self.tokens(shape.image)
            );
            found.push(problem("network.patch", message));
        }
    }
}

/// The width of a network in the infinite-width limit, `inf` in run files.
pub const INFINITE: usize = usize::MAX;

/// A width in a run file: a whole number, or `inf`.
mod width {
    use serde::de::{Error, Unexpected, Visitor};
    use serde::{Deserializer, Serializer};

    use super::INFINITE;

    pub fn serialize<S: Serializer>(width: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        if *width == INFINITE {
            serializer.serialize_f64(f64::INFINITY)
        } else {
            serializer.serialize_u64(*width as u64)
        }
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(Width)
    }

    struct Width;

    impl Visitor<'_> for Width {
        type Value = usize;

        fn expecting(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            text.write_str("a whole number or inf")
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<usize, E> {
            usize::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<usize, E> {
            usize::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<usize, E> {
            if value == f64::INFINITY { Ok(INFINITE) } else { Err(E::invalid_value(Unexpected::Float(value), &self)) }
        }
    }
}

/// Weights of a smaller scale leave nothing of the images behind a few layers.
const LEAST_SIGMA: f64 = 1e-6;
/// Hidden layers.
pub const DEPTHS: RangeInclusive<usize> = 1..=6;
/// Residual blocks.
pub const BLOCKS: RangeInclusive<usize> = 1..=12;
/// Attention grows with the square of the tokens; a patch of 2 × 2 pixels of a colour image is the finest.
pub const MOST_TOKENS: usize = 256;
