//! Describes the distance S(t, t′) between the kernels of all snapshots, on the probes of each task.
//!
//! Dark is near. A kernel that changes evenly fades away from the diagonal; one that changes fast at switches shows dark
//! blocks, one for each task.

use std::ops::Range;

use super::format::fixed;
use super::heat_maps::{ColourScale, HeatMap, HeatMaps};
use crate::math::Gram;
use crate::math::distance::{Centring, distances};
use crate::run::History;

/// The largest number of tasks whose probes are shown besides all probes together: a row is then full.
const MAX_TASKS: usize = 2;
/// The largest number of snapshots, and of values of all their kernels together, which bounds the time of a figure.
const MAX_SNAPSHOTS: usize = 256;
const MAX_VALUES: usize = 1 << 25;

/// Returns a heat map for each task's probes, all on one colour scale.
pub(super) fn maps(history: &History) -> HeatMaps {
    let mut row = pictures(history);
    let high = row.iter().flat_map(|map| &map.values).copied().fold(0.0, f64::max);
    let times: Vec<usize> = shown(history).iter().map(|&place| history.snapshots()[place].row.task).collect();
    let sizes: Vec<(usize, usize)> = times.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect();
    row.iter_mut().for_each(|map| map.tasks.clone_from(&sizes));
    let note = row.first().map_or_else(String::new, |first| {
        let epochs = [0, first.n - 1].map(|place| history.snapshots()[shown(history)[place]].row.epoch);
        let [from, to] = epochs.map(|epoch| fixed(epoch, 1));
        format!("{} snapshots in order, epochs {from} to {to}; lines: switches", first.n)
    });
    HeatMaps {
        title: match history.centring() {
            Centring::Debiased => "Distance 1 − CKA, debiased, of the kernel from itself at other times",
            Centring::Centred | Centring::Uncentred => "Distance 1 − CKA of the kernel from itself at other times",
        }
        .to_owned(),
        columns: MAX_TASKS + 1,
        rows: vec![row],
        scales: vec![ColourScale { name: "distance", diverging: false, range: (0.0, high) }],
        note,
    }
}

/// Returns the names and rows of the blocks of probes.
fn blocks(history: &History) -> Vec<(String, Range<usize>)> {
    let Some(info) = history.info() else { return Vec::new() };
    let mut start = 0;
    let block = |probes: &[crate::run::Probe]| {
        let rows = start..start + probes.len();
        start = rows.end;
        (format!("Probes of task {}", probes[0].task), rows)
    };
    let mut found: Vec<_> = info.probes.chunk_by(|a, b| a.task == b.task).map(block).take(MAX_TASKS).collect();
    // With only one task, its probes are all probes.
    if found.len() > 1 {
        found.push(("All probes".to_owned(), 0..info.probes.len()));
    }
    found
}

/// Returns the snapshots that are shown: all, or every n-th.
fn shown(history: &History) -> Vec<usize> {
    let count = history.snapshots().len();
    let each = history.snapshots().last().map_or(1, |snapshot| snapshot.gram.len().max(1));
    let most = (MAX_VALUES / each).clamp(2, MAX_SNAPSHOTS);
    (0..count).step_by(count.div_ceil(most).max(1)).collect()
}

fn pictures(history: &History) -> Vec<HeatMap> {
    let whole = |place: usize| {
        let snapshot = &history.snapshots()[place];
        let n = snapshot.eigenvalues.len();
        let values = (snapshot.gram.len() == n * n).then(|| snapshot.gram.to_vec())?;
        Gram::symmetrised(n, values).ok().map(|(gram, _)| gram)
    };
    let Some(kernels) = shown(history).into_iter().map(whole).collect::<Option<Vec<Gram>>>() else { return Vec::new() };
    let picture = |(title, rows): (String, Range<usize>)| {
        let block = |kernel: &Gram| (rows.end <= kernel.len()).then(|| kernel.block(rows.clone()));
        let blocks: Vec<Gram> = kernels.iter().map(block).collect::<Option<_>>()?;
        let values = distances(&blocks, history.centring());
        (!blocks.is_empty()).then(|| HeatMap { title, n: blocks.len(), values, scale: 0, tasks: Vec::new() })
    };
    blocks(history).into_iter().filter_map(picture).collect()
}
