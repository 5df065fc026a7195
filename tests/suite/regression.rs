//! Kernel regression: against JAX, against closed forms, against ridge regression on features, and what it says of itself.

use faer::linalg::solvers::Solve as _;
use faer::{Mat, MatRef};
use kernelscope::math::Gram;
use kernelscope::math::decomposed::{EigenDecomposition, Rounding};
use kernelscope::math::regression::{Regression, RegressionError};
use kernelscope::math::spectrum::eigenpairs;
use kernelscope::theory::{KernelGradientDescent, TrainingLength, TrainingProblem};
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

/// Without eigenvectors the same regression, with its true condition; what is singular is refused.
#[test]
fn a_large_kernel_is_solved_without_eigenvectors() {
    let reference = Reference::read();
    let ((square, rectangle), (start, start_test)) = (reference.of(32..64), reference.of(74..84));
    let (targets, _) = reference.of(64..74);
    let (_, end_test) = reference.of(84..94);
    let kernel = gram(32, &square);
    let solve = |kernel: &Gram, rounding| Regression::without_eigenvectors(kernel, rounding, &targets, Some(&start));
    let fit = solve(&kernel, Rounding::Double).unwrap();
    assert!(
        relative(&fit.predict(&rectangle, Some(&start_test)).unwrap(), &end_test) < 1e-7,
        "as neural_tangents has it"
    );
    assert!((fit.condition / 115.2 - 1.0).abs() < 1e-3 && fit.jitter == 0.0 && fit.residual < 1e-12, "{fit:?}");
    let known = Regression::solve(&kernel, &targets, Some(&start), 0.0).unwrap();
    assert!((0..320).all(|at| (fit.weight(at / 10, at % 10) - known.weight(at / 10, at % 10)).abs() < 1e-10));
    // Two images that are equal but for rounding to f32.
    let mut values = vec![0.0; 32 * 32];
    (0..32 * 32).for_each(|at| values[at] = kernel.at((at / 32).min(30), (at % 32).min(30)));
    (0..32).for_each(|i| values[i * 33] += 1e-8 * kernel.at(0, 0));
    let near = gram(32, &values);
    assert_eq!(solve(&near, Rounding::Single).unwrap_err(), RegressionError::Singular);
    assert!(solve(&near, Rounding::Double).is_ok(), "in f64 that is no rounding");
    let indefinite = gram(2, &[1.0, 2.0, 2.0, 1.0]);
    let refused =
        |targets: &[f64]| Regression::without_eigenvectors(&indefinite, Rounding::Double, targets, None).unwrap_err();
    assert_eq!((refused(&[1.0, 2.0]), refused(&[])), (RegressionError::Singular, RegressionError::Empty));
}

