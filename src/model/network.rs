//! Any of the networks: what the rest of the program trains and measures.

use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor};

use super::cnn::{Cnn, CnnKinds};
use super::draw::Draw;
use super::kind::{Head, NetworkKind, count, head, is, pool};
use super::mlp::Mlp;
use super::parameters;
use super::resmlp::{ResMlp, ResMlpSizes};
use super::rnn::Rnn;
use super::source::{Source, WeightsError};
use super::stored::Stored;
use super::tape::Tape;
use super::taps::Taps;
use super::transformer::{Transformer, TransformerSizes};
use crate::record::NamedTensor;
use crate::spec::{NetworkSpec, Said};

/// A network.
#[derive(Module, Debug)]
pub enum Network {
    Mlp(Mlp),
    Cnn(Cnn),
    ResMlp(ResMlp),
    Transformer(Transformer),
    Rnn(Rnn),
}

impl Network {
    /// The network of this spec for images [channels, height, width] and so many logits, with the initial weights of this
    /// seed.
    pub fn new(spec: &NetworkSpec, seed: u64, image: [usize; 3], classes: usize, device: &Device) -> Self {
        let mut draw = Draw::new(spec, seed);
        Self::build(spec, image, classes, &mut draw, device).expect("drawing values cannot fail")
    }

    fn build(
        spec: &NetworkSpec,
        image: [usize; 3],
        classes: usize,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let inputs = image.iter().product();
        let (width, blocks, activation) = (spec.width, count(spec, "blocks"), spec.activation);
        let normed = is(spec, "norm", "layer");
        Ok(match NetworkKind::of(spec) {
            NetworkKind::Mlp => {
                let mut sizes = vec![inputs];
                sizes.extend(std::iter::repeat_n(width, count(spec, "depth")));
                sizes.push(classes);
                Self::Mlp(Mlp::build(&sizes, normed, activation, source, device)?)
            }
            NetworkKind::Cnn => {
                let channels: &[usize] =
                    if count(spec, "depth") == 2 { &[width, 2 * width] } else { &[width, width, 2 * width, 2 * width] };
                let kinds = CnnKinds { activation, pool: pool(spec), head: head(spec) };
                Self::Cnn(Cnn::build(image, channels, classes, kinds, source, device)?)
            }
            NetworkKind::ResMlp => {
                let normed = normed.then_some(2 * width);
                let sizes = ResMlpSizes { inputs, width, normed, blocks, classes };
                Self::ResMlp(ResMlp::build(sizes, activation, source, device)?)
            }
            NetworkKind::Transformer => {
                let (patch, heads) = (count(spec, "patch"), count(spec, "heads"));
                let sizes = TransformerSizes { image, patch, width, heads, hidden: 2 * width, blocks, classes };
                Self::Transformer(Transformer::build(sizes, activation, source, device)?)
            }
            NetworkKind::Rnn => Self::Rnn(Rnn::build(image, [width, classes], activation, source, device)?),
        })
    }

    /// The network in the bytes of safetensors files, for images [channels, height, width], and what was done to read it, in
    /// words. Depths and widths are read from the shapes, not from the spec.
    ///
    /// # Errors
    /// When a tensor is missing, unknown, of another shape or type, or not finite, names it; or when the images do not fit, or the
    /// shapes contradict the spec.
    pub fn load(
        spec: &NetworkSpec,
        parts: &[Vec<u8>],
        image: [usize; 3],
        device: &Device,
    ) -> Result<(Self, Vec<String>), WeightsError> {
        let activation = spec.activation;
        let inputs = image.iter().product();
        let mut stored = Stored::open(parts, spec)?;
        let network = match NetworkKind::of(spec) {
            NetworkKind::Mlp => Self::Mlp(Mlp::load(inputs, activation, &mut stored, device)?),
            NetworkKind::Cnn => Self::Cnn(Cnn::load(image, (activation, pool(spec)), &mut stored, device)?),
            NetworkKind::ResMlp => Self::ResMlp(ResMlp::load(inputs, activation, &mut stored, device)?),
            NetworkKind::Transformer => {
                Self::Transformer(Transformer::load(image, count(spec, "heads"), activation, &mut stored, device)?)
            }
            NetworkKind::Rnn => Self::Rnn(Rnn::load(image, activation, &mut stored, device)?),
        };
        Ok((network, stored.finish()?))
    }

