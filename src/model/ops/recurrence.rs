//! The recurrence h_t = φ(c_w h_{t−1} W + u_t), h_0 = 0, with c_w of the parametrisation. It has no bias, because u_t has
//! one; files of PyTorch have a second one here, c_b b.
//!
//! In the kernel, z_t = c_w W h_{t−1} + u_t at each time t counts as an affine layer of h_{t−1} without a bias. The
//! cotangent there is the total derivative with respect to z_t, so the backward pass of the recurrence is back-propagation
//! through time.

use burn::tensor::Tensor;

use super::dense::scaled;
use super::function::{apply, slope};
use super::operation::{IdentityBackward, OpContext, OpResult, Step};
use crate::model::Cotangent;
use crate::model::product::times;
use crate::model::tape::{Backward, Input, ParameterUse};
use crate::spec::ops::Recurrence;

pub(super) fn run(op: &Recurrence, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let (count, width) = (at.inputs[0][0], at.inputs[0][1]);
    let [n, _] = input.dims();
    let (gain, bias_gain) = at.gains;
    let weight = at.matrix(0, [width, width]);
    let bias = at.weights.get(1).map(|bias| bias.clone().unsqueeze::<2>() * bias_gain);
    let input = input.reshape([n, count, width]);
    let mut state = Tensor::<2>::zeros([n, width], &input.device());
    // h_{t−1} and z_t, for t from 1.
    let (mut before, mut sums) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for time in 0..count {
        let mut sum = input.clone().narrow(1, time, 1).reshape([n, width]);
        if let Some(bias) = &bias {
            sum = sum + bias.clone();
        }
        if time > 0 {
            sum = sum + scaled(state.clone(), weight.clone(), false, gain);
        }
        before.push(state);
        state = apply(&op.function, sum.clone());
        sums.push(sum);
    }
    let mut done = OpResult::plain(state);
    if at.recording {
        let view = ParameterUse::Affine {
            input: Input::Rows(Tensor::stack(before, 1)),
            fan_out: width,
            channels_first: false,
            transposed: false,
            weight_gain: gain,
            bias_gain,
        };
        let slopes = slope(&op.function, Tensor::stack::<3>(sums.clone(), 1));
        // A step that outputs z_t at every t, and the backward pass from the last state to it.
        let tap = at.tap(view);
        done.steps.push(Step { backward: Box::new(IdentityBackward), tap });
        done.steps.push(Step { backward: Box::new(ThroughTime { weight, gain, slopes }), tap: None });
    }
    if at.checking {
        done.hidden = sums;
    }
    done
}

/// The backward pass δh_T ↦ (δz_1 … δz_T): δz_T = δh_T ∘ φ′(z_T), δz_t = (c_w δz_{t+1} Wᵀ) ∘ φ′(z_t).
struct ThroughTime {
    weight: Tensor<2>,
    gain: f64,
    /// φ′(z_t), [n, times, width].
    slopes: Tensor<3>,
}

impl Backward for ThroughTime {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let [_, count, width] = self.slopes.dims();
        let mut arriving = cotangent.dense(n);
        let [_, directions, _] = arriving.dims();
        let mut pulled = Vec::with_capacity(count);
        for time in (0..count).rev() {
            let here = arriving * self.slopes.clone().narrow(1, time, 1);
            arriving = if time > 0 {
                let rows = here.clone().reshape([n * directions, width]);
                times(rows, self.weight.clone(), true, self.gain).reshape([n, directions, width])
            } else {
                here.clone()
            };
            pulled.push(here);
        }
        pulled.reverse();
        let all = Tensor::stack::<4>(pulled, 2);
        vec![Cotangent::Dense(all.reshape([n, directions, count * width]))]
    }
}
