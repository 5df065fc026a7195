//! Names and explains the parts of a program: names of steps, and the formula of each tensor's part of the kernel.

use crate::run::TensorMetrics;
use crate::spec::ops::{Arithmetic, Norm, NormKind, Pool, PoolKind, Rearrange, Reduce, Reduction, Softmax};
use crate::spec::{Line, NetworkSpec, Op, Parameter, Program};
use crate::ui::kit::format;

/// Returns the name of a step in the drawing.
pub fn short(line: &Line) -> &str {
    match (&line.op, line.op.operation()) {
        (_, None) => "x",
        (Op::Recurrence(_), Some(operation)) => operation.sign(),
        (_, Some(operation)) if line.name.is_empty() => operation.sign(),
        _ => line.name.rsplit('.').next().unwrap_or(&line.name),
    }
}

/// Explains a step, forward and backward.
pub fn step(line: &Line) -> String {
    let (what, back) = match &line.op {
        Op::Input => ("the image", "nothing: gradients of images are not needed"),
        Op::Dense(_) => ("a matrix product, z = W a + b at every place (MatMul)", "δ goes to W′ δ"),
        Op::Conv(_) => ("a convolution, z = W ∗ a + b", "δ goes to the convolution with W turned around"),
        Op::Function(_) => ("coordinate by coordinate, a = φ(z) (Nonlin)", "δ goes to φ′(z) ∘ δ"),
        Op::Softmax(Softmax { log: false }) => ("e^a over its sum", "δ goes to the transposed derivative times δ"),
        Op::Softmax(Softmax { log: true }) => {
            ("a less the logarithm of the sum of all e^a", "δ goes to the transposed derivative times δ")
        }
        Op::Norm(norm) => (normed(norm), "δ goes to the transposed derivative times δ"),
        Op::Positions(_) => ("a vector for each place is added, the same for all images", "δ goes through"),
        Op::ClassToken(_) => ("a learned token before the others", "δ goes through, without that of the token"),
        Op::LayerScale(_) => ("each feature times a learned number, z = γ ∘ a", "δ goes to γ ∘ δ"),
        Op::Pool(Pool { kind: PoolKind::Max, .. }) => {
            ("the largest of each window of pixels", "δ goes to the pixel that was the largest")
        }
        Op::Pool(Pool { kind: PoolKind::Avg, count_padding: true, .. }) => {
            ("the mean of each window of pixels", "δ is shared out evenly")
        }
        Op::Pool(Pool { kind: PoolKind::Avg, count_padding: false, .. }) => (
            "the mean of each window of pixels, without the zeros around the image",
            "δ is shared out evenly among the pixels of each window",
        ),
        Op::Recurrence(_) => (
            "the state, h = φ(W h_before + u) place after place, with the same W",
            "δ goes back through all times (times W′ at each)",
        ),
        Op::Reduce(Reduce { reduction: Reduction::Mean }) => ("the mean over places", "δ is shared out evenly"),
        Op::Reduce(Reduce { reduction: Reduction::Sum }) => ("the sum over places", "δ goes to every place"),
        Op::Attention(_) => (
            "each token takes the mean of v, weighted by softmax(q k′), head by head",
            "δ goes to q, k and v by the transposed derivative",
        ),
        Op::Arithmetic(Arithmetic::Add) => ("the sum of two lines", "δ goes both ways"),
        Op::Arithmetic(Arithmetic::Subtract) => ("the difference of two lines", "δ goes one way and −δ the other"),
        Op::Arithmetic(Arithmetic::Multiply) => {
            ("the product of two lines, number by number", "δ goes to each times the other")
        }
        Op::Scale(_) => ("a line times a number", "δ goes to so many times δ"),
        Op::Concat(_) => ("lines one after the other", "δ goes to each its part"),
        Op::MatMul(_) => ("the product of two lines as matrices, z = a b", "δ goes to δ b′ and to a′ δ"),
        Op::Constant(_) => ("one number everywhere", "nothing: a constant has no gradient"),
        Op::Learned(learned) if learned.trained => {
            ("a learned tensor, the same for all images", "nothing: it reads nothing")
        }
        Op::Learned(_) => ("a constant of the weights file, the same for all images", "nothing: it reads nothing"),
        Op::Rearrange(Rearrange::Expand(_)) => ("the same values, repeated along axes", "δ is summed over the copies"),
        Op::Rearrange(_) => ("the same values in another order", "δ goes back to the original positions"),
        Op::Patches(_) => ("square patches of the image as tokens", "δ goes back to the original positions"),
        Op::Embedding(_) => ("a learned vector for each whole number", "nothing: integers have no gradient"),
        Op::Dropout(_) => ("some numbers are 0 while training; the kernel sees all of them", "δ goes through"),
    };
    let name = if line.name.is_empty() { String::new() } else { format!("{}: ", line.name) };
    format!("{name}{what}.\nBackward: {back}.")
}

