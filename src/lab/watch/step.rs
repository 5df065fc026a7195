//! One step of a watched training: its file is read, and its kernel and outputs on the probes are measured.

use std::io;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;

use crate::lab::gram::{load_graph, load_known};
use crate::model::{Network, WeightsError, read};
use crate::ntk::{MeasuredKernels, PartKind, Reduction, Request, layerwise};
use crate::spec::PartGranularity;
use crate::storage::{WatchFolder, WatchedNetwork, words};

/// Inputs of one forward pass at most.
const ROWS: usize = 64;

/// What is measured of a step.
pub(super) struct Measured {
    pub kernels: MeasuredKernels,
    /// Outputs on the probes, [n, C]; none of a step that holds its kernel and no weights.
    pub outputs: Option<Vec<f32>>,
    pub weights: Option<Vec<Tensor<1>>>,
    pub kernel_seconds: Option<f64>,
    pub evaluation_seconds: Option<f64>,
}

/// Why a step is not measured.
pub(super) enum Unread {
    Cancelled,
    /// There is no such file.
    Gone,
    /// It cannot be read, which may change: somebody may still be writing it.
    NotYet(String),
    /// It was read and cannot be measured.
    Refused(String),
}

/// Reads and measures the steps of a folder.
pub(super) struct StepReader<'a> {
    pub folder: &'a WatchFolder,
    /// The probes, [n, inputs].
    pub images: Tensor<2>,
}

impl StepReader<'_> {
    /// Reads and measures a step.
    pub fn measure(&self, step: u64, cancelled: &dyn Fn() -> bool) -> Result<Measured, Unread> {
        let bytes = self.folder.weights_of(step).map_err(|err| match err.kind() {
            io::ErrorKind::NotFound => Unread::Gone,
            _ => Unread::NotYet(format!("its file cannot be read: {}", words(&err))),
        })?;
        if SafeTensors::deserialize(&bytes).is_err() {
            return Err(Unread::NotYet("its file is no safetensors file, or damaged".to_owned()));
        }
        if let Some(gram) = self.folder.kernel_in(&bytes).map_err(Unread::Refused)? {
            let kernels = bare_kernel(gram);
            return Ok(Measured {
                kernels,
                outputs: None,
                weights: None,
                kernel_seconds: None,
                evaluation_seconds: None,
            });
        }
        let network = self.network(bytes).map_err(Unread::Refused)?;
        let began = Instant::now();
        let outputs = self.outputs(&network, cancelled).ok_or(Unread::Cancelled)?;
        let classes = outputs.len() / self.images.dims()[0];
        self.folder.probes.check_outputs(classes).map_err(Unread::Refused)?;
        let evaluation_seconds = Some(began.elapsed().as_secs_f64());
        let began = Instant::now();
        let kernels = self.kernels(&network, classes, cancelled).ok_or(Unread::Cancelled)?;
        let kernel_seconds = Some(began.elapsed().as_secs_f64());
        Ok(Measured {
            kernels,
            outputs: Some(outputs),
            weights: Some(network.flatten()),
            kernel_seconds,
            evaluation_seconds,
        })
    }

    /// Builds the network with the weights in the bytes of a step; the error is a sentence.
    fn network(&self, bytes: Vec<u8>) -> Result<Network, String> {
        match &self.folder.network {
            WatchedNetwork::Graph(graph) => {
                load_graph(graph, &[bytes], &Device::flex()).map(|(network, _)| network).map_err(|err| sentence(&err))
            }
            WatchedNetwork::Known(settings, spec) => load_known(settings, spec, bytes, &self.folder.probes)
                .map_err(|err| err.map_or_else(|why| why, |err| sentence(&err))),
        }
    }

    fn outputs(&self, network: &Network, cancelled: &dyn Fn() -> bool) -> Option<Vec<f32>> {
        let n = self.images.dims()[0];
        let mut outputs = Vec::new();
        for first in (0..n).step_by(ROWS) {
            if cancelled() {
                return None;
            }
            let rows = self.images.clone().narrow(0, first, ROWS.min(n - first));
            outputs.extend(read(network.forward(rows)));
        }
        Some(outputs)
    }

    /// Measures the kernel with its parts, as a run does.
    fn kernels(&self, network: &Network, classes: usize, cancelled: &dyn Fn() -> bool) -> Option<MeasuredKernels> {
        let mut request = Request::of(Reduction::Trace);
        let logits = self.logit_sets(classes);
        let layers = network.program().layers();
        let apart = match PartGranularity::fitting(self.images.dims()[0], &layers, logits.len()) {
            PartGranularity::None => None,
            PartGranularity::Layers => Some(PartKind::Layers),
            PartGranularity::Tensors => Some(PartKind::Tensors),
        };
        if let Some(apart) = apart {
            (request.apart, request.logits) = (apart, logits);
        }
        let reduced = layerwise::measure(network, &self.images, None, &request, cancelled)?;
        Some(MeasuredKernels::new(reduced, &request, None))
    }

    /// The logits of the first task's classes and all others, if there are others: their kernels are stored separately.
    fn logit_sets(&self, classes: usize) -> Vec<Vec<usize>> {
        let probes = &self.folder.probes;
        let first = probes.classes_of(1);
        let has_others = probes.values.is_empty() && probes.labels.iter().any(|class| !first.contains(class));
        let (old, new): (Vec<usize>, Vec<usize>) = (0..classes).partition(|class| first.contains(class));
        if has_others && !old.is_empty() && !new.is_empty() { vec![old, new] } else { Vec::new() }
    }
}

/// A kernel of which nothing else is known.
pub(super) fn bare_kernel(trace: Vec<f64>) -> MeasuredKernels {
    let (parts, logits) = (Vec::new(), Vec::new());
    MeasuredKernels { trace, apart: PartKind::No, parts, logits, full: None, optimiser: None }
}

/// Says what is wrong with the weights of a step, and the way out.
fn sentence(err: &WeightsError) -> String {
    const WAY_OUT: &str = "save the state_dict() of the module that was exported";
    match err {
        WeightsError::Missing { name, .. }
        | WeightsError::MissingOwn { name, .. }
        | WeightsError::MissingBias { name }
        | WeightsError::MissingOwnBias { name }
        | WeightsError::Another { name, .. } => {
            format!("its weights have no tensor {name}: {WAY_OUT}")
        }
        WeightsError::Unknown { name, .. } => format!("its weights have a tensor {name} of another network: {WAY_OUT}"),
        WeightsError::Shape { name, found, expected } => {
            format!("its tensor {name} has shape {found:?} where {expected} was expected: {WAY_OUT}")
        }
        WeightsError::NotFinite { name, .. } => {
            format!("its tensor {name} holds a value that is not a number: the training has diverged")
        }
        other => other.to_string(),
    }
}
