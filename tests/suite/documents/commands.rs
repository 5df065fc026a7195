//! Every command in the documents: it is parsed by the real command line, and run in a temporary folder, with runs and studies
//! made small. A command that is not run stands in [`NOT_RUN`] with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use kernelscope::cli::Cli;
use kernelscope::spec::{preset, study};

use super::lists::settings;
use super::{Page, pages, root};
use crate::suite::cli::text;
use crate::suite::graphs::write_module;

/// Commands that no test runs, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo run --release", "opens the window; the program itself is built by this test"),
    ("cargo test --release", "is what runs this test"),
    ("cargo install --path .", "builds the program once more, for minutes"),
    ("pip install .", "builds the program once more, for minutes"),
    ("pip wheel . --no-deps --wheel-dir wheels", "builds the program once more, for minutes"),
    ("pip install wheels/kernelscope-*.whl", "needs the wheel of the line before"),
    ("cargo build --release", "is a part of building this test"),
    ("cargo build --profile dist --locked", "optimises the whole tree, for the better part of an hour"),
    ("UPDATE_DOCS=1 cargo test --release documents::lists", "writes into the repository"),
    (
        "KERNELSCOPE_FUZZ=10000 cargo test --release fuzz -- --nocapture",
        "takes hours; the test of the same name is its short form",
    ),
    (
        "KERNELSCOPE_KILLS=50 cargo test --release three_who_claim -- --nocapture",
        "takes minutes; the test of the same name is its short form",
    ),
    (
        "kernelscope study --config docs/science/split-mnist.toml --set data.path=/where/mnist --out studies/split-mnist",
        "needs the files of MNIST, and takes an hour",
    ),
    (".ci/run", "is what runs this test"),
    ("mdbook build docs", "mdBook is not needed by any other step"),
    ("kernelscope open runs/wide", "opens the window"),
    ("kernelscope open runs/wide runs/narrow kernels.npz", "opens the window"),
    ("kernelscope watch watched", "opens the window"),
    ("kernelscope watch watched --out runs/mine", "follows a training until it is interrupted"),
    (
        "kernelscope study --preset plasticity --out studies/plasticity",
        "measures kernels of fifty tasks for minutes; suite::plasticity runs a shorter stream",
    ),
    (CIFAR_RUN, "CIFAR-10 does not come with the program"),
    (CIFAR_STUDY, "CIFAR-10 does not come with the program"),
    (PICTURES_RUN, "ImageNet does not come with the program"),
];

const CIFAR_RUN: &str =
    "kernelscope run --set data.source=cifar10 --set data.path=/where/cifar-10-batches-bin --out runs/cifar";
const PICTURES_RUN: &str = "kernelscope run --set data.source=image-folder --set data.path=/where/imagenet-100 \
     --set data.side=32 --out runs/imagenet";
const CIFAR_STUDY: &str = "kernelscope study --preset width --set data.source=cifar10 \
     --set data.path=/where/cifar-10-batches-bin --set data.per_class=600 --set tasks.epochs=[15,15] \
     --set kernel.probes_per_class=12 --set training.rate=0.01 --set study.values=[64,256,1024] --out studies/cifar10";

/// What makes any run small: two tasks of a few steps.
const SMALL: [&str; 4] =
    ["data.per_class=40", "data.test_per_class=10", "tasks.epochs=[1,1]", "kernel.probes_per_class=2"];

/// What makes a study small beside [`SMALL`]: one seed, and few values where these are widths.
fn small_study(command: &str) -> Vec<&'static str> {
    let values = if command.contains("inf]") { "study.values=[16,inf]" } else { "study.values=[16,32]" };
    // The points of these are no widths.
    let others = ["overlap", "controls", "prevention"];
    let widths = !others.iter().any(|name| command.contains(&format!("--preset {name}")));
    ["study.seeds=[1]"].into_iter().chain(widths.then_some(values)).collect()
}

/// Files that the documents take for granted: those of the reader, or what they say to save under this name.
fn given(place: &Path) {
    let fixture = |name: &str, as_name: &str| {
        fs::copy(root().join("tests/fixtures").join(name), place.join(as_name)).unwrap();
    };
    fixture("inputs.npy", "x.npy");
    fixture("mlp_relu.safetensors", "w.safetensors");
    fixture("infinite/inputs.npz", "X.npz");
    let block = |path: &str, kind: &str| {
        let blocks = Page::read(path).blocks();
        blocks.into_iter().find(|(info, _)| info == kind).unwrap_or_else(|| panic!("{path} has no block of {kind}")).1
    };
    write_module("plain", &place.join("watched"), &place.join("samples.npz"));
    fs::create_dir(place.join("my")).unwrap();
    fs::write(place.join("my/net.rhai"), block("docs/guide/networks.md", "rhai")).unwrap();
    fs::write(place.join("my-study.toml"), block("docs/guide/studies.md", "toml")).unwrap();
}

/// One command of a page.
struct Line {
    page: String,
    /// Its words without comment, joined by blanks.
    command: String,
    words: Vec<String>,
    /// Where standard output goes.
    into: Option<String>,
}

