//! Describes the panels of a study of learners: both test errors against n with their power laws, local slopes, and what the
//! kernels did.

use super::palette::Colour;
use super::panel::{Axis, Bar, Chart, Dashes, Dot, End, Line, Panel, Point, Target};
use crate::analysis::{Curve, ErrorKind, Fitted, LearningCurves};

/// Holds a window of the fit, and the law of each curve in it.
pub type Fits<'a> = Option<((f64, f64), &'a [Option<Fitted>])>;

/// Names a panel beside the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Local slopes.
    Slopes,
    /// The share of the target in a kernel's first modes.
    Power,
    /// β of the kernel after a number of epochs.
    Exponents,
    /// The kernel's distance from its start during training.
    Drift,
    /// The kernel's velocity, divided by the rate.
    Velocity,
}

impl Extra {
    pub const ALL: [Self; 5] = [Self::Slopes, Self::Power, Self::Exponents, Self::Drift, Self::Velocity];

    pub fn title(self) -> &'static str {
        match self {
            Self::Slopes => "Local slope",
            Self::Power => "Cumulative power",
            Self::Exponents => "Exponent through training",
            Self::Drift => "Drift through training",
            Self::Velocity => "Velocity over rate",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::Slopes => "−d log E / d log n",
            Self::Power => "share, by mode",
            Self::Exponents => "β by epoch",
            Self::Drift => "‖Θ − Θ₀‖/‖Θ₀‖ by epoch",
            Self::Velocity => "(1 − CKA) per epoch, over η",
        }
    }

    pub fn help(self) -> &'static str {
        match self {
            Self::Slopes => {
                "The slope between neighbouring means, at the geometric mean of their n. Where it is not level there is no one \
                 exponent, and a window decides which is found."
            }
            Self::Power => {
                "The share of the target's power in the first k eigenfunctions of a kernel (Canatar et al. 2021): a kernel whose \
                 curve rises early learns the target from few samples. Of each seed; the finite-width kernel is that before \
                 training."
            }
            Self::Exponents => {
                "β of the law through the errors of regressions with the kernel after so many epochs, in the same window; a \
                 bar is its interval."
            }
            Self::Drift => {
                "How far the kernel on the probes is from where it began, at the epochs at which it was taken: one dot for each \
                 n and seed. If the kernel were constant after a few epochs this would be level."
            }
            Self::Velocity => {
                "How fast the kernel turns on the probes over the lag before each epoch, divided by the learning rate: a \
                 velocity that falls only because the rate falls would be level here."
            }
        }
    }
}

/// Describes the errors of all learners against the samples that they learnt from.
pub fn errors(learnt: &LearningCurves, kind: ErrorKind, fits: Fits<'_>) -> Panel {
    let mut panel = Panel::bare(true);
    let place = axis(&mut panel, learnt);
    let colours = learnt.colours();
    for (number, curve) in learnt.curves.iter().enumerate() {
        let (colour, broken) = colours[number];
        let mean = curve.mean(kind);
        panel.ribbon(mean.iter().map(|&(n, summary)| (place(n), summary)), colour);
        let points = panel.points(mean.iter().map(|&(n, summary)| (place(n), summary.mean)));
        let fit = fits.and_then(|(_, fits)| fits.get(number)?.clone());
        if let Some(end) = points.last() {
            let beta = fit.as_ref().map_or(String::new(), |fit| format!("  β {}", fit.in_words()));
            panel.ends.push(End { at: *end, text: format!("{}{beta}", short(curve)), ink: colour.into() });
        }
        let style = if broken { Dashes::Broken } else { Dashes::None };
        panel.lines.push(Line::new(points, colour, 1.8, style));
        for (seed, points) in &curve.seeds {
            for (at, point) in points {
                let run = learnt.run_of(curve, *seed, *at);
                let error = kind.of(point).map(|error| (place(*at), error));
                let Some(&at) = panel.points(error).first() else { continue };
                panel.dots.push(Dot { at, ink: colour.at(0.8), full: !broken });
                let name = format!("{}, n = {}, seed {seed}", curve.name(), point.samples);
                panel.targets.push(Target { name, points: vec![at], ink: colour.into(), run });
            }
        }
        if let (Some(fit), Some(((low, high), _))) = (fit, fits) {
            let law =
                (0..=24).map(|step| low * (high / low).powf(f64::from(step) / 24.0)).map(|n| (place(n), fit.law.at(n)));
            let points = panel.points(law);
            panel.lines.push(Line::new(points, Colour::Text.at(0.7), 1.0, Dashes::Dotted));
        }
    }
    if learnt.is_over_samples() && kind == ErrorKind::Square {
        let (left, right) = panel.x.range;
        for instant in &learnt.instants {
            let ink = instant_colour(learnt, &colours, instant).at(0.7);
            let curve = instant.prediction.curve.iter().map(|&(n, error)| (n.log10(), error));
            let points = panel.points(curve.filter(|(x, _)| *x >= left && *x <= right));
            panel.lines.push(Line::new(points, ink, 1.0, Dashes::Broken));
        }
    }
    panel.settle(0.3);
    panel
}

