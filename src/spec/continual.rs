//! Declares the continual-learning strategies: what is done, while a task is trained, so that the earlier ones are not
//! forgotten. Each is declared once, in [`Strategy`], with its names, its settings and what it needs.
//!
//! Definitions and defaults are those of the papers, and where a paper leaves a number open, those of the libraries Avalanche
//! and Mammoth.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::variants::variants;

/// The section `[continual]` of a run file: the strategy and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContinualSpec {
    pub strategy: Strategy,
    /// `ewc`: λ in L + (λ/2) Σ F (w − w*)².
    pub ewc_lambda: f64,
    /// `ewc`: when given, one penalty around the last task's weights in place of one for each task (online EWC), whose Fisher
    /// information is multiplied by this γ when a task adds its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ewc_decay: Option<f64>,
    /// `ewc`: number of training images of a task on which its Fisher information is measured, chosen by the seed; 0 takes all.
    pub ewc_images: usize,
    /// `si`: c in L + c Σ Ω (w − w*)².
    pub si_c: f64,
    /// `si`: ξ, which bounds Ω where a weight hardly moved.
    pub si_xi: f64,
    /// `lwf`: weight of the distillation.
    pub lwf_alpha: f64,
    /// `lwf`: temperature of the distillation.
    pub lwf_temperature: f64,
    /// `der++`: weight of the stored logits.
    pub der_alpha: f64,
    /// `der++`: weight of the stored labels.
    pub der_beta: f64,
    /// `experience-replay`, `a-gem`, `der++`: number of images in the memory, of all tasks together.
    pub memory: usize,
    /// `experience-replay`, `der++`: which images stay in the memory.
    pub selection: Selection,
}

/// What is done against forgetting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Strategy {
    /// Fine-tuning: the next task is simply trained.
    None,
    /// Elastic weight consolidation (Kirkpatrick et al. 2017; online: Schwarz et al. 2018).
    Ewc,
}

/// The rule by which a full memory makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Selection {
    /// Reservoir sampling (Vitter 1985): every image seen so far is in the memory with the same probability.
    Reservoir,
    /// Balanced reservoir sampling (Buzzega et al. 2021): an image that enters replaces one of the class with the most images.
    Balanced,
}

impl Default for ContinualSpec {
    fn default() -> Self {
        Self {
            strategy: Strategy::None,
            ewc_lambda: 100.0,
            ewc_decay: None,
            ewc_images: 1000,
            si_c: 1.0,
            si_xi: 0.1,
            lwf_alpha: 1.0,
            lwf_temperature: 2.0,
            der_alpha: 0.2,
            der_beta: 1.0,
            memory: 200,
            selection: Selection::Reservoir,
        }
    }
}

impl ContinualSpec {
    /// Returns whether nothing is set, so that a file needs no such section.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Returns a short label of the strategy with the settings that it uses: `EWC, λ 100`; empty for fine-tuning.
    pub fn label(&self) -> String {
        match self.strategy {
            Strategy::None => String::new(),
            Strategy::Ewc => match self.ewc_decay {
                None => format!("EWC, λ {}", self.ewc_lambda),
                Some(decay) => format!("online EWC, λ {}, γ {decay}", self.ewc_lambda),
            },
        }
    }

    /// Returns the number of training images of a task that the strategy looks at when the task ends, of a stream of so many
    /// tasks; 0 is none, and `usize::MAX` all.
    pub fn images_at_end(&self, _tasks: usize) -> usize {
        match self.strategy {
            Strategy::None => 0,
            Strategy::Ewc if self.ewc_images == 0 => usize::MAX,
            Strategy::Ewc => self.ewc_images,
        }
    }

    /// Returns the number of copies of all parameters that the strategy stores at most, in a stream of so many tasks.
    pub fn copies(&self, tasks: usize) -> usize {
        match self.strategy {
            Strategy::None => 0,
            Strategy::Ewc if self.ewc_decay.is_some() => 2,
            Strategy::Ewc => 2 * tasks.saturating_sub(1),
        }
    }
}

impl Strategy {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns the key used in run files.
    pub fn key(self) -> &'static str {
        self.into()
    }

    /// Returns the name shown to users.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "fine-tuning",
            Self::Ewc => "EWC",
        }
    }

    /// Returns one sentence on what it does, with the paper.
    pub fn help(self) -> &'static str {
        match self {
            Self::None => "The next task is trained as the first one was",
            Self::Ewc => {
                "Elastic weight consolidation: weights that mattered for an earlier task, by the diagonal of its Fisher \
                 information, are pulled back to where that task left them (Kirkpatrick et al. 2017)"
            }
        }
    }

    /// Returns whether anything is done beside training on the next task.
    pub fn is_any(self) -> bool {
        match self {
            Self::None => false,
            Self::Ewc => true,
        }
    }

    /// Returns whether a step follows the gradient of the loss of its batch, so that the kernel and the batch explain it.
    pub fn follows_batch(self) -> bool {
        match self {
            Self::None => true,
            Self::Ewc => false,
        }
    }

    /// Returns the forward and backward passes that a step takes, in those of fine-tuning.
    pub fn passes(self) -> f64 {
        match self {
            Self::None | Self::Ewc => 1.0,
        }
    }
}

impl Selection {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns the name shown to users.
    pub fn words(self) -> &'static str {
        match self {
            Self::Reservoir => "reservoir",
            Self::Balanced => "balanced reservoir",
        }
    }
}
