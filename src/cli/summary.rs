//! Summarises the results of a run in a few lines: spikes, dips, accuracies, forgetting. Definitions: [`crate::math`].

use std::fmt::Write as _;

use crate::math::distance::Centring;
use crate::math::forgetting::{average_accuracy, backward_transfer, forgetting};
use crate::run::History;

/// With more switches than this the summary of a stream shows the first and the last ones, and means in place of a table.
const MOST_SWITCHES: usize = 12;
const SHOWN: usize = 3;

/// Formats the summary of a run, with a line break at its end.
pub fn summary(history: &History) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = describe(history, &mut text);
    text
}

fn describe(history: &History, text: &mut String) -> std::fmt::Result {
    let Some(last) = history.rows().last() else { return writeln!(text, "Nothing was measured") };
    writeln!(text, "{} steps, {:.2} epochs, {} tasks", last.step, last.epoch, history.tasks().len())?;
    let outcomes = history.outcomes();
    let hidden = if outcomes.len() > MOST_SWITCHES { SHOWN..outcomes.len() - SHOWN } else { 0..0 };
    for (place, switch) in outcomes.iter().enumerate() {
        if hidden.contains(&place) {
            if place == hidden.start {
                writeln!(text, "… {} more switches …", hidden.len())?;
            }
            continue;
        }
        let (from, to) = switch.tasks;
        write!(text, "Task {from} → {to} at epoch {:.2}: on the probes of task {from}, ", switch.epoch)?;
        match switch.spike {
            Some(spike) => {
                let (ratio, delay) = (spike.ratio, spike.delay);
                let debiased = if switch.centring == Centring::Debiased { "debiased " } else { "" };
                write!(text, "{debiased}velocity ×{ratio:.1} of its background {delay:.2} epochs later")?;
                if let Some(fake) = spike.fake_ratio() {
                    write!(text, " (fake switches ×{fake:.1})")?;
                }
                if let Some(by_path) = switch.by_path {
                    write!(text, ", per length of the path ×{:.1}", by_path.ratio)?;
                    if let Some(fake) = by_path.fake_ratio() {
                        write!(text, " (fake switches ×{fake:.1})")?;
                    }
                }
                write!(text, ", ")?;
            }
            None => match history.missing_velocity(place) {
                Some(why) => write!(text, "no velocity to compare ({why}), ")?,
                None => write!(text, "no velocity to compare, ")?,
            },
        }
        match switch.dip {
            Some(dip) => {
                write!(text, "λ_max to ×{:.3}", dip.depth)?;
                if let Some(fake) = dip.fake {
                    write!(text, " (fake switches ×{fake:.3})")?;
                }
                writeln!(text, ", from there back by ×{:.3}", dip.recovery)?;
            }
            None => writeln!(text, "no λ_max to compare")?,
        }
    }
    let order: Vec<usize> = history.tasks().iter().map(|start| start.task).collect();
    let Some(matrix) = history.accuracy_matrix() else { return Ok(()) };
    if order.len() > MOST_SWITCHES + 1 {
        let own = matrix.iter().enumerate().map(|(place, row)| row[place]).sum::<f64>() / order.len() as f64;
        let end = average_accuracy(&matrix).unwrap_or(f64::NAN);
        return writeln!(
            text,
            "Test accuracy over all logits, mean over {} tasks: {own:.3} at the end of each, {end:.3} at the end of all",
            order.len()
        );
    }
    writeln!(text, "Test accuracy over all logits, after each task:")?;
    let heads: String = order.iter().map(|task| format!("  task {task:<2}")).collect();
    writeln!(text, "  after  {heads}")?;
    for (task, row) in order.iter().zip(&matrix) {
        let cells: String = row.iter().map(|accuracy| format!("  {accuracy:<7.3}")).collect();
        writeln!(text, "  task {task:<2}{cells}")?;
    }
    if let Some(average) = average_accuracy(&matrix) {
        write!(text, "Average accuracy {average:.3}")?;
        for (task, lost) in order.iter().zip(forgetting(&matrix)) {
            write!(text, "; task {task} forgot {lost:.3}")?;
        }
        if let Some(transfer) = backward_transfer(&matrix) {
            write!(text, "; backward transfer {transfer:.3}")?;
        }
        writeln!(text)?;
    }
    Ok(())
}
