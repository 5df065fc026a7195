//! Follows a run to its end: into the folder, onto the progress bar, into a record for the summary.

use indicatif::{ProgressBar, ProgressStyle};

use crate::record::{Block, Event, FolderError, History, MAX_ROWS, Metric, RunFolder};

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
    for event in events {
        let Some(event) = event else {
            folder.tick()?;
            continue;
        };
        folder.take(&event)?;
        match &event {
            Event::Started(info) => {
                bar.set_length(info.planned_steps);
                say(bar, &info.device);
            }
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
        show(bar, &history);
        if is_last {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(history)
}

/// A line for people above the bar; also where the bar is silent.
fn say(bar: &ProgressBar, line: &str) {
    bar.suspend(|| eprintln!("{line}"));
}

/// A bar that says where the run stands; silent where there is no terminal.
pub(super) fn progress_bar() -> ProgressBar {
    let template = "{bar:24} {percent:>3} %  {msg}  ({eta} left)";
    // The template is a constant: were it wrong, the bar's own style would do.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

fn show(bar: &ProgressBar, history: &History) {
    let progress = history.progress();
    if progress.planned_steps > 0 {
        bar.set_length(progress.planned_steps.max(progress.step));
    }
    bar.set_position(progress.step);
    let Some(start) = history.tasks().last() else { return };
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
    bar.set_message(message);
}
