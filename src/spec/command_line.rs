//! Writes the shell command that repeats a run or study: the nearest preset and the settings that differ from it.
//!
//! Guarantees: the command line reads the command back as the same run ([`Spec::same_run`]), whatever characters a name or
//! a path contains; of all presets it names the one that leaves the fewest settings to change, the first in case of a tie.
//!
//! The methods of [`Spec`] here need all presets, on which its definition in `settings` does not depend.

use std::borrow::Cow;
use std::path::Path;

use toml::{Table, Value};

use super::{PRESETS, Preset, STUDIES, Spec};

impl Spec {
    /// Returns `kernelscope run …` or `kernelscope study …`, quoted for a shell, with `folder` as the output folder if one
    /// is given; `None` where a number is too large for a run file or the folder's name is not valid text.
    pub fn command_line(&self, folder: Option<&Path>) -> Option<String> {
        let (command, presets) = if self.study.is_some() { ("study", STUDIES) } else { ("run", PRESETS) };
        // The command may be used in any folder.
        let mut rooted = self.clone();
        rooted.root_paths(Path::new(""));
        let mut wanted = leaves(&rooted)?;
        // First, because a program sets other keys as well.
        wanted.sort_by_key(|(key, _)| key != "network.program");
        let differing = |known: &[Leaf]| wanted.iter().filter(|leaf| !known.contains(leaf)).count();
        let count = |preset: &'static Preset| Some((differing(&leaves(&preset.spec())?), preset));
        let mut nearest: Vec<(usize, &Preset)> = presets.iter().filter_map(count).collect();
        // A stable sort: of equal counts the first preset wins.
        nearest.sort_by_key(|(count, _)| *count);
        let line = |preset: &Preset| Some((preset.name, rooted.assignments(preset, &wanted)?));
        let (name, changes) = nearest.into_iter().find_map(|(_, preset)| line(preset))?;
        let folder = match (folder, &self.study) {
            (Some(folder), _) => folder.to_str()?.to_owned(),
            (None, Some(_)) => format!("kernelscope-studies/{name}"),
            (None, None) => format!("{name}-seed-{}", self.seed),
        };
        let words = ["kernelscope", command, "--preset", name].into_iter();
        let changes = changes.iter().flat_map(|change| ["--set", change]);
        let quoted = words.chain(changes).chain(["--out", &folder]).map(quoted).collect::<Option<Vec<_>>>()?;
        Some(quoted.join(" "))
    }

    /// Returns the `--set` assignments that turn the preset into this run, restricted to the keys in `wanted`; `None` if
    /// assignments cannot express it.
    fn assignments(&self, preset: &Preset, wanted: &[Leaf]) -> Option<Vec<String>> {
        let base = &preset.spec();
        let (mut spec, mut known, mut changes) = (base.clone(), leaves(base)?, Vec::new());
        if preset.is_controls() && !self.same_run(base) {
            // The command line derives these from the other settings, unless they are given.
            known.retain(|(key, _)| key != "study.variants");
        }
        // Two passes: a setting at its default is written only if its section exists, and another assignment may create
        // that section.
        for leaf in wanted.iter().chain(wanted) {
            if known.contains(leaf) {
                continue;
            }
            let (key, value) = leaf;
            // A word without TOML quotes is easier to read, where it is parsed the same.
            let word = value.as_str().map(|word| format!("{key}={word}"));
            let found = word.into_iter().chain([format!("{key}={value}")]).find_map(|change| {
                let mut reached = spec.clone();
                reached.set(&change).ok()?;
                let leaves = leaves(&reached)?;
                leaves.contains(leaf).then_some((change, reached, leaves))
            });
            if let Some((change, reached, leaves)) = found {
                (spec, known) = (reached, leaves);
                changes.push(change);
            }
        }
        // An assignment cannot remove a setting of the base; and a list may mean something else than its assignments one by
        // one.
        let mut whole = base.clone();
        whole.set_all(changes.iter().map(String::as_str)).ok()?;
        (self.same_run(&spec) && self.same_run(&whole)).then_some(changes)
    }
}

/// Quotes a word for the shell. `shlex` would also quote `seed=7`, which is special only at the start of a command.
fn quoted(word: &str) -> Option<Cow<'_, str>> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./=-".contains(letter);
    if word.chars().all(plain) { Some(Cow::Borrowed(word)) } else { shlex::try_quote(word).ok() }
}

/// Key and value of one setting.
type Leaf = (String, Value);

/// Returns all settings but the pace, as in a run file.
fn leaves(spec: &Spec) -> Option<Vec<Leaf>> {
    fn gather(table: Table, above: &str, leaves: &mut Vec<Leaf>) {
        for (name, value) in table {
            match value {
                Value::Table(section) => gather(section, &format!("{above}{name}."), leaves),
                value => leaves.push((format!("{above}{name}"), value)),
            }
        }
    }
    let mut table = Table::try_from(spec).ok()?;
    table.remove("window");
    let mut leaves = Vec::new();
    gather(table, "", &mut leaves);
    Some(leaves)
}
