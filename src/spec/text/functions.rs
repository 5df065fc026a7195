//! The functions of the language in one table, from which texts are evaluated, errors are worded and help pages are
//! written.

use std::ops::RangeInclusive;

use rhai::{Array, Dynamic};

use super::arguments::{Arguments, MOST, activation_of, list_of, real_of, shortened, sides_of, value_of};
use super::writer::Writer;
use crate::spec::ops::{
    Attention, ClassToken, Concat, Constant, Conv, Dense, Draw, Dropout, Embedding, Function as Nonlinearity,
    LayerScale, Learned, MatMul, Norm, NormKind, Op, Patches, Pool, PoolKind, Positions, Rearrange, Recurrence, Reduce,
    Reduction, Scale, Softmax, feature_axis, shown,
};
use crate::spec::{Activation, Names};

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    /// The call with its options.
    pub call: &'static str,
    /// The description, half a sentence.
    pub about: &'static str,
    /// The options that its last argument may name.
    pub options: &'static [&'static str],
    /// Number of arguments, options included.
    pub takes: RangeInclusive<usize>,
    pub(super) run: fn(&mut Writer, Arguments) -> Result<Dynamic, String>,
}

impl Function {
    /// Returns whether it computes a value, rather than declaring something.
    pub fn computes(&self) -> bool {
        !matches!(self.name, "setting" | "usual_activation" | "freeze" | "draw")
    }
}

/// Builds the table.
macro_rules! functions {
    ($($name:literal $call:literal $takes:expr, [$($option:literal),*], $about:literal => $run:expr;)*) => {
        &[$(Function { name: $name, call: $call, about: $about, options: &[$($option),*], takes: $takes, run: $run },)*]
    };
}

