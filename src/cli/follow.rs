//! Follows a run to its end: writes its folder, shows its progress, and keeps a record for the summary.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::announcement::announcement;
use crate::run::{Block, Event, History, MAX_ROWS, Metric};
use crate::storage::{FolderError, RunFolder};

/// Memory of Grams in the record: the summary needs none, and the folder has them all.
const GRAM_BYTES: u64 = 1 << 20;

/// Handles the events of a run until it ends; `None` among them means that nothing has happened for a while. Returns the
/// record.
///
/// On an error the caller ends the run: everything written so far remains in the folder.
pub fn follow(
    events: impl IntoIterator<Item = Option<Event>>,
    folder: &mut RunFolder,
    bar: &ProgressBar,
) -> Result<History, FolderError> {
    let mut history = History::new(GRAM_BYTES, MAX_ROWS);
    let mut lines = ProgressLines::new();
    for event in events {
        let Some(event) = event else {
            folder.tick()?;
            show(bar, &history, &mut lines);
            continue;
        };
        folder.take(&event)?;
        match &event {
            Event::Started(info) => print_line(bar, &format!("{}{}", announcement(&info.spec), info.origin.words())),
            Event::Moved(device) => print_line(bar, device),
            Event::Warning { message, epoch, step } if *step > 0 => {
                print_line(bar, &format!("Epoch {epoch:.2}: {message}"));
            }
            // Warnings about the spec were printed before the folder was created; only those about the images remain.
            Event::Warning { message, .. }
                if folder.spec().warnings().iter().all(|known| known.message != *message) =>
            {
                print_line(bar, message);
            }
            _ => {}
        }
        let is_last = matches!(event, Event::Ended(_));
        history.push(event);
        show(bar, &history, &mut lines);
        if is_last {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(history)
}

/// Progress lines for a log in place of a bar: the first after a second, then less and less often, so that a long run does
/// not give a long log.
pub(super) struct ProgressLines {
    begun: Instant,
    next: Duration,
}

/// Longest interval between two lines.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

impl ProgressLines {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), next: Duration::from_secs(1) }
    }

    /// Prints the line if it is due.
    pub(super) fn print_if_due(&mut self, line: impl FnOnce() -> String) {
        let since = self.begun.elapsed();
        if since >= self.next {
            eprintln!("{:.0} s: {}", since.as_secs_f64(), line());
            self.next = since + since.min(LONGEST_INTERVAL);
        }
    }
}

/// Prints a line above the bar, also if the bar is hidden.
fn print_line(bar: &ProgressBar, line: &str) {
    bar.suspend(|| eprintln!("{line}"));
}

/// Returns a bar that shows the progress of the run; hidden without a terminal.
pub(super) fn progress_bar() -> ProgressBar {
    let template = "{bar:24} {percent:>3} %  {msg}  ({elapsed}, {eta} left)";
    // The template is a constant: if it were invalid, the default style would be used.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

fn show(bar: &ProgressBar, history: &History, lines: &mut ProgressLines) {
    let message = progress_text(history);
    if bar.is_hidden() {
        let progress = history.progress();
        lines.print_if_due(|| format!("step {} of {}  {message}", progress.step, planned(history)));
        return;
    }
    bar.set_length(planned(history));
    bar.set_position(history.progress().step);
    bar.set_message(message);
}

/// Returns the number of steps of the whole run, as far as known.
fn planned(history: &History) -> u64 {
    let progress = history.progress();
    let at_first = history.info().map_or(0, |info| info.planned_steps);
    if progress.planned_steps > 0 { progress.planned_steps.max(progress.step) } else { at_first }
}

/// Describes the progress of a run.
fn progress_text(history: &History) -> String {
    let progress = history.progress();
    let Some(start) = history.tasks().last() else { return "the data and the network are made ready".to_owned() };
    if history.rows().is_empty() {
        return "the first kernel is measured".to_owned();
    }
    let mut message = format!("epoch {:.2}  task {}", progress.epoch, start.task);
    if let Some(&(_, loss)) = history.losses().last() {
        message += &format!("  loss {loss:.3}");
    }
    // The block of the first trained task, whose kernel is the one to watch.
    let watched = Block::Task(history.tasks()[0].task);
    let velocity = history.rows().last().and_then(|row| {
        let block = row.blocks.iter().find(|metrics| metrics.block == watched)?;
        history.usual(Metric::Velocity).of(row, block)
    });
    if let Some(velocity) = velocity {
        message += &format!("  velocity {velocity:.1e}");
    }
    message
}
