//! The colours of the tasks, once for the window and the figures.
//!
//! Okabe and Ito's set, which people with any common colour blindness can tell apart; black is kept for what belongs to no
//! task, and yellow, which is lost on white, comes last.

/// Colours of tasks 1, 2, 3, …; red, green, blue.
const TASKS: [[u8; 3]; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [240, 228, 66],
];

/// The colour of the task of this number, from 1; more tasks than colours start again.
pub fn task_colour(number: usize) -> [u8; 3] {
    TASKS[number.wrapping_sub(1) % TASKS.len()]
}

/// What is about all tasks at once.
pub const ALL_TASKS: [u8; 3] = [0, 0, 0];
