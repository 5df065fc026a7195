//! The views, once: title, explanation, and what each keeps between frames. Where they stand is `slots`' affair.
//!
//! The choosers, the help page and the tests all go through [`View::ALL`].

mod accuracy;
mod alignment;
mod atlas;
mod choosers;
mod circle;
pub(crate) mod context;
mod coupling;
mod disk;
pub mod distances;
mod exported;
pub(crate) mod forks;
mod gram;
mod gram_numbers;
mod grid;
mod layers;
mod layout;
mod ledger;
mod logits;
pub mod modes;
pub mod moment_comparison;
mod optimiser;
mod pane;
mod paper;
mod pixels;
mod prediction;
mod program;
mod run_comparison;
mod scale;
mod spectrum;
mod tables;
mod trajectories;
mod velocity;
mod waterfall;

use crate::run::{Block, History};

pub use crate::ui::views::grid::grid;
pub use accuracy::matrix_of;
pub use layout::Layout;
pub use paper::{on_film, on_paper};

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
    Layers,
    Logits,
    Coupling,
    Distances,
    Compare,
    Forks,
    Prediction,
    Ledger,
    Program,
    Trajectories,
    Modes,
    Circle,
    Disk,
    Optimiser,
    Beside,
}

impl View {
    pub const ALL: [Self; 22] = [
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
        Self::Layers,
        Self::Logits,
        Self::Coupling,
        Self::Distances,
        Self::Compare,
        Self::Beside,
        Self::Program,
        Self::Trajectories,
        Self::Modes,
        Self::Circle,
        Self::Disk,
        Self::Optimiser,
    ];

