//! `kernelscope figures`: draws the figures of a run folder or a study, finished or not, or of an archive of kernels.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::refused::RefusedRequest;
use crate::chart::Format;
use crate::paint::{files, write_all, write_study, write_study_lags};
use crate::storage::{FIGURES, RepairedFolder, STUDY, StudyFolder, array_of, load, load_kernels, tidy};

/// Arguments of `figures`.
#[derive(Debug, clap::Args)]
pub struct FiguresArgs {
    /// Folder of a run or of a study, finished or not; or an archive of kernels, as K.npz:NAME one of its arrays
    #[arg(value_name = "DIR|K.npz")]
    pub run: PathBuf,
    #[arg(long, value_enum, default_value_t = FigureFormat::Svg)]
    pub format: FigureFormat,
    /// Folder for the figures; DIR/figures, or K-figures beside K.npz, if not given
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace figures of an archive that are there; those of runs and studies are always drawn anew
    #[arg(long)]
    pub overwrite: bool,
}

/// Lists the values of `--format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FigureFormat {
    Svg,
    Png,
}

pub(super) fn figures(args: &FiguresArgs) -> anyhow::Result<()> {
    let format = match args.format {
        FigureFormat::Svg => Format::Svg,
        FigureFormat::Png => Format::Png,
    };
    if array_of(&args.run).0.is_file() {
        return of_kernels(args, format);
    }
    if !args.run.exists() {
        return Err(RefusedRequest(format!("{} is not there", args.run.display())).into());
    }
    let out = args.out.clone().unwrap_or_else(|| args.run.join(FIGURES));
    if args.run.join(STUDY).is_file() {
        let study = StudyFolder::open(&args.run).map_err(|err| RefusedRequest(err.to_string()))?;
        for place in 0..study.runs().len() {
            if let Some(tidied) = in_order(&study.run_folder(place)) {
                tidied.repairs.iter().for_each(|sentence| eprintln!("{sentence}"));
            }
        }
        for path in [write_study(&study, &out, format)?, write_study_lags(&study, &out, format)?].concat() {
            println!("{}", path.display());
        }
        return Ok(());
    }
    // Holds the folder in order until the figures are written.
    let tidied = in_order(&args.run);
    for sentence in tidied.iter().flat_map(|tidied| &tidied.repairs) {
        eprintln!("{sentence}");
    }
    let loaded = load(&args.run).map_err(|err| RefusedRequest(err.to_string()))?;
    for warning in &loaded.warnings {
        eprintln!("{warning}");
    }
    for path in write_all(&loaded.history, &out, format)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// Draws the figures of an archive of kernels, beside the archive.
fn of_kernels(args: &FiguresArgs, format: Format) -> anyhow::Result<()> {
    let loaded = load_kernels(&args.run, &mut |_, _| true).map_err(RefusedRequest)?;
    let out = args.out.clone().unwrap_or_else(|| figures_folder(&args.run));
    let existing = files(&loaded.history, &out, format).into_iter().find(|path| path.exists());
    if let Some(existing) = existing.filter(|_| !args.overwrite) {
        let message = format!("{} exists: choose another folder with --out or give --overwrite", existing.display());
        return Err(RefusedRequest(message).into());
    }
    for warning in &loaded.warnings {
        eprintln!("{warning}");
    }
    for path in write_all(&loaded.history, &out, format)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// Returns K-figures beside K.npz, and K-NAME-figures for one of its arrays.
fn figures_folder(path: &Path) -> PathBuf {
    let (archive, name) = array_of(path);
    let stem = archive.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let of_name = name.map_or_else(String::new, |name| format!("-{}", name.replace(['/', '\\'], "-")));
    archive.with_file_name(format!("{stem}{of_name}-{FIGURES}"))
}

/// Completes work that a killed run left half done; a run that is still going or a read-only folder is no error.
fn in_order(run: &Path) -> Option<RepairedFolder> {
    tidy(run).inspect_err(|err| log::info!("{err}")).ok()
}
