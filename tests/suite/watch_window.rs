//! A watched training in the window: opened, followed, taken back, gone; and the card that says how one is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use egui_kittest::kittest::Queryable as _;
use image::RgbaImage;
use kernelscope::chart::series_cache::{Key, SeriesCache, Window};
use kernelscope::chart::series_id::SeriesId;
use kernelscope::run::{Block, Ending, History, Metric, Origin, RunState};
use kernelscope::storage::{Autosave, Order, WatchFolder, load};
use kernelscope::ui::app::commands::UserCommand;
use kernelscope::ui::views::View;
use kernelscope::ui::watching::SIX_LINES;
use kernelscope::ui::{App, Environment};
use kernelscope::worker::{DeviceChoice, Job, WatchJob, Worker};

use super::beside::drop_on;
use super::ui::{Ui, press, until, until_seen, window_with};
use super::watch::{Training, append, record, step_file, steps_of, write_step};
use super::{Missing, skipped, tiny, wait_until};

/// A folder with the first steps of the training, and its place.
fn begun(place: &Path, steps: usize) -> (Training, PathBuf) {
    let (training, folder) = (Training::open(), place.join("watched"));
    training.begin(&folder);
    (0..steps).for_each(|at| training.save(&folder, at));
    (training, folder)
}

/// A window that measures every step, however busy the machine is.
fn watching_window() -> Ui {
    let start = |spec, waker| Worker::start(Job { spec, device: DeviceChoice::Cpu, paced: false }, waker);
    let app = App::new(tiny(), Box::new(start));
    window_with(app.watching_by(Box::new(|job, waker| Worker::watch(WatchJob { order: Order::Every, ..job }, waker))))
}

fn rows(count: usize) -> impl Fn(&App) -> bool {
    move |app| app.history().rows().len() == count
}

/// The lines of the log up to this step, as the Python writer leaves them when it starts again: lines first, then files.
fn start_again(training: &Training, folder: &Path, kept: usize) {
    let lines: String = (0..kept).map(|at| training.line(at, 0)).collect();
    fs::write(folder.join("log.part"), lines).unwrap();
    fs::rename(folder.join("log.part"), folder.join("log.jsonl")).unwrap();
    for step in training.steps().iter().skip(kept) {
        let _ = fs::remove_file(step_file(folder, *step));
    }
}

