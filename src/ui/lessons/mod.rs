//! Shows lessons in the window: the one in progress, its current step, and its progress (see [`crate::spec::Lesson`]).
//!
//! Guarantees: a step continues when its condition is measured in the run or the study, or when the reader skips the wait, which
//! stays visible; a run that reaches a switch before its reader does is paused, and goes on when the reader lets it happen;
//! figures in a text are those of the run at that step and do not change afterwards. Closing a lesson leaves the
//! run as it is, at the pace that the user had. A lesson changes nothing itself: its effects on the window are returned, as a
//! [`LessonSetup`] at the beginning and [`StepEffects`] for each step.

pub mod action;
pub(crate) mod card;

use std::collections::BTreeSet;

use egui::{Align2, Context, Key, RichText, ScrollArea, Window, vec2};

use super::app::action_queue::Actions;
use super::app::actions::{Action, RunAction};
use super::app::session::Session;
use super::kit::theme::{GRID, SMALL, Tokens};
use super::kit::{format, theme};
use super::playback::clock::{bands, newest};
use super::settings::checked::needs_restart;
use super::shell::toast::Toast;
use super::study::StudyPage;
use super::views::View;
use crate::analysis::Milestone;
use crate::run::{History, RunState};
use crate::spec::{Lesson, LessonCondition, LessonStep, Preset, Spec, lessons, preset};
use crate::theory::gia;
use crate::ui::lessons::action::LessonAction;

/// The state of the condition that a step waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Waiting,
    Come,
    /// The reader skipped the wait.
    Skipped,
    /// It can no longer be met, for this reason.
    Never(String),
}

/// A step that was reached.
struct Page {
    seen: Seen,
    text: String,
    /// Whether all figures of the text are known.
    complete: bool,
}

/// A lesson in progress.
pub struct Open {
    pub lesson: &'static Lesson,
    at: usize,
    pages: Vec<Page>,
    /// The settings that the lesson has started, and whether those of the run differ by now.
    expected: Spec,
    strays: bool,
    /// Whether the study was started, or found finished.
    begun: bool,
    /// The switch, from 1, before which the run was paused, and the last one that was let happen or not waited for.
    held: Option<usize>,
    released: usize,
    /// The version of the record and the cursor at the last check.
    looked: Option<(u64, Option<f64>)>,
}

/// The lesson in progress, the list of lessons, and the hint that there are some.
#[derive(Default)]
pub struct Lessons {
    choosing: bool,
    hint: bool,
    open: Option<Open>,
    /// The names of those that were read to their end.
    read: BTreeSet<String>,
    /// The pace of the user, and the pace that the lesson has set.
    pace: Option<(f64, f64)>,
}

impl Open {
    /// Returns the index of the step, from 0.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn step(&self) -> &'static LessonStep {
        &self.lesson.steps[self.at]
    }

    pub fn seen(&self) -> &Seen {
        &self.pages[self.at].seen
    }

    /// Returns the text of this step, with its figures.
    pub fn text(&self) -> &str {
        &self.pages[self.at].text
    }

    /// Returns whether the run has other settings than this lesson gave it.
    pub fn strays(&self) -> bool {
        self.strays
    }

    /// Returns whether the run is paused before the switch that this step is about, until the reader lets it happen.
    pub fn is_held(&self) -> bool {
        self.held.is_some() && self.held == self.step().wait.switch()
    }

    /// Returns the switch, from 1, before which the run is paused.
    pub fn held(&self) -> Option<usize> {
        self.held
    }

    /// Returns whether this step, or one after it in the same run, is about this switch.
    fn awaits(&self, switch: usize) -> bool {
        let ahead = self.lesson.steps[self.at..].iter().enumerate();
        let mut ahead = ahead.take_while(|(place, step)| *place == 0 || step.set.is_empty());
        ahead.any(|(_, step)| step.wait.switch() == Some(switch))
    }

    /// Pauses the run a little before a switch that the reader has still to come to, and gives it free when the switch has
    /// happened all the same, or the reader has resumed the run.
    fn hold(&mut self, session: &Session) -> Option<Hold> {
        let next = session.history.tasks().len();
        if let Some(held) = self.held {
            let is_resumed = !session.is_paused() && !session.is_pausing();
            if next > held || is_resumed {
                (self.held, self.released) = (None, held);
                return (!is_resumed).then_some(Hold::Release);
            }
            return None;
        }
        if next == 0 || next <= self.released || *session.history.state() != RunState::Running || !self.awaits(next) {
            return None;
        }
        let planned = bands(&session.history).get(next).filter(|band| band.planned)?.from;
        (newest(&session.history) >= planned - AHEAD).then(|| {
            self.held = Some(next);
            Hold::Pause
        })
    }

    pub fn is_last(&self) -> bool {
        self.at + 1 == self.lesson.steps.len()
    }

    /// Returns whether the list has a lesson after this one.
    fn has_successor(&self) -> bool {
        lessons().last().is_some_and(|last| last.name != self.lesson.name)
    }

    /// Returns whether this step is about the live run, and not about the previous one.
    fn is_of_this_run(&self) -> bool {
        !self.lesson.steps[self.at + 1..self.pages.len()].iter().any(|step| !step.set.is_empty())
    }
}

