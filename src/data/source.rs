//! Loads the images of any source in the spec into a [`DataSet`].

use super::images::Pixel;
use super::npz_set::NumberSet;
use super::{Cifar, DataError, DataSet, RawSet, cifar, embedded, idx_set, image_folder, npz_set};
use crate::spec::{DataSpec, Source, expanded, memory_available};

/// Loads the images, keeps the first ones of each class, shrinks and standardises them, all according to the spec.
///
/// # Errors
/// Fails if files are missing or broken, or images do not fit into memory.
pub fn load(spec: &DataSpec) -> Result<DataSet, DataError> {
    let folder = || {
        let path = spec.path.as_deref().filter(|path| !path.as_os_str().is_empty());
        path.map(expanded).ok_or(DataError::NoPath)
    };
    let plain = |set: RawSet| (set, Vec::new());
    let (raw, notes) = match spec.source {
        Source::FashionMnistSmall => plain(embedded::fashion_mnist_small()?),
        Source::Idx => idx_set::load(&folder()?)?,
        Source::Cifar10 => plain(cifar::load(&folder()?, Cifar::Ten)?),
        Source::Cifar100 => plain(cifar::load(&folder()?, Cifar::Hundred)?),
        Source::ImageFolder => image_folder::load(&folder()?, spec)?,
        Source::Npz => {
            return match npz_set::load(&folder()?)? {
                (NumberSet::Bytes(set), notes) => made(set, notes, spec),
                (NumberSet::Floats(set), notes) => made(set, notes, spec),
            };
        }
        // The points depend on the tasks and probes of the run, so `prepare` creates them.
        Source::Circle | Source::Disk | Source::SpherePolynomial | Source::Fourier => return Err(DataError::Points),
    };
    made(raw, notes, spec)
}

/// Keeps, shrinks and standardises images.
fn made<P: Pixel>(mut raw: RawSet<P>, notes: Vec<String>, spec: &DataSpec) -> Result<DataSet, DataError> {
    raw.train.keep_first(spec.per_class);
    raw.test.keep_first(spec.test_per_class);
    raw.train.shrink(spec.shrink)?;
    raw.test.shrink(spec.shrink)?;
    fits(&raw)?;
    let mut set = DataSet::new(raw)?;
    set.notes = notes;
    // The first task is known to the run only.
    if spec.standardise && !spec.standardise_first {
        set.standardise(None);
    }
    if spec.binary {
        set.halve();
    }
    Ok(set)
}

/// Fails if the images do not fit into memory as f32.
fn fits<P>(raw: &RawSet<P>) -> Result<(), DataError> {
    let needed = 4 * (raw.train.pixels.len() + raw.test.pixels.len()) as u64;
    // Every machine has this much.
    if needed < 256 << 20 {
        return Ok(());
    }
    let free = memory_available();
    if needed <= free { Ok(()) } else { Err(DataError::Memory { needed: needed >> 20, free: free >> 20 }) }
}
