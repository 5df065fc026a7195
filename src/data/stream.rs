//! Builds the task stream: the training and test images of each task, and its transform.
//!
//! Tasks are index lists and a [`Transform`] over one shared set. They are identified by number; the order in which they
//! are trained is determined by the laboratory. Every task has at least one training image of each of its classes and none
//! that is a probe of *any* task (unless the spec allows it): a stream that violates this is refused with the task's name.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{DataError, DataSet, Images, Transform, frequency, probe_choice, steps_per_epoch};
use rand::seq::SliceRandom as _;

use crate::math::rng::{Stream, rng};
use crate::run::TaskInfo;
use crate::spec::{Spec, TaskKind, first_share};

/// All tasks of a run.
#[derive(Clone, Debug)]
pub struct TaskStream {
    set: Arc<DataSet>,
    tasks: Vec<Task>,
}

/// Holds one task: its images, their transformation and its probes.
#[derive(Clone, Debug)]
pub struct Task {
    info: TaskInfo,
    set: Arc<DataSet>,
    transform: Transform,
    /// Indices into `set.train`, ascending.
    train: Vec<usize>,
    /// All images that could be trained on, in the order given by the seed: `train` holds the first ones, if their number
    /// is limited.
    order: Vec<usize>,
    /// Indices into `set.test`, ascending.
    test: Vec<usize>,
    /// Indices into `set.train`, by class.
    probes: Vec<usize>,
    /// The value of black in each channel.
    background: Vec<f32>,
}

impl TaskStream {
    /// Divides a set into the tasks of this spec.
    ///
    /// # Errors
    /// Fails if a task has no class, a class has no image, or a class is too small for its probes.
    pub fn new(spec: &Spec, set: Arc<DataSet>) -> Result<Self, DataError> {
        let names = &set.class_names;
        let plan = plan(spec, &set)?;
        let by_class = set.train.by_class(names.len());
        let test_by_class = set.test.by_class(names.len());
        for (place, classes) in plan.iter().enumerate() {
            if let Some(&class) = classes.iter().find(|&&class| by_class[class].is_empty()) {
                return Err(DataError::NoImages { task: place + 1, class, name: names[class].clone() });
            }
        }
        let probes = probe_choice::select(spec, &plan, &set.train, names)?;
        // The rest may be trained on.
        let taken: HashSet<usize> = match spec.kernel.train_on_probes {
            true => HashSet::new(),
            false => probes.iter().flatten().copied().collect(),
        };
        let left = |of_class: &Vec<usize>| of_class.iter().copied().filter(|index| !taken.contains(index)).collect();
        let pool: Vec<Vec<usize>> = by_class.iter().map(left).collect();
        let black: Vec<f32> = (0..set.train.shape[0]).map(|channel| set.scaling.value(channel, 0.0)).collect();

        let mut tasks = Vec::with_capacity(plan.len());
        for (number, (classes, probes)) in (1..).zip(plan.into_iter().zip(probes)) {
            let wanted = wanted(spec, number, &classes, &pool);
            // A sign of a synthetic target is no class that must occur.
            let none = wanted.iter().all(|(_, count)| *count == 0);
            if let Some(&(class, _)) = wanted.iter().find(|(_, count)| *count == 0)
                && (none || !spec.data.source.is_synthetic())
            {
                return Err(DataError::OnlyProbes { task: number, class, name: names[class].clone() });
            }
            let mut train: Vec<usize> =
                wanted.iter().flat_map(|&(class, count)| &pool[class][..count]).copied().collect();
            train.sort_unstable();
            let mut order = train.clone();
            if spec.data.samples > 0 && !spec.data.source.is_synthetic() {
                order.shuffle(&mut rng(spec.seed, Stream::Samples, 0, number as u64));
                let Some(taken) = order.get(..spec.data.samples) else {
                    return Err(DataError::FewSamples { needed: spec.data.samples, there: order.len() });
                };
                train = taken.to_vec();
                train.sort_unstable();
            }
            let mut test: Vec<usize> = classes.iter().flat_map(|&class| &test_by_class[class]).copied().collect();
            test.sort_unstable();
            if test.is_empty() {
                return Err(DataError::NoTest { task: number });
            }
            let info = TaskInfo {
                number,
                name: task_name(spec, number, &classes, names),
                classes,
                train_images: train.len(),
                steps_per_epoch: steps_per_epoch(train.len(), spec.training.batch),
            };
            let transform = transform(spec, number, set.train.shape);
            tasks.push(Task {
                info,
                set: Arc::clone(&set),
                transform,
                train,
                order,
                test,
                probes,
                background: black.clone(),
            });
        }
        Ok(Self { set, tasks })
    }

