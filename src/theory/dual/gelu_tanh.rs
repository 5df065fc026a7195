//! Computes the dual activation of the tanh approximation of GELU: GELU plus a small even function that is a sum of
//! Gaussian bells.
//!
//! δ(x) = ½ x (tanh(√(2/π)(x + 0.044715 x³)) − erf(x/√2)) is below 5e-4 everywhere. It equals x² Σ wᵢ exp(−λᵢx²) to 1e-12,
//! and its derivative to 3e-12 (`tests/fixtures/make_dual.py` fits it). The product of a bell and a Gaussian density is
//! another Gaussian, so every expectation has a closed form: no quadrature, and the same error for all variances.

use std::f64::consts::TAU;

use super::erf::gelu;
use super::pair::Pair;

/// Computes κ and κ′. Error: below 1e-10, relative, or of √(κ₁₁κ₂₂) where the value is nearly 0.
pub(super) fn gelu_tanh(pair: &Pair) -> (f64, f64) {
    let (mut value, mut slope) = gelu(pair);
    for by_side in [[0, 1], [1, 0]] {
        let (more, steeper) = beside_gelu(pair, by_side);
        (value, slope) = (value + more, slope + steeper);
    }
    let (more, steeper) = bells(pair);
    (value + more, slope + steeper)
}

/// Computes E g(u) δ(v) and E g′(u) δ′(v), where g is GELU. Under the bell of v the two have variances p₁, p₂ and
/// covariance p, and with m = E g, m₂ = E g″ and m₄ = E g⁗ at variance p₁, E g(u) v² = m p₂ + m₂ p².
fn beside_gelu(pair: &Pair, [u, v]: [usize; 2]) -> (f64, f64) {
    let variances = [pair.q1, pair.q2];
    let (mut value, mut slope) = (0.0, 0.0);
    for (lambda, weight) in LAMBDAS.iter().zip(&WEIGHTS) {
        let over = 1.0 / (pair.shrunk[v] + 2.0 * lambda * variances[v]);
        let p1 = (variances[u] * pair.shrunk[v] + 2.0 * lambda * pair.determinant) * over / pair.shrunk[u];
        let p2 = variances[v] * over;
        let p = pair.q * over * pair.inverse[v] / pair.inverse[u];
        let inverse = 1.0 / (1.0 + p1);
        let root = inverse.sqrt();
        let (m, m2) = (p1 * root, (2.0 + p1) * inverse * root);
        let m4 = -(4.0 + p1) * inverse * inverse * root;
        let weight = weight * pair.inverse[v] * over.sqrt();
        value += weight * (m * p2 + m2 * p * p);
        slope += 2.0 * weight * p * (m2 * (1.0 - 3.0 * lambda * p2) - lambda * m4 * p * p);
    }
    let over_root = 1.0 / TAU.sqrt();
    (value * over_root, slope * over_root)
}

/// Computes E δ(u) δ(v) and E δ′(u) δ′(v).
fn bells(pair: &Pair) -> (f64, f64) {
    let [one, other] = pair.shrunk;
    let (both, product) = (pair.over(1.0), pair.over(pair.q));
    let (mut value, mut slope) = (0.0, 0.0);
    for (lambda, weight) in LAMBDAS.iter().zip(&WEIGHTS) {
        let (base, along) = (other * (one + 2.0 * lambda * pair.q1), pair.q2 * one + 2.0 * lambda * pair.determinant);
        let (mut values, mut slopes) = ([0.0; BELLS], [0.0; BELLS]);
        for at in 0..BELLS {
            let mu = LAMBDAS[at];
            let over = 1.0 / (base + 2.0 * mu * along);
            let (p1, p2, p) = ((pair.q1 * other + 2.0 * mu * pair.determinant) * over, along * over, product * over);
            let scale = WEIGHTS[at] * both * over.sqrt();
            let (variances, square) = (p1 * p2, p * p);
            values[at] = scale * (variances + 2.0 * square);
            let fourth = lambda * mu * (9.0 * variances + 6.0 * square);
            slopes[at] = scale * p * (1.0 - 3.0 * (lambda * p1 + mu * p2) + fourth);
        }
        value += weight * values.iter().sum::<f64>();
        slope += 4.0 * weight * slopes.iter().sum::<f64>();
    }
    (value, slope)
}

/// Computes E δ.
pub(super) fn mean_beside_gelu(q: f64) -> f64 {
    let bell = |(lambda, weight): (&f64, &f64)| weight * q / (1.0 + 2.0 * lambda * q).powf(1.5);
    LAMBDAS.iter().zip(&WEIGHTS).map(bell).sum()
}

const BELLS: usize = 16;
const LAMBDAS: [f64; BELLS] = [
    0.38, 0.414_515, 0.452_164, 0.493_233, 0.538_033, 0.586_901, 0.640_208, 0.698_357, 0.761_788, 0.830_979, 0.906_456,
    0.988_787, 1.078_597, 1.176_564, 1.283_429, 1.4,
];
const WEIGHTS: [f64; BELLS] = [
    -0.000_368_299_738_013_633_4,
    0.006_538_496_202_342_156,
    -0.056_361_668_489_996_78,
    0.315_022_302_612_110_84,
    -1.209_906_155_832_240_6,
    3.655_763_214_819_945_7,
    -7.912_735_785_114_918_5,
    11.780_775_888_145_632,
    -12.473_702_248_064_404,
    9.842_277_329_170_827,
    -5.965_422_637_602_887,
    2.798_883_471_393_989,
    -0.998_201_710_174_551_3,
    0.256_913_132_841_594_45,
    -0.042_930_239_216_587_4,
    0.003_454_909_046_587_690_2,
];
