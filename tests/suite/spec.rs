//! The spec: what a user writes is what is run, and what cannot run is refused in one sentence beside its field.

use std::path::PathBuf;

use super::{FIVE, sized};
use burn::tensor::{Device, Tensor};
use kernelscope::{
    data::prepare,
    model::Network,
    ntk::{PartKind, Reduction, Request, layerwise},
    spec::{
        Activation, Change, Clamp, Cost, DataShape, Effect, Init, LABS, Layer, Loss, Method, NetworkSpec, Optimiser,
        PRESETS, Parametrisation, Schedule, Source, Spec, SpecError, TaskKind, VERSION, preset, study,
    },
};
use proptest::{option, prelude::*};

// ---- files ----

/// Any spec that TOML can hold, sensible or not.
fn any_spec() -> impl Strategy<Value = Spec> {
    let number = || -1e12f64..1e12;
    let size = || 0usize..1 << 40;
    let data = (
        prop_oneof![
            Just(Source::FashionMnistSmall),
            Just(Source::Idx),
            Just(Source::Cifar10),
            Just(Source::Cifar100),
            Just(Source::Circle),
            Just(Source::Disk)
        ],
        option::of(any::<String>().prop_map(PathBuf::from)),
        (size(), size()),
        any::<bool>(),
    );
    let tasks = (
        prop_oneof![
            Just(TaskKind::Split),
            Just(TaskKind::Permuted),
            Just(TaskKind::Rotated),
            Just(TaskKind::Frequency)
        ],
        prop::collection::vec(prop::collection::vec(0usize..100, 0..5), 0..4),
        prop::collection::vec(0usize..9, 0..4),
        (size(), number(), size(), number()),
        prop::collection::vec(number(), 0..4),
        prop::collection::vec(0u64..1 << 60, 0..3),
    );
    let kind = prop::sample::select(FIVE.to_vec());
    let network = (
        (kind, size(), size()),
        (size(), size(), size()),
        (prop::sample::select(vec!["max", "avg", "none"]), prop::sample::select(vec!["flatten", "mean"])),
        prop_oneof![Just(Activation::Relu), Just(Activation::Tanh), Just(Activation::Gelu), Just(Activation::Erf)],
        prop_oneof![Just(Parametrisation::Standard), Just(Parametrisation::Ntk)],
        (
            prop_oneof![Just(Init::Torch), Just(Init::HeUniform), Just(Init::Xavier)],
            prop::sample::select(vec!["layer", "none"]),
            option::of(size()),
        ),
        (number(), number(), option::of(number())),
    );
    let training = (
        prop_oneof![Just(Loss::CrossEntropy), Just(Loss::Mse)],
        prop::sample::select(Optimiser::ALL.to_vec()),
        (number(), option::of(size()), number(), number()),
        size(),
    );
    let kernel = (
        prop_oneof![Just(Method::Layerwise), Just(Method::Jacobian)],
        (size(), any::<bool>(), size(), any::<bool>(), any::<bool>()),
        (number(), number(), number()),
    );
    let change =
        (0u64..1 << 60, option::of(number()), option::of(size()), option::of(prop::collection::vec(0usize..9, 0..3)))
            .prop_map(|(step, rate, per_epoch, order)| {
                let frozen = Effect::Frozen(vec!["fc1".to_owned()]);
                let others = [
                    Effect::Switch,
                    Effect::Replay(3),
                    frozen,
                    Effect::Masked(step % 4 == 1),
                    Effect::Clamped(Clamp::ALL[step as usize % 3]),
                ];
                let rates = [Effect::Schedule(Schedule::ALL[step as usize % 5]), Effect::Warmup(0.5)];
                let given = [rate.map(Effect::Rate), per_epoch.map(Effect::PerEpoch), order.map(Effect::Order)];
                let effect = given.into_iter().flatten().chain(others).chain(rates).nth(step as usize % 7).unwrap();
                let (task, place) = ((step % 3 == 0).then_some(1), (step % 5 == 0).then_some(2));
                Change { step, task, place, effect }
            });
    let changes = prop::collection::vec(change, 0..3);
    (0..=i64::MAX as u64, data, tasks, network, training, kernel, changes).prop_map(
        |(seed, data, tasks, network, training, kernel, changes)| {
            let mut spec = Spec { seed, changes, ..Spec::default() };
            (
                spec.data.source,
                spec.data.path,
                (spec.data.per_class, spec.data.test_per_class),
                spec.data.standardise,
            ) = data;
            let stream = &mut spec.tasks;
            (
                stream.kind,
                stream.classes,
                stream.order,
                (stream.overlap, stream.alpha, stream.count, stream.angle),
                ..,
            ) = tasks.clone();
            (.., stream.epochs, stream.steps) = tasks;
            let net = &mut spec.network;
            let ((kind, width, depth), (blocks, heads, patch), (pool, head), ..) = network;
            let norm = network.5.1;
            let sizes = [("depth", depth), ("blocks", blocks), ("heads", heads), ("patch", patch)];
            *net = sized(kind, &sizes.map(|(name, size)| (name, size as i64)));
            for (name, word) in [("pool", pool), ("head", head), ("norm", norm)] {
                if net.declares(name) {
                    net.set(name, word.into());
                }
            }
            net.width = width.into();
            (_, _, _, net.activation, net.parametrisation, (net.init, _, net.alpha_width), ..) = network;
            (.., (net.sigma_w, net.sigma_b, net.alpha)) = network;
            let train = &mut spec.training;
            (
                train.loss,
                train.optimiser,
                (train.rate, train.rate_width, train.momentum, train.weight_decay),
                train.batch,
            ) = training;
            let ntk = &mut spec.kernel;
            (
                ntk.method,
                (ntk.probes_per_class, ntk.train_on_probes, ntk.per_epoch, ntk.predict, ntk.optimiser),
                (ntk.lag, ntk.budget, spec.window.pace),
            ) = kernel;
            spec
        },
    )
}

