//! Defines the interface that all operations share, and what their shapes mean.

use super::parameter::Parameter;
use crate::spec::Layer;

/// The interface of an operation: everything that does not depend on numbers.
pub trait Operation {
    /// Returns the shape of the output for inputs of these shapes.
    ///
    /// # Errors
    /// If the inputs do not fit, names their shapes and those that would fit.
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String>;

    /// Returns the parameter tensors as in weights files, for a layer of this name and inputs for which
    /// [`Operation::shape`] succeeds.
    fn tensors(&self, _name: &str, _inputs: &[&[usize]]) -> Vec<Parameter> {
        Vec::new()
    }

    /// Returns the cost, where it exceeds that of a pass over the inputs.
    fn layer(&self, _inputs: &[&[usize]]) -> Option<Layer> {
        None
    }

    /// Returns a short label for graphs, used where the layer has no name.
    fn sign(&self) -> &'static str;
}

/// Returns the input shape of an operation with one input.
pub(super) fn one<'a>(inputs: &[&'a [usize]]) -> &'a [usize] {
    inputs.first().copied().unwrap_or_default()
}

/// Formats a shape for a sentence.
pub fn shown(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", sides.join(", "))
}

/// Largest number of axes of a value.
pub(super) const MOST_AXES: usize = 6;

/// Returns the shape of a value that is made of these sides alone.
///
/// # Errors
/// Fails on too many axes, on none, and on a side of 0.
pub(super) fn axes(sides: &[usize]) -> Result<Vec<usize>, String> {
    if (1..=MOST_AXES).contains(&sides.len()) && !sides.contains(&0) {
        return Ok(sides.to_vec());
    }
    Err(format!("{} is no shape: a value has one to {MOST_AXES} sides, each of which is at least 1", shown(sides)))
}

/// Returns the index of the feature axis: the channels of an image, the last axis of tokens and of a vector.
pub fn feature_axis(shape: &[usize]) -> usize {
    if shape.len() == 3 { 0 } else { shape.len().saturating_sub(1) }
}

/// Returns the numbers of features and places of a value.
pub(super) fn features(shape: &[usize]) -> (usize, usize) {
    let features = shape.get(feature_axis(shape)).copied().unwrap_or(1);
    (features, shape.iter().product::<usize>() / features.max(1))
}
