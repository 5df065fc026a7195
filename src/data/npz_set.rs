//! Loads a set from a NumPy archive with `x_train`, `y_train`, `x_test` and `y_test`, as Keras writes it, or `train_images`,
//! `train_labels`, `test_images` and `test_labels`, as MedMNIST does.
//!
//! Whole numbers from 0 to 255 are pixels of 8 bits; any other numbers are read as they are.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DataError, RawImages, RawSet, find_files, known_sets};
use crate::storage::{Arrays, Layout, LayoutError};

/// The names of images and labels of the training and the test part.
const NAMES: [[[&str; 2]; 2]; 2] = [
    [["x_train", "y_train"], ["x_test", "y_test"]],
    [["train_images", "train_labels"], ["test_images", "test_labels"]],
];

/// The largest number of classes.
pub(super) const MOST_CLASSES: usize = 1 << 16;

/// A set whose pixels are bytes or other numbers.
pub(super) enum NumberSet {
    Bytes(RawSet<u8>),
    Floats(RawSet<f32>),
}

/// Reads the archive at this path, or the only one in this folder; also returns sentences on how it was read.
pub(super) fn load(path: &Path) -> Result<(NumberSet, Vec<String>), DataError> {
    let file = archive(path)?;
    let shown = file.display().to_string();
    let refused = |reason: String| DataError::Archived { file: shown.clone(), reason };
    let mut arrays = Arrays::open(&file).map_err(refused)?;
    let mut notes = Vec::new();
    if file != path {
        notes.push(format!("The images are those of {shown}"));
    }
    let has = |arrays: &mut Arrays, name: &str| arrays.shape(name).map(|shape| shape.is_some());
    let mut chosen = None;
    for names in NAMES {
        if has(&mut arrays, names[0][0]).map_err(refused)? {
            chosen = Some(names);
            break;
        }
    }
    let names = chosen.ok_or_else(|| {
        let there = arrays.other_names(&[]).unwrap_or_default();
        refused(format!(
            "it has no array x_train among [{there}]: save one with numpy.savez(file, x_train=…, y_train=…, x_test=…, y_test=…)"
        ))
    })?;
    let mut parts = Vec::new();
    for [images, labels] in names {
        let labels = self::labels(&mut arrays, labels).map_err(refused)?;
        parts.push((self::images(&mut arrays, images, &labels, &mut notes).map_err(refused)?, labels));
    }
    let classes = parts.iter().flat_map(|(_, labels)| labels).max().map_or(0, |&label| usize::from(label) + 1);
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let class_names = known_sets::numbered(classes);
    let [(train, of_train), (test, of_test)] = <[_; 2]>::try_from(parts).unwrap_or_else(|_| unreachable!("two parts"));
    let set = match (train.numbers, test.numbers) {
        (Numbers::Bytes(first), Numbers::Bytes(second)) => NumberSet::Bytes(RawSet {
            name,
            class_names,
            train: RawImages { shape: train.shape, pixels: first, labels: of_train },
            test: RawImages { shape: test.shape, pixels: second, labels: of_test },
        }),
        // Two parts in different types are numbers as they are, so that both have the same scale.
        (first, second) => NumberSet::Floats(RawSet {
            name,
            class_names,
            train: RawImages { shape: train.shape, pixels: first.floats(), labels: of_train },
            test: RawImages { shape: test.shape, pixels: second.floats(), labels: of_test },
        }),
    };
    Ok((set, notes))
}

/// Returns the archive that a path chooses.
pub(super) fn archive(path: &Path) -> Result<PathBuf, DataError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    find_files::folder(path)?;
    let ends = |path: &Path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz"));
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| ends(path) && path.is_file()).collect();
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(find_files::other(path).unwrap_or_else(|| DataError::Missing {
            folder: path.to_owned(),
            names: vec!["file that ends in .npz".to_owned()],
            set: "NumPy",
        })),
        several => {
            let choices = several.iter().map(|path| path.display().to_string()).collect();
            Err(DataError::Several { folder: path.to_owned(), choices })
        }
    }
}

/// The numbers of images, row-major.
enum Numbers {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

impl Numbers {
    fn floats(self) -> Vec<f32> {
        match self {
            Self::Bytes(bytes) => bytes.into_iter().map(f32::from).collect(),
            Self::Floats(floats) => floats,
        }
    }

    /// Moves the last axis, of this many channels, in front of the plane of each image.
    fn channels_first(self, channels: usize, plane: usize) -> Self {
        fn turned<T: Copy>(values: &[T], channels: usize, plane: usize) -> Vec<T> {
            let images = values.chunks_exact(channels * plane);
            images
                .flat_map(|image| (0..channels).flat_map(move |channel| image.iter().skip(channel).step_by(channels)))
                .copied()
                .collect()
        }
        match self {
            Self::Bytes(bytes) => Self::Bytes(turned(&bytes, channels, plane)),
            Self::Floats(floats) => Self::Floats(turned(&floats, channels, plane)),
        }
    }
}

/// The images of one part.
struct Part {
    shape: [usize; 3],
    numbers: Numbers,
}

/// Reads the labels of one part: whole numbers from 0, one for each image.
fn labels(arrays: &mut Arrays, name: &str) -> Result<Vec<u16>, String> {
    let (shape, values) = arrays.floats(name)?.ok_or_else(|| format!("it has no array {name}"))?;
    if !matches!(*shape.as_slice(), [_] | [_, 1]) {
        return Err(format!("{name} has the shape {shape:?} where one label for each image was expected, [n]"));
    }
    let label = |(at, value): (usize, f64)| {
        let is_class = value.fract() == 0.0 && (0.0..MOST_CLASSES as f64).contains(&value);
        is_class.then_some(value as u16).ok_or_else(|| {
            format!(
                "{name} has the label {value} at image {at}, which is no whole number from 0 to {}",
                MOST_CLASSES - 1
            )
        })
    };
    values.into_iter().enumerate().map(label).collect()
}

/// Reads the images of one part.
fn images(arrays: &mut Arrays, name: &str, labels: &[u16], notes: &mut Vec<String>) -> Result<Part, String> {
    let shape = arrays.shape(name)?.ok_or_else(|| format!("it has no array {name}"))?;
    let (image, is_last) = match (Layout::of(&shape, false), shape.as_slice()) {
        (Ok(layout), _) => {
            notes.push(format!("{name} {shape:?} is read as {}", layout.description));
            (layout.image, false)
        }
        (Err(LayoutError::ChannelsLast(_)), &[_, height, width, channels]) => {
            notes.push(format!("{name} {shape:?} is read as images of {height} × {width}, channels last"));
            ([channels, height, width], true)
        }
        (Err(err), _) => return Err(format!("{name}: {err}")),
    };
    if shape[0] != labels.len() {
        return Err(format!("{name} has {} images and {} labels", shape[0], labels.len()));
    }
    let numbers = match arrays.bytes(name)? {
        Some(bytes) => Numbers::Bytes(bytes),
        None => {
            let floats = arrays.singles(name)?;
            if let Some(at) = floats.iter().position(|value| !value.is_finite()) {
                let image = at / floats.len().div_ceil(shape[0]).max(1);
                return Err(format!("{name} has the number {} in image {image}: save finite numbers", floats[at]));
            }
            notes.push(format!("The numbers of {name} are read as they are"));
            Numbers::Floats(floats)
        }
    };
    let [channels, height, width] = image;
    let numbers = if is_last { numbers.channels_first(channels, height * width) } else { numbers };
    Ok(Part { shape: image, numbers })
}
