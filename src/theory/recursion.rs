//! Computes stochastic gradient descent with a fixed kernel, the recursion of Tensor Programs IIb, theorem 5.3:
//!
//! ```text
//! f(ξ) ← f(ξ) − η Σ_b Θ(ξ, ξ_b) ∂L/∂f(ξ_b)                                          (eq. 22, for any batch)
//! ```
//!
//! It holds for any loss, on the same batches as a network. Momentum is linear in the gradients and so carries over
//! unchanged. f is computed only on a fixed list of images, some of which are trained on.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Holds the outputs of a constant kernel during training with SGD.
#[derive(Clone, Debug)]
pub struct KernelSgd {
    /// f, row-major [images, C].
    outputs: Vec<f64>,
    /// The momentum buffer, of the same shape; empty before the first step with momentum.
    velocity: Vec<f64>,
    classes: usize,
}

impl KernelSgd {
    /// Starts at f₀, row-major [images, C].
    pub fn new(start: Vec<f64>, classes: usize) -> Self {
        Self { outputs: start, velocity: Vec::new(), classes }
    }

    /// Returns f, row-major [images, C].
    pub fn outputs(&self) -> &[f64] {
        &self.outputs
    }

    /// Returns f for one image, `[C]`.
    pub fn output(&self, image: usize) -> &[f64] {
        &self.outputs[image * self.classes..][..self.classes]
    }

    /// Takes one step: `columns` holds Θ(·, ξ_b), row-major [batch, images], and `slopes` ∂L/∂f(ξ_b), row-major [batch, C].
    pub fn step(&mut self, columns: &[f64], slopes: &[f64], rate: f64, momentum: f64) {
        let images = self.outputs.len() / self.classes.max(1);
        let batch = slopes.len() / self.classes.max(1);
        let columns = MatRef::from_row_major_slice(columns, batch, images).transpose();
        let slopes = MatRef::from_row_major_slice(slopes, batch, self.classes);
        if momentum == 0.0 {
            let outputs = MatMut::from_row_major_slice_mut(&mut self.outputs, images, self.classes);
            matmul(outputs, Accum::Add, columns, slopes, -rate, Par::Seq);
            return;
        }
        self.velocity.resize(self.outputs.len(), 0.0);
        self.velocity.iter_mut().for_each(|value| *value *= momentum);
        let velocity = MatMut::from_row_major_slice_mut(&mut self.velocity, images, self.classes);
        matmul(velocity, Accum::Add, columns, slopes, 1.0, Par::Seq);
        self.outputs.iter_mut().zip(&self.velocity).for_each(|(value, velocity)| *value -= rate * velocity);
    }
}
