//! The laboratories: which ready-made runs ask the same question, and which views show the answer.
//!
//! Guarantee (held by a test): every ready-made run stands in exactly one laboratory. Views go by their titles, because a spec
//! knows of no window; a test of the window holds that each exists.

use super::Preset;

/// Ready-made runs under one heading.
#[derive(Clone, Copy, Debug)]
pub struct Lab {
    pub name: &'static str,
    /// What its runs are there to show.
    pub question: &'static str,
    runs: &'static [Run],
}

/// A preset by name, and the views for the window's places, the large ones first; none where the usual ones show it.
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

/// Where the ready-made studies of each laboratory begin in their list.
const STUDIES_BEGIN: [(&str, &str); 3] =
    [("width", "Reactivation"), ("width-init", "Universality"), ("he3", "Scaling")];

/// The laboratory whose ready-made studies begin with this one.
pub fn lab_before(study: &str) -> Option<&'static str> {
    STUDIES_BEGIN.iter().find(|(first, _)| *first == study).map(|(_, lab)| *lab)
}

impl Lab {
    /// Its ready-made runs, in the order of its list.
    pub fn presets(&self) -> impl Iterator<Item = &'static Preset> {
        self.runs.iter().filter_map(|(name, _)| super::preset(name))
    }
}

impl Preset {
    /// Titles of the views that show this run, for the places of the window, the large ones first.
    pub fn views(&self) -> &'static [&'static str] {
        LABS.iter().flat_map(|lab| lab.runs).find(|run| run.0 == self.name).map_or(&[], |run| run.1)
    }
}
