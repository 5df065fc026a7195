//! Reads and writes weights as safetensors: those of a run, named and laid out as in PyTorch, with the settings that
//! determine the network's function; and foreign ones, in one file or in shards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Deserialize;
use thiserror::Error;

use super::files::{INITIAL, RUN, STUDY};
use crate::run::{NamedTensor, Weights, printable};
use crate::spec::{KnownSettings, KnownSettingsError, Spec};
use crate::storage::format::errors::{FolderError, invalid};
use crate::storage::format::{atomic, disk, recognise::recognise, regular_file::read_regular};

/// The step at which a run's weights were saved, in the file's metadata.
const STEP: &str = "step";

/// Writes all tensors as f32, with the step and the settings of the network in the file's metadata.
pub(crate) fn write(path: &Path, weights: &Weights) -> Result<(), FolderError> {
    atomic::replace(path, |writer| writer.write_all(&bytes_of(weights)?))
}

/// Writes the initial weights of the run in the folder `out`. The runs of a study mostly begin from one file: where another of
/// them has the same bytes already, both share them on the disk (a hard link), so that a study needs the room of one copy and
/// each of its folders still is complete. No file of a run folder is ever changed in place, so neither can change the other's.
pub(crate) fn write_initial(path: &Path, weights: &Weights, out: &Path) -> Result<(), FolderError> {
    let bytes = bytes_of(weights).map_err(|err| FolderError::write(path, err))?;
    let is_same = |other: &PathBuf| {
        fs::metadata(other).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64)
            && fs::read(other).is_ok_and(|found| found == bytes)
    };
    let other = beside_in_study(out).into_iter().map(|run| run.join(INITIAL)).find(is_same);
    match other {
        // A file system without hard links takes a copy.
        Some(other) if atomic::link(&other, path).is_ok() => Ok(()),
        _ => atomic::replace(path, |writer| writer.write_all(&bytes)),
    }
}

/// Returns the other run folders of the study to which this one belongs; none where it belongs to none.
fn beside_in_study(out: &Path) -> Vec<PathBuf> {
    let Some(runs) = out.parent().filter(|runs| runs.parent().is_some_and(|study| study.join(STUDY).is_file())) else {
        return Vec::new();
    };
    let entries = fs::read_dir(runs).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|other| other != out).collect()
}

fn bytes_of(weights: &Weights) -> io::Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> = weights
        .tensors
        .iter()
        .map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let view = |(tensor, bytes)| {
        let NamedTensor { name, shape, .. }: &NamedTensor = tensor;
        let bytes: &Vec<u8> = bytes;
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
    };
    let views = weights.tensors.iter().zip(&bytes).map(view).collect::<Result<Vec<_>, _>>();
    let mut metadata: HashMap<String, String> = weights.network.pairs().into_iter().collect();
    metadata.insert(STEP.to_owned(), weights.step.to_string());
    let file = views.and_then(|views| safetensors::serialize(views, Some(metadata)));
    in_order(file.map_err(|err| invalid(err.to_string()))?)
}

/// Sorts the entries of the file's header by name. The library writes the metadata in another order each time, and the
/// same run must give the same bytes.
fn in_order(mut file: Vec<u8>) -> io::Result<Vec<u8>> {
    let Some((length, rest)) = file.split_first_chunk_mut::<8>() else { return Ok(file) };
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(io::Error::other)?;
    let Some(header) = rest.get_mut(..length) else { return Ok(file) };
    let entries: BTreeMap<String, BTreeMap<String, serde_json::Value>> = serde_json::from_slice(header)?;
    let text = serde_json::to_vec(&entries)?;
    // The same entries have the same length; the remainder was filled with spaces before, too.
    if let Some(place) = header.get_mut(..text.len()) {
        place.copy_from_slice(&text);
    }
    Ok(file)
}

