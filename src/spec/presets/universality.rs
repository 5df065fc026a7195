//! Defines the studies of the Universality laboratory: does training follow the kernel more closely as the width grows?
//! (Yang & Littwin 2021, *Tensor Programs IIb*.) Each takes minutes on two cores.

use toml::Value;

use super::Preset;
use super::builders::{SEEDS, along};
use crate::spec::{Activation, Loss, NetworkSpec, Parametrisation, Spec, StudySpec, Variant, Width};

pub(super) const INFINITE_WIDTH: Preset = Preset {
    name: "infinite",
    about: "The infinitely wide network: its kernel is constant, and it forgets all the same",
    change: |spec| {
        spec.network.width = Width::Infinite;
        spec.network.parametrisation = Parametrisation::Ntk;
        spec.training.rate = 0.5;
        spec.data.per_class = 200;
        spec.data.test_per_class = 50;
        spec.tasks.epochs = vec![20.0, 10.0];
    },
};

/// Full-batch descent on exactly the probes, so that the closed form of each mode holds as long as the kernel is constant.
pub(super) const RUN: Preset = Preset {
    name: "universality",
    about: "Forty images, a wide network, and what three constant kernels predict for it: its logits, mode by mode, \
        beside theirs",
    change: |spec| {
        universal(spec);
        spec.data.test_per_class = 20;
        spec.tasks.steps = Vec::new();
        spec.tasks.epochs = vec![200.0];
        spec.network.width = 512.into();
        spec.training.rate = 2.0;
        spec.training.batch = 40;
        spec.kernel.probes_per_class = 4;
        spec.kernel.lag = 4.0;
        spec.kernel.piecewise = Some(20.0);
        spec.window.pace = 12.0;
    },
};

pub(super) const WIDTH_INIT: Preset = Preset {
    name: "width-init",
    about: "How near the kernel of a random network is to that of infinite width: ‖Θ_n − Θ̊‖/‖Θ̊‖ falls as n^−½",
    change: |spec| {
        universal(spec);
        // One step at a rate of zero: the measurement is taken before it.
        spec.tasks.steps = vec![1];
        spec.training.rate = 0.0;
        (spec.kernel.predict, spec.kernel.piecewise) = (false, None);
        spec.data.shrink = 4;
        let widths: &[i64] = &[64, 128, 256, 512, 1024, 2048, 4096];
        spec.study = series(
            widths,
            &(1..=20).collect::<Vec<_>>(),
            &[
                ("MLP", &["network.norm=none"], &[]),
                ("residual MLP", &["network.program=resmlp", "network.blocks=2"], &widths[..6]),
                ("CNN", &["network.program=cnn", "network.pool=none"], &[16, 32, 64, 128, 256]),
            ],
        );
    },
};

pub(super) const MLP: Preset = Preset {
    name: "universal-mlp",
    about: "An MLP against its own kernel: the kernel drifts, and the network leaves its linearisation, less the wider it is",
    change: |spec| {
        universal(spec);
        spec.study = series(
            &[128, 256, 512, 1024, 2048, 4096],
            &SEEDS,
            &[("ReLU", &["network.activation=relu"], &[]), ("tanh", &["network.activation=tanh"], &[])],
        );
    },
};

pub(super) const RESMLP: Preset = Preset {
    name: "universal-resmlp",
    about: "The same with a residual MLP, with LayerNorm and without: the architecture does not matter",
    change: |spec| {
        universal(spec);
        spec.network.program = "resmlp".to_owned();
        spec.network.set("blocks", 2.into());
        spec.study = series(
            &[64, 128, 256, 512, 1024],
            &SEEDS,
            &[
                ("LayerNorm", &["network.norm=layer"], &[]),
                ("no norm", &["network.norm=none", "training.rate=0.1"], &[]),
            ],
        );
    },
};

pub(super) const CNN: Preset = Preset {
    name: "universal-cnn",
    about: "The same with two convolutions on images of 7 × 7",
    change: |spec| {
        universal(spec);
        spec.data.shrink = 4;
        spec.network.program = "cnn".to_owned();
        spec.network.set("pool", "none".into());
        spec.network.set("head", "mean".into());
        spec.kernel.probes_per_class = 1;
        spec.study = series(
            &[8, 16, 32, 64],
            &SEEDS,
            &[("ReLU", &["network.activation=relu"], &[]), ("tanh", &["network.activation=tanh"], &[])],
        );
    },
};

