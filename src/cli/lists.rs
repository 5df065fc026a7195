//! What there is to choose from.

use std::io::{self, Write as _};

use crate::spec::PRESETS;
use crate::worker;

/// Prints the presets, one a line.
pub(super) fn presets() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let width = PRESETS.iter().map(|preset| preset.name.len()).max().unwrap_or(0);
    for preset in PRESETS {
        writeln!(out, "{:width$}  {}", preset.name, preset.about)?;
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
