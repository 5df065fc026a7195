//! Translates functions number by number, and sums, differences, products and quotients with broadcasting.

use serde_json::Value as Json;

use super::layers::broadcast;
use super::lines::{Line, node_of};
use super::translate::{Entry, Node, Translated, Translator, Val, list, real, stripped};

impl<'a> Translator<'a> {
    /// Translates a function number by number or an operation between two values; `None` where it is none.
    pub fn pointwise(&mut self, kind: &str, line: &'a Line) -> Option<Translated<Entry>> {
        if let Some(function) = plain_function(kind) {
            return Some(self.function(line, |value| format!("{function}({value})")));
        }
        Some(match kind {
            "gelu" => match line.argument("approximate").as_str() {
                None | Some("none") => self.function(line, |value| format!("gelu({value})")),
                Some("tanh") => self.function(line, |value| format!("gelu_tanh({value})")),
                Some(_) => Err("its approximation is none that is known".to_owned()),
            },
            "hardtanh" => self.clamped(line, "min_val", "max_val", (-1.0, 1.0)),
            "relu6" => self.function(line, |value| format!("hardtanh({value}, 0.0, 6.0)")),
            "clamp" => self.clamped(line, "min", "max", (f64::NEG_INFINITY, f64::INFINITY)),
            "clamp_min" => self.clamped(line, "min", "", (f64::NEG_INFINITY, f64::INFINITY)),
            "clamp_max" => self.clamped(line, "", "max", (f64::NEG_INFINITY, f64::INFINITY)),
            // At 0 PyTorch's derivative is the slope.
            "leaky_relu" => line.real("negative_slope", 0.01).and_then(|slope| {
                self.function(line, |value| {
                    format!("scale({value}, {}) + scale(relu({value}), {})", real(slope), real(1.0 - slope))
                })
            }),
            "elu" => self.elu(line),
            "celu" => line.real("alpha", 1.0).and_then(|alpha| {
                let inverse = 1.0 / alpha;
                if alpha <= 0.0 {
                    return Err(format!("its alpha is {alpha}"));
                }
                self.function(line, |value| {
                    format!("scale(elu(scale({value}, {}), 1.0), {})", real(inverse), real(alpha))
                })
            }),
            "selu" => self.function(line, |value| format!("scale(elu({value}, {}), {})", real(SELU.0), real(SELU.1))),
            "softplus" => match (line.real("beta", 1.0), line.real("threshold", 20.0)) {
                (Ok(beta), Ok(threshold)) if beta == 1.0 && threshold >= 20.0 => {
                    self.function(line, |value| format!("softplus({value})"))
                }
                (Ok(beta), Ok(threshold)) if beta > 0.0 && threshold >= 20.0 => self.function(line, |value| {
                    format!("scale(softplus(scale({value}, {})), {})", real(beta), real(1.0 / beta))
                }),
                _ => Err("its beta or threshold is not a usual one".to_owned()),
            },
            "log_sigmoid" => self.function(line, |value| format!("-softplus(-{value})")),
            "softmax" | "_softmax" => self.softmax(line, "softmax"),
            "log_softmax" | "_log_softmax" => self.softmax(line, "log_softmax"),
            "neg" => self.function(line, |value| format!("-{value}")),
            "rsqrt" => self.function(line, |value| format!("reciprocal(sqrt({value}))")),
            "pow" => self.power(line),
            "prelu" => self.prelu(line),
            "glu" => self.gated(line),
            "add" => self.sum(line, 1.0),
            "sub" => self.sum(line, -1.0),
            "rsub" => self.reversed(line),
            "mul" | "multiply" => self.between(line, "*", 1.0),
            "div" => match line.argument("rounding_mode") {
                Json::Null => self.quotient(line),
                _ => Err("it rounds, which has no gradient".to_owned()),
            },
            "dropout" | "feature_dropout" | "alpha_dropout" => match line.flag("train", false) {
                Ok(false) => self.operand(line, line.subject()),
                Ok(true) => Err("it leaves numbers out by chance: export the module in evaluation".to_owned()),
                Err(why) => Err(why),
            },
            "detach" => self.detached(line),
            "clone" | "contiguous" | "alias" | "lift_fresh_copy" | "_to_copy" | "to" | "type_as" => self.copied(line),
            "zeros" | "new_zeros" | "zeros_like" => filled(line, 0.0),
            "ones" | "new_ones" | "ones_like" => filled(line, 1.0),
            "full" | "new_full" | "full_like" => line.real("fill_value", 0.0).and_then(|number| filled(line, number)),
            "scalar_tensor" => line.real("s", 0.0).and_then(|number| filled(line, number)),
            "arange" => arange(line),
            _ => return None,
        })
    }

