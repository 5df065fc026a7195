//! Replay: only earlier tasks are seen again, never a probe, the same run repeats, and less is forgotten.

use kernelscope::data::{Batch, ReplayMemory, prepare};
use kernelscope::run::Row;
use kernelscope::spec::Spec;

use super::run::rows;
use super::tiny;

#[test]
fn what_is_recalled_are_kept_images_of_earlier_tasks() {
    let mut spec = tiny();
    spec.tasks.classes = vec![vec![0, 1], vec![2, 3], vec![4, 5]];
    let stream = prepare(&spec).unwrap().stream;
    let recall = |earlier: &[usize], kept, address| {
        let mut batch = Batch { pixels: vec![0.5], labels: vec![9], values: vec![], images: vec![(7, 7)] };
        let memory = ReplayMemory::of(spec.seed, &stream, earlier, kept);
        memory.append_samples(address, 300, &stream, &mut batch);
        // What is said of an image is so.
        for (&(task, place), label) in batch.images[1..].iter().zip(&batch.labels[1..]) {
            let (mut pixels, mut labels) = (Vec::new(), Vec::new());
            stream.task(task).batch(&[place], &mut pixels, &mut labels);
            assert!(earlier.contains(&task) && labels == [*label]);
        }
        (batch.pixels, batch.labels)
    };
    // Behind what is there, and of the earlier tasks alone; nothing where there are none.
    assert_eq!(recall(&[], 5, (1, 1, 0)), (vec![0.5], vec![9]));
    let (pixels, labels) = recall(&[1, 3], 5, (1, 2, 7));
    assert_eq!((pixels[0], labels[0], labels.len(), pixels.len()), (0.5, 9, 301, 1 + 300 * 784));
    assert!(labels[1..].iter().all(|label| [0, 1, 4, 5].contains(label)));
    // Five of each of two tasks, none of them a probe.
    let mut seen: Vec<&[f32]> = pixels[1..].chunks_exact(784).collect();
    seen.sort_by(|a, b| a.partial_cmp(b).unwrap());
    seen.dedup();
    assert_eq!(seen.len(), 10);
    let data = prepare(&spec).unwrap();
    let probes: Vec<&[f32]> = data.probes.pixels.chunks_exact(784).collect();
    assert!(seen.iter().all(|image| !probes.contains(image)));
    // By address.
    assert_eq!(recall(&[1, 3], 5, (1, 2, 7)), (pixels.clone(), labels.clone()));
    assert_ne!(recall(&[1, 3], 5, (1, 2, 8)).1, labels);
    assert_ne!(recall(&[1, 3], 5, (2, 2, 7)).1, labels);
}

/// A small run of two tasks that is long enough to learn the first and to forget it.
pub fn forgetful() -> Spec {
    let mut spec = tiny();
    spec.data.per_class = 100;
    spec.data.test_per_class = 50;
    spec.training.rate = 0.02;
    spec.tasks.epochs = vec![6.0, 6.0];
    spec
}

#[test]
fn replay_repeats_leaves_the_first_task_as_it_was_and_forgets_less() {
    let plain = forgetful();
    let mut replayed = plain.clone();
    replayed.training.replay = 50;
    let (without, with) = (rows(plain), rows(replayed.clone()));
    assert_eq!(with, rows(replayed));
    let first = without.iter().position(|row| row.at_switch).unwrap();
    assert_eq!(without[..=first], with[..=first]);
    assert_ne!(without[first + 1], with[first + 1]);
    // Task 1 at the end: nothing is left without replay, most of it with.
    let of = |row: &Row| row.accuracy[0].accuracy.unwrap();
    let kept = |rows: &[Row]| (of(&rows[first]), of(rows.last().unwrap()));
    let ((before, naive), (_, helped)) = (kept(&without), kept(&with));
    assert!(before > 0.6 && naive < 0.3 && helped > naive + 0.3, "{before}: {naive} without, {helped} with");
}
