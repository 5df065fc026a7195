//! `kernelscope study STUDY --status` and `--collect`: how the runs of a study stand that other processes fill, and its tables
//! and figures from what is there.

use anyhow::bail;

use super::refused::RefusedRequest;
use crate::analysis::comparison::{PREDICTORS_IN_WORDS, REMAINS_IN_WORDS};
use crate::chart::Format;
use crate::math::bootstrap::INTERVAL_IN_WORDS;
use crate::paint::{write_study, write_study_page};
use crate::storage::{FIGURES, PREDICTORS_TABLE, RunLog, RunStatus, SUMMARY_TABLE, StudyFolder, TABLE};

/// Most lines of one kind, so that all of it fits on a screen.
const MOST_LINES: usize = 8;

/// A kind of status: the word for it, and whether its runs are listed.
const KINDS: [(&str, bool); 5] =
    [("done", false), ("running", true), ("failed", true), ("unfinished", true), ("not begun", false)];

fn kind(status: &RunStatus) -> usize {
    match status {
        RunStatus::Done { .. } => 0,
        RunStatus::Running(_) => 1,
        RunStatus::Failed(_) => 2,
        RunStatus::Unfinished { .. } => 3,
        RunStatus::Waiting => 4,
    }
}

/// Prints how the study stands.
pub(super) fn status(folder: &StudyFolder) {
    let places = 0..folder.runs().len();
    let found: Vec<RunStatus> = places.clone().map(|place| folder.status(place)).collect();
    println!("{}: {} runs along {}", folder.folder().display(), places.len(), folder.axis());
    let numbers = folder.task_numbers();
    for (of, (word, _)) in KINDS.iter().enumerate() {
        let count = found.iter().filter(|status| kind(status) == of).count();
        let diverged = found.iter().filter(|status| **status == RunStatus::Done { diverged: true }).count();
        let note = if of == 0 && diverged > 0 { format!(", {diverged} of them diverged") } else { String::new() };
        if count > 0 {
            println!("{count:6} {word}{note}");
        }
    }
    for (of, (word, is_listed)) in KINDS.iter().enumerate() {
        let these: Vec<usize> = places.clone().filter(|&place| *is_listed && kind(&found[place]) == of).collect();
        if these.is_empty() {
            continue;
        }
        println!("\n{word}:");
        for &place in these.iter().take(MOST_LINES) {
            println!("{}", line(folder, numbers[place], place, &found[place]));
        }
        if these.len() > MOST_LINES {
            println!("  and {} more", these.len() - MOST_LINES);
        }
    }
}

/// Returns the line of one run: its task, its name and how it stands.
fn line(folder: &StudyFolder, number: Option<usize>, place: usize, status: &RunStatus) -> String {
    let task = number.map_or_else(String::new, |number| format!("task {number}, "));
    let log = match status {
        RunStatus::Failed(_) => format!(" ({})", RunLog::of(folder, place).path().display()),
        _ => String::new(),
    };
    format!("  {task}{}: {}{log}", folder.runs()[place].folder, status.in_words())
}

/// Draws the figures of the runs that have ended, prints the paths of tables, figures and page, and then what the runs did, a line for
/// each value of the axis.
pub(super) fn print_results(folder: &StudyFolder) -> anyhow::Result<()> {
    let out = folder.folder();
    println!("{}", out.join(TABLE).display());
    if !folder.is_of_learners() {
        println!("{}", out.join(SUMMARY_TABLE).display());
        let predictors = out.join(PREDICTORS_TABLE);
        if predictors.exists() {
            println!("{}", predictors.display());
        }
    }
    for path in write_study(folder, &out.join(FIGURES), Format::Svg)? {
        println!("{}", path.display());
    }
    if let Some(path) = write_study_page(folder)? {
        println!("{}", path.display());
    }
    let runs = folder.comparison();
    if runs.finished() > 0 {
        let glance = runs.at_a_glance();
        eprintln!("");
        glance.in_columns().iter().for_each(|line| eprintln!("{line}"));
        if let Some((table, sentences)) = runs.what_is_left() {
            eprintln!("");
            table.in_columns().iter().for_each(|line| eprintln!("{line}"));
            eprintln!("{REMAINS_IN_WORDS}");
            sentences.iter().for_each(|sentence| eprintln!("{sentence}"));
        }
        if let Some(table) = runs.foretold_table() {
            eprintln!("");
            table.in_columns().iter().for_each(|line| eprintln!("{line}"));
            eprintln!("{PREDICTORS_IN_WORDS}");
        }
        eprintln!("Mean and {INTERVAL_IN_WORDS}; of fewer seeds the single values.\n");
    }
    Ok(())
}

/// Writes the tables and figures of what is there, and says what is missing.
pub(super) fn collect(mut folder: StudyFolder) -> anyhow::Result<()> {
    folder.tidy().map_err(|err| RefusedRequest(err.to_string()))?;
    for sentence in folder.repairs() {
        eprintln!("{sentence}");
    }
    print_results(&folder)?;
    let count = folder.runs().len();
    let missing: Vec<usize> = (0..count).filter(|&place| !folder.is_ended(place)).collect();
    let numbers = folder.task_numbers();
    for &place in &missing {
        eprintln!("{}", line(&folder, numbers[place], place, &folder.status(place)).trim_start());
    }
    match missing.len() {
        0 => Ok(()),
        missing => bail!("{missing} of {count} runs are missing: the tables and figures are of the others"),
    }
}
