//! Implements the window, which shows a run live and changes it.
//!
//! `app` holds the state, what happens between frames and what a user can do; `shell` what surrounds the views, `views` one file
//! or folder a view, `settings` and `study` the panels and the page of studies, `plot` the curves, `playback` the time that all
//! views share, `overlays` other runs drawn over this one, `watching` trainings in other programs, `lessons` the lessons, `export` what leaves the window as files, `kit`
//! what all of them draw with.
//!
//! What the user asks for is data ([`app::actions::Action`]): views push it while they draw, and [`App`] carries it out between
//! frames, in `app/update.rs` alone. A feature changes its own state and returns what it asks of the others; none depends
//! on the window. Data come in through [`app::session::Session`], commands go out through it; no tensor and no blocking
//! call is in here.

pub mod app;
pub mod export;
pub mod kit;
pub mod lessons;
pub mod overlays;
pub mod playback;
pub mod plot;
mod settings;
pub mod shell;
pub mod study;
pub mod views;
pub mod watching;

pub use crate::ui::app::environment::Environment;
pub use crate::ui::app::screenshots::{Subject, screenshots};
pub use crate::ui::app::window::{WindowOptions, icon, open};
pub use app::{App, StartFn};
