//! The program of a weights file: that of a network whose tensors are those of the file, by name and shape.
//!
//! How wide its layers are is read off the shapes while its text is evaluated ([`crate::spec::Builder::adopting`]); the other
//! settings are found by trying, from those of the spec on: one after the other takes the value with which the most tensors fit,
//! until none gets better.

use std::sync::Arc;

use super::names::{self, Family};
use super::source::WeightsError;
use super::stored::Stored;
use crate::spec::text::Choices;
use crate::spec::{NetworkSpec, Program, Said, Setting, Shapes};

/// The program of the network in a file, what its tensors tell of it, and the file to read them from.
pub(super) fn open<'a>(
    spec: &NetworkSpec,
    parts: &'a [Vec<u8>],
    image: [usize; 3],
) -> Result<(Arc<Program>, Said, Stored<'a>), WeightsError> {
    let family = Family::of(&spec.program).filter(|_| spec.text.is_none());
    let mut stored = match family {
        Some(family) => Stored::open(parts, family.words(), |shapes| names::find(family, shapes))?,
        None => {
            let own: Vec<String> = spec.program(image, CLASSES).map_or_else(|_| Vec::new(), |own| tensors(&own));
            let is_ours = |name: &str| own.iter().any(|known| known == name);
            Stored::open(parts, "this network", |shapes| Ok(names::find_own(shapes, is_ours)))?
        }
    };
    let search = Search { image, shapes: Arc::new(stored.shapes()) };
    let mut fitted = search.fit(spec.clone());
    let program = fitted.program.take().ok_or(WeightsError::Unfit(fitted.refused))?;
    let told = search.told(&fitted.spec, fitted.cost);
    // Which biases the network has where nobody reads a file.
    let asked = fitted.spec.program(image, CLASSES).map_or_else(|_| Vec::new(), |asked| tensors(&asked));
    let there = tensors(&program);
    stored.lacks(asked.into_iter().filter(|name| name.ends_with(".bias") && !there.contains(name)).collect())?;
    Ok((program, told, stored))
}

/// Logits of a network of which only the names of tensors are asked.
const CLASSES: usize = 10;
/// Values of a whole setting that are tried beyond the best one.
const BEYOND: i64 = 64;
/// Rounds through all settings.
const ROUNDS: usize = 4;

fn tensors(program: &Program) -> Vec<String> {
    program.tensors.iter().map(|tensor| tensor.name.clone()).collect()
}

struct Search {
    image: [usize; 3],
    shapes: Arc<Shapes>,
}

/// A spec and how well the file fits it.
struct Fitted {
    spec: NetworkSpec,
    program: Option<Arc<Program>>,
    /// Why there is no program.
    refused: String,
    /// Tensors that the program lacks or that lack in the file; of none, more than of any.
    cost: usize,
}

impl Search {
    fn of(&self, spec: NetworkSpec) -> Fitted {
        match spec.adopting(self.image, &self.shapes) {
            Ok(program) => {
                let fits = |shape: &[usize], name: &str| self.shapes.get(name).is_some_and(|found| found == shape);
                let found = program.tensors.iter().filter(|tensor| fits(&tensor.shape, &tensor.name)).count();
                let cost = program.tensors.len() + self.shapes.len() - 2 * found;
                Fitted { spec, program: Some(program), refused: String::new(), cost }
            }
            Err(refused) => Fitted { spec, program: None, refused, cost: usize::MAX },
        }
    }

    fn fit(&self, spec: NetworkSpec) -> Fitted {
        let mut best = self.of(spec);
        for _ in 0..ROUNDS {
            let before = best.cost;
            for declared in best.spec.declared() {
                best = self.vary(best, &declared.name, &declared.choices);
            }
            if best.cost == before {
                break;
            }
        }
        best
    }

    /// The best of all values of a setting, of equal ones that which is there.
    fn vary(&self, mut best: Fitted, name: &str, choices: &Choices) -> Fitted {
        if best.cost == 0 {
            return best;
        }
        let mut last = BEYOND;
        let from = best.spec.clone();
        for (at, other) in (0..).zip(others(&from, name, choices)) {
            if at > last {
                break;
            }
            let other = self.of(other);
            if other.cost < best.cost {
                best = other;
                last = at + BEYOND;
            }
            if best.cost == 0 {
                break;
            }
        }
        best
    }

    /// The settings that the tensors tell: with any other value, one fits less.
    fn told(&self, spec: &NetworkSpec, cost: usize) -> Said {
        let mut said = Said::default();
        for declared in spec.declared() {
            let mut others = others(spec, &declared.name, &declared.choices).take(BEYOND as usize).peekable();
            if others.peek().is_some() && others.all(|other| self.of(other).cost > cost) {
                said = said.with(&declared.name, spec.setting(&declared.name));
            }
        }
        said
    }
}

/// The same spec with each other value of a setting; none of one whose values cannot be counted, or of the width, which every
/// tensor tells by itself.
fn others<'a>(spec: &'a NetworkSpec, name: &'a str, choices: &Choices) -> Box<dyn Iterator<Item = NetworkSpec> + 'a> {
    let own = spec.setting(name);
    let values: Box<dyn Iterator<Item = Setting>> = match choices {
        _ if name == NetworkSpec::WIDTH => Box::new(std::iter::empty()),
        Choices::Whole(range) => Box::new((*range.start()..).map(Setting::Whole)),
        Choices::Flag => Box::new([true, false].into_iter().map(Setting::Flag)),
        Choices::Words(words) => Box::new(words.clone().into_iter().map(Setting::Word)),
        Choices::Real(_) => Box::new(std::iter::empty()),
    };
    Box::new(values.filter(move |value| Some(value) != own.as_ref()).map(|value| spec.clone().with(name, value)))
}
