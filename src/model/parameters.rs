//! All parameters of a network, found by burn's own traversal: none can be forgotten, and a new network lists nothing.
//!
//! Names and layouts are PyTorch's: `fc1.weight` is [out, in], y = x Wᵀ + b.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::record::NamedTensor;

/// A parameter as the network holds it, without autodiff, or its gradient.
struct Held {
    /// Of the parameter, also where this is its gradient.
    id: ParamId,
    name: String,
    shape: Vec<usize>,
    /// Whether training moves it and the kernel sums over it.
    moves: bool,
    /// Flat, shares memory with the network.
    values: Tensor<1>,
}

impl Held {
    /// Affine weights are [in, out] here and [out, in] in files.
    fn is_affine_weight(&self) -> bool {
        self.shape.len() == 2 && self.name.contains(".weight")
    }
}

/// All parameters, copied to plain memory in PyTorch's layout.
pub(super) fn named(network: &impl Module) -> Vec<NamedTensor> {
    let named = |held: Held| {
        if !held.is_affine_weight() {
            return NamedTensor { name: held.name, shape: held.shape, values: values_of(held.values) };
        }
        let (fan_in, fan_out) = (held.shape[0], held.shape[1]);
        let values = held.values.reshape([fan_in, fan_out]).transpose().reshape([fan_in * fan_out]);
        NamedTensor { name: held.name, shape: vec![fan_out, fan_in], values: values_of(values) }
    };
    collect(network).into_iter().map(named).collect()
}

/// All parameters as flat vectors that share memory with the network: cheap to keep, one per tensor.
pub(super) fn flatten(network: &impl Module) -> Vec<Tensor<1>> {
    collect(network).into_iter().map(|held| held.values).collect()
}

/// Name and number of entries of each parameter that is not frozen.
pub(super) fn sizes(network: &impl Module) -> Vec<(String, usize)> {
    let held = collect(network).into_iter().filter(|held| held.moves);
    held.map(|held| (held.name, held.shape.iter().product())).collect()
}

/// The gradients of all parameters that have one, flat, in the order of [`flatten`], by name.
pub(super) fn gradients(network: &impl Module, of: &GradientsParams) -> Vec<(String, Tensor<1>)> {
    visit(network, Some(of)).into_iter().map(|held| (held.name, held.values)).collect()
}

/// Name and identity of each parameter that is in none of these layers.
pub(super) fn moving(network: &impl Module, frozen: &[String]) -> Vec<(String, ParamId)> {
    let moves = |held: &Held| !frozen.iter().any(|layer| belongs(&held.name, layer));
    collect(network).into_iter().filter(moves).map(|held| (held.name, held.id)).collect()
}

/// Each tensor of a network minus that of another, flat and by name.
pub(super) fn differences(network: &impl Module, other: &impl Module) -> Vec<(String, Tensor<1>)> {
    let pairs = collect(network).into_iter().zip(collect(other));
    pairs.map(|(held, other)| (held.name, held.values - other.values)).collect()
}

/// Whether a tensor is this layer's, or is the one that is named: `fc1` has `fc1.weight` and not `fc10.weight`.
pub fn belongs(tensor: &str, layer: &str) -> bool {
    tensor.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) || layer_of(tensor) == layer
}

/// The layer that a tensor belongs to: `fc1` of `fc1.bias`, `rnn.ih` of `rnn.weight_ih`, and the tensor itself where it is the
/// layer.
pub fn layer_of(tensor: &str) -> String {
    match tensor.rsplit_once('.') {
        Some((layer, "weight" | "bias")) => layer.to_owned(),
        Some((cell, name)) => match name.split_once('_') {
            Some(("weight" | "bias", map)) => format!("{cell}.{map}"),
            _ => tensor.to_owned(),
        },
        None => tensor.to_owned(),
    }
}

fn collect(network: &impl Module) -> Vec<Held> {
    visit(network, None)
}

/// All parameters, or their gradients, where there are some.
fn visit(network: &impl Module, gradients: Option<&GradientsParams>) -> Vec<Held> {
    struct Collector<'a> {
        path: Path,
        gradients: Option<&'a GradientsParams>,
        found: Vec<Held>,
    }
    impl ModuleVisitor for Collector<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = match self.gradients {
                Some(gradients) => gradients.get::<D>(param.id),
                None => Some(param.val().without_autodiff()),
            };
            if let Some(value) = value {
                let (shape, count) = (value.dims().to_vec(), value.shape().num_elements());
                let (id, name, moves) = (param.id, self.path.name(), param.is_require_grad());
                self.found.push(Held { id, name, shape, moves, values: value.reshape([count]) });
            }
        }
    }
    let mut collector = Collector { path: Path::default(), gradients, found: Vec::new() };
    network.visit(&mut collector);
    collector.found
}

/// Where a traversal stands.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    /// PyTorch's name: the path but for lists of layers, which are numbered from 1 (`layers.0.weight` is `fc1.weight`), an
    /// offset, which is a tensor and no layer there, and the two maps of a recurrent cell, whose tensors bear their names
    /// (`rnn.ih.weight` is `rnn.weight_ih`). Kinds of networks and of blocks are no part of it.
    fn name(&self) -> String {
        let mut parts = Vec::new();
        let mut path = self.0.iter().map(String::as_str).filter(|part| !part.starts_with(char::is_uppercase));
        while let Some(part) = path.next() {
            let list = match part {
                "layers" => "fc",
                "convs" => "conv",
                "norms" => "ln",
                "ih" | "hh" => {
                    parts.push(format!("{}_{part}", path.next().unwrap_or_default()));
                    continue;
                }
                "pos" => {
                    path.next();
                    parts.push(part.to_owned());
                    continue;
                }
                _ => {
                    parts.push(part.to_owned());
                    continue;
                }
            };
            let number = path.next().and_then(|place| place.parse::<usize>().ok()).map_or(0, |place| place + 1);
            parts.push(format!("{list}{number}"));
        }
        parts.join(".")
    }
}

fn values_of(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("parameters are 32-bit floats")
}
