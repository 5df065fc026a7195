//! Random numbers by address: every draw of a run has a name, and the name alone decides its values.
//!
//! The four numbers of [`rng`] *are* the 256-bit key of a ChaCha8 generator, so two different uses can never share a
//! stream, no use can shift another by drawing more, and a run resumed in the middle draws what it would have drawn.
//! A generator handed around would tie the batches of epoch 7 to how often somebody looked at epoch 6.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// What the numbers are for. The values are part of what a seed means: never renumber them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Initial weights.
    Init = 1,
    /// Order of the training images in an epoch.
    Order = 2,
    /// Pixel permutations of the tasks.
    Permutation = 3,
    /// Which images of a task are kept for replay.
    Memory = 4,
    /// Which of these a step sees again.
    Replay = 5,
    /// Points of the plane.
    Points = 8,
    /// Samples of a problem, and which images of a set a run trains on.
    Samples = 9,
    /// What a pass of training leaves out.
    Dropout = 10,
}

/// The generator of one use: `a` and `b` tell uses of the same stream apart (a layer; a task and an epoch).
pub fn rng(seed: u64, stream: Stream, a: u64, b: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, number) in key.chunks_exact_mut(8).zip([seed, stream as u64, a, b]) {
        part.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
