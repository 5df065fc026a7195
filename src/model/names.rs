//! Finds the tensors of a network under the names that other programs use, or under its own.
//!
//! Guarantees: every renaming is reported; where names and shapes allow two interpretations, or none, the file is refused,
//! because a plausible network other than the intended one is worse than none.

use std::collections::{BTreeMap, BTreeSet};

use super::family::Family;
use super::parameter_source::WeightsError;
use crate::run::{printable, printable_list};

/// The location of a tensor of the network: its name here, the tensor of the file that contains it, and, if it is one third
/// of that tensor's first axis (queries, keys, values), which third.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorLocation {
    pub ours: String,
    pub theirs: String,
    pub third: Option<usize>,
}

/// Names and shapes of a file's tensors.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// Places, and a description of the renamings.
pub type LocatedTensors = (Vec<TensorLocation>, Vec<String>);

/// Finds the tensors of a network of this kind among those of a file.
///
/// # Errors
/// Fails if the names allow two interpretations, or belong to a layer that no network here has. Unknown names are no error
/// here: the tensor is reported missing when it is read.
pub fn find(kind: Family, shapes: &Shapes) -> Result<LocatedTensors, WeightsError> {
    let has_buffer = |name: &&String| BATCH_NORM.iter().any(|buffer| name.ends_with(buffer));
    if let Some(name) = shapes.keys().find(has_buffer).or_else(|| shapes.keys().find(|name| is_batch_norm(name))) {
        return Err(WeightsError::BatchNorm(printable(name)));
    }
    let mut notes = Vec::new();
    let names: Vec<&str> = shapes.keys().map(String::as_str).collect();
    let prefix = prefix(kind, &names).to_owned();
    if !prefix.is_empty() {
        notes.push(format!("took “{}” off all names", printable(&prefix)));
    }
    let inner: Shapes = shapes.iter().map(|(name, shape)| (name[prefix.len()..].to_owned(), shape.clone())).collect();
    let renamed = match kind {
        Family::Mlp if !inner.keys().all(|name| is_listed(name, &["fc", "ln"])) => dense(&inner)?,
        Family::Cnn if !inner.keys().any(|name| is_first(kind, name)) => convolutional(&inner)?,
        Family::Rnn => recurrent(&inner)?,
        Family::Transformer => attention(&inner),
        _ => None,
    };
    let Some((mut places, said)) = renamed else {
        let place =
            |name: &String| TensorLocation { ours: name[prefix.len()..].to_owned(), theirs: name.clone(), third: None };
        return Ok((shapes.keys().map(place).collect(), notes));
    };
    notes.extend(said);
    places.iter_mut().for_each(|place| place.theirs.insert_str(0, &prefix));
    Ok((places, notes))
}

/// Finds the tensors of a network without a family: under their own names behind a common prefix, recognised by `is_ours`.
/// The batch counter of a BatchNorm is ignored.
pub fn find_own(shapes: &Shapes, is_ours: impl Fn(&str) -> bool) -> LocatedTensors {
    let counted: Vec<&String> = shapes.keys().filter(|name| !name.ends_with(COUNTED)).collect();
    let first = counted.first().map_or("", |name| name.as_str());
    let ends = std::iter::once(0).chain(first.match_indices('.').map(|(at, _)| at + 1));
    let known = |end: &usize| {
        let rest = |name: &&String| name.strip_prefix(&first[..*end]).is_some_and(&is_ours);
        counted.iter().copied().filter(|name| rest(name)).count()
    };
    let end = ends.max_by_key(|end| (known(end), std::cmp::Reverse(*end))).unwrap_or(0);
    let prefix = &first[..end];
    let mut notes = Vec::new();
    if !prefix.is_empty() {
        notes.push(format!("took “{}” off all names", printable(prefix)));
    }
    let place = |name: &&String| TensorLocation {
        ours: name.strip_prefix(prefix).unwrap_or(name).to_owned(),
        theirs: (*name).clone(),
        third: None,
    };
    (counted.iter().map(place).collect(), notes)
}

