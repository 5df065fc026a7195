//! Declares, once for window and figures, the name, unit and definition of each figure of a run that theory predicts to follow
//! a power law of the width. Their values are those of [`crate::analysis::outcome::RUN_FIGURES`].

/// One figure of a run that may follow a power law.
#[derive(Debug, PartialEq, Eq)]
pub struct Law {
    /// Its name in `study.csv`.
    pub figure: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    /// Its definition.
    pub definition: &'static str,
}

/// All such figures, in the order in which they are shown.
pub static LAWS: [Law; 5] = [
    Law {
        figure: "kernel_error",
        title: "Kernel against its limit",
        unit: "relative",
        definition: "The distance of the kernel of all probes from that of infinite width before the first step: ‖Θ_n \
                − Θ̊‖/‖Θ̊‖ (Frobenius). Random networks are to differ from it as n^−½.",
    },
    Law {
        figure: "kernel_drift",
        title: "Drift of the kernel",
        unit: "relative",
        definition: "The distance of the kernel of all probes from the first one: ‖Θ_t − Θ_0‖/‖Θ_0‖ (Frobenius), the \
                largest of the run's snapshots. To fall as n^−1 where training follows the kernel.",
    },
    Law {
        figure: "gap_linearised",
        title: "Gap to its linearisation",
        unit: "root mean square",
        definition: "The gap between the network and its linearisation at the start, which takes the same steps with a \
                constant kernel: the root mean square of the difference over test images and logits, of the worst \
                task, the largest of the run's snapshots. Smooth networks are to differ as n^−1, those with a kink \
                more slowly.",
    },
    Law {
        figure: "gap_infinite",
        title: "Gap to the infinite network",
        unit: "root mean square",
        definition: "The gap between the network and training with the infinite-width kernel, from the same outputs at \
                the start and on the same batches: the root mean square of the difference, as for its own \
                linearisation.",
    },
    Law {
        figure: "gap_piecewise",
        title: "Gap with a kernel re-measured",
        unit: "root mean square",
        definition: "The gap between the network and its linearisation at intervals, whose kernel is piecewise \
                constant: the root mean square of the difference, as for its linearisation at the start.",
    },
];
