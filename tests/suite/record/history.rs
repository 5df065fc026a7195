//! The record in memory: its ceilings hold, its events do not vanish, and spikes and dips are what their definitions say.

use std::sync::Arc;

use kernelscope::math::spike::{dip, quantile, spike};
use kernelscope::run::{Block, Ending, Event, History, Metric, Row, Snapshot, TaskStart, finite};

use super::stream::{events, spec};

fn snapshot_at(template: &Snapshot, step: u64, epoch: f64, task: usize) -> Event {
    let row = Row { step, epoch, task, ..template.row.clone() };
    Event::Snapshot(Arc::new(Snapshot { row, ..template.clone() }))
}

fn template() -> Snapshot {
    let told = events(&spec(2, 1.0), |step| Ending::Finished { step });
    let found = told.iter().find_map(|event| if let Event::Snapshot(found) = event { Some(found) } else { None });
    Snapshot::clone(found.unwrap())
}

#[test]
fn a_hundred_thousand_snapshots_stay_under_the_ceiling() {
    let template = template();
    let bytes = 8 * (template.gram.len() + 2 * template.eigenvalues.len()) as u64;
    let (max_rows, max_bytes) = (2000, 500 * bytes);
    let mut history = History::new(max_bytes, max_rows);
    let per_epoch = 50;
    let switch = 60_000;
    history.push(Event::Task(TaskStart { task: 1, from: None, step: 0, epoch: 0.0 }));
    for step in 0..100_000u64 {
        let task = if step <= switch { 1 } else { 2 };
        history.push(snapshot_at(&template, step, step as f64 / per_epoch as f64, task));
        if step == switch {
            let epoch = step as f64 / per_epoch as f64;
            history.push(Event::Task(TaskStart { task: 2, from: Some(1), step, epoch }));
        }
        assert!(history.rows().len() <= max_rows && history.snapshot_bytes() <= max_bytes, "after {step} steps");
    }
    let near = |row: &Row| row.step.abs_diff(switch) <= per_epoch;
    assert_eq!(history.rows().iter().filter(|row| near(row)).count() as u64, 2 * per_epoch + 1);
    let near = history.snapshots().iter().filter(|snapshot| near(&snapshot.row)).count() as u64;
    assert_eq!(near, 2 * per_epoch + 1, "the epoch before a switch is kept although nobody knew of the switch");
    for (first, last) in [
        (history.rows()[0].step, history.rows().last().unwrap().step),
        (history.snapshots()[0].row.step, history.snapshots().last().unwrap().row.step),
    ] {
        assert_eq!((first, last), (0, 99_999));
    }
    assert!(history.rows().is_sorted_by_key(|row| row.step));
    assert_eq!(history.snapshot_at(1e9).unwrap().row.step, 99_999);
    assert_eq!(history.snapshot_at(-1.0).unwrap().row.step, 0);
}

/// Many layers make heavy rows: bytes have a ceiling, too, not only their number.
#[test]
fn rows_of_many_layers_stay_under_their_ceiling() {
    let mut template = template();
    template.row.layers = (0..2000).map(|_| template.row.layers[0].clone()).collect();
    let mut history = History::default();
    for step in 0..2000 {
        history.push(snapshot_at(&template, step, step as f64 / 50.0, 1));
        let bytes: u64 = history.rows().iter().map(Row::bytes).sum();
        assert!(bytes <= kernelscope::spec::ROW_BYTES, "{bytes} bytes after {step} steps");
    }
    assert!(history.rows().len() > 200, "no more goes than must");
    assert_eq!((history.rows()[0].step, history.rows().last().unwrap().step), (0, 1999));
}

#[test]
fn switches_alone_cannot_break_the_ceiling() {
    let template = template();
    let mut history = History::new(u64::MAX, 300);
    for step in 0..5000u64 {
        let epoch = step as f64 / 50.0;
        if step % 25 == 0 {
            history.push(Event::Task(TaskStart { task: 1 + (step / 25 % 2) as usize, from: None, step, epoch }));
        }
        history.push(snapshot_at(&template, step, epoch, 1));
        assert!(history.rows().len() <= 300);
    }
}

#[test]
fn losses_stay_bounded_and_keep_their_mean() {
    let mut history = History::default();
    for step in 0..200_000u64 {
        let progress =
            kernelscope::run::Progress { losses: vec![(step as f64, (step % 2) as f64)], ..Default::default() };
        history.push(Event::Progress(progress));
    }
    assert!(history.losses().len() <= 8192);
    let mean = history.losses().iter().map(|loss| loss.1).sum::<f64>() / history.losses().len() as f64;
    assert!((mean - 0.5).abs() < 0.01, "{mean}");
}

#[test]
fn a_series_never_contains_what_is_no_number() {
    let mut template = template();
    let mut history = History::default();
    for (step, value) in [1.0, f64::NAN, f64::INFINITY, 2.0].into_iter().enumerate() {
        template
            .row
            .blocks
            .iter_mut()
            .for_each(|block| (block.lambda_max, block.velocity) = (finite(value), finite(value)));
        history.push(snapshot_at(&template, step as u64, step as f64, 1));
    }
    for metric in [Metric::LambdaMax, Metric::Velocity] {
        assert_eq!(history.series(Block::Task(1), metric), [(0.0, 1.0), (3.0, 2.0)]);
    }
    assert!(history.series(Block::Task(9), Metric::Velocity).is_empty());
}

