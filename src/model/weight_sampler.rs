//! Samples initial weights from our own generator: burn's seed is global to the process, and two runs must not share it.

use std::collections::HashMap;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::parameter_source::{ParameterSource, WeightsError};
use crate::math::rng;
use crate::spec::ops::{Draw, Fill, Parameter};
use crate::spec::{Init, NetworkSpec, Program};

/// Samples the parameters of one network, tensor after tensor.
pub struct WeightSampler<'a> {
    generator: ChaCha8Rng,
    network: &'a NetworkSpec,
    /// The tensors that later ones begin like, with their values once they are drawn.
    copied: HashMap<String, Vec<f32>>,
}

impl<'a> WeightSampler<'a> {
    /// Starts the sampler of this seed for this network and its program.
    pub fn new(network: &'a NetworkSpec, program: &Program, seed: u64) -> Self {
        let copied = program.tensors.iter().filter_map(|tensor| match &tensor.draw {
            Some(Draw::Like(other)) => Some((other.clone(), Vec::new())),
            _ => None,
        });
        Self { generator: rng::rng(seed, rng::Stream::Init, 0, 0), network, copied: copied.collect() }
    }

    fn normal(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        let generator = &mut self.generator;
        let mut draw = || -> f32 { StandardNormal.sample(generator) };
        (0..count).map(|_| deviation * draw()).collect()
    }

    fn uniform(&mut self, count: usize, bound: f64) -> Vec<f32> {
        if bound == 0.0 {
            return vec![0.0; count];
        }
        let generator = &mut self.generator;
        (0..count).map(|_| generator.random_range(-bound..bound) as f32).collect()
    }

    /// Samples a tensor as its operation begins in the parametrisation of the network: uniform in ±bound in SP, N(0,1) in NTP.
    fn usual(&mut self, tensor: &Parameter, count: usize) -> Vec<f32> {
        let is_ntk = self.network.parametrisation.is_ntk();
        let bound = match (tensor.fill, self.network.init) {
            (Fill::Constant(value), _) => return vec![value as f32; count],
            (Fill::Normal, _) => return self.normal(count, 1.0),
            (Fill::Offset, _) if is_ntk => return self.normal(count, 1.0),
            (Fill::Offset, _) => return self.normal(count, Fill::OFFSET as f32),
            (Fill::Weight { fan_in }, Init::HeUniform) => (6.0 / fan_in as f64).sqrt(),
            (Fill::Weight { .. }, Init::Xavier) => (6.0 / tensor.fans() as f64).sqrt(),
            (Fill::Bias { .. }, Init::Xavier) => 0.0,
            (Fill::Weight { fan_in }, Init::Torch) | (Fill::Bias { fan_in }, Init::Torch | Init::HeUniform) => {
                (1.0 / fan_in as f64).sqrt()
            }
        };
        if is_ntk { self.normal(count, 1.0) } else { self.uniform(count, bound) }
    }
}

impl ParameterSource for WeightSampler<'_> {
    /// Samples weights and biases: as the text gives them where the initial values are PyTorch's, and otherwise as their
    /// operation begins.
    fn tensor(&mut self, tensor: &Parameter) -> Result<Vec<f32>, WeightsError> {
        let count = tensor.shape.iter().product();
        let own = match self.network.init {
            Init::Torch if !self.network.parametrisation.is_ntk() => tensor.draw.as_ref(),
            Init::Torch | Init::HeUniform | Init::Xavier => None,
        };
        let values = match own {
            Some(Draw::Uniform(bound)) => self.uniform(count, *bound),
            Some(Draw::Normal(deviation)) => self.normal(count, *deviation as f32),
            Some(Draw::Constant(value)) => vec![*value as f32; count],
            Some(Draw::Like(other)) => self.copied.get(other).cloned().unwrap_or_default(),
            Some(Draw::Unknown(_)) | None => self.usual(tensor, count),
        };
        if let Some(copied) = self.copied.get_mut(&tensor.name) {
            copied.clone_from(&values);
        }
        Ok(values)
    }
}
