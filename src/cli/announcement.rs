//! Announces what a run is about to do, before it starts, so that a run larger than intended is noticed at once and not
//! after a minute of silence.

use bytesize::ByteSize;

use crate::spec::{Cost, DataShape, Spec};
use crate::worker::progress::Estimate;

/// Returns two lines, with a line break at the end of each.
pub(super) fn announcement(spec: &Spec) -> String {
    let shape = DataShape::expected(spec);
    let cost = Cost::of(spec, &shape);
    let Estimate { seconds, first_seconds } = Estimate::of(spec, &cost);
    let memory = ByteSize::b(cost.peak_bytes).display().iec();
    let first =
        if first_seconds >= 1.0 { format!(", the first kernel {}", time(first_seconds)) } else { String::new() };
    format!(
        "{}; {} parameters\n{}, {} steps, {} of {}; about {}{first}, and up to {memory} of memory\n",
        spec.network.words(),
        grouped(cost.parameters),
        counted(spec.tasks.sequence().len() as u64, "task"),
        grouped(cost.steps),
        counted(cost.snapshots, "snapshot"),
        counted(cost.probes as u64, "probe"),
        time(seconds),
    )
}

/// Formats `1 task`, `2 tasks`.
fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(count)) }
}

/// Formats digits in groups of three.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let separate = |place: usize| place > 0 && (digits.len() - place).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(place, digit)| separate(place).then_some(',').into_iter().chain([digit]))
        .collect()
}

/// Formats an estimated time, with no more digits than are meaningful.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        ..2.0 => "a second or two".to_owned(),
        ..90.0 => format!("{seconds:.0} s"),
        ..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.0} h", seconds / 3600.0),
    }
}
