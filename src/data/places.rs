//! Where the files of a data set lie: in the folder that was chosen, in one of those below it that torchvision and Kaggle
//! make, or beside each other under a name of their own, as the parts of EMNIST.
//!
//! Guarantees: only names are looked at here; folders are searched [`DEPTH`] levels down and no more than [`MOST`] entries in
//! all; only regular files are opened, never a device or a pipe, which might not end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Cifar, DataError};

/// `data` → `MNIST` → `raw`.
const DEPTH: usize = 3;
/// More entries than this are no folder of data sets.
const MOST: usize = 20_000;

/// The files of a set, or as many of them as there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub folder: PathBuf,
    /// What their names begin with: `emnist-balanced`; usually nothing.
    pub prefix: String,
    /// Of the training and of the test part the images, then the labels; by preference.
    found: [[Vec<(Rank, PathBuf)>; 2]; 2],
}

/// Which of several files of the same content is read: the unpacked one before the packed one, and so on.
type Rank = (bool, bool, bool, String);

/// The two parts.
const PARTS: [&str; 2] = ["train", "t10k"];
/// What a file holds.
const HELD: [&str; 2] = ["images-idx3", "labels-idx1"];

impl Files {
    /// The file of this part (0 training, 1 test) and content (0 images, 1 labels).
    pub fn file(&self, part: usize, held: usize) -> Option<&Path> {
        self.found[part][held].first().map(|(_, path)| path.as_path())
    }

    fn is_whole(&self) -> bool {
        self.found.iter().flatten().all(|files| !files.is_empty())
    }

    /// What chooses this set as `data.path`.
    pub fn choice(&self) -> PathBuf {
        if self.prefix.is_empty() { self.folder.clone() } else { self.folder.join(&self.prefix) }
    }

    /// The sentence that says which file is missing, by the names that it may have.
    fn missing(&self) -> DataError {
        let absent = |&(part, held): &(usize, usize)| self.found[part][held].is_empty();
        let (part, held) = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().find(absent).unwrap_or_default();
        let start = if self.prefix.is_empty() { String::new() } else { format!("{}-", self.prefix) };
        let plain = format!("{start}{}-{}-ubyte", PARTS[part], HELD[held]);
        let names = [plain.clone(), plain.replace("-idx", ".idx")];
        let names = names.into_iter().flat_map(|name| [name.clone(), name + ".gz"]).collect();
        DataError::Missing { folder: self.folder.clone(), names, set: "IDX" }
    }
}

/// What the name of a file says that it is: what it begins with, its part and its content.
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

/// Looks through one folder; sub-folders are appended to `below`.
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
            // Kaggle unpacks each file into a folder of its name.
            (Ok(what), Some(outer)) if what.is_dir() => {
                for inner in fs::read_dir(&path).into_iter().flatten().flatten().take(16) {
                    let same = role(&inner.file_name().to_string_lossy()).is_some_and(|inner| inner == outer);
                    if same && inner.path().is_file() {
                        put(inner.path(), true, outer.clone());
                    }
                }
            }
            (Ok(what), None) if what.is_dir() && !name.starts_with('.') => below.push(path),
            // A folder whose names may be read and nothing else; a link may lead to another one.
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

/// The four IDX files that are meant by this path: a folder that has them, one above it, what their names begin with, or one
/// of the files.
pub(super) fn idx(path: &Path) -> Result<Files, DataError> {
    if let Some(beside) = beside(path)? {
        return Ok(beside);
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

/// The set beside others in a folder, where the path is no folder but the beginning of its files' names, or one of them.
fn beside(path: &Path) -> Result<Option<Files>, DataError> {
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

/// Fails where this is no folder, and says why.
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

/// The folder with this file: this one, one of these names in it, or the same one level further down.
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
        // Those of the usual names first.
        below.sort_by_key(|folder| (!names.iter().any(|name| folder.ends_with(name)), folder.clone()));
        level = below;
    }
    Ok(None)
}

/// What else a folder holds that has no IDX files, where it is something known.
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
    let way_out = "choose a folder with the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte";
    let names = || fs::read_dir(folder).into_iter().flatten().flatten().take(MOST).map(|entry| entry.path());
    let ends =
        |ending: &str| names().any(|path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending)));
    if has("training.pt") || has("processed/training.pt") {
        return say("only what torchvision made of the files (training.pt)", way_out);
    }
    for (ending, kind) in [
        ("csv", "tables of text (.csv)"),
        ("parquet", "Parquet tables"),
        ("npz", "archives of NumPy (.npz)"),
        ("pkl", "pickles of Python"),
        ("mat", "files of MATLAB (.mat)"),
        ("png", "single pictures (.png)"),
        ("jpg", "single pictures (.jpg)"),
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

/// An archive in this folder whose name begins so.
pub(super) fn archive(folder: &Path, start: &str) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST).map(|entry| entry.path());
    let begins =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().starts_with(start));
    paths.filter(|path| is_archive(path) && begins(path)).min()
}

/// Whether the name is that of an archive.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    [".tar.gz", ".tgz", ".tar", ".zip", ".tar.xz", ".tar.bz2", ".7z", ".rar"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Opens a regular file, with its name as errors give it.
pub(super) fn open(path: &Path) -> Result<(String, File), DataError> {
    let file = path.display().to_string();
    let unreadable = |reason: String| DataError::Unreadable { file: file.clone(), reason };
    // A pipe would be waited for, and a device read for ever.
    let what = fs::metadata(path).map_err(|err| unreadable(reason(&err)))?;
    if !what.is_file() {
        return Err(unreadable("it is no regular file".to_owned()));
    }
    let handle = File::open(path).map_err(|err| unreadable(reason(&err)))?;
    Ok((file, handle))
}

/// What the system says, without its number.
fn reason(err: &std::io::Error) -> String {
    let text = err.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
