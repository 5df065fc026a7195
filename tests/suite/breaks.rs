//! A disk that fails at any single write, as a kill or a lack of room does: the same command ends with the same bytes as one that was
//! not disturbed, and nothing that is not whole is taken for finished.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kernelscope::run::{Ending, Event, RunState};
use kernelscope::spec::{Learner, Spec, StudySpec, study};
use kernelscope::storage::{BrokenDisk, FolderError, StudyFolder, create, load, tidy};
use kernelscope::worker::DeviceChoice;
use kernelscope::worker::study_service::finish;

use super::record::stream::{copy, events, spec};
use super::tiny;

/// A folder that goes at the end, in memory where the system has such a place: these tests wait for the disk a thousand times.
fn fast_place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Every file below a folder, without the columns of tables that hold times.
pub fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(
                    name,
                    if path.extension() == Some("csv".as_ref()) {
                        untimed(&path)
                    } else {
                        fs::read(&path).unwrap_or_default()
                    },
                );
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn untimed(path: &Path) -> Vec<u8> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path).unwrap();
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let is_timed =
        |place: usize| lines.first().and_then(|head| head.get(place)).is_some_and(|name| name.ends_with("_seconds"));
    let keep = |line: &csv::StringRecord| {
        let cells = line.iter().enumerate().filter(|(place, _)| !is_timed(*place));
        cells.map(|(_, cell)| cell.to_owned()).collect::<Vec<_>>().join(",")
    };
    lines.iter().map(keep).collect::<Vec<_>>().join("\n").into_bytes()
}

