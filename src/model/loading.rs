//! Determines the program of a weights file: a network with the tensors of the file, by name and shape.
//!
//! The widths of its layers are read from the shapes while its text is evaluated ([`crate::spec::Builder::adopting`]); the
//! other settings are found by a search that starts from those of the spec: each in turn takes the value with which the
//! most tensors match, until no change improves the match.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::family::{Family, find_own};
use super::names;
use super::source::WeightsError;
use super::stored::{Stored, is_of};
use crate::spec::ops::shown;
use crate::spec::text::Choices;
use crate::spec::{NetworkSpec, Program, Said, Setting, Shapes};

/// Returns the program of the network in a file, the settings determined by its tensors, and the file to read them from.
pub(super) fn open<'a>(
    spec: &NetworkSpec,
    parts: &'a [Vec<u8>],
    image: [usize; 3],
) -> Result<(Arc<Program>, Said, Stored<'a>), WeightsError> {
    let family = Family::of(&spec.program).filter(|_| spec.text.is_none());
    let mut stored = match family {
        Some(family) => Stored::open(parts, family.words(), |shapes| names::find(family, shapes))?,
        None => {
            let own: Vec<String> =
                spec.program(image, CLASSES).ok().or_else(|| spec.outline()).map_or_else(Vec::new, |own| tensors(&own));
            let is_ours = |name: &str| own.iter().any(|known| known == name);
            Stored::open(parts, "this network", |shapes| Ok(find_own(shapes, is_ours)))?
        }
    };
    let search = Search { image, shapes: Arc::new(stored.shapes()), by_text: false };
    let fitted = search.fit(spec.clone());
    let (fitted, determined) = if fitted.program.is_some() {
        search.settled(spec, fitted)
    } else {
        // The expected tensors, to name the one that does not match.
        (Search { by_text: true, ..search.clone() }.fit(spec.clone()), Said::default())
    };
    let program = fitted.program.clone().ok_or_else(|| WeightsError::Unfit(fitted.refused.clone()))?;
    search.check(&program, &stored)?;
    // The biases that the network has by default.
    let expected = fitted.spec.program(image, CLASSES).map_or_else(|_| Vec::new(), |expected| tensors(&expected));
    let there = tensors(&program);
    let is_absent = |name: &String| {
        let weight = name.strip_suffix("bias").map(|layer| format!("{layer}weight"));
        weight.is_some_and(|weight| search.shapes.contains_key(&weight)) && !there.contains(name)
    };
    stored.lacks(expected.into_iter().filter(is_absent).collect())?;
    Ok((program, determined, stored))
}

/// Number of logits assumed where only the names of tensors are needed.
const CLASSES: usize = 10;
/// Largest number of values tried for a whole-number setting.
const TRIED: usize = 160;
/// Largest number of logits that is tried although no tensor has such a side.
const MOST_GUESSED: usize = 16;
/// Number of consecutive values with a worse match after which larger ones are not tried: more layers than there are
/// tensors.
const RISES: usize = 3;
/// Passes over all settings.
const ROUNDS: usize = 4;

fn tensors(program: &Program) -> Vec<String> {
    program.tensors.iter().map(|tensor| tensor.name.clone()).collect()
}

#[derive(Clone)]
struct Search {
    image: [usize; 3],
    shapes: Arc<Shapes>,
    /// True if layers have the widths of the text and not those of the file.
    by_text: bool,
}

/// A spec and how well it matches the file.
struct Fitted {
    spec: NetworkSpec,
    /// Number of logits requested of the text.
    classes: usize,
    program: Option<Arc<Program>>,
    /// The error, if there is no program.
    refused: String,
    /// Number of tensors missing in the program or in the file; without a program, larger than any such number, and lower
    /// the further its text is evaluated.
    cost: usize,
}

impl Search {
    fn of(&self, spec: NetworkSpec, classes: usize) -> Fitted {
        let program = if self.by_text {
            spec.described(self.image, classes).map(|described| Arc::clone(&described.program)).map_err(|why| (0, why))
        } else {
            let adopted = spec.adopting(self.image, classes, &self.shapes);
            adopted.map_err(|err| (err.line.unwrap_or(0), err.to_string()))
        };
        match program {
            Ok(program) => {
                let fits = |shape: &[usize], name: &str| self.shapes.get(name).is_some_and(|found| is_of(found, shape));
                let found = program.tensors.iter().filter(|tensor| fits(&tensor.shape, &tensor.name)).count();
                let cost = program.tensors.len() + self.shapes.len() - 2 * found;
                Fitted { spec, classes, program: Some(program), refused: String::new(), cost }
            }
            Err((line, refused)) => Fitted { spec, classes, program: None, refused, cost: usize::MAX - line },
        }
    }

    fn fit(&self, spec: NetworkSpec) -> Fitted {
        let mut best = self.of(spec, CLASSES);
        for _ in 0..ROUNDS {
            let before = best.cost;
            for declared in best.spec.declared() {
                let others = self.others(&best.spec, &declared.name, &declared.choices);
                let others: Vec<_> = others.take(TRIED).collect();
                let classes = best.classes;
                let ascend = declared.choices.ascend() && declared.name != NetworkSpec::WIDTH;
                best = self.best(best, others.into_iter().map(|spec| (spec, classes)), ascend);
            }
            // A last layer determines its number of logits, but not if the text transforms its output.
            let spec = best.spec.clone();
            let logits = self.sides().into_iter().chain(1..=MOST_GUESSED).collect::<BTreeSet<_>>().into_iter();
            best = self.best(best, logits.map(|classes| (spec.clone(), classes)), false);
            if best.cost == before {
                break;
            }
        }
        best
    }

