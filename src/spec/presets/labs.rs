//! Lists the laboratories: groups of presets that address the same question, and the views that show the answer.
//!
//! Guarantee (held by a test): every preset run belongs to exactly one laboratory. Views are referred to by their titles,
//! because a spec does not depend on the window; a test of the window checks that each exists.
//!
//! The method of [`Preset`] here finds its laboratory, and so stands beside the list.

use super::Preset;

/// A group of presets under one heading.
#[derive(Clone, Copy, Debug)]
pub struct Lab {
    pub name: &'static str,
    /// The question that its runs address.
    pub question: &'static str,
    runs: &'static [Run],
}

/// A preset by name, and the views for the window's panes, the large ones first; empty for the default views.
type Run = (&'static str, &'static [&'static str]);

/// All laboratories.
pub const LABS: &[Lab] = &[
    Lab {
        name: "Reactivation",
        question: "What happens to the kernel of the first task when the data shift?",
        runs: &[
            ("reactivation", &[]),
            ("lazy", &[]),
            ("ntk", &[]),
            ("no-shift", &[]),
            ("five-tasks", &[]),
            ("permuted", &[]),
            ("cnn", &[]),
            ("resmlp", &[]),
            ("transformer", &[]),
            ("resnet", &[]),
            ("vision-transformer", &[]),
            ("static-kernel", &["Kernel", "Kernel velocity", "Scale", "Alignment", "Static kernel", "Coupling"]),
            ("replay", &[]),
            ("precursor", &[]),
            ("ten-tasks", &[]),
        ],
    },
    Lab {
        name: "Universality",
        question: "Does training follow the kernel, the more closely the wider the network?",
        runs: &[
            (
                "universality",
                &["Kernel", "Trajectories", "Modes", "Static kernel", "Program", "Kernel velocity", "Accuracy"],
            ),
            (
                "infinite",
                &["Kernel", "Trajectories", "Accuracy", "Scale", "Eigenspectrum", "Kernel velocity", "Ledger"],
            ),
            (
                "mean-readout",
                &["Program", "Kernel", "Static kernel", "Kernel velocity", "Scale", "Trajectories", "Accuracy"],
            ),
            ("circle", &["Kernel", "Circle", "Modes", "Trajectories", "Program", "Kernel velocity", "Scale"]),
            ("disk", &["Kernel", "Disk", "Alignment", "Modes", "Program", "Kernel velocity", "Accuracy"]),
        ],
    },
];

/// The first study of each laboratory in the list of studies.
const STUDIES_BEGIN: [(&str, &str); 3] =
    [("width", "Reactivation"), ("width-init", "Universality"), ("he3", "Scaling")];

/// Returns the laboratory whose studies begin with this one.
pub fn lab_before(study: &str) -> Option<&'static str> {
    STUDIES_BEGIN.iter().find(|(first, _)| *first == study).map(|(_, lab)| *lab)
}

impl Lab {
    /// Returns its preset runs, in the order of its list.
    pub fn presets(&self) -> impl Iterator<Item = &'static Preset> {
        self.runs.iter().filter_map(|(name, _)| super::preset(name))
    }
}

impl Preset {
    /// Returns the titles of the views that show this run, for the panes of the window, the large ones first.
    pub fn views(&self) -> &'static [&'static str] {
        LABS.iter().flat_map(|lab| lab.runs).find(|run| run.0 == self.name).map_or(&[], |run| run.1)
    }
}
