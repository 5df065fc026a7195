//! Declares the actions that export the window, or parts of it, as files.

use egui::Vec2;

/// The form in which a view is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Png,
    Svg,
    Csv,
    /// The numbers, copied to the clipboard.
    Copy,
}

/// Saves or copies the content of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExportAction {
    /// Save the view of this title as a picture or as numbers; `size` is its size in the window.
    View { title: &'static str, size: Vec2, what: What },
    /// Save a picture of the window.
    Window,
    /// Save the run as an animation.
    Animation,
    /// Cancel the animation.
    CancelAnimation,
    /// Copy the command line that repeats the run or the study.
    CommandLine,
    /// Switch the background of exported pictures between light and that of the window.
    ToggleLight,
}
