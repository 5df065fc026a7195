//! Shows the outputs for single probe images over time, and a static kernel's prediction of them.

use egui::{RichText, Ui};

use super::context::{ProbeChoice, ViewContext};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::palette::Colour;
use crate::chart::panel::Dashes;
use crate::chart::series_id::SeriesId;
use crate::chart::time_chart::{Name, TimeChart, TimeCurve};
use crate::run::{Predictor, RunInfo, Snapshot};
use crate::spec::Readout;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::choose;
use crate::ui::plot::legend::{HEADER_WIDTH, names_below};
use crate::ui::plot::{TimePlot, window};

/// Largest number of classes with a line of their own, while no probe is chosen.
const CLASSES: usize = 5;
/// Largest number of logits of one probe with a line.
const LOGITS: usize = 12;

/// Selects the logits of a probe that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Which {
    /// The logit of its own class.
    #[default]
    Own,
    All,
    One(usize),
}

/// Selects the prediction drawn beside the outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Beside {
    /// The first one available.
    #[default]
    Any,
    Nobody,
    By(Predictor),
}

/// This view shows the outputs for single probe images over time.
#[derive(Default)]
pub struct TrajectoriesView {
    which: Which,
    beside: Beside,
}

impl ViewClass for TrajectoriesView {
    const TITLE: &str = "Trajectories";
    const HELP: &str = "The network's outputs on single probe images, as they enter the loss (with laziness α (f − \
                 f₀)), at each snapshot. Solid: the network; dashed, in the same colour: a prediction of the same \
                 logit, from the same start on the same batches. Choose a probe from the list or by a click on its row \
                 in the kernel. With the squared error the dashed level is the target of an own logit. In the limit of \
                 infinite width the two fall together at every fixed time.\n\
                 Lee et al. 2019 (1902.06720); Yang & Littwin 2021 (2105.03703).";
    const NEEDS: Needs = Needs::Network;
    const ONE_LINE: f32 = 330.0;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let roomy = pane.roomy();
        let probe = &mut pane.selection.probe;
        let (Some(info), Some(last)) = (context.history.info().cloned(), context.history.snapshots().last().cloned())
        else {
            return;
        };
        let readout = info.readout();
        *probe = probe.filter(|&row| row < info.probes.len());
        let by = predictors(&mut card.header, self, &last, roomy);
        if roomy {
            choose_logit(&mut card.header, self, &info, readout);
        }
        choose_probe(&mut card.header, probe, &info);

        let lines = lines(&info, *probe, self.which, readout);
        let window = window(&card.body, context);
        let plot = TimePlot::of(context, chart(&info, &lines, by), window);
        let body = &mut card.body;
        if body.available_width() > HEADER_WIDTH && lines.len() <= 3 {
            plot.legend(&mut card.header);
        } else {
            names_below(body, plot.entries());
        }
        if by.is_none() && !context.is_elsewhere() && !context.is_constant() && self.beside != Beside::Nobody && roomy {
            let text = "No predictions: switch on “Predict” in the kernel's settings.";
            body.label(RichText::new(text).size(theme::SMALL).color(context.tokens.weak));
        }
        plot.show(body, context, "trajectories");
    }
}

/// Draws the list of predictors; returns the one to draw.
fn predictors(header: &mut Ui, state: &mut TrajectoriesView, last: &Snapshot, roomy: bool) -> Option<Predictor> {
    let predictors = last.outputs.iter().flat_map(|outputs| outputs.predicted.iter().map(|(by, _)| *by));
    let known: Vec<Predictor> = predictors.collect();
    let usual = [Predictor::Infinite, Predictor::LinearisedStart];
    let first = usual.into_iter().find(|by| known.contains(by)).or(known.first().copied());
    let chosen = match state.beside {
        Beside::Nobody => None,
        Beside::By(by) if known.contains(&by) => Some(by),
        Beside::Any | Beside::By(_) => first,
    };
    if roomy && !known.is_empty() {
        let mut now = chosen.map_or(Beside::Nobody, Beside::By);
        let mut options: Vec<(Beside, &str)> = known.iter().map(|by| (Beside::By(*by), by.words())).collect();
        options.push((Beside::Nobody, "no prediction"));
        if choose(header, "Prediction shown with the trajectories", &mut now, &options) {
            state.beside = now;
        }
    }
    chosen
}

