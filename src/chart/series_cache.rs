//! Caches curves as charts draw them: read from the record once, thinned to the pixels of the screen.
//!
//! Guarantees: an unchanged record costs nothing; a grown one is read from the end of the last reading, one from which steps
//! were taken back from its beginning; the drawn curve has the
//! least and the greatest value of every pixel column, so that a spike of one row remains visible at any zoom. A line is
//! broken, not drawn across, where a switch leaves a quantity undefined (no lag spans a switch).
//!
//! Values of a logarithmic axis are stored as log10; values at or below 0 are left out and counted.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::panel::{Point, Polyline, stored};
use super::series_id::{Centred as _, OfLayer, SeriesId, eigenvalues, output};
use crate::math::spike::{Dip, Spike};
use crate::run::{Block, History, MAX_ROWS, Metric, Row};

/// Identifies a curve by its quantity and its scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub source: SeriesId,
    pub log: bool,
}

#[derive(Debug, Default)]
struct Curve {
    points: Vec<Point>,
    /// Indices in `points` before which the line is broken.
    breaks: Vec<usize>,
    /// The number of entries read, and the step of the last one (which reveals that the record was thinned).
    read: usize,
    last_step: u64,
    last_task: usize,
    missed: bool,
    base: f64,
    generation: u64,
    shown: Option<Shown>,
    seen: Option<Seen>,
    /// The least and the greatest value of each full block of [`BLOCK`] points.
    blocks: Vec<(f64, f64)>,
}

/// Records a window, the generation of the points, and the least and greatest value in it.
type Seen = (Window, u64, Option<(f64, f64)>);

/// Holds the curve drawn last, and the position from which appended points continue it.
#[derive(Debug)]
struct Shown {
    window: Window,
    generation: u64,
    breaks: usize,
    visible: Arc<Polyline>,
    /// Number of points processed; the first one of the last pixel column, and the number of drawn points before it.
    taken: usize,
    tail: usize,
    kept: usize,
}

/// Describes a range of epochs and its number of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub from: f64,
    pub to: f64,
    pub pixels: usize,
}

impl Window {
    /// The range in which curves are whole and have all their points.
    pub const WHOLE: Self = Self { from: f64::NEG_INFINITY, to: f64::INFINITY, pixels: MAX_ROWS };
}

/// Holds one reaction per switch, and the version of the record that it was computed from.
type Versioned<T> = (Arc<[Option<T>]>, usize);

/// Holds all curves of one record. Views share it: missing curves are read while the views draw.
#[derive(Debug, Default)]
pub struct SeriesCache {
    curves: RefCell<HashMap<Key, Curve>>,
    /// Stored with the version of the record that they were computed from, see [`settled`].
    spikes: RefCell<HashMap<(Block, Metric), Versioned<Spike>>>,
    dips: RefCell<HashMap<Block, Versioned<Dip>>>,
    layers: RefCell<HashMap<usize, Versioned<Spike>>>,
    epochs: RefCell<Vec<f64>>,
    /// The cuts of the record when it was last read.
    cuts: Cell<u64>,
}

impl SeriesCache {
    /// Forgets everything where steps were taken back: others may have come in their place, at the same steps.
    fn forget_if_cut(&self, history: &History) {
        if self.cuts.replace(history.cuts()) != history.cuts() {
            self.curves.take();
            self.spikes.take();
            self.dips.take();
            self.layers.take();
            self.epochs.take();
        }
    }

    /// Returns the part of a curve in view; the same allocation until something changes.
    pub fn visible(&self, history: &History, key: Key, window: Window) -> Arc<Polyline> {
        self.forget_if_cut(history);
        let mut curves = self.curves.borrow_mut();
        let curve = curves.entry(key).or_default();
        curve.read(history, key);
        curve.show(window)
    }

