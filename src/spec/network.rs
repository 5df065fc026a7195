//! Declares the network of a run: its program, the settings that the program's text declares, and its parametrisation.
//!
//! The text is evaluated on demand ([`NetworkSpec::program`]); the settings that it declares are those that files, the
//! command line, studies and the window offer ([`NetworkSpec::declared`]).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use super::text::{self, Choices, Declared, Described, EvaluationInputs, Setting, TextError};
use super::{Activation, Init, Layer, Parametrisation, Program, Shapes, Width};

/// The network and its parametrisation.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSpec {
    /// The name of a built-in network, or the name given to a user's text.
    pub program: String,
    /// The user's text; `None` for a built-in network.
    pub text: Option<Arc<str>>,
    /// Units, channels, or whatever the text uses it for: the setting `width` of most texts, and the only setting that may be
    /// infinite. Of a text that declares none it has no meaning ([`NetworkSpec::has_width`]).
    pub width: Width,
    /// The other settings that the text declares, where they differ from their defaults.
    pub settings: BTreeMap<String, Setting>,
    /// The activation that a text refers to as `act`.
    pub activation: Activation,
    pub parametrisation: Parametrisation,
    /// Initial weights in the standard parametrisation; the NTK parametrisation uses N(0,1).
    pub init: Init,
    /// The safetensors file, or the index of its shards, whose tensors are the initial weights; without one they are drawn.
    pub weights: Option<PathBuf>,
    /// The FNV-1a hash of the tensors with which the run began, so that it cannot be repeated with others.
    pub weights_hash: Option<String>,
    /// The copy of these tensors in the run's folder, from which it is repeated where the file is gone or another one.
    pub weights_copy: Option<PathBuf>,
    /// NTK parametrisation: z = σ_w/√fan_in · W x + σ_b b.
    pub sigma_w: f64,
    pub sigma_b: f64,
    /// Laziness: when given, F = α (f − f₀) is trained at the rate η/α² (Chizat et al. 2019). Large α is lazy.
    pub alpha: Option<f64>,
    /// When given, the laziness is α √(alpha_width/width), with α = 1 by default: the mean-field scaling, and µP for SGD
    /// (Yang & Hu 2021; Chizat et al. 2019). Features then move at every width. [`NetworkSpec::laziness`] computes it.
    pub alpha_width: Option<usize>,
}

impl Default for NetworkSpec {
    fn default() -> Self {
        Self {
            program: "mlp".to_owned(),
            text: None,
            width: Width::Finite(USUAL_WIDTH),
            settings: BTreeMap::new(),
            activation: Activation::Relu,
            parametrisation: Parametrisation::Standard,
            init: Init::HeUniform,
            weights: None,
            weights_hash: None,
            weights_copy: None,
            sigma_w: std::f64::consts::SQRT_2,
            sigma_b: 0.1,
            alpha: None,
            alpha_width: None,
        }
    }
}

impl NetworkSpec {
    /// The name of the setting that says how wide a network is.
    pub const WIDTH: &str = text::WIDTH;

    /// Returns the built-in network of this name, with the width and the activation of an `mlp`.
    pub fn named(program: &str) -> Self {
        Self { program: program.to_owned(), ..Self::default() }
    }

    /// Returns the built-in network of this name, with its usual width and activation.
    pub fn of(program: &str) -> Self {
        Self::from_text(program, None)
    }

    /// Returns the network of this text, or the built-in one of this name without a text, with its usual width and
    /// activation.
    pub fn from_text(program: &str, text: Option<Arc<str>>) -> Self {
        let base = Self { text, ..Self::named(program) };
        Self { width: base.usual_width().into(), activation: base.usual_activation(), ..base }
    }

    /// Returns the built-in network of this name with its usual width and activation; all else is as here.
    #[must_use]
    pub fn with_builtin(&self, program: &str) -> Self {
        let Self { program, text, width, settings, activation, .. } = Self::of(program);
        let mut turned = Self { program, text, width, settings, activation, ..self.clone() };
        turned.begin_from(None);
        turned
    }

    /// Sets the file of the initial weights; hash and copy were those of the file before.
    pub fn begin_from(&mut self, weights: Option<PathBuf>) {
        (self.weights, self.weights_hash, self.weights_copy) = (weights, None, None);
    }

    /// Returns channels, height and width of the samples for which the text's module was exported from PyTorch, where it is
    /// that of one.
    pub fn exported_for(&self) -> Option<[usize; 3]> {
        let (_, rest) = self.source_text().split_once(text::EXPORTED_FOR)?;
        let sides = rest.split('"').next()?.split('×').map(|side| side.trim().parse().ok());
        sides.collect::<Option<Vec<usize>>>()?.try_into().ok()
    }

