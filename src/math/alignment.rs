//! Computes the alignment of a kernel with the labels, and what labels without any relation to it would reach.

use super::Gram;

/// Returns ⟨K, YYᵀ⟩/(‖K‖ ‖YYᵀ‖) with Y one-hot; 1 if the kernel is the label kernel. Random labels do not give 0, since
/// neither matrix is centred: a constant kernel and C classes of equal size give 1/√C. NaN for a kernel that is 0.
pub fn alignment(gram: &Gram, labels: &[usize]) -> f64 {
    cosine(&gram.over(gram.scale()), &label_gram(labels)).unwrap_or(f64::NAN)
}

/// Returns the alignment of HKH and HYYᵀH, which is CKA(K, YYᵀ) (Kornblith et al. 2019); `None` with a single class, whose
/// label kernel is constant, and for a kernel that is constant up to rounding ([`Gram::centred_unless_constant`]).
pub fn alignment_centred(gram: &Gram, labels: &[usize]) -> Option<f64> {
    if labels.windows(2).all(|pair| pair[0] == pair[1]) {
        return None;
    }
    cosine(&gram.over(gram.scale()).centred_unless_constant()?, &label_gram(labels).centred())
}

/// Returns the alignment of K and YYᵀ, both U-centred, which is CKA(K, YYᵀ) made of HSIC₁ (Song et al. 2012): over all permutations
/// of the labels its mean is 0. `None` as for [`alignment_centred`], and for fewer than four labels.
pub fn alignment_debiased(gram: &Gram, labels: &[usize]) -> Option<f64> {
    cosine(&gram.over(gram.scale()).debiased_unless_constant()?, &label_gram(labels).debiased_unless_constant()?)
}

/// Holds the alignment that labels without any relation to the kernel reach: mean and standard deviation over all permutations
/// of the labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PermutedAlignment {
    pub mean: f64,
    pub deviation: f64,
}

impl PermutedAlignment {
    /// Returns that of [`alignment`]; `None` for fewer than four labels or a kernel that is 0.
    pub fn of(gram: &Gram, labels: &[usize]) -> Option<Self> {
        Self::over(&gram.over(gram.scale()), labels, label_gram(labels).frobenius())
    }

    /// Returns that of [`alignment_centred`]; `None` also where that is not defined.
    pub fn centred(gram: &Gram, labels: &[usize]) -> Option<Self> {
        if labels.windows(2).all(|pair| pair[0] == pair[1]) {
            return None;
        }
        // As H is a projection, ⟨HKH, HYYᵀH⟩ = ⟨HKH, YYᵀ⟩.
        let norm = label_gram(labels).centred().frobenius();
        Self::over(&gram.over(gram.scale()).centred_unless_constant()?, labels, norm)
    }

    /// Returns that of [`alignment_debiased`]; `None` also where that is not defined.
    pub fn debiased(gram: &Gram, labels: &[usize]) -> Option<Self> {
        // As U-centring is a projection of matrices without a diagonal, ⟨K̃, ỸYᵀ⟩ = ⟨K̃, YYᵀ⟩.
        let norm = label_gram(labels).debiased_unless_constant()?.frobenius();
        Self::over(&gram.over(gram.scale()).debiased_unless_constant()?, labels, norm)
    }

    /// Returns mean ∓ two standard deviations.
    pub fn band(self) -> (f64, f64) {
        (self.mean - 2.0 * self.deviation, self.mean + 2.0 * self.deviation)
    }

    /// Computes the first two moments of ⟨A, P YYᵀ Pᵀ⟩/(‖A‖ · `norm`) over permutations P in closed form (Mantel 1967). Diagonals
    /// do not mix with the rest under permutations, and those of YYᵀ are 1. Both matrices are taken around the mean of their
    /// entries off the diagonal, which shifts the sum by a constant and keeps the digits of the variance.
    fn over(gram: &Gram, labels: &[usize], norm: f64) -> Option<Self> {
        let n = labels.len();
        let norms = gram.frobenius() * norm;
        if n < 4 || norms <= 0.0 {
            return None;
        }
        let same = |row: usize, column: usize| f64::from(u8::from(labels[row] == labels[column]));
        let values = gram.values();
        let (kernel, kernel_mean) = Moments::around_mean(n, |row, column| values[row * n + column]);
        let (wanted, wanted_mean) = Moments::around_mean(n, same);
        let count = n as f64;
        let pairs = count * (count - 1.0);
        let mean = gram.trace() + pairs * kernel_mean * wanted_mean;
        let variance = 2.0 * kernel.squares * wanted.squares / pairs
            + 4.0 * (kernel.rows - kernel.squares) * (wanted.rows - wanted.squares) / (pairs * (count - 2.0))
            + (2.0 * kernel.squares - 4.0 * kernel.rows) * (2.0 * wanted.squares - 4.0 * wanted.rows)
                / (pairs * (count - 2.0) * (count - 3.0));
        Some(Self { mean: mean / norms, deviation: variance.max(0.0).sqrt() / norms })
    }
}

/// Holds sums over the entries a_ij off the diagonal of a symmetric matrix, taken around their mean.
struct Moments {
    /// Σ_ij a_ij².
    squares: f64,
    /// Σ_i (Σ_j a_ij)².
    rows: f64,
}

impl Moments {
    /// Returns the sums and the mean of the entries.
    fn around_mean(n: usize, entry: impl Fn(usize, usize) -> f64) -> (Self, f64) {
        let others = |row: usize| (0..n).filter(move |column| *column != row);
        let total: f64 =
            (0..n).flat_map(|row| others(row).map(move |column| (row, column))).map(|(r, c)| entry(r, c)).sum();
        let mean = total / (n * (n - 1)) as f64;
        let (mut squares, mut rows) = (0.0, 0.0);
        for row in 0..n {
            let mut sum = 0.0;
            for column in others(row) {
                let value = entry(row, column) - mean;
                squares += value * value;
                sum += value;
            }
            rows += sum * sum;
        }
        (Self { squares, rows }, mean)
    }
}

/// Returns YYᵀ of one-hot labels: 1 where two images share their class.
pub fn label_gram(labels: &[usize]) -> Gram {
    let n = labels.len();
    let same = |at: usize| f64::from(u8::from(labels[at / n] == labels[at % n]));
    let (gram, _) = Gram::symmetrised(n, (0..n * n).map(same).collect()).expect("ones and zeros are finite");
    gram
}

fn cosine(a: &Gram, b: &Gram) -> Option<f64> {
    let norms = a.frobenius() * b.frobenius();
    (norms > 0.0).then(|| a.dot(b) / norms)
}
