//! The network of a run: its program, the settings that the program's text declares, and how it is parametrised.
//!
//! A text is evaluated where something is read off it ([`NetworkSpec::program`]); what it declares is the list of settings that
//! files, the command line, studies and the window offer ([`NetworkSpec::declared`]).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::{self, Asked, Choices, Declared, Described, Setting, TextError};
use super::{Activation, Layer, Program, Shapes};

/// The network and how it is parametrised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "super::section::Section", from = "super::section::Section")]
pub struct NetworkSpec {
    /// The name of a network that comes with the program, or what a user's text is called.
    pub program: String,
    /// The text, where it is a user's.
    pub text: Option<Arc<str>>,
    /// What every text declares: units, channels, or what it makes of them. The only setting that may be infinite.
    pub width: usize,
    /// The other settings that the text declares, where they are not at their defaults.
    pub settings: BTreeMap<String, Setting>,
    /// What a text calls `act`.
    pub activation: Activation,
    pub parametrisation: Parametrisation,
    /// Initial weights in the standard parametrisation; the NTK parametrisation draws N(0,1).
    pub init: Init,
    /// NTK parametrisation: z = σ_w/√fan_in · W x + σ_b b.
    pub sigma_w: f64,
    pub sigma_b: f64,
    /// Laziness: when given, F = α (f − f₀) is trained at the rate η/α² (Chizat et al. 2019). Large α is lazy.
    pub alpha: Option<f64>,
    /// When given, the laziness is α √(alpha_width/width), α = 1 where none is given: the mean-field scaling, and µP for SGD
    /// (Yang & Hu 2021; Chizat et al. 2019). Features then move at every width. Ask [`NetworkSpec::laziness`].
    pub alpha_width: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parametrisation {
    /// SP: z = W x + b, weights drawn by `init`.
    Standard,
    /// NTP: z = σ_w/√fan_in · W x + σ_b b, everything drawn N(0,1) (Jacot et al. 2018).
    Ntk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// PyTorch's default for `Linear`: weights and biases uniform in ±1/√fan_in.
    Torch,
    /// Weights uniform in ±√(6/fan_in), biases uniform in ±1/√fan_in.
    HeUniform,
}

impl Default for NetworkSpec {
    fn default() -> Self {
        Self {
            program: "mlp".to_owned(),
            text: None,
            width: 256,
            settings: BTreeMap::new(),
            activation: Activation::Relu,
            parametrisation: Parametrisation::Standard,
            init: Init::HeUniform,
            sigma_w: std::f64::consts::SQRT_2,
            sigma_b: 0.1,
            alpha: None,
            alpha_width: None,
        }
    }
}

impl NetworkSpec {
    /// The setting that every text declares.
    pub const WIDTH: &str = "width";

    /// The network of this name that comes with the program, with the width and the activation of an `mlp`.
    pub fn named(program: &str) -> Self {
        Self { program: program.to_owned(), ..Self::default() }
    }

    /// The network of this name that comes with the program, with its usual width and activation.
    pub fn of(program: &str) -> Self {
        Self::written(program, None)
    }

    /// The network of this text, or of this name where there is none, with its usual width and activation.
    pub fn written(program: &str, text: Option<Arc<str>>) -> Self {
        let base = Self { text, ..Self::named(program) };
        Self { width: base.usual_width(), activation: base.usual_activation(), ..base }
    }

    /// The network of this name that comes with the program, with its usual width and activation and all else as here.
    #[must_use]
    pub fn another(&self, program: &str) -> Self {
        let Self { program, text, width, settings, activation, .. } = Self::of(program);
        Self { program, text, width, settings, activation, ..self.clone() }
    }

    /// This network with another value of a setting that its text declares.
    #[must_use]
    pub fn with(mut self, name: &str, setting: impl Into<Setting>) -> Self {
        self.set(name, setting.into());
        self
    }

    /// Gives a setting another value; the text's default is not written down. A value that the text's choices do not admit, and a
    /// setting that it does not declare, stay for `problems` to name.
    pub fn set(&mut self, name: &str, setting: Setting) {
        if name == Self::WIDTH {
            self.width = match setting {
                Setting::Whole(width) => usize::try_from(width).unwrap_or(0),
                _ => 0,
            };
            return;
        }
        let declared = self.declaration(name);
        let fitted = declared.as_ref().map_or_else(|| setting.clone(), |declared| declared.choices.fitted(&setting));
        if declared.is_some_and(|declared| declared.default == fitted) {
            self.settings.remove(name);
        } else {
            self.settings.insert(name.to_owned(), fitted);
        }
    }

