//! Studies that many processes fill: one writer for each run, whatever is killed, and the tables of one process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kernelscope::run::Ending;
use kernelscope::spec::{Spec, StudySpec};
use kernelscope::storage::{
    CLAIM, ClaimWatch, FolderError, RENEWED_EVERY, RunLog, SILENCE, Standing, StudyFolder, TASKS, create, holder_of,
    load,
};

use super::cli::{kernelscope, text};
use super::data_folders::fashion;
use super::record::stream::{copy, events, rows, spec as told_spec};
use super::{Missing, skipped, tiny, wait_until};

#[cfg(unix)]
mod slurm;

/// Two widths and as many seeds as wanted, of runs that are over in a blink.
fn small(seeds: u64) -> Spec {
    let study = StudySpec {
        axis: "network.width".to_owned(),
        values: vec![16.into(), 24.into()],
        seeds: (1..=seeds).collect(),
        ..StudySpec::default()
    };
    Spec { study: Some(study), ..tiny() }
}

fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kernelscope"));
    command.current_dir(folder).args(args).env("RUST_LOG", "off").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

fn start(folder: &Path, args: &[&str]) -> Child {
    program(folder, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn succeed(folder: &Path, args: &[&str]) -> Output {
    let done = kernelscope(folder, args);
    assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
    done
}

/// A table without the columns that hold times.
fn table(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let kept: Vec<bool> = lines[0].iter().map(|name| !name.ends_with("_seconds")).collect();
    let of = |line: &csv::StringRecord| {
        line.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(cell, _)| cell.to_owned()).collect()
    };
    lines.iter().map(of).collect()
}

/// The tables of a study: its own, and those of its runs.
fn tables(study: &Path) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut found = BTreeMap::from([("study.csv".to_owned(), table(&study.join("study.csv")))]);
    for run in fs::read_dir(study.join("runs")).unwrap().flatten() {
        for name in ["metrics.csv", "accuracy.csv", "events.csv", "layers.csv"] {
            let path = run.path().join(name);
            found.insert(path.strip_prefix(study).unwrap().display().to_string(), table(&path));
        }
    }
    found
}

/// The files below a folder that only a writer at work, or a killed one, has there.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            found.extend(leftovers(&path));
        } else if name == CLAIM || name.ends_with(".tmp") {
            found.push(path);
        }
    }
    found
}

/// The claim in this folder as a process of another machine would have written it.
fn of_another_machine(claim: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some(("host", _)) => "host = \"elsewhere\"".to_owned(),
        Some(("boot", _)) => "boot = \"another\"".to_owned(),
        Some(("id", _)) => "id = \"0123456789abcdef\"".to_owned(),
        _ => line.to_owned(),
    };
    claim.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn a_folder_has_one_writer_whose_claim_says_who_it_is() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let spec = told_spec(2, 1.0);
    let folder = create(&out, &spec, false).unwrap().folder;
    let holder = holder_of(&out).unwrap();
    assert_eq!(holder.process.process, std::process::id());
    let refused = create(&out, &spec, false).err().unwrap();
    let said = refused.to_string();
    assert!(matches!(refused, FolderError::Busy { .. }), "{said}");
    assert!(said.contains(CLAIM) && said.contains(&format!("process {}", std::process::id())), "{said}");
    // A copy of the folder is not written by anyone.
    let copied = place.path().join("copied");
    copy(&out, &copied);
    assert!(copied.join(CLAIM).exists() && holder_of(&copied).is_none());
    drop(create(&copied, &spec, false).unwrap());
    drop(folder);
    assert!(!out.exists(), "a run that never started leaves no folder");

    // Where no claim can be made nothing is written, and the sentence names the file.
    let odd = place.path().join("odd");
    fs::create_dir_all(odd.join(CLAIM)).unwrap();
    let said = create(&odd, &spec, true).err().unwrap().to_string();
    assert!(said.contains(&odd.join(CLAIM).display().to_string()) && said.contains("nothing is written"), "{said}");
    assert_eq!(fs::read_dir(&odd).unwrap().count(), 1);
}

