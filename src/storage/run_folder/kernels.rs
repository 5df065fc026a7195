//! Stores the Grams of a run on disk: small files while it continues, one `kernels.npz` when it has ended.
//!
//! Guarantees: every snapshot that was flushed survives a kill, because each is a complete file; the archive is assembled
//! as a stream, so that the record of a long run need not fit in memory. The form that holds more Grams is the one that
//! is read: a kill during the assembly loses nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::gram_reader::{Grams, Place, check_of};
use super::kernel_budget::Budget;
use super::kernel_part::{GRAM_CHECK, LAG_STEPS, PARTNER, PARTNER_EPOCH, PARTNER_STEP, Part, outputs};
use super::probes;
use super::probes::{LIMIT, PROBES, Probes};
use crate::run::{Partner, Probe, RunInfo, Snapshot};
use crate::storage::format::errors::{FolderError, invalid};
use crate::storage::format::npz::{Array, NpzReader, NpzWriter};
use crate::storage::format::{atomic, disk};

pub(crate) const KERNELS: &str = "kernels.npz";
pub(crate) const PARTIAL: &str = "kernels.partial";
/// The largest number of bytes of the snapshots that wait for the next flush.
const MAX_PENDING: usize = 32 << 20;

/// Returns the probes of a run whose Grams are not read; an empty list where there are none.
pub(crate) fn probes(folder: &Path) -> Vec<Probe> {
    let files = [folder.join(KERNELS), folder.join(PARTIAL).join(PROBES)];
    files.iter().find_map(|file| Some(Probes::read(file).ok()?.probes)).unwrap_or_default()
}

/// Writes the snapshots of a running run.
#[derive(Debug)]
pub(crate) struct KernelWriter {
    folder: PathBuf,
    pending: Vec<(Arc<Snapshot>, Option<Arc<Partner>>)>,
    /// The partner of the next snapshot.
    partner: Option<Arc<Partner>>,
    pending_bytes: usize,
    written: usize,
    /// The number of written Grams that the budget removed again.
    removed: usize,
    budget: Budget,
}

impl KernelWriter {
    /// Creates the folder of the small files and writes the probes, which are the rows and columns of the Grams.
    pub(crate) fn start(folder: PathBuf, info: &RunInfo, budget: Budget) -> Result<Self, FolderError> {
        disk::make_folder(&folder).map_err(|err| FolderError::write(&folder, err))?;
        Probes::of(info).write_beside(&folder)?;
        Ok(Self { folder, pending: Vec::new(), partner: None, pending_bytes: 0, written: 0, removed: 0, budget })
    }

    /// Goes on in the folder of the small files, in which these are left; their numbers may have gaps.
    pub(crate) fn go_on(folder: PathBuf, limit: Option<u64>) -> Self {
        let of = |path: PathBuf| {
            let number = path.file_stem()?.to_str()?.parse().ok()?;
            Some((number, fs::metadata(path).map_or(0, |found| found.len())))
        };
        let left: Vec<(usize, u64)> = parts(&folder).into_iter().filter_map(of).collect();
        let written = left.last().map_or(0, |(number, _)| number + 1);
        let (pending, removed) = (Vec::new(), written - left.len());
        let budget = Budget::going_on(limit, &left);
        Self { folder, pending, partner: None, pending_bytes: 0, written, removed, budget }
    }

    /// Writes the infinite-width kernel on the probes.
    pub(crate) fn limit(&self, kernel: &[f64]) -> Result<(), FolderError> {
        probes::write_limit(&self.folder, kernel)
    }

    /// Returns whether a flush is due regardless of the time.
    pub(crate) fn is_full(&self) -> bool {
        self.pending_bytes > MAX_PENDING
    }

    /// Takes the Gram where the lag of the next snapshot begins.
    pub(crate) fn partner(&mut self, partner: Arc<Partner>) {
        self.partner = Some(partner);
    }

    pub(crate) fn push(&mut self, snapshot: Arc<Snapshot>) {
        let partner = self.partner.take();
        self.pending_bytes += bytes_of(&snapshot, partner.as_ref());
        self.pending.push((snapshot, partner));
    }

    pub(crate) fn flush(&mut self) -> Result<(), FolderError> {
        // A snapshot leaves the queue when it is written, not before: a full disk must not lose the others with it.
        while let Some((snapshot, partner)) = self.pending.first() {
            if self.budget.admits_next(snapshot) {
                self.write(snapshot, partner.as_deref())?;
                let beside = partner.as_ref().map_or(0, |partner| 8 * partner.gram.len() as u64);
                for gone in self.budget.record(self.written, snapshot, beside) {
                    atomic::remove(&self.folder.join(file_name(gone)))?;
                    self.removed += 1;
                }
                self.written += 1;
            } else {
                self.budget.skip();
            }
            self.pending_bytes -= bytes_of(snapshot, partner.as_ref());
            self.pending.remove(0);
        }
        Ok(())
    }

