//! Reads CIFAR-10 and CIFAR-100, in the Python version and in the binary one: records of labels and three planes R, G, B of
//! 32×32 bytes, without a header.
//!
//! Only its length and its labels identify such a file, so both are checked strictly: a whole number of records, at most as
//! many as in the original, every label in range. Truncated files with fewer records are accepted.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use super::cifar_kind::PIXELS;
use super::pickle::{self, Item};
use super::{Cifar, DataError, RawImages, RawSet, find_files};

/// The folder of one of the two versions.
enum Version {
    Binary(PathBuf),
    /// The folder unpacked by torchvision and Keras.
    Python(PathBuf),
}

/// Reads either version from the folder, or from a subfolder.
pub(super) fn load(path: &Path, kind: Cifar) -> Result<RawSet, DataError> {
    let folder = match locate(path, kind)? {
        Version::Binary(folder) => folder,
        Version::Python(folder) => return python(&folder, kind),
    };
    let (files, most) = kind.training();
    let mut train = RawImages { shape: [3, 32, 32], pixels: Vec::new(), labels: Vec::new() };
    for file in files {
        let batch = load_file(&folder, file, kind, most)?;
        train.pixels.extend(batch.pixels);
        train.labels.extend(batch.labels);
    }
    let test = load_file(&folder, kind.test(), kind, 10_000)?;
    Ok(RawSet { name: kind.name().to_owned(), class_names: class_names(&folder, kind), train, test })
}

/// Returns the files that hold the images and the names of the classes.
pub(super) fn files(path: &Path, kind: Cifar) -> Result<Vec<PathBuf>, DataError> {
    let (folder, names): (PathBuf, Vec<&str>) = match locate(path, kind)? {
        Version::Binary(folder) => {
            let names = kind.training().0.iter().copied().chain([kind.test(), kind.names_file()]);
            (folder, names.collect())
        }
        Version::Python(folder) => {
            let (meta, _, batches, test) = python_files(kind);
            (folder, batches.iter().copied().chain([test, meta]).collect())
        }
    };
    Ok(names.into_iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect())
}

/// Finds the folder itself or the subfolder with the files.
fn locate(path: &Path, kind: Cifar) -> Result<Version, DataError> {
    find_files::folder(path)?;
    if let Some(folder) = find_files::with(path, kind.first(), &[kind.folder()])? {
        return Ok(Version::Binary(folder));
    }
    let (folder, file) = kind.python();
    if let Some(folder) = find_files::with(path, file, &[folder])? {
        return Ok(Version::Python(folder));
    }
    let other = if kind == Cifar::Ten { Cifar::Hundred } else { Cifar::Ten };
    for (file, folder) in [(other.first(), other.folder()), (other.python().1, other.python().0)] {
        if let Some(folder) = find_files::with(path, file, &[folder])? {
            let (holds, instead) =
                (format!("the files of {}", other.name()), format!("set data.source={}", other.key()));
            return Err(DataError::Other { folder, holds, instead });
        }
    }
    let start = kind.folder().trim_end_matches("-batches-bin").trim_end_matches("-binary");
    Err(match find_files::archive(path, start) {
        Some(archive) => DataError::Archive { file: archive },
        None => missing(path, kind.first(), kind),
    })
}

/// Returns the file of the class names with their key in it, the training files and the test file of the Python version.
fn python_files(kind: Cifar) -> (&'static str, &'static str, &'static [&'static str], &'static str) {
    match kind {
        Cifar::Ten => {
            let batches = &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"];
            ("batches.meta", "label_names", batches, "test_batch")
        }
        Cifar::Hundred => ("meta", "fine_label_names", &["train"], "test"),
    }
}

/// Reads the Python version.
fn python(folder: &Path, kind: Cifar) -> Result<RawSet, DataError> {
    let (names_file, names, files, test) = python_files(kind);
    let whole = |name: &str, most: usize| -> Result<Vec<u8>, DataError> {
        let path = folder.join(name);
        if !path.exists() {
            return Err(missing(folder, name, kind));
        }
        let (file, handle) = find_files::open(&path)?;
        let mut bytes = Vec::new();
        // Bytes written as text take twice their size, and the file names of the images some more.
        let ceiling = (2 * most * kind.record() + (4 << 20)) as u64;
        let read = handle.take(ceiling).read_to_end(&mut bytes);
        read.map_err(|err| DataError::Unreadable { file, reason: err.to_string() })?;
        Ok(bytes)
    };
    let images = |name: &str, most: usize| -> Result<RawImages, DataError> {
        read_pickle(&whole(name, most)?, kind, most).ok_or_else(|| kind.unreadable(folder))
    };
    let most = kind.training().1;
    let mut train = RawImages { shape: [3, 32, 32], pixels: Vec::new(), labels: Vec::new() };
    for file in files {
        let batch = images(file, most)?;
        train.pixels.extend(batch.pixels);
        train.labels.extend(batch.labels);
    }
    let test = images(test, 10_000)?;
    // A set without names has its classes numbered.
    let names = whole(names_file, 0).ok().and_then(|bytes| {
        let meta = pickle::read(&bytes)?;
        let names: Option<Vec<String>> = meta.get(names)?.list()?.iter().map(|name| name.word()).collect();
        names.filter(|names| names.len() == kind.classes())
    });
    let shown =
        |name: String| -> String { name.replace('_', " ").chars().filter(|c| !c.is_control()).take(40).collect() };
    let numbers = || (0..kind.classes()).map(|class| class.to_string()).collect();
    let class_names = names.map_or_else(numbers, |names| names.into_iter().map(shown).collect());
    Ok(RawSet { name: kind.name().to_owned(), class_names, train, test })
}

