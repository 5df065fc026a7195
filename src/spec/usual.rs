//! What a kind of network brings with it: the sizes and the activation that it usually has.
//!
//! A size belongs to the kind that it was given for: 256 units make a small MLP, and 256 channels a CNN that nobody waits for.
//! So a file that names a kind gets the usual sizes of that kind where it gives none, and a change of kind takes over the usual
//! sizes of the new one in the place of those that were the usual ones of the old. What was given otherwise, or is given in the
//! same list of settings, stays.

use serde::Deserialize as _;
use toml::{Table, Value};

use super::{NetworkKind, NetworkSpec, Norm, Parametrisation, Pool, Spec, SpecError};

/// The settings that a kind brings.
const BROUGHT: [&str; 8] = ["width", "depth", "blocks", "heads", "patch", "pool", "head", "activation"];

impl NetworkKind {
    pub const ALL: [Self; 5] = [Self::Mlp, Self::Cnn, Self::ResMlp, Self::Transformer, Self::Rnn];

    /// The share that its training and its kernels reach of the speed of large matrix products, roughly: small products, and what
    /// is done entry by entry between them. Measured on the usual sizes, one epoch and a half with 80 probes.
    pub fn reaches(self) -> f64 {
        match self {
            Self::Mlp | Self::ResMlp => 0.4,
            Self::Cnn => 0.17,
            Self::Rnn => 0.11,
            Self::Transformer => 0.05,
        }
    }

    /// The settings that this kind brings, by name.
    fn brought(self) -> Table {
        let whole = Table::try_from(NetworkSpec::of(self)).expect("a usual network holds only small numbers and words");
        whole.into_iter().filter(|(key, _)| BROUGHT.contains(&key.as_str())).collect()
    }
}

impl NetworkSpec {
    /// This network as one of another kind: what was the usual value of the old kind becomes that of the new one, except for the
    /// settings that `given` names.
    pub fn turned(&self, kind: NetworkKind, given: &dyn Fn(&str) -> bool) -> Self {
        let turned = Self { kind, ..self.clone() };
        let Ok(mut table) = Table::try_from(&turned) else { return turned };
        let (before, after) = (self.kind.brought(), kind.brought());
        for (key, value) in after {
            if !given(&key) && table.get(&key) == before.get(&key) {
                table.insert(key, value);
            }
        }
        Self::deserialize(table).unwrap_or(turned)
    }

    /// For people: its kind and what it is made of.
    pub fn words(&self) -> String {
        let activation = self.activation.words();
        let width = if self.is_infinite() { "infinitely many".to_owned() } else { self.width.to_string() };
        let several = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
        let made = match self.kind {
            NetworkKind::Mlp => format!("MLP of {} with {width} units", several(self.depth, "hidden layer")),
            NetworkKind::Cnn => {
                let pool = match self.pool {
                    Pool::Max => "maximum pooling",
                    Pool::Avg => "mean pooling",
                    Pool::None => "no pooling",
                };
                let twice = if self.is_infinite() { width.clone() } else { (2 * self.width).to_string() };
                format!("CNN of {} convolutions with {width} and {twice} channels, {pool}", self.depth)
            }
            NetworkKind::ResMlp => format!("residual MLP of {} with {width} units", several(self.blocks, "block")),
            NetworkKind::Transformer => {
                let (blocks, heads) = (several(self.blocks, "block"), several(self.heads, "head"));
                format!("transformer of {blocks} with {width} units, {heads}, patches of {0} × {0}", self.patch)
            }
            NetworkKind::Rnn => format!("recurrent network with {width} units"),
        };
        let norm = if self.norm() == Norm::Layer { ", LayerNorm" } else { "" };
        let scaled = match self.parametrisation {
            Parametrisation::Standard => "standard parametrisation",
            Parametrisation::Ntk => "NTK parametrisation",
        };
        format!("{made}, {activation}{norm}, {scaled}")
    }
}

impl Spec {
    /// Applies a list of `KEY=VALUE`, one after the other. A kind of network brings its usual sizes and activation, in whatever
    /// order they stand, except for those that the list gives.
    ///
    /// # Errors
    /// At the first that cannot be applied.
    pub fn set_all<'a>(&mut self, assignments: impl IntoIterator<Item = &'a str>) -> Result<(), SpecError> {
        let (mut changed, mut given) = (self.clone(), Vec::new());
        for assignment in assignments {
            changed.assign(assignment)?;
            let key = assignment.split('=').next().unwrap_or_default().trim();
            given.extend(key.strip_prefix("network.").map(str::to_owned));
        }
        let kind = changed.network.kind;
        if kind != self.network.kind {
            let network = NetworkSpec { kind: self.network.kind, ..changed.network };
            changed.network = network.turned(kind, &|key| given.iter().any(|given| given == key));
        }
        *self = changed;
        Ok(())
    }
}

/// A run file in which the kind of network that it names has its usual sizes where it gives none.
pub(super) fn with_usual(mut table: Table) -> Table {
    if let Some(network) = table.get_mut("network").and_then(Value::as_table_mut)
        && let Some(kind) = network.get("kind").and_then(|kind| NetworkKind::deserialize(kind.clone()).ok())
    {
        for (key, value) in kind.brought() {
            network.entry(key).or_insert(value);
        }
    }
    table
}
