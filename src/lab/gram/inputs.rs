//! Reads inputs from files of users: the array `x` of a safetensors file or of an `.npz` archive, or a plain `.npy` file.
//!
//! Guarantees: the inputs are finite, at least one, and of a shape that determines their images; any other input is
//! refused in one sentence. The sizes in a header are compared with the length of the file before memory is allocated.
//! `Inputs::words` describes how they were interpreted.

use safetensors::{Dtype, SafeTensors};
use thiserror::Error;

use crate::run::printable_list;
use crate::storage::{Layout, LayoutError, Singles, foreign, is_array, read_singles, tensor_values};

/// The array of a file that holds the inputs; others are ignored.
const ARRAY: &str = "x";

/// The reason why inputs cannot be used; each prints as one sentence.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InputsError {
    #[error("no safetensors file, no .npy file and no .npz archive: {0}")]
    Format(String),
    #[error("the inputs cannot be read: {0}")]
    Array(String),
    #[error("there is no array x among [{0}]: name the inputs x")]
    Missing(String),
    #[error("x holds {0} where numbers were expected: store it as float32")]
    Dtype(String),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("input {0} holds a value that is not a number or too large: leave it out or mend it")]
    NotFinite(usize),
    #[error("its inputs are {0:?} each and those of the other file {1:?}: a kernel needs both of one kind")]
    Differ([usize; 3], [usize; 3]),
}

/// Inputs [n, channels · height · width], row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    pub count: usize,
    /// The channels, height and width of an input.
    pub image: [usize; 3],
    pub values: Vec<f32>,
    /// A description of how they were interpreted and converted.
    pub words: String,
    /// The shape of the array, and a note on its conversion.
    read: (Vec<usize>, Option<String>),
}

impl Inputs {
    /// Reads the inputs in the bytes of a file, for a network that reads images or one that reads rows of numbers. Images
    /// keep their shape for either: the network flattens them itself.
    pub fn parse(bytes: &[u8], images: bool) -> Result<Self, InputsError> {
        let Singles { shape, values, note } =
            if is_array(bytes) { read_singles(bytes, ARRAY).map_err(InputsError::Array)? } else { tensor(bytes)? };
        let Layout { count, image, description: words } = Layout::of(&shape, images)?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(InputsError::NotFinite(at / image.iter().product::<usize>()));
        }
        Ok(Self { count, image, values, words, read: (shape, note) }.noted())
    }

    /// Returns the inputs of an array of this shape, for a network that reads images or one that reads rows of numbers.
    ///
    /// # Errors
    /// If the shape is that of no inputs.
    pub fn of_array(shape: Vec<usize>, values: Vec<f32>, images: bool) -> Result<Self, InputsError> {
        let Layout { count, image, description: words } = Layout::of(&shape, images)?;
        Ok(Self { count, image, values, words, read: (shape, None) })
    }

    /// Reads inputs whose shape is that of these samples, PyTorch's with a batch axis of 1, in the bytes of a file; `Err` is the
    /// shape of others.
    ///
    /// # Errors
    /// As [`Inputs::parse`].
    pub fn samples(bytes: &[u8], sample: &[usize], image: [usize; 3]) -> Result<Result<Self, Vec<usize>>, InputsError> {
        let Singles { shape, values, note } =
            if is_array(bytes) { read_singles(bytes, ARRAY).map_err(InputsError::Array)? } else { tensor(bytes)? };
        let count = match (shape.split_first(), sample.split_first()) {
            (Some((count, sides)), Some((1, rest))) if sides == rest && *count > 0 => *count,
            _ => return Ok(Err(shape)),
        };
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(InputsError::NotFinite(at / image.iter().product::<usize>()));
        }
        let words = format!("{count} inputs of {:?}", &sample[1..]);
        Ok(Ok(Self { count, image, values, words, read: (shape, note) }.noted()))
    }

    /// Interprets the shape of the inputs again, for a network that reads images or one that reads rows of numbers.
    ///
    /// # Errors
    /// If they are rows of numbers that are no image.
    pub fn understood(self, images: bool) -> Result<Self, InputsError> {
        let Layout { image, description: words, .. } = Layout::of(&self.read.0, images)?;
        Ok(Self { image, words, ..self }.noted())
    }

    fn noted(mut self) -> Self {
        self.words += self.read.1.as_ref().map_or_else(String::new, |note| format!("; {note}")).as_str();
        self
    }

    /// Returns whether they are rows of numbers, whose shape does not determine images.
    pub fn are_rows(&self) -> bool {
        self.read.0.len() == 2
    }
}

/// Reads the array of inputs in a safetensors file. The reader checks that the shape of each array fits the length of the
/// file.
fn tensor(bytes: &[u8]) -> Result<Singles, InputsError> {
    let file = SafeTensors::deserialize(bytes).map_err(|err| {
        // The parser's own message goes to the log, for authors of such files.
        log::info!("inputs: {err}");
        InputsError::Format(
            foreign(bytes)
                .unwrap_or("its header is damaged or it is something else: save the inputs with numpy.save")
                .to_owned(),
        )
    })?;
    let Ok(view) = file.tensor(ARRAY) else {
        let mut names = file.names();
        names.sort_unstable();
        return Err(InputsError::Missing(printable_list(names)));
    };
    // Products are in 32 bits; a value out of their range becomes infinite, which is refused.
    let values = tensor_values(&view, |value| value as f32, |value| value as f32);
    let values = values.ok_or_else(|| InputsError::Dtype(format!("{:?}", view.dtype())))?;
    let is_usual = matches!(view.dtype(), Dtype::F32 | Dtype::F64);
    let note = (!is_usual).then(|| format!("{:?} read as floats, as they are", view.dtype()));
    Ok(Singles { shape: view.shape().to_vec(), values, note })
}
