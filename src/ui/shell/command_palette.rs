//! Shows the command palette, which finds every command, preset and view by typing.
//!
//! Guarantees: unavailable commands are listed too, grey and with the reason; the list is [`UserCommand::ALL`], so that none is
//! missing. The palette receives all keys while it is open.

use egui::{Align, Align2, Button, Context, Key, Label, Modal, Modifiers, RichText, ScrollArea, TextEdit, Ui, vec2};

use crate::spec::{PRESETS, Preset};
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::{RunAction, ViewAction};
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::{
    theme,
    theme::{GRID, ROW, Tokens},
};
use crate::ui::study::action::StudyAction;
use crate::ui::views::View;

const WIDTH: f32 = 460.0;
/// Rows that are visible at once, if the window is high enough.
const ROWS: f32 = 14.0;

/// An entry of the palette.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    Command(UserCommand),
    Preset(&'static Preset),
    View(View),
}

impl Entry {
    /// Returns all entries: commands in the order of the menu, then views, then presets (a preset begins another run).
    pub fn all() -> impl Iterator<Item = Self> {
        let groups = crate::ui::app::commands::Group::ALL.iter().flat_map(|group| group.commands());
        groups.map(Self::Command).chain(View::ALL.into_iter().map(Self::View)).chain(PRESETS.iter().map(Self::Preset))
    }

    pub fn label(self) -> String {
        match self {
            Self::Command(command) => command.about().label.to_owned(),
            Self::Preset(preset) => format!("Load preset {}", preset.name),
            Self::View(view) => format!("Show view {}", view.title()),
        }
    }

    /// Returns the explanation in one sentence.
    fn about(self) -> &'static str {
        match self {
            Self::Command(command) => command.about().tooltip,
            Self::Preset(preset) => preset.about,
            Self::View(_) => "Put this view on screen, if it is not",
        }
    }

    /// Returns the text at the right of the row: the topic and the key.
    fn beside(self, ctx: &Context) -> String {
        match self {
            Self::Command(command) => {
                format!("{}  {}", command.group().title(), ctx.format_shortcut(&command.about().key))
            }
            Self::Preset(_) | Self::View(_) => String::new(),
        }
    }

    fn push(self, actions: &mut Actions) {
        match self {
            Self::Command(command) => actions.user(command),
            Self::Preset(preset) => actions.push(RunAction::Load(preset)),
            Self::View(view) => actions.push(ViewAction::Bring(view.title())),
        }
        // Views and presets belong to the run page.
        if !matches!(self, Self::Command(_)) {
            actions.push(StudyAction::Show(false));
        }
    }

    /// Returns how well the entry matches the query, 0 being best; `None` if it does not match.
    fn rank(self, query: &str) -> Option<u8> {
        let label = self.label().to_lowercase();
        let words = || query.split_whitespace();
        if label.starts_with(query) {
            Some(0)
        } else if words().all(|word| label.split_whitespace().any(|own| own.starts_with(word))) {
            Some(1)
        } else if words().all(|word| label.contains(word)) {
            Some(2)
        } else if words().all(|word| label.contains(word) || self.about().to_lowercase().contains(word)) {
            Some(3)
        } else {
            let mut letters = label.chars();
            query
                .chars()
                .filter(|letter| !letter.is_whitespace())
                .all(|letter| letters.any(|own| own == letter))
                .then_some(4)
        }
    }
}

/// Returns the entries that match the query, the best first, otherwise in their order.
pub fn found(query: &str) -> Vec<Entry> {
    let query = query.trim().to_lowercase();
    let mut ranked: Vec<(u8, Entry)> = Entry::all().filter_map(|entry| Some((entry.rank(&query)?, entry))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, entry)| entry).collect()
}

/// Returns the id of the text field.
fn field_id() -> egui::Id {
    egui::Id::unique("find a command")
}

/// The state of the palette: whether it is open, the query, and the selected row.
#[derive(Default)]
pub struct CommandPalette {
    open: bool,
    query: String,
    chosen: usize,
}

