//! Declares the charts over time that a view of the window and a figure of a run both show, and arranges them as figures.

use super::palette::Colour;
use super::panel::{Dashes, MAIN, Panel, THIN};
use super::series_id::SeriesId;
use super::time_chart::{Name, Reaction, TimeChart, TimeCurve, tasks};
use super::{Figure, spectrum};
use crate::math::distance::Centring;
use crate::run::{Block, History, Metric};

/// Returns the panels of a figure, from top to bottom.
pub(super) fn panels(history: &History, figure: Figure) -> Vec<Panel> {
    let single = history.rows().len() == 1;
    let norm = Quantity::linear(Metric::Scale);
    let charts = match figure {
        Figure::Velocity => {
            let title = match history.centring() {
                Centring::Debiased => "Kernel velocity on each task’s probes, debiased",
                Centring::Centred | Centring::Uncentred => "Kernel velocity on each task’s probes",
            };
            vec![velocity(history, history.usual(Metric::Velocity), false).titled(title)]
        }
        Figure::LambdaMax => vec![
            scale(history, Quantity::default()).titled("Largest eigenvalue on each task’s probes"),
            scale(history, norm).titled("Scale of the kernel on each task’s probes"),
        ],
        Figure::Alignment => {
            let of = |metric, title| alignment(history, metric).titled(title);
            let full = of(Metric::AlignmentFull, "Alignment of the full kernel with the labels");
            let title = match history.centring() {
                Centring::Debiased => "Alignment with the labels, debiased",
                Centring::Centred | Centring::Uncentred => "Alignment with the labels, centred",
            };
            let mut panels = vec![
                of(history.usual(Metric::AlignmentCentred), title).panel(history),
                of(Metric::Alignment, "Alignment with the labels, not centred").panel(history),
            ];
            panels.extend(Some(full.panel(history)).filter(|full| !full.is_empty()));
            return panels;
        }
        Figure::Accuracy => vec![
            accuracy(history).titled("Test accuracy on each task"),
            loss(history).titled("Test loss of each task, and training loss"),
        ],
        Figure::Eigenvalues if single => return vec![spectrum::of_record(history)],
        Figure::Eigenvalues => {
            let title = "Largest eigenvalues of the kernel of all probes";
            vec![eigenvalues(history, Block::All, EIGENVALUES).titled(title)]
        }
        Figure::Susceptibility => {
            let charts = [
                strip(history, Metric::StepNorm).titled("Displacement of the weights over the lag"),
                strip(history, history.usual(Metric::Susceptibility))
                    .titled("Susceptibility: how far the kernel turns for it"),
            ];
            // A record of an earlier version has no path, nor has a watched training.
            let by_path = [
                strip(history, Metric::Straightness).titled("Straightness: displacement over the path of the lag"),
                velocity(history, history.usual(Metric::VelocityPath), false)
                    .titled("Kernel velocity per path length, on each task’s probes"),
            ];
            let by_path = by_path.iter().map(|chart| chart.panel(history)).filter(|panel| !panel.is_empty());
            return charts.iter().map(|chart| chart.panel(history)).chain(by_path).collect();
        }
        Figure::Circle | Figure::Gram | Figure::Distances | Figure::Disk => Vec::new(),
    };
    charts.iter().map(|chart| chart.panel(history)).collect()
}

/// Describes the velocity on each task's probes, and with `whole` on all probes together, with the ratio of each spike to its
/// background.
pub fn velocity(history: &History, metric: Metric, whole: bool) -> TimeChart {
    let mut chart = TimeChart::of_tasks(history, true, 1.0, |block| SeriesId::Metric(block, metric));
    let all = TimeCurve::new("all", SeriesId::Metric(Block::All, metric), Colour::Text);
    chart.curves.extend(whole.then_some(all));
    TimeChart { marks: Some(Reaction::Spikes(metric)), ..chart }.against(axis_name(metric, history))
}

