//! Writes a run folder while the run continues.
//!
//! Guarantees: the program may be killed at any moment, and everything up to a second before is in the folder and can be
//! read. Nothing is written without the folder's claim, and no more once that is lost. Tables only grow, every other file appears complete by renaming. The end of the run is the last entry written,
//! after all else is on the disk; nothing is written after a failed write. A resumed run is written beside the old one
//! (in `resume.partial`) until it has come as far, so that a second kill cannot lose what the first one left. Only files
//! with the names in `files` are ever replaced or removed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cut::cut;
use super::files::{self, INITIAL, MODEL, RESUMED};
use super::open_files::Files;
use super::table_writer;
use super::table_writer::kind;
use super::tables::LedgerLine;
use super::{resume, weights};
use crate::run::{Ending, Event, RunInfo};
use crate::spec::{Change, Spec};
use crate::storage::claim::Claim;
use crate::storage::format::errors::FolderError;
use crate::storage::format::{atomic, disk};

/// The most time that a kill may lose.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Writes the events of one run to its folder. Nothing is written before the run has started.
pub struct RunFolder {
    out: PathBuf,
    spec: Spec,
    before: PreviousContent,
    files: Option<Files>,
    /// Whether a write has failed, after which nothing is written.
    broken: bool,
    /// Changes of the saved run that have not happened again yet.
    awaited: Vec<Change>,
    /// The step and epoch of the last snapshot.
    last: Option<(u64, f64)>,
    flushed: Instant,
    clock: Box<dyn FnMut() -> Instant + Send>,
    /// The limit on the bytes of Grams; `None` where all stay.
    grams: Option<u64>,
    /// The facts of the run, once it has started.
    run: Option<Arc<RunInfo>>,
    /// Held while the folder is written; released on drop.
    claim: Option<Claim>,
}

/// The content of the folder before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PreviousContent {
    /// Nothing: the folder does not exist.
    Missing,
    Empty,
    /// A run that is to be replaced.
    Replace,
    /// The same run, cut off after this many snapshots; this one is written to [`RESUMED`] until it has come as far.
    CutOff(usize),
}

impl RunFolder {
    /// Creates the writer; the caller has made `out` and checked that only files that may be replaced are lost.
    pub(crate) fn new(out: PathBuf, spec: Spec, before: PreviousContent, claim: Claim) -> Self {
        Self {
            out,
            awaited: spec.changes.clone(),
            spec,
            before,
            files: None,
            broken: false,
            last: None,
            flushed: Instant::now(),
            clock: Box::new(Instant::now),
            grams: None,
            run: None,
            claim: Some(claim),
        }
    }

    /// Goes on with the files of a watched training, which are cut to what is whole.
    pub(crate) fn going_on(out: PathBuf, spec: Spec, run: Arc<RunInfo>, files: Files, claim: Claim) -> Self {
        let mut folder = Self::new(out, spec, PreviousContent::Empty, claim);
        (folder.files, folder.run) = (Some(files), Some(run));
        folder
    }

    /// Sets a limit on the bytes of Grams; `budget` selects those that stay.
    #[must_use]
    pub fn with_gram_bytes(mut self, most: u64) -> Self {
        self.grams = Some(most);
        self
    }

    /// Sets another clock, for tests of what a kill loses.
    #[must_use]
    pub fn with_clock(mut self, mut clock: impl FnMut() -> Instant + Send + 'static) -> Self {
        self.flushed = clock();
        self.clock = Box::new(clock);
        self
    }

    /// Returns the spec with all live changes so far, which is the one to run.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Takes the next event. After an error the folder holds what was flushed, and the run should end.
    pub fn take(&mut self, event: &Event) -> Result<(), FolderError> {
        self.unless_broken(|folder| folder.write(event))
    }

    /// Flushes if a second has passed; called while there are no events.
    pub fn tick(&mut self) -> Result<(), FolderError> {
        self.unless_broken(Self::flush_in_time)
    }

    fn unless_broken(&mut self, write: impl FnOnce(&mut Self) -> Result<(), FolderError>) -> Result<(), FolderError> {
        if self.broken {
            let why = "a write before this one failed".to_owned();
            return Err(FolderError::Write { path: self.out.clone(), why });
        }
        let done = self.check_claim().and_then(|()| write(self));
        self.broken = done.is_err();
        done
    }

    fn check_claim(&mut self) -> Result<(), FolderError> {
        let now = (self.clock)();
        self.claim.as_ref().map_or(Ok(()), |claim| claim.check_at(now))
    }

