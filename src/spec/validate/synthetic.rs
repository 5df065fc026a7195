//! Validates synthetic problems: polynomials on the sphere and power laws on the circle, with a single number as output.
//!
//! It adds the methods of [`Spec`] for these sources, see `validate`.

use crate::spec::problem::problem;
use crate::spec::{DataShape, Loss, Problem, Source, Spec, TaskKind};

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
        let drawn = data.source.is_synthetic();
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
