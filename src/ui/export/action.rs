//! What can leave the window as a file, as data.

use egui::Vec2;

use crate::ui::views::View;

/// The form in which a view leaves the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Png,
    Svg,
    Csv,
    /// The numbers, to the clipboard.
    Copy,
}

/// A view to be exported, as large as it stands in the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    pub view: View,
    pub size: Vec2,
    pub what: What,
}

/// Saves or copies what the window shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExportAction {
    /// Save a view as a picture or as numbers.
    View(Order),
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
