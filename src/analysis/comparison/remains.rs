//! Compares named points of a study with the first of them: what is left of the spike, of its ratio, of the dip and of forgetting
//! when one thing is changed.
//!
//! Guarantees: runs of the same seed are compared, because they are equal up to the change; what is left is a ratio of means,
//! whose interval comes from drawing the seeds, each with both of its runs.

use std::sync::Arc;

use super::{Comparison, Findings, Spacing, SummaryRow, SummaryTable};
use crate::math::bootstrap::Summary;

/// An effect of a switch that a control may leave or take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Spike,
    Ratio,
    Dip,
    Forgetting,
}

/// The definition of what is left, in words.
pub const REMAINS_IN_WORDS: &str = "What is left: of the spike its height over the same number of steps, of its ratio to the background the ratio, of the dip \
     1 − smallest/before, of forgetting the loss of accuracy of the first task over all logits; the mean over seeds over that \
     of the first line, with runs of the same seed. 1 is all of it, 0 nothing; where the first line has no sure effect, nothing can be left.";

/// The share of an effect that must be left for it to have survived a control: half.
const SURVIVES: f64 = 0.5;

impl Effect {
    const ALL: [Self; 4] = [Self::Spike, Self::Ratio, Self::Dip, Self::Forgetting];

    /// Returns its name in the summary, and in words.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Spike => ("spike_left", "spike"),
            Self::Ratio => ("ratio_left", "ratio"),
            Self::Dip => ("dip_left", "dip"),
            Self::Forgetting => ("forgetting_left", "forgetting"),
        }
    }

    fn of(self, run: &Findings) -> Option<f64> {
        let figure = |name: &str| run.figure(name, 0);
        match self {
            // A velocity is per epoch, and an epoch of other batches has other steps.
            Self::Spike => Some(figure("spike")? * figure("epochs")? / figure("steps")?),
            Self::Ratio => figure("ratio"),
            Self::Dip => Some(1.0 - figure("dip")?),
            Self::Forgetting => Some(figure("accuracy_before")? - figure("accuracy_after")?),
        }
    }
}

impl Comparison {
    /// Returns what is left of each effect, a list for each value of the axis but the first; none where values are not named
    /// points, or nothing switches.
    pub(super) fn remains(&self) -> Vec<Vec<SummaryRow>> {
        let [series] = self.series.as_slice() else { return Vec::new() };
        let [whole, others @ ..] = series.runs.as_slice() else { return Vec::new() };
        if self.spacing != Spacing::Names || self.switches() == 0 {
            return Vec::new();
        }
        let row = |effect: Effect, value: &str, runs: &[(u64, Arc<Findings>)]| {
            let pair = |(seed, run): &(u64, Arc<Findings>)| {
                let first = whole.iter().find(|known| known.0 == *seed)?;
                Some((*seed, effect.of(run)?, effect.of(&first.1)?))
            };
            let mut pairs: Vec<(u64, f64, f64)> = runs.iter().filter_map(pair).collect();
            pairs.sort_unstable_by_key(|pair| pair.0);
            let summary = Summary::of_ratio(&pairs.iter().map(|pair| (pair.1, pair.2)).collect::<Vec<_>>())?;
            let values = pairs.iter().map(|pair| pair.1 / pair.2).collect();
            let (variant, figure) = (String::new(), effect.names().0.to_owned());
            Some(SummaryRow { variant, value: value.to_owned(), figure, summary, values })
        };
        let points = self.values.iter().skip(1).zip(others);
        points.map(|(value, runs)| Effect::ALL.iter().filter_map(|&of| row(of, &value.key, runs)).collect()).collect()
    }

    /// Returns the table of what is left, and for each effect a sentence on where it survives; `None` where there is none.
    pub fn what_is_left(&self) -> Option<(SummaryTable, Vec<String>)> {
        let remains = self.remains();
        let found: Vec<&Vec<SummaryRow>> = remains.iter().filter(|rows| !rows.is_empty()).collect();
        if found.is_empty() {
            return None;
        }
        let of = |rows: &[SummaryRow], effect: Effect| rows.iter().position(|row| row.figure == effect.names().0);
        let line = |rows: &&Vec<SummaryRow>| -> Vec<String> {
            let cell = |effect: Effect| of(rows, effect).map_or_else(|| "–".to_owned(), |place| rows[place].in_words());
            let own = [rows[0].value.clone(), rows[0].summary.seeds.to_string()];
            own.into_iter().chain(Effect::ALL.map(cell)).collect()
        };
        let head = [self.axis.clone(), "seeds".to_owned()];
        let head = head.into_iter().chain(Effect::ALL.map(|effect| format!("{} left", effect.names().1))).collect();
        let table = SummaryTable { head, lines: found.iter().map(line).collect() };
        let sentence = |effect: Effect| {
            let rows = found.iter().filter_map(|rows| of(rows, effect).map(|place| &rows[place]));
            let decided: Vec<(&str, (f64, f64))> =
                rows.filter_map(|row| Some((row.value.as_str(), row.summary.interval?))).collect();
            let those = |is: &dyn Fn((f64, f64)) -> bool| {
                let names: Vec<&str> = decided.iter().filter(|found| is(found.1)).map(|found| found.0).collect();
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            };
            (!decided.is_empty()).then(|| {
                format!(
                    "The {}: at least half is left with {}; less than half with {}; the interval includes half with {}.",
                    effect.names().1,
                    those(&|(low, _)| low >= SURVIVES),
                    those(&|(_, high)| high < SURVIVES),
                    those(&|(low, high)| low < SURVIVES && high >= SURVIVES),
                )
            })
        };
        Some((table, Effect::ALL.into_iter().filter_map(sentence).collect()))
    }
}
