//! Any valid settings train: whole specs are drawn, two tasks of two steps each go through the real worker, and each run comes
//! to an end that is told. What validation lets pass and the trainer cannot do is found here before a user finds it.

use super::{FIVE, fitting, gram::pooled};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use kernelscope::run::{Ending, Event};
use kernelscope::spec::{
    Activation, Change, Clamp, DataShape, Effect, Init, Loss, Method, NetworkSpec, Optimiser, Parametrisation,
    ProbeChoice, Reduction, Schedule, Source, Spacing, Spec, Target, TaskKind,
};
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{PATIENCE, ending, start};

/// Draws specs, sources of files among them.
struct Draw<'a> {
    rng: ChaCha8Rng,
    /// Small IDX files.
    idx: &'a Path,
}

impl Draw<'_> {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.rng).expect("something to choose from")
    }

    fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    /// The usual value, mostly; now and then one near the end of what is allowed.
    fn rarely<T: Copy>(&mut self, usual: &[T], extreme: &[T]) -> T {
        if self.chance(0.1) { self.one(extreme) } else { self.one(usual) }
    }

    fn spec(&mut self) -> Spec {
        let mut spec = Spec { seed: self.rng.random_range(0..1 << 40), ..Spec::default() };
        self.data(&mut spec);
        self.tasks(&mut spec);
        self.network(&mut spec);
        self.training(&mut spec);
        self.kernel(&mut spec);
        self.changes(&mut spec);
        spec
    }

    fn data(&mut self, spec: &mut Spec) {
        use Source::{Circle, Disk, FashionMnistSmall, Fourier, Idx, SpherePolynomial};
        let images = [FashionMnistSmall; 6];
        spec.data.source = self.one(&[&images[..], &[Circle, Disk, SpherePolynomial, Fourier, Idx]].concat());
        if spec.data.source == Idx {
            spec.data.path = Some(self.idx.to_owned());
        }
        let points = spec.data.source.plane().is_some() || spec.data.source.is_synthetic();
        (spec.data.per_class, spec.data.test_per_class) = (self.one(&[12, 20, 40]), self.one(&[1, 3, 10]));
        spec.data.standardise = self.chance(0.5);
        spec.data.shrink = if points { self.one(&[1, 1, 4]) } else { self.one(&[2, 4, 4, 7, 7, 14, 28]) };
        spec.data.binary = self.chance(0.2);
        spec.data.samples = if self.chance(0.15) { self.one(&[1, 7, 30]) } else { 0 };
        if spec.data.source.is_synthetic() {
            spec.data.samples = self.one(&[2, 9, 40]);
        }
        spec.data.dimension = self.rarely(&[3, 10], &[1000]);
        use Target::{He1, He2, He3, He4, Product, Staircase};
        spec.data.target = self.one(&[He1, He2, He3, He4, Product, Staircase]);
        spec.data.exponent = self.rarely(&[1.5, 4.0], &[1.0001, 20.0]);
        spec.data.spacing = self.one(&[Spacing::Random, Spacing::Stratified, Spacing::Even]);
    }

    fn tasks(&mut self, spec: &mut Spec) {
        let (points, drawn) = (spec.data.source.plane().is_some(), spec.data.source.is_synthetic());
        let classes = if points || drawn { 2 } else { 10 };
        let tasks = &mut spec.tasks;
        tasks.kind = if points || drawn || spec.data.samples > 0 {
            TaskKind::Split
        } else {
            self.one(&[TaskKind::Split, TaskKind::Split, TaskKind::Permuted, TaskKind::Rotated, TaskKind::Frequency])
        };
        let mut all: Vec<usize> = (0..classes).collect();
        all.shuffle(&mut self.rng);
        tasks.classes = match (tasks.kind, self.rng.random_range(0..4)) {
            _ if drawn => vec![vec![0, 1]],
            _ if spec.data.samples > 0 => vec![all[..2].to_vec()],
            (_, 0) if points => vec![vec![0, 1]],
            (_, 1) if points => vec![vec![0], vec![1]],
            _ if points => vec![vec![0, 1], vec![0, 1]],
            (TaskKind::Split, 0) => vec![all[..1].to_vec(), all[1..3].to_vec()],
            (TaskKind::Split, 1) => vec![all[..3].to_vec(), all[1..4].to_vec()],
            (TaskKind::Split, 2) => vec![all[..5].to_vec(), all[5..].to_vec()],
            _ => vec![all[..3].to_vec(), all[3..7].to_vec()],
        };
        tasks.overlap = self.rarely(&[0], &[1, 2]);
        tasks.alpha = self.one(&[0.0, 0.4, 1.0]);
        tasks.count = 2;
        tasks.angle = self.one(&[0.0, 45.0, -90.0, 1e6]);
        tasks.order = if tasks.len() == 2 { self.one(&[&[][..], &[], &[2, 1], &[2]]).to_vec() } else { Vec::new() };
        tasks.steps = self.one(&[&[2][..], &[2, 1], &[1, 2]]).to_vec();
        if self.chance(0.1) {
            (tasks.steps, tasks.epochs) = (Vec::new(), vec![0.01, 0.5]);
        }
    }

    fn network(&mut self, spec: &mut Spec) {
        let number = spec.data.source.is_synthetic();
        let points = number || spec.data.source.plane().is_some();
        let network = &mut spec.network;
        let program = match (number, points) {
            (true, _) => self.one(&["mlp", "resmlp"]),
            (_, true) => self.one(&["mlp", "resmlp", "rnn"]),
            _ => self.one(&FIVE),
        };
        let is_cnn = program == "cnn";
        network.width = if is_cnn { self.one(&[4, 5, 9]) } else { self.one(&[16, 16, 24, 40]) }.into();
        let depth = if is_cnn { self.one(&[2, 4]) } else { self.rarely(&[1, 2, 3], &[6]) };
        let blocks = self.rarely(&[1, 2], &[5]);
        let heads = self.one(&[1, 2, 4, 8]);
        let patch = self.one(if spec.data.shrink < 4 { &[7, 14][..] } else { &[1, 2, 7] });
        let pool = self.one(&["max", "avg", "none", "none"]);
        let head = self.one(&["flatten", "mean"]);
        use Activation::{Erf, Gelu, Relu, Tanh};
        network.activation = self.one(&[Relu, Tanh, Gelu, Erf]);
        let norm = self.one(&[None, None, Some("layer"), Some("none")]);
        let sizes = [("depth", depth), ("blocks", blocks), ("heads", heads), ("patch", patch)];
        let base = NetworkSpec { program: program.to_owned(), ..network.clone() };
        *network = pooled(fitting(base, &sizes), pool);
        for (name, word) in [("head", Some(head)), ("norm", norm)] {
            if let Some(word) = word.filter(|_| network.declares(name)) {
                network.set(name, word.into());
            }
        }
        network.parametrisation = self.one(&[Parametrisation::Standard, Parametrisation::Ntk]);
        network.init = self.one(&[Init::Torch, Init::HeUniform, Init::Xavier]);
        network.sigma_w = self.rarely(&[1.0, 1.5], &[1e-6, 100.0]);
        network.sigma_b = self.rarely(&[0.0, 0.1], &[100.0]);
        network.alpha = self.rarely(&[None, None, Some(1.0), Some(5.0)], &[Some(1e-3), Some(1e3)]);
        network.alpha_width = self.rarely(&[None, None, Some(64)], &[Some(1), Some(1_000_000)]);
        // What takes a minute is no part of this.
        let quick = !matches!(program, "cnn" | "transformer") || spec.data.shrink >= 14;
        if quick && self.chance(0.08) {
            network.width = kernelscope::spec::Width::Infinite;
            (network.parametrisation, network.alpha_width) = (Parametrisation::Ntk, None);
        }
    }

    fn training(&mut self, spec: &mut Spec) {
        let number = spec.data.is_number();
        let infinite = spec.network.is_infinite();
        let training = &mut spec.training;
        training.loss = if number { Loss::Mse } else { self.one(&[Loss::CrossEntropy, Loss::Mse]) };
        training.optimiser = if infinite {
            Optimiser::Sgd
        } else {
            self.rarely(&[Optimiser::Sgd, Optimiser::Sgd, Optimiser::Adam], &Optimiser::ALL[..])
        };
        training.rate = self.rarely(&[0.001, 0.01, 0.1], &[0.0, 1e-300, 10.0, 1e6]);
        training.rate_width = if infinite { None } else { self.rarely(&[None], &[Some(1), Some(64), Some(1 << 40)]) };
        training.schedule = self.rarely(&[Schedule::Constant], &Schedule::ALL[..]);
        training.warmup = self.rarely(&[0.0], &[0.5, 1e6]);
        training.restart = self.chance(0.7);
        training.final_share = self.rarely(&[0.0], &[0.1, 1.0]);
        training.step_epochs = self.rarely(&[None], &[Some(0.3), Some(1e-9)]);
        training.step_factor = self.rarely(&[None], &[Some(0.5), Some(1.0)]);
        training.momentum = self.rarely(&[0.0, 0.0, 0.9], &[0.999_999]);
        training.weight_decay = if infinite { 0.0 } else { self.rarely(&[0.0, 0.0, 0.01], &[1e3]) };
        training.clip = if infinite { 0.0 } else { self.rarely(&[0.0], &[1e-9, 1.0]) };
        training.smoothing = if training.loss.is_squared() { 0.0 } else { self.rarely(&[0.0], &[0.1, 0.99]) };
        training.average = self.rarely(&[1], &[2, 7]);
        training.patience = self.rarely(&[0.0], &[0.5, 1.0]);
        training.batch = self.rarely(&[1, 5, 16, 64], &[100_000]);
        training.replay = self.rarely(&[0, 0, 5], &[1, 60_000]);
        training.masked = self.chance(0.3);
        let frozen = if infinite || self.chance(0.7) { Vec::new() } else { self.frozen(spec) };
        spec.training.frozen = frozen;
    }

    /// A layer of the network, a tensor of it, or all layers.
    fn frozen(&mut self, spec: &Spec) -> Vec<String> {
        let shape = DataShape::expected(spec);
        let parts = spec.network.parts(shape.image, shape.outputs);
        // None of a network that cannot see these images, which is not run.
        let Some(part) = parts.choose(&mut self.rng).cloned() else { return Vec::new() };
        match self.rng.random_range(0..4) {
            0 => parts,
            1 => vec![format!("{part}.weight")],
            _ => vec![part],
        }
    }

    fn kernel(&mut self, spec: &mut Spec) {
        let infinite = spec.network.is_infinite();
        let shrinks = spec.data.shrink >= 7;
        let quick = shrinks || !matches!(spec.network.program.as_str(), "cnn" | "transformer");
        let kernel = &mut spec.kernel;
        kernel.reduction = self.one(&[Reduction::Trace, Reduction::Trace, Reduction::SumLogits]);
        kernel.method = self.one(&[Method::Layerwise, Method::Layerwise, Method::Jacobian]);
        kernel.probes_per_class =
            if spec.data.source == Source::Disk { self.one(&[2, 8]) } else { self.one(&[1, 2, 3]) };
        kernel.train_on_probes = self.chance(0.3);
        if spec.data.source.is_standardised() && self.chance(0.4) {
            kernel.probes = self.one(&[ProbeChoice::Stratified, ProbeChoice::Random]);
            kernel.probe_seed = self.one(&[None, Some(7)]);
        }
        kernel.per_epoch = self.rarely(&[1, 4], &[1000]);
        kernel.lag = self.rarely(&[0.25, 1.0], &[1e-9, 100.0]);
        kernel.budget = self.rarely(&[0.0], &[0.2, 0.99]);
        kernel.predict = !infinite && quick && self.chance(0.3);
        kernel.piecewise = self.rarely(&[None, Some(0.5)], &[Some(1e-6), Some(1e4)]);
        kernel.optimiser = self.chance(0.3);
        (kernel.lag_steps, kernel.lag_path) = match self.rng.random_range(0..6) {
            0 => (Some(1), None),
            1 if !infinite => (None, Some(self.one(&[1e-6, 0.02, 1e6]))),
            _ => (None, None),
        };
    }

    fn changes(&mut self, spec: &mut Spec) {
        if self.chance(0.6) {
            return;
        }
        let count = self.one(&[1, 2, 3]);
        let mut changes: Vec<Change> = (0..count).map(|_| self.change(spec)).collect();
        changes.sort_by_key(|change| change.step);
        spec.changes = changes;
    }

    fn change(&mut self, spec: &Spec) -> Change {
        let (mut step, mut task, mut place) = (0, None, None);
        if self.chance(0.5) {
            place = Some(self.rng.random_range(1..=spec.tasks.len()));
        } else {
            step = self.one(&[0, 1, 2, 3, 9]);
            task = self.rarely(&[None], &[Some(1), Some(7)]);
        }
        let effect = match self.rng.random_range(0..10) {
            0 => Effect::Rate(self.rarely(&[0.0, 0.02], &[1e6])),
            1 => Effect::PerEpoch(self.one(&[1, 9, 1000])),
            2 => Effect::Order(self.one(&[&[][..], &[1], &[2], &[2, 1]]).to_vec()),
            3 => Effect::Switch,
            4 => Effect::Replay(self.one(&[0, 3, 60_000])),
            5 => Effect::Frozen(self.frozen(spec)),
            6 => Effect::Masked(self.chance(0.7)),
            7 => Effect::Schedule(self.one(&Schedule::ALL[..])),
            8 => Effect::Warmup(self.rarely(&[0.0, 0.5], &[1e6])),
            _ => Effect::Clamped(self.one(&Clamp::ALL[..])),
        };
        Change { step, task, place, effect }
    }
}

