//! Defines a network: a program with its parameters, interpreted on burn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use super::device_read::read_all;
use super::forward_mode::ForwardMode;
use super::infer_program;
use super::infer_program::FoundSettings;
use super::names;
use super::ops::{self, OpContext, Value};
use super::parameter_source::{ParameterSource, WeightsError};
use super::tape::{Node, Outline, Tape};
use super::weight_sampler::WeightSampler;
use super::weights_file::{StoredTensors, TensorOrigin};
use crate::run::NamedTensor;
use crate::spec::ops::{Parameter, feature_axis};
use crate::spec::{KnownSettings, Line, NetworkSpec, Program, belongs};

/// Holds a network that can be evaluated and trained: the program and its tensors.
#[derive(Module, Debug)]
pub struct Network {
    /// The tensors of its program, in its order: flat; a matrix [out, in] is stored as its transpose.
    tensors: Vec<Param<Tensor<1>>>,
    #[module(skip)]
    wiring: Arc<NetworkStructure>,
}

/// The constant data of a network beside its tensors.
#[derive(Debug)]
struct NetworkStructure {
    program: Arc<Program>,
    /// (c_w, c_b) of each line.
    gains: Vec<(f64, f64)>,
    /// True for each tensor that is trained and part of the kernel.
    moves: Vec<bool>,
    is_ntk: bool,
    /// The last line that reads each line.
    last_reader: Vec<usize>,
    /// The line that the last layer reads.
    readout: usize,
    /// The settings of a weights file, besides its tensors.
    found: FoundSettings,
    /// Where its tensors are in that file; empty for initial weights.
    origins: Vec<TensorOrigin>,
    /// Its outline, once it was asked for.
    outline: OnceLock<Outline>,
}

impl NetworkStructure {
    fn new(program: Arc<Program>, spec: &NetworkSpec, found: FoundSettings) -> Self {
        let is_ntk = spec.parametrisation.is_ntk();
        let gains = program.lines.iter().map(|line| spec.gains(fan_in(&program, line))).collect();
        let moves = program.tensors.iter().map(|tensor| !tensor.is_frozen(spec.parametrisation)).collect();
        let mut last_reader: Vec<usize> = (0..program.lines.len()).collect();
        for (at, line) in program.lines.iter().enumerate() {
            line.reads.iter().for_each(|&read| last_reader[read] = at);
        }
        let dense = program.lines.iter().rposition(|line| line.op.is_dense());
        let readout = dense.unwrap_or(program.lines.len() - 1);
        let (origins, outline) = (Vec::new(), OnceLock::new());
        Self { program, gains, moves, is_ntk, last_reader, readout, found, origins, outline }
    }
}

/// Returns the fan-in of a line's weights, also where it shares them with a line of another fan-in; for a learned offset at
/// each place, the number of features.
fn fan_in(program: &Program, line: &Line) -> usize {
    match program.own_tensors(line).first() {
        Some(first) if first.fill.is_weight() => first.fan_in(),
        _ => line.shape[feature_axis(&line.shape)],
    }
}

impl Network {
    /// Builds the network of this spec for images [channels, height, width] and `classes` logits, with initial weights from
    /// this seed.
    ///
    /// # Panics
    /// If the spec has no program for them, which validation refuses.
    pub fn new(spec: &NetworkSpec, seed: u64, image: [usize; 3], classes: usize, device: &Device) -> Self {
        let program = spec.program(image, classes).expect("validation lets no network pass that has no program");
        Self::of(program, spec, seed, device)
    }

    /// Builds the network of this program, in the parametrisation of this spec, with initial weights from this seed.
    pub fn of(program: Arc<Program>, spec: &NetworkSpec, seed: u64, device: &Device) -> Self {
        let mut draw = WeightSampler::new(spec, &program, seed);
        let wiring = NetworkStructure::new(program, spec, FoundSettings::default());
        Self::build(wiring, &mut draw, device).expect("drawing values cannot fail")
    }

    fn build(
        wiring: NetworkStructure,
        source: &mut dyn ParameterSource,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let tensors = wiring.program.tensors.iter().zip(&wiring.moves).map(|(tensor, moves)| {
            let values = source.tensor(tensor)?;
            let count = values.len();
            let param = Param::from_tensor(Tensor::from_data(TensorData::new(values, [count]), device));
            Ok(if *moves { param } else { param.set_require_grad(false) })
        });
        let tensors = tensors.collect::<Result<_, _>>()?;
        Ok(Self { tensors, wiring: Arc::new(wiring) })
    }

