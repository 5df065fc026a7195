//! Runs beside each other and kernels from elsewhere: what is opened has the numbers that were written, whatever else is dropped
//! gets one sentence, and a run's own kernels, opened as somebody else's, give its own curves again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use egui_kittest::kittest::{NodeT as _, Queryable as _};
use kernelscope::chart::series_cache::{Key, SeriesCache, Window};
use kernelscope::chart::series_id::SeriesId;
use kernelscope::run::{Block, Ending, History, Metric, Origin, RunState};
use kernelscope::spec::Spec;
use kernelscope::storage::{Loaded, create, load, load_kernels, load_lazily, write_arrays};
use kernelscope::ui::App;
use kernelscope::ui::app::commands::UserCommand;
use kernelscope::ui::app::persisted_state::PersistedState;
use kernelscope::ui::overlays::{RasterRequest, rasterise};
use kernelscope::ui::views::View;

use super::cli::{kernelscope, text as said};
use super::ui::{Ui, endless, press, until, window};
use super::{read_all, start, tiny};

/// A run folder of the real worker.
fn folder(place: &Path, name: &str, seed: u64) -> PathBuf {
    let (out, spec) = (place.join(name), Spec { seed, ..tiny() });
    let mut folder = create(&out, &spec, false).unwrap().folder;
    read_all(&start(spec)).iter().for_each(|event| folder.take(event).unwrap());
    out
}

fn read(path: &Path) -> Result<Loaded, String> {
    load_kernels(path, &mut |_, _| true)
}

/// Each of these arrays, [T] and so on, in an archive.
fn archive(path: &Path, arrays: &[(&str, Vec<usize>, &[f64])]) {
    write_arrays(path, arrays.iter().map(|(name, shape, values)| ((*name).to_owned(), shape.clone(), *values)))
        .unwrap();
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        fs::read(&self.0).map_err(|err| err.to_string())
    }
}

pub fn drop_on(harness: &mut Ui, paths: &[&Path]) {
    for path in paths {
        harness.input_mut().dropped_files.push(Arc::new(Dropped((*path).to_owned())));
    }
    harness.run_steps(2);
}

fn names(app: &App) -> Vec<&str> {
    app.runs().list().iter().map(|overlay| overlay.name.as_str()).collect()
}

#[test]
fn a_folder_that_is_dropped_is_the_run_that_was_and_anything_else_gets_one_sentence() {
    let place = tempfile::tempdir().unwrap();
    let out = folder(place.path(), "first", 1);
    let expected = load(&out).unwrap().history;
    let text = place.path().join("notes.txt");
    fs::write(&text, "no run").unwrap();

    // The command line says so before it asks for a window.
    let done = kernelscope(place.path(), &["open", "nowhere"]);
    assert_eq!((done.status.code(), said(&done.stderr)), (Some(2), "nowhere is not there".to_owned()));

    let mut harness = window(tiny());
    drop_on(&mut harness, &[&text]);
    until(&mut harness, "the sentence", |app| app.toasts().texts().next().is_some());
    let told = harness.state().toasts().texts().next().unwrap().to_owned();
    assert_eq!(
        told,
        "notes.txt is neither a run folder nor a study folder nor an .npz archive of kernels nor a module of PyTorch with its graph.json nor a training with its watch.json; kernelscope run and study make folders"
    );
    assert!(harness.state().session().is_none() && harness.state().runs().list().is_empty());

    drop_on(&mut harness, &[&out]);
    until(&mut harness, "the run", |app| app.session().is_some());
    let app = harness.state();
    assert_eq!(app.history().rows(), expected.rows());
    assert_eq!(app.history().tasks(), expected.tasks());
    assert_eq!(app.history().state(), &RunState::Ended(Ending::Finished { step: 36 }));
    assert_eq!(app.draft().seed, 1, "what the panel shows is what is seen");
    // One after the other the Grams come from disk.
    until(&mut harness, "all Grams", |app| app.history().snapshots().iter().all(|found| !found.gram.is_empty()));
    for (found, told) in harness.state().history().snapshots().iter().zip(expected.snapshots()) {
        assert_eq!((&found.gram, &found.eigenvalues), (&told.gram, &told.eigenvalues));
        assert_eq!(found.outputs, told.outputs);
    }
    harness.get_by_label(&format!("first · {0} of 20 × 20", expected.snapshots().len()));
    // A run that begins now puts it into the list.
    press(&mut harness, "Start");
    assert_eq!(names(harness.state()), ["first"]);
    assert_eq!(harness.state().runs().list()[0].history.rows(), expected.rows());
}

