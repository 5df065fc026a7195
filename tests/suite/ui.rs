//! The window, driven as a user drives it: real buttons by their names, on the real worker.
//!
//! The harness also holds two laws for us: it fails when an input has no name for a screen reader, and when a sign is in
//! none of the fonts.

use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use kernelscope::analysis::{GrowingDistances, compared_snapshots};
use kernelscope::chart::series_cache::{Key, SeriesCache, Window};
use kernelscope::chart::series_id::SeriesId;
use kernelscope::math::Gram;
use kernelscope::math::distance::{Centring, distances};
use kernelscope::run::{Block, Ending, Event, History, Metric, RunState};
use kernelscope::spec::{Effect, NetworkSpec, PRESETS, Spec, preset};
use kernelscope::ui::App;
use kernelscope::ui::kit::background_task::BackgroundTask;
use kernelscope::ui::playback::clock::{Clock, bands};
use kernelscope::ui::views::View;
use kernelscope::worker::{DeviceChoice, Job, Worker};

use super::{at_once, read_all, start, tiny, wait_until};

pub type Ui = Harness<'static, App>;

pub fn window(spec: Spec) -> Ui {
    window_of(spec, |spec, waker| Worker::start(Job { spec, device: DeviceChoice::Cpu, paced: false }, waker))
}

fn window_of(spec: Spec, start: impl Fn(Spec, kernelscope::worker::Waker) -> Worker + 'static) -> Ui {
    window_with(App::new(spec, Box::new(start)))
}

/// A window of this state.
pub fn window_with(mut app: App) -> Ui {
    // A test that presses everything exports, too.
    app.exports_mut().set_folder(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("exports"));
    let draw = |ui: &mut egui::Ui, app: &mut App| {
        app.tick(ui.ctx());
        app.show(ui);
    };
    let mut harness = Harness::builder().with_size([1280.0, 800.0]).build_ui_state(draw, app);
    // The first frame installs the theme.
    harness.run_steps(3);
    harness
}

/// Draws frames until the wish is fulfilled.
#[track_caller]
pub fn until(harness: &mut Ui, what: &str, wish: impl Fn(&App) -> bool) {
    until_seen(harness, what, |harness| wish(harness.state()));
}

/// Draws frames until something is to be seen in the window.
#[track_caller]
pub fn until_seen(harness: &mut Ui, what: &str, wish: impl Fn(&Ui) -> bool) {
    wait_until(what, || {
        let is_so = wish(harness);
        if !is_so {
            harness.step();
        }
        is_so
    });
    harness.run_steps(2);
}

#[track_caller]
pub fn press(harness: &mut Ui, name: &str) {
    harness.get_by_label(name).click();
    harness.run_steps(4);
}

pub fn endless() -> Spec {
    let mut spec = tiny();
    spec.tasks.epochs = vec![100_000.0];
    spec
}

fn running(app: &App) -> bool {
    *app.history().state() == RunState::Running && app.history().snapshots().len() > 3
}

#[test]
fn a_run_begun_by_its_button_ends_by_itself_and_all_views_show_it() {
    let mut harness = window(tiny());
    harness.get_by_label_contains("Nothing has run yet");
    press(&mut harness, "Start");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(Ending::Finished { .. })));
    // The others are chosen below.
    for view in &View::ALL[..7] {
        harness.get_by_label(&format!("About {}", view.title()));
    }
    harness.check_accessibility();
    let app = harness.state();
    assert_eq!(app.history().tasks().len(), 2);
    assert!(app.clock().is_following());
    assert_eq!(kernelscope::ui::views::matrix_of(app.history()).len(), 2, "a row per task that ended");
    harness.get_by_label("Start");
}

#[test]
fn pausing_shows_what_is_confirmed_and_a_step_is_one_step() {
    let mut harness = window(endless());
    press(&mut harness, "Start");
    until(&mut harness, "training", running);
    press(&mut harness, "Pause");
    until(&mut harness, "the pause", |app| app.session().is_some_and(|session| session.is_paused()));
    let stands = harness.state().history().progress().step;
    harness.run_steps(20);
    assert_eq!(harness.state().history().progress().step, stands, "a paused run stands still");
    press(&mut harness, "Step");
    until(&mut harness, "one step", |app| app.history().progress().step == stands + 1);
    until(&mut harness, "the pause after it", |app| app.session().is_some_and(|session| session.is_paused()));
    press(&mut harness, "Resume");
    until(&mut harness, "training again", |app| app.history().progress().step > stands + 1);
}

