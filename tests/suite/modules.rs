//! Runs that begin from the weights of a file, and modules of PyTorch that are trained here: against PyTorch in float64
//! (`tests/fixtures/modules/make.py`), and against the runs whose weights they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use kernelscope::math::checksum::fnv1a;
use kernelscope::model::Network;
use kernelscope::ntk::{PartKind, Reduction, Request, jacobian, layerwise};
use kernelscope::run::{Ending, Event, NamedTensor, Row, Snapshot, Weights};
use kernelscope::spec::{DataFolders, DataShape, Init, Loss, NetworkSpec, Parametrisation, Source, Spec, StudySpec};
use kernelscope::storage::{Arrays, GRAPH, Graph, WEIGHTS, create, load, read_modules_as_networks};
use kernelscope::train::{NetworkTrainer, StepOptions};
use kernelscope::ui::views::View;
use kernelscope::worker::gram::load_graph;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::cli::{kernelscope as command, text as said};
use super::run::timeless;
use super::ui::{until, window};
use super::{ending, fork, read_all, start, tiny};

/// Largest relative Frobenius difference.
const TOLERANCE: f64 = 1e-5;
const FROZEN: [&str; 4] = ["conv.weight", "fc1.bias", "norm.weight", "offset"];

fn module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/modules/partly_frozen")
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied())
}

/// The run of the module on data that fit it, from its weights or from a draw.
fn of_module(from_weights: bool) -> Spec {
    read_modules_as_networks();
    let mut spec = tiny();
    let program = format!("network.program={}", module().display());
    let weights = format!("network.weights={}", module().join(WEIGHTS).display());
    spec.set_all([program.as_str()].into_iter().chain(from_weights.then_some(weights.as_str()))).unwrap();
    spec
}

fn snapshots(events: &[Event]) -> Vec<Arc<Snapshot>> {
    let snapshot = |event: &Event| if let Event::Snapshot(found) = event { Some(Arc::clone(found)) } else { None };
    events.iter().filter_map(snapshot).collect()
}

/// Runs this spec, with its record in a folder.
fn recorded(spec: &Spec, out: &Path) -> Vec<Event> {
    let mut folder = create(out, spec, false).unwrap().folder;
    let events = read_all(&start(folder.spec().clone()));
    events.iter().for_each(|event| folder.take(event).unwrap());
    events
}

/// The sentence with which a run does not begin.
fn refusal(spec: Spec) -> String {
    match ending(&read_all(&start(spec))) {
        Ending::Failed { step: 0, message } => message.clone(),
        other => panic!("it ended with {other:?}"),
    }
}

fn problem(spec: &Spec) -> String {
    let problems = spec.problems(&DataShape::expected(spec));
    problems.first().map_or_else(String::new, |problem| format!("{}: {}", problem.field, problem.message))
}

