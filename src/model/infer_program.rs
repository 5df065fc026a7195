//! Determines the program of a weights file: a network with the tensors of the file, by name and shape.
//!
//! The widths of its layers are read from the shapes while its text is evaluated ([`crate::spec::Builder::adopting`]); the
//! other settings are found by a search that starts from those of the spec: each in turn takes the value with which the
//! most tensors match, until no change improves the match. Of values with which all match, because layers take their widths
//! from the file, the one is taken at which the text itself has the shapes of the file: a text may also compute with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::family::Family;
use super::names;
use super::parameter_source::WeightsError;
use super::weights_file::{StoredTensors, is_of};
use crate::spec::ops::{Parameter, shown};
use crate::spec::text::Choices;
use crate::spec::{KnownSettings, Line, NetworkSpec, Program, Setting, Shapes};

/// The settings of the network in a file.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundSettings {
    /// The settings that its tensors determine.
    pub determined: KnownSettings,
    /// The settings that its tensors leave open, although the network computes another function with another value.
    pub open: KnownSettings,
}

/// Returns the program of the network in a file, its settings, and the file to read its tensors from.
pub(super) fn open<'a>(
    spec: &NetworkSpec,
    parts: &'a [Vec<u8>],
    image: [usize; 3],
) -> Result<(Arc<Program>, FoundSettings, StoredTensors<'a>), WeightsError> {
    let until = Instant::now() + LONGEST;
    let family = Family::of(&spec.program).filter(|_| spec.text.is_none());
    // The networks of families have as many logits as are requested.
    let none = names::Shapes::new();
    let own = |shapes: &names::Shapes| names_of(spec, image, if family.is_some() { &none } else { shapes });
    let mut stored = StoredTensors::open(parts, family, own)?;
    let shapes = Arc::new(stored.shapes());
    let search = Search { image, shapes, by_text: false, until };
    let is_unsure = |fitted: &Fitted| fitted.has_other_shapes() && !search.is_width_free(fitted);
    let mut fitted = search.fit(spec.clone());
    if is_unsure(&fitted) {
        fitted = search.fit_pairs(fitted);
    }
    if fitted.cost != EXACT && search.is_over() {
        return Err(WeightsError::Slow);
    }
    if is_unsure(&fitted) {
        return Err(WeightsError::Sizes(NetworkSpec::WIDTH.to_owned()));
    }
    let (fitted, found) = if fitted.program.is_some() {
        search.settled(spec, fitted)?
    } else {
        // The expected tensors, to name the one that does not match.
        (Search { by_text: true, ..search.clone() }.fit(spec.clone()), FoundSettings::default())
    };
    let program = fitted.program.clone().ok_or_else(|| WeightsError::Unfit(fitted.refused.clone()))?;
    stored.expect(&program)?;
    search.check(&program, &stored)?;
    // The biases that the network has by default.
    let usual = fitted.spec.program(image, logits(&program)).map_or_else(|_| Vec::new(), |usual| tensors(&usual));
    let there = tensors(&program);
    let is_absent = |name: &String| {
        let weight = name.strip_suffix("bias").map(|layer| format!("{layer}weight"));
        weight.is_some_and(|weight| search.shapes.contains_key(&weight)) && !there.contains(name)
    };
    stored.lacks(usual.into_iter().filter(is_absent).collect(), spec.text.is_some())?;
    Ok((program, found, stored))
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

/// Longest search of the settings: several times what the largest network of the library takes on a busy machine.
const LONGEST: Duration = Duration::from_secs(5);
/// The cost of a network with the tensors of the file, in the shapes of its text.
const EXACT: (usize, usize) = (0, 0);

fn tensors(program: &Program) -> Vec<String> {
    program.tensors.iter().map(|tensor| tensor.name.clone()).collect()
}

/// Returns the number of logits.
fn logits(program: &Program) -> usize {
    program.lines.last().map_or(0, |last| last.shape.iter().product())
}

/// Returns the names of the tensors of this network, for some number of logits: that of a text may be fixed, and is then one
/// of the sides of its tensors.
fn names_of(spec: &NetworkSpec, image: [usize; 3], shapes: &names::Shapes) -> BTreeSet<String> {
    let sides: BTreeSet<usize> = shapes.values().flatten().copied().take(TRIED).collect();
    let program = std::iter::once(CLASSES).chain(sides).find_map(|classes| spec.program(image, classes).ok());
    program.or_else(|| spec.outline()).map_or_else(BTreeSet::new, |own| tensors(&own).into_iter().collect())
}

/// Largest number of other widths tried to tell whether the tensors determine the width: the sides of tensors of most networks,
/// and its neighbours.
const WIDTHS: usize = 24;

/// Returns whether the evaluated networks of two programs are one function of the image and the tensors.
fn is_same(one: &Program, other: &Program) -> bool {
    let is_dropout = |line: &Line| line.op.is_dropout();
    let same = |(a, b): (&Line, &Line)| {
        let op = a.op == b.op || (is_dropout(a) && is_dropout(b));
        op && a.reads == b.reads && a.tensors == b.tensors && a.shape == b.shape
    };
    one.lines.len() == other.lines.len()
        && one.lines.iter().zip(&other.lines).all(same)
        && one.tensors.iter().map(|tensor| &tensor.name).eq(other.tensors.iter().map(|tensor| &tensor.name))
}

#[derive(Clone)]
struct Search {
    image: [usize; 3],
    shapes: Arc<Shapes>,
    /// True if layers have the widths of the text and not those of the file.
    by_text: bool,
    /// The time at which the search ends.
    until: Instant,
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
    /// the further its text is evaluated. If none is missing, also the number of tensors whose shape in the text is not that
    /// in the file.
    cost: (usize, usize),
}

impl Fitted {
    /// Returns whether the network has the tensors of the file, but its text has other shapes.
    fn has_other_shapes(&self) -> bool {
        self.cost.0 == 0 && self.cost.1 > 0
    }

    /// Returns whether the two programs are the same function, if there are both.
    fn is_same(&self, other: &Self) -> Option<bool> {
        Some(is_same(self.program.as_deref()?, other.program.as_deref()?))
    }
}

/// What the tensors show about the value of a setting.
struct Evidence {
    /// Whether they match worse with any other value.
    is_determined: bool,
    /// Whether as many of them match with another value, and the network computes another function.
    differs: bool,
    /// Whether the shapes in the text depend on it.
    shapes: bool,
}

impl Search {
    /// Returns whether the time of the search is over.
    fn is_over(&self) -> bool {
        Instant::now() > self.until
    }

    /// Returns the match of a spec; with the number of logits that the file has, if the network has these tensors with it.
    fn of(&self, spec: NetworkSpec, classes: usize) -> Fitted {
        let fitted = self.matched(spec, classes);
        let found = fitted.program.as_deref().map(logits).filter(|found| *found != classes && !self.by_text);
        let again = found.map(|found| self.matched(fitted.spec.clone(), found));
        again.filter(|again| again.program.is_some() && again.cost <= fitted.cost).unwrap_or(fitted)
    }

    fn matched(&self, spec: NetworkSpec, classes: usize) -> Fitted {
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
                let missing = program.tensors.len() + self.shapes.len() - 2 * found;
                let apart = if missing > 0 || self.by_text { 0 } else { self.apart(&spec, classes, &program) };
                Fitted { spec, classes, program: Some(program), refused: String::new(), cost: (missing, apart) }
            }
            Err((line, refused)) => Fitted { spec, classes, program: None, refused, cost: (usize::MAX - line, 0) },
        }
    }

    /// Returns the number of tensors of this program, whose layers have the widths of the file, with another shape in the
    /// text itself.
    fn apart(&self, spec: &NetworkSpec, classes: usize, program: &Program) -> usize {
        // Of a file without tensors, layers take no widths, and settings are not limited to their ranges either.
        let Ok(own) = spec.adopting(self.image, classes, &Arc::default()) else { return program.tensors.len() + 1 };
        let own: BTreeMap<&str, &[usize]> =
            own.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect();
        let differs = |tensor: &&Parameter| own.get(tensor.name.as_str()).is_some_and(|own| *own != tensor.shape);
        program.tensors.iter().filter(differs).count()
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
            best = self.best(best, self.logits().into_iter().map(|classes| (spec.clone(), classes)), false);
            if best.cost == before || self.is_over() {
                break;
            }
        }
        best
    }

    /// Returns whether the network is the same function with other widths in its text: its layers have those of the file.
    fn is_width_free(&self, fitted: &Fitted) -> bool {
        let width = fitted.spec.nominal();
        [width.checked_mul(2), width.checked_add(1)].into_iter().flatten().all(|width| {
            let other = self.of(NetworkSpec { width: width.into(), ..fitted.spec.clone() }, fitted.classes);
            other.cost.0 == fitted.cost.0 && other.is_same(fitted) == Some(true)
        })
    }

    /// Returns the best network with another width and another number of logits at once: their product may be the side of a
    /// tensor.
    fn fit_pairs(&self, mut best: Fitted) -> Fitted {
        let spec = best.spec.clone();
        let logits = self.logits();
        for other in self.widths(&spec) {
            for &classes in &logits {
                if best.cost == EXACT || self.is_over() {
                    return best;
                }
                let fitted = self.of(other.clone(), classes);
                if fitted.cost < best.cost {
                    best = fitted;
                }
            }
        }
        best
    }

    /// Returns the best of these networks and numbers of logits; in case of a tie the current one.
    fn best(&self, best: Fitted, others: impl IntoIterator<Item = (NetworkSpec, usize)>, ascend: bool) -> Fitted {
        if best.cost == EXACT {
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
        let (mut before, mut rises) = ((usize::MAX, 0), 0);
        others.into_iter().take(TRIED).map_while(move |(spec, classes)| {
            if before == EXACT || (ascend && rises == RISES) || self.is_over() {
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

    /// Returns the numbers of logits that are tried: the sides of tensors, and small numbers.
    fn logits(&self) -> BTreeSet<usize> {
        self.sides().into_iter().chain(1..=MOST_GUESSED).collect()
    }

    /// Returns the settings that the tensors determine, because any other value matches worse, and those that they leave
    /// open. A setting that was found but is not determined is reset to the value of the spec: of two networks with the same
    /// tensors, only that one can be meant.
    ///
    /// # Errors
    /// Fails if the text has the shapes of the file with no value of a setting with which it also computes.
    fn settled(&self, spec: &NetworkSpec, fitted: Fitted) -> Result<(Fitted, FoundSettings), WeightsError> {
        let (mut fitted, mut all) = (fitted, FoundSettings::default());
        for declared in spec.declared() {
            let name = declared.name.as_str();
            let value = self.value(&fitted, name, &declared.choices);
            if fitted.has_other_shapes() && value.differs && value.shapes {
                return Err(WeightsError::Sizes(name.to_owned()));
            }
            let (found, given) = (fitted.spec.setting(name), spec.setting(name));
            if value.is_determined {
                all.determined = all.determined.with(name, found);
                continue;
            }
            if let Some(given) = given.filter(|given| Some(given) != found.as_ref()) {
                let as_given = self.of(fitted.spec.clone().with(name, given), fitted.classes);
                // The width of the spec is no request but the usual value. Another setting without a program is refused.
                if name != NetworkSpec::WIDTH || as_given.cost <= fitted.cost {
                    fitted = as_given;
                }
                if fitted.program.is_none() {
                    break;
                }
            }
            if value.differs {
                all.open = all.open.with(name, fitted.spec.setting(name));
            }
        }
        if fitted.has_other_shapes() && self.is_over() {
            return Err(WeightsError::Slow);
        }
        Ok((fitted, all))
    }

    /// Returns the evidence of the tensors for the value of a setting.
    fn value(&self, fitted: &Fitted, name: &str, choices: &Choices) -> Evidence {
        let mut known = Evidence { is_determined: false, differs: false, shapes: false };
        let own = fitted.spec.setting(name);
        let mut others: Vec<NetworkSpec> = match choices {
            Choices::Real([low, high]) => {
                let values = [*low, (low + high) / 2.0, *high].map(Setting::Real).into_iter();
                let others = values.filter(|value| Some(value) != own.as_ref());
                others.map(|value| fitted.spec.clone().with(name, value)).collect()
            }
            _ => self.others(&fitted.spec, name, choices).take(TRIED).collect(),
        };
        if name == NetworkSpec::WIDTH {
            others.truncate(WIDTHS);
        }
        let (mut before, mut rises) = (fitted.cost, 0);
        for (at, other) in others.into_iter().enumerate() {
            if self.is_over() {
                // Whatever has not been found out is open.
                return Evidence { is_determined: false, differs: true, shapes: false };
            }
            let other = self.of(other, fitted.classes);
            known.is_determined = (known.is_determined || at == 0) && other.cost > fitted.cost;
            if other.cost.0 == fitted.cost.0 {
                known.shapes |= other.cost.1 != fitted.cost.1;
                known.differs |= other.is_same(fitted) == Some(false);
            }
            rises = if other.program.is_some() && other.cost.0 > before.0 { rises + 1 } else { 0 };
            before = other.cost;
            let is_decided = known.differs && !known.is_determined && (fitted.cost.1 == 0 || known.shapes);
            let ascends = choices.ascend() && name != NetworkSpec::WIDTH;
            if is_decided || (ascends && rises == RISES) {
                break;
            }
        }
        known
    }

    /// Fails with the tensor whose shape differs from this program's, and notes whether the inputs may be the cause.
    fn check(&self, program: &Program, stored: &StoredTensors<'_>) -> Result<(), WeightsError> {
        let [channels, height, width] = self.image;
        let values = channels * height * width;
        let inputs =
            if program.reads_images() { format!("{channels}×{height}×{width}") } else { format!("{values} values") };
        // The lines that depend on the image only through lines without tensors.
        let mut sees_image: Vec<bool> = Vec::with_capacity(program.lines.len());
        for line in &program.lines {
            let is_bare = |&read: &usize| sees_image[read] && program.lines[read].tensors.is_empty();
            // The first line is the image, and no other that reads nothing depends on it.
            let is_first = sees_image.is_empty();
            sees_image.push(is_first || (!line.reads.is_empty() && line.reads.iter().all(is_bare)));
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
            let expected = shown(&tensor.shape);
            // Inputs decide the second axis only: that of channels or values.
            let mut suited = found.clone();
            suited.iter_mut().zip(&tensor.shape).skip(1).take(1).for_each(|(side, expected)| *side = *expected);
            return Err(if is_first && suited == tensor.shape {
                WeightsError::Inputs { name, found, inputs, expected }
            } else {
                WeightsError::Shape { name, found, expected: format!("{expected}, for inputs of {inputs},") }
            });
        }
        Ok(())
    }

    /// Returns the spec with each other width that the file suggests. A text may double or divide the width, and compute with it
    /// where no tensor has such a side.
    fn widths(&self, spec: &NetworkSpec) -> Vec<NetworkSpec> {
        let (sides, own) = (self.sides(), spec.nominal());
        let near = [Some(own / 2), own.checked_add(1), own.checked_mul(2), own.checked_mul(3)];
        let parts = sides.iter().flat_map(|side| [Some(side / 2), Some(side / 3), Some(side / 4), side.checked_mul(2)]);
        let mut seen = BTreeSet::from([0, own]);
        let widths = sides.iter().copied().chain(near.into_iter().chain(parts).flatten());
        let widths = widths.filter(|width| seen.insert(*width));
        widths.map(|width| NetworkSpec { width: width.into(), ..spec.clone() }).collect()
    }

    /// Returns the spec with each other value of a setting; empty for a setting with uncountable values. For the width,
    /// the sides of tensors in the file, and their parts: most layers have the width of their tensors, but not those that
    /// share tensors with other layers, nor the shapes that a text computes.
    fn others<'a>(
        &self,
        spec: &'a NetworkSpec,
        name: &'a str,
        choices: &Choices,
    ) -> Box<dyn Iterator<Item = NetworkSpec> + 'a> {
        if name == NetworkSpec::WIDTH {
            return Box::new(self.widths(spec).into_iter());
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
