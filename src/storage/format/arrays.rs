//! Exchanges arrays with other programs: reads `.npy` and `.npz`, writes `.npz`.
//!
//! Guarantees: a place that cannot be written is refused before anything is computed for it, and no existing file is
//! replaced unless that was requested; an archive appears whole or not at all; arbitrary bytes of an array give an error
//! and no panic, and take no more memory than their length.

use std::io::{Cursor, Read as _};
use std::path::Path;

use super::errors::FolderError;
use super::guard::check_room;
use super::npy::{Header, MAGIC};
use super::npz::{NpzReader, NpzWriter, Number as _};
use super::regular_file::open_regular;
use super::{atomic, disk};
use crate::run::printable_list;
use crate::storage::kernel_file::StoredKernel;
use crate::storage::run_folder::table_writer::metrics_columns;

/// An array to be written: its name, its shape and its values in C order.
pub type Named<'a> = (String, Vec<usize>, &'a [f64]);

/// Checks that an archive or a table of metrics can be written at `path`; with `overwrite` an existing file of ours may be
/// replaced, and no other file ever is.
///
/// # Errors
/// When another file has the name, or the folder cannot be written.
pub fn check_place(path: &Path, what: Output, overwrite: bool) -> Result<(), FolderError> {
    if path.is_dir() {
        return Err(FolderError::IsFolder(path.to_owned()));
    }
    let is_there = path.symlink_metadata().is_ok();
    if is_there && !overwrite {
        return Err(FolderError::Exists(path.to_owned()));
    }
    let target = atomic::replaceable(path).map_err(|err| FolderError::write(path, err))?;
    if is_there && !what.is_at(&target) {
        return Err(FolderError::NotOurs(path.to_owned()));
    }
    atomic::check_folder(atomic::folder_of(&target)).map_err(|err| FolderError::write(path, err))
}

/// The kind of file that a command writes; with `--overwrite` it replaces a file of the same kind and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// An archive of kernels, as `gram` and `theory` write it.
    Kernels,
    /// One kernel as a `.npy` file, as `gram --blocks` writes it.
    Kernel,
    /// A table of metrics, as `metrics` writes it.
    Metrics,
}

impl Output {
    /// Returns whether the file at this path is of this kind, or does not exist yet.
    fn is_at(self, path: &Path) -> bool {
        let names = ["trace", "full", "sum-logits", "ntk_train_train"];
        let is_kernels = || NpzReader::open(path).is_ok_and(|npz| names.iter().any(|name| npz.has(name)));
        path.metadata().is_ok_and(|found| found.len() == 0)
            || match self {
                Self::Kernels => is_kernels(),
                Self::Kernel => StoredKernel::open(path).is_ok(),
                Self::Metrics => is_metrics(path),
            }
    }
}

/// Returns whether the first line of this file is that of `metrics.csv`.
fn is_metrics(path: &Path) -> bool {
    let header = metrics_columns().join(",");
    let mut start = vec![0; header.len()];
    open_regular(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == header.as_bytes()
}

/// Writes an archive for `numpy.load`.
///
/// # Errors
/// When it cannot be written; an earlier file is then unchanged.
pub fn write_arrays<'a>(path: &Path, arrays: impl IntoIterator<Item = Named<'a>>) -> Result<(), FolderError> {
    atomic::replace(path, |writer| {
        let mut archive = NpzWriter::new(writer);
        for (name, shape, values) in arrays {
            archive.array(&name, &shape, values.iter().copied())?;
        }
        archive.finish()
    })
}

/// Returns whether these are the bytes of a `.npy` file or of an archive, and not of a safetensors file.
pub fn is_array(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// The numbers of an array as 32-bit floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Singles {
    pub shape: Vec<usize>,
    /// The values in C order; a number out of the range of 32 bits is infinite.
    pub values: Vec<f32>,
    /// A note on the conversion, if one was needed.
    pub note: Option<String>,
}

/// Reads the numbers of a `.npy` file, or of the array with this name in an archive; without a name, of its only array.
///
/// # Errors
/// When there are none; the error is one sentence.
pub fn read_singles(bytes: &[u8], name: &str) -> Result<Singles, String> {
    let read = || {
        let mut npz = NpzReader::of(Cursor::new(bytes), bytes.len() as u64, name.to_owned())?;
        let names: Vec<String> = npz.names().map(str::to_owned).collect();
        let chosen = match &names[..] {
            _ if npz.has(name) => name,
            [only] => only,
            _ => return Ok(Err(printable_list(names.iter().map(String::as_str)))),
        };
        let header = npz.header(chosen)?;
        let of_name = (chosen != name).then(|| format!("the array is {chosen}"));
        let note = [of_name, read_as(&header)].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let array = npz.array(chosen)?;
        Ok::<_, std::io::Error>(Ok((array, note)))
    };
    match read() {
        Ok(Ok((array, note))) => {
            Ok(Singles { shape: array.shape, values: array.values, note: (!note.is_empty()).then_some(note) })
        }
        Ok(Err(names)) => Err(format!("there is no array {name} among [{names}]: name the inputs {name}")),
        Err(err) => Err(disk::words(&err)),
    }
}