#[test]
fn only_ten_minutes_of_silence_free_what_another_machine_holds() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let spec = told_spec(2, 1.0);
    let mut folder = create(&out, &spec, false).unwrap().folder;
    events(&spec, |step| Ending::Finished { step })[..6].iter().for_each(|event| folder.take(event).unwrap());
    let foreign = of_another_machine(&fs::read_to_string(out.join(CLAIM)).unwrap());
    drop(folder);
    let renewed = |times: u64| foreign.replace("\"00000000\"", &format!("\"{times:08}\""));
    let write = |times| fs::write(out.join(CLAIM), renewed(times)).unwrap();
    write(0);
    let refused = create(&out, &spec, false).err().unwrap();
    assert!(matches!(refused, FolderError::Claimed { .. }), "{refused}");
    assert!(refused.to_string().contains("elsewhere") && refused.to_string().contains("ten minutes"), "{refused}");

    let now = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&now);
    let mut watch = ClaimWatch::with_clock(&out, move || Duration::from_secs(clock.load(Ordering::Relaxed)));
    let mut look_at = |seconds: u64| {
        now.store(seconds, Ordering::Relaxed);
        match watch.look().unwrap() {
            Standing::Free => None,
            Standing::Held { is_alive, holder } => {
                assert_eq!(holder.unwrap().process.host, "elsewhere");
                Some(is_alive)
            }
        }
    };
    // Not known to be alive until it was seen to renew its claim. The times that are in it do not matter.
    assert_eq!(look_at(1000), Some(false));
    assert_eq!(look_at(1000 + SILENCE.as_secs() - 1), Some(false));
    write(1);
    assert_eq!(look_at(1000 + SILENCE.as_secs()), Some(true));
    let last = 1000 + SILENCE.as_secs() + RENEWED_EVERY.as_secs();
    write(2);
    assert_eq!(look_at(last), Some(true));
    assert_eq!(look_at(last + 10 * RENEWED_EVERY.as_secs()), Some(false), "it is late");
    assert_eq!(look_at(last + SILENCE.as_secs() - 1), Some(false));
    assert!(create(&out, &spec, false).is_err());
    assert_eq!(look_at(last + SILENCE.as_secs()), None);
    assert_eq!(leftovers(&out), Vec::<PathBuf>::new());
    assert_eq!(
        create(&out, &spec, false).unwrap().resumed,
        Some(rows(&events(&spec, |step| Ending::Finished { step })[..6]).len())
    );
}

#[test]
fn a_writer_that_finds_its_claim_gone_or_anothers_writes_no_more() {
    let spec = told_spec(2, 1.0);
    let told = events(&spec, |step| Ending::Finished { step });
    for taken_over in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("run");
        let (now, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let clock = Arc::clone(&now);
        let folder = create(&out, &spec, false).unwrap().folder;
        let mut folder = folder.with_clock(move || begun + Duration::from_secs(clock.load(Ordering::Relaxed)));
        told[..4].iter().for_each(|event| folder.take(event).unwrap());
        let foreign = of_another_machine(&fs::read_to_string(out.join(CLAIM)).unwrap());
        fs::remove_file(out.join(CLAIM)).unwrap();
        if taken_over {
            fs::write(out.join(CLAIM), &foreign).unwrap();
        }
        // It was seen not long ago, so nobody else can write yet.
        folder.take(&told[4]).unwrap();
        now.store(120, Ordering::Relaxed);
        let before = fs::read(out.join("metrics.csv")).unwrap();
        let said = folder.take(&told[5]).unwrap_err().to_string();
        assert!(said.contains(CLAIM) && said.contains("stopped writing"), "{said}");
        assert!(folder.take(&told[6]).is_err() && folder.tick().is_err());
        drop(folder);
        assert_eq!(fs::read(out.join("metrics.csv")).unwrap(), before);
        let left = fs::read_to_string(out.join(CLAIM)).ok();
        assert_eq!(left, taken_over.then_some(foreign), "another's claim stays");
    }
}

/// A claim that a killed process left, and eight who want the folder: it is broken once, and never held by two.
#[test]
fn of_many_who_break_a_dead_claim_one_gets_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let (out, spec) = (place.path().join("run"), told_spec(2, 1.0));
    fs::create_dir(&out).unwrap();
    let folder = create(&out, &spec, false).unwrap().folder;
    // Once it is dropped, nobody holds the claim of this name.
    let dead = fs::read_to_string(out.join(CLAIM)).unwrap();
    drop(folder);
    let (inside, got) = (AtomicBool::new(false), AtomicUsize::new(0));
    for round in 0..40 {
        fs::write(out.join(CLAIM), &dead).unwrap();
        let wanted = got.load(Ordering::Relaxed) + 3;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while got.load(Ordering::Relaxed) < wanted {
                        let Ok(opened) = create(&out, &spec, false) else { continue };
                        assert!(!inside.swap(true, Ordering::SeqCst), "two hold the folder in round {round}");
                        std::thread::yield_now();
                        inside.store(false, Ordering::SeqCst);
                        got.fetch_add(1, Ordering::Relaxed);
                        drop(opened);
                    }
                });
            }
        });
        assert_eq!(leftovers(&out), Vec::<PathBuf>::new());
    }
}

