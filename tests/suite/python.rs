//! The Python package in `assets/python`: its own tests (`tests/python`), on a run folder of this program, and its example.

use std::path::Path;
use std::process::Command;

use super::cli::{kernelscope, text};
use super::{Missing, python, skipped};

/// What makes the default run small: two tasks of a few steps.
const SMALL: [&str; 4] =
    ["data.per_class=40", "data.test_per_class=10", "tasks.epochs=[1,1]", "kernel.probes_per_class=2"];

/// Why the tests of the package leave something out without PyTorch.
const NO_TORCH: &str = "torch is not installed";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Python that sees the package and leaves no compiled files beside it.
fn command(python: &str) -> Command {
    let mut command = Command::new(python);
    command.env("PYTHONPATH", root().join("assets/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

#[test]
fn the_package_passes_its_own_tests() {
    let Some(python) = python("to test assets/python") else { return };
    let place = tempfile::tempdir().unwrap();
    let mut args = vec!["run", "--out", "run"];
    SMALL.iter().for_each(|setting| args.extend(["--set", *setting]));
    let done = kernelscope(place.path(), &args);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let done = command(&python)
        .args(["-m", "unittest", "discover", "-v", "-s"])
        .arg(root().join("tests/python"))
        .env("KERNELSCOPE_RUN", place.path().join("run"))
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = text(&done.stderr);
    assert!(done.status.success(), "{said}");
    assert!(said.lines().any(|line| line.starts_with("test_a_run_of_the_program_is_read") && line.ends_with("ok")));
    // A reason stands in quotes at the end of a test's line.
    for why in said.lines().filter_map(|line| line.split("... skipped ").nth(1)).map(|why| why.trim_matches('\'')) {
        assert_eq!(why, NO_TORCH, "left out for another reason than PyTorch");
    }
    if said.contains(NO_TORCH) {
        skipped(Missing::Torch, "torch is not here to test the export of assets/python");
    }
}

#[test]
fn the_package_has_the_version_of_the_program() {
    let Some(python) = python("to ask assets/python for its version") else { return };
    let script = "import kernelscope; print(kernelscope.__version__)";
    let done = command(&python).args(["-c", script]).output().unwrap();
    assert_eq!(text(&done.stdout).trim(), env!("CARGO_PKG_VERSION"), "{}", text(&done.stderr));
}
