//! Rules of the infinite-width limit: one file for each family of operations, as in `spec::ops`, or the reason why there is
//! none.

mod arithmetic;
mod attention;
mod conv;
mod dense;
mod embedding;
mod function;
mod law;
mod learned;
mod matmul;
mod norm;
mod pool;
mod rearrange;
mod recurrence;
mod reduce;

pub(super) use law::{Law, Reading};

use self::law::Rule;
use super::limits::NoRule;
use crate::spec::Line;
use crate::spec::ops::{Op, Parameter, Role, window_entries as windows_of};

/// Returns the rule of a line whose inputs all have one.
pub(super) fn rule(reading: &Reading<'_>) -> Rule {
    let line = reading.line();
    if window_entries(&reading.program.lines[..=reading.at]) > MOST_ENTRIES {
        return Err(NoRule::Windows);
    }
    // Frozen tensors may be shared freely; of a trained one, only the first line may use it.
    let is_shared = |tensor: &usize| match reading.program.tensors[*tensor].role {
        Role::Weight => reading.firsts[*tensor] != reading.at,
        Role::Norm | Role::Frozen | Role::Buffer => false,
    };
    if let Some(frozen) = reading.program.tensors_of(line).find(|tensor| tensor.is_held()) {
        return Err(NoRule::Frozen(frozen.name.clone()));
    }
    if let Some(drawn) = reading.program.tensors_of(line).find(|tensor| tensor.draw.is_some()) {
        return Err(NoRule::Drawn(drawn.name.clone()));
    }
    if let Some(&shared) = line.tensors.iter().find(|tensor| is_shared(tensor)) {
        return Err(NoRule::Shared(reading.program.tensors[shared].name.clone()));
    }
    // Nor may a line take a tensor that another made, with other first values, for its own: what it is then is not its rule's.
    let own = reading.program.own_tensors(line);
    let is_another = |(made, own): &(&Parameter, &Parameter)| (made.fill, made.role) != (own.fill, own.role);
    if let Some((made, _)) = reading.program.tensors_of(line).zip(&own).find(is_another) {
        return Err(NoRule::Shared(made.name.clone()));
    }
    match &line.op {
        Op::Input => Ok(Law::Given),
        Op::Dense(op) => dense::rule(op, reading),
        Op::Conv(op) => conv::rule(op, reading),
        Op::Pool(op) => pool::rule(op, reading),
        Op::Reduce(op) => reduce::rule(op, reading),
        Op::Rearrange(op) => rearrange::rule(op, reading),
        Op::Patches(_) => rearrange::patches(reading),
        Op::Norm(op) => norm::rule(op, reading),
        Op::Function(op) => function::rule(op, reading),
        Op::Softmax(op) => function::softmax(op, reading),
        Op::Arithmetic(op) => arithmetic::rule(*op, reading),
        Op::Scale(op) => arithmetic::scale(op, reading),
        Op::Concat(op) => arithmetic::concat(op.axis, reading),
        Op::MatMul(_) => matmul::rule(reading),
        Op::Constant(_) => Ok(Law::Given),
        Op::Learned(_) => Err(NoRule::Learned),
        Op::LayerScale(op) => learned::layer_scale(op, reading),
        Op::Positions(_) => learned::positions(reading),
        Op::ClassToken(_) => learned::class_token(reading),
        Op::Attention(op) => attention::rule(op, reading),
        Op::Recurrence(op) => recurrence::rule(op, reading),
        Op::Embedding(op) => embedding::rule(op, reading),
        Op::Dropout(_) => arithmetic::dropout(reading),
    }
}

/// Largest number of entries of all windows of a program, each of which is listed.
const MOST_ENTRIES: usize = 1 << 23;

/// Returns the number of entries of the windows of these lines; of a last line without windows, 0.
fn window_entries(lines: &[Line]) -> usize {
    let entries = |line: &Line| {
        let size = match &line.op {
            Op::Conv(conv) => conv.kernel,
            Op::Pool(pool) => pool.size,
            _ => return 0,
        };
        let &[_, height, width] = line.shape.as_slice() else { return 0 };
        windows_of([height, width], size).unwrap_or(usize::MAX)
    };
    match lines.last() {
        Some(line) if entries(line) > 0 => lines.iter().map(entries).fold(0, usize::saturating_add),
        _ => 0,
    }
}
