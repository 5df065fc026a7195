//! Programs that tests write with the builder, in few letters.

use kernelscope::spec::ops::{Arithmetic, Dense, Function, Norm, NormKind, Op, Rearrange, Reduce, Reduction};
use kernelscope::spec::{Activation, Builder, Program, Value};

/// A program that is being written; its layers are numbered.
pub struct Text {
    builder: Builder,
    layers: usize,
}

impl Text {
    /// The program of so many logits for images [channels, height, width] that `write` makes of the image.
    pub fn of(image: [usize; 3], logits: usize, write: impl FnOnce(&mut Self, Value) -> Value) -> Program {
        let mut text = Self { builder: Builder::new(image), layers: 0 };
        let x = text.builder.input();
        let last = write(&mut text, x);
        text.builder.finish(last, logits).unwrap()
    }

    /// A dense layer of so many outputs, with a bias or without.
    pub fn affine(&mut self, outputs: usize, bias: bool, v: Value) -> Value {
        self.line(dense(outputs, bias), &[v])
    }

    pub fn line(&mut self, op: Op, reads: &[Value]) -> Value {
        self.layers += 1;
        let name = format!("layer{}", self.layers);
        self.builder.line(op, &name, reads).unwrap()
    }

    pub fn named(&mut self, op: Op, name: &str, reads: &[Value]) -> Value {
        self.builder.line(op, name, reads).unwrap()
    }

    pub fn act(&mut self, activation: Activation, v: Value) -> Value {
        self.line(Op::Function(Function::Activation(activation)), &[v])
    }

    pub fn relu(&mut self, v: Value) -> Value {
        self.act(Activation::Relu, v)
    }

    pub fn erf(&mut self, v: Value) -> Value {
        self.act(Activation::Erf, v)
    }

    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.line(Op::Arithmetic(Arithmetic::Add), &[a, b])
    }

    pub fn times(&mut self, a: Value, b: Value) -> Value {
        self.line(Op::Arithmetic(Arithmetic::Multiply), &[a, b])
    }

    pub fn norm(&mut self, kind: NormKind, v: Value) -> Value {
        self.line(Op::Norm(Norm { bias: true, ..Norm::of(kind) }), &[v])
    }

    pub fn flat(&mut self, v: Value) -> Value {
        self.line(Op::Rearrange(Rearrange::Flatten), &[v])
    }

    pub fn mean(&mut self, v: Value) -> Value {
        self.line(Op::Reduce(Reduce { reduction: Reduction::Mean }), &[v])
    }

    pub fn moved(&mut self, rearrange: Rearrange, v: Value) -> Value {
        self.line(Op::Rearrange(rearrange), &[v])
    }

    /// [c, h, w] as [h, c·w].
    pub fn rows(&mut self, v: Value) -> Value {
        let &[c, h, w] = self.builder.shape(v) else { unreachable!() };
        let turned = self.moved(Rearrange::Transpose(vec![1, 0, 2]), v);
        self.moved(Rearrange::Reshape(vec![h, c * w]), turned)
    }
}

/// A dense layer.
pub fn dense(outputs: usize, bias: bool) -> Op {
    Op::Dense(Dense { outputs, bias, transposed: false, into_recurrence: false })
}
