//! Computes the forgetting metrics of continual learning, from the accuracy matrix (Lopez-Paz & Ranzato 2017; Chaudhry et
//! al. 2018).
//!
//! `matrix[i][j]` is the accuracy on the task trained j-th once the task trained i-th has ended, in order of training.
//! Off-by-one errors are easy here (a task is forgotten only by *later* ones), so a test checks a hand-made matrix.

/// Returns the mean accuracy over the tasks trained so far, after the last of them; `None` before the first has ended.
pub fn average_accuracy(matrix: &[Vec<f64>]) -> Option<f64> {
    let last = matrix.last()?;
    let seen = &last[..matrix.len().min(last.len())];
    (!seen.is_empty()).then(|| seen.iter().sum::<f64>() / seen.len() as f64)
}

/// Returns the forgetting of each earlier task: its best accuracy before the last task ended, minus the current accuracy.
/// One value per task but the last; negative if the accuracy improved.
pub fn forgetting(matrix: &[Vec<f64>]) -> Vec<f64> {
    let Some((last, earlier)) = matrix.split_last() else { return Vec::new() };
    let lost = |task: usize| {
        let best = earlier[task..].iter().map(|row| row[task]).fold(f64::NEG_INFINITY, f64::max);
        best - last[task]
    };
    (0..earlier.len()).map(lost).collect()
}

/// Returns the backward transfer: the mean over earlier tasks of the current accuracy minus the accuracy when the task had
/// just ended. `None` before the second task has ended.
pub fn backward_transfer(matrix: &[Vec<f64>]) -> Option<f64> {
    let (last, earlier) = matrix.split_last()?;
    let gained: f64 = earlier.iter().enumerate().map(|(task, row)| last[task] - row[task]).sum();
    (!earlier.is_empty()).then(|| gained / earlier.len() as f64)
}