    /// Returns the best of these networks and numbers of logits; in case of a tie the current one.
    fn best(&self, best: Fitted, others: impl IntoIterator<Item = (NetworkSpec, usize)>, ascend: bool) -> Fitted {
        if best.cost == 0 {
            return best;
        }
        self.tried(others, ascend).fold(best, |best, other| if other.cost < best.cost { other } else { best })
    }

    /// Returns the matches of these candidates, up to the first exact one; of ascending values, until the match keeps
    /// getting worse.
    fn tried(
        &self,
        others: impl IntoIterator<Item = (NetworkSpec, usize)>,
        ascend: bool,
    ) -> impl Iterator<Item = Fitted> {
        let (mut before, mut rises) = (usize::MAX, 0);
        others.into_iter().take(TRIED).map_while(move |(spec, classes)| {
            if before == 0 || (ascend && rises == RISES) {
                return None;
            }
            let fitted = self.of(spec, classes);
            rises = if fitted.program.is_some() && fitted.cost > before { rises + 1 } else { 0 };
            before = fitted.cost;
            Some(fitted)
        })
    }

    /// Returns the sides of the tensors of the file.
    fn sides(&self) -> BTreeSet<usize> {
        self.shapes.values().flatten().copied().collect()
    }

    /// Returns the settings that the tensors determine: any other value matches worse. A setting that was found but is not
    /// determined is reset to the value of the spec: of two networks with the same tensors, only that one can be meant.
    fn settled(&self, spec: &NetworkSpec, fitted: Fitted) -> (Fitted, Said) {
        let (mut fitted, mut determined) = (fitted, Said::default());
        for declared in spec.declared().into_iter().filter(|declared| declared.name != NetworkSpec::WIDTH) {
            let name = declared.name.as_str();
            let (found, expected) = (fitted.spec.setting(name), spec.setting(name));
            let others = self.others(&fitted.spec, name, &declared.choices);
            let others = others.map(|spec| (spec, fitted.classes));
            let mut others = self.tried(others, declared.choices.ascend()).peekable();
            let is_determined = others.peek().is_some() && others.all(|other| other.cost > fitted.cost);
            drop(others);
            if is_determined {
                determined = determined.with(name, found);
            } else if let Some(expected) = expected.filter(|expected| Some(expected) != found.as_ref()) {
                fitted = self.of(fitted.spec.clone().with(name, expected), fitted.classes);
                if fitted.program.is_none() {
                    break;
                }
            }
        }
        (fitted, determined)
    }

    /// Fails with the tensor whose shape differs from this program's, and notes whether the inputs may be the cause.
    fn check(&self, program: &Program, stored: &Stored<'_>) -> Result<(), WeightsError> {
        let [channels, height, width] = self.image;
        let values = channels * height * width;
        let inputs =
            if program.reads_images() { format!("{channels}×{height}×{width}") } else { format!("{values} values") };
        // The lines that depend on the image only through lines without tensors.
        let mut sees_image: Vec<bool> = Vec::with_capacity(program.lines.len());
        for line in &program.lines {
            let is_bare = |&read: &usize| sees_image[read] && program.lines[read].tensors.is_empty();
            sees_image.push(line.reads.iter().all(is_bare));
        }
        for (place, tensor) in program.tensors.iter().enumerate() {
            // A missing tensor is reported when it is read.
            let Some(found) = self.shapes.get(&tensor.name) else { break };
            if is_of(found, &tensor.shape) {
                continue;
            }
            let is_first =
                program.lines.iter().zip(&sees_image).any(|(line, sees)| *sees && line.tensors.contains(&place));
            let (name, found, inputs) = (stored.name_of(&tensor.name), found.clone(), inputs.clone());
            return Err(if is_first && found.len() == tensor.shape.len() && found.first() == tensor.shape.first() {
                WeightsError::Inputs { name, found, inputs }
            } else {
                WeightsError::Shape {
                    name,
                    found,
                    expected: format!("{}, for inputs of {inputs},", shown(&tensor.shape)),
                }
            });
        }
        Ok(())
    }

    /// Returns the spec with each other value of a setting; empty for a setting with uncountable values. For the width,
    /// only sides of tensors in the file: most layers have the width of their tensors, but not those that share tensors
    /// with other layers, nor the shapes that a text computes.
    fn others<'a>(
        &self,
        spec: &'a NetworkSpec,
        name: &'a str,
        choices: &Choices,
    ) -> Box<dyn Iterator<Item = NetworkSpec> + 'a> {
        if name == NetworkSpec::WIDTH {
            return Box::new(self.sides().into_iter().map(|width| NetworkSpec { width, ..spec.clone() }));
        }
        // There are at most as many layers as tensors, and a patch is at most as large as the image.
        let most = self.image.into_iter().chain([self.shapes.len()]).max().and_then(|most| i64::try_from(most).ok());
        let most = most.unwrap_or(i64::MAX);
        let own = spec.setting(name);
        let values: Box<dyn Iterator<Item = Setting>> = match choices {
            Choices::Whole(range) => Box::new((*range.start()..=most).map(Setting::Whole)),
            Choices::Flag => Box::new([true, false].into_iter().map(Setting::Flag)),
            Choices::Words(words) => Box::new(words.clone().into_iter().map(Setting::Word)),
            Choices::Real(_) => Box::new(std::iter::empty()),
        };
        Box::new(values.filter(move |value| Some(value) != own.as_ref()).map(|value| spec.clone().with(name, value)))
    }
}
