//! Shows facts beside each line of a text: its output, its parameters, its share of the kernel's trace, and whether it has an
//! infinite-width limit.

use egui::{Align2, Rect, Role, Sense, Ui, WidgetInfo, pos2};

use super::editor::Editor;
use super::explanations;
use super::reader::{Network, Row};
use crate::run::TensorMetrics;
use crate::spec::NetworkSpec;
use crate::ui::kit::{theme, theme::Tokens};

/// Holds the facts about the run.
pub struct RunNetwork<'a> {
    pub run: Option<&'a NetworkSpec>,
    /// True if the run's network is the one of the text.
    pub is_run: bool,
    /// The facts about its tensors at the cursor.
    pub tensor_metrics: &'a [TensorMetrics],
}

/// Names a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Shape,
    Parameters,
    Share,
    Limit,
}

impl Column {
    const ALL: [Self; 4] = [Self::Shape, Self::Parameters, Self::Share, Self::Limit];

    fn width(self) -> f32 {
        match self {
            Self::Shape => 62.0,
            Self::Parameters => 48.0,
            Self::Share => 44.0,
            Self::Limit => 18.0,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Shape => "shape",
            Self::Parameters => "param.",
            Self::Share => "of tr Θ",
            Self::Limit => "∞",
        }
    }

    /// Returns the width below which the text has no room for columns beside it.
    fn least(self) -> f32 {
        match self {
            Self::Limit => 280.0,
            Self::Share => 320.0,
            Self::Shape => 390.0,
            Self::Parameters => 470.0,
        }
    }
}

/// Returns the columns that fit.
pub struct Margins(Vec<Column>);

impl Margins {
    pub fn of(width: f32, shared: bool) -> Self {
        let shown = |column: &Column| width >= column.least() && (shared || *column != Column::Share);
        Self(Column::ALL.into_iter().filter(shown).collect())
    }

    pub fn width(&self) -> f32 {
        self.0.iter().map(|column| column.width()).sum::<f32>() + if self.0.is_empty() { 0.0 } else { 4.0 }
    }

    /// Returns each column's rectangle in a row.
    fn places(&self, rect: Rect) -> impl Iterator<Item = (Column, Rect)> {
        let mut right = rect.right() - 4.0;
        self.0.iter().rev().map(move |&column| {
            let place = rect.with_min_x(right - column.width()).with_max_x(right);
            right -= column.width();
            (column, place)
        })
    }

    /// Draws the column headings.
    pub fn head(&self, ui: &Ui, rect: Rect) {
        let tokens = Tokens::of(ui);
        for (column, place) in self.places(rect) {
            let at = pos2(place.right() - 2.0, place.center().y + 1.0);
            ui.painter().text(at, Align2::RIGHT_CENTER, column.title(), egui::FontId::proportional(9.5), tokens.weak);
        }
    }

    /// Draws the facts about this line of the text.
    pub fn row(&self, ui: &Ui, rect: Rect, line: usize, editor: &Editor, around: &RunNetwork<'_>) {
        let Some((network, row)) = known(editor, line) else { return };
        let tokens = Tokens::of(ui);
        let share = around.is_run.then(|| share(network, row, around)).flatten();
        let rect = Rect::from_min_max(pos2(rect.right() - self.width().max(4.0), rect.top()), rect.max);
        let tensors = !row.tensors.is_empty();
        for (column, place) in self.places(rect) {
            let (text, colour) = match column {
                Column::Shape => (shape(network, row), tokens.weak),
                Column::Parameters if tensors => (parameters(network, row), tokens.weak),
                Column::Share if tensors => match share {
                    Some(share) => {
                        let width = (place.width() - 6.0) * share.clamp(0.0, 1.0) as f32;
                        let bar = place.shrink2(egui::vec2(0.0, 1.5)).with_min_x(place.right() - width);
                        ui.painter().rect_filled(bar, 2.0, tokens.accent.gamma_multiply(0.3));
                        (explanations::share(share), tokens.text)
                    }
                    None => (String::new(), tokens.weak),
                },
                Column::Parameters | Column::Share => (String::new(), tokens.weak),
                Column::Limit if row.refusal.is_none() => ("∞".to_owned(), tokens.weak),
                Column::Limit => ("–".to_owned(), tokens.warning),
            };
            let painter = ui.painter().with_clip_rect(place.intersect(ui.clip_rect()));
            painter.text(
                pos2(place.right() - 2.0, place.center().y),
                Align2::RIGHT_CENTER,
                text,
                theme::ticks(),
                colour,
            );
        }
        let response = ui.interact(rect, ui.scope_id().with(("line", line)), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, sentence(network, row, line, share)));
        response.on_hover_text(measured_text(network, row, line, share));
    }
}

/// Returns the facts about a line: from the last reading or, while the text is invalid, the earlier facts of an unchanged line.
fn known(editor: &Editor, line: usize) -> Option<(&Network, &Row)> {
    let network = editor.network().or_else(|| {
        let good = editor.good()?;
        let same = |text: &str| text.lines().nth(line - 1).map(str::to_owned);
        (same(good.spec.source_text()) == same(&editor.text)).then_some(good)
    })?;
    Some((network, network.rows.get(&line)?))
}

fn share(network: &Network, row: &Row, around: &RunNetwork<'_>) -> Option<f64> {
    let of = |&tensor: &usize| {
        let name = &network.program.tensors[tensor].name;
        around.tensor_metrics.iter().find(|metrics| *metrics.tensor == **name)?.share
    };
    let shares: Vec<f64> = row.tensors.iter().filter_map(of).collect();
    (!shares.is_empty()).then(|| shares.iter().sum())
}

/// Returns the output shape of the last program line that it wrote.
fn shape(network: &Network, row: &Row) -> String {
    let last = row.lines.last().map(|&line| network.program.lines[line].shape.as_slice());
    last.map_or_else(String::new, |shape| explanations::sides(shape, &network.spec))
}

fn parameters(network: &Network, row: &Row) -> String {
    if network.spec.is_infinite() { "∞".to_owned() } else { explanations::count(row.parameters) }
}

/// Returns all facts about a line in one sentence.
fn sentence(network: &Network, row: &Row, line: usize, share: Option<f64>) -> String {
    let mut parts = vec![format!("Line {line}: {}", shape(network, row))];
    if !row.tensors.is_empty() {
        parts.push(format!("{} parameters", parameters(network, row)));
    }
    parts.extend(share.map(|share| format!("{} of tr Θ", explanations::share(share))));
    parts.push(if row.refusal.is_none() { "has a limit" } else { "no limit" }.to_owned());
    parts.join(", ")
}

/// Returns all facts about a line with the program lines that it wrote.
fn measured_text(network: &Network, row: &Row, line: usize, share: Option<f64>) -> String {
    const MOST: usize = 10;
    let mut text = sentence(network, row, line, share);
    for &place in row.lines.iter().take(MOST) {
        let line = &network.program.lines[place];
        let name = if line.name.is_empty() { explanations::short(line) } else { &line.name };
        text += &format!("\n{name} {}", explanations::sides(&line.shape, &network.spec));
    }
    if row.lines.len() > MOST {
        text += &format!("\nand {} more lines of the program", row.lines.len() - MOST);
    }
    if let Some(why) = &row.refusal {
        text += &format!("\n\nNo infinite-width limit: {why}");
    }
    text
}
