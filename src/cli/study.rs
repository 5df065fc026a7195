//! `kernelscope study`: all runs of a study, its table and its figures.

use std::time::Instant;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Refused, StudyArgs};
use crate::record::StudyFolder;
use crate::record::figures::{FOLDER, Format, write_study};
use crate::spec::{Cost, DataShape, Spec};
use crate::worker::study::{Message, Study, Waiting};

/// Steps of the bar: a study of any length has so many.
const STEPS: u64 = 10_000;

pub(super) fn study(args: &StudyArgs) -> anyhow::Result<()> {
    let refused = |err: &dyn std::fmt::Display| Refused(err.to_string());
    let spec = args.settings.study()?;
    let mut folder = StudyFolder::create(&args.out, &spec).map_err(|err| refused(&err))?;
    let count = folder.runs().len();
    let left: Vec<usize> = (0..count).filter(|&place| folder.ended(place).is_none()).collect();
    if left.len() < count {
        eprintln!("{} of {count} runs are there already", count - left.len());
    }
    let begun = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = args.jobs.map_or(cores, std::num::NonZeroUsize::get);
    let waiting =
        |&place: &usize| Waiting { place, spec: folder.runs()[place].spec.clone(), folder: folder.run_folder(place) };
    let running = Study::start(left.iter().map(waiting).collect(), args.device.into(), at_once, || {});
    let mut progress = Progress::new(&folder, &left);
    let mut failures = Vec::new();
    while let Some(message) = running.recv() {
        match message {
            Message::Progress { place, share } => progress.reach(place, share),
            Message::Ended { place } => {
                folder.look(place)?;
                folder.write_table()?;
                progress.reach(place, 1.0);
                progress.say(&format!("{}: {}", folder.runs()[place].folder, headline(&folder, place)));
            }
            Message::Failed { place, message } => {
                progress.reach(place, 1.0);
                progress.say(&format!("{}: {message}", folder.runs()[place].folder));
                failures.push(place);
            }
        }
    }
    progress.bar.finish_and_clear();
    let table = folder.write_table()?;
    println!("{}", table.display());
    for path in write_study(&folder, &args.out.join(FOLDER), Format::Svg)? {
        println!("{}", path.display());
    }
    eprintln!("{count} runs, {:.0} s", begun.elapsed().as_secs_f64());
    if !failures.is_empty() {
        bail!("{} of {count} runs failed; the same command tries them again", failures.len());
    }
    Ok(())
}

/// What a run has shown, in half a line.
fn headline(folder: &StudyFolder, place: usize) -> String {
    let Some(history) = folder.ended(place) else { return String::new() };
    let Some(first) = history.outcomes().into_iter().next() else { return "ended without a switch".to_owned() };
    let ratio = first.spike.map_or("no velocity".to_owned(), |spike| format!("velocity ×{:.1}", spike.ratio));
    let depth = first.dip.map_or("no λ_max".to_owned(), |dip| format!("λ_max ×{:.3}", dip.depth));
    format!("{ratio}, {depth}")
}

/// One bar for all runs, each counting as much as it costs.
struct Progress {
    bar: ProgressBar,
    /// Share of the whole that each run is, by its place; 0 for those that were there.
    weights: Vec<f64>,
    reached: Vec<f64>,
}

impl Progress {
    fn new(folder: &StudyFolder, left: &[usize]) -> Self {
        let cost = |spec: &Spec| {
            let cost = Cost::of(spec, &DataShape::expected(spec));
            cost.training_flop + cost.kernel_flop
        };
        let total: f64 = left.iter().map(|&place| cost(&folder.runs()[place].spec)).sum();
        let mut weights = vec![0.0; folder.runs().len()];
        left.iter().for_each(|&place| weights[place] = cost(&folder.runs()[place].spec) / total.max(1.0));
        let template = "{bar:24} {percent:>3} %  {msg}  ({eta} left)";
        // The template is a constant: were it wrong, the bar's own style would do.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let reached = vec![0.0; weights.len()];
        Self { bar: ProgressBar::new(STEPS).with_style(style), weights, reached }
    }

    fn reach(&mut self, place: usize, share: f64) {
        self.reached[place] = share;
        let whole: f64 = self.weights.iter().zip(&self.reached).map(|(weight, share)| weight * share).sum();
        let done = self.reached.iter().filter(|share| **share >= 1.0).count();
        let all = self.weights.iter().filter(|weight| **weight > 0.0).count();
        self.bar.set_message(format!("{done} of {all} runs"));
        self.bar.set_position((whole * STEPS as f64) as u64);
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}
