//! What reads files, each as the program calls it, and the right files from which wrong ones are made.

use crate::suite::sized;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Parser as _;
use kernelscope::chart::Format;
use kernelscope::cli::{Cli, execute};
use kernelscope::data::load as load_data;
use kernelscope::model::Network;
use kernelscope::paint::{write_all, write_study};
use kernelscope::spec::{DataSpec, Lesson, NetworkSpec, Source, Spec};
use kernelscope::storage::{
    LoadError, Loaded, StudyFolder, load, load_beside, load_kernels, load_lazily, load_rows, write_arrays,
};
use kernelscope::ui::app::persisted_state::PersistedState;
use safetensors::tensor::{Dtype, TensorView, serialize};

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// `gram --weights`.
    Weights,
    /// `gram --inputs`, `.npy` and `.safetensors`.
    Arrays,
    /// `theory --inputs`.
    Archive,
    /// Kernels from elsewhere.
    Kernels,
    Idx,
    Cifar,
    /// Run files, study files, lessons and what the window keeps.
    RunFile,
    RunFolder,
    /// The figures of what was read of a run folder.
    Figures,
    StudyFolder,
    /// The folder of a study of learners.
    Learners,
}

impl Reader {
    pub const ALL: [Self; 11] = [
        Self::Weights,
        Self::Arrays,
        Self::Archive,
        Self::Kernels,
        Self::Idx,
        Self::Cifar,
        Self::RunFile,
        Self::RunFolder,
        Self::Figures,
        Self::StudyFolder,
        Self::Learners,
    ];

    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reader| reader.name() == name)
    }

    /// Writes right files below `place`, which [`Self::read`] then reads, and says where those are that are to be changed.
    pub fn prepare(self, place: &Path) -> Vec<PathBuf> {
        let at = |name: &str| place.join(name);
        match self {
            Self::Weights | Self::Arrays => networks(place),
            Self::Archive => {
                let values: Vec<f64> = (0..600).map(|at| f64::from(at % 17) / 7.0).collect();
                let named = |name: &str, shape: &[usize]| {
                    (name.to_owned(), shape.to_vec(), &values[..shape.iter().product::<usize>()])
                };
                let arrays = [
                    named("x_train", &[20, 16]),
                    named("x_test", &[6, 16]),
                    named("y_train", &[20, 3]),
                    named("f0_train", &[20, 3]),
                    named("f0_test", &[6, 3]),
                    named("t", &[4]),
                ];
                write_arrays(&at("x.npz"), arrays).unwrap();
            }
            Self::Kernels => {
                let (count, n) = (6, 12);
                let gram: Vec<f64> = (0..count * n * n)
                    .map(|at| {
                        let (time, row, column) = (at / (n * n), at / n % n, at % n);
                        let near = 1.0 / (1.0 + (row as f64 - column as f64).abs());
                        near * (1.0 + 0.1 * time as f64) + if row / 6 == column / 6 { 0.3 } else { 0.0 }
                    })
                    .collect();
                let counted =
                    |count: usize, of: fn(usize) -> usize| (0..count).map(|at| of(at) as f64).collect::<Vec<_>>();
                let (step, task) = (counted(count, |at| 10 * at), counted(count, |at| 1 + at / 3));
                let (labels, probes) = (counted(n, |at| at / 3), counted(n, |at| 1 + at / 6));
                let arrays: [(&str, &[usize], &[f64]); 6] = [
                    ("gram", &[count, n, n], &gram),
                    ("step", &[count], &step),
                    ("task", &[count], &task),
                    ("labels", &[n], &labels),
                    ("probe_task", &[n], &probes),
                    ("lag", &[1], &[10.0]),
                ];
                let arrays = arrays.map(|(name, shape, values)| (name.to_owned(), shape.to_vec(), values));
                write_arrays(&at("kernels.npz"), arrays).unwrap();
            }
            Self::Idx => idx(place),
            Self::Cifar => cifar(place),
            Self::RunFile => {
                let study = kernelscope::spec::study("why").unwrap().spec();
                fs::write(at("study.toml"), study.to_toml()).unwrap();
                let mut run = Spec::default();
                run.set("changes=[{place=2, clamped=true}, {step=7, rate=0.1}]").unwrap();
                fs::write(at("run.toml"), run.to_toml()).unwrap();
                fs::write(at("short.toml"), "seed = 3\n[network]\nwidth = 64\n[tasks]\nepochs = [2, 1]\n").unwrap();
                let lesson = include_str!("../../../assets/lessons/wider-is-lazier.toml");
                fs::write(at("lesson.toml"), lesson).unwrap();
                let recent = vec![("a run".to_owned(), "/somewhere".to_owned())];
                let (scale, size) = (Some(1.5), Some([1280.0, 800.0]));
                let window = PersistedState { scale, size, settings: Some(run), recent, ..PersistedState::default() };
                let parts =
                    "{ share = 0.5, below = [{ share = 0.4, view = 'Scale' }, { share = 0.6, view = 'Accuracy' }] }";
                let layout = format!("beside = [{{ share = 0.5, view = 'Kernel' }}, {parts}]\n");
                let layout = format!("[layout]\nown = true\ngiven = []\n[layout.window]\nshare = 1.0\n{layout}");
                fs::write(at("window.toml"), window.write() + layout.as_str()).unwrap();
            }
            Self::RunFolder | Self::Figures => {
                let wishes = "--set kernel.predict=true --set kernel.optimiser=true --set tasks.epochs=[2,1]";
                command(&format!("run --device cpu {SMALL} {wishes} --out {}", place.display())).unwrap();
            }
            Self::StudyFolder => {
                let axis = "--preset width --set study.values=[16,17] --set study.seeds=[1]";
                command(&format!("study --jobs 1 {axis} {SMALL} --set tasks.epochs=[1,1] --out {}", place.display()))
                    .unwrap();
            }
            Self::Learners => {
                let axis = "--preset he3 --set network.width=16 --set study.samples=[16,32] --set study.seeds=[1]";
                command(&format!("study --jobs 1 {axis} --set tasks.epochs=[5] --out {}", place.display())).unwrap();
            }
        }
        let mut found = files(place);
        // Where a command has both, only those are changed whose reader it is.
        found.retain(|path| match self {
            Self::Weights => path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("weights")),
            Self::Arrays => path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("inputs")),
            _ => !path.components().any(|part| part.as_os_str() == "figures"),
        });
        found
    }

    /// Reads all of it, of which `changed` is another than it was; gives what was said, refusals and warnings.
    pub fn read(self, place: &Path, changed: Option<&Path>) -> Vec<String> {
        let told = |result: anyhow::Result<()>| result.err().map(|err| format!("{err:#}")).into_iter().collect();
        let out = place.join("out.npz");
        match self {
            Self::Weights | Self::Arrays => {
                let name =
                    changed.map_or_else(|| "mlp".to_owned(), |path| stem(path).split('-').nth(1).unwrap().to_owned());
                let kind = KINDS.iter().find(|(kind, ..)| *kind == name).unwrap();
                let inputs = match changed.filter(|_| self == Self::Arrays) {
                    Some(path) => path.to_owned(),
                    None => place.join(format!("inputs-{name}.npy")),
                };
                told(command(&format!(
                    "gram --device cpu --arch {} --weights {} --inputs {} --out {} --overwrite",
                    kind.1,
                    place.join(format!("weights-{name}.safetensors")).display(),
                    inputs.display(),
                    out.display()
                )))
            }
            Self::Archive => told(command(&format!(
                "theory --inputs {} --ridge 0.001 --out {} --overwrite",
                place.join("x.npz").display(),
                out.display()
            ))),
            Self::Kernels => {
                said(load_kernels(&place.join("kernels.npz"), &mut |_, _| true).map_err(|err| err.to_string()))
            }
            Self::Idx | Self::Cifar => {
                let sources: &[Source] =
                    if self == Self::Idx { &[Source::Idx] } else { &[Source::Cifar10, Source::Cifar100] };
                let spec =
                    |source: &Source| DataSpec { source: *source, path: Some(place.to_owned()), ..DataSpec::default() };
                sources.iter().filter_map(|source| load_data(&spec(source)).err()).map(|err| err.to_string()).collect()
            }
            Self::RunFile => {
                let read = |path: &PathBuf| {
                    let text = fs::read(path).unwrap();
                    let Ok(text) = String::from_utf8(text) else { return Vec::new() };
                    if stem(path) == "lesson" {
                        return Lesson::read("lesson", &text).err().map(|err| err.to_string()).into_iter().collect();
                    }
                    if stem(path) == "window" {
                        return PersistedState::read(&text).1;
                    }
                    match Spec::from_toml(&text) {
                        Err(err) => vec![err.to_string()],
                        Ok(spec) => of_spec(&spec),
                    }
                };
                let mut found = changed.map_or_else(|| files(place), |path| vec![path.to_owned()]);
                found.retain(|path| path.exists());
                found.iter().flat_map(read).collect()
            }
            Self::RunFolder => {
                let mut words = of_folder(load(place));
                words.extend(of_folder(load_rows(place)));
                let lazily = load_lazily(place).map(|(loaded, grams)| {
                    if let Some(grams) = grams {
                        let steps: Vec<u64> = grams.times().iter().map(|(step, _)| *step).collect();
                        words.extend(steps.into_iter().filter_map(|step| grams.read(step).err()));
                    }
                    loaded
                });
                words.extend(of_folder(lazily));
                words.extend(of_folder(load_beside(place).map(|(loaded, _)| loaded)));
                words
            }
            Self::Figures => match load(place) {
                Err(err) => vec![err.to_string()],
                Ok(loaded) => {
                    let drawn = write_all(&loaded.history, &place.join("figures"), Format::Svg);
                    loaded.warnings.into_iter().chain(drawn.err().map(|err| err.to_string())).collect()
                }
            },
            Self::StudyFolder | Self::Learners => match StudyFolder::open(place) {
                Err(err) => vec![err.to_string()],
                Ok(study) => {
                    let _ = study.table();
                    let drawn = write_study(&study, &place.join("figures"), Format::Svg);
                    drawn.err().map(|err| err.to_string()).into_iter().collect()
                }
            },
        }
    }
}

