//! Long streams: what is measured of the next task at a switch, what foretells how fast it is learnt, and that fifty tasks fit.

use std::process::Command;

use kernelscope::cli::summary;
use kernelscope::data::prepare;
use kernelscope::math::Gram;
use kernelscope::math::dormancy::{DORMANT_TAU, Dormancy, UnitResponses};
use kernelscope::math::leave_one_out::leave_one_out_error;
use kernelscope::math::rank_correlation::{permuted_deviation, spearman};
use kernelscope::run::{Block, Ending, History, RunState};
use kernelscope::spec::{Optimiser, Spec, study};
use serde_json::Value;

use super::cli::{kernelscope, text};
use super::{python, read_all, start};

fn history(spec: Spec) -> History {
    let mut history = History::default();
    read_all(&start(spec)).into_iter().for_each(|event| history.push(event));
    assert!(matches!(history.state(), RunState::Ended(Ending::Finished { .. })), "{:?}", history.state());
    history
}

/// A stream of so many tasks of two classes, each of a few steps.
fn pairs(tasks: usize) -> Spec {
    let mut spec = Spec::default();
    let classes: Vec<String> =
        (0..tasks).map(|task| format!("[{},{}]", task % 10, (task + 1 + task / 10) % 10)).collect();
    for setting in [
        "data.per_class=60",
        "data.test_per_class=5",
        "data.shrink=7",
        "network.width=16",
        "training.rate=0.05",
        "training.masked=true",
        "kernel.probes_per_class=2",
        "kernel.per_epoch=2",
        "tasks.steps=[2]",
        &format!("tasks.classes=[{}]", classes.join(",")),
    ] {
        spec.set(setting).unwrap_or_else(|err| panic!("{setting}: {err}"));
    }
    spec
}

/// Units by hand: one that answers as its layer, one hardly, one never, and a layer that is silent.
#[test]
fn dormant_units_are_those_of_sokar() {
    let layer = |values: &[f32], units| UnitResponses { units, values: values.to_vec() };
    // Means over two images: 1, 0.05, 0 and 2.95; that of the layer is 1.
    let first = layer(&[0.0, 0.1, 0.0, 2.95, 2.0, 0.0, 0.0, 2.95], 4);
    let found = Dormancy::of(std::slice::from_ref(&first), 0..2).unwrap();
    assert_eq!((found.dormant, found.dead), (0.25, 0.25), "a score of 0.05 lies above {DORMANT_TAU}");
    let found = Dormancy::of(std::slice::from_ref(&first), 1..2).unwrap();
    assert_eq!((found.dormant, found.dead), (0.5, 0.5), "on the second image the second unit is silent");
    let nearly = layer(&[1.0, 0.02, 1.98], 3);
    let found = Dormancy::of(&[nearly], 0..1).unwrap();
    assert_eq!((found.dormant, found.dead), (1.0 / 3.0, 0.0), "0.02 lies below it");
    let found = Dormancy::of(&[first, layer(&[0.0; 8], 4)], 0..2).unwrap();
    assert_eq!((found.dormant, found.dead), (5.0 / 8.0, 5.0 / 8.0), "a silent layer is dormant");
    assert_eq!(Dormancy::of(&[], 0..2), None);
    assert_eq!(Dormancy::of(&[layer(&[1.0], 1)], 0..0), None);
}

/// The shares in a run are those of a forward pass written out in f64, from its last weights.
#[test]
fn a_run_counts_its_dormant_units() {
    let mut spec = pairs(3);
    // A rate at which some units die.
    (spec.training.optimiser, spec.training.rate) = (Optimiser::Adam, 0.1);
    spec.tasks.steps = vec![12];
    let history = history(spec.clone());
    let data = prepare(&spec).unwrap();
    let tensor = |name: &str| {
        let weights = history.weights().unwrap();
        weights.tensors.iter().find(|tensor| tensor.name == name).unwrap().clone()
    };
    let last = history.rows().last().unwrap();
    let (probes, inputs) = (&data.probes, data.probes.pixels.len() / data.probes.len());
    let mut values: Vec<Vec<f64>> =
        probes.pixels.chunks_exact(inputs).map(|image| image.iter().map(|&pixel| f64::from(pixel)).collect()).collect();
    let mut layers = Vec::new();
    for name in ["fc1", "fc2"] {
        let (weight, bias) = (tensor(&format!("{name}.weight")), tensor(&format!("{name}.bias")));
        let [units, inputs] = weight.shape[..] else { panic!("{:?}", weight.shape) };
        let unit = |image: &Vec<f64>, unit: usize| {
            let row = &weight.values[unit * inputs..(unit + 1) * inputs];
            let sum: f64 = row.iter().zip(image).map(|(weight, value)| f64::from(*weight) * value).sum();
            (sum + f64::from(bias.values[unit])).max(0.0)
        };
        values = values.iter().map(|image| (0..units).map(|place| unit(image, place)).collect()).collect();
        layers.push(values.clone());
    }
    let mut seen = Vec::new();
    for block in &last.blocks {
        let rows = match block.block {
            Block::All => 0..probes.len(),
            Block::Task(task) => probes.blocks[task - 1].clone(),
        };
        let (mut dormant, mut dead, mut units) = (0, 0, 0);
        for layer in &layers {
            let count = layer[0].len();
            let mean = |unit: usize| layer[rows.clone()].iter().map(|image| image[unit]).sum::<f64>();
            let all = (0..count).map(mean).sum::<f64>() / count as f64;
            units += count;
            dead += (0..count).filter(|&unit| mean(unit) < 1e-9).count();
            dormant += (0..count).filter(|&unit| mean(unit) <= 0.025 * all).count();
        }
        let share = |count: usize| count as f64 / units as f64;
        assert_eq!((block.dormant, block.dead), (Some(share(dormant)), Some(share(dead))), "{:?}", block.block);
        seen.push(share(dead));
    }
    assert!(seen.iter().any(|share| *share > 0.0) && seen.iter().all(|share| *share < 1.0), "some died: {seen:?}");
}

