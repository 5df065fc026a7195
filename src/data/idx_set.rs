//! Loads a set of four IDX files from its folder: finds, reads, orients and names it.

use std::io::Read as _;
use std::path::Path;

use super::find_files;
use super::find_files::Files;
use super::{DataError, RawImages, RawSet, idx, known_sets};

/// Reads the set at this path; also returns sentences that describe changes made while reading.
pub(super) fn load(path: &Path) -> Result<(RawSet, Vec<String>), DataError> {
    let files = find_files::idx(path)?;
    let (mut train, mut test) = (read(&files, 0)?, read(&files, 1)?);
    let mut notes = Vec::new();
    if files.folder != path && path.is_dir() {
        notes.push(format!("The images are those of {}", files.choice().display()));
    }
    if files.prefix.starts_with("emnist") {
        for part in [&mut train, &mut test] {
            exchange(part);
        }
        notes.push("EMNIST stores its images with rows and columns exchanged: they are turned upright".to_owned());
    }
    if let [channels, height, width] = train.shape
        && channels > 1
    {
        notes.push(format!("Each image is read as {height} × {width} pixels of {channels} channels"));
    }
    let count = train.labels.iter().chain(&test.labels).max().map_or(0, |&label| usize::from(label) + 1);
    let named = known_sets::name(&train, &test);
    let is_known = named.is_some();
    let (name, class_names) = named.unwrap_or_else(|| (neutral(&files), known_sets::numbered(count)));
    let mut set = RawSet { name, class_names, train, test };
    let table = mapping(&files).filter(|_| !is_known).and_then(|table| known_sets::letters(&table, &set));
    let has_table = table.is_some();
    set.class_names = table.unwrap_or(set.class_names);
    if !is_known && !has_table && files.choice().to_string_lossy().to_lowercase().contains("mnist") {
        let message = "These images are of no set that is known by its content: classes are called by their numbers";
        notes.push(message.to_owned());
    }
    Ok((set, notes))
}

fn read(files: &Files, part: usize) -> Result<RawImages, DataError> {
    // All files exist, or the set would not have been found.
    let open = |held: usize| find_files::open(files.file(part, held).unwrap_or(&files.folder));
    let (images_file, images) = open(0)?;
    let (labels_file, labels) = open(1)?;
    // Labels first: they are short, so their errors show before the images are unpacked.
    let labels = idx::read_labels(&labels_file, labels)?;
    idx::join(&images_file, idx::read_images(&images_file, images)?, &labels_file, labels)
}

/// Transposes the images.
fn exchange(images: &mut RawImages) {
    let [channels, height, width] = images.shape;
    let mut pixels = Vec::with_capacity(images.pixels.len());
    for plane in images.pixels.chunks_exact(height * width) {
        pixels.extend((0..width).flat_map(|column| plane.iter().skip(column).step_by(width)));
    }
    (images.shape, images.pixels) = ([channels, width, height], pixels);
}

/// Reads the table of letters beside the files, if there is one.
fn mapping(files: &Files) -> Option<String> {
    if files.prefix.is_empty() {
        return None;
    }
    let (_, file) = find_files::open(&files.folder.join(format!("{}-mapping.txt", files.prefix))).ok()?;
    let mut text = String::new();
    file.take(64 << 10).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Names a set after its folder, without claiming a known data set.
fn neutral(files: &Files) -> String {
    let parts: Vec<_> = files.folder.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let last = parts[parts.len().saturating_sub(2)..].join("/");
    let beside = if files.prefix.is_empty() { String::new() } else { format!(", {}", files.prefix) };
    format!("IDX folder {last}{beside}")
}
