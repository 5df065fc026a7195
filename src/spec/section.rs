//! Reads and writes the section `[network]` of a run file, also in the form of earlier versions.
//!
//! All settings that the text declares are written, so that later defaults cannot change an old run. A user's text is
//! stored in the file itself, so that the run repeats anywhere.
//!
//! The method of [`NetworkSpec`] here stands apart from `network`, because its error is about this section.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use super::keys::unknown_key;
use super::network_problems::NO_WIDTH;
use super::path::is_path;
use super::text::{self, Choices, FIELDS, KIND, MOST_BYTES, Setting};
use super::{Activation, Init, NetworkSpec, Parametrisation, SpecError, Width, absolute, wording};

/// Keys that every file of an earlier version had, whatever its kind of network.
const EARLIER: [&str; 7] = ["depth", "blocks", "heads", "patch", "pool", "head", "norm"];

/// The section as written in a file.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Section {
    program: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Absent where the text declares none.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<Width>,
    #[serde(flatten)]
    settings: BTreeMap<String, Setting>,
    activation: Activation,
    parametrisation: Parametrisation,
    init: Init,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights_copy: Option<String>,
    sigma_w: f64,
    sigma_b: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha_width: Option<usize>,
}

impl Serialize for NetworkSpec {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Section::from(self.clone()).serialize(to)
    }
}

impl<'a> Deserialize<'a> for NetworkSpec {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        Section::deserialize(from).map(Self::from)
    }
}

impl Default for Section {
    fn default() -> Self {
        NetworkSpec::default().into()
    }
}

impl From<NetworkSpec> for Section {
    fn from(network: NetworkSpec) -> Self {
        let declared = network.declared().into_iter().filter(|declared| declared.name != NetworkSpec::WIDTH);
        let mut settings: BTreeMap<String, Setting> =
            declared.map(|declared| (declared.name, declared.default)).collect();
        let has_width = network.has_width();
        let NetworkSpec { program, text, width, settings: given, activation, parametrisation, init, .. } = network;
        settings.extend(given);
        let NetworkSpec { sigma_w, sigma_b, alpha, alpha_width, weights, weights_hash, weights_copy, .. } = network;
        let text = text.map(|text| text.as_ref().to_owned());
        let width = has_width.then_some(width);
        let as_text = |path: PathBuf| path.to_string_lossy().into_owned();
        let (weights, weights_copy) = (weights.map(as_text), weights_copy.map(as_text));
        Self {
            program,
            text,
            width,
            settings,
            activation,
            parametrisation,
            init,
            weights,
            weights_hash,
            weights_copy,
            sigma_w,
            sigma_b,
            alpha,
            alpha_width,
        }
    }
}

impl From<Section> for NetworkSpec {
    fn from(section: Section) -> Self {
        let Section { program, text, width, settings, activation, parametrisation, init, .. } = section;
        let Section { sigma_w, sigma_b, alpha, alpha_width, weights, weights_hash, weights_copy, .. } = section;
        let width = width.unwrap_or(Self::default().width);
        let mut network = Self {
            program,
            text: text.map(Arc::from),
            width,
            settings,
            activation,
            parametrisation,
            init,
            // An empty path takes the weights away.
            weights: weights.filter(|path| !path.is_empty()).map(PathBuf::from),
            weights_hash,
            weights_copy: weights_copy.filter(|path| !path.is_empty()).map(PathBuf::from),
            sigma_w,
            sigma_b,
            alpha,
            alpha_width,
        };
        if network.weights.is_none() {
            network.begin_from(None);
        }
        for declared in network.declared() {
            if let Some(given) = network.settings.get_mut(&declared.name) {
                *given = declared.choices.fitted(given);
                if *given == declared.default {
                    network.settings.remove(&declared.name);
                }
            }
        }
        network
    }
}

/// Reads the folder of a module that was exported from PyTorch as a network's text; `None` where it holds none.
pub type ModuleReader = fn(&Path) -> Option<Result<String, String>>;

static MODULES: OnceLock<ModuleReader> = OnceLock::new();

/// Sets the reader with which `network.program` may be the folder of a module. Its files are those of another program, which
/// nothing here reads.
pub fn read_modules_with(reader: ModuleReader) {
    // The first one stays; there is one in the program.
    let _ = MODULES.set(reader);
}