    fn function(&mut self, line: &'a Line, write: impl Fn(&str) -> String) -> Translated<Entry> {
        let (value, torch) = self.value(line, line.subject())?;
        let expression = write(&value.text);
        Ok(self.result(line, &expression, value.shape, torch))
    }

    /// Returns a node that does not depend on parameters: to stop its gradient changes nothing.
    fn detached(&mut self, line: &'a Line) -> Translated<Entry> {
        let entry = self.operand(line, "self")?;
        let depends = match &entry.node {
            Node::Tensor(at) | Node::Transposed(at) => self.tensors[*at].trained,
            Node::Value(_) => !entry.is_data,
            Node::Filled(_) | Node::Whole(_) => false,
            Node::List(_) | Node::Nothing => true,
        };
        if depends {
            return Err("it stops gradients, so the kernel would not be that of the outputs: leave it out".to_owned());
        }
        Ok(entry)
    }

    fn copied(&mut self, line: &'a Line) -> Translated<Entry> {
        let entry = self.operand(line, line.subject())?;
        let dtype = line.dtype.as_str().unwrap_or_default();
        let is_float = ["float32", "float64"].iter().any(|known| dtype.ends_with(known));
        let is_whole = dtype.contains("int");
        match &entry.node {
            _ if is_float || dtype.is_empty() => Ok(entry),
            Node::Whole(_) if is_whole => Ok(entry),
            Node::Filled(number) if is_whole && number.fract() == 0.0 => Ok(entry),
            Node::Value(_) if is_whole && entry.is_data && self.is_whole() => Ok(entry),
            _ => Err(format!("it rounds to {dtype}: export the module in 32-bit floats")),
        }
    }

    fn clamped(&mut self, line: &'a Line, low: &str, high: &str, usual: (f64, f64)) -> Translated<Entry> {
        let (low, high) = (line.real(low, usual.0)?, line.real(high, usual.1)?);
        if line.kind().0 == "hardtanh" {
            return self.function(line, |value| format!("hardtanh({value}, {}, {})", real(low), real(high)));
        }
        // The derivative of a clamp is 1 at its ends, where that of a ReLU is 0.
        let (value, torch) = self.value(line, "self")?;
        let mut now = value;
        if low.is_finite() {
            let expression = format!("{} + relu({} - {})", now.text, bracketed(low), now.text);
            now = self.named(&format!("{}_low", line.name), &expression, now.shape);
        }
        if high.is_finite() {
            let expression = format!("{} - relu({} - {})", now.text, now.text, bracketed(high));
            now = self.named(&format!("{}_high", line.name), &expression, now.shape);
        }
        Ok(Entry::new(Node::Value(now), torch))
    }

    fn elu(&mut self, line: &'a Line) -> Translated<Entry> {
        let (alpha, scale) = (line.real("alpha", 1.0)?, line.real("scale", 1.0)?);
        let inner = line.real("input_scale", 1.0)?;
        if inner != 1.0 {
            return Err("it scales its input".to_owned());
        }
        self.function(line, |value| {
            let elu = format!("elu({value}, {})", real(alpha));
            if scale == 1.0 { elu } else { format!("scale({elu}, {})", real(scale)) }
        })
    }

    fn power(&mut self, line: &'a Line) -> Translated<Entry> {
        if node_of(line.argument("exponent")).is_some() {
            return Err("its exponent is a value".to_owned());
        }
        let exponent = line.real("exponent", 1.0)?;
        let whole = (exponent.fract() == 0.0 && (1.0..=31.0).contains(&exponent)).then_some(exponent as usize);
        match (whole, exponent) {
            (Some(1), _) => self.function(line, |value| format!("identity({value})")),
            (Some(2), _) => self.function(line, |value| format!("square({value})")),
            (Some(power), _) => {
                let terms: Vec<&str> = (0..=power).map(|at| if at == power { "1.0" } else { "0.0" }).collect();
                self.function(line, |value| format!("polynomial({value}, [{}])", terms.join(", ")))
            }
            (None, 0.5) => self.function(line, |value| format!("sqrt({value})")),
            (None, -0.5) => self.function(line, |value| format!("reciprocal(sqrt({value}))")),
            (None, -1.0) => self.function(line, |value| format!("reciprocal({value})")),
            (None, -2.0) => self.function(line, |value| format!("reciprocal(square({value}))")),
            _ => Err(format!("there is no power {exponent} here")),
        }
    }

