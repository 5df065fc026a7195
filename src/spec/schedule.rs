//! Defines the schedules of the learning rate, by PyTorch's formulas: a warm-up (`LinearLR` from 1/W) followed by a schedule
//! (`LinearLR`, `CosineAnnealingLR`, `StepLR`), as `SequentialLR` joins them, or `OneCycleLR` with cosines.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::variants::variants;

/// The course of the learning rate over a task, or over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Schedule {
    #[default]
    Constant,
    /// Falls in a straight line to `training.final_share`.
    Linear,
    /// Falls along half a cosine to `training.final_share`.
    Cosine,
    /// Is multiplied by `training.step_factor` every `training.step_epochs`.
    Step,
    /// Rises from η/25 to η over three tenths of the steps and falls to η/250,000, both along cosines.
    OneCycle,
}

impl Schedule {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns the key used in run files, which is also shown to users.
    pub fn key(self) -> &'static str {
        self.into()
    }
}

/// The rate of each step as a multiple of the set one. Steps count from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateCurve {
    pub schedule: Schedule,
    /// Steps of the warm-up.
    pub warmup: u64,
    /// Steps of the whole, warm-up included; the rate stays where it is then.
    pub total: u64,
    /// `Linear`, `Cosine`: the multiple at the end.
    pub final_share: f64,
    /// `Step`: steps between two falls, and the factor of each.
    pub every: u64,
    pub factor: f64,
}

/// PyTorch's defaults of `OneCycleLR`: the share of steps that rise, the divisor at the start, and the further one at the end.
const RISING: f64 = 0.3;
const START_DIVISOR: f64 = 25.0;
const END_DIVISOR: f64 = 1e4;

impl RateCurve {
    /// Returns the multiple at a step.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let total = self.total.saturating_sub(self.warmup).max(1);
        let step = (step - self.warmup).min(total);
        let (done, all) = (step as f64, total as f64);
        match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => 1.0 + (self.final_share - 1.0) * done / all,
            Schedule::Cosine => cosine(1.0, self.final_share, done / all),
            Schedule::Step => self.factor.powi(i32::try_from(step / self.every.max(1)).unwrap_or(i32::MAX)),
            Schedule::OneCycle => {
                // The last step has the last rate, so the cycle ends one step before the whole.
                let (top, last) = (RISING * all - 1.0, all - 1.0);
                let (start, end) = (1.0 / START_DIVISOR, 1.0 / START_DIVISOR / END_DIVISOR);
                if done <= top && top > 0.0 {
                    cosine(start, 1.0, done / top)
                } else {
                    cosine(1.0, end, ((done - top) / (last - top)).min(1.0))
                }
            }
        }
    }
}

/// Goes from one value to another along half a cosine.
fn cosine(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * share).cos()) / 2.0
}
