//! Follows a run to its end: into the folder, onto the progress bar, into a record for the summary.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::plan::announcement;
use crate::run::{Block, Event, History, MAX_ROWS, Metric};
use crate::storage::{FolderError, RunFolder};

/// Grams that the record keeps: the summary needs none, the folder has them all.
const GRAM_BYTES: u64 = 1 << 20;

/// Takes the events of a run until it ends; `None` among them means that nothing has happened for a while. Returns the record.
///
/// On an error the caller ends the run: what was written until then is in the folder.
pub fn follow(
    events: impl IntoIterator<Item = Option<Event>>,
    folder: &mut RunFolder,
    bar: &ProgressBar,
) -> Result<History, FolderError> {
    let mut history = History::new(GRAM_BYTES, MAX_ROWS);
    let mut lines = Lines::new();
    for event in events {
        let Some(event) = event else {
            folder.tick()?;
            show(bar, &history, &mut lines);
            continue;
        };
        folder.take(&event)?;
        match &event {
            Event::Started(info) => say(bar, &format!("{}{}", announcement(&info.spec), info.origin.words())),
            Event::Moved(device) => say(bar, device),
            Event::Warning { message, epoch, step } if *step > 0 => say(bar, &format!("Epoch {epoch:.2}: {message}")),
            // Those of the spec were printed before the folder was made; what is left is of the images.
            Event::Warning { message, .. }
                if folder.spec().warnings().iter().all(|known| known.message != *message) =>
            {
                say(bar, message);
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

/// What a log sees in the place of a bar: a line after a second, and then ever more seldom, so that a long run is no long log.
struct Lines {
    begun: Instant,
    next: Duration,
}

/// From one line to the next at most.
const SELDOM: Duration = Duration::from_secs(60);

impl Lines {
    fn new() -> Self {
        Self { begun: Instant::now(), next: Duration::from_secs(1) }
    }

    /// Says this if it is time to.
    fn say(&mut self, line: impl FnOnce() -> String) {
        let since = self.begun.elapsed();
        if since >= self.next {
            eprintln!("{:.0} s: {}", since.as_secs_f64(), line());
            self.next = since + since.min(SELDOM);
        }
    }
}

/// A line for people above the bar; also where the bar is silent.
fn say(bar: &ProgressBar, line: &str) {
    bar.suspend(|| eprintln!("{line}"));
}

/// A bar that says where the run stands; silent where there is no terminal.
pub(super) fn progress_bar() -> ProgressBar {
    let template = "{bar:24} {percent:>3} %  {msg}  ({elapsed}, {eta} left)";
    // The template is a constant: were it wrong, the bar's own style would do.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

fn show(bar: &ProgressBar, history: &History, lines: &mut Lines) {
    let message = stands(history);
    if bar.is_hidden() {
        let progress = history.progress();
        lines.say(|| format!("step {} of {}  {message}", progress.step, planned(history)));
        return;
    }
    bar.set_length(planned(history));
    bar.set_position(history.progress().step);
    bar.set_message(message);
}

/// Steps of the whole run, as far as is known.
fn planned(history: &History) -> u64 {
    let progress = history.progress();
    let at_first = history.info().map_or(0, |info| info.planned_steps);
    if progress.planned_steps > 0 { progress.planned_steps.max(progress.step) } else { at_first }
}

/// Where a run stands, in words.
fn stands(history: &History) -> String {
    let progress = history.progress();
    let Some(start) = history.tasks().last() else { return "the data and the network are made ready".to_owned() };
    if history.rows().is_empty() {
        return "the first kernel is measured".to_owned();
    }
    let mut message = format!("epoch {:.2}  task {}", progress.epoch, start.task);
    if let Some(&(_, loss)) = history.losses().last() {
        message += &format!("  loss {loss:.3}");
    }
    // Of the first task trained: its kernel is the one to watch.
    let watched = Block::Task(history.tasks()[0].task);
    let velocity = history.rows().last().and_then(|row| {
        let block = row.blocks.iter().find(|metrics| metrics.block == watched)?;
        Metric::Velocity.of(row, block)
    });
    if let Some(velocity) = velocity {
        message += &format!("  velocity {velocity:.1e}");
    }
    message
}
