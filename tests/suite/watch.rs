//! Watched trainings: what is measured of saved weights against numpy (`tests/fixtures/watch/make.py`), and what becomes of steps
//! while writer and reader are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kernelscope::run::{Block, Ending, Event, History, Metric, RunState};
use kernelscope::storage::{Arrays, KeptSteps, Order, WatchFolder, create, load};
use kernelscope::worker::{WatchJob, Worker};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::cli::{kernelscope, text};
use super::{PATIENCE, python};

const TENSORS: [&str; 4] = ["1.weight", "1.bias", "3.weight", "3.bias"];
/// Steps of a pair in the fixture.
const LAG: u64 = 6;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/watch/mlp.npz")
}

/// The training of the fixture.
pub struct Training {
    arrays: BTreeMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Training {
    pub fn open() -> Self {
        let mut file = Arrays::open(&fixture()).unwrap();
        let blocks = ["velocity", "lambda_max", "alignment", "alignment_centred"];
        let facts = ["graph", "inputs", "labels", "tasks", "step", "task", "loss", "gram"];
        let tensors = TENSORS.iter().flat_map(|name| [format!("weights/{name}"), format!("share/{name}")]);
        let names = facts.into_iter().chain(blocks).map(str::to_owned).chain(tensors);
        let arrays = names.map(|name| (name.clone(), file.floats(&name).unwrap().unwrap())).collect();
        Self { arrays }
    }

    fn values(&self, name: &str) -> &[f64] {
        &self.arrays[name].1
    }

    /// Entry `place` of the first axis.
    fn at(&self, name: &str, place: usize) -> &[f64] {
        let (shape, values) = &self.arrays[name];
        let size: usize = shape[1..].iter().product();
        &values[place * size..][..size]
    }

    pub fn steps(&self) -> Vec<u64> {
        self.values("step").iter().map(|step| *step as u64).collect()
    }

    /// Writes what `kernelscope.export` and `kernelscope.Watch` write before the first step.
    pub fn begin(&self, folder: &Path) {
        fs::create_dir_all(folder.join("steps")).unwrap();
        let graph: Vec<u8> = self.values("graph").iter().map(|byte| *byte as u8).collect();
        fs::write(folder.join("graph.json"), graph).unwrap();
        let watch = format!(r#"{{"format": 1, "kernelscope": "0.1.0", "every": 15, "lag": {LAG}, "network": null}}"#);
        fs::write(folder.join("watch.json"), watch).unwrap();
        let floats = bytes(self.values("inputs"));
        let whole = |name: &str| -> Vec<u8> {
            self.values(name).iter().flat_map(|value| (*value as i64).to_le_bytes()).collect()
        };
        let (labels, tasks) = (whole("labels"), whole("tasks"));
        let n = self.values("labels").len();
        let views = [
            ("inputs", TensorView::new(Dtype::F32, self.arrays["inputs"].0.clone(), &floats).unwrap()),
            ("labels", TensorView::new(Dtype::I64, vec![n], &labels).unwrap()),
            ("tasks", TensorView::new(Dtype::I64, vec![n], &tasks).unwrap()),
        ];
        fs::write(folder.join("probes.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    }

    pub fn tensors(&self, place: usize) -> Vec<(String, Vec<usize>, Vec<f64>)> {
        let tensor = |name: &&str| {
            let shape = self.arrays[&format!("weights/{name}")].0[1..].to_vec();
            ((*name).to_owned(), shape, self.at(&format!("weights/{name}"), place).to_vec())
        };
        TENSORS.iter().map(tensor).collect()
    }

    /// The line of the log for a saved step; `time` makes it another line.
    pub fn line(&self, place: usize, time: u64) -> String {
        let (step, task, loss) = (self.steps()[place], self.values("task")[place], self.values("loss")[place]);
        format!(
            "{{\"step\": {step}, \"file\": \"{step:012}.safetensors\", \"time\": {time}.5, \"task\": {task}, \"loss\": {loss}}}\n"
        )
    }

    /// Writes a step and its line.
    pub fn save(&self, folder: &Path, place: usize) {
        write_step(folder, self.steps()[place], &self.tensors(place));
        append(folder, &self.line(place, 0));
    }
}

fn bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect()
}

pub fn step_file(folder: &Path, step: u64) -> PathBuf {
    folder.join("steps").join(format!("{step:012}.safetensors"))
}

pub fn write_step(folder: &Path, step: u64, tensors: &[(String, Vec<usize>, Vec<f64>)]) {
    let data: Vec<Vec<u8>> = tensors.iter().map(|(_, _, values)| bytes(values)).collect();
    let views = tensors.iter().zip(&data).map(|((name, shape, _), data)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), data.as_slice()).unwrap())
    });
    let path = step_file(folder, step);
    let part = path.with_extension("safetensors.part");
    fs::write(&part, safetensors::serialize(views, None).unwrap()).unwrap();
    fs::rename(part, path).unwrap();
}