fn normed(norm: &Norm) -> &'static str {
    match norm.kind {
        _ if !norm.gain => match norm.kind {
            NormKind::Layer => "z = (a − mean)/deviation, over the features of each place",
            NormKind::Rms => "z = a/√(mean of a²), over the features of each place",
            NormKind::Group { .. } => "z = (a − mean)/deviation, over the pixels of a group of channels",
            NormKind::Batch => {
                "z = (a − μ)/σ for each channel: μ and σ² of the batch while training, the running ones for the kernel"
            }
        },
        NormKind::Layer if !norm.bias => "z = γ ∘ a* with a* = (a − mean)/deviation, over the features of each place",
        NormKind::Layer => "z = γ ∘ a* + β with a* = (a − mean)/deviation, over the features of each place",
        NormKind::Rms => "z = γ ∘ a* with a* = a/√(mean of a²), over the features of each place",
        NormKind::Group { .. } => {
            "z = γ ∘ a* + β with a* = (a − mean)/deviation, over the pixels of a group of channels"
        }
        NormKind::Batch => {
            "z = γ ∘ a* + β with a* = (a − μ)/σ for each channel: μ and σ² of the batch while training, the running ones for the \
             kernel"
        }
    }
}

/// Returns what a tensor is to this line, whatever it is called: `weight`, `bias`, `running_mean`, …
fn part_of(program: &Program, line: &Line, tensor: &Parameter) -> String {
    let place = program.tensors_of(line).position(|own| own.name == tensor.name);
    let own = place.and_then(|place| program.own_tensors(line).into_iter().nth(place));
    own.as_ref().unwrap_or(tensor).part().to_owned()
}

/// Returns the short name of a tensor in a small box.
pub fn sign(program: &Program, line: &Line, tensor: &Parameter) -> &'static str {
    match (&line.op, part_of(program, line, tensor).as_str()) {
        (Op::Norm(_), "weight") => "γ",
        (Op::Norm(_), "running_mean") => "μ",
        (Op::Norm(_), "running_var") => "σ²",
        (Op::Norm(_), _) => "β",
        (Op::LayerScale(_), _) => "γ",
        (Op::Positions(_) | Op::ClassToken(_) | Op::Learned(_), _) => "p",
        (_, part) if part.starts_with("bias") => "b",
        _ => "W",
    }
}

/// Formats a shape like 256×784, see [`sides`].
pub fn shape(tensor: &Parameter, network: &NetworkSpec) -> String {
    sides(&tensor.shape, network)
}

/// Formats sides like 256×784; in the limit the sides that grow, and multiples of their stand-in, are infinite.
pub fn sides(shape: &[usize], network: &NetworkSpec) -> String {
    let grows = |size: usize| network.is_infinite() && size.is_multiple_of(network.nominal());
    let side = |&size: &usize| if grows(size) { "∞".to_owned() } else { size.to_string() };
    shape.iter().map(side).collect::<Vec<_>>().join("×")
}

/// Formats a share in a few characters.
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

