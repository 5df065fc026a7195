//! NumPy archives: npy arrays (crate `npyz`) in an uncompressed zip (crate `zip`), so that `numpy.load` opens them.
//!
//! Guarantees for reading: whatever the bytes are, an error and not a panic, and no more memory than a small multiple of the
//! file's length. The header is looked at before `npyz` gets it, because its parser recurses and multiplies unchecked.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use npyz::{AutoSerialize, Deserialize, NpyFile, NpyHeader, WriteOptions, WriterBuilder as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::hushed::Hushed;

/// Writes one archive, array by array.
pub(super) struct NpzWriter<W: Write + Seek> {
    zip: ZipWriter<Hushed<W>>,
}

impl<W: Write + Seek> NpzWriter<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { zip: ZipWriter::new(Hushed::new(writer)) }
    }

    /// Adds one array in C order; there must be as many values as the shape says.
    pub(super) fn array<T: AutoSerialize>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        self.stream(name, shape, |push| values.into_iter().try_for_each(|value| push(&value)))
    }

    /// The same, the values being pushed one by one: an array need not fit in memory.
    pub(super) fn stream<T: AutoSerialize>(
        &mut self,
        name: &str,
        shape: &[usize],
        fill: impl FnOnce(&mut dyn FnMut(&T) -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
        let bytes = shape.iter().product::<u64>().saturating_mul(size_of::<T>() as u64);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes > u64::from(u32::MAX) - 4096);
        self.zip.start_file(npyz::npz::file_name_from_array_name(name), options)?;
        let mut writer = WriteOptions::new().default_dtype().shape(&shape).writer(&mut self.zip).begin_nd()?;
        fill(&mut |value| writer.push(value))?;
        writer.finish()
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.zip.finish()?.flush()
    }
}

/// An array in memory.
pub(super) struct Array<T> {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<T>,
}

/// An archive open for reading.
pub(super) struct NpzReader {
    archive: ZipArchive<BufReader<File>>,
    length: u64,
}

