//! The probes of a watched folder: the inputs on which the kernel is measured, with their labels and tasks.

use std::ops::Range;

use safetensors::{Dtype, SafeTensors};

use crate::spec::Loss;
use crate::storage::format::tensor_values::tensor_values;

/// Tasks at most, as of a run.
pub(super) const MOST_TASKS: usize = 64;

/// Probes in Gram order: by task, then class.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchedProbes {
    /// The shape of the array of inputs, [n, …].
    pub shape: Vec<usize>,
    pub inputs: Vec<f32>,
    /// Class of each; of numbers, whether they are above 0.
    pub labels: Vec<usize>,
    /// The number of each that the one output is to be; empty where labels are classes.
    pub values: Vec<f32>,
    /// Task of each, by number from 1.
    pub tasks: Vec<usize>,
    /// The place of each in the file.
    pub order: Vec<usize>,
}

/// An array of the file.
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
    is_whole: bool,
}

impl WatchedProbes {
    /// Reads the probes in the bytes of a file; the error is a sentence.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|err| {
            log::info!("probes: {err}");
            "it is no safetensors file, or damaged: write it with kernelscope.Watch".to_owned()
        })?;
        let find = |name: &str| file.tensor(name).ok().map(|view| array(name, &view)).transpose();
        let missing = |name: &str| format!("it has no {name}: write it with kernelscope.Watch");
        let inputs = find("inputs")?.ok_or_else(|| missing("inputs"))?;
        let labels = find("labels")?.ok_or_else(|| missing("labels"))?;
        let n = inputs.shape.first().copied().unwrap_or(0);
        if n < 2 || inputs.values.is_empty() {
            return Err("a kernel is between probes: give at least two inputs".to_owned());
        }
        let entries = inputs.values.len() / n;
        if let Some(at) = inputs.values.iter().position(|value| !(*value as f32).is_finite()) {
            return Err(format!(
                "input {} holds a value that is not a number or too large: leave it out",
                at / entries
            ));
        }
        let given = labels.values.len();
        if given != n || labels.shape.iter().filter(|side| **side != 1).count() > 1 {
            return Err(format!(
                "there are {n} inputs and labels of shape {:?}: give a class or a number of each",
                labels.shape
            ));
        }
        let wrong = |label: &f64| if labels.is_whole { *label < 0.0 || *label > 1e9 } else { !label.is_finite() };
        if let Some(at) = labels.values.iter().position(wrong) {
            return Err(format!("label {at} is {}: a label is a class from 0, or a number", labels.values[at]));
        }
        let tasks = match find("tasks")? {
            None => vec![1; n],
            Some(tasks) => {
                let is_task = |task: &f64| tasks.is_whole && (0.0..MOST_TASKS as f64).contains(task);
                if tasks.values.len() != n || !tasks.values.iter().all(is_task) {
                    return Err(format!("tasks must be one number from 0 to {} for each input", MOST_TASKS - 1));
                }
                tasks.values.iter().map(|task| *task as usize + 1).collect()
            }
        };
        let most = tasks.iter().copied().max().unwrap_or(1);
        if let Some(absent) = (1..=most).find(|task| !tasks.contains(task)) {
            return Err(format!("there are no probes of task {}: give each task from 0 on its probes", absent - 1));
        }
        let class = |at: usize| {
            if labels.is_whole { labels.values[at] as usize } else { usize::from(labels.values[at] > 0.0) }
        };
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&at| (tasks[at], if labels.is_whole { class(at) } else { 0 }));
        let pixels = order.iter().flat_map(|&at| &inputs.values[at * entries..][..entries]);
        let values = order.iter().map(|&at| labels.values[at] as f32);
        Ok(Self {
            inputs: pixels.map(|value| *value as f32).collect(),
            labels: order.iter().map(|&at| class(at)).collect(),
            values: if labels.is_whole { Vec::new() } else { values.collect() },
            tasks: order.iter().map(|&at| tasks[at]).collect(),
            shape: inputs.shape,
            order,
        })
    }

    /// Returns the number of probes.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the rows of each task's block.
    pub fn blocks(&self) -> Vec<Range<usize>> {
        let place = |task: usize| self.tasks.partition_point(|other| *other < task);
        (1..=self.tasks.last().copied().unwrap_or(0)).map(|task| place(task)..place(task + 1)).collect()
    }

    /// Returns the classes of a task.
    pub fn classes_of(&self, task: usize) -> Vec<usize> {
        let own = self.tasks.iter().zip(&self.labels).filter(|(other, _)| **other == task);
        let mut classes: Vec<usize> = own.map(|(_, class)| *class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Returns the loss that they are scored with: cross-entropy of classes, the squared error of numbers.
    pub fn loss(&self) -> Loss {
        if self.values.is_empty() { Loss::CrossEntropy } else { Loss::Mse }
    }

    /// Returns a matrix [n, n] of the file's order in Gram order.
    pub fn sorted(&self, matrix: &[f64]) -> Vec<f64> {
        let n = self.len();
        self.order.iter().flat_map(|&row| self.order.iter().map(move |&column| matrix[row * n + column])).collect()
    }

    /// Checks that each is of the shape of this sample, PyTorch's with a batch axis of 1.
    pub(super) fn check_sample(&self, sample: &[usize]) -> Result<(), String> {
        let wanted = sample.get(1..).unwrap_or_default();
        if self.shape[1..] == *wanted {
            return Ok(());
        }
        Err(format!(
            "its inputs are {:?} each, and the module was exported for {wanted:?}: give inputs like those",
            &self.shape[1..]
        ))
    }

    /// Checks that a network with so many outputs can be scored on them.
    ///
    /// # Errors
    /// In a sentence.
    pub fn check_outputs(&self, outputs: usize) -> Result<(), String> {
        let most = self.labels.iter().copied().max().unwrap_or(0);
        if !self.values.is_empty() && outputs != 1 {
            return Err(format!(
                "its labels are numbers, and the network has {outputs} outputs: give the classes, as whole numbers"
            ));
        }
        if self.values.is_empty() && outputs > 1 && most >= outputs {
            return Err(format!(
                "its labels go up to {most}, and the network has {outputs} outputs: classes count from 0"
            ));
        }
        if self.values.is_empty() && outputs == 1 {
            return Err(
                "its labels are classes, and the network has one output: give the numbers to predict, as floats"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// The kernel that a step holds in place of weights, in the order of the file; `None` where it holds weights.
///
/// # Errors
/// In a sentence, where it is no kernel of so many probes.
pub(super) fn gram(bytes: &[u8], n: usize) -> Result<Option<Vec<f64>>, String> {
    let Ok(file) = SafeTensors::deserialize(bytes) else { return Ok(None) };
    if file.len() != 1 {
        return Ok(None);
    }
    let Ok(view) = file.tensor("gram") else { return Ok(None) };
    let gram = array("gram", &view)?;
    if gram.shape != [n, n] {
        return Err(format!("its gram has the shape {:?} where [{n}, {n}] was expected", gram.shape));
    }
    Ok(Some(gram.values))
}

fn array(name: &str, view: &safetensors::tensor::TensorView<'_>) -> Result<Array, String> {
    let values = tensor_values(view, |value| value, |value| value as f64)
        .ok_or_else(|| format!("{name} holds {:?} where numbers were expected: store it as float32", view.dtype()))?;
    let is_whole = !matches!(view.dtype(), Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16);
    Ok(Array { shape: view.shape().to_vec(), values, is_whole })
}
