//! Reads and writes a spec as TOML, and changes it key by key as `--set network.width=1024` does.
//!
//! Every error is one sentence that names the key and, for a file, the line. A file of a newer version is refused.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::{Deserialize as _, Serialize as _};
use thiserror::Error;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::section;
use super::wording::{self, Place};
use super::{Learner, NetworkSpec, Protocol, Spec, StudySpec, Variant, text};

/// Version of the run file that this program writes. It reads this version and all earlier ones.
pub const VERSION: u32 = 1;
/// Largest size of a run file; one with a live change at every step of a long run is smaller.
const MOST_BYTES: u64 = 4 << 20;

/// The error of reading or changing a spec; each prints as one sentence.
#[derive(Debug, Error)]
pub enum SpecError {
    #[error("{0}")]
    Syntax(String),
    /// The file could not be opened or read.
    #[error("this run file cannot be read: {0}")]
    Unread(String),
    #[error(
        "this run file has version {found}, but this program knows versions 1 to {VERSION}; a newer Kernelscope wrote it"
    )]
    Version { found: i64 },
    #[error("--set {}: write KEY=VALUE, for example network.width=1024", wording::shown(.0))]
    NoValue(String),
    #[error(
        "there is no setting {}{}{}",
        wording::shown(key),
        place.as_ref().map(|place| format!(", {place}")).unwrap_or_default(),
        near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default()
    )]
    UnknownKey { key: String, near: Option<String>, place: Option<Place> },
    #[error("{key}: {}{reason}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
    BadValue { key: String, reason: String, place: Option<Place> },
}

impl SpecError {
    /// Adds the line of the file to the error.
    fn within(mut self, text: &str) -> Self {
        match &mut self {
            Self::UnknownKey { key, place, .. } => *place = find(text, key, false).map(|at| Place::of(text, at)),
            Self::BadValue { key, place, .. } => *place = find(text, key, true).map(|at| Place::of(text, at)),
            _ => {}
        }
        self
    }
}

/// Finds the byte offset at which this key, or its value, begins.
fn find(text: &str, key: &str, value_of_it: bool) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (mut table, mut at) = (document.get_ref(), None);
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref().as_ref() == part) else { break };
        at = Some(name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ if value_of_it && parts.peek().is_none() => return Some(value.span().start),
            _ => break,
        }
    }
    at
}

