//! Defines the studies of the scaling laboratory: which learner's test error falls faster with more data?

use super::Preset;
use crate::spec::{
    Init, Learner, Loss, NetworkSpec, Parametrisation, Protocol, Ridge, Source, Spacing, Spec, StudySpec, Target,
    Variant,
};

pub const HE3: Preset = Preset {
    name: "he3",
    about: "He₃ of one of ten inputs: a network that learns features needs a fraction of the samples that its kernels need",
    change: |spec| {
        sphere(spec, Target::He3);
        spec.study = among(&[64, 128, 256, 512, 1024], &[1, 2, 3, 4, 5], &RIVALS);
        if let Some(study) = &mut spec.study {
            study.protocol.halvings = 3;
            study.protocol.interpolates = 2e-3;
        }
    },
};

pub const CIRCLE: Preset = Preset {
    name: "circle-power-law",
    about: "Power laws on the circle: the exponent of the infinite-width kernel is min(a − 1, 4), and its spectrum predicts that",
    change: |spec| {
        drawn(spec, Source::Fourier);
        spec.data.spacing = Spacing::Stratified;
        spec.data.test_per_class = 2048;
        spec.network =
            NetworkSpec { width: 64.into(), sigma_w: std::f64::consts::SQRT_2, sigma_b: 1.0, ..ntk() }.with("depth", 1);
        spec.study = among(&[128, 256, 512, 1024], &[1, 2, 3, 4, 5, 6, 7, 8], &[Learner::Infinite]);
        if let Some(study) = &mut spec.study {
            study.protocol.ridge = Ridge::None;
            let variant = |(name, exponent): (&str, &str)| Variant {
                name: name.to_owned(),
                set: vec![format!("data.exponent={exponent}")],
                values: Vec::new(),
            };
            study.variants =
                [("a = 2", "2.0"), ("a = 3", "3.0"), ("a = 4", "4.0"), ("a = 7", "7.0")].map(variant).to_vec();
        }
    },
};

pub const FASHION_CNN: Preset = Preset {
    name: "fashion-cnn",
    about: "Two halves of Fashion-MNIST and a small convolutional network: does its kernel catch up once it has been trained?",
    change: |spec| {
        convolutions(spec);
        let learners = [Learner::Network, Learner::KernelStart, Learner::KernelConstant, Learner::KernelEnd];
        spec.study = among(&[128, 256, 512, 1024], &[1, 2, 3], &learners);
    },
};

pub const FASHION_MLP: Preset = Preset {
    name: "fashion-mlp",
    about: "The counter-example: dense layers on images, where kernels are hard to beat, whatever the exponents are",
    change: |spec| {
        images(spec);
        spec.network = NetworkSpec { width: 256.into(), sigma_w: std::f64::consts::SQRT_2, ..ntk() }.with("depth", 3);
        spec.training.rate = 0.2;
        spec.training.batch = 32;
        spec.tasks.epochs = vec![60.0];
        spec.study = among(&[128, 256, 512, 1024, 2048], &[1, 2, 3], &RIVALS);
        if let Some(study) = &mut spec.study {
            study.protocol.rates = vec![0.3, 1.0, 3.0];
        }
    },
};

pub const EVOLUTION: Preset = Preset {
    name: "evolution",
    about: "The kernel of a convolutional network after 0 to 30 epochs, used afresh: does it go on getting better \
        after the third?",
    change: |spec| {
        convolutions(spec);
        spec.tasks.epochs = vec![30.0];
        spec.study = among(&[128, 256, 512], &[1, 2, 3], &[Learner::Network, Learner::KernelEpochs]);
        if let Some(study) = &mut spec.study {
            study.protocol.epochs = vec![0.0, 1.0, 3.0, 10.0, 30.0];
        }
    },
};

pub const WIDTH: Preset = Preset {
    name: "scaling-width",
    about: "Wider at the same n: the kernel at initialisation comes down to that of infinite width, and a network need not",
    change: |spec| {
        sphere(spec, Target::He3);
        spec.data.samples = 256;
        let learners = [Learner::Network, Learner::KernelStart, Learner::Infinite, Learner::Ensemble];
        spec.study = among(&[], &[1, 2, 3], &learners);
        if let Some(study) = &mut spec.study {
            study.axis = "network.width".to_owned();
            study.values = [32, 64, 128, 256, 512].map(toml::Value::from).to_vec();
            study.protocol.interpolates = 1e-2;
        }
    },
};

