//! Exports the run as an animation: the kernel at each snapshot beside the curves of the whole run, with the moving cursor.
//!
//! Guarantees: there is one frame per snapshot, with the same views and the same colour range throughout; a thread makes the
//! animation from a copy of the record and sleeps as long as it works, so that window and training keep enough CPU time; a
//! cancelled animation leaves no file.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use color_quant::NeuQuant;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use egui::{Theme, Ui, Vec2, vec2};
use gif::{DisposalMethod, Encoder, Frame, Repeat};

use crate::chart::series_cache::SeriesCache;
use crate::paint::offscreen_renderer::{Drawing, OffscreenRenderer};
use crate::paint::raster::{Pixels, Rasterizer};
use crate::run::{History, Snapshot};
use crate::storage::write_new;
use crate::ui::app::action_queue::Actions;
use crate::ui::kit::theme::Tokens;
use crate::ui::overlays::Overlays;
use crate::ui::playback::Playback;
use crate::ui::playback::{clock, clock::Clock};
use crate::ui::views::Grid;
use crate::ui::views::context::ViewContext;
use crate::ui::views::forks::jobs::Forks;
use crate::worker::Waker;

/// Size of a frame.
pub const SIZE: Vec2 = vec2(960.0, 520.0);
/// Most frames; a longer run shows every second, fourth … snapshot, and those at switches.
pub const MOST: usize = 600;
/// Duration of the animation, and the shortest and longest duration of a frame, in hundredths of a second.
const LENGTH: usize = 1500;
const SHORTEST: usize = 5;
const LONGEST: usize = 25;
/// Additional duration of the last frame.
const REST: u16 = 200;

/// The content of an animation.
pub struct AnimationContent {
    pub history: History,
    pub views: Grid,
    pub theme: Theme,
    /// Name of the file without its extension.
    pub stem: String,
}

#[derive(Default)]
struct Shared {
    done: AtomicUsize,
    all: AtomicUsize,
    cancelled: AtomicBool,
}

/// An animation that is being made.
pub struct AnimationJob {
    shared: Arc<Shared>,
    answer: Receiver<Result<Option<PathBuf>, String>>,
    thread: Option<JoinHandle<()>>,
}

impl AnimationJob {
    /// Starts the thread.
    pub fn start(content: AnimationContent, folder: PathBuf, wake: Waker) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (send, answer) = bounded(1);
        let of_thread = Arc::clone(&shared);
        let run = move || {
            let stem = content.stem.clone();
            let made = write_new(&folder, &stem, "gif", |to| shoot(content, &of_thread, &wake, to));
            let cancelled = of_thread.cancelled.load(Ordering::Relaxed);
            let made = match made {
                Ok(path) => Ok(Some(path)),
                Err(_) if cancelled => Ok(None),
                Err(err) => Err(format!("The animation was not saved: {err}")),
            };
            // The receiver is gone if the window has closed.
            let _ = send.send(made);
            wake();
        };
        let thread = Some(std::thread::Builder::new().name("animation".to_owned()).spawn(run)?);
        Ok(Self { shared, answer, thread })
    }

    /// Returns the file, or `None` if the animation was cancelled; once.
    pub fn answer(&self) -> Option<Result<Option<PathBuf>, String>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err("The thread that makes the animation broke".to_owned())),
        }
    }

    /// Returns the progress from 0 to 1.
    pub fn progress(&self) -> f32 {
        let all = self.shared.all.load(Ordering::Relaxed).max(1);
        self.shared.done.load(Ordering::Relaxed) as f32 / all as f32
    }

    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Drop for AnimationJob {
    /// Waits for the current frame; otherwise the end of the program would leave half a file.
    fn drop(&mut self) {
        self.cancel();
        // A panic of the thread is ignored.
        _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Returns the snapshots that get a frame.
pub fn chosen(snapshots: &[Arc<Snapshot>], most: usize) -> Vec<Arc<Snapshot>> {
    let mut stride = 1;
    while snapshots.len() / stride > most.max(1) {
        stride *= 2;
    }
    let wanted = |(place, snapshot): &(usize, &Arc<Snapshot>)| {
        place.is_multiple_of(stride) || snapshot.row.at_switch || place + 1 == snapshots.len()
    };
    snapshots.iter().enumerate().filter(wanted).map(|(_, snapshot)| Arc::clone(snapshot)).collect()
}

/// Draws the frames and writes them.
fn shoot(content: AnimationContent, shared: &Shared, wake: &Waker, to: &mut impl io::Write) -> io::Result<()> {
    let snapshots = chosen(content.history.snapshots(), MOST);
    shared.all.store(snapshots.len(), Ordering::Relaxed);
    let cancelled = || shared.cancelled.load(Ordering::Relaxed);
    let mut stage = Stage::of(content);
    stage.content.views.widen_over(&snapshots, cancelled);
    let (Some(first), Some(last)) = (snapshots.first(), snapshots.last()) else {
        return Err(io::Error::other("there is no snapshot"));
    };
    // All frames share one palette: colours that changed between frames would flicker.
    let mut colours = Vec::new();
    for snapshot in [first, &snapshots[snapshots.len() / 2], last] {
        if cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        colours.extend(stage.frame(snapshot).rgb.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255]));
    }
    let mut palette = Palette::of(&colours);
    drop(colours);
    let mut encoder =
        Encoder::new(to, SIZE.x as u16, SIZE.y as u16, &palette.quantiser.color_map_rgb()).map_err(io::Error::other)?;
    encoder.set_repeat(Repeat::Infinite).map_err(io::Error::other)?;
    let delay = (LENGTH / snapshots.len()).clamp(SHORTEST, LONGEST) as u16;
    let mut before: Option<Vec<u8>> = None;
    let mut reported = 0;
    for (place, snapshot) in snapshots.iter().enumerate() {
        let began = Instant::now();
        if cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let pixels = palette.indices(&stage.frame(snapshot));
        let mut frame = changed(before.as_deref(), &pixels);
        frame.delay = if place + 1 == snapshots.len() { delay + REST } else { delay };
        encoder.write_frame(&frame).map_err(io::Error::other)?;
        before = Some(pixels);
        shared.done.store(place + 1, Ordering::Relaxed);
        let percent = 100 * (place + 1) / snapshots.len();
        if percent != reported {
            reported = percent;
            wake();
        }
        // On a machine with two cores, one of them must stay free for the window.
        std::thread::sleep(began.elapsed());
    }
    Ok(())
}

