//! Opening a folder again: what may be replaced, what must not, and a second kill that takes nothing.

use std::fs;

use kernelscope::run::{Ending, Event, RunState};
use kernelscope::storage::{FolderError, create, load};

use super::folder::write;
use super::stream::{copy, events, rows, spec};

fn finished(step: u64) -> Ending {
    Ending::Finished { step }
}

#[test]
fn a_second_kill_takes_nothing_and_the_end_replaces_it() {
    let spec = spec(2, 1.0);
    let told = events(&spec, finished);
    let place = tempfile::tempdir().unwrap();
    let (first, cut) = (place.path().join("first"), place.path().join("cut"));
    let mut folder = create(&first, &spec, false).unwrap().folder;
    // The warning at the end of the first task and the start of the second are told: five rows.
    let killed_after =
        told.iter().position(|event| matches!(event, Event::Task(start) if start.task == 2)).unwrap() + 1;
    told[..killed_after].iter().for_each(|event| folder.take(event).unwrap());
    copy(&first, &cut);
    fs::write(cut.join("notes.txt"), "mine").unwrap();
    let kept = rows(&told[..killed_after]).len();
    assert_eq!(load(&cut).unwrap().history.rows().len(), kept);

    // Killed again at every event, and read each time as the next one would find it.
    let opened = create(&cut, &spec, false).unwrap();
    assert_eq!(opened.resumed, Some(kept));
    let mut folder = opened.folder;
    for (number, event) in told.iter().enumerate() {
        let again = place.path().join(format!("again{number}"));
        copy(&cut, &again);
        let left = load(&again).unwrap();
        assert!(left.history.rows().len() >= kept && left.history.snapshots().len() >= kept, "before event {number}");
        assert_eq!(create(&again, &spec, false).unwrap().resumed, Some(left.history.rows().len()));
        folder.take(event).unwrap();
    }
    drop(folder);
    let loaded = load(&cut).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(loaded.history.rows(), rows(&told));
    assert_eq!(loaded.history.snapshots().len(), rows(&told).len());
    assert!(!cut.join("resume.partial").exists() && !cut.join("kernels.partial").exists());
    assert_eq!(fs::read_to_string(cut.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn resuming_that_gets_less_far_leaves_what_was_there() {
    let spec = spec(2, 1.0);
    let told = events(&spec, |step| Ending::Stopped { step });
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    write(&out, &spec, &told);
    let before = fs::read(out.join("metrics.csv")).unwrap();
    let mut folder = create(&out, &spec, false).unwrap().folder;
    told[..6].iter().for_each(|event| folder.take(event).unwrap());
    folder.take(&Event::Ended(Ending::Failed { step: 4, message: "full disk".to_owned() })).unwrap();
    drop(folder);
    assert_eq!(fs::read(out.join("metrics.csv")).unwrap(), before);
    assert_eq!(load(&out).unwrap().history.state(), &RunState::Ended(Ending::Stopped { step: 16 }));
    assert!(!out.join("resume.partial").exists());
}

/// A process that was just killed takes a moment to be gone.
#[test]
fn a_claim_that_goes_in_a_moment_is_waited_for() {
    let place = tempfile::tempdir().unwrap();
    let held = create(place.path(), &spec(2, 1.0), false).unwrap();
    let release = move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(held);
    };
    let going = std::thread::Builder::new().name("holder of a claim".to_owned()).spawn(release).unwrap();
    create(place.path(), &spec(2, 1.0), false).unwrap();
    going.join().unwrap();
}

#[test]
fn a_folder_is_refused_unless_it_holds_this_run_unfinished() {
    let spec = spec(2, 1.0);
    let told = events(&spec, finished);
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("photo.jpg"), "mine").unwrap();
    assert!(matches!(create(&out, &spec, false).err(), Some(FolderError::NotEmpty(_))));

    let mut folder = create(&out, &spec, true).unwrap().folder;
    assert!(matches!(create(&out, &spec, true).err(), Some(FolderError::Busy { .. })), "two cannot write one folder");
    told.iter().for_each(|event| folder.take(event).unwrap());
    drop(folder);
    assert!(matches!(create(&out, &spec, false).err(), Some(FolderError::Finished(_))));

    let mut other = spec.clone();
    other.seed = 2;
    assert!(matches!(create(&out, &other, false).err(), Some(FolderError::NotEmpty(_))));
    fs::create_dir(out.join("figures")).unwrap();
    for name in ["velocity.svg", "mine.svg"] {
        fs::write(out.join("figures").join(name), "x").unwrap();
    }
    // Replacing begins with the run, not before: data that cannot be read cost nothing.
    drop(create(&out, &other, true).unwrap());
    assert_eq!(load(&out).unwrap().history.rows().len(), rows(&told).len());
    let fewer = events(&other, finished);
    let mut folder = create(&out, &other, true).unwrap().folder;
    fewer[..5].iter().for_each(|event| folder.take(event).unwrap());
    drop(folder);
    assert_eq!(load(&out).unwrap().history.info().unwrap().spec.seed, 2);
    assert_eq!(load(&out).unwrap().history.rows().len(), rows(&fewer[..5]).len());
    assert!(out.join("photo.jpg").exists() && out.join("figures/mine.svg").exists());
    assert!(!out.join("figures/velocity.svg").exists(), "a figure of another run");

    // The pace changes no result.
    let mut slower = other.clone();
    slower.window.pace = 3.0;
    assert!(create(&out, &slower, false).is_ok());
}