/// Words of the language that the program is written in, which no message to a user has.
const OURS: [&str; 8] = ["Some(", "None", "unwrap", "serde", "panicked", "range end index", "::", "Error {"];

/// How many runs ended how, and what was wrong: the spec and why.
#[derive(Debug, Default)]
struct Tally {
    finished: usize,
    diverged: usize,
    refused: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, spec: &Spec) {
        let told = |message: &str| OURS.iter().all(|word| !message.contains(word)) && message.lines().count() == 1;
        let mut wrong = |why: &str| self.wrong.push(format!("{why}\n{}", spec.to_toml()));
        let problems = spec.problems(&shape_of(spec));
        if !problems.is_empty() {
            self.refused += 1;
            for problem in problems.iter().filter(|problem| !told(&problem.message)) {
                wrong(&format!("not in our words: {}: {}", problem.field, problem.message));
            }
            return;
        }
        let again = Spec::from_toml(&spec.to_toml()).map_err(|err| err.to_string());
        if again.as_ref() != Ok(spec) {
            wrong("read back it is another one");
        }
        let worker = start(spec.clone());
        let (mut events, begun) = (Vec::new(), Instant::now());
        while !matches!(events.last(), Some(Event::Ended(_))) {
            match worker.recv_timeout(Duration::from_millis(500)) {
                Some(event) => events.push(event),
                None if begun.elapsed() > PATIENCE => return wrong("does not end"),
                None => {}
            }
        }
        match ending(&events) {
            Ending::Finished { .. } => self.finished += 1,
            Ending::Diverged { message, .. } if told(message) => self.diverged += 1,
            other => wrong(&format!("{other:?}")),
        }
        for event in &events {
            if let Event::Warning { message, .. } = event
                && !told(message)
            {
                wrong(&format!("not in our words: {message}"));
            }
        }
    }
}

