//! Estimates from independent draws K₁ … K_R of kernels whose mean is the kernel: those of random combinations of the logits, or
//! of gradients projected to random directions.
//!
//! What is quadratic in the kernel is the mean over pairs of *different* draws, ⟨K_r, K_s⟩, which has no bias: the norm, the
//! alignment and the distance follow from them. Eigenvalues are those of the mean of the draws, whose bias of order 1/R the
//! jackknife removes.

use faer::{Mat, MatRef};

use super::{Estimate, Figure, jackknife, means};
use crate::math::Gram;
use crate::math::alignment::label_gram;
use crate::math::deterministic_product::product;
use crate::math::spectrum::{effective_rank, eigenvalues};

/// Largest side of the matrices whose eigenvalues are computed without each of the draws.
const MOST_ROWS: usize = 1024;
/// Directions must be this many times the effective rank, or its bias is more than the jackknife removes.
const DIRECTIONS_PER_RANK: f64 = 8.0;

/// Inner products of the draws.
struct Products {
    /// tr K_r.
    trace: Vec<f64>,
    /// ⟨K_r, YYᵀ⟩ / ‖YYᵀ‖.
    along: Option<Vec<f64>>,
    /// ⟨K_r, K_s⟩, and of centred kernels with each other, with those of the other network, and of those with each other.
    own: Mat<f64>,
    centred: Option<[Mat<f64>; 3]>,
}

/// Returns the means over pairs of different draws, with all draws and without each of them.
fn pairs(products: &Mat<f64>) -> (f64, Vec<f64>) {
    let count = products.nrows();
    let r = count as f64;
    let others = |row: usize| {
        let sum = |column: usize| products[(row, column)] + products[(column, row)];
        (0..count).filter(|column| *column != row).map(sum).sum::<f64>()
    };
    let rows: Vec<f64> = (0..count).map(others).collect();
    let sum = rows.iter().sum::<f64>() / 2.0;
    let without = rows.iter().map(|row| (sum - row) / ((r - 1.0) * (r - 2.0))).collect();
    (sum / (r * (r - 1.0)), without)
}

/// Applies a function to values with all draws and without each of them.
fn combined<const N: usize>(of: [&(f64, Vec<f64>); N], function: impl Fn([f64; N]) -> f64) -> (f64, Vec<f64>) {
    let all = function(of.map(|(all, _)| *all));
    (all, (0..of[0].1.len()).map(|draw| function(of.map(|(_, without)| without[draw]))).collect())
}

impl Products {
    fn estimates(&self) -> Vec<Estimate> {
        let of = |figure, (all, without): &(f64, Vec<f64>)| jackknife(figure, *all, without);
        let norm = combined([&pairs(&self.own)], |[square]| square.sqrt());
        let mut found = vec![of(Figure::Trace, &means(&self.trace)), of(Figure::Frobenius, &norm)];
        if let Some(along) = &self.along {
            let aligned = combined([&means(along), &norm], |[along, norm]| along / norm);
            found.push(of(Figure::Alignment, &aligned));
        }
        if let Some([own, both, other]) = &self.centred {
            let apart = |[own, both, other]: [f64; 3]| 1.0 - both / (own * other).sqrt();
            found.push(of(Figure::Distance, &combined([&pairs(own), &pairs(both), &pairs(other)], apart)));
        }
        found
    }
}

/// Returns λ_max and effective rank of the mean of the draws, `mean(None)`, from that and from those without a draw.
fn spectral(
    count: usize,
    side: usize,
    directions: usize,
    mean: impl Fn(Option<usize>) -> Gram,
) -> Result<[Estimate; 2], String> {
    let figures = |without: Option<usize>| {
        let values = eigenvalues(&mean(without))?;
        Ok::<_, String>((values.last().copied().unwrap_or(f64::NAN), effective_rank(&values)))
    };
    let (largest, rank) = figures(None)?;
    if side > MOST_ROWS {
        let why = "eigenvalues without each draw would take too long";
        return Ok([
            Estimate::without_interval(Figure::LambdaMax, largest, why),
            Estimate::without_interval(Figure::EffectiveRank, rank, why),
        ]);
    }
    let without = (0..count).map(|draw| figures(Some(draw))).collect::<Result<Vec<_>, String>>()?;
    let part = |of: fn(&(f64, f64)) -> f64| without.iter().map(of).collect::<Vec<f64>>();
    let largest = jackknife(Figure::LambdaMax, largest, &part(|figures| figures.0));
    let rank = if (directions as f64) < DIRECTIONS_PER_RANK * rank {
        Estimate::without_interval(
            Figure::EffectiveRank,
            rank,
            "too few directions for a rank like this, so it is too low",
        )
    } else {
        jackknife(Figure::EffectiveRank, rank, &part(|figures| figures.1))
    };
    Ok([largest, rank])
}

