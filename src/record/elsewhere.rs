//! Kernels that another program has measured: an `.npz` archive with `gram` [T, n, n], as `numpy.savez` writes it, becomes the
//! record of a run that was never trained here.
//!
//! Guarantees: nothing is guessed about what is not in the archive; whatever does not fit is refused in one sentence that names
//! the array; a matrix that is not symmetric is shown as it is, and said to be so. Grams are read one at a time.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::load::Loaded;
use super::measured::{Lag, Measured, Moment};
use super::npz::{NpzReader, invalid};
use super::{Ending, Event, History, Probe, Progress, RunInfo, TaskInfo, TaskStart};
use crate::spec::{Spec, memory_available};

/// What stands in the place of the device: there was none of ours.
const ELSEWHERE: &str = "kernels from elsewhere";
/// Tasks at most, as of a run.
const MOST_TASKS: usize = 64;
/// Above this share of the largest entry a Gram is said not to be symmetric; products in 32 bits stay below it.
const ASYMMETRIC: f64 = 1e-4;

impl RunInfo {
    /// Whether the kernels were measured by another program: then there are no settings, weights or images.
    pub fn is_elsewhere(&self) -> bool {
        self.device == ELSEWHERE
    }
}

/// Reads an archive and measures its kernels; `tell` hears how many of how many are done, and ends it by `false`.
///
/// # Errors
/// When it is no such archive, in one sentence.
pub fn load_kernels(path: &Path, tell: &mut dyn FnMut(usize, usize) -> bool) -> Result<Loaded, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    read(path, tell).map_err(|problem| format!("{name} cannot be opened: {problem}"))
}

