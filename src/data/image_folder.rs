//! Loads pictures from a folder for each class, `train/CLASS/x.png`, as torchvision's `ImageFolder` and ImageNet have them.
//!
//! Each picture is resized until its shorter side is `data.side` and cut to a square around its centre, with the filter of
//! torchvision's `Resize` and `CenterCrop` (`tests/fixtures/pictures/make.py` compares both). Classes are numbered in the order of
//! their folders' names.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageReader, Limits};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::npz_set::MOST_CLASSES;
use super::{DataError, RawImages, RawSet, find_files};
use crate::spec::{DataSpec, memory_available};

/// Names of the folder of test pictures, the preferred ones first.
const TEST: [&str; 4] = ["test", "val", "valid", "validation"];
/// Folders below that of a class that are looked into: `n01443537/images`.
const DEPTH: usize = 3;
/// Without a folder of test pictures every sixth one of each class is one, as in MNIST.
const HELD_OUT: usize = 6;
/// The largest side of a picture, and the memory that one may take while it is decoded.
const MOST_SIDE: u32 = 1 << 15;
const MOST_DECODED: u64 = 1 << 30;

/// The files of the pictures of each class, sorted, by the name of the class.
type Classes = BTreeMap<String, Vec<PathBuf>>;

/// The files of a set.
#[derive(Default)]
struct Files {
    train: Classes,
    test: Classes,
    /// Files that are no pictures.
    others: usize,
    is_split_here: bool,
}

/// Reads the pictures that this spec keeps; also returns sentences on how they were read.
pub(super) fn load(path: &Path, spec: &DataSpec) -> Result<(RawSet, Vec<String>), DataError> {
    let mut files = find(path)?;
    let mut notes = Vec::new();
    if files.is_split_here {
        let message = "There is no folder of test pictures: every sixth picture of each class, by name, is one";
        notes.push(message.to_owned());
    }
    if files.others > 0 {
        notes.push(format!("{} files that are no .png or .jpg are passed over", files.others));
    }
    let class_names: Vec<String> = files.train.keys().cloned().collect();
    for (part, most) in [(&mut files.train, spec.per_class), (&mut files.test, spec.test_per_class)] {
        part.values_mut().filter(|_| most > 0).for_each(|pictures| pictures.truncate(most));
    }
    let count: usize = files.train.values().chain(files.test.values()).map(Vec::len).sum();
    let side = spec.side;
    let (needed, free) = (3 * (side * side * count) as u64, memory_available());
    // Every machine has this much.
    if needed > (256 << 20) && needed > free {
        return Err(DataError::Memory { needed: needed >> 20, free: free >> 20 });
    }
    let (train, test) = (pictures(&files.train, &class_names, side)?, pictures(&files.test, &class_names, side)?);
    let is_grey = train.iter().chain(&test).all(|picture| picture.is_grey);
    let joined = |pictures: Vec<Picture>| RawImages {
        shape: [if is_grey { 1 } else { 3 }, side, side],
        labels: pictures.iter().map(|picture| picture.label).collect(),
        pixels: pictures.iter().flat_map(|picture| picture.planes(is_grey)).collect(),
    };
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    notes.push(format!("Each picture is resized to {side} pixels at its shorter side and cut to a square"));
    Ok((RawSet { name, class_names, train: joined(train), test: joined(test) }, notes))
}

/// Returns all files that a reader of this folder opens.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let files = find(path)?;
    Ok(files.train.into_values().chain(files.test.into_values()).flatten().collect())
}

/// Finds the pictures of each class.
fn find(path: &Path) -> Result<Files, DataError> {
    find_files::folder(path)?;
    let mut files = Files::default();
    let train = path.join("train");
    if train.is_dir() {
        files.train = classes(&train, &mut files.others)?;
        match TEST.iter().map(|name| path.join(name)).find(|folder| folder.is_dir()) {
            Some(folder) => {
                files.test = classes(&folder, &mut files.others)?;
                if let Some(name) = files.test.keys().find(|name| !files.train.contains_key(*name)) {
                    return Err(DataError::ClassFolder { folder: folder.join(name), train });
                }
            }
            None => files.is_split_here = true,
        }
    } else {
        files.train = classes(path, &mut files.others)?;
        files.is_split_here = true;
    }
    if files.train.is_empty() {
        return Err(find_files::other(path)
            .filter(|_| !train.is_dir())
            .unwrap_or_else(|| DataError::NoPictures(path.to_owned())));
    }
    if files.train.len() > MOST_CLASSES {
        let reason = format!("{} folders of classes where at most {MOST_CLASSES} are read", files.train.len());
        return Err(DataError::Dimensions { file: path.display().to_string(), reason });
    }
    if files.is_split_here {
        for (name, pictures) in &mut files.train {
            let mut place = 0;
            let held = pictures.extract_if(.., |_| {
                place += 1;
                place % HELD_OUT == 0
            });
            files.test.insert(name.clone(), held.collect());
        }
    }
    Ok(files)
}