/// A network as it was named.
pub(super) struct Resolved {
    pub program: String,
    pub text: Option<Arc<str>>,
    /// True for the folder of a module.
    pub is_module: bool,
}

/// Returns the network given by a name, by a path, or by a name with a text.
///
/// # Errors
/// If there is no such network, or its text cannot be read, names the reason in one sentence.
pub(super) fn resolved(program: &str, text: Option<&str>, base: &Path) -> Result<Resolved, String> {
    let mut is_module = false;
    let (name, text) = match text {
        Some(text) => (program.to_owned(), text.to_owned()),
        None if text::builtin(program).is_some() => {
            return Ok(Resolved { program: program.to_owned(), text: None, is_module });
        }
        None if is_path(program) => {
            let path = absolute(Path::new(program), base);
            match MODULES.get().and_then(|reader| reader(&path)) {
                Some(text) => {
                    is_module = true;
                    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                    (name, text?)
                }
                None => read(&path)?,
            }
        }
        None => return Err(NetworkSpec::named(program).unknown()),
    };
    text::declared(&text).map_err(|err| err.to_string())?;
    let known = text::builtin(&name).is_some_and(|known| known.text == text);
    Ok(Resolved { program: name, text: (!known).then(|| text.into()), is_module })
}

/// Reads a file and returns its name and text.
fn read(path: &Path) -> Result<(String, String), String> {
    let shown = wording::shown(&path.display().to_string());
    let unread = |err: std::io::Error| {
        let message = err.to_string();
        format!("{shown} cannot be read: {}", message.split(" (os error").next().unwrap_or_default())
    };
    // Reading a pipe would block, and reading a device might never end.
    if !fs::metadata(path).map_err(unread)?.is_file() {
        return Err(format!(
            "{shown} is no regular file: give the path of a text, or the folder of a module that kernelscope.export wrote"
        ));
    }
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(unread)?.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > MOST_BYTES {
        return Err(format!("{shown} is larger than {} KiB, the most that a text has", MOST_BYTES >> 10));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is no text in UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned);
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok((name, text))
}

/// Converts the section of a file to the form of this version: names the program and reads its text, renames or removes
/// keys of earlier versions, and fills in the program's usual width and activation where they are missing. Relative paths
/// start from `base`.
pub(super) fn current(section: &mut Table, base: &Path) -> Result<(), SpecError> {
    let bad = |key: &str, reason| SpecError::BadValue { key: format!("network.{key}"), reason, place: None };
    let earlier = section.remove(KIND);
    let key = if earlier.is_some() && !section.contains_key("program") { KIND } else { "program" };
    let is_earlier = earlier.is_some();
    if let Some(kind) = earlier {
        section.entry("program").or_insert(kind);
    }
    let word = |section: &Table, key: &str| match section.get(key) {
        None => Ok(None),
        Some(Value::String(word)) => Ok(Some(word.clone())),
        Some(value) => Err(bad(key, wording::value(value, Some(&Value::String(String::new())), &[], ""))),
    };
    let (named, text) = (word(section, "program")?, word(section, "text")?);
    let usual = NetworkSpec::default();
    let Resolved { program, text, is_module } = match (&named, &text) {
        (None, None) => Resolved { program: usual.program.clone(), text: None, is_module: false },
        _ => resolved(named.as_deref().unwrap_or(&usual.program), text.as_deref(), base)
            .map_err(|why| bad(if text.is_some() { "text" } else { key }, why))?,
    };
    let network = NetworkSpec { program, text, ..usual };
    check(section, &network, is_earlier)?;
    if named.is_some() || network.text.is_some() {
        section.insert("program".to_owned(), network.program.clone().into());
        match &network.text {
            Some(text) => drop(section.insert("text".to_owned(), text.as_ref().into())),
            None => drop(section.remove("text")),
        }
        if network.has_width() {
            let width = i64::try_from(network.usual_width()).unwrap_or(i64::MAX);
            section.entry(NetworkSpec::WIDTH).or_insert(Value::Integer(width));
        }
        section.entry("activation").or_insert(network.usual_activation().name().into());
        if is_module {
            // Each operation begins as it does in PyTorch.
            section.entry("init").or_insert("torch".into());
        }
    }
    Ok(())
}