/// All functions, in the order of the help page.
pub const FUNCTIONS: &[Function] = functions! {
    "setting" r#"setting(name, default, choices, "hover")"# 2..=4, [],
        "a setting of this network: choices are 16..8192, [0.0, 0.9] or [\"max\", \"avg\"], and true or false have none" =>
        |writer, given| writer.setting(given);
    "usual_activation" "usual_activation(name)" 1..=1, [],
        "the default of `act`" => |writer, given| writer.usual_activation(given);
    "act" "act(v)" 1..=1, [], "the network's activation" => |writer, mut given| {
        let op = Op::Function(Nonlinearity::Activation(writer.activation));
        let value = given.value()?;
        writer.unnamed(op, &[value])
    };
    "dense" "dense(name, v, outputs, #{bias: true, transposed: false})" 3..=4, ["bias", "transposed"],
        "W v + b on the last axis; an image is flattened first" => dense;
    "conv" "conv(name, v, channels, #{kernel: 3, stride: 1, padding: \"same\", dilation: 1, groups: 1, bias: true})" 3..=4,
        ["kernel", "stride", "padding", "dilation", "groups", "bias"],
        "a convolution of an image; kernel, stride, padding and dilation are a number or [down, across]" => conv;
    "max_pool" "max_pool(v, size, #{stride: size, padding: 0})" 2..=3, ["stride", "padding"],
        "the largest value of each window, which is square or [down, across]" =>
            |writer, given| pool(writer, given, PoolKind::Max);
    "avg_pool" "avg_pool(v, size, #{stride: size, padding: 0, count_padding: true})" 2..=3,
        ["stride", "padding", "count_padding"],
        "the mean of each window; zeros around the image count, or with count_padding: false do not" =>
            |writer, given| pool(writer, given, PoolKind::Avg);
    "mean" "mean(v)" 1..=1, [], "the mean over all places: [c, h, w] → [c], [t, f] → [f]" =>
        |writer, given| plain(writer, given, Op::Reduce(Reduce { reduction: Reduction::Mean }));
    "sum" "sum(v)" 1..=1, [], "the sum over all places" =>
        |writer, given| plain(writer, given, Op::Reduce(Reduce { reduction: Reduction::Sum }));
    "flatten" "flatten(v)" 1..=1, [], "all numbers as one vector" =>
        |writer, given| plain(writer, given, Op::Rearrange(Rearrange::Flatten));
    "layer_norm" "layer_norm(name, v, #{epsilon: 1e-5, affine: true, bias: true})" 2..=3, ["epsilon", "affine", "bias"],
        "a less its mean, over its deviation: over the features of each place" =>
        |writer, given| norm(writer, given, NormKind::Layer);
    "rms_norm" "rms_norm(name, v, #{epsilon: 1e-5, affine: true})" 2..=3, ["epsilon", "affine"],
        "a over the root of its mean square: over the features of each place" =>
        |writer, given| norm(writer, given, NormKind::Rms);
    "group_norm" "group_norm(name, v, groups, #{epsilon: 1e-5, affine: true})" 3..=4, ["epsilon", "affine"],
        "as layer_norm, over the pixels of so many groups of channels" =>
        |writer, given| norm(writer, given, NormKind::Group { groups: 1 });
    "batch_norm" "batch_norm(name, v, #{epsilon: 1e-5, affine: true})" 2..=3, ["epsilon", "affine"],
        "as layer_norm, each channel over pixels and the batch; evaluated, and in the kernel, with running statistics" =>
        |writer, given| norm(writer, given, NormKind::Batch);
    "relu" "relu(v)" 1..=1, [], "max(a, 0)" => |writer, given| function(writer, given, Activation::Relu);
    "leaky_relu" "leaky_relu(v, slope)" 1..=2, [], "a where it is positive, slope · a (0.01) where it is not" => leaky_relu;
    "tanh" "tanh(v)" 1..=1, [], "tanh a" => |writer, given| function(writer, given, Activation::Tanh);
    "gelu" "gelu(v)" 1..=1, [], "a Φ(a)" => |writer, given| function(writer, given, Activation::Gelu);
    "gelu_tanh" "gelu_tanh(v)" 1..=1, [], "its approximation by tanh" =>
        |writer, given| function(writer, given, Activation::GeluTanh);
    "silu" "silu(v)" 1..=1, [], "a/(1 + e^−a)" => |writer, given| function(writer, given, Activation::Silu);
    "sigmoid" "sigmoid(v)" 1..=1, [], "1/(1 + e^−a)" => |writer, given| function(writer, given, Activation::Sigmoid);
    "erf" "erf(v)" 1..=1, [], "the error function" => |writer, given| function(writer, given, Activation::Erf);
    "sin" "sin(v)" 1..=1, [], "sin a" => |writer, given| function(writer, given, Activation::Sin);
    "cos" "cos(v)" 1..=1, [], "cos a" => |writer, given| function(writer, given, Activation::Cos);
    "abs" "abs(v)" 1..=1, [], "|a|" => |writer, given| function(writer, given, Activation::Abs);
    "exp" "exp(v)" 1..=1, [], "e^a" => |writer, given| function(writer, given, Activation::Exp);
    "softplus" "softplus(v)" 1..=1, [], "ln(1 + e^a)" => |writer, given| function(writer, given, Activation::Softplus);
    "square" "square(v)" 1..=1, [], "a²" => |writer, given| function(writer, given, Activation::Square);
    "identity" "identity(v)" 1..=1, [], "a" => |writer, given| function(writer, given, Activation::Identity);
    "hardtanh" "hardtanh(v, low, high)" 3..=3, [], "a between low and high, these beyond" => |writer, mut given| {
        let (value, low, high) = (given.value()?, given.real("low")?, given.real("high")?);
        if low >= high {
            return Err(format!("low is less than high, and {low:?} is not less than {high:?}"));
        }
        writer.unnamed(Op::Function(Nonlinearity::HardTanh { low, high }), &[value])
    };
    "relu6" "relu6(v)" 1..=1, [], "hardtanh(v, 0, 6)" =>
        |writer, given| plain(writer, given, Op::Function(Nonlinearity::HardTanh { low: 0.0, high: 6.0 }));
    "hardswish" "hardswish(v)" 1..=1, [], "a · hardsigmoid a" =>
        |writer, given| plain(writer, given, Op::Function(Nonlinearity::HardSwish));
    "hardsigmoid" "hardsigmoid(v)" 1..=1, [], "(a + 3)/6, between 0 and 1" =>
        |writer, given| plain(writer, given, Op::Function(Nonlinearity::HardSigmoid));
    "elu" "elu(v, alpha)" 1..=2, [],
        "a where it is positive, alpha · (e^a − 1) (alpha is 1) where it is not" => |writer, mut given| {
        let value = given.value()?;
        let alpha = if given.left() == 0 { 1.0 } else { given.real("alpha")? };
        writer.unnamed(Op::Function(Nonlinearity::Elu(alpha)), &[value])
    };
    "mish" "mish(v)" 1..=1, [], "a tanh(softplus a)" => |writer, given| plain(writer, given, Op::Function(Nonlinearity::Mish));
    "log" "log(v)" 1..=1, [], "ln a" => |writer, given| plain(writer, given, Op::Function(Nonlinearity::Log));
    "sqrt" "sqrt(v)" 1..=1, [], "√a" => |writer, given| plain(writer, given, Op::Function(Nonlinearity::Sqrt));
    "reciprocal" "reciprocal(v)" 1..=1, [], "1/a" =>
        |writer, given| plain(writer, given, Op::Function(Nonlinearity::Reciprocal));
    "polynomial" "polynomial(v, [c0, c1, …])" 2..=2, [], "c₀ + c₁ a + c₂ a² + …" => polynomial;
    "softmax" "softmax(v)" 1..=1, [], "e^a over its sum along the last axis" =>
        |writer, given| plain(writer, given, Op::Softmax(Softmax { log: false }));
    "log_softmax" "log_softmax(v)" 1..=1, [], "the logarithm of softmax" =>
        |writer, given| plain(writer, given, Op::Softmax(Softmax { log: true }));
    "scale" "scale(v, number)" 2..=2, [], "number · v" => |writer, mut given| {
        let (value, by) = (given.value()?, given.real("the number")?);
        writer.unnamed(Op::Scale(Scale { by, plus: 0.0 }), &[value])
    };
    "layer_scale" "layer_scale(name, v, start)" 3..=3, [], "γ ∘ v, a learned number a feature, which begins at start" =>
        |writer, mut given| {
            let (names, value, start) = (given.names()?, given.value()?, given.real("start")?);
            writer.line(Op::LayerScale(LayerScale { start }), names, &[value])
        };
    "concat" "concat(a, b, …)" 1..=8, [], "one after the other along features; concat([a, b, …], axis) along that axis" => concat;
    "matmul" "matmul(a, b)" 2..=2, [],
        "the product of matrices: [..., m, k] and [..., k, n] → [..., m, n]" => |writer, mut given| {
        let read = [given.value()?, given.value()?];
        writer.unnamed(Op::MatMul(MatMul), &read)
    };
    "constant" "constant([sides], number)" 2..=2, [], "a value filled with one number" => |writer, mut given| {
        let (sides, number) = (given.wholes("a side")?, given.real("the number")?);
        writer.unnamed(Op::Constant(Constant { sides, number }), &[])
    };
    "attention" "attention(q, k, v, heads, #{masked: false})" 4..=5, ["masked"], "softmax(q k′ · scale) v, head by head" =>
        |writer, mut given| {
            let read = [given.value()?, given.value()?, given.value()?];
            let heads = given.whole("heads", 1..=MOST)?;
            let masked = given.flag_option("masked", false)?;
            writer.unnamed(Op::Attention(Attention { heads, masked }), &read)
        };
    "positions" "positions(name, v)" 2..=2, [], "v plus learned numbers of its shape" =>
        |writer, given| named(writer, given, Op::Positions(Positions));
    "class_token" "class_token(name, v)" 2..=2, [], "a learned token before the others: [t, f] → [t + 1, f]" =>
        |writer, given| named(writer, given, Op::ClassToken(ClassToken));
    "learned" "learned(name, [sides], #{trained: true, start: number})" 2..=3, ["trained", "start"],
        "a tensor as a value, the same for every sample; a constant of weights files where it is not trained" =>
        |writer, mut given| {
            let (name, sides) = (given.name()?, given.wholes("a side")?);
            let trained = given.flag_option("trained", true)?;
            let start = given.option("start").map(|start| real_of("start", &start)).transpose()?;
            writer.line(Op::Learned(Learned { sides, trained, start }), &name, &[])
        };
    "freeze" "freeze([names])" 1..=1, [],
        "layers or tensors that are not trained: they do not move and have no part in the kernel" =>
        |writer, mut given| {
            match given.names()? {
                Names::Layer(name) => writer.builder.freeze(name),
                Names::Each(names) => names.into_iter().for_each(|name| writer.builder.freeze(name)),
            }
            Ok(Dynamic::UNIT)
        };
    "draw" r#"draw([names], law, number)"# 3..=3, [],
        "how layers or tensors begin where network.init is torch: \"uniform\" within ± number, \"normal\" of that deviation, \"constant\", or \"like\" the tensor of that name" => draw;
    "recurrence" "recurrence(name, v, function)" 2..=3, [],
        "h_t = φ(W h_{t−1} + v_t), the last one; φ is act where no function is named" => recurrence;
    "rnn" "rnn(name, v, width, function)" 3..=4, [], "a recurrence over W v + b" => rnn;
    "embedding" "embedding(name, v, tokens, width, #{normal: false})" 4..=5, ["normal"],
        "a learned vector for each whole number below tokens: [t] → [t, width]; normal: true draws it N(0,1), as PyTorch does" =>
        |writer, mut given| {
            let (names, value) = (given.names()?, given.value()?);
            let (tokens, width) = (given.whole("tokens", 1..=MOST)?, given.whole("width", 1..=MOST)?);
            let normal = given.flag_option("normal", false)?;
            writer.line(Op::Embedding(Embedding { tokens, width, normal }), names, &[value])
        };
    "patches" "patches(v, side)" 2..=2, [],
        "square patches of an image as tokens, row by row: [c, h, w] → [(h/side)·(w/side), c·side²]" => |writer, mut given| {
        let (value, side) = (given.value()?, given.whole("side", 1..=MOST)?);
        writer.unnamed(Op::Patches(Patches { side }), &[value])
    };
    "rows" "rows(v)" 1..=1, [], "the rows of an image as tokens: [c, h, w] → [h, c·w]" => rows;
    "reshape" "reshape(v, [sides])" 2..=2, [], "the same values in another shape" => |writer, mut given| {
        let (value, sides) = (given.value()?, given.wholes("a side")?);
        writer.unnamed(Op::Rearrange(Rearrange::Reshape(sides)), &[value])
    };
    "transpose" "transpose(v, [order])" 2..=2, [], "the axes in another order" => |writer, mut given| {
        let (value, order) = (given.value()?, given.wholes("an axis")?);
        writer.unnamed(Op::Rearrange(Rearrange::Transpose(order)), &[value])
    };
    "expand" "expand(v, [sides])" 2..=2, [], "repeated to these sides, as numpy broadcasts" => |writer, mut given| {
        let (value, sides) = (given.value()?, given.wholes("a side")?);
        writer.unnamed(Op::Rearrange(Rearrange::Expand(sides)), &[value])
    };
    "slice" "slice(v, axis, from, to)" 4..=4, [],
        "from this place of an axis to before that; places and axes count from 0" => |writer, mut given| {
        let (value, axis) = (given.value()?, given.whole("the axis", 0..=MOST)?);
        let (start, end) = (given.whole("from", 0..=MOST)?, given.whole("to", 0..=MOST)?);
        writer.unnamed(Op::Rearrange(Rearrange::Slice { axis, start, end }), &[value])
    };
    "select" "select(v, axis, at)" 3..=3, [], "one index of an axis, which is removed" => |writer, mut given| {
        let (value, axis) = (given.value()?, given.whole("the axis", 0..=MOST)?);
        let at = given.whole("at", 0..=MOST)?;
        writer.unnamed(Op::Rearrange(Rearrange::Select { axis, at }), &[value])
    };
    "dropout" "dropout(v, rate)" 2..=2, [],
        "leaves out numbers by chance while training; evaluated, and in the kernel, v" => |writer, mut given| {
        let (value, rate) = (given.value()?, given.real("the rate")?);
        writer.unnamed(Op::Dropout(Dropout { rate }), &[value])
    };
};

