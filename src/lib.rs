//! Kernelscope: an oscilloscope for the neural tangent kernel.
//!
//! It trains real networks live, measures the *exact* empirical NTK Θ(x, x′) = ⟨∇f(x), ∇f(x′)⟩ while they train, and shows
//! what the kernel does, above all when the task changes (*Reactivation: Empirical NTK Dynamics Under Task Shifts*).
//!
//! # Structure
//!
//! An arrow means “uses”, and a folder may also use everything that its used folders use. The exceptions are `ui` and `cli`,
//! which may not use the folders behind `worker`: they communicate with it through its channel.
//!
//! ```text
//!  math ◄── spec ◄── run ◄── analysis ◄── storage ◄── chart ◄── paint ◄──┐
//!            ▲        ▲                     ▲  ▲                  ▲      │
//!            │       data ◄──────────────┐  │  └───────┐          │      │
//!            │                           │  │          │          │      │
//!            ├───────────── model ◄─ ntk ◄─ train ◄── lab ◄── worker ◄── ui ◄── cli
//!            └───────────── theory ◄─────┘                      ‖         │
//!                                                       (a channel)  diagnostics
//! ```
//!
//! Data flows like this during a run:
//!
//! ```text
//!  data ─► train ─► ntk ─► lab: Θ, losses ─► analysis ─► worker: events ─► storage: the run folder
//!             ▲                                               └──────────► ui: history, views     commands ─► worker ─► lab
//! ```
//!
//! | folder | contents | may use | burn | egui |
//! |---|---|---|---|---|
//! | [`math`] | kernels as f64 matrices: distance, alignment, spectrum, spike and dip, forgetting, power laws (with a floor), kernel regression, instant learning curves, polynomials on the sphere, random streams | – | no | no |
//! | [`spec`] | the definition of a run or study: typed settings, validation, cost, presets, lessons, TOML; a network as a text and as the program that it writes | `math` | no | no |
//! | [`run`] | the reports of a run: events, the bounded history, metrics, predictions, points of learning curves | `spec` | no | no |
//! | [`analysis`] | the analysis of these reports: metrics of a kernel, figures of a switch, milestones, comparisons of the runs of a study, learning curves, power laws | `run` | no | no |
//! | [`storage`] | files: run, study and experiment folders and the claims of those who write them, autosave, the state of the window; the readers of other programs' arrays, archives, graphs and weights, and of the folder into which another training writes | `analysis` | no | no |
//! | [`chart`] | charts described as data: the curves of a run over time, for its views and its figures, and how they are read and thinned; the figures of studies; colours, ticks and number formats | `storage` | no | no |
//! | [`paint`] | what paints: all charts, in the window and into files; the theme; a view or figure without a window, as SVG and PNG | `chart` | no | yes |
//! | [`data`] | images (embedded, IDX, CIFAR in both versions, folders of pictures, NumPy archives), points of the plane, synthetic problems, task streams, probes, samples beside a run's, batch order | `run`, the readers of `storage` | no | no |
//! | [`model`] | networks as their programs on burn, one file an operation, initialisation, the tape for the kernel, weights in and out, device | `spec`, the readers of `storage` | yes | no |
//! | [`ntk`] | the empirical kernel: layer by layer by the plan of `spec`, and its oracle; that of the optimiser; J Δw; sharpness | `model` | yes | no |
//! | [`theory`] | the infinite-width limit: kernels by the rule of each operation of a program, and which programs have none; training with a constant kernel; the recursive feature machine | `spec` | no | no |
//! | [`train`] | one step, evaluation, the network linearised, the linear probe; independent of threads | `model`, `data`, `ntk`, `theory` | yes | no |
//! | [`lab`] | the laboratories: turn the above into a stream of events, analysed and reported in order on a thread beside training; saving and resuming a run | `train`, `storage` | yes | no |
//! | [`worker`] | the thread of a run, its queue of commands and its channel of events, cancel, failure; the threads that compute; a study's queue of runs, and the service that executes them | `lab`, `paint` | no | no |
//! | [`diagnostics`] | the version, the log file, the report of a crash | – | no | no |
//! | [`ui`] | the window | `paint`, `theory`, `diagnostics`, `worker` itself | no | yes |
//! | [`cli`] | the command line, progress bars, signals | `ui` | no | no |
//!
//! A test reads the `use` lines and fails when an arrow runs the wrong way (`tests/suite/house.rs`). `data` and `model` may use
//! the types of `run` and the readers of `storage`, because they provide task names, arrays and named tensors.
//!
//! # Where to begin reading
//!
//! [`ntk::layerwise`] computes the kernel, [`lab::live`] executes a run, [`lab::watch`] watches one of another program, and
//! [`math::distance`] and [`math::spike`] define its measurements. [`train::Linearised`] is the network with a constant kernel,
//! [`theory::InfiniteNetwork`] the infinitely wide one, and [`lab::scaling`] compares how learners improve with more data.
//! [`spec::Program`] defines a network, and `assets/networks/README.md` explains how to write one.

pub mod analysis;
pub mod chart;
pub mod cli;
pub mod data;
pub mod diagnostics;
pub mod lab;
pub mod math;
pub mod model;
pub mod ntk;
pub mod paint;
pub mod run;
pub mod spec;
pub mod storage;
pub mod theory;
pub mod train;
pub mod ui;
pub mod worker;
