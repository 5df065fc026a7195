//! The dual activations against integrals that know nothing of their closed forms, and the kernels made of them where variances are
//! large, inputs are parallel, and squares overflow.

use kernelscope::spec::ops::Function;
use kernelscope::spec::{Activation, NetworkSpec, Parametrisation};
use kernelscope::theory::{InfiniteNetwork, Kernels, LimitKernelError, dual, mean};
use proptest::prelude::*;

const ALL: [Activation; 4] = [Activation::Relu, Activation::Erf, Activation::Gelu, Activation::Tanh];

/// As `make_dual.py` numbers them.
fn functions() -> Vec<Function> {
    use Activation::*;
    let plain = |activations: &[Activation]| activations.iter().map(|&of| Function::Activation(of)).collect::<Vec<_>>();
    let mut functions = plain(&[Relu, Erf, Gelu, Tanh, LeakyRelu]);
    functions.push(Function::LeakyRelu(0.3));
    functions.extend(plain(&[Abs, GeluTanh, Silu, Sigmoid, Softplus, Sin, Cos, Exp, Square, Identity]));
    functions.push(Function::Polynomial(vec![0.3, -1.0, 0.5, 0.2, -0.1]));
    functions
}

/// κ and κ′ of a variance with itself.
fn own(function: &Function, q: f64) -> [f64; 2] {
    dual(function, [q, q], q).into()
}

/// √(κ₁₁κ₂₂) and √(κ′₁₁κ′₂₂).
fn sizes(function: &Function, [q1, q2]: [f64; 2]) -> [f64; 2] {
    let (left, right) = (own(function, q1), own(function, q2));
    [0, 1].map(|at| left[at].sqrt() * right[at].sqrt())
}

fn network(activation: Activation, depth: usize, sigma_w: f64) -> NetworkSpec {
    let parametrisation = Parametrisation::Ntk;
    NetworkSpec { parametrisation, activation, sigma_w, sigma_b: 0.0, ..NetworkSpec::default() }.with("depth", depth)
}

fn among(network: &NetworkSpec, dim: usize, inputs: &[f64]) -> Result<Kernels, LimitKernelError> {
    let limit = InfiniteNetwork::of(network, [1, 1, dim], 10).unwrap();
    limit.own(&limit.points(inputs), &|| false)
}

fn near(found: f64, expected: f64, scale: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(scale), "{what}: {found:e} {expected:e}");
}

/// Rows of function, variances, covariance, κ and κ′.
fn table(file: &[u8]) -> Vec<[f64; 6]> {
    let file = npyz::NpyFile::new(file).unwrap();
    assert_eq!(file.shape()[1], 6);
    let table: Vec<f64> = file.into_vec().unwrap();
    table.as_chunks().0.to_vec()
}

#[test]
fn every_dual_is_its_double_integral() {
    // Variances from 1e-6 to 1e8, equal and not, and correlations from −1 to 1, within 1e-12 of them and at them.
    let (functions, table) = (functions(), table(include_bytes!("../fixtures/dual.npy")));
    for &[kind, q1, q2, q, value, slope] in &table {
        let function = &functions[kind as usize];
        let sizes = sizes(function, [q1, q2]);
        for variances in [[q1, q2], [q2, q1]] {
            let found = dual(function, variances, q);
            let what = format!("{function:?} of variances {:e} and {:e}, covariance {q:e}", variances[0], variances[1]);
            if (kind as usize) < ALL.len() {
                // κ of GELU passes 0, and then is only as exact as what it is made of.
                near(found.0, value, 1e-9 * sizes[0], &what);
                near(found.1, slope, 0.0, &what);
            } else {
                // As others do.
                for (found, expected, size) in [(found.0, value, sizes[0]), (found.1, slope, sizes[1])] {
                    let error = (found - expected).abs();
                    assert!(error <= 1e-10 * expected.abs() + 1e-12 * size, "{what}: {found:e} {expected:e}");
                }
            }
        }
    }
    for (kind, function) in functions.iter().enumerate() {
        let rows = table.iter().filter(|row| row[0] as usize == kind).count();
        assert!(rows > if kind < ALL.len() { 200 } else { 85 }, "the table is whole: {function:?} {rows}");
    }
}