pub fn append(folder: &Path, text: &str) {
    let mut log = OpenOptions::new().append(true).create(true).open(folder.join("log.jsonl")).unwrap();
    log.write_all(text.as_bytes()).unwrap();
}

/// Starts to watch a folder.
fn start(folder: &Path, order: Order, until_idle: Option<Duration>) -> Worker {
    let folder = WatchFolder::open(folder).unwrap();
    Worker::watch(WatchJob { folder, order, until_idle, kept: KeptSteps::default() }, Box::new(|| {}))
}

/// The record of everything that is in a folder now.
pub fn record(folder: &Path, order: Order) -> History {
    let worker = start(folder, order, Some(Duration::from_millis(50)));
    let mut history = History::default();
    let has_ended = |history: &History| matches!(history.state(), RunState::Ended(_));
    until(&worker, &mut history, has_ended);
    assert!(matches!(history.state(), RunState::Ended(Ending::Finished { .. })), "{:?}", history.state());
    history
}

/// Takes events until this holds.
fn until(worker: &Worker, history: &mut History, holds: impl Fn(&History) -> bool) {
    let began = Instant::now();
    while !holds(history) {
        assert!(began.elapsed() < PATIENCE, "it does not come: {:?}", history.rows().last().map(|row| row.step));
        if let Some(event) = worker.recv_timeout(Duration::from_millis(50)) {
            history.push(event);
        }
    }
}

pub fn steps_of(history: &History) -> Vec<u64> {
    history.rows().iter().map(|row| row.step).collect()
}

/// What is measured of each row, without the times that it took.
fn measured(history: &History) -> Vec<String> {
    let mut lines = Vec::new();
    for (row, snapshot) in history.rows().iter().zip(history.snapshots()) {
        assert_eq!(row.step, snapshot.row.step);
        let row = kernelscope::run::Row { cost: kernelscope::run::SnapshotCost::default(), ..row.clone() };
        lines.push(format!("{row:?} {:?}", snapshot.gram));
    }
    lines.push(format!("{:?}", history.tasks()));
    lines
}

