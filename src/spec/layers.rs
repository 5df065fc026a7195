//! Lists the layers of a network by size, from which its costs are computed.
//!
//! Parameters, multiplications and memory are all computed from this list, so the estimates are consistent; a test compares
//! it with the real networks. The list has no names, values or order of execution.

/// A part of a network that has parameters or costs multiply-adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// W x + b at each of `places` places of an image: 1 for a dense layer, the pixels of a convolution (its fan-in is 3 ·
    /// 3 · channels), the tokens of a transformer. It has `groups` groups with separate inputs; the fan-in is that of one
    /// group. It reads `reads` numbers of one image, which windows may share. If `shared`, several lines read its weight.
    Affine { fan_in: usize, fan_out: usize, places: usize, groups: usize, bias: bool, shared: bool, reads: usize },
    /// Gain and bias of a LayerNorm, `[width]` each.
    Norm { width: usize, places: usize },
    /// A learned factor for each feature, `[width]`.
    Scale { width: usize, places: usize },
    /// Learned numbers that are added, the same for every image.
    Offset { entries: usize },
    /// Scores of every pair of tokens, and the means weighted by them; no parameter.
    Attention { tokens: usize, width: usize, heads: usize },
    /// Products of a matrix [rows, inner] with a matrix [inner, columns], both of values; no parameter.
    Product { products: usize, rows: usize, inner: usize, columns: usize },
}

impl Layer {
    /// Returns the number of stored numbers, frozen ones included.
    pub fn parameters(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, fan_out, bias, .. } => product([fan_in + usize::from(bias), fan_out]),
            Self::Scale { width, .. } => product([width]),
            Self::Norm { width, .. } => product([2, width]),
            Self::Offset { entries } => product([entries]),
            Self::Attention { .. } | Self::Product { .. } => 0.0,
        }
    }

    /// Returns whether it is an affine map that acts once on a sample, with tensors of its own: its gradient is then one outer
    /// product.
    pub fn acts_once(&self) -> bool {
        match *self {
            Self::Affine { places, groups, shared, .. } => places == 1 && groups == 1 && !shared,
            Self::Norm { .. }
            | Self::Scale { .. }
            | Self::Offset { .. }
            | Self::Attention { .. }
            | Self::Product { .. } => false,
        }
    }

    /// Marks the layer as one whose tensors are read by other lines, too.
    pub(super) fn shared(self) -> Self {
        match self {
            Self::Affine { fan_in, fan_out, places, groups, bias, reads, .. } => {
                Self::Affine { fan_in, fan_out, places, groups, bias, reads, shared: true }
            }
            Self::Norm { .. }
            | Self::Scale { .. }
            | Self::Offset { .. }
            | Self::Attention { .. }
            | Self::Product { .. } => self,
        }
    }

    /// Returns the number of parameter tensors: weight and bias, gain and bias, or an offset.
    pub fn tensors(&self) -> usize {
        match self {
            Self::Affine { bias, .. } => 1 + usize::from(*bias),
            Self::Norm { .. } => 2,
            Self::Offset { .. } | Self::Scale { .. } => 1,
            Self::Attention { .. } | Self::Product { .. } => 0,
        }
    }

    /// Returns the multiply-adds of one forward pass of one image, without those linear in the layer's outputs.
    pub fn products(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, fan_out, places, .. } => product([fan_in, fan_out, places]),
            Self::Attention { tokens, width, .. } => product([2, tokens, tokens, width]),
            Self::Product { products, rows, inner, columns } => product([products, rows, inner, columns]),
            Self::Norm { .. } | Self::Offset { .. } | Self::Scale { .. } => 0.0,
        }
    }

    /// Returns the number of values of one image that the layer reads and stores for the backward pass.
    pub fn reads(&self) -> f64 {
        match *self {
            Self::Affine { reads, .. } => product([reads]),
            Self::Norm { .. }
            | Self::Scale { .. }
            | Self::Offset { .. }
            | Self::Attention { .. }
            | Self::Product { .. } => self.inputs(),
        }
    }

    /// Returns the number of inputs of one image, summed over places (a convolution's patches overlap).
    pub fn inputs(&self) -> f64 {
        match *self {
            Self::Affine { fan_in, places, groups, .. } => product([fan_in, groups, places]),
            Self::Norm { width, places } | Self::Scale { width, places } => product([width, places]),
            Self::Offset { entries } => product([entries]),
            Self::Attention { tokens, width, .. } => product([3, tokens, width]),
            Self::Product { products, rows, inner, columns } => {
                product([products, rows, inner]) + product([products, inner, columns])
            }
        }
    }

    /// Returns the number of values of one image that are stored for the backward pass.
    pub fn outputs(&self) -> f64 {
        match *self {
            Self::Affine { fan_out: width, places, .. }
            | Self::Norm { width, places }
            | Self::Scale { width, places } => product([width, places]),
            Self::Offset { entries } => product([entries]),
            Self::Attention { tokens, width, heads } => product([heads, tokens, tokens]) + product([tokens, width]),
            Self::Product { products, rows, columns, .. } => product([products, rows, columns]),
        }
    }
}

/// Multiplies in f64: a network too large for any machine must be counted without overflow, so that it can be refused.
fn product<const N: usize>(factors: [usize; N]) -> f64 {
    factors.into_iter().map(|factor| factor as f64).product()
}
