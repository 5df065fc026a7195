//! Identifies this process among all others, also on other machines, and tells whether another one is gone.
//!
//! Guarantee: a process is called gone only if that is known. One of another machine, of an earlier boot of it or of another
//! container may be alive, whatever number it has here.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// A process, as its claims write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The name of its machine.
    pub host: String,
    /// Its number there.
    pub process: u32,
    /// Its job in the words of the batch system that started it; empty without one.
    #[serde(default)]
    pub job: String,
    /// The boot of the machine; empty where the system does not tell.
    #[serde(default)]
    boot: String,
    /// The space in which its number counts: containers of one machine have the same numbers for other processes.
    #[serde(default)]
    space: String,
    /// When it began, in the system's count: a later process may get the same number.
    #[serde(default)]
    began: String,
}

impl ProcessIdentity {
    /// Returns this process.
    pub(super) fn here() -> &'static Self {
        static HERE: OnceLock<ProcessIdentity> = OnceLock::new();
        HERE.get_or_init(|| {
            let process = std::process::id();
            Self {
                host: System::host_name().unwrap_or_default(),
                process,
                job: job(|name| std::env::var(name).ok()),
                boot: boot(),
                space: fs::read_link("/proc/self/ns/pid").map_or_else(|_| String::new(), |at| at.display().to_string()),
                began: Look::at(process).began().unwrap_or_default(),
            }
        })
    }

    /// Returns whether the process is known to be gone; false where this machine cannot know.
    pub(super) fn is_gone(&self) -> bool {
        let here = Self::here();
        let same_place = self.host == here.host && self.boot == here.boot && self.space == here.space;
        if !same_place || self.boot.is_empty() || self.began.is_empty() {
            return false;
        }
        match Look::at(self.process) {
            Look::Nothing => true,
            Look::Running { began } => began != self.began,
            Look::Hidden => false,
        }
    }

    /// Returns whether the process is known to be alive: it runs on this machine.
    pub(super) fn is_here(&self) -> bool {
        let here = Self::here();
        let same_place = self.host == here.host && self.boot == here.boot && self.space == here.space;
        same_place && matches!(Look::at(self.process), Look::Running { began } if began == self.began)
    }

    /// Describes the process as part of a sentence.
    pub fn in_words(&self) -> String {
        let job = if self.job.is_empty() { String::new() } else { format!(", {}", self.job) };
        format!("process {} on {}{job}", self.process, self.host)
    }
}

/// What the system says of a process number.
enum Look {
    /// There is no such process, or it was killed and only waits for its parent to hear of it.
    Nothing,
    Running {
        began: String,
    },
    /// It cannot be seen by this user.
    Hidden,
}

impl Look {
    fn at(process: u32) -> Self {
        if cfg!(target_os = "linux") { Self::in_proc(process) } else { Self::by_system(process) }
    }

    fn in_proc(process: u32) -> Self {
        let folder = Path::new("/proc").join(process.to_string());
        match fs::read_to_string(folder.join("stat")) {
            Ok(stat) => {
                // The name, in brackets, may contain anything.
                let mut after = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
                let state = after.next().unwrap_or_default();
                let began = after.nth(18).unwrap_or_default().to_owned();
                // Its other threads may still be in a write.
                let threads = fs::read_dir(folder.join("task")).map_or(0, Iterator::count);
                if matches!(state, "Z" | "X") && threads <= 1 { Self::Nothing } else { Self::Running { began } }
            }
            // Where a user sees only his own processes, he does not see the first one either.
            Err(err) if err.kind() == std::io::ErrorKind::NotFound && Path::new("/proc/1/stat").exists() => {
                Self::Nothing
            }
            Err(_) => Self::Hidden,
        }
    }

    fn by_system(process: u32) -> Self {
        let pid = Pid::from_u32(process);
        let mut system = System::new();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
        system.process(pid).map_or(Self::Nothing, |found| Self::Running { began: found.start_time().to_string() })
    }

    fn began(self) -> Option<String> {
        match self {
            Self::Running { began } => Some(began),
            Self::Nothing | Self::Hidden => None,
        }
    }
}

/// Returns what distinguishes this boot of the machine from others.
fn boot() -> String {
    if cfg!(target_os = "linux") {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        return id.trim().to_owned();
    }
    System::boot_time().to_string()
}

/// Returns the job that the variables of the environment name, in words.
fn job(variable: impl Fn(&str) -> Option<String>) -> String {
    let of = |name: &str| variable(name).filter(|value| !value.is_empty());
    let part = |name: &str, sign: &str| of(name).map_or_else(String::new, |value| format!("{sign}{value}"));
    if let Some(array) = of("SLURM_ARRAY_JOB_ID") {
        return format!("SLURM job {array}{}", part("SLURM_ARRAY_TASK_ID", "_"));
    }
    if let Some(job) = of("HQ_JOB_ID") {
        return format!("HyperQueue job {job}{}", part("HQ_TASK_ID", "."));
    }
    let others = [
        ("SLURM_JOB_ID", "SLURM job"),
        ("PBS_JOBID", "PBS job"),
        ("LSB_JOBID", "LSF job"),
        ("PARALLEL_SEQ", "parallel, task"),
    ];
    let named = others.iter().find_map(|(name, words)| Some(format!("{words} {}", of(name)?)));
    named.unwrap_or_default()
}