#[test]
fn watched_weights_are_measured_as_numpy_does() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    training.begin(place.path());
    let steps = training.steps();
    (0..steps.len()).for_each(|at| training.save(place.path(), at));
    let history = record(place.path(), Order::Every);
    assert_eq!(steps_of(&history), steps);
    assert_eq!(history.passed_over(), 0);
    let blocks = [Block::All, Block::Task(1), Block::Task(2)];
    let metrics = [
        ("velocity", Metric::Velocity),
        ("lambda_max", Metric::LambdaMax),
        ("alignment", Metric::Alignment),
        ("alignment_centred", Metric::AlignmentCentred),
    ];
    for (at, (row, snapshot)) in history.rows().iter().zip(history.snapshots()).enumerate() {
        let expected = training.at("gram", at);
        let largest = expected.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        for (found, expected) in snapshot.gram.iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-5 * largest, "kernel of step {}: {found} {expected}", row.step);
        }
        for (name, metric) in metrics {
            for (block, expected) in blocks.iter().zip(training.at(name, at)) {
                let own = row.blocks.iter().find(|own| own.block == *block).unwrap();
                let found = metric.of(row, own);
                let is_same = match found {
                    Some(found) => (found - expected).abs() <= 1e-5 * expected.abs(),
                    None => expected.is_nan(),
                };
                assert!(is_same, "{name} of {block:?} at step {}: {found:?} where {expected} was expected", row.step);
            }
        }
        for tensor in row.tensors.iter() {
            let expected = training.at(&format!("share/{}", tensor.tensor), at)[tensor.task - 1];
            assert!(
                (tensor.share.unwrap() - expected).abs() <= 1e-5 * expected,
                "share of {} at {}",
                tensor.tensor,
                row.step
            );
        }
        assert_eq!(row.tensors.len(), 8);
        // The reader of JSON rounds a number in another way than the one that wrote it.
        let (loss, expected) = (row.train_loss.unwrap(), training.values("loss")[at]);
        assert!((loss - expected).abs() <= 1e-15 * expected, "{loss} {expected}");
        let task = training.values("task")[at] as usize + 1;
        assert_eq!(row.task, if row.step == 63 { 1 } else { task }, "the step of a switch is the last of its task");
        assert_eq!(row.at_switch, row.step == 63);
        assert_eq!(row.logits.len(), 4, "the logits of the first task's classes, and the others, of each task");
        let (network, labels) = (&snapshot.outputs.as_ref().unwrap().network, &history.info().unwrap().probes);
        let right = |task: usize| {
            let own: Vec<usize> = (0..labels.len()).filter(|probe| labels[*probe].task == task).collect();
            let best = |probe: usize| {
                let row = &network[4 * probe..][..4];
                (0..4).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
            };
            own.iter().filter(|probe| best(**probe) == labels[**probe].label).count() as f64 / own.len() as f64
        };
        for accuracy in &row.accuracy {
            assert_eq!(accuracy.accuracy, Some(right(accuracy.task)));
        }
    }
    let starts: Vec<(usize, u64)> = history.tasks().iter().map(|start| (start.task, start.step)).collect();
    assert_eq!(starts, [(1, 0), (2, 63)]);
    // The largest velocity of the second task over the median one of the last third of the first.
    let velocity = history.series(Block::Task(1), Metric::Velocity);
    let height = velocity.iter().filter(|(step, _)| *step > 63.0).map(|(_, value)| *value).fold(0.0, f64::max);
    let spike = history.spikes(Block::Task(1), Metric::Velocity)[0].unwrap();
    let at_51 = velocity.iter().find(|(step, _)| *step == 51.0).unwrap().1;
    assert_eq!((spike.height, spike.background), (height, at_51));
    assert!(history.dips(Block::Task(1))[0].is_some());
    assert!(history.counts_steps());
}

#[test]
fn half_written_files_and_lines_are_not_taken() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    let folder = place.path();
    training.begin(folder);
    let steps = training.steps();
    training.save(folder, 0);
    let worker = start(folder, Order::Every, None);
    let mut history = History::default();
    until(&worker, &mut history, |history| history.rows().len() == 1);
    // A step without a line, the temporary file of another, and half a line.
    write_step(folder, steps[1], &training.tensors(1));
    fs::write(folder.join("steps").join(format!("{:012}.safetensors.part", steps[2])), [1; 40]).unwrap();
    let line = training.line(1, 0);
    let (first, rest) = line.split_at(line.len() / 2);
    append(folder, first);
    std::thread::sleep(Duration::from_millis(2500));
    while let Some(event) = worker.try_recv() {
        history.push(event);
    }
    assert_eq!(steps_of(&history), [steps[0]]);
    append(folder, rest);
    // A line that is none, and one whose step has no file.
    append(folder, "not a line\n");
    append(folder, &training.line(2, 0));
    training.save(folder, 3);
    until(&worker, &mut history, |history| history.rows().len() == 3 && history.passed_over() == 1);
    assert_eq!(steps_of(&history), [steps[0], steps[1], steps[3]]);
    // A file cut short under its own name, which somebody else writes in place.
    write_step(folder, steps[4], &training.tensors(4));
    let whole = fs::read(step_file(folder, steps[4])).unwrap();
    fs::write(step_file(folder, steps[4]), &whole[..whole.len() / 2]).unwrap();
    append(folder, &training.line(4, 0));
    std::thread::sleep(Duration::from_millis(1200));
    fs::write(step_file(folder, steps[4]), &whole).unwrap();
    until(&worker, &mut history, |history| history.rows().len() == 4);
    assert_eq!(history.rows().last().unwrap().step, steps[4]);
    assert!(history.notes().is_empty(), "{:?}", history.notes());
}