#[test]
fn a_watched_folder_that_is_dropped_is_followed_step_by_step() {
    let place = tempfile::tempdir().unwrap();
    let (training, folder) = begun(place.path(), 0);
    let mut harness = watching_window();
    drop_on(&mut harness, &[&folder]);
    until_seen(&mut harness, "the wait for a step", |harness| {
        harness.query_by_label_contains("Waiting for the first step of watched").is_some()
    });
    harness.get_by_label("Watching watched");
    let count = training.steps().len();
    (0..9).for_each(|at| training.save(&folder, at));
    until(&mut harness, "nine steps", rows(9));
    assert!(harness.query_by_label_contains("Waiting for").is_none());
    (9..count).for_each(|at| training.save(&folder, at));
    until(&mut harness, "all steps", rows(count));

    // It is what is measured without a window.
    let app = harness.state();
    let expected = record(&folder, Order::Every);
    assert_eq!(steps_of(app.history()), training.steps());
    for (one, other) in app.history().snapshots().iter().zip(expected.snapshots()) {
        assert_eq!(one.gram, other.gram);
    }
    let spikes = |history: &History| history.spikes(Block::Task(1), Metric::Velocity);
    assert!(spikes(app.history())[0].is_some());
    assert_eq!(format!("{:?}", spikes(app.history())), format!("{:?}", spikes(&expected)));

    // What belongs to the training is not offered, and what belongs to the watching is.
    use UserCommand::{Fork, NewSeed, PauseResume, Restart, Step, Stop, SwitchTask};
    assert!([Fork, NewSeed, Step, SwitchTask].iter().all(|command| !app.can(*command)));
    assert!([PauseResume, Restart, Stop].iter().all(|command| app.can(*command)));
    let views = [
        View::Gram,
        View::Velocity,
        View::Scale,
        View::Alignment,
        View::Spectrum,
        View::Waterfall,
        View::Accuracy,
        View::Layers,
        View::Logits,
        View::Coupling,
        View::Distances,
        View::LagRatios,
        View::Program,
        View::Trajectories,
    ];
    for view in View::ALL {
        let shows = view.refusal(&Origin::Watched).is_none();
        assert_eq!(shows, views.contains(&view) || matches!(view, View::Compare | View::Beside), "{view:?}");
        harness.state_mut().set_out(&[view]);
        harness.run_steps(2);
        let told = "Another program trains this network: only a run of Kernelscope has what this view shows.";
        assert_eq!(harness.query_by_label(told).is_some(), !shows, "{view:?}");
    }
    harness.state_mut().set_out(&[View::Program]);
    until_seen(&mut harness, "a tensor of the program", |harness| {
        harness.query_by_label_contains("1.weight").is_some()
    });
    harness.check_accessibility();

    // A pause is one of the measuring: what is saved meanwhile comes after it.
    press(&mut harness, "Pause");
    until(&mut harness, "the pause", |app| app.session().is_some_and(|session| session.is_paused()));
    append(
        &folder,
        &training.line(count - 1, 0).replace(&format!("\"step\": {}", training.steps()[count - 1]), "\"step\": 500"),
    );
    write_step(&folder, 500, &training.tensors(count - 1));
    press(&mut harness, "Resume");
    until(&mut harness, "the step after the pause", rows(count + 1));
    press(&mut harness, "Stop");
    until(&mut harness, "the end", |app| {
        matches!(app.history().state(), RunState::Ended(Ending::Stopped { step: 500 }))
    });
    press(&mut harness, "Watch");
    until(&mut harness, "all of them once more", rows(count + 1));

    // A run of one's own takes its place again, with the settings that were there.
    press(&mut harness, "Start a run of my own");
    until(&mut harness, "a kernel of it", |app| !app.history().snapshots().is_empty());
    assert!(harness.state().session().unwrap().watched.is_none());
    assert_eq!(harness.state().session().unwrap().spec.network, tiny().network);
}

/// What is drawn, without the line at the foot, where times are that differ; none where nothing can paint it.
fn painted(harness: &mut Ui) -> Option<RgbaImage> {
    // The colours of a kernel are those of all kernels that were drawn.
    let times: Vec<f64> = harness.state().history().rows().iter().map(|row| row.epoch).collect();
    for time in times {
        harness.state_mut().seek(time);
        harness.run_steps(2);
    }
    harness.key_press(egui::Key::End);
    harness.remove_cursor();
    harness.run_steps(4);
    match harness.render() {
        Ok(image) => Some(image::imageops::crop_imm(&image, 0, 0, image.width(), image.height() - 40).to_image()),
        Err(why) => {
            skipped(Missing::Installable, &format!("no driver paints a picture: {why}"));
            None
        }
    }
}

