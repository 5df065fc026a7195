//! Names the two CIFAR data sets, with the names of their folders and files in both versions.

use std::path::Path;

use super::DataError;

/// Bytes of one image: three planes.
pub(super) const PIXELS: usize = 3 * 32 * 32;

/// The two CIFAR data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cifar {
    /// CIFAR-10: an image is one label, then the pixels.
    Ten,
    /// CIFAR-100: an image is its coarse label (of 20), its fine label (of 100), then the pixels. The fine label is the class.
    Hundred,
}

impl Cifar {
    pub(super) fn label_bounds(self) -> &'static [usize] {
        match self {
            Self::Ten => &[10],
            Self::Hundred => &[20, 100],
        }
    }

    pub(super) fn classes(self) -> usize {
        if self == Self::Ten { 10 } else { 100 }
    }

    /// Returns the number of bytes of one record.
    pub fn record(self) -> usize {
        self.label_bounds().len() + PIXELS
    }

    pub(super) fn name(self) -> &'static str {
        if self == Self::Ten { "CIFAR-10" } else { "CIFAR-100" }
    }

    /// Returns the key of the source in a run file.
    pub(super) fn key(self) -> &'static str {
        if self == Self::Ten { "cifar10" } else { "cifar100" }
    }

    /// Returns the name of the archive of the binary version.
    pub(super) fn archive(self) -> &'static str {
        if self == Self::Ten { "cifar-10-binary.tar.gz" } else { "cifar-100-binary.tar.gz" }
    }

    /// Returns the folder of the Python version, and the name of a file that only it has.
    pub(super) fn python(self) -> (&'static str, &'static str) {
        if self == Self::Ten { ("cifar-10-batches-py", "data_batch_1") } else { ("cifar-100-python", "meta") }
    }

    /// Returns the folder to which its archive unpacks.
    pub(super) fn folder(self) -> &'static str {
        if self == Self::Ten { "cifar-10-batches-bin" } else { "cifar-100-binary" }
    }

    /// Returns whether this folder holds the set, in either version.
    pub fn is_in(self, folder: &Path) -> bool {
        [self.folder(), self.python().0].iter().any(|name| folder.join(name).is_dir())
    }

    /// Returns the names of the training files, and the largest number of records of each.
    pub(super) fn training(self) -> (&'static [&'static str], usize) {
        match self {
            Self::Ten => {
                let batches = &[
                    "data_batch_1.bin",
                    "data_batch_2.bin",
                    "data_batch_3.bin",
                    "data_batch_4.bin",
                    "data_batch_5.bin",
                ];
                (batches, 10_000)
            }
            Self::Hundred => (&["train.bin"], 50_000),
        }
    }

    /// Returns the name of the file that identifies its folder.
    pub(super) fn first(self) -> &'static str {
        self.training().0[0]
    }

    /// Returns the error for a folder whose files differ from the original format.
    pub(super) fn unreadable(self, folder: &Path) -> DataError {
        DataError::Python { folder: folder.to_owned(), set: self.name(), archive: self.archive() }
    }

    pub(super) fn test(self) -> &'static str {
        if self == Self::Ten { "test_batch.bin" } else { "test.bin" }
    }

    pub(super) fn names_file(self) -> &'static str {
        if self == Self::Ten { "batches.meta.txt" } else { "fine_label_names.txt" }
    }
}
