//! Chooses the display on which the window opens, corrects invalid environment variables, and words display errors.
//!
//! Guarantees: a stale variable of an earlier session does not prevent the window where another display exists; an implausible
//! scale is reported and replaced by 1; an error names the display and a way out, and no file of the machine on which this was
//! built.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eframe::egui_wgpu::{RenderState, WgpuError, WgpuSetup, WgpuSetupCreateNew};
use eframe::wgpu::{Adapter, Backend, DeviceType, Surface};

/// Corrects the environment before a window is opened, and returns one sentence per correction.
///
/// # Safety
/// It changes the environment: no other thread may exist.
pub unsafe fn settle() -> Vec<String> {
    #[cfg(target_os = "linux")]
    {
        let found = linux::Found::look();
        for name in &found.remove {
            // SAFETY: the caller has no other thread.
            unsafe { std::env::remove_var(name) };
        }
        if found.problems.iter().any(|problem| matches!(problem, linux::Problem::Scale(..))) {
            // SAFETY: the same.
            unsafe { std::env::set_var(linux::SCALE, "1") };
        }
        found.problems.iter().map(ToString::to_string).collect()
    }
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

/// Explains to the user why no window could be opened; the original error goes to the log.
pub fn in_words(err: &eframe::Error) -> String {
    log::info!("no window: {err}");
    match err {
        eframe::Error::Wgpu(WgpuError::CustomNativeAdapterSelectionError(sentence)) => sentence.clone(),
        eframe::Error::Wgpu(_) => no_driver(),
        eframe::Error::AppCreation(err) => format!("no window can be opened: {err}"),
        _ => format!("no window can be opened: {}", unreachable_display()),
    }
}

/// The error of a window whose display went away: at a logout, or when a remote connection ended.
#[derive(Debug, thiserror::Error)]
#[error(
    "The display {0} is gone, and the window was closed with it; if runs are autosaved, the next window offers the run \
     up to this point"
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

/// Whether the window is still being opened and no code of ours has run yet: a panic then comes from the window system.
pub static OPENING: AtomicBool = AtomicBool::new(false);

/// Returns whether a panic now is caused by the display.
pub fn broke_it() -> bool {
    OPENING.load(Ordering::Relaxed) || is_gone()
}

/// Explains why there is no window where the window system panicked instead of returning an error.
pub fn broken(payload: &(dyn Any + Send)) -> String {
    let message =
        payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    let message = message.unwrap_or("it did not say what");
    format!("no window can be opened: {}", lacks(message))
}

/// Names the display on which no window can be opened, and the window system's error.
fn lacks(reason: &str) -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let display = named("WAYLAND_DISPLAY").or_else(|| named("DISPLAY")).unwrap_or_default();
    format!("the display {display} lacks something that a window needs ({reason})")
}

/// Returns whether the display that the environment names no longer responds.
fn is_gone() -> bool {
    #[cfg(target_os = "linux")]
    return !linux::answers();
    #[cfg(not(target_os = "linux"))]
    false
}

