//! Multi-head attention: softmax(q k′ · scale) v in each head.

use super::{Operation, shown};
use crate::spec::Layer;

/// Multi-head attention of q, k and v, [tokens, width] each; the scale is 1/√d_head in SP and 1/d_head in NTP (Yang 2019).
/// q may have other tokens than k and v.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    pub heads: usize,
    /// If true, a token attends only to itself and the tokens before it.
    pub masked: bool,
}

impl Operation for Attention {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let [q, k, v] = inputs else { return Err("attention reads queries, keys and values".to_owned()) };
        let fits = q.len() == 2 && k.len() == 2 && v.len() == 2 && q[1] == k[1] && k[0] == v[0];
        if !fits || (self.masked && q[0] != k[0]) {
            let [q, k, v] = [q, k, v].map(|shape| shown(shape));
            return Err(format!(
                "attention reads tokens that fit each other, not queries {q}, keys {k} and values {v}"
            ));
        }
        let (heads, width) = (self.heads, q[1]);
        if heads == 0 || width % heads != 0 || v[1] % heads != 0 {
            return Err(format!(
                "{heads} attention heads cannot share {width} features: take a number that divides them"
            ));
        }
        Ok(vec![q[0], v[1]])
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let [q, _, _] = inputs else { return None };
        let &[tokens, width] = *q else { return None };
        Some(Layer::Attention { tokens, width, heads: self.heads })
    }

    fn sign(&self) -> &'static str {
        "attn"
    }
}
