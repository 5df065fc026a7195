//! Weights files as a source of parameters: PyTorch's names and layouts, any float type, either parametrisation.
//!
//! Shapes are compared before any allocation, so a file cannot cause an allocation larger than itself; a value that is not
//! finite is refused here, with the name of its tensor, rather than found later as a kernel of NaN.

use std::collections::{BTreeMap, BTreeSet};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::names::{LocatedTensors, Shapes, TensorLocation};
use super::parameter_source::{ParameterSource, WeightsError};
use crate::run::{printable, printable_list};
use crate::spec::ops::Parameter;
use crate::storage::tensors_of;

/// The tensors of a weights file, each of which is to be read once.
pub struct StoredTensors<'a> {
    tensors: BTreeMap<String, FileTensor<'a>>,
    /// Name of the network, for messages.
    network: &'static str,
    left: BTreeSet<String>,
    /// Biases that the network can have and this file lacks.
    absent: Vec<String>,
    /// Tensors with additional leading axes of length 1.
    squeezed: Vec<String>,
    /// Tensors with other axes of length 1 than the network's.
    reshaped: Vec<String>,
    notes: Vec<String>,
}

/// Returns whether a tensor of this shape in a file matches one of the network's: the same shape, or one that becomes the
/// other when axes of length 1 are left out of it. Class tokens and positions have more of them, where they are added to a
/// batch, and filters of signals have fewer, [out, in, k] for [out, in, 1, k].
pub(super) fn is_of(found: &[usize], shape: &[usize]) -> bool {
    is_without_ones(found, shape) || is_without_ones(shape, found)
}

/// Returns whether a shape becomes the other one when axes of length 1 are left out of it.
fn is_without_ones(shape: &[usize], other: &[usize]) -> bool {
    let mut rest = other;
    for side in shape {
        match rest.split_first() {
            Some((next, after)) if next == side => rest = after,
            _ if *side == 1 => {}
            _ => return false,
        }
    }
    rest.is_empty()
}

/// A tensor of the file, or a third of one.
struct FileTensor<'a> {
    /// Its name in the file.
    theirs: String,
    view: TensorView<'a>,
    shape: Vec<usize>,
    /// Index of its first value in the view.
    start: usize,
}

impl<'a> StoredTensors<'a> {
    /// Opens the bytes of a file, or of its shards, with the names that `find` gives its tensors.
    ///
    /// # Errors
    /// Fails if they are not safetensors files, or if their names belong to another network or allow two interpretations.
    pub fn open(
        parts: &'a [Vec<u8>],
        network: &'static str,
        find: impl FnOnce(&Shapes) -> Result<LocatedTensors, WeightsError>,
    ) -> Result<Self, WeightsError> {
        let mut views = BTreeMap::new();
        for bytes in parts {
            let mut found = tensors_of(bytes).map_err(WeightsError::Format)?.tensors();
            // The library's order varies, and so would the name in an error message.
            found.sort_by(|(one, _), (other, _)| one.cmp(other));
            for (name, view) in found {
                if views.contains_key(&name) {
                    return Err(WeightsError::Twice(printable(&name)));
                }
                views.insert(name, view);
            }
        }
        let shapes: Shapes = views.iter().map(|(name, view)| (name.clone(), view.shape().to_vec())).collect();
        let (places, notes) = find(&shapes)?;
        let mut tensors = BTreeMap::new();
        for TensorLocation { ours, theirs, third } in places {
            let Some(view) = views.get(&theirs).cloned() else { continue };
            let mut shape = view.shape().to_vec();
            let mut start = 0;
            if let Some(third) = third {
                let Some(rows) = shape.first().copied().filter(|rows| rows.is_multiple_of(3)) else {
                    let expected = "three parts of one size".to_owned();
                    return Err(WeightsError::Shape { name: printable(&theirs), found: shape, expected });
                };
                shape[0] = rows / 3;
                start = third * shape.iter().product::<usize>();
            }
            if tensors.contains_key(&ours) {
                return Err(WeightsError::Twice(printable(&ours)));
            }
            tensors.insert(ours, FileTensor { theirs, view, shape, start });
        }
        let left = tensors.keys().cloned().collect();
        let mut stored =
            Self { tensors, network, left, absent: Vec::new(), squeezed: Vec::new(), reshaped: Vec::new(), notes };
        stored.note_types();
        Ok(stored)
    }

    /// Notes the types other than 32-bit floats that are read.
    fn note_types(&mut self) {
        let types: BTreeSet<&str> = self.tensors.values().filter_map(|held| other_float(held.view.dtype())).collect();
        if !types.is_empty() {
            let types = types.into_iter().collect::<Vec<_>>().join(" and ");
            self.notes.push(format!("read {types} as 32-bit floats"));
        }
    }

