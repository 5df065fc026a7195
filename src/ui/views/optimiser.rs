//! Shows the optimiser's kernel J P J′ beside Θ.

use egui::Ui;

use super::context::{ViewContext, absent, choose_block};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::palette::Colour;
use crate::chart::panel::Dashes;
use crate::chart::series_id::{Centred as _, OfOptimiser, SeriesId};
use crate::chart::time_chart::{TimeChart, TimeCurve};
use crate::run::{Block, Metric};
use crate::ui::kit::widgets::choose;
use crate::ui::plot::{TimePlot, window};

/// The message in place of an empty view.
const ABSENT: &str = "This run does not measure its optimiser's kernel: switch “Optimiser's” on in the kernel's \
                settings. With SGD it is a multiple of the kernel itself, so choose Adam, AdamW or RMSprop.";

/// This view shows the optimiser's kernel beside Θ.
pub struct OptimiserView {
    shown: OfOptimiser,
    block: Block,
}

impl Default for OptimiserView {
    fn default() -> Self {
        Self { shown: OfOptimiser::default(), block: Block::Task(1) }
    }
}

impl ViewClass for OptimiserView {
    const TITLE: &str = "Optimiser";
    const HELP: &str = "The kernel of the optimiser's geometry, J P J′, beside Θ = J J′ (dashed): a step moves the \
                 outputs by −η J P J′ ∂L/∂f, to first order. With Adam and AdamW P is the diagonal 1/(√v̂ + ε) as it is at \
                 that moment (v̂: the mean square of each parameter's gradients, corrected for its start; RMSprop has its \
                 own; 0 for a parameter that has never had one, even where a switch is about to give it one), and before its first step there \
                 is none. With momentum μ a gradient that stays the same adds up to 1/(1 − μ) times itself, so P is \
                 that number (with RMSprop a factor of it); with plain SGD it is 1. Lion's step is a sign, and has no \
                 P. Frozen tensors have no part in it.\n\
                 Velocity, alignment, λ_max and trace are defined as for Θ: averaged over logits, centred, over the \
                 same lag. “S from Θ” is 1 − CKA(J P J′, Θ), centred: 0 where the two have one shape.\n\
                 Kingma, Ba 2015 (1412.6980); the kernel of adaptive methods: Yang, Littwin 2023, Tensor Programs IVb \
                 (2308.01814).";
    const NEEDS: Needs = Needs::Run;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let log = matches!(self.shown, OfOptimiser::Velocity | OfOptimiser::LambdaMax | OfOptimiser::Trace);
        let mut card = pane.card(ui, "");
        if !context.info().is_some_and(|info| info.spec.kernel.optimiser) {
            return absent(&mut card.body, context, ABSENT, None);
        }
        let window = window(&card.body, context);
        let header = &mut card.header;
        let history = context.history;
        let usual = |name, debiased| history.usual_name(name, debiased);
        let kinds = [
            (OfOptimiser::Velocity, usual("velocity", "velocity, debiased")),
            (OfOptimiser::Apart, usual("S from Θ", "S from Θ, debiased")),
            (OfOptimiser::LambdaMax, "λ_max"),
            (OfOptimiser::Trace, "trace"),
            (OfOptimiser::Alignment, "alignment"),
            (OfOptimiser::AlignmentCentred, usual("alignment, centred", "alignment, debiased")),
        ];
        choose(header, "What of the optimiser's kernel", &mut self.shown, &kinds);
        choose_block(header, context, "Probes of the optimiser's kernel", &mut self.block);
        let block = self.block;

        let own = match block {
            Block::All => Colour::Text,
            Block::Task(task) => Colour::Task(task),
        };
        let own = TimeCurve::new("J P J′", SeriesId::Optimiser(block, self.shown.usual(context.history)), own);
        let mut curves = vec![TimeCurve { width: 1.8, ..own }];
        let same = match self.shown {
            OfOptimiser::Velocity => Some(Metric::Velocity),
            OfOptimiser::LambdaMax => Some(Metric::LambdaMax),
            OfOptimiser::Trace => Some(Metric::Trace),
            OfOptimiser::Alignment => Some(Metric::Alignment),
            OfOptimiser::AlignmentCentred => Some(Metric::AlignmentCentred),
            _ => None,
        };
        curves.extend(same.map(|metric| {
            // The plain alignment is that of Θ, too.
            let metric = if metric == Metric::Alignment { metric } else { context.history.usual(metric) };
            let theta = TimeCurve::new("Θ", SeriesId::Metric(block, metric), Colour::Weak);
            TimeCurve { style: Dashes::Broken, width: 1.3, ..theta }
        }));
        let limits = (self.shown == OfOptimiser::Apart).then_some((0.0, 1.0));
        let chart = TimeChart { limits, ..TimeChart::new(log, if log { 1.0 } else { 0.05 }, curves) };
        let chart = chart.against(match self.shown {
            OfOptimiser::Velocity | OfOptimiser::VelocityDebiased => context.velocity_unit(),
            OfOptimiser::Apart | OfOptimiser::ApartDebiased => {
                history.usual_name("1 − CKA from Θ", "1 − CKA (debiased) from Θ")
            }
            OfOptimiser::LambdaMax => "λ_max",
            OfOptimiser::Trace => "trace",
            OfOptimiser::Alignment => "alignment, uncentred",
            OfOptimiser::AlignmentCentred | OfOptimiser::AlignmentDebiased => {
                history.usual_name("alignment, centred", "alignment, debiased")
            }
        });
        let plot = TimePlot::of(context, chart, window);
        plot.legend_where_it_fits(header, &mut card.body);
        plot.show(&mut card.body, context, "optimiser");
    }
}
