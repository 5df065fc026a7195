//! The product of two values as matrices, sample by sample.

use burn::tensor::{Tensor, TensorData};
use faer::MatRef;

use super::operation::{OpContext, OpResult};
use crate::model::Cotangent;
use crate::model::device::is_host;
use crate::model::product::{Values, multiply};
use crate::model::tape::Backward;
use crate::spec::ops::MatMul;

pub(super) fn run(at: &OpContext<'_>, mut inputs: Vec<Tensor<2>>) -> OpResult {
    let sizes = MatMul::sizes(&at.inputs).expect("the program was built with shapes that fit");
    let (b, a) = (inputs.remove(1), inputs.remove(0));
    let [n, _] = a.dims();
    let [products, rows, inner, columns] = sizes;
    let apart = |value: &Tensor<2>, [down, across]: [usize; 2]| value.clone().reshape([n, products, down, across]);
    let output = apart(&a, [rows, inner]).matmul(apart(&b, [inner, columns]));
    let output = output.reshape([n, products * rows * columns]);
    OpResult::new(at, output, || (Box::new(MatMulBackward { a, b, sizes }), None))
}

/// The backward pass of z = a b: the cotangents δ bᵀ and aᵀ δ.
struct MatMulBackward {
    a: Tensor<2>,
    b: Tensor<2>,
    /// As in [`MatMul::sizes`].
    sizes: [usize; 4],
}

impl Backward for MatMulBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let (directions, _) = cotangent.dims();
        let [products, rows, inner, columns] = self.sizes;
        let device = cotangent.device();
        if !is_host(&device) {
            let dense = cotangent.dense(n).reshape([n, directions, products, rows, columns]);
            let apart = |value: &Tensor<2>, [down, across]: [usize; 2]| {
                value.clone().reshape([n, 1, products, down, across]).swap_dims(3, 4)
            };
            let of_a = dense.clone().matmul(apart(&self.b, [inner, columns]));
            let of_b = apart(&self.a, [rows, inner]).matmul(dense);
            return vec![
                Cotangent::Dense(of_a.reshape([n, directions, products * rows * inner])),
                Cotangent::Dense(of_b.reshape([n, directions, products * inner * columns])),
            ];
        }
        let (a, b) = (Values::of(self.a.clone()), Values::of(self.b.clone()));
        let (left, right) = (products * rows * inner, products * inner * columns);
        let of_a = cotangent.clone().map_samples(
            n,
            directions * left,
            || (),
            |(), sample, dense, out| {
                let b = &b.slice()[sample * right..][..right];
                let pieces = dense.chunks_exact(rows * columns).zip(out.chunks_exact_mut(rows * inner));
                for (piece, (dense, out)) in pieces.enumerate() {
                    let b = &b[piece % products * inner * columns..][..inner * columns];
                    multiply(
                        (out, inner, 0),
                        MatRef::from_row_major_slice(dense, rows, columns),
                        MatRef::from_row_major_slice(b, inner, columns).transpose(),
                        false,
                    );
                }
            },
        );
        let of_b = cotangent.map_samples(
            n,
            directions * right,
            || (),
            |(), sample, dense, out| {
                let a = &a.slice()[sample * left..][..left];
                let pieces = dense.chunks_exact(rows * columns).zip(out.chunks_exact_mut(inner * columns));
                for (piece, (dense, out)) in pieces.enumerate() {
                    let a = &a[piece % products * rows * inner..][..rows * inner];
                    multiply(
                        (out, columns, 0),
                        MatRef::from_row_major_slice(a, rows, inner).transpose(),
                        MatRef::from_row_major_slice(dense, rows, columns),
                        false,
                    );
                }
            },
        );
        let made = |values, length| {
            Cotangent::Dense(Tensor::from_data(TensorData::new(values, [n, directions, length]), &device))
        };
        vec![made(of_a, left), made(of_b, right)]
    }
}