/// Suffix of the tensor with which a BatchNorm counts its batches.
const COUNTED: &str = ".num_batches_tracked";

/// Suffixes of buffers that only a BatchNorm has.
const BATCH_NORM: [&str; 3] = [".running_mean", ".running_var", ".num_batches_tracked"];

/// Returns whether a name contains a usual name of a BatchNorm, which may have been saved without its buffers.
fn is_batch_norm(name: &str) -> bool {
    name.to_lowercase().split('.').any(|part| {
        let numbered = part.strip_prefix("bn").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        numbered || part.contains("batchnorm") || part.contains("batch_norm")
    })
}

/// Returns whether this is a tensor of a numbered layer with one of these names.
fn is_listed(name: &str, layers: &[&str]) -> bool {
    let number = |rest: &str| rest.split_once('.').is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    layers.iter().any(|layer| name.strip_prefix(layer).is_some_and(number))
}

/// Returns whether this is the tensor that identifies the kind.
fn is_first(kind: Family, name: &str) -> bool {
    match kind {
        Family::Mlp => name == "fc1.weight",
        Family::Cnn => name == "conv1.weight",
        Family::ResMlp | Family::Transformer => name == "embed.weight",
        Family::Rnn => matches!(name, "rnn.weight_ih" | "rnn.weight_ih_l0"),
    }
}

/// Returns the common prefix of all names that has to be removed: the shortest one that leaves names of the network, or the
/// whole common prefix where the names are numbers (`nn.Sequential`) or otherwise unknown. A layer's own name always
/// remains.
fn prefix<'a>(kind: Family, names: &[&'a str]) -> &'a str {
    let Some(first) = names.first() else { return "" };
    let ends = first.match_indices('.').map(|(at, _)| at + 1);
    let shared = |end: &usize| names.iter().all(|name| name.starts_with(&first[..*end]));
    let shared: Vec<usize> = std::iter::once(0).chain(ends).take_while(shared).collect();
    let known = |end: &&usize| names.iter().any(|name| is_first(kind, &name[**end..]));
    if let Some(&end) = shared.iter().find(known) {
        return &first[..end];
    }
    // In unknown names a number is the index of a layer, and the layer's own name distinguishes it from others.
    let last = |end: &&usize| {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let taken = first[..**end].trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        !number(taken) && names.iter().all(|name| name[**end..].contains('.'))
    };
    &first[..shared.iter().rev().find(last).copied().unwrap_or(0)]
}

/// A layer with an unknown name.
#[derive(Clone, Debug)]
struct Layer<'a> {
    path: &'a str,
    /// Shape of its weight.
    shape: &'a [usize],
    has_bias: bool,
    /// The path without its numbers, and those numbers.
    stem: String,
    numbers: Vec<u64>,
}

/// Returns the layers of these tensors; `None` where a name is not a layer's weight or bias.
fn layers(shapes: &Shapes) -> Option<Vec<Layer<'_>>> {
    let mut found: Vec<Layer<'_>> = Vec::new();
    for (name, shape) in shapes {
        if let Some(path) = name.strip_suffix(".weight") {
            let (stem, numbers) = stem(path);
            let has_bias = shapes.contains_key(&format!("{path}.bias"));
            found.push(Layer { path, shape, has_bias, stem, numbers });
        } else {
            let path = name.strip_suffix(".bias")?;
            shapes.contains_key(&format!("{path}.weight")).then_some(())?;
        }
    }
    found.sort_by(|a, b| (&a.stem, &a.numbers).cmp(&(&b.stem, &b.numbers)));
    Some(found)
}

fn stem(path: &str) -> (String, Vec<u64>) {
    let (mut stem, mut numbers, mut digits) = (String::new(), Vec::new(), String::new());
    for letter in path.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if !digits.is_empty() {
            numbers.push(digits.parse().unwrap_or(u64::MAX));
            digits.clear();
            stem.push('#');
        }
        if letter != '\0' {
            stem.push(letter);
        }
    }
    (stem, numbers)
}

