//! Reasons why a network has no infinite-width kernel, and the line responsible.

use thiserror::Error;

use crate::spec::{Line, Program};

/// The reason why a network has no closed-form infinite-width kernel; each prints as one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoLimit {
    #[error(
        "in the standard parametrisation the kernel grows with the width without end: take network.parametrisation = \
         \"ntk\", or a finite width"
    )]
    Standard,
    #[error(
        "with network.alpha_width the laziness falls with the width: at infinite width features are learnt, which no \
         kernel describes"
    )]
    MeanField,
    #[error(
        "the text of this network declares no width, so nothing says what grows: let its sizes depend on a setting, let width = \
         setting(\"width\", 128, 16..8192)"
    )]
    NoWidth,
    /// There is no network, for the given reason.
    #[error("{0}")]
    Network(String),
    /// The text gives no network at a larger width, for the given reason.
    #[error("what grows with the width is not known, because at larger widths there is no such network: {0}")]
    Wider(String),
    /// A line has no rule.
    #[error("{at}{why}")]
    Line { at: LineLocation, why: NoRule },
    /// The theory does not hold for it.
    #[error("{0}")]
    Gia(#[from] Breach),
}

impl NoLimit {
    /// Returns the line without a rule or in violation of the condition, by its index in the program.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Standard | Self::MeanField | Self::NoWidth | Self::Network(_) | Self::Wider(_) => None,
            Self::Line { at, .. } | Self::Gia(Breach { at, .. }) => Some(at.line),
        }
    }

    /// Returns the reason why the line has no rule.
    pub fn why(&self) -> Option<&NoRule> {
        match self {
            Self::Line { why, .. } => Some(why),
            Self::Standard | Self::MeanField | Self::NoWidth | Self::Network(_) | Self::Wider(_) | Self::Gia(_) => None,
        }
    }
}

/// A line of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineLocation {
    /// Its index in the program.
    pub line: usize,
    /// The line of the text that wrote it, from 1.
    pub written: Option<usize>,
    /// The name of its layer; empty for an operation without tensors.
    pub name: String,
}

impl LineLocation {
    pub(super) fn of(program: &Program, line: usize) -> Self {
        let Line { written, name, .. } = &program.lines[line];
        Self { line, written: *written, name: name.clone() }
    }
}

/// Formats the beginning of the sentence about the line.
impl std::fmt::Display for LineLocation {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.written, self.name.as_str()) {
            (Some(written), "") => write!(to, "line {written}: "),
            (Some(written), name) => write!(to, "line {written}, {name}: "),
            (None, "") => Ok(()),
            (None, name) => write!(to, "{name}: "),
        }
    }
}

/// A violation of the simple GIA check of *Tensor Programs II* (Yang 2020, condition 1): the gradients of such a network
/// are not independent of its weights, and its kernel differs from that of the rules.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}{why}")]
pub struct Breach {
    pub at: LineLocation,
    pub why: GiaViolation,
}

/// The violated condition; each prints as one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GiaViolation {
    #[error(
        "the logits are made of what is inside the network with fixed weights (“{0}”), so its gradients are not independent \
         of its weights and the rules do not give the infinite-width kernel: end in a separate dense layer"
    )]
    FixedReadOut(String),
    #[error(
        "it uses {0}, the weights of the read-out, inside the network as well, so the gradients are not independent of them: \
         give the read-out weights of its own"
    )]
    ReadOutShared(String),
    #[error("it reads the logits of {0}, so the read-out is not the last layer: let only sums and multiples follow it")]
    ReadOutInside(String),
    #[error(
        "it uses the transpose of {0}, which another line uses as it is, and the two are then dependent: give each its \
         own tensor"
    )]
    Transpose(String),
}

