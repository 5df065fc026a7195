//! Draws the settings of the kernel: its probes, and how often and how it is measured.

use egui::Ui;

use super::form::{Form, real, whole};
use crate::spec::{MOST_SHARPNESS_STEPS, Method, ProbeChoice, Reduction, VelocityLag};
use crate::ui::kit::widgets::choose;
use crate::worker::Command;

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    form.row(
        ui,
        "kernel.probes_per_class",
        "Probes",
        "Images per class of each task on which the kernel is measured",
        |ui, form| {
            whole(ui, &mut form.draft.kernel.probes_per_class, 1..=512);
            ui.weak("per class");
        },
    );
    chosen_probes(ui, form);
    form.row(
        ui,
        "kernel.train_on_probes",
        "Train on them",
        "Whether the network may also learn from the probe images",
        |ui, form| {
            ui.checkbox(&mut form.draft.kernel.train_on_probes, "");
        },
    );
    form.row(
        ui,
        "kernel.per_epoch",
        "Snapshots",
        "Per epoch, three times as many right after a switch; takes effect immediately",
        |ui, form| {
            if whole(ui, &mut form.draft.kernel.per_epoch, 1..=1000).changed() {
                form.live(Command::SetPerEpoch(form.draft.kernel.per_epoch));
            }
            ui.weak("an epoch");
        },
    );
    let hover = "The lag over which the velocity is taken, in epochs of the task being trained, or in steps or path length, \
        which are the same before and after a switch: the ratio of the spike to its background grows with it";
    lag(ui, form, hover);
    let hover = "The largest share of the time for which training waits for kernels: they are measured less often if \
        need be, and the run no longer repeats bit for bit";
    form.row(ui, "kernel.budget", "Budget", hover, |ui, form| {
        let budget = &mut form.draft.kernel.budget;
        let mut given = *budget > 0.0;
        if ui.checkbox(&mut given, "").changed() {
            *budget = if given { 0.25 } else { 0.0 };
        }
        if given {
            let field = egui::DragValue::new(budget).range(0.01..=0.99).speed(0.005);
            let percent = |value: f64, _: std::ops::RangeInclusive<usize>| format!("{:.0} %", 100.0 * value);
            let parse = |text: &str| text.trim_end_matches('%').trim().parse().ok().map(|percent: f64| percent / 100.0);
            ui.add(field.custom_formatter(percent).custom_parser(parse));
        } else {
            ui.weak("off");
        }
    });
    let hover = "Also train the network linearised at the start and at each switch, and with the infinite-width \
        kernel: predictions of training with a constant kernel";
    form.row(ui, "kernel.predict", "Predict", hover, |ui, form| {
        ui.checkbox(&mut form.draft.kernel.predict, "");
        ui.weak("a static kernel's run");
    });
    if form.draft.kernel.predict {
        let hover = "Also linearise the network again each time this many epochs have passed, so that its kernel is \
            piecewise constant";
        form.row(ui, "kernel.piecewise", "Anew every", hover, |ui, form| {
            let mut every = form.draft.kernel.piecewise.unwrap_or(0.0);
            real(ui, &mut every, 0.1);
            form.draft.kernel.piecewise = (every > 0.0).then_some(every);
            ui.weak("epochs (0 is never)");
        });
    }
    let hover = "Measure the sharpness after each of so many steps before and after a switch, and not only at the ends of epochs";
    form.row(ui, "kernel.sharpness_steps", "Sharpness", hover, |ui, form| {
        let steps = &mut form.draft.kernel.sharpness_steps;
        let mut shown = usize::try_from(*steps).unwrap_or(usize::MAX);
        whole(ui, &mut shown, 0..=usize::try_from(MOST_SHARPNESS_STEPS).unwrap_or(usize::MAX));
        *steps = shown as u64;
        ui.weak("steps around a switch");
    });
    let hover = "Also measure J P J′, the kernel of the geometry that the optimiser trains in; with Adam this takes \
                 several times as long as the kernel alone";
    form.row(ui, "kernel.optimiser", "Optimiser's", hover, |ui, form| {
        ui.checkbox(&mut form.draft.kernel.optimiser, "");
        ui.weak("kernel J P J′ beside Θ");
    });
    let reductions = [(Reduction::Trace, "each with itself"), (Reduction::SumLogits, "their sum")];
    let hover =
        "How the logits become one kernel: the mean over them (trace), or the kernel of their sum, which mixes them";
    form.choice(ui, "kernel.reduction", "Logits", hover, |spec| &mut spec.kernel.reduction, &reductions);
    let methods = [(Method::Layerwise, "layer-wise"), (Method::Jacobian, "Jacobian (slow)")];
    let hover = "Both are exact; the Jacobian is slow, and the reference against which the fast method is tested";
    form.choice(ui, "kernel.method", "Method", hover, |spec| &mut spec.kernel.method, &methods);
}

