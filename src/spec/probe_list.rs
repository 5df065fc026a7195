//! Reads the probes of a run from a file of indices, whose numbers then stand in the spec, so that a run folder repeats the run
//! without the file.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use toml::Value;

use super::absolute;
use super::wording::shown;

/// Largest size of such a file: far more than the indices of the most probes.
const MOST_BYTES: u64 = 1 << 20;

/// Replaces the path of a file by the lists in it; a relative path starts from `base`. Other values stay as they are.
pub(super) fn current(list: &mut Value, base: &Path) -> Result<(), String> {
    let lists = match list {
        Value::String(path) if !path.is_empty() => read(&absolute(Path::new(path), base))?,
        // One list, for all tasks.
        Value::Array(indices) if !indices.is_empty() && indices.iter().all(Value::is_integer) => vec![indices.clone()],
        _ => return Ok(()),
    };
    *list = Value::Array(lists.into_iter().map(Value::Array).collect());
    Ok(())
}

/// Reads a list from each line: whole numbers from 0, separated by commas or blanks; what follows a # is a comment.
fn read(path: &Path) -> Result<Vec<Vec<Value>>, String> {
    let name = path.display();
    let what = fs::metadata(path).map_err(|_| format!("there is no file {name}"))?;
    if !what.is_file() {
        return Err(format!("{name} is no regular file"));
    }
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|_| format!("{name} cannot be read: check its permissions"))?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|_| format!("{name} is no text of whole numbers"))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("{name} is longer than any list of probes"));
    }
    let mut lists = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words = line.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        let index = |word: &str| {
            let number = word.parse::<u32>().map_err(|_| {
                format!("line {} of {name} has {}, which is no whole number from 0", place + 1, shown(word))
            })?;
            Ok::<Value, String>(Value::Integer(number.into()))
        };
        let list: Vec<Value> = words.map(index).collect::<Result<_, _>>()?;
        if !list.is_empty() {
            lists.push(list);
        }
    }
    if lists.is_empty() { Err(format!("{name} has no number")) } else { Ok(lists) }
}
