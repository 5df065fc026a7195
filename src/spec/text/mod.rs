//! Networks as text: a short file in the language Rhai, evaluated once to a [`Program`](crate::spec::Program).
//!
//! The text has access to the image `x`, the number of `classes`, the shape of the `image` and the function `act`; its last
//! expression is the logits. `setting("width", 128, 16..8192)` declares a setting and returns its value. The functions are
//! [`FUNCTIONS`].
//!
//! Guarantees: a text can only write a program; any text ends within a second in a program or in one sentence that
//! names the place and the reason. The same text with the same inputs gives the same program, and is evaluated once as long
//! as it is among the latest evaluations.

mod arguments;
mod cache;
mod effort;
mod error;
mod evaluate;
mod functions;
mod library;
mod setting;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use evaluate::Outcome;

pub use error::TextError;
pub use evaluate::{Described, EvaluationInputs, MOST_BYTES};
pub use functions::{FUNCTIONS, Function};
pub use library::{NETWORKS, Network, builtin, summary};
pub use setting::{Choices, Declared, FIELDS, KIND, Setting, WIDTH};

use super::{Activation, Shapes};

/// Half of the sentence with which the text of a module of PyTorch refuses other samples than those of its example; channels,
/// height and width follow, with × between.
pub const EXPORTED_FOR: &str = "it was exported for samples of ";

/// Returns the program that a text writes and the settings that it declares.
///
/// # Errors
/// If it is not a network, or none for this image or these settings, names the place and the reason in one sentence.
pub fn describe(text: &str, inputs: &EvaluationInputs<'_>) -> Result<Arc<Described>, TextError> {
    cache::outcome(text, inputs).described.clone()
}

/// Evaluates a text for the tensors of a weights file, by name and shape: its layers have the widths of these, and its
/// settings are not limited to their ranges.
///
/// # Errors
/// As [`describe`].
pub fn adopting(text: &str, inputs: &EvaluationInputs<'_>, tensors: &Arc<Shapes>) -> Result<Arc<Described>, TextError> {
    evaluate::evaluate(text, inputs, Some(tensors)).described
}

/// The image and the number of classes for which the settings of a text are read where the data are unknown.
const NOMINAL: ([usize; 3], usize) = ([3, 32, 32], 10);

/// Returns the settings of a text at their defaults. A text that is not a network for a colour image of 32 × 32 pixels
/// still has the settings that stand before the error.
///
/// # Errors
/// Fails if it cannot be parsed, or declares an invalid setting.
pub fn declared(text: &str) -> Result<Vec<Declared>, TextError> {
    nominal(text).map(|outcome| outcome.settings.clone())
}

/// Returns whether a text declares a width. What a text says behind an error is unknown: it is then taken to declare one if it
/// names one anywhere.
pub fn has_width(text: &str) -> bool {
    let names_it = || ["\"width\"", "`width`"].iter().any(|name| text.contains(name));
    match nominal(text) {
        Ok(outcome) => {
            let declares = outcome.settings.iter().any(|declared| declared.name == WIDTH);
            declares || (outcome.described.is_err() && names_it())
        }
        Err(_) => true,
    }
}

/// Returns the activation that a text declares as usual, if any.
///
/// # Errors
/// As [`declared`].
pub fn usual_activation(text: &str) -> Result<Option<Activation>, TextError> {
    nominal(text).map(|outcome| outcome.activation)
}

/// Evaluates a text for the nominal image; fails if its settings could not be read.
fn nominal(text: &str) -> Result<Arc<Outcome>, TextError> {
    let (image, classes) = NOMINAL;
    let inputs = EvaluationInputs { image, classes, activation: Activation::Relu, settings: &BTreeMap::new() };
    let outcome = cache::outcome(text, &inputs);
    match &outcome.described {
        Err(error) if !outcome.is_read => Err(error.clone()),
        _ => Ok(outcome),
    }
}