#[test]
fn tasks_done_one_by_one_or_claimed_by_three_give_the_tables_of_one_process() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    fs::write(here.join("study.toml"), small(3).to_toml()).unwrap();
    succeed(here, &["study", "--config", "study.toml", "--out", "whole"]);
    let expected = tables(&here.join("whole"));

    let planned = succeed(here, &["study", "--config", "study.toml", "--plan", "tasks"]);
    assert_eq!(text(&planned.stdout), "tasks/tasks.txt");
    let listed = fs::read_to_string(here.join("tasks").join(TASKS)).unwrap();
    assert_eq!(listed.lines().map(str::to_owned).collect::<Vec<_>>()[3], "4\t24-seed-1");
    succeed(here, &["run", "--study", "tasks", "--task", "4"]);
    succeed(here, &["run", "--study", "tasks", "--task", "1,5-6"]);
    let early = kernelscope(here, &["study", "tasks", "--collect"]);
    let said = text(&early.stderr);
    assert_eq!(early.status.code(), Some(1), "{said}");
    assert!(said.contains("task 2, 16-seed-2: not begun") && said.contains("2 of 6 runs are missing"), "{said}");
    assert_eq!(table(&here.join("tasks/study.csv")).len(), 1 + 4);
    // Seeds that join have numbers behind the others, though they come between them in the study.
    let more = ["study", "--config", "study.toml", "--set", "study.seeds=[1,2,3,4]", "--plan", "more"];
    succeed(here, &["study", "--config", "study.toml", "--plan", "more"]);
    succeed(here, &more);
    let joined = fs::read_to_string(here.join("more").join(TASKS)).unwrap();
    assert_eq!(joined, format!("{listed}7\t16-seed-4\n8\t24-seed-4\n"));

    succeed(here, &["run", "--study", "tasks", "--task", "2-3"]);
    assert!(text(&succeed(here, &["run", "--study", "tasks", "--task", "2-3"]).stderr).contains("there already"));
    succeed(here, &["study", "tasks", "--collect"]);
    assert_eq!(tables(&here.join("tasks")), expected);
    assert_eq!(
        fs::read(here.join("tasks/study.csv")).unwrap(),
        fs::read(here.join("whole/study.csv")).unwrap(),
        "to the byte"
    );
    assert!(here.join("tasks/figures/study.svg").exists());

    succeed(here, &["study", "--config", "study.toml", "--plan", "claimed"]);
    let claim = || start(here, &["run", "--study", "claimed", "--claim", "--jobs", "1"]);
    for child in [claim(), claim(), claim()] {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    let status = text(&succeed(here, &["study", "claimed", "--status"]).stdout);
    assert!(status.contains("6 done") && status.lines().count() == 2, "{status}");
    succeed(here, &["study", "claimed", "--collect"]);
    assert_eq!(tables(&here.join("claimed")), expected);
    assert_eq!(begun(&here.join("claimed")), vec![1; 6], "each run was done once");
    assert_eq!(leftovers(&here.join("claimed")), Vec::<PathBuf>::new());
}

/// How often each run of a study was begun, as its logs say.
fn begun(study: &Path) -> Vec<usize> {
    let folder = StudyFolder::open(study).unwrap();
    let logs = (0..folder.runs().len()).map(|place| RunLog::of(&folder, place).path().to_owned());
    logs.map(|log| fs::read_to_string(log).unwrap().lines().filter(|line| line.ends_with(": began")).count()).collect()
}

#[test]
fn a_second_process_helps_with_a_whole_study() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let mut spec = small(3);
    spec.tasks.epochs = vec![6.0, 3.0];
    fs::write(here.join("study.toml"), spec.to_toml()).unwrap();
    succeed(here, &["study", "--config", "study.toml", "--plan", "shared"]);
    let work = || start(here, &["study", "--config", "study.toml", "--out", "shared", "--jobs", "1"]);
    let (first, second) = (work(), work());
    for child in [first, second] {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    assert_eq!(begun(&here.join("shared")), vec![1; 6], "each run was done once, by either");
    assert_eq!(table(&here.join("shared/study.csv")).len(), 1 + 6);
    assert_eq!(leftovers(&here.join("shared")), Vec::<PathBuf>::new());
}

