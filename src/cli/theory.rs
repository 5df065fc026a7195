//! `kernelscope theory`: computes the infinite-width kernels of a network and the predictions of training with them, and
//! writes an archive that NumPy opens.
//!
//! Guarantees: every error in settings or inputs is one sentence, before any computation; condition and jitter are reported
//! on standard error and stored in the archive. Standard output carries only the line of JSON of `--repeat`.

use std::path::{Path, PathBuf};

use super::refused::RefusedRequest;
use super::repeat::Repeat;
use super::settings::{Settings, refuse};
use super::signals::UntilWritten;
use crate::math::Gram;
use crate::math::regression::RegressionError;
use crate::math::timing::time;
use crate::spec::{Loss, Parametrisation, Spec, memory_available, preset};
use crate::storage::{Arrays, Layout, Output, check_place, write_arrays};
use crate::theory::posterior::{self, Blocks};
use crate::theory::{
    InfiniteNetwork, KernelGradientDescent, Kernels, LimitKernelError, PreparedInputs, TrainingLength, TrainingProblem,
    cross_entropy_flow,
};

/// Arguments of `theory`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --config and --preset: an mlp in the NTK parametrisation, trained on the squared error.\n\
    X.npz holds x_train ([n, d], [n, h, w] or [n, c, h, w]) and any of x_test, y_train ([n, C]), f0_train, f0_test, t ([T]).\n\
    Time runs at rate 1: df/dt = -NTK (f - y)/(N C), or -NTK (p - y)/N with training.loss=cross-entropy."
)]
pub struct TheoryArgs {
    #[command(flatten)]
    pub settings: Settings,
    /// The inputs; a plain .npy file is x_train
    #[arg(long, value_name = "X.npz")]
    pub inputs: PathBuf,
    /// With y_train and x_test, also where training ends (t = ∞): mean and covariance, with so many times the mean of the
    /// kernel's diagonal added to it
    #[arg(long, value_name = "R")]
    pub ridge: Option<f64>,
    #[command(flatten)]
    pub repeat: Repeat,
    /// The archive for the kernels and predictions
    #[arg(long, value_name = "K.npz", required_unless_present = "repeat")]
    pub out: Option<PathBuf>,
    /// Overwrite an existing archive
    #[arg(long)]
    pub overwrite: bool,
}

/// Holds the contents of the archive of inputs.
struct Inputs {
    /// Channels, height, width.
    image: [usize; 3],
    train: Vec<f64>,
    test: Vec<f64>,
    problem: Option<Targets>,
    /// A description of how the inputs were interpreted and read.
    description: String,
}

/// Targets of the training images and outputs f₀, [n, C] each; f₀ of the other images.
struct Targets {
    targets: Vec<f64>,
    classes: usize,
    start: Vec<f64>,
    start_test: Vec<f64>,
    times: Vec<f64>,
}

/// Number of logits assumed without targets; only a text that computes with it depends on it.
const LOGITS: usize = 10;

/// An array of the result.
type Named = (String, Vec<usize>, Vec<f64>);

pub(super) fn theory(args: &TheoryArgs) -> anyhow::Result<()> {
    if let Some(out) = &args.out {
        check_place(out, Output::Kernels, args.overwrite).map_err(|err| RefusedRequest(err.to_string()))?;
    }
    if let Some(ridge) = args.ridge.filter(|ridge| !(ridge.is_finite() && *ridge >= 0.0)) {
        return Err(RefusedRequest(format!("--ridge must be a number from 0 on, not {ridge}")).into());
    }
    args.repeat.start_threads()?;
    let signals = UntilWritten::listen();
    let spec = args.settings.read(default, preset)?;
    let given = read(&args.inputs, &spec)?;
    if args.ridge.is_some() && (given.problem.is_none() || given.test.is_empty()) {
        let missing = if given.test.is_empty() { "x_test" } else { "y_train" };
        let message = format!("--ridge asks for a prediction, for which {} has no {missing}", args.inputs.display());
        return Err(RefusedRequest(message).into());
    }
    let classes = given.problem.as_ref().map_or(LOGITS, |problem| problem.classes);
    refuse(spec.network.check(given.image, classes))?;
    let limit =
        InfiniteNetwork::of(&spec.network, given.image, classes).map_err(|err| RefusedRequest(err.to_string()))?;
    let (timing, answer) = time(args.repeat.times(), || compute(&limit, &given, spec.training.loss, args.ridge));
    let (arrays, words) = answer?;
    eprintln!("{}", given.description);
    args.repeat.print(timing, None)?;
    signals.writing();
    if let Some(out) = &args.out {
        write_arrays(out, arrays.iter().map(|(name, shape, values)| (name.clone(), shape.clone(), &values[..])))?;
    }
    eprintln!("{words}");
    Ok(())
}

