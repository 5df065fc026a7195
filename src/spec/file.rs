//! The spec as TOML: read, written, and changed key by key as `--set network.width=1024` does.
//!
//! Every refusal is one sentence that names the key. A file of a newer version is refused, not guessed at.

use std::path::PathBuf;

use serde::{Deserialize as _, Serialize as _};
use thiserror::Error;
use toml::{Table, Value};

use super::usual::with_usual;
use super::{Learner, Norm, Protocol, Spec, StudySpec, Variant};

/// Version of the run file this program writes. It reads this one and all before it.
pub const VERSION: u32 = 1;

/// Why a spec could not be read or changed; each prints as one sentence.
#[derive(Debug, Error)]
pub enum SpecError {
    #[error("this is not a run file: {0}")]
    Syntax(String),
    #[error(
        "this run file has version {found}, but this program knows versions 1 to {VERSION}; a newer Kernelscope wrote it"
    )]
    Version { found: i64 },
    #[error("--set {0}: write KEY=VALUE, for example network.width=1024")]
    NoValue(String),
    #[error("there is no setting {key}{}", near.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    UnknownKey { key: String, near: Option<String> },
    #[error("{key}: {reason}")]
    BadValue { key: String, reason: String },
}

impl Spec {
    /// Reads a run file. Missing keys take their defaults; unknown ones are refused.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let table: Table = text.parse().map_err(|err: toml::de::Error| SpecError::Syntax(first_line(err.message())))?;
        Self::from_table(table)
    }

    /// Writes the whole spec, defaults included, so that later defaults cannot change an old run.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a spec holds only numbers, strings and lists, which TOML can always hold")
    }

    /// Applies one `KEY=VALUE`, as on the command line. VALUE is TOML, else a string. A kind of network brings its usual sizes.
    pub fn set(&mut self, assignment: &str) -> Result<(), SpecError> {
        self.set_all([assignment])
    }

    /// The same, of which nothing else follows.
    pub(super) fn assign(&mut self, assignment: &str) -> Result<(), SpecError> {
        let (key, text) = assignment.split_once('=').ok_or_else(|| SpecError::NoValue(assignment.to_owned()))?;
        let (key, text) = (key.trim(), text.trim());
        if key.is_empty() {
            return Err(SpecError::NoValue(assignment.to_owned()));
        }
        let as_text = Value::String(text.to_owned());
        *self = match as_toml(text) {
            None => self.with(key, as_text)?,
            // A folder may be called `2024`: what fits as TOML is taken as such, else as the text it was.
            Some(value) => match self.with(key, value) {
                Err(err @ SpecError::BadValue { .. }) => self.with(key, as_text).map_err(|_| err)?,
                other => other?,
            },
        };
        Ok(())
    }

    /// This spec with another value at a key.
    fn with(&self, key: &str, value: Value) -> Result<Self, SpecError> {
        let bad = |reason: String| SpecError::BadValue { key: key.to_owned(), reason };
        let mut table = self.to_table().map_err(|err| bad(err.to_string()))?;
        let mut parts: Vec<&str> = key.split('.').collect();
        let leaf = parts.pop().unwrap_or_default();
        let mut section = &mut table;
        for part in parts {
            // A section that is only there when it is given, or that there is not: then the keys are refused below.
            let part = section.entry(part).or_insert_with(|| Value::Table(Table::new()));
            section = part.as_table_mut().ok_or_else(|| unknown_key(key))?;
        }
        if section.get(leaf).is_some_and(Value::is_table) {
            return Err(bad(format!("this is a section; set one of its keys, as in {key}.KEY=VALUE")));
        }
        section.insert(leaf.to_owned(), value);
        Self::from_table(table).map_err(|err| match err {
            SpecError::BadValue { reason, .. } => bad(reason),
            SpecError::UnknownKey { .. } => unknown_key(key),
            other => other,
        })
    }

    /// Fails on an integer above what TOML can hold.
    fn to_table(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn from_table(table: Table) -> Result<Self, SpecError> {
        if let Some(version) = table.get("version") {
            let Some(found) = version.as_integer() else {
                return Err(SpecError::BadValue {
                    key: "version".to_owned(),
                    reason: "must be a whole number".to_owned(),
                });
            };
            if !(1..=i64::from(VERSION)).contains(&found) {
                return Err(SpecError::Version { found });
            }
        }
        check_keys(&table)?;
        let table = with_usual(table);
        // Key by key, so that the sentence can name it.
        let probe = |name: &String, value: Value, key: String| match Self::deserialize(Table::from_iter([(
            name.clone(),
            value,
        )])) {
            Ok(_) => Ok(()),
            Err(err) => Err(SpecError::BadValue { key, reason: first_line(err.message()) }),
        };
        for (name, value) in &table {
            match value.as_table() {
                Some(section) => {
                    for (key, leaf) in section {
                        let one = Table::from_iter([(key.clone(), leaf.clone())]);
                        probe(name, Value::Table(one), format!("{name}.{key}"))?;
                    }
                }
                None => probe(name, value.clone(), name.clone())?,
            }
        }
        Self::deserialize(table)
            .map_err(|err| SpecError::BadValue { key: "run file".to_owned(), reason: first_line(err.message()) })
    }
}