    /// Returns the epochs of the kept snapshots, in order and contiguous, because a strip of them is drawn in every frame.
    pub fn snapshot_epochs(&self, history: &History) -> Ref<'_, [f64]> {
        self.forget_if_cut(history);
        let snapshots = history.snapshots();
        let mut epochs = self.epochs.borrow_mut();
        let known = epochs.len();
        let same = known <= snapshots.len() && (known == 0 || snapshots[known - 1].row.epoch == epochs[known - 1]);
        if !same {
            epochs.clear();
        }
        let fresh = epochs.len();
        epochs.extend(snapshots[fresh..].iter().map(|snapshot| snapshot.row.epoch));
        drop(epochs);
        Ref::map(self.epochs.borrow(), Vec::as_slice)
    }

    /// Returns the last value of a curve up to an epoch (as stored: log10 on a logarithmic axis); none in a gap of the curve.
    pub fn value_at(&self, key: Key, epoch: f64) -> Option<f64> {
        let curves = self.curves.borrow();
        let curve = curves.get(&key)?;
        let after = curve.points.partition_point(|point| point.0 <= epoch);
        let last = curve.points.get(after.checked_sub(1)?)?;
        let is_gap = last.0 < epoch && curve.breaks.binary_search(&after).is_ok();
        (!is_gap).then_some(last.1)
    }

    /// Returns the least and greatest value of a curve in view and up to an eighth of it around, as last read: while the window
    /// zooms a little in every frame, the axis of many curves stays fixed.
    pub fn span(&self, key: Key, window: Window) -> Option<(f64, f64)> {
        let step = (0.125 * (window.to - window.from)).log2().floor().exp2();
        let (from, to) = ((window.from / step).floor() * step, (window.to / step).ceil() * step);
        let window = Window { from, to, ..window };
        let mut curves = self.curves.borrow_mut();
        let curve = curves.get_mut(&key)?;
        if curve.seen.is_none_or(|seen| (seen.0, seen.1) != (window, curve.generation)) {
            let from = curve.points.partition_point(|point| point.0 < window.from).saturating_sub(1);
            let span = curve.span(from, end(&curve.points, window));
            curve.seen = Some((window, curve.generation, span));
        }
        curve.seen?.2
    }

    /// Returns [`History::spikes`], computed again only while the last switch can still change it.
    pub fn spikes(&self, history: &History, block: Block, metric: Metric) -> Arc<[Option<Spike>]> {
        self.forget_if_cut(history);
        let mut spikes = self.spikes.borrow_mut();
        let known = spikes.entry((block, metric)).or_insert_with(|| (Arc::default(), usize::MAX));
        let version = settled(history, crate::math::spike::SPIKE_EPOCHS);
        if known.1 != version {
            *known = (history.spikes(block, metric).into(), version);
        }
        Arc::clone(&known.0)
    }

    /// Returns the spike of each layer at the last switch on the probes of a task, in the order of the forward pass, cached
    /// like [`Self::spikes`].
    pub fn layer_spikes(&self, history: &History, task: usize) -> Arc<[Option<Spike>]> {
        self.forget_if_cut(history);
        let mut layers = self.layers.borrow_mut();
        let known = layers.entry(task).or_insert_with(|| (Arc::default(), usize::MAX));
        let version = settled(history, crate::math::spike::SPIKE_EPOCHS);
        if known.1 != version {
            let count = history.rows().last().map_or(0, |row| row.layers.iter().filter(|of| of.task == task).count());
            let of_layer = |place: usize| {
                let switch = *history.switches().last()?;
                let source = SeriesId::Layer(task, place, OfLayer::Velocity.usual(history));
                let velocity = |row: &Row| Some((row.epoch, source.value(row)?));
                let series: Vec<(f64, f64)> = history.rows().iter().filter_map(velocity).collect();
                history.spike_of(&series, switch)
            };
            *known = ((0..count).map(of_layer).collect(), version);
        }
        Arc::clone(&known.0)
    }

    /// Returns [`History::dips`], cached like [`Self::spikes`].
    pub fn dips(&self, history: &History, block: Block) -> Arc<[Option<Dip>]> {
        self.forget_if_cut(history);
        let mut dips = self.dips.borrow_mut();
        let known = dips.entry(block).or_insert_with(|| (Arc::default(), usize::MAX));
        let version = settled(history, crate::math::spike::DIP_EPOCHS);
        if known.1 != version {
            *known = (history.dips(block).into(), version);
        }
        Arc::clone(&known.0)
    }
}

/// Returns all values of a curve as measured: (epoch, value), neither thinned nor as logarithms.
pub fn series(history: &History, source: SeriesId) -> Vec<(f64, f64)> {
    let mut curve = Curve::default();
    curve.read(history, Key { source, log: false });
    curve.points.iter().map(|point| (point.0, point.1)).collect()
}

