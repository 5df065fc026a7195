//! Computes a kernel block by block into a file, for one that does not fit into memory or takes so long that it must survive a
//! kill.
//!
//! Guarantees: each entry has the bits of [`Gram::measure`]; a second call continues only blocks of the same kernel: of the same
//! weights, inputs, request, program, device and cut into blocks, because each of them may change last digits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Gram, GramError, Method, PartKind, panic_message};
use crate::math::checksum::fnv1a;
use crate::model::read;
use crate::ntk::{Kernel, Reduction, layerwise};
use crate::spec::KernelBlock;
use crate::storage::{KernelFile, KernelTile, StoredKernel};

/// How a computation in blocks ended.
#[derive(Debug)]
pub enum BlocksEnding {
    Whole(StoredKernel),
    /// So many blocks of all are done, and in this folder.
    Stopped {
        done: usize,
        of: usize,
        folder: PathBuf,
    },
}

/// What the blocks of a kernel depend on; its keys are named where they differ.
#[derive(Serialize)]
struct Description {
    program: &'static str,
    network: String,
    weights: String,
    inputs: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_inputs: Option<String>,
    reduction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<String>>,
    device: String,
    /// Samples and directions of a block, by which memory cuts the kernel.
    blocks: [usize; 2],
}

impl Gram {
    /// Computes the kernel into the `.npy` file at `out`, or what a former call has left of it; with `anew`, all of it.
    /// `progress` gets the number of blocks that are done and of all.
    ///
    /// # Errors
    /// As [`Gram::measure`], and when the file cannot be written or another process writes it.
    pub fn measure_blocks(
        &self,
        out: &Path,
        anew: bool,
        progress: &mut dyn FnMut(usize, usize),
        cancelled: &dyn Fn() -> bool,
    ) -> Result<BlocksEnding, GramError> {
        assert!(
            self.method == Method::Layerwise && self.request.apart == PartKind::No,
            "the command line refuses others"
        );
        let explained = self.explain();
        let (work, blocks) = (explained.work, explained.plan.blocks(&explained.work));
        let side = if self.request.reduction == Reduction::Full { self.classes() } else { 1 };
        let shape = [work.samples.0 * side, work.samples.1 * side];
        let description = toml::to_string(&self.description(explained.plan.block)).unwrap_or_default();
        let mut file = KernelFile::open(out, shape, &description, anew)?;
        progress(file.count(), blocks.len());
        let number = |block: &KernelBlock| blocks.iter().position(|known| known == block).unwrap_or_default();
        let left: Vec<KernelBlock> = blocks.iter().filter(|block| !file.has(number(block))).cloned().collect();
        let mut failed = None;
        let mut take = |block: KernelBlock, kernel: Kernel| {
            let scaled = |samples: &std::ops::Range<usize>| samples.start * side..samples.end * side;
            let (rows, columns) = (scaled(&block.rows), scaled(&block.columns));
            let stored = match kernel.values.iter().position(|value| !value.is_finite()) {
                Some(at) => {
                    let (row, column) = (rows.start + at / kernel.width(), columns.start + at % kernel.width());
                    Err(self.not_finite(row, column))
                }
                None => {
                    let mirrored = work.same && !block.is_diagonal();
                    let tile = KernelTile { rows: &rows, columns: &columns, values: &kernel.values, mirrored };
                    file.write(number(&block), tile).map_err(GramError::from)
                }
            };
            progress(file.count(), blocks.len());
            failed = stored.err();
            failed.is_none()
        };
        let inputs = (&self.images, self.others.as_ref());
        let wanted = |block: &KernelBlock| left.contains(block);
        let mut measure =
            || layerwise::measure_blocks(&self.network, inputs, &self.request, &wanted, &mut take, cancelled);
        let whole = if self.is_on_host() {
            measure()
        } else {
            catch_unwind(AssertUnwindSafe(measure)).map_err(|panic| GramError::Device(panic_message(panic.as_ref())))?
        };
        match (failed, whole) {
            (Some(err), _) => Err(err),
            (None, Some(())) => Ok(BlocksEnding::Whole(file.finish()?)),
            (None, None) => {
                Ok(BlocksEnding::Stopped { done: file.count(), of: blocks.len(), folder: file.folder().to_owned() })
            }
        }
    }

    /// Describes what the blocks of the kernel depend on.
    fn description(&self, (samples, directions): (usize, usize)) -> Description {
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let tensors = self.network.named();
        let weights = tensors.iter().flat_map(|tensor| [tensor.name.clone().into_bytes(), bytes(&tensor.values)]);
        let weights: Vec<Vec<u8>> = weights.collect();
        let hash = |values: &burn::tensor::Tensor<2>| fnv1a([&bytes(&read(values.clone()))[..]]);
        Description {
            program: env!("CARGO_PKG_VERSION"),
            network: fnv1a([format!("{:?}", self.network.program()).as_bytes()]),
            weights: fnv1a(weights.iter().map(Vec::as_slice)),
            inputs: hash(&self.images),
            other_inputs: self.others.as_ref().map(hash),
            reduction: self.request.reduction.name(),
            layers: self.request.only.clone(),
            device: self.device.description.clone(),
            blocks: [samples, directions],
        }
    }
}
