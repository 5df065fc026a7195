//! Holds the marked moments of the run, and the two moments A and B that are compared.
//!
//! Guarantees: a mark is a step, so that it outlives its snapshot, which a long run may thin away; A and B keep their kernels, so
//! that the comparison never changes.

use egui::Color32;

pub use crate::analysis::Moment;
use crate::run::Snapshot;
use crate::ui::kit::theme::Tokens;

/// A marked moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    pub step: u64,
    pub epoch: f64,
}

/// One of the two compared moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    A,
    B,
}

impl Which {
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// Returns the colour of A or B in all views.
pub fn colour(tokens: &Tokens, which: Which) -> Color32 {
    match which {
        Which::A => tokens.text,
        Which::B => tokens.accent,
    }
}

/// The moments of a run that were marked or chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// The marked moments in order of time, each step once.
    marks: Vec<Mark>,
    moments: [Option<Moment>; 2],
}

impl Marks {
    pub fn all(&self) -> &[Mark] {
        &self.marks
    }

    /// Returns A or B, if it is chosen.
    pub fn moment(&self, which: Which) -> Option<&Moment> {
        self.moments[which as usize].as_ref()
    }

    /// Returns A and B, once both are chosen.
    pub fn both(&self) -> Option<[&Moment; 2]> {
        Some([self.moment(Which::A)?, self.moment(Which::B)?])
    }

    /// Marks a step, or removes its mark.
    pub fn toggle(&mut self, mark: Mark) {
        match self.marks.binary_search_by_key(&mark.step, |known| known.step) {
            Ok(place) => _ = self.marks.remove(place),
            Err(place) => self.marks.insert(place, mark),
        }
    }

    /// Returns the mark at exactly this epoch.
    pub fn at(&self, epoch: f64) -> Option<Mark> {
        self.marks.iter().copied().find(|mark| mark.epoch == epoch)
    }

    pub fn remove(&mut self, step: u64) {
        self.marks.retain(|mark| mark.step != step);
    }

    /// Makes a snapshot A or B, or clears it if it is that already.
    pub fn choose(&mut self, which: Which, snapshot: &Snapshot) {
        let stands = self.moment(which).is_some_and(|moment| moment.step == snapshot.row.step);
        self.moments[which as usize] = (!stands).then(|| Moment::of(snapshot));
    }

    /// Removes the marks and moments at this step and later ones.
    pub fn take_back(&mut self, step: u64) {
        self.marks.retain(|mark| mark.step < step);
        self.moments.iter_mut().for_each(|moment| *moment = moment.take().filter(|moment| moment.step < step));
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the epoch of the last mark before an epoch, A and B among them.
    pub fn before(&self, epoch: f64) -> Option<f64> {
        self.epochs().filter(|at| *at < epoch).reduce(f64::max)
    }

    /// Returns the epoch of the first mark after an epoch, A and B among them.
    pub fn after(&self, epoch: f64) -> Option<f64> {
        self.epochs().filter(|at| *at > epoch).reduce(f64::min)
    }

    fn epochs(&self) -> impl Iterator<Item = f64> {
        self.marks.iter().map(|mark| mark.epoch).chain(self.moments.iter().flatten().map(|moment| moment.epoch))
    }
}
