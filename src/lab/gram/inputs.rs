//! Inputs as users bring them: the array `x` of a safetensors file, or a plain `.npy` file.
//!
//! Guarantees: finite, at least one, and of a shape that says which images they are; anything else is one sentence. What a
//! header claims is held against the bytes that are there before anything is made for it.

use safetensors::{Dtype, SafeTensors};
use thiserror::Error;

use crate::record::{is_npy, read_npy};

/// The array of a safetensors file that holds the inputs; others are ignored.
const ARRAY: &str = "x";

/// Why inputs cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InputsError {
    #[error("no safetensors file and no .npy file: {0}")]
    Format(String),
    #[error("the .npy file cannot be read: {0}")]
    Npy(String),
    #[error("there is no array x among [{0}]: name the inputs x")]
    Missing(String),
    #[error("x holds {0} where floats were expected: store it as float32")]
    Dtype(String),
    #[error("the inputs have shape {0:?} where [n, 28, 28], [n, channels, height, width] or [n, d] was expected")]
    Shape(Vec<usize>),
    #[error("input {0} holds a value that is not a number or too large: leave it out or mend it")]
    NotFinite(usize),
    #[error(
        "the inputs are rows of {0} values, and the network reads images: give them as [n, channels, height, width]"
    )]
    NoImages(usize),
    #[error("its inputs are {0:?} each and those of the other file {1:?}: a kernel needs both of one kind")]
    Differ([usize; 3], [usize; 3]),
}

/// Inputs [n, channels · height · width], row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    pub count: usize,
    /// Channels, height, width.
    pub image: [usize; 3],
    pub values: Vec<f32>,
}

impl Inputs {
    /// The inputs in the bytes of a file, for a network that reads images or one to which they are rows of numbers.
    pub fn parse(bytes: &[u8], images: bool) -> Result<Self, InputsError> {
        let (shape, values) = if is_npy(bytes) { read_npy(bytes).map_err(InputsError::Npy)? } else { tensor(bytes)? };
        if shape.contains(&0) {
            return Err(InputsError::Shape(shape));
        }
        let (count, image) = match shape[..] {
            [n, d] => (n, if images { image_of(d)? } else { [1, 1, d] }),
            [n, height, width] => (n, [1, height, width]),
            [n, channels, height, width] => (n, [channels, height, width]),
            _ => return Err(InputsError::Shape(shape)),
        };
        let image = if images { image } else { [1, 1, image.iter().product()] };
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(InputsError::NotFinite(at / image.iter().product::<usize>())),
            None => Ok(Self { count, image, values }),
        }
    }
}

/// The images that rows of this length are in every data set of such rows.
fn image_of(values: usize) -> Result<[usize; 3], InputsError> {
    match values {
        784 => Ok([1, 28, 28]),
        3072 => Ok([3, 32, 32]),
        _ => Err(InputsError::NoImages(values)),
    }
}

/// The array of inputs in a safetensors file. The reader checks that each array's shape is backed by the bytes of the file.
fn tensor(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f32>), InputsError> {
    let file = SafeTensors::deserialize(bytes).map_err(|err| InputsError::Format(err.to_string()))?;
    let Ok(view) = file.tensor(ARRAY) else {
        let mut names = file.names();
        names.sort_unstable();
        return Err(InputsError::Missing(names.join(", ")));
    };
    let values = match view.dtype() {
        Dtype::F32 => view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        // Products are in 32 bits; what does not fit them becomes infinite, which is refused.
        Dtype::F64 => view.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        other => return Err(InputsError::Dtype(format!("{other:?}"))),
    };
    Ok((view.shape().to_vec(), values))
}
