//! The five networks that are written in Rust, and what the settings of their texts mean for them.

use crate::spec::{NetworkSpec, Setting};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    Mlp,
    Cnn,
    ResMlp,
    Transformer,
    Rnn,
}

/// What a 2 × 2 square of pixels becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    Max,
    Avg,
    None,
}

/// What the last layer of a convolutional network reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    Flatten,
    Mean,
}

impl NetworkKind {
    pub fn of(spec: &NetworkSpec) -> Self {
        match spec.program.as_str() {
            "cnn" => Self::Cnn,
            "resmlp" => Self::ResMlp,
            "transformer" => Self::Transformer,
            "rnn" => Self::Rnn,
            _ => Self::Mlp,
        }
    }
}

pub fn count(spec: &NetworkSpec, name: &str) -> usize {
    match spec.setting(name) {
        Some(Setting::Whole(number)) => usize::try_from(number).unwrap_or(0),
        _ => 0,
    }
}

pub fn is(spec: &NetworkSpec, name: &str, word: &str) -> bool {
    spec.setting(name) == Some(Setting::Word(word.to_owned()))
}

pub fn pool(spec: &NetworkSpec) -> Pool {
    match spec.setting("pool") {
        Some(Setting::Word(word)) if word == "avg" => Pool::Avg,
        Some(Setting::Word(word)) if word == "none" => Pool::None,
        _ => Pool::Max,
    }
}

pub fn head(spec: &NetworkSpec) -> Head {
    if is(spec, "head", "mean") { Head::Mean } else { Head::Flatten }
}
