//! Provides Fashion-MNIST small: real images embedded in the program, for machines without data files.
//!
//! It holds the first 600 training and 200 test images of each class of Fashion-MNIST (© 2017 Zalando SE, MIT; the licence
//! is beside the files), bytes unchanged, read by the same code as a user's files.

use super::{DataError, RawImages, RawSet, idx};

/// The class names of Fashion-MNIST.
const CLASS_NAMES: [&str; 10] =
    ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

macro_rules! asset {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../assets/fashion-mnist-small/", $name)).as_slice())
    };
}

/// Unpacks the embedded set.
pub(super) fn fashion_mnist_small() -> Result<RawSet, DataError> {
    Ok(RawSet { name: "Fashion-MNIST small".to_owned(), class_names: class_names(), train: train()?, test: test()? })
}

pub(super) fn class_names() -> Vec<String> {
    CLASS_NAMES.map(str::to_owned).to_vec()
}

/// Returns its training images.
pub(super) fn train() -> Result<RawImages, DataError> {
    read(asset!("train-images-idx3-ubyte.gz"), asset!("train-labels-idx1-ubyte.gz"))
}

/// Returns its test images.
pub(super) fn test() -> Result<RawImages, DataError> {
    read(asset!("t10k-images-idx3-ubyte.gz"), asset!("t10k-labels-idx1-ubyte.gz"))
}

fn read(images: (&str, &'static [u8]), labels: (&str, &'static [u8])) -> Result<RawImages, DataError> {
    idx::join(images.0, idx::read_images(images.0, images.1)?, labels.0, idx::read_labels(labels.0, labels.1)?)
}
