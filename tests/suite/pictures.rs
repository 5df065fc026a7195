//! Pictures of the window, compared with those in `tests/snapshots`: every view, page, dialog and state, in both themes.
//!
//! What they show is recorded or made up, never measured while the test runs, so that they are the same on every machine. How
//! to look at them and how to take them anew stands in `tests/snapshots/README.md`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{Order, Pos2, Rect, Theme, Vec2, pos2, vec2};
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotOptions, try_image_snapshot_options};
use image::RgbaImage;
use kernelscope::analysis::LearningCurves;
use kernelscope::analysis::comparison::{Comparison, Findings};
use kernelscope::lab::{Control, live};
use kernelscope::run::{Event, Origin, Point, RunState, Sink};
use kernelscope::spec::{Learner, Spec, StudyRun, lessons};
use kernelscope::ui::App;
use kernelscope::ui::app::commands::UserCommand;
use kernelscope::ui::views::View;
use kernelscope::worker::study_service::{Report, RunSummary, StudyService};
use kernelscope::worker::{Command, DeviceChoice, Waker, Worker, adapters};

use super::Missing;
use super::recorded::{Until, events, play, recorded, two_tasks, without_seconds};
use super::ui::{Ui, press, until};
use super::watch::Training;

/// The size of the window in all pictures, in points and pixels.
const WINDOW: Vec2 = vec2(960.0, 600.0);
/// The harness keeps so much free round what it shows.
const MARGIN: f32 = 8.0;
/// The window in which one view is enlarged, and what of it that view covers.
const SMALL: Vec2 = vec2(900.0, 540.0);
const VIEW: Rect = Rect { min: pos2(317.0, 42.0), max: pos2(900.0, 462.0) };
/// Parts of the window: its top with the banner, what of it marks a setting that cannot be, its left side, and its upper curves.
const BANNER: Rect = Rect { min: pos2(0.0, 0.0), max: pos2(960.0, 90.0) };
const REFUSED: Rect = Rect { min: pos2(0.0, 0.0), max: pos2(700.0, 400.0) };
const LEFT: Rect = Rect { min: pos2(0.0, 40.0), max: pos2(320.0, 580.0) };
const CURVES: Rect = Rect { min: pos2(560.0, 40.0), max: pos2(960.0, 370.0) };
/// Of a presentation, where the harness's margin is enlarged too, and nothing is painted there.
const PRESENTED: Rect = Rect { min: pos2(8.0, 8.0), max: pos2(800.0, 560.0) };
/// How long a window that looks otherwise than its picture is given to look as it should: what is worked out beside the window
/// comes when it comes. Only the first picture that differs costs so much.
const PATIENCE: Duration = Duration::from_secs(20);
/// A window that has looked the same for so long stays so.
const STILL: Duration = Duration::from_millis(300);
/// A window that has not looked the same for that long within this time never does: something in it moves for ever.
const UNREST: Duration = Duration::from_secs(60);

/// How far the colour of a pixel may be from its picture's, and how many pixels may be farther. On a busy machine the driver
/// rounds a few pixels of a picture by one level of 255, which is far below this.
const TOLERANCE: (f32, usize) = (0.6, 0);

/// Where the pictures lie, and how far one may be from what is painted.
fn options() -> SnapshotOptions {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    SnapshotOptions::new().threshold(TOLERANCE.0).max_failed_pixels(TOLERANCE.1).output_path(folder)
}

/// A window whose pictures are taken; says at the end which of them are others than those that were looked at.
struct Album {
    harness: Ui,
    differ: Vec<String>,
}

