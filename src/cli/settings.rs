//! Defines the options that choose a run or study: a preset or a file, with keys changed on the command line.

use std::path::{Path, PathBuf};

use super::refused::RefusedRequest;
use crate::spec::{DataShape, PRESETS, Preset, Problem, STUDIES, Spec, controls_of, preset, study};

/// The arguments that choose a run.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Settings {
    /// A ready-made run; `kernelscope presets` lists them [default: the first]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub preset: Option<String>,
    /// A run file, for example the run.toml of an earlier run: the run repeats
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Change one setting, for example network.width=1024; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Settings {
    /// Returns the run, if it is valid. Reads at most the run file.
    pub fn spec(&self) -> Result<Spec, RefusedRequest> {
        let spec = self.read(|| PRESETS[0].spec(), preset)?;
        if spec.study.is_some() {
            return Err(RefusedRequest("this is a study: `kernelscope study` runs it".to_owned()));
        }
        refuse(spec.problems(&DataShape::expected(&spec)))?;
        Ok(spec)
    }

    /// Returns the study, if all of its runs are valid; `of` names the run of the study `controls`.
    pub fn study(&self, of: Option<&str>) -> Result<Spec, RefusedRequest> {
        let is_controls = self.preset.as_deref().and_then(study).is_some_and(Preset::is_controls);
        let spec = match of {
            Some(_) if !is_controls => {
                return Err(RefusedRequest(
                    "--of names the run of the study controls: add --preset controls, or leave it out".to_owned(),
                ));
            }
            _ if is_controls => self.controls(of)?,
            _ => self.read(|| STUDIES[0].spec(), study)?,
        };
        if spec.study.is_none() {
            return Err(RefusedRequest(
                "this is one run: give it a section [study], or `kernelscope run` it".to_owned(),
            ));
        }
        refuse(spec.study_problems())?;
        Ok(spec)
    }

    /// Returns the controls of a run: a preset with the given settings. Settings of the study itself come last.
    fn controls(&self, of: Option<&str>) -> Result<Spec, RefusedRequest> {
        let mut spec = match of {
            Some(name) => preset(name).ok_or_else(|| unknown(name))?.spec(),
            None => PRESETS[0].spec(),
        };
        let (own, of_run): (Vec<&str>, Vec<&str>) =
            self.set.iter().map(String::as_str).partition(|setting| setting.trim_start().starts_with("study."));
        let refused = |err: &dyn std::fmt::Display| RefusedRequest(err.to_string());
        spec.set_all(of_run).map_err(|err| refused(&err))?;
        spec.study = Some(controls_of(&spec));
        spec.set_all(own).map_err(|err| refused(&err))?;
        spec.root_paths(Path::new(""));
        Ok(spec)
    }

    /// Returns the settings, valid or not; those of `default` if neither a preset nor a file is named.
    pub fn read(
        &self,
        default: impl FnOnce() -> Spec,
        named: fn(&str) -> Option<&'static Preset>,
    ) -> Result<Spec, RefusedRequest> {
        let mut spec = match (&self.preset, &self.config) {
            (Some(name), _) => named(name).ok_or_else(|| unknown(name))?.spec(),
            (None, Some(path)) => {
                Spec::read(path).map_err(|err| RefusedRequest(format!("{}: {err}", path.display())))?
            }
            (None, None) => default(),
        };
        spec.set_all(self.set.iter().map(String::as_str)).map_err(|err| RefusedRequest(err.to_string()))?;
        spec.root_paths(Path::new(""));
        Ok(spec)
    }
}

fn unknown(name: &str) -> RefusedRequest {
    let message = match (preset(name), study(name)) {
        (Some(_), _) => format!("{name} is one run, no study: `kernelscope run --preset {name}`"),
        (_, Some(_)) => format!("{name} is a study: `kernelscope study --preset {name}`"),
        _ => format!("there is no preset {name}: `kernelscope presets` lists them"),
    };
    RefusedRequest(message)
}

pub(super) fn refuse(problems: Vec<Problem>) -> Result<(), RefusedRequest> {
    match problems.into_iter().next() {
        Some(problem) => Err(RefusedRequest(format!("{}: {}", problem.field, problem.message))),
        None => Ok(()),
    }
}
