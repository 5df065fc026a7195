//! Hands on the window: every command by its label and by its key, the grid of views, what is kept for the next start, undo,
//! presentation, the order of tasks, and colours that everybody can tell apart.

use std::fs;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Pos2, Rect, Theme, ThemePreference, Vec2, pos2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use kernelscope::chart::{format, palette};
use kernelscope::run::{Block, RunState};
use kernelscope::spec::{Effect, PRESETS, Spec, preset};
use kernelscope::storage::WindowStateFile;
use kernelscope::ui::App;
use kernelscope::ui::app::commands::UserCommand;
use kernelscope::ui::app::persisted_state::PersistedState;
use kernelscope::ui::app::state_writer::{StateWriter, find};
use kernelscope::ui::kit::theme::Tokens;
use kernelscope::ui::shell::command_palette::{Entry, found};
use kernelscope::ui::views::View;

use super::tiny;
use super::ui::{Ui, endless, press, until, window};

fn key(harness: &mut Ui, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(4);
}

fn choose(harness: &mut Ui, label: &str) {
    key(harness, Modifiers::COMMAND, Key::P);
    harness.get_by_label("Find").type_text(label);
    harness.run_steps(2);
}

fn running(app: &App) -> bool {
    *app.history().state() == RunState::Running && app.history().snapshots().len() > 3
}

/// A state in which every command can be carried out: a run that is paused in the first of two tasks, settings of which one
/// change can be taken back and one made again. The last command is none of interest.
fn prepare(harness: &mut Ui, before: UserCommand) {
    // Where there is no file dialog, which is known a moment later, the field in its place has the keys until Escape.
    until(harness, "word of whether there is a file dialog", |app| !app.runs().waits_for_dialog());
    key(harness, Modifiers::NONE, Key::Escape);
    if harness.state().study().shown {
        key(harness, Modifiers::NONE, Key::G);
    }
    if harness.state().appearance().presents() {
        key(harness, Modifiers::NONE, Key::P);
    }
    harness.ctx.set_zoom_factor(1.0);
    let app = harness.state();
    let begun = app.session().is_some_and(|session| session.is_live()) && app.history().tasks().len() == 1;
    if !begun {
        key(harness, Modifiers::NONE, Key::R);
        until(harness, "a run", running);
    }
    if !harness.state().session().is_some_and(|session| session.is_paused()) {
        key(harness, Modifiers::NONE, Key::Space);
        until(harness, "the pause", |app| app.session().is_some_and(|session| session.is_paused()));
    }
    for _ in 0..2 {
        harness.state_mut().draft_mut().training.batch += 1;
        harness.run_steps(6);
    }
    key(harness, Modifiers::COMMAND, Key::Z);
    let other = if before == UserCommand::Follow { Key::ArrowLeft } else { Key::End };
    key(harness, Modifiers::NONE, other);
    assert_ne!(harness.state().last_command(), Some(before));
}

#[test]
fn every_command_is_reached_by_its_label_and_by_its_key() {
    let mut harness = window(endless());
    for &command in UserCommand::ALL {
        let about = command.about();
        prepare(&mut harness, command);
        let available = harness.state().can(command);
        choose(&mut harness, about.label);
        key(&mut harness, Modifiers::NONE, Key::Enter);
        let reached = |harness: &Ui| harness.state().last_command() == Some(command);
        assert_eq!(reached(&harness), available, "“{}” in the palette", about.label);

        prepare(&mut harness, command);
        let available = harness.state().can(command);
        key(&mut harness, about.key.modifiers, about.key.logical_key);
        assert_eq!(reached(&harness), available, "“{}” by its key", about.label);
    }
}

