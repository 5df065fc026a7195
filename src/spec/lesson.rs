//! Reads lessons from the files in `assets/lessons`, one file each: settings, and steps with a text, a view to look at
//! and a condition to wait for.
//!
//! Guarantees: pure data that depends on no window and no run; a file that names an unknown preset, setting or view is
//! refused in one sentence. The format is explained in `assets/lessons/README.md`.

use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

use super::{Spec, SpecError, preset, study};

/// The lesson files, by name, in the order in which they are offered. A new lesson is a new file and a line here.
pub const LESSON_FILES: &[(&str, &str)] = &[
    ("the-kernel-wakes-up", include_str!("../../assets/lessons/the-kernel-wakes-up.toml")),
    ("wider-is-lazier", include_str!("../../assets/lessons/wider-is-lazier.toml")),
    ("following-the-kernel", include_str!("../../assets/lessons/following-the-kernel.toml")),
    ("write-a-tensor-program", include_str!("../../assets/lessons/write-a-tensor-program.toml")),
    ("your-own-network", include_str!("../../assets/lessons/your-own-network.toml")),
    ("more-data", include_str!("../../assets/lessons/more-data.toml")),
];

/// Largest number of words in a step: the amount read in front of a class while something moves.
pub const MOST_WORDS: usize = 60;

/// Describes one lesson, as its file does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    pub title: String,
    /// One sentence on what the lesson shows.
    pub about: String,
    /// The preset on which the lesson is based.
    pub preset: Option<String>,
    pub study: Option<String>,
    /// Changes to the preset, as `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
    #[serde(rename = "step")]
    pub steps: Vec<LessonStep>,
}

/// One step of a lesson.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LessonStep {
    /// The text of the step. `{ratio}` stands for that number of the run, `{before.ratio}` for that of the previous run.
    pub text: String,
    /// The title of the view to look at.
    pub view: String,
    /// How the view shows its quantity, by the view's name for it; as the reader has it, if left out.
    pub mode: Option<String>,
    /// The condition that must hold before the lesson continues.
    #[serde(default)]
    pub wait: LessonCondition,
    /// Changes to the settings; if there are any, a new run begins at this step.
    #[serde(default)]
    pub set: Vec<String>,
}

/// An event in a run or a study that a lesson waits for, some of them actions of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum LessonCondition {
    /// No condition: the reader continues at will.
    #[default]
    Nothing,
    /// The first kernel was measured.
    Start,
    /// The run has reached this epoch.
    Epoch(f64),
    /// This switch, from 1, has happened.
    Switch(usize),
    /// The velocity at this switch has been measured for long enough, and it has a spike.
    Spike(usize),
    /// λ_max at this switch has been measured for long enough, and it has a dip.
    Dip(usize),
    /// After that dip λ_max is back where it was.
    Recovery(usize),
    /// The accuracy on the first task has fallen by this much since the first switch.
    AccuracyLost(f64),
    /// All tasks were trained.
    Finished,
    /// The user has moved the time cursor.
    Cursor,
    /// The user has applied a program with a residual connection around a layer.
    Residual,
    /// The user has applied a program that breaks the GIA check.
    Breach,
    /// A study of learners has this many points.
    Points(usize),
    /// All runs of the study have ended.
    StudyDone,
}

/// The error of reading a lesson.
#[derive(Debug, Error)]
pub enum LessonError {
    #[error("this is not a lesson: {0}")]
    Syntax(String),
    #[error("a lesson is about one preset or one study: {0}")]
    Subject(String),
    #[error("{0}")]
    Setting(#[from] SpecError),
    #[error("step {step}: {reason}")]
    Step { step: usize, reason: String },
}

impl LessonCondition {
    /// Returns whether it happens in a study.
    pub fn is_of_study(self) -> bool {
        matches!(self, Self::Points(_) | Self::StudyDone)
    }

    /// Returns whether the user writes a program for it.
    pub fn is_of_text(self) -> bool {
        matches!(self, Self::Residual | Self::Breach)
    }

    /// Returns whether it happens in a run.
    pub fn is_of_run(self) -> bool {
        !self.is_of_study() && self != Self::Nothing
    }

    /// Returns the switch, from 1, at or after which it happens.
    pub fn switch(self) -> Option<usize> {
        match self {
            Self::Switch(place) | Self::Spike(place) | Self::Dip(place) | Self::Recovery(place) => Some(place),
            Self::AccuracyLost(_) => Some(1),
            _ => None,
        }
    }

    /// Returns whether it is the switch itself, and nothing that follows it.
    pub fn is_switch(self) -> bool {
        matches!(self, Self::Switch(_))
    }

