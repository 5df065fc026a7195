//! Packs tasks of a study into one file for a machine that does not see its folder, and unpacks them there into the folder of a
//! study of their own.
//!
//! Guarantees: the runs are those of the study, to the last setting; what a pack holds beside its own files lands below the
//! folder that it is unpacked into, and nowhere else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tasks::TASKS;
use super::{StudyError, StudyFolder};
use crate::spec::Spec;
use crate::storage::claim::claim;
use crate::storage::format::errors::{FolderError, invalid};
use crate::storage::format::{atomic, disk};
use crate::storage::run_folder::files::STUDY;

/// The file that says what was packed.
pub const PACK: &str = "pack.toml";
/// The folder of packed data and weights.
const FILES: &str = "files";
/// Most bytes of the text files of a pack.
const MOST_TEXT: u64 = 64 << 20;

/// What a pack says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pack {
    pub tasks: Vec<PackedTask>,
    /// Paths of the study, and where in the pack the files are that were there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<String, String>,
}

/// One task of a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PackedTask {
    pub number: usize,
    /// Its run folder.
    pub run: String,
    /// The hash of its data; empty where the run makes its own.
    pub data: String,
}

impl Pack {
    /// Reads what a folder was unpacked from; `None` where it was not.
    pub fn of_folder(folder: &Path) -> Option<Self> {
        toml::from_str(&disk::text(&folder.join(PACK)).ok()?).ok()
    }
}

impl StudyFolder {
    /// Packs these tasks into a file. `files` are those to be packed, by the path that the study has for them: the files of a
    /// data set, or one of weights.
    ///
    /// # Errors
    /// When a file cannot be read, or the pack not be written.
    pub fn pack(
        &self,
        tasks: Vec<PackedTask>,
        files: &[(PathBuf, Vec<PathBuf>)],
        out: &Path,
    ) -> Result<(), FolderError> {
        let mut pack = Pack { tasks, paths: BTreeMap::new() };
        for (number, (path, packed)) in files.iter().enumerate() {
            // A single file keeps its name, because its ending says what it is.
            let name = packed.first().filter(|only| *only == path).and_then(|only| only.file_name());
            let inside = name.map_or_else(
                || format!("{FILES}/{number}"),
                |name| format!("{FILES}/{number}/{}", name.to_string_lossy()),
            );
            pack.paths.insert(path.display().to_string(), inside);
        }
        let described = toml::to_string(&pack).map_err(|err| FolderError::write(out, invalid(err.to_string())))?;
        let tasks = disk::text(&self.tasks_file()).map_err(|err| FolderError::write(out, err))?;
        atomic::replace_for_good(out, |writer| {
            let mut archive = tar::Builder::new(writer);
            archive.mode(tar::HeaderMode::Deterministic);
            for (name, text) in [(PACK, &described), (STUDY, &self.spec().to_toml()), (TASKS, &tasks)] {
                let mut header = tar::Header::new_gnu();
                header.set_size(text.len() as u64);
                header.set_mode(0o644);
                archive.append_data(&mut header, name, text.as_bytes())?;
            }
            for (number, (base, packed)) in files.iter().enumerate() {
                for path in packed {
                    // Files keep their folders below the path of the set: those of classes have names of their own.
                    let below = path.strip_prefix(base).ok().filter(|below| below.file_name().is_some());
                    let Some(name) = below.or_else(|| path.file_name().map(Path::new)) else { continue };
                    archive.append_path_with_name(path, Path::new(FILES).join(number.to_string()).join(name))?;
                }
            }
            archive.finish()
        })
    }
}

