//! Defines the defaults that come with a network's program: its usual width and activation, and its settings.
//!
//! A size is meaningful only for one program: 256 units make a small MLP, and 256 channels a CNN that is too slow to wait
//! for. So a file that names a program gets its usual width and activation where it gives none, and a change of program
//! replaces those that were the usual ones of the old program by those of the new one. Values that were given otherwise, or
//! that are in the same list of settings, stay.
//!
//! The methods of [`Spec`] and [`NetworkSpec`] here stand together, because a change of program is a change of several
//! settings.

use std::path::Path;
use std::sync::Arc;

use super::path::is_path;
use super::section::{Resolved, is_passed_over, resolved};
use super::text::{KIND, builtin};
use super::value_text::as_toml;
use super::{Init, NetworkSpec, Parametrisation, Spec, SpecError, Width};

impl NetworkSpec {
    /// Returns this network with another program: if width and activation were the usual ones of the old program they
    /// become those of the new one, and settings that the new text admits stay.
    #[must_use]
    pub fn with_other_program(&self, program: &str, text: Option<Arc<str>>) -> Self {
        let mut turned = Self { program: program.to_owned(), text, settings: Default::default(), ..self.clone() };
        if (&turned.program, &turned.text) != (&self.program, &self.text) {
            // Weights are those of one network.
            turned.begin_from(None);
        }
        if self.width == self.usual_width() || !turned.has_width() {
            turned.width = turned.usual_width().into();
        }
        if self.activation == self.usual_activation() {
            turned.activation = turned.usual_activation();
        }
        for declared in turned.declared() {
            if let Some(given) = self.settings.get(&declared.name).filter(|given| declared.choices.admits(given)) {
                turned.set(&declared.name, given.clone());
            }
        }
        turned
    }

    /// Describes the program and its sizes for users.
    pub fn words(&self) -> String {
        let width = match self.width {
            Width::Finite(width) => format!("width {width}"),
            Width::Infinite => "infinite width".to_owned(),
        };
        let settings =
            self.declared().into_iter().filter(|declared| declared.name != NetworkSpec::WIDTH).map(|declared| {
                let value = self.settings.get(&declared.name).unwrap_or(&declared.default);
                format!("{} {}", declared.name, value.to_string().trim_matches('"'))
            });
        let made: Vec<String> = self.has_width().then_some(width).into_iter().chain(settings).collect();
        let scaled = if self.parametrisation.is_ntk() { "NTK parametrisation" } else { "standard parametrisation" };
        let made = if made.is_empty() { String::new() } else { format!(" with {}", made.join(", ")) };
        format!("{}{made}; {}, {scaled}", self.program, self.activation.words())
    }

    /// Returns this network with the program of this name or path, or with this text.
    fn renamed(&self, program: Option<(&str, &str)>, text: Option<String>) -> Result<Self, SpecError> {
        let (key, name) = program.unwrap_or(("text", &self.program));
        // For a user's text, another name alone keeps the text.
        let is_name = builtin(name).is_none() && !is_path(name);
        let text = text.or_else(|| self.text.as_deref().filter(|_| is_name).map(str::to_owned));
        let refused = |reason| SpecError::BadValue { key: format!("network.{key}"), reason, place: None };
        let Resolved { program, text, is_module } = resolved(name, text.as_deref(), Path::new("")).map_err(refused)?;
        let turned = self.with_other_program(&program, text);
        // Each operation of a module begins as it does in PyTorch.
        Ok(if is_module {
            Self { init: Init::Torch, parametrisation: Parametrisation::Standard, ..turned }
        } else {
            turned
        })
    }
}

impl Spec {
    /// Applies a list of `KEY=VALUE`, one after the other. A program brings its usual width and activation, in whatever
    /// order they stand, except for those that the list sets.
    ///
    /// # Errors
    /// Fails at the first that cannot be applied.
    pub fn set_all<'a>(&mut self, assignments: impl IntoIterator<Item = &'a str>) -> Result<(), SpecError> {
        let mut changed = self.clone();
        let (mut program, mut text, mut others) = (None, None, Vec::new());
        for assignment in assignments {
            let of_network = assignment.split_once('=').and_then(|(key, value)| {
                let key = key.trim().strip_prefix("network.")?;
                ([KIND, "program", "text"].contains(&key)).then(|| (key, word(value)))
            });
            match of_network {
                Some(("text", given)) => text = Some(given),
                Some((key, given)) => program = Some((key, given)),
                None => others.push(assignment),
            }
        }
        if program.is_some() || text.is_some() {
            changed.network = self.network.renamed(program.as_ref().map(|(key, name)| (*key, name.as_str())), text)?;
        }
        let is_earlier = program.is_some_and(|(key, _)| key == KIND);
        let declared = changed.network.declared();
        for assignment in others {
            let key = assignment.split('=').next().unwrap_or_default().trim().strip_prefix("network.");
            let is_declared = |key: &str| declared.iter().any(|declared| declared.name == key);
            // As in files that name a kind: settings of every kind were written, used or not.
            if !(is_earlier && key.is_some_and(|key| is_passed_over(key) && !is_declared(key))) {
                changed.assign(assignment)?;
            }
        }
        *self = changed;
        Ok(())
    }
}

/// Returns a word, given with or without the quotes of TOML.
fn word(value: &str) -> String {
    let quoted = as_toml(value.trim()).and_then(|value| value.as_str().map(str::to_owned));
    quoted.unwrap_or_else(|| value.trim().to_owned())
}
