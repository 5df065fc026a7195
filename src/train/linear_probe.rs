//! Evaluates the linear probe: the accuracy of a linear read-out of a task's classes from the features before the last
//! layer.
//!
//! If it stays high while the network's own accuracy falls, the features still separate the classes and only the read-out
//! has changed. A ridge regression with an intercept on one-hot labels, from up to [`LINEAR_PROBE_IMAGES`] training
//! images of each class of the task to its test images; the features' mean over the training images is subtracted, and
//! the ridge is [`RIDGE`] times the mean square length of the centred features, so that the scale of the features does
//! not matter. Products in f32, all else in f64.

use burn::tensor::Tensor;

use crate::math::Gram;
use crate::math::regression::Regression;
use crate::model::read_all;
#[cfg(doc)]
use crate::spec::LINEAR_PROBE_IMAGES;

/// The ridge, in units of the mean of the kernel's diagonal. With a thousandth of it, 250 images with 256 features
/// interpolate, and the probe's accuracy falls by more than any switch changes it.
pub const RIDGE: f64 = 1.0;

/// The linear kernels of centred features.
#[derive(Clone, Debug)]
pub struct FeatureKernels {
    /// Among the training images, row-major [n, n].
    pub train: Vec<f64>,
    /// Between test and training images, row-major [m, n].
    pub test: Vec<f64>,
}

impl FeatureKernels {
    /// Computes the kernels from features [n, f] of training images and [m, f] of test images.
    pub fn of(train: Tensor<2>, test: Tensor<2>) -> Self {
        let mean = train.clone().mean_dim(0);
        let (train, test) = (train - mean.clone(), test - mean);
        let across = train.clone().transpose();
        let read = read_all(vec![train.matmul(across.clone()), test.matmul(across)]);
        let mut products = read.into_iter().map(|values| values.into_iter().map(f64::from).collect());
        let mut next = || products.next().expect("both products were read");
        Self { train: next(), test: next() }
    }

    /// Returns the fraction of test images whose class the regression predicts, among the classes of the training images;
    /// `None` if the features are all equal or not finite.
    pub fn accuracy(&self, train_labels: &[usize], test_labels: &[usize]) -> Option<f64> {
        let n = train_labels.len();
        let mut classes = train_labels.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let count = |class: usize| train_labels.iter().filter(|&&label| label == class).count();
        let means: Vec<f64> = classes.iter().map(|&class| count(class) as f64 / n as f64).collect();
        let target = |at: usize| {
            f64::from(u8::from(train_labels[at / classes.len()] == classes[at % classes.len()]))
                - means[at % classes.len()]
        };
        let targets: Vec<f64> = (0..n * classes.len()).map(target).collect();
        let (kernel, _) = Gram::symmetrised(n, self.train.clone()).ok()?;
        let ridge = RIDGE * kernel.trace() / n as f64;
        let regression = Regression::solve(&kernel, &targets, None, ridge).ok()?;
        let found = regression.predict(&self.test, None).ok()?;
        let right = |(row, label): (&[f64], &&usize)| {
            let scores = row.iter().zip(&means).map(|(value, mean)| value + mean);
            let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            best.is_some_and(|(place, _)| classes[place] == **label)
        };
        let hits = found
            .chunks_exact(classes.len())
            .zip(test_labels.iter())
            .filter(|(row, label)| right((row, label)))
            .count();
        (!test_labels.is_empty()).then(|| hits as f64 / test_labels.len() as f64)
    }
}
