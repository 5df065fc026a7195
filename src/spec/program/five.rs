//! The five kinds of network as programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Builder, Program, Value};
use crate::spec::ops::{
    Arithmetic, Attention, Conv, Dense, Function, Norm as NormOp, NormKind, Op, Patches, Pool as PoolOp, PoolKind,
    Positions, Rearrange, Recurrence, Reduce, Reduction,
};
use crate::spec::{BLOCKS, DEPTHS, Head, NetworkKind, NetworkSpec, Norm, Pool};

impl NetworkSpec {
    /// The program of this network for images [channels, height, width] and so many logits.
    ///
    /// # Errors
    /// When there is none, says why in one sentence.
    pub fn program(&self, image: [usize; 3], classes: usize) -> Result<Program, String> {
        self.written(Builder::new(image), classes)
    }

    /// The program of the network of this spec in a weights file with tensors of these names and shapes.
    ///
    /// # Errors
    /// When these do not fit each other, says which.
    pub fn adopting(&self, image: [usize; 3], tensors: &Arc<BTreeMap<String, Vec<usize>>>) -> Result<Program, String> {
        self.written(Builder::adopting(image, tensors), 1)
    }

    fn written(&self, builder: Builder, classes: usize) -> Result<Program, String> {
        let mut writer = Writer { builder, network: self };
        let logits = match self.kind {
            NetworkKind::Mlp => writer.mlp(classes),
            NetworkKind::Cnn => writer.cnn(classes),
            NetworkKind::ResMlp => writer.resmlp(classes),
            NetworkKind::Transformer => writer.transformer(classes),
            NetworkKind::Rnn => writer.rnn(classes),
        }?;
        writer.builder.finish(logits, classes)
    }
}

struct Writer<'a> {
    builder: Builder,
    network: &'a NetworkSpec,
}

type Written = Result<Value, String>;

