//! Builds a program line by line, and refuses a line that does not fit those before it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::names::{Names, belongs, check_name};
use super::{Line, Program, blocks};
use crate::spec::ops::{Draw, Op, Parameter, Role, shown};

/// A handle to a line, to be read by later lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(usize);

/// A program under construction.
#[derive(Clone, Debug)]
pub struct Builder {
    lines: Vec<Line>,
    tensors: Vec<Parameter>,
    /// Tensors by name.
    known: HashMap<String, usize>,
    /// The line of the text being evaluated.
    written: Option<usize>,
    /// The tensors of a weights file, whose sizes take precedence over the requested ones.
    adopted: Option<Arc<Shapes>>,
    /// Layers and tensors that are not trained.
    frozen: Vec<String>,
    /// Layers and tensors with initial values of their own.
    draws: Vec<(String, Draw)>,
}

/// The tensors of a weights file: shapes by names.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// Largest number of lines of a program.
pub const MOST_LINES: usize = 4096;
/// Largest number of values of a line per sample.
const MOST_VALUES: usize = 1 << 28;

impl Builder {
    /// Starts a program with one line, the image [channels, height, width].
    pub fn new(image: [usize; 3]) -> Self {
        let input = Line {
            op: Op::Input,
            name: String::new(),
            reads: Vec::new(),
            tensors: Vec::new(),
            shape: image.to_vec(),
            block: None,
            written: None,
        };
        Self {
            lines: vec![input],
            tensors: Vec::new(),
            known: HashMap::new(),
            written: None,
            adopted: None,
            frozen: Vec::new(),
            draws: Vec::new(),
        }
    }

    /// Starts the program of the network in a weights file with tensors of these names and shapes: a layer has as many
    /// outputs as its tensor, and a bias where the file has one, whatever is requested.
    pub fn adopting(image: [usize; 3], tensors: &Arc<Shapes>) -> Self {
        Self { adopted: Some(tensors.clone()), ..Self::new(image) }
    }

    /// Leaves a layer or a tensor of this name out of training and out of the kernel, wherever its line is.
    pub fn freeze(&mut self, name: String) {
        self.frozen.push(name);
    }

    /// Gives a layer or a tensor of this name these initial values, wherever its line is.
    pub fn draw(&mut self, name: String, draw: Draw) {
        self.draws.push((name, draw));
    }

    /// Returns the image.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// Sets the line of the text that is being evaluated.
    pub fn at(&mut self, written: Option<usize>) {
        self.written = written;
    }