type Written = Result<Dynamic, String>;

/// Adds a line for an operation on one value without arguments.
fn plain(writer: &mut Writer, mut given: Arguments, op: Op) -> Written {
    let value = given.value()?;
    writer.unnamed(op, &[value])
}

fn named(writer: &mut Writer, mut given: Arguments, op: Op) -> Written {
    let (names, value) = (given.names()?, given.value()?);
    writer.line(op, names, &[value])
}

fn function(writer: &mut Writer, given: Arguments, activation: Activation) -> Written {
    plain(writer, given, Op::Function(Nonlinearity::Activation(activation)))
}

fn leaky_relu(writer: &mut Writer, mut given: Arguments) -> Written {
    let value = given.value()?;
    let slope = if given.left() == 0 { Activation::LEAK } else { given.real("the slope")? };
    // The usual slope is the activation of that name, so that equal functions give equal lines.
    let function = match slope {
        Activation::LEAK => Nonlinearity::Activation(Activation::LeakyRelu),
        slope => Nonlinearity::LeakyRelu(slope),
    };
    writer.unnamed(Op::Function(function), &[value])
}

fn polynomial(writer: &mut Writer, mut given: Arguments) -> Written {
    const MOST_TERMS: usize = 32;
    let (value, list) = (given.value()?, given.list("the coefficients")?);
    if list.is_empty() || list.len() > MOST_TERMS {
        return Err(format!("a polynomial has 1 to {MOST_TERMS} coefficients, not {}", list.len()));
    }
    let coefficients = list.iter().map(|given| real_of("a coefficient", given)).collect::<Result<_, _>>()?;
    writer.unnamed(Op::Function(Nonlinearity::Polynomial(coefficients)), &[value])
}

