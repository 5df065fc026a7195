//! Collects the lines and the settings that a text writes during its evaluation.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, INT};

use super::arguments::{Arguments, activation_of, described, shortened};
use super::setting::{Choices, Declared, FIELDS, KIND, Setting, WIDTH};
use crate::spec::ops::Op;
use crate::spec::{Activation, Builder, Names, Value};

/// Largest number of settings of a network.
const MOST_SETTINGS: usize = 64;
/// Largest number of words to choose from, and of characters of a word and of a name.
const MOST_WORDS: usize = 32;
const MOST_LETTERS: usize = 64;
/// Largest number of characters of a tooltip.
const MOST_HOVER: usize = 500;
/// Whole numbers and ends of ranges up to this are exact as real ones.
const LARGEST: i64 = 1 << 53;

/// A program that a text is writing.
pub struct Writer {
    pub builder: Builder,
    /// If true, settings may exceed their ranges: those of a network that is loaded.
    pub is_free: bool,
    pub activation: Activation,
    /// The given settings, by name.
    pub given: BTreeMap<String, Setting>,
    pub declared: Vec<Declared>,
    /// The activation that the text declares as usual.
    pub usual: Option<Activation>,
    /// True if a setting was refused: then the declared settings are incomplete.
    pub refused: bool,
}

impl Writer {
    pub fn shape(&self, value: Value) -> &[usize] {
        self.builder.shape(value)
    }

    pub fn write(&mut self, op: Op, names: impl Into<Names>, reads: &[Value]) -> Result<Value, String> {
        self.builder.line(op, names, reads)
    }

    /// Adds a line and returns it as a value of the text.
    pub fn line(&mut self, op: Op, names: impl Into<Names>, reads: &[Value]) -> Result<Dynamic, String> {
        self.write(op, names, reads).map(Dynamic::from)
    }

    /// Adds a line without parameters.
    pub fn unnamed(&mut self, op: Op, reads: &[Value]) -> Result<Dynamic, String> {
        self.line(op, "", reads)
    }

    /// Declares the usual activation of this network.
    pub fn usual_activation(&mut self, mut given: Arguments) -> Result<Dynamic, String> {
        self.usual = Some(activation_of(&given.word("the name")?)?);
        Ok(Dynamic::UNIT)
    }

    /// Declares a setting and returns its value.
    pub fn setting(&mut self, given: Arguments) -> Result<Dynamic, String> {
        let value = self.declare(given);
        self.refused |= value.is_err();
        Ok(match value? {
            Setting::Whole(number) => Dynamic::from(number),
            Setting::Real(number) => Dynamic::from(number),
            Setting::Flag(flag) => Dynamic::from(flag),
            Setting::Word(word) => Dynamic::from(word),
        })
    }

    fn declare(&mut self, mut given: Arguments) -> Result<Setting, String> {
        let name = given.name()?;
        check_name(&name)?;
        let default = given.next("the default")?;
        let choices = match given.left() {
            _ if default.is_bool() => Choices::Flag,
            0 => return Err(format!("the choices of {name} are not given: 1..64, [0.0, 0.9] or [\"max\", \"avg\"]")),
            _ => choices_of(&name, given.next("choices")?)?,
        };
        if name == WIDTH && !matches!(choices, Choices::Whole(_)) {
            return Err("width is a whole number: setting(\"width\", 128, 16..8192)".to_owned());
        }
        let hover = if given.left() == 0 { String::new() } else { given.word("the tooltip")? };
        if given.left() > 0 || hover.chars().count() > MOST_HOVER {
            return Err(format!("behind {} a text of at most {MOST_HOVER} letters ends it", choices.words()));
        }
        let default = scalar(&default)
            .filter(|default| choices.admits(default))
            .ok_or_else(|| format!("{name} is {}; its default {} is not", choices.words(), described(&default)))?;
        let declared = Declared { default: choices.fitted(&default), name, choices, hover };
        match self.declared.iter().find(|known| known.name == declared.name) {
            Some(known) if *known != declared => {
                return Err(format!("{} is declared twice and differently", known.name));
            }
            Some(_) => {}
            None if self.declared.len() == MOST_SETTINGS => {
                return Err(format!("a network has at most {MOST_SETTINGS} settings"));
            }
            None => self.declared.push(declared.clone()),
        }
        let value = self.given.get(&declared.name).unwrap_or(&declared.default);
        // The width is checked against its range only where the network is to be trained; a loaded one has its own width.
        let is_width = declared.name == WIDTH && matches!(value, Setting::Whole(1..));
        let is_free = self.is_free && matches!(value, Setting::Whole(0..));
        if !is_width && !is_free && !declared.choices.admits(value) {
            return Err(format!(
                "{} is {}, not {}",
                declared.name,
                declared.choices.words(),
                shortened(&value.to_string())
            ));
        }
        Ok(declared.choices.fitted(value))
    }
}

