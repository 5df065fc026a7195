//! `kernelscope study STUDY --pack` and `--merge`, and `kernelscope run PACK`: tasks of a study on a machine that does not see its
//! folder.
//!
//! Guarantee: a run is taken back only if its settings and its data are those of the study.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::device::Device;
use super::refused::RefusedRequest;
use super::share::{ShareArgs, share};
use super::task_numbers::TaskNumbers;
use crate::spec::{DataSpec, Spec};
use crate::storage::{Merged, PackFile, PackedTask, RUNS, StudyFolder};
use crate::worker::packing::{data_files, data_hash};

/// Packs tasks into a file.
pub(super) fn pack(folder: &StudyFolder, numbers: &TaskNumbers, with_data: bool, out: &Path) -> anyhow::Result<()> {
    let refused = |err: &dyn std::fmt::Display| RefusedRequest(err.to_string());
    let places = folder.runs_of_tasks(&numbers.0).map_err(|err| refused(&err))?;
    if out.is_dir() {
        return Err(RefusedRequest(format!("{} is a folder: choose a name for the file", out.display())).into());
    }
    let mut hashes = Hashes::default();
    let (mut tasks, mut files) = (Vec::new(), Vec::<(PathBuf, Vec<PathBuf>)>::new());
    for (&number, &place) in numbers.0.iter().zip(&places) {
        let run = &folder.runs()[place];
        let data = hashes.of(&run.spec).map_err(RefusedRequest)?;
        tasks.push(PackedTask { number, run: run.folder.clone(), data });
        if !with_data {
            continue;
        }
        let mut add = |path: &Path, found: Vec<PathBuf>| {
            if !found.is_empty() && files.iter().all(|(known, _)| known != path) {
                files.push((path.to_owned(), found));
            }
        };
        if let Some(path) = &run.spec.data.path {
            add(path, data_files(&run.spec.data).map_err(|err| refused(&err))?);
        }
        if let Some(path) = &run.spec.network.weights {
            add(path, vec![path.clone()]);
        }
    }
    folder.pack(tasks, &files, out)?;
    println!("{}", out.display());
    let packed = places.len();
    eprintln!(
        "{packed} tasks: `kernelscope run {out} --out DIR` does them elsewhere, and `kernelscope study {study} --merge DIR` takes \
         what was done",
        out = out.display(),
        study = folder.folder().display()
    );
    Ok(())
}

/// Unpacks a pack into a folder and does its tasks there.
pub(super) fn run_pack(
    file: &Path,
    out: &Path,
    set: &[String],
    args: &ShareArgs,
    device: Device,
) -> anyhow::Result<()> {
    let refused = |err: &dyn std::fmt::Display| RefusedRequest(err.to_string());
    let key = |setting: &String| setting.split('=').next().unwrap_or_default().trim().to_owned();
    if let Some(other) = set.iter().map(key).find(|key| !["data.path", "network.weights"].contains(&key.as_str())) {
        let message = format!("{other}: of a pack, only the places of files can be set: data.path and network.weights");
        return Err(RefusedRequest(message).into());
    }
    let packed = PackFile::open(file, out, set).map_err(|err| refused(&err))?;
    let pack = &packed.pack;
    let runs = packed.spec.runs().map_err(|err| refused(&err))?;
    let mut hashes = Hashes::default();
    for task in &pack.tasks {
        let Some(run) = runs.iter().find(|run| run.folder == task.run) else {
            return Err(RefusedRequest(format!("{} has no run {}: pack it anew", file.display(), task.run)).into());
        };
        // What comes with the pack is what was hashed.
        if run.spec.data.path.as_deref().is_some_and(|path| packed.holds(path)) {
            continue;
        }
        let here = hashes.of(&run.spec).map_err(RefusedRequest)?;
        if here != task.data {
            let place = run.spec.data.path.as_deref().unwrap_or(Path::new("")).display();
            let message = format!(
                "the data in {place} are others than those of the study: give the right ones with --set data.path=…, or pack \
                 them with --with-data"
            );
            return Err(RefusedRequest(message).into());
        }
    }
    packed.unpack().map_err(|err| refused(&err))?;
    let task = TaskNumbers(pack.tasks.iter().map(|task| task.number).collect());
    share(&ShareArgs { task: Some(task), claim: false, ..args.clone() }, out, device)
}

/// Takes the runs of folders that were filled elsewhere.
pub(super) fn merge(folder: &StudyFolder, from: &[PathBuf]) -> anyhow::Result<()> {
    let mut hashes = Hashes::default();
    let (mut taken, mut refused) = (0, 0);
    for source in from {
        let found = folder.merge(source, |spec| hashes.of(spec)).map_err(|err| RefusedRequest(err.to_string()))?;
        for (run, merged) in found {
            match merged {
                Merged::Taken => taken += 1,
                Merged::Double | Merged::Unfinished => {}
                Merged::OtherRun | Merged::OtherData | Merged::Refused(_) => refused += 1,
            }
            eprintln!("{}: {}", source.join(RUNS).join(run).display(), merged.in_words());
        }
    }
    let (place, count) = (folder.folder().display(), folder.runs().len());
    let done = (0..count).filter(|&run| folder.is_done_by_now(run)).count();
    println!("{taken} runs taken; {done} of {count} are done in {place}");
    if refused > 0 {
        bail!("{refused} runs were not taken");
    }
    Ok(())
}

/// The hashes of data, each read once.
#[derive(Default)]
struct Hashes(Vec<(DataSpec, String)>);

impl Hashes {
    fn of(&mut self, spec: &Spec) -> Result<String, String> {
        if let Some((_, known)) = self.0.iter().find(|(data, _)| *data == spec.data) {
            return Ok(known.clone());
        }
        let hash = data_hash(&spec.data).map_err(|err| err.to_string())?;
        self.0.push((spec.data.clone(), hash.clone()));
        Ok(hash)
    }
}
