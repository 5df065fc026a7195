//! Readers and bytes: whatever lies in a run folder, they neither panic nor take more memory than it warrants.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use kernelscope::chart::{Figure, Format};
use kernelscope::paint::render;
use kernelscope::run::Ending;
use kernelscope::storage::{create, load};
use proptest::prelude::*;

use super::folder::write;
use super::stream::{copy, events, spec};

/// A finished run and one that was killed, both small.
fn folders(place: &Path) -> [PathBuf; 2] {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let made = tempfile::tempdir().unwrap();
        make(made.path());
        made
    });
    ["finished", "killed"].map(|name| {
        let folder = place.join(name);
        copy(&made.path().join(name), &folder);
        folder
    })
}

fn make(place: &Path) {
    let spec = spec(2, 0.5);
    let told = events(&spec, |step| Ending::Finished { step });
    let (finished, running, killed) = (place.join("finished"), place.join("running"), place.join("killed"));
    write(&finished, &spec, &told);
    let mut folder = create(&running, &spec, false).unwrap().folder;
    told[..told.len() - 1].iter().for_each(|event| folder.take(event).unwrap());
    drop(folder);
    copy(&running, &killed);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

#[test]
fn a_file_cut_off_at_any_length_is_a_sentence() {
    let place = tempfile::tempdir().unwrap();
    for folder in folders(place.path()) {
        for path in files(&folder) {
            let whole = fs::read(&path).unwrap();
            // Every length of what is short, a spread of the others.
            let stride = if whole.len() < 400 { 1 } else { 37 };
            for length in (0..whole.len()).step_by(stride) {
                fs::write(&path, &whole[..length]).unwrap();
                match load(&folder) {
                    Ok(loaded) => loaded.warnings.iter().for_each(|sentence| assert!(!sentence.contains('\n'))),
                    Err(err) => assert!(!err.to_string().contains('\n'), "{err}"),
                }
            }
            fs::remove_file(&path).unwrap();
            let _ = load(&folder);
            fs::write(&path, &whole).unwrap();
        }
        load(&folder).expect("put back as it was");
    }
}

#[test]
fn a_table_cut_off_in_its_last_line_loses_this_line() {
    let place = tempfile::tempdir().unwrap();
    let [folder, _] = folders(place.path());
    let path = folder.join("metrics.csv");
    let whole = fs::read(&path).unwrap();
    let all = load(&folder).unwrap().history.rows().len();
    // A number without its last digits is still a number: only the end of the line tells.
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let loaded = load(&folder).unwrap();
    assert_eq!(loaded.history.rows().len(), all);
    assert_eq!(loaded.history.rows().last().unwrap().blocks.len(), 2, "of three blocks");
    assert!(loaded.warnings.contains(&"metrics.csv: the last line is cut off and left out".to_owned()));
}

/// A line of dashes to a number far out of view would be more dashes than memory holds.
#[test]
fn a_number_far_out_of_view_makes_no_figure_large() {
    let place = tempfile::tempdir().unwrap();
    let [folder, _] = folders(place.path());
    for path in files(&folder).into_iter().filter(|path| path.extension() == Some("csv".as_ref())) {
        let whole = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let middle = lines.len() / 2;
        for cell in 0..lines[0].split(',').count() {
            let mut cells: Vec<&str> = lines[middle].split(',').collect();
            let Some(place) = cells.get_mut(cell) else { continue };
            *place = if cell % 2 == 0 { "1e300" } else { "-1e20" };
            let changed = cells.join(",");
            let mut lines = lines.clone();
            lines[middle] = &changed;
            fs::write(&path, lines.join("\n") + "\n").unwrap();
            let Ok(loaded) = load(&folder) else { continue };
            for figure in Figure::ALL.into_iter().filter(|figure| figure.is_of(&loaded.history)) {
                let bytes = render(&loaded.history, figure, Format::Svg).unwrap();
                assert!(bytes.len() < 8 << 20, "{}: {} bytes", path.display(), bytes.len());
            }
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_run_from_before_the_analysis_had_its_own_thread_opens() {
    let place = tempfile::tempdir().unwrap();
    let [folder, _] = folders(place.path());
    let path = folder.join("metrics.csv");
    let (now, table) = (load(&folder).unwrap(), fs::read_to_string(&path).unwrap());
    assert!(table.lines().next().unwrap().ends_with(",waiting_seconds"));
    let older: Vec<&str> = table.lines().map(|line| line.rsplit_once(',').unwrap().0).collect();
    fs::write(&path, older.join("\n") + "\n").unwrap();
    let then = load(&folder).unwrap();
    assert_eq!(then.warnings, now.warnings);
    let rows = |loaded: &kernelscope::storage::Loaded| loaded.history.rows().to_vec();
    let mut expected = rows(&now);
    expected.iter_mut().for_each(|row| row.cost.waiting_seconds = None);
    assert_eq!(rows(&then), expected);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let place = tempfile::tempdir().unwrap();
    let [folder, _] = folders(place.path());
    for name in ["metrics.csv", "events.csv", "predictions.csv", "info.toml", "run.toml"] {
        let (path, aside) = (folder.join(name), folder.join("aside"));
        fs::rename(&path, &aside).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let said = match load(&folder) {
            Ok(loaded) => loaded.warnings.join("; "),
            Err(err) => err.to_string(),
        };
        assert!(said.contains("no regular file") || said.contains("no snapshot"), "{name}: {said}");
        fs::rename(&aside, &path).unwrap();
    }
}

#[test]
fn a_run_file_of_another_world_is_refused_with_its_key() {
    let place = tempfile::tempdir().unwrap();
    let [folder, _] = folders(place.path());
    let path = folder.join("run.toml");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("version = 1", "version = 99")).unwrap();
    assert!(load(&folder).unwrap_err().to_string().contains("version 99"));
    fs::write(&path, whole.replace("[network]", "[network]\nwidht = 3")).unwrap();
    assert!(load(&folder).unwrap_err().to_string().contains("network.widht"));
    let sentence = load(place.path()).unwrap_err().to_string();
    assert!(sentence.starts_with("cannot read") && sentence.contains("run.toml"), "{sentence}");
}

/// An epoch beyond what a picture can hold, amid others, once made a dashed line of endless dashes that filled all memory.
#[test]
fn an_epoch_far_out_amid_others_makes_no_endless_dashes() {
    let place = tempfile::tempdir().unwrap();
    let [folder, _] = folders(place.path());
    for path in files(&folder).into_iter().filter(|path| path.extension() == Some("csv".as_ref())) {
        let text = fs::read_to_string(&path).unwrap();
        let Some(column) = text.lines().next().and_then(|head| head.split(',').position(|name| name == "epoch")) else {
            continue;
        };
        let middle = text.lines().count() / 2;
        let edited = text.lines().enumerate().map(|(at, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if at == middle {
                cells[column] = "1e300";
            }
            cells.join(",") + "\n"
        });
        fs::write(&path, edited.collect::<String>()).unwrap();
        if let Ok(loaded) = load(&folder) {
            for figure in Figure::ALL.into_iter().filter(|figure| figure.is_of(&loaded.history)) {
                assert!(render(&loaded.history, figure, Format::Svg).unwrap().len() < 5_000_000, "{path:?}");
            }
        }
        fs::write(&path, text).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_any_file_are_survived(
        which in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        replace_all in any::<bool>(),
    ) {
        let place = tempfile::tempdir().unwrap();
        for folder in folders(place.path()) {
            let files = files(&folder);
            let path = &files[which.index(files.len())];
            let mut content = fs::read(path).unwrap();
            if replace_all {
                content = bytes.clone();
            } else {
                // A few of them over the true content: the readers get further in.
                let start = at.index(content.len());
                content.iter_mut().skip(start).zip(&bytes[..bytes.len().min(12)]).for_each(|(old, new)| *old = *new);
            }
            fs::write(path, content).unwrap();
            let _ = load(&folder);
        }
    }

    #[test]
    fn any_text_in_any_table_is_survived(which in 0..4usize, lines in prop::collection::vec("[-0-9a-z.,\"]{0,60}", 0..12)) {
        let place = tempfile::tempdir().unwrap();
        let [folder, _] = folders(place.path());
        let path = folder.join(["metrics.csv", "accuracy.csv", "events.csv", "predictions.csv"][which]);
        let header = fs::read_to_string(&path).unwrap().lines().next().unwrap().to_owned();
        fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
        if let Ok(loaded) = load(&folder) {
            render(&loaded.history, Figure::LambdaMax, Format::Svg).unwrap();
        }
    }

    #[test]
    fn a_run_whose_tables_somebody_has_changed_is_drawn(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<[prop::sample::Index; 3]>(), 0..5usize, 0..9usize), 1..4),
    ) {
        let odd = ["", "1e300", "-1e300", "1e-320", "nan", "18446744073709551615", "0", "all", "\""];
        let place = tempfile::tempdir().unwrap();
        let [folder, _] = folders(place.path());
        let tables: Vec<PathBuf> = files(&folder).into_iter().filter(|path| path.extension() == Some("csv".as_ref())).collect();
        for (table, [line, other, cell], what, value) in edits {
            let path = &tables[table.index(tables.len())];
            let text = fs::read_to_string(path).unwrap();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let (at, to) = (line.index(lines.len()), other.index(lines.len()));
            match what {
                0 => _ = lines.remove(at),
                1 => lines.insert(to, lines[at].clone()),
                2 => lines.swap(at, to),
                3 => {
                    let place = cell.index(lines[at].chars().count() + 1);
                    let cut = lines[at].char_indices().nth(place).map_or(lines[at].len(), |(byte, _)| byte);
                    lines[at].insert_str(cut, odd[value]);
                }
                _ => {
                    let mut cells: Vec<&str> = lines[at].split(',').collect();
                    let place = cell.index(cells.len());
                    cells[place] = odd[value];
                    lines[at] = cells.join(",");
                }
            }
            lines.push("0,0.0,0".to_owned());
            fs::write(path, lines.join("\n") + "\n").unwrap();
        }
        if let Ok(loaded) = load(&folder) {
            for figure in Figure::ALL.into_iter().filter(|figure| figure.is_of(&loaded.history)) {
                render(&loaded.history, figure, Format::Svg).unwrap();
            }
        }
    }
}
