//! Declares the colours of tasks, series and runs, once for the window and the figures.
//!
//! Tasks use Okabe and Ito's set, which people with any common colour blindness can distinguish; black is reserved for
//! quantities of no single task, and yellow, which is hard to see on white, comes last.

use crate::analysis::{Curve, LearningCurves};
use crate::spec::Learner;
/// The colours of tasks 1, 2, 3, … as red, green and blue.
const TASKS: [[u8; 3]; 7] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233], [240, 228, 66]];

/// Returns the colour of the task of this number, from 1; more tasks than colours start again.
pub fn task_colour(number: usize) -> [u8; 3] {
    TASKS[number.wrapping_sub(1) % TASKS.len()]
}

/// Returns the colour of one of `count` values of an axis, by its index, from a map that is ordered in grey too. On a dark
/// ground the map begins where it is bright enough to be seen, on a light one it ends before the yellow.
pub fn value_colour(place: usize, count: usize, dark: bool) -> [u8; 3] {
    let share = place as f64 / (count.max(2) - 1) as f64;
    let (from, to) = if dark { (0.28, 1.0) } else { (0.0, 0.9) };
    let shade = colorous::VIRIDIS.eval_continuous(from + (to - from) * share);
    [shade.r, shade.g, shade.b]
}

/// Returns the task whose colour a series of runs has, by the index of the series, and whether its line is broken: after six
/// colours they start again with broken lines, so that a dozen can be distinguished. Yellow is left out.
pub fn series_ink(place: usize) -> (usize, bool) {
    (place % 6 + 1, place % 12 >= 6)
}

/// Colours of runs that lie over one another, on a light ground and on a dark one: Paul Tol's "muted" and "light" sets, which
/// people with any common colour blindness can distinguish, and which are not those of the tasks.
const RUNS: [[[u8; 3]; 8]; 2] = [
    [
        [204, 102, 119],
        [51, 34, 136],
        [17, 119, 51],
        [170, 68, 153],
        [68, 170, 153],
        [136, 34, 85],
        [153, 153, 51],
        [136, 204, 238],
    ],
    [
        [255, 170, 187],
        [187, 204, 51],
        [68, 187, 153],
        [238, 221, 136],
        [153, 221, 255],
        [238, 136, 102],
        [170, 170, 0],
        [119, 170, 221],
    ],
];

/// Returns the colour of one of several runs, by its index, and whether its line is broken: after eight colours they start
/// again.
pub fn run_ink(place: usize, dark: bool) -> ([u8; 3], bool) {
    let colours = &RUNS[usize::from(dark)];
    (colours[place % colours.len()], place / colours.len() % 2 == 1)
}

/// Names a colour by its purpose. Each theme of the window, and the figures, paint it so that it can be seen on their ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Colour {
    /// The colour of text: quantities of no single task, and the network of infinite width.
    Text,
    /// The colour of labels.
    Weak,
    /// The colour of what is not current.
    Faint,
    /// The colour of a limit beyond which something breaks down.
    Warning,
    /// The colour of the task of this number, from 1.
    Task(usize),
    /// A colour between those of two tasks.
    Between(usize, usize),
    /// A colour that is the same on every ground: red, green, blue.
    Rgb([u8; 3]),
    /// The colour of one of `count` values of an axis, by its index.
    Value { place: usize, count: usize },
    /// The colour of one of `count` curves in an order, such as layers, by its index.
    Layer { place: usize, count: usize },
}

/// Combines a colour with its strength: 1 is opaque.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ink {
    pub colour: Colour,
    pub strength: f32,
}

impl Colour {
    /// Returns the colour with this strength.
    pub fn at(self, strength: f32) -> Ink {
        Ink { colour: self, strength }
    }
}

impl From<Colour> for Ink {
    fn from(colour: Colour) -> Self {
        colour.at(1.0)
    }
}

impl LearningCurves {
    /// Returns the colours of the curves, and whether their lines are broken: a learner has a colour of its own, unless there are
    /// several series of it.
    pub fn colours(&self) -> Vec<(Colour, bool)> {
        let variants = self.curves.iter().any(|curve| !curve.variant.is_empty());
        let epochs = self.curves.iter().filter(|curve| curve.epoch.is_some()).count();
        let mut seen = 0;
        let colour = |(place, curve): (usize, &Curve)| {
            if variants {
                let (number, broken) = series_ink(place);
                return (Colour::Task(number), broken);
            }
            let number = |number| (Colour::Task(number), false);
            match curve.learner {
                Learner::Network => number(2),
                Learner::KernelStart => number(1),
                Learner::KernelEnd => number(3),
                Learner::KernelConstant => number(4),
                Learner::Ensemble => number(5),
                Learner::FeatureMachine => number(6),
                Learner::Linearised => (Colour::Task(1), true),
                Learner::Infinite => (Colour::Text, false),
                Learner::KernelEpochs => {
                    seen += 1;
                    (Colour::Layer { place: seen - 1, count: epochs }, false)
                }
            }
        };
        self.curves.iter().enumerate().map(colour).collect()
    }
}
