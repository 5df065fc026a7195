//! Recognises known sets of IDX files, and gives them their names and classes.
//!
//! Guarantee: a set gets the name and the classes of a known one only if its content is that of the known one, because
//! folder names are arbitrary. The classes of all others are numbered.

use flate2::Crc;

use super::{RawImages, RawSet, embedded};

/// Checksums (CRC-32) of the unpacked labels, without headers, and of the test images where available; computed from files
/// whose MD5 is the one in torchvision.
struct Checksums {
    /// Training labels.
    train: u32,
    test: u32,
    test_images: Option<u32>,
}

const MNIST: Checksums = Checksums { train: 0xba07_e8ef, test: 0xee86_04d9, test_images: Some(0xe4ca_5f57) };
/// Recognised by comparing its images with the embedded ones.
const FASHION: Checksums = Checksums { train: 0x2ed6_e46a, test: 0x242b_c73f, test_images: None };

impl Checksums {
    fn are_of(&self, train: &RawImages, test: &RawImages) -> bool {
        let sum = |bytes: &[u8]| {
            let mut crc = Crc::new();
            crc.update(bytes);
            crc.sum()
        };
        let labels = |images: &RawImages| images.labels.iter().map(|&label| label as u8).collect::<Vec<u8>>();
        (train.labels.len(), test.labels.len()) == (60_000, 10_000)
            && sum(&labels(train)) == self.train
            && sum(&labels(test)) == self.test
            && self.test_images.is_none_or(|images| sum(&test.pixels) == images)
    }
}

/// Returns name and classes of a known set, if these images are it.
pub(super) fn name(train: &RawImages, test: &RawImages) -> Option<(String, Vec<String>)> {
    if train.shape != [1, 28, 28] || test.shape != train.shape {
        return None;
    }
    if MNIST.are_of(train, test) {
        return Some(("MNIST".to_owned(), (0..10).map(|digit| digit.to_string()).collect()));
    }
    // The smaller part first: most sets differ at once.
    let is_fashion = |embedded: RawImages, images: &RawImages| begins_alike(&embedded, images);
    let same = is_fashion(embedded::test().ok()?, test) && is_fashion(embedded::train().ok()?, train);
    let name = if FASHION.are_of(train, test) { "Fashion-MNIST" } else { "Fashion-MNIST, in part" };
    same.then(|| (name.to_owned(), embedded::class_names()))
}

/// Returns whether the images of each class begin with those of the same class of the other set, up to the shorter of the
/// two.
fn begins_alike(known: &RawImages, images: &RawImages) -> bool {
    let dim: usize = images.shape.iter().product();
    let mut known_of: Vec<Vec<&[u8]>> = vec![Vec::new(); 256];
    for (image, &label) in known.pixels.chunks_exact(dim).zip(&known.labels) {
        known_of[usize::from(label)].push(image);
    }
    let mut seen = [0; 256];
    images.pixels.chunks_exact(dim).zip(&images.labels).all(|(image, &label)| {
        let (of_class, seen) = (&known_of[usize::from(label)], &mut seen[usize::from(label)]);
        let same = if of_class.is_empty() { false } else { of_class.get(*seen).is_none_or(|known| *known == image) };
        *seen += 1;
        same
    })
}

/// Returns numbers as names of `classes` classes.
pub(super) fn numbered(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}

/// Returns the class names from the table that comes with EMNIST: in each line a class and the codes of its letters. `None`
/// if it does not name every class that has images.
pub fn letters(table: &str, set: &RawSet) -> Option<Vec<String>> {
    let mut names = set.class_names.clone();
    let mut named = vec![false; names.len()];
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok()).collect::<Option<Vec<_>>>()?;
        let (class, codes) = numbers.split_first()?;
        let letter = |&code: &u32| char::from_u32(code).filter(char::is_ascii_graphic).map(String::from);
        let letters = codes.iter().map(letter).collect::<Option<Vec<_>>>()?;
        if let (Some(name), false) = (names.get_mut(*class as usize), letters.is_empty()) {
            *name = letters.join(" ");
            named[*class as usize] = true;
        }
    }
    let all = set.train.labels.iter().chain(&set.test.labels).all(|&label| named[usize::from(label)]);
    all.then_some(names)
}
