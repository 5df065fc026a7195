//! What goes wrong around the program: nobody reads what it says, it is asked to end, somebody else's files are in its way.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kernelscope::run::{Ending, RunState};
use kernelscope::storage::{load, write_arrays};

use super::breaks::contents;
use super::cli::{kernelscope, text};

/// The smallest run that has a switch.
const SMALL: [&str; 13] = [
    "run",
    "--set",
    "network.width=16",
    "--set",
    "network.depth=1",
    "--set",
    "data.per_class=20",
    "--set",
    "data.test_per_class=4",
    "--set",
    "kernel.probes_per_class=2",
    "--device",
    "cpu",
];

fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kernelscope"));
    command.current_dir(folder).args(args).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

/// A pipe whose other end is closed.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn until(what: &str, wish: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !wish() {
        assert!(Instant::now() < patience, "waited a minute in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nobody_has_to_read_what_is_said() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let run = |out: &str, stdout: Stdio, stderr: Stdio| {
        let args = [&SMALL[..], &["--set", "tasks.epochs=[1,1]", "--out", out]].concat();
        let done = program(here, &args).stdout(stdout).stderr(stderr).status().unwrap();
        assert!(done.success(), "{out}: {done}");
        let history = load(&here.join(out)).unwrap().history;
        assert!(matches!(history.state(), RunState::Ended(Ending::Finished { .. })), "{out}");
    };
    run("closed", closed(), closed());
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    if Path::new("/dev/full").exists() {
        run("full", full(), full());
        let done = program(here, &["presets"]).stdout(full()).output().unwrap();
        assert_eq!(
            (done.status.code(), text(&done.stderr).lines().count()),
            (Some(1), 1),
            "it was all that was asked for"
        );
    }
    for args in [&["presets"][..], &["completions", "bash"], &["--help"]] {
        let done = program(here, args).stdout(closed()).output().unwrap();
        assert!(done.status.success() && done.stderr.is_empty(), "{args:?}: {}", text(&done.stderr));
    }
}

