//! Computes one kernel from weights and inputs in files, without training or events.
//!
//! Guarantees: an error in the files is one sentence that names the file and the tensor, before anything is computed;
//! [`Gram::measure`] starts from weights and inputs each time and stores nothing, so it can be timed; a kernel that is
//! not finite is an error and not a file. Requests and results are plain data, so that the command line uses no tensor.

mod blocks;
mod estimate;
mod inputs;

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use thiserror::Error;

pub use self::blocks::BlocksEnding;
pub use self::estimate::{EstimateMethod, EstimateRequest, EstimatedFigure, Estimates};
pub use self::inputs::{Inputs, InputsError};
pub use crate::model::TensorOrigin;
use crate::model::{ChosenDevice, DeviceChoice, Network, WeightsError, choose, is_host};
pub use crate::ntk::{Kernel, PartKind, Reduction, Request};
use crate::ntk::{jacobian, layerwise};
use crate::run::printable_list;
use crate::spec::{
    KernelShape, KnownSettings, KnownSettingsError, Line, METADATA_PREFIX, NetworkSpec, Op, Plan, layer_of,
    memory_available,
};
use crate::storage::{
    Graph, GraphError, KernelFileError, LayoutError, WatchedProbes, WeightsFile, WeightsFileError, read_regular,
    read_singles, words,
};

/// The method by which a kernel is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Layer by layer, as the program computes every kernel.
    Layerwise,
    /// The reference implementation: the Jacobian, with one backward pass per input and logit.
    Jacobian,
}

/// A kernel to compute, and the files of its network and its inputs.
#[derive(Clone, Debug)]
pub struct GramJob {
    /// The settings of the network besides those in the file.
    pub settings: KnownSettings,
    /// The folder of an exported module, whose graph is the network.
    pub graph: Option<PathBuf>,
    pub weights: PathBuf,
    pub inputs: PathBuf,
    /// The inputs of the columns, if they differ from those of the rows.
    pub others: Option<PathBuf>,
    pub request: Request,
    pub method: Method,
    pub device: DeviceChoice,
}

/// The reason why there is no kernel; each prints as one sentence.
#[derive(Debug, Error)]
pub enum GramError {
    #[error("cannot read {}: {}", path.display(), words(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: WeightsFileError },
    #[error("{}: {source}", path.display())]
    KnownSettings { path: PathBuf, source: KnownSettingsError },
    #[error("{} says {key} = {stored}, and the command line {given}: leave that option out", path.display())]
    Contradiction { path: PathBuf, key: String, stored: String, given: String },
    #[error("{}: {key} is given as {given}, but its tensors have {found}: give that", path.display())]
    Tensors { path: PathBuf, key: String, given: String, found: String },
    #[error(
        "{} was saved by a run of an older version, which did not store its parametrisation: give --parametrisation (and \
         --sigma-w and --sigma-b), which the run.toml of that run has",
        .0.display()
    )]
    OldRun(PathBuf),
    #[error("{}: {source}", path.display())]
    Weights { path: PathBuf, source: WeightsError },
    #[error("{}: {source}", path.display())]
    Inputs { path: PathBuf, source: InputsError },
    #[error(
        "{}: its images are {found:?} (channels, height, width), and the weights are of a network for {trained:?}: give images \
         like those",
        path.display()
    )]
    Image { path: PathBuf, found: [usize; 3], trained: [usize; 3] },
    #[error("there is no layer {name} in this network, which has {known}")]
    NoLayer { name: String, known: String },
    #[error("this needs about {needed:.1} GiB and {free:.1} GiB are free: take {way_out}")]
    Memory { needed: f64, free: f64, way_out: &'static str },
    #[error(
        "the kernel is not finite at row {row}, column {column}: the weights or inputs are too large for 32-bit floats"
    )]
    NotFinite { row: usize, column: usize },
    #[error(
        "the embedding {layer} has a vector for each whole number from 0 to {last}, and these inputs hold others: give tokens"
    )]
    Token { layer: String, last: usize },
    #[error(
        "32-bit floats cannot hold what {layer} gives for these inputs, so its kernel would be wrong: scale the inputs or the \
         weights down"
    )]
    Overflow { layer: String },
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(
        "{}: its inputs have shape {found:?}, and the module was exported for samples of {sample:?}: give [n, …] of those",
        path.display()
    )]
    Sample { path: PathBuf, found: Vec<usize>, sample: Vec<usize> },
    #[error("{}: {source}", path.display())]
    GraphWeights { path: PathBuf, source: WeightsError },
    #[error("the graph of {} is the network: leave --{option} out", path.display())]
    GraphOption { path: PathBuf, option: String },
    #[error("{}: every trained parameter is left out of the output, so there is no kernel", .0.display())]
    Untrained(PathBuf),
    #[error("the device gave up: {0}")]
    Device(String),
    #[error(transparent)]
    Blocks(#[from] KernelFileError),
    #[error("{0}")]
    Solver(String),
    #[error(
        "the weights before are of another network ({0} tensors, and these are {1}), so no draws can be common to both"
    )]
    OtherNetwork(usize, usize),
    #[error("{}: {why}", path.display())]
    Labels { path: PathBuf, why: String },
}

