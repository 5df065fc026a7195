//! Time as steps and as path length: against numpy and the weights of runs that end one step apart; lags in either, their refusals,
//! and what is said where no velocity comes of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use kernelscope::analysis::{SWITCH_FIGURES, SwitchKernels};
use kernelscope::run::{Block, Event, History, Metric, Row};
use kernelscope::spec::{DataShape, LAG_TOLERANCE, Spec, StudySpec};
use kernelscope::storage::{create, load};

use super::cli::{kernelscope, text};
use super::fork::{go_on, kept};
use super::run::{rows, timeless};
use super::{python, read_all, start, tiny};

/// With a snapshot at each of the twelve steps of an epoch.
fn at_each_step(steps: &[u64]) -> Spec {
    let mut spec = tiny();
    spec.kernel.per_epoch = 13;
    spec.kernel.lag_steps = Some(3);
    spec.tasks.steps = steps.to_vec();
    spec
}

fn with(spec: &Spec, changes: &[&str]) -> Spec {
    let mut spec = spec.clone();
    changes.iter().for_each(|change| spec.set(change).unwrap_or_else(|err| panic!("{change}: {err}")));
    spec
}

fn history(spec: Spec) -> History {
    let mut history = History::default();
    read_all(&start(spec)).into_iter().for_each(|event| history.push(event));
    history
}

fn folder(place: &Path, name: &str, spec: Spec) -> PathBuf {
    let out = place.join(name);
    let mut folder = create(&out, &spec, false).unwrap().folder;
    read_all(&start(spec)).iter().for_each(|event: &Event| folder.take(event).unwrap());
    out
}

/// The path is that of the weights of runs that end at consecutive steps, and the sum of what is recorded of each step; whatever
/// the optimiser does. Straightness, velocities and ratios are those of numpy.
#[test]
fn path_straightness_and_ratios_are_those_of_another_program() {
    let Some(python) = python("to recompute the path of a run") else { return };
    for changes in [&["training.rate=0.02"][..], &["training.rate=0.005", "training.momentum=0.9"]] {
        let place = tempfile::tempdir().unwrap();
        let here = place.path();
        let spec = with(&at_each_step(&[48, 12]), changes);
        let run = folder(here, "run", spec.clone());
        let stepwise = folder(here, "stepwise", with(&spec, &["kernel.lag_steps=1"]));
        // A task's length changes nothing about the steps before its end.
        let until = |step: u64| {
            let (order, steps) =
                if step > 48 { ("[1,2]", format!("[48,{}]", step - 48)) } else { ("[1]", format!("[{step}]")) };
            let set = [format!("tasks.order={order}"), format!("tasks.steps={steps}"), "kernel.lag_steps=1".to_owned()];
            folder(here, &step.to_string(), with(&spec, &set.each_ref().map(String::as_str)))
        };
        let last: Vec<PathBuf> = [5, 6, 47, 48, 49, 53, 54].map(until).to_vec();
        let ends = [0, 1, 2, 3, 3, 4, 5, 6].map(|place| &last[place]);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clocks.py");
        let done = Command::new(&python).arg(script).args([&run, &stepwise]).args(ends).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let found: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        eprintln!("{changes:?}: {found}");
        for (name, off) in found["differences"].as_object().unwrap() {
            assert!(off.as_f64().unwrap() <= 1e-9, "{changes:?}: {name} is off by {off}");
        }
        let own = load(&run).unwrap().history.outcome(0).unwrap().figures();
        for (name, expected) in found["figures"].as_object().unwrap() {
            let place = SWITCH_FIGURES.iter().position(|known| known == name).unwrap();
            let (found, expected) = (own[place].unwrap(), expected.as_f64().unwrap());
            assert!((found / expected - 1.0).abs() <= 1e-9, "{changes:?}: {name}: {found} and not {expected}");
        }
    }
}

#[test]
fn a_path_is_longer_than_its_chord_and_the_chord_of_one_step() {
    let straight = |row: &Row| row.blocks[0].straightness;
    for setting in
        ["training.momentum=0.0", "training.optimiser=adam", "training.weight_decay=0.1", "training.frozen=[\"fc1\"]"]
    {
        let spec = with(&at_each_step(&[24, 12]), &[setting, "training.rate=0.01"]);
        let (long, short) = (rows(spec.clone()), rows(with(&spec, &["kernel.lag_steps=1"])));
        for (long, short) in long.iter().zip(&short) {
            assert_eq!(long.path, short.path, "{setting}: a lag changes no step");
            assert!(straight(long).is_none_or(|straight| straight <= 1.0 + 1e-9), "{setting}: {long:?}");
            assert!(straight(short).is_none_or(|straight| (straight - 1.0).abs() < 1e-8), "{setting}: {short:?}");
        }
        assert!(long.iter().filter_map(straight).any(|straight| straight < 0.99), "{setting}");
        assert_eq!(long[0].path, Some(0.0));
        assert!(long.is_sorted_by(|a, b| a.path < b.path), "{setting}");
    }
    // Nothing moves: there is a path, and no straightness. Without weights there is neither.
    let still = rows(with(&tiny(), &["training.rate=0.0"]));
    assert!(still.iter().all(|row| row.path == Some(0.0) && straight(row).is_none()));
    let without = rows(with(&tiny(), &["network.width=inf", "network.parametrisation=ntk", "training.rate=0.5"]));
    assert!(without.iter().all(|row| row.path.is_none() && row.blocks[0].velocity_path.is_none()));
}