/// What a run is given: of the IDX files what they hold, which validation knows only once they are read.
fn shape_of(spec: &Spec) -> DataShape {
    let expected = DataShape::expected(spec);
    if spec.data.source != Source::Idx {
        return expected;
    }
    let side = 28 / spec.data.shrink.max(1);
    DataShape { image: [1, side, side], classes: 10, outputs: spec.readout(10).count(), ..expected }
}

/// IDX files with the classes and the size of MNIST's, and few images.
fn write_idx(folder: &Path) {
    for (name, each) in [("train", 40u8), ("t10k", 10)] {
        let count = 10 * u32::from(each);
        let labels: Vec<u8> = (0..count).map(|image| (image % 10) as u8).collect();
        let pixels: Vec<u8> = (0..count * 784).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let head = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
        let images = [head(&[2051, count, 28, 28]), pixels].concat();
        std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), [head(&[2049, count]), labels].concat())
            .unwrap();
    }
}

/// Draws so many specs from a seed and runs those that validation lets pass.
fn draw(count: usize, seed: u64) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    write_idx(folder.path());
    let mut draw = Draw { rng: ChaCha8Rng::seed_from_u64(seed), idx: folder.path() };
    let mut tally = Tally::default();
    for _ in 0..count {
        let spec = draw.spec();
        tally.take(&spec);
    }
    tally
}

#[test]
fn whatever_validation_lets_pass_comes_to_an_end_that_is_told() {
    let asked = |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    // The same ones each time, and others each time. KERNELSCOPE_DRAWS asks for more, KERNELSCOPE_SEED for those of a failure.
    let count = asked("KERNELSCOPE_DRAWS", 80) as usize;
    for seed in [1, asked("KERNELSCOPE_SEED", now)] {
        let Tally { finished, diverged, refused, wrong } = draw(count, seed);
        println!("seed {seed}: {finished} finished, {diverged} diverged, {refused} refused, {} wrong", wrong.len());
        assert!(wrong.is_empty(), "with seed {seed}:\n{}", wrong.join("\n\n"));
        assert!(finished > count / 4, "most draws are refused: {refused} of {count}");
    }
}