#[test]
fn switching_stopping_and_restarting_answer_at_once() {
    let mut harness = window(endless());
    press(&mut harness, "Start");
    until(&mut harness, "training", running);
    press(&mut harness, "Switch task now");
    until(&mut harness, "the second task", |app| app.history().tasks().len() == 2);
    until(&mut harness, "a snapshot of it", |app| app.history().rows().last().is_some_and(|row| row.task == 2));

    let asked = Instant::now();
    press(&mut harness, "Restart");
    // The run before has no end: nothing may wait for it.
    at_once("restart", asked);
    assert!(harness.state().reference().is_some(), "the run before stays as a faint reference");
    assert_eq!(harness.state().session().unwrap().spec.seed, 1, "restart keeps the seed");
    until(&mut harness, "training anew", running);

    press(&mut harness, "New seed");
    assert_ne!(harness.state().session().unwrap().spec.seed, 1);
    until(&mut harness, "training with the new seed", running);

    let asked = Instant::now();
    press(&mut harness, "Stop");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(Ending::Stopped { .. })));
    at_once("stop", asked);

    press(&mut harness, "Start");
    until(&mut harness, "training once more", running);
    let asked = Instant::now();
    drop(harness);
    at_once("closing", asked);
}

#[test]
fn live_settings_act_at_once_and_the_others_wait_for_a_restart() {
    let mut harness = window(endless());
    press(&mut harness, "Start");
    until(&mut harness, "training", running);
    harness.get_by_label("Rate η").set_value_accesskit(0.25);
    until(&mut harness, "the new rate", |app| {
        app.history().changes().iter().any(|change| change.effect == Effect::Rate(0.25))
    });
    assert!(harness.query_by_label("Restart to apply").is_none(), "a rate needs no restart");

    harness.state_mut().draft_mut().network.width = 24.into();
    harness.run_steps(2);
    assert_eq!(harness.state().session().unwrap().spec.network.width, 16, "the run goes on as it was");
    press(&mut harness, "Restart to apply");
    assert_eq!(harness.state().session().unwrap().spec.network.width, 24);
    assert!(harness.query_by_label("Restart to apply").is_none());
}

#[test]
fn what_is_wrong_stands_in_words_below_its_field() {
    let mut harness = window(tiny());
    harness.state_mut().draft_mut().network.width = 0.into();
    harness.run_steps(2);
    let spec = harness.state().draft().clone();
    let problems = spec.problems(&kernelscope::spec::DataShape::expected(&spec));
    let problem = problems.iter().find(|problem| problem.field == "network.width").expect("a width of 0 is refused");
    let words = &problem.message[1..];
    let panel = harness.get_all_by_label("Width").last().unwrap().rect();
    let below = harness.get_all_by_label_contains(words).any(|node| {
        let rect = node.rect();
        rect.left() < 300.0 && rect.top() >= panel.top() && rect.top() < panel.bottom() + 30.0
    });
    assert!(below, "“{words}” stands below the field");
    press(&mut harness, "Start");
    assert!(harness.state().session().is_none(), "nothing starts that is refused");
}

#[test]
fn each_kind_of_network_shows_its_own_fields_and_begins_with_its_own_sizes() {
    let mut harness = window(Spec::default());
    let fields = |name: &str| match name {
        "mlp" => &["Width", "Depth", "Norm"][..],
        "cnn" => &["Width", "Depth", "Pool", "Head"],
        "resmlp" => &["Width", "Blocks", "Norm"],
        "transformer" => &["Width", "Blocks", "Heads", "Patch"],
        _ => &["Width"],
    };
    let kinds = ["cnn", "resmlp", "transformer", "rnn", "mlp"];
    for name in kinds {
        harness.get_by_role_and_label(egui::accesskit::Role::ComboBox, "Architecture").click();
        harness.run_steps(3);
        press(&mut harness, name);
        let network = &harness.state().draft().network;
        assert_eq!(*network, NetworkSpec::of(name));
        for of in kinds {
            for field in fields(of) {
                let shown = harness.query_all_by_label(field).next().is_some();
                assert_eq!(shown, fields(name).contains(field), "{field} for {name}");
            }
        }
        harness.check_accessibility();
    }
}

