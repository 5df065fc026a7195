//! Finds the files of a data set: in the chosen folder, in one of the subfolders that torchvision and Kaggle create, or
//! beside each other under a prefix, as the parts of EMNIST.
//!
//! Guarantees: only names are read here; folders are searched [`DEPTH`] levels down and at most [`MOST`] entries in all;
//! only regular files are opened, never a device or a pipe, which might not end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Cifar, DataError};

/// `data` → `MNIST` → `raw`.
const DEPTH: usize = 3;
/// A folder with more entries is not a folder of data sets.
const MOST: usize = 20_000;

/// The files of a set that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub folder: PathBuf,
    /// The common prefix of their names: `emnist-balanced`; usually empty.
    pub prefix: String,
    /// The candidates for images and labels of the training and the test part, the preferred ones first.
    found: [[Vec<(Rank, PathBuf)>; 2]; 2],
}

/// The preference among files with the same content: unpacked before packed, and so on.
type Rank = (bool, bool, bool, String);

/// The two parts.
const PARTS: [&str; 2] = ["train", "t10k"];
/// The two kinds of files.
const CONTENTS: [&str; 2] = ["images-idx3", "labels-idx1"];

impl Files {
    /// Returns the file of this part (0 training, 1 test) and content (0 images, 1 labels).
    pub fn file(&self, part: usize, held: usize) -> Option<&Path> {
        self.found[part][held].first().map(|(_, path)| path.as_path())
    }

    /// Returns all files that a reader of the set opens.
    pub fn all(&self) -> Vec<PathBuf> {
        let parts = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let table = self.folder.join(format!("{}-mapping.txt", self.prefix));
        let images = parts.into_iter().filter_map(|(part, held)| self.file(part, held)).map(Path::to_owned);
        images.chain(Some(table).filter(|table| !self.prefix.is_empty() && table.is_file())).collect()
    }

    fn is_whole(&self) -> bool {
        self.found.iter().flatten().all(|files| !files.is_empty())
    }

    /// Returns the value of `data.path` that chooses this set.
    pub fn choice(&self) -> PathBuf {
        if self.prefix.is_empty() { self.folder.clone() } else { self.folder.join(&self.prefix) }
    }

    /// Returns the error that names the missing file by its possible names.
    fn missing(&self) -> DataError {
        let absent = |&(part, held): &(usize, usize)| self.found[part][held].is_empty();
        let (part, held) = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().find(absent).unwrap_or_default();
        let start = if self.prefix.is_empty() { String::new() } else { format!("{}-", self.prefix) };
        let plain = format!("{start}{}-{}-ubyte", PARTS[part], CONTENTS[held]);
        let names = [plain.clone(), plain.replace("-idx", ".idx")];
        let names = names.into_iter().flat_map(|name| [name.clone(), name + ".gz"]).collect();
        DataError::Missing { folder: self.folder.clone(), names, set: "IDX" }
    }
}

/// Parses the name of a file: its prefix, its part and its content.
fn role(name: &str) -> Option<(String, usize, usize)> {
    let lower = name.to_lowercase();
    let plain: String = lower.strip_suffix(".gz").unwrap_or(&lower).replace(['.', '_', ' '], "-");
    let (head, kind) = plain.rsplit_once("-idx")?;
    let is_kind =
        kind.starts_with(['1', '2', '3', '4']) && kind[1..].chars().all(|c| c == '-' || c.is_ascii_lowercase());
    let (head, held) =
        head.strip_suffix("-images").map(|head| (head, 0)).or_else(|| Some((head.strip_suffix("-labels")?, 1)))?;
    let parts = [("train", 0), ("t10k", 1), ("test", 1)];
    let (prefix, part) = parts.into_iter().find_map(|(word, part)| Some((head.strip_suffix(word)?, part)))?;
    let ends = prefix.is_empty() || prefix.ends_with('-');
    (is_kind && ends).then(|| (prefix.trim_matches('-').to_owned(), part, held))
}

