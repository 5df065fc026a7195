//! Forks, predictions and the ledger in the window: pressed by their labels, on the real worker.

use egui_kittest::kittest::Queryable as _;
use kernelscope::run::{Ending, RunState};
use kernelscope::spec::Spec;
use kernelscope::ui::App;

use super::tiny;
use super::ui::{press, until, window};

fn slow() -> Spec {
    let mut spec = tiny();
    spec.tasks.epochs = vec![30.0, 3.0];
    spec.window.pace = 0.0;
    spec
}

fn done(app: &App) -> bool {
    matches!(app.history().state(), RunState::Ended(_))
}

/// The view stands in the place of another, which its title lists.
fn put(harness: &mut super::ui::Ui, instead_of: &str, view: &str) {
    press(harness, &format!("View: {instead_of}"));
    press(harness, view);
    harness.run_steps(2);
}

#[test]
fn a_fork_lets_three_futures_run_from_the_switch_and_lets_go_of_one() {
    let mut harness = window(slow());
    press(&mut harness, "Start");
    until(&mut harness, "the run begins", |app| !app.history().rows().is_empty());
    put(&mut harness, "Accuracy", "Forks");
    press(&mut harness, "Fork");
    until(&mut harness, "three futures", |app| app.forks().branches().len() == 3);
    let finished = |app: &App| {
        let ended = |state: &RunState| matches!(state, RunState::Ended(Ending::Finished { .. }));
        app.forks().branches().iter().all(|branch| ended(branch.session.history.state())) && done(app)
    };
    until(&mut harness, "they come to their end", finished);
    let app = harness.state();
    let switch = app.history().switches()[0].1;
    assert_eq!(app.forks().epoch(), Some(switch));
    for branch in app.forks().branches() {
        let (own, other) = (app.history(), &branch.session.history);
        assert_eq!(own.switches(), other.switches(), "{}", branch.name);
        let upto =
            |history: &kernelscope::run::History| history.rows().iter().filter(|row| row.epoch <= switch).count();
        assert_eq!(upto(own), upto(other), "what was before is in its record, too");
        assert_ne!(own.rows().last().unwrap().blocks, other.rows().last().unwrap().blocks, "{}", branch.name);
        assert_eq!(own.outcomes()[0].spike.unwrap().background, other.outcomes()[0].spike.unwrap().background);
    }
    press(&mut harness, "Let go of head only");
    assert_eq!(harness.state().forks().branches().len(), 2);
    // Curves, too.
    press(&mut harness, "Shown of the futures");
    press(&mut harness, "velocity, debiased");
    harness.run_steps(3);
    press(&mut harness, "Restart");
    assert!(harness.state().forks().branches().is_empty(), "a new run has no futures yet");
}

#[test]
fn predictions_and_the_ledger_are_shown_where_there_are_some() {
    let mut spec = slow();
    spec.tasks.epochs = vec![1.0, 1.0];
    spec.kernel.predict = true;
    let mut harness = window(spec);
    put(&mut harness, "Accuracy", "Static kernel");
    put(&mut harness, "λ over time", "Ledger");
    press(&mut harness, "Start");
    until(&mut harness, "the run ends", done);
    harness.run_steps(3);
    assert_eq!(harness.state().history().ledgers().len(), 1);
    press(&mut harness, "Shown of the predictions");
    press(&mut harness, "gap");
    harness.run_steps(3);
    harness.get_by_label("Take one now");
}

#[test]
fn a_fork_that_cannot_be_says_why_and_leaves_everything_as_it_was() {
    let mut spec = slow();
    spec.tasks.epochs = vec![1.0, 400.0];
    let mut harness = window(spec);
    harness.key_press(egui::Key::F);
    harness.run_steps(3);
    harness.get_by_label_contains("no run to fork");
    press(&mut harness, "Start");
    until(&mut harness, "the last task", |app| app.history().tasks().len() == 2);
    until(&mut harness, "the run says that nothing is to come", |app| app.history().progress().upcoming.is_empty());
    press(&mut harness, "Fork");
    harness.get_by_label_contains("No switch is to come");
    assert!(!harness.state().forks().is_waiting());
    // Here it can be forked, and the futures are at the pace of the run.
    press(&mut harness, "When to fork, and what to change");
    press(&mut harness, "Here");
    harness.key_press(egui::Key::Escape);
    harness.run_steps(2);
    press(&mut harness, "Fork");
    until(&mut harness, "futures", |app| app.forks().branches().len() == 3);
    let app = harness.state();
    let fork = app.forks().epoch().unwrap();
    for branch in app.forks().branches() {
        assert_eq!(branch.session.spec.window, app.session().unwrap().spec.window);
        assert!(branch.session.history.rows().iter().any(|row| row.epoch <= fork));
        assert_eq!(branch.session.history.tasks().len(), 2);
    }
}