    /// Returns the images all tasks share.
    pub fn set(&self) -> &Arc<DataSet> {
        &self.set
    }

    /// Returns all tasks; index 0 is task 1.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Returns the task of this number, from 1.
    pub fn task(&self, number: usize) -> &Task {
        &self.tasks[number - 1]
    }

    /// Returns the descriptions of the tasks for the record, by number.
    pub fn infos(&self) -> Vec<TaskInfo> {
        self.tasks.iter().map(|task| task.info.clone()).collect()
    }
}

impl Task {
    pub fn info(&self) -> &TaskInfo {
        &self.info
    }

    /// Returns its number, from 1.
    pub fn number(&self) -> usize {
        self.info.number
    }

    /// Returns its classes, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.info.classes
    }

    /// Returns the number of its training images.
    pub fn train_len(&self) -> usize {
        self.train.len()
    }

    /// Returns its training images as indices into the set's, ascending.
    pub fn train_indices(&self) -> &[usize] {
        &self.train
    }

    /// Returns its probes as indices into the set's training images, by class.
    pub fn probes(&self) -> &[usize] {
        &self.probes
    }

    pub fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Replaces the buffers by these of its training images (indices in `0..train_len()`): pixels [n, d], and classes.
    ///
    /// # Panics
    /// If an index is not below `train_len()`.
    pub fn batch(&self, indices: &[usize], pixels: &mut Vec<f32>, labels: &mut Vec<usize>) {
        pixels.clear();
        labels.clear();
        self.append(indices, pixels, labels);
    }

    /// Returns all images on which it could train, in the order given by the seed.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Returns some images of the set, transformed.
    pub(super) fn transformed(&self, chosen: &[usize]) -> Images {
        let images = &self.set.train;
        let mut pixels = Vec::with_capacity(chosen.len() * images.dim());
        chosen.iter().for_each(|&index| self.extend(images, index, &mut pixels));
        images.with_pixels(pixels, chosen)
    }

    /// Returns, in regression, the targets of the single output for these of its training images; else an empty list.
    pub fn values(&self, indices: &[usize]) -> Vec<f32> {
        if self.set.train.values.is_empty() {
            return Vec::new();
        }
        indices.iter().map(|&index| self.set.train.values[self.train[index]]).collect()
    }

    /// Appends these of its training images to the buffers.
    pub fn append(&self, indices: &[usize], pixels: &mut Vec<f32>, labels: &mut Vec<usize>) {
        for &index in indices {
            let image = self.train[index];
            self.extend(&self.set.train, image, pixels);
            labels.push(self.set.train.labels[image]);
        }
    }

    /// Returns the first of its training images of each class, at most `most` each, transformed.
    pub fn first_of_each_class(&self, most: usize) -> Images {
        let images = &self.set.train;
        let mut left: HashMap<usize, usize> = HashMap::new();
        let wanted = |&&index: &&usize| {
            let left = left.entry(images.labels[index]).or_insert(most);
            std::mem::replace(left, left.saturating_sub(1)) > 0
        };
        let chosen: Vec<usize> = self.train.iter().filter(wanted).copied().collect();
        self.transformed(&chosen)
    }

    /// Returns at most `most` of its training images, chosen by this seed, transformed.
    pub fn some(&self, seed: u64, most: usize) -> Images {
        let mut chosen = self.train.clone();
        chosen.shuffle(&mut rng(seed, Stream::TaskEnd, self.info.number as u64, 0));
        chosen.truncate(most);
        self.transformed(&chosen)
    }

    /// Returns a copy of all its test images, transformed. The caller should keep it if it is needed often.
    pub fn test(&self) -> Images {
        let images = &self.set.test;
        let mut pixels = Vec::with_capacity(self.test.len() * images.dim());
        for &index in &self.test {
            self.extend(images, index, &mut pixels);
        }
        images.with_pixels(pixels, &self.test)
    }

    /// Appends one image of the set, transformed.
    pub(super) fn extend(&self, images: &Images, index: usize, into: &mut Vec<f32>) {
        let plane = images.shape[1] * images.shape[2];
        for (plane, &black) in images.image(index).chunks_exact(plane).zip(&self.background) {
            self.transform.extend(plane, black, into);
        }
    }
}

