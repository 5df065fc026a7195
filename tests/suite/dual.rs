//! The dual activations against integrals that know nothing of their closed forms, and the kernels made of them where variances are
//! large, inputs are parallel, and squares overflow.

use kernelscope::spec::{Activation, NetworkSpec, Parametrisation};
use kernelscope::theory::{Infinite, Kernels, NoKernels, dual};

const ALL: [Activation; 4] = [Activation::Relu, Activation::Erf, Activation::Gelu, Activation::Tanh];

fn network(activation: Activation, depth: usize, sigma_w: f64) -> NetworkSpec {
    let parametrisation = Parametrisation::Ntk;
    NetworkSpec { parametrisation, activation, sigma_w, sigma_b: 0.0, ..NetworkSpec::default() }.with("depth", depth)
}

fn among(network: &NetworkSpec, dim: usize, inputs: &[f64]) -> Result<Kernels, NoKernels> {
    let limit = Infinite::of(network, [1, 1, dim]).unwrap();
    limit.own(&limit.points(inputs), &|| false)
}

fn near(found: f64, expected: f64, scale: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(scale), "{what}: {found:e} {expected:e}");
}

#[test]
fn every_dual_is_its_double_integral() {
    // Variances from 1e-6 to 1e8, equal and not, and correlations from −1 to 1, within 1e-12 of them and at them.
    let file = npyz::NpyFile::new(&include_bytes!("../fixtures/dual.npy")[..]).unwrap();
    assert_eq!(file.shape()[1], 6);
    let table: Vec<f64> = file.into_vec().unwrap();
    for row in table.chunks_exact(6) {
        let activation = ALL[row[0] as usize];
        for [a, b] in [[1, 2], [2, 1]] {
            let (value, slope) = dual(activation, [row[a], row[b]], row[3]);
            let what = format!("{activation:?} of variances {:e} and {:e}, covariance {:e}", row[a], row[b], row[3]);
            // κ of GELU passes 0, and then is only as exact as what it is made of.
            let own = |q: f64| dual(activation, [q, q], q).0;
            near(value, row[4], 1e-9 * (own(row[a]) * own(row[b])).sqrt(), &what);
            near(slope, row[5], 0.0, &what);
        }
    }
    for activation in ALL {
        let rows = table.chunks_exact(6).filter(|row| ALL[row[0] as usize] == activation);
        assert!(rows.count() > 200, "the table is whole");
    }
}

#[test]
fn tanh_of_large_variances_is_its_integral() {
    // One input per variance: NNGP(x, x) = E tanh², NTK(x, x) = E tanh² + q E tanh′², by the trapezoidal rule in u itself.
    let variances = [1.0, 50.0, 200.0, 400.0, 1e3, 2e3, 5e3, 2e4, 1e6];
    let inputs: Vec<f64> = variances.iter().flat_map(|q: &f64| [(2.0 * q).sqrt(), 0.0]).collect();
    let found = among(&network(Activation::Tanh, 1, 1.0), 2, &inputs).unwrap();
    for (at, &q) in variances.iter().enumerate() {
        let (end, step) = (40.0 + 9.0 * q.sqrt(), 0.02);
        let (mut square, mut slope) = (0.0, 0.0);
        for node in 0..=(2.0 * end / step) as usize {
            let u = node as f64 * step - end;
            let weight = (-u * u / (2.0 * q)).exp() * step / (std::f64::consts::TAU * q).sqrt();
            square += weight * u.tanh().powi(2);
            slope += weight * (1.0 - u.tanh().powi(2)).powi(2);
        }
        let at = at * variances.len() + at;
        near(found.nngp[at], square, 0.0, &format!("NNGP at {q}"));
        near(found.ntk[at], square + q * slope, 0.0, &format!("NTK at {q}"));
    }
}

