//! Prepares the data of a run in one call: images (or points of the plane), tasks and probes.
//!
//! ```text
//! files or embedded bytes ──► RawSet (8 bits, checked) ──► DataSet (f32, scaled) ──► TaskStream ──► batches, test sets
//!                                                                          └───────► Probes
//! ```
//!
//! Guarantees: for any bytes in a file, reading it ends in a valid set or in a [`DataError`] of one sentence, with memory
//! bounded by the actual content of the file; images are stored once, and tasks are index lists and transforms over them;
//! nothing here depends on a thread or on earlier random numbers.

mod batch_order;
mod cifar;
mod cifar_kind;
mod embedded;
mod error;
mod find_files;
mod frequency;
pub mod idx;
mod idx_set;
mod image_folder;
mod images;
mod known_sets;
mod npz_set;
pub mod packing;
mod pickle;
mod plane;
mod probe;
mod probe_choice;
mod replay;
mod samples;
mod source;
mod stream;
mod synthetic;
mod targets;
mod transform;

use std::sync::Arc;

use crate::spec::Spec;

pub use crate::data::batch_order::{batch_order, batch_range, further_images, steps_per_epoch};
pub use crate::data::synthetic::{MODES, SampleRole};
pub use cifar::{read_pickle, read_records};
pub use cifar_kind::Cifar;
pub use error::DataError;
pub use images::{DataSet, Images, RawImages, RawSet, Scaling};
pub use probe::Probes;
pub use replay::{Batch, ReplayMemory};
pub use source::load;
pub use stream::{Task, TaskStream};
pub use targets::Targets;
pub use transform::Transform;

/// The data of one run.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub set: Arc<DataSet>,
    /// The tasks by number; their training order is determined by the laboratory.
    pub stream: TaskStream,
    pub probes: Probes,
}

/// Loads the images of this spec and divides them into tasks and probes.
///
/// # Errors
/// Fails if files are missing or broken, tasks are empty, or classes are too small for their probes.
pub fn prepare(spec: &Spec) -> Result<Prepared, DataError> {
    let mut set = match spec.data.source.plane() {
        Some(plane) => plane::set(plane, spec),
        None if spec.data.source.is_synthetic() => synthetic::set(spec),
        None => load(&spec.data)?,
    };
    if spec.data.standardise && spec.data.standardise_first && spec.data.source.is_standardised() {
        let classes = stream::plan(spec, &set)?;
        let first = spec.tasks.order.first().map_or(0, |number| number.saturating_sub(1));
        set.standardise(classes.get(first).map(Vec::as_slice));
    }
    let set = Arc::new(set);
    let stream = TaskStream::new(spec, Arc::clone(&set))?;
    let probes = Probes::of(&stream);
    Ok(Prepared { set, stream, probes })
}
