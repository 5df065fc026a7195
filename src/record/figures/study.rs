//! The figures of a study: what each run's first switch did, against the axis; and the curves of all runs, aligned at that switch.
//!
//! Every value's line is the mean over its seeds, and the bar or ribbon goes from the smallest to the largest of them: with a
//! handful of seeds nothing else can be said honestly.

use std::sync::Arc;

use super::super::{Block, Ending, History, Metric, RunState, SWITCH_FIGURES, StudyFolder, Switch};
use super::curves::{Across, Curve, Panel, Spread};
use super::scale::Scale;

/// A figure: its file's name, its panels, and what lies along their horizontal axis.
type Figure = (&'static str, Vec<Panel>, Across);

/// Epochs before the switch that the aligned curves show.
const BEFORE: f64 = 3.0;

/// All figures of a study.
pub(super) fn figures(study: &StudyFolder) -> Vec<Figure> {
    let axis = Axis::of(study);
    vec![summary(&axis), aligned(&axis)]
}

/// The values of the axis, each with the runs that have finished.
struct Axis {
    name: String,
    scale: Scale,
    values: Vec<Value>,
}

struct Value {
    text: String,
    /// Where it lies on the axis.
    at: f64,
    runs: Vec<Arc<History>>,
    /// What the first switch of each run did; none where there was none.
    switched: Vec<[Option<f64>; SWITCH_FIGURES.len()]>,
}

impl Axis {
    fn of(study: &StudyFolder) -> Self {
        let mut values: Vec<Value> = Vec::new();
        for (place, run) in study.runs().iter().enumerate() {
            let found = values.iter().position(|value| value.text == run.value).unwrap_or_else(|| {
                values.push(Value {
                    text: run.value.clone(),
                    at: values.len() as f64,
                    runs: Vec::new(),
                    switched: Vec::new(),
                });
                values.len() - 1
            });
            // One that diverged shows what a rate does, not what a switch does; the table has it.
            let ended = study
                .ended(place)
                .filter(|history| matches!(history.state(), RunState::Ended(Ending::Finished { .. })));
            if let Some(history) = ended {
                let first = history.outcomes().first().map(Switch::figures);
                values[found].switched.push(first.unwrap_or_default());
                values[found].runs.push(Arc::clone(history));
            }
        }
        let numbers: Option<Vec<f64>> =
            values.iter().map(|value| value.text.parse().ok().filter(|number: &f64| number.is_finite())).collect();
        let scale = match numbers {
            Some(numbers) => {
                values.iter_mut().zip(&numbers).for_each(|(value, number)| value.at = *number);
                Scale::values(&numbers)
            }
            None => Scale::names(values.iter().map(|value| value.text.clone()).collect()),
        };
        let name = study.spec().study.as_ref().map_or_else(|| "run".to_owned(), |study| study.axis.clone());
        Self { name, scale, values }
    }
}

const BLUE: [u8; 3] = [0, 114, 178];
const ORANGE: [u8; 3] = [213, 94, 0];
const GREY: [u8; 3] = [120, 120, 120];

fn summary(axis: &Axis) -> Figure {
    let line = |name: &str, label: &str, colour| {
        let place = SWITCH_FIGURES.iter().position(|figure| *figure == name);
        let (mut points, mut spread) = (Vec::new(), Vec::new());
        for value in &axis.values {
            let found: Vec<f64> = value.switched.iter().filter_map(|figures| figures[place?]).collect();
            if let Some(around) = ends_and_mean(&found) {
                // A mean over those runs alone in which something happened would say that it happens.
                if found.len() == value.runs.len() {
                    points.push((value.at, around[1]));
                }
                spread.push((value.at, around));
            }
        }
        let curve = Curve { label: Some(label.to_owned()), colour, thin: false, points };
        (curve, Spread { colour, ribbon: false, points: spread })
    };
    let panel = |title, y, log, lines: Vec<(Curve, Spread)>| {
        let (curves, spreads) = lines.into_iter().unzip();
        Panel { title, y, log, curves, spreads, ..Panel::default() }
    };
    let panels = vec![
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
            ..panel(
                "Test accuracy on the first task",
                "accuracy",
                false,
                vec![
                    line("accuracy_before", "at the switch", BLUE),
                    line("accuracy_after", "after the next task", ORANGE),
                    line("accuracy_after_masked", "among its own classes", GREY),
                ],
            )
        },
    ];
    let across = Across { x: axis.scale.clone(), name: axis.name.clone(), bands: Vec::new(), lines: Vec::new() };
    ("study", panels, across)
}

