//! Opens folders and archives on a separate thread, one after another.
//!
//! Guarantees: the window never waits for a file; an item that cannot be opened yields one sentence and does not stop the
//! following ones; dropping the loader cancels its current work.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::RecentPath;
use crate::run::{History, harmless};
use crate::spec::{DataFolders, Init, NetworkSpec, Spec, absolute};
use crate::storage::{
    GRAPH, Grams, Graph, Loaded, RUNS, STUDY, StudyFolder, TASKS, WATCH, WEIGHTS, WatchFolder, array_of, is_run,
    load_beside, load_kernels, load_lazily, tidy,
};
use crate::worker::Cifar;

/// A run that was opened.
#[derive(Debug)]
pub struct LoadedRun {
    pub path: PathBuf,
    /// The requested place: the run itself, or the study that it belongs to.
    pub place: RecentPath,
    pub name: String,
    pub history: History,
    /// Its Grams on disk; `None` if they are in the record.
    pub grams: Option<Grams>,
    /// Sentences about missing or broken parts.
    pub warnings: Vec<String>,
    /// Whether it becomes the main run in all views instead of an overlay.
    pub shown: bool,
}

/// A request to open a folder or an archive.
#[derive(Debug)]
pub struct LoadRequest {
    pub path: PathBuf,
    /// Whether it becomes the main run in all views; for a study, its first run does.
    pub shown: bool,
    /// Its name in the list, if one is given.
    pub name: Option<String>,
}

/// A message of the thread.
#[derive(Debug)]
pub enum LoadEvent {
    /// The name of the archive that is being measured, the number of kernels that are done, and their total.
    Measuring(String, usize, usize),
    Loaded(Box<LoadedRun>),
    /// A study of learners, whose runs have no curves over time: it is shown on the study page.
    Study(RecentPath, Box<Spec>),
    /// A module of PyTorch: its graph as a network that begins from the weights beside it, and the data sets near it.
    Module(RecentPath, Box<NetworkSpec>, DataFolders),
    /// A folder into which another training writes.
    Watched(RecentPath),
    /// The reason why a place was not opened.
    Refused(String),
    /// The folder or archive no longer exists.
    Gone(PathBuf),
    /// A request is finished, whatever its result.
    Done,
}

/// The window's handle of the thread that opens folders and archives.
#[derive(Debug)]
pub struct Loader {
    orders: Sender<LoadRequest>,
    events: Receiver<LoadEvent>,
    /// Cancels the current work of the thread.
    cancelled: Arc<AtomicBool>,
    /// Requests that have not been sent to the thread; it receives one at a time.
    queue: VecDeque<LoadRequest>,
    busy: bool,
    /// The name of the archive that is being measured, the number of kernels that are done, and their total.
    pub measuring: Option<(String, usize, usize)>,
}