fn ambiguous(why: impl Into<String>, shapes: &Shapes) -> WeightsError {
    let there = printable_list(shapes.keys().map(String::as_str));
    WeightsError::Ambiguous { why: why.into(), there }
}

/// Returns the unique order of these layers in which each reads the output of the previous one and layers of one stem
/// follow their numbers; `None` where there is none.
fn chain<'a>(layers: &[Layer<'a>], shapes: &Shapes) -> Result<Option<Vec<Layer<'a>>>, WeightsError> {
    // One queue per stem; a step takes the head of one of them.
    fn search<'a, 'b>(
        queues: &mut Vec<&'b [Layer<'a>]>,
        order: &mut Vec<&'b Layer<'a>>,
        found: &mut Vec<Vec<&'b Layer<'a>>>,
    ) {
        if queues.iter().all(|queue| queue.is_empty()) {
            found.push(order.clone());
        }
        for at in 0..queues.len() {
            let queue = queues[at];
            let Some((next, rest)) = queue.split_first() else { continue };
            if found.len() > 1 || order.last().is_some_and(|last| Some(&last.shape[0]) != next.shape.get(1)) {
                continue;
            }
            queues[at] = rest;
            order.push(next);
            search(queues, order, found);
            order.pop();
            queues[at] = queue;
        }
    }
    let mut queues: Vec<&[Layer<'_>]> = layers.chunk_by(|a, b| a.stem == b.stem).collect();
    // One numbered list, and layers with separate names: the computation between two lists would be unknown.
    if layers.len() > MOST_LAYERS {
        return Ok(None);
    }
    if queues.iter().filter(|queue| queue.len() > 1).count() > 1 || queues.len() > MOST_STEMS {
        return Err(ambiguous("its layers are in more than one numbered list", shapes));
    }
    let (mut order, mut found) = (Vec::new(), Vec::new());
    search(&mut queues, &mut order, &mut found);
    if found.len() > 1 {
        return Err(ambiguous("its layers fit each other in more than one order", shapes));
    }
    let order = found.pop();
    if let Some(list) = queues_longest(layers) {
        check_gaps(list, shapes)?;
    }
    Ok(order.filter(|order| !order.is_empty()).map(|order| order.into_iter().cloned().collect()))
}

/// Largest number of layers that are ordered; networks here have up to seven.
const MOST_LAYERS: usize = 256;
/// Largest number of layers with separate names beside a numbered list.
const MOST_STEMS: usize = 4;

fn queues_longest<'b, 'a>(layers: &'b [Layer<'a>]) -> Option<&'b [Layer<'a>]> {
    layers.chunk_by(|a, b| a.stem == b.stem).max_by_key(|queue| queue.len())
}

