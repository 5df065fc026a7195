//! Studies in the window, pressed as a user presses: the same table as without a window, nothing lost by cancelling, no
//! folder of another study touched, and the live run goes on.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use egui_kittest::kittest::Queryable as _;
use kernelscope::analysis::ErrorKind;
use kernelscope::analysis::comparison::{BEFORE, Comparison, Findings, Quantity, Spacing};
use kernelscope::math::bootstrap::Summary;
use kernelscope::run::{Block, Metric};
use kernelscope::spec::{Learner, Spec, StudySpec, study};
use kernelscope::storage::{StudyFolder, TABLE, load};
use kernelscope::ui::study::{PanelKind, State};

use super::cli::{kernelscope, text};
use super::tiny;
use super::ui::{Ui, endless, press, until, window};

/// Asks on the study page for a study of the run's settings: two widths, two seeds, in this folder.
fn fill(harness: &mut Ui, out: &Path) {
    press(harness, "Study");
    press(harness, "Which study");
    press(harness, "own settings");
    write(harness, "Values", "16, 24");
    write(harness, "Seeds", "1, 2");
    write(harness, "Folder", &out.display().to_string());
}

/// The study page with a study of these settings: two widths, two seeds, in this folder.
fn page(spec: Spec, out: &Path) -> Ui {
    let mut harness = window(spec);
    fill(&mut harness, out);
    until(&mut harness, "a look at the folder", |app| {
        app.study().folder() == out && (app.study().can_start() || app.study().refusal().is_some())
    });
    harness
}

/// Replaces what is in a field.
fn write(harness: &mut Ui, field: &str, text: &str) {
    let role = egui::accesskit::Role::TextInput;
    harness.get_by_role_and_label(role, field).focus();
    harness.run_steps(2);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.run_steps(1);
    harness.get_by_role_and_label(role, field).type_text(text);
    harness.run_steps(2);
}

/// The same study for the command line.
fn study_of(spec: Spec) -> Spec {
    let study = StudySpec {
        axis: "network.width".to_owned(),
        values: vec![16.into(), 24.into()],
        seeds: vec![1, 2],
        ..StudySpec::default()
    };
    Spec { study: Some(study), ..spec }
}

fn ended(app: &kernelscope::ui::App) -> usize {
    let of = |state: &&State| matches!(state, State::Ended(_));
    app.study().opened().map_or(0, |opened| opened.states.iter().filter(of).count())
}