/// Searches one folder; subfolders are appended to `below`.
fn scan(folder: &Path, left: &mut usize, below: &mut Vec<PathBuf>) -> Result<Vec<Files>, DataError> {
    let unreadable = |err: std::io::Error| DataError::Closed { path: folder.to_owned(), reason: reason(&err) };
    let mut sets: BTreeMap<String, Files> = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        if *left == 0 {
            break;
        }
        *left -= 1;
        let entry = entry.map_err(unreadable)?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let mut put = |path: PathBuf, nested: bool, (prefix, part, held): (String, usize, usize)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            let rank = (nested, name.ends_with(".gz"), name.contains(".idx"), name);
            let folder = folder.to_owned();
            let set = sets.entry(prefix.clone()).or_insert_with(|| Files { folder, prefix, ..Files::default() });
            set.found[part][held].push((rank, path));
        };
        match (fs::metadata(&path), role(&name)) {
            (Ok(what), Some(role)) if what.is_file() => put(path, false, role),
            // Kaggle unpacks each file into a folder with its name.
            (Ok(what), Some(outer)) if what.is_dir() => {
                for inner in fs::read_dir(&path).into_iter().flatten().flatten().take(16) {
                    let same = role(&inner.file_name().to_string_lossy()).is_some_and(|inner| inner == outer);
                    if same && inner.path().is_file() {
                        put(inner.path(), true, outer.clone());
                    }
                }
            }
            (Ok(what), None) if what.is_dir() && !name.starts_with('.') => below.push(path),
            // The folder may be listed but not entered. The target of a link may be in another folder.
            (Err(err), _) if err.kind() == ErrorKind::PermissionDenied && !is_link(&entry) => {
                return Err(unreadable(err));
            }
            _ => {}
        }
    }
    let mut sets: Vec<Files> = sets.into_values().collect();
    sets.iter_mut().flat_map(|set| set.found.iter_mut().flatten()).for_each(|files| files.sort());
    Ok(sets)
}

fn is_link(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_symlink())
}

/// Returns the four IDX files at this path: a folder with them, one above it, the prefix of their names, or one of the
/// files.
pub(super) fn idx(path: &Path) -> Result<Files, DataError> {
    if let Some(files) = in_shared_folder(path)? {
        return Ok(files);
    }
    folder(path)?;
    let (mut level, mut left, mut part, mut closed) = (vec![path.to_owned()], MOST, None, None);
    for depth in 0..=DEPTH {
        let (mut below, mut whole) = (Vec::new(), Vec::new());
        for folder in &level {
            match scan(folder, &mut left, &mut below) {
                Ok(sets) => {
                    let (done, open): (Vec<_>, Vec<_>) = sets.into_iter().partition(Files::is_whole);
                    whole.extend(done);
                    part = part.or(open.into_iter().next());
                }
                Err(err) if depth == 0 => return Err(err),
                Err(err) => closed = Some(err),
            }
        }
        match whole.as_slice() {
            [] => {}
            [only] => return Ok(only.clone()),
            several => {
                let choices = several.iter().map(|set| set.choice().display().to_string()).collect();
                return Err(DataError::Several { folder: path.to_owned(), choices });
            }
        }
        below.sort();
        level = below;
    }
    let here = Files { folder: path.to_owned(), ..Files::default() };
    Err(match (part, other(path), closed) {
        (Some(part), ..) => part.missing(),
        (None, Some(other), _) => other,
        (None, None, Some(closed)) => closed,
        (None, None, None) => here.missing(),
    })
}

