//! Defines the queue of actions that a frame collects, in order.

use super::actions::Action;
use super::commands::UserCommand;

/// Collects the actions that are pushed while a frame is drawn, each with the command that caused it, if any.
#[derive(Debug, Default)]
pub struct Actions(Vec<(Option<UserCommand>, Action)>);

impl Actions {
    /// Adds an action.
    pub fn push(&mut self, action: impl Into<Action>) {
        self.0.push((None, action.into()));
    }

    /// Adds the action of a command.
    pub fn user(&mut self, command: UserCommand) {
        self.0.push((Some(command), command.action()));
    }

    /// Adds all actions of another queue.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Takes all actions out of the queue.
    pub fn take(&mut self) -> Vec<(Option<UserCommand>, Action)> {
        std::mem::take(&mut self.0)
    }
}
