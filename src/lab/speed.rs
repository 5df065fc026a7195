//! Measures how fast this machine multiplies matrices at the moment, for the estimate of a run's time.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

/// The side of the matrices: a product takes a millisecond or few, and longer than its threads take to wake.
const SIDE: usize = 320;
/// The longest time of the measurement, unless one product takes longer.
const PATIENCE: Duration = Duration::from_millis(60);

/// Returns the floating-point operations a second of products in f32 on all threads, measured once.
pub fn flops() -> f64 {
    static FLOPS: OnceLock<f64> = OnceLock::new();
    *FLOPS.get_or_init(|| {
        let a = Mat::<f32>::from_fn(SIDE, SIDE, |i, j| ((i * 7 + j * 3) % 11) as f32);
        let mut product = Mat::<f32>::zeros(SIDE, SIDE);
        let threads = if rayon::current_num_threads() > 1 { Par::rayon(0) } else { Par::Seq };
        let mut multiply = || {
            matmul(product.as_mut(), Accum::Replace, a.as_ref(), a.as_ref(), 1.0, threads);
            black_box(&product);
        };
        // The first product wakes the threads and fetches memory.
        multiply();
        // The mean and not the shortest time: other work of the machine is part of its speed.
        let (begun, mut count) = (Instant::now(), 0u32);
        while count == 0 || begun.elapsed() < PATIENCE {
            multiply();
            count += 1;
        }
        2.0 * (SIDE as f64).powi(3) * f64::from(count) / begun.elapsed().as_secs_f64().max(1e-9)
    })
}
