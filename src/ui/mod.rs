//! The window: what a run does, live, and how to change it.
//!
//! `app` holds the state and the layout, `logic` what happens between frames, `actions` what a user can do, `clock` the
//! time that all views share, `curves` the lines as they are drawn, `views` one file per view. Data come in through
//! [`session::Session`], wishes go out through it; no tensor and no blocking call is in here.

pub mod actions;
pub mod app;
mod aside;
mod axes;
mod banner;
pub mod clock;
pub mod curves;
pub mod distance_map;
mod folder_dialog;
mod forks;
mod format;
mod help;
mod logic;
mod meters;
mod opening;
mod plot;
pub mod residuals;
pub mod runs;
mod scene;
pub mod session;
mod settings;
mod shots;
mod sources;
mod status_bar;
pub mod study;
pub mod theme;
mod timeline;
pub mod toasts;
mod top_bar;
pub mod views;
mod widgets;
mod window;

pub use app::{App, StartFn};
pub use shots::{Subject, screenshots};
pub use window::{WindowOptions, open};