fn aligned(axis: &Axis) -> Figure {
    // Until the run ends or the next switch comes, whichever run is the shortest.
    let after = |history: &Arc<History>| {
        let &(_, switch, end) = history.switches().first()?;
        Some(end.min(history.rows().last()?.epoch) - switch)
    };
    let runs = || axis.values.iter().flat_map(|value| &value.runs);
    let end = runs().filter_map(after).fold(f64::INFINITY, f64::min);
    let end = if end.is_finite() { end } else { 1.0 };
    let start = runs().filter_map(|history| Some(history.switches().first()?.1)).fold(BEFORE, f64::min);
    let panel = |title, y, log, metric, relative| {
        let (mut curves, mut spreads) = (Vec::new(), Vec::new());
        for (place, value) in axis.values.iter().enumerate() {
            let shade = colorous::VIRIDIS.eval_continuous(0.9 * place as f64 / (axis.values.len().max(2) - 1) as f64);
            let colour = [shade.r, shade.g, shade.b];
            let series: Vec<_> =
                value.runs.iter().filter_map(|history| around(history, metric, relative, (start, end))).collect();
            let (points, spread) = mean_of(&series);
            curves.push(Curve { label: Some(value.text.clone()), colour, thin: false, points });
            spreads.push(Spread { colour, ribbon: true, points: spread });
        }
        Panel { title, y, log, curves, spreads, ..Panel::default() }
    };
    let panels = vec![
        panel("Velocity on the first task's probes", "(1 − CKA) per epoch", true, Metric::Velocity, false),
        panel("λ_max over that at the switch", "ratio", false, Metric::LambdaMax, true),
        panel("Scale of the kernel over that at the switch", "ratio", false, Metric::Scale, true),
        panel("Alignment with the labels, centred", "alignment", false, Metric::AlignmentCentred, false),
    ];
    let across = Across {
        x: Scale::exact(-start, end),
        name: format!("epochs since the first switch; colours: {}", axis.name),
        bands: Vec::new(),
        lines: vec![0.0],
    };
    ("study-curves", panels, across)
}

/// The curve of the first task's probes around the first switch, which is at 0; over its last value before it where `relative`.
fn around(history: &History, metric: Metric, relative: bool, (start, end): (f64, f64)) -> Option<Vec<(f64, f64)>> {
    let task = history.tasks().first()?.task;
    let &(_, switch, _) = history.switches().first()?;
    let series = history.series(Block::Task(task), metric);
    let unit = if relative { series.iter().rev().find(|point| point.0 <= switch)?.1 } else { 1.0 };
    let points = series.into_iter().map(|(epoch, value)| (epoch - switch, value / unit));
    Some(points.filter(|point| point.0 >= -start - 1e-9 && point.0 <= end + 1e-9).collect())
}

/// A curve, and the ribbon around it.
type Drawn = (Vec<(f64, f64)>, Vec<(f64, [f64; 3])>);

/// Mean and ends of several curves at the times of the first one, the others interpolated; where all of them reach.
fn mean_of(series: &[Vec<(f64, f64)>]) -> Drawn {
    let Some(first) = series.first() else { return (Vec::new(), Vec::new()) };
    let (mut points, mut spread) = (Vec::new(), Vec::new());
    for &(x, _) in first {
        let values: Option<Vec<f64>> = series.iter().map(|curve| interpolated(curve, x)).collect();
        if let Some(around) = values.as_deref().and_then(ends_and_mean) {
            points.push((x, around[1]));
            spread.push((x, around));
        }
    }
    (points, spread)
}

fn interpolated(curve: &[(f64, f64)], x: f64) -> Option<f64> {
    let after = curve.partition_point(|point| point.0 < x);
    let &(right, value) = curve.get(after)?;
    if (right - x).abs() < 1e-9 {
        return Some(value);
    }
    let &(left, before) = curve.get(after.checked_sub(1)?)?;
    Some(before + (value - before) * (x - left) / (right - left))
}

/// Smallest, mean and largest; `None` of nothing.
fn ends_and_mean(values: &[f64]) -> Option<[f64; 3]> {
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    (!values.is_empty()).then(|| [low, values.iter().sum::<f64>() / values.len() as f64, high])
}
