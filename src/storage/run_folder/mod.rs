//! Reads and writes the folder of a run: its tables, kernels and weights.

pub(crate) mod completeness;
pub(crate) mod continued;
pub(crate) mod create;
pub(crate) mod cut;
pub(crate) mod files;
pub(crate) mod gram_reader;
pub(crate) mod info;
pub(crate) mod kernel_budget;
pub(crate) mod kernel_part;
pub(crate) mod kernels;
pub(crate) mod open_files;
pub(crate) mod probes;
pub(crate) mod reader;
pub(crate) mod resume;
pub(crate) mod table_reader;
pub(crate) mod table_writer;
pub(crate) mod tables;
pub(crate) mod weights;
pub(crate) mod writer;
