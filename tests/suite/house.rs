//! The house: arrows between folders run one way, and every file says what it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each folder may use directly; what those may use comes with it. The same table stands in `src/lib.rs`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("math", &[]),
    ("spec", &["math"]),
    // Of `record`, only the event types, which are plain data.
    ("data", &["spec", "math", "record"]),
    ("record", &["math", "spec"]),
    ("model", &["spec", "math", "record"]),
    ("theory", &["math", "spec"]),
    ("ntk", &["model", "math"]),
    ("train", &["model", "data", "ntk", "theory"]),
    ("lab", &["train", "ntk", "theory", "model", "data", "math", "record"]),
    ("worker", &["lab", "model", "record", "spec"]),
    ("program", &[]),
    ("ui", &["record", "spec", "math", "theory", "worker", "program"]),
    ("cli", &["record", "spec", "math", "theory", "worker", "program", "ui"]),
];
const BURN: &[&str] = &["model", "ntk", "train", "lab"];
const EGUI: &[&str] = &["ui"];

fn sources() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                into.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap().to_owned();
            let folder = match inside.components().count() {
                1 => String::new(),
                _ => inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned(),
            };
            let text = std::fs::read_to_string(&path).unwrap();
            (folder, inside, text)
        })
        .collect()
}

/// Code without comments: a doc link is no dependency.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Folders that follow `crate::`, also in a braced list.
fn used(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + 7..];
        if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut word, mut at_start) = (1, String::new(), true);
            for letter in list.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => at_start = true,
                    c if c.is_alphanumeric() || c == '_' => {
                        if at_start {
                            word.push(c);
                        }
                        continue;
                    }
                    _ => {}
                }
                if !word.is_empty() {
                    found.insert(std::mem::take(&mut word));
                    at_start = letter == ',';
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

fn allowed(folder: &str) -> BTreeSet<String> {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut seen = BTreeSet::from([folder.to_owned()]);
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for other in table.get(next.as_str()).copied().unwrap_or_default() {
            // A window may see the worker, not what the worker sees.
            let wall = next == "worker" && folder != "worker";
            if !wall && seen.insert((*other).to_owned()) {
                open.push((*other).to_owned());
            }
        }
    }
    seen
}

#[test]
fn arrows_run_one_way() {
    let folders: BTreeSet<&str> = MAY_USE.iter().map(|(folder, _)| *folder).collect();
    let mut wrong = Vec::new();
    for (folder, path, text) in sources() {
        if folder.is_empty() {
            continue;
        }
        assert!(folders.contains(folder.as_str()), "src/{folder} is not in the map");
        for other in used(&code(&text)) {
            if folders.contains(other.as_str()) && !allowed(&folder).contains(&other) {
                wrong.push(format!("{} uses {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that run the wrong way: {wrong:#?}");
}

#[test]
fn the_map_has_no_circle() {
    for (folder, _) in MAY_USE {
        for other in allowed(folder) {
            assert!(&other == folder || !allowed(&other).contains(*folder), "{folder} and {other} use each other");
        }
    }
}

#[test]
fn burn_and_egui_stay_in_their_rooms() {
    for (folder, path, text) in sources() {
        let code = code(&text);
        let names = |words: &[&str]| words.iter().any(|word| code.contains(&format!("{word}::")));
        if names(&["burn", "burn_wgpu"]) {
            assert!(BURN.contains(&folder.as_str()), "{} must not know burn", path.display());
        }
        if names(&["egui", "eframe", "egui_plot", "epaint"]) {
            assert!(EGUI.contains(&folder.as_str()), "{} must not know egui", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_is_one_idea() {
    let mut wrong = Vec::new();
    for (_, path, text) in sources() {
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not open with //!", path.display()));
        }
        if text.lines().count() > 1000 {
            wrong.push(format!("{} has {} lines", path.display(), text.lines().count()));
        }
        if text.contains("#[cfg(test)]") {
            wrong.push(format!("{} holds tests, which no command runs: they live in tests/", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is true of a variant is a method beside its enum, where the compiler asks every new variant; a comparison elsewhere would
/// take it silently for one of the others.
#[test]
fn nobody_but_spec_compares_with_a_variant_of_spec() {
    let all = sources();
    let names = |text: &str| {
        let after = |(at, found): (usize, &str)| {
            text[at + found.len()..].chars().take_while(|c| c.is_alphanumeric()).collect::<String>()
        };
        text.match_indices("pub enum ").map(after).collect::<Vec<_>>()
    };
    let enums: BTreeSet<String> =
        all.iter().filter(|(folder, ..)| folder == "spec").flat_map(|(.., text)| names(&code(text))).collect();
    let mut wrong = Vec::new();
    for (folder, path, text) in all.iter().filter(|(folder, ..)| folder != "spec") {
        let (code, own) = (code(text), names(&code(text)));
        // Other folders have enums of the same names.
        let imported = |name: &str| {
            let uses = code.split("use crate::spec::").skip(1).filter_map(|rest| rest.split(';').next());
            let is_name = |word: &str| word == name;
            !own.iter().any(|own| own == name)
                && uses.flat_map(|list| list.split(|c: char| !c.is_alphanumeric())).any(is_name)
        };
        for name in enums.iter().filter(|name| imported(name)) {
            let compared = ["== ", "!= "].iter().any(|sign| code.contains(&format!("{sign}{name}::")));
            let matched = code.match_indices("matches!(").any(|(at, _)| {
                let inside = code[at..].split([';', '{']).next().unwrap_or_default();
                inside.contains(&format!(" {name}::"))
            });
            if compared || matched {
                wrong.push(format!("{} ({folder}) compares with a variant of {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_map_in_the_crates_documentation_names_every_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    for (folder, _) in MAY_USE {
        assert!(map.contains(&format!("[`{folder}`]")), "src/lib.rs does not explain {folder}");
    }
}
