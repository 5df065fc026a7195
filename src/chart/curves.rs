//! Builds the contents of each figure as plain data: panels of curves over time. [`crate::chart::drawing`] draws them.

use super::number_format::{change, times};
use super::palette::{ALL_TASKS, task_colour};
use super::scale::Scale;
use super::{Figure, plane};
use crate::run::{Block, History, Metric, Snapshot};

/// One chart: curves over the epochs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    /// The quantity and its unit.
    pub(crate) y: &'static str,
    pub(crate) log: bool,
    /// The range of y where it is known beforehand.
    pub(crate) fixed: Option<(f64, f64)>,
    pub(crate) curves: Vec<Curve>,
    pub(crate) spreads: Vec<Spread>,
    pub(crate) marks: Vec<Mark>,
    /// One dot a run.
    pub(crate) dots: Vec<Dots>,
    /// Reference lines, which the range does not follow.
    pub(crate) guides: Vec<Guide>,
    /// What stands at the right of the panel, at the height of a line's end.
    pub(crate) ends: Vec<End>,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// What the legend says; nothing when another curve of this colour says it.
    pub(crate) label: Option<String>,
    pub(crate) colour: [u8; 3],
    /// Thin lines are the less important ones.
    pub(crate) thin: bool,
    pub(crate) broken: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Single points.
#[derive(Clone, Debug)]
pub(crate) struct Dots {
    pub(crate) colour: [u8; 3],
    pub(crate) full: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A power law through a point.
#[derive(Clone, Debug)]
pub(crate) struct Guide {
    pub(crate) from: (f64, f64),
    pub(crate) slope: f64,
    pub(crate) name: &'static str,
}

/// Words at the end of a line.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) at: f64,
    pub(crate) text: String,
    pub(crate) colour: [u8; 3],
}

/// A number at a point of a curve.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) at: (f64, f64),
    pub(crate) text: String,
    pub(crate) colour: [u8; 3],
    /// Whether the text stands above its point.
    pub(crate) above: bool,
}

/// The spread of values at the points of a curve.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    pub(crate) colour: [u8; 3],
    /// As a ribbon, else as a bar at each point.
    pub(crate) ribbon: bool,
    /// x, and smallest, mean and largest of the values there.
    pub(crate) points: Vec<(f64, [f64; 3])>,
}

/// The horizontal axis that all panels of a figure share.
#[derive(Clone, Debug)]
pub(crate) struct Across {
    pub(crate) x: Scale,
    pub(crate) name: String,
    /// Which task was trained when: first epoch, last epoch, number of the task.
    pub(crate) bands: Vec<(f64, f64, usize)>,
    /// Where a line stands: the switches.
    pub(crate) lines: Vec<f64>,
}

impl Across {
    /// The epochs of a run.
    pub(crate) fn of(history: &History) -> Self {
        let last = history.rows().last().map_or(0.0, |row| row.epoch);
        let end = if last > 0.0 { last } else { 1.0 };
        let starts = history.tasks();
        let until = |place: usize| starts.get(place + 1).map_or(end, |next| next.epoch);
        let bands = starts.iter().enumerate().map(|(place, start)| (start.epoch, until(place).min(end), start.task));
        let bands: Vec<_> = bands.filter(|&(from, to, _)| to > from).collect();
        let lines = bands.iter().skip(1).map(|band| band.0).collect();
        let name = if history.counts_steps() { "step" } else { "epoch" };
        Self { x: Scale::exact(0.0, end), name: name.to_owned(), bands, lines }
    }

    /// The eigenvalues of a single kernel, the largest first.
    pub(crate) fn ranks(history: &History) -> Self {
        let count = history.snapshots().last().map_or(0, |snapshot| snapshot.eigenvalues.len());
        let x = Scale::exact(1.0, count.max(2) as f64);
        Self { x, name: "rank".to_owned(), bands: Vec::new(), lines: Vec::new() }
    }
}

