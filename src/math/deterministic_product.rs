//! Multiplies matrices in f64 with results whose digits do not depend on the number of threads.
//!
//! faer splits the sums of a product with a vector by the number of threads, and its operators and solvers use a global
//! setting of that number; so products whose results are written to files use this function.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// Multiplies two matrices on one thread.
pub fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let mut product = Mat::zeros(left.nrows(), right.ncols());
    matmul(product.as_mut(), Accum::Replace, left, right, 1.0, Par::Seq);
    product
}
