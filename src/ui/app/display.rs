//! On which display the window opens, what is put right of what the environment says about it, and what its errors are in our words.
//!
//! Guarantees: a variable that a session has left behind costs no window where there is another display; a scale that nobody can have
//! meant is told and taken as 1; an error names the display and a way out, and no file of the machine on which this was built.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eframe::egui_wgpu::{RenderState, WgpuError, WgpuSetup, WgpuSetupCreateNew};
use eframe::wgpu::{Adapter, Backend, DeviceType, Surface};

/// Puts the environment right before a window is opened, and says so in one sentence each.
///
/// # Safety
/// The environment is changed: there must be no other thread.
pub unsafe fn settle() -> Vec<String> {
    #[cfg(target_os = "linux")]
    {
        let found = linux::Found::look();
        for name in &found.remove {
            // SAFETY: the caller has no other thread.
            unsafe { std::env::remove_var(name) };
        }
        if found.told.iter().any(|problem| matches!(problem, linux::Problem::Scale(..))) {
            // SAFETY: the same.
            unsafe { std::env::set_var(linux::SCALE, "1") };
        }
        found.told.iter().map(ToString::to_string).collect()
    }
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

/// Says why there is no window, in our words; what the libraries said is for the log.
pub fn in_words(err: &eframe::Error) -> String {
    log::info!("no window: {err}");
    match err {
        eframe::Error::Wgpu(WgpuError::CustomNativeAdapterSelectionError(sentence)) => sentence.clone(),
        eframe::Error::Wgpu(_) => no_driver(),
        eframe::Error::AppCreation(err) => format!("no window can be opened: {err}"),
        _ => format!("no window can be opened: {}", whose()),
    }
}

/// A window was open, and its display went away: at a logout, or when a connection to another machine ended.
#[derive(Debug, thiserror::Error)]
#[error(
    "The display {0} went away, and the window with it; a run that went on is kept up to there where runs are kept, and the next window offers it"
)]
pub struct Gone(String);

impl Gone {
    /// Returns the error if the display has gone.
    pub fn now() -> Option<Self> {
        is_gone().then(|| {
            let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            Self(named("WAYLAND_DISPLAY").or_else(|| named("DISPLAY")).unwrap_or_default())
        })
    }
}

/// Whether a window is being opened and nothing of ours has been asked for it yet: what breaks by then is the window system.
pub static OPENING: AtomicBool = AtomicBool::new(false);

/// Whether what breaks now is broken by the display.
pub fn broke_it() -> bool {
    OPENING.load(Ordering::Relaxed) || is_gone()
}

/// Says why there is no window where the window system broke instead of saying so.
pub fn broken(payload: &(dyn Any + Send)) -> String {
    let said = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    let said = said.unwrap_or("it did not say what");
    format!("no window can be opened: {}", lacks(said))
}

/// Names the display that cannot have a window, and what the window system said of it.
fn lacks(said: &str) -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let display = named("WAYLAND_DISPLAY").or_else(|| named("DISPLAY")).unwrap_or_default();
    format!("the display {display} lacks something that a window needs ({said})")
}

/// Whether the display that the environment names no longer answers.
fn is_gone() -> bool {
    #[cfg(target_os = "linux")]
    return !linux::answers();
    #[cfg(not(target_os = "linux"))]
    false
}

/// Names the display that did not answer.
fn whose() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(display) = named("WAYLAND_DISPLAY") {
        let other = named("DISPLAY").map(|display| format!("WAYLAND_DISPLAY= has it take the X11 display {display}"));
        let other = other.unwrap_or_else(|| "set it, or DISPLAY, to one that can".to_owned());
        format!("the Wayland display {display} (WAYLAND_DISPLAY) cannot be reached; {other}")
    } else if let Some(display) = named("DISPLAY") {
        format!("the display {display} (DISPLAY) cannot be reached; set DISPLAY to one that can")
    } else if cfg!(target_os = "linux") {
        "there is no display: neither DISPLAY nor WAYLAND_DISPLAY names one".to_owned()
    } else {
        "the system has no display".to_owned()
    }
}

fn no_driver() -> String {
    let packages = if cfg!(target_os = "linux") {
        "; on Debian the package mesa-vulkan-drivers (or libgl1-mesa-dri with libegl1) draws on the processor"
    } else {
        ""
    };
    format!("no window can be opened: no graphics driver was found, neither for Vulkan nor for OpenGL{packages}")
}

