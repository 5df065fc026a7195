//! The infinitely wide network as a run, and its kernel as a predictor beside networks of finite width.

use kernelscope::data::{Batch, prepare};
use kernelscope::math::Gram;
use kernelscope::run::{Block, Event, Predictor, Row, Snapshot};
use kernelscope::spec::{Activation, DataShape, Loss, Optimiser, Parametrisation, Spec, Width};
use kernelscope::theory::{InfiniteNetwork, KernelGradientDescent, TrainingLength, TrainingProblem};
use kernelscope::train::{InfiniteWidthModel, StepOptions};
use kernelscope::worker::{Command, DeviceChoice, Job, Worker};

use super::{read_all, read_until, start, tiny};

fn infinite() -> Spec {
    let mut spec = tiny();
    spec.network.width = Width::Infinite;
    spec.network.parametrisation = Parametrisation::Ntk;
    spec.training.rate = 0.5;
    spec
}

fn snapshots(events: &[Event]) -> Vec<&Snapshot> {
    events.iter().filter_map(|event| if let Event::Snapshot(found) = event { Some(&**found) } else { None }).collect()
}

fn whole(row: &Row) -> &kernelscope::run::BlockMetrics {
    row.blocks.iter().find(|block| block.block == Block::All).unwrap()
}

#[test]
fn it_is_a_run_like_any_other_whose_kernel_stands_still() {
    let spec = infinite();
    let events = read_all(&start(spec.clone()));
    let seen = snapshots(&events);
    assert!(matches!(events.last(), Some(Event::Ended(kernelscope::run::Ending::Finished { .. }))));
    let limit = events.iter().find_map(|event| if let Event::Limit(kernel) = event { Some(kernel) } else { None });
    for snapshot in &seen {
        assert_eq!(&snapshot.gram, limit.unwrap());
        let block = whole(&snapshot.row);
        assert_eq!((block.drift, block.distance, block.infinite_error), (Some(0.0), Some(0.0), Some(0.0)));
        assert!(block.velocity.is_none_or(|velocity| velocity == 0.0) && block.step_norm.is_none());
    }
    let accuracy = |at: usize| seen[at].row.accuracy[0].accuracy.unwrap();
    let switch = seen.iter().position(|snapshot| snapshot.row.at_switch).unwrap();
    assert!(accuracy(switch) > accuracy(0).max(0.4), "it learns: {} {}", accuracy(0), accuracy(switch));
    assert!(accuracy(seen.len() - 1) < accuracy(switch), "and forgets");
    // The same spec is the same run, a fork of it too.
    let again = read_all(&start(spec.clone()));
    assert_eq!(snapshots(&again).len(), seen.len());
    assert!(
        snapshots(&again).iter().zip(&seen).all(|(a, b)| a.outputs == b.outputs && a.row.accuracy == b.row.accuracy)
    );
    let worker = start(spec.clone());
    worker.send(Command::Fork { at_switch: true });
    let Some(Event::Forked(kept)) = read_until(&worker, |event| matches!(event, Event::Forked(_))).pop() else {
        unreachable!()
    };
    let job = Job { spec: kept.future([]), device: DeviceChoice::Cpu, paced: false };
    let fork = Worker::continue_run(job, kept, Box::new(|| {}));
    let later = read_all(&fork);
    let rest = snapshots(&later);
    assert!(!rest.is_empty());
    assert!(rest.iter().rev().zip(seen.iter().rev()).all(|(a, b)| a.outputs == b.outputs));
}