fn choose_logit(header: &mut Ui, state: &mut TrajectoriesView, info: &RunInfo, readout: Readout) {
    if matches!(state.which, Which::One(logit) if logit >= readout.count()) {
        state.which = Which::Own;
    }
    // A single output leaves nothing to choose.
    if readout.is_number() {
        return;
    }
    let mut options = vec![(Which::Own, "own logit"), (Which::All, "all logits")];
    options.extend(info.class_names.iter().enumerate().map(|(logit, name)| (Which::One(logit), name.as_str())));
    choose(header, "Logit of the trajectories", &mut state.which, &options);
}

fn choose_probe(header: &mut Ui, probe: &mut ProbeChoice, info: &RunInfo) {
    let word = |row: usize| {
        let of = info.probes[row];
        let name = info.class_name(of.label);
        format!("probe {} · {name}", row + 1)
    };
    let words: Vec<String> = (0..info.probes.len()).map(word).collect();
    let mut options: Vec<(ProbeChoice, &str)> = vec![(None, "one of each class")];
    options.extend(words.iter().enumerate().map(|(row, word)| (Some(row), word.as_str())));
    choose(header, "Probe of the trajectories", probe, &options);
}

/// Returns row and logit of each line, and its name.
fn lines(info: &RunInfo, probe: ProbeChoice, which: Which, readout: Readout) -> Vec<(usize, usize, String)> {
    let name = |class: usize| info.class_name(class);
    let own = |row: usize| readout.output(info.probes[row].label);
    let logits = |row: usize| match which {
        Which::Own => vec![own(row)],
        Which::One(logit) => vec![logit],
        Which::All => (0..readout.count().min(LOGITS)).collect(),
    };
    if let Some(row) = probe {
        let called = |logit: usize| if readout.is_number() { name(info.probes[row].label) } else { name(logit) };
        return logits(row).into_iter().map(|logit| (row, logit, called(logit))).collect();
    }
    let mut seen = Vec::new();
    for (row, of) in info.probes.iter().enumerate() {
        if seen.len() < CLASSES && !seen.iter().any(|&known: &usize| info.probes[known].label == of.label) {
            seen.push(row);
        }
    }
    // All logits of several probes would be unreadable, so each probe shows that of its own class.
    let logit = |row: usize| if let Which::One(logit) = which { logit } else { own(row) };
    seen.into_iter().map(|row| (row, logit(row), name(info.probes[row].label))).collect()
}

fn chart(info: &RunInfo, lines: &[(usize, usize, String)], by: Option<Predictor>) -> TimeChart {
    let readout = info.readout();
    let curve = |(place, (row, logit, name)): (usize, &(usize, usize, String))| {
        let output = match readout {
            Readout::Classes(_) => format!("logit {}", info.class_names.get(*logit).map_or("?", String::as_str)),
            Readout::Number => "output".to_owned(),
        };
        let of = |by: Option<Predictor>, name: Name| {
            let whose = by.map_or("network", |by| by.words());
            let exported = Some(format!("probe {}, {output}, {whose}", row + 1));
            let colour = Colour::Layer { place, count: lines.len().max(2) };
            TimeCurve { exported, ..TimeCurve::new(name, SeriesId::Output(by, *row, *logit), colour) }
        };
        let own = TimeCurve { width: 1.7, ..of(None, Name::from(name.as_str())) };
        let beside = |by| TimeCurve {
            style: Dashes::Broken,
            width: 1.4,
            ..of(Some(by), Name::Beside(format!("{name}, {}", by.words())))
        };
        [Some(own), by.map(beside)].into_iter().flatten()
    };
    let mut chart = TimeChart::new(false, 0.05, lines.iter().enumerate().flat_map(curve).collect());
    // With the squared error each own logit tends to 1, and a numeric output to its target.
    let own = lines.iter().all(|(row, logit, _)| readout.output(info.probes[*row].label) == *logit);
    if info.spec.training.loss.is_squared() && own {
        let mut levels: Vec<f32> = lines.iter().filter_map(|(row, logit, _)| info.target(*row, *logit)).collect();
        levels.sort_by(f32::total_cmp);
        levels.dedup();
        chart.levels = levels.into_iter().map(|level| (f64::from(level), Colour::Faint.into())).collect();
    }
    chart.against("logit")
}
