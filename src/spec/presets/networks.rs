//! Presets for further networks of the library, including one for which the infinite-width theory fails.

use super::builders::among;
use super::{Preset, universality};
use crate::spec::{Init, NetworkSpec, Spec};

pub(super) const RESNET: Preset = Preset {
    name: "resnet",
    about: "The same two tasks with a narrow ResNet-18 and its BatchNorm: the kernel is that of the evaluated network",
    change: |spec| {
        few_images(spec);
        spec.network = NetworkSpec { width: 8.into(), ..NetworkSpec::of("resnet18") };
        spec.tasks.epochs = vec![6.0, 3.0];
        spec.training.rate = 0.01;
        spec.kernel.per_epoch = 2;
        spec.kernel.lag = 0.5;
    },
};

pub(super) const VISION_TRANSFORMER: Preset = Preset {
    name: "vision-transformer",
    about: "The same two tasks with a small ViT that reads its class token out",
    change: |spec| {
        few_images(spec);
        let vit = NetworkSpec::of("vit_tiny").with("blocks", 3).with("patch", 7);
        spec.network = NetworkSpec { width: 48.into(), init: Init::Torch, ..vit };
        spec.tasks.epochs = vec![10.0, 5.0];
        spec.training.rate = 0.01;
        spec.kernel.per_epoch = 2;
        spec.kernel.lag = 0.5;
    },
};

/// As [`universality::RUN`], so that only the network differs.
pub(super) const MEAN_READOUT: Preset = Preset {
    name: "mean-readout",
    about: "A read-out that is a mean and not drawn: theory refuses its limit and names the line, while the network's \
        own kernel is measured as ever",
    change: |spec| {
        *spec = universality::RUN.spec();
        spec.network = NetworkSpec { parametrisation: spec.network.parametrisation, ..NetworkSpec::of("mean_readout") };
        spec.training.rate = 0.5;
    },
};

pub(super) const LIBRARY: Preset = Preset {
    name: "networks",
    about: "Every network that comes with the program, small and for a few steps: does each of their kernels react to \
        the switch?",
    change: |spec| {
        few_images(spec);
        spec.data.test_per_class = 20;
        spec.tasks.epochs = vec![3.0, 2.0];
        spec.training.rate = 0.01;
        spec.study = among(
            "network",
            &[
                ("mlp", &["network.program=mlp", "network.width=64"]),
                ("cnn", &["network.program=cnn", "network.width=4"]),
                (
                    "resmlp",
                    &[
                        "network.program=resmlp",
                        "network.width=32",
                        "network.blocks=2",
                        "network.init=torch",
                        "training.rate=0.003",
                    ],
                ),
                (
                    "transformer",
                    &["network.program=transformer", "network.width=16", "network.blocks=1", "network.init=torch"],
                ),
                ("rnn", &["network.program=rnn", "network.width=32"]),
                ("lenet5", &["network.program=lenet5", "network.width=6", "training.rate=0.02"]),
                ("myrtle5", &["network.program=myrtle5", "network.width=4"]),
                ("myrtle7", &["network.program=myrtle7", "network.width=4"]),
                ("resnet18", &["network.program=resnet18", "network.width=4"]),
                (
                    "wideresnet16",
                    &["network.program=wideresnet16", "network.width=4", "network.k=1", "training.rate=0.05"],
                ),
                (
                    "convnext",
                    &[
                        "network.program=convnext",
                        "network.width=8",
                        "network.blocks=1",
                        "network.patch=7",
                        "network.init=torch",
                    ],
                ),
                (
                    "vit_tiny",
                    &[
                        "network.program=vit_tiny",
                        "network.width=24",
                        "network.blocks=2",
                        "network.patch=7",
                        "network.init=torch",
                    ],
                ),
                (
                    "mixer",
                    &[
                        "network.program=mixer",
                        "network.width=32",
                        "network.blocks=2",
                        "network.patch=7",
                        "network.init=torch",
                        "training.rate=0.03",
                    ],
                ),
                (
                    "gated_mlp",
                    &["network.program=gated_mlp", "network.width=32", "network.init=torch", "training.rate=0.003"],
                ),
                ("layer_scale", &["network.program=layer_scale", "network.width=64"]),
                ("mean_readout", &["network.program=mean_readout", "network.width=64"]),
                ("transposed", &["network.program=transposed", "network.width=64", "training.rate=0.003"]),
            ],
        );
    },
};

/// Sets a hundred images per class, in batches of 32.
fn few_images(spec: &mut Spec) {
    spec.data.per_class = 100;
    spec.data.test_per_class = 50;
    spec.training.batch = 32;
    spec.kernel.probes_per_class = 2;
}