#[test]
fn a_study_begun_by_its_button_ends_with_the_table_of_the_command_line() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("window");
    let mut harness = page(tiny(), &out);
    harness.get_by_label_contains("4 runs to do, ");
    assert!(!out.exists(), "nothing is written before the study is started");
    press(&mut harness, "Start study");
    until(&mut harness, "the end", |app| ended(app) == 4 && !app.study().is_running());
    harness.get_by_label_contains("All 4 runs are done");
    harness.get_by_label_contains("16 · seed 1: velocity ×");
    for panel in PanelKind::SWITCH {
        harness.get_by_label(&format!("About {}", panel.title()));
    }
    harness.check_accessibility();

    fs::write(place.path().join("study.toml"), study_of(tiny()).to_toml()).unwrap();
    let done = kernelscope(place.path(), &["study", "--config", "study.toml", "--out", "shell"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let table = |of: &str| fs::read_to_string(place.path().join(of).join(TABLE)).unwrap();
    assert_eq!(table("window"), table("shell"));
    // What is shown is what the folder says.
    let shown = harness.state().study().comparison().unwrap().against("ratio", 0).remove(0);
    let folder = StudyFolder::open(&out).unwrap();
    let lines = folder.table();
    let column = lines[0].iter().position(|head| head == "ratio").unwrap();
    let told: Vec<f64> = lines[1..].iter().map(|line| line[column].parse().unwrap()).collect();
    assert_eq!(shown.runs.iter().map(|run| run.2).collect::<Vec<_>>(), told);
    assert_eq!(shown.means[1].1, (told[2] + told[3]) / 2.0);

    // A card is exported like any view.
    let exports = place.path().join("exports");
    harness.state_mut().exports_mut().set_folder(exports.clone());
    let file = |ending: &str| exports.join(format!("own-settings-spike-background.{ending}"));
    for (entry, ending) in [("Save numbers as CSV", "csv"), ("Save as PNG", "png"), ("Save as SVG", "svg")] {
        press(&mut harness, "Export Spike / background");
        press(&mut harness, entry);
        until(&mut harness, ending, |_| file(ending).exists());
    }
    let mut numbers = csv::Reader::from_path(file("csv")).unwrap();
    assert_eq!(numbers.headers().unwrap(), &["run", "axis", "value"][..]);
    let rows: Vec<(String, f64, f64)> = numbers.deserialize().map(Result::unwrap).collect();
    let of_switch: Vec<_> = rows.iter().filter(|row| row.0.ends_with("(switch)")).collect();
    assert_eq!(of_switch.iter().map(|row| row.1).collect::<Vec<_>>(), [16.0, 16.0, 24.0, 24.0]);
    for (row, told) in of_switch.iter().zip(&told) {
        assert!((row.2 / told - 1.0).abs() < 1e-12, "{row:?}, not {told}");
    }
    let drawing = fs::read_to_string(file("svg")).unwrap();
    assert!(drawing.contains("own settings: Spike / background"), "{}", &drawing[..400]);

    press(&mut harness, "Save figures");
    until(&mut harness, "the figures", |_| out.join("figures/study-curves.svg").exists());
    // The window hears of the last file a moment after it is there.
    super::ui::until_seen(&mut harness, "the word of it", |harness| {
        harness.query_by_label_contains("figures/study-curves.svg").is_some()
    });
    // The settings of a run are taken to the run page.
    harness.get_by_label_contains("24 · seed 2: ").click();
    harness.run_steps(4);
    assert_eq!((harness.state().draft().network.width, harness.state().draft().seed), (24.into(), 2));
    assert!(!harness.state().study().shown);
}

#[test]
fn cancelling_loses_nothing_that_is_done_and_the_next_start_skips_it() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("study");
    let mut spec = tiny();
    // Long enough to be cancelled in the middle of a run.
    spec.tasks.epochs = vec![20.0, 10.0];
    let mut harness = page(spec.clone(), &out);
    harness.state_mut().study_mut().draft.at_once = 1;
    harness.run_steps(2);
    press(&mut harness, "Start study");
    until(&mut harness, "the first run", |app| ended(app) == 1);
    press(&mut harness, "Cancel");
    until(&mut harness, "the end of the runs in progress", |app| !app.study().is_running());
    let before = ended(harness.state());
    assert!((1..4).contains(&before), "{before} runs were done before the study was cancelled");
    harness.get_by_label_contains("Cancelled: finished runs are kept");
    let first = out.join("runs/16-seed-1/metrics.csv");
    let written = fs::metadata(&first).unwrap().modified().unwrap();
    press(&mut harness, "Start study");
    until(&mut harness, "the end", |app| ended(app) == 4 && !app.study().is_running());
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), written, "what is done is not done again");
    assert_eq!(StudyFolder::open(&out).unwrap().table().len(), 1 + 4);
    drop(harness);

    // Opened again, it is there at once.
    let mut harness = window(spec.clone());
    fill(&mut harness, &out);
    until(&mut harness, "what is there", |app| ended(app) == 4);
    harness.get_by_label_contains("All 4 runs are done");

    // Another study is refused by a sentence, and nothing is changed.
    let kept = fs::read_to_string(out.join("study.toml")).unwrap();
    harness.state_mut().draft_mut().training.rate = 0.1;
    harness.run_steps(20);
    assert_eq!(ended(harness.state()), 4, "what is shown stays, whatever happens on the run page");
    press(&mut harness, "Take them");
    until(&mut harness, "the refusal", |app| app.study().refusal().is_some());
    assert!(harness.query_all_by_label_contains("holds another study, of network.width").next().is_some());
    press(&mut harness, "Start study");
    assert!(!harness.state().study().is_running());
    assert_eq!(fs::read_to_string(out.join("study.toml")).unwrap(), kept);
}

