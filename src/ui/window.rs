//! The real window: the system's window round [`App`].

use anyhow::Context as _;
use eframe::egui;

use super::app::{App, StartFn};
use super::theme::Tokens;
use crate::spec::Spec;
use crate::worker::{DeviceChoice, Job, Worker};

/// How the window begins.
pub struct WindowOptions {
    /// The run that begins with the window.
    pub spec: Spec,
    pub device: DeviceChoice,
}

/// Opens the window and stays until it is closed. An error says why there can be no window.
pub fn open(options: WindowOptions) -> anyhow::Result<()> {
    let native = native_options([1280.0, 800.0]);
    let creator = move |creation: &eframe::CreationContext<'_>| {
        let mut app = App::new(options.spec, start(options.device)).on(options.device).welcoming();
        app.start_run(&creation.egui_ctx);
        Ok(Box::new(app) as Box<dyn eframe::App>)
    };
    run(native, Box::new(creator))
}

/// Starts real runs on this device, kept to the pace of their spec.
pub(super) fn start(device: DeviceChoice) -> StartFn {
    Box::new(move |spec, waker| Worker::start(Job { spec, device, paced: true }, waker))
}

/// A window of this size, in points.
pub(super) fn native_options(size: [f32; 2]) -> eframe::NativeOptions {
    let viewport = egui::ViewportBuilder::default()
        .with_title("Kernelscope")
        .with_app_id("kernelscope")
        .with_inner_size(size)
        .with_min_inner_size([960.0, 600.0]);
    eframe::NativeOptions { viewport, ..Default::default() }
}

/// Runs the event loop until the window is closed.
pub(super) fn run(native: eframe::NativeOptions, creator: eframe::AppCreator<'_>) -> anyhow::Result<()> {
    // `eframe`'s error is not `Sync`; its sentence is all that is needed.
    eframe::run_native("Kernelscope", native, creator)
        .map_err(|err| anyhow::anyhow!("{err}"))
        .context("no window can be opened")
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
