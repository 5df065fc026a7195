//! What a text asks its reader: settings with a default and choices, which become sliders, switches and lists.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

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
    /// As TOML writes it.
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

/// What a setting can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Choices {
    Whole(RangeInclusive<i64>),
    /// From the first number to the second.
    Real([f64; 2]),
    Flag,
    Words(Vec<String>),
}

impl Choices {
    /// Whether a setting can have this value. A whole number serves where a real one is asked.
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

    /// Whether they are whole numbers, of which one follows the other.
    pub fn ascend(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Real(_) | Self::Flag | Self::Words(_) => false,
        }
    }

    /// The choices in a sentence.
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

    /// A value that these choices admit, as they hold it: a whole number where a real one is asked is real.
    pub(in crate::spec) fn fitted(&self, setting: &Setting) -> Setting {
        match (self, setting) {
            (Self::Real(_), Setting::Whole(number)) => Setting::Real(*number as f64),
            _ => setting.clone(),
        }
    }
}

/// A setting as its text declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: String,
    pub default: Setting,
    pub choices: Choices,
    /// What is said of it under the pointer; may be empty.
    pub hover: String,
}

/// Words in a sentence: a, b and c.
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
