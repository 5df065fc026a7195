//! Opens the real window: the system's window around [`App`], restored to its last state.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eframe::egui;

use super::display;
use super::display::{Gone, OPENING};
use super::environment::Environment;
use super::state_writer;
use super::state_writer::StateWriter;
use super::{App, StartFn};
use crate::spec::{PRESETS, Spec};
use crate::storage::WindowStateFile;
use crate::ui::kit::theme::Tokens;
use crate::ui::shell::toast::Toast;
use crate::worker::{DeviceChoice, Job, Worker};

/// Options of the window when it opens.
pub struct WindowOptions {
    /// The run that begins with the window; `None` for the settings of the last session.
    pub spec: Option<Spec>,
    pub device: DeviceChoice,
    /// Folders and archives that are opened instead.
    pub open: Vec<PathBuf>,
    /// The folder of a training that is watched instead.
    pub watch: Option<PathBuf>,
    /// The user's log and autosaved runs, and a message about the last session.
    pub environment: Environment,
}

/// Longest time that closing waits for the run's folder to be written.
const LEAVING: Duration = Duration::from_secs(3);
/// Longest time between two checks for a signal.
#[cfg(unix)]
const LISTEN: Duration = Duration::from_millis(50);
/// Message at the first start.
const WELCOME: &str = "Drag in a plot to look back; Ctrl+P finds every command, F1 explains each view.";

/// Message if another window is open.
const ANOTHER: &str = "Another window is open: the layout of this one is not saved for the next start";

/// Opens the window and returns when it is closed. The error is the reason why no window could be opened.
pub fn open(options: WindowOptions) -> anyhow::Result<()> {
    let is_another = options.environment.is_another;
    let file = WindowStateFile::of_user();
    let found = file.as_ref().map(state_writer::find);
    let saved = found.as_ref().map(|found| found.saved.clone()).unwrap_or_default();
    let size = saved.size.unwrap_or([1280.0, 800.0]);
    let mut native = native_options(size);
    if let Some(maximised) = saved.maximised {
        native.viewport = native.viewport.with_maximized(maximised);
    }
    let creator = move |creation: &eframe::CreationContext<'_>| {
        if let Some(state) = &creation.wgpu_render_state {
            let adapter = state.adapter.get_info();
            log::info!("the window is drawn by {} ({}, {})", adapter.name, adapter.backend, adapter.driver_info);
        }
        let ctx = &creation.egui_ctx;
        if let Some(state) = &creation.wgpu_render_state {
            display::bound(ctx, state);
        }
        #[cfg(unix)]
        close_on_signal(ctx);
        let mut app =
            App::new(PRESETS[0].spec(), start(options.device)).on(options.device).with_environment(options.environment);
        app.restore(ctx, &saved);
        if let Some(folder) = options.watch {
            app.watch(folder);
        } else if !options.open.is_empty() {
            app.open(options.open);
        } else if let Some(spec) = options.spec {
            *app.draft_mut() = spec;
            app.start_run(ctx);
        } else if app.is_light() {
            // A run that takes long, or much memory, waits for the start button: it may have caused the last crash.
            app.start_run(ctx);
        }
        if found.as_ref().is_some_and(|found| found.first) {
            app = app.welcoming();
        }
        let begun = if app.session().is_some() { "A first run has begun. " } else { "" };
        let welcome = || Some(Toast::done(format!("{begun}{WELCOME}")));
        let message = found.and_then(|found| if found.first { welcome() } else { found.message });
        message.into_iter().for_each(|toast| app.say(toast));
        if is_another {
            app.say(Toast::done(ANOTHER));
        }
        // Two windows would overwrite each other's saved state.
        let writer = file.filter(|_| !is_another).map(|file| StateWriter::new(file, ctx, saved));
        let height = Some(size[1]);
        Ok(Box::new(PersistentWindow { app, writer, height, ctx: ctx.clone() }) as Box<dyn eframe::App>)
    };
    run(native, Box::new(creator))
}

