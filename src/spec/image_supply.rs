//! Validates the supply of images: enough for the probes of the tasks, and some left for training.
//!
//! It extends the validation of [`Spec`] in `validate` by one subject.

use super::problem::problem;
use super::{DataShape, ProbeChoice, Problem, Spec, TaskKind, frequency_totals};

impl Spec {
    /// Adds the problems of the probes; only called for valid tasks, so that one mistake is reported once.
    pub(super) fn probe_problems(&self, shape: &DataShape, found: &mut Vec<Problem>) {
        let kernel = &self.kernel;
        if let Some((field, message)) = self.choice_problem() {
            found.push(problem(field, message));
            return;
        }
        if kernel.probes == ProbeChoice::List {
            let probes = self.probe_count(shape);
            if probes > MOST_PROBES {
                let message = format!("{probes} probe images are more than {MOST_PROBES}: list fewer");
                found.push(problem("kernel.probe_list", message));
                return;
            }
            return self.stock_problems(shape, found);
        }
        if kernel.probes_per_class == 0 {
            found.push(problem("kernel.probes_per_class", "there must be at least one probe image per class"));
        }
        let probes = self.probe_count(shape);
        let one_class =
            self.tasks.kind == TaskKind::Split && self.tasks.classes.iter().any(|classes| classes.len() == 1);
        if kernel.probes_per_class == 1 && (probes == 1 || one_class) {
            found.push(problem("kernel.probes_per_class", "the kernel of each task needs at least two probe images"));
        }
        if probes > MOST_PROBES {
            let message = format!("{probes} probe images are more than {MOST_PROBES}: take fewer per class");
            found.push(problem("kernel.probes_per_class", message));
            return;
        }
        let (class, sharing) = self.most_shared_class(shape);
        let needed =
            sharing.saturating_mul(kernel.probes_per_class).saturating_add(usize::from(!kernel.train_on_probes));
        if sharing > 0 && needed > shape.train_per_class {
            let message = format!(
                "{sharing} tasks probe class {class}, which has {} training images: take fewer probes or keep more images",
                shape.train_per_class
            );
            found.push(problem("kernel.probes_per_class", message));
            return;
        }
        self.stock_problems(shape, found);
    }

    /// Returns why the probes cannot be chosen as the spec says: the setting, and one sentence.
    fn choice_problem(&self) -> Option<(&'static str, String)> {
        let kernel = &self.kernel;
        let list = "kernel.probe_list";
        if !kernel.probes.is_usual() && !self.data.source.is_standardised() {
            let message = "the probes of points and of sampled problems are not chosen among images: leave kernel.probes at first";
            return Some(("kernel.probes", message.to_owned()));
        }
        if kernel.probe_seed.is_some() && !kernel.probes.is_drawn() {
            let message = "this seed decides nothing, because the probes are not drawn: take kernel.probes = \"stratified\" or \"random\"";
            return Some(("kernel.probe_seed", message.to_owned()));
        }
        // TOML has no larger integer.
        if kernel.probe_seed.is_some_and(|seed| i64::try_from(seed).is_err()) {
            return Some(("kernel.probe_seed", format!("the seed must be at most {}", i64::MAX)));
        }
        let lists = &kernel.probe_list;
        if kernel.probes != ProbeChoice::List {
            let unused = "this list is not used: take kernel.probes = \"list\", or leave it out";
            return (!lists.is_empty()).then(|| (list, unused.to_owned()));
        }
        let tasks = self.tasks.len();
        if lists.is_empty() || (lists.len() != tasks && lists.len() != 1) {
            let message = format!(
                "give one list of probes for each of the {tasks} tasks, or one for all of them; there {} {}",
                if lists.len() == 1 { "is" } else { "are" },
                lists.len()
            );
            return Some((list, message));
        }
        for (place, indices) in lists.iter().enumerate() {
            let number = place + 1;
            if indices.len() < 2 {
                return Some((
                    list,
                    format!("list {number} has {} probes, and a kernel needs at least two", indices.len()),
                ));
            }
            let mut sorted = indices.clone();
            sorted.sort_unstable();
            if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return Some((list, format!("list {number} has the image {} twice", pair[0])));
            }
        }
        None
    }

    /// Adds the problems of the training images left beside the probes; only called for valid probes.
    fn stock_problems(&self, shape: &DataShape, found: &mut Vec<Problem>) {
        let samples = self.data.samples;
        let there = self.trainable(1, shape);
        if samples > there && !self.data.source.is_synthetic() {
            let message = format!(
                "data.samples is {samples}, and {there} images remain beside the probes: take fewer, or keep more \
                 images per class"
            );
            found.push(problem("data.samples", message));
        }
        if let (TaskKind::Frequency, [first, second]) = (self.tasks.kind, self.tasks.classes.as_slice()) {
            let groups = [first.len(), second.len()];
            // Those of a list are not known by class before the data are read.
            let taken = !self.kernel.train_on_probes && self.kernel.probes != ProbeChoice::List;
            let probes = if taken { 2 * self.kernel.probes_per_class } else { 0 };
            let there = groups.map(|classes| classes * shape.train_per_class.saturating_sub(probes));
            for (task, alpha) in [(1, 0.0), (2, self.tasks.alpha)] {
                let totals = frequency_totals(alpha, there);
                if let Some(group) = (0..2).find(|&group| totals[group] < groups[group]) {
                    let message = format!(
                        "task {task} would train on {} images of the {} classes of group {}: keep more images per \
                         class or take fewer probes",
                        totals[group],
                        groups[group],
                        group + 1
                    );
                    found.push(problem("data.per_class", message));
                    return;
                }
            }
        }
    }

    /// Returns a class that is in the most tasks, and their number.
    pub(super) fn most_shared_class(&self, shape: &DataShape) -> (usize, usize) {
        match self.tasks.kind {
            TaskKind::Split => {
                let plan = self.tasks.split_classes();
                let sharing = |class: usize| (class, plan.iter().filter(|classes| classes.contains(&class)).count());
                let classes = plan.iter().flatten().copied().filter(|&class| class < shape.classes);
                classes.map(sharing).max_by_key(|&(class, tasks)| (tasks, usize::MAX - class)).unwrap_or((0, 0))
            }
            TaskKind::Permuted | TaskKind::Rotated => (0, self.tasks.count),
            TaskKind::Frequency => (self.tasks.classes.iter().flatten().copied().next().unwrap_or(0), 2),
        }
    }
}

/// A Gram of more images could be neither measured live nor read.
const MOST_PROBES: usize = 4096;
