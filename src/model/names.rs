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

/// Finds the tensors of a network of this family, or of one whose tensors have these names of its own, among the floats of a
/// file.
///
/// # Errors
/// Fails if the names allow two interpretations, belong to a layer that no network here has, or have a prefix that others
/// lack. Unknown names are no error here: the tensor is reported missing when it is read.
pub fn find(family: Option<Family>, shapes: &Shapes, own: &BTreeSet<String>) -> Result<LocatedTensors, WeightsError> {
    let (theirs, mut notes) = unwrapped(shapes, own)?;
    let names: Vec<&str> = theirs.keys().map(String::as_str).collect();
    let prefix = match family {
        Some(kind) => prefix(kind, &names),
        None => own_prefix(&names, own),
    };
    // Data parallelism is around a whole network and not around some layers of it.
    let is_parallel = family.is_some() && prefix.is_empty() && names.iter().any(|name| name.starts_with(PARALLEL));
    let partial = if is_parallel { PARALLEL } else { prefix };
    let (with, without) =
        (names.iter().find(|name| name.starts_with(partial)), names.iter().find(|name| !name.starts_with(partial)));
    if let (Some(with), Some(without)) = (with, without) {
        return Err(reason(shapes, own).unwrap_or_else(|| mixed(partial, &theirs[*with], &theirs[*without])));
    }
    let prefix = prefix.to_owned();
    if !prefix.is_empty() {
        notes.push(format!("took “{}” off all names", printable(&prefix)));
    }
    let inner: Shapes =
        theirs.iter().map(|(name, theirs)| (name[prefix.len()..].to_owned(), shapes[theirs].clone())).collect();
    let renamed = match family {
        Some(Family::Mlp) if !inner.keys().all(|name| is_listed(name, &["fc", "ln"])) => dense(&inner),
        Some(kind @ Family::Cnn) if !inner.keys().any(|name| is_first(kind, name)) => convolutional(&inner),
        Some(Family::Rnn) => recurrent(&inner),
        Some(Family::Transformer) => Ok(attention(&inner)),
        Some(Family::Mlp | Family::Cnn | Family::ResMlp) | None => Ok(None),
    };
    // Two networks in one file are the likelier reason why names can be read in two ways.
    let renamed = renamed.map_err(|err| match err {
        WeightsError::Ambiguous { .. } => reason(shapes, own).unwrap_or(err),
        err => err,
    })?;
    let Some((mut places, conversions)) = renamed else {
        let place = |(name, theirs): (&String, &String)| TensorLocation {
            ours: name[prefix.len()..].to_owned(),
            theirs: theirs.clone(),
            third: None,
        };
        return Ok((theirs.iter().map(place).collect(), notes));
    };
    notes.extend(conversions);
    for place in &mut places {
        place.theirs.insert_str(0, &prefix);
        if let Some(theirs) = theirs.get(&place.theirs) {
            place.theirs.clone_from(theirs);
        }
    }
    Ok((places, notes))
}

/// The part of a name that PyTorch's data parallelism puts before all names.
const PARALLEL: &str = "module.";

/// Parts of names that only wrappers around a module or one of its parts have: `torch.compile`, sharding, checkpointing.
const WRAPPERS: [&str; 4] = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"];

/// Returns the names without the parts that wrappers put into them, each with its name in the file, and a description.
///
/// # Errors
/// Fails if a wrapper is around some tensors of a module only, which no program saves.
fn unwrapped(shapes: &Shapes, own: &BTreeSet<String>) -> Result<(BTreeMap<String, String>, Vec<String>), WeightsError> {
    let (mut theirs, mut found) = (BTreeMap::new(), BTreeSet::new());
    for name in shapes.keys() {
        let mut inner = Vec::new();
        for part in name.split('.') {
            match WRAPPERS.iter().find(|wrapper| **wrapper == part && !own.contains(name)) {
                Some(wrapper) => {
                    let outer = inner.iter().map(|part| format!("{part}.")).collect::<String>();
                    found.insert((outer, format!("{wrapper}.")));
                }
                None => inner.push(part),
            }
        }
        if let Some(other) = theirs.insert(inner.join("."), name.clone()) {
            return Err(WeightsError::Copies { one: printable(&other), other: printable(name) });
        }
    }
    let mut notes = Vec::new();
    for (outer, wrapper) in &found {
        let within = || {
            let from = theirs.range(outer.clone()..);
            from.take_while(|(inner, _)| inner.starts_with(outer.as_str())).map(|(_, theirs)| theirs)
        };
        let has = |name: &&String| name.split_inclusive('.').any(|part| part == wrapper);
        if let (Some(with), Some(without)) = (within().find(has), within().find(|name| !has(name))) {
            return Err(reason(shapes, own).unwrap_or_else(|| mixed(&format!("{outer}{wrapper}"), with, without)));
        }
    }
    let wrappers: BTreeSet<&str> = found.iter().map(|(_, wrapper)| wrapper.as_str()).collect();
    if !wrappers.is_empty() {
        let wrappers = wrappers.into_iter().collect::<Vec<_>>().join("” and “");
        notes.push(format!("took “{wrappers}” out of the names"));
    }
    Ok((theirs, notes))
}

fn mixed(prefix: &str, with: &str, without: &str) -> WeightsError {
    let [prefix, with, without] = [prefix, with, without].map(printable);
    WeightsError::Prefix { prefix, with, without }
}

