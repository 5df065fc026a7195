//! Kernel metrics against closed forms and identities.

use kernelscope::math::alignment::{PermutedAlignment, alignment, alignment_centred, label_gram};
use kernelscope::math::distance::{Centring, angle, change, distance, distances};
use kernelscope::math::fit::power_law;
use kernelscope::math::forgetting::{average_accuracy, backward_transfer, forgetting};
use kernelscope::math::modes::{Modes, remaining_energy};
use kernelscope::math::spectrum::{effective_rank, eigenvalues};
use kernelscope::math::{Gram, NotFinite};
use proptest::prelude::*;

/// A random positive semi-definite matrix A Aᵀ.
fn kernels(n: usize) -> impl Strategy<Value = Gram> {
    proptest::collection::vec(-2.0f64..2.0, n * n).prop_map(move |a| {
        let entry = |at: usize| (0..n).map(|k| a[at / n * n + k] * a[at % n * n + k]).sum();
        Gram::symmetrised(n, (0..n * n).map(entry).collect()).unwrap().0
    })
}

fn scaled(gram: &Gram, by: f64, plus: f64) -> Gram {
    Gram::symmetrised(gram.len(), gram.values().iter().map(|v| v * by + plus).collect()).unwrap().0
}

proptest! {
    #[test]
    fn distances_obey_their_laws(a in kernels(6), b in kernels(6), by in 0.1f64..10.0, plus in -3.0f64..3.0) {
        for centring in [Centring::Centred, Centring::Debiased, Centring::Uncentred] {
            prop_assert_eq!(distance(&a, &a, centring), 0.0);
            let s = distance(&a, &b, centring);
            let most = if centring == Centring::Debiased { 2.0 } else { 1.0 };
            prop_assert!((0.0..=most + 1e-12).contains(&s));
            prop_assert!((s - distance(&b, &a, centring)).abs() < 1e-15);
            prop_assert!(distance(&a, &scaled(&a, by, 0.0), centring) < 1e-28);
            prop_assert_eq!(distances(&[b.clone(), a.clone()], centring), vec![0.0, s, s, 0.0]);
        }
        // Centred: a constant added to the kernel is the mean feature, which is taken off.
        prop_assert!(distance(&a, &scaled(&a, by, plus), Centring::Centred) < 1e-24);
        // 1 − S is the cosine of what is written out.
        let cosine = a.dot(&b) / (a.frobenius() * b.frobenius());
        prop_assert!((distance(&a, &b, Centring::Uncentred) - (1.0 - cosine)).abs() < 1e-12);
        prop_assert!((angle(distance(&a, &b, Centring::Uncentred)) - cosine.acos()).abs() < 1e-6);
        // D² = S² − 2 S (1 − R) + 1.
        let c = change(&a, &b);
        let expected = c.scale * c.scale - 2.0 * c.scale * (1.0 - c.rotation) + 1.0;
        prop_assert!((c.drift * c.drift - expected).abs() < 1e-9 * (1.0 + expected));
    }

    #[test]
    fn spectra_keep_the_trace_and_the_norm(a in kernels(7)) {
        let values = eigenvalues(&a).unwrap();
        prop_assert!(values.windows(2).all(|pair| pair[0] <= pair[1]));
        prop_assert!((values.iter().sum::<f64>() - a.trace()).abs() < 1e-9 * a.trace());
        let square: f64 = values.iter().map(|v| v * v).sum();
        prop_assert!((square.sqrt() - a.frobenius()).abs() < 1e-9 * a.frobenius());
        let rank = effective_rank(&values);
        prop_assert!((1.0 - 1e-9..=7.0 + 1e-9).contains(&rank));
    }

    #[test]
    fn a_power_law_is_found(slope in -3.0f64..3.0, factor in 0.1f64..10.0) {
        let points: Vec<(f64, f64)> = [64.0, 128.0, 256.0, 512.0].iter().map(|x: &f64| (*x, factor * x.powf(slope))).collect();
        let law = power_law(&points).unwrap();
        prop_assert!((law.slope - slope).abs() < 1e-9 && law.half_width < 1e-6);
        prop_assert!((law.prefactor / factor - 1.0).abs() < 1e-6);
    }
}

