//! The openings through which the kernel looks into a network.
//!
//! A network states its steps through [`Taps`]. While training these are the steps and nothing more, and burn's autodiff
//! sees them. While the kernel is measured they are recorded on a [`Tape`], with the way back through each, and every layer
//! with parameters leaves a [`Tap`]: its input, and a place at which the cotangent of its output will pass.

use burn::tensor::Tensor;

use super::layers::{Affine, Conv, Norm, Offset, Recurrence, Through};
use super::steps;
use super::tape::{Backward, Node, Tap, Tape};
use crate::spec::Activation;

/// A value on its way through a network.
#[derive(Clone, Debug)]
pub struct Signal<const D: usize> {
    pub tensor: Tensor<D>,
    /// The step that made it, while recording; none for the images.
    pub(super) step: Option<usize>,
}

/// Closed (training, evaluation), recording (kernel), watching what affine layers see (features), or checking that 32-bit floats
/// hold what layers give.
#[derive(Default)]
pub struct Taps {
    recorded: Option<Vec<Node>>,
    watching: bool,
    checking: bool,
    /// The first layer whose output is not finite.
    overflow: Option<String>,
    /// What the last affine layer saw, [n, values].
    seen: Option<Tensor<2>>,
}

impl Taps {
    /// Steps only compute.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Steps are recorded, too. The network's parameters must be without autodiff.
    pub fn recording() -> Self {
        Self { recorded: Some(Vec::new()), ..Self::default() }
    }

    /// Steps only compute; what the last affine layer sees is kept.
    pub fn watching() -> Self {
        Self { watching: true, ..Self::default() }
    }

    /// Steps only compute; every layer's output is looked at.
    pub fn checking() -> Self {
        Self { checking: true, ..Self::default() }
    }

    /// The first layer whose output was not finite, where that was looked at.
    pub fn overflow(self) -> Option<String> {
        self.overflow
    }

    fn check<const D: usize>(&mut self, name: &str, output: &Tensor<D>) {
        if self.checking && self.overflow.is_none() {
            let finite = output.clone().into_data().iter::<f32>().all(f32::is_finite);
            self.overflow = (!finite).then(|| name.to_owned());
        }
    }

    /// What the last affine layer saw, where that was watched: [n, values].
    pub fn seen(self) -> Option<Tensor<2>> {
        self.seen
    }

    /// The recording of a forward pass that ended in these logits; empty where nothing was recorded.
    pub fn into_tape(self, logits: Signal<2>) -> Tape {
        Tape { nodes: self.recorded.unwrap_or_default(), logits: logits.tensor }
    }

    /// Images on their way in: no step, nothing to go back to.
    pub fn input<const D: usize>(&self, images: Tensor<D>) -> Signal<D> {
        Signal { tensor: images, step: None }
    }

    /// An affine layer on the last axis: `NAME.weight`, `NAME.bias`.
    pub fn affine<const D: usize>(&mut self, name: &str, layer: &Affine, input: Signal<D>) -> Signal<D> {
        let output = layer.apply(input.tensor.clone());
        self.check(name, &output);
        if self.watching {
            let dims = input.tensor.dims();
            self.seen = Some(input.tensor.clone().reshape([dims[0], dims[1..].iter().product()]));
        }
        self.record(output, [input.step], || layer.on_tape(name, input.tensor))
    }

    /// The map of the inputs into a recurrence, on the last axis: `NAME.weight_ih`, `NAME.bias_ih`.
    pub fn into_recurrence(&mut self, name: &str, layer: &Affine, input: Signal<3>) -> Signal<3> {
        let output = layer.apply(input.tensor.clone());
        self.check(name, &output);
        self.record(output, [input.step], || {
            let (way_back, tap) = layer.on_tape(&format!("{name}.ih"), input.tensor);
            let named = |tap: Tap| {
                let tensors = ["weight", "bias"].into_iter().take(tap.tensors.len());
                Tap { tensors: tensors.map(|tensor| format!("{name}.{tensor}_ih")).collect(), ..tap }
            };
            (way_back, tap.map(named))
        })
    }

    /// A convolution: `NAME.weight`, `NAME.bias`.
    pub fn conv(&mut self, name: &str, layer: &Conv, input: Signal<4>) -> Signal<4> {
        let output = layer.apply(input.tensor.clone());
        self.check(name, &output);
        self.record(output, [input.step], || layer.on_tape(name, input.tensor))
    }

    /// Layer normalisation of the last axis: `NAME.weight`, `NAME.bias`.
    pub fn norm<const D: usize>(&mut self, name: &str, layer: &Norm, input: Signal<D>) -> Signal<D> {
        let output = layer.apply(input.tensor.clone());
        if self.checking {
            self.check(name, &output);
            // A variance that overflows makes zeros, which are finite: its root's inverse must be none.
            self.check(name, &Norm::inverse(input.tensor.clone()).recip());
        }
        self.record(output, [input.step], || layer.on_tape(name, input.tensor))
    }