fn dense(writer: &mut Writer, mut given: Arguments) -> Written {
    let (names, mut value) = (given.names()?, given.value()?);
    let outputs = given.whole("outputs", 1..=MOST)?;
    let bias = given.flag_option("bias", true)?;
    let transposed = given.flag_option("transposed", false)?;
    if writer.shape(value).len() == 3 {
        value = writer.write(Op::Rearrange(Rearrange::Flatten), "", &[value])?;
    }
    writer.line(Op::Dense(Dense { outputs, bias, transposed, into_recurrence: false }), names, &[value])
}

fn conv(writer: &mut Writer, mut given: Arguments) -> Written {
    let (names, value) = (given.names()?, given.value()?);
    let channels = given.whole("channels", 1..=MOST)?;
    let kernel = given.sides_option("kernel", [3; 2], 1)?;
    let stride = given.sides_option("stride", [1; 2], 1)?;
    let dilation = given.sides_option("dilation", [1; 2], 1)?;
    let same = || [0, 1].map(|side| dilation[side] * (kernel[side] - 1) / 2);
    let padding = match given.option("padding") {
        None => same(),
        Some(word) if word.is_string() => match word.to_string().as_str() {
            "same" => same(),
            _ => return Err("padding is a number, two, or \"same\"".to_owned()),
        },
        Some(sides) => sides_of("padding", sides, 0)?,
    };
    let groups = given.whole_option("groups", 1, 1..=MOST)?;
    let bias = given.flag_option("bias", true)?;
    writer.line(Op::Conv(Conv { channels, kernel, stride, padding, dilation, groups, bias }), names, &[value])
}

