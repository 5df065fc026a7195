//! Computes products of the trace kernel with vectors, and gradients projected to random directions, without the kernel.
//!
//! K v = (1/C) Σ_c J_c (J_cᵀ v): J_cᵀ v is the gradient of Σ_x v_x f_c(x), one backward pass over all inputs, and J_c w a
//! first-order change of the outputs ([`super::tangent`]). Products are in f32, as those of the kernel.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use faer::{Mat, MatRef};

use super::Request;
use super::tangent::{Displacements, outputs_and_changes};
use crate::math::estimate::signs;
use crate::model::{Network, read};

/// Number of inputs of one pass.
const GROUP: usize = 256;
/// The kind of the random signs along the first tensor.
const DIRECTIONS: u64 = 16;

/// Returns the groups of inputs that a pass takes at once.
fn groups(images: &Tensor<2>) -> impl Iterator<Item = (usize, Tensor<2>)> {
    let ([n, _], images) = (images.dims(), images.clone());
    (0..n).step_by(GROUP).map(move |first| (first, images.clone().narrow(0, first, GROUP.min(n - first))))
}

/// Computes K V for the columns of V, [n, m], over the tensors that the request includes; `None` if `cancelled` returns true.
pub fn product(
    network: &Network,
    images: &Tensor<2>,
    request: &Request,
    vectors: MatRef<'_, f64>,
    cancelled: &dyn Fn() -> bool,
) -> Option<Mat<f64>> {
    let with_gradients = network.clone().train();
    let classes = network.outline(images).classes;
    let mut product = Mat::zeros(vectors.nrows(), vectors.ncols());
    for column in 0..vectors.ncols() {
        let mut gradients: Vec<Displacements> = Vec::with_capacity(classes);
        for class in 0..classes {
            let mut sum = Displacements::new();
            for (first, images) in groups(images) {
                if cancelled() {
                    return None;
                }
                let outputs = with_gradients.forward(images);
                let [n, _] = outputs.dims();
                let along: Vec<f32> = (first..first + n).map(|row| vectors[(row, column)] as f32).collect();
                let along = Tensor::<2>::from_data(TensorData::new(along, [n, 1]), &outputs.device());
                let mut found = (outputs.narrow(1, class, 1) * along).sum().backward();
                let found = GradientsParams::from_module(&mut found, &with_gradients);
                for (name, gradient) in with_gradients.gradients(&found) {
                    if request.includes(&name) {
                        let whole = match sum.remove(&name) {
                            Some(sum) => sum + gradient,
                            None => gradient,
                        };
                        sum.insert(name, whole);
                    }
                }
            }
            gradients.push(sum);
        }
        for (first, images) in groups(images) {
            if cancelled() {
                return None;
            }
            let moved = |class: usize, tensor: &str| gradients[class].get(tensor).cloned();
            let (_, changes) = outputs_and_changes(network, images, classes, &moved);
            for (class, change) in changes.into_iter().enumerate() {
                for (row, value) in read(change.narrow(1, class, 1)).into_iter().enumerate() {
                    product[(first + row, column)] += f64::from(value) / classes as f64;
                }
            }
        }
    }
    Some(product)
}

/// Computes the gradients of all logits projected to `count` random directions of signs, group by group of inputs and for each of
/// these networks with the same directions: `take` gets the first input of a group and for each network the features [inputs of
/// the group, count · C], whose inner products have the mean C · count · Θ. The directions depend on the seed alone. `None` if
/// `cancelled` returns true.
pub fn projected(
    networks: &[&Network],
    images: &Tensor<2>,
    request: &Request,
    (count, seed): (usize, u64),
    take: &mut dyn FnMut(usize, Vec<Vec<f64>>),
    cancelled: &dyn Fn() -> bool,
) -> Option<()> {
    let (sizes, device) = (networks[0].sizes(), images.device());
    let direction = |place: usize, name: &str| {
        let tensor = sizes.iter().position(|(known, _)| known == name && request.includes(name))?;
        let values = signs(seed, DIRECTIONS + tensor as u64, place as u64, sizes[tensor].1);
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        Some(Tensor::from_data(TensorData::new(values, [sizes[tensor].1]), &device))
    };
    for (first, images) in groups(images) {
        if cancelled() {
            return None;
        }
        let features = |network: &&Network| {
            let (_, changes) = outputs_and_changes(network, images.clone(), count, &direction);
            read(Tensor::cat(changes, 1)).into_iter().map(f64::from).collect()
        };
        take(first, networks.iter().map(features).collect());
    }
    Some(())
}
