//! Claims a folder for one writer, also on a file system that several machines share, where locks may not hold.
//!
//! A claim is the file [`CLAIM`], which says who writes the folder: host, process, job, and since when.
//!
//! Guarantees:
//! * It is made with `O_CREAT | O_EXCL`, so of any number of processes one gets it. Without it nothing is written.
//! * It is renewed every [`RENEWED_EVERY`], in place. One whose process is known to be gone is broken at once. Of any other
//!   process only silence tells: the claim is broken when whoever waits for it has seen no renewal for [`SILENCE`] by a clock
//!   of its own. Clocks of two machines are never compared, which may be minutes apart.
//! * It is broken by renaming it away, under a second file of which there can be one ([`TICKET`]), and only if it is still the
//!   claim that was found silent. Whoever comes first claims the folder then as if it had been free.
//! * A holder that finds its claim gone, or another's in its place, stops writing. One that could not look for
//!   [`TRUSTED_FOR`], because the machine slept or the disk hung, looks before it writes.

pub(crate) mod process;
pub(crate) mod watch;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde::{Deserialize, Serialize};

use self::process::ProcessIdentity;
use super::format::atomic::CLAIM;
use super::format::disk;
use super::format::errors::FolderError;

/// The file that lets one process at a time break a claim. Its name is that of a temporary file, which a kill may leave.
const TICKET: &str = ".kernelscope-takeover.tmp";
/// The interval at which a claim is renewed.
pub const RENEWED_EVERY: Duration = Duration::from_secs(30);
/// The time without a renewal after which a claim may be broken.
pub const SILENCE: Duration = Duration::from_secs(600);
/// The time for which a holder writes without looking again whether the claim is still its own.
const TRUSTED_FOR: Duration = Duration::from_secs(60);
/// The time after which a holder that cannot read its claim gives it up: half of that after which others may break it.
const OVERDUE: Duration = Duration::from_secs(300);
/// The time for which a claim of a living process is tried again: one that was just killed takes a moment to be gone.
const PATIENCE: Duration = Duration::from_millis(500);
/// The time in which whoever made the file of a claim has surely written into it, or finds out that it is broken.
const UNWRITTEN: Duration = Duration::from_secs(5);

/// Who writes a folder, as its claim says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    #[serde(flatten)]
    pub process: ProcessIdentity,
    /// When it was claimed, by the clock of its machine.
    pub since: String,
    /// Distinguishes this claim from all others.
    id: String,
}

/// A claim as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    text: String,
    /// `None` for a text that is no claim, or not yet one.
    pub(crate) holder: Option<Holder>,
}

impl Found {
    /// Returns whether whoever made the file has not written into it yet, or was killed before that.
    fn is_unwritten(&self) -> bool {
        self.holder.is_none()
    }
}

/// A claim of this process. Dropping it frees the folder.
#[derive(Debug)]
pub struct Claim {
    shared: Arc<Shared>,
    /// Closed to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread that renews a claim shares with its holder.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    holder: Holder,
    _name: HeldName,
    renewals: AtomicU64,
    lost: AtomicBool,
    /// When the claim was last found to be this one's.
    found: Mutex<(Instant, SystemTime)>,
}

/// More bytes than any claim has.
const MOST_BYTES: u64 = 1 << 16;

/// The claims of this process, by their names: a copy of a folder holds a copy of its claim.
static HELD: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// The name of a claim of this process, as long as it has it.
#[derive(Debug)]
struct HeldName(String);

impl HeldName {
    fn register(holder: &Holder, folder: &Path) -> Self {
        held().insert(holder.id.clone(), place_of(folder));
        Self(holder.id.clone())
    }
}

impl Drop for HeldName {
    fn drop(&mut self) {
        held().remove(&self.0);
    }
}

/// Why a folder cannot be claimed now.
enum Refusal {
    /// By a claim that is there, whose holder may be known to be gone.
    Held {
        found: Box<Found>,
        is_over: bool,
    },
    Error(FolderError),
}

