//! Shows a study chosen by the program: by a lesson, the command line, or a folder that was opened.
//!
//! These methods of [`StudyPage`] are for the program, those in its own file for the user.

use std::path::Path;
use std::time::Instant;

use super::{Draft, StudyPage, Which};
use crate::spec::{STUDIES, Spec, StudySpec};

impl StudyPage {
    /// Shows this study in the panel, as a ready-made one with other values and seeds.
    pub fn choose(&mut self, name: &str, spec: &Spec) {
        let Some(place) = STUDIES.iter().position(|study| study.name == name) else { return };
        self.draft = Draft::new(Which::Ready(place));
        if let Some(study) = spec.study.as_ref().map(StudySpec::with_axis_values) {
            self.draft.values = self.draft.values.as_ref().map(|_| study.values_text());
            self.draft.variants = study.variants.iter().map(|variant| (variant.clone(), true)).collect();
            self.draft.seeds = study.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        }
    }

    /// Shows this ready-made study with the values and seeds of a spec, stored in a folder of this name beside the usual one;
    /// drops the results of another study. Must not be called while a study runs.
    pub fn set_out(&mut self, name: &str, spec: &Spec, folder: &str) {
        self.choose(name, spec);
        self.draft.folder = Some(self.draft.folder(&self.base).with_file_name(folder).display().to_string());
        self.forget();
    }

    /// Shows the study stored in this folder. Must not be called while a study runs.
    pub fn show_found(&mut self, spec: &Spec, folder: &Path) {
        self.draft = Draft::found(spec, folder);
        self.shown = true;
        self.forget();
    }

    /// Drops the results of another study, and requests the folder of this one.
    fn forget(&mut self) {
        (self.work, self.opened, self.changed) = (None, None, Some(Instant::now()));
        (self.refusal, self.notice) = (None, None);
        self.results.forget();
    }
}
