//! What is wrong with a text: where, and one sentence in our words.

use std::fmt;

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use super::arguments::{cut, kind, said};
use super::evaluate::WITHOUT;
use super::functions::FUNCTIONS;
use super::setting::listed;

/// Why a text is no network; prints as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// From 1; none where it is about the whole text.
    pub line: Option<usize>,
    /// From 1, in letters.
    pub column: Option<usize>,
    pub message: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(to, "line {line}, column {column}: {}", self.message),
            (Some(line), None) => write!(to, "line {line}: {}", self.message),
            _ => self.message.fmt(to),
        }
    }
}

impl std::error::Error for TextError {}

impl TextError {
    /// One that no line can be blamed for.
    pub(super) fn of_all(message: String) -> Self {
        Self { line: None, column: None, message }
    }

    /// One that its last line can be blamed for.
    pub(super) fn at_end(text: &str, message: String) -> Self {
        let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let line = text.lines().collect::<Vec<_>>().iter().rposition(says);
        Self { line: line.map(|line| line + 1), column: None, message }
    }

    fn at(position: Position, message: String) -> Self {
        Self { line: position.line(), column: position.position(), message: one_line(&message) }
    }

    /// What the text cannot be read for.
    pub(super) fn of_syntax(text: &str, error: &ParseError) -> Self {
        let found = Self::at(error.position(), syntax(error.err_type()));
        if found.line.is_none() { Self::at_end(text, found.message) } else { found }
    }

    /// What an evaluation ended in.
    pub(super) fn of_evaluation(mut error: EvalAltResult) -> Self {
        // The innermost call is where the text is wrong; the outermost is where it was asked for.
        let mut called = None;
        while let EvalAltResult::ErrorInFunctionCall(name, _, inner, position) = error {
            called.get_or_insert((name, position));
            error = *inner;
        }
        let position = error.position();
        let message = evaluation(error);
        // A function without a name has one that the library made up.
        let name =
            |name: &str| if name.contains('$') { "the function".to_owned() } else { format!("{}(…)", cut(name)) };
        let from = called.and_then(|(called, from)| Some(format!(", in {} of line {}", name(&called), from.line()?)));
        Self::at(position, message + from.unwrap_or_default().as_str())
    }
}

/// One line without what a terminal would obey, and of a length that can be read.
fn one_line(message: &str) -> String {
    const MOST: usize = 400;
    message.chars().take(MOST).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// What is wrong with a text that cannot be read.
fn syntax(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::UnexpectedEOF => "the text ends where something more is needed: is a bracket open?".to_owned(),
        ParseErrorType::BadInput(error) => letters(error),
        ParseErrorType::UnknownOperator(sign) => format!("{} is no operator", cut(sign)),
        ParseErrorType::MissingToken(sign, _) => format!("{sign} is missing here"),
        ParseErrorType::MissingSymbol(_) => "a sign is missing here".to_owned(),
        ParseErrorType::MalformedIndexExpr(_) => "this is no place in a list: write list[0]".to_owned(),
        ParseErrorType::MalformedCapture(_) => "this is no name of a variable".to_owned(),
        ParseErrorType::DuplicatedProperty(name) => format!("{} stands twice in #{{ }}", cut(name)),
        ParseErrorType::DuplicatedVariable(name) => format!("{} stands there twice", cut(name)),
        ParseErrorType::WrongSwitchIntegerCase
        | ParseErrorType::WrongSwitchDefaultCase
        | ParseErrorType::WrongSwitchCaseCondition => "this case of a switch cannot stand here".to_owned(),
        ParseErrorType::PropertyExpected => "a name is missing here".to_owned(),
        ParseErrorType::VariableExpected => "the name of a variable is missing here".to_owned(),
        ParseErrorType::ForbiddenVariable(name) => format!("{} is no name of a variable", cut(name)),
        ParseErrorType::Reserved(word) if WITHOUT.contains(&word.as_str()) => without(word),
        ParseErrorType::Reserved(word) => format!("{} is a word of the language and no name", cut(word)),
        ParseErrorType::MismatchedType(wanted, given) => mismatch(wanted, given),
        ParseErrorType::ExprExpected(_) => "something is missing here: a value, a number or a call".to_owned(),
        ParseErrorType::WrongDocComment => "a comment with /// stands before a function: begin it with //".to_owned(),
        ParseErrorType::WrongFnDefinition => "a function is defined outside of others and of { }".to_owned(),
        ParseErrorType::FnDuplicatedDefinition(name, count) => {
            format!("the function {} of {count} is defined twice", cut(name))
        }
        ParseErrorType::FnMissingName => "the name of the function is missing".to_owned(),
        ParseErrorType::FnMissingParams(name) => {
            format!("what {} takes is missing: write fn {}(v)", cut(name), cut(name))
        }
        ParseErrorType::FnDuplicatedParam(name, twice) => format!("{} takes {} twice", cut(name), cut(twice)),
        ParseErrorType::FnMissingBody(name) => format!("what {} does is missing: write it in {{ }}", cut(name)),
        ParseErrorType::AssignmentToConstant(name) => constant(name),
        ParseErrorType::AssignmentToInvalidLHS(_) => "this cannot be changed: a variable stands before =".to_owned(),
        ParseErrorType::VariableExists(name) => format!("{} is there already", cut(name)),
        ParseErrorType::VariableUndefined(name) => unknown_variable(name),
        ParseErrorType::ExprTooDeep => "this is nested too deeply: give parts of it names with let".to_owned(),
        ParseErrorType::TooManyFunctions => "a text defines at most 256 functions".to_owned(),
        ParseErrorType::LiteralTooLarge(..) => "this is too long for a network's text".to_owned(),
        ParseErrorType::LoopBreak => "break and continue stand in a loop".to_owned(),
        _ => "this cannot be understood".to_owned(),
    }
}

