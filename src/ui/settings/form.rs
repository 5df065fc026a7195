//! Draws the rows of the settings: a label, a field that is named by it, and below them its problems.

use egui::emath::Numeric;
use egui::{Align, DragValue, Layout, RichText, Slider, SliderClamping, Ui, vec2};

use super::checked::Checked;
use crate::spec::{Spec, Width};
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::RunAction;
use crate::ui::app::session::Session;
use crate::ui::kit::{format, widgets};
use crate::ui::kit::{
    theme,
    theme::{GRID, ROW, Tokens},
};
use crate::worker::Command;

/// Width of the labels.
const LABEL: f32 = 88.0;

/// The state that the rows edit.
pub struct Form<'a> {
    pub draft: &'a mut Spec,
    pub checked: &'a Checked,
    pub actions: &'a mut Actions,
    pub tokens: &'static Tokens,
    pub session: Option<&'a Session>,
}

impl Form<'_> {
    /// Returns whether a live run can receive commands.
    pub fn is_live(&self) -> bool {
        self.session.is_some_and(Session::is_live)
    }

    /// Sends a command to the run if it is live.
    pub fn live(&mut self, command: Command) {
        if self.is_live() {
            self.actions.push(RunAction::Send(command));
        }
    }

    /// Draws a label and its field; `key` is the field's name in the run file, which problems refer to.
    pub fn row(&mut self, ui: &mut Ui, key: &str, label: &str, hover: &str, add: impl FnOnce(&mut Ui, &mut Self)) {
        ui.horizontal(|ui| {
            ui.set_min_height(ROW);
            let layout = Layout::left_to_right(Align::Center);
            let text = RichText::new(label).color(self.tokens.weak);
            let id = ui.allocate_ui_with_layout(vec2(LABEL, ROW), layout, |ui| {
                ui.set_min_width(LABEL);
                ui.label(text).on_hover_text(format!("{hover}\n{key}")).id
            });
            ui.label_inputs_by(id.inner, |ui| add(ui, self));
        });
        self.problems(ui, key);
    }

    /// Draws the problems of a field.
    pub fn problems(&self, ui: &mut Ui, key: &str) {
        let problems = self.checked.problems.iter().map(|problem| (problem, self.tokens.error));
        let warnings = self.checked.warnings.iter().map(|problem| (problem, self.tokens.warning));
        for (problem, colour) in problems.chain(warnings).filter(|(problem, _)| problem.field == key) {
            let mut message = problem.message.clone();
            if let Some(first) = message.get(..1) {
                message = first.to_uppercase() + &message[1..];
            }
            ui.label(RichText::new(message).size(theme::SMALL).color(colour));
        }
    }

    /// Draws a list of choices.
    pub fn choice<T: PartialEq + Copy>(
        &mut self,
        ui: &mut Ui,
        key: &str,
        label: &str,
        hover: &str,
        of: impl Fn(&mut Spec) -> &mut T,
        options: &[(T, &str)],
    ) {
        self.row(ui, key, label, hover, |ui, form| {
            widgets::choose(ui, label, of(form.draft), options);
        });
    }
}

/// Draws a number as a slider; a typed value may lie outside its range.
pub fn slider<N: Numeric>(ui: &mut Ui, value: &mut N, range: std::ops::RangeInclusive<N>) -> egui::Response {
    ui.spacing_mut().slider_width = (ui.available_width() - 58.0).max(40.0);
    ui.spacing_mut().item_spacing.x = GRID;
    ui.add(Slider::new(value, range).clamping(SliderClamping::Never).update_while_editing(false))
}

/// Draws a width on a logarithmic scale that ends in the infinite width.
pub fn width(ui: &mut Ui, value: &mut Width, range: std::ops::RangeInclusive<usize>) -> egui::Response {
    ui.spacing_mut().slider_width = (ui.available_width() - 58.0).max(40.0);
    ui.spacing_mut().item_spacing.x = GRID;
    let (low, high) = (*range.start() as f64, *range.end() as f64);
    let mut shown = value.as_f64();
    let slider = Slider::new(&mut shown, low..=f64::INFINITY)
        .logarithmic(true)
        .largest_finite(high)
        .integer()
        .clamping(SliderClamping::Never)
        .update_while_editing(false)
        .custom_formatter(|value, _| if value.is_finite() { format!("{value:.0}") } else { "∞".to_owned() })
        .custom_parser(|text| {
            if ["∞", "inf"].contains(&text.trim()) { Some(f64::INFINITY) } else { text.trim().parse().ok() }
        });
    let response = ui.add(slider);
    if response.changed() {
        let finite = || Width::Finite(shown.round().max(0.0) as usize);
        *value = if shown.is_finite() { finite() } else { Width::Infinite };
    }
    response
}

/// Draws a whole number.
pub fn whole(ui: &mut Ui, value: &mut usize, range: std::ops::RangeInclusive<usize>) -> egui::Response {
    ui.add(DragValue::new(value).range(range).clamp_existing_to_range(false).speed(0.1).update_while_editing(false))
}

/// Draws a number of any size: dragging changes it in proportion.
pub fn real(ui: &mut Ui, value: &mut f64, least: f64) -> egui::Response {
    let speed = (value.abs() * 0.02).max(least);
    let parse = |text: &str| text.replace('−', "-").trim().parse().ok().filter(|value: &f64| value.is_finite());
    ui.add(
        DragValue::new(value)
            .speed(speed)
            .range(0.0..=f64::INFINITY)
            .clamp_existing_to_range(false)
            .custom_formatter(|value, _| format::number(value))
            .custom_parser(parse)
            .update_while_editing(false),
    )
}