#[test]
fn runs_over_a_run_are_named_hidden_shown_and_closed() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (folder(place.path(), "first", 1), folder(place.path(), "second", 2));
    let mut harness = window(endless());
    press(&mut harness, "Start");
    until(&mut harness, "training", |app| app.history().snapshots().len() > 3);
    drop_on(&mut harness, &[&first, &second]);
    until(&mut harness, "both runs", |app| app.runs().list().len() == 2);
    assert!(harness.state().session().unwrap().is_live(), "a run that goes on is not disturbed");
    assert_eq!(harness.state().runs().list()[1].history.rows().len(), load(&second).unwrap().history.rows().len());
    harness.check_accessibility();

    harness.get_by_label("Curves of first").click();
    harness.run_steps(3);
    let hidden: Vec<bool> = harness.state().runs().list().iter().map(|overlay| overlay.hidden).collect();
    assert_eq!(hidden, [true, false]);
    harness.get_by_label("Name of run 2").focus();
    harness.run_steps(2);
    harness.get_by_label("Name of run 2").type_text(", wide");
    harness.run_steps(3);
    assert_eq!(names(harness.state()), ["first", "second, wide"]);

    // Two kernels beside each other, with one pointer.
    harness.state_mut().arrange(&[View::Beside]);
    press(&mut harness, "second, wide beside");
    until(&mut harness, "a pause to look at", |app| app.history().snapshots().len() > 4);
    press(&mut harness, "Pause");
    until(&mut harness, "the pause", |app| app.session().unwrap().is_paused());
    harness.run_steps(3);
    harness.state_mut().runs_mut().open = false;
    super::ui::until_seen(&mut harness, "its kernel", |harness| {
        harness.query_by_label("Kernel of second, wide").is_some()
    });
    let rect = harness.get_by_label("Kernel of second, wide").rect();
    // Row 0, column 1 of 20.
    let at = rect.min + egui::vec2(1.5, 0.5) * rect.width() / 20.0;
    harness.hover_at(at);
    harness.run_steps(40);
    harness.get_by_label("row 0, column 1");
    let app = harness.state();
    let cursor = app.clock().cursor(app.history());
    let ours = app.history().snapshot_at(cursor).unwrap().gram[1];
    let other = load(&second).unwrap().history;
    let gap = |at: f64| (at - cursor).abs();
    let nearest =
        other.snapshots().iter().min_by(|a, b| gap(a.row.epoch).total_cmp(&gap(b.row.epoch))).unwrap().gram[1];
    let said = harness.get_by_label_contains("difference").accesskit_node().value().unwrap();
    let told: f64 = said.trim_end_matches("difference").trim().replace('−', "-").parse().unwrap();
    assert!((told - (nearest - ours)).abs() <= 0.01 * (nearest - ours).abs(), "{said}: {nearest} − {ours}");

    harness.state_mut().runs_mut().open = true;
    harness.run_steps(3);
    let own = harness.state().session().unwrap().own_name();
    press(&mut harness, "Show second, wide");
    until(&mut harness, "the second run", |app| !app.session().unwrap().is_live());
    assert_eq!(harness.state().draft().seed, 2);
    assert_eq!(names(harness.state()), ["first", own.as_str()]);
    press(&mut harness, "Close first");
    assert_eq!(names(harness.state()), [own.as_str()]);
    press(&mut harness, "Reopen first");
    until(&mut harness, "the first run", |app| app.session().unwrap().spec.seed == 1);
}

