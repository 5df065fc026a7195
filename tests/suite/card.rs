//! What a graphics card is given to do, counted on any driver, a software one too: how often the processor waits for it in a kernel
//! and in a step, and how many programs it is started with; and that what it computes is what the processor computes.
//!
//! What is counted is a read by our own function (`src/model/device_read.rs`, which `house` holds to be the only one), and a
//! kernel of burn that this thread has launched, by burn's own observer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{ThreadId, current};

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use cubecl_runtime::logging::{LaunchObservation, LaunchObserver};
use kernelscope::model::{ChosenDevice, Network, device_reads, gpu};
use kernelscope::ntk::{PartKind, Preconditioner, Reduction, Request, layerwise};
use kernelscope::spec::text::NETWORKS;
use kernelscope::spec::{
    Activation, KERNEL_MEMORY, KernelShape, Layer, NetworkSpec, Optimiser, Parametrisation, Plan, Spec,
};
use kernelscope::train::{NetworkTrainer, StepOptions};

use super::kernel::{noise, zoo};
use super::{Missing, fitting, skipped};

/// Largest relative Frobenius difference between the processor and a graphics card.
const TOLERANCE: f64 = 1e-4;

fn never() -> bool {
    false
}

/// The card, or a software driver.
fn card(wanted_for: &str) -> Option<ChosenDevice> {
    gpu(true).map_err(|why| skipped(Missing::Installable, &format!("{wanted_for}: {why}"))).ok()
}

/// The kernels of burn that one thread has launched.
struct Launches {
    thread: ThreadId,
    count: AtomicU64,
}

