//! Writes one page on a study: what it varies and how to repeat it, its numbers with their intervals, what is left of the effects
//! under each of its controls, its figures, and the definitions.
//!
//! Guarantees: the page is one file that needs no other and no network; its numbers are those of `summary.csv`, and its figures
//! those of the folder of figures.

use std::io::Write as _;
use std::path::PathBuf;

use data_encoding::BASE64;

use super::figures::{FigureError, painted};
use crate::analysis::comparison::{Comparison, PREDICTORS_IN_WORDS, REMAINS_IN_WORDS, SummaryTable};
use crate::chart::{Format, figures_of_study};
use crate::math::bootstrap::INTERVAL_IN_WORDS;
use crate::math::spike::{DIP_IN_WORDS, FAKE_IN_WORDS, SPIKE_IN_WORDS};
use crate::storage::{STUDY_PAGE, StudyFolder, format::atomic};

/// Writes the page into the study's folder; returns its path, or nothing where no run has ended or the study is one of learners.
pub fn write_study_page(study: &StudyFolder) -> Result<Option<PathBuf>, FigureError> {
    let runs = study.comparison();
    if study.is_of_learners() || runs.finished() == 0 {
        return Ok(None);
    }
    let mut pictures = Vec::new();
    for (name, chart) in figures_of_study(study) {
        let bytes = painted(&name, &chart, Format::Svg)?;
        pictures.push(format!(
            "<p><img alt=\"{}\" src=\"data:image/svg+xml;base64,{}\"></p>\n",
            escaped(&name),
            BASE64.encode(&bytes)
        ));
    }
    let path = study.folder().join(STUDY_PAGE);
    let text = page(study, &runs, &pictures.concat());
    atomic::replace(&path, |writer| writer.write_all(text.as_bytes()))?;
    Ok(Some(path))
}

fn page(study: &StudyFolder, runs: &Comparison, pictures: &str) -> String {
    let title = escaped(&format!("{}: {} runs, {}", runs.axis, runs.finished(), runs.seeds_in_words()));
    let repeat = study
        .spec()
        .command_line(None)
        .map_or_else(String::new, |line| format!("<p>Repeated by</p>\n<pre>{}</pre>\n", escaped(&line)));
    let planned = study.runs().len();
    let missing = match planned - runs.finished() {
        0 => String::new(),
        missing => {
            format!("<p>{missing} of {planned} runs have not ended as planned, and are not in these numbers.</p>\n")
        }
    };
    let left = runs.what_is_left().map_or_else(String::new, |(found, sentences)| {
        let sentences: String = sentences.iter().map(|sentence| format!("<p>{}</p>\n", escaped(sentence))).collect();
        let words = escaped(REMAINS_IN_WORDS);
        format!("<h2>What is left under each control</h2>\n{}{sentences}<p class=\"note\">{words}</p>\n", table(&found))
    });
    let foretold = runs.foretold_table().map_or_else(String::new, |found| {
        let words = escaped(PREDICTORS_IN_WORDS);
        format!("<h2>What foretells the next task</h2>\n{}<p class=\"note\">{words}</p>\n", table(&found))
    });
    let numbers = table(&runs.at_a_glance());
    let interval = escaped(&format!("Mean and {INTERVAL_IN_WORDS}; of fewer seeds the single values."));
    let definitions: String = match runs.switches() {
        0 => String::new(),
        _ => [SPIKE_IN_WORDS, FAKE_IN_WORDS, DIP_IN_WORDS].map(|text| format!("<p>{}</p>\n", escaped(text))).concat(),
    };
    let definitions = if definitions.is_empty() { definitions } else { format!("<h2>Definitions</h2>\n{definitions}") };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{title}</h1>\n{missing}{numbers}<p class=\"note\">{interval}</p>\n{left}{foretold}<h2>Figures</h2>\n{pictures}\
         {definitions}{repeat}</body>\n</html>\n"
    )
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}\
    table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
    th,td{text-align:left;padding:.2rem .9rem .2rem 0;border-bottom:1px solid #ddd;white-space:nowrap}\
    .wide{overflow-x:auto}.note{color:#666}pre{white-space:pre-wrap;background:#f4f4f4;padding:.6rem}img{max-width:100%}";

fn table(table: &SummaryTable) -> String {
    let row = |cells: &[String], tag: &str| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let lines: String = table.lines.iter().map(|line| row(line, "td")).collect();
    format!("<div class=\"wide\"><table>\n{}{lines}</table></div>\n", row(&table.head, "th"))
}

/// Returns a text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
