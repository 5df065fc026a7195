//! Defines the errors of data sets, worded for the user who chose the folder.
//!
//! Each names the file or the task, the problem, and the remedy: it is printed unchanged, in the window and on stderr.

use std::path::PathBuf;

use thiserror::Error;

/// The reason why there are no data; each prints as one sentence.
#[derive(Debug, Error)]
pub enum DataError {
    #[error("squares of {side} pixels a side do not tile images of {height} × {width}: choose another data.shrink")]
    Shrink { side: usize, height: usize, width: usize },
    #[error("no folder is chosen for this data set: set data.path to the folder that holds its files")]
    NoPath,
    #[error(
        "{needed} samples are needed and the images have {there} beside the probes: take fewer in data.samples, fewer \
         to choose by, or another data set"
    )]
    FewSamples { needed: usize, there: usize },
    #[error("{file}: {reason}")]
    Archived { file: String, reason: String },
    #[error("{} cannot be read: {reason}", file.display())]
    Picture { file: PathBuf, reason: String },
    #[error("{} is a class of test pictures that {} does not have: give it the same name in both", folder.display(), train.display())]
    ClassFolder { folder: PathBuf, train: PathBuf },
    #[error(
        "{} has no folders with pictures (.png, .jpg): choose the one with train/CLASS/x.png, or with a folder for each class",
        .0.display()
    )]
    NoPictures(PathBuf),
    #[error("points of the plane are made for the tasks of a run and cannot be loaded without them")]
    Points,
    #[error("{} is not a folder that can be opened: choose the folder that holds the files of the data set", .0.display())]
    NotAFolder(PathBuf),
    #[error("{} cannot be listed ({reason}): give yourself the permission to read it, or choose another folder", path.display())]
    Closed { path: PathBuf, reason: String },
    #[error("{} is an archive: unpack it and choose the folder with the files of the data set", file.display())]
    Archive { file: PathBuf },
    #[error("{} holds several sets of images: set data.path to one of them ({})", folder.display(), few(choices))]
    Several { folder: PathBuf, choices: Vec<String> },
    #[error("{} holds {holds}: {instead}", folder.display())]
    Other { folder: PathBuf, holds: String, instead: String },
    #[error(
        "{} is the Python version of {set}, but not as its authors wrote it: fetch the binary version, {archive} from \
         www.cs.toronto.edu/~kriz/cifar.html, unpack it and choose its folder",
        folder.display()
    )]
    Python { folder: PathBuf, set: &'static str, archive: &'static str },
    #[error(
        "these images take {needed} MiB of memory as numbers and {free} are free: lower data.per_class and data.test_per_class"
    )]
    Memory { needed: u64, free: u64 },
    #[error("{file} has the {what} {value} in place {place}, which is no whole number from 0 to 255")]
    Value { file: String, what: &'static str, place: usize, value: f64 },
    #[error("{} has no {}: choose the folder that holds the {set} files", .folder.display(), .names.join(" or "))]
    Missing { folder: PathBuf, names: Vec<String>, set: &'static str },
    #[error("{file} cannot be read ({reason}): check the file and its permissions")]
    Unreadable { file: String, reason: String },
    #[error("{file} is a damaged gzip file ({reason}): fetch it again")]
    Gzip { file: String, reason: String },
    #[error(
        "{file} starts with {found:#010x} where {what} start with {expected:#010x}: it is not the file its name says"
    )]
    Magic { file: String, what: &'static str, found: u32, expected: u32 },
    #[error("{file} promises {reason}: it is damaged or not an image set for this program")]
    Dimensions { file: String, reason: String },
    #[error("{file} ends after {found} of {promised} bytes: it is cut off, fetch it again")]
    Truncated { file: String, promised: u64, found: u64 },
    #[error("{file} is longer than the {promised} bytes it should have: it is damaged or not the file its name says")]
    Oversized { file: String, promised: u64 },
    #[error(
        "{file} has the label {label} at image {image}, but its classes are 0 to {}: it is damaged or another set",
        .classes - 1
    )]
    Label { file: String, image: usize, label: u8, classes: usize },
    #[error("{images_file} has {images} images and {labels_file} {labels} labels: take both from the same set")]
    Count { images_file: String, images: usize, labels_file: String, labels: usize },
    #[error(
        "the training images are {}×{} pixels and the test images {}×{}: take both from the same set",
        .train[1], .train[2], .test[1], .test[2]
    )]
    Shapes { train: [usize; 3], test: [usize; 3] },
    #[error("there is no task to train: add one to tasks.classes, or raise tasks.count")]
    NoTask,
    #[error("task {task} has no class: give it one in tasks.classes")]
    EmptyTask { task: usize },
    #[error("task {task} names class {class}, but {set} has the classes 0 to {}: change tasks.classes", .classes - 1)]
    NoClass { task: usize, class: usize, set: String, classes: usize },
    #[error("task {task} has no training image of class {class} ({name}): choose other classes or another data set")]
    NoImages { task: usize, class: usize, name: String },
    #[error("task {task} has no test image of any of its classes: choose other classes or another data set")]
    NoTest { task: usize },
    #[error(
        "task {task} needs {needed} probe images of class {class} ({name}) and {left} are left: \
         lower kernel.probes_per_class or raise data.per_class"
    )]
    FewProbes { task: usize, class: usize, name: String, needed: usize, left: usize },
    #[error(
        "task {task} needs {needed} probe images of its classes and {left} are left: \
         lower kernel.probes_per_class or raise data.per_class"
    )]
    FewDrawn { task: usize, needed: usize, left: usize },
    #[error("the list of probes of task {task} names image {index}, and the set has the training images 0 to {}", .images - 1)]
    NoProbe { task: usize, index: usize, images: usize },
    #[error("the list of probes of task {task} names image {index}, whose class {class} the task does not have")]
    OtherProbe { task: usize, index: usize, class: usize },
    #[error("the list of probes has {listed} images of the classes of task {task}, and a kernel needs at least two")]
    FewListed { task: usize, listed: usize },
    #[error(
        "task {task} keeps no training image of class {class} ({name}) beside its probes: \
         lower kernel.probes_per_class, raise data.per_class or set kernel.train_on_probes"
    )]
    OnlyProbes { task: usize, class: usize, name: String },
    #[error("a frequency shift needs two groups of classes in tasks.classes, and no class may be named twice")]
    Groups,
}

/// Lists the first of these names.
fn few(names: &[String]) -> String {
    const MOST: usize = 8;
    let rest = if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
    names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ") + rest.as_str()
}
