//! Opens a watched folder on a thread of its own, which waits for a writer that has only begun.
//!
//! Guarantees: the window waits for no file; dropping the handle ends the thread within a second.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::run::RunInfo;
use crate::storage::{Order, WatchFolder};
use crate::worker::Waker;

/// The time between two looks for what is missing.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A folder that was opened, with the facts of its record.
pub struct Opened {
    pub folder: WatchFolder,
    pub info: Arc<RunInfo>,
    pub order: Order,
}

/// A message of the thread.
pub enum Found {
    /// The graph, the probes or the folder's own file is missing, and looked for again.
    NotYet,
    Opened(Box<Opened>),
    /// The reason why the folder cannot be watched.
    Refused(String),
}

/// A watched folder that is being opened.
pub struct Opening {
    path: PathBuf,
    /// Whether its writer has yet to write what is needed.
    waits: bool,
    found: Receiver<Found>,
    /// Its end tells the thread to stop.
    _held: Sender<()>,
}

impl Opening {
    /// Starts the thread; `wake` is called with each of its messages.
    ///
    /// # Errors
    /// When the system cannot create a thread.
    pub fn start(path: PathBuf, order: Order, wake: Waker) -> std::io::Result<Self> {
        let (held, released) = bounded::<()>(0);
        // At most two messages are ever sent.
        let (tell, found) = bounded(2);
        let place = path.clone();
        let open = move || {
            let mut is_told = false;
            loop {
                let message = match WatchFolder::open(&place) {
                    Ok(folder) => {
                        let info = Arc::new(folder.info());
                        Found::Opened(Box::new(Opened { folder, info, order }))
                    }
                    Err(err) if err.is_not_yet() => Found::NotYet,
                    Err(err) => Found::Refused(err.to_string()),
                };
                let waits = matches!(message, Found::NotYet);
                if !(waits && is_told) {
                    is_told = true;
                    let _ = tell.send(message);
                    wake();
                }
                if !waits || released.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("opening".to_owned()).spawn(open)?;
        Ok(Self { path, waits: false, found, _held: held })
    }

    /// Returns the folder, while something is awaited in it that its writer has not written yet.
    pub fn awaited(&self) -> Option<&Path> {
        self.waits.then_some(self.path.as_path())
    }

    /// Returns the next message.
    pub fn poll(&mut self) -> Option<Found> {
        let found = self.found.try_recv().ok()?;
        self.waits = matches!(found, Found::NotYet);
        Some(found)
    }
}
