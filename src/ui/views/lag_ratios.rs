//! Shows how the ratio of a spike to its background depends on the lag over which the velocity is taken.

use egui::{RichText, Ui};

use super::context::{ViewContext, choose_task};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::analysis::{LagRatio, SwitchKernels};
use crate::chart::palette::Colour;
use crate::chart::panel::{Axis, Dashes, Dot, Line, MAIN, Panel, THIN};
use crate::math::distance::Centring;
use crate::paint::panel::{Look, paint};
use crate::ui::kit::background_task::BackgroundTask;
use crate::ui::kit::data_table::{Cell, DataTable};
use crate::ui::plot::readout;

/// The messages in place of an empty view.
const NO_SWITCH: &str = "There is no switch up to the cursor yet: the ratio compares the largest turn of the kernel after one \
                with the turns before it.";
const NO_PAIRS: &str = "No lag has pairs of kernels all over the last third of the task before, and one after the switch. With \
                the snapshots an epoch set to the steps of an epoch, every lag has them, as long as memory holds these kernels: \
                fewer probes make them smaller.";

/// So many lags each have their number on the axis.
const FEW: usize = 5;

/// This view shows the ratio of the spike at a switch for all lags.
pub struct LagRatiosView {
    /// The task whose probes are used; that which ended at the switch if none was chosen.
    task: Option<usize>,
    ratios: BackgroundTask<Key, SwitchKernels, Vec<LagRatio>>,
}

/// Names the inputs: the rows of the block, the switch, and the steps of the kernels.
type Key = (std::ops::Range<usize>, usize, Vec<u64>);

impl Default for LagRatiosView {
    fn default() -> Self {
        Self { task: None, ratios: BackgroundTask::new("lags", 1) }
    }
}

impl ViewClass for LagRatiosView {
    const TITLE: &str = "Ratio against lag";
    const HELP: &str = "Look for a flat line, which would make the ratio a property of the kernel. It rises: S over a lag Δ is\n\
                 S(t) = 1 − CKA(K_{t−Δ}, K_t),\n\
                 centred; the ratio is the largest S within an epoch after the switch over the median of S in the last \
                 third of the task before, with the same lag in steps on both sides. Before a switch the kernel jitters \
                 about one place, so S hardly grows with the lag; after it the kernel moves on. Hollow and dashed: the \
                 99th percentile at fake switches. Dotted: the same ratio of S per path length, Σ‖Δw‖ over the steps of the \
                 lag, where the run tells it: how much of the ratio is left once the longer way of the weights is taken \
                 out. The line across is the lag of this run's velocity. Lags are those \
                 of which the kernels in memory have pairs all over that third: for all from one step to an epoch set the \
                 snapshots an epoch to its number of steps, and take few probes, so that memory holds them. For the last \
                 switch up to the cursor.";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let unit = match context.history.centring() {
            Centring::Debiased => "spike / background, debiased, by the lag in steps",
            Centring::Centred | Centring::Uncentred => "spike / background, by the lag in steps",
        };
        let mut card = pane.card(ui, unit);
        let begun = context.history.tasks();
        let switches = begun.iter().skip(1).take_while(|task| task.epoch <= context.cursor).count();
        let Some(place) = switches.checked_sub(1) else {
            card.body.label(RichText::new(NO_SWITCH).color(context.tokens.weak));
            return;
        };
        let mut task = self.task.filter(|task| context.tasks().contains(task)).unwrap_or(begun[place].task);
        let before = task;
        choose_task(&mut card.header, context, "Probes of the ratios", &mut task);
        if before != task {
            self.task = Some(task);
        }
        let ui = &mut card.body;
        let Some(rows) = context.info().and_then(|info| info.rows_of(task)) else { return };
        let work = |(rows, ..): &Key, kernels: SwitchKernels| kernels.ratios(rows);
        if let Err(err) = self.ratios.start(ui.ctx(), work) {
            ui.label(format!("No thread can be started to compare kernels: {err}"));
            return;
        }
        let Some(kernels) = SwitchKernels::of(context.history, place) else { return };
        let key = (rows, place, kernels.steps());
        self.ratios.get(&key, || kernels);
        // Those of fewer kernels are shown until the newest are ready.
        let is_same = |known: &Key| (&known.0, known.1) == (&key.0, key.1);
        let Some(found) = self.ratios.known().find(|(known, _)| is_same(known)).map(|(_, found)| found) else { return };
        if let Some(table) = &mut context.table {
            write(table, found);
        }
        if found.is_empty() {
            ui.label(RichText::new(NO_PAIRS).color(context.tokens.weak));
            return;
        }
        let panel = panel(found, task, own_lag(context));
        let painted = paint(ui, "ratio against lag", &panel, &Look::of_view(context.thick, true));
        readout::of_panel(ui, &painted, &panel, |lag| format!("lag of {:.0} steps", 10f64.powf(lag)));
    }

    fn reset(&mut self) {
        self.ratios.reset();
    }

    fn show_usual(&mut self) {
        self.task = None;
    }
}

