//! `kernelscope metrics`: computes the metrics of a run for kernels measured by other programs, and for a run how far the figures
//! of its switches depend on the choice of probes.

use std::io::Write as _;
use std::path::PathBuf;

use super::refused::RefusedRequest;
use crate::analysis::SwitchProbes;
use crate::math::half_samples::HALVES_IN_WORDS;
use crate::storage::format::atomic;
use crate::storage::{
    Output, STUDY, check_place, is_run, load, load_kernels, measure_kernels, metrics_of, write_metrics,
};

/// Arguments of `metrics`.
#[derive(Debug, clap::Args)]
pub struct MetricsArgs {
    /// An archive of kernels, as docs/guide/external-kernels.md says; as K.npz:NAME one of its arrays. With --probes also the
    /// folder of a run
    #[arg(value_name = "K.npz")]
    pub kernels: PathBuf,
    /// Instead of the metrics, the figures of each switch with their intervals over the choice of probes
    #[arg(long)]
    pub probes: bool,
    /// The table; standard output if not given
    #[arg(long, value_name = "M.csv")]
    pub out: Option<PathBuf>,
    /// Replace the table that is there
    #[arg(long)]
    pub overwrite: bool,
}

pub(super) fn metrics(args: &MetricsArgs) -> anyhow::Result<()> {
    let path = &args.kernels;
    if args.probes {
        return probes(args);
    }
    if is_run(path) {
        let table = path.join("metrics.csv");
        return Err(
            RefusedRequest(format!("{} is the folder of a run: {} has them", path.display(), table.display())).into()
        );
    }
    if path.join(STUDY).is_file() {
        let message = format!("{} is the folder of a study: each of its runs has a metrics.csv", path.display());
        return Err(RefusedRequest(message).into());
    }
    if let Some(out) = &args.out {
        check_place(out, Output::Metrics, args.overwrite).map_err(|err| RefusedRequest(err.to_string()))?;
    }
    let measured = measure_kernels(path).map_err(RefusedRequest)?;
    for warning in &measured.warnings {
        eprintln!("{warning}");
    }
    match &args.out {
        Some(out) => write_metrics(out, &measured.history)?,
        None => {
            let mut table = Vec::new();
            metrics_of(&measured.history, &mut table)?;
            print!("{}", String::from_utf8_lossy(&table));
        }
    }
    Ok(())
}

/// Writes the figures of each switch, computed from the kernels, with their intervals over the choice of probes.
fn probes(args: &MetricsArgs) -> anyhow::Result<()> {
    let path = &args.kernels;
    if let Some(out) = &args.out {
        check_place(out, Output::Metrics, args.overwrite).map_err(|err| RefusedRequest(err.to_string()))?;
    }
    let loaded = match is_run(path) {
        true => load(path).map_err(|err| RefusedRequest(err.to_string()))?,
        false => load_kernels(path, &mut |_, _| true).map_err(RefusedRequest)?,
    };
    for warning in &loaded.warnings {
        eprintln!("{warning}");
    }
    let mut lines = vec![["switch", "task", "probes", "figure", "value", "low", "high"].map(str::to_owned)];
    let switches = loaded.history.switches().len();
    for place in 0..switches {
        let Some(found) = SwitchProbes::of(&loaded.history, place) else { continue };
        for of in found.intervals() {
            let end = |end: Option<f64>| end.map_or_else(String::new, |value| value.to_string());
            let place = [place + 1, found.task, found.probes()].map(|number| number.to_string());
            let [switch, task, probes] = place;
            let [low, high] = [of.interval.map(|ends| ends.0), of.interval.map(|ends| ends.1)].map(end);
            lines.push([switch, task, probes, of.figure.to_owned(), of.value.to_string(), low, high]);
        }
    }
    if lines.len() == 1 {
        let why = match switches {
            0 => "has no switch of tasks",
            _ => "has no kernels around its switches",
        };
        return Err(RefusedRequest(format!("{} {why}: there are no figures of a switch", path.display())).into());
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    lines.iter().try_for_each(|line| table.write_record(line))?;
    let bytes = table.into_inner().map_err(|err| anyhow::anyhow!("{err}"))?;
    match &args.out {
        Some(out) => atomic::replace(out, |writer| writer.write_all(&bytes))?,
        None => print!("{}", String::from_utf8_lossy(&bytes)),
    }
    eprintln!("{HALVES_IN_WORDS} Velocities are {}.", loaded.history.centring().words());
    Ok(())
}