    /// Returns the condition in words, to follow “Waiting for”.
    pub fn words(self) -> String {
        let which = |place: usize| match place {
            1 => "the switch".to_owned(),
            _ => format!("switch {place}"),
        };
        match self {
            Self::Nothing => String::new(),
            Self::Start => "the first kernel".to_owned(),
            Self::Epoch(epoch) => format!("epoch {epoch}"),
            Self::Switch(place) => format!("{} to the next task", which(place)),
            Self::Spike(place) => format!("the spike of the velocity, one epoch after {}", which(place)),
            Self::Dip(place) => format!("the dip of λ_max, three epochs after {}", which(place)),
            Self::Recovery(place) => format!("λ_max to be back where it was before {}", which(place)),
            Self::AccuracyLost(share) => {
                format!("the accuracy on the first task to fall by {:.0} points", 100.0 * share)
            }
            Self::Finished => "the end of the run".to_owned(),
            Self::Cursor => "you to move the time cursor".to_owned(),
            Self::Residual => "you to apply a program with a residual connection".to_owned(),
            Self::Breach => "you to apply a program that breaks the GIA check".to_owned(),
            Self::Points(count) => format!("{count} points of the study"),
            Self::StudyDone => "the end of the study".to_owned(),
        }
    }
}

impl TryFrom<String> for LessonCondition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let unknown = || {
            let known = "start, epoch N, switch, spike, dip, recovery, accuracy lost SHARE, finished, cursor, \
                residual, breach, points N, study done";
            format!("unknown condition “{text}”: there are {known}")
        };
        let words = text.trim();
        let (name, number) = match words.rsplit_once(' ') {
            Some((name, number)) if number.parse::<f64>().is_ok() => (name.trim(), number.parse::<f64>().ok()),
            _ => (words, None),
        };
        // Numbers of switches and points count from 1.
        let count = |number: f64| (number >= 1.0 && number.fract() == 0.0).then_some(number as usize);
        let place = || number.map_or(Some(1), count);
        let found = match (name, number) {
            ("start", None) => Some(Self::Start),
            ("epoch", Some(epoch)) if epoch >= 0.0 => Some(Self::Epoch(epoch)),
            ("switch", _) => place().map(Self::Switch),
            ("spike", _) => place().map(Self::Spike),
            ("dip", _) => place().map(Self::Dip),
            ("recovery", _) => place().map(Self::Recovery),
            ("accuracy lost", Some(share)) if share > 0.0 && share <= 1.0 => Some(Self::AccuracyLost(share)),
            ("finished", None) => Some(Self::Finished),
            ("cursor", None) => Some(Self::Cursor),
            ("residual", None) => Some(Self::Residual),
            ("breach", None) => Some(Self::Breach),
            ("points", Some(number)) => count(number).map(Self::Points),
            ("study done", None) => Some(Self::StudyDone),
            _ => None,
        };
        found.ok_or_else(unknown)
    }
}

impl Lesson {
    /// Parses the lesson file of this name.
    ///
    /// # Errors
    /// Fails if it is not a valid lesson, or names an unknown preset, setting or view.
    pub fn read(name: &str, text: &str) -> Result<Self, LessonError> {
        let read: Self = toml::from_str(text).map_err(|err| LessonError::Syntax(err.message().to_owned()))?;
        let lesson = Self { name: name.to_owned(), ..read };
        if lesson.steps.is_empty() {
            return Err(LessonError::Syntax("it has no step".to_owned()));
        }
        for (place, step) in lesson.steps.iter().enumerate() {
            let wrong = |reason: String| LessonError::Step { step: place + 1, reason };
            let words = step.text.split_whitespace().count();
            if words == 0 || words > MOST_WORDS {
                return Err(wrong(format!("it has {words} words; from 1 to {MOST_WORDS} can be read in passing")));
            }
            let other = if lesson.study.is_some() { step.wait.is_of_run() } else { step.wait.is_of_study() };
            if other {
                return Err(wrong(format!("it waits for {}, which cannot come here", step.wait.words())));
            }
            if lesson.study.is_some() && !step.set.is_empty() {
                return Err(wrong("a study cannot be changed on its way".to_owned()));
            }
            lesson.spec_at(place)?;
        }
        Ok(lesson)
    }

    /// Returns whether the user writes programs in the lesson, so that the network is not fixed by it.
    pub fn is_of_text(&self) -> bool {
        self.steps.iter().any(|step| step.wait.is_of_text())
    }

    /// Returns the settings of the run at this step, or of the study.
    ///
    /// # Errors
    /// Fails if the settings are invalid.
    pub fn spec_at(&self, step: usize) -> Result<Spec, LessonError> {
        let ready = match (&self.preset, &self.study) {
            (Some(name), None) => preset(name).ok_or(name),
            (None, Some(name)) => study(name).ok_or(name),
            _ => return Err(LessonError::Subject("write preset or study, and one of them".to_owned())),
        };
        let mut spec = ready.map_err(|name| LessonError::Subject(format!("there is no {name}")))?.spec();
        let changes = self.steps.iter().take(step + 1).flat_map(|step| &step.set);
        self.set.iter().chain(changes).try_for_each(|setting| spec.set(setting))?;
        Ok(spec)
    }
}

impl LessonStep {
    /// Returns the names of the numbers in its text, as they stand between braces.
    pub fn figures(&self) -> impl Iterator<Item = &str> {
        self.text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
    }
}

/// Returns all lessons. One that cannot be read is omitted and logged; a test checks that there is none.
pub fn lessons() -> &'static [Lesson] {
    static TOURS: LazyLock<Vec<Lesson>> = LazyLock::new(|| {
        let read = |&(name, text): &(&str, &str)| match Lesson::read(name, text) {
            Ok(lesson) => Some(lesson),
            Err(err) => {
                log::error!("the lesson {name} is left out: {err}");
                None
            }
        };
        LESSON_FILES.iter().filter_map(read).collect()
    });
    &TOURS
}
