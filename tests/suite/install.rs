//! The program on a user's machine: what it is called, where it is found, and what it leaves behind when it breaks.

use std::path::Path;
use std::sync::Arc;

use kernelscope::diagnostics::{VERSION, crash_report, log_file};
use kernelscope::run::{Ending, Event};
use kernelscope::worker::Worker;
use log::Level;

use super::autosave::{CHILD, child};
use super::cli::{kernelscope, text};
use super::read_all;

#[test]
fn the_version_names_the_commit() {
    let place = tempfile::tempdir().unwrap();
    let said = text(&kernelscope(place.path(), &["--version"]).stdout);
    assert_eq!(said, format!("kernelscope {VERSION}"));
    let rest = said.strip_prefix(concat!("kernelscope ", env!("CARGO_PKG_VERSION"))).unwrap();
    // Built outside a repository there is no commit.
    if !rest.is_empty() {
        let commit = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let hash = commit.strip_suffix("-dirty").unwrap_or(commit);
        assert!(hash.len() == 9 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{said}");
    }
    if Path::new(env!("CARGO_MANIFEST_DIR")).join(".git").exists() {
        assert!(!rest.is_empty(), "in a repository the commit is known");
    }
}

#[test]
fn every_shell_can_complete_the_command_line() {
    let place = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let done = kernelscope(place.path(), &["completions", shell]);
        let script = text(&done.stdout);
        assert!(done.status.success() && done.stderr.is_empty(), "{shell}");
        for word in ["screenshots", "completions", "overwrite"] {
            assert!(script.contains(word), "{word} is not in that of {shell}");
        }
    }
    assert_eq!(kernelscope(place.path(), &["completions", "abacus"]).status.code(), Some(2));
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn the_desktop_finds_the_program_and_its_icon() {
    let place = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_kernelscope");
    let mut command = std::process::Command::new(program);
    let done = command.arg("install-desktop").env("XDG_DATA_HOME", place.path()).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = text(&done.stdout);
    assert_eq!(said.lines().count(), 3);
    assert!(said.lines().all(|line| Path::new(line).starts_with(place.path()) && Path::new(line).is_file()), "{said}");
    let entry = std::fs::read_to_string(place.path().join("applications/kernelscope.desktop")).unwrap();
    assert!(entry.contains(&format!("Exec=\"{program}\"\n")) && entry.contains("Icon=kernelscope\n"), "{entry}");
}

#[test]
fn the_icon_is_one() {
    let icon = kernelscope::ui::icon();
    assert_eq!((icon.width, icon.height), (256, 256));
    let opaque = icon.rgba.chunks(4).filter(|pixel| pixel[3] == 255).count();
    assert!(opaque > 256 * 256 / 2, "{opaque} pixels can be seen");
}

#[test]
fn the_log_keeps_the_start_before_and_stays_bounded() {
    let place = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
    for start in ["first", "second", "third"] {
        let (log, path) = log_file::LogFile::open(place.path()).unwrap();
        assert_eq!(path, place.path().join(log_file::LOG));
        log.write_line(Level::Info, "kernelscope", start);
        assert!(read(log_file::LOG).ends_with(&format!("INFO  kernelscope: {start}\n")), "in the file at once");
    }
    assert!(read(log_file::PREVIOUS).contains("second") && !read(log_file::PREVIOUS).contains("first"));

    let (log, path) = log_file::LogFile::open(place.path()).unwrap();
    let line = "x".repeat(1 << 20);
    for number in 0..6 {
        log.write_line(Level::Warn, "driver", &format!("{number} {line}"));
    }
    log.write_line(Level::Warn, "driver", "two\nlines");
    assert!(std::fs::metadata(path).unwrap().len() <= (4 << 20) + 64);
    assert!(read(log_file::LOG).ends_with("the log ends here\n"));
    assert!(log.last().last().unwrap().ends_with("driver: two\n    lines"), "a crash report still has the last ones");
}

/// The other half of the test below.
#[test]
fn part_of_the_crash() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let folder = Path::new(&folder);
    let (log, path) = log_file::LogFile::open(folder).unwrap();
    let log = Arc::new(log);
    assert!(log.install());
    log::info!(target: "kernelscope", "about to break");
    log::debug!(target: "kernelscope", "too small to tell");
    log::info!(target: "wgpu", "of no interest");
    let autosaved = folder.join("autosave/run");
    crash_report::install_panic_hook(crash_report::ReportContext {
        folder: folder.to_owned(),
        log: path,
        journal: log,
        system: crash_report::system(),
        autosaved: Box::new(move || Some(autosaved.clone())),
        is_the_displays: || false,
    });
    // A worker that breaks is told of in the window; it takes nobody along.
    let worker = Worker::with_lab(Box::new(|_, _| panic!("a worker stumbles")), Box::new(|| {}));
    let events = read_all(&worker);
    assert!(
        matches!(events.last(), Some(Event::Ended(Ending::Failed { message, .. })) if message.contains("stumbles"))
    );
    assert_eq!(crash_report::unseen_report(folder), None);
    falls_in_part_of_the_crash();
}

/// Not inlined, so that the trace has a name of ours whatever else the compiler does.
#[inline(never)]
fn falls_in_part_of_the_crash() {
    panic!("the window {}", std::hint::black_box("falls"));
}

#[test]
fn a_crash_leaves_a_report_and_the_next_start_tells_of_it_once() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    for old in 0..7 {
        std::fs::write(folder.join(format!("crash-2020010{old}-000000Z-1.txt")), "old").unwrap();
    }
    let done = child("suite::install::part_of_the_crash", folder).env("RUST_BACKTRACE", "1").output().unwrap();
    assert!(!done.status.success());
    let said = text(&done.stderr);
    let sentence = said.lines().find(|line| line.starts_with("Kernelscope crashed at ")).expect(&said);
    let path = crash_report::unseen_report(folder).expect("nobody has been told");
    assert!(sentence.ends_with(&format!("the window falls; the report is in {}", path.display())), "{sentence}");

    let report = std::fs::read_to_string(&path).unwrap();
    let log = folder.join(log_file::LOG);
    let run = folder.join("autosave/run");
    for part in [
        &format!("Kernelscope {VERSION} broke on 2"),
        "What: the window falls\nWhere: tests/suite/install.rs:",
        &format!("System: {}", crash_report::system()),
        &format!("Log: {}\nAutosaved run: {}\n", log.display(), run.display()),
        "falls_in_part_of_the_crash",
        "INFO  kernelscope: about to break\n",
        "the thread trainer panicked at tests/suite/install.rs:",
        "a worker stumbles\n",
    ] {
        assert!(report.contains(part), "“{part}” is not in:\n{report}");
    }
    assert!(!report.contains("too small to tell") && !report.contains("of no interest"));
    assert!(std::fs::read_to_string(log).unwrap().contains("a worker stumbles"));
    assert_eq!(crash_report::unseen_report(folder), None, "told once");
    let reports = std::fs::read_dir(folder).unwrap().flatten();
    let reports = reports.filter(|entry| entry.file_name().to_string_lossy().starts_with("crash-")).count();
    assert_eq!(reports, 5, "old ones go");
}
