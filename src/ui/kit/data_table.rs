//! The numbers that a view draws, as a table: what is exported as csv is written down by the drawing itself.
//!
//! Guarantees: what stands here is what was measured, not what was thinned to pixels or taken the logarithm of; of curves over time
//! it is what lies in the stretch in view. Numbers are written so that reading them gives the same bits; what is missing or no
//! number is an empty cell.

use std::io;

/// One cell.
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

/// A curve of a time plot as it was measured.
#[derive(Clone, Debug)]
pub struct MeasuredCurve {
    pub name: String,
    /// (epoch, value).
    pub points: Vec<(f64, f64)>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataTable {
    pub heads: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
    /// Whether it is what lies in the stretch in view.
    pub over_time: bool,
}

impl DataTable {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Names its columns.
    pub fn head<S: Into<String>>(&mut self, heads: impl IntoIterator<Item = S>) {
        self.heads = heads.into_iter().map(Into::into).collect();
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// A row-major square of numbers, each row after what is told of it.
    pub fn square(&mut self, n: usize, value: impl Fn(usize, usize) -> f64, of_row: impl Fn(usize) -> Vec<Cell>) {
        for row in 0..n {
            self.row(of_row(row).into_iter().chain((0..n).map(|column| value(row, column).into())));
        }
    }

    /// Writes it as csv.
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
