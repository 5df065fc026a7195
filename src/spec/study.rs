//! Declares a study: many runs that address one question. One axis takes several values, each with several seeds;
//! variants of the settings give several series of runs along the same axis.
//!
//! Its runs are plain specs, so each can be repeated alone with `kernelscope run`.

use serde::{Deserialize, Serialize};
use toml::Value;

use super::problem::problem;
use super::value_text::{as_toml, text};
use super::{Learner, Problem, Protocol, values_text};

/// The section `[study]` of a run file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudySpec {
    /// The key that varies, as for `--set`: `network.width`. With variants alone, a name for what they have in common:
    /// `regime`.
    pub axis: String,
    /// The values of that key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
    /// Named groups of settings: the points of the axis where there are no `values`, else one series each along all values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// Seeds with which each value is run.
    pub seeds: Vec<u64>,
    /// Numbers of samples, a short form of `axis = "data.samples"` with `values`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<usize>,
    /// The learners; if there are any, the runs are learning experiments and not runs of the live laboratory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learners: Vec<Learner>,
    /// The protocol of the learners.
    #[serde(skip_serializing_if = "is_usual")]
    pub protocol: Protocol,
}

/// A named group of settings: one point of an axis, or one series along it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variant {
    pub name: String,
    /// Assignments as for `--set`: `network.parametrisation=ntk`.
    pub set: Vec<String>,
    /// Values in place of the study's, for a series that cannot use the same: channels are not hidden units.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

impl StudySpec {
    /// Returns whether the study compares learners, rather than runs of the live laboratory.
    pub fn compares_learners(&self) -> bool {
        !self.learners.is_empty()
    }

    /// Returns the study with `samples` written out as values of an axis.
    pub fn with_axis_values(&self) -> Self {
        if self.samples.is_empty() {
            return self.clone();
        }
        let values = self.samples.iter().map(|&samples| Value::Integer(samples as i64)).collect();
        Self { axis: SAMPLES.to_owned(), values, samples: Vec::new(), ..self.clone() }
    }

    /// Returns the values as text, separated by commas.
    pub fn values_text(&self) -> String {
        values_text(&self.values)
    }

    /// Returns whether its variants are series along an axis of values.
    pub fn has_series(&self) -> bool {
        !self.values.is_empty() && !self.variants.is_empty()
    }

    /// Returns whether it has more runs than allowed.
    pub(super) fn is_too_large(&self) -> bool {
        self.points().count().saturating_mul(self.seeds.len()) > MOST_RUNS
    }

    /// Returns series, value and settings of each point, series by series; the series is empty where there is only one.
    pub(super) fn points(&self) -> impl Iterator<Item = (String, String, Vec<String>)> + '_ {
        let single = self.variants.is_empty().then(Variant::default);
        let series = self.variants.iter().cloned().chain(single);
        series.flat_map(|variant| {
            if self.values.is_empty() {
                return vec![(String::new(), variant.name, variant.set)];
            }
            let values = if variant.values.is_empty() { self.values.clone() } else { variant.values };
            let point = |value: &Value| {
                let along = format!("{}={value}", self.axis);
                (variant.name.clone(), text(value), variant.set.iter().cloned().chain([along]).collect())
            };
            values.iter().map(point).collect()
        })
    }

    /// Parses values: TOML, separated by commas; text that is not TOML is a word, so that `relu, tanh` needs no quotes.
    pub fn values_of(text: &str) -> Vec<Value> {
        if let Some(Value::Array(values)) = as_toml(&format!("[{text}]")) {
            return values;
        }
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(|word| as_toml(word).unwrap_or_else(|| Value::String(word.to_owned()))).collect()
    }

    /// Parses seeds: whole numbers from 0, separated by commas or blanks.
    pub fn seeds_of(text: &str) -> Result<Vec<u64>, Problem> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let seed = |word: &str| {
            let message = || problem("study.seeds", format!("{word} is no seed: give whole numbers, as in 1, 2, 3"));
            word.parse().map_err(|_| message())
        };
        words.map(seed).collect()
    }
}

/// The axis of a study of learners.
pub const SAMPLES: &str = "data.samples";

fn is_usual(protocol: &Protocol) -> bool {
    *protocol == Protocol::default()
}

/// Largest number of runs of a study.
pub(super) const MOST_RUNS: usize = 1000;
