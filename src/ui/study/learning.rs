//! Draws the picture of a study of learners: test error against n on logarithmic axes, the window in which exponents are
//! fitted, and the fits in a sentence.
//!
//! Guarantees: fits and intervals are computed on a thread of their own, never in a frame; the window snaps to measured values
//! of n; the text always belongs to the window drawn, or a note that it is being computed.

use std::sync::Arc;

use egui::{Align, CursorIcon, FontId, Layout, Rect, RichText, Sense, Stroke, Ui, UiBuilder, pos2, vec2};

use super::cards::Cards;
use super::chart;
use crate::analysis::{ErrorKind, Fitted, LearningCurves};
use crate::chart::learning::{Extra, errors, extra};
use crate::chart::panel::Panel;
use crate::paint::transform::Transform;
use crate::ui::kit::background_task::BackgroundThread;
use crate::ui::kit::widgets::{Card, card_titled, segments};
use crate::ui::kit::{
    theme,
    theme::{GRID, Tokens},
};

/// Holds the results of the fits.
#[derive(Clone, Debug)]
pub struct FitResults {
    of: Question,
    /// One law per curve.
    pub fits: Vec<Option<Fitted>>,
    pub sentence: String,
}

/// Identifies a request: the points by their count, the window, and the kind of error.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Question {
    edition: u64,
    window: (f64, f64),
    kind: ErrorKind,
}

struct FitRequest {
    learnt: Arc<LearningCurves>,
    question: Question,
}

/// Holds the state of the picture.
#[derive(Default)]
pub struct Learning {
    learnt: Option<Arc<LearningCurves>>,
    /// Counts updates, so that an answer to an outdated request is recognised.
    edition: u64,
    /// The window chosen by the user; if none, all measured values.
    window: Option<(f64, f64)>,
    kind: Option<ErrorKind>,
    thread: Option<BackgroundThread<FitRequest, FitResults>>,
    question: Option<Question>,
    worked: Option<FitResults>,
    drawn: Option<ShownPanels>,
}

struct ShownPanels {
    of: (u64, ErrorKind, Option<Question>),
    main: Panel,
    extras: Vec<(Extra, Panel)>,
}

/// Height of three lines of text.
const SENTENCE: f32 = 52.0;
/// Distance from an edge of the window within which the pointer grabs it.
const HOLD: f32 = 5.0;

impl Learning {
    /// Stores the learners' current results.
    pub fn take(&mut self, learnt: Arc<LearningCurves>) {
        self.learnt = Some(learnt);
        self.edition += 1;
    }

    pub fn forget(&mut self) {
        *self = Self { thread: self.thread.take(), edition: self.edition + 1, ..Self::default() };
    }

    /// Returns the current results.
    pub fn learnt(&self) -> Option<&Arc<LearningCurves>> {
        self.learnt.as_ref().filter(|learnt| !learnt.is_empty())
    }

    /// Returns the fits, if they are known for the data drawn.
    pub fn worked(&self) -> Option<&FitResults> {
        let now = self.question()?;
        self.worked.as_ref().filter(|worked| worked.of == now)
    }

    fn question(&self) -> Option<Question> {
        let window = self.window.or_else(|| self.learnt.as_ref()?.span())?;
        Some(Question { edition: self.edition, window, kind: self.kind.unwrap_or(ErrorKind::Square) })
    }

    /// Collects results from the thread, and requests missing ones.
    fn work(&mut self, ui: &Ui) {
        let (Some(question), Some(learnt)) = (self.question(), self.learnt.clone()) else { return };
        if self.thread.is_none() {
            let ctx = ui.ctx().clone();
            let work = |FitRequest { learnt, question }: FitRequest| {
                let Question { window, kind, .. } = question;
                let fits = learnt.curves.iter().map(|curve| curve.fitted(kind, window)).collect();
                FitResults { of: question, fits, sentence: learnt.sentence(kind, window) }
            };
            self.thread = BackgroundThread::start("fits", work, move || ctx.request_repaint()).ok();
        }
        let Some(thread) = &mut self.thread else { return };
        if let Some(worked) = thread.response() {
            self.worked = Some(worked);
        }
        if self.question != Some(question) && !thread.is_busy() && thread.request(FitRequest { learnt, question }) {
            self.question = Some(question);
        }
    }

    /// Returns the picture of the card with this title, and its unit.
    pub fn picture(&mut self, title: &str) -> Option<(&Panel, &'static str)> {
        let unit = unit(self.learnt()?);
        let drawn = self.pictures()?;
        if title == ERROR {
            return Some((&drawn.main, unit));
        }
        let (which, picture) = drawn.extras.iter().find(|(which, _)| which.title() == title)?;
        Some((picture, which.unit()))
    }

