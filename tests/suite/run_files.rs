//! Run files as people write them: what is read, what is refused and in which words; their paths; and that no number in them is
//! other than finite.

use std::fs;
use std::path::{Path, PathBuf};

use kernelscope::spec::{Change, DataShape, Effect, PRESETS, STUDIES, Source, Spec, absolute, expanded};
use proptest::prelude::*;
use toml::{Table, Value};

fn refusal(text: &str) -> String {
    let said = Spec::from_toml(text).unwrap_err().to_string();
    plain(&said);
    said
}

/// One sentence in our words.
fn plain(said: &str) {
    let library = [
        "invalid type",
        "expected a",
        "unknown variant",
        "unknown field",
        "TOML parse",
        "u64",
        "usize",
        "f64",
        "struct",
        "os error",
    ];
    assert!(!said.chars().any(char::is_control) && said.len() < 700, "{said:?}");
    assert!(!library.iter().any(|word| said.contains(word)), "{said}");
}

#[test]
fn line_ends_marks_and_tabs_do_not_matter() {
    let text = "seed = 7\n[network]\n\twidth = 64 # units\n";
    let wanted = Spec::from_toml(text).unwrap();
    assert_eq!((wanted.seed, wanted.network.width), (7, 64.into()));
    for text in
        [text.replace('\n', "\r\n"), format!("\u{feff}{text}"), format!("\u{feff}{}", text.replace('\n', "\r\n"))]
    {
        assert_eq!(Spec::from_bytes(text.as_bytes()).unwrap(), wanted, "{text:?}");
    }
    assert_eq!(Spec::from_toml(&text.replace('\n', "\r")).unwrap(), wanted, "lines that end as on old machines");
}

/// Where it stands, the line itself, and what to write.
#[test]
fn what_toml_refuses_is_shown_with_the_way_out() {
    for (line, column, way_out) in [
        ("rate = .01", 8, "write 0.01"),
        ("rate = -.5e-3", 8, "write -0.5e-3"),
        ("rate = 1.", 8, "write 1.0"),
        ("rate = 1.e-3", 8, "write 1.0e-3"),
        ("rate = 0,01", 9, "write 0.01"),
        ("rate = 007", 8, "write 7"),
        ("rate = −1", 8, "write -1"),
        ("rate = “0.1”", 8, "quotation mark"),
        ("loss = mse", 8, "write loss = \"mse\""),
        ("batch = 99999999999999999999", 9, "at most 9223372036854775807"),
        ("masked = True", 10, "write true"),
        ("masked = yes", 10, "write true"),
        ("rate: 0.1", 1, "write rate = 0.1"),
        ("rate 0.1", 1, "write rate = 0.1"),
        ("rate =", 1, "there is no value"),
        ("loss = \"mse", 8, "not closed"),
        ("rate = 0.1,", 11, "a line ends without a comma"),
        ("rate = 0.1\u{a0}", 11, "U+00A0"),
        ("frozen = [\"fc1\"", 10, "bracket"),
        ("rate = 0.1\nrate = 0.2", 1, "already"),
    ] {
        let said = refusal(&format!("seed = 3\n[training]\n{line}\n"));
        let number = if line.contains('\n') { 4 } else { 3 };
        let last = line.lines().last().unwrap().trim_matches(' ');
        assert!(said.starts_with(&format!("line {number}, column ")), "{line}: {said}");
        assert!(said.contains(way_out) && (said.contains(&format!("(`{last}`)")) || column == 0), "{line}: {said}");
    }
    let path = refusal("[data]\npath = \"C:\\data\\mnist\"\n");
    assert!(path.contains("line 2") && path.contains("write '…'"), "{path}");
    for (text, kind) in [("{\"seed\": 1}", "JSON"), ("---\nseed: 1\n", "YAML"), ("<html>", "HTML"), ("[1, 2]", "JSON")]
    {
        assert!(refusal(text).contains(kind), "{text}");
    }
    assert!(refusal("[network").contains("a section is written"));
    let list = refusal("[tasks]\nepochs = [\n  3,\n  .5,\n]\n");
    assert!(list.starts_with("line 4, column 3 (`.5,`): write 0.5"), "{list}");
    let open = refusal("[tasks]\nepochs = [\n  3,\n");
    assert!(open.contains("the file ends within a list"), "{open}");
}

