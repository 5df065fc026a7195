//! Computes how far the figures of a switch depend on the choice of the probes, from the kernels of one run: an interval for spike,
//! background, ratio, dip and alignment, from random halves of the probes of the task that ends.
//!
//! Guarantees: spike and dip are those of [`crate::math::spike`], distances and alignments those of [`crate::math`]; on all probes
//! the figures are those of the run, as far as its kernels were stored.

use std::ops::Range;

use super::distance_matrix::block;
use crate::math::Gram;
use crate::math::alignment::{alignment, alignment_centred};
use crate::math::distance::{Centring, Normalised};
use crate::math::half_samples::HalfSamples;
use crate::math::spectrum::eigenvalues;
use crate::math::spike::{DIP_EPOCHS, SPIKE_EPOCHS, dip, spike};
use crate::run::{Block, History};

/// Names of the figures, in the order of [`SwitchProbes::figures_on`]. The alignments are those of the last kernel up to the
/// switch.
pub const PROBE_FIGURES: [&str; 6] = ["spike", "background", "ratio", "dip", "alignment", "alignment_centred"];

/// The values of [`PROBE_FIGURES`].
type Figures = [Option<f64>; PROBE_FIGURES.len()];

/// One figure on all probes, and its interval over the choice of probes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeInterval {
    pub figure: &'static str,
    pub value: f64,
    /// `None` where halves of the probes do not have the figure.
    pub interval: Option<(f64, f64)>,
}

/// The kernels around a switch on the probes of the task that ends there.
#[derive(Clone, Debug)]
pub struct SwitchProbes {
    /// Number of the task.
    pub task: usize,
    /// Class of each probe.
    classes: Vec<usize>,
    /// Epoch of each kernel, and the kernel.
    kernels: Vec<(f64, Gram)>,
    /// The epoch of each velocity, its kernels by their index, and its lag in epochs.
    lags: Vec<(f64, usize, usize, f64)>,
    /// The beginning of the task before, the switch and the end of the task after, and the length of an epoch.
    times: (f64, f64, f64),
    unit: f64,
    /// That of the velocities: the usual one of all probes, on parts of them too.
    pub centring: Centring,
}

impl SwitchProbes {
    /// Returns the kernels around the switch of this index, from 0; `None` while it has not happened, or without kernels.
    pub fn of(history: &History, place: usize) -> Option<Self> {
        let times = *history.switches().get(place)?;
        let task = history.tasks().get(place)?.task;
        let info = history.info()?;
        let rows: Range<usize> = info.rows_of(task)?;
        let classes = info.probes[rows.clone()].iter().map(|probe| probe.label).collect();
        let unit = history.epoch_after(times.1, times.2)?;
        let to = (times.1 + DIP_EPOCHS.max(SPIKE_EPOCHS) * unit).min(times.2);
        let mut kernels: Vec<(f64, Gram)> = Vec::new();
        let mut lags: Vec<(f64, usize, usize, f64)> = Vec::new();
        let mut steps: Vec<u64> = Vec::new();
        for snapshot in history.snapshots() {
            let row = &snapshot.row;
            let Some(gram) = block(snapshot, &rows).filter(|_| (times.0..=to).contains(&row.epoch)) else { continue };
            let of_task = row.blocks.iter().find(|found| found.block == Block::Task(task));
            let before = of_task.and_then(|found| row.step.checked_sub(found.lag_steps?));
            if let Some(earlier) = before.and_then(|before| steps.iter().position(|&step| step == before)) {
                lags.push((row.epoch, earlier, kernels.len(), row.epoch - kernels[earlier].0));
            }
            steps.push(row.step);
            kernels.push((row.epoch, gram));
        }
        (!kernels.is_empty()).then_some(Self {
            task,
            classes,
            kernels,
            lags,
            times,
            unit,
            centring: history.centring(),
        })
    }

    /// Returns the number of probes.
    pub fn probes(&self) -> usize {
        self.classes.len()
    }

    /// Returns the figures on these probes alone, by their place among those of the task.
    pub fn figures_on(&self, probes: &[usize]) -> Figures {
        let (start, switch, end) = self.times;
        let kernels: Vec<(f64, Gram)> = self.kernels.iter().map(|(at, gram)| (*at, gram.among(probes))).collect();
        let normalised: Vec<Normalised> = kernels.iter().map(|(_, gram)| Normalised::of(gram, self.centring)).collect();
        let in_units = |at: f64| at / self.unit;
        let velocity = |&(at, earlier, later, lag): &(f64, usize, usize, f64)| {
            (in_units(at), normalised[earlier].distance(&normalised[later]) / lag)
        };
        let velocities: Vec<(f64, f64)> =
            self.lags.iter().map(velocity).filter(|point: &(f64, f64)| point.1.is_finite()).collect();
        let spike = spike(&velocities, in_units(start), in_units(switch), in_units(end));
        // The dip needs the last three values before the switch and those that are searched.
        let first = kernels.partition_point(|kernel| kernel.0 <= switch).saturating_sub(3);
        let lambda_max: Vec<(f64, f64)> = kernels[first..]
            .iter()
            .filter_map(|(at, gram)| Some((in_units(*at), eigenvalues(gram).ok()?.pop()?)))
            .collect();
        let dip = dip(&lambda_max, in_units(start), in_units(switch), in_units(end));
        let labels: Vec<usize> = probes.iter().map(|&probe| self.classes[probe]).collect();
        let at_switch = kernels.iter().rev().find(|kernel| kernel.0 <= switch).map(|kernel| &kernel.1);
        [
            spike.map(|spike| spike.height),
            spike.map(|spike| spike.background),
            spike.map(|spike| spike.ratio),
            dip.map(|dip| dip.depth),
            at_switch.map(|gram| alignment(gram, &labels)),
            at_switch.and_then(|gram| alignment_centred(gram, &labels)),
        ]
    }

    /// Returns each figure on all probes with its interval; it takes about a second for the probes of the default run.
    pub fn intervals(&self) -> Vec<ProbeInterval> {
        let all: Vec<usize> = (0..self.probes()).collect();
        let whole = self.figures_on(&all);
        let halves = HalfSamples::of(&self.classes);
        let on_halves: Vec<Figures> =
            halves.iter().flat_map(HalfSamples::halves).map(|half| self.figures_on(half)).collect();
        let one = |(place, &figure): (usize, &&'static str)| {
            let value = whole[place].filter(|value| value.is_finite())?;
            let on_halves: Vec<Option<f64>> = on_halves.iter().map(|figures| figures[place]).collect();
            let interval = halves.as_ref().and_then(|halves| halves.interval(value, &on_halves));
            Some(ProbeInterval { figure, value, interval })
        };
        PROBE_FIGURES.iter().enumerate().filter_map(one).collect()
    }
}
