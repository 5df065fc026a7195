//! Defines the value of a message at the lower right: its text, and the actions that it offers.

use std::path::{Path, PathBuf};

/// A message that needs no response.
#[derive(Clone, Debug)]
pub struct Toast {
    pub text: String,
    pub is_error: bool,
    /// Whether it stays until it is closed.
    pub stays: bool,
    /// A folder that a button opens.
    pub folder: Option<PathBuf>,
    /// Further buttons, with their labels; each closes the message.
    pub buttons: Vec<(&'static str, ToastButton)>,
}

/// The effect of a button of a message.
#[derive(Clone, Debug)]
pub enum ToastButton {
    /// Show this file or folder in the system's file manager.
    Reveal(PathBuf),
    /// Open this run.
    Open(PathBuf),
}

impl Toast {
    /// Creates a message that an action was done. It disappears by itself.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false, stays: false, folder: None, buttons: Vec::new() }
    }

    /// Creates a message that the user may want to act on, and that therefore stays.
    pub fn offer(text: impl Into<String>) -> Self {
        Self { stays: true, ..Self::done(text) }
    }

    /// Creates a message that an action failed.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { is_error: true, stays: true, ..Self::done(text) }
    }

    /// Adds a folder to open.
    #[must_use]
    pub fn with_folder(self, folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..self }
    }

    /// Adds a button.
    #[must_use]
    pub fn with_button(mut self, label: &'static str, button: ToastButton) -> Self {
        self.buttons.push((label, button));
        self
    }

    /// Returns whether another message has the same text and the same folder.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (&self.text, self.is_error, &self.folder) == (&other.text, other.is_error, &other.folder)
    }
}
