//! `kernelscope study`: all runs of a study, its table and its figures.

use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::bail;
use indicatif::ProgressBar;

use super::follow::progress_bar;
use super::{Device, Refused, StudyArgs};
use crate::record::StudyFolder;
use crate::record::figures::{FOLDER, Format, write_study};
use crate::spec::{Cost, DataShape, memory_available};
use crate::worker::study::{Message, Study, Waiting};

/// Steps of the bar: a study of any length has so many.
const STEPS: u64 = 10_000;

pub(super) fn study(args: &StudyArgs) -> anyhow::Result<()> {
    let refused = |err: &dyn std::fmt::Display| Refused(err.to_string());
    if matches!(args.device, Device::Auto) {
        return Err(Refused("the runs of a study train on one device: give --device cpu or gpu".to_owned()).into());
    }
    let spec = args.settings.study()?;
    let mut folder = StudyFolder::create(&args.out, &spec).map_err(|err| refused(&err))?;
    let count = folder.runs().len();
    let left: Vec<usize> = (0..count).filter(|&place| folder.ended(place).is_none()).collect();
    if left.len() < count {
        eprintln!("{} of {count} runs are there already", count - left.len());
    }
    let begun = Instant::now();
    let cost = |&place: &usize| {
        let spec = &folder.runs()[place].spec;
        (place, Cost::of(spec, &DataShape::expected(spec)))
    };
    let costs: Vec<(usize, Cost)> = left.iter().map(cost).collect();
    let waiting =
        |&place: &usize| Waiting { place, spec: folder.runs()[place].spec.clone(), folder: folder.run_folder(place) };
    let running = Study::start(left.iter().map(waiting).collect(), args.device.into(), at_once(args, &costs));
    let mut progress = Progress::new(count, &costs);
    while let Some(message) = running.recv() {
        match message {
            Message::Progress { place, share } => progress.reach(place, share),
            Message::Ended { place } => {
                // That one cannot be read keeps the others from nothing.
                let said = folder.look(place).map_or_else(|err| err.to_string(), |()| headline(&folder, place));
                folder.write_table()?;
                progress.reach(place, 1.0);
                progress.say(&format!("{}: {said}", folder.runs()[place].folder));
            }
            Message::Failed { place, message } => {
                progress.reach(place, 1.0);
                progress.say(&format!("{}: {message}", folder.runs()[place].folder));
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
    match (0..count).filter(|&place| folder.ended(place).is_none()).count() {
        0 => Ok(()),
        missing => bail!("{missing} of {count} runs did not come to their end; the same command tries them again"),
    }
}

/// How many runs at a time: as many as were asked for or as there are cores, but no more than the memory holds.
fn at_once(args: &StudyArgs, costs: &[(usize, Cost)]) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // One card is not faster for being shared.
    let usual = if matches!(args.device, Device::Gpu) { 1 } else { cores };
    let asked = args.jobs.map_or(usual, NonZeroUsize::get);
    let largest = costs.iter().map(|(_, cost)| cost.peak_bytes).max().unwrap_or(0).max(1);
    let held = usize::try_from(memory_available() / largest).unwrap_or(usize::MAX).max(1);
    if held < asked.min(costs.len()) {
        eprintln!("{held} at a time instead of {asked}: more would not fit into memory");
    }
    asked.min(held)
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
    fn new(count: usize, costs: &[(usize, Cost)]) -> Self {
        let flop = |cost: &Cost| cost.training_flop + cost.kernel_flop;
        let total: f64 = costs.iter().map(|(_, cost)| flop(cost)).sum();
        let mut weights = vec![0.0; count];
        costs.iter().for_each(|(place, cost)| weights[*place] = flop(cost) / total.max(1.0));
        let bar = progress_bar();
        bar.set_length(STEPS);
        Self { bar, reached: vec![0.0; count], weights }
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
