//! Lessons in the window: which one is under way, where it stands, and what it has seen. (In code a lesson is a *tour*; see
//! [`crate::spec::Tour`].)
//!
//! Guarantees: a step goes on when what it waits for was measured in the run or the study, or when the reader says that they will
//! not wait, which stays to be seen; figures in a text are those of the run at that step and do not change afterwards. Closing a
//! lesson leaves the run as it is, at the pace that the user had.

mod card;
mod chooser;
mod figures;

use egui::Context;

use super::app::App;
use super::app::actions::Action;
use super::app::commands::UserCommand;
use super::app::session::Session;
use super::settings::needs_restart;
use super::shell::toasts::Toast;
use super::study::{StudyPage, Wish};
use super::views::View;
use crate::analysis::Sight;
use crate::spec::{Awaited, Spec, Tour, TourStep, preset, tours};
use crate::theory::gia;
use crate::worker::Command;

pub use crate::ui::lessons::card::dock;
pub use crate::ui::lessons::chooser::show as choose;

/// A wish that has no key.
#[derive(Clone, Copy, Debug)]
pub enum TourWish {
    /// Begin the lesson at this place of the list.
    Begin(usize),
    /// Go on without what is waited for.
    Skip,
    /// Close the lesson.
    Close,
    /// Hide the hint that there are lessons.
    HideHint,
}

/// How it stands with what a step waits for.
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

/// The lesson that is under way.
pub struct Open {
    pub tour: &'static Tour,
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

/// Everything about lessons.
#[derive(Default)]
pub struct Tours {
    choosing: bool,
    hint: bool,
    open: Option<Open>,
    /// The pace of the user, and that which the lesson has set.
    pace: Option<(f64, f64)>,
}

impl Open {
    /// Where it stands, from 0.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn step(&self) -> &'static TourStep {
        &self.tour.steps[self.at]
    }

    pub fn seen(&self) -> &Seen {
        &self.pages[self.at].seen
    }

    /// What this step says, with its figures.
    pub fn text(&self) -> &str {
        &self.pages[self.at].text
    }

    /// Whether the run has other settings than this lesson gave it.
    pub fn strays(&self) -> bool {
        self.strays
    }

    pub fn is_last(&self) -> bool {
        self.at + 1 == self.tour.steps.len()
    }

    /// Whether this step is about the run that goes on, and not about the one before.
    fn is_of_this_run(&self) -> bool {
        !self.tour.steps[self.at + 1..self.pages.len()].iter().any(|step| !step.set.is_empty())
    }
}

impl Tours {
    /// With a hint, until something is chosen, that there are lessons.
    pub fn welcoming() -> Self {
        Self { hint: true, ..Self::default() }
    }

    /// The lesson that is under way.
    pub fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// The title of the view that is pointed at.
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
        let chose = match action {
            Action::User(command) => matches!(
                command,
                UserCommand::Restart
                    | UserCommand::NewSeed
                    | UserCommand::Page
                    | UserCommand::Fork
                    | UserCommand::Tours
            ),
            Action::Load(_) | Action::Start | Action::RestartAt(_) | Action::Study(_) | Action::Tour(_) => true,
            _ => false,
        };
        self.hint &= !chose;
    }
}

impl App {
    /// The lessons, and the one that is under way.
    pub fn tours(&self) -> &Tours {
        &self.tours
    }

    /// The same window, with a hint that there are lessons.
    #[must_use]
    pub fn welcoming(mut self) -> Self {
        self.tours = Tours::welcoming();
        self
    }

    pub(super) fn tour_wish(&mut self, ctx: &Context, wish: TourWish) {
        match wish {
            TourWish::Begin(place) => self.begin_tour(ctx, place),
            TourWish::Skip => {
                if let Some(open) = &mut self.tours.open
                    && open.pages[open.at].seen == Seen::Waiting
                {
                    open.pages[open.at].seen = Seen::Skipped;
                    self.tour_on(ctx);
                }
            }
            TourWish::Close => self.close_tour(),
            TourWish::HideHint => self.tours.hint = false,
        }
    }

    /// The list of lessons, or not.
    pub(super) fn toggle_tours(&mut self) {
        self.tours.choosing = !self.tours.choosing;
    }

    /// The next step, or the end after the last one.
    pub(super) fn tour_on(&mut self, ctx: &Context) {
        let Some(open) = self.tours.open.as_ref().filter(|open| *open.seen() != Seen::Waiting) else { return };
        if open.is_last() {
            self.close_tour();
        } else {
            self.enter(ctx, open.at + 1);
        }
    }

    pub(super) fn tour_back(&mut self, ctx: &Context) {
        if let Some(at) = self.tours.open.as_ref().and_then(|open| open.at.checked_sub(1)) {
            self.enter(ctx, at);
        }
    }

    fn begin_tour(&mut self, ctx: &Context, place: usize) {
        let Some(tour) = tours().get(place) else { return };
        // Checked when it was read.
        let Ok(spec) = tour.spec_at(0) else { return };
        if let Some(name) = &tour.study {
            if self.study.is_running() {
                let text = format!("“{}” begins a study, and one is running: cancel it, or wait for it", tour.title);
                self.toasts.say(Toast::failed(text));
                return;
            }
            self.close_tour();
            // A folder of its own: a study of the user's under this name is another one.
            self.study.set_out(name, &spec, &format!("lesson-{}", tour.name));
        } else {
            self.close_tour();
            let users = std::mem::replace(&mut self.draft, spec.clone());
            if let Some(preset) = tour.preset.as_deref().and_then(preset) {
                let views: Vec<View> = preset.views().iter().filter_map(|title| View::titled(title)).collect();
                self.views.set_out(&views);
            }
            // What a text says of a view is of the view as it usually is.
            self.views.show_usual();
            if tour.is_of_text() {
                // In the largest place, beside what moves with it.
                self.views.set_out(&[View::Program, View::Velocity, View::Scale, View::Gram]);
                self.views.open_text();
            }
            self.start_run(ctx);
            if let Some(problem) = self.checked.problems.first() {
                self.toasts.say(Toast::failed(format!("“{}” cannot begin: {}", tour.title, problem.message)));
                self.draft = users;
                return;
            }
            // The faint lines of a lesson are its own.
            self.reference = None;
            self.tours.pace = Some((users.window.pace, spec.window.pace));
        }
        self.tours.choosing = false;
        let (pages, strays, begun, looked) = (Vec::new(), false, false, None);
        self.tours.open = Some(Open { tour, at: 0, pages, expected: spec, strays, begun, looked });
        self.enter(ctx, 0);
    }

