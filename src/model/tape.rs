//! Records a forward pass, which can be run backwards from many directions of logit space, as often as needed.
//!
//! burn's own tape gives one backward pass for one forward pass; a kernel needs C backward passes for one forward pass, and
//! of the gradients it needs those of the layers' *outputs*, never of the weights. So the network's steps are recorded
//! here, each with its backward pass. A step without its own backward pass uses burn's autodiff.

use std::collections::HashMap;
use std::ops::Range;

use burn::tensor::Tensor;

use super::Cotangent;
use super::ops::Windows;
use crate::spec::Layer;

/// The backward pass of one step.
pub trait Backward {
    /// Returns the cotangents of the step's inputs, in order, given that of its output. `n`: samples.
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent>;
}

/// The data that the kernel needs at a step with parameters.
#[derive(Clone, Debug)]
pub struct LayerRecord {
    /// Name of the layer, the common part of the names of its tensors: `fc1`, or the tensor's name where the layer is one
    /// tensor: `pos`.
    pub name: String,
    /// Names of its tensors in the kernel: weight and bias, one of them alone, or the tensor itself; the view tells which.
    pub tensors: Vec<String>,
    /// For each of them whether it is trained: a frozen weight keeps its place before a bias that is not.
    pub moves: Vec<bool>,
    pub view: ParameterUse,
}

/// The way in which the parameters of a layer enter its output z, whose cotangent is δ.
#[derive(Clone, Debug)]
pub enum ParameterUse {
    /// z_p = c_w W a_p + c_b b at every position p: weight and bias, or the weight alone. δ is [positions, fan_out] per
    /// sample, or [fan_out, positions] where `channels_first`. Where `transposed`, files and other users of the tensor have
    /// Wᵀ.
    Affine { input: Input, fan_out: usize, channels_first: bool, transposed: bool, weight_gain: f64, bias_gain: f64 },
    /// z_p = γ ∘ x_p + β: weight and bias, the weight alone, or, if the weight is `frozen`, the bias alone. x is
    /// [n, positions, features], or [n, features, positions] where `channels_first`, and so is δ.
    Gain { values: Tensor<3>, channels_first: bool, frozen: bool },
    /// z = x + c p at these entries of a sample: the tensor itself, flat.
    Offset { entries: Range<usize>, gain: f64 },
}

impl LayerRecord {
    /// Returns the layer as its costs are counted; `shared` if another layer has one of its tensors, too.
    fn layer(&self, shared: bool) -> Layer {
        match &self.view {
            ParameterUse::Affine { input, fan_out, .. } => {
                let ([_, places, all], fan_out, bias) = (input.dims(), *fan_out, self.tensors.len() > 1);
                let (groups, reads) = (input.groups(), input.numbers());
                Layer::Affine { fan_in: all / groups, fan_out, places, groups, bias, shared, reads }
            }
            ParameterUse::Gain { values, channels_first, .. } => {
                let [_, first, second] = values.dims();
                let (width, places) = if *channels_first { (first, second) } else { (second, first) };
                if self.tensors.len() > 1 { Layer::Norm { width, places } } else { Layer::Scale { width, places } }
            }
            ParameterUse::Offset { entries, .. } => Layer::Offset { entries: entries.len() },
        }
    }
}

/// What a kernel has to know of a network before it takes a pass through it: the same for all inputs and weights.
#[derive(Debug)]
pub struct Outline {
    /// Number of logits.
    pub classes: usize,
    /// The taps, in the order of the forward pass.
    pub taps: Vec<TapOutline>,
    /// The number of taps of each tensor that has more than one.
    pub shared: HashMap<String, usize>,
}

/// A tap without its values: names of the layer and of its tensors, which of them are trained, and the sizes of the layer.
#[derive(Debug)]
pub struct TapOutline {
    pub name: String,
    pub tensors: Vec<String>,
    pub moves: Vec<bool>,
    pub layer: Layer,
}

/// The input of an affine layer.
#[derive(Clone, Debug)]
pub enum Input {
    /// [n, positions, fan_in].
    Rows(Tensor<3>),
    /// The windows of images [n, channels, height, width], which are many times larger than the images and are computed on
    /// demand.
    Windows { images: Tensor<4>, windows: Windows },
}

impl Input {
    /// Returns the numbers of samples, positions, and values per position, over all groups.
    pub fn dims(&self) -> [usize; 3] {
        match self {
            Self::Rows(rows) => rows.dims(),
            Self::Windows { images, windows } => {
                let ([n, ..], (places, length)) = (images.dims(), windows.dims());
                [n, places, length]
            }
        }
    }

    /// Returns the number of groups of outputs, each of which reads its own part.
    pub fn groups(&self) -> usize {
        match self {
            Self::Rows(_) => 1,
            Self::Windows { windows, .. } => windows.groups(),
        }
    }