#[test]
fn what_was_open_is_opened_again_at_the_next_start_and_what_is_gone_is_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let (first, study) = (folder(place.path(), "first", 1), place.path().join("study"));
    fs::create_dir_all(study.join("runs")).unwrap();
    fs::write(study.join("study.toml"), "").unwrap();
    let of_study = folder(&study.join("runs"), "seed 2", 2);
    let mut harness = window(tiny());
    drop_on(&mut harness, &[&first]);
    until(&mut harness, "the run", |app| app.session().is_some());
    drop_on(&mut harness, &[&study]);
    // Nobody trains: the first run of the study is shown, and what was shown lies over it.
    until(&mut harness, "the run of the study", |app| names(app) == ["first"]);
    assert!(!harness.state().can(UserCommand::Reopen), "all of it is open");
    assert_eq!(harness.state().session().unwrap().path(), Some(&of_study));
    harness.key_press(egui::Key::U);
    harness.run_steps(3);
    press(&mut harness, "Close first");
    let text = harness.state().saved(&harness.ctx).write();

    let (saved, problems) = PersistedState::read(&text);
    assert_eq!(problems, Vec::<String>::new());
    let mut harness = window(tiny());
    let ctx = harness.ctx.clone();
    harness.state_mut().restore(&ctx, &saved);
    let known = |app: &App| app.runs().closed(app.session()).map(|place| place.name.clone()).collect::<Vec<_>>();
    assert_eq!(known(harness.state()), ["first", "study"]);
    harness.key_press_modifiers(egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::T);
    until(&mut harness, "the first run", |app| app.session().is_some_and(|session| session.spec.seed == 1));
    harness.key_press(egui::Key::U);
    harness.run_steps(3);
    press(&mut harness, "Reopen study");
    until(&mut harness, "the study", |app| app.session().unwrap().spec.seed == 2);
    press(&mut harness, "Close first");
    fs::remove_dir_all(&first).unwrap();
    press(&mut harness, "Reopen first");
    until(&mut harness, "the sentence", |app| app.toasts().texts().next().is_some());
    let told = harness.state().toasts().texts().next().unwrap().to_owned();
    assert_eq!(told, format!("{} is not there any more", first.display()));
    assert_eq!(known(harness.state()), Vec::<String>::new());
}

/// A step is the same step, whether its time is counted in steps or in epochs.
#[test]
fn kernels_that_count_steps_lie_over_a_run_where_it_has_these_steps() {
    let place = tempfile::tempdir().unwrap();
    let first = folder(place.path(), "first", 1);
    let ours = load(&first).unwrap().history;
    let path = place.path().join("theirs.npz");
    let grams: Vec<f64> = ours.snapshots().iter().flat_map(|found| found.gram.iter().copied()).collect();
    let steps: Vec<f64> = ours.rows().iter().map(|row| row.step as f64).collect();
    let (count, n) = (steps.len(), ours.info().unwrap().probes.len());
    archive(&path, &[("gram", vec![count, n, n], &grams), ("step", vec![count], &steps)]);

    let mut harness = window(tiny());
    drop_on(&mut harness, &[&first, &path]);
    until(&mut harness, "the kernels over the run", |app| names(app) == ["theirs"]);
    harness.run_steps(2);
    let drawn = |harness: &Ui| harness.state().runs().list()[0].drawn().rows().to_vec();
    for (found, expected) in drawn(&harness).iter().zip(ours.rows()) {
        assert!(
            (found.epoch - expected.epoch).abs() < 1e-12,
            "step {}: {} {}",
            found.step,
            found.epoch,
            expected.epoch
        );
    }
    harness.get_by_label("by steps");
    // And the other way round; the Grams of the folder are found by the same steps.
    press(&mut harness, "Show theirs");
    until(&mut harness, "the run beside the kernels", |app| names(app) == ["first"]);
    harness.run_steps(2);
    let app = harness.state();
    assert!(app.history().counts_steps());
    let over = &app.runs().list()[0];
    for (found, expected) in over.drawn().rows().iter().zip(ours.rows()) {
        assert_eq!((found.epoch, over.own_epoch(found.epoch)), (expected.step as f64, expected.epoch));
    }
}

/// All that is told of kernels alone.
const OF_KERNELS: [Metric; 16] = [
    Metric::LagSteps,
    Metric::Velocity,
    Metric::VelocityUncentred,
    Metric::VelocityAngle,
    Metric::Distance,
    Metric::DistanceSwitch,
    Metric::Scale,
    Metric::Rotation,
    Metric::Drift,
    Metric::LambdaMax,
    Metric::LambdaMin,
    Metric::Trace,
    Metric::Frobenius,
    Metric::EffectiveRank,
    Metric::Alignment,
    Metric::AlignmentCentred,
];