#[test]
fn frozen_parameters_stay_and_have_no_part_in_the_kernel_before_and_after_training_as_in_pytorch() {
    let graph = Graph::read(&module()).unwrap();
    let mut frozen: Vec<&str> = graph.frozen().collect();
    frozen.sort_unstable();
    assert_eq!(frozen, FROZEN);
    let weights = fs::read(module().join(WEIGHTS)).unwrap();
    let (network, _) = load_graph(&graph, &[weights], &Device::flex()).unwrap();
    let mut arrays = Arrays::open(&module().join("expected.npz")).unwrap();
    let mut array = |name: &str| arrays.floats(name).unwrap().unwrap().1;
    let pixels: Vec<f32> = array("x").into_iter().map(|value| value as f32).collect();
    let labels: Vec<usize> = array("labels").into_iter().map(|label| label as usize).collect();
    let images = Tensor::<2>::from_data(TensorData::new(pixels.clone(), [labels.len(), 784]), &Device::flex());
    let spec = Spec { network: graph.network("module"), ..Spec::default() };
    let mut learner = NetworkTrainer::starting_from(&network, &spec, ([1, 28, 28], 10), &Device::flex());
    for moment in ["start", "end"] {
        let network = learner.without_autodiff();
        let outputs: Vec<f64> = network.forward(images.clone()).into_data().iter::<f32>().map(f64::from).collect();
        let gap = relative(&outputs, &array(&format!("{moment}_outputs")));
        assert!(gap < TOLERANCE, "outputs at the {moment}: {gap:.1e}");
        for (name, reduction) in [("trace", Reduction::Trace), ("full", Reduction::Full)] {
            let expected = array(&format!("{moment}_{name}"));
            let request = Request { apart: PartKind::Tensors, ..Request::of(reduction) };
            let by_layer = layerwise::measure(&network, &images, None, &request, &|| false).unwrap();
            let by_rows = jacobian::measure(&network, &images, None, &request, &|| false).unwrap();
            // In blocks of few samples another product may be cheaper.
            let small = Request { memory: 1, apart: PartKind::No, ..request.clone() };
            let in_blocks = layerwise::measure(&network, &images, None, &small, &|| false).unwrap();
            for kernel in [&by_layer, &by_rows, &in_blocks] {
                let gap = relative(&kernel.values, &expected);
                assert!(gap < TOLERANCE, "{name} at the {moment}: {gap:.1e}");
                assert!(kernel.parts.iter().all(|(name, _)| !FROZEN.contains(&name.as_str())));
            }
            assert_eq!(by_layer.parts.len(), by_rows.parts.len());
        }
        if moment == "start" {
            for _ in 0..3 {
                learner.step(&pixels, &labels, &StepOptions::at(0.1), false);
            }
        }
    }
    let before: Vec<_> = network.named();
    for (tensor, before) in learner.without_autodiff().named().iter().zip(before) {
        if tensor.name == "shift" || FROZEN.contains(&tensor.name.as_str()) {
            assert_eq!(tensor.values, before.values, "{} has not moved", tensor.name);
            continue;
        }
        let values: Vec<f64> = tensor.values.iter().map(|value| f64::from(*value)).collect();
        let gap = relative(&values, &array(&format!("end/{}", tensor.name)));
        assert!(gap < TOLERANCE && tensor.values != before.values, "{}: {gap:.1e}", tensor.name);
    }
}

#[test]
fn what_a_text_freezes_must_be_there_and_must_leave_something() {
    let network = |text: &str| NetworkSpec::from_text("own", Some(Arc::from(text)));
    let of = |text: &str| Spec { network: network(text), ..tiny() };
    let text = |frozen: &str| format!("freeze({frozen}); dense(\"fc2\", relu(dense(\"fc1\", x, 8)), classes)");
    assert_eq!(problem(&of(&text("\"fc1\""))), "");
    assert!(problem(&of(&text("\"fc3\""))).contains("it freezes fc3, and there is no layer or tensor of that name"));
    assert_eq!(
        problem(&of(&text("[\"fc1\", \"fc2\"]"))),
        "network.program: all its tensors are frozen, so there is nothing to train"
    );
    // A constant of which nobody knows the numbers.
    let constant = "dense(\"fc\", flatten(x), classes) + learned(\"shift\", [classes], #{trained: false})";
    let told = problem(&of(constant));
    assert_eq!(
        told,
        "network.weights: the numbers of the constant shift are in no text but in a weights file: give that"
    );
    assert!(Network::new(&network(&text("\"fc1\"")), 1, [1, 4, 4], 3, &Device::flex()).sizes().len() == 2);
}

