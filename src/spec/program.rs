//! A network as its tensor program: one line for each variable, in the order in which they are computed, with what it is
//! computed from and the parameter tensors that enter it (the straight-line programs of *Tensor Programs* I–III).
//!
//! Read off the spec alone, so that the window can draw a network that has not been built yet. Guarantee: the tensors of all
//! lines are those of the real network by name and shape, in the order in which its forward pass comes by them (a test holds
//! it against them); an entry of the kernel then belongs to a line of the picture and to no other.

use super::{Activation, Head, NetworkKind, NetworkSpec, Norm, Pool};

/// A network as a straight-line program; the last line is the logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub lines: Vec<Line>,
}

/// One variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub step: Step,
    /// The layer's name, as in weights files; of a step without parameters, none.
    pub name: String,
    /// The lines it is computed from; all earlier.
    pub reads: Vec<usize>,
    pub tensors: Vec<Parameter>,
    /// Of a residual network, the block it stands in, from 0.
    pub block: Option<usize>,
}

/// How a line is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The image, or its patches.
    Input,
    /// W x + b (NETSOR⊤: MatMul), at every place that the variable has.
    Product,
    /// The same on the 3 × 3 neighbourhood of every pixel.
    Convolution,
    /// Coordinate by coordinate (NETSOR⊤: Nonlin).
    Nonlinearity(Activation),
    /// γ ∘ (x − mean)/deviation + β (Nonlin with moments).
    Norm,
    /// x + p, the same for every image.
    Offset,
    /// h_t = φ(W h_{t−1} + u_t), the same W at every time; the last state goes on.
    Recurrence(Activation),
    /// What becomes of 2 × 2 pixels.
    Pool(Pool),
    /// The mean over pixels or tokens.
    Mean,
    /// softmax(q k′) v, head by head.
    Attention,
    /// The stream plus what a block adds.
    Sum,
}

/// A parameter tensor, named and laid out as in weights files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
}

