//! The diagonal matrix P of the optimiser's kernel J P Jᵀ: a weight for every parameter.
//!
//! A step of plain SGD moves the outputs by −η J Jᵀ ∂L/∂f; one that moves parameter i by η p_i ∂L/∂w_i instead moves them by
//! −η J P Jᵀ ∂L/∂f. What this P is, the optimiser knows; here it is only kept, as its root, which goes onto both sides alike.

use std::collections::HashMap;

/// √P, tensor by tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Preconditioner {
    roots: HashMap<String, Vec<f32>>,
}

impl Preconditioner {
    /// P from its diagonal, flat and by the names of tensors, laid out as the network holds them; no entry is below 0.
    pub fn new(diagonal: impl IntoIterator<Item = (String, Vec<f32>)>) -> Self {
        let root = |(name, values): (String, Vec<f32>)| (name, values.into_iter().map(f32::sqrt).collect());
        Self { roots: diagonal.into_iter().map(root).collect() }
    }

    /// √P of a tensor.
    ///
    /// # Panics
    /// If it has none: a kernel in which a tensor is silently missing would be another one.
    pub fn root(&self, tensor: &str) -> &[f32] {
        self.roots.get(tensor).unwrap_or_else(|| panic!("the preconditioner has no weights for {tensor}"))
    }
}
