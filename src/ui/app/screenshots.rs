//! Takes pictures of the real window on a real run: before the switch, just after it, and at the end, in both themes; or of the
//! study page on a real study, half done and done.
//!
//! Nothing is staged: the run or the study is trained while the pictures are taken, in the window that users have. A separate
//! thread writes the files.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use crossbeam_channel::{Sender, bounded};
use eframe::egui::{self, ColorImage, ThemePreference, ViewportCommand};

use super::App;
use super::window;
use crate::run::RunState;
use crate::spec::{PRESETS, Spec};
use crate::ui::study::State;
use crate::ui::study::action::StudyAction;
use crate::ui::views::View;
use crate::worker::{Command, DeviceChoice};

/// The subject of the pictures.
pub enum Subject {
    /// A run, with the views `usual` in the places of the window (the default ones if empty) and `below` in the lowest row; if
    /// the forks are among them, the run is forked at its switch.
    Run { spec: Spec, usual: Vec<View>, below: Vec<View> },
    /// A ready-made study by its name, with the values and seeds of this spec; it is saved in its default folder, and runs that
    /// are finished there are not repeated.
    Study(&'static str, Spec),
}

/// Takes the pictures into this folder and returns their paths. `size` is that of the window, in points.
pub fn screenshots(dir: &Path, subject: Subject, device: DeviceChoice, size: [f32; 2]) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(dir).with_context(|| format!("the folder {} cannot be made", dir.display()))?;
    // The queue is short because pictures are large; at most one more waits.
    let (pictures, written) = bounded::<(PathBuf, Arc<ColorImage>)>(2);
    let writer: JoinHandle<anyhow::Result<Vec<PathBuf>>> =
        std::thread::Builder::new().name("screenshots".to_owned()).spawn(move || {
            let mut paths = Vec::new();
            for (path, picture) in written {
                write(&path, &picture)?;
                paths.push(path);
            }
            Ok(paths)
        })?;
    let dir = dir.to_owned();
    let creator = move |creation: &eframe::CreationContext<'_>| {
        let (app, plan) = match subject {
            Subject::Run { spec, usual, below } => {
                let mut app = App::new(spec, window::start(device)).on(device);
                app.start_run(&creation.egui_ctx);
                app.set_out(&usual);
                app.arrange(&below);
                let switch = [("before", Moment::Switch(-0.5)), ("switch", Moment::Switch(1.5)), ("end", Moment::End)];
                (app, plan(&switch))
            }
            Subject::Study(name, spec) => {
                let mut app = App::new(PRESETS[0].spec(), window::start(device));
                app.study_mut().choose(name, &spec);
                app.study_mut().shown = true;
                (app, plan(&[("study-half", Moment::Half), ("study", Moment::Done)]))
            }
        };
        Ok(Box::new(ScreenshotTaker { app, dir, pictures, plan, stage: Stage::Wait, begun: false })
            as Box<dyn eframe::App>)
    };
    window::run(window::native_options(size), Box::new(creator))?;
    // The window is closed and has dropped the sender, so the writer ends.
    writer.join().map_err(|_| anyhow::anyhow!("the thread that writes the pictures broke"))?
}

fn write(path: &Path, picture: &ColorImage) -> anyhow::Result<()> {
    let [width, height] = picture.size.map(|side| side as u32);
    let bytes: Vec<u8> = picture.pixels.iter().flat_map(|pixel| pixel.to_array()).collect();
    let image = image::RgbaImage::from_raw(width, height, bytes).context("a picture had too few pixels")?;
    image.save(path).with_context(|| format!("{} cannot be written", path.display()))
}

/// The moment of a picture.
#[derive(Clone, Copy)]
enum Moment {
    /// This many epochs after the (planned) first switch, or before it if negative.
    Switch(f64),
    End,
    /// Half of the runs of the study are done, or all.
    Half,
    Done,
}

struct Shot {
    /// The name of the file, without its ending.
    name: String,
    moment: Moment,
    theme: ThemePreference,
}

fn plan(moments: &[(&str, Moment)]) -> VecDeque<Shot> {
    let themes = [(ThemePreference::Light, "light"), (ThemePreference::Dark, "dark")];
    let shot = |&(when, moment): &(&str, Moment)| {
        themes.map(|(theme, name)| Shot { name: format!("{when}-{name}"), moment, theme })
    };
    moments.iter().flat_map(shot).collect()
}

