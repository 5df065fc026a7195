//! Defines the context in which views draw: the record, the shared time, the colours, and the queue for actions; the choices
//! that views share; and the choosers that several views have in their headers.

use std::sync::Arc;

use egui::{RichText, Ui};

use super::forks::jobs::Forks;
use crate::chart::curves::axis_name;
use crate::chart::panel::TaskBand;
use crate::chart::series_cache::SeriesCache;
use crate::chart::time_chart;
use crate::run::{Block, History, Metric, Origin, RunInfo, Snapshot};
use crate::spec::preset;
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::RunAction;
use crate::ui::kit::data_table::DataTable;
use crate::ui::kit::theme;
use crate::ui::kit::theme::Tokens;
use crate::ui::kit::widgets::choose;
use crate::ui::overlays::Overlays;
use crate::ui::playback::Playback;
use crate::ui::playback::clock::Clock;

/// Names the tensor whose part of the kernel is shown alone; `None` shows the whole kernel.
pub type TensorChoice = Option<Arc<str>>;

/// Gives the row of the chosen probe image; `None` stands for the first of each class.
pub type ProbeChoice = Option<usize>;

/// Holds choices made in one view that apply to several.
pub struct Selection {
    pub tensor: TensorChoice,
    pub probe: ProbeChoice,
    /// The block whose eigenvalues are shown.
    pub block: Block,
}

impl Default for Selection {
    fn default() -> Self {
        Self { tensor: None, probe: None, block: Block::Task(1) }
    }
}

/// Carries the shared state of a frame to every view: data that all of them may read, and their results: actions and, in an
/// export, their numbers.
pub struct ViewContext<'a> {
    pub history: &'a History,
    /// The run before this one, without matrices.
    pub reference: Option<&'a History>,
    pub clock: &'a Clock,
    pub travel: &'a Playback,
    pub forks: &'a Forks,
    pub curves: &'a SeriesCache,
    pub reference_curves: &'a SeriesCache,
    /// The runs drawn over this one.
    pub runs: &'a Overlays,
    pub actions: &'a mut Actions,
    pub tokens: &'static Tokens,
    /// Factor on the usual thickness of curves.
    pub thick: f32,
    pub bands: Vec<TaskBand>,
    /// The stretch in view and the cursor, in epochs.
    pub range: (f64, f64),
    pub cursor: f64,
    /// The snapshot at the cursor.
    pub snapshot: Option<Arc<Snapshot>>,
    /// True if this is a picture to be exported: textures that threads paint for the window are then missing.
    pub paper: bool,
    /// The table that views write their numbers into, if this is an export of numbers and not the window.
    pub table: Option<DataTable>,
}

impl ViewContext<'_> {
    /// Returns whether this is the infinitely wide network, whose kernel is constant.
    pub fn is_constant(&self) -> bool {
        self.info().is_some_and(|info| info.spec.network.is_infinite())
    }

    /// Returns whether the kernels were measured by another program.
    pub fn is_elsewhere(&self) -> bool {
        self.info().is_some_and(RunInfo::is_imported)
    }

    /// Returns whether the kernels are those of weights that another program trains.
    pub fn is_watched(&self) -> bool {
        self.info().is_some_and(|info| info.origin == Origin::Watched)
    }

    /// Formats a time in digits.
    pub fn digits(&self, epoch: f64) -> String {
        if self.history.counts_steps() { format!("{epoch:.0}") } else { format!("{epoch:.2}") }
    }

    /// Formats a time in words.
    pub fn moment(&self, epoch: f64) -> String {
        let unit = if self.history.counts_steps() { "step" } else { "epoch" };
        format!("{unit} {}", self.digits(epoch))
    }

    /// Returns the unit of time.
    pub fn time_unit(&self) -> &'static str {
        if self.history.counts_steps() { "steps" } else { "epochs" }
    }

    /// Returns the name of the axis of a velocity.
    pub fn velocity_unit(&self) -> &'static str {
        axis_name(self.history.usual(Metric::Velocity), self.history)
    }

    /// Returns the facts of the run; `None` until it has begun.
    pub fn info(&self) -> Option<&RunInfo> {
        self.history.info().map(Arc::as_ref)
    }

    /// Returns the numbers of all tasks.
    pub fn tasks(&self) -> Vec<usize> {
        time_chart::tasks(self.history)
    }

    /// Returns the snapshot at the last switch up to the cursor, the reference for differences.
    pub fn at_switch(&self) -> Option<Arc<Snapshot>> {
        let switches = self.history.tasks().iter().skip(1).map(|task| task.epoch);
        let last = switches.take_while(|switch| *switch <= self.cursor).last()?;
        self.history.snapshot_at(last).filter(|snapshot| snapshot.row.at_switch).cloned()
    }
}

/// Returns the name of a block.
fn block_name(block: Block) -> String {
    match block {
        Block::All => "All probes".to_owned(),
        Block::Task(number) => format!("Task {number}"),
    }
}

/// Draws a list of tasks; falls back to the first one if the chosen one does not exist.
pub fn choose_task(ui: &mut Ui, context: &ViewContext<'_>, name: &str, task: &mut usize) {
    let tasks = context.tasks();
    if !tasks.contains(task) {
        *task = 1;
    }
    let names: Vec<String> = tasks.iter().map(|task| format!("Task {task}")).collect();
    let options: Vec<(usize, &str)> = tasks.into_iter().zip(names.iter().map(String::as_str)).collect();
    choose(ui, name, task, &options);
}

/// Draws a list of blocks.
pub fn choose_block(ui: &mut Ui, context: &ViewContext<'_>, name: &str, block: &mut Block) {
    let mut blocks = vec![Block::All];
    blocks.extend(context.tasks().into_iter().map(Block::Task));
    let names: Vec<String> = blocks.iter().map(|&block| block_name(block)).collect();
    let options: Vec<(Block, &str)> = blocks.into_iter().zip(names.iter().map(String::as_str)).collect();
    choose(ui, name, block, &options);
}

/// Explains why the view is empty for this run, with a button that starts a preset for it.
pub fn absent(ui: &mut Ui, context: &mut ViewContext<'_>, text: &str, has_it: Option<&str>) {
    ui.add_space(theme::GRID);
    ui.label(RichText::new(text).color(context.tokens.weak));
    if let Some(preset) = has_it.and_then(preset)
        && ui.button(format!("Start {}", preset.name)).clicked()
    {
        context.actions.push(RunAction::Load(preset));
    }
}
