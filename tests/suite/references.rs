//! Networks that were written twice, as text and in PyTorch: `tests/fixtures/networks`, made by `make.py` there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernelscope::spec::Activation;
use kernelscope::spec::ops::Role;
use kernelscope::spec::text::{Asked, Described, Setting, builtin, describe};
use serde::Deserialize;

/// A network of the index.
#[derive(Deserialize)]
struct Reference {
    name: String,
    /// The file of its text; of one of the library, none.
    program: Option<String>,
    library: Option<String>,
    settings: BTreeMap<String, Setting>,
    activation: Activation,
    image: [usize; 3],
    classes: usize,
    weights: String,
    /// The parameters, in the order of `parts`.
    tensors: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/networks")
}

fn references() -> Vec<Reference> {
    serde_json::from_slice(&fs::read(folder().join("index.json")).unwrap()).unwrap()
}

impl Reference {
    fn text(&self) -> String {
        match (&self.program, &self.library) {
            (Some(file), None) => fs::read_to_string(folder().join(file)).unwrap(),
            (None, Some(name)) => builtin(name).unwrap_or_else(|| panic!("the library has no {name}")).text.to_owned(),
            _ => panic!("{} is of a file or of the library", self.name),
        }
    }

    fn described(&self) -> Arc<Described> {
        let (image, classes, activation) = (self.image, self.classes, self.activation);
        let asked = Asked { image, classes, activation, settings: &self.settings };
        describe(&self.text(), &asked).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// Both know the same tensors by the same names with the same shapes, so that weights load.
#[test]
fn texts_have_the_tensors_of_pytorch() {
    for reference in references() {
        let described = reference.described();
        let program = &described.program;
        let bytes = fs::read(folder().join(&reference.weights)).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let theirs: BTreeMap<String, Vec<usize>> =
            file.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape().to_vec())).collect();
        let ours: BTreeMap<String, Vec<usize>> =
            program.tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
        assert_eq!(ours, theirs, "{}", reference.name);
        let mut parameters: Vec<&str> = reference.tensors.iter().map(String::as_str).collect();
        let moved = program.tensors.iter().filter(|tensor| tensor.role != Role::Buffer);
        let mut named: Vec<&str> = moved.map(|tensor| tensor.name.as_str()).collect();
        parameters.sort_unstable();
        named.sort_unstable();
        assert_eq!(parameters, named, "{}", reference.name);
    }
}