/// The first snapshot of a run from weights is that of the run that saved them, at the same step.
#[test]
fn a_run_that_begins_from_saved_weights_has_the_kernel_and_the_losses_of_the_run_that_saved_them() {
    let place = tempfile::tempdir().unwrap();
    for program in ["mlp", "cnn"] {
        let mut spec = tiny();
        spec.network = NetworkSpec { width: 16.into(), ..spec.network.with_builtin(program) };
        spec.tasks.epochs = vec![1.0];
        let first = place.path().join(program);
        let events = recorded(&spec, &first);
        let saved = snapshots(&events).pop().unwrap();
        let mut later = Spec { seed: spec.seed, ..spec.clone() };
        later.set(&format!("network.weights={}", first.join("model.safetensors").display())).unwrap();
        later.training.rate = 0.02;
        let again = place.path().join(format!("{program} again"));
        let begun = recorded(&later, &again);
        let found = &snapshots(&begun)[0];
        assert_eq!((found.row.step, &found.gram, &found.eigenvalues), (0, &saved.gram, &saved.eigenvalues));
        assert_eq!(found.outputs, saved.outputs);
        let losses = |row: &Row| row.accuracy.iter().map(|task| (task.task, task.loss)).collect::<Vec<_>>();
        assert_eq!(losses(&found.row), losses(&saved.row));
        // Its own run file repeats it, from that file alone.
        let run = Spec::read(&again.join("run.toml")).unwrap();
        let initial = initial(&begun);
        assert_eq!(run.network.weights_hash, Some(NamedTensor::hash(&initial.tensors)));
        assert_eq!(timeless(read_all(&start(run.clone()))), timeless(begun));
        assert_eq!(load(&again).unwrap().history.rows().len(), snapshots(&read_all(&start(run.clone()))).len());
        // A fork of it, with what laziness needs of the beginning.
        for alpha in [None, Some(2.0)] {
            let mut spec = Spec { network: NetworkSpec { alpha, ..later.network.clone() }, ..later.clone() };
            spec.tasks.epochs = vec![2.0];
            let (kept, rows) = fork::kept(spec, true);
            let unchanged = timeless(fork::go_on(&kept, kept.future([])));
            let rest: Vec<Row> = rows.into_iter().filter(|row| row.step > kept.step).collect();
            assert_eq!(unchanged, rest, "α = {alpha:?}");
        }
        // Without its copy another file in its place is refused, and so is none; one that is not there is named at once.
        let weights = first.join("model.safetensors");
        fs::rename(&weights, first.join("moved")).unwrap();
        let mut alone = run.clone();
        alone.network.weights_copy = None;
        let gone = refusal(alone.clone());
        assert!(gone.starts_with(&format!("{}: it cannot be read", weights.display())), "{gone}");
        fs::copy(again.join("model.safetensors"), &weights).unwrap();
        let other = refusal(alone);
        assert!(other.contains("has other weights than those that this run began from"), "{other}");
        // Set anew it is another run.
        let mut anew = run;
        anew.set(&format!("network.weights={}", weights.display())).unwrap();
        assert_eq!((&anew.network.weights_hash, &anew.network.weights_copy), (&None, &None));
        assert!(matches!(ending(&read_all(&start(anew))), Ending::Finished { .. }));
    }
}

/// The weights that a run reports to begin from.
fn initial(events: &[Event]) -> Arc<Weights> {
    let found = events.iter().find_map(|event| if let Event::Initial(found) = event { Some(found) } else { None });
    Arc::clone(found.expect("it begins from a file"))
}

/// What is said of the weights at the beginning.
fn said_at_first(events: &[Event]) -> Vec<&str> {
    let warning = |event: &'_ Event| matches!(event, Event::Warning { step: 0, .. });
    let told = events.iter().filter(|event| warning(event)).map(|event| match event {
        Event::Warning { message, .. } => message.as_str(),
        _ => "",
    });
    told.filter(|message| message.contains("its copy of the weights")).collect()
}

