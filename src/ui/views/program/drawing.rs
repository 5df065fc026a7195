//! Draws a program: both passes, the connections between lines, and the tensors between the passes with their shares.

use egui::{
    Align2, Color32, FontId, Pos2, Rect, Role, ScrollArea, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use super::explanations;
use super::layout::{self, Layout, fits, shown};
use crate::run::TensorMetrics;
use crate::spec::{Line, NetworkSpec, Parameter, Program};
use crate::ui::kit::{theme, theme::Tokens};
use crate::ui::views::context::TensorChoice;

/// Height of the row of blocks.
const STRIP: f32 = 20.0;
/// Distance between lines in a small box.
const LINE: f32 = 14.5;

/// Holds the inputs of the drawing.
pub struct ProgramDrawing<'a> {
    pub program: &'a Program,
    pub network: &'a NetworkSpec,
    /// The facts about its tensors at the cursor; none if the program is not that of the run.
    pub tensor_metrics: &'a [TensorMetrics],
    pub task: usize,
}

impl ProgramDrawing<'_> {
    /// Draws the program into the remaining room; `block` is shown if there is no room for all.
    pub fn show(&self, ui: &mut Ui, block: &mut usize, chosen: &mut TensorChoice) {
        let program = self.program;
        let room = ui.available_size();
        let tall = room.y > 0.72 * room.x;
        let all = shown(program, None);
        let folded = program.blocks() > 1 && !fits(program, &all, tall, room);
        let lines = if folded {
            *block = (*block).min(program.blocks() - 1);
            self.strip(ui, block);
            shown(program, Some(*block))
        } else {
            all
        };
        let room = ui.available_size();
        ScrollArea::both().id_salt("program").auto_shrink(false).show(ui, |ui| {
            let at = ui.cursor().min;
            let layout = Layout::of(program, &lines, tall, at, room);
            ui.allocate_exact_size(layout.size, Sense::hover());
            self.passes(ui, &layout);
            self.tensors(ui, &layout, chosen);
        });
    }

    fn metrics_of(&self, tensor: &Parameter) -> Option<&TensorMetrics> {
        self.tensor_metrics.iter().find(|metrics| *metrics.tensor == *tensor.name)
    }

    /// Draws the blocks as a row of numbers, each filled as high as its share; a click shows that block.
    fn strip(&self, ui: &mut Ui, block: &mut usize) {
        let tokens = Tokens::of(ui);
        let count = self.program.blocks();
        let (row, _) = ui.allocate_exact_size(vec2(ui.available_width(), STRIP - 4.0), Sense::hover());
        let words = ui.painter().layout_no_wrap(format!("{count} blocks"), theme::note(), tokens.weak);
        let left = row.left() + words.size().x + 6.0;
        ui.painter().galley(pos2(row.left(), row.center().y - words.size().y / 2.0), words, tokens.weak);
        let side = ((row.right() - left) / count as f32).clamp(6.0, 26.0);
        for at in 0..count {
            let rect = Rect::from_min_size(pos2(left + side * at as f32, row.top()), vec2(side - 2.0, row.height()));
            let tensors = self
                .program
                .lines
                .iter()
                .filter(|line| line.block == Some(at))
                .flat_map(|line| self.program.tensors_of(line));
            let share: f64 = tensors.filter_map(|tensor| self.metrics_of(tensor)?.share).sum();
            let response = ui.interact(rect, ui.scope_id().with(("block", at)), Sense::click());
            let name = format!("Block {}", at + 1);
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, at == *block, &name));
            let lit = response.hovered() || response.has_focus();
            filled(ui, rect, share, at == *block, lit, true);
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, at + 1, theme::ticks(), tokens.text);
            if response.on_hover_text(format!("{name}: {} of the trace", explanations::share(share))).clicked() {
                *block = at;
            }
        }
    }

    /// Draws both passes: their lines, and the connections between them.
    fn passes(&self, ui: &mut Ui, layout: &Layout) {
        let tokens = Tokens::of(ui);
        for (number, rect) in &layout.blocks {
            let stroke = Stroke::new(1.0, tokens.hairline);
            ui.painter().rect_stroke(*rect, 4.0, stroke, StrokeKind::Outside);
            // Written in the gap beside the pass; a tall pane has none.
            if layout.blocks.len() > 1 && !layout.tall {
                let (at, font) = (rect.left_top() + vec2(2.0, 18.0), FontId::proportional(8.5));
                ui.painter().text(at, Align2::LEFT_TOP, format!("block {}", number + 1), font, tokens.faint);
            }
        }
        for way in &layout.ways {
            arrow(ui, &layout.path(way, false), tokens.weak, false);
            // The backward pass ends before the image.
            if self.program.lines[layout.items[way.from].line].op.operation().is_some() {
                arrow(ui, &layout.path(way, true), tokens.weak, true);
            }
        }
        for (place, item) in layout.items.iter().enumerate() {
            let line = &self.program.lines[item.line];
            let step = explanations::step(line);
            pill(ui, item.forward, explanations::short(line), false);
            hover(ui, item.forward, ("forward", item.line), &step);
            if line.op.operation().is_some() {
                pill(ui, item.backward, &format!("{}′", explanations::short(line)), true);
                hover(ui, item.backward, ("backward", item.line), &step);
            }
            for tensor in &item.tensors {
                let (ends, back) = if layout.tall {
                    let y = item.forward.center().y;
                    (
                        [item.forward.right_center(), pos2(tensor.left(), y)],
                        [pos2(tensor.right(), y), item.backward.left_center()],
                    )
                } else {
                    let x = item.forward.center().x;
                    (
                        [item.forward.center_bottom(), pos2(x, tensor.top())],
                        [pos2(x, tensor.bottom()), item.backward.center_top()],
                    )
                };
                let thin = Stroke::new(1.0, tokens.faint);
                if tensor == &item.tensors[0] {
                    ui.painter().line_segment(ends, thin);
                }
                if tensor == &item.tensors[item.tensors.len() - 1] {
                    ui.painter().extend(Shape::dashed_line(&back, thin, 2.0, 2.0));
                }
            }
            if place + 1 == layout.items.len() {
                turn(ui, item, layout.tall);
            }
        }
    }

    /// Draws the tensors, each of which can be chosen.
    fn tensors(&self, ui: &mut Ui, layout: &Layout, chosen: &mut TensorChoice) {
        for item in &layout.items {
            let line = &self.program.lines[item.line];
            for (tensor, rect) in self.program.tensors_of(line).zip(&item.tensors) {
                self.tensor(ui, line, tensor, *rect, chosen);
            }
        }
    }

    fn tensor(&self, ui: &mut Ui, line: &Line, tensor: &Parameter, rect: Rect, chosen: &mut TensorChoice) {
        let tokens = Tokens::of(ui);
        let metrics = self.metrics_of(tensor);
        let is_chosen = chosen.as_deref() == Some(tensor.name.as_str());
        let sense = if metrics.is_some() { Sense::click() } else { Sense::hover() };
        let response = ui.interact(rect, ui.scope_id().with(("tensor", &tensor.name)), sense);
        let name = format!("Tensor {}", tensor.name);
        response.widget_info(|| WidgetInfo::selected(Role::Button, metrics.is_some(), is_chosen, &name));
        let lit = metrics.is_some() && (response.hovered() || response.has_focus());
        let upright = rect.height() > rect.width();
        filled(ui, rect, metrics.and_then(|metrics| metrics.share).unwrap_or(0.0), is_chosen, lit, upright);

        let fixed = tensor.is_frozen(self.network.parametrisation);
        let number = match metrics.and_then(|metrics| metrics.share) {
            Some(share) => explanations::share(share),
            None if fixed => "fixed".to_owned(),
            None => "–".to_owned(),
        };
        let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
        let width = |text: &str, font: &FontId| {
            ui.painter().layout_no_wrap(text.to_owned(), font.clone(), tokens.text).size().x
        };
        let (small, tick) = (theme::note(), theme::ticks());
        let shape = explanations::shape(tensor, self.network);
        let value = width(&number, &tick);
        if rect.width() > 92.0 {
            // One line holds the name, the shape if there is room, and the share.
            let middle = rect.center().y;
            let room = rect.width() - value - 18.0;
            let long = [format!("{}  {shape}", tensor.name), tensor.name.clone(), tensor.part().to_owned()];
            let text = long.iter().find(|text| width(text, &small) < room);
            let text = text.map_or_else(|| explanations::sign(self.program, line, tensor), |text| text.as_str());
            painter.text(pos2(rect.left() + 6.0, middle), Align2::LEFT_CENTER, text, small, tokens.text);
            painter.text(pos2(rect.right() - 6.0, middle), Align2::RIGHT_CENTER, number, tick, tokens.text);
        } else {
            let lines = ((rect.height() - 4.0) / LINE) as usize;
            let mut texts = vec![
                (explanations::sign(self.program, line, tensor).to_owned(), small.clone()),
                (number, tick.clone()),
            ];
            if lines < 2 {
                texts.remove(0);
            } else if lines > 2 && width(&shape, &tick) < rect.width() - 2.0 {
                texts.push((shape, tick));
            }
            let top = rect.center().y - 0.5 * LINE * texts.len() as f32;
            for (place, (text, font)) in texts.into_iter().enumerate() {
                let at = pos2(rect.center().x, top + LINE * place as f32);
                painter.text(at, Align2::CENTER_TOP, text, font, tokens.text);
            }
        }
        let text = format!(
            "{}\n\n{}",
            explanations::measured(self.network, tensor, metrics, self.task),
            explanations::formula(self.network, self.program, line, tensor)
        );
        let response = response.on_hover_text(text);
        if response.clicked() {
            *chosen = if is_chosen { None } else { Some(tensor.name.as_str().into()) };
        }
    }
}

