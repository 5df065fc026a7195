//! Measures ResNet-18 for colour images of 32 × 32, 11.2 million parameters, ten classes, on one thread: the CPU time of
//! the trace kernel of 32 images, and of a training step on 32: `cargo bench --bench networks [-- kernel | step |
//! explain]`.
//!
//! `benches/peers/peer_networks.py` does the same in PyTorch. Prints one flat JSON line for each.

use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::math::timing::{Timing, time};
use kernelscope::model::Network;
use kernelscope::ntk::{Reduction, Request, layerwise};
use kernelscope::spec::{NetworkSpec, Spec};
use kernelscope::train::{NetworkTrainer, StepOptions};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

const IMAGE: [usize; 3] = [3, 32, 32];
const IMAGES: usize = 32;
const CLASSES: usize = 10;
const KERNELS: usize = 3;
const STEPS: usize = 5;

#[derive(Serialize)]
struct Line {
    what: &'static str,
    #[serde(flatten)]
    timing: Timing,
    threads: usize,
    gflop: f64,
    /// Peak bytes of the process, including the network.
    peak_bytes: u64,
}

fn main() -> anyhow::Result<()> {
    kernelscope::model::tune_allocator();
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()?;
    let selected = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wants = |what: &str| selected.as_deref().is_none_or(|selected| selected == what);
    let network = NetworkSpec::of("resnet18");
    let mut draw = ChaCha8Rng::seed_from_u64(1);
    let pixels: Vec<f32> =
        (0..IMAGES * IMAGE.iter().product::<usize>()).map(|_| draw.random_range(-1.7f32..1.7)).collect();
    let labels: Vec<usize> = (0..IMAGES).map(|at| at % CLASSES).collect();
    if wants("kernel") || wants("explain") {
        let network = Network::new(&network, 1, IMAGE, CLASSES, &Device::flex());
        let images = TensorData::new(pixels.clone(), [IMAGES, pixels.len() / IMAGES]);
        let images = Tensor::<2>::from_data(images, &Device::flex());
        let request = Request::of(Reduction::Trace);
        let (names, plan, work) = layerwise::explain(&network, &images, None, &request);
        if selected.as_deref() == Some("explain") {
            for (name, part) in names.iter().zip(&plan.parts) {
                let (to, back) = (part.contraction_flop / 1e9, part.backward_flop / 1e9);
                println!("{name:32} {:?} {to:.2} + {back:.2} GFLOP, {:.2} MB", part.contraction, part.bytes / 1e6);
            }
            println!("{:?}, {:.2} GB", plan.block, plan.bytes() / 1e9);
        }
        let gflop = plan.flop(&work) / 1e9;
        let measure = || layerwise::measure(&network, &images, None, &request, &|| false);
        let (timing, _) = time(KERNELS, measure);
        print("kernel", timing, gflop)?;
    }
    if wants("step") {
        let mut spec = Spec { network, ..Spec::default() };
        spec.training.batch = IMAGES;
        let mut learner = NetworkTrainer::new(&spec, IMAGE, CLASSES, &Device::flex());
        let mut step = || learner.step(&pixels, &labels, &StepOptions::at(0.01), false).loss;
        time(1, &mut step);
        let (timing, _) = time(STEPS, &mut step);
        let products: f64 = spec.network.layers(IMAGE, CLASSES).iter().map(|layer| layer.products()).sum();
        print("step", timing, 6e-9 * IMAGES as f64 * products)?;
    }
    Ok(())
}

fn print(what: &'static str, timing: Timing, gflop: f64) -> anyhow::Result<()> {
    let line = Line { what, timing, threads: 1, gflop, peak_bytes: peak() };
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

/// Returns the peak memory of the process as reported by the operating system; 0 if it is not.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}