/// Points have two classes and their own probes, so that what is chosen can start; and images take theirs back.
#[test]
fn points_are_chosen_with_tasks_and_probes_that_can_start() {
    use kernelscope::spec::{DataShape, Source};
    let mut harness = window(Spec::default());
    harness.get_by_label("Data").scroll_to_me();
    harness.run_steps(4);
    press(&mut harness, "Data");
    let choices = [
        ("points of a disk", Source::Disk),
        ("points of a circle", Source::Circle),
        ("points of a disk", Source::Disk),
        ("Fashion-MNIST, small", Source::FashionMnistSmall),
    ];
    for (name, source) in choices {
        // Scrolled out of sight, a list cannot be opened by a click.
        harness.get_by_role_and_label(egui::accesskit::Role::ComboBox, "Source").scroll_to_me();
        harness.run_steps(4);
        harness.get_by_role_and_label(egui::accesskit::Role::ComboBox, "Source").click();
        harness.run_steps(3);
        harness.get_all_by_label(name).last().expect("a choice of the list").click();
        harness.run_steps(4);
        let spec = harness.state().draft().clone();
        assert_eq!(spec.data.source, source, "{name}");
        assert_eq!(spec.problems(&DataShape::expected(&spec)), [], "{name}");
        harness.check_accessibility();
    }
    assert_eq!(*harness.state().draft(), Spec::default());
}

#[test]
fn tasks_are_moved_by_keyboard_and_those_begun_stay() {
    let mut spec = preset("five-tasks").unwrap().spec();
    let tiny = tiny();
    (spec.data, spec.network, spec.kernel, spec.training) = (tiny.data, tiny.network, tiny.kernel, tiny.training);
    spec.tasks.epochs = vec![100_000.0];
    let mut harness = window(spec);
    press(&mut harness, "Start");
    until(&mut harness, "training", running);
    assert!(harness.get_by_label("Move task 2 earlier").accesskit_node().is_disabled(), "task 1 has begun");
    harness.get_by_label("Move task 5 earlier").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::Enter);
    harness.run_steps(2);
    assert_eq!(harness.state().draft().tasks.sequence(), [1, 2, 3, 5, 4]);
    until(&mut harness, "the run to hear of it", |app| app.history().progress().upcoming == [2, 3, 5, 4]);
    assert!(harness.query_by_label("Restart to apply").is_none(), "an order needs no restart");
}

/// A view is chosen by the title of its place; where it stood before comes what stood here, and nothing stands twice.
#[test]
fn views_change_places_by_their_titles() {
    let mut harness = window(tiny());
    press(&mut harness, "Start");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(Ending::Finished { .. })));
    let place = |harness: &Ui, view: View| harness.get_by_label(&format!("View: {}", view.title())).rect().min;
    let choose = |harness: &mut Ui, from: View, to: View| {
        harness.get_by_label(&format!("View: {}", from.title())).click();
        harness.run_steps(3);
        harness.get_all_by_label(to.title()).last().expect("every view is in the list").click();
        harness.run_steps(4);
    };
    let (square, small, wide) =
        (place(&harness, View::Gram), place(&harness, View::Accuracy), place(&harness, View::Velocity));
    choose(&mut harness, View::Accuracy, View::Velocity);
    assert_eq!(place(&harness, View::Velocity), small);
    assert_eq!(place(&harness, View::Accuracy), wide);
    // Every view can be drawn in the smallest place and in the square one.
    for corner in [small, square] {
        for view in View::ALL {
            let shown = |view: &&View| harness.query_by_label(&format!("View: {}", view.title())).is_some();
            let stands = View::ALL.iter().filter(shown).find(|&&view| place(&harness, view) == corner);
            let stands = *stands.expect("something stands in every place");
            choose(&mut harness, stands, view);
            assert_eq!(place(&harness, view), corner);
            harness.get_by_label(&format!("About {}", view.title()));
            harness.check_accessibility();
        }
    }
}