/// The command `run`, as far as folders go: flushed after every third event.
fn attempt(out: &Path, spec: &Spec, told: &[Event]) -> Result<(), FolderError> {
    let folder = create(out, spec, false)?.folder;
    let (now, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let clock = Arc::clone(&now);
    let mut folder = folder.with_clock(move || start + Duration::from_millis(clock.load(Ordering::Relaxed)));
    for event in told {
        now.fetch_add(400, Ordering::Relaxed);
        folder.take(event)?;
    }
    Ok(())
}

/// What it comes to when nothing is in its way.
fn come_to_an_end(out: &Path, spec: &Spec, told: &[Event], what: &str) {
    match attempt(out, spec, told) {
        Ok(()) | Err(FolderError::Finished(_)) => {}
        Err(err) => panic!("{what}: {err}"),
    }
}

#[test]
fn a_run_whose_disk_breaks_after_any_write_ends_as_one_that_was_not_disturbed() {
    let place = fast_place();
    let spec = spec(2, 0.5);
    let told = events(&spec, |step| Ending::Finished { step });
    let whole = place.path().join("whole");
    let disk = BrokenDisk::after(&whole, usize::MAX);
    attempt(&whole, &spec, &told).unwrap();
    let writes = disk.tried();
    let expected = contents(&whole);
    assert!(writes > 60, "{writes} writes");

    for good in 0..writes {
        let out = place.path().join("broken");
        let disk = BrokenDisk::after(&out, good);
        let said = attempt(&out, &spec, &told);
        assert!(disk.tried() > good);
        drop(disk);
        if let Err(err) = &said {
            let said = err.to_string();
            assert!(said.ends_with("the disk is full") && !said.contains(".kernelscope-"), "{said}");
        }
        // What says that it has finished has all.
        if let Ok(loaded) = load(&out)
            && matches!(loaded.history.state(), RunState::Ended(Ending::Finished { .. }))
        {
            tidy(&out).unwrap();
            assert_eq!(contents(&out), expected, "finished after {good} writes");
        }
        // Broken again on the way back, somewhere else each time.
        let again = place.path().join("again");
        if out.exists() {
            copy(&out, &again);
        }
        let disk = BrokenDisk::after(&again, (good * 7) % writes);
        let _ = attempt(&again, &spec, &told);
        drop(disk);
        for out in [out, again] {
            come_to_an_end(&out, &spec, &told, &format!("after {good} writes"));
            tidy(&out).unwrap();
            assert_eq!(contents(&out), expected, "after {good} of {writes} writes");
            fs::remove_dir_all(out).unwrap();
        }
    }
}

#[test]
fn a_resumed_run_takes_the_place_of_the_old_one_as_a_whole() {
    let place = fast_place();
    let spec = spec(2, 0.5);
    let told = events(&spec, |step| Ending::Finished { step });
    let (whole, cut) = (place.path().join("whole"), place.path().join("cut"));
    attempt(&whole, &spec, &told).unwrap();
    let expected = contents(&whole);
    attempt(&cut, &spec, &told[..told.len() / 2]).unwrap();
    let (kept, rows) = (contents(&cut), load(&cut).unwrap().history.rows().len());
    assert!(rows > 2 && kept.keys().any(|name| name.starts_with("kernels.partial")));
    let counted = place.path().join("counted");
    copy(&cut, &counted);
    let disk = BrokenDisk::after(&counted, usize::MAX);
    attempt(&counted, &spec, &told).unwrap();
    let writes = disk.tried();
    assert_eq!(contents(&counted), expected);
    for good in 0..writes {
        let out = place.path().join("broken");
        copy(&cut, &out);
        let disk = BrokenDisk::after(&out, good);
        let _ = attempt(&out, &spec, &told);
        drop(disk);
        // Whoever looks first, nothing that was there is gone.
        let told_of = tidy(&out).unwrap().repairs;
        assert!(told_of.iter().all(|sentence| !sentence.contains('\n')));
        let left = load(&out).unwrap();
        assert!(left.history.rows().len() >= rows && left.history.snapshots().len() >= rows, "after {good} writes");
        let leftovers = contents(&out).into_keys().filter(|name| name.contains(".tmp") || name.contains(".partial"));
        assert_eq!(leftovers.count(), 0, "after {good} writes");
        come_to_an_end(&out, &spec, &told, &format!("after {good} writes"));
        tidy(&out).unwrap();
        assert_eq!(contents(&out), expected, "after {good} of {writes} writes");
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn a_folder_that_lost_a_part_of_what_it_had_at_its_end_is_not_finished() {
    let place = fast_place();
    let spec = spec(2, 0.5);
    let told = events(&spec, |step| Ending::Finished { step });
    let whole = place.path().join("whole");
    attempt(&whole, &spec, &told).unwrap();
    let expected = contents(&whole);
    for older in [false, true] {
        for name in ["metrics.csv", "accuracy.csv", "predictions.csv", "kernels.npz", "model.safetensors"] {
            // A version that wrote no sizes down knows the end of a run by its last step.
            if older && !["metrics.csv", "accuracy.csv"].contains(&name) {
                continue;
            }
            let out = place.path().join(format!("{older}{name}"));
            copy(&whole, &out);
            let bytes = fs::read(out.join(name)).unwrap();
            fs::write(out.join(name), &bytes[..bytes.len() / 2]).unwrap();
            if older {
                let info = fs::read_to_string(out.join("info.toml")).unwrap();
                fs::write(out.join("info.toml"), info.split("[ended_with]").next().unwrap()).unwrap();
            }
            let warnings = load(&out).unwrap().warnings;
            assert!(
                warnings.iter().any(|said| said.starts_with(name) && said.contains("the run is incomplete")),
                "{warnings:?}"
            );
            assert!(create(&out, &spec, false).unwrap().resumed.is_some());
            come_to_an_end(&out, &spec, &told, name);
            assert_eq!(contents(&out), expected, "{name}");
        }
    }
    // Who removes the Grams to save room has not lost a row.
    fs::remove_file(whole.join("kernels.npz")).unwrap();
    assert!(matches!(create(&whole, &spec, false).err(), Some(FolderError::Finished(_))));
}

#[test]
fn what_an_older_version_left_at_an_end_that_was_killed_is_finished_by_every_command() {
    let place = fast_place();
    let spec = spec(2, 0.5);
    let told = events(&spec, |step| Ending::Finished { step });
    let (whole, cut) = (place.path().join("whole"), place.path().join("cut"));
    attempt(&whole, &spec, &told).unwrap();
    // It said that the run had ended before it put the Grams together.
    attempt(&cut, &spec, &told[..told.len() - 1]).unwrap();
    let table = fs::read_to_string(cut.join("events.csv")).unwrap();
    fs::write(cut.join("events.csv"), table + "8,1.0,ended,finished\n").unwrap();
    fs::write(cut.join(".kernelscope-abc.tmp"), "half").unwrap();
    fs::write(cut.join("kernels.partial/.kernelscope-abc.tmp"), "half").unwrap();
    let again = place.path().join("again");
    copy(&cut, &again);
    let said = tidy(&cut).unwrap().repairs;
    assert!(said.len() == 1 && said[0].contains("before its kernels were put together"), "{said:?}");
    assert_eq!(tidy(&cut).unwrap().repairs, Vec::<String>::new());
    assert!(matches!(create(&again, &spec, false).err(), Some(FolderError::Finished(_))));
    let mut expected = contents(&whole);
    for folder in [cut, again] {
        let mut found = contents(&folder);
        assert!(found.remove("info.toml").is_some());
        expected.remove("info.toml");
        assert_eq!(found, expected);
    }
}

/// A part with a flipped bit is somebody's only copy of the others' numbers, and of nothing that can be put together.
#[test]
fn parts_that_cannot_all_be_read_are_kept() {
    let place = fast_place();
    let (spec, out) = (spec(2, 0.5), place.path().join("cut"));
    let told = events(&spec, |step| Ending::Finished { step });
    attempt(&out, &spec, &told[..told.len() - 1]).unwrap();
    let part = out.join("kernels.partial/000002.npz");
    let mut bytes = fs::read(&part).unwrap();
    let at = bytes.windows(8).position(|window| window == b"gram.npy").unwrap() + 200;
    bytes[at] ^= 4;
    fs::write(&part, &bytes).unwrap();
    let said = tidy(&out).unwrap().repairs;
    assert!(said.len() == 1 && said[0].contains("not all files in kernels.partial can be read"), "{said:?}");
    assert_eq!(fs::read(&part).unwrap(), bytes);
}

#[test]
fn a_refused_run_leaves_everything_as_it_was() {
    let place = fast_place();
    let (spec, out) = (spec(2, 0.5), place.path().join("cut"));
    let told = events(&spec, |step| Ending::Finished { step });
    attempt(&out, &spec, &told[..told.len() / 2]).unwrap();
    let staged = place.path().join("staged");
    copy(&out, &staged);
    copy(&staged, &out.join("resume.partial"));
    let (before, other) = (contents(&out), Spec { seed: spec.seed + 1, ..spec });
    assert!(matches!(create(&out, &other, false).err(), Some(FolderError::NotEmpty(_))));
    assert_eq!(contents(&out), before);
}

#[test]
fn a_file_that_is_taken_away_while_the_run_goes_on_ends_it_with_a_sentence() {
    let spec = spec(2, 0.5);
    let told = events(&spec, |step| Ending::Finished { step });
    for name in
        ["metrics.csv", "events.csv", "layers.csv", "kernels.partial/000001.npz", "model.safetensors", "run.toml"]
    {
        let place = fast_place();
        let out = place.path().join("run");
        let mut folder = create(&out, &spec, false).unwrap().folder;
        let second = told.iter().position(|event| matches!(event, Event::Task(start) if start.task == 2)).unwrap();
        let mut failed = None;
        for (number, event) in told.iter().enumerate() {
            if number == second + 1 {
                fs::remove_file(out.join(name)).unwrap();
            }
            failed = failed.or(folder.take(event).err());
        }
        // The weights are written anew at the end of each task.
        if name == "model.safetensors" {
            assert!(failed.is_none());
            continue;
        }
        let said = failed.unwrap_or_else(|| panic!("{name} is gone and nobody says so")).to_string();
        assert!(said.starts_with("cannot write") && said.lines().count() == 1, "{said}");
        drop(folder);
        let events = fs::read_to_string(out.join("events.csv")).unwrap_or_default();
        assert!(!events.contains("ended"), "{name}: {events}");
    }
}

/// A study's whole work, as its command and its page in the window do it.
fn work(out: &Path, spec: &Spec) -> Result<usize, String> {
    let mut folder = StudyFolder::create(out, spec).map_err(|err| err.to_string())?;
    let mut failures = Vec::new();
    let tell = |_: &StudyFolder, news| {
        if let kernelscope::worker::study_service::StudyEvent::Failed { message, .. } = news {
            failures.push(message);
        }
        true
    };
    finish(&mut folder, DeviceChoice::Cpu, 1, &AtomicBool::new(false), tell).map_err(|err| err.to_string())?;
    match failures.pop() {
        Some(message) => Err(message),
        None => Ok((0..folder.runs().len()).filter(|&place| folder.is_ended(place)).count()),
    }
}

/// Breaks the disk of a study after each write and does it again; what comes of it must be what an undisturbed one gives.
fn study_survives(spec: &Spec, runs: usize) {
    let place = fast_place();
    let whole = place.path().join("whole");
    let disk = BrokenDisk::after(&whole, usize::MAX);
    assert_eq!(work(&whole, spec), Ok(runs));
    let (writes, expected) = (disk.tried(), contents(&whole));
    for good in 0..writes {
        let out = place.path().join("broken");
        let disk = BrokenDisk::after(&out, good);
        let _ = work(&out, spec);
        drop(disk);
        assert_eq!(work(&out, spec), Ok(runs), "after {good} of {writes} writes");
        // A second time takes away what is left over, and changes nothing.
        assert_eq!(work(&out, spec), Ok(runs));
        let found = contents(&out);
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "after {good} writes");
        for (name, bytes) in &expected {
            assert!(found[name] == *bytes, "{name} differs after {good} of {writes} writes");
        }
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn a_study_whose_disk_breaks_ends_as_one_that_was_not_disturbed() {
    let mut spec = tiny();
    (spec.data.per_class, spec.data.test_per_class, spec.kernel.probes_per_class) = (4, 2, 1);
    spec.network.set("depth", 1.into());
    spec.tasks.epochs = Vec::new();
    spec.tasks.steps = vec![2, 1];
    let study = StudySpec {
        axis: "network.width".to_owned(),
        values: vec![16.into(), 17.into()],
        seeds: vec![1],
        ..StudySpec::default()
    };
    study_survives(&Spec { study: Some(study), ..spec }, 2);
}

#[test]
fn a_study_of_learners_whose_disk_breaks_has_every_point_and_every_prediction() {
    let mut spec = study("he3").unwrap().spec();
    spec.network.width = 16.into();
    spec.data.test_per_class = 20;
    spec.kernel.probes_per_class = 2;
    spec.tasks.epochs = vec![2.0];
    let asked = spec.study.as_mut().unwrap();
    asked.samples = vec![8, 12];
    asked.seeds = vec![1];
    asked.variants.clear();
    asked.learners = vec![Learner::KernelStart, Learner::Infinite];
    asked.protocol.pool = 16;
    study_survives(&spec, 2);
}