/// Returns the pictures of each folder in this one, without folders that have none.
fn classes(folder: &Path, others: &mut usize) -> Result<Classes, DataError> {
    let mut found = Classes::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let mut pictures = Vec::new();
        collect(&path, DEPTH, &mut pictures, others)?;
        pictures.sort();
        if !pictures.is_empty() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            found.insert(name.chars().filter(|c| !c.is_control()).take(40).collect(), pictures);
        }
    }
    Ok(found)
}

fn collect(folder: &Path, depth: usize, pictures: &mut Vec<PathBuf>, others: &mut usize) -> Result<(), DataError> {
    for path in entries(folder)? {
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, pictures, others)?;
            }
            continue;
        }
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            _ if find_files::is_picture(&path) => pictures.push(path),
            // Other formats of pictures would be left out silently.
            "bmp" | "gif" | "webp" | "tif" | "tiff" | "ppm" | "pgm" | "avif" | "heic" => {
                let reason = format!("pictures that end in .{ending} are not read: convert them to .png");
                return Err(DataError::Picture { file: path, reason });
            }
            _ => *others += 1,
        }
    }
    Ok(())
}

/// Returns the entries of a folder whose names do not begin with a dot.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let closed = |err: std::io::Error| DataError::Closed { path: folder.to_owned(), reason: find_files::reason(&err) };
    let paths = fs::read_dir(folder).map_err(closed)?.map(|entry| entry.map(|entry| entry.path()));
    let is_shown = |path: &PathBuf| !path.file_name().unwrap_or_default().to_string_lossy().starts_with('.');
    Ok(paths.collect::<Result<Vec<_>, _>>().map_err(closed)?.into_iter().filter(is_shown).collect())
}

/// A square picture.
struct Picture {
    label: u16,
    is_grey: bool,
    /// Row-major [side, side, 3].
    pixels: Vec<u8>,
}

impl Picture {
    /// Returns the planes of its channels: one if all pictures of the set are grey.
    fn planes(&self, is_grey: bool) -> impl Iterator<Item = u8> {
        let channels = if is_grey { 1 } else { 3 };
        (0..channels).flat_map(|channel| self.pixels.iter().skip(channel).step_by(3).copied())
    }
}

/// Decodes the pictures of one part, class by class.
fn pictures(classes: &Classes, names: &[String], side: usize) -> Result<Vec<Picture>, DataError> {
    let label = |name: &String| names.binary_search(name).unwrap_or_default() as u16;
    let files: Vec<(u16, &PathBuf)> =
        classes.iter().flat_map(|(name, files)| files.iter().map(move |file| (label(name), file))).collect();
    files.par_iter().map(|&(label, file)| decode(file, label, side)).collect()
}

fn decode(path: &Path, label: u16, side: usize) -> Result<Picture, DataError> {
    let refused = |reason: &str| DataError::Picture { file: path.to_owned(), reason: reason.to_owned() };
    let (_, file) = find_files::open(path)?;
    let mut reader = ImageReader::new(BufReader::new(file));
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MOST_SIDE), Some(MOST_SIDE));
    limits.max_alloc = Some(MOST_DECODED);
    reader.limits(limits);
    let reader = reader.with_guessed_format().map_err(|err| refused(&find_files::reason(&err)))?;
    if !matches!(reader.format(), Some(image::ImageFormat::Png | image::ImageFormat::Jpeg)) {
        return Err(refused("it is no PNG or JPEG, whatever its name says: convert it, or move it away"));
    }
    let picture = reader.decode().map_err(|err| match err {
        image::ImageError::Limits(_) => refused("it is too large to be decoded: make it smaller"),
        _ => refused("it is damaged: fetch it again, or move it away"),
    })?;
    let is_grey = !picture.color().has_color();
    Ok(Picture { label, is_grey, pixels: square(&picture, side) })
}

/// Resizes a picture until its shorter side has this many pixels, and cuts out its centre; returns [side, side, 3].
fn square(picture: &DynamicImage, side: usize) -> Vec<u8> {
    let picture = picture.to_rgb8();
    let (width, height) = picture.dimensions();
    let shorter = width.min(height).max(1);
    let target = side as u32;
    // The longer side is rounded down, as in torchvision.
    let scaled = |length: u32| (u64::from(target) * u64::from(length) / u64::from(shorter)) as u32;
    let (across, down) = (scaled(width).max(target), scaled(height).max(target));
    let resized = if (across, down) == (width, height) {
        picture
    } else {
        imageops::resize(&picture, across, down, FilterType::Triangle)
    };
    // Halves are rounded to even, as Python rounds them.
    let corner = |length: u32| (f64::from(length - target) / 2.0).round_ties_even() as u32;
    imageops::crop_imm(&resized, corner(across), corner(down), target, target).to_image().into_raw()
}
