//! Weights files as a source of parameters: PyTorch's names and layouts, any float type, either parametrisation.
//!
//! Shapes are compared before any allocation, so a file cannot cause an allocation larger than itself; a value that is not
//! finite is refused here, with the name of its tensor, rather than found later as a kernel of NaN.

use std::collections::{BTreeMap, BTreeSet};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::family::Family;
use super::names::{self, Shapes, TensorLocation};
use super::parameter_source::{ParameterSource, WeightsError};
use crate::run::{printable, printable_list};
use crate::spec::Program;
use crate::spec::ops::{Parameter, shown};
use crate::storage::tensors_of;

/// The tensors of a weights file, each of which is to be read once.
pub struct StoredTensors<'a> {
    tensors: BTreeMap<String, FileTensor<'a>>,
    /// The family of the network; `None` if its tensors have exact names.
    family: Option<Family>,
    /// Names of the network's tensors, with the usual settings until its program is known.
    own: BTreeSet<String>,
    /// Names and shapes of all floats in the file.
    floats: Shapes,
    /// Tensors of whole numbers or truth values that are none of the network's: name, shape and type.
    buffers: Vec<(String, Vec<usize>, Dtype)>,
    left: BTreeSet<String>,
    /// Biases that the network can have and this file lacks.
    absent: Vec<String>,
    /// Tensors of the network's module on which its outputs do not depend.
    unused: Vec<String>,
    /// Tensors with additional leading axes of length 1.
    squeezed: Vec<String>,
    /// Tensors with other axes of length 1 than the network's.
    reshaped: Vec<String>,
    notes: Vec<String>,
}

/// Where a tensor of a network is in a weights file, or what became of a tensor of the file: a row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorOrigin {
    /// Its name in the file, safe to show; empty if the file lacks it.
    pub theirs: String,
    /// Its name in the network; empty if it is none of the network's.
    pub ours: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// Its type in the file.
    pub dtype: String,
    /// A description of how it was converted, or why it was left out; empty for a tensor that was read as it is.
    pub treatment: String,
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
    /// Which third of the tensor it is.
    third: Option<usize>,
}