/// Ten epochs, a switch at 6, a value every eighth.
fn curve(value: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    (1..=80).map(|step| f64::from(step) / 8.0).map(|epoch| (epoch, value(epoch))).collect()
}

#[test]
fn a_flat_velocity_has_ratio_one_and_a_planted_spike_its_own() {
    let flat = spike(&curve(|_| 0.02), 0.0, 6.0, f64::INFINITY).unwrap();
    assert_eq!((flat.ratio, flat.background, flat.fake), (1.0, 0.02, Some(0.02)));

    let planted = |epoch: f64| if epoch == 6.25 { 0.3 } else { 0.02 };
    let found = spike(&curve(planted), 0.0, 6.0, f64::INFINITY).unwrap();
    assert_eq!((found.epoch, found.delay, found.height), (6.25, 0.25, 0.3));
    assert!((found.ratio - 15.0).abs() < 1e-12 && found.fake == Some(0.02));

    // Only the last third of the old task is the background, and only one epoch after the switch is looked at.
    let noisy_start = |epoch: f64| if (3.9..=7.0).contains(&epoch) { planted(epoch) } else { 5.0 };
    assert!((spike(&curve(noisy_start), 0.0, 6.0, f64::INFINITY).unwrap().ratio - 15.0).abs() < 1e-12);
    // The next switch ends the search.
    let late = |epoch: f64| if epoch == 6.75 { 9.0 } else { planted(epoch) };
    assert_eq!(spike(&curve(late), 0.0, 6.0, 6.5).unwrap().height, 0.3);
    // A fake switch in the background shows how high chance goes.
    let blip = |epoch: f64| if epoch == 5.0 { 0.2 } else { planted(epoch) };
    assert!(spike(&curve(blip), 0.0, 6.0, f64::INFINITY).unwrap().fake.unwrap() > 0.19);

    assert_eq!(spike(&[], 0.0, 6.0, f64::INFINITY), None);
    assert_eq!(spike(&curve(|_| 0.0), 0.0, 6.0, f64::INFINITY), None, "nothing moved");
    let not_yet: Vec<_> = curve(planted).into_iter().filter(|point| point.0 <= 6.0).collect();
    assert_eq!(spike(&not_yet, 0.0, 6.0, f64::INFINITY), None);
}

#[test]
fn a_dip_is_measured_from_the_median_before_to_the_least_after() {
    let checkmark = |epoch: f64| match epoch {
        5.75 => 100.0,
        6.5 => 8.0,
        e if e > 6.0 && e < 7.0 => 9.0,
        e if e > 9.0 => 3.0,
        e if e >= 7.0 => 9.6,
        _ => 10.0,
    };
    let found = dip(&curve(checkmark), 0.0, 6.0, 9.0).unwrap();
    assert_eq!((found.before, found.minimum, found.epoch), (10.0, 8.0, 6.5), "one outlier before does not count");
    assert!((found.depth - 0.8).abs() < 1e-12 && (found.recovery - 1.2).abs() < 1e-12);
    let flat = dip(&curve(|_| 4.0), 0.0, 6.0, f64::INFINITY).unwrap();
    assert_eq!((flat.depth, flat.recovery), (1.0, 1.0));
    assert_eq!(flat.fake, None, "a third of six epochs does not hold three");
    // Before a switch at 12 the last third is from 8 on: fake switches at 8.125 … 9 see what happens up to 12.
    let long: Vec<(f64, f64)> = (1..=120).map(|step| f64::from(step) / 8.0).map(|epoch| (epoch, 10.0)).collect();
    let with = |at: f64, value: f64| -> Vec<(f64, f64)> {
        long.iter().map(|&(epoch, old)| (epoch, if epoch == at { value } else { old })).collect()
    };
    let fake_of = |curve: &[(f64, f64)]| dip(curve, 0.0, 12.0, f64::INFINITY).unwrap().fake;
    assert_eq!(fake_of(&long), Some(1.0));
    assert_eq!(fake_of(&with(10.0, 7.0)), Some(0.7), "all fake switches see it");
    assert_eq!(fake_of(&with(12.125, 7.0)), Some(1.0), "what comes after the switch is no chance");
    assert_eq!(fake_of(&with(7.5, 7.0)), Some(1.0), "what comes before the last third is not looked at");
    let once = fake_of(&with(12.0, 7.0)).unwrap();
    assert!((0.7..0.75).contains(&once), "seen by the last of eight fake switches alone: {once}");
    assert_eq!(dip(&[], 0.0, 6.0, f64::INFINITY), None);
    assert_eq!(quantile([3.0, 1.0, 2.0, 4.0].into_iter(), 0.5), Some(2.5));
    assert_eq!(quantile(std::iter::empty(), 0.5), None);
}

#[test]
fn the_record_finds_the_planted_spikes_of_a_whole_run() {
    let mut history = History::default();
    events(&spec(3, 4.0), |step| Ending::Finished { step }).into_iter().for_each(|event| history.push(event));
    let spikes = history.spikes(Block::Task(1), Metric::Velocity);
    assert_eq!(spikes.len(), 2);
    for (found, switch) in spikes.iter().zip([4.0, 8.0]) {
        let found = found.unwrap();
        assert!((found.ratio - 10.0).abs() < 1e-9 && (found.epoch - switch - 0.25).abs() < 1e-9, "{found:?}");
    }
    let dips = history.dips(Block::Task(2));
    assert!(dips.iter().all(|found| (found.unwrap().depth - 0.8).abs() < 1e-12));
}