    /// The value of a setting that its text declares: given, or the default.
    pub fn setting(&self, name: &str) -> Option<Setting> {
        if name == Self::WIDTH {
            return Some(self.width_setting());
        }
        let default = || Some(self.declaration(name)?.default);
        self.settings.get(name).cloned().or_else(default)
    }

    /// Its text; empty where there is no network of this name.
    pub fn source_text(&self) -> &str {
        let known = || text::builtin(&self.program).map_or("", |network| network.text);
        self.text.as_deref().unwrap_or_else(known)
    }

    /// What its text says of it in its first line.
    pub fn summary(&self) -> &str {
        text::summary(self.source_text())
    }

    /// The settings that its text declares, the width among them; none where the text cannot be read.
    pub fn declared(&self) -> Vec<Declared> {
        text::declared(self.source_text()).unwrap_or_default()
    }

    fn declaration(&self, name: &str) -> Option<Declared> {
        self.declared().into_iter().find(|declared| declared.name == name)
    }

    /// Whether its text declares a setting of this name.
    pub fn declares(&self, name: &str) -> bool {
        self.declaration(name).is_some()
    }

    /// What its text gives for images [channels, height, width] and so many logits.
    ///
    /// # Errors
    /// When it gives no network, says where and why in one sentence.
    pub fn described(&self, image: [usize; 3], classes: usize) -> Result<Arc<Described>, String> {
        if self.source_text().is_empty() {
            return Err(self.unknown());
        }
        let settings = self.all_settings();
        text::describe(self.source_text(), &self.asked(image, classes, &settings)).map_err(|err| err.to_string())
    }

    /// The program of this network for images [channels, height, width] and so many logits.
    ///
    /// # Errors
    /// When there is none, says why in one sentence.
    pub fn program(&self, image: [usize; 3], classes: usize) -> Result<Arc<Program>, String> {
        self.described(image, classes).map(|described| Arc::clone(&described.program))
    }

    /// The program of the network of this text in a weights file with tensors of these names and shapes, whatever the width of
    /// this spec; of as many logits as these say, or as are asked for where none says it.
    ///
    /// # Errors
    /// When these do not fit each other, says which.
    pub fn adopting(
        &self,
        image: [usize; 3],
        classes: usize,
        tensors: &Arc<Shapes>,
    ) -> Result<Arc<Program>, TextError> {
        let settings = self.all_settings();
        let asked = self.asked(image, classes, &settings);
        text::adopting(self.source_text(), &asked, tensors).map(|described| Arc::clone(&described.program))
    }

    /// The settings that are given, the width among them, as its text knows them.
    fn all_settings(&self) -> BTreeMap<String, Setting> {
        let mut settings = self.settings.clone();
        settings.insert(Self::WIDTH.to_owned(), self.width_setting());
        settings
    }

