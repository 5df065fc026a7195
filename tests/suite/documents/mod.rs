//! The documents against the program: every page is in the table of contents, every link leads somewhere, every path exists,
//! lists are those of the code, and every command can be run.
//!
//! Lists between `<!-- generated: NAME -->` and `<!-- end -->` are written by the tests in [`lists`] when `UPDATE_DOCS=1` is set.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

mod commands;
mod lists;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One page: its path below the root, with `/` between folders, and its text.
struct Page {
    path: String,
    text: String,
}

impl Page {
    /// Reads one page.
    fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|err| panic!("{path}: {err}"));
        // Git on Windows may have turned the ends of lines.
        Self { path: path.to_owned(), text: text.replace("\r\n", "\n") }
    }

    /// Iterates over the lines outside fenced blocks.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut inside = false;
        self.text.lines().filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        })
    }

    /// Lists what stands between backticks outside fenced blocks.
    fn spans(&self) -> Vec<&str> {
        self.prose().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }

    /// Lists the fenced blocks: the words behind the fence, and the text.
    fn blocks(&self) -> Vec<(String, String)> {
        let (mut found, mut open) = (Vec::new(), None::<(String, String)>);
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), open.take()) {
                (Some(info), None) => open = Some((info.trim().to_owned(), String::new())),
                (Some(_), Some(block)) => found.push(block),
                (None, Some((info, text))) => open = Some((info, text + line + "\n")),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block of code has no end", self.path);
        found
    }

    /// Lists the links that do not lead to the web, pictures among them.
    fn links(&self) -> Vec<String> {
        let mut found = Vec::new();
        for line in self.prose() {
            // Without what stands between backticks.
            let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
            for rest in line.split("](").skip(1) {
                let target = rest.split(')').next().unwrap_or_default();
                if !target.contains("://") && !target.starts_with("mailto:") {
                    found.push(target.to_owned());
                }
            }
        }
        found
    }

    /// The names by which headings can be linked to, as forges and mdBook make them.
    fn anchors(&self) -> BTreeSet<String> {
        let headings =
            self.prose().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
        let kept = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
        let slug =
            |heading: &str| heading.chars().filter(|c| kept(*c)).collect::<String>().to_lowercase().replace(' ', "-");
        headings.map(slug).collect()
    }
}

/// Files that end so below a folder, as paths below the root.
fn files_below(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|err| panic!("{folder}: {err}"));
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The pages in the order in which the table of contents has them, after those at the top.
fn pages() -> Vec<Page> {
    let top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned);
    let last = ["assets/networks/README.md", "assets/lessons/README.md"].map(str::to_owned);
    let book = Page::read("docs/SUMMARY.md").links().into_iter().map(|link| format!("docs/{link}"));
    top.into_iter().chain(book).chain(last).map(|path| Page::read(&path)).collect()
}

/// A path with its `..` taken out, below the root; `None` where it leads out of it.
fn joined(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in Path::new(from).parent().unwrap().join(link).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?.to_owned()),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[test]
fn every_page_of_the_book_is_in_its_table_of_contents() {
    let listed = Page::read("docs/SUMMARY.md").links();
    let listed: BTreeSet<String> = listed.into_iter().map(|link| format!("docs/{link}")).collect();
    let there: BTreeSet<String> =
        files_below("docs", ".md").into_iter().filter(|path| path != "docs/SUMMARY.md").collect();
    assert_eq!(listed, there);
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages().into_iter().chain([Page::read("docs/SUMMARY.md")]) {
        for link in page.links() {
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if file.is_empty() { Some(page.path.clone()) } else { joined(&page.path, file) };
            let there = path.filter(|path| root().join(path).exists());
            let has_anchor = |path: &String| anchor.is_empty() || Page::read(path).anchors().contains(anchor);
            if !there.as_ref().is_some_and(has_anchor) {
                wrong.push(format!("{}: {link}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere: {wrong:#?}");
    assert!(count > 150, "{count} links are found");
}

#[test]
fn every_path_that_is_named_exists() {
    let folders = ["src/", "tests/", "benches/", "assets/", "docs/", "screenshots/", ".ci/", ".github/"];
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        for span in page.spans() {
            let is_path = folders.iter().any(|folder| span.starts_with(folder)) && !span.contains(['…', '*', ' ']);
            if is_path && !span.chars().any(|c| c.is_ascii_uppercase() && span.ends_with(c)) {
                count += 1;
                if !root().join(span).exists() {
                    wrong.push(format!("{}: {span}", page.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "paths that are not there: {wrong:#?}");
    assert!(count > 100, "{count} paths are found");
}

#[test]
fn the_readme_is_one_that_is_read() {
    let lines = Page::read("README.md").text.lines().count();
    assert!(lines <= 150, "README.md has {lines} lines; details belong to docs/");
}

#[test]
fn settings_that_are_shown_are_settings() {
    let mut count = 0;
    for page in pages().into_iter().filter(|page| page.path.starts_with("docs/") || page.path == "README.md") {
        for (_, text) in page.blocks().into_iter().filter(|(info, _)| info == "toml") {
            count += 1;
            kernelscope::spec::Spec::from_toml(&text).unwrap_or_else(|err| panic!("{}: {err}:\n{text}", page.path));
        }
    }
    assert!(count >= 2, "{count} run files are found");
}

#[test]
fn the_program_is_cited_in_its_own_version() {
    let citation = fs::read_to_string(root().join("CITATION.cff")).unwrap();
    assert!(
        citation.contains(concat!("version: ", env!("CARGO_PKG_VERSION"), "\n")),
        "CITATION.cff has another version"
    );
    assert!(Page::read("CHANGELOG.md").text.contains(concat!("\n## ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn the_six_lines_of_the_window_are_those_of_its_page() {
    let blocks = Page::read("docs/guide/watching.md").blocks();
    let (_, first) = blocks.into_iter().find(|(info, _)| info == "python").unwrap();
    assert_eq!(first.trim_end(), kernelscope::ui::watching::SIX_LINES.trim_end());
}
