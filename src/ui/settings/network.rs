//! Draws the settings of the network: its program, the settings that its text declares, and its parametrisation.
//!
//! Another program brings its own default width: with 256 units an MLP is small, but a CNN is too slow for a lecture.

use egui::{ComboBox, DragValue, RichText, TextEdit, Ui};

use super::form::{self, Form, real, whole};
use crate::spec::text::NETWORKS;
use crate::spec::{Activation, Choices, Declared, Init, Parametrisation, Setting};
use crate::ui::kit::theme;
use crate::ui::kit::{format, widgets};

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    program(ui, form);
    for declared in form.draft.network.declared() {
        setting(ui, form, &declared);
    }
    let activations = Activation::ALL.map(|activation| (activation, activation.words()));
    form.choice(
        ui,
        "network.activation",
        "Activation",
        "Between the layers",
        |spec| &mut spec.network.activation,
        &activations,
    );
    parametrisation(ui, form);
    weights(ui, form);
}

/// Draws the file of the initial weights, where there is one or must be one.
fn weights(ui: &mut Ui, form: &mut Form<'_>) {
    let key = "network.weights";
    if form.draft.network.weights.is_none() && form.checked.problems.iter().all(|problem| problem.field != key) {
        return;
    }
    let hover = "The safetensors file with the initial weights; without one they are drawn";
    form.row(ui, key, "Weights", hover, |ui, form| {
        let network = &mut form.draft.network;
        let mut text = network.weights.as_ref().map_or_else(String::new, |path| path.display().to_string());
        let width = ui.available_width();
        if ui.add(TextEdit::singleline(&mut text).desired_width(width).hint_text("path")).changed() {
            network.begin_from((!text.is_empty()).then(|| text.into()));
        }
    });
}

fn program(ui: &mut Ui, form: &mut Form<'_>) {
    let hover =
        format!("The network; another one starts with its own default sizes.\n{}", form.draft.network.summary());
    form.row(ui, "network.program", "Architecture", &hover, |ui, form| {
        let network = &mut form.draft.network;
        // A user's text is the last entry, under its name.
        let own = network.text.as_ref().map(|_| network.program.as_str());
        let place = |name: &str| NETWORKS.iter().position(|network| network.name == name).unwrap_or(NETWORKS.len());
        let before = if own.is_some() { NETWORKS.len() } else { place(&network.program) };
        let names = NETWORKS.iter().map(|network| network.name).chain(own);
        let options: Vec<(usize, &str)> = names.enumerate().collect();
        let mut chosen = before;
        widgets::choose(ui, "Architecture", &mut chosen, &options);
        if let Some(other) = NETWORKS.get(chosen).filter(|_| chosen != before) {
            *network = network.with_builtin(other.name);
        }
    });
}

/// The rate of the presets in the NTK parametrisation.
const NTP_RATE: f64 = 0.5;

/// Draws the control of a setting, chosen by the values that its text allows.
fn setting(ui: &mut Ui, form: &mut Form<'_>, declared: &Declared) {
    let Declared { name, choices, hover, .. } = declared;
    let (key, label) = (format!("network.{name}"), label(name));
    if name == "width" {
        let hover =
            format!("{hover}; at the end of the slider is ∞, the limit of wide networks: its kernel is constant");
        form.row(ui, &key, &label, &hover, |ui, form| {
            let range = form.draft.network.widths();
            form::width(ui, &mut form.draft.network.width, range);
        });
        let network = &form.draft.network;
        if network.is_infinite() && !network.parametrisation.is_ntk() {
            // SP has no limit; one press sets what has one, with a rate that suits it.
            let words = format!("Take NTP with η = {NTP_RATE}");
            if ui
                .button(words)
                .on_hover_text("The parametrisation whose kernel has a limit, and a usual rate for it")
                .clicked()
            {
                form.draft.network.parametrisation = Parametrisation::Ntk;
                form.draft.training.rate = NTP_RATE;
            }
        }
        return;
    }
    form.row(ui, &key, &label, hover, |ui, form| {
        let network = &mut form.draft.network;
        let before = network.settings.get(name).unwrap_or(&declared.default).clone();
        let mut setting = before.clone();
        control(ui, &label, choices, &mut setting);
        if setting != before {
            network.set(name, setting);
        }
    });
}