/// Returns the places in a name at which what follows may be a name of the network.
fn ends(name: &str) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(name.match_indices('.').map(|(at, _)| at + 1))
}

/// Returns the prefixes behind which the names of the network are, with the number of its tensors that each has.
fn prefixes<'a>(names: impl IntoIterator<Item = &'a str>, own: &BTreeSet<String>) -> BTreeMap<&'a str, usize> {
    let mut known = BTreeMap::new();
    for name in names {
        for end in ends(name).filter(|end| own.contains(&name[*end..])) {
            *known.entry(&name[..end]).or_insert(0) += 1;
        }
    }
    known
}

/// Returns the prefix behind which most of these names are those of the network, and the shortest such.
fn own_prefix<'a>(names: &[&'a str], own: &BTreeSet<String>) -> &'a str {
    let known = prefixes(names.iter().copied(), own);
    let best = known.into_iter().max_by_key(|(prefix, count)| (*count, std::cmp::Reverse(prefix.len())));
    best.map_or("", |(prefix, _)| prefix)
}

/// Parts of names of an optimiser's tensors, which are as large as the weights that it moves.
const OPTIMISER: [&str; 9] = [
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "momentum_buffer",
    "square_avg",
    "optimizer",
    "optimizer_state",
    "optimizer_state_dict",
    "optimizer_states",
];

/// Words in names of a copy of the weights that training averages.
const AVERAGE: [&str; 5] = ["ema", "swa", "averaged", "shadow", "teacher"];

/// Returns why a file that has other names than the network is refused, if its names tell: it has an optimiser's tensors,
/// another copy of the network, or a prefix before some names only.
pub fn reason(shapes: &Shapes, own: &BTreeSet<String>) -> Option<WeightsError> {
    let names: Vec<&str> = shapes.keys().map(String::as_str).collect();
    let best = own_prefix(&names, own);
    let is_ours = |name: &str| name.strip_prefix(best).is_some_and(|inner| own.contains(inner));
    let others = || names.iter().copied().filter(|name| !is_ours(name));
    let of = |name: &str, what| WeightsError::Beside { name: printable(name), what };
    if let Some(name) = others().find(|name| name.split('.').any(|part| OPTIMISER.contains(&part))) {
        return Some(of(name, "an optimiser"));
    }
    let known = prefixes(names.iter().copied(), own);
    let most = known.values().copied().max().unwrap_or(0);
    // Few names alike are a coincidence: many layers have a weight.
    let is_network = |count: usize| 2 * count >= most && (count > 1 || own.len() == 1);
    for (prefix, _) in known.iter().filter(|(prefix, count)| **prefix != best && is_network(**count)) {
        let pair = own.iter().find_map(|name| {
            let (one, other) = (format!("{best}{name}"), format!("{prefix}{name}"));
            let are_alike = shapes.get(&one).is_some_and(|shape| Some(shape) == shapes.get(&other));
            (are_alike && !is_ours(&other)).then_some((one, other))
        });
        if let Some((one, other)) = pair {
            return Some(WeightsError::Copies { one: printable(&one), other: printable(&other) });
        }
    }
    let is_average = |name: &&str| {
        let words = name.split(|letter: char| !letter.is_alphanumeric());
        words.into_iter().any(|word| AVERAGE.contains(&word))
    };
    // If all names have such a word, the average is the network of the file.
    if let Some(name) = others().find(is_average).filter(|_| !names.iter().all(is_average)) {
        return Some(of(name, "an average of the weights"));
    }
    let prefix = if best.is_empty() {
        // The only other place of a tensor that is missing without the prefix.
        let lone = |name: &str| {
            let end = ends(name).skip(1).find(|end| own.contains(&name[*end..]))?;
            (!shapes.contains_key(&name[end..])).then_some(end)
        };
        others().find_map(|name| lone(name).map(|end| &name[..end]))?
    } else {
        best
    };
    let with = names.iter().find(|name| name.starts_with(prefix))?;
    let without = names.iter().find(|name| !name.starts_with(prefix))?;
    Some(mixed(prefix, with, without))
}

/// Returns whether a tensor of whole numbers has the name of a weight, so that it is a part of the network, although one that
/// cannot be read: other such tensors are masks, counts and positions.
pub fn is_weight(name: &str, own: &BTreeSet<String>, has: impl Fn(&str) -> bool) -> bool {
    let (path, last) = name.rsplit_once('.').unwrap_or(("", name));
    let is_weight =
        |last: &str| last.ends_with("weight") || last.starts_with("weight_ih") || last.starts_with("weight_hh");
    let is_bias = last.starts_with("bias_ih") || last.starts_with("bias_hh") || last.ends_with("bias");
    let sibling = || if path.is_empty() { "weight".to_owned() } else { format!("{path}.weight") };
    is_weight(last)
        || (is_bias && (last != "bias" || has(&sibling())))
        || ends(name).any(|end| own.contains(&name[end..]))
}

/// Checks that no name is that of a BatchNorm, which the networks of no family have.
///
/// # Errors
/// Names the first that is.
pub fn check_batch_norms<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<(), WeightsError> {
    let has_buffer = |name: &&str| BATCH_NORM.iter().any(|buffer| name.ends_with(buffer));
    match names.clone().find(has_buffer).or_else(|| names.clone().find(|name| is_batch_norm(name))) {
        Some(name) => Err(WeightsError::BatchNorm(printable(name))),
        None => Ok(()),
    }
}

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