impl Lessons {
    /// Creates the state that shows the hint about lessons until the user starts something.
    pub fn welcoming() -> Self {
        Self { hint: true, ..Self::default() }
    }

    /// Returns the lesson in progress.
    pub fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Returns the title of the view that the step outlines.
    pub fn view(&self) -> Option<&'static str> {
        self.open.as_ref().map(|open| open.step().view.as_str())
    }

    /// Returns whether there is a next step and the condition of this one is met.
    pub fn can_go_on(&self) -> bool {
        self.open.as_ref().is_some_and(|open| *open.seen() != Seen::Waiting || open.is_held())
    }

    pub fn can_go_back(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.at > 0)
    }

    /// Hides the hint about lessons once the user starts a run, a study or a lesson.
    pub fn note(&mut self, action: &Action) {
        let chose = matches!(
            action,
            Action::Run(
                RunAction::Start
                    | RunAction::StartOwn
                    | RunAction::RestartAt(_)
                    | RunAction::NewSeed
                    | RunAction::Load(_)
                    | RunAction::Fork
            ) | Action::Study(_)
                | Action::Lesson(_)
        );
        self.hint &= !chose;
    }

    /// Shows the list of lessons, or hides it.
    pub fn toggle_list(&mut self) {
        self.choosing = !self.choosing;
    }

    /// Returns whether the list of lessons is shown.
    pub fn is_choosing(&self) -> bool {
        self.choosing
    }

    /// Hides the hint that there are lessons.
    pub fn hide_hint(&mut self) {
        self.hint = false;
    }

    /// Returns the setup of the lesson at this index of the list, or `None` if there is no such lesson.
    pub fn setup(place: usize) -> Option<LessonSetup> {
        let lesson = lessons().get(place)?;
        // It was validated when the lesson was read.
        let spec = lesson.spec_at(0).ok()?;
        Some(LessonSetup { lesson, spec })
    }

    /// Opens a lesson whose run or study is set up; the window then shows its first step. `users` is the pace of the user if the
    /// lesson has set another.
    pub fn begin(&mut self, setup: LessonSetup, users: Option<f64>) {
        let LessonSetup { lesson, spec } = setup;
        self.pace = users.map(|users| (users, spec.window.pace));
        self.choosing = false;
        let (pages, strays, begun, looked, held) = (Vec::new(), false, false, None, None);
        self.open = Some(Open { lesson, at: 0, pages, expected: spec, strays, begun, held, released: 0, looked });
    }

    /// Returns the next step if there is no condition left to wait for.
    pub fn next(&self) -> Option<Next> {
        let open = self.open.as_ref()?;
        if open.is_held() {
            return Some(Next::Happen);
        }
        if *open.seen() == Seen::Waiting {
            return None;
        }
        Some(if open.is_last() { Next::End } else { Next::Step(open.at + 1) })
    }

    /// Lets the switch happen before which the run is paused. Returns the index of the step to show, which is the next one if
    /// this one waits for no more than the switch: what follows it comes within moments.
    pub fn let_happen(&mut self) -> Option<usize> {
        let open = self.open.as_mut()?;
        open.released = open.held.take()?;
        let is_switch = open.step().wait.is_switch() && !open.is_last();
        Some(open.at + usize::from(is_switch))
    }

    /// Returns the index of the previous step.
    pub fn before(&self) -> Option<usize> {
        self.open.as_ref().and_then(|open| open.at.checked_sub(1))
    }

    /// Skips the condition of this step; returns whether it was waiting.
    pub fn skip(&mut self) -> bool {
        match &mut self.open {
            Some(open) if open.pages[open.at].seen == Seen::Waiting => {
                open.pages[open.at].seen = Seen::Skipped;
                true
            }
            _ => false,
        }
    }

    /// Enters a step. Returns its effects when it is reached for the first time.
    pub fn enter(&mut self, at: usize) -> Option<StepEffects> {
        let open = self.open.as_mut()?;
        (open.at, open.looked) = (at, None);
        let step = open.step();
        let mut start = None;
        if at == open.pages.len() {
            open.pages.push(Page { seen: Seen::Waiting, text: String::new(), complete: false });
            if let (false, Ok(spec)) = (step.set.is_empty(), open.lesson.spec_at(at)) {
                open.expected = spec.clone();
                (open.held, open.released) = (None, 0);
                start = Some(spec);
            }
        }
        let study = open.lesson.study.is_some();
        let view = View::titled(&step.view).filter(|_| !study);
        Some(StepEffects { start, study, view, mode: step.mode.as_deref() })
    }

    /// Checks whether the condition is met. `chosen` is the epoch at which the user has put the cursor.
    pub fn check(&mut self, run: LessonContext<'_>, page: &StudyPage) -> LessonCheck {
        let mut check = LessonCheck::default();
        let LessonContext { session, reference, chosen } = run;
        let history = session.map(|session| &session.history);
        let Some(open) = &mut self.open else { return check };
        let study = open.lesson.study.is_some();
        if let Some(session) = session.filter(|session| session.is_live() && open.is_of_this_run() && !open.strays) {
            check.hold = open.hold(session);
        }
        let now = (history.map_or(0, |history| history.revision()), chosen);
        if open.looked == Some(now) && !study {
            return check;
        }
        open.looked = Some(now);
        // Another seed is allowed: some lessons ask for it.
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
            (_, Some(history)) => history.milestone(awaited),
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

    /// Notes that the lesson was read to its end. Returns the index of the one after it, if there is one.
    pub fn finish(&mut self) -> Option<usize> {
        let lesson = self.open.as_ref()?.lesson;
        self.read.insert(lesson.name.clone());
        let place = lessons().iter().position(|known| known.name == lesson.name)?;
        (place + 1 < lessons().len()).then_some(place + 1)
    }

    /// Returns the names of the lessons that were read to their end.
    pub fn read(&self) -> Vec<String> {
        self.read.iter().cloned().collect()
    }

    /// Restores the names of the lessons that were read in earlier sessions.
    pub fn restore_read(&mut self, names: &[String]) {
        self.read.extend(names.iter().cloned());
    }

    /// Closes the lesson; the run stays. Returns the pace of the user if the run still has that of the lesson.
    pub fn close(&mut self, pace: f64) -> Option<f64> {
        self.open = None;
        let (users, lessons) = self.pace.take()?;
        (pace == lessons && users != lessons).then_some(users)
    }
}