#[test]
fn what_cannot_be_solved_is_named() {
    let kernel = gram(2, &[2.0, 1.0, 1.0, 2.0]);
    let solve = |targets: &[f64], start: Option<&[f64]>, ridge: f64| {
        Regression::solve(&kernel, targets, start, ridge).unwrap_err().to_string()
    };
    assert!(solve(&[], None, 0.0).contains("the regression has no data"));
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

    /// Any Gram of any rank, singular by copies with other labels, scaled copies and opposite rows: without a ridge the
    /// prediction is that of the pseudo-inverse, which on features is the least squares of least weights.
    #[test]
    fn without_a_ridge_it_is_the_pseudo_inverse(
        (n, rank) in (1usize..9).prop_flat_map(|n| (Just(n), 1..=n)),
        entries in prop::collection::vec(-2.0f64..2.0, 9 * 9),
        others in prop::collection::vec(-2.0f64..2.0, 4 * 9),
        copies in prop::collection::vec((0usize..9, prop::sample::select(vec![0.0, 1.0, -1.0, 3.0, 0.1])), 9),
        targets in prop::collection::vec(-2.0f64..2.0, 9 * 2),
        size in prop::sample::select(vec![1.0, 1e-9, 1e9, 1e-90, 1e90]),
    ) {
        let targets = &targets[..2 * n];
        let mut phi = Mat::from_fn(n, rank, |i, j| entries[i * 9 + j]);
        for row in rank..n {
            let (from, by) = copies[row];
            if by != 0.0 {
                (0..rank).for_each(|j| phi[(row, j)] = by * phi[(from % row, j)]);
            }
        }
        let other = Mat::from_fn(4, rank, |i, j| others[i * 9 + j]);
        let normal = phi.transpose() * &phi;
        let row_major = |matrix: &Mat<f64>, by: f64| -> Vec<f64> {
            (0..matrix.nrows() * matrix.ncols()).map(|at| by * matrix[(at / matrix.ncols(), at % matrix.ncols())]).collect()
        };
        let spread = kernelscope::math::spectrum::eigenvalues(&gram(rank, &row_major(&normal, 1.0))).unwrap();
        prop_assume!(spread[0] > 1e-3 * spread[rank - 1]);
        let expected = &other * normal.partial_piv_lu().solve(phi.transpose() * MatRef::from_row_major_slice(targets, n, 2));
        let scale = expected.norm_max().max(1.0);
        let kernel = gram(n, &row_major(&(&phi * phi.transpose()), size));
        let rectangle = row_major(&(&other * phi.transpose()), size);
        let far = |found: &[f64], expected: &Mat<f64>| {
            found.iter().enumerate().map(|(at, f)| (f - expected[(at / 2, at % 2)]).abs()).fold(0.0, f64::max) / scale
        };

        let fit = Regression::solve(&kernel, targets, None, 0.0).unwrap();
        prop_assert!(far(&fit.predict(&rectangle, None).unwrap(), &expected) < 1e-9, "{fit:?}");
        prop_assert_eq!((fit.rank, fit.jitter > 0.0), (rank, rank < n));
        prop_assert!(fit.condition >= 1.0 && fit.condition.is_finite());
        // It is the limit of a ridge, and of descent.
        let ridge = 1e-8 * kernel.trace();
        let near = Regression::solve(&kernel, targets, None, ridge).unwrap().predict(&rectangle, None).unwrap();
        prop_assert!(far(&near, &expected) < 1e-3);
        let descent = KernelGradientDescent::of(&kernel).unwrap();
        let lesson = TrainingProblem { start: &vec![0.0; 2 * n], targets };
        let end = descent.test(lesson, &rectangle, &[0.0; 8], &[TrainingLength::Flow(1e12 / size)]);
        prop_assert!(far(&end, &expected) < 1e-9 && descent.rank == rank && descent.condition() >= 1.0);
        // The same kernel as f32 products leave it.
        let single = |values: &[f64]| values.iter().map(|&value| f64::from((value / size) as f32)).collect::<Vec<_>>();
        let rounded = gram(n, &single(kernel.values()));
        let decomposed = EigenDecomposition::of(&rounded, Rounding::Single).unwrap();
        let fit = Regression::of(&decomposed, &rounded, targets, None, 0.0).unwrap();
        prop_assert!(far(&fit.predict(&single(&rectangle), None).unwrap(), &expected) < 1e-2, "{fit:?}");
        prop_assert_eq!(fit.rank, rank);
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let n = 300;
    let noise = |at: usize| (0.7 * at as f64).sin() + (0.31 * (at * at % 7919) as f64).cos();
    let features: Vec<f64> = (0..n * 40).map(noise).collect();
    let phi = MatRef::from_row_major_slice(&features, n, 40);
    let product = phi * phi.transpose();
    let kernel = gram(n, &(0..n * n).map(|at| product[(at / n, at % n)]).collect::<Vec<_>>());
    let targets: Vec<f64> = (0..n).map(|at| noise(3 * at)).collect();
    let bits = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let mut all = Vec::new();
            for ridge in [0.0, 0.1] {
                let fit = Regression::solve(&kernel, &targets, None, ridge).unwrap();
                all.extend(fit.predict(kernel.values(), None).unwrap());
                all.extend([fit.condition, fit.jitter, fit.residual]);
            }
            let (values, vectors) = eigenpairs(&kernel).unwrap();
            all.extend(values);
            all.extend(vectors.col_iter().flat_map(|column| column.iter().copied()));
            let descent = KernelGradientDescent::of(&kernel).unwrap();
            let lesson = TrainingProblem { start: &vec![0.0; n], targets: &targets };
            all.extend(descent.test(lesson, kernel.values(), &vec![0.0; n], &[TrainingLength::Flow(3.0)]));
            all.extend(kernelscope::math::modes::Modes::of(&kernel).unwrap().energies(&targets, 1));
            let mut system = product.clone();
            (0..n).for_each(|i| system[(i, i)] += 0.1);
            let (factor, _) = kernelscope::math::regression::factorised(&system, 1.0).unwrap();
            all.extend(factor.col_iter().flat_map(|column| column.iter().copied()));
            all.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        })
    };
    let alone = bits(1);
    assert!([2, 3, 8].iter().all(|&threads| bits(threads) == alone));
}
