//! Opens the window for a command, and says what works where there is no display.

use crate::ui::WindowOptions;
use crate::ui::app::display::Gone;

/// Opens the window and returns when it is closed; `instead` says what works where none can be opened.
pub fn open(options: WindowOptions, instead: &str) -> anyhow::Result<()> {
    crate::ui::open(options).map_err(|err| match err.is::<Gone>() {
        true => err,
        false => anyhow::anyhow!("{err}; {instead}"),
    })
}