/// Returns the part of a frame that differs from the previous one.
fn changed(before: Option<&[u8]>, pixels: &[u8]) -> Frame<'static> {
    let (width, height) = (SIZE.x as usize, SIZE.y as usize);
    let differs = |row: usize, column: usize| {
        before.is_none_or(|before| before[row * width + column] != pixels[row * width + column])
    };
    let (mut left, mut right, mut top, mut bottom) = (width, 0, height, 0);
    for row in 0..height {
        let Some(first) = (0..width).find(|&column| differs(row, column)) else { continue };
        let last = (first..width).rev().find(|&column| differs(row, column)).unwrap_or(first);
        (left, right) = (left.min(first), right.max(last + 1));
        (top, bottom) = (top.min(row), row + 1);
    }
    if left >= right {
        // A frame cannot be empty.
        (left, right, top, bottom) = (0, 1, 0, 1);
    }
    let rows = (top..bottom).flat_map(|row| &pixels[row * width + left..row * width + right]);
    Frame {
        left: left as u16,
        top: top as u16,
        width: (right - left) as u16,
        height: (bottom - top) as u16,
        dispose: DisposalMethod::Keep,
        buffer: rows.copied().collect(),
        ..Frame::default()
    }
}

/// A palette of 256 colours, with a cache of the nearest one to each colour.
struct Palette {
    quantiser: NeuQuant,
    known: HashMap<[u8; 3], u8>,
}

impl Palette {
    /// Creates a palette from RGBA pixels.
    fn of(rgba: &[u8]) -> Self {
        // Every tenth pixel of three frames is a sufficient sample.
        Self { quantiser: NeuQuant::new(10, 256, rgba), known: HashMap::new() }
    }

    fn indices(&mut self, pixels: &Pixels) -> Vec<u8> {
        let Self { quantiser, known } = self;
        let of = |rgb: [u8; 3]| {
            let nearest = || quantiser.index_of(&[rgb[0], rgb[1], rgb[2], 255]) as u8;
            *known.entry(rgb).or_insert_with(nearest)
        };
        pixels.rgb.as_chunks::<3>().0.iter().copied().map(of).collect()
    }
}

/// The state in which the frames are drawn.
struct Stage {
    content: AnimationContent,
    renderer: OffscreenRenderer,
    rasterizer: Option<Rasterizer>,
    clock: Clock,
    travel: Playback,
    runs: Overlays,
    curves: SeriesCache,
    reference_curves: SeriesCache,
    forks: Forks,
    actions: Actions,
}

impl Stage {
    fn of(content: AnimationContent) -> Self {
        Self {
            content,
            renderer: OffscreenRenderer::new(1.0),
            rasterizer: None,
            clock: Clock::default(),
            travel: Playback::default(),
            runs: Overlays::default(),
            curves: SeriesCache::default(),
            reference_curves: SeriesCache::default(),
            forks: Forks::default(),
            actions: Actions::default(),
        }
    }

    fn frame(&mut self, snapshot: &Arc<Snapshot>) -> Pixels {
        let history = &self.content.history;
        self.clock.seek(snapshot.row.epoch);
        let tokens = Tokens::in_theme(self.content.theme == Theme::Dark);
        let mut scene = ViewContext {
            history,
            reference: None,
            clock: &self.clock,
            travel: &self.travel,
            runs: &self.runs,
            forks: &self.forks,
            curves: &self.curves,
            reference_curves: &self.reference_curves,
            actions: &mut self.actions,
            tokens,
            thick: 1.0,
            bands: clock::bands(history),
            range: self.clock.range(history),
            cursor: snapshot.row.epoch,
            snapshot: Some(Arc::clone(snapshot)),
            paper: true,
            table: None,
        };
        let views = &mut self.content.views;
        let draw = |ui: &mut Ui| views.show_frame(ui, &mut scene);
        let first = self.rasterizer.is_none();
        let drawing: Drawing = if first {
            self.renderer.draw(SIZE, self.content.theme, draw)
        } else {
            self.renderer.draw_again(SIZE, self.content.theme, draw)
        };
        self.rasterizer.get_or_insert_with(|| Rasterizer::of(&drawing)).print(&drawing, tokens.ground)
    }
}