#[test]
fn a_writer_that_starts_again_takes_back_what_came_after() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    let folder = place.path();
    training.begin(folder);
    let count = training.steps().len();
    (0..14).for_each(|at| training.save(folder, at));
    let worker = start(folder, Order::Every, None);
    let mut history = History::default();
    until(&worker, &mut history, |history| history.rows().len() == 14);
    // As the Python writer does: lines first, then files. The second task begins at the tenth step.
    for kept in [12, 6, 0] {
        let lines: String = (0..kept).map(|at| training.line(at, 0)).collect();
        fs::write(folder.join("log.part"), lines).unwrap();
        fs::rename(folder.join("log.part"), folder.join("log.jsonl")).unwrap();
        for step in training.steps().iter().skip(kept) {
            let _ = fs::remove_file(step_file(folder, *step));
        }
        until(&worker, &mut history, |history| history.rows().len() == kept);
        (kept..14).for_each(|at| training.save(folder, at));
        until(&worker, &mut history, |history| history.rows().len() == 14);
    }
    (14..count).for_each(|at| training.save(folder, at));
    // The losses are the last that is told of a step.
    until(&worker, &mut history, |history| history.losses().len() == count);
    let undisturbed = record(folder, Order::Every);
    assert_eq!(measured(&history), measured(&undisturbed));
    assert_eq!(history.losses(), undisturbed.losses());
}

#[test]
fn a_step_that_cannot_be_measured_is_marked_and_the_rest_goes_on() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    let folder = place.path();
    training.begin(folder);
    let steps = training.steps();
    for (at, step) in steps.iter().enumerate().take(8) {
        let mut tensors = training.tensors(at);
        match at {
            2 => tensors[0].2[7] = f64::NAN,
            3 => drop(tensors.remove(1)),
            4 => tensors[2] = ("3.weight".to_owned(), vec![4, 3], vec![0.0; 12]),
            // The kernel of the probes, in the order of the file.
            5 => {
                let order = &WatchFolder::open(folder).unwrap().probes.order;
                let mut gram = vec![0.0; 144];
                for (at, value) in training.at("gram", 5).iter().enumerate() {
                    gram[12 * order[at / 12] + order[at % 12]] = *value;
                }
                tensors = vec![("gram".to_owned(), vec![12, 12], gram)];
            }
            6 => tensors = vec![("gram".to_owned(), vec![2, 2], vec![1.0; 4])],
            _ => {}
        }
        write_step(folder, *step, &tensors);
        append(folder, &training.line(at, 0));
    }
    let history = record(folder, Order::Every);
    assert_eq!(steps_of(&history), [0, 1, 5, 7].map(|at: usize| steps[at]));
    assert_eq!(history.passed_over(), 4);
    let notes: Vec<&str> = history.notes().iter().map(|note| note.message.as_str()).collect();
    let way_out = "save the state_dict() of the module that was exported";
    assert_eq!(
        notes,
        [
            "Step 15 is passed over: its tensor 1.weight holds a value that is not a number: the training has diverged"
                .to_owned(),
            format!("Step 21 is passed over: its weights have no tensor 1.bias: {way_out}"),
            format!(
                "Step 30 is passed over: its tensor 3.weight has shape [4, 3] where [4, 12] was expected: {way_out}"
            ),
            "Step 45 is passed over: its gram has the shape [2, 2] where [12, 12] was expected".to_owned(),
        ]
    );
    let (kernel, row) = (&history.snapshots()[2], &history.rows()[2]);
    let largest = kernel.gram.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    for (found, expected) in kernel.gram.iter().zip(training.at("gram", 5)) {
        assert!((found - expected).abs() <= 1e-6 * largest);
    }
    assert!(kernel.outputs.is_none() && row.accuracy.is_empty() && row.blocks.iter().all(|block| block.loss.is_none()));
}