/// Describes a panel beside the errors.
pub fn extra(which: Extra, learnt: &LearningCurves, kind: ErrorKind, fits: Fits<'_>) -> Panel {
    let colours = learnt.colours();
    match which {
        Extra::Slopes => slopes(learnt, kind, &colours),
        Extra::Power => power(learnt, &colours),
        Extra::Exponents => exponents(learnt, fits, &colours),
        Extra::Drift => through_training(learnt, &colours, false, |point| point.drift),
        Extra::Velocity => through_training(learnt, &colours, true, |point| point.velocity_rate),
    }
}

fn slopes(learnt: &LearningCurves, kind: ErrorKind, colours: &[(Colour, bool)]) -> Panel {
    let mut panel = Panel::bare(false);
    if !learnt.is_over_samples() {
        return panel;
    }
    let place = axis(&mut panel, learnt);
    for (curve, found) in learnt.curves.iter().zip(colours) {
        let (colour, broken) = *found;
        let points = panel.points(curve.slopes(kind).into_iter().map(|(n, slope)| (place(n), slope)));
        panel.dots.extend(points.iter().map(|&at| Dot { at, ink: colour.into(), full: !broken }));
        panel.targets.push(Target { name: curve.name(), points: points.clone(), ink: colour.into(), run: None });
        let style = if broken { Dashes::Broken } else { Dashes::None };
        panel.lines.push(Line::new(points, colour, 1.4, style));
    }
    panel.settle(0.5);
    panel
}

fn power(learnt: &LearningCurves, colours: &[(Colour, bool)]) -> Panel {
    let mut panel = Panel::bare(false);
    let most = learnt.instants.iter().map(|instant| instant.prediction.spectrum.len()).max().unwrap_or(0);
    panel.x.range = (0.0, (most.max(10) as f64).log10() + 0.08);
    panel.x.ticks = Some((0..=5).map(|decade| (f64::from(decade), format!("{}", 10u64.pow(decade)))).collect());
    for instant in &learnt.instants {
        let colour = instant_colour(learnt, colours, instant);
        let spectrum = instant.prediction.spectrum.iter().enumerate();
        // A panel shows at most two hundred points of a curve of thousands.
        let mut last = f64::NEG_INFINITY;
        let kept = spectrum.filter_map(|(mode, (_, share))| {
            let x = ((mode + 1) as f64).log10();
            (x - last >= panel.x.range.1 / 200.0).then(|| {
                last = x;
                (x, *share)
            })
        });
        let points: Vec<Point> = kept.collect();
        let words = instant.prediction.learner.words();
        panel.targets.push(Target {
            name: format!("{words}, seed {}", instant.seed),
            points: points.clone(),
            ink: colour.into(),
            run: None,
        });
        panel.lines.push(Line::new(points, colour, 1.2, Dashes::None));
    }
    panel.y.range = (0.0, 1.02);
    panel
}

fn exponents(learnt: &LearningCurves, fits: Fits<'_>, colours: &[(Colour, bool)]) -> Panel {
    let mut panel = Panel::bare(false);
    let Some((_, fits)) = fits else { return panel };
    let mut line: Vec<Point> = Vec::new();
    for ((curve, fit), found) in learnt.curves.iter().zip(fits).zip(colours) {
        let (Some(epoch), Some(fit)) = (curve.epoch, fit) else { continue };
        let at = (place_of_epoch(epoch), fit.law.exponent);
        let (colour, broken) = *found;
        line.push(at);
        panel.dots.push(Dot { at, ink: colour.into(), full: !broken });
        panel.targets.push(Target { name: curve.name(), points: vec![at], ink: colour.into(), run: None });
        if let Some(interval) = fit.interval {
            panel.bars.push(Bar { at: at.0, ends: (interval.low, interval.high), ink: colour.into() });
        }
    }
    line.sort_by(|a: &Point, b| a.0.total_cmp(&b.0));
    epochs(&mut panel, learnt);
    panel.lines.push(Line::new(line, Colour::Weak, 1.2, Dashes::None));
    panel.settle(0.2);
    panel
}