proptest! {
    #[test]
    fn a_run_file_holds_the_whole_spec(spec in any_spec()) {
        let text = spec.to_toml();
        prop_assert_eq!(&Spec::from_toml(&text).unwrap(), &spec, "{}", text);
        // Setting one key leaves all others alone.
        let mut changed = spec.clone();
        changed.set("network.width=77").unwrap();
        prop_assert_eq!(changed.network.width, 77);
        changed.network.width = spec.network.width;
        prop_assert_eq!(changed, spec);
    }

    #[test]
    fn nothing_a_file_says_makes_validation_panic(spec in any_spec()) {
        let shape = DataShape::expected(&spec);
        for problem in spec.problems(&shape).iter().chain(&spec.warnings()) {
            prop_assert!(!problem.message.contains('\n') && !problem.message.is_empty());
        }
        let cost = Cost::of(&spec, &shape);
        prop_assert!(cost.peak_bytes >= cost.image_bytes);
        spec.problems(&DataShape { image: [0; 3], classes: 0, outputs: 0, train_per_class: 0, test_per_class: 0 });
    }

    #[test]
    fn any_text_is_a_spec_or_one_sentence(text in any::<String>(), key in "[a-z.=]{0,20}", value in "[ -~]{0,20}") {
        for text in [text.clone(), format!("{key} = {value}"), format!("[{key}]\n{value}"), format!("[network]\n{text}")] {
            if let Err(err) = Spec::from_toml(&text) {
                prop_assert!(!err.to_string().contains('\n'), "{}", err);
            }
        }
        for assignment in [text.clone(), format!("{key}={value}"), format!("network.width={text}"), format!("data.path={text}")] {
            let mut spec = Spec::default();
            if let Err(err) = spec.set(&assignment) {
                prop_assert_eq!(&spec, &Spec::default(), "a refused change changed something");
                prop_assert!(!err.to_string().is_empty());
            }
        }
    }
}

#[test]
fn missing_keys_take_their_defaults() {
    assert_eq!(Spec::from_toml("").unwrap(), Spec::default());
    let spec = Spec::from_toml("version = 1\nseed = 7\n[network]\nwidth = 64\n").unwrap();
    assert_eq!((spec.seed, spec.network), (7, NetworkSpec { width: 64.into(), ..NetworkSpec::default() }));
    let spec = Spec::from_toml("[[changes]]\nstep = 5\nrate = 0.1\n[[changes]]\nstep = 9\nswitch = true\n").unwrap();
    assert_eq!(spec.changes.len(), 2);
    assert!(spec.changes[1].effect == Effect::Switch && spec.changes[0].effect == Effect::Rate(0.1));
}

fn refusal(text: &str) -> String {
    Spec::from_toml(text).unwrap_err().to_string()
}

