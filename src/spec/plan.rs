//! Plans the computation of a kernel layer by layer, with its cost, before anything is allocated.
//!
//! The engine follows this plan and `kernelscope gram --explain` prints it, so the two always agree; the estimate in the
//! window reads the same numbers. Costs are multiply-adds times two, as everywhere; elementwise work is omitted unless it
//! dominates.

use std::ops::Range;

use super::Layer;

/// The contraction that gives a layer's part of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contraction {
    /// (activation Gram) ∘ (gradient Gram): for layers that act at one place per sample.
    Products,
    /// Inner products of the gradients of all samples and logits.
    Gradients,
    /// Products summed over all pairs of places: used where the gradients would be larger.
    Places,
    /// As `Products`, with a separate activation Gram for each output, in which a preconditioner weights every parameter.
    Weighted,
}

/// The kernel to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelShape {
    /// Samples of the rows and of the columns.
    pub samples: (usize, usize),
    /// If true, rows and columns are the same samples, and half of the products suffice.
    pub same: bool,
    /// Directions of logit space: C, or 1 for the sum of logits.
    pub directions: usize,
    /// If true, every pair of directions is computed (the full kernel), else only the sum over equal ones.
    pub apart: bool,
    /// If true, every parameter has its own weight (the optimiser's kernel). Never together with `apart`.
    pub preconditioned: bool,
    /// Largest number of bytes of activations, cotangents and gradients at any time.
    pub memory: u64,
    /// If true, it is computed on a graphics card, which takes the work that it is given as a whole.
    pub on_card: bool,
}

/// The plan for one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerPlan {
    pub layer: Layer,
    pub contraction: Contraction,
    /// Floating-point operations of the contraction, and of the backward pass through the layer.
    pub contraction_flop: f64,
    pub backward_flop: f64,
    /// Bytes for one sample and direction.
    pub bytes: f64,
}

/// The plan for a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub parts: Vec<LayerPlan>,
    pub forward_flop: f64,
    /// Number of samples and directions in memory together.
    pub block: (usize, usize),
    /// Bytes of a block, and of the sums over its pairs.
    pub block_bytes: f64,
    pub kernel_bytes: f64,
}

/// A rectangle of a kernel that is computed at once, by its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelBlock {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl KernelBlock {
    /// Returns whether rows and columns are the same samples, where those of the kernel are.
    pub fn is_diagonal(&self) -> bool {
        self.rows == self.columns
    }
}

/// Default memory limit of a measurement: 1 GiB.
pub const KERNEL_MEMORY: u64 = 1 << 30;
/// Largest number of multiply-adds of one layer between two checks for cancellation: a fraction of a second on a processor,
/// and on a graphics card, which small pieces of work leave idle.
const MOST_AT_ONCE: f64 = 1e10;
const MOST_AT_ONCE_ON_CARD: f64 = 1e12;
/// Largest number of bytes of products that wait on a graphics card until they are read together.
pub const MOST_WAITING: u64 = 1 << 28;
/// Bytes of a pair of samples in a block: the product in f32 and its sum in f64.
const PAIR_BYTES: f64 = 12.0;
/// Cost of an elementwise multiply-add relative to one inside a matrix product.
const ELEMENTWISE: f64 = 8.0;

impl Plan {
    /// Returns the cheapest plan for a network of these layers that measures those marked in `wanted`.
    pub fn of(layers: &[Layer], wanted: &[bool], work: &KernelShape) -> Self {
        let mut parts: Vec<LayerPlan> = layers.iter().map(|layer| LayerPlan::cheapest(*layer, work)).collect();
        for (part, _) in parts.iter_mut().zip(wanted).filter(|(_, wanted)| !**wanted) {
            part.contraction_flop = 0.0;
        }
        // The backward pass ends at the first wanted layer, and never continues to the images.
        let needed = wanted.iter().position(|wanted| *wanted).map_or(parts.len(), |first| first + 1);
        parts.iter_mut().take(needed).for_each(|part| part.backward_flop = 0.0);
        let samples = (work.samples.0 + if work.same { 0 } else { work.samples.1 }) as f64;
        let forward_flop = 2.0 * samples * layers.iter().map(Layer::products).sum::<f64>();
        // Per sample: what the layers store for the backward pass, with slopes, and their inputs.
        let held: f64 = layers.iter().map(|layer| 4.0 * (2.0 * layer.outputs() + layer.reads())).sum();
        // The windows of only one convolution are in memory at a time.
        let windows = layers.iter().map(|layer| 4.0 * (layer.inputs() - layer.reads())).fold(0.0, f64::max);
        let per_sample = held + windows;
        let per_direction = parts.iter().map(|part| part.bytes).fold(0.0, f64::max);
        let budget = work.memory as f64;
        let n = work.samples.0.max(work.samples.1).max(1);
        let heaviest = layers.iter().map(Layer::products).fold(1.0, f64::max);
        let fits = |room: f64, each: f64, most: usize| (room / each.max(1.0)).floor().clamp(1.0, most as f64) as usize;
        let sides = if work.same { 1.0 } else { 2.0 };
        let most = if work.on_card { MOST_AT_ONCE_ON_CARD } else { MOST_AT_ONCE };
        let directions = fits(most, n as f64 * heaviest, work.directions);
        let whole = |directions: usize| sides * n as f64 * (per_sample + directions as f64 * per_direction);
        let side = |samples: usize| samples as f64 * if work.apart { work.directions as f64 } else { 1.0 };
        // The sums of a block take a quarter of the memory at most, so that a kernel that does not fit can go to the disk.
        let widest = fits((budget / 4.0 / PAIR_BYTES).sqrt(), side(1), n);
        let block = if work.apart {
            // Groups of directions would have to be combined in pairs, so samples are split into blocks instead.
            if whole(work.directions) <= budget && widest == n {
                (n, work.directions)
            } else {
                let each = per_sample + work.directions as f64 * per_direction;
                (fits(budget / 2.0, each, widest), work.directions)
            }
        } else if whole(1) <= budget && widest == n {
            let room = budget / (sides * n as f64) - per_sample;
            (n, directions.min(fits(room, per_direction, work.directions)))
        } else {
            let samples = fits(budget / 2.0, per_sample + per_direction, widest);
            let room = budget / (2.0 * samples as f64) - per_sample;
            let is_roomy = samples == widest;
            (samples, if is_roomy { directions.min(fits(room, per_direction, work.directions)) } else { 1 })
        };
        let held = if block.0 < n { 2.0 } else { sides };
        let block_bytes = held * block.0 as f64 * (per_sample + block.1 as f64 * per_direction);
        let entries = side(work.samples.0.min(block.0)) * side(work.samples.1.min(block.0));
        // Those of a graphics card, two of each layer, wait until they are read together.
        let waiting = if work.on_card { (8.0 * layers.len() as f64 * entries).min(MOST_WAITING as f64) } else { 0.0 };
        let kernel_bytes = PAIR_BYTES * entries + waiting;
        Self { parts, forward_flop, block, block_bytes, kernel_bytes }
    }