pub(super) const TRANSFORMER: Preset = Preset {
    name: "universal-transformer",
    about: "The same with a transformer of one block on images of 14 × 14",
    change: |spec| {
        universal(spec);
        spec.data.shrink = 2;
        let transformer = NetworkSpec::of("transformer").with("blocks", 1);
        spec.network = NetworkSpec { parametrisation: Parametrisation::Ntk, ..transformer };
        spec.study = along("network.width", [32, 64, 128, 256, 512]);
    },
};

pub(super) const RNN: Preset = Preset {
    name: "universal-rnn",
    about: "The same with a recurrent network that reads images of 7 × 7 row by row",
    change: |spec| {
        universal(spec);
        spec.data.shrink = 4;
        spec.network.program = "rnn".to_owned();
        spec.study = series(
            &[64, 128, 256, 512, 1024],
            &SEEDS,
            &[
                ("ReLU", &["network.activation=relu", "network.sigma_w=1.0"], &[]),
                ("tanh", &["network.activation=tanh"], &[]),
            ],
        );
    },
};

pub(super) const BREAKS: Preset = Preset {
    name: "breaks",
    about: "One thing changed at a time: where does the kernel's drift no longer fall with the width?",
    change: |spec| {
        universal(spec);
        spec.network.activation = Activation::Tanh;
        spec.study = series(
            &[64, 128, 256, 512, 1024],
            &SEEDS,
            &[
                ("NTP", &[], &[]),
                ("SP", &["network.parametrisation=standard", "training.rate=0.002"], &[]),
                ("α = 0.03", &["network.alpha=0.03"], &[]),
                ("mean field", &["network.alpha_width=1", "network.alpha=0.1"], &[]),
                ("η beyond", &["training.rate=25"], &[]),
                ("momentum .9", &["training.momentum=0.9", "training.rate=0.1"], &[]),
                ("weight decay", &["training.weight_decay=0.01"], &[]),
                ("Adam", &["training.optimiser=adam", "training.rate=0.01"], &[]),
                ("task switch", &["tasks.classes=[[0,1,2,3,4],[5,6,7,8,9]]"], &[]),
            ],
        );
    },
};

/// Sets the setup of Tensor Programs IIb: the NTK parametrisation, few images, a number of steps of plain SGD on the
/// squared error that does not depend on the width, and predictions of the static kernels beside the network.
fn universal(spec: &mut Spec) {
    spec.data.per_class = 4;
    spec.data.test_per_class = 5;
    spec.tasks.classes = vec![(0..10).collect()];
    spec.tasks.steps = vec![30];
    spec.network.parametrisation = Parametrisation::Ntk;
    spec.training.loss = Loss::Mse;
    spec.training.rate = 0.5;
    // Ten steps per epoch, and one snapshot per epoch.
    spec.training.batch = 4;
    spec.kernel.probes_per_class = 2;
    spec.kernel.train_on_probes = true;
    spec.kernel.per_epoch = 1;
    spec.kernel.lag = 1.0;
    spec.kernel.predict = true;
    spec.kernel.piecewise = Some(1.0);
}

/// A name, settings and, where they differ from the study's, widths.
type Line<'a> = (&'a str, &'a [&'a str], &'a [i64]);

/// Returns a study of several settings, each along the width.
fn series(widths: &[i64], seeds: &[u64], lines: &[Line<'_>]) -> Option<StudySpec> {
    let values = |widths: &[i64]| widths.iter().map(|width| Value::Integer(*width)).collect();
    let variant = |(name, set, own): &Line<'_>| Variant {
        name: (*name).to_owned(),
        set: set.iter().map(|setting| (*setting).to_owned()).collect(),
        values: values(own),
    };
    let variants = lines.iter().map(variant).collect();
    let axis = "network.width".to_owned();
    Some(StudySpec { axis, values: values(widths), variants, seeds: seeds.to_vec(), ..StudySpec::default() })
}
