//! Ready-made runs: each is a change to the defaults, with a sentence that says what it shows.

use super::{Init, NetworkKind, NetworkSpec, Parametrisation, Spec, TaskKind};

/// A named run.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    pub name: &'static str,
    /// One sentence: what one sees.
    pub about: &'static str,
    change: fn(&mut Spec),
}

impl Preset {
    /// The spec of this preset.
    pub fn spec(&self) -> Spec {
        let mut spec = Spec::default();
        (self.change)(&mut spec);
        spec
    }
}

/// All presets; the first one is the default.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "reactivation",
        about: "Five classes, then the other five: the kernel of the first task wakes up at the switch",
        change: |_| {},
    },
    Preset {
        name: "lazy",
        about: "A wide network whose rate falls as 1/width: the kernel moves less, and still wakes up",
        change: |spec| {
            spec.network.width = 1024;
            spec.training.rate_width = Some(256);
        },
    },
    Preset {
        name: "ntk",
        about: "The NTK parametrisation: a weaker dip, the same spike",
        change: |spec| {
            spec.network.parametrisation = Parametrisation::Ntk;
            spec.training.rate = 0.5;
        },
    },
    Preset {
        name: "no-shift",
        about: "The control: the second task has the same classes as the first, and nothing happens",
        change: |spec| spec.tasks.overlap = 5,
    },
    Preset {
        name: "five-tasks",
        about: "Five tasks of two classes: a spike at every boundary",
        change: |spec| {
            spec.tasks.classes = (0..5).map(|task| vec![2 * task, 2 * task + 1]).collect();
            spec.tasks.epochs = vec![15.0, 10.0];
        },
    },
    Preset {
        name: "permuted",
        about: "The same ten classes with their pixels permuted: only the inputs shift, and the kernel hardly stirs",
        change: |spec| {
            spec.tasks.kind = TaskKind::Permuted;
            spec.tasks.count = 3;
            spec.tasks.epochs = vec![10.0, 6.0];
            spec.kernel.probes_per_class = 8;
        },
    },
    Preset {
        name: "cnn",
        about: "The same two tasks with a small convolutional network: two convolutions with max pooling",
        change: |spec| {
            spec.network = NetworkSpec::of(NetworkKind::Cnn);
            spec.tasks.epochs = vec![6.0, 4.0];
            spec.training.rate = 0.01;
            spec.kernel.probes_per_class = 8;
            spec.data.test_per_class = 50;
        },
    },
    Preset {
        name: "resmlp",
        about: "The same two tasks with a residual MLP: pre-LayerNorm blocks on one stream",
        change: |spec| {
            spec.network = NetworkSpec { init: Init::Torch, ..NetworkSpec::of(NetworkKind::ResMlp) };
            spec.tasks.epochs = vec![30.0, 10.0];
            spec.training.rate = 0.002;
            spec.kernel.probes_per_class = 8;
        },
    },
    Preset {
        name: "transformer",
        about: "The same two tasks with a small vision transformer: 16 patches, two blocks, attention without a mask",
        change: |spec| {
            spec.network = NetworkSpec { init: Init::Torch, ..NetworkSpec::of(NetworkKind::Transformer) };
            spec.tasks.epochs = vec![10.0, 5.0];
            spec.training.rate = 0.005;
            spec.kernel.probes_per_class = 4;
            spec.data.test_per_class = 50;
        },
    },
];

/// The preset of this name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}
