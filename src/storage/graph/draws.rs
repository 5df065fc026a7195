//! Writes into the text of a module how its tensors begin in PyTorch, where that is not how their operations do.

use super::module_graph::Graph;
use super::translate::{quoted, real};
use crate::spec::ops::Draw;

/// Returns the graph with the draws of its file in its text.
///
/// # Errors
/// As [`Graph::program`].
pub fn with_draws(mut graph: Graph) -> Result<Graph, String> {
    let program = graph.program()?;
    // Tensors of one law stand in one line.
    let mut laws: Vec<(String, Vec<String>)> = Vec::new();
    for (name, draw) in &graph.draws {
        let Some(tensor) = program.tensors.iter().find(|tensor| tensor.name == *name) else { continue };
        if is_close(draw, &tensor.usual_draw()) {
            continue;
        }
        let law = match draw {
            Draw::Uniform(bound) => format!("\"uniform\", {}", real(*bound)),
            Draw::Normal(deviation) => format!("\"normal\", {}", real(*deviation)),
            Draw::Constant(value) => format!("\"constant\", {}", real(*value)),
            Draw::Like(other) => format!("\"like\", {}", quoted(other)),
            Draw::Unknown(module) => format!("\"unknown\", {}", quoted(module)),
        };
        match laws.iter_mut().find(|(known, _)| *known == law) {
            Some((_, names)) => names.push(quoted(name)),
            None => laws.push((law, vec![quoted(name)])),
        }
    }
    let lines: String = laws.iter().map(|(law, names)| format!("draw([{}], {law});\n", names.join(", "))).collect();
    // Before the logits, so that all other lines keep their numbers.
    let last = graph.text.trim_end().rfind('\n').map_or(0, |end| end + 1);
    graph.text.insert_str(last, &lines);
    Ok(graph)
}

/// Returns whether two draws are one: Python and this program may compute a bound with another last digit.
fn is_close(one: &Draw, other: &Draw) -> bool {
    match (one, other) {
        (Draw::Uniform(one), Draw::Uniform(other))
        | (Draw::Normal(one), Draw::Normal(other))
        | (Draw::Constant(one), Draw::Constant(other)) => (one - other).abs() <= 1e-12 * one.abs().max(other.abs()),
        (Draw::Uniform(_) | Draw::Normal(_) | Draw::Constant(_) | Draw::Like(_) | Draw::Unknown(_), _) => false,
    }
}
