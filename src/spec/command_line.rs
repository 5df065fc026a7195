//! A run or study as the line that repeats it in a shell: the nearest preset, and what differs from it.
//!
//! Guarantees: read back by the command line, the words give the same run ([`Spec::same_run`]), whatever is in a name or a
//! path; among all presets the one is taken that leaves the fewest settings to change, the first of several.

use std::borrow::Cow;
use std::path::Path;

use toml::{Table, Value};

use super::{PRESETS, Preset, STUDIES, Spec};

impl Spec {
    /// `kernelscope run …` or `kernelscope study …`, quoted for a shell, with a folder for the results, this one if it is given; none where a
    /// number is too large for a run file or the folder's name is no text.
    pub fn command_line(&self, folder: Option<&Path>) -> Option<String> {
        let (command, presets) = if self.study.is_some() { ("study", STUDIES) } else { ("run", PRESETS) };
        // The line may be used in any folder.
        let mut rooted = self.clone();
        rooted.root_paths(Path::new(""));
        let mut wanted = leaves(&rooted)?;
        // In front, because it brings others with it.
        wanted.sort_by_key(|(key, _)| key != "network.program");
        let differing = |known: &[Leaf]| wanted.iter().filter(|leaf| !known.contains(leaf)).count();
        let count = |preset: &'static Preset| Some((differing(&leaves(&preset.spec())?), preset));
        let mut nearest: Vec<(usize, &Preset)> = presets.iter().filter_map(count).collect();
        // Stable: of several the first.
        nearest.sort_by_key(|(count, _)| *count);
        let line = |preset: &Preset| Some((preset.name, rooted.assignments(&preset.spec(), &wanted)?));
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

    /// What makes this run, with these settings, of another one, as for `--set`; none where it cannot be said so.
    fn assignments(&self, base: &Self, wanted: &[Leaf]) -> Option<Vec<String>> {
        let (mut spec, mut known, mut changes) = (base.clone(), leaves(base)?, Vec::new());
        // Twice: a setting that is the usual one is only said where its section is, which another one may bring.
        for leaf in wanted.iter().chain(wanted) {
            if known.contains(leaf) {
                continue;
            }
            let (key, value) = leaf;
            // A word is easier to read without the quotes of TOML, where it is taken for the same.
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
        // What the base says and this does not cannot be taken back by a word; and a list may mean something else than its words
        // one by one.
        let mut whole = base.clone();
        whole.set_all(changes.iter().map(String::as_str)).ok()?;
        (self.same_run(&spec) && self.same_run(&whole)).then_some(changes)
    }
}

/// A word as a shell takes it. `shlex` would also quote `seed=7`, which means something else only in front of a command.
fn quoted(word: &str) -> Option<Cow<'_, str>> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./=-".contains(letter);
    if word.chars().all(plain) { Some(Cow::Borrowed(word)) } else { shlex::try_quote(word).ok() }
}

/// Key and value of one setting.
type Leaf = (String, Value);

/// All settings but the pace, as in a run file.
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