#[test]
fn full_batches_follow_the_closed_form() {
    let mut spec = infinite();
    spec.network.activation = Activation::Erf;
    spec.training.loss = Loss::Mse;
    for momentum in [0.0, 0.8] {
        spec.training.momentum = momentum;
        let data = prepare(&spec).unwrap();
        let mut field = InfiniteWidthModel::new(&spec, &data).unwrap();
        field.sample_start(3, &|| false).unwrap();
        let before = [field.test(0), field.probes()];
        field.prepare(&[1], &|| false).unwrap();
        let task = data.stream.task(1);
        let mut batch = Batch::default();
        let all: Vec<usize> = (0..task.train_len()).collect();
        task.batch(&all, &mut batch.pixels, &mut batch.labels);
        batch.images = all.iter().map(|&image| (1, image)).collect();
        // What it says of the training images is not asked for elsewhere: its slopes tell.
        let (n, classes) = (all.len(), 10);
        let target = |at: usize| f64::from(u8::from(batch.labels[at / classes] == at % classes));
        let (_, slopes) = field.slopes(&batch, &StepOptions::at(1.0));
        let start: Vec<f64> = slopes.iter().enumerate().map(|(at, s)| s * (n * classes) as f64 + target(at)).collect();
        let targets: Vec<f64> = (0..n * classes).map(target).collect();

        let limit = InfiniteNetwork::of(&spec.network, data.set.train.shape, 10).unwrap();
        let wide = |pixels: &[f32]| limit.points(&pixels.iter().map(|&value| f64::from(value)).collect::<Vec<_>>());
        let points = wide(&batch.pixels);
        let gram = Gram::symmetrised(n, limit.own(&points, &|| false).unwrap().ntk).unwrap().0;
        let descent = KernelGradientDescent::of(&gram).unwrap();
        let rate = 0.3 * descent.largest_rate(classes, momentum);
        for _ in 0..40 {
            field.step(&batch, &StepOptions::at(rate));
        }
        let lesson = TrainingProblem { start: &start, targets: &targets };
        let length = TrainingLength::Steps { rate, momentum, count: 40 };
        for (before, (pixels, found)) in before
            .iter()
            .zip([(data.stream.task(1).test().pixels, field.test(0)), (data.probes.pixels.clone(), field.probes())])
        {
            let across = limit.between(&wide(&pixels), &points, &|| false).unwrap().ntk;
            let before: Vec<f64> = before.iter().map(|&value| f64::from(value)).collect();
            let told = descent.test(lesson, &across, &before, &[length]);
            let apart = told.iter().zip(&found).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-5, "{apart} with momentum {momentum}");
        }
    }
}

#[test]
fn the_start_is_drawn_from_the_gaussian_process() {
    let mut spec = infinite();
    (spec.data.per_class, spec.data.test_per_class) = (4, 1);
    spec.kernel.probes_per_class = 2;
    let data = prepare(&spec).unwrap();
    let limit = InfiniteNetwork::of(&spec.network, data.set.train.shape, 10).unwrap();
    let inputs: Vec<f64> = data.probes.pixels.iter().map(|&value| f64::from(value)).collect();
    let n = data.probes.len();
    let expected = limit.own(&limit.points(&inputs), &|| false).unwrap().nngp;
    let mut field = InfiniteWidthModel::new(&spec, &data).unwrap();
    let (mut sum, draws) = (vec![0.0; n * n], 300);
    for seed in 0..draws {
        field.sample_start(seed, &|| false).unwrap();
        let drawn = field.probes();
        for (at, sum) in sum.iter_mut().enumerate() {
            let (a, b) = (&drawn[at / n * 10..][..10], &drawn[at % n * 10..][..10]);
            *sum += a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>() / (10 * draws) as f64;
        }
    }
    // The deviation of an entry is at most √2 · its diagonal over √3000; five of those for each of 400 entries.
    let largest = (0..n).map(|at| expected[at * n + at]).fold(0.0, f64::max);
    for (found, expected) in sum.iter().zip(&expected) {
        assert!((found - expected).abs() < 5.0 * 1.5 * largest / 3000f64.sqrt(), "{found} {expected}");
    }
}