    /// Returns this network with another value of a declared setting.
    #[must_use]
    pub fn with(mut self, name: &str, setting: impl Into<Setting>) -> Self {
        self.set(name, setting.into());
        self
    }

    /// Sets a setting; the text's default is not stored. A value that the text does not admit and a setting that it does
    /// not declare are stored, and reported by `problems`.
    pub fn set(&mut self, name: &str, setting: Setting) {
        if name == Self::WIDTH {
            self.width = Width::Finite(match setting {
                Setting::Whole(width) => usize::try_from(width).unwrap_or(0),
                _ => 0,
            });
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

    /// Returns the value of a declared setting: the given one, or the default.
    pub fn setting(&self, name: &str) -> Option<Setting> {
        if name == Self::WIDTH {
            return self.has_width().then(|| self.width_setting());
        }
        let default = || Some(self.declaration(name)?.default);
        self.settings.get(name).cloned().or_else(default)
    }

    /// Returns the text; empty where there is no network of this name.
    pub fn source_text(&self) -> &str {
        let known = || text::builtin(&self.program).map_or("", |network| network.text);
        self.text.as_deref().unwrap_or_else(known)
    }

    /// Returns the summary in the first line of the text.
    pub fn summary(&self) -> &str {
        text::summary(self.source_text())
    }

    /// Returns the settings that the text declares, including the width; none where the text cannot be read.
    pub fn declared(&self) -> Vec<Declared> {
        text::declared(self.source_text()).unwrap_or_default()
    }

    fn declaration(&self, name: &str) -> Option<Declared> {
        self.declared().into_iter().find(|declared| declared.name == name)
    }

    /// Returns whether its text declares a setting of this name.
    pub fn declares(&self, name: &str) -> bool {
        self.declaration(name).is_some()
    }

    /// Returns whether its text declares a width. Without one there is no setting `width`, nothing to vary in a study of width,
    /// and no limit of infinite width.
    pub fn has_width(&self) -> bool {
        text::has_width(self.source_text())
    }

    /// Evaluates the text for images [channels, height, width] and `classes` logits.
    ///
    /// # Errors
    /// If the text gives no network, names the place and the reason in one sentence.
    pub fn described(&self, image: [usize; 3], classes: usize) -> Result<Arc<Described>, String> {
        if self.source_text().is_empty() {
            return Err(self.unknown());
        }
        let settings = self.all_settings();
        text::describe(self.source_text(), &self.inputs(image, classes, &settings)).map_err(|err| err.to_string())
    }

    /// Returns the program of this network for images [channels, height, width] and `classes` logits.
    ///
    /// # Errors
    /// If there is none, names the reason in one sentence.
    pub fn program(&self, image: [usize; 3], classes: usize) -> Result<Arc<Program>, String> {
        self.described(image, classes).map(|described| Arc::clone(&described.program))
    }

    /// Returns the program of the network in a weights file, from the text and the names and shapes of the file's tensors,
    /// whatever the width of this spec. The number of logits is that of the tensors, or `classes` where no tensor
    /// determines it.
    ///
    /// # Errors
    /// Fails if text and tensors are inconsistent, and names the inconsistency.
    pub fn adopting(
        &self,
        image: [usize; 3],
        classes: usize,
        tensors: &Arc<Shapes>,
    ) -> Result<Arc<Program>, TextError> {
        let settings = self.all_settings();
        let inputs = self.inputs(image, classes, &settings);
        text::adopting(self.source_text(), &inputs, tensors).map(|described| Arc::clone(&described.program))
    }

    /// Returns the given settings, including the width, as the text refers to them.
    fn all_settings(&self) -> BTreeMap<String, Setting> {
        let mut settings = self.settings.clone();
        settings.insert(Self::WIDTH.to_owned(), self.width_setting());
        settings
    }

    /// Returns the inputs of an evaluation of the text.
    fn inputs<'a>(
        &self,
        image: [usize; 3],
        classes: usize,
        settings: &'a BTreeMap<String, Setting>,
    ) -> EvaluationInputs<'a> {
        EvaluationInputs { image, classes, activation: self.activation, settings }
    }

