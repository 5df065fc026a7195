//! Lessons: what their files say exists, what they wait for is what was measured, and each is driven to its end in the real
//! window on real runs.

use std::time::Duration;

use egui::Key;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use kernelscope::analysis::{Milestone, RUN_FIGURES, SWITCH_FIGURES};
use kernelscope::run::{Event, History, RunState};
use kernelscope::spec::text::builtin;
use kernelscope::spec::{LESSON_FILES, Learner, Lesson, LessonCondition, MOST_WORDS, lessons};
use kernelscope::storage::Graph;
use kernelscope::ui::App;
use kernelscope::ui::lessons::Seen;
use kernelscope::ui::study::PanelKind;
use kernelscope::ui::views::View;

use super::editor::write;
use super::ui::{Ui, endless, press, until, window};
use super::{read_all, start, tiny, wait_at_most};

#[test]
fn each_file_is_listed_and_asks_for_what_there_is() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lessons");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut listed: Vec<&str> = LESSON_FILES.iter().map(|(name, _)| *name).collect();
    names.sort();
    listed.sort_unstable();
    assert_eq!(names, listed, "each file has its line in the list, and each line its file");

    let panels = ["Test error", "Local slope", "Cumulative power"];
    for (name, text) in LESSON_FILES {
        let lesson = Lesson::read(name, text).unwrap_or_else(|err| panic!("{name}: {err}"));
        for step in &lesson.steps {
            let view = match lesson.study {
                None => View::titled(&step.view).is_some(),
                Some(_) => {
                    panels.contains(&step.view.as_str())
                        || PanelKind::SWITCH.iter().chain(&PanelKind::RUN).any(|panel| panel.title() == step.view)
                }
            };
            assert!(view, "{name}: there is no view {}", step.view);
            if let Some(mode) = &step.mode {
                let modes = View::titled(&step.view).map_or(&[][..], View::modes);
                assert!(modes.contains(&mode.as_str()), "{name}: {} has no mode {mode}, only {modes:?}", step.view);
            }
            for figure in step.figures() {
                let known = figure.strip_prefix("before.").unwrap_or(figure);
                assert!(SWITCH_FIGURES.contains(&known) || RUN_FIGURES.contains(&known), "{name}: {figure}");
            }
        }
        let paper = |text: &str| ["2507.16039", "2105.03703", "2206.10012"].iter().any(|number| text.contains(number));
        assert!(lesson.steps.iter().any(|step| paper(&step.text)), "{name} names its paper");
        assert!(
            lesson.steps.last().unwrap().text.contains("fail") || text.contains("What can fail"),
            "{name} says what can fail"
        );
    }
    assert_eq!(lessons().len(), LESSON_FILES.len());
}

#[test]
fn what_a_lesson_cannot_mean_is_refused_in_one_sentence() {
    let file = |head: &str, step: &str| format!("title = 'T'\nabout = 'A'\n{head}\n[[step]]\nview = 'Kernel'\n{step}");
    let long = format!("text = '{}'", "word ".repeat(MOST_WORDS + 1));
    let cases = [
        (file("preset = 'reactivation'", "text = 'x'\nwait = 'godot'"), "unknown condition “godot”"),
        (file("preset = 'reactivation'", "text = 'x'\nwait = 'switch 0'"), "unknown condition"),
        (file("preset = 'nobody'", "text = 'x'"), "there is no nobody"),
        (file("", "text = 'x'"), "write preset or study"),
        (file("preset = 'ntk'\nset = ['network.widht=3']", "text = 'x'"), "did you mean"),
        (file("preset = 'ntk'", &long), "it has 61 words"),
        (file("preset = 'ntk'", "text = 'x'\nwait = 'points 3'"), "which cannot come here"),
        (file("study = 'he3'", "text = 'x'\nwait = 'spike'"), "which cannot come here"),
        (file("study = 'he3'", "text = 'x'\nset = ['seed=2']"), "cannot be changed on its way"),
        (file("preset = 'ntk'", "text = 'x'\nwho = 'I'"), "unknown field"),
    ];
    for (text, words) in cases {
        let refusal = Lesson::read("trial", &text).expect_err(&text).to_string();
        assert!(refusal.contains(words), "{refusal}");
        assert!(!refusal.contains('\n'), "{refusal}");
    }
}

