//! Properties of the variants of the spec's enums. Other folders use these instead of comparing variants, so a new variant
//! must define each of them.

use super::{
    Learner, LessonCondition, Loss, Method, Optimiser, Parametrisation, Readout, Reduction, Ridge, Schedule, Source,
    Spacing, TaskKind,
};

impl Optimiser {
    /// Returns whether a step follows the gradient, with or without momentum: then the kernel determines training, and
    /// there is a largest stable rate.
    pub fn follows_gradient(self) -> bool {
        match self {
            Self::Sgd => true,
            Self::Adam | Self::AdamW | Self::RmsProp | Self::Lion => false,
        }
    }

    /// Returns whether each parameter has its own step length, which the optimiser's kernel must include.
    pub fn is_preconditioned(self) -> bool {
        match self {
            Self::Sgd | Self::Lion => false,
            Self::Adam | Self::AdamW | Self::RmsProp => true,
        }
    }

    /// Returns whether a step is linear in the gradient while the optimiser's state is held: then it has a kernel J P Jᵀ.
    pub fn is_linear(self) -> bool {
        match self {
            Self::Sgd | Self::Adam | Self::AdamW | Self::RmsProp => true,
            Self::Lion => false,
        }
    }

    /// Returns whether `training.momentum` is its momentum; others have one of their own.
    pub fn uses_momentum(self) -> bool {
        match self {
            Self::Sgd | Self::RmsProp => true,
            Self::Adam | Self::AdamW | Self::Lion => false,
        }
    }

    /// Returns the number of copies of all parameters that the optimiser stores or needs for a step.
    pub fn copies(self, momentum: f64) -> usize {
        match self {
            Self::Sgd if momentum > 0.0 => 2,
            Self::Sgd => 1,
            Self::Adam | Self::AdamW => 3,
            Self::RmsProp if momentum > 0.0 => 4,
            Self::RmsProp => 3,
            Self::Lion => 2,
        }
    }

    /// Returns the name for use in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sgd => "SGD",
            Self::Adam => "Adam",
            Self::AdamW => "AdamW",
            Self::RmsProp => "RMSprop",
            Self::Lion => "Lion",
        }
    }
}

impl Schedule {
    /// Returns whether the rate stays as it is.
    pub fn is_constant(&self) -> bool {
        match self {
            Self::Constant => true,
            Self::Linear | Self::Cosine | Self::Step | Self::OneCycle => false,
        }
    }

    /// Returns whether it rises at first by itself, so that no warm-up precedes it.
    pub fn rises(self) -> bool {
        match self {
            Self::OneCycle => true,
            Self::Constant | Self::Linear | Self::Cosine | Self::Step => false,
        }
    }

    /// Returns whether it ends at a share of the rate that can be set.
    pub fn has_end(self) -> bool {
        match self {
            Self::Linear | Self::Cosine => true,
            Self::Constant | Self::Step | Self::OneCycle => false,
        }
    }

    /// Returns whether it falls in steps.
    pub fn has_steps(self) -> bool {
        match self {
            Self::Step => true,
            Self::Constant | Self::Linear | Self::Cosine | Self::OneCycle => false,
        }
    }
}

impl Loss {
    /// Returns whether it is the squared error, whose training is linear in the outputs.
    pub fn is_squared(self) -> bool {
        match self {
            Self::Mse => true,
            Self::CrossEntropy => false,
        }
    }
}

impl Parametrisation {
    /// Returns whether gains multiply the weights, so that the kernel has an infinite-width limit.
    pub fn is_ntk(self) -> bool {
        match self {
            Self::Ntk => true,
            Self::Standard => false,
        }
    }
}

impl Reduction {
    /// Returns whether it is the mean over logits of each logit's kernel with itself.
    pub fn is_trace(self) -> bool {
        match self {
            Self::Trace => true,
            Self::SumLogits => false,
        }
    }
}

impl Method {
    /// Returns whether it avoids forming a Jacobian.
    pub fn is_layerwise(self) -> bool {
        match self {
            Self::Layerwise => true,
            Self::Jacobian => false,
        }
    }
}

impl Readout {
    /// Returns whether the network has one scalar output.
    pub fn is_number(self) -> bool {
        match self {
            Self::Number => true,
            Self::Classes(_) => false,
        }
    }
}

impl TaskKind {
    /// Returns whether each task has its own classes.
    pub fn splits(self) -> bool {
        match self {
            Self::Split => true,
            Self::Permuted | Self::Rotated | Self::Frequency => false,
        }
    }

    /// Returns whether the proportions of two groups of classes change.
    pub fn shifts_frequencies(self) -> bool {
        match self {
            Self::Frequency => true,
            Self::Split | Self::Permuted | Self::Rotated => false,
        }
    }

    /// Returns whether it rotates the images.
    pub fn rotates_images(self) -> bool {
        match self {
            Self::Rotated => true,
            Self::Split | Self::Permuted | Self::Frequency => false,
        }
    }

