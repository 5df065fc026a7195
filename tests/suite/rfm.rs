//! The recursive feature machine: against a Laplace kernel written out, against finite differences, and on targets of which the
//! right coordinates are known.

use std::cell::Cell;

use kernelscope::math::Gram;
use kernelscope::math::regression::{Regression, RegressionError};
use kernelscope::theory::Rfm;
use rand::SeedableRng as _;
use rand_distr::{Distribution as _, StandardNormal};

/// Normal inputs [n, d] and a target of them.
fn data(n: usize, d: usize, seed: u64, target: impl Fn(&[f64]) -> f64) -> (Vec<f64>, Vec<f64>) {
    let mut generator = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let inputs: Vec<f64> = (0..n * d).map(|_| StandardNormal.sample(&mut generator)).collect();
    let targets = inputs.chunks_exact(d).map(target).collect();
    (inputs, targets)
}

fn learn(inputs: &[f64], d: usize, targets: &[f64], validation: (&[f64], &[f64]), rounds: usize) -> Rfm {
    Rfm::fit(inputs, d, targets, &[1e-6], validation, rounds, &|| false).unwrap().unwrap()
}

fn mean_square(found: &[f64], expected: &[f64]) -> f64 {
    found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / expected.len() as f64
}

fn product(x: &[f64]) -> f64 {
    x[0] * x[1]
}

#[test]
fn without_a_round_it_is_laplace_regression() {
    let (n, d) = (40, 3);
    let (inputs, first) = data(n, d, 1, product);
    let targets: Vec<f64> = first.iter().zip(&inputs).flat_map(|(y, x)| [*y, x.sin()]).collect();
    let (others, _) = data(7, d, 2, product);
    let distance = |x: &[f64], z: &[f64]| x.iter().zip(z).map(|(x, z)| (x - z).powi(2)).sum::<f64>().sqrt();
    let pairs = |left: &[f64]| -> Vec<f64> {
        left.chunks(d).flat_map(|x| inputs.chunks(d).map(move |z| distance(x, z))).collect()
    };
    let length = pairs(&inputs).iter().sum::<f64>() / (n * (n - 1)) as f64;
    let kernel = |left: &[f64]| -> Vec<f64> { pairs(left).iter().map(|distance| (-distance / length).exp()).collect() };
    let gram = Gram::symmetrised(n, kernel(&inputs)).unwrap().0;
    // Of the two ridges the validation, which is the training itself, takes the smaller.
    let found = Rfm::fit(&inputs, d, &targets, &[0.5, 0.1], (&inputs, &targets), 0, &|| false).unwrap().unwrap();
    assert_eq!((found.round, found.ridge, found.jitter), (0, 0.1, 0.0));
    assert!((found.bandwidth() / length - 1.0).abs() < 1e-12);
    let by_hand = Regression::solve(&gram, &targets, None, 0.1).unwrap();
    let expected = by_hand.predict(&kernel(&others), None).unwrap();
    assert!(found.predict(&others).iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-7));
    let error = mean_square(&by_hand.predict(gram.values(), None).unwrap(), &targets);
    assert!((found.error / error - 1.0).abs() < 1e-6);
}

/// The gradient is that of the predictor, and the next M is the mean outer product of the gradients.
#[test]
fn gradients_and_what_is_learnt_from_them() {
    let d = 4;
    let both = |n: usize, seed: u64| {
        let (inputs, first) = data(n, d, seed, product);
        let targets: Vec<f64> = first.iter().zip(&inputs).flat_map(|(y, x)| [*y, x.sin()]).collect();
        (inputs, targets)
    };
    let ((inputs, targets), (x, y)) = (both(60, 3), both(200, 4));
    let [plain, learnt] =
        [0, 1].map(|rounds| Rfm::fit(&inputs, d, &targets, &[1e-2], (&x, &y), rounds, &|| false).unwrap().unwrap());
    assert_eq!(learnt.round, 1);

    let mut sum = vec![0.0; d * d];
    for output in 0..2 {
        for gradient in plain.gradient(&inputs, output).chunks_exact(d) {
            (0..d * d).for_each(|at| sum[at] += gradient[at / d] * gradient[at % d]);
        }
    }
    let trace: f64 = (0..d).map(|k| sum[k * d + k]).sum();
    for (found, expected) in learnt.metric().iter().zip(&sum) {
        assert!((found - expected * d as f64 / trace).abs() < 1e-10);
    }
    // Between training inputs, with M = I and with the learnt one; on the kink of a training input its own term is 0, as is
    // the mean of the slopes on both sides of it.
    let (others, _) = data(5, d, 5, product);
    let step = 1e-5;
    for (machine, points) in [(&plain, &others[..]), (&learnt, &others[..]), (&learnt, &inputs[..5 * d])] {
        for output in 0..2 {
            let gradient = machine.gradient(points, output);
            for (at, expected) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut point = points[at / d * d..][..d].to_vec();
                    point[at % d] += by;
                    machine.predict(&point)[output]
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * step);
                assert!((slope - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{slope} {expected}");
            }
        }
    }
}