    /// Goes to a step; what it sets is set when it is reached for the first time.
    fn enter(&mut self, ctx: &Context, at: usize) {
        let Some(open) = &mut self.tours.open else { return };
        (open.at, open.looked) = (at, None);
        let step = open.step();
        if at == open.pages.len() {
            open.pages.push(Page { seen: Seen::Waiting, text: String::new(), complete: false });
            if let (false, Ok(spec)) = (step.set.is_empty(), open.tour.spec_at(at)) {
                open.expected = spec.clone();
                // The pace may have been changed on the way.
                self.draft = Spec { window: self.draft.window.clone(), ..spec };
                self.start_run(ctx);
            }
        }
        let Some(open) = &self.tours.open else { return };
        self.study.shown = open.tour.study.is_some();
        if let Some(view) = View::titled(&step.view).filter(|_| !self.study.shown) {
            self.views.bring(view);
        }
        self.look(ctx);
    }

    /// Looks whether what is waited for has come. Once per frame, also while the window is hidden.
    pub(super) fn look(&mut self, ctx: &Context) {
        let session = self.session.as_ref();
        let (history, chosen) = (session.map(|session| &session.history), self.clock.chosen());
        let Some(open) = &mut self.tours.open else { return };
        let study = open.tour.study.is_some();
        let now = (history.map_or(0, |history| history.revision()), chosen);
        if open.looked == Some(now) && !study {
            return;
        }
        open.looked = Some(now);
        // Another seed is the same lesson: some ask for it.
        let strays = |session: &Session| {
            let mut expected = Spec { seed: session.spec.seed, ..open.expected.clone() };
            if open.tour.is_of_text() {
                expected.network.clone_from(&session.spec.network);
            }
            needs_restart(&expected, &session.spec)
        };
        open.strays = !study && session.is_some_and(strays);
        if !open.is_of_this_run() {
            return;
        }
        let (awaited, step) = (open.step().wait, open.step());
        let page = &mut open.pages[open.at];
        if !page.complete {
            (page.text, page.complete) = figures::fill(&step.text, history, self.reference.as_ref());
        }
        if matches!(page.seen, Seen::Come | Seen::Skipped) {
            return;
        }
        let sight = match (awaited, history) {
            (Awaited::Nothing, _) => Sight::Come,
            (Awaited::Cursor, _) if chosen.is_some() => Sight::Come,
            (Awaited::Residual | Awaited::Breach, _) => look_at_program(session, awaited),
            (Awaited::Points(_) | Awaited::StudyDone, _) => {
                look_at_study(&mut self.study, &mut open.begun, awaited, ctx)
            }
            (_, Some(history)) => history.sight(awaited),
            (_, None) => Sight::NotYet,
        };
        let seen = match sight {
            Sight::NotYet => Seen::Waiting,
            Sight::Come => Seen::Come,
            Sight::Never(why) => Seen::Never(why),
        };
        if page.seen != seen {
            page.seen = seen;
            ctx.request_repaint();
        }
    }

    /// Closes the lesson; the run stays.
    fn close_tour(&mut self) {
        self.tours.open = None;
        if let Some((users, lessons)) = self.tours.pace.take()
            && self.draft.window.pace == lessons
            && users != lessons
        {
            self.draft.window.pace = users;
            self.actions.push(Action::Live(Command::SetPace(users)));
        }
    }
}

/// Whether the program of the run is what is waited for; it was read when the run began.
fn look_at_program(session: Option<&Session>, awaited: Awaited) -> Sight {
    let info = session.and_then(|session| session.history.info());
    let program = info.and_then(|info| info.spec.network.program(info.image, info.readout().count()).ok());
    let come = program.is_some_and(|program| match awaited {
        Awaited::Residual => program.has_residual(),
        _ => gia(&program).is_err(),
    });
    if come { Sight::Come } else { Sight::NotYet }
}

/// How it stands with something that a study does; it is started once its folder was looked at.
fn look_at_study(study: &mut StudyPage, begun: &mut bool, awaited: Awaited, ctx: &Context) -> Sight {
    if !*begun {
        if let Some(refusal) = study.refusal() {
            return Sight::Never(refusal.to_owned());
        }
        *begun = study.is_complete() || study.can_start();
        if study.can_start() {
            study.execute(&Wish::Start, || crate::ui::app::update::waker(ctx));
        }
        return Sight::NotYet;
    }
    let points = study
        .learnt()
        .map_or(0, |learnt| learnt.curves.iter().flat_map(|curve| &curve.seeds).map(|(_, points)| points.len()).sum());
    let come = match awaited {
        Awaited::Points(count) => points >= count,
        _ => study.is_complete() && !study.is_running() && points > 0,
    };
    match come {
        true => Sight::Come,
        false if study.is_running() || study.is_complete() => Sight::NotYet,
        false => Sight::Never("The study has ended before it came".to_owned()),
    }
}