#[test]
fn duals_are_those_of_neural_tangents() {
    let (functions, table) = (functions(), table(include_bytes!("../fixtures/dual_stax.npy")));
    assert_eq!(table.len(), 108);
    for [kind, q1, q2, q, value, slope] in table {
        let function = &functions[kind as usize];
        let (found, sizes) = (dual(function, [q1, q2], q), sizes(function, [q1, q2]));
        assert!((found.0 - value).abs() <= 1e-14 * sizes[0], "{function:?} {q1} {q2} {q}: {} {value}", found.0);
        assert!((found.1 - slope).abs() <= 1e-13 * sizes[1], "{function:?} {q1} {q2} {q}: {} {slope}", found.1);
    }
}

proptest! {
    #[test]
    fn duals_obey_their_laws(logs in [-14.0f64..12.0, -14.0f64..12.0], rho in -0.999f64..0.999, slope in -2.0f64..2.0) {
        let mut all = functions();
        all.push(Function::LeakyRelu(slope));
        for function in &all {
            // Of the exponential, what is not larger than any number.
            let most = if *function == Function::Activation(Activation::Exp) { 2.0 } else { 12.0 };
            let [q1, q2] = logs.map(|log| log.min(most).exp());
            let q = rho * (q1 * q2).sqrt();
            let (sizes, (value, first)) = (sizes(function, [q1, q2]), dual(function, [q1, q2], q));
            let what = format!("{function:?} {q1:e} {q2:e} {q:e}");
            prop_assert!(own(function, q1).iter().all(|own| *own >= 0.0), "{what}");
            prop_assert!(value.abs() <= sizes[0] * (1.0 + 1e-12) && first.abs() <= sizes[1] * (1.0 + 1e-12), "{what}");
            let turned = dual(function, [q2, q1], q);
            prop_assert!((value - turned.0).abs() <= 1e-12 * sizes[0] && (first - turned.1).abs() <= 1e-12 * sizes[1], "{what}");
            // Independent, u and v have nothing but their means, and a covariance of 0 is one of two of them.
            let apart = dual(function, [q1, q2], 0.0).0;
            let means = mean(function, q1) * mean(function, q2);
            prop_assert!((apart - means).abs() <= 1e-10 * apart.abs() + 1e-13 * sizes[0], "{what}: {apart:e} {means:e}");
            // ∂κ/∂q = κ′ (integration by parts), as the difference of κ over so small a step that the next order is none.
            let step = 1e-3 * (1.0 - rho * rho) / (1.0 + q1.max(q2)).sqrt() * (q1 * q2).sqrt();
            let at = |by: f64| dual(function, [q1, q2], q + by * step).0;
            let found = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * step);
            let error = 1e-7 * sizes[1] + 1e-13 * sizes[0] / step;
            prop_assert!((found - first).abs() <= error, "{what}: {found:e} {first:e}");
        }
    }

    #[test]
    fn duals_know_of_one_another(logs in [-14.0f64..16.0, -14.0f64..16.0], rho in -1.0f64..=1.0, slope in -2.0f64..2.0) {
        use Activation::*;
        let [q1, q2] = logs.map(f64::exp);
        let q = rho * (q1 * q2).sqrt();
        let of = |activation, sign: f64| dual(&Function::Activation(activation), [q1, q2], sign * q);
        // φ(x) − φ(−x) = s x, so κ(q) − κ(−q) = s q E φ′ and κ′(q) + κ′(−q) = s E φ′, and E φ′ = s/2.
        let leaky = Function::LeakyRelu(slope);
        let kin = [Relu, LeakyRelu, Abs, Gelu, GeluTanh, Silu, Softplus].map(Function::Activation);
        for (function, s) in kin.iter().chain([&leaky]).zip([1.0, 1.01, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0 + slope]) {
            let ([plus, minus], sizes) = ([q, -q].map(|q| dual(function, [q1, q2], q)), sizes(function, [q1, q2]));
            let error = (plus.0 - minus.0 - 0.5 * s * s * q).abs();
            prop_assert!(error <= 1e-12 * sizes[0], "{function:?} {q1:e} {q2:e} {q:e}: {error:e} of {:e}", sizes[0]);
            prop_assert!((plus.1 + minus.1 - 0.5 * s * s).abs() <= 1e-12 * sizes[1].max(0.1), "{function:?}");
        }
        // The derivative of softplus is the sigmoid, that of the sine the cosine.
        for (one, other, scale) in [(of(Softplus, 1.0).1, of(Sigmoid, 1.0).0, 1.0), (of(Sin, 1.0).1, of(Cos, 1.0).0, 1.0)] {
            prop_assert!((one - other).abs() <= 1e-11 * scale);
        }
        // Leaky ReLU of slope 0 is ReLU, and what is of degree 1 is so.
        prop_assert_eq!(dual(&Function::LeakyRelu(0.0), [q1, q2], q), of(Relu, 1.0));
        for function in [&leaky, &Function::Activation(Abs)] {
            let (one, large) = (dual(function, [q1, q2], q), dual(function, [1e200 * q1, 1e200 * q2], 1e200 * q));
            prop_assert!((1e200 * one.0 - large.0).abs() <= 1e188 * (q1 * q2).sqrt());
            prop_assert!((one.1 - large.1).abs() <= 1e-7);
        }
        // A polynomial of Hermite's knows nothing of the lower ones: E h₃(u) h₃(v) = 6 ρ³.
        let third = Function::Polynomial(vec![0.0, -3.0, 0.0, 1.0, 0.0]);
        prop_assert!((dual(&third, [1.0, 1.0], rho).0 - 6.0 * rho.powi(3)).abs() < 1e-13);
    }
}

