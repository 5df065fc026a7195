//! The window as a program among others: keys that come late, what is opened beside a finished run, files that are still being
//! written when it is closed, a second window, and what a desktop says of its scale.

use std::path::Path;

use egui::{Event, Key, Modifiers, ViewportCommand, ViewportId};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use kernelscope::chart::times;
use kernelscope::diagnostics::log_file;
use kernelscope::run::{Ending, RunState};
use kernelscope::spec::{Learner, Spec, study};
use kernelscope::storage::create;
use kernelscope::ui::app::commands::UserCommand;
use kernelscope::ui::views::View;
use kernelscope::ui::{App, app::display, kit::format};

use super::cli::{kernelscope, text};
use super::ui::{Ui, press, until, window};
use super::{read_all, start, tiny};

fn down(key: Key, modifiers: Modifiers) -> Event {
    Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
}

/// As a keyboard sends it: the key, the letter, the key again.
fn letters(word: &str) -> Vec<Event> {
    let of = |letter: char| {
        let key = Key::from_name(&letter.to_uppercase().to_string()).unwrap();
        let up = Event::Key { key, physical_key: None, pressed: false, repeat: false, modifiers: Modifiers::NONE };
        [down(key, Modifiers::NONE), Event::Text(letter.to_string()), up]
    };
    word.chars().flat_map(of).collect()
}

/// All of this arrives with one frame, as in a window that was not drawn for a while.
fn at_once(harness: &mut Ui, events: impl IntoIterator<Item = Event>) {
    harness.input_mut().events.extend(events);
    harness.run_steps(6);
}

fn finished(app: &App) -> bool {
    matches!(app.history().state(), RunState::Ended(Ending::Finished { .. }))
}

#[test]
fn what_is_typed_in_the_frame_of_a_key_reaches_what_the_key_opens() {
    let mut harness = window(tiny());
    let palette = || down(Key::P, Modifiers::COMMAND);
    // Nearly every letter is a command: R begins a run, P is the presentation, N another seed.
    at_once(&mut harness, [palette()].into_iter().chain(letters("presentation")));
    let value = |harness: &Ui| harness.get_by_label("Find").accesskit_node().value();
    assert_eq!(value(&harness).as_deref(), Some("presentation"));
    assert_eq!(harness.state().last_command(), Some(UserCommand::Palette));
    assert!(harness.state().session().is_none() && !harness.state().appearance().presents());

    // A key that closes it has the letters before it; what comes after it is for the window again.
    at_once(&mut harness, [down(Key::Enter, Modifiers::NONE)].into_iter().chain(letters("u")));
    assert!(harness.query_by_label("Find").is_none());
    assert!(harness.state().appearance().presents(), "what was typed was carried out");
    assert!(harness.state().runs().open, "and the letter after it is the list of runs");
    at_once(&mut harness, letters("up"));
    assert!(!harness.state().runs().open && !harness.state().appearance().presents());

    // Opened, filled, carried out and used again within a single frame.
    let whole = [palette()].into_iter().chain(letters("study")).chain([down(Key::Escape, Modifiers::NONE)]);
    at_once(&mut harness, whole.chain(letters("g")));
    assert!(harness.query_by_label("Find").is_none());
    assert!(harness.state().study().shown, "what was typed after the palette was closed is a command");
    at_once(&mut harness, letters("g"));

    // A letter before the key was no part of the word.
    at_once(&mut harness, letters("u").into_iter().chain([palette()]).chain(letters("fork")));
    assert_eq!(value(&harness).as_deref(), Some("fork"));
    assert!(harness.state().runs().open);
}

