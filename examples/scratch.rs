use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::tridiag::*;
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use std::time::Instant;
fn best(name: &str, mut f: impl FnMut()) {
    let mut t = f64::MAX;
    for _ in 0..25 {
        let s = Instant::now();
        f();
        t = t.min(s.elapsed().as_secs_f64());
    }
    println!("{name}: {:.2} ms", t * 1e3);
}
fn main() {
    for n in [160usize, 500, 504, 510, 512, 520, 528, 1024, 1032] {
        let a = Mat::<f64>::from_fn(n, n, |i, j| (((i * j + i + j) * 7919 % 1000) as f64) / 1000.0 - 0.5);
        let mut mem =
            MemBuffer::new(self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::No, Par::Seq, Default::default()));
        let mut s = faer::diag::Diag::<f64>::zeros(n);
        best(&format!("{n} evd"), || {
            self_adjoint_evd(a.as_ref(), s.as_mut(), None, Par::Seq, MemStack::new(&mut mem), Default::default())
                .unwrap();
        });
        let mut mem = MemBuffer::new(tridiag_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
        let mut b = a.clone();
        let mut h = Mat::<f64>::zeros(32, n - 1);
        best(&format!("{n} tridiag"), || {
            b.copy_from(&a);
            tridiag_in_place(b.as_mut(), h.as_mut(), Par::Seq, MemStack::new(&mut mem), Default::default());
        });
    }
}
