//! Says in one line what a run is, where many runs are told apart: above the time strip, and in the list of runs.

use super::{Parametrisation, Spec};

impl Spec {
    /// Returns network, parametrisation, optimiser with its rate, strategy and seed, as far as they are not the usual ones:
    /// “mlp, width 256, SP, SGD η 0.003, seed 1”.
    pub fn in_one_line(&self) -> String {
        let mut parts = vec![self.network.program.clone()];
        if self.network.has_width() {
            let width = &self.network.width;
            parts.push(if width.is_infinite() { "width ∞".to_owned() } else { format!("width {width}") });
        }
        parts.extend(self.network.settings.iter().map(|(name, value)| format!("{name} {value}")));
        parts.push(
            match self.network.parametrisation {
                Parametrisation::Standard => "SP",
                Parametrisation::Ntk => "NTP",
            }
            .to_owned(),
        );
        parts.push(format!("{} η {}", self.training.optimiser.words(), self.training.rate));
        if self.training.momentum > 0.0 {
            parts.push(format!("momentum {}", self.training.momentum));
        }
        if !self.continual.is_usual() {
            parts.push(self.continual.strategy.words().to_owned());
        }
        parts.push(format!("seed {}", self.seed));
        parts.join(", ")
    }
}