/// Each thing is seen at the event that brings it and not before, and what did not happen is said not to come.
#[test]
fn what_is_waited_for_is_seen_when_it_was_measured() {
    let mut spec = tiny();
    (spec.data.per_class, spec.network.width, spec.training.batch) = (100, 64.into(), 64);
    spec.kernel.probes_per_class = 4;
    spec.tasks.epochs = vec![20.0, 4.0];
    let control = {
        let mut spec = spec.clone();
        spec.tasks.overlap = 5;
        spec
    };
    let mut history = History::default();
    let mut seen = Vec::new();
    let awaited = [
        LessonCondition::Start,
        LessonCondition::Epoch(3.0),
        LessonCondition::Switch(1),
        LessonCondition::Spike(1),
        LessonCondition::Dip(1),
        LessonCondition::Finished,
        LessonCondition::Switch(2),
    ];
    for event in read_all(&start(spec)) {
        history.push(event);
        let now = history.rows().last().map(|row| row.epoch);
        seen.push((now, history.tasks().len(), awaited.map(|awaited| history.milestone(awaited))));
    }
    for (now, tasks, [first, third, switch, spike, dip, finished, second]) in &seen[..seen.len() - 1] {
        let come = |sight: &Milestone| *sight == Milestone::Come;
        assert_eq!(come(first), now.is_some());
        assert_eq!(come(third), now.is_some_and(|now| now >= 3.0));
        assert_eq!(come(switch), *tasks == 2 && now.is_some());
        assert_eq!(*spike == Milestone::NotYet, now.is_none_or(|now| now < 21.0), "{spike:?} at {now:?}");
        assert_eq!(*dip == Milestone::NotYet, now.is_none_or(|now| now < 23.0), "{dip:?} at {now:?}");
        assert_eq!((finished, second), (&Milestone::NotYet, &Milestone::NotYet));
    }
    let (_, _, last) = seen.last().unwrap();
    assert!(last[..6].iter().all(|sight| *sight == Milestone::Come), "{last:?}");
    assert_eq!(history.milestone(LessonCondition::AccuracyLost(0.2)), Milestone::Come);
    assert!(matches!(&last[6], Milestone::Never(why) if why.contains("has ended")), "{:?}", last[6]);
    let spike = history.outcomes()[0].spike.unwrap();
    assert_eq!(history.figure("spike"), Some(spike.height));
    assert_eq!(history.figure("ratio"), Some(spike.height / spike.background));

    let mut still = History::default();
    read_all(&start(control)).into_iter().for_each(|event| still.push(event));
    assert!(
        matches!(still.milestone(LessonCondition::Spike(1)), Milestone::Never(why) if why.starts_with("The velocity rose to "))
    );
    assert!(
        matches!(still.milestone(LessonCondition::Recovery(1)), Milestone::Never(why) if why.starts_with("The smallest λ_max was "))
    );
    assert!(matches!(still.milestone(LessonCondition::AccuracyLost(0.3)), Milestone::Never(_)));
    let mut none = History::default();
    none.push(Event::Paused { step: 0 });
    assert_eq!(none.milestone(LessonCondition::Start), Milestone::NotYet);
}

/// Longest time for one step: runs share the machine with other tests.
const PATIENCE: Duration = Duration::from_secs(400);

fn begin(harness: &mut Ui, title: &str) {
    harness.key_press(Key::L);
    harness.run_steps(3);
    harness.get_by_label(title).click();
    harness.run_steps(3);
}

