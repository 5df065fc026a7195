//! Drives the window without a display for benches, and times its frames by the clock.

use std::time::{Duration, Instant};

use egui::{Context, RawInput, Rect, pos2, vec2};
use kernelscope::spec::Spec;
use kernelscope::ui::App;

/// A window of 1600 × 1000 points in which no run starts.
pub struct DrivenWindow {
    pub app: App,
    ctx: Context,
    frames: Vec<Duration>,
}

impl DrivenWindow {
    /// Opens the window and draws its first frames, which lay out fonts and are not counted.
    pub fn new() -> Self {
        let app = App::new(Spec::default(), Box::new(|_, _| unreachable!("no run is started")));
        let mut window = Self { app, ctx: Context::default(), frames: Vec::new() };
        (0..10).for_each(|_| window.frame());
        window.frames.clear();
        window
    }

    /// Draws a frame.
    pub fn frame(&mut self) {
        let began = Instant::now();
        self.app.tick(&self.ctx);
        let size = Rect::from_min_size(pos2(0.0, 0.0), vec2(1600.0, 1000.0));
        let raw = RawInput { screen_rect: Some(size), ..RawInput::default() };
        let mut output = self.ctx.run_ui(raw, |ui| self.app.show(ui));
        output.textures_delta.clear();
        std::hint::black_box(self.ctx.tessellate(output.shapes, output.pixels_per_point));
        self.frames.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(4));
    }

    /// Draws frames until the window is as wished.
    pub fn frames_until(&mut self, wish: impl Fn(&App) -> bool) {
        while !wish(&self.app) {
            self.frame();
        }
    }

    /// Returns the number of frames.
    pub fn count(&self) -> usize {
        self.frames.len()
    }

    /// Returns the longest frame.
    pub fn longest(&self) -> Duration {
        self.frames.iter().max().copied().unwrap_or_default()
    }
}