/// Reads the images of one file of the Python version, at most `most`; `None` for another format.
pub fn read_pickle(bytes: &[u8], kind: Cifar, most: usize) -> Option<RawImages> {
    let batch = pickle::read(bytes)?;
    let labels = batch.get(if kind == Cifar::Ten { "labels" } else { "fine_labels" })?.list()?;
    let Item::Array { rows, columns: PIXELS, bytes } = batch.get("data")? else { return None };
    let class = |label: &Item| label.whole().filter(|&label| (0..kind.classes() as i64).contains(&label));
    let labels: Option<Vec<u16>> = labels.iter().map(|label| class(label).map(|label| label as u16)).collect();
    let labels = labels.filter(|labels| labels.len() == *rows && (1..=most).contains(rows))?;
    Some(RawImages { shape: [3, 32, 32], pixels: bytes.to_vec(), labels })
}

fn missing(folder: &Path, file: &str, kind: Cifar) -> DataError {
    DataError::Missing { folder: folder.to_owned(), names: vec![file.to_owned()], set: kind.name() }
}

fn load_file(folder: &Path, name: &str, kind: Cifar, most: usize) -> Result<RawImages, DataError> {
    let path = folder.join(name);
    if !path.exists() {
        return Err(missing(folder, name, kind));
    }
    let (file, handle) = find_files::open(&path)?;
    read_records(&file, handle, kind, most)
}

/// Reads at most `most` records; `file` is its name in errors. A file with more records, or with a partial one, is refused.
pub fn read_records(file: &str, reader: impl Read, kind: Cifar, most: usize) -> Result<RawImages, DataError> {
    let (record, bounds) = (kind.record(), kind.label_bounds());
    let ceiling = (most * record) as u64;
    let mut bytes = Vec::new();
    reader
        .take(ceiling + 1)
        .read_to_end(&mut bytes)
        .map_err(|err| DataError::Unreadable { file: file.to_owned(), reason: err.to_string() })?;
    let found = bytes.len();
    if found as u64 > ceiling {
        return Err(DataError::Oversized { file: file.to_owned(), promised: ceiling });
    }
    if found == 0 || !found.is_multiple_of(record) {
        let promised = (found / record + 1) * record;
        return Err(DataError::Truncated { file: file.to_owned(), promised: promised as u64, found: found as u64 });
    }
    let count = found / record;
    let mut labels = Vec::with_capacity(count);
    for image in 0..count {
        let start = image * record;
        for (&label, &classes) in bytes[start..].iter().zip(bounds) {
            if usize::from(label) >= classes {
                return Err(DataError::Label { file: file.to_owned(), image, label, classes });
            }
        }
        labels.push(u16::from(bytes[start + bounds.len() - 1]));
        // The pixels are moved to the front: a second buffer would double the memory of the largest file.
        bytes.copy_within(start + bounds.len()..start + record, image * PIXELS);
    }
    bytes.truncate(count * PIXELS);
    Ok(RawImages { shape: [3, 32, 32], pixels: bytes, labels })
}

/// Returns the class names beside the files, or numbers if they are missing or their count is wrong.
fn class_names(folder: &Path, kind: Cifar) -> Vec<String> {
    let mut text = Vec::new();
    // Names are optional: an error in this file must not stop a run.
    if let Ok((_, file)) = find_files::open(&folder.join(kind.names_file())) {
        let _ = file.take(64 << 10).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().map(|line| line.trim().replace('_', " ")).filter(|line| !line.is_empty());
    let names: Vec<String> = lines.map(|line| line.chars().filter(|c| !c.is_control()).take(40).collect()).collect();
    if names.len() == kind.classes() { names } else { (0..kind.classes()).map(|class| class.to_string()).collect() }
}
