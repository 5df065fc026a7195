//! Estimates from products of the kernel with vectors: Hutch++ (Meyer, Musco, Musco & Woodruff 2021) for the trace and the norm,
//! and stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017) for the effective rank.
//!
//! A few products with random vectors span a space Q in which most of the kernel lies; there trace and norm are exact, and only
//! what is left outside is estimated, from random vectors without their part in Q. The constant vector is in Q, so that the same
//! products give centred kernels. The alignment's numerator is exact: it takes one product for each class.

use faer::{Mat, MatRef};

use super::{Estimate, Figure, jackknife, means, signs};
use crate::math::deterministic_product::product;
use crate::math::lanczos;

/// The number of products that span the space in which the kernel is exact.
pub const SKETCH: usize = 16;
/// The number of steps of a quadrature.
const STEPS: usize = 12;

/// Computes the products of a kernel with the columns of a matrix; `None` ends the computation.
pub type Product<'a> = &'a dyn Fn(MatRef<'_, f64>) -> Option<Mat<f64>>;

/// Returns the number of products of the kernel, and of the other one.
pub fn products(draws: usize, classes: usize, with_other: bool) -> (usize, usize) {
    let once = SKETCH + 1 + draws;
    (SKETCH + once + classes + (SKETCH + 1 + draws) * STEPS, if with_other { once } else { 0 })
}

/// Estimates from products of a kernel with n rows; and of the kernel of another network. `None` if a product is.
pub fn estimates(
    n: usize,
    kernel: Product<'_>,
    labels: Option<&[usize]>,
    other: Option<Product<'_>>,
    (draws, seed): (usize, u64),
) -> Option<Vec<Estimate>> {
    let random = |kind: u64, count: usize| {
        let columns: Vec<Vec<f64>> = (0..count as u64).map(|place| signs(seed, kind, place, n)).collect();
        Mat::from_fn(n, count, |row, column| columns[column][row])
    };
    let inside = kernel(random(1, SKETCH.min(n - 1)).as_ref())?;
    let q = basis(&inside);
    let vectors = random(2, draws);
    let outside = &vectors - product(q.as_ref(), product(q.transpose(), vectors.as_ref()).as_ref());
    let (kq, kg) = (kernel(q.as_ref())?, kernel(outside.as_ref())?);
    // Sums inside Q from this column on, and the term of each draw.
    let sums = |a: [&Mat<f64>; 2], b: [&Mat<f64>; 2], first: usize| {
        let inside: f64 = (first..q.ncols()).map(|column| dot(a[0], b[0], column)).sum();
        let (mean, without) = means(&(0..draws).map(|draw| dot(a[1], b[1], draw)).collect::<Vec<f64>>());
        (inside + mean, without.into_iter().map(|mean| inside + mean).collect::<Vec<f64>>())
    };
    let trace = sums([&q, &outside], [&kq, &kg], 0);
    let (square, squares) = sums([&kq, &kg], [&kq, &kg], 0);
    let norms: Vec<f64> = squares.iter().map(|square| square.sqrt()).collect();
    let mut found =
        vec![jackknife(Figure::Trace, trace.0, &trace.1), jackknife(Figure::Frobenius, square.sqrt(), &norms)];
    if let Some(labels) = labels {
        let classes = labels.iter().max().map_or(0, |most| most + 1);
        let one_hot = Mat::from_fn(n, classes, |row, class| f64::from(u8::from(labels[row] == class)));
        let turned = kernel(one_hot.as_ref())?;
        let along = (0..classes).map(|class| dot(&one_hot, &turned, class)).sum::<f64>() / label_gram_norm(labels);
        let without: Vec<f64> = norms.iter().map(|norm| along / norm).collect();
        found.push(jackknife(Figure::Alignment, along / square.sqrt(), &without));
    }
    if let Some(other) = other {
        let own = [centred(&kq), centred(&kg)];
        let other = [centred(&other(q.as_ref())?), centred(&other(outside.as_ref())?)];
        let (own, other) = ([&own[0], &own[1]], [&other[0], &other[1]]);
        let [a, b, c] = [sums(own, other, 1), sums(own, own, 1), sums(other, other, 1)];
        let apart = |both: f64, own: f64, other: f64| 1.0 - both / (own * other).sqrt();
        let without: Vec<f64> = (0..draws).map(|draw| apart(a.1[draw], b.1[draw], c.1[draw])).collect();
        found.push(jackknife(Figure::Distance, apart(a.0, b.0, c.0), &without));
    }
    let single = |vector: &[f64], into: &mut [f64]| {
        let product = kernel(MatRef::from_column_major_slice(vector, n, 1)).ok_or(())?;
        into.iter_mut().zip(product.col_as_slice(0)).for_each(|(into, value)| *into = *value);
        Ok::<(), ()>(())
    };
    // Without one after 160 steps there is no number.
    if let Some(largest) = lanczos::largest_of(n, single).ok()? {
        let why = "by Lanczos: an eigenvalue lies within 1e-4 of it, which is a bound and no interval of draws";
        found.push(Estimate::without_interval(Figure::LambdaMax, largest, why));
    }
    found.push(effective_rank(&q, &outside, kernel)?);
    Some(found)
}

/// Computes exp(ln T − Σ λ ln λ / T) from quadratures of λ and of λ ln λ: along each vector of Q, which sum to what is inside, and
/// along the random vectors outside.
fn effective_rank(q: &Mat<f64>, outside: &Mat<f64>, kernel: Product<'_>) -> Option<Estimate> {
    let inside = q.ncols();
    let entry = |row: usize, column: usize| match column.checked_sub(inside) {
        None => q[(row, column)],
        Some(column) => outside[(row, column)],
    };
    let vectors = Mat::from_fn(q.nrows(), inside + outside.ncols(), entry);
    let rules = quadratures(&vectors, kernel)?;
    let sums = |function: fn(f64) -> f64| {
        let along = |(column, rule): (usize, &Vec<(f64, f64)>)| {
            let sum: f64 = rule.iter().map(|(node, weight)| weight * function(*node)).sum();
            dot(&vectors, &vectors, column) * sum
        };
        let terms: Vec<f64> = rules.iter().enumerate().map(along).collect();
        let fixed: f64 = terms[..inside].iter().sum();
        let (mean, without) = means(&terms[inside..]);
        (fixed + mean, without.into_iter().map(|mean| fixed + mean).collect::<Vec<f64>>())
    };
    let (trace, entropy) = (sums(|node| node), sums(|node| if node > 0.0 { node * node.ln() } else { 0.0 }));
    let rank = |trace: f64, entropy: f64| (trace.ln() - entropy / trace).exp();
    let without: Vec<f64> = trace.1.iter().zip(&entropy.1).map(|(trace, entropy)| rank(*trace, *entropy)).collect();
    Some(jackknife(Figure::EffectiveRank, rank(trace.0, entropy.0), &without))
}

/// Computes the nodes and weights of the Gauss quadrature of each column: the Lanczos iterations from all of them go together.
fn quadratures(vectors: &Mat<f64>, kernel: Product<'_>) -> Option<Vec<Vec<(f64, f64)>>> {
    let (n, count) = (vectors.nrows(), vectors.ncols());
    let steps = STEPS.min(n);
    let norm = |vector: &[f64]| lanczos::dot(vector, vector).sqrt();
    // A vector of zeros, of what is outside of a space that is everything, stays one.
    let unit = |vector: &[f64]| {
        let length = Some(norm(vector)).filter(|length| *length > 0.0).unwrap_or(1.0);
        vector.iter().map(|value| value / length).collect::<Vec<f64>>()
    };
    let mut bases: Vec<Vec<Vec<f64>>> = (0..count).map(|at| vec![unit(vectors.col_as_slice(at))]).collect();
    let (mut diagonals, mut besides) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    // Iterations that have exhausted their space go on with zeros and stay as they are.
    let mut is_over = vec![false; count];
    for step in 0..steps {
        let last = Mat::from_fn(n, count, |row, column| bases[column].last().map_or(0.0, |vector| vector[row]));
        let products = kernel(last.as_ref())?;
        for column in (0..count).filter(|column| !is_over[*column]).collect::<Vec<_>>() {
            let mut next = products.col_as_slice(column).to_vec();
            let along = lanczos::dot(&next, &bases[column][step]);
            diagonals[column].push(along);
            for _ in 0..2 {
                for vector in &bases[column] {
                    let along = lanczos::dot(vector, &next);
                    next.iter_mut().zip(vector).for_each(|(value, part)| *value -= along * part);
                }
            }
            let beside = norm(&next);
            // What is left is rounding of the products, which may be of 32 bits.
            is_over[column] = beside <= 1e-7 * diagonals[column].iter().fold(0.0f64, |most, value| most.max(*value));
            if !is_over[column] && step + 1 < steps {
                besides[column].push(beside);
                bases[column].push(unit(&next));
            }
        }
    }
    diagonals.iter().zip(&besides).map(|(diagonal, beside)| lanczos::quadrature(diagonal, beside)).collect()
}

/// Returns an orthonormal basis of the constant vector and these columns; a column that adds nothing is left out.
fn basis(columns: &Mat<f64>) -> Mat<f64> {
    let n = columns.nrows();
    let mut found = vec![vec![1.0 / (n as f64).sqrt(); n]];
    for at in 0..columns.ncols() {
        let mut column = columns.col_as_slice(at).to_vec();
        let whole = lanczos::dot(&column, &column).sqrt();
        for _ in 0..2 {
            for vector in &found {
                let along = lanczos::dot(vector, &column);
                column.iter_mut().zip(vector).for_each(|(value, part)| *value -= along * part);
            }
        }
        let left = lanczos::dot(&column, &column).sqrt();
        if left > 1e-6 * whole {
            column.iter_mut().for_each(|value| *value /= left);
            found.push(column);
        }
    }
    Mat::from_fn(n, found.len(), |row, column| found[column][row])
}

fn dot(a: &Mat<f64>, b: &Mat<f64>, column: usize) -> f64 {
    lanczos::dot(a.col_as_slice(column), b.col_as_slice(column))
}

/// Subtracts the mean of each column.
fn centred(columns: &Mat<f64>) -> Mat<f64> {
    let n = columns.nrows();
    let means: Vec<f64> =
        (0..columns.ncols()).map(|at| columns.col_as_slice(at).iter().sum::<f64>() / n as f64).collect();
    Mat::from_fn(n, columns.ncols(), |row, column| columns[(row, column)] - means[column])
}

/// Returns ‖YYᵀ‖ from the sizes of the classes.
fn label_gram_norm(labels: &[usize]) -> f64 {
    let mut sizes = vec![0usize; labels.iter().max().map_or(0, |most| most + 1)];
    labels.iter().for_each(|label| sizes[*label] += 1);
    sizes.iter().map(|size| (size * size) as f64).sum::<f64>().sqrt()
}