#[test]
fn the_kernels_of_a_run_opened_as_anybodys_give_its_own_numbers() {
    let place = tempfile::tempdir().unwrap();
    let ours = load(&folder(place.path(), "run", 1)).unwrap().history;
    let path = place.path().join("theirs.npz");
    let grams: Vec<f64> = ours.snapshots().iter().flat_map(|found| found.gram.iter().copied()).collect();
    let column = |of: &dyn Fn(&kernelscope::run::Row) -> f64| ours.rows().iter().map(of).collect::<Vec<f64>>();
    let (steps, epochs) = (column(&|row| row.step as f64), column(&|row| row.epoch));
    let tasks = column(&|row| row.task as f64);
    let probes = &ours.info().unwrap().probes;
    let labels: Vec<f64> = probes.iter().map(|probe| probe.label as f64).collect();
    let of: Vec<f64> = probes.iter().map(|probe| probe.task as f64).collect();
    let (count, n) = (ours.rows().len(), probes.len());
    let arrays = [
        ("gram", vec![count, n, n], grams.as_slice()),
        ("step", vec![count], &steps),
        ("epoch", vec![count], &epochs),
        ("task", vec![count], &tasks),
        ("labels", vec![n], &labels),
        ("probe_task", vec![n], &of),
        ("lag", vec![], &[3.0]),
    ];
    archive(&path, &arrays);
    let Loaded { history: theirs, warnings } = read(&path).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(theirs.tasks(), ours.tasks());
    let mut velocities = 0;
    for (found, expected) in theirs.rows().iter().zip(ours.rows()) {
        assert_eq!((found.step, found.at_switch), (expected.step, expected.at_switch));
        for (block, own) in found.blocks.iter().zip(&expected.blocks) {
            assert_eq!(block.block, own.block);
            for metric in OF_KERNELS {
                let (a, b) = (metric.of(found, block), metric.of(expected, own));
                let close = match (a, b) {
                    (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1e-6),
                    // Kernels between snapshots are measured, too, so a run's velocity may have what an archive has not.
                    (None, Some(_)) => matches!(
                        metric,
                        Metric::LagSteps | Metric::Velocity | Metric::VelocityUncentred | Metric::VelocityAngle
                    ),
                    (a, b) => a == b,
                };
                assert!(close, "{metric:?} of {:?} at step {}: {a:?}, not {b:?}", block.block, found.step);
            }
            velocities += usize::from(block.velocity.is_some());
        }
        for (pair, own) in found.cross.iter().zip(expected.cross.iter()) {
            assert!((pair.coupling.unwrap() - own.coupling.unwrap()).abs() < 1e-9);
        }
        assert_eq!(found.cross.len(), expected.cross.len());
    }
    assert!(velocities >= 3 * 15, "{velocities} velocities");

    // And in the window: all views, of which some say what they lack.
    let mut harness = window(tiny());
    drop_on(&mut harness, &[&path]);
    until(&mut harness, "the kernels", |app| app.session().is_some());
    let app = harness.state();
    let seen = app.history().series(Block::Task(1), Metric::Velocity);
    assert_eq!(seen, theirs.series(Block::Task(1), Metric::Velocity));
    for views in View::ALL.chunks(3) {
        harness.state_mut().arrange(views);
        harness.run_steps(3);
        let lacks = views.iter().any(|view| view.refusal(&Origin::Imported).is_some());
        assert!(!lacks || harness.query_all_by_label_contains("were imported").next().is_some(), "{views:?}");
    }
    harness.get_by_label(&format!("theirs · {count} of {n} × {n}"));
}

