//! Computes the kernels of a network at infinite width, computed in f64 from its description: NNGP E f(x) f(x′) and NTK
//! Θ̊(x, x′).
//!
//! Follows Jacot et al. 2018 and Lee et al. 2018; convolutions as in Arora et al. 2019; compositions by Tensor Programs II,
//! whose canonical decomposition the rules of [`super::ops`] add up, and whose condition [`super::gia()`] checks. All
//! logits are independent and share one kernel, so the kernel of C logits is Θ̊ ⊗ I. Gains and biases of norms are fixed at
//! 1 and 0, BatchNorm at its state for evaluation at initialisation: running mean 0 and running variance 1.
//!
//! Guarantees: symmetric to the last bit and finite, also for equal and nearly equal inputs; a kernel that exceeds the
//! range of f64 or that rounding leaves without digits is refused, and a network without a closed form is refused by name,
//! never approximated.

use std::sync::Mutex;

use rayon::prelude::*;
use thiserror::Error;

use super::growth::wider;
use super::limits::NoLimit;
use super::plan::Plan;
use super::points::PreparedInputs;
use super::steps::Step;
use super::walk::tile;
use crate::spec::{NetworkSpec, Program};

/// A network at infinite width.
#[derive(Clone, Debug)]
pub struct InfiniteNetwork {
    plan: Plan,
    /// Numbers per image.
    dim: usize,
}

/// Two kernels on the same pairs, row-major [rows, columns].
#[derive(Clone, Debug, PartialEq)]
pub struct Kernels {
    pub nngp: Vec<f64>,
    pub ntk: Vec<f64>,
}

/// The reason why some inputs have no kernels; each prints as one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LimitKernelError {
    #[error("cancelled")]
    Cancelled,
    #[error(
        "the infinite-width kernel of these inputs is larger than any number: scale the inputs, network.sigma_w or \
         network.sigma_b down"
    )]
    TooLarge,
    #[error(
        "an embedding has a vector for each whole number from 0 to below its number of tokens, and these inputs hold others"
    )]
    Tokens,
    #[error(
        "the infinite-width kernel of inputs {row} and {column} cannot be had to eight digits, because rounding hides how much \
         two so large and nearly parallel inputs differ: scale the inputs or network.sigma_w down"
    )]
    Unresolved { row: usize, column: usize },
}

/// Half of the largest number of values that the states of one tile hold at a time: a step has one state before it and one
/// after it, 16 MiB each for K and as much for Θ.
const TILE: usize = 1 << 21;
/// Largest number of rows of a tile: small enough that every core has some.
const ROWS: usize = 128;

impl InfiniteNetwork {
    /// Returns the limit of this network for images [channels, height, width] and `classes` logits, each of which has the
    /// kernel; it depends on their number where the text computes with it.
    ///
    /// # Errors
    /// If the network has no closed form, names the line without one and the reason.
    pub fn of(network: &NetworkSpec, image: [usize; 3], classes: usize) -> Result<Self, NoLimit> {
        let program = network.program(image, classes).map_err(NoLimit::Network)?;
        // The reason of a rule comes before that of a width that does not grow.
        Self::of_program(&program, network)?;
        Self::of_growing(&program, &*wider(network, image, classes)?, network)
    }

    /// Returns the limit of a program in the parametrisation of `network`, all of whose features are taken to grow.
    ///
    /// # Errors
    /// As [`InfiniteNetwork::of`].
    pub fn of_program(program: &Program, network: &NetworkSpec) -> Result<Self, NoLimit> {
        Self::planned(program, None, network)
    }

    /// Returns the limit of a program, given the program of the same text at a larger width ([`wider`]).
    ///
    /// # Errors
    /// As [`InfiniteNetwork::of`].
    pub fn of_growing(program: &Program, wider: &Program, network: &NetworkSpec) -> Result<Self, NoLimit> {
        Self::planned(program, Some(wider), network)
    }

    fn planned(program: &Program, wider: Option<&Program>, network: &NetworkSpec) -> Result<Self, NoLimit> {
        let plan = Plan::new(program, wider, network)?;
        Ok(Self { plan, dim: program.lines[0].shape.iter().product() })
    }

