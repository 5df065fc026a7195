//! Products of matrices in f64 whose digits do not depend on the number of threads.
//!
//! faer shares the sums of a product with a vector among as many parts as there are threads, and its operators and solvers ask
//! the whole program for that number; so what goes into a file is multiplied here.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

/// The product of two matrices, on one thread.
pub fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let mut product = Mat::zeros(left.nrows(), right.ncols());
    matmul(product.as_mut(), Accum::Replace, left, right, 1.0, Par::Seq);
    product
}