/// A network and its inputs, read, checked, and placed on their device.
pub struct Gram {
    network: Network,
    images: Tensor<2>,
    others: Option<Tensor<2>>,
    request: Request,
    method: Method,
    device: ChosenDevice,
    /// Names and sizes of the parameter tensors in the kernel.
    tensors: Vec<(String, usize)>,
    /// Descriptions of how the inputs were interpreted: those of the rows, and of the columns if they differ.
    inputs: Vec<String>,
    notes: Vec<String>,
}

/// The plan by which a kernel would be computed layer by layer.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Names of the layers, in the order of the forward pass and of the plan's parts.
    pub layers: Vec<String>,
    /// Whether each layer contributes to the kernel.
    pub wanted: Vec<bool>,
    pub plan: Plan,
    pub work: KernelShape,
}

impl Gram {
    /// Reads the files and places weights and inputs on the device.
    ///
    /// # Errors
    /// When a file cannot be read or lacks the expected contents, or when the request names a layer that does not exist.
    pub fn open(job: &GramJob) -> Result<Self, GramError> {
        if let Some(folder) = &job.graph {
            return Self::open_graph(job, folder);
        }
        let at = || job.weights.clone();
        let file = WeightsFile::read(&job.weights).map_err(|source| match source {
            WeightsFileError::Read(source) => GramError::Read { path: at(), source },
            source => GramError::File { path: at(), source },
        })?;
        let (spec, settings, assumed) = network_of(job, &file)?;
        let parse = |path: &Path| {
            let refused = |source| GramError::Inputs { path: path.to_owned(), source };
            Inputs::parse(&read_file(path)?, false).map_err(refused)
        };
        let rows = parse(&job.inputs)?;
        let columns = job.others.as_deref().map(parse).transpose()?;
        let (network, read, rows) = load(job, &spec, &file.parts, rows)?;
        let images = network.program().reads_images();
        let columns = columns.map(|columns| columns.understood(images)).transpose();
        let other = || job.others.clone().unwrap_or_default();
        let columns = columns.map_err(|source| GramError::Inputs { path: other(), source })?;
        let size = |inputs: &Inputs| inputs.image.iter().product::<usize>();
        if let Some(columns) = &columns
            && if images { columns.image != rows.image } else { size(columns) != size(&rows) }
        {
            let shown = |inputs: &Inputs| if images { inputs.image } else { [1, 1, size(inputs)] };
            let source = InputsError::Differ(shown(columns), shown(&rows));
            return Err(GramError::Inputs { path: other(), source });
        }
        if let Some(trained) = settings.image.filter(|trained| images && *trained != rows.image) {
            return Err(GramError::Image { path: job.inputs.clone(), found: rows.image, trained });
        }
        let contradicted = settings.contradiction(&network.determined_settings());
        if let Some((key, given, found)) = contradicted.or_else(|| settings.contradiction(&network.assumed())) {
            return Err(GramError::Tensors { path: at(), key, given, found });
        }
        // The assumption of the command line on attention heads is among `assumed`.
        let is_open = |name: &str| !settings.settings.contains_key(name) && name != "heads";
        let open = network.assumed().settings.into_iter().filter(|(name, _)| is_open(name));
        let open = open.map(|(name, setting)| format!("{name} = {setting} (--set {name}=…)"));
        let assumed: Vec<String> = assumed.into_iter().chain(open).collect();
        let mut notes = [file.notes, read].concat();
        if !assumed.is_empty() {
            notes.push(format!("the file does not determine everything, so this assumes {}", assumed.join(", ")));
        }
        if let Some(alpha) = settings.alpha {
            notes.push(format!("α (f − f₀) was trained with α = {alpha}, and this is the kernel of f, as in the run"));
        }
        drop(file.parts);
        let mut tensors = network.sizes();
        check_layers(&job.request, &tensors)?;
        let request = job.request.clone();
        tensors.retain(|(name, _)| request.includes(name));
        Ok(Self::placed(network, (rows, columns), request, job, tensors, notes))
    }

