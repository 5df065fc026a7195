//! Reads the text of a network on a thread: the network with the previous settings, its program, the program lines that each
//! text line wrote, and the theory's statement about it.
//!
//! Guarantees: the window never waits for it; one text is read at a time, and the next is the newest one. A setting keeps its
//! value if the new text declares it and admits that value; an untouched setting takes the new default.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::spec::text::{self, EvaluationInputs, NETWORKS, TextError};
use crate::spec::{NetworkSpec, Parameter, Parametrisation, Program, Setting};
use crate::theory::{self, InfiniteNetwork};

/// Holds a text and the inputs needed to read it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadRequest {
    pub text: String,
    /// Its name, if it does not come with the program.
    pub name: String,
    /// The source of the settings.
    pub base: NetworkSpec,
    /// True if the text is that of `base`, whose settings then stay unchanged.
    pub exact: bool,
    pub image: [usize; 3],
    pub classes: usize,
}

/// Holds a text that is a valid network.
pub struct Network {
    pub spec: NetworkSpec,
    pub program: Arc<Program>,
    /// The facts by line of the text, from 1.
    pub rows: BTreeMap<usize, Row>,
    /// The reason for a missing infinite-width limit in one sentence, and the line of the text that causes it; none if the
    /// limit exists.
    pub refusal: Option<(String, Option<usize>)>,
}

impl Network {
    /// Returns the number of values in all its tensors, without running statistics.
    pub fn parameters(&self) -> f64 {
        let moves = |tensor: &&Parameter| !tensor.is_frozen(Parametrisation::Standard);
        self.program.tensors.iter().filter(moves).map(Parameter::entries).sum()
    }
}

/// Holds the part of a program that one line of the text wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Lines of the program, in their order.
    pub lines: Vec<usize>,
    /// Their tensors, each once.
    pub tensors: Vec<usize>,
    /// Count of numbers in those tensors, without running statistics.
    pub parameters: f64,
    /// The reason why one of them has no infinite-width limit, if so.
    pub refusal: Option<String>,
}

/// Reads a text as a network.
pub fn network(question: &ReadRequest) -> Result<Network, TextError> {
    let ReadRequest { text, name, base, exact, image, classes } = question;
    let spec = if *exact { base.clone() } else { fitted(base, name, text)? };
    let mut settings = spec.settings.clone();
    settings.insert(NetworkSpec::WIDTH.to_owned(), Setting::from(spec.nominal()));
    let inputs =
        EvaluationInputs { image: *image, classes: *classes, activation: spec.activation, settings: &settings };
    let program = Arc::clone(&text::describe(text, &inputs)?.program);
    let mut rows = rows(&program);
    let wider = theory::wider(&spec, *image, *classes);
    let refusal = refusal(&program, wider, &spec, &mut rows);
    Ok(Network { spec, program, rows, refusal })
}

/// Returns this network with another text, of this name.
fn fitted(base: &NetworkSpec, name: &str, text: &str) -> Result<NetworkSpec, TextError> {
    let (declared, before) = (text::declared(text)?, text::declared(base.source_text()).unwrap_or_default());
    let mut spec = base.clone();
    match NETWORKS.iter().find(|network| network.text == text) {
        Some(network) => (spec.program, spec.text) = (network.name.to_owned(), None),
        None => (spec.program, spec.text) = (name.to_owned(), Some(text.into())),
    }
    spec.settings = BTreeMap::new();
    if !spec.has_width() {
        spec.width = NetworkSpec::default().width;
    }
    let known = |name: &str| before.iter().find(|declared| declared.name == name);
    for declared in &declared {
        let given = base.settings.get(&declared.name).filter(|given| declared.choices.admits(given));
        if declared.name != NetworkSpec::WIDTH {
            given.into_iter().for_each(|given| spec.set(&declared.name, given.clone()));
        } else if let Some(width) = base.width.finite().map(Setting::from) {
            let untouched = known(&declared.name).is_some_and(|before| before.default == width) || !base.has_width();
            if untouched || !declared.choices.admits(&width) {
                spec.set(&declared.name, declared.default.clone());
            }
        }
    }
    let usual = |text: &str| text::usual_activation(text).ok().flatten();
    let untouched = base.activation == usual(base.source_text()).unwrap_or(NetworkSpec::default().activation);
    if let Some(usual) = usual(text).filter(|_| untouched) {
        spec.activation = usual;
    }
    Ok(spec)
}

fn rows(program: &Program) -> BTreeMap<usize, Row> {
    let mut rows: BTreeMap<usize, Row> = BTreeMap::new();
    for (place, line) in program.lines.iter().enumerate() {
        let Some(written) = line.written else { continue };
        let row = rows.entry(written).or_default();
        row.lines.push(place);
        for &tensor in &line.tensors {
            if !row.tensors.contains(&tensor) {
                row.tensors.push(tensor);
                let tensor = &program.tensors[tensor];
                row.parameters += if tensor.is_frozen(Parametrisation::Standard) { 0.0 } else { tensor.entries() };
            }
        }
    }
    rows
}

/// Returns why a program has no limit as a whole, and stores the reason in each row that has none.
fn refusal(
    program: &Program,
    wider: Result<Arc<Program>, theory::NoLimit>,
    spec: &NetworkSpec,
    rows: &mut BTreeMap<usize, Row>,
) -> Option<(String, Option<usize>)> {
    let written = |line: usize| program.lines.get(line).and_then(|line| line.written);
    // A program that fails this check fails it in every parametrisation.
    let whole = theory::gia(program)
        .map_err(theory::NoLimit::from)
        .and_then(|()| InfiniteNetwork::of_program(program, spec).map(drop))
        .and_then(|()| InfiniteNetwork::of_growing(program, &*wider.clone()?, spec).map(drop))
        .err()?;
    for (place, why) in theory::limits(program, wider.as_deref().ok(), spec).into_iter().enumerate() {
        let Some(row) = written(place).and_then(|written| rows.get_mut(&written)) else { continue };
        row.refusal = row.refusal.take().or(why.map(|why| why.to_string()));
    }
    let line = whole.line().and_then(written);
    if let Some(row) = line.and_then(|line| rows.get_mut(&line)) {
        row.refusal = Some(whole.to_string());
    }
    Some((whole.to_string(), line))
}
