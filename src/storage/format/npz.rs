//! Writes NumPy archives uncompressed, so that `numpy.load` opens them, and is the only reader of archives and `.npy` files in
//! this program.
//!
//! Guarantees for reading: arbitrary bytes give an error in one sentence, never a panic; memory use is bounded by the size of
//! the result, and a result that does not fit into this machine is refused before it is allocated. Numbers count as read only
//! after the checksum of their whole array has been compared.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::directory::{Body, Member, members};
use super::errors::invalid;
use super::guard::{check_room, foreign};
use super::npy::{Element, Header, MAGIC, Values, write_header};
use super::regular_file::open_regular;

/// Writes one archive, array by array.
pub(crate) struct NpzWriter<W: Write + Seek> {
    /// `None` once the archive is finished.
    zip: Option<ZipWriter<W>>,
}

impl<W: Write + Seek> Drop for NpzWriter<W> {
    /// Discards an archive that could not be finished: on drop, the library would retry and print its failure.
    fn drop(&mut self) {
        std::mem::forget(self.zip.take());
    }
}

impl<W: Write + Seek> NpzWriter<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { zip: Some(ZipWriter::new(writer)) }
    }

    /// Adds one array in C order; there must be as many values as the shape has entries.
    pub(crate) fn array<T: Element>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        self.stream(name, shape, |push| values.into_iter().try_for_each(|value| push(&value)))
    }

    /// Adds one array whose values are pushed one by one: it need not fit in memory.
    pub(crate) fn stream<T: Element>(
        &mut self,
        name: &str,
        shape: &[usize],
        fill: impl FnOnce(&mut dyn FnMut(&T) -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        let count = shape.iter().product::<usize>() as u64;
        let bytes = count.saturating_mul(size_of::<T>() as u64);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes > u64::from(u32::MAX) - 4096);
        let zip = self.zip.as_mut().ok_or_else(|| invalid("the archive is finished".to_owned()))?;
        zip.start_file(format!("{name}.npy"), options)?;
        write_header(zip, T::DESCR, shape)?;
        let mut written = 0;
        fill(&mut |value| {
            written += 1;
            value.write(zip)
        })?;
        if written == count { Ok(()) } else { Err(invalid(format!("{name} has {written} values in place of {count}"))) }
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        // An archive that cannot be finished is dropped by the library: nothing is left to be written then.
        self.zip.take().map_or(Ok(()), |zip| zip.finish()?.flush())
    }
}

/// An array in memory.
pub(crate) struct Array<T> {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<T>,
}

/// A number type as which an array may be read.
pub(crate) trait Number: Sized {
    /// Converts a number, if the type can hold it.
    fn from_f64(value: f64) -> Option<Self>;
}

impl Number for f64 {
    fn from_f64(value: f64) -> Option<Self> {
        Some(value)
    }
}

impl Number for f32 {
    fn from_f64(value: f64) -> Option<Self> {
        // A number out of range becomes infinite, which callers refuse.
        Some(value as Self)
    }
}

impl Number for i64 {
    fn from_f64(value: f64) -> Option<Self> {
        // A float represents every integer below this bound.
        (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as Self)
    }
}

impl Number for u8 {
    fn from_f64(value: f64) -> Option<Self> {
        (value.fract() == 0.0 && (0.0..256.0).contains(&value)).then_some(value as Self)
    }
}

/// An archive open for reading; a single array is read as an archive of one.
pub(crate) struct NpzReader<R = File> {
    source: R,
    members: Vec<Member>,
    is_alone: bool,
}

impl NpzReader {
    /// Opens an `.npz` archive or an `.npy` file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = open_regular(path)?;
        let length = file.metadata()?.len();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().replace(char::is_control, "\u{fffd}"));
        Self::of(file, length, stem.unwrap_or_default())
    }
}