/// Keys that may stand in a file, in full.
fn known_keys() -> Vec<String> {
    let mut spec = Spec { changes: Vec::new(), ..Spec::default() };
    // Fields that are left out when they are not given.
    spec.data.path = Some(PathBuf::new());
    spec.tasks.steps = vec![1];
    (spec.network.alpha, spec.network.alpha_width) = (Some(1.0), Some(1));
    spec.network.norm = Some(Norm::None);
    spec.kernel.piecewise = Some(1.0);
    spec.training.rate_width = Some(1);
    spec.training.frozen = vec![String::new()];
    spec.training.masked = true;
    let study = StudySpec {
        values: vec![Value::Integer(1)],
        variants: vec![Variant::default()],
        samples: vec![1],
        learners: vec![Learner::Network],
        protocol: Protocol { halvings: 1, ..Protocol::default() },
        ..StudySpec::default()
    };
    spec.study = Some(study);
    let mut keys = vec!["changes".to_owned()];
    for (name, value) in &spec.to_table().expect("the default spec holds only small numbers, strings and lists") {
        match value.as_table() {
            Some(section) => keys.extend(section.keys().map(|key| format!("{name}.{key}"))),
            None => keys.push(name.clone()),
        }
    }
    keys
}

fn check_keys(table: &Table) -> Result<(), SpecError> {
    let known = known_keys();
    for (name, value) in table {
        match value.as_table() {
            Some(section) => {
                for key in section.keys() {
                    let full = format!("{name}.{key}");
                    if !known.contains(&full) {
                        return Err(unknown_key(&full));
                    }
                }
                if section.is_empty() && !known.iter().any(|k| k.starts_with(&format!("{name}."))) {
                    return Err(unknown_key(name));
                }
            }
            None if known.contains(name) => {}
            None => return Err(unknown_key(name)),
        }
    }
    Ok(())
}

/// Names the nearest key: the one whose last part is the same, else the one that shares the most letters in order.
fn unknown_key(key: &str) -> SpecError {
    let leaf = |k: &str| k.rsplit('.').next().unwrap_or(k).to_owned();
    let shared = |k: &str| k.chars().zip(key.chars()).take_while(|(a, b)| a == b).count();
    let known = known_keys();
    let same_leaf = known.iter().find(|k| leaf(k) == leaf(key));
    let longest = known.iter().max_by_key(|k| shared(k)).filter(|k| shared(k) > 3);
    SpecError::UnknownKey { key: key.to_owned(), near: same_leaf.or(longest).cloned() }
}

/// One TOML value and nothing after it.
pub(super) fn as_toml(text: &str) -> Option<Value> {
    let mut table = format!("value = {text}").parse::<Table>().ok()?;
    let value = table.remove("value")?;
    table.is_empty().then_some(value)
}

/// A path that is not text is refused by validation; here it must not stop the file from being written.
pub(super) fn path_as_text<S: serde::Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(to)
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
