//! Reads and writes a spec as TOML, and changes it key by key as `--set network.width=1024` does.
//!
//! On the command line and in the window a relative `data.path` starts from the current folder, in a run file from the
//! folder of the file. In either case the spec of a run has an absolute path, so that its `run.toml` repeats it from
//! anywhere. A file of a newer version is refused.
//!
//! These methods of [`Spec`] stand apart from its definition in `settings`, because only they read and write TOML.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::{Table, Value};

use super::keys::{known, unknown_key};
use super::path::is_path;
use super::value_text::as_toml;
use super::{Spec, SpecError, StudySpec, VERSION, absolute, known_keys, probe_list, section, wording};

/// Largest size of a run file; one with a live change at every step of a long run is smaller.
const MOST_BYTES: u64 = 4 << 20;

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
        if key == WEIGHTS {
            // Hash and copy are those of the file before.
            section.remove("weights_hash");
            section.remove("weights_copy");
        }
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
        if let Some(list) = table.get_mut("kernel").and_then(|kernel| kernel.get_mut("probe_list")) {
            probe_list::current(list, base).map_err(|reason| SpecError::BadValue {
                key: "kernel.probe_list".to_owned(),
                reason,
                place: None,
            })?;
        }
        if let Some(study) = table.get_mut("study").and_then(Value::as_table_mut) {
            section::current_study(study);
        }
        // Key by key, so that the error can name the key.
        let probe = |name: &str, key: Option<&str>, value: &Value| {
            let full = key.map_or_else(|| name.to_owned(), |key| format!("{name}.{key}"));
            let message = match Self::deserialize(single(name, key, value.clone())) {
                Ok(_) => return Ok(()),
                Err(err) => err.message().to_owned(),
            };
            let reason = wording::value(value, known().get(&full), &choices(name, key), &message);
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

    /// Makes the paths in the spec absolute; relative ones start from `base`.
    pub fn root_paths(&mut self, base: &Path) {
        self.each_path(&|path| absolute(path, base));
    }

    /// Replaces the paths in the spec: those of data and of weights, and those that variants set.
    pub fn replace_paths(&mut self, replaced: &dyn Fn(&Path) -> PathBuf) {
        self.each_path(replaced);
    }

    /// Makes the paths of a run file absolute; relative ones start from its folder. Earlier versions wrote paths into the
    /// folders of runs and studies as they had been typed, relative to a folder that was not recorded: if nothing exists
    /// beside such a file but something does beneath the current folder, the latter is used.
    fn root_paths_of_file(&mut self, file: &Path) {
        let base = file.parent().unwrap_or(Path::new(""));
        let is_record = ["metrics.csv", "points.csv", "runs"].iter().any(|name| base.join(name).exists());
        if !is_record {
            return self.root_paths(base);
        }
        self.each_path(&|path| {
            let (beside, here) = (absolute(path, base), absolute(path, Path::new("")));
            if !beside.exists() && here.exists() { here } else { beside }
        });
    }

    fn each_path(&mut self, rooted: &dyn Fn(&Path) -> PathBuf) {
        let given = |path: &Path| !path.as_os_str().is_empty();
        if let Some(path) = self.data.path.as_mut().filter(|path| given(path)) {
            *path = rooted(path);
        }
        for path in [&mut self.network.weights, &mut self.network.weights_copy].into_iter().flatten() {
            *path = rooted(path);
        }
        let variants = self.study.iter_mut().flat_map(|study| &mut study.variants);
        for setting in variants.flat_map(|variant| &mut variant.set) {
            let Some((key, path)) = setting.split_once('=') else { continue };
            let path = path.trim().trim_matches(['"', '\'']);
            let key = key.trim();
            let is_path = [DATA_PATH, WEIGHTS].contains(&key) || (PROGRAM.contains(&key) && is_path(path));
            if is_path
                && given(Path::new(path))
                && let Some(path) = rooted(Path::new(path)).to_str()
            {
                *setting = format!("{key}={path}");
            }
        }
        let is_paths = |study: &&mut StudySpec| study.axis == WEIGHTS || PROGRAM.contains(&study.axis.as_str());
        for study in self.study.iter_mut().filter(is_paths) {
            let is_weights = study.axis == WEIGHTS;
            for value in &mut study.values {
                if let Some(path) = value.as_str().filter(|name| is_weights && !name.is_empty() || is_path(name))
                    && let Some(path) = rooted(Path::new(path)).to_str()
                {
                    *value = path.into();
                }
            }
        }
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
    let message = Spec::deserialize(single(name, key, Value::String("\0".to_owned()))).err();
    let message = message.map(|err| err.message().to_owned()).filter(|message| message.starts_with("unknown variant"));
    message.map(|message| wording::listed(&message).into_iter().skip(1).collect()).unwrap_or_default()
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

/// The settings that are paths.
const DATA_PATH: &str = "data.path";
const WEIGHTS: &str = "network.weights";
const PROGRAM: [&str; 2] = ["network.program", "network.kind"];
