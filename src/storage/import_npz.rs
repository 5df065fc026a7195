//! Imports kernels that another program has measured: an `.npz` archive with `gram` [T, n, n], as `numpy.savez` writes it,
//! becomes the record of a run that was not trained here.
//!
//! Guarantees: facts that are not in the archive are never guessed; an array that does not fit is refused in one sentence that
//! names it; a matrix that is not symmetric is shown as it is, with a warning. Grams are read one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::format::array_choice::{Choice, array_of};
use super::format::disk;
use super::format::errors::invalid;
use super::format::npz::NpzReader;
use super::run_folder::kernel_part::{PARTNER, PARTNER_EPOCH, PARTNER_STEP};
use super::run_folder::reader::Loaded;
use crate::analysis::kernel_metrics::{Lag, LagPartners, MetricHistory, Moment};
use crate::run::{Ending, Event, History, Origin, Probe, Progress, RunInfo, TaskInfo, TaskStart};
use crate::spec::{Spec, memory_available};

/// The largest number of tasks, as of a run.
const MOST_TASKS: usize = 64;
/// Bytes of Grams that are kept in memory where only the rows are needed.
const FEW_GRAMS: u64 = 16 << 20;
/// The asymmetry, over the largest entry, above which a Gram is reported as not symmetric; 32-bit products stay below it.
const ASYMMETRIC: f64 = 1e-4;

/// Reads an archive and measures its kernels; `tell` receives the numbers done and in all, and cancels by returning
/// `false`.
///
/// # Errors
/// When the file is no such archive; the error is one sentence.
pub fn load_kernels(path: &Path, tell: &mut dyn FnMut(usize, usize) -> bool) -> Result<Loaded, String> {
    let name = array_of(path).0.file_name().unwrap_or_default().to_string_lossy().into_owned();
    read(path, History::default(), tell).map_err(|problem| format!("{name} cannot be opened: {problem}"))
}

/// Reads an archive like [`load_kernels`], with the row of every kernel but only some of the kernels.
///
/// # Errors
/// When the file is no such archive; the error is one sentence.
pub fn measure_kernels(path: &Path) -> Result<Loaded, String> {
    let name = array_of(path).0.display().to_string();
    read(path, History::new(FEW_GRAMS, usize::MAX), &mut |_, _| true).map_err(|problem| format!("{name}: {problem}"))
}