/// Names the display that did not respond.
fn unreachable_display() -> String {
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

/// Chooses the graphics setup: the best adapter for this screen, with textures as large as it supports.
pub fn graphics() -> WgpuSetup {
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    setup.native_adapter_selector = Some(Arc::new(adapter));
    let device = Arc::clone(&setup.device_descriptor);
    setup.device_descriptor = Arc::new(move |adapter| {
        let mut wanted = device(adapter);
        // A window may be as wide as several screens. Above 8192 pixels the default limit makes the library fail.
        wanted.required_limits.max_texture_dimension_2d = adapter.limits().max_texture_dimension_2d;
        wanted
    });
    setup.into()
}

/// Limits the window to the size that its adapter can paint. If it becomes larger nevertheless, painting stops until it is
/// smaller, and the log says why: without this the library ends the program.
pub fn bound(ctx: &egui::Context, state: &RenderState) {
    let side = state.device.limits().max_texture_dimension_2d as f32 / ctx.pixels_per_point();
    ctx.send_viewport_cmd(egui::ViewportCommand::MaxInnerSize(egui::Vec2::splat(side)));
    let reported = AtomicBool::new(false);
    state.device.on_uncaptured_error(Arc::new(move |err| {
        let text = err.to_string();
        // The error recurs in each frame and causes others.
        if reported.swap(true, Ordering::Relaxed) {
            log::debug!("{text}");
        } else if text.contains("maximum supported texture size") {
            log::warn!(
                "the window is larger than the graphics adapter can paint: its picture is not updated until it is smaller"
            );
        } else {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            log::warn!("the window could not be painted: {text}");
        }
    }));
}

/// Chooses the adapter: among those that support this screen the fastest kind, with Vulkan and similar APIs before OpenGL.
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

    /// The variable that the window system reads before any other scale.
    pub const SCALE: &str = "WINIT_X11_SCALE_FACTOR";
    /// Plausible scales: text stays legible, and the window stays within what a graphics card can paint.
    const SCALES: std::ops::RangeInclusive<f64> = 0.25..=8.0;
    /// Dots per inch at a scale of 1.
    const DOTS: f64 = 96.0;

    /// A problem of the environment that is corrected.
    #[derive(Debug)]
    pub enum Problem {
        /// The source of the scale, and its value.
        Scale(&'static str, String),
        /// The Wayland display that does not respond, and the X11 display used instead.
        Wayland(String, String),
    }

    impl fmt::Display for Problem {
        fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Scale(who, value) => {
                    write!(to, "{who} gives the scale {value}, which is not usable: 1 is used")
                }
                Self::Wayland(wayland, x11) => write!(
                    to,
                    "WAYLAND_DISPLAY is {wayland}, which does not answer: the window opens on the X11 display {x11}"
                ),
            }
        }
    }

    /// Collects the problems of the environment.
    pub struct Found {
        pub remove: Vec<&'static str>,
        pub problems: Vec<Problem>,
    }

    impl Found {
        pub fn look() -> Self {
            let mut found = Self { remove: Vec::new(), problems: Vec::new() };
            if found.has_wayland() {
                return found;
            }
            let Some(display) = named("DISPLAY") else { return found };
            if let Some(wayland) = named("WAYLAND_DISPLAY") {
                found.problems.push(Problem::Wayland(wayland, display));
            }
            found.problems.extend(scale());
            found
        }

        /// Returns whether a Wayland display responds; variables that name none are removed where another display exists.
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
        // An absolute path as the name replaces the folder.
        UnixStream::connect(folder.join(display)).is_ok()
    }

    /// Returns whether the display of the window responds.
    pub fn answers() -> bool {
        match (named("WAYLAND_DISPLAY"), named("DISPLAY")) {
            (Some(display), _) => wayland_answers(&display),
            (None, Some(_)) => x11rb::connect(None).is_ok(),
            // It was passed as an open socket, which cannot be tried a second time.
            (None, None) => true,
        }
    }

    fn named(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// Finds a problem in the scale that the window system would use: from its variable, else the desktop's settings, else the
    /// display's resources.
    fn scale() -> Option<Problem> {
        let is_one = |scale: f64| SCALES.contains(&scale);
        if let Some(value) = named(SCALE) {
            let fine = value.eq_ignore_ascii_case("randr") || value.parse().is_ok_and(is_one);
            return (!fine).then_some(Problem::Scale(SCALE, value));
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

    /// Returns the dots per inch that the desktop's settings manager publishes, if there is one.
    fn desktop_dots(display: &RustConnection, screen: usize) -> Option<f64> {
        let atom = |name: &str| Some(display.intern_atom(true, name.as_bytes()).ok()?.reply().ok()?.atom);
        let owner = display.get_selection_owner(atom(&format!("_XSETTINGS_S{screen}"))?).ok()?.reply().ok()?.owner;
        let settings = atom("_XSETTINGS_SETTINGS")?;
        let most = 1 << 16;
        let property = display.get_property(false, owner, settings, AtomEnum::ANY, 0, most).ok()?.reply().ok()?;
        crate::ui::app::display::xsettings_dots(&property.value)
    }

    /// Returns the bits per pixel of the screen.
    pub fn depth() -> Option<u8> {
        let (display, screen) = x11rb::connect(None).ok()?;
        Some(display.setup().roots.get(screen)?.root_depth)
    }
}

/// Returns `Xft/DPI` from the settings that a desktop publishes (the XSETTINGS protocol: one byte for the byte order, then a list
/// of settings, each with its type, name, serial number and value).
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
            // The length is the second half of the word, in either byte order.
            if is_little { word >> 16 } else { word & 0xffff }
        })?;
        let name = data.get(at + 4..at + 4 + length)?;
        // The name is followed by the serial number of the last change.
        at += 4 + padded(length) + 4;
        match kind {
            // The unit is 1/1024 dot per inch.
            0 if name == b"Xft/DPI" => return Some(f64::from(number(at)? as i32) / 1024.0),
            0 => at += 4,
            1 => at += 4 + padded(usize::try_from(number(at)?).ok()?),
            2 => at += 8,
            _ => return None,
        }
    }
    None
}
