//! Chooses data for a network whose text fits samples of one shape only, such as a module that was exported from PyTorch.

use std::path::PathBuf;

use super::{Cost, DataShape, Loss, NetworkSpec, Source, Spec};

/// Folders that hold a data set whose files are not embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFolders {
    pub cifar10: Option<PathBuf>,
    pub cifar100: Option<PathBuf>,
}

/// Floating-point operations of the first snapshot that nobody minds to wait for: a few seconds.
const PATIENCE: f64 = 2e11;

impl Spec {
    /// Returns this run with another network and data that fit it: its own where they do, else the first of those that are
    /// embedded, drawn from a formula, or in these folders; `None` where none fit. Where the data are others, there are fewer
    /// probes if the first kernel would take long.
    pub fn fitted_to(&self, network: &NetworkSpec, folders: &DataFolders) -> Option<Self> {
        let own = Self { network: network.clone(), changes: Vec::new(), study: None, ..self.clone() };
        let fits = |spec: &Self| {
            let shape = DataShape::expected(spec);
            let samples = network.exported_for().is_none_or(|sample| is_sample(sample, shape.image));
            samples && network.program(shape.image, shape.outputs).is_ok()
        };
        if fits(&own) && (!own.data.source.needs_folder() || own.data.path.is_some()) {
            return Some(own);
        }
        let mut found = candidates(network, folders).into_iter().find(fits)?;
        (found.seed, found.window) = (self.seed, self.window.clone());
        let is_long = |spec: &Self| Cost::of(spec, &DataShape::expected(spec)).first_flop > PATIENCE;
        while found.data.source.plane().is_none() && found.kernel.probes_per_class > 2 && is_long(&found) {
            found.kernel.probes_per_class /= 2;
        }
        Some(found)
    }
}

impl NetworkSpec {
    /// Says in words which data fit a module that was exported for samples of one shape; empty for any other network.
    pub(super) fn fitting_words(&self) -> String {
        let Some(sample) = self.exported_for() else { return String::new() };
        let anywhere = DataFolders { cifar10: Some(PathBuf::new()), cifar100: Some(PathBuf::new()) };
        let mut fitting = Vec::new();
        for spec in candidates(self, &anywhere) {
            let shape = DataShape::expected(&spec);
            if is_sample(sample, shape.image) && self.program(shape.image, shape.outputs).is_ok() {
                let data = &spec.data;
                let mut words = format!("data.source = \"{}\"", data.source.key());
                if data.shrink > 1 {
                    words += &format!(" with data.shrink = {}", data.shrink);
                }
                if data.binary {
                    words += " with data.binary";
                }
                if data.source == Source::SpherePolynomial {
                    words += &format!(" with data.dimension = {}", data.dimension);
                }
                if !fitting.contains(&words) {
                    fitting.push(words);
                }
            }
        }
        match fitting.as_slice() {
            [] => "no data set here fits the module, whose kernel on any inputs is that of kernelscope gram --graph"
                .to_owned(),
            some => format!("it fits {}", some.join(", or ")),
        }
    }
}

/// Returns whether samples of this shape are those of a module: of its shape or, if it reads a list of numbers, as many.
fn is_sample(sample: [usize; 3], image: [usize; 3]) -> bool {
    let [channels, height, numbers] = sample;
    sample == image || ((channels, height) == (1, 1) && image.iter().product::<usize>() == numbers)
}

/// Lists runs of this network on the data there are, the usual ones first; the images of whole data sets where they are in these
/// folders.
fn candidates(network: &NetworkSpec, folders: &DataFolders) -> Vec<Spec> {
    let mut found = Vec::new();
    let of = |source| {
        let mut spec = Spec { network: network.clone(), ..Spec::default() };
        spec.data.source = source;
        spec
    };
    let sets = [(Source::Cifar10, &folders.cifar10), (Source::Cifar100, &folders.cifar100)];
    let sets = sets.into_iter().filter_map(|(source, folder)| Some((source, Some(folder.clone()?))));
    for (source, folder) in std::iter::once((Source::FashionMnistSmall, None)).chain(sets) {
        let mut whole = of(source);
        whole.data.path = folder;
        let side = DataShape::expected(&whole).image[1];
        for shrink in [1, 2, 4, 7, 8, 14].into_iter().filter(|shrink| side.is_multiple_of(*shrink)) {
            whole.data.shrink = shrink;
            found.push(whole.clone());
            let mut halves = whole.clone();
            halves.data.binary = true;
            halves.tasks.classes = vec![(0..DataShape::expected(&halves).classes).collect()];
            halves.training.loss = Loss::Mse;
            found.push(halves);
        }
    }
    for source in [Source::Circle, Source::Disk, Source::SpherePolynomial, Source::Fourier] {
        let mut spec = of(source);
        spec.tasks.classes = vec![vec![0, 1]];
        spec.tasks.epochs = vec![100.0];
        spec.training.loss = Loss::Mse;
        (spec.kernel.per_epoch, spec.kernel.lag, spec.kernel.probes_per_class) = (1, 1.0, 32);
        if let (Source::SpherePolynomial, Some([.., numbers])) = (source, network.exported_for()) {
            spec.data.dimension = numbers;
        }
        found.push(spec);
    }
    found
}
