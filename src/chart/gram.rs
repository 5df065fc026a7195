//! Describes the Gram before and after each switch, and their difference, as heat maps on common colour scales.

use super::format::fixed;
use super::heat_maps::{ColourScale, HeatMap, HeatMaps};
use crate::run::{Block, History, Metric};

/// The largest number of switches shown: a page is then full.
const MAX_SWITCHES: usize = 3;

/// Returns all maps, the kernels on one colour scale and the changes on another.
pub(super) fn maps(history: &History) -> HeatMaps {
    let sizes: Vec<(usize, usize)> = history.info().map_or_else(Vec::new, |info| {
        info.probes.chunk_by(|a, b| a.task == b.task).map(|probes| (probes[0].task, probes.len())).collect()
    });
    let mut rows = pictures(history);
    let single = rows.iter().flatten().all(|map| map.scale == 0);
    rows.iter_mut().flatten().for_each(|map| map.tasks.clone_from(&sizes));
    let values = |scale: usize| {
        let maps = rows.iter().flatten().filter(move |map| map.scale == scale);
        maps.flat_map(|map| &map.values).copied().filter(|value| value.is_finite())
    };
    let most = values(1).fold(0.0, |most: f64, value| most.max(value.abs()));
    let kernel = (values(0).fold(0.0, f64::min), values(0).fold(0.0, f64::max));
    let mut scales = vec![ColourScale { name: "kernel", diverging: false, range: kernel }];
    if !single {
        scales.push(ColourScale { name: "change", diverging: true, range: (-most, most) });
    }
    let title = if single { "Kernel of all probes" } else { "Kernel of all probes; white lines part the tasks" };
    HeatMaps { title: title.to_owned(), columns: if single { 1 } else { 3 }, rows, scales, note: String::new() }
}

/// Returns the kernels before and after each switch and their difference, a row for each switch; a single kernel alone.
fn pictures(history: &History) -> Vec<Vec<HeatMap>> {
    let picture = |epoch: f64, what: &str| {
        let snapshot = history.snapshot_at(epoch)?;
        let n = snapshot.eigenvalues.len();
        let epoch = snapshot.row.epoch;
        // Three titles have to fit beside each other.
        let (unit, decimals) = match history.counts_steps() {
            true => ("step", 0),
            false => ("epoch", if epoch < 100.0 { 2 } else { 1 }),
        };
        let title = format!("{what}, {unit} {}", fixed(epoch, decimals));
        (n > 0 && snapshot.gram.len() == n * n).then(|| HeatMap {
            title,
            n,
            values: snapshot.gram.to_vec(),
            scale: 0,
            tasks: Vec::new(),
        })
    };
    let triple = |(before, after): (HeatMap, HeatMap)| {
        let values = before.values.iter().zip(&after.values).map(|(before, after)| after - before).collect();
        let change = HeatMap { title: "Change".to_owned(), values, scale: 1, ..before.clone() };
        vec![before, after, change]
    };
    let switches = history.tasks().windows(2).enumerate().filter_map(|(place, pair)| {
        let spike =
            history.spikes(Block::Task(pair[0].task), history.usual(Metric::Velocity)).get(place).copied().flatten();
        let after = spike.map_or(pair[1].epoch + 1.0, |spike| spike.epoch);
        let what = if spike.is_some() { "At the spike" } else { "After" };
        picture(pair[1].epoch, "At the switch").zip(picture(after, what)).map(triple)
    });
    let found: Vec<_> = switches.take(MAX_SWITCHES).collect();
    if !found.is_empty() {
        return found;
    }
    if history.rows().len() == 1 {
        let only = picture(0.0, "The kernel").map(|picture| HeatMap { title: "The kernel".to_owned(), ..picture });
        return only.map(|picture| vec![picture]).into_iter().collect();
    }
    // Without a switch: the first and the last kernel.
    let last = history.snapshots().last().map_or(0.0, |snapshot| snapshot.row.epoch);
    picture(0.0, "First").zip(picture(last, "Last")).map(triple).into_iter().collect()
}
