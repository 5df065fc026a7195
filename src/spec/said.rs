//! What decides a network's function beside its named tensors, as a weights file says it in its metadata and as a user says it
//! on the command line: in the words of the section `[network]` of a run file.
//!
//! Two networks of the same tensors are two functions where one of these differs, so a file that does not say them is only
//! half a network. Where it does not say the sizes, they are read from the shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::section::{KIND, is_passed_over, takes};
use super::{Activation, NetworkSpec, Parametrisation, Setting, text};

/// What is said of a network; what is absent was not said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Its text, where it does not come with the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parametrisation: Option<Parametrisation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_w: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_b: Option<f64>,
    /// The laziness α at this width: α (f − f₀) was trained, and f is what the tensors are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Channels, height and width of the images that it was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<[usize; 3]>,
    /// Settings that its text declares, by name.
    #[serde(flatten)]
    pub settings: BTreeMap<String, Setting>,
}

/// Before the name of each field in a file's metadata.
pub const SAID: &str = "network.";

/// Letters of a number, or of the three of an image's shape, at most.
const LONGEST_NUMBER: usize = 64;

/// Why what is said is not enough, or cannot be; each prints as a part of a sentence.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SaidError {
    #[error("its metadata says {key} = {value}, which this version does not know")]
    Unknown { key: String, value: String },
    #[error("it does not say {0}: give that")]
    Missing(&'static str),
    #[error("{0}")]
    Senseless(String),
}

impl Said {
    /// All that decides the function of the network of this spec, and the settings that say its sizes.
    pub fn of(network: &NetworkSpec) -> Self {
        let is_ntk = network.parametrisation.is_ntk();
        let declared = network.declared().into_iter();
        let settings = declared.filter_map(|declared| {
            let setting = network.setting(&declared.name)?;
            Some((declared.name, setting))
        });
        Self {
            program: Some(network.program.clone()),
            text: network.text.as_deref().map(str::to_owned),
            activation: Some(network.activation),
            parametrisation: Some(network.parametrisation),
            sigma_w: is_ntk.then_some(network.sigma_w),
            sigma_b: is_ntk.then_some(network.sigma_b),
            alpha: network.laziness(),
            image: None,
            settings: settings.collect(),
        }
    }

    /// This with a setting of this value, where one is given.
    #[must_use]
    pub fn with(mut self, name: &str, setting: Option<impl Into<Setting>>) -> Self {
        self.settings.extend(setting.map(|setting| (name.to_owned(), setting.into())));
        self
    }

