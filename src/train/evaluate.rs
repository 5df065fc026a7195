//! Scores logits against labels, in f64.

use crate::data::Targets;
use crate::spec::Loss;

/// Loss and accuracies on a set of images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The training loss, as [`Loss`] defines it.
    pub loss: f64,
    /// Fraction of images whose largest logit is their label.
    pub accuracy: f64,
    /// The accuracy among the logits of the given classes only: it measures forgetting without the bias of the logits in
    /// class-incremental training. Images of other classes count as wrong.
    pub masked: f64,
}

/// Scores outputs [n, C] against their targets. The sign of a single output is the class.
pub fn score<'a>(logits: &[f32], targets: impl Into<Targets<'a>>, classes: &[usize], loss: Loss) -> Score {
    let targets = targets.into();
    let n = targets.len();
    let count = logits.len() / n.max(1);
    let (mut total, mut right, mut right_masked) = (0.0, 0usize, 0usize);
    for (sample, row) in logits.chunks_exact(count.max(1)).take(n).enumerate() {
        let label = targets.class(sample);
        total += match loss {
            Loss::CrossEntropy => log_sum_exp(row) - f64::from(row[label]),
            Loss::Mse => {
                let square =
                    |(class, value): (usize, &f32)| (f64::from(*value) - f64::from(targets.at(sample, class))).powi(2);
                row.iter().enumerate().map(square).sum::<f64>() / (2.0 * count as f64)
            }
        };
        if let (Targets::Values(_), [value]) = (targets, row) {
            let hit = usize::from(usize::from(*value > 0.0) == label);
            (right, right_masked) = (right + hit, right_masked + hit);
            continue;
        }
        right += usize::from(largest(row, 0..count) == Some(label));
        right_masked += usize::from(largest(row, classes.iter().copied()) == Some(label));
    }
    let share = |hits: usize| hits as f64 / n.max(1) as f64;
    Score { loss: total / n.max(1) as f64, accuracy: share(right), masked: share(right_masked) }
}

/// Returns the training loss of outputs [n, C] against their targets, and ∂L/∂f, row-major [n, C]: (p − y)/n or (f − y)/(n
/// C). `present` are the classes whose logits count; all if `None`. `smoothing` is that of labels, of the cross-entropy only.
pub fn slopes(
    (loss, smoothing): (Loss, f64),
    outputs: &[f64],
    targets: Targets<'_>,
    present: Option<&[usize]>,
) -> (f64, Vec<f64>) {
    let n = targets.len().max(1) as f64;
    let classes = outputs.len() / targets.len().max(1);
    let counts: Vec<bool> = (0..classes).map(|class| present.is_none_or(|present| present.contains(&class))).collect();
    let (mut total, mut slopes) = (0.0, Vec::with_capacity(outputs.len()));
    for (sample, row) in outputs.chunks_exact(classes.max(1)).take(targets.len()).enumerate() {
        let target = |class: usize| f64::from(targets.at(sample, class));
        let spread = smoothing / counts.iter().filter(|counts| **counts).count().max(1) as f64;
        let wanted = |class: usize| match loss {
            Loss::CrossEntropy if smoothing > 0.0 => {
                (1.0 - smoothing) * target(class) + if counts[class] { spread } else { 0.0 }
            }
            Loss::CrossEntropy | Loss::Mse => target(class),
        };
        match loss {
            Loss::CrossEntropy => {
                let seen = || row.iter().zip(&counts).filter(|(_, counts)| **counts).map(|(value, _)| *value);
                let top = seen().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = seen().map(|value| (value - top).exp()).sum();
                let surprise = |class: usize| top + sum.ln() - row[class];
                total += if smoothing > 0.0 {
                    let of_class = |class: usize| wanted(class) * surprise(class);
                    (0..classes).filter(|&class| counts[class]).map(of_class).sum::<f64>() / n
                } else {
                    surprise(targets.class(sample)) / n
                };
                let share = |class: usize| if counts[class] { (row[class] - top).exp() / sum } else { 0.0 };
                slopes.extend((0..classes).map(|class| (share(class) - wanted(class)) / n));
            }
            Loss::Mse => {
                let error = |class: usize| if counts[class] { row[class] - wanted(class) } else { 0.0 };
                total += (0..classes).map(|class| error(class).powi(2)).sum::<f64>() / (2.0 * n * classes as f64);
                slopes.extend((0..classes).map(|class| error(class) / (n * classes as f64)));
            }
        }
    }
    (total, slopes)
}

/// Returns the class of the largest logit; of equal ones the first, as NumPy and PyTorch do.
fn largest(row: &[f32], among: impl Iterator<Item = usize>) -> Option<usize> {
    among.reduce(|best, class| if row[class] > row[best] { class } else { best })
}

fn log_sum_exp(row: &[f32]) -> f64 {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|value| f64::from(value - top).exp()).sum();
    f64::from(top) + sum.ln()
}
