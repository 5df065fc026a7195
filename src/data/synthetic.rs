//! Draws synthetic samples: a polynomial on the sphere of radius √D, and a power law on the circle. Every set has its own
//! random stream, so no two sets share samples, and the first validation or test samples do not depend on how many
//! follow.

use std::f64::consts::{PI, SQRT_2};

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::{DataSet, Images, Scaling};
use crate::math::rng::{Stream, rng};
use crate::spec::{SIGNS, Source, Spec};

/// The purpose of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleRole {
    Training = 1,
    /// Validation samples: never trained on.
    Validation = 2,
    Test = 3,
    /// Samples whose kernel is decomposed.
    Pool = 4,
    Probe = 5,
}

/// The highest frequency of a target on the circle.
pub const MODES: usize = 1 << 14;

/// Samples `count` samples of the problem of this spec.
pub(super) fn draw(spec: &Spec, role: SampleRole, count: usize) -> Images {
    let problem = Problem::of(spec);
    // Each number of samples has its own stream: with nested training sets the errors along n would be correlated.
    let own = if role == SampleRole::Training { count as u64 } else { 0 };
    let mut generator = rng(spec.seed, Stream::Samples, role as u64, own);
    if let (Problem::Circle { waves }, SampleRole::Training, true) = (&problem, role, spec.data.spacing.has_arcs()) {
        let first: f64 = generator.random_range(0.0..1.0);
        let mut place = |at: usize| {
            let within = spec.data.spacing.within(first, || generator.random_range(0.0..1.0));
            on_circle(waves, 2.0 * PI * (at as f64 + within) / count as f64)
        };
        let samples: Vec<_> = (0..count).map(&mut place).collect();
        return collect(spec, samples.into_iter());
    }
    collect(spec, std::iter::repeat_with(|| problem.sample(&mut generator)).take(count))
}

/// Builds the set of this spec: the probes of each sign, then the training samples.
pub(super) fn set(spec: &Spec) -> DataSet {
    let problem = Problem::of(spec);
    let mut train =
        Images { shape: [1, 1, spec.synthetic_inputs()], pixels: Vec::new(), labels: Vec::new(), values: Vec::new() };
    for sign in 0..SIGNS {
        let mut generator = rng(spec.seed, Stream::Samples, SampleRole::Probe as u64, sign as u64);
        let drawn = std::iter::repeat_with(|| problem.sample(&mut generator));
        let of_sign = drawn.filter(|(_, value)| usize::from(*value > 0.0) == sign);
        train.append(collect(spec, of_sign.take(spec.kernel.probes_per_class)));
    }
    train.append(draw(spec, SampleRole::Training, spec.synthetic_samples()));
    let name = match spec.data.source {
        Source::Fourier => format!("circle, power k^−{}", spec.data.exponent),
        _ => format!("{} on the sphere of {} inputs", spec.data.target.words(), spec.data.dimension),
    };
    DataSet {
        name,
        class_names: ["y < 0", "y > 0"].map(str::to_owned).into(),
        train,
        test: draw(spec, SampleRole::Test, SIGNS * spec.data.test_per_class),
        // Maps −2 to black and 2 to white.
        scaling: Scaling { mean: vec![0.5], std: vec![0.25] },
        notes: Vec::new(),
    }
}

fn collect(spec: &Spec, samples: impl Iterator<Item = (Vec<f64>, f64)>) -> Images {
    let (mut pixels, mut values) = (Vec::new(), Vec::new());
    for (inputs, value) in samples {
        pixels.extend(inputs.into_iter().map(|x| x as f32));
        values.push(value as f32);
    }
    let labels = values.iter().map(|value| usize::from(*value > 0.0)).collect();
    Images { shape: [1, 1, spec.synthetic_inputs()], pixels, labels, values }
}

enum Problem {
    /// The polynomial, with its mean and its standard deviation.
    Sphere { polynomial: crate::math::polynomial::Polynomial, mean: f64, deviation: f64, dimension: usize },
    /// √2 c_k cos φ_k and √2 c_k sin φ_k for each frequency from 1.
    Circle { waves: Vec<(f64, f64)> },
}

impl Problem {
    fn of(spec: &Spec) -> Self {
        match spec.data.source {
            Source::Fourier => {
                // The phases belong to the problem, not to a set.
                let mut generator = rng(spec.seed, Stream::Samples, 0, 0);
                let total = crate::math::polynomial::power_sum(spec.data.exponent, MODES);
                let wave = |k: usize| {
                    let power = (k as f64).powf(-spec.data.exponent) / total;
                    let phase: f64 = generator.random_range(0.0..2.0 * PI);
                    (SQRT_2 * power.sqrt() * phase.cos(), SQRT_2 * power.sqrt() * phase.sin())
                };
                Self::Circle { waves: (1..=MODES).map(wave).collect() }
            }
            _ => {
                let (polynomial, dimension) = (spec.data.target.polynomial(), spec.data.dimension);
                let (mean, deviation) = (polynomial.mean(dimension), polynomial.variance(dimension).sqrt());
                Self::Sphere { polynomial, mean, deviation, dimension }
            }
        }
    }

    /// Returns inputs and y of a new sample.
    fn sample(&self, generator: &mut ChaCha8Rng) -> (Vec<f64>, f64) {
        match self {
            Self::Sphere { polynomial, mean, deviation, dimension } => {
                let direction: Vec<f64> = (0..*dimension).map(|_| StandardNormal.sample(generator)).collect();
                let scale = (*dimension as f64 / direction.iter().map(|x: &f64| x * x).sum::<f64>()).sqrt();
                let x: Vec<f64> = direction.into_iter().map(|x| x * scale).collect();
                let y = (polynomial.at(&x) - mean) / deviation;
                (x, y)
            }
            Self::Circle { waves } => on_circle(waves, generator.random_range(0.0..2.0 * PI)),
        }
    }
}

fn on_circle(waves: &[(f64, f64)], angle: f64) -> (Vec<f64>, f64) {
    (vec![angle.cos(), angle.sin()], series(waves, angle))
}

/// Computes Σ a_k cos(kγ) − b_k sin(kγ), rotating (cos kγ, sin kγ) from one k to the next.
fn series(waves: &[(f64, f64)], angle: f64) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let (mut c, mut s, mut sum) = (cosine, sine, 0.0);
    for (place, (even, odd)) in waves.iter().enumerate() {
        // Recomputed exactly at intervals, so that rounding errors do not accumulate.
        if place % 256 == 0 {
            (s, c) = ((place + 1) as f64 * angle).sin_cos();
        }
        sum += even * c - odd * s;
        (c, s) = (c * cosine - s * sine, s * cosine + c * sine);
    }
    sum
}
