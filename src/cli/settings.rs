//! Which run is meant: a preset or a file, with keys changed on the command line.

use std::fs;
use std::path::PathBuf;

use super::Refused;
use crate::spec::{DataShape, PRESETS, Spec, preset};

/// Arguments that say what a run is.
#[derive(Debug, Default, clap::Args)]
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
    /// The spec that is meant, if it can be run. Reads at most the run file.
    pub fn spec(&self) -> Result<Spec, Refused> {
        let refused = |err: &dyn std::fmt::Display| Refused(err.to_string());
        let mut spec = match (&self.preset, &self.config) {
            (Some(name), _) => preset(name)
                .ok_or_else(|| Refused(format!("there is no preset {name}: `kernelscope presets` lists them")))?
                .spec(),
            (None, Some(path)) => {
                let text = fs::read_to_string(path)
                    .map_err(|err| Refused(format!("cannot read the run file {}: {err}", path.display())))?;
                Spec::from_toml(&text).map_err(|err| Refused(format!("{}: {err}", path.display())))?
            }
            (None, None) => PRESETS[0].spec(),
        };
        for assignment in &self.set {
            spec.set(assignment).map_err(|err| refused(&err))?;
        }
        match spec.problems(&DataShape::expected(&spec)).into_iter().next() {
            Some(problem) => Err(Refused(format!("{}: {}", problem.field, problem.message))),
            None => Ok(spec),
        }
    }
}