const WIDTH: u32 = 900;
const HEIGHT: u32 = 380;

/// The size of a figure of so many panels, in units.
pub(crate) fn size(panels: usize) -> (u32, u32) {
    (WIDTH, HEIGHT * panels.max(1) as u32)
}

/// The panels of a figure, from top to bottom.
pub(crate) fn panels(history: &History, figure: Figure) -> Vec<Panel> {
    match figure {
        Figure::Velocity => vec![velocity(history)],
        Figure::LambdaMax => vec![lambda_max(history), scale(history)],
        Figure::Alignment => alignment(history),
        Figure::Accuracy => vec![accuracy(history), loss(history)],
        Figure::Eigenvalues if history.rows().len() == 1 => vec![spectrum(history)],
        Figure::Eigenvalues => vec![eigenvalues(history)],
        Figure::Susceptibility => vec![displacement(history), susceptibility(history)],
        Figure::Circle => plane::panels(history),
        Figure::Gram | Figure::Distances | Figure::Disk => Vec::new(),
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

/// One curve per task.
fn by_task(history: &History, metric: Metric) -> Vec<Curve> {
    let curve = |task| Curve {
        label: Some(format!("task {task}")),
        colour: task_colour(task),
        thin: false,
        broken: false,
        points: history.series(Block::Task(task), metric),
    };
    tasks(history).into_iter().map(curve).filter(|curve| !curve.points.is_empty()).collect()
}

fn velocity(history: &History) -> Panel {
    // Each switch is marked on the kernel of the task that ends there.
    let marks = history.tasks().windows(2).enumerate().filter_map(|(place, pair)| {
        let task = pair[0].task;
        let spike = history.spikes(Block::Task(task), Metric::Velocity).get(place).copied().flatten()?;
        let at = (spike.epoch, spike.height);
        Some(Mark { at, text: format!("×{}", times(spike.ratio)), colour: task_colour(task), above: true })
    });
    Panel {
        title: "Kernel velocity on each task's probes",
        y: if history.counts_steps() { "(1 − CKA) per step" } else { "(1 − CKA) per epoch" },
        log: true,
        marks: marks.collect(),
        curves: by_task(history, Metric::Velocity),
        ..Panel::default()
    }
}

fn lambda_max(history: &History) -> Panel {
    let marks = history.tasks().windows(2).enumerate().filter_map(|(place, pair)| {
        let task = pair[0].task;
        let dip = history.dips(Block::Task(task)).get(place).copied().flatten().filter(|dip| dip.depth < 1.0)?;
        Some(Mark { at: (dip.epoch, dip.minimum), text: change(dip.depth), colour: task_colour(task), above: false })
    });
    Panel {
        title: "Largest eigenvalue on each task's probes",
        y: "λ_max",
        marks: marks.collect(),
        curves: by_task(history, Metric::LambdaMax),
        ..Panel::default()
    }
}

fn scale(history: &History) -> Panel {
    Panel {
        title: "Scale of the kernel on each task's probes",
        y: "norm relative to the first",
        curves: by_task(history, Metric::Scale),
        ..Panel::default()
    }
}

fn alignment(history: &History) -> Vec<Panel> {
    let panel = |title, metric| Panel { title, y: "alignment", curves: by_task(history, metric), ..Panel::default() };
    let full = panel("Alignment of the full kernel with the labels", Metric::AlignmentFull);
    let mut panels = vec![
        panel("Alignment with the labels, centred", Metric::AlignmentCentred),
        panel("Alignment with the labels, not centred", Metric::Alignment),
    ];
    panels.extend(Some(full).filter(|full| !full.curves.is_empty()));
    panels
}

fn accuracy(history: &History) -> Panel {
    let mut curves = Vec::new();
    for task in tasks(history) {
        let points = history.accuracy(task);
        let colour = task_colour(task);
        let finite = |value: fn(&(f64, f64, f64)) -> f64| {
            points.iter().map(|point| (point.0, value(point))).filter(|point| point.1.is_finite()).collect::<Vec<_>>()
        };
        curves.push(Curve { label: None, colour, thin: true, broken: false, points: finite(|point| point.2) });
        curves.push(Curve {
            label: Some(format!("task {task}")),
            colour,
            thin: false,
            broken: false,
            points: finite(|point| point.1),
        });
    }
    Panel {
        title: "Test accuracy (thin: among the task's classes)",
        y: "accuracy",
        fixed: Some((0.0, 1.0)),
        curves,
        ..Panel::default()
    }
}

fn loss(history: &History) -> Panel {
    let of_task = |task| {
        let value = |row: &crate::run::Row| {
            let found = row.accuracy.iter().find(|accuracy| accuracy.task == task)?;
            Some((row.epoch, found.loss?))
        };
        let points = history.rows().iter().filter_map(value).collect();
        Curve { label: Some(format!("task {task}")), colour: task_colour(task), thin: false, broken: false, points }
    };
    let trained = history.losses().iter().copied().filter(|point| point.1.is_finite()).collect();
    let training =
        Curve { label: Some("training".to_owned()), colour: ALL_TASKS, thin: true, broken: false, points: trained };
    let curves = tasks(history).into_iter().map(of_task).chain([training]).collect();
    Panel { title: "Test loss of each task, and training loss", y: "mean loss", log: true, curves, ..Panel::default() }
}

/// The number of largest eigenvalues drawn.
const EIGENVALUES: usize = 16;

fn eigenvalues(history: &History) -> Panel {
    let count = history.snapshots().last().map_or(0, |snapshot| snapshot.eigenvalues.len().min(EIGENVALUES));
    let curve = |rank: usize| {
        let value = |snapshot: &std::sync::Arc<Snapshot>| {
            let value = snapshot.eigenvalues.len().checked_sub(rank + 1).map(|place| snapshot.eigenvalues[place])?;
            Some((snapshot.row.epoch, value)).filter(|point| point.1.is_finite())
        };
        let shade = colorous::VIRIDIS.eval_continuous(0.9 * rank as f64 / EIGENVALUES as f64);
        let label = (rank == 0).then(|| "1st".to_owned()).or((rank + 1 == count).then(|| format!("{count}th")));
        let points = history.snapshots().iter().filter_map(value).collect();
        Curve { label, colour: [shade.r, shade.g, shade.b], thin: rank > 0, broken: false, points }
    };
    Panel {
        title: "Largest eigenvalues of the kernel of all probes",
        y: "eigenvalue",
        log: true,
        curves: (0..count).map(curve).collect(),
        ..Panel::default()
    }
}

/// All eigenvalues of a single kernel: there is no time over which they could be drawn.
fn spectrum(history: &History) -> Panel {
    let values = history.snapshots().last().map_or(&[][..], |snapshot| snapshot.eigenvalues.as_slice());
    let points: Vec<(f64, f64)> = (1..).map(f64::from).zip(values.iter().rev().copied()).collect();
    let dots = vec![Dots { colour: ALL_TASKS, full: true, points: points.clone() }];
    let curves = vec![Curve { label: None, colour: ALL_TASKS, thin: true, broken: false, points }];
    let title = "Eigenvalues of the kernel above 0, by rank";
    Panel { title, y: "eigenvalue", log: true, curves, dots, ..Panel::default() }
}

fn displacement(history: &History) -> Panel {
    let points = history.series(Block::All, Metric::StepNorm);
    let curves = vec![Curve { label: None, colour: ALL_TASKS, thin: false, broken: false, points }];
    Panel { title: "Displacement of the weights over the lag", y: "norm of Δw", log: true, curves, ..Panel::default() }
}

fn susceptibility(history: &History) -> Panel {
    Panel {
        title: "Susceptibility: how far the kernel turns for it",
        y: "(1 − CKA) / (norm of Δw)²",
        log: true,
        curves: by_task(history, Metric::Susceptibility),
        ..Panel::default()
    }
}
