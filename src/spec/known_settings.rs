//! Reads the settings that determine a network's function besides its named tensors, from the metadata of a weights file
//! or from the command line, under the keys of the section `[network]` of a run file.
//!
//! Two networks with the same tensors are different functions if one of these settings differs, so a file without them
//! describes the network incompletely. Sizes that are missing are read from the shapes.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::section::{Resolved, is_passed_over, resolved, takes};
use super::text::{self, KIND};
use super::wording::shown;
use super::{Activation, NetworkSpec, Parametrisation, Setting};

/// The known settings of a network; an absent field is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KnownSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Its text, if it is not a built-in network.
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
    /// The laziness α at this width: α (f − f₀) was trained, and the tensors are those of f.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Channels, height and width of the training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<[usize; 3]>,
    /// Settings that its text declares, by name.
    #[serde(flatten)]
    pub settings: BTreeMap<String, Setting>,
}

/// Prefix of each key in a file's metadata.
pub const METADATA_PREFIX: &str = "network.";

/// Largest number of characters of a number, or of the three numbers of an image's shape.
const LONGEST_NUMBER: usize = 64;

/// The error of incomplete or invalid settings; each prints as a part of a sentence.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum KnownSettingsError {
    #[error("its metadata says {key} = {value}, which this version does not know")]
    Unknown { key: String, value: String },
    #[error("its metadata does not determine {0}: give that")]
    Missing(&'static str),
    #[error("{0}")]
    Senseless(String),
}

impl KnownSettings {
    /// Returns all settings that determine the function of this spec's network, including its sizes.
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

    /// Returns the settings that name the built-in network `program`, or the text at that path.
    ///
    /// # Errors
    /// If there is no such network, or its text cannot be read, names the reason in one sentence.
    pub fn named(program: &str) -> Result<Self, String> {
        let Resolved { program, text, .. } = resolved(program, None, Path::new(""))?;
        Ok(Self { program: Some(program), text: text.map(|text| text.to_string()), ..Self::default() })
    }

    /// Returns a copy with the setting set to this value, if one is given.
    #[must_use]
    pub fn with(mut self, name: &str, setting: Option<impl Into<Setting>>) -> Self {
        self.settings.extend(setting.map(|setting| (name.to_owned(), setting.into())));
        self
    }

