//! What a run has shown, in a few lines: spikes, dips, accuracies, forgetting. Definitions: [`crate::math`].

use std::fmt::Write as _;

use crate::math::forgetting::{average_accuracy, backward_transfer, forgetting};
use crate::record::{Block, History, Metric, Row};

/// The summary of a run, with a line break at its end.
pub fn summary(history: &History) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = describe(history, &mut text);
    text
}

fn describe(history: &History, text: &mut String) -> std::fmt::Result {
    let Some(last) = history.rows().last() else { return writeln!(text, "Nothing was measured") };
    writeln!(text, "{} steps, {:.2} epochs, {} tasks", last.step, last.epoch, history.tasks().len())?;
    for (place, pair) in history.tasks().windows(2).enumerate() {
        let (from, to) = (pair[0].task, pair[1].task);
        write!(text, "Task {from} → {to} at epoch {:.2}: on the probes of task {from}, ", pair[1].epoch)?;
        match history.spikes(Block::Task(from), Metric::Velocity).get(place).copied().flatten() {
            Some(spike) => {
                let (ratio, delay) = (spike.ratio, spike.delay);
                write!(text, "velocity ×{ratio:.1} of its background {delay:.2} epochs later, ")?;
            }
            None => write!(text, "no velocity to compare, ")?,
        }
        match history.dips(Block::Task(from)).get(place).copied().flatten() {
            Some(dip) => writeln!(text, "λ_max to ×{:.3}, from there back by ×{:.3}", dip.depth, dip.recovery)?,
            None => writeln!(text, "no λ_max to compare")?,
        }
    }
    let order: Vec<usize> = history.tasks().iter().map(|start| start.task).collect();
    let Some(matrix) = accuracy_matrix(history, &order) else { return Ok(()) };
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

/// Accuracy on each task, in order of training, at the end of each; `None` where a task's end was not measured.
fn accuracy_matrix(history: &History, order: &[usize]) -> Option<Vec<Vec<f64>>> {
    let at_end = |place: usize| -> Option<&Row> {
        let task = order[place];
        match history.tasks().get(place + 1) {
            Some(next) => history.rows().iter().find(|row| row.step == next.step && row.task == task),
            None => history.rows().last(),
        }
    };
    let accuracies = |row: &Row| -> Option<Vec<f64>> {
        let of = |&task: &usize| row.accuracy.iter().find(|accuracy| accuracy.task == task).map(|found| found.accuracy);
        order.iter().map(of).collect()
    };
    (0..order.len()).map(|place| accuracies(at_end(place)?)).collect()
}
