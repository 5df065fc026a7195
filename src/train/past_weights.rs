//! Clamps the displacement of the weights: shortens steps so that ‖Δw‖ over a lag does not exceed a given length.

use std::collections::VecDeque;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::{Network, read, read_all};

/// A clamp of the displacement over a lag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldDisplacement {
    /// The largest ‖Δw‖ over the lag.
    pub length: f64,
    /// The lag in steps.
    pub steps: u64,
}

/// The weights before the last steps under a clamp, the oldest first: at most those of one lag.
#[derive(Clone, Default)]
pub(super) struct PastWeights(VecDeque<Vec<(String, Tensor<1>)>>);

impl PastWeights {
    /// Stores the weights before a step.
    pub fn store(&mut self, network: &Network, held: HeldDisplacement) {
        self.0.push_back(weights(network));
        while self.0.len() as u64 > held.steps.max(1) {
            self.0.pop_front();
        }
    }

    /// Returns the largest rate, at most `rate`, at which a step along these gradients leaves the weights within the clamp.
    ///
    /// The displacement is that from the oldest stored weights. While fewer steps than a lag were taken under the clamp, it may
    /// be a proportional part of the length. Where no rate is enough, because the weights of a lag ago have moved away, it is
    /// the one that comes closest.
    pub fn rate(&self, network: &Network, gradients: &GradientsParams, held: HeldDisplacement, rate: f64) -> f64 {
        let Some(oldest) = self.0.front() else { return rate };
        let most = held.length * self.0.len() as f64 / held.steps.max(1) as f64;
        let now = weights(network);
        let along = network.gradients(gradients);
        // ‖d − η g‖² = ‖d‖² − 2 η ⟨d, g⟩ + η² ‖g‖²; a frozen tensor has no gradient.
        let (mut dd, mut dg, mut gg) = (0.0, 0.0, 0.0);
        for ((name, now), (_, before)) in now.into_iter().zip(oldest) {
            let moved: Vec<f32> = read(now - before.clone());
            dd += moved.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
            if let Some((_, gradient)) = along.iter().find(|(gradient, _)| *gradient == name) {
                let gradient = read(gradient.clone());
                dg += moved.iter().zip(&gradient).map(|(d, g)| f64::from(*d) * f64::from(*g)).sum::<f64>();
                gg += gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
            }
        }
        if gg == 0.0 {
            return rate;
        }
        let within = dg * dg - gg * (dd - most * most);
        let largest = if within >= 0.0 { (dg + within.sqrt()) / gg } else { dg / gg };
        largest.clamp(0.0, rate)
    }

    /// Returns them in plain numbers, tensor by tensor.
    pub fn plain(&self) -> Vec<Vec<Vec<f32>>> {
        let flat = |weights: &Vec<(String, Tensor<1>)>| weights.iter().map(|(_, tensor)| tensor.clone()).collect();
        self.0.iter().map(|weights| read_all(flat(weights))).collect()
    }

    /// Restores them from plain numbers, for a network of the same spec.
    pub fn of_plain(plain: &[Vec<Vec<f32>>], like: &Network, device: &Device) -> Self {
        let names: Vec<String> = weights(like).into_iter().map(|(name, _)| name).collect();
        let tensor = |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), [values.len()]), device);
        let named = |values: &Vec<Vec<f32>>| names.iter().cloned().zip(values.iter().map(tensor)).collect();
        Self(plain.iter().map(named).collect())
    }
}

/// Returns the trained tensors, flat and by name, without autodiff.
fn weights(network: &Network) -> Vec<(String, Tensor<1>)> {
    let names = network.ids().into_iter().map(|(name, _)| name);
    names.zip(network.flatten()).collect()
}