#[test]
fn small_distances_keep_their_digits() {
    // K′ = K + ε E with E ⟂ K: S = 1 − 1/√(1 + ε²‖E‖²/‖K‖²) ≈ ε²‖E‖²/(2‖K‖²); 1 − cos would lose it below 1e-16.
    let k = Gram::symmetrised(2, vec![1.0, 0.0, 0.0, 1.0]).unwrap().0;
    let moved = Gram::symmetrised(2, vec![1.0, 1e-9, 1e-9, 1.0]).unwrap().0;
    let s = distance(&k, &moved, Centring::Uncentred);
    assert!((s / 0.5e-18 - 1.0).abs() < 1e-6, "{s:e}");
    assert!((angle(s) / 1e-9 - 1.0).abs() < 1e-6);
}

#[test]
fn symmetrising_reports_what_it_mends_and_refuses_what_it_cannot() {
    let (gram, asymmetry) = Gram::symmetrised(2, vec![2.0, 1.0, 0.5, 4.0]).unwrap();
    assert_eq!((gram.at(0, 1), gram.at(1, 0)), (0.75, 0.75));
    assert_eq!(asymmetry, 0.5 / 4.0);
    let refused = Gram::symmetrised(2, vec![1.0, 0.0, f64::NAN, 1.0]);
    assert_eq!(refused.unwrap_err(), NotFinite { row: 1, column: 0 });
}

#[test]
fn eigenvalues_and_ranks_of_known_matrices() {
    // a I + b (1 − I): a + (n − 1) b once, a − b otherwise.
    let values = (0..25).map(|at| if at / 5 == at % 5 { 3.0 } else { 0.5 }).collect();
    let found = eigenvalues(&Gram::symmetrised(5, values).unwrap().0).unwrap();
    for (value, expected) in found.iter().zip([2.5, 2.5, 2.5, 2.5, 5.0]) {
        assert!((value - expected).abs() < 1e-12);
    }
    assert!((effective_rank(&[1.0; 8]) - 8.0).abs() < 1e-12);
    assert!((effective_rank(&[0.0, -1e-9, 5.0]) - 1.0).abs() < 1e-12);
}

#[test]
fn alignment_is_one_for_the_labels_themselves() {
    let labels = [0, 0, 1, 1, 2, 2];
    let own = label_gram(&labels);
    assert!((alignment(&own, &labels) - 1.0).abs() < 1e-12);
    assert!((alignment_centred(&own, &labels).unwrap() - 1.0).abs() < 1e-12);
    // The constant kernel: cosine √(Σ n_c²)/n, and nothing left when centred.
    let constant = Gram::symmetrised(6, vec![1.0; 36]).unwrap().0;
    assert!((alignment(&constant, &labels) - (12.0f64 / 36.0).sqrt()).abs() < 1e-12);
    assert_eq!(alignment_centred(&own, &[1; 6]), None);
}

