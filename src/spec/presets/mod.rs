//! Defines the preset runs and studies: each is a change to the defaults, with a sentence that describes what it shows.

mod builders;
mod controls;
mod definition;
mod labs;
mod networks;
mod plasticity;
mod scaling;
mod universality;

pub use controls::controls_of;
pub use definition::Preset;
pub use labs::{LABS, Lab, lab_before};

use crate::spec::presets::builders::{along, among};

use toml::Value;

use super::{
    Activation, Init, Loss, NetworkSpec, Optimiser, Parametrisation, Reduction, Source, Spec, StudySpec, TaskKind,
};

/// Returns the preset run that equals this spec up to the seed.
pub fn preset_of(spec: &Spec) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| Spec { seed: spec.seed, ..preset.spec() }.same_run(spec))
}

/// Sets points of the plane and one task, learnt with the squared error.
fn plane(spec: &mut Spec, source: Source) {
    spec.data.source = source;
    spec.tasks.classes = vec![vec![0, 1]];
    spec.training.loss = Loss::Mse;
    spec.training.batch = 16;
    spec.kernel.per_epoch = 1;
    spec.kernel.lag = 4.0;
    spec.tasks.epochs = vec![200.0];
    spec.training.rate = 0.5;
    spec.window.pace = 12.0;
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
            spec.network.width = 1024.into();
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
            spec.tasks.classes = pairs();
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
        about: "The same two tasks with a small convolutional network: a far higher spike, and a dip",
        change: |spec| {
            spec.network = NetworkSpec::of("cnn");
            spec.tasks.epochs = vec![6.0, 4.0];
            spec.training.rate = 0.01;
            spec.kernel.probes_per_class = 8;
            spec.data.test_per_class = 50;
        },
    },
    Preset {
        name: "resmlp",
        about: "The same two tasks with a residual MLP: λ_max falls to about half and stays there",
        change: |spec| {
            spec.network = NetworkSpec { init: Init::Torch, ..NetworkSpec::of("resmlp") };
            spec.tasks.epochs = vec![30.0, 10.0];
            spec.training.rate = 0.002;
            spec.kernel.probes_per_class = 8;
        },
    },
    Preset {
        name: "transformer",
        about: "The same two tasks with a small vision transformer: a restless kernel, and the deepest dip",
        change: |spec| {
            spec.network = NetworkSpec { init: Init::Torch, ..NetworkSpec::of("transformer") };
            spec.tasks.epochs = vec![10.0, 5.0];
            spec.training.rate = 0.005;
            spec.kernel.probes_per_class = 4;
            spec.data.test_per_class = 50;
        },
    },
    networks::RESNET,
    networks::VISION_TRANSFORMER,
    universality::RUN,
    universality::INFINITE_WIDTH,
    networks::MEAN_READOUT,
    Preset {
        name: "circle",
        about: "Points of a circle, one task: Jacot's picture of a kernel that keeps its shape while a wide network learns x₁x₂",
        change: |spec| {
            plane(spec, Source::Circle);
            spec.network = NetworkSpec {
                width: 512.into(),
                parametrisation: Parametrisation::Ntk,
                ..NetworkSpec::of("mlp").with("depth", 3)
            };
            spec.kernel.probes_per_class = 32;
        },
    },
    Preset {
        name: "disk",
        about: "The two halves of a disk, one task: the kernel of a narrow network turns towards the curve between them",
        change: |spec| {
            plane(spec, Source::Disk);
            spec.network =
                NetworkSpec { width: 64.into(), init: Init::Torch, ..NetworkSpec::of("mlp").with("depth", 3) };
            spec.training.rate = 0.1;
            spec.kernel.probes_per_class = 72;
        },
    },
    Preset {
        name: "static-kernel",
        about: "Beside the network, what it would do if its kernel were constant: the gap is the kernel's motion and \
            nothing else",
        change: |spec| spec.kernel.predict = true,
    },
    Preset {
        name: "replay",
        about: "The same two tasks, with 200 images of the first replayed in the second",
        change: |spec| spec.training.replay = 200,
    },
    Preset {
        name: "precursor",
        about: "As the paper's precursor measured: Adam, ten probes a task, the sum of the logits: λ_max falls here \
            and rises there",
        change: |spec| {
            spec.tasks.classes = pairs();
            spec.tasks.epochs = vec![10.0];
            spec.network = NetworkSpec {
                width: 100.into(),
                activation: Activation::Tanh,
                init: Init::Torch,
                ..NetworkSpec::of("mlp").with("depth", 3)
            };
            spec.training.optimiser = Optimiser::Adam;
            spec.training.rate = 0.001;
            spec.training.batch = 32;
            spec.kernel.reduction = Reduction::SumLogits;
            spec.kernel.probes_per_class = 5;
            spec.kernel.per_epoch = 1;
            spec.kernel.lag = 1.0;
            // 36 steps per epoch: the snapshots divide them evenly, so that one falls exactly on the end of each epoch.
            spec.data.per_class = 581;
        },
    },
    Preset {
        name: "ten-tasks",
        about: "Ten tasks of ten classes of CIFAR-100, whose folder is to be chosen under Data: all nine switches spike, and dip",
        change: |spec| {
            spec.data.source = Source::Cifar100;
            spec.data.test_per_class = 20;
            spec.tasks.classes = (0..10).map(|task| (10 * task..10 * task + 10).collect()).collect();
            spec.tasks.epochs = vec![10.0, 5.0];
            spec.training.rate = 0.01;
            spec.training.batch = 32;
            spec.kernel.probes_per_class = 4;
            spec.kernel.per_epoch = 2;
            spec.kernel.lag = 0.5;
        },
    },
];

