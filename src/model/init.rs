//! Initial weights, drawn from our own generator: burn's seed is global to the process, and two runs must not share it.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use crate::math::rng;
use crate::spec::{Init, NetworkSpec, Parametrisation};

/// Draws the values of one network, layer after layer.
pub struct Draw {
    generator: ChaCha8Rng,
    parametrisation: Parametrisation,
    init: Init,
    sigma_w: f64,
    sigma_b: f64,
}

impl Draw {
    /// The draws that this seed gives for this network.
    pub fn new(network: &NetworkSpec, seed: u64) -> Self {
        Self {
            generator: rng::rng(seed, rng::Stream::Init, 0, 0),
            parametrisation: network.parametrisation,
            init: network.init,
            sigma_w: network.sigma_w,
            sigma_b: network.sigma_b,
        }
    }

    /// [fan_in, fan_out], row-major.
    pub fn weights(&mut self, fan_in: usize, fan_out: usize) -> Vec<f32> {
        let bound = match self.init {
            Init::Torch => (1.0 / fan_in as f64).sqrt(),
            Init::HeUniform => (6.0 / fan_in as f64).sqrt(),
        };
        self.values(fan_in * fan_out, bound)
    }

    /// Shape `[fan_out]`.
    pub fn biases(&mut self, fan_in: usize, fan_out: usize) -> Vec<f32> {
        self.values(fan_out, (1.0 / fan_in as f64).sqrt())
    }

    /// (c_w, c_b) of a layer with this fan-in.
    pub fn gains(&self, fan_in: usize) -> (f64, f64) {
        match self.parametrisation {
            Parametrisation::Standard => (1.0, 1.0),
            Parametrisation::Ntk => (self.sigma_w / (fan_in as f64).sqrt(), self.sigma_b),
        }
    }

    /// Uniform in ±bound in SP, N(0,1) in NTP.
    fn values(&mut self, count: usize, bound: f64) -> Vec<f32> {
        let generator = &mut self.generator;
        match self.parametrisation {
            Parametrisation::Standard => (0..count).map(|_| generator.random_range(-bound..bound) as f32).collect(),
            Parametrisation::Ntk => (0..count).map(|_| StandardNormal.sample(generator)).collect(),
        }
    }
}
