//! Lists the views, one file or folder each.
//!
//! Menus, palette, help, lessons, presets and layouts read [`View::ALL`]; [`Grid`] draws the views in its panes.

mod accuracy;
mod alignment;
mod atlas;
mod circle;
pub(crate) mod context;
mod coupling;
mod disk;
mod distances;
pub(crate) mod forks;
mod gram;
mod grid;
mod lag_ratios;
mod layers;
mod layout;
mod ledger;
mod logits;
mod modes;
mod moment_comparison;
mod optimiser;
mod pane;
mod prediction;
mod program;
mod run_comparison;
mod scale;
mod spectrum;
mod trajectories;
mod velocity;
mod view;
mod waterfall;

use egui::Ui;

use crate::run::{History, Origin};
use context::{Selection, ViewContext};
use pane::{About, Pane};
use view::ViewClass;

pub use accuracy::matrix_of;
pub use grid::Grid;
pub use layout::Layout;

/// Turns the list of views into the enum of their names, the facts about each, and the struct of their states.
macro_rules! views {
    ($($view:ident: $module:ident::$class:ident,)+) => {
        /// Names one of the views.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum View {
            $($view,)+
        }

        impl View {
            /// All views in the order of menus.
            pub const ALL: [Self; [$(stringify!($view)),+].len()] = [$(Self::$view),+];

            /// Returns the name in menus, layouts and presets.
            pub fn title(self) -> &'static str {
                match self { $(Self::$view => $module::$class::TITLE,)+ }
            }

            /// Explains the quantity shown, its formula, and its source.
            pub fn help(self) -> &'static str {
                match self { $(Self::$view => $module::$class::HELP,)+ }
            }

            /// Returns why the view has nothing to show of a record of this origin, or `None` where it may have something.
            pub fn refusal(self, origin: &Origin) -> Option<&'static str> {
                let needs = match self { $(Self::$view => $module::$class::NEEDS,)+ };
                needs.refusal(origin)
            }

            /// Returns the names of the ways in which the view can show its quantity.
            pub fn modes(self) -> &'static [&'static str] {
                match self { $(Self::$view => $module::$class::MODES,)+ }
            }

            /// Returns what the card of the view shows of it.
            fn about(self) -> About {
                const TITLES: &[&str] = &[$($module::$class::TITLE),+];
                let one_line = match self { $(Self::$view => $module::$class::ONE_LINE,)+ };
                About { title: self.title(), help: self.help(), one_line, titles: TITLES }
            }

            /// Returns whether the view is placed in the largest pane.
            fn is_large(self) -> bool {
                match self { $(Self::$view => $module::$class::LARGE,)+ }
            }
        }

        /// Holds the state of each view.
        #[derive(Default)]
        struct States {
            $($module: $module::$class,)+
        }

        impl States {
            fn show(&mut self, view: View, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
                match view { $(View::$view => self.$module.show(ui, pane, context),)+ }
            }

            fn set_mode(&mut self, view: View, place: usize) {
                match view { $(View::$view => self.$module.set_mode(place),)+ }
            }

            fn reset(&mut self) {
                $(self.$module.reset();)+
            }

            fn show_usual(&mut self) {
                $(self.$module.show_usual();)+
            }

            fn forget_textures(&mut self) {
                $(self.$module.forget_textures();)+
            }

            fn leave(&mut self, history: &History, selection: &Selection) {
                $(self.$module.leave(history, selection);)+
            }

            fn choices(&self) -> Self {
                Self { $($module: self.$module.choices(),)+ }
            }
        }
    };
}

// In the order of menus.
views! {
    Gram: gram::GramView,
    Velocity: velocity::VelocityView,
    Scale: scale::ScaleView,
    Alignment: alignment::AlignmentView,
    Spectrum: spectrum::SpectrumView,
    Waterfall: waterfall::WaterfallView,
    Accuracy: accuracy::AccuracyView,
    Forks: forks::ForksView,
    Prediction: prediction::PredictionView,
    Ledger: ledger::LedgerView,
    Layers: layers::LayersView,
    Logits: logits::LogitsView,
    Coupling: coupling::CouplingView,
    Distances: distances::DistancesView,
    LagRatios: lag_ratios::LagRatiosView,
    Compare: moment_comparison::MomentComparisonView,
    Beside: run_comparison::RunComparisonView,
    Program: program::ProgramView,
    Trajectories: trajectories::TrajectoriesView,
    Modes: modes::ModesView,
    Circle: circle::CircleView,
    Disk: disk::DiskView,
    Optimiser: optimiser::OptimiserView,
}

impl View {
    /// Finds the view of this title, ignoring case.
    pub fn titled(title: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.title().to_lowercase() == title.trim().to_lowercase())
    }
}
