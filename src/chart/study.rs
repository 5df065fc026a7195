//! Draws the figures of a study: the effect of each run's first switch against the axis; the figures of whole runs with their
//! power laws; and the curves of all runs, aligned at that switch. A figure for which no run has data is not made.
//!
//! The data is a [`Comparison`], which the window shows too; this file adds only titles and colours.

use std::sync::Arc;

use super::curves::{Across, Curve, Dots, End, Guide, Panel, Spread};
use super::learning;
use super::palette;
use super::scale::{Scale, plain};
use crate::analysis::comparison::{Against, Comparison, Findings, Quantity, Spacing};
use crate::analysis::{LAWS, Law};
use crate::storage::StudyFolder;

/// A figure: its file's name, its panels, and what lies along their horizontal axis.
type Figure = (String, Vec<Panel>, Across);

/// All figures of a study.
pub(crate) fn figures(study: &StudyFolder) -> Vec<Figure> {
    if study.is_of_learners() {
        return learning::figure(&study.learnt()).into_iter().collect();
    }
    let done = |place| Findings::of(study.ended(place)?).map(Arc::new);
    let runs = Comparison::of(study.axis(), study.runs(), done);
    let mut figures = Vec::new();
    if runs.switches() > 0 {
        figures.push(("study".to_owned(), switch(&runs), along(&runs)));
    }
    let laws: Vec<Panel> = LAWS.iter().filter_map(|law| law_panel(&runs, law)).collect();
    if !laws.is_empty() {
        figures.push(("study-run".to_owned(), laws, along(&runs)));
    }
    if runs.switches() > 0 {
        let curves = (0..runs.series.len()).map(|series| aligned(&runs, series));
        let drawn =
            |panels: &[Panel]| panels.iter().flat_map(|panel| &panel.curves).any(|curve| !curve.points.is_empty());
        figures.extend(curves.filter(|(_, panels, _)| drawn(panels)));
    }
    figures
}

const BLUE: [u8; 3] = [0, 114, 178];
const ORANGE: [u8; 3] = [213, 94, 0];
const GREY: [u8; 3] = [120, 120, 120];

/// The axis of the study.
fn along(runs: &Comparison) -> Across {
    let placed = || runs.values.iter().filter(|value| value.at.is_finite());
    let x = match runs.spacing {
        Spacing::Names => Scale::names(placed().map(|value| value.text.clone()).collect()),
        spacing => Scale::values(&placed().map(|value| value.at).collect::<Vec<_>>(), spacing == Spacing::Log),
    };
    let name = if runs.axis.is_empty() { "run".to_owned() } else { runs.axis.clone() };
    Across { x, name, bands: Vec::new(), lines: Vec::new() }
}

/// The colour of a series, and whether its line is broken; this one where there is only one.
fn ink(runs: &Comparison, series: usize, alone: [u8; 3]) -> ([u8; 3], bool) {
    let (task, broken) = palette::series_ink(series);
    if runs.has_series() { (palette::task_colour(task), broken) } else { (alone, false) }
}

fn switch(runs: &Comparison) -> Vec<Panel> {
    // With several series the control has their colours too, and is thin.
    let line = |name: &str, label: &str, alone: [u8; 3]| -> Vec<(Curve, Spread)> {
        let control = alone == GREY && runs.has_series();
        let of = |(place, found): (usize, Against)| {
            let (colour, broken) = ink(runs, place, alone);
            let name = if runs.has_series() { &runs.series[place].name } else { label };
            let label = (!control).then(|| name.to_owned());
            let curve = Curve { label, colour, thin: control, broken, points: found.means };
            let points = if control { Vec::new() } else { found.spread };
            (curve, Spread { colour, ribbon: false, points })
        };
        runs.against(name, 0).into_iter().enumerate().map(of).collect()
    };
    let panel = |title, y, log, lines: Vec<Vec<(Curve, Spread)>>| {
        let (curves, spreads) = lines.into_iter().flatten().unzip();
        Panel { title, y, log, curves, spreads, ..Panel::default() }
    };
    vec![
        panel(
            "Spike of the velocity at the first switch, and its background",
            "(1 − CKA) per epoch",
            true,
            vec![line("spike", "spike", BLUE), line("background", "background", GREY)],
        ),
        panel(
            "Spike over its background, and what fake switches give",
            "ratio",
            true,
            vec![line("ratio", "switch", BLUE), line("fake_ratio", "fake switches, 99 %", GREY)],
        ),
        panel(
            "Dip: smallest λ_max within three epochs over λ_max before",
            "ratio",
            false,
            vec![line("dip", "dip", BLUE)],
        ),
        panel(
            "Epochs until λ_max is back where it was (a line only where it comes back in all runs)",
            "epochs",
            false,
            vec![line("recovery_epochs", "recovery", BLUE)],
        ),
        Panel {
            fixed: Some((0.0, 1.0)),
            ..if runs.has_series() {
                let title = "Test accuracy on the first task after the next one (thin: among its own classes)";
                let lines = vec![line("accuracy_after", "", BLUE), line("accuracy_after_masked", "", GREY)];
                panel(title, "accuracy", false, lines)
            } else {
                panel(
                    "Test accuracy on the first task",
                    "accuracy",
                    false,
                    vec![
                        line("accuracy_before", "at the switch", BLUE),
                        line("accuracy_after", "after the next task", ORANGE),
                        line("accuracy_after_masked", "among its own classes", GREY),
                    ],
                )
            }
        },
    ]
}

