//! Defines the error of kernel regression.

use thiserror::Error;

/// The reason why there is no regression; each prints as one sentence.
#[derive(Debug, Error, PartialEq)]
pub enum RegressionError {
    #[error("the regression has no data: the kernel has no row, or the targets no column")]
    Empty,
    #[error("the ridge must be a number from 0 on, not {0}")]
    Ridge(f64),
    #[error(
        "{what} must have {rows} rows of the same length, and {values} values are not a multiple of that: give one row per image"
    )]
    Shape { what: &'static str, rows: usize, values: usize },
    #[error("{values} values are given for {what} where {rows} × {columns} are needed")]
    Size { what: &'static str, values: usize, rows: usize, columns: usize },
    #[error("row {row}, column {column} of {what} is not a number")]
    NotFinite { what: &'static str, row: usize, column: usize },
    #[error(
        "the kernel is far from positive: even with {jitter:.1e} added to its diagonal it has eigenvalues below 0; add a ridge"
    )]
    NotPositive { jitter: f64 },
    #[error("the kernel has eigenvalues that are no larger than its rounding error, so it cannot be inverted as it is")]
    Singular,
    #[error("the kernel is 0 everywhere: add a ridge, or look for dead layers")]
    Zero,
    #[error("the regression overflows, because the targets are so large beside the kernel: scale one of them")]
    TooLarge,
    #[error("{0}")]
    Solver(String),
}
