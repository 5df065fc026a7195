//! Declares each csv file of a run folder once: a type's fields are the columns of a table, and its lines are written and
//! read through it.
//!
//! Guarantees: numbers are written so that reading them gives the same bits; a missing or non-finite number is an empty cell;
//! no field holds a line break, so a file that was cut off loses its last line and nothing else. Nothing but the columns that
//! end in `_seconds` depends on the machine.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};

use super::table_writer::{metrics_columns, metrics_lines};
use crate::run::{
    Accuracy, CrossMetrics, LayerMetrics, Ledger, LogitMetrics, OptimiserMetrics, Prediction, Row, StepSharpness,
    TensorMetrics, csv_number,
};
use crate::storage::format::errors::FolderError;
use crate::storage::format::table::Table;

/// One line for each block of each row, in the columns of [`crate::run::Metric`].
pub(crate) const METRICS: &str = "metrics.csv";
/// The predicted and measured effects of the first step of each task but the first, and of other steps on request.
pub(crate) const LEDGER: &str = "ledger.csv";
pub(crate) const EVENTS: &str = "events.csv";

/// The tables that every row goes into, in the order in which they are written.
pub(crate) const ROW_TABLES: [RowTable; 9] = [
    RowTable { name: METRICS, columns: metrics_columns, push: push_metrics },
    RowTable::of::<Accuracy>(),
    RowTable::of::<LayerMetrics>(),
    RowTable::of::<TensorMetrics>(),
    RowTable::of::<CrossMetrics>(),
    RowTable::of::<LogitMetrics>(),
    RowTable::of::<OptimiserMetrics>(),
    RowTable::of::<Prediction>(),
    RowTable::of::<StepSharpness>(),
];

/// The writer of one of the tables that every row goes into.
pub(crate) struct RowTable {
    pub(crate) name: &'static str,
    pub(crate) columns: fn() -> Vec<&'static str>,
    /// Adds the lines of a row.
    pub(crate) push: fn(&Row, &mut Table) -> Result<(), FolderError>,
}

impl RowTable {
    const fn of<T: RowLine>() -> Self {
        let push = |row: &Row, table: &mut Table| {
            let when = When { step: row.step, epoch: Some(row.epoch), task: row.task };
            T::of(row).iter().try_for_each(|line| table.serialize((&when, line)))
        };
        Self { name: T::FILE, columns: || [columns::<When>(), columns::<T>()].concat(), push }
    }
}

fn push_metrics(row: &Row, table: &mut Table) -> Result<(), FolderError> {
    metrics_lines(row).try_for_each(|line| table.push(line))
}

/// A line that belongs to a row: after the columns of [`When`], its fields are columns of a table.
pub(crate) trait RowLine: Serialize + DeserializeOwned + 'static {
    const FILE: &'static str;

    /// Returns the lines of this row.
    fn of(row: &Row) -> &[Self];
}

macro_rules! row_lines {
    ($($(#[doc = $what:literal])* $line:ty = $file:literal, $field:ident;)+) => { $(
        $(#[doc = $what])*
        impl RowLine for $line {
            const FILE: &'static str = $file;

            fn of(row: &Row) -> &[Self] {
                &row.$field
            }
        }
    )+ };
}

row_lines! {
    Accuracy = "accuracy.csv", accuracy;
    LayerMetrics = "layers.csv", layers;
    TensorMetrics = "tensors.csv", tensors;
    CrossMetrics = "cross.csv", cross;
    LogitMetrics = "logits.csv", logits;
    /// Empty but for runs that measure the optimiser's kernel.
    OptimiserMetrics = "optimiser.csv", optimiser;
    /// Empty but for runs that predict.
    Prediction = "predictions.csv", predictions;
    /// Empty but for runs that measure it at each step near a switch.
    StepSharpness = "sharpness.csv", sharpness;
}

/// The time of a line, and the task being trained.
#[derive(Serialize, Deserialize)]
pub(crate) struct When {
    pub(crate) step: u64,
    #[serde(default, with = "csv_number")]
    epoch: Option<f64>,
    pub(crate) task: usize,
}

/// A line of `ledger.csv`: for an old image (by its index among the probes) the effect of the whole batch on the logit of
/// its own class, predicted and measured; or the predicted effect of one image of the batch.
#[derive(Serialize, Deserialize)]
pub(crate) struct LedgerLine {
    step: u64,
    #[serde(default, with = "csv_number")]
    epoch: Option<f64>,
    task: usize,
    probe: usize,
    label: usize,
    image: Option<usize>,
    image_label: Option<usize>,
    #[serde(default, with = "csv_number")]
    predicted: Option<f64>,
    #[serde(default, with = "csv_number")]
    measured: Option<f64>,
}

impl LedgerLine {
    /// Returns the lines of a ledger: for each old image the effect of the batch, then the prediction for each image of
    /// the batch.
    pub(crate) fn all(ledger: &Ledger) -> impl Iterator<Item = Self> + '_ {
        let &Ledger { step, epoch, task, .. } = ledger;
        ledger.old.iter().flat_map(move |old| {
            let (probe, label, epoch) = (old.probe, old.label, Some(epoch));
            let own = |values: &[f64]| values.get(label).copied();
            let (predicted, measured) = (own(&old.predicted), own(&old.measured));
            let whole = Self { step, epoch, task, probe, label, image: None, image_label: None, predicted, measured };
            let images = old.by_image.iter().zip(&ledger.new_labels).enumerate();
            let parts = images.map(move |(image, (&part, &of))| {
                let (image, image_label, predicted) = (Some(image), Some(of), Some(part));
                Self { step, epoch, task, probe, label, image, image_label, predicted, measured: None }
            });
            std::iter::once(whole).chain(parts)
        })
    }
}

/// A line of `events.csv`.
#[derive(Serialize, Deserialize)]
pub(crate) struct EventLine {
    pub(crate) step: u64,
    #[serde(default, with = "csv_number")]
    pub(crate) epoch: Option<f64>,
    /// The kind of event: see [`super::table_writer::kind`].
    pub(crate) event: String,
    pub(crate) detail: String,
}

/// Returns the columns of a line, as its type declares them.
pub(crate) fn columns<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut columns: &[&str] = &[];
    // Deserialisation first requests its fields, and gets no further.
    let _ = T::deserialize(Columns(&mut columns));
    columns
}

/// Records the fields that a type requests.
struct Columns<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Columns<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only the names of the columns are read here"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a line of a table is a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}
