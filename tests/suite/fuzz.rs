//! Thousands of wrong files for each reader: each is read or refused in one sentence, without a panic or an abort, in a second
//! and in memory that its length warrants.
//!
//! A reader is tried in a child process, so that an abort is seen, a reader that never ends can be ended, and memory is counted
//! without that of other tests. `KERNELSCOPE_FUZZ=10000 cargo test --release fuzz -- --nocapture` tries so many of each, instead
//! of [`USUAL`]; what is tried depends on its number alone, and `KERNELSCOPE_FUZZ_FROM` begins at another.

mod meter;
mod mutate;
mod readers;

use std::fs::{self, File};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mutate::{Dice, mutate, unpacked};
use readers::Reader;

/// Wrong files for each reader.
const USUAL: usize = 150;
/// Beside twice the length of what is read: what a thousand runs of a study, a history or a figure take by themselves.
const ALLOWANCE: u64 = 8 << 20;
/// Longer is counted and told …
const LONG: Duration = Duration::from_secs(1);
/// … and longer than this, also on a machine that is busy, fails.
const TOO_LONG: Duration = Duration::from_secs(30);
/// Findings of one reader after which it is left alone.
const MOST_FINDINGS: usize = 20;

const READER: &str = "KERNELSCOPE_FUZZ_READER";
const PLACE: &str = "KERNELSCOPE_FUZZ_PLACE";
const FROM: &str = "KERNELSCOPE_FUZZ_FROM";
const COUNT: &str = "KERNELSCOPE_FUZZ";

fn asked(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

macro_rules! tried {
    ($($test:ident: $reader:ident;)*) => {
        $(#[test]
        fn $test() {
            try_all(Reader::$reader);
        })*

        #[test]
        fn each_reader_has_its_test() {
            assert_eq!([$(Reader::$reader),*], Reader::ALL);
        }
    };
}

tried! {
    wrong_weights: Weights;
    wrong_arrays: Arrays;
    wrong_archives: Archive;
    wrong_kernels_from_elsewhere: Kernels;
    wrong_idx_files: Idx;
    wrong_cifar_files: Cifar;
    wrong_run_files: RunFile;
    wrong_run_folders: RunFolder;
    figures_of_wrong_run_folders: Figures;
    wrong_study_folders: StudyFolder;
    wrong_folders_of_learners: Learners;
}

/// How far a child has come, and what it has seen: one line of numbers in a file, so that an abort loses nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    /// The input that is being tried.
    at: usize,
    refused: usize,
    /// Longer than [`LONG`].
    long: usize,
    longest_ms: usize,
    most_held: usize,
}

impl Seen {
    fn write(&self, place: &Path) {
        let Self { at, refused, long, longest_ms, most_held } = self;
        fs::write(place.join("seen"), format!("{at} {refused} {long} {longest_ms} {most_held} ")).unwrap();
    }

    fn read(place: &Path) -> Option<Self> {
        let text = fs::read_to_string(place.join("seen")).ok()?;
        // A line that is being written ends early, and is read at the next look.
        let numbers: Vec<usize> =
            text.split_inclusive(' ').filter_map(|word| word.strip_suffix(' ')?.parse().ok()).collect();
        let [at, refused, long, longest_ms, most_held] = numbers[..] else { return None };
        Some(Self { at, refused, long, longest_ms, most_held })
    }

    fn add(&mut self, other: Self) {
        self.refused += other.refused;
        self.long += other.long;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
        self.most_held = self.most_held.max(other.most_held);
    }
}