#[test]
fn a_wrong_value_is_shown_with_its_line_and_what_is_wanted() {
    for (text, starts, contains) in [
        ("[network]\nwidth = \"wide\"", "network.width: line 2, column 9 (`width = \"wide\"`): ", "whole number"),
        ("[network]\nwidth = 1e2", "network.width: line 2", "write 100"),
        ("[network]\nwidth = -1", "network.width: ", "whole number from 0"),
        (
            "[network]\nactivation = \"relo\"",
            "network.activation: ",
            "there is no relo, there are relu, leaky_relu, tanh",
        ),
        ("[network]\nactivation = 3", "network.activation: ", "there is no 3, there are relu"),
        ("network.activation = 3", "network.activation: line 1, column 22", "there are relu"),
        ("[data]\nstandardise = \"yes\"", "data.standardise: ", "write true"),
        ("[data]\nstandardise = 1", "data.standardise: ", "true nor false"),
        ("[data]\npath = 3", "data.path: ", "text in quotes"),
        ("[training]\nrate = \"0.1x\"", "training.rate: ", "no number"),
        ("[training]\nfrozen = \"fc1\"", "training.frozen: ", "no list: it looks like [\"fc1\"]"),
        ("[tasks]\nclasses = [[0], 1]", "tasks.classes: ", "it looks like [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]"),
        ("seed = 1.5", "seed: line 1, column 8 (`seed = 1.5`): ", "whole number"),
        ("[[changes]]\nstep = 1\nwhen = 2", "changes: ", "there is no when, there are step"),
        ("[study]\nlearners = [\"me\"]", "study.learners: ", "there is no me, there are network"),
        ("[network]\nwidht = 3", "there is no setting network.widht, line 2, column 1 (`widht = 3`)", "did you mean"),
    ] {
        let said = refusal(text);
        assert!(said.starts_with(starts) && said.contains(contains), "{text}: {said}");
    }
    for (assignment, contains) in [
        ("training.rate=.01", "training.rate: .01 is not how a number or a switch is written: write 0.01"),
        ("training.rate=1.", "write 1.0"),
        ("training.rate=0,1", "no number"),
        ("network.width=1e3", "write 1000"),
        ("network.kind=cnnn", "there is no cnnn, there are mlp"),
        ("training.masked=True", "write true"),
    ] {
        let said = Spec::default().set(assignment).unwrap_err().to_string();
        plain(&said);
        assert!(said.contains(contains), "{assignment}: {said}");
    }
}

#[test]
fn what_is_no_run_file_is_said_to_be_none() {
    let root = tempfile::tempdir().unwrap();
    let said = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        fs::write(&path, bytes).unwrap();
        let said = Spec::read(&path).unwrap_err().to_string();
        plain(&said);
        said
    };
    assert!(said("a", b"PK\x03\x04\0\0\xff").contains("binary"));
    assert!(said("b", b"\x93NUMPY\x01\0").contains("binary"));
    assert!(said("c", b"\xff\xfes\0e\0").contains("UTF-16"));
    assert!(said("d", b"seed = 1\n# caf\xe9\n").contains("line 2 has a letter that is not UTF-8"));
    assert!(said("e", &vec![b'#'; (4 << 20) + 1]).contains("larger"));
    assert!(Spec::read(root.path()).unwrap_err().to_string().contains("run.toml"));
    #[cfg(unix)]
    {
        let link = root.path().join("zero");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(Spec::read(&link).unwrap_err().to_string().contains("no regular file"));
    }
}

// ---- paths ----