/// Claims a folder that exists.
///
/// # Errors
/// When another process holds it, which is tried again for half a second, or the claim cannot be made.
pub(crate) fn claim(folder: &Path) -> Result<Claim, FolderError> {
    let mut began = Instant::now();
    let mut last = None;
    loop {
        let (found, is_over) = match claim_now(folder) {
            Ok(claim) => return Ok(claim),
            Err(Refusal::Error(err)) => return Err(err),
            Err(Refusal::Held { found, is_over }) => (found, is_over),
        };
        if found.is_unwritten() && last.as_ref() != Some(&found) {
            began = Instant::now();
            last = Some(found.clone());
        }
        let (waited, is_unwritten) = (began.elapsed(), found.is_unwritten());
        if (is_unwritten || is_over) && waited >= UNWRITTEN {
            break_claim(folder, &found, Ticket::Any)?;
        } else if !is_unwritten && !is_over && waited >= PATIENCE {
            return Err(busy(folder, found.holder.as_ref()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Describes this process as part of a sentence.
pub(crate) fn this_process() -> String {
    ProcessIdentity::here().in_words()
}

/// Returns who holds a folder, if that process may be alive.
pub fn holder_of(folder: &Path) -> Option<Holder> {
    let holder = read(&folder.join(CLAIM)).ok()??.holder?;
    (!is_gone(folder, &holder)).then_some(holder)
}

/// Returns whether a process that may be alive writes this folder.
pub(crate) fn is_claimed(folder: &Path) -> bool {
    match read(&folder.join(CLAIM)) {
        Ok(Some(found)) => found.holder.is_none_or(|holder| !is_gone(folder, &holder)),
        Ok(None) | Err(_) => false,
    }
}

fn busy(folder: &Path, holder: Option<&Holder>) -> FolderError {
    let known = holder.is_some_and(|holder| holder.process.is_here());
    let holder =
        holder.map_or_else(|| "a process that it does not name".to_owned(), |holder| holder.process.in_words());
    let (folder, claim) = (folder.to_owned(), folder.join(CLAIM));
    if known { FolderError::Busy { folder, claim, holder } } else { FolderError::Claimed { folder, claim, holder } }
}

fn claim_now(folder: &Path) -> Result<Claim, Refusal> {
    let path = folder.join(CLAIM);
    let unable = |err: &io::Error| FolderError::NoClaim { claim: path.clone(), why: disk::words(err) };
    let holder = Holder::new();
    // Before the file is there: another thread may read it at once.
    let name = HeldName::register(&holder, folder);
    let text = text_of(&holder, 0).map_err(|err| Refusal::Error(unable(&err)))?;
    loop {
        match disk::create_new(&path, text.as_bytes()) {
            Ok(()) => return Claim::of(holder, name, path),
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
            Err(err) => return Err(Refusal::Error(unable(&err))),
        }
        let found = match read(&path) {
            Ok(Some(found)) => found,
            // It was freed meanwhile.
            Ok(None) => continue,
            Err(err) => return Err(Refusal::Error(unable(&err))),
        };
        let is_over = found.holder.as_ref().is_some_and(|holder| is_gone(folder, holder));
        if !(is_over && break_claim(folder, &found, Ticket::New).map_err(Refusal::Error)?) {
            return Err(Refusal::Held { found: Box::new(found), is_over });
        }
    }
}

/// Returns whether the holder of this claim is known to be gone.
fn is_gone(folder: &Path, holder: &Holder) -> bool {
    if holder.process == *ProcessIdentity::here() {
        return held().get(&holder.id).is_none_or(|place| *place != place_of(folder));
    }
    holder.process.is_gone()
}

/// Which ticket serves to break a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ticket {
    New,
    /// One that is there has been there for much longer than it takes to break a claim: it is replaced.
    Any,
}

/// Breaks a claim whose holder is gone or silent, if it is still that claim; returns whether it did.
fn break_claim(folder: &Path, silent: &Found, which: Ticket) -> Result<bool, FolderError> {
    let (path, ticket) = (folder.join(CLAIM), folder.join(TICKET));
    let unable = |err: io::Error| FolderError::NoClaim { claim: path.clone(), why: disk::words(&err) };
    let taker = Holder::new();
    let _name = HeldName::register(&taker, folder);
    let text = text_of(&taker, 0).map_err(unable)?;
    if which == Ticket::Any {
        disk::remove(&ticket).map_err(unable)?;
    }
    match disk::create_new(&ticket, text.as_bytes()) {
        Ok(()) => {}
        Err(err) if err.kind() == ErrorKind::AlreadyExists => {
            // Another process is about to break it, or was killed before it could.
            let left = read(&ticket).map_err(unable)?.and_then(|found| found.holder);
            if left.is_some_and(|holder| is_gone(folder, &holder)) {
                disk::remove(&ticket).map_err(unable)?;
            }
            return Ok(false);
        }
        Err(err) => return Err(unable(err)),
    }
    let broken = rename_away(folder, silent);
    disk::remove(&ticket).map_err(unable)?;
    broken.map_err(unable)
}

/// Renames a claim away and removes it.
fn rename_away(folder: &Path, silent: &Found) -> io::Result<bool> {
    let path = folder.join(CLAIM);
    if read(&path)?.as_ref() != Some(silent) {
        return Ok(false);
    }
    let away = folder.join(format!(".kernelscope-{}.tmp", new_id()));
    disk::rename(&path, &away)?;
    // A ticket that was left behind may have let two processes in, and the other one was faster.
    let is_right = read(&away)?.as_ref() == Some(silent);
    if !is_right {
        fs::hard_link(&away, &path)?;
    }
    disk::remove(&away)?;
    Ok(is_right)
}

/// Reads a claim; `None` where there is none.
fn read(path: &Path) -> io::Result<Option<Found>> {
    match File::open(path).and_then(|file| found_in(&file)) {
        Ok(found) => Ok(Some(found)),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        // A handle of a network file system whose file was replaced.
        Err(err) if err.kind() == ErrorKind::StaleNetworkFileHandle => Ok(None),
        Err(err) => Err(err),
    }
}

fn found_in(file: &File) -> io::Result<Found> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Found { holder: toml::from_str(&text).ok(), text })
}

fn held() -> MutexGuard<'static, BTreeMap<String, PathBuf>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place_of(folder: &Path) -> PathBuf {
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

fn new_id() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// Returns the text of a claim; its length does not depend on the number of renewals, so that it can be written in place.
fn text_of(holder: &Holder, renewals: u64) -> io::Result<String> {
    let table = toml::to_string(holder).map_err(io::Error::other)?;
    Ok(format!(
        "# A Kernelscope writes this folder. Delete this file only if you know that this process is gone.\n\
         # Another one waits until it has not been renewed for ten minutes.\nrenewed = \"{renewals:08}\"\n{table}"
    ))
}

impl Holder {
    /// Describes the holder as part of a sentence.
    pub fn in_words(&self) -> String {
        format!("{}, since {}", self.process.in_words(), self.since)
    }

    fn new() -> Self {
        let since = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self { process: ProcessIdentity::here().clone(), since, id: new_id() }
    }
}

impl Claim {
    /// Returns the claim whose file this process has made.
    fn of(holder: Holder, name: HeldName, path: PathBuf) -> Result<Self, Refusal> {
        let (renewals, lost) = (AtomicU64::new(0), AtomicBool::new(false));
        let found = Mutex::new((Instant::now(), SystemTime::now()));
        let shared = Arc::new(Shared { path, holder, _name: name, renewals, lost, found });
        // From here on dropping the claim removes the file.
        let mut claim = Self { shared: Arc::clone(&shared), stop: None, thread: None };
        let unable = |err: &io::Error| {
            Refusal::Error(FolderError::NoClaim { claim: shared.path.clone(), why: disk::words(err) })
        };
        // Whoever took so long to write that it was broken meanwhile must not go on.
        match read(&shared.path).map_err(|err| unable(&err))? {
            Some(found) if shared.is_mine(&found) => {}
            Some(found) => return Err(Refusal::Held { found: Box::new(found), is_over: false }),
            None => return Err(Refusal::Error(FolderError::Lost(shared.path.clone()))),
        }
        let (stop, stopped) = bounded(0);
        let renewed = Arc::clone(&shared);
        let thread = Builder::new().name("claim".to_owned()).spawn(move || renewed.keep(&stopped));
        claim.thread = Some(thread.map_err(|err| unable(&err))?);
        claim.stop = Some(stop);
        Ok(claim)
    }

    /// Checks that the folder may be written: the claim was found to be this one's not long ago, or is so now.
    ///
    /// # Errors
    /// When the claim is gone or another's.
    pub(crate) fn check(&self) -> Result<(), FolderError> {
        self.check_at(Instant::now())
    }

    /// Checks the same with this time for now.
    pub(crate) fn check_at(&self, now: Instant) -> Result<(), FolderError> {
        if !self.shared.lost.load(Ordering::Relaxed) && self.shared.age(now) < TRUSTED_FOR {
            return Ok(());
        }
        self.shared.renew(now)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let shared = &self.shared;
        if read(&shared.path).is_ok_and(|found| found.is_some_and(|found| shared.is_mine(&found))) {
            // A claim that cannot be removed is that of a process that is gone soon.
            let _ = disk::remove(&shared.path);
        }
    }
}

impl Shared {
    /// Renews the claim until its holder closes the channel or the claim is lost.
    fn keep(&self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(RENEWED_EVERY) == Err(RecvTimeoutError::Timeout) {
            if let Err(err) = self.renew(Instant::now()) {
                log::warn!("{err}");
                return;
            }
        }
    }

    /// Writes the next number of a renewal into the file, if it is still this claim's.
    fn renew(&self, now: Instant) -> Result<(), FolderError> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(FolderError::Lost(self.path.clone()));
        }
        match self.write_renewal() {
            Ok(true) => {
                *self.found() = (now.max(Instant::now()), SystemTime::now());
                Ok(())
            }
            Ok(false) => {
                self.lost.store(true, Ordering::Relaxed);
                Err(FolderError::Lost(self.path.clone()))
            }
            // A disk that does not answer may do so in a moment.
            Err(_) if self.age(now) < OVERDUE => Ok(()),
            Err(err) => Err(FolderError::NoClaim { claim: self.path.clone(), why: disk::words(&err) }),
        }
    }

    /// Returns whether the file is still this claim's. What is written goes into the file that was read: if another one takes
    /// its name in between, that stays as it is.
    fn write_renewal(&self) -> io::Result<bool> {
        let mut file = match disk::open_to_rewrite(&self.path) {
            Ok(file) => file,
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(false),
            Err(err) => return Err(err),
        };
        if !self.is_mine(&found_in(&file)?) {
            return Ok(false);
        }
        let renewals = self.renewals.fetch_add(1, Ordering::Relaxed) + 1;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text_of(&self.holder, renewals)?.as_bytes())?;
        Ok(true)
    }

    fn is_mine(&self, found: &Found) -> bool {
        found.holder.as_ref().is_some_and(|holder| holder.id == self.holder.id)
    }

    /// Returns the time since the claim was last found, by whichever clock says more: one stands still while a machine sleeps,
    /// the other can be set.
    fn age(&self, now: Instant) -> Duration {
        let (instant, time) = *self.found();
        now.saturating_duration_since(instant).max(time.elapsed().unwrap_or_default())
    }

    fn found(&self) -> MutexGuard<'_, (Instant, SystemTime)> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
