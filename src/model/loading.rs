//! The program of a weights file: that of a network whose tensors are those of the file, by name and shape.
//!
//! How wide its layers are is read off the shapes while its text is evaluated ([`crate::spec::Builder::adopting`]); the other
//! settings are found by trying, from those of the spec on: one after the other takes the value with which the most tensors fit,
//! until none gets better.

use std::collections::BTreeSet;
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
    let fitted = search.fit(spec.clone());
    let program = fitted.program.clone().ok_or_else(|| WeightsError::Unfit(fitted.refused.clone()))?;
    let told = search.told(&fitted);
    // Which biases the network has where nobody reads a file.
    let asked = fitted.spec.program(image, CLASSES).map_or_else(|_| Vec::new(), |asked| tensors(&asked));
    let there = tensors(&program);
    stored.lacks(asked.into_iter().filter(|name| name.ends_with(".bias") && !there.contains(name)).collect())?;
    Ok((program, told, stored))
}

/// Logits of a network of which only the names of tensors are asked.
const CLASSES: usize = 10;
/// Values of a whole setting that are tried.
const TRIED: usize = 160;
/// Numbers of logits that are tried though no tensor has such a side.
const MOST_GUESSED: usize = 16;
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
    /// Logits, as the text asks for them.
    classes: usize,
    program: Option<Arc<Program>>,
    /// Why there is no program.
    refused: String,
    /// Tensors that the program lacks or that lack in the file; of none, more than of any.
    cost: usize,
}

impl Search {
    fn of(&self, spec: NetworkSpec, classes: usize) -> Fitted {
        match spec.adopting(self.image, classes, &self.shapes) {
            Ok(program) => {
                let fits = |shape: &[usize], name: &str| self.shapes.get(name).is_some_and(|found| found == shape);
                let found = program.tensors.iter().filter(|tensor| fits(&tensor.shape, &tensor.name)).count();
                let cost = program.tensors.len() + self.shapes.len() - 2 * found;
                Fitted { spec, classes, program: Some(program), refused: String::new(), cost }
            }
            Err(refused) => Fitted { spec, classes, program: None, refused, cost: usize::MAX },
        }
    }

    fn fit(&self, spec: NetworkSpec) -> Fitted {
        let mut best = self.of(spec, CLASSES);
        for _ in 0..ROUNDS {
            let before = best.cost;
            for declared in best.spec.declared() {
                let others = if declared.name == NetworkSpec::WIDTH {
                    self.widths(&best.spec)
                } else {
                    others(&best.spec, &declared.name, &declared.choices).take(TRIED).collect()
                };
                best = self.best(best, others);
            }
            best = self.classes(best);
            if best.cost == before {
                break;
            }
        }
        best
    }

    /// The best of these, of equal ones that which is there.
    fn best(&self, best: Fitted, others: Vec<NetworkSpec>) -> Fitted {
        let mut best = best;
        for other in others {
            if best.cost == 0 {
                break;
            }
            let other = self.of(other, best.classes);
            if other.cost < best.cost {
                best = other;
            }
        }
        best
    }

    /// The best of all numbers of logits. A last layer tells its own, but not a text that makes something else of them.
    fn classes(&self, best: Fitted) -> Fitted {
        let sides: BTreeSet<usize> = self.shapes.values().flatten().copied().chain(1..=MOST_GUESSED).collect();
        let mut best = best;
        for classes in sides {
            if best.cost == 0 {
                break;
            }
            let other = self.of(best.spec.clone(), classes);
            if other.cost < best.cost {
                best = other;
            }
        }
        best
    }

    /// The same spec with each width that a tensor of the file has a side of. Most layers tell theirs by themselves, but not those
    /// whose tensors other layers share, nor the shapes that a text asks for.
    fn widths(&self, spec: &NetworkSpec) -> Vec<NetworkSpec> {
        let sides: BTreeSet<usize> = self.shapes.values().flatten().copied().collect();
        sides.into_iter().map(|width| NetworkSpec { width, ..spec.clone() }).collect()
    }

    /// The settings that the tensors tell: with any other value, one fits less.
    fn told(&self, fitted: &Fitted) -> Said {
        let Fitted { spec, classes, cost, .. } = fitted;
        let mut said = Said::default();
        for declared in spec.declared() {
            let mut others = others(spec, &declared.name, &declared.choices).take(TRIED).peekable();
            if others.peek().is_some() && others.all(|other| self.of(other, *classes).cost > *cost) {
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
