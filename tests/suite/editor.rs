//! The text of a network in the window: written, refused under its line, applied, taken back; and its colours.

use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use kernelscope::run::RunState;
use kernelscope::spec::text::NETWORKS;
use kernelscope::spec::{NetworkSpec, Parametrisation};
use kernelscope::ui::App;
use kernelscope::ui::kit::highlight::{Kind, pieces};
use kernelscope::ui::views::View;
use proptest::prelude::*;

use super::ui::{Ui, endless, press, until, until_seen, window};
use super::{tiny, wait_until};

const RESIDUAL: &str = "//! Two layers, and one that is added.
let width = setting(\"width\", 64, 8..512);
let h = dense(\"fc1\", x, width);
h += dense(\"fc3\", act(h), width);
dense(\"fc2\", act(h), classes)
";

/// Puts another text in the place of the one that is there, as from the clipboard.
pub fn write(harness: &mut Ui, text: &str) {
    harness.get_by_label("Text of the program").focus();
    harness.run_steps(2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.run_steps(2);
    harness.event(Event::Paste(text.to_owned()));
    harness.run_steps(2);
}

/// Draws frames until something stands in the window.
#[track_caller]
fn seen(harness: &mut Ui, label: &str) {
    until_seen(harness, label, |harness| harness.query_all_by_label_contains(label).next().is_some());
}

fn opened() -> Ui {
    let mut harness = window(endless());
    harness.state_mut().set_out(&[View::Program]);
    press(&mut harness, "Start");
    until(&mut harness, "the first kernel", |app| !app.history().rows().is_empty());
    press(&mut harness, "Edit");
    harness
}

fn network(app: &App) -> &NetworkSpec {
    &app.session().unwrap().spec.network
}

#[test]
fn a_text_is_written_refused_under_its_line_applied_and_taken_back() {
    let mut harness = opened();
    // A place without room for text and drawing gives the text the window.
    assert_eq!(harness.state().views().enlarged(), Some(View::Program));
    seen(&mut harness, "It has");
    harness.check_accessibility();

    write(&mut harness, &RESIDUAL.replace("act(h), width", "act(h), 2 * width"));
    seen(&mut harness, "[16] and [32]");
    seen(&mut harness, "No network: line 4");
    // What was there stays on screen, and cannot be applied.
    assert!(network(harness.state()).text.is_none());
    press(&mut harness, "Apply");
    assert!(network(harness.state()).text.is_none());
    harness.get_by_label_contains("Tensor fc1.weight");
    harness.check_accessibility();

    write(&mut harness, RESIDUAL);
    // Its drawing is there before it is trained, and its width is the one of the settings, which it admits.
    seen(&mut harness, "Tensor fc3.weight");
    seen(&mut harness, "which is not trained");
    seen(&mut harness, "Line 4: 16, 272 parameters, has a limit");
    press(&mut harness, "Apply");
    until(&mut harness, "the run", |app| !app.history().rows().is_empty() && app.session().unwrap().is_live());
    let trained = network(harness.state()).clone();
    assert_eq!((trained.program.as_str(), trained.text.as_deref()), ("my_mlp", Some(RESIDUAL)));
    assert_eq!(trained.width, 16);
    seen(&mut harness, "% of tr Θ");
    assert!(harness.query_by_label_contains("which is not trained").is_none());

    harness.get_by_label("Text of the program").focus();
    harness.run_steps(2);
    // Esc leaves the text and then the large place; a key of the window takes the network back, and its text comes with it.
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert_eq!(harness.state().views().enlarged(), Some(View::Program), "the text had the key");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(3);
    assert_eq!(harness.state().draft().network.program, "mlp");
    seen(&mut harness, "which is not trained");
    let text = harness.get_by_label("Text of the program").accesskit_node().value();
    assert_eq!(text.as_deref(), Some(NETWORKS[0].text));
    press(&mut harness, "Apply");
    until(&mut harness, "the run", |app| network(app).program == "mlp" && *app.history().state() == RunState::Running);
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert_eq!(harness.state().views().enlarged(), None);
}

#[test]
fn networks_are_begun_from_and_theory_says_which_line_it_refuses() {
    let mut spec = endless();
    spec.network.parametrisation = Parametrisation::Ntk;
    let mut harness = window(spec);
    harness.state_mut().set_out(&[View::Program]);
    harness.run_steps(2);
    press(&mut harness, "Edit");
    // Before any run there is a text, too.
    seen(&mut harness, "It has an infinite-width limit");
    press(&mut harness, "Begin from");
    let name =
        format!("transposed: {}", NETWORKS.iter().find(|network| network.name == "transposed").unwrap().summary());
    harness.get_by_label(&name).click();
    harness.run_steps(4);
    seen(&mut harness, "No infinite-width limit: line 7, fc2: it uses the transpose of fc2.weight");
    seen(&mut harness, "Line 7: 256, 65,536 parameters, no limit");
    seen(&mut harness, "Line 5: 256, 200,960 parameters, has a limit");
    harness.get_by_label("Text of the program").focus();
    harness.run_steps(2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    until(&mut harness, "the run", |app| app.session().is_some_and(|session| session.is_live()));
    let network = network(harness.state());
    // The text itself comes with the program: its name says all.
    assert_eq!((network.program.as_str(), &network.text), ("transposed", &None));
    assert!(network.parametrisation.is_ntk(), "settings that are not the text's stay");
}

#[test]
fn a_text_that_loops_for_ever_costs_no_frame() {
    let mut harness = opened();
    write(&mut harness, "let width = setting(\"width\", 64, 8..512);\nloop { }");
    let mut frames = 0;
    wait_until("a refusal of the text", || {
        harness.step();
        frames += 1;
        harness.query_all_by_label_contains("No network").next().is_some()
    });
    assert!(harness.state().session().unwrap().is_live());
    // Had a frame waited for it, the next one would have shown what came of it.
    assert!(frames > 3, "{frames} frames while it was read");
}

#[test]
fn a_file_is_dropped_and_read_with_the_settings_that_it_declares() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("added.rhai");
    std::fs::write(&path, RESIDUAL).unwrap();
    let mut spec = tiny();
    spec.network = NetworkSpec { width: 1000.into(), ..NetworkSpec::of("mlp").with("depth", 3) };
    let mut harness = window(spec);
    harness.state_mut().open(vec![path]);
    seen(&mut harness, "Line 4: 64, 4,160 parameters, has a limit");
    press(&mut harness, "Apply");
    let network = network(harness.state());
    // Its width does not admit 1000, and it has no depth.
    assert_eq!((network.program.as_str(), network.width), ("added", 64.into()));
    assert!(network.settings.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The pieces are the text, whatever it is.
    #[test]
    fn the_pieces_of_a_text_are_all_of_it(text in "[a-z0-9_ \n\"`/*\\\\.#{}é∞]{0,80}") {
        let pieces = pieces(&text);
        let mut at = 0;
        for (bytes, _) in &pieces {
            prop_assert_eq!(bytes.start, at);
            prop_assert!(bytes.end > at && text.is_char_boundary(bytes.end));
            at = bytes.end;
        }
        prop_assert_eq!(at, text.len());
    }
}

#[test]
fn the_pieces_of_a_text_have_their_kinds() {
    let text = "let h = dense(`b.${i}`, x, 0.5); // \"w\"\nfor i in 1..3 { /* a /* b */ */ my_dense(\"a\\\"b\") }";
    let found: Vec<(&str, Kind)> = pieces(text).into_iter().map(|(bytes, kind)| (&text[bytes], kind)).collect();
    let of = |kind: Kind| found.iter().filter(move |(_, of)| *of == kind).map(|(text, _)| *text).collect::<Vec<_>>();
    assert_eq!(of(Kind::Word), ["let", "for", "in"]);
    assert_eq!(of(Kind::Function), ["dense"]);
    assert_eq!(of(Kind::Number), ["0.5", "1", "3"]);
    assert_eq!(of(Kind::Quote), ["`b.${i}`", "\"a\\\"b\""]);
    assert_eq!(of(Kind::Comment), ["// \"w\"", "/* a /* b */ */"]);
}
