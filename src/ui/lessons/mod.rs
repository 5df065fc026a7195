//! Lessons in the window: which one is under way, where it stands, and what it has seen (see [`crate::spec::Lesson`]).
//!
//! Guarantees: a step goes on when what it waits for was measured in the run or the study, or when the reader says that they will
//! not wait, which stays to be seen; figures in a text are those of the run at that step and do not change afterwards. Closing a
//! lesson leaves the run as it is, at the pace that the user had. A lesson changes nothing itself: what it asks of the window is
//! returned, as a [`LessonSetup`] that it begins with and a [`StepEffects`] for each step.

pub mod action;
pub(crate) mod card;

use egui::{Align2, Context, Key, RichText, Window, vec2};

use super::app::action_queue::Actions;
use super::app::actions::{Action, RunAction};
use super::app::session::Session;
use super::kit::theme::{GRID, SMALL, Tokens};
use super::kit::{format, theme};
use super::settings::checked::needs_restart;
use super::shell::toast::Toast;
use super::study::StudyPage;
use super::views::View;
use crate::analysis::Milestone;
use crate::run::History;
use crate::spec::{Lesson, LessonCondition, LessonStep, Preset, Spec, lessons, preset};
use crate::theory::gia;
use crate::ui::lessons::action::LessonAction;

/// The state of what a step waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Waiting,
    Come,
    /// The reader did not want to wait.
    Skipped,
    /// It cannot come any more, and why.
    Never(String),
}

/// A step that was reached.
struct Page {
    seen: Seen,
    text: String,
    /// Whether every figure of the text is known.
    complete: bool,
}

/// A lesson that is under way.
pub struct Open {
    pub lesson: &'static Lesson,
    at: usize,
    pages: Vec<Page>,
    /// The settings that it has started, and whether those of the run are others by now.
    expected: Spec,
    strays: bool,
    /// Whether the study was begun, or found done.
    begun: bool,
    /// The record and the cursor as they were last looked at.
    looked: Option<(u64, Option<f64>)>,
}

/// The lesson that is under way, the list of lessons, and the hint that there are some.
#[derive(Default)]
pub struct Lessons {
    choosing: bool,
    hint: bool,
    open: Option<Open>,
    /// The pace of the user, and that which the lesson has set.
    pace: Option<(f64, f64)>,
}

impl Open {
    /// Returns the place of the step, from 0.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn step(&self) -> &'static LessonStep {
        &self.lesson.steps[self.at]
    }

    pub fn seen(&self) -> &Seen {
        &self.pages[self.at].seen
    }

    /// Returns what this step says, with its figures.
    pub fn text(&self) -> &str {
        &self.pages[self.at].text
    }

    /// Whether the run has other settings than this lesson gave it.
    pub fn strays(&self) -> bool {
        self.strays
    }

    pub fn is_last(&self) -> bool {
        self.at + 1 == self.lesson.steps.len()
    }

    /// Whether this step is about the run that goes on, and not about the one before.
    fn is_of_this_run(&self) -> bool {
        !self.lesson.steps[self.at + 1..self.pages.len()].iter().any(|step| !step.set.is_empty())
    }
}

impl Lessons {
    /// Shows a hint, until something is chosen, that there are lessons.
    pub fn welcoming() -> Self {
        Self { hint: true, ..Self::default() }
    }

