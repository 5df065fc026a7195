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
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::contract::Tile;
use super::rows::Rows;
use super::side::LayerSide;
use super::{Kernel, PartKind, Preconditioner, Reduction, Request};
use crate::model::{BackwardPass, LayerRecord, Network, Outline, Tape, is_host};
use crate::spec::{KernelBlock, KernelShape, Layer, Plan};

/// Makes directions of logit space from the logits of a set.
type Directions<'a> = dyn Fn(&[usize]) -> Tensor<2> + 'a;

/// Returns whether a block is to be computed.
type Wanted<'a> = dyn Fn(&KernelBlock) -> bool + 'a;

/// Takes the tile of a block, and returns whether there is to be another one.
type Taker<'a> = dyn FnMut(Tile, KernelBlock) -> bool + 'a;

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
    let (classes, work) = (survey.outline.classes, survey.work);
    let kept = request.sets(classes).iter().flat_map(|_| survey.sum_names.clone()).collect();
    let mut kernel = Kernel::unfilled(request.reduction, work.samples, classes, kept);
    let take = &mut |tile, KernelBlock { rows, columns }: KernelBlock| {
        kernel.place(tile, rows, columns);
        true
    };
    let directions = survey.directions_of(request, images);
    survey.tiles(network, (images, others), (&request.sets(classes), &directions), (&|_| true, take), cancelled)?;
    kernel.finish(work.same);
    Some(kernel)
}

/// Measures the kernel of each of these combinations of logits among images, (Σ_c w_c ∇f_c(x))ᵀ (Σ_c w_c ∇f_c(x′)), with one
/// forward pass for all: row-major [n, n] for each. `request` gives tensors and memory.
pub fn measure_combinations(
    network: &Network,
    images: &Tensor<2>,
    combinations: &[Vec<f32>],
    request: &Request,
    cancelled: &dyn Fn() -> bool,
) -> Option<Vec<Vec<f64>>> {
    let request = Request { reduction: Reduction::SumLogits, ..request.clone() };
    assert!(request.apart == PartKind::No && request.logits.is_empty(), "combinations have no parts");
    let survey = Survey::of(network, images, None, &request);
    let (classes, work) = (survey.outline.classes, survey.work);
    let sets: Vec<Vec<usize>> = (0..combinations.len()).map(|place| vec![place]).collect();
    let kept = (0..combinations.len()).map(|place| place.to_string()).collect();
    let mut kernel = Kernel::unfilled(request.reduction, work.samples, classes, kept);
    let take = &mut |tile, KernelBlock { rows, columns }: KernelBlock| {
        kernel.place(tile, rows, columns);
        true
    };
    let directions = |set: &[usize]| {
        let values = combinations[set[0]].clone();
        Tensor::from_data(TensorData::new(values, [1, classes]), &images.device())
    };
    survey.tiles(network, (images, None), (&sets, &directions), (&|_| true, take), cancelled)?;
    kernel.finish(true);
    Some(kernel.parts.into_iter().map(|(_, values)| values).collect())
}

/// Measures the same kernel block by block and keeps none of them: calls `take` with each that is `wanted`, in the order of
/// [`Plan::blocks`], until it returns false. Each entry has the bits that [`measure`] gives it. Parts that would be stored
/// separately are summed. Returns `None` if `cancelled` returns true or `take` has ended it.
pub fn measure_blocks(
    network: &Network,
    (images, others): (&Tensor<2>, Option<&Tensor<2>>),
    request: &Request,
    wanted: &dyn Fn(&KernelBlock) -> bool,
    take: &mut dyn FnMut(KernelBlock, Kernel) -> bool,
    cancelled: &dyn Fn() -> bool,
) -> Option<()> {
    assert!(request.apart == PartKind::No && request.logits.is_empty(), "blocks have no parts");
    let survey = Survey::of(network, images, others, request);
    let finish = &mut |tile: Tile, block: KernelBlock| {
        let samples = (block.rows.len(), block.columns.len());
        let mut kernel = Kernel::unfilled(request.reduction, samples, survey.outline.classes, vec![String::new()]);
        kernel.place(tile, 0..samples.0, 0..samples.1);
        kernel.finish(survey.work.same && block.is_diagonal());
        take(block, kernel)
    };
    let directions = survey.directions_of(request, images);
    let sets = request.sets(survey.outline.classes);
    survey.tiles(network, (images, others), (&sets, &directions), (wanted, finish), cancelled)
}

/// Returns the plan by which [`measure`] would compute this kernel, with the names of the layers.
pub fn explain(
    network: &Network,
    images: &Tensor<2>,
    others: Option<&Tensor<2>>,
    request: &Request,
) -> (Vec<String>, Plan, KernelShape) {
    let survey = Survey::of(network, images, others, request);
    let names = survey.outline.taps.iter().map(|tap| tap.name.clone()).collect();
    (names, survey.plan(), survey.work)
}

/// The structure of the work.
struct Survey<'a> {
    outline: &'a Outline,
    work: KernelShape,
    /// For each tap, which of its tensors are included.
    included: Vec<Vec<bool>>,
    /// For each tap, the index of the sum of each of its tensors.
    into: Vec<Vec<Option<usize>>>,
    /// The names of the sums: layers or tensors that are stored separately, or one for all.
    sum_names: Vec<String>,
    preconditioner: Option<Arc<Preconditioner>>,
}

