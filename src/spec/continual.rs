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
    /// `ewc`: whose gradients its Fisher information squares.
    pub ewc_fisher: Fisher,
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
    /// `experience-replay`, `a-gem`, `der++`: number of images that a step draws from the memory; 0 takes as many as the batch
    /// has.
    pub memory_batch: usize,
}

/// What is done against forgetting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Strategy {
    /// Fine-tuning: the next task is simply trained.
    None,
    /// Joint training: the images of a step come from all tasks seen so far.
    Joint,
    /// Elastic weight consolidation (Kirkpatrick et al. 2017; online: Schwarz et al. 2018).
    Ewc,
    /// Synaptic intelligence (Zenke et al. 2017).
    Si,
    /// Learning without forgetting (Li & Hoiem 2016).
    Lwf,
    /// Replay from one memory for the whole stream (Chaudhry et al. 2019).
    ExperienceReplay,
    /// Averaged gradient episodic memory (Chaudhry et al. 2019).
    AGem,
    /// Dark experience replay ++ (Buzzega et al. 2020).
    #[serde(rename = "der++")]
    #[strum(serialize = "der++")]
    DerPlusPlus,
}

/// Whose gradients the diagonal of the Fisher information squares, (1/N) Σ_n g_n². The published codes differ in this (van de
/// Ven 2025, 2502.11756), and with it the size of λ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Fisher {
    /// All labels of an image, each weighted by the probability that the network gives it: the Fisher information itself.
    Expected,
    /// The label that an image has, the so-called empirical Fisher information.
    Labels,
    /// The label that an image has, weighted by the probability that the network gives it (Mammoth).
    WeightedLabels,
    /// The mean over a batch with the labels that its images have (Avalanche).
    Batches,
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
            ewc_fisher: Fisher::Expected,
            si_c: 1.0,
            si_xi: 0.1,
            lwf_alpha: 1.0,
            lwf_temperature: 2.0,
            der_alpha: 0.2,
            der_beta: 1.0,
            memory: 200,
            selection: Selection::Reservoir,
            memory_batch: 0,
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
            Strategy::Joint => "joint training".to_owned(),
            Strategy::Ewc => match self.ewc_decay {
                None => format!("EWC, λ {}", self.ewc_lambda),
                Some(decay) => format!("online EWC, λ {}, γ {decay}", self.ewc_lambda),
            },
            Strategy::Si => format!("SI, c {}, ξ {}", self.si_c, self.si_xi),
            Strategy::Lwf => format!("LwF, α {}, T {}", self.lwf_alpha, self.lwf_temperature),
            Strategy::ExperienceReplay => format!("replay of {}, {}", self.memory, self.selection.words()),
            Strategy::AGem => format!("A-GEM, {} images", self.memory),
            Strategy::DerPlusPlus => {
                format!("DER++, α {}, β {}, {} images", self.der_alpha, self.der_beta, self.memory)
            }
        }
    }

    /// Returns the number of training images of a task that the strategy looks at when the task ends, of a stream of so many
    /// tasks; 0 is none, and `usize::MAX` all.
    pub fn images_at_end(&self, tasks: usize) -> usize {
        match self.strategy {
            Strategy::None
            | Strategy::Joint
            | Strategy::Si
            | Strategy::Lwf
            | Strategy::ExperienceReplay
            | Strategy::DerPlusPlus => 0,
            Strategy::Ewc if self.ewc_images == 0 => usize::MAX,
            Strategy::Ewc => self.ewc_images,
            Strategy::AGem => self.memory / tasks.max(1),
        }
    }

    /// Returns the number of images that a step draws from a memory that has enough of them, beside so many of its own.
    pub fn drawn(&self, batch: usize) -> usize {
        if self.memory_batch == 0 { batch } else { self.memory_batch }
    }

    /// Returns the forward and backward passes that a step with a batch of this size takes, in those of fine-tuning.
    pub fn passes(&self, batch: usize) -> f64 {
        let drawn = self.drawn(batch) as f64 / batch.max(1) as f64;
        match self.strategy {
            Strategy::None | Strategy::Joint | Strategy::Ewc | Strategy::Si => 1.0,
            Strategy::Lwf => 4.0 / 3.0,
            Strategy::ExperienceReplay | Strategy::AGem => 1.0 + drawn,
            Strategy::DerPlusPlus => 1.0 + 2.0 * drawn,
        }
    }

    /// Returns the number of copies of all parameters that the strategy stores at most, in a stream of so many tasks.
    pub fn copies(&self, tasks: usize) -> usize {
        match self.strategy {
            Strategy::None | Strategy::Joint | Strategy::ExperienceReplay | Strategy::DerPlusPlus => 0,
            Strategy::Ewc if self.ewc_decay.is_some() => 2,
            Strategy::Ewc => 2 * tasks.saturating_sub(1),
            Strategy::Si => 3,
            Strategy::Lwf | Strategy::AGem => 1,
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
            Self::Joint => "joint training",
            Self::Ewc => "EWC",
            Self::Si => "SI",
            Self::Lwf => "LwF",
            Self::ExperienceReplay => "experience replay",
            Self::AGem => "A-GEM",
            Self::DerPlusPlus => "DER++",
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
            Self::Joint => {
                "Each step draws its images from all tasks seen so far, with as many steps as before: what could be reached \
                 if nothing had to be remembered"
            }
            Self::Si => {
                "Synaptic intelligence: weights along whose path the loss of earlier tasks fell are pulled back to where the \
                 last task left them (Zenke, Poole & Ganguli 2017)"
            }
            Self::Lwf => {
                "Learning without forgetting: on the images of the new task, the logits of earlier classes should stay what the \
                 network said before it (Li & Hoiem 2016)"
            }
            Self::ExperienceReplay => {
                "Each batch is joined by as many images from one memory, which is filled while training goes on \
                 (Chaudhry et al. 2019)"
            }
            Self::AGem => {
                "Averaged gradient episodic memory: a step that would raise the loss on a sample of earlier tasks' images is \
                 projected so that it does not (Chaudhry et al. 2019)"
            }
            Self::DerPlusPlus => {
                "Dark experience replay: the memory has the logits that the network once gave its images, and both these and the \
                 labels are learnt again (Buzzega et al. 2020)"
            }
        }
    }

    /// Returns whether anything is done beside training on the next task.
    pub fn is_any(self) -> bool {
        match self {
            Self::None => false,
            Self::Joint
            | Self::Ewc
            | Self::Si
            | Self::Lwf
            | Self::ExperienceReplay
            | Self::AGem
            | Self::DerPlusPlus => true,
        }
    }

    /// Returns whether the batches of the new task come from earlier tasks, too.
    pub fn is_joint(self) -> bool {
        match self {
            Self::Joint => true,
            Self::None | Self::Ewc | Self::Si | Self::Lwf | Self::ExperienceReplay | Self::AGem | Self::DerPlusPlus => {
                false
            }
        }
    }

    /// Returns whether it has a memory of images.
    pub fn has_memory(self) -> bool {
        match self {
            Self::ExperienceReplay | Self::AGem | Self::DerPlusPlus => true,
            Self::None | Self::Joint | Self::Ewc | Self::Si | Self::Lwf => false,
        }
    }

    /// Returns whether [`Selection`] says which images stay in its memory.
    pub fn selects(self) -> bool {
        match self {
            Self::ExperienceReplay | Self::DerPlusPlus => true,
            Self::None | Self::Joint | Self::Ewc | Self::Si | Self::Lwf | Self::AGem => false,
        }
    }

    /// Returns whether images of earlier tasks are learnt together with a batch, so that the logits of their classes are part
    /// of its loss.
    pub fn replays(self) -> bool {
        match self {
            Self::Joint | Self::ExperienceReplay | Self::DerPlusPlus => true,
            Self::None | Self::Ewc | Self::Si | Self::Lwf | Self::AGem => false,
        }
    }

    /// Returns whether it compares probabilities, which the squared error has not.
    pub fn needs_probabilities(self) -> bool {
        match self {
            Self::Lwf => true,
            Self::None
            | Self::Joint
            | Self::Ewc
            | Self::Si
            | Self::ExperienceReplay
            | Self::AGem
            | Self::DerPlusPlus => false,
        }
    }

    /// Returns whether a step follows the gradient of the loss of its batch, so that the kernel and the batch explain it.
    pub fn follows_batch(self) -> bool {
        match self {
            Self::None | Self::Joint => true,
            Self::Ewc | Self::Si | Self::Lwf | Self::ExperienceReplay | Self::AGem | Self::DerPlusPlus => false,
        }
    }
}

impl Fisher {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns the key used in run files.
    pub fn key(self) -> &'static str {
        self.into()
    }

    /// Returns the name shown to users.
    pub fn words(self) -> &'static str {
        match self {
            Self::Expected => "expected labels",
            Self::Labels => "true labels",
            Self::WeightedLabels => "true labels, weighted",
            Self::Batches => "whole batches",
        }
    }

    /// Returns whether it is there for the cross-entropy alone.
    pub fn needs_probabilities(self) -> bool {
        match self {
            Self::Labels | Self::WeightedLabels | Self::Batches => true,
            Self::Expected => false,
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
