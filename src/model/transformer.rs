//! The pre-LayerNorm transformer on image patches: `embed` plus `pos`; blocks h += o(MHA(ln1 h)), h += fc2(act(fc1(ln2 h)));
//! `ln_f` per token, mean over tokens, `head`. Attention has no mask.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};

use super::layers::{Affine, Norm, Offset};
use super::source::{Source, WeightsError};
use super::{Signal, Stored, Taps, activate};
use crate::spec::Activation;

/// A transformer.
#[derive(Module, Debug)]
pub struct Transformer {
    embed: Affine,
    pos: Offset,
    blocks: Vec<Block>,
    ln_f: Norm,
    head: Affine,
    #[module(skip)]
    sizes: TransformerSizes,
    #[module(skip)]
    activation: Activation,
    /// Of the attention logits: 1/√d_head in SP, 1/d_head in NTP.
    #[module(skip)]
    scale: f64,
}

#[derive(Module, Debug)]
struct Block {
    ln1: Norm,
    attn: Attention,
    ln2: Norm,
    fc1: Affine,
    fc2: Affine,
}

#[derive(Module, Debug)]
struct Attention {
    q: Affine,
    k: Affine,
    v: Affine,
    o: Affine,
}

/// The sizes of a transformer.
#[derive(Clone, Copy, Debug)]
pub struct TransformerSizes {
    /// Channels, height, width.
    pub image: [usize; 3],
    /// Side of a patch; divides height and width.
    pub patch: usize,
    pub width: usize,
    /// Divides the width.
    pub heads: usize,
    /// Units of the MLP inside a block.
    pub hidden: usize,
    pub blocks: usize,
    pub classes: usize,
}

impl TransformerSizes {
    /// Patches of an image.
    pub fn tokens(&self) -> usize {
        (self.image[1] / self.patch) * (self.image[2] / self.patch)
    }
}

impl Transformer {
    /// A network of these sizes.
    pub fn build(
        sizes: TransformerSizes,
        activation: Activation,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let TransformerSizes { width, hidden, .. } = sizes;
        let embed = Affine::build("embed", [sizes.image[0] * sizes.patch * sizes.patch, width], source, device)?;
        let pos = Offset::build("pos", [sizes.tokens(), width], source, device)?;
        let block = |at: usize| {
            let name = |part: &str| format!("blocks.{at}.{part}");
            Ok(Block {
                ln1: Norm::build(&name("ln1"), width, source, device)?,
                attn: Attention {
                    q: Affine::build(&name("attn.q"), [width, width], source, device)?,
                    k: Affine::build(&name("attn.k"), [width, width], source, device)?,
                    v: Affine::build(&name("attn.v"), [width, width], source, device)?,
                    o: Affine::build(&name("attn.o"), [width, width], source, device)?,
                },
                ln2: Norm::build(&name("ln2"), width, source, device)?,
                fc1: Affine::build(&name("fc1"), [width, hidden], source, device)?,
                fc2: Affine::build(&name("fc2"), [hidden, width], source, device)?,
            })
        };
        let blocks = (0..sizes.blocks).map(block).collect::<Result<_, _>>()?;
        let ln_f = Norm::build("ln_f", width, source, device)?;
        let head = Affine::build("head", [width, sizes.classes], source, device)?;
        let per_head = (width / sizes.heads) as f64;
        let scale = if source.is_ntk() { 1.0 / per_head } else { 1.0 / per_head.sqrt() };
        Ok(Self { embed, pos, blocks, ln_f, head, sizes, activation, scale })
    }

    /// The network in a weights file, for images of this shape and so many heads, which no shape tells.
    pub fn load(
        image: [usize; 3],
        heads: usize,
        activation: Activation,
        stored: &mut Stored<'_>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let [width, fan_in] = stored.shape("embed.weight")?;
        let [tokens, _] = stored.shape("pos")?;
        let [hidden, _] = stored.shape("blocks.0.fc1.weight")?;
        let [classes, _] = stored.shape("head.weight")?;
        let blocks = (0..).take_while(|at| stored.has(&format!("blocks.{at}.ln1.weight"))).count();
        let patch = (fan_in / image[0].max(1)).isqrt();
        let sizes = TransformerSizes { image, patch, width, heads, hidden, blocks, classes };
        let fits = patch > 0
            && image[0] * patch * patch == fan_in
            && image[1].is_multiple_of(patch)
            && image[2].is_multiple_of(patch)
            && sizes.tokens() == tokens;
        if !fits {
            let [channels, down, across] = image;
            let inputs = format!("{channels}×{down}×{across}, of which pos wants {tokens} square patches");
            return Err(WeightsError::Inputs {
                name: stored.name_of("embed.weight"),
                found: vec![width, fan_in],
                inputs,
            });
        }
        if heads == 0 || !width.is_multiple_of(heads) {
            return Err(WeightsError::Heads { heads, width });
        }
        Self::build(sizes, activation, stored, device)
    }

    pub(super) fn patch(&self) -> usize {
        self.sizes.patch
    }

    pub(super) fn forward(&self, images: Tensor<2>, taps: &mut Taps) -> Signal<2> {
        let tokens = taps.input(self.patches(images));
        let tokens = taps.affine("embed", &self.embed, tokens);
        let mut stream = taps.offset("pos", &self.pos, tokens);
        for (at, block) in self.blocks.iter().enumerate() {
            let name = |part: &str| format!("blocks.{at}.{part}");
            let inner = taps.norm(&name("ln1"), &block.ln1, stream.clone());
            let q = taps.affine(&name("attn.q"), &block.attn.q, inner.clone());
            let k = taps.affine(&name("attn.k"), &block.attn.k, inner.clone());
            let v = taps.affine(&name("attn.v"), &block.attn.v, inner);
            let (heads, scale) = (self.sizes.heads, self.scale);
            let mixed = taps.mix([q, k, v], move |qkv| attention(qkv, heads, scale));
            let inner = taps.affine(&name("attn.o"), &block.attn.o, mixed);
            stream = taps.add(stream, inner);
            let inner = taps.norm(&name("ln2"), &block.ln2, stream.clone());
            let inner = taps.affine(&name("fc1"), &block.fc1, inner);
            let inner = taps.pointwise(inner, |z| activate(self.activation, z));
            let inner = taps.affine(&name("fc2"), &block.fc2, inner);
            stream = taps.add(stream, inner);
        }
        let stream = taps.norm("ln_f", &self.ln_f, stream);
        let pooled = taps.mean_of_positions(stream);
        taps.affine("head", &self.head, pooled)
    }

    /// [n, channels·height·width] → [n, tokens, channels·side²]; tokens row by row, each row-major inside.
    fn patches(&self, images: Tensor<2>) -> Tensor<3> {
        let [n, _] = images.dims();
        let TransformerSizes { image: [channels, height, width], patch, .. } = self.sizes;
        let (down, across) = (height / patch, width / patch);
        images.reshape([n, channels, down, patch, across, patch]).permute([0, 2, 4, 1, 3, 5]).reshape([
            n,
            down * across,
            channels * patch * patch,
        ])
    }
}

/// softmax(q kᵀ · scale) v, head by head.
fn attention([q, k, v]: [Tensor<3>; 3], heads: usize, scale: f64) -> Tensor<3> {
    let [n, tokens, width] = q.dims();
    let split = |x: Tensor<3>| x.reshape([n, tokens, heads, width / heads]).swap_dims(1, 2);
    let weights = activation::softmax(split(q).matmul(split(k).swap_dims(2, 3)) * scale, 3);
    weights.matmul(split(v)).swap_dims(1, 2).reshape([n, tokens, width])
}