/// Reads a lesson to its end: waits for each event, sees it come, and goes on with the one key.
fn read(harness: &mut Ui, title: &str) -> Vec<String> {
    let lesson = lessons().iter().find(|lesson| lesson.title == title).expect(title);
    let mut told = Vec::new();
    for (place, step) in lesson.steps.iter().enumerate() {
        assert_eq!(harness.state().lessons().open().map(|open| open.at()), Some(place));
        if step.wait == LessonCondition::Cursor {
            harness.run_steps(2);
            assert_eq!(*harness.state().lessons().open().unwrap().seen(), Seen::Waiting);
            harness.get_by_label_contains("Waiting for you to move the time cursor");
            until(harness, "what the cursor can move over", |app| app.history().rows().len() > 2);
            // The key does nothing before it has come.
            harness.key_press(Key::Enter);
            harness.run_steps(3);
            assert_eq!(harness.state().lessons().open().map(|open| open.at()), Some(place));
            harness.key_press(Key::ArrowLeft);
            harness.run_steps(2);
        }
        match step.wait {
            LessonCondition::Residual => {
                let text = harness.get_by_label("Text of the program").accesskit_node().value().unwrap();
                let line = "let h = dense(\"fc1\", x, width);\n";
                let added = format!("{line}h += dense(\"fc3\", act(h), width);\n");
                assert!(step.text.contains(added.lines().last().unwrap()));
                write(harness, &text.replace(line, &added));
                apply(harness);
            }
            LessonCondition::Breach => {
                press(harness, "Begin from");
                let summary = builtin("mean_readout").unwrap().summary();
                press(harness, &format!("mean_readout: {summary}"));
                apply(harness);
            }
            _ => {}
        }
        let mut was_held = false;
        wait_at_most(PATIENCE, &format!("{title}: {}", step.wait.words()), || {
            let open = harness.state().lessons().open().unwrap();
            let waits = *open.seen() == Seen::Waiting && open.at() == place;
            // The run waits for its reader before the switch.
            if waits && open.is_held() && harness.state().session().unwrap().is_paused() {
                harness.run_steps(2);
                harness.get_by_label_contains("lets it happen");
                assert_eq!(harness.state().history().tasks().len(), step.wait.switch().unwrap(), "it has not happened");
                harness.key_press(Key::Enter);
                was_held = true;
            }
            if waits {
                harness.step();
            }
            (!waits).then_some(())
        });
        harness.run_steps(2);
        if was_held && matches!(step.wait, LessonCondition::Switch(_)) {
            told.push(step.text.clone());
            continue;
        }
        let open = harness.state().lessons().open().unwrap();
        assert_eq!(*open.seen(), Seen::Come, "{title}, step {}", place + 1);
        let text = open.text().to_owned();
        assert!(!text.contains(['…', '{']), "every figure is known: {text}");
        assert!(!open.strays());
        assert!(text.split_whitespace().count() <= MOST_WORDS + 3, "{text}");
        harness.get_by_label_contains(&text);
        // The view is on screen.
        harness.get_by_label(&format!("About {}", step.view));
        harness.check_accessibility();
        eprintln!("{title} {}: {text}", place + 1);
        told.push(text);
        harness.key_press(Key::Enter);
        harness.run_steps(3);
    }
    assert!(harness.state().lessons().open().is_none(), "after the last step it is closed");
    told
}

#[test]
fn the_kernel_wakes_up_is_read_to_its_end() {
    let mut harness = window(tiny());
    harness.state_mut().draft_mut().window.pace = 3.0;
    begin(&mut harness, "The kernel wakes up");
    let told = read(&mut harness, "The kernel wakes up");
    let app = harness.state();
    assert!(app.reference().is_none(), "no faint line but the lesson's own");
    assert!(app.history().figure("ratio").unwrap() >= 10.0);
    let ratio = app.history().figure("ratio").unwrap();
    assert!(told[3].starts_with(&format!("×{ratio:.0}: ")), "{}", told[3]);
    assert!(app.history().figure("dip").unwrap() < 0.95);
    assert_eq!(app.draft().window.pace, 3.0, "the pace is the user's again");
}

#[test]
fn wider_is_lazier_is_read_to_its_end() {
    let mut harness = window(tiny());
    begin(&mut harness, "Wider is lazier");
    read(&mut harness, "Wider is lazier");
    let (wide, narrow) = (harness.state().history(), harness.state().reference().unwrap());
    assert_eq!(wide.info().unwrap().spec.network.width, 512);
    assert_eq!(narrow.info().unwrap().spec.network.width, 64);
    let both = |name: &str| (wide.figure(name).unwrap(), narrow.figure(name).unwrap());
    let ((spike, before), (dip, deeper)) = (both("spike"), both("dip"));
    assert!(spike < before / 5.0, "{spike} and {before}");
    assert!(dip > deeper + 0.05, "{dip} and {deeper}");
    let (kept, narrow_kept) = both("accuracy_after");
    assert!((kept - narrow_kept).abs() < 0.1, "forgotten alike: {kept} and {narrow_kept}");
    let (own, narrow_own) = both("accuracy_after_masked");
    assert!(own > narrow_own + 0.1, "not so among its own classes: {own} and {narrow_own}");
}

