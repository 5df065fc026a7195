//! The scaling laboratory: problems that are drawn, learners against what they are by definition, studies of them.

use super::sized;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;

use burn::tensor::Device;
use kernelscope::analysis::ErrorKind;
use kernelscope::data::{SampleRole, prepare};
use kernelscope::lab::scaling::{Observer, Progress, Shelf, Stop, run_experiment};
use kernelscope::math::Gram;
use kernelscope::math::regression::Regression;
use kernelscope::model::Network;
use kernelscope::ntk::{Reduction, Request, layerwise};
use kernelscope::run::{Ending, Event, Point, Reduced};
use kernelscope::spec::{Learner, LearningExperiment, Protocol, Ridge, Source, Spec, StudySpec, Target, study};
use kernelscope::storage::StudyFolder;
use kernelscope::train::{self, score};

use super::cli::{kernelscope, text};

/// He₃ of one of four inputs, 16 units, over in a blink.
fn small() -> Spec {
    let mut spec = study("he3").unwrap().spec();
    spec.study = None;
    spec.data.dimension = 4;
    spec.data.test_per_class = 50;
    spec.data.samples = 40;
    spec.network.width = 16.into();
    spec.network.alpha = None;
    spec.training.rate = 0.1;
    spec.tasks.epochs = vec![20.0];
    spec.kernel.probes_per_class = 4;
    spec
}

#[derive(Default)]
struct Memory {
    kept: RefCell<HashMap<String, Vec<f64>>>,
    taken: RefCell<usize>,
}

impl Shelf for Memory {
    fn get(&self, name: &str) -> Option<Vec<f64>> {
        let found = self.kept.borrow().get(name).cloned();
        *self.taken.borrow_mut() += usize::from(found.is_some());
        found
    }

    fn put(&mut self, name: &str, values: &[f64]) {
        self.kept.borrow_mut().insert(name.to_owned(), values.to_vec());
    }
}

fn all_points(spec: &Spec, learners: &[Learner], protocol: Protocol) -> Vec<Point> {
    let lesson = LearningExperiment { learners: learners.to_vec(), protocol };
    let mut points = Vec::new();
    let mut report = |progress: Progress| {
        if let Progress::Point(point) = progress {
            points.push(*point);
        }
        true
    };
    let mut observer = Observer { report: &mut report, cancelled: &|| false, shelf: &mut Memory::default() };
    run_experiment(spec, &lesson, &[], false, &mut observer).unwrap();
    points
}

#[test]
fn targets_on_the_sphere_have_mean_0_and_variance_1_and_samples_meet_no_others() {
    for target in [Target::He1, Target::He2, Target::He3, Target::He4, Target::Product, Target::Staircase] {
        let mut spec = small();
        (spec.data.target, spec.data.dimension) = (target, 10);
        let data = prepare(&spec).unwrap();
        let drawn = data.samples(&spec, SampleRole::Pool, 20_000).unwrap();
        let n = drawn.len() as f64;
        let mean = drawn.values.iter().map(|&y| f64::from(y)).sum::<f64>() / n;
        let power = drawn.values.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 0.04 && (power - 1.0).abs() < 0.09, "{target:?}: mean {mean}, power {power}");
        for (image, &y) in drawn.pixels.chunks_exact(10).zip(&drawn.values).take(50) {
            let square: f32 = image.iter().map(|x| x * x).sum();
            assert!((square - 10.0).abs() < 1e-3, "the sphere has the radius √10, not √{square}");
            if target == Target::He3 {
                // Var He₃ = 15 D²/((D+2)(D+4)) − 18 D/(D+2) + 9.
                let variance: f64 = 1500.0 / 168.0 - 15.0 + 9.0;
                let x = f64::from(image[0]);
                assert!((f64::from(y) - (x.powi(3) - 3.0 * x) / variance.sqrt()).abs() < 1e-4);
            }
        }
    }
    let spec = small();
    let data = prepare(&spec).unwrap();
    let sets = [SampleRole::Training, SampleRole::Validation, SampleRole::Test, SampleRole::Pool]
        .map(|role| data.samples(&spec, role, 30).unwrap());
    let points: Vec<&[f32]> = sets.iter().flat_map(|set| set.pixels.chunks_exact(4)).collect();
    assert!((0..points.len()).all(|a| (0..a).all(|b| points[a] != points[b])), "two sets share a sample");
    // What a run trains on is what the learners are given.
    let given = data.samples(&spec, SampleRole::Training, 40).unwrap();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    data.stream.task(1).batch(&(0..40).collect::<Vec<_>>(), &mut pixels, &mut labels);
    assert_eq!((pixels, labels), (given.pixels, given.labels));
}

