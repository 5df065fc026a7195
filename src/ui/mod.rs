//! The window: what a run does, live, and how to change it.
//!
//! `app` holds the state and the layout, `logic` what happens between frames, `commands` what a user can do, `clock` the
//! time that all views share, `travel` playback, marks and the two moments, `curves` the lines as they are drawn, `views` one
//! file per view, `export` what leaves it as files, `tours` the lessons. Data come in through [`session::Session`], wishes
//! go out through it; no tensor and no blocking call is in here.

pub mod app;
pub mod export;
pub mod kit;
pub mod lessons;
pub mod overlays;
pub mod playback;
mod plot;
mod settings;
pub mod shell;
pub mod study;
pub mod views;

pub use crate::ui::app::environment::Home;
pub use crate::ui::app::screenshots::{Subject, screenshots};
pub use crate::ui::app::window::{WindowOptions, icon, open};
pub use app::{App, StartFn};
