//! Chooses the array of an archive that holds the kernels: the named one, `gram`, or one that this program's commands write.
//!
//! Guarantees: foreign names are never guessed; if another array could have been meant, a note says so.

use std::path::{Path, PathBuf};

use super::npy::Header;
use super::npz::NpzReader;
use crate::run::{printable, printable_list};

/// The arrays that `gram` and `theory` write, the most common choice first.
const OWN: [&str; 7] =
    ["trace", "sum-logits", "full", "ntk_train_train", "nngp_train_train", "ntk_test_test", "nngp_test_test"];

/// The array of an archive that was chosen for its kernels.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) name: String,
    /// The number of kernels, and the number of rows of each.
    pub(crate) count: usize,
    pub(crate) n: usize,
    /// A note on the choice and its alternatives, where it is not obvious.
    pub(crate) note: Option<String>,
}

/// Splits an argument into an archive and the name of an array of it: `K.npz`, or `K.npz:NAME`.
pub fn array_of(path: &Path) -> (PathBuf, Option<String>) {
    let Some(text) = path.to_str().filter(|_| !path.exists()) else { return (path.to_owned(), None) };
    let ends = text.match_indices(".npz:").map(|(at, _)| at + 4);
    let split = ends.map(|at| (Path::new(&text[..at]), &text[at + 1..]));
    let found = split.filter(|(archive, name)| archive.is_file() && !name.is_empty()).last();
    found.map_or((path.to_owned(), None), |(archive, name)| (archive.to_owned(), Some(name.to_owned())))
}

/// Returns the number of square kernels in an array of this shape, and of rows of each; `None` if it holds none.
fn kernels(shape: &[usize]) -> Option<(usize, usize)> {
    match *shape {
        [n, m] if n == m => Some((1, n)),
        [count, n, m] if n == m => Some((count, n)),
        _ => None,
    }
}

impl Choice {
    /// Chooses the named array, or else `gram`, or the first array with a name that this program writes; `file` is the
    /// name of the archive.
    ///
    /// # Errors
    /// When there is no such array, or it holds no kernels; the error is one sentence.
    pub(crate) fn of(npz: &mut NpzReader, file: &str, wanted: Option<&str>) -> Result<Self, String> {
        let alone = || npz.names().next().filter(|_| npz.is_alone());
        let usual = || ["gram"].into_iter().chain(OWN).find(|name| npz.has(name));
        let found = match wanted {
            Some(name) => Some(name).filter(|name| npz.has(name)),
            None => alone().or_else(usual),
        };
        let Some(name) = found.map(str::to_owned) else {
            let listed = printable_list(npz.names());
            return Err(match wanted {
                Some(name) => format!("it holds no array named {}; there are {listed}", printable(name)),
                None => format!(
                    "it holds no array named gram; save the kernels as gram=…, of shape [T, n, n], or write the name of one \
                     behind the file, as in {file}:NAME, of {listed}"
                ),
            });
        };
        let shown = printable(&name);
        let header = npz.header(&name).map_err(|err| format!("{shown}: {err}"))?;
        header.numbers().map_err(|err| format!("{shown}: {err}"))?;
        let shape = &header.shape;
        let Some((count, n)) = kernels(shape) else {
            return Err(format!("{shown} has the shape {shape:?}; it must be [T, n, n], or [n, n] of one kernel"));
        };
        if count == 0 || n < 2 {
            return Err(format!("{shown} has the shape {shape:?}; there must be a kernel of two rows at least"));
        }
        let note = (name != "gram" && !npz.is_alone()).then(|| {
            let others = others(npz, &name);
            let others: Vec<&str> = others.iter().map(String::as_str).collect();
            match others[..] {
                [] => format!("The kernel is the array {shown}"),
                _ => format!(
                    "The kernel is the array {shown}; write {file}:NAME for another: {}",
                    printable_list(others.iter().copied())
                ),
            }
        });
        Ok(Self { name, count, n, note })
    }
}

/// Returns the other arrays that hold kernels.
fn others(npz: &mut NpzReader, name: &str) -> Vec<String> {
    let names: Vec<String> = npz.names().filter(|other| *other != name).map(str::to_owned).collect();
    let is_kernel = |header: Header| header.is_numbers() && kernels(&header.shape).is_some_and(|(_, n)| n > 1);
    names.into_iter().filter(|other| npz.header(other).is_ok_and(is_kernel)).collect()
}