#[test]
fn paths_begin_at_home_or_beside_the_file() {
    let home = etcetera::home_dir().unwrap();
    assert_eq!(expanded(Path::new("~/mnist")), home.join("mnist"));
    assert_eq!(expanded(Path::new("~")), home);
    for path in ["~other/mnist", "a/~/b", "/x", "mnist", ""] {
        assert_eq!(expanded(Path::new(path)), PathBuf::from(path));
    }
    assert_eq!(absolute(Path::new("~/x"), Path::new("/base")), home.join("x"));
    assert_eq!(absolute(Path::new("./x"), Path::new("/base")), Path::new("/base/x"));

    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("run.toml");
    let read = |text: &str| {
        fs::write(&file, text).unwrap();
        Spec::read(&file).unwrap()
    };
    let spec = read("[data]\nsource = \"idx\"\npath = \"data/mnist\"\n");
    assert_eq!(spec.data.path, Some(root.path().join("data/mnist")), "relative to the file");
    assert_eq!(read("[data]\npath = \"~/mnist\"\n").data.path, Some(home.join("mnist")));
    assert_eq!(read("[data]\npath = \"/mnist\"\n").data.path, Some("/mnist".into()));
    assert_eq!(read("seed = 2\n").data.path, None);
    // That of the current folder may be another one.
    assert_eq!(read("[data]\npath = \"tests\"\n").data.path, Some(root.path().join("tests")));
    // In a run folder it may be as an earlier version wrote it, relative to where it was run.
    fs::write(root.path().join("metrics.csv"), "").unwrap();
    assert_eq!(read("[data]\npath = \"tests\"\n").data.path, Some(std::path::absolute("tests").unwrap()));
    fs::create_dir(root.path().join("tests")).unwrap();
    assert_eq!(read("[data]\npath = \"tests\"\n").data.path, Some(root.path().join("tests")), "the file's comes first");
    let text = "[study]\naxis = \"images\"\n[[study.variants]]\nname = \"a\"\nset = [\"seed=1\", \"data.path=m\"]\n";
    let set = read(text).study.unwrap().variants[0].set.clone();
    assert_eq!(set, ["seed=1".to_owned(), format!("data.path={}", root.path().join("m").display())]);

    let mut spec = Spec::default();
    spec.set("data.path=~/mnist").unwrap();
    spec.root_paths(Path::new("/here"));
    assert_eq!(spec.data.path, Some(home.join("mnist")));
    assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec);
}

// ---- numbers ----

/// Every number of a spec with all of its sections, by its place in the file.
fn numbers(value: &Value, at: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, bool)>) {
    match value {
        Value::Float(_) => found.push((at.clone(), true)),
        Value::Integer(_) => found.push((at.clone(), false)),
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                at.push(Step::Place(place));
                numbers(value, at, found);
                at.pop();
            }
        }
        Value::Table(table) => {
            for (name, value) in table {
                at.push(Step::Name(name.clone()));
                numbers(value, at, found);
                at.pop();
            }
        }
        _ => {}
    }
}

#[derive(Clone, Debug)]
enum Step {
    Name(String),
    Place(usize),
}

fn at<'a>(value: &'a mut Value, steps: &[Step]) -> &'a mut Value {
    steps.iter().fold(value, |value, step| match step {
        Step::Name(name) => &mut value[name.as_str()],
        Step::Place(place) => &mut value[*place],
    })
}

/// A run, and a study of learners, in which every optional number is given.
fn full() -> [Spec; 2] {
    let mut spec = Spec::default();
    (spec.network.alpha, spec.kernel.piecewise) = (Some(1.0), Some(2.0));
    spec.changes = vec![Change { step: 3, ..Effect::Rate(0.1).into() }];
    let mut study = STUDIES
        .iter()
        .map(|study| study.spec())
        .find(|spec| !spec.study.as_ref().unwrap().learners.is_empty())
        .unwrap();
    let own = study.study.as_mut().unwrap();
    own.protocol.settled = 0.07;
    own.protocol.epochs = vec![1.0, 2.0];
    own.protocol.rates = vec![1.0, 0.5];
    [spec, study]
}