/// Returns the default spec.
fn default() -> Spec {
    let mut spec = Spec::default();
    spec.network.parametrisation = Parametrisation::Ntk;
    spec.training.loss = Loss::Mse;
    spec
}

/// Returns all results for these inputs, and a description of the computation.
fn compute(
    limit: &InfiniteNetwork,
    given: &Inputs,
    loss: Loss,
    ridge: Option<f64>,
) -> anyhow::Result<(Vec<Named>, String)> {
    let (train, test) = (limit.points(&given.train), limit.points(&given.test));
    let (n, m) = (train.len(), test.len());
    let on_the_way = limit.working(n, n).max(limit.working(m, n)).max(limit.working(m, m));
    let numbers = 2.0 * (n * n + n * m + m * m) as f64 + on_the_way;
    let free = memory_available();
    if 8.0 * numbers > free as f64 {
        let (needed, free) = (8.0 * numbers / 1e9, free as f64 / 1e9);
        let message = format!("the kernels need about {needed:.1} GB and {free:.1} GB are free: give fewer inputs");
        return Err(RefusedRequest(message).into());
    }
    let refused = |why: LimitKernelError| RefusedRequest(why.to_string());
    let own = |points: &PreparedInputs| limit.own(points, &|| false).map_err(refused);
    let square = own(&train)?;
    let others = match m {
        0 => None,
        _ => Some((limit.between(&test, &train, &|| false).map_err(refused)?, own(&test)?)),
    };
    let mut arrays: Vec<Named> = Vec::new();
    push_kernels(&mut arrays, "train_train", [n, n], &square);
    if let Some((across, among)) = &others {
        push_kernels(&mut arrays, "test_train", [m, n], across);
        push_kernels(&mut arrays, "test_test", [m, m], among);
    }
    let mut words = format!("NNGP and NTK of {n} and {m} inputs");
    let Some(problem) = &given.problem else {
        words += &format!(" for {LOGITS} logits (y_train would say how many)");
        return Ok((arrays, words));
    };
    let gram = Gram::symmetrised(n, square.ntk.clone())?.0;
    let descent = KernelGradientDescent::of(&gram).map_err(anyhow::Error::msg)?;
    let classes = problem.classes;
    words += &format!(
        "; NTK: λ_max {:.6e}, rank {} of {n}, condition {}, jitter {:.1e}; largest stable rate {} on the squared error",
        descent.eigenvalues().last().copied().unwrap_or(0.0),
        descent.rank,
        formatted(descent.condition()),
        descent.jitter,
        formatted(descent.largest_rate(classes, 0.0))
    );
    arrays.push(("ntk_eigenvalues".to_owned(), vec![n], descent.eigenvalues().to_vec()));
    arrays.push(("ntk_jitter".to_owned(), vec![1], vec![descent.jitter]));
    arrays.push(("ntk_rank".to_owned(), vec![1], vec![descent.rank as f64]));
    let across = others.as_ref().map(|(across, _)| across.ntk.as_slice());
    if !problem.times.is_empty() {
        let (on_train, on_test) = match loss {
            Loss::Mse => closed(&descent, problem, across),
            Loss::CrossEntropy => integrated(&gram, problem, across)?,
        };
        let steps = problem.times.len();
        arrays.push(("f_train".to_owned(), vec![steps, n, classes], on_train));
        if m > 0 {
            arrays.push(("f_test".to_owned(), vec![steps, m, classes], on_test));
        }
    }
    if let (Some(ridge), Some((across, among))) = (ridge, &others) {
        let blocks = Blocks { train: &square, across, test: among };
        let mean = |values: &[f64]| (0..n).map(|at| values[at * n + at]).sum::<f64>() / n as f64;
        let refused = |why: RegressionError| RefusedRequest(why.to_string());
        let nngp = posterior::nngp(blocks, &problem.targets, ridge * mean(&square.nngp)).map_err(refused)?;
        let ntk = posterior::ntk(blocks, &problem.targets, ridge * mean(&square.ntk)).map_err(refused)?;
        for (name, found) in [("nngp", nngp), ("ntk", ntk)] {
            words += &format!(
                "; {name} at t = ∞: rank {} of {n}, condition {}, jitter {:.1e}",
                found.rank,
                formatted(found.condition),
                found.jitter
            );
            if name == "nngp" {
                arrays.push(("nngp_rank".to_owned(), vec![1], vec![found.rank as f64]));
            }
            arrays.push((format!("gp_inference_{name}__mean_test"), vec![m, classes], found.mean));
            arrays.push((format!("gp_inference_{name}__cov_test"), vec![m, m], found.covariance));
        }
    }
    // Eigenvalues, predictions and covariances of finite kernels may still overflow.
    match arrays.iter().find(|(_, _, values)| values.iter().any(|value| !value.is_finite())) {
        Some((name, _, _)) => Err(RefusedRequest(format!(
            "{name} would hold values that are larger than any number: scale the inputs or targets down"
        ))
        .into()),
        None => Ok((arrays, words)),
    }
}

