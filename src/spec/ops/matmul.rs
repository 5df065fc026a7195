//! The product of two values as matrices.

use super::{Operation, shown};
use crate::spec::Layer;

/// The products a b of matrices: [..., m, k] and [..., k, n] with the same leading axes give [..., m, n].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatMul;

/// Largest number of leading axes.
const MOST_LEADING: usize = 3;

impl MatMul {
    /// Returns the number of products and the sides m, k and n of the matrices; `None` where the shapes do not fit.
    pub fn sizes(inputs: &[&[usize]]) -> Option<[usize; 4]> {
        let [[leading @ .., m, k], [others @ .., inner, n]] = inputs else { return None };
        let fits = leading == others && k == inner && leading.len() <= MOST_LEADING;
        fits.then(|| [leading.iter().product(), *m, *k, *n])
    }
}

impl Operation for MatMul {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let [a, b] = inputs else { return Err("two values are needed".to_owned()) };
        let Some([_, _, _, n]) = Self::sizes(inputs) else {
            return Err(format!(
                "{} and {} cannot be multiplied as matrices: [..., m, k] and [..., k, n] can, with at most {MOST_LEADING} \
                 equal sides before them",
                shown(a),
                shown(b)
            ));
        };
        let mut shape = a.to_vec();
        shape.pop();
        shape.push(n);
        Ok(shape)
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let [products, rows, inner, columns] = Self::sizes(inputs)?;
        Some(Layer::Product { products, rows, inner, columns })
    }

    fn sign(&self) -> &'static str {
        "@"
    }
}
