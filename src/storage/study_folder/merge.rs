//! Takes runs that were done elsewhere into the folder of their study.
//!
//! Guarantees: a run is taken only if it has ended and is that of the study, setting by setting, on the same data; the end of a
//! run is copied last, so that a merge that was killed leaves a run that was cut off; nothing that is done is replaced.

use std::fs;
use std::path::{Path, PathBuf};

use super::pack::Pack;
use super::{StudyError, StudyFolder};
use crate::run::Ending;
use crate::spec::Spec;
use crate::storage::claim::claim;
use crate::storage::experiment_folder::{self, POINTS};
use crate::storage::format::errors::FolderError;
use crate::storage::format::{atomic, disk};
use crate::storage::run_folder::completeness::whole_ending;
use crate::storage::run_folder::files::{RUN, clear, write_spec};
use crate::storage::run_folder::info::{INFO, StoredInfo};
use crate::storage::run_folder::reader::read_spec;
use crate::storage::run_folder::tables::EVENTS;
use crate::storage::study_folder::RUNS;

/// What became of one run of a folder that is merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    Taken,
    /// It is in the study already.
    Double,
    /// It has not ended.
    Unfinished,
    /// Its settings are not those of the task.
    OtherRun,
    /// It was trained on other data.
    OtherData,
    /// Another process writes it, or it cannot be written.
    Refused(String),
}

impl Merged {
    /// Describes it as part of a sentence.
    pub fn in_words(&self) -> String {
        match self {
            Self::Taken => "taken".to_owned(),
            Self::Double => "not taken: the study has it already".to_owned(),
            Self::Unfinished => "not taken: it is not done".to_owned(),
            Self::OtherRun => "not taken: its settings are not those of the study's run".to_owned(),
            Self::OtherData => "not taken: it was trained on other data".to_owned(),
            Self::Refused(why) => format!("not taken: {why}"),
        }
    }
}

impl StudyFolder {
    /// Takes the runs of a folder that are done and are this study's. `data` tells the hash of a run's data here, empty where it
    /// makes its own. Returns the run folders that were found, with what became of each.
    ///
    /// # Errors
    /// When the folder is no study.
    pub fn merge(
        &self,
        from: &Path,
        mut data: impl FnMut(&Spec) -> Result<String, String>,
    ) -> Result<Vec<(String, Merged)>, StudyError> {
        let other = Self::open_unread(from)?;
        let pack = Pack::of_folder(from);
        let mut found = Vec::new();
        for (place, run) in self.runs().iter().enumerate() {
            let source = other.folder().join(RUNS).join(&run.folder);
            if !source.join(RUN).is_file() {
                continue;
            }
            let packed = pack.as_ref().and_then(|pack| pack.tasks.iter().find(|task| task.run == run.folder));
            let merged = self.take_run(place, &source, packed.map(|task| task.data.as_str()), &mut data);
            found.push((run.folder.clone(), merged));
        }
        Ok(found)
    }

    fn take_run(
        &self,
        place: usize,
        source: &Path,
        packed: Option<&str>,
        data: &mut impl FnMut(&Spec) -> Result<String, String>,
    ) -> Merged {
        let (run, folder) = (&self.runs()[place], self.run_folder(place));
        let Ok(there) = read_spec(&source.join(RUN)) else { return Merged::OtherRun };
        // The files may lie elsewhere on the other machine; what is in them is compared below.
        let mut own = there.clone();
        own.data.path.clone_from(&run.spec.data.path);
        own.network.weights.clone_from(&run.spec.network.weights);
        if !own.same_run(&run.spec) {
            return Merged::OtherRun;
        }
        let is_done = match &run.experiment {
            Some(asked) => experiment_folder::is_complete(&experiment_folder::points(source), asked),
            None => matches!(whole_ending(source), Some(Ending::Finished { .. } | Ending::Diverged { .. })),
        };
        if !is_done {
            return Merged::Unfinished;
        }
        // A folder that was not unpacked from a pack read the data where its spec says.
        let hashes = data(&run.spec).and_then(|here| match packed {
            Some(theirs) => Ok((here, theirs.to_owned())),
            None => data(&there).map(|theirs| (here, theirs)),
        });
        match hashes {
            Ok((here, theirs)) if here == theirs => {}
            Ok(_) => return Merged::OtherData,
            Err(why) => return Merged::Refused(why),
        }
        if self.is_done_by_now(place) {
            return Merged::Double;
        }
        match copy_run(source, &folder, &own) {
            Ok(()) => Merged::Taken,
            Err(err) => Merged::Refused(err.to_string()),
        }
    }
}

/// Copies the files of a run, with this spec, in place of whatever part of it is there.
fn copy_run(source: &Path, folder: &Path, spec: &Spec) -> Result<(), FolderError> {
    let unread = |path: &Path, err| FolderError::write(path, err);
    disk::make_folder(folder).map_err(|err| unread(folder, err))?;
    let _claim = claim(folder)?;
    clear(folder)?;
    write_spec(folder, spec)?;
    let entries = fs::read_dir(source).map_err(|err| unread(source, err))?;
    let is_last = |path: &PathBuf| path.file_name().is_some_and(|name| name == EVENTS || name == POINTS);
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort_by_key(is_last);
    for path in files {
        if is_last(&path) {
            write_size_of_spec(folder)?;
        }
        let Some(name) = path.file_name().filter(|name| *name != RUN && !is_foreign(name)) else { continue };
        let to = folder.join(name);
        let mut from = disk::open(&path).map_err(|err| unread(&path, err))?;
        atomic::replace_for_good(&to, |writer| std::io::copy(&mut from, writer))?;
    }
    Ok(())
}

/// Writes down how long the spec of a copied run is: it has the paths of this study, which may be shorter.
fn write_size_of_spec(folder: &Path) -> Result<(), FolderError> {
    let (path, spec) = (folder.join(INFO), folder.join(RUN));
    let Ok(mut facts) = StoredInfo::read(&path) else { return Ok(()) };
    let found = fs::metadata(&spec).map_err(|err| FolderError::write(&spec, err))?.len();
    match facts.ended_with.get_mut(RUN) {
        Some(size) => *size = found,
        None => return Ok(()),
    }
    facts.write_for_good(&path)
}

/// Returns whether a file is no part of a run: a claim, or what a killed process left.
fn is_foreign(name: &std::ffi::OsStr) -> bool {
    name == atomic::CLAIM || atomic::is_temporary(name)
}