fn read(path: &Path, mut history: History, tell: &mut dyn FnMut(usize, usize) -> bool) -> Result<Loaded, String> {
    let (path, wanted) = array_of(path);
    let mut npz = NpzReader::open(&path).map_err(|err| match err.kind() {
        io::ErrorKind::InvalidData => format!("it is no .npz archive as numpy.savez writes it: {err}"),
        _ => format!("it cannot be read: {}", disk::words(&err)),
    })?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let Choice { name, count, n, note } = Choice::of(&mut npz, &file, wanted.as_deref())?;
    // Measuring a Gram takes a few copies of it.
    if (n as u64).saturating_mul(n as u64).saturating_mul(64) > memory_available() {
        return Err(format!("a kernel of {n} rows does not fit into this machine's memory; save fewer rows"));
    }
    let mut about = About::read(&mut npz, count, n)?;
    about.notes.extend(note);
    let moments = about.moments();
    let lag = about.lag(&moments);
    let mut measured = MetricHistory::new(n, about.labels.clone(), about.blocks(n), lag);
    if let Lag::Own(_) = lag {
        measured = measured.with_partners(partners(&mut npz, n)?);
    }
    history.push(Event::Started(Arc::new(about.info(n))));
    let (mut from, mut paired) = (None::<Moment>, false);
    let done = npz.numbers(&name, |_, values| {
        for (place, &moment) in moments.iter().enumerate() {
            let gram: Vec<f64> = (&mut *values).take(n * n).collect::<Result<_, _>>()?;
            if gram.len() != n * n {
                return Err(invalid(format!("it ends within kernel {place}")));
            }
            if let Some(bad) = gram.iter().position(|value| !value.is_finite()) {
                let (row, column) = (bad / n, bad % n);
                return Err(invalid(format!("{name}[{place}, {row}, {column}] is no number: leave that kernel out")));
            }
            if from.is_none_or(|from| from.task != moment.task) {
                // A task begins at the last kernel of the one before, the first task at the start.
                let (step, epoch) = from.map_or((moment.step, 0.0), |from| (from.step, from.epoch));
                let from = from.map(|from| from.task);
                history.push(Event::Task(TaskStart { task: moment.task, from, step, epoch }));
            }
            from = Some(moment);
            let snapshot = measured.next(moment, gram).map_err(invalid)?;
            paired |= snapshot.row.blocks.iter().any(|block| block.lag_steps.is_some());
            history.push(Event::Snapshot(Arc::new(snapshot)));
            if !tell(place + 1, count) {
                return Err(invalid("it was let go of".to_owned()));
            }
        }
        Ok(())
    });
    done.map_err(|err| format!("{err}"))?;
    let last = moments[count - 1];
    let progress = Progress { step: last.step, epoch: last.epoch, planned_steps: last.step, ..Progress::default() };
    history.push(Event::Progress(progress));
    if let (Lag::Steps(steps), Some(_), false, 2..) = (lag, about.lag, paired, count) {
        about.notes.push(format!(
            "No two kernels of a task are {steps} steps apart, as the lag requires: there is no velocity"
        ));
    }
    if lag == Lag::Gaps && count > 2 {
        about.notes.push("Steps are uneven: each velocity is over the gap to the kernel before".to_owned());
    }
    if measured.asymmetry > ASYMMETRIC {
        let share = 100.0 * measured.asymmetry;
        about.notes.push(format!(
            "Kernels are not symmetric, by up to {share:.2} % of their largest entry: numbers are those of ½(K + K′)"
        ));
    }
    let kept = history.snapshots().len();
    if kept < count {
        about.notes.push(format!("{kept} of {count} kernels are kept in memory; the curves have all of them"));
    }
    for message in &about.notes {
        history.push(Event::Warning { step: last.step, epoch: last.epoch, message: message.clone() });
    }
    history.push(Event::Ended(Ending::Finished { step: last.step }));
    Ok(Loaded { history, warnings: about.notes })
}

/// The contents of an archive besides its kernels.
struct About {
    steps: Vec<u64>,
    epochs: Vec<f64>,
    /// The task being trained when each kernel was measured.
    tasks: Vec<usize>,
    /// The class of each row, and the names of the classes where they have any.
    labels: Option<Vec<usize>>,
    classes: Vec<String>,
    /// The task of each row.
    probes: Vec<usize>,
    lag: Option<u64>,
    /// The lag in steps of each kernel's velocity, if a run of this program wrote the archive; 0 for none.
    lags: Option<Vec<usize>>,
    notes: Vec<String>,
}

