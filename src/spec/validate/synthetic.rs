//! Synthetic problems: polynomials on the sphere and power laws on the circle, with a single number as output.

use serde::{Deserialize, Serialize};

use super::{Problem, problem};
use crate::math::polynomial::Polynomial;
use crate::spec::{DataShape, Loss, Source, Spec, TaskKind};

/// A target of `sphere-polynomial`, scaled to mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// x₁.
    He1,
    /// x₁² − 1.
    He2,
    /// x₁³ − 3 x₁: a single-index target of information exponent three.
    He3,
    /// x₁⁴ − 6 x₁² + 3.
    He4,
    /// x₁ x₂: a target of two indices.
    Product,
    /// x₁ + x₁ x₂ + x₁ x₂ x₃: a staircase, in which each term makes the next one learnable (Abbe et al. 2022).
    Staircase,
}

/// The spacing of the training samples of `fourier` on the circle. (Validation and test samples are always random.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Each independent and uniform.
    Random,
    /// One in each of n equal arcs, uniform within it: the gaps differ little.
    Stratified,
    /// Evenly spaced, from a random angle on.
    Even,
}

impl Target {
    pub fn polynomial(self) -> Polynomial {
        match self {
            Self::He1 => Polynomial::new(&[(1.0, &[1])]),
            Self::He2 => Polynomial::new(&[(1.0, &[2]), (-1.0, &[])]),
            Self::He3 => Polynomial::new(&[(1.0, &[3]), (-3.0, &[1])]),
            Self::He4 => Polynomial::new(&[(1.0, &[4]), (-6.0, &[2]), (3.0, &[])]),
            Self::Product => Polynomial::new(&[(1.0, &[1, 1])]),
            Self::Staircase => Polynomial::new(&[(1.0, &[1]), (1.0, &[1, 1]), (1.0, &[1, 1, 1])]),
        }
    }

    /// Returns the name as it is written.
    pub fn words(self) -> &'static str {
        match self {
            Self::He1 => "x₁",
            Self::He2 => "He₂(x₁)",
            Self::He3 => "He₃(x₁)",
            Self::He4 => "He₄(x₁)",
            Self::Product => "x₁x₂",
            Self::Staircase => "x₁ + x₁x₂ + x₁x₂x₃",
        }
    }
}

/// The number of signs of a number.
pub const SIGNS: usize = 2;
/// Default of `data.samples`.
const USUAL: usize = 1024;
/// Largest number of samples; more give no further information.
pub const MOST_SAMPLES: usize = 100_000;
/// Accepted dimensions of a sphere.
const DIMENSIONS: std::ops::RangeInclusive<usize> = 3..=1000;

impl Spec {
    /// Returns the number of training samples.
    pub fn synthetic_samples(&self) -> usize {
        if self.data.samples == 0 { USUAL } else { self.data.samples }
    }

    /// Returns the number of inputs of a sample.
    pub fn synthetic_inputs(&self) -> usize {
        if self.data.source == Source::Fourier { 2 } else { self.data.dimension }
    }

    pub(crate) fn synthetic_shape(&self) -> DataShape {
        DataShape {
            image: [1, 1, self.synthetic_inputs()],
            classes: SIGNS,
            outputs: 1,
            // About half of the samples have each sign; the probes are additional.
            train_per_class: self.synthetic_samples().div_ceil(SIGNS).saturating_add(self.kernel.probes_per_class),
            test_per_class: self.data.test_per_class,
        }
    }

    /// Adds the problems of a run with a single number as output, or with a limited number of samples.
    pub(crate) fn number_problems(&self, found: &mut Vec<Problem>) {
        let data = &self.data;
        if data.samples > MOST_SAMPLES {
            found.push(problem("data.samples", format!("there can be at most {MOST_SAMPLES} samples")));
        }
        if data.samples > 0 && (self.tasks.len() != 1 || self.tasks.kind != TaskKind::Split) {
            let message = "a number of samples is that of one task: give one list of classes in tasks.classes";
            found.push(problem("data.samples", message));
        }
        let drawn = data.source.is_drawn();
        if !data.is_number() {
            return;
        }
        if self.training.loss != Loss::Mse {
            found.push(problem("training.loss", "one output needs the squared error: take mse"));
        }
        if drawn && (self.tasks.len() != 1 || self.tasks.kind != TaskKind::Split) {
            found.push(problem("tasks.classes", "drawn samples are one task: set tasks.classes=[[0,1]]"));
        }
        let program = || self.network.program_for(&self.synthetic_shape());
        if drawn && program().is_some_and(|program| program.reads_images()) {
            found.push(problem("network.program", "drawn samples are no images: take an mlp or a resmlp"));
        }
        if data.source == Source::SpherePolynomial && !DIMENSIONS.contains(&data.dimension) {
            found.push(problem("data.dimension", "the sphere has 3 to 1000 inputs"));
        }
        if data.source == Source::Fourier && !(data.exponent > 1.0 && data.exponent <= 20.0) {
            let message = "the exponent with which the power of the target falls must be above 1 and at most 20";
            found.push(problem("data.exponent", message));
        }
        if drawn && data.test_per_class == 0 {
            found.push(problem(
                "data.test_per_class",
                "the number of test samples is missing; half of it is sampled for each sign",
            ));
        }
    }
}
