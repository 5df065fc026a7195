//! Estimates figures of a kernel without forming it, with the exact ones beside them where memory holds the kernel.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::{Gram, GramError, panic_message};
use crate::math::Gram as Matrix;
use crate::math::estimate::{Estimate, Figure, draws, exact, hutch, signs};
use crate::model::Network;
use crate::ntk::{layerwise, vector_products};

/// The method of an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimateMethod {
    /// Kernels of random combinations of the logits, Σ_c z_c f_c with signs z: less time where there are many classes.
    RandomLogits,
    /// Gradients projected to random directions: memory that does not grow with the inputs.
    Projected,
    /// Products of the kernel with vectors.
    HutchPlusPlus,
}

/// A request for estimates.
#[derive(Clone, Copy)]
pub struct EstimateRequest<'a> {
    pub method: EstimateMethod,
    /// Independent draws, from which the intervals are.
    pub draws: usize,
    /// Directions of each draw of projected gradients; chosen by the number of classes if `None`.
    pub directions: Option<usize>,
    pub seed: u64,
    /// The class of each input.
    pub labels: Option<&'a [usize]>,
    /// The other network, from whose kernel the distance is.
    pub other: Option<&'a Gram>,
}

/// A figure, its estimate and, where memory holds the kernel, the exact number.
#[derive(Clone, Copy, Debug)]
pub struct EstimatedFigure {
    pub estimate: Estimate,
    pub exact: Option<f64>,
}

/// Estimated figures.
#[derive(Clone, Debug)]
pub struct Estimates {
    pub figures: Vec<EstimatedFigure>,
    pub seconds: f64,
    /// Seconds of the exact kernels and their figures, if memory holds them.
    pub exact_seconds: Option<f64>,
    /// What was drawn.
    pub words: String,
}

/// The number of columns of projected gradients that is chosen if none is given: their eigenvalues without each draw take seconds.
const COLUMNS: usize = 1024;
/// Largest number of rows of a kernel whose exact figures are computed: eigenvalues grow with the cube.
const MOST_ROWS: usize = 4096;
/// The kinds of random signs: those of logits.
const LOGITS: u64 = 0;

impl Gram {
    /// Estimates figures of the trace kernel, and computes them where memory holds it.
    ///
    /// # Errors
    /// When memory cannot hold what the method needs, when what is computed is not finite, or when a device other than the
    /// processor fails.
    pub fn estimate(&self, request: &EstimateRequest<'_>) -> Result<Estimates, GramError> {
        if let Some(other) = request.other.filter(|other| other.tensors != self.tensors) {
            return Err(GramError::OtherNetwork(other.tensors.len(), self.tensors.len()));
        }
        let estimate = || self.estimated(request);
        let began = Instant::now();
        let (found, words) = if self.is_on_host() {
            estimate()?
        } else {
            catch_unwind(AssertUnwindSafe(estimate))
                .map_err(|panic| GramError::Device(panic_message(panic.as_ref())))??
        };
        let seconds = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let known = self.exact_figures(request)?;
        let exact_seconds = known.as_ref().map(|_| began.elapsed().as_secs_f64());
        let figure = |estimate: Estimate| {
            let exact = known.iter().flatten().find(|(figure, _)| *figure == estimate.figure);
            EstimatedFigure { estimate, exact: exact.map(|(_, value)| *value) }
        };
        let mut figures: Vec<EstimatedFigure> = found.into_iter().map(figure).collect();
        figures.sort_by_key(|found| found.estimate.figure);
        Ok(Estimates { figures, seconds, exact_seconds, words })
    }

    /// Returns the number of directions of a draw of projected gradients.
    fn directions(&self, request: &EstimateRequest<'_>) -> usize {
        request.directions.unwrap_or_else(|| (COLUMNS / (request.draws * self.classes())).max(1))
    }

