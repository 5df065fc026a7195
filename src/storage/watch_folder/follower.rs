//! Follows the steps of a watched folder: which comes next, which were taken back, and which are passed over.

use std::path::PathBuf;

use super::step_log::{Change, Log, LoggedStep};

/// Which steps are taken when more are there than can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// All of them, one after the other.
    Every,
    /// The newest pair: those before it are passed over, except the first step of a task.
    Newest,
    /// As many as [`Follower::allow`] says, spread evenly over those that are there; never without the first step of all, that of
    /// a task, or the second one of a pair.
    Spread,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    Nothing,
    /// The writer started again: this step and all after it are no longer what was taken.
    TakenBack(u64),
    Step(LoggedStep),
}

/// A step that was looked at.
#[derive(Clone, Copy, Debug)]
struct Seen {
    step: u64,
    mark: u64,
    task: usize,
    is_taken: bool,
}

/// Follows the log of a watched folder. Steps come out in their order, each once, until they are taken back.
#[derive(Debug)]
pub struct Follower {
    log: Log,
    lag: u64,
    order: Order,
    /// The number of steps that can be measured before they count as late.
    allowed: usize,
    seen: Vec<Seen>,
    /// Where the log no longer is what was seen.
    taken_back: Option<u64>,
}

impl Follower {
    pub(super) fn new(log: PathBuf, lag: u64, order: Order) -> Self {
        Self { log: Log::new(log), lag, order, allowed: 2, seen: Vec::new(), taken_back: None }
    }

    /// Goes on after steps that were taken earlier, each with its mark and task.
    pub fn go_on(&mut self, taken: impl IntoIterator<Item = (u64, u64, usize)>) {
        self.seen = taken.into_iter().map(|(step, mark, task)| Seen { step, mark, task, is_taken: true }).collect();
        if self.log.is_read() {
            self.check();
        }
    }

    /// Says how many steps can be measured before they count as late; a pair always can.
    pub fn allow(&mut self, steps: usize) {
        self.allowed = steps.max(2);
    }

    /// Looks what is new; returns whether anything is.
    pub fn look(&mut self) -> bool {
        match self.log.look() {
            Change::Nothing => false,
            Change::Grown => true,
            Change::Rewritten => {
                self.check();
                true
            }
        }
    }

    fn check(&mut self) {
        let is_there = |seen: &Seen| self.line_of(seen.step).is_some_and(|line| line.mark == seen.mark);
        if let Some(place) = self.seen.iter().position(|seen| !is_there(seen)) {
            self.taken_back = Some(self.seen[place].step);
            self.seen.truncate(place);
        }
    }

    /// Returns what is to be done next.
    pub fn to_do(&mut self) -> Found {
        if let Some(step) = self.taken_back.take() {
            return Found::TakenBack(step);
        }
        let pending = self.pending();
        match pending.get(self.choice(pending)) {
            Some(line) => Found::Step(line.clone()),
            None => Found::Nothing,
        }
    }

    /// Notes that a step was taken, or that it was looked at and cannot be.
    pub fn done(&mut self, line: &LoggedStep, is_taken: bool) {
        let &LoggedStep { step, mark, task, .. } = line;
        self.seen.push(Seen { step, mark, task, is_taken });
    }

    /// The lines after the last step that was looked at.
    fn pending(&self) -> &[LoggedStep] {
        let first = self.seen.last().map_or(0, |last| self.log.lines.partition_point(|line| line.step <= last.step));
        &self.log.lines[first..]
    }

    /// The place of the line that comes next among these.
    fn choice(&self, pending: &[LoggedStep]) -> usize {
        let most = match self.order {
            Order::Every => usize::MAX,
            Order::Newest => 2,
            Order::Spread => self.allowed,
        };
        if pending.len() <= most {
            return 0;
        }
        let mut taken = self.seen.iter().rev().filter(|seen| seen.is_taken);
        let (last, earlier) = (taken.next(), taken.next());
        let mut task = last.map_or(pending[0].task, |last| last.task);
        // A spike begins at the first step of a task, so that one is never passed over.
        let switch = pending.iter().position(|line| std::mem::replace(&mut task, line.task) != line.task);
        let before_switch = &pending[..switch.unwrap_or(pending.len())];
        // The second step of a pair whose first was taken.
        let ends = |last: &Seen| earlier.is_some_and(|earlier| earlier.step + self.lag == last.step);
        let begun = last.filter(|last| !ends(last)).map(|last| last.step + self.lag);
        let second = before_switch.iter().position(|line| Some(line.step) == begun);
        if let Some(second) = second {
            return second;
        }
        let begins =
            |line: &LoggedStep| pending.binary_search_by_key(&(line.step + self.lag), |line| line.step).is_ok();
        match (self.order, switch) {
            // Distances are from the first step of all.
            (Order::Spread, _) if last.is_none() => 0,
            (Order::Spread, _) => {
                let stride = pending.len() / most;
                let place = stride + pending[stride..].iter().position(begins).unwrap_or(0);
                switch.map_or(place, |switch| switch.min(place))
            }
            (Order::Every | Order::Newest, Some(switch)) => switch,
            (Order::Every | Order::Newest, None) => pending.iter().rposition(begins).unwrap_or(pending.len() - 1),
        }
    }

    /// Returns the line of a step.
    pub fn line_of(&self, step: u64) -> Option<&LoggedStep> {
        let lines = &self.log.lines;
        lines.binary_search_by_key(&step, |line| line.step).ok().map(|place| &lines[place])
    }

    /// Returns the lines after one step, up to and including another: what a chart of the losses gets.
    pub fn lines_in(&self, after: Option<u64>, to: u64) -> &[LoggedStep] {
        let lines = &self.log.lines;
        let place = |step: u64| lines.partition_point(|line| line.step <= step);
        let first = after.map_or(0, place);
        &lines[first..place(to).max(first)]
    }

    /// Returns the newest step of the log.
    pub fn newest(&self) -> Option<u64> {
        self.log.lines.last().map(|line| line.step)
    }

    /// Returns the steps that were taken.
    pub fn taken(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.seen.iter().filter(|seen| seen.is_taken).map(|seen| seen.step)
    }

    /// Returns how many steps were passed over: those before the last one looked at that were not taken.
    pub fn passed_over(&self) -> u64 {
        let up_to = self.log.lines.len() - self.pending().len();
        let taken = self.seen.iter().filter(|seen| seen.is_taken).count();
        if self.seen.is_empty() { 0 } else { up_to.saturating_sub(taken) as u64 }
    }
}
