//! What there is to choose from.

use std::io::{self, Write as _};

use crate::spec::{PRESETS, STUDIES};
use crate::worker;

/// Prints the ready-made runs and studies, one a line.
pub(super) fn presets() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let width = PRESETS.iter().chain(STUDIES).map(|preset| preset.name.len()).max().unwrap_or(0);
    for (head, presets) in
        [("Runs (kernelscope run --preset NAME):", PRESETS), ("Studies (kernelscope study --preset NAME):", STUDIES)]
    {
        writeln!(out, "{head}")?;
        for preset in presets {
            writeln!(out, "  {:width$}  {}", preset.name, preset.about)?;
        }
    }
    Ok(())
}

/// Prints the devices, one a line.
pub(super) fn devices() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(out, "cpu  {threads} threads")?;
    for adapter in worker::adapters() {
        let software = if adapter.software { ", a software driver: slower than the CPU" } else { "" };
        writeln!(out, "gpu  {} ({}{software})", adapter.name, adapter.api)?;
    }
    Ok(())
}
