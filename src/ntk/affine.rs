//! Defines what the sides of an affine layer share: its gains, and the layout of its weights.

/// Holds the squared gains c_w² and c_b² of an affine layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gains {
    pub weight: f64,
    pub bias: f64,
}

/// Transposes [fan_in, fan_out] to [fan_out, fan_in].
pub(super) fn turned(values: &[f32], fan_in: usize, fan_out: usize) -> Vec<f32> {
    (0..values.len()).map(|at| values[at % fan_in * fan_out + at / fan_in]).collect()
}