/// Leaving each image out in turn and solving anew gives the same error as the closed form.
#[test]
fn the_leave_one_out_error_is_that_of_leaving_one_out() {
    // By hand: with K the identity nothing is said of the image left out, and the error is 1.
    let identity = Gram::symmetrised(4, (0..16).map(|at| f64::from(u8::from(at % 5 == 0))).collect()).unwrap().0;
    let error = leave_one_out_error(&identity, &[0, 0, 1, 1]).unwrap();
    assert!((error - 1.0).abs() < 1e-12, "{error}");
    // With the kernel of the labels, almost all is known.
    let labels = [0, 0, 0, 1, 1, 1];
    let same = |at: usize| f64::from(u8::from(labels[at / 6] == labels[at % 6]));
    let block = Gram::symmetrised(6, (0..36).map(same).collect()).unwrap().0;
    // (K + λI) of two images of a class left: a = y/(2 + λ), said 2y/(2 + λ).
    let expected = (1.0f64 - 2.0 / 2.001).powi(2);
    let error = leave_one_out_error(&block, &labels).unwrap();
    assert!((error - expected).abs() < 1e-12, "{error} and not {expected}");
    assert_eq!(leave_one_out_error(&block, &[1; 6]), None);
    assert_eq!(leave_one_out_error(&Gram::symmetrised(4, vec![0.0; 16]).unwrap().0, &[0, 0, 1, 1]), None);
}

