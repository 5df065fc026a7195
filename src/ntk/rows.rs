//! Defines rows whose inner products form a kernel, in host memory or on another device.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::model::{LONGEST, Values, inner, inner_of_long, is_host};

/// Holds rows of equal length as f32, row-major.
pub(super) struct Rows {
    count: usize,
    length: usize,
    storage: Storage,
}

#[expect(clippy::large_enum_variant, reason = "a handful exist at a time; a box would only be one more step to follow")]
enum Storage {
    Host(Values),
    Device(Tensor<2>),
}

/// The number of columns whose squares are summed together: their sums stay in the processor's cache.
const COLUMNS: usize = 4096;

/// Inner products of rows with others, f32: in host memory, or on the device of the rows, from which they are read later.
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time; a box would only be one more step to follow")]
pub(super) enum InnerProducts {
    Host(Vec<f32>),
    Device(Tensor<2>),
}

impl Rows {
    /// Returns the rows of a tensor [rows, length].
    pub fn new(tensor: Tensor<2>) -> Self {
        let [count, length] = tensor.dims();
        let storage =
            if is_host(&tensor.device()) { Storage::Host(Values::of(tensor)) } else { Storage::Device(tensor) };
        Self { count, length, storage }
    }

    /// Computes the inner products with other rows, row-major [self.count, other.count]; f32 on the device, as all kernel
    /// products. If `same`, the others are these rows, and entries above the diagonal may be left at 0.
    pub fn inner(&self, other: &Self, same: bool) -> InnerProducts {
        match (&self.storage, &other.storage) {
            (Storage::Host(a), Storage::Host(b)) => {
                let mut product = vec![0.0; self.count * other.count];
                inner(a.slice(), b.slice(), self.length, same, &mut product);
                InnerProducts::Host(product)
            }
            (Storage::Device(a), Storage::Device(b)) => InnerProducts::Device(in_pieces(a.clone(), b.clone())),
            _ => unreachable!("both sides of a kernel are measured on the same device"),
        }
    }

    /// Adds the inner products with other rows to sums in 64 bits, where they are in host memory; else returns them. Very long
    /// rows are processed piece by piece.
    pub fn add_inner(&self, other: &Self, same: bool, sums: &mut [f64]) -> Option<Tensor<2>> {
        if let (Storage::Host(a), Storage::Host(b)) = (&self.storage, &other.storage)
            && self.length > LONGEST
        {
            inner_of_long(a.slice(), b.slice(), self.length, same, sums);
            return None;
        }
        match self.inner(other, same) {
            InnerProducts::Host(products) => {
                sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += f64::from(product));
                None
            }
            InnerProducts::Device(products) => Some(products),
        }
    }

    /// Concatenates every `each` rows to one.
    pub fn joined(&self, each: usize) -> Self {
        let (count, length) = (self.count / each, self.length * each);
        let storage = match &self.storage {
            Storage::Host(values) => Storage::Host(values.clone()),
            Storage::Device(tensor) => Storage::Device(tensor.clone().reshape([count, length])),
        };
        Self { count, length, storage }
    }

    /// Adds other rows, row by row.
    pub fn plus(&self, other: &Self) -> Self {
        match (&self.storage, &other.storage) {
            (Storage::Host(a), Storage::Host(b)) => {
                let sum: Vec<f32> = a.slice().iter().zip(b.slice()).map(|(a, b)| a + b).collect();
                Self::new(Tensor::from_data(TensorData::new(sum, [self.count, self.length]), &Device::flex()))
            }
            (Storage::Device(a), Storage::Device(b)) => Self::new(a.clone() + b.clone()),
            _ => unreachable!("the gradients of one tensor are on one device"),
        }
    }

    /// Multiplies each row by these factors.
    pub fn scaled(self, factors: &[f32]) -> Self {
        let scale = |tensor: Tensor<2>| {
            let factors = TensorData::new(factors.to_vec(), [1, self.length]);
            tensor.clone() * Tensor::<2>::from_data(factors, &tensor.device())
        };
        match self.storage {
            Storage::Host(values) => {
                let rows = values.slice().chunks_exact(self.length);
                let scaled: Vec<f32> =
                    rows.flat_map(|row| row.iter().zip(factors).map(|(value, factor)| value * factor)).collect();
                let data = TensorData::new(scaled, [self.count, self.length]);
                Self::new(Tensor::from_data(data, &Device::flex()))
            }
            Storage::Device(tensor) => Self::new(scale(tensor)),
        }
    }

    /// Computes the sum of the squares of each column, on the device of the rows; in host memory summed in 64 bits.
    pub fn squares(&self) -> Tensor<1> {
        match &self.storage {
            Storage::Host(values) => {
                let rows = values.slice();
                let mut sums = vec![0.0f32; self.length];
                sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(chunk, sums)| {
                    let mut exact = vec![0.0f64; sums.len()];
                    for row in rows.chunks_exact(self.length) {
                        let row = &row[chunk * COLUMNS..][..sums.len()];
                        exact.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value).powi(2));
                    }
                    sums.iter_mut().zip(exact).for_each(|(sum, exact)| *sum = exact as f32);
                });
                Tensor::from_data(TensorData::new(sums, [self.length]), &Device::flex())
            }
            Storage::Device(tensor) => tensor.clone().powi_scalar(2).sum_dim(0).reshape([self.length]),
        }
    }

    /// Returns `count` rows from `first` on.
    pub fn part(&self, first: usize, count: usize) -> Self {
        let storage = match &self.storage {
            Storage::Host(values) => Storage::Host(values.part(first * self.length, count * self.length)),
            Storage::Device(tensor) => Storage::Device(tensor.clone().narrow(0, first, count)),
        };
        Self { count, length: self.length, storage }
    }

    /// Returns the tensor of rows that are not in host memory.
    pub fn on_device(&self) -> Option<&Tensor<2>> {
        match &self.storage {
            Storage::Host(_) => None,
            Storage::Device(tensor) => Some(tensor),
        }
    }
}

/// The side of the squares of a product that a graphics card computes at the same time, as many squares as it should have to
/// do, and the least length of a row in one of them.
const SQUARE: usize = 128;
const SQUARES: usize = 256;
const SHORTEST: usize = 2048;

/// Computes the inner products of rows. Those of few long rows are cut into pieces of the rows, which are multiplied together
/// and summed: by itself the product of 512 rows would be 16 squares, and leave a large card idle. (What this gains has not been
/// measured on a card yet.)
fn in_pieces(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    let ([rows, length], [columns, _]) = (a.dims(), b.dims());
    let squares = rows.div_ceil(SQUARE) * columns.div_ceil(SQUARE);
    let cuts = |pieces: &usize| length.is_multiple_of(*pieces) && length / pieces >= SHORTEST;
    let most = (SQUARES / squares.max(1)).max(length.div_ceil(LONGEST));
    let pieces = (0..=most.max(1).ilog2()).rev().map(|power| 1 << power).find(cuts).unwrap_or(1);
    if pieces == 1 {
        return a.matmul(b.transpose());
    }
    let cut = |tensor: Tensor<2>, count: usize| tensor.reshape([count, pieces, length / pieces]).swap_dims(0, 1);
    let products = cut(a, rows).matmul(cut(b, columns).swap_dims(1, 2));
    products.sum_dim(0).reshape([rows, columns])
}
