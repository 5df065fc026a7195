//! The exact kernel without a Jacobian.
//!
//! For an affine layer z = c_w x W + c_b b the gradient of logit c with respect to W is c_w x ⊗ δ_c with δ_c = ∂f_c/∂z, so
//! the layer's part of ⟨∇f_c(x), ∇f_d(x′)⟩ is
//!
//! ```text
//! ⟨δ_c(x), δ_d(x′)⟩ · (c_w² ⟨x, x′⟩ + c_b²)
//! ```
//!
//! which is the "structured derivatives" identity of Novak et al. 2022 for dense layers. The trace-reduced kernel is the sum
//! over layers of (1/C) Σ_c (Δ_c Δ_cᵀ) ∘ (c_w² X Xᵀ + c_b²): a few products of [n, width] matrices.
//!
//! All δ come from one backward pass over C copies of the batch, copy c asking for logit c (samples do not mix, so the
//! gradients do not either). Where C copies would be too many rows, the logits are taken in groups.

use burn::tensor::{Device, Tensor, TensorData};

use crate::model::{Mlp, Tap, Taps};
use crate::spec::{MOST_FULL_ROWS, MOST_ROWS};

/// A measured kernel, before it is symmetrised.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Trace-reduced, row-major [n, n]: (1/C) Σ_c ⟨∇f_c(x), ∇f_c(x′)⟩.
    pub trace: Vec<f64>,
    /// The full kernel, where it was asked for and fits.
    pub full: Option<FullKernel>,
}

/// ⟨∇f_c(x_i), ∇f_d(x_j)⟩ for all pairs of images and logits, logit-major: index c·n + i.
#[derive(Clone, Debug)]
pub struct FullKernel {
    n: usize,
    classes: usize,
    values: Vec<f64>,
}

/// Rows times parameters of one backward pass at most, so that a wide network can still be stopped between two of them.
const MOST_WORK: usize = 4_000_000_000;

/// Measures the kernel of `network` (without autodiff) on images [n, inputs]. `None` when `cancelled` says so, which is asked
/// before each backward pass and each layer.
pub fn measure(
    network: &Mlp,
    images: &Tensor<2>,
    classes: usize,
    want_full: bool,
    cancelled: &dyn Fn() -> bool,
) -> Option<Measured> {
    let [n, _] = images.dims();
    let device = images.device();
    let want_full = want_full && n * classes <= MOST_FULL_ROWS;
    let rows = MOST_ROWS.min(MOST_WORK / network.parameters().max(1));
    // The full kernel pairs every logit with every other, so it needs them all at once.
    let group = if want_full { classes } else { (rows / n.max(1)).clamp(1, classes) };

    let mut trace = vec![0.0f64; n * n];
    let mut full = want_full.then(|| vec![0.0f64; (n * classes) * (n * classes)]);
    let mut first = 0;
    while first < classes {
        let logits = group.min(classes - first);
        if cancelled() {
            return None;
        }
        for (tap, delta) in gradients(network, images, first, logits, classes, &device) {
            if cancelled() {
                return None;
            }
            let activation = activation_gram(&tap, n);
            let [_, width] = delta.dims();
            let stacked = delta.clone().reshape([logits, n, width]);
            let products = values_of(stacked.clone().matmul(stacked.swap_dims(1, 2)).reshape([logits * n * n]));
            for block in products.chunks_exact(n * n) {
                for ((sum, product), activation) in trace.iter_mut().zip(block).zip(&activation) {
                    *sum += f64::from(*product) * activation;
                }
            }
            if let Some(full) = &mut full {
                let rows = n * classes;
                let products = values_of(delta.clone().matmul(delta.transpose()).reshape([rows * rows]));
                // Along a row of the full kernel the images repeat, once for each logit.
                for (row, (sums, products)) in full.chunks_exact_mut(rows).zip(products.chunks_exact(rows)).enumerate()
                {
                    let activation = &activation[row % n * n..][..n];
                    for (sums, products) in sums.chunks_exact_mut(n).zip(products.chunks_exact(n)) {
                        for ((sum, product), activation) in sums.iter_mut().zip(products).zip(activation) {
                            *sum += f64::from(*product) * activation;
                        }
                    }
                }
            }
        }
        first += logits;
    }
    for sum in &mut trace {
        *sum /= classes as f64;
    }
    Some(Measured { trace, full: full.map(|values| FullKernel { n, classes, values }) })
}

/// One backward pass: each tap with its δ, [logits · n, fan_out], logit-major, for the logits from `first` on.
fn gradients(
    network: &Mlp,
    images: &Tensor<2>,
    first: usize,
    logits: usize,
    classes: usize,
    device: &Device,
) -> Vec<(Tap, Tensor<2>)> {
    let [n, _] = images.dims();
    let mut taps = Taps::recording(device, logits);
    let outputs = network.forward(images.clone(), &mut taps);
    let mut chosen = vec![0.0f32; logits * n * classes];
    for row in 0..logits * n {
        chosen[row * classes + first + row / n] = 1.0;
    }
    let chosen = Tensor::<2>::from_data(TensorData::new(chosen, [logits * n, classes]), device);
    let mut gradients = (outputs * chosen).sum().backward();
    taps.into_seen()
        .into_iter()
        .map(|tap| {
            let delta = tap
                .zero
                .grad_remove(&mut gradients)
                .unwrap_or_else(|| panic!("the layer {} does not reach the logits", tap.name));
            (tap, delta)
        })
        .collect()
}

/// c_w² X Xᵀ + c_b², row-major [n, n]; the copies of the batch share their inputs, so the first n rows do.
fn activation_gram(tap: &Tap, n: usize) -> Vec<f64> {
    let input = tap.input.clone().narrow(0, 0, n);
    let products = values_of(input.clone().matmul(input.transpose()).reshape([n * n]));
    let (weight, bias) = (tap.weight_gain.powi(2), tap.bias_gain.powi(2));
    products.iter().map(|product| weight * f64::from(*product) + bias).collect()
}

fn values_of(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("the kernel's products are 32-bit floats")
}

impl FullKernel {
    /// yᵀ Θ y/(‖Θ‖_F ‖y‖²) on the images of a range, with y one-hot: how much of the kernel points along the labels.
    pub fn alignment(&self, images: std::ops::Range<usize>, labels: &[usize]) -> f64 {
        let rows = self.n * self.classes;
        let (mut along, mut square) = (0.0, 0.0);
        for c in 0..self.classes {
            for i in images.clone() {
                let row = &self.values[(c * self.n + i) * rows..][..rows];
                for d in 0..self.classes {
                    square += row[d * self.n..][images.clone()].iter().map(|value| value * value).sum::<f64>();
                }
                if labels[i] == c {
                    along += images.clone().map(|j| row[labels[j] * self.n + j]).sum::<f64>();
                }
            }
        }
        along / (square.sqrt() * images.len() as f64)
    }

    /// Entry of images i, j and logits c, d.
    pub fn at(&self, (i, c): (usize, usize), (j, d): (usize, usize)) -> f64 {
        self.values[(c * self.n + i) * self.n * self.classes + d * self.n + j]
    }
}