    fn estimated(&self, request: &EstimateRequest<'_>) -> Result<(Vec<Estimate>, String), GramError> {
        let ([n, _], classes, count) = (self.images.dims(), self.classes(), request.draws);
        let networks: Vec<&Self> = std::iter::once(self).chain(request.other).collect();
        match request.method {
            EstimateMethod::RandomLogits => {
                let bytes = 8.0 * (n * n) as f64 * (3 * networks.len() * count + 2) as f64;
                self.check_room(bytes, "--estimate projected or hutch++, which hold no kernel")?;
                let scaled = |place: usize| {
                    let signs = signs(request.seed, LOGITS, place as u64, classes);
                    signs.iter().map(|sign| (sign / (classes as f64).sqrt()) as f32).collect::<Vec<f32>>()
                };
                let combinations: Vec<Vec<f32>> = (0..count).map(scaled).collect();
                let mut kernels = networks.iter().map(|gram| {
                    let (network, images, request) = (&gram.network, &gram.images, &gram.request);
                    let drawn = layerwise::measure_combinations(network, images, &combinations, request, &|| false);
                    let drawn = drawn.expect("nobody can cancel it");
                    drawn.iter().try_for_each(|kernel| gram.check_finite(kernel, n))?;
                    Ok::<_, GramError>(drawn)
                });
                let own = kernels.next().expect("there is this network")?;
                let other = kernels.next().transpose()?;
                let found = draws::of_kernels(n, &own, request.labels, other.as_deref());
                Ok((found.map_err(GramError::Solver)?, format!("{count} random combinations of {classes} logits")))
            }
            EstimateMethod::Projected => {
                let each = self.directions(request);
                let columns = count * each * classes;
                // Where there are fewer inputs than columns, the kernels of the draws are smaller than the sums.
                let is_small = n <= columns;
                let (side, matrices) = if is_small { (n, 3 * count) } else { (columns, 2) };
                let bytes = 8.0 * (side * side * matrices * networks.len()) as f64;
                self.check_room(bytes, "fewer --directions")?;
                let of_labels = request.labels.map(|labels| labels.iter().max().map_or(0, |most| most + 1));
                let mut sums = draws::Projected::new(count, each * classes, of_labels, request.other.is_some());
                let scale = 1.0 / ((each * classes) as f64).sqrt();
                let directions = (count * each, request.seed);
                let (mut wrong, mut all) = (None, vec![Vec::new(); 2]);
                let take = &mut |first: usize, features: Vec<Vec<f64>>| {
                    let scaled = features.into_iter().map(|mut features| {
                        features.iter_mut().for_each(|value| *value *= scale);
                        features
                    });
                    let features: Vec<Vec<f64>> = scaled.collect();
                    let rows = features[0].len() / columns;
                    if let Some(at) = features.iter().flatten().position(|value| !value.is_finite()) {
                        wrong = wrong.or(Some(first + at / columns % rows));
                    }
                    let labels = request.labels.map_or(&[][..], |labels| &labels[first..first + rows]);
                    if is_small {
                        all.iter_mut().zip(features).for_each(|(all, features)| all.extend(features));
                    } else {
                        sums.add(&features[0], labels, features.get(1).map_or(&[][..], Vec::as_slice));
                    }
                };
                let networks: Vec<&Network> = networks.iter().map(|gram| &gram.network).collect();
                let (images, parts) = (&self.images, &self.request);
                let drawn = vector_products::projected(&networks, images, parts, directions, take, &|| false);
                drawn.expect("nobody can cancel it");
                if let Some(row) = wrong {
                    return Err(self.not_finite(row, row));
                }
                let found = if is_small {
                    let other = request.other.map(|_| &all[1][..]);
                    draws::of_features(count, (n, &all[0]), request.labels, other)
                } else {
                    sums.estimates()
                };
                let words = format!("{count} draws of {each} random directions of {} parameters", self.parameters());
                Ok((found.map_err(GramError::Solver)?, words))
            }
            EstimateMethod::HutchPlusPlus => {
                self.check_range()?;
                let kernel = |gram: &Self, vectors: faer::MatRef<'_, f64>| {
                    vector_products::product(&gram.network, &gram.images, &gram.request, vectors, &|| false)
                };
                let own = |vectors: faer::MatRef<'_, f64>| kernel(self, vectors);
                let other = request.other.map(|other| move |vectors: faer::MatRef<'_, f64>| kernel(other, vectors));
                let other = other.as_ref().map(|other| other as hutch::Product<'_>);
                let found = hutch::estimates(n, &own, request.labels, other, (count, request.seed));
                let found = found.expect("nobody can cancel it");
                if found.iter().any(|found| found.figure == Figure::Trace && !found.value.is_finite()) {
                    return Err(self.not_finite(0, 0));
                }
                let products = hutch::products(count, request.labels.map_or(0, |_| classes), request.other.is_some());
                let products = products.0 + products.1;
                Ok((found, format!("{count} random vectors, {products} products with vectors and those of Lanczos")))
            }
        }
    }

    /// Computes the exact figures if memory holds the kernels.
    fn exact_figures(&self, request: &EstimateRequest<'_>) -> Result<Option<Vec<(Figure, f64)>>, GramError> {
        let [n, _] = self.images.dims();
        if n > MOST_ROWS || self.check_memory(false).is_err() {
            return Ok(None);
        }
        let kernel = |gram: &Self| {
            let (matrix, _) = Matrix::symmetrised(n, gram.measure()?.values)
                .map_err(|at| GramError::NotFinite { row: at.row, column: at.column })?;
            Ok::<Matrix, GramError>(matrix)
        };
        let other = request.other.map(kernel).transpose()?;
        exact(&kernel(self)?, request.labels, other.as_ref()).map(Some).map_err(GramError::Solver)
    }

    fn check_finite(&self, kernel: &[f64], n: usize) -> Result<(), GramError> {
        match kernel.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(self.not_finite(at / n, at % n)),
            None => Ok(()),
        }
    }
}