    /// Builds the network in the bytes of safetensors files, for images [channels, height, width]; also returns a
    /// description of how it was read. Depths and widths are taken from the shapes, not from the spec.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, of another shape or type, or not finite, names it; fails also if the images do not
    /// fit, or the shapes contradict the spec.
    pub fn load(
        spec: &NetworkSpec,
        parts: &[Vec<u8>],
        image: [usize; 3],
        device: &Device,
    ) -> Result<(Self, Vec<String>), WeightsError> {
        let (program, found, mut stored) = infer_program::open(spec, parts, image)?;
        let mut wiring = NetworkStructure::new(program, spec, found);
        wiring.origins = stored.origins(&wiring.program, |tensor| !tensor.is_frozen(spec.parametrisation));
        let network = Self::build(wiring, &mut stored, device)?;
        Ok((network, stored.finish()?))
    }

    /// Builds the network of this program with exactly its tensors, from the bytes of safetensors files; also returns a
    /// description of how they were read. `known` are the names that the files may have: others than the program's are left
    /// out; `tied` are other names of the program's tensors.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, of another shape or type, or not finite, names it.
    pub fn of_tensors(
        program: Arc<Program>,
        spec: &NetworkSpec,
        parts: &[Vec<u8>],
        known: &BTreeSet<&str>,
        tied: &BTreeMap<String, String>,
        device: &Device,
    ) -> Result<(Self, Vec<String>), WeightsError> {
        let own = |_: &names::Shapes| {
            let own = program.tensors.iter().map(|tensor| tensor.name.clone());
            own.chain(known.iter().map(|name| (*name).to_owned())).collect()
        };
        let mut stored = StoredTensors::open(parts, None, own)?;
        stored.expect(&program)?;
        stored.check_tied(tied)?;
        stored.leave_out(&program, known);
        let mut wiring = NetworkStructure::new(program, spec, FoundSettings::default());
        wiring.origins = stored.origins(&wiring.program, |tensor| !tensor.is_frozen(spec.parametrisation));
        let network = Self::build(wiring, &mut stored, device)?;
        Ok((network, stored.finish()?))
    }

    /// Returns the settings that the tensors of a loaded network determine; a user may have given others.
    pub fn determined_settings(&self) -> KnownSettings {
        self.wiring.found.determined.clone()
    }

    /// Returns where the tensors of a loaded network are in its file, and what else that file has.
    pub fn origins(&self) -> &[TensorOrigin] {
        &self.wiring.origins
    }

    /// Returns the settings that the tensors of a loaded network leave open, although it computes another function with other
    /// values: those of the spec were taken.
    pub fn assumed(&self) -> KnownSettings {
        self.wiring.found.open.clone()
    }

    /// Returns its program.
    pub fn program(&self) -> &Program {
        &self.wiring.program
    }