    /// Whether nothing at all is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is said as keys and values: `network.program`, `mlp`.
    pub fn pairs(&self) -> BTreeMap<String, String> {
        let text = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Float(number) => number.to_string(),
            other => other.to_string(),
        };
        self.table().iter().map(|(key, value)| (format!("{SAID}{key}"), text(value))).collect()
    }

    /// What these keys and values say; keys of others are not looked at.
    ///
    /// # Errors
    /// When one of ours, or its value, is unknown: a newer version may have written what changes the function.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, SaidError> {
        let (mut table, mut named) = (toml::Table::new(), "program");
        for (key, text) in pairs {
            let Some(field) = key.strip_prefix(SAID) else { continue };
            // As earlier versions called it.
            let field = if field == KIND { "program" } else { field };
            if field == "program" {
                named = &key[SAID.len()..];
            }
            // Long texts are no numbers, and a parser may go as deep into them as they are long.
            let number = Some(text).filter(|text| text.len() <= LONGEST_NUMBER);
            let number = number.and_then(|text| toml::from_str::<toml::Table>(&format!("value = {text}")).ok());
            let number = number.filter(|found| found.len() == 1).and_then(|mut found| found.remove("value"));
            let fits = |value: &toml::Value| {
                toml::Table::from_iter([(field.to_owned(), value.clone())]).try_into::<Self>().is_ok()
            };
            let word = Some(toml::Value::String(text.to_owned()));
            // Any text would do for a setting, also that of a number; and a network may be called 2024.
            let read = if ["program", "text"].contains(&field) { [word, number] } else { [number, word] };
            let value = read.into_iter().flatten().find(fits);
            let value = value.ok_or_else(|| SaidError::Unknown { key: key.to_owned(), value: text.to_owned() })?;
            table.insert(field.to_owned(), value);
        }
        // Each fits alone, so all fit together.
        let said: Self = table.try_into().unwrap_or_default();
        said.check(named)?;
        Ok(said)
    }

    /// Holds what is said against the text of the network that is said under this key.
    fn check(&self, named: &str) -> Result<(), SaidError> {
        let unknown = |name: &str, value: String| SaidError::Unknown { key: format!("{SAID}{name}"), value };
        let Some(program) = &self.program else {
            // Which settings there are is not known; those of networks that come with the program can be meant.
            let known: Vec<_> =
                text::NETWORKS.iter().flat_map(|network| NetworkSpec::named(network.name).declared()).collect();
            let is_known = |name: &str, setting| {
                known.iter().any(|declared| declared.name == name && takes(&declared.choices, setting))
            };
            let odd = self.settings.iter().find(|(name, setting)| !is_known(name, setting));
            return odd.map_or(Ok(()), |(name, setting)| Err(unknown(name, plain(setting))));
        };
        if self.text.is_none() && text::builtin(program).is_none() {
            return Err(unknown(named, program.clone()));
        }
        let declared = self.base(program).declared();
        if declared.is_empty() {
            return Err(unknown("text", "…".to_owned()));
        }
        for (name, setting) in &self.settings {
            let admits = declared.iter().find(|declared| declared.name == *name);
            // Of an earlier version, which said of every network what some have.
            let was_said = admits.is_none() && is_passed_over(name);
            if !was_said && !admits.is_some_and(|declared| takes(&declared.choices, setting)) {
                return Err(unknown(name, plain(setting)));
            }
        }
        Ok(())
    }

    /// The network of this name or this text, everything usual.
    fn base(&self, program: &str) -> NetworkSpec {
        NetworkSpec::written(program, self.text.as_deref().map(Into::into))
    }

    /// This, and where it says nothing the other.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut table = other.table();
        table.extend(self.table());
        table.try_into().unwrap_or_default()
    }

    /// The first field of which the two say different things: its key, what this says and what the other says.
    pub fn contradiction(&self, other: &Self) -> Option<(String, String, String)> {
        let others = other.pairs();
        let differs = |(key, own): (String, String)| {
            let theirs = others.get(&key).filter(|theirs| **theirs != own)?.clone();
            Some((key, own, theirs))
        };
        self.pairs().into_iter().find_map(differs)
    }

    /// The network that is meant, its sizes left at their usual values; and what had to be assumed for it, in words.
    ///
    /// # Errors
    /// When something is missing for which nothing can be assumed, or what is said makes no sense.
    pub fn network(&self) -> Result<(NetworkSpec, Vec<String>), SaidError> {
        let program = self.program.as_deref().ok_or(SaidError::Missing("the network (--arch)"))?;
        let mut assumed = Vec::new();
        let usual = self.base(program);
        let activation = match (self.activation, program) {
            (Some(said), _) => said,
            (None, "mlp") => return Err(SaidError::Missing("the activation (--activation)")),
            (None, _) => {
                assumed.push(format!("{} (--activation)", usual.activation.name()));
                usual.activation
            }
        };
        let declared = usual.declared();
        let mut spec = NetworkSpec { activation, ..usual };
        for (name, setting) in &self.settings {
            if declared.iter().any(|declared| declared.name == *name) {
                spec.set(name, setting.clone());
            } else if name == "pool" || !is_passed_over(name) {
                return Err(SaidError::Senseless(format!("{program} has no setting {name}: leave --{name} out")));
            }
        }
        if program == "cnn" && !self.settings.contains_key("pool") {
            return Err(SaidError::Missing("the pooling (--pool)"));
        }
        if let Some(heads) = spec.setting("heads").filter(|_| !self.settings.contains_key("heads")) {
            assumed.push(format!("{heads} attention heads (--heads)"));
        }
        let parametrisation = self.parametrisation.unwrap_or_else(|| {
            assumed.push("the standard parametrisation (--parametrisation)".to_owned());
            Parametrisation::Standard
        });
        let (sigma_w, sigma_b) = match (parametrisation, self.sigma_w, self.sigma_b) {
            (Parametrisation::Standard, None, None) => (spec.sigma_w, spec.sigma_b),
            (Parametrisation::Standard, ..) => {
                return Err(SaidError::Senseless(
                    "--sigma-w and --sigma-b belong to the NTK parametrisation: give --parametrisation ntk too"
                        .to_owned(),
                ));
            }
            (Parametrisation::Ntk, Some(sigma_w), Some(sigma_b)) => (sigma_w, sigma_b),
            (Parametrisation::Ntk, None, _) => {
                return Err(SaidError::Missing("σ_w of the NTK parametrisation (--sigma-w)"));
            }
            (Parametrisation::Ntk, _, None) => {
                return Err(SaidError::Missing("σ_b of the NTK parametrisation (--sigma-b)"));
            }
        };
        if !(sigma_w > 0.0 && sigma_w <= 1e3 && (0.0..=1e3).contains(&sigma_b)) {
            let message = "σ_w must lie above 0, σ_b not below it, and neither above 1000";
            return Err(SaidError::Senseless(message.to_owned()));
        }
        (spec.parametrisation, spec.sigma_w, spec.sigma_b) = (parametrisation, sigma_w, sigma_b);
        Ok((spec, assumed))
    }

    fn table(&self) -> toml::Table {
        // Words and numbers only: nothing that cannot be written.
        toml::Table::try_from(self).unwrap_or_default()
    }
}

/// A setting without the quotes of TOML.
fn plain(setting: &Setting) -> String {
    match setting {
        Setting::Word(word) => word.clone(),
        other => other.to_string(),
    }
}
