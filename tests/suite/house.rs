//! The house: arrows between folders run one way, and every file says what it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each folder may use directly; what those may use comes with it. The same table stands in `src/lib.rs`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("math", &[]),
    ("spec", &["math"]),
    ("run", &["spec"]),
    ("analysis", &["run"]),
    ("storage", &["analysis"]),
    ("chart", &["storage"]),
    // What paints charts and views, for the files of a worker and for the window alike.
    ("paint", &["chart"]),
    ("data", &["run", "storage"]),
    // Of `storage`, only the readers of files: weights that other programs wrote.
    ("model", &["spec", "storage"]),
    ("theory", &["spec"]),
    ("ntk", &["model"]),
    ("train", &["model", "data", "ntk", "theory"]),
    ("lab", &["train", "analysis", "storage"]),
    ("worker", &["lab", "paint"]),
    ("diagnostics", &[]),
    ("ui", &["paint", "theory", "worker", "diagnostics"]),
    ("cli", &["ui"]),
];
const BURN: &[&str] = &["model", "ntk", "train", "lab"];
const EGUI: &[&str] = &["paint", "ui"];

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
        if names(&["egui", "eframe", "epaint"]) {
            assert!(EGUI.contains(&folder.as_str()), "{} must not know egui", path.display());
        }
    }
}

