//! Overlaps of eigenvectors and angles between their spans, against closed forms and against faer's own decompositions.

use faer::{Mat, Side};
use kernelscope::math::Gram;
use kernelscope::math::modes::Modes;
use kernelscope::math::overlap::{angles, overlaps};
use proptest::prelude::*;

fn gram(n: usize, value: impl Fn(usize, usize) -> f64) -> Gram {
    Gram::symmetrised(n, (0..n * n).map(|at| value(at / n, at % n)).collect()).unwrap().0
}

fn modes(gram: &Gram) -> Modes {
    Modes::of(gram).unwrap()
}

#[track_caller]
fn close(found: &[f64], expected: &[f64], within: f64) {
    assert_eq!(found.len(), expected.len());
    let gap = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(gap < within, "{found:?} against {expected:?}");
}

/// Σ λᵢ vᵢ vᵢ′ of orthonormal rows.
fn from_vectors(values: &[f64], vectors: &[Vec<f64>]) -> Gram {
    let sum = |r: usize, c: usize| values.iter().zip(vectors).map(|(value, v)| value * v[r] * v[c]).sum();
    gram(values.len(), sum)
}

/// The first eigenvector turned towards the third by θ, all others left alone.
fn turned(theta: f64) -> [Modes; 2] {
    let unit = |at: usize| (0..4).map(|place| f64::from(u8::from(place == at))).collect::<Vec<f64>>();
    let mut vectors: Vec<Vec<f64>> = (0..4).map(unit).collect();
    let values = [5.0, 3.0, 2.0, 0.5];
    let a = modes(&from_vectors(&values, &vectors));
    (vectors[0][0], vectors[0][2]) = (theta.cos(), theta.sin());
    (vectors[2][0], vectors[2][2]) = (-theta.sin(), theta.cos());
    [a, modes(&from_vectors(&values, &vectors))]
}

#[test]
fn a_rotation_by_a_known_angle_is_found() {
    let [a, b] = turned(0.4);
    let (c, s) = (0.4f64.cos().powi(2), 0.4f64.sin().powi(2));
    #[rustfmt::skip]
    let expected = [
        c, 0.0, s, 0.0,
        0.0, 1.0, 0.0, 0.0,
        s, 0.0, c, 0.0,
        0.0, 0.0, 0.0, 1.0,
    ];
    close(&overlaps(&a, &b, 4), &expected, 1e-14);
    close(&overlaps(&a, &b, 1), &[c], 1e-14);
    close(&angles(&a, &b, 1).unwrap(), &[0.4], 1e-14);
    close(&angles(&a, &b, 2).unwrap(), &[0.0, 0.4], 1e-14);
    // Three span what three span, whichever way the first turns.
    close(&angles(&a, &b, 3).unwrap(), &[0.0; 3], 1e-14);
    // Neither end of the scale loses digits.
    for theta in [1e-7, std::f64::consts::FRAC_PI_2 - 1e-7] {
        let [a, b] = turned(theta);
        close(&angles(&a, &b, 1).unwrap(), &[theta], 1e-14);
    }
}

#[test]
fn permuted_eigenvectors_give_a_permutation() {
    let diagonal = |values: [f64; 3]| modes(&gram(3, |r, c| if r == c { values[r] } else { 0.0 }));
    let (a, b) = (diagonal([3.0, 2.0, 1.0]), diagonal([1.0, 3.0, 2.0]));
    close(&overlaps(&a, &b, 3), &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 1e-14);
    // e₁, e₂ against e₂, e₃: one direction in common, one at a right angle.
    close(&angles(&a, &b, 2).unwrap(), &[0.0, std::f64::consts::FRAC_PI_2], 1e-14);
}

const N: usize = 7;

fn kernels() -> impl Strategy<Value = Gram> {
    proptest::collection::vec(-2.0f64..2.0, N * N).prop_map(|a| {
        let entry = |r: usize, c: usize| (0..N).map(|k| a[r * N + k] * a[c * N + k]).sum::<f64>();
        // Eigenvalues apart from one another, or the vectors would be anybody's choice.
        gram(N, |r, c| entry(r, c) + if r == c { 3.0 * r as f64 } else { 0.0 })
    })
}

/// Eigenvectors of another solver call, as columns, largest first.
fn columns(gram: &Gram, count: usize) -> Mat<f64> {
    let matrix = Mat::from_fn(N, N, |r, c| gram.at(r, c));
    let found = matrix.self_adjoint_eigen(Side::Lower).unwrap();
    Mat::from_fn(N, count, |r, c| found.U()[(r, N - 1 - c)])
}

proptest! {
    #[test]
    fn overlaps_obey_their_laws(a in kernels(), b in kernels(), by in 0.1f64..10.0, count in 1usize..=N) {
        let (of_a, of_b) = (modes(&a), modes(&b));
        let all = overlaps(&of_a, &of_b, N);
        for place in 0..N {
            let row: f64 = all[place * N..][..N].iter().sum();
            let column: f64 = (0..N).map(|row| all[row * N + place]).sum();
            prop_assert!((row - 1.0).abs() < 1e-12 && (column - 1.0).abs() < 1e-12);
        }
        // Scaling a kernel turns nothing.
        let scaled = modes(&gram(N, |r, c| by * a.at(r, c)));
        let same = overlaps(&of_a, &scaled, N);
        prop_assert!((0..N * N).all(|at| (same[at] - f64::from(u8::from(at / N == at % N))).abs() < 1e-12));
        // The order of the probes is nobody's.
        let mixed = |gram_: &Gram| modes(&gram(N, |r, c| gram_.at((3 * r + 2) % N, (3 * c + 2) % N)));
        let other = overlaps(&mixed(&a), &mixed(&b), N);
        prop_assert!(all.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-9));
        // Angles are those of the singular values of U′W, their mean cos² the sum of the overlaps.
        let found = angles(&of_a, &of_b, count).unwrap();
        let product = columns(&a, count).transpose() * columns(&b, count);
        let expected = product.singular_values().unwrap();
        for (angle, cosine) in found.iter().zip(expected) {
            prop_assert!((angle.cos() - cosine).abs() < 1e-9, "{} against {}", angle.cos(), cosine);
        }
        let squares: f64 = found.iter().map(|angle| angle.cos().powi(2)).sum();
        prop_assert!((squares - overlaps(&of_a, &of_b, count).iter().sum::<f64>()).abs() < 1e-9);
        let back = angles(&of_b, &of_a, count).unwrap();
        prop_assert!(found.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
