//! `kernelscope figures`: the figures of a run folder or a study's, finished or not.

use std::path::Path;

use super::{FigureFormat, FiguresArgs, Refused};
use crate::record::figures::{FOLDER, Format, write_all, write_study};
use crate::record::{STUDY, StudyFolder, Tidied, load, tidy};

pub(super) fn figures(args: &FiguresArgs) -> anyhow::Result<()> {
    let format = match args.format {
        FigureFormat::Svg => Format::Svg,
        FigureFormat::Png => Format::Png,
    };
    let out = args.out.clone().unwrap_or_else(|| args.run.join(FOLDER));
    if args.run.join(STUDY).is_file() {
        let study = StudyFolder::open(&args.run).map_err(|err| Refused(err.to_string()))?;
        for place in 0..study.runs().len() {
            if let Some(tidied) = in_order(&study.run_folder(place)) {
                tidied.told.iter().for_each(|sentence| eprintln!("{sentence}"));
            }
        }
        for path in write_study(&study, &out, format)? {
            println!("{}", path.display());
        }
        return Ok(());
    }
    // In order, it stays so until the figures are there.
    let tidied = in_order(&args.run);
    for sentence in tidied.iter().flat_map(|tidied| &tidied.told) {
        eprintln!("{sentence}");
    }
    let loaded = load(&args.run).map_err(|err| Refused(err.to_string()))?;
    for warning in &loaded.warnings {
        eprintln!("{warning}");
    }
    for path in write_all(&loaded.history, &out, format)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// Finishes what a kill left half done; that the run still goes on, or may not be written, is no harm.
fn in_order(run: &Path) -> Option<Tidied> {
    tidy(run).inspect_err(|err| log::info!("{err}")).ok()
}
