//! Reads one snapshot from its small file, which exists while its run continues.

use std::io;
use std::path::Path;

use crate::run::Outputs;
use crate::storage::format::errors::invalid;
use crate::storage::format::npz::{Array, NpzReader};

/// Grams that belong to no snapshot, but to the start of one's lag: [P, n, n], and the time of each.
pub(crate) const PARTNER: &str = "partner";
pub(crate) const PARTNER_STEP: &str = "partner_step";
pub(crate) const PARTNER_EPOCH: &str = "partner_epoch";
/// The checksum (CRC-32) of each Gram of an archive, for reading single Grams: the archive's own checksum covers all of
/// them.
pub(crate) const GRAM_CHECK: &str = "gram_crc32";
/// The number of steps over which the velocity of each snapshot is taken; 0 where it has none.
pub(crate) const LAG_STEPS: &str = "lag_steps";

/// One snapshot as stored on disk.
pub(crate) struct Part {
    pub(crate) step: i64,
    pub(crate) epoch: f64,
    pub(crate) task: i64,
    pub(crate) gram: Vec<f64>,
    pub(crate) eigenvalues: Vec<f64>,
    /// The eigenvalues of the blocks of all tasks, one after the other.
    pub(crate) block_eigenvalues: Vec<f64>,
    /// The number of steps over which its velocity is taken; absent in a folder of an older version.
    pub(crate) lag: Option<i64>,
    /// The step and epoch of the Gram where that lag begins, if it is in the same file.
    pub(crate) partner: Option<(i64, f64)>,
    /// The outputs [n, C] by name.
    pub(crate) outputs: Vec<(String, Vec<f32>)>,
}

impl Part {
    /// Reads one of the small files; its Gram stays empty unless `whole` is set.
    pub(crate) fn read(path: &Path, n: usize, whole: bool) -> io::Result<Self> {
        let mut npz = NpzReader::open(path)?;
        let scalar = || invalid("a number is missing".to_owned());
        let part = Self {
            step: *npz.array("step")?.values.first().ok_or_else(scalar)?,
            epoch: *npz.array("epoch")?.values.first().ok_or_else(scalar)?,
            task: *npz.array("task")?.values.first().ok_or_else(scalar)?,
            gram: if whole { npz.array("gram")?.values } else { Vec::new() },
            eigenvalues: npz.array("eigenvalues")?.values,
            block_eigenvalues: npz.array("block_eigenvalues")?.values,
            lag: if npz.has(LAG_STEPS) { npz.array(LAG_STEPS)?.values.first().copied() } else { None },
            partner: match npz.has(PARTNER) {
                true => npz
                    .array(PARTNER_STEP)?
                    .values
                    .first()
                    .copied()
                    .zip(npz.array(PARTNER_EPOCH)?.values.first().copied()),
                false => None,
            },
            outputs: outputs(&mut npz)?.into_iter().map(|(name, array)| (name, array.values)).collect(),
        };
        let sizes = [part.gram.len(), part.eigenvalues.len(), part.block_eigenvalues.len()];
        let entries = if whole { n * n } else { 0 };
        if sizes == [entries, n, n] { Ok(part) } else { Err(invalid("the kernel does not fit its probes".to_owned())) }
    }
}

/// Returns the outputs of the network and of its predictors, by name.
pub(crate) fn outputs(npz: &mut NpzReader) -> io::Result<Vec<(String, Array<f32>)>> {
    let mut found = Vec::new();
    for name in Outputs::names().filter(|name| npz.has(name)).collect::<Vec<_>>() {
        let array = npz.array(&name)?;
        found.push((name, array));
    }
    Ok(found)
}