/// Names a metric as the axis of a chart does: in the field's words, with its unit.
pub fn axis_name(metric: Metric, history: &History) -> &'static str {
    let per_step = history.counts_steps();
    match metric {
        Metric::Velocity if per_step => "(1 − CKA) per step",
        Metric::Velocity => "(1 − CKA) per epoch",
        Metric::VelocityUncentred if per_step => "(1 − CKA, uncentred) per step",
        Metric::VelocityUncentred => "(1 − CKA, uncentred) per epoch",
        Metric::VelocityDebiased if per_step => "(1 − CKA, debiased) per step",
        Metric::VelocityDebiased => "(1 − CKA, debiased) per epoch",
        Metric::VelocityAngle if per_step => "radians per step",
        Metric::VelocityAngle => "radians per epoch",
        Metric::VelocityAngleDebiased if per_step => "radians (debiased) per step",
        Metric::VelocityAngleDebiased => "radians (debiased) per epoch",
        Metric::VelocityStepDebiased => "(1 − CKA, debiased) per step",
        Metric::VelocityPathDebiased => "(1 − CKA, debiased) / Σ ‖Δw‖",
        Metric::VelocityStep => "(1 − CKA) per step",
        Metric::VelocityPath => "(1 − CKA) / Σ ‖Δw‖",
        Metric::StepNorm => "‖Δw‖ over the lag",
        Metric::PathLag => "Σ ‖Δw‖ over the lag",
        Metric::Path => "Σ ‖Δw‖",
        Metric::Straightness => "‖Δw‖ / Σ ‖Δw‖",
        Metric::GradNorm => "‖∇L‖",
        Metric::Susceptibility => "(1 − CKA) / ‖Δw‖²",
        Metric::SusceptibilityDebiased => "(1 − CKA, debiased) / ‖Δw‖²",
        Metric::DistanceDebiased => "1 − CKA (debiased) from the first kernel",
        Metric::DistanceSwitchDebiased => "1 − CKA (debiased) from the last switch",
        Metric::Distance => "1 − CKA from the first kernel",
        Metric::DistanceSwitch => "1 − CKA from the last switch",
        Metric::Scale => "‖K‖ / ‖K₀‖",
        Metric::Rotation => "1 − cos(K, K₀)",
        Metric::Drift => "‖K − K₀‖ / ‖K₀‖",
        Metric::LambdaMax => "λ_max",
        Metric::LambdaMin => "λ_min",
        Metric::Trace => "tr K",
        Metric::Frobenius => "‖K‖",
        Metric::EffectiveRank => "effective rank",
        Metric::Asymmetry => "asymmetry",
        Metric::Alignment | Metric::AlignmentPermutedLow | Metric::AlignmentPermutedHigh => "alignment, uncentred",
        Metric::AlignmentCentred | Metric::AlignmentCentredPermutedLow | Metric::AlignmentCentredPermutedHigh => {
            "alignment, centred"
        }
        Metric::AlignmentDebiased | Metric::AlignmentDebiasedPermutedLow | Metric::AlignmentDebiasedPermutedHigh => {
            "alignment, debiased"
        }
        Metric::LeaveOneOut => "leave-one-out error",
        Metric::Dormant => "share of dormant units",
        Metric::Dead => "share of dead units",
        Metric::AlignmentFull => "alignment of the full kernel",
        Metric::Loss => "loss on the probes",
        Metric::TrainLoss => "training loss",
        Metric::Rate => "learning rate η",
        Metric::Sharpness => "η λ_max(Θ) / NC",
        Metric::SharpnessLoss => "η λ_max(Θ H) / N",
        Metric::InfiniteError => "‖K − Θ∞‖ / ‖Θ∞‖",
        Metric::LagSteps => "steps of the lag",
        Metric::KernelSeconds
        | Metric::EigenSeconds
        | Metric::MetricsSeconds
        | Metric::EvaluationSeconds
        | Metric::WaitingSeconds => "seconds",
    }
}

/// Describes a quantity that may explain the velocity, over the same lag: one curve for a quantity of the whole network, one
/// per task for the susceptibility.
pub fn strip(history: &History, metric: Metric) -> TimeChart {
    if matches!(metric, Metric::Susceptibility | Metric::SusceptibilityDebiased) {
        let chart = TimeChart::of_tasks(history, true, 0.7, |block| SeriesId::Metric(block, metric));
        return chart.against(axis_name(metric, history));
    }
    let curve = TimeCurve::new(Name::None, SeriesId::Metric(Block::All, metric), Colour::Text.at(0.8));
    TimeChart::new(true, 0.7, vec![TimeCurve { width: 1.2, ..curve }]).against(axis_name(metric, history))
}

/// A metric as it can be drawn: on which scale, and whether it is divided by its value at the last switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    pub metric: Metric,
    pub log: bool,
    pub relative: bool,
}

impl Default for Quantity {
    fn default() -> Self {
        Self::linear(Metric::LambdaMax)
    }
}

impl Quantity {
    pub const fn linear(metric: Metric) -> Self {
        Self { metric, log: false, relative: false }
    }

    pub const fn log(metric: Metric) -> Self {
        Self { metric, log: true, relative: false }
    }

    pub const fn relative(metric: Metric) -> Self {
        Self { metric, log: false, relative: true }
    }
}

/// Names the axis of a metric that is divided by its value at the last switch.
pub const RELATIVE: &str = "relative to the last switch";

