//! What is true of one of several choices: whoever asks "is it this one" asks here, so that a new one has to answer.

use super::{
    Awaited, Learner, Loss, Method, Optimiser, Parametrisation, Readout, Reduction, Ridge, Source, Spacing, TaskKind,
};

impl Optimiser {
    /// Whether a step goes along the gradient, with or without momentum: then the kernel says what training does, and there is
    /// a largest stable rate.
    pub fn follows_gradient(self) -> bool {
        match self {
            Self::Sgd => true,
            Self::Adam => false,
        }
    }

    /// Whether each parameter has a step length of its own, which the optimiser's kernel has to count.
    pub fn is_preconditioned(self) -> bool {
        match self {
            Self::Sgd => false,
            Self::Adam => true,
        }
    }

    /// Copies of all parameters that it keeps or needs for a step.
    pub fn copies(self, momentum: f64) -> usize {
        match self {
            Self::Sgd if momentum > 0.0 => 2,
            Self::Sgd => 1,
            Self::Adam => 3,
        }
    }

    /// Its name in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sgd => "SGD",
            Self::Adam => "Adam",
        }
    }
}

impl Loss {
    /// Whether it is the squared error, whose training is linear in the outputs.
    pub fn is_squared(self) -> bool {
        match self {
            Self::Mse => true,
            Self::CrossEntropy => false,
        }
    }
}

impl Parametrisation {
    /// Whether gains stand before the weights, so that the kernel has a limit.
    pub fn is_ntk(self) -> bool {
        match self {
            Self::Ntk => true,
            Self::Standard => false,
        }
    }
}

impl Reduction {
    /// Whether it is a mean over logits, each with itself.
    pub fn is_trace(self) -> bool {
        match self {
            Self::Trace => true,
            Self::SumLogits => false,
        }
    }
}

impl Method {
    /// Whether no Jacobian is formed.
    pub fn is_layerwise(self) -> bool {
        match self {
            Self::Layerwise => true,
            Self::Jacobian => false,
        }
    }
}

impl Readout {
    /// Whether its one output says a number.
    pub fn is_number(self) -> bool {
        match self {
            Self::Number => true,
            Self::Classes(_) => false,
        }
    }
}

impl TaskKind {
    /// Whether each task has classes of its own.
    pub fn splits(self) -> bool {
        match self {
            Self::Split => true,
            Self::Permuted | Self::Rotated | Self::Frequency => false,
        }
    }

    /// Whether the proportions of two groups of classes move.
    pub fn shifts_frequencies(self) -> bool {
        match self {
            Self::Frequency => true,
            Self::Split | Self::Permuted | Self::Rotated => false,
        }
    }

    /// Whether its images are turned.
    pub fn turns(self) -> bool {
        match self {
            Self::Rotated => true,
            Self::Split | Self::Permuted | Self::Frequency => false,
        }
    }

    /// Whether its classes are listed.
    pub fn lists_classes(self) -> bool {
        match self {
            Self::Split | Self::Frequency => true,
            Self::Permuted | Self::Rotated => false,
        }
    }
}

impl Source {
    /// Whether its files say only when they are read how many classes there are.
    pub fn has_unknown_classes(self) -> bool {
        match self {
            Self::Idx => true,
            Self::FashionMnistSmall
            | Self::Cifar10
            | Self::Cifar100
            | Self::Circle
            | Self::Disk
            | Self::SpherePolynomial
            | Self::Fourier => false,
        }
    }

    /// Whether it is a power law on the circle, whose eigenvalues are known.
    pub fn is_power_law(self) -> bool {
        match self {
            Self::Fourier => true,
            Self::FashionMnistSmall
            | Self::Idx
            | Self::Cifar10
            | Self::Cifar100
            | Self::Circle
            | Self::Disk
            | Self::SpherePolynomial => false,
        }
    }

    /// Whether its probes are a grid, which has its own number of them.
    pub fn has_grid(self) -> bool {
        match self {
            Self::Disk => true,
            Self::FashionMnistSmall
            | Self::Idx
            | Self::Cifar10
            | Self::Cifar100
            | Self::Circle
            | Self::SpherePolynomial
            | Self::Fourier => false,
        }
    }
}

impl Ridge {
    /// Whether it is chosen among several, by the error on samples that the regression never saw.
    pub fn is_chosen(self) -> bool {
        match self {
            Self::Validated => true,
            Self::None => false,
        }
    }
}

impl Spacing {
    /// Where in its arc a sample lies, `first` being the same for all of a set.
    pub fn within(self, first: f64, drawn: impl FnOnce() -> f64) -> f64 {
        match self {
            Self::Even => first,
            Self::Random | Self::Stratified => drawn(),
        }
    }

    /// Whether each sample has an arc of its own.
    pub fn has_arcs(self) -> bool {
        match self {
            Self::Stratified | Self::Even => true,
            Self::Random => false,
        }
    }
}

impl Awaited {
    /// Whether the reader goes on when they like.
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
    /// Whether it is the network itself.
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

    /// Whether a sentence says where its curve bends: the network, and the kernels that know nothing of what it learnt.
    pub fn tells_bends(self) -> bool {
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

    /// Whether it learns with the kernel of infinite width.
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