    /// Returns the program for images of a usual size, for estimates and for the words of a message. A text may have a program
    /// for other images only, so an absent outline says nothing of the network: [`NetworkSpec::program`] does.
    pub fn outline(&self) -> Option<Arc<Program>> {
        let side = self.usual_side(1)?;
        [1, 3].into_iter().find_map(|channels| self.program([channels, side, side], CLASSES).ok())
    }

    /// Returns a side of images that the network accepts and that `tile` divides: that of MNIST, or the next larger one.
    pub(super) fn usual_side(&self, tile: usize) -> Option<usize> {
        let tile = tile.max(1);
        // Other sizes that must divide the side are mostly two halvings, or one of the settings.
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

    /// Returns the layers with a cost for images [channels, height, width], in the order of the forward pass; empty where
    /// there is no program, or where the infinite width means there are no weights.
    pub fn layers(&self, image: [usize; 3], classes: usize) -> Vec<Layer> {
        if self.is_infinite() {
            return Vec::new();
        }
        self.program(image, classes).map(|program| program.layers()).unwrap_or_default()
    }

    /// Returns the number of stored parameters for such images; 0 where there is no program, or where the width is
    /// infinite.
    pub fn parameters(&self, image: [usize; 3], classes: usize) -> f64 {
        if self.is_infinite() {
            return 0.0;
        }
        self.program(image, classes).map(|program| program.parameters()).unwrap_or_default()
    }

    /// Returns the names of the layers from the images to the logits, as in weights files; a block counts as one. The last
    /// one is the head.
    pub fn parts(&self, image: [usize; 3], classes: usize) -> Vec<String> {
        self.program(image, classes).map(|program| program.parts()).unwrap_or_default()
    }

    /// Returns whether it is known to use the image's shape, rather than a flat list of numbers, on images of a usual size:
    /// a likely answer, to be checked with the program for the data at hand.
    pub fn reads_images(&self) -> bool {
        self.outline().is_some_and(|program| program.reads_images())
    }

    /// Returns the default width of the text.
    pub(super) fn usual_width(&self) -> usize {
        let declared = self.declaration(Self::WIDTH);
        let usual = declared.and_then(|declared| match declared.default {
            Setting::Whole(width) => usize::try_from(width).ok(),
            Setting::Real(_) | Setting::Flag(_) | Setting::Word(_) => None,
        });
        usual.unwrap_or(USUAL_WIDTH)
    }

    /// Returns the default activation of the text.
    pub(super) fn usual_activation(&self) -> Activation {
        text::usual_activation(self.source_text()).ok().flatten().unwrap_or(Self::default().activation)
    }

    fn width_setting(&self) -> Setting {
        Setting::Whole(i64::try_from(self.nominal()).unwrap_or(i64::MAX))
    }

    /// Returns the laziness α at this width; `None` where f itself is trained.
    pub fn laziness(&self) -> Option<f64> {
        let Some(base) = self.alpha_width else { return self.alpha };
        Some(self.alpha.unwrap_or(1.0) * (base as f64 / self.width.as_f64()).sqrt())
    }

    /// Returns (c_w, c_b) of z = c_w W x + c_b b in a layer of this fan-in.
    pub fn gains(&self, fan_in: usize) -> (f64, f64) {
        match self.parametrisation {
            Parametrisation::Standard => (1.0, 1.0),
            Parametrisation::Ntk => (self.sigma_w / (fan_in as f64).sqrt(), self.sigma_b),
        }
    }

    /// Returns the finite width used to describe the network: its own, or for an infinite width one that most numbers of
    /// heads and groups divide.
    pub fn nominal(&self) -> usize {
        const DIVISIBLE: usize = 840;
        self.width.finite().unwrap_or(DIVISIBLE)
    }

    /// Returns whether this is the infinite-width limit.
    pub fn is_infinite(&self) -> bool {
        self.width.is_infinite()
    }

    /// Returns the widths that the text admits, besides the infinite one.
    pub fn widths(&self) -> RangeInclusive<usize> {
        let declared = self.declaration(Self::WIDTH);
        match declared.map(|declared| declared.choices) {
            Some(Choices::Whole(range)) => {
                let side = |side: &i64| usize::try_from(*side).unwrap_or(0);
                side(range.start())..=side(range.end())
            }
            Some(Choices::Real(_) | Choices::Flag | Choices::Words(_)) | None => 1..=usize::MAX,
        }
    }
}

/// The side of the images of MNIST.
pub(super) const USUAL_SIDE: usize = 28;
/// Number of logits assumed where the data are unknown.
const CLASSES: usize = 10;
/// The width of a network whose text declares none.
const USUAL_WIDTH: usize = 256;