/// The distance from HSIC₁ as Song et al. 2012 write it, and what it says of kernels of few probes.
#[test]
fn the_debiased_distance_is_that_of_hsic_1() {
    let hsic = |a: &Gram, b: &Gram| {
        let n = a.len();
        let off = |gram: &Gram, i: usize, j: usize| if i == j { 0.0 } else { gram.at(i, j) };
        let (mut product, mut both, mut all) = (0.0, 0.0, [0.0; 2]);
        for i in 0..n {
            let rows = [a, b].map(|gram| (0..n).map(|j| off(gram, i, j)).sum::<f64>());
            product += (0..n).map(|j| off(a, i, j) * off(b, j, i)).sum::<f64>();
            both += rows[0] * rows[1];
            all = [all[0] + rows[0], all[1] + rows[1]];
        }
        let n = n as f64;
        (product + all[0] * all[1] / ((n - 1.0) * (n - 2.0)) - 2.0 * both / (n - 2.0)) / (n * (n - 3.0))
    };
    let feature = |image: usize, place: usize, salt: usize| ((image * 7 + place * 13 + salt * 5) as f64 * 1.7).sin();
    let kernel = |n: usize, salt: usize| {
        let entry = |at: usize| (0..40).map(|k| feature(at / n, k, salt) * feature(at % n, k, salt)).sum::<f64>();
        Gram::symmetrised(n, (0..n * n).map(entry).collect()).unwrap().0
    };
    for n in [4, 7, 12] {
        let (a, b) = (kernel(n, 0), kernel(n, 1));
        let expected = 1.0 - hsic(&a, &b) / (hsic(&a, &a) * hsic(&b, &b)).sqrt();
        let found = distance(&a, &b, Centring::Debiased);
        assert!((found - expected).abs() < 1e-11, "{n} images: {found} for {expected}");
        // What is added to the diagonal says nothing about pairs.
        let more = Gram::symmetrised(
            n,
            (0..n * n).map(|at| a.values()[at] + if at % (n + 1) == 0 { 9.0 } else { 0.0 }).collect(),
        );
        assert!((distance(&more.unwrap().0, &b, Centring::Debiased) - found).abs() < 1e-11);
    }
    let few = kernel(3, 0);
    assert!(distance(&few, &few, Centring::Debiased).is_nan(), "three images are too few");
}

/// The moments over permutations in closed form, against all 720 permutations.
#[test]
fn permuted_labels_reach_what_all_permutations_reach() {
    fn permute(labels: &mut Vec<usize>, from: usize, each: &mut impl FnMut(&[usize])) {
        if from == labels.len() {
            return each(labels);
        }
        for place in from..labels.len() {
            labels.swap(from, place);
            permute(labels, from + 1, each);
            labels.swap(from, place);
        }
    }
    let entry =
        |at: usize| (0..4).map(|k| ((at / 6 + 2 * k) as f64).sin() * ((at % 6 + 2 * k) as f64).sin() + 0.3).sum();
    let kernel = Gram::symmetrised(6, (0..36).map(entry).collect()).unwrap().0;
    for labels in [vec![0, 0, 0, 1, 1, 2], vec![0, 1, 2, 3, 4, 5], vec![0, 0, 0, 0, 0, 1]] {
        let moments = |of: &dyn Fn(&[usize]) -> f64| {
            let mut found = Vec::new();
            permute(&mut labels.clone(), 0, &mut |labels| found.push(of(labels)));
            let mean = found.iter().sum::<f64>() / found.len() as f64;
            let variance = found.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / found.len() as f64;
            (mean, variance.sqrt())
        };
        let plain = PermutedAlignment::of(&kernel, &labels).unwrap();
        let centred = PermutedAlignment::centred(&kernel, &labels).unwrap();
        let expected = moments(&|labels| alignment(&kernel, labels));
        assert!(
            (plain.mean - expected.0).abs() < 1e-12 && (plain.deviation - expected.1).abs() < 1e-7,
            "{plain:?} {expected:?}"
        );
        let expected = moments(&|labels| alignment_centred(&kernel, labels).unwrap());
        assert!(
            (centred.mean - expected.0).abs() < 1e-12 && (centred.deviation - expected.1).abs() < 1e-7,
            "{centred:?} {expected:?}"
        );
    }
    assert_eq!(PermutedAlignment::of(&kernel.block(0..3), &[0, 1, 2]), None);
    assert_eq!(PermutedAlignment::centred(&kernel, &[1; 6]), None);
}