/// Draws which images are the probes, and the seed of their draw.
fn chosen_probes(ui: &mut Ui, form: &mut Form<'_>) {
    let hover = "Which training images are the probes: always the first ones, drawn by a seed, or those of a list in the run file";
    let is_listed = form.draft.kernel.probes.is_listed();
    // A list comes with a run file: without one there is none to choose.
    let offered = ProbeChoice::ALL.into_iter().filter(|choice| !choice.is_listed() || is_listed);
    let options: Vec<(ProbeChoice, &str)> = offered.map(|choice| (choice, choice.words())).collect();
    form.choice(ui, "kernel.probes", "Which", hover, |spec| &mut spec.kernel.probes, &options);
    let kernel = &mut form.draft.kernel;
    if !kernel.probes.is_listed() {
        kernel.probe_list.clear();
    }
    if !kernel.probes.is_drawn() {
        kernel.probe_seed = None;
        return;
    }
    let hover = "The seed of the draw; off, it is that of the run, so that each seed of a study has its own probes";
    form.row(ui, "kernel.probe_seed", "Their seed", hover, |ui, form| {
        let seed = &mut form.draft.kernel.probe_seed;
        let mut given = seed.is_some();
        if ui.checkbox(&mut given, "").changed() {
            *seed = given.then_some(1);
        }
        match seed {
            Some(seed) => {
                let mut shown = usize::try_from(*seed).unwrap_or(usize::MAX);
                whole(ui, &mut shown, 0..=1_000_000_000);
                *seed = shown as u64;
            }
            None => drop(ui.weak("that of the run")),
        }
    });
}

/// The clocks that a lag can be given in.
#[derive(Clone, Copy, PartialEq)]
enum Clock {
    Epochs,
    Steps,
    Path,
}

/// Draws the lag of the velocity, and the clock that it is given in.
fn lag(ui: &mut Ui, form: &mut Form<'_>, hover: &str) {
    let (clock, key) = match form.draft.kernel.velocity_lag() {
        VelocityLag::Epochs(_) => (Clock::Epochs, "kernel.lag"),
        VelocityLag::Steps(_) => (Clock::Steps, "kernel.lag_steps"),
        VelocityLag::Path(_) => (Clock::Path, "kernel.lag_path"),
    };
    form.row(ui, key, "Lag", hover, |ui, form| {
        let kernel = &mut form.draft.kernel;
        match (&mut kernel.lag_path, &mut kernel.lag_steps) {
            (Some(path), _) => drop(real(ui, path, 0.005)),
            (None, Some(steps)) => {
                let mut shown = usize::try_from(*steps).unwrap_or(usize::MAX);
                whole(ui, &mut shown, 1..=1_000_000_000);
                *steps = shown as u64;
            }
            (None, None) => drop(real(ui, &mut kernel.lag, 0.005)),
        }
        let clocks = [(Clock::Epochs, "epochs"), (Clock::Steps, "steps"), (Clock::Path, "path length")];
        let mut chosen = clock;
        if choose(ui, "Clock of the lag", &mut chosen, &clocks) {
            (kernel.lag_steps, kernel.lag_path) = match chosen {
                Clock::Epochs => (None, None),
                Clock::Steps => (Some(USUAL_STEPS), None),
                Clock::Path => (None, Some(USUAL_PATH)),
            };
        }
    });
}

/// The lags with which these clocks begin: about those of a quarter epoch of the default run.
const USUAL_STEPS: u64 = 12;
const USUAL_PATH: f64 = 0.1;