/// Reads the weights of a run, all of them f32.
pub(crate) fn read(path: &Path) -> io::Result<Weights> {
    let bytes = read_regular(path)?;
    let (step, network) = metadata_of(&bytes).map_err(|err| invalid(err.to_string()))?;
    let mut tensors = Vec::new();
    for (name, view) in tensors_of(&bytes).map_err(invalid)?.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(invalid(format!("the tensor {} is not of 32-bit floats", printable(&name))));
        }
        let values = view.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        tensors.push(NamedTensor { name, shape: view.shape().to_vec(), values: values.collect() });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Weights { step: step.unwrap_or(0), network, tensors })
}

/// Parses the tensors in the bytes of a safetensors file; the error is one sentence. The reader compares every shape and
/// position with the length of the bytes.
///
/// # Errors
/// When the file is something else, damaged, or cut short.
pub fn tensors_of(bytes: &[u8]) -> Result<SafeTensors<'_>, String> {
    SafeTensors::deserialize(bytes).map_err(|err| {
        // Eight bytes hold the header's length, then comes the header.
        let is_one = bytes.get(4..9) == Some(b"\0\0\0\0{");
        if let (false, Some(found)) = (is_one, recognise(bytes)) {
            return format!("no safetensors file but {}: {}", found.what, found.way_out);
        }
        match err {
            SafeTensorError::MetadataIncompleteBuffer | SafeTensorError::InvalidHeaderLength if is_one => {
                "no safetensors file that is whole: its length does not fit its tensors; copy or download it again"
                    .to_owned()
            }
            SafeTensorError::TensorInvalidInfo
            | SafeTensorError::InvalidOffset(_)
            | SafeTensorError::ValidationOverflow
                if is_one =>
            {
                "no safetensors file that can be read: the sizes in its header contradict each other".to_owned()
            }
            _ if is_one => "no safetensors file that can be read: its header is damaged".to_owned(),
            _ => "no safetensors file, and of no kind that is known".to_owned(),
        }
    })
}

/// Returns the step and the settings of the network in the metadata of a safetensors file, where it has them.
fn metadata_of(bytes: &[u8]) -> Result<(Option<u64>, KnownSettings), KnownSettingsError> {
    let metadata = SafeTensors::read_metadata(bytes).ok().and_then(|(_, found)| found.metadata().clone());
    let metadata = metadata.unwrap_or_default();
    let settings = KnownSettings::from_pairs(metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())))?;
    Ok((metadata.get(STEP).and_then(|text| text.parse().ok()), settings))
}

/// The reasons why a weights file cannot be opened; each prints as a part of a sentence.
#[derive(Debug, Error)]
pub enum WeightsFileError {
    #[error("it cannot be read: {}", disk::words(.0))]
    Read(#[from] io::Error),
    #[error("{}", shown(.0))]
    KnownSettings(#[from] KnownSettingsError),
    #[error("the weights are {0}")]
    Format(String),
    #[error(
        "this is one shard of several, a part of the network: give their index, the file that ends in .safetensors.index.json"
    )]
    OneShard,
    #[error("the index of shards {0}")]
    Index(String),
    #[error("the shard {name}: {why}")]
    Shard { name: String, why: String },
}

fn shown(err: &KnownSettingsError) -> String {
    match err {
        KnownSettingsError::Unknown { key, value } => {
            KnownSettingsError::Unknown { key: printable(key), value: printable(value) }.to_string()
        }
        other => other.to_string(),
    }
}

/// Returns whether a file has the name of a shard, `model-00001-of-00002.safetensors`.
fn is_shard(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let Some((front, count)) = stem.rsplit_once("-of-") else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let place = front.rsplit('-').next().unwrap_or_default();
    is_number(place) && is_number(count) && count.parse() != Ok(1)
}

/// A weights file as bytes: one file, or the shards that an index names.
#[derive(Debug)]
pub struct WeightsFile {
    /// The bytes of each safetensors file.
    pub parts: Vec<Vec<u8>>,
    /// The settings of the network, from the file or the run beside it.
    pub settings: KnownSettings,
    /// Whether a run of this program saved it.
    pub is_of_run: bool,
    /// Notes on the conversions that were needed.
    pub notes: Vec<String>,
}