    fn softmax(&mut self, line: &'a Line, function: &str) -> Translated<Entry> {
        let (value, torch) = self.value(line, line.subject())?;
        if torch.is_empty() {
            return Err("it is a softmax of one number".to_owned());
        }
        let axis = line.axis("dim", -1, torch.len())?;
        let after: usize = torch[axis + 1..].iter().product();
        let before: usize = torch[..axis].iter().product();
        let side = torch[axis];
        if after == 1 {
            let shape = if before == 1 { vec![side] } else { vec![before, side] };
            let expression = format!("{function}({})", self.reshaped(&value, &shape));
            return Ok(self.result(line, &expression, shape, torch));
        }
        let apart = self.reshaped(&value, &[before, side, after]);
        let expression = format!("transpose({function}(transpose({apart}, [0, 2, 1])), [0, 2, 1])");
        Ok(self.result(line, &expression, vec![before, side, after], torch))
    }

    fn prelu(&mut self, line: &'a Line) -> Translated<Entry> {
        let (value, torch) = self.value(line, "self")?;
        let (weight, weight_torch) = self.value(line, "weight")?;
        let count: usize = weight_torch.iter().product();
        let channels = if count == 1 { 1 } else { *torch.get(1).ok_or("its input has no channels")? };
        if count != channels {
            return Err(format!("it has {count} slopes for {channels} channels"));
        }
        let out = stripped(&torch);
        let mut from = vec![1; torch.len()];
        if count > 1 {
            from[1] = count;
        }
        let slopes = format!("expand({}, {})", self.reshaped(&weight, &from), list(&torch));
        let slopes = format!("reshape({slopes}, {})", list(&out));
        let value = self.reshaped(&value, &out);
        // At 0 PyTorch's derivative is the slope.
        Ok(self.result(line, &format!("{slopes} * {value} + (1.0 - {slopes}) * relu({value})"), out, torch))
    }

    fn gated(&mut self, line: &'a Line) -> Translated<Entry> {
        let (value, torch) = self.value(line, "self")?;
        let axis = line.axis("dim", -1, torch.len())?;
        if !torch[axis].is_multiple_of(2) {
            return Err("it halves an odd axis".to_owned());
        }
        let half = torch[axis] / 2;
        let before: usize = torch[..axis].iter().product();
        let after: usize = torch[axis + 1..].iter().product();
        let all = self.reshaped(&value, &[before, 2 * half, after]);
        let (first, second) = (format!("slice({all}, 1, 0, {half})"), format!("slice({all}, 1, {half}, {})", 2 * half));
        let mut out = torch.clone();
        out[axis] = half;
        Ok(self.result(line, &format!("{first} * sigmoid({second})"), vec![before, half, after], out))
    }

    fn sum(&mut self, line: &'a Line, sign: f64) -> Translated<Entry> {
        let factor = line.real("alpha", 1.0)? * sign;
        self.between(line, if factor < 0.0 { "-" } else { "+" }, factor.abs())
    }

    fn reversed(&mut self, line: &'a Line) -> Translated<Entry> {
        if line.real("alpha", 1.0)? != 1.0 || node_of(line.argument("other")).is_some() {
            return Err("it is a difference with a factor".to_owned());
        }
        let number = line.real("other", 0.0)?;
        self.function(line, |value| format!("{} - {value}", bracketed(number)))
    }

    fn quotient(&mut self, line: &'a Line) -> Translated<Entry> {
        if node_of(line.argument("other")).is_none() {
            let number = line.real("other", 1.0)?;
            return self.function(line, |value| format!("{value} / {}", bracketed(number)));
        }
        if let Node::Filled(number) = self.operand(line, "other")?.node {
            let torch = self.operand(line, "self")?.shape;
            if line.own_shape()? == torch {
                return self.function(line, |value| format!("{value} / {}", bracketed(number)));
            }
        }
        let (other, other_torch) = self.value(line, "other")?;
        let inverse =
            self.named(&format!("{}_inverse", line.name), &format!("reciprocal({})", other.text), other.shape);
        let (value, torch) = self.value(line, "self")?;
        self.joined(line, "*", (value, torch), (inverse, other_torch))
    }