    fn write(&mut self, event: &Event) -> Result<(), FolderError> {
        if let Event::Started(run) = event {
            // Files that are gone on with have started.
            return if self.files.is_some() { Ok(()) } else { self.start(run) };
        }
        let folder = self.folder();
        // A run that fails before it starts leaves everything as it was.
        let Some(files) = &mut self.files else { return Ok(()) };
        match event {
            Event::Initial(initial) => {
                weights::write_initial(&folder.join(INITIAL), initial, &self.out)?;
                files.initial = true;
                return self.write_spec();
            }
            Event::Task(start) => {
                files.note(start.step, Some(start.epoch), kind::TASK, &start.task.to_string())?;
                return self.flush();
            }
            Event::Snapshot(snapshot) => {
                let row = &snapshot.row;
                self.last = Some((row.step, row.epoch));
                files.rows.push(row)?;
                files.kernels.push(Arc::clone(snapshot));
            }
            Event::Partner(partner) => files.kernels.partner(Arc::clone(partner)),
            Event::Limit(kernel) => files.kernels.limit(kernel)?,
            Event::Changed { step, epoch, change } => {
                files.note(*step, Some(*epoch), kind::CHANGE, &table_writer::change_text(change))?;
                self.change(change)?;
            }
            Event::Ledger(ledger) => {
                LedgerLine::all(ledger).try_for_each(|line| files.ledger.serialize(line))?;
            }
            Event::Warning { step, epoch, message } => files.note(*step, Some(*epoch), kind::WARNING, message)?,
            Event::Weights(weights) => {
                weights::write(&folder.join(MODEL), weights)?;
                files.weights = true;
            }
            Event::Saved(step) => files.saved(*step)?,
            Event::TakenBack { step } => return self.take_back(*step),
            Event::Ended(ending) => return self.end(ending),
            Event::Started(_)
            | Event::Progress(_)
            | Event::PassedOver(_)
            | Event::Moved(_)
            | Event::Forked(_)
            | Event::Paused { .. }
            | Event::Resumed { .. } => {}
        }
        self.flush_in_time()
    }

    fn flush_in_time(&mut self) -> Result<(), FolderError> {
        let now = (self.clock)();
        let full = self.files.as_ref().is_some_and(|files| files.kernels.is_full());
        if full || now.duration_since(self.flushed) >= FLUSH_EVERY {
            self.flushed = now;
            self.flush()?;
        }
        Ok(())
    }

    /// Cuts the files to the steps before this one, because a watched training has started again from there.
    fn take_back(&mut self, step: u64) -> Result<(), FolderError> {
        self.flush()?;
        let Some(run) = self.run.clone() else { return Ok(()) };
        self.files = None;
        cut(&self.out, Some(step))?;
        self.last = None;
        self.files = Some(Files::go_on(&self.out, &run, self.grams)?);
        Ok(())
    }

    fn start(&mut self, run: &Arc<RunInfo>) -> Result<(), FolderError> {
        match self.before {
            PreviousContent::Missing | PreviousContent::Empty => {}
            PreviousContent::Replace => files::clear(&self.out)?,
            // Files of an earlier attempt to resume that was cut off too.
            PreviousContent::CutOff(_) => files::remove_run(&self.out.join(RESUMED), true)?,
        }
        atomic::sweep(&self.out);
        // Only the run knows the file that it began from.
        self.spec.network.weights_hash.clone_from(&run.spec.network.weights_hash);
        self.files = Some(Files::start(&self.folder(), &self.spec, run, self.grams)?);
        self.run = Some(Arc::clone(run));
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        if matches!(self.before, PreviousContent::CutOff(_)) { self.out.join(RESUMED) } else { self.out.clone() }
    }

    /// Saves a live change in `run.toml`, unless it repeats one of the saved run.
    fn change(&mut self, change: &Change) -> Result<(), FolderError> {
        // The same change twice counts as two changes.
        if let Some(place) = self.awaited.iter().position(|awaited| awaited == change) {
            self.awaited.remove(place);
            return Ok(());
        }
        let changes = &mut self.spec.changes;
        // A new change goes after all earlier ones: of two before the same step, the one reported first came first.
        let later = |other: &Change| other.place.is_none() && other.step > change.step;
        let place = changes.iter().position(later).unwrap_or(changes.len());
        changes.insert(place, change.clone());
        self.write_spec()
    }

    fn write_spec(&self) -> Result<(), FolderError> {
        let mut spec = self.spec.clone();
        if self.files.as_ref().is_some_and(|files| files.initial) {
            // Relative, so that the folder may move.
            spec.network.weights_copy = Some(INITIAL.into());
        }
        files::write_spec(&self.folder(), &spec)
    }

    fn flush(&mut self) -> Result<(), FolderError> {
        let Some(files) = &mut self.files else { return Ok(()) };
        files.flush()?;
        match self.before {
            PreviousContent::CutOff(old) if files.kernels.written() >= old => self.promote(),
            _ => Ok(()),
        }
    }

    fn end(&mut self, ending: &Ending) -> Result<(), FolderError> {
        let epoch = self.last.filter(|&(step, _)| step == ending.step()).map(|(_, epoch)| epoch);
        self.flush()?;
        if let PreviousContent::CutOff(_) = self.before {
            if !matches!(ending, Ending::Finished { .. }) {
                // The resumed run did not come as far as the old one, which therefore stays.
                self.files = None;
                return files::remove_run(&self.out.join(RESUMED), true);
            }
            // The run has ended with fewer snapshots than before: with a budget for kernels a run does not repeat
            // exactly.
            self.promote()?;
        }
        match self.files.take() {
            Some(files) => files.seal(&self.out, ending, epoch),
            None => Ok(()),
        }
    }

    /// Replaces the files of the old run by those of the resumed one, which has come as far.
    fn promote(&mut self) -> Result<(), FolderError> {
        let Some(files) = &mut self.files else { return Ok(()) };
        files.sync()?;
        resume::take_over(&self.out)?;
        self.before = PreviousContent::Empty;
        files.moved_to(&self.out)
    }
}

impl Drop for RunFolder {
    /// Flushes as much as possible when the caller gives up without an ending, and removes the folder of a run that never
    /// started.
    fn drop(&mut self) {
        match &mut self.files {
            Some(_) if self.broken => {}
            Some(files) => drop(files.flush()),
            // Only an empty folder can be removed this way.
            None if self.before == PreviousContent::Missing => {
                self.claim = None;
                disk::remove_empty(&self.out);
            }
            None => {}
        }
    }
}