/// Closes the window as its button does when the system asks the program to end (`kill`, Ctrl+C, a closed terminal); a second
/// signal ends it at once.
#[cfg(unix)]
fn close_on_signal(ctx: &egui::Context) {
    use std::sync::Arc;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;

    let closing = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // In this order the first signal finds the flag unset, and does not end the program at once.
        let heard = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&closing))
            .and_then(|_| flag::register(signal, Arc::clone(&closing)));
        if let Err(err) = heard {
            log::info!("signal {signal} ends the program immediately: {err}");
        }
    }
    let ctx = ctx.clone();
    let watch = move || {
        let mut left = 2;
        // The second request to close, after `LEAVING`, does not wait for files that are being saved.
        while left > 0 {
            std::thread::sleep(if left == 2 { LISTEN } else { LEAVING });
            if closing.load(Ordering::Relaxed) {
                log::info!("the system has asked the program to end");
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
                ctx.request_repaint();
                left -= 1;
            }
        }
    };
    if let Err(err) = std::thread::Builder::new().name("signals".to_owned()).spawn(watch) {
        log::warn!("no thread to listen to signals: {err}");
    }
}

/// Wraps [`App`] and saves its state (layout, appearance, settings) when it changes.
struct PersistentWindow {
    app: App,
    writer: Option<StateWriter>,
    /// The height that was asked for, in points at a scale of 1, until it is known whether the screen has so much.
    height: Option<f32>,
    ctx: egui::Context,
}

/// Height of a window's title bar and of a panel of the desktop, which the screen must have beside the window.
const AROUND: f32 = 60.0;

impl PersistentWindow {
    /// Fills the screen if it is too low for the window with its title bar, whose last line would be out of sight.
    fn fit(&mut self, ctx: &egui::Context) {
        let Some(height) = self.height else { return };
        if let Some(monitor) = ctx.input(|input| input.viewport().monitor_size) {
            self.height = None;
            if height + AROUND > monitor.y * ctx.zoom_factor() {
                ctx.send_viewport_cmd(egui::ViewportCommand::Maximized(true));
            }
        }
    }
}

impl eframe::App for PersistentWindow {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.app.logic(ctx, frame);
        self.fit(ctx);
        if let Some(writer) = &mut self.writer
            && let Some(toast) = writer.note(ctx, self.app.saved(ctx))
        {
            self.app.say(toast);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.app.ui(ui, frame);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        self.app.clear_color(visuals)
    }

    fn on_exit(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.close(&self.app.saved(&self.ctx));
        }
        self.app.leave(LEAVING);
    }
}

impl Drop for PersistentWindow {
    fn drop(&mut self) {
        // The display may go away in the middle of a frame; the measured data are written nevertheless.
        if std::thread::panicking() {
            self.app.leave(LEAVING);
        }
    }
}

/// Returns the function that starts real runs on this device, at the pace of their spec.
pub(crate) fn start(device: DeviceChoice) -> StartFn {
    Box::new(move |spec, waker| Worker::start(Job { spec, device, paced: true }, waker))
}

/// Returns the options of a window of this size, in points.
pub(crate) fn native_options(size: [f32; 2]) -> eframe::NativeOptions {
    let viewport = egui::ViewportBuilder::default()
        .with_title("Kernelscope")
        .with_app_id("kernelscope")
        .with_icon(icon())
        .with_inner_size(size)
        .with_min_inner_size([960.0, 600.0]);
    let wgpu_options = eframe::WgpuConfiguration { wgpu_setup: display::graphics(), ..Default::default() };
    eframe::NativeOptions { viewport, wgpu_options, ..Default::default() }
}

/// Returns the icon, or an empty one where it cannot be decoded (a test checks that it can).
pub fn icon() -> egui::IconData {
    eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/kernelscope.png")).unwrap_or_default()
}

/// Runs the event loop until the window is closed.
pub(crate) fn run(native: eframe::NativeOptions, creator: eframe::AppCreator<'_>) -> anyhow::Result<()> {
    let creator: eframe::AppCreator<'_> = Box::new(|creation| {
        OPENING.store(false, Ordering::Relaxed);
        creator(creation)
    });
    OPENING.store(true, Ordering::Relaxed);
    // The windowing library panics in many ways if its display goes away or lacks a feature.
    let ended = catch_unwind(AssertUnwindSafe(|| eframe::run_native("Kernelscope", native, creator)));
    let was_opening = OPENING.swap(false, Ordering::Relaxed);
    let gone = || Gone::now().filter(|_| !was_opening);
    Err(match ended {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(err)) => gone().map_or_else(|| anyhow::anyhow!("{}", display::in_words(&err)), Into::into),
        Err(payload) if was_opening => anyhow::anyhow!("{}", display::broken(&*payload)),
        Err(payload) => gone().map_or_else(|| resume_unwind(payload), Into::into),
    })
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.tick(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        if let Some(seconds) = frame.info().cpu_usage {
            self.note_frame(seconds);
        }
        self.show(ui);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        Tokens::in_theme(visuals.dark_mode).ground.to_normalized_gamma_f32()
    }
}
