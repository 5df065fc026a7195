//! Icons drawn as shapes, because fonts differ too much for them.

use egui::{Align2, Color32, FontId, Rect, Shape, Stroke, StrokeKind, Ui, vec2};

/// An icon drawn as shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Play,
    Pause,
    Step,
    Restart,
    Dice,
    Stop,
    Next,
    Moon,
    Sun,
    Help,
    Larger,
    Up,
    Down,
    Plus,
    Cross,
    Folder,
    Beside,
    Below,
    Enlarge,
    PutBack,
    /// Two arrows in a circle.
    Loop,
    Flag,
    FlagBefore,
    FlagAfter,
    /// Jump to the newest snapshot.
    Newest,
    Export,
}

/// Draws an icon into a square of 12 points.
pub fn paint_icon(ui: &Ui, rect: Rect, icon: Icon, colour: Color32, ground: Color32) {
    let painter = ui.painter();
    let at = |x: f32, y: f32| rect.min + vec2(x, y) * (rect.width() / 12.0);
    let fill = |points: Vec<egui::Pos2>| Shape::convex_polygon(points, colour, Stroke::NONE);
    let stroke = Stroke::new(1.4, colour);
    match icon {
        Icon::Play => {
            painter.add(fill(vec![at(2.5, 1.0), at(11.0, 6.0), at(2.5, 11.0)]));
        }
        Icon::Pause => {
            painter.rect_filled(Rect::from_min_max(at(2.5, 1.5), at(5.0, 10.5)), 0.5, colour);
            painter.rect_filled(Rect::from_min_max(at(7.0, 1.5), at(9.5, 10.5)), 0.5, colour);
        }
        Icon::Step => {
            painter.add(fill(vec![at(1.5, 1.5), at(8.0, 6.0), at(1.5, 10.5)]));
            painter.rect_filled(Rect::from_min_max(at(8.5, 1.5), at(10.5, 10.5)), 0.5, colour);
        }
        Icon::Next => {
            painter.add(fill(vec![at(0.5, 2.0), at(6.0, 6.0), at(0.5, 10.0)]));
            painter.add(fill(vec![at(6.0, 2.0), at(11.5, 6.0), at(6.0, 10.0)]));
        }
        Icon::Stop => {
            painter.rect_filled(Rect::from_min_max(at(2.0, 2.0), at(10.0, 10.0)), 1.0, colour);
        }
        Icon::Restart => {
            let arc = (0..=20).map(|step| {
                let angle = -0.6 + step as f32 * 5.2 / 20.0;
                rect.center() + vec2(angle.cos(), angle.sin()) * 4.4
            });
            painter.add(Shape::line(arc.collect(), stroke));
            painter.add(fill(vec![at(7.2, 4.6), at(11.8, 4.8), at(10.8, 0.4)]));
        }
        Icon::Dice => {
            painter.rect_stroke(Rect::from_min_max(at(1.0, 1.0), at(11.0, 11.0)), 2.0, stroke, StrokeKind::Inside);
            for (x, y) in [(3.8, 3.8), (8.2, 8.2), (6.0, 6.0), (8.2, 3.8), (3.8, 8.2)] {
                painter.circle_filled(at(x, y), 1.0, colour);
            }
        }
        Icon::Moon => {
            painter.circle_filled(at(6.0, 6.0), 5.0, colour);
            painter.circle_filled(at(8.4, 4.4), 4.2, ground);
        }
        Icon::Sun => {
            painter.circle_filled(at(6.0, 6.0), 2.6, colour);
            for ray in 0..8 {
                let angle = ray as f32 * std::f32::consts::FRAC_PI_4;
                let direction = vec2(angle.cos(), angle.sin());
                painter.line_segment([rect.center() + direction * 4.0, rect.center() + direction * 5.8], stroke);
            }
        }
        Icon::Help => {
            painter.text(rect.center(), Align2::CENTER_CENTER, "?", FontId::proportional(14.0), colour);
        }
        Icon::Larger => {
            painter.text(at(3.2, 7.4), Align2::CENTER_CENTER, "A", FontId::proportional(9.0), colour);
            painter.text(at(8.4, 5.8), Align2::CENTER_CENTER, "A", FontId::proportional(14.0), colour);
        }
        Icon::Up => {
            painter.add(Shape::line(vec![at(2.5, 8.0), at(6.0, 4.0), at(9.5, 8.0)], stroke));
        }
        Icon::Down => {
            painter.add(Shape::line(vec![at(2.5, 4.0), at(6.0, 8.0), at(9.5, 4.0)], stroke));
        }
        Icon::Plus => {
            painter.line_segment([at(6.0, 2.0), at(6.0, 10.0)], stroke);
            painter.line_segment([at(2.0, 6.0), at(10.0, 6.0)], stroke);
        }
        Icon::Cross => {
            painter.line_segment([at(2.8, 2.8), at(9.2, 9.2)], stroke);
            painter.line_segment([at(9.2, 2.8), at(2.8, 9.2)], stroke);
        }
        Icon::Beside | Icon::Below => {
            painter.rect_stroke(Rect::from_min_max(at(1.0, 1.5), at(11.0, 10.5)), 1.5, stroke, StrokeKind::Inside);
            let line = if icon == Icon::Beside { [at(6.0, 2.0), at(6.0, 10.0)] } else { [at(1.5, 6.0), at(10.5, 6.0)] };
            painter.line_segment(line, stroke);
        }
        Icon::Enlarge => {
            painter.add(Shape::line(vec![at(7.0, 1.5), at(10.5, 1.5), at(10.5, 5.0)], stroke));
            painter.add(Shape::line(vec![at(5.0, 10.5), at(1.5, 10.5), at(1.5, 7.0)], stroke));
        }
        Icon::PutBack => {
            painter.add(Shape::line(vec![at(1.5, 5.0), at(5.0, 5.0), at(5.0, 1.5)], stroke));
            painter.add(Shape::line(vec![at(10.5, 7.0), at(7.0, 7.0), at(7.0, 10.5)], stroke));
        }
        Icon::Loop => {
            for turn in [1.0, -1.0] {
                let of = |x: f32, y: f32| rect.center() + vec2(x, y) * (turn * rect.width() / 12.0);
                painter.add(Shape::line(vec![of(-4.8, 1.0), of(-4.8, -2.8), of(2.0, -2.8)], stroke));
                painter.add(Shape::convex_polygon(
                    vec![of(1.6, -5.4), of(5.2, -2.8), of(1.6, -0.2)],
                    colour,
                    Stroke::NONE,
                ));
            }
        }
        Icon::Flag => {
            painter.line_segment([at(3.0, 1.0), at(3.0, 11.0)], stroke);
            painter.add(fill(vec![at(3.0, 1.2), at(10.0, 3.8), at(3.0, 6.6)]));
        }
        Icon::FlagBefore | Icon::FlagAfter => {
            let turn = if icon == Icon::FlagAfter { 1.0 } else { -1.0 };
            let of = |x: f32, y: f32| rect.center() + vec2(x * turn, y) * (rect.width() / 12.0);
            let arrow = vec![of(-4.5, -3.6), of(1.0, 0.0), of(-4.5, 3.6)];
            painter.add(Shape::convex_polygon(arrow, colour, Stroke::NONE));
            painter.line_segment([of(3.4, -4.6), of(3.4, 4.6)], stroke);
        }
        Icon::Newest => {
            painter.add(Shape::line(vec![at(1.5, 2.0), at(5.5, 6.0), at(1.5, 10.0)], stroke));
            painter.circle_filled(at(9.0, 6.0), 2.2, colour);
        }
        Icon::Folder => {
            let outline = vec![at(1.0, 10.0), at(1.0, 2.5), at(4.5, 2.5), at(5.8, 4.0), at(11.0, 4.0), at(11.0, 10.0)];
            painter.add(Shape::closed_line(outline, stroke));
        }
        Icon::Export => {
            painter.line_segment([at(6.0, 0.5), at(6.0, 7.5)], stroke);
            painter.add(Shape::line(vec![at(3.2, 4.9), at(6.0, 7.7), at(8.8, 4.9)], stroke));
            painter.add(Shape::line(vec![at(1.0, 7.5), at(1.0, 11.0), at(11.0, 11.0), at(11.0, 7.5)], stroke));
        }
    }
}
