//! The program as a user types it: refusals are one sentence and cost nothing, a run leaves a folder that repeats it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use indicatif::ProgressBar;
use kernelscope::cli::{follow, summary};
use kernelscope::data;
use kernelscope::run::{Ending, Metric, RunState};
use kernelscope::spec::DataSpec;
use kernelscope::storage::{create, load};

use super::record::stream;

pub fn kernelscope(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kernelscope"));
    command.current_dir(folder).args(args).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// Everything in a folder, and what is in the files.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.push((path.display().to_string(), Vec::new()));
            found.extend(contents(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn presets_are_listed_with_what_they_show() {
    let place = tempfile::tempdir().unwrap();
    let done = kernelscope(place.path(), &["presets"]);
    assert!(done.status.success());
    let said = text(&done.stdout);
    let (runs, studies) = (kernelscope::spec::PRESETS, kernelscope::spec::STUDIES);
    // A line for each, under two heads.
    assert_eq!(said.lines().count(), 2 + runs.len() + studies.len());
    for preset in runs.iter().chain(studies) {
        assert!(
            said.lines().any(|line| line.trim_start().starts_with(preset.name) && line.ends_with(preset.about)),
            "{said}"
        );
    }
}

#[test]
fn a_refusal_is_one_sentence_and_writes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    fs::write(here.join("file"), "x").unwrap();
    fs::create_dir(here.join("full")).unwrap();
    fs::write(here.join("full/photo.jpg"), "mine").unwrap();
    fs::write(here.join("odd.toml"), "version = 1\n[network]\nwidht = 3\n").unwrap();
    fs::write(here.join("newer.toml"), "version = 99\n").unwrap();
    let before = contents(here);
    let cases: &[(&[&str], &str)] = &[
        (&["--set", "network.width"], "KEY=VALUE"),
        (&["--set", "network.widht=3"], "network.width"),
        (&["--set", "network.width=big"], "network.width"),
        (&["--set", "network.width=0"], "between 16 and 8192"),
        (&["--set", "network.width=1000000000"], "between 16 and 8192"),
        (&["--set", "tasks.classes=[[0],[]]"], "no class"),
        (&["--set", "data.source=idx"], "data.path"),
        (&["--set", "data.source=idx", "--set", "data.path=nowhere"], "nowhere"),
        (&["--preset", "nothing"], "there is no preset nothing"),
        (&["--config", "missing.toml"], "missing.toml"),
        (&["--config", "odd.toml"], "network.widht"),
        (&["--config", "newer.toml"], "version 99"),
        (&["--out", "file/below"], "file/below"),
        (&["--out", "file"], "is a file"),
        (&["--out", "full"], "not empty"),
    ];
    for (args, part) in cases {
        let out: &[&str] = if args.contains(&"--out") { &[] } else { &["--out", "new"] };
        let done = kernelscope(here, &[&["run"], *args, out].concat());
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        assert!(done.stdout.is_empty());
        assert_eq!(contents(here), before, "{args:?} wrote something");
    }
    for (args, part) in [(["figures", "nowhere"], "nowhere"), (["figures", "full"], "run.toml")] {
        let done = kernelscope(here, &args);
        assert_eq!(done.status.code(), Some(2));
        assert!(text(&done.stderr).contains(part) && text(&done.stderr).lines().count() == 1, "{}", text(&done.stderr));
        assert_eq!(contents(here), before);
    }
}

/// The smallest run that has a switch.
const SMALL: [&str; 12] = [
    "--set",
    "network.width=16",
    "--set",
    "network.depth=1",
    "--set",
    "data.per_class=40",
    "--set",
    "data.test_per_class=10",
    "--set",
    "tasks.epochs=[2,1]",
    "--set",
    "kernel.probes_per_class=2",
];

/// A run on the probes of a file repeats without the file, and its folder says which images they are.
#[test]
fn listed_probes_travel_with_the_run() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let set = data::load(&DataSpec { per_class: 40, test_per_class: 10, ..DataSpec::default() }).unwrap();
    let image = |class: usize, place: usize| {
        set.train.labels.iter().enumerate().filter(|(_, label)| **label == class).nth(place).unwrap().0
    };
    let (first, second) = ([image(0, 4), image(0, 2), image(3, 1)], [image(7, 0), image(7, 9)]);
    let line = |list: &[usize]| list.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    fs::write(here.join("probes.txt"), format!("# of shirts\n{}\n\n{}  # two\n", line(&first), line(&second))).unwrap();
    let chosen = ["--set", "kernel.probes=list", "--set", "kernel.probe_list=probes.txt", "--set", "tasks.steps=[4,4]"];
    let done = kernelscope(here, &[&["run", "--out", "first"], &SMALL[..8], &chosen].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let found = load(&here.join("first")).unwrap().history;
    let probes: Vec<_> =
        found.info().unwrap().probes.iter().map(|probe| (probe.task, probe.label, probe.index)).collect();
    let of = |task: usize, label: usize| move |index: usize| (task, label, Some(index));
    let expected = [&first[..2], &first[2..], &second].into_iter().zip([of(1, 0), of(1, 3), of(2, 7)]);
    assert_eq!(probes, expected.flat_map(|(list, probe)| list.iter().copied().map(probe)).collect::<Vec<_>>());

    fs::remove_file(here.join("probes.txt")).unwrap();
    let again = kernelscope(here, &["run", "--config", "first/run.toml", "--out", "second"]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert_eq!(untimed(&here.join("first/metrics.csv")), untimed(&here.join("second/metrics.csv")));
    for (list, said) in [
        ("probes.txt", "there is no file"),
        ("nothing.txt", "has no number"),
        ("words.txt", "line 2 of"),
        (".", "is no regular file"),
    ] {
        fs::write(here.join("nothing.txt"), "# 1 2\n").unwrap();
        fs::write(here.join("words.txt"), "1 2\n3 −4\n").unwrap();
        let set = format!("kernel.probe_list={list}");
        let refused = kernelscope(here, &["run", "--out", "third", "--set", "kernel.probes=list", "--set", &set]);
        let said_there = text(&refused.stderr);
        assert!(said_there.contains(said) && said_there.lines().count() == 1, "{said_there}");
    }
    assert!(!here.join("third").exists());
}

#[test]
fn a_run_repeats_from_its_own_folder() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let done = kernelscope(here, &[&["run", "--out", "first"], &SMALL[..]].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = text(&done.stdout);
    assert!(
        said.contains("Task 1 → 2") && said.contains("forgot") && said.contains("kernelscope figures first"),
        "{said}"
    );
    let first = load(&here.join("first")).unwrap();
    assert_eq!(first.warnings, Vec::<String>::new());
    assert!(matches!(first.history.state(), RunState::Ended(Ending::Finished { .. })));

    let again = kernelscope(here, &["run", "--config", "first/run.toml", "--out", "second"]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert_eq!(fs::read(here.join("first/accuracy.csv")).unwrap(), fs::read(here.join("second/accuracy.csv")).unwrap());
    assert_eq!(untimed(&here.join("first/metrics.csv")), untimed(&here.join("second/metrics.csv")));

    let refused = kernelscope(here, &["run", "--config", "first/run.toml", "--out", "first"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("finished"), "{}", text(&refused.stderr));

    let drawn = kernelscope(here, &["figures", "first"]);
    assert!(drawn.status.success() && text(&drawn.stdout).contains("velocity.svg"), "{}", text(&drawn.stderr));
    assert!(here.join("first/figures/velocity.svg").exists());
}

/// A table without the columns that hold times.
fn untimed(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let timed: Vec<bool> = reader.headers().unwrap().iter().map(|name| name.ends_with("_seconds")).collect();
    assert_eq!(timed.iter().filter(|&&timed| timed).count(), 5, "of {}", Metric::ALL.len());
    let keep = |line: csv::StringRecord| {
        line.iter().zip(&timed).filter(|(_, timed)| !**timed).map(|(cell, _)| cell.to_owned()).collect()
    };
    reader.records().map(|line| keep(line.unwrap())).collect()
}

#[test]
fn a_run_that_diverges_says_so_and_keeps_what_it_had() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let wild = ["run", "--out", "wild", "--set", "training.rate=1000000", "--set", "training.loss=mse"];
    let done = kernelscope(here, &[&wild[..], &SMALL[..]].concat());
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("step") && text(&done.stderr).contains("wild"), "{}", text(&done.stderr));
    let loaded = load(&here.join("wild")).unwrap();
    assert!(matches!(loaded.history.state(), RunState::Ended(Ending::Diverged { .. })));
    assert!(!loaded.history.rows().is_empty());
}

#[test]
fn following_a_run_fills_the_folder_and_the_summary_says_what_happened() {
    let place = tempfile::tempdir().unwrap();
    let (out, spec) = (place.path().join("run"), stream::spec(3, 4.0));
    let told = stream::events(&spec, |step| Ending::Finished { step });
    let mut folder = create(&out, &spec, false).unwrap().folder;
    // Times without events in between, and nothing is read after the end.
    let events = told.iter().flat_map(|event| [Some(event.clone()), None]).chain([Some(told[1].clone())]);
    let history = follow(events, &mut folder, &ProgressBar::hidden()).unwrap();
    assert_eq!(history.tasks().len(), 3);
    assert_eq!(load(&out).unwrap().history.rows(), stream::rows(&told));

    let said = summary(&history);
    let accuracy = |step: u64, task: u64| stream::noise(step + task);
    assert!(said.contains("Task 1 → 2 at epoch 4.00: on the probes of task 1, velocity ×10.0"), "{said}");
    assert!(said.contains("λ_max to ×0.800, from there back by ×1.250"), "{said}");
    let average = (1..=3).map(|task| accuracy(96, task)).sum::<f64>() / 3.0;
    assert!(said.contains(&format!("Average accuracy {average:.3}")), "{said}");
    let forgot = accuracy(32, 1).max(accuracy(64, 1)) - accuracy(96, 1);
    assert!(said.contains(&format!("task 1 forgot {forgot:.3}")), "{said}");

    // A folder that is gone ends the run with a sentence.
    let mut folder = create(&place.path().join("gone"), &spec, false).unwrap().folder;
    let events = told.iter().enumerate().map(|(number, event)| {
        if number == 5 {
            fs::remove_dir_all(place.path().join("gone")).unwrap();
        }
        Some(event.clone())
    });
    assert!(follow(events, &mut folder, &ProgressBar::hidden()).unwrap_err().to_string().contains("gone"));
}

#[cfg(unix)]
#[test]
fn a_killed_run_is_shown_and_its_place_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    // Long enough to be killed in the middle of it.
    let args = [&["run", "--out", "cut"], &SMALL[..10], &["--set", "kernel.probes_per_class=8"]].concat();
    let mut running = Command::new(env!("CARGO_BIN_EXE_kernelscope"));
    let slow = [&args[..], &["--set", "tasks.epochs=[400,1]"]].concat();
    let mut running = running.current_dir(here).args(&slow).stderr(std::process::Stdio::null()).spawn().unwrap();
    let count = || load(&here.join("cut")).map_or(0, |loaded| loaded.history.snapshots().len());
    super::wait_until("three snapshots", || count() >= 3);
    running.kill().unwrap();
    running.wait().unwrap();
    let kept = count();
    assert!(kept >= 3);
    let drawn = kernelscope(here, &["figures", "cut"]);
    assert!(drawn.status.success() && text(&drawn.stderr).contains("cut off"), "{}", text(&drawn.stderr));
    assert!(here.join("cut/kernels.npz").exists(), "the Grams are put together for NumPy");
    assert_eq!(count(), kept);
    // Other settings are another run.
    let other = kernelscope(here, &args);
    assert_eq!(other.status.code(), Some(2), "{}", text(&other.stderr));
    assert_eq!(count(), kept);
}

#[test]
fn without_a_display_the_default_preset_runs_headless() {
    let place = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_kernelscope"));
    let program = program.current_dir(place.path()).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    let mut running = program.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let folder = || {
        let entry = fs::read_dir(place.path()).unwrap().flatten().next()?;
        entry.path().join("run.toml").exists().then(|| entry.file_name().to_string_lossy().into_owned())
    };
    super::wait_until("a run folder", || folder().is_some());
    running.kill().unwrap();
    let said = text(&running.wait_with_output().unwrap().stderr);
    if cfg!(target_os = "linux") {
        assert_eq!(said.lines().next(), Some("There is no display: the default preset runs without a window"));
    }
    assert!(folder().unwrap().starts_with("kernelscope-run-20"));
}
