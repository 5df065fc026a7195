//! `kernelscope figures`: the figures of a run folder or a study's, finished or not.

use super::{FigureFormat, FiguresArgs, Refused};
use crate::record::figures::{FOLDER, Format, write_all, write_study};
use crate::record::{STUDY, StudyFolder, load, tidy};

pub(super) fn figures(args: &FiguresArgs) -> anyhow::Result<()> {
    let format = match args.format {
        FigureFormat::Svg => Format::Svg,
        FigureFormat::Png => Format::Png,
    };
    let out = args.out.clone().unwrap_or_else(|| args.run.join(FOLDER));
    if args.run.join(STUDY).is_file() {
        let study = StudyFolder::open(&args.run).map_err(|err| Refused(err.to_string()))?;
        for path in write_study(&study, &out, format)? {
            println!("{}", path.display());
        }
        return Ok(());
    }
    let loaded = load(&args.run).map_err(|err| Refused(err.to_string()))?;
    for warning in &loaded.warnings {
        eprintln!("{warning}");
    }
    // Where the run was killed, NumPy can read its kernels from now on. That it still runs, or may not be written, is no harm.
    if let Err(err) = tidy(&args.run) {
        log::info!("{err}");
    }
    for path in write_all(&loaded.history, &out, format)? {
        println!("{}", path.display());
    }
    Ok(())
}