#[test]
fn the_palette_has_all_there_is_and_says_why_something_cannot_be() {
    let all = UserCommand::ALL.len() + PRESETS.len() + View::ALL.len();
    assert_eq!(found("").len(), all);
    for entry in Entry::all() {
        assert_eq!(found(&entry.label())[0].label(), entry.label());
    }
    assert_eq!(found("vel kern")[0].label(), "Show view Kernel velocity");
    assert_eq!(found("no such thing at all").len(), 0);

    let mut harness = window(tiny());
    choose(&mut harness, "Step");
    harness.get_by_label("Not now: only while the run is paused");
    harness.check_accessibility();
    key(&mut harness, Modifiers::NONE, Key::Enter);
    harness.get_by_label("Find");
    key(&mut harness, Modifiers::NONE, Key::Escape);
    assert!(harness.query_by_label("Find").is_none());
    assert_eq!(harness.state().last_command(), Some(UserCommand::Palette), "nothing was carried out");

    choose(&mut harness, "show view ");
    key(&mut harness, Modifiers::NONE, Key::ArrowUp);
    key(&mut harness, Modifiers::NONE, Key::Enter);
    let last = *View::ALL.last().unwrap();
    assert!(harness.state().views().on_screen().contains(&last), "an arrow goes round the list");
    choose(&mut harness, "load preset no-shift");
    key(&mut harness, Modifiers::NONE, Key::Enter);
    assert_eq!(harness.state().draft().tasks, preset("no-shift").unwrap().spec().tasks);
}

fn place(harness: &Ui, view: View) -> Rect {
    harness.get_by_label(&format!("View: {}", view.title())).rect()
}

fn shown(harness: &Ui) -> usize {
    View::ALL.iter().filter(|view| harness.query_by_label(&format!("View: {}", view.title())).is_some()).count()
}

#[test]
fn the_pointer_reads_a_plot() {
    let mut harness = window(tiny());
    press(&mut harness, "Start");
    until(&mut harness, "the end of the run", |app| matches!(app.history().state(), RunState::Ended(_)));
    let title = place(&harness, View::Scale);
    let words = |harness: &Ui, part: &str| -> Vec<String> {
        let found = harness.query_all_by_label_contains(part).filter_map(|node| node.accesskit_node().value());
        found.collect()
    };
    harness.hover_at(title.left_bottom() + vec2(80.0, 70.0));
    harness.run_steps(2);
    // The moment and the quantity stand above a value of each task, which is one of the record.
    assert!(words(&harness, ": λ_max").iter().any(|said| said.starts_with("epoch ")), "{:?}", words(&harness, "λ"));
    for task in 1..=2 {
        let said = words(&harness, &format!("task {task}  "));
        let rows = harness.state().history().rows();
        let values = rows.iter().flat_map(|row| &row.blocks).filter(|block| block.block == Block::Task(task));
        let values: Vec<String> = values.filter_map(|block| Some(format::number(block.lambda_max?))).collect();
        let value = said.first().and_then(|said| said.rsplit("  ").next()).unwrap_or_default();
        assert!(values.iter().any(|known| known == value), "{said:?} is none of {values:?}");
    }
    // At the number of a dip it says what the number is of.
    let spots =
        (0..30).flat_map(|across| (0..24).map(move |down| vec2(40.0 + 8.0 * across as f32, 20.0 + 8.0 * down as f32)));
    let told = spots.into_iter().any(|spot| {
        harness.hover_at(title.left_bottom() + spot);
        harness.run_steps(2);
        !words(&harness, "the median of the three epochs before the switch").is_empty()
    });
    assert!(told, "no place of the view tells what the number at the dip is of");
    harness.hover_at(title.center());
    harness.run_steps(2);
    assert!(words(&harness, ": λ_max").is_empty(), "outside the plot there is nothing to read");
}