#[test]
fn means_are_their_integrals() {
    // Signs, which products of two means do not tell, and digits: by the trapezoidal rule in u itself.
    let phi = |function: &Function, x: f64| -> f64 {
        use Activation::*;
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match function {
            Function::Activation(Silu) => x * sigmoid(x),
            Function::Activation(Softplus) => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Function::Activation(GeluTanh) => {
                x * sigmoid((8.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3)))
            }
            Function::Polynomial(c) => c.iter().rev().fold(0.0, |sum, c| c + x * sum),
            _ => x.abs(),
        }
    };
    let [silu, softplus, by_tanh] =
        [Activation::Silu, Activation::Softplus, Activation::GeluTanh].map(Function::Activation);
    let polynomial = Function::Polynomial(vec![-0.3, 1.0, -0.5, 0.2, -0.1]);
    for q in [1e-6, 1e-2, 0.7, 1.0, 9.0, 100.0, 1e4] {
        for function in [&silu, &softplus, &by_tanh, &polynomial] {
            let step = 0.05_f64.min(0.05 / f64::sqrt(q));
            let nodes = (9.0 / step) as i32;
            let term = |k: i32| {
                let z = f64::from(k) * step;
                (-z * z / 2.0).exp() * phi(function, q.sqrt() * z)
            };
            let expected = (1..=nodes).map(|k| term(k) + term(-k)).sum::<f64>() + term(0);
            let expected = expected * step / std::f64::consts::TAU.sqrt();
            let found = mean(function, q);
            assert!((found - expected).abs() <= 1e-10 * expected.abs(), "{function:?} {q}: {found:e} {expected:e}");
        }
    }
    for slope in [-3.0, -1.0, 0.5, 4.0_f64] {
        let half = mean(&Function::Activation(Activation::Relu), 2.0);
        assert!((mean(&Function::LeakyRelu(slope), 2.0) - (1.0 - slope) * half).abs() < 1e-15);
    }
}

