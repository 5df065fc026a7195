//! Scales two variances and their covariance so that nothing overflows: the dual of every function is computed from such a pair.

/// A variance q = c² `scaled`.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    pub variance: f64,
    /// q/c², and its rounding error.
    pub scaled: f64,
    pub low: f64,
    /// 1/c, a power of two.
    pub inverse: f64,
}

/// One member of a pair.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    pub side: &'a Side,
    pub roots: Option<&'a Roots>,
    pub hermite: &'a [f64],
}

impl Moment<'_> {
    pub fn variance(&self) -> f64 {
        self.side.variance
    }
}

impl Side {
    /// Returns 1/c².
    pub fn shrunk(&self) -> f64 {
        self.inverse * self.inverse
    }
}

/// A pair scaled so that its entries are of order one.
pub struct Pair {
    pub q1: f64,
    pub q2: f64,
    pub q: f64,
    /// q₁q₂ − q².
    pub determinant: f64,
    /// The rounding error of q, if known.
    pub low: f64,
    pub known: bool,
    /// 1/c₁ and 1/c₂, and their squares.
    pub inverse: [f64; 2],
    pub shrunk: [f64; 2],
}

impl Pair {
    /// Scales a covariance like the variances of its two samples; `low` is its rounding error, if known.
    #[inline]
    pub fn of(left: Moment<'_>, right: Moment<'_>, covariance: f64, low: Option<f64>) -> Self {
        let (left, right) = (left.side, right.side);
        let scaled = |value: f64| value * left.inverse * right.inverse;
        let (q1, q2, q) = (left.scaled, right.scaled, scaled(covariance));
        let (known, low) = (low.is_some(), scaled(low.unwrap_or(0.0)));
        let determinant = determinant([q1, q2, q], [left.low, right.low, low]);
        let shrunk = [left.shrunk(), right.shrunk()];
        Self { q1, q2, q, determinant, low, known, inverse: [left.inverse, right.inverse], shrunk }
    }

    /// Returns (q₁ + a)(q₂ + b) − q².
    pub fn widened(&self, a: f64, b: f64) -> f64 {
        let (a, b) = (a * self.shrunk[0], b * self.shrunk[1]);
        self.determinant + (self.q1 * b + self.q2 * a + a * b)
    }

    /// Divides a value by c₁c₂, or multiplies it.
    pub fn over(&self, value: f64) -> f64 {
        value * self.inverse[0] * self.inverse[1]
    }

    pub fn times(&self, value: f64) -> f64 {
        value / self.inverse[0] / self.inverse[1]
    }

    /// Returns whether the rounding error of the covariance is known or irrelevant: a covariance with ordinary rounding
    /// determines 1/√(q₁ + q₂ + q₁q₂ − q²) to [`RESOLVED`]. Exactly equal or opposite inputs always qualify.
    pub fn resolved(&self) -> bool {
        let exact = self.q1 == self.q2 && self.q.abs() == self.q1 && self.inverse[0] == self.inverse[1];
        self.known || exact || 4.0 * f64::EPSILON * self.q1 * self.q2 <= 2.0 * RESOLVED * self.widened(1.0, 1.0)
    }
}

/// Returns q₁q₂ − q² for numbers with these rounding errors; at least 0.
pub fn determinant([q1, q2, q]: [f64; 3], [low1, low2, low]: [f64; 3]) -> f64 {
    let (product, square) = (q1 * q2, q * q);
    let plain = product - square;
    if plain > NEAR * product {
        return plain;
    }
    let lost = q1.mul_add(q2, -product) - q.mul_add(q, -square);
    (plain + (lost + (q1 * low2 + q2 * low1 - 2.0 * q * low))).max(0.0)
}

/// The part of every pair that depends on one variance, for functions that are means over σ: c/√(q + σᵢ²) for each node.
pub type Roots = [f64; NODES];

/// Number of nodes of the quadrature rule for σ.
pub const NODES: usize = 10;
/// The value of 1 − ρ² below which q₁q₂ − q² is computed without rounding.
pub const NEAR: f64 = 1e-6;
/// Largest relative error that rounding of the covariance may cause in a kernel.
pub const RESOLVED: f64 = 1e-8;
