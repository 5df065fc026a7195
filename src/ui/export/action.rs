//! What can leave the window as a file, as data.

use egui::Vec2;

/// The form in which a view leaves the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Png,
    Svg,
    Csv,
    /// The numbers, to the clipboard.
    Copy,
}

/// Saves or copies what the window shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExportAction {
    /// Save the view of this title, which stands in the window so large, as a picture or as numbers.
    View { title: &'static str, size: Vec2, what: What },
    /// Save a picture of the window.
    Window,
    /// Save the run as an animation.
    Animation,
    /// Give the animation up.
    CancelAnimation,
    /// Copy the line that repeats the run or the study.
    CommandLine,
    /// Give exported pictures a light ground, or that of the window.
    ToggleLight,
}