    /// Returns whether its classes are listed.
    pub fn lists_classes(self) -> bool {
        match self {
            Self::Split | Self::Frequency => true,
            Self::Permuted | Self::Rotated => false,
        }
    }
}

impl Source {
    /// Returns whether the number of classes is known only once the files are read.
    pub fn has_unknown_classes(self) -> bool {
        match self {
            Self::Idx | Self::ImageFolder | Self::Npz => true,
            Self::FashionMnistSmall
            | Self::Cifar10
            | Self::Cifar100
            | Self::Circle
            | Self::Disk
            | Self::SpherePolynomial
            | Self::Fourier => false,
        }
    }

    /// Returns whether its pictures are resized to a side that is chosen.
    pub fn has_side(self) -> bool {
        match self {
            Self::ImageFolder => true,
            Self::FashionMnistSmall
            | Self::Idx
            | Self::Cifar10
            | Self::Cifar100
            | Self::Npz
            | Self::Circle
            | Self::Disk
            | Self::SpherePolynomial
            | Self::Fourier => false,
        }
    }

    /// Returns whether the shape of its images is known only once the files are read.
    pub fn has_unknown_shape(self) -> bool {
        match self {
            Self::Idx | Self::Npz => true,
            Self::FashionMnistSmall
            | Self::Cifar10
            | Self::Cifar100
            | Self::ImageFolder
            | Self::Circle
            | Self::Disk
            | Self::SpherePolynomial
            | Self::Fourier => false,
        }
    }

    /// Returns whether it is a power law on the circle, whose eigenvalues are known.
    pub fn is_power_law(self) -> bool {
        match self {
            Self::Fourier => true,
            Self::FashionMnistSmall
            | Self::Idx
            | Self::Cifar10
            | Self::Cifar100
            | Self::ImageFolder
            | Self::Npz
            | Self::Circle
            | Self::Disk
            | Self::SpherePolynomial => false,
        }
    }

    /// Returns whether the probes form a grid, which determines their number.
    pub fn has_grid(self) -> bool {
        match self {
            Self::Disk => true,
            Self::FashionMnistSmall
            | Self::Idx
            | Self::Cifar10
            | Self::Cifar100
            | Self::ImageFolder
            | Self::Npz
            | Self::Circle
            | Self::SpherePolynomial
            | Self::Fourier => false,
        }
    }
}

impl Ridge {
    /// Returns whether the ridge is chosen by the error on validation samples.
    pub fn is_chosen(self) -> bool {
        match self {
            Self::Validated => true,
            Self::None => false,
        }
    }
}

impl Spacing {
    /// Returns the position of a sample within its arc: `first`, which all samples of a set share, if they are evenly
    /// spaced, else the random `drawn`.
    pub fn within(self, first: f64, drawn: impl FnOnce() -> f64) -> f64 {
        match self {
            Self::Even => first,
            Self::Random | Self::Stratified => drawn(),
        }
    }

    /// Returns whether each sample has its own arc.
    pub fn has_arcs(self) -> bool {
        match self {
            Self::Stratified | Self::Even => true,
            Self::Random => false,
        }
    }
}

impl LessonCondition {
    /// Returns whether there is nothing to wait for: the reader continues at will.
    pub fn is_nothing(self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Start
            | Self::Epoch(_)
            | Self::Switch(_)
            | Self::Spike(_)
            | Self::Dip(_)
            | Self::Recovery(_)
            | Self::AccuracyLost(_)
            | Self::Finished
            | Self::Cursor
            | Self::Residual
            | Self::Breach
            | Self::Points(_)
            | Self::StudyDone => false,
        }
    }
}

impl Learner {
    /// Returns whether it is the network itself.
    pub fn is_network(self) -> bool {
        match self {
            Self::Network => true,
            Self::Ensemble
            | Self::KernelStart
            | Self::Linearised
            | Self::KernelEnd
            | Self::KernelEpochs
            | Self::KernelConstant
            | Self::Infinite
            | Self::FeatureMachine => false,
        }
    }

    /// Returns whether a sentence reports where its curve bends: for the network and the kernels that do not depend on what
    /// it learnt.
    pub fn reports_bends(self) -> bool {
        match self {
            Self::Network | Self::KernelStart | Self::Infinite => true,
            Self::Ensemble
            | Self::Linearised
            | Self::KernelEnd
            | Self::KernelEpochs
            | Self::KernelConstant
            | Self::FeatureMachine => false,
        }
    }

    /// Returns whether it learns with the kernel of infinite width.
    pub fn is_infinite(self) -> bool {
        match self {
            Self::Infinite => true,
            Self::Network
            | Self::Ensemble
            | Self::KernelStart
            | Self::Linearised
            | Self::KernelEnd
            | Self::KernelEpochs
            | Self::KernelConstant
            | Self::FeatureMachine => false,
        }
    }
}
