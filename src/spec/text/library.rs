//! The networks that come with the program: one file each in `assets/networks`.

/// A network's text and the name that it is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub name: &'static str,
    pub text: &'static str,
}

/// All of them: a new network is a new file and its line here. They are offered in this order.
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

/// The network of this name that comes with the program.
pub fn builtin(name: &str) -> Option<&'static Network> {
    NETWORKS.iter().find(|network| network.name == name)
}

impl Network {
    /// One sentence that says what it is: its text's first line.
    pub fn summary(&self) -> &'static str {
        summary(self.text)
    }
}

/// What the first line of a text says of it; empty where it is no comment.
pub fn summary(text: &str) -> &str {
    text.lines().next().and_then(|line| line.strip_prefix("//!")).map_or("", str::trim)
}
