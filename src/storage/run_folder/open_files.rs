//! Holds the open files of a run while it continues: its tables, and the small files of its Grams.
//!
//! Guarantees: a Gram is written before the rows that it belongs to, and rows before the events that follow from them; a
//! sealed run is complete, synced to disk, and checked.

use std::path::Path;

use super::kernel_budget::Budget;
use super::kernels;
use super::kernels::{KERNELS, KernelWriter, PARTIAL};
use super::table_writer;
use super::table_writer::kind;
use super::tables::{EVENTS, EventLine, LEDGER, LedgerLine, ROW_TABLES, RowTable, columns};
use super::{files, info};
use crate::run::{Ending, Row, RunInfo, SavedStep};
use crate::spec::Spec;
use crate::storage::format::disk;
use crate::storage::format::errors::FolderError;
use crate::storage::format::table::Table;

/// Holds the open tables and small files of a run, so that they are flushed and sealed in one order.
pub(crate) struct Files {
    pub(crate) rows: RowTables,
    pub(crate) ledger: Table,
    events: Table,
    pub(crate) kernels: KernelWriter,
    facts: info::StoredInfo,
    /// Whether the weights were reported, and those of the beginning.
    pub(crate) weights: bool,
    pub(crate) initial: bool,
}

/// The tables that every row goes into, in the order of [`ROW_TABLES`].
pub(crate) struct RowTables(Vec<Table>);

impl RowTables {
    fn create(folder: &Path) -> Result<Self, FolderError> {
        Self::each(|kind| Table::create(folder.join(kind.name), &(kind.columns)()))
    }

    fn append(folder: &Path) -> Result<Self, FolderError> {
        Self::each(|kind| Table::append(folder.join(kind.name)))
    }

    fn each(open: impl Fn(&RowTable) -> Result<Table, FolderError>) -> Result<Self, FolderError> {
        Ok(Self(ROW_TABLES.iter().map(open).collect::<Result<Vec<_>, _>>()?))
    }

    pub(crate) fn push(&mut self, row: &Row) -> Result<(), FolderError> {
        ROW_TABLES.iter().zip(&mut self.0).try_for_each(|(kind, table)| (kind.push)(row, table))
    }
}

impl Files {
    /// Creates all files; `run.toml` comes first, because the others cannot be read without it.
    pub(crate) fn start(folder: &Path, spec: &Spec, run: &RunInfo, grams: Option<u64>) -> Result<Self, FolderError> {
        disk::make_folder(folder).map_err(|err| FolderError::write(folder, err))?;
        files::write_spec(folder, spec)?;
        let facts = info::StoredInfo::of(run);
        facts.write(&folder.join(info::INFO))?;
        Ok(Self {
            rows: RowTables::create(folder)?,
            ledger: Table::create(folder.join(LEDGER), columns::<LedgerLine>())?,
            events: Table::create(folder.join(EVENTS), columns::<EventLine>())?,
            kernels: KernelWriter::start(folder.join(PARTIAL), run, Budget::new(grams))?,
            facts,
            weights: false,
            initial: false,
        })
    }

    /// Goes on with the files of a folder, whose Grams may take so many bytes.
    pub(crate) fn go_on(folder: &Path, run: &RunInfo, grams: Option<u64>) -> Result<Self, FolderError> {
        let facts = info::StoredInfo::of(run);
        facts.write(&folder.join(info::INFO))?;
        Ok(Self {
            rows: RowTables::append(folder)?,
            ledger: Table::append(folder.join(LEDGER))?,
            events: Table::append(folder.join(EVENTS))?,
            kernels: KernelWriter::go_on(folder.join(PARTIAL), grams),
            facts,
            weights: false,
            initial: false,
        })
    }

    /// Records that a step of a watched training was taken. Events are written last, so a watcher that goes on with the folder
    /// finds all records of the steps up to the last of these lines.
    pub(crate) fn saved(&mut self, SavedStep { step, epoch, mark }: SavedStep) -> Result<(), FolderError> {
        self.note(step, Some(epoch), kind::SAVED, &mark.to_string())
    }

    pub(crate) fn note(&mut self, step: u64, epoch: Option<f64>, event: &str, detail: &str) -> Result<(), FolderError> {
        let detail = disk::one_line(detail);
        self.events.serialize(EventLine { step, epoch, event: event.to_owned(), detail })
    }

    pub(crate) fn flush(&mut self) -> Result<(), FolderError> {
        // Grams come before rows: a row without its Gram would be a hole in a picture, a Gram without its row is only
        // left out.
        self.kernels.flush()?;
        self.rows.0.iter_mut().try_for_each(Table::flush)?;
        self.ledger.flush()?;
        self.events.flush()
    }

    /// Syncs to disk the rows written so far; Grams and events are synced at other times.
    pub(crate) fn sync(&mut self) -> Result<(), FolderError> {
        self.rows.0.iter_mut().try_for_each(Table::sync)?;
        self.ledger.sync()
    }

    /// Continues in another folder, to which all files have been moved.
    pub(crate) fn moved_to(&mut self, folder: &Path) -> Result<(), FolderError> {
        self.rows = RowTables::append(folder)?;
        self.ledger = Table::append(folder.join(LEDGER))?;
        self.events = Table::append(folder.join(EVENTS))?;
        self.kernels.moved_to(folder.join(PARTIAL));
        Ok(())
    }

    /// Ends the run: assembles the Grams, checks that everything is stored, and only then records in the folder that the
    /// run has ended. A kill at any point of this leaves a run that was cut off or one that has ended.
    pub(crate) fn seal(mut self, folder: &Path, ending: &Ending, epoch: Option<f64>) -> Result<(), FolderError> {
        self.flush()?;
        let broken = |name: &str, why: &str| FolderError::Write { path: folder.join(name), why: why.to_owned() };
        if kernels::assemble(folder)? != self.kernels.kept() {
            return Err(broken(PARTIAL, "another program removed or changed Grams in it during the run"));
        }
        self.sync()?;
        let mut whole = vec![files::RUN, KERNELS];
        whole.extend(self.weights.then_some(files::MODEL));
        whole.extend(self.initial.then_some(files::INITIAL));
        let mut sizes: Vec<(String, u64)> = self.rows.0.iter().map(Table::size).collect();
        sizes.push(self.ledger.size());
        for name in whole {
            let path = folder.join(name);
            // The other files are synced when they are renamed.
            if name == files::MODEL || name == files::INITIAL {
                disk::sync(&path).map_err(|err| FolderError::write(&path, err))?;
            }
            let found = std::fs::metadata(&path).map_err(|err| FolderError::write(&path, err))?;
            sizes.push((name.to_owned(), found.len()));
        }
        self.facts.ended_with = sizes.into_iter().collect();
        self.facts.write_for_good(&folder.join(info::INFO))?;
        disk::sync_folder(folder);
        self.note(ending.step(), epoch, kind::ENDED, &table_writer::ending_text(ending))?;
        self.events.sync()?;
        // The run is complete. Leftovers are removed when the folder is next opened, if not now.
        let _ = kernels::remove_parts(&folder.join(PARTIAL));
        Ok(())
    }
}