/// Chooses how the window is drawn: by the first adapter that can draw on this screen, with pictures as large as it can make them.
pub fn graphics() -> WgpuSetup {
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    setup.native_adapter_selector = Some(Arc::new(adapter));
    let device = Arc::clone(&setup.device_descriptor);
    setup.device_descriptor = Arc::new(move |adapter| {
        let mut wanted = device(adapter);
        // A window may be as wide as several screens. The usual limit ends in an error of the library above 8192 pixels.
        wanted.required_limits.max_texture_dimension_2d = adapter.limits().max_texture_dimension_2d;
        wanted
    });
    setup.into()
}

/// Keeps the window no larger than its adapter can paint. Where it is made larger all the same, its picture stands still until it is
/// smaller, and the log says why: without this the library ends the program.
pub fn bound(ctx: &egui::Context, state: &RenderState) {
    let side = state.device.limits().max_texture_dimension_2d as f32 / ctx.pixels_per_point();
    ctx.send_viewport_cmd(egui::ViewportCommand::MaxInnerSize(egui::Vec2::splat(side)));
    let said = AtomicBool::new(false);
    state.device.on_uncaptured_error(Arc::new(move |err| {
        let text = err.to_string();
        // It comes with each frame, and others come of it.
        if said.swap(true, Ordering::Relaxed) {
            log::debug!("{text}");
        } else if text.contains("maximum supported texture size") {
            log::warn!(
                "the window is larger than the graphics adapter can paint: its picture stands still until it is smaller"
            );
        } else {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            log::warn!("the window could not be painted: {text}");
        }
    }));
}

/// Chooses the adapter that draws: of those that have colours for this screen the fastest kind, Vulkan and its like before OpenGL.
fn adapter(adapters: &[Adapter], surface: Option<&Surface<'_>>) -> Result<Adapter, String> {
    let draws =
        |adapter: &&Adapter| surface.is_none_or(|surface| !surface.get_capabilities(adapter).formats.is_empty());
    let rank = |adapter: &&Adapter| {
        let info = adapter.get_info();
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu => 1,
            DeviceType::Other | DeviceType::VirtualGpu => 2,
            DeviceType::Cpu => 3,
        };
        (kind, info.backend == Backend::Gl)
    };
    let found = adapters.iter().filter(draws).min_by_key(rank);
    found.cloned().ok_or_else(|| if adapters.is_empty() { no_driver() } else { no_colours() })
}