    /// The view of this title, in any case.
    pub fn titled(title: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.title().to_lowercase() == title.trim().to_lowercase())
    }

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
            Self::Layers => "Layers",
            Self::Logits => "Logits",
            Self::Coupling => "Coupling",
            Self::Distances => "Distances",
            Self::Compare => "Two moments",
            Self::Program => "Program",
            Self::Trajectories => "Trajectories",
            Self::Modes => "Modes",
            Self::Circle => "Circle",
            Self::Disk => "Disk",
            Self::Optimiser => "Optimiser",
            Self::Beside => "Two runs",
        }
    }

    /// What is shown, by which formula, and where that comes from.
    pub fn help(self) -> &'static str {
        match self {
            Self::Gram => {
                "The empirical neural tangent kernel on the probe images, averaged over the C logits:\n\
                 K(x,x′) = (1/C) Σ_c ⟨∇f_c(x), ∇f_c(x′)⟩\n\
                 over all parameters, those of layers that are frozen on the way too; gains and biases of LayerNorm are constants in \
                 the NTK parametrisation (with “Logits: their sum” in the settings: (1/C) Σ_{c,d} ⟨∇f_c(x), ∇f_d(x′)⟩). Rows and \
                 columns are ordered by task, then class; one colour range holds for the whole run and only widens. “Cosine” divides by √(K(x,x) K(x′,x′)); “Change” subtracts the kernel at the last switch. Point at a cell to see its two images.\n\
                 Jacot, Gabriel, Hongler 2018 (1806.07572)."
            }
            Self::Velocity => {
                "How fast the kernel turns, on each task's own probes:\n\
                 v(t) = (1 − CKA(K_{t−Δ}, K_t)) / Δ\n\
                 per epoch; the lag Δ is a share of an epoch of the task being trained, a quarter if nothing else is set. Coloured \
                 grounds are the tasks, lines their switches; ×n is the largest velocity within an epoch after the switch over the \
                 median of the last third of the task before. A lag never straddles a switch, so the curve has a gap there.\n\
                 That background is the noise of SGD, so n depends on lag, batch and rate (full batches leave the height of the default run's spike as it is and make n 124), and can be compared only between tasks of equal size. The strip below shows ‖Δw‖, how far the weights \
                 went over the same lag: S grows with its square while the steps are small, so a spike with a smaller S/‖Δw‖² \
                 is no more than the longer way.\n\
                 Reactivation (2507.16039); uncentred, of the full NC × NC kernel: Fort et al. 2020 (2010.15110)."
            }
            Self::Scale => {
                "How large the kernel is, on each task's own probes. λ_max is its largest eigenvalue: in many networks it drops at a switch and recovers, the “checkmark”; in an MLP with LayerNorm it hardly drops. The percentage is the smallest value within three epochs after the switch against \
                 the median of the last three before. In the list, “relative” divides by the value at the last switch; it has every \
                 other number measured at a snapshot. “Sharpness” is that of the squared error whatever the loss is, η λ_max(Θ)/(N C) \
                 with the NC × NC kernel of a task's N probes; “of the loss” is η λ_max(Θ H)/N with H = I/C for the squared error and \
                 diag p − pp′ for cross-entropy, at most C/2 times the first; η is the rate that reaches the optimiser. Both are \
                 measured at each epoch's end and each switch, and not between. Where that of the loss is below 2, steps of plain \
                 full-batch gradient descent shrink (dashed line; Cohen et al. 2021, 2103.00065). With momentum μ the bound \
                 is 2(1 + μ), and Adam, which scales each weight's step, has none in this number. “Distance to Θ∞” is ‖K − Θ∞‖/‖Θ∞‖ \
                 from the infinite-width kernel of the same network, where it has one in closed form; it falls as width^−½.\n\
                 Reactivation (2507.16039), there called the NTK norm, as a summary by others has it."
            }
            Self::Alignment => {
                "How well the kernel fits the labels of each task's probes:\n\
                 A = ⟨K, YY′⟩ / (‖K‖ ‖YY′‖)\n\
                 with Y one-hot; “centred” takes the means out of both first; “full” is y′Θy / (‖Θ‖ ‖y‖²) with the NC × NC \
                 kernel, at each epoch's end and each switch; as nothing is centred there, its maximum lies far below 1. Labels at \
                 random do not give 0: in the default run permuted ones give .42 uncentred and .09 centred, the right ones .53 and .51.\n\
                 Cristianini et al. 2001; Cortes et al. 2012 (1203.0550); “full” without the centring of Baratin et al. 2021 (2008.00938)."
            }
            Self::Spectrum => {
                "The eigenvalues of K at the cursor, largest first, both axes logarithmic; the faint curve is the spectrum at the \
                 last switch. The effective rank is exp of the entropy of λ/Σλ (Roy & Vetterli 2007; for this kernel Baratin et al. \
                 2021). Eigenvalues that rounding leaves at or below 0 have no place on this axis and are counted instead."
            }
            Self::Waterfall => {
                "All eigenvalues over time: a column per moment, the largest on top (index on a logarithmic axis), colour is \
                 log λ. “Lines” shows the eight largest."
            }
            Self::Accuracy => {
                "Test accuracy on each task. Solid: among all classes; dashed: among the task's own classes (masked). Much of \
                 what looks like forgetting is a bias of the logits towards the new classes, and goes away when masked. Dotted, at each \
                 epoch's end: a linear probe, a ridge regression learnt anew from what the last layer sees of up to 50 training \
                 images of each of the task's classes (with intercept; the ridge is the mean square length of the centred \
                 features, and jitter is added only where it must be): where it stays high, the features still tell the classes apart and only the read-out \
                 forgot.\n\
                 “Matrix” has a row for each task finished and a column for each task tested; forgetting is the best accuracy \
                 a task ever had at a row minus its last.\n\
                 Chaudhry et al. 2018 (1801.10112)."
            }
            Self::Forks => {
                "Other futures of this run. A fork keeps weights, optimiser and all that later numbers depend on; each future goes \
                 on from there with one thing changed, and is, bit for bit, the run that its settings give from the start. The \
                 curves are those of the first task's probes; the thick one is the run itself.\n\
                 Clamped: each step is scaled so that its length stays the mean of η ‖∇L‖ over the epoch before. That does not hold \
                 how far the weights go over a lag: after a switch steps point one way, and of equal length lead four to five times as far. Masked: the loss sees only the logits of classes that can be in the batch. Head only: no other layer gets a step; frozen: this one gets none; the kernel is still that of all layers.\n\
                 Why the kernel reactivates is, as its abstract and a summary have it, left open by Reactivation (2507.16039)."
            }
            Self::Prediction => {
                "What the network would do if its kernel stood still. The network linearised where its weights w* were,\n\
                 f(x; w*) + J(x; w*) (w − w*),\n\
                 takes the network's own steps on the same batches, so the gap between the two is the kernel's motion and \
                 nothing else. Orange: linearised at initialisation; green: at the last switch; yellow, where asked for: anew now and then. \
                 Purple: the network's start moved by the infinite-width kernel Θ∞, f ← f − η Σ_b Θ∞(·, x_b) ∂L/∂f(x_b), where the \
                 network has one and is trained by SGD without decay. The dashed level lines are kernel regression, f + Θ Θ⁻¹ (y − f), from 100 images of each new class, with the \
                 trace kernel, one and the same for each logit, in place of the full one that the linearised networks have: the \
                 mean squared error at t = ∞, another loss, another time and another kernel than the network's. With the full kernel task 1 keeps .04 to .10 less \
                 (an independent computation). “Gap” is the root mean square of network minus prediction.\n\
                 Lee et al. 2019 (1902.06720); Yang & Littwin 2021 (2105.03703), eq. 22; Karakida & Akaho 2022 (2112.01653)."
            }
            Self::Ledger => {
                "Which new images move which old ones, in one step. To first order a step changes the output on an old image x by\n\
                 −η Σ_b Θ(x, x_b) ∂L/∂f(x_b),\n\
                 a part for each image b of the batch. Left: for each probe of the tasks before, the predicted and the measured \
                 change of the logit of its own class; on the line they agree. Click on one: right, the new images that push it \
                 down and up the most. Taken at the first step of each task, or when asked for; plain SGD only.\n\
                 Lee et al. 2019 (1902.06720), eq. 3."
            }
            Self::Layers => {
                "Which layer moves? The kernel is a sum over layers, K = Σ_ℓ K_ℓ with K_ℓ the gradients of layer ℓ alone \
                 (weight and bias), and each K_ℓ has a velocity, an alignment and a share tr K_ℓ/tr K of its own, on the \
                 probes of one task. Dark is the layer next to the images, bright the one next to the logits (a small place names only these two and \
                 the greatest at the cursor). The velocity is \
                 centred and over the same lag as that of the whole kernel, and blind to size: a layer with a small share may \
                 turn fast and hardly matter. ×n is the largest velocity in the epoch after the last switch over the median of \
                 the last third of the task before, and depends on lag, batch and rate as that of the whole kernel does.\n\
                 Per layer: Baratin et al. 2021 (2008.00938)."
            }
            Self::Logits => {
                "The kernel of some logits only: K = (1/|set|) Σ_{c in set} Θ_cc, for the classes of the task that was trained \
                 first (old) and for all others (new), on the probes of one task. The kernel itself is their mean, weighted \
                 with how many logits each has. Before the switch the new logits were only ever pushed down; after it the old \
                 ones are. Nothing is shown where one task has all classes, or the kernel is that of the logits' sum."
            }
            Self::Coupling => {
                "How much two tasks share: the block K_ij of the Gram between the probes of tasks i and j,\n\
                 c = ‖K_ij‖/√(‖K_ii‖ ‖K_jj‖)\n\
                 between 0 (a step on one leaves the other's outputs alone) and 1. In theories of continual learning with a \
                 still kernel this block is what makes a task forget (Doan et al. 2021, 2010.04003). ‖·‖ is the Frobenius norm, \
                 uncentred."
            }
            Self::Distances => {
                "How far the kernel is from itself at every other time, on the probes of one task:\n\
                 S(t, t′) = 1 − CKA(K_t, K_t′)\n\
                 centred, with time on both axes; dark is near, lines are switches. A kernel that turns evenly fades away from \
                 the diagonal; one that settles has a dark square from there on (the “cone effect”: after a short chaotic \
                 time, later kernels stay near one another, 2505.13900); one that a switch wakes up has a dark square for \
                 each task. At most 256 snapshots are compared, every second, fourth … one of more, and those at switches. Point at a place for its \
                 number.\n\
                 Fort et al. 2020 (2010.15110), there uncentred and of the full kernel."
            }
            Self::Compare => moment_comparison::HELP,
            Self::Program => {
                "The network as its tensor program (NETSOR⊤: variables, matrix products, nonlinearities), line by line; \
                 dashed, the backward pass goes through the same lines with their transposed derivatives (′). The kernel is a sum \
                 over the parameter tensors,\n\
                 K = Σ_W K_W, K_W(x,x′) = (1/C) Σ_c ⟨∂f_c(x)/∂W, ∂f_c(x′)/∂W⟩,\n\
                 and of each matrix, K_W = (Gram of what it reads going forward) ∘ (Gram of ∂f/∂ of what it writes, going \
                 backward), over all its uses and the places of an image: so each stands between the two passes. Filled, and in \
                 percent: its share tr K_W/tr K on one task's probes, at the cursor. Click on a tensor: the kernel and its \
                 velocity are then shown of it, too. The velocity has no value where the centred K_W is nothing but rounding (the \
                 last bias moves all images alike). Gains and biases of LayerNorm are fixed in the NTK parametrisation.\n\
                 “Edit” shows the text that wrote it, beside each line what the line gives, its parameters, its share, and ∞ where \
                 it has an infinite-width limit (– where not: point at it). Change it, or begin from another; “Apply” starts the run, \
                 and undo (Ctrl+Z outside the text) brings the network before back. While the text differs from the run's, its own \
                 network is drawn. Theory also asks that the read-out is drawn anew and that no matrix is used with its transpose.\n\
                 Yang 2020 (2006.14548), the canonical decomposition; Yang & Littwin 2021 (2105.03703)."
            }
            Self::Trajectories => {
                "What the network says of single probe images, as the loss sees it (with laziness α (f − f₀)), at each snapshot. \
                 Solid: the network; dashed, in the same colour: what a predictor says of the same logit, from the same start on the \
                 same batches. Choose a probe from the list or by a click on its row in the kernel. With the squared error the \
                 dashed level is the target of an own logit. In the limit of infinite width the two fall together at every \
                 fixed time.\n\
                 Lee et al. 2019 (1902.06720); Yang & Littwin 2021 (2105.03703)."
            }
            Self::Modes => {
                "The residual r = f − y on the probes (y one-hot), along the eigenvectors v_i of the run's first kernel:\n\
                 ‖v_i′ r_t‖² / ‖v_i′ r_0‖²,\n\
                 on a logarithmic axis; energies below 10⁻¹² of the first are left out. Dashed: a kernel that stands still takes \
                 r_{t+1} = (1 − η Θ/(N C)) r_t, so (1 − ηλ_i/(N C))^2t is left after t steps: drawn where the probes are \
                 exactly the training images and training is plain gradient descent with the full batch, the kernel's mean over \
                 logits standing for that of each. Large eigenvalues are learnt first.\n\
                 Jacot et al. 2018 (1806.07572); Arora et al. 2019 (1901.08584)."
            }
            Self::Circle => {
                "For runs on the circle: the kernel Θ(x₀, x(γ)) between one probe x₀ and all others by the angle γ from x₀, at the \
                 first snapshot (dashed) and at the cursor (solid); in the text's colour, where there is one, at infinite width. x₀ is the probe nearest to \
                 (1, 0), or the one chosen by a click on its row in the kernel. Restart with another seed or width: the first \
                 and the last kernel of each run before stay as faint lines. The wider, the nearer to one another and to \
                 the limit, and the less training moves them.\n\
                 Jacot, Gabriel, Hongler 2018 (1806.07572), figure 1."
            }
            Self::Disk => {
                "For runs on the disk, whose probes are a grid: the first eigenvectors of the kernel (not centred) as pictures, \
                 at the first snapshot and at the cursor, largest eigenvalue first; below each its eigenvalue and share of the trace. \
                 Blue is negative, red positive, each picture over its own largest entry; the sign is such that this entry is \
                 positive. Drawn over them: the disk and the curve between the classes. Where features are learnt, the \
                 leading components turn towards that curve; in a wide network in the NTK parametrisation they stand still.\n\
                 Baratin et al. 2021 (2008.00938)."
            }
            Self::Optimiser => {
                "The kernel of the geometry in which the optimiser really trains, J P J′, beside Θ = J J′ (dashed): a step moves the \
                 outputs by −η J P J′ ∂L/∂f, to first order. With Adam P is the diagonal 1/(√v̂ + ε) as it is at that moment \
                 (v̂: the mean square of each parameter's gradients, corrected for its start; 0 for a parameter that has never had \
                 one, even where a switch is about to give it one), and before its first step there is none. With momentum μ a gradient that stays the same adds up to \
                 1/(1 − μ) times itself, so P is that number; with plain SGD it is 1. What is frozen has no part.\n\
                 Velocity, alignment, λ_max and trace are those of Θ, of the other kernel: averaged over logits, centred, over the same lag. \
                 “S from Θ” is 1 − CKA(J P J′, Θ), centred: 0 where the two have one shape.\n\
                 Kingma, Ba 2015 (1412.6980); the kernel of adaptive methods: Yang, Littwin 2023, Tensor Programs IVb (2308.01814)."
            }
            Self::Beside => {
                "The kernel of this run at the cursor, and beside it that of a run of the list (U) at the nearest epoch. Point at \
                 an entry: both values and their difference. “One range” gives both the same colours; “cosine” divides by \
                 √(K(x,x) K(x′,x′)), so that kernels of different size can be compared. Runs come into the list when they are \
                 opened (Ctrl+O) or dropped on the window."
            }
        }
    }
}

