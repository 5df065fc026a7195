//! Installs the program for a user: completions for the shell, an entry in the desktop's menu.
//!
//! Guarantee: only files with our own names are written, and only below the user's own folders.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap_complete::{Shell, generate};
use etcetera::base_strategy::{BaseStrategy as _, Xdg};

use super::refused::RefusedRequest;

const ENTRY: &str = include_str!("../../assets/kernelscope.desktop");
const ICON: &[u8] = include_bytes!("../../assets/kernelscope.svg");
const ICON_256: &[u8] = include_bytes!("../../assets/kernelscope.png");

/// Prints the completions of this command line for a shell.
pub(super) fn completions(shell: Shell, command: &mut clap::Command) {
    let mut script = Vec::new();
    generate(shell, command, "kernelscope", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
}

/// Writes the desktop's entry and the icon for this user, and prints where.
pub(super) fn desktop() -> anyhow::Result<()> {
    if !cfg!(all(unix, not(target_os = "macos"))) {
        return Err(RefusedRequest("only desktops that follow freedesktop.org have such entries".to_owned()).into());
    }
    let data = Xdg::new().context("there is no home folder")?.data_dir();
    let program = std::env::current_exe().context("the program cannot be found")?;
    let entry = ENTRY.replace("Exec=kernelscope", &format!("Exec={}", quoted(&program)));
    for (name, bytes) in [
        ("applications/kernelscope.desktop", entry.as_bytes()),
        ("icons/hicolor/scalable/apps/kernelscope.svg", ICON),
        ("icons/hicolor/256x256/apps/kernelscope.png", ICON_256),
    ] {
        let path = data.join(name);
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, bytes)
        };
        write().with_context(|| format!("{} cannot be written", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Quotes a path for the key `Exec`, with special characters escaped.
fn quoted(path: &Path) -> String {
    let mut text = String::from("\"");
    for letter in path.to_string_lossy().chars() {
        match letter {
            // Escaped once for the quotes and once for the file.
            '\\' => text += r"\\\\",
            '"' | '`' | '$' => text.extend([r"\\", letter.encode_utf8(&mut [0; 4])]),
            '%' => text += "%%",
            other => text.push(other),
        }
    }
    text + "\""
}
