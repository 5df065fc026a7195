//! Writes one kernel block by block into a `.npy` file that need not fit into memory, and reads it row by row.
//!
//! While it is being written, `K.npy.partial` beside it holds the array, what it is the kernel of ([`KERNEL`]) and the list of
//! the blocks that are done ([`DONE`]), under a claim. Guarantees: a block is on the disk before it is in the list, so that a
//! kill at any moment costs at most the block that was being computed; the array appears under its own name when it is
//! complete; blocks of another kernel are never continued. Rows are read by position: they are sums in order, for which a memory
//! map would gain nothing. Other programs can map the file (`numpy.load` with `mmap_mode="r"`).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::claim::{Claim, claim};
use super::format::errors::{FolderError, invalid};
use super::format::npy::{Header, write_header};
use super::format::{atomic, disk};
use crate::math::lanczos::dot;

/// What the kernel in the folder is the kernel of.
const KERNEL: &str = "kernel.toml";
/// The array, of which some blocks are zeros yet.
const ARRAY: &str = "kernel.npy";
/// The numbers of the blocks that are in the array, a line each.
const DONE: &str = "done.txt";

/// The reason why a kernel in blocks cannot be written; each prints as one sentence.
#[derive(Debug, Error)]
pub enum KernelFileError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(
        "{} holds blocks of another kernel (its {what}): choose another name, or give --overwrite to begin anew",
        folder.display()
    )]
    Other { folder: PathBuf, what: String },
    #[error("a kernel in blocks is one array: let the name {} end in .npy", .0.display())]
    Name(PathBuf),
}

/// A kernel that is being written.
#[derive(Debug)]
pub struct KernelFile {
    out: PathBuf,
    folder: PathBuf,
    array: File,
    /// Length of the header of the array.
    start: u64,
    shape: [usize; 2],
    done: BTreeSet<usize>,
    claim: Claim,
}

/// A rectangle of a kernel: rows, columns and values in C order.
#[derive(Clone, Copy, Debug)]
pub struct KernelTile<'a> {
    pub rows: &'a Range<usize>,
    pub columns: &'a Range<usize>,
    pub values: &'a [f64],
    /// Whether it also goes to the mirrored place.
    pub mirrored: bool,
}

impl KernelFile {
    /// Opens the file of the kernel with this description, a table of TOML, for its blocks: with those that are there already
    /// or, with `anew`, with none.
    ///
    /// # Errors
    /// When the folder beside it holds blocks of another kernel, another process writes it, or it cannot be written.
    pub fn open(out: &Path, shape: [usize; 2], description: &str, anew: bool) -> Result<Self, KernelFileError> {
        let folder = partial(out)?;
        let make = || disk::make_folder(&folder).map_err(|err| FolderError::write(&folder, err));
        make()?;
        let claim = match claim(&folder) {
            // Whoever has just completed the kernel has removed the folder.
            Err(_) if !folder.exists() => make().and_then(|()| claim(&folder))?,
            claimed => claimed?,
        };
        atomic::sweep(&folder);
        let (known, path, list) = (folder.join(KERNEL), folder.join(ARRAY), folder.join(DONE));
        if anew {
            [&known, &path, &list].into_iter().try_for_each(|file| atomic::remove(file))?;
        }
        let mut header = Vec::new();
        let written = |err| FolderError::write(&path, err);
        write_header(&mut header, "<f8", &shape).map_err(written)?;
        let start = header.len() as u64;
        let length = start + 8 * (shape[0] * shape[1]) as u64;
        if known.is_file() {
            let there = disk::text(&known).map_err(|err| FolderError::write(&known, err))?;
            if let Some(what) = difference(&there, description) {
                return Err(KernelFileError::Other { folder, what });
            }
        } else {
            // What lies there without a description was left by a kill before there was any block.
            atomic::remove(&list)?;
            atomic::replace_for_good(&known, |writer| writer.write_all(description.as_bytes()))?;
        }
        let is_whole = fs::metadata(&path).is_ok_and(|found| found.len() == length);
        if !is_whole {
            atomic::remove(&list)?;
            let mut file = disk::create(&path).map_err(written)?;
            file.write_all(&header).and_then(|()| file.set_len(length)).map_err(written)?;
        }
        let array = disk::open_to_rewrite(&path).map_err(written)?;
        let done = disk::text(&list).map_or_else(|_| BTreeSet::new(), |text| numbers(&text));
        Ok(Self { out: out.to_owned(), folder, array, start, shape, done, claim })
    }

    /// Returns the folder that holds the blocks until the kernel is complete.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns whether a block is done.
    pub fn has(&self, block: usize) -> bool {
        self.done.contains(&block)
    }

    /// Returns the number of blocks that are done.
    pub fn count(&self) -> usize {
        self.done.len()
    }

