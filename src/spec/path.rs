//! Resolves paths: `~` is the home folder, and relative paths start from a given folder.

use std::path::{Component, Path, PathBuf};

/// Replaces a leading `~` by the home folder, where there is one.
pub fn expanded(path: &Path) -> PathBuf {
    let home = || etcetera::home_dir().ok();
    match path.strip_prefix("~") {
        Ok(rest) => home()
            .map_or_else(|| path.to_owned(), |home| if rest.as_os_str().is_empty() { home } else { home.join(rest) }),
        Err(_) => path.to_owned(),
    }
}

/// Returns the absolute path; a relative one starts from `base`.
pub fn absolute(path: &Path, base: &Path) -> PathBuf {
    let path = base.join(expanded(path));
    let path = std::path::absolute(&path).unwrap_or(path);
    // `a/..` need not be the parent of `a` when `a` is a symbolic link, and it would break when `a` is removed.
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if climbs { path.canonicalize().unwrap_or(path) } else { path }
}

/// Returns whether this is the path of a text rather than the name of a network.
pub(super) fn is_path(program: &str) -> bool {
    program.contains(['/', '\\']) || program.ends_with(".rhai")
}
