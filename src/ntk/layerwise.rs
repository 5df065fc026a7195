//! Computes the exact kernel without the Jacobian of the whole network, for any network that records its taps.
//!
//! At a tap the gradient of logit c with respect to a layer's parameters follows from the layer's input a and the cotangent
//! δ_c = ∂f_c/∂z of its output. For an affine layer that acts once on a sample, the layer's part of ⟨∇f_c(x), ∇f_d(x′)⟩ is
//!
//! ```text
//! ⟨δ_c(x), δ_d(x′)⟩ · (c_w² ⟨a, a′⟩ + c_b²)
//! ```
//!
//! (the "structured derivatives" of Novak et al. 2022). Where it acts at many places (convolutions, tokens), either the
//! gradients Σ_p δ_p ⊗ a_p are formed or all pairs of places are summed, whichever the plan finds cheaper. One forward pass
//! serves all logits; samples and logits are processed in blocks within the memory limit, with the same result.

use std::collections::HashMap;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::contract::Tile;
use super::rows::Rows;
use super::side::LayerSide;
use super::{Kernel, Preconditioner, Reduction, Request};
use crate::model::{BackwardPass, LayerRecord, Network, ParameterUse, Tape};
use crate::spec::{KernelShape, Layer, Plan};

/// Measures the kernel of `network` (without autodiff) between images [n, inputs] and others, or among themselves. Returns
/// `None` if `cancelled` returns true; it is called before each layer of each block.
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
    let kept = sets.iter().flat_map(|_| survey.sum_names.clone()).collect();
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
            // If pairs of directions are stored separately, the plan puts all directions in one group.
            let mut tile =
                Tile::new(samples, (group, group), work.apart, diagonal, sets.len() * survey.sum_names.len());
            tile.activations = (sets.len() > 1).then(HashMap::new);
            for (set, logits) in sets.iter().enumerate() {
                for logits in logits.chunks(group) {
                    tile.directions = (logits.len(), logits.len());
                    let directions = request.reduction.directions(classes, logits, &images.device());
                    let first = set * survey.sum_names.len();
                    survey.fill(&mut tile, first, &plan, (&row_tape, column_tape.as_ref()), &directions, cancelled)?;
                }
            }
            kernel.place(tile, rows.clone(), columns);
        }
    }
    kernel.finish(work.same);
    Some(kernel)
}

/// Returns the plan by which [`measure`] would compute this kernel, with the names of the layers.
pub fn explain(
    network: &Network,
    images: &Tensor<2>,
    others: Option<&Tensor<2>>,
    request: &Request,
) -> (Vec<String>, Plan, KernelShape) {
    let survey = Survey::of(network, images, others, request);
    (survey.names.clone(), survey.plan(), survey.work)
}

