//! Lists the presets and the devices.

use crate::spec::{PRESETS, STUDIES};
use crate::worker;

/// Prints the preset runs and studies, one a line.
pub(super) fn presets() {
    let width = PRESETS.iter().chain(STUDIES).map(|preset| preset.name.len()).max().unwrap_or(0);
    for (head, presets) in
        [("Runs (kernelscope run --preset NAME):", PRESETS), ("Studies (kernelscope study --preset NAME):", STUDIES)]
    {
        println!("{head}");
        for preset in presets {
            println!("  {:width$}  {}", preset.name, preset.about);
        }
    }
}

/// Prints the devices, one a line.
pub(super) fn devices() {
    let threads = worker::threads::usable();
    println!("cpu  {threads} threads");
    for adapter in worker::adapters() {
        let software = if adapter.software { ", a software driver: slower than the CPU" } else { "" };
        println!("gpu  {} ({}{software})", adapter.name, adapter.api);
    }
}