    fn asked<'a>(&self, image: [usize; 3], classes: usize, settings: &'a BTreeMap<String, Setting>) -> Asked<'a> {
        Asked { image, classes, activation: self.activation, settings }
    }

    /// Its program for images that it can see, where nothing is known of those that it will: what it is made of does not depend
    /// on them.
    pub fn outline(&self) -> Option<Arc<Program>> {
        let side = self.usual_side(1)?;
        [1, 3].into_iter().find_map(|channels| self.program([channels, side, side], CLASSES).ok())
    }

    /// The side of the squares that it can see and that so many pixels tile: that of MNIST, or the next.
    pub(super) fn usual_side(&self, tile: usize) -> Option<usize> {
        let tile = tile.max(1);
        // What has to tile an image besides is mostly halved twice, or as large as one of the settings says.
        let sizes = self.declared().into_iter().filter_map(|declared| match self.setting(&declared.name) {
            Some(Setting::Whole(size @ 2..=64)) => usize::try_from(size).ok(),
            _ => None,
        });
        let mut sides: Vec<usize> =
            [1, 4, 32].into_iter().chain(sizes).map(|size| USUAL_SIDE.next_multiple_of(size * tile)).collect();
        sides.sort_unstable();
        sides.dedup();
        let seen = |side: &usize| {
            let side = side / tile;
            [1, 3].into_iter().any(|channels| self.program([channels, side, side], CLASSES).is_ok())
        };
        sides.into_iter().find(seen)
    }

    /// The parts of this network for images [channels, height, width] that cost something, in the order of the forward pass;
    /// none where it has no program, or no weights because it is infinitely wide.
    pub fn layers(&self, image: [usize; 3], classes: usize) -> Vec<Layer> {
        if self.is_infinite() {
            return Vec::new();
        }
        self.program(image, classes).map(|program| program.layers()).unwrap_or_default()
    }

    /// How many numbers it stores for such images; none where it has no program, or no weights because it is infinitely wide.
    pub fn parameters(&self, image: [usize; 3], classes: usize) -> f64 {
        if self.is_infinite() {
            return 0.0;
        }
        self.program(image, classes).map(|program| program.parameters()).unwrap_or_default()
    }

    /// Its layers from the images to the logits, as weights files name them; a block counts as one. The last one is the head.
    pub fn parts(&self, image: [usize; 3], classes: usize) -> Vec<String> {
        self.program(image, classes).map(|program| program.parts()).unwrap_or_default()
    }

    /// Whether it reads an image otherwise than as a list of numbers.
    pub fn reads_images(&self) -> bool {
        self.outline().is_some_and(|program| program.reads_images())
    }

    /// The width that its text has where none is given.
    pub(super) fn usual_width(&self) -> usize {
        let declared = self.declaration(Self::WIDTH);
        let usual = declared.and_then(|declared| match declared.default {
            Setting::Whole(width) => usize::try_from(width).ok(),
            Setting::Real(_) | Setting::Flag(_) | Setting::Word(_) => None,
        });
        usual.unwrap_or(Self::default().width)
    }

    /// The activation that its text has where none is given.
    pub(super) fn usual_activation(&self) -> Activation {
        text::usual_activation(self.source_text()).ok().flatten().unwrap_or(Self::default().activation)
    }

    fn width_setting(&self) -> Setting {
        Setting::Whole(i64::try_from(self.nominal()).unwrap_or(i64::MAX))
    }

    /// The laziness α at this width; none where f itself is trained.
    pub fn laziness(&self) -> Option<f64> {
        let Some(base) = self.alpha_width else { return self.alpha };
        Some(self.alpha.unwrap_or(1.0) * (base as f64 / self.width as f64).sqrt())
    }

    /// (c_w, c_b) of z = c_w W x + c_b b in a layer of this fan-in.
    pub fn gains(&self, fan_in: usize) -> (f64, f64) {
        match self.parametrisation {
            Parametrisation::Standard => (1.0, 1.0),
            Parametrisation::Ntk => (self.sigma_w / (fan_in as f64).sqrt(), self.sigma_b),
        }
    }

    /// The width that stands for this one in a description: itself, or where it is infinite one that most numbers of heads and
    /// groups divide.
    pub fn nominal(&self) -> usize {
        const DIVISIBLE: usize = 840;
        if self.is_infinite() { DIVISIBLE } else { self.width }
    }

    /// Whether this is the infinite-width limit.
    pub fn is_infinite(&self) -> bool {
        self.width == INFINITE
    }

    /// Widths that its text admits, beside the infinite one.
    pub fn widths(&self) -> RangeInclusive<usize> {
        let declared = self.declaration(Self::WIDTH);
        match declared.map(|declared| declared.choices) {
            Some(Choices::Whole(range)) => {
                let side = |side: &i64| usize::try_from(*side).unwrap_or(0);
                side(range.start())..=side(range.end())
            }
            Some(Choices::Real(_) | Choices::Flag | Choices::Words(_)) | None => 1..=usize::MAX - 1,
        }
    }
}

/// The side of the images of MNIST.
pub(super) const USUAL_SIDE: usize = 28;
/// Logits where nothing is known of the data.
const CLASSES: usize = 10;

/// The width of a network in the infinite-width limit, `inf` in run files.
pub const INFINITE: usize = usize::MAX;