/// Lists the commands in blocks of a shell.
fn commands() -> Vec<Line> {
    let mut found = Vec::new();
    for page in pages() {
        for (_, block) in
            page.blocks().into_iter().filter(|(info, _)| ["sh", "bash", "console"].contains(&info.as_str()))
        {
            for line in block.replace("\\\n", " ").lines() {
                let mut words = shlex::split(line).unwrap_or_else(|| panic!("{}: no command: {line}", page.path));
                if words.is_empty() {
                    continue;
                }
                let command = words.join(" ");
                let redirect = words.iter().position(|word| word == ">");
                let into = redirect.map(|at| words.drain(at..).nth(1).expect("a file follows >"));
                found.push(Line { page: page.path.clone(), command, words, into });
            }
        }
    }
    found
}

/// Why these words are no command of the program; `partly` where a page speaks of a command without all of its arguments.
fn refused(words: &[String], partly: bool) -> Option<String> {
    let named = words.windows(2).filter(|pair| pair[0] == "--preset").map(|pair| pair[1].as_str());
    let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '0'..='9'));
    if let Some(name) = named.filter(is_name).find(|name| preset(name).is_none() && study(name).is_none()) {
        return Some(format!("there is no preset {name}"));
    }
    let err = Cli::try_parse_from(words).err()?;
    let shown = matches!(err.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let missing = partly && matches!(err.kind(), ErrorKind::MissingRequiredArgument);
    (!shown && !missing).then(|| err.to_string())
}

#[test]
fn every_command_of_the_documents_runs() {
    let place = tempfile::tempdir().unwrap();
    given(place.path());
    let mut unused: BTreeSet<&str> = NOT_RUN.iter().map(|(command, _)| *command).collect();
    let (mut wrong, mut run) = (Vec::new(), 0);
    for line in commands() {
        let program = line.words[0] == "kernelscope";
        if program && let Some(why) = refused(&line.words, false) {
            wrong.push(format!("{}: {}: {why}", line.page, line.command));
            continue;
        }
        if NOT_RUN.iter().any(|(command, _)| *command == line.command) {
            unused.remove(line.command.as_str());
            continue;
        }
        if !program {
            wrong.push(format!("{}: `{}` is neither run nor in NOT_RUN", line.page, line.command));
            continue;
        }
        if line.words[1] == "install-desktop" && !cfg!(target_os = "linux") {
            continue;
        }
        let mut args: Vec<String> = line.words[1..].to_vec();
        // A planned study has its settings.
        let planned = args[1..]
            .first()
            .is_some_and(|arg| arg.starts_with("studies/") || arg == "--study" || arg.ends_with(".tar"));
        let small: Vec<&str> = match args[0].as_str() {
            _ if planned => Vec::new(),
            "run" => SMALL.to_vec(),
            "study" => SMALL.into_iter().chain(small_study(&line.command)).collect(),
            _ => Vec::new(),
        };
        args.extend(small.iter().flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]));
        // Pages tell of the same folder more than once.
        if let Some(out) = args.windows(2).find(|pair| pair[0] == "--out").map(|pair| place.path().join(&pair[1])) {
            drop(fs::remove_dir_all(&out).or_else(|_| fs::remove_file(&out)));
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_kernelscope"));
        command.args(&args).current_dir(place.path()).env("HOME", place.path());
        let done =
            command.env_remove("XDG_DATA_HOME").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
        if !done.status.success() {
            wrong.push(format!("{}: {}: {}", line.page, line.command, text(&done.stderr)));
        }
        if let Some(into) = line.into {
            fs::write(place.path().join(into), &done.stdout).unwrap();
        }
        run += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unused.is_empty(), "NOT_RUN has commands that no page has: {unused:#?}");
    assert!(run > 15, "{run} commands were run");
}

#[test]
fn commands_and_settings_within_sentences_are_known() {
    let options: BTreeSet<String> = Cli::command()
        .get_subcommands()
        .flat_map(|command| command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)))
        .collect();
    // Keys of weights files, of earlier versions, and options of other programs.
    let others = ["network.kind", "network.image"];
    let known = settings();
    let foreign = ["release", "version"];
    let sections = ["data.", "tasks.", "network.", "training.", "continual.", "kernel.", "window.", "study."];
    let mut wrong = Vec::new();
    for page in pages() {
        for span in page.spans().into_iter().filter(|span| !span.contains('…')) {
            let words = shlex::split(span).unwrap_or_default();
            let is_command = span.starts_with("kernelscope ")
                && !words.get(1).is_some_and(|word| word.starts_with(char::is_uppercase));
            if is_command {
                wrong.extend(refused(&words, true).map(|why| format!("{}: {span}: {why}", page.path)));
            } else if let Some(option) = span.strip_prefix("--") {
                let name = option.split([' ', '=']).next().unwrap_or_default();
                if !options.contains(name) && !foreign.contains(&name) {
                    wrong.push(format!("{}: there is no option --{name}", page.path));
                }
            }
            if let Some(name) = span.split("--bench ").nth(1).and_then(|rest| rest.split(' ').next())
                && !root().join(format!("benches/{name}.rs")).exists()
            {
                wrong.push(format!("{}: there is no bench {name}", page.path));
            }
            for word in span.split([' ', '\'']) {
                let key = word.split('=').next().unwrap_or_default();
                let is_key = sections.iter().any(|section| key.starts_with(section))
                    && key.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_'));
                let is_file = [".txt", ".csv", ".toml", ".npz", ".html"].iter().any(|ending| key.ends_with(ending));
                if is_key && !is_file && !others.contains(&key) && !known.contains_key(key) {
                    wrong.push(format!("{}: there is no setting {key}", page.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