/// A read from a graphics card makes the processor wait, so each is counted, in the one file that reads; `device.rs` only asks
/// whether a card still answers.
#[test]
fn one_file_reads_from_a_device() {
    let reads = ["into_data(", "to_data(", "into_scalar(", "into_data_async(", "to_device(&Device::flex"];
    let reading = ["model/device_read.rs", "model/device.rs"].map(Path::new);
    for (_, path, text) in sources() {
        let found = reads
            .iter()
            .find(|read| code(&text).contains(&format!(".{read}")) || code(&text).contains(&format!("try_{read}")));
        assert!(reading.contains(&path.as_path()) || found.is_none(), "{} reads by {found:?}", path.display());
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for (_, path, text) in sources() {
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not open with //!", path.display()));
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

/// The files of the crate as modules, and what they use.
struct Modules {
    /// By the path of the module: the path of its file, its code as words and signs, and what it imports.
    files: BTreeMap<Vec<String>, (String, Vec<String>, Vec<Import>)>,
}

/// A name that a file brings in.
struct Import {
    /// Whether others can use it from here.
    public: bool,
    path: Vec<String>,
    /// What it is called here; none for a star.
    name: Option<String>,
}

/// What a path leads to.
enum Target {
    Module(Vec<String>),
    /// Something that is written in this module.
    Item(Vec<String>),
}

/// Words and signs of a text, without comments, strings, characters and lifetimes.
fn words(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let (mut words, mut at) = (Vec::new(), 0);
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    while at < letters.len() {
        let letter = letters[at];
        let next = letters.get(at + 1).copied();
        match letter {
            '/' if next == Some('/') => at += letters[at..].iter().take_while(|letter| **letter != '\n').count(),
            'r' if matches!(next, Some('"' | '#')) && !letters[..at].last().is_some_and(|before| is_word(*before)) => {
                let marks = letters[at + 1..].iter().take_while(|letter| **letter == '#').count();
                let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', marks)).collect();
                at += marks + 2;
                while at < letters.len() && !letters[at..].starts_with(&end) {
                    at += 1;
                }
                at += end.len();
            }
            '"' => {
                at += 1;
                while at < letters.len() && letters[at] != '"' {
                    at += if letters[at] == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            '\'' if next == Some('\\') => {
                at += 3;
                at += letters[at..].iter().take_while(|letter| **letter != '\'').count() + 1;
            }
            '\'' if letters.get(at + 2) == Some(&'\'') => at += 3,
            ':' if next == Some(':') => {
                words.push("::".to_owned());
                at += 2;
            }
            _ if is_word(letter) => {
                let word: String = letters[at..].iter().take_while(|letter| is_word(**letter)).collect();
                at += word.chars().count();
                words.push(word);
            }
            _ => {
                if !letter.is_whitespace() {
                    words.push(letter.to_string());
                }
                at += 1;
            }
        }
    }
    words
}

/// Reads the tree of a `use`, from its first word; returns the place after it.
fn read_tree(words: &[String], mut at: usize, before: &[String], public: bool, into: &mut Vec<Import>) -> usize {
    let mut path = before.to_vec();
    loop {
        match words[at].as_str() {
            "{" => {
                at += 1;
                while words[at] != "}" {
                    at = read_tree(words, at, &path, public, into);
                    at += usize::from(words[at] == ",");
                }
                return at + 1;
            }
            "*" => {
                into.push(Import { public, path, name: None });
                return at + 1;
            }
            "::" => at += 1,
            word => {
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                at += 1;
                if words[at] == "as" {
                    into.push(Import { public, path, name: Some(words[at + 1].clone()) });
                    return at + 2;
                }
                if words[at] != "::" {
                    let name = path.last().cloned();
                    into.push(Import { public, path, name });
                    return at;
                }
            }
        }
    }
}

impl Modules {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        for (_, path, text) in sources() {
            let file = path.to_string_lossy().replace('\\', "/");
            let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            let (all, mut rest, mut imports, mut at) = (words(&text), Vec::new(), Vec::new(), 0);
            while at < all.len() {
                if all[at] == "use" && all.get(at + 1).is_none_or(|sign| sign != "<") {
                    let public = at > 0 && (all[at - 1] == "pub" || all[at - 1] == ")");
                    at = read_tree(&all, at + 1, &[], public, &mut imports);
                } else {
                    rest.push(all[at].clone());
                    at += 1;
                }
            }
            files.insert(module, (file, rest, imports));
        }
        Self { files }
    }

    /// The path from the root of the crate; none where it leads out of the crate, or to a name of this module.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let joined = |start: &[String], rest: &[String]| [start, rest].concat();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some(joined(module, &path[1..])),
            "super" => {
                let up = path.iter().take_while(|word| *word == "super").count();
                Some(joined(&module[..module.len().saturating_sub(up)], &path[up..]))
            }
            _ => {
                let child = joined(module, &path[..1]);
                self.files.contains_key(&child).then(|| joined(module, path))
            }
        }
    }

    /// Follows a path to the file in which its end is written, through what others re-export.
    fn follow(&self, path: &[String], depth: usize) -> Target {
        let known = (0..=path.len()).rev().find(|end| self.files.contains_key(&path[..*end])).unwrap_or(0);
        let (module, rest) = path.split_at(known);
        let Some(first) = rest.first() else { return Target::Module(module.to_vec()) };
        let imports = self.files.get(module).map_or(&[][..], |file| &file.2);
        let import = imports.iter().find(|import| import.name.as_ref() == Some(first));
        match import.and_then(|import| self.absolute(module, &import.path)) {
            Some(onward) if depth < 16 => self.follow(&[&onward[..], &rest[1..]].concat(), depth + 1),
            _ => Target::Item(module.to_vec()),
        }
    }

    /// The modules that a module uses. A re-export alone is no use, and a module is used where something of it is.
    fn used_by(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let (_, words, imports) = &self.files[module];
        let (mut used, mut modules) = (BTreeSet::new(), BTreeMap::new());
        for import in imports {
            let Some(path) = self.absolute(module, &import.path) else { continue };
            match (self.follow(&path, 0), &import.name) {
                (Target::Module(of) | Target::Item(of), None) => _ = used.insert(of),
                (Target::Module(of), Some(name)) => _ = modules.insert(name.clone(), of),
                (Target::Item(of), Some(name)) => {
                    if !import.public || words.contains(name) {
                        used.insert(of);
                    }
                }
            }
        }
        let mut at = 0;
        while at < words.len() {
            let mut path = vec![words[at].clone()];
            let starts = at == 0 || words[at - 1] != "::";
            while words.get(at + 1).is_some_and(|sign| sign == "::")
                && words.get(at + 2).is_some_and(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
            {
                path.push(words[at + 2].clone());
                at += 2;
            }
            at += 1;
            if path.len() < 2 || !starts {
                continue;
            }
            let path = match modules.get(&path[0]) {
                Some(of) => Some([&of[..], &path[1..]].concat()),
                None => self.absolute(module, &path),
            };
            if let Some(Target::Module(of) | Target::Item(of)) = path.map(|path| self.follow(&path, 0)) {
                used.insert(of);
            }
        }
        used.remove(module);
        used
    }

    /// The circles of files, as paths of files: each of them is used by every other one, if by way of others.
    fn circles(&self) -> Vec<BTreeSet<String>> {
        let uses: BTreeMap<&[String], BTreeSet<Vec<String>>> =
            self.files.keys().map(|module| (&module[..], self.used_by(module))).collect();
        let reached = |from: &[String]| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_vec()]);
            while let Some(next) = open.pop() {
                for other in uses.get(&next[..]).into_iter().flatten() {
                    if seen.insert(other.clone()) {
                        open.push(other.clone());
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&[String], BTreeSet<Vec<String>>> =
            uses.keys().map(|module| (*module, reached(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, others) in &reached {
            let back = |other: &&Vec<String>| reached.get(&other[..]).is_some_and(|seen| seen.contains(*module));
            let circle: BTreeSet<String> =
                others.iter().filter(back).map(|other| self.files[other].0.clone()).collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

/// Files that use each other in a circle can only be understood all at once.
#[test]
fn files_use_each_other_in_no_circle() {
    let modules = Modules::read();
    // The reader of imports itself: without arrows there would be no circle either.
    let arrows: usize = modules.files.keys().map(|module| modules.used_by(module).len()).sum();
    assert!(arrows > 1000, "only {arrows} arrows between {} files were found", modules.files.len());
    let circles = modules.circles();
    assert!(circles.is_empty(), "these files use each other in a circle: {circles:#?}");
}

/// The state of the window is a field for each feature, and two files change it: one lays a frame out, the other says what happens
/// between two frames. A feature changes its own state and knows no window.
#[test]
fn the_state_of_the_window_is_small_and_changed_in_two_files() {
    let all = sources();
    let is_app = |(_, path, _): &&(String, PathBuf, String)| path == Path::new("ui/app/mod.rs");
    let text = code(&all.iter().find(is_app).unwrap().2);
    let fields = text.split("pub struct App {").nth(1).unwrap().split('}').next().unwrap();
    let count = fields.lines().filter(|line| line.trim_end().ends_with(',')).count();
    assert!((1..=12).contains(&count), "App has {count} fields: group those that belong together");
    let changes = |(_, _, text): &&(String, PathBuf, String)| code(text).contains("impl App {");
    let files: Vec<String> = all.iter().filter(changes).map(|(_, path, _)| path.display().to_string()).collect();
    assert!(files.len() <= 2, "impl App stands in {files:?}");
}
