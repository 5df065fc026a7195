//! Defines the source of a network's parameters: sampled from a seed, or read from a file. Both build a network by the
//! same code, layer by layer, so a loaded network and an initialised one compute the same function.

use thiserror::Error;

use crate::spec::ops::Parameter;

/// The reason why weights could not be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WeightsError {
    #[error("the weights are {0}")]
    Format(String),
    #[error(
        "the weights have no tensor {name}, which {network} needs, but {there}: choose another --arch, or name them as \
         PyTorch does"
    )]
    Missing { name: String, network: &'static str, there: String },
    #[error(
        "the weights have no tensor {name}, while layers like this one have theirs: add one of zeros, and leave it out \
         by --layers"
    )]
    MissingBias { name: String },
    #[error(
        "the weights have no tensor {name} of shape {shape}, which this network needs, but {there}: give the weights of this \
         network (--weights), or another network (--arch)"
    )]
    MissingOwn { name: String, shape: String, there: String },
    #[error(
        "the weights have no tensor {name} of shape {shape} nor any other of this network, but {there}: they are another \
         network's, so give its own (--arch)"
    )]
    Another { name: String, shape: String, there: String },
    #[error(
        "the weights have no tensor {name}, while other layers have their biases: save them anew, or write bias: false where the \
         text calls that layer"
    )]
    MissingOwnBias { name: String },
    #[error(
        "the tensor {name} has shape {found:?} where {expected} was expected: give the weights of this network (--weights), or \
         another network (--arch)"
    )]
    Shape { name: String, found: Vec<usize>, expected: String },
    #[error(
        "the tensor {name} has shape {found:?}, which does not fit inputs of {inputs} ({expected} would): give inputs like those \
         that the network was made for"
    )]
    Inputs { name: String, found: Vec<usize>, inputs: String, expected: String },
    #[error("the tensors do not fit each other or the inputs: {0}")]
    Unfit(String),
    #[error("finding out the settings of this network's text takes too long: give them with --set")]
    Slow,
    #[error(
        "the tensors have the sizes of the text with no single {0}, and the text also computes with {0}: write the sizes into \
         the text"
    )]
    Sizes(String),
    #[error("the tensor {name} holds {found}, {what}, where floats were expected: store it as float32")]
    Dtype { name: String, found: String, what: &'static str },
    #[error(
        "the tensor {name} holds a value that is not a number, not finite or too large for 32 bits, at {place:?}: take the \
         weights of an earlier step"
    )]
    NotFinite { name: String, place: Vec<usize> },
    #[error("the weights have a tensor {name} that {network} does not know; remove it or choose another --arch")]
    Unknown { name: String, network: &'static str },
    #[error(
        "the weights have a tensor {name}, which is that of {what}, beside the network: save the state_dict of the network alone"
    )]
    Beside { name: String, what: &'static str },
    #[error(
        "the weights have both {one} and {other}, so there are two networks in them: save the state_dict of one of them alone"
    )]
    Copies { one: String, other: String },
    #[error(
        "“{prefix}” is before {with} and not before {without}, so it is not known whether they are of one network: put it \
         before all names or before none"
    )]
    Prefix { prefix: String, with: String, without: String },
    #[error(
        "the tensors {one} and {other} are one in the module that was exported, and differ here: export the module anew, or give \
         its weights"
    )]
    Untied { one: String, other: String },
    #[error("the weights have two tensors {0}, so there are two networks in them: leave one out")]
    Twice(String),
    #[error("{why}, so the names can be read in more than one way ({there}): name them fc1, fc2 … (or conv1 …, fc)")]
    Ambiguous { why: String, there: String },
    #[error(
        "{0} is that of a BatchNorm, and none of mlp, cnn, resmlp, transformer and rnn has one: fold it into the layer before \
         it, or choose a network that has one (--arch resnet18, or the path of a text with batch_norm)"
    )]
    BatchNorm(String),
    #[error("{0}, and the recurrent network here is one nn.RNN of one layer and one direction")]
    Recurrent(String),
}

/// A source of the parameters of a network, tensor after tensor.
pub trait ParameterSource {
    /// Returns the values of a tensor as the network stores them: row-major, a `turned` matrix as its transpose.
    fn tensor(&mut self, tensor: &Parameter) -> Result<Vec<f32>, WeightsError>;
}
