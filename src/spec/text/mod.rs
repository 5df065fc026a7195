//! A network as text: a short file in the language Rhai, evaluated once to a [`Program`].
//!
//! The text is given the image `x`, the number of `classes`, the shape of the `image` and the function `act`; its last expression
//! is the logits. `setting("width", 128, 16..8192)` declares a setting and gives its value. The functions are [`FUNCTIONS`].
//!
//! Guarantees: a text can do nothing but write a program; whatever it is, it ends within half a second in a program or in one
//! sentence that says where and why. The same text with the same question gives the same program, and is evaluated once as long as
//! it is among the last that were asked.

mod arguments;
mod cache;
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
pub use evaluate::MOST_BYTES;
pub use functions::{FUNCTIONS, Function};
pub use library::{NETWORKS, Network, builtin, summary};
pub use setting::{Choices, Declared, Setting};

use super::{Activation, Program};

/// What a text is evaluated for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked<'a> {
    /// Channels, height and width.
    pub image: [usize; 3],
    pub classes: usize,
    /// The function that the text calls `act`.
    pub activation: Activation,
    /// Settings that differ from their defaults, or all of them.
    pub settings: &'a BTreeMap<String, Setting>,
}

/// What a text says.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub program: Program,
    /// In the order in which the text declares them.
    pub settings: Vec<Declared>,
    /// The activation that the text calls usual, if it does.
    pub activation: Option<Activation>,
}

/// The program that a text writes, and the settings that it declares.
///
/// # Errors
/// When it is no network, or none for this image or these settings, says where and why in one sentence.
pub fn describe(text: &str, asked: &Asked<'_>) -> Result<Arc<Described>, TextError> {
    cache::outcome(text, asked).described.clone()
}

/// The image and the classes for which the settings of a text are read where no data are at hand.
const NOMINAL: ([usize; 3], usize) = ([3, 32, 32], 10);

/// The settings of a text at their defaults. A text that is no network for a colour image of 32 × 32 pixels still has its
/// settings, as far as they stand before what is wrong.
///
/// # Errors
/// When it cannot be read, or declares a setting that cannot be.
pub fn declared(text: &str) -> Result<Vec<Declared>, TextError> {
    nominal(text).map(|outcome| outcome.settings.clone())
}

/// The activation that a text calls usual, if it does.
///
/// # Errors
/// As [`declared`].
pub fn usual_activation(text: &str) -> Result<Option<Activation>, TextError> {
    nominal(text).map(|outcome| outcome.activation)
}

/// What a text says for the nominal image, where its settings could be read.
fn nominal(text: &str) -> Result<Arc<Outcome>, TextError> {
    let (image, classes) = NOMINAL;
    let asked = Asked { image, classes, activation: Activation::Relu, settings: &BTreeMap::new() };
    let outcome = cache::outcome(text, &asked);
    match &outcome.described {
        Err(error) if !outcome.is_read => Err(error.clone()),
        _ => Ok(outcome),
    }
}
