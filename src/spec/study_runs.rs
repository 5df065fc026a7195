//! Lists the runs of a study as plain specs, and finds the problems that forbid a study.
//!
//! These methods of [`Spec`] stand apart from its definition in `settings`, because they apply to studies only.

use std::sync::Arc;

use super::problem::problem;
use super::study::MOST_RUNS;
use super::{DataShape, LearningExperiment, Problem, Spec, SpecError, StudySpec};

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

impl Spec {
    /// Returns the runs of a study, series by series, in each value by value and within a value seed by seed; this spec
    /// alone where there is no study.
    pub fn runs(&self) -> Result<Vec<StudyRun>, SpecError> {
        let base = Self { study: None, ..self.clone() };
        let Some(study) = self.study.as_ref().map(StudySpec::with_axis_values) else {
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
        let study = &study.with_axis_values();
        if study.compares_learners() && self.network.weights.is_some() {
            let message = "a study of learners draws its networks anew for each sample: leave the weights out";
            found.push(problem("network.weights", message));
        }
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

fn too_large() -> String {
    format!("more than {MOST_RUNS} runs are not one study")
}

/// Formats a value as part of a file name: characters that are not allowed become a hyphen.
fn file_name(value: &str) -> String {
    let kept = |letter: char| if letter.is_alphanumeric() || ".+_".contains(letter) { letter } else { '-' };
    let name: String = value.chars().map(kept).collect();
    // A leading minus is part of the value.
    let name = name.trim_end_matches(['-', '.']).trim_start_matches('.');
    if name.is_empty() { "value".to_owned() } else { name.to_owned() }
}