#[cfg(unix)]
fn ask_to_end(running: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &running.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_in_order_and_the_same_command_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let args = [&SMALL[..], &["--set", "tasks.epochs=[4000,1]", "--out", "run"]].concat();
    for (signal, code, name) in [("-TERM", 143, "SIGTERM"), ("-INT", 130, "SIGINT")] {
        let (metrics, staged) = (here.join("run/metrics.csv"), here.join("run/resume.partial/metrics.csv"));
        let rows = |path: &Path| fs::read_to_string(path).map_or(0, |table| table.lines().count());
        // The second time beside what the first one left.
        let before = rows(&metrics);
        let running = program(here, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("the run measures something", || staged.exists() || rows(&metrics) > before + 6);
        ask_to_end(&running, signal);
        let done: Output = running.wait_with_output().unwrap();
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with(&format!("Stopped by {name}")) && last.contains("the same command"), "{said}");
        let history = load(&here.join("run")).unwrap().history;
        assert!(matches!(history.state(), RunState::Ended(Ending::Stopped { .. })), "{:?}", history.state());
        assert!(!here.join("run/kernels.partial").exists() && !here.join("run/resume.partial").exists());
        assert_eq!(history.rows().len(), history.snapshots().len());
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_study_in_order() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let mut args = vec!["study", "--preset", "width", "--jobs", "1", "--out", "study"];
    args.extend(SMALL[1..].iter().filter(|arg| !arg.contains("width")).skip(1));
    args.extend(["--set", "study.values=[16]", "--set", "study.seeds=[1]", "--set", "tasks.epochs=[4000,1]"]);
    let running = program(here, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let run = here.join("study/runs/16-seed-1");
    until("the run measures something", || {
        fs::read_to_string(run.join("metrics.csv")).is_ok_and(|table| table.lines().count() > 6)
    });
    ask_to_end(&running, "-TERM");
    let done = running.wait_with_output().unwrap();
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(143), "{said}");
    assert!(said.lines().last().unwrap().contains("0 of 1 runs are done"), "{said}");
    assert!(fs::read_to_string(run.join("events.csv")).unwrap().trim_end().ends_with("ended,stopped"));
}

#[cfg(unix)]
#[test]
fn only_files_of_our_own_are_replaced() {
    use std::os::unix::fs::symlink;

    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    write_arrays(&here.join("x.npz"), [("x_train".to_owned(), vec![2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0][..])])
        .unwrap();
    let theory = |out: &str| kernelscope(here, &["theory", "--inputs", "x.npz", "--out", out, "--overwrite"]);
    assert!(theory("k.npz").status.success() && theory("k.npz").status.success());
    let archive = fs::read(here.join("k.npz")).unwrap();
    symlink("k.npz", here.join("link.npz")).unwrap();
    fs::write(here.join("k.npz"), "").unwrap();
    assert!(theory("link.npz").status.success());
    assert!(here.join("link.npz").is_symlink());
    assert_eq!(fs::read(here.join("k.npz")).unwrap(), archive, "a link leads to what is replaced");

    symlink("/dev/null", here.join("device.npz")).unwrap();
    symlink("nowhere", here.join("lost.npz")).unwrap();
    fs::write(here.join("notes.txt"), "mine").unwrap();
    for (out, part) in [
        ("device.npz", "no regular file"),
        ("lost.npz", "leads nowhere"),
        ("notes.txt", "no archive of kernels"),
        ("x.npz", "no archive of kernels"),
    ] {
        let before = contents(here);
        let done = theory(out);
        let said = text(&done.stderr);
        assert!(done.status.code() == Some(2) && said.contains(part) && said.lines().count() == 1, "{out}: {said}");
        assert_eq!(contents(here), before, "{out}");
    }
    assert!(here.join("device.npz").is_symlink());

    // Runs: a study, a folder with somebody's table, a run one of whose files is none.
    let run = |out: &str| {
        kernelscope(here, &[&SMALL[..], &["--set", "tasks.epochs=[1,1]", "--overwrite", "--out", out]].concat())
    };
    assert!(run("run").status.success() && run("run").status.success());
    for name in ["study", "tables", "linked"] {
        fs::create_dir(here.join(name)).unwrap();
    }
    fs::write(here.join("study/study.toml"), "version = 1\n").unwrap();
    fs::write(here.join("tables/metrics.csv"), "mine").unwrap();
    fs::copy(here.join("run/run.toml"), here.join("linked/run.toml")).unwrap();
    symlink("/dev/null", here.join("linked/layers.csv")).unwrap();
    for (out, part) in [("study", "holds a study"), ("tables", "metrics.csv"), ("linked", "layers.csv")] {
        let before = contents(here);
        let done = run(out);
        let said = text(&done.stderr);
        assert!(done.status.code() == Some(2) && said.contains(part) && said.lines().count() == 1, "{out}: {said}");
        assert_eq!(contents(here), before, "{out}");
    }
    // A figure, too.
    fs::create_dir(here.join("figures")).unwrap();
    symlink("/dev/null", here.join("figures/velocity.svg")).unwrap();
    let done = kernelscope(here, &["figures", "run", "--out", "figures"]);
    let said = text(&done.stderr);
    assert!(!done.status.success() && said.contains("no regular file") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_folder_that_is_gone_is_told_of_once_and_without_temporary_names() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let args = [&SMALL[..], &["--set", "tasks.epochs=[4000,1]", "--out", "run"]].concat();
    let running = program(here, &args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let out = here.join("run");
    until("the run has begun", || out.join("kernels.partial/000003.npz").exists());
    // The run makes files in it meanwhile.
    until("the folder is gone", || fs::remove_dir_all(&out).is_ok() || !out.exists());
    let done = running.wait_with_output().unwrap();
    let said = text(&done.stderr);
    let last = said.lines().last().unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        last.starts_with("cannot write run/") && !last.contains(".kernelscope") && !last.contains("os error"),
        "{said}"
    );
    assert!(!said.lines().rev().skip(1).any(|line| line.contains("cannot write")), "{said}");
}
