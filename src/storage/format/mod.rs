//! Defines file formats and how files are written: atomic replacement, CSV tables, NumPy arrays and archives.

pub(crate) mod array_choice;
pub(crate) mod arrays;
pub(crate) mod atomic;
pub(crate) mod directory;
pub(crate) mod disk;
pub(crate) mod errors;
pub(crate) mod guard;
pub(crate) mod image_layout;
pub(crate) mod npy;
pub(crate) mod npz;
pub(crate) mod recognise;
pub(crate) mod regular_file;
pub(crate) mod table;
pub(crate) mod tensor_values;