/// Above this sharpness of the training loss, steps of gradient descent grow.
const STABLE: f64 = 2.0;

/// Describes a metric on each task's probes; λ_max with the depth of each dip, the sharpness with the bound of stability.
pub fn scale(history: &History, Quantity { metric, log, relative }: Quantity) -> TimeChart {
    let least = if log { 0.7 } else { 1e-6 };
    let mut chart = TimeChart::of_tasks(history, log, least, |block| match relative {
        true => SeriesId::Relative(block, metric),
        false => SeriesId::Metric(block, metric),
    });
    let is_squared = history.info().is_some_and(|info| info.spec.training.loss.is_squared());
    if metric == Metric::SharpnessLoss || (metric == Metric::Sharpness && is_squared) {
        chart.levels.push((STABLE, Colour::Warning.into()));
    }
    chart.marks = (metric == Metric::LambdaMax).then_some(Reaction::Dips { relative });
    chart.against(if relative { RELATIVE } else { axis_name(metric, history) })
}

/// Describes one of the alignments with the labels, on each task's probes, and dotted the values between which permuted labels
/// lie.
pub fn alignment(history: &History, metric: Metric) -> TimeChart {
    let mut chart = TimeChart::of_tasks(history, false, 0.05, |block| SeriesId::Metric(block, metric));
    let end = |task, end| {
        let series = SeriesId::Metric(Block::Task(task), end);
        TimeCurve::beside(format!("task {task}, permuted"), series, Colour::Task(task).at(0.7), Dashes::Dotted)
    };
    let band = |task| metric.permuted().into_iter().flatten().map(move |of| end(task, of));
    chart.curves.extend(tasks(history).into_iter().flat_map(band));
    TimeChart { strokes: &PERMUTED, ..chart }.against(axis_name(metric, history))
}

/// Describes the test accuracy on each task: solid among all classes, dashed among the task's own, dotted of the linear probe.
pub fn accuracy(history: &History) -> TimeChart {
    let beside = |task, what: &str, series, strength, style| {
        TimeCurve::beside(format!("task {task}, {what}"), series, Colour::Task(task).at(strength), style)
    };
    let of_task = |task| {
        [
            TimeCurve::of_task(task, SeriesId::Accuracy(task)),
            beside(task, "own classes", SeriesId::Masked(task), 0.8, Dashes::Broken),
            beside(task, "linear probe", SeriesId::Probe(task), 0.9, Dashes::Dotted),
        ]
    };
    let curves = tasks(history).into_iter().flat_map(of_task).collect();
    let others = Some(SeriesId::Accuracy(1));
    let chart = TimeChart { limits: Some((0.0, 1.0)), others, ..TimeChart::new(false, 1.0, curves) };
    TimeChart { strokes: &AMONG, ..chart }.against("accuracy")
}

/// What the strokes of the accuracy show.
const AMONG: [(Dashes, &str); 3] =
    [(Dashes::None, "all classes"), (Dashes::Broken, "own classes"), (Dashes::Dotted, "linear probe")];

/// What the strokes of an alignment show.
const PERMUTED: [(Dashes, &str); 2] = [(Dashes::None, "the labels"), (Dashes::Dotted, "permuted labels")];

/// Describes the loss on the test images of each task, and the training loss.
pub fn loss(history: &History) -> TimeChart {
    let mut curves: Vec<TimeCurve> =
        tasks(history).into_iter().map(|task| TimeCurve::of_task(task, SeriesId::TestLoss(task))).collect();
    let training = TimeCurve::new("training", SeriesId::TrainLoss, Colour::Faint);
    curves.push(TimeCurve { width: 1.0, has_value: false, ..training });
    TimeChart { others: Some(SeriesId::TestLoss(1)), ..TimeChart::new(true, 0.7, curves) }.against("mean loss")
}

/// The number of largest eigenvalues in a figure.
const EIGENVALUES: usize = 16;

/// Describes the `most` largest eigenvalues of a block, the first and the last of them named.
pub fn eigenvalues(history: &History, block: Block, most: usize) -> TimeChart {
    let count = history.snapshots().last().map_or(0, |snapshot| snapshot.eigenvalues.len().min(most));
    let curve = |rank: usize| {
        let name = match rank + 1 {
            1 => Name::from("1st"),
            last if last == count => Name::Text(format!("{last}th")),
            _ => Name::None,
        };
        let colour = Colour::Value { place: rank, count: most + 1 };
        let width = if rank == 0 { MAIN } else { THIN };
        TimeCurve { width, ..TimeCurve::new(name, SeriesId::Eigenvalue(block, rank), colour) }
    };
    TimeChart::new(true, 1.0, (0..count).map(curve).collect()).against("eigenvalue")
}