    fn pictures(&mut self) -> Option<&ShownPanels> {
        let learnt = self.learnt()?.clone();
        let worked = self.worked().cloned();
        let kind = self.kind.unwrap_or(ErrorKind::Square);
        let of = (self.edition, kind, worked.as_ref().map(|worked| worked.of));
        if self.drawn.as_ref().is_none_or(|drawn| drawn.of != of) {
            let fits = worked.map(|worked| (worked.of.window, worked.fits));
            let fits = fits.as_ref().map(|(window, fits)| (*window, fits.as_slice()));
            let picture = errors(&learnt, kind, fits);
            let extras = Extra::ALL.into_iter().map(|which| (which, extra(which, &learnt, kind, fits)));
            let extras = extras.filter(|(_, picture)| !picture.is_empty()).collect();
            self.drawn = Some(ShownPanels { of, main: picture, extras });
        }
        self.drawn.as_ref()
    }
}

/// Title of the main picture.
const ERROR: &str = "Test error";

/// Returns the unit of the main picture.
fn unit(learnt: &LearningCurves) -> &'static str {
    if learnt.is_over_samples() { "against the samples n" } else { "against the axis" }
}

/// Draws the picture; returns the run, by its index in the study, of a point that was clicked.
pub fn show(ui: &mut Ui, learning: &mut Learning, rect: Rect, cards: &mut Cards) -> Option<usize> {
    let tokens = Tokens::of(ui);
    learning.work(ui);
    let learnt = learning.learnt().cloned()?;
    let (words, grid) = rect.split_top_bottom_at_y(rect.top() + SENTENCE);
    sentence(ui, learning, words.shrink2(vec2(GRID, 2.0)));
    let drawn = learning.pictures()?;
    let gap = 1.5 * GRID;
    let (left, right) = if drawn.extras.is_empty() {
        (grid, None)
    } else {
        let (left, right) = grid.split_left_right_at_fraction(0.62);
        (left, Some(right.with_min_x(right.left() + gap)))
    };
    let (title, unit) = (ERROR, unit(&learnt));
    let Card { mut header, mut body } = card_titled(ui, left, title, unit, HELP, |ui| {
        ui.label(RichText::new(title).size(theme::TITLE).color(tokens.text));
    });
    let mut kind = learning.kind.unwrap_or(ErrorKind::Square);
    cards.export(&mut header, title, left.size());
    let drawn = learning.drawn.as_ref()?;
    let chart::Shown { transform, mut clicked } = chart::show(&mut body, title, &drawn.main, cards.thick);
    if let Some(right) = right {
        let down = drawn.extras.len() as f32;
        let height = (right.height() - (down - 1.0) * gap) / down;
        for (place, (which, picture)) in drawn.extras.iter().enumerate() {
            let min = pos2(right.left(), right.top() + place as f32 * (height + gap)).round();
            let area = Rect::from_min_size(min, vec2(right.width(), height).floor());
            let Card { mut header, mut body } =
                card_titled(ui, area, which.title(), which.unit(), which.help(), |ui| {
                    ui.label(RichText::new(which.title()).size(theme::TITLE).color(tokens.text));
                });
            cards.export(&mut header, which.title(), area.size());
            chart::show(&mut body, which.title(), picture, cards.thick);
        }
    }
    let options = [
        (ErrorKind::Square, "squared", "Mean square error over the targets' mean square: 1 is what predicting 0 gives"),
        (ErrorKind::ZeroOne, "0–1", "Share of test samples in the wrong class"),
    ];
    if segments(&mut header, &mut kind, &options) {
        learning.kind = Some(kind);
    }
    if learnt.is_over_samples() {
        if learning.window.is_some() && header.small_button("Whole range").on_hover_text("Fit all n again").clicked() {
            learning.window = None;
        }
        clicked = clicked.or(window(&mut body, learning, &learnt, &transform));
    }
    clicked
}

/// Writes the results of the fits, or that they are being computed.
fn sentence(ui: &mut Ui, learning: &Learning, rect: Rect) {
    let tokens = Tokens::of(ui);
    let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)));
    let text = match learning.worked() {
        Some(worked) => RichText::new(&worked.sentence).color(tokens.text),
        None => RichText::new("Fitting…").color(tokens.weak),
    };
    ui.add(egui::Label::new(text).wrap());
}

