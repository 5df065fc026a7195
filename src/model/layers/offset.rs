//! A learned offset z = x + c p, the same for every sample: the transformer's positions.
//!
//! c = 1 in the standard parametrisation, σ_b in the NTK parametrisation: an offset is a bias for each position.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::Cotangent;
use crate::model::source::{Fill, Source, WeightsError};
use crate::model::tape::{Backward, Tap, View};

/// One offset.
#[derive(Module, Debug)]
pub struct Offset {
    /// [positions, features].
    pub values: Param<Tensor<2>>,
    #[module(skip)]
    gain: f64,
}

impl Offset {
    /// The tensor `name` with the values that `source` has for it.
    pub fn build(
        name: &str,
        shape: [usize; 2],
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let values = source.tensor(name, &shape, Fill::Offset)?;
        let values = Tensor::from_data(TensorData::new(values, shape), device);
        Ok(Self { values: Param::from_tensor(values), gain: source.gains(shape[1]).1 })
    }

    /// [n, positions, features] → the same.
    pub fn apply(&self, input: Tensor<3>) -> Tensor<3> {
        let values = self.values.val().unsqueeze::<3>();
        input + if self.gain == 1.0 { values } else { values * self.gain }
    }

    pub(in crate::model) fn on_tape(&self, name: &str) -> (Box<dyn Backward>, Option<Tap>) {
        (
            Box::new(Through),
            Some(Tap {
                name: name.to_owned(),
                tensors: vec![name.to_owned()],
                view: View::Offset { shape: self.values.val().dims(), gain: self.gain },
            }),
        )
    }
}

/// δ ↦ δ.
pub struct Through;

impl Backward for Through {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent]
    }
}