#[test]
fn keys_scrub_the_past_while_training_goes_on() {
    let mut harness = window(endless());
    press(&mut harness, "Start");
    until(&mut harness, "training", |app| app.history().snapshots().len() > 8);
    for _ in 0..3 {
        harness.key_press(egui::Key::ArrowLeft);
        harness.run_steps(2);
    }
    let app = harness.state();
    let chosen = app.clock().chosen().expect("an arrow chooses a moment");
    assert!(
        app.history().snapshots().iter().any(|snapshot| snapshot.row.epoch == chosen),
        "the cursor stands on snapshots"
    );
    let seen = app.history().rows().len();
    until(&mut harness, "training to go on", |app| app.history().rows().len() > seen + 4);
    assert_eq!(harness.state().clock().chosen(), Some(chosen), "the cursor stays where it was put");
    harness.key_press(egui::Key::End);
    harness.run_steps(2);
    assert!(harness.state().clock().is_following());
}

#[test]
fn a_run_that_diverges_or_breaks_says_so_and_can_begin_again() {
    let mut spec = endless();
    spec.training.rate = 100.0;
    spec.training.loss = kernelscope::spec::Loss::Mse;
    let mut harness = window(spec);
    press(&mut harness, "Start");
    until(&mut harness, "divergence", |app| matches!(app.history().state(), RunState::Ended(Ending::Diverged { .. })));
    harness.get_by_label_contains("at step");
    harness.get_by_label_contains("can be scrubbed");
    // The same rate would end in the same way, so a smaller one is offered, as the message says.
    assert!(harness.query_by_label("Restart with these settings").is_none());
    press(&mut harness, "Restart with rate 10");
    assert_eq!(harness.state().draft().training.rate, 10.0);
    assert_eq!(harness.state().session().unwrap().spec.training.rate, 10.0);
    until(&mut harness, "divergence", |app| matches!(app.history().state(), RunState::Ended(Ending::Diverged { .. })));
    harness.state_mut().draft_mut().training.rate = 0.01;
    harness.run_steps(2);
    press(&mut harness, "Restart with these settings");
    until(&mut harness, "training", running);

    // The harness prints the panic of the laboratory; that is part of the test.
    let mut harness =
        window_of(tiny(), |_, waker| Worker::with_lab(Box::new(|_, _| panic!("the roof is on fire")), waker));
    press(&mut harness, "Start");
    until(&mut harness, "the failure", |app| matches!(app.history().state(), RunState::Ended(Ending::Failed { .. })));
    harness.get_by_label_contains("the roof is on fire");
}

#[test]
fn the_theme_changes_by_button_and_by_key() {
    let mut harness = window(tiny());
    // From there the first step is one to the other theme, and the second one back.
    harness.ctx.set_theme(egui::ThemePreference::System);
    let dark = harness.ctx.theme();
    press(&mut harness, "Theme");
    assert_ne!(harness.ctx.theme(), dark);
    harness.key_press(egui::Key::D);
    harness.run_steps(2);
    assert_eq!(harness.ctx.theme(), dark);
    press(&mut harness, "Help");
    harness.get_by_label_contains("Drag with the right button");
    harness.check_accessibility();
}

