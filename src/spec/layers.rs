//! What each network is made of: the size of every part, said once, and what follows from it.
//!
//! Parameters, multiplications and memory are all read off this list, so that an estimate cannot count another network than
//! the one it was asked about; a test holds it against the real ones. It says nothing of names, values or order of execution.

use super::{BLOCKS, DEPTHS, Head, NetworkKind, NetworkSpec, Norm, Pool};

/// A part of a network that costs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// W x + b at each of so many places of an image: 1 for a dense layer, the pixels of a convolution (its fan-in is
    /// 3 · 3 · channels), the tokens of a transformer.
    Affine { fan_in: usize, fan_out: usize, places: usize },
    /// W h_{t−1} at each of so many times, [width, width] without a bias.
    Recurrence { width: usize, places: usize },
    /// Gain and bias of a LayerNorm, `[width]` each.
    Norm { width: usize, places: usize },
    /// What is added to each token, [tokens, width].
    Position { tokens: usize, width: usize },
    /// Scores of every token with every other, and the mean they weigh; no parameter.
    Attention { tokens: usize, width: usize, heads: usize },
}

impl Layer {
    /// Numbers that the network stores, frozen ones included.
    pub fn parameters(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, fan_out, .. } => product([fan_in + 1, fan_out]),
            Self::Recurrence { width, .. } => product([width, width]),
            Self::Norm { width, .. } => product([2, width]),
            Self::Position { tokens, width } => product([tokens, width]),
            Self::Attention { .. } => 0.0,
        }
    }

    /// Parameter tensors: weight and bias, gain and bias, or an offset.
    pub fn tensors(&self) -> usize {
        match self {
            Self::Affine { .. } | Self::Norm { .. } => 2,
            Self::Position { .. } | Self::Recurrence { .. } => 1,
            Self::Attention { .. } => 0,
        }
    }

    /// Multiply-adds of one forward pass of one image; what is linear in the layer's outputs is not counted.
    pub fn products(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, fan_out, places } => product([fan_in, fan_out, places]),
            Self::Recurrence { width, places } => product([width, width, places]),
            Self::Attention { tokens, width, .. } => product([2, tokens, tokens, width]),
            Self::Norm { .. } | Self::Position { .. } => 0.0,
        }
    }

    /// Numbers that one image brings to the layer, place by place (a convolution's patches overlap).
    pub fn inputs(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, places, .. } => product([fan_in, places]),
            Self::Recurrence { width, places }
            | Self::Norm { width, places }
            | Self::Position { tokens: places, width } => product([width, places]),
            Self::Attention { tokens, width, .. } => product([3, tokens, width]),
        }
    }

    /// Numbers that one image leaves behind for the backward pass.
    pub fn outputs(&self) -> f64 {
        match *self {
            Self::Affine { fan_out: width, places, .. }
            | Self::Recurrence { width, places }
            | Self::Norm { width, places }
            | Self::Position { tokens: places, width } => product([width, places]),
            Self::Attention { tokens, width, heads } => product([heads, tokens, tokens]) + product([tokens, width]),
        }
    }
}

/// In f64, because a network that no machine can hold must be counted, not overflow, so that it can be refused.
fn product<const N: usize>(factors: [usize; N]) -> f64 {
    factors.into_iter().map(|factor| factor as f64).product()
}

impl NetworkSpec {
    /// The parts of this network for images [channels, height, width], in the order of the forward pass. (Of no more
    /// and no larger ones than validation lets pass: this may be asked before it did.)
    pub fn layers(&self, image: [usize; 3], classes: usize) -> Vec<Layer> {
        if self.is_infinite() {
            // There are no weights; what its outputs cost is counted where they are kept.
            return Vec::new();
        }
        let width = self.width.min(*self.widths().end());
        let depth = self.depth.min(*DEPTHS.end());
        let blocks = self.blocks.min(*BLOCKS.end());
        let dense = |fan_in, fan_out| Layer::Affine { fan_in, fan_out, places: 1 };
        match self.kind {
            NetworkKind::Mlp => {
                let mut sizes = vec![image.iter().product()];
                sizes.extend(std::iter::repeat_n(width, depth));
                sizes.push(classes);
                let mut layers: Vec<Layer> = sizes.windows(2).map(|pair| dense(pair[0], pair[1])).collect();
                if self.norm() == Norm::Layer {
                    (1..=depth).rev().for_each(|at| layers.insert(at, Layer::Norm { width, places: 1 }));
                }
                layers
            }
            NetworkKind::Cnn => self.convolutions(width, image, classes),
            NetworkKind::ResMlp if self.norm() == Norm::None => {
                let mut layers = vec![dense(image.iter().product(), width)];
                layers.extend(std::iter::repeat_n(dense(width, width), blocks));
                layers.push(dense(width, classes));
                layers
            }
            NetworkKind::ResMlp => {
                let norm = Layer::Norm { width, places: 1 };
                let block = [norm, dense(width, 2 * width), dense(2 * width, width)];
                let mut layers = vec![dense(image.iter().product(), width)];
                layers.extend(std::iter::repeat_n(block, blocks).flatten());
                layers.extend([norm, dense(width, classes)]);
                layers
            }
            NetworkKind::Transformer => {
                let tokens = self.tokens(image);
                let each = |fan_in, fan_out| Layer::Affine { fan_in, fan_out, places: tokens };
                let norm = Layer::Norm { width, places: tokens };
                let square = each(width, width);
                let attention = Layer::Attention { tokens, width, heads: self.heads.min(width) };
                let attend = [norm, square, square, square, attention, square];
                let think = [norm, each(width, 2 * width), each(2 * width, width)];
                let patch = self.patch.min(image[1]).min(image[2]);
                let mut layers = vec![each(image[0] * patch * patch, width), Layer::Position { tokens, width }];
                for _ in 0..blocks {
                    layers.extend(attend);
                    layers.extend(think);
                }
                layers.extend([norm, dense(width, classes)]);
                layers
            }
            NetworkKind::Rnn => {
                let [channels, places, breadth] = image;
                let inputs = Layer::Affine { fan_in: channels * breadth, fan_out: width, places };
                vec![inputs, Layer::Recurrence { width, places }, dense(width, classes)]
            }
        }
    }

    /// 2 convolutions: w, pool, 2w, pool. 4 convolutions: w, w, pool, 2w, 2w, pool. Pooling halves both sides, if there is any.
    fn convolutions(&self, width: usize, [channels, height, breadth]: [usize; 3], classes: usize) -> Vec<Layer> {
        let left = |pools: u32| {
            let pools = if self.pool == Pool::None { 0 } else { pools };
            (height >> pools) * (breadth >> pools)
        };
        let conv = |from: usize, to: usize, pools: u32| {
            let places = left(pools);
            Layer::Affine { fan_in: 9 * from, fan_out: to, places }
        };
        let twice = 2 * width;
        let mut layers = if self.depth >= 4 {
            vec![conv(channels, width, 0), conv(width, width, 0), conv(width, twice, 1), conv(twice, twice, 1)]
        } else {
            vec![conv(channels, width, 0), conv(width, twice, 1)]
        };
        let places = match self.head {
            Head::Flatten => left(2),
            Head::Mean => 1,
        };
        layers.push(Layer::Affine { fan_in: twice * places, fan_out: classes, places: 1 });
        layers
    }

    /// Patches that the transformer cuts an image into.
    pub fn tokens(&self, [_, height, breadth]: [usize; 3]) -> usize {
        let side = self.patch.max(1);
        (height / side) * (breadth / side)
    }
}
