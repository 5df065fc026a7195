//! The interval of a mean over seeds, against all draws, against Student's interval, and by how often it holds the truth.

use kernelscope::math::bootstrap::{FEWEST, Summary};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Normal numbers by Box and Muller.
fn normal(generator: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (generator.random(), generator.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// The quantile of the means of all nⁿ draws, by linear interpolation between order statistics.
fn of_all_draws(values: &[f64], tail: f64) -> (f64, f64) {
    let n = values.len();
    let mean = |mut draw: usize| {
        let place = |_: usize| {
            let place = draw % n;
            draw /= n;
            values[place]
        };
        (0..n).map(place).sum::<f64>() / n as f64
    };
    let mut means: Vec<f64> = (0..n.pow(n as u32)).map(mean).collect();
    means.sort_by(f64::total_cmp);
    let at = (tail * (means.len() - 1) as f64).round() as usize;
    (means[at], means[means.len() - 1 - at])
}

#[test]
fn an_interval_is_that_of_all_draws() {
    // Φ(−t √(n/(n−1))) with Student's t of n − 1 degrees, from tables: not from the code.
    for (values, tail) in [
        (vec![19.7, 14.1, 17.0, 12.3, 30.0], 0.000_954_0),
        (vec![0.853, 0.871, 0.811, 0.872, 0.849, 0.838], 0.002_432_0),
    ] {
        let found = Summary::of(&values).unwrap();
        let (low, high) = found.interval.unwrap();
        let (exact_low, exact_high) = of_all_draws(&values, tail);
        let width = exact_high - exact_low;
        assert!((low - exact_low).abs() < 0.05 * width && (high - exact_high).abs() < 0.05 * width, "{found:?}");
        assert!((found.mean - values.iter().sum::<f64>() / values.len() as f64).abs() < 1e-12);
        // The order of the seeds changes nothing, and the same numbers always have the same interval.
        let turned: Vec<f64> = values.iter().rev().copied().collect();
        assert_eq!(Summary::of(&turned).unwrap().interval, found.interval);
        // Shifted and scaled as the numbers are.
        let moved: Vec<f64> = values.iter().map(|value| 2.0 * value + 1.0).collect();
        let moved = Summary::of(&moved).unwrap().interval.unwrap();
        assert!((moved.0 - (2.0 * low + 1.0)).abs() < 1e-12 && (moved.1 - (2.0 * high + 1.0)).abs() < 1e-12);
    }
}

#[test]
fn of_many_normal_numbers_it_is_students() {
    let mut generator = ChaCha8Rng::seed_from_u64(5);
    let values: Vec<f64> = (0..200).map(|_| normal(&mut generator)).collect();
    let found = Summary::of(&values).unwrap();
    let deviation = (values.iter().map(|value| (value - found.mean).powi(2)).sum::<f64>() / 199.0).sqrt();
    // t of 199 degrees is 1.972.
    let half = 1.972 * deviation / 200f64.sqrt();
    let (low, high) = found.interval.unwrap();
    assert!(
        (found.mean - low - half).abs() < 0.05 * half && (high - found.mean - half).abs() < 0.05 * half,
        "{found:?}"
    );
    let (low, high) = Summary::of_point(&values).unwrap().interval.unwrap();
    assert!((high - low - 2.0 * half).abs() < 0.2 * half, "a thousand draws instead of ten thousand");
}

#[test]
fn it_holds_the_mean_as_often_as_it_says() {
    for (seeds, least, most) in [(5, 0.89, 0.965), (10, 0.93, 0.97), (20, 0.93, 0.97)] {
        let mut generator = ChaCha8Rng::seed_from_u64(seeds);
        let held = |_: &usize| {
            let values: Vec<f64> = (0..seeds).map(|_| normal(&mut generator)).collect();
            let (low, high) = Summary::of_point(&values).unwrap().interval.unwrap();
            (low..=high).contains(&0.0)
        };
        let share = (0..4000).filter(held).count() as f64 / 4000.0;
        assert!((least..=most).contains(&share), "{seeds} seeds: {share}");
    }
}

#[test]
fn a_handful_of_seeds_has_no_interval() {
    let values = [1.0, 2.0, 4.0, 8.0, 16.0];
    assert_eq!(Summary::of(&[]), None);
    for count in 1..FEWEST {
        let found = Summary::of(&values[..count]).unwrap();
        assert_eq!((found.seeds, found.interval), (count, None));
    }
    assert!(Summary::of(&values).unwrap().interval.is_some());
    // Seeds that agree have no width.
    assert_eq!(Summary::of(&[0.5; 7]).unwrap().interval, Some((0.5, 0.5)));
}