/// Pictures, where something can paint them: both themes, at both sizes, with something in every view.
#[test]
fn both_themes_are_painted_at_both_sizes() {
    let mut harness = window(tiny());
    press(&mut harness, "Start");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(Ending::Finished { .. })));
    for size in [egui::vec2(1280.0, 800.0), egui::vec2(2560.0, 1440.0)] {
        harness.set_size(size);
        for (theme, dark) in [(egui::Theme::Light, false), (egui::Theme::Dark, true)] {
            harness.ctx.set_theme(theme);
            harness.run_steps(3);
            let painted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| harness.render()));
            let Ok(Ok(picture)) = painted else {
                super::skipped(super::Missing::Installable, "no graphics driver, nothing was painted");
                return;
            };
            assert_eq!((picture.width(), picture.height()), (size.x as u32, size.y as u32));
            let luma =
                |x: u32, y: u32| picture.get_pixel(x, y).0[..3].iter().map(|&part| u64::from(part)).sum::<u64>() / 3;
            let samples: Vec<u64> =
                (0..2000).map(|at| luma((at * 97) % size.x as u32, (at * 61) % size.y as u32)).collect();
            let mean = samples.iter().sum::<u64>() / samples.len() as u64;
            assert_eq!(mean < 110, dark, "a mean of {mean} in the theme {theme:?}");
            // Where the kernel stands there are many colours.
            let colours: std::collections::HashSet<[u8; 4]> = (0..300)
                .flat_map(|x| (0..300).map(move |y| (x, y)))
                .map(|(x, y)| picture.get_pixel(360 + x, 110 + y).0)
                .collect();
            assert!(colours.len() > 20, "only {} colours where the kernel should be", colours.len());
        }
    }
}

fn history() -> History {
    let mut spec = tiny();
    spec.tasks.epochs = vec![6.0, 4.0];
    let mut history = History::default();
    read_all(&start(spec)).into_iter().for_each(|event| history.push(event));
    history
}

#[test]
fn the_clock_follows_until_the_user_looks_elsewhere() {
    let history = history();
    let mut clock = Clock::default();
    assert_eq!(clock.range(&history), (0.0, 10.0));
    assert_eq!(clock.cursor(&history), 10.0);
    clock.step(&history, false);
    assert!(!clock.is_following());
    assert!(clock.cursor(&history) < 10.0);
    clock.step(&history, true);
    clock.zoom(&history, 6.0, 2.0);
    let (from, to) = clock.range(&history);
    assert!((to - from - 5.0).abs() < 1e-9 && from < 6.0 && to > 6.0);
    clock.pan(&history, 100.0);
    assert_eq!(clock.range(&history).1, 10.0, "no panning beyond the end");
    clock.follow();
    assert!(clock.is_following());
    let bands = bands(&history);
    assert_eq!(bands.iter().map(|band| band.task).collect::<Vec<_>>(), [1, 2]);
    assert!((bands[0].to - 6.0).abs() < 0.1 && bands[0].to == bands[1].from);
}

/// A layer's multiple is the spike of its own curve at the last switch.
#[test]
fn the_spikes_of_layers_are_those_of_their_curves() {
    let history = history();
    let curves = SeriesCache::default();
    let found = curves.layer_spikes(&history, 2).to_vec();
    assert_eq!(found.len(), 3);
    for (place, layer) in ["fc1", "fc2", "fc3"].into_iter().enumerate() {
        let of = |row: &kernelscope::run::Row| {
            row.layers.iter().find(|of| of.task == 2 && &*of.layer == layer).and_then(|of| of.velocity_debiased)
        };
        let series: Vec<(f64, f64)> =
            history.rows().iter().filter_map(|row| of(row).map(|value| (row.epoch, value))).collect();
        let expected = kernelscope::math::spike::spike(&series, 0.0, 6.0, f64::INFINITY);
        assert!(expected.is_some());
        assert_eq!(found[place], expected, "{layer}");
    }
}