/// A lesson and its initial settings.
pub struct LessonSetup {
    pub lesson: &'static Lesson,
    pub spec: Spec,
}

impl LessonSetup {
    /// Returns the preset of the lesson, if it has one.
    pub fn preset(&self) -> Option<&'static Preset> {
        self.lesson.preset.as_deref().and_then(preset)
    }

    /// Creates the message that it cannot begin, because a study runs or its settings have a problem.
    pub fn refused(&self, why: &str) -> Toast {
        Toast::failed(format!("“{}” {why}", self.lesson.title))
    }
}

/// The destination after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The switch happens before which the run is paused.
    Happen,
    Step(usize),
    End,
}

/// What a lesson does to the run at a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    Pause,
    Release,
}

/// How many epochs before a switch the run is paused.
const AHEAD: f64 = 0.5;

/// The effects on the window of a step that is reached.
pub struct StepEffects {
    /// Settings of a run to start, at the pace of the window.
    pub start: Option<Spec>,
    /// Whether the study page is shown.
    pub study: bool,
    /// The view to put on screen, and how it shows its quantity.
    pub view: Option<View>,
    pub mode: Option<&'static str>,
}

/// The part of the run that a lesson reads.
#[derive(Clone, Copy)]
pub struct LessonContext<'a> {
    pub session: Option<&'a Session>,
    pub reference: Option<&'a History>,
    pub chosen: Option<f64>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LessonCheck {
    /// Whether the state of the condition has changed.
    pub changed: bool,
    /// Whether the study of the lesson is to start.
    pub start_study: bool,
    /// Whether the run is to be paused, or to go on.
    pub hold: Option<Hold>,
}

