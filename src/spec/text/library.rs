//! The built-in networks: one file each in `assets/networks`.

/// A built-in network's text and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub name: &'static str,
    pub text: &'static str,
}

/// All built-in networks, in the order in which they are offered. A new network is a new file and a line here.
pub const NETWORKS: &[Network] = &[
    Network { name: "mlp", text: include_str!("../../../assets/networks/mlp.rhai") },
    Network { name: "cnn", text: include_str!("../../../assets/networks/cnn.rhai") },
    Network { name: "resmlp", text: include_str!("../../../assets/networks/resmlp.rhai") },
    Network { name: "transformer", text: include_str!("../../../assets/networks/transformer.rhai") },
    Network { name: "rnn", text: include_str!("../../../assets/networks/rnn.rhai") },
    Network { name: "lenet5", text: include_str!("../../../assets/networks/lenet5.rhai") },
    Network { name: "myrtle5", text: include_str!("../../../assets/networks/myrtle5.rhai") },
    Network { name: "myrtle7", text: include_str!("../../../assets/networks/myrtle7.rhai") },
    Network { name: "resnet18", text: include_str!("../../../assets/networks/resnet18.rhai") },
    Network { name: "wideresnet16", text: include_str!("../../../assets/networks/wideresnet16.rhai") },
    Network { name: "convnext", text: include_str!("../../../assets/networks/convnext.rhai") },
    Network { name: "vit_tiny", text: include_str!("../../../assets/networks/vit_tiny.rhai") },
    Network { name: "mixer", text: include_str!("../../../assets/networks/mixer.rhai") },
    Network { name: "gated_mlp", text: include_str!("../../../assets/networks/gated_mlp.rhai") },
    Network { name: "layer_scale", text: include_str!("../../../assets/networks/layer_scale.rhai") },
    Network { name: "mean_readout", text: include_str!("../../../assets/networks/mean_readout.rhai") },
    Network { name: "transposed", text: include_str!("../../../assets/networks/transposed.rhai") },
];

/// Returns the built-in network of this name.
pub fn builtin(name: &str) -> Option<&'static Network> {
    NETWORKS.iter().find(|network| network.name == name)
}

impl Network {
    /// Returns its one-sentence summary, the first line of its text.
    pub fn summary(&self) -> &'static str {
        summary(self.text)
    }
}

/// Returns the summary in the first line of a text; empty where that is not a comment.
pub fn summary(text: &str) -> &str {
    text.lines().next().and_then(|line| line.strip_prefix("//!")).map_or("", str::trim)
}