#[test]
fn behind_the_newest_pair_is_taken() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    training.begin(place.path());
    let steps = training.steps();
    (0..8).for_each(|at| training.save(place.path(), at));
    let history = record(place.path(), Order::Newest);
    // Steps 45 and 51 are a pair.
    assert_eq!((steps_of(&history), history.passed_over()), (vec![45, 51], 6));
    assert!(history.rows()[1].blocks[0].velocity.is_some());
    assert_eq!(history.losses().len(), 8, "losses are those of all steps");
    (8..steps.len()).for_each(|at| training.save(place.path(), at));
    let history = record(place.path(), Order::Newest);
    // The first step of the second task is not passed over, and neither is the end of its pair.
    assert_eq!(steps_of(&history), [63, 69, 105, 111, 120]);
    assert_eq!(history.passed_over(), steps.len() as u64 - 5);
    assert_eq!(history.tasks().len(), 1, "no step of the first task was taken");
}

#[test]
fn a_folder_of_ten_thousand_steps_opens_at_once() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    training.begin(place.path());
    let mut log = String::new();
    for step in 0..10_000 {
        log += &format!("{{\"step\": {step}, \"file\": \"x\", \"time\": 1.5, \"task\": 0, \"loss\": 0.5}}\n");
    }
    append(place.path(), &log);
    let began = Instant::now();
    let folder = WatchFolder::open(place.path()).unwrap();
    let mut follower = folder.follow(Order::Newest);
    assert!(follower.look());
    let opened = began.elapsed();
    assert_eq!(follower.newest(), Some(9_999));
    assert!(opened < Duration::from_secs(1), "{opened:?}");
}

