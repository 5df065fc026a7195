//! Checks a file of arrays before it is read: whether it fits into memory, and what it is if it is not the expected format.
//!
//! Guarantee: no memory is requested that this machine does not have.

use std::io;

use super::errors::invalid;
use super::npy::MAGIC;
use crate::spec::memory_available;

/// The size below which the free memory is not queried.
const LITTLE: u64 = 16 << 20;

/// Checks that this many bytes can still be allocated.
///
/// # Errors
/// When there is not enough free memory.
pub(crate) fn check_room(bytes: u64) -> io::Result<()> {
    if bytes <= LITTLE {
        return Ok(());
    }
    let free = memory_available();
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    if bytes > free {
        let (needed, free) = (gib(bytes), gib(free));
        return Err(invalid(format!("reading it needs {needed:.1} GiB of memory and {free:.1} GiB are free")));
    }
    Ok(())
}

/// Names a file's format by its first bytes, and the remedy where arrays or weights were expected; `None` if it is
/// unknown.
pub fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"version https://git-lfs", "it is a Git LFS pointer and not the file itself: git lfs pull fetches that"),
        (b"\x89HDF", "it is an HDF5 or MATLAB 7.3 file: load it with h5py and save it with numpy.savez"),
        (b"MATLAB 5.0", "it is a MATLAB file: load it with scipy.io.loadmat and save it with numpy.savez"),
        (b"\x1f\x8b", "it is packed with gzip: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "it is packed with zstd: unpack it first"),
        (b"\xfd7zXZ", "it is packed with xz: unpack it first"),
        (b"BZh", "it is packed with bzip2: unpack it first"),
        (b"PAR1", "it is a Parquet file: load it with pandas and save its values with numpy.save"),
        (b"\x89PNG", "it is an image: load images with PIL and save them with numpy.save"),
        (b"\xff\xd8\xff", "it is an image: load images with PIL and save them with numpy.save"),
        (b"GGUF", "it is a GGUF file: save the weights as .safetensors"),
        (b"\x80\x02", "it is a pickle or an old PyTorch file: load it and save its arrays with numpy.savez"),
        (b"\x80\x03", "it is a pickle: load it and save its arrays with numpy.savez"),
        (b"\x80\x04", "it is a pickle: load it and save its arrays with numpy.savez"),
        (b"\x80\x05", "it is a pickle: load it and save its arrays with numpy.savez"),
        (b"<", "it is a page of markup, perhaps of a failed download: fetch the file itself"),
        (b"{", "it is a JSON file: save the numbers with numpy.save"),
        (b"[", "it is a JSON file: save the numbers with numpy.save"),
        (b"PK\x03\x04", "it is a zip archive, as an .npz or a PyTorch file is one"),
        (MAGIC, "it is a .npy file, one array alone"),
    ];
    if bytes.is_empty() {
        return Some("it is empty");
    }
    // A safetensors file has a brace behind the eight bytes of its header's length, whatever the length looks like.
    if bytes.get(8) == Some(&b'{') && bytes.len() > 16 && bytes[4..8] == [0; 4] {
        return None;
    }
    if let Some((_, what)) = KNOWN.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(what);
    }
    // A table as text begins with numbers or names; a safetensors file begins with a length, whose high bytes are zeros.
    let start = &bytes[..bytes.len().min(64)];
    let is_text = start.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    let is_table =
        is_text && start.iter().any(|byte| b",;\t \n".contains(byte)) && start.iter().any(u8::is_ascii_digit);
    is_table.then_some("it looks like a table of text (CSV): load it with numpy.loadtxt and save it with numpy.save")
}
