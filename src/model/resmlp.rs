//! The pre-LayerNorm residual MLP: `embed`, blocks h += fc2(act(fc1(ln(h)))), `ln_f`, `head`.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::layers::{Affine, Norm};
use super::source::{Source, WeightsError};
use super::{Signal, Stored, Taps, activate};
use crate::spec::Activation;

/// A residual MLP.
#[derive(Module, Debug)]
pub struct ResMlp {
    embed: Affine,
    blocks: Vec<Block>,
    ln_f: Norm,
    head: Affine,
    #[module(skip)]
    activation: Activation,
}

/// What is added to h.
#[derive(Module, Debug)]
struct Block {
    ln: Norm,
    fc1: Affine,
    fc2: Affine,
}

/// The sizes of a residual MLP.
#[derive(Clone, Copy, Debug)]
pub struct ResMlpSizes {
    pub inputs: usize,
    pub width: usize,
    /// Units inside a block.
    pub hidden: usize,
    pub blocks: usize,
    pub classes: usize,
}

impl ResMlp {
    /// A network of these sizes.
    pub fn build(
        sizes: ResMlpSizes,
        activation: Activation,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let ResMlpSizes { inputs, width, hidden, blocks, classes } = sizes;
        let embed = Affine::build("embed", [inputs, width], source, device)?;
        let block = |at: usize| {
            Ok(Block {
                ln: Norm::build(&format!("blocks.{at}.ln"), width, source, device)?,
                fc1: Affine::build(&format!("blocks.{at}.fc1"), [width, hidden], source, device)?,
                fc2: Affine::build(&format!("blocks.{at}.fc2"), [hidden, width], source, device)?,
            })
        };
        let blocks = (0..blocks).map(block).collect::<Result<_, _>>()?;
        let ln_f = Norm::build("ln_f", width, source, device)?;
        let head = Affine::build("head", [width, classes], source, device)?;
        Ok(Self { embed, blocks, ln_f, head, activation })
    }

    /// The network in a weights file, for so many inputs; all other sizes are read from the shapes.
    pub fn load(
        inputs: usize,
        activation: Activation,
        stored: &mut Stored<'_>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let [width, _] = stored.reading("embed.weight", inputs)?;
        let [hidden, _] = stored.shape("blocks.0.fc1.weight")?;
        let [classes, _] = stored.shape("head.weight")?;
        let blocks = (0..).take_while(|at| stored.has(&format!("blocks.{at}.ln.weight"))).count();
        Self::build(ResMlpSizes { inputs, width, hidden, blocks, classes }, activation, stored, device)
    }

    pub(super) fn forward(&self, images: Tensor<2>, taps: &mut Taps) -> Signal<2> {
        let images = taps.input(images);
        let mut stream = taps.affine("embed", &self.embed, images);
        for (at, block) in self.blocks.iter().enumerate() {
            let inner = taps.norm(&format!("blocks.{at}.ln"), &block.ln, stream.clone());
            let inner = taps.affine(&format!("blocks.{at}.fc1"), &block.fc1, inner);
            let inner = taps.pointwise(inner, |z| activate(self.activation, z));
            let inner = taps.affine(&format!("blocks.{at}.fc2"), &block.fc2, inner);
            stream = taps.add(stream, inner);
        }
        let stream = taps.norm("ln_f", &self.ln_f, stream);
        taps.affine("head", &self.head, stream)
    }
}