/// A module in a folder that goes, and a run that began from it.
#[test]
fn a_run_folder_alone_repeats_resumes_and_forks_a_run_that_began_from_a_file() {
    read_modules_as_networks();
    let place = tempfile::tempdir().unwrap();
    let (theirs, out) = (place.path().join("theirs"), place.path().join("run"));
    fs::create_dir(&theirs).unwrap();
    for name in [GRAPH, WEIGHTS] {
        fs::copy(module().join(name), theirs.join(name)).unwrap();
    }
    let mut spec = tiny();
    let settings = [
        format!("network.program={}", theirs.display()),
        format!("network.weights={}", theirs.join(WEIGHTS).display()),
        // What a run of this laziness trains needs its beginning at every fork.
        "network.alpha=2.0".to_owned(),
    ];
    spec.set_all(settings.iter().map(String::as_str)).unwrap();
    let events = recorded(&spec, &out);
    let rows = timeless(events.clone());
    assert!(said_at_first(&events).is_empty());
    // A run that was cut off, before all of it is gone.
    let cut = place.path().join("cut");
    let mut folder = create(&cut, &spec, false).unwrap().folder;
    let second = events.iter().position(|event| matches!(event, Event::Task(start) if start.task == 2)).unwrap();
    events[..=second].iter().for_each(|event| folder.take(event).unwrap());
    drop(folder);
    fs::remove_dir_all(&theirs).unwrap();

    // Resumed, also by the settings that began it, of which the file is gone.
    let opened = create(&cut, &spec, false).unwrap();
    assert!(opened.resumed.is_some());
    let mut folder = opened.folder;
    let resumed = read_all(&start(folder.spec().clone()));
    resumed.iter().for_each(|event| folder.take(event).unwrap());
    drop(folder);
    assert_eq!(timeless(resumed.clone()), rows);
    assert_eq!(said_at_first(&resumed).len(), 1, "{:?}", said_at_first(&resumed));
    // The folders are moved; each repeats the run alone, and so does the folder of a repetition.
    for folder in [&out, &cut] {
        let (moved, again) = (folder.with_extension("moved"), folder.with_extension("again"));
        fs::rename(folder, &moved).unwrap();
        let run = Spec::read(&moved.join("run.toml")).unwrap();
        assert_eq!(run.network.weights_copy, Some(moved.join("initial.safetensors")));
        assert_eq!(load(&moved).unwrap().warnings, Vec::<String>::new());
        let repeated = recorded(&run, &again);
        assert_eq!(timeless(repeated.clone()), rows);
        assert_eq!(initial(&repeated).tensors, initial(&events).tensors);
        fs::remove_dir_all(&moved).unwrap();
        let from_copy = Spec::read(&again.join("run.toml")).unwrap();
        assert_eq!(from_copy.network.weights, spec.network.weights, "where they once came from");
        assert_eq!(timeless(read_all(&start(from_copy))), rows);
    }
    // Settings are changed and others stay; the forks of a repetition are those of the run.
    let mut run = Spec::read(&place.path().join("run.again/run.toml")).unwrap();
    run.set("training.rate=0.02").unwrap();
    assert!(run.network.weights_copy.is_some());
    let (kept, all) = fork::kept(run, true);
    let rest: Vec<Row> = all.into_iter().filter(|row| row.step > kept.step).collect();
    assert_eq!(timeless(fork::go_on(&kept, kept.future([]))), rest);

    // Another file where the first one was: the run keeps its own weights, and says so; its settings typed anew are refused.
    let others = fs::read(place.path().join("run.again/model.safetensors")).unwrap();
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join(WEIGHTS), others).unwrap();
    let again = place.path().join("run.again");
    let run = Spec::read(&again.join("run.toml")).unwrap();
    let told = read_all(&start(run.clone()));
    assert_eq!(timeless(told.clone()), rows);
    let said = said_at_first(&told);
    assert!(said.len() == 1 && said[0].contains("has other weights than those that this run began from"), "{said:?}");
    let mut typed = spec;
    typed.network.weights_hash.clone_from(&run.network.weights_hash);
    assert!(refusal(typed).contains("put these back"));
    // A copy that is another file is none.
    fs::copy(again.join("model.safetensors"), again.join("initial.safetensors")).unwrap();
    let told = refusal(run.clone());
    assert!(told.contains("the copy of the run's weights, was changed"), "{told}");
    fs::write(again.join("initial.safetensors"), b"torn").unwrap();
    let told = refusal(run);
    assert!(told.contains("the copy of the run's weights cannot be read"), "{told}");
}

