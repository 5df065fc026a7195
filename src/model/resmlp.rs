//! The residual MLP. Pre-LayerNorm: `embed`, blocks h += fc2(act(fc1(ln(h)))), `ln_f`, `head`. Without normalisation:
//! `embed`, blocks h += fc(act(h)), one more activation, `head`.

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
    ln_f: Option<Norm>,
    head: Affine,
    #[module(skip)]
    activation: Activation,
}

/// What is added to h.
#[expect(clippy::large_enum_variant, reason = "all blocks of a network are of one kind")]
#[derive(Module, Debug)]
enum Block {
    Normed(Normed),
    Plain(Plain),
}

#[derive(Module, Debug)]
struct Normed {
    ln: Norm,
    fc1: Affine,
    fc2: Affine,
}

#[derive(Module, Debug)]
struct Plain {
    fc: Affine,
}

/// The sizes of a residual MLP.
#[derive(Clone, Copy, Debug)]
pub struct ResMlpSizes {
    pub inputs: usize,
    pub width: usize,
    /// Units inside a block, and a LayerNorm before each block and the head; none: one layer in a block, no LayerNorm.
    pub normed: Option<usize>,
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
        let ResMlpSizes { inputs, width, normed, blocks, classes } = sizes;
        let embed = Affine::build("embed", [inputs, width], source, device)?;
        let block = |at: usize| {
            let Some(hidden) = normed else {
                let fc = Affine::build(&format!("blocks.{at}.fc"), [width, width], source, device)?;
                return Ok(Block::Plain(Plain { fc }));
            };
            Ok(Block::Normed(Normed {
                ln: Norm::build(&format!("blocks.{at}.ln"), width, source, device)?,
                fc1: Affine::build(&format!("blocks.{at}.fc1"), [width, hidden], source, device)?,
                fc2: Affine::build(&format!("blocks.{at}.fc2"), [hidden, width], source, device)?,
            }))
        };
        let blocks = (0..blocks).map(block).collect::<Result<_, _>>()?;
        let ln_f = normed.map(|_| Norm::build("ln_f", width, source, device)).transpose()?;
        let head = Affine::build("head", [width, classes], source, device)?;
        Ok(Self { embed, blocks, ln_f, head, activation })
    }

    /// The network in a weights file, for so many inputs; all other sizes, and whether it is normalised, are read from the
    /// tensors.
    pub fn load(
        inputs: usize,
        activation: Activation,
        stored: &mut Stored<'_>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let [width, _] = stored.reading("embed.weight", inputs)?;
        let plain = stored.has("blocks.0.fc.weight");
        let normed = if plain { None } else { Some(stored.shape::<2>("blocks.0.fc1.weight")?[0]) };
        let first = if plain { "fc" } else { "ln" };
        let [classes, _] = stored.shape("head.weight")?;
        let blocks = (0..).take_while(|at| stored.has(&format!("blocks.{at}.{first}.weight"))).count();
        Self::build(ResMlpSizes { inputs, width, normed, blocks, classes }, activation, stored, device)
    }

    pub(super) fn is_normed(&self) -> bool {
        self.ln_f.is_some()
    }

    pub(super) fn forward(&self, images: Tensor<2>, taps: &mut Taps) -> Signal<2> {
        let act = |taps: &mut Taps, rows| taps.pointwise(rows, |z| activate(self.activation, z));
        let images = taps.input(images);
        let mut stream = taps.affine("embed", &self.embed, images);
        for (at, block) in self.blocks.iter().enumerate() {
            let name = |part: &str| format!("blocks.{at}.{part}");
            let inner = match block {
                Block::Normed(block) => {
                    let inner = taps.norm(&name("ln"), &block.ln, stream.clone());
                    let inner = taps.affine(&name("fc1"), &block.fc1, inner);
                    let inner = act(taps, inner);
                    taps.affine(&name("fc2"), &block.fc2, inner)
                }
                Block::Plain(block) => {
                    let inner = act(taps, stream.clone());
                    taps.affine(&name("fc"), &block.fc, inner)
                }
            };
            stream = taps.add(stream, inner);
        }
        let stream = match &self.ln_f {
            Some(norm) => taps.norm("ln_f", norm, stream),
            None => act(taps, stream),
        };
        taps.affine("head", &self.head, stream)
    }
}