    /// Writes a snapshot into the next small file.
    fn write(&self, snapshot: &Snapshot, partner: Option<&Partner>) -> Result<(), FolderError> {
        atomic::replace(&self.folder.join(file_name(self.written)), |writer| {
            let (n, row) = (snapshot.eigenvalues.len(), &snapshot.row);
            let mut npz = NpzWriter::new(writer);
            npz.array("step", &[], [row.step as i64])?;
            npz.array("epoch", &[], [row.epoch])?;
            npz.array("task", &[], [row.task as i64])?;
            let lag = row.blocks.first().and_then(|block| block.lag_steps).unwrap_or(0);
            npz.array(LAG_STEPS, &[], [lag as i64])?;
            npz.array("gram", &[n, n], snapshot.gram.iter().copied())?;
            if let Some(Partner { step, epoch, gram }) = partner {
                npz.array(PARTNER_STEP, &[], [*step as i64])?;
                npz.array(PARTNER_EPOCH, &[], [*epoch])?;
                npz.array(PARTNER, &[n, n], gram.iter().copied())?;
            }
            npz.array("eigenvalues", &[n], snapshot.eigenvalues.iter().copied())?;
            let blocks = snapshot.block_eigenvalues.concat();
            npz.array("block_eigenvalues", &[blocks.len()], blocks)?;
            for (name, values) in snapshot.outputs.iter().flat_map(|outputs| outputs.arrays()) {
                npz.array(&name, &[n, values.len() / n.max(1)], values.iter().copied())?;
            }
            npz.finish()
        })
    }

    /// Returns the number of snapshots flushed so far.
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Returns the number of snapshots whose Grams are stored.
    pub(crate) fn kept(&self) -> usize {
        self.written - self.removed
    }

    /// Continues in another folder, to which the small files have been moved.
    pub(crate) fn moved_to(&mut self, folder: PathBuf) {
        self.folder = folder;
    }
}

/// Returns the number of bytes that a waiting snapshot keeps from being freed.
fn bytes_of(snapshot: &Snapshot, partner: Option<&Arc<Partner>>) -> usize {
    8 * (snapshot.gram.len() + partner.map_or(0, |partner| partner.gram.len()))
        + snapshot.tensors.iter().map(|tensor| tensor.bytes() as usize).sum::<usize>()
}

fn file_name(number: usize) -> String {
    format!("{number:06}.npz")
}

/// Returns the small files of a folder in order; files of other programs are left out.
pub(crate) fn parts(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let number = |name: &str| name.strip_suffix(".npz").filter(|stem| stem.len() >= 6)?.parse::<u64>().ok();
    let numbered = entries.flatten().filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path())));
    let mut found: Vec<(u64, PathBuf)> = numbered.collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Returns all small files of this program in the folder, the probes last: the parts cannot be read without them.
fn all_parts(folder: &Path) -> Vec<PathBuf> {
    let others = [LIMIT, PROBES].map(|name| folder.join(name)).into_iter().filter(|path| path.exists());
    parts(folder).into_iter().chain(others).collect()
}

/// Removes the small files, and their folder if nothing else is in it.
pub(crate) fn remove_parts(folder: &Path) -> Result<(), FolderError> {
    all_parts(folder).iter().try_for_each(|path| atomic::remove(path))?;
    atomic::sweep(folder);
    disk::remove_empty(folder);
    Ok(())
}

/// Returns whether all small files can be read, as far as their sizes tell: parts appear by renaming, so another program
/// must have damaged one that cannot.
pub(crate) fn can_be_read(folder: &Path) -> bool {
    let Ok(probes) = Probes::read(&folder.join(PROBES)) else { return false };
    parts(folder).iter().all(|path| Part::read(path, probes.probes.len(), false).is_ok())
}