impl Album {
    /// With this window; none where nothing can paint it.
    fn new(app: App) -> Option<Self> {
        let mut app = app.without_meters();
        app.exports_mut().set_folder(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("exports"));
        let draw = |ui: &mut egui::Ui, app: &mut App| {
            app.tick(ui.ctx());
            app.show(ui);
        };
        let mut harness = Harness::builder().with_size(WINDOW + Vec2::splat(2.0 * MARGIN)).build_ui_state(draw, app);
        harness.run_steps(3);
        // A caret that blinks would leave no window still.
        harness.ctx.all_styles_mut(|style| style.visuals.text_cursor.blink = false);
        // Another driver paints other pixels.
        if !cfg!(target_os = "linux") {
            super::skipped(Missing::Hardware, "pictures are compared where Mesa's software driver is, on Linux");
            return None;
        }
        if !adapters().iter().any(|adapter| adapter.software) || harness.render().is_err() {
            super::skipped(Missing::Installable, "no software driver, no picture was compared");
            return None;
        }
        Some(Self { harness, differ: Vec::new() })
    }

    fn command(&mut self, command: UserCommand) {
        let key = command.about().key;
        self.harness.key_press_modifiers(key.modifiers, key.logical_key);
        self.harness.run_steps(4);
    }

    /// Gives the window this size.
    fn resize(&mut self, size: Vec2) {
        self.harness.set_size(size + Vec2::splat(2.0 * MARGIN));
        self.harness.run_steps(4);
    }

    /// Closes what is open above the window.
    fn close(&mut self) {
        self.harness.key_press(egui::Key::Escape);
        self.harness.run_steps(4);
    }

    fn paint(&mut self, part: Option<Rect>) -> RgbaImage {
        self.harness.step();
        let all = self.harness.render().expect("it could be painted before");
        let window = vec2(all.width() as f32, all.height() as f32) - Vec2::splat(2.0 * MARGIN);
        let part = part.unwrap_or(Rect::from_min_size(Pos2::ZERO, window)).translate(Vec2::splat(MARGIN));
        let [x, y, width, height] =
            [part.min.x, part.min.y, part.width(), part.height()].map(|length| length.round() as u32);
        image::imageops::crop_imm(&all, x, y, width, height).to_image()
    }

    /// Compares the window, or a part of it, in both themes.
    fn take(&mut self, name: &str, part: Option<Rect>) {
        // A pointer that rests on a button would light it up.
        self.harness.remove_cursor();
        for (theme, ending) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
            self.harness.ctx.set_theme(theme);
            self.harness.run_steps(4);
            self.compare(&format!("{name}-{ending}"), part);
        }
    }

    /// Compares what lies above the window: a dialog or a list.
    fn take_above(&mut self, name: &str) {
        let above = self.harness.ctx.memory(|memory| {
            let areas = memory.areas();
            let seen = |order| areas.top_layer_id(order).filter(|layer| areas.is_visible(layer));
            let top = seen(Order::Foreground).or_else(|| seen(Order::Middle));
            memory.area_rect(top.expect("something lies above the window").id).expect("it was drawn")
        });
        let window = Rect::from_min_size(Pos2::ZERO, WINDOW);
        self.take(name, Some(above.translate(Vec2::splat(-MARGIN)).expand(6.0).intersect(window)));
    }

    fn compare(&mut self, name: &str, part: Option<Rect>) {
        let (mut last, mut since) = (self.paint(part), Instant::now());
        let began = Instant::now();
        while since.elapsed() < STILL {
            assert!(began.elapsed() < UNREST, "what {name} shows does not come to rest");
            std::thread::sleep(Duration::from_millis(10));
            let next = self.paint(part);
            if next != last {
                (last, since) = (next, Instant::now());
            }
        }
        let (began, patience) = (Instant::now(), if self.differ.is_empty() { PATIENCE } else { STILL });
        loop {
            match try_image_snapshot_options(&last, name, &options()) {
                Ok(()) => return pack(name, &last),
                Err(err) if began.elapsed() > patience => {
                    self.differ.push(err.to_string());
                    return;
                }
                Err(_) => {}
            }
            std::thread::sleep(Duration::from_millis(50));
            last = self.paint(part);
        }
    }

    /// A view alone, with all the room that there is.
    fn view(&mut self, view: View) {
        self.resize(SMALL);
        self.harness.state_mut().set_out(&[view]);
        self.harness.run_steps(2);
        self.command(UserCommand::Enlarge);
        let name: String = view.title().to_lowercase().replace(' ', "-").replace('λ', "lambda");
        self.take(&format!("view-{name}"), Some(VIEW));
    }

    fn end(self) {
        assert!(self.differ.is_empty(), "{} pictures differ:\n{}", self.differ.len(), self.differ.join("\n"));
    }
}

