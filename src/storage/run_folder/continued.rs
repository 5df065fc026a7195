//! Goes on with the folder of a watched training, whose earlier steps need not be there any more to be measured again.
//!
//! Guarantees: the files are cut to the last step of which everything is there, and a kill in the middle of that leaves a folder
//! that is cut again; a folder of another training, or of a run, is refused and stays as it is.

use std::path::Path;
use std::sync::Arc;

use super::create::create;
use super::cut::{Cut, cut};
use super::files::RUN;
use super::gram_reader::Grams;
use super::info::{INFO, StoredInfo};
use super::kernel_part::Part;
use super::kernels::{self, KERNELS, KernelWriter, PARTIAL};
use super::open_files::Files;
use super::probes::{PROBES, Probes};
use super::writer::RunFolder;
use crate::run::{Block, BlockMetrics, Outputs, Row, RunInfo, Snapshot};
use crate::spec::Spec;
use crate::storage::claim;
use crate::storage::format::atomic;
use crate::storage::format::errors::FolderError;

/// A folder for the record of a watched training, and what it holds of it already.
pub struct Continued {
    pub folder: RunFolder,
    pub kept: KeptSteps,
}

/// Holds what a record of a watched training has already.
#[derive(Clone, Debug, Default)]
pub struct KeptSteps {
    /// The steps that are there, each with its mark and the task that began at it or was being trained.
    pub saved: Vec<(u64, u64, usize)>,
    /// Number and first step of each task that has begun.
    pub tasks: Vec<(usize, u64)>,
    /// Their Grams.
    pub grams: Option<Grams>,
}

/// Opens the folder `out` for the record of a watched training with these facts: a new one, or one that goes on.
///
/// # Errors
/// When something else is in the folder, unless it is a run and `overwrite` says to replace it, or it cannot be written.
pub fn continue_watched(out: &Path, run: &Arc<RunInfo>, overwrite: bool) -> Result<Continued, FolderError> {
    let fresh = |overwrite: bool| {
        let folder = create(out, &run.spec, overwrite)?.folder;
        Ok(Continued { folder, kept: KeptSteps::default() })
    };
    if overwrite || !out.join(RUN).is_file() {
        return fresh(overwrite);
    }
    let claim = claim::claim(out)?;
    let stored = StoredInfo::read(&out.join(INFO)).unwrap_or_default();
    let same = Spec::read(&out.join(RUN)).is_ok_and(|spec| spec.same_run(&run.spec)) && stored.watched;
    if !same {
        return Err(FolderError::OtherTraining(out.to_owned()));
    }
    let probes = Probes::read(&out.join(PARTIAL).join(PROBES)).or_else(|_| Probes::read(&out.join(KERNELS)));
    match probes {
        Ok(probes) if probes.probes == run.probes && probes.values == *run.probe_values => {}
        Ok(_) => return Err(FolderError::OtherTraining(out.to_owned())),
        // It was killed before its first files were there.
        Err(_) => {
            drop(claim);
            return fresh(true);
        }
    }
    atomic::sweep(out);
    atomic::sweep(&out.join(PARTIAL));
    unpack(out, run)?;
    let Cut { saved, tasks } = cut(out, None)?;
    let grams = kernels::open(out, |_| {}).and_then(|(_, source)| source.heads(|_| {}, |_| {}));
    let files = Files::go_on(out, run, None)?;
    let folder = RunFolder::going_on(out.to_owned(), run.spec.clone(), Arc::clone(run), files, claim);
    Ok(Continued { folder, kept: KeptSteps { saved, tasks, grams } })
}

/// Takes an assembled archive apart again, so that more Grams can follow. It is there until all of them are.
fn unpack(out: &Path, run: &RunInfo) -> Result<(), FolderError> {
    let (partial, archive) = (out.join(PARTIAL), out.join(KERNELS));
    if !archive.exists() {
        return Ok(());
    }
    if kernels::count_of(&archive) > kernels::parts(&partial).len() || !partial.join(PROBES).exists() {
        let Some((_, source)) = kernels::open(out, |_| {}) else { return Ok(()) };
        let mut writer = KernelWriter::start(partial, run, super::kernel_budget::Budget::new(None))?;
        let mut failed = None;
        source.each(
            |part| {
                if failed.is_none() {
                    writer.push(Arc::new(snapshot(part)));
                    failed = writer.flush().err();
                }
            },
            |sentence| log::info!("{}: {sentence}", out.display()),
        );
        if let Some(err) = failed {
            return Err(err);
        }
    }
    atomic::remove(&archive)
}

/// Returns a Gram that was read as the snapshot that the writer takes. Its tables are written already.
fn snapshot(part: Part) -> Snapshot {
    let step = u64::try_from(part.step).unwrap_or(0);
    let mut row = Row::bare(step, part.epoch, usize::try_from(part.task).unwrap_or(0));
    let lag_steps = part.lag.and_then(|lag| u64::try_from(lag).ok()).filter(|lag| *lag > 0);
    row.blocks = vec![BlockMetrics { lag_steps, ..BlockMetrics::bare(Block::All) }];
    Snapshot {
        row,
        gram: part.gram.into(),
        tensors: Arc::default(),
        eigenvalues: part.eigenvalues,
        block_eigenvalues: vec![part.block_eigenvalues],
        outputs: Outputs::from_arrays(&part.outputs).map(Arc::new),
    }
}
