//! The ratio against the lag: against the spike of runs that take their velocity over each of these lags, and over tasks whose
//! epochs are of unequal length.

use kernelscope::analysis::SwitchKernels;
use kernelscope::run::{Block, History, Metric};
use kernelscope::spec::Spec;

use super::{read_all, start, tiny};

/// The probes of the first task.
const ROWS: std::ops::Range<usize> = 0..10;

fn recorded(spec: Spec) -> History {
    let mut history = History::default();
    read_all(&start(spec)).into_iter().for_each(|event| history.push(event));
    history
}

/// With a snapshot at each step, a run whose velocity is taken over a lag finds the same spike that this finds for that lag,
/// in a run with any other lag of its own.
#[test]
fn each_lag_has_the_ratio_of_a_run_of_that_lag() {
    let mut spec = tiny();
    spec.tasks.epochs = vec![4.0, 2.0];
    spec.kernel.per_epoch = 13;
    let with_lag = |lag: f64| {
        let mut spec = spec.clone();
        spec.kernel.lag = lag;
        recorded(spec)
    };
    let history = with_lag(1.0 / 13.0);
    let steps = history.info().unwrap().tasks[0].steps_per_epoch;
    let found = SwitchKernels::of(&history, 0).unwrap().ratios(&ROWS);
    assert_eq!(found.iter().map(|lag| lag.steps).collect::<Vec<_>>(), (1..=steps).collect::<Vec<_>>());
    for lag in [1, 3, steps] {
        let own = with_lag(lag as f64 / steps as f64);
        assert_eq!(own.rows().iter().filter_map(|row| row.blocks[0].lag_steps).max(), Some(lag));
        let spike = own.spikes(Block::Task(1), Metric::VelocityDebiased)[0].unwrap();
        let here = found[lag as usize - 1];
        assert!((here.ratio / spike.ratio - 1.0).abs() < 1e-9, "lag {lag}: {} for {}", here.ratio, spike.ratio);
        assert!((here.height / (spike.height * here.epochs) - 1.0).abs() < 1e-9, "the distance is velocity times lag");
        let by_path = (here.by_path.unwrap(), own.spikes(Block::Task(1), Metric::VelocityPathDebiased)[0].unwrap());
        assert!((by_path.0.ratio / by_path.1.ratio - 1.0).abs() < 1e-9, "lag {lag}: {by_path:?}");
        let fake = spike.fake.map(|fake| fake / spike.background);
        assert!(
            here.fake.zip(fake).is_some_and(|(here, fake)| (here / fake - 1.0).abs() < 1e-9),
            "{:?} {fake:?}",
            here.fake
        );
    }
}

/// A second task of fewer images has shorter epochs, and a velocity over fewer steps; here a lag has as many on both sides.
#[test]
fn a_lag_has_as_many_steps_before_a_switch_as_after_it() {
    let mut spec = tiny();
    spec.set("tasks.classes=[[0,1,2,3,4],[5]]").unwrap();
    spec.tasks.epochs = vec![4.0, 4.0];
    spec.kernel.per_epoch = 13;
    let history = recorded(spec);
    let [first, second] = [0, 1].map(|task: usize| history.info().unwrap().tasks[task].steps_per_epoch);
    assert!(second < first);
    let found = SwitchKernels::of(&history, 0).unwrap().ratios(&ROWS);
    assert_eq!(found.iter().map(|lag| lag.steps).collect::<Vec<_>>(), (1..=second).collect::<Vec<_>>());
    assert!((found[0].epochs * second as f64 - 1.0).abs() < 1e-9, "an epoch is one of the task that begins");
    assert!(SwitchKernels::of(&history, 1).is_none(), "there is one switch");
}
