//! Describes the figures of a run that are curves over time: one panel or several below each other.

use std::sync::Arc;

use super::Figure;
use super::format::{change, times};
use super::palette::Colour;
use super::panel::{Axis, Dot, MAIN, Mark, Panel, Point, THIN, TaskBand};
use crate::run::{Block, History, Metric, Snapshot};

/// The panels of a figure, from top to bottom.
pub(super) fn panels(history: &History, figure: Figure) -> Vec<Panel> {
    let single = history.rows().len() == 1;
    let mut panels = match figure {
        Figure::Velocity => vec![velocity(history)],
        Figure::LambdaMax => vec![lambda_max(history), scale(history)],
        Figure::Alignment => alignment(history),
        Figure::Accuracy => vec![accuracy(history), loss(history)],
        Figure::Eigenvalues if single => return vec![spectrum(history)],
        Figure::Eigenvalues => vec![eigenvalues(history)],
        Figure::Susceptibility => vec![displacement(history), susceptibility(history)],
        Figure::Circle | Figure::Gram | Figure::Distances | Figure::Disk => Vec::new(),
    };
    panels.iter_mut().for_each(|panel| panel.over_time(history));
    panels
}

impl Panel {
    /// Adds a curve for each task that has a block of its own.
    fn by_task(&mut self, history: &History, metric: Metric) {
        for task in tasks(history) {
            let points = history.series(Block::Task(task), metric);
            if !points.is_empty() {
                self.curve(Some(format!("task {task}")), Colour::Task(task), MAIN, points);
            }
        }
    }

    /// Adds a number at a point, if the point has a place.
    fn mark(&mut self, (x, y): Point, text: String, task: usize, above: bool) {
        let at = self.stored(y).map(|y| (x, y));
        self.marks.extend(at.map(|at| Mark { at, text, ink: Colour::Task(task).into(), above }));
    }

    /// Sets up the horizontal axis: the epochs of a run, its tasks, and the switches between them.
    fn over_time(&mut self, history: &History) {
        let last = history.rows().last().map_or(0.0, |row| row.epoch);
        let end = if last > 0.0 { last } else { 1.0 };
        let starts = history.tasks();
        let until = |place: usize| starts.get(place + 1).map_or(end, |next| next.epoch).min(end);
        let bands = starts.iter().enumerate().map(|(place, start)| TaskBand {
            from: start.epoch,
            to: until(place),
            task: start.task,
        });
        self.tasks = bands.filter(|band| band.to > band.from).collect();
        self.rules = self.tasks.iter().skip(1).map(|band| band.from).collect();
        let name = if history.counts_steps() { "step" } else { "epoch" };
        self.x = Axis { name: name.to_owned(), range: (0.0, end), ..Axis::default() };
    }
}

/// The numbers of the tasks that have a block of their own.
fn tasks(history: &History) -> Vec<usize> {
    let Some(row) = history.rows().last() else { return Vec::new() };
    let number = |block| match block {
        Block::Task(number) => Some(number),
        Block::All => None,
    };
    row.blocks.iter().filter_map(|metrics| number(metrics.block)).collect()
}

fn velocity(history: &History) -> Panel {
    let y = if history.counts_steps() { "(1 − CKA) per step" } else { "(1 − CKA) per epoch" };
    let mut panel = Panel::titled("Kernel velocity on each task’s probes", y, true);
    panel.by_task(history, Metric::Velocity);
    // Each switch is marked on the kernel of the task that ends there.
    for (place, pair) in history.tasks().windows(2).enumerate() {
        let task = pair[0].task;
        if let Some(spike) = history.spikes(Block::Task(task), Metric::Velocity).get(place).copied().flatten() {
            panel.mark((spike.epoch, spike.height), format!("×{}", times(spike.ratio)), task, true);
        }
    }
    panel.fitted()
}

fn lambda_max(history: &History) -> Panel {
    let mut panel = Panel::titled("Largest eigenvalue on each task’s probes", "λ_max", false);
    panel.by_task(history, Metric::LambdaMax);
    for (place, pair) in history.tasks().windows(2).enumerate() {
        let task = pair[0].task;
        let dip = history.dips(Block::Task(task)).get(place).copied().flatten();
        if let Some(dip) = dip.filter(|dip| dip.depth < 1.0) {
            panel.mark((dip.epoch, dip.minimum), change(dip.depth), task, false);
        }
    }
    panel.fitted()
}

fn scale(history: &History) -> Panel {
    let mut panel = Panel::titled("Scale of the kernel on each task’s probes", "norm relative to the first", false);
    panel.by_task(history, Metric::Scale);
    panel.fitted()
}

