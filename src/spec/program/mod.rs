//! Defines a network as its tensor program: one line for each variable, in the order of computation, with the operation,
//! its inputs, its parameter tensors and its shape (the straight-line programs of *Tensor Programs* I–III).
//!
//! It is the only description of a network. Names, cost, memory, the graph, the infinite-width limit, initial weights, the
//! network on burn and the loading of weights are all derived from it, so they always describe the same network.

mod builder;
mod names;

pub use builder::{Builder, MOST_LINES, Shapes, Value};
pub use names::{Names, belongs, layer_of};

use super::Layer;
use super::ops::{Arithmetic, Op, Parameter, PoolKind};

/// A network as a straight-line program; the last line is the logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub lines: Vec<Line>,
    /// All parameter tensors, in the order of their first use in the forward pass. A tensor that several lines read is
    /// listed once.
    pub tensors: Vec<Parameter>,
}

/// Describes one variable of a program: its operation, and what the operation reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub op: Op,
    /// The layer's name, as in weights files, the common part of the names of its tensors; empty for an operation without
    /// parameters.
    pub name: String,
    /// The lines that it reads; all earlier.
    pub reads: Vec<usize>,
    /// Its tensors, as indices into [`Program::tensors`], in the order of its operation.
    pub tensors: Vec<usize>,
    /// The shape of the value, without the sample axis.
    pub shape: Vec<usize>,
    /// The block that contains the line, from 0, in a network with numbered blocks (`blocks.0.…`, `layer1.0.…`).
    pub block: Option<usize>,
    /// The line of the text that wrote it, from 1; `None` for a program built in code.
    pub written: Option<usize>,
}

impl Program {
    /// Returns the number of blocks.
    pub fn blocks(&self) -> usize {
        self.lines.iter().filter_map(|line| line.block).max().map_or(0, |last| last + 1)
    }

    /// Returns the tensors of a line.
    pub fn tensors_of(&self, line: &Line) -> impl Iterator<Item = &Parameter> {
        line.tensors.iter().map(|&place| &self.tensors[place])
    }

    /// Returns the tensors of a line as its own operation makes them, under its layer's name, in the same order. A tensor
    /// that another line made before has the first values that this one gave it, and in a list of names each has its own.
    pub fn own_tensors(&self, line: &Line) -> Vec<Parameter> {
        line.op.operation().map_or_else(Vec::new, |operation| operation.tensors(&line.name, &self.inputs_of(line)))
    }

    /// Returns the shapes that a line reads.
    pub fn inputs_of(&self, line: &Line) -> Vec<&[usize]> {
        line.reads.iter().map(|&read| self.lines[read].shape.as_slice()).collect()
    }

    /// Returns the layers: the lines that cost more than a pass over their inputs, in the order of the forward pass.
    pub fn layers(&self) -> Vec<Layer> {
        let uses = self.uses();
        let layer = |line: &Line| {
            let layer = line.op.operation()?.layer(&self.inputs_of(line))?;
            Some(if line.tensors.iter().any(|&tensor| uses[tensor] > 1) { layer.shared() } else { layer })
        };
        self.lines.iter().filter_map(layer).collect()
    }

    /// Returns the number of stored parameters, shared tensors counted once; without running statistics.
    pub fn parameters(&self) -> f64 {
        self.tensors.iter().filter(|tensor| !tensor.is_statistic()).map(Parameter::entries).sum()
    }

    /// Returns whether a line uses the image's shape, rather than a flat list of numbers.
    pub fn reads_images(&self) -> bool {
        self.lines.iter().any(|line| line.reads.contains(&0) && !line.op.flattens())
    }

    /// Returns whether a line reads windows of pixels, which points and lists of numbers do not have.
    pub fn has_windows(&self) -> bool {
        self.lines.iter().any(|line| line.op.has_windows())
    }

    /// Returns whether a line pools in this way.
    pub fn pools(&self, kind: PoolKind) -> bool {
        self.lines.iter().any(|line| line.op.pools() == Some(kind))
    }

    /// Estimates the fraction of the speed of large matrix products that its training and its kernels reach, given small
    /// products and elementwise work between them. Measured on the usual sizes of five networks, one epoch and a half with
    /// 80 probes.
    pub fn reaches(&self) -> f64 {
        self.lines.iter().map(|line| line.op.reaches()).fold(0.4, f64::min)
    }

    /// Returns whether training computes differently from evaluation: with batch statistics, or with dropout.
    pub fn differs_in_training(&self) -> bool {
        self.lines.iter().any(|line| line.op.differs_in_training())
    }