pub const ROBUSTNESS: Preset = Preset {
    name: "scaling-robustness",
    about: "Another rate, batches instead of all samples, another optimiser: is the gap between network and kernel still there?",
    change: |spec| {
        sphere(spec, Target::He3);
        spec.study = among(&[128, 256, 512], &[1, 2, 3], &[Learner::Network, Learner::KernelStart]);
        if let Some(study) = &mut spec.study {
            study.protocol.interpolates = 1e-2;
            let variant = |(name, set): (&str, &[&str])| Variant {
                name: name.to_owned(),
                set: set.iter().map(|setting| (*setting).to_owned()).collect(),
                values: Vec::new(),
            };
            let variants: [(&str, &[&str]); 4] = [
                ("as it is", &[]),
                ("half the rate", &["training.rate=0.0075", "tasks.epochs=[8000]"]),
                ("batches of 64", &["training.batch=64", "tasks.epochs=[1000]"]),
                ("momentum .9", &["training.momentum=0.9", "training.rate=0.0015"]),
            ];
            study.variants = variants.map(variant).to_vec();
        }
    },
};

/// The learners compared on synthetic targets.
const RIVALS: [Learner; 4] = [Learner::Network, Learner::KernelStart, Learner::KernelEnd, Learner::Infinite];

fn ntk() -> NetworkSpec {
    NetworkSpec { parametrisation: Parametrisation::Ntk, ..NetworkSpec::default() }
}

/// Sets one task with synthetic samples, learnt with the squared error.
fn drawn(spec: &mut Spec, source: Source) {
    spec.data.source = source;
    spec.data.test_per_class = 1000;
    spec.tasks.classes = vec![vec![0, 1]];
    spec.training.loss = Loss::Mse;
    // Full batches: the samples are the only source of noise.
    spec.training.batch = 100_000;
    spec.kernel.per_epoch = 1;
    spec.kernel.lag = 1.0;
    spec.kernel.probes_per_class = 32;
}

/// Sets the network and the rate of Atanasov et al. 2023 at this scale. The kernel grows a hundredfold, which limits the
/// rate.
fn sphere(spec: &mut Spec, target: Target) {
    drawn(spec, Source::SpherePolynomial);
    spec.data.target = target;
    let sigma_w = std::f64::consts::SQRT_2;
    spec.network =
        NetworkSpec { width: 256.into(), sigma_w, sigma_b: 0.0, alpha: Some(0.03), ..ntk() }.with("depth", 3);
    spec.training.rate = 0.015;
    spec.tasks.epochs = vec![4000.0];
}

/// Sets the lower half of the classes against the upper one, in one output.
fn images(spec: &mut Spec) {
    spec.data.binary = true;
    spec.tasks.classes = vec![(0..10).collect()];
    spec.training.loss = Loss::Mse;
    spec.kernel.probes_per_class = 8;
    spec.kernel.per_epoch = 1;
    spec.kernel.lag = 0.5;
}

/// Sets four convolutions on images, at a rate at which they interpolate within their epochs and the kernel stays intact.
/// With the He initialisation the read-out is so large that the first epoch of the squared error changes the kernel beyond
/// recognition, and at a tenth of the rate the network learns no more than its initial kernel would.
fn convolutions(spec: &mut Spec) {
    images(spec);
    let cnn = NetworkSpec::of("cnn").with("depth", 4).with("pool", "max").with("head", "flatten");
    spec.network = NetworkSpec { width: 16.into(), init: Init::Torch, ..cnn };
    spec.training.rate = 0.03;
    spec.training.momentum = 0.9;
    spec.training.batch = 32;
    spec.tasks.epochs = vec![100.0];
}

fn among(samples: &[usize], seeds: &[u64], learners: &[Learner]) -> Option<StudySpec> {
    let protocol = Protocol::default();
    Some(StudySpec {
        samples: samples.to_vec(),
        seeds: seeds.to_vec(),
        learners: learners.to_vec(),
        protocol,
        ..StudySpec::default()
    })
}
