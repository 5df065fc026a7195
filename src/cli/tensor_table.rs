//! Formats the tensors of a weights file as a table: which went where, with shape, type and conversion.

use std::fmt::Write as _;

use crate::worker::gram::TensorOrigin;

/// Formats the table, with a line break at its end; spaces separate its columns, and `-` stands for what is not there.
pub(super) fn tensor_table(origins: &[TensorOrigin]) -> String {
    const HEAD: [&str; 5] = ["in the file", "in the network", "shape", "type", "treatment"];
    let or_none = |name: &str| if name.is_empty() { "-".to_owned() } else { name.to_owned() };
    let rows: Vec<[String; 5]> = origins
        .iter()
        .map(|origin| {
            let shape = if origin.theirs.is_empty() { String::new() } else { format!("{:?}", origin.shape) };
            let treatment = if origin.treatment.is_empty() { "read as it is" } else { &origin.treatment };
            let of = [&origin.theirs, &origin.ours, &shape, &origin.dtype];
            let [theirs, ours, shape, dtype] = of.map(|cell| or_none(cell));
            [theirs, ours, shape, dtype, treatment.to_owned()]
        })
        .collect();
    let length = |cell: &str| cell.chars().count();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| length(&row[column]));
        cells.chain([length(HEAD[column])]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(HEAD.map(str::to_owned)).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}