/// Each number that is made NaN or infinite is refused by its key, also where no run of this kind would look at it; read back
/// nonetheless, it is the same run as itself.
#[test]
fn every_number_is_finite_whether_it_is_looked_at_or_not() {
    let mut seen = 0;
    for spec in full() {
        let whole = Value::Table(spec.to_toml().parse::<Table>().unwrap());
        let mut found = Vec::new();
        numbers(&whole, &mut Vec::new(), &mut found);
        for (steps, is_float) in found {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut changed = whole.clone();
                *at(&mut changed, &steps) = Value::Float(bad);
                let names: Vec<&str> = steps
                    .iter()
                    .map_while(|step| match step {
                        Step::Name(name) => Some(name.as_str()),
                        Step::Place(_) => None,
                    })
                    .collect();
                let (key, full) = (names[..names.len().min(2)].join("."), names.join("."));
                if full == "network.width" && bad == f64::INFINITY {
                    continue;
                }
                let text = toml::to_string(&changed).unwrap();
                match Spec::from_toml(&text) {
                    Err(err) => assert!(!is_float && err.to_string().starts_with(&format!("{key}: ")), "{full}: {err}"),
                    Ok(read) => {
                        let problems = read.study_problems();
                        let first = problems.first().unwrap_or_else(|| panic!("{full} = {bad} passes"));
                        assert!(
                            first.field == key && (full == key || first.message.contains(&full)),
                            "{full} = {bad}: {first:?}"
                        );
                        assert!(read.same_run(&Spec::from_toml(&text).unwrap()), "{full} = {bad} is not itself");
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen > 60, "only {seen} numbers were tried");
}

#[test]
fn values_of_a_study_are_finite_too() {
    for (axis, values, field) in [
        ("tasks.angle", "[nan]", "study.values"),
        ("tasks.angle", "[1.0, inf]", "tasks.angle"),
        ("training.rate", "[0.1, nan]", "study.values"),
        ("network.width", "[nan]", "study.values"),
    ] {
        let text = format!("[study]\naxis = \"{axis}\"\nvalues = {values}\nseeds = [1]\n");
        let problems = Spec::from_toml(&text).unwrap().study_problems();
        assert_eq!(problems.first().map(|problem| problem.field.as_ref()), Some(field), "{text}: {problems:?}");
    }
    let variant = "[study]\naxis = \"a\"\nseeds = [1]\n[[study.variants]]\nname = \"x\"\nset = [\"tasks.angle=nan\"]\n";
    assert_eq!(Spec::from_toml(variant).unwrap().study_problems()[0].field, "tasks.angle");
    let infinite = "[study]\naxis = \"network.width\"\nvalues = [16, inf]\nseeds = [1]\n";
    let problems = Spec::from_toml(infinite).unwrap().study_problems();
    assert!(problems.iter().all(|problem| problem.field != "study.values"), "{problems:?}");
}

#[test]
fn an_idx_folder_is_taken_for_images_that_its_network_can_see() {
    let mut spec = Spec::default();
    (spec.data.source, spec.data.path) = (Source::Idx, Some("/x".into()));
    for assignments in [
        &["network.kind=transformer", "network.patch=8", "network.width=64"][..],
        &["data.shrink=3"],
        &["network.kind=cnn", "network.width=8", "data.shrink=2"],
    ] {
        let mut spec = spec.clone();
        assignments.iter().for_each(|assignment| spec.set(assignment).unwrap());
        assert_eq!(spec.problems(&DataShape::expected(&spec)), [], "{assignments:?}");
    }
    spec.tasks.classes = vec![vec![0], vec![255]];
    assert_eq!(DataShape::expected(&spec).classes, 256);
    spec.tasks.classes = vec![vec![0], vec![256]];
    assert_eq!(spec.problems(&DataShape::expected(&spec))[0].field, "tasks.classes");
}

proptest! {
    /// Whatever bytes are changed in a run file, it is a spec or a sentence, and what is a spec is the same run when written.
    #[test]
    fn mutated_run_files_are_read_or_refused_in_a_sentence(
        which in 0usize..64,
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(b".,=[]{}\"'\\\n -_#:0nai".to_vec())]), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let specs: Vec<Spec> = PRESETS.iter().chain(STUDIES).map(|preset| preset.spec()).collect();
        let mut bytes = specs[which % specs.len()].to_toml().into_bytes();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        match Spec::from_bytes(&bytes) {
            Ok(spec) => prop_assert!(Spec::from_toml(&spec.to_toml()).unwrap().same_run(&spec)),
            Err(err) => plain(&err.to_string()),
        }
    }
}
