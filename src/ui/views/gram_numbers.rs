//! The numbers that the picture of the kernel shows, and the range of its colours.

use super::pixels::{amounts, nearly_all};

/// What the picture shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    #[default]
    Kernel,
    /// K/√(KᵢᵢKⱼⱼ).
    Cosine,
    /// K minus the kernel at the last switch.
    Change,
}

/// One number of the picture.
pub(super) fn entry(mode: Mode, gram: &[f64], before: Option<&[f64]>, n: usize, row: usize, column: usize) -> f64 {
    let value = gram[row * n + column];
    match mode {
        Mode::Kernel => value,
        Mode::Cosine => value / (gram[row * n + row] * gram[column * n + column]).sqrt(),
        Mode::Change => value - before.map_or(value, |before| before[row * n + column]),
    }
}

/// The range of a picture: its least and greatest number; for a kernel see [`amounts`].
pub(super) fn range_of(mode: Mode, n: usize, value: impl Fn(usize, usize) -> f64) -> Option<(f64, f64)> {
    let stride = (n * n / 8192).max(1);
    let mut seen: Vec<f64> =
        (0..n * n).step_by(stride).map(|at| value(at / n, at % n)).filter(|v| v.is_finite()).collect();
    if seen.is_empty() {
        return None;
    }
    match mode {
        Mode::Change => {
            seen.iter_mut().for_each(|value| *value = value.abs());
            nearly_all(&mut seen).map(|most| (-most, most))
        }
        Mode::Cosine => Some((seen.iter().copied().fold(f64::INFINITY, f64::min).min(1.0), 1.0)),
        Mode::Kernel => amounts(&mut seen),
    }
}
