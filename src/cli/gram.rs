//! `kernelscope gram`: computes one kernel from weights and inputs, writes it to an archive that NumPy opens, and measures
//! the time.
//!
//! Standard output carries the plan, or the line of JSON of `--repeat`; messages for users go to standard error.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytesize::ByteSize;
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;

use super::device::Device;
use super::follow::{ProgressLines, progress_bar};
use super::kernel_plan::explanation;
use super::refused::RefusedRequest;
use super::repeat::Repeat;
use super::signals::{Signals, UntilWritten};
use super::tensor_table::tensor_table;
use crate::math::Gram as Matrix;
use crate::math::estimate::FEWEST_DRAWS;
use crate::math::lanczos::{RitzValue, leading};
use crate::math::spectrum::eigenvalues;
use crate::math::timing::{Timing, time};
use crate::spec::text::NETWORKS;
use crate::spec::{Activation, KnownSettings, METADATA_PREFIX, Parametrisation};
use crate::storage::{Graph, Output, WEIGHTS, check_place, write_arrays};
use crate::worker::DeviceChoice;
use crate::worker::gram::{
    self, BlocksEnding, EstimateMethod, EstimateRequest, EstimatedFigure, Estimates, Gram, GramError, GramJob, Kernel,
    PartKind, Request,
};

