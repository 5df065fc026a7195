//! The views, once: title, unit, explanation, and where each stands in the window.
//!
//! The layout, the help page and the tests all go through [`View::ALL`].

mod accuracy;
mod alignment;
mod gram;
mod pixels;
mod scale;
mod spectrum;
mod velocity;
mod waterfall;

use egui::{Rect, Ui, Vec2, pos2};

use super::scene::Scene;
use super::theme::GRID;
use super::widgets::{Card, card};
use crate::record::Block;

pub use accuracy::matrix_of;

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

/// Lays all views out in the rectangle that is left.
pub fn grid(ui: &mut Ui, scene: &mut Scene<'_>, state: &mut ViewState) {
    let rect = ui.available_rect_before_wrap();
    let gap = 1.5 * GRID;
    // Gram, velocity and λ_max tell the story and get two thirds.
    let bottom = ((rect.height() - gap) * 0.34).round();
    let top = rect.height() - gap - bottom;
    // The matrix is square; its card is as wide as it is high, less what the header and the colour bar take.
    let square = (top - 52.0).clamp(220.0, rect.width() * 0.42);
    let left = square + 36.0;

    let upper = Rect::from_min_size(rect.min, Vec2::new(rect.width(), top));
    let (gram, right) = split_x(upper, left, gap);
    let (velocity, below) = split_y(right, ((top - gap) * 0.54).round(), gap);
    let (scale, alignment) = split_x(below, (below.width() - gap) / 2.0, gap);
    let lower = Rect::from_min_max(pos2(rect.left(), rect.bottom() - bottom), rect.max);
    let (spectrum, rest) = split_x(lower, left, gap);
    let (waterfall, accuracy) = split_x(rest, (rest.width() - gap) / 2.0, gap);

    if let Some(BlockChoice(Block::Task(number))) = Some(state.block)
        && scene.info().is_some_and(|info| number > info.tasks.len())
    {
        state.block = BlockChoice::default();
    }
    gram::show(ui, gram, scene, &mut state.gram);
    velocity::show(ui, velocity, scene, &mut state.velocity);
    scale::show(ui, scale, scene, &mut state.scale);
    alignment::show(ui, alignment, scene, &mut state.alignment);
    spectrum::show(ui, spectrum, scene, &mut state.block.0);
    waterfall::show(ui, waterfall, scene, &mut state.waterfall, &mut state.block.0);
    accuracy::show(ui, accuracy, scene, &mut state.accuracy);
}

fn split_x(rect: Rect, left: f32, gap: f32) -> (Rect, Rect) {
    let x = (rect.left() + left).round();
    (rect.with_max_x(x), rect.with_min_x(x + gap))
}

fn split_y(rect: Rect, top: f32, gap: f32) -> (Rect, Rect) {
    let y = (rect.top() + top).round();
    (rect.with_max_y(y), rect.with_min_y(y + gap))
}

fn view_card(ui: &mut Ui, rect: Rect, view: View, unit: &str) -> Card {
    card(ui, rect, view.title(), unit, view.help())
}

/// A list of blocks to choose from.
fn choose_block(ui: &mut Ui, scene: &Scene<'_>, name: &str, block: &mut Block) {
    let mut blocks = vec![Block::All];
    blocks.extend(scene.tasks().into_iter().map(Block::Task));
    let names: Vec<String> = blocks.iter().map(|&block| super::scene::block_name(block)).collect();
    let options: Vec<(Block, &str)> = blocks.into_iter().zip(names.iter().map(String::as_str)).collect();
    super::widgets::choose(ui, name, block, &options);
}