impl<R: Read + Seek> NpzReader<R> {
    /// Opens an archive from this source; a single array gets this name.
    pub(crate) fn of(mut source: R, length: u64, name: String) -> io::Result<Self> {
        let mut start = Vec::new();
        source.by_ref().take(64).read_to_end(&mut start)?;
        if start.starts_with(MAGIC) {
            return Ok(Self { source, members: vec![Member::alone(name, length)], is_alone: true });
        }
        if start.get(8) == Some(&b'{') && start.get(4..8) == Some(&[0; 4]) {
            return Err(invalid("it is a safetensors file: save its arrays with numpy.savez".to_owned()));
        }
        // An archive may have bytes in front of it, unless they are a known other format.
        if !start.starts_with(b"PK")
            && let Some(what) = foreign(&start)
        {
            return Err(invalid(what.to_owned()));
        }
        let members = members(&mut source, length)?;
        // PyTorch packs pickles into a zip archive.
        if members.iter().any(|member| member.name.ends_with("/data.pkl") || member.name == "data.pkl") {
            return Err(invalid(
                "it is a PyTorch file: load it with torch.load and save its arrays with numpy.savez".to_owned(),
            ));
        }
        Ok(Self { source, members, is_alone: false })
    }

    /// Returns whether this is a single array.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Returns the names of the arrays, in the order of the archive.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// Returns the header of an array and its bytes, after comparing their lengths.
    fn body(&mut self, name: &str) -> io::Result<(Header, Body<'_, R>)> {
        let member = self.members.iter().find(|member| member.name == name);
        let member = member.ok_or_else(|| invalid(format!("there is no array {name}")))?;
        let mut body = member.open(&mut self.source)?;
        let header = Header::read(&mut body)?;
        header.check_length(member.size)?;
        Ok((header, body))
    }

    /// Returns the header of an array.
    pub(crate) fn header(&mut self, name: &str) -> io::Result<Header> {
        Ok(self.body(name)?.0)
    }

    /// Reads one array whole.
    pub(crate) fn array<T: Number>(&mut self, name: &str) -> io::Result<Array<T>> {
        self.numbers(name, |header, values| {
            check_room((header.count() as u64).saturating_mul(size_of::<T>() as u64))?;
            let mut read = Vec::with_capacity(header.count());
            for value in values {
                let value = value?;
                read.push(
                    T::from_f64(value).ok_or_else(|| invalid(format!("{name} holds {value}, which it cannot be")))?,
                );
            }
            Ok(Array { shape: header.shape.clone(), values: read })
        })
    }

    /// Passes the header and the values of an array of numbers to `take`, in C order and while they are read: the array
    /// may be larger than memory, unless it is in Fortran order. Values that `take` leaves are read, too, because only
    /// the checksum of the whole array confirms the numbers.
    pub(crate) fn numbers<T>(
        &mut self,
        name: &str,
        take: impl FnOnce(&Header, Numbers<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let (header, body) = self.body(name)?;
        if header.is_turned() {
            check_room(header.bytes())?;
        }
        let mut values = Values::new(header.clone(), body)?;
        let taken = take(&header, &mut values)?;
        values.into_source().finish()?;
        Ok(taken)
    }

    /// Returns all values of an array of text.
    pub(crate) fn texts(&mut self, name: &str) -> io::Result<Vec<String>> {
        let (header, mut body) = self.body(name)?;
        let texts = header.texts(&mut body)?;
        body.finish()?;
        Ok(texts)
    }

    /// Returns the shape of an uncompressed array of 64-bit floats, whose parts can be read in place.
    pub(crate) fn laid_out(&mut self, name: &str) -> io::Result<Vec<usize>> {
        let header = self.header(name)?;
        let is_stored = self.members.iter().any(|member| member.name == name && member.is_stored());
        if !is_stored || !header.is_plain() {
            return Err(invalid(format!("the array {name} has another memory layout")));
        }
        Ok(header.shape)
    }

    /// Reads an array to its end only to verify its checksum.
    pub(crate) fn check(&mut self, name: &str) -> io::Result<()> {
        self.body(name)?.1.finish()
    }

    /// Reads this many values of an array that is [laid out](Self::laid_out), from this one on.
    pub(crate) fn part(&mut self, name: &str, from: usize, count: usize) -> io::Result<Vec<f64>> {
        self.laid_out(name)?;
        let header = self.header(name)?;
        let member = self.members.iter().find(|member| member.name == name);
        let start = member.map_or(0, Member::start) + header.length();
        if from.checked_add(count).is_none_or(|end| end > header.count()) {
            return Err(invalid(format!("the array {name} is shorter than that")));
        }
        self.source.seek(SeekFrom::Start(start + 8 * from as u64))?;
        let mut bytes = vec![0; 8 * count];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect())
    }
}

/// An iterator over values in C order.
pub(crate) type Numbers<'a> = &'a mut dyn Iterator<Item = io::Result<f64>>;
