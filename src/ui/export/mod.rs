//! Exports to files: a view as a picture or as its numbers, the window as a picture, the run as an animation.
//!
//! Guarantees: the window only lays a view out once more, which takes as long as drawing it; threads do the painting, compressing
//! and writing. A file appears under its name only when it is complete, and no file is overwritten.

pub mod action;
pub mod animation;
pub mod menu;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui::{Color32, Context, Memory, Theme, Ui, Vec2};

pub use action::What;

use super::app::actions::ShellAction;
use super::app::session::Session;
use super::kit::background_task::BackgroundThread;
use super::kit::data_table::DataTable;
use super::kit::theme::Tokens;
use super::kit::waker::waker;
use super::shell::toast::Toast;
use super::study::{CardExport, StudyPage};
use super::views::context::ViewContext;
use super::views::{Grid, View};
use crate::chart::without_zeros;
use crate::paint::offscreen_renderer::{Drawing, OffscreenRenderer, SCALE};
use crate::paint::{raster, svg};
use crate::run::History;
use crate::spec::{Spec, preset_of};
use crate::storage::write_new;
use crate::ui::export::animation::{AnimationContent, AnimationJob};

use crate::worker::Waker;

/// The export folder, relative to the working directory.
pub const FOLDER: &str = "kernelscope-exports";

/// A request to export a view at its size in the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewExport {
    pub view: View,
    pub size: Vec2,
    pub what: What,
}

/// A file to be written.
struct Job {
    folder: PathBuf,
    stem: String,
    content: Content,
}

enum Content {
    Png(Drawing, Color32),
    Svg(Drawing, String, Color32),
    Csv(DataTable),
}

type Written = Result<PathBuf, String>;

/// The pending exports, and the threads that write them.
pub struct Exports {
    /// Whether pictures have a light background, for print, whatever the theme of the window.
    pub light: bool,
    folder: PathBuf,
    orders: Vec<ViewExport>,
    /// Number of passes that the picture of the window still needs, one per frame.
    window: u8,
    renderer: Option<OffscreenRenderer>,
    writer: Option<BackgroundThread<Job, Written>>,
    waiting: VecDeque<Job>,
    film: Option<AnimationJob>,
}

impl Default for Exports {
    fn default() -> Self {
        Self {
            light: true,
            folder: PathBuf::from(FOLDER),
            orders: Vec::new(),
            window: 0,
            renderer: None,
            writer: None,
            waiting: VecDeque::new(),
            film: None,
        }
    }
}

