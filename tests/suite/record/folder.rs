//! What is written is what is read, also after a kill at any moment.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kernelscope::run::{Ending, Event, RunState};
use kernelscope::spec::{Change, Effect, Spec};
use kernelscope::storage::{FolderError, LoadError, create, load};

use super::stream::{copy, events, rows, spec};

fn finished(step: u64) -> Ending {
    Ending::Finished { step }
}

pub fn write(out: &Path, spec: &Spec, events: &[Event]) {
    let mut folder = create(out, spec, false).unwrap().folder;
    events.iter().for_each(|event| folder.take(event).unwrap());
}

#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    let place = tempfile::tempdir().unwrap();
    let (out, spec) = (place.path().join("deep/run"), spec(3, 2.0));
    let told = events(&spec, finished);
    write(&out, &spec, &told);

    let loaded = load(&out).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let history = loaded.history;
    assert_eq!(history.rows(), rows(&told));
    let Event::Started(info) = &told[0] else { unreachable!() };
    let read = history.info().unwrap();
    assert_eq!((&read.tasks, &read.class_names, &read.probes), (&info.tasks, &info.class_names, &info.probes));
    assert_eq!((&read.thumbnails, read.image), (&info.thumbnails, info.image));
    assert_eq!((&read.spec, read.parameters, read.planned_steps), (&spec, info.parameters, info.planned_steps));
    let snapshots = told.iter().filter_map(|event| if let Event::Snapshot(found) = event { Some(found) } else { None });
    for (read, told) in history.snapshots().iter().zip(snapshots.clone()) {
        assert_eq!(read.gram, told.gram);
        assert_eq!(read.outputs, told.outputs);
        assert_eq!((&read.eigenvalues, &read.block_eigenvalues), (&told.eigenvalues, &told.block_eigenvalues));
    }
    assert_eq!(history.snapshots().len(), snapshots.count());
    let starts = told.iter().filter_map(|event| if let Event::Task(start) = event { Some(*start) } else { None });
    assert_eq!(history.tasks(), starts.collect::<Vec<_>>());
    assert_eq!(history.notes().len(), 3);
    assert_eq!(history.notes()[0].message, "one line, \"with\" all that hurts");
    let weights =
        told.iter().rev().find_map(|event| if let Event::Weights(found) = event { Some(found) } else { None });
    assert_eq!(history.weights(), weights);
    assert_eq!(history.state(), &RunState::Ended(Ending::Finished { step: 48 }));

    let events_csv = fs::read_to_string(out.join("events.csv")).unwrap();
    assert_eq!(events_csv.lines().last().unwrap(), "48,6.0,ended,finished");
    let mut names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let expected = [
        "accuracy.csv",
        "cross.csv",
        "events.csv",
        "info.toml",
        "kernels.npz",
        "layers.csv",
        "ledger.csv",
        "logits.csv",
        "metrics.csv",
        "model.safetensors",
        "optimiser.csv",
        "predictions.csv",
        "run.toml",
        "sharpness.csv",
        "tensors.csv",
    ];
    assert_eq!(names, expected);
}

#[test]
fn every_ending_is_recorded() {
    let endings: [fn(u64) -> Ending; 3] = [
        |step| Ending::Stopped { step },
        |step| Ending::Diverged { step, message: "the loss: is no number".to_owned() },
        |step| Ending::Failed { step, message: "it, broke".to_owned() },
    ];
    for ending in endings {
        let place = tempfile::tempdir().unwrap();
        let (out, spec) = (place.path().join("run"), spec(1, 1.0));
        write(&out, &spec, &events(&spec, ending));
        assert_eq!(load(&out).unwrap().history.state(), &RunState::Ended(ending(8)));
        assert!(out.join("kernels.npz").exists());
    }
}

