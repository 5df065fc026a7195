//! Holds the fields that the study page's panel edits, and builds a study from them.
//!
//! Text fields stay as typed; they are parsed when they change, and errors are described in words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::spec::{
    DataSpec, PRESETS, Problem, STUDIES, Spec, StudyRun, StudySpec, Variant, controls_of, expanded, preset_of,
};
use crate::worker::progress::{largest_bytes, total_work};
use crate::worker::threads;

/// Selects a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// A ready-made study, by its index in the list.
    Ready(usize),
    /// A study along a setting of the user's choice, from the settings of the run page.
    Own,
    /// A study found in a folder.
    Found,
}

impl Which {
    /// Returns its display name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready(place) => STUDIES[place].name,
            Self::Own => "own settings",
            Self::Found => "study of a folder",
        }
    }

    /// Returns whether it is the controls of the run page's settings.
    fn is_controls(self) -> bool {
        matches!(self, Self::Ready(place) if STUDIES[place].is_controls())
    }

    /// Describes its purpose in one sentence.
    pub fn about(self) -> &'static str {
        match self {
            Self::Ready(place) => STUDIES[place].about,
            Self::Own => "The settings of the run page, with one of them varied",
            Self::Found => "A study as it was found in its folder",
        }
    }
}

/// Holds the fields of the panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub(super) which: Which,
    /// The study found in a folder.
    pub(super) found: Option<Arc<Spec>>,
    /// The key that varies.
    pub axis: String,
    /// Its values, separated by commas; `None` where the variants are the points of the axis.
    pub values: Option<String>,
    /// The variants, each with a flag that includes it.
    pub(super) variants: Vec<(Variant, bool)>,
    pub seeds: String,
    /// Number of simultaneous runs.
    pub at_once: usize,
    /// The folder of the study; its usual place if empty.
    pub folder: Option<String>,
}

/// Folder of all studies unless another one is given.
const FOLDER: &str = "kernelscope-studies";

impl Draft {
    /// Returns a study in its initial form.
    pub fn new(which: Which) -> Self {
        let study = match which {
            Which::Ready(place) => STUDIES[place].spec().study.unwrap_or_default().with_axis_values(),
            Which::Own | Which::Found => StudySpec {
                axis: "network.width".to_owned(),
                values: [64, 256, 1024].map(toml::Value::from).to_vec(),
                seeds: vec![1, 2, 3],
                ..StudySpec::default()
            },
        };
        Self::of(which, study)
    }

    /// Returns the study stored in this folder.
    pub fn found(spec: &Spec, folder: &Path) -> Self {
        let study = spec.study.as_ref().map(StudySpec::with_axis_values).unwrap_or_default();
        let folder = Some(folder.display().to_string());
        Self { found: Some(Arc::new(spec.clone())), folder, ..Self::of(Which::Found, study) }
    }

    fn of(which: Which, study: StudySpec) -> Self {
        let at_once = threads::usable();
        Self {
            which,
            found: None,
            axis: study.axis.clone(),
            values: (study.variants.is_empty() || study.has_series()).then(|| study.values_text()),
            seeds: study.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
            variants: study.variants.into_iter().map(|variant| (variant, true)).collect(),
            at_once,
            folder: None,
        }
    }