/// A number from 0 to 1 that is another each time.
fn random(seed: u64) -> f64 {
    (seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Three processes claim the runs of a study and one of them is killed at some moment; `KERNELSCOPE_KILLS` says how often that
/// is tried.
#[test]
fn three_who_claim_and_one_who_is_killed_give_the_tables_of_one_process() {
    let kills = std::env::var("KERNELSCOPE_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(4);
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let mut spec = small(4);
    spec.tasks.epochs = vec![4.0, 2.0];
    fs::write(here.join("study.toml"), spec.to_toml()).unwrap();
    let began = Instant::now();
    succeed(here, &["study", "--config", "study.toml", "--out", "whole", "--jobs", "2"]);
    let whole = began.elapsed();
    let expected = tables(&here.join("whole"));
    let (mut killed, mut rescued, mut repeated) = (0, 0, 0);
    for number in 0..kills {
        let out = format!("study-{number}");
        succeed(here, &["study", "--config", "study.toml", "--plan", &out]);
        let claim = || start(here, &["run", "--study", &out, "--claim", "--jobs", "1"]);
        let mut victim = claim();
        let others = [claim(), claim()];
        // No condition to wait for: any moment of the whole will do.
        std::thread::sleep(whole.mul_f64(1.2 * random(number)));
        killed += usize::from(victim.try_wait().unwrap().is_none());
        victim.kill().unwrap();
        victim.wait().unwrap();
        for child in others {
            let done = child.wait_with_output().unwrap();
            assert!(done.status.success(), "{}", text(&done.stderr));
        }
        // The others may have left before the kill: then one more process does what is left, at once.
        let collected = kernelscope(here, &["study", &out, "--collect"]);
        if !collected.status.success() {
            rescued += 1;
            succeed(here, &["run", "--study", &out, "--claim"]);
            succeed(here, &["study", &out, "--collect"]);
        }
        assert_eq!(tables(&here.join(&out)), expected, "kill {number}");
        assert_eq!(leftovers(&here.join(&out)), Vec::<PathBuf>::new());
        let times = begun(&here.join(&out));
        assert!(times.iter().sum::<usize>() <= 9, "only the run of the killed process is begun again: {times:?}");
        repeated += times.iter().filter(|times| **times > 1).count();
        fs::remove_dir_all(here.join(&out)).unwrap();
    }
    eprintln!(
        "{killed} of {kills} were killed at work; {repeated} runs begun again, {rescued} studies by a fourth process"
    );
    assert!(2 * killed >= kills as usize, "{killed} of {kills} were killed at work");
}

#[cfg(unix)]
#[test]
fn a_task_that_is_told_to_end_says_so_and_the_same_command_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let mut spec = small(1);
    spec.tasks.epochs = vec![4000.0, 1.0];
    fs::write(here.join("long.toml"), spec.to_toml()).unwrap();
    succeed(here, &["study", "--config", "long.toml", "--plan", "study"]);
    let run = here.join("study/runs/16-seed-1");
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let _ = fs::remove_dir_all(&run);
        let child = start(here, &["run", "--study", "study", "--task", "1"]);
        wait_until("the run measures something", || {
            fs::read_to_string(run.join("metrics.csv")).is_ok_and(|table| table.lines().count() > 6)
        });
        // Meanwhile nobody else does it, and says who does.
        let refused = kernelscope(here, &["run", "--study", "study", "--task", "1"]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(75), "{said}");
        assert!(said.contains(&format!("process {}", child.id())), "{said}");
        let status = text(&succeed(here, &["study", "study", "--status"]).stdout);
        assert!(status.contains("1 running") && status.contains(&format!("process {}", child.id())), "{status}");
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(code), "{}", text(&done.stderr));
        assert!(text(&done.stderr).contains("the same command goes on"), "{}", text(&done.stderr));
        assert!(!run.join(CLAIM).exists());
        assert!(fs::read_to_string(run.join("events.csv")).unwrap().trim_end().ends_with("ended,stopped"));
        let log = fs::read_to_string(here.join("study/log/16-seed-1.log")).unwrap();
        assert!(log.trim_end().ends_with(": stopped"), "{log}");
    }
    let status = text(&succeed(here, &["study", "study", "--status"]).stdout);
    assert!(status.contains("1 unfinished") && status.contains("stopped after"), "{status}");
    // The time is up like that, too.
    let done = kernelscope(here, &["run", "--study", "study", "--claim", "--for", "1s", "--jobs", "1"]);
    assert_eq!(done.status.code(), Some(75), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("The time is up: 0 of 2 runs are done"), "{}", text(&done.stderr));
    assert_eq!(leftovers(&here.join("study")), Vec::<PathBuf>::new());
    assert!(load(&run).is_ok());
}

