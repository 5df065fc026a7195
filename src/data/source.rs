//! From the bytes of a source in the spec to a [`DataSet`]: the one place that knows all of them.

use super::{Cifar, DataError, DataSet, RawSet, cifar, embedded, idx_set};
use crate::spec::{DataSpec, Source, expanded, memory_available};

/// Loads the images, keeps the first ones of each class as asked, makes them smaller and standardises them if asked.
///
/// # Errors
/// Files that are missing or broken, images that do not fit into memory, each in one sentence.
pub fn load(spec: &DataSpec) -> Result<DataSet, DataError> {
    let folder = || {
        let path = spec.path.as_deref().filter(|path| !path.as_os_str().is_empty());
        path.map(expanded).ok_or(DataError::NoPath)
    };
    let plain = |set: RawSet| (set, Vec::new());
    let (mut raw, notes) = match spec.source {
        Source::FashionMnistSmall => plain(embedded::fashion_mnist_small()?),
        Source::Idx => idx_set::load(&folder()?)?,
        Source::Cifar10 => plain(cifar::load(&folder()?, Cifar::Ten)?),
        Source::Cifar100 => plain(cifar::load(&folder()?, Cifar::Hundred)?),
        // Their points depend on the tasks and probes of the run, so they are made in `prepare`.
        Source::Circle | Source::Disk | Source::SpherePolynomial | Source::Fourier => return Err(DataError::Points),
    };
    raw.train.keep_first(spec.per_class);
    raw.test.keep_first(spec.test_per_class);
    raw.train.shrink(spec.shrink)?;
    raw.test.shrink(spec.shrink)?;
    fits(&raw)?;
    let mut set = DataSet::new(raw)?;
    set.notes = notes;
    if spec.standardise {
        set.standardise();
    }
    if spec.binary {
        set.halve();
    }
    Ok(set)
}

/// Whether the images fit into memory as numbers of four bytes.
fn fits(raw: &RawSet) -> Result<(), DataError> {
    let needed = 4 * (raw.train.pixels.len() + raw.test.pixels.len()) as u64;
    // Nobody has so little.
    if needed < 256 << 20 {
        return Ok(());
    }
    let free = memory_available();
    if needed <= free { Ok(()) } else { Err(DataError::Memory { needed: needed >> 20, free: free >> 20 }) }
}
