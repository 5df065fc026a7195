//! Lists in the documents that are those of the code: keys, views, presets, the command line and the settings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use clap::CommandFactory as _;
use kernelscope::cli::Cli;
use kernelscope::spec::text::NETWORKS;
use kernelscope::spec::{NetworkSpec, PRESETS, Protocol, STUDIES, Spec, known_keys};
use kernelscope::ui::app::commands::{Group, UserCommand};
use kernelscope::ui::views::View;
use toml::{Table, Value};

use super::{Page, root};

/// Compares the list of this name on a page with what the code says, or writes it there.
fn check(path: &str, name: &str, expected: &str) {
    let page = Page::read(path);
    let (begin, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
    let (before, rest) = page.text.split_once(&begin).unwrap_or_else(|| panic!("{path} has no place for {name}"));
    let (found, after) = rest.split_once(end).unwrap_or_else(|| panic!("{path}: the list {name} has no end"));
    let expected = format!("\n{}\n\n", expected.trim());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(path), [before, &begin, &expected, end, after].concat()).unwrap();
    } else {
        let hint = "UPDATE_DOCS=1 cargo test --release documents::lists";
        let differing = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
        assert!(found == expected, "{path}: {name} is another in the code; {hint} writes it: {differing:#?}");
    }
}

/// Text as a cell of a table has it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A key as it stands on the keyboard, with its modifiers before it.
fn written(shortcut: egui::KeyboardShortcut) -> String {
    let modifiers = egui::ModifierNames::NAMES.format(&shortcut.modifiers, false);
    let key = match shortcut.logical_key {
        egui::Key::ArrowLeft => "←",
        egui::Key::ArrowRight => "→",
        egui::Key::ArrowUp => "↑",
        egui::Key::ArrowDown => "↓",
        other => other.symbol_or_name(),
    };
    if modifiers.is_empty() { key.to_owned() } else { format!("{modifiers}+{key}") }
}

#[test]
fn keys_are_those_of_the_window() {
    let mut list = String::new();
    for group in Group::ALL {
        writeln!(list, "## {}\n\n| key | command | does |\n|---|---|---|", group.title()).unwrap();
        for command in group.commands() {
            let about = command.about();
            let keys: Vec<String> = [Some(about.key), command.also()]
                .into_iter()
                .flatten()
                .map(|key| format!("`{}`", written(key)))
                .collect();
            writeln!(list, "| {} | {} | {} |", keys.join(", "), cell(about.label), cell(about.tooltip)).unwrap();
        }
        list.push('\n');
    }
    check("docs/guide/keys.md", "keys", &list);
}

#[test]
fn views_are_those_of_the_window() {
    let mut list = String::new();
    for view in View::ALL {
        // Formulas have no place for emphasis: what Markdown would take for it is escaped.
        let help = view.help().replace('*', "\\*").replace('_', "\\_").replace('<', "\\<").replace('|', "\\|");
        writeln!(list, "## {}\n\n{}\n", view.title(), help.replace('\n', "\n\n")).unwrap();
    }
    check("docs/guide/views.md", "views", &list);
}

#[test]
fn presets_are_those_of_the_program() {
    let mut list = String::new();
    for (head, presets) in [("run", PRESETS), ("study", STUDIES)] {
        writeln!(list, "| {head} | in one sentence |\n|---|---|").unwrap();
        for preset in presets {
            writeln!(list, "| `{}` | {} |", preset.name, cell(preset.about)).unwrap();
        }
        list.push('\n');
    }
    check("docs/science/presets.md", "presets", &list);
    // What was measured is written by hand: each run has a row, and each study is spoken of on some page.
    let page = Page::read("docs/science/presets.md").text;
    let measured = page.split("<!-- generated").next().unwrap_or_default();
    for preset in PRESETS {
        assert!(measured.contains(&format!("\n| `{}` | ", preset.name)), "what does {} show?", preset.name);
    }
    let science: String = super::files_below("docs/science", ".md").iter().map(|path| Page::read(path).text).collect();
    for study in STUDIES {
        // The generated list names it once.
        let named = science.matches(&format!("`{}`", study.name)).count();
        assert!(named > 1 || science.contains(&format!("--preset {}", study.name)), "what does {} show?", study.name);
    }
}