impl<'a> Survey<'a> {
    fn of(network: &'a Network, images: &Tensor<2>, others: Option<&Tensor<2>>, request: &Request) -> Self {
        let [n, _] = images.dims();
        let m = others.map_or(n, |others| others.dims()[0]);
        let outline = network.outline(images);
        let apart = request.reduction == Reduction::Full;
        let directions = if request.reduction == Reduction::SumLogits { 1 } else { outline.classes };
        let preconditioned = request.preconditioner.is_some();
        assert!(!(apart && preconditioned), "the optimiser's kernel is reduced over logits");
        let (samples, same) = ((n, m), others.is_none());
        let (memory, on_card) = (request.memory, !is_host(&images.device()));
        let work = KernelShape { samples, same, directions, apart, preconditioned, memory, on_card };
        let (mut included, mut into, mut sum_names) = (Vec::new(), Vec::new(), Vec::<String>::new());
        for tap in &outline.taps {
            let each = tap.tensors.iter().zip(&tap.moves);
            let wanted: Vec<bool> = each.map(|(tensor, moves)| *moves && request.includes(tensor)).collect();
            let sums = tap.tensors.iter().zip(&wanted).map(|(tensor, wanted)| {
                let part = request.apart.part_of(tensor);
                let known = sum_names.iter().position(|kept| *kept == part);
                wanted.then(|| {
                    known.unwrap_or_else(|| {
                        sum_names.push(part);
                        sum_names.len() - 1
                    })
                })
            });
            into.push(sums.collect());
            included.push(wanted);
        }
        if sum_names.is_empty() {
            sum_names.push(String::new());
        }
        Self { outline, work, included, into, sum_names, preconditioner: request.preconditioner.clone() }
    }

    fn plan(&self) -> Plan {
        let wanted: Vec<bool> = self.included.iter().map(|tensors| tensors.contains(&true)).collect();
        let layers: Vec<Layer> = self.outline.taps.iter().map(|tap| tap.layer).collect();
        Plan::of(&layers, &wanted, &self.work)
    }

    /// Returns what makes directions of logit space from the logits of a set.
    fn directions_of(&self, request: &Request, images: &Tensor<2>) -> impl Fn(&[usize]) -> Tensor<2> {
        let (reduction, classes, device) = (request.reduction, self.outline.classes, images.device());
        move |logits| reduction.directions(classes, logits, &device)
    }

    /// Computes the tiles of those blocks that are wanted, and calls `take` with each until it returns false.
    fn tiles(
        &self,
        network: &Network,
        (images, others): (&Tensor<2>, Option<&Tensor<2>>),
        (sets, directions): (&[Vec<usize>], &Directions<'_>),
        (wanted, take): (&Wanted<'_>, &mut Taker<'_>),
        cancelled: &dyn Fn() -> bool,
    ) -> Option<()> {
        let (work, plan) = (self.work, self.plan());
        let group = plan.block.1;
        let mut last: Option<(Range<usize>, Tape)> = None;
        for block in plan.blocks(&work).into_iter().filter(|block| wanted(block)) {
            let (rows, columns) = (block.rows.clone(), block.columns.clone());
            let row_tape = match last.take() {
                Some((known, tape)) if known == rows => tape,
                _ => network.record(images.clone().narrow(0, rows.start, rows.len())),
            };
            let diagonal = work.same && block.is_diagonal();
            let column_tape = (!diagonal).then(|| {
                let images = others.unwrap_or(images).clone();
                network.record(images.narrow(0, columns.start, columns.len()))
            });
            let samples = (rows.len(), columns.len());
            let again = sets.len() > 1 || sets.iter().any(|set| set.len() > group);
            // If pairs of directions are stored separately, the plan puts all directions in one group.
            let sums = sets.len() * self.sum_names.len();
            let mut tile = Tile::new(samples, (group, group), (work.apart, diagonal, again), sums);
            for (set, logits) in sets.iter().enumerate() {
                for logits in logits.chunks(group) {
                    tile.directions = (logits.len(), logits.len());
                    let (directions, first) = (directions(logits), set * self.sum_names.len());
                    self.fill(&mut tile, first, &plan, (&row_tape, column_tape.as_ref()), &directions, cancelled)?;
                }
            }
            tile.settle();
            if !take(tile, block) {
                return None;
            }
            last = Some((rows, row_tape));
        }
        Some(())
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
        let mut gathered = [Gathered::new(&self.outline.shared), Gathered::new(&self.outline.shared)];
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
pub(super) struct Gathered {
    /// For each tensor, the number of taps to come, and the sum so far.
    tensors: HashMap<String, (usize, Option<Rows>)>,
}

impl Gathered {
    pub fn new(shared: &HashMap<String, usize>) -> Self {
        Self { tensors: shared.iter().map(|(name, count)| (name.clone(), (*count, None))).collect() }
    }

    /// Moves the gradients of shared tensors out of a side, and returns the sums that are complete, by the index of their
    /// tensor in the tap.
    pub fn take(&mut self, tap: &LayerRecord, side: &mut LayerSide) -> Option<LayerSide> {
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
