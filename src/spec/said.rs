//! What decides a network's function beside its named tensors, as a weights file says it in its metadata and as a user says it
//! on the command line: in the words of the section `[network]` of a run file.
//!
//! Two networks of the same tensors are two functions where one of these differs, so a file that does not say them is only
//! half a network. Sizes are not among them: they are read from the shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Activation, Head, NetworkKind, NetworkSpec, Norm, Parametrisation, Pool};

/// What is said of a network; what is absent was not said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<NetworkKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm: Option<Norm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<usize>,
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
    Senseless(&'static str),
}

impl Said {
    /// All that decides the function of the network of this spec. Fields that its kind does not have are left out.
    pub fn of(network: &NetworkSpec) -> Self {
        let kind = network.kind;
        let is_ntk = network.parametrisation == Parametrisation::Ntk;
        let (is_cnn, is_transformer) = (kind == NetworkKind::Cnn, kind == NetworkKind::Transformer);
        Self {
            kind: Some(kind),
            activation: Some(network.activation),
            norm: Some(network.norm()),
            pool: is_cnn.then_some(network.pool),
            head: is_cnn.then_some(network.head),
            heads: is_transformer.then_some(network.heads),
            patch: is_transformer.then_some(network.patch),
            parametrisation: Some(network.parametrisation),
            sigma_w: is_ntk.then_some(network.sigma_w),
            sigma_b: is_ntk.then_some(network.sigma_b),
            alpha: network.laziness(),
            image: None,
        }
    }

    /// Whether nothing at all is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is said as keys and values: `network.kind`, `mlp`.
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
        let mut table = toml::Table::new();
        for (key, text) in pairs {
            let Some(field) = key.strip_prefix(SAID) else { continue };
            // Long texts are no numbers, and a parser may go as deep into them as they are long.
            let number = Some(text).filter(|text| text.len() <= LONGEST_NUMBER);
            let number = number.and_then(|text| toml::from_str::<toml::Table>(&format!("value = {text}")).ok());
            let number = number.filter(|found| found.len() == 1).and_then(|mut found| found.remove("value"));
            let fits = |value: &toml::Value| {
                toml::Table::from_iter([(field.to_owned(), value.clone())]).try_into::<Self>().is_ok()
            };
            let value = std::iter::once(toml::Value::String(text.to_owned())).chain(number).find(fits);
            let value = value.ok_or_else(|| SaidError::Unknown { key: key.to_owned(), value: text.to_owned() })?;
            table.insert(field.to_owned(), value);
        }
        // Each fits alone, so all fit together.
        Ok(table.try_into().unwrap_or_default())
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
        let kind = self.kind.ok_or(SaidError::Missing("the kind of network (--arch)"))?;
        let mut assumed = Vec::new();
        let usual = NetworkSpec::of(kind);
        let activation = match (self.activation, kind) {
            (Some(said), _) => said,
            (None, NetworkKind::Mlp) => return Err(SaidError::Missing("the activation (--activation)")),
            (None, _) => {
                assumed.push(format!("{} (--activation)", usual.activation.name()));
                usual.activation
            }
        };
        let pool = match (self.pool, kind) {
            (Some(said), _) => said,
            (None, NetworkKind::Cnn) => return Err(SaidError::Missing("the pooling (--pool)")),
            (None, _) => usual.pool,
        };
        let heads = self.heads.unwrap_or_else(|| {
            if kind == NetworkKind::Transformer {
                assumed.push(format!("{} attention heads (--heads)", usual.heads));
            }
            usual.heads
        });
        let parametrisation = self.parametrisation.unwrap_or_else(|| {
            assumed.push("the standard parametrisation (--parametrisation)".to_owned());
            Parametrisation::Standard
        });
        let (sigma_w, sigma_b) = match (parametrisation, self.sigma_w, self.sigma_b) {
            (Parametrisation::Standard, None, None) => (usual.sigma_w, usual.sigma_b),
            (Parametrisation::Standard, ..) => {
                return Err(SaidError::Senseless(
                    "--sigma-w and --sigma-b belong to the NTK parametrisation: give --parametrisation ntk too",
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
            return Err(SaidError::Senseless("σ_w must lie above 0, σ_b not below it, and neither above 1000"));
        }
        if self.pool.is_some() && kind != NetworkKind::Cnn {
            return Err(SaidError::Senseless("only a convolutional network pools: leave --pool out"));
        }
        let norm = self.norm;
        let spec = NetworkSpec { activation, pool, heads, parametrisation, sigma_w, sigma_b, norm, ..usual };
        Ok((spec, assumed))
    }

    fn table(&self) -> toml::Table {
        // Words and numbers only: nothing that cannot be written.
        toml::Table::try_from(self).unwrap_or_default()
    }
}
