//! The kernels of a network at infinite width: NNGP E f(x) f(x′) and NTK Θ̊(x, x′), in f64, from its description.
//!
//! Jacot et al. 2018, Lee et al. 2018; convolutions as in Arora et al. 2019; any composition by Tensor Programs II, whose
//! canonical decomposition is what the steps of [`super::program`] add up. All logits are independent and share one kernel, so
//! the kernel of C logits is Θ̊ ⊗ I. LayerNorm's gains and biases are fixed at 1 and 0.
//!
//! Guarantees: symmetric to the last bit and finite for finite inputs, also for equal and nearly equal ones; a network for
//! which there is no closed form is refused by name, never approximated.

use std::sync::Mutex;

use rayon::prelude::*;

use super::points::Points;
use super::program::Places;
use super::program::{NoLimit, Step, program};
use super::walk::{mixes, planes, tile};
use crate::spec::NetworkSpec;

/// A network in the limit.
#[derive(Clone, Debug)]
pub struct Infinite {
    layout: Places,
    steps: Vec<Step>,
    image: [usize; 3],
}

/// Two kernels on the same pairs, row-major [rows, columns].
#[derive(Clone, Debug, PartialEq)]
pub struct Kernels {
    pub nngp: Vec<f64>,
    pub ntk: Vec<f64>,
}

/// Numbers that the state of one tile holds at most: 16 MiB, for K and as much for Θ.
const TILE: usize = 1 << 21;
/// Rows of a tile at most: small enough that every core has some.
const ROWS: usize = 128;

impl Infinite {
    /// The limit of this network for images [channels, height, width].
    ///
    /// # Errors
    /// When the network has no closed form, says which part of it.
    pub fn of(network: &NetworkSpec, image: [usize; 3]) -> Result<Self, NoLimit> {
        let (layout, steps) = program(network, image)?;
        Ok(Self { layout, steps, image })
    }

    /// Images, row-major [n, channels·height·width], made ready: what of each is needed in all its pairs.
    pub fn points(&self, images: &[f64]) -> Points {
        Points::new(images, self.image, self.layout, &self.steps)
    }

    /// Numbers that a pair of these images takes on its way: what the work and the memory of a kernel grow with.
    pub fn per_pair(&self, points: &Points) -> usize {
        planes(points.places, mixes(&self.steps)) * self.steps.len()
    }

    /// Both kernels of images among themselves, [n, n]; `None` when `cancelled` says so on the way.
    pub fn own(&self, points: &Points, cancelled: &dyn Fn() -> bool) -> Option<Kernels> {
        self.tiles(points, points, true, cancelled)
    }

    /// Both kernels of some images with some others, [rows, columns]; `None` when `cancelled` says so on the way.
    pub fn between(&self, rows: &Points, columns: &Points, cancelled: &dyn Fn() -> bool) -> Option<Kernels> {
        let rows = rows.reaching(columns);
        let columns = columns.reaching(&rows);
        self.tiles(&rows, &columns, false, cancelled)
    }

    fn tiles(&self, rows: &Points, columns: &Points, same: bool, cancelled: &dyn Fn() -> bool) -> Option<Kernels> {
        let (n, m) = (rows.n, columns.n);
        let size = n * m;
        let kernels = Mutex::new(Kernels { nngp: vec![0.0; size], ntk: vec![0.0; size] });
        let side = (TILE / planes(rows.places, mixes(&self.steps)).max(1)).isqrt().max(1);
        let (tall, wide) = (side.min(ROWS), side);
        let corners: Vec<(usize, usize)> = (0..n)
            .step_by(tall)
            .flat_map(|row| (0..m).step_by(wide).map(move |column| (row, column)))
            // Of a symmetric kernel what lies wholly above the diagonal is mirrored.
            .filter(|&(row, column)| !same || column < row + tall)
            .collect();
        // In groups, because whoever is asked whether to go on may be of this thread only.
        for group in corners.chunks(4 * rayon::current_num_threads()) {
            if cancelled() {
                return None;
            }
            group.par_iter().for_each(|&(row, column)| {
                let (high, broad) = (tall.min(n - row), wide.min(m - column));
                let (nngp, ntk) = tile(&self.steps, (rows, row, high), (columns, column, broad));
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
        Some(kernels)
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