    /// Returns the display name of the study.
    pub fn name(&self) -> &'static str {
        self.which.name()
    }

    /// Describes its purpose in one sentence.
    pub fn about(&self) -> &'static str {
        self.which.about()
    }

    /// Returns the folder where it is stored.
    pub fn folder(&self, run: &Spec) -> PathBuf {
        if let Some(folder) = &self.folder {
            return expanded(Path::new(folder.trim()));
        }
        let name = match self.which {
            Which::Ready(place) if self.which.is_controls() => {
                let of = preset_of(&own(run)).map_or("own", |preset| preset.name);
                let name = STUDIES[place].name;
                if of == PRESETS[0].name { name.to_owned() } else { format!("{name}-{of}") }
            }
            Which::Ready(place) => STUDIES[place].name.to_owned(),
            Which::Own | Which::Found => format!("own-{}", self.axis.replace('.', "-")),
        };
        // The same question on other images is another study.
        let images = if self.borrows_data(run) { format!("-{}", run.data.source.key()) } else { String::new() };
        PathBuf::from(FOLDER).join(format!("{name}{images}"))
    }

    /// Returns whether a ready-made study takes the images of the run page instead of its own.
    pub fn borrows_data(&self, run: &Spec) -> bool {
        // Points of the plane are not images: a study of images cannot use them, nor a study of points use images.
        let Which::Ready(place) = self.which else { return false };
        if self.which.is_controls() {
            return false;
        }
        let own = STUDIES[place].spec().data.source;
        run.data.source.needs_folder() && own.plane().is_none() && !own.is_synthetic()
    }

    /// Builds the whole study; `run` holds the settings of the run page.
    pub fn spec(&self, run: &Spec) -> Result<Spec, Problem> {
        let found = || self.found.as_deref().cloned().unwrap_or_default();
        let base = match self.which {
            Which::Found => found(),
            Which::Own => own(run),
            Which::Ready(_) if self.which.is_controls() => own(run),
            Which::Ready(place) => {
                let own = STUDIES[place].spec();
                let learns = own.study.as_ref().is_some_and(StudySpec::compares_learners);
                let data = match self.borrows_data(run) {
                    // The number of samples and the outputs belong to the study's question.
                    true if learns => {
                        DataSpec { source: run.data.source, path: run.data.path.clone(), ..own.data.clone() }
                    }
                    true => run.data.clone(),
                    false => own.data.clone(),
                };
                Spec { data, ..own }
            }
        };
        let mut variants: Vec<Variant> =
            self.variants.iter().filter(|(_, wanted)| *wanted).map(|(variant, _)| variant.clone()).collect();
        if self.which.is_controls() && !variants.is_empty() {
            // The settings of a control follow from the run.
            let unwanted = |name: &str| self.variants.iter().any(|(known, wanted)| known.name == name && !wanted);
            variants = controls_of(&base).variants;
            variants.retain(|variant| !unwanted(&variant.name));
        }
        let values = self.values.as_deref().map(StudySpec::values_of).unwrap_or_default();
        if let (true, false) = (variants.is_empty(), self.variants.is_empty()) {
            let message = "choose at least one of the variants".to_owned();
            return Err(Problem { field: "study.variants".into(), message });
        }
        let seeds = StudySpec::seeds_of(&self.seeds)?;
        let ready = match self.which {
            Which::Ready(place) => STUDIES[place].spec().study.unwrap_or_default(),
            Which::Own => StudySpec::default(),
            Which::Found => found().study.unwrap_or_default(),
        };
        let axis = self.axis.trim().to_owned();
        Ok(Spec { study: Some(StudySpec { axis, values, variants, seeds, samples: Vec::new(), ..ready }), ..base })
    }
}

/// Returns the settings of the run page as those of a study: the seed and the pace do not belong to its question.
fn own(run: &Spec) -> Spec {
    let plain = Spec::default();
    Spec { changes: Vec::new(), seed: plain.seed, window: plain.window, ..run.clone() }
}

/// Holds a draft and the results derived from it, which are computed again only when one of the two drafts changes.
#[derive(Debug)]
pub struct Plan {
    of: (Draft, Spec),
    pub problems: Vec<Problem>,
    /// The study and its folder, if the draft is valid.
    pub study: Option<Arc<Spec>>,
    pub out: PathBuf,
    pub runs: Vec<StudyRun>,
    /// Operations of all runs, see [`total_work`], and bytes of the largest one.
    pub work: f64,
    pub bytes: u64,
}

impl Plan {
    pub fn new(draft: &Draft, run: &Spec) -> Self {
        let out = draft.folder(run);
        let mut plan = Self {
            of: (draft.clone(), run.clone()),
            problems: Vec::new(),
            study: None,
            out,
            runs: Vec::new(),
            work: 0.0,
            bytes: 0,
        };
        match draft.spec(run) {
            Err(problem) => plan.problems.push(problem),
            Ok(mut spec) => {
                spec.root_paths(Path::new(""));
                plan.problems = spec.study_problems();
                if plan.out.as_os_str().is_empty() {
                    let message = "give a folder for the study".to_owned();
                    plan.problems.push(Problem { field: "folder".into(), message });
                }
                if let (true, Ok(runs)) = (plan.problems.is_empty(), spec.runs()) {
                    (plan.work, plan.bytes) = (total_work(&runs), largest_bytes(&runs));
                    plan.runs = runs;
                    plan.study = Some(Arc::new(spec));
                }
            }
        }
        plan
    }

    /// Updates the results if a draft has changed; returns whether it describes another study or another folder.
    pub fn update(&mut self, draft: &Draft, run: &Spec) -> bool {
        if self.of.0 == *draft && self.of.1 == *run {
            return false;
        }
        let before = std::mem::replace(self, Self::new(draft, run));
        before.study != self.study || before.out != self.out
    }
}