#[test]
fn a_file_that_is_not_understood_is_refused_by_name() {
    assert!(matches!(Spec::from_toml("version = 2"), Err(SpecError::Version { found: 2 })));
    assert!(matches!(Spec::from_toml("version = 0"), Err(SpecError::Version { found: 0 })));
    assert!(refusal("version = 2").contains(&format!("1 to {VERSION}")));
    assert!(refusal("version = \"1\"").starts_with("version: "));
    assert!(matches!(Spec::from_toml("[network"), Err(SpecError::Syntax(_))));
    for (text, key, near) in [
        ("[network]\nwidht = 3", "network.widht", Some("network.width")),
        ("width = 3", "width", Some("network.width")),
        ("[netwrok]\nwidth = 3", "netwrok.width", Some("network.width")),
        ("[training]\nlearning_rate = 3", "training.learning_rate", None),
        ("[sudy]", "sudy", None),
        ("network = 3", "network", None),
    ] {
        let sentence = refusal(text);
        assert!(sentence.starts_with(&format!("there is no setting {key}")), "{text}: {sentence}");
        if let Some(near) = near {
            assert!(sentence.ends_with(&format!("did you mean {near}?")), "{text}: {sentence}");
        }
    }
    for (text, key) in [
        ("seed = -1", "seed"),
        ("[network]\nwidth = \"wide\"", "network.width"),
        ("[network]\nactivation = \"relo\"", "network.activation"),
        ("[network.width]\nx = 1", "network.width"),
        ("[tasks]\nclasses = [[0], 1]", "tasks.classes"),
        ("[[changes]]\nstep = 1\nwhen = 2", "changes"),
        ("[[changes]]\nstep = \"now\"", "changes"),
    ] {
        let sentence = refusal(text);
        assert!(sentence.starts_with(&format!("{key}: ")), "{text}: {sentence}");
    }
}

// ---- --set ----

#[test]
fn set_takes_toml_and_else_text() {
    let mut spec = Spec::default();
    for assignment in [
        "seed=9",
        "tasks.classes=[[0,1],[2,3]]",
        "tasks.epochs=[3, 0.5]",
        "training.rate=1",
        "training.optimiser = adam",
        "network.alpha=0.5",
        "network.init=\"he-uniform\"",
        "data.source=idx",
        "data.path=/some where/2024=5",
        "data.standardise=false",
        "changes=[{step=3,switch=true}]",
        "version=1",
    ] {
        spec.set(assignment).unwrap_or_else(|err| panic!("{assignment}: {err}"));
    }
    assert_eq!((spec.seed, spec.training.rate, spec.network.alpha), (9, 1.0, Some(0.5)));
    assert_eq!((spec.tasks.classes.clone(), spec.tasks.epochs.clone()), (vec![vec![0, 1], vec![2, 3]], vec![3.0, 0.5]));
    assert_eq!((spec.network.init, spec.training.optimiser), (Init::HeUniform, Optimiser::Adam));
    assert_eq!((spec.data.source, spec.data.standardise), (Source::Idx, false));
    assert_eq!(spec.data.path, Some(PathBuf::from("/some where/2024=5")), "the first = divides");
    assert!(spec.changes.len() == 1 && spec.changes[0].effect == Effect::Switch);
    // A name that happens to be TOML is still a name.
    for folder in ["2024", "true", "[a]"] {
        spec.set(&format!("data.path={folder}")).unwrap();
        assert_eq!(spec.data.path, Some(PathBuf::from(folder)));
    }
}

#[test]
fn set_refuses_with_the_key() {
    for (assignment, expected) in [
        ("network.width", "write KEY=VALUE"),
        ("=3", "write KEY=VALUE"),
        ("network.width=wide", "network.width: "),
        ("network.width=1.5", "network.width: "),
        ("network.width=-1", "network.width: "),
        ("seed=[1]", "seed: "),
        ("seed=99999999999999999999", "seed: "),
        ("version=2", "version 2"),
        ("network.widht=3", "did you mean network.width?"),
        ("width=3", "did you mean network.width?"),
        ("network={width=32}", "network: this is a section"),
        ("network.width.units=3", "there is no setting network.width.units"),
        ("changes.step=3", "there is no setting changes.step"),
        (
            "changes=[{step=1}]",
            "changes: the change before step 1 must be one valid rate, schedule, warmup, per_epoch, order, switch",
        ),
        ("changes=[{step=1,rate=0.1,switch=true}]", "changes: the change before step 1 must be one valid rate"),
        ("changes=[{place=2}]", "changes: the change at the start of the task in place 2 must be one valid rate"),
        ("seed.x=3", "there is no setting seed.x"),
        ("seed=1\nnetwork.width=3", "seed: "),
    ] {
        let mut spec = Spec::default();
        let sentence = spec.set(assignment).unwrap_err().to_string();
        assert!(sentence.contains(expected), "{assignment}: {sentence}");
        assert_eq!(spec, Spec::default(), "{assignment} changed something");
    }
}

#[test]
fn what_a_file_cannot_hold_is_a_sentence_and_no_panic() {
    let mut spec = Spec { seed: u64::MAX, ..Spec::default() };
    assert_eq!(fields(&spec), ["seed"]);
    assert!(spec.set("seed=1").is_err());
    assert!(!spec.to_toml().is_empty());
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let path = std::ffi::OsStr::from_bytes(b"/data/\xff").into();
        let mut spec = Spec::default();
        (spec.data.source, spec.data.path) = (Source::Idx, Some(path));
        assert_eq!(fields(&spec), ["data.path"]);
        assert!(spec.to_toml().contains("/data/"));
    }
}

