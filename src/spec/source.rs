//! Declares the sources of samples: files, data embedded in the program, or a formula.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::variants::variants;
use crate::math::plane::Plane;

/// A data set that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Source {
    /// 600 training and 200 test images of each class of Fashion-MNIST, embedded in the program.
    FashionMnistSmall,
    /// A folder with four IDX files, plain or `.gz`, as in MNIST, Fashion-MNIST, KMNIST and EMNIST, or the folder above it.
    Idx,
    /// The folder `cifar-10-batches-bin` or `cifar-10-batches-py`, or the folder above it.
    Cifar10,
    /// The folder `cifar-100-binary` or `cifar-100-python`, or the folder above it.
    Cifar100,
    /// A folder with pictures in a folder for each class, `train/CLASS/x.png`, and `test/CLASS/x.png` or `val/CLASS/x.png`.
    ImageFolder,
    /// A NumPy archive with `x_train`, `y_train`, `x_test` and `y_test`, or the folder with it.
    Npz,
    /// Points (cos γ, sin γ), labelled by the sign of x₁x₂, the problem of Jacot et al. 2018. The probes are evenly spaced.
    Circle,
    /// Points of the unit disk, labelled by the side of the curve x₂ = ½ sin(πx₁) (yin and yang, after Baratin et al.
    /// 2021). The probes are a k × k grid over [−1, 1]², so `kernel.probes_per_class` is k²/2 with k even.
    Disk,
    /// Points of the sphere of radius √D, with a polynomial as the target.
    SpherePolynomial,
    /// Points of the circle (cos γ, sin γ), with the target Σ c_k cos(kγ + φ_k), c_k² ~ k^−exponent and random phases.
    Fourier,
}

impl Source {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns the key used in run files.
    pub fn key(self) -> &'static str {
        self.into()
    }

    /// Returns the name shown to users.
    pub fn words(self) -> &'static str {
        match self {
            Self::FashionMnistSmall => "Fashion-MNIST, small",
            Self::Idx => "IDX folder",
            Self::Cifar10 => "CIFAR-10",
            Self::Cifar100 => "CIFAR-100",
            Self::ImageFolder => "folder of images",
            Self::Npz => "NumPy archive",
            Self::Circle => "points of a circle",
            Self::Disk => "points of a disk",
            Self::SpherePolynomial => "polynomial on a sphere",
            Self::Fourier => "power law on a circle",
        }
    }

    /// Returns the set of points, if the source is not a set of images.
    pub fn plane(self) -> Option<Plane> {
        match self {
            Self::Circle => Some(Plane::Circle),
            Self::Disk => Some(Plane::Disk),
            _ => None,
        }
    }

    /// Returns whether its files lie in a folder that must be chosen.
    pub fn needs_folder(self) -> bool {
        matches!(self, Self::Idx | Self::Cifar10 | Self::Cifar100 | Self::ImageFolder | Self::Npz)
    }

    /// Returns whether its images may be standardised.
    pub fn is_standardised(self) -> bool {
        self.plane().is_none() && !self.is_synthetic()
    }

    /// Returns whether its samples are synthetic, with a single number as output.
    pub fn is_synthetic(self) -> bool {
        matches!(self, Self::SpherePolynomial | Self::Fourier)
    }
}
