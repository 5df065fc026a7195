//! Declares learning experiments: the learners that a study compares and the protocol they follow. Such a study measures
//! whose test error falls faster with more data (*Limitations of the NTK*, Vyas, Bansal, Nakkiran 2022).
//!
//! A run of such a study is one number n of samples with one seed; every learner gets the same samples. All choose their
//! hyperparameters on the same validation samples, a share of n on which none of them is fitted: the network its stopping
//! time and rate, a kernel its ridge. Validation samples are not counted in n.
//!
//! The methods of [`Spec`] here validate such an experiment, and stand beside its declaration.

use super::ops::PoolKind;
use super::problem::problem;
use super::{Cost, DataShape, Learner, Loss, OutputKernel, Problem, Protocol, Ridge, Source, Spec, StudySpec};

/// The learning experiment of one run: the learners and the protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningExperiment {
    pub learners: Vec<Learner>,
    pub protocol: Protocol,
}

impl LearningExperiment {
    /// Returns the learners whose learning curve is predicted for any number of samples, in the order in which the
    /// predictions are reported.
    pub fn predicted_learners(&self, spec: &Spec) -> Vec<Learner> {
        // For targets on a circle the infinite-width kernel is known in closed form, and comes first.
        let order = match spec.data.source {
            Source::Fourier => [Learner::Infinite, Learner::KernelStart],
            _ => [Learner::KernelStart, Learner::Infinite],
        };
        let is_requested = |learner: &Learner| self.protocol.pool > 0 && self.learners.contains(learner);
        order.into_iter().filter(is_requested).collect()
    }

    /// Estimates the floating-point operations of one run and the bytes it holds at its peak.
    pub fn cost(&self, spec: &Spec, shape: &DataShape) -> (f64, u64) {
        let Self { learners, protocol } = self;
        let own = Cost::of(spec, shape);
        let n = spec.data.samples as f64;
        let others = (protocol.validation_samples(spec.data.samples) + shape.classes * shape.test_per_class) as f64;
        let step = own.training_flop + 1e8 * own.steps as f64;
        // Each halving doubles the steps; usually two are enough.
        let tries = protocol.rates.len() as f64 + 3.0 * protocol.halvings.min(2) as f64;
        let trained = learners.iter().any(|learner| learner.is_trained() || *learner == Learner::Ensemble);
        let mut trainings = if trained { tries } else { 0.0 };
        let mut kernels = 0.0;
        for learner in learners {
            match learner {
                Learner::Network => {}
                Learner::Ensemble => trainings += protocol.ensemble as f64,
                Learner::KernelConstant => {
                    trainings += tries * protocol.constant as f64 / n.max(1.0);
                    kernels += 1.0;
                }
                Learner::KernelEpochs => kernels += protocol.epochs.len() as f64,
                Learner::FeatureMachine => kernels += 4.0 * protocol.rounds as f64,
                Learner::KernelStart | Learner::Linearised | Learner::KernelEnd | Learner::Infinite => kernels += 1.0,
            }
        }
        let layers = spec.network.layers(shape.image, shape.outputs);
        let per_pair: f64 =
            layers.iter().map(|layer| 2.0 * layer.parameters().min(layer.inputs() + layer.outputs())).sum();
        let full = shape.outputs > 1 && protocol.kernel == OutputKernel::Auto;
        let rows = n * if full { shape.outputs as f64 } else { 1.0 };
        let ridges = if protocol.ridge == Ridge::Validated { 18.0 } else { 1.0 };
        let regression = (0.5 * n * n + n * others) * per_pair * shape.outputs as f64 + ridges * rows.powi(3) / 3.0;
        let bytes = own.training_bytes as f64 + own.image_bytes as f64 + 8.0 * 5.0 * rows * rows;
        (trainings * step + kernels * regression, bytes as u64)
    }
}

impl StudySpec {
    /// Returns the learning experiment of the runs; `None` where they are runs of the live laboratory.
    pub fn experiment(&self) -> Option<LearningExperiment> {
        (!self.learners.is_empty())
            .then(|| LearningExperiment { learners: self.learners.clone(), protocol: self.protocol.clone() })
    }
}

