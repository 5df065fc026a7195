//! Defines the accuracy on the test images of a task.

use serde::{Deserialize, Serialize};

use super::csv_number;

/// The accuracy on one task's test images: a row of `accuracy.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Number of the task.
    #[serde(rename = "eval_task")]
    pub task: usize,
    /// The accuracy over all logits.
    #[serde(default, with = "csv_number")]
    pub accuracy: Option<f64>,
    /// The accuracy over the logits of the task's own classes.
    #[serde(default, rename = "accuracy_masked", with = "csv_number")]
    pub masked: Option<f64>,
    #[serde(default, with = "csv_number")]
    pub loss: Option<f64>,
    /// The accuracy of a linear read-out trained anew on the features that the last layer sees, among the task's own
    /// classes; at the last snapshot of each epoch and at each switch.
    #[serde(default, rename = "accuracy_probe", with = "csv_number")]
    pub probe: Option<f64>,
}