fn letters(error: &LexError) -> String {
    match error {
        LexError::UnterminatedString => "a text in quotes is not closed".to_owned(),
        LexError::StringTooLong(_) => "this text is too long".to_owned(),
        LexError::MalformedEscapeSequence(text) => format!("{} is no letter: write \\\\ for \\", cut(text)),
        LexError::MalformedNumber(_) => "this is no number".to_owned(),
        LexError::MalformedChar(_) => "a text stands in double quotes, \"…\"".to_owned(),
        LexError::MalformedIdentifier(name) => format!("{} is no name", cut(name)),
        LexError::ImproperSymbol(word, _) if WITHOUT.contains(&word.as_str()) => without(word),
        LexError::UnexpectedInput(text) | LexError::ImproperSymbol(text, _) => {
            format!("“{}” has no meaning here", cut(text))
        }
        _ => "this cannot be understood".to_owned(),
    }
}

/// What is wrong with a text that cannot be evaluated.
fn evaluation(error: EvalAltResult) -> String {
    use EvalAltResult as E;
    match error {
        E::ErrorParsing(error, _) => syntax(&error),
        E::ErrorRuntime(thrown, _) => match thrown.into_string() {
            Ok(text) if !text.trim().is_empty() => text,
            _ => "the text gives up here".to_owned(),
        },
        E::ErrorVariableNotFound(name, _) => unknown_variable(&name),
        E::ErrorVariableExists(name, _) => format!("{} is there already", cut(&name)),
        E::ErrorForbiddenVariable(name, _) => format!("{} is no name of a variable", cut(&name)),
        E::ErrorFunctionNotFound(call, _) => unknown_function(&call),
        E::ErrorPropertyNotFound(name, _) => format!("there is no .{} here", cut(&name)),
        E::ErrorDotExpr(..) => {
            "a value has .shape, image has .channels, .height and .width, and none of them can be changed".to_owned()
        }
        E::ErrorIndexNotFound(at, _) => format!("there is no place {} here", said(&at)),
        E::ErrorIndexingType(..) => "only a list, a map and a text have places: write v.shape[0]".to_owned(),
        E::ErrorArrayBounds(count, at, _) | E::ErrorStringBounds(count, at, _) => {
            format!("there is no place {at} among {count}: places count from 0")
        }
        E::ErrorBitFieldBounds(..) => "a whole number has no places".to_owned(),
        E::ErrorMismatchDataType(wanted, given, _) | E::ErrorMismatchOutputType(wanted, given, _) => {
            mismatch(&wanted, &given)
        }
        E::ErrorFor(_) => mismatch("iterable", ""),
        E::ErrorArithmetic(..) => "this number cannot be computed: it is too large, or divided by 0".to_owned(),
        E::ErrorAssignmentToConstant(name, _) => constant(&name),
        E::ErrorNonPureMethodCallOnConstant(..) => {
            "this is given and cannot be changed: take a copy with let".to_owned()
        }
        E::ErrorUnboundThis(_) => "there is no this in a network's text".to_owned(),
        E::ErrorTooManyOperations(_) | E::ErrorTerminated(..) => {
            "the text takes too long here: does a loop end?".to_owned()
        }
        E::ErrorTooManyVariables(_) => "a text has at most 256 variables at once".to_owned(),
        E::ErrorStackOverflow(_) => "functions call each other too deeply: does a recursion end?".to_owned(),
        E::ErrorDataTooLarge(..) => "this list, map or text grows too large".to_owned(),
        E::LoopBreak(..) => "break and continue stand in a loop".to_owned(),
        _ => "this cannot be evaluated".to_owned(),
    }
}