#[test]
fn images_are_taken_by_the_seed_and_none_to_choose_by_is_trained_on() {
    let mut spec = study("fashion-cnn").unwrap().spec();
    spec.study = None;
    spec.data.samples = 100;
    let data = prepare(&spec).unwrap();
    let (train, aside) = (
        data.samples(&spec, SampleRole::Training, 100).unwrap(),
        data.samples(&spec, SampleRole::Validation, 200).unwrap(),
    );
    let dim = train.dim();
    let of =
        |images: &kernelscope::data::Images| images.pixels.chunks_exact(dim).map(<[f32]>::to_vec).collect::<Vec<_>>();
    let (train_pixels, aside_pixels) = (of(&train), of(&aside));
    assert!(train_pixels.iter().all(|image| !aside_pixels.contains(image)));
    assert!(train.labels.iter().zip(&train.values).all(|(&label, &y)| y == if label < 5 { -1.0 } else { 1.0 }));
    let other = prepare(&Spec { seed: 2, ..spec.clone() }).unwrap().samples(&spec, SampleRole::Training, 100).unwrap();
    assert_ne!(other.labels, train.labels);
    spec.data.samples = 60_000;
    let refused = prepare(&spec).unwrap_err().to_string();
    assert!(refused.contains("60000 samples are needed"), "{refused}");
}

#[test]
fn one_output_is_scored_by_its_sign_and_its_squared_error() {
    let values = [0.5f32, -1.0, 2.0];
    let found =
        score(&[0.25, 0.5, 1.0], kernelscope::data::Targets::Values(&values), &[0], kernelscope::spec::Loss::Mse);
    assert_eq!(found.accuracy, 2.0 / 3.0);
    assert!((found.loss - (0.0625 + 2.25 + 1.0) / 6.0).abs() < 1e-12);
}

/// In panels, with a ridge that validation chooses: the same as one measured whole and solved at each ridge.
#[test]
fn a_kernel_regression_in_panels_is_the_direct_solve_at_the_best_ridge() {
    let mut spec = small();
    // More than one panel of 256.
    spec.data.samples = 300;
    let points = all_points(&spec, &[Learner::KernelStart], Protocol::default());
    let [point] = points.as_slice() else { panic!("{points:?}") };
    assert_eq!((point.kernel, point.samples), (Some(Reduced::OneOutput), 300));

    let data = prepare(&spec).unwrap();
    let draw = |role, count| data.samples(&spec, role, count).unwrap();
    let (train, aside, test) =
        (draw(SampleRole::Training, 300), draw(SampleRole::Validation, 75), data.stream.task(1).test());
    let network = Network::new(&spec.network, spec.seed, [1, 1, 4], 1, &Device::flex());
    let learner = train::NetworkTrainer::new(&spec, [1, 1, 4], 1, &Device::flex());
    let upload = |images: &kernelscope::data::Images| learner.upload(&images.pixels, images.len());
    let kernel = |rows, columns: Option<&_>| {
        layerwise::measure(&network, &rows, columns, &Request::of(Reduction::Trace), &|| false).unwrap().values
    };
    let (x, v, t) = (upload(&train), upload(&aside), upload(&test));
    let (gram, _) = Gram::symmetrised(300, kernel(x.clone(), None)).unwrap();
    let wide = |values: &[f32]| values.iter().map(|&y| f64::from(y)).collect::<Vec<f64>>();
    let share = |said: &[f64], y: &[f64]| {
        said.iter().zip(y).map(|(f, y)| (f - y).powi(2)).sum::<f64>() / y.iter().map(|y| y * y).sum::<f64>()
    };
    let unit = gram.trace() / 300.0;
    let mut best = (f64::INFINITY, 0.0, 0.0);
    for ridge in std::iter::once(0.0).chain((-14..=2).map(|half| unit * 10f64.powf(f64::from(half) / 2.0))) {
        let solved = Regression::solve(&gram, &wide(&train.values), None, ridge).unwrap();
        let on = |images: &_, y: &[f32]| {
            share(&solved.predict(&kernel(Clone::clone(images), Some(&x)), None).unwrap(), &wide(y))
        };
        let chosen = on(&v, &aside.values);
        if chosen < best.0 {
            best = (chosen, on(&t, &test.values), ridge / unit);
        }
    }
    let [validation, mse] = [point.validation_mse, point.mse].map(Option::unwrap);
    assert!((validation / best.0 - 1.0).abs() < 1e-5, "{validation} and {}", best.0);
    assert!((mse / best.1 - 1.0).abs() < 1e-5, "{mse} and {}", best.1);
    assert!((point.ridge.unwrap() - best.2).abs() < 1e-12);
}

