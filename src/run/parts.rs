//! Declares what is measured on parts of a kernel: layers, tensors, blocks between tasks and sets of logits. Plain numbers.
//!
//! Each type is a row of the table of its name in a run folder: its fields are the columns after those for step and epoch.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::csv_number::{self, finite};
use crate::math::Gram;

/// The part Θ_ℓ of one layer in the kernel of one task's probes; Σ_ℓ Θ_ℓ is the kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerMetrics {
    /// Number of the task whose probes the kernel is on.
    #[serde(rename = "block")]
    pub task: usize,
    /// The prefix of its tensors' names: `fc1`.
    pub layer: Arc<str>,
    /// Velocity and alignments of Θ_ℓ alone, defined as those of [`crate::run::BlockMetrics`].
    #[serde(default, with = "csv_number")]
    pub velocity: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub alignment: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub alignment_centred: Option<f64>,
    /// Velocity and centred alignment, debiased.
    #[serde(default, with = "csv_number")]
    pub velocity_debiased: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub alignment_debiased: Option<f64>,
    /// tr Θ_ℓ/tr Θ.
    #[serde(default, with = "csv_number")]
    pub share: Option<f64>,
}

/// The part Θ_W of one parameter tensor in the kernel of one task's probes; Σ_W Θ_W is the kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorMetrics {
    /// Number of the task whose probes the kernel is on.
    #[serde(rename = "block")]
    pub task: usize,
    /// The name of the tensor, as in weights files: `fc1.weight`.
    pub tensor: Arc<str>,
    /// The velocity of Θ_W alone, defined as that of [`crate::run::BlockMetrics`]; absent also where the centred Θ_W is nothing
    /// but rounding.
    #[serde(default, with = "csv_number")]
    pub velocity: Option<f64>,
    /// The same, debiased.
    #[serde(default, with = "csv_number")]
    pub velocity_debiased: Option<f64>,
    /// tr Θ_W/tr Θ.
    #[serde(default, with = "csv_number")]
    pub share: Option<f64>,
}

/// The off-diagonal block of the Gram between the probes of two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossMetrics {
    /// The tasks by number, the smaller first.
    #[serde(rename = "block")]
    pub task: usize,
    pub other: usize,
    /// ‖K_ij‖.
    #[serde(default, with = "csv_number")]
    pub frobenius: Option<f64>,
    /// ‖K_ij‖/√(‖K_ii‖ ‖K_jj‖), 0 to 1; absent where a block is zero.
    #[serde(default, with = "csv_number")]
    pub coupling: Option<f64>,
}

impl CrossMetrics {
    /// Returns ‖K_ij‖ of each pair of tasks, alone and over √(‖K_ii‖ ‖K_jj‖).
    pub fn between(whole: &Gram, tasks: &[Range<usize>]) -> Arc<[Self]> {
        let norm = |a: usize, b: usize| whole.frobenius_of(tasks[a].clone(), tasks[b].clone());
        let own: Vec<f64> = (0..tasks.len()).map(|task| norm(task, task)).collect();
        let pair = |task: usize, other: usize| {
            let (frobenius, most) = (norm(task, other), (own[task] * own[other]).sqrt());
            let coupling = (most > 0.0).then(|| frobenius / most);
            Self { task: task + 1, other: other + 1, frobenius: finite(frobenius), coupling: coupling.and_then(finite) }
        };
        (0..tasks.len())
            .flat_map(|task| (task + 1..tasks.len()).map(move |other| (task, other)))
            .map(|(a, b)| pair(a, b))
            .collect()
    }
}

/// The set of logits over which a kernel is reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Logits {
    /// The classes of the task that was trained first.
    Old,
    /// All others.
    New,
}

/// The kernel (1/|set|) Σ_{c in set} Θ_cc of a set of logits, on one task's probes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogitMetrics {
    /// Number of the task whose probes the kernel is on.
    #[serde(rename = "block")]
    pub task: usize,
    pub logits: Logits,
    #[serde(default, with = "csv_number")]
    pub velocity: Option<f64>,
    /// The same, debiased.
    #[serde(default, with = "csv_number")]
    pub velocity_debiased: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub lambda_max: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub trace: Option<f64>,
}

/// A diagonal block of the optimiser's kernel J P Jᵀ, reduced over logits as the kernel itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimiserMetrics {
    pub block: Block,
    /// (1 − CKA)/lag per epoch, centred, over the same lag as the kernel's own.
    #[serde(default, with = "csv_number")]
    pub velocity: Option<f64>,
    /// 1 − CKA from the kernel itself at the same step, centred: 0 where P is a multiple of the identity.
    #[serde(default, with = "csv_number")]
    pub apart: Option<f64>,
    /// Both, debiased.
    #[serde(default, with = "csv_number")]
    pub velocity_debiased: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub apart_debiased: Option<f64>,
    /// ⟨K, YYᵀ⟩/(‖K‖ ‖YYᵀ‖), and the same centred.
    #[serde(default, with = "csv_number")]
    pub alignment: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub alignment_centred: Option<f64>,
    /// The latter, debiased.
    #[serde(default, with = "csv_number")]
    pub alignment_debiased: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub lambda_max: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub trace: Option<f64>,
}

/// The sharpness on the probes of one task after a step near a switch. It goes with the row of the first snapshot that is not
/// before that step, in whose columns of that name it stands where the snapshot has them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSharpness {
    /// The steps done when it was measured, and the epoch.
    pub at_step: u64,
    #[serde(default, with = "csv_number")]
    pub at_epoch: Option<f64>,
    /// Number of the task whose probes it is on.
    #[serde(rename = "block")]
    pub task: usize,
    /// That of the squared error, and that of the training loss, as in [`crate::run::BlockMetrics`].
    #[serde(default, with = "csv_number")]
    pub sharpness: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub sharpness_loss: Option<f64>,
}
