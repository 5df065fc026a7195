//! Measures the CPU time of one training step, 784-1024-1024-10, batch 128, SGD, on one thread: `cargo bench --bench step`; with
//! `-- gpu` on a graphics card, where wall-clock time is what to read, and with a number that many steps.
//!
//! The step is that of a run, [`NetworkTrainer::step`]: the batch is copied to the device, the loss read back, a diverged one
//! refused. `benches/peers/peer_step.py` is the same step in PyTorch. Prints one flat JSON line.

use burn::tensor::Device;
use kernelscope::math::timing::{Timing, time};
use kernelscope::model::gpu;
use kernelscope::spec::Spec;
use kernelscope::train::{NetworkTrainer, StepOptions};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

const PIXELS: usize = 784;
const WIDTH: usize = 1024;
const CLASSES: usize = 10;
const BATCH: usize = 128;
const RATE: f64 = 0.01;
const STEPS: usize = 200;
/// Batches alternate, as in a run; a single one would stay in the cache.
const BATCHES: usize = 8;
/// Number of untimed first steps, which allocate memory.
const WARM_UP: usize = 20;

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    timing: Timing,
    threads: usize,
    gflop: f64,
    /// Loss of the last step; the time is meaningless unless it is finite.
    loss: f64,
}

fn main() -> anyhow::Result<()> {
    kernelscope::model::tune_allocator();
    // burn's CPU backend works on rayon's global pool; this thread is its only member.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()?;
    let given: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let device = if given.iter().any(|arg| arg == "gpu") {
        gpu(true).map_err(anyhow::Error::msg)?.device
    } else {
        Device::flex()
    };
    let steps = given.iter().find_map(|arg| arg.parse().ok()).unwrap_or(STEPS);
    let mut spec = Spec::default();
    spec.network.width = WIDTH.into();
    spec.training.batch = BATCH;
    let mut learner = NetworkTrainer::new(&spec, [1, 28, 28], CLASSES, &device);
    let mut draw = ChaCha8Rng::seed_from_u64(1);
    let batches: Vec<(Vec<f32>, Vec<usize>)> = (0..BATCHES)
        .map(|_| {
            let pixels = (0..BATCH * PIXELS).map(|_| draw.random_range(-1.7f32..1.7)).collect();
            (pixels, (0..BATCH).map(|_| draw.random_range(0..CLASSES)).collect())
        })
        .collect();
    let mut at = 0;
    let mut step = || {
        let (pixels, labels) = &batches[at % BATCHES];
        at += 1;
        // As a run takes it: on a card the loss that is read is that of the step before.
        learner
            .begin_step(pixels, labels, &StepOptions::at(RATE), false)
            .last()
            .map_or(f64::NAN, |outcome| outcome.loss)
    };
    time(WARM_UP.min(steps), &mut step);
    let (timing, loss) = time(steps, &mut step);
    // The forward product and two backward products in every layer, without the gradient of the images.
    let gflop = 2e-9 * BATCH as f64 * (2 * PIXELS * WIDTH + 3 * (WIDTH * WIDTH + WIDTH * CLASSES)) as f64;
    println!("{}", serde_json::to_string(&Line { timing, threads: 1, gflop, loss })?);
    Ok(())
}