    /// Returns the blocks of samples in the order in which they are computed: where rows and columns are the same samples, those
    /// on and below the diagonal.
    pub fn blocks(&self, work: &KernelShape) -> Vec<KernelBlock> {
        let cut = |samples: usize| {
            let (each, starts) = (self.block.0, (0..samples).step_by(self.block.0));
            starts.map(move |first| first..(first + each).min(samples))
        };
        let columns = |rows: &Range<usize>| {
            let last = if work.same { rows.start } else { work.samples.1 };
            cut(work.samples.1).take_while(move |columns| columns.start <= last).collect::<Vec<_>>()
        };
        let block = |rows: Range<usize>| {
            columns(&rows).into_iter().map(move |columns| KernelBlock { rows: rows.clone(), columns })
        };
        cut(work.samples.0).flat_map(block).collect()
    }

    /// Returns all floating-point operations. (With samples in blocks, each block is computed again for every other.)
    pub fn flop(&self, work: &KernelShape) -> f64 {
        let n = work.samples.0.max(work.samples.1).max(1);
        let again = n.div_ceil(self.block.0).max(1) as f64;
        let backward: f64 = self.parts.iter().map(|part| part.backward_flop).sum();
        let contraction: f64 = self.parts.iter().map(|part| part.contraction_flop).sum();
        again * (self.forward_flop + backward) + contraction
    }

    /// Returns the bytes at the peak.
    pub fn bytes(&self) -> f64 {
        self.block_bytes + self.kernel_bytes
    }
}

impl LayerPlan {
    fn cheapest(layer: Layer, work: &KernelShape) -> Self {
        let (n, m) = (work.samples.0 as f64, work.samples.1 as f64);
        let pairs = n * m * if work.same { 0.5 } else { 1.0 };
        let samples = n + if work.same { 0.0 } else { m };
        let c = work.directions as f64;
        let directions = if work.apart { c * c } else { c };
        let backward_flop = 2.0 * samples * c * layer.products();
        // A cotangent before and after the layer, and one that is stored at a residual connection.
        let passing = 4.0 * (2.0 * layer.outputs() + layer.reads());
        let part = |contraction, contraction_flop, held: f64| Self {
            layer,
            contraction,
            contraction_flop,
            backward_flop,
            bytes: passing + 4.0 * held,
        };
        // `formed`: the gradients are needed whatever their cost.
        let affine = |fan_in: usize, fan_out: usize, places: usize, formed: bool| {
            let (fan_in, fan_out, p) = (fan_in as f64, fan_out as f64, places as f64);
            let gradient = fan_in * fan_out;
            let gradients = 2.0 * samples * c * p * gradient + 2.0 * pairs * directions * gradient;
            if formed {
                return part(Contraction::Gradients, gradients, gradient);
            }
            if places <= 1 && work.preconditioned {
                let each = fan_in * fan_out + fan_out * (c + ELEMENTWISE);
                return part(Contraction::Weighted, 2.0 * pairs * each, fan_out);
            }
            if places <= 1 {
                return part(Contraction::Products, 2.0 * pairs * (fan_in + directions * fan_out), 0.0);
            }
            let each = fan_in + directions * (fan_out + ELEMENTWISE);
            let by_places = 2.0 * pairs * p * p * each;
            if gradients <= by_places || work.preconditioned {
                part(Contraction::Gradients, gradients, gradient)
            } else {
                part(Contraction::Places, by_places, 0.0)
            }
        };
        match layer {
            Layer::Affine { fan_in, fan_out, places, groups, shared, .. } => {
                affine(fan_in, fan_out, places, shared || groups > 1)
            }
            Layer::Norm { width, .. } => {
                part(Contraction::Gradients, 4.0 * pairs * directions * width as f64, 2.0 * width as f64)
            }
            Layer::Scale { width, .. } => {
                part(Contraction::Gradients, 2.0 * pairs * directions * width as f64, width as f64)
            }
            Layer::Offset { entries } => {
                let entries = entries as f64;
                part(Contraction::Gradients, 2.0 * pairs * directions * entries, entries)
            }
            Layer::Attention { .. } | Layer::Product { .. } => part(Contraction::Gradients, 0.0, 0.0),
        }
    }
}
