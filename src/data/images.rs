//! Stores labelled images: as bytes from a file, and as the numbers that a network reads.
//!
//! Readers produce a [`RawSet`]; it is reduced while it has 8 bits, then becomes a [`DataSet`] of f32 once. The scaling is
//! stored beside the pixels, so that a rotation knows the value of black and any probe can be shown as an image.

use super::{DataError, Targets};
use crate::spec::{DataShape, Readout, half};

/// Labelled images in f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// Row-major [n, channels·height·width].
    pub pixels: Vec<f32>,
    /// Class of each image.
    pub labels: Vec<usize>,
    /// In regression, the target of the single output for each image; else empty, and the targets are the labels.
    pub values: Vec<f32>,
}

impl Images {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns the targets of the outputs.
    pub fn targets(&self) -> Targets<'_> {
        Targets::of(&self.labels, &self.values)
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the number of values per image.
    pub fn dim(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns the pixels of one image, [channels·height·width].
    pub fn image(&self, index: usize) -> &[f32] {
        &self.pixels[index * self.dim()..][..self.dim()]
    }

    /// Appends other images of the same shape.
    pub(super) fn append(&mut self, others: Self) {
        self.pixels.extend(others.pixels);
        self.labels.extend(others.labels);
        self.values.extend(others.values);
    }

    /// Returns the images of these indices with the given pixels, as a task transforms them.
    pub(super) fn with_pixels(&self, pixels: Vec<f32>, of: &[usize]) -> Self {
        let labels = of.iter().map(|&index| self.labels[index]).collect();
        let values =
            if self.values.is_empty() { Vec::new() } else { of.iter().map(|&index| self.values[index]).collect() };
        Self { shape: self.shape, pixels, labels, values }
    }

    /// Returns the indices of the images of each class, ascending.
    pub(super) fn by_class(&self, classes: usize) -> Vec<Vec<usize>> {
        let mut found = vec![Vec::new(); classes];
        for (index, &label) in self.labels.iter().enumerate() {
            found[label].push(index);
        }
        found
    }
}

/// Labelled images as stored in a file, whose pixels are bytes or other numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawImages<P = u8> {
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// Row-major [n, channels·height·width].
    pub pixels: Vec<P>,
    pub labels: Vec<u16>,
}

/// A number of a pixel, as it is stored.
pub trait Pixel: Copy {
    /// Returns the mean of the pixels of a square, of which there are `count`; that of bytes is rounded to one of 256 greys.
    fn mean(square: impl Iterator<Item = Self>, count: usize) -> Self;
    /// Returns the number that a network reads, if images are not standardised: bytes are scaled to 0..1.
    fn value(self) -> f32;
    /// Returns the map from a pixel in 0..1, by which images are shown, to these numbers.
    fn scaling(pixels: &[Self], channels: usize) -> Scaling;
}

impl Pixel for u8 {
    fn mean(square: impl Iterator<Item = Self>, count: usize) -> Self {
        ((square.map(usize::from).sum::<usize>() + count / 2) / count) as Self
    }

    fn value(self) -> f32 {
        f32::from(self) / 255.0
    }

    fn scaling(_: &[Self], channels: usize) -> Scaling {
        Scaling::none(channels)
    }
}

impl Pixel for f32 {
    fn mean(square: impl Iterator<Item = Self>, count: usize) -> Self {
        (square.map(f64::from).sum::<f64>() / count as f64) as Self
    }

    fn value(self) -> f32 {
        self
    }

    fn scaling(pixels: &[Self], channels: usize) -> Scaling {
        let (least, most) =
            pixels.iter().fold((0.0, 0.0), |(least, most): (Self, Self), &pixel| (least.min(pixel), most.max(pixel)));
        let range = if most > least { most - least } else { 1.0 };
        Scaling { mean: vec![-least / range; channels], std: vec![1.0 / range; channels] }
    }
}

