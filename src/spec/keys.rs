//! Lists the keys that a run file may have, and makes the error for any other.

use std::path::PathBuf;
use std::sync::LazyLock;

use toml::{Table, Value};

use super::{
    Learner, NetworkSpec, ProbeChoice, Protocol, Schedule, Spec, SpecError, Strategy, StudySpec, Variant, text,
};

/// Returns all keys that a file may contain, each with an example value.
pub(super) fn known() -> &'static Table {
    static KNOWN: LazyLock<Table> = LazyLock::new(|| {
        let mut spec = Spec { changes: Vec::new(), ..Spec::default() };
        // Optional fields are omitted from files unless they are set here.
        spec.data.path = Some(PathBuf::new());
        spec.tasks.steps = vec![1];
        (spec.network.alpha, spec.network.alpha_width) = (Some(1.0), Some(1));
        spec.network.text = Some("".into());
        spec.network.begin_from(Some("w.safetensors".into()));
        (spec.network.weights_hash, spec.network.weights_copy) = (Some("0".to_owned()), Some("w.safetensors".into()));
        spec.kernel.piecewise = Some(1.0);
        (spec.kernel.probes, spec.kernel.probe_seed) = (ProbeChoice::List, Some(1));
        spec.kernel.probe_list = vec![vec![0, 1], vec![2, 3]];
        (spec.kernel.lag_steps, spec.kernel.lag_path) = (Some(1), Some(1.0));
        spec.kernel.sharpness_steps = 1;
        spec.training.rate_width = Some(1);
        spec.training.frozen = vec!["fc1".to_owned()];
        spec.training.masked = true;
        (spec.continual.strategy, spec.continual.ewc_decay) = (Strategy::Ewc, Some(1.0));
        (spec.data.standardise_first, spec.data.side) = (true, 64);
        (spec.training.schedule, spec.training.warmup, spec.training.restart) = (Schedule::Linear, 1.0, false);
        (spec.training.clip, spec.training.smoothing) = (1.0, 0.1);
        (spec.training.average, spec.training.patience) = (2, 1.0);
        (spec.training.final_share, spec.training.step_epochs, spec.training.step_factor) = (0.1, Some(1.0), Some(0.1));
        let study = StudySpec {
            values: vec![Value::Integer(1)],
            variants: vec![Variant::default()],
            samples: vec![1],
            learners: vec![Learner::Network],
            protocol: Protocol { halvings: 1, ..Protocol::default() },
            ..StudySpec::default()
        };
        spec.study = Some(study);
        let mut keys = Table::from_iter([("changes".to_owned(), Value::Array(Vec::new()))]);
        for (name, value) in
            Table::try_from(&spec).expect("the default spec holds only small numbers, strings and lists")
        {
            match value {
                Value::Table(section) => {
                    keys.extend(section.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)))
                }
                value => drop(keys.insert(name, value)),
            }
        }
        for network in text::NETWORKS {
            for declared in NetworkSpec::named(network.name).declared() {
                if let Ok(value) = Value::try_from(&declared.default) {
                    keys.entry(format!("network.{}", declared.name)).or_insert(value);
                }
            }
        }
        keys
    });
    &KNOWN
}

/// Lists the keys that may stand in a run file, in full: `network.width`. The page on settings has a row for each.
pub fn known_keys() -> &'static [String] {
    static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| known().keys().cloned().collect());
    &KEYS
}

/// Returns the error for an unknown key. It suggests the key with the same last part, else the one that shares the most
/// letters in order.
pub(super) fn unknown_key(key: &str) -> SpecError {
    let leaf = |k: &str| k.rsplit('.').next().unwrap_or(k).to_owned();
    let shared = |k: &str| k.chars().zip(key.chars()).take_while(|(a, b)| a == b).count();
    let known = known_keys();
    let same_leaf = known.iter().find(|k| leaf(k) == leaf(key));
    let longest = known.iter().max_by_key(|k| shared(k)).filter(|k| shared(k) > 3);
    SpecError::UnknownKey { key: key.to_owned(), near: same_leaf.or(longest).cloned(), place: None }
}