#[test]
fn views_are_enlarged_divided_closed_and_put_back() {
    let mut harness = window(tiny());
    let usual = harness.state().saved(&harness.ctx).layout.unwrap();
    let (before, kernel) = (place(&harness, View::Spectrum), place(&harness, View::Gram));
    // With the pointer in it, the key enlarges it; Esc puts it back, and so does the key.
    for back in [Key::Escape, Key::Z] {
        harness.hover_at(before.center_bottom() + vec2(60.0, 80.0));
        harness.run_steps(2);
        key(&mut harness, Modifiers::NONE, Key::Z);
        assert_eq!((shown(&harness), place(&harness, View::Spectrum).min), (1, kernel.min));
        harness.check_accessibility();
        key(&mut harness, Modifiers::NONE, back);
        assert_eq!((shown(&harness), place(&harness, View::Spectrum)), (7, before));
    }
    with_place(&mut harness, View::Accuracy, "Enlarge this view");
    assert_eq!((shown(&harness), harness.state().views().enlarged()), (1, Some(View::Accuracy)));
    press(&mut harness, "Put back Accuracy");
    assert_eq!(shown(&harness), 7);
    assert_eq!(harness.state().saved(&harness.ctx).layout.unwrap(), usual);

    // The gap between the two rows is a divider.
    let drag = |harness: &mut Ui, from: Pos2, by: Vec2| {
        harness.drag_at(from);
        harness.run_steps(2);
        harness.hover_at(from + by / 2.0);
        harness.run_steps(2);
        harness.hover_at(from + by);
        harness.run_steps(2);
        harness.drop_at(from + by);
        harness.run_steps(3);
    };
    drag(&mut harness, before.left_top() + vec2(20.0, -9.0), vec2(0.0, -90.0));
    let moved = place(&harness, View::Spectrum).min - before.min;
    assert!((moved - vec2(0.0, -90.0)).length() <= 2.0, "the row begins higher: {moved}");
    let own = harness.state().saved(&harness.ctx).layout.unwrap();
    assert_ne!(own, usual);

    with_place(&mut harness, View::Velocity, "Split side by side");
    assert_eq!(shown(&harness), 8);
    let (left, right) = (place(&harness, View::Velocity), place(&harness, View::Forks));
    assert!(left.top() == right.top() && right.left() > left.right(), "{left} beside {right}");
    with_place(&mut harness, View::Forks, "Split one above the other");
    assert_eq!(shown(&harness), 9);
    harness.check_accessibility();
    for view in [View::Prediction, View::Forks] {
        with_place(&mut harness, view, "Close this place");
    }
    assert_eq!(harness.state().saved(&harness.ctx).layout.unwrap(), own, "all as before the split");
    key(&mut harness, Modifiers::SHIFT, Key::Z);
    assert_eq!(harness.state().saved(&harness.ctx).layout.unwrap(), usual);
    assert_eq!(place(&harness, View::Spectrum), before);

    // Dividers move by keys too, and a neighbour is never left without room.
    harness.hover_at(before.center_bottom() + vec2(60.0, 80.0));
    harness.run_steps(2);
    let neighbour = place(&harness, View::Waterfall);
    key(&mut harness, Modifiers::SHIFT, Key::ArrowRight);
    let wider = place(&harness, View::Waterfall).left() - neighbour.left();
    assert!(wider > 10.0, "{wider}");
    key(&mut harness, Modifiers::SHIFT, Key::ArrowLeft);
    assert!((place(&harness, View::Waterfall).left() - neighbour.left()).abs() <= 1.5);
    for _ in 0..30 {
        key(&mut harness, Modifiers::SHIFT, Key::ArrowDown);
    }
    let higher = before.top() - place(&harness, View::Spectrum).top();
    assert!(higher > 100.0 && place(&harness, View::Velocity).height() > 10.0, "{higher}");
    assert_eq!(shown(&harness), 7);
    key(&mut harness, Modifiers::SHIFT, Key::Z);
}

/// From the list of a view's title.
fn with_place(harness: &mut Ui, view: View, what: &str) {
    // A narrow place has little of its title left to click on.
    harness.get_by_label(&format!("View: {}", view.title())).click_accesskit();
    harness.run_steps(4);
    press(harness, what);
}

