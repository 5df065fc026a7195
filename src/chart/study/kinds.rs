//! Lists the panels of a study's picture: title, unit, explanation, and content of each.
//!
//! The definitions of spike and dip are the texts of [`crate::math::spike`]; nothing here restates them.

use crate::analysis::comparison::Quantity;
use crate::analysis::{LAWS, Law};
use crate::math::bootstrap::INTERVAL_IN_WORDS;
use crate::math::spike::{DIP_IN_WORDS, FAKE_DIP_IN_WORDS, FAKE_IN_WORDS, RECOVERY_IN_WORDS, SPIKE_IN_WORDS};

/// Names one of the panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelKind {
    Velocity,
    Spike,
    Ratio,
    LambdaMax,
    Dip,
    Recovery,
    Scale,
    Alignment,
    Accuracy,
    /// A figure of the whole run, like all that follow.
    Law(&'static Law),
    LearningCurves,
}

/// Describes the content of a panel.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// The curves of all runs, aligned at the switch.
    Aligned(Quantity),
    /// Figures of the switch against the axis: their column names, their labels, and their style.
    Axis(&'static [Series]),
    /// One figure of the whole run against the axis, with the power law through its runs.
    Law(&'static Law),
}

/// Describes one figure in a panel.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// Its name in the table.
    pub figure: &'static str,
    /// Its label if there are several.
    pub name: &'static str,
    pub style: Style,
}

/// Selects the style of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// In the colours of the values.
    Main,
    /// In the colours of the values, with a broken line.
    Broken,
    /// In grey: a reference for the main figure.
    Control,
}

const fn series(figure: &'static str, name: &'static str, style: Style) -> Series {
    Series { figure, name, style }
}

impl PanelKind {
    /// Returns the panels of a switch, row by row: the velocity, λ_max, and the rest.
    pub const SWITCH: [Self; 9] = [
        Self::Velocity,
        Self::Spike,
        Self::Ratio,
        Self::LambdaMax,
        Self::Dip,
        Self::Recovery,
        Self::Scale,
        Self::Alignment,
        Self::Accuracy,
    ];

    /// Returns the panels of the whole run.
    pub const RUN: [Self; LAWS.len() + 1] = {
        let mut panels = [Self::LearningCurves; LAWS.len() + 1];
        let mut place = 0;
        while place < LAWS.len() {
            panels[place] = Self::Law(&LAWS[place]);
            place += 1;
        }
        panels
    };