impl LaunchObserver for Launches {
    fn launched(&self, _: &'static str) {
        if current().id() == self.thread {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Does the work; returns how often it waited for a device and how many programs it launched there.
fn counted<T>(work: impl FnOnce() -> T) -> (T, u64, u64) {
    // There is one observer in a process.
    static ONE: Mutex<()> = Mutex::new(());
    let _only = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let launches = Arc::new(Launches { thread: current().id(), count: AtomicU64::new(0) });
    let before = device_reads();
    let watching = LaunchObservation::new(launches.clone());
    let done = work();
    drop(watching);
    (done, device_reads() - before, launches.count.load(Ordering::Relaxed))
}

fn at(device: &Device, images: &Tensor<2>) -> Tensor<2> {
    let values: Vec<f32> = images.clone().into_data().iter().collect();
    Tensor::from_data(TensorData::new(values, images.dims()), device)
}

/// ‖a − b‖/‖b‖.
fn gap(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    (square(&mut a.iter().zip(b).map(|(a, b)| a - b)) / square(&mut b.iter().copied())).sqrt()
}

/// The network of the table in the documents, 784-w-w-10.
fn mlp(width: usize) -> NetworkSpec {
    NetworkSpec { width: width.into(), ..NetworkSpec::of("mlp") }
}

#[test]
fn a_kernel_waits_for_the_card_once() {
    let Some(card) = card("what a kernel asks of a graphics card") else { return };
    let network = Network::new(&mlp(16), 1, [1, 28, 28], 10, &Device::flex()).to_device(&card.device);
    let images = at(&card.device, &noise(8, 784, 1));
    let request = Request::of(Reduction::Trace);
    let measure = |request: &Request| layerwise::measure(&network, &images, None, request, &never).unwrap();
    // The first kernel of a network also looks at what the network is.
    let (_, reads, launches) = counted(|| measure(&request));
    eprintln!("trace kernel of an MLP on {}: {reads} reads, {launches} launches; the first one", card.description);
    let (_, reads, launches) = counted(|| measure(&request));
    eprintln!("trace kernel of an MLP on {}: {reads} reads, {launches} launches", card.description);
    assert_eq!(reads, 1);
    assert!(launches <= 30, "{launches} launches");
    // The products of long rows are cut: one at the first width of the table in the documents, four at the others.
    for (width, most) in [(1024, 36), (4096, 50)] {
        let wide = Network::new(&mlp(width), 1, [1, 28, 28], 10, &Device::flex()).to_device(&card.device);
        wide.outline(&images);
        let (_, reads, launches) = counted(|| layerwise::measure(&wide, &images, None, &request, &never).unwrap());
        eprintln!("… of width {width}: {reads} reads, {launches} launches");
        assert!(reads == 1 && launches <= most, "{reads} reads, {launches} launches");
    }
    // Every logit in its own set: more products, one read.
    let each = Request { logits: (0..10).map(|logit| vec![logit]).collect(), ..request.clone() };
    let (_, reads, launches) = counted(|| measure(&each));
    eprintln!("… with ten sets of logits: {reads} reads, {launches} launches");
    assert_eq!(reads, 1);
    // In blocks of samples: one read for each tile.
    let small = Request { memory: 20_000, ..request };
    let (_, plan, _) = layerwise::explain(&network, &images, None, &small);
    let blocks = 8usize.div_ceil(plan.block.0) as u64;
    let (kernel, reads, _) = counted(|| measure(&small));
    assert!(blocks > 1 && reads == blocks * (blocks + 1) / 2, "{reads} reads for {blocks} blocks");
    assert!(gap(&kernel.values, &measure(&Request::of(Reduction::Trace)).values) < 1e-6);
}

/// At the widths of the table in the documents a card has all logits at once where the processor takes one after the other, which
/// the command line's plan says, too.
#[test]
fn a_card_is_given_all_logits_at_once() {
    for width in [1024, 4096, 8192] {
        let layers = mlp(width).layers([1, 28, 28], 10);
        let plan = |on_card| {
            let (samples, memory) = ((512, 512), KERNEL_MEMORY);
            let work = KernelShape {
                samples,
                same: true,
                directions: 10,
                apart: false,
                preconditioned: false,
                memory,
                on_card,
            };
            Plan::of(&layers, &vec![true; layers.len()], &work)
        };
        assert_eq!(plan(true).block, (512, 10), "width {width}");
        assert_eq!(plan(false).block, (512, if width == 1024 { 10 } else { 1 }), "width {width}");
        assert_eq!(plan(true).parts, plan(false).parts);
    }
    let one = [Layer::Offset { entries: 3 }];
    let work = KernelShape {
        samples: (4, 4),
        same: true,
        directions: 2,
        apart: false,
        preconditioned: false,
        memory: KERNEL_MEMORY,
        on_card: true,
    };
    // Two matrices of 4 × 4 wait beside the sums.
    assert!((Plan::of(&one, &[true], &work).kernel_bytes - 16.0 * (12.0 + 8.0)).abs() < 1e-9);
}

/// A kernel on the card against that of the processor, part by part where it has parts; returns how far it is off.
fn check(
    what: &str,
    (on_card, there): (&Network, &Tensor<2>),
    (on_cpu, images): (&Network, &Tensor<2>),
    request: &Request,
) {
    let measure = || layerwise::measure(on_card, there, None, request, &never).unwrap();
    // What the network is has been looked at before.
    on_card.outline(there);
    let (found, reads, launches) = counted(measure);
    let expected = layerwise::measure(on_cpu, images, None, request, &never).unwrap();
    let off = gap(&found.values, &expected.values);
    eprintln!("{what}, {:?}: {off:.1e} from the processor, {launches} launches", request.reduction);
    assert!(off <= TOLERANCE, "{what}, {:?}: {off:e}", request.reduction);
    assert_eq!(reads, 1, "{what}, {:?}", request.reduction);
    let whole = expected.values.iter().map(|value| value * value).sum::<f64>().sqrt();
    assert_eq!(found.parts.len(), expected.parts.len());
    for ((tensor, found), (name, expected)) in found.parts.iter().zip(&expected.parts) {
        let part = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        assert!(tensor == name && part <= TOLERANCE * whole, "{what}: {tensor}: {part:e} of {whole:e}");
    }
}

/// Every network that comes with the program, and one of every kind that has a way of its own through the engine, by each reduction:
/// the card's numbers are the processor's, and it is waited for once.
#[test]
fn every_network_has_the_same_kernels_on_a_card() {
    let Some(card) = card("the networks of the library on a graphics card") else { return };
    let (image, classes) = ([2, 12, 12], 4);
    let small = [("patch", 4), ("blocks", 2), ("k", 1)];
    let library = NETWORKS.iter().map(|network| {
        let network = NetworkSpec::of(network.name);
        let least = *network.widths().start();
        let network = fitting(NetworkSpec { width: least.into(), ..network }, &small);
        (network.program.clone(), Network::new(&network, 1, image, classes, &Device::flex()), noise(3, 288, 3))
    });
    let zoo = zoo(Parametrisation::Ntk, 7).into_iter().map(|(name, network)| (name, network, noise(3, 128, 4)));
    for (name, on_cpu, images) in library.chain(zoo) {
        let (on_card, there) = (on_cpu.clone().to_device(&card.device), at(&card.device, &images));
        let diagonal = on_cpu.ids().into_iter().zip(on_cpu.flatten()).map(|((name, _), tensor)| {
            let count = tensor.shape().num_elements();
            (name, (0..count).map(|at| (at % 7) as f32).collect())
        });
        let preconditioner = Some(Arc::new(Preconditioner::new(diagonal)));
        for request in [
            Request { apart: PartKind::Tensors, ..Request::of(Reduction::Trace) },
            Request::of(Reduction::Full),
            Request { apart: PartKind::Layers, preconditioner, ..Request::of(Reduction::Trace) },
        ] {
            check(&name, (&on_card, &there), (&on_cpu, &images), &request);
        }
    }
}

/// Rows that are so long that their products are cut into pieces, and numbers that stand for words.
#[test]
fn long_rows_and_tokens_have_the_same_kernels_on_a_card() {
    let Some(card) = card("long rows on a graphics card") else { return };
    let wide = mlp(4096);
    let on_cpu = Network::new(&wide, 1, [1, 28, 28], 10, &Device::flex());
    let (images, on_card) = (noise(5, 784, 2), on_cpu.clone().to_device(&card.device));
    let there = at(&card.device, &images);
    check("width 4096", (&on_card, &there), (&on_cpu, &images), &Request::of(Reduction::Trace));
    let text = "let width = setting(\"width\", 16, 8..64, \"units\");\n\
                let e = embedding(\"e\", flatten(x), 5, width);\n\
                dense(\"out\", tanh(flatten(e)), classes)\n";
    let spec = NetworkSpec::from_text("mine", Some(text.into()));
    let on_cpu = Network::new(&spec, 1, [1, 1, 6], 3, &Device::flex());
    let tokens: Vec<f32> = (0..24).map(|at| (at * 7 % 5) as f32).collect();
    let images = Tensor::<2>::from_data(TensorData::new(tokens, [4, 6]), &Device::flex());
    let (on_card, there) = (on_cpu.clone().to_device(&card.device), at(&card.device, &images));
    check("tokens", (&on_card, &there), (&on_cpu, &images), &Request::of(Reduction::Trace));
    // A number that is no token is refused there, too.
    let wrong = at(&card.device, &(images + 0.5));
    let kernel = layerwise::measure(&on_card, &wrong, None, &Request::of(Reduction::Trace), &never).unwrap();
    assert!(kernel.values.iter().any(|value| value.is_nan()));
}

/// The slope of every function in its closed form, on a card, is burn's own derivative, on the processor: where it bends, too.
#[test]
fn every_slope_in_closed_form_is_the_derivative() {
    let Some(card) = card("the slopes of functions on a graphics card") else { return };
    let named = Activation::ALL.map(|activation| format!("{}(z)", activation.name()));
    let others = [
        "leaky_relu(z, 0.2)",
        "polynomial(z, [0.5, -1.0, 0.25, 0.125])",
        "polynomial(z, [0.5])",
        "hardtanh(z, -1.0, 3.0)",
        "relu6(z)",
        "hardswish(z)",
        "hardsigmoid(z)",
        "elu(z, 0.5)",
        "mish(z)",
    ];
    let positive = ["log(z)", "sqrt(z)", "reciprocal(z)"];
    let corners = [-25.0f32, -6.0, -3.0, -1.0, -0.3, 0.0, 0.2, 1.0, 3.0, 4.5, 6.0, 25.0];
    let mut wrong = Vec::new();
    let all = named.iter().map(String::as_str).chain(others).map(|function| (function, false));
    for (function, is_positive) in all.chain(positive.map(|function| (function, true))) {
        let text = format!(
            "let z = flatten(x) + learned(\"p\", [12], #{{start: 0.0}});\ndense(\"out\", {function}, classes)\n"
        );
        let spec = NetworkSpec::from_text("mine", Some(text.into()));
        let on_cpu = Network::new(&spec, 1, [1, 1, 12], 2, &Device::flex());
        let exponential = function.starts_with("exp");
        let value = |at: usize| match corners[at] {
            corner if is_positive => corner.abs() + 0.5,
            corner if exponential => corner / 5.0,
            corner => corner,
        };
        // The value of a sample at one place only is known there alone, the others are 0.5.
        let values: Vec<f32> = (0..144).map(|at| if at / 12 == at % 12 { value(at % 12) } else { 0.5 }).collect();
        let images = Tensor::<2>::from_data(TensorData::new(values, [12, 12]), &Device::flex());
        let request = Request { only: Some(vec!["p".to_owned()]), ..Request::of(Reduction::Trace) };
        let expected = layerwise::measure(&on_cpu, &images, None, &request, &never).unwrap().values;
        let (on_card, there) = (on_cpu.to_device(&card.device), at(&card.device, &images));
        let found = layerwise::measure(&on_card, &there, None, &request, &never).unwrap().values;
        for (entry, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let off = (found - expected).abs();
            if off.is_nan() || off > 2e-5 * expected.abs().max(1e-2) {
                wrong.push(format!("{function}, entry {entry}: {found} and not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A learner on the card, with its batch.
fn learner(card: &Device, change: &str) -> (NetworkTrainer, Vec<f32>, Vec<usize>) {
    let mut spec = Spec { network: mlp(16), ..Spec::default() };
    spec.training.optimiser = Optimiser::Sgd;
    spec.set(change).unwrap();
    let pixels: Vec<f32> = noise(8, 784, 1).into_data().iter().collect();
    (NetworkTrainer::new(&spec, [1, 28, 28], 10, card), pixels, (0..8).collect())
}

#[test]
fn a_step_waits_for_the_card_once_and_for_the_step_before() {
    let Some(card) = card("what a step asks of a graphics card") else { return };
    // A plain step is as long as its gradient says; the length of any other is that of the difference of the weights.
    for (change, most) in [("training.momentum=0.0", 72), ("training.momentum=0.9", 105)] {
        let (mut late, pixels, labels) = learner(&card.device, change);
        let (mut at_once, ..) = learner(&card.device, change);
        let (mut on_cpu, ..) = learner(&Device::flex(), change);
        let terms = StepOptions::at(0.05);
        let expected: Vec<_> = (0..4).map(|_| at_once.step(&pixels, &labels, &terms, true)).collect();
        let exact: Vec<_> = (0..4).map(|_| on_cpu.step(&pixels, &labels, &terms, true)).collect();
        let mut found = late.begin_step(&pixels, &labels, &terms, true);
        assert!(found.is_empty(), "its loss is looked at with the next step");
        for _ in 1..4 {
            let (outcomes, reads, launches) = counted(|| late.begin_step(&pixels, &labels, &terms, true));
            eprintln!("a step of an MLP on {}, {change}: {reads} reads, {launches} launches", card.description);
            assert_eq!((outcomes.len(), reads), (1, 1));
            assert!(launches <= most, "{launches} launches");
            found.extend(outcomes);
        }
        found.extend(late.settle());
        // Each outcome once, and in its order. A driver may round a sum otherwise when the same program runs again.
        for (others, of_loss, of_norm) in [(&expected, 1e-6, 1e-6), (&exact, 1e-5, 1e-4)] {
            assert_eq!(found.len(), others.len());
            for (found, other) in found.iter().zip(others) {
                let off = |a: f64, b: f64| (a / b - 1.0).abs();
                assert!(off(found.loss, other.loss) < of_loss, "{found:?} and not {other:?}");
                assert!(
                    off(found.grad_norm.unwrap(), other.grad_norm.unwrap()) < of_norm,
                    "{found:?} and not {other:?}"
                );
                assert_eq!(found.rate, other.rate);
                assert!(off(found.length.unwrap(), other.length.unwrap()) < of_norm, "{found:?} and not {other:?}");
            }
        }
    }
}

/// A step whose loss is not a number is not taken, nor is the one that was begun before it was known.
#[test]
fn what_comes_after_a_loss_that_is_no_number_is_taken_back() {
    let Some(card) = card("a diverging step on a graphics card") else { return };
    let (mut late, pixels, labels) = learner(&card.device, "training.momentum=0.9");
    let values = |learner: &NetworkTrainer| -> Vec<f32> {
        learner.without_autodiff().named().into_iter().flat_map(|tensor| tensor.values).collect()
    };
    let poisoned: Vec<f32> = pixels.iter().map(|_| f32::INFINITY).collect();
    let terms = StepOptions::at(0.05);
    assert!(late.begin_step(&pixels, &labels, &terms, false).is_empty());
    assert!(late.settle().unwrap().loss.is_finite());
    let before = values(&late);
    assert!(late.begin_step(&poisoned, &labels, &terms, false).is_empty());
    let outcomes = late.begin_step(&pixels, &labels, &terms, false);
    assert!(matches!(&outcomes[..], [outcome] if !outcome.loss.is_finite()), "{outcomes:?}");
    assert_eq!(late.settle(), None);
    assert_eq!(values(&late), before);
    // It goes on as if there had been neither, with its momentum.
    let (mut other, ..) = learner(&card.device, "training.momentum=0.9");
    (0..2).for_each(|_| _ = other.step(&pixels, &labels, &terms, false));
    late.step(&pixels, &labels, &terms, false);
    for (found, other) in values(&late).into_iter().zip(values(&other)) {
        assert!((found - other).abs() < 1e-6, "{found} and not {other}");
    }
}