impl WeightsFile {
    /// Reads a safetensors file, or the shards of a `model.safetensors.index.json`.
    ///
    /// # Errors
    /// When the file is missing, not regular, of another format, or names settings that are unknown.
    pub fn read(path: &Path) -> Result<Self, WeightsFileError> {
        let bytes = read_regular(path)?;
        if let Some(index) = index_of(&bytes) {
            return Self::of_shards(path, &index?);
        }
        if is_shard(path) {
            return Err(WeightsFileError::OneShard);
        }
        tensors_of(&bytes).map_err(WeightsFileError::Format)?;
        let (step, mut settings) = metadata_of(&bytes)?;
        let mut notes = Vec::new();
        let is_of_run = step.is_some();
        if settings.is_empty()
            && is_of_run
            && let Some(run) = path.parent().and_then(|folder| Spec::read(&folder.join(RUN)).ok())
        {
            // An older version saved the file without settings; the run beside it has them.
            settings = KnownSettings::of(&run.network);
            notes.push("the network is that of the run.toml beside it".to_owned());
        }
        Ok(Self { parts: vec![bytes], settings, is_of_run, notes })
    }

    fn of_shards(path: &Path, index: &BTreeMap<String, String>) -> Result<Self, WeightsFileError> {
        let shards: BTreeMap<&str, Vec<&str>> = index.iter().fold(BTreeMap::new(), |mut shards, (tensor, shard)| {
            shards.entry(shard.as_str()).or_insert_with(Vec::new).push(tensor.as_str());
            shards
        });
        let (mut parts, mut settings) = (Vec::new(), KnownSettings::default());
        for (&name, expected) in &shards {
            let failed = |why: String| WeightsFileError::Shard { name: printable(name), why };
            let bytes = read_regular(&beside(path, name)?).map_err(|err| failed(disk::words(&err)))?;
            let file = tensors_of(&bytes).map_err(|why| failed(format!("it is {why}")))?;
            let held: BTreeSet<&str> = file.names().into_iter().collect();
            if let Some(missing) = expected.iter().find(|name| !held.contains(*name)) {
                return Err(failed(format!("it has no tensor {}, which the index promises", printable(missing))));
            }
            settings = settings.or(&metadata_of(&bytes)?.1);
            parts.push(bytes);
        }
        let notes = vec![format!("read from {} shards", parts.len())];
        Ok(Self { parts, settings, is_of_run: false, notes })
    }
}

/// Returns the path of a shard, which must be beside its index.
fn beside(index: &Path, name: &str) -> Result<PathBuf, WeightsFileError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(index.with_file_name(name)),
        _ => Err(WeightsFileError::Index(format!("names {}, which is not beside it", printable(name)))),
    }
}

/// `model.safetensors.index.json`, as Hugging Face's libraries write it.
#[derive(Deserialize)]
struct Index {
    /// The shard file of each tensor.
    weight_map: BTreeMap<String, String>,
}

/// Returns the shard file of each tensor, if this is an index of shards.
fn index_of(bytes: &[u8]) -> Option<Result<BTreeMap<String, String>, WeightsFileError>> {
    const MAP: &[u8] = b"\"weight_map\"";
    let text = bytes.trim_ascii_start();
    if !text.starts_with(b"{") || !text.windows(MAP.len()).any(|window| window == MAP) {
        return None;
    }
    match serde_json::from_slice::<Index>(bytes) {
        Ok(index) if !index.weight_map.is_empty() => Some(Ok(index.weight_map)),
        // The header of a safetensors file of that length may begin the same way.
        _ if tensors_of(bytes).is_ok() => None,
        _ => Some(Err(WeightsFileError::Index("does not say the shard of each tensor".to_owned()))),
    }
}