/// Returns a version that changes with each row until `epochs` after the last switch, while a reaction to it may change, and
/// then stays constant.
fn settled(history: &History, epochs: f64) -> usize {
    let Some(&(_, switch, end)) = history.switches().last() else { return 0 };
    let rows = history.rows();
    let epoch = history.epoch_after(switch, end).unwrap_or(1.0);
    // With one row more than the window holds, the window is known to be full.
    let relevant = rows.partition_point(|row| row.epoch <= switch + epochs * epoch);
    history.tasks().len() * (MAX_ROWS + 2) + (relevant + 1).min(rows.len())
}

/// Number of points per block of stored extremes.
const BLOCK: usize = 64;

impl Curve {
    /// Returns the least and the greatest value of these points from the blocks: a hundred curves have too many points to read
    /// each while zooming.
    fn span(&mut self, from: usize, to: usize) -> Option<(f64, f64)> {
        while let Some(block) = self.points.get(self.blocks.len() * BLOCK..(self.blocks.len() + 1) * BLOCK) {
            self.blocks.extend(block.iter().fold(None, widened));
        }
        let (first, last) = (from.div_ceil(BLOCK), to / BLOCK);
        if first >= last {
            return self.points[from..to].iter().fold(None, widened);
        }
        let ends = self.points[from..first * BLOCK].iter().chain(&self.points[last * BLOCK..to]);
        let both = |span: Option<(f64, f64)>, block: &(f64, f64)| {
            let (low, high) = span.unwrap_or(*block);
            Some((low.min(block.0), high.max(block.1)))
        };
        self.blocks[first..last].iter().fold(ends.fold(None, widened), both)
    }

    fn read(&mut self, history: &History, key: Key) {
        match key.source {
            SeriesId::TrainLoss => self.read_losses(history, key),
            SeriesId::Eigenvalue(block, rank) => {
                let snapshots = history.snapshots();
                self.read_rows(
                    snapshots.len(),
                    |place| &snapshots[place].row,
                    key,
                    |place, _| {
                        eigenvalues(&snapshots[place], block)
                            .and_then(|values| values.len().checked_sub(rank + 1).map(|at| values[at]))
                    },
                );
            }
            SeriesId::Output(by, probe, logit) => {
                let snapshots = history.snapshots();
                let value_at = |place: usize, _: &Row| output(&snapshots[place], by, probe, logit);
                self.read_rows(snapshots.len(), |place| &snapshots[place].row, key, value_at);
            }
            _ => {
                let rows = history.rows();
                self.read_rows(rows.len(), |place| &rows[place], key, |_, row| key.source.value(row));
            }
        }
    }

    fn read_losses(&mut self, history: &History, key: Key) {
        let losses = history.losses();
        let last = losses.last().map_or(0, |loss| loss.0.to_bits());
        if self.read == losses.len() && self.last_step == last {
            return;
        }
        self.generation += 1;
        (self.read, self.last_step) = (losses.len(), last);
        (self.points, self.blocks) = (Vec::new(), Vec::new());
        let points = losses.iter().filter_map(|&(epoch, loss)| stored(loss, key.log).map(|y| (epoch, y)));
        self.points.extend(points);
    }

