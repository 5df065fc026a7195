//! Defines rows whose inner products form a kernel, in host memory or on another device.

use burn::tensor::{Device, Tensor, TensorData};

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
    pub fn inner(&self, other: &Self, same: bool) -> Vec<f32> {
        match (&self.storage, &other.storage) {
            (Storage::Host(a), Storage::Host(b)) => {
                let mut product = vec![0.0; self.count * other.count];
                inner(a.slice(), b.slice(), self.length, same, &mut product);
                product
            }
            (Storage::Device(a), Storage::Device(b)) => read(a.clone().matmul(b.clone().transpose())),
            _ => unreachable!("both sides of a kernel are measured on the same device"),
        }
    }

    /// Adds the inner products with other rows to sums in 64 bits; very long rows are processed piece by piece.
    pub fn add_inner(&self, other: &Self, same: bool, sums: &mut [f64]) {
        match (&self.storage, &other.storage) {
            (Storage::Host(a), Storage::Host(b)) if self.length > LONGEST => {
                inner_of_long(a.slice(), b.slice(), self.length, same, sums);
            }
            _ => sums.iter_mut().zip(self.inner(other, same)).for_each(|(sum, product)| *sum += f64::from(product)),
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

    /// Returns `count` rows from `first` on.
    pub fn part(&self, first: usize, count: usize) -> Self {
        let storage = match &self.storage {
            Storage::Host(values) => Storage::Host(values.part(first * self.length, count * self.length)),
            Storage::Device(tensor) => Storage::Device(tensor.clone().narrow(0, first, count)),
        };
        Self { count, length: self.length, storage }
    }
}

/// Returns the same tensor in host memory.
pub(super) fn on_host<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if is_host(&tensor.device()) { tensor } else { tensor.to_device(&Device::flex()) }
}

fn read(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_into_vec_as().expect("the kernel's products are 32-bit floats")
}
