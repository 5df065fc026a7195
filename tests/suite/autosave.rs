//! Runs that are kept while they go on: a killed window loses the last second, the next one offers what is there.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use kernelscope::run::{Ending, Event, Row, RunState, Snapshot, SnapshotCost};
use kernelscope::spec::{PRESETS, Spec};
use kernelscope::storage::{Autosave, create, load};
use kernelscope::ui::app::commands::UserCommand;
use kernelscope::ui::app::session::Session;
use kernelscope::ui::{App, Environment};
use kernelscope::worker::{DeviceChoice, Job, Worker};

use super::record::stream::{copy, events, rows, spec};
use super::{at_once, read_until, start, tiny, wait_until};

/// Names the folder in which a test that was started as a process of its own does its part.
pub const CHILD: &str = "KERNELSCOPE_TEST_CHILD";

/// This test binary once more, doing one test's part of another.
pub fn child(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, folder);
    command
}

/// Sixteen snapshots a second, without an end.
fn slow() -> Spec {
    let mut spec = tiny();
    spec.tasks.epochs = vec![100_000.0];
    spec.window.pace = 4.0;
    spec
}

fn runs(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Without what depends on the machine.
fn untimed(rows: &[Row]) -> Vec<Row> {
    rows.iter().map(|row| Row { cost: SnapshotCost::default(), ..row.clone() }).collect()
}

/// The other half of the test below: a run as the window has it, until somebody kills it.
#[test]
fn part_of_the_kill() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let autosave = Autosave::open(folder.into());
    let job = Job { spec: slow(), device: DeviceChoice::Cpu, paced: true };
    let saver = autosave.begin(&job.spec);
    let mut session = Session::new(Worker::start(job.clone(), Box::new(|| {})), job.spec).saved_by(Some(saver));
    let mut told = 0;
    loop {
        session.receive(Duration::from_millis(8));
        for row in &session.history.rows()[told..] {
            println!("\nrow {}", row.step);
        }
        told = session.history.rows().len();
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_killed_window_loses_the_last_second_and_the_next_start_offers_the_rest() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("autosave");
    let mut killed_window = child("suite::autosave::part_of_the_kill", &folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut told: Vec<(u64, Instant)> = Vec::new();
    let begun = Instant::now();
    for line in BufReader::new(killed_window.stdout.take().unwrap()).lines().map_while(Result::ok) {
        told.extend(line.strip_prefix("row ").map(|step| (step.parse().unwrap(), Instant::now())));
        if told.len() >= 40 && told[0].1.elapsed() > Duration::from_secs(4) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{} rows in a minute", told.len());
    }
    let running = Autosave::open(folder.clone());
    assert_eq!(running.cut_off(), None, "another window still writes it");
    assert!(running.earlier().is_empty());
    let killed = Instant::now();
    killed_window.kill().unwrap();
    killed_window.wait().unwrap();

    let next = Autosave::open(folder.clone());
    let found = next.cut_off().expect("nobody has ended that run").clone();
    assert_eq!(next.earlier()[0].1, found.folder);
    assert!(
        next.earlier()[0].0.starts_with("own settings, ")
            && next.earlier()[0].0.ends_with(|last: char| last.is_ascii_digit())
    );
    let loaded = load(&found.folder).unwrap();
    let read = loaded.history.rows();
    // A second, and as much again for a machine that does other things.
    let sure = told.iter().filter(|(_, at)| killed - *at > Duration::from_secs(2)).count();
    assert!(sure > 20 && read.len() >= sure, "{} rows, of which {sure} were more than two seconds old", read.len());
    assert!(told.iter().zip(read).all(|((step, _), row)| *step == row.step));
    let last = read.last().unwrap();
    assert_eq!((found.name.as_str(), found.epoch), ("own settings", last.epoch));
    assert_eq!(loaded.history.snapshots().len(), read.len(), "each with its Gram");
    assert!(found.folder.file_name().unwrap().to_str().unwrap().ends_with("Z-own"));

    // What is read is what an undisturbed run tells, bit for bit.
    let step = read[sure - 1].step;
    let again = start(slow());
    let events = read_until(&again, |event| matches!(event, Event::Snapshot(found) if found.row.step == step));
    assert_eq!(untimed(&read[..sure]), untimed(&rows(&events)));

    // It is offered, its folder stays while other runs come and go, and what has ended is not offered.
    let app = App::new(
        tiny(),
        Box::new(|spec, waker| Worker::start(Job { spec, device: DeviceChoice::Cpu, paced: false }, waker)),
    );
    let environment =
        Environment { folder: Some(place.path().to_owned()), autosave: Some(next), ..Environment::default() };
    let mut harness = window(app.with_environment(environment));
    let offer =
        format!("The last run (own settings, epoch {:.2}) was cut off; its results so far are kept", found.epoch);
    let words = harness.get_by_label(&offer).rect();
    let button = harness.get_by_label("Open folder").rect();
    assert!(words.bottom() < button.top() && button.bottom() < words.bottom() + 40.0, "{words} above {button}");
    assert!(harness.state().can(UserCommand::Log));
    let reopened = |app: &App| app.runs().closed(app.session()).next().map(|place| place.path.clone());
    assert!(harness.state().can(UserCommand::Reopen) && reopened(harness.state()).as_ref() == Some(&found.folder));
    for number in 0..5 {
        let ctx = harness.ctx.clone();
        harness.state_mut().start_run(&ctx);
        // The last one is left in the middle.
        wait_until("a run", || {
            harness.step();
            let history = harness.state().history();
            let ended = matches!(history.state(), RunState::Ended(_));
            if number == 4 { history.rows().len() > 3 } else { ended }
        });
    }
    harness.state_mut().leave(Duration::from_secs(10));
    assert!(found.folder.exists(), "what is offered stays");
    let kept = runs(&folder);
    assert_eq!(kept.len(), 4, "that, and the last three: {kept:?}");
    assert_eq!(reopened(harness.state()).as_ref(), Some(&kept[2]), "the run before the one that is shown");
    wait_until("their Grams to be put together", || kept[1..].iter().all(|run| run.join("kernels.npz").exists()));
    for run in &kept[1..] {
        let state = load(run).unwrap().history.state().clone();
        assert!(matches!(state, RunState::Ended(Ending::Finished { .. } | Ending::Stopped { .. })), "{state:?}");
    }
    assert_eq!(load(&kept[3]).unwrap().history.rows(), harness.state().history().rows());
    assert_eq!(Autosave::open(folder).cut_off(), None);
}

fn window(app: App) -> Harness<'static, App> {
    let draw = |ui: &mut egui::Ui, app: &mut App| {
        app.tick(ui.ctx());
        app.show(ui);
    };
    let mut harness = Harness::builder().with_size([1280.0, 800.0]).build_ui_state(draw, app);
    harness.run_steps(6);
    harness
}

#[test]
fn a_crash_of_the_last_time_is_told_with_its_report() {
    let app = App::new(tiny(), Box::new(|_, _| unreachable!("no run is started")));
    let environment = Environment { crash: Some("state/crash-1.txt".into()), ..Environment::default() };
    let mut harness = window(app.with_environment(environment));
    harness.get_by_label("Kernelscope broke the last time: the report is in state/crash-1.txt");
    harness.get_by_label("Open report");
    harness.check_accessibility();
    harness.get_by_label("Close").click();
    harness.run_steps(4);
    assert_eq!(harness.state().toasts().texts().count(), 0);
}

/// Without a folder of the user's nothing is said and there is nothing to open.
#[test]
fn a_window_without_a_home_keeps_nothing() {
    let app = App::new(tiny(), Box::new(|_, _| unreachable!("no run is started")));
    assert!(!app.can(UserCommand::Log));
    assert_eq!(app.toasts().texts().count(), 0);
}

#[test]
fn runs_that_were_closed_replaced_or_never_measured_are_not_offered() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("autosave");
    let spec = spec(2, 2.0);
    let told = events(&spec, |step| Ending::Finished { step });
    let wait = |closing: kernelscope::storage::Closing| closing.wait(Duration::from_secs(20));
    // Folders are named after the millisecond in which their run began: the next one is another.
    let next_name = || std::thread::sleep(Duration::from_millis(5));

    // Never started: nothing is there, not even a folder.
    wait(Autosave::open(folder.clone()).begin(&spec).close());
    assert_eq!(runs(&folder), Vec::<PathBuf>::new());

    // Closed in the middle: it was stopped where it was.
    let mut saver = Autosave::open(folder.clone()).begin(&spec);
    told[..8].iter().for_each(|event| saver.take(event));
    wait(saver.close());
    let closed = runs(&folder)[0].clone();
    let history = load(&closed).unwrap().history;
    let measured = rows(&told[..8]);
    assert_eq!(history.rows(), measured);
    assert_eq!(*history.state(), RunState::Ended(Ending::Stopped { step: measured.last().unwrap().step }));
    assert_eq!(Autosave::open(folder.clone()).cut_off(), None);
    next_name();

    // Cut off, as a kill leaves it: a copy, because this program holds the folder itself.
    let mut saver = Autosave::open(folder.clone()).begin(&PRESETS[0].spec());
    told[..8].iter().for_each(|event| saver.take(event));
    wait_until("what waits to be written", || {
        runs(&folder).get(1).is_some_and(|run| load(run).is_ok_and(|found| found.history.rows() == measured))
    });
    let left = place.path().join("left");
    copy(&folder, &left);
    let offered = Autosave::open(left.clone());
    let found = offered.cut_off().unwrap().clone();
    assert_eq!((found.name.as_str(), found.epoch), (PRESETS[0].name, measured.last().unwrap().epoch));
    assert_eq!(Autosave::open(folder.clone()).cut_off(), None, "it is still being written");
    wait(saver.close());

    // A kill before anything was measured hides nothing; and what is not ours stays when a run goes.
    let empty = left.join("20990101-000000.000Z-own");
    std::fs::create_dir_all(&empty).unwrap();
    let still = Autosave::open(left.clone());
    assert_eq!(still.cut_off(), Some(&found));
    let old = runs(&left)[0].clone();
    std::fs::write(old.join("notes.txt"), "mine").unwrap();
    std::fs::create_dir_all(left.join("thesis")).unwrap();
    for _ in 0..4 {
        let mut saver = still.begin(&spec);
        told.iter().for_each(|event| saver.take(event));
        wait(saver.close());
        next_name();
    }
    assert!(left.join("thesis").exists() && found.folder.exists());
    assert_eq!(runs(&old).len(), 1, "only the note is left of the oldest run");
}

