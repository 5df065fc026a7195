//! Describes the ratio of a spike to its background against the lag over which the velocity is taken, for all runs of a study.

use std::sync::Arc;

use super::panels::{MOST_LINES, colour, keys};
use crate::analysis::LagRatio;
use crate::analysis::comparison::{Comparison, Findings};
use crate::chart::palette::{Colour, Ink};
use crate::chart::panel::{Axis, Chart, Dashes, Entry, Line, Panel, Sign};
use crate::math::spike::Spike;
use crate::storage::{StudyFolder, StudyLags};

/// A figure of a lag, where it is defined.
type Figure = fn(&LagRatio) -> Option<f64>;

/// The ratios of the runs of one series and value, with their places.
struct Group<'a> {
    of: (usize, usize),
    runs: Vec<&'a [LagRatio]>,
}

/// Returns the figure: the ratios per epoch, which are those per step, and those per path length where the runs tell it.
pub fn figure(study: &StudyFolder, lags: &StudyLags) -> Chart {
    let done = |place| Findings::of(study.ended(place)?).map(Arc::new);
    let runs = Comparison::of(study.axis(), study.runs(), done);
    let by_time: [Figure; 2] = [|lag| Some(lag.ratio), |lag| lag.fake];
    let by_path: [Figure; 2] =
        [|lag| lag.by_path.map(|spike| spike.ratio), |lag| lag.by_path.and_then(Spike::fake_ratio)];
    let panels = [
        panel("Spike over its background, by the lag", study, (&runs, lags), by_time),
        panel("The same per path length of the weights", study, (&runs, lags), by_path),
    ];
    Chart::Panels(panels.into_iter().filter(|panel| !panel.lines.is_empty()).collect())
}

/// Returns a panel: a thin line for each run, a thick one for the mean over the seeds of a value at the lags that all of them have,
/// and a broken one for that of fake switches.
fn panel(
    title: &str,
    study: &StudyFolder,
    (runs, lags): (&Comparison, &StudyLags),
    [ratio, fake]: [Figure; 2],
) -> Panel {
    let mut panel = Panel::titled(title, "ratio", true);
    let curve = |ratios: &[LagRatio], figure: Figure| -> Vec<(u64, f64)> {
        let point = |lag: &LagRatio| Some((lag.steps, figure(lag).filter(|value| *value > 0.0)?));
        ratios.iter().filter_map(point).collect()
    };
    let stored = |curve: &[(u64, f64)]| -> Vec<(f64, f64)> {
        curve.iter().map(|&(steps, value)| ((steps as f64).log10(), value.log10())).collect()
    };
    // The runs of one series and value stand together.
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (place, ratios) in lags {
        let Some(of) = runs.place(&study.runs()[*place]) else { continue };
        match groups.iter_mut().find(|group| group.of == of) {
            Some(group) => group.runs.push(ratios),
            None => groups.push(Group { of, runs: vec![ratios] }),
        }
    }
    let mut add = |curve: &[(u64, f64)], ink: Ink, width: f32, style: Dashes| {
        if !curve.is_empty() {
            panel.lines.push(Line::new(stored(curve), ink, width, style));
        }
    };
    for Group { of, runs: group } in &groups {
        let ink = colour(runs, *of);
        let [ratios, fakes] =
            [ratio, fake].map(|figure| group.iter().map(|ratios| curve(ratios, figure)).collect::<Vec<_>>());
        if group.len() > 1 && lags.len() <= MOST_LINES {
            ratios.iter().for_each(|curve| add(curve, ink.at(0.45), 0.8, Dashes::None));
        }
        add(&mean(&fakes), ink.at(0.7), 1.0, Dashes::Broken);
        add(&mean(&ratios), ink.into(), 1.8, Dashes::None);
    }
    panel.legend = keys(runs, false);
    panel.legend.push(Entry { name: "fake switches".to_owned(), ink: Colour::Weak.into(), sign: Sign::Dashes });
    let ends = lags.iter().flat_map(|(_, ratios)| ratios).map(|lag| (lag.steps as f64).log10());
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
    panel.x = Axis { name: "lag in steps".to_owned(), range: (low - 0.1, high + 0.1), log: true, ..Axis::default() };
    panel.settle(0.5);
    panel
}

/// Returns the geometric mean of curves at the lags that all of them have: the mean of what a logarithmic axis shows.
fn mean(curves: &[Vec<(u64, f64)>]) -> Vec<(u64, f64)> {
    let Some((first, others)) = curves.split_first() else { return Vec::new() };
    let at = |&(steps, value): &(u64, f64)| {
        let value_of = |curve: &Vec<(u64, f64)>| curve.iter().find(|point| point.0 == steps).map(|point| point.1.ln());
        let sum: Option<f64> = others.iter().map(value_of).sum();
        Some((steps, ((value.ln() + sum?) / curves.len() as f64).exp()))
    };
    first.iter().filter_map(at).collect()
}
