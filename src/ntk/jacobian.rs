//! The oracle: one backward pass per image and logit, the whole Jacobian in f64, and its product with itself.
//!
//! It is as slow as it is obvious. It shares nothing with the fast path but the network's forward pass: gradients come
//! from burn's autodiff with respect to the parameters themselves.

use burn::module::Module as _;
use burn::tensor::{Tensor, TensorData};
use faer::MatRef;

use crate::model::{Mlp, Taps};

/// The trace-reduced kernel of `network` on images [n, inputs], row-major [n, n].
///
/// Holds the Jacobian of one logit, [n, parameters] in f64. `None` when `cancelled` says so, which is asked before each
/// backward pass.
pub fn trace(network: &Mlp, images: &Tensor<2>, classes: usize, cancelled: &dyn Fn() -> bool) -> Option<Vec<f64>> {
    let [n, _] = images.dims();
    let mut kernel = vec![0.0; n * n];
    for logit in 0..classes {
        let jacobian = logit_jacobian(network, images, logit, classes, cancelled)?;
        let parameters = jacobian.len() / n;
        let rows = MatRef::from_row_major_slice(&jacobian, n, parameters);
        let product = rows * rows.transpose();
        for (at, sum) in kernel.iter_mut().enumerate() {
            *sum += product[(at / n, at % n)] / classes as f64;
        }
    }
    Some(kernel)
}

/// ∂f_c(x_i)/∂w for all images, row-major [n, parameters]; `None` when `cancelled` says so.
pub fn logit_jacobian(
    network: &Mlp,
    images: &Tensor<2>,
    logit: usize,
    classes: usize,
    cancelled: &dyn Fn() -> bool,
) -> Option<Vec<f64>> {
    let network = network.clone().train();
    let device = images.device();
    let mut pick = vec![0.0f32; classes];
    pick[logit] = 1.0;
    let pick = Tensor::<2>::from_data(TensorData::new(pick, [1, classes]), &device);
    let [n, _] = images.dims();
    let mut jacobian = Vec::new();
    for image in 0..n {
        if cancelled() {
            return None;
        }
        let output = network.forward(images.clone().narrow(0, image, 1), &mut Taps::closed());
        let mut gradients = (output * pick.clone()).sum().backward();
        for (_, layer) in network.layers() {
            for gradient in [
                layer.weight.val().grad_remove(&mut gradients).map(|g| g.into_data()),
                layer.bias.val().grad_remove(&mut gradients).map(|g| g.into_data()),
            ] {
                let values: Vec<f32> = gradient
                    .and_then(|data| data.try_to_vec().ok())
                    .expect("every parameter of an MLP reaches every logit");
                jacobian.extend(values.iter().map(|value| f64::from(*value)));
            }
        }
    }
    Some(jacobian)
}