fn pool(writer: &mut Writer, mut given: Arguments, kind: PoolKind) -> Written {
    let value = given.value()?;
    let size = sides_of("size", given.next("size")?, 1)?;
    let stride = given.sides_option("stride", size, 1)?;
    let padding = given.sides_option("padding", [0; 2], 0)?;
    let count_padding = given.flag_option("count_padding", true)?;
    writer.unnamed(Op::Pool(Pool { kind, size, stride, padding, count_padding }), &[value])
}

fn norm(writer: &mut Writer, mut given: Arguments, kind: NormKind) -> Written {
    let (names, value) = (given.names()?, given.value()?);
    let kind = match kind {
        NormKind::Group { .. } => NormKind::Group { groups: given.whole("groups", 1..=MOST)? },
        NormKind::Layer | NormKind::Rms | NormKind::Batch => kind,
    };
    let usual = Norm::of(kind);
    let gain = given.flag_option("affine", usual.gain)?;
    let bias = usual.bias && gain && given.flag_option("bias", true)?;
    let epsilon = given.positive_option("epsilon", usual.epsilon)?;
    writer.line(Op::Norm(Norm { kind, gain, bias, epsilon }), names, &[value])
}

fn concat(writer: &mut Writer, mut given: Arguments) -> Written {
    const MOST_PARTS: usize = 4096;
    let first = given.next("the first value")?;
    let (parts, axis) = if first.is_array() {
        let parts: Array = list_of("the values to concatenate", first)?;
        let axis = if given.left() == 0 { None } else { Some(given.whole("the axis", 0..=MOST)?) };
        (parts, axis)
    } else {
        let mut parts = vec![first];
        while given.left() > 0 {
            parts.push(given.next("a value")?);
        }
        (parts, None)
    };
    if given.left() > 0 || parts.is_empty() || parts.len() > MOST_PARTS {
        return Err(format!("it takes 1 to {MOST_PARTS} values, or a list of them and an axis"));
    }
    let parts = parts.into_iter().map(value_of).collect::<Result<Vec<_>, _>>()?;
    let axis = axis.unwrap_or_else(|| feature_axis(writer.shape(parts[0])));
    writer.unnamed(Op::Concat(Concat { axis }), &parts)
}

