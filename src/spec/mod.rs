//! Defines a run: typed settings with defaults, one struct per section of the TOML file.
//!
//! Guarantees: every field has a default, an unknown key is an error, a file written today can always be read (it has a
//! version), and nothing here trains or reads data. The mathematical meaning of a field is documented at the field, with
//! the paper it comes from where there is one.
//!
//! The network of a run is a [`Program`], a list of operations ([`ops`]) that a short text writes ([`text`]); everything
//! else about the network is derived from that program.
//!
//! A spec does not describe the machine: device, output folder and window size are chosen by the caller.

mod activation;
mod change;
mod command_line;
mod continual;
mod cost;
mod data_shape;
mod error;
mod file;
mod fitting_data;
mod image_supply;
mod keys;
mod known_settings;
mod layers;
mod learner;
mod learning;
mod lesson;
mod memory;
mod network;
mod network_problems;
mod one_line;
pub mod ops;
mod parametrisation;
mod path;
mod plan;
mod presets;
mod probe_list;
mod problem;
mod program;
mod program_defaults;
mod readout;
mod schedule;
mod section;
mod settings;
mod source;
mod study;
mod study_runs;
mod target;
mod tasks;
pub mod text;
mod validate;
mod value_text;
mod variant_properties;
mod variants;
mod width;
mod wording;

pub use crate::spec::lesson::{LESSON_FILES, Lesson, LessonCondition, LessonError, LessonStep, MOST_WORDS, lessons};
pub use crate::spec::validate::plane::PLANE_CLASSES;
pub use crate::spec::validate::synthetic::{MOST_SAMPLES, SIGNS};
pub use activation::Activation;
pub use change::{Change, Clamp, Effect};
pub use continual::{ContinualSpec, Fisher, Selection, Strategy};
pub use cost::{Cost, LINEAR_PROBE_IMAGES, MOST_FULL_ROWS, PartGranularity, RECORD_BYTES, ROW_BYTES, tensor_grams_fit};
pub use data_shape::DataShape;
pub use error::SpecError;
pub use fitting_data::DataFolders;
pub use keys::known_keys;
pub use known_settings::{KnownSettings, KnownSettingsError, METADATA_PREFIX};
pub use layers::Layer;
pub use learner::{Learner, OutputKernel, Protocol, Ridge};
pub use learning::LearningExperiment;
pub use memory::{address_space, memory_available};
pub use network::NetworkSpec;
pub use ops::{Op, Parameter};
pub use parametrisation::{Init, Parametrisation};
pub use path::{absolute, expanded};
pub use plan::{Contraction, KERNEL_MEMORY, KernelBlock, KernelShape, LayerPlan, MOST_WAITING, Plan};
pub use presets::{LABS, Lab, PRESETS, Preset, STUDIES, controls_of, lab_before, preset, preset_of, study};
pub use problem::Problem;
pub use program::{Builder, Line, MOST_LINES, Names, Program, Shapes, Value, belongs, layer_of};
pub use readout::{Readout, half};
pub use schedule::{RateCurve, Schedule};
pub use section::read_modules_with;
pub use settings::{
    DataSpec, KernelSpec, LAG_TOLERANCE, Loss, MOST_LAGGED, MOST_PICTURE_SIDE, Method, Optimiser, ProbeChoice,
    Reduction, Spec, TaskKind, TasksSpec, TrainingSpec, VERSION, VelocityLag, WindowSpec,
};
pub use source::Source;
pub use study::{SAMPLES, StudySpec, Variant};
pub use study_runs::StudyRun;
pub use target::{Spacing, Target};
pub use tasks::{MAJOR_SHARE, MOST_TASKS, first_share, frequency_totals, jaccard};
pub use text::{Choices, Declared, Setting};
pub use validate::{MOST_SHARPNESS_STEPS, PER_EPOCH, RATES, WARMUPS};
pub use value_text::values_text;
pub(crate) use variants::variants;
pub use width::Width;