/// Draws the window of the fit: shaded outside, with an edge at either side that can be dragged or moved with the arrow keys.
/// An edge covers the dots of its n, and so passes clicks on to them.
fn window(ui: &mut Ui, learning: &mut Learning, learnt: &LearningCurves, transform: &Transform) -> Option<usize> {
    let tokens = Tokens::of(ui);
    let whole = learnt.span()?;
    let mut clicked = None;
    let (mut low, mut high) = learning.window.unwrap_or(whole);
    let frame = transform.frame;
    let at = |n: f64| transform.x(n.log10());
    let all = learnt.places();
    let nearest = |x: f32| {
        let n = 10f64.powf(transform.point(pos2(x, frame.center().y)).0);
        all.iter().copied().min_by(|a, b| (a / n).ln().abs().total_cmp(&(b / n).ln().abs()))
    };
    let moved = |n: f64, by: isize| {
        let place = all.iter().position(|known| *known == n)?;
        all.get(place.checked_add_signed(by)?).copied()
    };
    let mut changed = false;
    for (name, is_low) in [("Smallest n of the fit", true), ("Largest n of the fit", false)] {
        let edge = if is_low { low } else { high };
        let x = at(edge);
        let handle = Rect::from_x_y_ranges(x - HOLD..=x + HOLD, frame.y_range());
        let response = ui.interact(handle, ui.scope_id().with(name), Sense::click_and_drag());
        response.widget_info(|| {
            let mut info = egui::WidgetInfo::new(egui::Role::Slider);
            (info.label, info.value) = (Some(name.to_owned()), Some(edge));
            info
        });
        let mut wanted = None;
        if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.dragged()) {
            wanted = nearest(pointer.x);
        }
        if response.has_focus() {
            let by = ui.input(|input| {
                isize::from(input.key_pressed(egui::Key::ArrowRight))
                    - isize::from(input.key_pressed(egui::Key::ArrowLeft))
            });
            wanted = wanted.or_else(|| moved(edge, by).filter(|_| by != 0));
        }
        if let Some(wanted) = wanted.filter(|wanted| if is_low { *wanted < high } else { *wanted > low }) {
            changed |= wanted != edge;
            if is_low { low = wanted } else { high = wanted }
        }
        let lit = response.hovered() || response.dragged() || response.has_focus();
        let stroke = Stroke::new(if lit { 2.5 } else { 1.2 }, if lit { tokens.accent } else { tokens.weak });
        let x = at(if is_low { low } else { high });
        ui.painter().vline(x, frame.y_range(), stroke);
        let grip = Rect::from_center_size(pos2(x, frame.bottom() - 9.0), vec2(7.0, 12.0));
        ui.painter().rect(grip, 2.0, tokens.card, stroke, egui::StrokeKind::Inside);
        let pointer = response.hover_pos().filter(|_| !response.dragged());
        let picture = learning.drawn.as_ref().map(|drawn| &drawn.main);
        if let Some(run) = picture.zip(pointer).and_then(|(picture, at)| chart::point_out(ui, picture, transform, at)) {
            clicked = clicked.or(response.clicked().then_some(run));
            response.on_hover_cursor(CursorIcon::PointingHand);
        } else {
            response
                .on_hover_cursor(CursorIcon::ResizeHorizontal)
                .on_hover_text(format!("{name}: drag it, or use ← and →"));
        }
    }
    let veil = tokens.well.gamma_multiply(0.6);
    let measured = frame.with_min_x(at(whole.0)).with_max_x(at(whole.1));
    for outside in [measured.with_max_x(at(low)), measured.with_min_x(at(high))] {
        if outside.width() > 1.0 {
            ui.painter().rect_filled(outside, 0.0, veil);
        }
    }
    let note = format!("fit: n = {low:.0} … {high:.0}");
    let font = FontId::proportional(9.5);
    let beside = pos2(at(low) + 8.0, frame.bottom() - 4.0);
    ui.painter().text(beside, egui::Align2::LEFT_BOTTOM, note, font, tokens.weak);
    if changed {
        learning.window = ((low, high) != whole).then_some((low, high));
    }
    clicked
}

/// Explains the picture and its terms.
const HELP: &str = "Test error of each learner against the samples n that it learnt from, on logarithmic axes: a dot \
    is a seed, and a click on it makes its run the settings of the run page; a line goes through the means, and from five \
    seeds on its band is the 95 % bootstrap interval of these over seeds. Kernels start from zero and fit y alone; ridge, rate and stopping are \
    chosen on further samples (n/4) that nothing is fitted to.\n\
    Dotted: E = A (1/n + α)^β, fitted to the means within the window, whose edges can be dragged; α is freed only \
    where four or more n need it. Beside it stands β with the 2.5th and 97.5th percentile of a thousand draws of the \
    seeds. With few seeds such an interval is too narrow: with three seeds it contains the true value in three of four \
    cases.\n\
    Broken: what the kernel's eigenvalues and the target's coefficients alone predict, before anything is fitted \
    (Simon et al. 2023; Canatar et al. 2021).\n\
    After Limitations of the NTK for Understanding Generalization (2206.10012), whose claims are tested here; its \
    numbers were not available.";