impl<P: Pixel> RawImages<P> {
    /// Keeps the first `per_class` images of each class, in their order; 0 keeps all.
    pub fn keep_first(&mut self, per_class: usize) {
        if per_class == 0 {
            return;
        }
        let dim: usize = self.shape.iter().product();
        let most = self.labels.iter().max().map_or(0, |&label| usize::from(label));
        let (mut seen, mut kept) = (vec![0usize; most + 1], 0);
        for index in 0..self.labels.len() {
            let label = self.labels[index];
            let count = &mut seen[usize::from(label)];
            if *count < per_class {
                *count += 1;
                self.labels[kept] = label;
                self.pixels.copy_within(index * dim..(index + 1) * dim, kept * dim);
                kept += 1;
            }
        }
        self.labels.truncate(kept);
        self.pixels.truncate(kept * dim);
        self.pixels.shrink_to_fit();
    }

    /// Replaces squares of `side` × `side` pixels by their mean.
    ///
    /// # Errors
    /// Fails if such squares do not tile the images.
    pub fn shrink(&mut self, side: usize) -> Result<(), DataError> {
        let [channels, height, width] = self.shape;
        if side == 1 {
            return Ok(());
        }
        if side == 0 || height % side != 0 || width % side != 0 {
            return Err(DataError::Shrink { side, height, width });
        }
        let (down, across, area) = (height / side, width / side, side * side);
        let mut pixels = Vec::with_capacity(self.pixels.len() / area);
        for plane in self.pixels.chunks_exact(height * width) {
            for place in 0..down * across {
                let corner = place / across * side * width + place % across * side;
                let rows = (0..side).map(|row| &plane[corner + row * width..][..side]);
                pixels.push(P::mean(rows.flatten().copied(), area));
            }
        }
        (self.shape, self.pixels) = ([channels, down, across], pixels);
        Ok(())
    }

    fn scaled(self) -> Images {
        let pixels = self.pixels.iter().map(|&pixel| pixel.value()).collect();
        let labels = self.labels.iter().map(|&label| usize::from(label)).collect();
        Images { shape: self.shape, pixels, labels, values: Vec::new() }
    }
}

/// A data set as stored in its files. The reader ensures that every label is below the number of class names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSet<P = u8> {
    pub name: String,
    pub class_names: Vec<String>,
    pub train: RawImages<P>,
    pub test: RawImages<P>,
}

/// A data set ready for use.
#[derive(Clone, Debug)]
pub struct DataSet {
    pub name: String,
    pub class_names: Vec<String>,
    pub train: Images,
    pub test: Images,
    /// The map from a pixel in 0..1 to the value in `train` and `test`.
    pub scaling: Scaling,
    /// Changes made while reading the files, one sentence each, for users.
    pub notes: Vec<String>,
}

impl DataSet {
    /// Converts transformed images, [n, channels·height·width], to 8 bits, [n, height, width, channels].
    pub fn thumbnails(&self, pixels: &[f32]) -> Vec<u8> {
        let [channels, height, width] = self.train.shape;
        let plane = height * width;
        let byte = |image: &[f32], at: usize| {
            let (place, channel) = (at / channels, at % channels);
            self.scaling.byte(channel, image[channel * plane + place])
        };
        let images = pixels.chunks_exact(channels * plane);
        images.flat_map(|image| (0..channels * plane).map(move |at| byte(image, at))).collect()
    }

    /// Makes the pixels of a set numbers that a network reads: bytes are scaled to 0..1, other numbers stay as they are.
    ///
    /// # Errors
    /// Fails if training and test images have different shapes.
    pub fn new<P: Pixel>(raw: RawSet<P>) -> Result<Self, DataError> {
        if raw.train.shape != raw.test.shape {
            return Err(DataError::Shapes { train: raw.train.shape, test: raw.test.shape });
        }
        let scaling = P::scaling(&raw.train.pixels, raw.train.shape[0]);
        let (train, test) = (raw.train.scaled(), raw.test.scaled());
        Ok(Self { name: raw.name, class_names: raw.class_names, train, test, scaling, notes: Vec::new() })
    }

