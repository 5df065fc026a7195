//! The views, once: title, explanation, and what each keeps between frames. Where they stand is [`slots`]' affair.
//!
//! The choosers, the help page and the tests all go through [`View::ALL`].

mod accuracy;
mod alignment;
mod atlas;
mod forks;
mod gram;
mod ledger;
mod pixels;
mod prediction;
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
    Forks,
    Prediction,
    Ledger,
}

impl View {
    pub const ALL: [Self; 10] = [
        Self::Gram,
        Self::Velocity,
        Self::Scale,
        Self::Alignment,
        Self::Spectrum,
        Self::Waterfall,
        Self::Accuracy,
        Self::Forks,
        Self::Prediction,
        Self::Ledger,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Gram => "Kernel",
            Self::Velocity => "Kernel velocity",
            Self::Scale => "Scale",
            Self::Alignment => "Alignment",
            Self::Spectrum => "Eigenspectrum",
            Self::Waterfall => "λ over time",
            Self::Accuracy => "Accuracy",
            Self::Forks => "Forks",
            Self::Prediction => "Static kernel",
            Self::Ledger => "Ledger",
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
            Self::Forks => {
                "Other futures of this run. A fork keeps weights, optimiser and all that later numbers depend on; each future goes \
                 on from there with one thing changed, and is, bit for bit, the run that its settings give from the start. The \
                 curves are those of the first task's probes; the thick one is the run itself.\n\
                 Clamped: each step is scaled so that ‖Δw‖ stays the mean of η ‖∇L‖ over the epoch before. Masked: the loss sees \
                 only the logits of classes that can be in the batch. Head only, frozen: the other layers get no step.\n\
                 Why the kernel reactivates is left open by the paper (2507.16039); these take the switch apart."
            }
            Self::Prediction => {
                "What the network would do if its kernel stood still. The network linearised where its weights w* were,\n\
                 f(x; w*) + J(x; w*) (w − w*),\n\
                 takes the network's own steps on the same batches, so the gap between the two is the kernel's motion and \
                 nothing else. Dashed, at initialisation; dotted lines of the same colour, at the last switch. The level lines \
                 are kernel regression with the same two kernels, f + Θ Θ⁻¹ (y − f), from 100 images of each new class: the \
                 mean squared error at t = ∞, another loss and another time than the network's. “Gap” is the root mean square \
                 of network minus prediction.\n\
                 Lee et al. 2019 (1902.06720); Karakida & Akaho 2022 (2112.01653)."
            }
            Self::Ledger => {
                "Which new images move which old ones, in one step. To first order a step changes the output on an old image x by\n\
                 −η Σ_b Θ(x, x_b) ∂L/∂f(x_b),\n\
                 a part for each image b of the batch. Left: for each probe of the tasks before, the predicted and the measured \
                 change of the logit of its own class; on the line they agree. Click on one: right, the new images that push it \
                 down and up the most. Taken at the first step of each task, or when asked for; plain SGD only.\n\
                 Lee et al. 2019 (1902.06720), eq. 3."
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
    forks: forks::ForksState,
    prediction: prediction::PredictionState,
    ledger: ledger::LedgerState,
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