/// Assembles the small files of a run folder into `kernels.npz` and syncs it to disk; the small files stay. Returns the
/// number of Grams that it holds. Nothing happens where there are no small files, or fewer than it holds already.
pub(crate) fn assemble(run: &Path) -> Result<usize, FolderError> {
    let (folder, target) = (run.join(PARTIAL), run.join(KERNELS));
    let assembled = count_of(&target);
    // The parts cannot be read without the probes.
    let Ok(probes) = Probes::read(&folder.join(PROBES)) else { return Ok(assembled) };
    let n = probes.probes.len();
    let (mut heads, mut named, mut classes) = (Vec::new(), Vec::<String>::new(), 0);
    for path in parts(&folder) {
        // Another program must have damaged a part that is not complete: parts appear by renaming.
        if let Ok(part) = Part::read(&path, n, true) {
            let outputs: Vec<String> = part.outputs.iter().map(|(name, _)| name.clone()).collect();
            classes = classes.max(part.outputs.first().map_or(0, |(_, values)| values.len() / n.max(1)));
            named.extend(outputs.into_iter().filter(|name| !named.contains(name)).collect::<Vec<_>>());
            heads.push((path, part.step, part.epoch, part.task, part.lag, part.partner));
        }
    }
    if assembled > heads.len() {
        return Ok(assembled);
    }
    let (count, mut checks) = (heads.len(), Vec::new());
    atomic::replace_for_good(&target, |writer| {
        let mut npz = NpzWriter::new(writer);
        npz.array("step", &[count], heads.iter().map(|head| head.1))?;
        npz.array("epoch", &[count], heads.iter().map(|head| head.2))?;
        npz.array("task", &[count], heads.iter().map(|head| head.3))?;
        // An older version began this run without lags.
        if heads.iter().all(|head| head.4.is_some()) {
            npz.array(LAG_STEPS, &[count], heads.iter().filter_map(|head| head.4))?;
        }
        for (name, shape) in
            [("gram", &[count, n, n][..]), ("eigenvalues", &[count, n]), ("block_eigenvalues", &[count, n])]
        {
            npz.stream(name, shape, |push| {
                heads.iter().try_for_each(|(path, ..)| {
                    let values: Array<f64> = NpzReader::open(path)?.array(name)?;
                    if name == "gram" {
                        checks.push(i64::from(check_of(&values.values)));
                    }
                    values.values.iter().try_for_each(&mut *push)
                })
            })?;
        }
        npz.array(GRAM_CHECK, &[count], checks.iter().copied())?;
        let paired: Vec<(&PathBuf, (i64, f64))> = heads.iter().filter_map(|head| Some((&head.0, head.5?))).collect();
        npz.array(PARTNER_STEP, &[paired.len()], paired.iter().map(|(_, partner)| partner.0))?;
        npz.array(PARTNER_EPOCH, &[paired.len()], paired.iter().map(|(_, partner)| partner.1))?;
        npz.stream(PARTNER, &[paired.len(), n, n], |push| {
            paired.iter().try_for_each(|(path, _)| {
                let values: Array<f64> = NpzReader::open(path)?.array(PARTNER)?;
                values.values.iter().try_for_each(&mut *push)
            })
        })?;
        for name in &named {
            npz.stream(name, &[count, n, classes], |push| {
                heads.iter().try_for_each(|(path, ..)| {
                    let mut part = NpzReader::open(path)?;
                    // This snapshot has no outputs of this name: NaN stands for them in the array.
                    let values = if part.has(name) { part.array(name)?.values } else { vec![f32::NAN; n * classes] };
                    values.iter().try_for_each(&mut *push)
                })
            })?;
        }
        probes.write(&mut npz)?;
        npz.finish()
    })?;
    Ok(count_of(&target))
}

/// Counts the Grams of a run folder, in whichever of the two forms holds more.
pub(crate) fn count_in(run: &Path) -> usize {
    count_of(&run.join(KERNELS)).max(parts(&run.join(PARTIAL)).len())
}

/// Counts the snapshots of an assembled file; 0 when it cannot be read.
pub(crate) fn count_of(path: &Path) -> usize {
    NpzReader::open(path).and_then(|mut npz| npz.array::<i64>("step")).map_or(0, |steps| steps.values.len())
}

/// The form of the Grams of a run folder that holds more of them.
pub(crate) struct Source {
    path: PathBuf,
    parts: Vec<PathBuf>,
    n: usize,
}

/// Finds the Grams of a run folder and reads their probes; everything unreadable is reported to `warn`.
pub(crate) fn open(run: &Path, mut warn: impl FnMut(String)) -> Option<(Probes, Source)> {
    let (folder, target) = (run.join(PARTIAL), run.join(KERNELS));
    let mut parts = parts(&folder);
    let assembled = count_of(&target) >= parts.len();
    if assembled {
        parts.clear();
    }
    let (name, path) = if assembled { (KERNELS, target) } else { (PARTIAL, folder.join(PROBES)) };
    if !path.exists() {
        warn("there are no kernels in this folder, so the Gram and its spectrum are missing".to_owned());
        return None;
    }
    match Probes::read(&path) {
        Ok(probes) => {
            let n = probes.probes.len();
            Some((probes, Source { path, parts, n }))
        }
        Err(err) => {
            let why = disk::words(&err);
            warn(format!("{name} cannot be read, so the Gram and its spectrum are missing: {why}"));
            None
        }
    }
}

