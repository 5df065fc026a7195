//! A kind of network brings its usual sizes and activation, unless they are given, too.

use kernelscope::spec::{Activation, NetworkSpec, PRESETS, STUDIES, Spec, StudySpec, Variant, preset};

use super::FIVE;
use super::cli::{kernelscope, text};

fn set(list: &[&str]) -> NetworkSpec {
    let mut spec = Spec::default();
    spec.set_all(list.iter().copied()).unwrap();
    spec.network
}

fn file(text: &str) -> NetworkSpec {
    Spec::from_toml(text).unwrap().network
}

#[test]
fn a_kind_brings_its_usual_sizes_and_activation() {
    for word in FIVE {
        let usual = NetworkSpec::of(word);
        assert_eq!(set(&[&format!("network.kind={word}")]), usual);
        assert_eq!(set(&[&format!("network.program={word}")]), usual);
        assert_eq!(file(&format!("[network]\nprogram = \"{word}\"")), usual);
        assert_eq!(file(&format!("[network]\nkind = \"{word}\"")), usual);
        // From whichever kind it comes.
        for other in FIVE {
            let mut spec = Spec { network: NetworkSpec::of(other), ..Spec::default() };
            spec.set(&format!("network.kind={word}")).unwrap();
            assert_eq!(spec.network, usual, "{other} to {word}");
        }
    }
}

#[test]
fn what_is_given_stays_wherever_it_stands() {
    let own = |width: usize, activation| NetworkSpec { width: width.into(), activation, ..NetworkSpec::of("rnn") };
    // In the list, in either order, also where it is what the old kind had.
    assert_eq!(set(&["network.kind=rnn", "network.width=256"]), own(256, Activation::Tanh));
    assert_eq!(set(&["network.width=256", "network.kind=rnn"]), own(256, Activation::Tanh));
    assert_eq!(set(&["network.activation=relu", "network.kind=rnn"]), own(128, Activation::Relu));
    assert_eq!(set(&["network.kind=cnn", "network.kind=rnn"]), own(128, Activation::Tanh), "the last kind counts");
    assert_eq!(file("[network]\nkind = \"rnn\"\nwidth = 256"), own(256, Activation::Tanh));
    // Of the file or preset below, what is not the usual size of its kind.
    let mut spec = Spec::from_toml("[network]\nwidth = 48").unwrap();
    spec.set("network.kind=rnn").unwrap();
    assert_eq!(spec.network, own(48, Activation::Tanh));
    // The same kind again changes nothing, and a refused list changes nothing either.
    let before = spec.clone();
    spec.set("network.kind=rnn").unwrap();
    assert!(spec.set_all(["network.kind=cnn", "network.width=wide"]).is_err());
    assert_eq!(spec, before);
}

#[test]
fn a_whole_file_says_what_it_said() {
    // With the width and the activation of an MLP.
    for kind in FIVE {
        let spec = Spec { network: NetworkSpec::named(kind), ..Spec::default() };
        assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec);
    }
    for preset in PRESETS.iter().chain(STUDIES) {
        let spec = preset.spec();
        assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec, "{}", preset.name);
    }
}

#[test]
fn kinds_can_be_compared_in_a_study() {
    let study = |study: StudySpec| Spec { study: Some(study), ..Spec::default() }.runs().unwrap();
    let axis = StudySpec {
        axis: "network.kind".to_owned(),
        values: StudySpec::values_of("mlp, cnn, rnn"),
        seeds: vec![1],
        ..StudySpec::default()
    };
    let found: Vec<NetworkSpec> = study(axis).into_iter().map(|run| run.spec.network).collect();
    assert_eq!(found, ["mlp", "cnn", "rnn"].map(NetworkSpec::of));
    let variant = |set: &[&str]| Variant {
        name: set.join(" "),
        set: set.iter().map(|setting| (*setting).to_owned()).collect(),
        ..Variant::default()
    };
    let variants = vec![variant(&["network.kind=cnn"]), variant(&["network.width=64", "network.kind=cnn"])];
    let found = study(StudySpec { axis: "size".to_owned(), variants, seeds: vec![1], ..StudySpec::default() });
    assert_eq!(found.iter().map(|run| run.spec.network.width).collect::<Vec<_>>(), [16, 64]);
}

#[test]
fn a_line_for_the_shell_means_what_it_was_made_from() {
    let odd = [
        NetworkSpec { width: 256.into(), activation: Activation::Relu, ..NetworkSpec::of("cnn") },
        NetworkSpec::named("transformer"),
        NetworkSpec { width: 20.into(), ..NetworkSpec::of("rnn") },
    ];
    for network in odd {
        let spec = Spec { network, ..PRESETS[0].spec() };
        let line = shlex::split(&spec.command_line(None).unwrap()).unwrap();
        let after =
            |flag: &str| line.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1].clone()).collect::<Vec<_>>();
        let mut again = preset(&after("--preset")[0]).unwrap().spec();
        again.set_all(after("--set").iter().map(String::as_str)).unwrap();
        assert!(again.same_run(&spec), "{line:?}");
    }
}

#[test]
fn a_headless_run_says_what_it_is_about_to_do() {
    let place = tempfile::tempdir().unwrap();
    let settings = [
        "network.kind=cnn",
        "data.per_class=20",
        "data.test_per_class=5",
        "kernel.probes_per_class=1",
        "tasks.steps=[2,2]",
    ];
    let mut args = vec!["run", "--device", "cpu", "--out", "run"];
    args.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let done = kernelscope(place.path(), &args);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = text(&done.stderr);
    for part in
        ["cnn with width 16, depth 2, pool max, head flatten", "ReLU", "2 tasks, 4 steps", "10 probes", "memory"]
    {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let parameters = kernelscope::storage::load(&place.path().join("run")).unwrap().history.info().unwrap().parameters;
    assert!(said.replace(',', "").contains(&format!("{parameters} parameters")), "{said}");
}

#[test]
fn more_threads_than_any_machine_has_are_refused_at_once() {
    let place = tempfile::tempdir().unwrap();
    for args in [
        &["gram", "--weights", "w", "--inputs", "x", "--out", "k.npz", "--arch", "mlp_relu", "--threads", "1000000"][..],
        &["theory", "--inputs", "x.npz", "--out", "k.npz", "--threads", "1000000"],
        &["study", "--out", "s", "--jobs", "1000000"],
    ] {
        let refused = kernelscope(place.path(), args);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains("512 at most"), "{}", text(&refused.stderr));
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kernelscope"));
    command.current_dir(place.path()).args(["run", "--out", "run"]).env("RAYON_NUM_THREADS", "1000000");
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(text(&refused.stderr).lines().count(), 1);
    assert!(!place.path().join("run").exists());
}