fn read(path: &Path, tell: &mut dyn FnMut(usize, usize) -> bool) -> Result<Loaded, String> {
    let mut npz = NpzReader::open(path).map_err(|err| {
        log::info!("{}: {err}", path.display());
        "it is no .npz archive as numpy.savez writes it".to_owned()
    })?;
    if !npz.has("gram") {
        return Err("it holds no array named gram; save the kernels as gram=…, of shape [T, n, n]".to_owned());
    }
    let shape = npz.numbers("gram", |shape, _| Ok(shape.to_vec())).map_err(|err| format!("gram: {err}"))?;
    let (count, n) = match shape[..] {
        [n, m] if n == m => (1, n),
        [count, n, m] if n == m => (count, n),
        _ => return Err(format!("gram has the shape {shape:?}; it must be [T, n, n], or [n, n] of one kernel")),
    };
    if count == 0 || n < 2 {
        return Err(format!("gram has the shape {shape:?}; there must be a kernel of two rows at least"));
    }
    // Of one Gram there are a few copies while it is measured.
    if (n as u64).saturating_mul(n as u64).saturating_mul(64) > memory_available() {
        return Err(format!("a kernel of {n} rows does not fit into this machine's memory; save fewer rows"));
    }
    let mut about = About::read(&mut npz, count, n)?;
    let moments = about.moments();
    let lag = about.lag.map_or_else(|| Lag::usual(&moments), Lag::Steps);
    let mut measured = Measured::new(n, about.labels.clone(), about.blocks(n), lag);
    let mut history = History::default();
    history.push(Event::Started(Arc::new(about.info(n))));
    let mut from: Option<Moment> = None;
    let done = npz.numbers("gram", |_, values| {
        for (place, &moment) in moments.iter().enumerate() {
            let gram: Vec<f64> = (&mut *values).take(n * n).collect::<Result<_, _>>()?;
            if gram.len() != n * n {
                return Err(invalid(format!("it ends within kernel {place}")));
            }
            if let Some(bad) = gram.iter().position(|value| !value.is_finite()) {
                let (row, column) = (bad / n, bad % n);
                return Err(invalid(format!("gram[{place}, {row}, {column}] is no number: leave that kernel out")));
            }
            if from.is_none_or(|from| from.task != moment.task) {
                // A task begins where the last kernel of the one before is, the first one at the very start.
                let (step, epoch) = from.map_or((moment.step, 0.0), |from| (from.step, from.epoch));
                let from = from.map(|from| from.task);
                history.push(Event::Task(TaskStart { task: moment.task, from, step, epoch }));
            }
            from = Some(moment);
            history.push(Event::Snapshot(Arc::new(measured.next(moment, gram).map_err(invalid)?)));
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

/// What an archive says beside its kernels.
struct About {
    steps: Vec<u64>,
    epochs: Vec<f64>,
    /// Being trained when each was measured.
    tasks: Vec<usize>,
    /// Class of each row.
    labels: Option<Vec<usize>>,
    /// Task of each row.
    probes: Vec<usize>,
    lag: Option<u64>,
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
            // At a switch there may be two of one step.
            let same = steps[at] == steps[at - 1] && tasks[at] != tasks[at - 1];
            if (steps[at] <= steps[at - 1] && !same) || epochs[at] < epochs[at - 1] {
                let (before, now) = (steps[at - 1], steps[at]);
                return Err(format!(
                    "step and epoch must grow from kernel to kernel, but step[{at}] is {now} after {before}"
                ));
            }
        }
        let labels = match column(npz, &["labels", "probe_label"], n, "row of the kernels")? {
            Some((name, values)) => Some(whole(name, &values)?),
            None => None,
        };
        let probes = numbers_from_one(npz, &["probe_task"], n, "row of the kernels", &mut notes)?;
        let probes = probes.unwrap_or_else(|| vec![1; n]);
        let grouped = probes[0] == 1 && probes.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1);
        if !grouped {
            return Err("probe_task must be sorted, and have each task from 1 on".to_owned());
        }
        let lag = match npz.has("lag") {
            true => {
                let values = floats(npz, "lag")?;
                let steps = whole("lag", &values)?;
                match steps[..] {
                    [steps] if steps > 0 => Some(steps as u64),
                    _ => return Err("lag must be one number of steps above 0".to_owned()),
                }
            }
            false => None,
        };
        Ok(Self { steps, epochs, tasks, labels, probes, lag, notes })
    }

    fn moments(&self) -> Vec<Moment> {
        let count = self.steps.len();
        let at_switch = |at: usize| at + 1 < count && self.tasks[at + 1] != self.tasks[at];
        let moment = |at: usize| Moment {
            step: self.steps[at],
            epoch: self.epochs[at],
            task: self.tasks[at],
            at_switch: at_switch(at),
        };
        (0..count).map(moment).collect()
    }

    /// Rows of each task's block.
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
        // Of the settings only the time is looked at: it ends where the last kernel is.
        let mut spec = Spec::default();
        spec.tasks.epochs = vec![1e12];
        RunInfo {
            spec,
            tasks: (1..=most).map(task).collect(),
            class_names: if self.labels.is_some() { Vec::new() } else { vec!["no class".to_owned()] },
            probes: (0..n).map(|row| Probe { task: self.probes[row], label: label(row) }).collect(),
            probe_values: Arc::default(),
            image: [0; 3],
            thumbnails: Arc::default(),
            parameters: 0,
            device: ELSEWHERE.to_owned(),
            planned_steps: self.steps.last().copied().unwrap_or(0),
        }
    }
}

fn floats(npz: &mut NpzReader, name: &str) -> Result<Vec<f64>, String> {
    npz.numbers(name, |_, values| values.collect::<Result<Vec<f64>, _>>()).map_err(|err| format!("{name}: {err}"))
}

/// The array of the first of these names that is there; it must have a number for each of so many things.
fn column(
    npz: &mut NpzReader,
    names: &[&'static str],
    count: usize,
    each: &str,
) -> Result<Option<(&'static str, Vec<f64>)>, String> {
    let Some(&name) = names.iter().find(|name| npz.has(name)) else { return Ok(None) };
    let values = floats(npz, name)?;
    if values.len() != count {
        return Err(format!("{name} has {} numbers; there must be one for each {each}, {count}", values.len()));
    }
    Ok(Some((name, values)))
}

/// Whole numbers from 0.
fn whole(name: &str, values: &[f64]) -> Result<Vec<usize>, String> {
    // Up to here a float tells neighbours apart.
    let is_whole = |value: f64| value >= 0.0 && value.fract() == 0.0 && value < 9e15;
    match values.iter().position(|&value| !is_whole(value)) {
        Some(bad) => Err(format!("{name}[{bad}] is {}; a whole number from 0 was expected", values[bad])),
        None => Ok(values.iter().map(|&value| value as usize).collect()),
    }
}

/// Numbers of tasks. They count from 1 here; where there is a 0, all are one more.
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