/// Writes a picture that was taken anew as small as it can be.
fn pack(name: &str, picture: &RgbaImage) {
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    if std::env::var_os("UPDATE_SNAPSHOTS").is_none() {
        return;
    }
    // No pixel of a window is transparent.
    let opaque = image::DynamicImage::ImageRgba8(picture.clone()).into_rgb8();
    let packed = [FilterType::NoFilter, FilterType::Sub, FilterType::Up, FilterType::Paeth].map(|filter| {
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, filter);
        opaque.write_with_encoder(encoder).expect("written to memory");
        bytes
    });
    let smallest = packed.into_iter().min_by_key(Vec::len).expect("there are four");
    std::fs::write(options().output_path.join(format!("{name}.png")), smallest).expect("the folder is there");
}

/// A window that shows a run which was recorded.
fn playing(name: &str, until: Until) -> App {
    let history = recorded(name);
    let spec = history.info().unwrap().spec.clone();
    App::new(spec, Box::new(move |_, waker| play(&history, until, waker)))
}

fn ended(app: &App) -> bool {
    matches!(app.history().state(), RunState::Ended(_))
}

/// The window once its run has come as far as it goes.
fn played(name: &str, until_when: Until) -> Option<Album> {
    let mut album = Album::new(playing(name, until_when))?;
    press(&mut album.harness, "Start");
    match until_when {
        Until::Epoch(epoch) => until(&mut album.harness, "the run", move |app| {
            app.history().rows().last().is_some_and(|row| row.epoch >= epoch)
        }),
        _ => until(&mut album.harness, "the end of the run", ended),
    }
    // The colours of the kernel are those of all kernels that were drawn, which are few where the run came at once.
    let epochs: Vec<f64> = album.harness.state().history().rows().iter().map(|row| row.epoch).collect();
    for epoch in epochs {
        album.harness.state_mut().seek(epoch);
        album.harness.run_steps(2);
    }
    album.command(UserCommand::Follow);
    Some(album)
}

/// The views that show a run of two tasks by plain SGD; the others follow below.
const OF_TWO_TASKS: [View; 16] = [
    View::Gram,
    View::Velocity,
    View::LagRatios,
    View::Scale,
    View::Alignment,
    View::Spectrum,
    View::Waterfall,
    View::Accuracy,
    View::Prediction,
    View::Ledger,
    View::Layers,
    View::Logits,
    View::Coupling,
    View::Distances,
    View::Program,
    View::Trajectories,
];

#[test]
fn pictures_of_views_of_two_tasks() {
    let Some(mut album) = played("width-16-seed-1", Until::End) else { return };
    for view in OF_TWO_TASKS {
        album.view(view);
    }
    // Two moments, of which the first is chosen: the end of the first task.
    album.harness.state_mut().seek(6.0);
    album.harness.run_steps(2);
    album.command(UserCommand::MomentA);
    album.command(UserCommand::Follow);
    album.command(UserCommand::MomentB);
    album.view(View::Compare);
    let other = recorded("width-32-seed-1");
    album.harness.state_mut().runs_mut().add("twice as wide".to_owned(), None, other, None);
    album.view(View::Beside);
    album.end();
}

