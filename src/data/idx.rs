//! Reads IDX, the format of MNIST: a big-endian header (magic, one size per dimension), then the values. Plain or gzipped.
//!
//! Guarantees for arbitrary bytes: no panic, and memory grows with the bytes actually read, never with the sizes in a
//! header. The header is bounded first ([`MOST_BYTES`], and the free memory); then at most one byte more than it promises
//! is read or inflated, which detects a file that is too long without unpacking a decompression bomb. Compression is
//! detected from the bytes, not the name: mirrors and browsers unpack and rename.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::{DataError, RawImages};
use crate::spec::memory_available;

/// Largest size promised by a header; the largest file of EMNIST has 547 MB.
pub const MOST_BYTES: u64 = 1 << 30;
/// Largest side of an image.
pub const MOST_SIDE: u32 = 1024;
/// Up to this size the free memory is not checked.
const SMALL: u64 = 64 << 20;

/// The images of one file, without labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxImages {
    /// 1, or 3 for red, green and blue.
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// Row-major [n, channels, height, width].
    pub pixels: Vec<u8>,
}

/// The type of the values of a file, from the third byte of its magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        match code {
            0x08 => Some(Self::U8),
            0x09 => Some(Self::I8),
            0x0b => Some(Self::I16),
            0x0c => Some(Self::I32),
            0x0d => Some(Self::F32),
            0x0e => Some(Self::F64),
            _ => None,
        }
    }

    /// Returns the number of bytes of one value.
    fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Converts the [`Self::size`] bytes of a value.
    fn value(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::I8, &[a]) => f64::from(a as i8),
            (Self::I16, &[a, b]) => f64::from(i16::from_be_bytes([a, b])),
            (Self::I32, &[a, b, c, d]) => f64::from(i32::from_be_bytes([a, b, c, d])),
            (Self::F32, &[a, b, c, d]) => f64::from(f32::from_be_bytes([a, b, c, d])),
            (Self::F64, &[a, b, c, d, e, f, g, h]) => f64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => bytes.first().map_or(0.0, |&byte| f64::from(byte)),
        }
    }
}

/// The header and the values of a file.
struct Array {
    kind: Kind,
    /// The sizes of the dimensions, the number of items first.
    sizes: Vec<usize>,
    bytes: Vec<u8>,
}

/// Joins images and their labels; the file names are for the error.
pub fn join(images_file: &str, images: IdxImages, labels_file: &str, labels: Vec<u8>) -> Result<RawImages, DataError> {
    let IdxImages { channels, height, width, pixels } = images;
    let count = pixels.len() / (channels * height * width).max(1);
    if count != labels.len() {
        return Err(DataError::Count {
            images_file: images_file.to_owned(),
            images: count,
            labels_file: labels_file.to_owned(),
            labels: labels.len(),
        });
    }
    let labels = labels.into_iter().map(u16::from).collect();
    Ok(RawImages { shape: [channels, height, width], pixels, labels })
}

/// Reads a file of images; `file` is its name in errors. [n, h, w] is grey; of four sizes the one that is 3 or 1 counts as
/// channels, in [n, h, w, c] or [n, c, h, w].
pub fn read_images(file: &str, reader: impl Read) -> Result<IdxImages, DataError> {
    let array = read(file, reader, &[3, 4], "IDX images", 0x0000_0803)?;
    let refuse = |reason: String| Err(DataError::Dimensions { file: file.to_owned(), reason });
    let is_colour = |size: usize| size == 1 || size == 3;
    let (channels, height, width, last) = match *array.sizes.as_slice() {
        [_, height, width] => (1, height, width, false),
        [_, first, _, third] if is_colour(first) && is_colour(third) => {
            return refuse(format!("images of {first} × … × {third}, in which either may be the channels"));
        }
        [_, height, width, channels] if is_colour(channels) => (channels, height, width, true),
        [_, channels, height, width] if is_colour(channels) => (channels, height, width, false),
        _ => return refuse("images of four sizes of which none is 1 or 3, the number of channels".to_owned()),
    };
    let small = |value: f64| (value.fract() == 0.0 && (0.0..=255.0).contains(&value)).then_some(value as u8);
    let mut pixels = whole(file, array, "pixel", small)?;
    if last && channels > 1 {
        let mut planes = Vec::with_capacity(pixels.len());
        for image in pixels.chunks_exact(channels * height * width) {
            (0..channels).for_each(|channel| planes.extend(image.iter().skip(channel).step_by(channels)));
        }
        pixels = planes;
    }
    Ok(IdxImages { channels, height, width, pixels })
}

/// Reads a file of labels, whole numbers from 0 to 255; `file` is its name in errors. With several columns, as in QMNIST,
/// the first one is the class.
pub fn read_labels(file: &str, reader: impl Read) -> Result<Vec<u8>, DataError> {
    let mut array = read(file, reader, &[1, 2], "IDX labels", 0x0000_0801)?;
    if let [count, columns] = *array.sizes.as_slice() {
        // A one-hot row has as many columns as there are classes, and its first column is not the class.
        if columns > 1 && array.kind != Kind::I32 {
            let reason = format!("{columns} columns of labels where there is one: save the class of each image");
            return Err(DataError::Dimensions { file: file.to_owned(), reason });
        }
        let size = array.kind.size();
        array.bytes = array.bytes.chunks_exact(size * columns).flat_map(|row| &row[..size]).copied().collect();
        array.sizes = vec![count];
    }
    let class = |value: f64| (value.fract() == 0.0 && (0.0..=255.0).contains(&value)).then_some(value as u8);
    whole(file, array, "label", class)
}

