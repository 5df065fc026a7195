//! The views, once: title, explanation, and what each keeps between frames. Where they stand is [`slots`]' affair.
//!
//! The choosers, the help page and the tests all go through [`View::ALL`].

mod accuracy;
mod alignment;
mod gram;
mod pixels;
mod scale;
mod slots;
mod spectrum;
mod velocity;
mod waterfall;

use egui::Ui;

use super::scene::Scene;
use crate::record::Block;

pub use accuracy::matrix_of;
pub use slots::grid;

/// One of the views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Gram,
    Velocity,
    Scale,
    Alignment,
    Spectrum,
    Waterfall,
    Accuracy,
}

impl View {
    pub const ALL: [Self; 7] =
        [Self::Gram, Self::Velocity, Self::Scale, Self::Alignment, Self::Spectrum, Self::Waterfall, Self::Accuracy];

    pub fn title(self) -> &'static str {
        match self {
            Self::Gram => "Kernel",
            Self::Velocity => "Kernel velocity",
            Self::Scale => "Scale",
            Self::Alignment => "Alignment",
            Self::Spectrum => "Eigenspectrum",
            Self::Waterfall => "λ over time",
            Self::Accuracy => "Accuracy",
        }
    }

    /// What is shown, by which formula, and where that comes from.
    pub fn help(self) -> &'static str {
        match self {
            Self::Gram => {
                "The empirical neural tangent kernel on the probe images, averaged over the C logits:\n\
                 K(x,x′) = (1/C) Σ_c ⟨∇f_c(x), ∇f_c(x′)⟩\n\
                 over all trainable parameters (with “Logits: their sum” in the settings: (1/C) Σ_{c,d} ⟨∇f_c(x), ∇f_d(x′)⟩). Rows and columns are ordered by task, then class; one colour range holds for the \
                 whole run and only widens. “Cosine” divides by √(K(x,x) K(x′,x′)); “Change” subtracts the kernel at the last \
                 switch. Point at a cell to see its two images.\n\
                 Jacot, Gabriel, Hongler 2018 (1806.07572)."
            }
            Self::Velocity => {
                "How fast the kernel turns, on each task's own probes:\n\
                 v(t) = (1 − CKA(K_{t−Δ}, K_t)) / Δ\n\
                 per epoch, with one fixed lag Δ. Coloured grounds are the tasks, lines their switches; ×n is the largest velocity \
                 within an epoch after the switch over the median of the last third of the task before. A lag never straddles a \
                 switch, so the curve has a gap there. The strip below shows ‖Δw‖, how far the weights moved over the same lag: \
                 a spike may be nothing but larger steps, and S/‖Δw‖² tells.\n\
                 Reactivation (2507.16039); uncentred: Fort et al. 2020 (2010.15110)."
            }
            Self::Scale => {
                "How large the kernel is, on each task's own probes. λ_max is its largest eigenvalue: at a switch it drops and \
                 recovers, the “checkmark”. The percentage is the smallest value within three epochs after the switch against \
                 the median of the last three before. In the list, “relative” divides by the value at the last switch; it has every \
                 other number measured at a snapshot.\n\
                 Reactivation (2507.16039), there called the NTK norm."
            }
            Self::Alignment => {
                "How well the kernel fits the labels of each task's probes:\n\
                 A = ⟨K, YY′⟩ / (‖K‖ ‖YY′‖)\n\
                 with Y one-hot; “centred” takes the means out of both first; “full” is y′Θy / (‖Θ‖ ‖y‖²) with the NC × NC \
                 kernel, at each epoch's end and each switch.\n\
                 Cristianini et al. 2001; Cortes et al. 2012 (1203.0550)."
            }
            Self::Spectrum => {
                "The eigenvalues of K at the cursor, largest first, both axes logarithmic; the faint curve is the spectrum at the \
                 last switch. The effective rank is exp of the entropy of λ/Σλ. Eigenvalues that rounding leaves at or below 0 \
                 have no place on this axis and are counted instead."
            }
            Self::Waterfall => {
                "All eigenvalues over time: a column per moment, the largest on top (index on a logarithmic axis), colour is \
                 log λ. “Lines” shows the eight largest."
            }
            Self::Accuracy => {
                "Test accuracy on each task. Solid: among all classes; dashed: among the task's own classes (masked). Much of \
                 what looks like forgetting is a bias of the logits towards the new classes, and goes away when masked.\n\
                 “Matrix” has a row for each task finished and a column for each task tested; forgetting is the best accuracy \
                 a task ever had at a row minus its last.\n\
                 Chaudhry et al. 2018 (1801.10112)."
            }
        }
    }
}

/// What the user chose in the views, and what they keep between frames.
#[derive(Default)]
pub struct ViewState {
    slots: slots::Slots,
    gram: gram::GramState,
    velocity: velocity::VelocityState,
    scale: scale::ScaleState,
    alignment: alignment::AlignmentState,
    waterfall: waterfall::WaterfallState,
    accuracy: accuracy::AccuracyState,
    /// Whose eigenvalues are shown.
    block: BlockChoice,
}

/// The block of the spectral views: the first task's, until another is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
struct BlockChoice(Block);

impl Default for BlockChoice {
    fn default() -> Self {
        Self(Block::Task(1))
    }
}

impl ViewState {
    /// Forgets what belonged to the run before, and keeps what the user chose.
    pub fn reset(&mut self) {
        self.gram.reset();
        self.waterfall.reset();
    }
}

/// A list of blocks to choose from.
fn choose_block(ui: &mut Ui, scene: &Scene<'_>, name: &str, block: &mut Block) {
    let mut blocks = vec![Block::All];
    blocks.extend(scene.tasks().into_iter().map(Block::Task));
    let names: Vec<String> = blocks.iter().map(|&block| super::scene::block_name(block)).collect();
    let options: Vec<(Block, &str)> = blocks.into_iter().zip(names.iter().map(String::as_str)).collect();
    super::widgets::choose(ui, name, block, &options);
}