fn alignment(history: &History) -> Vec<Panel> {
    let panel = |title, metric| {
        let mut panel = Panel::titled(title, "alignment", false);
        panel.by_task(history, metric);
        panel.fitted()
    };
    let full = panel("Alignment of the full kernel with the labels", Metric::AlignmentFull);
    let mut panels = vec![
        panel("Alignment with the labels, centred", Metric::AlignmentCentred),
        panel("Alignment with the labels, not centred", Metric::Alignment),
    ];
    panels.extend(Some(full).filter(|full| !full.lines.is_empty()));
    panels
}

fn accuracy(history: &History) -> Panel {
    let mut panel = Panel::titled("Test accuracy (thin: among the task’s classes)", "accuracy", false);
    for task in tasks(history) {
        let points = history.accuracy(task);
        panel.curve(None, Colour::Task(task), THIN, points.iter().map(|point| (point.0, point.2)));
        let name = Some(format!("task {task}"));
        panel.curve(name, Colour::Task(task), MAIN, points.iter().map(|point| (point.0, point.1)));
    }
    // A curve at 0 or 1 is not to lie on the edge.
    panel.y.range = (-0.05, 1.05);
    panel
}

fn loss(history: &History) -> Panel {
    let mut panel = Panel::titled("Test loss of each task, and training loss", "mean loss", true);
    for task in tasks(history) {
        let value = |row: &crate::run::Row| {
            let found = row.accuracy.iter().find(|accuracy| accuracy.task == task)?;
            Some((row.epoch, found.loss?))
        };
        let points = history.rows().iter().filter_map(value);
        panel.curve(Some(format!("task {task}")), Colour::Task(task), MAIN, points);
    }
    panel.curve(Some("training".to_owned()), Colour::Text, THIN, history.losses().iter().copied());
    panel.fitted()
}

/// The number of largest eigenvalues drawn.
const EIGENVALUES: usize = 16;

fn eigenvalues(history: &History) -> Panel {
    let mut panel = Panel::titled("Largest eigenvalues of the kernel of all probes", "eigenvalue", true);
    let count = history.snapshots().last().map_or(0, |snapshot| snapshot.eigenvalues.len().min(EIGENVALUES));
    for rank in 0..count {
        let value = |snapshot: &Arc<Snapshot>| {
            let value = snapshot.eigenvalues.len().checked_sub(rank + 1).map(|place| snapshot.eigenvalues[place])?;
            Some((snapshot.row.epoch, value))
        };
        let name = (rank == 0).then(|| "1st".to_owned()).or((rank + 1 == count).then(|| format!("{count}th")));
        let colour = Colour::Value { place: rank, count: EIGENVALUES + 1 };
        let width = if rank == 0 { MAIN } else { THIN };
        panel.curve(name, colour, width, history.snapshots().iter().filter_map(value));
    }
    panel.fitted()
}

/// All eigenvalues of a single kernel: there is no time over which they could be drawn.
fn spectrum(history: &History) -> Panel {
    let mut panel = Panel::titled("Eigenvalues of the kernel above 0, by rank", "eigenvalue", true);
    let values = history.snapshots().last().map_or(&[][..], |snapshot| snapshot.eigenvalues.as_slice());
    panel.curve(None, Colour::Text, THIN, (1..).map(f64::from).zip(values.iter().rev().copied()));
    let dots = panel.lines[0].points.iter().map(|&at| Dot { at, ink: Colour::Text.into(), full: true });
    panel.dots = dots.collect();
    let count = values.len().max(2) as f64;
    let ticks = super::format::linear_marks(1.0, count, 8).into_iter().map(|rank| rank.round().max(1.0));
    let ticks = ticks.map(|rank| (rank, rank.to_string())).collect();
    let pad = 0.02 * (count - 1.0);
    panel.x = Axis { name: "rank".to_owned(), range: (1.0 - pad, count + pad), ticks: Some(ticks), log: false };
    panel.fitted()
}

fn displacement(history: &History) -> Panel {
    let mut panel = Panel::titled("Displacement of the weights over the lag", "norm of Δw", true);
    panel.curve(None, Colour::Text, MAIN, history.series(Block::All, Metric::StepNorm));
    panel.fitted()
}

fn susceptibility(history: &History) -> Panel {
    let title = "Susceptibility: how far the kernel turns for it";
    let mut panel = Panel::titled(title, "(1 − CKA) / (norm of Δw)²", true);
    panel.by_task(history, Metric::Susceptibility);
    panel.fitted()
}
