//! Generates random numbers by address: every use in a run has a name, which alone determines its values.
//!
//! The four numbers of [`rng`] *are* the 256-bit key of a ChaCha8 generator, so two different uses can never share a
//! stream, no use can shift another by sampling more, and a run resumed in the middle samples the same numbers as an
//! uninterrupted one. With one generator passed around, the batches of epoch 7 would depend on how often epoch 6 was
//! evaluated.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// The use of a stream. The values are part of the meaning of a seed: never renumber them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Initial weights.
    Init = 1,
    /// Order of the training images in an epoch.
    Order = 2,
    /// Pixel permutations of the tasks.
    Permutation = 3,
    /// Selection of the images of a task that are stored for replay.
    Memory = 4,
    /// Selection of the stored images that a step replays.
    Replay = 5,
    /// Points of the plane.
    Points = 8,
    /// Samples of a problem, and selection of the training images of a run.
    Samples = 9,
    /// Dropout masks of a training pass.
    Dropout = 10,
    /// Selection of the images of a task that a continual-learning strategy looks at when the task ends.
    TaskEnd = 21,
    /// Selection of the images in a strategy's memory that a step rehearses.
    Rehearsal = 22,
    /// Selection of the images that stay in a strategy's memory.
    Reservoir = 23,
    /// Selection of the probes.
    Probes = 24,
    /// Draws of seeds for an interval; of no run.
    Resampling = 20,
    /// Draws of an estimate of a kernel; of no run.
    Estimate = 40,
    /// The images of the further batches whose gradients are averaged.
    Average = 11,
}

/// Returns the generator of one use: `a` and `b` distinguish uses of the same stream (a layer; a task and an epoch).
pub fn rng(seed: u64, stream: Stream, a: u64, b: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, number) in key.chunks_exact_mut(8).zip([seed, stream as u64, a, b]) {
        part.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