/// Arguments of `gram`.
#[derive(Debug, clap::Args)]
pub struct GramArgs {
    #[arg(long, value_name = "NAME", help = arch_help())]
    pub arch: Option<String>,
    /// The folder of a PyTorch module that kernelscope.export wrote: the network is its graph
    #[arg(long, value_name = "DIR", conflicts_with_all = ["arch", "activation", "pool", "heads", "set", "parametrisation"])]
    pub graph: Option<PathBuf>,
    /// The weights, named and laid out as PyTorch's; or the index of their shards. With --graph, those beside the graph
    #[arg(long, value_name = "W.safetensors", required_unless_present_any = ["graph", "arch"])]
    pub weights: Option<PathBuf>,
    /// The array x ([n, 28, 28], [n, channels, height, width] or [n, d]) of a safetensors file or .npz archive, or a .npy file
    #[arg(long, value_name = "X")]
    pub inputs: PathBuf,
    /// Inputs of the columns, for a rectangular kernel
    #[arg(long, value_name = "Y")]
    pub inputs2: Option<PathBuf>,
    /// How the logits become one matrix
    #[arg(long, value_enum, default_value_t = Reduction::Trace)]
    pub reduction: Reduction,
    /// Layer by layer, or the reference: one backward pass per input and logit, which is slow
    #[arg(long, value_enum, default_value_t = Method::Layerwise)]
    pub method: Method,
    /// Also each parameter tensor's part; they sum to the whole
    #[arg(long)]
    pub per_tensor: bool,
    /// Only these layers or tensors, for example fc1,blocks.0,head.bias
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub layers: Option<Vec<String>>,
    /// The activation, unless the weights or --arch determine it
    #[arg(long, value_parser = word::<Activation>(&Activation::ALL.map(Activation::name)))]
    pub activation: Option<Activation>,
    /// The pooling of a convolutional network, likewise
    #[arg(long, value_parser = ["max", "avg", "none"])]
    pub pool: Option<String>,
    /// Heads of a transformer, which no shape determines; 4 if nothing else does
    #[arg(long)]
    pub heads: Option<NonZeroUsize>,
    /// Another setting that the network's text declares, for example norm=group; may be given many times
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// z = W x + b, or z = σ_w/√fan_in · W x + σ_b b with --sigma-w and --sigma-b: `standard` if nothing else determines it
    #[arg(long, value_parser = word::<Parametrisation>(&["standard", "ntk"]))]
    pub parametrisation: Option<Parametrisation>,
    /// σ_w of the NTK parametrisation
    #[arg(long, value_name = "SIGMA")]
    pub sigma_w: Option<f64>,
    /// σ_b of the NTK parametrisation
    #[arg(long, value_name = "SIGMA")]
    pub sigma_b: Option<f64>,
    /// The most memory that the computation may use
    #[arg(long, default_value = "1GiB")]
    pub memory: ByteSize,
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub device: Device,
    #[command(flatten)]
    pub repeat: Repeat,
    /// Print which tensor of the file went where, how the kernel is computed and what that costs; without --out and --repeat,
    /// only that
    #[arg(long)]
    pub explain: bool,
    /// The archive for the kernel, under its reduction's name; of tensors as trace_by_param/TENSOR. With --blocks K.npy, the kernel
    /// alone
    #[arg(long, value_name = "K.npz", required_unless_present_any = ["explain", "repeat", "eigenvalues", "estimate"])]
    pub out: Option<PathBuf>,
    /// Compute the kernel block by block into K.npy, on the disk: for one that memory cannot hold, or that takes so long that it
    /// must survive a kill. The same command goes on with what is there
    #[arg(long, conflicts_with_all = ["per_tensor", "repeat", "method"], requires = "out")]
    pub blocks: bool,
    /// Print the K largest eigenvalues of a square kernel, by Lanczos, as a table with a bound on the error of each
    #[arg(long, value_name = "K", conflicts_with_all = ["inputs2", "repeat"])]
    pub eigenvalues: Option<NonZeroUsize>,
    /// Instead of the kernel, estimate its trace, norm, λ_max and effective rank without forming it, with 95 % intervals, as a
    /// table; the exact numbers stand beside where memory holds the kernel
    #[arg(long, value_enum, conflicts_with_all = ["out", "blocks", "eigenvalues", "repeat", "inputs2", "per_tensor", "reduction", "method"])]
    pub estimate: Option<Estimate>,
    /// With --estimate: independent draws, from which the intervals are
    #[arg(long, value_name = "R", default_value_t = FEWEST_DRAWS, requires = "estimate")]
    pub draws: usize,
    /// With --estimate projected: random directions of each draw, in place of as many as make 1024 columns
    #[arg(long, value_name = "K", requires = "estimate")]
    pub directions: Option<NonZeroUsize>,
    /// With --estimate: another seed gives other draws
    #[arg(long, default_value_t = 0, requires = "estimate")]
    pub seed: u64,
    /// With --estimate, the class of each input, for the alignment: a .npy file, or the array y of an archive
    #[arg(long, value_name = "Y", requires = "estimate")]
    pub labels: Option<PathBuf>,
    /// With --estimate, weights of the same network at another time, for the distance 1 − CKA of both kernels: the velocity, times
    /// the time between
    #[arg(long, value_name = "W0.safetensors", requires = "estimate", conflicts_with = "graph")]
    pub before: Option<PathBuf>,
    /// Overwrite an existing archive
    #[arg(long)]
    pub overwrite: bool,
}

/// Lists the values of `--estimate`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Estimate {
    RandomLogits,
    Projected,
    #[value(name = "hutch++")]
    HutchPlusPlus,
}

/// Lists the values of `--reduction`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Reduction {
    Trace,
    Full,
    SumLogits,
}

/// Lists the values of `--method`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Method {
    Layerwise,
    Jacobian,
}

/// Further names for `--arch`: the network that each stands for, with its activation and pooling.
const ARCHS: [(&str, &str, Option<Activation>, Option<&str>); 10] = [
    ("mlp_relu", "mlp", Some(Activation::Relu), None),
    ("mlp_tanh", "mlp", Some(Activation::Tanh), None),
    ("mlp_gelu", "mlp", Some(Activation::Gelu), None),
    ("mlp_erf", "mlp", Some(Activation::Erf), None),
    ("cnn_maxpool", "cnn", None, Some("max")),
    ("cnn_avgpool", "cnn", None, Some("avg")),
    ("cnn_nopool", "cnn", None, Some("none")),
    ("resmlp_preln", "resmlp", None, None),
    ("transformer_preln", "transformer", None, None),
    ("rnn_tanh", "rnn", Some(Activation::Tanh), None),
];