/// Formats a number for users; some are undefined for a kernel that is 0.
fn formatted(value: f64) -> String {
    if value.is_finite() { format!("{value:.4e}") } else { "none".to_owned() }
}

fn push_kernels(arrays: &mut Vec<Named>, of: &str, shape: [usize; 2], kernels: &Kernels) {
    arrays.push((format!("nngp_{of}"), shape.to_vec(), kernels.nngp.clone()));
    arrays.push((format!("ntk_{of}"), shape.to_vec(), kernels.ntk.clone()));
}

/// Returns f on the training and the other images.
fn closed(descent: &KernelGradientDescent, given: &Targets, across: Option<&[f64]>) -> (Vec<f64>, Vec<f64>) {
    let problem = TrainingProblem { start: &given.start, targets: &given.targets };
    let lengths: Vec<TrainingLength> = given.times.iter().map(|&time| TrainingLength::Flow(time)).collect();
    let test = across.map(|across| descent.test(problem, across, &given.start_test, &lengths));
    (descent.train(problem, &lengths), test.unwrap_or_default())
}

fn integrated(gram: &Gram, given: &Targets, across: Option<&[f64]>) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let problem = TrainingProblem { start: &given.start, targets: &given.targets };
    if !given.times.is_sorted() {
        return Err(RefusedRequest("t must ascend with training.loss=cross-entropy".to_owned()).into());
    }
    let flow = cross_entropy_flow(gram, problem, &given.times, &|| false).expect("nobody cancels");
    let test = across.map(|across| flow.outputs(across, &given.start_test));
    Ok((flow.outputs(gram.values(), &given.start), test.unwrap_or_default()))
}