fn through_training(
    learnt: &LearningCurves,
    colours: &[(Colour, bool)],
    log: bool,
    of: impl Fn(&crate::run::Point) -> Option<f64>,
) -> Panel {
    let mut panel = Panel::bare(log);
    epochs(&mut panel, learnt);
    let mut means: Vec<(f64, f64)> = Vec::new();
    for (curve, found) in learnt.curves.iter().zip(colours) {
        let Some(epoch) = curve.epoch else { continue };
        let (colour, broken) = *found;
        let mut all = Vec::new();
        for (seed, points) in &curve.seeds {
            for (_, point) in points {
                let Some(value) = of(point) else { continue };
                let Some(&at) = panel.points([(place_of_epoch(epoch), value)]).first() else { continue };
                all.push(value);
                panel.dots.push(Dot { at, ink: colour.into(), full: !broken });
                let name = format!("n = {}, seed {seed}, epoch {epoch}", point.samples);
                panel.targets.push(Target { name, points: vec![at], ink: colour.into(), run: None });
            }
        }
        if !all.is_empty() {
            means.push((place_of_epoch(epoch), all.iter().sum::<f64>() / all.len() as f64));
        }
    }
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    let points = panel.points(means);
    if !points.is_empty() {
        panel.lines.push(Line::new(points, Colour::Weak, 1.2, Dashes::None));
    }
    panel.settle(0.1);
    panel
}

/// Returns the position of an epoch on a logarithmic axis that includes epoch 0.
fn place_of_epoch(epoch: f64) -> f64 {
    (1.0 + epoch).log10()
}

fn epochs(panel: &mut Panel, learnt: &LearningCurves) {
    let all: Vec<f64> = learnt.curves.iter().filter_map(|curve| curve.epoch).collect();
    let most = all.iter().copied().fold(1.0, f64::max);
    panel.x.range = (-0.05, place_of_epoch(most) + 0.08);
    panel.x.ticks = Some(all.iter().map(|&epoch| (place_of_epoch(epoch), format!("{epoch}"))).collect());
}

/// Sets up the axis of the study; returns a function from a value to its position.
fn axis(panel: &mut Panel, learnt: &LearningCurves) -> impl Fn(f64) -> f64 + use<> {
    let log = learnt.is_logarithmic();
    let place = move |at: f64| if log { at.log10() } else { at };
    let (low, high) = learnt.span().unwrap_or((1.0, 10.0));
    let (left, right) = (place(low), place(high));
    let pad = if right > left { 0.06 * (right - left) } else { 0.2 };
    panel.x.range = (left - pad, right + pad);
    panel.x.ticks = Some(learnt.places().into_iter().map(|at| (place(at), format!("{at}"))).collect());
    place
}

fn instant_colour(learnt: &LearningCurves, colours: &[(Colour, bool)], instant: &crate::analysis::Instant) -> Colour {
    let same = |curve: &Curve| curve.learner == instant.prediction.learner && curve.variant == instant.variant;
    learnt.curves.iter().position(same).map_or(Colour::Weak, |place| colours[place].0)
}

/// Returns a name that fits beside a line.
fn short(curve: &Curve) -> String {
    let learner = curve.short_name();
    if curve.variant.is_empty() { learner } else { format!("{} {learner}", curve.variant) }
}

/// Returns the figure of a study of learners and the name of its file; `None` if the study has no point.
pub(super) fn figure(learnt: &LearningCurves) -> Option<(String, Chart)> {
    let window = learnt.span()?;
    let of = |kind: ErrorKind, title: &str, y: &str| {
        let fits: Vec<Option<Fitted>> = learnt.curves.iter().map(|curve| curve.fitted(kind, window)).collect();
        let fits = learnt.is_over_samples().then_some((window, fits.as_slice()));
        named(errors(learnt, kind, fits), title, y)
    };
    let mut panels = vec![
        of(ErrorKind::Square, "Test error", "share of the targets’ mean square"),
        of(ErrorKind::ZeroOne, "Test error, 0–1", "share in the wrong class"),
    ];
    if learnt.is_over_samples() {
        let mut panel = extra(Extra::Slopes, learnt, ErrorKind::Square, None);
        // Without a pointer, words say which line is whose.
        for (curve, (colour, _)) in learnt.curves.iter().zip(learnt.colours()) {
            let end =
                curve.slopes(ErrorKind::Square).last().and_then(|&(n, slope)| Some((n.log10(), panel.stored(slope)?)));
            panel.ends.extend(end.map(|at| End { at, text: short(curve), ink: colour.into() }));
        }
        panels.push(named(panel, Extra::Slopes.title(), Extra::Slopes.unit()));
    }
    let name = if learnt.is_over_samples() { "samples n" } else { &learnt.axis };
    panels.iter_mut().for_each(|panel| panel.x.name = name.to_owned());
    Some(("learning".to_owned(), Chart::Panels(panels)))
}

fn named(panel: Panel, title: &str, y: &str) -> Panel {
    let axis = Axis { name: y.to_owned(), ..panel.y };
    Panel { title: title.to_owned(), y: axis, ..panel }
}
