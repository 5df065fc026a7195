//! Scaling laws with a floor: planted ones are found, units do not matter, and intervals hold what they ought to.

use kernelscope::math::scaling::{FloorLaw, bootstrap, fit, local_slopes, mean_curve, summary_curve};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_distr::{Distribution as _, StandardNormal};

const SAMPLES: [f64; 8] = [32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0];

fn planted(law: FloorLaw, samples: &[f64]) -> Vec<(f64, f64)> {
    samples.iter().map(|&n| (n, law.at(n))).collect()
}

/// Curves of so many seeds, with relative noise of this size on each point.
fn noisy(law: FloorLaw, samples: &[f64], seeds: usize, size: f64, seed: u64) -> Vec<Vec<(f64, f64)>> {
    let mut generator = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || -> f64 { StandardNormal.sample(&mut generator) };
    (0..seeds).map(|_| samples.iter().map(|&n| (n, law.at(n) * (size * normal()).exp())).collect()).collect()
}

proptest! {
    #[test]
    fn a_planted_law_is_found_in_any_units(
        exponent in 0.05f64..2.0,
        log_floor in -3.0f64..0.0,
        has_floor: bool,
        prefactor in 0.1f64..10.0,
        errors in -6.0f64..6.0,
        samples in -3.0f64..3.0,
    ) {
        // From a floor at the largest n to one at an eighth of it.
        let floor = if has_floor { (8f64.ln() + log_floor * 0.69).exp() / 4096.0 } else { 0.0 };
        let law = FloorLaw { exponent, floor, prefactor };
        let points = planted(law, &SAMPLES);
        let found = fit(&points).unwrap();
        prop_assert!((found.exponent / exponent - 1.0).abs() < 1e-4, "{:?} for {:?}", found, law);
        prop_assert!((found.floor - floor).abs() <= 1e-4 * floor, "{:?} for {:?}", found, law);
        prop_assert!((found.prefactor / prefactor - 1.0).abs() < 1e-3);
        // n in other units, E in others, and the points beside the law.
        let (errors, samples) = (errors.exp(), samples.exp());
        let beside: Vec<(f64, f64)> = points.iter().map(|(n, error)| (*n, error * (1.0 + 0.01 * n.sin()))).collect();
        let found = fit(&beside).unwrap();
        let moved: Vec<(f64, f64)> = beside.iter().map(|(n, error)| (n * samples, error * errors)).collect();
        let other = fit(&moved).unwrap();
        prop_assert!((other.exponent / found.exponent - 1.0).abs() < 1e-4);
        prop_assert!((other.floor * samples - found.floor).abs() <= 1e-4 * found.floor);
        prop_assert!((other.prefactor / (found.prefactor * errors * samples.powf(found.exponent)) - 1.0).abs() < 1e-3);
    }
}

/// What [`NOTICEABLE`](kernelscope::math::scaling::NOTICEABLE) states.
#[test]
fn a_floor_is_only_reported_where_the_points_ask_for_it() {
    let pure = FloorLaw { exponent: 0.4, floor: 0.0, prefactor: 2.0 };
    let floored = FloorLaw { floor: 1.0 / 512.0, ..pure };
    let share = |law: FloorLaw, count: usize, size: f64| {
        let found = |seed| fit(&noisy(law, &SAMPLES[8 - count..], 1, size, seed)[0]).unwrap();
        (0..500).filter(|&seed| found(seed).floor > 0.0).count() as f64 / 500.0
    };
    for (count, most) in [(4, 0.12), (5, 0.07), (6, 0.06), (8, 0.03)] {
        assert!(share(pure, count, 0.03) < most && share(pure, count, 0.1) < most, "{count} points");
    }
    assert!(share(floored, 8, 0.03) > 0.98 && share(floored, 5, 0.01) > 0.95);
    // Three different n have none to spare, and fewer no law.
    assert_eq!(fit(&planted(floored, &SAMPLES[5..])).unwrap().floor, 0.0);
    assert_eq!(fit(&planted(floored, &SAMPLES[..2]).repeat(3)), None);
    assert_eq!(fit(&[(1.0, 1.0), (2.0, 0.0), (3.0, 1.0), (0.0, 1.0), (4.0, f64::NAN)]), None);
}

#[test]
fn bootstrap_intervals() {
    let law = FloorLaw { exponent: 0.4, floor: 1.0 / 512.0, prefactor: 2.0 };
    let held = |seeds: usize| {
        let interval = |seed| bootstrap(&noisy(law, &SAMPLES, seeds, 0.05, seed), 100, 1).unwrap();
        let found: Vec<_> = (0..60).map(interval).collect();
        assert!(found.iter().all(|one| one.low <= one.median && one.median <= one.high));
        found.iter().filter(|one| one.low <= 0.4 && 0.4 <= one.high).count() as f64 / 60.0
    };
    // What the function states, as far as 60 of them tell.
    let (three, ten) = (held(3), held(10));
    assert!((0.6..0.92).contains(&three) && (0.8..0.98).contains(&ten), "{three} {ten}");

    let curves = noisy(law, &SAMPLES, 4, 0.05, 1);
    assert_eq!(bootstrap(&curves, 50, 3), bootstrap(&curves, 50, 3));
    assert_ne!(bootstrap(&curves, 50, 3), bootstrap(&curves, 50, 4));
    assert_eq!(bootstrap(&curves[..1], 50, 3), None);
    assert_eq!(bootstrap(&[vec![(1.0, 1.0)], vec![(2.0, 1.0)]], 50, 3), None);
    // No noise, no interval.
    let same = bootstrap(&vec![planted(law, &SAMPLES); 3], 50, 3).unwrap();
    assert!((same.high - 0.4).abs() < 1e-4 && same.high - same.low < 1e-12);
}

#[test]
fn means_and_slopes() {
    let curves =
        vec![vec![(4.0, 1.0), (1.0, 4.0)], vec![(1.0, 2.0), (4.0, 2.0), (16.0, 0.375)], vec![(4.0, 1.5), (8.0, -1.0)]];
    let found: Vec<_> = mean_curve(&curves).iter().map(|point| (point.n, point.mean)).collect();
    assert_eq!(found, vec![(1.0, 3.0), (4.0, 1.5), (16.0, 0.375)]);
    let summaries: Vec<_> = summary_curve(&curves).iter().map(|(n, of)| (*n, of.mean, of.seeds, of.interval)).collect();
    assert_eq!(summaries, vec![(1.0, 3.0, 2, None), (4.0, 1.5, 3, None), (16.0, 0.375, 1, None)]);
    let slopes = local_slopes(&curves.concat());
    assert_eq!((slopes.len(), slopes[0].0, slopes[1].0), (2, 2.0, 8.0));
    assert!((slopes[0].1 - 0.5).abs() < 1e-15 && (slopes[1].1 - 1.0).abs() < 1e-15);
    assert!(local_slopes(&curves[0][..1]).is_empty() && mean_curve(&[]).is_empty());
    let law = FloorLaw { exponent: 0.7, floor: 0.0, prefactor: 3.0 };
    assert!(local_slopes(&planted(law, &SAMPLES)).iter().all(|slope| (slope.1 - 0.7).abs() < 1e-12));
}