/// Checks the program of the run against the condition; it was read when the run began.
fn look_at_program(session: Option<&Session>, awaited: LessonCondition) -> Milestone {
    let info = session.and_then(|session| session.history.info());
    let program = info.and_then(|info| info.spec.network.program(info.image, info.readout().count()).ok());
    let come = program.is_some_and(|program| match awaited {
        LessonCondition::Residual => program.has_residual(),
        _ => gia(&program).is_err(),
    });
    if come { Milestone::Come } else { Milestone::NotYet }
}

/// Checks a condition on a study; the study is started once its folder has been read.
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

/// Returns the text with its figures, and whether all of them are known: `{ratio}` is that figure of the run, `{before.ratio}`
/// that of the previous run. Figures have their names in the tables; an unknown one becomes an ellipsis.
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

/// Formats a figure for a sentence.
fn in_words(name: &str, value: f64) -> String {
    let is_share = name.starts_with("accuracy") || matches!(name, "dip" | "kernel_drift" | "kernel_error");
    match name {
        _ if name.ends_with("ratio") => format!("×{}", format::times(value)),
        _ if is_share && value < 0.0995 => format!("{:.1} %", 100.0 * value),
        _ if is_share => format!("{:.0} %", 100.0 * value),
        _ => format::number(value),
    }
}

/// Draws the list of lessons as a small window that closes when anything else is clicked.
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
        let text = "Each starts a run or a study, waits for the events in it, and continues with one key.";
        ui.label(RichText::new(text).size(SMALL).color(tokens.weak));
        // It scrolls only where it is higher than the window, as in a presentation; else it would be as low as new windows are.
        let most = ctx.content_rect().height() - 90.0;
        ScrollArea::vertical().max_height(most).min_scrolled_height(most).show(ui, |ui| {
            for (place, lesson) in lessons().iter().enumerate() {
                ui.add_space(2.0 * GRID);
                let title = RichText::new(&lesson.title).size(theme::TITLE);
                ui.horizontal(|ui| {
                    if ui.button(title).clicked() {
                        actions.push(LessonAction::Begin(place));
                    }
                    if state.read.contains(&lesson.name) {
                        ui.label(RichText::new("✔ read").size(SMALL).color(tokens.accent));
                    }
                });
                ui.label(&lesson.about);
                let about = match (&lesson.preset, &lesson.study) {
                    (Some(name), _) => format!("{} steps, preset {name}", lesson.steps.len()),
                    (None, name) => {
                        format!("{} steps, study {}", lesson.steps.len(), name.as_deref().unwrap_or_default())
                    }
                };
                ui.label(RichText::new(about).size(SMALL).color(tokens.weak));
            }
        });
    });
}