#[test]
fn rank_correlations_are_those_by_hand() {
    let close = |found: Option<f64>, expected: f64| {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{found:?} and not {expected}");
    };
    close(spearman(&[1.0, 2.0, 3.0, 4.0], &[10.0, 100.0, 1e3, 1e9]), 1.0);
    close(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
    // 1 − 6 Σd²/(n(n² − 1)) with d = 0, −1, 1, 0.
    close(spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]), 0.8);
    // Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3.
    close(spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]), 0.9f64.sqrt());
    assert_eq!(spearman(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
    assert_eq!(spearman(&[1.0, f64::NAN, 1.0], &[1.0, 2.0, 3.0]), None);
    // All 24 orders of four.
    let mut squares = 0.0;
    let mut count = 0;
    for code in 0..256usize {
        let order = [code % 4, code / 4 % 4, code / 16 % 4, code / 64].map(|rank| rank as f64);
        if (0..4).all(|rank| order.contains(&f64::from(rank))) {
            squares += spearman(&[0.0, 1.0, 2.0, 3.0], &order).unwrap().powi(2);
            count += 1;
        }
    }
    assert!(count == 24 && ((squares / 24.0).sqrt() - permuted_deviation(4)).abs() < 1e-12);
}

/// Figures and statistics of a study of long streams are those that numpy finds in its run folders.
#[test]
fn numpy_finds_the_same_predictors() {
    let Some(python) = python("to compute the predictors of a study anew") else { return };
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let mut spec = pairs(10);
    spec.tasks.steps = vec![8];
    spec.training.rate = 0.3;
    spec.study = Some(kernelscope::spec::StudySpec {
        axis: "training.batch".to_owned(),
        values: vec![16.into(), 32.into()],
        seeds: vec![3, 1, 2],
        ..Default::default()
    });
    std::fs::write(here.join("study.toml"), spec.to_toml()).unwrap();
    let done = kernelscope(here, &["study", "--config", "study.toml", "--out", "out", "--device", "cpu"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("control: it in the other seeds"), "{}", text(&done.stderr));
    assert!(std::fs::read_to_string(here.join("out/study.html")).unwrap().contains("What foretells the next task"));
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/predictors.py");
    let found = Command::new(python).arg(script).arg(here.join("out")).output().unwrap();
    assert!(found.status.success(), "{}", text(&found.stderr));
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let lines = |name: &str| -> Vec<csv::StringRecord> {
        let reader = csv::ReaderBuilder::new().has_headers(false).from_path(here.join("out").join(name));
        reader.unwrap().records().map(Result::unwrap).collect()
    };
    let close = |here: f64, there: f64, what: &str| {
        assert!((here - there).abs() <= 1e-9 * there.abs().max(1.0), "{what}: {here} here, {there} in numpy");
    };

    let table = lines("study.csv");
    let mut compared = 0;
    for line in &table[1..] {
        let figures = found["figures"][&line[0]].as_array().unwrap();
        assert_eq!(figures.len(), 9);
        for (switch, figures) in figures.iter().enumerate() {
            for (name, there) in figures.as_object().unwrap() {
                let head = if switch == 0 { name.clone() } else { format!("{name}_{}", switch + 1) };
                let column = table[0].iter().position(|known| known == head).unwrap();
                let what = format!("{} {head}", &line[0]);
                match there.as_f64() {
                    Some(there) => close(line[column].parse().unwrap(), there, &what),
                    None => assert_eq!(&line[column], "", "{what}"),
                }
                compared += usize::from(!there.is_null());
            }
        }
    }
    assert!(compared > 6 * 9 * 7, "{compared}");

    let rows = lines("predictors.csv");
    let column = |name: &str| rows[0].iter().position(|known| known == name).unwrap();
    let mut statistics = 0;
    for value in ["16", "32"] {
        for (predictor, of) in found["predictors"][value].as_object().unwrap() {
            for (statistic, there) in of.as_object().unwrap() {
                let there: Vec<f64> = there.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect();
                let is_here = |row: &&csv::StringRecord| {
                    (&row[1], &row[column("predictor")], &row[column("statistic")])
                        == (value, predictor.as_str(), statistic.as_str())
                };
                let Some(row) = rows.iter().find(is_here) else {
                    assert!(there.is_empty(), "{predictor} {statistic}");
                    continue;
                };
                let here: Vec<f64> = row[column("values")].split(' ').map(|one| one.parse().unwrap()).collect();
                assert_eq!(here.len(), there.len(), "{predictor} {statistic}");
                here.iter()
                    .zip(&there)
                    .for_each(|(here, there)| close(*here, *there, &format!("{predictor} {statistic}")));
                let mean = there.iter().sum::<f64>() / there.len() as f64;
                close(row[column("mean")].parse().unwrap(), mean, predictor);
                statistics += 1;
            }
        }
    }
    assert!(statistics > 40 && statistics == rows.len() - 1, "{statistics} of {}", rows.len() - 1);
}

/// Sixty tasks run to their end, each switch has its figures, and summary and figures stay of a size that one reads.
#[test]
fn a_stream_of_sixty_tasks_runs() {
    let place = tempfile::tempdir().unwrap();
    let spec = pairs(60);
    std::fs::write(place.path().join("run.toml"), spec.to_toml()).unwrap();
    let done = kernelscope(place.path(), &["run", "--config", "run.toml", "--out", "run", "--device", "cpu"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let history = kernelscope::storage::load(&place.path().join("run")).unwrap().history;
    assert_eq!((history.tasks().len(), history.outcomes().len()), (60, 59));
    for switch in history.outcomes() {
        let next = switch.next;
        let found = [next.rank, next.top_share, next.dormant, next.dead, next.alignment, next.leave_one_out, next.area];
        assert!(found.iter().all(Option::is_some), "{:?}: {next:?}", switch.tasks);
        assert!(next.area.is_some_and(|area| (0.0..=1.0).contains(&area)));
    }
    // The last rows of all tasks are kept, with the linear probe of the first task, the one trained and the next.
    let last = history.rows().last().unwrap();
    let probed: Vec<usize> = last.accuracy.iter().filter(|one| one.probe.is_some()).map(|one| one.task).collect();
    assert_eq!((last.blocks.len(), last.accuracy.len(), probed), (61, 60, vec![1, 60]));
    let said = summary(&history);
    assert!(
        said.lines().count() < 12 && said.contains("53 more switches") && said.contains("mean over 60 tasks"),
        "{said}"
    );
    let drawn = kernelscope(place.path(), &["figures", "run", "--format", "svg"]);
    assert!(drawn.status.success(), "{}", text(&drawn.stderr));
}

/// The ready-made study is one of fifty tasks, in which each class meets each other.
#[test]
fn the_study_has_fifty_tasks() {
    let spec = study("plasticity").unwrap().spec();
    assert_eq!(spec.study_problems(), []);
    let runs = spec.runs().unwrap();
    assert_eq!(runs.len(), 10);
    assert!(runs.iter().all(|run| run.spec.tasks.len() == 50));
    let classes = &runs[0].spec.tasks.classes;
    let mut met: Vec<[usize; 2]> =
        classes[..45].iter().map(|pair| [pair[0].min(pair[1]), pair[0].max(pair[1])]).collect();
    met.sort_unstable();
    met.dedup();
    assert_eq!(met.len(), 45, "each pair once");
    assert_eq!(classes[45..], classes[..5]);
    for round in classes.chunks(5) {
        let mut round = round.concat();
        round.sort_unstable();
        assert_eq!(round, (0..10).collect::<Vec<_>>(), "each class once a round");
    }
}