// ---- validation ----

/// Fields that forbid the run.
fn fields(spec: &Spec) -> Vec<String> {
    spec.problems(&DataShape::expected(spec)).iter().map(|problem| problem.field.to_string()).collect()
}

#[test]
fn each_problem_stands_beside_its_field() {
    for (assignments, field) in [
        (&["network.width=0"][..], "network.width"),
        (&["network.width=15"], "network.width"),
        (&["network.width=1000000000"], "network.width"),
        (&["network.width=9223372036854775807", "network.depth=6"], "network.width"),
        (&["network.depth=0"], "network.depth"),
        (&["network.depth=9223372036854775807"], "network.depth"),
        (&["network.kind=cnn", "network.depth=3"], "network.depth"),
        (&["network.kind=cnn", "network.width=2"], "network.width"),
        (&["network.kind=resmlp", "network.blocks=0"], "network.blocks"),
        (&["network.kind=transformer", "network.blocks=9223372036854775807"], "network.blocks"),
        (&["network.kind=transformer", "network.heads=0"], "network.heads"),
        (&["network.kind=transformer", "network.heads=3"], "network.heads"),
        (&["network.kind=transformer", "network.patch=0"], "network.patch"),
        (&["network.kind=transformer", "network.patch=8"], "network.patch"),
        (&["network.kind=transformer", "network.patch=1"], "network.patch"),
        (&["network.sigma_w=0"], "network.sigma_w"),
        (&["network.sigma_b=-0.1"], "network.sigma_b"),
        (&["network.alpha=0"], "network.alpha"),
        (&["network.alpha=nan"], "network.alpha"),
        (&["network.alpha_width=0"], "network.alpha_width"),
        (&["data.source=idx"], "data.path"),
        (&["data.source=circle"], "tasks.classes"),
        (&["data.source=circle", "tasks.classes=[[0,1]]", "network.kind=transformer"], "network.program"),
        (&["data.source=circle", "tasks.classes=[[0,1]]", "network.kind=cnn", "network.pool=none"], "network.program"),
        (&["data.source=disk", "tasks.classes=[[0,1]]"], "kernel.probes_per_class"),
        (&["data.source=circle", "tasks.kind=rotated"], "tasks.kind"),
        (&["data.source=circle", "tasks.classes=[[0,1]]", "data.per_class=1000000"], "data.per_class"),
        (&["data.source=cifar10", "data.path="], "data.path"),
        (&["tasks.classes=[]"], "tasks.classes"),
        (&["tasks.classes=[[0,1],[]]"], "tasks.classes"),
        (&["tasks.classes=[[0,1],[10]]"], "tasks.classes"),
        (&["tasks.classes=[[0,0],[1]]"], "tasks.classes"),
        (&["tasks.overlap=6"], "tasks.overlap"),
        (&["tasks.classes=[[0,1],[2,1]]", "tasks.overlap=1"], "tasks.overlap"),
        (&["tasks.kind=permuted", "tasks.count=0"], "tasks.count"),
        (&["tasks.kind=permuted", "tasks.count=65"], "tasks.count"),
        (&["tasks.kind=permuted", "tasks.count=9223372036854775807"], "tasks.count"),
        (&["tasks.kind=rotated", "tasks.angle=inf"], "tasks.angle"),
        (&["tasks.kind=frequency", "tasks.alpha=1.1"], "tasks.alpha"),
        (&["tasks.kind=frequency", "tasks.classes=[[0],[1],[2]]"], "tasks.classes"),
        (&["tasks.kind=frequency", "tasks.classes=[[0,1],[1,2]]"], "tasks.classes"),
        (&["tasks.order=[1,1]"], "tasks.order"),
        (&["tasks.order=[0,1]"], "tasks.order"),
        (&["tasks.order=[3]"], "tasks.order"),
        (&["tasks.epochs=[]"], "tasks.epochs"),
        (&["tasks.epochs=[1,0]"], "tasks.epochs"),
        (&["tasks.epochs=[nan]"], "tasks.epochs"),
        (&["tasks.steps=[0]"], "tasks.steps"),
        (&["training.rate=-1"], "training.rate"),
        (&["training.rate=inf"], "training.rate"),
        (&["training.rate_width=0"], "training.rate_width"),
        (&["training.momentum=1"], "training.momentum"),
        (&["training.weight_decay=-1"], "training.weight_decay"),
        (&["training.batch=0"], "training.batch"),
        (&["kernel.probes_per_class=0"], "kernel.probes_per_class"),
        (&["kernel.probes_per_class=500"], "kernel.probes_per_class"),
        (&["kernel.probes_per_class=9223372036854775807"], "kernel.probes_per_class"),
        (&["data.per_class=16"], "kernel.probes_per_class"),
        (&["tasks.classes=[[3],[3]]", "kernel.probes_per_class=300"], "kernel.probes_per_class"),
        (&["kernel.probes=random", "data.source=circle", "tasks.classes=[[0,1]]"], "kernel.probes"),
        (&["kernel.probes=stratified", "kernel.probes_per_class=500"], "kernel.probes_per_class"),
        (&["kernel.probe_seed=3"], "kernel.probe_seed"),
        (&["kernel.probes=random", "kernel.probe_seed=9223372036854775807", "kernel.lag=0"], "kernel.lag"),
        (&["kernel.probes=list"], "kernel.probe_list"),
        (&["kernel.probe_list=[0,1]"], "kernel.probe_list"),
        (&["kernel.probes=list", "kernel.probe_list=[[0,1],[2,3],[4,5]]"], "kernel.probe_list"),
        (&["kernel.probes=list", "kernel.probe_list=[[0,1],[2]]"], "kernel.probe_list"),
        (&["kernel.probes=list", "kernel.probe_list=[0,1,0]"], "kernel.probe_list"),
        (&["kernel.per_epoch=0"], "kernel.per_epoch"),
        (&["kernel.lag=0"], "kernel.lag"),
        (&["kernel.budget=1"], "kernel.budget"),
        (
            &["kernel.optimiser=true", "training.optimiser=adam", "network.width=4096", "kernel.probes_per_class=100"],
            "kernel.optimiser",
        ),
        (&["window.pace=-1"], "window.pace"),
        (&["training.frozen=[\"fc9\"]"], "training.frozen"),
        (&["changes=[{place=2, frozen=[\"fc1.wieght\"]}]"], "changes"),
        (&["changes=[{place=3, masked=true}]"], "changes"),
        (&["changes=[{step=1, place=2, masked=true}]"], "changes"),
        (&["changes=[{step=1,order=[3]}]"], "changes"),
        (&["changes=[{step=2,switch=true},{step=1,switch=true}]"], "changes"),
    ] {
        let mut spec = Spec::default();
        for assignment in assignments {
            spec.set(assignment).unwrap_or_else(|err| panic!("{assignment}: {err}"));
        }
        let found = fields(&spec);
        assert!(!found.is_empty() && found.iter().all(|name| *name == field), "{assignments:?} gives {found:?}");
    }
}