#[test]
fn parallel_inputs_are_parallel_whatever_their_rounding() {
    // x, 3x and −x: the correlation is ±1 exactly, and q₁q₂ − q² of rounded products is not 0.
    let x = [0.1, -0.7, 0.3];
    for size in [1.0, 1e2, 1e4] {
        let inputs: Vec<f64> = [1.0, 3.0, -1.0].iter().flat_map(|by| x.map(|value| by * size * value)).collect();
        for activation in ALL {
            let found = among(&network(activation, 1, 1.5), 3, &inputs).unwrap();
            let q = 2.25 * size * size * x.iter().map(|value| value * value).sum::<f64>() / 3.0;
            for (at, [v, c]) in [(1, [9.0, 3.0]), (2, [1.0, -1.0])] {
                let (value, slope) = dual(activation, [q, v * q], c * q);
                let ntk = 2.25 * (value + slope * c * q);
                let scale = (found.ntk[0] * found.ntk[4 * at]).sqrt();
                assert!((found.nngp[at] - 2.25 * value).abs() <= 1e-10 * (found.nngp[0] * found.nngp[4 * at]).sqrt());
                assert!((found.ntk[at] - ntk).abs() <= 1e-9 * scale, "{activation:?} {size}: {} {ntk}", found.ntk[at]);
            }
        }
    }
}

#[test]
fn what_is_larger_than_any_number_is_refused() {
    // ReLU is the same at every scale: Θ(x, x) = (L + 1) q, also where q² is no number.
    let inputs = [0.3e80, -0.9e80, 0.2e80, 0.5e80, 0.4e80, -0.3e80];
    let found = among(&network(Activation::Relu, 2, std::f64::consts::SQRT_2), 3, &inputs).unwrap();
    let small = among(&network(Activation::Relu, 2, std::f64::consts::SQRT_2), 3, &inputs.map(|x| x / 1e80)).unwrap();
    for (found, small) in found.ntk.iter().zip(&small.ntk) {
        near(found / 1e160, *small, 0.0, "a scaled kernel");
    }
    // What saturates does so, and what is normalised has no scale.
    for (activation, norm) in [(Activation::Tanh, "none"), (Activation::Erf, "none"), (Activation::Gelu, "layer")] {
        let network = network(activation, 1, 1.0).with("norm", norm);
        let found = among(&network, 3, &inputs).unwrap();
        assert!(found.nngp.iter().chain(&found.ntk).all(|value| value.is_finite()));
        let again = among(&network, 3, &inputs.map(|x| x * 1e20)).unwrap();
        near(found.nngp[1], again.nngp[1], 0.0, "saturated");
        near(found.ntk[1], again.ntk[1], 0.0, "saturated, as q κ′ does");
    }
    for activation in ALL {
        assert_eq!(among(&network(activation, 2, 1.0), 3, &inputs.map(|x| x * 1e80)), Err(NoKernels::TooLarge));
        assert_eq!(among(&network(activation, 2, 1e160), 3, &[0.1, 0.2, 0.3]), Err(NoKernels::TooLarge));
        // Nothing is left of squares that vanish, and that is no error.
        assert!(among(&network(activation, 2, 1.0), 3, &[1e-200, 0.0, 0.0, 0.0, 1e-170, 0.0]).is_ok());
    }
}

#[test]
fn what_rounding_hides_is_refused() {
    // In a second layer nobody knows how much two nearly parallel inputs of variance 1e12 differ.
    let refused = among(&network(Activation::Gelu, 2, 1e3), 3, &[1e3, 2e3, 3e3, 3e3, 6e3, 9e3 + 1e-9]).unwrap_err();
    assert_eq!(refused, NoKernels::Unresolved { row: 0, column: 1 });
    assert!(refused.to_string().contains("scale the inputs"));
    // In the first it is known, and inputs that differ are no matter at all.
    assert!(among(&network(Activation::Gelu, 1, 1e3), 3, &[1e3, 2e3, 3e3, 3e3, 6e3, 9e3]).is_ok());
    assert!(among(&network(Activation::Gelu, 2, 1e3), 3, &[1e3, 2e3, 3e3, 3e3, 1e3, 9e3]).is_ok());
}