#[test]
fn weights_of_another_network_are_refused_by_the_name_of_a_tensor() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("first");
    let mut spec = tiny();
    spec.tasks.epochs = vec![0.2];
    recorded(&spec, &out);
    let weights = out.join("model.safetensors");
    let with = |change: &dyn Fn(&mut Spec)| {
        let mut other = spec.clone();
        change(&mut other);
        other.network.weights = Some(weights.clone());
        other
    };
    let wider = refusal(with(&|spec| spec.network.width = 32.into()));
    assert!(
        wider.contains("the tensor fc1.bias has shape [16]") || wider.contains("fc1.weight has shape [16, 784]"),
        "{wider}"
    );
    let deeper = refusal(with(&|spec| spec.network.set("depth", 4.into())));
    assert!(deeper.contains("the tensor fc3.weight has shape [10, 16]"), "{deeper}");
    let another = refusal(with(&|spec| spec.network = NetworkSpec::of("resmlp")));
    assert!(another.contains("there is no tensor embed.weight, which the network of this run has"), "{another}");
    let text = "dense(\"fc3\", act(dense(\"fc2\", act(dense(\"fc1\", x, 16)), 16)), classes, #{bias: false})";
    let fewer = refusal(with(&|spec| spec.network = NetworkSpec::from_text("own", Some(Arc::from(text)))));
    assert!(fewer.contains("the network of this run has no tensor fc3.bias"), "{fewer}");
    let shallower = refusal(with(&|spec| spec.network.set("depth", 1.into())));
    assert!(shallower.contains("fc") && shallower.contains("give weights of the same network"), "{shallower}");
    let ntk = problem(&with(&|spec| spec.network.parametrisation = Parametrisation::Ntk));
    assert!(ntk.starts_with("network.weights: ") && ntk.contains("standard parametrisation"), "{ntk}");
    // Saved in the NTK parametrisation they are other numbers.
    let mut ntk = spec.clone();
    ntk.network.parametrisation = Parametrisation::Ntk;
    let other = place.path().join("ntk");
    recorded(&ntk, &other);
    let mut taken = spec.clone();
    taken.network.weights = Some(other.join("model.safetensors"));
    assert!(refusal(taken).contains("has weights of the NTK parametrisation"));
    // Learners are drawn anew.
    let mut study = with(&|_| {});
    study.data.binary = true;
    study.study = Some(StudySpec {
        learners: vec![kernelscope::spec::Learner::Network],
        samples: vec![16],
        ..StudySpec::default()
    });
    let told: Vec<String> = study.study_problems().into_iter().map(|problem| problem.message).collect();
    assert!(told.iter().any(|told| told.contains("draws its networks anew")), "{told:?}");
}

#[test]
fn a_study_may_vary_the_weights_its_runs_begin_from() {
    let place = tempfile::tempdir().unwrap();
    let mut spec = tiny();
    spec.tasks.epochs = vec![0.2];
    for seed in [1, 2] {
        recorded(&Spec { seed, ..spec.clone() }, &place.path().join(format!("run{seed}")));
    }
    let values: Vec<String> = (1..=2).map(|seed| format!("'run{seed}/model.safetensors'")).collect();
    let text = format!(
        "{}\n[study]\naxis = 'network.weights'\nvalues = [{}]\nseeds = [3]\n",
        spec.to_toml(),
        values.join(", ")
    );
    fs::write(place.path().join("weights.toml"), text).unwrap();
    let done = command(place.path(), &["study", "--config", "weights.toml", "--out", "study", "--device", "cpu"]);
    assert!(done.status.success(), "{}", said(&done.stderr));
    let mut hashes = Vec::new();
    for entry in fs::read_dir(place.path().join("study/runs")).unwrap() {
        let run = Spec::read(&entry.unwrap().path().join("run.toml")).unwrap();
        hashes.push(run.network.weights_hash.unwrap());
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 2, "each its own file");
    // Runs from one file share it on the disk.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let text = fs::read_to_string(place.path().join("weights.toml")).unwrap().replace("[3]", "[3, 4, 5]");
        fs::write(place.path().join("seeds.toml"), text).unwrap();
        let done = command(place.path(), &["study", "--config", "seeds.toml", "--out", "seeds", "--device", "cpu"]);
        assert!(done.status.success(), "{}", said(&done.stderr));
        let runs = fs::read_dir(place.path().join("seeds/runs")).unwrap();
        let files = runs.map(|run| fs::metadata(run.unwrap().path().join("initial.safetensors")).unwrap().ino());
        let files: Vec<u64> = files.collect();
        let distinct: std::collections::BTreeSet<&u64> = files.iter().collect();
        assert_eq!((files.len(), distinct.len()), (6, 2), "two files for six runs");
    }
}