#[test]
fn the_command_line_is_that_of_the_program() {
    let mut list = String::new();
    let mut whole = Cli::command();
    whole.build();
    for command in whole.get_subcommands().filter(|command| command.get_name() != "help") {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(list, "## `{}`\n\n{}.\n\n| argument | meaning |\n|---|---|", command.get_name(), about).unwrap();
        for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
            let values = argument.get_value_names().unwrap_or_default();
            let takes = argument.get_action().takes_values();
            let value = if takes {
                values.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ")
            } else {
                String::new()
            };
            let name = match argument.get_long() {
                Some(long) if takes => format!("--{long} {value}"),
                Some(long) => format!("--{long}"),
                None => value,
            };
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let possible: Vec<String> =
                argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
            let default: Vec<String> =
                argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
            let mut notes = Vec::new();
            if takes && !possible.is_empty() {
                notes.push(format!("one of {}", possible.join(", ")));
            }
            if takes && !default.is_empty() {
                notes.push(format!("default {}", default.join(" ")));
            }
            let mut meaning = cell(&help);
            if !notes.is_empty() {
                let notes = notes.join("; ");
                meaning = if meaning.is_empty() { notes } else { format!("{meaning} ({notes})") };
            }
            writeln!(list, "| `{}` | {meaning} |", name.replace('|', "\\|")).unwrap();
        }
        list.push('\n');
    }
    check("docs/guide/cli-reference.md", "commands", &list.replace("| argument | meaning |\n|---|---|\n\n", ""));
}

/// Every key with its default, as run files write it.
pub(super) fn settings() -> BTreeMap<String, String> {
    fn flat(table: Table, above: &str, into: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let full = if above.is_empty() { key } else { format!("{above}.{key}") };
            match value {
                Value::Table(inner) => flat(inner, &full, into),
                value => drop(into.insert(full, value.to_string())),
            }
        }
    }
    let mut defaults = BTreeMap::new();
    flat(Table::try_from(Spec::default()).unwrap(), "", &mut defaults);
    let mut found = BTreeMap::new();
    for key in known_keys() {
        if key == "study.protocol" {
            flat(Table::try_from(Protocol::default()).unwrap(), key, &mut found);
        } else {
            found.insert(key.clone(), defaults.get(key).cloned().unwrap_or_default());
        }
    }
    // What texts of networks declare has a default of its own in each.
    let mut declared: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for network in NETWORKS {
        for setting in NetworkSpec::named(network.name).declared() {
            declared.entry(format!("network.{}", setting.name)).or_default().push(network.name);
        }
    }
    for key in declared.keys().filter(|key| *key != "network.width") {
        found.insert(key.clone(), String::new());
    }
    found
}

#[test]
fn settings_are_those_of_run_files() {
    let path = "docs/guide/settings.md";
    let page = Page::read(path);
    // Meanings are written by hand, and kept.
    let rows = page.text.lines().filter(|line| line.starts_with("| `"));
    let meanings: BTreeMap<&str, &str> = rows
        .filter_map(|row| {
            let mut cells = row.trim_end_matches(" |").splitn(3, " | ");
            let key = cells.next()?.trim_start_matches("| `").trim_end_matches('`');
            cells.next()?;
            Some((key, cells.next().unwrap_or_default()))
        })
        .collect();
    let mut list = "| key | default | meaning |\n|---|---|---|\n".to_owned();
    let mut unexplained = Vec::new();
    for (key, default) in settings() {
        let meaning = meanings.get(key.as_str()).copied().unwrap_or_default();
        if meaning.is_empty() {
            unexplained.push(key.clone());
        }
        let default = if default.is_empty() { "–".to_owned() } else { format!("`{default}`") };
        writeln!(list, "| `{key}` | {default} | {meaning} |").unwrap();
    }
    check(path, "settings", &list);
    assert!(unexplained.is_empty(), "settings that the page does not explain: {unexplained:#?}");
}

/// A key that two commands had would reach only one of them, and the list of keys would be a lie, unless one is available only
/// where the other is not.
#[test]
fn no_two_commands_share_a_key() {
    let mut seen = BTreeMap::new();
    for command in UserCommand::ALL {
        for shortcut in [Some(command.about().key), command.also()].into_iter().flatten() {
            let text = written(shortcut);
            let other = seen.insert(text.clone(), *command);
            if let Some(other) = other.filter(|other: &UserCommand| !other.when().excludes(command.when())) {
                panic!("{text} is the key of {other:?} and of {command:?}");
            }
        }
    }
}