fn control(ui: &mut Ui, label: &str, choices: &Choices, setting: &mut Setting) {
    match (choices, setting) {
        (Choices::Whole(range), Setting::Whole(number)) => {
            // A long range has no slider, because one pixel would be several numbers.
            const LONGEST: i64 = 128;
            if range.end().saturating_sub(*range.start()) <= LONGEST {
                form::slider(ui, number, range.clone());
            } else {
                let field = DragValue::new(number).range(range.clone()).clamp_existing_to_range(false);
                ui.add(field.speed(0.1).update_while_editing(false));
            }
        }
        (Choices::Real([low, high]), Setting::Real(number)) => {
            form::slider(ui, number, *low..=*high);
        }
        (Choices::Flag, Setting::Flag(flag)) => drop(ui.checkbox(flag, "")),
        (Choices::Words(words), Setting::Word(word)) => {
            let shown = RichText::new(word.as_str()).size(theme::SMALL);
            let list = ComboBox::from_id_salt(label).selected_text(shown).show_ui(ui, |ui| {
                for option in words {
                    ui.selectable_value(word, option.clone(), option);
                }
            });
            let _named = list.response.accessible_name(label);
        }
        // The value does not fit the declaration, and the problem is explained below.
        (_, setting) => drop(ui.weak(setting.to_string())),
    }
}

/// Returns the label of a setting's row: `inner_width` becomes “Inner width”.
fn label(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn parametrisation(ui: &mut Ui, form: &mut Form<'_>) {
    let kinds = [(Parametrisation::Standard, "standard (SP)"), (Parametrisation::Ntk, "NTK (NTP)")];
    let hover = "SP: z = W x + b. NTP: z = σ_w/√fan_in · W x + σ_b b, all parameters sampled from N(0,1)";
    form.choice(ui, "network.parametrisation", "Parametrised", hover, |spec| &mut spec.network.parametrisation, &kinds);
    match form.draft.network.parametrisation {
        Parametrisation::Standard => {
            let inits = [
                (Init::Torch, "PyTorch, ±1/√fan_in"),
                (Init::HeUniform, "He uniform, ±√(6/fan_in)"),
                (Init::Xavier, "Xavier, ±√(6/(fan_in + fan_out))"),
            ];
            let hover = "The distribution of the initial weights; the first two differ sixfold in variance, and much in the \
                         kernel. Xavier's biases are 0";
            form.choice(ui, "network.init", "Initial", hover, |spec| &mut spec.network.init, &inits);
        }
        Parametrisation::Ntk => {
            form.row(ui, "network.sigma_w", "σ_w", "Scale of the weights", |ui, form| {
                real(ui, &mut form.draft.network.sigma_w, 0.001);
            });
            form.row(ui, "network.sigma_b", "σ_b", "Scale of the biases", |ui, form| {
                real(ui, &mut form.draft.network.sigma_b, 0.001);
            });
        }
    }
    let hover = "Laziness: trains α (f − f₀) at the rate η/α²; large α is lazy (Chizat et al. 2019)";
    form.row(ui, "network.alpha", "Laziness α", hover, |ui, form| {
        let mut given = form.draft.network.alpha.is_some();
        if ui.checkbox(&mut given, "").changed() {
            form.draft.network.alpha = given.then_some(1.0);
        }
        match &mut form.draft.network.alpha {
            Some(alpha) => _ = real(ui, alpha, 0.001),
            None => _ = ui.weak("off"),
        }
    });
    let hover = "Mean field, for SGD the same as µP: multiplies α, which is 1 where none is given, by √(this/width). \
                 With NTP the output then shrinks by 1/√n more and the rate grows by n, so that features move as far \
                 at every width (Yang & Hu 2021; Chizat et al. 2019)";
    form.row(ui, "network.alpha_width", "α at width", hover, |ui, form| {
        let mut given = form.draft.network.alpha_width.is_some();
        if ui.checkbox(&mut given, "").changed() {
            form.draft.network.alpha_width = given.then_some(64);
        }
        match &mut form.draft.network.alpha_width {
            Some(base) => {
                whole(ui, base, 1..=1_000_000);
                ui.weak(
                    form.draft
                        .network
                        .laziness()
                        .map_or_else(String::new, |alpha| format!("α = {}", format::number(alpha))),
                );
            }
            None => _ = ui.weak("off: the same α at every width"),
        }
    });
}
