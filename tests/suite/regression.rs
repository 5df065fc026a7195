//! Kernel regression: against JAX, against closed forms, against ridge regression on features, and what it says of itself.

use faer::linalg::solvers::Solve as _;
use faer::{Mat, MatRef};
use kernelscope::math::Gram;
use kernelscope::math::regression::{Regression, RegressionError};
use proptest::prelude::*;

fn gram(n: usize, values: &[f64]) -> Gram {
    Gram::symmetrised(n, values.to_vec()).unwrap().0
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let gap: f64 = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    (gap / expected.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

/// 32 training and 16 test images of `neural_tangents`' predictions; see `tests/fixtures/make.py` for the columns.
struct Reference {
    table: Vec<f64>,
    columns: usize,
}

impl Reference {
    fn read() -> Self {
        let bytes = include_bytes!("../fixtures/regression.npy");
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        let columns = file.shape()[1] as usize;
        Self { table: file.into_vec().unwrap(), columns }
    }

    /// Columns of the training images and of the test images.
    fn of(&self, columns: std::ops::Range<usize>) -> (Vec<f64>, Vec<f64>) {
        let rows = self.table.chunks_exact(self.columns).map(|row| &row[columns.clone()]);
        let all: Vec<&[f64]> = rows.collect();
        (all[..32].concat(), all[32..].concat())
    }
}

#[test]
fn predictions_agree_with_neural_tangents() {
    let reference = Reference::read();
    let (targets, _) = reference.of(64..74);
    for (kernel, mean) in [(0..32, 94..104), (32..64, 104..114)] {
        let ((square, rectangle), (_, expected)) = (reference.of(kernel), reference.of(mean));
        let kernel = gram(32, &square);
        let fit = Regression::solve(&kernel, &targets, None, 1e-4 * kernel.trace() / 32.0).unwrap();
        let difference = relative(&fit.predict(&rectangle, None).unwrap(), &expected);
        assert!(difference < 1e-7 && fit.jitter == 0.0 && fit.residual < 1e-12, "{difference:e}, {fit:?}");
    }
    // Ridgeless, from the network's outputs at the start: where gradient descent in function space has arrived at t = 10⁴.
    let ((square, rectangle), (start, start_test)) = (reference.of(32..64), reference.of(74..84));
    let (end, end_test) = reference.of(84..94);
    let fit = Regression::solve(&gram(32, &square), &targets, Some(&start), 0.0).unwrap();
    let learnt = fit.predict(&square, Some(&start)).unwrap();
    assert!(relative(&learnt, &targets) < 1e-8, "interpolates");
    assert!(relative(&learnt, &end) < 1e-7);
    assert!(relative(&fit.predict(&rectangle, Some(&start_test)).unwrap(), &end_test) < 1e-7);
    // λ_max/λ_min = 115.2 by LAPACK; the estimate stays below and near.
    assert!((100.0..115.22).contains(&fit.condition), "{}", fit.condition);
}

#[test]
fn closed_forms() {
    // One image: a = y/(k + λ).
    let fit = Regression::solve(&gram(1, &[4.0]), &[2.0, -6.0], None, 1.0).unwrap();
    assert!((fit.weight(0, 0) - 0.4).abs() < 1e-15 && (fit.weight(0, 1) + 1.2).abs() < 1e-15);
    assert!((fit.condition - 1.0).abs() < 1e-14 && fit.jitter == 0.0);
    let found = fit.predict(&[3.0, 0.0], Some(&[1.0, 1.0, 2.0, 3.0])).unwrap();
    assert!(relative(&found, &[2.2, -2.6, 2.0, 3.0]) < 1e-15);
    // Images that the kernel cannot tell apart: their targets' mean, shrunk by the ridge.
    let ones = gram(4, &[1.0; 16]);
    let fit = Regression::solve(&ones, &[0.0, 1.0, 2.0, 5.0], None, 0.5).unwrap();
    assert!((fit.predict(&[1.0; 4], None).unwrap()[0] - 8.0 / 4.5).abs() < 1e-14);
    assert!((fit.condition - 9.0).abs() < 1e-9, "{}", fit.condition);
    // Without a ridge no weights interpolate; the jitter is said, and so is what could not be fitted.
    let fit = Regression::solve(&ones, &[0.0, 1.0, 2.0, 5.0], None, 0.0).unwrap();
    assert!((fit.predict(&[1.0; 4], None).unwrap()[0] - 2.0).abs() < 1e-2, "the mean");
    assert!(fit.jitter > 0.0 && fit.jitter <= 1e-3 && fit.condition > 1e3, "{fit:?}");
    assert!((fit.residual - (14.0f64 / 30.0).sqrt()).abs() < 1e-2, "{}", fit.residual);
}

#[test]
fn what_cannot_be_solved_is_named() {
    let kernel = gram(2, &[2.0, 1.0, 1.0, 2.0]);
    let solve = |targets: &[f64], start: Option<&[f64]>, ridge: f64| {
        Regression::solve(&kernel, targets, start, ridge).unwrap_err().to_string()
    };
    assert!(solve(&[], None, 0.0).contains("nothing to learn from"));
    assert!(solve(&[1.0, 2.0, 3.0], None, 0.0).contains("the targets must have 2 rows"));
    assert!(solve(&[1.0, 2.0, f64::NAN, 3.0], None, 0.0).contains("row 1, column 0 of the targets is not a number"));
    assert!(
        solve(&[1.0, 2.0], Some(&[1.0]), 0.0).contains("1 values are given for the outputs at the start where 2 × 1")
    );
    assert!(
        solve(&[1.0, 2.0], Some(&[1.0, f64::INFINITY]), 0.0).contains("row 1, column 0 of the outputs at the start")
    );
    for ridge in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(solve(&[1.0, 2.0], None, ridge).contains("the ridge must be a number from 0 on"));
    }
    let fit = Regression::solve(&kernel, &[1.0, 2.0], None, 0.0).unwrap();
    let refused = |rectangle: &[f64]| fit.predict(rectangle, None).unwrap_err();
    assert!(matches!(refused(&[1.0, 2.0, 3.0]), RegressionError::Size { values: 3, .. }));
    assert!(refused(&[1.0, f64::NAN]).to_string().contains("row 0, column 1"));
    // An eigenvalue of −1 is no rounding.
    let indefinite = gram(2, &[1.0, 2.0, 2.0, 1.0]);
    let refusal = Regression::solve(&indefinite, &[1.0, 2.0], None, 0.0).unwrap_err().to_string();
    assert!(refusal.contains("add a ridge") && refusal.contains("1.0e-3"), "{refusal}");
    assert!(Regression::solve(&indefinite, &[1.0, 2.0], None, 1.5).is_ok());
    assert!(Regression::solve(&gram(2, &[0.0; 4]), &[1.0, 2.0], None, 0.0).is_err());
}

proptest! {
    /// K = ΦΦᵀ: the same predictions as ridge regression on the features, whose normal equations are (ΦᵀΦ + λI) w = Φᵀ y.
    #[test]
    fn the_kernel_trick(
        features in prop::collection::vec(-2.0f64..2.0, 8 * 3),
        others in prop::collection::vec(-2.0f64..2.0, 5 * 3),
        targets in prop::collection::vec(-2.0f64..2.0, 8 * 2),
        ridge in 0.01f64..10.0,
    ) {
        let [phi, other] = [(&features, 8), (&others, 5)].map(|(values, n)| MatRef::from_row_major_slice(values, n, 3));
        let y = MatRef::from_row_major_slice(&targets, 8, 2);
        let values = |matrix: &Mat<f64>| -> Vec<f64> { matrix.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect() };
        let normal = phi.transpose() * phi + ridge * Mat::<f64>::identity(3, 3);
        let expected = other * normal.partial_piv_lu().solve(phi.transpose() * y);
        let fit = Regression::solve(&gram(8, &values(&(phi * phi.transpose()))), &targets, None, ridge).unwrap();
        let found = fit.predict(&values(&(other * phi.transpose())), None).unwrap();
        for (found, expected) in found.iter().zip(&values(&expected)) {
            prop_assert!((found - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{} {}", found, expected);
        }
        prop_assert!(fit.jitter == 0.0 && fit.residual < 1e-10 && fit.condition >= 1.0);
        // Rank 3 of 8: the ridge is the least eigenvalue, and the estimate of the condition is never above the truth.
        let largest = kernelscope::math::spectrum::eigenvalues(&gram(8, &values(&(phi * phi.transpose())))).unwrap()[7];
        prop_assert!(fit.condition <= (largest + ridge) / ridge * (1.0 + 1e-6));
    }
}
