//! Computes the kernel of a learner between two sets of samples: of a network, or of infinite width.

use burn::tensor::{Device, Tensor, TensorData};

use super::observer::Stop;
use crate::data::Images;
use crate::math::Gram;
use crate::model::Network;
use crate::ntk::{Reduction, Request, layerwise};
use crate::theory::InfiniteNetwork;

/// The source of a kernel: a network, or its limit of infinite width.
pub(super) enum KernelSource {
    Network(Box<Network>),
    Infinite(InfiniteNetwork),
}

/// Samples in the form that a kernel takes.
pub(super) struct Samples {
    tensor: Tensor<2>,
    wide: Vec<f64>,
    count: usize,
}

impl Samples {
    pub fn of(images: &Images, kernel: &KernelSource) -> Self {
        let count = images.len();
        let (pixels, wide) = match kernel {
            KernelSource::Network(_) => (images.pixels.clone(), Vec::new()),
            KernelSource::Infinite(_) => (Vec::new(), images.pixels.iter().map(|&value| f64::from(value)).collect()),
        };
        let shape = [if pixels.is_empty() { 0 } else { count }, images.dim()];
        Self { tensor: Tensor::from_data(TensorData::new(pixels, shape), &Device::flex()), wide, count }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns a range of the samples.
    pub fn part(&self, rows: std::ops::Range<usize>) -> Self {
        let dim = self.wide.len() / self.count.max(1);
        let tensor = if self.wide.is_empty() {
            self.tensor.clone().narrow(0, rows.start, rows.len())
        } else {
            self.tensor.clone()
        };
        Self { tensor, wide: self.wide[rows.start * dim..rows.end * dim].to_vec(), count: rows.len() }
    }
}

impl KernelSource {
    /// Returns the kernel of some samples (rows) with others, row-major; among themselves where there are no others.
    pub fn between(
        &self,
        rows: &Samples,
        columns: Option<&Samples>,
        reduction: Reduction,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<f64>, Stop> {
        match self {
            Self::Network(network) => {
                let others = columns.map(|columns| &columns.tensor);
                let kernel = layerwise::measure(network, &rows.tensor, others, &Request::of(reduction), cancelled);
                kernel.map(|kernel| kernel.values).ok_or(Stop::Cancelled)
            }
            Self::Infinite(limit) => {
                let left = limit.points(&rows.wide);
                let kernels = match columns {
                    None => limit.own(&left, cancelled),
                    Some(columns) => limit.between(&left, &limit.points(&columns.wide), cancelled),
                };
                kernels.map(|kernels| kernels.ntk).map_err(Stop::from)
            }
        }
    }

    /// Returns the kernel among samples, the trace over outputs where there are several, and its asymmetry.
    pub fn trace_gram(&self, images: &Images, cancelled: &dyn Fn() -> bool) -> Result<(Gram, f64), Stop> {
        let values = self.between(&Samples::of(images, self), None, Reduction::Trace, cancelled)?;
        Gram::symmetrised(images.len(), values).map_err(|err| Stop::Failed(err.to_string()))
    }
}
