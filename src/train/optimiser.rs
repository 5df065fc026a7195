//! The optimisers, and how one moves to another device with its state.

use std::sync::Arc;

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdamConfig, DynOptimizer, DynState, LearningRate, ModuleOptimizer, Optimizer, SgdConfig, StateSink, StateSource,
};
use burn::tensor::Device;
use burn::tensor::kind::BridgeTensor;

use crate::spec::{Optimiser, TrainingSpec};

/// The optimiser of this spec, without a state; one that is given to it lands on this device.
pub(super) fn optimiser(training: &TrainingSpec, device: &Device) -> ModuleOptimizer {
    let decay = (training.weight_decay > 0.0).then_some(WeightDecayConfig { penalty: training.weight_decay as f32 });
    match training.optimiser {
        // Dampening 0, as in PyTorch; burn's default is 0.1.
        Optimiser::Sgd => {
            let momentum = (training.momentum > 0.0).then_some(MomentumConfig {
                momentum: training.momentum,
                dampening: 0.0,
                nesterov: false,
            });
            on(device, SgdConfig::new().with_momentum(momentum).with_weight_decay(decay).build())
        }
        // ε as in PyTorch.
        Optimiser::Adam => on(device, AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).build()),
    }
}

fn on<O: Optimizer>(device: &Device, rule: O) -> ModuleOptimizer {
    let here = On { rule: Arc::new(rule.clone()), device: device.clone() };
    // The first rule is only burn's fallback: the last group that fits a parameter counts.
    ModuleOptimizer::from(rule).with_group(ParamGroup::all(), here, None)
}

/// A rule whose loaded state lands on a given device. burn would put it on its default device, which is the GPU, even where
/// that has just been lost.
struct On {
    rule: Arc<dyn DynOptimizer>,
    device: Device,
}

impl DynOptimizer for On {
    fn step_dyn(
        &self,
        rank: usize,
        rate: LearningRate,
        tensor: BridgeTensor,
        gradient: BridgeTensor,
        state: Option<DynState>,
    ) -> (BridgeTensor, Option<DynState>) {
        self.rule.step_dyn(rank, rate, tensor, gradient, state)
    }

    fn to_device_dyn(&self, state: DynState, device: &Device) -> DynState {
        self.rule.to_device_dyn(state, device)
    }

    fn state_flatten(&self, prefix: &str, state: &DynState, out: &mut StateSink) {
        self.rule.state_flatten(prefix, state, out);
    }

    fn state_unflatten(&self, rank: usize, prefix: &str, from: &mut StateSource, _: &Device) -> Option<DynState> {
        self.rule.state_unflatten(rank, prefix, from, &self.device)
    }
}