impl Parameter {
    /// The last part of its name: `weight`, `bias`, or the whole where there is but one.
    pub fn part(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

impl Program {
    /// How many residual blocks there are.
    pub fn blocks(&self) -> usize {
        self.lines.iter().filter_map(|line| line.block).max().map_or(0, |last| last + 1)
    }

    /// All parameter tensors, in the order of the forward pass.
    pub fn tensors(&self) -> impl Iterator<Item = &Parameter> {
        self.lines.iter().flat_map(|line| &line.tensors)
    }
}

impl NetworkSpec {
    /// The program of this network for images [channels, height, width] and so many logits.
    pub fn program(&self, image: [usize; 3], classes: usize) -> Program {
        let mut writer = Writer { lines: Vec::new(), block: None };
        let images = writer.line(Step::Input, "", &[], Vec::new());
        let (width, inputs) = (self.width, image.iter().product());
        match self.kind {
            NetworkKind::Mlp => {
                let mut rows = writer.product("fc1", images, inputs, width);
                for place in 1..=self.depth {
                    if self.norm() == Norm::Layer {
                        rows = writer.norm(&format!("ln{place}"), rows, width);
                    }
                    rows = writer.apply(Step::Nonlinearity(self.activation), rows);
                    let outputs = if place == self.depth { classes } else { width };
                    rows = writer.product(&format!("fc{}", place + 1), rows, width, outputs);
                }
            }
            NetworkKind::Cnn => self.convolutional(&mut writer, images, image, classes),
            NetworkKind::ResMlp if self.norm() == Norm::None => {
                let mut stream = writer.product("embed", images, inputs, width);
                for at in 0..self.blocks {
                    writer.block = Some(at);
                    let inner = writer.apply(Step::Nonlinearity(self.activation), stream);
                    let inner = writer.product(&format!("blocks.{at}.fc"), inner, width, width);
                    stream = writer.line(Step::Sum, "", &[stream, inner], Vec::new());
                }
                writer.block = None;
                let last = writer.apply(Step::Nonlinearity(self.activation), stream);
                writer.product("head", last, width, classes);
            }
            NetworkKind::ResMlp => {
                let mut stream = writer.product("embed", images, inputs, width);
                for at in 0..self.blocks {
                    writer.block = Some(at);
                    let inner = writer.norm(&format!("blocks.{at}.ln"), stream, width);
                    stream = self.think(&mut writer, &format!("blocks.{at}"), (stream, inner));
                }
                writer.block = None;
                let last = writer.norm("ln_f", stream, width);
                writer.product("head", last, width, classes);
            }
            NetworkKind::Transformer => {
                let tokens = self.tokens(image);
                let embedded = writer.product("embed", images, image[0] * self.patch * self.patch, width);
                let pos = Parameter { name: "pos".to_owned(), shape: vec![tokens, width] };
                let mut stream = writer.line(Step::Offset, "pos", &[embedded], vec![pos]);
                for at in 0..self.blocks {
                    writer.block = Some(at);
                    let name = |part: &str| format!("blocks.{at}.{part}");
                    let inner = writer.norm(&name("ln1"), stream, width);
                    let [q, k, v] =
                        ["q", "k", "v"].map(|of| writer.product(&name(&format!("attn.{of}")), inner, width, width));
                    let mixed = writer.line(Step::Attention, "", &[q, k, v], Vec::new());
                    let added = writer.product(&name("attn.o"), mixed, width, width);
                    stream = writer.line(Step::Sum, "", &[stream, added], Vec::new());
                    let inner = writer.norm(&name("ln2"), stream, width);
                    stream = self.think(&mut writer, &format!("blocks.{at}"), (stream, inner));
                }
                writer.block = None;
                let last = writer.norm("ln_f", stream, width);
                let mean = writer.apply(Step::Mean, last);
                writer.product("head", mean, width, classes);
            }
            NetworkKind::Rnn => {
                let tensor = |name: &str, shape| Parameter { name: name.to_owned(), shape };
                let into =
                    vec![tensor("rnn.weight_ih", vec![width, image[0] * image[2]]), tensor("rnn.bias_ih", vec![width])];
                let rows = writer.line(Step::Product, "rnn", &[images], into);
                let around = vec![tensor("rnn.weight_hh", vec![width, width])];
                let last = writer.line(Step::Recurrence(self.activation), "rnn", &[rows], around);
                writer.product("head", last, width, classes);
            }
        }
        Program { lines: writer.lines }
    }

    /// The stream plus fc2(act(fc1(inner))).
    fn think(&self, writer: &mut Writer, block: &str, (stream, inner): (usize, usize)) -> usize {
        let width = self.width;
        let hidden = width.saturating_mul(2);
        let inner = writer.product(&format!("{block}.fc1"), inner, width, hidden);
        let inner = writer.apply(Step::Nonlinearity(self.activation), inner);
        let inner = writer.product(&format!("{block}.fc2"), inner, hidden, width);
        writer.line(Step::Sum, "", &[stream, inner], Vec::new())
    }

    fn convolutional(&self, writer: &mut Writer, images: usize, [channels, height, width]: [usize; 3], classes: usize) {
        let wide = self.width.saturating_mul(2);
        let behind: &[usize] =
            if self.depth == 2 { &[self.width, wide] } else { &[self.width, self.width, wide, wide] };
        let (mut maps, mut from) = (images, channels);
        for (place, &to) in behind.iter().enumerate() {
            maps = writer.convolution(&format!("conv{}", place + 1), maps, from, to);
            maps = writer.apply(Step::Nonlinearity(self.activation), maps);
            if self.pool != Pool::None && (place + 1) % (behind.len() / 2) == 0 {
                maps = writer.apply(Step::Pool(self.pool), maps);
            }
            from = to;
        }
        let places = match self.head {
            Head::Flatten if self.pool == Pool::None => height * width,
            Head::Flatten => (height / 4) * (width / 4),
            Head::Mean => {
                maps = writer.apply(Step::Mean, maps);
                1
            }
        };
        writer.product("fc", maps, from.saturating_mul(places), classes);
    }
}

/// Writes a program line by line.
struct Writer {
    lines: Vec<Line>,
    block: Option<usize>,
}

impl Writer {
    fn line(&mut self, step: Step, name: &str, reads: &[usize], tensors: Vec<Parameter>) -> usize {
        self.lines.push(Line { step, name: name.to_owned(), reads: reads.to_vec(), tensors, block: self.block });
        self.lines.len() - 1
    }

    fn apply(&mut self, step: Step, from: usize) -> usize {
        self.line(step, "", &[from], Vec::new())
    }

    fn product(&mut self, name: &str, from: usize, fan_in: usize, fan_out: usize) -> usize {
        self.line(Step::Product, name, &[from], pair(name, vec![fan_out, fan_in], fan_out))
    }

    fn convolution(&mut self, name: &str, from: usize, channels: usize, maps: usize) -> usize {
        self.line(Step::Convolution, name, &[from], pair(name, vec![maps, channels, 3, 3], maps))
    }

    fn norm(&mut self, name: &str, from: usize, width: usize) -> usize {
        self.line(Step::Norm, name, &[from], pair(name, vec![width], width))
    }
}

/// Weight and bias of a layer.
fn pair(name: &str, weight: Vec<usize>, bias: usize) -> Vec<Parameter> {
    let tensor = |part: &str, shape| Parameter { name: format!("{name}.{part}"), shape };
    vec![tensor("weight", weight), tensor("bias", vec![bias])]
}