    /// Returns names and shapes of all tensors, under the network's names.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.tensors.iter().map(|(name, held)| (name.clone(), held.shape.clone())).collect()
    }

    /// Declares that the file lacks these biases, which the network can have.
    ///
    /// # Errors
    /// Fails if other layers of the same kind have theirs: then the bias was lost.
    pub fn lacks(&mut self, absent: Vec<String>) -> Result<(), WeightsError> {
        let last = (1..).take_while(|place| self.tensors.contains_key(&format!("fc{place}.weight"))).count();
        let is_bias = |name: &&String| name.ends_with(".bias");
        let biased: BTreeSet<String> = self.tensors.keys().filter(is_bias).map(|name| role(name, last)).collect();
        match absent.iter().find(|name| biased.contains(&role(name, last))) {
            Some(name) => Err(WeightsError::MissingBias { name: name.clone() }),
            None => {
                self.absent = absent;
                Ok(())
            }
        }
    }

    /// Returns a tensor's name in the file, for messages.
    pub fn name_of(&self, name: &str) -> String {
        printable(self.tensors.get(name).map_or(name, |held| &held.theirs))
    }

    /// Declares that the network is complete; returns a description of how it was read.
    ///
    /// # Errors
    /// Fails if the file has a tensor that was not read.
    pub fn finish(mut self) -> Result<Vec<String>, WeightsError> {
        if let Some(name) = self.left.first() {
            return Err(WeightsError::Unknown { name: self.name_of(name), network: self.network });
        }
        if !self.squeezed.is_empty() {
            let names = printable_list(self.squeezed.iter().map(String::as_str));
            self.notes.push(format!("took leading axes of length 1 off {names}"));
        }
        if !self.reshaped.is_empty() {
            let names = printable_list(self.reshaped.iter().map(String::as_str));
            self.notes.push(format!("took {names} with axes of length 1 put in or left out"));
        }
        if !self.absent.is_empty() {
            let absent = printable_list(self.absent.iter().map(String::as_str));
            self.notes.push(format!("there is no {absent}, and the kernel has no part of it"));
        }
        Ok(self.notes)
    }

    fn held(&self, name: &str) -> Result<&FileTensor<'a>, WeightsError> {
        self.tensors.get(name).ok_or_else(|| {
            let there = printable_list(self.tensors.values().map(|held| held.theirs.as_str()));
            let there = if there.is_empty() { "none at all".to_owned() } else { there };
            WeightsError::Missing { name: name.to_owned(), network: self.network, there }
        })
    }

    /// Returns the values of a tensor of this shape, in the order of `places`.
    fn values(
        &mut self,
        name: &str,
        shape: &[usize],
        places: impl Iterator<Item = usize>,
    ) -> Result<Vec<f32>, WeightsError> {
        let held = self.held(name)?;
        if !is_of(&held.shape, shape) {
            let (name, found, expected) = (printable(&held.theirs), held.shape.clone(), format!("{shape:?}"));
            return Err(WeightsError::Shape { name, found, expected });
        }
        let (data, start) = (held.view.data(), held.start);
        let places = places.map(|place| start + place);
        let values: Vec<f32> = match held.view.dtype() {
            Dtype::F32 => read(data, places, f32::from_le_bytes),
            // A value beyond the range of f32 becomes infinite, and is refused below.
            Dtype::F64 => read(data, places, |bytes| f64::from_le_bytes(bytes) as f32),
            Dtype::F16 => read(data, places, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Dtype::BF16 => read(data, places, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            other => return Err(WeightsError::Dtype { name: printable(&held.theirs), found: format!("{other:?}") }),
        };
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite { name: printable(&held.theirs), place });
        }
        if held.shape.len() > shape.len() && held.shape.ends_with(shape) {
            self.squeezed.push(printable(&held.theirs));
        } else if held.shape != shape {
            self.reshaped.push(printable(&held.theirs));
        }
        self.left.remove(name);
        Ok(values)
    }
}

/// Returns the kind of layer to which a bias belongs, in a network whose last dense layer has this number: either all
/// layers of a kind have one or none has.
fn role(bias: &str, last: usize) -> String {
    if bias == format!("fc{last}.bias") {
        return "the last".to_owned();
    }
    // `blocks.0.fc1` and `blocks.1.fc1` are of one kind, as are `fc1` and `fc2` of an MLP.
    let parts = bias.split('.').enumerate().map(|(at, part)| {
        let inner = at > 0 && part.bytes().any(|byte| !byte.is_ascii_digit());
        if inner { part } else { part.trim_end_matches(|letter: char| letter.is_ascii_digit()) }
    });
    parts.collect::<Vec<_>>().join(".")
}

/// Reads values of `N` bytes each, at these places.
fn read<const N: usize>(data: &[u8], places: impl Iterator<Item = usize>, of: fn([u8; N]) -> f32) -> Vec<f32> {
    let (values, _) = data.as_chunks::<N>();
    places.map(|place| of(values[place])).collect()
}

/// Describes a float type that is read but not used in the network.
fn other_float(dtype: Dtype) -> Option<&'static str> {
    match dtype {
        Dtype::F64 => Some("64-bit floats"),
        Dtype::F16 => Some("16-bit floats"),
        Dtype::BF16 => Some("bfloat16"),
        _ => None,
    }
}

impl ParameterSource for StoredTensors<'_> {
    fn tensor(&mut self, tensor: &Parameter) -> Result<Vec<f32>, WeightsError> {
        let (name, shape) = (&tensor.name, &tensor.shape);
        match (tensor.turned, shape.as_slice()) {
            // Transposed while it is read: a separate copy would be as large as the file.
            (true, &[rows, columns]) => {
                self.values(name, shape, (0..rows * columns).map(|at| (at % rows) * columns + at / rows))
            }
            _ => self.values(name, shape, 0..shape.iter().product()),
        }
    }
}