    /// Reads an exported module, its weights, and inputs of the shape of its samples.
    fn open_graph(job: &GramJob, folder: &Path) -> Result<Self, GramError> {
        let graph = Graph::read(folder)?;
        if let Some(option) = job.settings.pairs().into_keys().next() {
            let option = option.trim_start_matches(METADATA_PREFIX).to_owned();
            return Err(GramError::GraphOption { path: folder.to_owned(), option });
        }
        let file = WeightsFile::read(&job.weights).map_err(|source| match source {
            WeightsFileError::Read(source) => GramError::Read { path: job.weights.clone(), source },
            source => GramError::File { path: job.weights.clone(), source },
        })?;
        let refused = |source| GramError::GraphWeights { path: job.weights.clone(), source };
        let (network, read) = load_graph(&graph, &file.parts, &Device::flex()).map_err(refused)?;
        let parse = |path: &Path| {
            let refused = |source| GramError::Inputs { path: path.to_owned(), source };
            let found = Inputs::samples(&read_file(path)?, &graph.sample, graph.image).map_err(refused)?;
            found.map_err(|found| GramError::Sample { path: path.to_owned(), found, sample: graph.sample.clone() })
        };
        let rows = parse(&job.inputs)?;
        let columns = job.others.as_deref().map(parse).transpose()?;
        let request = job.request.clone();
        let mut notes = [file.notes, read, graph.notes.clone()].concat();
        // Its text freezes them.
        let frozen: Vec<&str> = graph.frozen().collect();
        if !frozen.is_empty() && request.only.is_none() {
            notes
                .push(format!("the kernel has no part of {}, which do not require a gradient", printable_list(frozen)));
        }
        let mut tensors = network.sizes();
        check_layers(&request, &tensors)?;
        tensors.retain(|(name, _)| request.includes(name));
        if tensors.is_empty() {
            return Err(GramError::Untrained(folder.to_owned()));
        }
        Ok(Self::placed(network, (rows, columns), request, job, tensors, notes))
    }

    /// Puts a network and its inputs onto the device.
    fn placed(
        network: Network,
        (rows, columns): (Inputs, Option<Inputs>),
        request: Request,
        job: &GramJob,
        tensors: Vec<(String, usize)>,
        notes: Vec<String>,
    ) -> Self {
        let inputs = std::iter::once(&rows).chain(&columns).map(|inputs| inputs.words.clone()).collect();
        // The device comes last: opening a driver takes long and prints messages.
        let device = choose(job.device);
        let network = if is_host(&device.device) { network } else { network.to_device(&device.device) };
        let place = |inputs: Inputs| {
            let shape = [inputs.count, inputs.values.len() / inputs.count];
            Tensor::from_data(TensorData::new(inputs.values, shape), &device.device)
        };
        let (images, others) = (place(rows), columns.map(place));
        Self { network, images, others, request, method: job.method, device, tensors, inputs, notes }
    }

    /// Returns descriptions of the conversions of the weights and of the assumptions about them.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns where the tensors of the network are in the weights file, and what else that file has.
    pub fn origins(&self) -> &[TensorOrigin] {
        self.network.origins()
    }

    /// Returns the description of the device that computes the kernel.
    pub fn device(&self) -> &str {
        &self.device.description
    }

