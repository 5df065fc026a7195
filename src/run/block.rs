//! Names the blocks of a Gram: the probes of all tasks, and those of each.

use serde::{Deserialize, Serialize};

/// The probes of a row: in tables `all` or the number of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "&str")]
pub enum Block {
    All,
    /// The probes of this task, by number.
    Task(usize),
}

impl Block {
    /// Returns the block of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            number => Some(Self::Task(number.parse().ok().filter(|&number| number > 0)?)),
        }
    }
}

impl From<Block> for String {
    fn from(block: Block) -> Self {
        match block {
            Block::All => "all".to_owned(),
            Block::Task(task) => task.to_string(),
        }
    }
}

impl TryFrom<&str> for Block {
    type Error = String;

    fn try_from(name: &str) -> Result<Self, String> {
        Self::named(name).ok_or_else(|| format!("{name} is no block: there are all and the numbers of tasks"))
    }
}
