//! Stores the probes of a run, which are the rows and columns of its Grams, and their infinite-width kernel where it exists.
//!
//! During the run they are separate files beside the small ones; in `kernels.npz` they are arrays like the others.

use std::io;
use std::path::Path;

use crate::run::{Probe, RunInfo};
use crate::storage::format::atomic;
use crate::storage::format::errors::{FolderError, invalid};
use crate::storage::format::npz::{Array, NpzReader, NpzWriter};

pub(crate) const PROBES: &str = "probes.npz";
/// The file of Θ̊ on the probes.
pub(crate) const LIMIT: &str = "limit.npz";
const INFINITE: &str = "infinite";

/// Writes the infinite-width kernel [n, n] into the folder of the small files.
pub(crate) fn write_limit(folder: &Path, kernel: &[f64]) -> Result<(), FolderError> {
    let n = kernel.len().isqrt();
    atomic::replace(&folder.join(LIMIT), |writer| {
        let mut npz = NpzWriter::new(writer);
        npz.array(INFINITE, &[n, n], kernel.iter().copied())?;
        npz.finish()
    })
}

/// The probes, which are the rows and columns of the Grams.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    pub(crate) probes: Vec<Probe>,
    /// The target of the one output on each probe, in regression; else empty.
    pub(crate) values: Vec<f32>,
    /// The channels, height and width of an image; zeros when there are no images.
    pub(crate) image: [usize; 3],
    pub(crate) thumbnails: Vec<u8>,
    /// The infinite-width kernel, [n, n].
    pub(crate) limit: Option<Vec<f64>>,
}

impl Probes {
    pub(crate) fn of(info: &RunInfo) -> Self {
        let thumbnails = info.thumbnails.to_vec();
        let values = info.probe_values.to_vec();
        Self { probes: info.probes.clone(), values, image: info.image, thumbnails, limit: None }
    }

    /// Writes the probes into the folder of the small files.
    pub(crate) fn write_beside(&self, folder: &Path) -> Result<(), FolderError> {
        atomic::replace(&folder.join(PROBES), |writer| {
            let mut npz = NpzWriter::new(writer);
            self.write(&mut npz)?;
            npz.finish()
        })
    }

    pub(crate) fn write<W: io::Write + io::Seek>(&self, npz: &mut NpzWriter<W>) -> io::Result<()> {
        let n = self.probes.len();
        npz.array("probe_task", &[n], self.probes.iter().map(|probe| probe.task as i64))?;
        npz.array("probe_label", &[n], self.probes.iter().map(|probe| probe.label as i64))?;
        let indices: Vec<i64> = self.probes.iter().filter_map(|probe| Some(probe.index? as i64)).collect();
        if indices.len() == n {
            npz.array("probe_index", &[n], indices)?;
        }
        if self.values.len() == n {
            npz.array("probe_value", &[n], self.values.iter().copied())?;
        }
        if let Some(limit) = &self.limit {
            npz.array(INFINITE, &[n, n], limit.iter().copied())?;
        }
        let [channels, height, width] = self.image;
        if self.thumbnails.is_empty() || self.thumbnails.len() != n * height * width * channels {
            return Ok(());
        }
        npz.array("probe_image", &[n, height, width, channels], self.thumbnails.iter().copied())
    }

    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut npz = NpzReader::open(path)?;
        let (tasks, labels) = (npz.array::<i64>("probe_task")?, npz.array::<i64>("probe_label")?);
        let index =
            |value: i64| usize::try_from(value).map_err(|_| invalid("a probe has a negative number".to_owned()));
        let chosen = if npz.has("probe_index") { npz.array::<i64>("probe_index")?.values } else { Vec::new() };
        let pairs = tasks.values.iter().zip(&labels.values).enumerate();
        let probe = |(row, (&task, &label)): (usize, (&i64, &i64))| {
            let chosen = chosen.get(row).copied().map(index).transpose()?;
            Ok(Probe { task: index(task)?, label: index(label)?, index: chosen })
        };
        let probes: Vec<Probe> = pairs.map(probe).collect::<io::Result<_>>()?;
        if tasks.values.len() != labels.values.len() || probes.is_empty() {
            return Err(invalid("the probes have no labels".to_owned()));
        }
        let mut read = Self { probes, ..Self::default() };
        if npz.has("probe_value") {
            read.values = npz.array::<f32>("probe_value")?.values;
        }
        let beside = path.with_file_name(LIMIT);
        let limit: Option<Array<f64>> = if npz.has(INFINITE) {
            Some(npz.array(INFINITE)?)
        } else if path.ends_with(PROBES) && beside.exists() {
            Some(NpzReader::open(&beside)?.array(INFINITE)?)
        } else {
            None
        };
        let n = read.probes.len();
        read.limit = limit.filter(|limit| limit.shape == [n, n]).map(|limit| limit.values);
        if npz.has("probe_image") {
            let images: Array<u8> = npz.array("probe_image")?;
            if let [n, height, width, channels] = images.shape[..]
                && n == read.probes.len()
            {
                read.image = [channels, height, width];
                read.thumbnails = images.values;
            }
        }
        Ok(read)
    }
}
