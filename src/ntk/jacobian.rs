//! The oracle: one backward pass per image and logit, the whole Jacobian in f64, and its products.
//!
//! It is as slow as it is obvious. It shares nothing with the fast path but the network's forward pass: gradients come
//! from burn's autodiff with respect to the parameters themselves.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use faer::MatRef;

use super::{Kernel, Reduction, Request};
use crate::model::Network;

/// Gradients of every sample and logit with respect to one tensor.
struct Gradients {
    name: String,
    /// Row-major [n · C, entries], sample-major.
    values: Vec<f64>,
}

/// The kernel of `network` between images [n, inputs] and others, or among themselves. Holds the Jacobians, [n·C, parameters]
/// in f64. `None` when `cancelled` says so, which is asked before each backward pass.
pub fn measure(
    network: &Network,
    images: &Tensor<2>,
    others: Option<&Tensor<2>>,
    request: &Request,
    cancelled: &dyn Fn() -> bool,
) -> Option<Kernel> {
    let (classes, rows) = jacobian(network, images, request, cancelled)?;
    let columns = match others {
        Some(others) => Some(jacobian(network, others, request, cancelled)?.1),
        None => None,
    };
    let samples = (images.dims()[0], others.unwrap_or(images).dims()[0]);
    let mut kernel =
        Kernel { reduction: request.reduction, samples, classes, values: Vec::new(), by_tensor: Vec::new() };
    kernel.values = vec![0.0; kernel.height() * kernel.width()];
    for (place, row) in rows.iter().enumerate() {
        let column = columns.as_ref().map_or(row, |columns| &columns[place]);
        let part = reduced(row, column, samples, classes, request.reduction);
        for (sum, value) in kernel.values.iter_mut().zip(&part) {
            *sum += value;
        }
        if request.per_tensor {
            kernel.by_tensor.push((row.name.clone(), part));
        }
    }
    Some(kernel)
}

/// ∂f_c(x_i)/∂w for all images and logits, tensor by tensor.
fn jacobian(
    network: &Network,
    images: &Tensor<2>,
    request: &Request,
    cancelled: &dyn Fn() -> bool,
) -> Option<(usize, Vec<Gradients>)> {
    let network = network.clone().train();
    let [n, _] = images.dims();
    let mut found: Vec<Gradients> = Vec::new();
    let mut classes = 1;
    for image in 0..n {
        let mut logit = 0;
        while logit < classes {
            if cancelled() {
                return None;
            }
            let outputs = network.forward(images.clone().narrow(0, image, 1));
            classes = outputs.dims()[1];
            let mut pick = vec![0.0f32; classes];
            pick[logit] = 1.0;
            let pick = Tensor::<2>::from_data(TensorData::new(pick, [1, classes]), &outputs.device());
            let mut gradients = (outputs * pick).sum().backward();
            let gradients = GradientsParams::from_module(&mut gradients, &network);
            let wanted = network.gradients(&gradients).into_iter().filter(|(name, _)| request.wants(name));
            for (place, (name, gradient)) in wanted.enumerate() {
                if place == found.len() {
                    found.push(Gradients { name, values: Vec::new() });
                }
                found[place].values.extend(gradient.into_data().iter::<f32>().map(f64::from));
            }
            logit += 1;
        }
    }
    Some((classes, found))
}

/// The products of two sets of gradients under a reduction, row-major.
fn reduced(a: &Gradients, b: &Gradients, (n, m): (usize, usize), classes: usize, reduction: Reduction) -> Vec<f64> {
    let side = |gradients: &Gradients, samples: usize| gradients.values.len() / (samples * classes).max(1);
    let left = MatRef::from_row_major_slice(&a.values, n * classes, side(a, n));
    let right = MatRef::from_row_major_slice(&b.values, m * classes, side(b, m));
    let full = left * right.transpose();
    let pairs = (0..n).flat_map(|i| (0..m).map(move |j| (i, j)));
    let over = |i: usize, j: usize, c: usize, d: usize| full[(i * classes + c, j * classes + d)];
    match reduction {
        Reduction::Full => (0..n * classes)
            .flat_map(|row| (0..m * classes).map(move |column| (row, column)))
            .map(|at| full[at])
            .collect(),
        Reduction::Trace => {
            pairs.map(|(i, j)| (0..classes).map(|c| over(i, j, c, c)).sum::<f64>() / classes as f64).collect()
        }
        Reduction::SumLogits => {
            let all = |i, j| (0..classes).flat_map(move |c| (0..classes).map(move |d| (i, j, c, d)));
            pairs.map(|(i, j)| all(i, j).map(|(i, j, c, d)| over(i, j, c, d)).sum::<f64>() / classes as f64).collect()
        }
    }
}
