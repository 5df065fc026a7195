//! Stores the Gram of one parameter tensor as one triangle in f32, small enough for every snapshot to carry.
//!
//! Guarantee: an entry is the measured one rounded once; the matrix is symmetric because only one triangle is stored.

use std::sync::Arc;

/// Holds the part Θ_W of a tensor W in the kernel of all probes.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorGram {
    /// The name of the tensor, as in weights files: `fc1.weight`.
    pub tensor: Arc<str>,
    /// The half below the diagonal and the diagonal, row by row: n (n + 1)/2 entries.
    half: Arc<[f32]>,
}

impl TensorGram {
    /// Packs a row-major [n, n] matrix, symmetrised.
    pub fn pack(tensor: Arc<str>, n: usize, values: &[f64]) -> Self {
        let entry = |row: usize, column: usize| (0.5 * (values[row * n + column] + values[column * n + row])) as f32;
        let half = (0..n).flat_map(|row| (0..=row).map(move |column| entry(row, column))).collect();
        Self { tensor, half }
    }

    /// Unpacks the row-major [n, n] matrix; `None` when the Gram is not of n images.
    pub fn unpack(&self, n: usize) -> Option<Vec<f64>> {
        if self.half.len() != n * (n + 1) / 2 {
            return None;
        }
        let at = |row: usize, column: usize| {
            let (low, high) = (row.min(column), row.max(column));
            f64::from(self.half[high * (high + 1) / 2 + low])
        };
        Some((0..n * n).map(|place| at(place / n, place % n)).collect())
    }

    /// Returns the number of bytes that it holds.
    pub fn bytes(&self) -> u64 {
        size_of_val(&*self.half) as u64
    }
}