/// The structure of the work, from a forward pass of one sample.
struct Survey {
    classes: usize,
    work: KernelShape,
    names: Vec<String>,
    layers: Vec<Layer>,
    /// For each tap, which of its tensors are included.
    included: Vec<Vec<bool>>,
    /// For each tap, the index of the sum of each of its tensors.
    into: Vec<Vec<Option<usize>>>,
    /// The names of the sums: layers or tensors that are stored separately, or one for all.
    sum_names: Vec<String>,
    preconditioner: Option<Arc<Preconditioner>>,
    /// The number of taps of each tensor that has more than one.
    shared: HashMap<String, usize>,
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
        let work = KernelShape { samples, same, directions, apart, preconditioned, memory: request.memory };
        let mut survey = Self {
            classes,
            work,
            names: Vec::new(),
            layers: Vec::new(),
            included: Vec::new(),
            into: Vec::new(),
            sum_names: Vec::new(),
            preconditioner: request.preconditioner.clone(),
            shared: HashMap::new(),
        };
        let mut uses: HashMap<String, usize> = HashMap::new();
        for tensor in tape.taps().flat_map(|tap| &tap.tensors) {
            *uses.entry(tensor.clone()).or_default() += 1;
        }
        uses.retain(|_, count| *count > 1);
        for tap in tape.taps() {
            let each = tap.tensors.iter().zip(&tap.moves);
            let wanted: Vec<bool> = each.map(|(tensor, moves)| *moves && request.includes(tensor)).collect();
            let into = tap.tensors.iter().zip(&wanted).map(|(tensor, wanted)| {
                let part = request.apart.part_of(tensor);
                let known = survey.sum_names.iter().position(|kept| *kept == part);
                wanted.then(|| {
                    known.unwrap_or_else(|| {
                        survey.sum_names.push(part);
                        survey.sum_names.len() - 1
                    })
                })
            });
            survey.into.push(into.collect());
            survey.included.push(wanted);
            survey.names.push(tap.name.clone());
            survey.layers.push(layer_at(tap, tap.tensors.iter().any(|tensor| uses.contains_key(tensor))));
        }
        survey.shared = uses;
        if survey.sum_names.is_empty() {
            survey.sum_names.push(String::new());
        }
        survey
    }

    fn plan(&self) -> Plan {
        let wanted: Vec<bool> = self.included.iter().map(|tensors| tensors.contains(&true)).collect();
        Plan::of(&self.layers, &wanted, &self.work)
    }

    /// Runs a backward pass from the chosen directions and adds every included layer to the tile, into its sums from
    /// `first` on.
    fn fill(
        &self,
        tile: &mut Tile,
        first: usize,
        plan: &Plan,
        (rows, columns): (&Tape, Option<&Tape>),
        directions: &Tensor<2>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<()> {
        let stops: Vec<bool> = self.included.iter().map(|tensors| tensors.contains(&true)).collect();
        let mut pulled = rows.pull(directions.clone(), &stops);
        let mut others = columns.map(|tape| tape.pull(directions.clone(), &stops));
        let mut gathered = [Gathered::new(&self.shared), Gathered::new(&self.shared)];
        loop {
            if cancelled() {
                return None;
            }
            let Some((place, side, sums)) = self.next(&mut pulled, tile.samples.0, plan, &mut gathered[0]) else {
                return Some(());
            };
            let into: Vec<Option<usize>> = self.into[place].iter().map(|into| into.map(|into| first + into)).collect();
            let Some(others) = &mut others else {
                tile.add(place, &side, &side, &into);
                sums.iter().for_each(|sum| tile.add(place, sum, sum, &into));
                continue;
            };
            let (_, other, other_sums) = self.next(others, tile.samples.1, plan, &mut gathered[1])?;
            tile.add(place, &side, &other, &into);
            sums.iter().zip(&other_sums).for_each(|(sum, other)| tile.add(place, sum, other, &into));
        }
    }

    /// Returns the next side, and the gradients of shared tensors that are complete with it.
    fn next(
        &self,
        pull: &mut BackwardPass<'_>,
        n: usize,
        plan: &Plan,
        gathered: &mut Gathered,
    ) -> Option<(usize, LayerSide, Option<LayerSide>)> {
        let (place, tap, cotangent) = pull.next()?;
        let contraction = plan.parts[place].contraction;
        let preconditioner = self.preconditioner.as_deref();
        let (how, wanted) = ((contraction, self.work.apart), &self.included[place]);
        let mut side = LayerSide::new(tap, cotangent, n, how, wanted, preconditioner);
        let sums = gathered.take(tap, &mut side);
        Some((place, side, sums))
    }
}

/// Gradients of tensors that several lines read, during a backward pass: they are summed before any inner product.
struct Gathered {
    /// For each tensor, the number of taps to come, and the sum so far.
    tensors: HashMap<String, (usize, Option<Rows>)>,
}

impl Gathered {
    fn new(shared: &HashMap<String, usize>) -> Self {
        Self { tensors: shared.iter().map(|(name, count)| (name.clone(), (*count, None))).collect() }
    }

    /// Moves the gradients of shared tensors out of a side, and returns the sums that are complete, by the index of their
    /// tensor in the tap.
    fn take(&mut self, tap: &LayerRecord, side: &mut LayerSide) -> Option<LayerSide> {
        if !tap.tensors.iter().any(|tensor| self.tensors.contains_key(tensor)) {
            return None;
        }
        let LayerSide::Gradients(gradients) = side else {
            unreachable!("the plan forms the gradients of a tensor that is shared");
        };
        let complete = tap.tensors.iter().zip(gradients).map(|(tensor, gradient)| {
            let (left, sum) = self.tensors.get_mut(tensor)?;
            let own = gradient.take()?;
            *left -= 1;
            *sum = Some(match sum.take() {
                Some(sum) => sum.plus(&own),
                None => own,
            });
            if *left == 0 { sum.take() } else { None }
        });
        Some(LayerSide::Gradients(complete.collect()))
    }
}

/// Returns the layer at a tap, as used for costs.
fn layer_at(tap: &LayerRecord, shared: bool) -> Layer {
    match &tap.view {
        ParameterUse::Affine { input, fan_out, .. } => {
            let ([_, places, all], fan_out, bias) = (input.dims(), *fan_out, tap.tensors.len() > 1);
            let (groups, reads) = (input.groups(), input.numbers());
            Layer::Affine { fan_in: all / groups, fan_out, places, groups, bias, shared, reads }
        }
        ParameterUse::Gain { values, channels_first, .. } => {
            let [_, first, second] = values.dims();
            let (width, places) = if *channels_first { (first, second) } else { (second, first) };
            if tap.tensors.len() > 1 { Layer::Norm { width, places } } else { Layer::Scale { width, places } }
        }
        ParameterUse::Offset { entries, .. } => Layer::Offset { entries: entries.len() },
    }
}