#[test]
fn the_run_goes_on_behind_the_study_page_and_the_study_behind_the_run() {
    let place = tempfile::tempdir().unwrap();
    let mut spec = endless();
    spec.kernel.per_epoch = 1;
    let mut harness = window(spec);
    press(&mut harness, "Start");
    until(&mut harness, "training", |app| app.history().rows().len() > 3);
    harness.key_press(egui::Key::G);
    harness.run_steps(2);
    assert!(harness.state().study().shown);
    let seen = harness.state().history().rows().len();
    until(&mut harness, "rows behind the study page", |app| app.history().rows().len() > seen + 5);
    // Keys of the run do nothing here.
    harness.key_press(egui::Key::X);
    harness.run_steps(2);
    assert!(!harness.state().session().unwrap().is_stopping() && harness.state().session().unwrap().is_live());

    *harness.state_mut().draft_mut() = tiny();
    press(&mut harness, "Which study");
    press(&mut harness, "own settings");
    write(&mut harness, "Values", "16");
    write(&mut harness, "Folder", &place.path().join("study").display().to_string());
    until(&mut harness, "a look at the folder", |app| app.study().can_start());
    press(&mut harness, "Start study");
    press(&mut harness, "Run");
    assert!(!harness.state().study().shown);
    until(&mut harness, "the study behind the run page", |app| ended(app) == 3 && !app.study().is_running());
    assert!(harness.state().session().unwrap().is_live());
}

#[test]
fn what_is_wrong_with_a_study_stands_in_words_and_forbids_its_start() {
    let place = tempfile::tempdir().unwrap();
    let mut harness = page(tiny(), &place.path().join("study"));
    for (field, text, words) in [
        ("Values", "16, 0", "with network.width = 0"),
        ("Values", "", "give at least one value"),
        ("Values", "16, 16", "would be run twice"),
        ("Seeds", "one", "one is no seed"),
        ("Varies", "network.widht", "network.width"),
    ] {
        let before = harness.state().study().draft.clone();
        write(&mut harness, field, text);
        if text.is_empty() {
            harness.key_press(egui::Key::Backspace);
            harness.run_steps(2);
        }
        assert!(harness.query_all_by_label_contains(words).next().is_some(), "“{text}” for {field}");
        assert!(!harness.state().study().can_start(), "“{text}” for {field}");
        harness.state_mut().study_mut().draft = before;
        harness.run_steps(2);
    }
}