impl Spec {
    /// Reads a run file. Missing keys take their defaults; unknown ones are refused.
    ///
    /// # Errors
    /// Fails on invalid TOML, an unknown setting or an invalid value, and names the line.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        Self::from_toml_in(text, Path::new(""))
    }

    /// Reads a run file; a relative path of a network's text starts from `base`.
    fn from_toml_in(text: &str, base: &Path) -> Result<Self, SpecError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Some editors end lines with a carriage return alone, which is no line end in TOML.
        let old = (text.contains('\r') && !text.contains('\n')).then(|| text.replace('\r', "\n"));
        let text = old.as_deref().unwrap_or(text);
        let table: Table = text.parse().map_err(|err: toml::de::Error| {
            let at = err.span().map_or(text.len(), |span| span.start);
            SpecError::Syntax(wording::syntax(text, at, err.message().starts_with("duplicate key")))
        })?;
        Self::from_table(table, base).map_err(|err| err.within(text))
    }

    /// Reads a run file from bytes.
    ///
    /// # Errors
    /// Fails as [`Spec::from_toml`] does, and on bytes that are not UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SpecError> {
        Self::from_bytes_in(bytes, Path::new(""))
    }

    fn from_bytes_in(bytes: &[u8], base: &Path) -> Result<Self, SpecError> {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(SpecError::Unread("it is text in UTF-16; save it as UTF-8".to_owned()));
        }
        let text = std::str::from_utf8(bytes).map_err(|err| {
            let before = String::from_utf8_lossy(&bytes[..err.valid_up_to()]);
            let is_text = !bytes.contains(&0) && !before.chars().any(|c| c.is_control() && !c.is_whitespace());
            let line = before.matches('\n').count() + 1;
            SpecError::Unread(match is_text {
                true => format!("line {line} has a letter that is not UTF-8; save it as UTF-8"),
                false => "it is binary and no text".to_owned(),
            })
        })?;
        Self::from_toml_in(text, base)
    }

    /// Reads a run file. Relative paths in it, of data and of networks, start from the folder of the file.
    ///
    /// # Errors
    /// Fails as [`Spec::from_bytes`] does, and on anything that is not a regular file or is too large.
    pub fn read(path: &Path) -> Result<Self, SpecError> {
        let unread = |err: std::io::Error| {
            let text = err.to_string();
            SpecError::Unread(text.split(" (os error").next().unwrap_or_default().to_owned())
        };
        let refuse = |why: &str| Err(SpecError::Unread(why.to_owned()));
        let what = fs::metadata(path).map_err(unread)?;
        if what.is_dir() {
            return refuse("it is a folder; give the run.toml in it");
        }
        // Reading a pipe would block, and reading a device might never end.
        if !what.is_file() {
            return refuse("it is no regular file");
        }
        let mut bytes = Vec::new();
        fs::File::open(path).map_err(unread)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > MOST_BYTES {
            return refuse("it is larger than any run file");
        }
        let mut spec = Self::from_bytes_in(&bytes, path.parent().unwrap_or(Path::new("")))?;
        spec.root_paths_of_file(path);
        Ok(spec)
    }

    /// Writes the whole spec, defaults included, so that later defaults cannot change an old run.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a spec holds only numbers, strings and lists, which TOML can always hold")
    }

    /// Applies one `KEY=VALUE`, as on the command line. VALUE is parsed as TOML, else taken as a string. A new network
    /// brings its usual width.
    pub fn set(&mut self, assignment: &str) -> Result<(), SpecError> {
        self.set_all([assignment])
    }

    /// Applies one `KEY=VALUE` without any dependent change.
    pub(super) fn assign(&mut self, assignment: &str) -> Result<(), SpecError> {
        let (key, text) = assignment.split_once('=').ok_or_else(|| SpecError::NoValue(assignment.to_owned()))?;
        let (key, text) = (key.trim(), text.trim());
        if key.is_empty() {
            return Err(SpecError::NoValue(assignment.to_owned()));
        }
        let as_text = Value::String(text.to_owned());
        *self = match as_toml(text) {
            None => self.with(key, as_text)?,
            // A folder may be called `2024`: a value is used as TOML where that fits the key, else as plain text.
            Some(value) => match self.with(key, value) {
                Err(err @ SpecError::BadValue { .. }) => self.with(key, as_text).map_err(|_| err)?,
                other => other?,
            },
        };
        Ok(())
    }

    /// Returns this spec with another value at a key.
    fn with(&self, key: &str, value: Value) -> Result<Self, SpecError> {
        let bad = |reason: String| SpecError::BadValue { key: key.to_owned(), reason, place: None };
        let too_large = |_| bad("a setting has a whole number that is larger than a run file can hold".to_owned());
        let mut table = self.to_table().map_err(too_large)?;
        let mut parts: Vec<&str> = key.split('.').collect();
        let leaf = parts.pop().unwrap_or_default();
        let mut section = &mut table;
        for part in parts {
            // An optional or unknown section: unknown keys are refused below.
            let part = section.entry(part).or_insert_with(|| Value::Table(Table::new()));
            section = part.as_table_mut().ok_or_else(|| unknown_key(key))?;
        }
        if section.get(leaf).is_some_and(Value::is_table) {
            return Err(bad(format!("this is a section; set one of its keys, as in {key}.KEY=VALUE")));
        }
        section.insert(leaf.to_owned(), value);
        Self::from_table(table, Path::new("")).map_err(|err| match err {
            SpecError::BadValue { reason, .. } => bad(reason),
            SpecError::UnknownKey { .. } => unknown_key(key),
            other => other,
        })
    }

    /// Converts to a TOML table; fails on an integer that TOML cannot represent.
    fn to_table(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn from_table(mut table: Table, base: &Path) -> Result<Self, SpecError> {
        if let Some(version) = table.get("version") {
            let Some(found) = version.as_integer() else {
                return Err(SpecError::BadValue {
                    key: "version".to_owned(),
                    reason: "the version is a whole number".to_owned(),
                    place: None,
                });
            };
            if !(1..=i64::from(VERSION)).contains(&found) {
                return Err(SpecError::Version { found });
            }
        }
        check_keys(&table)?;
        if let Some(network) = table.get_mut("network").and_then(Value::as_table_mut) {
            section::current(network, base)?;
        }
        if let Some(study) = table.get_mut("study").and_then(Value::as_table_mut) {
            section::current_study(study);
        }
        // Key by key, so that the error can name the key.
        let probe = |name: &str, key: Option<&str>, value: &Value| {
            let full = key.map_or_else(|| name.to_owned(), |key| format!("{name}.{key}"));
            let said = match Self::deserialize(single(name, key, value.clone())) {
                Ok(_) => return Ok(()),
                Err(err) => err.message().to_owned(),
            };
            let reason = wording::value(value, known().get(&full), &choices(name, key), &said);
            Err(SpecError::BadValue { key: full, reason, place: None })
        };
        for (name, value) in &table {
            match value.as_table() {
                Some(section) => section.iter().try_for_each(|(key, leaf)| probe(name, Some(key), leaf))?,
                None => probe(name, None, value)?,
            }
        }
        Self::deserialize(table).map_err(|_| {
            let reason = "its settings do not fit together".to_owned();
            SpecError::BadValue { key: "run file".to_owned(), reason, place: None }
        })
    }
}

