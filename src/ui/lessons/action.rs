//! Declares the actions on lessons.

/// Begins or closes a lesson, or moves between its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LessonAction {
    /// Show the list of lessons, or hide it.
    ToggleList,
    /// Begin the lesson at this index of the list.
    Begin(usize),
    /// Go to the next step, or end the lesson after the last one.
    Next,
    /// End this lesson and begin the one after it.
    NextLesson,
    /// Go back to the previous step.
    Back,
    /// Continue without waiting for the condition of the step.
    Skip,
    /// Close the lesson.
    Close,
    /// Hide the hint that there are lessons.
    HideHint,
}