    /// Writes a block under its number.
    ///
    /// # Errors
    /// When it cannot be written, or the claim is lost.
    pub fn write(&mut self, block: usize, tile: KernelTile<'_>) -> Result<(), KernelFileError> {
        self.claim.check()?;
        let path = self.folder.join(ARRAY);
        let (rows, columns) = (tile.rows, tile.columns);
        let write = || {
            self.rows(&path, rows, columns, |row, column| tile.values[row * columns.len() + column])?;
            if tile.mirrored {
                self.rows(&path, columns, rows, |row, column| tile.values[column * columns.len() + row])?;
            }
            disk::sync(&path)
        };
        write().map_err(|err| FolderError::write(&path, err))?;
        let list = self.folder.join(DONE);
        let note = || {
            let mut file = File::options().append(true).create(true).open(&list)?;
            disk::append(&mut file, &list, format!("{block}\n").as_bytes())?;
            disk::sync(&list)
        };
        note().map_err(|err| FolderError::write(&list, err))?;
        self.done.insert(block);
        Ok(())
    }

    /// Writes the entries of these rows and columns, row by row.
    fn rows(
        &self,
        path: &Path,
        rows: &Range<usize>,
        columns: &Range<usize>,
        entry: impl Fn(usize, usize) -> f64,
    ) -> io::Result<()> {
        disk::step(path)?;
        let mut array = &self.array;
        let mut bytes = Vec::with_capacity(8 * columns.len());
        for (place, row) in rows.clone().enumerate() {
            bytes.clear();
            (0..columns.len()).for_each(|column| bytes.extend(entry(place, column).to_le_bytes()));
            array.seek(SeekFrom::Start(self.start + 8 * (row * self.shape[1] + columns.start) as u64))?;
            array.write_all(&bytes)?;
        }
        Ok(())
    }

    /// Gives the complete array its name, and removes the folder.
    ///
    /// # Errors
    /// When it cannot be written, or the claim is lost.
    pub fn finish(self) -> Result<StoredKernel, KernelFileError> {
        self.claim.check()?;
        let target = atomic::replaceable(&self.out).map_err(|err| FolderError::write(&self.out, err))?;
        disk::rename(&self.folder.join(ARRAY), &target).map_err(|err| FolderError::write(&self.out, err))?;
        disk::sync_folder(atomic::folder_of(&target));
        // Without the array they are of no use: whoever finds them begins anew.
        let left = [DONE, KERNEL].map(|name| self.folder.join(name));
        let Self { claim, folder, .. } = self;
        left.iter().try_for_each(|file| atomic::remove(file))?;
        drop(claim);
        disk::remove_empty(&folder);
        StoredKernel::open(&target).map_err(|err| FolderError::write(&target, err).into())
    }
}

/// Returns the folder that holds the blocks of a kernel until it is complete.
fn partial(out: &Path) -> Result<PathBuf, KernelFileError> {
    let named = out.extension().is_some_and(|ending| ending == "npy");
    let name = out.file_name().filter(|_| named).ok_or_else(|| KernelFileError::Name(out.to_owned()))?;
    let mut name = name.to_owned();
    name.push(".partial");
    Ok(out.with_file_name(name))
}

/// Returns the numbers in the lines that are complete.
fn numbers(text: &str) -> BTreeSet<usize> {
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

/// Returns the first key by which two tables differ.
fn difference(there: &str, wanted: &str) -> Option<String> {
    let (Ok(there), Ok(wanted)) = (there.parse::<toml::Table>(), wanted.parse::<toml::Table>()) else {
        return Some("description differs".to_owned());
    };
    let differs = |key: &&String| there.get(*key) != wanted.get(*key);
    let key = wanted.keys().chain(there.keys()).find(differs)?.replace('_', " ");
    Some(if key.ends_with('s') { format!("{key} differ") } else { format!("{key} differs") })
}

/// A kernel in a file, of which a few rows are in memory at a time.
#[derive(Debug)]
pub struct StoredKernel {
    file: File,
    start: u64,
    /// Rows and columns.
    pub shape: [usize; 2],
}

/// The number of bytes of the rows that are read at once, unless one row is longer.
const AT_ONCE: usize = 1 << 22;

impl StoredKernel {
    /// Opens a `.npy` file of 64-bit floats as this program writes it.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = disk::open(path)?;
        let header = Header::read(&mut file)?;
        header.check_length(file.metadata()?.len())?;
        match header.shape[..] {
            [rows, columns] if header.is_plain() => Ok(Self { file, start: header.length(), shape: [rows, columns] }),
            _ => Err(invalid("it holds no kernel of 64-bit floats".to_owned())),
        }
    }

    /// Passes the rows to `take`, one after the other.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn each_row(&mut self, mut take: impl FnMut(usize, &[f64])) -> io::Result<()> {
        let [height, width] = self.shape;
        self.file.seek(SeekFrom::Start(self.start))?;
        let together = (AT_ONCE / (8 * width).max(1)).max(1);
        let (mut bytes, mut values) = (Vec::new(), Vec::new());
        for first in (0..height).step_by(together) {
            let rows = together.min(height - first);
            bytes.resize(8 * width * rows, 0);
            self.file.read_exact(&mut bytes)?;
            values.clear();
            values.extend(bytes.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)));
            values.chunks_exact(width).enumerate().for_each(|(row, values)| take(first + row, values));
        }
        Ok(())
    }

    /// Computes K v, into `product`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn multiply(&mut self, vector: &[f64], product: &mut [f64]) -> io::Result<()> {
        self.each_row(|row, values| product[row] = dot(values, vector))
    }
}