impl NpzReader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { archive: ZipArchive::new(BufReader::new(file))?, length })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&npyz::npz::file_name_from_array_name(name)).is_some()
    }

    /// The bytes of one array with its header, unpacked.
    pub(super) fn bytes(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let entry = self.archive.by_name(&npyz::npz::file_name_from_array_name(name))?;
        // No deflated stream is longer than so many times itself: more is a header that lies.
        let (size, most) = (entry.size(), entry.compressed_size().saturating_mul(1100));
        if size > most {
            return Err(invalid(format!("the array {name} is longer than its file")));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        entry.take(size).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads one array whole.
    pub(super) fn array<T: Deserialize>(&mut self, name: &str) -> io::Result<Array<T>> {
        self.stream(name, |shape, values| {
            Ok(Array { shape: shape.to_vec(), values: values.collect::<io::Result<_>>()? })
        })
    }

    /// Hands the shape and the values of one array, in C order, to `take`, which may stop early.
    pub(super) fn stream<T: Deserialize, R>(
        &mut self,
        name: &str,
        take: impl FnOnce(&[usize], &mut dyn Iterator<Item = io::Result<T>>) -> io::Result<R>,
    ) -> io::Result<R> {
        let length = self.length;
        let mut entry = self.archive.by_name(&npyz::npz::file_name_from_array_name(name))?;
        let header = header(&mut entry)?;
        let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
        // The check against the length of the file is what keeps a lying header from asking for all memory.
        let promised = shape.iter().try_fold(size_of::<T>() as u64, |bytes, &size| bytes.checked_mul(size as u64));
        if promised.is_none_or(|bytes| bytes > length) {
            return Err(invalid(format!("the array {name} is longer than its file")));
        }
        if header.order() != npyz::Order::C && shape.len() > 1 {
            return Err(invalid(format!("the array {name} is in Fortran order")));
        }
        let mut values = NpyFile::with_header(header, entry).data::<T>().map_err(|err| invalid(err.to_string()))?;
        take(&shape, &mut values)
    }

    /// Hands the shape and the values of an array of numbers of any usual kind to `take`, as they come out of the archive: it
    /// may be compressed, and longer than memory.
    pub(super) fn numbers<R>(
        &mut self,
        name: &str,
        take: impl FnOnce(&[usize], Numbers<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut entry = self.archive.by_name(&npyz::npz::file_name_from_array_name(name))?;
        let header = header(&mut entry)?;
        if header.order() != npyz::Order::C && header.shape().len() > 1 {
            return Err(invalid("it is in Fortran order: save numpy.ascontiguousarray of it".to_owned()));
        }
        let descr = header.dtype().descr();
        let entry = BufReader::with_capacity(1 << 16, entry);
        match descr.trim_matches(['\'', '<', '>', '=', '|']) {
            "f4" => widened(header, entry, |value: f32| f64::from(value), take),
            "f8" => widened(header, entry, |value: f64| value, take),
            "i1" => widened(header, entry, |value: i8| f64::from(value), take),
            "i2" => widened(header, entry, |value: i16| f64::from(value), take),
            "i4" => widened(header, entry, |value: i32| f64::from(value), take),
            "i8" => widened(header, entry, |value: i64| value as f64, take),
            "u1" => widened(header, entry, |value: u8| f64::from(value), take),
            "u2" => widened(header, entry, |value: u16| f64::from(value), take),
            "u4" => widened(header, entry, |value: u32| f64::from(value), take),
            "u8" => widened(header, entry, |value: u64| value as f64, take),
            _ => Err(invalid(format!("it holds {descr} where numbers were expected: save it as float32"))),
        }
    }

    /// The shape of an array of 64-bit floats whose parts can be read where they lie: one that is not compressed.
    pub(super) fn laid_out(&mut self, name: &str) -> io::Result<Vec<usize>> {
        let mut entry = self.archive.by_name_seek(&npyz::npz::file_name_from_array_name(name))?;
        let header = header(&mut entry)?;
        if header.order() != npyz::Order::C || header.dtype().descr() != "'<f8'" {
            return Err(invalid(format!("the array {name} is laid out in another way")));
        }
        Ok(header.shape().iter().map(|&size| size as usize).collect())
    }

    /// So many values of such an array, from this one on.
    pub(super) fn part(&mut self, name: &str, from: usize, count: usize) -> io::Result<Vec<f64>> {
        let mut entry = self.archive.by_name_seek(&npyz::npz::file_name_from_array_name(name))?;
        header(&mut entry)?;
        let skip = i64::try_from(8 * from as u64).map_err(|_| invalid(format!("the array {name} is too long")))?;
        entry.seek(SeekFrom::Current(skip))?;
        let wanted = 8 * count as u64;
        let mut bytes = Vec::new();
        entry.take(wanted).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != wanted {
            return Err(invalid(format!("the array {name} is shorter than its header says")));
        }
        Ok(bytes.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect())
    }
}

/// Values as they come, in C order.
pub(super) type Numbers<'a> = &'a mut dyn Iterator<Item = io::Result<f64>>;

fn widened<T: Deserialize, R>(
    header: NpyHeader,
    entry: impl Read,
    to: fn(T) -> f64,
    take: impl FnOnce(&[usize], Numbers<'_>) -> io::Result<R>,
) -> io::Result<R> {
    let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
    let values = NpyFile::with_header(header, entry).data::<T>().map_err(|err| invalid(err.to_string()))?;
    take(&shape, &mut values.map(|value| value.map(to)))
}

/// Reads the header of an array if it looks like one of ours.
pub(super) fn header(entry: &mut impl Read) -> io::Result<NpyHeader> {
    // Magic, version 1.0, length of the text in two bytes: all that is needed for arrays of numbers.
    let mut start = [0; 10];
    entry.read_exact(&mut start)?;
    let text = usize::from(u16::from_le_bytes([start[8], start[9]]));
    if &start[..6] != b"\x93NUMPY" || start[6] != 1 || text > 1024 {
        return Err(invalid("this is no array of numbers".to_owned()));
    }
    let mut bytes = start.to_vec();
    bytes.resize(10 + text, 0);
    entry.read_exact(&mut bytes[10..])?;
    // Few brackets: the parser recurses. At most 18 digits in all: the product of the sizes is below 10^18 and cannot overflow.
    let count = |wanted: fn(&u8) -> bool| bytes[10..].iter().filter(|byte| wanted(byte)).count();
    if count(|byte| b"([{".contains(byte)) > 4 || count(u8::is_ascii_digit) > 18 {
        return Err(invalid("this is no array of numbers".to_owned()));
    }
    NpyHeader::from_reader(bytes.as_slice())
}

pub(super) fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
