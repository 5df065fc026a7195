//! Computes the contents of the panels of a study of learners, once for each edition of its points.

use egui::Color32;
use egui_plot::PlotPoint;

use super::picture::{Dashes, Dot, Label, Line, Picture, Target};
use crate::analysis::{Curve, ErrorKind, Fitted, LearningCurves};
use crate::chart::palette::Ink;
use crate::ui::kit::theme::Tokens;

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
                "β of the law through the errors of regressions with the kernel after so many epochs, in the same window; a bar is \
                 its interval."
            }
            Self::Drift => {
                "How far the kernel on the probes is from where it began, at the epochs at which it was taken: one dot for each n \
                 and seed. If the kernel were constant after a few epochs this would be level."
            }
            Self::Velocity => {
                "How fast the kernel turns on the probes over the lag before each epoch, divided by the learning rate: a velocity \
                 that falls only because the rate falls would be level here."
            }
        }
    }
}

/// Returns the panel of the errors.
pub fn main(learnt: &LearningCurves, kind: ErrorKind, fits: Fits<'_>, tokens: &Tokens) -> Picture {
    let mut picture = Picture::bare(true);
    let place = axis(&mut picture, learnt);
    let inks = learnt.inks();
    for (number, curve) in learnt.curves.iter().enumerate() {
        let (colour, broken) = ink(inks[number], tokens);
        let mean = curve.mean(kind);
        let spread: Vec<(f64, [f64; 3])> = mean.iter().map(|m| (place(m.n), [m.low, m.mean, m.high])).collect();
        picture.ribbon(&spread, colour, tokens);
        let points = picture.points(mean.iter().map(|m| (place(m.n), m.mean)));
        let fit = fits.and_then(|(_, fits)| fits.get(number)?.clone());
        if let Some(end) = points.last() {
            let beta = fit.as_ref().map_or(String::new(), |fit| format!("  β {}", fit.in_words()));
            picture.labels.push(Label { at: *end, text: format!("{}{beta}", short(curve)), colour });
        }
        let style = if broken { Dashes::Broken } else { Dashes::None };
        picture.lines.push(Line { points, colour, width: 1.8, style });
        for (seed, points) in &curve.seeds {
            for (at, point) in points {
                let run = learnt.run_of(curve, *seed, *at);
                let error = kind.of(point).map(|error| (place(*at), error));
                let Some(&at) = picture.points(error.into_iter()).first() else { continue };
                picture.dots.push(Dot { at, colour: colour.gamma_multiply(0.8), full: !broken });
                let name = format!("{}, n = {}, seed {seed}", curve.name(), point.samples);
                picture.targets.push(Target { name, points: vec![at], colour, run });
            }
        }
        if let (Some(fit), Some(((low, high), _))) = (fit, fits) {
            let law =
                (0..=24).map(|step| low * (high / low).powf(f64::from(step) / 24.0)).map(|n| (place(n), fit.law.at(n)));
            let points = picture.points(law);
            picture.lines.push(Line {
                points,
                colour: tokens.text.gamma_multiply(0.7),
                width: 1.0,
                style: Dashes::Dotted,
            });
        }
    }
    if learnt.is_over_samples() && kind == ErrorKind::Square {
        let (left, right) = picture.x;
        for instant in &learnt.instants {
            let colour = instant_ink(learnt, &inks, instant, tokens).gamma_multiply(0.7);
            let curve = instant.prediction.curve.iter().map(|&(n, error)| (n.log10(), error));
            let points = picture.points(curve.filter(|(x, _)| *x >= left && *x <= right));
            picture.lines.push(Line { points, colour, width: 1.0, style: Dashes::Broken });
        }
    }
    picture.settle(0.3);
    picture
}

/// Returns a panel beside it.
pub fn extra(which: Extra, learnt: &LearningCurves, kind: ErrorKind, fits: Fits<'_>, tokens: &Tokens) -> Picture {
    let inks = learnt.inks();
    match which {
        Extra::Slopes => slopes(learnt, kind, &inks, tokens),
        Extra::Power => power(learnt, &inks, tokens),
        Extra::Exponents => exponents(learnt, fits, &inks, tokens),
        Extra::Drift => through_training(learnt, &inks, tokens, false, |point| point.drift),
        Extra::Velocity => through_training(learnt, &inks, tokens, true, |point| point.velocity_rate),
    }
}

fn slopes(learnt: &LearningCurves, kind: ErrorKind, inks: &[Ink], tokens: &Tokens) -> Picture {
    let mut picture = Picture::bare(false);
    if !learnt.is_over_samples() {
        return picture;
    }
    let place = axis(&mut picture, learnt);
    for (curve, found) in learnt.curves.iter().zip(inks) {
        let (colour, broken) = ink(*found, tokens);
        let points = picture.points(curve.slopes(kind).into_iter().map(|(n, slope)| (place(n), slope)));
        picture.dots.extend(points.iter().map(|&at| Dot { at, colour, full: !broken }));
        picture.targets.push(Target { name: curve.name(), points: points.clone(), colour, run: None });
        let style = if broken { Dashes::Broken } else { Dashes::None };
        picture.lines.push(Line { points, colour, width: 1.4, style });
    }
    picture.settle(0.5);
    picture
}