/// What a text does not declare, and what it does not admit, is one sentence that names the key, the value and what it may be.
#[test]
fn settings_are_those_that_the_text_declares() {
    for (assignments, said) in [
        (
            &["network.program=cnn", "network.norm=layer"][..],
            "network.norm: cnn has no such setting, it has width, depth, pool, head",
        ),
        (&["network.program=rnn", "network.blocks=2"], "network.blocks: rnn has no such setting, it has width"),
        (&["network.norm=batch"], "network.norm: there is no batch, there are layer, none"),
        (&["network.depth=deep"], "network.depth: deep is no whole number from 0 up"),
        (&["network.program=nonesuch"], "network.program: there is no nonesuch, there are mlp, cnn"),
        (&["network.program=no/such.rhai"], "no/such.rhai cannot be read: No such file or directory"),
        (&["network.text=let"], "network.text: "),
    ] {
        let found = Spec::default().set_all(assignments.iter().copied()).unwrap_err().to_string();
        assert!(found.contains(said) && !found.contains('\n'), "{assignments:?}: {found}");
    }
    let mut deep = Spec::default();
    deep.set("network.depth=9").unwrap();
    let problems = deep.problems(&DataShape::expected(&deep));
    assert_eq!(problems[0].message, "depth is a whole number from 1 to 6, not 9");
}

