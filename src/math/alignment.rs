//! Computes the alignment of a kernel with the labels.

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
