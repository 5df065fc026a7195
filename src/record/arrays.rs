//! Arrays that come from elsewhere and go elsewhere: `.npy` in, `.npz` out.
//!
//! Guarantees: a place that cannot be written is refused before anything is computed for it, and nothing there is replaced
//! unasked; an archive appears whole or not at all; whatever the bytes of an array are, reading them is an error and no
//! panic, and takes no more memory than they do.

use std::io;
use std::path::Path;

use npyz::{Deserialize, NpyFile, NpyHeader, Order};

use super::npz::{NpzReader, NpzWriter, header, invalid};
use super::{FolderError, atomic};

/// An array to be written: its name, its shape and its values in C order.
pub type Named<'a> = (String, Vec<usize>, &'a [f64]);

/// Says whether an archive can be written at `path`; one of ours that is there is replaced where `overwrite` says so, and nothing else
/// ever is.
///
/// # Errors
/// When something is there, or the folder cannot be written.
pub fn check_place(path: &Path, overwrite: bool) -> Result<(), FolderError> {
    if path.is_dir() {
        return Err(FolderError::IsFolder(path.to_owned()));
    }
    let is_there = path.symlink_metadata().is_ok();
    if is_there && !overwrite {
        return Err(FolderError::Exists(path.to_owned()));
    }
    let target = atomic::replaceable(path).map_err(|err| FolderError::write(path, err))?;
    if is_there && !is_ours(&target) {
        return Err(FolderError::NotOurs(path.to_owned()));
    }
    atomic::check_folder(atomic::folder_of(&target)).map_err(|err| FolderError::write(path, err))
}

/// Whether this file is an archive of kernels as the commands `gram` and `theory` write them, or nothing yet.
fn is_ours(path: &Path) -> bool {
    let is_empty = path.metadata().is_ok_and(|found| found.len() == 0);
    let names = ["trace", "full", "sum-logits", "ntk_train_train"];
    is_empty || NpzReader::open(path).is_ok_and(|npz| names.iter().any(|name| npz.has(name)))
}

/// Writes an archive for `numpy.load`.
///
/// # Errors
/// When it cannot be written; what was there is then still there.
pub fn write_arrays<'a>(path: &Path, arrays: impl IntoIterator<Item = Named<'a>>) -> Result<(), FolderError> {
    atomic::replace(path, |writer| {
        let mut archive = NpzWriter::new(writer);
        for (name, shape, values) in arrays {
            archive.array(&name, &shape, values.iter().copied())?;
        }
        archive.finish()
    })
}

/// Whether these are the bytes of a `.npy` file.
pub fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x93NUMPY")
}

/// The shape and the values of a `.npy` file of 32- or 64-bit floats in C order.
///
/// # Errors
/// When it is none, in words.
pub fn read_npy(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f32>), String> {
    // Products are in 32 bits; what does not fit them becomes infinite, which the caller refuses.
    parse(bytes, |value| value, |value| value as f32).map_err(|err| err.to_string())
}

/// The shape and the values of an array, in C order.
pub type Floats = (Vec<usize>, Vec<f64>);

/// An archive of arrays, as `numpy.savez` and `numpy.savez_compressed` write it.
pub struct Arrays(NpzReader);

impl Arrays {
    /// Opens an archive.
    ///
    /// # Errors
    /// When it is none, in words.
    pub fn open(path: &Path) -> Result<Self, String> {
        NpzReader::open(path).map(Self).map_err(|err| err.to_string())
    }

    /// The shape and the values of an array of 32- or 64-bit floats in C order; `None` where there is none of this name.
    ///
    /// # Errors
    /// When it holds something else, in words.
    pub fn floats(&mut self, name: &str) -> Result<Option<Floats>, String> {
        if !self.0.has(name) {
            return Ok(None);
        }
        let bytes = self.0.bytes(name).map_err(|err| err.to_string())?;
        parse(&bytes, f64::from, |value| value).map(Some).map_err(|err| err.to_string())
    }
}

fn parse<V>(bytes: &[u8], single: fn(f32) -> V, double: fn(f64) -> V) -> io::Result<(Vec<usize>, Vec<V>)> {
    let mut rest = bytes;
    let header = header(&mut rest)?;
    let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
    if header.order() != Order::C && shape.len() > 1 {
        return Err(invalid("it is in Fortran order: save numpy.ascontiguousarray of it".to_owned()));
    }
    let descr = header.dtype().descr();
    let values = match descr.trim_matches(['\'', '<', '>', '=', '|']) {
        "f4" => values(header, rest, single)?,
        "f8" => values(header, rest, double)?,
        _ => return Err(invalid(format!("it holds {descr} where floats were expected: save it as float32"))),
    };
    Ok((shape, values))
}

fn values<T: Deserialize, V>(header: NpyHeader, bytes: &[u8], to: fn(T) -> V) -> io::Result<Vec<V>> {
    // Digits are few in a header that was let through, so the product cannot overflow.
    let promised = header.shape().iter().product::<u64>().saturating_mul(size_of::<T>() as u64);
    if promised > bytes.len() as u64 {
        return Err(invalid("its header promises more values than it holds".to_owned()));
    }
    let values = NpyFile::with_header(header, bytes).data::<T>().map_err(|err| invalid(err.to_string()))?;
    values.map(|value| value.map(to)).collect()
}