    /// Returns this limit with another ε in its norms than [`Norm::EPSILON`], for comparison with an implementation that has
    /// another.
    ///
    /// [`Norm::EPSILON`]: crate::spec::ops::Norm::EPSILON
    #[must_use]
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        for (step, _) in self.plan.states.iter_mut().flat_map(|made| &mut made.steps) {
            if let Step::Norm(_, own) | Step::NormAll(_, own) = step {
                *own = epsilon;
            }
        }
        self
    }

    /// Prepares images, row-major [n, channels·height·width]: computes what all pairs of an image share.
    pub fn points(&self, images: &[f64]) -> PreparedInputs {
        PreparedInputs::new(images, self.dim, &self.plan)
    }

    /// Returns the number of values per pair of images over all steps, to which work and memory of a kernel are
    /// proportional.
    pub fn per_pair(&self) -> usize {
        self.plan.work()
    }

    /// Estimates the number of values that the tiles of a kernel of this size hold at a time: those of K and of Θ, before
    /// and after a step.
    pub fn working(&self, rows: usize, columns: usize) -> f64 {
        let side = self.side();
        let (tall, wide) = (side.min(ROWS).min(rows).max(1), side.min(columns).max(1));
        let tiles = (rows.div_ceil(tall) * columns.div_ceil(wide)).min(rayon::current_num_threads());
        4.0 * (tiles * tall * wide) as f64 * self.plan.planes() as f64
    }

    /// Returns the largest number of rows and columns of a tile.
    fn side(&self) -> usize {
        (2 * TILE / self.plan.planes().max(1)).isqrt().max(1)
    }

    /// Computes both kernels of images among themselves, [n, n].
    ///
    /// # Errors
    /// Fails if the images are not finite, if rounding leaves too few digits, or if `cancelled` returns true.
    pub fn own(&self, points: &PreparedInputs, cancelled: &dyn Fn() -> bool) -> Result<Kernels, LimitKernelError> {
        self.tiles(points, points, true, cancelled)
    }

    /// Computes both kernels between two sets of images, [rows, columns].
    ///
    /// # Errors
    /// As [`InfiniteNetwork::own`].
    pub fn between(
        &self,
        rows: &PreparedInputs,
        columns: &PreparedInputs,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Kernels, LimitKernelError> {
        self.tiles(rows, columns, false, cancelled)
    }

    fn tiles(
        &self,
        rows: &PreparedInputs,
        columns: &PreparedInputs,
        same: bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Kernels, LimitKernelError> {
        if !(rows.are_tokens() && columns.are_tokens()) {
            return Err(LimitKernelError::Tokens);
        }
        if !(rows.is_finite() && columns.is_finite()) {
            return Err(LimitKernelError::TooLarge);
        }
        let (n, m) = (rows.n, columns.n);
        let size = n * m;
        let kernels = Mutex::new(Kernels { nngp: vec![0.0; size], ntk: vec![0.0; size] });
        let side = self.side();
        // Square tiles of a symmetric kernel save nearly half of the work.
        let (tall, wide) = (side.min(ROWS), if same { side.min(ROWS) } else { side });
        let corners: Vec<(usize, usize)> = (0..n)
            .step_by(tall)
            .flat_map(|row| (0..m).step_by(wide).map(move |column| (row, column)))
            // Tiles wholly above the diagonal of a symmetric kernel are mirrored.
            .filter(|&(row, column)| !same || column < row + tall)
            .collect();
        // In groups, because `cancelled` may only be called on this thread.
        for group in corners.chunks(4 * rayon::current_num_threads()) {
            if cancelled() {
                return Err(LimitKernelError::Cancelled);
            }
            group.par_iter().for_each(|&(row, column)| {
                let (high, broad) = (tall.min(n - row), wide.min(m - column));
                let (nngp, ntk) = tile(&self.plan.states, (rows, row, high), (columns, column, broad));
                let mut kernels = kernels.lock().expect("no tile panics while it writes");
                for (line, (nngp, ntk)) in nngp.chunks_exact(broad).zip(ntk.chunks_exact(broad)).enumerate() {
                    let at = (row + line) * m + column;
                    kernels.nngp[at..at + broad].copy_from_slice(nngp);
                    kernels.ntk[at..at + broad].copy_from_slice(ntk);
                }
            });
        }
        let mut kernels = kernels.into_inner().expect("no tile panics while it writes");
        if same {
            mirror(n, &mut kernels.nngp);
            mirror(n, &mut kernels.ntk);
        }
        // Every variance is finite, so only a covariance without digits gives a non-finite pair.
        match kernels.nngp.iter().zip(&kernels.ntk).position(|(nngp, ntk)| !(nngp.is_finite() && ntk.is_finite())) {
            Some(at) => Err(LimitKernelError::Unresolved { row: at / m, column: at % m }),
            None => Ok(kernels),
        }
    }
}

/// Copies the lower triangle to the upper one, square by square, so that both stay in the cache.
fn mirror(n: usize, values: &mut [f64]) {
    const SIDE: usize = 32;
    for (top, left) in (0..n).step_by(SIDE).flat_map(|top| (0..=top).step_by(SIDE).map(move |left| (top, left))) {
        for row in top..(top + SIDE).min(n) {
            for column in left..(left + SIDE).min(row) {
                values[column * n + row] = values[row * n + column];
            }
        }
    }
}