#[test]
fn a_kernel_without_signal_has_no_direction() {
    let labels = [0, 0, 0, 1, 1, 1];
    let of = |entry: &dyn Fn(usize, usize) -> f64| {
        Gram::symmetrised(6, (0..36).map(|at| entry(at / 6, at % 6)).collect()).unwrap().0
    };
    let live = of(&|i, j| 1.0 + f64::from(u8::from(i == j)) * i as f64);
    // A dead network's kernel is constant, and rounded to f32; a last layer's bias is 1 everywhere.
    let dead = |salt: f64| of(&|i, j| f64::from((0.3 * (1.0 + 1e-7 * (salt * (i * j) as f64).sin())) as f32));
    let constant = of(&|_, _| 1.0);
    let zero = of(&|_, _| 0.0);
    for (a, b) in [(dead(1.0), dead(2.0)), (dead(1.0), live.clone()), (constant.clone(), constant.clone())] {
        assert!(distance(&a, &b, Centring::Centred).is_nan() && distance(&b, &a, Centring::Centred).is_nan());
        assert!(distance(&a, &b, Centring::Uncentred) >= 0.0);
        let found = distances(&[a.clone(), b], Centring::Centred);
        assert!(found[1].is_nan() && found[0] == 0.0);
        assert_eq!(alignment_centred(&a, &labels), None);
        assert!(alignment(&a, &labels) > 0.0);
    }
    assert!(distance(&zero, &live, Centring::Uncentred).is_nan() && alignment(&zero, &labels).is_nan());
    assert_eq!(alignment_centred(&zero, &labels), None);
    assert!(change(&live, &zero).rotation.is_nan() && change(&zero, &live).drift == 1.0);
    // One probe alone is centred to nothing.
    let one = Gram::symmetrised(1, vec![3.0]).unwrap().0;
    assert!(distance(&one, &one, Centring::Centred).is_nan());
    // Nothing above 0 carries nothing.
    assert!(effective_rank(&[0.0; 6]).is_nan() && effective_rank(&[-6.0, -1e-17, 1e-16]).is_nan());
    assert!(effective_rank(&eigenvalues(&zero).unwrap()).is_nan());
    assert!(effective_rank(&eigenvalues(&scaled(&constant, -1.0, 0.0)).unwrap()).is_nan());
}

#[test]
fn entries_of_any_size_have_their_metrics() {
    let labels = [0, 0, 0, 1, 1, 1];
    let entry = |at: usize, more: f64| 1.0 + f64::from(u8::from(at / 6 == at % 6)) * (at as f64 / 7.0 + more);
    let [a, b] = [0.0, 3.0].map(|more| Gram::symmetrised(6, (0..36).map(|at| entry(at, more)).collect()).unwrap().0);
    let all = |a: &Gram, b: &Gram| {
        let moved = change(a, b);
        [
            distance(a, b, Centring::Centred),
            distance(a, b, Centring::Uncentred),
            alignment(a, &labels),
            alignment_centred(a, &labels).unwrap(),
            effective_rank(&eigenvalues(a).unwrap()),
            distances(&[a.clone(), b.clone()], Centring::Centred)[1],
            moved.scale,
            moved.rotation,
            moved.drift,
        ]
    };
    let expected = all(&a, &b);
    for size in [1e170, 1e300, 1e-170, 1e-290] {
        let [a, b] = [&a, &b].map(|gram| scaled(gram, size, 0.0));
        for (found, expected) in all(&a, &b).iter().zip(&expected) {
            assert!((found / expected - 1.0).abs() < 1e-12, "{size:e}: {found} {expected}");
        }
        assert!((a.frobenius() / size / expected[6] - b.frobenius() / size).abs() < 1e-9);
    }
}

#[test]
fn forgetting_counts_from_the_right_task() {
    let matrix = vec![vec![0.9, 0.1, 0.0], vec![0.5, 0.8, 0.1], vec![0.6, 0.3, 0.7]];
    assert!((average_accuracy(&matrix).unwrap() - (0.6 + 0.3 + 0.7) / 3.0).abs() < 1e-12);
    let lost = forgetting(&matrix);
    assert!((lost[0] - 0.3).abs() < 1e-12 && (lost[1] - 0.5).abs() < 1e-12 && lost.len() == 2);
    assert!((backward_transfer(&matrix).unwrap() - ((0.6 - 0.9) + (0.3 - 0.8)) / 2.0).abs() < 1e-12);
    // After the first task nothing can be forgotten yet.
    assert!(forgetting(&matrix[..1]).is_empty() && backward_transfer(&matrix[..1]).is_none());
    assert_eq!(average_accuracy(&[]), None);
}