/// Means, ends and times against sums over the rows that the run folders hold; and no mean across the gap at a switch.
#[test]
fn aligned_curves_are_those_of_the_folders_and_their_mean_is_the_mean() {
    let place = tempfile::tempdir().unwrap();
    let mut spec = study_of(tiny());
    spec.tasks.epochs = vec![5.0, 2.0];
    fs::write(place.path().join("study.toml"), spec.to_toml()).unwrap();
    let done = kernelscope(place.path(), &["study", "--config", "study.toml", "--out", "out"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let folder = StudyFolder::open(&place.path().join("out")).unwrap();
    let of = |place: usize| folder.ended(place).and_then(|history| Findings::of(history)).map(Arc::new);
    let runs = Comparison::of(folder.axis(), folder.runs(), of);
    assert_eq!((runs.switches(), runs.finished(), runs.spacing), (1, 4, Spacing::Linear));
    assert_eq!(runs.stretch(0), (-BEFORE, 2.0));
    let metrics = [Metric::Velocity, Metric::LambdaMax, Metric::Scale, Metric::AlignmentCentred];
    for (quantity, metric) in Quantity::ALL.into_iter().zip(metrics) {
        for (value, around) in runs.around(quantity, 0, 0).iter().enumerate() {
            let series: Vec<Vec<(f64, f64)>> = (0..2)
                .map(|seed| {
                    let history = load(&folder.run_folder(2 * value + seed)).unwrap().history;
                    // With few probes the debiased ones are shown.
                    let mut series = history.series(Block::Task(1), history.usual(metric));
                    let at = series.iter().find(|point| point.0 == 5.0).unwrap().1;
                    if matches!(metric, Metric::LambdaMax | Metric::Scale) {
                        series.iter_mut().for_each(|point| point.1 /= at);
                    }
                    series.retain(|point| point.0 >= 5.0 - BEFORE);
                    series
                })
                .collect();
            let mean: Vec<(f64, Summary)> = around.mean.concat();
            assert_eq!(mean.len(), series[0].len(), "{quantity:?}");
            for (place, (x, Summary { seeds, mean, interval })) in mean.into_iter().enumerate() {
                let (a, b) = (series[0][place], series[1][place]);
                assert!((x - (a.0 - 5.0)).abs() < 1e-12 && a.0 == b.0, "{quantity:?} at {x}");
                assert_eq!((seeds, interval), (2, None), "{quantity:?} at {x}: two seeds have no interval");
                assert!((mean - (a.1 + b.1) / 2.0).abs() <= 1e-12 * mean.abs(), "{quantity:?} at {x}");
            }
            let pieces = if quantity == Quantity::Velocity { 2 } else { 1 };
            assert_eq!(around.mean.len(), pieces, "{quantity:?}");
            assert!(around.runs.iter().all(|(_, run)| run.len() == pieces), "{quantity:?}");
        }
    }
}

/// A study with series and without a switch: each series has its line, its colour and its law, and what there is nothing of is
/// not there.
#[test]
fn series_of_one_task_are_shown_by_what_whole_runs_did() {
    let place = tempfile::tempdir().unwrap();
    let mut harness = window(tiny());
    press(&mut harness, "Study");
    // The list of studies is longer than the window: it is scrolled to nowhere here.
    let ready = kernelscope::spec::study("universal-mlp").unwrap().spec();
    harness.state_mut().study_mut().choose("universal-mlp", &ready);
    harness.run_steps(2);
    write(&mut harness, "Values", "16, 32, 128, inf");
    write(&mut harness, "Seeds", "1, 2");
    write(&mut harness, "Folder", &place.path().join("study").display().to_string());
    // Predictions beside an infinite network are refused, in words that name the series.
    assert!(!harness.state().study().can_start());
    assert!(harness.query_all_by_label_contains("with ReLU, network.width = inf").next().is_some());
    write(&mut harness, "Values", "16, 32, 128");
    until(&mut harness, "a look at the folder", |app| app.study().can_start());
    harness.get_by_label_contains("12 runs to do, ");
    press(&mut harness, "tanh");
    until(&mut harness, "a look at the folder", |app| app.study().can_start());
    harness.get_by_label_contains("6 runs to do, ");
    press(&mut harness, "tanh");
    until(&mut harness, "a look at the folder", |app| app.study().can_start());
    press(&mut harness, "Start study");
    until(&mut harness, "the end", |app| ended(app) == 12 && !app.study().is_running());
    harness.get_by_label_contains("tanh · 128 · seed 2: ");
    for panel in PanelKind::RUN {
        harness.get_by_label(&format!("About {}", panel.title()));
    }
    assert!(harness.query_by_label("About Velocity").is_none() && harness.query_by_label("What is shown").is_none());
    harness.check_accessibility();
    let runs = harness.state().study().comparison().unwrap();
    let drift = runs.against("kernel_drift", 0);
    assert_eq!(drift.len(), 2);
    assert!(drift.iter().all(|series| series.runs.len() == 6 && series.law.unwrap().slope < -0.4));
    // At initialisation the same seed is the same network up to its activation: another error, and no other seed's.
    let error = runs.against("kernel_error", 0);
    assert!(error.iter().all(|series| series.runs.iter().all(|run| (0.001..1.0).contains(&run.2))));
    assert!(runs.against("spike", 0).iter().all(|series| series.runs.is_empty()));
}

/// A study of learners: points appear before a run has ended, the window of the fit is moved by the arrow keys, what is written
/// is the fit of that window, and a point opens as the run of its network.
#[test]
fn learners_are_drawn_as_they_finish_and_the_window_of_the_fit_decides() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("he3");
    // What is in the folder was done with fewer learners than the preset has, and is shown all the same.
    let spec = {
        let mut spec = study("he3").unwrap().spec();
        let asked = spec.study.as_mut().unwrap();
        (asked.samples, asked.seeds) = (vec![16, 24, 32, 48], vec![1, 2]);
        asked.learners = vec![Learner::KernelStart, Learner::Infinite];
        spec
    };
    fs::write(place.path().join("study.toml"), spec.to_toml()).unwrap();
    let done = kernelscope(place.path(), &["study", "--config", "study.toml", "--out", "he3"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let mut harness = window(tiny());
    press(&mut harness, "Study");
    press(&mut harness, "Which study");
    // It lies below what is in sight of the list: as a screen reader presses it.
    harness.get_by_label("he3").click_accesskit();
    harness.run_steps(4);
    // The list stays open then.
    harness.key_press(egui::Key::Escape);
    harness.run_steps(4);
    write(&mut harness, "Values", "16, 24, 32, 48");
    write(&mut harness, "Seeds", "1, 2");
    write(&mut harness, "Folder", &out.display().to_string());
    until(&mut harness, "the points", |app| app.study().learnt().is_some_and(|learnt| learnt.curves.len() == 2));
    until(&mut harness, "the fits", |app| app.study().fits().is_some());
    let before = harness.state().study().fits().unwrap();
    assert!(before.sentence.starts_with("For n from 16 to 48"), "{}", before.sentence);
    let learnt = harness.state().study().learnt().unwrap();
    let expected = learnt.curves[0].fitted(ErrorKind::Square, (16.0, 48.0));
    assert_eq!(before.fits[0], expected);
    // Of two kernels and two seeds, however many n there are.
    assert_eq!(learnt.instants.len(), 4);
    for panel in ["Test error", "Local slope", "Cumulative power"] {
        harness.get_by_label(&format!("About {panel}"));
    }
    harness.check_accessibility();

    harness.get_by_label("Smallest n of the fit").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::ArrowRight);
    harness.run_steps(2);
    until(&mut harness, "the fits of the window", |app| {
        app.study().fits().is_some_and(|worked| worked.sentence.starts_with("For n from 24 to 48"))
    });
    press(&mut harness, "Whole range");
    until(&mut harness, "the first fits", |app| {
        app.study().fits().is_some_and(|worked| worked.sentence.starts_with("For n from 16 to 48"))
    });
    press(&mut harness, "0–1");
    until(&mut harness, "the fits of the other error", |app| app.study().fits().is_some());

    press(&mut harness, "Save figures");
    until(&mut harness, "the figure", |_| out.join("figures/learning.svg").exists());

    // A click on a dot opens its run, also where an edge of the window lies over it.
    let edge = harness.get_by_label("Smallest n of the fit").rect();
    let dot = (edge.top() as i32..edge.bottom() as i32).step_by(5).map(|y| egui::pos2(edge.center().x, y as f32));
    let found = dot.into_iter().find(|&at| {
        harness.hover_at(at);
        harness.run_steps(1);
        harness.output().platform_output.cursor_icon == egui::CursorIcon::PointingHand
    });
    let at = found.expect("there is a dot at the smallest n");
    harness.drag_at(at);
    harness.drop_at(at);
    harness.run_steps(3);
    assert!(!harness.state().study().shown);
    assert_eq!(harness.state().draft().data.samples, 16);
}

/// A folder that was planned for several processes is followed while they fill it: who runs what, what failed and why.
#[test]
fn the_page_follows_a_folder_that_other_processes_fill() {
    let place = tempfile::tempdir().unwrap();
    let (here, out) = (place.path(), place.path().join("planned"));
    let mut spec = tiny();
    // Each run outlasts several looks at the folder.
    spec.tasks.epochs = vec![300.0, 2.0];
    fs::write(here.join("study.toml"), study_of(spec.clone()).to_toml()).unwrap();
    let planned = kernelscope(here, &["study", "--config", "study.toml", "--plan", "planned"]);
    assert!(planned.status.success(), "{}", text(&planned.stderr));
    // A run that cannot begin.
    fs::write(out.join("runs/24-seed-2"), "in the way").unwrap();
    let mut harness = page(spec, &out);
    let program = env!("CARGO_BIN_EXE_kernelscope");
    let mut claim = std::process::Command::new(program);
    let claim = claim.current_dir(here).args(["run", "--study", "planned", "--claim", "--jobs", "1"]);
    let claim = claim.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut worker = claim.spawn().unwrap();
    let holder = format!("16 · seed 1: run by process {}", worker.id());
    super::ui::until_seen(&mut harness, "who runs the first", |harness| {
        harness.query_by_label_contains(&holder).is_some()
    });
    harness.get_by_label_contains("other processes do 1; Start study helps them");
    assert!(!harness.state().study().is_running() && harness.state().study().can_start(), "one may help");
    harness.get_by_label("Log of 16 · seed 1");
    until(&mut harness, "the runs of the other process", |app| ended(app) == 3);
    assert_eq!(worker.wait().unwrap().code(), Some(1), "one run failed");
    super::ui::until_seen(&mut harness, "what failed, and why", |harness| {
        harness.query_by_label_contains("24 · seed 2: failed: ").is_some()
            && harness.query_by_label("Log of 24 · seed 2").is_some()
    });
    for panel in PanelKind::SWITCH {
        harness.get_by_label(&format!("About {}", panel.title()));
    }
    // Nothing was done here, and the table is left to whoever collects.
    assert_eq!(StudyFolder::open(&out).unwrap().table().len(), 1 + 3);
    assert_eq!(fs::read_to_string(out.join(TABLE)).unwrap().lines().count(), 1);
}