    /// What the tensors of a loaded network tell of its function, which whoever described it may have said otherwise.
    pub fn told(&self) -> Said {
        let norm = |has: bool| Some(if has { "layer" } else { "none" });
        let head = |head| match head {
            Head::Flatten => "flatten",
            Head::Mean => "mean",
        };
        let said = Said::default();
        match self {
            Self::Mlp(network) => said.with("norm", norm(network.is_normed())),
            Self::ResMlp(network) => said.with("norm", norm(network.is_normed())),
            Self::Cnn(network) => said.with("head", network.told_head().map(head)),
            Self::Transformer(network) => said.with("patch", Some(network.patch())),
            Self::Rnn(_) => said,
        }
    }

    /// Name and entries of each tensor that the kernel sums over.
    pub fn sizes(&self) -> Vec<(String, usize)> {
        // Only with autodiff does a parameter know whether it is frozen.
        parameters::sizes(&self.clone().train())
    }

    /// [n, channels·height·width] → logits [n, C].
    pub fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        self.run(images, &mut Taps::closed()).tensor
    }

    /// The first layer whose output for these images 32-bit floats cannot hold. What is behind it may be finite again, and is
    /// wrong.
    pub fn overflow(&self, images: Tensor<2>) -> Option<String> {
        let mut taps = Taps::checking();
        self.run(images, &mut taps);
        taps.overflow()
    }

    /// A forward pass that can be run backwards. The network must be without autodiff.
    pub fn record(&self, images: Tensor<2>) -> Tape {
        let mut taps = Taps::recording();
        let logits = self.run(images, &mut taps);
        taps.into_tape(logits)
    }

    /// [n, channels·height·width] → logits [n, C], and what the last layer sees: [n, features].
    pub fn forward_seen(&self, images: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let mut taps = Taps::watching();
        let logits = self.run(images, &mut taps).tensor;
        (logits, taps.seen().expect("every network ends in an affine layer"))
    }

    fn run(&self, images: Tensor<2>, taps: &mut Taps) -> super::Signal<2> {
        match self {
            Self::Mlp(network) => network.forward(images, taps),
            Self::Cnn(network) => network.forward(images, taps),
            Self::ResMlp(network) => network.forward(images, taps),
            Self::Transformer(network) => network.forward(images, taps),
            Self::Rnn(network) => network.forward(images, taps),
        }
    }

    /// All parameters, copied to plain memory, named and laid out as in PyTorch.
    pub fn named(&self) -> Vec<NamedTensor> {
        parameters::named(self)
    }

    /// All parameters as flat vectors that share memory with the network: cheap to keep, one per tensor.
    pub fn flatten(&self) -> Vec<Tensor<1>> {
        parameters::flatten(self)
    }

    /// The names of the tensors that are in none of these layers, as in weights files.
    pub fn moving(&self, frozen: &[String]) -> Vec<String> {
        parameters::moving(self, frozen).into_iter().map(|(name, _)| name).collect()
    }

    /// Name and identity of every tensor, in the order of [`Self::flatten`].
    pub fn ids(&self) -> Vec<(String, ParamId)> {
        parameters::moving(self, &[])
    }

    /// The gradients of the tensors that are in none of these layers, so that a step does not move the others.
    pub fn moving_gradients(&self, gradients: &mut Gradients, frozen: &[String]) -> GradientsParams {
        if frozen.is_empty() {
            return GradientsParams::from_module(gradients, self);
        }
        let ids: Vec<_> = parameters::moving(self, frozen).into_iter().map(|(_, id)| id).collect();
        GradientsParams::from_params(gradients, self, &ids)
    }

    /// How far each tensor of this network is from that of another of the same spec, flat and by name, without autodiff.
    pub fn moved_from(&self, other: &Self) -> Vec<(String, Tensor<1>)> {
        parameters::differences(self, other)
    }

    /// The gradients of all parameters that have one, flat, by name.
    pub fn gradients(&self, of: &GradientsParams) -> Vec<(String, Tensor<1>)> {
        parameters::gradients(self, of)
    }
}