/// A lag of as many steps as the usual one has is the usual one, and tasks of unequal size have the same.
#[test]
fn a_lag_in_steps_is_the_same_on_both_sides_of_a_switch() {
    let spec = tiny();
    assert_eq!(rows(spec.clone()), rows(with(&spec, &["kernel.lag_steps=3"])));
    let unequal =
        with(&at_each_step(&[]), &["tasks.classes=[[0,1,2,3,4],[5]]", "tasks.epochs=[4.0,4.0]", "kernel.lag_steps=2"]);
    let history = history(unequal);
    let lags =
        |task| history.rows().iter().filter(move |row| row.task == task).filter_map(|row| row.blocks[0].lag_steps);
    assert!(lags(1).chain(lags(2)).all(|lag| lag == 2) && lags(2).count() > 2);
    // Its ratio is that which the kernels around the switch give for two steps.
    let found = SwitchKernels::of(&history, 0).unwrap().ratios(&(0..10));
    let of_two = found.iter().find(|lag| lag.steps == 2).unwrap();
    let spike = history.outcome(0).unwrap().by_step.unwrap();
    assert!((spike.ratio / of_two.ratio - 1.0).abs() < 1e-9);
    assert!((spike.fake_ratio().unwrap() / of_two.fake.unwrap() - 1.0).abs() < 1e-9);
    // Kernels are measured where such a lag begins, on the grid of snapshots or beside it.
    let sparse =
        rows(with(&tiny(), &["kernel.lag_steps=5", "kernel.per_epoch=1", "tasks.epochs=[3.0]", "tasks.order=[1]"]));
    assert!(sparse.iter().filter(|row| row.step >= 5).all(|row| row.blocks[0].lag_steps == Some(5)));
}

/// Each velocity is taken from the snapshot of the task whose distance on the path is nearest to the lag, if it is near enough.
#[test]
fn a_lag_in_path_length_begins_at_the_nearest_snapshot() {
    let spec = at_each_step(&[96, 24]);
    let usual = rows(spec.clone());
    let typical = usual[90].path.unwrap() - usual[87].path.unwrap();
    let spec = with(
        &Spec { kernel: kernelscope::spec::KernelSpec { lag_steps: None, ..spec.kernel.clone() }, ..spec },
        &[&format!("kernel.lag_path={typical}")],
    );
    assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec, "it can be written down");
    let found = rows(spec.clone());
    let mut lags = Vec::new();
    for (place, row) in found.iter().enumerate() {
        // The last snapshot of a task is the first of the next one.
        let of_task =
            found[..place].iter().filter(|other| other.task == row.task || (other.at_switch && row.task == 2));
        let off = |other: &&Row| (row.path.unwrap() - other.path.unwrap() - typical).abs();
        let nearest =
            of_task.min_by(|a, b| off(a).total_cmp(&off(b))).filter(|other| off(other) <= LAG_TOLERANCE * typical);
        let block = &row.blocks[1];
        assert_eq!(block.lag_steps, nearest.map(|other| row.step - other.step), "step {}", row.step);
        assert_eq!(block.velocity.is_some(), nearest.is_some(), "step {}", row.step);
        if let Some(nearest) = nearest {
            let path = row.path.unwrap() - nearest.path.unwrap();
            assert!((block.path_lag.unwrap() / path - 1.0).abs() < 1e-12);
        }
        lags.extend(block.lag_steps.map(|lag| (row.task, lag)));
    }
    let longest = |task| lags.iter().filter(|lag| lag.0 == task).map(|lag| lag.1).max();
    assert!(longest(1) > longest(2), "after the switch the weights go further in a step: {lags:?}");
    // A run that goes on is the run that was not interrupted.
    let (from, parent) = kept(spec, true);
    let rest: Vec<Row> = parent.into_iter().filter(|row| row.step > from.step).collect();
    assert_eq!(timeless(go_on(&from, from.future([]))), rest);
    assert!(rest.iter().any(|row| row.blocks[1].velocity_path.is_some()));
}

