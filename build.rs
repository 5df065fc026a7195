//! Tells the program which version it is, with the commit it is built from where a repository or a package says so.
//!
//! Guarantees: without git, without a repository and from a package the build works the same. It runs again when the commit
//! or a file of the program changes, and not otherwise.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What goes into the program. A change of these builds the crate anyway, so that asking git once more costs nothing.
const SOURCES: [&str; 5] = ["build.rs", "src", "assets", "Cargo.toml", "Cargo.lock"];

fn main() {
    watch(SOURCES);
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = of_repository().or_else(of_package);
    let version = commit.map_or(version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=KERNELSCOPE_VERSION={version}");
}

/// The commit of the repository, and whether the program differs from it.
fn of_repository() -> Option<String> {
    // Of our own repository, not of one in which a package happens to lie.
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let commit = git(&["rev-parse", "--short=9", "HEAD"])?;
    // Wherever these lie: in a work tree beside the main one `.git` is a file. The log of HEAD grows with every commit, also
    // while the branch itself is packed away.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref());
    let places: Vec<String> = names.filter_map(|name| git(&["rev-parse", "--git-path", name])).collect();
    watch(places.iter().map(String::as_str));
    let status =
        [&["--no-optional-locks", "status", "--porcelain", "--untracked-files=no", "--"], &SOURCES[..]].concat();
    let dirty = git(&status).is_none_or(|changed| !changed.is_empty());
    Some(if dirty { format!("{commit}-dirty") } else { commit })
}

/// The commit that `cargo package` has noted.
fn of_package() -> Option<String> {
    let noted = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let commit = noted.split("\"sha1\"").nth(1)?.split('"').nth(1)?;
    commit.get(..9).map(str::to_owned)
}

/// What git says, without the end of the line.
fn git(args: &[&str]) -> Option<String> {
    let done = Command::new("git").args(args).output().ok().filter(|done| done.status.success())?;
    Some(String::from_utf8(done.stdout).ok()?.trim_end().to_owned())
}

/// Has the build run again when one of these changes; one that is not there would have it run every time.
fn watch<'a>(paths: impl IntoIterator<Item = &'a str>) {
    for path in paths.into_iter().filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
}