    fn read_rows<'a>(
        &mut self,
        len: usize,
        row: impl Fn(usize) -> &'a Row,
        key: Key,
        value: impl Fn(usize, &Row) -> Option<f64>,
    ) {
        let same = self.read <= len && (self.read == 0 || row(self.read - 1).step == self.last_step);
        if !same {
            *self = Self { generation: self.generation + 1, ..Self::default() };
        }
        if self.read == len {
            return;
        }
        self.generation += 1;
        let breaks = key.source.is_over_lag();
        for place in self.read..len {
            let row = row(place);
            for (epoch, value) in key.source.between(row) {
                // A file may say anything: a curve goes forward in time.
                let is_next = self.points.last().is_none_or(|last| last.0 < epoch) && epoch <= row.epoch;
                self.points.extend(stored(value, key.log).filter(|_| is_next).map(|y| (epoch, y)));
            }
            let found =
                value(place, row).map(|value| self.relative(key.source, row, value)).and_then(|y| stored(y, key.log));
            match found {
                Some(y) => {
                    if breaks && self.missed && row.task != self.last_task && !self.points.is_empty() {
                        self.breaks.push(self.points.len());
                    }
                    self.missed = false;
                    self.last_task = row.task;
                    self.points.push((row.epoch, y));
                }
                None => self.missed = true,
            }
        }
        self.read = len;
        self.last_step = row(len - 1).step;
    }

    fn relative(&mut self, source: SeriesId, row: &Row, value: f64) -> f64 {
        if !matches!(source, SeriesId::Relative(..)) {
            return value;
        }
        if self.points.is_empty() || self.base == 0.0 {
            self.base = value;
        }
        let ratio = value / self.base;
        if row.at_switch {
            self.base = value;
        }
        ratio
    }

    fn show(&mut self, window: Window) -> Arc<Polyline> {
        let same = self.shown.as_ref().is_some_and(|shown| shown.window == window && shown.breaks == self.breaks.len());
        match &mut self.shown {
            Some(shown) if same && shown.generation == self.generation => return Arc::clone(&shown.visible),
            // Points were appended: all pixel columns but the last stay valid.
            Some(shown) if same && shown.tail > 0 && !shown.visible.pieces.is_empty() => {
                let to = end(&self.points, window);
                let visible = Arc::make_mut(&mut shown.visible);
                let span = visible.span;
                visible.span = self.points[shown.taken.min(to)..to].iter().fold(span, widened);
                let place = visible.pieces.len() - 1;
                let piece = &mut visible.pieces[place];
                piece.truncate(shown.kept);
                let tail = thin(&self.points[shown.tail..to], window, piece);
                (shown.tail, shown.kept) = (shown.tail + tail.0, tail.1);
                (shown.taken, shown.generation) = (to, self.generation);
                return Arc::clone(&shown.visible);
            }
            _ => {}
        }
        let shown = self.thin(window);
        let visible = Arc::clone(&shown.visible);
        self.shown = Some(shown);
        visible
    }

    fn thin(&self, window: Window) -> Shown {
        let points = &self.points;
        // One point beyond each edge is drawn, so that lines leave the view instead of ending in it.
        let from = points.partition_point(|point| point.0 < window.from).saturating_sub(1);
        let to = end(points, window);
        let mut visible = Polyline::default();
        let (mut start, mut tail, mut kept) = (from, 0, 0);
        for &at in self.breaks.iter().filter(|&&at| at > from && at < to).chain([&to]) {
            let piece = &points[start..at];
            visible.span = piece.iter().fold(visible.span, widened);
            if piece.len() > 2 * window.pixels {
                let mut thinned = Vec::with_capacity(2 * window.pixels + 8);
                let last = thin(piece, window, &mut thinned);
                (tail, kept) = (start + last.0, last.1);
                visible.pieces.push(thinned);
                visible.dense = true;
            } else if !piece.is_empty() {
                tail = 0;
                visible.pieces.push(piece.to_vec());
            }
            start = at;
        }
        let visible = Arc::new(visible);
        Shown { window, generation: self.generation, breaks: self.breaks.len(), visible, taken: to, tail, kept }
    }
}

/// Returns the index after the last point to draw.
fn end(points: &[Point], window: Window) -> usize {
    (points.partition_point(|point| point.0 <= window.to) + 1).min(points.len())
}

fn widened(span: Option<(f64, f64)>, point: &Point) -> Option<(f64, f64)> {
    let (low, high) = span.unwrap_or((point.1, point.1));
    Some((low.min(point.1), high.max(point.1)))
}

/// Appends the least and the greatest point of each pixel column, in their order. Returns the start of the last column in
/// `points` and in the drawn points.
fn thin(points: &[Point], window: Window, thinned: &mut Vec<Point>) -> (usize, usize) {
    let per_epoch = window.pixels as f64 / (window.to - window.from);
    let (mut start, mut last) = (0, (0, thinned.len()));
    while start < points.len() {
        let column = ((points[start].0 - window.from) * per_epoch).floor();
        let edge = window.from + (column + 1.0) / per_epoch;
        let (mut least, mut greatest, mut end) = (start, start, start + 1);
        while end < points.len() && points[end].0 < edge {
            if points[end].1 < points[least].1 {
                least = end;
            }
            if points[end].1 > points[greatest].1 {
                greatest = end;
            }
            end += 1;
        }
        last = (start, thinned.len());
        thinned.push(points[least.min(greatest)]);
        if least != greatest {
            thinned.push(points[least.max(greatest)]);
        }
        start = end;
    }
    last
}
