//! Plans the computation of a limit kernel: the lines of a program that have a rule, and the states of the kernel, in
//! order.

use super::gia::gia;
use super::growth;
use super::image_functions::ImageFunctions;
use super::limits::{LineLocation, NoLimit, NoRule};
use super::ops::{Law, Reading, rule};
use super::steps::{Join, Step};
use super::value::{RandomFeatures, Value};
use crate::spec::{NetworkSpec, Program};

/// The states of a kernel, up to the logits.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub given: ImageFunctions,
    /// The last one gives the logits.
    pub states: Vec<StatePlan>,
}

/// A state computed from earlier ones.
#[derive(Clone, Debug)]
pub(super) struct StatePlan {
    /// The states that are joined, each with whether this is its last reader.
    pub reads: Vec<(usize, bool)>,
    pub join: Join,
    /// True if pairs of unequal places of the joined states are needed.
    pub all: bool,
    /// The steps, each with whether pairs of unequal places are needed after it.
    pub steps: Vec<(Step, bool)>,
    /// Pairs of places, times slots, of the largest state within its steps.
    pub planes: usize,
}

impl Plan {
    /// Plans the kernel of a program. Without the program at a larger width all features are taken to grow.
    pub fn new(program: &Program, wider: Option<&Program>, network: &NetworkSpec) -> Result<Self, NoLimit> {
        if is_unbounded(network) {
            return Err(NoLimit::Standard);
        }
        gia(program)?;
        let mut sources = Vec::new();
        let mut lines = Vec::new();
        let mut values: Vec<Result<Value, NoLimit>> = Vec::new();
        for law in Laws::new(program, wider, network) {
            let (value, line) = match law? {
                Law::Given => (Value::Given, None),
                Law::Layer { value, source, steps } => {
                    let place = sources.iter().position(|known| *known == source).unwrap_or(sources.len());
                    if place == sources.len() {
                        sources.push(source);
                    }
                    (Value::Random(value), Some((Vec::new(), Join::Source(place), steps)))
                }
                Law::Made { value, reads, join, steps } => (Value::Random(value), Some((reads, join, steps))),
            };
            values.push(Ok(value));
            lines.push(line);
        }
        let logits = program.lines.len() - 1;
        match values.last() {
            Some(Ok(Value::Random(value))) if !value.centred => {
                return Err(NoLimit::Line { at: LineLocation::of(program, logits), why: NoRule::LogitsShifted });
            }
            Some(Ok(Value::Random(value))) if value.slots.len() == 1 && value.places() == 1 && value.gaussian => {}
            _ => return Err(NoLimit::Line { at: LineLocation::of(program, logits), why: NoRule::Logits }),
        }
        let size = |line: usize| match &values[line] {
            Ok(Value::Random(RandomFeatures { slots, .. })) => slots.len(),
            _ => 0,
        };
        let places = |line: usize| match &values[line] {
            Ok(Value::Random(value)) => value.places(),
            _ => 0,
        };
        let given = ImageFunctions::new(program, &sources);
        let sizes = given.sizes();
        // From the logits back: the lines that are needed, and those of which unequal places are needed.
        let mut needed = vec![None; lines.len()];
        needed[logits] = Some(false);
        let mut states = Vec::new();
        for (at, line) in lines.into_iter().enumerate().rev() {
            let (Some(all), Some((reads, join, steps))) = (needed[at], line) else { continue };
            let mut all = all;
            let mut marked: Vec<(Step, bool)> = Vec::with_capacity(steps.len());
            for step in steps.into_iter().rev() {
                let before = step.needs_all(all);
                marked.push((step, all));
                all = before;
            }
            marked.reverse();
            for &read in &reads {
                needed[read] = Some(needed[read].unwrap_or(false) || all);
            }
            let mut shape = match &join {
                Join::Source(source) => (sizes[*source].0, 1),
                Join::One => (places(reads[0]), size(reads[0])),
                Join::Sum(_) | Join::Product | Join::Places(_) | Join::Slots => (places(at), size(at)),
            };
            let count = |(places, slots): (usize, usize), all: bool| slots * if all { places * places } else { places };
            let mut planes = count(shape, all);
            for (step, all) in &marked {
                shape = step.size(shape);
                planes = planes.max(count(shape, *all));
            }
            let reads = reads.into_iter().map(|read| (read, false)).collect();
            states.push((at, StatePlan { reads, join, all, steps: marked, planes }));
        }
        states.reverse();
        let mut place = vec![0; values.len()];
        states.iter().enumerate().for_each(|(index, (line, _))| place[*line] = index);
        let mut seen = vec![false; states.len()];
        let mut states: Vec<StatePlan> = states.into_iter().map(|(_, made)| made).collect();
        for made in states.iter_mut().rev() {
            for (read, is_last) in made.reads.iter_mut().rev() {
                *read = place[*read];
                *is_last = !std::mem::replace(&mut seen[*read], true);
            }
        }
        Ok(Self { given, states })
    }

