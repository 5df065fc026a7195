//! From the bytes of a source in the spec to a [`DataSet`]: the one place that knows all of them.

use std::path::{Path, PathBuf};

use super::{Cifar, DataError, DataSet, cifar, embedded, idx};
use crate::spec::{DataSpec, Source};

/// Loads the images, keeps the first ones of each class as asked, makes them smaller and standardises them if asked.
///
/// # Errors
/// Files that are missing or broken, each in one sentence.
pub fn load(spec: &DataSpec) -> Result<DataSet, DataError> {
    let folder = || spec.path.as_deref().filter(|path| !path.as_os_str().is_empty()).ok_or(DataError::NoPath);
    let mut raw = match spec.source {
        Source::FashionMnistSmall => embedded::fashion_mnist_small()?,
        Source::Idx => idx::load(folder()?)?,
        Source::Cifar10 => cifar::load(folder()?, Cifar::Ten)?,
        Source::Cifar100 => cifar::load(folder()?, Cifar::Hundred)?,
        // Their points depend on the tasks and probes of the run, so they are made in `prepare`.
        Source::Circle | Source::Disk | Source::SpherePolynomial | Source::Fourier => return Err(DataError::Points),
    };
    raw.train.keep_first(spec.per_class);
    raw.test.keep_first(spec.test_per_class);
    raw.train.shrink(spec.shrink)?;
    raw.test.shrink(spec.shrink)?;
    let mut set = DataSet::new(raw)?;
    if spec.standardise {
        set.standardise();
    }
    if spec.binary {
        set.halve();
    }
    Ok(set)
}

/// The first of these files that the folder has.
pub(super) fn find(folder: &Path, names: &[String], set: &'static str) -> Result<PathBuf, DataError> {
    if !folder.is_dir() {
        return Err(DataError::NotAFolder(folder.to_owned()));
    }
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| DataError::Missing { folder: folder.to_owned(), names: names.to_vec(), set })
}