fn arch_help() -> String {
    let known: Vec<&str> = NETWORKS.iter().map(|network| network.name).collect();
    let longer = ARCHS.map(|(name, ..)| name).join(", ");
    format!(
        "The network, unless the weights determine it (those of a run do); its sizes are read from their shapes: {}, the path \
         of a text like my/net.rhai, the folder of a module as --graph takes it, or with an activation or a pooling {longer}",
        known.join(", ")
    )
}

/// Returns the settings given by `--arch`.
fn arch_of(name: &str) -> Result<KnownSettings, RefusedRequest> {
    match ARCHS.iter().find(|(known, ..)| *known == name) {
        Some(&(_, program, activation, pool)) => {
            let settings = KnownSettings { program: Some(program.to_owned()), activation, ..KnownSettings::default() };
            Ok(settings.with("pool", pool))
        }
        None => KnownSettings::named(name).map_err(|why| RefusedRequest(format!("--arch: {why}"))),
    }
}

/// Parses one of these words as run files do.
fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &[&'static str],
) -> impl TypedValueParser<Value = T> {
    let read = |text: String| toml::Value::String(text).try_into::<T>();
    PossibleValuesParser::new(words.to_vec()).try_map(read)
}

impl GramArgs {
    /// Returns the settings of the network given by the options.
    fn settings(&self) -> Result<KnownSettings, RefusedRequest> {
        let arch = self.arch.as_deref().filter(|_| self.module().is_none());
        let arch = arch.map(arch_of).transpose()?.unwrap_or_default();
        let set = KnownSettings::from_settings(self.set.iter().map(String::as_str));
        let set = set.map_err(|why| RefusedRequest(format!("--set: {why}")))?;
        let options = KnownSettings {
            activation: self.activation,
            parametrisation: self.parametrisation,
            sigma_w: self.sigma_w,
            sigma_b: self.sigma_b,
            ..KnownSettings::default()
        };
        let options = options.with("pool", self.pool.clone()).with("heads", self.heads.map(NonZeroUsize::get));
        if let Some((key, by_option, by_set)) = options.contradiction(&set) {
            let option = key.trim_start_matches(METADATA_PREFIX);
            return Err(RefusedRequest(format!(
                "--{option} is {by_option} and --set gives {option}={by_set}: use one of them"
            )));
        }
        let options = options.or(&set);
        match arch.contradiction(&options) {
            None => Ok(options.or(&arch)),
            Some((key, by_arch, by_option)) => {
                let option = key.trim_start_matches(METADATA_PREFIX);
                let message =
                    format!("--arch gives {option} = {by_arch} and --{option} is {by_option}: use one of them");
                Err(RefusedRequest(message))
            }
        }
    }

    /// Returns the folder of the module whose graph is the network, by either option.
    fn module(&self) -> Option<&Path> {
        let named = self.arch.as_deref().map(Path::new).filter(|folder| Graph::is_in(folder));
        self.graph.as_deref().or(named)
    }

    /// Returns the file of the weights: that beside the graph, unless another is given.
    fn weights_file(&self) -> Result<PathBuf, RefusedRequest> {
        let beside = || self.module().map(|folder| folder.join(WEIGHTS));
        let none = || RefusedRequest("the weights are missing: give them with --weights".to_owned());
        self.weights.clone().or_else(beside).ok_or_else(none)
    }

