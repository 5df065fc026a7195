//! IDX, the format of MNIST: a big-endian header (magic, one size per dimension), then bytes. Plain or gzipped.
//!
//! Guarantees for arbitrary bytes: no panic, and memory grows with what is really read, never with what a header says.
//! The header is bounded first ([`MOST_BYTES`]); then at most one byte more than it promises is read or inflated, which
//! tells "too long" from "just right" without unpacking a bomb. Whether a file is gzipped is seen in its bytes, not its
//! name: mirrors and browsers unpack and rename.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

use super::{DataError, RawImages, RawSet, embedded, source::find};

/// A file that promises more than this is refused; MNIST's largest has 47 MB.
pub const MOST_BYTES: u64 = 256 << 20;
/// An image with a longer side is refused.
pub const MOST_SIDE: u32 = 1024;
/// The digits of MNIST, the clothes of Fashion-MNIST.
const CLASSES: usize = 10;

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;

/// The images of one file, without labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxImages {
    pub height: usize,
    pub width: usize,
    /// Row-major [n, height, width].
    pub pixels: Vec<u8>,
}

/// Reads the four files of a folder, each plain or `.gz`.
pub(super) fn load(folder: &Path) -> Result<RawSet, DataError> {
    // The two sets have the same files; only people tell them apart, by what they call the folder.
    let fashion = folder.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains("fashion"));
    let (name, class_names) = if fashion {
        ("Fashion-MNIST", embedded::CLASS_NAMES.map(str::to_owned).to_vec())
    } else {
        ("MNIST", (0..CLASSES).map(|digit| digit.to_string()).collect())
    };
    Ok(RawSet {
        name: name.to_owned(),
        class_names,
        train: load_part(folder, "train")?,
        test: load_part(folder, "t10k")?,
    })
}

fn load_part(folder: &Path, part: &str) -> Result<RawImages, DataError> {
    let open = |what: &str| -> Result<(String, File), DataError> {
        let names = ["-", "."].map(|dot| format!("{part}-{what}-ubyte").replace("-idx", &format!("{dot}idx")));
        let names: Vec<String> = names.into_iter().flat_map(|name| [name.clone(), name + ".gz"]).collect();
        let path = find(folder, &names, "MNIST or Fashion-MNIST")?;
        let file = path.display().to_string();
        match File::open(&path) {
            Ok(handle) => Ok((file, handle)),
            Err(err) => Err(DataError::Unreadable { file, reason: err.to_string() }),
        }
    };
    let (images_file, images) = open("images-idx3")?;
    let (labels_file, labels) = open("labels-idx1")?;
    join(&images_file, read_images(&images_file, images)?, &labels_file, read_labels(&labels_file, labels)?)
}

/// Puts images and their labels together; the names are for the error.
pub fn join(images_file: &str, images: IdxImages, labels_file: &str, labels: Vec<u8>) -> Result<RawImages, DataError> {
    let count = images.pixels.len() / (images.height * images.width).max(1);
    if count != labels.len() {
        return Err(DataError::Count {
            images_file: images_file.to_owned(),
            images: count,
            labels_file: labels_file.to_owned(),
            labels: labels.len(),
        });
    }
    Ok(RawImages { shape: [1, images.height, images.width], pixels: images.pixels, labels })
}

/// Reads a file of images; `file` names it in errors.
pub fn read_images(file: &str, reader: impl Read) -> Result<IdxImages, DataError> {
    let (sizes, pixels) = read(file, reader, IMAGES_MAGIC, "IDX images")?;
    let [_, height, width] = sizes;
    Ok(IdxImages { height, width, pixels })
}

/// Reads a file of labels, each below ten; `file` names it in errors.
pub fn read_labels(file: &str, reader: impl Read) -> Result<Vec<u8>, DataError> {
    let ([_], labels) = read(file, reader, LABELS_MAGIC, "IDX labels")?;
    match labels.iter().position(|&label| usize::from(label) >= CLASSES) {
        Some(image) => Err(DataError::Label { file: file.to_owned(), image, label: labels[image], classes: CLASSES }),
        None => Ok(labels),
    }
}

/// Reads an IDX file of `D` dimensions: its sizes, the number of items first, and its bytes.
fn read<const D: usize>(
    file: &str,
    reader: impl Read,
    magic: u32,
    what: &'static str,
) -> Result<([usize; D], Vec<u8>), DataError> {
    let mut reader = BufReader::new(reader);
    let start =
        reader.fill_buf().map_err(|err| DataError::Unreadable { file: file.to_owned(), reason: err.to_string() })?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let gzip = |err: std::io::Error| DataError::Gzip { file: file.to_owned(), reason: err.to_string() };
        parse(file, MultiGzDecoder::new(reader), magic, what, gzip)
    } else {
        let plain = |err: std::io::Error| DataError::Unreadable { file: file.to_owned(), reason: err.to_string() };
        parse(file, reader, magic, what, plain)
    }
}

fn parse<const D: usize>(
    file: &str,
    mut reader: impl Read,
    magic: u32,
    what: &'static str,
    failed: impl Fn(std::io::Error) -> DataError,
) -> Result<([usize; D], Vec<u8>), DataError> {
    let header = 4 + 4 * D as u64;
    let mut numbers = [0; 4];
    for (place, number) in numbers[..=D].iter_mut().enumerate() {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map_err(|err| match err.kind() {
            ErrorKind::UnexpectedEof => {
                DataError::Truncated { file: file.to_owned(), promised: header, found: 4 * place as u64 }
            }
            _ => failed(err),
        })?;
        *number = u32::from_be_bytes(bytes);
        // At once: a file of another kind shall not be called cut off.
        if place == 0 && *number != magic {
            return Err(DataError::Magic { file: file.to_owned(), what, found: *number, expected: magic });
        }
    }
    let sizes: [u32; D] = std::array::from_fn(|dimension| numbers[dimension + 1]);
    let promised = bounded(file, &sizes)?;
    let mut bytes = Vec::new();
    reader.take(promised + 1).read_to_end(&mut bytes).map_err(failed)?;
    let found = bytes.len() as u64;
    match found.cmp(&promised) {
        std::cmp::Ordering::Less => {
            Err(DataError::Truncated { file: file.to_owned(), promised: header + promised, found: header + found })
        }
        std::cmp::Ordering::Greater => Err(DataError::Oversized { file: file.to_owned(), promised: header + promised }),
        std::cmp::Ordering::Equal => Ok((sizes.map(|size| size as usize), bytes)),
    }
}

/// Bytes that follow a header with these sizes, if it is one this program reads.
fn bounded(file: &str, sizes: &[u32]) -> Result<u64, DataError> {
    let refuse = |reason: String| Err(DataError::Dimensions { file: file.to_owned(), reason });
    if sizes[0] == 0 {
        return refuse("no items at all".to_owned());
    }
    if let Some(side) = sizes[1..].iter().find(|&&side| side == 0 || side > MOST_SIDE) {
        return refuse(format!("images with a side of {side} pixels, which must be 1 to {MOST_SIDE}"));
    }
    let bytes = sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(u64::from(size)));
    match bytes.filter(|&bytes| bytes <= MOST_BYTES) {
        Some(bytes) => Ok(bytes),
        None => refuse(format!("more than {} MiB of data", MOST_BYTES >> 20)),
    }
}