/// Checks the name of a setting, which is a key of a run file.
fn check_name(name: &str) -> Result<(), String> {
    if name == KIND || (name != WIDTH && FIELDS.contains(&name)) {
        return Err(format!("every network has {name}: a setting needs another name"));
    }
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if begins && name.len() <= MOST_LETTERS && name.bytes().all(is_letter) {
        return Ok(());
    }
    Err(format!("“{}” is no name of a setting: small letters, digits and _, like width", shortened(name)))
}

/// Reads a number, a flag or a word.
fn scalar(given: &Dynamic) -> Option<Setting> {
    if let Ok(number) = given.as_int() {
        return Some(Setting::Whole(number));
    }
    if let Ok(number) = given.as_float() {
        return Some(Setting::Real(number));
    }
    if let Ok(flag) = given.as_bool() {
        return Some(Setting::Flag(flag));
    }
    given.as_immutable_string_ref().ok().map(|word| Setting::Word(word.to_string()))
}

fn choices_of(name: &str, given: Dynamic) -> Result<Choices, String> {
    let words = described(&given);
    let whole = |low: INT, high: INT| {
        let fits = low <= high && low >= -LARGEST && high <= LARGEST;
        fits.then_some(Choices::Whole(RangeInclusive::new(low, high)))
            .ok_or_else(|| format!("a range is from low to high, and that of {name} is from {low} to {high}"))
    };
    if let Some(range) = given.clone().try_cast::<Range<INT>>() {
        return whole(range.start, range.end);
    }
    if let Some(range) = given.clone().try_cast::<RangeInclusive<INT>>() {
        return whole(*range.start(), *range.end());
    }
    let list = given.try_cast::<Array>().unwrap_or_default();
    let numbers: Option<Vec<f64>> =
        list.iter().map(|end| end.as_float().ok().or_else(|| end.as_int().ok().map(|end| end as f64))).collect();
    if let Some([low, high]) = numbers.as_deref() {
        if low.is_finite() && high.is_finite() && low <= high {
            return Ok(Choices::Real([*low, *high]));
        }
        return Err(format!("a range is from low to high, and that of {name} is from {low} to {high}"));
    }
    let texts: Option<Vec<String>> =
        list.iter().map(|word| word.as_immutable_string_ref().ok().map(|word| word.to_string())).collect();
    let Some(texts) = texts.filter(|texts| !texts.is_empty()) else {
        return Err(format!(
            "the choices of {name} are a range like 1..64, two numbers or a list of words, not {words}"
        ));
    };
    let fits = |(at, word): (usize, &String)| {
        !word.is_empty() && word.chars().count() <= MOST_LETTERS && !texts[..at].contains(word)
    };
    if texts.len() > MOST_WORDS || !texts.iter().enumerate().all(fits) {
        return Err(format!(
            "the choices of {name} are at most {MOST_WORDS} different words of at most {MOST_LETTERS} letters"
        ));
    }
    Ok(Choices::Words(texts))
}
