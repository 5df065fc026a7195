//! The program of a weights file: that of a network whose tensors are those of the file, by name and shape.
//!
//! Widths are read off the shapes while the program is written ([`crate::spec::Builder::adopting`]); how many layers there are and
//! which of them, by trying.

use std::sync::Arc;

use super::source::WeightsError;
use super::stored::Stored;
use crate::spec::ops::Parameter;
use crate::spec::{Head, NetworkKind, NetworkSpec, Norm, Program, Said};

/// The program of the network in a file, what its tensors tell of it, and the file to read them from.
pub(super) fn open<'a>(
    spec: &'a NetworkSpec,
    parts: &'a [Vec<u8>],
    image: [usize; 3],
) -> Result<(Program, Said, Stored<'a>), WeightsError> {
    let stored = Stored::open(parts, spec)?;
    let shapes = Arc::new(stored.shapes());
    let mut best: Option<(usize, NetworkSpec, Program)> = None;
    let mut refused = None;
    for candidate in candidates(spec) {
        match candidate.adopting(image, &shapes) {
            Ok(program) => {
                let there = |tensor: &&Parameter| shapes.get(&tensor.name).is_some_and(|shape| *shape == tensor.shape);
                let found = program.tensors.iter().filter(there).count();
                let cost = program.tensors.len() + shapes.len() - 2 * found;
                if best.as_ref().is_none_or(|(least, _, _)| cost < *least) {
                    best = Some((cost, candidate, program));
                }
            }
            Err(why) => refused = Some(why),
        }
    }
    let Some((_, fitted, program)) = best else {
        return Err(WeightsError::Unfit(refused.unwrap_or_default()));
    };
    Ok((program, told(&fitted), stored))
}

fn told(fitted: &NetworkSpec) -> Said {
    match fitted.kind {
        NetworkKind::Mlp | NetworkKind::ResMlp => Said { norm: Some(fitted.norm()), ..Said::default() },
        NetworkKind::Cnn => Said { head: Some(fitted.head), ..Said::default() },
        NetworkKind::Transformer => Said { patch: Some(fitted.patch), ..Said::default() },
        NetworkKind::Rnn => Said::default(),
    }
}

fn candidates(spec: &NetworkSpec) -> Vec<NetworkSpec> {
    let mut all = vec![spec.clone()];
    let vary = |all: Vec<NetworkSpec>, each: &dyn Fn(&NetworkSpec) -> Vec<NetworkSpec>| {
        all.iter().flat_map(each).collect::<Vec<_>>()
    };
    match spec.kind {
        NetworkKind::Mlp => {
            all = vary(all, &|spec| (1..=6).map(|depth| NetworkSpec { depth, ..spec.clone() }).collect());
            all = vary(all, &|spec| {
                [Norm::None, Norm::Layer].map(|norm| NetworkSpec { norm: Some(norm), ..spec.clone() }).into()
            });
        }
        NetworkKind::Cnn => {
            all = vary(all, &|spec| [2, 4].map(|depth| NetworkSpec { depth, ..spec.clone() }).into());
            all =
                vary(all, &|spec| [Head::Flatten, Head::Mean].map(|head| NetworkSpec { head, ..spec.clone() }).into());
        }
        NetworkKind::ResMlp => {
            all = vary(all, &|spec| (1..=12).map(|blocks| NetworkSpec { blocks, ..spec.clone() }).collect());
            all = vary(all, &|spec| {
                [Norm::None, Norm::Layer].map(|norm| NetworkSpec { norm: Some(norm), ..spec.clone() }).into()
            });
        }
        NetworkKind::Transformer => {
            all = vary(all, &|spec| (1..=12).map(|blocks| NetworkSpec { blocks, ..spec.clone() }).collect());
            all = vary(all, &|spec| (1..=16).map(|patch| NetworkSpec { patch, ..spec.clone() }).collect());
        }
        NetworkKind::Rnn => {}
    }
    all
}