impl Writer<'_> {
    fn mlp(&mut self, classes: usize) -> Written {
        let width = self.network.nominal();
        let x = self.flat(self.builder.input())?;
        let mut rows = self.dense("fc1", x, width)?;
        let depth = self.network.depth.min(*DEPTHS.end());
        for place in 1..=depth {
            if self.network.norm() == Norm::Layer {
                rows = self.norm(&format!("ln{place}"), rows)?;
            }
            rows = self.act(rows)?;
            let outputs = if place == depth { classes } else { width };
            rows = self.dense(&format!("fc{}", place + 1), rows, outputs)?;
        }
        Ok(rows)
    }

    fn cnn(&mut self, classes: usize) -> Written {
        let width = self.network.nominal();
        let behind: &[usize] =
            if self.network.depth == 2 { &[width, 2 * width] } else { &[width, width, 2 * width, 2 * width] };
        let mut maps = self.builder.input();
        for (place, &channels) in behind.iter().enumerate() {
            let conv = Conv {
                channels,
                kernel: [3; 2],
                stride: [1; 2],
                padding: [1; 2],
                dilation: [1; 2],
                groups: 1,
                bias: true,
            };
            maps = self.builder.line(Op::Conv(conv), &format!("conv{}", place + 1), &[maps])?;
            maps = self.act(maps)?;
            let kind = match self.network.pool {
                Pool::None => continue,
                Pool::Max => PoolKind::Max,
                Pool::Avg => PoolKind::Avg,
            };
            if (place + 1) % (behind.len() / 2) == 0 {
                let pool = PoolOp { kind, size: [2; 2], stride: [2; 2], padding: [0; 2] };
                maps = self.builder.line(Op::Pool(pool), "", &[maps])?;
            }
        }
        let features = match self.network.head {
            Head::Flatten => self.flat(maps)?,
            Head::Mean => self.mean(maps)?,
        };
        self.dense("fc", features, classes)
    }

    fn resmlp(&mut self, classes: usize) -> Written {
        let width = self.network.nominal();
        let x = self.flat(self.builder.input())?;
        let mut stream = self.dense("embed", x, width)?;
        let plain = self.network.norm() == Norm::None;
        for at in 0..self.network.blocks.min(*BLOCKS.end()) {
            let block = format!("blocks.{at}");
            if plain {
                let inner = self.act(stream)?;
                let inner = self.dense(&format!("{block}.fc"), inner, width)?;
                stream = self.add(stream, inner)?;
            } else {
                let inner = self.norm(&format!("{block}.ln"), stream)?;
                stream = self.think(&block, stream, inner)?;
            }
        }
        let last = if plain { self.act(stream)? } else { self.norm("ln_f", stream)? };
        self.dense("head", last, classes)
    }

    fn transformer(&mut self, classes: usize) -> Written {
        let (width, heads) = (self.network.nominal(), self.network.heads);
        let patches = Op::Patches(Patches { side: self.network.patch });
        let tokens = self.builder.line(patches, "", &[self.builder.input()])?;
        let embedded = self.dense("embed", tokens, width)?;
        let mut stream = self.builder.line(Op::Positions(Positions), "pos", &[embedded])?;
        for at in 0..self.network.blocks.min(*BLOCKS.end()) {
            let block = format!("blocks.{at}");
            let inner = self.norm(&format!("{block}.ln1"), stream)?;
            let q = self.dense(&format!("{block}.attn.q"), inner, width)?;
            let k = self.dense(&format!("{block}.attn.k"), inner, width)?;
            let v = self.dense(&format!("{block}.attn.v"), inner, width)?;
            let mixed = self.builder.line(Op::Attention(Attention { heads, masked: false }), "", &[q, k, v])?;
            let added = self.dense(&format!("{block}.attn.o"), mixed, width)?;
            stream = self.add(stream, added)?;
            let inner = self.norm(&format!("{block}.ln2"), stream)?;
            stream = self.think(&block, stream, inner)?;
        }
        let last = self.norm("ln_f", stream)?;
        let mean = self.mean(last)?;
        self.dense("head", mean, classes)
    }

    fn rnn(&mut self, classes: usize) -> Written {
        let &[channels, height, width] = self.builder.shape(self.builder.input()) else { return Err(String::new()) };
        let turned = Op::Rearrange(Rearrange::Transpose(vec![1, 0, 2]));
        let rows = self.builder.line(turned, "", &[self.builder.input()])?;
        let rows = self.builder.line(Op::Rearrange(Rearrange::Reshape(vec![height, channels * width])), "", &[rows])?;
        let outputs = self.network.nominal();
        let into = Dense { outputs, bias: true, transposed: false, into_recurrence: true };
        let sums = self.builder.line(Op::Dense(into), "rnn", &[rows])?;
        let function = Function::Activation(self.network.activation);
        let last = self.builder.line(Op::Recurrence(Recurrence { function, bias: false }), "rnn", &[sums])?;
        self.dense("head", last, classes)
    }

    /// The stream plus fc2(act(fc1(inner))).
    fn think(&mut self, block: &str, stream: Value, inner: Value) -> Written {
        let width = self.network.nominal();
        let inner = self.dense(&format!("{block}.fc1"), inner, 2 * width)?;
        let inner = self.act(inner)?;
        let inner = self.dense(&format!("{block}.fc2"), inner, width)?;
        self.add(stream, inner)
    }

    fn dense(&mut self, name: &str, from: Value, outputs: usize) -> Written {
        let dense = Dense { outputs, bias: true, transposed: false, into_recurrence: false };
        self.builder.line(Op::Dense(dense), name, &[from])
    }

    fn norm(&mut self, name: &str, from: Value) -> Written {
        self.builder.line(Op::Norm(NormOp { kind: NormKind::Layer, bias: true }), name, &[from])
    }

    fn act(&mut self, from: Value) -> Written {
        self.builder.line(Op::Function(Function::Activation(self.network.activation)), "", &[from])
    }

    fn add(&mut self, a: Value, b: Value) -> Written {
        self.builder.line(Op::Arithmetic(Arithmetic::Add), "", &[a, b])
    }

    fn mean(&mut self, from: Value) -> Written {
        self.builder.line(Op::Reduce(Reduce { reduction: Reduction::Mean }), "", &[from])
    }

    fn flat(&mut self, from: Value) -> Written {
        self.builder.line(Op::Rearrange(Rearrange::Flatten), "", &[from])
    }
}
