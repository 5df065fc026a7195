//! Tells which files a run reads its data from, and a hash by which the same data are known on another machine.

use std::path::PathBuf;

use super::find_files;
use super::{Cifar, DataError, cifar, image_folder, load, npz_set};
use crate::math::checksum::fnv1a;
use crate::spec::{DataSpec, Source, expanded};

/// Returns the hash of the images and labels as a run of this spec sees them; empty where they are made from the spec alone or
/// come with the program.
///
/// # Errors
/// Fails if the data cannot be read.
pub fn data_hash(spec: &DataSpec) -> Result<String, DataError> {
    if source_path(spec).is_none() {
        return Ok(String::new());
    }
    let set = load(spec)?;
    let parts = [&set.train, &set.test].into_iter().flat_map(|images| {
        let pixels = images.pixels.iter().flat_map(|value| value.to_le_bytes());
        let labels = images.labels.iter().flat_map(|label| (*label as u64).to_le_bytes());
        [pixels.collect::<Vec<u8>>(), labels.collect()]
    });
    let parts: Vec<Vec<u8>> = parts.collect();
    Ok(fnv1a(parts.iter().map(Vec::as_slice)))
}

/// Returns the files that hold the data of a run; none where it reads none.
///
/// # Errors
/// Fails if they are not all there.
pub fn data_files(spec: &DataSpec) -> Result<Vec<PathBuf>, DataError> {
    let Some(path) = source_path(spec) else { return Ok(Vec::new()) };
    match spec.source {
        Source::ImageFolder => image_folder::files(&path),
        Source::Npz => Ok(vec![npz_set::archive(&path)?]),
        Source::Idx => Ok(find_files::idx(&path)?.all()),
        Source::Cifar10 => cifar::files(&path, Cifar::Ten),
        Source::Cifar100 => cifar::files(&path, Cifar::Hundred),
        Source::FashionMnistSmall | Source::Circle | Source::Disk | Source::SpherePolynomial | Source::Fourier => {
            Ok(Vec::new())
        }
    }
}

/// Returns the path from which the data are read; `None` for sources that read none.
fn source_path(spec: &DataSpec) -> Option<PathBuf> {
    spec.path.as_deref().filter(|_| spec.source.needs_folder()).map(expanded)
}