impl<'a> StoredTensors<'a> {
    /// Opens the bytes of a file, or of its shards, and finds the tensors of a network in it: of a family by their names in
    /// other programs, otherwise by the names that `own` returns for the shapes in the file.
    ///
    /// # Errors
    /// Fails if they are not safetensors files, if a weight has a type that is not read, or if their names belong to another
    /// network or allow two interpretations.
    pub fn open(
        parts: &'a [Vec<u8>],
        family: Option<Family>,
        own: impl FnOnce(&Shapes) -> BTreeSet<String>,
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
        if family.is_some() {
            names::check_batch_norms(views.keys().map(String::as_str))?;
        }
        let mut floats: Shapes = views.iter().map(|(name, view)| (name.clone(), view.shape().to_vec())).collect();
        let own = own(&floats);
        let mut buffers = Vec::new();
        for (name, view) in &views {
            let Some(what) = unread(view.dtype()) else { continue };
            if !is_whole(view.dtype()) || names::is_weight(name, &own, |sibling| views.contains_key(sibling)) {
                return Err(WeightsError::Dtype { name: printable(name), found: format!("{:?}", view.dtype()), what });
            }
            floats.remove(name);
            buffers.push((printable(name), view.shape().to_vec(), view.dtype()));
        }
        let (places, notes) = names::find(family, &floats, &own)?;
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
            tensors.insert(ours, FileTensor { theirs, view, shape, start, third });
        }
        let left = tensors.keys().cloned().collect();
        let (absent, squeezed, reshaped, unused) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut stored =
            Self { tensors, family, own, floats, buffers, left, absent, squeezed, reshaped, unused, notes };
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
        if !self.buffers.is_empty() {
            let names = printable_list(self.buffers.iter().map(|(name, ..)| name.as_str()));
            self.notes.push(format!("left out {names}: whole numbers or truth values, and no weights"));
        }
    }

    /// Declares the program of the network, whose tensors are to be read.
    ///
    /// # Errors
    /// Fails if the file has none of its tensors.
    pub fn expect(&mut self, program: &Program) -> Result<(), WeightsError> {
        self.own.extend(program.tensors.iter().map(|tensor| tensor.name.clone()));
        let Some(first) = program.tensors.first().filter(|_| self.family.is_none()) else { return Ok(()) };
        let is_there = |tensor: &Parameter| self.tensors.contains_key(&tensor.name);
        // Of a file without tensors there is nothing to say but that one is missing.
        if self.tensors.is_empty() || program.tensors.iter().any(is_there) {
            return Ok(());
        }
        let (name, shape) = (first.name.clone(), shown(&first.shape));
        Err(self.reason().unwrap_or(WeightsError::Another { name, shape, there: self.there() }))
    }

    /// Returns where each tensor of the network is, in the network's order, and what else there is in the file. `moves` tells
    /// which tensors are trained.
    pub fn origins(&self, program: &Program, moves: impl Fn(&Parameter) -> bool) -> Vec<TensorOrigin> {
        let read = program.tensors.iter().filter_map(|tensor| {
            let held = self.tensors.get(&tensor.name)?;
            let mut notes = Vec::new();
            if let Some(third) = held.third {
                notes.push(format!("its {} third", ["first", "second", "last"][third]));
            }
            notes.extend(other_float(held.view.dtype()).map(|_| match held.view.dtype() {
                Dtype::F64 => "rounded to 32 bits".to_owned(),
                _ => "widened to 32 bits".to_owned(),
            }));
            if held.shape != tensor.shape {
                notes.push(format!("taken as {}", shown(&tensor.shape)));
            }
            if !moves(tensor) {
                notes.push("not trained, so no part of the kernel".to_owned());
            }
            Some(TensorOrigin {
                theirs: printable(&held.theirs),
                ours: tensor.name.clone(),
                shape: held.view.shape().to_vec(),
                dtype: format!("{:?}", held.view.dtype()),
                treatment: notes.join("; "),
            })
        });
        let left = self.buffers.iter().map(|(name, shape, dtype)| TensorOrigin {
            theirs: name.clone(),
            ours: String::new(),
            shape: shape.clone(),
            dtype: format!("{dtype:?}"),
            treatment: "left out: no weights".to_owned(),
        });
        let absent = self.absent.iter().map(|name| TensorOrigin {
            theirs: String::new(),
            ours: printable(name),
            shape: Vec::new(),
            dtype: String::new(),
            treatment: "not in the file, and no part of the kernel".to_owned(),
        });
        let unused = self.unused.iter().filter_map(|name| {
            let held = self.tensors.get(name)?;
            Some(TensorOrigin {
                theirs: printable(&held.theirs),
                ours: String::new(),
                shape: held.view.shape().to_vec(),
                dtype: format!("{:?}", held.view.dtype()),
                treatment: "left out: the outputs do not depend on it".to_owned(),
            })
        });
        read.chain(left).chain(absent).chain(unused).collect()
    }

    /// Returns names and shapes of all tensors, under the network's names.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.tensors.iter().map(|(name, held)| (name.clone(), held.shape.clone())).collect()
    }

    /// Checks that tensors which are one in the network are equal where the file has both: `tied` has the name of the network's for
    /// each other name.
    ///
    /// # Errors
    /// Names two that differ.
    pub fn check_tied(&self, tied: &BTreeMap<String, String>) -> Result<(), WeightsError> {
        let bytes = |name: &String| self.tensors.get(name).map(|held| (held.view.dtype(), held.view.data()));
        let differ =
            |(other, own): &(&String, &String)| bytes(other).zip(bytes(own)).is_some_and(|(other, own)| other != own);
        match tied.iter().find(differ) {
            Some((other, own)) => Err(WeightsError::Untied { one: self.name_of(own), other: self.name_of(other) }),
            None => Ok(()),
        }
    }

    /// Leaves out the tensors whose names are among these and that the program does not have: the outputs do not depend on
    /// them.
    pub fn leave_out(&mut self, program: &Program, known: &BTreeSet<&str>) {
        let is_unused =
            |name: &String| known.contains(name.as_str()) && !program.tensors.iter().any(|tensor| tensor.name == *name);
        let names: Vec<String> = self.left.extract_if(.., is_unused).collect();
        self.unused.extend(names);
    }

    /// Declares that the file lacks these biases, which the network can have.
    ///
    /// If `is_exact`, the network has the names of a user's text, which says of each layer whether it has a bias.
    ///
    /// # Errors
    /// Fails if other layers of the same kind have theirs, or of an exact text any layer: then the bias was lost.
    pub fn lacks(&mut self, absent: Vec<String>, is_exact: bool) -> Result<(), WeightsError> {
        // The bias of a norm has one axis, as its weight has.
        let is_matrix =
            |layer: &str| self.tensors.get(&format!("{layer}weight")).is_some_and(|held| held.shape.len() > 1);
        let has_bias = self.tensors.keys().any(|name| name.strip_suffix("bias").is_some_and(is_matrix));
        if let Some(name) = absent.first().filter(|_| is_exact && has_bias) {
            let missing = WeightsError::MissingOwnBias { name: name.clone() };
            return Err(self.reason().unwrap_or(missing));
        }
        let last = (1..).take_while(|place| self.tensors.contains_key(&format!("fc{place}.weight"))).count();
        let is_bias = |name: &&String| name.ends_with(".bias");
        let biased: BTreeSet<String> = self.tensors.keys().filter(is_bias).map(|name| role(name, last)).collect();
        match absent.iter().find(|name| biased.contains(&role(name, last))) {
            Some(name) => Err(self.reason().unwrap_or(WeightsError::MissingBias { name: name.clone() })),
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
            let unknown = WeightsError::Unknown { name: self.name_of(name), network: self.network() };
            return Err(self.reason().unwrap_or(unknown));
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

    /// Returns what messages call the network.
    fn network(&self) -> &'static str {
        self.family.map_or("this network", Family::words)
    }

    /// Lists the tensors that the file has.
    fn there(&self) -> String {
        let there = printable_list(self.tensors.values().map(|held| held.theirs.as_str()));
        if there.is_empty() { "none at all".to_owned() } else { there }
    }

    /// Returns why the file has other names than the network, if they tell.
    fn reason(&self) -> Option<WeightsError> {
        names::reason(&self.floats, &self.own)
    }

    fn held(&self, tensor: &Parameter) -> Result<&FileTensor<'a>, WeightsError> {
        self.tensors.get(&tensor.name).ok_or_else(|| {
            let (name, there) = (tensor.name.clone(), self.there());
            self.reason().unwrap_or_else(|| match self.family {
                Some(_) => WeightsError::Missing { name, network: self.network(), there },
                None => WeightsError::MissingOwn { name, shape: shown(&tensor.shape), there },
            })
        })
    }

    /// Returns the values of a tensor of this shape, in the order of `places`.
    fn values(
        &mut self,
        tensor: &Parameter,
        places: impl Iterator<Item = usize> + Clone,
    ) -> Result<Vec<f32>, WeightsError> {
        let held = self.held(tensor)?;
        if !is_of(&held.shape, &tensor.shape) {
            let (name, found, expected) = (printable(&held.theirs), held.shape.clone(), shown(&tensor.shape));
            return Err(WeightsError::Shape { name, found, expected });
        }
        let (data, start) = (held.view.data(), held.start);
        let places = places.map(|place| start + place);
        let values: Vec<f32> = match held.view.dtype() {
            Dtype::F32 => read(data, places.clone(), f32::from_le_bytes),
            // A value beyond the range of f32 becomes infinite, and is refused below.
            Dtype::F64 => read(data, places.clone(), |bytes| f64::from_le_bytes(bytes) as f32),
            Dtype::F16 => read(data, places.clone(), |bytes| f16::from_le_bytes(bytes).to_f32()),
            Dtype::BF16 => read(data, places.clone(), |bytes| bf16::from_le_bytes(bytes).to_f32()),
            other => {
                let (name, found) = (printable(&held.theirs), format!("{other:?}"));
                return Err(WeightsError::Dtype { name, found, what: unread(other).unwrap_or("another type") });
            }
        };
        let mut placed = places.zip(&values);
        if let Some((place, _)) = placed.find(|(_, value)| !value.is_finite()) {
            return Err(WeightsError::NotFinite {
                name: printable(&held.theirs),
                place: indices(place, held.view.shape()),
            });
        }
        if held.shape.len() > tensor.shape.len() && held.shape.ends_with(&tensor.shape) {
            self.squeezed.push(printable(&held.theirs));
        } else if held.shape != tensor.shape {
            self.reshaped.push(printable(&held.theirs));
        }
        self.left.remove(&tensor.name);
        Ok(values)
    }
}