fn without(word: &str) -> String {
    format!("a network's text has no {}: it only computes the logits from x", cut(word))
}

fn mismatch(wanted: &str, given: &str) -> String {
    if wanted.contains("iter") {
        return "for goes over a range like 0..blocks or over a list".to_owned();
    }
    format!("{} is needed here, not {}", kind(wanted), kind(given))
}

fn constant(name: &str) -> String {
    match name {
        "x" | "classes" | "image" => format!("{name} is given and cannot be changed: write let h = {name}"),
        "" => "this is given and cannot be changed".to_owned(),
        name => format!("{} cannot be changed: declare it with let", cut(name)),
    }
}

fn unknown_variable(name: &str) -> String {
    let name = cut(name);
    match name.as_str() {
        "act" => "act is a function: write act(v)".to_owned(),
        _ if FUNCTIONS.iter().any(|function| function.name == name) => format!("{name} is a function: write {name}(…)"),
        _ => format!(
            "there is no variable {name}: let {name} = … comes first, and a function sees only what it is given"
        ),
    }
}

/// `name (type, type)` of a call that nothing answers to.
fn unknown_function(call: &str) -> String {
    let (name, types) = call.split_once(" (").unwrap_or((call, ")"));
    let types: Vec<&str> = types.trim_end_matches(')').split(", ").filter(|name| !name.is_empty()).map(kind).collect();
    let name = cut(name);
    if !name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_') {
        return match types.as_slice() {
            [] => format!("{name} cannot be computed here"),
            [one] => format!("{name} cannot stand before {one}"),
            types => format!("{name} cannot stand between {}", listed(types, "and")),
        };
    }
    if let Some(property) = name.strip_prefix("get$").or_else(|| name.strip_prefix("set$")) {
        return format!("there is no .{property} here: a value has .shape");
    }
    let given = if types.is_empty() { "nothing".to_owned() } else { listed(&types, "and") };
    if let Some(known) = FUNCTIONS.iter().find(|function| function.name == name) {
        return format!("{name} is called as {}, not with {given}", known.call);
    }
    let mut near: Vec<(usize, &str)> = FUNCTIONS
        .iter()
        .map(|function| function.name)
        .map(|known| {
            let same = alike(&name, known) || elsewhere(&name) == Some(known);
            (if same { 0 } else { distance(&name, known) }, known)
        })
        .filter(|(away, known)| *away <= 1 + known.len() / 4)
        .collect();
    near.sort();
    near.truncate(3);
    let near: Vec<&str> = near.into_iter().map(|(_, known)| known).collect();
    match near.as_slice() {
        [] => format!("there is no function {name} that takes {given}"),
        near => format!("there is no function {name} that takes {given}; did you mean {}?", listed(near, "or")),
    }
}

/// What a function of this name in PyTorch or elsewhere is called here.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name.to_lowercase().as_str() {
        "linear" | "fc" | "matmul" | "affine" => "dense",
        "view" => "reshape",
        "permute" | "movedim" => "transpose",
        "cat" | "stack" => "concat",
        "swish" => "silu",
        "logistic" => "sigmoid",
        "global_avg_pool" | "gap" | "adaptive_avg_pool2d" => "mean",
        "mha" => "attention",
        _ => return None,
    })
}

/// Whether one name is a part of the other, without regard of capitals and of what stands between words.
fn alike(name: &str, known: &str) -> bool {
    let plain = |name: &str| name.to_lowercase().replace('_', "");
    let (name, known) = (plain(name), plain(known));
    name.len() >= 3 && known.len() >= 3 && (name.contains(&known) || known.contains(&name))
}

/// How many letters must be put in, taken out or exchanged (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (place, other) in b.iter().enumerate() {
            let exchanged = before + usize::from(letter != *other);
            before = row[place + 1];
            row[place + 1] = exchanged.min(before + 1).min(row[place] + 1);
        }
    }
    row[b.len()]
}