#[test]
fn pictures_of_views_of_other_runs() {
    let runs = [("adam", View::Optimiser), ("circle", View::Circle), ("disk", View::Disk), ("circle", View::Modes)];
    for (name, view) in runs {
        let Some(mut album) = played(name, Until::End) else { return };
        album.view(view);
        album.end();
    }
    let all = OF_TWO_TASKS.into_iter().chain(runs.map(|(_, view)| view));
    let all: Vec<View> = all.chain([View::Compare, View::Beside, View::Forks]).collect();
    assert!(View::ALL.iter().all(|view| all.contains(view)), "a view has no picture");
}

/// A laboratory that hears what is asked of it before its first step, however fast it is.
struct Attentive<'a>(&'a mut dyn Control, bool);

impl Control for Attentive<'_> {
    fn poll(&mut self) -> Option<Command> {
        while !self.1 && !self.0.cancelled() {
            if let Some(command) = self.0.wait(Duration::from_millis(20)) {
                self.1 = matches!(command, Command::Fork { .. });
                return Some(command);
            }
        }
        self.0.poll()
    }

    fn wait(&mut self, at_most: Duration) -> Option<Command> {
        self.0.wait(at_most)
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// The only picture of a run that is really trained: a fork keeps weights, which no recording has.
#[test]
fn a_picture_of_forks() {
    let mut spec = two_tasks(16, 1);
    spec.kernel.predict = false;
    let start = |spec: Spec, waker: Waker| {
        let lab = move |control: &mut dyn Control, mut sink: Box<dyn Sink + Send>| {
            let sink = move |event: Event| sink.emit(without_seconds(event));
            live::run(&spec, DeviceChoice::Cpu, false, &mut Attentive(control, false), Box::new(sink));
        };
        Worker::with_lab(Box::new(lab), waker)
    };
    spec.window.pace = 0.0;
    let Some(mut album) = Album::new(App::new(spec, Box::new(start))) else { return };
    press(&mut album.harness, "Start");
    album.harness.state_mut().arrange(&[View::Forks]);
    until(&mut album.harness, "three futures to their end", |app| {
        let futures = app.forks().branches();
        futures.len() == 3 && futures.iter().all(|future| matches!(future.session.history.state(), RunState::Ended(_)))
    });
    until(&mut album.harness, "the end", ended);
    album.view(View::Forks);
    album.end();
}

#[test]
fn pictures_of_the_window_in_its_states() {
    let Some(mut album) = Album::new(playing("width-16-seed-1", Until::End).welcoming()) else { return };
    album.take("window-welcome", None);
    album.harness.state_mut().draft_mut().network.width = 0.into();
    album.harness.run_steps(2);
    album.take("window-refused", Some(REFUSED));
    album.end();

    let Some(mut album) = played("width-16-seed-1", Until::Epoch(7.0)) else { return };
    album.take("window-running", None);
    album.end();

    let Some(mut album) = played("width-16-seed-1", Until::Diverges(3.0)) else { return };
    album.take("window-diverged", Some(BANNER));
    album.end();

    let Some(mut album) = played("width-16-seed-1", Until::End) else { return };
    for name in ["width-16-seed-2", "width-32-seed-1"] {
        album.harness.state_mut().runs_mut().add(name.to_owned(), None, recorded(name), None);
    }
    album.take("window-with-other-runs", Some(CURVES));
    // Everything is a quarter larger.
    album.resize(1.25 * WINDOW);
    album.command(UserCommand::Presentation);
    album.take("window-presented", Some(PRESENTED));
    album.command(UserCommand::Presentation);
    album.resize(vec2(600.0, 400.0));
    album.take("window-small", None);
    album.end();
}

/// The recorded run as a training that another program does, whose steps are told as they are read.
fn told_of_a_watched_training() -> Vec<Event> {
    let history = recorded("width-16-seed-1").retimed(|step| step as f64);
    let mut info = (**history.info().expect("it has begun")).clone();
    let last = history.rows().last().map_or(0, |row| row.step);
    (info.origin, info.planned_steps, info.thumbnails) = (Origin::Watched, last, Arc::default());
    for task in &mut info.tasks {
        task.name = format!("task {}", task.number);
    }
    let mut told = events(&history, Until::Epoch(f64::INFINITY));
    told[0] = Event::Started(Arc::new(info));
    told.push(Event::PassedOver(12));
    told
}

#[test]
fn pictures_of_a_watched_training() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("watched");
    Training::open().begin(&folder);
    let watch = |_, waker: Waker| {
        let lab = |control: &mut dyn Control, mut sink: Box<dyn Sink + Send>| {
            if told_of_a_watched_training().into_iter().any(|event| sink.emit(event).is_err()) {
                return;
            }
            while !control.cancelled() {
                control.wait(Duration::from_millis(20));
            }
        };
        Worker::with_lab(Box::new(lab), waker)
    };
    let app = App::new(two_tasks(16, 1), Box::new(|_, _| unreachable!("no run is started")));
    let Some(mut album) = Album::new(app.watching_by(Box::new(watch))) else { return };
    album.command(UserCommand::WatchTraining);
    album.take_above("dialog-watch");
    album.close();
    album.harness.state_mut().watch(folder);
    until(&mut album.harness, "the record", |app| app.history().passed_over() > 0);
    let times: Vec<f64> = album.harness.state().history().rows().iter().map(|row| row.epoch).collect();
    for time in times {
        album.harness.state_mut().seek(time);
        album.harness.run_steps(2);
    }
    album.command(UserCommand::Follow);
    album.take("window-watching", None);
    album.end();
}

