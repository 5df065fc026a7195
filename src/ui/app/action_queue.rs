//! The actions of a frame, in order.

use super::actions::Action;
use super::commands::UserCommand;

/// Holds what was asked for while a frame was drawn, each with the command that it came from, if it came from one.
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

    /// Takes all of them.
    pub fn take(&mut self) -> Vec<(Option<UserCommand>, Action)> {
        std::mem::take(&mut self.0)
    }
}