/// Estimates from whole kernels [n, n], one for each draw; and from those of another network, with the same draws.
///
/// # Errors
/// If the eigen-solver does not converge.
pub fn of_kernels(
    n: usize,
    kernels: &[Vec<f64>],
    labels: Option<&[usize]>,
    other: Option<&[Vec<f64>]>,
) -> Result<Vec<Estimate>, String> {
    estimated(n, kernels, usize::MAX, labels, other)
}

/// Estimates from projected gradients [n, count · m], row-major, where draw r has the columns from r · m on: as
/// [`Projected`] does, in less time where there are fewer samples than columns.
///
/// # Errors
/// If the eigen-solver does not converge.
pub fn of_features(
    count: usize,
    (n, features): (usize, &[f64]),
    labels: Option<&[usize]>,
    other: Option<&[f64]>,
) -> Result<Vec<Estimate>, String> {
    let columns = features.len() / n;
    let m = columns / count;
    let kernels = |features: &[f64]| {
        let rows = MatRef::from_row_major_slice(features, n, columns);
        let kernel = |draw: usize| {
            let rows = rows.subcols(draw * m, m);
            let kernel = product(rows, rows.transpose());
            (0..n * n).map(|at| kernel[(at / n, at % n)]).collect::<Vec<f64>>()
        };
        (0..count).map(kernel).collect::<Vec<_>>()
    };
    estimated(n, &kernels(features), columns, labels, other.map(kernels).as_deref())
}

fn estimated(
    n: usize,
    kernels: &[Vec<f64>],
    directions: usize,
    labels: Option<&[usize]>,
    other: Option<&[Vec<f64>]>,
) -> Result<Vec<Estimate>, String> {
    let count = kernels.len();
    let centred = |kernels: &[Vec<f64>]| kernels.iter().flat_map(|kernel| centred(n, kernel)).collect::<Vec<f64>>();
    let inner = |a: &[f64], b: &[f64]| {
        let rows = |values| MatRef::from_row_major_slice(values, count, n * n);
        product(rows(a), rows(b).transpose())
    };
    let flat = kernels.concat();
    let labels = labels.map(label_gram);
    let along = labels.map(|labels| {
        let norm = labels.frobenius();
        let along = |kernel: &Vec<f64>| kernel.iter().zip(labels.values().iter()).map(|(a, b)| a * b).sum::<f64>();
        kernels.iter().map(|kernel| along(kernel) / norm).collect()
    });
    let products = Products {
        trace: kernels.iter().map(|kernel| (0..n).map(|row| kernel[row * n + row]).sum()).collect(),
        along,
        own: inner(&flat, &flat),
        centred: other.map(|other| {
            let (own, other) = (centred(kernels), centred(other));
            [inner(&own, &own), inner(&own, &other), inner(&other, &other)]
        }),
    };
    let mut total = vec![0.0; n * n];
    kernels.iter().for_each(|kernel| total.iter_mut().zip(kernel).for_each(|(sum, value)| *sum += value));
    let mean = |without: Option<usize>| {
        let (left, over) = match without {
            Some(draw) => (Some(&kernels[draw]), (count - 1) as f64),
            None => (None, count as f64),
        };
        let entry = |at: usize| (total[at] - left.map_or(0.0, |left| left[at])) / over;
        let (mean, _) = Gram::symmetrised(n, (0..n * n).map(entry).collect()).expect("draws are checked to be finite");
        mean
    };
    let spectral = spectral(count, n, directions, mean)?;
    Ok([products.estimates(), spectral.to_vec()].concat())
}

/// Computes HKH.
fn centred(n: usize, kernel: &[f64]) -> Vec<f64> {
    let rows: Vec<f64> = kernel.chunks_exact(n).map(|row| row.iter().sum::<f64>() / n as f64).collect();
    let mut columns = vec![0.0; n];
    kernel
        .chunks_exact(n)
        .for_each(|row| columns.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / n as f64));
    let mean = rows.iter().sum::<f64>() / n as f64;
    (0..n * n).map(|at| kernel[at] - rows[at / n] - columns[at % n] + mean).collect()
}

/// Sums over samples of projected gradients: draw r has the columns from r · m on, in which K_r is F_r F_rᵀ. They take no memory
/// that grows with the samples.
#[derive(Debug)]
pub struct Projected {
    count: usize,
    columns: usize,
    samples: usize,
    own: Features,
    other: Option<Features>,
    /// F ᵀ F′.
    both: Option<Mat<f64>>,
    /// For each class, the sum of its samples.
    of_classes: Option<Vec<Vec<f64>>>,
    class_sizes: Vec<usize>,
}

