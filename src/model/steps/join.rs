//! Sums: of two signals (a residual connection), and over positions (the mean before a head).

use crate::model::Cotangent;
use crate::model::tape::Backward;

/// The way back through a + b: the cotangent goes both ways.
pub struct Add;

impl Backward for Add {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent.clone(), cotangent]
    }
}

/// The way back through the mean over positions, `[positions, f]` to `[f]`: each gets its share.
pub struct PositionMean {
    pub positions: usize,
}

impl Backward for PositionMean {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let share = 1.0 / self.positions as f64;
        vec![match cotangent {
            Cotangent::Shared(direction) => Cotangent::Shared((direction * share).repeat_dim(1, self.positions)),
            other => Cotangent::Dense((other.dense(n) * share).repeat_dim(2, self.positions)),
        }]
    }
}

/// The way back through the mean over pixels, `[channels, pixels]` to `[channels]`: each gets its share.
pub struct PixelMean {
    pub pixels: usize,
}

impl Backward for PixelMean {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let share = 1.0 / self.pixels as f64;
        vec![match cotangent {
            Cotangent::Shared(direction) => {
                let [directions, channels] = direction.dims();
                let spread = (direction * share).unsqueeze_dim::<3>(2).repeat_dim(2, self.pixels);
                Cotangent::Shared(spread.reshape([directions, channels * self.pixels]))
            }
            other => {
                let dense = other.dense(n);
                let [n, directions, channels] = dense.dims();
                let spread = (dense * share).unsqueeze_dim::<4>(3).repeat_dim(3, self.pixels);
                Cotangent::Dense(spread.reshape([n, directions, channels * self.pixels]))
            }
        }]
    }
}
