//! Measures the kernel of the optimiser's geometry, J P Jᵀ: to first order a step moves the outputs by −η times it, where
//! plain gradient descent moves them by −η J Jᵀ.
//!
//! P is the identity for plain SGD. With momentum μ a constant gradient is multiplied by 1 + μ + μ² + … = 1/(1 − μ), so in
//! that stationary sense P is that multiple of the identity, and the kernel differs in scale alone. For Adam and AdamW it is
//! the diagonal of 1/(√v̂ + ε) at that moment (Kingma & Ba 2015), which changes with every step, for RMSprop the same with its
//! own mean square, times 1/(1 − μ). Lion's step is the sign of a mean gradient, which is not linear in it: it has no P. Frozen
//! tensors have no part in it, and weight decay none.
//!
//! These methods of [`NetworkTrainer`] stand apart from `learner`, because training does not need them.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::NetworkTrainer;
use super::optimiser::diagonal;
use crate::ntk::{Preconditioner, Request, layerwise};

impl NetworkTrainer {
    /// Measures J P Jᵀ on images [n, inputs], reduced over logits as the run's kernel, while these layers are frozen;
    /// `kernel` is the run's own kernel there, [n, n]. `Some(None)` if P is not (yet) defined: before the first step of a
    /// preconditioned optimiser. `None` if `cancelled` returns true.
    pub fn optimiser_kernel(
        &self,
        images: &Tensor<2>,
        kernel: &[f64],
        frozen: &[String],
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Option<Vec<f64>>> {
        let optimiser = self.training.optimiser;
        if !optimiser.is_linear() {
            return Some(None);
        }
        let preconditioner = if optimiser.is_preconditioned() {
            let Some(preconditioner) = self.preconditioner() else { return Some(None) };
            Some(Arc::new(preconditioner))
        } else {
            None
        };
        let scale = if optimiser.uses_momentum() { 1.0 / (1.0 - self.training.momentum) } else { 1.0 };
        let only = self.trained_names(frozen);
        let values = if preconditioner.is_none() && only.is_none() {
            kernel.to_vec()
        } else {
            let request = Request { only, preconditioner, ..Request::of(self.reduction) };
            layerwise::measure(&self.without_autodiff(), images, None, &request, cancelled)?.values
        };
        Some(Some(values.into_iter().map(|value| scale * value).collect()))
    }

    /// Returns the optimiser's P by tensor; `None` before its first step.
    fn preconditioner(&self) -> Option<Preconditioner> {
        let mut diagonal = diagonal(&self.optimiser);
        if diagonal.is_empty() {
            return None;
        }
        // A tensor without a step so far, because it was frozen, has not moved.
        let sizes = self.without_autodiff().flatten().into_iter().map(|tensor| tensor.shape().num_elements());
        let of = self.network().ids().into_iter().zip(sizes);
        Some(Preconditioner::new(
            of.map(|((name, id), size)| (name, diagonal.remove(&id).unwrap_or_else(|| vec![0.0; size]))),
        ))
    }
}