    /// Returns the number of pairs of places over all states, to which the work is proportional.
    pub fn work(&self) -> usize {
        self.states.iter().map(|made| made.planes * made.steps.len().max(1)).sum()
    }

    /// Returns the largest number of pairs of places that are held at a time.
    pub fn planes(&self) -> usize {
        let (mut live, mut most) = (0, 0);
        let mut kept = vec![0; self.states.len()];
        for (at, made) in self.states.iter().enumerate() {
            kept[at] = made.planes;
            live += made.planes;
            most = most.max(live);
            for (read, _) in made.reads.iter().filter(|(_, is_last)| *is_last) {
                live -= std::mem::take(&mut kept[*read]);
            }
        }
        most
    }
}

/// The limit of each line of a program, starting with the image.
struct Laws<'a> {
    program: &'a Program,
    network: &'a NetworkSpec,
    /// The first line that uses each tensor.
    firsts: Vec<usize>,
    values: Vec<Result<Value, NoLimit>>,
    /// The laws of the program at a larger width, where sizes must grow.
    wider: Option<Box<Laws<'a>>>,
}

impl<'a> Laws<'a> {
    fn new(program: &'a Program, wider: Option<&'a Program>, network: &'a NetworkSpec) -> Self {
        let mut firsts = vec![usize::MAX; program.tensors.len()];
        for (at, line) in program.lines.iter().enumerate().rev() {
            line.tensors.iter().for_each(|&tensor| firsts[tensor] = at);
        }
        let wider = wider.map(|wider| Box::new(Self::new(wider, None, network)));
        Self { program, network, firsts, values: Vec::new(), wider }
    }

    /// Computes the law of the line at `at`, whose inputs have one, and checks that what it averages over grows.
    fn law(&self, at: usize, beside: Option<Option<Result<Law, NoLimit>>>) -> Result<Law, NoRule> {
        let Self { program, network, firsts, values, wider } = self;
        let reading = Reading { program, firsts, network, at, values };
        let law = rule(&reading)?;
        let (Some(wider), Some(beside)) = (wider, beside) else { return Ok(law) };
        match beside {
            Some(Ok(other)) => {
                let Self { program, network, firsts, values, .. } = &**wider;
                growth::check((&reading, &law), (&Reading { program, firsts, network, at, values }, &other))?;
            }
            Some(Err(why)) => return Err(why.why().cloned().unwrap_or(NoRule::Otherwise)),
            None => return Err(NoRule::Otherwise),
        }
        if at + 1 == program.lines.len() && wider.program.lines.len() != program.lines.len() {
            return Err(NoRule::Otherwise);
        }
        Ok(law)
    }
}

impl Iterator for Laws<'_> {
    type Item = Result<Law, NoLimit>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.values.len();
        let line = self.program.lines.get(at)?;
        let broken = line.reads.iter().find_map(|&read| self.values[read].as_ref().err());
        let broken = broken.cloned();
        // Also where this line has none, so that both programs stay at the same line.
        let beside = self.wider.as_mut().map(|wider| wider.next());
        let law = match broken {
            Some(why) => Err(why),
            None => self.law(at, beside).map_err(|why| NoLimit::Line { at: LineLocation::of(self.program, at), why }),
        };
        self.values.push(match &law {
            Ok(Law::Given) => Ok(Value::Given),
            Ok(Law::Layer { value, .. } | Law::Made { value, .. }) => Ok(Value::Random(value.clone())),
            Err(why) => Err(why.clone()),
        });
        Some(law)
    }
}

/// Returns whether the width is infinite in SP, where the kernel diverges.
fn is_unbounded(network: &NetworkSpec) -> bool {
    network.is_infinite() && !network.parametrisation.is_ntk()
}

/// Returns, for each line of a program, the reason why it has no limit; lines that depend on one without a limit repeat its
/// reason, and the line that violates the GIA check has that as its reason. Without the program at a larger width
/// ([`super::wider`]) all features are taken to grow.
pub fn limits(program: &Program, wider: Option<&Program>, network: &NetworkSpec) -> Vec<Option<NoLimit>> {
    if is_unbounded(network) {
        return vec![Some(NoLimit::Standard); program.lines.len()];
    }
    let mut found: Vec<Option<NoLimit>> = Laws::new(program, wider, network).map(Result::err).collect();
    let breach = gia(program).map_err(NoLimit::from).err();
    if let Some((breach, line)) = breach.and_then(|breach| breach.line().map(|line| (breach, line))) {
        found[line] = Some(breach);
    }
    found
}