/// Draws a box filled in proportion to a share, from below or from the left.
fn filled(ui: &Ui, rect: Rect, share: f64, chosen: bool, lit: bool, upright: bool) {
    let tokens = Tokens::of(ui);
    let part = share.clamp(0.0, 1.0) as f32;
    let fill = if upright {
        rect.with_min_y(rect.bottom() - part * rect.height())
    } else {
        rect.with_max_x(rect.left() + part * rect.width())
    };
    let painter = ui.painter();
    painter.rect_filled(rect, 3.0, tokens.well);
    painter.rect_filled(fill, 3.0, tokens.accent.gamma_multiply(0.38));
    let stroke = match (chosen, lit) {
        (true, _) => Stroke::new(2.0, tokens.accent),
        (false, true) => Stroke::new(1.0, tokens.text),
        (false, false) => Stroke::new(1.0, tokens.faint),
    };
    painter.rect_stroke(rect, 3.0, stroke, StrokeKind::Inside);
}

/// Draws a line of a pass.
fn pill(ui: &Ui, rect: Rect, text: &str, backward: bool) {
    let tokens = Tokens::of(ui);
    let (fill, colour) = if backward { (Color32::TRANSPARENT, tokens.weak) } else { (tokens.well, tokens.text) };
    ui.painter().rect(rect, 6.0, fill, tokens.line(), StrokeKind::Inside);
    let size = if rect.width() < 30.0 { 9.0 } else { 10.5 };
    let wide = |size: f32| ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(size), colour);
    let galley = wide(size);
    // A name is clipped to its box.
    let fits = (rect.width() - 4.0) / galley.size().x;
    let galley = if fits < 1.0 { wide((size * fits).max(6.0)) } else { galley };
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, colour);
}