    /// Returns the lesson that is under way.
    pub fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Returns the title of the view that is pointed at.
    pub fn view(&self) -> Option<&'static str> {
        self.open.as_ref().map(|open| open.step().view.as_str())
    }

    /// Whether there is a step to go on to, and nothing to wait for.
    pub fn can_go_on(&self) -> bool {
        self.open.as_ref().is_some_and(|open| *open.seen() != Seen::Waiting)
    }

    pub fn can_go_back(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.at > 0)
    }

    /// Takes note of what the user wants: who has chosen something needs no hint.
    pub fn note(&mut self, action: &Action) {
        let chose = matches!(
            action,
            Action::Run(
                RunAction::Start | RunAction::RestartAt(_) | RunAction::NewSeed | RunAction::Load(_) | RunAction::Fork
            ) | Action::Study(_)
                | Action::Lesson(_)
        );
        self.hint &= !chose;
    }

    /// Shows the list of lessons, or hides it.
    pub fn toggle_list(&mut self) {
        self.choosing = !self.choosing;
    }

    /// Hides the hint that there are lessons.
    pub fn hide_hint(&mut self) {
        self.hint = false;
    }

    /// Returns with what the lesson at this place of the list begins; none where there is no such lesson.
    pub fn setup(place: usize) -> Option<LessonSetup> {
        let lesson = lessons().get(place)?;
        // Checked when it was read.
        let spec = lesson.spec_at(0).ok()?;
        Some(LessonSetup { lesson, spec })
    }

    /// Opens a lesson whose run or study was set out; the window then goes to its first step. `users`: the pace of the user, where
    /// the lesson has set another.
    pub fn begin(&mut self, setup: LessonSetup, users: Option<f64>) {
        let LessonSetup { lesson, spec } = setup;
        self.pace = users.map(|users| (users, spec.window.pace));
        self.choosing = false;
        let (pages, strays, begun, looked) = (Vec::new(), false, false, None);
        self.open = Some(Open { lesson, at: 0, pages, expected: spec, strays, begun, looked });
    }

    /// Returns the place of the next step, if there is nothing to wait for.
    pub fn next(&self) -> Option<Next> {
        let open = self.open.as_ref().filter(|open| *open.seen() != Seen::Waiting)?;
        Some(if open.is_last() { Next::End } else { Next::Step(open.at + 1) })
    }

    /// Returns the place of the step before.
    pub fn before(&self) -> Option<usize> {
        self.open.as_ref().and_then(|open| open.at.checked_sub(1))
    }

    /// Waits no longer for what this step waits for; whether it did.
    pub fn skip(&mut self) -> bool {
        match &mut self.open {
            Some(open) if open.pages[open.at].seen == Seen::Waiting => {
                open.pages[open.at].seen = Seen::Skipped;
                true
            }
            _ => false,
        }
    }

    /// Goes to a step. What it sets is to be set when it is reached for the first time.
    pub fn enter(&mut self, at: usize) -> Option<StepEffects> {
        let open = self.open.as_mut()?;
        (open.at, open.looked) = (at, None);
        let step = open.step();
        let mut start = None;
        if at == open.pages.len() {
            open.pages.push(Page { seen: Seen::Waiting, text: String::new(), complete: false });
            if let (false, Ok(spec)) = (step.set.is_empty(), open.lesson.spec_at(at)) {
                open.expected = spec.clone();
                start = Some(spec);
            }
        }
        let study = open.lesson.study.is_some();
        Some(StepEffects { start, study, view: View::titled(&step.view).filter(|_| !study) })
    }

    /// Looks whether what is waited for has come. `chosen` is the epoch that the user has put the cursor to.
    pub fn check(&mut self, run: LessonContext<'_>, page: &StudyPage) -> LessonCheck {
        let mut check = LessonCheck::default();
        let LessonContext { session, reference, chosen } = run;
        let history = session.map(|session| &session.history);
        let Some(open) = &mut self.open else { return check };
        let study = open.lesson.study.is_some();
        let now = (history.map_or(0, |history| history.revision()), chosen);
        if open.looked == Some(now) && !study {
            return check;
        }
        open.looked = Some(now);
        // Another seed is the same lesson: some ask for it.
        let strays = |session: &Session| {
            let mut expected = Spec { seed: session.spec.seed, ..open.expected.clone() };
            if open.lesson.is_of_text() {
                expected.network.clone_from(&session.spec.network);
            }
            needs_restart(&expected, &session.spec)
        };
        open.strays = !study && session.is_some_and(strays);
        if !open.is_of_this_run() {
            return check;
        }
        let (awaited, step) = (open.step().wait, open.step());
        let shown = &mut open.pages[open.at];
        if !shown.complete {
            (shown.text, shown.complete) = fill(&step.text, history, reference);
        }
        if matches!(shown.seen, Seen::Come | Seen::Skipped) {
            return check;
        }
        let sight = match (awaited, history) {
            (LessonCondition::Nothing, _) => Milestone::Come,
            (LessonCondition::Cursor, _) if chosen.is_some() => Milestone::Come,
            (LessonCondition::Residual | LessonCondition::Breach, _) => look_at_program(session, awaited),
            (LessonCondition::Points(_) | LessonCondition::StudyDone, _) => {
                look_at_study(page, &mut open.begun, awaited, &mut check.start_study)
            }
            (_, Some(history)) => history.sight(awaited),
            (_, None) => Milestone::NotYet,
        };
        let seen = match sight {
            Milestone::NotYet => Seen::Waiting,
            Milestone::Come => Seen::Come,
            Milestone::Never(why) => Seen::Never(why),
        };
        if shown.seen != seen {
            shown.seen = seen;
            check.changed = true;
        }
        check
    }

    /// Closes the lesson; the run stays. Returns the pace that the user had, where the run still has that of the lesson.
    pub fn close(&mut self, pace: f64) -> Option<f64> {
        self.open = None;
        let (users, lessons) = self.pace.take()?;
        (pace == lessons && users != lessons).then_some(users)
    }
}

/// The lesson and the settings that a lesson begins with.
pub struct LessonSetup {
    pub lesson: &'static Lesson,
    pub spec: Spec,
}

impl LessonSetup {
    /// Returns the preset that it is about, if it is about one.
    pub fn preset(&self) -> Option<&'static Preset> {
        self.lesson.preset.as_deref().and_then(preset)
    }

    /// Returns why it cannot begin: that a study runs, or a problem of its settings.
    pub fn refused(&self, why: &str) -> Toast {
        Toast::failed(format!("“{}” {why}", self.lesson.title))
    }
}

/// Where a lesson goes on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Step(usize),
    End,
}

