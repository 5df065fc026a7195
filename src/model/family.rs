//! Families of networks that other programs save under different tensor names, and the default lookup for all others.

use strum::EnumString;

use super::names::{Found, Place, Shapes};
use crate::run::printable;

/// A network that other programs save under different tensor names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Family {
    Mlp,
    Cnn,
    ResMlp,
    Transformer,
    Rnn,
}

impl Family {
    /// Returns the family of the network of this name, if it has one.
    pub fn of(program: &str) -> Option<Self> {
        program.parse().ok()
    }

    /// Returns the name for messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mlp => "a network of dense layers (fc1, fc2, …; with ln1, ln2, … or without)",
            Self::Cnn => "a convolutional network (conv1, conv2, …, fc)",
            Self::ResMlp => "a residual MLP (embed, blocks.i.{ln,fc1,fc2}, ln_f, head; or blocks.i.fc and no ln_f)",
            Self::Transformer => {
                "a transformer (embed, pos, blocks.i.{ln1,attn.q,attn.k,attn.v,attn.o,ln2,fc1,fc2}, ln_f, head)"
            }
            Self::Rnn => "a recurrent network (rnn.weight_ih, rnn.bias_ih, rnn.weight_hh, head)",
        }
    }
}

/// Finds the tensors of a network without a family: under their own names behind a common prefix, recognised by `is_ours`.
/// The batch counter of a BatchNorm is ignored.
pub fn find_own(shapes: &Shapes, is_ours: impl Fn(&str) -> bool) -> Found {
    let counted: Vec<&String> = shapes.keys().filter(|name| !name.ends_with(COUNTED)).collect();
    let first = counted.first().map_or("", |name| name.as_str());
    let ends = std::iter::once(0).chain(first.match_indices('.').map(|(at, _)| at + 1));
    let known = |end: &usize| {
        let rest = |name: &&String| name.strip_prefix(&first[..*end]).is_some_and(&is_ours);
        counted.iter().copied().filter(|name| rest(name)).count()
    };
    let end = ends.max_by_key(|end| (known(end), std::cmp::Reverse(*end))).unwrap_or(0);
    let prefix = &first[..end];
    let mut notes = Vec::new();
    if !prefix.is_empty() {
        notes.push(format!("took “{}” off all names", printable(prefix)));
    }
    let place = |name: &&String| Place {
        ours: name.strip_prefix(prefix).unwrap_or(name).to_owned(),
        theirs: (*name).clone(),
        third: None,
    };
    (counted.iter().map(place).collect(), notes)
}

/// Suffix of the tensor with which a BatchNorm counts its batches.
const COUNTED: &str = ".num_batches_tracked";