/// Returns a table with this one setting.
fn single(name: &str, key: Option<&str>, value: Value) -> Table {
    let value = match key {
        Some(key) => Value::Table(Table::from_iter([(key.to_owned(), value)])),
        None => value,
    };
    Table::from_iter([(name.to_owned(), value)])
}

/// Returns the words that a setting accepts, if it is an enum.
fn choices(name: &str, key: Option<&str>) -> Vec<String> {
    let said = Spec::deserialize(single(name, key, Value::String("\0".to_owned()))).err();
    let said = said.map(|err| err.message().to_owned()).filter(|said| said.starts_with("unknown variant"));
    said.map(|said| wording::listed(&said).into_iter().skip(1).collect()).unwrap_or_default()
}

/// Returns all keys that a file may contain, each with an example value.
fn known() -> &'static Table {
    static KNOWN: LazyLock<Table> = LazyLock::new(|| {
        let mut spec = Spec { changes: Vec::new(), ..Spec::default() };
        // Optional fields are omitted from files unless they are set here.
        spec.data.path = Some(PathBuf::new());
        spec.tasks.steps = vec![1];
        (spec.network.alpha, spec.network.alpha_width) = (Some(1.0), Some(1));
        spec.network.text = Some("".into());
        spec.kernel.piecewise = Some(1.0);
        spec.training.rate_width = Some(1);
        spec.training.frozen = vec!["fc1".to_owned()];
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
        let mut keys = Table::from_iter([("changes".to_owned(), Value::Array(Vec::new()))]);
        for (name, value) in spec.to_table().expect("the default spec holds only small numbers, strings and lists") {
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

fn check_keys(table: &Table) -> Result<(), SpecError> {
    let known = known_keys();
    for (name, value) in table {
        match value.as_table() {
            // The keys of this section depend on the program.
            Some(_) if name == "network" => {}
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

/// Parses `text` as one TOML value and nothing else.
pub(super) fn as_toml(text: &str) -> Option<Value> {
    let mut table = format!("value = {text}").parse::<Table>().ok()?;
    let value = table.remove("value")?;
    table.is_empty().then_some(value)
}

/// Serialises a path. Validation refuses one that is not valid UTF-8; it must not keep the file from being written.
pub(super) fn path_as_text<S: serde::Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(to)
}