/// What grows with the run is what all pairs at once give, however often it was asked for while the run went on.
#[test]
fn distances_grow_with_the_run_to_those_of_all_pairs() {
    let mut spec = tiny();
    spec.kernel.per_epoch = 12;
    let mut growing = GrowingDistances::default();
    let (mut history, rows) = (History::default(), 10..20);
    let mut answers = std::collections::BTreeSet::new();
    let mut update = |history: &History, rows: &std::ops::Range<usize>| {
        let snapshots: Vec<_> = compared_snapshots(history, rows.len()).cloned().collect();
        growing.update((rows, history.centring()), &snapshots)
    };
    for event in read_all(&start(spec)) {
        let measured = matches!(event, Event::Snapshot(_));
        history.push(event);
        if measured {
            answers.insert(update(&history, &rows).times.len());
        }
    }
    let block = |gram: &[f64]| {
        let values = rows.clone().flat_map(|row| gram[row * 20..][rows.clone()].to_vec()).collect();
        Gram::symmetrised(10, values).unwrap().0
    };
    let kernels: Vec<Gram> = history.snapshots().iter().map(|snapshot| block(&snapshot.gram)).collect();
    let found = update(&history, &rows);
    assert_eq!(found.times.len(), kernels.len());
    assert!(answers.len() > 2, "it was asked while it grew: {answers:?}");
    // Ten probes a task are few.
    let expected = distances(&kernels, Centring::Debiased);
    assert!(found.values.iter().zip(&expected).all(|(found, expected)| *found == *expected as f32));
    assert!(found.times.iter().map(|time| time.0).eq(history.snapshots().iter().map(|snapshot| snapshot.row.step)));
    let other = update(&history, &(0..10));
    assert!(
        other.values.iter().zip(&found.values).any(|(other, found)| other != found),
        "nothing of another block is kept"
    );
}

/// A task of a view keeps what it was asked for last, and after a reset nothing of what was asked before is seen.
#[test]
fn a_background_task_answers_by_key_and_forgets_with_the_run() {
    let (go, gate) = crossbeam_channel::bounded::<()>(0);
    let (done, heard) = crossbeam_channel::bounded(8);
    let ctx = egui::Context::default();
    ctx.set_request_repaint_callback(move |_| _ = done.try_send(()));
    let mut task: BackgroundTask<u32, u32, u32> = BackgroundTask::new("test", 2);
    let begin = |task: &mut BackgroundTask<u32, u32, u32>| {
        let gate = gate.clone();
        task.start(&ctx, move |_, request| gate.recv().map_or(0, |()| request * request)).unwrap();
    };
    let finish = || {
        go.send_timeout((), Duration::from_secs(20)).unwrap();
        heard.recv_timeout(Duration::from_secs(20)).unwrap();
        // A repaint that was asked for already is not asked for again.
        for _ in 0..3 {
            ctx.begin_pass(egui::RawInput::default());
            _ = ctx.end_pass();
        }
    };
    assert_eq!(task.get(&1, || unreachable!("there is no thread")), None);
    begin(&mut task);
    assert_eq!(task.get(&3, || 3), None);
    // While it works on one request it takes no other.
    assert_eq!(task.get(&4, || unreachable!("it is busy")), None);
    finish();
    assert_eq!(task.get(&5, || 5), None, "the latest request is next");
    assert_eq!(task.get(&3, || unreachable!("it is known")), Some(&9));
    finish();
    assert_eq!(task.get(&5, || unreachable!("it is known")), Some(&25));
    assert_eq!(task.known().map(|known| known.0).collect::<Vec<_>>(), [5, 3]);
    assert_eq!(task.get(&6, || 6), None);
    finish();
    assert_eq!(task.get(&6, || unreachable!("it is known")), Some(&36));
    assert_eq!(task.known().map(|known| known.0).collect::<Vec<_>>(), [6, 5], "two are kept");
    assert_eq!(task.get(&7, || 7), None);
    task.reset();
    assert_eq!(task.known().count(), 0);
    go.send_timeout((), Duration::from_secs(20)).unwrap();
    begin(&mut task);
    assert_eq!(task.get(&7, || 8), None, "what was asked before the reset is not an answer");
    finish();
    assert_eq!(task.get(&7, || unreachable!("it is known")), Some(&64));
}