/// Returns the index in each axis of a value of a tensor of this shape.
fn indices(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut indices: Vec<usize> = shape
        .iter()
        .rev()
        .map(|side| {
            let index = place % side;
            place /= side;
            index
        })
        .collect();
    indices.reverse();
    indices
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

/// Describes a type that is not read as a weight.
fn unread(dtype: Dtype) -> Option<&'static str> {
    match dtype {
        Dtype::F32 | Dtype::F64 | Dtype::F16 | Dtype::BF16 => None,
        Dtype::C64 => Some("complex numbers"),
        whole if is_whole(whole) => Some("whole numbers, which are weights only with a scale that is not known"),
        _ => Some("floats of few bits, which are weights only with a scale that is not known"),
    }
}

/// Returns whether a type is one of whole numbers or truth values.
fn is_whole(dtype: Dtype) -> bool {
    matches!(
        dtype,
        Dtype::BOOL
            | Dtype::U8
            | Dtype::I8
            | Dtype::U16
            | Dtype::I16
            | Dtype::U32
            | Dtype::I32
            | Dtype::U64
            | Dtype::I64
    )
}

impl ParameterSource for StoredTensors<'_> {
    fn tensor(&mut self, tensor: &Parameter) -> Result<Vec<f32>, WeightsError> {
        match (tensor.turned, tensor.shape.as_slice()) {
            // Transposed while it is read: a separate copy would be as large as the file.
            (true, &[rows, columns]) => {
                self.values(tensor, (0..rows * columns).map(|at| (at % rows) * columns + at / rows))
            }
            (_, shape) => self.values(tensor, 0..shape.iter().product()),
        }
    }
}
