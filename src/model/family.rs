//! Families of networks that other programs save under different tensor names.

use strum::EnumString;

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