    /// Returns whether training uses the mean and variance of a batch.
    pub fn normalises_batches(&self) -> bool {
        self.lines.iter().any(|line| line.op.normalises_batches())
    }

    /// Returns the number of lines that read each tensor: more than one where it is shared.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.tensors.len()];
        self.lines.iter().flat_map(|line| &line.tensors).for_each(|&tensor| uses[tensor] += 1);
        uses
    }

    /// Returns whether there is a residual connection around a line with tensors.
    pub fn has_residual(&self) -> bool {
        // `reached`: whether a path from `from` leads to the line, and whether that path contains a line with tensors.
        let goes_around = |from: usize, to: usize| {
            let mut reached = vec![None; self.lines.len()];
            reached[from] = Some(false);
            for at in from + 1..=to {
                let through =
                    self.lines[at].reads.iter().filter_map(|&read| reached[read]).reduce(|one, other| one || other);
                reached[at] = through.map(|through| through || !self.lines[at].tensors.is_empty());
            }
            reached[to] == Some(true)
        };
        let sums = self.lines.iter().filter(|line| line.op == Op::Arithmetic(Arithmetic::Add));
        sums.into_iter().any(|line| match *line.reads.as_slice() {
            [one, other] => one != other && goes_around(one.min(other), one.max(other)),
            _ => false,
        })
    }

    /// Returns the names of the layers from the images to the logits, as in weights files; a block counts as one. The last
    /// one is the head.
    pub fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        for line in self.lines.iter().filter(|line| !line.tensors.is_empty()) {
            let own = self.own_tensors(line);
            let is_layer = self.tensors_of(line).map(|tensor| &tensor.name).eq(own.iter().map(|own| &own.name));
            let layers = if is_layer {
                vec![line.name.clone()]
            } else {
                // Of tensors without a common layer each is one.
                self.tensors_of(line).map(|tensor| layer_of(&tensor.name)).collect()
            };
            for layer in layers {
                let part = block_of(&layer).unwrap_or(&layer);
                if !parts.iter().any(|known| known == part) {
                    parts.push(part.to_owned());
                }
            }
        }
        parts
    }
}

/// Returns the block of a name, `blocks.0` of `blocks.0.fc1`: everything up to the last number that is followed by other
/// parts.
pub(super) fn block_of(name: &str) -> Option<&str> {
    let mut end = None;
    let mut from = 0;
    while let Some(dot) = name[from..].find('.') {
        let part = &name[from..from + dot];
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            end.get_or_insert(from + dot);
        }
        from += dot + 1;
    }
    Some(&name[..end?])
}

/// Assigns each line to its block: lines with tensors by their names; others if they lie between such lines of a block, add
/// up its outputs, or are read by it alone.
fn blocks(lines: &mut [Line]) {
    let mut names: Vec<String> = Vec::new();
    for line in lines.iter_mut().filter(|line| !line.tensors.is_empty()) {
        let Some(name) = block_of(&line.name) else { continue };
        let place = names.iter().position(|known| known == name).unwrap_or(names.len());
        if place == names.len() {
            names.push(name.to_owned());
        }
        line.block = Some(place);
    }
    for block in (0..names.len()).map(Some) {
        let of = |line: &Line| line.block == block;
        let (Some(first), Some(mut last)) = (lines.iter().position(of), lines.iter().rposition(of)) else { continue };
        // A branch may end in lines without tensors, the last of which adds the block's input.
        while let Some(next) = lines.get(last + 1) {
            let ends = matches!(next.op, Op::Arithmetic(_)) && next.reads.iter().any(|&read| read < first);
            let goes_on = next.reads.iter().all(|&read| (first..=last).contains(&read));
            let summed = lines[last + 1..].iter().take_while(|line| line.tensors.is_empty());
            let summed = summed.into_iter().any(|line| matches!(line.op, Op::Arithmetic(_)));
            if !next.tensors.is_empty() || !(ends || (goes_on && summed)) {
                break;
            }
            last += 1;
            if ends {
                break;
            }
        }
        lines[first..=last].iter_mut().filter(|line| line.tensors.is_empty()).for_each(|line| line.block = block);
    }
    let mut readers_of = vec![Vec::new(); lines.len()];
    lines.iter().enumerate().for_each(|(at, line)| line.reads.iter().for_each(|&read| readers_of[read].push(at)));
    for at in (0..lines.len().saturating_sub(1)).rev() {
        if lines[at].block.is_some() || !lines[at].tensors.is_empty() || lines[at].op == Op::Input {
            continue;
        }
        let mut readers = readers_of[at].iter().map(|&reader| lines[reader].block);
        let first = readers.next().flatten();
        if readers.all(|other| other == first) {
            lines[at].block = first;
        }
    }
}