#[test]
fn pictures_of_dialogs() {
    let Some(mut album) = played("width-16-seed-1", Until::End) else { return };
    press(&mut album.harness, "Menu");
    album.take_above("dialog-menu");
    album.close();
    album.harness.state_mut().runs_mut().add("twice as wide".to_owned(), None, recorded("width-32-seed-1"), None);
    album.command(UserCommand::Runs);
    album.take_above("dialog-runs");
    album.command(UserCommand::Runs);
    album.command(UserCommand::Help);
    album.take_above("dialog-help");
    album.command(UserCommand::Help);
    album.command(UserCommand::Lessons);
    album.take_above("dialog-lessons");
    album.close();
    album.command(UserCommand::Palette);
    album.harness.get_by_label("Find").type_text("kernel");
    album.harness.run_steps(4);
    album.take_above("dialog-palette");
    album.close();
    press(&mut album.harness, "Export Kernel");
    album.take_above("dialog-export");
    album.close();
    press(&mut album.harness, "View: Kernel");
    album.take_above("dialog-views");
    album.close();
    album.harness.state_mut().set_out(&[View::Forks]);
    album.harness.run_steps(4);
    press(&mut album.harness, "When to fork, and what to change");
    album.take_above("dialog-fork");
    album.close();
    album.harness.state_mut().set_out(&[View::Program]);
    album.harness.run_steps(4);
    album.resize(SMALL);
    album.command(UserCommand::Enlarge);
    press(&mut album.harness, "Edit");
    album.take("view-program-edited", Some(VIEW));
    album.end();
}

#[test]
fn pictures_of_a_lesson() {
    let Some(mut album) = Album::new(playing("width-16-seed-1", Until::Epoch(7.0))) else { return };
    album.command(UserCommand::Lessons);
    let title = &lessons()[0].title;
    press(&mut album.harness, title);
    album.harness.run_steps(4);
    album.take("lesson", Some(LEFT));
    album.end();
}

