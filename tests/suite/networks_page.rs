//! The page on networks, `assets/networks/README.md`, against the code: what it names is there, what is there it names, and the
//! networks that it shows are networks.

use std::collections::BTreeMap;
use std::path::Path;

use kernelscope::spec::Activation;
use kernelscope::spec::text::{EvaluationInputs, FUNCTIONS, NETWORKS, builtin, describe};

const PAGE: &str = include_str!("../../assets/networks/README.md");
/// The page of the guide on networks of one's own.
const GUIDE: &str = include_str!("../../docs/guide/networks.md");

/// The blocks of code in Rhai that are whole networks: they begin with what the network is.
fn networks_in(page: &'static str) -> Vec<&'static str> {
    let blocks = page.split("```rhai\n").skip(1);
    let blocks = blocks.map(|block| block.split_once("```").expect("a block of code ends").0);
    blocks.filter(|block| block.starts_with("//!")).collect()
}

#[test]
fn it_names_every_function_and_every_network() {
    // Sections explain what the table lists.
    let (before, sections) = PAGE.split_once("## How to read the operations").expect("operations are explained");
    let table = before.split_once("## All functions").expect("there is a table of all functions").1;
    for function in FUNCTIONS {
        let call = format!("`{}(", function.name);
        assert!(table.contains(&call), "the table lacks {}", function.name);
        assert!(sections.contains(&call) || !function.computes(), "no section explains {}", function.name);
    }
    let networks = sections.split_once("## Networks that come with the program").expect("networks are listed").1;
    for network in NETWORKS {
        assert!(networks.contains(&format!("\n| `{}` | ", network.name)), "the page lacks {}", network.name);
    }
    for activation in Activation::ALL {
        assert!(sections.contains(&format!("`{}`", activation.name())), "no section has {}", activation.name());
    }
}

#[test]
fn networks_that_it_shows_are_networks() {
    let settings = BTreeMap::new();
    let shown = networks_in(PAGE);
    for text in shown.iter().chain(&networks_in(GUIDE)) {
        let asked =
            EvaluationInputs { image: [3, 32, 32], classes: 10, activation: Activation::Relu, settings: &settings };
        describe(text, &asked).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    }
    // The example of a file is the file.
    let example = builtin("layer_scale").expect("the example is there").text;
    assert!(shown.len() > 2 && shown.contains(&example), "layer_scale.rhai is another");
    // Every network that comes with the program has a line in the other page, too.
    for network in NETWORKS {
        assert!(GUIDE.contains(&format!("`{}`", network.name)), "docs/guide/networks.md lacks {}", network.name);
    }
}

#[test]
fn files_that_it_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for name in PAGE.split('`').skip(1).step_by(2) {
        let is_file = name.contains('/') && [".rs", ".py"].iter().any(|ending| name.ends_with(ending));
        if is_file {
            found += 1;
            assert!(root.join(name).exists() || root.join("src").join(name).exists(), "there is no {name}");
        }
    }
    assert!(found > 40, "{found} files are named");
}