#[test]
fn a_press_into_a_field_has_the_letters_that_come_with_it() {
    let mut harness = window(tiny());
    at_once(&mut harness, letters("u"));
    let at = harness.get_by_label("Path to open").rect().center();
    let button = |pressed| Event::PointerButton {
        pos: at,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    at_once(&mut harness, [Event::PointerMoved(at)]);
    at_once(&mut harness, [button(true), button(false)].into_iter().chain(letters("run")));
    assert_eq!(harness.get_by_label("Path to open").accesskit_node().value().as_deref(), Some("run"));
    assert!(harness.state().session().is_none(), "no letter was taken for a command");
}

fn drop_on(harness: &mut Ui, path: &Path) {
    harness.state_mut().open(vec![path.to_owned()]);
    harness.run_steps(2);
}

#[test]
fn a_run_that_is_opened_lies_over_a_finished_one_and_futures_stay_with_their_run() {
    let place = tempfile::tempdir().unwrap();
    let other = place.path().join("other");
    let mut folder = create(&other, &Spec { seed: 2, ..tiny() }, false).unwrap().folder;
    read_all(&start(Spec { seed: 2, ..tiny() })).iter().for_each(|event| folder.take(event).unwrap());
    drop(folder);

    let mut spec = tiny();
    spec.tasks.epochs = vec![30.0, 2.0];
    let mut harness = window(spec);
    press(&mut harness, "Start");
    until(&mut harness, "the run begins", |app| !app.history().rows().is_empty());
    harness.state_mut().arrange(&[View::Forks]);
    until(&mut harness, "three futures", |app| app.forks().branches().len() == 3);
    until(&mut harness, "the end", |app| {
        finished(app) && app.forks().branches().iter().all(|branch| !branch.session.is_live())
    });
    let futures = |app: &App| -> Vec<(String, usize)> {
        app.forks().branches().iter().map(|one| (one.name.clone(), one.session.history.rows().len())).collect()
    };
    let (rows, epoch, mine) =
        (harness.state().history().rows().len(), harness.state().forks().epoch(), futures(harness.state()));
    let own = harness.state().session().unwrap().own_name();
    drop_on(&mut harness, &other);
    until(&mut harness, "the other run", |app| app.runs().list().len() == 1);
    let app = harness.state();
    assert_eq!((app.history().rows().len(), app.draft().seed), (rows, 1), "the finished run is where it was");
    assert_eq!(futures(app), mine);

    // Only when asked to it takes the place, and then nothing of the other is lost. (A list that has just opened takes its place.)
    harness.run_steps(6);
    press(&mut harness, "Show other");
    until(&mut harness, "the other run in all views", |app| app.session().unwrap().spec.seed == 2);
    assert!(harness.state().forks().branches().is_empty(), "it has no futures");
    press(&mut harness, &format!("Show {own}"));
    until(&mut harness, "the own run", |app| app.session().unwrap().spec.seed == 1);
    let app = harness.state();
    assert_eq!((futures(app), app.forks().epoch()), (mine, epoch));
}

#[test]
fn a_study_of_learners_is_opened_on_its_page_with_what_it_found() {
    let place = tempfile::tempdir().unwrap();
    let spec = {
        let mut spec = study("he3").unwrap().spec();
        let asked = spec.study.as_mut().unwrap();
        (asked.samples, asked.seeds) = (vec![16, 24, 32], vec![1, 2]);
        asked.learners = vec![Learner::KernelStart, Learner::Infinite];
        // No ready-made study asks this.
        spec.network.width = 48.into();
        spec
    };
    std::fs::write(place.path().join("study.toml"), spec.to_toml()).unwrap();
    let done = kernelscope(place.path(), &["study", "--config", "study.toml", "--out", "mine"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let out = place.path().join("mine");
    // Also by one of its runs, which alone is no run that a window could show.
    for path in [out.clone(), out.join("runs/16-seed-1")] {
        let mut harness = window(tiny());
        drop_on(&mut harness, &path);
        until(&mut harness, "the points", |app| app.study().learnt().is_some_and(|learnt| learnt.curves.len() == 2));
        let app = harness.state();
        assert!(app.study().shown && app.study().is_complete());
        assert_eq!(app.study().folder(), out);
        assert_eq!(app.toasts().texts().count(), 0, "{:?}", app.toasts().texts().collect::<Vec<_>>());
        harness.get_by_label_contains("All 6 runs are done");
        harness.check_accessibility();
    }
}

#[test]
fn a_window_that_is_closed_while_a_picture_is_made_closes_after_it() {
    let place = tempfile::tempdir().unwrap();
    let mut harness = window(tiny());
    harness.state_mut().exports_mut().set_folder(place.path().to_owned());
    press(&mut harness, "Start");
    until(&mut harness, "the end", finished);
    let close = |harness: &mut Ui| {
        let viewport = harness.input_mut().viewports.entry(ViewportId::ROOT).or_default();
        viewport.events.push(egui::ViewportEvent::Close);
        harness.step();
        let viewport = harness.input_mut().viewports.entry(ViewportId::ROOT).or_default();
        viewport.events.clear();
        commands(harness)
    };
    // Ordered in the very frame before.
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    harness.step();
    assert!(close(&mut harness).contains(&ViewportCommand::CancelClose));
    assert!(harness.state().toasts().texts().any(|text| text.contains("the window closes when it is")));
    super::wait_until("the window closes", || {
        let closes = commands(&harness).contains(&ViewportCommand::Close);
        if !closes {
            harness.step();
        }
        closes
    });
    let pictures = std::fs::read_dir(place.path())
        .unwrap()
        .flatten()
        .filter(|entry| image::open(entry.path()).is_ok_and(|picture| picture.width() >= 1280));
    assert_eq!(pictures.count(), 1, "the picture is whole");
    // With nothing to wait for nothing holds it back.
    assert_eq!(close(&mut harness), []);

    // Closed twice, or by the system, it goes; what was drawn is finished within a bound.
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    harness.run_steps(4);
    harness.state_mut().leave(std::time::Duration::from_secs(60));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
}

fn commands(harness: &Ui) -> Vec<ViewportCommand> {
    harness.output().viewport_output.get(&ViewportId::ROOT).map_or_else(Vec::new, |output| output.commands.clone())
}

#[test]
fn two_windows_have_a_log_each() {
    let place = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
    let (first, path) = log_file::LogFile::open(place.path()).unwrap();
    assert!(!first.is_another() && path.ends_with(log_file::LOG));
    first.write_line(log::Level::Info, "kernelscope", "of the first");
    let (second, path) = log_file::LogFile::open(place.path()).unwrap();
    assert!(second.is_another() && path.ends_with("kernelscope-2.log"));
    let (third, path) = log_file::LogFile::open(place.path()).unwrap();
    assert!(third.is_another() && path.ends_with("kernelscope-3.log"));
    second.write_line(log::Level::Info, "kernelscope", "of the second");
    first.write_line(log::Level::Info, "kernelscope", "again of the first");
    assert!(read(log_file::LOG).contains("again of the first") && !read(log_file::LOG).contains("second"));
    assert!(read("kernelscope-2.log").contains("of the second"));
    // The place of one that has gone is taken, and its log with it.
    drop(second);
    let (again, path) = log_file::LogFile::open(place.path()).unwrap();
    assert!(again.is_another() && path.ends_with("kernelscope-2.log"));
    assert_eq!(read("kernelscope-2.log"), "");
    drop((first, third, again));
    assert!(!log_file::LogFile::open(place.path()).unwrap().0.is_another());
    assert!(read(log_file::PREVIOUS).contains("again of the first"));
}

/// One setting of the XSETTINGS protocol: kind, name, serial number, value.
fn setting(little: bool, kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    let pad = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
    let length = name.len() as u16;
    let mut bytes = vec![kind, 0];
    bytes.extend(if little { length.to_le_bytes() } else { length.to_be_bytes() });
    bytes.extend(name.as_bytes());
    pad(&mut bytes);
    bytes.extend([0; 4]);
    bytes.extend(value);
    pad(&mut bytes);
    bytes
}

#[test]
fn the_scale_of_a_desktop_is_read_in_either_order_of_bytes() {
    for little in [true, false] {
        let word = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let font = [word(7).as_slice(), b"DejaVu!"].concat();
        let settings = [
            setting(little, 1, "Gtk/FontName", &font),
            setting(little, 2, "Gtk/Color", &[0; 8]),
            setting(little, 0, "Xft/Antialias", &word(1)),
            setting(little, 0, "Xft/DPI", &word(144 * 1024)),
        ];
        let mut data = vec![u8::from(!little), 0, 0, 0];
        data.extend(word(1));
        data.extend(word(4));
        data.extend(settings.concat());
        assert_eq!(display::xsettings_dots(&data), Some(144.0));
        // However it is cut off, it is read to where it ends.
        for length in 0..data.len() {
            assert_eq!(display::xsettings_dots(&data[..length]), None, "{length} bytes");
        }
    }
}

#[test]
fn ticks_can_be_told_apart_and_digits_say_what_was_measured() {
    let near = |middle: f64, span: f64| (middle - span / 2.0, middle + span / 2.0);
    let mut ranges = vec![(0.0, 0.0), (-3.0, 5.0), (0.0, 2e-9), (-1e-12, 1e-12), (0.0, 1e9)];
    for size in [1e-12, 3e-6, 1.2e-3, 0.04, 1.0, 12.0, 997.0, 40_211.0, 1_234_567.0, 9.9e11] {
        for span in [0.0, 1e-13, 1e-6, 1e-4, 0.003, 0.02, 0.5, 3.0] {
            ranges.extend([near(size, span * size), near(-size, span * size)]);
        }
    }
    for range in ranges {
        let (low, high) = format::settle_linear(range, 1e-6f64.min(1e-3 * range.1.abs()));
        assert!(low <= range.0 && range.1 <= high && low < high, "{range:?} in {low}..{high}");
        for most in 2..=6 {
            let ticks: Vec<String> = format::linear_marks(low, high, most)
                .into_iter()
                .map(|value| format::tick(value, high - low, false))
                .collect();
            let different: std::collections::BTreeSet<&String> = ticks.iter().collect();
            assert_eq!(different.len(), ticks.len(), "{range:?}: {ticks:?}");
            assert!(!ticks.is_empty(), "{range:?}");
            assert!(ticks.iter().all(|text| !text.ends_with('.') && text != "−0"), "{ticks:?}");
        }
    }
    for low in [-9.3, -2.0, 0.31, 4.6] {
        for span in [0.02, 0.1, 0.4, 0.7, 1.3, 3.0, 9.0] {
            let marks = format::log_marks(low, low + span, 5);
            let ticks: Vec<String> = marks.into_iter().map(|value| format::tick(value, span, true)).collect();
            let different: std::collections::BTreeSet<&String> = ticks.iter().collect();
            assert_eq!(different.len(), ticks.len(), "{low} + {span}: {ticks:?}");
        }
    }
    for (ratio, words) in [
        (3.0, "3.0"),
        (3.04, "3.0"),
        (9.94, "9.9"),
        (9.96, "10"),
        (30.0, "30"),
        (1.0, "1.0"),
        (0.996, "1.0"),
        (0.86, "0.86"),
        (0.8, "0.80"),
        (0.0, "0"),
        (0.04, "4.0e−2"),
        (2.0e7, "2.0e7"),
        (f64::INFINITY, "–"),
    ] {
        assert_eq!(times(ratio), words);
    }
    for (factor, words) in
        [(0.85, "−15 %"), (1.2, "+20 %"), (1.0, "0 %"), (0.9966, "−0.3 %"), (0.99999, "0 %"), (1.004, "+0.4 %")]
    {
        assert_eq!(format::change(factor), words);
    }
}
