//! Fits straight lines with confidence intervals, for the scaling of a quantity with the width.

/// A power law y = A x^slope, fitted by least squares in log-log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerLaw {
    pub slope: f64,
    /// Half-width of the 95 % confidence interval of the slope (Student's t, independent residuals).
    pub half_width: f64,
    /// A.
    pub prefactor: f64,
}

impl PowerLaw {
    /// Computes A x^slope.
    pub fn at(&self, x: f64) -> f64 {
        self.prefactor * x.powf(self.slope)
    }

    /// Formats the slope and its interval: −0.97 ± 0.05.
    pub fn in_words(&self) -> String {
        // Avoids −0.00.
        format!("{:.2} ± {:.2}", self.slope, self.half_width).replace("-0.00", "0.00").replace('-', "−")
    }
}

/// Fits a power law to positive points; `None` with fewer than three, or if all x are equal.
pub fn power_law(points: &[(f64, f64)]) -> Option<PowerLaw> {
    let logs: Vec<(f64, f64)> =
        points.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0).map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    if logs.len() < 3 {
        return None;
    }
    let (mean_x, mean_y) = (logs.iter().map(|p| p.0).sum::<f64>() / n, logs.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = logs.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = logs.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum::<f64>() / spread;
    let offset = mean_y - slope * mean_x;
    let residual: f64 = logs.iter().map(|p| (p.1 - offset - slope * p.0).powi(2)).sum();
    let error = (residual / (n - 2.0) / spread).sqrt();
    Some(PowerLaw { slope, half_width: student_t(logs.len() - 2) * error, prefactor: offset.exp() })
}

/// Returns the 97.5th percentile of Student's t, to three digits (Cornish–Fisher expansion beyond four degrees of freedom).
pub(super) fn student_t(degrees: usize) -> f64 {
    const SMALL: [f64; 4] = [12.706, 4.303, 3.182, 2.776];
    match degrees {
        1..=4 => SMALL[degrees - 1],
        _ => {
            let (z, v) = (1.959_964_f64, degrees as f64);
            z + (z.powi(3) + z) / (4.0 * v) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
        }
    }
}