fn no_colours() -> String {
    #[cfg(target_os = "linux")]
    let depth = linux::depth().filter(|depth| *depth < 24);
    #[cfg(not(target_os = "linux"))]
    let depth: Option<u8> = None;
    match depth {
        Some(depth) => format!(
            "no window can be opened: this screen has {depth} bits a pixel, and 24 are needed (of a VNC server: -depth 24)"
        ),
        None => "no window can be opened: no graphics driver here can draw on this screen".to_owned(),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt;
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    use x11rb::connection::Connection as _;
    use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _};
    use x11rb::rust_connection::RustConnection;

    /// The scale that the window system takes before any other.
    pub const SCALE: &str = "WINIT_X11_SCALE_FACTOR";
    /// Scales that can be meant: letters that can be read, and a window that is no larger than a graphics card can paint.
    const SCALES: std::ops::RangeInclusive<f64> = 0.25..=8.0;
    /// Dots per inch at a scale of 1.
    const DOTS: f64 = 96.0;

    /// Something that is put right.
    #[derive(Debug)]
    pub enum Problem {
        /// What says the scale, and what it says.
        Scale(&'static str, String),
        /// The Wayland display that does not answer, and the X11 display in its place.
        Wayland(String, String),
    }

    impl fmt::Display for Problem {
        fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Scale(who, said) => {
                    write!(to, "{who} says a scale of {said}, which no window can have: it is taken as 1")
                }
                Self::Wayland(wayland, x11) => write!(
                    to,
                    "WAYLAND_DISPLAY is {wayland}, which does not answer: the window opens on the X11 display {x11}"
                ),
            }
        }
    }

    /// Collects what there is to put right.
    pub struct Found {
        pub remove: Vec<&'static str>,
        pub told: Vec<Problem>,
    }

    impl Found {
        pub fn look() -> Self {
            let mut found = Self { remove: Vec::new(), told: Vec::new() };
            if found.has_wayland() {
                return found;
            }
            let Some(display) = named("DISPLAY") else { return found };
            if let Some(wayland) = named("WAYLAND_DISPLAY") {
                found.told.push(Problem::Wayland(wayland, display));
            }
            found.told.extend(scale());
            found
        }

        /// Whether a Wayland display answers; variables that name none are to be removed where there is another display.
        fn has_wayland(&mut self) -> bool {
            if let Some(socket) = std::env::var_os("WAYLAND_SOCKET") {
                let link = std::fs::read_link(Path::new("/proc/self/fd").join(&socket));
                if link.is_ok_and(|link| link.to_string_lossy().starts_with("socket:")) {
                    return true;
                }
                self.remove.push("WAYLAND_SOCKET");
            }
            let Some(display) = named("WAYLAND_DISPLAY") else { return false };
            let answers = wayland_answers(&display);
            if !answers && named("DISPLAY").is_some() {
                self.remove.push("WAYLAND_DISPLAY");
            }
            answers
        }
    }

    fn wayland_answers(display: &str) -> bool {
        let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).unwrap_or_default();
        // A name that is a whole path stays one.
        UnixStream::connect(folder.join(display)).is_ok()
    }

    /// Whether the display answers on which the window is.
    pub fn answers() -> bool {
        match (named("WAYLAND_DISPLAY"), named("DISPLAY")) {
            (Some(display), _) => wayland_answers(&display),
            (None, Some(_)) => x11rb::connect(None).is_ok(),
            // By a socket alone, of which nothing can be asked a second time.
            (None, None) => true,
        }
    }

    fn named(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// Finds what is wrong with the scale that the window system would take: that of its variable, else that of the desktop's settings,
    /// else that of the display's resources.
    fn scale() -> Option<Problem> {
        let is_one = |scale: f64| SCALES.contains(&scale);
        if let Some(said) = named(SCALE) {
            let fine = said.eq_ignore_ascii_case("randr") || said.parse().is_ok_and(is_one);
            return (!fine).then_some(Problem::Scale(SCALE, said));
        }
        let (display, screen) = x11rb::connect(None).ok()?;
        let (who, dots) = match desktop_dots(&display, screen) {
            Some(dots) => ("Xft/DPI of the desktop's settings", dots),
            None => ("Xft.dpi of the display's resources", resource_dots(&display)?),
        };
        (!is_one(dots / DOTS)).then(|| Problem::Scale(who, format!("{} ({dots} dots per inch)", dots / DOTS)))
    }

    fn resource_dots(display: &RustConnection) -> Option<f64> {
        let resources = x11rb::resource_manager::new_from_default(display).ok()?;
        resources.get_string("Xft.dpi", "")?.parse().ok()
    }

    /// Returns what the desktop's settings manager says, if there is one.
    fn desktop_dots(display: &RustConnection, screen: usize) -> Option<f64> {
        let atom = |name: &str| Some(display.intern_atom(true, name.as_bytes()).ok()?.reply().ok()?.atom);
        let owner = display.get_selection_owner(atom(&format!("_XSETTINGS_S{screen}"))?).ok()?.reply().ok()?.owner;
        let settings = atom("_XSETTINGS_SETTINGS")?;
        let most = 1 << 16;
        let property = display.get_property(false, owner, settings, AtomEnum::ANY, 0, most).ok()?.reply().ok()?;
        crate::ui::app::display::xsettings_dots(&property.value)
    }

    /// Returns the bits of a pixel of the screen.
    pub fn depth() -> Option<u8> {
        let (display, screen) = x11rb::connect(None).ok()?;
        Some(display.setup().roots.get(screen)?.root_depth)
    }
}

/// `Xft/DPI` of the settings that a desktop publishes (the XSETTINGS protocol: a byte for the order of bytes, then a list of
/// settings, each with its type, name, serial number and value).
pub fn xsettings_dots(data: &[u8]) -> Option<f64> {
    let is_little = *data.first()? == 0;
    let number = |at: usize| {
        let bytes = data.get(at..at + 4)?.try_into().ok()?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let padded = |length: usize| length.next_multiple_of(4);
    let mut at = 12;
    for _ in 0..number(8)?.min(1000) {
        let kind = *data.get(at)?;
        let length = usize::try_from(number(at)?).ok().map(|word| {
            // The second half of the word, in either order of bytes.
            if is_little { word >> 16 } else { word & 0xffff }
        })?;
        let name = data.get(at + 4..at + 4 + length)?;
        // After the name the serial number of its last change.
        at += 4 + padded(length) + 4;
        match kind {
            // In parts of 1024.
            0 if name == b"Xft/DPI" => return Some(f64::from(number(at)? as i32) / 1024.0),
            0 => at += 4,
            1 => at += 4 + padded(usize::try_from(number(at)?).ok()?),
            2 => at += 8,
            _ => return None,
        }
    }
    None
}