/// A user's text is named by its path, stands in the run file, and needs the path no more.
#[test]
fn a_text_of_a_user_stands_in_the_run_file() {
    let place = tempfile::tempdir().unwrap();
    let text = "//! Two layers, and a number between them.\n\
                let width = setting(\"width\", 32, 8..64);\n\
                let gain = setting(\"gain\", 1.0, [0.0, 4.0], \"how much\");\n\
                let norm = setting(\"norm\", false);\n\
                let h = dense(\"in\", x, width);\n\
                if norm { h = layer_norm(\"ln\", h); }\n\
                dense(\"out\", act(scale(h, gain)), classes)\n";
    std::fs::write(place.path().join("two.rhai"), text).unwrap();
    let file = "[network]\nprogram = \"two.rhai\"\ngain = 2\nactivation = \"tanh\"\n";
    std::fs::write(place.path().join("run.toml"), file).unwrap();
    let spec = Spec::read(&place.path().join("run.toml")).unwrap();
    let network = &spec.network;
    assert_eq!((network.program.as_str(), network.width), ("two", 32.into()));
    assert_eq!((network.setting("gain"), network.setting("norm")), (Some(2.0.into()), Some(false.into())));
    assert_eq!(fields(&spec), [""; 0]);
    assert_eq!(network.parts([1, 28, 28], 10), ["in", "out"]);
    // It goes, and the run repeats.
    let written = spec.to_toml();
    drop(place);
    assert_eq!(Spec::from_toml(&written).unwrap(), spec, "{written}");
    let mut normed = spec.clone();
    normed.set("network.norm=true").unwrap();
    assert_eq!(normed.network.parts([1, 28, 28], 10), ["in", "ln", "out"]);
    assert_eq!(normed.network.with("norm", false), spec.network, "what is usual is not written down");
    let line = shlex::split(&spec.command_line(None).unwrap()).unwrap();
    let set = line.windows(2).filter(|pair| pair[0] == "--set").map(|pair| pair[1].as_str());
    let mut again = Spec::default();
    again.set_all(set).unwrap();
    assert!(again.same_run(&spec), "{line:?}");
    // The axis of a study.
    let mut study = spec.clone();
    let axis = "[study]\naxis = \"network.gain\"\nvalues = [0.5, 3]\nseeds = [1]\n";
    study.study = Spec::from_toml(axis).unwrap().study;
    let gains: Vec<_> = study.runs().unwrap().into_iter().map(|run| run.spec.network.setting("gain")).collect();
    assert_eq!(gains, [Some(0.5.into()), Some(3.0.into())]);
}

/// All presets and studies as the last version wrote that knew kinds of networks: each opens to the same runs.
#[test]
fn files_of_earlier_versions_mean_the_same() {
    let all = include_str!("../fixtures/kinds.toml");
    let mut seen = 0;
    for part in all.split("#### ").skip(1) {
        let (head, text) = part.split_once('\n').unwrap();
        let (what, name) = head.split_once(' ').unwrap();
        let now = if what == "run" { preset(name) } else { study(name) }.unwrap().spec();
        let old = Spec::from_toml(text).unwrap_or_else(|err| panic!("{head}: {err}"));
        assert_eq!(old, now, "{head}");
        let read = Spec::from_toml(&now.to_toml()).unwrap();
        assert_eq!(read.runs().unwrap(), now.runs().unwrap(), "{head}");
        seen += 1;
    }
    assert_eq!(seen, 46, "those that there were");
    // Keys that a kind does not use, whatever they hold.
    let text = "[network]\nkind = \"rnn\"\nwidth = 64\ndepth = 0\nblocks = 99\nheads = 3\npatch = 5\npool = \"avg\"\n\
                head = \"mean\"\nnorm = \"none\"\nactivation = \"tanh\"\n";
    let network = Spec::from_toml(text).unwrap().network;
    assert_eq!(network, NetworkSpec { width: 64.into(), ..NetworkSpec::of("rnn") });
}

