//! Draws the figure of a learning experiment: both test errors against n with their power laws, and the local slopes.
//!
//! The data is a [`LearningCurves`], which the window shows too; this file adds only titles and colours.

use super::curves::{Across, Curve, Dots, End, Panel, Spread};
use super::palette::{ALL_TASKS, Ink, task_colour, value_colour};
use super::scale::Scale;
use crate::analysis::{ErrorKind, LearningCurves};

/// The figure; none where there is no point.
pub(crate) fn figure(learnt: &LearningCurves) -> Option<(String, Vec<Panel>, Across)> {
    learnt.span()?;
    let across = Across {
        x: Scale::values(&learnt.places(), learnt.is_logarithmic()),
        name: if learnt.is_over_samples() { "samples n".to_owned() } else { learnt.axis.clone() },
        bands: Vec::new(),
        lines: Vec::new(),
    };
    let mut panels = vec![
        errors(learnt, ErrorKind::Square, "Test error", "share of the targets’ mean square"),
        errors(learnt, ErrorKind::ZeroOne, "Test error, 0–1", "share in the wrong class"),
    ];
    if learnt.is_over_samples() {
        panels.push(slopes(learnt));
    }
    Some(("learning".to_owned(), panels, across))
}

fn colour(ink: Ink) -> ([u8; 3], bool) {
    match ink {
        Ink::Black => (ALL_TASKS, false),
        Ink::Number { number, broken } => (task_colour(number), broken),
        Ink::Value { place, count } => (value_colour(place, count, false), false),
    }
}

fn errors(learnt: &LearningCurves, kind: ErrorKind, title: &'static str, y: &'static str) -> Panel {
    let mut panel = Panel { title, y, log: true, ..Panel::default() };
    let window = learnt.span().filter(|_| learnt.is_over_samples());
    for (curve, ink) in learnt.curves.iter().zip(learnt.inks()) {
        let (colour, broken) = colour(ink);
        let mean = curve.mean(kind);
        let Some(last) = mean.last() else { continue };
        let law = window.and_then(|window| curve.fitted(kind, window));
        let beta = law.map_or(String::new(), |law| format!("  β {}", law.in_words()));
        panel.ends.push(End { at: last.mean, text: format!("{} {}{beta}", curve.variant, curve.short_name()), colour });
        let points = mean.iter().map(|point| (point.n, point.mean)).collect();
        panel.curves.push(Curve { label: None, colour, thin: false, broken, points });
        let points = mean.iter().map(|point| (point.n, [point.low, point.mean, point.high])).collect();
        panel.spreads.push(Spread { colour, ribbon: true, points });
        let dots =
            curve.seeds.iter().flat_map(|(_, points)| points).filter_map(|(at, point)| Some((*at, kind.of(point)?)));
        panel.dots.push(Dots { colour, full: !broken, points: dots.filter(|dot| dot.1 > 0.0).collect() });
    }
    if let (ErrorKind::Square, Some((low, high))) = (kind, window) {
        for instant in &learnt.instants {
            let same = |curve: &&crate::analysis::Curve| {
                curve.learner == instant.prediction.learner && curve.variant == instant.variant
            };
            let place = learnt.curves.iter().position(|curve| same(&curve));
            let colour = place.map_or(ALL_TASKS, |place| colour(learnt.inks()[place]).0);
            let points = instant.prediction.curve.iter().copied().filter(|(n, _)| *n >= low && *n <= high).collect();
            panel.curves.push(Curve { label: None, colour, thin: true, broken: true, points });
        }
    }
    panel
}

fn slopes(learnt: &LearningCurves) -> Panel {
    let mut panel = Panel { title: "Local slope", y: "−d log E / d log n", ..Panel::default() };
    for (curve, ink) in learnt.curves.iter().zip(learnt.inks()) {
        let (colour, broken) = colour(ink);
        let points = curve.slopes(ErrorKind::Square);
        let Some(last) = points.last() else { continue };
        panel.ends.push(End { at: last.1, text: format!("{} {}", curve.variant, curve.short_name()), colour });
        panel.curves.push(Curve { label: None, colour, thin: false, broken, points });
    }
    panel
}