/// What the user chose in the views, and what they keep between frames.
#[derive(Default)]
pub struct ViewState {
    slots: grid::Slots,
    gram: gram::GramState,
    velocity: velocity::VelocityState,
    scale: scale::ScaleState,
    alignment: alignment::AlignmentState,
    waterfall: waterfall::WaterfallState,
    accuracy: accuracy::AccuracyState,
    forks: forks::ForksState,
    prediction: prediction::PredictionState,
    ledger: ledger::LedgerState,
    layers: layers::LayersState,
    logits: logits::LogitsState,
    coupling: coupling::CouplingState,
    distances: distances::DistancesState,
    compare: moment_comparison::CompareState,
    program: program::ProgramState,
    trajectories: trajectories::TrajectoriesState,
    modes: modes::ModesState,
    circle: circle::CircleState,
    disk: disk::DiskState,
    /// The probe that trajectories are shown of.
    probe: trajectories::Probe,
    /// The tensor that kernel and velocity are shown of.
    tensor: program::Chosen,
    optimiser: optimiser::OptimiserState,
    beside: run_comparison::BesideState,
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
        self.beside.forget_textures();
        self.waterfall.reset();
        self.distances.reset();
        self.compare.reset();
        self.ledger.reset();
        self.modes.reset();
        self.disk.reset();
    }

    /// Shows in each view what it usually shows.
    pub fn show_usual(&mut self) {
        (self.gram, self.waterfall) = (gram::GramState::default(), waterfall::WaterfallState::default());
        (self.velocity, self.scale) = (velocity::VelocityState::default(), scale::ScaleState::default());
        (self.alignment, self.accuracy) = (alignment::AlignmentState::default(), accuracy::AccuracyState::default());
        (self.tensor, self.block) = (program::Chosen::default(), BlockChoice::default());
    }

    /// Keeps what is to be seen of a run that another takes the place of.
    pub fn leave(&mut self, history: &History) {
        self.circle.leave(history, self.probe);
    }
}