/// A pack that was read, and the folder that it is for.
#[derive(Debug)]
pub struct PackFile {
    file: PathBuf,
    out: PathBuf,
    pub pack: Pack,
    /// The study, with the paths that it has in the folder.
    pub spec: Spec,
    texts: [(&'static str, String); 3],
    is_unpacked: bool,
}

impl PackFile {
    /// Reads a pack for a folder, which is to become that of the study with the packed tasks to be done. A folder that this pack
    /// was unpacked into before is gone on with. `set` changes paths of the study, as for `--set`. Nothing is written.
    ///
    /// # Errors
    /// When the file is no pack, or the folder holds something else.
    pub fn open(file: &Path, out: &Path, set: &[String]) -> Result<Self, StudyError> {
        let unread = |err: io::Error| StudyError::NoPack { file: file.to_owned(), why: disk::words(&err) };
        let no_pack = |why: &str| StudyError::NoPack { file: file.to_owned(), why: why.to_owned() };
        let (pack, study, tasks) = texts(file).map_err(unread)?;
        let described: Pack = toml::from_str(&pack).map_err(|_| no_pack("it does not say what was packed"))?;
        let mut spec = Spec::from_toml(&study).map_err(|err| no_pack(&err.to_string()))?;
        let folder = std::path::absolute(out).map_err(|err| FolderError::write(out, err))?;
        let inside = |path: &Path| described.paths.get(&*path.to_string_lossy()).map(|inside| folder.join(inside));
        spec.replace_paths(&|path: &Path| inside(path).unwrap_or_else(|| path.to_owned()));
        spec.set_all(set.iter().map(String::as_str)).map_err(|err| no_pack(&err.to_string()))?;
        spec.root_paths(Path::new(""));
        if out.exists() && !out.is_dir() {
            return Err(FolderError::IsFile(out.to_owned()).into());
        }
        let is_unpacked = disk::text(&out.join(PACK)).is_ok_and(|known| known == pack)
            && disk::text(&out.join(STUDY)).is_ok_and(|known| known == spec.to_toml());
        if !is_unpacked && !atomic::is_bare(out) {
            return Err(StudyError::NotEmpty(out.to_owned()));
        }
        // What was packed comes last: without it the folder is no study that was unpacked.
        let texts = [(TASKS, tasks), (STUDY, spec.to_toml()), (PACK, pack)];
        Ok(Self { file: file.to_owned(), out: out.to_owned(), pack: described, spec, texts, is_unpacked })
    }

    /// Returns whether this path is that of a file in the pack.
    pub fn holds(&self, path: &Path) -> bool {
        let folder = std::path::absolute(&self.out).unwrap_or_else(|_| self.out.clone());
        self.pack.paths.values().any(|inside| folder.join(inside) == path)
    }

    /// Unpacks it, unless it was before.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn unpack(&self) -> Result<(), StudyError> {
        if self.is_unpacked {
            return Ok(());
        }
        let out = &self.out;
        disk::make_folder(out).map_err(|err| FolderError::write(out, err))?;
        let _claim = claim(out)?;
        let unread = |err: io::Error| StudyError::NoPack { file: self.file.clone(), why: disk::words(&err) };
        files(&self.file, out).map_err(unread)?;
        self.texts.iter().try_for_each(|(name, text)| {
            atomic::replace_for_good(&out.join(name), |writer| writer.write_all(text.as_bytes()))
        })?;
        Ok(())
    }
}

/// Reads the three texts of a pack.
fn texts(file: &Path) -> io::Result<(String, String, String)> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for entry in tar::Archive::new(disk::open(file)?).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        if [PACK, STUDY, TASKS].contains(&name.as_str()) {
            let mut text = String::new();
            (&mut entry).take(MOST_TEXT).read_to_string(&mut text)?;
            found.insert(name, text);
        }
    }
    let mut take = |name: &str| found.remove(name).ok_or_else(|| invalid(format!("it holds no {name}")));
    Ok((take(PACK)?, take(STUDY)?, take(TASKS)?))
}

/// Unpacks the data and weights of a pack. Whatever is no regular file in their folder is refused.
fn files(file: &Path, out: &Path) -> io::Result<()> {
    for entry in tar::Archive::new(disk::open(file)?).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        if !name.starts_with(FILES) {
            continue;
        }
        let is_plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || !entry.header().entry_type().is_file() {
            return Err(invalid(format!("{} is no file that belongs into a pack", name.display())));
        }
        let path = out.join(&name);
        path.parent().map_or(Ok(()), disk::make_folder)?;
        let mut written: File = disk::create(&path)?;
        io::copy(&mut entry, &mut written)?;
        written.sync_all()?;
    }
    Ok(())
}