#[test]
fn what_cannot_be_done_with_a_planned_study_is_refused_in_a_sentence() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    fs::write(here.join("study.toml"), small(1).to_toml()).unwrap();
    succeed(here, &["study", "--config", "study.toml", "--plan", "planned"]);
    fs::create_dir(here.join("bare")).unwrap();
    fs::copy(here.join("planned/study.toml"), here.join("bare/study.toml")).unwrap();
    for (args, part) in [
        (&["run", "--study", "nowhere", "--task", "1"][..], "nowhere"),
        (&["run", "--study", "planned", "--task", "3"], "has no task 3: its tasks are 1 to 2"),
        (&["run", "--study", "planned", "--task", "0"], "no number of a task"),
        (&["run", "--study", "planned", "--task", "2-1"], "no range"),
        (&["run", "--study", "planned"], "--claim whichever are free"),
        (&["run", "--study", "bare", "--task", "1"], "--plan"),
        (&["run", "--study", "planned", "--claim", "--for", "soon"], "no time"),
        (&["study", "nowhere", "--status"], "nowhere"),
        (&["study", "--out", "new", "--status"], "cannot be used with"),
        (&["study", "planned", "--out", "new"], "required"),
        (&["run", "--out", "new", "--jobs", "2"], "required"),
        (&["study", "bare", "--script", "slurm"], "--plan"),
    ] {
        let done = kernelscope(here, args);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    }
    // A run that fails has its reason in its log, though it never had a folder.
    let mut broken = small(1);
    broken.data.source = kernelscope::spec::Source::Idx;
    broken.data.path = Some(here.join("gone"));
    fs::create_dir(here.join("gone")).unwrap();
    fs::write(here.join("broken.toml"), broken.to_toml()).unwrap();
    let planned = kernelscope(here, &["study", "--config", "broken.toml", "--plan", "broken"]);
    assert!(planned.status.success(), "{}", text(&planned.stderr));
    let done = kernelscope(here, &["run", "--study", "broken", "--task", "2"]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    let status = text(&succeed(here, &["study", "broken", "--status"]).stdout);
    assert!(status.contains("1 failed") && status.contains("task 2, 24-seed-1: failed: "), "{status}");
    assert!(status.contains("broken/log/24-seed-1.log"), "{status}");
}

#[cfg(unix)]
#[test]
fn a_script_is_one_that_a_shell_reads_and_gnu_parallel_runs() {
    let place = tempfile::tempdir().unwrap();
    // A name that a shell would take apart.
    let here = &place.path().join("two words");
    fs::create_dir(here).unwrap();
    fs::write(here.join("study.toml"), small(2).to_toml()).unwrap();
    succeed(here, &["study", "--config", "study.toml", "--plan", "my study"]);
    for system in ["slurm", "hyperqueue", "parallel"] {
        let script = succeed(here, &["study", "my study", "--script", system]).stdout;
        fs::write(here.join(system), &script).unwrap();
        let read = Command::new("bash").arg("-n").arg(here.join(system)).output().unwrap();
        assert!(read.status.success(), "{system}: {}", text(&read.stderr));
        assert!(text(&script).contains("/my study") && here.join("my study/log").is_dir(), "{}", text(&script));
    }
    if Command::new("parallel").arg("--version").output().is_err() {
        return skipped(Missing::Installable, "GNU parallel is not here, so its script was not run");
    }
    succeed(here, &["study", "--config", "study.toml", "--out", "whole"]);
    let done = Command::new("bash").arg(here.join("parallel")).env("HOME", here).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    succeed(here, &["study", "my study", "--collect"]);
    assert_eq!(tables(&here.join("my study")), tables(&here.join("whole")));
}

