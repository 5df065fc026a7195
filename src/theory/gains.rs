//! Defines the initial variances and gains of a layer's parameters in each parametrisation.

use crate::spec::ops::Fill;
use crate::spec::{Init, NetworkSpec, Parametrisation};

/// The constants of an affine layer: variances of weights (times the fan-in) and biases, and their squared gains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gains {
    pub weight: f64,
    pub bias: f64,
    pub weight_kernel: f64,
    pub bias_kernel: f64,
}

impl Gains {
    /// Returns the constants of a layer. NTP: W and b are N(0,1), multiplied by the gains σ_w/√fan_in and σ_b. SP: as
    /// `network.init` initialises them, without gains, so that the kernel grows with the fan-in (Sohl-Dickstein et al.
    /// 2020, eq. 8).
    /// `fans` is the fan-in plus the fan-out, which one of the initial draws looks at.
    pub fn of(network: &NetworkSpec, fan_in: usize, fans: usize, bias: bool) -> Self {
        let gains = match network.parametrisation {
            Parametrisation::Ntk => {
                let (weight, bias) = (network.sigma_w.powi(2), network.sigma_b.powi(2));
                Self { weight, bias, weight_kernel: weight, bias_kernel: bias }
            }
            Parametrisation::Standard => {
                let fan_in = fan_in as f64;
                let uniform = 1.0 / (3.0 * fan_in);
                let (weight, bias) = match network.init {
                    Init::Torch => (1.0 / 3.0, uniform),
                    Init::HeUniform => (2.0, uniform),
                    Init::Xavier => (2.0 * fan_in / fans as f64, 0.0),
                };
                Self { weight, bias, weight_kernel: fan_in, bias_kernel: 1.0 }
            }
        };
        if bias { gains } else { Self { bias: 0.0, bias_kernel: 0.0, ..gains } }
    }
}

/// Returns variance and squared gain of a learned position: N(0, [`Fill::OFFSET`]²) without a gain in SP, N(0,1) with gain
/// σ_b in NTP.
pub(super) fn offset(network: &NetworkSpec) -> (f64, f64) {
    match network.parametrisation {
        Parametrisation::Ntk => (network.sigma_b.powi(2), network.sigma_b.powi(2)),
        Parametrisation::Standard => (Fill::OFFSET * Fill::OFFSET, 1.0),
    }
}