fn hover(ui: &Ui, rect: Rect, name: (&str, usize), text: &str) {
    ui.interact(rect, ui.scope_id().with(name), Sense::hover()).on_hover_text(text);
}

/// Draws a connection with its arrowhead; dashed in the backward pass.
fn arrow(ui: &Ui, path: &[Pos2], colour: Color32, dashed: bool) {
    let stroke = Stroke::new(1.0, colour);
    if dashed {
        ui.painter().extend(Shape::dashed_line(path, stroke, 3.0, 2.0));
    } else {
        ui.painter().add(Shape::line(path.to_vec(), stroke));
    }
    let &[.., before, tip] = path else { return };
    let along = (tip - before).normalized();
    let side = Vec2::new(-along.y, along.x);
    let points = vec![tip, tip - along * 4.0 + side * 2.2, tip - along * 4.0 - side * 2.2];
    ui.painter().add(Shape::convex_polygon(points, colour, Stroke::NONE));
}

/// Draws the connection from the logits to the start of the backward pass.
fn turn(ui: &Ui, last: &layout::Item, tall: bool) {
    let tokens = Tokens::of(ui);
    let (from, to) = (last.forward, last.backward);
    let path = if tall {
        let y = from.bottom().max(to.bottom()) + 11.0;
        vec![from.center_bottom(), pos2(from.center().x, y), pos2(to.center().x, y), to.center_bottom()]
    } else {
        let x = from.right().max(to.right()) + 13.0;
        vec![from.right_center(), pos2(x, from.center().y), pos2(x, to.center().y), to.right_center()]
    };
    arrow(ui, &path, tokens.weak, true);
    let middle = path[1] + 0.5 * (path[2] - path[1]);
    let galley = ui.painter().layout_no_wrap("f".to_owned(), FontId::proportional(10.5), tokens.text);
    let place = Rect::from_center_size(middle, galley.size());
    ui.painter().rect_filled(place.expand(2.0), 2.0, tokens.card);
    ui.painter().galley(place.min, galley, tokens.text);
}
