//! Reads the arguments of a function of the language one after the other; errors name what would fit.

use std::ops::RangeInclusive;

use rhai::{Array, Dynamic, Map};

use super::setting::listed;
use crate::spec::ops::shown;
use crate::spec::{Activation, Names, Value};

/// The largest whole number that a function accepts.
pub const MOST: usize = 1 << 24;
/// Number of characters of a text that a message quotes.
const REPEATED: usize = 40;

/// The arguments of a call.
pub struct Arguments {
    /// The name of the function.
    function: &'static str,
    /// The arguments not read yet, the next one last.
    rest: Vec<Dynamic>,
    options: Map,
}

impl Arguments {
    /// Separates the options, if the last argument is a map, from the arguments of this function; `known` are the options
    /// that it has.
    ///
    /// # Errors
    /// Fails on an option that the function does not have.
    pub fn new(
        function: &'static str,
        known: &'static [&'static str],
        mut given: Vec<Dynamic>,
    ) -> Result<Self, String> {
        let options = match given.pop_if(|last| last.is_map()) {
            Some(options) => options.try_cast::<Map>().unwrap_or_default(),
            None => Map::new(),
        };
        if let Some(odd) = options.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(match known {
                [] => format!("there are no options, such as {}", shortened(odd)),
                options => format!("there is no option {}, there is {}", shortened(odd), listed(options, "and")),
            });
        }
        given.reverse();
        Ok(Self { function, rest: given, options })
    }

    /// Returns the number of arguments left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn next(&mut self, what: &str) -> Result<Dynamic, String> {
        self.rest.pop().ok_or_else(|| format!("{what} is not given"))
    }

    pub fn name(&mut self) -> Result<String, String> {
        self.word("the name")
    }

    /// Reads the name of a layer, or a list of the full names of its tensors.
    pub fn names(&mut self) -> Result<Names, String> {
        let given = self.next("the name")?;
        if !given.is_array() {
            self.rest.push(given);
            return self.name().map(Names::Layer);
        }
        let names = list_of("the names", given)?.into_iter().map(|name| {
            let words = described(&name);
            name.into_immutable_string()
                .map(|name| name.to_string())
                .map_err(|_| format!("the names of its tensors are texts in quotes, not {words}"))
        });
        names.collect::<Result<_, _>>().map(Names::Each)
    }

    pub fn word(&mut self, what: &str) -> Result<String, String> {
        let given = self.next(what)?;
        given.into_immutable_string().map(|word| word.to_string()).map_err(|_| {
            let function = self.function;
            format!("{what} is a text in quotes, as in {function}(\"…\")")
        })
    }

    pub fn value(&mut self) -> Result<Value, String> {
        let given = self.next("the value")?;
        value_of(given)
    }

    pub fn whole(&mut self, what: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
        let given = self.next(what)?;
        whole_of(what, &given, range)
    }

    pub fn real(&mut self, what: &str) -> Result<f64, String> {
        let given = self.next(what)?;
        real_of(what, &given)
    }

    pub fn list(&mut self, what: &str) -> Result<Array, String> {
        let given = self.next(what)?;
        list_of(what, given)
    }

    pub fn wholes(&mut self, what: &str) -> Result<Vec<usize>, String> {
        self.list(what)?.iter().map(|given| whole_of(what, given, 0..=MOST)).collect()
    }

    /// Returns the value of an option, if it is given.
    pub fn option(&mut self, name: &str) -> Option<Dynamic> {
        self.options.remove(name)
    }

    pub fn flag_option(&mut self, name: &str, usual: bool) -> Result<bool, String> {
        let Some(given) = self.option(name) else { return Ok(usual) };
        given.as_bool().map_err(|_| format!("{name} is true or false, not {}", described(&given)))
    }

    pub fn whole_option(&mut self, name: &str, usual: usize, range: RangeInclusive<usize>) -> Result<usize, String> {
        self.option(name).map_or(Ok(usual), |given| whole_of(name, &given, range))
    }

    /// Reads an option that is a number above 0.
    pub fn positive_option(&mut self, name: &str, usual: f64) -> Result<f64, String> {
        let Some(given) = self.option(name) else { return Ok(usual) };
        match real_of(name, &given)? {
            number if number > 0.0 => Ok(number),
            _ => Err(format!("{name} is a number above 0, not {}", described(&given))),
        }
    }

    /// Reads an option that is one number for both sides of an image, or one for each.
    pub fn sides_option(&mut self, name: &str, usual: [usize; 2], low: usize) -> Result<[usize; 2], String> {
        self.option(name).map_or(Ok(usual), |given| sides_of(name, given, low))
    }
}