/// One figure of the whole run against the axis: every run, the band over seeds, the law and its slope. `None` where no run has it.
fn law_panel(runs: &Comparison, law: &Law) -> Option<Panel> {
    let mut panel = Panel { title: law.title, y: law.unit, log: true, ..Panel::default() };
    let placed = runs.values.iter().map(|value| value.at).filter(|at| at.is_finite());
    let (first, last) = placed.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
    let mut top: Option<f64> = None;
    for (place, found) in runs.against(law.figure, 0).into_iter().enumerate() {
        let (colour, broken) = ink(runs, place, BLUE);
        let name = &runs.series[place].name;
        let at = |run: &(usize, u64, f64)| {
            Some((runs.values[run.0].at, run.2)).filter(|point| point.0.is_finite() && point.1 > 0.0)
        };
        let points: Vec<(f64, f64)> = found.runs.iter().filter_map(at).collect();
        let mut end = |at: f64, text: String| {
            let text = if runs.has_series() { format!("{name} {text}") } else { text };
            panel.ends.push(End { at, text, colour });
        };
        let line = match (found.law, found.spread.as_slice()) {
            (Some(law), [from, .., to]) => {
                end(law.at(to.0), law.in_words());
                top = Some(top.map_or(law.at(first), |top| top.max(law.at(first))));
                let means = Curve { label: None, colour, thin: true, broken: true, points: found.means };
                panel.curves.push(means);
                [from.0, to.0].map(|at| (at, law.at(at))).to_vec()
            }
            _ => {
                if let (Some(mean), true) = (found.means.last(), runs.has_series()) {
                    end(mean.1, String::new());
                }
                found.means
            }
        };
        panel.curves.push(Curve { label: None, colour, thin: false, broken, points: line });
        if let Some([_, mean, _]) = found.beyond.filter(|beyond| beyond[1] > 0.0) {
            end(mean, format!("∞: {}", plain(mean, None)));
            let level = vec![(first, mean), (last, mean)];
            panel.curves.push(Curve { label: None, colour, thin: true, broken: true, points: level });
        }
        panel.spreads.push(Spread { colour, ribbon: true, points: found.spread });
        panel.dots.push(Dots { colour, full: !broken, points });
    }
    if let (Some(top), "network.width") = (top, runs.axis.as_str()) {
        let guide = |(slope, name)| Guide { from: (first, top), slope, name };
        panel.guides = [(-0.5, "−½"), (-1.0, "−1")].map(guide).to_vec();
    }
    panel.dots.iter().any(|dots| !dots.points.is_empty()).then_some(panel)
}

/// The curves of one series.
fn aligned(runs: &Comparison, series: usize) -> Figure {
    let panel = |title, y, log, quantity| {
        let (mut curves, mut spreads) = (Vec::new(), Vec::new());
        for (place, (value, around)) in runs.values.iter().zip(runs.around(quantity, 0, series)).enumerate() {
            let colour = palette::value_colour(place, runs.values.len(), false);
            // A value without a curve is in the legend all the same.
            let pieces = if around.mean.is_empty() { vec![Vec::new()] } else { around.mean };
            for (piece, points) in pieces.into_iter().enumerate() {
                let label = (piece == 0).then(|| value.text.clone());
                let means = points.iter().map(|&(x, [_, mean, _])| (x, mean)).collect();
                curves.push(Curve { label, colour, thin: false, broken: false, points: means });
                spreads.push(Spread { colour, ribbon: true, points });
            }
        }
        Panel { title, y, log, curves, spreads, ..Panel::default() }
    };
    let panels = vec![
        panel("Velocity on the first task's probes", "(1 − CKA) per epoch", true, Quantity::Velocity),
        panel("λ_max over that at the switch", "ratio", false, Quantity::LambdaMax),
        panel("Scale of the kernel over that at the switch", "ratio", false, Quantity::Scale),
        panel("Alignment with the labels, centred", "alignment", false, Quantity::Alignment),
    ];
    let (from, to) = runs.stretch(0);
    let of = if runs.has_series() { format!("{}; ", runs.series[series].name) } else { String::new() };
    let across = Across {
        x: Scale::exact(from, to),
        name: format!("epochs since the first switch; {of}colours: {}", runs.axis),
        bands: Vec::new(),
        lines: vec![0.0],
    };
    let number = if runs.has_series() { format!("-{}", series + 1) } else { String::new() };
    (format!("study-curves{number}"), panels, across)
}
