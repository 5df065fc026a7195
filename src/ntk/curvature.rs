//! Computes the curvature of the loss along the directions of the kernel: the largest eigenvalue of the Gauss–Newton
//! matrix, computed in output space on the images of one block.
//!
//! The loss of N images is (1/N) Σ ℓ(f(x)), so a gradient step of rate η multiplies small errors of the outputs by
//! I − (η/N) Θ H, with Θ the full kernel [NC, NC] and H the second derivative of ℓ: I/C for the squared error, and
//! diag p − p pᵀ for cross-entropy. The step is stable while η λ_max(Θ H)/N < 2 (Cohen et al. 2021, the edge of stability;
//! Lee et al. 2019 for the kernel). ΘH has the eigenvalues of BᵀΘB with H = B Bᵀ, which is symmetric.
//!
//! These methods of [`FullKernel`] stand apart from `kernel`, because they alone need the Lanczos iteration.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, ColMut, ColRef, Par};

use super::FullKernel;
use crate::math::lanczos::largest;

impl FullKernel {
    /// Returns λ_max(Θ)/(N C) on these images, the curvature of the squared error; `None` if Lanczos does not converge.
    pub fn sharpness(&self, images: Range<usize>) -> Option<f64> {
        let size = images.len() * self.classes();
        let found = largest(size, |vector, product| self.multiply(images.clone(), vector, product));
        found.map(|value| value / size as f64)
    }

    /// Returns λ_max(Θ (diag p − p pᵀ))/N on these images, with p the softmax of `outputs`, those of all images of the
    /// kernel, [n, C].
    pub fn sharpness_of_cross_entropy(&self, images: Range<usize>, outputs: &[f32]) -> Option<f64> {
        let classes = self.classes();
        // √p, image by image: B = diag √p (I − √p √pᵀ).
        let roots: Vec<f64> =
            outputs[images.start * classes..images.end * classes].chunks_exact(classes).flat_map(roots).collect();
        let mut turned = vec![0.0; roots.len()];
        let found = largest(roots.len(), |vector, product| {
            for ((turned, vector), root) in
                each(&mut turned, classes).zip(vector.chunks_exact(classes)).zip(roots.chunks_exact(classes))
            {
                let along = dot(root, vector);
                turned.iter_mut().zip(vector).zip(root).for_each(|((t, v), r)| *t = r * (v - along * r));
            }
            self.multiply(images.clone(), &turned, product);
            for (product, root) in each(product, classes).zip(roots.chunks_exact(classes)) {
                product.iter_mut().zip(root).for_each(|(value, r)| *value *= r);
                let along = dot(root, product);
                product.iter_mut().zip(root).for_each(|(value, r)| *value -= along * r);
            }
        });
        found.map(|value| value / images.len() as f64)
    }

    /// Computes Θ v on the block of these images.
    fn multiply(&self, images: Range<usize>, vector: &[f64], product: &mut [f64]) {
        let (vector, product) = (ColRef::from_slice(vector), ColMut::from_slice_mut(product));
        matmul(product, Accum::Replace, self.block(images), vector, 1.0, Par::Seq);
    }
}

fn each(values: &mut [f64], classes: usize) -> std::slice::ChunksExactMut<'_, f64> {
    values.chunks_exact_mut(classes)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Computes √softmax of one image's logits.
fn roots(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f64> = logits.iter().map(|logit| f64::from(logit - top).exp()).collect();
    let sum: f64 = parts.iter().sum();
    parts.iter().map(|part| (part / sum).sqrt()).collect()
}