impl Loader {
    /// Starts the thread; `wake` is called with each of its messages.
    ///
    /// # Errors
    /// When the system cannot create a thread.
    pub fn start(wake: crate::worker::Waker) -> std::io::Result<Self> {
        let (orders, inbox) = bounded::<LoadRequest>(1);
        let (outbox, events) = bounded(4);
        let let_go = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&let_go);
        let run = move || {
            for order in inbox {
                let tell = |event: LoadEvent| {
                    // A progress message may be dropped, as the next one replaces it.
                    let is_heard = match event {
                        LoadEvent::Measuring(..) => outbox.try_send(event).is_ok() || outbox.is_full(),
                        _ => outbox.send(event).is_ok(),
                    };
                    wake();
                    is_heard && !stop.load(Ordering::Relaxed)
                };
                open(order, &tell);
                if !tell(LoadEvent::Done) {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("opening".to_owned()).spawn(run)?;
        Ok(Self { orders, events, cancelled: let_go, queue: VecDeque::new(), busy: false, measuring: None })
    }

    /// Queues a request.
    pub fn order(&mut self, order: LoadRequest) {
        self.queue.push_back(order);
        self.next();
    }

    /// Returns the number of unfinished requests.
    pub fn waiting(&self) -> usize {
        self.queue.len() + usize::from(self.busy)
    }

    fn next(&mut self) {
        if !self.busy
            && let Some(order) = self.queue.pop_front()
        {
            self.busy = self.orders.try_send(order).is_ok();
        }
    }

    /// Returns the next message.
    pub fn event(&mut self) -> Option<LoadEvent> {
        let event = self.events.try_recv().ok()?;
        match &event {
            LoadEvent::Measuring(name, done, all) => self.measuring = Some((name.clone(), *done, *all)),
            LoadEvent::Done => {
                (self.busy, self.measuring) = (false, None);
                self.next();
            }
            _ => {}
        }
        Some(event)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

fn open(order: LoadRequest, tell: &dyn Fn(LoadEvent) -> bool) {
    let LoadRequest { path, shown, name } = order;
    let name = name.unwrap_or_else(|| name_of(&path));
    let refuse = |sentence: String| _ = tell(LoadEvent::Refused(sentence));
    let planned = path.join(TASKS).is_file().then(|| path.clone());
    if let Some(study) = study_of_learners(&path).or(planned) {
        match StudyFolder::spec_in(&study) {
            Ok(spec) => _ = tell(LoadEvent::Study(place(&name_of(&study), &study), Box::new(spec))),
            Err(err) => refuse(err.to_string()),
        }
    } else if let Some(folder) = watched_folder(&path) {
        tell(LoadEvent::Watched(place(&name_of(folder), folder)));
    } else if let Some(folder) = module_folder(&path) {
        match Graph::read(folder) {
            Ok(graph) => {
                let mut network = graph.network(&name_of(folder));
                (network.init, network.weights) = (Init::Torch, weights_beside(folder));
                let recent = place(&network.program, folder);
                tell(LoadEvent::Module(recent, Box::new(network), data_near(folder)));
            }
            Err(err) => refuse(err.to_string()),
        }
    } else if is_run(&path) {
        tell(run(&path, place(&name, &path), name, shown));
    } else if path.join(STUDY).is_file() {
        let folders = runs_of(&path);
        if folders.is_empty() {
            refuse(format!("The study {name} holds no run folder yet: nothing to lay over a run"));
        }
        for (number, folder) in folders.into_iter().enumerate() {
            let own = format!("{name}/{}", name_of(&folder));
            if !tell(run(&folder, place(&name, &path), own, shown && number == 0)) {
                return;
            }
        }
    } else if is_archive(&path) {
        let mut progress = |done, all| tell(LoadEvent::Measuring(name.clone(), done, all));
        match load_kernels(&path, &mut progress) {
            Ok(Loaded { history, warnings }) => {
                let found = LoadedRun {
                    place: place(&name, &path),
                    path,
                    name: name.clone(),
                    history,
                    grams: None,
                    warnings,
                    shown,
                };
                tell(LoadEvent::Loaded(Box::new(found)));
            }
            Err(sentence) => refuse(sentence),
        }
    } else if path.exists() {
        refuse(unknown(&path));
    } else {
        tell(LoadEvent::Gone(path));
    }
}

/// Returns the folder of the study of learners if `path` is one, or is a run of one.
fn study_of_learners(path: &Path) -> Option<PathBuf> {
    let around = path.ancestors().nth(2).filter(|_| path.parent().is_some_and(|runs| runs.ends_with(RUNS)));
    let study = [Some(path), around].into_iter().flatten().find(|folder| folder.join(STUDY).is_file())?;
    let learns =
        StudyFolder::spec_in(study).is_ok_and(|spec| spec.study.is_some_and(|study| study.compares_learners()));
    learns.then(|| study.to_owned())
}

/// Returns the watched folder, of which the path is that or the file that marks it.
fn watched_folder(path: &Path) -> Option<&Path> {
    if path.is_file() && path.file_name().is_some_and(|name| name == WATCH) {
        return path.parent();
    }
    (WatchFolder::is(path) && !is_run(path)).then_some(path)
}

/// Returns the folder of an exported module, of which the path is that or its graph.
fn module_folder(path: &Path) -> Option<&Path> {
    if path.is_file() && path.file_name().is_some_and(|name| name == GRAPH) {
        return path.parent();
    }
    (Graph::is_in(path) && !is_run(path)).then_some(path)
}

/// Returns the file of weights in the folder of a module, if there is one.
fn weights_beside(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(WEIGHTS)).filter(|path| path.is_file())
}

/// Finds data sets where they are usually put: in the folder of a module, above it, and in the folder `data` beside it or in the
/// current one.
fn data_near(folder: &Path) -> DataFolders {
    let above = folder.parent().unwrap_or(folder);
    let places = [folder.to_owned(), above.to_owned(), above.join("data"), "data".into(), ".".into()];
    let found = |set: Cifar| places.iter().find(|place| set.is_in(place)).map(|place| absolute(place, Path::new("")));
    DataFolders { cifar10: found(Cifar::Ten), cifar100: found(Cifar::Hundred) }
}

/// Returns whether the path is an archive of kernels, one of its arrays, or a single array.
fn is_archive(path: &Path) -> bool {
    let archive = array_of(path).0;
    let has = |ending: &str| archive.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    archive.is_file() && (has("npz") || has("npy"))
}

/// Describes the place that the user has requested.
fn place(name: &str, path: &Path) -> RecentPath {
    RecentPath { name: name.to_owned(), path: path.to_owned(), autosaved: false }
}

/// Explains why a path cannot be opened, and what can.
fn unknown(path: &Path) -> String {
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    format!(
        "{name} is neither a run folder nor a study folder nor an .npz archive of kernels nor a module of PyTorch with its \
         {GRAPH} nor a training with its {WATCH}; kernelscope run and study make folders"
    )
}

/// Reads a run folder: everything but its Grams for the main run, otherwise only its curves.
fn run(path: &Path, recent: RecentPath, name: String, shown: bool) -> LoadEvent {
    // An error is harmless here: the run may still be live, or the folder read-only.
    let tidied = tidy(path).map(|tidied| tidied.repairs).unwrap_or_default();
    match if shown { load_lazily(path) } else { load_beside(path) } {
        Ok((Loaded { history, warnings }, grams)) => {
            let warnings = tidied.into_iter().chain(warnings).collect();
            LoadEvent::Loaded(Box::new(LoadedRun {
                path: path.to_owned(),
                place: recent,
                name,
                history,
                grams,
                warnings,
                shown,
            }))
        }
        Err(err) => LoadEvent::Refused(err.to_string()),
    }
}

/// Returns the run folders of a study, by name.
fn runs_of(study: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(study.join(RUNS)) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_run(path)).collect();
    folders.sort();
    folders
}

/// Returns the last part of a path, without the extension of an archive, but with the name of its array if there is one.
fn name_of(path: &Path) -> String {
    if let (archive, Some(array)) = array_of(path) {
        return format!("{} {array}", name_of(&archive));
    }
    let part = if path.is_file() { path.file_stem() } else { path.file_name() };
    harmless(&part.map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned()))
}