#[test]
fn a_module_is_trained_from_its_weights_or_from_pytorchs_draw() {
    let spec = of_module(true);
    assert_eq!((spec.network.program.as_str(), spec.network.init), ("partly_frozen", Init::Torch));
    assert_eq!(spec.network.exported_for(), Some([1, 28, 28]));
    assert_eq!(problem(&spec), "");
    let place = tempfile::tempdir().unwrap();
    let events = recorded(&spec, &place.path().join("run"));
    let found = snapshots(&events);
    let trained = ["conv.bias", "norm.bias", "fc1.weight", "gain", "fc2.weight", "fc2.bias"];
    let names: Vec<&str> = found[0].tensors.iter().map(|part| &*part.tensor).collect();
    assert_eq!(names, trained, "the frozen ones have no part");
    let weights = |events: &[Event]| {
        let last = events.iter().rev().find_map(|event| match event {
            Event::Weights(weights) => Some(weights.clone()),
            _ => None,
        });
        last.unwrap()
    };
    let graph = Graph::read(&module()).unwrap();
    let (network, _) = load_graph(&graph, &[fs::read(module().join(WEIGHTS)).unwrap()], &Device::flex()).unwrap();
    let begin = network.named();
    for tensor in &weights(&events).tensors {
        let before = begin.iter().find(|before| before.name == tensor.name).unwrap();
        let stays = !trained.contains(&tensor.name.as_str());
        assert_eq!(tensor.values == before.values, stays, "{}", tensor.name);
    }
    // The run's folder repeats it where the module is no more: its text is in the run file, but for the weights.
    let run = Spec::read(&place.path().join("run/run.toml")).unwrap();
    assert_eq!(timeless(read_all(&start(run))), timeless(events));

    // Without weights the constant is not known.
    let told = problem(&of_module(false));
    assert!(told.contains("the numbers of the constant offset"), "{told}");
}