/// The changes of the window that a step asks for when it is reached.
pub struct StepEffects {
    /// Settings to start a run of, at the pace of the window.
    pub start: Option<Spec>,
    /// Whether it is on the study page.
    pub study: bool,
    /// The view that is to be on screen.
    pub view: Option<View>,
}

/// The part of the run that a lesson sees.
#[derive(Clone, Copy)]
pub struct LessonContext<'a> {
    pub session: Option<&'a Session>,
    pub reference: Option<&'a History>,
    pub chosen: Option<f64>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LessonCheck {
    /// Whether it stands otherwise by now with what is waited for.
    pub changed: bool,
    /// Whether the study of the lesson is to be started.
    pub start_study: bool,
}

/// Returns whether the program of the run is what is waited for; it was read when the run began.
fn look_at_program(session: Option<&Session>, awaited: LessonCondition) -> Milestone {
    let info = session.and_then(|session| session.history.info());
    let program = info.and_then(|info| info.spec.network.program(info.image, info.readout().count()).ok());
    let come = program.is_some_and(|program| match awaited {
        LessonCondition::Residual => program.has_residual(),
        _ => gia(&program).is_err(),
    });
    if come { Milestone::Come } else { Milestone::NotYet }
}

/// Returns how it stands with something that a study does; it is started once its folder was looked at.
fn look_at_study(study: &StudyPage, begun: &mut bool, awaited: LessonCondition, start: &mut bool) -> Milestone {
    if !*begun {
        if let Some(refusal) = study.refusal() {
            return Milestone::Never(refusal.to_owned());
        }
        *begun = study.is_complete() || study.can_start();
        *start = study.can_start();
        return Milestone::NotYet;
    }
    let points = study
        .learnt()
        .map_or(0, |learnt| learnt.curves.iter().flat_map(|curve| &curve.seeds).map(|(_, points)| points.len()).sum());
    let come = match awaited {
        LessonCondition::Points(count) => points >= count,
        _ => study.is_complete() && !study.is_running() && points > 0,
    };
    match come {
        true => Milestone::Come,
        false if study.is_running() || study.is_complete() => Milestone::NotYet,
        false => Milestone::Never("The study has ended before it came".to_owned()),
    }
}

/// Returns the text with its figures, and whether all of them are known: `{ratio}` is that figure of the run, `{before.ratio}` that
/// of the run before it. A figure is the one of the tables, by its name there; one that is not known is an ellipsis.
fn fill(text: &str, run: Option<&History>, before: Option<&History>) -> (String, bool) {
    let mut filled = String::with_capacity(text.len() + 16);
    let (mut rest, mut complete) = (text, true);
    while let Some((plain, (name, after))) =
        rest.split_once('{').and_then(|(plain, rest)| Some((plain, rest.split_once('}')?)))
    {
        let (history, name) = name.strip_prefix("before.").map_or((run, name), |name| (before, name));
        let value = history.and_then(|history| history.figure(name)).filter(|value| value.is_finite());
        complete &= value.is_some();
        filled += plain;
        filled += &value.map_or_else(|| "…".to_owned(), |value| in_words(name, value));
        rest = after;
    }
    (filled + rest, complete)
}

/// Writes a figure as it stands in a sentence.
fn in_words(name: &str, value: f64) -> String {
    let is_share = name.starts_with("accuracy") || matches!(name, "dip" | "kernel_drift" | "kernel_error");
    match name {
        _ if name.ends_with("ratio") => format!("×{}", format::times(value)),
        _ if is_share && value < 0.0995 => format!("{:.1} %", 100.0 * value),
        _ if is_share => format!("{:.0} %", 100.0 * value),
        _ => format::number(value),
    }
}

/// Draws the list of lessons: a small window that anything else closes.
pub fn choose(ctx: &Context, state: &mut Lessons, actions: &mut Actions) {
    if !state.choosing {
        return;
    }
    if ctx.input(|input| input.key_pressed(Key::Escape)) {
        state.choosing = false;
        return;
    }
    let tokens = Tokens::in_theme(ctx.global_style().visuals.dark_mode);
    let window = Window::new("Lessons").open(&mut state.choosing).collapsible(false).resizable(false);
    let width = (ctx.content_rect().width() - 80.0).min(520.0);
    window.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ctx, |ui| {
        ui.set_width(width);
        let text =
            "Each begins a run or a study of its own, waits for what really happens in it, and goes on with one key.";
        ui.label(RichText::new(text).size(SMALL).color(tokens.weak));
        for (place, lesson) in lessons().iter().enumerate() {
            ui.add_space(2.0 * GRID);
            let title = RichText::new(&lesson.title).size(theme::TITLE);
            if ui.button(title).clicked() {
                actions.push(LessonAction::Begin(place));
            }
            ui.label(&lesson.about);
            let about = match (&lesson.preset, &lesson.study) {
                (Some(name), _) => format!("{} steps, preset {name}", lesson.steps.len()),
                (None, name) => format!("{} steps, study {}", lesson.steps.len(), name.as_deref().unwrap_or_default()),
            };
            ui.label(RichText::new(about).size(SMALL).color(tokens.weak));
        }
    });
}