/// Returns the classes of each task, ascending. Does not assume that the spec was validated against this set.
pub(super) fn plan(spec: &Spec, set: &DataSet) -> Result<Vec<Vec<usize>>, DataError> {
    let classes = set.class_names.len();
    let mut plan = match spec.tasks.kind {
        TaskKind::Split => spec.tasks.split_classes(),
        // A number without images is not a class: the letters of EMNIST begin with 1.
        TaskKind::Permuted | TaskKind::Rotated => {
            let present: BTreeSet<usize> = set.train.labels.iter().copied().collect();
            vec![present.into_iter().collect(); spec.tasks.count]
        }
        TaskKind::Frequency => {
            let [first, second] = spec.tasks.classes.as_slice() else { return Err(DataError::Groups) };
            let mut both = [first.as_slice(), second].concat();
            both.sort_unstable();
            if first.is_empty() || second.is_empty() || both.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(DataError::Groups);
            }
            vec![both; 2]
        }
    };
    if plan.is_empty() {
        return Err(DataError::NoTask);
    }
    for (place, of_task) in plan.iter_mut().enumerate() {
        let task = place + 1;
        of_task.sort_unstable();
        of_task.dedup();
        match of_task.last() {
            None => return Err(DataError::EmptyTask { task }),
            Some(&class) if class >= classes => {
                return Err(DataError::NoClass { task, class, set: set.name.clone(), classes });
            }
            Some(_) => {}
        }
    }
    Ok(plan)
}

/// Returns the number of the pool's images of each class on which the task trains.
fn wanted(spec: &Spec, number: usize, classes: &[usize], pool: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let [first, second] = match spec.tasks.classes.as_slice() {
        [first, second] if spec.tasks.kind.shifts_frequencies() => [first, second],
        _ => return classes.iter().map(|&class| (class, pool[class].len())).collect(),
    };
    let available = [first, second].map(|group| group.iter().map(|&class| pool[class].len()).collect());
    let alpha = if number == 1 { 0.0 } else { spec.tasks.alpha };
    let quotas = frequency::quotas(alpha, &available);
    first.iter().chain(second).copied().zip(quotas.concat()).collect()
}

fn transform(spec: &Spec, number: usize, [_, height, width]: [usize; 3]) -> Transform {
    match spec.tasks.kind {
        TaskKind::Permuted if number > 1 => Transform::permuted(spec.seed, number, height * width),
        TaskKind::Rotated => Transform::rotated(angle(spec, number), height, width),
        _ => Transform::Identity,
    }
}

/// Returns the rotation of a task of a rotated stream in degrees, within one turn.
fn angle(spec: &Spec, number: usize) -> f64 {
    ((number - 1) as f64 * (spec.tasks.angle % 360.0)) % 360.0
}

/// Describes a task in a few words for users.
fn task_name(spec: &Spec, number: usize, classes: &[usize], names: &[String]) -> String {
    match spec.tasks.kind {
        TaskKind::Split => listed(classes, names),
        TaskKind::Permuted if number == 1 => "pixels as they are".to_owned(),
        TaskKind::Permuted => format!("pixels permuted, {}", number - 1),
        TaskKind::Rotated if angle(spec, number) == 0.0 => "upright".to_owned(),
        TaskKind::Rotated => format!("turned by {}°", angle(spec, number)),
        TaskKind::Frequency => {
            let alpha = if number == 1 { 0.0 } else { spec.tasks.alpha };
            let first = (100.0 * first_share(alpha)).round();
            let group =
                |place: usize| spec.tasks.classes.get(place).map_or_else(String::new, |group| spanned(group, names));
            format!("{first} % {}, {} % {}", group(0), 100.0 - first, group(1))
        }
    }
}

fn listed(classes: &[usize], names: &[String]) -> String {
    let shown: Vec<&str> = classes.iter().take(5).map(|&class| names[class].as_str()).collect();
    let rest = classes.len() - shown.len();
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}

fn spanned(classes: &[usize], names: &[String]) -> String {
    match classes {
        [] => String::new(),
        [only] => names[*only].clone(),
        [first, .., last] => format!("{} … {}", names[*first], names[*last]),
    }
}
