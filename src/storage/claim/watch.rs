//! Watches the claim of another process, until the folder is free or the process has been silent for so long that its claim
//! is broken.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Found, Holder, RENEWED_EVERY, SILENCE, Ticket, UNWRITTEN, break_claim, is_gone, read};
use crate::storage::format::atomic::CLAIM;
use crate::storage::format::disk;
use crate::storage::format::errors::FolderError;

/// Who holds a folder that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody.
    Free,
    Held {
        /// `None` where the claim does not say.
        holder: Option<Holder>,
        /// Whether the holder is known to be alive: it runs on this machine, or it has renewed its claim under these eyes.
        is_alive: bool,
    },
}

/// Watches one folder. The silence of its holder counts from the first look.
pub struct ClaimWatch {
    folder: PathBuf,
    /// The last text of the claim, and when it was first seen.
    seen: Option<(Found, Duration)>,
    /// Whether the text changed while it was watched.
    renewed: bool,
    clock: Box<dyn FnMut() -> Duration + Send>,
}

/// The time after a renewal for which its holder counts as alive: three may be late or go unseen.
const FRESH: Duration = Duration::from_secs(3 * RENEWED_EVERY.as_secs());

impl ClaimWatch {
    /// Begins to watch a folder.
    pub fn new(folder: &Path) -> Self {
        let began = Instant::now();
        Self::with_clock(folder, move || began.elapsed())
    }

    /// Begins with another clock, for tests of what ten minutes of silence do.
    pub fn with_clock(folder: &Path, clock: impl FnMut() -> Duration + Send + 'static) -> Self {
        Self { folder: folder.to_owned(), seen: None, renewed: false, clock: Box::new(clock) }
    }

    /// Looks at the claim, and breaks it if its holder is gone or was silent for too long.
    ///
    /// # Errors
    /// When the claim cannot be read, or not be broken.
    pub fn look(&mut self) -> Result<Standing, FolderError> {
        let path = self.folder.join(CLAIM);
        let unable = |err: std::io::Error| FolderError::NoClaim { claim: path.clone(), why: disk::words(&err) };
        let Some(found) = read(&path).map_err(unable)? else { return Ok(Standing::Free) };
        let now = (self.clock)();
        let silent = match &self.seen {
            Some((known, since)) if *known == found => now.saturating_sub(*since),
            before => {
                let of = |found: &Found| found.holder.as_ref().map(|holder| holder.id.clone());
                self.renewed = before.as_ref().is_some_and(|(known, _)| of(known).is_some() && of(known) == of(&found));
                self.seen = Some((found.clone(), now));
                Duration::ZERO
            }
        };
        let is_over = found.holder.as_ref().is_some_and(|holder| is_gone(&self.folder, holder));
        let patience = if found.is_unwritten() { UNWRITTEN } else { SILENCE };
        // Others who find it silent break it at the same time; a ticket that is still there much later was left behind.
        let ticket = if silent >= patience + UNWRITTEN { Ticket::Any } else { Ticket::New };
        if (is_over || silent >= patience) && break_claim(&self.folder, &found, ticket)? {
            self.seen = None;
            return Ok(Standing::Free);
        }
        let is_here = found.holder.as_ref().is_some_and(|holder| holder.process.is_here());
        Ok(Standing::Held { is_alive: is_here || (self.renewed && silent < FRESH), holder: found.holder })
    }
}
