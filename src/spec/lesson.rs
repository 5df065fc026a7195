//! Lessons: what the files in `assets/lessons` say, one file each: settings, and steps with a text, a view to look at and
//! something to wait for. In code a lesson is a *tour*, because [`super::Lesson`] is what the learners of a study are asked.
//!
//! Guarantees: pure data that knows of no window and no run; a file that asks for what there is not is refused in one sentence.
//! The format is explained in `assets/lessons/README.md`.

use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

use super::{Spec, SpecError, preset, study};

/// The files, by name: a new lesson is a new file and its line here. They are offered in this order.
pub const TOUR_FILES: &[(&str, &str)] = &[
    ("the-kernel-wakes-up", include_str!("../../assets/lessons/the-kernel-wakes-up.toml")),
    ("wider-is-lazier", include_str!("../../assets/lessons/wider-is-lazier.toml")),
    ("following-the-kernel", include_str!("../../assets/lessons/following-the-kernel.toml")),
    ("write-a-tensor-program", include_str!("../../assets/lessons/write-a-tensor-program.toml")),
    ("more-data", include_str!("../../assets/lessons/more-data.toml")),
];

/// Words that a step may say: what is read in front of a class while something moves.
pub const MOST_WORDS: usize = 60;

/// One lesson.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tour {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    pub title: String,
    /// One sentence: what one sees.
    pub about: String,
    /// The ready-made run or study that it is about.
    pub preset: Option<String>,
    pub study: Option<String>,
    /// Changes to that, as `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
    #[serde(rename = "step")]
    pub steps: Vec<TourStep>,
}

/// One step of a lesson.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TourStep {
    /// What is said. `{ratio}` stands for that figure of the run, `{before.ratio}` for that of the run before it.
    pub text: String,
    /// The title of the view to look at.
    pub view: String,
    /// What must have happened before the lesson goes on.
    #[serde(default)]
    pub wait: Awaited,
    /// Changes to the settings: with these a new run begins at this step.
    #[serde(default)]
    pub set: Vec<String>,
}

/// Something that happens in a run or a study, by itself or because the user does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum Awaited {
    /// Nothing: the reader goes on when they like.
    #[default]
    Nothing,
    /// The first kernel was measured.
    Start,
    /// The run has come so far.
    Epoch(f64),
    /// This switch, from 1.
    Switch(usize),
    /// The spike of the velocity at this switch can be told, and is one.
    Spike(usize),
    /// The dip of λ_max at this switch can be told, and is one.
    Dip(usize),
    /// After that dip λ_max is back where it was.
    Recovery(usize),
    /// The accuracy on the first task has fallen by so much since the first switch.
    AccuracyLost(f64),
    /// All tasks were trained.
    Finished,
    /// The user has moved the time cursor.
    Cursor,
    /// The user has applied a program in which a value goes around a layer and is added behind it.
    Residual,
    /// The user has applied a program that breaks the GIA check.
    Breach,
    /// A study of learners has so many points.
    Points(usize),
    /// All runs of the study have ended.
    StudyDone,
}

/// Why a lesson cannot be read.
#[derive(Debug, Error)]
pub enum TourError {
    #[error("this is not a lesson: {0}")]
    Syntax(String),
    #[error("a lesson is about one preset or one study: {0}")]
    Subject(String),
    #[error("{0}")]
    Setting(#[from] SpecError),
    #[error("step {step}: {reason}")]
    Step { step: usize, reason: String },
}

impl Awaited {
    /// Whether it happens in a study.
    pub fn is_of_study(self) -> bool {
        matches!(self, Self::Points(_) | Self::StudyDone)
    }

    /// Whether the user writes a program for it.
    pub fn is_of_text(self) -> bool {
        matches!(self, Self::Residual | Self::Breach)
    }

    /// Whether it happens in a run.
    pub fn is_of_run(self) -> bool {
        !self.is_of_study() && self != Self::Nothing
    }

    /// What is waited for, for people: it stands after “Waiting for”.
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

impl TryFrom<String> for Awaited {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let unknown = || {
            let known = "start, epoch N, switch, spike, dip, recovery, accuracy lost SHARE, finished, cursor, residual, breach, points N, study done";
            format!("nobody can wait for “{text}”: there are {known}")
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

impl Tour {
    /// Reads the file of this name.
    ///
    /// # Errors
    /// When it is no lesson, or asks for what there is not.
    pub fn read(name: &str, text: &str) -> Result<Self, TourError> {
        let read: Self = toml::from_str(text).map_err(|err| TourError::Syntax(err.message().to_owned()))?;
        let tour = Self { name: name.to_owned(), ..read };
        if tour.steps.is_empty() {
            return Err(TourError::Syntax("it has no step".to_owned()));
        }
        for (place, step) in tour.steps.iter().enumerate() {
            let wrong = |reason: String| TourError::Step { step: place + 1, reason };
            let words = step.text.split_whitespace().count();
            if words == 0 || words > MOST_WORDS {
                return Err(wrong(format!("it has {words} words; from 1 to {MOST_WORDS} can be read in passing")));
            }
            let other = if tour.study.is_some() { step.wait.is_of_run() } else { step.wait.is_of_study() };
            if other {
                return Err(wrong(format!("it waits for {}, which cannot come here", step.wait.words())));
            }
            if tour.study.is_some() && !step.set.is_empty() {
                return Err(wrong("a study cannot be changed on its way".to_owned()));
            }
            tour.spec_at(place)?;
        }
        Ok(tour)
    }

    /// Whether the user writes programs on the way, so that the network is not the lesson's.
    pub fn is_of_text(&self) -> bool {
        self.steps.iter().any(|step| step.wait.is_of_text())
    }

    /// The settings of the run that goes on at this step, or of the study.
    ///
    /// # Errors
    /// When they ask for what there is not.
    pub fn spec_at(&self, step: usize) -> Result<Spec, TourError> {
        let ready = match (&self.preset, &self.study) {
            (Some(name), None) => preset(name).ok_or(name),
            (None, Some(name)) => study(name).ok_or(name),
            _ => return Err(TourError::Subject("write preset or study, and one of them".to_owned())),
        };
        let mut spec = ready.map_err(|name| TourError::Subject(format!("there is no {name}")))?.spec();
        let changes = self.steps.iter().take(step + 1).flat_map(|step| &step.set);
        self.set.iter().chain(changes).try_for_each(|setting| spec.set(setting))?;
        Ok(spec)
    }
}

impl TourStep {
    /// The names of the figures in its text, as they stand between braces.
    pub fn figures(&self) -> impl Iterator<Item = &str> {
        self.text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
    }
}

/// All lessons. One that cannot be read is left out and said in the log; a test holds that there is none.
pub fn tours() -> &'static [Tour] {
    static TOURS: LazyLock<Vec<Tour>> = LazyLock::new(|| {
        let read = |&(name, text): &(&str, &str)| match Tour::read(name, text) {
            Ok(tour) => Some(tour),
            Err(err) => {
                log::error!("the lesson {name} is left out: {err}");
                None
            }
        };
        TOUR_FILES.iter().filter_map(read).collect()
    });
    &TOURS
}