    /// Writes `self SIGN factor · other`.
    fn between(&mut self, line: &'a Line, sign: &str, factor: f64) -> Translated<Entry> {
        let other = line.argument("other");
        if node_of(other).is_none() {
            let number = line.real("other", 0.0)? * factor;
            return self.function(line, |value| format!("{value} {sign} {}", bracketed(number)));
        }
        // A tensor of one number is a number.
        let (first, second) = (self.operand(line, "self")?, self.operand(line, "other")?);
        let out = broadcast(&first.shape, &second.shape)
            .ok_or_else(|| format!("{:?} and {:?} cannot be joined", first.shape, second.shape))?;
        match (&first.node, &second.node) {
            (Node::Value(_), Node::Filled(number)) if out == first.shape => {
                let number = number * factor;
                return self.function(line, |value| format!("{value} {sign} {}", bracketed(number)));
            }
            (Node::Filled(number), Node::Value(value)) if out == second.shape && factor == 1.0 => {
                let expression = format!("{} {sign} {}", bracketed(*number), value.text);
                return Ok(self.result(line, &expression, value.shape.clone(), out));
            }
            (Node::Filled(a), Node::Filled(b)) => {
                let number = match sign {
                    "+" => a + factor * b,
                    "-" => a - factor * b,
                    _ => a * b,
                };
                return Ok(Entry::new(Node::Filled(number), out));
            }
            (Node::Whole(a), Node::Whole(b)) if first.shape == second.shape && factor == 1.0 && sign == "+" => {
                let sums = a.iter().zip(b).map(|(a, b)| a.saturating_add(*b)).collect();
                return Ok(Entry::new(Node::Whole(sums), out));
            }
            _ => {}
        }
        let (value, torch) = self.value(line, "self")?;
        let (mut other, other_torch) = self.value(line, "other")?;
        if factor != 1.0 {
            other.text = format!("scale({}, {})", other.text, real(factor));
        }
        self.joined(line, sign, (value, torch), (other, other_torch))
    }

    /// Writes two values with a sign between them, each of which is broadcast to the other's shape.
    fn joined(
        &mut self,
        line: &Line,
        sign: &str,
        (a, a_torch): (Val, Vec<usize>),
        (b, b_torch): (Val, Vec<usize>),
    ) -> Translated<Entry> {
        let out =
            broadcast(&a_torch, &b_torch).ok_or_else(|| format!("{a_torch:?} and {b_torch:?} cannot be joined"))?;
        let count: usize = out.iter().product();
        let full = |torch: &[usize]| torch.iter().product::<usize>() == count;
        // A value that is not spread keeps its shape, and the other one takes it.
        let shape = match (full(&a_torch), full(&b_torch)) {
            (true, true) if matches!(sign, "+" | "*" | "-") && b.shape.len() > a.shape.len() => b.shape.clone(),
            (true, true) => a.shape.clone(),
            _ => stripped(&out),
        };
        let side = |value: &Val, torch: &[usize]| {
            if full(torch) {
                return self.reshaped(value, &shape);
            }
            // Without axes of length 1 that both have.
            let mut padded = vec![1; out.len() - torch.len()];
            padded.extend_from_slice(torch);
            let kept: Vec<usize> = (0..out.len()).filter(|axis| out[*axis] != 1).collect();
            let kept = if kept.is_empty() { vec![out.len() - 1] } else { kept };
            let of = |shape: &[usize]| kept.iter().map(|axis| shape[*axis]).collect::<Vec<_>>();
            let spread = format!("expand({}, {})", self.reshaped(value, &of(&padded)), list(&of(&out)));
            if of(&out) == shape { spread } else { format!("reshape({spread}, {})", list(&shape)) }
        };
        let expression = format!("{} {sign} {}", side(&a, &a_torch), side(&b, &b_torch));
        Ok(self.result(line, &expression, shape, out))
    }
}

/// α and the scale of SELU, from its paper.
const SELU: (f64, f64) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);

/// Returns the function of the language with the same name and no settings.
fn plain_function(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "relu" => "relu",
        "tanh" => "tanh",
        "sigmoid" => "sigmoid",
        "silu" => "silu",
        "hardswish" => "hardswish",
        "hardsigmoid" => "hardsigmoid",
        "mish" => "mish",
        "erf" => "erf",
        "exp" => "exp",
        "log" => "log",
        "sqrt" => "sqrt",
        "reciprocal" => "reciprocal",
        "square" => "square",
        "abs" => "abs",
        "sin" => "sin",
        "cos" => "cos",
        _ => return None,
    })
}

/// Formats a number for use between operators.
fn bracketed(number: f64) -> String {
    if number < 0.0 { format!("({})", real(number)) } else { real(number) }
}

fn filled(line: &Line, number: f64) -> Translated<Entry> {
    Ok(Entry::new(Node::Filled(number), line.own_shape()?))
}

/// Largest number of whole numbers that a constant has.
const MOST_WHOLE: usize = 1 << 16;

fn arange(line: &Line) -> Translated<Entry> {
    let shape = line.own_shape()?;
    let (start, step) = (line.whole("start", 0)?, line.whole("step", 1)?);
    let [count] = *shape.as_slice() else { return Err("it is no list of numbers".to_owned()) };
    if count > MOST_WHOLE {
        return Err(format!("it has more than {MOST_WHOLE} numbers"));
    }
    let numbers = (0..count as i64).map(|at| start.saturating_add(at.saturating_mul(step))).collect();
    Ok(Entry::new(Node::Whole(numbers), shape))
}
