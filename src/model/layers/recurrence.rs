//! The recurrence h_t = φ(c_w h_{t−1} W + u_t), h_0 = 0, with c_w of the parametrisation. It has no bias of its own, because u_t
//! has one; files of PyTorch have a second one here, c_b b.
//!
//! The kernel sees z_t = c_w W h_{t−1} + u_t at every time t as an affine layer of h_{t−1} without a bias. The cotangent that
//! passes there is that of z_t in all it does, so the way back through the recurrence is back-propagation through time.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::affine::scaled;
use crate::model::product::times;
use crate::model::source::{Source, WeightsError};
use crate::model::steps::slope;
use crate::model::tape::{Backward, Tap, View};
use crate::model::{Cotangent, activate};
use crate::spec::Activation;

/// One recurrence of `width` units.
#[derive(Module, Debug)]
pub struct Recurrence {
    /// [width, width]; files hold its transpose, as PyTorch does.
    pub weight: Param<Tensor<2>>,
    /// `[width]`, in files of PyTorch.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    gain: f64,
    #[module(skip)]
    bias_gain: f64,
}

impl Recurrence {
    /// The recurrence whose weight and bias have these names, with the values that `source` has for them.
    pub fn named(
        [weight, bias]: [&str; 2],
        width: usize,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let values = source.matrix(weight, width, width)?;
        let weight = Param::from_tensor(Tensor::from_data(TensorData::new(values, [width, width]), device));
        let bias = source.extra(bias, &[width])?;
        let bias = bias.map(|bias| Param::from_tensor(Tensor::from_data(TensorData::new(bias, [width]), device)));
        let (gain, bias_gain) = source.gains(width);
        Ok(Self { weight, bias, gain, bias_gain })
    }

    /// The states and what they are functions of, for u of [n, times, width].
    pub fn apply(&self, input: Tensor<3>, activation: Activation) -> Course {
        let [n, times, width] = input.dims();
        let bias = self.bias.as_ref().map(|bias| bias.val().unsqueeze::<2>() * self.bias_gain);
        let mut state = Tensor::<2>::zeros([n, width], &input.device());
        let (mut before, mut sums) = (Vec::with_capacity(times), Vec::with_capacity(times));
        for time in 0..times {
            let mut sum = input.clone().narrow(1, time, 1).reshape([n, width]);
            if let Some(bias) = &bias {
                sum = sum + bias.clone();
            }
            if time > 0 {
                sum = sum + scaled(state.clone(), self.weight.val(), self.gain);
            }
            before.push(state);
            state = activate(activation, sum.clone());
            sums.push(sum);
        }
        Course { before, sums, last: state }
    }

    /// z_t, one time after another.
    pub fn sums(course: &Course) -> impl Iterator<Item = &Tensor<2>> {
        course.sums.iter()
    }

    /// What the kernel sees of the recurrence: an identity step behind which z_t passes, at every t.
    pub(in crate::model) fn tap(&self, name: &str, [weight, bias]: [&str; 2], course: &Course) -> Tap {
        let view = View::Affine {
            input: Tensor::stack(course.before.clone(), 1),
            fan_out: self.weight.val().dims()[1],
            channels_first: false,
            weight_gain: self.gain,
            bias_gain: self.bias_gain,
        };
        let mut tensors = vec![weight.to_owned()];
        tensors.extend(self.bias.is_some().then(|| bias.to_owned()));
        Tap { name: name.to_owned(), tensors, view }
    }

    pub(in crate::model) fn way_back(&self, course: &Course, activation: Activation) -> Box<dyn Backward> {
        let slopes = slope(Tensor::stack::<3>(course.sums.clone(), 1), |z| activate(activation, z));
        Box::new(ThroughTime { weight: self.weight.val(), gain: self.gain, slopes })
    }
}

/// A recurrence as it went.
pub struct Course {
    /// h_{t−1}, [n, width] each, for t from 1.
    before: Vec<Tensor<2>>,
    /// z_t, [n, width] each.
    sums: Vec<Tensor<2>>,
    /// The last state, [n, width].
    pub last: Tensor<2>,
}

/// δh_T ↦ (δz_1 … δz_T): δz_T = δh_T ∘ φ′(z_T), δz_t = (c_w δz_{t+1} Wᵀ) ∘ φ′(z_t).
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