/// A field is looked at by the kinds that use it and by no other; a colour image takes other patches than a grey one.
#[test]
fn each_kind_looks_at_its_own_fields() {
    let colour = DataShape { image: [3, 32, 32], ..DataShape::expected(&Spec::default()) };
    let odd = DataShape { image: [1, 30, 30], ..colour };
    let of = |assignments: &[&str], shape: &DataShape| -> Vec<String> {
        let mut spec = Spec::default();
        // Under the old name of a program stand the old settings, used or not.
        spec.set_all(assignments.iter().copied()).unwrap();
        spec.problems(shape).iter().map(|problem| problem.field.to_string()).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(of(&["network.kind=mlp", "network.blocks=0", "network.heads=0", "network.patch=0"], &odd), none);
    assert_eq!(of(&["network.kind=resmlp", "network.depth=0", "network.heads=0", "network.patch=0"], &odd), none);
    let cnn = ["network.kind=cnn", "network.width=16", "network.depth=4", "network.blocks=0", "network.patch=0"];
    assert_eq!(of(&cnn, &colour), none);
    assert_eq!(of(&cnn, &odd), ["network.program"]);
    assert_eq!(of(&[&cnn[..], &["network.pool=none"]].concat(), &odd), none);
    assert_eq!(of(&["network.kind=rnn", "network.depth=0", "network.blocks=0", "network.patch=0"], &odd), none);
    let transformer = ["network.kind=transformer", "network.width=64", "network.depth=0"];
    assert_eq!(of(&transformer, &colour), ["network.program"], "a patch that nobody gave");
    assert_eq!(of(&[&transformer[..], &["network.patch=8"]].concat(), &colour), none);
}

/// Layer by layer, what the estimate counts is what the networks state through their taps; attention has no parameters.
#[test]
fn the_estimate_knows_the_networks_that_there_are() {
    let device = Device::flex();
    let images = |image: [usize; 3]| Tensor::<2>::zeros([1, image.iter().product()], &device);
    let base = |kind| NetworkSpec { width: 16.into(), ..NetworkSpec::of(kind) };
    let networks = [
        (base("mlp"), [1, 5, 3]),
        (base("cnn"), [1, 12, 8]),
        (base("cnn").with("depth", 4).with("head", "mean").with("pool", "avg"), [3, 8, 12]),
        (base("cnn").with("pool", "none"), [2, 5, 7]),
        (base("mlp").with("norm", "layer").with("depth", 3), [1, 5, 3]),
        (base("resmlp").with("norm", "none"), [2, 4, 4]),
        (base("rnn"), [2, 6, 5]),
        (base("resmlp"), [2, 4, 4]),
        (base("transformer").with("patch", 4), [3, 8, 12]),
    ];
    for (spec, image) in networks {
        for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
            let spec = NetworkSpec { parametrisation, ..spec.clone() };
            let layers = spec.layers(image, 7);
            let network = Network::new(&spec, 1, image, 7, &device);
            let stored: usize = network.named().iter().map(|tensor| tensor.values.len()).sum();
            assert_eq!(layers.iter().map(Layer::parameters).sum::<f64>(), stored as f64, "{spec:?}");
            assert_eq!(layers.iter().map(Layer::tensors).sum::<usize>(), network.named().len(), "{spec:?}");
            // The program that is drawn has the tensors of the network that is trained.
            let program = spec.program(image, 7).unwrap();
            let mut drawn: Vec<_> =
                program.tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
            let names: Vec<String> = drawn.iter().map(|tensor| tensor.0.clone()).collect();
            let mut real: Vec<_> = network.named().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
            drawn.sort();
            real.sort();
            assert_eq!(drawn, real, "{spec:?}");
            if parametrisation == Parametrisation::Standard {
                let request = Request { apart: PartKind::Tensors, ..Request::of(Reduction::Trace) };
                let kernel = layerwise::measure(&network, &images(image), None, &request, &|| false).unwrap();
                let parts: Vec<String> = kernel.parts.into_iter().map(|(name, _)| name).collect();
                assert_eq!(names, parts, "the order of the forward pass");
            }
            for (place, line) in program.lines.iter().enumerate() {
                assert!(line.reads.iter().all(|&read| read < place) && (place == 0) == line.reads.is_empty());
            }
            let read: Vec<usize> = program.lines.iter().flat_map(|line| line.reads.clone()).collect();
            assert!((0..program.lines.len() - 1).all(|place| read.contains(&place)), "nothing is computed in vain");
            if parametrisation == Parametrisation::Standard {
                let (_, plan, _) = layerwise::explain(&network, &images(image), None, &Request::of(Reduction::Trace));
                let tapped: Vec<Layer> = plan.parts.iter().map(|part| part.layer).collect();
                let counted: Vec<Layer> =
                    layers.into_iter().filter(|layer| !matches!(layer, Layer::Attention { .. })).collect();
                assert_eq!(tapped, counted, "{spec:?}");
            }
        }
    }
}

/// The parameters of the published fixtures, which are the usual sizes of each kind.
#[test]
fn the_estimate_counts_the_parameters_of_each_kind() {
    let grey = [1, 28, 28];
    let of = |network: NetworkSpec, image: [usize; 3]| {
        let spec = Spec { network, ..Spec::default() };
        Cost::of(&spec, &DataShape { image, ..DataShape::expected(&spec) }).parameters
    };
    let mlp = NetworkSpec { width: 512.into(), ..NetworkSpec::default() };
    let [cnn, resmlp, transformer] = ["cnn", "resmlp", "transformer"].map(NetworkSpec::of);
    assert_eq!(of(mlp, grey), 669_706);
    assert_eq!(of(cnn.clone(), grey), 20_490);
    assert_eq!(of(resmlp, grey), 300_554);
    assert_eq!(of(transformer, grey), 71_946);
    // 3→16, 16→16, 16→32, 32→32, all 3 × 3 with biases, then 10 logits of 32 · 8 · 8 values, or of 32 means.
    let four = cnn.with("depth", 4);
    let convolutions = 9 * (3 * 16 + 16 * 16 + 16 * 32 + 32 * 32) + 16 + 16 + 32 + 32;
    assert_eq!(of(four.clone(), [3, 32, 32]), convolutions + 10 * (2048 + 1));
    assert_eq!(of(four.with("head", "mean"), [3, 32, 32]), convolutions + 10 * (32 + 1));
}

