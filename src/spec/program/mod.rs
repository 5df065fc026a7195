//! A network as its tensor program: one line for each variable, in the order in which they are computed, with the operation,
//! what it reads, the parameter tensors that enter it and its shape (the straight-line programs of *Tensor Programs* I–III).
//!
//! It is the one description of a network. Names, cost, memory, the picture, the infinite-width limit, initial weights, the
//! network on burn and the loading of weights are read off it, so none of them can speak of another network than the others.

mod builder;

pub use builder::{Builder, MOST_LINES, Shapes, Value};

use super::Layer;
use super::ops::{Arithmetic, Op, Parameter, PoolKind};

/// A network as a straight-line program; the last line is the logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub lines: Vec<Line>,
    /// All parameter tensors, in the order in which the forward pass comes by them first. A tensor that several lines read is
    /// there once.
    pub tensors: Vec<Parameter>,
}

/// One variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub op: Op,
    /// The layer's name, as in weights files; of an operation without parameters, none.
    pub name: String,
    /// The lines it is computed from; all earlier.
    pub reads: Vec<usize>,
    /// Its tensors, by their place in [`Program::tensors`], in the order in which its operation names them.
    pub tensors: Vec<usize>,
    /// Without the sample axis.
    pub shape: Vec<usize>,
    /// Of a network with numbered blocks (`blocks.0.…`, `layer1.0.…`), the one it stands in, from 0.
    pub block: Option<usize>,
    /// The line of the text that wrote it, from 1; none where no text did.
    pub written: Option<usize>,
}

impl Program {
    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.lines.iter().filter_map(|line| line.block).max().map_or(0, |last| last + 1)
    }

    /// The tensors of a line.
    pub fn tensors_of(&self, line: &Line) -> impl Iterator<Item = &Parameter> {
        line.tensors.iter().map(|&place| &self.tensors[place])
    }

    /// The shapes that a line reads.
    pub fn inputs_of(&self, line: &Line) -> Vec<&[usize]> {
        line.reads.iter().map(|&read| self.lines[read].shape.as_slice()).collect()
    }

    /// What the lines cost that cost more than a pass over what they read, in the order of the forward pass.
    pub fn layers(&self) -> Vec<Layer> {
        let uses = self.uses();
        let layer = |line: &Line| {
            let layer = line.op.operation()?.layer(&self.inputs_of(line))?;
            Some(if line.tensors.iter().any(|&tensor| uses[tensor] > 1) { layer.shared() } else { layer })
        };
        self.lines.iter().filter_map(layer).collect()
    }

    /// How many numbers a network of it stores, those of a tensor that several lines read once; without running statistics.
    pub fn parameters(&self) -> f64 {
        self.tensors.iter().filter(|tensor| !tensor.is_statistic()).map(Parameter::entries).sum()
    }

    /// Whether a line reads the image otherwise than as a list of numbers.
    pub fn reads_images(&self) -> bool {
        self.lines.iter().any(|line| line.reads.contains(&0) && !line.op.flattens())
    }

    /// Whether a line reads squares of pixels, which points and lists of numbers do not have.
    pub fn has_windows(&self) -> bool {
        self.lines.iter().any(|line| line.op.has_windows())
    }

    /// Whether windows of pixels become one in this way.
    pub fn pools(&self, kind: PoolKind) -> bool {
        self.lines.iter().any(|line| line.op.pools() == Some(kind))
    }

    /// The share that its training and its kernels reach of the speed of large matrix products, roughly: small products, and what
    /// is done entry by entry between them. Measured on the usual sizes of five networks, one epoch and a half with 80 probes.
    pub fn reaches(&self) -> f64 {
        self.lines.iter().map(|line| line.op.reaches()).fold(0.4, f64::min)
    }

    /// Whether training computes otherwise than evaluation does: with the statistics of a batch, or without some numbers.
    pub fn is_other_in_training(&self) -> bool {
        self.lines.iter().any(|line| line.op.is_other_in_training())
    }

    /// How many lines read each tensor: more than one where it is shared.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.tensors.len()];
        self.lines.iter().flat_map(|line| &line.tensors).for_each(|&tensor| uses[tensor] += 1);
        uses
    }

    /// Whether a value goes around a line that has tensors and is added to what comes of it.
    pub fn has_residual(&self) -> bool {
        // Of each line, the lines that it is made of by way of tensors.
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

    /// Its layers from the images to the logits, as weights files name them; a block counts as one. The last one is the head.
    pub fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        for line in self.lines.iter().filter(|line| !line.tensors.is_empty()) {
            let part = block_of(&line.name).unwrap_or(&line.name);
            if !parts.iter().any(|known| known == part) {
                parts.push(part.to_owned());
            }
        }
        parts
    }
}

/// `blocks.0` of `blocks.0.fc1`: everything up to the last number that other parts follow.
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

/// Which block each line stands in: lines with tensors by their names; the others where they lie between such lines of a block,
/// add up what it gives, or are read by it alone.
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
        // A branch may end in lines without tensors, the last of which is a sum with what the block was given.
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
