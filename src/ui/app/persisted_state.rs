//! Defines the saved state of a window, as a value and as TOML: appearance, layout, page and settings.
//!
//! Guarantees: reading accepts every valid part and reports each invalid one in a sentence, so that a broken layout does not lose
//! the settings; unknown entries are ignored. No file is accessed here.

use egui::ThemePreference;
use serde::Deserialize as _;
use toml::{Table, Value};

use crate::spec::Spec;
use crate::ui::kit::appearance::SCALES;
use crate::ui::views::Layout;

/// Version of the file that is written.
const VERSION: i64 = 1;
/// Plausible window sizes; others are not restored.
const SIZES: std::ops::RangeInclusive<f32> = 600.0..=16_000.0;

/// The state of a window that the next start restores; absent parts have their defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PersistedState {
    pub theme: Option<ThemePreference>,
    pub scale: Option<f32>,
    /// Inner size at a scale of 1, in points.
    pub size: Option<[f32; 2]>,
    /// Whether it filled its screen; the size is then not known.
    pub maximised: Option<bool>,
    /// Whether the study page is shown.
    pub study: Option<bool>,
    pub layout: Option<Layout>,
    pub settings: Option<Spec>,
    /// Names and paths of opened runs and studies, the most recent first.
    pub recent: Vec<(String, String)>,
    /// Names of the lessons that were read to their end.
    pub read: Vec<String>,
}

impl PersistedState {
    /// Reads the state from TOML, with a sentence for each part that is invalid.
    pub fn read(text: &str) -> (Self, Vec<String>) {
        let (mut saved, mut problems) = (Self::default(), Vec::new());
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(_) => return (saved, vec!["it is no TOML".to_owned()]),
        };
        if table.get("version").and_then(Value::as_integer) != Some(VERSION) {
            return (saved, vec!["it is of another version".to_owned()]);
        }
        let mut take = |key: &str, read: &mut dyn FnMut(&Value) -> Result<(), String>| {
            if let Some(Err(problem)) = table.get(key).map(read) {
                problems.push(format!("{key}: {problem}"));
            }
        };
        take("theme", &mut |value| {
            saved.theme = Some(match value.as_str() {
                Some("system") => ThemePreference::System,
                Some("light") => ThemePreference::Light,
                Some("dark") => ThemePreference::Dark,
                _ => return Err("it is system, light or dark".to_owned()),
            });
            Ok(())
        });
        take("scale", &mut |value| {
            let scale = real(value).filter(|scale| SCALES.contains(scale));
            saved.scale = Some(scale.ok_or_else(|| format!("it lies from {} to {}", SCALES.start(), SCALES.end()))?);
            Ok(())
        });
        take("size", &mut |value| {
            let sides: Vec<f32> = value.as_array().into_iter().flatten().filter_map(real).collect();
            match sides[..] {
                [width, height] if SIZES.contains(&width) && SIZES.contains(&height) => {
                    saved.size = Some([width, height]);
                    Ok(())
                }
                _ => Err("it is width and height of a window".to_owned()),
            }
        });
        take("maximised", &mut |value| {
            saved.maximised = Some(value.as_bool().ok_or_else(|| "it is true or false".to_owned())?);
            Ok(())
        });
        take("page", &mut |value| {
            saved.study = Some(match value.as_str() {
                Some("run") => false,
                Some("study") => true,
                _ => return Err("it is run or study".to_owned()),
            });
            Ok(())
        });
        take("layout", &mut |value| {
            let layout = Layout::deserialize(value.clone()).map_err(|err| first_line(err.message()))?;
            layout.check()?;
            saved.layout = Some(layout);
            Ok(())
        });
        take("settings", &mut |value| {
            let text = toml::to_string(value).map_err(|err| err.to_string())?;
            saved.settings = Some(Spec::from_toml(&text).map_err(|err| first_line(&err.to_string()))?);
            Ok(())
        });
        take("recent", &mut |value| {
            saved.recent = Vec::deserialize(value.clone()).map_err(|err| first_line(err.message()))?;
            Ok(())
        });
        take("read", &mut |value| {
            saved.read = Vec::deserialize(value.clone()).map_err(|err| first_line(err.message()))?;
            Ok(())
        });
        (saved, problems)
    }

    /// Writes the state as TOML.
    pub fn write(&self) -> String {
        let mut table = Table::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                table.insert(key.to_owned(), value);
            }
        };
        let rounded = |value: f32| Value::from((100.0 * f64::from(value)).round() / 100.0);
        put("version", Some(VERSION.into()));
        put(
            "theme",
            self.theme.map(|theme| match theme {
                ThemePreference::System => "system".into(),
                ThemePreference::Light => "light".into(),
                ThemePreference::Dark => "dark".into(),
            }),
        );
        put("scale", self.scale.map(rounded));
        put("size", self.size.map(|size| size.into_iter().map(rounded).collect::<Vec<Value>>().into()));
        put("maximised", self.maximised.map(Value::from));
        put("page", self.study.map(|study| if study { "study".into() } else { "run".into() }));
        put("layout", self.layout.as_ref().and_then(|layout| Value::try_from(layout).ok()));
        // A draft may contain a value that TOML cannot (a seed beyond its integers): then the next start has the default
        // settings.
        put("settings", self.settings.as_ref().and_then(|spec| Value::try_from(spec).ok()));
        put("recent", Value::try_from(&self.recent).ok().filter(|_| !self.recent.is_empty()));
        put("read", Value::try_from(&self.read).ok().filter(|_| !self.read.is_empty()));
        toml::to_string(&table).unwrap_or_default()
    }
}

fn real(value: &Value) -> Option<f32> {
    let value = value.as_float().or_else(|| value.as_integer().map(|value| value as f64))?;
    Some(value as f32).filter(|value| value.is_finite())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