/// Converts the values to bytes; fails unless each is a whole number from 0 to 255.
fn whole(file: &str, array: Array, what: &'static str, byte: impl Fn(f64) -> Option<u8>) -> Result<Vec<u8>, DataError> {
    let Array { kind, bytes, .. } = array;
    if kind == Kind::U8 {
        return Ok(bytes);
    }
    let values = || bytes.chunks_exact(kind.size()).map(|bytes| kind.value(bytes));
    // Values between 0 and 1 would become black as bytes; with a factor of 255 they would be rounded.
    if what == "pixel" && matches!(kind, Kind::F32 | Kind::F64) && values().all(|value| value <= 1.0) {
        let reason = "pixels from 0 to 1 where they are whole numbers from 0 to 255: multiply them by 255".to_owned();
        return Err(DataError::Dimensions { file: file.to_owned(), reason });
    }
    let mut found = Vec::with_capacity(bytes.len() / kind.size());
    for (place, value) in values().enumerate() {
        let Some(byte) = byte(value) else {
            return Err(DataError::Value { file: file.to_owned(), what, place, value });
        };
        found.push(byte);
    }
    Ok(found)
}

/// Reads an IDX file with one of these numbers of dimensions; `expected` is the usual magic for `what`.
fn read(
    file: &str,
    reader: impl Read,
    dimensions: &[u8],
    what: &'static str,
    expected: u32,
) -> Result<Array, DataError> {
    let mut reader = BufReader::new(reader);
    let start =
        reader.fill_buf().map_err(|err| DataError::Unreadable { file: file.to_owned(), reason: err.to_string() })?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let gzip = |err: std::io::Error| DataError::Gzip { file: file.to_owned(), reason: err.to_string() };
        parse(file, MultiGzDecoder::new(reader), dimensions, (what, expected), gzip)
    } else {
        let plain = |err: std::io::Error| DataError::Unreadable { file: file.to_owned(), reason: err.to_string() };
        parse(file, reader, dimensions, (what, expected), plain)
    }
}

fn parse(
    file: &str,
    mut reader: impl Read,
    dimensions: &[u8],
    (what, expected): (&'static str, u32),
    failed: impl Fn(std::io::Error) -> DataError,
) -> Result<Array, DataError> {
    let mut taken = 0;
    // The smallest length of a header, until the magic is known.
    let mut header = 4 + 4 * u64::from(dimensions[0]);
    let mut number = |header: u64| {
        let mut bytes = [0; 4];
        match reader.read_exact(&mut bytes) {
            Ok(()) => taken += 4,
            Err(err) if err.kind() == ErrorKind::UnexpectedEof => {
                return Err(DataError::Truncated { file: file.to_owned(), promised: header, found: taken });
            }
            Err(err) => return Err(failed(err)),
        }
        Ok(u32::from_be_bytes(bytes))
    };
    let magic = number(header)?;
    // Checked first, so that a file of another format is not reported as truncated.
    let [0, 0, code, count] = magic.to_be_bytes() else {
        return Err(DataError::Magic { file: file.to_owned(), what, found: magic, expected });
    };
    let (Some(kind), true) = (Kind::of(code), dimensions.contains(&count)) else {
        return Err(DataError::Magic { file: file.to_owned(), what, found: magic, expected });
    };
    header = 4 + 4 * u64::from(count);
    let sizes = (0..count).map(|_| number(header)).collect::<Result<Vec<u32>, _>>()?;
    let promised = bounded(file, &sizes, kind.size())?;
    // Each byte becomes a number of four, and other data need memory too.
    let room = if promised > SMALL { memory_available() / 5 } else { promised };
    let mut bytes = Vec::new();
    reader.take(promised.min(room) + 1).read_to_end(&mut bytes).map_err(failed)?;
    let found = bytes.len() as u64;
    if promised > room && found > room {
        let reason = format!("{} MiB of data, more than there is memory for", promised >> 20);
        return Err(DataError::Dimensions { file: file.to_owned(), reason });
    }
    match found.cmp(&promised) {
        std::cmp::Ordering::Less => {
            Err(DataError::Truncated { file: file.to_owned(), promised: header + promised, found: header + found })
        }
        std::cmp::Ordering::Greater => Err(DataError::Oversized { file: file.to_owned(), promised: header + promised }),
        std::cmp::Ordering::Equal => {
            Ok(Array { kind, sizes: sizes.into_iter().map(|size| size as usize).collect(), bytes })
        }
    }
}

/// Returns the number of bytes after a header with these sizes, if the file is supported.
fn bounded(file: &str, sizes: &[u32], each: usize) -> Result<u64, DataError> {
    let refuse = |reason: String| Err(DataError::Dimensions { file: file.to_owned(), reason });
    if sizes[0] == 0 {
        return refuse("no items at all".to_owned());
    }
    if let Some(side) = sizes[1..].iter().find(|&&side| side == 0 || side > MOST_SIDE) {
        return refuse(format!("images with a side of {side} pixels, which must be 1 to {MOST_SIDE}"));
    }
    let bytes = sizes.iter().try_fold(each as u64, |product, &size| product.checked_mul(u64::from(size)));
    match bytes.filter(|&bytes| bytes <= MOST_BYTES) {
        Some(bytes) => Ok(bytes),
        None => refuse(format!("more than {} MiB of data", MOST_BYTES >> 20)),
    }
}
