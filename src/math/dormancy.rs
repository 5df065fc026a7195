//! Counts dormant units: those that hardly respond to any image, compared with the others of their layer.
//!
//! The score of a unit is the mean of |h| over images and places, over the mean of these in its layer (Sokar, Agarwal, Castro &
//! Evci 2023, 2302.12902). A unit is τ-dormant if its score is at most τ, and dead if it is 0 for every image.

use std::ops::Range;

/// The τ of a dormant unit: that of the figures of Sokar et al. 2023.
pub const DORMANT_TAU: f64 = 0.025;

/// The responses of the units of one layer after its nonlinearity.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitResponses {
    /// Number of units: features, or channels.
    pub units: usize,
    /// The mean of |h| over places, for each image, row-major [n, units].
    pub values: Vec<f32>,
}

/// The shares of the units of all layers together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dormancy {
    /// Share of τ-dormant units; dead ones are among them.
    pub dormant: f64,
    /// Share of units that are 0 for every image.
    pub dead: f64,
}

impl Dormancy {
    /// Counts the units of these layers on these images; `None` without a unit or an image.
    pub fn of(layers: &[UnitResponses], images: Range<usize>) -> Option<Self> {
        let (mut units, mut dormant, mut dead) = (0usize, 0usize, 0usize);
        for layer in layers.iter().filter(|layer| layer.units > 0) {
            let rows = layer.values.get(images.start * layer.units..images.end * layer.units)?;
            let mut means = vec![0.0; layer.units];
            for row in rows.chunks_exact(layer.units) {
                means.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
            }
            let mean = means.iter().sum::<f64>() / layer.units as f64;
            units += layer.units;
            dead += means.iter().filter(|of_unit| **of_unit == 0.0).count();
            // In a layer that is 0 everywhere all are.
            dormant += means.iter().filter(|of_unit| **of_unit <= DORMANT_TAU * mean).count();
        }
        let share = |count: usize| count as f64 / units as f64;
        (units > 0 && !images.is_empty()).then(|| Self { dormant: share(dormant), dead: share(dead) })
    }
}
