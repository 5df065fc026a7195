//! Reads a run folder back into the record that a live run fills, so that figures and window draw both with the same code.
//!
//! Guarantees: a folder that was cut off anywhere is read as far as it goes, with one sentence for each thing that is
//! missing or broken; arbitrary bytes give such a sentence, never a panic, and take no more memory than their length
//! warrants. There is an error only if nothing can be shown. Nothing is invented: a name that is not in the folder is
//! missing in the record.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::files::{MODEL, RUN};
use super::gram_reader::Grams;
use super::info::{INFO, StoredInfo};
use super::kernel_part::Part;
use super::kernels;
use super::probes::Probes;
use super::tables::EVENTS;
use super::weights;
use super::{completeness, table_reader};
use crate::run::{Ending, Event, History, Origin, Outputs, Probe, Row, RunInfo, Snapshot, TaskInfo};
use crate::spec::{KnownSettings, Spec, SpecError, half};
use crate::storage::format::disk;

/// The reasons why a folder cannot be shown; each prints as one sentence.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("{}: {source}", path.display())]
    Spec { path: PathBuf, source: SpecError },
    #[error("cannot read {}: {why}", path.display())]
    Read { path: PathBuf, why: String },
    #[error("{} holds no snapshot yet: there is nothing to show", .0.display())]
    Empty(PathBuf),
}

/// A run read from its folder.
#[derive(Debug)]
pub struct Loaded {
    pub history: History,
    /// Missing or broken parts, one sentence each.
    pub warnings: Vec<String>,
}

/// Reads the run in this folder, ended or not.
pub fn load(folder: &Path) -> Result<Loaded, LoadError> {
    read(folder, true)
}

/// Reads a run without Grams and weights, which curves and a study's table do not need.
pub fn load_rows(folder: &Path) -> Result<Loaded, LoadError> {
    read(folder, false)
}

/// Reads a run but leaves the Grams on disk: the snapshots have everything else, and the Grams can be read later.
pub fn load_lazily(folder: &Path) -> Result<(Loaded, Option<Grams>), LoadError> {
    let mut grams = None;
    let loaded = read_with(folder, true, |source, take, warn| grams = source.heads(take, warn))?;
    Ok((loaded, grams))
}

/// Reads the rows of a run and the location of its Grams, which is all that is drawn over another run.
pub fn load_beside(folder: &Path) -> Result<(Loaded, Option<Grams>), LoadError> {
    let loaded = read(folder, false)?;
    let grams = kernels::open(folder, |_| {}).and_then(|(_, source)| source.heads(|_| {}, |_| {}));
    Ok((loaded, grams))
}

fn read(folder: &Path, whole: bool) -> Result<Loaded, LoadError> {
    read_with(folder, whole, |source, take, warn| source.each(take, warn))
}

fn read_with(
    folder: &Path,
    whole: bool,
    kernels_of: impl FnOnce(kernels::Source, &mut dyn FnMut(Part), &mut dyn FnMut(String)),
) -> Result<Loaded, LoadError> {
    let spec = read_spec(&folder.join(RUN))?;
    let mut warnings = Vec::new();
    let mut rows = table_reader::rows(folder, whole, &mut warnings);
    let events = table_reader::events(folder, &mut rows, &spec, &mut warnings);
    let last_step = rows.last().map_or(0, |row| row.step);
    let ending = completeness::ending(folder).inspect(|ending| {
        let lost = completeness::lost(folder, ending);
        warnings.extend(lost.map(|name| format!("{name} is shorter than when the run ended: the run is incomplete")));
    });
    let ending = ending.unwrap_or_else(|| {
        warnings.push(format!("{EVENTS} has no ending: the run was cut off"));
        Ending::Failed { step: last_step, message: "the run was cut off".to_owned() }
    });
    let facts = StoredInfo::read(&folder.join(INFO)).unwrap_or_else(|err| {
        warnings.push(format!("{INFO} cannot be read, so names of classes and tasks are missing: {err}"));
        StoredInfo::default()
    });

    let kernels = if whole { kernels::open(folder, |sentence| warnings.push(sentence)) } else { None };
    // Without Grams, too, it is their number that decides which distances are shown.
    let few = || Probes { probes: kernels::probes(folder), ..Probes::default() };
    let (mut probes, source) = kernels.map_or_else(|| (few(), None), |(probes, source)| (probes, Some(source)));
    let sizes = block_sizes(&probes.probes);
    let mut merge = Merge { history: History::default(), rows: rows.into(), events: events.into() };
    let limit = probes.limit.take();
    merge.history.push(Event::Started(Arc::new(run_info(spec, facts, probes, last_step))));
    if let Some(limit) = limit {
        merge.history.push(Event::Limit(limit.into()));
    }
    if let Some(source) = source {
        kernels_of(source, &mut |part| merge.kernel(part, &sizes), &mut |sentence| warnings.push(sentence));
    }
    let mut history = merge.finish();
    if history.rows().is_empty() {
        return Err(LoadError::Empty(folder.to_owned()));
    }
    let model = folder.join(MODEL);
    if whole && model.exists() {
        match weights::read(&model) {
            Ok(mut weights) => {
                // A file of an older version holds only its step; the run beside it describes the network.
                if weights.network.is_empty() {
                    weights.network =
                        history.info().map_or_else(KnownSettings::default, |run| KnownSettings::of(&run.spec.network));
                }
                history.push(Event::Weights(Arc::new(weights)));
            }
            Err(err) => warnings.push(format!("{MODEL} cannot be read: {}", disk::words(&err))),
        }
    }
    history.push(Event::Ended(ending));
    Ok(Loaded { history, warnings })
}

