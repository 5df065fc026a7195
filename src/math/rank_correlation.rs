//! Compares the order of two lists of numbers.

/// Returns Spearman's ρ: the correlation of the ranks, where numbers that are equal up to rounding share the mean of their ranks. `None` for fewer than three
/// pairs, where one list is constant, or where a number is not finite.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let is_finite = a.iter().chain(b).all(|value| value.is_finite());
    if a.len() != b.len() || a.len() < 3 || !is_finite {
        return None;
    }
    correlation(&ranks(a), &ranks(b))
}

/// Returns the standard deviation of ρ over all orders of one of two lists of this length; its mean is 0.
pub fn permuted_deviation(pairs: usize) -> f64 {
    1.0 / (pairs as f64 - 1.0).sqrt()
}

/// A straight line through points by least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub slope: f64,
    pub offset: f64,
}

impl Line {
    /// Fits it; `None` where x does not vary.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
        let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        let common: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let slope = common / spread;
        (spread > 0.0 && slope.is_finite()).then_some(Self { slope, offset: y - slope * x })
    }

    pub fn at(self, x: f64) -> f64 {
        self.offset + self.slope * x
    }
}

fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let dot = |x: &[f64], at: f64, y: &[f64], by: f64| x.iter().zip(y).map(|(x, y)| (x - at) * (y - by)).sum::<f64>();
    let norms = (dot(a, mean_a, a, mean_a) * dot(b, mean_b, b, mean_b)).sqrt();
    (norms > 0.0).then(|| dot(a, mean_a, b, mean_b) / norms)
}

/// The digits, relative to the largest number, in which numbers are compared: differences below that are rounding.
const DIGITS: f64 = 1e10;

fn ranks(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    let unit = if largest > 0.0 { DIGITS / largest } else { 1.0 };
    let values: Vec<f64> = values.iter().map(|value| (value * unit).round()).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (same.len() - 1) as f64 / 2.0;
        same.iter().for_each(|&place| ranks[place] = rank);
        first += same.len();
    }
    ranks
}