impl Exports {
    /// Sets the folder for later exports.
    pub fn set_folder(&mut self, folder: PathBuf) {
        self.folder = folder;
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Requests the export of a view when it is next drawn.
    pub fn order(&mut self, order: ViewExport) {
        self.orders.push(order);
    }

    pub fn orders(&mut self) -> Vec<ViewExport> {
        std::mem::take(&mut self.orders)
    }

    /// Requests a picture of the window when it is next drawn.
    pub fn order_window(&mut self) {
        self.window = 3;
    }

    /// Returns the pass to be drawn in this frame: the last one is number 1, and 0 means none.
    pub fn window_pass(&mut self) -> u8 {
        let pass = self.window;
        self.window = pass.saturating_sub(1);
        pass
    }

    /// Returns whether the current pass is the first of three, which draws everything but the views: laying out text for
    /// the first time takes most of it, and is split so that no frame takes all of it.
    pub fn rehearses_panels(&self) -> bool {
        self.window == 2
    }

    /// Returns the theme of pictures.
    pub fn theme(&self, window: Theme) -> Theme {
        if self.light { Theme::Light } else { window }
    }

    /// Takes the off-screen renderer, for one picture of the window with this memory.
    pub fn renderer_like(&mut self, memory: Memory) -> OffscreenRenderer {
        let renderer = self.renderer.take().unwrap_or_else(|| OffscreenRenderer::new(SCALE));
        renderer.remember(memory);
        renderer
    }

    /// Puts the off-screen renderer back after a pass whose result is discarded.
    pub fn rehearsed(&mut self, renderer: OffscreenRenderer) {
        self.renderer = Some(renderer);
    }

    /// Queues the finished picture of the window, and puts the off-screen renderer back.
    pub fn take_window(&mut self, renderer: OffscreenRenderer, drawing: Drawing, theme: Theme, stem: String) {
        self.renderer = Some(renderer);
        let ground = Tokens::in_theme(theme == Theme::Dark).ground;
        self.waiting.push_back(Job { folder: self.folder.clone(), stem, content: Content::Png(drawing, ground) });
    }

    /// Exports a card of the study page.
    pub fn take_card(&mut self, ctx: &Context, page: &mut StudyPage, order: &CardExport) -> Option<Toast> {
        let (theme, mut sheet) = (self.theme(ctx.theme()), None);
        let renderer = self.renderer.get_or_insert_with(|| OffscreenRenderer::new(SCALE));
        let drawing = renderer.draw(order.size, theme, |ui| sheet = page.on_paper(ui, order.title));
        let (sheet, ground) = (sheet?, Tokens::in_theme(theme == Theme::Dark).card);
        let stem = slug(&format!("{} {}", page.draft.name(), order.title));
        self.hand_over(ctx, (page.draft.name(), order.title, stem), (drawing, ground), sheet, order.what)
    }

    /// Queues a drawn view of this run or study, under this title, for a file of this stem; or copies its numbers and returns a
    /// message.
    fn hand_over(
        &mut self,
        ctx: &Context,
        (whose, title, stem): (&str, &str, String),
        (drawing, ground): (Drawing, Color32),
        sheet: DataTable,
        what: What,
    ) -> Option<Toast> {
        let content = match what {
            What::Png => Content::Png(drawing, ground),
            What::Svg => Content::Svg(drawing, format!("{whose}: {title}"), ground),
            What::Csv => Content::Csv(sheet),
            What::Copy => return copy(ctx, title, &sheet),
        };
        self.waiting.push_back(Job { folder: self.folder.clone(), stem, content });
        // The next frame sends it to the thread.
        ctx.request_repaint();
        None
    }

    /// Exports a view of this scene; `name` is that of its run.
    pub fn take(&mut self, ctx: &Context, scene: &mut ViewContext<'_>, grid: &mut Grid, name: &str, order: ViewExport) {
        let ViewExport { view, size, what } = order;
        let numbers = matches!(what, What::Csv | What::Copy);
        let theme = self.theme(ctx.theme());
        let tokens = std::mem::replace(&mut scene.tokens, Tokens::in_theme(theme == Theme::Dark));
        grid.forget_textures();
        let renderer = self.renderer.get_or_insert_with(|| OffscreenRenderer::new(SCALE));
        let drawing = renderer.draw(size, theme, |ui: &mut Ui| {
            // A picture needs no table, and that of a large kernel would be larger than the picture itself.
            scene.table = numbers.then(DataTable::default);
            scene.paper = true;
            grid.show_on_paper(ui, scene, view);
        });
        grid.forget_textures();
        let ground = scene.tokens.card;
        (scene.tokens, scene.paper) = (tokens, false);
        let sheet = scene.table.take().unwrap_or_default();
        if numbers && sheet.is_empty() {
            let words = format!("{} shows no numbers now; its picture can be saved", view.title());
            scene.actions.push(ShellAction::Say(Toast::failed(words)));
            return;
        }
        let when = match what {
            What::Csv if sheet.over_time => format!("epochs-{}-{}", brief(scene.range.0), brief(scene.range.1)),
            _ => format!("epoch-{}", brief(scene.cursor)),
        };
        let stem = format!("{name}-{}-{when}", slug(view.title()));
        let toast = self.hand_over(ctx, (name, view.title(), stem), (drawing, ground), sheet, what);
        toast.into_iter().for_each(|toast| scene.actions.push(ShellAction::Say(toast)));
    }

    /// Sends queued exports to the threads, and returns messages about finished ones.
    pub fn tick(&mut self, waker: impl Fn() -> Waker) -> Vec<Toast> {
        let mut toasts = Vec::new();
        if let Some(answer) = self.writer.as_mut().and_then(BackgroundThread::response) {
            toasts.push(toast_of(answer));
        }
        if let Some(answer) = self.film.as_ref().and_then(AnimationJob::answer) {
            self.film = None;
            toasts.extend(answer.transpose().map(toast_of));
        }
        if self.writer.is_none() && !self.waiting.is_empty() {
            match BackgroundThread::start("exports", write, waker()) {
                Ok(writer) => self.writer = Some(writer),
                Err(err) => {
                    self.waiting.clear();
                    toasts.push(Toast::failed(format!("No thread can be started to write files: {err}")));
                }
            }
        }
        if let Some(writer) = self.writer.as_mut().filter(|writer| !writer.is_busy())
            && let Some(job) = self.waiting.pop_front()
        {
            writer.request(job);
        }
        toasts
    }

    /// Returns whether an export is not yet a file.
    pub fn is_busy(&self) -> bool {
        let writes = self.writer.as_ref().is_some_and(BackgroundThread::is_busy) || !self.waiting.is_empty();
        writes || !self.orders.is_empty() || self.window > 0 || self.film.is_some()
    }

    /// Waits for at most this long until pending exports are written; returns the failures. The window is already closed.
    pub fn finish(&mut self, at_most: Duration) -> Vec<String> {
        let patience = Instant::now() + at_most;
        let mut messages = Vec::new();
        if self.film.take().is_some() {
            messages.push("the animation was given up with the window".to_owned());
        }
        loop {
            let done = self.tick(|| Box::new(|| {}));
            messages.extend(done.into_iter().filter(|toast| toast.is_error).map(|toast| toast.text));
            if !self.is_busy() {
                return messages;
            }
            let writes = self.writer.as_ref().is_some_and(BackgroundThread::is_busy) || !self.waiting.is_empty();
            if !writes || Instant::now() > patience {
                messages.push("a picture was not saved: the window closed before it was written".to_owned());
                return messages;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Begins the animation of a run of this name, with these views.
    pub fn animate(&mut self, ctx: &Context, name: &str, history: History, views: Grid) -> Option<Toast> {
        let reel =
            AnimationContent { stem: format!("{name}-animation"), history, views, theme: self.theme(ctx.theme()) };
        match AnimationJob::start(reel, self.folder.clone(), waker(ctx)) {
            Ok(film) => {
                self.film = Some(film);
                None
            }
            Err(err) => Some(Toast::failed(format!("No thread can be started to make the animation: {err}"))),
        }
    }

    /// Returns the progress of the animation, from 0 to 1.
    pub fn film(&self) -> Option<f32> {
        self.film.as_ref().map(AnimationJob::progress)
    }

    pub fn cancel_film(&mut self) {
        if let Some(film) = &self.film {
            film.cancel();
        }
    }
}

/// Copies the command line that repeats a run or a study, or returns a message that there is none.
pub fn copy_command_line(ctx: &Context, spec: Result<Spec, String>, folder: Option<&Path>) -> Toast {
    let too_large = || "The settings do not fit into a command line: a number is too large for a run file".to_owned();
    match spec.and_then(|spec| spec.command_line(folder).ok_or_else(too_large)) {
        Ok(line) => copy_line(ctx, line),
        Err(message) => Toast::failed(message),
    }
}

/// Copies a line, and returns a message that says so.
pub fn copy_line(ctx: &Context, line: String) -> Toast {
    let toast = Toast::done(format!("Copied: {line}"));
    ctx.copy_text(line);
    toast
}

/// Returns the file name of exports of the main run: that of the opened record, else that of its preset. It compares all presets,
/// which is too slow for every frame.
pub fn file_name(session: Option<&Session>) -> String {
    match session.map(|session| (session, &session.opened)) {
        Some((_, Some(opened))) => slug(&opened.name),
        Some((session, None)) => match &session.watched {
            Some(place) => slug(&place.name),
            None => name_of(&session.spec).to_owned(),
        },
        None => "kernelscope".to_owned(),
    }
}

/// Copies numbers, and returns a message.
fn copy(ctx: &Context, title: &str, sheet: &DataTable) -> Option<Toast> {
    let mut text = Vec::new();
    // Writing to memory cannot fail, and the output is UTF-8.
    sheet.write(&mut text).ok()?;
    ctx.copy_text(String::from_utf8_lossy(&text).into_owned());
    Some(Toast::done(format!("{title}: {} lines of numbers copied", sheet.rows.len())))
}

/// Returns the message about a written file.
fn toast_of(answer: Written) -> Toast {
    match answer {
        Ok(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let folder = path.parent().unwrap_or(Path::new("."));
            // A file manager needs an absolute path.
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
            Toast::done(format!("Saved {name}")).with_folder(&folder)
        }
        Err(message) => Toast::failed(message),
    }
}

fn write(job: Job) -> Written {
    let Job { folder, stem, content } = job;
    let written = match &content {
        Content::Png(drawing, ground) => write_new(&folder, &stem, "png", |to| raster::png(drawing, *ground, to)),
        Content::Svg(drawing, title, ground) => {
            write_new(&folder, &stem, "svg", |to| svg::svg(drawing, title, *ground, to))
        }
        Content::Csv(sheet) => write_new(&folder, &stem, "csv", |to| sheet.write(to)),
    };
    written.map_err(|err| format!("Nothing was saved: {err}"))
}

/// Returns the name of the preset that these settings match, whatever their seed.
pub fn name_of(spec: &Spec) -> &'static str {
    preset_of(spec).map_or("own-settings", |preset| preset.name)
}

/// Formats an epoch for a file name.
pub fn brief(epoch: f64) -> String {
    without_zeros(&format!("{epoch:.2}"))
}

/// Formats a title for a file name: letters, digits and separators.
pub fn slug(title: &str) -> String {
    let lower = title.replace('λ', "lambda").to_lowercase();
    let kept = |letter: char| if letter.is_alphanumeric() || "._-".contains(letter) { letter } else { ' ' };
    lower.chars().map(kept).collect::<String>().split_whitespace().collect::<Vec<_>>().join("-")
}