    /// Returns descriptions of how the inputs were interpreted, a line for each file.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn is_on_host(&self) -> bool {
        is_host(&self.device.device)
    }

    /// Returns the number of parameters that the kernel sums over.
    pub fn parameters(&self) -> usize {
        self.tensors.iter().map(|(_, size)| size).sum()
    }

    /// Plans how the kernel would be computed layer by layer.
    pub fn explain(&self) -> Explained {
        let (layers, plan, work) = layerwise::explain(&self.network, &self.images, self.others.as_ref(), &self.request);
        let wanted = layers.iter().map(|layer| self.tensors.iter().any(|(name, _)| layer_of(name) == *layer)).collect();
        Explained { layers, wanted, plan, work }
    }

    /// Returns the number of floating-point operations of [`Self::measure`].
    pub fn flop(&self) -> f64 {
        let Explained { plan, work, .. } = self.explain();
        match self.method {
            Method::Layerwise => plan.flop(&work),
            Method::Jacobian => {
                // One forward pass and, for each logit, a backward pass of twice its cost; then all products of
                // gradients.
                let (n, m) = work.samples;
                let classes = self.classes();
                let pairs = (n * classes) as f64 * (m * classes) as f64;
                3.0 * classes as f64 * plan.forward_flop + 2.0 * pairs * self.parameters() as f64
            }
        }
    }

    /// Checks that 32-bit floats can hold the outputs of all layers for these inputs.
    ///
    /// # Errors
    /// When they cannot: later layers may be finite again (the tanh of infinity is 1), but the kernel would be wrong.
    pub fn check_range(&self) -> Result<(), GramError> {
        match self.first_overflow() {
            None => Ok(()),
            Some(layer) => Err(self.no_token(&layer).unwrap_or(GramError::Overflow { layer })),
        }
    }

    /// Returns the name of the first layer whose output is not finite, for any of the inputs.
    fn first_overflow(&self) -> Option<String> {
        /// The number of inputs of one forward pass.
        const GROUP: usize = 128;
        let overflow = |images: &Tensor<2>| {
            let [count, _] = images.dims();
            let groups = (0..count).step_by(GROUP);
            groups
                .into_iter()
                .find_map(|first| self.network.overflow(images.clone().narrow(0, first, GROUP.min(count - first))))
        };
        std::iter::once(&self.images).chain(&self.others).find_map(overflow)
    }

    /// Returns the error of an input that is no token, if this layer is an embedding: all weights are finite.
    fn no_token(&self, layer: &str) -> Option<GramError> {
        let tokens = |line: &Line| match &line.op {
            Op::Embedding(embedding) if line.name == layer => Some(embedding.tokens),
            _ => None,
        };
        let tokens = self.network.program().lines.iter().find_map(tokens)?;
        Some(GramError::Token { layer: layer.to_owned(), last: tokens.saturating_sub(1) })
    }

    /// Computes the kernel from weights and inputs.
    ///
    /// # Errors
    /// When it is not finite, or when a device other than the processor fails.
    pub fn measure(&self) -> Result<Kernel, GramError> {
        let (images, others) = (&self.images, self.others.as_ref());
        let measured = || match self.method {
            Method::Layerwise => layerwise::measure(&self.network, images, others, &self.request, &|| false),
            Method::Jacobian => jacobian::measure(&self.network, images, others, &self.request, &|| false),
        };
        let kernel = if self.is_on_host() {
            measured()
        } else {
            // A lost device or one without room panics inside its runtime; another may take over.
            catch_unwind(AssertUnwindSafe(measured))
                .map_err(|panic| GramError::Device(panic_message(panic.as_ref())))?
        };
        let kernel = kernel.expect("nobody can cancel it");
        let parts = kernel.parts.iter().map(|(_, values)| values);
        for values in std::iter::once(&kernel.values).chain(parts) {
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return Err(self.not_finite(at / kernel.width(), at % kernel.width()));
            }
        }
        Ok(kernel)
    }

    /// Returns the error of a kernel that is not finite at this place.
    fn not_finite(&self, row: usize, column: usize) -> GramError {
        let token = self.first_overflow().and_then(|layer| self.no_token(&layer));
        token.unwrap_or(GramError::NotFinite { row, column })
    }

    fn classes(&self) -> usize {
        let one = self.images.clone().narrow(0, 0, 1);
        self.network.forward(one).dims()[1]
    }

    /// Checks that the memory of the machine can hold the kernel and its computation; of one in blocks, a block of it.
    ///
    /// # Errors
    /// When it cannot: the program would be killed half-way.
    pub fn check_memory(&self, in_blocks: bool) -> Result<(), GramError> {
        let Explained { plan, work, .. } = self.explain();
        let side = |samples: usize| samples as f64 * if work.apart { work.directions as f64 } else { 1.0 };
        let kept = 8.0 * side(work.samples.0) * side(work.samples.1);
        let parts = if self.request.apart != PartKind::No { 2.0 * self.tensors.len() as f64 } else { 1.0 };
        let (needed, way_out) = match self.method {
            Method::Layerwise if in_blocks => (plan.bytes(), "a smaller --memory"),
            // Blocks have no parts.
            Method::Layerwise if self.request.apart != PartKind::No => {
                (kept * parts + plan.bytes(), "fewer inputs or another reduction")
            }
            Method::Layerwise => {
                (kept + plan.bytes(), "--blocks, which puts it on the disk, fewer inputs or another reduction")
            }
            Method::Jacobian => {
                let rows = work.samples.0 + if work.same { 0 } else { work.samples.1 };
                // All logits at once only where all pairs of logits are needed.
                let logits = if work.apart { self.classes() } else { 1 };
                let jacobians = 8.0 * (rows * logits) as f64 * self.parameters() as f64;
                (kept * parts + jacobians, "fewer inputs or --method layerwise")
            }
        };
        self.check_room(needed, way_out)
    }

    /// Checks that so many bytes are free.
    fn check_room(&self, needed: f64, way_out: &'static str) -> Result<(), GramError> {
        let free = memory_available() as f64;
        if needed <= free {
            return Ok(());
        }
        let gib = |bytes: f64| bytes / f64::from(1 << 30);
        Err(GramError::Memory { needed: gib(needed), free: gib(free), way_out })
    }

    /// Reads the class of each input: the whole numbers of a `.npy` file, or of the array `y` of an archive.
    ///
    /// # Errors
    /// When they cannot be read, or are no classes of the inputs.
    pub fn labels(&self, path: &Path) -> Result<Vec<usize>, GramError> {
        let wrong = |why: String| GramError::Labels { path: path.to_owned(), why };
        let found = read_singles(&read_file(path)?, "y").map_err(wrong)?;
        let [n, _] = self.images.dims();
        if found.values.len() != n {
            return Err(wrong(format!("it has {} labels, and there are {n} inputs", found.values.len())));
        }
        let classes = self.classes();
        let label = |value: f32| {
            let is_class = value >= 0.0 && value.fract() == 0.0 && (value as usize) < MOST_CLASSES.max(classes);
            is_class.then_some(value as usize)
        };
        let labels: Option<Vec<usize>> = found.values.into_iter().map(label).collect();
        labels
            .ok_or_else(|| wrong("its labels are no whole numbers from 0 on: give the class of each input".to_owned()))
    }
}