/// The point of the network is the run of the live laboratory at the same rate: the same test error to the last digits of f32.
#[test]
fn the_network_of_a_point_is_the_run_it_opens_as() {
    let mut spec = small();
    let protocol = Protocol { validation: 0.5, interpolates: 0.0, rates: vec![0.5, 1.0], ..Protocol::default() };
    let points = all_points(&spec, &[Learner::Network], protocol);
    let point = &points[0];
    assert!([0.05, 0.1].contains(&point.rate.unwrap()), "{point:?}");
    spec = point.opened_as(&spec);
    let worker = super::start(spec.clone());
    let events = super::read_all(&worker);
    assert!(matches!(super::ending(&events), Ending::Finished { .. }), "{:?}", events.last());
    let last = events.iter().rev().find_map(|event| match event {
        Event::Snapshot(snapshot) => Some(snapshot.row.clone()),
        _ => None,
    });
    let last = last.unwrap().accuracy[0];
    let [loss, accuracy] = [last.loss, last.accuracy].map(Option::unwrap);
    let test = prepare(&spec).unwrap().stream.task(1).test();
    let power = test.values.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / test.len() as f64;
    let [mse, error] = [point.mse, point.error].map(Option::unwrap);
    assert!((2.0 * loss / power / mse - 1.0).abs() < 1e-6, "{loss} and {mse}");
    assert!((1.0 - accuracy - error).abs() < 1e-12);
}

/// One-hot targets of three outputs: full and trace kernel, and what each is called.
#[test]
fn several_outputs_use_the_full_kernel_where_it_fits_and_say_so() {
    let mut spec = study("fashion-cnn").unwrap().spec();
    spec.study = None;
    (spec.data.binary, spec.data.samples, spec.data.shrink, spec.data.test_per_class) = (false, 24, 4, 4);
    spec.network = kernelscope::spec::NetworkSpec { width: 16.into(), ..sized("mlp", &[("depth", 1)]) };
    let by = |kernel| {
        let protocol = Protocol { kernel, ridge: Ridge::None, ..Protocol::default() };
        all_points(&spec, &[Learner::KernelStart, Learner::Linearised], protocol)
    };
    let (full, trace) = (by(kernelscope::spec::OutputKernel::Auto), by(kernelscope::spec::OutputKernel::Trace));
    assert!(full.iter().all(|point| point.kernel == Some(Reduced::Full)));
    assert!(trace.iter().all(|point| point.kernel == Some(Reduced::Trace)));
    assert_ne!(full[0].mse, trace[0].mse);
    // Without a ridge each fits its samples, from zero or from where the network began.
    assert!(full.iter().all(|point| point.train_mse.is_some_and(|error| error < 1e-6)), "{full:?}");
    assert_ne!(full[0].mse, full[1].mse, "the linearised network starts from its own outputs");
}