/// Tries a reader in children, each going on behind the input that ended the one before.
fn try_all(reader: Reader) {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let (from, count) = (asked(FROM).unwrap_or(0), asked(COUNT).unwrap_or(USUAL));
    let (mut next, mut findings, mut all) = (from, Vec::new(), Seen::default());
    while next < from + count && findings.len() < MOST_FINDINGS {
        let _ = fs::remove_file(place.join("findings"));
        let _ = fs::remove_file(place.join("seen"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "suite::fuzz::the_child", "--nocapture", "--test-threads=1"])
            .env(READER, reader.name())
            .env(PLACE, place)
            .env(FROM, next.to_string())
            .env(COUNT, (from + count - next).to_string())
            .env("RAYON_NUM_THREADS", "1")
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(File::create(place.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let ended = wait(child, place);
        let said = fs::read_to_string(place.join("findings")).unwrap_or_default();
        findings.extend(said.lines().map(str::to_owned));
        let seen = Seen::read(place);
        all.add(seen.unwrap_or_default());
        let Some(how) = ended else { break };
        let words = fs::read_to_string(place.join("stderr")).unwrap_or_default();
        let Seen { at, .. } = seen.unwrap_or_else(|| panic!("no right file for {}: {how}: {words}", reader.name()));
        let telling = |line: &&str| !line.is_empty() && !line.starts_with("note:") && !line.starts_with("test ");
        let last = words.lines().rfind(telling).unwrap_or_default();
        findings.push(format!("{} {at}: {how}: {last}", reader.name()));
        next = at + 1;
    }
    eprintln!(
        "{}: {count} from {from}; {} refused or warned of, {} longer than a second, the longest {:.3} s, at most {:.1} MiB held",
        reader.name(),
        all.refused,
        all.long,
        all.longest_ms as f64 / 1e3,
        all.most_held as f64 / f64::from(1 << 20),
    );
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// Waits for a child; how it ended, where that was not well.
fn wait(mut child: Child, place: &Path) -> Option<String> {
    let (mut seen, mut since) = (None, Instant::now());
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (!status.success()).then(|| format!("ended with {status}"));
        }
        let now = Seen::read(place).or(seen);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        // Right files, which the child makes first, may take longer on a busy machine.
        if since.elapsed() > if seen.is_none() { 8 * TOO_LONG } else { TOO_LONG } {
            child.kill().unwrap();
            child.wait().unwrap();
            return Some(format!("was not done after {TOO_LONG:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The other process of [`try_all`]; without its variables there is nothing to do.
#[test]
fn the_child() {
    let (Some(reader), Some(place)) =
        (std::env::var(READER).ok().and_then(|name| Reader::named(&name)), std::env::var_os(PLACE))
    else {
        return;
    };
    let place = Path::new(&place);
    let work = tempfile::tempdir_in(place).unwrap();
    let right = reader.prepare(work.path());
    let originals: Vec<Vec<u8>> = right.iter().map(|path| fs::read(path).unwrap()).collect();
    let length: usize = originals.iter().map(Vec::len).sum();
    // What is made once, threads and tables, is made now.
    for path in std::iter::once(None).chain(right.iter().map(|path| Some(path.as_path()))) {
        reader.read(work.path(), path);
    }
    meter::start();
    let mut findings = File::create(place.join("findings")).unwrap();
    let (from, count) = (asked(FROM).unwrap(), asked(COUNT).unwrap());
    let mut seen = Seen::default();
    for number in from..from + count {
        seen.at = number;
        seen.write(place);
        let mut dice = Dice(number as u64 * 1_000_003 + reader as u64);
        let which = dice.below(right.len());
        let (path, original) = (&right[which], &originals[which]);
        let name = path.file_name().unwrap().to_string_lossy();
        let bytes = mutate(&mut dice, &name, original, &originals);
        let gone = dice.once_in(100);
        if gone {
            fs::remove_file(path).unwrap();
        } else {
            fs::write(path, &bytes).unwrap();
        }
        let begun = Instant::now();
        let tried = || catch_unwind(AssertUnwindSafe(|| reader.read(work.path(), Some(path))));
        let (result, held) = meter::most(tried);
        let took = begun.elapsed();
        fs::write(path, original).unwrap();
        let mut find = |what: String| writeln!(findings, "{} {number}, {name}: {what}", reader.name()).unwrap();
        match result {
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|&words| words.to_owned()));
                find(format!("panic: {}", words.unwrap_or_default().replace('\n', " ")));
            }
            Ok(words) => {
                seen.refused += usize::from(!words.is_empty());
                if let Some(bad) = words.iter().find(|sentence| sentence.chars().any(char::is_control)) {
                    find(format!("no one sentence: {bad:?}"));
                }
                if let Some(bad) = words.iter().find(|sentence| sentence.len() > 4000) {
                    find(format!(
                        "a sentence of {} bytes: {:?}…",
                        bad.len(),
                        bad.chars().take(200).collect::<String>()
                    ));
                }
            }
        }
        let read = (length - original.len() + unpacked(&name, &bytes)) as u64;
        if held > 2 * read + ALLOWANCE {
            find(format!("{held} bytes held for {read} that were read"));
        }
        seen.long += usize::from(took > LONG);
        seen.longest_ms = seen.longest_ms.max(took.as_millis() as usize);
        seen.most_held = seen.most_held.max(held as usize);
    }
    seen.write(place);
}
