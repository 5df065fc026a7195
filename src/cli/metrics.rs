//! `kernelscope metrics`: computes the metrics of a run for kernels measured by other programs.

use std::path::PathBuf;

use super::refused::RefusedRequest;
use crate::storage::{Output, STUDY, check_place, is_run, measure_kernels, metrics_of, write_metrics};

/// Arguments of `metrics`.
#[derive(Debug, clap::Args)]
pub struct MetricsArgs {
    /// An archive of kernels, as docs/guide/external-kernels.md says; as K.npz:NAME one of its arrays
    #[arg(value_name = "K.npz")]
    pub kernels: PathBuf,
    /// The table; standard output if not given
    #[arg(long, value_name = "M.csv")]
    pub out: Option<PathBuf>,
    /// Replace the table that is there
    #[arg(long)]
    pub overwrite: bool,
}

pub(super) fn metrics(args: &MetricsArgs) -> anyhow::Result<()> {
    let path = &args.kernels;
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
