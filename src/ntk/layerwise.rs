//! The exact kernel without a Jacobian of the whole network, for any network that states its steps through the taps.
//!
//! At a tap the gradient of logit c with respect to a layer's parameters is known from the layer's input a and the cotangent
//! δ_c = ∂f_c/∂z of its output. For an affine layer that acts once on a sample, the layer's part of ⟨∇f_c(x), ∇f_d(x′)⟩ is
//!
//! ```text
//! ⟨δ_c(x), δ_d(x′)⟩ · (c_w² ⟨a, a′⟩ + c_b²)
//! ```
//!
//! the "structured derivatives" of Novak et al. 2022; where it acts at many places (convolutions, tokens), either the gradients
//! Σ_p δ_p ⊗ a_p are formed or all pairs of places are summed, whichever the plan finds cheaper. One forward pass serves all
//! logits; samples and logits are taken in blocks that keep to the memory that is allowed, with the same result.

use std::collections::HashMap;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::contract::Tile;
use super::side::Side;
use super::{Kernel, Preconditioner, Reduction, Request};
use crate::model::{Network, Pull, Tap, Tape, View};
use crate::spec::{KernelWork, Layer, Plan};

/// Measures the kernel of `network` (without autodiff) between images [n, inputs] and others, or among themselves.
/// `None` when `cancelled` says so, which is asked before each layer of each block.
pub fn measure(
    network: &Network,
    images: &Tensor<2>,
    others: Option<&Tensor<2>>,
    request: &Request,
    cancelled: &dyn Fn() -> bool,
) -> Option<Kernel> {
    let survey = Survey::of(network, images, others, request);
    let (classes, work) = (survey.classes, survey.work);
    let sets = request.sets(classes);
    let kept = sets.iter().flat_map(|_| survey.kept.clone()).collect();
    let mut kernel = Kernel::unfilled(request.reduction, work.samples, classes, kept);
    let plan = survey.plan();
    let (block, group) = plan.block;
    for first in (0..work.samples.0).step_by(block) {
        let rows = first..(first + block).min(work.samples.0);
        let row_tape = network.record(images.clone().narrow(0, rows.start, rows.len()));
        for other in (0..work.samples.1).step_by(block) {
            if work.same && other > first {
                break;
            }
            let columns = other..(other + block).min(work.samples.1);
            let diagonal = work.same && other == first;
            let column_tape = (!diagonal).then(|| {
                let images = others.unwrap_or(images).clone();
                network.record(images.narrow(0, columns.start, columns.len()))
            });
            let samples = (rows.len(), columns.len());
            // Where pairs of directions stay apart, the plan takes all directions as one group.
            let mut tile = Tile::new(samples, (group, group), work.apart, diagonal, sets.len() * survey.kept.len());
            tile.activations = (sets.len() > 1).then(HashMap::new);
            for (set, logits) in sets.iter().enumerate() {
                for logits in logits.chunks(group) {
                    tile.directions = (logits.len(), logits.len());
                    let directions = request.reduction.directions(classes, logits, &images.device());
                    let first = set * survey.kept.len();
                    survey.fill(&mut tile, first, &plan, (&row_tape, column_tape.as_ref()), &directions, cancelled)?;
                }
            }
            kernel.place(tile, rows.clone(), columns);
        }
    }
    kernel.finish(work.same);
    Some(kernel)
}

/// The plan by which [`measure`] would compute this kernel, with the names of the layers.
pub fn explain(
    network: &Network,
    images: &Tensor<2>,
    others: Option<&Tensor<2>>,
    request: &Request,
) -> (Vec<String>, Plan, KernelWork) {
    let survey = Survey::of(network, images, others, request);
    (survey.names.clone(), survey.plan(), survey.work)
}

/// What a forward pass of one sample tells of the work.
struct Survey {
    classes: usize,
    work: KernelWork,
    names: Vec<String>,
    layers: Vec<Layer>,
    /// For each tap, which of its tensors are wanted.
    wanted: Vec<Vec<bool>>,
    /// For each tap, into which sum each of its tensors goes.
    into: Vec<Vec<Option<usize>>>,
    /// The names of the sums: of the layers or tensors that are kept apart, or one for all.
    kept: Vec<String>,
    preconditioner: Option<Arc<Preconditioner>>,
}