/// Reads X.npz for this network; a plain array is x_train.
fn read(path: &Path, spec: &Spec) -> Result<Inputs, RefusedRequest> {
    let bad = |why: String| RefusedRequest(format!("{}: {why}", path.display()));
    let arrays = Arrays::open(path).map_err(bad)?;
    let mut arrays = arrays.with_single_name("x_train");
    let shape = |arrays: &mut Arrays, name: &str| arrays.shape(name).map_err(|why| bad(format!("{name}: {why}")));
    let Some(inputs) = shape(&mut arrays, "x_train")? else {
        return Err(bad("there is no array x_train: the inputs must have that name".to_owned()));
    };
    let reads_images = spec.network.reads_images();
    let Layout { count: n, image, description } =
        Layout::of(&inputs, reads_images).map_err(|err| bad(format!("x_train: {err}")))?;
    let m = match shape(&mut arrays, "x_test")? {
        Some(other) if other.get(1..) == inputs.get(1..) && other[0] > 0 => other[0],
        Some(other) => {
            let sizes: Vec<String> = inputs[1..].iter().map(usize::to_string).collect();
            let expected = [&["m".to_owned()], &sizes[..]].concat().join(", ");
            return Err(bad(format!(
                "x_test has shape {other:?} where [{expected}] was expected, as x_train has {inputs:?}"
            )));
        }
        None => 0,
    };
    // Before anything is read: a small file may unpack to very large inputs.
    check_memory(n, m, image.iter().product())?;
    let mut floats = |name: &str| {
        let found = arrays.floats(name).map_err(|why| bad(format!("{name}: {why}")))?;
        match found {
            Some((_, values)) if values.iter().any(|value| !value.is_finite()) => {
                Err(bad(format!("{name} holds a value that is not a number: leave it out or mend it")))
            }
            found => Ok(found),
        }
    };
    let mut inputs = |name: &str| Ok::<_, RefusedRequest>(floats(name)?.map_or_else(Vec::new, |(_, values)| values));
    let (train, test) = (inputs("x_train")?, inputs("x_test")?);
    let problem = match floats("y_train")? {
        None => None,
        Some((shape, targets)) => {
            let classes = match shape[..] {
                [rows, classes] if rows == n && classes > 0 => classes,
                [rows] if rows == n => 1,
                _ => return Err(bad(format!("y_train has shape {shape:?} where [{n}, C] was expected"))),
            };
            let mut start = |name: &str, rows: usize| match floats(name)? {
                Some((shape, values)) if shape == [rows, classes] || (shape == [rows] && classes == 1) => Ok(values),
                Some((shape, _)) => {
                    Err(bad(format!("{name} has shape {shape:?} where [{rows}, {classes}] was expected")))
                }
                None => Ok(vec![0.0; rows * classes]),
            };
            let (start, start_test) = (start("f0_train", n)?, start("f0_test", m)?);
            let times = match floats("t")? {
                Some((shape, values)) if shape.len() <= 1 => values,
                Some((shape, _)) => return Err(bad(format!("t has shape {shape:?} where [T] was expected"))),
                None => Vec::new(),
            };
            if times.iter().any(|time| *time < 0.0) {
                return Err(bad("t holds a time before 0".to_owned()));
            }
            let is_probability =
                |row: &[f64]| row.iter().all(|value| *value >= 0.0) && (row.iter().sum::<f64>() - 1.0).abs() <= 1e-6;
            if !spec.training.loss.is_squared() && !targets.chunks_exact(classes).all(is_probability) {
                return Err(bad(
                    "with training.loss=cross-entropy each row of y_train must be probabilities".to_owned()
                ));
            }
            Some(Targets { targets, classes, start, start_test, times })
        }
    };
    const KNOWN: [&str; 6] = ["x_train", "x_test", "y_train", "f0_train", "f0_test", "t"];
    let unused = arrays.other_names(&KNOWN).map(|names| format!("not used: {names}"));
    let description =
        [&[description], arrays.notes()].concat().into_iter().chain(unused).collect::<Vec<_>>().join("; ");
    Ok(Inputs { image, train, test, problem, description })
}

/// Checks that the kernels of these inputs, and the inputs themselves, fit into memory.
fn check_memory(n: usize, m: usize, values: usize) -> Result<(), RefusedRequest> {
    let (rows, columns) = (n as f64, m as f64);
    let needed = 16.0 * (rows * rows + rows * columns + columns * columns) + 16.0 * (rows + columns) * values as f64;
    let free = memory_available() as f64;
    if needed > free {
        let (needed, free) = (needed / 1e9, free / 1e9);
        return Err(RefusedRequest(format!(
            "the kernels need about {needed:.1} GB and {free:.1} GB are free: give fewer inputs"
        )));
    }
    Ok(())
}