#[test]
fn predictions_close_in_on_wide_networks() {
    // The gap to the infinite-width kernel, and the distance of Θ from it, fall with the width; the control is the start,
    // where all predictors are the network itself.
    let run = |width: usize| {
        let mut spec = tiny();
        spec.network.parametrisation = Parametrisation::Ntk;
        spec.network.width = width.into();
        spec.training.rate = 0.5;
        spec.kernel.predict = true;
        spec.kernel.piecewise = Some(0.25);
        spec.tasks.epochs = vec![1.0, 0.5];
        let events = read_all(&start(spec));
        let rows: Vec<Row> = snapshots(&events).iter().map(|snapshot| snapshot.row.clone()).collect();
        let gap = |row: &Row, by| {
            row.predictions.iter().find(|found| found.by == by && found.on.task == 1).and_then(|p| p.gap)
        };
        for by in [Predictor::LinearisedStart, Predictor::Infinite, Predictor::Piecewise] {
            assert!(gap(&rows[0], by).unwrap() < 1e-5, "{by:?} starts where the network does");
        }
        let last = rows.last().unwrap();
        assert!(gap(last, Predictor::RegressionInfinite).is_some());
        // At the start what predictors lose on the probes is what the network loses.
        let first = rows[0].predictions.iter().find(|found| found.by == Predictor::Infinite).unwrap();
        let own = rows[0].blocks.iter().find(|block| block.block == Block::Task(1)).unwrap();
        let (loss, apart) = first.on_probes.unwrap();
        let own = own.loss.unwrap();
        assert!((loss - own).abs() < 1e-5 && apart < 1e-5, "{loss} {own} {apart}");
        let gaps =
            [Predictor::Infinite, Predictor::LinearisedStart, Predictor::Piecewise].map(|by| gap(last, by).unwrap());
        (gaps, whole(&rows[0]).infinite_error.unwrap())
    };
    let ((narrow, far), (wide, near)) = (run(32), run(1024));
    assert!(wide[0] < 0.4 * narrow[0], "infinite: {narrow:?} {wide:?}");
    assert!(wide[1] < 0.4 * narrow[1], "linearised: {narrow:?} {wide:?}");
    assert!(near < 0.4 * far, "{far} {near}");
    for gaps in [narrow, wide] {
        assert!(gaps[2] < gaps[1], "measured again now and then is nearer: {gaps:?}");
    }
}

#[test]
fn what_infinite_width_forbids_is_a_sentence() {
    let refused = |change: fn(&mut Spec), field: &str| {
        let mut spec = infinite();
        change(&mut spec);
        let found = spec.problems(&DataShape::expected(&spec));
        assert!(found.iter().any(|problem| problem.field == field), "{found:?}");
    };
    assert_eq!(infinite().problems(&DataShape::expected(&infinite())), []);
    refused(|spec| spec.network.parametrisation = Parametrisation::Standard, "network.parametrisation");
    refused(|spec| spec.training.optimiser = Optimiser::Adam, "training.optimiser");
    refused(|spec| spec.training.weight_decay = 0.1, "training.weight_decay");
    refused(|spec| spec.training.frozen = vec!["fc1".to_owned()], "training.frozen");
    refused(|spec| spec.kernel.predict = true, "kernel.predict");
    refused(|spec| spec.network.alpha_width = Some(64), "network.alpha_width");
    // And in a file it is inf.
    let text = infinite().to_toml();
    assert!(text.contains("width = inf"), "{text}");
    assert_eq!(Spec::from_toml(&text).unwrap(), infinite());
}

#[test]
fn a_rate_beyond_the_largest_stable_one_is_told() {
    let told = |rate: f64| {
        let mut spec = infinite();
        spec.training.loss = Loss::Mse;
        spec.training.rate = rate;
        spec.tasks.steps = vec![2];
        let events = read_all(&start(spec));
        let is_told = |event: &Event| matches!(event, Event::Warning { message, .. } if message.contains("stable"));
        let first = snapshots(&events)[0].row.clone();
        let block = first.blocks.iter().find(|block| block.block == Block::Task(1)).unwrap();
        // 2 N C/λ_max, on ten probes.
        (events.iter().any(is_told), 2.0 * 10.0 * 10.0 / block.lambda_max.unwrap())
    };
    let (_, most) = told(1e-3);
    assert_eq!((told(0.9 * most).0, told(1.1 * most).0), (false, true), "the largest stable rate is {most}");
}