impl Survey {
    fn of(network: &Network, images: &Tensor<2>, others: Option<&Tensor<2>>, request: &Request) -> Self {
        let [n, _] = images.dims();
        let m = others.map_or(n, |others| others.dims()[0]);
        let tape = network.record(images.clone().narrow(0, 0, 1));
        let [_, classes] = tape.logits.dims();
        let apart = request.reduction == Reduction::Full;
        let directions = if request.reduction == Reduction::SumLogits { 1 } else { classes };
        let preconditioned = request.preconditioner.is_some();
        assert!(!(apart && preconditioned), "the optimiser's kernel is reduced over logits");
        let (samples, same) = ((n, m), others.is_none());
        let work = KernelWork { samples, same, directions, apart, preconditioned, memory: request.memory };
        let mut survey = Self {
            classes,
            work,
            names: Vec::new(),
            layers: Vec::new(),
            wanted: Vec::new(),
            into: Vec::new(),
            kept: Vec::new(),
            preconditioner: request.preconditioner.clone(),
        };
        for tap in tape.taps() {
            let wanted: Vec<bool> = tap.tensors.iter().map(|tensor| request.wants(tensor)).collect();
            let into = tap.tensors.iter().zip(&wanted).map(|(tensor, wanted)| {
                let part = request.apart.part_of(tensor);
                if *wanted && survey.kept.last().is_none_or(|last| *last != part) {
                    survey.kept.push(part);
                }
                wanted.then(|| survey.kept.len() - 1)
            });
            survey.into.push(into.collect());
            survey.wanted.push(wanted);
            survey.names.push(tap.name.clone());
            survey.layers.push(layer_of(tap));
        }
        if survey.kept.is_empty() {
            survey.kept.push(String::new());
        }
        survey
    }

    fn plan(&self) -> Plan {
        let wanted: Vec<bool> = self.wanted.iter().map(|tensors| tensors.contains(&true)).collect();
        Plan::of(&self.layers, &wanted, &self.work)
    }

    /// Goes back from the chosen directions and adds every wanted layer to the tile, into its sums from `first` on.
    fn fill(
        &self,
        tile: &mut Tile,
        first: usize,
        plan: &Plan,
        (rows, columns): (&Tape, Option<&Tape>),
        directions: &Tensor<2>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<()> {
        let stops: Vec<bool> = self.wanted.iter().map(|tensors| tensors.contains(&true)).collect();
        let mut pulled = rows.pull(directions.clone(), &stops);
        let mut others = columns.map(|tape| tape.pull(directions.clone(), &stops));
        loop {
            if cancelled() {
                return None;
            }
            let Some((place, side)) = self.next(&mut pulled, tile.samples.0, plan) else { return Some(()) };
            let into: Vec<Option<usize>> = self.into[place].iter().map(|into| into.map(|into| first + into)).collect();
            match &mut others {
                None => tile.add(place, &side, &side, &into),
                Some(others) => {
                    let (_, other) = self.next(others, tile.samples.1, plan)?;
                    tile.add(place, &side, &other, &into);
                }
            }
        }
    }

    fn next(&self, pull: &mut Pull<'_>, n: usize, plan: &Plan) -> Option<(usize, Side)> {
        let (place, tap, cotangent) = pull.next()?;
        let contraction = plan.parts[place].contraction;
        let preconditioner = self.preconditioner.as_deref();
        Some((place, Side::new(tap, cotangent, n, (contraction, self.work.apart), &self.wanted[place], preconditioner)))
    }
}

/// The layer at a tap, as costs are counted.
fn layer_of(tap: &Tap) -> Layer {
    match &tap.view {
        View::Affine { input, fan_out, .. } => {
            let [_, places, fan_in] = input.dims();
            // A square layer without a bias costs the same, whether it is a recurrence or not.
            if tap.tensors.len() == 1 && fan_in == *fan_out {
                return Layer::Recurrence { width: *fan_out, places };
            }
            Layer::Affine { fan_in, fan_out: *fan_out, places, groups: 1, bias: tap.tensors.len() > 1 }
        }
        View::Norm { normalised } => {
            let [_, places, width] = normalised.dims();
            Layer::Norm { width, places }
        }
        View::Offset { shape: [tokens, width], .. } => Layer::Position { tokens: *tokens, width: *width },
    }
}
