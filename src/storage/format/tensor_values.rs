//! Reads the numbers of a tensor in a safetensors file, whatever their type.

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Returns the numbers of a tensor, row-major: floats by `float`, whole numbers and truth values by `whole`, each rounded once;
/// `None` where it holds no numbers.
pub fn tensor_values<T>(view: &TensorView<'_>, float: fn(f64) -> T, whole: fn(i128) -> T) -> Option<Vec<T>> {
    let data = view.data();
    macro_rules! each {
        ($number:ty, $to:expr) => {
            data.as_chunks().0.iter().map(|bytes| $to(<$number>::from_le_bytes(*bytes))).collect()
        };
    }
    Some(match view.dtype() {
        Dtype::F64 => each!(f64, float),
        Dtype::F32 => each!(f32, |value: f32| float(value.into())),
        Dtype::F16 => each!(f16, |value: f16| float(value.into())),
        Dtype::BF16 => each!(bf16, |value: bf16| float(value.into())),
        Dtype::BOOL => data.iter().map(|&byte| whole(i128::from(byte != 0))).collect(),
        Dtype::U8 => data.iter().map(|&byte| whole(byte.into())).collect(),
        Dtype::I8 => each!(i8, |value: i8| whole(value.into())),
        Dtype::U16 => each!(u16, |value: u16| whole(value.into())),
        Dtype::I16 => each!(i16, |value: i16| whole(value.into())),
        Dtype::U32 => each!(u32, |value: u32| whole(value.into())),
        Dtype::I32 => each!(i32, |value: i32| whole(value.into())),
        Dtype::U64 => each!(u64, |value: u64| whole(value.into())),
        Dtype::I64 => each!(i64, |value: i64| whole(value.into())),
        _ => return None,
    })
}