impl About {
    fn read(npz: &mut NpzReader, count: usize, n: usize) -> Result<Self, String> {
        let mut notes = Vec::new();
        let steps = match column(npz, &["step"], count, "kernel")? {
            Some((_, values)) => whole("step", &values)?.into_iter().map(|step| step as u64).collect(),
            None => (0..count as u64).collect::<Vec<u64>>(),
        };
        let epochs = match column(npz, &["epoch"], count, "kernel")? {
            Some((_, values)) => values,
            None => steps.iter().map(|&step| step as f64).collect(),
        };
        if let Some(bad) = epochs.iter().position(|epoch| !(epoch.is_finite() && *epoch >= 0.0)) {
            return Err(format!("epoch[{bad}] is {}; epochs are numbers from 0", epochs[bad]));
        }
        let tasks = numbers_from_one(npz, &["task"], count, "kernel", &mut notes)?.unwrap_or_else(|| vec![1; count]);
        for at in 1..count {
            // At a switch two kernels may have the same step.
            let same = steps[at] == steps[at - 1] && tasks[at] != tasks[at - 1];
            if (steps[at] <= steps[at - 1] && !same) || epochs[at] < epochs[at - 1] {
                let (before, now) = (steps[at - 1], steps[at]);
                return Err(format!(
                    "step and epoch must grow from kernel to kernel, but step[{at}] is {now} after {before}"
                ));
            }
        }
        let (labels, classes) = labels(npz, n)?.unzip();
        let probes = numbers_from_one(npz, &["probe_task"], n, "row of the kernels", &mut notes)?;
        let probes = probes.unwrap_or_else(|| vec![1; n]);
        let grouped = probes[0] == 1 && probes.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1);
        if !grouped {
            return Err("probe_task must be sorted, and have each task from 1 on".to_owned());
        }
        let lag = match npz.has("lag") {
            true => {
                let header = npz.header("lag").map_err(|err| format!("lag: {err}"))?;
                let steps =
                    if header.count() == 1 { whole("lag", &floats(npz, "lag", 1, "archive")?)? } else { Vec::new() };
                match steps[..] {
                    [steps] if steps > 0 => Some(steps as u64),
                    _ => return Err("lag must be one number of steps above 0".to_owned()),
                }
            }
            false => None,
        };
        let lags = match column(npz, &["lag_steps"], count, "kernel")? {
            Some((name, values)) if lag.is_none() => Some(whole(name, &values)?),
            _ => None,
        };
        Ok(Self { steps, epochs, tasks, labels, classes: classes.unwrap_or_default(), probes, lag, lags, notes })
    }

    /// Returns the steps over which velocities are taken.
    fn lag(&self, moments: &[Moment]) -> Lag {
        let own = self.lags.as_ref().and_then(|lags| lags.iter().max()).map(|&longest| Lag::Own(longest as u64));
        self.lag.map(Lag::Steps).or(own).unwrap_or_else(|| Lag::usual(moments))
    }

    fn moments(&self) -> Vec<Moment> {
        let count = self.steps.len();
        let at_switch = |at: usize| at + 1 < count && self.tasks[at + 1] != self.tasks[at];
        let moment = |at: usize| Moment {
            step: self.steps[at],
            epoch: self.epochs[at],
            task: self.tasks[at],
            at_switch: at_switch(at),
            lag: self.lags.as_ref().map(|lags| lags[at] as u64),
        };
        (0..count).map(moment).collect()
    }

    /// Returns the rows of each task's block.
    fn blocks(&self, n: usize) -> Vec<Range<usize>> {
        let starts: Vec<usize> = (0..n).filter(|&row| row == 0 || self.probes[row] != self.probes[row - 1]).collect();
        let end = |place: usize| starts.get(place + 1).copied().unwrap_or(n);
        starts.iter().enumerate().map(|(place, &start)| start..end(place)).collect()
    }

    fn info(&self, n: usize) -> RunInfo {
        let label = |row: usize| self.labels.as_ref().map_or(0, |labels| labels[row]);
        let classes = |number: usize| {
            let mut classes: Vec<usize> =
                (0..n).filter(|&row| self.labels.is_some() && self.probes[row] == number).map(label).collect();
            classes.sort_unstable();
            classes.dedup();
            classes
        };
        let most = self.tasks.iter().chain(&self.probes).copied().max().unwrap_or(1);
        let task = |number: usize| TaskInfo {
            number,
            name: format!("task {number}"),
            classes: classes(number),
            train_images: 0,
            steps_per_epoch: 1,
        };
        RunInfo {
            // The settings of an imported record are never read.
            spec: Spec::default(),
            tasks: (1..=most).map(task).collect(),
            class_names: if self.labels.is_some() { self.classes.clone() } else { vec!["no class".to_owned()] },
            probes: (0..n).map(|row| Probe { task: self.probes[row], label: label(row), index: None }).collect(),
            probe_values: Arc::default(),
            image: [0; 3],
            thumbnails: Arc::default(),
            parameters: 0,
            origin: Origin::Imported,
            planned_steps: self.steps.last().copied().unwrap_or(0),
        }
    }
}

/// Reads the numbers of an array, which must have exactly this many.
fn floats(npz: &mut NpzReader, name: &str, count: usize, each: &str) -> Result<Vec<f64>, String> {
    let named = |err: io::Error| format!("{name}: {err}");
    let found = npz.header(name).map_err(named)?.count();
    if found != count {
        return Err(format!("{name} has {found} numbers; there must be one for each {each}, {count}"));
    }
    Ok(npz.array(name).map_err(named)?.values)
}