/// Largest number of classes of labels.
const MOST_CLASSES: usize = 1 << 16;

/// Returns the network that the file and the job describe together, all its settings, and descriptions of the
/// assumptions.
fn network_of(job: &GramJob, file: &WeightsFile) -> Result<(NetworkSpec, KnownSettings, Vec<String>), GramError> {
    let path = || job.weights.clone();
    if let Some((key, stored, given)) = file.settings.contradiction(&job.settings) {
        return Err(GramError::Contradiction { path: path(), key, stored, given });
    }
    let settings = job.settings.or(&file.settings);
    if file.is_of_run && settings.parametrisation.is_none() {
        return Err(GramError::OldRun(path()));
    }
    let (spec, assumed) = settings.network().map_err(|source| GramError::KnownSettings { path: path(), source })?;
    Ok((spec, settings, assumed))
}

/// Loads the network from the weights for these inputs, with a description of how it was read, and the inputs in its
/// interpretation. For rows of numbers both interpretations are tried: an outline of the program for images of a usual
/// size may not exist.
fn load(
    job: &GramJob,
    spec: &NetworkSpec,
    parts: &[Vec<u8>],
    inputs: Inputs,
) -> Result<(Network, Vec<String>, Inputs), GramError> {
    let load = |image| {
        let refused = |source| GramError::Weights { path: job.weights.clone(), source };
        Network::load(spec, parts, image, &Device::flex()).map_err(refused)
    };
    let refused = |source| GramError::Inputs { path: job.inputs.clone(), source };
    if !inputs.are_rows() {
        let (network, read) = load(inputs.image)?;
        let inputs = inputs.understood(network.program().reads_images()).map_err(refused)?;
        return Ok((network, read, inputs));
    }
    // The more probable interpretation comes first; its error is reported if neither fits.
    let first = spec.reads_images();
    let mut failed = None;
    for images in [first, !first] {
        let found = inputs.clone().understood(images).map_err(refused);
        let found = found.and_then(|inputs| load(inputs.image).map(|(network, read)| (network, read, inputs)));
        match found {
            Ok(found) if found.0.program().reads_images() == images => return Ok(found),
            // This program interprets the rows of numbers as images of one line.
            Ok(_) => failed = failed.or(inputs.clone().understood(true).err().map(refused)),
            Err(err) => failed = failed.or(Some(err)),
        }
    }
    Err(failed.unwrap_or_else(|| {
        let values = inputs.image.iter().product();
        GramError::Inputs { path: job.inputs.clone(), source: LayoutError::NoImages(values).into() }
    }))
}