#[test]
fn following_the_kernel_is_read_to_its_end() {
    let mut harness = window(tiny());
    begin(&mut harness, "Following the kernel");
    read(&mut harness, "Following the kernel");
    let (narrow, wide) = (harness.state().history(), harness.state().reference().unwrap());
    for figure in ["gap_infinite", "gap_linearised", "kernel_drift"] {
        let (narrow, wide) = (narrow.figure(figure).unwrap(), wide.figure(figure).unwrap());
        assert!(wide < 0.7 * narrow, "{figure}: {wide} and {narrow}");
    }
    let gap = |name| wide.figure(name).unwrap();
    assert!(gap("gap_infinite") > gap("gap_linearised"));
}

/// Presses the button once the text was read.
fn apply(harness: &mut Ui) {
    let network = harness.state().draft().network.clone();
    wait_at_most(PATIENCE, "the text is read", || {
        press(harness, "Apply");
        (harness.state().draft().network != network).then_some(())
    });
}

#[test]
fn write_a_tensor_program_is_read_to_its_end() {
    let mut harness = window(tiny());
    begin(&mut harness, "Write a tensor program");
    read(&mut harness, "Write a tensor program");
    let history = harness.state().history();
    let network = &history.info().unwrap().spec.network;
    assert_eq!((network.program.as_str(), network.width), ("residual", 512.into()));
    // The limit is beside it, and not far.
    for (figure, most) in [("kernel_error", 0.3), ("kernel_drift", 0.3), ("gap_infinite", 0.5)] {
        let found = history.figure(figure).unwrap();
        assert!(found > 0.0 && found < most, "{figure}: {found}");
    }
}

#[test]
fn your_own_network_is_read_to_its_end() {
    let mut harness = window(tiny());
    begin(&mut harness, "Your own network");
    read(&mut harness, "Your own network");
    let (frozen, whole) = (harness.state().history(), harness.state().reference().unwrap());
    // It is the module of the fixture, as the export writes it and the reader reads it.
    let module = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/modules/lesson");
    let text = Graph::read(&module).unwrap().text;
    let of = |history: &History| history.info().unwrap().spec.network.source_text().to_owned();
    assert_eq!(of(whole), text);
    let last = text.lines().last().unwrap();
    assert_eq!(of(frozen), text.replace(&format!("\n{last}\n"), &format!("\nfreeze([\"inner\"]);\n{last}\n")));

    let shares = |history: &History| -> Vec<(String, f64)> {
        let first = history.rows()[0].layers.iter().filter(|layer| layer.task == 1);
        first.map(|layer| (layer.layer.to_string(), layer.share.unwrap())).collect()
    };
    let share = |of: &[(String, f64)], name: &str| of.iter().find(|(layer, _)| layer == name).map(|(_, share)| *share);
    let (all, rest) = (shares(whole), shares(frozen));
    assert!((share(&all, "inner").unwrap() - 0.8).abs() < 0.02 && share(&rest, "inner").is_none(), "{all:?} {rest:?}");
    assert!((share(&rest, "head").unwrap() - 0.72).abs() < 0.01, "{rest:?}");
    assert!((share(&rest, "middle").unwrap() - 0.27).abs() < 0.01, "{rest:?}");
    // The others' kernels are at first what they were.
    let left = 1.0 - share(&all, "inner").unwrap();
    for name in ["norm", "middle", "head"] {
        assert!((share(&rest, name).unwrap() - share(&all, name).unwrap() / left).abs() < 1e-6, "{name}");
    }
    let velocity = |name: &str, from: f64, to: f64| {
        let rows = whole.rows().iter().filter(move |row| row.epoch > from && row.epoch <= to);
        let layers = rows.flat_map(|row| row.layers.iter());
        layers
            .filter(|layer| layer.task == 1 && &*layer.layer == name)
            .filter_map(|layer| layer.velocity)
            .fold(0.0, f64::max)
    };
    for name in ["inner", "norm", "middle", "head"] {
        let (before, after) = (velocity(name, 9.0, 10.0), velocity(name, 10.0, 11.0));
        assert!(after > 10.0 * before && velocity(name, 0.0, 1.0) > 3.0 * before, "{name}: {before} and {after}");
    }
    let both = |name: &str| (frozen.figure(name).unwrap(), whole.figure(name).unwrap());
    let ((spike, before), (kept, whole_kept)) = (both("spike"), both("accuracy_before"));
    assert!(spike < before / 10.0, "{spike} and {before}");
    assert!(kept < whole_kept - 0.03, "{kept} and {whole_kept}");
}