/// Fails where the gaps between layers of a numbered list differ. If the numbers are consecutive everywhere
/// (`nn.ModuleList`) or nowhere (`nn.Sequential` with activations between), every pair of layers has the same operations
/// between them; otherwise an activation is missing somewhere.
fn check_gaps(list: &[Layer<'_>], shapes: &Shapes) -> Result<(), WeightsError> {
    let gap = |pair: &[Layer<'_>]| {
        let at = pair[0].numbers.iter().zip(&pair[1].numbers).position(|(a, b)| a != b)?;
        Some(pair[1].numbers[at].saturating_sub(pair[0].numbers[at]))
    };
    let gaps: Vec<u64> = list.windows(2).filter_map(gap).collect();
    let close = gaps.iter().filter(|gap| **gap <= 1).count();
    if close > 0 && close < gaps.len() {
        return Err(ambiguous("between some of its numbered layers is no room for an activation", shapes));
    }
    Ok(())
}

/// Returns weight and bias of a layer under the name `ours`.
fn places(layer: &Layer<'_>, ours: &str) -> Vec<TensorLocation> {
    let mut tensors = vec!["weight"];
    tensors.extend(layer.has_bias.then_some("bias"));
    let place = |tensor| TensorLocation {
        ours: format!("{ours}.{tensor}"),
        theirs: format!("{}.{tensor}", layer.path),
        third: None,
    };
    tensors.into_iter().map(place).collect()
}

fn taken(layers: &[Layer<'_>], ours: &[String]) -> String {
    let theirs = printable_list(layers.iter().map(|layer| layer.path));
    format!("took {theirs} for {}", printable_list(ours.iter().map(String::as_str)))
}

/// Finds dense layers, and LayerNorms before activations, as fc1, ln1, fc2 …
fn dense(shapes: &Shapes) -> Result<Option<LocatedTensors>, WeightsError> {
    // In a residual network such layers add to a stream instead of passing their output on.
    if shapes.keys().any(|name| name.contains("block")) {
        return Ok(None);
    }
    let Some(all) = layers(shapes) else { return Ok(None) };
    let (dense, norms): (Vec<_>, Vec<_>) = all.into_iter().partition(|layer| layer.shape.len() == 2);
    if norms.iter().any(|layer| layer.shape.len() != 1) {
        return Ok(None);
    }
    let Some(order) = chain(&dense, shapes)? else { return Ok(None) };
    let ours: Vec<String> = (1..=order.len()).map(|place| format!("fc{place}")).collect();
    let mut notes = vec![taken(&order, &ours)];
    let mut found: Vec<TensorLocation> =
        order.iter().zip(&ours).flat_map(|(layer, ours)| places(layer, ours)).collect();
    let own_list = norms.iter().all(|norm| order.iter().all(|layer| layer.stem != norm.stem));
    let same_stem = norms.iter().all(|norm| norm.stem == norms[0].stem);
    if !norms.is_empty() {
        if norms.iter().any(|norm| !norm.has_bias) {
            let why = "a weight of one axis without a bias may be that of a LayerNorm or of a PReLU";
            return Err(ambiguous(why, shapes));
        }
        let places_of: Option<Vec<usize>> = if own_list && same_stem && norms.len() + 1 == order.len() {
            Some((1..order.len()).collect())
        } else {
            norms.iter().map(|norm| behind(norm, &order)).collect()
        };
        let distinct = |places: &Vec<usize>| places.iter().collect::<BTreeSet<_>>().len() == places.len();
        let Some(at) = places_of.filter(distinct) else {
            return Err(ambiguous("its LayerNorms are not between a layer and the activation behind it", shapes));
        };
        let names: Vec<String> = at.iter().map(|place| format!("ln{place}")).collect();
        notes.push(taken(&norms, &names));
        found.extend(norms.iter().zip(&names).flat_map(|(norm, name)| places(norm, name)));
    }
    Ok(Some((found, notes)))
}

/// Returns the layer (from 1) that a normalisation in the same numbered list directly follows, with room for an activation
/// after it.
fn behind(norm: &Layer<'_>, order: &[Layer<'_>]) -> Option<usize> {
    let (&number, rest) = norm.numbers.split_last()?;
    let of = |layer: &Layer<'_>| {
        let (&number, own) = layer.numbers.split_last()?;
        (layer.stem == norm.stem && own == rest).then_some(number)
    };
    let at = order.iter().position(|layer| of(layer).is_some_and(|place| place + 1 == number))?;
    let next = order.get(at + 1)?;
    of(next).is_none_or(|next| next >= number + 2).then_some(at + 1)
}

/// Finds convolutions and one dense layer behind them as conv1 …, fc.
fn convolutional(shapes: &Shapes) -> Result<Option<LocatedTensors>, WeightsError> {
    let Some(all) = layers(shapes) else { return Ok(None) };
    let (convs, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|layer| layer.shape.len() == 4);
    let [fc] = &rest[..] else { return Ok(None) };
    if fc.shape.len() != 2 {
        return Ok(None);
    }
    let Some(order) = chain(&convs, shapes)? else { return Ok(None) };
    let ours: Vec<String> = (1..=order.len()).map(|place| format!("conv{place}")).collect();
    let mut found: Vec<TensorLocation> =
        order.iter().zip(&ours).flat_map(|(layer, ours)| places(layer, ours)).collect();
    let note = format!("{}, {} for fc", taken(&order, &ours), printable(fc.path));
    found.extend(places(fc, "fc"));
    Ok(Some((found, vec![note])))
}

