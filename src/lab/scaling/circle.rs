//! Decomposes the infinite-width kernel on the circle exactly: it depends on the angle between two points alone, so its
//! eigenfunctions are cos kγ and sin kγ, its eigenvalues the Fourier coefficients of its profile, and the power of the
//! target in each mode is that of the law from which it was sampled.

use std::f64::consts::PI;

use super::observer::Stop;
use crate::data::MODES;
use crate::math::learning_curve::Eigenproblem;
use crate::math::polynomial::power_sum;
use crate::spec::Spec;
use crate::theory::InfiniteNetwork;

/// The number of resolved frequencies; the points of the profile make higher ones alias as 1/POINTS².
const FREQUENCIES: usize = 1 << 12;
const POINTS: usize = 1 << 16;
/// The largest number of samples of the curve: a quarter of the modes.
pub(super) const MOST: f64 = (FREQUENCIES / 2) as f64;

/// Returns the eigenvalues and the target's power by mode.
pub(super) fn problem(spec: &Spec, image: [usize; 3], classes: usize) -> Result<Eigenproblem, Stop> {
    let limit = InfiniteNetwork::of(&spec.network, image, classes).map_err(|err| Stop::Failed(err.to_string()))?;
    let angle = |at: usize| 2.0 * PI * at as f64 / POINTS as f64;
    // The profile is even: half of it suffices.
    let half = POINTS / 2;
    let points: Vec<f64> = (0..=half).flat_map(|at| [angle(at).cos(), angle(at).sin()]).collect();
    let kernels = limit.between(&limit.points(&[1.0, 0.0]), &limit.points(&points), &|| false);
    let profile = kernels.map_err(Stop::from)?.ntk;
    let (mut eigenvalues, mut power) = (vec![mean(&profile, half, 0)], vec![0.0]);
    let total = power_sum(spec.data.exponent, MODES);
    for k in 1..=FREQUENCIES {
        let eigenvalue = mean(&profile, half, k);
        let share = (k as f64).powf(-spec.data.exponent) / total;
        // Cosine and sine have half of the power each, which is their mean over random phases.
        eigenvalues.extend([eigenvalue; 2]);
        power.extend([share / 2.0; 2]);
    }
    // Higher frequencies are not learnt from so few samples, but they are part of the error.
    let rest: f64 = (FREQUENCIES + 1..=MODES).rev().map(|k| (k as f64).powf(-spec.data.exponent) / total).sum();
    eigenvalues.push(0.0);
    power.push(rest);
    Ok(Eigenproblem::new(&eigenvalues, &power))
}

/// Returns the mean of the profile times cos kγ over the whole circle.
fn mean(profile: &[f64], half: usize, k: usize) -> f64 {
    let step = PI * k as f64 / half as f64;
    let (sine, cosine) = step.sin_cos();
    let (mut c, mut s, mut sum) = (1.0, 0.0, 0.0);
    for (at, value) in profile.iter().enumerate() {
        if at % 256 == 0 {
            (s, c) = ((at * k % (2 * half)) as f64 * PI / half as f64).sin_cos();
        }
        let weight = if at == 0 || at == half { 1.0 } else { 2.0 };
        sum += weight * value * c;
        (c, s) = (c * cosine - s * sine, s * cosine + c * sine);
    }
    sum / (2 * half) as f64
}
