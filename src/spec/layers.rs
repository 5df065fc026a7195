//! What each network is made of: the size of every part, said once, and what follows from it.
//!
//! Parameters, multiplications and memory are all read off this list, so that an estimate cannot count another network than
//! the one it was asked about; a test holds it against the real ones. It says nothing of names, values or order of execution.

/// A part of a network that costs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// W x + b at each of so many places of an image: 1 for a dense layer, the pixels of a convolution (its fan-in is
    /// 3 · 3 · channels), the tokens of a transformer. In so many groups, of which each has its own inputs; the fan-in is that
    /// of one. Of an image it reads so many numbers, which windows may share. Where it is shared, several lines read its weight.
    Affine { fan_in: usize, fan_out: usize, places: usize, groups: usize, bias: bool, shared: bool, reads: usize },
    /// Gain and bias of a LayerNorm, `[width]` each.
    Norm { width: usize, places: usize },
    /// A learned factor for each feature, `[width]`.
    Scale { width: usize, places: usize },
    /// So many learned numbers that are added, the same for every image.
    Offset { entries: usize },
    /// Scores of every token with every other, and the mean they weigh; no parameter.
    Attention { tokens: usize, width: usize, heads: usize },
}

impl Layer {
    /// Numbers that the network stores, frozen ones included.
    pub fn parameters(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, fan_out, bias, .. } => product([fan_in + usize::from(bias), fan_out]),
            Self::Scale { width, .. } => product([width]),
            Self::Norm { width, .. } => product([2, width]),
            Self::Offset { entries } => product([entries]),
            Self::Attention { .. } => 0.0,
        }
    }

    /// The same layer where other lines read its tensors, too.
    pub(super) fn shared(self) -> Self {
        match self {
            Self::Affine { fan_in, fan_out, places, groups, bias, reads, .. } => {
                Self::Affine { fan_in, fan_out, places, groups, bias, reads, shared: true }
            }
            Self::Norm { .. } | Self::Scale { .. } | Self::Offset { .. } | Self::Attention { .. } => self,
        }
    }

    /// Parameter tensors: weight and bias, gain and bias, or an offset.
    pub fn tensors(&self) -> usize {
        match self {
            Self::Affine { bias, .. } => 1 + usize::from(*bias),
            Self::Norm { .. } => 2,
            Self::Offset { .. } | Self::Scale { .. } => 1,
            Self::Attention { .. } => 0,
        }
    }

    /// Multiply-adds of one forward pass of one image; what is linear in the layer's outputs is not counted.
    pub fn products(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, fan_out, places, .. } => product([fan_in, fan_out, places]),
            Self::Attention { tokens, width, .. } => product([2, tokens, tokens, width]),
            Self::Norm { .. } | Self::Offset { .. } | Self::Scale { .. } => 0.0,
        }
    }

    /// Numbers that the layer reads of one image, and holds for the way back.
    pub fn reads(&self) -> f64 {
        match *self {
            Self::Affine { reads, .. } => product([reads]),
            Self::Norm { .. } | Self::Scale { .. } | Self::Offset { .. } | Self::Attention { .. } => self.inputs(),
        }
    }

    /// Numbers that one image brings to the layer, place by place (a convolution's patches overlap).
    pub fn inputs(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, places, groups, .. } => product([fan_in, groups, places]),
            Self::Norm { width, places } | Self::Scale { width, places } => product([width, places]),
            Self::Offset { entries } => product([entries]),
            Self::Attention { tokens, width, .. } => product([3, tokens, width]),
        }
    }

    /// Numbers that one image leaves behind for the backward pass.
    pub fn outputs(&self) -> f64 {
        match *self {
            Self::Affine { fan_out: width, places, .. }
            | Self::Norm { width, places }
            | Self::Scale { width, places } => product([width, places]),
            Self::Offset { entries } => product([entries]),
            Self::Attention { tokens, width, heads } => product([heads, tokens, tokens]) + product([tokens, width]),
        }
    }
}

/// In f64, because a network that no machine can hold must be counted, not overflow, so that it can be refused.
fn product<const N: usize>(factors: [usize; N]) -> f64 {
    factors.into_iter().map(|factor| factor as f64).product()
}
