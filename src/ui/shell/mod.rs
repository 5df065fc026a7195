//! What surrounds the views: bars, timeline, messages, dialogs.

pub(crate) mod banner;
pub mod command_palette;
pub(crate) mod folder_dialog;
pub(crate) mod help;
pub(crate) mod status_bar;
pub(crate) mod timeline;
pub mod toasts;
pub(crate) mod top_bar;