fn draw(writer: &mut Writer, mut given: Arguments) -> Written {
    let (names, law) = (given.names()?, given.word("the law")?);
    let spread = |given: &mut Arguments| match given.real("the number")? {
        number if number >= 0.0 => Ok(number),
        number => Err(format!("the number is 0 or more, not {number:?}")),
    };
    let draw = match law.as_str() {
        "uniform" => Draw::Uniform(spread(&mut given)?),
        "normal" => Draw::Normal(spread(&mut given)?),
        "constant" => Draw::Constant(given.real("the number")?),
        "like" => Draw::Like(given.word("the name of the other tensor")?),
        "unknown" => Draw::Unknown(given.word("the class of its module")?),
        other => {
            let other = shortened(other);
            return Err(format!("there is no law {other}, there are uniform, normal, constant, like and unknown"));
        }
    };
    match names {
        Names::Layer(name) => writer.builder.draw(name, draw),
        Names::Each(names) => names.into_iter().for_each(|name| writer.builder.draw(name, draw.clone())),
    }
    Ok(Dynamic::UNIT)
}

fn recurrence(writer: &mut Writer, mut given: Arguments) -> Written {
    let (names, value) = (given.names()?, given.value()?);
    let function = function_of(writer, &mut given)?;
    // Of two names the second is that of a bias.
    let bias = matches!(&names, Names::Each(names) if names.len() == 2);
    writer.line(Op::Recurrence(Recurrence { function, bias }), names, &[value])
}

fn rnn(writer: &mut Writer, mut given: Arguments) -> Written {
    let (names, value) = (given.names()?, given.value()?);
    let outputs = given.whole("width", 1..=MOST)?;
    let function = function_of(writer, &mut given)?;
    let (first, second) = match &names {
        Names::Each(names) if !(3..=4).contains(&names.len()) => {
            return Err(format!(
                "its tensors are weight_ih, bias_ih and weight_hh, or these and bias_hh, and {} names are given",
                names.len()
            ));
        }
        Names::Each(names) => (Names::Each(names[..2].to_vec()), Names::Each(names[2..].to_vec())),
        Names::Layer(_) => (names.clone(), names.clone()),
    };
    let bias = matches!(&second, Names::Each(names) if names.len() == 2);
    let into = Dense { outputs, bias: true, transposed: false, into_recurrence: true };
    let sums = writer.write(Op::Dense(into), first, &[value])?;
    writer.line(Op::Recurrence(Recurrence { function, bias }), second, &[sums])
}

/// Returns the named function, or the network's activation.
fn function_of(writer: &Writer, given: &mut Arguments) -> Result<Nonlinearity, String> {
    if given.left() == 0 {
        return Ok(Nonlinearity::Activation(writer.activation));
    }
    activation_of(&given.word("the function")?).map(Nonlinearity::Activation)
}

fn rows(writer: &mut Writer, mut given: Arguments) -> Written {
    let value = given.value()?;
    let &[channels, height, width] = writer.shape(value) else {
        return Err(format!(
            "rows are those of an image [channels, height, width], not of {}",
            shown(writer.shape(value))
        ));
    };
    let turned = writer.write(Op::Rearrange(Rearrange::Transpose(vec![1, 0, 2])), "", &[value])?;
    writer.unnamed(Op::Rearrange(Rearrange::Reshape(vec![height, channels * width])), &[turned])
}
