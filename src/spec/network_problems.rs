//! Validates a network: settings that its text does not declare or admit, a text that gives no program for the images, and
//! scales so small that the outputs vanish.
//!
//! These methods of [`NetworkSpec`] stand apart from `network`, because they report to the list of problems of a spec.

use std::sync::Arc;

use super::problem::problem;
use super::text::{self, Declared};
use super::{DataShape, NetworkSpec, Problem, Program, Spec};

impl NetworkSpec {
    /// Returns the problems that forbid this network on images [channels, height, width] with `outputs` logits.
    pub fn check(&self, image: [usize; 3], outputs: usize) -> Vec<Problem> {
        let mut found = Vec::new();
        self.problems(&DataShape { image, outputs, ..DataShape::expected(&Spec::default()) }, &mut found);
        found
    }

    /// Returns the program for data of this shape; where there is none, which is a problem, its outline.
    pub(super) fn program_for(&self, shape: &DataShape) -> Option<Arc<Program>> {
        self.program(shape.image, shape.outputs).ok().or_else(|| self.outline())
    }

    /// Returns the message for an unknown network name.
    pub(super) fn unknown(&self) -> String {
        let known: Vec<&str> = text::NETWORKS.iter().map(|network| network.name).collect();
        let (name, known) = (super::wording::shown(&self.program), known.join(", "));
        format!("there is no {name}, there are {known}; or give the path of a text, as in my/net.rhai")
    }

    /// Adds the problems that forbid this network on images of this shape.
    pub(super) fn problems(&self, shape: &DataShape, found: &mut Vec<Problem>) {
        let before = found.len();
        match text::declared(self.source_text()) {
            _ if self.source_text().is_empty() => found.push(problem("network.program", self.unknown())),
            Err(err) => found.push(problem("network.program", err.to_string())),
            Ok(declared) => self.setting_problems(&declared, found),
        }
        if found.len() == before
            && let Err(why) = self.program(shape.image, shape.outputs)
        {
            let field = self.culprit(shape).map_or("network.program".into(), |name| format!("network.{name}"));
            let fitting = self.fitting_words();
            found.push(problem(field, if fitting.is_empty() { why } else { format!("{why}: {fitting}") }));
        }
        for (field, sigma, low) in
            [("network.sigma_w", self.sigma_w, LEAST_SIGMA), ("network.sigma_b", self.sigma_b, 0.0)]
        {
            if !(low..=100.0).contains(&sigma) {
                found.push(problem(field, format!("the scale must be a number between {low} and 100")));
            }
        }
        if self.alpha.is_some_and(|alpha| !(1e-3..=1e3).contains(&alpha)) {
            found.push(problem("network.alpha", "the laziness α must lie between 0.001 and 1000"));
        }
        if self.alpha_width.is_some_and(|width| !(1..=1_000_000).contains(&width)) {
            found
                .push(problem("network.alpha_width", "the width at which α is given must lie between 1 and a million"));
        }
    }

    fn setting_problems(&self, declared: &[Declared], found: &mut Vec<Problem>) {
        let (low, high) = self.widths().into_inner();
        if !self.has_width() {
            let mut depends = |wrong: bool, field: &'static str, message: String| {
                if wrong {
                    found.push(problem(field, message));
                }
            };
            depends(self.width != self.usual_width(), "network.width", NO_WIDTH.to_owned());
            let message = format!("{NO_WIDTH}, so that α cannot depend on it");
            depends(self.alpha_width.is_some(), "network.alpha_width", message);
        } else if let Some(width) = self.width.finite()
            && !(low..=high).contains(&width)
        {
            let message = format!("the width must lie between {low} and {high}, or be inf, not {width}");
            found.push(problem("network.width", message));
        }
        for (name, setting) in &self.settings {
            let message = match declared.iter().find(|declared| declared.name == *name) {
                None => {
                    let known: Vec<&str> = declared.iter().map(|declared| declared.name.as_str()).collect();
                    let known = if known.is_empty() { "no other".to_owned() } else { known.join(", ") };
                    format!("{} has no setting {name}, it has {known}", self.program)
                }
                Some(declared) if !declared.choices.admits(setting) => {
                    format!("{name} is {}, not {setting}", declared.choices.words())
                }
                Some(_) => continue,
            };
            found.push(problem(format!("network.{name}"), message));
        }
    }

    /// Returns the name of the given setting without which the text would give a network, if there is one.
    fn culprit(&self, shape: &DataShape) -> Option<String> {
        let without = |name: &&String| {
            let mut other = self.clone();
            other.settings.remove(*name);
            other.program(shape.image, shape.outputs).is_ok()
        };
        self.settings.keys().find(without).cloned()
    }
}

/// The reason why something that depends on the width is refused.
pub(super) const NO_WIDTH: &str = "the text of this network declares no width, so it has none, finite or infinite";
/// Weights of a smaller scale make the signal vanish after a few layers.
const LEAST_SIGMA: f64 = 1e-6;