impl CommandPalette {
    /// Opens the palette with an empty query, or closes it.
    pub fn toggle(&mut self) {
        *self = Self { open: !self.open, ..Self::default() };
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Removes the keyboard focus from the field once the palette is closed.
    pub fn let_go(&self, ctx: &Context) {
        if !self.open {
            ctx.memory_mut(|memory| memory.surrender_focus(field_id()));
        }
    }

    /// Draws the palette if it is open. `refusal` returns why a command cannot be carried out now.
    pub fn show(
        &mut self,
        ctx: &Context,
        actions: &mut Actions,
        refusal: impl Fn(UserCommand) -> Option<&'static str>,
    ) {
        if !self.open {
            return;
        }
        let id = egui::Id::unique("command palette");
        // It is anchored near the top, so that the field stays in place while the list grows and shrinks.
        let area = Modal::default_area(id).anchor(Align2::CENTER_TOP, vec2(0.0, 72.0));
        let shade = egui::Color32::from_black_alpha(60);
        let modal = Modal::new(id).area(area.accessible_name("Commands")).backdrop_color(shade);
        let shown = modal.show(ctx, |ui| {
            ui.set_width(WIDTH);
            self.contents(ui, actions, &refusal)
        });
        if shown.inner || shown.should_close() {
            self.open = false;
        }
    }

    /// Draws field and list, and pushes the action of the chosen entry; returns whether the palette is to close.
    fn contents(
        &mut self,
        ui: &mut Ui,
        actions: &mut Actions,
        refusal: &impl Fn(UserCommand) -> Option<&'static str>,
    ) -> bool {
        let pressed = |key: Key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let (down, up, enter) = (pressed(Key::ArrowDown), pressed(Key::ArrowUp), pressed(Key::Enter));
        // This is not left to the modal, which misses the key in its first frame.
        let escape = pressed(Key::Escape);
        // The field has the focus before it is drawn; otherwise text typed in its first frame would be lost.
        ui.memory_mut(|memory| memory.request_focus(field_id()));
        let field = TextEdit::singleline(&mut self.query).id(field_id()).hint_text("Command, preset or view");
        let field = ui.add(field.desired_width(WIDTH)).accessible_name("Find");
        let found = found(&self.query);
        if field.changed() {
            self.chosen = 0;
        }
        let moved = down || up || field.changed();
        if !found.is_empty() {
            self.chosen = (self.chosen + found.len() + usize::from(down) - usize::from(up)) % found.len();
        }
        let refused = |entry: Entry| match entry {
            Entry::Command(command) => refusal(command),
            Entry::Preset(_) | Entry::View(_) => None,
        };
        let mut done = None;
        ui.add_space(GRID);
        let height = (ui.ctx().content_rect().height() - 220.0).clamp(4.0 * ROW, ROWS * (ROW + 2.0));
        ScrollArea::vertical().max_height(height).min_scrolled_height(height).auto_shrink([false, true]).show(
            ui,
            |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                for (place, &entry) in found.iter().enumerate() {
                    let (chosen, label) = (place == self.chosen, entry.label());
                    let beside = RichText::new(entry.beside(ui.ctx())).size(theme::SMALL);
                    let button = Button::selectable(chosen, label.as_str())
                        .right_text(beside)
                        .min_size(vec2(ui.available_width(), ROW));
                    let row = ui.add_enabled(refused(entry).is_none(), button).accessible_name(label);
                    if row.clicked() {
                        done = Some(entry);
                    }
                    if chosen && moved {
                        row.scroll_to_me(Some(Align::Center).filter(|_| field.changed()));
                    }
                }
            },
        );
        let weak = Tokens::of(ui).weak;
        let words = match found.get(self.chosen) {
            Some(&entry) => match refused(entry) {
                Some(reason) => format!("Not now: {reason}"),
                None => entry.about().to_owned(),
            },
            None => "Nothing is called so".to_owned(),
        };
        ui.add_space(GRID);
        ui.add(Label::new(RichText::new(words).size(theme::SMALL).color(weak)).truncate());
        if enter {
            done = found.get(self.chosen).copied().filter(|&entry| refused(entry).is_none());
        }
        if let Some(entry) = done {
            entry.push(actions);
        }
        done.is_some() || escape
    }
}