pub fn value_of(given: Dynamic) -> Result<Value, String> {
    let words = described(&given);
    given.try_cast::<Value>().ok_or_else(|| format!("a value like x is needed, not {words}"))
}

pub fn list_of(what: &str, given: Dynamic) -> Result<Array, String> {
    let words = described(&given);
    given.try_cast::<Array>().ok_or_else(|| format!("{what} is a list in [ ], not {words}"))
}

/// Reads one number for both sides of an image, or a list of two: vertical and horizontal.
pub fn sides_of(what: &str, given: Dynamic, low: usize) -> Result<[usize; 2], String> {
    if !given.is_array() {
        return whole_of(what, &given, low..=MOST).map(|side| [side; 2]);
    }
    let list = list_of(what, given)?;
    let [down, across] = list.as_slice() else {
        return Err(format!("{what} is a number or two, [down, across], not {}", list.len()));
    };
    Ok([whole_of(what, down, low..=MOST)?, whole_of(what, across, low..=MOST)?])
}

pub fn whole_of(what: &str, given: &Dynamic, range: RangeInclusive<usize>) -> Result<usize, String> {
    let number = given.as_int().ok().and_then(|number| usize::try_from(number).ok());
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (low, high) = range.into_inner();
        format!("{what} is a whole number from {low} to {high}, not {}", described(given))
    })
}

pub fn real_of(what: &str, given: &Dynamic) -> Result<f64, String> {
    let number = given.as_float().ok().or_else(|| given.as_int().ok().map(|number| number as f64));
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("{what} is a finite number, not {}", described(given)))
}

/// Returns the activation of this name.
pub fn activation_of(name: &str) -> Result<Activation, String> {
    Activation::ALL.into_iter().find(|activation| activation.name() == name).ok_or_else(|| {
        let known: Vec<&str> = Activation::ALL.iter().map(|activation| activation.name()).collect();
        format!("there is no function {}, there are {}", shortened(name), known.join(", "))
    })
}

/// Describes a value in words.
pub fn described(given: &Dynamic) -> String {
    if let Ok(number) = given.as_int() {
        return number.to_string();
    }
    if let Ok(number) = given.as_float() {
        return format!("{number:?}");
    }
    if let Ok(text) = given.as_immutable_string_ref() {
        return format!("“{}”", shortened(&text));
    }
    if given.is::<Value>() {
        return "a value".to_owned();
    }
    kind(given.type_name()).to_owned()
}

/// Returns the language's name of a type of the library.
pub fn kind(name: &str) -> &'static str {
    match name {
        "i64" => "a whole number",
        "f64" => "a number",
        "bool" => "true or false",
        "string" | "char" => "a text",
        "array" => "a list",
        "map" => "a map #{ }",
        "()" => "nothing",
        "Fn" => "a function",
        "image" => "the image's sides",
        name if name.contains("Range") || name.contains("range") => "a range",
        name if name.contains("String") || name.contains("str") => "a text",
        name if name.ends_with("value") || name.ends_with("Value") => "a value",
        name if name.ends_with("Array") => "a list",
        name if name.ends_with("FnPtr") => "a function",
        name if name.contains("Map") => "a map #{ }",
        _ => "something else",
    }
}

/// Returns the beginning of a text, without terminal control characters.
pub fn shortened(text: &str) -> String {
    let more = if text.chars().nth(REPEATED).is_some() { "…" } else { "" };
    text.chars().take(REPEATED).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>() + more
}

/// Formats shapes for a sentence.
pub fn shapes<'a>(shapes: impl Iterator<Item = &'a [usize]>) -> String {
    listed(&shapes.map(shown).collect::<Vec<_>>(), "and")
}
