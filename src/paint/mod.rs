//! Paints charts and whole views: in the window, and without one into files.
//!
//! [`panel`] paints a described chart into a ui, [`page`] and [`heat_maps`] arrange figures, [`figures`] makes their files, and `study_page` one page on
//! a study. What
//! is drawn by `egui` without a window ([`offscreen_renderer`]) becomes a picture ([`raster`]) or an SVG ([`svg`]).
//!
//! Guarantees: no display, graphics card or system font is needed; what the window shows and what a file shows is painted by the
//! same code.

pub mod axes;
pub mod figures;
pub mod heat_maps;
pub mod offscreen_renderer;
pub mod page;
pub mod panel;
pub mod pixels;
pub mod raster;
pub mod shape_painter;
mod study_page;
pub mod svg;
pub mod theme;
pub mod transform;

pub use figures::{FigureError, files, render, write_all, write_study, write_study_lags};
pub use study_page::write_study_page;