#[test]
fn a_lag_that_nothing_shares_is_refused_or_said() {
    let problem = |changes: &[&str]| {
        let spec = with(&tiny(), changes);
        let found = spec.problems(&DataShape::expected(&spec));
        found.into_iter().map(|problem| (problem.field.into_owned(), problem.message)).next()
    };
    for (changes, field, words) in [
        (&["kernel.lag_steps=0"][..], "kernel.lag_steps", "at least one step"),
        (&["tasks.steps=[20,10]", "kernel.lag_steps=21"], "kernel.lag_steps", "the longest task has 20 steps"),
        (&["kernel.lag_steps=2", "kernel.lag_path=1.0"], "kernel.lag_steps", "leave one of them out"),
        (&["kernel.lag_path=0.0"], "kernel.lag_path", "above 0"),
        (&["network.width=inf", "network.parametrisation=ntk", "kernel.lag_path=1.0"], "kernel.lag_path", "no weights"),
    ] {
        let (at, message) = problem(changes).unwrap_or_else(|| panic!("{changes:?} is taken"));
        assert!(at == field && message.contains(words), "{changes:?}: {at}: {message}");
    }
    assert_eq!(problem(&["tasks.steps=[20,10]", "kernel.lag_steps=20"]), None);
    for (changes, words) in [
        (
            &["kernel.lag=1.5", "tasks.epochs=[6.0,1.0]"][..],
            Some("in the epoch after the switch are the lag of 1.5 epochs apart"),
        ),
        (
            &["kernel.lag=5.0", "tasks.epochs=[2.0,1.0]"],
            Some("in the last third of the task before are the lag of 5 epochs apart"),
        ),
        (&["kernel.lag_steps=13", "tasks.epochs=[6.0,1.0]"], Some("the lag of 13 steps apart")),
        (&["kernel.lag_path=1000.0", "tasks.epochs=[6.0,1.0]"], Some("a path of about 1000 apart")),
        (&["kernel.lag_steps=12", "tasks.epochs=[6.0,1.0]"], None),
    ] {
        let history = history(with(&tiny(), changes));
        let found = history.missing_velocity(0);
        assert_eq!(found.is_some(), words.is_some(), "{changes:?}: {found:?}");
        assert!(words.is_none_or(|words| found.unwrap().contains(words)), "{changes:?}");
        assert_eq!(history.spikes(Block::Task(1), Metric::Velocity)[0].is_some(), words.is_none());
    }
}

/// The ratio against the lag of a study's runs: that of each run's own table at its own lag, by either clock.
#[test]
fn a_study_has_the_ratio_against_the_lag_of_each_of_its_runs() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let study = StudySpec {
        axis: "network.width".to_owned(),
        values: vec![16.into(), 24.into()],
        seeds: vec![1, 2],
        ..StudySpec::default()
    };
    let spec = Spec { study: Some(study), ..at_each_step(&[48, 24]) };
    std::fs::write(here.join("study.toml"), spec.to_toml()).unwrap();
    let run = |args: &[&str]| {
        let done = kernelscope(here, args);
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    run(&["study", "--config", "study.toml", "--out", "out"]);
    let said = run(&["figures", "out", "--format", "png"]);
    assert!(said.contains("study-lags.png") && said.contains("study-lags.csv"), "{said}");
    let lines = |path: &Path| -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap().records().map(Result::unwrap).collect()
    };
    let (lags, table) = (lines(&here.join("out/figures/study-lags.csv")), lines(&here.join("out/study.csv")));
    let column = |of: &[csv::StringRecord], name: &str| of[0].iter().position(|head| head == name).unwrap();
    let own: Vec<_> = lags.iter().filter(|line| &line[column(&lags, "lag_steps")] == "3").collect();
    assert_eq!((own.len(), lags.len()), (4, 1 + 4 * 12), "four runs and twelve lags");
    for line in own {
        let run = table.iter().find(|run| run[0] == line[0]).unwrap();
        for (of_lag, of_run) in
            [("ratio", "ratio_step"), ("ratio_path", "ratio_path"), ("fake_ratio_path", "fake_ratio_path")]
        {
            let number = |cell: &str| cell.parse::<f64>().unwrap();
            let (found, expected) = (number(&line[column(&lags, of_lag)]), number(&run[column(&table, of_run)]));
            assert!((found / expected - 1.0).abs() < 1e-9, "{}: {of_lag} {found} and not {expected}", &line[0]);
        }
    }
    let picture = image::open(here.join("out/figures/study-lags.png")).unwrap().to_rgb8();
    let coloured = picture.pixels().filter(|pixel| pixel.0.iter().max().unwrap() - pixel.0.iter().min().unwrap() > 80);
    assert!(coloured.count() > 500, "no curve is drawn");
}