#[test]
fn an_archive_that_does_not_fit_is_refused_in_a_sentence_that_names_the_array() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("k.npz");
    let gram = [2.0, 1.0, 1.0, 2.0, 3.0, 1.0, 1.0, 3.0];
    let whole = ("gram", vec![2, 2, 2], &gram[..]);
    let refused = |arrays: &[(&str, Vec<usize>, &[f64])]| {
        archive(&path, arrays);
        read(&path).unwrap_err()
    };
    let said = |part: &str, sentence: String| {
        assert!(sentence.starts_with("k cannot be opened: ") || sentence.starts_with("k.npz cannot"), "{sentence}");
        assert!(sentence.contains(part), "{sentence}");
    };
    said("no array named gram", refused(&[("kernel", vec![2, 2, 2], &gram)]));
    said("gram has the shape [2, 4]", refused(&[("gram", vec![2, 4], &gram)]));
    said("gram has the shape [0, 2, 2]", refused(&[("gram", vec![0, 2, 2], &[])]));
    said("gram[1, 0, 1] is no number", {
        let mut bad = gram;
        bad[5] = f64::NAN;
        refused(&[("gram", vec![2, 2, 2], &bad)])
    });
    said("step has 3 numbers", refused(&[whole.clone(), ("step", vec![3], &[0.0, 1.0, 2.0])]));
    said("step[1] is 3 after 5", refused(&[whole.clone(), ("step", vec![2], &[5.0, 3.0])]));
    said("step[0] is 0.5", refused(&[whole.clone(), ("step", vec![2], &[0.5, 3.0])]));
    said("labels has 3 numbers", refused(&[whole.clone(), ("labels", vec![3], &[0.0, 1.0, 2.0])]));
    said("probe_task must be sorted", refused(&[whole.clone(), ("probe_task", vec![2], &[2.0, 1.0])]));
    said("lag must be one number", refused(&[whole.clone(), ("lag", vec![2], &[2.0, 1.0])]));
    said("task has a task 65", refused(&[whole.clone(), ("task", vec![2], &[1.0, 65.0])]));
    fs::write(&path, "no archive").unwrap();
    said("no .npz archive", read(&path).unwrap_err());

    // One kernel alone, and one that is not symmetric: shown as it is, and said.
    archive(&path, &[("gram", vec![2, 2], &[2.0, 1.0, 0.5, 2.0])]);
    let Loaded { history, warnings } = read(&path).unwrap();
    assert_eq!(*history.snapshots()[0].gram, [2.0, 1.0, 0.5, 2.0]);
    assert_eq!(history.snapshots()[0].eigenvalues.len(), 2);
    assert!((history.snapshots()[0].eigenvalues[1] - 2.75).abs() < 1e-12, "of ½(K + K′)");
    assert!(warnings[0].contains("not symmetric, by up to 25.00 %"), "{warnings:?}");
    assert!(history.series(Block::All, Metric::Alignment).is_empty(), "there are no labels");
}

