//! The figures of a study: what each run's first switch did, against the axis; and the curves of all runs, aligned at that switch.
//!
//! What is drawn is a [`Comparison`], which the window shows too; here it only gets its titles and colours.

use std::sync::Arc;

use super::super::comparison::{Comparison, Quantity, Reactions, Spacing};
use super::super::{StudyFolder, palette};
use super::curves::{Across, Curve, Panel, Spread};
use super::scale::Scale;

/// A figure: its file's name, its panels, and what lies along their horizontal axis.
type Figure = (&'static str, Vec<Panel>, Across);

/// All figures of a study.
pub(super) fn figures(study: &StudyFolder) -> Vec<Figure> {
    let done = |place| Reactions::of(study.ended(place)?).map(Arc::new);
    let runs = Comparison::of(study.axis(), study.runs(), done);
    vec![summary(&runs), aligned(&runs)]
}

const BLUE: [u8; 3] = [0, 114, 178];
const ORANGE: [u8; 3] = [213, 94, 0];
const GREY: [u8; 3] = [120, 120, 120];

fn summary(runs: &Comparison) -> Figure {
    let line = |name: &str, label: &str, colour| {
        let figure = runs.against(name, 0);
        let curve = Curve { label: Some(label.to_owned()), colour, thin: false, points: figure.means };
        (curve, Spread { colour, ribbon: false, points: figure.spread })
    };
    let panel = |title, y, log, lines: Vec<(Curve, Spread)>| {
        let (curves, spreads) = lines.into_iter().unzip();
        Panel { title, y, log, curves, spreads, ..Panel::default() }
    };
    let panels = vec![
        panel(
            "Spike of the velocity at the first switch, and its background",
            "(1 − CKA) per epoch",
            true,
            vec![line("spike", "spike", BLUE), line("background", "background", GREY)],
        ),
        panel(
            "Spike over its background, and what fake switches give",
            "ratio",
            true,
            vec![line("ratio", "switch", BLUE), line("fake_ratio", "fake switches, 99 %", GREY)],
        ),
        panel(
            "Dip: smallest λ_max within three epochs over λ_max before",
            "ratio",
            false,
            vec![line("dip", "dip", BLUE)],
        ),
        panel(
            "Epochs until λ_max is back where it was (a line only where it comes back in all runs)",
            "epochs",
            false,
            vec![line("recovery_epochs", "recovery", BLUE)],
        ),
        Panel {
            fixed: Some((0.0, 1.0)),
            ..panel(
                "Test accuracy on the first task",
                "accuracy",
                false,
                vec![
                    line("accuracy_before", "at the switch", BLUE),
                    line("accuracy_after", "after the next task", ORANGE),
                    line("accuracy_after_masked", "among its own classes", GREY),
                ],
            )
        },
    ];
    let places: Vec<f64> = runs.values.iter().map(|value| value.at).collect();
    let x = match runs.spacing {
        Spacing::Names => Scale::names(runs.values.iter().map(|value| value.text.clone()).collect()),
        Spacing::Linear | Spacing::Log => Scale::values(&places, runs.spacing == Spacing::Log),
    };
    let name = if runs.axis.is_empty() { "run".to_owned() } else { runs.axis.clone() };
    ("study", panels, Across { x, name, bands: Vec::new(), lines: Vec::new() })
}

fn aligned(runs: &Comparison) -> Figure {
    let panel = |title, y, log, quantity| {
        let (mut curves, mut spreads) = (Vec::new(), Vec::new());
        for (place, (value, around)) in runs.values.iter().zip(runs.around(quantity, 0)).enumerate() {
            let colour = palette::value_colour(place, runs.values.len(), false);
            // A value without a curve is in the legend all the same.
            let pieces = if around.mean.is_empty() { vec![Vec::new()] } else { around.mean };
            for (piece, points) in pieces.into_iter().enumerate() {
                let label = (piece == 0).then(|| value.text.clone());
                let means = points.iter().map(|&(x, [_, mean, _])| (x, mean)).collect();
                curves.push(Curve { label, colour, thin: false, points: means });
                spreads.push(Spread { colour, ribbon: true, points });
            }
        }
        Panel { title, y, log, curves, spreads, ..Panel::default() }
    };
    let panels = vec![
        panel("Velocity on the first task's probes", "(1 − CKA) per epoch", true, Quantity::Velocity),
        panel("λ_max over that at the switch", "ratio", false, Quantity::LambdaMax),
        panel("Scale of the kernel over that at the switch", "ratio", false, Quantity::Scale),
        panel("Alignment with the labels, centred", "alignment", false, Quantity::Alignment),
    ];
    let (from, to) = runs.stretch(0);
    let across = Across {
        x: Scale::exact(from, to),
        name: format!("epochs since the first switch; colours: {}", runs.axis),
        bands: Vec::new(),
        lines: vec![0.0],
    };
    ("study-curves", panels, across)
}