/// So much at once that no disk keeps up: the teller is not held up, memory stays bounded, and the folder says what is missing.
#[test]
fn whoever_tells_of_a_run_never_waits_for_the_disk() {
    let place = tempfile::tempdir().unwrap();
    let spec = spec(2, 2.0);
    let told = events(&spec, |step| Ending::Finished { step });
    let first = told.iter().position(|event| matches!(event, Event::Snapshot(_))).unwrap();
    let Event::Snapshot(model) = &told[first] else { unreachable!() };
    let snapshot = |step: u64| {
        let mut row = model.row.clone();
        (row.step, row.epoch) = (step, step as f64 / 8.0);
        Event::Snapshot(Arc::new(Snapshot { row, ..(**model).clone() }))
    };
    let many: Vec<Event> = (1..=20_000).map(snapshot).collect();
    let autosave = Autosave::open(place.path().to_owned());
    let mut saver = autosave.begin(&spec);
    told[..first].iter().for_each(|event| saver.take(event));
    let began = Instant::now();
    many.iter().for_each(|event| saver.take(event));
    // The disk is not done with them, as is asserted below: nobody has waited for it.
    at_once("telling of 20,000 snapshots", began);
    // Once the disk is there again, the next ones say so.
    let last = 20_040;
    for step in 20_001..=last {
        std::thread::sleep(Duration::from_millis(50));
        saver.take(&snapshot(step));
    }
    saver.take(&Event::Ended(Ending::Stopped { step: last }));
    saver.close().wait(Duration::from_secs(30));
    let run = (autosave.current_folder())().expect("the run has started");
    let history = load(&run).unwrap().history;
    assert_eq!(history.rows().last().unwrap().step, last);
    let told = history.notes().iter().filter(|note| note.message.contains("are not in this folder"));
    let lost: Vec<u64> = told.map(|note| note.message.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(!lost.is_empty(), "no disk is that fast");
    assert_eq!(history.rows().len() as u64 + lost.iter().sum::<u64>(), last, "{lost:?}");
}

#[test]
fn grams_beyond_their_bytes_grow_coarser_and_every_row_stays() {
    let place = tempfile::tempdir().unwrap();
    let spec = spec(2, 16.0);
    let told = events(&spec, |step| Ending::Finished { step });
    let all = rows(&told);
    // 8 probes: 8 · 8² + 2 · 8 · 8 bytes and the outputs of two classes.
    let each = 8 * 64 + 2 * 8 * 8 + 4 * 16 * 3;
    let most = 24 * each;
    let mut folder = create(&place.path().join("run"), &spec, false).unwrap().folder.with_gram_bytes(most);
    for event in &told {
        folder.take(event).unwrap();
    }
    let history = load(&place.path().join("run")).unwrap().history;
    assert_eq!(history.rows(), all);
    let steps: Vec<u64> = history.snapshots().iter().map(|snapshot| snapshot.row.step).collect();
    assert!(steps.len() > 12 && steps.len() <= 26, "{} of {} Grams", steps.len(), all.len());
    assert_eq!(steps[0], 0);
    let switch = all.iter().find(|row| row.at_switch).unwrap().step;
    assert!(steps.contains(&switch), "the Gram at the switch stays: {steps:?}");
    let places: Vec<usize> = steps.iter().map(|step| all.iter().position(|row| row.step == *step).unwrap()).collect();
    let apart = places[1] - places[0];
    let even = places.iter().filter(|place| !all[**place].at_switch).all(|place| place % apart == 0);
    assert!(even && apart.is_power_of_two() && apart > 1, "{places:?}");

    // One that is too large for the room is left out, its row is not.
    let mut folder = create(&place.path().join("small"), &spec, false).unwrap().folder.with_gram_bytes(4 * each);
    told.iter().for_each(|event| folder.take(event).unwrap());
    let history = load(&place.path().join("small")).unwrap().history;
    assert_eq!((history.rows().len(), history.snapshots().len()), (all.len(), 0));
}
