//! What the parts of a program are called, and what is told of them: names of steps, and the formula of each tensor's part of
//! the kernel.

use crate::record::TensorMetrics;
use crate::spec::{Activation, INFINITE, Line, NetworkKind, NetworkSpec, Parameter, Parametrisation, Pool, Step};
use crate::ui::format;

/// A step as it is written into the picture.
pub fn short(line: &Line) -> &str {
    match line.step {
        Step::Input => "x",
        Step::Recurrence(_) => "h",
        Step::Product | Step::Convolution | Step::Norm | Step::Offset => {
            line.name.rsplit('.').next().unwrap_or(&line.name)
        }
        Step::Nonlinearity(activation) => match activation {
            Activation::Relu => "relu",
            Activation::Tanh => "tanh",
            Activation::Gelu => "gelu",
            Activation::Erf => "erf",
        },
        Step::Pool(Pool::Max) => "max",
        Step::Pool(Pool::Avg | Pool::None) => "avg",
        Step::Mean => "mean",
        Step::Attention => "attn",
        Step::Sum => "+",
    }
}

/// What a step does, forward and backward.
pub fn step(line: &Line) -> String {
    let (what, back) = match line.step {
        Step::Input => ("the image", "nothing: what the images could do is not asked"),
        Step::Product => ("a matrix product, z = W a + b at every place (MatMul)", "δ goes to W′ δ"),
        Step::Convolution => ("3 × 3 convolution, z = W ∗ a + b", "δ goes to the convolution with W turned around"),
        Step::Nonlinearity(_) => ("coordinate by coordinate, a = φ(z) (Nonlin)", "δ goes to φ′(z) ∘ δ"),
        Step::Norm => ("z = γ ∘ a* + β with a* = (a − mean)/deviation", "δ goes to the transposed derivative times δ"),
        Step::Offset => ("a vector for each token is added, the same for all images", "δ goes through"),
        Step::Pool(Pool::Max) => ("the largest of 2 × 2 pixels", "δ goes to the pixel that was the largest"),
        Step::Pool(Pool::Avg | Pool::None) => ("the mean of 2 × 2 pixels", "δ is shared out evenly"),
        Step::Recurrence(_) => (
            "the state, h = φ(W h_before + u) row after row of the image, with the same W",
            "δ goes back through all times (W′, again and again)",
        ),
        Step::Mean => ("the mean over places", "δ is shared out evenly"),
        Step::Attention => (
            "each token takes the mean of v, weighted by softmax(q k′), head by head",
            "δ goes to q, k and v by the transposed derivative",
        ),
        Step::Sum => ("the stream plus what the block adds", "δ goes both ways"),
    };
    let name = if line.name.is_empty() { String::new() } else { format!("{}: ", line.name) };
    format!("{name}{what}.\nBackward: {back}.")
}

/// The sign of a tensor in a small box.
pub fn sign(line: &Line, tensor: &Parameter) -> &'static str {
    match (line.step, tensor.part()) {
        (Step::Norm, "weight") => "γ",
        (Step::Norm, _) => "β",
        (Step::Offset, _) => "p",
        (_, part) if part.starts_with("bias") => "b",
        _ => "W",
    }
}

/// 256×784; infinite sides as such.
pub fn shape(tensor: &Parameter) -> String {
    let side = |&size: &usize| if size == INFINITE { "∞".to_owned() } else { size.to_string() };
    tensor.shape.iter().map(side).collect::<Vec<_>>().join("×")
}

/// A share in few signs.
pub fn share(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.0 => "0 %".to_owned(),
        p if p < 0.01 => "<.01 %".to_owned(),
        p if p < 0.995 => format!("{p:.2} %").trim_start_matches('0').to_owned(),
        p if p < 9.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// By which formula a tensor's part of the kernel is made.
pub fn formula(network: &NetworkSpec, line: &Line, tensor: &Parameter) -> String {
    let ntk = network.parametrisation == Parametrisation::Ntk;
    // Lines of tokens, pixels or times.
    let several = matches!(network.kind, NetworkKind::Transformer | NetworkKind::Rnn);
    let many = (several && line.name != "head") || line.step == Step::Convolution;
    let (sum, p, q) = if many { ("Σ_{p,q} ", "_p", "_q") } else { ("", "", "") };
    let (weight, bias) = if ntk { ("σ_w²/fan_in · ", "σ_b² · ") } else { ("", "") };
    let deltas = format!("⟨δ{p}(x), δ{q}(x′)⟩");
    let body = match (line.step, tensor.part()) {
        (Step::Norm, "weight") => format!("⟨Σ_p δ{p}(x) ∘ a*{p}(x), Σ_q δ{q}(x′) ∘ a*{q}(x′)⟩"),
        (Step::Norm, _) => format!("⟨Σ_p δ{p}(x), Σ_q δ{q}(x′)⟩"),
        (Step::Offset, _) => format!("{bias}Σ_p ⟨δ_p(x), δ_p(x′)⟩"),
        (_, part) if part.starts_with("bias") => format!("{bias}{sum}{deltas}"),
        _ => format!("{weight}{sum}⟨a{p}(x), a{q}(x′)⟩ {deltas}"),
    };
    let body = if many { body } else { body.replace("Σ_p ", "").replace("Σ_q ", "") };
    let places = if many { ", p and q its places" } else { "" };
    format!(
        "K_{}(x,x′) = mean over logits of\n{body}\na: what the line reads; δ: ∂f_c/∂ of what it writes{places}.",
        sign(line, tensor)
    )
}

/// What is known of a tensor at the cursor.
pub fn told(tensor: &Parameter, told: Option<&TensorMetrics>, task: usize) -> String {
    let head = format!("{} [{}]", tensor.name, shape(tensor));
    let Some(told) = told else { return head };
    let velocity = told.velocity.map_or_else(
        || "no velocity here".to_owned(),
        |velocity| format!("velocity {} per epoch", format::number(velocity)),
    );
    format!("{head}\n{} of the trace of task {task}'s kernel · {velocity}", share(told.share))
}