/// Formats a count in a few characters: 68,362 and 11.2 M.
pub fn count(count: f64) -> String {
    match count {
        count if count < 999_999.5 => format::count(count as u64),
        count if count < 99.95e6 => format!("{:.1} M", count / 1e6),
        count if count < 999.5e6 => format!("{:.0} M", count / 1e6),
        count => format!("{:.1} G", count / 1e9),
    }
}

/// Returns the formula of a tensor's part of the kernel.
pub fn formula(network: &NetworkSpec, program: &Program, line: &Line, tensor: &Parameter) -> String {
    let ntk = network.parametrisation.is_ntk();
    if tensor.is_statistic() {
        let what = match &line.op {
            Op::Learned(_) => "a constant and",
            _ => "measured and",
        };
        return format!("{} is {what} not trained: it has no part of the kernel.", tensor.name);
    }
    if tensor.is_held() {
        return format!("{} is frozen by the text: it does not move and has no part in the kernel.", tensor.name);
    }
    if tensor.is_frozen(network.parametrisation) {
        return format!(
            "{} is not trained in the NTK parametrisation, as in the limit: it has no part in the kernel.",
            tensor.name
        );
    }
    // Named after the output (tokens, pixels or times) or, if the step makes a single one, after the input.
    let several = |shape: &[usize]| shape.len() > 1;
    let many = several(&line.shape) || program.inputs_of(line).into_iter().any(several);
    let (sum, p, q) = if many { ("Σ_{p,q} ", "_p", "_q") } else { ("", "", "") };
    let (weight, bias) = if ntk { ("σ_w²/fan_in · ", "σ_b² · ") } else { ("", "") };
    let deltas = format!("⟨δ{p}(x), δ{q}(x′)⟩");
    let body = match (&line.op, part_of(program, line, tensor).as_str()) {
        (Op::Norm(_), "weight") => format!("⟨Σ_p δ{p}(x) ∘ a*{p}(x), Σ_q δ{q}(x′) ∘ a*{q}(x′)⟩"),
        (Op::LayerScale(_), _) => format!("⟨Σ_p δ{p}(x) ∘ a{p}(x), Σ_q δ{q}(x′) ∘ a{q}(x′)⟩"),
        (Op::ClassToken(_), _) => format!("{bias}⟨δ_0(x), δ_0(x′)⟩"),
        (Op::Embedding(_), _) => format!("{weight}Σ_{{p,q of one number}} {deltas}"),
        (Op::Norm(_), _) => format!("⟨Σ_p δ{p}(x), Σ_q δ{q}(x′)⟩"),
        (Op::Positions(_), _) => format!("{bias}Σ_p ⟨δ{p}(x), δ{p}(x′)⟩"),
        (Op::Learned(learned), _) => {
            let bias = if learned.start.is_none() { bias } else { "" };
            format!("{bias}Σ_p ⟨δ{p}(x), δ{p}(x′)⟩")
        }
        (_, part) if part.starts_with("bias") => format!("{bias}{sum}{deltas}"),
        _ => format!("{weight}{sum}⟨a{p}(x), a{q}(x′)⟩ {deltas}"),
    };
    let body = if many { body } else { body.replace("Σ_p ", "").replace("Σ_q ", "") };
    let places = if many { ", p and q its places" } else { "" };
    format!(
        "K_{}(x,x′) = mean over logits of\n{body}\na: the input of the line; δ: ∂f_c/∂ of its output{places}.",
        sign(program, line, tensor)
    )
}

/// Describes a tensor at the cursor.
pub fn measured(network: &NetworkSpec, tensor: &Parameter, metrics: Option<&TensorMetrics>, task: usize) -> String {
    let head = format!("{} [{}]", tensor.name, shape(tensor, network));
    let Some(metrics) = metrics else { return head };
    let velocity = metrics.velocity.map_or_else(
        || "no velocity here".to_owned(),
        |velocity| format!("velocity {} per epoch", format::number(velocity)),
    );
    let share = metrics.share.map_or_else(|| "–".to_owned(), share);
    format!("{head}\n{share} of the trace of task {task}'s kernel · {velocity}")
}
