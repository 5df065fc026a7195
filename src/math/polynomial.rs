//! Polynomials of inputs that are uniform on the sphere of radius √D, with mean and variance in closed form.
//!
//! On that sphere E ∏ xᵢ^aᵢ = D^{|a|/2} ∏ (aᵢ − 1)!! / (D (D+2) … (D + |a| − 2)) where all aᵢ are even, and else 0: so a
//! target can be scaled to mean 0 and variance 1 without samples, and its error is the unexplained share of the variance.

/// A polynomial Σ c ∏ xᵢ^aᵢ: a coefficient and the exponents of the first inputs for each term.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial(Vec<(f64, Vec<u32>)>);

impl Polynomial {
    pub fn new(terms: &[(f64, &[u32])]) -> Self {
        Self(terms.iter().map(|(factor, powers)| (*factor, powers.to_vec())).collect())
    }

    /// Returns the number of inputs on which it depends.
    pub fn inputs(&self) -> usize {
        self.0.iter().map(|(_, powers)| powers.len()).max().unwrap_or(0)
    }

    pub fn at(&self, x: &[f64]) -> f64 {
        let term = |(factor, powers): &(f64, Vec<u32>)| {
            factor * powers.iter().zip(x).map(|(&power, x)| x.powi(power as i32)).product::<f64>()
        };
        self.0.iter().map(term).sum()
    }

    /// Returns the mean over the sphere of radius √`dimension`.
    pub fn mean(&self, dimension: usize) -> f64 {
        self.0.iter().map(|(factor, powers)| factor * moment(powers, dimension)).sum()
    }

    /// Returns the variance over the sphere of radius √`dimension`.
    pub fn variance(&self, dimension: usize) -> f64 {
        let mut square = 0.0;
        for (a, left) in &self.0 {
            for (b, right) in &self.0 {
                let power = |at: usize| left.get(at).copied().unwrap_or(0) + right.get(at).copied().unwrap_or(0);
                let powers: Vec<u32> = (0..left.len().max(right.len())).map(power).collect();
                square += a * b * moment(&powers, dimension);
            }
        }
        square - self.mean(dimension).powi(2)
    }
}

/// Computes E ∏ xᵢ^aᵢ.
fn moment(powers: &[u32], dimension: usize) -> f64 {
    if powers.iter().any(|power| power % 2 == 1) {
        return 0.0;
    }
    let (total, dimension) = (powers.iter().sum::<u32>(), dimension as f64);
    let odd = |power: &u32| (1..=power / 2).map(|step| f64::from(2 * step - 1)).product::<f64>();
    let below: f64 = (0..total / 2).map(|step| dimension / (dimension + 2.0 * f64::from(step))).product();
    below * powers.iter().map(odd).product::<f64>()
}

/// Computes Σ k^−a over k from 1 to `modes`.
pub fn power_sum(exponent: f64, modes: usize) -> f64 {
    // Summed from the smallest term on, which loses no digits.
    (1..=modes).rev().map(|k| (k as f64).powf(-exponent)).sum()
}