/// Reads a spec from this file.
pub(crate) fn read_spec(path: &Path) -> Result<Spec, LoadError> {
    Spec::read(path).map_err(|err| match err {
        SpecError::Unread(why) => LoadError::Read { path: path.to_owned(), why },
        source => LoadError::Spec { path: path.to_owned(), source },
    })
}

fn run_info(spec: Spec, facts: StoredInfo, probes: Probes, last_step: u64) -> RunInfo {
    // Without `info.toml` only the numbers of the tasks are known and, for a split, their classes.
    let split = if spec.tasks.kind.splits() { spec.tasks.split_classes() } else { Vec::new() };
    let bare = |number: usize| TaskInfo {
        number,
        name: format!("task {number}"),
        classes: split.get(number - 1).cloned().unwrap_or_default(),
        train_images: 0,
        steps_per_epoch: 0,
    };
    let known = facts.tasks.iter().enumerate().all(|(place, task)| task.number == place + 1) && !facts.tasks.is_empty();
    // No more tasks are read than can be shown, whatever a file contains.
    let tasks = if known { facts.tasks } else { (1..=spec.tasks.len().min(64)).map(bare).collect() };
    let halves = || probes.probes.iter().map(|probe| half(probe.label, facts.class_names.len()));
    // Folders of older versions do not say it; of two halves of the classes it is known.
    let has_values = probes.values.len() == probes.probes.len();
    let known = spec.data.is_number() && !spec.data.source.is_synthetic() && !facts.class_names.is_empty();
    let probe_values = if !has_values && known { halves().collect() } else { probes.values.as_slice().into() };
    RunInfo {
        spec,
        tasks,
        class_names: facts.class_names,
        probes: probes.probes,
        probe_values,
        image: if probes.thumbnails.is_empty() { facts.image } else { probes.image },
        thumbnails: probes.thumbnails.into(),
        parameters: facts.parameters,
        origin: if facts.watched { Origin::Watched } else { Origin::Trained { device: facts.device } },
        planned_steps: facts.planned_steps.max(last_step),
    }
}

/// Returns the number of probes of each task, in Gram order.
fn block_sizes(probes: &[Probe]) -> Vec<usize> {
    probes.chunk_by(|a, b| a.task == b.task).map(<[Probe]>::len).collect()
}

/// Merges rows, Grams and events in the order in which they happened, one Gram at a time.
struct Merge {
    history: History,
    rows: VecDeque<Row>,
    events: VecDeque<(u64, Event)>,
}

impl Merge {
    /// Takes the next Gram, which belongs to the row of the same step. A Gram without a row is left out.
    fn kernel(&mut self, part: Part, sizes: &[usize]) {
        while let Some(row) = self.next_row(|row| i128::from(row.step) <= i128::from(part.step)) {
            if i128::from(row.step) < i128::from(part.step) {
                self.history.push_row(row);
                continue;
            }
            let mut rest = part.block_eigenvalues.as_slice();
            let mut block = |&size: &usize| {
                let (own, later) = rest.split_at(size.min(rest.len()));
                rest = later;
                own.to_vec()
            };
            let block_eigenvalues = sizes.iter().map(&mut block).collect();
            let outputs = Outputs::from_arrays(&part.outputs).map(Arc::new);
            let (gram, eigenvalues) = (part.gram.into(), part.eigenvalues);
            let tensors = Arc::default();
            let snapshot = Snapshot { row, gram, tensors, eigenvalues, block_eigenvalues, outputs };
            self.history.push(Event::Snapshot(Arc::new(snapshot)));
            return;
        }
    }

    fn finish(mut self) -> History {
        while let Some(row) = self.next_row(|_| true) {
            self.history.push_row(row);
        }
        for (_, event) in self.events {
            self.history.push(event);
        }
        self.history
    }

    /// Returns the next row, once all earlier events have been reported.
    fn next_row(&mut self, wanted: impl Fn(&Row) -> bool) -> Option<Row> {
        let row = self.rows.pop_front_if(|row| wanted(row))?;
        // The snapshot at the step of a switch still belongs to the old task.
        while let Some((_, event)) = self.events.pop_front_if(|(step, _)| *step < row.step || *step == 0) {
            self.history.push(event);
        }
        Some(row)
    }
}