    /// Returns the shape of a value.
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.lines[value.0].shape
    }

    /// Adds a line: an operation on values, whose tensors have these names. An existing tensor is shared.
    ///
    /// # Errors
    /// Fails if the shapes do not fit, a name is invalid or belongs to a tensor of another shape, there are not as many names
    /// as tensors, or the program is too long.
    pub fn line(&mut self, op: Op, names: impl Into<Names>, reads: &[Value]) -> Result<Value, String> {
        let names = names.into();
        let name = names.layer();
        let name = name.as_str();
        if self.lines.len() >= MOST_LINES {
            return Err(format!("a network has at most {MOST_LINES} operations"));
        }
        let inputs: Vec<&[usize]> = reads.iter().map(|read| self.shape(*read)).collect();
        let named = |why: String| if name.is_empty() { why } else { format!("{name}: {why}") };
        let given = given_names(&op, &names, name, &inputs).map_err(named)?;
        let op = match &self.adopted {
            Some(tensors) => op.adopting(|part| {
                let own = if part.is_empty() { name.to_owned() } else { format!("{name}.{part}") };
                match (given.get(&own), &names) {
                    (Some(given), _) => Some(tensors.get(given).map_or(&[], Vec::as_slice)),
                    (None, Names::Layer(_)) => tensors.get(&own).map(Vec::as_slice),
                    (None, Names::Each(_)) => None,
                }
            }),
            None => op,
        };
        let Some(operation) = op.operation() else { return Err("there is one image, x".to_owned()) };
        let shape = operation.shape(&inputs).map_err(named)?;
        let values = shape.iter().try_fold(1usize, |product, side| product.checked_mul(*side));
        if !values.is_some_and(|values| (1..=MOST_VALUES).contains(&values)) {
            return Err(named(format!("{} is no shape that a value can have", shown(&shape))));
        }
        let mut needed = operation.tensors(name, &inputs);
        if let Names::Layer(name) = &names
            && !needed.is_empty()
        {
            check_name(name, "layer", "blocks.0.fc1")?;
        }
        for tensor in &mut needed {
            if let Some(given) = given.get(&tensor.name) {
                tensor.name.clone_from(given);
            }
        }
        let mut tensors = Vec::with_capacity(needed.len());
        for tensor in needed {
            if let Some(&place) = self.known.get(&tensor.name) {
                let there = &self.tensors[place];
                if there.shape != tensor.shape {
                    let (there, wanted) = (shown(&there.shape), shown(&tensor.shape));
                    return Err(format!(
                        "{} is there with shape {there} and cannot be shared as {wanted}",
                        tensor.name
                    ));
                }
                if there.turned != tensor.turned {
                    return Err(named(format!(
                        "{} is the matrix of a layer in one line and a value in another, and these cannot share it: give one of them another name, or read it by learned and matmul in all",
                        tensor.name
                    )));
                }
                // Of other lines the first decides, as it always has.
                let is_value = |op: &Op| matches!(op, Op::Learned(_));
                let is_read = |line: &Line| line.tensors.contains(&place) && is_value(&line.op);
                let differs = there.is_statistic() != tensor.is_statistic();
                if differs && (is_value(&op) || self.lines.iter().any(is_read)) {
                    return Err(named(format!(
                        "{} is trained in one line and not in another: give one of them another name, or say the same in both",
                        tensor.name
                    )));
                }
                tensors.push(place);
                continue;
            }
            self.known.insert(tensor.name.clone(), self.tensors.len());
            tensors.push(self.tensors.len());
            self.tensors.push(tensor);
        }
        let name = if tensors.is_empty() { String::new() } else { name.to_owned() };
        let reads = reads.iter().map(|read| read.0).collect();
        self.lines.push(Line { op, name, reads, tensors, shape, block: None, written: self.written });
        Ok(Value(self.lines.len() - 1))
    }

    /// Returns the program whose logits are this value, without the lines that do not lead to it.
    ///
    /// # Errors
    /// Fails if the value is not a vector of `classes` logits, or there is nothing of a name that is to be frozen or drawn.
    pub fn finish(mut self, logits: Value, classes: usize) -> Result<Program, String> {
        let shape = self.shape(logits);
        if shape != [classes] && (self.adopted.is_none() || shape.len() != 1) {
            return Err(format!("a network ends in {classes} logits, [{classes}], and this one in {}", shown(shape)));
        }
        if logits == self.input() {
            return Err("a network ends in logits, not in the image".to_owned());
        }
        self.hold_frozen()?;
        self.give_draws()?;
        let mut needed = vec![false; self.lines.len()];
        needed[logits.0] = true;
        for at in (0..=logits.0).rev() {
            if needed[at] {
                self.lines[at].reads.iter().for_each(|&read| needed[read] = true);
            }
        }
        if !needed[0] {
            return Err("the logits do not depend on the image x".to_owned());
        }
        let (mut lines, mut tensors) = (Vec::new(), Vec::new());
        let (mut place, mut held) = (vec![0; self.lines.len()], HashMap::new());
        for (at, mut line) in self.lines.into_iter().enumerate().filter(|(at, _)| needed[*at]) {
            line.reads.iter_mut().for_each(|read| *read = place[*read]);
            for tensor in &mut line.tensors {
                *tensor = *held.entry(*tensor).or_insert_with(|| {
                    tensors.push(self.tensors[*tensor].clone());
                    tensors.len() - 1
                });
            }
            place[at] = lines.len();
            lines.push(line);
        }
        blocks(&mut lines);
        if self.adopted.is_none() {
            check_likes(&tensors)?;
        }
        Ok(Program { lines, tensors })
    }

    /// Gives the tensors with initial values of their own these.
    fn give_draws(&mut self) -> Result<(), String> {
        for (name, draw) in &self.draws {
            let mut of_name = self.tensors.iter_mut().filter(|tensor| belongs(&tensor.name, name)).peekable();
            // A weights file may lack a bias that the text draws.
            if of_name.peek().is_none() && self.adopted.is_none() {
                return Err(format!("it draws {name}, and there is no layer or tensor of that name"));
            }
            of_name.filter(|tensor| !tensor.is_statistic()).for_each(|tensor| tensor.draw = Some(draw.clone()));
        }
        Ok(())
    }

    /// Gives the tensors that are to be frozen their role.
    fn hold_frozen(&mut self) -> Result<(), String> {
        for name in &self.frozen {
            let mut found = false;
            for tensor in self.tensors.iter_mut().filter(|tensor| belongs(&tensor.name, name)) {
                found = true;
                if !tensor.is_statistic() {
                    tensor.role = Role::Frozen;
                }
            }
            if !found {
                return Err(format!("it freezes {name}, and there is no layer or tensor of that name"));
            }
        }
        Ok(())
    }
}

/// Checks that a tensor which begins like another one has an earlier one of its shape to begin like.
fn check_likes(tensors: &[Parameter]) -> Result<(), String> {
    for (at, tensor) in tensors.iter().enumerate() {
        let Some(Draw::Like(other)) = &tensor.draw else { continue };
        let is_it = |earlier: &&Parameter| earlier.name == *other;
        match tensors[..at].iter().find(is_it) {
            Some(earlier) if (&earlier.shape, earlier.turned) == (&tensor.shape, tensor.turned) => {}
            _ => return Err(format!("{} begins like {other}, which is no earlier tensor of its shape", tensor.name)),
        }
    }
    Ok(())
}

/// Returns the name that a list gives each tensor of an operation, by the name that it would have as one of its layer; empty
/// where the layer is named. A named tensor is there: one that a weights file lacks is missing in the file, even a bias.
fn given_names(op: &Op, names: &Names, name: &str, inputs: &[&[usize]]) -> Result<HashMap<String, String>, String> {
    let (Names::Each(list), Some(operation)) = (names, op.operation()) else { return Ok(HashMap::new()) };
    list.iter().try_for_each(|name| check_name(name, "tensor", "attn.in_proj_weight"))?;
    operation.shape(inputs)?;
    let own = operation.tensors(name, inputs);
    let given = names.of_each(&own)?;
    Ok(own.into_iter().map(|tensor| tensor.name).zip(given).collect())
}