#[test]
fn it_finds_the_coordinates_that_matter() {
    let d = 10;
    let he2 = |x: &[f64]| (x[0] * x[0] - 1.0) / 2f64.sqrt();
    for (target, relevant) in [(&product as &dyn Fn(&[f64]) -> f64, 2), (&he2, 1)] {
        let [(inputs, targets), (x, y), (test, truth)] =
            [(256, 1), (200, 2), (500, 3)].map(|(n, seed)| data(n, d, seed, target));
        let [plain, learnt] = [0, 5].map(|rounds| learn(&inputs, d, &targets, (&x, &y), rounds));
        let [before, after] = [&plain, &learnt].map(|machine| mean_square(&machine.predict(&test), &truth));
        assert!(learnt.round > 0 && after < 0.25 * before, "{before} before, {after} after {} rounds", learnt.round);
        let trace = |k: usize| (0..k).map(|k| learnt.metric()[k * d + k]).sum::<f64>();
        assert!((trace(d) - 10.0).abs() < 1e-9 && trace(relevant) > 0.95 * 10.0, "{:?}", learnt.metric());
    }
}

#[test]
fn the_size_of_targets_and_the_order_of_ridges_do_not_matter() {
    let (n, d) = (80, 5);
    let ((inputs, targets), (x, y)) = (data(n, d, 1, product), data(60, d, 2, product));
    let fit = |scale: f64, ridges: &[f64]| {
        let [targets, y] = [&targets, &y].map(|values| values.iter().map(|value| value * scale).collect::<Vec<f64>>());
        Rfm::fit(&inputs, d, &targets, ridges, (&x, &y), 3, &|| false).unwrap().unwrap()
    };
    let (one, other) = (fit(1.0, &[1e-4, 1e-2, 1.0]), fit(1000.0, &[1.0, 1e-2, 1e-4]));
    assert_eq!((one.round, one.ridge), (other.round, other.ridge));
    assert!(one.metric().iter().zip(other.metric()).all(|(a, b)| (a - b).abs() < 1e-8));
    assert!((other.error / one.error / 1e6 - 1.0).abs() < 1e-8);
    assert!((0..d * d).all(|at| one.metric()[at] == one.metric()[at % d * d + at / d]), "symmetric");
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let (n, d) = (512, 40);
    let (inputs, one) = data(n, d, 1, product);
    let two: Vec<f64> = one.iter().zip(&inputs).flat_map(|(y, x)| [*y, *x]).collect();
    for targets in [&one, &two] {
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                // A ridge as large as the kernel, so that a learnt M is better on what was learnt too.
                let part = (&inputs[..50 * d], &targets[..targets.len() / n * 50]);
                let found = Rfm::fit(&inputs, d, targets, &[300.0], part, 2, &|| false).unwrap().unwrap();
                assert_eq!(found.round, 2);
                (
                    found.predict(&inputs),
                    found.predict(&inputs[..d]),
                    found.gradient(&inputs, 0),
                    found.metric().to_vec(),
                )
            })
        };
        let alone = bits(1);
        assert!([2, 5].iter().all(|&threads| bits(threads) == alone));
    }
}

#[test]
fn what_it_refuses_and_what_it_bears() {
    let ((inputs, targets), (x, y)) = (data(20, 2, 1, product), data(10, 2, 2, product));
    let fit = |inputs: &[f64], targets: &[f64], ridges: &[f64], x: &[f64], y: &[f64]| {
        Rfm::fit(inputs, 2, targets, ridges, (x, y), 2, &|| false)
    };
    assert_eq!(fit(&inputs, &targets, &[], &x, &y).unwrap_err(), RegressionError::Empty);
    assert_eq!(fit(&inputs, &targets, &[0.1, -1.0], &x, &y).unwrap_err(), RegressionError::Ridge(-1.0));
    let refused = |result: Result<Option<Rfm>, RegressionError>| result.unwrap_err().to_string();
    assert!(refused(fit(&inputs[1..], &targets, &[0.1], &x, &y)).contains("the inputs"));
    assert!(refused(fit(&inputs, &targets[1..], &[0.1], &x, &y)).contains("the targets"));
    assert!(refused(fit(&inputs, &targets, &[0.1], &x, &y[1..])).contains("the validation targets"));
    let mut broken = inputs.clone();
    broken[5] = f64::NAN;
    assert!(refused(fit(&broken, &targets, &[0.1], &x, &y)).contains("row 2, column 1"));
    // The same input twice, with different targets and no ridge: the jitter says so, and no slope is infinite.
    let twice = [&inputs[..], &inputs[..4]].concat();
    let found = fit(&twice, &[&targets[..], &[1.0, 2.0]].concat(), &[0.0], &x, &y).unwrap().unwrap();
    assert!(found.jitter > 0.0 && found.predict(&x).iter().chain(found.metric()).all(|value| value.is_finite()));
    // Nothing to learn, hence no direction; and all inputs the same.
    assert_eq!(fit(&inputs, &[0.0; 20], &[0.1], &x, &y).unwrap().unwrap().round, 0);
    assert!(fit(&[1.0; 40], &targets, &[0.1], &x, &y).unwrap().unwrap().error.is_finite());
    let asked = Cell::new(0);
    let stop = || asked.replace(asked.get() + 1) == 2;
    assert!(Rfm::fit(&inputs, 2, &targets, &[0.1], (&x, &y), 5, &stop).unwrap().is_none() && asked.get() == 3);
}
