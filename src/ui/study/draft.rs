//! What the study page's panel edits, and the study that this makes.
//!
//! Fields of text are kept as they are typed; what they mean is worked out when they change, and what is wrong is told in words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::spec::{DataSpec, Problem, STUDIES, Spec, StudyRun, StudySpec, Variant, expanded};
use crate::worker::progress::{largest_bytes, total_work};
use crate::worker::threads;

/// Which study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// A ready-made one, by its place in the list.
    Ready(usize),
    /// Along a setting of the user's choice, from the settings of the run page.
    Own,
    /// One that was found in a folder.
    Found,
}

impl Which {
    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready(place) => STUDIES[place].name,
            Self::Own => "own settings",
            Self::Found => "study of a folder",
        }
    }

    /// One sentence: what it shows.
    pub fn about(self) -> &'static str {
        match self {
            Self::Ready(place) => STUDIES[place].about,
            Self::Own => "The settings of the run page, with one of them varied",
            Self::Found => "A study as it was found in its folder",
        }
    }
}

/// The fields of the panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub(super) which: Which,
    /// The study that was found in a folder.
    pub(super) found: Option<Arc<Spec>>,
    /// The key that varies.
    pub axis: String,
    /// Its values, separated by commas; `None` where the variants are the points of the axis.
    pub values: Option<String>,
    /// Variants, and whether each is run.
    pub(super) variants: Vec<(Variant, bool)>,
    pub seeds: String,
    /// Runs at a time.
    pub at_once: usize,
    /// Where the study is kept; its usual place if not given.
    pub folder: Option<String>,
}

/// All studies are kept here unless another folder is given.
const FOLDER: &str = "kernelscope-studies";

impl Draft {
    /// A study as it is before anything is changed.
    pub fn new(which: Which) -> Self {
        let study = match which {
            Which::Ready(place) => STUDIES[place].spec().study.unwrap_or_default().spelt(),
            Which::Own | Which::Found => StudySpec {
                axis: "network.width".to_owned(),
                values: [64, 256, 1024].map(toml::Value::from).to_vec(),
                seeds: vec![1, 2, 3],
                ..StudySpec::default()
            },
        };
        Self::of(which, study)
    }

    /// The study that is kept in this folder.
    pub fn found(spec: &Spec, folder: &Path) -> Self {
        let study = spec.study.as_ref().map(StudySpec::spelt).unwrap_or_default();
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

    /// The name of the study, for people.
    pub fn name(&self) -> &'static str {
        self.which.name()
    }

    /// One sentence: what it shows.
    pub fn about(&self) -> &'static str {
        self.which.about()
    }

    /// Where it is kept.
    pub fn folder(&self, run: &Spec) -> PathBuf {
        if let Some(folder) = &self.folder {
            return expanded(Path::new(folder.trim()));
        }
        let name = match self.which {
            Which::Ready(place) => STUDIES[place].name.to_owned(),
            Which::Own | Which::Found => format!("own-{}", self.axis.replace('.', "-")),
        };
        // The same question on other images is another study.
        let images = if self.borrows_data(run) { format!("-{}", run.data.source.key()) } else { String::new() };
        PathBuf::from(FOLDER).join(format!("{name}{images}"))
    }

    /// Whether a ready-made study takes the images of the run page instead of its own.
    pub fn borrows_data(&self, run: &Spec) -> bool {
        // Points of the plane are no images: a study of images cannot be asked on them, nor one of points on images.
        let Which::Ready(place) = self.which else { return false };
        let own = STUDIES[place].spec().data.source;
        run.data.source.needs_folder() && own.plane().is_none() && !own.is_drawn()
    }

    /// The whole study; `run` are the settings of the run page.
    pub fn spec(&self, run: &Spec) -> Result<Spec, Problem> {
        let found = || self.found.as_deref().cloned().unwrap_or_default();
        let base = match self.which {
            Which::Found => found(),
            Which::Ready(place) => {
                let own = STUDIES[place].spec();
                let learns = own.study.as_ref().is_some_and(StudySpec::learns);
                let data = match self.borrows_data(run) {
                    // How many samples and which outputs belong to the question.
                    true if learns => {
                        DataSpec { source: run.data.source, path: run.data.path.clone(), ..own.data.clone() }
                    }
                    true => run.data.clone(),
                    false => own.data.clone(),
                };
                Spec { data, ..own }
            }
            Which::Own => {
                let plain = Spec::default();
                // Neither the seed nor the pace of the run page is part of the question.
                Spec { changes: Vec::new(), seed: plain.seed, window: plain.window, ..run.clone() }
            }
        };
        let variants: Vec<Variant> =
            self.variants.iter().filter(|(_, wanted)| *wanted).map(|(variant, _)| variant.clone()).collect();
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

/// A draft and what is known of it; worked out again only when one of the two drafts changes.
#[derive(Debug)]
pub struct Plan {
    of: (Draft, Spec),
    pub problems: Vec<Problem>,
    /// The study, if nothing is wrong, and where it is kept.
    pub study: Option<Arc<Spec>>,
    pub out: PathBuf,
    pub runs: Vec<StudyRun>,
    /// Operations of all runs, see [`total_work`], and bytes that the largest one takes.
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

    /// Looks again if a draft is another; whether it makes another study or another folder.
    pub fn update(&mut self, draft: &Draft, run: &Spec) -> bool {
        if self.of.0 == *draft && self.of.1 == *run {
            return false;
        }
        let before = std::mem::replace(self, Self::new(draft, run));
        before.study != self.study || before.out != self.out
    }
}