#[test]
fn steps_that_are_taken_back_leave_the_screen() {
    let place = tempfile::tempdir().unwrap();
    let (training, folder) = begun(place.path(), 14);
    let steps = training.steps();
    let mut harness = watching_window();
    drop_on(&mut harness, &[&folder]);
    until(&mut harness, "fourteen steps", rows(14));
    let views = [View::Velocity, View::Gram, View::Waterfall, View::Distances, View::Layers, View::Accuracy];
    harness.state_mut().set_out(&views);
    harness.run_steps(4);
    press(&mut harness, "Mark");
    assert_eq!(harness.state().travel().marks.all().len(), 1);
    // The same steps come again with other weights: those of the step before each.
    start_again(&training, &folder, 6);
    for (at, step) in steps.iter().enumerate().take(14).skip(6) {
        write_step(&folder, *step, &training.tensors(at - 1));
        append(&folder, &training.line(at, 1));
    }
    let other = record(&folder, Order::Every);
    let last = other.snapshots().last().unwrap().gram.clone();
    until(&mut harness, "the other weights", move |app| {
        app.history().rows().len() == 14 && app.history().snapshots().last().unwrap().gram == last
    });
    assert!(harness.state().travel().marks.all().is_empty());
    let mut fresh = watching_window();
    drop_on(&mut fresh, &[&folder]);
    until(&mut fresh, "all of them", rows(14));
    fresh.state_mut().set_out(&views);
    fresh.run_steps(4);
    if let (Some(one), Some(_)) = (painted(&mut harness), painted(&mut fresh)) {
        // Views that are worked out on threads come when they come.
        // On a busy machine the driver rounds a few pixels by one level.
        let near = |other: &RgbaImage| {
            other.dimensions() == one.dimensions() && other.iter().zip(one.iter()).all(|(a, b)| a.abs_diff(*b) <= 2)
        };
        let same = |fresh: &mut Ui| painted(fresh).is_some_and(|other| near(&other));
        let began = Instant::now();
        while !same(&mut fresh) {
            if began.elapsed() > super::PATIENCE {
                let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
                one.save(place.join("taken-back.png")).unwrap();
                painted(&mut fresh).unwrap().save(place.join("fresh.png")).unwrap();
                panic!("not what a new window shows: compare taken-back.png and fresh.png in {}", place.display());
            }
        }
    }
    // Fewer steps than before, and none of the second task.
    start_again(&training, &folder, 4);
    until(&mut harness, "four steps", rows(4));
    assert_eq!(harness.state().history().tasks().len(), 1);
    start_again(&training, &folder, 0);
    until(&mut harness, "no step", rows(0));
    harness.run_steps(4);
}

#[test]
fn curves_are_read_anew_where_steps_were_taken_back() {
    let place = tempfile::tempdir().unwrap();
    let (training, folder) = begun(place.path(), 14);
    let whole = record(&folder, Order::Every);
    start_again(&training, &folder, 6);
    let steps = training.steps();
    for (at, step) in steps.iter().enumerate().take(14).skip(6) {
        write_step(&folder, *step, &training.tensors(at - 1));
        append(&folder, &training.line(at, 1));
    }
    let other = record(&folder, Order::Every);
    // Both in one record, as events come when the writer starts again.
    let mut both = whole.clone();
    both.push(kernelscope::run::Event::TakenBack { step: steps[6] });
    let key = Key { source: SeriesId::Metric(Block::All, Metric::LambdaMax), log: false };
    let (cache, points) = (SeriesCache::default(), |history: &History, cache: &SeriesCache| {
        let line = cache.visible(history, key, Window::WHOLE);
        (line.pieces.concat(), cache.snapshot_epochs(history).to_vec())
    });
    let (before, spikes) = (points(&whole, &cache), cache.spikes(&whole, Block::Task(1), Metric::Velocity));
    assert!(spikes[0].is_some());
    for snapshot in other.snapshots().iter().skip(6) {
        both.push(kernelscope::run::Event::Snapshot(snapshot.clone()));
        if let Some(task) = other.tasks().iter().find(|task| task.step == snapshot.row.step) {
            both.push(kernelscope::run::Event::Task(*task));
        }
    }
    let now = points(&both, &cache);
    assert_eq!(now, points(&other, &SeriesCache::default()));
    assert_eq!(now.1, before.1, "at the same steps");
    assert_ne!(now.0, before.0, "but other kernels");
    let again = cache.spikes(&both, Block::Task(1), Metric::Velocity);
    assert_eq!(format!("{again:?}"), format!("{:?}", other.spikes(Block::Task(1), Metric::Velocity)));
}