const SMALL: &str = "--set network.width=16 --set data.per_class=40 --set data.test_per_class=10 --set training.batch=16 \
    --set kernel.probes_per_class=2 --set kernel.per_epoch=4";

/// Kinds of network, their names for `--arch`, and the shape of an input.
const KINDS: [(&str, &str, &[usize]); 5] = [
    ("mlp", "mlp_relu", &[2, 8, 8]),
    ("cnn", "cnn_maxpool", &[2, 8, 8]),
    ("resmlp", "resmlp_preln", &[2, 8, 8]),
    ("rnn", "rnn_tanh", &[2, 8, 8]),
    ("transformer", "transformer_preln", &[2, 8, 8]),
];

fn command(words: &str) -> anyhow::Result<()> {
    let words = std::iter::once("kernelscope").chain(words.split_whitespace());
    execute(&Cli::try_parse_from(words)?.command.unwrap())
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn said(read: Result<Loaded, String>) -> Vec<String> {
    read.map_or_else(|err| vec![err], |loaded| loaded.warnings)
}

fn of_folder(read: Result<Loaded, LoadError>) -> Vec<String> {
    said(read.map_err(|err| err.to_string()))
}

/// What a spec that was read is asked before anything is made of it.
fn of_spec(spec: &Spec) -> Vec<String> {
    let problems = spec.study_problems().into_iter();
    let mut words: Vec<String> = problems.map(|problem| problem.message).collect();
    match spec.runs() {
        Err(err) => words.push(err.to_string()),
        Ok(_) => {
            let again = Spec::from_toml(&spec.to_toml()).expect("what was written is read");
            assert_eq!(again.to_toml(), spec.to_toml());
        }
    }
    words
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

fn networks(place: &Path) {
    for (name, _, image) in KINDS {
        let kind = ["mlp", "cnn", "resmlp", "rnn", "transformer"]
            [KINDS.iter().position(|(other, ..)| *other == name).unwrap()];
        let sizes = sized(kind, &[("depth", 2), ("blocks", 2), ("heads", 2), ("patch", 4)]);
        let spec = NetworkSpec { activation: NetworkSpec::of(kind).activation, width: 8.into(), ..sizes };
        let named = Network::new(&spec, 7, [image[0], image[1], image[2]], 4, &Device::flex()).named();
        let named = named.into_iter().map(|tensor| (tensor.name, tensor.shape, tensor.values));
        fs::write(place.join(format!("weights-{name}.safetensors")), safetensors(named)).unwrap();
        let values: Vec<f32> = (0..6 * 128).map(|at| (at % 13) as f32 / 6.0 - 1.0).collect();
        let array = [npy(&[6, 2, 8, 8]), values.iter().flat_map(|value| value.to_le_bytes()).collect()].concat();
        fs::write(place.join(format!("inputs-{name}.npy")), array).unwrap();
        let tensor = [("x".to_owned(), vec![6, 2, 8, 8], values)];
        fs::write(place.join(format!("inputs-{name}.safetensors")), safetensors(tensor)).unwrap();
    }
}

fn safetensors(tensors: impl IntoIterator<Item = (String, Vec<usize>, Vec<f32>)>) -> Vec<u8> {
    let bytes = |values: Vec<f32>| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let tensors: Vec<_> = tensors.into_iter().map(|(name, shape, values)| (name, shape, bytes(values))).collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

/// The header of a `.npy` file of 32-bit floats.
fn npy(shape: &[usize]) -> Vec<u8> {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", sizes.join(", "));
    while !(10 + head.len() + 1).is_multiple_of(64) {
        head.push(' ');
    }
    head.push('\n');
    [b"\x93NUMPY\x01\x00", &(head.len() as u16).to_le_bytes()[..], head.as_bytes()].concat()
}

fn idx(place: &Path) {
    let numbers = |all: &[u32]| all.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
    for (name, count) in [("train", 60u32), ("t10k", 30)] {
        let pixels: Vec<u8> = (0..count * 49).map(|at| (at * 31 % 251) as u8).collect();
        let labels: Vec<u8> = (0..count).map(|at| (at % 10) as u8).collect();
        let images = [numbers(&[2051, count, 7, 7]), pixels].concat();
        let labels = [numbers(&[2049, count]), labels].concat();
        fs::write(place.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
        if name == "train" {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &images).unwrap();
            fs::write(place.join(format!("{name}-images-idx3-ubyte.gz")), encoder.finish().unwrap()).unwrap();
        } else {
            fs::write(place.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        }
    }
}

fn cifar(place: &Path) {
    let records = |labels: &[u8], count: u8| {
        let record = |at: u8| [labels.iter().map(|most| at % most).collect(), vec![at.wrapping_mul(37); 3072]].concat();
        (0..count).flat_map(record).collect::<Vec<u8>>()
    };
    for batch in 1..=5 {
        fs::write(place.join(format!("data_batch_{batch}.bin")), records(&[10], 10)).unwrap();
    }
    fs::write(place.join("test_batch.bin"), records(&[10], 10)).unwrap();
    fs::write(place.join("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n").unwrap();
    fs::write(place.join("train.bin"), records(&[20, 100], 100)).unwrap();
    fs::write(place.join("test.bin"), records(&[20, 100], 100)).unwrap();
}