#[test]
fn learners_are_gone_on_with_and_a_cancelled_one_leaves_what_is_known() {
    let mut spec = small();
    spec.tasks.epochs = vec![6.0];
    let learners = [
        Learner::Network,
        Learner::Ensemble,
        Learner::KernelStart,
        Learner::KernelEnd,
        Learner::KernelConstant,
        Learner::KernelEpochs,
        Learner::Infinite,
        Learner::FeatureMachine,
    ];
    let protocol =
        Protocol { constant: 20, epochs: vec![0.0, 2.0], ensemble: 2, rounds: 1, pool: 64, ..Protocol::default() };
    let whole = all_points(&spec, &learners, protocol.clone());
    assert_eq!(whole.len(), learners.len() + 1, "two epochs are two points");
    let same =
        |a: &Point, b: &Point| Point { point_seconds: 0.0, ..a.clone() } == Point { point_seconds: 0.0, ..b.clone() };
    // Epoch 0 of the network is the kernel at the start.
    let of = |learner, epoch| whole.iter().find(|point| point.is_of(learner, epoch)).unwrap();
    assert_eq!(of(Learner::KernelEpochs, Some(0.0)).mse, of(Learner::KernelStart, None).mse);
    assert_eq!(of(Learner::KernelEpochs, Some(0.0)).drift, Some(0.0));

    let lesson = LearningExperiment { learners: learners.to_vec(), protocol };
    let (mut known, mut rounds, mut predictions) = (Vec::<Point>::new(), 0, 0);
    loop {
        let before = known.clone();
        let mut report = |progress: Progress| match progress {
            // Cancelled after each point.
            Progress::Point(point) => {
                known.push(*point);
                false
            }
            Progress::Instant(_) => {
                predictions += 1;
                true
            }
            Progress::Share(_) => true,
        };
        let mut observer = Observer { report: &mut report, cancelled: &|| false, shelf: &mut Memory::default() };
        let done = run_experiment(&spec, &lesson, &before, before.is_empty(), &mut observer);
        rounds += 1;
        match done {
            Ok(()) => break,
            Err(stop) => assert_eq!(stop, Stop::Cancelled),
        }
    }
    assert_eq!((rounds, predictions), (whole.len() + 1, 2));
    assert!(known.iter().zip(&whole).all(|(a, b)| same(a, b)), "{known:#?} {whole:#?}");
}

/// A panel that is on the shelf is not measured again: a shelf that was falsified is believed.
#[test]
fn blocks_on_the_shelf_are_used() {
    let spec = small();
    let lesson = LearningExperiment {
        learners: vec![Learner::KernelStart],
        protocol: Protocol { ridge: Ridge::None, ..Protocol::default() },
    };
    let mut shelf = Memory::default();
    let identity: Vec<f64> = (0..40 * 40).map(|at| f64::from(u8::from(at % 41 == 0))).collect();
    shelf.put("kernel-start-own-0", &identity);
    let mut found = None;
    let mut report = |progress: Progress| {
        if let Progress::Point(point) = progress {
            found = Some(point);
        }
        true
    };
    run_experiment(
        &spec,
        &lesson,
        &[],
        false,
        &mut Observer { report: &mut report, cancelled: &|| false, shelf: &mut shelf },
    )
    .unwrap();
    assert_eq!(found.unwrap().condition, Some(1.0), "the identity has condition 1");
    assert_eq!(*shelf.taken.borrow(), 1);
}