/// Returns the set in a folder with several, if the path is the prefix of its files' names, or one of the files.
fn in_shared_folder(path: &Path) -> Result<Option<Files>, DataError> {
    if path.is_dir() {
        return Ok(None);
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    if !parent.is_dir() {
        return Ok(None);
    }
    let name = name.to_string_lossy();
    let prefix = role(&name).map(|(prefix, ..)| prefix);
    let wanted = match prefix {
        Some(prefix) if path.is_file() => prefix,
        _ => name.to_lowercase().replace(['.', '_', ' '], "-").trim_matches('-').to_owned(),
    };
    let sets = scan(parent, &mut MOST.clone(), &mut Vec::new())?;
    match sets.into_iter().find(|set| set.prefix == wanted) {
        Some(set) if set.is_whole() => Ok(Some(set)),
        Some(set) => Err(set.missing()),
        None => Ok(None),
    }
}

/// Fails with the reason if this is not a folder.
pub(super) fn folder(path: &Path) -> Result<(), DataError> {
    match fs::metadata(path) {
        Ok(what) if what.is_dir() => Ok(()),
        Ok(_) if is_archive(path) => Err(DataError::Archive { file: path.to_owned() }),
        Err(err) if err.kind() == ErrorKind::PermissionDenied => {
            Err(DataError::Closed { path: path.to_owned(), reason: reason(&err) })
        }
        _ => Err(DataError::NotAFolder(path.to_owned())),
    }
}

/// Returns the folder with this file: this one, a subfolder with one of these names, or one a level further down.
pub(super) fn with(path: &Path, file: &str, names: &[&str]) -> Result<Option<PathBuf>, DataError> {
    let (mut level, mut left) = (vec![path.to_owned()], MOST);
    for depth in 0..3 {
        let mut below = Vec::new();
        for folder in &level {
            if folder.join(file).is_file() {
                return Ok(Some(folder.clone()));
            }
            match scan(folder, &mut left, &mut below) {
                Err(err) if depth == 0 => return Err(err),
                _ => {}
            }
        }
        // Folders with the usual names first.
        below.sort_by_key(|folder| (!names.iter().any(|name| folder.ends_with(name)), folder.clone()));
        level = below;
    }
    Ok(None)
}

/// Identifies the content of a folder without IDX files, if it is known.
pub(super) fn other(folder: &Path) -> Option<DataError> {
    let has = |name: &str| folder.join(name).exists();
    let say = |holds: &str, instead: &str| {
        Some(DataError::Other { folder: folder.to_owned(), holds: holds.to_owned(), instead: instead.to_owned() })
    };
    for kind in [Cifar::Ten, Cifar::Hundred] {
        let holds = |(name, file): (&str, &str)| has(file) || folder.join(name).join(file).exists();
        if holds((kind.folder(), kind.first())) || holds(kind.python()) {
            return say(&format!("the files of {}", kind.name()), &format!("set data.source={}", kind.key()));
        }
    }
    let way_out = "choose a folder with the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, \
        t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte";
    let names = || fs::read_dir(folder).into_iter().flatten().flatten().take(MOST).map(|entry| entry.path());
    let ends =
        |ending: &str| names().any(|path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending)));
    if has("training.pt") || has("processed/training.pt") {
        return say("only what torchvision made of the files (training.pt)", way_out);
    }
    if ends("npz") {
        return say("archives of NumPy (.npz)", "set data.source=npz");
    }
    let of_pictures = |path: PathBuf| {
        let pictures = fs::read_dir(path).into_iter().flatten().flatten().take(64).map(|entry| entry.path());
        pictures.into_iter().any(|path| is_picture(&path))
    };
    if names().any(|path| is_picture(&path)) {
        let instead = "put those of each class into a folder of their own and set data.source=image-folder";
        return say("single pictures", instead);
    }
    let in_classes = |folder: PathBuf| {
        fs::read_dir(folder).into_iter().flatten().flatten().take(64).any(|entry| of_pictures(entry.path()))
    };
    if in_classes(folder.to_owned()) || in_classes(folder.join("train")) {
        return say("pictures in folders", "set data.source=image-folder");
    }
    for (ending, kind) in [
        ("csv", "tables of text (.csv)"),
        ("parquet", "Parquet tables"),
        ("pkl", "pickles of Python"),
        ("mat", "files of MATLAB (.mat)"),
    ] {
        if ends(ending) {
            return say(&format!("{kind} and no IDX files"), way_out);
        }
    }
    for ending in ["zip", "gz", "tgz", "tar"] {
        if let Some(path) =
            names().find(|path| is_archive(path) && path.extension().is_some_and(|found| found == ending))
        {
            return Some(DataError::Archive { file: path });
        }
    }
    None
}

/// Returns whether the name is that of a picture that is read.
pub(super) fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["png", "jpg", "jpeg"].contains(&ending.as_str())
}

/// Returns an archive in this folder whose name begins with `start`.
pub(super) fn archive(folder: &Path, start: &str) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST).map(|entry| entry.path());
    let begins =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().starts_with(start));
    paths.filter(|path| is_archive(path) && begins(path)).min()
}

/// Returns whether the name is that of an archive.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    [".tar.gz", ".tgz", ".tar", ".zip", ".tar.xz", ".tar.bz2", ".7z", ".rar"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Opens a regular file; also returns its name for errors.
pub(super) fn open(path: &Path) -> Result<(String, File), DataError> {
    let file = path.display().to_string();
    let unreadable = |reason: String| DataError::Unreadable { file: file.clone(), reason };
    // Reading a pipe would block, and reading a device might never end.
    let what = fs::metadata(path).map_err(|err| unreadable(reason(&err)))?;
    if !what.is_file() {
        return Err(unreadable("it is no regular file".to_owned()));
    }
    let handle = File::open(path).map_err(|err| unreadable(reason(&err)))?;
    Ok((file, handle))
}

/// Returns the message of the system, without its number.
pub(super) fn reason(err: &std::io::Error) -> String {
    let text = err.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