fn power(learnt: &LearningCurves, inks: &[Ink], tokens: &Tokens) -> Picture {
    let mut picture = Picture::bare(false);
    let most = learnt.instants.iter().map(|instant| instant.prediction.spectrum.len()).max().unwrap_or(0);
    picture.x = (0.0, (most.max(10) as f64).log10() + 0.08);
    picture.ticks = Some((0..=5).map(|decade| (f64::from(decade), format!("{}", 10u64.pow(decade)))).collect());
    for instant in &learnt.instants {
        let colour = instant_ink(learnt, inks, instant, tokens);
        let spectrum = instant.prediction.spectrum.iter().enumerate();
        // A panel shows at most two hundred points of a curve of thousands.
        let mut last = f64::NEG_INFINITY;
        let kept = spectrum.filter_map(|(mode, (_, share))| {
            let x = ((mode + 1) as f64).log10();
            (x - last >= picture.x.1 / 200.0).then(|| {
                last = x;
                PlotPoint::new(x, *share)
            })
        });
        let points: Vec<PlotPoint> = kept.collect();
        let words = instant.prediction.learner.words();
        picture.targets.push(Target {
            name: format!("{words}, seed {}", instant.seed),
            points: points.clone(),
            colour,
            run: None,
        });
        picture.lines.push(Line { points, colour, width: 1.2, style: Dashes::None });
    }
    picture.y = (0.0, 1.02);
    picture
}

fn exponents(learnt: &LearningCurves, fits: Fits<'_>, inks: &[Ink], tokens: &Tokens) -> Picture {
    let mut picture = Picture::bare(false);
    let Some((_, fits)) = fits else { return picture };
    let mut line = Vec::new();
    for ((curve, fit), found) in learnt.curves.iter().zip(fits).zip(inks) {
        let (Some(epoch), Some(fit)) = (curve.epoch, fit) else { continue };
        let at = PlotPoint::new(place_of_epoch(epoch), fit.law.exponent);
        let (colour, broken) = ink(*found, tokens);
        line.push(at);
        picture.dots.push(Dot { at, colour, full: !broken });
        picture.targets.push(Target { name: curve.name(), points: vec![at], colour, run: None });
        if let Some(interval) = fit.interval {
            picture.bars.push(super::picture::Bar { at: at.x, ends: (interval.low, interval.high), colour });
        }
    }
    line.sort_by(|a, b| a.x.total_cmp(&b.x));
    epochs(&mut picture, learnt);
    picture.lines.push(Line { points: line, colour: tokens.weak, width: 1.2, style: Dashes::None });
    picture.settle(0.2);
    picture
}

fn through_training(
    learnt: &LearningCurves,
    inks: &[Ink],
    tokens: &Tokens,
    log: bool,
    of: impl Fn(&crate::run::Point) -> Option<f64>,
) -> Picture {
    let mut picture = Picture::bare(log);
    epochs(&mut picture, learnt);
    let mut means: Vec<(f64, f64)> = Vec::new();
    for (curve, found) in learnt.curves.iter().zip(inks) {
        let Some(epoch) = curve.epoch else { continue };
        let (colour, broken) = ink(*found, tokens);
        let mut all = Vec::new();
        for (seed, points) in &curve.seeds {
            for (_, point) in points {
                let Some(value) = of(point) else { continue };
                let Some(&at) = picture.points([(place_of_epoch(epoch), value)].into_iter()).first() else { continue };
                all.push(value);
                picture.dots.push(Dot { at, colour, full: !broken });
                let name = format!("n = {}, seed {seed}, epoch {epoch}", point.samples);
                picture.targets.push(Target { name, points: vec![at], colour, run: None });
            }
        }
        if !all.is_empty() {
            means.push((place_of_epoch(epoch), all.iter().sum::<f64>() / all.len() as f64));
        }
    }
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    let points = picture.points(means.into_iter());
    if !points.is_empty() {
        picture.lines.push(Line { points, colour: tokens.weak, width: 1.2, style: Dashes::None });
    }
    picture.settle(0.1);
    picture
}

/// Returns the position of an epoch on a logarithmic axis that includes epoch 0.
fn place_of_epoch(epoch: f64) -> f64 {
    (1.0 + epoch).log10()
}

fn epochs(picture: &mut Picture, learnt: &LearningCurves) {
    let all: Vec<f64> = learnt.curves.iter().filter_map(|curve| curve.epoch).collect();
    let most = all.iter().copied().fold(1.0, f64::max);
    picture.x = (-0.05, place_of_epoch(most) + 0.08);
    picture.ticks = Some(all.iter().map(|&epoch| (place_of_epoch(epoch), format!("{epoch}"))).collect());
}

/// Sets up the axis of the study; returns a function from a value to its position.
fn axis(picture: &mut Picture, learnt: &LearningCurves) -> impl Fn(f64) -> f64 + use<> {
    let log = learnt.is_logarithmic();
    let place = move |at: f64| if log { at.log10() } else { at };
    let (low, high) = learnt.span().unwrap_or((1.0, 10.0));
    let (left, right) = (place(low), place(high));
    let pad = if right > left { 0.06 * (right - left) } else { 0.2 };
    picture.x = (left - pad, right + pad);
    picture.ticks = Some(learnt.places().into_iter().map(|at| (place(at), format!("{at}"))).collect());
    place
}

fn ink(ink: Ink, tokens: &Tokens) -> (Color32, bool) {
    match ink {
        Ink::Black => (tokens.text, false),
        Ink::Number { number, broken } => (tokens.task(number), broken),
        Ink::Value { place, count } => (tokens.layer(place, count), false),
    }
}

fn instant_ink(learnt: &LearningCurves, inks: &[Ink], instant: &crate::analysis::Instant, tokens: &Tokens) -> Color32 {
    let same = |curve: &Curve| curve.learner == instant.prediction.learner && curve.variant == instant.variant;
    learnt.curves.iter().position(same).map_or(tokens.weak, |place| ink(inks[place], tokens).0)
}

/// Returns a name that fits beside a line.
fn short(curve: &Curve) -> String {
    let learner = curve.short_name();
    if curve.variant.is_empty() { learner } else { format!("{} {learner}", curve.variant) }
}