/// The reason why an operation has no rule; each prints as one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoRule {
    #[error("the maximum over pixels has no closed form in the infinite-width limit: take an average pool, or none")]
    MaxPool,
    #[error(
        "in the standard parametrisation attention stays random at infinite width: take network.parametrisation = \"ntk\""
    )]
    Attention,
    #[error(
        "queries and keys that depend on each other have scores that do not vanish at infinite width, and no rule covers \
         them: give each its own dense layer"
    )]
    Scores,
    #[error(
        "the number of features of the image does not grow with the width, and here it meets features whose number does: \
         put a dense layer or a convolution between"
    )]
    Image,
    #[error(
        "parameters for each feature of the image are random at every width and have no limit: put a dense layer or a \
         convolution before them"
    )]
    ImageLearnt,
    #[error("a function of the image itself is not computed here: put a dense layer or a convolution before it")]
    ImageFunction,
    #[error("groups of the image's channels give features that are not alike: take groups = 1 on the image")]
    ImageGroups,
    #[error("an embedding reads whole numbers of the image, and these are features of the network: take a dense layer")]
    Embedded,
    #[error(
        "the features that a function reads must be Gaussian with mean 0, as dense layers, convolutions, their sums and their \
         norms give them, and these are not: put such a layer before it"
    )]
    NotGaussian,
    #[error(
        "the learned factors give each feature another kernel, and no rule covers a function of these: put a layer \
         between layer_scale and the function"
    )]
    Uneven,
    #[error(
        "the features that it reads have a mean that is not 0, and no rule covers subtracting it: normalise before the \
         function, or take rms_norm"
    )]
    NotCentred,
    #[error("no rule covers a number added to features whose mean is not 0: add it after a layer")]
    Shifted,
    #[error(
        "the two summands are dependent otherwise than by a factor, and no rule covers that: put a layer into one of the \
         branches"
    )]
    Dependent,
    #[error(
        "what is multiplied here depends on each other, and no rule says how much: give each factor a layer of its own, or take \
         square(v)"
    )]
    Factors,
    #[error(
        "tokens that depend on each other are put one after the other, and no rule says how much: put a layer into one of them"
    )]
    Beside,
    #[error(
        "{0} is used in several lines, so that what they give depends on each other, and no rule says how: give each line a \
         tensor of its own"
    )]
    Shared(String),
    #[error("{0} is frozen by the text, and no rule covers weights that are not trained: leave it out of freeze")]
    Frozen(String),
    #[error("{0} has initial values that the text gives it, and no rule covers these: leave it out of draw")]
    Drawn(String),
    #[error("softmax over infinitely many features is 0 for each of them: leave it out, the loss applies it")]
    Softmax,
    #[error("log_softmax over infinitely many features falls without end: leave it out, the loss applies it")]
    LogSoftmax,
    #[error(
        "no closed form of the dual of {0} is computed here, and so no kernel at infinite width: take relu, silu, gelu or tanh, \
         or a finite width"
    )]
    Dual(&'static str),
    #[error(
        "{0} has no value or no variance for what Gaussian features are, below 0 and near it: take another function, or a finite \
         width"
    )]
    OfGaussians(&'static str),
    #[error(
        "it takes places for features, whose number does not grow, so that its weights stay random: let it read the features, \
         or take a mean over places"
    )]
    Places,
    #[error("this would split the features or turn them into places: rearrange places only, or flatten everything")]
    Features,
    #[error("features that are not alike are cut or grouped here: put a layer between")]
    Unlike,
    #[error(
        "features that are not alike stand in another order in each of what meets here, and no rule says which meet: put a layer \
         into each"
    )]
    Unordered,
    #[error(
        "each channel is normalised by itself, over as many numbers as it has places, and no closed form says what that leaves: \
         take groups of many channels"
    )]
    Alone,
    #[error(
        "batch statistics that move while training move the kernel of the evaluated network, so an infinitely wide one cannot be \
         trained by it: take another norm, or a finite width"
    )]
    Batch,
    #[error(
        "the features, or those of each head or group, that it averages over do not grow with the width, so that it stays \
         random: let their number be a multiple of width"
    )]
    Fixed,
    #[error(
        "its parts do not grow in proportion to the width, so that their shares in the limit are others: let each be a multiple \
         of width"
    )]
    Proportions,
    #[error(
        "places or inputs grow with the width here, and no rule says what becomes of that: let only numbers of features depend \
         on width"
    )]
    PlacesGrow,
    #[error(
        "at another width the text writes another operation here, or the same with another number, so that the network has no \
         limit: let only numbers of features depend on width"
    )]
    Otherwise,
    #[error(
        "a number is added to the logits, which the covariance of random networks would count as random: leave it out, or add it \
         behind a layer inside"
    )]
    LogitsShifted,
    #[error(
        "the windows up to here have more entries than are listed for a limit: take smaller windows, less padding or smaller \
         images"
    )]
    Windows,
    #[error(
        "a learned tensor that is a value of its own has no rule: take positions, class_token, layer_scale or a dense layer, \
         which have one"
    )]
    Learned,
    #[error("no rule covers a product of values as matrices: take a dense layer, or attention")]
    MatMul,
    #[error(
        "what is repeated here is the same random number many times, and no rule covers that: repeat the image only"
    )]
    Repeated,
    #[error("the logits have different kernels: compute all of them by one dense layer")]
    Logits,
}
