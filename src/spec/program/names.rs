//! Names of layers and tensors, as in weights files: parts of letters, digits and `_` between dots.

use crate::spec::ops::Parameter;

/// The names that a line gives its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// The layer's name, in front of those that the operation has for its tensors: `fc1.weight` and `fc1.bias` of `fc1`.
    Layer(String),
    /// The full name of each tensor, in the order of the operation.
    Each(Vec<String>),
}

impl From<&str> for Names {
    fn from(name: &str) -> Self {
        Self::Layer(name.to_owned())
    }
}

impl From<&String> for Names {
    fn from(name: &String) -> Self {
        Self::Layer(name.clone())
    }
}

impl From<&Self> for Names {
    fn from(names: &Self) -> Self {
        names.clone()
    }
}

impl Names {
    /// Returns the layer's name, the common part of the names of its tensors: `attn.in_proj` of `attn.in_proj_weight` and
    /// `attn.in_proj_bias`, `fc` of `fc.w` and `fc.b`; the first one where they have no part in common.
    pub fn layer(&self) -> String {
        let names = match self {
            Self::Layer(name) => return name.clone(),
            Self::Each(names) => names,
        };
        let Some((first, others)) = names.split_first() else { return String::new() };
        let layer = layer_of(first);
        if others.iter().all(|name| layer_of(name) == layer) {
            return layer;
        }
        let ends = first.match_indices('.').map(|(at, _)| at).rev();
        let common = ends.into_iter().find(|&end| others.iter().all(|name| name.starts_with(&first[..=end])));
        common.map_or(layer, |end| first[..end].to_owned())
    }

    /// Gives the tensors of an operation these names, in its order.
    ///
    /// # Errors
    /// Fails if there are more or fewer names than tensors, or one of them twice.
    pub(super) fn of_each(&self, tensors: &[Parameter]) -> Result<Vec<String>, String> {
        let names = match self {
            Self::Layer(_) => return Ok(tensors.iter().map(|tensor| tensor.name.clone()).collect()),
            Self::Each(names) => names,
        };
        if names.len() != tensors.len() {
            let parts: Vec<&str> = tensors.iter().map(Parameter::part).collect();
            let (count, are) = (names.len(), if names.len() == 1 { "name is" } else { "names are" });
            return Err(match parts.as_slice() {
                [] => format!("it has no tensors, and {count} {are} given"),
                [_] => format!("it has one tensor, and {count} {are} given"),
                [before @ .., last] => {
                    format!("its tensors are {} and {last}, and {count} {are} given", before.join(", "))
                }
            });
        }
        match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            Some((_, twice)) => Err(format!("{twice} is named twice: each of its tensors has a name of its own")),
            None => Ok(names.clone()),
        }
    }
}

/// Returns the layer of a tensor: `fc1` of `fc1.bias`, `rnn.ih` of `rnn.weight_ih`, `attn.in_proj` of `attn.in_proj_bias`,
/// and the tensor itself where it is the layer.
pub fn layer_of(tensor: &str) -> String {
    match tensor.rsplit_once('.') {
        Some((layer, "weight" | "bias" | "running_mean" | "running_var")) => return layer.to_owned(),
        Some((cell, name)) => {
            if let Some(("weight" | "bias", map)) = name.split_once('_') {
                return format!("{cell}.{map}");
            }
        }
        None => {}
    }
    // Attention of PyTorch has tensors in_proj_weight and in_proj_bias.
    match tensor.rsplit_once('_') {
        Some((map, "weight" | "bias")) if map.ends_with("_proj") => map.to_owned(),
        _ => tensor.to_owned(),
    }
}

/// Returns whether a tensor belongs to this layer, or is itself named: `fc1` has `fc1.weight` and not `fc10.weight`.
pub fn belongs(tensor: &str, layer: &str) -> bool {
    tensor.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) || layer_of(tensor) == layer
}

/// Checks the name of a layer or of a tensor.
pub(super) fn check_name(name: &str, what: &str, example: &str) -> Result<(), String> {
    const LONGEST: usize = 128;
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.len() <= LONGEST && name.split('.').all(is_part) {
        return Ok(());
    }
    let shown: String = name.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    Err(format!("“{shown}” is no name of a {what}: letters, digits and _ between dots, like {example}"))
}