/// What is drawn has every extreme of what was measured, and a curve that grew is the curve drawn anew.
#[test]
fn thinned_curves_keep_every_extreme_however_they_were_read() {
    let mut spec = tiny();
    spec.tasks.epochs = vec![12.0, 6.0];
    spec.kernel.per_epoch = 12;
    let window = Window { from: 0.0, to: 18.0, pixels: 12 };
    let keys = [Metric::Velocity, Metric::LambdaMax, Metric::Alignment]
        .map(|metric| Key { source: SeriesId::Metric(Block::Task(1), metric), log: metric == Metric::Velocity });
    let (mut history, grown) = (History::default(), SeriesCache::default());
    for event in read_all(&start(spec)) {
        let measured = matches!(event, Event::Snapshot(_));
        history.push(event);
        if measured {
            keys.iter().for_each(|&key| _ = grown.visible(&history, key, window));
        }
    }
    for key in keys {
        let (grown, fresh) =
            (grown.visible(&history, key, window), SeriesCache::default().visible(&history, key, window));
        assert_eq!(grown.pieces, fresh.pieces);
        assert_eq!(grown.span, fresh.span);
        let SeriesId::Metric(block, metric) = key.source else { unreachable!("made above") };
        let series = history.series(block, metric);
        let values = series
            .iter()
            .map(|point| if key.log { point.1.log10() } else { point.1 })
            .filter(|value| value.is_finite());
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let drawn: Vec<f64> = fresh.pieces.iter().flatten().map(|point| point.1).collect();
        assert!(drawn.len() < series.len(), "{} of {} points drawn", drawn.len(), series.len());
        assert!(drawn.contains(&low) && drawn.contains(&high), "the extremes of {metric:?} are drawn");
        assert_eq!(fresh.span, Some((low, high)));
    }
    // No lag straddles the switch, so the velocity is drawn in two pieces.
    assert_eq!(grown.visible(&history, keys[0], window).pieces.len(), 2);
    assert_eq!(grown.visible(&history, keys[1], window).pieces.len(), 1);
}

/// A tensor chosen in the program is what the kernel then shows, and a button brings the whole back.
#[test]
fn a_tensor_of_the_program_is_shown_alone_and_the_whole_comes_back() {
    let mut spec = tiny();
    spec.network = NetworkSpec { width: 16.into(), ..NetworkSpec::of("resmlp").with("blocks", 6) };
    let mut harness = window(spec);
    harness.state_mut().arrange(&[View::Program]);
    press(&mut harness, "Start");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(Ending::Finished { .. })));
    assert!(harness.query_by_label("Show the whole kernel").is_none());
    // Six blocks have no room here: one is shown, and each can be.
    assert!(harness.query_by_label("Tensor blocks.4.fc1.weight").is_none());
    press(&mut harness, "Block 5");
    harness.get_by_label("Tensor blocks.4.fc1.weight").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::Enter);
    harness.run_steps(4);
    harness.get_by_label("dashed: blocks.4.fc1.weight");
    harness.check_accessibility();
    press(&mut harness, "Show the whole kernel");
    assert!(harness.query_by_label("Show the whole kernel").is_none());
    assert!(harness.query_by_label("dashed: blocks.4.fc1.weight").is_none());
}

/// A preset that names its views sets them out; one that names none brings back the usual ones, unless the user has moved some.
#[test]
fn presets_set_out_the_views_that_show_them() {
    for preset in PRESETS {
        let titled: Vec<View> = preset.views().iter().map(|title| View::titled(title).expect(title)).collect();
        assert!((1..titled.len()).all(|place| !titled[..place].contains(&titled[place])), "{}: each once", preset.name);
    }
    let mut harness = window(tiny());
    let load = |harness: &mut Ui, name: &str| {
        harness.get_by_label("Preset").click();
        harness.run_steps(3);
        // The list is longer than the window is high.
        harness.get_all_by_label(name).last().expect("it is in the list").focus();
        harness.run_steps(2);
        harness.key_press(egui::Key::Enter);
        harness.run_steps(4);
        press(harness, "Stop");
    };
    let stands = |harness: &Ui, view: View| harness.query_by_label(&format!("View: {}", view.title())).is_some();
    load(&mut harness, "circle");
    assert!(stands(&harness, View::Circle) && !stands(&harness, View::Waterfall));
    load(&mut harness, "lazy");
    assert!(!stands(&harness, View::Circle) && stands(&harness, View::Waterfall), "as usual");
    harness.state_mut().arrange(&[View::Coupling]);
    load(&mut harness, "ntk");
    assert!(stands(&harness, View::Coupling), "what the user has chosen stays");
}