/// Returns the lag of the run's velocity in steps at the cursor.
fn own_lag(context: &ViewContext<'_>) -> Option<u64> {
    let snapshot = context.snapshot.as_ref()?;
    let rows = context.history.rows();
    let upto = rows.partition_point(|row| row.step <= snapshot.row.step);
    rows[..upto].iter().rev().find_map(|row| row.blocks.first()?.lag_steps)
}

/// Describes the ratios on logarithmic axes.
fn panel(found: &[LagRatio], task: usize, own: Option<u64>) -> Panel {
    let mut panel = Panel::titled("Spike over its background, by the lag", "ratio", true);
    let place = |steps: u64| (steps as f64).log10();
    let points = |value: &dyn Fn(&LagRatio) -> Option<f64>| -> Vec<(f64, f64)> {
        found.iter().filter_map(|lag| Some((place(lag.steps), value(lag)?.log10()))).collect()
    };
    let ratios = points(&|lag| Some(lag.ratio));
    let fakes = points(&|lag| lag.fake.filter(|fake| *fake > 0.0));
    let ink = Colour::Task(task);
    let by_path = points(&|lag| lag.by_path.map(|spike| spike.ratio).filter(|ratio| *ratio > 0.0));
    for (points, full) in [(&fakes, false), (&ratios, true)] {
        panel.dots.extend(points.iter().map(|&at| Dot { at, ink: ink.into(), full }));
    }
    panel.curve(Some("fake switches".to_owned()), Line::new(fakes, ink.at(0.7), THIN, Dashes::Broken));
    if !by_path.is_empty() {
        panel.curve(Some("per path length".to_owned()), Line::new(by_path, ink, THIN, Dashes::Dotted));
    }
    panel.curve(Some("switch".to_owned()), Line::new(ratios, ink, MAIN, Dashes::None));
    panel.rules = own.map(place).into_iter().collect();
    let (low, high) = (place(found[0].steps), place(found[found.len() - 1].steps));
    let range = (low - 0.1, high + 0.1);
    // Where there are few lags, each has its number.
    let round = (0..=6).flat_map(|decade| [1, 2, 5].map(|digit| digit * 10u64.pow(decade)));
    let labelled: Vec<u64> =
        if found.len() <= FEW { found.iter().map(|lag| lag.steps).collect() } else { round.collect() };
    let ticks = labelled.into_iter().map(|steps| (place(steps), steps.to_string()));
    let ticks = ticks.filter(|(at, _)| (range.0..=range.1).contains(at)).collect();
    panel.x = Axis { name: "lag in steps".to_owned(), range, ticks: Some(ticks), log: true };
    panel.settle(0.5);
    panel
}

/// Writes the ratios with what they are made of.
fn write(table: &mut DataTable, found: &[LagRatio]) {
    table.head(LagRatio::COLUMNS);
    for lag in found {
        table.row(lag.cells(Cell::from, Cell::from));
    }
}