/// Epochs a second while a picture is taken.
const STILL: f64 = 0.01;

enum Stage {
    Wait,
    /// The theme was set; this many frames remain until everything is drawn in it.
    Settle(u32),
    Asked(crossbeam_channel::Receiver<Arc<ColorImage>>),
}

/// Drives the window through its scenes and saves a picture of each.
struct ScreenshotTaker {
    app: App,
    dir: PathBuf,
    pictures: Sender<(PathBuf, Arc<ColorImage>)>,
    plan: VecDeque<Shot>,
    stage: Stage,
    /// Whether the study was started.
    begun: bool,
}

impl ScreenshotTaker {
    fn is_due(&self, moment: Moment) -> bool {
        let study = self.app.study();
        let ended = || {
            let ended = |state: &State| matches!(state, State::Ended(_) | State::Failed(_));
            study
                .opened()
                .map(|opened| (opened.states.iter().filter(|state| ended(state)).count(), opened.states.len()))
        };
        let fitted = study.learnt().is_none() || study.fits().is_some();
        match moment {
            Moment::Half => return fitted && ended().is_some_and(|(done, all)| 2 * done >= all),
            Moment::Done => return fitted && ended().is_some_and(|(done, all)| done == all) && !study.is_running(),
            Moment::Switch(_) | Moment::End => {}
        }
        let history = self.app.history();
        if matches!(history.state(), RunState::Ended(_)) {
            let futures = self.app.forks().branches();
            return futures.iter().all(|future| matches!(future.session.history.state(), RunState::Ended(_)));
        }
        match moment {
            Moment::End | Moment::Half | Moment::Done => false,
            Moment::Switch(after) => {
                let bands = crate::ui::playback::clock::bands(history);
                let switch = bands.first().map_or(f64::INFINITY, |band| band.to);
                crate::ui::playback::clock::newest(history) >= switch + after
            }
        }
    }

    fn advance(&mut self, ctx: &egui::Context) {
        // A study takes minutes, and should have the machine for itself.
        let waits = self.app.study().shown && matches!(self.stage, Stage::Wait);
        ctx.request_repaint_after(std::time::Duration::from_millis(if waits { 200 } else { 0 }));
        // It starts only once: a run that failed would fail again.
        if self.app.study().shown && self.app.study().can_start() && !self.begun {
            self.begun = true;
            self.app.actions.push(StudyAction::Start);
        }
        let Some(shot) = self.plan.front() else {
            ctx.send_viewport_cmd(ViewportCommand::Close);
            return;
        };
        let due = self.is_due(shot.moment);
        match &mut self.stage {
            Stage::Wait if due => {
                // The pace is so low that both themes show the same moment, however long a picture takes.
                self.app.tell(Command::SetPace(STILL));
                ctx.set_theme(shot.theme);
                self.stage = Stage::Settle(4);
            }
            Stage::Wait => {}
            Stage::Settle(0) => {
                let (send, receive) = bounded(1);
                ctx.request_screenshot(move |picture| {
                    // The receiver is gone if the window was closed meanwhile.
                    let _ = send.try_send(picture);
                });
                self.stage = Stage::Asked(receive);
            }
            Stage::Settle(frames) => *frames -= 1,
            Stage::Asked(receive) => {
                if let Ok(picture) = receive.try_recv() {
                    let path = self.dir.join(format!("{}.png", shot.name));
                    if self.pictures.send((path, picture)).is_err() {
                        // The writer has failed, and reports why once the window is closed.
                        self.plan.clear();
                    }
                    self.plan.pop_front();
                    self.stage = Stage::Wait;
                    self.app.tell(Command::SetPace(self.app.draft().window.pace));
                }
            }
        }
    }
}

impl eframe::App for ScreenshotTaker {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.app.logic(ctx, frame);
        self.advance(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.app.ui(ui, frame);
    }

    /// Removes the pointer, which would show in the pictures if it rests on the window.
    fn raw_input_hook(&mut self, _ctx: &egui::Context, raw_input: &mut egui::RawInput) {
        raw_input.events.retain(|event| !matches!(event, egui::Event::PointerMoved(_)));
    }
}