/// Uniform in ±1/√fan_in, and so with a third of that variance; normalisations 1 and 0; embeddings N(0,1).
/// A BatchNorm counts its batches in a whole number, which is saved with the weights.
#[test]
fn whole_numbers_beside_the_weights_of_a_module_are_no_weights() {
    read_modules_as_networks();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let mut graph: serde_json::Value = serde_json::from_slice(&fs::read(module().join(GRAPH)).unwrap()).unwrap();
    let count = serde_json::json!({
        "name": "b_count", "op": "buffer", "target": "norm.num_batches_tracked", "shape": [], "dtype": "int64"
    });
    graph["lines"].as_array_mut().unwrap().insert(0, count);
    fs::write(folder.join(GRAPH), graph.to_string()).unwrap();
    let bytes = fs::read(module().join(WEIGHTS)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut views: Vec<(String, TensorView<'_>)> = file.tensors();
    views.push(("norm.num_batches_tracked".to_owned(), TensorView::new(Dtype::I64, Vec::new(), &[7; 8]).unwrap()));
    fs::write(folder.join(WEIGHTS), safetensors::serialize(views, None).unwrap()).unwrap();
    let mut spec = tiny();
    let settings = [
        format!("network.program={}", folder.display()),
        format!("network.weights={}", folder.join(WEIGHTS).display()),
    ];
    spec.set_all(settings.iter().map(String::as_str)).unwrap();
    let (counted, plain) = (read_all(&start(spec)), read_all(&start(of_module(true))));
    let first = |events: &[Event]| snapshots(events).first().map(|snapshot| snapshot.gram.clone()).expect("it began");
    assert_eq!(first(&counted), first(&plain));
}

#[test]
fn a_fresh_draw_of_a_module_is_that_of_its_operations_in_pytorch() {
    let text = "
        let h = batch_norm(\"bn\", conv(\"conv\", x, 64, #{kernel: 3}));
        let e = embedding(\"emb\", flatten(x), 500, 64, #{normal: true});
        dense(\"fc\", flatten(h), classes) + dense(\"fc2\", mean(e), classes)";
    let network = NetworkSpec { init: Init::Torch, ..NetworkSpec::from_text("own", Some(Arc::from(text))) };
    for tensor in Network::new(&network, 3, [1, 6, 6], 40, &Device::flex()).named() {
        let values: Vec<f64> = tensor.values.iter().map(|value| f64::from(*value)).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| value * value).sum::<f64>() / count;
        let uniform = |fan_in: f64| {
            assert!(values.iter().all(|value| value.abs() <= fan_in.powf(-0.5) + 1e-7), "{}", tensor.name);
            assert!((variance * 3.0 * fan_in - 1.0).abs() < 6.0 / count.sqrt(), "{}: {variance}", tensor.name);
        };
        match tensor.name.as_str() {
            "conv.weight" | "conv.bias" => uniform(9.0),
            "fc.weight" | "fc.bias" => uniform(64.0 * 36.0),
            "fc2.weight" | "fc2.bias" => uniform(64.0),
            "bn.weight" | "bn.running_var" => assert!(values.iter().all(|value| *value == 1.0)),
            "bn.bias" | "bn.running_mean" => assert!(values.iter().all(|value| *value == 0.0)),
            "emb.weight" => {
                assert!((variance - 1.0).abs() < 0.05 && mean.abs() < 0.05, "{mean} {variance}");
                assert!(values.iter().any(|value| value.abs() > 3.0), "not uniform");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn data_of_another_shape_are_refused_with_those_that_fit() {
    let mut spec = of_module(true);
    spec.data.source = Source::Cifar10;
    spec.data.path = Some("/".into());
    let told = problem(&spec);
    assert!(
        told.contains("it was exported for samples of 1 × 28 × 28: it fits data.source = \"fashion-mnist-small\""),
        "{told}"
    );
    // Not many classes have 10 logits.
    spec.data.source = Source::FashionMnistSmall;
    spec.data.binary = true;
    spec.training.loss = Loss::Mse;
    assert!(problem(&spec).contains("it fits data.source"), "{}", problem(&spec));

    let network = spec.network.clone();
    let chosen =
        Spec { data: spec.data.clone(), ..Spec::default() }.fitted_to(&network, &DataFolders::default()).unwrap();
    assert_eq!(
        (chosen.data.source, chosen.data.binary, problem(&chosen)),
        (Source::FashionMnistSmall, false, String::new())
    );
    // Own data that fit stay.
    let own = Spec { seed: 5, ..tiny() }.fitted_to(&network, &DataFolders::default()).unwrap();
    assert_eq!((own.data, own.seed), (tiny().data, 5));

    let of = |sides: &str, differs: &str, classes: usize| {
        let text = format!(
            "if {differs} {{ throw \"it was exported for samples of {sides}\"; }}\ndense(\"fc\", flatten(x), {classes})"
        );
        NetworkSpec::from_text("module", Some(Arc::from(text.as_str())))
    };
    let colour = of("3 × 32 × 32", "image.channels != 3 || image.height != 32", 10);
    assert_eq!(Spec::default().fitted_to(&colour, &DataFolders::default()), None, "there is no CIFAR here");
    let there = DataFolders { cifar10: Some("/data".into()), cifar100: None };
    let chosen = Spec::default().fitted_to(&colour, &there).unwrap();
    assert_eq!((chosen.data.source, chosen.data.path), (Source::Cifar10, Some("/data".into())));
    let list = of("1 × 1 × 12", "image.channels * image.height * image.width != 12", 1);
    let chosen = Spec::default().fitted_to(&list, &DataFolders::default()).unwrap();
    assert_eq!(
        (chosen.data.source, chosen.data.dimension, problem(&chosen)),
        (Source::SpherePolynomial, 12, String::new())
    );
    let odd = of("3 × 224 × 224", "image.height != 224", 1000);
    let mut spec = tiny();
    spec.network = odd;
    assert!(problem(&spec).contains("kernelscope gram --graph"), "{}", problem(&spec));
}

#[test]
fn the_command_line_takes_the_folder_of_a_module_as_a_network() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("net");
    fs::create_dir(&folder).unwrap();
    [GRAPH, WEIGHTS].iter().for_each(|name| _ = fs::copy(module().join(name), folder.join(name)).unwrap());
    let small = ["data.per_class=20", "kernel.probes_per_class=2", "tasks.steps=[2,2]"];
    let set = |more: &[&'static str]| -> Vec<&str> {
        small.iter().chain(more).flat_map(|setting| ["--set", setting]).collect()
    };
    let run = |more: &[&'static str], out: &'static str| {
        let args = [vec!["run", "--device", "cpu", "--out", out], set(more)].concat();
        command(place.path(), &args)
    };
    let done = run(&["network.program=./net", "network.weights=net/weights.safetensors"], "run");
    assert!(done.status.success(), "{}", said(&done.stderr));
    let again = command(place.path(), &["run", "--device", "cpu", "--config", "run/run.toml", "--out", "again"]);
    assert!(again.status.success(), "{}", said(&again.stderr));
    let kernels = |out: &str| {
        load(&place.path().join(out)).unwrap().history.snapshots().iter().map(|s| s.gram.clone()).collect::<Vec<_>>()
    };
    assert_eq!(kernels("run"), kernels("again"));
    let missing = run(&["network.program=./net", "network.weights=nowhere.safetensors"], "none");
    assert!(
        !missing.status.success() && said(&missing.stderr).contains("nowhere.safetensors"),
        "{}",
        said(&missing.stderr)
    );
    assert!(!place.path().join("none").exists(), "nothing is left of a run that never began");
    // One kernel, by either option.
    let x = module().join("expected.npz");
    let x = x.to_str().unwrap();
    for (option, out) in [("--arch", "a.npz"), ("--graph", "b.npz")] {
        let done = command(place.path(), &["gram", option, "net", "--inputs", x, "--out", out]);
        assert!(done.status.success(), "{}", said(&done.stderr));
    }
    let trace = |name: &str| Arrays::open(&place.path().join(name)).unwrap().floats("trace").unwrap().unwrap().1;
    assert_eq!(trace("a.npz"), trace("b.npz"));
    let expected = Arrays::open(&module().join("expected.npz")).unwrap().floats("start_trace").unwrap().unwrap().1;
    assert!(relative(&trace("a.npz"), &expected) < TOLERANCE);
    // A run file names the folder relative to itself.
    fs::write(place.path().join("own.toml"), "[network]\nprogram = './net'\n").unwrap();
    read_modules_as_networks();
    let spec = Spec::read(&place.path().join("own.toml")).unwrap();
    assert_eq!((spec.network.program.as_str(), spec.network.init), ("net", Init::Torch));
}

#[test]
fn a_module_that_is_opened_is_run_on_data_that_fit_and_shown_as_its_program() {
    let mut harness = window(tiny());
    super::beside::drop_on(&mut harness, &[&module()]);
    until(&mut harness, "its first kernel", |app| !app.history().snapshots().is_empty());
    let app = harness.state();
    assert_eq!(app.draft().network.weights, Some(module().join(WEIGHTS)));
    assert_eq!(app.session().unwrap().spec.network.program, "partly_frozen");
    let first = &app.history().snapshots()[0];
    assert!(!first.eigenvalues.is_empty() && first.gram.len() == 20 * 20);
    assert!(app.history().rows()[0].layers.iter().all(|layer| layer.share.is_some()));
    for view in [View::Program, View::Gram, View::Spectrum, View::Layers] {
        assert!(app.views().on_screen().contains(&view), "{view:?}");
    }

    // One that no data fit is told in a sentence.
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("odd");
    fs::create_dir(&folder).unwrap();
    let mut arrays = Arrays::open(&module().join("../../graphs/trunk.npz")).unwrap();
    let bytes: Vec<u8> = arrays.floats("graph").unwrap().unwrap().1.into_iter().map(|byte| byte as u8).collect();
    fs::write(folder.join(GRAPH), bytes).unwrap();
    super::beside::drop_on(&mut harness, &[&folder]);
    until(&mut harness, "the sentence", |app| app.toasts().texts().any(|text| text.contains("3 × 13 × 10")));
    let told = harness.state().toasts().texts().find(|text| text.contains("3 × 13 × 10")).unwrap().to_owned();
    assert!(told.contains("kernelscope gram --graph"), "{told}");
}

#[test]
fn the_hash_of_a_file_is_fnv_1a() {
    for (text, hash) in [("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8")] {
        assert_eq!(fnv1a([text.as_bytes()]), hash);
        assert_eq!(fnv1a(text.as_bytes().chunks(2)), hash, "in parts");
    }
}