impl Spec {
    /// Adds the problems that forbid this run as part of a learning experiment.
    pub(super) fn experiment_problems(&self, experiment: &LearningExperiment, found: &mut Vec<Problem>) {
        let LearningExperiment { learners, protocol } = experiment;
        let has = |learner| learners.contains(&learner);
        if self.data.samples == 0 {
            found
                .push(problem("study.samples", "the number of samples is missing: give study.samples or data.samples"));
        }
        if self.network.is_infinite() {
            let message =
                "infinite width is a separate learner: name it in study.learners and give network.width a number";
            found.push(problem("network.width", message));
        }
        if self.training.loss != Loss::Mse {
            found.push(problem(
                "training.loss",
                "regression with a kernel is the squared error: take mse for the network, too",
            ));
        }
        if self.continual.strategy.is_any() {
            let message = "one task is learnt, and there is nothing to forget: take continual.strategy = \"none\"";
            found.push(problem("continual.strategy", message));
        }
        if self.training.replay > 0 || self.training.masked || !self.changes.is_empty() {
            found.push(problem(
                "training.replay",
                "one task is learnt: no replay, no masked logits, no changes on the way",
            ));
        }
        if self.kernel.lag_path.is_some() {
            found.push(problem(
                "kernel.lag_path",
                "learners have no snapshots along a path: give the lag in epochs or steps",
            ));
        }
        if self.training.average > 1 || self.training.patience > 0.0 {
            found.push(problem(
                "training.average",
                "validation chooses when a network stops, and each step is that of one batch: no averaged batches, no patience",
            ));
        }
        if has(Learner::Infinite)
            && let Err(why) = self.limit_known()
        {
            found.push(problem("study.learners", format!("there is no kernel of infinite width here: {why}")));
        }
        let bad = |value: f64, least: f64, most: f64| !(value >= least && value <= most);
        if bad(protocol.validation, 0.0, 4.0) {
            found.push(problem("study.protocol", "validation is a share of n, from 0 to 4"));
        }
        if protocol.rates.is_empty() || protocol.rates.iter().any(|rate| bad(*rate, 1e-9, 1e9)) {
            found.push(problem("study.protocol", "rates are multiples of training.rate above 0, at least one"));
        }
        if bad(protocol.settled, 0.0, 10.0) || bad(protocol.interpolates, 0.0, 1.0) || protocol.halvings > 16 {
            found.push(problem(
                "study.protocol",
                "settled must be from 0 to 10, interpolates from 0 to 1, and halvings at most 16",
            ));
        }
        if has(Learner::KernelEpochs)
            && (protocol.epochs.is_empty() || protocol.epochs.iter().any(|e| bad(*e, 0.0, 1e6)))
        {
            found.push(problem(
                "study.protocol",
                "epochs at which the kernel is taken are numbers from 0 on, at least one",
            ));
        }
        if has(Learner::KernelConstant) && protocol.constant == 0 {
            found.push(problem(
                "study.protocol",
                "constant is the number of samples of the network whose kernel is taken",
            ));
        }
        if has(Learner::Ensemble) && !(2..=100).contains(&protocol.ensemble) {
            found.push(problem("study.protocol", "an ensemble has 2 to 100 networks"));
        }
        if has(Learner::FeatureMachine) && !(1..=50).contains(&protocol.rounds) {
            found.push(problem("study.protocol", "a feature machine has 1 to 50 rounds"));
        }
    }

    /// Checks that the network has an infinite-width kernel, as far as the spec can tell; the error is the reason.
    fn limit_known(&self) -> Result<(), &'static str> {
        let Some(program) = self.network.program_for(&DataShape::expected(self)) else { return Ok(()) };
        if program.pools(PoolKind::Max) {
            Err("maximum pooling has no closed form")
        } else if program.pools(PoolKind::Avg) {
            Err("with pooling it would take hours on images")
        } else {
            Ok(())
        }
    }
}