    /// Returns whether no setting is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the settings as keys and values: `network.program`, `mlp`.
    pub fn pairs(&self) -> BTreeMap<String, String> {
        let text = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Float(number) => number.to_string(),
            other => other.to_string(),
        };
        self.table().iter().map(|(key, value)| (format!("{METADATA_PREFIX}{key}"), text(value))).collect()
    }

    /// Reads settings from these keys and values; keys without our prefix are ignored.
    ///
    /// # Errors
    /// Fails if a key with our prefix, or its value, is unknown: a newer version may have written a setting that changes
    /// the function.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, KnownSettingsError> {
        let (settings, named) = Self::read(pairs)?;
        settings.check(named)?;
        Ok(settings)
    }

    /// Reads settings from a user's `KEY=VALUE` pairs, whose keys are those of a run file, with or without `network.`.
    ///
    /// # Errors
    /// If a key cannot have its value, names both.
    pub fn from_settings<'a>(changes: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for change in changes {
            let Some((key, value)) = change.split_once('=') else {
                return Err(format!("{} is no setting: write NAME=VALUE", shown(change)));
            };
            pairs.push((format!("{METADATA_PREFIX}{}", key.trim().trim_start_matches(METADATA_PREFIX)), value.trim()));
        }
        let read = Self::read(pairs.iter().map(|(key, value)| (key.as_str(), *value)));
        let (settings, _) = read.map_err(|err| match err {
            KnownSettingsError::Unknown { key, value } => format!("{} cannot be {}", shown(&key), shown(&value)),
            other => other.to_string(),
        })?;
        match settings.program {
            Some(_) => Err("the network is named by --arch and not by a setting".to_owned()),
            None => Ok(settings),
        }
    }

    /// Reads settings from keys and values; also returns the key that names the network.
    fn read<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(Self, &'a str), KnownSettingsError> {
        let (mut table, mut named) = (toml::Table::new(), "program");
        for (key, text) in pairs {
            let Some(field) = key.strip_prefix(METADATA_PREFIX) else { continue };
            // The name used by earlier versions.
            let field = if field == KIND { "program" } else { field };
            if field == "program" {
                named = &key[METADATA_PREFIX.len()..];
            }
            // A long text is not a number, and parsing it could recurse as deep as it is long.
            let number = Some(text).filter(|text| text.len() <= LONGEST_NUMBER);
            let number = number.and_then(|text| toml::from_str::<toml::Table>(&format!("value = {text}")).ok());
            let number = number.filter(|found| found.len() == 1).and_then(|mut found| found.remove("value"));
            let fits = |value: &toml::Value| {
                toml::Table::from_iter([(field.to_owned(), value.clone())]).try_into::<Self>().is_ok()
            };
            let word = Some(toml::Value::String(text.to_owned()));
            // Text would parse for any setting, even one that is a number; and a network may be called 2024.
            let read = if ["program", "text"].contains(&field) { [word, number] } else { [number, word] };
            let value = read.into_iter().flatten().find(fits);
            let value =
                value.ok_or_else(|| KnownSettingsError::Unknown { key: key.to_owned(), value: text.to_owned() })?;
            table.insert(field.to_owned(), value);
        }
        // Each value parses alone, so all parse together.
        Ok((table.try_into().unwrap_or_default(), named))
    }

    /// Checks the settings against the text of the network named by this key.
    fn check(&self, named: &str) -> Result<(), KnownSettingsError> {
        let unknown =
            |name: &str, value: String| KnownSettingsError::Unknown { key: format!("{METADATA_PREFIX}{name}"), value };
        let Some(program) = &self.program else {
            // The network is unknown; the settings of all built-in networks are accepted.
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
        let Ok(declared) = text::declared(self.base(program).source_text()) else {
            return Err(unknown("text", "…".to_owned()));
        };
        for (name, setting) in &self.settings {
            let admits = declared.iter().find(|declared| declared.name == *name);
            // Earlier versions wrote some settings for every network, used or not.
            let is_obsolete = admits.is_none() && is_passed_over(name);
            if !is_obsolete && !admits.is_some_and(|declared| takes(&declared.choices, setting)) {
                return Err(unknown(name, plain(setting)));
            }
        }
        Ok(())
    }

    /// Returns the network of this name or this text with default settings.
    fn base(&self, program: &str) -> NetworkSpec {
        NetworkSpec::from_text(program, self.text.as_deref().map(Into::into))
    }

    /// Returns these settings, completed from `other`.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut table = other.table();
        table.extend(self.table());
        table.try_into().unwrap_or_default()
    }

    /// Returns the first field on which the two differ: its key, this value and the other value.
    pub fn contradiction(&self, other: &Self) -> Option<(String, String, String)> {
        let others = other.pairs();
        let differs = |(key, own): (String, String)| {
            let theirs = others.get(&key).filter(|theirs| **theirs != own)?.clone();
            // Texts are too long for a sentence.
            let is_text = key.strip_prefix(METADATA_PREFIX) == Some("text");
            Some(if is_text { (key, "one".to_owned(), "another".to_owned()) } else { (key, own, theirs) })
        };
        self.pairs().into_iter().find_map(differs)
    }

    /// Returns the network described, with sizes at their usual values, and the assumptions made for missing settings, in
    /// words.
    ///
    /// # Errors
    /// Fails if a setting without a default is missing, or if the settings are invalid.
    pub fn network(&self) -> Result<(NetworkSpec, Vec<String>), KnownSettingsError> {
        let program = self.program.as_deref().ok_or(KnownSettingsError::Missing("the network (--arch)"))?;
        let mut assumed = Vec::new();
        let usual = self.base(program);
        let activation = match (self.activation, program) {
            (Some(given), _) => given,
            (None, "mlp") => return Err(KnownSettingsError::Missing("the activation (--activation)")),
            (None, _) => {
                assumed.push(format!("{} (--activation)", usual.activation.name()));
                usual.activation
            }
        };
        let declared = usual.declared();
        let mut spec = NetworkSpec { activation, ..usual };
        for (name, setting) in &self.settings {
            match declared.iter().find(|declared| declared.name == *name) {
                // The width is not checked: shapes determine it.
                Some(declared) if name != NetworkSpec::WIDTH && !declared.choices.admits(setting) => {
                    let choices = declared.choices.words();
                    return Err(KnownSettingsError::Senseless(format!("{name} is {choices}, not {setting}")));
                }
                Some(_) => spec.set(name, setting.clone()),
                None if name == "pool" || !is_passed_over(name) => {
                    let option = if ["pool", "heads"].contains(&name.as_str()) { "--" } else { "--set " };
                    let message = format!("{program} has no setting {name}: leave {option}{name} out");
                    return Err(KnownSettingsError::Senseless(message));
                }
                None => {}
            }
        }
        if program == "cnn" && !self.settings.contains_key("pool") {
            return Err(KnownSettingsError::Missing("the pooling (--pool)"));
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
                return Err(KnownSettingsError::Senseless(
                    "--sigma-w and --sigma-b belong to the NTK parametrisation: give --parametrisation ntk too"
                        .to_owned(),
                ));
            }
            (Parametrisation::Ntk, Some(sigma_w), Some(sigma_b)) => (sigma_w, sigma_b),
            (Parametrisation::Ntk, None, _) => {
                return Err(KnownSettingsError::Missing("σ_w of the NTK parametrisation (--sigma-w)"));
            }
            (Parametrisation::Ntk, _, None) => {
                return Err(KnownSettingsError::Missing("σ_b of the NTK parametrisation (--sigma-b)"));
            }
        };
        if !(sigma_w > 0.0 && sigma_w <= 1e3 && (0.0..=1e3).contains(&sigma_b)) {
            let message = "σ_w must lie above 0, σ_b not below it, and neither above 1000";
            return Err(KnownSettingsError::Senseless(message.to_owned()));
        }
        (spec.parametrisation, spec.sigma_w, spec.sigma_b) = (parametrisation, sigma_w, sigma_b);
        Ok((spec, assumed))
    }

    fn table(&self) -> toml::Table {
        // Words and numbers only, which always serialise.
        toml::Table::try_from(self).unwrap_or_default()
    }
}

/// Formats a setting without the quotes of TOML.
fn plain(setting: &Setting) -> String {
    match setting {
        Setting::Word(word) => word.clone(),
        other => other.to_string(),
    }
}