#[test]
fn what_does_not_fit_in_memory_is_refused_before_it_is_tried() {
    // Each is allowed by its own bounds; together they want terabytes.
    let mut wide = Spec::default();
    (wide.network.width, wide.kernel.lag, wide.kernel.per_epoch) = (8192.into(), 100.0, 1000);
    wide.network.set("depth", 6.into());
    assert_eq!(fields(&wide), ["network.width"]);
    let mut probing = Spec::default();
    (probing.kernel.probes_per_class, probing.kernel.lag, probing.kernel.per_epoch) = (400, 100.0, 1000);
    probing.network.width = 16.into();
    assert_eq!(fields(&probing), ["kernel.probes_per_class"]);
    let sentence = &probing.problems(&DataShape::expected(&probing))[0].message;
    assert!(sentence.contains("GiB") && sentence.contains("fewer probes"), "{sentence}");
    // A folder of images that no machine holds.
    let shape = DataShape {
        image: [1, 1 << 10, 1 << 10],
        classes: 10,
        outputs: 10,
        train_per_class: 1 << 30,
        test_per_class: 1 << 30,
    };
    assert_eq!(Spec::default().problems(&shape)[0].field, "data.per_class");
}

#[test]
fn presets_are_valid_named_and_different() {
    assert_eq!(preset("reactivation").unwrap().spec(), Spec::default(), "the default preset is the default");
    for (place, this) in PRESETS.iter().enumerate() {
        let spec = this.spec();
        // Images that are not inside the program must be chosen, and nothing else is missing.
        let missing: &[&str] = if spec.data.source.needs_folder() { &["data.path"] } else { &[] };
        assert_eq!(fields(&spec), missing, "{}", this.name);
        assert_eq!(preset(this.name).unwrap().spec(), spec);
        assert!(PRESETS[..place].iter().all(|other| other.spec() != spec && other.name != this.name), "{}", this.name);
        assert_eq!(Spec::from_toml(&spec.to_toml()).unwrap(), spec);
    }
    for preset in PRESETS {
        let stands = LABS.iter().flat_map(|lab| lab.presets()).filter(|other| other.name == preset.name).count();
        assert_eq!(stands, 1, "{} stands in one laboratory", preset.name);
    }
    assert_eq!(LABS.iter().flat_map(|lab| lab.presets()).count(), PRESETS.len());
    for name in ["reactivation", "lazy", "ntk", "no-shift", "five-tasks", "permuted"] {
        assert!(preset(name).is_some(), "{name}");
    }
    assert!(preset("nonesuch").is_none());
}

// ---- the estimate ----

/// The steps that are announced are the steps that the real images make.
#[test]
fn the_estimate_counts_the_steps_there_are() {
    let mut specs: Vec<Spec> = PRESETS.iter().map(|preset| preset.spec()).collect();
    specs.retain(|spec| !spec.data.source.needs_folder());
    let mut shift = Spec::default();
    (shift.tasks.kind, shift.kernel.train_on_probes) = (TaskKind::Frequency, true);
    shift.tasks.classes = vec![vec![0, 1, 2], vec![7, 8]];
    let mut shared = Spec::default();
    (shared.tasks.overlap, shared.tasks.order, shared.data.per_class) = (2, vec![2, 1], 77);
    specs.extend([shift, shared]);
    for spec in specs {
        let prepared = prepare(&spec).unwrap();
        let shape = prepared.set.shape();
        assert_eq!(shape, DataShape::expected(&spec));
        let cost = Cost::of(&spec, &shape);
        let per_epoch = |task: usize| prepared.stream.task(task).info().steps_per_epoch;
        let sequence = spec.tasks.sequence();
        let steps: u64 = (0..).zip(&sequence).map(|(place, &task)| spec.tasks.steps_at(place, per_epoch(task))).sum();
        assert_eq!(cost.steps, steps, "{:?}", spec.tasks);
        assert_eq!(cost.probes, prepared.probes.len());
    }
}

#[test]
fn similarity_is_that_of_the_classes_two_tasks_share() {
    for overlap in 0..=5 {
        let mut spec = Spec::default();
        spec.tasks.overlap = overlap;
        let tasks = spec.tasks.split_classes();
        // k shared classes of five and five: k/(10 − k).
        let expected = overlap as f64 / (10 - overlap) as f64;
        assert_eq!(kernelscope::spec::jaccard(&tasks[0], &tasks[1]), Some(expected));
    }
    assert_eq!(kernelscope::spec::jaccard(&[], &[]), None);
}

#[test]
fn a_run_is_told_apart_in_one_line_by_what_was_set() {
    let mut spec = Spec::default();
    let usual = spec.in_one_line();
    assert!(usual.starts_with("mlp, width 256, SP, SGD η ") && usual.ends_with(", seed 1"), "{usual}");
    let changes =
        ["network.width=inf", "network.parametrisation=ntk", "network.depth=4", "training.rate=0.5", "seed=7"];
    spec.set_all(changes).unwrap();
    spec.set("training.optimiser=adam").unwrap();
    assert_eq!(spec.in_one_line(), "mlp, width ∞, depth 4, NTP, Adam η 0.5, seed 7");
}