/// Returns a note on the conversion of an array that is not floats in C order.
fn read_as(header: &Header) -> Option<String> {
    let order = header.is_turned().then_some("Fortran order turned into C order");
    let name = header.type_name();
    let usual = matches!(name.as_str(), "float32" | "float64");
    let cast =
        (!usual).then(|| format!("{name} read as floats{}", if header.is_whole() { ", as they are" } else { "" }));
    let conversions = [order.map(str::to_owned), cast].into_iter().flatten().collect::<Vec<_>>().join(", ");
    (!conversions.is_empty()).then_some(conversions)
}

/// The shape and the values of an array, in C order.
pub type Floats = (Vec<usize>, Vec<f64>);

/// An archive of arrays, as `numpy.savez` and `numpy.savez_compressed` write it; or a single array, as `numpy.save`
/// writes it.
pub struct Arrays {
    npz: NpzReader,
    /// The name given to a single array.
    single_name: Option<String>,
    notes: Vec<String>,
}

impl Arrays {
    /// Opens an archive, or a single array.
    ///
    /// # Errors
    /// When the file is neither; the error is one sentence.
    pub fn open(path: &Path) -> Result<Self, String> {
        let npz = NpzReader::open(path).map_err(|err| match err.kind() {
            std::io::ErrorKind::InvalidData => format!("no archive of arrays: {err}"),
            _ => format!("it cannot be read: {}", disk::words(&err)),
        })?;
        Ok(Self { npz, single_name: None, notes: Vec::new() })
    }

    /// Gives a single array this name.
    #[must_use]
    pub fn with_single_name(mut self, name: &str) -> Self {
        if self.npz.is_alone() {
            self.notes.push(format!("the array is {name}"));
            self.single_name = Some(name.to_owned());
        }
        self
    }

    /// Returns the printable names of the arrays that are not in this list; `None` where there are none.
    pub fn other_names(&self, known: &[&str]) -> Option<String> {
        let others: Vec<&str> = self.npz.names().filter(|name| !known.contains(name)).collect();
        (!others.is_empty() && self.single_name.is_none()).then(|| printable_list(others))
    }

    /// Returns notes on the conversions made so far.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the name within the file, if the file has an array of this name.
    fn name_in_file(&self, name: &str) -> Option<String> {
        if self.single_name.as_deref() == Some(name) {
            return self.npz.names().next().map(str::to_owned);
        }
        self.npz.has(name).then(|| name.to_owned())
    }

    /// Returns the shape of an array of numbers, without reading its values; `None` where there is no array of this name.
    ///
    /// # Errors
    /// When it holds something else; the error is one sentence.
    pub fn shape(&mut self, name: &str) -> Result<Option<Vec<usize>>, String> {
        let Some(place) = self.name_in_file(name) else { return Ok(None) };
        let header = self.npz.header(&place).map_err(|err| err.to_string())?;
        header.numbers().map_err(|err| err.to_string())?;
        Ok(Some(header.shape))
    }

    /// Returns the shape and the values of an array of numbers, in C order; `None` where there is no array of this name.
    ///
    /// # Errors
    /// When it holds something else, or does not fit into memory; the error is one sentence.
    pub fn floats(&mut self, name: &str) -> Result<Option<Floats>, String> {
        let Some(place) = self.name_in_file(name) else { return Ok(None) };
        let header = self.npz.header(&place).map_err(|err| err.to_string())?;
        let array = self.npz.array(&place).map_err(|err| err.to_string())?;
        self.notes.extend(read_as(&header).map(|note| format!("{name}: {note}")));
        Ok(Some((array.shape, array.values)))
    }

    /// Returns the values of an array whose numbers are whole and from 0 to 255, in C order; `None` where they are others or of a
    /// type of floats.
    ///
    /// # Errors
    /// When there is no such array, or it does not fit into memory; the error is one sentence.
    pub fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let place = self.name_in_file(name).ok_or_else(|| format!("there is no array {name}"))?;
        let header = self.npz.header(&place).map_err(|err| err.to_string())?;
        if !header.is_whole() || header.type_name() == "bool" {
            return Ok(None);
        }
        let read = self.npz.numbers(&place, |header, values| {
            check_room(header.count() as u64)?;
            let mut bytes = Vec::with_capacity(header.count());
            for value in values {
                match u8::from_f64(value?) {
                    Some(byte) => bytes.push(byte),
                    None => return Ok(None),
                }
            }
            Ok(Some(bytes))
        });
        read.map_err(|err| err.to_string())
    }

    /// Returns the values of an array of numbers as 32-bit floats, in C order; a number out of their range is infinite.
    ///
    /// # Errors
    /// When there is no such array, or it does not fit into memory; the error is one sentence.
    pub fn singles(&mut self, name: &str) -> Result<Vec<f32>, String> {
        let place = self.name_in_file(name).ok_or_else(|| format!("there is no array {name}"))?;
        Ok(self.npz.array(&place).map_err(|err| err.to_string())?.values)
    }
}