#[test]
fn what_is_no_watched_folder_is_refused() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    let here = place.path();
    let said = |args: &[&str]| {
        let done = kernelscope(here, args);
        assert_eq!(done.status.code(), Some(2), "{}", text(&done.stderr));
        text(&done.stderr)
    };
    assert_eq!(
        said(&["watch", "nothing", "--out", "record"]),
        "nothing has no watch.json: give the folder that kernelscope.Watch writes"
    );
    // Of the window, too, before one is asked for.
    assert_eq!(
        said(&["watch", "nothing"]),
        "nothing is not there: make the folder, or start the script that writes it"
    );
    fs::write(here.join("file"), "").unwrap();
    assert_eq!(said(&["watch", "file"]), "file is no folder: give the one that kernelscope.Watch writes");
    training.begin(&here.join("watched"));
    training.save(&here.join("watched"), 0);
    fs::write(here.join("watched/watch.json"), r#"{"format": 2, "lag": 1, "network": null}"#).unwrap();
    assert!(
        said(&["watch", "watched", "--out", "record"])
            .ends_with("has format 2, and this version reads 1: update Kernelscope")
    );
    fs::write(here.join("watched/watch.json"), r#"{"format": 1, "lag": 1, "network": "../own.rhai"}"#).unwrap();
    assert!(
        said(&["watch", "watched", "--out", "record"]).contains("../own.rhai, which does not come with Kernelscope")
    );
    fs::write(here.join("watched/watch.json"), r#"{"format": 1, "lag": 1, "network": "mlp"}"#).unwrap();
    assert!(
        said(&["watch", "watched", "--out", "record"])
            .contains("the network mlp, which its name alone does not determine: export")
    );
    training.begin(&here.join("watched"));
    let done = kernelscope(here, &["watch", "watched", "--out", "record", "--until-idle", "0.1"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    // Another training: its probes are others.
    let probes = fs::read(here.join("watched/probes.safetensors")).unwrap();
    let views = safetensors::SafeTensors::deserialize(&probes).unwrap();
    let labels: Vec<u8> = (0..12i64).flat_map(|at| (at % 4).to_le_bytes()).collect();
    let other = [
        ("inputs", views.tensor("inputs").unwrap()),
        ("labels", TensorView::new(Dtype::I64, vec![12], &labels).unwrap()),
        ("tasks", views.tensor("tasks").unwrap()),
    ];
    fs::write(here.join("watched/probes.safetensors"), safetensors::serialize(other, None).unwrap()).unwrap();
    assert!(
        said(&["watch", "watched", "--out", "record"])
            .starts_with("record holds something else than the record of this training")
    );
}

/// The lines of a table without the columns that depend on the machine, and of the events those of tasks.
fn table(record: &Path, name: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(record.join(name)).unwrap();
    let header: Vec<bool> = reader.headers().unwrap().iter().map(|column| !column.ends_with("_seconds")).collect();
    let lines = reader.records().map(|line| {
        let line = line.unwrap();
        line.iter().zip(&header).filter(|(_, kept)| **kept).map(|(cell, _)| cell.to_owned()).collect::<Vec<String>>()
    });
    lines.filter(|line| name != "events.csv" || line[2] == "task").collect()
}

const TABLES: [&str; 8] = [
    "metrics.csv",
    "accuracy.csv",
    "layers.csv",
    "tensors.csv",
    "cross.csv",
    "logits.csv",
    "optimiser.csv",
    "events.csv",
];

/// Checks that two records hold the same.
fn assert_same_record(one: &Path, other: &Path) {
    for name in TABLES {
        assert_eq!(table(one, name), table(other, name), "{name}");
    }
    let [one, other] = [one, other].map(|record| load(record).unwrap());
    assert_eq!(one.warnings, Vec::<String>::new());
    assert_eq!(measured(&one.history), measured(&other.history));
    assert_eq!(one.history.rows().len(), one.history.snapshots().len());
}

#[test]
fn a_record_goes_on_where_it_was_and_keeps_steps_that_are_gone() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    let here = place.path();
    let folder = here.join("watched");
    training.begin(&folder);
    let steps = training.steps();
    let watch = |out: &str| {
        let done = kernelscope(here, &["watch", "watched", "--out", out, "--until-idle", "0.1"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
    };
    for at in 0..steps.len() {
        training.save(&folder, at);
        if [0, 3, 9, 10, 14, steps.len() - 1].contains(&at) {
            watch("record");
        }
    }
    watch("record");
    watch("undisturbed");
    assert_same_record(&here.join("record"), &here.join("undisturbed"));
    // The files are gone, and one step more comes.
    let last = steps.len() - 1;
    let lines: String = (0..last).map(|at| training.line(at, 0)).collect();
    fs::write(folder.join("log.jsonl"), lines).unwrap();
    steps.iter().for_each(|step| fs::remove_file(step_file(&folder, *step)).unwrap());
    training.save(&folder, last);
    watch("record");
    // Its velocity is that of the kernel that was kept; only those of layers are missing.
    let now = load(&here.join("record")).unwrap().history;
    let then = load(&here.join("undisturbed")).unwrap().history;
    assert_eq!(steps_of(&now), steps);
    assert_eq!(
        format!("{:?}", now.rows().last().unwrap().blocks[0].velocity),
        format!("{:?}", then.rows().last().unwrap().blocks[0].velocity)
    );
    assert_eq!(now.snapshots().last().unwrap().gram, then.snapshots().last().unwrap().gram);
}

#[test]
fn a_record_with_a_budget_for_grams_is_cut_and_goes_on() {
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    let folder = place.path().join("watched");
    training.begin(&folder);
    let count = training.steps().len();
    (0..count).for_each(|at| training.save(&folder, at));
    let worker = start(&folder, Order::Every, Some(Duration::from_millis(50)));
    let mut events = Vec::new();
    while !matches!(events.last(), Some(Event::Ended(_))) {
        events.extend(worker.recv_timeout(PATIENCE));
    }
    let Some(Event::Started(info)) = events.first() else { panic!("{:?}", events.first()) };
    let out = place.path().join("record");
    // Room for about eight of them.
    let mut record = create(&out, &info.spec, false).unwrap().folder.with_gram_bytes(8 * 2500);
    let is_of = |event: &Event, from: u64, to: u64| match event {
        Event::Snapshot(snapshot) => (from..to).contains(&snapshot.row.step),
        Event::Task(start) => (from..to).contains(&start.step),
        Event::Saved(saved) => (from..to).contains(&saved.step),
        _ => false,
    };
    record.take(&events[0]).unwrap();
    let back = training.steps()[12];
    for event in events.iter().filter(|event| is_of(event, 0, u64::MAX)) {
        record.take(event).unwrap();
    }
    record.take(&Event::TakenBack { step: back }).unwrap();
    for event in events.iter().filter(|event| is_of(event, back, u64::MAX)) {
        record.take(event).unwrap();
    }
    record.take(events.last().unwrap()).unwrap();
    let found = load(&out).unwrap();
    assert_eq!(found.warnings, Vec::<String>::new());
    assert_eq!(steps_of(&found.history), training.steps());
    let kept: Vec<u64> = found.history.snapshots().iter().map(|snapshot| snapshot.row.step).collect();
    assert!(kept.len() < count && kept.len() > 3 && kept.windows(2).all(|pair| pair[0] < pair[1]), "{kept:?}");
    for snapshot in found.history.snapshots() {
        let own = |event: &&Event| matches!(event, Event::Snapshot(of) if of.row.step == snapshot.row.step);
        let Some(Event::Snapshot(of)) = events.iter().find(own) else { panic!("step {}", snapshot.row.step) };
        assert_eq!(of.gram, snapshot.gram);
    }
}

/// The training of the fixture once more, by the Python package, from the step that its checkpoint says.
const WRITER: &str = r#"
import sys, time
import numpy as np, kernelscope
made = dict(np.load(sys.argv[1]))
names = [name.removeprefix("weights/") for name in made if name.startswith("weights/")]
watch = kernelscope.Watch(sys.argv[2], made["inputs"], made["labels"], made["tasks"], every=15, lag=6)
for place in range(int(sys.argv[3]), len(made["step"])):
    weights = {name: made["weights/" + name][place] for name in names}
    watch.save(int(made["step"][place]), weights, task=int(made["task"][place]), loss=float(made["loss"][place]))
    time.sleep(float(sys.argv[4]))
"#;

/// A process that is killed when it is no longer held.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kills writer and reader at random moments: twenty times each, or as often as `KERNELSCOPE_KILLS` says.
#[test]
fn killed_writers_and_readers_lose_nothing() {
    let Some(python) = python("to write a watched folder") else { return };
    let kills = std::env::var("KERNELSCOPE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let (training, place) = (Training::open(), tempfile::tempdir().unwrap());
    let (here, folder) = (place.path(), place.path().join("watched"));
    training.begin(&folder);
    let steps = training.steps();
    let write = |from: usize, pause: f64| {
        let mut command = Command::new(&python);
        command.env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/python"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", WRITER]).arg(fixture()).arg(&folder);
        command.args([from.to_string(), pause.to_string()]).stderr(Stdio::piped()).spawn().map(Killed).unwrap()
    };
    let read = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kernelscope"));
        command.current_dir(here).args(["watch", "watched", "--out", "record"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Killed).unwrap()
    };
    let mut chance = ChaCha8Rng::seed_from_u64(20);
    let (mut writers, mut readers) = (0, 0);
    let (mut writer, mut reader) = (write(0, 0.05), read());
    while writers < kills || readers < kills {
        std::thread::sleep(Duration::from_millis(chance.random_range(100..900)));
        if writers < kills && (readers >= kills || chance.random()) {
            writers += 1;
            drop(writer);
            // From a checkpoint: the last step whose line is whole, or one of those before it.
            let log = fs::read_to_string(folder.join("log.jsonl")).unwrap_or_default();
            let there = log.lines().count().min(steps.len());
            let from = there.saturating_sub(chance.random_range(0..6));
            writer = write(if from == steps.len() { 0 } else { from }, 0.05);
        } else {
            readers += 1;
            drop(reader);
            reader = read();
        }
    }
    let (is_well, said) = finished(&mut writer.0);
    assert!(is_well, "{said}");
    drop(reader);
    for out in ["record", "undisturbed"] {
        let done = kernelscope(here, &["watch", "watched", "--out", out, "--until-idle", "0.1"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    assert_same_record(&here.join("record"), &here.join("undisturbed"));
    let history = load(&here.join("record")).unwrap().history;
    assert_eq!(steps_of(&history), steps);
    assert_eq!(history.rows().iter().map(|row| row.step).collect::<BTreeSet<u64>>().len(), steps.len());
    assert!(history.notes().is_empty(), "{:?}", history.notes());
}

/// Waits for a process; returns whether it went well, and what it wrote to standard error.
fn finished(process: &mut Child) -> (bool, String) {
    let mut said = String::new();
    if let Some(mut stderr) = process.stderr.take() {
        let _ = stderr.read_to_string(&mut said);
    }
    (process.wait().is_ok_and(|status| status.success()), said)
}
