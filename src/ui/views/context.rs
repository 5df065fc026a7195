//! What a view may see while it draws: the record, the shared time, the colours, and a list to put wishes on.

use std::sync::Arc;

use super::forks::jobs::Forks;
use crate::run::{Block, History, RunInfo, Snapshot};
use crate::ui::app::actions::Actions;
use crate::ui::kit::data_table::Sheet;
use crate::ui::kit::theme::Tokens;
use crate::ui::overlays::Runs;
use crate::ui::playback::Travel;
use crate::ui::playback::clock::{Band, Clock};
use crate::ui::plot::series_cache::Curves;

/// Handed to every view in every frame.
pub struct Scene<'a> {
    pub history: &'a History,
    /// The run before this one, without matrices.
    pub reference: Option<&'a History>,
    pub clock: &'a Clock,
    pub travel: &'a Travel,
    pub forks: &'a mut Forks,
    pub curves: &'a mut Curves,
    pub reference_curves: &'a mut Curves,
    /// The runs that lie over this one.
    pub runs: &'a mut Runs,
    pub actions: &'a mut Actions,
    pub tokens: &'static Tokens,
    /// How much thicker curves are than usual.
    pub thick: f32,
    pub bands: Vec<Band>,
    /// The stretch in view and the cursor, in epochs.
    pub range: (f64, f64),
    pub cursor: f64,
    /// The snapshot at the cursor.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Whether this is a picture that is exported: what threads paint for the window is not there.
    pub paper: bool,
    /// Where this is not the window but an export of numbers: what views write the numbers down in that they draw.
    pub sheet: Option<Sheet>,
}

impl Scene<'_> {
    /// Whether this is the infinitely wide network, whose kernel stands still.
    pub fn stands_still(&self) -> bool {
        self.info().is_some_and(|info| info.spec.network.is_infinite())
    }

    /// Whether the kernels were measured by another program.
    pub fn is_elsewhere(&self) -> bool {
        self.info().is_some_and(RunInfo::is_imported)
    }

    /// A time in digits.
    pub fn digits(&self, epoch: f64) -> String {
        if self.history.counts_steps() { format!("{epoch:.0}") } else { format!("{epoch:.2}") }
    }

    /// A time in words.
    pub fn moment(&self, epoch: f64) -> String {
        let unit = if self.history.counts_steps() { "step" } else { "epoch" };
        format!("{unit} {}", self.digits(epoch))
    }

    /// What time is counted in.
    pub fn time_unit(&self) -> &'static str {
        if self.history.counts_steps() { "steps" } else { "epochs" }
    }

    /// The facts of the run; none while it has not begun.
    pub fn info(&self) -> Option<&RunInfo> {
        self.history.info().map(Arc::as_ref)
    }

    /// Numbers of all tasks.
    pub fn tasks(&self) -> Vec<usize> {
        self.info().map_or_else(Vec::new, |info| info.tasks.iter().map(|task| task.number).collect())
    }

    /// The snapshot at the last switch up to the cursor, which differences are taken from.
    pub fn at_switch(&self) -> Option<Arc<Snapshot>> {
        let switches = self.history.tasks().iter().skip(1).map(|task| task.epoch);
        let last = switches.take_while(|switch| *switch <= self.cursor).last()?;
        self.history.snapshot_at(last).filter(|snapshot| snapshot.row.at_switch).cloned()
    }
}

/// A block in words.
pub fn block_name(block: Block) -> String {
    match block {
        Block::All => "All probes".to_owned(),
        Block::Task(number) => format!("Task {number}"),
    }
}
