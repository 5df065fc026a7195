//! `kernelscope figures`: the figures of a run folder, finished or not.

use super::{FigureFormat, FiguresArgs, Refused};
use crate::record::figures::{FOLDER, Format, write_all};
use crate::record::{load, tidy};

pub(super) fn figures(args: &FiguresArgs) -> anyhow::Result<()> {
    let loaded = load(&args.run).map_err(|err| Refused(err.to_string()))?;
    for warning in &loaded.warnings {
        eprintln!("{warning}");
    }
    // Where the run was killed, NumPy can read its kernels from now on. That it still runs, or may not be written, is no harm.
    if let Err(err) = tidy(&args.run) {
        log::info!("{err}");
    }
    let format = match args.format {
        FigureFormat::Svg => Format::Svg,
        FigureFormat::Png => Format::Png,
    };
    let out = args.out.clone().unwrap_or_else(|| args.run.join(FOLDER));
    for path in write_all(&loaded.history, &out, format)? {
        println!("{}", path.display());
    }
    Ok(())
}