/// Finds `nn.RNN` and `nn.RNNCell`, which have a bias at each of their two maps, and one dense layer behind them.
fn recurrent(shapes: &Shapes) -> Result<Option<LocatedTensors>, WeightsError> {
    const MAPS: [&str; 4] = ["weight_ih", "bias_ih", "weight_hh", "bias_hh"];
    let is_map = |name: &str| MAPS.iter().any(|map| name.rsplit('.').next().is_some_and(|last| last.starts_with(map)));
    let Some(input) = shapes.keys().find(|name| is_map(name) && name.contains("weight_ih")) else { return Ok(None) };
    let cell = input.rsplit_once('.').map_or("", |(cell, _)| cell);
    let (mut found, mut head) = (Vec::new(), Shapes::new());
    for (name, shape) in shapes {
        let (path, tensor) = name.rsplit_once('.').unwrap_or(("", name));
        if !is_map(name) {
            head.insert(name.clone(), shape.clone());
            continue;
        }
        let Some(map) = MAPS.iter().find(|map| path == cell && tensor.trim_end_matches("_l0") == **map) else {
            let why = format!("{} is of a second layer, cell or direction", printable(name));
            return Err(WeightsError::Recurrent(why));
        };
        found.push(TensorLocation { ours: format!("rnn.{map}"), theirs: name.clone(), third: None });
    }
    if let Some([rows, width]) = shapes.iter().find(|(name, _)| name.contains("weight_hh")).map(|(_, shape)| &shape[..])
        && let Some(what) =
            [(4, "an LSTM"), (3, "a GRU")].into_iter().find(|(gates, _)| width.checked_mul(*gates) == Some(*rows))
    {
        return Err(WeightsError::Recurrent(format!("{} is that of {}", printable(input), what.1)));
    }
    let as_ours = found.iter().all(|place| place.ours == place.theirs) && head.contains_key("head.weight");
    let Some(layers) = layers(&head).filter(|_| !as_ours) else {
        found.extend(head.keys().map(|name| TensorLocation { ours: name.clone(), theirs: name.clone(), third: None }));
        return Ok(Some((found, Vec::new())));
    };
    let [layer] = &layers[..] else {
        let why = format!("behind the recurrence it has not one dense layer but {}", layers.len());
        return Err(ambiguous(why, shapes));
    };
    found.extend(places(layer, "head"));
    let note = format!("took {} for rnn.weight_ih, {} for head", printable(input), printable(layer.path));
    Ok(Some((found, vec![note])))
}

/// Finds `nn.MultiheadAttention`, which stores queries, keys and values in one tensor, as attn.q, attn.k and attn.v; `None`
/// where there is none.
fn attention(shapes: &Shapes) -> Option<LocatedTensors> {
    let joined = |name: &str| {
        let (path, tensor) =
            [("in_proj_weight", "weight"), ("in_proj_bias", "bias"), ("qkv.weight", "weight"), ("qkv.bias", "bias")]
                .into_iter()
                .find_map(|(end, tensor)| Some((name.strip_suffix(end)?.to_owned(), tensor)))?;
        path.ends_with("attn.").then_some((path, tensor))
    };
    if !shapes.keys().any(|name| joined(name).is_some()) {
        return None;
    }
    let mut found = Vec::new();
    for name in shapes.keys() {
        if let Some((path, tensor)) = joined(name) {
            let place = |(third, map)| TensorLocation {
                ours: format!("{path}{map}.{tensor}"),
                theirs: name.clone(),
                third: Some(third),
            };
            found.extend(["q", "k", "v"].into_iter().enumerate().map(place));
            continue;
        }
        let ours = name.replace("attn.out_proj.", "attn.o.").replace("attn.proj.", "attn.o.");
        found.push(TensorLocation { ours, theirs: name.clone(), third: None });
    }
    Some((found, vec!["took the thirds of each joint projection for attn.q, attn.k and attn.v".to_owned()]))
}