/// Builds the network of a graph with the weights in the bytes of safetensors files; also returns how they were read.
pub fn load_graph(graph: &Graph, parts: &[Vec<u8>], device: &Device) -> Result<(Network, Vec<String>), WeightsError> {
    let program = graph.program().map_err(WeightsError::Unfit)?;
    Network::of_tensors(
        program,
        &graph.network("graph"),
        parts,
        &graph.weight_names().collect(),
        &graph.aliases,
        device,
    )
}

/// Builds a network that comes with the program from the weights in the bytes of a safetensors file, for these probes.
///
/// # Errors
/// If the weights do not fit, or, in words, if the probes do not.
pub(super) fn load_known(
    settings: &KnownSettings,
    spec: &NetworkSpec,
    bytes: Vec<u8>,
    probes: &WatchedProbes,
) -> Result<Network, Result<WeightsError, String>> {
    let job = GramJob {
        settings: settings.clone(),
        graph: None,
        weights: PathBuf::new(),
        inputs: PathBuf::new(),
        others: None,
        request: Request::of(Reduction::Trace),
        method: Method::Layerwise,
        device: DeviceChoice::Cpu,
    };
    let images = probes.shape.len() > 2 || spec.reads_images();
    let inputs = Inputs::of_array(probes.shape.clone(), probes.inputs.clone(), images);
    let inputs = inputs.map_err(|err| Err(format!("the probes do not fit: {err}")))?;
    load(&job, spec, &[bytes], inputs).map(|(network, ..)| network).map_err(|err| match err {
        GramError::Weights { source, .. } => Ok(source),
        GramError::Inputs { source, .. } => Err(format!("the probes do not fit: {source}")),
        other => Err(other.to_string()),
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, GramError> {
    read_regular(path).map_err(|source| GramError::Read { path: path.to_owned(), source })
}

/// Checks that every requested layer exists: the kernel of none would be all zeros without an error.
fn check_layers(request: &Request, tensors: &[(String, usize)]) -> Result<(), GramError> {
    let only = |name: &String| Request { only: Some(vec![name.clone()]), ..request.clone() };
    let absent = |name: &&String| !tensors.iter().any(|(tensor, _)| only(name).includes(tensor));
    let Some(name) = request.only.iter().flatten().find(absent) else { return Ok(()) };
    let known: BTreeSet<String> = tensors.iter().map(|(tensor, _)| layer_of(tensor)).collect();
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    Err(GramError::NoLayer { name: name.clone(), known })
}

/// Returns the first line of a panic's message.
fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it did not say why".to_owned()).lines().next().unwrap_or_default().to_owned()
}