/// Returns five tasks of two classes.
fn pairs() -> Vec<Vec<usize>> {
    (0..5).map(|task| vec![2 * task, 2 * task + 1]).collect()
}

/// All studies; the first one is the default.
pub const STUDIES: &[Preset] = &[
    Preset {
        name: "width",
        about: "Spike and dip against width, in the standard parametrisation",
        change: |spec| spec.study = along("network.width", [64, 128, 256, 512, 1024, 2048]),
    },
    Preset {
        name: "lazy-width",
        about: "The same with a rate that falls as 1/width: the lazy twin",
        change: |spec| {
            spec.training.rate_width = Some(256);
            spec.study = along("network.width", [64, 128, 256, 512, 1024, 2048]);
        },
    },
    Preset {
        name: "ntk-width",
        about: "The same in the NTK parametrisation",
        change: |spec| {
            spec.network.parametrisation = Parametrisation::Ntk;
            spec.training.rate = 0.5;
            spec.study = along("network.width", [64, 128, 256, 512, 1024, 2048]);
        },
    },
    Preset {
        name: "rate",
        about: "Spike and dip against the learning rate",
        change: |spec| spec.study = along("training.rate", [0.0003, 0.001, 0.003, 0.006, 0.015]),
    },
    Preset {
        name: "overlap",
        about: "How many classes the second task shares with the first: from none to all, which is the control",
        change: |spec| spec.study = along("tasks.overlap", [0, 1, 2, 3, 4, 5]),
    },
    Preset {
        name: "frequency",
        about: "All classes in both tasks, only their proportions shift: the other kind of change",
        change: |spec| {
            spec.tasks.kind = TaskKind::Frequency;
            spec.study = along("tasks.alpha", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        },
    },
    Preset {
        name: "duration",
        about: "How long the first task was trained",
        change: |spec| {
            let epochs = |first: i64| Value::Array(vec![Value::Integer(first), Value::Integer(10)]);
            spec.study = along("tasks.epochs", [5, 10, 20, 40, 60].map(epochs));
        },
    },
    Preset {
        name: "regime",
        about: "The same network in the standard and in the NTK parametrisation, with the lazy rate, and scaled by α",
        change: |spec| {
            spec.network.width = 1024.into();
            spec.study = among(
                "regime",
                &[
                    ("standard", &[]),
                    ("lazy", &["training.rate_width=256"]),
                    ("NTK", &["network.parametrisation=ntk", "training.rate=0.5"]),
                    ("α = 10", &["network.alpha=10"]),
                ],
            );
        },
    },
    Preset {
        name: "laziness",
        about: "The output scaled by α and the rate by 1/α²: from feature learning to a constant kernel",
        change: |spec| spec.study = along("network.alpha", [0.3, 1.0, 3.0, 10.0, 30.0]),
    },
    Preset {
        name: "architecture",
        about: "MLP, convolutional network, residual MLP, transformer: each at a rate of its own",
        change: |spec| {
            spec.tasks.epochs = vec![10.0, 5.0];
            spec.kernel.probes_per_class = 4;
            spec.data.test_per_class = 50;
            spec.study = among(
                "architecture",
                &[
                    ("MLP", &["training.rate=0.01"]),
                    ("CNN", &["network.program=cnn", "network.width=16", "training.rate=0.01"]),
                    (
                        "residual MLP",
                        &["network.program=resmlp", "network.blocks=2", "network.init=torch", "training.rate=0.005"],
                    ),
                    (
                        "transformer",
                        &[
                            "network.program=transformer",
                            "network.width=64",
                            "network.activation=gelu",
                            "network.init=torch",
                            "training.rate=0.005",
                        ],
                    ),
                ],
            );
        },
    },
    Preset {
        name: "why",
        about: "What reactivation needs: the second task with steps kept short, parts frozen, logits masked",
        change: |spec| {
            spec.study = among(
                "second task",
                &[
                    ("as it is", &[]),
                    ("clamped", &["changes=[{place=2, clamped=true}]"]),
                    ("head only", &["changes=[{place=2, frozen=[\"fc1\", \"fc2\"]}]"]),
                    ("head frozen", &["changes=[{place=2, frozen=[\"fc3\"]}]"]),
                    ("first layer frozen", &["changes=[{place=2, frozen=[\"fc1\"]}]"]),
                    ("masked", &["changes=[{place=2, masked=true}]"]),
                    ("replay", &["changes=[{place=2, replay=200}]"]),
                ],
            );
        },
    },
    controls::CONTROLS,
    plasticity::PLASTICITY,
    Preset {
        name: "replay",
        about: "How many images of the first task are replayed in the second: forgetting, and the kernel",
        change: |spec| spec.study = along("training.replay", [0, 10, 50, 200, 500]),
    },
    Preset {
        name: "prevention",
        about: "Does what prevents forgetting prevent reactivation? Seven strategies, over all logits and with masked ones",
        change: |spec| {
            spec.study = Some(StudySpec {
                values: vec![Value::Boolean(false), Value::Boolean(true)],
                ..among(
                    "training.masked",
                    &[
                        ("fine-tuning", &[]),
                        ("replay", &["training.replay=200"]),
                        ("EWC", &["continual.strategy=ewc"]),
                        ("SI", &["continual.strategy=si"]),
                        ("LwF", &["continual.strategy=lwf"]),
                        ("A-GEM", &["continual.strategy=a-gem"]),
                        ("DER++", &["continual.strategy=der++"]),
                        ("joint", &["continual.strategy=joint"]),
                    ],
                )
                .unwrap_or_default()
            });
        },
    },
    Preset {
        name: "sequence",
        about: "The same ten classes as two, three or five tasks: every switch spikes (ratios of tasks of unequal size \
            cannot be compared)",
        change: |spec| {
            spec.tasks.epochs = vec![15.0, 10.0];
            spec.study = among(
                "sequence",
                &[
                    ("2 × 5", &["tasks.classes=[[0,1,2,3,4],[5,6,7,8,9]]"]),
                    ("4 + 3 + 3", &["tasks.classes=[[0,1,2,3],[4,5,6],[7,8,9]]"]),
                    ("5 × 2", &["tasks.classes=[[0,1],[2,3],[4,5],[6,7],[8,9]]"]),
                ],
            );
        },
    },
    Preset {
        name: "optimiser",
        about: "Plain SGD, momentum, Adam: how much the kernel stirs before anything has shifted",
        change: |spec| {
            spec.study = among(
                "optimiser",
                &[
                    ("SGD", &[]),
                    ("momentum .9", &["training.momentum=0.9", "training.rate=0.0003"]),
                    ("Adam", &["training.optimiser=adam", "training.rate=0.0003"]),
                ],
            );
        },
    },
    Preset {
        name: "loss",
        about: "Cross-entropy and the mean squared error",
        change: |spec| {
            let mse: &[&str] = &["training.loss=mse", "training.rate=0.03"];
            spec.study = among("loss", &[("cross-entropy", &[]), ("mean squared error", mse)]);
        },
    },
    networks::LIBRARY,
    universality::WIDTH_INIT,
    universality::MLP,
    universality::RESMLP,
    universality::CNN,
    universality::TRANSFORMER,
    universality::RNN,
    universality::BREAKS,
    scaling::HE3,
    scaling::CIRCLE,
    scaling::FASHION_CNN,
    scaling::FASHION_MLP,
    scaling::EVOLUTION,
    scaling::WIDTH,
    scaling::ROBUSTNESS,
];

/// Returns the preset of this name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// Returns the study of this name.
pub fn study(name: &str) -> Option<&'static Preset> {
    STUDIES.iter().find(|study| study.name == name)
}
