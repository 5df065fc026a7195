//! Performs the simple GIA check of *Tensor Programs II* (Yang 2020, condition 1): whether gradients may be computed as
//! if the weights of the backward pass were independent copies, an assumption of every rule of the infinite-width limit.
//!
//! The read-out must be initialised independently with mean 0 and be used nowhere else; and no matrix may be used together
//! with its transpose.

use super::limits::{Breach, GiaViolation, LineLocation};
use crate::spec::Program;
use crate::spec::ops::{Arithmetic, Fill, NormKind, Op, PoolKind};

/// Checks that the theory holds for a program.
///
/// # Errors
/// Names the line that violates the condition, and the violation.
pub fn gia(program: &Program) -> Result<(), Breach> {
    let breach = |line: usize, why: GiaViolation| Breach { at: LineLocation::of(program, line), why };
    let Some(last) = program.lines.len().checked_sub(1) else { return Ok(()) };
    let mut readers = vec![Vec::new(); program.lines.len()];
    for (at, line) in program.lines.iter().enumerate() {
        line.reads.iter().for_each(|&read| readers[read].push(at));
    }
    // All lines between the read-outs and the logits.
    let (mut behind, mut outs) = (vec![false; program.lines.len()], Vec::new());
    for at in (0..=last).rev() {
        let from = readers[at].iter().copied().find(|&reader| behind[reader]);
        if at != last && from.is_none() {
            continue;
        }
        match kind_of(&program.lines[at].op) {
            LineKind::ReadOut => outs.push(at),
            LineKind::Linear => behind[at] = true,
            LineKind::Inside => {
                let line = from.unwrap_or(at);
                let sign = program.lines[line].op.operation().map_or("x", |operation| operation.sign());
                return Err(breach(line, GiaViolation::FixedReadOut(sign.to_owned())));
            }
        }
    }
    for &out in &outs {
        let line = &program.lines[out];
        if let Some(&inside) = readers[out].iter().find(|&&reader| !behind[reader]) {
            return Err(breach(inside, GiaViolation::ReadOutInside(line.name.clone())));
        }
        let Some(&weight) = line.tensors.first() else { continue };
        let tensor = &program.tensors[weight];
        match tensor.fill {
            Fill::Weight { .. } | Fill::Normal => {}
            Fill::Bias { .. } | Fill::Offset | Fill::Constant(_) => {
                return Err(breach(out, GiaViolation::FixedReadOut(tensor.name.clone())));
            }
        }
        if let Some(other) = (0..=last).find(|&at| at != out && program.lines[at].tensors.contains(&weight)) {
            return Err(breach(other, GiaViolation::ReadOutShared(tensor.name.clone())));
        }
    }
    let mut turned: Vec<Option<bool>> = vec![None; program.tensors.len()];
    for (at, line) in program.lines.iter().enumerate() {
        let Some((&weight, way)) = line.tensors.first().zip(transposed(&line.op)) else { continue };
        if *turned[weight].get_or_insert(way) != way {
            return Err(breach(at, GiaViolation::Transpose(program.tensors[weight].name.clone())));
        }
    }
    Ok(())
}

/// A line between the logits and the read-out.
enum LineKind {
    /// A layer whose weights are initialised with mean 0.
    ReadOut,
    /// A fixed linear map.
    Linear,
    /// Any other operation, inside the network.
    Inside,
}

fn kind_of(op: &Op) -> LineKind {
    match op {
        Op::Dense(_) | Op::Conv(_) => LineKind::ReadOut,
        Op::Reduce(_)
        | Op::Rearrange(_)
        | Op::Patches(_)
        | Op::Scale(_)
        | Op::Concat(_)
        | Op::Constant(_)
        | Op::Dropout(_) => LineKind::Linear,
        Op::Arithmetic(Arithmetic::Add | Arithmetic::Subtract) => LineKind::Linear,
        Op::Arithmetic(Arithmetic::Multiply) => LineKind::Inside,
        Op::Pool(pool) => match pool.kind {
            PoolKind::Avg => LineKind::Linear,
            PoolKind::Max => LineKind::Inside,
        },
        Op::Norm(norm) => match norm.kind {
            NormKind::Batch => LineKind::Linear,
            NormKind::Layer | NormKind::Rms | NormKind::Group { .. } => LineKind::Inside,
        },
        Op::Input
        | Op::Function(_)
        | Op::Softmax(_)
        | Op::MatMul(_)
        | Op::Learned(_)
        | Op::LayerScale(_)
        | Op::Positions(_)
        | Op::ClassToken(_)
        | Op::Attention(_)
        | Op::Recurrence(_)
        | Op::Embedding(_) => LineKind::Inside,
    }
}

/// Returns whether an operation multiplies by the transpose of its matrix; `None` where it has no matrix.
fn transposed(op: &Op) -> Option<bool> {
    match op {
        Op::Dense(dense) => Some(dense.transposed),
        // A one-hot token times the matrix, from the left.
        Op::Embedding(_) => Some(true),
        Op::Conv(_) | Op::Recurrence(_) => Some(false),
        Op::Input
        | Op::Pool(_)
        | Op::Reduce(_)
        | Op::Rearrange(_)
        | Op::Patches(_)
        | Op::Norm(_)
        | Op::Function(_)
        | Op::Softmax(_)
        | Op::Arithmetic(_)
        | Op::Scale(_)
        | Op::Concat(_)
        | Op::MatMul(_)
        | Op::Constant(_)
        | Op::Learned(_)
        | Op::LayerScale(_)
        | Op::Positions(_)
        | Op::ClassToken(_)
        | Op::Attention(_)
        | Op::Dropout(_) => None,
    }
}