    /// Computes logits [n, C] from [n, channels·height·width], as the evaluated network does.
    pub fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        self.run(images, &mut ForwardMode::closed())
    }

    /// Computes logits as training does, with dropout masks from this generator; also returns the running statistics after
    /// this batch.
    pub fn forward_in_training(&self, images: Tensor<2>, generator: ChaCha8Rng) -> (Tensor<2>, Statistics) {
        let mut taps = ForwardMode::training(generator);
        let logits = self.run(images, &mut taps);
        (logits, Statistics(taps.training.map(|training| training.statistics).unwrap_or_default()))
    }

    /// Returns whether training computes differently from evaluation.
    pub fn differs_in_training(&self) -> bool {
        self.wiring.program.differs_in_training()
    }

    /// Returns the network with these running statistics.
    pub fn with_statistics(mut self, statistics: Statistics) -> Self {
        for (place, values) in statistics.0 {
            let (id, _, mapper) = self.tensors[place].clone().consume();
            self.tensors[place] = Param::from_mapped_value(id, values, mapper);
        }
        self
    }

    /// Returns the first layer whose output for these images overflows 32-bit floats. Later layers may be finite again, but
    /// wrong.
    pub fn overflow(&self, images: Tensor<2>) -> Option<String> {
        let mut taps = ForwardMode::checking();
        self.run(images, &mut taps);
        taps.overflow
    }

    /// Records a forward pass for backward passes. The network must be without autodiff.
    pub fn record(&self, images: Tensor<2>) -> Tape {
        let mut taps = ForwardMode::recording();
        let logits = self.run(images, &mut taps);
        taps.into_tape(logits)
    }

    /// Returns what a kernel has to know of the network before it takes a pass through it: from a recorded pass of the first of
    /// these images when it is asked for the first time. The network must be without autodiff.
    pub fn outline(&self, images: &Tensor<2>) -> &Outline {
        self.wiring.outline.get_or_init(|| self.record(images.clone().narrow(0, 0, 1)).outline())
    }

    /// Computes logits [n, C] from [n, channels·height·width], and the input of the last layer: [n, features].
    pub fn forward_with_features(&self, images: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let mut taps = ForwardMode::with_features();
        let logits = self.run(images, &mut taps);
        (logits, taps.seen.expect("the line that is read out is among those that are run"))
    }

    /// Computes the mean of |h| over places of the units after each nonlinearity, [n, units], in the order of the forward pass.
    pub fn responses(&self, images: Tensor<2>) -> Vec<Tensor<2>> {
        let mut taps = ForwardMode::with_responses();
        self.run(images, &mut taps);
        taps.responses.unwrap_or_default()
    }

    fn run(&self, images: Tensor<2>, taps: &mut ForwardMode) -> Tensor<2> {
        let NetworkStructure { program, last_reader, readout, .. } = &*self.wiring;
        let (samples, device) = (images.dims()[0], images.device());
        // A value and, while recording, the step that computed it; `None` for the image.
        let mut values: Vec<Option<(Value, Option<usize>)>> = vec![None; program.lines.len()];
        values[0] = Some((Value::Flat(images), None));
        for (place, line) in program.lines.iter().enumerate().skip(1) {
            let read = |&read: &usize| values[read].clone().expect("a line reads those before it");
            let (inputs, mut made): (Vec<Value>, Vec<Option<usize>>) = line.reads.iter().map(read).unzip();
            for &read in line.reads.iter().filter(|&&read| last_reader[read] == place) {
                values[read] = None;
            }
            if taps.watching && place == *readout {
                taps.seen = inputs.first().cloned().map(Value::flat);
            }
            let at = self.at(place, taps, (samples, &device));
            let done = ops::run(&at, inputs, taps.training.as_mut());
            let name = || if line.name.is_empty() { at.sign() } else { at.layer() };
            if taps.checking {
                taps.check(name, &done.output.clone().flat());
                done.hidden.iter().for_each(|values| taps.check(name, values));
            }
            if let Some(responses) = &mut taps.responses
                && line.op.is_nonlinearity()
            {
                responses.push(mean_response(done.output.clone().flat(), &line.shape));
            }
            if let Some(nodes) = &mut taps.recorded {
                for step in done.steps {
                    nodes.push(Node { inputs: std::mem::take(&mut made), backward: step.backward, tap: step.tap });
                    made.push(Some(nodes.len() - 1));
                }
            }
            values[place] = Some((done.output, made.first().copied().flatten()));
        }
        let (logits, _) = values.pop().flatten().expect("the last line is the logits");
        logits.flat()
    }

    fn at(&self, place: usize, taps: &ForwardMode, (samples, device): (usize, &Device)) -> OpContext<'_> {
        let NetworkStructure { program, gains, moves, is_ntk, .. } = &*self.wiring;
        let line = &program.lines[place];
        OpContext {
            line,
            inputs: program.inputs_of(line),
            names: program.tensors_of(line).map(|tensor| tensor.name.as_str()).collect(),
            weights: line.tensors.iter().map(|&tensor| self.tensors[tensor].val()).collect(),
            moves: line.tensors.iter().map(|&tensor| moves[tensor]).collect(),
            gains: gains[place],
            is_ntk: *is_ntk,
            samples,
            device: device.clone(),
            recording: taps.recorded.is_some(),
            checking: taps.checking,
        }
    }

    /// Returns name and number of entries of each tensor that is part of the kernel.
    pub fn sizes(&self) -> Vec<(String, usize)> {
        let tensors = self.each().filter(|(_, moves, _)| *moves);
        tensors.map(|(tensor, _, _)| (tensor.name.clone(), tensor.shape.iter().product())).collect()
    }

    /// Copies all parameters to plain memory, named and laid out as in PyTorch.
    pub fn named(&self) -> Vec<NamedTensor> {
        let turned = |(tensor, _, param): (&Parameter, bool, &Param<Tensor<1>>)| {
            let values = param.val().without_autodiff();
            match (tensor.turned, tensor.shape.as_slice()) {
                (true, &[rows, columns]) => values.reshape([columns, rows]).transpose().reshape([rows * columns]),
                _ => values,
            }
        };
        let values = read_all(self.each().map(turned).collect());
        let named = |((tensor, ..), values): ((&Parameter, bool, &Param<Tensor<1>>), Vec<f32>)| NamedTensor {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            values,
        };
        self.each().zip(values).map(named).collect()
    }

    /// Returns all parameters as flat vectors that share memory with the network, one per tensor: cheap to keep. Running
    /// statistics are not included.
    pub fn flatten(&self) -> Vec<Tensor<1>> {
        self.parameters().map(|(_, param)| param.val().without_autodiff()).collect()
    }

    fn parameters(&self) -> impl Iterator<Item = (&Parameter, &Param<Tensor<1>>)> {
        self.each().filter(|(tensor, _, _)| !tensor.is_statistic()).map(|(tensor, _, param)| (tensor, param))
    }

    /// Returns the names of the tensors outside these layers, as in weights files.
    pub fn trained_names(&self, frozen: &[String]) -> Vec<String> {
        self.moving_among(frozen).map(|(tensor, _)| tensor.name.clone()).collect()
    }

    /// Returns name and identity of every tensor, in the order of [`Self::flatten`].
    pub fn ids(&self) -> Vec<(String, ParamId)> {
        self.moving_among(&[]).map(|(tensor, param)| (tensor.name.clone(), param.id)).collect()
    }

    /// Returns the gradients of the tensors outside these layers, so that a step leaves the others fixed.
    pub fn trained_gradients(&self, gradients: &mut Gradients, frozen: &[String]) -> GradientsParams {
        if frozen.is_empty() {
            return GradientsParams::from_module(gradients, self);
        }
        let ids: Vec<_> = self.moving_among(frozen).map(|(_, param)| param.id).collect();
        GradientsParams::from_params(gradients, self, &ids)
    }

    /// Returns the displacement of each tensor from that of another network of the same spec, flat and by name, without
    /// autodiff.
    pub fn displacement_from(&self, other: &Self) -> Vec<(String, Tensor<1>)> {
        let pairs = self.parameters().zip(other.flatten());
        let moved = |own: &Param<Tensor<1>>, other| own.val().without_autodiff() - other;
        pairs.map(|((tensor, own), other)| (tensor.name.clone(), moved(own, other))).collect()
    }

    /// Returns the gradients of all parameters that have one, flat, by name.
    pub fn gradients(&self, of: &GradientsParams) -> Vec<(String, Tensor<1>)> {
        let gradient = |(tensor, _, param): (&Parameter, bool, &Param<Tensor<1>>)| {
            Some((tensor.name.clone(), of.get::<1>(param.id)?))
        };
        self.each().filter_map(gradient).collect()
    }

    fn each(&self) -> impl Iterator<Item = (&Parameter, bool, &Param<Tensor<1>>)> {
        let NetworkStructure { program, moves, .. } = &*self.wiring;
        program.tensors.iter().zip(moves).zip(&self.tensors).map(|((tensor, moves), param)| (tensor, *moves, param))
    }

    fn moving_among<'a>(&'a self, frozen: &'a [String]) -> impl Iterator<Item = (&'a Parameter, &'a Param<Tensor<1>>)> {
        let moves = |tensor: &Parameter| !frozen.iter().any(|layer| belongs(&tensor.name, layer));
        self.parameters().filter(move |(tensor, _)| moves(tensor))
    }
}

/// Returns the mean of |h| over places of each unit, [n, units], of values of this shape.
fn mean_response(values: Tensor<2>, shape: &[usize]) -> Tensor<2> {
    let [n, all] = values.dims();
    let units = shape.get(feature_axis(shape)).copied().unwrap_or(1).max(1);
    let places = all / units;
    // Channels come before places, features after them.
    let (sides, over) = if feature_axis(shape) == 0 { ([n, units, places], 2) } else { ([n, places, units], 1) };
    values.abs().reshape(sides).mean_dim(over).reshape([n, units])
}

/// Running statistics after a batch, by the index of their tensor.
#[derive(Clone, Debug, Default)]
pub struct Statistics(Vec<(usize, Tensor<1>)>);
