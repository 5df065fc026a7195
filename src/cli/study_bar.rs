//! What the commands that do runs of a study share: how many at a time, and one bar for all of them.

use std::num::NonZeroUsize;

use indicatif::ProgressBar;

use super::device::Device;
use super::follow::progress_bar;
use crate::spec::StudyRun;
use crate::storage::StudyFolder;
use crate::worker::progress::{Progress, largest_bytes, runs_that_fit};
use crate::worker::study_service::{StudyEvent, headline};
use crate::worker::threads;

/// Number of steps of the bar, for a study of any length.
const STEPS: u64 = 10_000;

/// Returns the number of runs at a time: as many as requested or as there are cores, but no more than fit into memory.
pub(super) fn at_once<'a>(
    device: Device,
    jobs: Option<NonZeroUsize>,
    left: impl Iterator<Item = &'a StudyRun> + Clone,
) -> usize {
    let cores = threads::usable();
    // Sharing one GPU does not make it faster.
    let usual = if matches!(device, Device::Gpu) { 1 } else { cores };
    let requested = jobs.map_or(usual, NonZeroUsize::get);
    let fit = runs_that_fit(requested, largest_bytes(left.clone()));
    if fit < requested.min(left.count()) {
        eprintln!("{fit} at a time instead of {requested}: more would not fit into memory");
    }
    fit
}

/// One bar for all runs of a study, each weighted by its cost, and a line for each that ends.
pub(super) struct StudyBar {
    bar: ProgressBar,
    progress: Progress,
}

impl StudyBar {
    /// Starts the bar, with the runs that are done already.
    pub(super) fn start(folder: &StudyFolder, is_done: impl Fn(usize) -> bool) -> Self {
        let bar = progress_bar();
        bar.set_length(STEPS);
        let shown = Self { bar, progress: Progress::new(folder.runs(), is_done) };
        shown.show();
        // Runs that already existed took no time.
        shown.bar.reset_eta();
        shown
    }

    /// Shows what happened.
    pub(super) fn hear(&mut self, folder: &StudyFolder, news: &StudyEvent) {
        let (place, message) = match news {
            StudyEvent::Progress { place, share } => {
                self.progress.reach(*place, *share);
                return self.show();
            }
            StudyEvent::LearningCurves { .. } => return,
            StudyEvent::Held { place, holder: Some(holder) } => return self.line(folder, *place, &holder.in_words()),
            StudyEvent::Held { holder: None, .. } => return,
            StudyEvent::Ended { place, unread: Some(message) } | StudyEvent::Failed { place, message } => {
                (*place, message.clone())
            }
            StudyEvent::Ended { place, unread: None } => {
                let shown = folder.ended(*place).map(|history| history.headline());
                (*place, shown.unwrap_or_else(|| headline(folder.points(*place))))
            }
        };
        self.progress.reach(place, 1.0);
        self.show();
        self.line(folder, place, &message);
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, folder: &StudyFolder, place: usize, words: &str) {
        self.bar.suspend(|| eprintln!("{}: {words}", folder.runs()[place].folder));
    }

    fn show(&self) {
        let (done, all) = self.progress.done();
        self.bar.set_message(format!("{done} of {all} runs"));
        self.bar.set_position((self.progress.share() * STEPS as f64) as u64);
    }
}
