//! Saves the state of the window for the next start.
//!
//! Guarantees: the state is read before the window opens; a separate thread writes it, at the earliest one second after the last
//! change, and again when the window closes. An unreadable file causes one message and no other effect, and is kept under another
//! name.

use std::time::{Duration, Instant};

use egui::Context;

use super::persisted_state::PersistedState;
use crate::storage::WindowStateFile;
use crate::ui::kit::background_task::BackgroundThread;
use crate::ui::shell::toast::Toast;

/// Shortest time between two writes.
const PAUSE: Duration = Duration::from_secs(1);

/// The state that was read at the start.
pub struct RestoredState {
    pub saved: PersistedState,
    /// Whether no state was found: this user runs the program for the first time.
    pub first: bool,
    /// A message about the parts that could not be read.
    pub message: Option<Toast>,
}

/// Reads the saved state as far as it is valid, and moves a file aside that is unreadable as a whole.
pub fn find(file: &WindowStateFile) -> RestoredState {
    let (saved, problems) = match file.read() {
        Ok(None) => return RestoredState { saved: PersistedState::default(), first: true, message: None },
        Ok(Some(text)) => PersistedState::read(&text),
        Err(err) => (PersistedState::default(), vec![err.to_string()]),
    };
    let message = (!problems.is_empty()).then(|| {
        let kept = file.put_aside().map_or_else(String::new, |name| format!("; the file is kept as {name}"));
        let text = format!(
            "The state of the last window could be read only in part ({}); the rest is as at a first start{kept}",
            problems.join("; ")
        );
        Toast::failed(text).with_folder(file.folder())
    });
    RestoredState { saved, first: false, message }
}

/// The thread that writes, and the last state that it was given.
pub struct StateWriter {
    file: WindowStateFile,
    thread: Option<BackgroundThread<String, Option<String>>>,
    given: PersistedState,
    at: Instant,
    failed: bool,
}

impl StateWriter {
    /// Begins with the state that was read, which need not be written.
    pub fn new(file: WindowStateFile, ctx: &Context, read: PersistedState) -> Self {
        let (own, waked) = (file.clone(), ctx.clone());
        let work = move |text: String| own.write(&text).err().map(|err| err.to_string());
        let thread = BackgroundThread::start("window state", work, move || waked.request_repaint());
        let thread = thread.inspect_err(|err| log::warn!("the window's state is written at its end only: {err}")).ok();
        Self { file, thread, given: read, at: Instant::now(), failed: false }
    }

    /// Schedules the current state to be written; to be called in every frame. Returns a message, once, if it cannot be written.
    pub fn note(&mut self, ctx: &Context, saved: PersistedState) -> Option<Toast> {
        let thread = self.thread.as_mut()?;
        let refused = thread.response().flatten();
        if saved != self.given {
            let left = PAUSE.saturating_sub(self.at.elapsed());
            if !left.is_zero() {
                ctx.request_repaint_after(left);
            } else if thread.request(saved.write()) {
                (self.given, self.at) = (saved, Instant::now());
            }
        }
        let reason = refused.filter(|_| !std::mem::replace(&mut self.failed, true))?;
        Some(Toast::failed(format!("The window's state cannot be kept: {reason}")))
    }

    /// Writes the last state if it has not been written. The window is already closed, so this may block.
    pub fn close(&mut self, saved: &PersistedState) {
        let changed = self.given != *saved;
        // The thread finishes its current write first, so that it cannot overwrite this state with an older one.
        let patience = Instant::now() + PAUSE;
        while let Some(thread) = self.thread.as_mut().filter(|thread| thread.is_busy())
            && thread.response().is_none()
            && Instant::now() < patience
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        if changed && let Err(err) = self.file.write(&saved.write()) {
            log::warn!("the window's state cannot be kept: {err}");
        }
    }
}