#[test]
fn more_data_is_read_to_its_end() {
    let place = tempfile::tempdir().unwrap();
    let mut harness = window(tiny());
    begin(&mut harness, "More data");
    let usual = harness.state().study().draft.folder.clone().unwrap();
    assert!(usual.ends_with("lesson-more-data"), "it leaves a study of the user's alone: {usual}");
    harness.state_mut().study_mut().draft.folder = Some(place.path().join("study").display().to_string());
    read(&mut harness, "More data");
    let learnt = harness.state().study().learnt().unwrap();
    let at = |learner: Learner, n: f64| {
        let curve = learnt.curves.iter().find(|curve| curve.learner == learner).unwrap();
        curve
            .seeds
            .iter()
            .map(|(_, points)| points.iter().find(|point| point.0 == n).unwrap().1.mse.unwrap())
            .collect::<Vec<_>>()
    };
    let near = |found: Vec<f64>, said: f64| found.iter().all(|error| (error - said).abs() < 0.12);
    for learner in [Learner::Network, Learner::KernelStart, Learner::KernelEnd, Learner::Infinite] {
        assert!(near(at(learner, 64.0), 1.08), "nobody has learnt anything: {:?}", at(learner, 64.0));
    }
    assert!(near(at(Learner::Network, 256.0), 0.25) && near(at(Learner::KernelEnd, 256.0), 0.28));
    assert!(near(at(Learner::Infinite, 256.0), 0.7) && near(at(Learner::KernelStart, 256.0), 0.8));
    assert!(place.path().join("study/study.csv").exists());
}

#[test]
fn who_does_not_wait_is_told_so_and_a_closed_lesson_leaves_the_run() {
    let mut harness = window(endless());
    press(&mut harness, "Start");
    begin(&mut harness, "The kernel wakes up");
    let place = |harness: &Ui| harness.state().lessons().open().unwrap().at();
    until(&mut harness, "the first kernel", |app| app.lessons().can_go_on());
    press(&mut harness, "Next");
    for at in 1..3 {
        assert_eq!(place(&harness), at);
        press(&mut harness, "Skip waiting");
    }
    assert_eq!(place(&harness), 3);
    // What is not known is not guessed, and other settings than the lesson's are said.
    assert!(harness.state().lessons().open().unwrap().text().starts_with("…: "));
    for _ in 0..2 {
        harness.key_press(Key::Backspace);
        harness.run_steps(3);
    }
    assert_eq!(place(&harness), 1);
    harness.get_by_label("Not waited for");
    harness.state_mut().draft_mut().network.width = 24.into();
    harness.run_steps(2);
    press(&mut harness, "Restart to apply");
    until(&mut harness, "the run", |app| *app.history().state() == RunState::Running);
    harness.run_steps(3);
    harness.get_by_label_contains("has other settings by now");
    press(&mut harness, "Close lesson");
    let app: &App = harness.state();
    assert!(app.lessons().open().is_none() && app.session().unwrap().is_live());
    assert_eq!(app.draft().network.width, 24);

    let kept = std::mem::replace(harness.state_mut(), App::new(tiny(), Box::new(|spec, _| start(spec))).welcoming());
    drop(kept);
    harness.run_steps(3);
    press(&mut harness, "Lessons");
    for lesson in lessons() {
        harness.get_by_label(&lesson.title);
    }
    harness.check_accessibility();
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert!(harness.query_by_label("More data").is_none() && harness.query_by_label("Hide this hint").is_none());
}
