//! Convolutional networks without batch norm, which would make one sample's output depend on the others'.
//!
//! Two convolutions: conv1, act, pool, conv2, act, pool. Four, for colour images: conv1, act, conv2, act, pool, conv3, act,
//! conv4, act, pool. Without pooling these steps fall away. Then `fc` reads the flattened image (channels, rows, columns), or each channel's mean.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::kind::{Head, Pool};
use super::layers::{Affine, Conv};
use super::source::{Source, WeightsError};
use super::{Signal, Stored, Taps, activate};
use crate::spec::Activation;

/// Side of the pooled squares.
const POOLED: usize = 2;

/// What the shapes of the tensors do not tell.
#[derive(Clone, Copy, Debug)]
pub struct CnnKinds {
    pub activation: Activation,
    pub pool: Pool,
    pub head: Head,
}

/// A convolutional network.
#[derive(Module, Debug)]
pub struct Cnn {
    convs: Vec<Conv>,
    fc: Affine,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    pool: Pool,
    #[module(skip)]
    head: Head,
    /// Channels, height, width.
    #[module(skip)]
    image: [usize; 3],
}

impl Cnn {
    /// A network with so many channels behind each convolution (two or four of them), for images of this shape.
    pub fn build(
        image: [usize; 3],
        channels: &[usize],
        classes: usize,
        kinds: CnnKinds,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let ends: Vec<usize> = std::iter::once(image[0]).chain(channels.iter().copied()).collect();
        let conv = |(place, pair): (usize, &[usize])| {
            Conv::build(&format!("conv{}", place + 1), [pair[0], pair[1]], source, device)
        };
        let convs: Vec<Conv> = ends.windows(2).enumerate().map(conv).collect::<Result<_, _>>()?;
        let places = match kinds.head {
            Head::Flatten => places(image, kinds.pool),
            Head::Mean => 1,
        };
        let fc = Affine::build("fc", [ends[channels.len()] * places, classes], source, device)?;
        let CnnKinds { activation, pool, head } = kinds;
        Ok(Self { convs, fc, activation, pool, head, image })
    }

    /// The network in a weights file, for images of this shape; the number of convolutions, their channels and
    /// the head are read from the shapes.
    pub fn load(
        image: [usize; 3],
        (activation, pool): (Activation, Pool),
        stored: &mut Stored<'_>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let [_, height, width] = image;
        let side = if pool == Pool::None { 1 } else { POOLED * POOLED };
        if height == 0 || width == 0 || !height.is_multiple_of(side) || !width.is_multiple_of(side) {
            return Err(WeightsError::Sides { height, width });
        }
        let misfit = |stored: &Stored<'_>, name: &str, found: &[usize]| {
            let inputs = format!("{}×{height}×{width}", image[0]);
            WeightsError::Inputs { name: stored.name_of(name), found: found.to_vec(), inputs }
        };
        let depth = if stored.has("conv3.weight") { 4 } else { 2 };
        let mut channels = Vec::new();
        for place in 1..=depth {
            let name = format!("conv{place}.weight");
            let found = stored.shape::<4>(&name)?;
            if place == 1 && found[1] != image[0] {
                return Err(misfit(stored, &name, &found));
            }
            channels.push(found[0]);
        }
        let found = stored.shape("fc.weight")?;
        let ([classes, fan_in], last) = (found, channels[depth - 1]);
        let head = if last == fan_in { Head::Mean } else { Head::Flatten };
        if head == Head::Flatten && last.checked_mul(places(image, pool)) != Some(fan_in) {
            return Err(misfit(stored, "fc.weight", &found));
        }
        let kinds = CnnKinds { activation, pool, head };
        Self::build(image, &channels, classes, kinds, stored, device)
    }

    /// What the last layer reads; none where one pixel is left, which is its own mean.
    pub(super) fn told_head(&self) -> Option<Head> {
        (places(self.image, self.pool) != 1).then_some(self.head)
    }

    pub(super) fn forward(&self, images: Tensor<2>, taps: &mut Taps) -> Signal<2> {
        let [n, _] = images.dims();
        let [channels, height, width] = self.image;
        let mut images = taps.input(images.reshape([n, channels, height, width]));
        for (place, conv) in self.convs.iter().enumerate() {
            images = taps.conv(&format!("conv{}", place + 1), conv, images);
            images = taps.pointwise(images, |z| activate(self.activation, z));
            if (place + 1) % (self.convs.len() / 2).max(1) == 0 {
                images = match self.pool {
                    Pool::Max => taps.max_pool(images, POOLED),
                    Pool::Avg => taps.avg_pool(images, POOLED),
                    Pool::None => images,
                };
            }
        }
        let [n, channels, height, width] = images.tensor.dims();
        let features = match self.head {
            Head::Flatten => taps.reshape(images, [n, channels * height * width]),
            Head::Mean => taps.mean_of_pixels(images),
        };
        taps.affine("fc", &self.fc, features)
    }
}

/// Pixels that two poolings leave, whatever the number of convolutions, or no pooling.
fn places([_, height, width]: [usize; 3], pool: Pool) -> usize {
    if pool == Pool::None {
        return height * width;
    }
    (height / POOLED / POOLED) * (width / POOLED / POOLED)
}
