//! Selects the probe images: stratified unless the spec says otherwise, and never trained on.
//!
//! Each task takes the first images of each of its classes that no earlier task took, so tasks that share a class have
//! different probes of it, which depend on neither the seed nor the order of training. Probes may also be drawn, by a seed of their
//! own or by that of the run, or come from a list. The network never trains on a probe unless `kernel.train_on_probes` is set: on
//! training images the kernel would show memorisation rather than features.

use std::collections::HashSet;

use rand::seq::SliceRandom as _;

use super::{DataError, Images};
use crate::math::rng::{Stream, rng};
use crate::spec::Spec;

/// Returns the probes of each task as indices of training images, by class; `plan` holds the classes of each task, ascending.
pub(super) fn select(
    spec: &Spec,
    plan: &[Vec<usize>],
    images: &Images,
    class_names: &[String],
) -> Result<Vec<Vec<usize>>, DataError> {
    let choice = spec.kernel.probes;
    if choice.is_listed() {
        return listed(&spec.kernel.probe_list, plan, images);
    }
    let per_class = spec.kernel.probes_per_class;
    let mut by_class = images.by_class(class_names.len());
    let seed = spec.kernel.probe_seed.unwrap_or(spec.seed);
    if choice.is_drawn() && choice.is_stratified() {
        for (class, of_class) in by_class.iter_mut().enumerate() {
            of_class.shuffle(&mut rng(seed, Stream::Probes, 0, class as u64));
        }
    }
    if !choice.is_stratified() {
        return drawn(seed, per_class, plan, &by_class);
    }
    let mut taken = vec![0; by_class.len()];
    let mut probes = Vec::with_capacity(plan.len());
    for (place, classes) in plan.iter().enumerate() {
        let mut of_task = Vec::new();
        for &class in classes {
            let left = &by_class[class][taken[class]..];
            let Some(chosen) = left.get(..per_class) else {
                let (task, name) = (place + 1, class_names[class].clone());
                return Err(DataError::FewProbes { task, class, name, needed: per_class, left: left.len() });
            };
            of_task.extend_from_slice(chosen);
            taken[class] += per_class;
        }
        probes.push(of_task);
    }
    Ok(probes)
}

/// Draws as many probes for each task as a stratified choice has, from all images of its classes that no earlier task has.
fn drawn(
    seed: u64,
    per_class: usize,
    plan: &[Vec<usize>],
    by_class: &[Vec<usize>],
) -> Result<Vec<Vec<usize>>, DataError> {
    let mut taken = HashSet::new();
    let mut probes = Vec::with_capacity(plan.len());
    for (place, classes) in plan.iter().enumerate() {
        let own = classes.iter().flat_map(|&class| by_class[class].iter().map(move |&index| (class, index)));
        let mut left: Vec<(usize, usize)> = own.filter(|(_, index)| !taken.contains(index)).collect();
        let needed = per_class * classes.len();
        if needed > left.len() {
            return Err(DataError::FewDrawn { task: place + 1, needed, left: left.len() });
        }
        left.shuffle(&mut rng(seed, Stream::Probes, 1, place as u64));
        left.truncate(needed);
        // By class, as other probes are, so that the Gram shows its blocks.
        left.sort_unstable();
        taken.extend(left.iter().map(|&(_, index)| index));
        probes.push(left.into_iter().map(|(_, index)| index).collect());
    }
    Ok(probes)
}

/// Returns the listed probes of each task, by class and within a class in the order of the list.
fn listed(lists: &[Vec<usize>], plan: &[Vec<usize>], images: &Images) -> Result<Vec<Vec<usize>>, DataError> {
    let mut probes = Vec::with_capacity(plan.len());
    for (place, classes) in plan.iter().enumerate() {
        let task = place + 1;
        let shared = lists.len() == 1 && plan.len() > 1;
        let list = if shared { lists.first() } else { lists.get(place) };
        let mut own = Vec::new();
        for &index in list.into_iter().flatten() {
            let Some(&class) = images.labels.get(index) else {
                return Err(DataError::NoProbe { task, index, images: images.len() });
            };
            match (classes.contains(&class), shared) {
                (true, _) => own.push((class, index)),
                (false, true) => {}
                (false, false) => return Err(DataError::OtherProbe { task, index, class }),
            }
        }
        if own.len() < 2 {
            return Err(DataError::FewListed { task, listed: own.len() });
        }
        own.sort_by_key(|(class, _)| *class);
        probes.push(own.into_iter().map(|(_, index)| index).collect());
    }
    Ok(probes)
}