/// λ_k ~ k^−2 and c_k² ~ k^−a: the exponent is min(a − 1, 4), measured without a ridge and predicted by the spectrum.
#[test]
fn on_the_circle_the_exponent_is_that_of_the_spectrum() {
    let mut spec = study("circle-power-law").unwrap().spec();
    let given = spec.study.take().unwrap();
    assert_eq!(spec.data.source, Source::Fourier);
    spec.data.exponent = 3.0;
    let experiment = given.experiment().unwrap();
    let mut errors = Vec::new();
    let mut slope = None;
    for samples in [128, 512] {
        let mut sum = 0.0;
        for seed in 1..=3 {
            spec.seed = seed;
            spec.data.samples = samples;
            let mut report = |progress: Progress| {
                match progress {
                    Progress::Point(point) => sum += point.mse.unwrap() / 3.0,
                    Progress::Instant(instant) => {
                        let at = |n: f64| {
                            instant.curve.iter().min_by(|a, b| (a.0 - n).abs().total_cmp(&(b.0 - n).abs())).unwrap()
                        };
                        let (a, b) = (at(128.0), at(512.0));
                        slope = Some(-(b.1 / a.1).ln() / (b.0 / a.0).ln());
                        // The premise: eigenvalues fall as k^−2 (each twice, for cosine and sine).
                        let at = |k: usize| instant.spectrum[2 * k].0;
                        let fall = -(at(400) / at(40)).ln() / 10f64.ln();
                        assert!((fall - 2.0).abs() < 0.02, "λ_k ~ k^−{fall}");
                    }
                    Progress::Share(_) => {}
                }
                true
            };
            let mut observer = Observer { report: &mut report, cancelled: &|| false, shelf: &mut Memory::default() };
            run_experiment(&spec, &experiment, &[], samples == 128 && seed == 1, &mut observer).unwrap();
        }
        errors.push(sum);
    }
    let measured = (errors[0] / errors[1]).ln() / 4f64.ln();
    assert!((measured - 2.0).abs() < 0.1, "measured {measured}");
    assert!((slope.unwrap() - 2.0).abs() < 0.05, "predicted {slope:?}");
}