    fn job(&self) -> Result<GramJob, RefusedRequest> {
        let reduction = match self.reduction {
            Reduction::Trace => gram::Reduction::Trace,
            Reduction::Full => gram::Reduction::Full,
            Reduction::SumLogits => gram::Reduction::SumLogits,
        };
        let method = match self.method {
            Method::Layerwise => gram::Method::Layerwise,
            Method::Jacobian => gram::Method::Jacobian,
        };
        Ok(GramJob {
            settings: self.settings()?,
            graph: self.module().map(Path::to_owned),
            weights: self.weights_file()?,
            inputs: self.inputs.clone(),
            others: self.inputs2.clone(),
            request: Request {
                reduction,
                apart: if self.per_tensor { PartKind::Tensors } else { PartKind::No },
                logits: Vec::new(),
                only: self.layers.clone(),
                memory: self.memory.as_u64(),
                preconditioner: None,
            },
            method,
            device: self.device.into(),
        })
    }
}

pub(super) fn gram(args: &GramArgs) -> anyhow::Result<()> {
    if let Some(out) = &args.out {
        let what = if args.blocks { Output::Kernel } else { Output::Kernels };
        check_place(out, what, args.overwrite).map_err(|err| RefusedRequest(err.to_string()))?;
    }
    args.repeat.start_threads()?;
    if args.blocks {
        return in_blocks(args);
    }
    if let Some(method) = args.estimate {
        return estimate(args, method);
    }
    let signals = UntilWritten::listen();
    let mut job = args.job()?;
    let mut gram = open(&job)?;
    explain(args, &job, &gram);
    if args.out.is_none() && args.repeat.repeat.is_none() && args.eigenvalues.is_none() {
        gram.inputs().iter().for_each(|words| eprintln!("{words}"));
        return Ok(());
    }
    gram.check_memory(false).map_err(|err| RefusedRequest(err.to_string()))?;
    gram.inputs().iter().for_each(|words| eprintln!("{words}"));
    let began = Instant::now();
    let (timing, kernel) = match measure(&gram, &args.repeat) {
        (_, Err(GramError::Device(why))) => {
            eprintln!("{} gave up ({why}): the processor takes over", gram.device());
            job.device = DeviceChoice::Cpu;
            gram = open(&job)?;
            measure(&gram, &args.repeat)
        }
        done => done,
    };
    let kernel = kernel?;
    gram.check_range()?;
    let seconds = began.elapsed().as_secs_f64() / args.repeat.times() as f64;
    args.repeat.print(timing, Some(gram.flop() / 1e9))?;
    signals.writing();
    if let Some(out) = &args.out {
        write(out, &kernel)?;
    }
    // The layerwise method copies one half of the kernel to the other; the reference implementation computes both.
    let measured = matches!(args.method, Method::Jacobian);
    let summary = summary(&kernel, gram.parameters(), args.inputs2.is_none(), measured);
    eprintln!("{summary}; {seconds:.3} s on {}", gram.device());
    if let Some(count) = args.eigenvalues {
        let (matrix, _) = Matrix::symmetrised(kernel.height(), kernel.values)?;
        let apply = |vector: &[f64], product: &mut [f64]| {
            matrix.multiply(vector, product);
            Ok::<(), io::Error>(())
        };
        table(&leading(matrix.len(), count.get(), apply)?.unwrap_or_default());
    }
    Ok(())
}

/// Prints which tensor went where and how the kernel is computed, if requested, and what the user should know of the weights.
fn explain(args: &GramArgs, job: &GramJob, gram: &Gram) {
    if !gram.notes().is_empty() {
        eprintln!("{}: {}", job.weights.display(), gram.notes().join("; "));
    }
    if args.explain {
        let text = format!("{}\n{}", tensor_table(gram.origins()), explanation(&gram.explain(), gram.device()));
        // If there is a line of JSON or a table on standard output, these tables go to standard error.
        let is_taken = args.repeat.repeat.is_some() || args.eigenvalues.is_some();
        if is_taken { eprint!("{text}") } else { print!("{text}") }
    }
}

