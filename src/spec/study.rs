//! A study: many runs that address one question. One axis takes several values, each with several seeds; variants of the
//! settings give several series of runs along the same axis.
//!
//! Its runs are plain specs, so each can be repeated alone with `kernelscope run`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::file::as_toml;
use super::validate::problem;
use super::{DataShape, Learner, LearningExperiment, Problem, Protocol, Spec, SpecError};

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

/// One run of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyRun {
    /// The series of the run, where there are values and variants; else empty.
    pub variant: String,
    /// The axis value, as text.
    pub value: String,
    pub seed: u64,
    /// The folder of the run within the study's.
    pub folder: String,
    pub spec: Spec,
    /// The learning experiment, in a study of learners.
    pub experiment: Option<Arc<LearningExperiment>>,
}

impl StudySpec {
    /// Returns whether the study compares learners, rather than runs of the live laboratory.
    pub fn learns(&self) -> bool {
        !self.learners.is_empty()
    }

    /// Returns the study with `samples` written out as values of an axis.
    pub fn spelt(&self) -> Self {
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
    fn is_too_large(&self) -> bool {
        self.points().count().saturating_mul(self.seeds.len()) > MOST_RUNS
    }

    /// Returns series, value and settings of each point, series by series; the series is empty where there is only one.
    fn points(&self) -> impl Iterator<Item = (String, String, Vec<String>)> + '_ {
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

impl StudyRun {
    /// Returns the name that distinguishes it from runs of the same seed: its series, if there are several, and its value.
    pub fn name(&self) -> String {
        let value = self.shown_value();
        if self.variant.is_empty() { value.to_owned() } else { format!("{} · {value}", self.variant) }
    }

    /// Returns the value shown to users.
    pub fn shown_value(&self) -> &str {
        if self.value == "inf" { "∞" } else { &self.value }
    }
}

/// The axis of a study of learners.
pub const SAMPLES: &str = "data.samples";

fn is_usual(protocol: &Protocol) -> bool {
    *protocol == Protocol::default()
}

/// Largest number of runs of a study.
const MOST_RUNS: usize = 1000;

fn too_large() -> String {
    format!("more than {MOST_RUNS} runs are not one study")
}

impl Spec {
    /// Returns the runs of a study, series by series, in each value by value and within a value seed by seed; this spec
    /// alone where there is no study.
    pub fn runs(&self) -> Result<Vec<StudyRun>, SpecError> {
        let base = Self { study: None, ..self.clone() };
        let Some(study) = self.study.as_ref().map(StudySpec::spelt) else {
            let folder = format!("seed-{}", self.seed);
            let (variant, value) = Default::default();
            return Ok(vec![StudyRun { variant, value, seed: self.seed, folder, spec: base, experiment: None }]);
        };
        // Checked before the runs are built: the list in a file may be long.
        if study.is_too_large() {
            return Err(SpecError::BadValue { key: "study.values".to_owned(), reason: too_large(), place: None });
        }
        let experiment = study.experiment().map(Arc::new);
        let mut runs = Vec::new();
        for (variant, value, settings) in study.points() {
            let mut spec = base.clone();
            spec.set_all(settings.iter().map(String::as_str))?;
            let series = if variant.is_empty() { String::new() } else { format!("{}-", file_name(&variant)) };
            for &seed in &study.seeds {
                let folder = format!("{series}{}-seed-{seed}", file_name(&value));
                let spec = Self { seed, ..spec.clone() };
                runs.push(StudyRun {
                    variant: variant.clone(),
                    value: value.clone(),
                    seed,
                    folder,
                    spec,
                    experiment: experiment.clone(),
                });
            }
        }
        Ok(runs)
    }

    /// Returns the problems that forbid this study or one of its runs, each with the name of the run. The expected shape of
    /// each run's data is used.
    pub fn study_problems(&self) -> Vec<Problem> {
        let Some(study) = &self.study else { return self.problems(&DataShape::expected(self)) };
        let mut found = study.finite_problems();
        if !found.is_empty() {
            return found;
        }
        if !study.samples.is_empty() && (!study.axis.is_empty() || !study.values.is_empty()) {
            let message = "samples are the values of data.samples: give either them or an axis with its values";
            return vec![problem("study.samples", message)];
        }
        let study = &study.spelt();
        if study.axis.is_empty() {
            found.push(problem("study.axis", "name the setting that varies, for example network.width"));
        }
        if study.values.is_empty() && study.variants.is_empty() {
            found.push(problem("study.values", "give at least one value of the axis"));
        }
        let plain = (!study.values.is_empty()).then_some(study.axis.as_str());
        if plain == Some("changes") {
            found.push(problem("study.axis", "changes have no values in a row: give variants, each with its changes"));
        }
        for variant in &study.variants {
            if plain.is_some() && variant.name.is_empty() {
                found.push(problem("study.variants", "a series of runs needs a name"));
            }
            if plain.is_none() && !variant.values.is_empty() {
                let message = format!("{} varies along an axis: give study.values too", variant.name);
                found.push(problem("study.variants", message));
            }
        }
        let settings = study.variants.iter().flat_map(|variant| &variant.set);
        let keys: Vec<&str> = settings.filter_map(|setting| Some(setting.split('=').next()?.trim())).collect();
        if let Some(axis) = plain.filter(|axis| keys.contains(axis)) {
            found.push(problem("study.variants", format!("{axis} is the axis: no variant can set it as well")));
        }
        for key in keys.into_iter().chain(plain) {
            if ["seed", "version"].contains(&key) || key.starts_with("study") {
                found.push(problem("study.axis", format!("{key} cannot vary; give seeds in study.seeds")));
            }
        }
        if study.seeds.is_empty() {
            found.push(problem("study.seeds", "give at least one seed"));
        }
        if study.is_too_large() {
            found.push(problem("study.values", too_large()));
        }
        if !found.is_empty() {
            return found;
        }
        let runs = match self.runs() {
            Ok(runs) => runs,
            Err(err) => return vec![problem("study.values", err.to_string())],
        };
        let mut folders: Vec<&str> = runs.iter().map(|run| run.folder.as_str()).collect();
        folders.sort_unstable();
        if let Some(twice) = folders.windows(2).find(|pair| pair[0] == pair[1]) {
            found.push(problem("study.values", format!("{} would be run twice: drop one of the two", twice[0])));
        }
        for run in runs {
            let mut problems = run.spec.problems(&DataShape::expected(&run.spec));
            run.experiment.iter().for_each(|experiment| run.spec.experiment_problems(experiment, &mut problems));
            for Problem { field, message } in problems {
                let series = if run.variant.is_empty() { String::new() } else { format!("{}, ", run.variant) };
                let message = format!("with {series}{} = {}: {message}", study.axis, run.value);
                found.push(Problem { field, message });
            }
        }
        found
    }
}

/// Formats values as text, separated by commas.
pub fn values_text(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

/// Formats one value.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Formats a value as part of a file name: characters that are not allowed become a hyphen.
fn file_name(value: &str) -> String {
    let kept = |letter: char| if letter.is_alphanumeric() || ".+_".contains(letter) { letter } else { '-' };
    let name: String = value.chars().map(kept).collect();
    // A leading minus is part of the value.
    let name = name.trim_end_matches(['-', '.']).trim_start_matches('.');
    if name.is_empty() { "value".to_owned() } else { name.to_owned() }
}
