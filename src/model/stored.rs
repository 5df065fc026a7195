//! A weights file as a source of values: PyTorch's names and layouts, the standard parametrisation.
//!
//! Shapes are compared before anything is allocated, so a file can make nothing larger than itself; a value that is not a
//! number is refused here, by the name of its tensor, and not found later as a kernel of NaN.

use std::collections::BTreeSet;

use safetensors::{Dtype, SafeTensors};

use super::source::{Fill, Source, WeightsError};

/// The tensors of a safetensors file, each to be asked for once.
pub struct Stored<'a> {
    file: SafeTensors<'a>,
    network: &'static str,
    left: BTreeSet<String>,
}

impl<'a> Stored<'a> {
    /// Opens the bytes of a file as the weights of `network` (for its messages).
    ///
    /// # Errors
    /// When they are no safetensors file.
    pub fn open(bytes: &'a [u8], network: &'static str) -> Result<Self, WeightsError> {
        let file = SafeTensors::deserialize(bytes).map_err(|err| WeightsError::Format(err.to_string()))?;
        let left = file.names().into_iter().map(str::to_owned).collect();
        Ok(Self { file, network, left })
    }

    /// The shape of a tensor of so many axes.
    ///
    /// # Errors
    /// When there is no such tensor, or it has another number of axes, or none of its values.
    pub fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D], WeightsError> {
        let found = self.view(name)?.shape().to_vec();
        // A length of 0 would make the others free: they could claim anything without a byte behind it.
        if found.contains(&0) {
            return Err(WeightsError::Shape { name: name.to_owned(), found, expected: "something".to_owned() });
        }
        <[usize; D]>::try_from(found.as_slice()).map_err(|_| WeightsError::Shape {
            name: name.to_owned(),
            found,
            expected: format!("{D} axes"),
        })
    }

    /// The sizes [fan_out, fan_in] of a first layer that reads these inputs.
    ///
    /// # Errors
    /// Those of [`Self::shape`], and when it reads another number of inputs.
    pub fn reading(&self, name: &str, inputs: usize) -> Result<[usize; 2], WeightsError> {
        let found = self.shape::<2>(name)?;
        if found[1] == inputs {
            return Ok(found);
        }
        let inputs = format!("{inputs} values");
        Err(WeightsError::Inputs { name: name.to_owned(), found: found.to_vec(), inputs })
    }

    /// Whether the file has this tensor.
    pub fn has(&self, name: &str) -> bool {
        self.view(name).is_ok()
    }

    /// Says that the network is complete.
    ///
    /// # Errors
    /// When the file has a tensor that nobody asked for.
    pub fn finish(self) -> Result<(), WeightsError> {
        match self.left.into_iter().next() {
            Some(name) => Err(WeightsError::Unknown { name, network: self.network }),
            None => Ok(()),
        }
    }

    fn view(&self, name: &str) -> Result<safetensors::tensor::TensorView<'_>, WeightsError> {
        let missing = || WeightsError::Missing { name: name.to_owned(), network: self.network };
        self.file.tensor(name).map_err(|_| missing())
    }
}

impl Source for Stored<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize], _fill: Fill) -> Result<Vec<f32>, WeightsError> {
        let view = self.view(name)?;
        if view.shape() != shape {
            let (found, expected) = (view.shape().to_vec(), format!("{shape:?}"));
            return Err(WeightsError::Shape { name: name.to_owned(), found, expected });
        }
        if view.dtype() != Dtype::F32 {
            return Err(WeightsError::Dtype { name: name.to_owned(), found: format!("{:?}", view.dtype()) });
        }
        let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite { name: name.to_owned(), place });
        }
        self.left.remove(name);
        Ok(values)
    }

    fn matrix(&mut self, name: &str, fan_in: usize, fan_out: usize) -> Result<Vec<f32>, WeightsError> {
        let stored = self.tensor(name, &[fan_out, fan_in], Fill::Weight { fan_in })?;
        Ok((0..fan_in * fan_out).map(|at| stored[(at % fan_out) * fan_in + at / fan_out]).collect())
    }

    fn gains(&self, _fan_in: usize) -> (f64, f64) {
        (1.0, 1.0)
    }

    fn is_ntk(&self) -> bool {
        false
    }
}
