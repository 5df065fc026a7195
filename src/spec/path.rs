//! Resolves paths: `~` is the home folder, and relative paths start from a given folder.
//!
//! On the command line and in the window a relative `data.path` starts from the current folder, in a run file from the
//! folder of the file. In either case the spec of a run has an absolute path, so that its `run.toml` repeats it from
//! anywhere.

use std::path::{Component, Path, PathBuf};

use super::Spec;
use super::section::is_path;

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

/// The setting that is a path.
const DATA_PATH: &str = "data.path";
const PROGRAM: [&str; 2] = ["network.program", "network.kind"];

impl Spec {
    /// Makes the paths in the spec absolute; relative ones start from `base`.
    pub fn root_paths(&mut self, base: &Path) {
        self.each_path(&|path| absolute(path, base));
    }

    /// Makes the paths of a run file absolute; relative ones start from its folder. Earlier versions wrote paths into the
    /// folders of runs and studies as they had been typed, relative to a folder that was not recorded: if nothing exists
    /// beside such a file but something does beneath the current folder, the latter is used.
    pub(super) fn root_paths_of_file(&mut self, file: &Path) {
        let base = file.parent().unwrap_or(Path::new(""));
        let is_record = ["metrics.csv", "points.csv", "runs"].iter().any(|name| base.join(name).exists());
        if !is_record {
            return self.root_paths(base);
        }
        self.each_path(&|path| {
            let (beside, here) = (absolute(path, base), absolute(path, Path::new("")));
            if !beside.exists() && here.exists() { here } else { beside }
        });
    }

    fn each_path(&mut self, rooted: &dyn Fn(&Path) -> PathBuf) {
        let given = |path: &Path| !path.as_os_str().is_empty();
        if let Some(path) = self.data.path.as_mut().filter(|path| given(path)) {
            *path = rooted(path);
        }
        let variants = self.study.iter_mut().flat_map(|study| &mut study.variants);
        for setting in variants.flat_map(|variant| &mut variant.set) {
            let Some((key, path)) = setting.split_once('=') else { continue };
            let path = path.trim().trim_matches(['"', '\'']);
            let key = key.trim();
            let is_path = key == DATA_PATH || (PROGRAM.contains(&key) && is_path(path));
            if is_path
                && given(Path::new(path))
                && let Some(path) = rooted(Path::new(path)).to_str()
            {
                *setting = format!("{key}={path}");
            }
        }
        let values = self.study.iter_mut().filter(|study| PROGRAM.contains(&study.axis.as_str()));
        for value in values.flat_map(|study| &mut study.values) {
            if let Some(path) = value.as_str().filter(|name| is_path(name))
                && let Some(path) = rooted(Path::new(path)).to_str()
            {
                *value = path.into();
            }
        }
    }
}