#[test]
fn a_kill_loses_at_most_the_last_second() {
    let spec = spec(2, 1.0);
    let told = events(&spec, finished);
    let all = rows(&told);
    for killed_after in 1..told.len() {
        let place = tempfile::tempdir().unwrap();
        let (out, left) = (place.path().join("run"), place.path().join("left"));
        // 400 ms between events: three of them fit into a second.
        let now = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let clock = Arc::clone(&now);
        let folder = create(&out, &spec, false).unwrap().folder;
        let mut folder = folder.with_clock(move || start + Duration::from_millis(clock.load(Ordering::Relaxed)));
        for event in &told[..killed_after] {
            now.fetch_add(400, Ordering::Relaxed);
            folder.take(event).unwrap();
        }
        copy(&out, &left);

        let before = |end: usize| rows(&told[..end]).len();
        let sure = before(killed_after.saturating_sub(3));
        match load(&left) {
            Ok(loaded) => {
                let read = loaded.history.rows();
                assert!(read.len() >= sure, "{} of {sure} rows after {killed_after} events", read.len());
                assert!(read.iter().zip(&all).all(|(read, told)| read.step == told.step && read.blocks == told.blocks));
                assert_eq!(loaded.history.snapshots().len(), read.len(), "each row has its Gram");
                assert!(matches!(loaded.history.state(), RunState::Ended(Ending::Failed { .. })));
                assert!(loaded.warnings.iter().any(|sentence| sentence.contains("cut off")), "{:?}", loaded.warnings);
            }
            Err(LoadError::Empty(_)) => assert_eq!(sure, 0),
            Err(err) => panic!("{err}"),
        }
    }
}

#[test]
fn live_changes_are_saved_and_not_saved_twice() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let mut spec = spec(2, 1.0);
    let fed_in = Change { step: 6, ..Effect::PerEpoch(2).into() };
    spec.changes = vec![fed_in.clone()];
    let mut told = events(&spec, finished);
    let live = Change { step: 3, ..Effect::Rate(0.1).into() };
    for (place, change) in [(4, &live), (6, &fed_in)] {
        told.insert(
            place,
            Event::Changed { step: change.step, epoch: change.step as f64 / 8.0, change: change.clone() },
        );
    }
    write(&out, &spec, &told);
    let saved = Spec::from_toml(&fs::read_to_string(out.join("run.toml")).unwrap()).unwrap();
    assert_eq!(saved.changes, [live, fed_in]);
    let history = load(&out).unwrap().history;
    assert_eq!(history.changes(), saved.changes);
    assert_eq!(history.notes().iter().filter(|note| !note.warning).count(), 2);
}

#[test]
fn what_cannot_be_written_names_its_path() {
    let place = tempfile::tempdir().unwrap();
    let (out, spec) = (place.path().join("run"), spec(1, 2.0));
    let told = events(&spec, finished);
    let mut folder = create(&out, &spec, false).unwrap().folder;
    let failed = told.iter().enumerate().find_map(|(number, event)| {
        if number == 4 {
            fs::remove_dir_all(&out).unwrap();
        }
        folder.take(event).err()
    });
    let sentence = failed.expect("a folder that is gone cannot be written").to_string();
    assert!(sentence.starts_with("cannot write") && sentence.contains(out.to_str().unwrap()), "{sentence}");

    let file = place.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(create(&file, &spec, true).err(), Some(FolderError::IsFile(_))));
    let sentence = create(&file.join("run"), &spec, false).err().unwrap().to_string();
    assert!(sentence.starts_with("cannot write"), "{sentence}");
}

#[test]
fn a_run_that_never_starts_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (out, spec) = (place.path().join("run"), spec(1, 1.0));
    let mut folder = create(&out, &spec, false).unwrap().folder;
    folder.take(&Event::Ended(Ending::Failed { step: 0, message: "no data".to_owned() })).unwrap();
    drop(folder);
    assert!(!out.exists());
}

#[test]
fn numpy_reads_the_kernels() {
    let Some(python) = crate::suite::python("to read kernels.npz") else { return };
    let place = tempfile::tempdir().unwrap();
    let (out, spec) = (place.path().join("run"), spec(2, 1.0));
    let told = events(&spec, finished);
    write(&out, &spec, &told);
    let script = "import sys, numpy; k = numpy.load(sys.argv[1]); \
        print({name: (k[name].dtype.str, k[name].shape) for name in sorted(k.files)}, repr(float(k['gram'][3, 2, 1])))";
    let done = Command::new(python).args(["-c", script]).arg(out.join("kernels.npz")).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let snapshots: Vec<_> =
        told.iter().filter_map(|event| if let Event::Snapshot(found) = event { Some(found) } else { None }).collect();
    for part in ["'gram': ('<f8', (9, 8, 8))", "'step': ('<i8', (9,))", "'probe_image': ('|u1', (8, 2, 3, 1))"] {
        assert!(said.contains(part), "{part} is not in {said}, {}", String::from_utf8_lossy(&done.stderr));
    }
    assert!(said.trim_end().ends_with(&format!("{:?}", snapshots[3].gram[2 * 8 + 1])), "{said}");
}