#[derive(Debug)]
struct Features {
    /// FᵀF.
    gram: Mat<f64>,
    /// Fᵀ 1.
    sum: Vec<f64>,
}

impl Features {
    fn new(columns: usize) -> Self {
        Self { gram: Mat::zeros(columns, columns), sum: vec![0.0; columns] }
    }

    fn add(&mut self, features: &[f64]) {
        let columns = self.sum.len();
        let rows = MatRef::from_row_major_slice(features, features.len() / columns, columns);
        self.gram += product(rows.transpose(), rows);
        for row in features.chunks_exact(columns) {
            self.sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    }
}

impl Projected {
    /// Begins sums of `count` draws with `columns` columns each, with labels of `classes` classes and with another network if it
    /// is so said.
    pub fn new(count: usize, columns: usize, classes: Option<usize>, with_other: bool) -> Self {
        let all = count * columns;
        Self {
            count,
            columns,
            samples: 0,
            own: Features::new(all),
            other: with_other.then(|| Features::new(all)),
            both: with_other.then(|| Mat::zeros(all, all)),
            of_classes: classes.map(|classes| vec![vec![0.0; all]; classes]),
            class_sizes: vec![0; classes.unwrap_or(0)],
        }
    }

    /// Adds samples: their features, row-major, their labels, and the features of the other network, which are those in its
    /// sums.
    pub fn add(&mut self, features: &[f64], labels: &[usize], other: &[f64]) {
        let all = self.count * self.columns;
        let samples = features.len() / all;
        self.samples += samples;
        self.own.add(features);
        if let (Some(sums), Some(both)) = (&mut self.other, &mut self.both) {
            sums.add(other);
            let rows = |features| MatRef::from_row_major_slice(features, samples, all);
            *both += product(rows(features).transpose(), rows(other));
        }
        if let Some(sums) = &mut self.of_classes {
            for (row, &label) in features.chunks_exact(all).zip(labels) {
                sums[label].iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                self.class_sizes[label] += 1;
            }
        }
    }

    /// Returns ⟨K_r, K_s⟩ = ‖F_rᵀ F′_s‖² of all pairs of draws.
    fn inner(&self, between: &Mat<f64>) -> Mat<f64> {
        let m = self.columns;
        let square = |row: usize, column: usize| {
            let entries = (0..m * m).map(|at| between[(row * m + at / m, column * m + at % m)]);
            entries.map(|value| value * value).sum()
        };
        Mat::from_fn(self.count, self.count, square)
    }

    /// Returns the estimates.
    ///
    /// # Errors
    /// If the eigen-solver does not converge.
    pub fn estimates(&self) -> Result<Vec<Estimate>, String> {
        let (m, count) = (self.columns, self.count);
        let centred = |between: &Mat<f64>, a: &[f64], b: &[f64]| {
            let n = self.samples as f64;
            let entry = |row: usize, column: usize| between[(row, column)] - a[row] * b[column] / n;
            self.inner(&Mat::from_fn(count * m, count * m, entry))
        };
        let trace = |draw: usize| (draw * m..(draw + 1) * m).map(|at| self.own.gram[(at, at)]).sum();
        let norm = self.class_sizes.iter().map(|&size| (size * size) as f64).sum::<f64>().sqrt();
        let along = |sums: &Vec<Vec<f64>>| {
            let of = |draw: usize| {
                let square =
                    |sum: &Vec<f64>| sum[draw * m..(draw + 1) * m].iter().map(|value| value * value).sum::<f64>();
                sums.iter().map(square).sum::<f64>() / norm
            };
            (0..count).map(of).collect()
        };
        let products = Products {
            trace: (0..count).map(trace).collect(),
            along: self.of_classes.as_ref().map(along),
            own: self.inner(&self.own.gram),
            centred: self.other.as_ref().zip(self.both.as_ref()).map(|(other, both)| {
                [
                    centred(&self.own.gram, &self.own.sum, &self.own.sum),
                    centred(both, &self.own.sum, &other.sum),
                    centred(&other.gram, &other.sum, &other.sum),
                ]
            }),
        };
        let mean = |without: Option<usize>| {
            let left: Vec<usize> = (0..count * m).filter(|at| Some(at / m) != without).collect();
            let over = (count - usize::from(without.is_some())) as f64;
            let side = left.len();
            let entry = |at: usize| self.own.gram[(left[at / side], left[at % side])] / over;
            let found = Gram::symmetrised(side, (0..side * side).map(entry).collect());
            found.expect("features are checked to be finite").0
        };
        let spectral = spectral(count, count * m, count * m, mean)?;
        Ok([products.estimates(), spectral.to_vec()].concat())
    }
}
