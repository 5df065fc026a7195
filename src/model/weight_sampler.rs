//! Samples initial weights from our own generator: burn's seed is global to the process, and two runs must not share it.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::parameter_source::{ParameterSource, WeightsError};
use crate::math::rng;
use crate::spec::ops::{Fill, Parameter};
use crate::spec::{Init, NetworkSpec};

/// Samples the parameters of one network, tensor after tensor.
pub struct WeightSampler<'a> {
    generator: ChaCha8Rng,
    network: &'a NetworkSpec,
}

impl<'a> WeightSampler<'a> {
    /// Starts the sampler of this seed for this network.
    pub fn new(network: &'a NetworkSpec, seed: u64) -> Self {
        Self { generator: rng::rng(seed, rng::Stream::Init, 0, 0), network }
    }

    fn normal(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        let generator = &mut self.generator;
        let mut draw = || -> f32 { StandardNormal.sample(generator) };
        (0..count).map(|_| deviation * draw()).collect()
    }
}

impl ParameterSource for WeightSampler<'_> {
    /// Samples weights and biases: uniform in ±bound in SP, N(0,1) in NTP.
    fn tensor(&mut self, tensor: &Parameter) -> Result<Vec<f32>, WeightsError> {
        let count = tensor.shape.iter().product();
        let is_ntk = self.network.parametrisation.is_ntk();
        let bound = match (tensor.fill, self.network.init) {
            (Fill::Constant(value), _) => return Ok(vec![value as f32; count]),
            (Fill::Normal, _) => return Ok(self.normal(count, 1.0)),
            (Fill::Offset, _) if is_ntk => return Ok(self.normal(count, 1.0)),
            (Fill::Offset, _) => return Ok(self.normal(count, Fill::OFFSET as f32)),
            (Fill::Weight { fan_in }, Init::HeUniform) => (6.0 / fan_in as f64).sqrt(),
            (Fill::Weight { fan_in }, Init::Torch) | (Fill::Bias { fan_in }, _) => (1.0 / fan_in as f64).sqrt(),
        };
        if is_ntk {
            return Ok(self.normal(count, 1.0));
        }
        let generator = &mut self.generator;
        Ok((0..count).map(|_| generator.random_range(-bound..bound) as f32).collect())
    }
}
