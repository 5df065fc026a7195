//! Settings that a text declares, with a default and choices; the window shows them as sliders, switches and lists.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// The setting that studies of width vary, and the only one that may be infinite; most texts declare it.
pub const WIDTH: &str = "width";
/// The keys that the section `[network]` has whatever the text declares.
pub const FIELDS: [&str; 13] = [
    "program",
    "text",
    WIDTH,
    "activation",
    "parametrisation",
    "init",
    "weights",
    "weights_hash",
    "weights_copy",
    "sigma_w",
    "sigma_b",
    "alpha",
    "alpha_width",
];
/// The key of the program in earlier versions.
pub const KIND: &str = "kind";

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    Whole(i64),
    Real(f64),
    Flag(bool),
    Word(String),
}

impl fmt::Display for Setting {
    /// Writes the value as in TOML.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(to, "{number}"),
            Self::Real(number) => write!(to, "{}", toml::Value::Float(*number)),
            Self::Flag(flag) => write!(to, "{flag}"),
            Self::Word(word) => write!(to, "{}", toml::Value::String(word.clone())),
        }
    }
}

macro_rules! from {
    ($($type:ty => $how:expr),* $(,)?) => {
        $(impl From<$type> for Setting {
            fn from(value: $type) -> Self {
                ($how)(value)
            }
        })*
    };
}

from! {
    i64 => Self::Whole,
    i32 => |number| Self::Whole(i64::from(number)),
    usize => |number| Self::Whole(i64::try_from(number).unwrap_or(i64::MAX)),
    f64 => Self::Real,
    bool => Self::Flag,
    String => Self::Word,
    &str => |word: &str| Self::Word(word.to_owned()),
}

/// The values that a setting admits.
#[derive(Clone, Debug, PartialEq)]
pub enum Choices {
    Whole(RangeInclusive<i64>),
    /// Real numbers from the first to the second.
    Real([f64; 2]),
    Flag,
    Words(Vec<String>),
}

impl Choices {
    /// Returns whether a setting can have this value. A whole number is accepted for a real one.
    pub fn admits(&self, setting: &Setting) -> bool {
        match (self, setting) {
            (Self::Whole(range), Setting::Whole(number)) => range.contains(number),
            (Self::Real([low, high]), Setting::Real(number)) => (low..=high).contains(&number),
            (Self::Real([low, high]), Setting::Whole(number)) => (*low..=*high).contains(&(*number as f64)),
            (Self::Flag, Setting::Flag(_)) => true,
            (Self::Words(words), Setting::Word(word)) => words.contains(word),
            _ => false,
        }
    }

    /// Returns whether the choices are ascending whole numbers.
    pub fn ascend(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Real(_) | Self::Flag | Self::Words(_) => false,
        }
    }

    /// Describes the choices in a sentence.
    pub fn words(&self) -> String {
        match self {
            Self::Whole(range) => format!("a whole number from {} to {}", range.start(), range.end()),
            Self::Real([low, high]) => format!("a number from {low} to {high}"),
            Self::Flag => "true or false".to_owned(),
            Self::Words(words) => {
                listed(&words.iter().map(|word| Setting::Word(word.clone()).to_string()).collect::<Vec<_>>(), "or")
            }
        }
    }

    /// Converts a value that these choices admit to their type: a whole number to a real one, where those are required.
    pub(crate) fn fitted(&self, setting: &Setting) -> Setting {
        match (self, setting) {
            (Self::Real(_), Setting::Whole(number)) => Setting::Real(*number as f64),
            _ => setting.clone(),
        }
    }
}

/// A declared setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: String,
    pub default: Setting,
    pub choices: Choices,
    /// The tooltip; may be empty.
    pub hover: String,
}

/// Joins words in a sentence: a, b and c.
pub(super) fn listed<T: AsRef<str>>(words: &[T], last: &str) -> String {
    match words {
        [] => String::new(),
        [word] => word.as_ref().to_owned(),
        [before @ .., word] => {
            let before: Vec<&str> = before.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", before.join(", "), word.as_ref())
        }
    }
}
