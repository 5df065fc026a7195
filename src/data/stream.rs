//! The task stream: which images each task trains and tests on, and what it does to them.
//!
//! Tasks are index lists and a [`Transform`] over one shared set. They are held by number, their identity; in which order they
//! are trained is the laboratory's affair. Every task has at least one training image of each of its classes and none that
//! is a probe of *any* task (unless the spec says so): a stream that could not keep this is refused with the task's name.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{DataError, DataSet, Images, Transform, frequency, probe, steps_per_epoch};
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

/// One task.
#[derive(Clone, Debug)]
pub struct Task {
    info: TaskInfo,
    set: Arc<DataSet>,
    transform: Transform,
    /// Indices into `set.train`, ascending.
    train: Vec<usize>,
    /// All that could be trained on, in the order in which the seed takes them: `train` are the first, where their number is given.
    order: Vec<usize>,
    /// Indices into `set.test`, ascending.
    test: Vec<usize>,
    /// Indices into `set.train`, by class.
    probes: Vec<usize>,
    /// Black, channel by channel.
    background: Vec<f32>,
}

impl TaskStream {
    /// Cuts a set into the tasks of this spec.
    ///
    /// # Errors
    /// A task without a class, a class without an image, a class too small for its probes.
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
        let (probes, taken) = probe::select(&plan, &by_class, spec.kernel.probes_per_class, names)?;
        // The probes are the first images of each class, so what may be trained on is the rest.
        let skipped = |class: usize| if spec.kernel.train_on_probes { 0 } else { taken[class] };
        let pool: Vec<&[usize]> = (0..names.len()).map(|class| &by_class[class][skipped(class)..]).collect();
        let black: Vec<f32> = (0..set.train.shape[0]).map(|channel| set.scaling.value(channel, 0.0)).collect();

        let mut tasks = Vec::with_capacity(plan.len());
        for (number, (classes, probes)) in (1..).zip(plan.into_iter().zip(probes)) {
            let wanted = wanted(spec, number, &classes, &pool);
            // The sign of a number that is drawn is no class that must be there.
            let none = wanted.iter().all(|(_, count)| *count == 0);
            if let Some(&(class, _)) = wanted.iter().find(|(_, count)| *count == 0)
                && (none || !spec.data.source.is_drawn())
            {
                return Err(DataError::OnlyProbes { task: number, class, name: names[class].clone() });
            }
            let mut train: Vec<usize> =
                wanted.iter().flat_map(|&(class, count)| &pool[class][..count]).copied().collect();
            train.sort_unstable();
            let mut order = train.clone();
            if spec.data.samples > 0 && !spec.data.source.is_drawn() {
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

    /// The images all tasks share.
    pub fn set(&self) -> &Arc<DataSet> {
        &self.set
    }

    /// All tasks; index 0 is task 1.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The task of this number, from 1.
    pub fn task(&self, number: usize) -> &Task {
        &self.tasks[number - 1]
    }

    /// What the record says of the tasks, by number.
    pub fn infos(&self) -> Vec<TaskInfo> {
        self.tasks.iter().map(|task| task.info.clone()).collect()
    }
}

impl Task {
    pub fn info(&self) -> &TaskInfo {
        &self.info
    }

    /// Its identity, from 1.
    pub fn number(&self) -> usize {
        self.info.number
    }

    /// Its classes, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.info.classes
    }

    /// How many images it trains on.
    pub fn train_len(&self) -> usize {
        self.train.len()
    }

    /// Its training images as indices into the set's, ascending.
    pub fn train_indices(&self) -> &[usize] {
        &self.train
    }

    /// Its probes as indices into the set's training images, by class.
    pub fn probes(&self) -> &[usize] {
        &self.probes
    }

    pub fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Fills the buffers with these of its training images (numbers in `0..train_len()`): pixels [n, d], and classes.
    ///
    /// # Panics
    /// If a number is not below `train_len()`.
    pub fn batch(&self, indices: &[usize], pixels: &mut Vec<f32>, labels: &mut Vec<usize>) {
        pixels.clear();
        labels.clear();
        self.append(indices, pixels, labels);
    }

    /// All images that it could train on, in the order in which the seed takes them.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Some images of the set as it shows them.
    pub(super) fn show(&self, chosen: &[usize]) -> Images {
        let images = &self.set.train;
        let mut pixels = Vec::with_capacity(chosen.len() * images.dim());
        chosen.iter().for_each(|&index| self.extend(images, index, &mut pixels));
        images.with_pixels(pixels, chosen)
    }

    /// What the one output is to be for these of its training images, of a regression; else nothing.
    pub fn values(&self, indices: &[usize]) -> Vec<f32> {
        if self.set.train.values.is_empty() {
            return Vec::new();
        }
        indices.iter().map(|&index| self.set.train.values[self.train[index]]).collect()
    }

    /// The same behind what the buffers hold.
    pub(super) fn append(&self, indices: &[usize], pixels: &mut Vec<f32>, labels: &mut Vec<usize>) {
        for &index in indices {
            let image = self.train[index];
            self.extend(&self.set.train, image, pixels);
            labels.push(self.set.train.labels[image]);
        }
    }

    /// The first of its training images of each class, at most so many, as it shows them.
    pub fn first_of_each_class(&self, most: usize) -> Images {
        let images = &self.set.train;
        let mut left: HashMap<usize, usize> = HashMap::new();
        let wanted = |&&index: &&usize| {
            let left = left.entry(images.labels[index]).or_insert(most);
            std::mem::replace(left, left.saturating_sub(1)) > 0
        };
        let chosen: Vec<usize> = self.train.iter().filter(wanted).copied().collect();
        self.show(&chosen)
    }

    /// All its test images, as it shows them. A copy: keep it where it is needed often.
    pub fn test(&self) -> Images {
        let images = &self.set.test;
        let mut pixels = Vec::with_capacity(self.test.len() * images.dim());
        for &index in &self.test {
            self.extend(images, index, &mut pixels);
        }
        images.with_pixels(pixels, &self.test)
    }

    /// Appends one image of the set as this task shows it.
    pub(super) fn extend(&self, images: &Images, index: usize, into: &mut Vec<f32>) {
        let plane = images.shape[1] * images.shape[2];
        for (plane, &black) in images.image(index).chunks_exact(plane).zip(&self.background) {
            self.transform.extend(plane, black, into);
        }
    }
}

/// The classes of each task, ascending. Does not trust that the spec was validated against this very set.
fn plan(spec: &Spec, set: &DataSet) -> Result<Vec<Vec<usize>>, DataError> {
    let classes = set.class_names.len();
    let mut plan = match spec.tasks.kind {
        TaskKind::Split => spec.tasks.split_classes(),
        // A number that no image has is no class: the letters of EMNIST begin with 1.
        TaskKind::Permuted | TaskKind::Rotated => {
            let there: BTreeSet<usize> = set.train.labels.iter().copied().collect();
            vec![there.into_iter().collect(); spec.tasks.count]
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

/// How many of the pool's images of each class the task trains on.
fn wanted(spec: &Spec, number: usize, classes: &[usize], pool: &[&[usize]]) -> Vec<(usize, usize)> {
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

/// Degrees that a task of a rotated stream is turned by, within one turn.
fn angle(spec: &Spec, number: usize) -> f64 {
    ((number - 1) as f64 * (spec.tasks.angle % 360.0)) % 360.0
}

/// A few words for people.
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
