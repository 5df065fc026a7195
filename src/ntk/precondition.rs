//! Defines the diagonal matrix P of the optimiser's kernel J P Jᵀ: a weight for every parameter.
//!
//! A step of plain SGD moves the outputs by −η J Jᵀ ∂L/∂f; one that moves parameter i by η p_i ∂L/∂w_i instead moves them
//! by −η J P Jᵀ ∂L/∂f. The optimiser defines P; this type only stores its root, which multiplies both sides.

use std::collections::HashMap;

/// Holds √P, tensor by tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Preconditioner {
    roots: HashMap<String, Vec<f32>>,
}

impl Preconditioner {
    /// Creates √P from the diagonal of P, flat and by the names of tensors, laid out as the network stores them; no entry
    /// is below 0.
    pub fn new(diagonal: impl IntoIterator<Item = (String, Vec<f32>)>) -> Self {
        let root = |(name, values): (String, Vec<f32>)| (name, values.into_iter().map(f32::sqrt).collect());
        Self { roots: diagonal.into_iter().map(root).collect() }
    }

    /// Returns √P of a tensor.
    ///
    /// # Panics
    /// If it has none: a kernel with a tensor silently missing would be wrong.
    pub fn root(&self, tensor: &str) -> &[f32] {
        self.roots.get(tensor).unwrap_or_else(|| panic!("the preconditioner has no weights for {tensor}"))
    }
}
