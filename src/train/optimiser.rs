//! Builds the optimisers, their transfer to another device with their state, and the diagonal by which they scale a gradient.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{ParamGroup, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdamConfig, AdamWConfig, DynOptimizer, DynState, LearningRate, LionConfig, ModuleOptimizer, Optimizer,
    RmsPropConfig, SgdConfig, StateSink, StateSource,
};
use burn::tensor::Device;
use burn::tensor::kind::BridgeTensor;

use crate::spec::{Optimiser, TrainingSpec};

/// Returns the optimiser of this spec, without a state; a state loaded into it is placed on this device.
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
        Optimiser::Adam => {
            let config = AdamConfig::new().with_beta_1(0.9).with_beta_2(BETA_2).with_epsilon(EPSILON);
            on(device, config.with_weight_decay(decay).build())
        }
        Optimiser::AdamW => {
            let config = AdamWConfig::new().with_beta_1(0.9).with_beta_2(BETA_2).with_epsilon(EPSILON);
            on(device, config.with_weight_decay(training.weight_decay as f32).build())
        }
        Optimiser::RmsProp => {
            let config = RmsPropConfig::new().with_alpha(ALPHA).with_epsilon(EPSILON);
            on(device, config.with_momentum(training.momentum as f32).with_weight_decay(decay).build())
        }
        Optimiser::Lion => {
            let config = LionConfig::new().with_beta_1(0.9).with_beta_2(0.99);
            on(device, config.with_weight_decay(training.weight_decay as f32).build())
        }
    }
}

/// Adam's β₂, RMSprop's α, and ε of both, as in PyTorch.
const BETA_2: f32 = 0.999;
const ALPHA: f32 = 0.99;
const EPSILON: f32 = 1e-8;

/// Returns the current diagonal of P, 1/(√v̂ + ε), for every parameter that has had a step: of Adam and AdamW with v̂ =
/// v/(1 − β₂^t), of RMSprop with v̂ = v. A parameter whose gradient was 0 in each of them has v = 0 and never moved: its entry
/// is 0, not 10⁸.
pub(super) fn diagonal(optimiser: &ModuleOptimizer) -> HashMap<ParamId, Vec<f32>> {
    let found = Arc::default();
    let reading = StateReader(Arc::clone(&found));
    // burn's record has no accessors: it is loaded into a rule that only reads it.
    let reader = ModuleOptimizer::from(AdamConfig::new().build()).with_group(ParamGroup::all(), reading, None);
    drop(reader.load_record(optimiser.to_record()));
    std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A rule that reads the mean squares of the gradients from the states that are loaded into it, and stores none.
struct StateReader(Arc<Mutex<HashMap<ParamId, Vec<f32>>>>);

impl DynOptimizer for StateReader {
    fn step_dyn(
        &self,
        _: usize,
        _: LearningRate,
        tensor: BridgeTensor,
        _: BridgeTensor,
        _: Option<DynState>,
    ) -> (BridgeTensor, Option<DynState>) {
        (tensor, None)
    }

    fn to_device_dyn(&self, state: DynState, _: &Device) -> DynState {
        state
    }

    fn state_flatten(&self, _: &str, _: &DynState, _: &mut StateSink) {}

    fn state_unflatten(&self, _: usize, prefix: &str, from: &mut StateSource, _: &Device) -> Option<DynState> {
        let id = ParamId::from(prefix.parse::<u64>().ok()?);
        let moments = format!("{prefix}.momentum");
        let (seen, second) = match from.take_scalar(&moments, "time") {
            Some(steps) => {
                let steps = usize::try_from(steps).ok()?;
                let seen = 1.0 - f64::from(BETA_2).powi(i32::try_from(steps).unwrap_or(i32::MAX));
                (seen, from.take_tensor(&moments, "moment_2")?)
            }
            None => (1.0, from.take_tensor(&format!("{prefix}.square_avg"), "square_avg")?),
        };
        let weight = |v: f32| {
            let root = (f64::from(v) / seen).sqrt();
            if v > 0.0 { (1.0 / (root + f64::from(EPSILON))) as f32 } else { 0.0 }
        };
        let diagonal = second.iter::<f32>().map(weight).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, diagonal);
        None
    }
}

fn on<O: Optimizer>(device: &Device, rule: O) -> ModuleOptimizer {
    let here = OnDevice { rule: Arc::new(rule.clone()), device: device.clone() };
    // The first rule is only burn's fallback: the last group that fits a parameter applies.
    ModuleOptimizer::from(rule).with_group(ParamGroup::all(), here, None)
}

/// A rule whose loaded state is placed on a given device. burn would put it on its default device, which is the GPU, even
/// if that has just been lost.
struct OnDevice {
    rule: Arc<dyn DynOptimizer>,
    device: Device,
}

impl DynOptimizer for OnDevice {
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