    /// Returns the number of values of one sample, some of which windows may share.
    pub fn numbers(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.dims()[1..].iter().product(),
            Self::Windows { images, .. } => images.dims()[1..].iter().product(),
        }
    }

    /// Returns the input as [n, positions, fan_in · groups].
    pub fn rows(&self) -> Tensor<3> {
        match self {
            Self::Rows(rows) => rows.clone(),
            Self::Windows { images, windows } => windows.patches(images.clone()),
        }
    }
}

/// Holds one recorded step of a forward pass.
pub(super) struct Node {
    /// The steps that it reads; `None` for the images.
    pub inputs: Vec<Option<usize>>,
    pub backward: Box<dyn Backward>,
    pub tap: Option<LayerRecord>,
}

/// Records a forward pass, so that backward passes can start from any directions of its logits.
pub struct Tape {
    pub(super) nodes: Vec<Node>,
    /// Logits [n, C].
    pub logits: Tensor<2>,
}

impl Tape {
    /// Returns the outline of the network.
    pub(super) fn outline(&self) -> Outline {
        let mut shared: HashMap<String, usize> = HashMap::new();
        for tensor in self.taps().flat_map(|tap| &tap.tensors) {
            *shared.entry(tensor.clone()).or_default() += 1;
        }
        shared.retain(|_, count| *count > 1);
        let tap = |tap: &LayerRecord| TapOutline {
            name: tap.name.clone(),
            tensors: tap.tensors.clone(),
            moves: tap.moves.clone(),
            layer: tap.layer(tap.tensors.iter().any(|tensor| shared.contains_key(tensor))),
        };
        Outline { classes: self.logits.dims()[1], taps: self.taps().map(tap).collect(), shared }
    }

    /// Returns the taps, in the order of the forward pass.
    pub fn taps(&self) -> impl Iterator<Item = &LayerRecord> {
        self.nodes.iter().filter_map(|node| node.tap.as_ref())
    }

    /// Starts a backward pass from these directions of logit space, [directions, C], which stops at each wanted tap
    /// (`wanted` is by index among the taps), from the last layer to the first.
    pub fn pull(&self, directions: Tensor<2>, wanted: &[bool]) -> BackwardPass<'_> {
        self.pull_from(Cotangent::Shared(directions), wanted)
    }

    /// Starts a backward pass as [`Self::pull`] does, from this cotangent of the logits, which may differ between samples.
    pub fn pull_from(&self, cotangent: Cotangent, wanted: &[bool]) -> BackwardPass<'_> {
        let [n, _] = self.logits.dims();
        let mut count = 0..;
        let taps = self.nodes.iter().map(|node| node.tap.as_ref().and_then(|_| count.next()));
        let stops: Vec<Option<usize>> = taps.map(|place| place.filter(|&place| wanted[place])).collect();
        // Steps before the first wanted one need no cotangent.
        let mut useful: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for (node, stop) in self.nodes.iter().zip(&stops) {
            useful.push(stop.is_some() || node.inputs.iter().flatten().any(|&input| useful[input]));
        }
        let mut arrived: Vec<Option<Cotangent>> = self.nodes.iter().map(|_| None).collect();
        if let Some(last) = arrived.last_mut() {
            *last = Some(cotangent);
        }
        BackwardPass { tape: self, n, useful, stops, left: self.nodes.len(), arrived }
    }
}

/// A backward pass: an iterator over the wanted taps, each with its index and its cotangent, last layer first. Cotangents
/// are freed as soon as possible.
pub struct BackwardPass<'a> {
    tape: &'a Tape,
    n: usize,
    /// True for each step with a wanted tap at or before it.
    useful: Vec<bool>,
    /// Index of each step's tap, where it is wanted.
    stops: Vec<Option<usize>>,
    /// Number of steps not yet passed.
    left: usize,
    arrived: Vec<Option<Cotangent>>,
}

impl<'a> Iterator for BackwardPass<'a> {
    type Item = (usize, &'a LayerRecord, Cotangent);

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            self.left -= 1;
            let node = &self.tape.nodes[self.left];
            let Some(cotangent) = self.arrived[self.left].take() else { continue };
            let stop = self.stops[self.left].zip(node.tap.as_ref());
            let stop = stop.map(|(place, tap)| (place, tap, cotangent.clone()));
            if node.inputs.iter().flatten().any(|&input| self.useful[input]) {
                for (input, pulled) in node.inputs.iter().zip(node.backward.pull(cotangent, self.n)) {
                    let Some(input) = input.filter(|&input| self.useful[input]) else { continue };
                    self.arrived[input] = Some(match self.arrived[input].take() {
                        Some(there) => there.plus(pulled, self.n),
                        None => pulled,
                    });
                }
            }
            if stop.is_some() {
                return stop;
            }
        }
        None
    }
}
