//! Computes the kernel by the reference implementation: one backward pass per image and direction of logit space, the
//! Jacobian in f64, and its products.
//!
//! It is slow and simple. It shares only the network's forward pass with the fast implementation: gradients come from
//! burn's autodiff with respect to the parameters themselves.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use faer::MatRef;

use super::{Kernel, PartKind, Reduction, Request};
use crate::model::{Network, read};

/// Gradients of every sample and direction with respect to one tensor.
struct Gradients {
    name: String,
    /// Row-major [n · directions, entries], sample-major.
    values: Vec<f64>,
}

/// Computes the kernel of `network` between images [n, inputs] and others, or among themselves. Holds the gradients of all
/// images in f64: with respect to all logits for [`Reduction::Full`], to one of them at a time for [`Reduction::Trace`].
/// Returns `None` if `cancelled` returns true; it is called before each backward pass.
pub fn measure(
    network: &Network,
    images: &Tensor<2>,
    others: Option<&Tensor<2>>,
    request: &Request,
    cancelled: &dyn Fn() -> bool,
) -> Option<Kernel> {
    let [_, classes] = network.forward(images.clone().narrow(0, 0, 1)).dims();
    let samples = (images.dims()[0], others.unwrap_or(images).dims()[0]);
    let mut kernel = Kernel { reduction: request.reduction, samples, classes, values: Vec::new(), parts: Vec::new() };
    let (height, width) = (kernel.height(), kernel.width());
    kernel.values = vec![0.0; height * width];
    let one = |logit: usize| (0..classes).map(|each| f32::from(each == logit)).collect();
    // Groups of directions whose products enter the kernel, and the factor of those products.
    let (groups, share): (Vec<Vec<Vec<f32>>>, f64) = match request.reduction {
        Reduction::Full => (vec![(0..classes).map(one).collect()], 1.0),
        Reduction::Trace => ((0..classes).map(|logit| vec![one(logit)]).collect(), 1.0 / classes as f64),
        Reduction::SumLogits => (vec![vec![vec![1.0; classes]]], 1.0 / classes as f64),
    };
    let sets = request.sets(classes);
    let apart = request.apart != PartKind::No || sets.len() > 1;
    let mut parts: Vec<Vec<(String, Vec<f64>)>> = vec![Vec::new(); sets.len()];
    for (group, directions) in groups.iter().enumerate() {
        // With more than one set of logits, groups are logits.
        let own = &mut parts[sets.iter().position(|set| set.contains(&group)).unwrap_or(0)];
        let rows = jacobian(network, images, directions, request, cancelled)?;
        let columns = match others {
            Some(others) => Some(jacobian(network, others, directions, request, cancelled)?),
            None => None,
        };
        for (place, row) in rows.iter().enumerate() {
            let column = columns.as_ref().map_or(row, |columns| &columns[place]);
            let entries = row.values.len() / height;
            let left = MatRef::from_row_major_slice(&row.values, height, entries);
            let products = left * MatRef::from_row_major_slice(&column.values, width, entries).transpose();
            let part = (0..height * width).map(|at| share * products[(at / width, at % width)]);
            let name = request.apart.part_of(&row.name);
            if apart && own.iter().all(|(known, _)| *known != name) {
                own.push((name.clone(), vec![0.0; height * width]));
            }
            let mut own = own.iter_mut().find(|(known, _)| *known == name);
            for (at, value) in part.enumerate() {
                kernel.values[at] += value;
                if let Some((_, own)) = &mut own {
                    own[at] += value;
                }
            }
        }
    }
    kernel.parts = parts.concat();
    Some(kernel)
}

/// Computes ∂(v·f)(x_i)/∂w for all images and directions v, tensor by tensor.
fn jacobian(
    network: &Network,
    images: &Tensor<2>,
    directions: &[Vec<f32>],
    request: &Request,
    cancelled: &dyn Fn() -> bool,
) -> Option<Vec<Gradients>> {
    let network = network.clone().train();
    let [n, _] = images.dims();
    let mut found: Vec<Gradients> = Vec::new();
    for image in 0..n {
        for direction in directions {
            if cancelled() {
                return None;
            }
            let outputs = network.forward(images.clone().narrow(0, image, 1));
            let direction = TensorData::new(direction.clone(), [1, direction.len()]);
            let direction = Tensor::<2>::from_data(direction, &outputs.device());
            let mut gradients = (outputs * direction).sum().backward();
            let gradients = GradientsParams::from_module(&mut gradients, &network);
            let wanted = network.gradients(&gradients).into_iter().filter(|(name, _)| request.includes(name));
            for (place, (name, gradient)) in wanted.enumerate() {
                let gradient = read(gradient).into_iter().map(f64::from).collect::<Vec<f64>>();
                if place == found.len() {
                    found.push(Gradients { name: name.clone(), values: Vec::new() });
                }
                match &request.preconditioner {
                    None => found[place].values.extend(gradient),
                    Some(preconditioner) => {
                        let roots = preconditioner.root(&name).iter().map(|root| f64::from(*root));
                        found[place].values.extend(gradient.iter().zip(roots).map(|(entry, root)| entry * root));
                    }
                }
            }
        }
    }
    Some(found)
}
