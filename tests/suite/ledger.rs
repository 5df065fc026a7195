//! The forgetting ledger: its parts sum to its prediction, the prediction is what a small step does, and it changes no result.

use super::{FIVE, gram::pooled, sized};
use std::sync::Arc;

use kernelscope::run::{Event, Ledger};
use kernelscope::spec::{Change, Effect, Loss, NetworkSpec, Parametrisation, Spec};
use kernelscope::worker::Command;

use super::{read_all, read_until, start, tiny};

fn ledgers(events: &[Event]) -> Vec<Arc<Ledger>> {
    events
        .iter()
        .filter_map(|event| if let Event::Ledger(ledger) = event { Some(Arc::clone(ledger)) } else { None })
        .collect()
}

/// The one ledger of a run of two tasks: that of the first step of the second.
fn ledger(spec: Spec) -> Arc<Ledger> {
    let events = read_all(&start(spec));
    let [ledger] = ledgers(&events).try_into().expect("one switch, one ledger");
    ledger
}

#[test]
fn a_small_step_does_what_was_predicted_and_half_a_step_misses_a_quarter() {
    let changes: [fn(&mut Spec); 6] = [
        |_| {},
        |spec| spec.training.loss = Loss::Mse,
        |spec| spec.network.parametrisation = Parametrisation::Ntk,
        |spec| spec.network.alpha = Some(2.0),
        |spec| spec.changes = vec![Change { place: Some(2), ..Effect::Frozen(vec!["fc1".to_owned()]).into() }],
        |spec| spec.changes = vec![Change { place: Some(2), ..Effect::Masked(true).into() }],
    ];
    for (which, change) in changes.into_iter().enumerate() {
        let at = |rate: f64| {
            let mut spec = tiny();
            spec.network.activation = kernelscope::spec::Activation::Tanh;
            change(&mut spec);
            // The same weights at the switch, whatever the rate of the step after it.
            let changed = Change { place: Some(2), ..Effect::Rate(rate).into() };
            spec.changes.push(changed);
            ledger(spec)
        };
        // Large enough that what is not linear stands above 32-bit rounding.
        let rate = if which == 2 { 0.5 } else { 0.02 };
        let (one, half) = (at(rate), at(rate / 2.0));
        let [one_gap, half_gap] = [&one, &half].map(|ledger| ledger.gap().unwrap());
        assert!(one_gap < 0.2 && half_gap < 0.6 * one_gap, "{which}: {one_gap:e}, half a step {half_gap:e}");
        assert_eq!((one.old.len(), one.task), (10, 2), "the probes of the first task");
        for old in &one.old {
            assert!(old.label < 5 && old.by_image.len() == one.new_labels.len());
            let sum: f64 = old.by_image.iter().sum();
            let whole = old.predicted[old.label];
            assert!((sum - whole).abs() <= 1e-9 + 1e-6 * whole.abs(), "{sum} and {whole}");
        }
        assert_eq!(one.new_thumbnails.len(), one.new_labels.len() * 784);
    }
}

#[test]
fn of_one_output_a_label_is_no_place_among_the_outputs() {
    for kind in FIVE {
        let mut spec = tiny();
        spec.set_all(["data.binary=true", "training.loss=mse", "data.shrink=4"]).unwrap();
        let width = spec.network.width;
        spec.network = NetworkSpec { width, ..pooled(sized(kind, &[("blocks", 2), ("patch", 7)]), "none") };
        spec.training.rate = 1e-4;
        let told = ledger(spec);
        assert_eq!(told.old.len(), 10, "the probes of the first task");
        for old in &told.old {
            // The classes of the first task are the lower half.
            assert_eq!((old.own, old.target, old.predicted.len(), old.measured.len()), (0, -1.0, 1, 1));
            let sum: f64 = old.by_image.iter().sum();
            assert!((sum - old.predicted[0]).abs() <= 1e-9 + 1e-6 * sum.abs());
            assert_eq!(old.helped(), -old.predicted[0], "an output that is to be −1 is hurt by what raises it");
        }
        assert!(told.gap().unwrap() < 0.2, "{kind:?}: {:?}", told.gap());
    }
}

#[test]
fn one_output_has_no_other_logits_to_leave_out() {
    let mut spec = tiny();
    spec.set_all(["data.binary=true", "training.loss=mse", "kernel.predict=true", "training.replay=4"]).unwrap();
    let plain = super::run::rows(spec.clone());
    assert!(
        plain.last().unwrap().blocks[2].distance.is_some_and(|distance| distance > 0.0),
        "the second task is trained"
    );
    spec.training.masked = true;
    assert_eq!(super::run::rows(spec.clone()), plain);
    assert!(spec.warnings().iter().any(|warning| warning.field == "training.masked"));
}

#[test]
fn a_ledger_can_be_asked_for_and_changes_no_result() {
    let mut spec = tiny();
    spec.tasks.epochs = vec![2.0, 30.0];
    let plain = super::run::rows(spec.clone());
    let worker = start(spec.clone());
    let mut events = read_until(&worker, |event| matches!(event, Event::Ledger(_)));
    assert!(worker.send(Command::TakeLedger));
    events.extend(read_all(&worker));
    let taken = ledgers(&events);
    assert_eq!(taken.len(), 2);
    assert!(taken[1].step > taken[0].step);
    assert_eq!(super::run::timeless(events), plain);
    // Momentum and Adam step elsewhere than −η Θ ∂L/∂f: nothing is claimed of them.
    spec.training.momentum = 0.9;
    assert!(ledgers(&read_all(&start(spec))).is_empty());
}
