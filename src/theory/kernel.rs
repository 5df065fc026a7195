//! The kernels of a network at infinite width: NNGP E f(x) f(x′) and NTK Θ̊(x, x′), in f64, from its description.
//!
//! Jacot et al. 2018, Lee et al. 2018; convolutions as in Arora et al. 2019; any composition by Tensor Programs II, whose
//! canonical decomposition is what the rules of [`super::ops`] add up, and whose condition [`super::gia()`] checks. All logits are
//! independent and share one kernel, so the kernel of C logits is Θ̊ ⊗ I. Gains and biases of norms are fixed at 1 and 0, BatchNorm
//! at what it is at initialisation for evaluation: a running mean of 0 and a running variance of 1.
//!
//! Guarantees: symmetric to the last bit and finite, also for equal and nearly equal inputs; what f64 cannot hold or rounding
//! leaves no digits of is refused, and a network for which there is no closed form is refused by name, never approximated.

use std::sync::Mutex;

use rayon::prelude::*;
use thiserror::Error;

use super::limits::NoLimit;
use super::plan::{LOGITS, Plan};
use super::points::Points;
use super::walk::tile;
use crate::spec::{NetworkSpec, Program};

/// A network in the limit.
#[derive(Clone, Debug)]
pub struct Infinite {
    plan: Plan,
    /// Numbers of an image.
    dim: usize,
}

/// Two kernels on the same pairs, row-major [rows, columns].
#[derive(Clone, Debug, PartialEq)]
pub struct Kernels {
    pub nngp: Vec<f64>,
    pub ntk: Vec<f64>,
}

/// Why there are no kernels of some inputs; each prints as one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoKernels {
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

/// Half of the numbers that the states of one tile hold at one time at most: a step has one before it and one behind it, 16 MiB each
/// for K and as much for Θ.
const TILE: usize = 1 << 21;
/// Rows of a tile at most: small enough that every core has some.
const ROWS: usize = 128;

impl Infinite {
    /// The limit of this network for images [channels, height, width].
    ///
    /// # Errors
    /// When the network has no closed form, says which line of it has none and why.
    pub fn of(network: &NetworkSpec, image: [usize; 3]) -> Result<Self, NoLimit> {
        let program = network.program(image, LOGITS).map_err(NoLimit::Network)?;
        Self::of_program(&program, network)
    }

    /// The limit of a program, parametrised as a network is.
    ///
    /// # Errors
    /// As [`Infinite::of`].
    pub fn of_program(program: &Program, network: &NetworkSpec) -> Result<Self, NoLimit> {
        let plan = Plan::new(program, network)?;
        Ok(Self { plan, dim: program.lines[0].shape.iter().product() })
    }

    /// Images, row-major [n, channels·height·width], made ready: what of each is needed in all its pairs.
    pub fn points(&self, images: &[f64]) -> Points {
        Points::new(images, self.dim, &self.plan)
    }

    /// Numbers that a pair of images takes on its way: what the work and the memory of a kernel grow with.
    pub fn per_pair(&self) -> usize {
        self.plan.work()
    }

    /// Numbers that the tiles of a kernel of so many rows and columns hold at one time, about: those of K and of Θ, before a step
    /// and behind it.
    pub fn working(&self, rows: usize, columns: usize) -> f64 {
        let side = self.side();
        let (tall, wide) = (side.min(ROWS).min(rows).max(1), side.min(columns).max(1));
        let tiles = (rows.div_ceil(tall) * columns.div_ceil(wide)).min(rayon::current_num_threads());
        4.0 * (tiles * tall * wide) as f64 * self.plan.planes() as f64
    }

    /// Rows and columns of a tile at most.
    fn side(&self) -> usize {
        (2 * TILE / self.plan.planes().max(1)).isqrt().max(1)
    }

    /// Both kernels of images among themselves, [n, n].
    ///
    /// # Errors
    /// When they are no numbers or have too few digits, or when `cancelled` says so on the way.
    pub fn own(&self, points: &Points, cancelled: &dyn Fn() -> bool) -> Result<Kernels, NoKernels> {
        self.tiles(points, points, true, cancelled)
    }

    /// Both kernels of some images with some others, [rows, columns].
    ///
    /// # Errors
    /// As [`Infinite::own`].
    pub fn between(&self, rows: &Points, columns: &Points, cancelled: &dyn Fn() -> bool) -> Result<Kernels, NoKernels> {
        self.tiles(rows, columns, false, cancelled)
    }

    fn tiles(
        &self,
        rows: &Points,
        columns: &Points,
        same: bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Kernels, NoKernels> {
        if !(rows.are_tokens() && columns.are_tokens()) {
            return Err(NoKernels::Tokens);
        }
        if !(rows.is_finite() && columns.is_finite()) {
            return Err(NoKernels::TooLarge);
        }
        let (n, m) = (rows.n, columns.n);
        let size = n * m;
        let kernels = Mutex::new(Kernels { nngp: vec![0.0; size], ntk: vec![0.0; size] });
        let side = self.side();
        // Of a symmetric kernel tiles as wide as tall leave out nearly half of the work.
        let (tall, wide) = (side.min(ROWS), if same { side.min(ROWS) } else { side });
        let corners: Vec<(usize, usize)> = (0..n)
            .step_by(tall)
            .flat_map(|row| (0..m).step_by(wide).map(move |column| (row, column)))
            // Of a symmetric kernel what lies wholly above the diagonal is mirrored.
            .filter(|&(row, column)| !same || column < row + tall)
            .collect();
        // In groups, because whoever is asked whether to go on may be of this thread only.
        for group in corners.chunks(4 * rayon::current_num_threads()) {
            if cancelled() {
                return Err(NoKernels::Cancelled);
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
        // Every variance is a number, so a pair is none only where its correlation has no digits left.
        match kernels.nngp.iter().zip(&kernels.ntk).position(|(nngp, ntk)| !(nngp.is_finite() && ntk.is_finite())) {
            Some(at) => Err(NoKernels::Unresolved { row: at / m, column: at % m }),
            None => Ok(kernels),
        }
    }
}

/// Copies what is below the diagonal to above it, square by square, so that both sides stay in the cache.
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
