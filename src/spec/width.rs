//! Defines the width of a network: a number, or the limit of wide networks.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The width of a network: units, channels, or whatever its text uses it for.
///
/// It holds any number, also one that the network does not admit: validation reports that beside the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Finite(usize),
    /// The infinite-width limit, `inf` in run files.
    Infinite,
}

impl Width {
    /// Returns the number; `None` for the infinite width.
    pub fn finite(self) -> Option<usize> {
        match self {
            Self::Finite(width) => Some(width),
            Self::Infinite => None,
        }
    }

    /// Returns whether this is the infinite-width limit.
    pub fn is_infinite(self) -> bool {
        match self {
            Self::Finite(_) => false,
            Self::Infinite => true,
        }
    }

    /// Returns the width as a real number, which may be ∞.
    pub fn as_f64(self) -> f64 {
        self.finite().map_or(f64::INFINITY, |width| width as f64)
    }
}

impl From<usize> for Width {
    fn from(width: usize) -> Self {
        Self::Finite(width)
    }
}

/// A finite width equals its number, and the infinite one equals none.
impl PartialEq<usize> for Width {
    fn eq(&self, other: &usize) -> bool {
        self.finite() == Some(*other)
    }
}

impl fmt::Display for Width {
    /// Writes the width as in run files.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finite(width) => width.fmt(to),
            Self::Infinite => to.write_str("inf"),
        }
    }
}

impl Serialize for Width {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Finite(width) => to.serialize_u64(*width as u64),
            Self::Infinite => to.serialize_f64(f64::INFINITY),
        }
    }
}

impl<'a> Deserialize<'a> for Width {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Width;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a whole number or inf")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Width, E> {
        usize::try_from(value).map(Width::Finite).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Width, E> {
        usize::try_from(value).map(Width::Finite).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Width, E> {
        if value == f64::INFINITY {
            Ok(Width::Infinite)
        } else {
            Err(E::invalid_value(Unexpected::Float(value), &self))
        }
    }
}
