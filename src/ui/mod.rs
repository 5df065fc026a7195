//! The window: what a run does, live, and how to change it.
//!
//! `app` holds the state and the layout, `logic` what happens between frames, `commands` what a user can do, `clock` the
//! time that all views share, `travel` playback, marks and the two moments, `curves` the lines as they are drawn, `views` one
//! file per view, `export` what leaves it as files, `tours` the lessons. Data come in through [`session::Session`], wishes
//! go out through it; no tensor and no blocking call is in here.

pub mod actions;
pub mod app;
mod aside;
mod axes;
mod banner;
mod can;
pub mod clock;
pub mod command_palette;
pub mod commands;
pub mod curves;
pub mod display;
pub mod distance_map;
pub mod export;
mod folder_dialog;
mod forks;
pub mod format;
mod help;
pub mod highlight;
mod home;
mod icons;
pub mod keeper;
mod keys;
mod leaving;
mod logic;
pub mod looks;
mod meters;
mod opening;
mod plot;
pub mod residuals;
pub mod runs;
pub mod saved;
mod scene;
pub mod session;
mod settings;
pub mod sheet;
mod shots;
mod small;
mod sources;
mod status_bar;
pub mod study;
pub mod theme;
mod timeline;
pub mod toasts;
mod top_bar;
pub mod tours;
pub mod travel;
pub mod two_moments;
pub mod views;
mod widgets;
mod window;

pub use app::{App, StartFn};
pub use home::Home;
pub use shots::{Subject, screenshots};
pub use window::{WindowOptions, icon, open};