    /// Subtracts the mean and divides by the standard deviation of the training images of these classes, or of all, channel by
    /// channel.
    pub fn standardise(&mut self, classes: Option<&[usize]>) {
        let scaling = Scaling::of(&self.train, classes);
        scaling.apply(&mut self.train);
        scaling.apply(&mut self.test);
        self.scaling = self.scaling.then(&scaling);
    }

    /// Sets the targets of a single output: −1 for the lower half of the classes, 1 for the upper one.
    pub fn halve(&mut self) {
        let classes = self.class_names.len();
        let say = |images: &mut Images| {
            images.values = images.labels.iter().map(|&label| half(label, classes)).collect();
        };
        say(&mut self.train);
        say(&mut self.test);
    }

    /// Returns the meaning of the outputs of a network for this set.
    pub fn readout(&self) -> Readout {
        if self.train.values.is_empty() { Readout::Classes(self.class_names.len()) } else { Readout::Number }
    }

    /// Returns the number of outputs of a network for this set.
    pub fn outputs(&self) -> usize {
        self.readout().count()
    }

    /// Returns the properties that determine a cost; the size of the largest class is used for all.
    pub fn shape(&self) -> DataShape {
        let classes = self.class_names.len();
        let most = |images: &Images| images.by_class(classes).iter().map(Vec::len).max().unwrap_or(0);
        DataShape {
            image: self.train.shape,
            classes,
            outputs: self.outputs(),
            train_per_class: most(&self.train),
            test_per_class: most(&self.test),
        }
    }
}

/// The affine map of each channel: value = (pixel − mean)/std, with pixels in 0..1.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
}

impl Scaling {
    /// Returns the map that leaves pixels unchanged.
    pub fn none(channels: usize) -> Self {
        Self { mean: vec![0.0; channels], std: vec![1.0; channels] }
    }

    /// Returns the map from mean and standard deviation of each channel over the images of these classes, or of all, summed in
    /// f64; a constant channel is only centred.
    pub fn of(images: &Images, classes: Option<&[usize]>) -> Self {
        let [channels, height, width] = images.shape;
        let plane = height * width;
        let counts = |label: &usize| classes.is_none_or(|classes| classes.contains(label));
        let chosen: Vec<usize> = (0..images.len()).filter(|&index| counts(&images.labels[index])).collect();
        let count = (chosen.len() * plane).max(1) as f64;
        let moments = (0..channels).map(|channel| {
            let values = || {
                let planes = chosen.iter().map(|&index| &images.image(index)[channel * plane..][..plane]);
                planes.flatten().map(|&value| f64::from(value))
            };
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            (mean as f32, if variance > 0.0 { variance.sqrt() as f32 } else { 1.0 })
        });
        let (mean, std) = moments.unzip();
        Self { mean, std }
    }

    /// Returns this map followed by another one.
    fn then(&self, next: &Self) -> Self {
        let both = || self.mean.iter().zip(&self.std).zip(next.mean.iter().zip(&next.std));
        Self {
            mean: both().map(|((mean, std), (next_mean, _))| mean + std * next_mean).collect(),
            std: both().map(|((_, std), (_, next_std))| std * next_std).collect(),
        }
    }

    /// Maps a pixel of this channel to its value.
    pub fn value(&self, channel: usize, pixel: f32) -> f32 {
        (pixel - self.mean[channel]) / self.std[channel]
    }

    /// Maps a value back to its pixel, in 8 bits.
    pub fn byte(&self, channel: usize, value: f32) -> u8 {
        let pixel = value * self.std[channel] + self.mean[channel];
        (pixel * 255.0).round().clamp(0.0, 255.0) as u8
    }

    fn apply(&self, images: &mut Images) {
        let [channels, height, width] = images.shape;
        for (place, plane) in images.pixels.chunks_exact_mut(height * width).enumerate() {
            for value in plane {
                *value = self.value(place % channels, *value);
            }
        }
    }
}