#[test]
fn no_variance_is_too_small_or_too_large() {
    // From nothing to what is hardly a number, and a covariance that rounding has carried past what it can be.
    let most = |function: &Function| match function {
        Function::Activation(Activation::Exp) => 300.0,
        Function::Activation(Activation::Square) | Function::Polynomial(_) => 1e20,
        _ => f64::INFINITY,
    };
    for function in functions() {
        for q1 in [0.0, 1e-308, 1e-200, 1e-20, 1.0, 1e3, 1e12, 1e100, 1e200, 1e300] {
            for q2 in [0.0, 1e-200, 1.0, 1e12, 1e300] {
                for rho in [-1.0 - 1e-12, -1.0, -0.5, 0.0, 0.5, 1.0, 1.0 + 1e-12] {
                    let (value, slope) = dual(&function, [q1, q2], rho * q1.sqrt() * q2.sqrt());
                    let what = format!("{function:?} of {q1:e} and {q2:e}, correlation {rho}: {value:e} {slope:e}");
                    assert!(value.is_finite() && slope.is_finite() || q1.max(q2) > most(&function), "{what}");
                }
            }
        }
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
                let (value, slope) = dual(&Function::Activation(activation), [q, v * q], c * q);
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
        assert_eq!(among(&network(activation, 2, 1.0), 3, &inputs.map(|x| x * 1e80)), Err(LimitKernelError::TooLarge));
        assert_eq!(among(&network(activation, 2, 1e160), 3, &[0.1, 0.2, 0.3]), Err(LimitKernelError::TooLarge));
        // Nothing is left of squares that vanish, and that is no error.
        assert!(among(&network(activation, 2, 1.0), 3, &[1e-200, 0.0, 0.0, 0.0, 1e-170, 0.0]).is_ok());
    }
}

#[test]
fn what_rounding_hides_is_refused() {
    // In a second layer nobody knows how much two nearly parallel inputs of variance 1e12 differ.
    let refused = among(&network(Activation::Gelu, 2, 1e3), 3, &[1e3, 2e3, 3e3, 3e3, 6e3, 9e3 + 1e-9]).unwrap_err();
    assert_eq!(refused, LimitKernelError::Unresolved { row: 0, column: 1 });
    assert!(refused.to_string().contains("scale the inputs"));
    // In the first it is known, and inputs that differ are no matter at all.
    assert!(among(&network(Activation::Gelu, 1, 1e3), 3, &[1e3, 2e3, 3e3, 3e3, 6e3, 9e3]).is_ok());
    assert!(among(&network(Activation::Gelu, 2, 1e3), 3, &[1e3, 2e3, 3e3, 3e3, 1e3, 9e3]).is_ok());
    // Sines turn with what nobody knows of variances of 1e12, unless there is nothing to know.
    let sine = |inputs: &[f64]| among(&network(Activation::Sin, 2, 1e6), 3, inputs);
    assert_eq!(
        sine(&[1e-6, 2e-6, 0.0, 1.000001e-6, 2e-6, 0.0]),
        Err(LimitKernelError::Unresolved { row: 0, column: 1 })
    );
    assert!(sine(&[1e-6, 2e-6, 0.0, 1e-6, 2e-6, 0.0]).is_ok());
    assert!(sine(&[1e-6, 2e-6, 0.0, 3e-6, -1e-6, 2e-6]).is_ok());
    // And an exponential of an exponential is soon larger than any number.
    assert_eq!(among(&network(Activation::Exp, 3, 2.0), 3, &[1.0, 1.0, 1.0]), Err(LimitKernelError::TooLarge));
    assert_eq!(among(&network(Activation::Square, 6, 2.0), 3, &[1.0, 1.0, 1e3]), Err(LimitKernelError::TooLarge));
    for activation in Activation::ALL {
        let found = among(&network(activation, 1, 1.0), 3, &[0.3, -0.9, 0.2, 0.5, 0.4, -0.3, 0.0, 0.0, 0.0]).unwrap();
        assert!(found.nngp.iter().chain(&found.ntk).all(|value| value.is_finite()), "{activation:?}");
    }
}
