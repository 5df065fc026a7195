//! Formats the plan of a kernel as a table: the cost of each layer, the memory in use, and how the memory limit is met.

use std::fmt::Write as _;

use bytesize::ByteSize;

use crate::spec::Contraction;
use crate::worker::gram::Explained;

/// Formats the plan, with a line break at its end.
pub(super) fn explanation(explained: &Explained, device: &str) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = describe(explained, device, &mut text);
    text
}

fn describe(explained: &Explained, device: &str, text: &mut String) -> std::fmt::Result {
    let Explained { layers, wanted, plan, work } = explained;
    let giga = |flop: f64| flop / 1e9;
    let (n, m) = work.samples;
    let matrix = if work.same { format!("{n} inputs among themselves") } else { format!("{n} inputs with {m} others") };
    let logits = match (work.apart, work.directions) {
        (true, classes) => format!("all pairs of {classes} logits"),
        (false, 1) => "the sum of logits".to_owned(),
        (false, classes) => format!("{classes} logits, each with itself"),
    };
    writeln!(text, "{matrix}, {logits}, on {device}")?;
    let width = layers.iter().map(String::len).max().unwrap_or(0).max("layer".len());
    writeln!(text, "{:width$}  contraction  contraction GFLOP  way back GFLOP  bytes/(input·logit)", "layer")?;
    for ((layer, part), wanted) in layers.iter().zip(&plan.parts).zip(wanted) {
        let name = match part.contraction {
            _ if !wanted => "left out",
            Contraction::Products => "products",
            Contraction::Gradients => "gradients",
            Contraction::Places => "places",
            Contraction::Weighted => "weighted",
        };
        let (contraction, back) = (giga(part.contraction_flop), giga(part.backward_flop));
        let bytes = size(part.bytes);
        writeln!(text, "{layer:width$}  {name:11}  {contraction:>17.3}  {back:>14.3}  {bytes:>19}")?;
    }
    let (samples, directions) = plan.block;
    let blocks = |count: usize| count.div_ceil(samples.max(1));
    let again = if blocks(n.max(m)) > 1 { ", and again for each block" } else { "" };
    writeln!(text, "forward {:.3} GFLOP{again}; in all {:.3} GFLOP", giga(plan.forward_flop), giga(plan.flop(work)))?;
    writeln!(
        text,
        "{} for blocks of {samples} × {directions} (inputs × directions of logits), {} for the kernel and its sums",
        size(plan.block_bytes),
        size(plan.kernel_bytes),
    )?;
    let memory = ByteSize::b(work.memory).display().iec();
    let kept = if plan.block_bytes > work.memory as f64 {
        "cannot be kept: one input and logit need more, and are taken one at a time".to_owned()
    } else if blocks(n.max(m)) > 1 {
        let columns = if work.same { "pairs of them once" } else { "each with each" };
        format!("are kept by {} blocks of inputs, {columns}", blocks(n).max(blocks(m)))
    } else if !work.apart && directions < work.directions {
        format!("are kept, the logits in {} groups", work.directions.div_ceil(directions.max(1)))
    } else {
        "suffice for everything at once".to_owned()
    };
    writeln!(text, "{memory} {kept}")
}

fn size(bytes: f64) -> String {
    ByteSize::b(bytes as u64).display().iec().to_string()
}
