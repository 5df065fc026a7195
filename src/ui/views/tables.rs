//! What is written down of views that are no curves over time, where they are exported: matrices, spectra, the ledger.

use super::accuracy::MatrixRow;
use super::distances::worker::Distances;
use super::moment_comparison::worker::Comparison;
use crate::run::{Block, History, Ledger, RunInfo};
use crate::ui::kit::data_table::{Cell, Sheet};
use crate::ui::plot::series_cache::eigenvalues;

/// A square over the probes, each row after its place, task and class.
pub(super) fn of_probes(sheet: &mut Sheet, info: &RunInfo, value: impl Fn(usize, usize) -> f64) {
    let n = info.probes.len();
    let columns = (1..=n).map(|place| place.to_string());
    sheet.head(["probe", "task", "class"].map(str::to_owned).into_iter().chain(columns));
    let of_row = |row: usize| vec![(row + 1).into(), info.probes[row].task.into(), class(info, info.probes[row].label)];
    sheet.square(n, value, of_row);
}

fn class(info: &RunInfo, label: usize) -> Cell {
    info.class_names.get(label).map_or_else(|| label.into(), |name| name.as_str().into())
}

/// Two spectra, ascending as they are kept, written largest first.
pub(super) fn spectrum(sheet: &mut Sheet, now: &[f64], before: &[f64]) {
    sheet.head(["index", "eigenvalue", "at the last switch"]);
    let mut before = before.iter().rev();
    for (place, &value) in now.iter().rev().enumerate() {
        sheet.row([(place + 1).into(), value.into(), before.next().copied().into()]);
    }
}

/// The spectrum of each snapshot in view, largest first.
pub(super) fn eigenvalues_over_time(sheet: &mut Sheet, history: &History, block: Block, (from, to): (f64, f64)) {
    sheet.over_time = true;
    let inside = history.snapshots().iter().filter(|snapshot| (from..=to).contains(&snapshot.row.epoch));
    for snapshot in inside {
        let Some(values) = eigenvalues(snapshot, block) else { continue };
        if sheet.heads.is_empty() {
            let columns = (1..=values.len()).map(|place| format!("eigenvalue {place}"));
            sheet.head(["step", "epoch", "task"].map(str::to_owned).into_iter().chain(columns));
        }
        let row = &snapshot.row;
        let of_row = [row.step.into(), row.epoch.into(), row.task.into()];
        sheet.row(of_row.into_iter().chain(values.iter().rev().map(|&value| value.into())));
    }
}

/// All pairs of times.
pub(super) fn distances(sheet: &mut Sheet, found: &Distances) {
    let n = found.times.len();
    let columns = found.times.iter().map(|time| format!("epoch {:?}", time.1));
    sheet.head(["epoch".to_owned()].into_iter().chain(columns));
    let value = |row: usize, column: usize| f64::from(found.values[row * n + column]);
    sheet.square(n, value, |row| vec![found.times[row].1.into()]);
}

/// A row per task that was trained, a column per task that was tested.
pub(super) fn accuracy(sheet: &mut Sheet, matrix: &[MatrixRow], tasks: &[usize]) {
    let columns = tasks.iter().map(|task| format!("on {task}"));
    sheet.head(["task", "ended"].map(str::to_owned).into_iter().chain(columns));
    for row in matrix {
        let ended = if row.ended { "yes" } else { "no" };
        let values = row.accuracy.iter().map(|&value| value.into());
        sheet.row([row.task.into(), ended.into()].into_iter().chain(values));
    }
}

/// Each old image: what was predicted and measured of its own logit, and the part of each new image in it.
pub(super) fn ledger(sheet: &mut Sheet, ledger: &Ledger, info: &RunInfo) {
    let new = ledger.new_labels.iter().enumerate();
    let columns = new.map(|(place, &label)| {
        let name = info.class_name(label);
        format!("by image {} ({name})", place + 1)
    });
    sheet.head(["probe", "class", "predicted", "measured"].map(str::to_owned).into_iter().chain(columns));
    for old in &ledger.old {
        let (predicted, measured) = old.own_change();
        let of_row = [(old.probe + 1).into(), class(info, old.label), predicted.into(), measured.into()];
        sheet.row(of_row.into_iter().chain(old.by_image.iter().map(|&value| value.into())));
    }
}

/// Two moments: each entry of their kernels, each eigenvalue, each overlap, and the numbers below them.
pub(super) fn two_moments(sheet: &mut Sheet, found: &Comparison) {
    sheet.head(["what", "row", "column", "A", "B", "value"]);
    let n = found.rows.len();
    let [a, b] = &found.grams;
    for (at, (&before, &after)) in a.iter().zip(b.iter()).enumerate() {
        let (row, column) = (at / n.max(1), at % n.max(1));
        sheet.row(["kernel".into(), row.into(), column.into(), before.into(), after.into(), (after - before).into()]);
    }
    let [a, b] = &found.eigenvalues;
    for (rank, (&before, &after)) in a.iter().rev().zip(b.iter().rev()).enumerate() {
        let rank = Cell::from(rank + 1);
        sheet.row([
            "eigenvalue".into(),
            rank,
            Cell::from(None::<f64>),
            before.into(),
            after.into(),
            (after - before).into(),
        ]);
    }
    for (at, &overlap) in found.overlaps.iter().enumerate() {
        let (i, j) = (at / found.vectors.max(1) + 1, at % found.vectors.max(1) + 1);
        sheet.row([
            "overlap".into(),
            i.into(),
            j.into(),
            Cell::from(None::<f64>),
            Cell::from(None::<f64>),
            overlap.into(),
        ]);
    }
    let numbers = [
        ("drift", found.drift),
        ("scale", found.scale),
        ("distance", found.distance),
        ("shared", found.shared),
        ("largest angle", found.angle),
    ];
    for (name, value) in numbers {
        sheet.row([
            name.into(),
            Cell::from(None::<f64>),
            Cell::from(None::<f64>),
            Cell::from(None::<f64>),
            Cell::from(None::<f64>),
            value.into(),
        ]);
    }
}

/// The kernels of two runs, entry by entry: name, epoch, size, row-major.
pub(super) fn two_runs(sheet: &mut Sheet, sides: [(&str, f64, usize, &[f64]); 2]) {
    sheet.head(["run", "epoch", "row", "column", "value"]);
    for (name, epoch, n, matrix) in sides {
        for (at, &value) in matrix.iter().enumerate() {
            sheet.row([name.into(), epoch.into(), (at / n.max(1)).into(), (at % n.max(1)).into(), value.into()]);
        }
    }
}