#[test]
fn the_python_example_of_the_documentation_is_opened() {
    let Some(python) = super::python("to run the example of docs/guide/external-kernels.md") else { return };
    let text = include_str!("../../docs/guide/external-kernels.md");
    let example = text.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let place = tempfile::tempdir().unwrap();
    let done = Command::new(python).args(["-c", example]).current_dir(place.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let Loaded { history, warnings } = read(&place.path().join("kernels-from-elsewhere.npz")).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((history.snapshots().len(), history.tasks().len()), (40, 2));
    // Every ten steps: all but the first of all have a lag behind them, also over the switch, where the next task starts.
    let velocity = history.series(Block::All, Metric::Velocity);
    assert_eq!(velocity.len(), 39);
    assert!(velocity.iter().all(|(_, velocity)| *velocity > 0.0));
    assert_eq!(history.series(Block::All, Metric::Alignment).len(), 40);
}

#[test]
fn grams_that_are_left_on_disk_are_read_from_either_form() {
    let place = tempfile::tempdir().unwrap();
    let (spec, out, cut) = (tiny(), place.path().join("run"), place.path().join("cut"));
    let events = read_all(&start(spec.clone()));
    // The second is cut off before its end: a small file for each Gram.
    for (out, count) in [(&out, events.len()), (&cut, events.len() - 1)] {
        let mut folder = create(out, &spec, false).unwrap().folder;
        events[..count].iter().for_each(|event| folder.take(event).unwrap());
    }
    let expected = load(&out).unwrap().history;
    let check = |history: &History, grams: &kernelscope::storage::Grams| {
        assert_eq!(history.rows(), expected.rows());
        assert!(history.snapshots().iter().all(|found| found.gram.is_empty()));
        assert_eq!(grams.times().len(), expected.snapshots().len());
        for told in expected.snapshots() {
            assert_eq!(grams.read(told.row.step).unwrap(), told.gram);
        }
        assert!(grams.read(1_000_000).unwrap_err().contains("no Gram"));
    };
    let (loaded, grams) = load_lazily(&out).unwrap();
    check(&loaded.history, &grams.unwrap());

    assert!(cut.join("kernels.partial").is_dir());
    let (loaded, grams) = load_lazily(&cut).unwrap();
    let grams = grams.unwrap();
    check(&loaded.history, &grams);
    let last = expected.rows().last().unwrap().step;
    fs::remove_file(cut.join("kernels.partial/000000.npz")).unwrap();
    assert!(grams.read(0).is_err(), "what is gone is an error in words");
    assert!(grams.read(last).is_ok(), "and harms no other");
}

/// Many curves are one picture: each point of each must be where its numbers say.
#[test]
fn the_picture_of_many_curves_has_every_point_in_its_place() {
    let place = tempfile::tempdir().unwrap();
    let history = load(&folder(place.path(), "run", 1)).unwrap().history;
    let key = Key { source: SeriesId::Metric(Block::Task(1), Metric::LambdaMax), log: false };
    let whole = Window { from: f64::NEG_INFINITY, to: f64::INFINITY, pixels: 20_000 };
    let curve = SeriesCache::default().visible(&history, key, whole);
    let (low, high) = curve.span.unwrap();
    assert_eq!(curve.pieces[0].len(), history.rows().len());
    let red = egui::Color32::RED;
    // The second of the three epochs alone.
    let window = Window { from: 1.0, to: 2.0, pixels: 400 };
    let look = RasterRequest {
        window,
        y: (low, high),
        size: [400, 300],
        scale: 1.0,
        lines: vec![(curve.clone(), red, false)],
    };
    let image = rasterise(&look);
    let series = history.series(Block::Task(1), Metric::LambdaMax);
    let mut seen = 0;
    for (epoch, value) in series.into_iter().filter(|(epoch, _)| (1.0..2.0).contains(epoch)) {
        let (x, y) = (((epoch - 1.0) * 400.0) as usize, ((high - value) / (high - low) * 300.0).min(299.0) as usize);
        // A point on the edge of a pixel may be drawn in the next one.
        let near = |at: usize, most: usize| at.saturating_sub(1)..(at + 2).min(most);
        let ink = near(x, 400).flat_map(|x| near(y, 300).map(move |y| (x, y))).map(|at| image[at].r()).max();
        assert!(ink > Some(100), "nothing at epoch {epoch}, {value}: {ink:?}");
        seen += 1;
    }
    assert!(seen >= 4);
    let drawn = image.pixels.iter().filter(|pixel| pixel.a() > 0).count();
    assert!(drawn < 400 * 300 / 20, "a line and not an area: {drawn} pixels");
    let broken = rasterise(&RasterRequest { lines: vec![(curve, red, true)], ..look });
    let left = broken.pixels.iter().filter(|pixel| pixel.a() > 0).count();
    assert!(left > drawn / 4 && left < drawn * 9 / 10, "{left} of {drawn} pixels are left of a broken line");

    // The whole curves are drawn, but the axis is that of the stretch in view.
    let curves = SeriesCache::default();
    curves.visible(&history, key, whole);
    for (from, to) in [(0.0, 1.0), (1.0, 2.0), (0.4, 2.9), (1.0, 2.0)] {
        let window = Window { from, to, pixels: 400 };
        let seen = |beyond: f64| {
            let window = Window { from: from - beyond, to: to + beyond, ..window };
            SeriesCache::default().visible(&history, key, window).span.unwrap()
        };
        let ((low, high), inner, outer) = (curves.span(key, window).unwrap(), seen(0.0), seen(0.126 * (to - from)));
        assert!(
            outer.0 <= low && low <= inner.0 && inner.1 <= high && high <= outer.1,
            "{low} {high} from {from} to {to}"
        );
    }
}
