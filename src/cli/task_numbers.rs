//! Parses numbers of tasks as the command line takes them.

/// Numbers of tasks, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskNumbers(pub Vec<usize>);

/// The most numbers that a list may have: more than any study has runs.
const MOST: usize = 10_000;

impl TaskNumbers {
    /// Parses numbers and ranges, separated by commas: `17`, `3,17`, `17-20`.
    ///
    /// # Errors
    /// In one sentence, where a part is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut numbers = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |word: &str| word.trim().parse::<usize>().ok().filter(|number| *number > 0);
            let (Some(first), Some(last)) = (number(first), number(last)) else {
                return Err(format!("{part} is no number of a task: give 17, 3,17 or 17-20"));
            };
            if last < first || last - first >= MOST {
                return Err(format!("{part} is no range of tasks"));
            }
            numbers.extend(first..=last);
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Self(numbers))
    }
}