impl Source {
    /// Passes each snapshot to `take`, in order, holding one at a time.
    pub(crate) fn each(self, mut take: impl FnMut(Part), mut warn: impl FnMut(String)) {
        if self.parts.is_empty() {
            if let Err(err) = read_assembled(&self.path, self.n, true, take) {
                warn(format!("{KERNELS} cannot be read to its end: {}", disk::words(&err)));
            }
            return;
        }
        for path in self.parts {
            match Part::read(&path, self.n, true) {
                Ok(part) => take(part),
                Err(err) => warn(left_out(&path, &err)),
            }
        }
    }

    /// Passes each snapshot without its Gram to `take`, and returns where the Grams can be read. A compressed archive is
    /// read whole.
    pub(crate) fn heads(self, mut take: impl FnMut(Part), mut warn: impl FnMut(String)) -> Option<Grams> {
        let (mut times, mut files) = (Vec::new(), Vec::new());
        let mut note = |part: &Part| times.push((u64::try_from(part.step).unwrap_or(0), part.epoch));
        if self.parts.is_empty() {
            if NpzReader::open(&self.path).and_then(|mut npz| npz.laid_out("gram")).is_err() {
                self.each(take, warn);
                return None;
            }
            let head = |part: Part| {
                note(&part);
                take(part);
            };
            if let Err(err) = read_assembled(&self.path, self.n, false, head) {
                warn(format!("{KERNELS} cannot be read to its end: {}", disk::words(&err)));
            }
            let checks = NpzReader::open(&self.path).and_then(|mut npz| npz.array(GRAM_CHECK)).ok();
            let checks = checks.map(|checks| checks.values).filter(|checks| checks.len() == times.len());
            return Some(Grams::new(Place::Archive(self.path, checks), self.n, times));
        }
        for path in self.parts {
            match Part::read(&path, self.n, false) {
                Ok(part) => {
                    note(&part);
                    files.push(path);
                    take(part);
                }
                Err(err) => warn(left_out(&path, &err)),
            }
        }
        Some(Grams::new(Place::Files(files), self.n, times))
    }
}

fn left_out(path: &Path, err: &io::Error) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{PARTIAL}/{name} cannot be read and is left out: {}", disk::words(err))
}

/// Returns the values of one of `count` snapshots in an array; `None` if they are NaN, which stands for none.
fn values_at(array: &Array<f32>, place: usize, count: usize) -> Option<Vec<f32>> {
    let each = array.values.len() / count;
    let values = array.values.get(place * each..(place + 1) * each)?;
    values.iter().all(|value| !value.is_nan()).then(|| values.to_vec())
}

fn read_assembled(path: &Path, n: usize, whole: bool, mut take: impl FnMut(Part)) -> io::Result<()> {
    let mut npz = NpzReader::open(path)?;
    let (steps, epochs, tasks) = (npz.array::<i64>("step")?, npz.array::<f64>("epoch")?, npz.array::<i64>("task")?);
    let (eigen, blocks) = (npz.array::<f64>("eigenvalues")?, npz.array::<f64>("block_eigenvalues")?);
    let (count, outputs) = (steps.values.len(), outputs(&mut npz)?);
    let fits = eigen.values.len() == count * n && blocks.values.len() == count * n;
    if !fits || epochs.values.len() != count || tasks.values.len() != count {
        return Err(invalid("its arrays differ in length".to_owned()));
    }
    let part = |place: usize, gram: Vec<f64>| Part {
        step: steps.values[place],
        epoch: epochs.values[place],
        task: tasks.values[place],
        gram,
        lag: None,
        partner: None,
        eigenvalues: eigen.values[place * n..(place + 1) * n].to_vec(),
        block_eigenvalues: blocks.values[place * n..(place + 1) * n].to_vec(),
        outputs: outputs
            .iter()
            .filter_map(|(name, array)| Some((name.clone(), values_at(array, place, count)?)))
            .collect(),
    };
    let misfit = || invalid("its Grams do not fit its probes".to_owned());
    if !whole {
        if npz.laid_out("gram")? != [count, n, n] {
            return Err(misfit());
        }
        (0..count).for_each(|place| take(part(place, Vec::new())));
        return Ok(());
    }
    // Snapshots that `take` received cannot be taken back.
    npz.check("gram")?;
    npz.numbers("gram", |header, values| {
        if header.shape != [count, n, n] {
            return Err(misfit());
        }
        (0..count).try_for_each(|place| {
            take(part(place, (&mut *values).take(n * n).collect::<io::Result<_>>()?));
            Ok(())
        })
    })
}