/// The study page with what this study service reports.
fn page(told: impl Fn(&Spec) -> Vec<Report> + Send + Sync + 'static) -> App {
    let mut app = App::new(two_tasks(16, 1), Box::new(|_, _| unreachable!("no run is started")));
    let told = Arc::new(told);
    app.study_mut().set_study_service(Box::new(move |order, waker| {
        let told = Arc::clone(&told);
        let job = move |_: &std::sync::atomic::AtomicBool, tell: &mut dyn FnMut(Report) -> bool| {
            told(&order.spec).into_iter().for_each(|report| _ = tell(report));
        };
        StudyService::with_job(Box::new(job), waker)
    }));
    // Else as many as there are processors.
    app.study_mut().draft.at_once = 2;
    app.study_mut().shown = true;
    app
}

#[test]
fn pictures_of_the_study_page() {
    let compared = |spec: &Spec| {
        let runs = spec.runs().expect("it is made below");
        let names = ["width-16-seed-1", "width-16-seed-2", "width-32-seed-1", "width-32-seed-2"];
        let done: Vec<_> = names.map(|name| Findings::of(&recorded(name)).map(Arc::new)).into();
        let told = RunSummary { diverged: false, headline: "velocity ×17.3, λ_max ×0.868".to_owned() };
        let compared = Comparison::of("network.width", &runs, |place| done[place].clone());
        vec![
            Report::Opened { summaries: vec![Some(told); runs.len()], runs: runs.into() },
            Report::Compared(Arc::new(compared)),
        ]
    };
    let mut app = page(compared);
    app.study_mut().draft.values = Some("16, 32".to_owned());
    app.study_mut().draft.seeds = "1, 2".to_owned();
    let Some(mut album) = Album::new(app) else { return };
    until(&mut album.harness, "the comparison", |app| app.study().comparison().is_some());
    album.take("study", None);
    album.end();

    let nothing = |spec: &Spec| {
        let runs = spec.runs().expect("a ready-made study");
        vec![Report::Opened { summaries: vec![None; runs.len()], runs: runs.into() }]
    };
    let Some(mut album) = Album::new(page(nothing)) else { return };
    until(&mut album.harness, "a look at the folder", |app| app.study().opened().is_some());
    album.take("study-to-come", None);
    album.end();
}

/// Learners whose errors fall as powers, with a scatter that is the same each time.
fn points(run: &StudyRun) -> Arc<[Point]> {
    let samples = run.spec.data.samples;
    let learners = [
        (Learner::Network, 40.0, 1.1),
        (Learner::KernelStart, 2.0, 0.25),
        (Learner::KernelEnd, 30.0, 0.95),
        (Learner::Infinite, 2.2, 0.3),
    ];
    let point = |(place, (learner, prefactor, exponent)): (usize, (Learner, f64, f64))| {
        let scatter = 1.0 + 0.15 * ((17 * run.seed + 5 * place as u64 + samples as u64) as f64).sin();
        let mse = scatter * prefactor / (samples as f64).powf(exponent);
        Point {
            mse: Some(mse),
            error: Some(0.4 * mse.min(1.0)),
            train_mse: Some(0.1 * mse),
            validation_mse: Some(mse),
            drift: (learner == Learner::KernelEnd).then_some(1.0 - 0.1 * scatter),
            ..Point::of(learner, samples)
        }
    };
    learners.into_iter().enumerate().map(point).collect()
}

#[test]
fn pictures_of_the_page_of_learners() {
    let learnt = |spec: &Spec| {
        let runs = spec.runs().expect("a ready-made study");
        let learnt = LearningCurves::of("data.samples", &runs, |place| (points(&runs[place]), Arc::default()));
        let told = RunSummary { diverged: false, headline: "test error 0.31".to_owned() };
        vec![
            Report::Opened { summaries: vec![Some(told); runs.len()], runs: runs.into() },
            Report::LearningCurves(Arc::new(learnt)),
        ]
    };
    let mut app = page(learnt);
    app.study_mut().choose("he3", &two_tasks(16, 1));
    app.study_mut().draft.at_once = 2;
    let Some(mut album) = Album::new(app) else { return };
    until(&mut album.harness, "the laws", |app| app.study().fits().is_some());
    album.take("study-of-learners", None);
    album.end();
}
