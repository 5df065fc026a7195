//! Studies: what their runs are, and a table that does not tell whether the program was killed in between.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use kernelscope::analysis::comparison::{Comparison, Findings, Spacing};
use kernelscope::math::bootstrap::Summary;
use kernelscope::math::spike::dip;
use kernelscope::run::{Block, Metric};
use kernelscope::spec::{Change, Effect, STUDIES, Spec, StudySpec, Variant, Width, controls_of, preset};
use kernelscope::storage::{StudyFolder, TABLE, load};
use kernelscope::worker::progress::Progress;

use super::cli::{kernelscope, text};
use super::{tiny, wait_until};

/// Two widths and two seeds of a run that is over in a blink.
fn small() -> Spec {
    let study = StudySpec {
        axis: "network.width".to_owned(),
        values: vec![16.into(), 24.into()],
        seeds: vec![1, 2],
        ..StudySpec::default()
    };
    Spec { study: Some(study), ..tiny() }
}

fn write(folder: &Path, spec: &Spec) {
    fs::write(folder.join("study.toml"), spec.to_toml()).unwrap();
}

fn table(study: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(study.join(TABLE)).unwrap();
    reader.records().map(|line| line.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn ready_made_studies_can_be_run_written_and_read() {
    for study in STUDIES {
        let spec = study.spec();
        assert_eq!(spec.study_problems(), [], "{}", study.name);
        assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec, "{}", study.name);
        let runs = spec.runs().unwrap();
        let given = &spec.study.as_ref().unwrap().with_axis_values();
        let along = |variant: &Variant| {
            if variant.values.is_empty() { given.values.len().max(1) } else { variant.values.len() }
        };
        let points: usize = given.variants.iter().map(along).sum();
        let points = if given.variants.is_empty() { given.values.len() } else { points };
        assert_eq!(runs.len(), points * given.seeds.len(), "{}", study.name);
        assert!(runs.iter().all(|run| run.spec.study.is_none() && run.spec.seed == run.seed), "{}", study.name);
    }
}

#[test]
fn values_and_variants_change_what_they_say_and_nothing_else() {
    let runs = small().runs().unwrap();
    let widths: Vec<Width> = runs.iter().map(|run| run.spec.network.width).collect();
    assert_eq!(widths, [16, 16, 24, 24]);
    let mut first = tiny();
    (first.network.width, first.seed) = (16.into(), 1);
    assert_eq!(runs[0].spec, first);
    assert_eq!(runs[3].folder, "24-seed-2");

    let mut spec = small();
    let variant = |name: &str, set: &[&str]| Variant {
        name: name.to_owned(),
        set: set.iter().map(ToString::to_string).collect(),
        values: Vec::new(),
    };
    spec.study = Some(StudySpec {
        axis: "regime".to_owned(),
        variants: vec![
            variant("plain", &[]),
            variant("NTK σ/√n", &["network.parametrisation=ntk", "training.rate=0.5"]),
        ],
        seeds: vec![3],
        ..StudySpec::default()
    });
    let runs = spec.runs().unwrap();
    assert_eq!(runs[1].spec.training.rate, 0.5);
    assert_eq!((runs[0].folder.as_str(), runs[1].folder.as_str()), ("plain-seed-3", "NTK-σ--n-seed-3"));
}

#[test]
fn a_study_that_cannot_be_is_refused_with_one_sentence() {
    let cases: &[(&str, &str)] = &[
        ("study.values=[]", "study.values: give at least one value"),
        ("study.seeds=[]", "study.seeds: give at least one seed"),
        ("study.axis=network.widht", "network.width"),
        ("study.values=[16, 0]", "with network.width = 0"),
        ("study.values=[16, 16]", "16-seed-1 would be run twice"),
        ("study.values=[\"wide\"]", "network.width"),
        ("study.variants=[{name=\"a\", set=[\"network.width=8\"]}]", "network.width is the axis"),
        ("study.variants=[{set=[\"training.rate=0.1\"]}]", "a series of runs needs a name"),
        ("study.variants=[{name=\"a\", values=[0]}]", "with a, network.width = 0"),
        ("study.axis=seed", "seed cannot vary"),
    ];
    let place = tempfile::tempdir().unwrap();
    write(place.path(), &small());
    fs::create_dir(place.path().join("full")).unwrap();
    fs::write(place.path().join("full/photo.jpg"), "mine").unwrap();
    for (set, part) in cases {
        let done = kernelscope(place.path(), &["study", "--config", "study.toml", "--set", set, "--out", "out"]);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{set}: {said}");
        assert!(said.contains(part) && said.lines().count() == 1, "{set}: {said}");
        assert!(!place.path().join("out").exists(), "{set}");
    }
    for (args, part) in [
        (["run", "--config", "study.toml", "--out", "out"], "this is a study"),
        (["study", "--preset", "reactivation", "--out", "out"], "is one run"),
        (["run", "--preset", "width", "--out", "out"], "is a study"),
        (["study", "--config", "study.toml", "--out", "full"], "holds no study"),
    ] {
        let done = kernelscope(place.path(), &args);
        assert_eq!(done.status.code(), Some(2), "{args:?}");
        assert!(text(&done.stderr).contains(part), "{args:?}: {}", text(&done.stderr));
    }
}

#[test]
fn a_killed_study_ends_with_the_table_of_one_that_was_not() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    // Long enough to be killed in the middle of a run.
    let spec = {
        let mut spec = small();
        spec.tasks.epochs = vec![6.0, 3.0];
        spec
    };
    write(here, &spec);
    let whole = kernelscope(here, &["study", "--config", "study.toml", "--out", "whole"]);
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let expected = table(&here.join("whole"));
    assert_eq!(expected.len(), 1 + 4);

    // Killed after each run that ends, and once before any has.
    let mut kills = 0;
    for ended in 0..4 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kernelscope"))
            .current_dir(here)
            .args(["study", "--config", "study.toml", "--out", "killed", "--jobs", "1"])
            .env("RUST_LOG", "off")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let rows = || fs::read_to_string(here.join("killed").join(TABLE)).map_or(0, |table| table.lines().count());
        let begun = here.join(format!("killed/runs/{}-seed-{}/metrics.csv", [16, 24][ended / 2], ended % 2 + 1));
        let far = |path: &Path| fs::metadata(path).is_ok_and(|found| found.len() > 0);
        wait_until("a run of the study, or its end", || {
            (rows() > ended && far(&begun)) || child.try_wait().unwrap().is_some()
        });
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills >= 2, "the study was over before it could be killed more than {kills} times");
    let done = kernelscope(here, &["study", "--config", "study.toml", "--out", "killed"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(table(&here.join("killed")), expected);

    // What is done is not done again, more seeds join it, and another question is refused.
    let before = fs::metadata(here.join("killed/runs/16-seed-1/metrics.csv")).unwrap().modified().unwrap();
    let more =
        kernelscope(here, &["study", "--config", "study.toml", "--set", "study.seeds=[1,2,3]", "--out", "killed"]);
    assert!(more.status.success(), "{}", text(&more.stderr));
    assert!(text(&more.stderr).contains("4 of 6 runs are there already"), "{}", text(&more.stderr));
    assert_eq!(fs::metadata(here.join("killed/runs/16-seed-1/metrics.csv")).unwrap().modified().unwrap(), before);
    assert_eq!(table(&here.join("killed")).len(), 1 + 6);
    // New seeds alone join, too.
    let more = kernelscope(here, &["study", "--config", "study.toml", "--set", "study.seeds=[4]", "--out", "killed"]);
    assert!(more.status.success(), "{}", text(&more.stderr));
    assert_eq!(table(&here.join("killed")).len(), 1 + 8);
    let kept = fs::read_to_string(here.join("killed/study.toml")).unwrap();
    let other =
        kernelscope(here, &["study", "--config", "study.toml", "--set", "training.rate=0.1", "--out", "killed"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("another study, of network.width"), "{}", text(&other.stderr));
    assert_eq!(fs::read_to_string(here.join("killed/study.toml")).unwrap(), kept);
}

#[test]
fn a_run_that_diverges_has_a_row_and_no_figures_of_what_it_did_not_reach() {
    let place = tempfile::tempdir().unwrap();
    let mut spec = small();
    spec.study.as_mut().unwrap().axis = "training.rate".to_owned();
    spec.study.as_mut().unwrap().values = vec![0.003.into(), 1e5.into()];
    write(place.path(), &spec);
    for again in ["", "4 of 4 runs are there already"] {
        let done = kernelscope(place.path(), &["study", "--config", "study.toml", "--out", "out"]);
        let said = text(&done.stderr);
        assert!(done.status.success() && said.contains(again), "{said}");
    }
    let lines = table(&place.path().join("out"));
    let column = |name: &str| lines[0].iter().position(|head| head == name).unwrap();
    for row in &lines[1..] {
        let diverged = row[column("training.rate")] != "0.003";
        assert_eq!(row[column("ended")], if diverged { "diverged" } else { "finished" });
        for name in ["ratio", "accuracy_after", "average_accuracy"] {
            assert_eq!(row[column(name)].is_empty(), diverged, "{name} of {row:?}");
        }
    }
}

#[test]
fn a_row_says_what_its_run_says_and_the_figures_are_drawn() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    write(here, &small());
    let done = kernelscope(here, &["study", "--config", "study.toml", "--out", "out"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = text(&done.stdout);
    assert!(said.contains("study.csv") && said.contains("study.svg") && said.contains("study-curves.svg"), "{said}");
    let lines = table(&here.join("out"));
    let (head, rows) = lines.split_first().unwrap();
    let column = |name: &str| head.iter().position(|head| head == name).unwrap_or_else(|| panic!("no column {name}"));
    for row in rows {
        let loaded = load(&here.join("out/runs").join(&row[column("run")])).unwrap();
        assert_eq!(loaded.warnings, Vec::<String>::new());
        let history = loaded.history;
        assert_eq!(row[column("network.width")], history.info().unwrap().spec.network.width.to_string());
        assert_eq!(row[column("seed")], history.info().unwrap().spec.seed.to_string());
        let number = |name: &str| row[column(name)].parse::<f64>().unwrap();
        let spike = history.spikes(Block::Task(1), history.usual(Metric::Velocity))[0].unwrap();
        assert_eq!((number("spike"), number("ratio")), (spike.height, spike.ratio));
        assert_eq!(number("ratio"), number("spike") / number("background"));
        let last = &history.rows().last().unwrap().accuracy;
        let masked = last.iter().map(|on| on.masked.unwrap()).sum::<f64>() / last.len() as f64;
        assert_eq!((last.len(), number("average_accuracy_masked")), (2, masked));
        assert_eq!(number("dip"), history.dips(Block::Task(1))[0].unwrap().depth);
        let (_, last, masked) = *history.accuracy(1).last().unwrap();
        assert_eq!((number("accuracy_after"), number("accuracy_after_masked")), (last, masked));
        assert_eq!(number("jaccard"), 0.0, "five classes and the other five");
    }
    // Two seeds have a mean and no interval: the summary gives the single values.
    let summary: Vec<Vec<String>> = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(here.join("out/summary.csv"))
        .unwrap()
        .deserialize()
        .map(Result::unwrap)
        .collect();
    assert_eq!(summary[0].join(","), "variant,network.width,figure,seeds,mean,low,high,values");
    for line in summary.iter().skip(1).filter(|line| line[2] == "ratio") {
        let of_value = rows.iter().filter(|row| row[column("network.width")] == line[1]);
        let told: Vec<String> = of_value.map(|row| row[column("ratio")].clone()).collect();
        let mean = told.iter().map(|value| value.parse::<f64>().unwrap()).sum::<f64>() / told.len() as f64;
        assert_eq!(line[3..].join(","), format!("{},{mean},,,{}", told.len(), told.join(" ")));
    }
    assert!(summary.iter().filter(|line| line[2] == "dip").count() > 1);
    let printed = text(&done.stderr);
    assert!(
        said.contains("summary.csv") && printed.contains("ratio") && printed.contains("95 % interval"),
        "{printed}"
    );
    // Read from the folder alone, the table is the same.
    let again = StudyFolder::open(&here.join("out")).unwrap();
    assert_eq!(again.table(), lines);
    let drawn = kernelscope(here, &["figures", "out", "--format", "png", "--out", "pictures"]);
    assert!(drawn.status.success(), "{}", text(&drawn.stderr));
    for name in ["study.png", "study-curves.png"] {
        let picture = image::open(here.join("pictures").join(name)).unwrap().to_rgb8();
        let coloured =
            picture.pixels().filter(|pixel| pixel.0.iter().max().unwrap() - pixel.0.iter().min().unwrap() > 80);
        assert!(coloured.count() > 500, "{name} shows no curve");
    }
}

/// What a run has as its controls follows from the run; a control that it cannot have is left out.
#[test]
fn a_run_has_the_controls_that_it_can_have() {
    let of = |name: &str| controls_of(&preset(name).unwrap().spec());
    let names = |study: &StudySpec| study.variants.iter().map(|of| of.name.clone()).collect::<Vec<_>>();
    let all = [
        "as it is",
        "same classes twice",
        "averaged batches",
        "full batch",
        "steps clamped",
        "displacement clamped",
        "warm-up",
        "masked",
        "head only",
        "head frozen",
        "replay",
        "LayerNorm",
    ];
    let usual = of("reactivation");
    assert_eq!((names(&usual), usual.seeds.len()), (all.map(str::to_owned).to_vec(), 10));
    assert!(!names(&of("cnn")).contains(&"LayerNorm".to_owned()), "that network has no such setting");
    assert!(!names(&of("no-shift")).contains(&"same classes twice".to_owned()));
    assert!(
        names(&of("precursor")).iter().all(|name| !name.contains("clamped")),
        "Adam's steps have no length that can be set"
    );
    let resnet = names(&of("resnet"));
    assert!(!resnet.iter().any(|name| name.contains("batch")), "BatchNorm makes a step of its batch: {resnet:?}");
    // As many steps of as many epochs: all batches of an epoch together are the full batch.
    let set = |name: &str| &usual.variants.iter().find(|of| of.name == name).unwrap().set;
    assert_eq!(
        (&set("averaged batches")[..], &set("full batch")[..]),
        (&["training.average=4".to_owned()][..], &["training.average=46".to_owned()][..])
    );
    // The setting itself, from the switch on, for at most half of the new task.
    let warmed = |spec: &Spec| {
        let set = controls_of(spec).variants.into_iter().find(|of| of.name == "warm-up")?.set;
        let mut spec = spec.clone();
        spec.set_all(set.iter().map(String::as_str)).unwrap();
        Some(spec.changes)
    };
    let mut spec = preset("reactivation").unwrap().spec();
    let over = |epochs: f64| Some(vec![Change { place: Some(2), ..Effect::Warmup(epochs).into() }]);
    assert_eq!(warmed(&spec), over(5.0));
    spec.tasks.epochs = vec![30.0, 4.0];
    assert_eq!(warmed(&spec), over(2.0));
    spec.training.restart = false;
    assert_eq!(warmed(&spec), None, "one that spans the run once is over by then");
    // They follow from the other settings, and from another run.
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let plan = ["study", "--preset", "controls", "--of", "cnn", "--set", "training.batch=32", "--plan", "plan"];
    let done = kernelscope(here, &plan);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let planned = StudyFolder::spec_in(&here.join("plan")).unwrap();
    let mut run = preset("cnn").unwrap().spec();
    run.training.batch = 32;
    assert_eq!(planned.study, Some(controls_of(&run)));
    let refused = kernelscope(here, &["study", "--preset", "width", "--of", "cnn", "--plan", "other"]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("--of names the run of the study controls"));
}

/// What is left under a control, against the table of runs: means of the same seeds.
#[test]
fn what_a_control_leaves_is_that_of_the_table() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let mut spec = Spec { study: None, ..small() };
    spec.study = Some(controls_of(&spec));
    let study = spec.study.as_mut().unwrap();
    study.seeds = (1..=5).collect();
    study.variants.retain(|variant| ["as it is", "masked"].contains(&variant.name.as_str()));
    write(here, &spec);
    let done = kernelscope(here, &["study", "--config", "study.toml", "--out", "out"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let lines = table(&here.join("out"));
    let column = |name: &str| lines[0].iter().position(|head| head == name).unwrap();
    let of = |value: &str, name: &str| -> Vec<f64> {
        let rows = lines.iter().skip(1).filter(|row| row[column("control")] == value);
        rows.map(|row| row[column(name)].parse().unwrap()).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let lost = |value: &str| -> Vec<f64> {
        of(value, "accuracy_before")
            .iter()
            .zip(of(value, "accuracy_after"))
            .map(|(before, after)| before - after)
            .collect()
    };
    let fallen = |value: &str| -> Vec<f64> { of(value, "dip").iter().map(|dip| 1.0 - dip).collect() };
    let expected = ["as it is", "masked"].map(|value| {
        [
            ("spike_left", of(value, "spike")),
            ("ratio_left", of(value, "ratio")),
            ("dip_left", fallen(value)),
            ("forgetting_left", lost(value)),
        ]
    });
    let rows = StudyFolder::open(&here.join("out")).unwrap().comparison().summaries();
    let [whole, masked] = expected;
    for ((name, whole), (_, masked)) in whole.into_iter().zip(masked) {
        let row = rows.iter().find(|row| row.figure == name);
        // In so short a run a dip or forgetting may be within the noise of five seeds; a spike is not.
        let is_sure = Summary::of(&whole).unwrap().interval.unwrap().0 > 0.0;
        assert!(
            is_sure == row.is_some() && (is_sure || !["spike_left", "ratio_left"].contains(&name)),
            "{name}: {whole:?}"
        );
        let Some(row) = row else { continue };
        let share = mean(&masked) / mean(&whole);
        assert_eq!((row.value.as_str(), row.summary.seeds), ("masked", 5));
        assert!((row.summary.mean - share).abs() < 1e-9 * share.abs().max(1.0), "{name}: {} {share}", row.summary.mean);
        let (low, high) = row.summary.interval.unwrap();
        assert!(low <= row.summary.mean && row.summary.mean <= high, "{row:?}");
    }
    let page = fs::read_to_string(here.join("out/study.html")).unwrap();
    for part in ["<td>masked</td>", "spike left", "data:image/svg+xml;base64,", "kernelscope study", "95 % interval"] {
        assert!(page.contains(part), "no {part} in the page");
    }
}

#[test]
fn recovery_is_timed_from_the_switch_to_where_it_was() {
    let curve: Vec<(f64, f64)> =
        [4.0, 4.0, 4.0, 2.0, 3.0, 4.5, 5.0].iter().enumerate().map(|(place, value)| (place as f64, *value)).collect();
    let found = dip(&curve, 0.0, 2.0, f64::INFINITY).unwrap();
    assert_eq!((found.depth, found.epoch, found.recovery_epochs), (0.5, 3.0, Some(3.0)));
    assert_eq!(dip(&curve[..5], 0.0, 2.0, f64::INFINITY).unwrap().recovery_epochs, None);
    // A new task ends the wait.
    assert_eq!(dip(&curve, 0.0, 2.0, 4.0).unwrap().recovery_epochs, None);
}

/// Runs of one width count alike, wider ones for more, and what was there before says nothing about the speed.
#[test]
fn the_share_of_a_study_counts_each_run_by_what_it_costs() {
    let mut spec = small();
    spec.study.as_mut().unwrap().values = vec![64.into(), 2048.into()];
    let runs = spec.runs().unwrap();
    let mut progress = Progress::new(&runs, |place| place == 0);
    let narrow = progress.share();
    assert_eq!((progress.done(), progress.seconds_left()), ((1, 4), None));
    progress.reach(1, 1.0);
    assert!((progress.share() - 2.0 * narrow).abs() < 1e-12);
    let before = progress.share();
    progress.reach(2, 0.5);
    let wide = 2.0 * (progress.share() - before);
    assert!(wide > 4.0 * narrow && (2.0 * (wide + narrow) - 1.0).abs() < 1e-12, "{narrow} and {wide}");
    progress.reach(2, 1.0);
    progress.reach(3, 1.0);
    assert!((progress.share() - 1.0).abs() < 1e-12 && progress.done() == (4, 4));
}

/// One task; two series along the width, of which one has widths of its own.
fn series() -> Spec {
    let variant = |name: &str, set: &str, values: &[i64]| Variant {
        name: name.to_owned(),
        set: vec![set.to_owned()],
        values: values.iter().map(|value| (*value).into()).collect(),
    };
    let mut spec = small();
    spec.tasks.classes.truncate(1);
    spec.kernel.predict = true;
    let study = spec.study.as_mut().unwrap();
    study.values = [16, 32, 128].map(Into::into).to_vec();
    study.variants = vec![
        variant("ReLU", "network.activation=relu", &[]),
        variant("tanh", "network.activation=tanh", &[20, 40, 160]),
    ];
    spec
}

#[test]
fn variants_with_values_are_series_of_runs() {
    let runs = series().runs().unwrap();
    let told: Vec<_> = runs.iter().map(|run| (run.folder.as_str(), run.spec.network.width)).collect();
    assert_eq!(told.len(), 12);
    assert_eq!(told[2..4], [("ReLU-32-seed-1", 32.into()), ("ReLU-32-seed-2", 32.into())]);
    assert_eq!(told[6], ("tanh-20-seed-1", 20.into()));
    let mut alone = series();
    (alone.study, alone.seed, alone.network.width) = (None, 2, 160.into());
    alone.network.activation = kernelscope::spec::Activation::Tanh;
    assert_eq!(runs[11].spec, alone);
    assert_eq!(Spec::from_toml(&series().to_toml()).unwrap(), series());
}

/// A line for each series: figures of whole runs are those of the run folders, the law is the least squares of the logarithms,
/// and nothing is drawn of switches that there are not.
#[test]
fn series_without_a_switch_are_compared_by_what_whole_runs_did() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    write(here, &series());
    let done = kernelscope(here, &["study", "--config", "study.toml", "--out", "out"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(here.join("out/figures/study-run.svg").exists() && !here.join("out/figures/study.svg").exists());
    let lines = table(&here.join("out"));
    let column = |name: &str| lines[0].iter().position(|head| head == name).unwrap();
    assert_eq!(lines[0].last().unwrap(), "variant");
    let cells = |run: &str, file: &str, key: [&str; 2], of: &str| -> Vec<f64> {
        let mut reader = csv::Reader::from_path(here.join("out/runs").join(run).join(file)).unwrap();
        let heads = reader.headers().unwrap().clone();
        let at = |name: &str| heads.iter().position(|head| head == name).unwrap();
        let wanted = |line: &csv::StringRecord| &line[at(key[0])] == key[1];
        reader.records().map(Result::unwrap).filter(wanted).filter_map(|line| line[at(of)].parse().ok()).collect()
    };
    for row in &lines[1..] {
        let run = &row[0];
        assert_eq!(row[column("variant")], run.split('-').next().unwrap());
        assert!(row[column("spike")].is_empty() && row[column("dip")].is_empty());
        for (figure, found) in [
            ("kernel_drift", cells(run, "metrics.csv", ["block", "all"], "drift")),
            ("gap_linearised", cells(run, "predictions.csv", ["predictor", "linearised-start"], "gap")),
        ] {
            let largest = found.iter().copied().fold(0.0, f64::max);
            assert!(found.len() > 3 && largest > 0.0, "{figure} of {run}");
            assert_eq!(row[column(figure)].parse::<f64>().unwrap(), largest, "{figure} of {run}");
        }
    }
    let folder = StudyFolder::open(&here.join("out")).unwrap();
    let of = |place: usize| folder.ended(place).and_then(|history| Findings::of(history)).map(Arc::new);
    let runs = Comparison::of(folder.axis(), folder.runs(), of);
    assert_eq!((runs.switches(), runs.finished(), runs.spacing), (0, 12, Spacing::Log));
    for (series, found) in runs.series.iter().zip(runs.against("kernel_drift", 0)) {
        let of = |row: &&Vec<String>| row[column("variant")] == series.name;
        let number = |row: &Vec<String>, name: &str| row[column(name)].parse::<f64>().unwrap().ln();
        let points: Vec<(f64, f64)> = lines[1..]
            .iter()
            .filter(of)
            .map(|row| (number(row, "network.width"), number(row, "kernel_drift")))
            .collect();
        assert_eq!((points.len(), found.runs.len(), found.means.len()), (6, 6, 3));
        let sum = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
        let (n, x, y) = (6.0, sum(|p| p.0), sum(|p| p.1));
        let slope = (n * sum(|p| p.0 * p.1) - x * y) / (n * sum(|p| p.0 * p.0) - x * x);
        assert!((found.law.unwrap().slope - slope).abs() < 1e-9, "{}", series.name);
    }

    // The same runs without series would be called otherwise: that is another study.
    let mut plain = series();
    plain.study.as_mut().unwrap().variants.clear();
    write(here, &plain);
    let other = kernelscope(here, &["study", "--config", "study.toml", "--out", "out"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("another study, of network.width"), "{}", text(&other.stderr));
}