    pub fn title(self) -> &'static str {
        match self {
            Self::Velocity => "Velocity",
            Self::Spike => "Spike",
            Self::Ratio => "Spike / background",
            Self::LambdaMax => "λ_max",
            Self::Dip => "Dip of λ_max",
            Self::Recovery => "Recovery time",
            Self::Scale => "Scale",
            Self::Alignment => "Alignment",
            Self::Accuracy => "Accuracy",
            Self::Law(law) => law.title,
            Self::LearningCurves => "Test accuracy",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::Velocity | Self::Spike => "1/epoch",
            Self::Ratio => "ratio",
            Self::LambdaMax | Self::Scale => "over that at the switch",
            Self::Dip => "over λ_max before",
            Self::Recovery => "epochs",
            Self::Alignment => "centred",
            Self::Accuracy | Self::LearningCurves => "",
            Self::Law(law) => law.unit,
        }
    }

    pub(super) fn content(self) -> Content {
        match self {
            Self::Velocity => Content::Aligned(Quantity::Velocity),
            Self::LambdaMax => Content::Aligned(Quantity::LambdaMax),
            Self::Scale => Content::Aligned(Quantity::Scale),
            Self::Alignment => Content::Aligned(Quantity::Alignment),
            Self::Spike => Content::Axis(
                const { &[series("background", "background", Style::Control), series("spike", "spike", Style::Main)] },
            ),
            Self::Ratio => Content::Axis(
                const { &[series("fake_ratio", "fake switches", Style::Control), series("ratio", "switch", Style::Main)] },
            ),
            Self::Dip => Content::Axis(
                const { &[series("fake_dip", "fake switches", Style::Control), series("dip", "switch", Style::Main)] },
            ),
            Self::Recovery => Content::Axis(const { &[series("recovery_epochs", "", Style::Main)] }),
            Self::Accuracy => Content::Axis(
                const {
                    &[
                        series("accuracy_before", "before", Style::Control),
                        series("accuracy_after_masked", "own classes", Style::Broken),
                        series("accuracy_after", "after", Style::Main),
                    ]
                },
            ),
            Self::Law(law) => Content::Law(law),
            Self::LearningCurves => Content::Axis(const { &[series("average_accuracy", "", Style::Main)] }),
        }
    }

    /// Returns whether its axis is logarithmic.
    pub(super) fn is_log(self) -> bool {
        matches!(self, Self::Velocity | Self::Spike | Self::Ratio | Self::Law(_))
    }

    /// Returns the smallest span of its axis (as stored), so that one point does not fill it with digits.
    pub(super) fn least(self) -> f64 {
        match self {
            Self::Velocity | Self::Spike | Self::Ratio | Self::Law(_) => 0.5,
            Self::Recovery => 1.0,
            Self::LambdaMax | Self::Dip | Self::Scale => 0.1,
            Self::Alignment | Self::Accuracy | Self::LearningCurves => 0.02,
        }
    }

    /// Returns the range if it is known beforehand.
    pub(super) fn limits(self) -> Option<(f64, f64)> {
        matches!(self, Self::Accuracy | Self::LearningCurves).then_some((0.0, 1.0))
    }

    /// Returns the title and the name of the vertical axis in a file, where no help explains them.
    pub(super) fn in_full(self) -> (String, String) {
        let (title, y) = match self {
            Self::Velocity => ("Velocity on the first task’s probes", "(1 − CKA) per epoch"),
            Self::Spike => ("Spike of the velocity at the first switch, and its background", "(1 − CKA) per epoch"),
            Self::Ratio => ("Spike over its background, and what fake switches give", "ratio"),
            Self::LambdaMax => ("λ_max over that at the switch", "ratio"),
            Self::Dip => {
                ("Dip: smallest λ_max within three epochs over λ_max before, and what fake switches give", "ratio")
            }
            Self::Recovery => {
                ("Epochs until λ_max is back where it was (a line only where it comes back in all runs)", "epochs")
            }
            Self::Scale => ("Scale of the kernel over that at the switch", "ratio"),
            Self::Alignment => ("Alignment with the labels, centred", "alignment"),
            Self::Accuracy => ("Test accuracy on the first task", "accuracy"),
            Self::Law(law) => (law.title, law.unit),
            Self::LearningCurves => ("Test accuracy", "accuracy"),
        };
        (title.to_owned(), y.to_owned())
    }

    /// Explains the figure shown, its definition, and its source.
    pub fn help(self) -> String {
        let of_task = "on the probes of the task that ends at the switch";
        let what = match self {
            Self::Velocity => format!(
                "How fast the kernel turns {of_task}: v = (1 − CKA(K_{{t−Δ}}, K_t)) / Δ per epoch. No lag straddles a switch, so \
                 the curves have a gap there.\n{SPIKE_IN_WORDS}"
            ),
            Self::Spike => format!("{SPIKE_IN_WORDS} Measured {of_task}."),
            Self::Ratio => format!("{SPIKE_IN_WORDS}\n{FAKE_IN_WORDS}\nDrawn here: that percentile over the background."),
            Self::LambdaMax => format!(
                "The largest eigenvalue of the kernel {of_task}, divided by its value at the switch.\n{DIP_IN_WORDS}"
            ),
            Self::Dip => format!(
                "{DIP_IN_WORDS} Measured {of_task}; 0.85 is a loss of 15 %.\n{FAKE_DIP_IN_WORDS}\nDrawn here: that percentile."
            ),
            Self::Recovery => format!("{DIP_IN_WORDS}\n{RECOVERY_IN_WORDS} Where it never is, there is no point."),
            Self::Scale => format!("The norm ‖K‖ of the kernel {of_task}, divided by its value at the switch."),
            Self::Alignment => format!(
                "How well the kernel fits the labels {of_task}: ⟨K, YY′⟩ / (‖K‖ ‖YY′‖), both centred."
            ),
            Self::Accuracy => {
                "Test accuracy on the task that ends at the switch: before, at that switch, and after, at the end of the next \
                 task, over all logits and (broken line) among the task's own classes. Much of what looks like forgetting \
                 is a bias of the logits."
                    .to_owned()
            }
            Self::Law(law) => law.definition.to_owned(),
            Self::LearningCurves => "Test accuracy over all logits at the end, the mean over the tasks that were \
                trained.".to_owned(),
        };
        let how = match self.content() {
            Content::Aligned(_) => format!(
                "Thin lines are single runs; a thick line is the mean over the seeds of one value of the axis, its band the \
                 {INTERVAL_IN_WORDS} (a thousand draws here); where not all of them reach, neither is drawn. Time is counted \
                 from the switch, over the stretch that all runs have."
            ),
            Content::Axis(_) => format!(
                "A dot is a run, the line goes through the means over seeds, a bar is the {INTERVAL_IN_WORDS}. The line is \
                 drawn only where every run has the figure."
            ),
            Content::Law(_) => law_in_words(),
        };
        let source = match self.content() {
            Content::Law(_) => "Tensor Programs IIb (2105.03703); Lee et al. 2019.",
            _ => "Reactivation (2507.16039).",
        };
        format!("{what}\n{how}\n{source}")
    }
}

/// Explains how a power law is drawn, and the text beside it.
fn law_in_words() -> String {
    format!(
        "Logarithmic: a dot is a run, the band is the {INTERVAL_IN_WORDS}, and the straight line is the power law A·x^b through \
         all runs by least squares of the logarithms. Beside it stands b with its 95 % interval (Student's t, all runs for one \
         each). Where the width varies, the faint lines have the slopes −½ and −1. What is not above 0 has no place here; at an \
         infinite width, which has none on the axis either, a value above 0 is a dotted level."
    )
}