/// Computes the kernel on the disk, block by block.
fn in_blocks(args: &GramArgs) -> anyhow::Result<()> {
    let Some(out) = &args.out else { return Err(RefusedRequest("--blocks needs --out".to_owned()).into()) };
    let signals = Signals::listen();
    let job = args.job()?;
    let gram = open(&job)?;
    explain(args, &job, &gram);
    gram.check_memory(true).map_err(|err| RefusedRequest(err.to_string()))?;
    gram.check_range()?;
    gram.inputs().iter().for_each(|words| eprintln!("{words}"));
    let (began, bar, mut lines) = (Instant::now(), progress_bar(), ProgressLines::new());
    let mut first = None;
    let mut progress = |done: usize, of: usize| {
        if first.is_none() && done > 0 {
            bar.suspend(|| eprintln!("{done} of {of} blocks are there"));
        }
        first.get_or_insert(done);
        bar.set_length(of as u64);
        bar.set_position(done as u64);
        if bar.is_hidden() {
            lines.print_if_due(|| format!("{done} of {of} blocks"));
        }
    };
    let ended = gram.measure_blocks(out, args.overwrite, &mut progress, &|| signals.is_stopping());
    bar.finish_and_clear();
    let refused = |err: GramError| {
        match err {
        GramError::Blocks(why) => anyhow::Error::from(RefusedRequest(why.to_string())),
        GramError::Device(why) => RefusedRequest(format!(
            "{} gave up ({why}): the same command goes on with the blocks that are done, or --overwrite --device cpu begins anew",
            gram.device()
        ))
        .into(),
        other => other.into(),
    }
    };
    let mut stored = match ended.map_err(refused)? {
        BlocksEnding::Whole(stored) => stored,
        BlocksEnding::Stopped { done, of, folder } => {
            let what = format!("{done} of {of} blocks are in {}; the same command goes on", folder.display());
            return Err(signals.stopped(&what).map_or_else(|| anyhow::anyhow!(what), Into::into));
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    let [height, width] = stored.shape;
    let mut text = format!("{height}×{width} {} over {} parameters", words(job.request.reduction), gram.parameters());
    let count = args.eigenvalues.map_or(1, NonZeroUsize::get);
    let found = match args.inputs2 {
        Some(_) => None,
        None => leading(height, count, |vector, product| stored.multiply(vector, product))?,
    };
    if let Some([largest, ..]) = found.as_deref() {
        text += &format!(", λ_max {:.6e} ± {:.1e}", largest.value, largest.residual);
    }
    eprintln!("{text}; {seconds:.3} s on {}", gram.device());
    if args.eigenvalues.is_some() {
        table(&found.unwrap_or_default());
    }
    Ok(())
}

/// Prints estimates as a table.
fn estimate(args: &GramArgs, method: Estimate) -> anyhow::Result<()> {
    if args.draws < FEWEST_DRAWS {
        let message = format!("--draws {}: intervals need {FEWEST_DRAWS} draws at least", args.draws);
        return Err(RefusedRequest(message).into());
    }
    let signals = UntilWritten::listen();
    let job = args.job()?;
    let gram = open(&job)?;
    explain(args, &job, &gram);
    gram.inputs().iter().for_each(|words| eprintln!("{words}"));
    let refused = |err: GramError| RefusedRequest(err.to_string());
    let labels = args.labels.as_deref().map(|path| gram.labels(path)).transpose().map_err(refused)?;
    let other = args.before.clone().map(|weights| open(&GramJob { weights, ..job.clone() })).transpose()?;
    let method = match method {
        Estimate::RandomLogits => EstimateMethod::RandomLogits,
        Estimate::Projected => EstimateMethod::Projected,
        Estimate::HutchPlusPlus => EstimateMethod::HutchPlusPlus,
    };
    let request = EstimateRequest {
        method,
        draws: args.draws,
        directions: args.directions.map(NonZeroUsize::get),
        seed: args.seed,
        labels: labels.as_deref(),
        other: other.as_ref(),
    };
    let Estimates { figures, seconds, exact_seconds, words } = gram.estimate(&request).map_err(|err| match err {
        known @ (GramError::Memory { .. } | GramError::OtherNetwork(..)) => refused(known).into(),
        other => anyhow::Error::from(other),
    })?;
    signals.writing();
    let exact = exact_seconds.map_or_else(
        || "the exact kernel does not fit, or its eigenvalues would take too long".to_owned(),
        |seconds| format!("{seconds:.3} s for the exact figures"),
    );
    eprintln!("{words}: {seconds:.3} s on {}; {exact}", gram.device());
    println!("figure,estimate,low,high,exact,note");
    for EstimatedFigure { estimate, exact } in figures {
        let (low, high, note) = match estimate.interval {
            Ok((low, high)) => (low.to_string(), high.to_string(), String::new()),
            Err(why) => (String::new(), String::new(), format!("no interval: {why}")),
        };
        let exact = exact.map_or_else(String::new, |value| value.to_string());
        println!("{},{},{low},{high},{exact},\"{note}\"", estimate.figure.name(), estimate.value);
    }
    Ok(())
}

/// Prints eigenvalues as a table.
fn table(found: &[RitzValue]) {
    println!("number,eigenvalue,bound");
    for (place, RitzValue { value, residual }) in found.iter().enumerate() {
        println!("{},{value},{residual:e}", place + 1);
    }
}

fn open(job: &GramJob) -> Result<Gram, RefusedRequest> {
    Gram::open(job).map_err(|err| RefusedRequest(err.to_string()))
}

fn measure(gram: &Gram, repeat: &Repeat) -> (Timing, Result<Kernel, GramError>) {
    time(repeat.times(), || gram.measure())
}

/// Writes the kernel under its reduction's name, with its parts if there are any.
fn write(out: &Path, kernel: &Kernel) -> anyhow::Result<()> {
    let name = kernel.reduction.name();
    let shape = vec![kernel.height(), kernel.width()];
    let samples = vec![kernel.samples.0, kernel.samples.1];
    let parts = kernel.parts.iter().map(|(tensor, values)| (format!("{name}_by_param/{tensor}"), &values[..]));
    let arrays = std::iter::once((name.to_owned(), &kernel.values[..])).chain(parts);
    // The full parts come with the trace of each, which is what most users need.
    let traces: Vec<(String, Vec<f64>)> = if kernel.reduction == gram::Reduction::Full {
        kernel.traces().map(|(tensor, values)| (format!("trace_by_param/{tensor}"), values)).collect()
    } else {
        Vec::new()
    };
    let traces = traces.iter().map(|(name, values)| (name.clone(), samples.clone(), &values[..]));
    write_arrays(out, arrays.map(|(name, values)| (name, shape.clone(), values)).chain(traces))?;
    Ok(())
}

/// Summarises the kernel in a line: its size and, if it is square, the ends of its spectrum, and the asymmetry if both
/// halves were computed.
fn summary(kernel: &Kernel, parameters: usize, square: bool, both_halves: bool) -> String {
    let name = words(kernel.reduction);
    let (height, width) = (kernel.height(), kernel.width());
    let mut text = format!("{height}×{width} {name} over {parameters} parameters");
    if !square {
        return text;
    }
    let Ok((matrix, asymmetry)) = Matrix::symmetrised(height, kernel.values.clone()) else { return text };
    if height <= MOST_ROWS
        && let Ok(values) = eigenvalues(&matrix)
        && let [smallest, .., largest] | [smallest @ largest] = values[..]
    {
        text += &format!(", λ_max {largest:.6e}, λ_min {smallest:.3e}");
    }
    if both_halves {
        text += &format!(", asymmetry {asymmetry:.1e}");
    }
    text
}

/// Names a reduction in a sentence.
fn words(reduction: gram::Reduction) -> &'static str {
    match reduction {
        gram::Reduction::Trace => "trace",
        gram::Reduction::Full => "full",
        gram::Reduction::SumLogits => "sum of logits",
    }
}

/// Largest number of rows of a kernel whose spectrum is printed: it takes seconds, and grows with the cube.
const MOST_ROWS: usize = 4096;