/// Tasks go to a machine that does not see the folder, with their data or without, and what was done there comes back: only runs
/// of this study on its data, each once.
#[test]
fn packed_tasks_come_back_as_the_runs_of_one_process() {
    let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (here, there) = (place.path(), elsewhere.path());
    fashion(&here.join("data"), 40, false);
    let mut spec = small(2);
    spec.data.source = kernelscope::spec::Source::Idx;
    spec.data.path = Some("data".into());
    fs::write(here.join("study.toml"), spec.to_toml()).unwrap();
    succeed(here, &["study", "--config", "study.toml", "--out", "whole"]);
    succeed(here, &["study", "--config", "study.toml", "--plan", "study"]);

    // With the data: nothing else is needed there.
    succeed(here, &["study", "study", "--pack", "1-2", "--with-data", "-o", "with.tar"]);
    succeed(here, &["study", "study", "--pack", "2-3", "-o", "without.tar"]);
    fs::copy(here.join("with.tar"), there.join("with.tar")).unwrap();
    fs::copy(here.join("without.tar"), there.join("without.tar")).unwrap();
    let away = here.join("moved");
    fs::rename(here.join("data"), &away).unwrap();
    succeed(there, &["run", "with.tar", "--out", "first"]);
    assert!(there.join("first/files/0").is_dir());
    let again = succeed(there, &["run", "with.tar", "--out", "first"]);
    assert!(text(&again.stderr).contains("there already"), "{}", text(&again.stderr));
    // Without them they must be the same, wherever they are.
    fashion(&there.join("others"), 39, false);
    fashion(&there.join("same"), 40, false);
    let others = ["run", "without.tar", "--out", "second", "--set", "data.path=others"];
    let done = kernelscope(there, &others);
    let said = text(&done.stderr);
    assert!(done.status.code() == Some(2) && said.contains("others than those of the study"), "{said}");
    assert!(!there.join("second").exists());
    succeed(there, &["run", "without.tar", "--out", "second", "--set", "data.path=same", "--jobs", "1"]);
    for (args, part) in [
        (&["run", "without.tar", "--out", "third", "--set", "network.width=32"][..], "only the places of files"),
        (&["run", "without.tar", "--out", "first"], "is not empty"),
        (&["run", "same/train-labels-idx1-ubyte", "--out", "third"], "no pack of tasks"),
    ] {
        let done = kernelscope(there, args);
        let said = text(&done.stderr);
        assert!(done.status.code() == Some(2) && said.contains(part), "{args:?}: {said}");
        assert!(!there.join("third").exists(), "{args:?}");
    }

    fs::rename(&away, here.join("data")).unwrap();
    let (first, second) = (there.join("first").display().to_string(), there.join("second").display().to_string());
    let merged = succeed(here, &["study", "study", "--merge", &first, &second]);
    let said = text(&merged.stderr);
    assert_eq!(text(&merged.stdout), "3 runs taken; 3 of 4 are done in study", "{said}");
    assert!(said.contains("second/runs/16-seed-2: not taken: the study has it already"), "{said}");
    // A run with other settings, one on other data, and one that is not done.
    let altered = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(there.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}: {text}");
        fs::write(there.join(file), text.replace(from, to)).unwrap();
    };
    for run in ["16-seed-1", "16-seed-2", "24-seed-1"] {
        fs::remove_dir_all(here.join("study/runs").join(run)).unwrap();
    }
    altered("first/runs/16-seed-1/run.toml", "batch = 16", "batch = 17");
    fs::write(there.join("first/runs/16-seed-2/events.csv"), "step,epoch,event,detail\n").unwrap();
    let pack = fs::read_to_string(there.join("second/pack.toml")).unwrap();
    let hash = pack.lines().find_map(|line| line.strip_prefix("data = ")).unwrap().to_owned();
    altered("second/pack.toml", &hash, "\"0000000000000000\"");
    let refused = kernelscope(here, &["study", "study", "--merge", &first, &second]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for part in [
        "16-seed-1: not taken: its settings are not those",
        "16-seed-2: not taken: it is not done",
        "16-seed-2: not taken: it was trained on other data",
        "24-seed-1: not taken: it was trained on other data",
        "3 runs were not taken",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    altered("second/pack.toml", "\"0000000000000000\"", &hash);
    succeed(here, &["study", "study", "--merge", &second]);
    succeed(here, &["run", "--study", "study", "--claim"]);
    succeed(here, &["study", "study", "--collect"]);
    assert_eq!(tables(&here.join("study")), tables(&here.join("whole")));
    assert_eq!(leftovers(&here.join("study")), Vec::<PathBuf>::new());
}
