//! Lists the figures of a run and the names of their files.

use strum::{IntoStaticStr, VariantArray};

use crate::run::{Block, History, Metric};
use crate::spec::variants;

/// The folder of a run's figures.
pub const FOLDER: &str = "figures";

/// The file format of a figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Svg,
    Png,
}

impl Format {
    /// Returns the extension of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Figure {
    /// Velocity of each task's kernel, with the ratio of each spike to its background.
    Velocity,
    /// λ_max with the depth of each dip, and the scale of the kernel.
    LambdaMax,
    /// Alignment with the labels.
    Alignment,
    /// Accuracy and loss of each task.
    Accuracy,
    /// The largest eigenvalues over time.
    Eigenvalues,
    /// The Gram before and after each switch.
    Gram,
    /// The distance of the kernel from itself at every other time.
    Distances,
    /// The displacement of the weights, and the change of the kernel for it; their path, and the velocity per length of it.
    Susceptibility,
    /// The kernel over the angle, before and after training; only for points of a circle.
    Circle,
    /// The first eigenvectors of the kernel, before and after training; only for points of a disk.
    Disk,
}

impl Figure {
    /// All figures.
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns the name of its file, without the extension.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the name of its file.
    pub fn file_name(self, format: Format) -> String {
        format!("{}.{}", self.name(), format.extension())
    }

    /// Returns whether this record has the data of the figure: figures over the plane need a run on points of the plane, and
    /// imported kernels have only the figures that need kernels alone.
    pub fn is_of(self, history: &History) -> bool {
        let has = |metric| !history.series(Block::All, metric).is_empty();
        let is_imported = history.info().is_some_and(|info| info.is_imported());
        match self {
            Self::Accuracy | Self::Susceptibility if is_imported => false,
            Self::Velocity if is_imported => has(Metric::Velocity),
            Self::Alignment if is_imported => has(Metric::Alignment),
            Self::LambdaMax | Self::Distances if is_imported => history.rows().len() > 1,
            Self::Circle => history.info().is_some_and(|info| crate::run::circle(info).is_some()),
            Self::Disk => history.info().is_some_and(|info| crate::run::grid(info).is_some()),
            _ => true,
        }
    }
}

/// Returns the names of all files that `kernelscope figures` may write.
pub(crate) fn file_names() -> impl Iterator<Item = String> {
    Figure::ALL.into_iter().flat_map(|figure| [Format::Svg, Format::Png].map(|format| figure.file_name(format)))
}