#[test]
fn the_interval_of_a_slope_is_the_textbooks() {
    // x = e, e², e³, e⁴; ln y = 1, 2, 2, 3: slope 0.6, residual sum 0.2, error √(0.1/5), t(2) = 4.303.
    let points: Vec<(f64, f64)> =
        [(1.0, 1.0), (2.0, 2.0), (3.0, 2.0), (4.0, 3.0)].iter().map(|(x, y): &(f64, f64)| (x.exp(), y.exp())).collect();
    let law = power_law(&points).unwrap();
    assert!((law.slope - 0.6).abs() < 1e-12);
    assert!((law.half_width - 4.303 * (0.1f64 / 5.0).sqrt()).abs() < 1e-9);
}

/// A linear model of five features, trained by plain gradient descent written out in weights: its residual along each
/// eigenvector of X Xᵀ is what the closed form says, the one that explodes included.
#[test]
fn a_linear_models_residual_decays_mode_by_mode() {
    let (n, features, logits) = (7, 5, 3);
    let noise = |at: usize, salt: f64| ((at as f64 * 12.9898 + salt).sin() * 43_758.547).fract() - 0.5;
    let x: Vec<f64> = (0..n * features).map(|at| noise(at, 1.0)).collect();
    let y: Vec<f64> = (0..n * logits).map(|at| noise(at, 2.0)).collect();
    let mut w: Vec<f64> = (0..features * logits).map(|at| noise(at, 3.0)).collect();
    let dot = |a: usize, b: usize| (0..features).map(|k| x[a * features + k] * x[b * features + k]).sum::<f64>();
    let gram = Gram::symmetrised(n, (0..n * n).map(|at| dot(at / n, at % n)).collect()).unwrap().0;
    let modes = Modes::of(&gram).unwrap();
    for (value, expected) in modes.values().iter().zip(eigenvalues(&gram).unwrap().iter().rev()) {
        assert!((value - expected).abs() < 1e-12);
    }
    for rank in 0..n {
        let vector = modes.vector(rank);
        let mut product = vec![0.0; n];
        gram.multiply(vector, &mut product);
        assert!(product.iter().zip(vector).all(|(a, v)| (a - modes.values()[rank] * v).abs() < 1e-12));
        let largest = vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
        assert!(largest > 0.0, "the sign is fixed");
    }
    let residual = |w: &[f64]| -> Vec<f64> {
        let f =
            |at: usize| (0..features).map(|k| x[at / logits * features + k] * w[k * logits + at % logits]).sum::<f64>();
        (0..n * logits).map(|at| f(at) - y[at]).collect()
    };
    // A little above the largest stable rate.
    let rate = 2.05 * (n * logits) as f64 / modes.values()[0];
    let start = modes.energies(&residual(&w), logits);
    let whole: f64 = residual(&w).iter().map(|r| r * r).sum();
    assert!((start.iter().sum::<f64>() / whole - 1.0).abs() < 1e-12, "the modes share the residual");
    for step in 1..=20 {
        let r = residual(&w);
        for k in 0..features {
            for c in 0..logits {
                let slope: f64 = (0..n).map(|i| x[i * features + k] * r[i * logits + c]).sum();
                w[k * logits + c] -= rate * slope / (n * logits) as f64;
            }
        }
        let now = modes.energies(&residual(&w), logits);
        for rank in 0..n {
            let expected = start[rank] * remaining_energy(rate, modes.values()[rank], n * logits, f64::from(step));
            assert!((now[rank] - expected).abs() < 1e-9 * start[rank].max(expected), "mode {rank} after {step} steps");
        }
    }
    assert!(
        remaining_energy(rate, modes.values()[0], n * logits, 20.0) > 1.0,
        "beyond the largest stable rate the first explodes"
    );
}
