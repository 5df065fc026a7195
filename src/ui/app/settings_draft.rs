//! Holds the settings of the panel: the draft, its checks, and the earlier drafts for undo.

use std::path::Path;
use std::time::Duration;

use egui::Context;
use egui::util::undoer::{Settings, Undoer};

use super::session::Session;
use crate::spec::{NetworkSpec, Preset, Spec};
use crate::ui::kit::waker::waker;
use crate::ui::settings::checked::{ASSUMED_FLOPS, Checked, needs_restart};
use crate::ui::shell::folder_dialog::FolderDialog;
use crate::worker::Command;

/// Seconds without a change after which the draft becomes an undo step.
const STABLE: f32 = 0.5;

/// The settings that the panel edits, with undo.
pub struct SettingsDraft {
    pub spec: Spec,
    pub checked: Checked,
    undo: Undoer<Spec>,
    /// The dialog for the folder of the data set, while it is open.
    dialog: Option<FolderDialog>,
}

impl SettingsDraft {
    pub fn new(spec: Spec) -> Self {
        let undo = Undoer::with_settings(Settings { stable_time: STABLE, ..Settings::default() });
        Self { checked: Checked::new(&spec), spec, undo, dialog: None }
    }

    /// Checks the draft of this frame, and adds it to the undo history once it has been stable.
    pub fn note(&mut self, ctx: &Context) {
        self.check();
        self.undo.feed_state(ctx.input(|input| input.time), &self.spec);
        if self.undo.is_in_flux() {
            ctx.request_repaint_after(Duration::from_secs_f32(1.2 * STABLE));
        }
    }

    /// Checks the draft if it has changed.
    pub fn check(&mut self) {
        self.checked.update(&self.spec);
    }

    /// Prepares the draft for a run and returns whether it can start. Its paths are made absolute, because the run may be
    /// repeated from another working directory.
    pub fn prepare(&mut self) -> bool {
        self.spec.root_paths(Path::new(""));
        self.check();
        self.checked.problems.is_empty()
    }

    /// Loads the settings of a preset. Seed and pace stay the user's, and so does the user's image folder if the preset uses such
    /// images.
    pub fn load(&mut self, preset: &Preset) {
        let window = self.spec.window.clone();
        let before = std::mem::replace(&mut self.spec, preset.spec());
        (self.spec.seed, self.spec.window) = (before.seed, window);
        if before.data.source == self.spec.data.source {
            self.spec.data.path = before.data.path;
        }
    }

    /// Applies a network, as an undo step of its own, however soon after another change.
    pub fn apply(&mut self, network: NetworkSpec) {
        self.undo.add_undo(&self.spec);
        self.spec.network = network;
        self.undo.add_undo(&self.spec);
    }

    /// Applies the settings of a run, as an undo step of its own.
    pub fn apply_run(&mut self, spec: Spec) {
        self.undo.add_undo(&self.spec);
        self.spec = spec;
        self.undo.add_undo(&self.spec);
    }

    /// Loads the settings of a run, at the pace of the window.
    pub fn take(&mut self, spec: Spec) {
        self.spec = Spec { window: self.spec.window.clone(), ..spec };
    }

    /// Chooses another seed.
    pub fn reseed(&mut self) {
        self.spec.seed = self.spec.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) % 10_000;
    }

    pub fn has_undo(&self) -> bool {
        self.undo.has_undo(&self.spec)
    }

    pub fn has_redo(&self) -> bool {
        self.undo.has_redo(&self.spec)
    }

    /// Undoes the last change. Returns the commands that apply this to a live run.
    pub fn undo(&mut self, session: Option<&Session>) -> Vec<Command> {
        let before = self.undo.undo(&self.spec).cloned();
        before.map_or_else(Vec::new, |before| self.adopt(before, session))
    }

    /// Redoes the change that was undone. Returns the commands that apply this to a live run.
    pub fn redo(&mut self, session: Option<&Session>) -> Vec<Command> {
        let after = self.undo.redo(&self.spec).cloned();
        after.map_or_else(Vec::new, |after| self.adopt(after, session))
    }

    /// Makes these settings the draft. Returns the commands for the parts that a live run can change, as if they had been typed.
    fn adopt(&mut self, spec: Spec, session: Option<&Session>) -> Vec<Command> {
        let before = std::mem::replace(&mut self.spec, spec);
        let draft = &self.spec;
        let mut commands = Vec::new();
        let Some(session) = session.filter(|session| session.is_live()) else { return commands };
        if draft.training.rate != before.training.rate {
            commands.push(Command::SetRate(draft.training.rate));
        }
        if draft.training.schedule != before.training.schedule {
            commands.push(Command::SetSchedule(draft.training.schedule));
        }
        if draft.training.warmup != before.training.warmup {
            commands.push(Command::SetWarmup(draft.training.warmup));
        }
        if draft.kernel.per_epoch != before.kernel.per_epoch {
            commands.push(Command::SetPerEpoch(draft.kernel.per_epoch));
        }
        if draft.window.pace != before.window.pace {
            commands.push(Command::SetPace(draft.window.pace));
        }
        if draft.tasks.order != before.tasks.order && !needs_restart(draft, &session.spec) {
            let begun = |task: &usize| session.history.tasks().iter().any(|start| start.task == *task);
            let upcoming = draft.tasks.sequence().into_iter().filter(|task| !begun(task)).collect();
            commands.push(Command::SetUpcoming(upcoming));
        }
        commands
    }

    /// Opens the dialog for the folder of the data set.
    pub fn choose_folder(&mut self, ctx: &Context) {
        if self.dialog.is_none() {
            match FolderDialog::open("Folder with the data set", waker(ctx)) {
                Ok(dialog) => self.dialog = Some(dialog),
                Err(err) => log::warn!("no folder dialog: {err}; write the path into the field instead"),
            }
        }
    }

    /// Applies the chosen folder once the dialog has closed.
    pub fn poll_dialog(&mut self) {
        let Some(answer) = self.dialog.as_ref().and_then(FolderDialog::poll) else { return };
        self.dialog = None;
        if let Some(folder) = answer {
            self.spec.data.path = Some(folder);
            self.check();
        }
    }

    /// Returns whether a run of the settings is short and small enough to start with the window.
    pub fn is_light(&self) -> bool {
        let cost = self.checked.cost.as_ref();
        cost.is_some_and(|cost| cost.seconds(ASSUMED_FLOPS) <= 120.0 && cost.peak_bytes <= 1 << 30)
    }
}
