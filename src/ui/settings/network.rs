//! Settings of the network.

use egui::Ui;

use super::form::{Form, real, slider};
use crate::spec::{Activation, Init, Parametrisation};

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    form.row(
        ui,
        "network.width",
        "Width",
        "Units of each hidden layer; type a number for more than the slider has",
        |ui, form| {
            slider(ui, &mut form.draft.network.width, 16..=8192, true);
        },
    );
    form.row(ui, "network.depth", "Depth", "Hidden layers", |ui, form| {
        slider(ui, &mut form.draft.network.depth, 1..=6, false);
    });
    let activations =
        [(Activation::Relu, "ReLU"), (Activation::Tanh, "tanh"), (Activation::Gelu, "GELU"), (Activation::Erf, "erf")];
    form.choice(
        ui,
        "network.activation",
        "Activation",
        "Between the layers",
        |spec| &mut spec.network.activation,
        &activations,
    );
    let kinds = [(Parametrisation::Standard, "standard (SP)"), (Parametrisation::Ntk, "NTK (NTP)")];
    let hover = "SP: z = W x + b. NTP: z = σ_w/√fan_in · W x + σ_b b, everything drawn N(0,1)";
    form.choice(ui, "network.parametrisation", "Parametrised", hover, |spec| &mut spec.network.parametrisation, &kinds);
    match form.draft.network.parametrisation {
        Parametrisation::Standard => {
            let inits = [(Init::Torch, "PyTorch, ±1/√fan_in"), (Init::HeUniform, "He uniform, ±√(6/fan_in)")];
            let hover = "How the weights are drawn; the two differ sixfold in variance, and much in what is seen";
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
}
