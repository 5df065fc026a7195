//! `kernelscope gram`: computes one kernel from weights and inputs, writes it to an archive that NumPy opens, and measures
//! the time.
//!
//! Standard output carries the plan, or the line of JSON of `--repeat`; messages for users go to standard error.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytesize::ByteSize;
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;

use super::device::Device;
use super::kernel_plan::explanation;
use super::refused::RefusedRequest;
use super::repeat::Repeat;
use super::signals::UntilWritten;
use super::tensor_table::tensor_table;
use crate::math::Gram as Matrix;
use crate::math::spectrum::eigenvalues;
use crate::math::timing::{Timing, time};
use crate::spec::text::NETWORKS;
use crate::spec::{Activation, KnownSettings, METADATA_PREFIX, Parametrisation};
use crate::storage::{Graph, Output, WEIGHTS, check_place, write_arrays};
use crate::worker::DeviceChoice;
use crate::worker::gram::{self, Gram, GramError, GramJob, Kernel, PartKind, Request};

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
    /// The archive for the kernel, under its reduction's name; of tensors as trace_by_param/TENSOR
    #[arg(long, value_name = "K.npz", required_unless_present_any = ["explain", "repeat"])]
    pub out: Option<PathBuf>,
    /// Overwrite an existing archive
    #[arg(long)]
    pub overwrite: bool,
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
        check_place(out, Output::Kernels, args.overwrite).map_err(|err| RefusedRequest(err.to_string()))?;
    }
    args.repeat.start_threads()?;
    let signals = UntilWritten::listen();
    let mut job = args.job()?;
    let mut gram = open(&job)?;
    if !gram.notes().is_empty() {
        eprintln!("{}: {}", job.weights.display(), gram.notes().join("; "));
    }
    if args.explain {
        let text = format!("{}\n{}", tensor_table(gram.origins()), explanation(&gram.explain(), gram.device()));
        // If the line of JSON is on standard output, tables go to standard error.
        if args.repeat.repeat.is_some() { eprint!("{text}") } else { print!("{text}") }
    }
    if args.out.is_none() && args.repeat.repeat.is_none() {
        gram.inputs().iter().for_each(|words| eprintln!("{words}"));
        return Ok(());
    }
    gram.check_memory().map_err(|err| RefusedRequest(err.to_string()))?;
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
    Ok(())
}

fn open(job: &GramJob) -> Result<Gram, RefusedRequest> {
    Gram::open(job).map_err(|err| RefusedRequest(err.to_string()))
}

fn measure(gram: &Gram, repeat: &Repeat) -> (Timing, Result<Kernel, GramError>) {
    time(repeat.times(), || gram.measure())
}

/// Writes the kernel under its reduction's name, with its parts if there are any.
fn write(out: &Path, kernel: &Kernel) -> anyhow::Result<()> {
    let name = match kernel.reduction {
        gram::Reduction::Trace => "trace",
        gram::Reduction::Full => "full",
        gram::Reduction::SumLogits => "sum-logits",
    };
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
    let name = match kernel.reduction {
        gram::Reduction::Trace => "trace",
        gram::Reduction::Full => "full",
        gram::Reduction::SumLogits => "sum of logits",
    };
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

/// Largest number of rows of a kernel whose spectrum is printed: it takes seconds, and grows with the cube.
const MOST_ROWS: usize = 4096;