#[test]
fn a_folder_that_is_not_ready_is_awaited_and_one_that_is_gone_or_anothers_is_told() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("watched");
    fs::create_dir(&folder).unwrap();
    let mut harness = watching_window();
    harness.state_mut().watch(folder.clone());
    until_seen(&mut harness, "the wait for its writer", |harness| {
        harness.query_by_label_contains("kernelscope.Watch has not written its files there yet").is_some()
    });
    let (training, _) = begun(place.path(), 3);
    until(&mut harness, "three steps", rows(3));

    // Its probes are others by now.
    let probes = fs::read(folder.join("probes.safetensors")).unwrap();
    fs::write(folder.join("probes.safetensors"), with_other_labels(&probes)).unwrap();
    start_again(&training, &folder, 0);
    training.save(&folder, 0);
    until_seen(&mut harness, "the sentence", |harness| {
        harness.query_by_label_contains("holds another training by now").is_some()
    });
    assert_eq!(harness.state().history().rows().len(), 3, "what was measured stands");
    press(&mut harness, "Watch it anew");
    until(&mut harness, "its first step", rows(1));

    // It vanishes, and comes back.
    let aside = place.path().join("aside");
    fs::rename(&folder, &aside).unwrap();
    let told = |app: &App| app.history().notes().iter().any(|note| note.message.contains("is not there any more"));
    until(&mut harness, "that it is gone", told);
    fs::rename(&aside, &folder).unwrap();
    training.save(&folder, 1);
    until(&mut harness, "the step after it came back", rows(2));

    // One of a later version is refused in a sentence, and what is shown stays.
    let later = place.path().join("later");
    training.begin(&later);
    fs::write(later.join("watch.json"), r#"{"format": 2, "lag": 1, "network": null}"#).unwrap();
    drop_on(&mut harness, &[&later]);
    until(&mut harness, "the refusal", |app| app.toasts().texts().any(|text| text.contains("update Kernelscope")));
    assert_eq!(harness.state().history().rows().len(), 2);
}

/// The probes with other labels.
fn with_other_labels(probes: &[u8]) -> Vec<u8> {
    use safetensors::tensor::TensorView;
    let views = safetensors::SafeTensors::deserialize(probes).unwrap();
    let labels: Vec<u8> = (0..12i64).flat_map(|at| (at % 4).to_le_bytes()).collect();
    let other = [
        ("inputs", views.tensor("inputs").unwrap()),
        ("labels", TensorView::new(safetensors::Dtype::I64, vec![12], &labels).unwrap()),
        ("tasks", views.tensor("tasks").unwrap()),
    ];
    safetensors::serialize(other, None).unwrap()
}

#[test]
fn a_step_that_cannot_be_measured_is_said_and_counted_in_the_status_bar() {
    let place = tempfile::tempdir().unwrap();
    let (training, folder) = begun(place.path(), 2);
    let steps = training.steps();
    let mut tensors = training.tensors(2);
    tensors[0].2[7] = f64::NAN;
    write_step(&folder, steps[2], &tensors);
    append(&folder, &training.line(2, 0));
    training.save(&folder, 3);
    let mut harness = watching_window();
    drop_on(&mut harness, &[&folder]);
    until(&mut harness, "the step after it", rows(3));
    harness.get_by_label("1 step passed over");
    harness.get_by_label_contains("its tensor 1.weight holds a value that is not a number");
    assert_eq!(steps_of(harness.state().history()), [0, 1, 3].map(|at: usize| steps[at]));
}

