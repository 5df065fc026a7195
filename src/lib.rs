//! Kernelscope: an oscilloscope for the neural tangent kernel.
//!
//! It trains real networks live, measures the *exact* empirical NTK Θ(x, x′) = ⟨∇f(x), ∇f(x′)⟩ while they train, and shows
//! what the kernel does, above all when the task changes (*Reactivation: Empirical NTK Dynamics Under Task Shifts*).
//!
//! # The house
//!
//! Data falls one way; commands go back up only through the worker's channel.
//!
//! ```text
//!  spec ──► data ──► model ──► train ─┐
//!                      └─────► ntk ───┼──► lab ──► worker ──► record ──► ui      (window)
//!           math ◄── theory ──────────┘                          └─────► cli     (files, figures, progress bar)
//! ```
//!
//! | folder | what lives there | may use | burn | egui |
//! |---|---|---|---|---|
//! | [`math`] | kernels as f64 matrices: distance, alignment, spectrum, spike and dip, forgetting, power laws (with a floor), kernel regression, instant learning curves, polynomials on the sphere, random streams | – | no | no |
//! | [`spec`] | what a run or study *is*: typed settings, validation, cost, presets, lessons, TOML; a network as a text and as the program that it writes | `math` | no | no |
//! | [`data`] | images (embedded, IDX, CIFAR in both versions), points of the plane, drawn problems, task streams, probes, samples beside a run's, batch order | `spec`, event types | no | no |
//! | [`model`] | networks as their programs on burn, one file an operation, initialisation, the tape and taps for the kernel, weights in and out, device | `spec`, event types | yes | no |
//! | [`ntk`] | the empirical kernel: layer by layer by the plan of `spec`, and its oracle; that of the optimiser; J Δw; sharpness | `model`, `math` | yes | no |
//! | [`theory`] | the infinite-width limit: kernels by the rule of each operation of a program, and which programs have none; training with a kernel that stands still; the recursive feature machine | `math`, `spec` | no | no |
//! | [`train`] | one step, evaluation, the network linearised, the linear probe; knows of no thread | `model`, `data`, `ntk` | yes | no |
//! | [`lab`] | the laboratories: turn the above into a stream of events, analysed and reported in order on a thread beside training; a run is kept, and goes on | all above, event types | yes | no |
//! | [`worker`] | the thread of a run, its queue of commands and its channel of events, cancel, failure; the threads that compute; a study's queue of runs, and the service that does them | `lab` | no | no |
//! | [`record`] | events, the bounded history, run and study folders, points of learners, what a study compares, figures; the readers of others' arrays, archives and weights | `math`, `spec` | no | no |
//! | [`program`] | the version, the log file, what is left behind after a crash | – | no | no |
//! | [`ui`] | the window | `record`, `spec`, what `theory` refuses, the worker's handle | no | yes |
//! | [`cli`] | the command line, progress bars, signals | as `ui` | no | no |
//!
//! A test reads the `use` lines and fails when an arrow runs the wrong way (`tests/suite/house.rs`). Two things differ from
//! the first plan: `train` may use `ntk`, because the network under training is what the kernel is asked of, and `data` and
//! `model` may use the event types of `record`, because task names and named tensors are facts that they state and nobody
//! should translate; `model` and `lab` may use its readers of files too, which are the only ones.
//!
//! # Where to begin reading
//!
//! [`ntk::layerwise`] is the kernel, [`lab::live`] the run, [`math::distance`] and [`math::spike`] what is measured on it,
//! [`train::Linearised`] the network whose kernel stands still, [`theory::Infinite`] the one that is infinitely wide,
//! [`lab::scaling`] who learns faster from more data. What a network is stands in [`spec::Program`], and how one is written in
//! `assets/networks/README.md`.

pub mod cli;
pub mod data;
pub mod lab;
pub mod math;
pub mod model;
pub mod ntk;
pub mod program;
pub mod record;
pub mod spec;
pub mod theory;
pub mod train;
pub mod ui;
pub mod worker;