/// Checks the keys that are not fields against the settings that the text declares, and the types of their values. A number
/// outside its range is no error here: it is reported beside its field.
fn check(section: &mut Table, network: &NetworkSpec, is_earlier: bool) -> Result<(), SpecError> {
    if section.contains_key(NetworkSpec::WIDTH) && !network.has_width() {
        let (key, reason) = (format!("network.{}", NetworkSpec::WIDTH), format!("{NO_WIDTH}: leave it out"));
        return Err(SpecError::BadValue { key, reason, place: None });
    }
    let declared = network.declared();
    let keys: Vec<String> = section.keys().filter(|key| !FIELDS.contains(&key.as_str())).cloned().collect();
    for key in keys {
        let full = format!("network.{key}");
        let Some(declared) = declared.iter().find(|declared| declared.name == key) else {
            if is_earlier && is_passed_over(&key) {
                section.remove(&key);
                continue;
            }
            return Err(network.undeclared(&key));
        };
        let value = &section[&key];
        let like = Value::try_from(&declared.default).ok();
        let words = match &declared.choices {
            Choices::Words(words) => words.as_slice(),
            Choices::Whole(_) | Choices::Real(_) | Choices::Flag => &[],
        };
        if !Setting::deserialize(value.clone()).is_ok_and(|setting| takes(&declared.choices, &setting)) {
            let reason = wording::value(value, like.as_ref(), words, "");
            return Err(SpecError::BadValue { key: full, reason, place: None });
        }
    }
    Ok(())
}

/// Returns whether a setting accepts a value of this kind: one of its words, or a number, whatever its range.
pub(super) fn takes(choices: &Choices, setting: &Setting) -> bool {
    match (choices, setting) {
        (Choices::Words(words), Setting::Word(word)) => words.contains(word),
        (Choices::Whole(_), Setting::Whole(_)) | (Choices::Flag, Setting::Flag(_)) => true,
        (Choices::Real(_), Setting::Real(_) | Setting::Whole(_)) => true,
        (Choices::Words(_) | Choices::Whole(_) | Choices::Flag | Choices::Real(_), _) => false,
    }
}

/// Renames the settings that a study varies to those of this version. Where a variant names a kind, keys that this kind
/// never used are removed.
pub(super) fn current_study(study: &mut Table) {
    const BEFORE: &str = "network.kind";
    const NOW: &str = "network.program";
    let renamed = |key: &str| key.trim() == BEFORE;
    if let Some(Value::String(axis)) = study.get_mut("axis")
        && renamed(axis)
    {
        *axis = NOW.to_owned();
    }
    let variants = study.get_mut("variants").and_then(Value::as_array_mut).into_iter().flatten();
    for set in variants.filter_map(|variant| variant.get_mut("set")?.as_array_mut()) {
        let parted = |setting: &Value| {
            let (key, value) = setting.as_str()?.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
        };
        let Some((_, kind)) = set.iter().filter_map(parted).rfind(|(key, _)| renamed(key)) else { continue };
        let network = NetworkSpec::named(&kind);
        set.retain(|setting| {
            let key = parted(setting).and_then(|(key, _)| Some(key.strip_prefix("network.")?.to_owned()));
            !key.is_some_and(|key| is_passed_over(&key) && !network.declares(&key))
        });
        for setting in set {
            if let Some((_, value)) = parted(setting).filter(|(key, _)| renamed(key)) {
                *setting = format!("{NOW}={value}").into();
            }
        }
    }
}

/// Returns whether this key stood in every file of an earlier version, used or not.
pub(super) fn is_passed_over(key: &str) -> bool {
    EARLIER.contains(&key)
}

impl NetworkSpec {
    /// Returns the error for a key that the section cannot contain.
    pub(super) fn undeclared(&self, key: &str) -> SpecError {
        let elsewhere = text::NETWORKS.iter().any(|network| Self::named(network.name).declares(key));
        let full = format!("network.{key}");
        if !elsewhere {
            return unknown_key(&full);
        }
        let own: Vec<String> = self.declared().into_iter().map(|declared| declared.name).collect();
        let own = if own.is_empty() { "no other".to_owned() } else { own.join(", ") };
        let reason = format!("{} has no such setting, it has {own}", self.program);
        SpecError::BadValue { key: full, reason, place: None }
    }
}
