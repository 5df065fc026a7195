//! What can be done with lessons, as data.

/// Begins, turns the pages of, or closes a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LessonAction {
    /// Show the list of lessons, or hide it.
    ToggleList,
    /// Begin the lesson at this place of the list.
    Begin(usize),
    /// Go to the next step, or end the lesson after the last one.
    Next,
    /// Go back to the step before.
    Back,
    /// Go on without what is waited for.
    Skip,
    /// Close the lesson.
    Close,
    /// Hide the hint that there are lessons.
    HideHint,
}