    /// A learned offset, the same for every sample: the tensor `NAME`.
    pub fn offset(&mut self, name: &str, layer: &Offset, input: Signal<3>) -> Signal<3> {
        let output = layer.apply(input.tensor);
        self.record(output, [input.step], || layer.on_tape(name))
    }

    /// A recurrence over the positions of its input, from a state of 0: `NAME.weight_hh` and perhaps `NAME.bias_hh`. Gives the
    /// last state.
    pub fn recurrence(
        &mut self,
        name: &str,
        layer: &Recurrence,
        input: Signal<3>,
        activation: Activation,
    ) -> Signal<2> {
        let course = layer.apply(input.tensor.clone(), activation);
        if self.checking {
            Recurrence::sums(&course).for_each(|sum| self.check(&format!("{name}.hh"), sum));
        }
        let names = ["weight", "bias"].map(|tensor| format!("{name}.{tensor}_hh"));
        let tap = || layer.tap(&format!("{name}.hh"), [&names[0], &names[1]], &course);
        let sums = self.record(input.tensor, [input.step], || (Box::new(Through), Some(tap())));
        self.record(course.last.clone(), [sums.step], || (layer.way_back(&course, activation), None))
    }

    /// A function of each value alone.
    pub fn pointwise<const D: usize>(
        &mut self,
        input: Signal<D>,
        function: impl Fn(Tensor<D>) -> Tensor<D>,
    ) -> Signal<D> {
        let output = function(input.tensor.clone());
        self.record(output, [input.step], || (steps::Pointwise::boxed(input.tensor, function), None))
    }

    /// The largest value of each square of this side; side divides height and width.
    pub fn max_pool(&mut self, input: Signal<4>, side: usize) -> Signal<4> {
        let (output, way_back) = steps::MaxPool::apply(input.tensor, side, self.recorded.is_some());
        self.record(output, [input.step], || (Box::new(way_back), None))
    }

    /// The mean of each square of this side; side divides height and width.
    pub fn avg_pool(&mut self, input: Signal<4>, side: usize) -> Signal<4> {
        let (output, way_back) = steps::AvgPool::apply(input.tensor, side);
        self.record(output, [input.step], || (Box::new(way_back), None))
    }

    /// The same values in another shape, sample by sample.
    pub fn reshape<const D: usize, const E: usize>(&mut self, input: Signal<D>, shape: [usize; E]) -> Signal<E> {
        // Cotangents are flat, so there is no way back to record.
        Signal { tensor: input.tensor.reshape(shape), step: input.step }
    }

    /// The sum of two signals.
    pub fn add<const D: usize>(&mut self, a: Signal<D>, b: Signal<D>) -> Signal<D> {
        self.record(a.tensor + b.tensor, [a.step, b.step], || (Box::new(steps::Add), None))
    }

    /// Each channel's mean: [n, channels, height, width] → [n, channels].
    pub fn mean_of_pixels(&mut self, input: Signal<4>) -> Signal<2> {
        let [n, channels, height, width] = input.tensor.dims();
        let output = input.tensor.reshape([n, channels, height * width]).mean_dim(2).squeeze_dim::<2>(2);
        self.record(output, [input.step], || (Box::new(steps::PixelMean { pixels: height * width }), None))
    }

    /// The mean over positions: [n, positions, f] → [n, f].
    pub fn mean_of_positions(&mut self, input: Signal<3>) -> Signal<2> {
        let [_, positions, _] = input.tensor.dims();
        let output = input.tensor.mean_dim(1).squeeze_dim::<2>(1);
        self.record(output, [input.step], || (Box::new(steps::PositionMean { positions }), None))
    }

    /// A function without parameters of several signals, sample by sample; the way back is burn's autodiff.
    pub fn mix<const N: usize>(
        &mut self,
        inputs: [Signal<3>; N],
        function: impl Fn([Tensor<3>; N]) -> Tensor<3> + 'static,
    ) -> Signal<3> {
        let places = inputs.each_ref().map(|signal| signal.step);
        let tensors = inputs.map(|signal| signal.tensor);
        let output = function(tensors.clone());
        self.record(output, places, || (Box::new(steps::Mix::new(tensors, function)), None))
    }

    fn record<const D: usize, const N: usize>(
        &mut self,
        tensor: Tensor<D>,
        inputs: [Option<usize>; N],
        way_back: impl FnOnce() -> (Box<dyn Backward>, Option<Tap>),
    ) -> Signal<D> {
        let Some(nodes) = &mut self.recorded else { return Signal { tensor, step: None } };
        let (backward, tap) = way_back();
        nodes.push(Node { inputs: inputs.into(), backward, tap });
        Signal { tensor, step: Some(nodes.len() - 1) }
    }
}