/// Returns the numbers of the first of these arrays that exists; there must be one for each item.
fn column(
    npz: &mut NpzReader,
    names: &[&'static str],
    count: usize,
    each: &str,
) -> Result<Option<(&'static str, Vec<f64>)>, String> {
    let Some(&name) = names.iter().find(|name| npz.has(name)) else { return Ok(None) };
    Ok(Some((name, floats(npz, name, count, each)?)))
}

/// The class of each row, and the names of the classes where they have any.
type Labels = (Vec<usize>, Vec<String>);

/// Returns the classes of the rows, with names if the labels are text or −1 and 1, which are no indices.
fn labels(npz: &mut NpzReader, n: usize) -> Result<Option<Labels>, String> {
    const EACH: &str = "row of the kernels";
    let Some(name) = ["labels", "probe_label"].into_iter().find(|name| npz.has(name)) else { return Ok(None) };
    let named = |err: io::Error| format!("{name}: {err}");
    let header = npz.header(name).map_err(named)?;
    if header.is_text() {
        if header.count() != n {
            return Err(format!("{name} has {} texts; there must be one for each {EACH}, {n}", header.count()));
        }
        return Ok(Some(numbered(&npz.texts(name).map_err(named)?)));
    }
    let values = floats(npz, name, n, EACH)?;
    if values.iter().all(|value| value.fract() == 0.0 && value.abs() < 9e15) && values.iter().any(|&value| value < 0.0)
    {
        let whole: Vec<i64> = values.iter().map(|&value| value as i64).collect();
        let (numbers, mut names) = numbered(&whole);
        return Ok(Some((numbers, names.iter_mut().map(|name| name.replace('-', "−")).collect())));
    }
    Ok(Some((whole(name, &values)?, Vec::new())))
}

/// Returns the index of each value among the sorted distinct values, and these as text.
fn numbered<T: Ord + ToString>(values: &[T]) -> Labels {
    let different: BTreeSet<&T> = values.iter().collect();
    let places: BTreeMap<&T, usize> = different.iter().enumerate().map(|(place, &value)| (value, place)).collect();
    (values.iter().map(|value| places[value]).collect(), different.iter().map(|value| value.to_string()).collect())
}

/// Returns the Grams of a run at which lags begin and that have no rows.
fn partners(npz: &mut NpzReader, n: usize) -> Result<LagPartners, String> {
    if !npz.has(PARTNER) {
        return Ok(LagPartners::new());
    }
    let named = |err: io::Error| format!("{PARTNER}: {err}");
    let shape = npz.header(PARTNER).map_err(named)?.shape;
    let count = match shape[..] {
        [count, rows, columns] if rows == n && columns == n => count,
        _ => return Err(format!("{PARTNER} has the shape {shape:?} where [P, {n}, {n}] was expected")),
    };
    let each = "kernel of partner";
    let (steps, epochs) = (floats(npz, PARTNER_STEP, count, each)?, floats(npz, PARTNER_EPOCH, count, each)?);
    let steps = whole(PARTNER_STEP, &steps)?;
    let values = npz.array(PARTNER).map_err(named)?.values;
    let grams = values.chunks_exact(n * n).map(<[f64]>::to_vec);
    Ok(steps.iter().map(|&step| step as u64).zip(epochs.into_iter().zip(grams)).collect())
}

/// Converts numbers to integers from 0.
fn whole(name: &str, values: &[f64]) -> Result<Vec<usize>, String> {
    // A float represents every integer below this bound.
    let is_whole = |value: f64| value >= 0.0 && value.fract() == 0.0 && value < 9e15;
    match values.iter().position(|&value| !is_whole(value)) {
        Some(bad) => Err(format!("{name}[{bad}] is {}; a whole number from 0 was expected", values[bad])),
        None => Ok(values.iter().map(|&value| value as usize).collect()),
    }
}

/// Returns task numbers that count from 1: where one is 0, all are increased by one.
fn numbers_from_one(
    npz: &mut NpzReader,
    names: &[&'static str],
    count: usize,
    each: &str,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<usize>>, String> {
    let Some((name, values)) = column(npz, names, count, each)? else { return Ok(None) };
    let mut numbers = whole(name, &values)?;
    if numbers.contains(&0) {
        numbers.iter_mut().for_each(|number| *number = number.saturating_add(1));
        notes.push(format!("{name} counts from 0; here tasks count from 1"));
    }
    match numbers.iter().find(|number| **number > MOST_TASKS) {
        Some(number) => Err(format!("{name} has a task {number}; at most {MOST_TASKS} tasks are shown")),
        None => Ok(Some(numbers)),
    }
}
