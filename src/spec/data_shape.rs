//! Defines the shape of a data set: the sides of its images and the numbers of classes, outputs and images.

use super::network::USUAL_SIDE;
use super::{Source, Spec, TaskKind};
use crate::math::plane::Plane;

/// The properties of a data set that determine a run's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataShape {
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    pub classes: usize,
    /// Outputs of a network: one per class, or a single number.
    pub outputs: usize,
    /// Training images per class, after `data.per_class`.
    pub train_per_class: usize,
    /// Test images per class, after `data.test_per_class`.
    pub test_per_class: usize,
}

impl DataShape {
    /// Returns the shape expected of the source, for an estimate before its files are read.
    pub fn expected(spec: &Spec) -> Self {
        let (image, classes, train, test) = match spec.data.source {
            Source::Circle => return spec.plane_shape(Plane::Circle),
            Source::Disk => return spec.plane_shape(Plane::Disk),
            Source::SpherePolynomial | Source::Fourier => return spec.synthetic_shape(),
            Source::FashionMnistSmall => ([1, 28, 28], 10, 600, 200),
            Source::Idx => {
                let side = idx_side(spec);
                ([1, side, side], classes_named(spec), 6000, 1000)
            }
            Source::ImageFolder => ([3, spec.data.side, spec.data.side], classes_named(spec), 500, 100),
            Source::Npz => {
                let side = idx_side(spec);
                ([1, side, side], classes_named(spec), 6000, 1000)
            }
            Source::Cifar10 => ([3, 32, 32], 10, 5000, 1000),
            Source::Cifar100 => ([3, 32, 32], 100, 500, 100),
        };
        let kept = |all: usize, limit: usize| if limit == 0 { all } else { all.min(limit) };
        let [channels, height, width] = image;
        let shrink = spec.data.shrink.max(1);
        Self {
            image: [channels, height / shrink, width / shrink],
            classes,
            outputs: spec.readout(classes).count(),
            train_per_class: kept(train, spec.data.per_class),
            test_per_class: kept(test, spec.data.test_per_class),
        }
    }

    /// Returns the number of values per image.
    pub fn inputs(&self) -> usize {
        self.image.iter().product()
    }
}

/// Returns the expected side of the images of an IDX folder: that of MNIST, or the next larger one that the shrinking squares
/// tile and the network accepts.
fn idx_side(spec: &Spec) -> usize {
    let tile = spec.data.shrink.clamp(1, 64);
    spec.network.usual_side(tile).unwrap_or_else(|| USUAL_SIDE.next_multiple_of(tile))
}

/// Returns the expected number of classes of a set whose files tell it: the ten of MNIST, or as many as the tasks name; labels of
/// IDX files are bytes, others have 16 bits.
fn classes_named(spec: &Spec) -> usize {
    const USUAL: usize = 10;
    let most = if spec.data.source == Source::Idx { 256 } else { 1 << 16 };
    let named = spec.tasks.classes.iter().flatten().max().map_or(0, |&class| class.saturating_add(1));
    let by_name = matches!(spec.tasks.kind, TaskKind::Split | TaskKind::Frequency);
    if by_name { named.clamp(USUAL, most) } else { USUAL }
}