#[test]
fn what_is_watched_is_autosaved_and_keeps_steps_that_are_deleted_afterwards() {
    let place = tempfile::tempdir().unwrap();
    let (training, folder) = begun(place.path(), 14);
    let autosave = place.path().join("autosave");
    let environment = Environment {
        folder: Some(place.path().to_owned()),
        autosave: Some(Autosave::open(autosave)),
        ..Environment::default()
    };
    let app = App::new(tiny(), Box::new(|_, _| unreachable!("no run is started"))).with_environment(environment);
    let every = |job, waker| Worker::watch(WatchJob { order: Order::Every, ..job }, waker);
    let mut harness = window_with(app.watching_by(Box::new(every)));
    drop_on(&mut harness, &[&folder]);
    until(&mut harness, "fourteen steps", rows(14));
    start_again(&training, &folder, 6);
    until(&mut harness, "six of them", rows(6));
    (6..10).for_each(|at| training.save(&folder, at));
    until(&mut harness, "four more", rows(10));
    training.steps().iter().for_each(|step| _ = fs::remove_file(step_file(&folder, *step)));
    until(&mut harness, "the folder of the record", |app| app.session().and_then(|session| session.path()).is_some());
    let kept = harness.state().session().unwrap().path().unwrap().clone();
    harness.state_mut().leave(super::PATIENCE);
    let found = load(&kept).unwrap();
    assert_eq!(found.warnings, Vec::<String>::new());
    assert_eq!(found.history.info().unwrap().origin, Origin::Watched);
    assert_eq!(steps_of(&found.history), training.steps()[..10]);
    let gram = |history: &History| history.snapshots().last().unwrap().gram.clone();
    assert_eq!(gram(&found.history), gram(harness.state().history()));
}

#[test]
fn behind_steps_are_taken_evenly_as_many_as_there_is_time_for() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    training.begin(place.path());
    // Pairs of steps 6 apart, each 15 steps; the second task begins at step 9000.
    let mut log = String::new();
    for step in (0..18_000).filter(|step| [0, 6].contains(&(step % 15))) {
        log += &format!("{{\"step\": {step}, \"task\": {}, \"loss\": 0.5}}\n", step / 9000);
    }
    append(place.path(), &log);
    let mut follower = WatchFolder::open(place.path()).unwrap().follow(Order::Spread);
    assert!(follower.look());
    let mut taken = Vec::new();
    while let kernelscope::storage::Found::Step(line) = follower.to_do() {
        taken.push(line.step);
        follower.done(&line, true);
        follower.allow(20);
    }
    assert!(taken.windows(2).all(|pair| pair[0] < pair[1]) && taken.len() < 200, "{} steps", taken.len());
    assert_eq!((taken[0], *taken.last().unwrap()), (0, 17_991));
    assert!(taken.contains(&9000) && taken.contains(&9006), "the switch and its pair");
    // Each part of the training has its share, and each step but the single ones before it a partner.
    for part in 0..10 {
        let of_part = taken.iter().filter(|step| (**step / 1800) == part).count();
        assert!(of_part >= 4, "{of_part} steps of part {part}");
    }
    let paired = taken.iter().filter(|step| *step % 15 == 6 && taken.contains(&(*step - 6))).count();
    assert!(2 * paired + 2 >= taken.len(), "{paired} pairs of {} steps", taken.len());
    assert_eq!(follower.passed_over(), 2400 - taken.len() as u64);
}

#[test]
fn the_card_has_six_lines_to_copy() {
    assert_eq!(SIX_LINES.lines().count(), 6);
    let app = App::new(tiny(), Box::new(|_, _| unreachable!("no run is started"))).welcoming();
    let mut harness = window_with(app);
    press(&mut harness, "Watch my training");
    harness.get_by_label_contains("watch.save(step, model.state_dict(), loss=loss, task=task)");
    harness.get_by_label("Copy the six lines").click();
    let copied = |harness: &Ui| {
        harness
            .output()
            .platform_output
            .commands
            .iter()
            .any(|command| matches!(command, egui::OutputCommand::CopyText(text) if text == SIX_LINES))
    };
    wait_until("the copy", || {
        harness.step();
        copied(&harness)
    });
    harness.run_steps(4);
    assert!(harness.state().toasts().texts().any(|text| text.starts_with("Copied")));
    harness.key_press(egui::Key::Escape);
    harness.run_steps(4);
    assert!(harness.query_by_label("Copy the six lines").is_none());
    // The key opens it, too.
    harness.key_press(egui::Key::W);
    harness.run_steps(4);
    harness.get_by_label("Copy the six lines");
}
