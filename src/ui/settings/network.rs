//! Settings of the network: its kind, the sizes that this kind has, and how it is parametrised.
//!
//! Another kind comes with sizes of its own: 256 units make a small MLP and a CNN that no lecture waits for.

use egui::Ui;

use super::form::{self, Form, real, slider, whole};
use crate::spec::{Activation, BLOCKS, DEPTHS, Head, Init, NetworkKind, NetworkSpec, Norm, Parametrisation, Pool};
use crate::ui::{format, widgets};

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    kind(ui, form);
    match form.draft.network.kind {
        NetworkKind::Mlp => {
            width(ui, form, "Width", "Units of each hidden layer");
            form.row(ui, "network.depth", "Depth", "Hidden layers", |ui, form| {
                slider(ui, &mut form.draft.network.depth, DEPTHS, false);
            });
        }
        NetworkKind::Cnn => convolutions(ui, form),
        NetworkKind::ResMlp => {
            width(ui, form, "Width", "Units of the residual stream; inside a block there are twice as many");
            blocks(ui, form);
        }
        NetworkKind::Transformer => {
            width(ui, form, "Width", "Units of each token; the layer inside a block has twice as many");
            blocks(ui, form);
            attention(ui, form);
        }
        NetworkKind::Rnn => {
            width(ui, form, "Width", "Units of the state, which sees one row of the image after the other")
        }
    }
    normalisation(ui, form);
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
}

fn kind(ui: &mut Ui, form: &mut Form<'_>) {
    let kinds = [
        (NetworkKind::Mlp, "MLP"),
        (NetworkKind::Cnn, "CNN"),
        (NetworkKind::ResMlp, "residual MLP"),
        (NetworkKind::Transformer, "transformer"),
        (NetworkKind::Rnn, "recurrent (RNN)"),
    ];
    let hover = "What the network is made of; another kind begins with sizes of its own";
    let before = form.draft.network.kind;
    form.choice(ui, "network.kind", "Architecture", hover, |spec| &mut spec.network.kind, &kinds);
    let network = &mut form.draft.network;
    if network.kind != before {
        let NetworkSpec { width, depth, blocks, heads, patch, activation, norm, .. } = NetworkSpec::of(network.kind);
        *network = NetworkSpec { width, depth, blocks, heads, patch, activation, norm, ..network.clone() };
    }
}

/// Where a kind can do with and without it. What is usual is not written down.
fn normalisation(ui: &mut Ui, form: &mut Form<'_>) {
    if matches!(form.draft.network.kind, NetworkKind::Mlp | NetworkKind::ResMlp) {
        let hover = "LayerNorm, sample by sample: before each activation of an MLP; before each block and the logits of a \
                     residual MLP, whose blocks have one layer without it";
        form.row(ui, "network.norm", "Normalised", hover, |ui, form| {
            let network = &mut form.draft.network;
            let mut norm = network.norm();
            widgets::choose(ui, "Normalised", &mut norm, &[(Norm::None, "no"), (Norm::Layer, "LayerNorm")]);
            let usual = NetworkSpec { norm: None, ..network.clone() }.norm();
            network.norm = (norm != usual).then_some(norm);
        });
    } else {
        form.problems(ui, "network.norm");
    }
}

fn width(ui: &mut Ui, form: &mut Form<'_>, label: &str, hover: &str) {
    let hover =
        format!("{hover}; at the end of the slider stands ∞, the limit of wide networks: its kernel stands still");
    form.row(ui, "network.width", label, &hover, |ui, form| {
        let range = form.draft.network.widths();
        form::width(ui, &mut form.draft.network.width, range);
    });
}

fn blocks(ui: &mut Ui, form: &mut Form<'_>) {
    form.row(ui, "network.blocks", "Blocks", "Residual blocks", |ui, form| {
        slider(ui, &mut form.draft.network.blocks, BLOCKS, false);
    });
}

fn convolutions(ui: &mut Ui, form: &mut Form<'_>) {
    width(ui, form, "Channels", "Of the convolutions before the first pooling; after it there are twice as many");
    let depths = [(2, "2, pooled after each"), (4, "4, pooled after each two")];
    form.choice(
        ui,
        "network.depth",
        "Convolutions",
        "3 × 3, with zero padding, without normalisation; four suit colour images",
        |spec| &mut spec.network.depth,
        &depths,
    );
    let pools = [(Pool::Max, "largest of 2 × 2"), (Pool::Avg, "mean of 2 × 2"), (Pool::None, "none")];
    let hover = "What halves the sides of the image, if anything does";
    form.choice(ui, "network.pool", "Pooling", hover, |spec| &mut spec.network.pool, &pools);
    let heads = [(Head::Flatten, "every pixel"), (Head::Mean, "mean over pixels")];
    let hover = "What the last layer reads of each channel";
    form.choice(ui, "network.head", "Logits from", hover, |spec| &mut spec.network.head, &heads);
}

fn attention(ui: &mut Ui, form: &mut Form<'_>) {
    form.row(ui, "network.heads", "Heads", "Attention heads; they share the width evenly", |ui, form| {
        let most = form.draft.network.width.max(1);
        whole(ui, &mut form.draft.network.heads, 1..=most);
    });
    let hover = "Side of the squares that the image is cut into; each becomes a token";
    form.row(ui, "network.patch", "Patch", hover, |ui, form| {
        let [_, height, width] = form.checked.shape.image;
        whole(ui, &mut form.draft.network.patch, 1..=height.min(width).max(1));
        ui.weak(format!("pixels, {} tokens", form.draft.network.tokens([1, height, width])));
    });
}

fn parametrisation(ui: &mut Ui, form: &mut Form<'_>) {
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
    let hover = "Mean field, for SGD the same as µP: multiplies α, which is 1 where none is given, by √(this/width). With NTP the \
                 output then shrinks by 1/√n more and the rate grows by n, so that features move as far at every width \
                 (Yang & Hu 2021; Chizat et al. 2019)";
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