#[test]
fn a_study_of_learners_has_a_row_for_each_point_and_goes_on_where_it_was() {
    let place = tempfile::tempdir().unwrap();
    let mut spec = small();
    spec.tasks.epochs = vec![5.0];
    spec.study = Some(StudySpec {
        samples: vec![16, 32, 64],
        seeds: vec![1, 2],
        learners: vec![Learner::Network, Learner::KernelStart],
        protocol: Protocol { pool: 64, ..Protocol::default() },
        ..StudySpec::default()
    });
    assert_eq!(spec.study_problems(), []);
    fs::write(place.path().join("study.toml"), spec.to_toml()).unwrap();
    // One at a time: of two at once a short one may end before one that began earlier.
    let done = kernelscope(place.path(), &["study", "--config", "study.toml", "--out", "out", "--jobs", "1"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    // The fewest samples come first.
    let said = text(&done.stderr);
    let ended = [16, 32, 64].map(|n| [1, 2].map(|seed| said.find(&format!("{n}-seed-{seed}:")).unwrap())).concat();
    assert!(ended.is_sorted(), "{said}");
    let folder = StudyFolder::open(&place.path().join("out")).unwrap();
    let table = folder.table();
    assert_eq!(table.len(), 1 + 6 * 2);
    assert_eq!(table[0][..5], ["run", "variant", "data.samples", "seed", "learner"]);
    let learnt = folder.learning_curves();
    assert_eq!((learnt.curves.len(), learnt.span()), (2, Some((16.0, 64.0))));
    let sentence = learnt.sentence(ErrorKind::Square, (16.0, 64.0));
    assert!(sentence.starts_with("For n from 16 to 64"), "{sentence}");
    let laws = fs::read_to_string(place.path().join("out/laws.csv")).unwrap();
    assert_eq!(laws.lines().count(), 1 + 2 * 2, "{laws}");
    assert!(place.path().join("out/figures/learning.svg").exists());
    assert!(!place.path().join("out/runs/16-seed-1/shelf").exists(), "a shelf that nobody needs is gone");

    // More learners and seeds join; what is done is not done again; other rules are another study.
    let before = fs::read_to_string(place.path().join("out/runs/16-seed-1/points.csv")).unwrap();
    let more = "study.learners=[\"network\",\"kernel-start\",\"infinite\"]";
    let done = kernelscope(place.path(), &["study", "--config", "study.toml", "--set", more, "--out", "out"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let after = fs::read_to_string(place.path().join("out/runs/16-seed-1/points.csv")).unwrap();
    assert!(after.starts_with(&before), "{before}\n{after}");
    assert_eq!(StudyFolder::open(&place.path().join("out")).unwrap().table().len(), 1 + 6 * 3);
    let other = kernelscope(
        place.path(),
        &["study", "--config", "study.toml", "--set", "study.protocol.ridge=none", "--out", "out"],
    );
    assert_eq!(other.status.code(), Some(2), "{}", text(&other.stderr));
}

#[test]
fn a_study_of_learners_that_cannot_be_is_refused_with_one_sentence() {
    let refused = |change: &dyn Fn(&mut Spec)| {
        let mut spec = study("he3").unwrap().spec();
        change(&mut spec);
        spec.study_problems().first().map(|problem| problem.message.clone()).unwrap_or_default()
    };
    assert_eq!(refused(&|_| {}), "");
    assert!(refused(&|spec| spec.training.loss = kernelscope::spec::Loss::CrossEntropy).contains("take mse"));
    assert!(
        refused(&|spec| spec.study.as_mut().unwrap().samples = vec![0]).contains("the number of samples is missing")
    );
    assert!(
        refused(&|spec| spec.study.as_mut().unwrap().axis = "network.width".to_owned())
            .contains("either them or an axis")
    );
    assert!(refused(&|spec| spec.study.as_mut().unwrap().protocol.rates = vec![]).contains("rates"));
    assert!(refused(&|spec| spec.set("network.width=inf").unwrap()).contains("a separate learner"));
    let mut cnn = study("fashion-cnn").unwrap().spec();
    cnn.study.as_mut().unwrap().learners.push(Learner::Infinite);
    assert!(cnn.study_problems()[0].message.contains("maximum pooling"), "{:?}", cnn.study_problems());
    cnn.set("network.pool=avg").unwrap();
    assert!(cnn.study_problems()[0].message.contains("with pooling"), "{:?}", cnn.study_problems());
}

/// Against `neural_tangents`: the same samples, the same kernel, the same share of the test's mean square at each ridge.
#[test]
fn the_infinite_width_learner_is_that_of_neural_tangents() {
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/infinite_learner.npz");
    let mut fixture = kernelscope::storage::Arrays::open(&place).unwrap();
    let mut array = |name: &str| fixture.floats(name).unwrap().unwrap().1;
    let spec = shared();
    let data = prepare(&spec).unwrap();
    let (train, test) = (data.samples(&spec, SampleRole::Training, 64).unwrap(), data.stream.task(1).test());
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let drawn = [wide(&train.pixels), wide(&train.values), wide(&test.pixels), wide(&test.values)];
    assert_eq!(
        drawn,
        ["x_train", "y_train", "x_test", "y_test"].map(&mut array),
        "the program draws other samples than it did"
    );
    let ridgeless = all_points(&spec, &[Learner::Infinite], Protocol { ridge: Ridge::None, ..Protocol::default() });
    let shares = array("shares");
    let mse = ridgeless[0].mse.unwrap();
    assert!((mse / shares[0] - 1.0).abs() < 1e-6, "{mse} and {}", shares[0]);
    // The ridge that validation chose, where it is one of the fixture's.
    let chosen = all_points(&spec, &[Learner::Infinite], Protocol::default()).remove(0);
    let place = array("ridges").iter().position(|ridge| (ridge - chosen.ridge.unwrap()).abs() < 1e-12);
    let place = place.unwrap_or_else(|| panic!("{:?} is none of the fixture's ridges", chosen.ridge));
    let mse = chosen.mse.unwrap();
    assert!((mse / shares[place] - 1.0).abs() < 1e-6, "{mse} and {}", shares[place]);
}

fn shared() -> Spec {
    let mut spec = study("he3").unwrap().spec();
    spec.study = None;
    spec.data.samples = 64;
    spec.data.test_per_class = 100;
    spec
}