/// As the real window: read, restored, changed, kept, read again.
#[test]
fn what_was_chosen_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = WindowStateFile::in_folder(&folder.path().join("not/yet"));
    assert!(find(&file).first && find(&file).message.is_none());
    // The first run begins with the window; one that may have ended the last window does not.
    let mut large = Spec::default();
    (large.network.width, large.data.per_class) = (8192.into(), 0);
    assert_eq!([PRESETS[0].spec(), large].map(|spec| window(spec).state().is_light()), [true, false]);

    let mut harness = window(tiny());
    key(&mut harness, Modifiers::NONE, Key::D);
    let theme = harness.ctx.theme();
    key(&mut harness, Modifiers::COMMAND, Key::Plus);
    with_place(&mut harness, View::Accuracy, "Split one above the other");
    harness.state_mut().draft_mut().network.width = 48.into();
    // What a presentation does to the scale is not kept.
    press(&mut harness, "Study");
    key(&mut harness, Modifiers::NONE, Key::P);
    let saved = harness.state().saved(&harness.ctx);
    assert_eq!(saved.scale, Some(1.1));
    let mut keeper = StateWriter::new(file.clone(), &harness.ctx, PersistedState::default());
    keeper.note(&harness.ctx, PersistedState { scale: Some(2.0), ..saved.clone() });
    keeper.close(&saved);

    let again = find(&file);
    assert!(again.message.is_none());
    let mut harness = window(Spec::default());
    let ctx = harness.ctx.clone();
    harness.state_mut().restore(&ctx, &again.saved);
    harness.run_steps(3);
    assert_eq!(harness.state().saved(&ctx), saved);
    assert_eq!((ctx.theme(), harness.state().draft().network.width), (theme, 48.into()));
    assert!(harness.state().study().shown && ctx.zoom_factor() == 1.1);
    key(&mut harness, Modifiers::NONE, Key::G);
    assert_eq!(shown(&harness), 8);
    // A thread writes it while the window is open.
    key(&mut harness, Modifiers::NONE, Key::G);
    let mut keeper = StateWriter::new(file.clone(), &ctx, again.saved);
    let other = PersistedState { scale: Some(1.5), ..saved };
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while find(&file).saved.scale != Some(1.5) {
        assert!(std::time::Instant::now() < patience && keeper.note(&ctx, other.clone()).is_none());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_broken_file_costs_one_message_and_what_is_whole_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = WindowStateFile::in_folder(folder.path());
    let path = folder.path().join("window.toml");
    let whole = window(tiny()).state().saved(&egui::Context::default());
    let text = PersistedState { scale: Some(1.25), ..whole.clone() }.write();
    assert_eq!(PersistedState::read(&text), (PersistedState { scale: Some(1.25), ..whole.clone() }, Vec::new()));

    let broken: [(&str, Vec<u8>); 9] = [
        ("TOML", b"\xff\xfe rubbish".to_vec()),
        ("TOML", text.as_bytes()[..text.len() / 3].to_vec()),
        ("version", text.replace("version = 1\n", "version = 99\n").into_bytes()),
        ("layout: ", text.replace("\"Accuracy\"", "\"Astrology\"").into_bytes()),
        ("two places", text.replace("\"Accuracy\"", "\"Scale\"").into_bytes()),
        ("layout: ", text.replace("share = 1.0", "share = nan").into_bytes()),
        ("scale: ", text.replace("scale = 1.25", "scale = 1e9").into_bytes()),
        ("settings: ", text.replace("[settings.network]", "[settings.netting]").into_bytes()),
        ("theme: ", text.replace("theme = \"", "theme = \"infra-").into_bytes()),
    ];
    for (what, bytes) in broken {
        fs::write(&path, &bytes).unwrap();
        let found = find(&file);
        let message = found.message.expect(what).text;
        assert!(message.contains(what) || what == "TOML", "{what}: {message}");
        assert!(!found.first && message.contains("window-broken.toml") && !message.contains('\n'), "{message}");
        assert_eq!(fs::read(folder.path().join("window-broken.toml")).unwrap(), bytes, "it is kept");
        if what == "layout: " {
            assert_eq!((found.saved.layout, found.saved.settings), (None, whole.settings.clone()));
        }
        // The next start finds nothing and says nothing.
        assert!(find(&file).message.is_none());
    }
    fs::create_dir(&path).unwrap();
    assert!(find(&file).message.is_some(), "a folder under its name");
}

