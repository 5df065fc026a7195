//! What a text is read as: the network that it is with the settings that were there before, its program, what each of its lines
//! wrote, and what theory says of it.
//!
//! Guarantees: the window never waits for it; while a text is read no other is, and then it is the newest one. A setting stays as
//! it was where the new text declares it and admits its value; one that nobody has touched takes the new default.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::spec::text::{self, Asked, NETWORKS, TextError};
use crate::spec::{NetworkSpec, Parameter, Parametrisation, Program, Setting};
use crate::theory::{self, Infinite};

/// A text, and what it is read for.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadRequest {
    pub text: String,
    /// What it is called where it is not one that comes with the program.
    pub name: String,
    /// Where the settings come from.
    pub base: NetworkSpec,
    /// Whether the text is that of `base`, whose settings are then not touched.
    pub exact: bool,
    pub image: [usize; 3],
    pub classes: usize,
}

/// A text that is a network.
pub struct Network {
    pub spec: NetworkSpec,
    pub program: Arc<Program>,
    /// By the line of the text, from 1.
    pub rows: BTreeMap<usize, Row>,
    /// Why there is no infinite-width limit, in one sentence, and the line of the text that is the reason; nothing where there is one.
    pub refusal: Option<(String, Option<usize>)>,
}

impl Network {
    /// Numbers in all its tensors, without running statistics.
    pub fn parameters(&self) -> f64 {
        let moves = |tensor: &&Parameter| !tensor.stands_still(Parametrisation::Standard);
        self.program.tensors.iter().filter(moves).map(Parameter::entries).sum()
    }
}

/// What one line of a text wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Lines of the program, in their order.
    pub lines: Vec<usize>,
    /// Their tensors, each once.
    pub tensors: Vec<usize>,
    /// Numbers in those tensors, without running statistics.
    pub parameters: f64,
    /// Why one of them has no infinite-width limit, if one has none.
    pub refusal: Option<String>,
}

/// What a text is: a network, or what is wrong with it.
pub fn network(question: &ReadRequest) -> Result<Network, TextError> {
    let ReadRequest { text, name, base, exact, image, classes } = question;
    let spec = if *exact { base.clone() } else { fitted(base, name, text)? };
    let mut settings = spec.settings.clone();
    settings.insert(NetworkSpec::WIDTH.to_owned(), Setting::from(spec.nominal()));
    let asked = Asked { image: *image, classes: *classes, activation: spec.activation, settings: &settings };
    let program = Arc::clone(&text::describe(text, &asked)?.program);
    let mut rows = rows(&program);
    let wider = theory::wider(&spec, *image, *classes);
    let refusal = refusal(&program, wider, &spec, &mut rows);
    Ok(Network { spec, program, rows, refusal })
}

/// This network with another text, of this name.
fn fitted(base: &NetworkSpec, name: &str, text: &str) -> Result<NetworkSpec, TextError> {
    let (declared, before) = (text::declared(text)?, text::declared(base.source_text()).unwrap_or_default());
    let mut spec = base.clone();
    match NETWORKS.iter().find(|network| network.text == text) {
        Some(network) => (spec.program, spec.text) = (network.name.to_owned(), None),
        None => (spec.program, spec.text) = (name.to_owned(), Some(text.into())),
    }
    spec.settings = BTreeMap::new();
    let known = |name: &str| before.iter().find(|declared| declared.name == name);
    for declared in &declared {
        let given = base.settings.get(&declared.name).filter(|given| declared.choices.admits(given));
        if declared.name != NetworkSpec::WIDTH {
            given.into_iter().for_each(|given| spec.set(&declared.name, given.clone()));
        } else if !base.is_infinite() {
            let width = Setting::from(base.width);
            let untouched = known(&declared.name).is_some_and(|before| before.default == width);
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
                row.parameters += if tensor.stands_still(Parametrisation::Standard) { 0.0 } else { tensor.entries() };
            }
        }
    }
    rows
}

/// What theory says of a program: why it has no limit as a whole, and of each row that has none why.
fn refusal(
    program: &Program,
    wider: Result<Arc<Program>, theory::NoLimit>,
    spec: &NetworkSpec,
    rows: &mut BTreeMap<usize, Row>,
) -> Option<(String, Option<usize>)> {
    let written = |line: usize| program.lines.get(line).and_then(|line| line.written);
    // What breaks the check does so in every parametrisation.
    let whole = theory::gia(program)
        .map_err(theory::NoLimit::from)
        .and_then(|()| Infinite::of_program(program, spec).map(drop))
        .and_then(|()| Infinite::of_growing(program, &*wider.clone()?, spec).map(drop))
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
