//! Stores the numbers of a view as a table; drawing a view fills it, and a CSV export writes it.
//!
//! Guarantees: the table contains the measured values, not values thinned to pixels or logarithms; for curves over time it
//! contains the visible range. Reading a written number returns the same bits; a missing value or NaN is an empty cell.

use std::io;

/// Holds the content of one cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Number(f64),
    Whole(u64),
    Word(String),
    Nothing,
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        if value.is_finite() { Self::Number(value) } else { Self::Nothing }
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::Nothing, Self::from)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<&str> for Cell {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

impl From<String> for Cell {
    fn from(word: String) -> Self {
        Self::Word(word)
    }
}

/// A curve of a time plot with its measured values.
#[derive(Clone, Debug)]
pub struct MeasuredCurve {
    pub name: String,
    /// (epoch, value).
    pub points: Vec<(f64, f64)>,
}

/// A table of cells with named columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataTable {
    pub heads: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
    /// Whether it contains the visible time range only.
    pub over_time: bool,
}

impl DataTable {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Sets the names of the columns.
    pub fn head<S: Into<String>>(&mut self, heads: impl IntoIterator<Item = S>) {
        self.heads = heads.into_iter().map(Into::into).collect();
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a square of numbers in row-major order, each row after its describing cells.
    pub fn square(&mut self, n: usize, value: impl Fn(usize, usize) -> f64, of_row: impl Fn(usize) -> Vec<Cell>) {
        for row in 0..n {
            self.row(of_row(row).into_iter().chain((0..n).map(|column| value(row, column).into())));
        }
    }

    /// Writes the table as CSV.
    pub fn write(&self, to: impl io::Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(to);
        writer.write_record(&self.heads)?;
        for row in &self.rows {
            let text = |cell: &Cell| match cell {
                Cell::Number(value) => format!("{value:?}"),
                Cell::Whole(value) => value.to_string(),
                Cell::Word(word) => word.clone(),
                Cell::Nothing => String::new(),
            };
            writer.write_record(row.iter().map(text))?;
        }
        writer.flush()
    }
}