#[test]
fn settings_are_taken_back_and_made_again_and_a_run_hears_of_it() {
    let mut harness = window(endless());
    press(&mut harness, "Start");
    until(&mut harness, "training", running);
    let rate = harness.state().draft().training.rate;
    for (command, can) in [(UserCommand::Undo, false), (UserCommand::Redo, false)] {
        assert_eq!(harness.state().can(command), can);
    }
    harness.get_by_label("Rate η").set_value_accesskit(0.25);
    harness.run_steps(6);
    harness.state_mut().draft_mut().network.width = 24.into();
    harness.run_steps(6);
    key(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!((harness.state().draft().network.width, harness.state().draft().training.rate), (16.into(), 0.25));
    // Before it had come to rest, a change is one, too.
    key(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(harness.state().draft().training.rate, rate);
    let heard = |rate: f64| {
        move |app: &App| app.history().changes().last().is_some_and(|last| last.effect == Effect::Rate(rate))
    };
    until(&mut harness, "the old rate", heard(rate));
    assert!(!harness.state().can(UserCommand::Undo));
    key(&mut harness, Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    until(&mut harness, "the new rate", heard(0.25));
    key(&mut harness, Modifiers::COMMAND, Key::Y);
    assert_eq!(harness.state().draft().network.width, 24);
    // With nothing to make again, ctrl, shift and Z are not ctrl and Z.
    key(&mut harness, Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    assert_eq!(harness.state().draft().network.width, 24);
}

#[test]
fn the_theme_goes_round_system_light_and_dark() {
    let mut harness = window(tiny());
    harness.ctx.set_theme(ThemePreference::System);
    let preference = |harness: &Ui| harness.ctx.options(|options| options.theme_preference);
    assert_eq!(preference(&harness), ThemePreference::System);
    for system in [Theme::Dark, Theme::Light] {
        harness.input_mut().system_theme = Some(system);
        harness.run_steps(2);
        assert_eq!(harness.ctx.theme(), system);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let before = harness.ctx.theme();
            key(&mut harness, Modifiers::NONE, Key::D);
            let now = preference(&harness);
            assert!(harness.ctx.theme() != before || now == ThemePreference::System, "a change is seen");
            seen.push(now);
        }
        assert_eq!(seen[2], ThemePreference::System);
        assert!(seen.contains(&ThemePreference::Light) && seen.contains(&ThemePreference::Dark));
    }
    press(&mut harness, "Menu");
    press(&mut harness, "Dark");
    assert_eq!(preference(&harness), ThemePreference::Dark);
}

/// Everything that can be pressed, by name.
fn pressable(harness: &Ui) -> Vec<(String, Rect)> {
    let roles = [Role::Button, Role::ComboBox, Role::CheckBox];
    let nodes = harness.root().children_recursive();
    let named = nodes.filter(|node| roles.contains(&node.accesskit_node().role()));
    named.map(|node| (node.accesskit_node().label().unwrap_or_default(), node.rect())).collect()
}

#[test]
fn nothing_overlaps_at_any_size_nor_in_the_presentation() {
    let mut harness = window(tiny());
    press(&mut harness, "Start");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(_)));
    for size in [vec2(960.0, 600.0), vec2(1280.0, 800.0), vec2(1920.0, 1080.0), vec2(2560.0, 1440.0)] {
        // In the least window there is no room for a larger scale: the page stands behind scroll bars then, as below.
        let both = [false, true];
        for &presents in &both[..if size.x > 1000.0 { 2 } else { 1 }] {
            harness.ctx.set_zoom_factor(1.0);
            harness.set_size(size);
            harness.run_steps(3);
            if presents {
                key(&mut harness, Modifiers::NONE, Key::P);
                let scale = harness.ctx.zoom_factor();
                assert!(scale >= 1.15, "{scale}");
                harness.set_size(size / scale);
            }
            harness.run_steps(4);
            assert_eq!(harness.query_by_label("Batch").is_none(), presents, "no settings in the presentation");
            assert_eq!(harness.query_by_label_contains("parameters").is_none(), presents, "nor the last line");
            assert_eq!(harness.state().appearance().thick() > 1.0, presents);
            let (window, all) = (harness.ctx.content_rect(), pressable(&harness));
            // In the presentation there is only what one presses while speaking.
            assert!(all.len() > if presents { 5 } else { 20 } && (!presents || all.len() < 30), "{}", all.len());
            let upright: Vec<&(String, Rect)> =
                all.iter().filter(|(_, rect)| rect.left() > 300.0 || presents).collect();
            for (place, (name, rect)) in upright.iter().enumerate() {
                assert!(window.expand(1.0).contains_rect(*rect), "{name} at {rect} is outside of {window}");
                for (other, own) in &upright[..place] {
                    let common = rect.intersect(*own);
                    assert!(common.width() <= 1.0 || common.height() <= 1.0, "{name} {rect} on {other} {own}, {size}");
                }
            }
            if presents {
                key(&mut harness, Modifiers::NONE, Key::P);
                assert_eq!(harness.ctx.zoom_factor(), 1.0, "the scale of before");
            }
        }
    }
    // Twice the scale on a small screen: views once came to lie between bounds that had crossed, and the window broke.
    harness.set_size(vec2(640.0, 400.0));
    harness.run_steps(4);
    assert_eq!(shown(&harness), 7);
    let (help, least) = (harness.get_by_label("Help").rect(), vec2(900.0, 540.0));
    assert!(help.right() > 640.0 && help.right() < least.x, "the page is as large as it must be, and scrolls: {help}");
    key(&mut harness, Modifiers::SHIFT, Key::ArrowRight);
    assert_eq!(shown(&harness), 7);
}

#[test]
fn tasks_are_moved_by_alt_and_arrows_and_by_their_handle() {
    let mut spec = preset("five-tasks").unwrap().spec();
    let tiny = tiny();
    (spec.data, spec.network, spec.kernel) = (tiny.data, tiny.network, tiny.kernel);
    let mut harness = window(spec);
    let order = |harness: &Ui| harness.state().draft().tasks.sequence();
    harness.get_by_label("Handle of task 4").focus();
    harness.run_steps(2);
    for expected in [[1, 2, 4, 3, 5], [1, 4, 2, 3, 5]] {
        key(&mut harness, Modifiers::ALT, Key::ArrowUp);
        assert_eq!(order(&harness), expected, "the focus goes with the task");
    }
    key(&mut harness, Modifiers::ALT, Key::ArrowDown);
    assert_eq!(order(&harness), [1, 2, 4, 3, 5]);
    harness.get_by_label("Handle of task 1").focus();
    harness.run_steps(2);
    key(&mut harness, Modifiers::ALT, Key::ArrowUp);
    assert_eq!(order(&harness), [1, 2, 4, 3, 5], "the first stays the first");

    let (from, to) = (harness.get_by_label("Handle of task 5").rect(), harness.get_by_label("Handle of task 1").rect());
    harness.drag_at(from.center());
    harness.run_steps(2);
    harness.hover_at(from.center().lerp(to.center(), 0.5));
    harness.run_steps(2);
    let above = pos2(to.center().x, to.top() - 4.0);
    harness.hover_at(above);
    harness.run_steps(2);
    harness.drop_at(above);
    harness.run_steps(3);
    assert_eq!(order(&harness), [5, 1, 2, 4, 3]);
    key(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(order(&harness), [1, 2, 4, 3, 5]);
}

/// sRGB as people without one kind of cones see it (Machado, Oliveira, Fernandes 2009, severity 1), in linear light.
const SIMULATED: [(&str, [[f64; 3]; 3]); 4] = [
    ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "no long ones",
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ),
    (
        "no middle ones",
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ),
    (
        "no short ones",
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ),
];

/// CIE L*a*b* (white D65) of a colour as it is seen.
fn lab(colour: [u8; 3], seen: &[[f64; 3]; 3]) -> [f64; 3] {
    let linear = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    let times =
        |matrix: &[[f64; 3]; 3], of: [f64; 3]| matrix.map(|row| row.iter().zip(of).map(|(a, b)| a * b).sum::<f64>());
    let rgb = times(seen, linear).map(|part| part.clamp(0.0, 1.0));
    let xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]];
    let [x, y, z] = times(&xyz, rgb);
    let f = |t: f64| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 };
    let (x, y, z) = (f(x / 0.95047), f(y), f(z / 1.08883));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// A difference of 1 is just seen side by side; of lines in a plot 10 is plain.
#[test]
fn the_colours_of_tasks_stay_apart_for_everybody() {
    let themes = [("figures", None), ("light", Some(false)), ("dark", Some(true))];
    for (theme, dark) in themes {
        let of = |number: usize| match dark {
            Some(dark) => {
                let [r, g, b, _] = Tokens::in_theme(dark).task(number).to_array();
                [r, g, b]
            }
            None => palette::task_colour(number),
        };
        for (eyes, seen) in &SIMULATED {
            for one in 1..=7 {
                for other in 1..one {
                    let pair = [lab(of(one), seen), lab(of(other), seen)];
                    let difference = (0..3).map(|at| (pair[0][at] - pair[1][at]).powi(2)).sum::<f64>().sqrt();
                    assert!(difference > 10.0, "{theme}, {eyes}: tasks {other} and {one} differ by {difference:.1}");
                }
            }
        }
    }
}
