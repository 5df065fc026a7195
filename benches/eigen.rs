//! Measures the CPU time of the eigenvalues of a 512×512 kernel in f64, on one thread: `cargo bench --bench eigen`.
//!
//! The solver is that of every snapshot, [`eigenvalues`]; `benches/peers/peer_eigen.py` uses LAPACK through NumPy. Prints
//! one flat JSON line.

use kernelscope::math::Gram;
use kernelscope::math::spectrum::eigenvalues;
use kernelscope::math::timing::{Timing, time};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

const N: usize = 512;
const REPEATS: usize = 30;

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    timing: Timing,
    threads: usize,
    /// |Σλ − tr K| / tr|K|, which shows that the timed result is correct.
    trace_error: f64,
}

fn main() -> anyhow::Result<()> {
    kernelscope::model::tune_allocator();
    let mut draw = ChaCha8Rng::seed_from_u64(1);
    let (gram, _) = Gram::symmetrised(N, (0..N * N).map(|_| draw.random_range(-1.0..1.0)).collect())?;
    eigenvalues(&gram).map_err(anyhow::Error::msg)?;
    let (timing, found) = time(REPEATS, || eigenvalues(&gram));
    let found = found.map_err(anyhow::Error::msg)?;
    let trace: f64 = (0..N).map(|at| gram.values()[at * N + at]).sum();
    let size: f64 = found.iter().map(|value| value.abs()).sum();
    let trace_error = (found.iter().sum::<f64>() - trace).abs() / size;
    println!("{}", serde_json::to_string(&Line { timing, threads: 1, trace_error })?);
    Ok(())
}
